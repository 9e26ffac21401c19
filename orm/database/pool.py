"""A pool of connections for one event loop: the same for every driver."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, NamedTuple

from orm.database.interfaces import Connection, Source
from orm.database.url import Options
from orm.exceptions import ConnectionLost, Error, InterfaceError, OperationalError, PoolTimeout

logger = logging.getLogger("orm.database")

CLEANING_SECONDS = 5.0
"""The bound of each clean-up that runs behind the user's back: stopping a statement, rolling back, closing."""

_LONGEST_TICK = 30.0
_ABANDONED: list[Pool] = []
"""Pools of closed loops and of a parent process. What they hold is never closed, nor collected: after a fork the
sockets are still the parent's, and collecting a transport without its loop complains."""


class Holder(NamedTuple):
    """Who has a connection for longer than one statement."""

    what: str
    task: asyncio.Task[Any] | None
    since: float
    """In `loop.time()` seconds."""

    def __str__(self) -> str:
        return self.what if self.task is None else f"{self.what} of task {self.task.get_name()!r}"


class PoolStatus(NamedTuple):
    """How many connections a pool may have, and what those are doing that it has."""

    size: int
    in_use: int
    idle: int
    connecting: int
    waiting: int
    """How many tasks wait for a connection."""


class Pool:
    """Connections for whoever asks first; the one used last is handed out first.

    Connecting and cleaning up run in tasks of the pool with an empty context, so that a user who is cancelled never
    cuts a handshake, and `release` never waits. All times are `loop.time()`.
    """

    def __init__(
        self,
        source: Source,
        options: Options,
        *,
        size: int,
        minimum: int = 0,
        read_only: bool = False,
        name: str = "connection",
    ) -> None:
        self.size = size
        self.loop = asyncio.get_running_loop()
        self.closed = False
        self.abandoned = False
        """Its process or its event loop is gone: nothing may be sent over its connections."""
        self.streams = 0
        """How many connections are held by iterations, which together leave one to the others."""
        self._source = source
        self._options = options
        self._always_reset = options.reset == "always"
        self._minimum = minimum
        self._read_only = read_only
        self._name = name
        self._count = 0
        self._connecting = 0
        self._idle: deque[Connection] = deque()
        self._waiters: deque[asyncio.Future[Connection]] = deque()
        self._used: dict[Connection, Holder | None] = {}
        self._retiring: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._finalizer = self._closing_with_the_loop()
        # Begun, so that the loop knows it: asyncio.run() closes the asynchronous generators that are left over, and
        # so a pool that nobody closed (Ctrl-C) leaves no connection and no warning behind.
        with contextlib.suppress(StopIteration):
            self._finalizer.__anext__().send(None)
        self._schedule()

    def __repr__(self) -> str:
        status = self.status
        return (
            f"<Pool of {status.size}: {status.in_use} in use, {status.idle} idle, "
            f"{status.connecting} connecting, {status.waiting} waiting>"
        )

    @property
    def status(self) -> PoolStatus:
        """What the connections are doing now."""
        return PoolStatus(self.size, len(self._used), len(self._idle), self._connecting, len(self._waiters))

    # Taking and giving back

    def acquire_nowait(self) -> Connection | None:
        """A connection, if one is idle. Raises `InterfaceError` when the pool is closed.

        Nobody overtakes: what is given back goes to those who wait first, so that none is idle while somebody waits.
        """
        if self.closed:
            raise InterfaceError("The database was disconnected. Connect it again with `await database.connect()`.")
        idle = self._idle
        while idle:
            connection = idle.pop()
            self._used[connection] = None
            if not connection.closed():
                return connection
            self._reap(connection)
        return None

    async def acquire(self) -> Connection:
        """A connection, after those who asked before.

        Raises:
            PoolTimeout: none became free in time.
            ConnectionLost: a new one was needed and could not be made.
            InterfaceError: the pool is closed.
        """
        connection = self.acquire_nowait()
        if connection is not None:
            return connection
        waiter: asyncio.Future[Connection] = self.loop.create_future()
        self._waiters.append(waiter)
        self._grow()
        timer = self.loop.call_later(self._options.timeout, self._expire, waiter)
        try:
            return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.release(waiter.result())  # handed over in the very moment of the cancellation
            else:
                with contextlib.suppress(ValueError):
                    self._waiters.remove(waiter)
            raise
        finally:
            timer.cancel()

    def release(self, connection: Connection) -> None:
        """Give a connection back; one that is not as it was is cleaned up in the background."""
        if connection.reaped or self.abandoned:
            return
        if self._always_reset:
            connection.touched = True
        if self.closed or not connection.clean() or connection in self._retiring:
            self._reap(connection)
            return
        connection.idle_since = 0.0
        if self._waiters:
            self._hand_over(connection)
        else:
            del self._used[connection]
            self._idle.append(connection)

    def hold(self, connection: Connection, what: str) -> None:
        """Note who keeps a connection, for the message of a `PoolTimeout`."""
        self._used[connection] = Holder(what, asyncio.current_task(), self.loop.time())

    def _hand_over(self, connection: Connection) -> None:
        """Give a connection that is counted as used to the first who still waits, or lay it aside."""
        waiters = self._waiters
        while waiters:
            waiter = waiters.popleft()
            if not waiter.done():
                self._used[connection] = None
                waiter.set_result(connection)
                return
        self._used.pop(connection, None)
        self._idle.append(connection)

    def _expire(self, waiter: asyncio.Future[Connection]) -> None:
        if not waiter.done():
            waiter.set_exception(PoolTimeout(self._why_none_is_free()))

    def _why_none_is_free(self) -> str:
        now = self.loop.time()
        plural = "" if self.size == 1 else "s"
        message = (
            f"No connection became free within {self._options.timeout:g} s: "
            f"{len(self._used)} of {self.size} {self._name}{plural} in use, {len(self._waiters)} waiting"
        )
        holders = [holder for holder in self._used.values() if holder is not None]
        if self.size == 1 and self._used:
            if not holders:
                return f"{message}; statements keep it busy."
            return f"{message}; {holders[0]} has held it for {now - holders[0].since:.1f} s."
        if holders:
            longest = min(holders, key=lambda holder: holder.since)
            return f"{message}; {longest} has held one for {now - longest.since:.1f} s, the longest."
        return f"{message}. Raise max_size, or look for statements that take long."

    # Making connections

    async def open(self) -> None:
        """Make a first connection, so that a wrong address shows at once, and begin to make the others kept open."""
        self.release(await self.acquire())
        self._fill()

    def _grow(self) -> None:
        while not self.closed and self._count < self.size and self._connecting < len(self._waiters):
            self._begin_to_connect()

    def _fill(self) -> None:
        while not self.closed and self._count < self._minimum:
            self._begin_to_connect()

    def _begin_to_connect(self) -> None:
        self._count += 1
        self._connecting += 1
        self._spawn(self._connect())

    async def _connect(self) -> None:
        try:
            async with asyncio.timeout(self._options.connect_timeout):
                connection = await self._source.connect(read_only=self._read_only)
        except asyncio.CancelledError:
            self._count -= 1
            self._connecting -= 1
            raise
        except Exception as error:
            self._count -= 1
            self._connecting -= 1
            self._refuse(self._connecting_failed(error))
            self._grow()
            return
        self._connecting -= 1
        lifetime = self._options.max_lifetime
        if lifetime is not None:  # not all at the same time
            connection.expires_at = self.loop.time() + lifetime * random.uniform(0.9, 1.0)
        if self.closed:
            self._reap(connection)
        else:
            self._hand_over(connection)

    def _connecting_failed(self, error: Exception) -> Exception:
        if isinstance(error, TimeoutError):
            error = ConnectionLost(f"No connection could be made within {self._options.connect_timeout:g} s.")
        elif not isinstance(error, Error):
            lost = ConnectionLost(f"No connection could be made: {type(error).__name__}: {error}")
            lost.__cause__ = error
            error = lost
        return error

    def _refuse(self, error: Exception) -> None:
        """Tell the first who waits that the connection meant for it could not be made."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(error)
                return
        logger.warning("A connection to be kept open could not be made: %s", error)

    # Cleaning up

    def _reap(self, connection: Connection) -> None:
        """Clean a connection up in the background, or close it; it counts as used until then."""
        connection.reaped = True
        self._used.setdefault(connection, None)
        self._spawn(self._clean_up(connection))

    async def _clean_up(self, connection: Connection) -> None:
        lost = connection.closed()
        usable = False
        if not lost and not self.closed and connection not in self._retiring:
            try:
                async with asyncio.timeout(CLEANING_SECONDS):
                    usable = await connection.recover()
            except Exception as error:
                logger.debug("A connection is closed, because it could not be cleaned up: %r", error)
        if usable and not self.closed:
            connection.reaped = False
            self._hand_over(connection)
            return
        try:
            await self._end(connection)
        finally:
            self._used.pop(connection, None)
            self._retiring.discard(connection)
            self._count -= 1
            self._grow()
            self._fill()
            if lost:
                self._suspect()

    async def _end(self, connection: Connection) -> None:
        """Close a connection within a bound."""
        try:
            if connection.busy:
                connection.abort()
            async with asyncio.timeout(CLEANING_SECONDS):
                await self._source.release(connection)
        except Exception as error:
            logger.debug("A connection was not closed in good order: %r", error)
            connection.abort()

    def _suspect(self) -> None:
        """One connection was lost: see whether those that lie idle are still there."""
        while self._idle and not self.closed:
            connection = self._idle.pop()
            connection.reaped = True
            self._used[connection] = None
            self._spawn(self._probe(connection))

    async def _probe(self, connection: Connection) -> None:
        try:
            async with asyncio.timeout(CLEANING_SECONDS):
                await connection.command("SELECT 1")
        except (OperationalError, TimeoutError):
            connection.abort()
        connection.reaped = False
        if connection.closed():
            self._used.pop(connection, None)
            self._count -= 1
            self._grow()
        else:
            self.release(connection)

    # Growing old

    def _schedule(self) -> None:
        limits = [limit for limit in (self._options.idle_timeout, self._options.max_lifetime) if limit is not None]
        if limits:
            self._timer = self.loop.call_later(min(_LONGEST_TICK, min(limits) / 4), self._tick)

    def _tick(self) -> None:
        """Retire what has grown old or has not been needed, and keep the least number open."""
        now = self.loop.time()
        for connection in self._used:
            if 0 < connection.expires_at <= now:
                self._retiring.add(connection)  # it is closed when it is given back
        for connection in list(self._idle):
            if connection.idle_since == 0:
                connection.idle_since = now  # stamped here and not at each release, where a clock would cost
            if self._is_old(connection, now):
                self._idle.remove(connection)
                self._retiring.add(connection)
                self._reap(connection)
        self._fill()
        self._schedule()

    def _is_old(self, connection: Connection, now: float) -> bool:
        if 0 < connection.expires_at <= now:
            return True
        idle_timeout = self._options.idle_timeout
        if idle_timeout is None or self._count - len(self._retiring) <= self._minimum:
            return False
        return now - connection.idle_since >= idle_timeout

    # The end

    async def close(self) -> None:
        """Close all connections; those in use have a second to come back."""
        if not self.closed:
            await self._close()
            await self._finalizer.aclose()

    async def _close(self) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(InterfaceError("The database was disconnected while this task waited for it."))
        while self._idle:
            self._reap(self._idle.pop())
        if self._tasks or self._used:
            await self._wait_for_the_last()

    async def _wait_for_the_last(self) -> None:
        end = self.loop.time() + 1.0
        # Looked at again and again, because an event would cost every release.
        while any(not connection.reaped for connection in self._used) and self.loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        for connection in list(self._used):
            if not connection.reaped:
                connection.abort()
                self._reap(connection)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=2 * CLEANING_SECONDS)
            for task in late:
                task.cancel()

    async def _closing_with_the_loop(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            if not self.closed:
                await self._close()

    def abandon(self, *, forked: bool) -> None:
        """Let go of connections whose loop or process is gone, without a word to the server from a forked one."""
        _ABANDONED.append(self)
        self.closed = self.abandoned = True
        if not forked and self.loop.is_closed():
            for connection in [*self._idle, *self._used]:
                with contextlib.suppress(Exception):
                    connection.shut()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work of the pool's own: in an empty context, where no transaction of a user is to be seen."""
        task = self.loop.create_task(work, context=contextvars.Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
