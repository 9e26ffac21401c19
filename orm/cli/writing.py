"""Models in source text for tables of a database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from sqlalchemy.engine import Dialect

from orm.cli import naming
from orm.cli.fields import Names, Parts, column_lines, enumeration, key, single_keys, wide_key
from orm.cli.reading import Table
from orm.cli.rules import Rules, meta
from orm.cli.text import call

_BASE: Final = """models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True
"""


def module(tables: Sequence[Table], dialect: Dialect) -> str:
    """The module with the models of the tables."""
    names, parts = _names(tables), Parts(imports={"import orm"})
    parts.enumeration_names |= {"Base", *names.models.values()}
    models = [_model(table, tables, names, parts, dialect) for table in tables]
    enumerations = [enumeration(name, values) for values, name in parts.enumerations.items()]
    if enumerations:
        parts.imports.add("import enum")
    head = f'"""Models of an existing database ({dialect.name}), written by `orm inspectdb`."""\n\n'
    body = "\n\n".join([_BASE, *enumerations, *models])
    return f"{head}from __future__ import annotations\n\n{_imports(parts.imports)}\n{body}"


def _imports(imports: set[str]) -> str:
    """The import statements in the order that linters want."""
    standard = sorted(item for item in imports if not re.search(r"\b(sqlalchemy|orm)\b", item))
    others = sorted(item for item in imports if "sqlalchemy" in item)
    ours = sorted(item for item in imports if re.search(r"\borm\b", item))

    def group(items: list[str]) -> list[str]:
        ordered = sorted(items, key=lambda item: (item.startswith("from "), item))
        return ["\n".join(ordered)] if ordered else []

    return "\n\n".join([*group(standard), *group([*others, *ours])]) + "\n"


def _names(tables: Sequence[Table]) -> Names:
    models: dict[str, str] = {}
    fields: dict[str, dict[str, str]] = {}
    for table in tables:
        models[table.name] = naming.free(naming.class_name(table.name), [*models.values(), "Base"])
    for table in tables:
        keys = {item["constrained_columns"][0]: item for item in single_keys(table, models)}
        found = fields.setdefault(table.name, {})
        columns = [column["name"] for column in table.columns]
        for column in columns:
            if column not in keys:
                found[column] = naming.free(naming.field_name(column), found.values())
        for column in columns:
            if column in keys:
                short = re.sub(r"_?id$", "", column, flags=re.IGNORECASE) or column
                taken = [*found.values(), *[f"{name}_id" for name in found.values()]]
                name = naming.free(naming.field_name(short), taken)
                found[column] = name if f"{name}_id" not in found.values() else naming.free(f"{name}_key", taken)
    return Names(models, fields)


def _model(table: Table, tables: Sequence[Table], names: Names, parts: Parts, dialect: Dialect) -> str:
    name, lines = names.models[table.name], list[str]()
    remarks = ["# A view: read it, and do not create or migrate it."] if table.view else []
    if not table.key:
        remarks.append("# The table has no primary key: name the fields that tell its rows apart.")
    rules = Rules(table, names.fields[table.name], dialect.name)
    keys = {item["constrained_columns"][0]: item for item in single_keys(table, names.models)}
    for column in table.columns:
        item = keys.get(column["name"])
        if item is None:
            lines += column_lines(table, column, names, rules, parts, dialect)
        else:
            lines += key(table, column, item, tables, names, rules)
    for item in table.foreign_keys:
        if item not in keys.values():
            lines += wide_key(table, item, names, rules)
    if len(table.key) > 1:
        fields = [repr(names.fields[table.name][column]) for column in table.key]
        lines.append(call("    pk = ", "orm.CompositePrimaryKey", fields))
    options = meta(table, name, rules)
    parts.imports |= rules.imports
    body = [f"    {remark}" for remark in remarks] + lines + (["", *options] if options else [])
    return "\n".join([f"class {name}(Base):", *(body or ["    pass"]), ""])
