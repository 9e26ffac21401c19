"""Identifiers that sort by the time at which they were made: version 7 of RFC 9562."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Final
from uuid import UUID

_COUNTER_BITS: Final = 42
_RANDOM_BITS: Final = 32


class _Generator:
    """Makes identifiers of which each is greater than the one before, in one process.

    48 bits are milliseconds since 1970, the next 42 (around version and variant) a counter that begins anywhere in its
    lower half in each millisecond, and 32 are random: RFC 9562, section 6.2, method 1. A clock that is set back, or a
    counter that runs over, borrows from the milliseconds to come.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = (-1, 0)

    def __call__(self) -> UUID:
        now = time.time_ns() // 1_000_000
        random = int.from_bytes(os.urandom(10), "big")
        with self._lock:
            milliseconds, counter = self._last
            if now > milliseconds:
                milliseconds, counter = now, random >> (80 - _COUNTER_BITS + 1)
            else:
                counter += 1
                if counter >> _COUNTER_BITS:
                    milliseconds, counter = milliseconds + 1, random >> (80 - _COUNTER_BITS + 1)
            self._last = (milliseconds, counter)
        high, low = counter >> 30, counter & (2**30 - 1)
        tail = random & (2**_RANDOM_BITS - 1)
        return UUID(int=(milliseconds << 80) | (7 << 76) | (high << 64) | (2 << 62) | (low << _RANDOM_BITS) | tail)


if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    uuid7 = _Generator()
