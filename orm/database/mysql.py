"""MySQL and MariaDB: the server, reached with aiomysql or asyncmy."""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import logging
import re
from collections.abc import Mapping
from typing import Any

from orm.database.interfaces import Connection, Source
from orm.database.mysql_aiomysql import AiomysqlConnection
from orm.database.mysql_asyncmy import AsyncmyConnection
from orm.database.mysql_connection import CAPABILITIES, MySQLConnection
from orm.database.mysql_dialect import MySQLDialect
from orm.database.mysql_errors import number_of
from orm.database.servers import unreachable
from orm.database.url import DatabaseURL, Options
from orm.exceptions import DatabaseError

logger = logging.getLogger("orm.database")

CONNECTIONS: Mapping[str, type[AiomysqlConnection] | type[AsyncmyConnection]] = {
    "aiomysql": AiomysqlConnection,
    "asyncmy": AsyncmyConnection,
}

KILL_SECONDS = 2.0
"""How long the clean-up of a connection waits until its session is killed; the attempts go on behind it."""
KILL_PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""The pauses in seconds before each attempt to kill sessions."""

_VERSION = re.compile(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)")  # MariaDB 10 put an old number before its own

_CURES: Mapping[int, str] = {
    1040: "Lower max_size, or raise the server's max_connections.",
    1044: "Grant the user access to the database.",
    1045: "Check the user's name and password.",
    1049: "Create the database, or name another in the URL.",
    1129: "Unblock this host on the server: FLUSH HOSTS.",
    1130: "Allow the user to connect from this host.",
    1203: "Lower max_size, or raise the server's max_user_connections.",
    1226: "Lower max_size, or raise what the user is allowed.",
    1698: "Check the user's name and password.",
    2003: "Check that the server is running and can be reached at this host and port.",
}


class MySQLSource(Source):
    """A MySQL or MariaDB server; what it can do is known better once the first connection is made.

    Attributes:
        server_version: the server's version, such as `(10, 11, 6)`; empty before the first connection.
        is_mariadb: whether it is MariaDB, or `None` before the first connection.
    """

    def __init__(self, url: DatabaseURL, options: Options) -> None:
        self.capabilities = CAPABILITIES
        self._dialect = MySQLDialect(url.driver)
        self.dialect = self._dialect
        self.server_version: tuple[int, ...] = ()
        self.is_mariadb: bool | None = None
        self._url = url
        self._options = options
        self._connection_class = CONNECTIONS[url.driver]
        self._doomed: dict[int, float] = {}
        self._executioner: asyncio.Task[None] | None = None

    @property
    def capacity(self) -> int | None:
        """No limit of its own."""
        return None

    async def connect(self, *, read_only: bool = False) -> MySQLConnection:
        """A new session; a read-only one begins every transaction as such. Raises `ConnectionLost`."""
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                connection = await self._open()
                try:
                    await connection.prepare(read_only=read_only)
                except BaseException:
                    connection.abort()
                    raise
        except Exception as error:
            # A statement's error has the driver's as its cause.
            cause = error.__cause__ if isinstance(error, DatabaseError) and error.__cause__ else error
            cure = _CURES.get(number_of(cause) or 0, "Check the URL, and that the server is running and well.")
            raise unreachable(self._url, "MySQL", _readable(cause), cure) from cause
        if self.is_mariadb is None:
            self._learn(connection)
        return connection

    async def release(self, connection: Connection) -> None:
        """End a session; one with a statement in flight is killed: a closed socket alone does not stop the server."""
        if connection.busy:
            await connection.interrupt()
        else:
            await connection.close()

    async def _open(self) -> AiomysqlConnection | AsyncmyConnection:
        # Both drivers encode passwords as Latin-1; these are the characters that become the password's UTF-8 so.
        password = (self._url.password or "").encode().decode("latin-1")
        return await self._connection_class.open(self._url, self._options, password, self.kill)

    def _learn(self, connection: MySQLConnection) -> None:
        self.server_version, self.is_mariadb = parse_version(connection.server_version)
        self._dialect.learn(self.server_version, self.is_mariadb)
        self.capabilities = dataclasses.replace(self.capabilities, max_statement_bytes=connection.max_packet)

    async def kill(self, session_id: int) -> None:
        """End a session on the server, whatever it is doing, from one side connection for all that are to go.

        KILL QUERY would not do: the session has no owner any more, and what it holds locked must be free. The work
        is done in a task of its own, so that a caller who is stopped does not stop it, and is tried again while the
        server cannot be reached: a server that has not heard of the end keeps the locks for hours.
        """
        loop = asyncio.get_running_loop()
        self._doomed[session_id] = loop.time()
        task = self._executioner
        if task is None or task.done() or task.get_loop() is not loop:
            task = loop.create_task(self._kill_doomed(), context=contextvars.Context())
            self._executioner = task
        await asyncio.wait({task}, timeout=KILL_SECONDS)

    async def _kill_doomed(self) -> None:
        failure: Exception | None = None
        for pause in KILL_PAUSES:
            await asyncio.sleep(pause)
            try:
                await self._kill_from_the_side()
            except Exception as error:
                failure = error
            else:
                return
        logger.warning("MySQL sessions could not be killed and end by themselves: %s", type(failure).__name__)
        self._doomed.clear()

    async def _kill_from_the_side(self) -> None:
        async with asyncio.timeout(self._options.connect_timeout):
            side: MySQLConnection = await self._open()
            try:
                rows = await side.fetch("SHOW GLOBAL STATUS LIKE 'Uptime'", ())
                started = asyncio.get_running_loop().time() - float(rows[0][1]) - 1.0
                while self._doomed:
                    session_id, doomed = next(iter(self._doomed.items()))
                    if started <= doomed:  # or the number is another session's, of a server that was restarted
                        await self._kill_one(side, session_id)
                    del self._doomed[session_id]
            finally:
                side.abort()

    async def _kill_one(self, side: MySQLConnection, session_id: int) -> None:
        try:
            await side.command(f"KILL {session_id}")
        except DatabaseError as error:
            if number_of(error.__cause__ or error) != 1094:  # unknown thread: gone already
                raise


def parse_version(text: str) -> tuple[tuple[int, ...], bool]:
    """The version that a server tells, and whether it is MariaDB.

    >>> parse_version("5.5.5-10.4.7-MariaDB-log")
    ((10, 4, 7), True)
    """
    match = _VERSION.match(text)
    return (tuple(map(int, match.groups())) if match else ()), "mariadb" in text.lower()


def _readable(error: BaseException) -> BaseException:
    """The error with a text for people: the drivers' is a tuple."""
    arguments: tuple[Any, ...] = error.args
    if len(arguments) > 1 and isinstance(arguments[1], str):
        return Exception(f"{arguments[1]} ({arguments[0]})")
    return error
