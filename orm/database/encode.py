"""A source over somebody's `databases.Database`: its connections, wrapped in our connection classes.

The host keeps its pool, its options and its bounds. What follows from that:

- A connection that is lent to us is the host's again when our pool gives it up. One of the host's connections is
  always left to it, and SQLite lends one.
- A statement that is cancelled on MySQL goes on until it ends: killing sessions is the host's business.
- A transaction that was opened with `databases` cannot be ours, too: statements in it are refused.
"""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import importlib
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import databases
from sqlalchemy.engine import Dialect

from orm.database.interfaces import Arguments, BeginOptions, Capabilities, Connection, Operation, Source, Table
from orm.database.url import DatabaseURL, Options
from orm.exceptions import ConnectionLost, Error, InterfaceError, NotSupportedError, TransactionError

T = TypeVar("T")

_DRIVERS: Mapping[tuple[str, str], str] = {
    ("postgresql", ""): "asyncpg",
    ("postgresql", "asyncpg"): "asyncpg",
    ("postgres", ""): "asyncpg",
    ("mysql", ""): "aiomysql",
    ("mysql", "aiomysql"): "aiomysql",
    ("mysql", "asyncmy"): "asyncmy",
    ("sqlite", ""): "aiosqlite",
    ("sqlite", "aiosqlite"): "aiosqlite",
}
"""The driver by the dialect and driver of the host's URL, as `databases` chooses it."""

_HOST_POOL_SIZE = 10
"""How many connections the pools of asyncpg, aiomysql and asyncmy have at most when they are not told."""


class BorrowedConnection(Connection):
    """A connection of the host's: one of ours around it, which is only used outside of the host's transactions."""

    __slots__ = ("_host", "_inner", "lender", "settings")

    def __init__(self, inner: Connection, host: databases.Database, lender: Any) -> None:
        """Wrap `inner`; `lender` is what the host handed out and takes back."""
        self._inner = inner
        self._host = host
        self.lender = lender
        self.settings = ""
        """SQL that brings the session's settings back, for MySQL."""
        super().__init__()

    @property
    def inner(self) -> Connection:
        """Our connection around the driver's."""
        return self._inner

    @property
    def busy(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """A statement was sent and its answer not read to the end."""
        return self._inner.busy

    @busy.setter
    def busy(self, value: bool) -> None:
        self._inner.busy = value

    @property
    def touched(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Session state may have been changed."""
        return self._inner.touched

    @touched.setter
    def touched(self, value: bool) -> None:
        self._inner.touched = value

    @property
    def raw(self) -> Any:
        """The driver's connection."""
        return self._inner.raw

    def closed(self) -> bool:
        """Whether it is known to be unusable."""
        return self._inner.closed()

    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._inner.in_transaction()

    def clean(self) -> bool:
        """Whether the next user may have it as it is."""
        return self._inner.clean()

    def abort(self) -> None:
        """Close at once."""
        self._inner.abort()

    def shut(self) -> None:
        """Close the socket of a connection whose event loop is gone."""
        self._inner.shut()

    async def close(self) -> None:
        """Close in good order."""
        await self._inner.close()

    # No coroutine functions: a statement is one coroutine, as without the wrapper.

    def fetch(self, sql: str, arguments: Arguments) -> Any:
        """Run a statement and give its rows."""
        self._check()
        return self._inner.fetch(sql, arguments)

    def run(self, sql: str, arguments: Arguments) -> Any:
        """Run a statement that writes."""
        self._check()
        return self._inner.run(sql, arguments)

    def run_many(self, sql: str, arguments: Sequence[Arguments]) -> Any:
        """Run a statement once for each set of arguments."""
        self._check()
        return self._inner.run_many(sql, arguments)

    def table(self, sql: str, arguments: Arguments) -> Any:
        """Run a statement and give the names of its columns beside the rows."""
        self._check()
        return self._inner.table(sql, arguments)

    def command(self, sql: str) -> Any:
        """Run a statement without parameters or result: also the end of a transaction, hence without a check."""
        return self._inner.command(sql)

    def stream(self, sql: str, arguments: Arguments, chunk_size: int) -> AsyncIterator[Table]:
        """Give the rows in pieces."""
        self._check()
        return self._inner.stream(sql, arguments, chunk_size)

    def limited(self, operation: Operation[Any], sql: str, arguments: Any, seconds: float) -> Any:
        """Run one operation, which is stopped when it takes longer."""
        self._check()
        return self._inner.limited(operation, sql, arguments, seconds)

    def begin(self, options: BeginOptions) -> Any:
        """Begin a transaction."""
        self._check()
        return self._inner.begin(options)

    def commit(self) -> Any:
        """Commit."""
        return self._inner.commit()

    def rollback(self) -> Any:
        """Roll back."""
        return self._inner.rollback()

    def interrupt(self) -> Any:
        """Stop the statement in flight, as far as the driver alone can."""
        return self._inner.interrupt()

    def reset(self) -> Any:
        """Undo changes of session state."""
        return self._inner.reset()

    def _check(self) -> None:
        """Refuse to run beside a transaction that the running task opened with `databases`: it would not be in it."""
        lent: Any = getattr(self._host, "_connection_map", {}).get(asyncio.current_task())
        if lent is not None and lent._transaction_stack:
            raise TransactionError(
                "This task is in a transaction that was opened with `databases`: the statement would run outside of "
                "it. Open the transaction with orm's database.transaction() instead, or end it first."
            )


class EncodeSource(Source):
    """A `databases.Database` that its owner has connected, and disconnects after us."""

    def __init__(self, database: databases.Database, options: Options) -> None:
        """Raises `NotSupportedError` when the host uses a driver that we have no connection class for."""
        url = database.url
        driver = _DRIVERS.get((url.dialect, url.driver))
        if driver is None:
            choices = ", ".join(sorted(set(_DRIVERS.values())))
            raise NotSupportedError(f"The databases.Database uses {url.driver or url.dialect}. Choose from: {choices}.")
        self._host = database
        self._options = options
        self._driver = driver
        self.capabilities, self.dialect = _engine(driver)

    @property
    def capacity(self) -> int | None:
        """One less than the host's pool may have at most, but at least one."""
        if self._driver == "aiosqlite":
            return 1
        host: Any = self._host
        words: dict[str, Any] = {**host.url.options, **host.options}
        size = int(words.get("max_size") or words.get("maxsize") or _HOST_POOL_SIZE)
        return max(1, size - 1)

    async def connect(self, *, read_only: bool = False) -> BorrowedConnection:
        """Borrow a connection from the host, in a task of its own: the host hands out one for each task.

        Raises:
            InterfaceError: the host is not connected.
            TransactionError: what it hands out is in a transaction, as with its `force_rollback`.
            ConnectionLost: it could not get a connection.
        """
        if read_only:
            raise NotSupportedError("A connection of a databases.Database cannot be made read-only.")
        if not self._host.is_connected:
            raise InterfaceError("The databases.Database is not connected. Connect it first, and disconnect it last.")
        return await _alone(self._borrow())

    async def _borrow(self) -> BorrowedConnection:
        lender: Any = self._host.connection()
        try:
            await lender.__aenter__()
        except Exception as error:
            raise ConnectionLost(f"The databases.Database gave no connection: {error}") from error
        try:
            inner = await self._wrap(lender.raw_connection)
            if inner.in_transaction():
                raise TransactionError(
                    "The databases.Database handed out a connection with an open transaction (force_rollback=True?). "
                    "Transactions that `databases` opens cannot be used; open them with orm's database.transaction()."
                )
            connection = BorrowedConnection(inner, self._host, lender)
            connection.settings = await self._prepare(inner)
        except BaseException:
            await lender.__aexit__(None, None, None)
            raise
        return connection

    async def release(self, connection: Connection) -> None:
        """Hand a connection back to the host, with the settings that it had; one in doubt is closed before."""
        if not isinstance(connection, BorrowedConnection):
            raise InterfaceError("This connection was not borrowed from the databases.Database.")
        await _alone(self._hand_back(connection))

    async def _hand_back(self, connection: BorrowedConnection) -> None:
        try:
            if self._driver == "aiosqlite":
                return  # the host closes it
            if connection.busy or connection.in_transaction():
                connection.abort()
            elif connection.settings and not connection.closed():
                await connection.command(connection.settings)
        except Error:
            connection.abort()
        finally:
            await connection.lender.__aexit__(None, None, None)

    async def _wrap(self, raw: Any) -> Connection:
        """Our connection around the driver's."""
        module = _module(self._driver)
        wrapped: Connection
        if self._driver == "asyncpg":
            wrapped = module.PostgreSQLConnection(raw)
            return wrapped
        if self._driver == "aiosqlite":
            connection = module.SQLiteConnection(raw, lock_timeout=self._options.timeout, setup=_SQLITE_SETUP)
            await connection.register()
            wrapped = connection
            return wrapped
        if raw._charset not in {"utf8", "utf8mb3", "utf8mb4"}:
            raise NotSupportedError(f"The databases.Database uses the charset {raw._charset!r}. Use charset='utf8mb4'.")
        wrapped = module.CONNECTIONS[self._driver](raw)
        return wrapped

    async def _prepare(self, inner: Connection) -> str:
        """Set a connection up as ours are; gives the SQL that undoes it, where the host's next user would notice."""
        if self._driver == "aiosqlite":
            await inner.reset()
            return ""
        if self._driver == "asyncpg":
            return ""  # nothing to set, and the host resets it
        (row,) = await inner.fetch("SELECT @@autocommit, @@time_zone, @@sql_mode, @@group_concat_max_len", ())
        connection: Any = inner
        await connection.prepare()
        dialect: Any = self.dialect
        dialect.learn(*_module(self._driver).parse_version(connection.server_version))
        self.capabilities = dataclasses.replace(self.capabilities, max_statement_bytes=connection.max_packet)
        return f"SET autocommit={row[0]}, time_zone='{row[1]}', sql_mode='{row[2]}', group_concat_max_len={row[3]}"


_SQLITE_SETUP = ("PRAGMA foreign_keys=on", "PRAGMA busy_timeout=20")


def _engine(driver: str) -> tuple[Capabilities, Dialect]:
    """What a driver's connections can do when they are the host's, and the dialect that they speak."""
    module = _module(driver)
    if driver == "asyncpg":
        return module.CAPABILITIES, module.PostgreSQLDialect()
    if driver == "aiosqlite":
        source = module.SQLiteSource(DatabaseURL("sqlite", driver, database=":memory:"), Options())
        return source.capabilities, source.dialect
    return dataclasses.replace(module.CAPABILITIES, interrupts=False), module.MySQLDialect(driver, native_bit=False)


def _module(driver: str) -> Any:
    """Our module for a driver; imported only when it is used, because it imports the driver."""
    names = {"asyncpg": "postgresql", "aiosqlite": "sqlite"}
    return importlib.import_module(f"orm.database.{names.get(driver, 'mysql')}")


async def _alone(work: Coroutine[Any, Any, T]) -> T:
    """Run something in a task with an empty context: what `databases` remembers for a task is then nobody else's."""
    return await asyncio.get_running_loop().create_task(work, context=contextvars.Context())
