"""The constraints and indexes of a table: those that options of fields write, and those of `Meta`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

import sqlalchemy as sa

from orm.cli.reading import Table
from orm.cli.terms import Rule, Term, rule_of
from orm.cli.text import Nested, broken, quoted, sql_text
from orm.plaintext import snake_case
from orm.tables import NAMING_CONVENTION
from orm.wording import Told

_SA: Final = "import sqlalchemy as sa"
_OPERATORS: Final = {">=": "gte", "<=": "lte", ">": "gt", "<": "lt", "=": "exact"}
_COMPARISON: Final = re.compile(r'["`]?(\w+)["`]?\s*(>=|<=|=|<|>)\s*(-?\d+)')
_OPERATOR: Final = re.compile(r"[+\-*/<>=~!@#%^&|`?]+")
_REST: Final = re.compile(r"\)\s*(NOT VALID|NO INHERIT|NOT ENFORCED)\b", re.IGNORECASE)


class Rules:
    """The constraints and indexes of a table that are not yet written as options of a field.

    Attributes:
        imports: what those of `Meta` need, when they have been written.
    """

    def __init__(self, table: Table, fields: Mapping[str, str], engine: str) -> None:
        self.table = table
        self.fields = fields
        self.engine = engine
        self.imports: set[str] = set()
        columns = [column["name"] for column in table.columns]
        self.rules = [rule_of(name, told, columns) for name, told in table.told.items() if told.kind != "check"]
        known = {rule.name for rule in self.rules}
        unnamed = [item for item in table.uniques if item["name"] not in known]  # SQLite keeps them in the table
        self.rules += [_of_columns(item["name"], item["column_names"]) for item in unnamed]

    @property
    def uniques(self) -> list[Rule]:
        """The unique constraints, which MySQL does not tell from unique indexes."""
        return [rule for rule in self.rules if self.is_constraint(rule)]

    @property
    def indexes(self) -> list[Rule]:
        """The indexes that are no unique constraints."""
        return [rule for rule in self.rules if rule.told.kind == "index" and not self.is_constraint(rule)]

    def is_constraint(self, rule: Rule) -> bool:
        """Whether it is a unique constraint over columns."""
        return rule.told.kind == "unique" or (self.engine == "mysql" and rule.told.unique and bool(rule.columns))

    def take(self, rules: list[Rule], prefix: str, columns: Sequence[str]) -> bool:
        """Whether there is one over these columns under the name that is made for it; it is written then."""
        for rule in rules:
            named = rule.name in (None, self.usual_name(prefix, columns))
            if named and rule.columns == tuple(columns) and rule.is_plain and (prefix == "uq" or not rule.told.unique):
                self.rules.remove(rule)
                return True
        return False

    def usual_name(self, prefix: str, columns: Sequence[str]) -> str:
        """The name that is made for one over these columns."""
        return NAMING_CONVENTION[prefix] % {"table_name": self.table.name, "column_0_N_name": "_".join(columns)}


def _of_columns(name: str | None, columns: Sequence[str]) -> Rule:
    return Rule(name, Told("unique", "()"), tuple([Term(column, column) for column in columns]), None, {})


def meta(table: Table, model: str, rules: Rules) -> list[str]:
    """The lines of `Meta`, if it has any."""
    lines: list[str] = []
    if snake_case(model) != table.name:
        lines.append(f"        tablename = {quoted(table.name)}")
    if table.schema:
        lines.append(f"        schema = {quoted(table.schema)}")
    if table.comment:
        lines.append(f"        comment = {quoted(table.comment)}")
    remarks: list[str] = []
    made = [item for rule in rules.rules for item in [_made(rule, rules, remarks)] if item is not None]
    made += _checks(rules, remarks)
    lines += _listed("constraints", [item for item in made if not item.start.startswith("orm.Index")])
    lines += _listed("indexes", [item for item in made if item.start.startswith("orm.Index")])
    lines += [f"        # {remark}" for remark in remarks]
    real = any(not line.lstrip().startswith("#") for line in lines)
    if lines and not real:
        return [line[4:] for line in lines]
    return ["    class Meta(Base.Meta):", *lines] if lines else []


def _listed(name: str, items: list[Nested]) -> list[str]:
    return broken(Nested(f"{name} = [", items, "]"), 8) if items else []


def _made(rule: Rule, rules: Rules, remarks: list[str]) -> Nested | None:
    """A constraint or an index as `Meta` has it; what is left out of it is said in the remarks."""
    remarks += [f"{rule.name} has {option.upper()} {sql}, left out." for option, sql in rule.unknown.items()]
    if rule.told.kind == "exclude":
        return _exclusion(rule, rules, remarks)
    words: list[str | Nested] = [_term(term, rules) for term in rule.terms]
    unique = rule.told.kind == "unique" or rule.told.unique
    is_index = unique and not rules.is_constraint(rule)
    if is_index and rule.columns and "where" not in rule.options:
        words[0] = f"orm.F({words[0]}).asc()"  # which makes it an index
    if rule.name is not None and (not rule.columns or is_index or not _is_usual(rule, rules)):
        words.append(f"name={quoted(rule.name)}")
    if "where" in rule.options:
        words.append(Nested("condition=sa.text(", sql_text(rule.options["where"]).arguments))
        rules.imports.add(_SA)
    if rule.told.included:
        words.append(Nested("include=[", [quoted(rules.fields[column]) for column in rule.told.included], "]"))
    if rule.told.nulls_equal:
        words.append("nulls_distinct=False")
    if not unique:
        words += _of_index(rule)
    elif rule.method is not None or any(term.operator_class for term in rule.terms):
        remarks.append(f"{rule.name} has a method or operator class, left out: {rule.told.sql}")
    words += _deferrable(rule)
    return Nested(f"orm.{'UniqueConstraint' if unique else 'Index'}(", words)


def _is_usual(rule: Rule, rules: Rules) -> bool:
    prefix = "uq" if rules.is_constraint(rule) else "ix"
    return rule.name == rules.usual_name(prefix, rule.columns) and "where" not in rule.options


def _of_index(rule: Rule) -> list[str | Nested]:
    """The options that an index has, and no constraint."""
    words: list[str | Nested] = []
    if rule.method is not None:
        words.append(f"method={quoted(rule.method)}")
    classes = [term.operator_class for term in rule.terms]
    if any(classes):
        words.append(Nested("operator_classes=[", [quoted(name) if name else "None" for name in classes], "]"))
    return words


def _deferrable(rule: Rule) -> list[str | Nested]:
    when = rule.told.deferrable
    return [] if when is None else [f"deferrable={quoted(when)}"]


def _term(term: Term, rules: Rules) -> str | Nested:
    """A term of an index or a constraint: the name of a field, an order, or SQL."""
    if term.column is None:
        rules.imports.add(_SA)
        return sql_text(term.sql)
    name = rules.fields[term.column]
    if term.nulls is not None:
        return f'orm.F("{name}").{"desc" if term.descending else "asc"}(nulls="{term.nulls}")'
    return quoted(f"-{name}" if term.descending else name)


def _exclusion(rule: Rule, rules: Rules, remarks: list[str]) -> Nested | None:
    pairs: list[Nested] = []
    for term in rule.terms:
        if term.operator is None or not _OPERATOR.fullmatch(term.operator):
            remarks.append(f"Left out: {rule.name} {rule.told.sql}")
            return None
        by = _term(term, rules) if term.operator_class is None else sql_text(term.sql)
        rules.imports |= {_SA} if isinstance(by, Nested) else set()
        pairs.append(Nested("(", [by, quoted(term.operator)]))
    words: list[str | Nested] = [f"name={quoted(str(rule.name))}", Nested("expressions=[", pairs, "]")]
    if rule.method is not None and rule.method != "gist":
        words.append(f"method={quoted(rule.method)}")
    if "where" in rule.options:
        words.append(Nested("condition=sa.text(", sql_text(rule.options["where"]).arguments))
        rules.imports.add(_SA)
    rules.imports.add("from orm import postgresql")
    return Nested("postgresql.ExclusionConstraint(", [*words, *_deferrable(rule)])


def _checks(rules: Rules, remarks: list[str]) -> list[Nested]:
    found: list[Nested] = []
    for name, told in rules.table.told.items():
        if told.kind != "check":
            continue
        sql = told.parts().terms
        words = _condition(sql, rules)
        if words is None:
            rules.imports.add(_SA)
        found.append(Nested("orm.CheckConstraint(", [words or sql_text(sql), f"name={quoted(name)}"]))
        rest = _REST.search(told.sql)
        if rest is not None:
            remarks.append(f"{name} is {rest[1]} in the database.")
    for sql in rules.table.unnamed:
        remarks.append(f"Left out: CHECK ({' '.join(sql.split())}), which has no name.")
    return found


def _condition(sql: str, rules: Rules) -> str | None:
    """A condition in words for the simplest ones: a column of whole numbers compared with one."""
    bare = sql.strip()
    while rules.engine != "sqlite" and bare.startswith("(") and bare.endswith(")"):  # SQLite compares words
        bare = bare[1:-1].strip()
    found = _COMPARISON.fullmatch(bare)
    if found is None or found[1] not in _numbers(rules.table):
        return None
    return f"orm.Q({rules.fields[found[1]]}__{_OPERATORS[found[2]]}={found[3]})"


def _numbers(table: Table) -> set[str]:
    """The columns of whole numbers that are no foreign keys."""
    keys = {column for item in table.foreign_keys for column in item["constrained_columns"]}
    whole = [column["name"] for column in table.columns if isinstance(column["type"], sa.Integer)]
    flags = {c["name"] for c in table.columns if c["type"].__dict__.get("display_width") == 1}
    return {name for name in whole if name not in keys | flags}
