"""The tables of SQLite that Alembic's batch mode copies: all that the copy would lose, it keeps here.

SQLite changes a table by making a new one. Alembic makes it from what SQLAlchemy reads of the old one, which leaves out
AUTOINCREMENT, indexes on expressions, the order of an index, and what stands after a colon in a CHECK.
"""

from __future__ import annotations

from typing import Any, Final, cast

import sqlalchemy as sa
from alembic.ddl.sqlite import SQLiteImpl
from alembic.operations import ops
from alembic.operations.batch import ApplyBatchImpl

from orm import sqlitewords
from orm.wording import as_text

_INDEXES: Final = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = :name AND sql IS NOT NULL"


class SQLite(SQLiteImpl):
    """Alembic's operations on SQLite, with copies that are complete. Alembic finds it by `__dialect__`."""

    __dialect__ = "sqlite"

    def prep_table_for_batch(self, batch_impl: ApplyBatchImpl, table: sa.Table) -> None:
        new = cast("sa.Table", batch_impl.new_table)
        if self.connection is None or self.as_sql:
            return
        if sqlitewords.is_automatic(self.connection, table.name):
            cast("Any", new).dialect_options["sqlite"]["autoincrement"] = True
        for rule in new.constraints:
            if isinstance(rule, sa.CheckConstraint) and isinstance(rule.sqltext, sa.TextClause) and _parameters(rule):
                rule.sqltext = sa.text(as_text(rule.sqltext.text))  # read: no colon in it begins one
        _complete_computed(new, batch_impl, sqlitewords.of_table(self.connection, table.name))
        if any("name" in transfer for transfer in batch_impl.column_transfers.values()):
            return  # the words of an index have the old name of a column
        kept: list[str] = []
        read = {str(index.name): index for index in table.indexes}
        for name, sql in self.connection.execute(sa.text(_INDEXES), {"name": table.name}):
            if name not in read or (
                batch_impl.indexes.pop(name, None) is not None and set(read[name].columns.keys()) <= set(new.c.keys())
            ):
                kept.append(sql)
        cast("Any", self).memo[new.name] = kept

    def rename_table(self, old_table_name: str, new_table_name: str, schema: Any = None) -> None:
        super().rename_table(old_table_name, new_table_name, schema)
        kept: list[str] = cast("Any", self).memo.pop(old_table_name, [])
        for sql in kept:
            cast("sa.Connection", self.connection).exec_driver_sql(sql)


def _parameters(rule: sa.CheckConstraint) -> Any:
    """What SQLAlchemy takes for parameters in a text."""
    return rule.sqltext._bindparams


def _complete_computed(new: sa.Table, batch_impl: ApplyBatchImpl, sql: str) -> None:
    """Give generated columns their whole expressions, and write none of them."""
    expressions = sqlitewords.computed(sql)
    for column in new.columns:
        if column.computed is not None and batch_impl.column_transfers[column.key].pop("expr", None) is not None:
            # The name at the beginning: a column may be renamed in the copy.
            column.computed.sqltext = sa.text(as_text(expressions[column.key]))


def complete_drops(upgrade: ops.UpgradeOps, connection: sa.Connection) -> None:
    """Let the way back make a dropped table with AUTOINCREMENT, if it has it."""
    if connection.dialect.name != "sqlite":
        return
    for step in upgrade.ops:
        if isinstance(step, ops.DropTableOp) and sqlitewords.is_automatic(connection, step.table_name):
            step.table_kw["sqlite_autoincrement"] = True
