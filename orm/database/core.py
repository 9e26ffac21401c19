"""`Database`: what people hold in their hands."""

from __future__ import annotations

import importlib
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, Unpack
from weakref import WeakSet

from sqlalchemy.engine import Dialect

from orm.database.executor import Executor, limited, table
from orm.database.hooks import Hook, run_at_once
from orm.database.interfaces import Capabilities, Explainer, Operation, Source, StatementInfo, Table, WriteRefused
from orm.database.observers import Observer, Watch
from orm.database.pool import PoolStatus
from orm.database.pools import Pools
from orm.database.rollback import EnclosingTransaction
from orm.database.scopes import ENTERED, Scope, Scopes
from orm.database.sessions import Session
from orm.database.statements import Statements
from orm.database.streams import pieces_of, read_pieces
from orm.database.timeouts import Seconds, checked
from orm.database.transaction_options import TransactionOptions
from orm.database.transactions import Transaction
from orm.database.url import DatabaseURL, Options, OptionValues, parse, parse_host
from orm.exceptions import InterfaceError, TransactionError

if TYPE_CHECKING:
    import databases

T = TypeVar("T")

SOURCES = {
    "sqlite": ("orm.database.sqlite", "SQLiteSource"),
    "postgresql": ("orm.database.postgresql", "PostgreSQLSource"),
    "mysql": ("orm.database.mysql", "MySQLSource"),
}
"""The module and class that serve an engine; imported only when it is used, because they import the driver."""


class Database(Executor):
    """A database: its connections, its transactions, and every way to run a statement.

    Args:
        url: where it is, as in `postgresql://user:password@host/name`, `mysql://…` or `sqlite:///file.db`; or a
            `databases.Database` that is connected and lends us its connections.
        observers: who sees every statement and transaction.
        options: how it is used; `Options` has them all. They can stand in the URL's query, too.

    Raises:
        InterfaceError: the URL or an option is wrong, or the driver is not installed.
    """

    def __init__(
        self, url: str | databases.Database, *, observers: Sequence[Observer] = (), **options: Unpack[OptionValues]
    ) -> None:
        if isinstance(url, str):
            self._url, self._options = parse(url, options)
            self._source = _load(*SOURCES[self._url.engine])(self._url, self._options)
        elif hasattr(url, "url") and hasattr(url, "connection"):
            self._url, self._options = parse_host(url.url, options)
            self._source = _load("orm.database.encode", "EncodeSource")(url, self._options)
        else:
            raise InterfaceError(f"A Database is made from a URL or a databases.Database, not {type(url).__name__!r}.")
        self._statements = Statements(self._source.dialect, pgbouncer=self._options.pgbouncer)
        self._pools = Pools(self._source, self._options, in_memory=self._url.is_memory)
        self._scopes = Scopes(self._pools, self._statements, Watch(observers, self._options.query_timeout))
        self._watch = self._scopes.watch

    def __repr__(self) -> str:
        status = self.pool_status
        return (
            f"<Database {self._url} of {status.size} connections: {status.in_use} in use, {status.idle} idle, "
            f"{status.connecting} connecting, {status.waiting} waiting>"
        )

    @property
    def url(self) -> DatabaseURL:
        """Where it is; its repr shows no password."""
        return self._url

    @property
    def options(self) -> Options:
        """How it is used."""
        return self._options

    @property
    def dialect(self) -> Dialect:
        """SQLAlchemy's dialect, with which statements for `fetch` and `run` are compiled."""
        return self._source.dialect

    @property
    def capabilities(self) -> Capabilities:
        """What the engine and its driver can do."""
        return self._source.capabilities

    @property
    def explainers(self) -> WeakSet[Explainer]:
        """Who is asked about constraints that are checked at a COMMIT; registries add themselves."""
        return self._scopes.explainers

    @property
    def pool_status(self) -> PoolStatus:
        """How many connections there are, and what they are doing."""
        return self._pools.status

    # Connecting

    @property
    def is_connected(self) -> bool:
        """Whether it was connected and not disconnected since."""
        return self._pools.is_open

    async def connect(self) -> None:
        """Make the first connection; nothing happens when it is connected already.

        Raises:
            ConnectionLost: the server cannot be reached or refuses us.
        """
        if self._pools.is_open:
            return
        await self._pools.open()
        if self._options.force_rollback:
            try:
                self._scopes.base = await EnclosingTransaction.begin(self._scopes)
            except BaseException:
                await self._pools.close()
                raise

    async def disconnect(self) -> None:
        """Close all connections; statements of other tasks have a second to end.

        Raises:
            TransactionError: this task is inside a transaction or connection of the database.
        """
        scope = self._scopes.current()
        base = self._scopes.base
        if scope is not None and scope is not base:
            raise TransactionError("The database cannot be disconnected inside one of its blocks. Leave it first.")
        if isinstance(base, EnclosingTransaction):
            self._scopes.base = None
            await base.end()
        await self._pools.close()

    async def __aenter__(self) -> Database:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.disconnect()

    # Statements

    async def perform(
        self, operation: Operation[T], sql: str, arguments: Any, write: bool, info: StatementInfo | None
    ) -> T:
        """Run a statement: in the scope that this task is in, or on a connection from the pool."""
        scopes = self._scopes
        if ENTERED.get() is not None or scopes.base is not None:
            scope = scopes.current()
            if scope is not None:
                return await scope.perform(operation, sql, arguments, write, info)
        pool = self._pools.choose(write)
        connection = pool.acquire_nowait()
        if connection is None:
            connection = await pool.acquire()
        try:
            if self._watch is None:
                return await operation(connection, sql, arguments)
            return await self._watch.perform(operation, connection, sql, arguments, info)
        except WriteRefused:
            # A query that writes after all (WITH … INSERT): the reader refused it before it did anything.
            if pool is self._pools.choose(True):
                raise
        finally:
            pool.release(connection)
        return await self.perform(operation, sql, arguments, True, info)

    async def tables(
        self, sql: str, arguments: Any, chunk_size: int, write: bool, info: StatementInfo | None, timeout: Seconds
    ) -> AsyncGenerator[Table]:
        """Read a result in pieces. It keeps a connection, or reads the result whole where none can be spared."""
        if chunk_size < 1:
            raise InterfaceError(f"chunk_size must be at least 1, not {chunk_size!r}.")
        scope = self._scopes.current()
        pool = self._pools.choose(write)
        if scope is not None:
            pieces = scope.tables(sql, arguments, chunk_size, write, info, timeout)
        elif not self.capabilities.server_cursors or pool.streams >= pool.size - 1:
            pieces = pieces_of(await self.perform(limited(table, timeout), sql, arguments, write, info), chunk_size)
        else:
            pieces = self._own_tables(sql, arguments, chunk_size, write, info, checked(timeout))
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def _own_tables(
        self, sql: str, arguments: Any, chunk_size: int, write: bool, info: StatementInfo | None, timeout: Seconds
    ) -> AsyncGenerator[Table]:
        pool = self._pools.choose(write)
        pool.streams += 1
        try:
            connection = pool.acquire_nowait() or await pool.acquire()
            try:
                pool.hold(connection, "an iteration")
                read = read_pieces(connection, sql, arguments, chunk_size, self._watch, info, timeout)
                async with aclosing(read) as pieces:
                    async for piece in pieces:
                        yield piece
                return
            except WriteRefused:
                if pool is self._pools.choose(True):
                    raise
            finally:
                pool.release(connection)
        finally:
            pool.streams -= 1
        async with aclosing(self.tables(sql, arguments, chunk_size, True, info, timeout)) as pieces:
            async for piece in pieces:
                yield piece

    # Connections and transactions

    def connection(self, *, fresh: bool = False) -> Session:
        """A block with one connection: what this task does inside on the database happens on it.

        Inside a transaction it is the transaction's, unless `fresh` asks for another one, outside of it.
        """
        return Session(self._scopes, fresh=fresh)

    def transaction(
        self,
        *,
        isolation: str | None = None,
        read_only: bool = False,
        deferrable: bool = False,
        durable: bool = False,
        shared: bool = False,
        retries: int = 0,
        timeout: float | None = None,
        force_rollback: bool = False,
    ) -> Transaction:
        """A transaction, as a block or a decorator; inside another one, a savepoint.

        Args:
            isolation: the isolation level, as in `"SERIALIZABLE"`; otherwise the server's default.
            read_only: nothing may be written.
            deferrable: on PostgreSQL, wait until it can run without the risk of a serialization failure.
            durable: refuse to be nested, so that leaving the block means that it is committed.
            shared: let tasks started inside join; their statements run one after the other.
            retries: as a decorator, how often to run the function again after a serialization failure, a deadlock
                or a busy database.
            timeout: roll back and raise `QueryTimeout` when the block takes longer, in seconds.
            force_rollback: roll back at the end, whatever happens.

        Raises:
            NotSupportedError: the database cannot do what is asked.
        """
        options = TransactionOptions(
            isolation, read_only, deferrable, durable, shared, retries, timeout, force_rollback
        )
        return Transaction(self._scopes, options.checked(self.capabilities, self.dialect.name))

    def in_transaction(self) -> bool:
        """Whether a statement of this task would run inside a transaction block."""
        scope: Scope | None = self._scopes.current()
        while isinstance(scope, Session):
            scope = scope.lender
        return isinstance(scope, Transaction) and scope is not self._scopes.base and scope.lets_me_in()

    def on_commit(self, hook: Hook) -> None:
        """Call a function, or await an async one, when the transaction that this task is in has been committed.

        Outside of a transaction it is called at once; an async one then runs in a task of the database's, and what it
        raises is logged.
        """
        scope = self._scopes.current()
        while isinstance(scope, Session):
            scope = scope.lender
        if isinstance(scope, Transaction) and scope is not self._scopes.base:
            scope.on_commit(hook)
            return
        run_at_once(hook)


def _load(module: str, name: str) -> Callable[..., Source]:
    source: Callable[..., Source] = getattr(importlib.import_module(module), name)
    return source
