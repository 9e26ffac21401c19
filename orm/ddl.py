"""Creating and dropping the tables of a `MetaData` through our database layer, those that are missing or there."""

from __future__ import annotations

import contextlib
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.named_types import CreateEnumType, DropEnumType
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.exc import SQLAlchemyError

from orm.database import Database
from orm.engines import engine_name, is_mariadb
from orm.exceptions import NotSupportedError

# What tables there are, as (schema, table, whether the schema is the one that names without a schema mean).
_TABLES = {
    "sqlite": "SELECT 'main', name, 1 FROM sqlite_master WHERE type = 'table'",
    "postgresql": "SELECT schemaname, tablename, schemaname = current_schema() FROM pg_catalog.pg_tables",
    "mysql": "SELECT table_schema, table_name, table_schema = DATABASE() FROM information_schema.tables",
}

_ENUMERATIONS = "SELECT typname FROM pg_catalog.pg_type WHERE typtype = 'e' AND pg_catalog.pg_type_is_visible(oid)"

_UNLIMITED = ("LONGTEXT", "LONGBLOB", "JSON")
"""How the types of MySQL begin whose values have any length."""


async def create_all(metadata: sa.MetaData, database: Database) -> None:
    """Create the tables that are not there yet, with their constraints and indexes: all or, where DDL allows, none."""
    there = await _existing(database)
    missing = [table for table in metadata.sorted_tables if (table.schema, table.name) not in there]
    if missing:
        types = await _enumerations(database)
        await _run(database, _statements(database, metadata, "create_all", missing, types))


async def drop_all(metadata: sa.MetaData, database: Database) -> None:
    """Drop the tables that are there."""
    there = await _existing(database)
    present = [table for table in metadata.sorted_tables if (table.schema, table.name) in there]
    if present:
        types = await _enumerations(database)
        await _run(database, _statements(database, metadata, "drop_all", present, types))


async def _enumerations(database: Database) -> set[str]:
    """The types that the tables' enumerations are, those that are there."""
    if database.dialect.name != "postgresql":
        return set()
    return {name for (name,) in await database.fetch(_ENUMERATIONS, write=True)}


async def _existing(database: Database) -> set[tuple[str | None, str]]:
    found: set[tuple[str | None, str]] = set()
    for schema, name, default in await database.fetch(_TABLES[database.dialect.name], write=True):
        found.add((schema, name))
        if default:
            found.add((None, name))
    return found


def _statements(
    database: Database, metadata: sa.MetaData, method: str, tables: list[sa.Table], types: set[str]
) -> list[Any]:
    """What SQLAlchemy would send: it knows the order, and which keys must be added afterwards.

    Which of the `types` of enumerations are there, it does not know.
    """
    statements: list[Any] = []

    def collect(statement: Any, *_: Any) -> None:
        named = cast("Any", statement).element.name if isinstance(statement, (CreateEnumType, DropEnumType)) else None
        if named is not None and (named in types) is isinstance(statement, CreateEnumType):
            return
        statements.append(statement)

    mock = MockConnection(database.dialect, collect)
    getattr(metadata, method)(mock, tables=tables, checkfirst=False)
    for table in tables:
        _check_keys(table, database)
    for statement in statements:  # what the engine does not have is refused before anything is sent
        with contextlib.suppress(SQLAlchemyError):  # whose errors get their form where the statement is sent
            statement.compile(dialect=database.dialect)
    return statements


def _check_keys(table: sa.Table, database: Database) -> None:
    """Refuse what MySQL has no keys of: values of any length. MariaDB has unique constraints and indexes of them."""
    dialect = database.dialect
    if dialect.name != "mysql":
        return
    for column in table.columns:
        keyed = column.primary_key or (not is_mariadb(dialect) and (column.unique or column.index))
        kind = column.type.compile(dialect=dialect)
        if keyed and kind.startswith(_UNLIMITED):
            raise NotSupportedError(
                f"{engine_name(dialect)} has no keys of {kind.partition(' ')[0]}, as {table.name}.{column.name} is. "
                "Use a type of limited length, such as String(max_length=…)."
            )


async def _run(database: Database, statements: list[Any]) -> None:
    if not database.capabilities.transactional_ddl:
        for statement in statements:
            await database.execute(statement)
        return
    async with database.transaction():
        for statement in statements:
            await database.execute(statement)
