"""One connection for as long as a block lasts, without a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from types import TracebackType
from typing import Any, TypeVar

from orm.database.executor import limited, table
from orm.database.interfaces import Connection, Operation, StatementInfo, Table, WriteRefused
from orm.database.pool import Pool
from orm.database.scopes import ENTERED, Scope, Scopes
from orm.database.streams import pieces_of, read_pieces
from orm.database.timeouts import Seconds, checked
from orm.exceptions import InterfaceError, TransactionError

T = TypeVar("T")


class Session(Scope):
    """A connection of the block's own: `async with database.connection() as connection`.

    Everything that the task does on the database inside uses this connection; other tasks use the pool.
    """

    def __init__(self, scopes: Scopes, *, fresh: bool) -> None:
        super().__init__(scopes)
        self._fresh = fresh
        self._connection: Connection | None = None
        self._pool: Pool | None = None
        self._lent_by: Scope | None = None
        self._cannot_write = False

    async def __aenter__(self) -> Session:
        if self._pool is not None or self.ended:
            raise InterfaceError("A connection block is entered once. Call connection() again.")
        current = self._scopes.current()
        if current is not None and (not self._fresh or current is self._scopes.base):
            self._lent_by = current
            self._pool = current.pool
            self._connection = current.connection
            return self
        pool = self._choose()
        self._connection = await pool.acquire()
        self._pool = pool
        pool.hold(self._connection, "the connection block")
        self.parent = current
        self._owner = asyncio.current_task()
        self._scopes.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ended = True
        connection, pool = self._connection, self._pool
        self._connection = None
        if self._lent_by is None and connection is not None and pool is not None:
            self._scopes.leave(self)
            pool.release(connection)

    def _choose(self) -> Pool:
        """The writers' pool; or a reader's where waiting for the writer would be waiting for ourselves."""
        writers = self._scopes.pools.choose(True)
        if writers.size > 1 or not self._is_held_above(writers):
            return writers
        readers = self._scopes.pools.choose(False)
        if readers is writers:
            raise TransactionError(
                "The only connection is held by a block around this one: a fresh one would be waited for in vain. "
                "Leave the block first, or raise max_size."
            )
        self._cannot_write = True
        return readers

    def _is_held_above(self, pool: Pool) -> bool:
        """Whether a block that this code is in, or was started from, has a connection of the pool."""
        entered = ENTERED.get()
        scope = None if entered is None else entered.get(self._scopes)
        while scope is not None:
            if not scope.ended and scope.pool is pool:
                return True
            scope = scope.parent
        return False

    @property
    def connection(self) -> Connection:
        """The connection it has. Raises `InterfaceError` when the block is over, or a statement was cut off."""
        if self._connection is None:
            raise InterfaceError("The connection block is not open. Use it inside `async with database.connection()`.")
        if self._lent_by is None and self._connection.busy:
            raise InterfaceError("A statement on this connection was cut off, or is under way. Open another one.")
        return self._connection

    @property
    def pool(self) -> Pool:
        """Where its connection comes from."""
        if self._pool is None:
            raise InterfaceError("The connection block is not open. Use it inside `async with database.connection()`.")
        return self._pool

    @property
    def lender(self) -> Scope | None:
        """The scope whose connection this is, or `None` for one of its own."""
        return self._lent_by

    def is_behind(self) -> bool:
        """Whether it has ended, or is another task's."""
        return self.ended or not self.belongs_to_me()

    async def perform(
        self, operation: Operation[T], sql: str, arguments: Any, write: bool, info: StatementInfo | None
    ) -> T:
        """Run a statement on this connection, inside whatever transaction is open on it."""
        inner = self._inner()
        if inner is not None:
            return await inner.perform(operation, sql, arguments, write, info)
        connection = self.connection_for(write=write)
        watch = self._scopes.watch
        try:
            if watch is None:
                return await operation(connection, sql, arguments)
            return await watch.perform(operation, connection, sql, arguments, info)
        except WriteRefused:
            if self._cannot_write:
                raise self._refusal() from None
            raise

    async def tables(
        self, sql: str, arguments: Any, chunk_size: int, write: bool, info: StatementInfo | None, timeout: Seconds
    ) -> AsyncGenerator[Table]:
        """Read a result in pieces from this connection."""
        inner = self._inner()
        if inner is not None:
            pieces = inner.tables(sql, arguments, chunk_size, write, info, timeout)
        elif self._scopes.pools.source.capabilities.interleaving:
            connection = self.connection_for(write=write)
            pieces = read_pieces(connection, sql, arguments, chunk_size, self._scopes.watch, info, checked(timeout))
        else:
            pieces = pieces_of(await self.perform(limited(table, timeout), sql, arguments, write, info), chunk_size)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    def _inner(self) -> Scope | None:
        """The scope that lends the connection, or the innermost transaction that was begun on it."""
        if self._lent_by is not None:
            return self._lent_by
        current = self._scopes.current()
        if current is not self and current is not None and self._connection is not None:
            while current.parent is not None and current.parent is not self:
                current = current.parent
            if current.parent is self:
                return self._scopes.current()
        return None

    def connection_for(self, *, write: bool) -> Connection:
        """The connection, for the task that owns it and for what it can do. Raises as the errors say."""
        connection = self.connection
        if not self.belongs_to_me():
            raise InterfaceError("This connection belongs to another task. Use database.connection() in each task.")
        if write and self._cannot_write:
            raise self._refusal()
        return connection

    def _refusal(self) -> TransactionError:
        return TransactionError(
            "The writer is held by a block around this connection: a write would wait for it in vain. "
            "Write inside the block, or after it."
        )
