"""BEGIN, COMMIT and what is between them: commands of our own, each with a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from orm.database.interfaces import Connection
from orm.exceptions import ConnectionLost

T = TypeVar("T")

COMMAND_SECONDS = 30.0
"""How long a command may take, beyond the time that it may wait for a lock."""


async def bounded(command: str, work: Awaitable[T], wait: float = 0.0) -> T:
    """Wait for the answer to a command. Raises `ConnectionLost` when there is none in time.

    Args:
        command: its name, for the message.
        work: the command under way.
        wait: how long it may wait for a lock, in seconds.
    """
    seconds = COMMAND_SECONDS + wait
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            return await work
    except TimeoutError:
        if not timeout.expired():
            raise
        raise ConnectionLost(f"{command} was not answered within {seconds:g} s.") from None


def command(connection: Connection, sql: str, arguments: Any) -> Awaitable[str]:
    """The operation that runs a command."""
    return bounded(sql, connection.command(sql))
