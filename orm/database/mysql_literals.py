"""Values as literals of MySQL and MariaDB: both speak text to their drivers, so values are written into the SQL.

The drivers' own escaping is not used: it differs between them, lets infinities and unknown types through as text, and
depends on the version of a third package. This one counts on what our connections set: utf8mb4, and an sql_mode
without NO_BACKSLASH_ESCAPES.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from orm.exceptions import DataError, ProgrammingError

_SPECIAL = re.compile("[\0\n\r\x1a\"'\\\\]")
_ESCAPES = str.maketrans(
    {"\0": "\\0", "\n": "\\n", "\r": "\\r", "\x1a": "\\Z", '"': '\\"', "'": "\\'", "\\": "\\\\"}
)  # https://dev.mysql.com/doc/refman/8.4/en/string-literals.html


def format_statement(sql: str, arguments: Sequence[Any]) -> str:
    """The statement with its arguments in place of `%s`, and `%` for every `%%`, also without arguments.

    Bytes become characters that `surrogateescape` turns into the same bytes again.

    Raises:
        DataError: a value that has no literal.
        ProgrammingError: the numbers of placeholders and arguments differ, or a `%` is not doubled.
    """
    literals = tuple([literal(argument) for argument in arguments])
    try:
        return sql % literals
    except (TypeError, ValueError):
        raise ProgrammingError(
            f"The statement does not fit its {len(literals)} arguments. "
            "It must have one %s for each, and every other percent sign doubled."
        ) from None


def literal(value: Any) -> str:
    """The SQL literal of a value. Raises `DataError` for a type or value that MySQL has no literal for."""
    encoder = _ENCODERS.get(value.__class__)
    if encoder is None:
        encoder = _inherited_encoder(value)
    try:
        return encoder(value)
    except (ValueError, OverflowError) as error:  # lone surrogates, or more digits than Python writes
        raise DataError(f"A {type(value).__name__} cannot be sent to MySQL: {error}") from error


def _inherited_encoder(value: Any) -> Callable[[Any], str]:
    for kind, encoder in _ENCODERS.items():
        if isinstance(value, kind):
            return encoder
    choices = ", ".join("None" if kind is type(None) else kind.__name__ for kind in _ENCODERS)
    raise DataError(f"A {type(value).__name__} cannot be sent to MySQL. Choose from: {choices}.")


def _null(value: None) -> str:
    return "NULL"


def _text(value: str) -> str:
    if not value.isascii():
        value.encode()  # a lone surrogate would be sent as a stray byte
    # A subclass (an enumeration of texts) may have its own idea of str(): its methods give plain text.
    return f"'{value.translate(_ESCAPES) if _SPECIAL.search(value) else str.__str__(value)}'"


def _binary(value: bytes | bytearray | memoryview) -> str:
    text = bytes(value).decode("ascii", "surrogateescape")
    return f"_binary'{text.translate(_ESCAPES)}'"


def _boolean(value: bool) -> str:
    return "1" if value else "0"


def _float(value: float) -> str:
    if not math.isfinite(value):
        raise DataError(f"{float.__repr__(value)} cannot be sent to MySQL, whose numbers are all finite.")
    text = float.__repr__(value)
    return text if "e" in text else f"{text}e0"  # without an exponent it would be a DECIMAL


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise DataError(f"{value} cannot be sent to MySQL, whose numbers are all finite.")
    return format(value, "f")


def _datetime(value: datetime.datetime) -> str:
    if value.tzinfo is not None:  # the session's time zone is UTC
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return f"'{value.isoformat(' ')}'"


def _date(value: datetime.date) -> str:
    return f"'{value.isoformat()}'"


def _time(value: datetime.time) -> str:
    if value.tzinfo is not None:
        raise DataError("A time with a time zone cannot be sent to MySQL, which has no type for it.")
    return f"'{value.isoformat()}'"


def _timedelta(value: datetime.timedelta) -> str:
    sign = "-" if value < datetime.timedelta() else ""
    value = abs(value)
    minutes, seconds = divmod(value.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"'{sign}{hours + value.days * 24:02}:{minutes:02}:{seconds:02}{fraction}'"


_ENCODERS: Mapping[type, Callable[[Any], str]] = {
    type(None): _null,
    bool: _boolean,
    int: int.__repr__,
    float: _float,
    Decimal: _decimal,
    str: _text,
    bytes: _binary,
    bytearray: _binary,
    memoryview: _binary,
    datetime.datetime: _datetime,
    datetime.date: _date,
    datetime.time: _time,
    datetime.timedelta: _timedelta,
}
"""By type; subclasses before their bases: a bool is an int, a datetime a date."""
