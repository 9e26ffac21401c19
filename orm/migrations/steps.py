"""The order of the steps of a revision, so that each finds what it needs and nothing that forbids it.

Alembic goes table by table. MySQL refuses to drop an index that a foreign key needs, every server a table that is
referred to; and the copies of SQLite's batch mode make indexes without their order.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

import sqlalchemy as sa
from alembic.operations import ops

from orm.catalogs import Key
from orm.migrations.additions import Remark, WithoutDefault
from orm.migrations.enumtypes import BeforeTypes
from orm.migrations.renames import Call, RenameTable

_FIRST, _FOREIGN, _PARTS, _TABLES, _COLUMNS, _FILLED, _INDEXES, _NEW_FOREIGN, _LAST, _TYPES = range(10)

_RANKS: Final[tuple[tuple[type[ops.MigrateOperation], int], ...]] = (
    (RenameTable, _FIRST),
    (BeforeTypes, _PARTS),
    (WithoutDefault, _FILLED),
    (ops.DropIndexOp, _PARTS),
    (ops.DropConstraintOp, _PARTS),
    (ops.CreateTableOp, _TABLES),
    (ops.CreateIndexOp, _INDEXES),
    (ops.CreateForeignKeyOp, _NEW_FOREIGN),
    (ops.AddConstraintOp, _INDEXES),
    (ops.DropTableOp, _LAST),
)


_TOLD_COLUMN: Final = re.compile(r"`((?:[^`]|``)+)`")


def arrange(upgrade: ops.UpgradeOps, engine: str) -> None:
    """Put the steps in order; the way back is the same in reverse."""
    dropped = {(step.schema, step.table_name) for step in upgrade.ops if isinstance(step, ops.DropTableOp)}
    flat: list[tuple[int, ops.MigrateOperation]] = []
    for step in upgrade.ops:
        if not isinstance(step, ops.ModifyTableOps):
            flat.append((_rank(step), step))
        elif (step.schema, step.table_name) in dropped:
            flat.append((_LAST, step))
        else:
            flat += _parts(step, engine)
    flat.sort(key=lambda item: item[0])
    found = [step for _, step in flat]
    drops = [step for step in found if isinstance(step, ops.DropTableOp)]
    first = [step for rank, step in flat if rank < _TYPES and step not in drops]
    upgrade.ops = [*first, *_referring_first(drops), *[step for rank, step in flat if rank == _TYPES]]


def make_keys_again(upgrade: ops.UpgradeOps, metadata: sa.MetaData) -> None:
    """Let foreign keys go while an index of their columns changes: MySQL keeps one index, of whichever name, for each.

    For a key without an index it makes one itself, which goes when another one comes; so neither can be dropped alone.
    """
    created = {(step.schema, step.table_name) for step in upgrade.ops if isinstance(step, ops.CreateTableOp)}
    of_tables: dict[Key, list[ops.ModifyTableOps]] = {}
    for step in upgrade.ops:
        if isinstance(step, ops.ModifyTableOps) and (step.schema, step.table_name) not in created:
            of_tables.setdefault((step.schema, step.table_name), []).append(step)
    for (schema, name), found in of_tables.items():
        step, parts = found[0], [part for step in found for part in step.ops]
        table = metadata.tables.get(name if schema is None else f"{schema}.{name}")
        first = {column for part in parts for column in _first_columns(part)}
        about = {getattr(part, "constraint_name", None) for part in parts}
        keys = [] if table is None else sorted(table.foreign_key_constraints, key=lambda key: str(key.name))
        for key in keys:
            if next(iter(key.columns)).name in first and key.name not in about:
                step.ops.append(ops.DropConstraintOp.from_constraint(key))
                step.ops.append(ops.CreateForeignKeyOp.from_constraint(key))


def _first_columns(part: ops.MigrateOperation) -> set[str]:
    """The column that an index or a unique constraint which is made or dropped begins with."""
    columns: list[Any] = []
    if isinstance(part, (ops.CreateIndexOp, ops.DropIndexOp)):
        first: Any = next(iter(part.to_index().expressions))
        told = _TOLD_COLUMN.match(str(first))  # in the server's own words
        if told is not None:
            return {told[1].replace("``", "`")}
        columns = list(part.to_index().columns)
    elif isinstance(part, ops.CreateUniqueConstraintOp):
        return {str(part.columns[0])}
    elif isinstance(part, ops.DropConstraintOp) and part.constraint_type == "unique":
        columns = list(cast("Any", part.to_constraint()).columns)
    return {str(column.name) for column in columns[:1]}


def leave_out_needless(container: ops.OpContainer) -> None:
    """Leave out what says nothing, and dropping indexes of a table that goes anyway, which MySQL may refuse."""
    dropped = {(step.schema, step.table_name) for step in container.ops if isinstance(step, ops.DropTableOp)}
    container.ops = [step for step in container.ops if not _drops_indexes_of(step, dropped) and not _is_silent(step)]


def _is_silent(step: ops.MigrateOperation) -> bool:
    if isinstance(step, ops.ModifyTableOps):
        return all(map(_is_silent, step.ops))
    return (isinstance(step, Remark) and not step.text) or (isinstance(step, Call) and not step.function)


def _drops_indexes_of(step: ops.MigrateOperation, dropped: set[Key]) -> bool:
    return (
        isinstance(step, ops.ModifyTableOps)
        and (step.schema, step.table_name) in dropped
        and all(isinstance(inner, ops.DropIndexOp) for inner in step.ops)
    )


def _rank(step: ops.MigrateOperation) -> int:
    if isinstance(step, ops.DropConstraintOp) and step.constraint_type == "foreignkey":
        return _FOREIGN
    if isinstance(step, Call):
        ranks = {"create_enum": _TABLES, "change_enum": _TABLES, "drop_enum": _TYPES, "": _PARTS}
        return ranks.get(step.function, _FIRST)
    return next((rank for kind, rank in _RANKS if isinstance(step, kind)), _COLUMNS)


def _parts(step: ops.ModifyTableOps, engine: str) -> list[tuple[int, ops.MigrateOperation]]:
    """The steps for one table, taken apart where others come between them."""
    groups: dict[int, list[ops.MigrateOperation]] = {}
    for part in sorted(step.ops, key=_rank):
        rank = _rank(part)
        if engine == "sqlite" and not isinstance(part, (ops.CreateIndexOp, ops.DropIndexOp, WithoutDefault)):
            rank = _COLUMNS  # one copy of the table for all of them
        groups.setdefault(rank, []).append(part)
    return [(rank, ops.ModifyTableOps(step.table_name, parts, schema=step.schema)) for rank, parts in groups.items()]


def _referring_first(drops: list[ops.DropTableOp]) -> list[ops.MigrateOperation]:
    """Each table before those that it refers to."""
    left: dict[Key, ops.DropTableOp] = {
        (step.schema, step.table_name): step for step in sorted(drops, key=lambda step: step.table_name)
    }
    found: list[ops.MigrateOperation] = []
    while left:
        needed = {target for key, step in left.items() for target in _targets(step) if target != key}
        free = [key for key in left if key not in needed] or list(left)
        found += [left.pop(key) for key in free]
    return found


def _targets(step: ops.DropTableOp) -> set[Key]:
    """The tables that a dropped table refers to."""
    made = step.to_table()
    names = [
        cast("Any", key).target_fullname.split(".") for item in made.foreign_key_constraints for key in item.elements
    ]
    return {(".".join(name[:-2]) or None, name[-2]) for name in names}
