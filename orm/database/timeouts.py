"""How long one statement may take: a database's `query_timeout`, and the `timeout=` of a statement."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable
from typing import Any, Final, TypeVar, cast

from orm.exceptions import InterfaceError, QueryTimeout

T = TypeVar("T")

Seconds = float | None
"""A time limit, or `None` for none."""

SPARE_SECONDS: Final = 5.0
"""How much longer than its bound a statement that the server bounds is waited for: the answer may never come."""


def is_duration(seconds: Any) -> bool:
    """Whether a value is a number of seconds that something can take."""
    return (
        isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and math.isfinite(seconds) and seconds > 0
    )


def checked(seconds: Any) -> Seconds:
    """A `timeout=`. Raises `InterfaceError` for what is no number of seconds."""
    if seconds is None or is_duration(seconds):
        return cast("Seconds", seconds)
    raise InterfaceError(f"timeout is a number of seconds, more than 0, or None; not {seconds!r}.")


def too_long(seconds: float) -> QueryTimeout:
    """The error for a statement that took longer than it may."""
    return QueryTimeout(f"The statement took longer than {seconds:g} s and was stopped.")


async def bounded(work: Awaitable[T], seconds: Seconds) -> T:
    """Wait for a statement, or a piece of its rows, and cancel it when the time is over. Raises `QueryTimeout`."""
    if seconds is None:
        return await work
    timeout = asyncio.timeout(seconds)
    try:
        async with timeout:
            return await work
    except TimeoutError:
        if not timeout.expired():
            raise
        raise too_long(seconds) from None
