"""Transactions and savepoints, as blocks and as decorators."""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from orm.database.commands import bounded, command
from orm.database.deadline import Deadline
from orm.database.executor import limited, table
from orm.database.hooks import Hook, run_hooks
from orm.database.interfaces import Connection, Operation, StatementInfo, Table
from orm.database.observers import Watch
from orm.database.pool import CLEANING_SECONDS, Pool
from orm.database.retries import retried
from orm.database.scopes import Scope, Scopes
from orm.database.sessions import Session
from orm.database.streams import OpenStreams, closing_of, next_of, pieces_of, read_pieces
from orm.database.timeouts import Seconds
from orm.database.transaction_options import TransactionOptions
from orm.exceptions import (
    CommitUnknown,
    ConnectionLost,
    DatabaseError,
    IntegrityError,
    PoolTimeout,
    TransactionError,
)

logger = logging.getLogger("orm.database")

P = ParamSpec("P")
T = TypeVar("T")


class Transaction(Scope):
    """A block that is done as a whole or not at all; inside another block, a savepoint.

    `async with database.transaction():` or `@database.transaction()` above an async function. It belongs to the task
    that entered it. A database error inside marks it (or the nested block it happened in) for rollback: later
    statements raise `TransactionError`, and so does leaving it without an exception.
    """

    def __init__(self, scopes: Scopes, options: TransactionOptions) -> None:
        super().__init__(scopes)
        self.options = options
        self.depth = 0
        self.broken: BaseException | None = None
        """What has broken the block: it can only be rolled back."""
        self.ended = True
        self._root: Transaction = self
        self._connection: Connection | None = None
        self._pool: Pool | None = None
        self._child: Transaction | None = None
        self._hooks: list[Hook] = []
        self._to_undo: str | None = None
        """The savepoint of a nested block that failed: rolled back to before the next statement."""
        self._turn: asyncio.Lock | None = asyncio.Lock() if options.shared else None
        self._users: weakref.WeakSet[asyncio.Task[Any]] | None = weakref.WeakSet() if options.shared else None
        """The tasks that took part in a shared block."""
        self._streams = OpenStreams()
        self._deadline = Deadline(options.timeout)

    def __call__(self, function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        """Run an async function in a transaction of this kind, as often as `retries` allows."""
        scopes, options = self._scopes, replace(self.options, retries=0)

        def is_nested() -> bool:
            current = scopes.current()
            return isinstance(current, Transaction) and current is not scopes.base

        return retried(function, lambda: Transaction(scopes, options), self.options.retries, is_nested)

    # Entering

    async def __aenter__(self) -> Transaction:
        options = self.options
        if options.retries:
            raise TransactionError("A block cannot be run twice: `retries` needs the decorator, @database.transaction.")
        if self._connection is not None or self._owner is not None:
            raise TransactionError("A transaction block is entered once. Call transaction() again.")
        await self._deadline.arm()
        try:
            await self._begin()
        except BaseException as error:
            late = await self._deadline.disarm(error)
            if late is not None:
                raise late from None
            raise
        self._owner = asyncio.current_task()
        self._scopes.enter(self)
        return self

    async def _begin(self) -> None:
        current = self._scopes.current()
        if isinstance(current, Transaction):
            await self._begin_inside(current)
        else:
            await self._begin_on(current if isinstance(current, Session) else None)
        self.ended = False

    async def _begin_on(self, session: Session | None) -> None:
        """Begin a real transaction, on a session's connection or one from the pool."""
        self.parent = session
        pool = self._scopes.pools.choose(not self.options.read_only) if session is None else session.pool
        if session is None:
            connection = pool.acquire_nowait() or await pool.acquire()
            pool.hold(connection, "the transaction")
        else:
            connection = session.connection_for(write=not self.options.read_only)
        began = time.perf_counter()
        try:
            await bounded("BEGIN", connection.begin(self.options.begin), wait=self._scopes.pools.options.timeout)
        except BaseException:
            if session is None:
                pool.release(connection)
            raise
        self._pool, self._connection = pool, connection
        self._scopes.observers.began(0, time.perf_counter() - began)

    async def _begin_inside(self, parent: Transaction) -> None:
        """Begin a savepoint."""
        parent.admit()
        if parent is not self._scopes.base:  # a block that would be the outermost one counts as such
            options = self.options
            if options.only_outermost or (options.read_only and not parent.options.read_only):
                raise TransactionError(
                    "A block inside another one is a savepoint: it cannot be durable, nor have an isolation level or "
                    "be read-only or deferrable by itself. Give that to the outermost block."
                )
        await parent.take_turn()
        self.parent, self._root, self.depth = parent, parent._root, parent.depth + 1
        self._pool, self._connection = parent._pool, parent._connection
        began = time.perf_counter()
        try:
            await parent.command(f"SAVEPOINT {self._savepoint}")
        except BaseException:
            parent.give_turn()
            raise
        parent._child = self
        self._scopes.observers.began(self.depth, time.perf_counter() - began)

    @property
    def _savepoint(self) -> str:
        return f"sp{self.depth}"

    # Whose it is

    @property
    def connection(self) -> Connection:
        """The connection it has. Raises `TransactionError` when the block is not open."""
        self.admit()
        return self._own_connection()

    def _own_connection(self) -> Connection:
        if self.ended or self._connection is None:
            raise TransactionError("The transaction is over, or was not entered. Use it inside its `async with`.")
        return self._connection

    @property
    def pool(self) -> Pool:
        """Where its connection comes from."""
        if self._pool is None:
            raise TransactionError("The transaction was not entered. Use it inside its `async with`.")
        return self._pool

    @property
    def is_shared(self) -> bool:
        """Whether tasks started inside may use it."""
        return self._turn is not None

    def is_behind(self) -> bool:
        """Whether it has ended. Raises `TransactionError` in a task that took part and goes on after its end."""
        if not self.ended:
            return False
        task = asyncio.current_task()
        if self._users is not None and task is not self._owner and task in self._users:
            raise TransactionError(
                "The shared transaction that this task took part in has ended. Await the task inside the block."
            )
        return True

    def lets_me_in(self) -> bool:
        """Whether the running task may use it."""
        return self.is_shared or self.belongs_to_me()

    def admit(self) -> None:
        """Let the running task in, or raise `TransactionError`."""
        if self._pool is not None and (self._pool.abandoned or self._pool.loop is not asyncio.get_running_loop()):
            raise TransactionError("The open transaction belongs to another event loop, or to the parent process.")
        if self._users is not None:
            task = asyncio.current_task()
            if task is not None:
                self._users.add(task)
        elif self._owner is not None and not self.belongs_to_me():
            raise TransactionError(
                "This task was started inside an open transaction that belongs to another task. "
                "Let tasks join with database.transaction(shared=True), or give this one a connection of its own with "
                "`async with database.connection(fresh=True)`. (On Python 3.11 asyncio.wait_for() starts a task; "
                "asyncio.timeout() does not.)"
            )

    async def take_turn(self) -> None:
        """In a shared block, wait until no other task uses it. Raises `PoolTimeout`."""
        if self._turn is None:
            return
        if not self._turn.locked():
            await self._turn.acquire()
            return
        seconds = self._scopes.pools.options.timeout
        try:
            async with asyncio.timeout(seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise PoolTimeout(
                f"The shared transaction did not become free within {seconds:g} s: another task is in it."
            ) from None

    def give_turn(self) -> None:
        """Let the next task have the shared block."""
        if self._turn is not None:
            self._turn.release()

    # Statements

    def perform(
        self, operation: Operation[T], sql: str, arguments: Any, write: bool, info: StatementInfo | None
    ) -> Coroutine[Any, Any, T]:
        """Run a statement in this block, or in the innermost one that this task has opened inside it."""
        return self._innermost()._perform(operation, sql, arguments, self._scopes.watch, info)

    def _innermost(self) -> Transaction:
        block = self
        while block._child is not None and block._child._owner is asyncio.current_task():
            block = block._child
        return block

    async def _perform(
        self, operation: Operation[T], sql: str, arguments: Any, watch: Watch | None, info: StatementInfo | None
    ) -> T:
        self.admit()
        if self._turn is None:
            return await self._guarded(operation, sql, arguments, watch, info)
        await self.take_turn()
        try:
            return await self._guarded(operation, sql, arguments, watch, info)
        finally:
            self.give_turn()

    async def _guarded(
        self, operation: Operation[T], sql: str, arguments: Any, watch: Watch | None, info: StatementInfo | None
    ) -> T:
        """Run one operation, and see afterwards what it has done to the transaction."""
        connection = self._own_connection()
        self._refuse_if_broken()
        try:
            if self._to_undo is not None:
                await self._undo()
            if watch is None:
                result = await operation(connection, sql, arguments)
            else:
                result = await watch.perform(operation, connection, sql, arguments, info)
        except BaseException as error:
            self._mark(error, connection)
            raise
        if not connection.in_transaction():
            self._root.broken = TransactionError(
                "The server has ended the transaction: by a COMMIT or ROLLBACK in raw SQL, or by DDL on MySQL."
            )
            raise self._root.broken
        return result

    def _refuse_if_broken(self) -> None:
        broken = self.broken or self._root.broken
        if broken is not None:
            raise TransactionError(
                "An error has broken this transaction: leave the block. What may fail belongs into a "
                f"transaction() inside it. The error was: {broken}"
            ) from broken

    def _mark(self, error: BaseException, connection: Connection) -> None:
        """Note what an error has broken: nothing, this block, or the outermost one."""
        if connection.busy:  # cut off: nobody knows how far the statement came
            self._root.broken = error
        elif isinstance(error, DatabaseError):
            if error.ends_transaction or connection.closed() or not connection.in_transaction():
                self._root.broken = error
            else:
                self.broken = error

    async def command(self, sql: str) -> None:
        """Run a command of our own in this block, whose turn it is."""
        await self._guarded(command, sql, (), None, None)

    async def _undo(self) -> None:
        """Roll a failed nested block back: it did not wait for that itself."""
        connection = self._own_connection()
        savepoint = self._to_undo
        await command(connection, f"ROLLBACK TO SAVEPOINT {savepoint}", ())
        await command(connection, f"RELEASE SAVEPOINT {savepoint}", ())
        self._to_undo = None

    async def tables(
        self, sql: str, arguments: Any, chunk_size: int, write: bool, info: StatementInfo | None, timeout: Seconds
    ) -> AsyncGenerator[Table]:
        """Read a result in pieces inside the block; whole where an open one would not bear other statements."""
        capabilities = self._scopes.pools.source.capabilities
        if not (capabilities.interleaving and capabilities.server_cursors):
            whole = await self.perform(limited(table, timeout), sql, arguments, write, info)
            async with aclosing(pieces_of(whole, chunk_size)) as pieces:
                async for piece in pieces:
                    yield piece
            return
        block = self._innermost()
        connection = block.connection
        stream = read_pieces(connection, sql, arguments, chunk_size, self._scopes.watch, info)
        read = limited(next_of(stream), timeout)
        streams = self._root._streams
        streams.add(stream)
        try:
            while (next_piece := await block._perform(read, sql, arguments, None, None)) is not None:
                yield next_piece
        finally:
            # Closed here by the task that opened it. One that was dropped is finished by another task, which must not
            # touch the connection: that stream is closed when the transaction ends.
            if streams.is_mine(stream) and not (block.ended or block.broken or self._root.broken):
                streams.remove(stream)
                await block._perform(closing_of(stream), sql, arguments, None, None)

    # Leaving

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        late = await self._deadline.disarm(error)
        if isinstance(error, GeneratorExit) and self._owner is not asyncio.current_task():
            asyncio.get_running_loop().call_exception_handler(
                {
                    "message": "A generator was dropped while it held a transaction, which is rolled back. "
                    "Close it with contextlib.aclosing().",
                }
            )
        self._scopes.leave(self)
        if self.depth:
            await self._leave_savepoint(late or error)
        else:
            await self._leave_outermost(late or error)
        if late is not None:
            raise late from None

    async def _leave_savepoint(self, error: BaseException | None) -> None:
        parent = self.parent
        assert isinstance(parent, Transaction)
        outermost = parent is self._scopes.base
        parent._child = None
        try:
            self._notice_who_is_still_in_it()
            broken = self.broken or self._root.broken
            if error is None and broken is None and not self.options.force_rollback:
                await self._release(parent)
            else:
                self.ended = True
                # Not waited for: it is sent before the parent's next statement, if there is one.
                parent._to_undo = self._savepoint
                self._scopes.observers.rolled_back(self.depth, 0.0, broken or error)
                if error is None and broken is not None:
                    raise _rolled_back(broken) from broken
                return
        finally:
            self.ended = True
            parent.give_turn()
        if outermost:
            await run_hooks(self._hooks)
        else:
            parent._hooks += self._hooks

    async def _release(self, parent: Transaction) -> None:
        began = time.perf_counter()
        try:
            await self.command(f"RELEASE SAVEPOINT {self._savepoint}")
        except BaseException:
            parent._to_undo = self._savepoint
            raise
        self._scopes.observers.committed(self.depth, time.perf_counter() - began)

    async def _leave_outermost(self, error: BaseException | None) -> None:
        connection, pool = self._connection, self._pool
        assert connection is not None
        assert pool is not None
        if pool.abandoned:  # as in the child of a fork: the connection is not ours
            self.ended = True
            return
        try:
            self._notice_who_is_still_in_it()
            if error is None and self.broken is None and not self.options.force_rollback:
                await self._commit(connection)
            else:
                await self._roll_back(connection, error)
                if error is None and self.broken is not None:
                    raise _rolled_back(self.broken) from self.broken
                return
        finally:
            self.ended = True
            self._connection = None
            if self.parent is None:
                pool.release(connection)
            elif connection.in_transaction():
                connection.busy = True  # the session must not go on in it
        await run_hooks(self._hooks)

    def _notice_who_is_still_in_it(self) -> None:
        """A shared block that another task is still using cannot be left well."""
        if self._turn is not None and (self._turn.locked() or self._streams.others_read()):
            self.broken = self.broken or TransactionError(
                "The shared block was left while another task was using it. Await the tasks inside the block."
            )

    async def _commit(self, connection: Connection) -> None:
        await self._streams.close()
        if self._to_undo is not None:
            await self._undo()
        began = time.perf_counter()
        failure: BaseException | None = None
        try:
            await bounded("COMMIT", connection.commit(), wait=self._scopes.pools.options.timeout)
        except ConnectionLost as error:
            failure = error
            raise CommitUnknown(
                f"COMMIT was sent and not answered: the transaction may be committed, or not. {error}"
            ) from error
        except BaseException as error:
            failure = error
            if isinstance(error, IntegrityError):
                for explainer in self._scopes.explainers:
                    explainer.explain(error)
            raise
        finally:
            self._scopes.observers.committed(0, time.perf_counter() - began, failure)

    async def _roll_back(self, connection: Connection, error: BaseException | None) -> None:
        """Roll back at once if that can be waited for; otherwise the pool does it when it gets the connection."""
        began = time.perf_counter()
        in_use = self._turn is not None and self._turn.locked()
        patient = error is None or isinstance(error, Exception)
        if patient and not in_use and not connection.busy and connection.in_transaction():
            await self._streams.close()
            try:
                async with asyncio.timeout(CLEANING_SECONDS):
                    await connection.rollback()
            except Exception as failure:
                logger.debug("ROLLBACK failed, the connection is cleaned up: %r", failure)
        elif self._streams:
            connection.busy = True  # so that it is not handed on with a stream that somebody may still close
        self._scopes.observers.rolled_back(0, time.perf_counter() - began, self.broken or error)

    def on_commit(self, hook: Hook) -> None:
        """Call a function, or await an async one, after the outermost commit.

        They run in order, with the connection already released; one that raises is logged and stops neither the
        others nor the caller. Those of a nested block that is rolled back are dropped with it.
        """
        self.admit()
        self._own_connection()
        self._innermost()._hooks.append(hook)


def _rolled_back(broken: BaseException) -> TransactionError:
    if isinstance(broken, TransactionError):
        return TransactionError(f"The transaction was rolled back. {broken}")
    return TransactionError(
        f"The transaction was rolled back, because of an error inside it that was caught: {broken}. "
        "What may fail belongs into a transaction() inside the block."
    )
