"""The constraints and indexes of a table: those that options of fields write, and those of `Meta`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import sqlalchemy as sa

from orm.cli.reading import Table
from orm.cli.text import WIDTH, quoted
from orm.plaintext import snake_case
from orm.tables import NAMING_CONVENTION


class Rules:
    """The constraints and indexes of a table that are not yet written as options of a field."""

    def __init__(self, table: Table, fields: Mapping[str, str]) -> None:
        self.table = table
        self.fields = fields
        self.uniques = list(table.uniques)
        self.indexes = list(table.indexes)

    def take(self, rules: list[Mapping[str, Any]], prefix: str, columns: Sequence[str]) -> bool:
        """Whether there is one over these columns under the name that is made for it; it is written then."""
        words = {"table_name": self.table.name, "column_0_N_name": "_".join(columns)}
        wanted = NAMING_CONVENTION[prefix] % words
        for rule in rules:
            if rule["column_names"] == list(columns) and rule["name"] in (None, wanted) and _is_plain(rule, prefix):
                rules.remove(rule)
                return True
        return False


def _is_plain(rule: Mapping[str, Any], prefix: str) -> bool:
    if prefix == "uq":
        return not _told(rule, "dialect_options")
    return not rule["unique"] and not rule.get("column_sorting") and not _index_options(rule)


def _told(rule: Mapping[str, Any], what: str) -> dict[str, Any]:
    """A dictionary that the inspector may have told, without what says nothing."""
    told = cast("dict[str, Any]", rule.get(what) or {})
    return {name: value for name, value in told.items() if isinstance(value, sa.ClauseElement) or value}


def _index_options(rule: Mapping[str, Any]) -> dict[str, Any]:
    """What an index has beyond its columns."""
    options = _told(rule, "dialect_options")
    if options.get("postgresql_using") == "btree":
        del options["postgresql_using"]
    return options


def meta(table: Table, model: str, rules: Rules) -> list[str]:
    """The lines of `Meta`, if it has any."""
    lines: list[str] = []
    if snake_case(model) != table.name:
        lines.append(f"        tablename = {quoted(table.name)}")
    if table.schema:
        lines.append(f"        schema = {quoted(table.schema)}")
    if table.comment:
        lines.append(f"        comment = {quoted(table.comment)}")
    constraints, remarks = _constraints(rules)
    indexes, more = _indexes(rules)
    lines += _listed("constraints", constraints + [item for item in indexes if item.startswith("orm.Unique")])
    lines += _listed("indexes", [item for item in indexes if item.startswith("orm.Index")])
    lines += [f"        # {remark}" for remark in (*remarks, *more)]
    real = any(not line.lstrip().startswith("#") for line in lines)
    if lines and not real:
        return [line[4:] for line in lines]
    return ["    class Meta(Base.Meta):", *lines] if lines else []


def _listed(name: str, items: list[str]) -> list[str]:
    if not items:
        return []
    one = f"        {name} = [{', '.join(items)}]"
    if len(one) <= WIDTH:
        return [one]
    return [f"        {name} = [", *[f"            {item}," for item in items], "        ]"]


def _constraints(rules: Rules) -> tuple[list[str], list[str]]:
    found: list[str] = []
    remarks: list[str] = []
    for rule in rules.uniques:
        options = _told(rule, "dialect_options")
        words = [quoted(rules.fields[column]) for column in rule["column_names"]]
        wanted = NAMING_CONVENTION["uq"] % {
            "table_name": rules.table.name,
            "column_0_N_name": "_".join(rule["column_names"]),
        }
        if rule["name"] not in (None, wanted):
            words.append(f"name={quoted(rule['name'])}")
        if options.pop("postgresql_include", None):
            include = [rules.fields[column] for column in rule["dialect_options"]["postgresql_include"]]
            words.append(f"include={include!r}".replace("'", '"'))
        if options.pop("postgresql_nulls_not_distinct", None):
            words.append("nulls_distinct=False")
        remarks += [f"{rule['name']} has {option}={value!r}, left out." for option, value in options.items()]
        found.append(f"orm.UniqueConstraint({', '.join(words)})")
    for check in rules.table.checks:
        written = _condition(check["sqltext"], rules.fields)
        if written is None or not check["name"]:
            remarks += [
                f"Left out: CHECK {check['name'] or ''} {line}" for line in [" ".join(check["sqltext"].split())]
            ]
        else:
            found.append(f"orm.CheckConstraint({written}, name={quoted(check['name'])})")
    return found, remarks


_OPERATORS: Final = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt", "=": "exact"}
_COMPARISON: Final = re.compile(r'["`]?(\w+)["`]?\s*(>=|<=|=|<|>)\s*(-?\d+)')


def _condition(sql: str, fields: Mapping[str, str]) -> str | None:
    """A condition in words for the simplest ones: a column compared with a whole number."""
    bare = sql.strip()
    while bare.startswith("(") and bare.endswith(")"):
        bare = bare[1:-1].strip()
    found = _COMPARISON.fullmatch(bare)
    if found is None or found[1] not in fields:
        return None
    return f"orm.Q({fields[found[1]]}__{_OPERATORS[found[2]]}={found[3]})"


def _indexes(rules: Rules) -> tuple[list[str], list[str]]:
    found: list[str] = []
    remarks: list[str] = []
    for rule in rules.indexes:
        options, name = _index_options(rule), rule["name"]
        if None in rule["column_names"] or any(word.endswith("_where") for word in options):
            remarks.append(f"Left out: the index {name}, on expressions or with a condition.")
            continue
        sorting = _told(rule, "column_sorting")
        words = [
            quoted(("-" if "desc" in sorting.get(column, ()) else "") + rules.fields[column])
            for column in rule["column_names"]
        ]
        wanted = NAMING_CONVENTION["ix"] % {
            "table_name": rules.table.name,
            "column_0_N_name": "_".join(rule["column_names"]),
        }
        if name != wanted or sorting or rule["unique"]:
            words.append(f"name={quoted(name)}")
        method = options.pop("postgresql_using", None) or (options.pop("mysql_prefix", None) or "").lower() or None
        if method:
            words.append(f"method={quoted(method)}")
        include = options.pop("postgresql_include", None)
        if include:
            words.append(f"include={[rules.fields[column] for column in include]!r}".replace("'", '"'))
        remarks += [f"{name} has {option}={value!r}, left out." for option, value in options.items()]
        if rule["unique"]:
            remarks.append(f"{name} is a unique index in the database, and a constraint here.")
        found.append(f"orm.{'UniqueConstraint' if rule['unique'] else 'Index'}({', '.join(words)})")
    return found, remarks
