"""Texts and names as databases take them. Pure."""

from __future__ import annotations

import re
from typing import Final

from orm.exceptions import ValidationError

_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """`InvoiceLine` becomes `invoice_line`, `HTTPLog` becomes `http_log`."""
    return _WORD_START.sub("_", name).lower()


def check_text(name: str, value: object) -> str:
    """A text, as it is. Raises `ValidationError`, under a name, for what is none and for one that no database takes."""
    if not isinstance(value, str):
        raise ValidationError.single(name, f"{name} takes a text, not {value!r}.", value)
    if "\0" in value:
        raise ValidationError.single(name, f"{name}: a text with a NUL character cannot be in a database.", value)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            message = f"{name}: {value!r} has surrogates and is no valid text."
            raise ValidationError.single(name, message, value) from None
    return value


def quoted(text: str, engine: str) -> str:
    """A text in quotes; MySQL reads a backslash as an escape."""
    escaped = text.replace("\\", "\\\\") if engine == "mysql" else text
    return "'" + escaped.replace("'", "''") + "'"
