"""Connections of every driver without the pool: what the tests of the drivers begin with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from orm.database.interfaces import Connection, Source
from orm.database.mysql import MySQLSource
from orm.database.postgresql import PostgreSQLSource
from orm.database.sqlite import SQLiteSource
from orm.database.url import DatabaseURL, Options, parse

SOURCES: Mapping[str, Callable[[DatabaseURL, Options], Source]] = {
    "sqlite": SQLiteSource,
    "postgresql": PostgreSQLSource,
    "mysql": MySQLSource,
}


def make_source(url: str, **options: Any) -> Source:
    """The source of the driver that the URL names."""
    address, checked = parse(url, options)
    return SOURCES[address.engine](address, checked)


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncGenerator[Connection]:
    """A connection that is closed at the end."""
    connection = await make_source(url, **options).connect()
    try:
        yield connection
    finally:
        await connection.close()


def marks(url: str, sql: str) -> str:
    """SQL written with `?` for its parameters, in the style of the driver."""
    if url.startswith("sqlite"):
        return sql
    first, *rest = sql.split("?")
    if url.startswith("mysql"):
        return "%s".join([part.replace("%", "%%") for part in (first, *rest)])
    return first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
