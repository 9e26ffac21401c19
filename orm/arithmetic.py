"""Arithmetic with numbers, which engines do differently: quotients, remainders, rounding. Pure.

Whole numbers divide to a float, a remainder has the sign of the dividend, and what is divided by zero is NULL.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

from orm.operators import Element

ZERO: Final[Element] = sa.literal_column("0")
_REAL_ZERO: Final[Element] = sa.literal_column("0e0")
_AS_PLUS: Final = 7
_AS_TIMES: Final = 8
"""SQLAlchemy's precedences of `+`, and of `*`, `/` and `%`."""

_PLAIN: dict[str, Callable[[Any, Any], Element]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: a % b,
}


def combine(engine: str, operator: str, left: Element, right: Element, kind: str) -> Element:
    """`left operator right`; `kind` is what that gives."""
    if kind in ("integer", "decimal", "float"):
        if operator == "/":
            return _quotient(engine, left, right, kind)
        if operator == "%":
            return remainder(engine, left, right, kind)
    return _PLAIN[operator](left, right)


def real(engine: str, number: Element) -> Element:
    """A number as a float."""
    if engine == "mysql":
        return number.op("+", precedence=_AS_PLUS)(_REAL_ZERO)  # older versions have no CAST to DOUBLE
    return sa.cast(number, sa.Double() if engine == "postgresql" else sa.REAL())


def _nonzero(engine: str, divisor: Element) -> Element:
    """The divisor, or NULL for zero, by which PostgreSQL refuses to divide, and MySQL within an UPDATE."""
    return divisor if engine == "sqlite" else sa.func.nullif(divisor, ZERO, type_=divisor.type)


def _quotient(engine: str, left: Element, right: Element, kind: str) -> Element:
    if kind == "decimal" and engine == "mysql":
        left = sa.cast(left, sa.Numeric(65, 20))  # a quotient has only four places more than the dividend
    elif kind == "float" or engine == "sqlite":
        left = real(engine, left)
    return left.op("/", precedence=_AS_TIMES)(_nonzero(engine, right))


def remainder(engine: str, left: Element, right: Element, kind: str) -> Element:
    """What is left of a number divided by another one, with its sign."""
    if engine == "sqlite" and kind != "integer":
        return sa.func.orm_decimal_mod(left, right) if kind == "decimal" else sa.func.orm_float_mod(left, right)
    divisor = _nonzero(engine, right)
    if engine == "postgresql" and kind == "float":
        left, divisor = real(engine, left), real(engine, divisor)
        whole: Element = sa.func.trunc(left.op("/", precedence=_AS_TIMES)(divisor), type_=sa.Double())
        return left - divisor * whole
    return left.op("%", precedence=_AS_TIMES)(divisor)


def rounded(engine: str, number: Element, places: int, kind: str) -> Element:
    """A number with so many decimal places, halves away from zero; negative places are before the point."""
    if kind == "float":
        return _rounded_float(engine, number, places)
    if engine == "sqlite":
        return sa.func.orm_round(number, sa.literal_column(str(places)))
    if engine == "postgresql":
        number = sa.cast(number, sa.Numeric())
    return sa.func.round(number, sa.literal_column(str(places)))


def floor(engine: str, number: Element) -> Element:
    """The next lower whole number; SQLite may have been built without one."""
    return sa.func.orm_floor(number) if engine == "sqlite" else sa.func.floor(number)


def _rounded_float(engine: str, number: Element, places: int) -> Element:
    """Engines round floats to even, or away from zero, or not at all: this is the same on all, to the last bit."""
    factor: Element = sa.literal_column(f"1e{abs(places)}", sa.Double())
    scaled = number.op("*" if places >= 0 else "/", precedence=_AS_TIMES)(factor)
    size = floor(engine, sa.func.abs(scaled) + sa.literal_column("0.5e0"))
    size = size.op("/" if places >= 0 else "*", precedence=_AS_TIMES)(factor)
    return sa.case((number < ZERO, -size), else_=size)
