"""What revisions call for changes that Alembic has no operation for, or none that works on every database.

They belong in a revision's `upgrade` and `downgrade`, as Alembic's `op` does: autogenerate writes them there.
"""

from __future__ import annotations

import re
from typing import Any, Final

import sqlalchemy as sa
from alembic import op

from orm.exceptions import InterfaceError
from orm.wording import as_text

_CREATE_INDEX: Final = re.compile(
    r'(CREATE\s+(?:UNIQUE\s+)?INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?)("(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|\S+)(\s+ON\s.*)',
    re.IGNORECASE | re.DOTALL,
)
"""How SQLite keeps an index: in the words that made it."""


def rename_column(table_name: str, old: str, new: str, *, schema: str | None = None) -> None:
    """Rename a column, and nothing else about it: `op.alter_column` describes the whole column again on MySQL.

    It needs MySQL 8.0, MariaDB 10.5.2 or SQLite 3.25, or later.
    """
    quote = _quote()
    op.execute(f"ALTER TABLE {_table(table_name, schema)} RENAME COLUMN {quote(old)} TO {quote(new)}")


def rename_index(table_name: str, old: str, new: str, *, schema: str | None = None) -> None:
    """Rename an index: in an instant, but for SQLite, which makes it again."""
    quote, engine = _quote(), op.get_context().dialect.name
    if engine == "postgresql":
        name = quote(old) if schema is None else f"{quote(schema)}.{quote(old)}"
        op.execute(f"ALTER INDEX {name} RENAME TO {quote(new)}")
    elif engine == "mysql":
        op.execute(f"ALTER TABLE {_table(table_name, schema)} RENAME INDEX {quote(old)} TO {quote(new)}")
    else:
        told = _connection("rename_index").scalar(
            sa.text("SELECT sql FROM sqlite_master WHERE type = 'index' AND name = :name"), {"name": old}
        )
        found = _CREATE_INDEX.fullmatch(told or "")
        if found is None:
            raise InterfaceError(f"The table {table_name!r} has no index {old!r} to rename.")
        op.execute(f"DROP INDEX {quote(old)}")
        _connection("rename_index").exec_driver_sql(f"{found[1]}{quote(new)}{found[3]}")


def rename_constraint(table_name: str, old: str, new: str, *, schema: str | None = None) -> None:
    """Rename a foreign key, or a unique or CHECK constraint.

    PostgreSQL does it in an instant. MySQL makes foreign keys and CHECK constraints again, and SQLite copies the table.
    """
    quote, engine = _quote(), op.get_context().dialect.name
    if engine == "postgresql":
        op.execute(f"ALTER TABLE {_table(table_name, schema)} RENAME CONSTRAINT {quote(old)} TO {quote(new)}")
        return
    connection = _connection("rename_constraint")
    table = sa.Table(table_name, sa.MetaData(), schema=schema, autoload_with=connection, resolve_fks=False)
    found = next((item for item in table.constraints if item.name == old), None)
    indexes = {str(index["name"]) for index in sa.inspect(connection).get_indexes(table_name, schema=schema)}
    if engine == "mysql" and old in indexes:  # one of its own is there for a foreign key, too
        rename_index(table_name, old, new, schema=schema)
        if not isinstance(found, sa.ForeignKeyConstraint):
            return
    if found is None:
        raise InterfaceError(f"The table {table_name!r} has no constraint {old!r} to rename.")
    with op.batch_alter_table(table_name, schema=schema) as batch:
        batch.drop_constraint(old, type_=_kind(found))
        _create(batch, found, new)


def _kind(constraint: sa.Constraint) -> Any:
    if isinstance(constraint, sa.ForeignKeyConstraint):
        return "foreignkey"
    return "unique" if isinstance(constraint, sa.UniqueConstraint) else "check"


def _create(batch: Any, constraint: sa.Constraint, name: str) -> None:
    """Add a constraint that was read from the database, under another name."""
    if isinstance(constraint, sa.ForeignKeyConstraint):
        targets = [element.target_fullname.split(".") for element in constraint.elements]
        batch.create_foreign_key(
            op.f(name),
            targets[0][-2],
            list(constraint.column_keys),
            [target[-1] for target in targets],
            referent_schema=targets[0][-3] if len(targets[0]) > 2 else None,
            ondelete=constraint.ondelete,
            onupdate=constraint.onupdate,
            deferrable=constraint.deferrable,
            initially=constraint.initially,
        )
    elif isinstance(constraint, sa.UniqueConstraint):
        batch.create_unique_constraint(op.f(name), [column.name for column in constraint.columns])
    elif isinstance(constraint, sa.CheckConstraint):
        batch.create_check_constraint(op.f(name), sa.text(as_text(str(constraint.sqltext))))


def _quote() -> Any:
    return op.get_context().dialect.identifier_preparer.quote


def _table(name: str, schema: str | None) -> str:
    quote = _quote()
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def _connection(what: str) -> sa.Connection:
    """The connection, for what must look at the database first."""
    context = op.get_context()
    if context.as_sql or context.connection is None:
        raise InterfaceError(
            f"{what}() reads the database on {context.dialect.name}, so it cannot be written as SQL (--sql)."
        )
    return context.connection
