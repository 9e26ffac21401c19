"""Functions that run in a transaction, and again when the server has certainly rolled it back."""

from __future__ import annotations

import asyncio
import functools
import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, ParamSpec, TypeVar

from orm.exceptions import DeadlockDetected, InterfaceError, LockTimeout, SerializationFailure, TransactionError

P = ParamSpec("P")
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


def retried(
    function: Callable[P, Coroutine[Any, Any, T]],
    block: Callable[[], AbstractAsyncContextManager[object]],
    retries: int,
    is_nested: Callable[[], bool],
) -> Callable[P, Coroutine[Any, Any, T]]:
    """An async function that runs in a new block each time, as often as `retries` allows.

    Args:
        is_nested: whether a call happens inside another transaction, where it cannot be retried.

    Raises:
        InterfaceError: the function is not async.
    """
    if not inspect.iscoroutinefunction(function):
        raise InterfaceError("Only an async function can be made a transaction.")

    async def attempt(*arguments: P.args, **keywords: P.kwargs) -> T:
        async with block():
            return await function(*arguments, **keywords)

    @functools.wraps(function)
    async def in_transaction(*arguments: P.args, **keywords: P.kwargs) -> T:
        if retries and is_nested():
            raise TransactionError(
                "A transaction with retries cannot run inside another one: the outer one could not be run again."
            )
        return await retry(lambda: attempt(*arguments, **keywords), retries)

    return in_transaction
