"""The enumerations that PostgreSQL has types for, in revisions: made before a column has one, changed, and dropped.

PostgreSQL's own `ALTER TYPE … ADD VALUE` neither removes values nor lets new ones be used in the same transaction, so a
changed type is made anew. On the other engines the values are part of the column's type.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

from orm import enumerations
from orm.migrations.renames import Call

_THERE: Final = sa.text(
    "SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_type t "
    "JOIN pg_enum e ON e.enumtypid = t.oid WHERE t.typnamespace = current_schema()::regnamespace GROUP BY t.typname"
)
"""The enumerations that PostgreSQL has, with their values."""

Values = tuple[str, ...]


def complete(upgrade: ops.UpgradeOps, metadata: sa.MetaData, connection: sa.Connection) -> None:
    """Add the steps for the types of enumerations."""
    declared: dict[str, Values] = {}
    for table in metadata.sorted_tables:
        for kind in enumerations.of_columns(iter([column.type for column in table.columns])):
            declared[kind.name] = kind.values
    there: dict[str, Values] = {}
    if connection.dialect.name == "postgresql":
        there = {name: tuple(values) for name, values in connection.execute(_THERE)}
    changed = {n: (there[n], values) for n, values in declared.items() if n in there and there[n] != values}
    changed |= _changed_on_mysql(upgrade)
    for name, (before, after) in sorted(changed.items()):
        upgrade.ops.append(Call("change_enum", (name, after), (name, before)))
    _set_defaults_apart(upgrade, changed)
    new = {kind.name for kind in enumerations.of_columns(_new_types(upgrade))}
    for name in sorted(new - set(there) - set(changed)):
        upgrade.ops.append(Call("create_enum", (name, declared[name]), (name,), undo="drop_enum"))
    # A table makes the types that it needs, and leaves them behind when it goes.
    made = {kind.name for kind in enumerations.of_columns(_types_of(upgrade, ops.CreateTableOp))}
    for name in sorted(made - set(there) - new):
        upgrade.ops.append(Call("", (), (name,), undo="drop_enum"))
    of_tables = set(_names(list(_types_of(upgrade, ops.DropTableOp))))
    for name in sorted((set(_gone_types(upgrade)) | of_tables) & set(there) - set(declared)):
        undo = "" if name in of_tables else "create_enum"
        upgrade.ops.append(Call("drop_enum", (name,), (name, there[name]), undo=undo))


def _parts(upgrade: ops.UpgradeOps) -> Iterator[tuple[ops.ModifyTableOps, Any]]:
    for step in upgrade.ops:
        if isinstance(step, ops.ModifyTableOps):
            for part in list(step.ops):
                yield step, part


def _new_types(upgrade: ops.UpgradeOps) -> Iterator[TypeEngine[Any]]:
    """The types that columns of tables that are there will have."""
    for _, part in _parts(upgrade):
        if isinstance(part, ops.AddColumnOp):
            yield part.column.type
        elif isinstance(part, ops.AlterColumnOp) and part.modify_type is not None:
            yield part.modify_type


def _gone_types(upgrade: ops.UpgradeOps) -> Iterator[str]:
    """The names of the types that columns have no more."""
    kinds: list[Any] = []
    for _, part in _parts(upgrade):
        if isinstance(part, ops.DropColumnOp):
            kinds.append(part.to_column().type)
        elif isinstance(part, ops.AlterColumnOp) and part.modify_type is not None:
            kinds.append(part.existing_type)
    yield from _names(kinds)


def _types_of(upgrade: ops.UpgradeOps, kind: type[ops.CreateTableOp | ops.DropTableOp]) -> Iterator[TypeEngine[Any]]:
    """The types of the columns of tables that are made, or dropped."""
    for step in upgrade.ops:
        if isinstance(step, kind):
            yield from [column.type for column in step.to_table().columns]


def _names(kinds: list[Any]) -> Iterator[str]:
    for kind in kinds:
        item: Any = getattr(kind, "item_type", kind)
        if isinstance(item, sa.Enum) and item.name:
            yield item.name


def _changed_on_mysql(upgrade: ops.UpgradeOps) -> dict[str, tuple[Values, Values]]:
    """What a change of MySQL's ENUM means for the type of PostgreSQL: one revision serves both."""
    found: dict[str, tuple[Values, Values]] = {}
    for _, part in _parts(upgrade):
        if isinstance(part, ops.AlterColumnOp) and isinstance(part.existing_type, mysql.ENUM):
            kind = None if part.modify_type is None else enumerations.named(part.modify_type)
            if kind is not None:
                found[kind.name] = (tuple(part.existing_type.enums), kind.values)
    return found


def _set_defaults_apart(upgrade: ops.UpgradeOps, changed: dict[str, tuple[Values, Values]]) -> None:
    """Take a default away before its type changes, and set the new one after: neither type may have both."""
    for step, part in _parts(upgrade):
        if not isinstance(part, ops.AlterColumnOp) or part.modify_server_default is False:
            continue
        default: Any = part.existing_server_default
        if getattr(part.existing_type, "name", None) in changed and default not in (None, False):
            words: dict[str, Any] = {
                "schema": part.schema,
                "existing_type": part.existing_type,
                "existing_nullable": part.existing_nullable,
                "existing_comment": part.existing_comment,
            }
            before = BeforeTypes(
                part.table_name,
                part.column_name,
                existing_server_default=default,
                modify_server_default=None,
                **words,
            )
            part.existing_server_default = None
            step.ops.insert(0, before)
            if part.modify_server_default is None:
                part.modify_server_default = False
                if not part.has_changes():
                    step.ops.remove(part)


class BeforeTypes(ops.AlterColumnOp):
    """A change of a column that is made before the types of enumerations change."""
