"""Tables and columns that were renamed, in autogenerate: `renamed_from` says so, and the database whether it is done.

Alembic compares the models with what it reads of the database. Here it reads the database as it will be after the
renames, so it finds what else has changed, and the renames are written before that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations import ops
from alembic.util import PriorityDispatchResult
from sqlalchemy.engine import Inspector

from orm import operations, reflection
from orm.catalogs import Key, Renamed
from orm.exceptions import FieldError
from orm.tables import RENAMED_FROM

# ---------------------------------------------------------------- what was renamed


def find(metadata: sa.MetaData, inspector: Inspector) -> list[Renamed]:
    """The renames that the models tell of and the database has not seen.

    Raises:
        FieldError: two models are renamed from one table.
    """
    tables = _tables(metadata, inspector)
    found: list[Renamed] = []
    taken: dict[Key, str] = {}
    for (schema, name), table in tables.items():
        there = name
        old = table.info.get(RENAMED_FROM)
        names = set(inspector.get_table_names(schema=schema)) if old or _tells(table) else set[str]()
        if old and name not in names and old in names and (schema, old) not in tables:
            if (schema, old) in taken:
                raise FieldError(f"Two tables are renamed_from={old!r}: {taken[schema, old]!r} and {name!r}.")
            taken[schema, old] = name
            there = old
        if there not in names or not (there != name or _tells(table)):
            continue
        renamed = Renamed(schema, there, name, _columns(table, inspector, schema, there))
        if there != name or renamed.columns:
            found.append(_with_names(renamed, table, inspector))
    return found


def _tables(metadata: sa.MetaData, inspector: Inspector) -> dict[Key, sa.Table]:
    default = inspector.default_schema_name
    return {(None if t.schema == default else t.schema, t.name): t for t in metadata.tables.values()}


def _tells(table: sa.Table) -> bool:
    return any(RENAMED_FROM in column.info for column in table.columns)


def _columns(table: sa.Table, inspector: Inspector, schema: str | None, there: str) -> dict[str, str]:
    names = {column["name"] for column in inspector.get_columns(there, schema=schema)}
    told = [(column.info.get(RENAMED_FROM), column.name) for column in table.columns]
    return {old: new for old, new in told if old in names and new not in names}


def _with_names(renamed: Renamed, table: sa.Table, inspector: Inspector) -> Renamed:
    """With the names that the naming convention made of the old names, and makes of the new ones."""
    place: dict[str, Any] = {"table_name": renamed.old, "schema": renamed.schema}
    there: set[Any] = {index["name"] for index in inspector.get_indexes(**place)}
    unique: set[Any] = {item["name"] for item in inspector.get_unique_constraints(**place)}
    keys: set[Any] = {item["name"] for item in inspector.get_foreign_keys(**place)}
    before = {new: old for old, new in renamed.columns.items()}
    quote = inspector.dialect.identifier_preparer

    def names(parts: Any, prefix: str, known: set[Any], format_name: Callable[[Any], Any]) -> Iterator[tuple[str, str]]:
        for part in parts:
            new = format_name(part)
            old = _conventional(part, prefix, renamed.old, before, format_name)
            if new is not None and old is not None and new != old and old in known and new not in known:
                yield old, new

    constraints = sorted(table.constraints, key=lambda item: str(item.name))
    uniques = [item for item in constraints if isinstance(item, sa.UniqueConstraint)]
    foreign = [item for item in constraints if isinstance(item, sa.ForeignKeyConstraint)]
    indexes = sorted(table.indexes, key=lambda item: str(item.name))
    return Renamed(
        renamed.schema,
        renamed.old,
        renamed.new,
        renamed.columns,
        dict(names(indexes, "ix", there - unique, lambda part: quote.format_index(part))),
        dict(names(uniques, "uq", unique, quote.format_constraint))
        | dict(names(foreign, "fk", keys, quote.format_constraint)),
    )


def _conventional(
    part: Any, prefix: str, table: str, before: Mapping[str, str], format_name: Callable[[Any], Any]
) -> str | None:
    """The name that the convention would have made before, if it made the one of now."""
    convention = part.table.metadata.naming_convention.get(prefix)
    columns: list[Any] = [getattr(column, "name", None) for column in part.columns]
    if not isinstance(convention, str) or None in columns:
        return None

    def made(table_name: str, names: list[Any]) -> str | None:
        try:
            return convention % {"table_name": table_name, "column_0_N_name": "_".join(names)}
        except KeyError:
            return None

    new, old = made(part.table.name, columns), made(table, [before.get(name, name) for name in columns])
    return _shortened(part, old, format_name) if new is not None and old is not None and part.name == new else None


def _shortened(part: Any, name: str, format_name: Callable[[Any], Any]) -> str:
    """A name as the engine has it: SQLAlchemy shortens long ones."""
    kept = part.name
    part.name = type(kept)(name)
    try:
        return cast("str", format_name(part))
    finally:
        part.name = kept


# ---------------------------------------------------------------- the database as it will be


def look_ahead(inspector: Inspector, renames: list[Renamed]) -> None:
    """Let an inspector tell the database as it is after the renames.

    Its methods are replaced on the instance: each engine has an inspector class of its own.
    """
    view = _View(inspector, {item.key: item for item in renames})
    for name in _KINDS:
        setattr(inspector, f"get_{name}", view.of_one(name))
        setattr(inspector, f"get_multi_{name}", view.of_many(name))
    names = inspector.get_table_names

    def get_table_names(schema: str | None = None, **options: Any) -> list[str]:
        new = {item.old: item.new for item in renames if item.schema == schema}
        return [new.get(name, name) for name in names(schema, **options)]

    inspector.get_table_names = get_table_names  # type: ignore[method-assign]
    inspector.has_table = lambda table_name, schema=None, **_: table_name in get_table_names(schema)  # type: ignore[method-assign]


_KINDS: Final = (
    "columns",
    "pk_constraint",
    "foreign_keys",
    "indexes",
    "unique_constraints",
    "check_constraints",
    "table_comment",
    "table_options",
)
"""What an inspector tells about tables: `get_columns` and `get_multi_columns`, and so on."""


class _View:
    def __init__(self, inspector: Inspector, renames: Mapping[Key, Renamed]) -> None:
        self.inspector = inspector
        self.renames = renames
        self.by_old = {(item.schema, item.old): item for item in renames.values()}

    def of_one(self, kind: str) -> Callable[..., Any]:
        read = getattr(self.inspector, f"get_{kind}")

        def one(table_name: str, schema: str | None = None, **options: Any) -> Any:
            renamed = self.renames.get((schema, table_name))
            found = read(renamed.old if renamed else table_name, schema=schema, **options)
            return self._told(kind, found, renamed)

        return one

    def of_many(self, kind: str) -> Callable[..., Any]:
        read = getattr(self.inspector, f"get_multi_{kind}")

        def many(schema: str | None = None, filter_names: Any = None, **options: Any) -> Any:
            wanted = filter_names
            if wanted is not None:
                wanted = [self.renames[schema, n].old if (schema, n) in self.renames else n for n in wanted]
            found: dict[Key, Any] = {}
            for (place, name), told in read(schema=schema, filter_names=wanted, **options).items():
                renamed = self.by_old.get((place, name))
                found[place, renamed.new if renamed else name] = self._told(kind, told, renamed)
            return found

        return many

    def _told(self, kind: str, found: Any, renamed: Renamed | None) -> Any:
        if kind == "foreign_keys":
            return [self._key(item, renamed) for item in found]
        if renamed is None or not found or kind in ("table_comment", "table_options"):
            return found
        if kind == "columns":
            return [{**item, "name": renamed.columns.get(item["name"], item["name"])} for item in found]
        if kind == "pk_constraint":
            return {**found, "constrained_columns": _new(found["constrained_columns"], renamed)}
        return [self._part(item, renamed) for item in found]

    def _part(self, item: Any, renamed: Renamed) -> Any:
        """An index, or a unique or CHECK constraint."""
        names = {**renamed.indexes, **renamed.constraints}
        made = {**item, "name": names.get(item["name"], item["name"])}
        for words in ("column_names", "expressions", "include_columns"):
            if words in item:
                made[words] = _new(item[words], renamed)
        if "column_sorting" in item:
            made["column_sorting"] = {renamed.columns.get(n, n): how for n, how in item["column_sorting"].items()}
        for words in ("duplicates_index", "duplicates_constraint"):
            if item.get(words):
                made[words] = names.get(item[words], item[words])
        return made

    def _key(self, item: Any, renamed: Renamed | None) -> Any:
        """A foreign key: either end may have been renamed."""
        target = self.by_old.get((item["referred_schema"], item["referred_table"]))
        made = dict(item)
        if renamed is not None:
            made["name"] = renamed.constraints.get(item["name"], item["name"])
            made["constrained_columns"] = _new(item["constrained_columns"], renamed)
        if target is not None:
            made["referred_table"] = target.new
            made["referred_columns"] = _new(item["referred_columns"], target)
        return made


def _new(names: Any, renamed: Renamed) -> list[Any]:
    return [renamed.columns.get(name, name) for name in names]


# ---------------------------------------------------------------- what is written


@dataclass
class Call(ops.MigrateOperation):
    """A call of a function of `orm.operations` in a revision, and the one that undoes it: of the same unless named.

    An empty name is that of no function: there is nothing to do, or to undo.
    """

    function: str
    arguments: tuple[Any, ...]
    back: tuple[Any, ...]
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    undo: str | None = None

    def reverse(self) -> Call:
        undo = self.function if self.undo is None else self.undo
        return Call(undo, self.back, self.arguments, self.options, self.function)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return (self.function, *self.arguments)


@renderers.dispatch_for(Call)
def _render(context: AutogenContext, call: Call) -> list[str]:
    if not call.function:
        return []
    context.imports.add(f"import {operations.__name__}")
    words = [repr(value) for value in call.arguments]
    words += [f"{name}={value!r}" for name, value in call.options.items() if value is not None]
    return [f"{operations.__name__}.{call.function}({', '.join(words)})"]


class RenameTable(ops.RenameTableOp):
    """Alembic's own, which it neither writes nor turns round."""

    def reverse(self) -> RenameTable:
        return RenameTable(self.new_table_name, self.table_name, schema=self.schema)

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("rename_table", self.schema, self.table_name, self.new_table_name)


@renderers.dispatch_for(RenameTable)
def _render_rename_table(context: AutogenContext, step: RenameTable) -> str:
    schema = f", schema={step.schema!r}" if step.schema else ""
    return f"op.rename_table({step.table_name!r}, {step.new_table_name!r}{schema})"


def steps(renames: list[Renamed]) -> list[ops.MigrateOperation]:
    """What does the renames, in order."""
    found: list[ops.MigrateOperation] = []
    for item in renames:
        if item.old != item.new:
            found.append(RenameTable(item.old, item.new, schema=item.schema))
        calls = [("rename_column", item.columns), ("rename_index", item.indexes)]
        calls.append(("rename_constraint", item.constraints))
        for function, names in calls:
            for old, new in names.items():
                options = {"schema": item.schema}
                found.append(Call(function, (item.new, old, new), (item.new, new, old), options))
    return found


def compare(context: AutogenContext, upgrade: ops.UpgradeOps, _schemas: object) -> PriorityDispatchResult:
    """Write the renames first, and let Alembic see the database after them: a comparator of its, before all others."""
    metadata = context.metadata
    if context.connection is not None:
        reflection.complete(context.inspector, context.connection)
    renames = find(metadata, context.inspector) if isinstance(metadata, sa.MetaData) else []
    if renames:
        upgrade.ops[:0] = steps(renames)
        look_ahead(context.inspector, renames)
    return PriorityDispatchResult.CONTINUE
