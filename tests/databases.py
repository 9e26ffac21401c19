"""The databases that the tests run on: which there are, and one of our own on each server."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pymysql

from orm import Database, Registry

DEFAULTS = {
    "postgresql": "postgresql://postgres@127.0.0.1:5432/postgres",
    "mysql": "mysql://root@127.0.0.1:3306/test",
}
VARIABLES = {"postgresql": "ORM_TEST_POSTGRESQL", "mysql": "ORM_TEST_MYSQL"}
BACKENDS = ("sqlite", "postgresql", "mysql+aiomysql", "mysql+asyncmy")
REQUIRED = os.environ.get("ORM_TEST_REQUIRE_ALL", "") not in {"", "0"}


def server_url(engine: str) -> str | None:
    """The URL of a server to test on: named in the environment, or answering on this machine."""
    named = os.environ.get(VARIABLES[engine])
    if named:
        return named
    url = urlsplit(DEFAULTS[engine])
    try:
        socket.create_connection((url.hostname, url.port), timeout=1).close()
    except OSError:
        return None
    return DEFAULTS[engine]


@asynccontextmanager
async def created(models: Registry, database: Database) -> AsyncIterator[Database]:
    """The database with the tables of the models, empty; their registry is connected to it, and afterwards to none."""
    models.database = database
    await models.create_all()
    try:
        yield database
    finally:
        models.database = database  # a test may have connected another
        await models.drop_all()
        models.database = None


@dataclass(frozen=True)
class Scratch:
    """A database made for this run on one server."""

    engine: str
    server: str
    name: str

    @property
    def url(self) -> str:
        """The URL of the scratch database itself."""
        return urlunsplit(urlsplit(self.server)._replace(path=f"/{self.name}"))

    def create(self) -> None:
        """Create it, empty."""
        self.drop()
        self._run(f"CREATE DATABASE {self.name}" + (" CHARACTER SET utf8mb4" if self.engine == "mysql" else ""))

    def drop(self) -> None:
        """Remove it, whoever is still connected."""
        self._run(f"DROP DATABASE IF EXISTS {self.name}" + (" WITH (FORCE)" if self.engine == "postgresql" else ""))

    def _run(self, sql: str) -> None:
        if self.engine == "postgresql":
            asyncio.run(self._run_postgresql(sql))
        else:
            self._run_mysql(sql)

    async def _run_postgresql(self, sql: str) -> None:
        connection = await asyncpg.connect(self.server)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()

    def _run_mysql(self, sql: str) -> None:
        url = urlsplit(self.server)
        connection = pymysql.connect(
            host=url.hostname or "127.0.0.1", port=url.port or 3306, user=url.username, password=url.password or ""
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
