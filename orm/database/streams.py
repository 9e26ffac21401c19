"""Results that are read in pieces."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Any, cast

from orm.database.interfaces import Connection, Operation, StatementInfo, Table
from orm.database.observers import Watch
from orm.database.pool import CLEANING_SECONDS
from orm.database.timeouts import Seconds, bounded

Pieces = AsyncGenerator[Table]


async def pieces_of(whole: Table, chunk_size: int) -> Pieces:
    """A result that was read whole, in pieces."""
    for start in range(0, len(whole.rows), chunk_size):
        yield Table(whole.names, whole.rows[start : start + chunk_size])


async def read_pieces(
    connection: Connection,
    sql: str,
    arguments: Any,
    chunk_size: int,
    watch: Watch | None,
    info: StatementInfo | None,
    timeout: Seconds = None,
) -> Pieces:
    """Read a result in pieces from one connection, each within `timeout`; with a watch the whole is reported."""
    stream = cast("Pieces", connection.stream(sql, arguments, chunk_size))
    if watch is None:
        async with aclosing(stream):
            while (piece := await bounded(anext(stream, None), timeout)) is not None:
                yield piece
        return
    rows, duration = 0, 0.0
    failure: BaseException | None = None
    try:
        async with aclosing(stream):
            while True:
                began = time.perf_counter()
                next_piece = await watch.bounded(bounded(anext(stream, None), timeout))
                duration += time.perf_counter() - began
                if next_piece is None:
                    break
                rows += len(next_piece.rows)
                yield next_piece
    except Exception as error:
        failure = error
        raise
    finally:
        watch.report(sql, arguments, duration, rows, failure, info)


class OpenStreams:
    """The streams that are open inside one transaction, and the tasks that opened them."""

    def __init__(self) -> None:
        self._tasks: dict[Pieces, asyncio.Task[Any] | None] = {}

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def add(self, stream: Pieces) -> None:
        """Note a stream that the running task has opened."""
        self._tasks[stream] = asyncio.current_task()

    def remove(self, stream: Pieces) -> None:
        """Forget a stream, which is about to be closed."""
        del self._tasks[stream]

    def is_mine(self, stream: Pieces) -> bool:
        """Whether the running task has opened it. Another one finishes it when it was dropped."""
        return self._tasks.get(stream) is asyncio.current_task()

    def others_read(self) -> bool:
        """Whether another task that still runs has one open."""
        me = asyncio.current_task()
        return any(task is not None and task is not me and not task.done() for task in self._tasks.values())

    async def close(self) -> None:
        """Close all that are left."""
        for stream in list(self._tasks):
            with contextlib.suppress(Exception):  # whatever they say, the transaction ends now
                async with asyncio.timeout(CLEANING_SECONDS):
                    await stream.aclose()
        self._tasks.clear()


def next_of(stream: Pieces) -> Operation[Table | None]:
    """The operation that reads the next piece, or `None` at the end."""

    def read(connection: Connection, sql: str, arguments: Any) -> Awaitable[Table | None]:
        return anext(stream, None)

    return read


def closing_of(stream: Pieces) -> Operation[None]:
    """The operation that closes a stream."""

    def close(connection: Connection, sql: str, arguments: Any) -> Awaitable[None]:
        return stream.aclose()

    return close
