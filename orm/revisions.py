"""Constraints and indexes on expressions in the revisions that Alembic writes.

Alembic compares an index on an expression by its text on PostgreSQL, which the server tells in other words than it was
told; not at all on SQLite and MySQL; and no CHECK constraint. Here PostgreSQL is asked whether an index is the same,
and what the other engines do not have yet is found by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import sqlalchemy as sa
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles

from orm import renames
from orm.definitions import Definition

NEEDLESS_WARNINGS: Final = (
    "autogenerate skipping metadata-specified expression-based index",
    "Skipped unsupported reflection of expression-based index",
)
"""How the warnings begin that say that others do not compare what is compared here."""

_INDEX_NAMES: Final = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND :schema IS NULL",
    "mysql": "SELECT index_name FROM information_schema.statistics "
    "WHERE table_name = :name AND table_schema = coalesce(:schema, database())",
}
_SAME: Final = "orm_compared"
"""The name of the table and the index that PostgreSQL makes, and forgets, to tell an index in its words."""


class Verbatim(sa.ColumnElement[Any]):
    """SQL that goes into a revision as it is."""

    inherit_cache = False
    _traverse_internals: Any = []  # SQLAlchemy's name: it has no parts

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.type = sa.types.NULLTYPE


@compiles(Verbatim)
def _compile(made: Verbatim, compiler: object, **options: object) -> str:
    return made.sql


def complete(migration: MigrationContext, script: ops.MigrationScript) -> None:
    """Add what Alembic did not find, leave out what it took for a change, and put SQL in the place of expressions."""
    metadata, connection = cast("Any", migration).opts["target_metadata"], migration.connection
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    if connection is None or upgrade is None or downgrade is None or not isinstance(metadata, sa.MetaData):
        return
    inspector = sa.inspect(connection)
    renames.look_ahead(inspector, renames.find(metadata, inspector))
    changed = False
    for table in metadata.sorted_tables:
        if (_indexes(table) or _checks(table)) and _is_included(migration, table, "table"):
            changed = _complete_table(migration, upgrade, table, inspector) or changed
    upgrade.ops = [step for step in upgrade.ops if not isinstance(step, ops.ModifyTableOps) or step.ops]
    if changed:
        upgrade.reverse_into(downgrade)
    for step in (*_steps(upgrade), *_steps(downgrade)):
        _put_sql(step, migration)


def _is_included(migration: MigrationContext, item: Any, kind: str) -> bool:
    """Whether the user's `include_object` lets it through."""
    include = cast("Any", migration).opts.get("include_object")
    return include is None or bool(include(item, item.name, kind, False, None))


def _indexes(table: sa.Table) -> list[sa.Index]:
    """The indexes of a table that have expressions of ours."""
    found = [index for index in table.indexes if any(isinstance(part, Definition) for part in index.expressions)]
    return sorted(found, key=lambda index: str(index.name))


def _checks(table: sa.Table) -> list[sa.CheckConstraint]:
    """The CHECK constraints of a table that are ours."""
    found = [item for item in table.constraints if isinstance(item, sa.CheckConstraint)]
    return sorted([c for c in found if isinstance(c.sqltext, Definition)], key=lambda check: str(check.name))


# ---------------------------------------------------------------- what is missing


def _complete_table(
    migration: MigrationContext, upgrade: ops.UpgradeOps, table: sa.Table, inspector: sa.Inspector
) -> bool:
    """Mend the steps for a table; gives whether something had to be."""
    found = [
        step
        for step in upgrade.ops
        if isinstance(step, ops.ModifyTableOps) and (step.schema, step.table_name) == (table.schema, table.name)
    ]
    steps = found[0] if found else ops.ModifyTableOps(table.name, [], schema=table.schema)
    before = list(steps.ops)
    # Apart from the rest: a batch that copies a table, on SQLite, cannot make them.
    missing = ops.ModifyTableOps(table.name, [], schema=table.schema)
    for index in _indexes(table):
        if _is_included(migration, index, "index"):
            _complete_index(migration, steps, missing, index)
    if inspector.has_table(table.name, schema=table.schema):  # a new one has them from the start
        there = {check["name"] for check in inspector.get_check_constraints(table.name, schema=table.schema)}
        steps.ops += [
            ops.AddConstraintOp.from_constraint(check)
            for check in _checks(table)
            if check.name not in there and _is_included(migration, check, "check_constraint")
        ]
    if not found:
        upgrade.ops.append(steps)
    upgrade.ops.append(missing)
    return bool(steps.ops != before or missing.ops)


def _complete_index(
    migration: MigrationContext, steps: ops.ModifyTableOps, missing: ops.ModifyTableOps, index: sa.Index
) -> None:
    connection = cast("sa.Connection", migration.connection)
    about = [
        step
        for step in steps.ops
        if isinstance(step, (ops.CreateIndexOp, ops.DropIndexOp)) and step.index_name == index.name
    ]
    others = [step for step in steps.ops if step not in about]
    if connection.dialect.name == "postgresql":
        if len(about) == 2 and _is_same(migration, connection, index):
            steps.ops = others
        return
    names = sa.text(_INDEX_NAMES[connection.dialect.name])
    table = cast("sa.Table", index.table)
    there = connection.execute(names, {"name": table.name, "schema": table.schema}).scalars().all()
    steps.ops = others
    if index.name not in there:
        missing.ops.append(ops.CreateIndexOp.from_index(index))


def _is_same(migration: MigrationContext, connection: sa.Connection, index: sa.Index) -> bool:
    """Whether PostgreSQL has the index as it would make it now: it makes one in a table that it then forgets."""
    table = cast("sa.Table", index.table)
    quote = connection.dialect.identifier_preparer
    terms = ", ".join([_term(part, migration) for part in index.expressions])
    unique = "UNIQUE " if index.unique else ""
    told = sa.text("SELECT pg_get_indexdef(to_regclass(:name))")
    schema = f"{quote.quote_schema(table.schema)}." if table.schema else ""
    savepoint = connection.begin_nested()
    try:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_SAME}_table (LIKE {quote.format_table(table)})")
        connection.exec_driver_sql(f"CREATE {unique}INDEX {_SAME} ON {_SAME}_table ({terms})")
        now = connection.execute(told, {"name": f"pg_temp.{_SAME}"}).scalar()
        then = connection.execute(told, {"name": schema + quote.quote(str(index.name))}).scalar()
    except DBAPIError:  # it has no column that the index is about, for example
        return False
    finally:
        savepoint.rollback()
    return _meaning(now) == _meaning(then)


def _term(part: Any, migration: MigrationContext) -> str:
    if isinstance(part, sa.Column):
        return migration.dialect.identifier_preparer.format_column(cast("Any", part))
    return migration.impl.render_ddl_sql_expr(part, is_index=True)


def _meaning(told: str | None) -> tuple[bool, str]:
    """An index in PostgreSQL's words, without its own name and that of its table."""
    before, _, after = (told or "").partition(" USING ")
    return before.startswith("CREATE UNIQUE"), after


# ---------------------------------------------------------------- what is written


def _steps(container: ops.OpContainer) -> Iterator[Any]:
    for step in container.ops:
        if isinstance(step, ops.OpContainer):
            yield from _steps(step)
        else:
            yield step


def _put_sql(step: Any, migration: MigrationContext) -> None:
    """Put SQL in the place of our expressions, which a revision does not have."""
    if isinstance(step, ops.CreateIndexOp):
        columns = [_verbatim(part, migration, str) for part in step.columns]
        step.columns = cast("Any", columns)
    elif isinstance(step, ops.CreateCheckConstraintOp):
        step.condition = _verbatim(step.condition, migration, _as_text)
    elif isinstance(step, ops.CreateTableOp):
        step.columns = [
            sa.CheckConstraint(_verbatim(item.sqltext, migration, _as_text), name=item.name)
            if isinstance(item, sa.CheckConstraint) and isinstance(item.sqltext, Definition)
            else item
            for item in step.columns
        ]


def _verbatim(part: Any, migration: MigrationContext, write: Callable[[str], str]) -> Any:
    if not isinstance(part, Definition):
        return part
    sql = migration.impl.render_ddl_sql_expr(part)
    if migration.dialect.name == "mysql":
        sql = sql.replace("%%", "%")  # doubled for the driver, which SQLAlchemy does again when the revision runs
    return Verbatim(write(sql))


def _as_text(sql: str) -> str:
    """SQL for `sa.text`, to which a colon begins a parameter."""
    return re.sub(r":", r"\\:", sql)
