"""Running a transaction again when the server has certainly rolled it back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orm.exceptions import DeadlockDetected, LockTimeout, SerializationFailure

T = TypeVar("T")

RETRIED = SerializationFailure, DeadlockDetected, LockTimeout
"""The errors after which nothing was written and another try may go well. `CommitUnknown` is none of them."""

FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 1.0


async def retry(attempt: Callable[[], Awaitable[T]], retries: int) -> T:
    """Make an attempt, and up to `retries` others, with pauses of random length that grow."""
    for made in range(retries):
        try:
            return await attempt()
        except RETRIED:
            longest = min(FIRST_PAUSE_SECONDS * 2**made, LONGEST_PAUSE_SECONDS)
        # Random, so that two that have got into each other's way do not do so again.
        await asyncio.sleep(random.uniform(0, longest))
    return await attempt()
