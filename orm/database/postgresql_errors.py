"""Errors of PostgreSQL and asyncpg in our form, by SQLSTATE (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from typing import Any

from orm.database.interfaces import FeatureNotSupported
from orm.exceptions import (
    CheckViolation,
    DatabaseError,
    DataError,
    DeadlockDetected,
    Error,
    ExclusionViolation,
    ForeignKeyViolation,
    IntegrityError,
    LockTimeout,
    NotNullViolation,
    OperationalError,
    ProgrammingError,
    QueryTimeout,
    SerializationFailure,
    UniqueViolation,
)

asyncpg: Any = importlib.import_module("asyncpg")  # it has no types

_STATES: Mapping[str, type[Error]] = {
    "23001": ForeignKeyViolation,  # RESTRICT, since PostgreSQL 18
    "23502": NotNullViolation,
    "23503": ForeignKeyViolation,
    "23505": UniqueViolation,
    "23514": CheckViolation,
    "23P01": ExclusionViolation,
    "25006": ProgrammingError,  # a write in a read-only transaction
    "40001": SerializationFailure,
    "40P01": DeadlockDetected,
    "44000": CheckViolation,  # WITH CHECK OPTION of a view
    "55P03": LockTimeout,
    "57014": QueryTimeout,
}
_CLASSES: Mapping[str, type[Error]] = {
    "08": OperationalError,
    "0A": FeatureNotSupported,
    "21": ProgrammingError,
    "22": DataError,
    "23": IntegrityError,
    "25": OperationalError,
    "26": OperationalError,
    "28": ProgrammingError,
    "2B": ProgrammingError,
    "34": ProgrammingError,
    "3B": ProgrammingError,
    "3D": ProgrammingError,
    "3F": ProgrammingError,
    "40": OperationalError,
    "42": ProgrammingError,
    "53": OperationalError,
    "54": OperationalError,
    "55": OperationalError,
    "57": OperationalError,
    "58": OperationalError,
}
_LOST_STATES = frozenset({"57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"})
_KEY = re.compile(r"\((.*?)\)=\(")
_IDENTIFIER = re.compile(r'"(?:[^"]|"")+"|[^\W\d][\w$]*')
_QUOTATION_MARKS = re.compile('["«»„“”]')


def ends_session(error: Any) -> bool:
    """Whether the server closes the connection with this error, or the driver made it because it had lost it."""
    state = str(error.sqlstate)
    severity = getattr(error, "severity_en", None) or getattr(error, "severity", None)
    return state.startswith("08") or state in _LOST_STATES or severity in {"FATAL", "PANIC"}


def is_outdated(error: Exception) -> bool:
    """Whether a prepared plan is about a type that has been dropped; the driver tells other stale plans by itself."""
    return isinstance(error, asyncpg.InternalServerError) and "cache lookup failed for type" in str(error)


def translate(error: Any) -> Error:
    """Our error for one that the server answered a statement with."""
    if isinstance(error, asyncpg.InvalidCachedStatementError) or is_outdated(error):
        return SerializationFailure(
            "The tables of this statement were changed while the transaction was open, and its prepared plan no "
            "longer fits; run the transaction again."
        )
    state = str(error.sqlstate)
    kind = _STATES.get(state) or _CLASSES.get(state[:2], DatabaseError)
    message = str(error.args[0]) if error.args else type(error).__name__
    if kind is QueryTimeout and "user request" in message:  # pg_cancel_backend(): nobody's time was up
        kind = OperationalError
    if issubclass(kind, IntegrityError):
        return _violation(kind, error, message)
    return kind("\n".join(filter(None, [message, _labelled("DETAIL", error), _labelled("HINT", error)])))


def _labelled(label: str, error: Any) -> str | None:
    text = getattr(error, label.lower(), None)
    return f"{label}: {text}" if text else None


def _violation(kind: type[IntegrityError], error: Any, message: str) -> IntegrityError:
    """An integrity error with the names that the server tells; its DETAIL, which quotes whole rows, is left out."""
    columns: list[str] = []
    if getattr(error, "column_name", None):
        columns = [str(error.column_name)]
    elif not (kind is ForeignKeyViolation and _is_about_the_target(message)):
        columns = key_columns(str(getattr(error, "detail", None) or ""))
    constraint = getattr(error, "constraint_name", None)
    table = getattr(error, "table_name", None)
    if columns and kind is not NotNullViolation:
        message = f"{message} ({', '.join(columns)})"
    return kind(message, constraint=constraint, table=table, columns=columns)


def key_columns(detail: str) -> list[str]:
    """The columns of `Key (a, b)=(1, 2) already exists.`, in any language; expressions are left out.

    >>> key_columns('Key (a, "B c")=(1, 2) already exists.')
    ['a', 'B c']
    """
    match = _KEY.search(detail)
    if match is None:
        return []
    parts = re.split(r""", (?=(?:[^"]*"[^"]*")*[^"]*$)""", match[1])
    return [
        part[1:-1].replace('""', '"') if part.startswith('"') else part for part in parts if _IDENTIFIER.fullmatch(part)
    ]


def _is_about_the_target(message: str) -> bool:
    """Whether a referenced row was to go: the key in DETAIL is the target's then, the other names the referrer's.

    That message quotes three names (table, constraint, table), that of a missing target two.
    """
    return len(_QUOTATION_MARKS.findall(message)) >= 6
