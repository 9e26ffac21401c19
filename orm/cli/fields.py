"""The fields and foreign keys of a model in source text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm.cli import naming
from orm.cli.columns import Written, field_of, options_of
from orm.cli.reading import Table
from orm.cli.rules import Rules
from orm.cli.text import call, quoted
from orm.plaintext import snake_case
from orm.tables import NAMING_CONVENTION
from orm.wording import as_text

_ACTIONS: Final = {"CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT"}
_SA: Final = "import sqlalchemy as sa"


@dataclass(frozen=True)
class Names:
    """What tables are called as models, and columns as fields."""

    models: Mapping[str, str]
    fields: Mapping[str, Mapping[str, str]]
    """By table and column: the field's name, for a foreign key the relation's."""


@dataclass
class Parts:
    """The parts of a module that models need."""

    imports: set[str] = field(default_factory=set[str])
    enumerations: dict[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    enumeration_names: set[str] = field(default_factory=set[str])


def single_keys(table: Table, models: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """The foreign keys of one column that refer to a table that is written, too; one for a column."""
    found: dict[str, Mapping[str, Any]] = {}
    for item in table.foreign_keys:
        if len(item["constrained_columns"]) == 1 and is_here(item, table, models):
            found.setdefault(item["constrained_columns"][0], item)
    return list(found.values())


def is_here(item: Mapping[str, Any], table: Table, models: Mapping[str, str]) -> bool:
    """Whether the table that a foreign key refers to is written, too."""
    return item["referred_table"] in models and item["referred_schema"] == table.schema


def column_lines(
    table: Table,
    column: Mapping[str, Any],
    names: Names,
    rules: Rules,
    parts: Parts,
    dialect: Dialect,
) -> list[str]:
    """The lines for a column."""
    name, field_name = column["name"], names.fields[table.name][column["name"]]
    written = _type(table, column, parts, dialect)
    options: dict[str, str] = {}
    if table.key == [name] or (not table.key and column is table.columns[0]):
        generated = _generated_key(column, dialect)
        if generated is not None:
            extra = {} if field_name == name else {"column": repr(name)}
            made = call(f"    {field_name}: orm.Field[int] = ", generated, words_of(extra | _comment(column)))
            return [made] if table.automatic else [f"    # {field_name} has no AUTOINCREMENT in the database.", made]
        options["primary_key"] = "True"
    elif column["nullable"]:
        options["null"] = "True"
    if field_name != name:
        options["column"] = repr(name)
    if rules.take(rules.uniques, "uq", [name]):
        options["unique"] = "True"
    if rules.take(rules.indexes, "ix", [name]):
        options["index"] = "True"
    options |= _comment(column)
    parts.imports |= set(written.imports)
    python = f"{written.python} | None" if column["nullable"] and not options.get("primary_key") else written.python
    start = f"    {field_name}: orm.Field[{python}] = "
    if column.get("computed"):
        return [_computed(start, column, written, options, parts)]
    default = _default(column, dialect)
    if default is not None:
        options["default"] = default
        parts.imports.add(_SA)
    elif "null" in options:
        options["default"] = "None"
    return [call(start, written.function, list(options_of(written, options)))]


def _computed(start: str, column: Mapping[str, Any], written: Written, options: dict[str, str], parts: Parts) -> str:
    parts.imports.add(_SA)
    inner = [*written.arguments, *(["null=True"] if options.pop("null", None) else [])]
    words = [f"sa.text({as_text(column['computed']['sqltext'])!r})"]
    words.append(f"output_field={written.function}({', '.join(inner)})")
    if not column["computed"].get("persisted"):
        words.append("stored=False")
    return call(start, "orm.Generated", [*words, *words_of(options)])


def words_of(options: Mapping[str, str]) -> list[str]:
    """Options as arguments of a call."""
    return [f"{name}={value}" for name, value in options.items()]


def _comment(column: Mapping[str, Any]) -> dict[str, str]:
    return {"comment": repr(column["comment"])} if column.get("comment") else {}


def _generated_key(column: Mapping[str, Any], dialect: Dialect) -> str | None:
    """The constructor of a key that the database makes."""
    kind = column["type"]
    automatic = column.get("autoincrement") is True or column.get("identity") or "nextval(" in (column["default"] or "")
    if dialect.name == "sqlite":
        return "orm.BigAutoField" if isinstance(kind, sa.INTEGER) else None
    if not automatic or not isinstance(kind, sa.Integer):
        return None
    return "orm.BigAutoField" if isinstance(kind, sa.BigInteger) else "orm.AutoField"


def _type(table: Table, column: Mapping[str, Any], parts: Parts, dialect: Dialect) -> Written:
    kind = column["type"]
    if not isinstance(kind, sa.Enum) or not kind.enums:
        return field_of(kind, dialect)
    values = tuple(kind.enums)
    own: str | None = kind.name if dialect.name == "postgresql" else None
    key = (own or "", *values)
    if key not in parts.enumerations:
        name = naming.class_name(own or f"{table.name}_{column['name']}")
        parts.enumerations[key] = naming.free(name, parts.enumeration_names)
        parts.enumeration_names.add(parts.enumerations[key])
    name = parts.enumerations[key]
    options = () if own is None or snake_case(name) == own else (f"name={own!r}",)
    return Written(name, "orm.Enum", (name, *options))


def enumeration(name: str, values: tuple[str, ...]) -> str:
    """The class of an enumeration; its first value is the name of the type in the database, if it has one."""
    lines, taken = [f"class {name}(enum.Enum):"], list[str]()
    for value in values[1:]:
        taken.append(naming.free(naming.member_name(value), taken))
        lines.append(f"    {taken[-1]} = {quoted(value)}")
    return "\n".join([*lines, ""])


def _default(column: Mapping[str, Any], dialect: Dialect) -> str | None:
    default = column["default"]
    if default is None or (dialect.name == "mysql" and default.upper() == "NULL"):
        return None
    if (
        dialect.name == "sqlite"
        and re.search(r"[(+*/-]", default)
        and not re.fullmatch(r"\(.*\)|-?[\d.]+|'.*'", default)
    ):
        default = f"({default})"
    return f"sa.text({as_text(default)!r})"


def key(
    table: Table,
    column: Mapping[str, Any],
    item: Mapping[str, Any],
    tables: Sequence[Table],
    names: Names,
    rules: Rules,
) -> list[str]:
    """The lines for a foreign key of one column, whose names are given: it and its column are one field."""
    column_name, name = column["name"], names.fields[table.name][column["name"]]
    target = next(other for other in tables if other.name == item["referred_table"])
    options: dict[str, str] = {}
    function, null = "orm.ForeignKey", bool(column["nullable"])
    if table.key == [column_name]:
        function, options["primary_key"], null = "orm.OneToOne", "True", False
        rules.take(rules.uniques, "uq", [column_name])
    elif rules.take(rules.uniques, "uq", [column_name]):
        function = "orm.OneToOne"
    if null:
        options |= {"null": "True", "default": "None"}
    if list(target.key) != item["referred_columns"]:
        options["to_field"] = repr(names.fields[target.name][item["referred_columns"][0]])
    options |= _actions(item)
    if f"{name}_id" != column_name:
        options["column"] = repr(column_name)
    if function == "orm.ForeignKey" and not rules.take(rules.indexes, "ix", [column_name]):
        options["index"] = "False"
    options |= _comment(column)
    model = names.models[target.name]
    remarks = _remarks(table, item, [column_name])
    if column["default"] is not None and not null:
        remarks.append(
            f"# {name}: the database's default is {column['default']}, which a foreign key does not have here."
        )
    start = f"    {name}: orm.Related[{model}{' | None' if null else ''}] = "
    return [*[f"    {remark}" for remark in remarks], call(start, function, [repr(model), *words_of(options)])]


def _actions(item: Mapping[str, Any]) -> dict[str, str]:
    """What becomes of a key when the row that it refers to goes or changes, and when it is checked."""
    told, options = cast("dict[str, Any]", item.get("options") or {}), dict[str, str]()
    for word, option in (("ondelete", "on_delete"), ("onupdate", "on_update")):
        action = (told.get(word) or "").upper()
        if action in _ACTIONS:
            options[option] = f"orm.{action.replace(' ', '_')}"
    if told.get("deferrable"):
        options["deferrable"] = repr("deferred" if (told.get("initially") or "").upper() == "DEFERRED" else "immediate")
    return options


def _remarks(table: Table, item: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    words = {"table_name": table.name, "column_0_N_name": "_".join(columns)}
    wanted = NAMING_CONVENTION["fk"] % words
    if item["name"] in (None, wanted):
        return []
    return [f"# The database calls this foreign key {item['name']!r}; here it is {wanted!r}."]


def wide_key(table: Table, item: Mapping[str, Any], names: Names, rules: Rules) -> list[str]:
    """A foreign key of several columns, or one to a table that is not written."""
    columns, fields = item["constrained_columns"], names.fields[table.name]
    labels = [fields[column] for column in columns]
    if not is_here(item, table, names.models) or len(columns) == 1:
        target = ".".join([part for part in (item["referred_schema"], item["referred_table"]) if part])
        return [f"    # Left out: the foreign key of {', '.join(labels)} to {target}."]
    model = names.models[item["referred_table"]]
    far = [names.fields[item["referred_table"]][column] for column in item["referred_columns"]]
    name = naming.free(naming.field_name(snake_case(model)), fields.values())
    options = {"from_fields": repr(labels), "to_fields": repr(far), **_actions(item)}
    options = {word: value.replace("'", '"') for word, value in options.items()}
    if not rules.take(rules.indexes, "ix", columns):
        options["index"] = "False"
    null = any(column["nullable"] for column in table.columns if column["name"] in columns)
    start = f"    {name}: orm.Related[{model}{' | None' if null else ''}] = "
    remarks = [f"    {remark}" for remark in _remarks(table, item, columns)]
    return [*remarks, call(start, "orm.ForeignKey", [repr(model), *words_of(options)])]
