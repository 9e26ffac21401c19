"""SQL functions of dates and times, which SQLite keeps as text; in time zones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo


def _shift(moment: str | None, microseconds: int | None) -> str | None:
    """A moment, as text, later by some microseconds: SQLite's own arithmetic rounds to milliseconds."""
    if moment is None or microseconds is None:
        return None
    return _written(datetime.fromisoformat(moment) + timedelta(microseconds=microseconds))


def _between(earlier: str | None, later: str | None) -> int | None:
    """The microseconds between two moments given as text."""
    if earlier is None or later is None:
        return None
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)) // timedelta(microseconds=1)


def _local(moment: str | None, zone: str) -> str | None:
    """What clocks show in a time zone at a moment in UTC."""
    if moment is None:
        return None
    return _written(datetime.fromisoformat(moment).replace(tzinfo=UTC).astimezone(ZoneInfo(zone)))


def _instant(shown: str | None, zone: str) -> str | None:
    """The moment in UTC at which clocks show something in a time zone for the first time."""
    if shown is None:
        return None
    return _written(datetime.fromisoformat(shown).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))


def _written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


FUNCTIONS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"orm_shift": _shift, "orm_between": _between, "orm_local": _local, "orm_instant": _instant}
)
"""Deterministic functions of dates and times."""
