"""Transforms: functions that have a word, so that `released__year` is `ExtractYear("released")`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orm.expressions import Expression, Function
from orm.functions import dates
from orm.operators import CLOCKS, DAYS, MOMENTS


@dataclass(frozen=True, eq=False)
class Transform:
    """A word and the function of one operand that it stands for.

    Attributes:
        kinds: the kinds of value that have it; `None` for all.
    """

    name: str
    function: Callable[[Expression], Function]
    kinds: frozenset[str] | None

    def __repr__(self) -> str:
        return self.name

    def suits(self, kind: str) -> bool:
        """Whether values of a kind have it."""
        return self.kinds is None or kind in self.kinds


TRANSFORMS: dict[str, Transform] = {
    entry.name: entry
    for entry in (
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
    )
}
"""Every transform by its word."""
