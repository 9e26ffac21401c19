"""Aggregates that SQLite gets from us: those it does not have, or not before 3.44."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping
from typing import Any, ClassVar, cast


class _Variance:
    """The variance of the rows, or of the rows of a window, after Welford: it does not subtract large sums.

    Source: B. P. Welford, Note on a Method for Calculating Corrected Sums of Squares and Products, 1962.
    """

    sample: ClassVar[bool] = False
    root: ClassVar[bool] = False

    def __init__(self) -> None:
        self._count = 0
        self._mean = 0.0
        self._squares = 0.0

    def step(self, value: float | None) -> None:
        """Add a row."""
        if value is not None:
            self._count += 1
            distance = value - self._mean
            self._mean += distance / self._count
            self._squares += distance * (value - self._mean)

    def inverse(self, value: float | None) -> None:
        """Take a row away that has left the window."""
        if value is not None:
            self._count -= 1
            if not self._count:
                self.__init__()  # type: ignore[misc]
                return
            distance = value - self._mean
            self._mean -= distance / self._count
            self._squares = max(self._squares - distance * (value - self._mean), 0.0)

    def value(self) -> float | None:
        """What it is now."""
        count = self._count - self.sample
        if count < 1:
            return None
        found = self._squares / count
        return math.sqrt(found) if self.root else found

    def finalize(self) -> float | None:
        """What it is in the end."""
        return self.value()


class _SampleVariance(_Variance):
    sample = True


class _Deviation(_Variance):
    root = True


class _SampleDeviation(_SampleVariance):
    root = True


class _Collected:
    """The values of the rows in an order, which SQLite's own aggregates have only since 3.44.

    Each row gives whether equal values count once, which keys descend (a text of `d` and `a`), a value, and the keys.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._distinct = False
        self._directions = ""

    def _add(self, distinct: int, directions: str, row: tuple[Any, ...]) -> None:
        self._distinct = bool(distinct)
        self._directions = directions
        self._rows.append(row)

    def _values(self) -> list[Any]:
        rows = self._rows
        for index in reversed(range(len(self._directions))):  # the sort is stable: the last key first
            rows.sort(key=lambda row: _rank(row[index + 1]), reverse=self._directions[index] == "d")
        values = [row[0] for row in rows]
        return list({_rank(value): value for value in values}.values()) if self._distinct else values


class _JoinedText(_Collected):
    def __init__(self) -> None:
        super().__init__()
        self._delimiter = ""

    def step(self, distinct: int, directions: str, delimiter: str, *row: Any) -> None:
        """Add a row."""
        self._delimiter = delimiter
        if row[0] is not None:
            self._add(distinct, directions, row)

    def finalize(self) -> str | None:
        """The text."""
        return self._delimiter.join(map(str, self._values())) if self._rows else None


class _JSONList(_Collected):
    def step(self, distinct: int, directions: str, as_json: int, *row: Any) -> None:
        """Add a row; with `as_json` the values are JSON already."""
        value = row[0] if as_json and row[0] is not None else json.dumps(row[0], ensure_ascii=False)
        self._add(distinct, directions, (value, *row[1:]))

    def finalize(self) -> str | None:
        """The list, as text."""
        return f"[{','.join(['null' if value is None else value for value in self._values()])}]" if self._rows else None


def _rank(value: Any) -> tuple[int, Any]:
    """Where SQLite sorts a value (https://sqlite.org/datatype3.html#sort_order)."""
    if value is None:
        return (0, 0)
    if isinstance(value, (int, float)):
        return (1, value)
    return (2, value) if isinstance(value, str) else (3, value)


_WINDOWS: Mapping[str, type[Any]] = {
    "orm_variance": _Variance,
    "orm_sample_variance": _SampleVariance,
    "orm_deviation": _Deviation,
    "orm_sample_deviation": _SampleDeviation,
}
_AGGREGATES: Mapping[str, type[Any]] = {"orm_joined_text": _JoinedText, "orm_json_list": _JSONList}


def add_aggregates(database: sqlite3.Connection) -> None:
    """Give a connection our aggregates; to be called in its thread."""
    for name, made in _WINDOWS.items():
        database.create_window_function(name, 1, made)
    for name, made in _AGGREGATES.items():
        database.create_aggregate(name, -1, cast("Any", made))
