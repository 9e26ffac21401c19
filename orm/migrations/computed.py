"""Generated columns in revisions: one whose expression has changed is dropped and added again.

No engine changes the expression of a column that is there, but for the newest PostgreSQL, and the values come from the
other columns anyway. A server tells an expression in other words than it was told, so it is asked how it would tell
the new one: in a temporary table with the same columns, which is gone afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from alembic.operations import ops
from sqlalchemy.engine import Inspector
from sqlalchemy.exc import DBAPIError

from orm.wording import as_text

_SCRATCH: Final = "orm_computed"
_ENGINE_WORDS: Final = re.compile(r"[\s()`\"]+")


def complete(upgrade: ops.UpgradeOps, tables: list[sa.Table], connection: sa.Connection, inspector: Inspector) -> None:
    """Add the steps for generated columns of tables that are there. The inspector tells them under their new names."""
    for table in tables:
        told = {column["name"]: column for column in inspector.get_columns(table.name, schema=table.schema)}
        for column in table.columns:
            there = told.get(column.name)
            if there is not None and (there.get("computed") or column.computed is not None):
                step = _steps_of(upgrade, table)
                about = [part for part in step.ops if isinstance(part, ops.AlterColumnOp) and _is_about(part, column)]
                if any(part.modify_type is not None for part in about) or not _is_same(column, there, connection):
                    step.ops = [part for part in step.ops if part not in about]
                    _replace(step, table, column, there)


def _steps_of(upgrade: ops.UpgradeOps, table: sa.Table) -> ops.ModifyTableOps:
    key = (table.schema, table.name)
    for step in upgrade.ops:
        if isinstance(step, ops.ModifyTableOps) and (step.schema, step.table_name) == key:
            return step
    made = ops.ModifyTableOps(table.name, [], schema=table.schema)
    upgrade.ops.append(made)
    return made


def _is_about(part: ops.AlterColumnOp, column: sa.Column[Any]) -> bool:
    return part.column_name == column.name


def _is_same(column: sa.Column[Any], there: Any, connection: sa.Connection) -> bool:
    """Whether a column is computed in the database as it is declared."""
    told, declared = there.get("computed"), column.computed
    if told is None or declared is None:
        return False
    stored = bool(declared.persisted)
    if "persisted" in told and bool(told["persisted"]) != stored:
        return False
    words = str(declared.sqltext.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True}))
    words = words.replace("\\:", ":").replace("%%", "%")
    if _bare(words) == _bare(told["sqltext"]):
        return True
    if connection.dialect.name == "sqlite":  # which keeps the words that it was told
        return False
    asked = _in_servers_words(column, words, stored, connection)
    return asked is not None and _bare(asked) == _bare(told["sqltext"])


def _bare(sql: str) -> str:
    return _ENGINE_WORDS.sub("", sql).lower()


def _in_servers_words(column: sa.Column[Any], words: str, stored: bool, connection: sa.Connection) -> str | None:
    """An expression as the server tells it; `None` if it cannot be made of the columns as they are."""
    preparer = connection.dialect.identifier_preparer
    name, source = preparer.quote(column.name), preparer.format_table(column.table)
    kind = column.type.compile(dialect=connection.dialect)
    made = f"{name} {kind} GENERATED ALWAYS AS ({words}) {'STORED' if stored else 'VIRTUAL'}"
    savepoint = None if connection.dialect.name == "mysql" else connection.begin_nested()  # its DDL commits
    try:
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {_SCRATCH} AS SELECT * FROM {source} LIMIT 0")
        connection.exec_driver_sql(f"ALTER TABLE {_SCRATCH} DROP COLUMN {name}")
        connection.execute(sa.text(as_text(f"ALTER TABLE {_SCRATCH} ADD COLUMN {made}")))
        columns = sa.inspect(connection).get_columns(_SCRATCH)
        found = next(item for item in columns if item["name"] == column.name)
        return found["computed"]["sqltext"] if "computed" in found else None
    except DBAPIError:  # it has no column that the expression is about, for example
        return None
    finally:
        if savepoint is None:
            connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {_SCRATCH}")
        else:
            savepoint.rollback()


def _replace(step: ops.ModifyTableOps, table: sa.Table, column: sa.Column[Any], there: Any) -> None:
    """Drop a column and add it as it is now, with its indexes and unique constraints."""
    told = there.get("computed")
    parts: list[Any] = [] if told is None else [sa.Computed(sa.text(as_text(told["sqltext"])), told.get("persisted"))]
    words: dict[str, Any] = {"nullable": there["nullable"], "comment": there.get("comment")}
    if told is None and there.get("default") is not None:
        words["server_default"] = sa.text(as_text(there["default"]))
    before = sa.Column(there["name"], there["type"], *parts, **words)
    sa.Table(table.name, sa.MetaData(), before, schema=table.schema)
    for rule in _rules_of(table, column):
        if not any(getattr(part, "index_name", getattr(part, "constraint_name", "")) == rule.name for part in step.ops):
            if isinstance(rule, sa.Index):
                step.ops += [ops.DropIndexOp.from_index(rule), ops.CreateIndexOp.from_index(rule)]
            else:
                step.ops += [ops.DropConstraintOp.from_constraint(rule), ops.AddConstraintOp.from_constraint(rule)]
    step.ops += [
        ops.DropColumnOp.from_column_and_tablename(table.schema, table.name, before),
        ops.AddColumnOp.from_column_and_tablename(table.schema, table.name, column),
    ]


def _rules_of(table: sa.Table, column: sa.Column[Any]) -> Iterator[Any]:
    yield from [index for index in table.indexes if column in list(index.columns)]
    yield from [c for c in table.constraints if isinstance(c, sa.UniqueConstraint) and column in list(c.columns)]
