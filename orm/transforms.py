"""Transforms: functions that have a word, so that `released__year` is `ExtractYear("released")`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orm.exceptions import FieldError
from orm.expressions import Expression, Function
from orm.functions import dates
from orm.operators import CLOCKS, DAYS, MOMENTS


@dataclass(frozen=True, eq=False)
class Transform:
    """A word and the function of one operand that it stands for.

    Attributes:
        kinds: the kinds of value that have it.
    """

    name: str
    function: Callable[[Expression], Function]
    kinds: frozenset[str]

    def __repr__(self) -> str:
        return self.name


Pattern = Callable[[str], Transform | None]
"""Makes a transform of a word that no table can list, such as an index."""

_TABLE: Final[dict[tuple[str, str], Transform]] = {}
_PATTERNS: Final[dict[str, Pattern]] = {}


def find(name: str, kind: str) -> Transform | None:
    """The transform of a name that a kind of value has."""
    found = _TABLE.get((kind, name))
    if found is None and kind in _PATTERNS:
        return _PATTERNS[kind](name)
    return found


def names(kind: str) -> list[str]:
    """The names of the transforms that a kind of value has."""
    return [name for of_kind, name in _TABLE if of_kind == kind]


def add(entry: Transform) -> None:
    """Add a transform. Raises `FieldError` when a kind that it is for has one of that name."""
    taken = sorted(kind for kind in entry.kinds if (kind, entry.name) in _TABLE)
    if taken:
        raise FieldError(f"There is a transform {entry.name!r} already, for {', '.join(taken)}. Choose another name.")
    _TABLE.update({(kind, entry.name): entry for kind in sorted(entry.kinds)})


def add_pattern(kind: str, pattern: Pattern) -> None:
    """Let a kind of value have transforms whose words are made, not listed."""
    _PATTERNS[kind] = pattern


for _entry in (
    Transform("year", dates.ExtractYear, DAYS),
    Transform("month", dates.ExtractMonth, DAYS),
    Transform("day", dates.ExtractDay, DAYS),
    Transform("hour", dates.ExtractHour, CLOCKS),
    Transform("minute", dates.ExtractMinute, CLOCKS),
    Transform("second", dates.ExtractSecond, CLOCKS),
    Transform("quarter", dates.ExtractQuarter, DAYS),
    Transform("week", dates.ExtractWeek, DAYS),
    Transform("iso_year", dates.ExtractIsoYear, DAYS),
    Transform("week_day", dates.ExtractWeekDay, DAYS),
    Transform("iso_week_day", dates.ExtractIsoWeekDay, DAYS),
    Transform("date", dates.TruncDate, MOMENTS),
    Transform("time", dates.TruncTime, MOMENTS),
):
    add(_entry)
