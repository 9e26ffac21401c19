"""The pools of one database: bound to one process and to one running event loop."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import weakref

from orm.database.interfaces import Source
from orm.database.pool import Pool, PoolStatus
from orm.database.url import Options
from orm.exceptions import InterfaceError

_EVERYBODYS: weakref.WeakSet[Pools] = weakref.WeakSet()


def _after_fork() -> None:
    for pools in list(_EVERYBODYS):
        pools.abandon(forked=True)


os.register_at_fork(after_in_child=_after_fork)


class Pools:
    """Where a database gets its connections from: one pool, or a writer's and the readers' (SQLite in WAL mode).

    They are made anew in a child process and in the event loop that follows a closed one.
    """

    def __init__(self, source: Source, options: Options, *, in_memory: bool) -> None:
        self.source = source
        self.options = options
        self.is_open = False
        self._in_memory = in_memory
        if in_memory:  # it ends with its connection, which therefore never grows old
            self.options = dataclasses.replace(options, max_lifetime=None, idle_timeout=None)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writers: Pool | None = None
        self._readers: Pool | None = None
        _EVERYBODYS.add(self)

    def choose(self, write: bool) -> Pool:
        """The pool for a statement. Raises `InterfaceError` when closed, or when another event loop uses it."""
        if self._loop is not asyncio.get_running_loop():
            self._bind()
        pool = self._writers if write else self._readers
        if pool is None:
            raise InterfaceError("The database is not connected. Use `async with database`, or await its connect().")
        return pool

    async def open(self) -> None:
        """Make the first connection. Raises `ConnectionLost` when that cannot be done."""
        self.is_open = True
        try:
            writers = self.choose(True)
            await writers.open()
        except BaseException:
            await self.close()
            raise
        if self.source.reads_apart != self._are_apart():  # known only now, from the writer
            self._divide()

    async def close(self) -> None:
        """Close all connections."""
        self.is_open = False
        pools = {self._writers, self._readers}
        if self._loop is asyncio.get_running_loop():
            # Readers first: the writer, as the last one, writes the log of an SQLite file back.
            for pool in sorted(filter(None, pools), key=lambda pool: pool is self._writers):
                await pool.close()
        else:
            self.abandon(forked=False)
        self._loop = self._writers = self._readers = None

    @property
    def status(self) -> PoolStatus:
        """What all connections are doing now."""
        pools = {pool for pool in (self._writers, self._readers) if pool is not None}
        if not pools:
            return PoolStatus(self.options.max_size, 0, 0, 0, 0)
        return PoolStatus(*[sum(numbers) for numbers in zip(*[pool.status for pool in pools], strict=True)])

    def abandon(self, *, forked: bool) -> None:
        """Forget the pools of another loop or process; the next use makes new ones."""
        for pool in {pool for pool in (self._writers, self._readers) if pool is not None}:
            pool.abandon(forked=forked)
        self._loop = self._writers = self._readers = None

    def _bind(self) -> None:
        if not self.is_open:
            raise InterfaceError("The database is not connected. Use `async with database`, or await its connect().")
        old = self._loop
        if old is not None:
            if old.is_running():
                raise InterfaceError(
                    f"The database is connected in another event loop that is running ({old!r}). "
                    "Make one Database for each loop."
                )
            if self._in_memory:
                raise InterfaceError("The database in memory ended with the event loop that it was connected in.")
            self.abandon(forked=False)
        self._loop = asyncio.get_running_loop()
        self._divide()

    def _divide(self) -> None:
        """Make the pools that are missing: one for all, or a writer's of one connection and the readers'."""
        size, minimum = self.options.max_size, self.options.min_size
        if self.source.capacity is not None:
            size = min(size, self.source.capacity)
        single = self._in_memory or self.source.dialect.name == "sqlite"
        if self._writers is None:
            size_of_writers = 1 if single else size
            name = "writer" if self.source.reads_apart else "connection"
            self._writers = Pool(
                self.source, self.options, size=size_of_writers, minimum=min(minimum, size_of_writers), name=name
            )
        if self.source.reads_apart and size > 1:
            self._readers = Pool(
                self.source, self.options, size=size - 1, minimum=max(0, minimum - 1), read_only=True, name="reader"
            )
        else:
            self._readers = self._writers

    def _are_apart(self) -> bool:
        return self._readers is not self._writers
