"""SQLite through aiosqlite: one connection that writes and, in WAL mode, others that read beside it.

Each statement is one call on the connection's worker thread: what aiosqlite's own methods do in three calls (execute,
fetchall, close), and without the row count, is done in one. For that the calls go straight into aiosqlite's queue. A
thread of our own would be a few microseconds faster, but then `raw_connection` would not be the aiosqlite connection
that people know, and the connections of the `databases` package, which are aiosqlite's, would need a second class.
`tests/database/test_sqlite.py` holds what we count on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import quote, urlencode

import aiosqlite

from orm.database.dialects import sqlite_dialect
from orm.database.interfaces import (
    Arguments,
    BeginOptions,
    Capabilities,
    Connection,
    Operation,
    Outcome,
    Row,
    Source,
    Table,
    WriteRefused,
)
from orm.database.sqlite_aggregates import add_aggregates
from orm.database.sqlite_errors import is_busy, translate
from orm.database.sqlite_functions import FUNCTIONS
from orm.database.timeouts import SPARE_SECONDS, bounded, too_long
from orm.database.url import DatabaseURL, Options
from orm.exceptions import ConnectionLost, InterfaceError, LockTimeout, NotSupportedError, OperationalError

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SLICE_MILLISECONDS = 20
"""How long the worker thread itself waits for another process's lock, before it waits in asyncio instead."""

_INTERRUPT_INTERVAL = 0.002
_STEPS = 100_000
"""After how many steps of SQLite's virtual machine the time is looked at: about a millisecond."""
_ROLLBACKS = 100
"""How often ROLLBACK is tried: the interrupts that have stopped a statement may reach it, too."""


class SQLiteConnection(Connection):
    """One connection and the thread it lives in."""

    __slots__ = (
        "_closed",
        "_database",
        "_limit",
        "_lock_timeout",
        "_only_reads_now",
        "_queue",
        "_raw",
        "_read_only",
        "_setup",
        "_stopping",
    )

    def __init__(
        self, raw: aiosqlite.Connection, *, lock_timeout: float, setup: Sequence[str] = (), read_only: bool = False
    ) -> None:
        """Wrap an open connection.

        Args:
            raw: aiosqlite's connection, in autocommit mode (`isolation_level=None`).
            lock_timeout: how long to wait for another connection's lock, in seconds.
            setup: the statements that bring its settings back.
            read_only: it is a reader (`query_only`) by its setup.
        """
        super().__init__()
        self._raw = raw
        self._queue: Any = raw._tx  # pyright: ignore[reportPrivateUsage, reportUnknownMemberType]
        self._database: sqlite3.Connection = raw._conn  # pyright: ignore[reportPrivateUsage]
        self._lock_timeout = lock_timeout
        self._setup = tuple(setup)
        self._closed = False
        self._stopping = False
        self._read_only = read_only
        self._only_reads_now = False
        self._limit: float | None = None
        """How many seconds the thread may spend on what it is given now."""

    @property
    def raw(self) -> aiosqlite.Connection:
        """The `aiosqlite.Connection`."""
        return self._raw

    def closed(self) -> bool:
        """Whether we closed it: a file does not go away by itself."""
        return self._closed

    def in_transaction(self) -> bool:
        """Whether SQLite says that a transaction is open."""
        return not self._closed and self._database.in_transaction

    def abort(self) -> None:
        """Stop what runs and close, without waiting for it."""
        if not self._closed:
            self._closed = True
            self._stopping = True
            with contextlib.suppress(sqlite3.Error):
                self._database.interrupt()
            # Called in the thread, where there is no event loop: here it would make a future that nobody awaits, and
            # the thread would fail if the loop were closed before it answers.
            self._queue.put_nowait((None, cast("Any", self._raw).stop))

    async def close(self) -> None:
        """Close, and wait for it: the last one writes the log back into the file."""
        if not self._closed:
            self._closed = True
            await self._raw.close()

    def fetch(self, sql: str, arguments: Arguments) -> Any:
        """Run a statement and give its rows."""
        return self._execute(_fetch, sql, arguments)

    def run(self, sql: str, arguments: Arguments) -> Any:
        """Run a statement that writes; gives rows, count and the last rowid in one call."""
        return self._execute(_run, sql, arguments)

    def run_many(self, sql: str, arguments: Sequence[Arguments]) -> Any:
        """Run a statement once for each set of arguments, in one call and all or none."""
        return self._execute(_run_many, sql, arguments)

    def table(self, sql: str, arguments: Arguments) -> Any:
        """Run a statement and give the names of its columns beside the rows."""
        return self._execute(_table, sql, arguments)

    async def command(self, sql: str) -> str:
        """Run a statement without parameters or result."""
        await self._execute(_fetch, sql, ())
        return ""

    async def stream(self, sql: str, arguments: Arguments, chunk_size: int) -> AsyncIterator[Table]:
        """Give the rows in pieces while the statement stays open."""
        cursor, names, rows = await self._execute(partial(_open, chunk_size), sql, arguments)
        try:
            while rows:
                yield Table(names, rows)
                if len(rows) < chunk_size:
                    break
                rows = await self._execute(partial(_next, cursor), sql, chunk_size)
        finally:
            # Not waited for: the queue is in order, so the cursor is closed before whatever comes next.
            self._queue.put_nowait((None, cursor.close))

    async def limited(self, operation: Operation[T], sql: str, arguments: Any, seconds: float) -> T:
        """Run one operation, which is stopped when it takes longer. Raises `QueryTimeout`.

        Inside a transaction SQLite itself stops it: the transaction outlives a read, but not a write, which SQLite
        answers by rolling everything back (https://sqlite.org/c3ref/interrupt.html).
        """
        if not self.in_transaction():
            return await super().limited(operation, sql, arguments, seconds)
        self._limit = seconds
        try:
            return await bounded(operation(self, sql, arguments), seconds + SPARE_SECONDS)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise too_long(seconds) from error
            raise
        finally:
            self._limit = None

    async def begin(self, options: BeginOptions) -> None:
        """Begin: at once as the writer (IMMEDIATE), or as a reader. Raises `NotSupportedError` for other levels."""
        if options.isolation is not None and options.isolation.upper() != "SERIALIZABLE":
            raise NotSupportedError(f"SQLite has no isolation level {options.isolation!r}. Choose from: SERIALIZABLE.")
        if options.deferrable:
            raise NotSupportedError("SQLite has no deferrable transactions. Leave deferrable away.")
        if options.read_only and not self._read_only:
            self._only_reads_now = True
            await self.command("PRAGMA query_only=on")
        await self.command("BEGIN DEFERRED" if options.read_only else "BEGIN IMMEDIATE")

    async def commit(self) -> None:
        """Commit; the log is synced when it returns."""
        await self.command("COMMIT")
        await self._allow_writing()

    async def rollback(self) -> None:
        """Roll back."""
        await self.command("ROLLBACK")
        await self._allow_writing()

    async def _allow_writing(self) -> None:
        """Undo what a read-only transaction set."""
        if self._only_reads_now:
            await self.command("PRAGMA query_only=off")
            self._only_reads_now = False

    async def interrupt(self) -> bool:
        """Stop the statement in flight and roll back: the thread's queue is in step again, whatever happened."""
        self._stopping = True  # what has not begun will not
        reached = asyncio.ensure_future(self._call(self._roll_back))
        while not reached.done():
            # Repeated, because an interrupt that comes before the statement's first step is lost.
            self._database.interrupt()
            await asyncio.wait({reached}, timeout=_INTERRUPT_INTERVAL)
        reached.result()
        self.busy = False
        await self._allow_writing()
        return True

    def _roll_back(self) -> None:
        self._stopping = False
        for _ in range(_ROLLBACKS):
            if not self._database.in_transaction:
                break
            with contextlib.suppress(sqlite3.OperationalError):
                self._database.execute("ROLLBACK")

    async def register(self) -> None:
        """Give the connection our functions and aggregates, all in one call."""

        def create() -> None:
            for name, function in FUNCTIONS.items():
                self._database.create_function(
                    name, cast("FunctionType", function).__code__.co_argcount, function, deterministic=True
                )
            add_aggregates(self._database)

        await self._call(create)

    async def reset(self) -> bool:
        """Bring the settings back that the connection was opened with."""
        for statement in self._setup:
            await self.command(statement)
        self.touched = False
        return True

    async def _execute(self, work: Callable[[sqlite3.Connection, str, Any], T], sql: str, arguments: Any) -> T:
        """Run a statement's work on the thread; `busy` stays set when that is not waited for to the end."""
        self.busy = True
        try:
            result = await self._call(self._unless_stopping, work, sql, arguments)
        except sqlite3.Error as error:
            if is_busy(error) and self._may_wait(sql):
                result = await self._wait_for_lock(error, work, sql, arguments)
            else:
                self.busy = False
                raise translate(error) from error
        except (OverflowError, ValueError, sqlite3.Warning) as error:
            self.busy = False
            raise translate(error) from error
        self.busy = False
        return result  # ty: ignore[invalid-explicit-return]  # it mixes up the `T`s of two methods

    def _call(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> asyncio.Future[T]:
        """Put a call into the thread's queue."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait((future, partial(function, *arguments, **keywords)))
        return future

    def _unless_stopping(self, work: Callable[[sqlite3.Connection, str, Any], T], sql: str, arguments: Any) -> T:
        if self._stopping:
            raise sqlite3.OperationalError("interrupted")
        if self._limit is not None:
            return self._within(self._limit, work, sql, arguments)
        return work(self._database, sql, arguments)

    def _within(self, seconds: float, work: Callable[[sqlite3.Connection, str, Any], T], sql: str, arguments: Any) -> T:
        """Stop this statement when its time is over; an interrupt would stop open streams of the block, too."""
        end = time.monotonic() + seconds
        self._database.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            return work(self._database, sql, arguments)
        finally:
            self._database.set_progress_handler(None, 0)

    def _may_wait(self, sql: str) -> bool:
        """Whether another process's lock can go away while we wait: in a transaction only COMMIT is worth trying."""
        return not self._database.in_transaction or sql == "COMMIT"

    async def _wait_for_lock(
        self, error: sqlite3.Error, work: Callable[[sqlite3.Connection, str, Any], T], sql: str, arguments: Any
    ) -> T:
        """Try again in short slices: asyncio waits, where a cancellation can reach us, and not the thread."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._lock_timeout
        while loop.time() < end:
            await asyncio.sleep(random.uniform(0.001, 0.01))
            try:
                call = self._call(self._unless_stopping, work, sql, arguments)
                return await call  # ty: ignore[invalid-explicit-return]  # as in `_execute`
            except sqlite3.Error as again:
                error = again
                if not is_busy(again):
                    break
        self.busy = False
        if is_busy(error):
            raise LockTimeout(
                f"The database is locked by another connection, and was not free within {self._lock_timeout:g} s."
            ) from error
        raise translate(error) from error


def _fetch(database: sqlite3.Connection, sql: str, arguments: Any) -> list[Row]:
    return database.execute(sql, arguments).fetchall()


def _run(database: sqlite3.Connection, sql: str, arguments: Any) -> Outcome:
    cursor = database.execute(sql, arguments)
    rows = cursor.fetchall()  # before the count, which RETURNING completes only at its end
    return Outcome(rows, max(cursor.rowcount, 0), cursor.lastrowid)


def _run_many(database: sqlite3.Connection, sql: str, arguments: Any) -> int:
    # In a transaction of its own unless there is one: then a savepoint, so that it is all or nothing there, too.
    nested = database.in_transaction
    database.execute("SAVEPOINT orm_run_many" if nested else "BEGIN IMMEDIATE")
    try:
        count = database.executemany(sql, arguments).rowcount
        database.execute("RELEASE orm_run_many" if nested else "COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK TO orm_run_many" if nested else "ROLLBACK")
            if nested:
                database.execute("RELEASE orm_run_many")
        raise
    return max(count, 0)


def _table(database: sqlite3.Connection, sql: str, arguments: Any) -> Table:
    cursor = database.execute(sql, arguments)
    return Table(_names(cursor), cursor.fetchall())


def _open(
    chunk_size: int, database: sqlite3.Connection, sql: str, arguments: Any
) -> tuple[sqlite3.Cursor, tuple[str, ...], list[Row]]:
    cursor = database.execute(sql, arguments)
    return cursor, _names(cursor), cursor.fetchmany(chunk_size)


def _next(cursor: sqlite3.Cursor, database: sqlite3.Connection, sql: str, chunk_size: int) -> list[Row]:
    return cursor.fetchmany(chunk_size)


def _names(cursor: sqlite3.Cursor) -> tuple[str, ...]:
    return tuple([column[0] for column in cursor.description or ()])


class SQLiteSource(Source):
    """An SQLite file, or a database in memory that lives as long as its one connection."""

    def __init__(self, url: DatabaseURL, options: Options) -> None:
        """Raises `InterfaceError` when aiosqlite is older than what we count on in it."""
        if not hasattr(aiosqlite.Connection, "stop"):
            raise InterfaceError('aiosqlite is too old. Install at least 0.22.1 with: pip install -U "aorm[sqlite]"')
        self._options = options
        self._is_memory = url.is_memory
        self._path, self._is_uri = _location(url)
        self._journal_mode = str(options.pragmas.get("journal_mode", "wal")).lower()
        self.reads_apart = not url.is_memory and self._journal_mode == "wal"
        self.dialect = sqlite_dialect()
        self.capabilities = _capabilities()

    @property
    def capacity(self) -> int | None:
        """No limit of its own: how many connections are of use, the pools know."""
        return None

    async def connect(self, *, read_only: bool = False) -> SQLiteConnection:
        """Open the database; the writer sets WAL mode and so finds out whether readers can be apart.

        Raises:
            ConnectionLost: the file cannot be opened.
        """
        raw = aiosqlite.connect(
            self._path,
            isolation_level=None,
            uri=self._is_uri,
            timeout=BUSY_SLICE_MILLISECONDS / 1000,
            cached_statements=self._options.statement_cache,
        )
        raw._thread.daemon = True  # pyright: ignore[reportPrivateUsage]  # a forgotten connection stops no exit
        try:
            await raw
        except BaseException as error:
            # aiosqlite has told the thread to end, and answers that with a future: see that it does so before the
            # loop is closed. Opening a file waits for nothing, so this takes no time.
            raw._thread.join(1)  # pyright: ignore[reportPrivateUsage]
            if isinstance(error, sqlite3.Error):
                raise ConnectionLost(f"Cannot open the SQLite database {self._path!r}: {error}.") from error
            raise
        connection = SQLiteConnection(
            raw, lock_timeout=self._options.timeout, setup=self._setup(read_only), read_only=read_only
        )
        try:
            await self._prepare(connection, read_only)
        except BaseException:
            connection.abort()
            raise
        return connection

    def _setup(self, read_only: bool) -> list[str]:
        pragmas = {"foreign_keys": "on", "busy_timeout": BUSY_SLICE_MILLISECONDS, **self._options.pragmas}
        pragmas.pop("journal_mode", None)  # the file's, not the connection's
        if read_only:
            pragmas["query_only"] = "on"
        return [f"PRAGMA {name}={value}" for name, value in pragmas.items()]

    async def _prepare(self, connection: SQLiteConnection, read_only: bool) -> None:
        await connection.register()
        if not read_only and not self._is_memory:
            await self._set_journal_mode(connection)
        await connection.reset()

    async def _set_journal_mode(self, connection: SQLiteConnection) -> None:
        try:
            rows = await connection.fetch(f"PRAGMA journal_mode={self._journal_mode}", ())
        except (OperationalError, WriteRefused):  # a read-only file or file system, or one without shared memory
            rows = await connection.fetch("PRAGMA journal_mode", ())
        self.reads_apart = str(rows[0][0]).lower() == "wal"


def _location(url: DatabaseURL) -> tuple[str, bool]:
    """What to open, and whether it is a URI; absolute, because the working directory may change."""
    if url.is_memory:
        return ":memory:", False
    path = os.path.abspath(url.database or "")  # noqa: PTH100  # Path.resolve() would follow links
    if url.parameters:
        return f"file:{quote(path)}?{urlencode(dict(url.parameters))}", True
    return path, False


def _capabilities() -> Capabilities:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        max_parameters = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
        max_statement_bytes = connection.getlimit(sqlite3.SQLITE_LIMIT_SQL_LENGTH)
    return Capabilities(
        returning=sqlite3.sqlite_version_info >= (3, 35),
        arrays=False,
        isolation_levels=frozenset({"SERIALIZABLE"}),
        read_only=True,
        deferrable=False,
        row_locks=False,
        server_cursors=True,
        interrupts=True,
        transactional_ddl=True,
        max_parameters=max_parameters,
        max_statement_bytes=max_statement_bytes,
    )
