"""The `timeout=` of a transaction: cuts the block off, but never its COMMIT."""

from __future__ import annotations

import asyncio

from orm.exceptions import QueryTimeout


class Deadline:
    """Cancels the task that armed it when the time is over, unless it is disarmed before."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._timeout: asyncio.Timeout | None = None

    async def arm(self) -> None:
        """Begin to count."""
        if self._seconds is not None:
            self._timeout = asyncio.timeout(self._seconds)
            await self._timeout.__aenter__()

    async def disarm(self, error: BaseException | None) -> QueryTimeout | None:
        """Stop counting; gives the error to raise instead of `error` when the time was over."""
        timeout, self._timeout = self._timeout, None
        if timeout is None:
            return None
        try:
            await timeout.__aexit__(None if error is None else type(error), error, None)
        except TimeoutError:
            pass  # the cancellation was ours
        else:
            if error is not None or not timeout.expired():
                return None
        return QueryTimeout(f"The transaction took longer than {self._seconds:g} s and was rolled back.")
