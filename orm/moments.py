"""Arithmetic with dates, times and durations, which each engine spells in its own way. Pure.

A date counts as its midnight, and what is added to it gives the date of the moment that is reached. A time that passes
midnight begins again, as on a clock.
"""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from orm import types
from orm.exceptions import FieldError
from orm.operators import MOMENTS, Element

_MICROSECOND: Element = sa.literal_column("MICROSECOND")
_MINUS_ONE: Element = sa.literal_column("-1")
_UTC: Element = sa.literal_column("'UTC'")
_SOME_DAY: Element = sa.literal_column("'2000-01-01'")
_KINDS: Final = MOMENTS | {"date", "time"}


def is_moment(operand: Element) -> bool:
    """Whether an expression is a date or a time, with which plain numbers cannot be added."""
    return isinstance(operand.type, (types.DateTime, types.Time, sa.Date, sa.Time, sa.DateTime))


def refused(operator: str, left: str, right: str) -> str | None:
    """What to tell people about arithmetic of two kinds that has no meaning; `None` where it has one."""
    if not {left, right} & _KINDS or "any" in (left, right):
        return None
    shifts = (right == "duration" and operator in "+-") or (left == "duration" and operator == "+")
    if shifts or (left == right and operator == "-"):
        return None
    return (
        f"there is no {operator!r} for {left} and {right}. Possible are a date or a time plus or minus a duration, and "
        "the difference of two values of one kind."
    )


def combine(engine: str, operator: str, left: Element, right: Element) -> Element:
    """`left + right` or `left - right`, at least one of them a date or a time."""
    if operator not in "+-":
        raise FieldError(f"A date or a time has no {operator!r}: durations are added and subtracted.")
    if is_moment(left) and is_moment(right):
        return between(engine, left, right)
    if is_moment(left):
        return shifted(engine, left, right, back=operator == "-")
    return shifted(engine, right, left)


def shifted(engine: str, moment: Element, duration: Element, *, back: bool = False) -> Element:
    """A date or a time, later by a duration, or earlier."""
    kind = moment.type
    if engine == "postgresql":
        return sa.type_coerce(_shifted_on_postgresql(moment, duration, back), kind)
    by = duration.op("*")(_MINUS_ONE) if back else duration
    if isinstance(kind, (types.Time, sa.Time)):
        later = _moved(engine, _on_some_day(engine, moment), by)
        return sa.func.time(later, type_=kind) if engine == "mysql" else _text(later, kind, 12, 15)
    later = _moved(engine, moment, by)
    if isinstance(kind, sa.Date):
        return sa.func.date(later, type_=kind) if engine == "mysql" else _text(later, kind, 1, 10)
    return sa.type_coerce(later, kind)


def _shifted_on_postgresql(moment: Element, duration: Element, back: bool) -> Element:
    aware = getattr(moment.type, "timezone", False)
    # A day would have 23 or 25 hours where the session's time zone changes its clocks.
    start: Element = sa.func.timezone(_UTC, moment, type_=sa.DateTime()) if aware else moment
    later = start.op("-")(duration) if back else start.op("+")(duration)
    if aware:
        return sa.func.timezone(_UTC, later)
    return sa.cast(later, sa.Date) if isinstance(moment.type, sa.Date) else later


def _moved(engine: str, moment: Element, duration: Element) -> Element:
    if engine == "mysql":
        return sa.func.timestampadd(_MICROSECOND, duration, moment)
    return sa.func.orm_shift(moment, duration)


def between(engine: str, later: Element, earlier: Element) -> Element:
    """The duration between two values of one kind."""
    if engine == "postgresql":
        if isinstance(later.type, sa.Date):  # whose difference would be a number of days
            later, earlier = sa.cast(later, sa.DateTime), sa.cast(earlier, sa.DateTime)
        return sa.type_coerce(later.op("-")(earlier), types.Duration())
    if isinstance(later.type, (types.Time, sa.Time)):
        later, earlier = _on_some_day(engine, later), _on_some_day(engine, earlier)
    if engine == "mysql":
        return sa.func.timestampdiff(_MICROSECOND, earlier, later, type_=types.Duration())
    return sa.func.orm_between(earlier, later, type_=types.Duration())


def _on_some_day(engine: str, clock: Element) -> Element:
    if engine == "mysql":
        return sa.func.timestamp(_SOME_DAY, clock)
    return sa.literal_column("'2000-01-01 '", sa.String()).op("||")(sa.type_coerce(clock, sa.String()))


def _text(moment: Element, kind: Any, start: int, length: int) -> Element:
    """A part of a moment's text on SQLite."""
    return sa.func.substr(moment, sa.literal_column(str(start)), sa.literal_column(str(length)), type_=kind)
