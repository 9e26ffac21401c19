"""Arithmetic with dates and durations, which each engine spells in its own way. Pure."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from orm import types
from orm.exceptions import NotSupportedError
from orm.operators import Element

_MICROSECOND: Element = sa.literal_column("MICROSECOND")
_MINUS_ONE: Element = sa.literal_column("-1")


def is_moment(operand: Element) -> bool:
    """Whether an expression is a date or a time, with which plain numbers cannot be added."""
    return isinstance(operand.type, (types.DateTime, types.Time, sa.Date, sa.Time, sa.DateTime))


def combine(engine: str, operator: str, left: Element, right: Element) -> Element:
    """`left + right` or `left - right`, one of them a date or a time.

    Raises `NotSupportedError` for what only PostgreSQL can compute.
    """
    if engine == "postgresql":
        return left + right if operator == "+" else left - right
    if isinstance(left.type, types.DateTime) and isinstance(right.type, types.Duration) and operator in "+-":
        return _shifted(engine, left, right if operator == "+" else right.op("*")(_MINUS_ONE))
    if isinstance(right.type, types.DateTime) and isinstance(left.type, types.Duration) and operator == "+":
        return _shifted(engine, right, left)
    if isinstance(left.type, types.DateTime) and isinstance(right.type, types.DateTime) and operator == "-":
        return _between(engine, left, right)
    raise NotSupportedError(
        f"{engine} has no {operator!r} for {_name(left.type)} and {_name(right.type)}. "
        "Possible are a DateTime and a Duration, and the difference of two DateTimes."
    )


def _shifted(engine: str, moment: Element, duration: Element) -> Element:
    if engine == "mysql":
        return sa.func.timestampadd(_MICROSECOND, duration, moment, type_=moment.type)
    return sa.func.orm_shift(moment, duration, type_=moment.type)


def _between(engine: str, later: Element, earlier: Element) -> Element:
    if engine == "mysql":
        return sa.func.timestampdiff(_MICROSECOND, earlier, later, type_=types.Duration())
    return sa.func.orm_between(earlier, later, type_=types.Duration())


def _name(kind: Any) -> str:
    return str(type(kind).__name__)
