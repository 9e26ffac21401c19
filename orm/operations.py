"""What revisions call for changes that Alembic has no operation for, or none that works on every database.

They belong in a revision's `upgrade` and `downgrade`, as Alembic's `op` does: autogenerate writes them there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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


# ---------------------------------------------------------------- enumerations

_COLUMNS_OF: Final = sa.text(
    "SELECT c.oid::regclass::text AS place, quote_ident(a.attname) AS name, "
    "pg_get_expr(d.adbin, d.adrelid) AS initial, a.atttypid AS type, a.atttypid = t.typarray AS several "
    "FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') "
    "JOIN pg_type t ON a.atttypid IN (t.oid, t.typarray) "
    "LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "WHERE t.typname = :name AND t.typnamespace = current_schema()::regnamespace AND NOT a.attisdropped "
    "ORDER BY place, a.attnum"
)
"""The columns of an enumeration on PostgreSQL."""

_IS_THERE: Final = sa.text(
    "SELECT count(*) FROM pg_type WHERE typname = :name AND typnamespace = current_schema()::regnamespace"
)


def create_enum(name: str, values: tuple[str, ...]) -> None:
    """Make PostgreSQL's type of an enumeration, unless it is there; nothing on other engines, whose columns have it."""
    context = op.get_context()
    if context.dialect.name != "postgresql":
        return
    if context.as_sql or not _connection("create_enum").scalar(_IS_THERE, {"name": name}):
        op.execute(sa.text(f"CREATE TYPE {_quote()(name)} AS ENUM ({_texts(values)})"))


def drop_enum(name: str) -> None:
    """Drop PostgreSQL's type of an enumeration, unless a column still has it; nothing on other engines."""
    context = op.get_context()
    if context.dialect.name != "postgresql":
        return
    if context.as_sql or not _connection("drop_enum").execute(_COLUMNS_OF, {"name": name}).first():
        op.execute(f"DROP TYPE IF EXISTS {_quote()(name)}")


def change_enum(name: str, values: tuple[str, ...], *, renamed: Mapping[str, str] | None = None) -> None:
    """Give PostgreSQL's type of an enumeration other values, in all tables; nothing on other engines.

    The columns are changed to a new type of the name, and the old one is dropped, all in one transaction. A row with a
    value that is gone makes it fail.

    Args:
        name: the name of the type.
        values: all values that it has then, in order.
        renamed: new words for old values, which rows get then.
    """
    if op.get_context().dialect.name != "postgresql":
        return
    connection, quote = _connection("change_enum"), _quote()
    columns = connection.execute(_COLUMNS_OF, {"name": name}).all()
    initials = [_initial(column, connection, values, renamed or {}) for column in columns]
    old = quote(f"{name}_before")
    op.execute(f"ALTER TYPE {quote(name)} RENAME TO {old}")
    op.execute(sa.text(f"CREATE TYPE {quote(name)} AS ENUM ({_texts(values)})"))
    for column, initial in zip(columns, initials, strict=True):
        start = f"ALTER TABLE {column.place} ALTER COLUMN {column.name}"
        kind = f"{quote(name)}{'[]' if column.several else ''}"
        if column.initial is not None:
            op.execute(f"{start} DROP DEFAULT")
        op.execute(sa.text(f"{start} TYPE {kind} USING ({_renamed(column, renamed or {})})\\:\\:{kind}"))
        if initial is not None:
            op.execute(sa.text(f"{start} SET DEFAULT {initial}"))
    op.execute(f"DROP TYPE {old}")


def _renamed(column: Any, renamed: Mapping[str, str]) -> str:
    """The texts of a column of an enumeration, old values in their new words."""
    if column.several:
        told = f"{column.name}\\:\\:text[]"
        for before, after in renamed.items():
            told = f"array_replace({told}, {_texts((before,))}, {_texts((after,))})"
        return told
    told = f"{column.name}\\:\\:text"
    cases = [f"WHEN {_texts((before,))} THEN {_texts((after,))}" for before, after in renamed.items()]
    return f"CASE {told} {' '.join(cases)} ELSE {told} END" if cases else told


def _initial(column: Any, connection: sa.Connection, values: tuple[str, ...], renamed: Mapping[str, str]) -> str | None:
    """The default that a column has after its type was changed; `None` for one that is no value any more."""
    if column.initial is None:
        return None
    array = "[]" if column.several else ""
    # With the type in a comment: the driver keeps prepared statements by their text, also of types that are gone.
    told: Any = connection.exec_driver_sql(f"SELECT ({column.initial})::text{array} /* {column.type} */").scalar()
    if column.several:
        kept = [renamed.get(value, value) for value in told]
        return _texts(("{" + ",".join(map(_item, kept)) + "}",)) if set(kept) <= set(values) else None
    value = renamed.get(told, told)
    return _texts((value,)) if value in values else None


def _item(value: str) -> str:
    """An item of an array as PostgreSQL reads it in a text."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _texts(values: tuple[str, ...]) -> str:
    """Texts as literals of PostgreSQL's, for `sa.text`, to which a colon begins a parameter."""
    return ", ".join(["'" + value.replace("'", "''").replace(":", "\\:") + "'" for value in values])
