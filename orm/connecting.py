"""An engine of SQLAlchemy's for a URL of ours, for what works with SQLAlchemy's own connections."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from orm.database.url import DatabaseURL, Options

_NO_FOREIGN_KEYS: Final = "foreign_keys"
"""The PRAGMA that migrations never set: batch mode drops a table after copying it, which would empty its referrers."""


def sqlalchemy_url(address: DatabaseURL) -> sa.URL:
    """The same place in SQLAlchemy's words."""
    database, query = address.database, dict[str, str]()
    if address.engine == "sqlite" and address.parameters:
        database, query = f"file:{address.database}", {**address.parameters, "uri": "true"}
    return sa.URL.create(
        f"{address.engine}+{address.driver}",
        username=address.username,
        password=address.password,
        host=address.host,
        port=address.port,
        database=database,
        query=query,
    )


def engine(address: DatabaseURL, settings: Options) -> AsyncEngine:
    """An engine for one connection, set up as our own layer sets connections up."""
    made = create_async_engine(
        sqlalchemy_url(address), poolclass=sa.NullPool, connect_args=_connect_arguments(address, settings)
    )
    if address.engine == "sqlite":
        pragmas = {name: value for name, value in settings.pragmas.items() if name.lower() != _NO_FOREIGN_KEYS}

        def connected(connection: Any, _: object) -> None:
            connection.isolation_level = None  # the driver would commit before DDL
            for name, value in pragmas.items():
                connection.execute(f"PRAGMA {name} = {value}")

        def began(connection: sa.Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        event.listen(made.sync_engine, "connect", connected)
        event.listen(made.sync_engine, "begin", began)
    if address.engine == "mysql":

        def same_types(_connection: Any, _record: object) -> None:
            made.dialect.supports_native_uuid = False  # our layer has one form for MySQL and MariaDB

        event.listen(made.sync_engine, "connect", same_types)
    return made


def _connect_arguments(address: DatabaseURL, settings: Options) -> dict[str, Any]:
    """What each driver calls our options."""
    arguments: dict[str, Any] = {}
    if address.engine == "sqlite":
        return {"timeout": settings.timeout}
    if settings.ssl is not None and (settings.ssl or address.engine == "postgresql"):
        arguments["ssl"] = settings.ssl
    if address.engine == "postgresql":
        arguments |= {"timeout": settings.connect_timeout}
        if address.socket:
            arguments["host"] = address.socket
        if settings.pgbouncer:
            arguments |= {"statement_cache_size": 0, "prepared_statement_cache_size": 0}
        return arguments
    if address.socket:
        arguments["unix_socket"] = address.socket
    session = "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
    return arguments | {"connect_timeout": settings.connect_timeout, "charset": "utf8mb4", "init_command": session}
