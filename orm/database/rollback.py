"""The transaction around everything, for a database with `force_rollback`: what tests do is undone at the end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from orm.database.executor import limited, table
from orm.database.interfaces import Operation, StatementInfo, Table
from orm.database.scopes import Scopes
from orm.database.streams import pieces_of
from orm.database.timeouts import Seconds
from orm.database.transaction_options import TransactionOptions
from orm.database.transactions import Transaction

T = TypeVar("T")


class EnclosingTransaction(Transaction):
    """Shared by all tasks, never left by them, and rolled back when the database is disconnected.

    A statement outside of all blocks would be a transaction of its own, so here it is a savepoint of its own: its
    error undoes nothing else.
    """

    @classmethod
    async def begin(cls, scopes: Scopes) -> EnclosingTransaction:
        """Begin it."""
        transaction = cls(scopes, TransactionOptions(shared=True, force_rollback=True))
        await transaction._begin()
        return transaction

    async def end(self) -> None:
        """Roll it back."""
        await self._leave_outermost(None)

    def perform(
        self, operation: Operation[T], sql: str, arguments: Any, write: bool, info: StatementInfo | None
    ) -> Coroutine[Any, Any, T]:
        """Run a statement in a savepoint of its own."""
        return self._perform_apart(operation, sql, arguments, write, info)

    async def _perform_apart(
        self, operation: Operation[T], sql: str, arguments: Any, write: bool, info: StatementInfo | None
    ) -> T:
        async with Transaction(self._scopes, TransactionOptions()) as savepoint:
            return await savepoint.perform(operation, sql, arguments, write, info)

    async def tables(
        self, sql: str, arguments: Any, chunk_size: int, write: bool, info: StatementInfo | None, timeout: Seconds
    ) -> AsyncGenerator[Table]:
        """Read a result whole: an open one would keep the connection from all other tasks."""
        whole = await self.perform(limited(table, timeout), sql, arguments, write, info)
        async with aclosing(pieces_of(whole, chunk_size)) as pieces:
            async for piece in pieces:
                yield piece
