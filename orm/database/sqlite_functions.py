"""SQL functions that every SQLite connection gets: what SQLite lacks, or has for ASCII only, or in some builds only.

All of them give NULL where an operand is NULL, and the mathematical ones also where there is no result.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from orm.database.containment import contains
from orm.database.sqlite_moments import FUNCTIONS as MOMENTS


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _regexp(pattern: str | None, text: object) -> bool | None:
    return None if pattern is None or text is None else _compiled(pattern).search(str(text)) is not None


# ---------------------------------------------------------------- moments


def _parsed(parse: Callable[[str], str]) -> Callable[[str | None], str | None]:
    """A function that reads what people write; NULL for what it cannot read."""

    def function(text: str | None) -> str | None:
        if text is None:
            return None
        try:
            return parse(text)
        except ValueError:
            return None

    return function


# ---------------------------------------------------------------- text


def _fold(text: object) -> str | None:
    return None if text is None else str(text).casefold()


def _lower(text: object) -> str | None:
    """Letter by letter, as the servers do it: 'İ' becomes one letter, and a final 'Σ' is one like any other."""
    if text is None:
        return None
    given = str(text)
    return given.lower() if given.isascii() else "".join([letter.lower()[0] for letter in given])


def _upper(text: object) -> str | None:
    """Letter by letter, as the servers do it: 'ß' has no upper case of one letter and stays."""
    if text is None:
        return None
    given = str(text)
    if given.isascii():
        return given.upper()
    return "".join([upper if len(upper := letter.upper()) == 1 else letter for letter in given])


def _repeat(text: str | None, count: int | None) -> str | None:
    return None if text is None or count is None else text * count


def _reverse(text: str | None) -> str | None:
    return None if text is None else text[::-1]


def _padding(text: str, length: int, fill: str) -> str:
    missing = max(length - len(text), 0)
    return (fill * missing)[:missing]


def _lpad(text: str | None, length: int | None, fill: str | None) -> str | None:
    if text is None or length is None or fill is None:
        return None
    return (_padding(text, length, fill) + text)[: max(length, 0)] if len(text) < length else text[: max(length, 0)]


def _rpad(text: str | None, length: int | None, fill: str | None) -> str | None:
    if text is None or length is None or fill is None:
        return None
    return (text + _padding(text, length, fill))[: max(length, 0)]


def _hash(algorithm: str) -> Callable[[str | None], str | None]:
    def digest(text: str | None) -> str | None:
        if text is None:
            return None
        return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()

    return digest


# ---------------------------------------------------------------- numbers


def _of_one(compute: Callable[[float], float]) -> Callable[[float | None], float | None]:
    def function(x: float | None) -> float | None:
        if x is None:
            return None
        try:
            return compute(x)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return function


def _of_two(compute: Callable[[float, float], float]) -> Callable[[float | None, float | None], float | None]:
    def function(x: float | None, y: float | None) -> float | None:
        if x is None or y is None:
            return None
        try:
            return compute(x, y)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return function


def _whole(round_: Callable[[float], int]) -> Callable[[float | None], float | None]:
    """A function that rounds to a whole number, and keeps whether it is an integer to SQLite."""

    def function(x: float | None) -> float | None:
        return x if x is None or isinstance(x, int) else float(round_(x))

    return function


def _round(x: float | None, places: int | None) -> float | None:
    """Halves away from zero, of the decimal number that the float stands for."""
    if x is None or places is None:
        return None
    if isinstance(x, int) and places >= 0:
        return x
    try:
        found = Decimal(repr(x)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    except InvalidOperation:  # it has fewer digits than that
        return x
    return int(found) if isinstance(x, int) else float(found)


def _decimal_mod(x: float | None, y: float | None) -> float | None:
    """The remainder, with the sign of the dividend, of the decimal numbers that the floats stand for."""
    return None if x is None or y is None or y == 0 else float(Decimal(repr(x)) % Decimal(repr(y)))


def _power(x: float, y: float) -> float:
    return math.pow(x, y)


_ONE: Final[Mapping[str, Callable[[float], float]]] = {
    "acos": math.acos,
    "asin": math.asin,
    "atan": math.atan,
    "cos": math.cos,
    "cot": lambda x: 1 / math.tan(x),
    "degrees": math.degrees,
    "exp": math.exp,
    "ln": math.log,
    "radians": math.radians,
    "sin": math.sin,
    "sqrt": math.sqrt,
    "tan": math.tan,
}
_HASHES: Final = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")


def _json_contains(document: str | float | None, part: str | float | None) -> bool | None:
    """Whether a JSON value contains another one, as PostgreSQL's `@>` says; SQLite has no such function.

    A column of type JSON keeps a number as one, not as a text: its name gives it the affinity NUMERIC.
    """
    if document is None or part is None:
        return None
    whole, wanted = (json.loads(value) if isinstance(value, str) else value for value in (document, part))
    return contains(whole, wanted, top=True)


FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {
        "orm_fold": _fold,
        "orm_regexp": _regexp,
        "REGEXP": _regexp,
        **MOMENTS,
        "orm_json_contains": _json_contains,
        # As SQLAlchemy keeps them:
        "orm_date": _parsed(lambda text: date.fromisoformat(text).isoformat()),
        "orm_datetime": _parsed(lambda text: datetime.fromisoformat(text).isoformat(" ", "microseconds")),
        "orm_time": _parsed(lambda text: time.fromisoformat(text).isoformat("microseconds")),
        "orm_lower": _lower,
        "orm_upper": _upper,
        "orm_repeat": _repeat,
        "orm_reverse": _reverse,
        "orm_lpad": _lpad,
        "orm_rpad": _rpad,
        "orm_ceil": _whole(math.ceil),
        "orm_floor": _whole(math.floor),
        "orm_round": _round,
        "orm_decimal_mod": _decimal_mod,
        "orm_float_mod": _of_two(math.fmod),
        "orm_atan2": _of_two(math.atan2),
        "orm_power": _of_two(_power),
        **{f"orm_{name}": _of_one(compute) for name, compute in _ONE.items()},
        **{f"orm_{name}": _hash(name) for name in _HASHES},
    }
)
"""Deterministic SQL functions that every connection has. `x REGEXP y` calls `REGEXP(y, x)`."""
