"""SQLite's errors in our form (https://sqlite.org/rescode.html)."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping

from orm.database.interfaces import WriteRefused
from orm.exceptions import (
    CheckViolation,
    DatabaseError,
    DataError,
    ForeignKeyViolation,
    IntegrityError,
    LockTimeout,
    NotNullViolation,
    OperationalError,
    ProgrammingError,
    SerializationFailure,
    UniqueViolation,
)

_CONSTRAINTS: Mapping[int, type[IntegrityError]] = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_ROWID: UniqueViolation,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY: ForeignKeyViolation,
    sqlite3.SQLITE_CONSTRAINT_NOTNULL: NotNullViolation,
    sqlite3.SQLITE_CONSTRAINT_CHECK: CheckViolation,
}

_ERRORS: Mapping[int, type[DatabaseError]] = {
    sqlite3.SQLITE_ERROR: ProgrammingError,
    sqlite3.SQLITE_AUTH: ProgrammingError,
    sqlite3.SQLITE_MISUSE: ProgrammingError,
    sqlite3.SQLITE_RANGE: ProgrammingError,
    sqlite3.SQLITE_READONLY: WriteRefused,
    sqlite3.SQLITE_BUSY: LockTimeout,
    sqlite3.SQLITE_LOCKED: LockTimeout,
    sqlite3.SQLITE_MISMATCH: DataError,
    sqlite3.SQLITE_TOOBIG: DataError,
}
"""By the primary result code; all others are `OperationalError`: the disk, the file, memory, an interrupt."""

_FAILED = re.compile(r"\w+(?: \w+)? constraint failed: (.*)", re.DOTALL)


def is_busy(error: sqlite3.Error) -> bool:
    """Whether another connection has the lock, and it is worth trying again."""
    return getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY)


def translate(error: Exception) -> DatabaseError:
    """Our form of an error of SQLite or of the `sqlite3` module."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    message = str(error)
    if code is None:
        return _refusal(error)
    if code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
        return _violation(code, message)
    if code == sqlite3.SQLITE_BUSY_SNAPSHOT:
        return SerializationFailure(message)
    if message == "user-defined function raised exception":  # a pattern that is no regular expression, a bad date
        return DataError("A function was given a value that it cannot work with, such as a bad regular expression.")
    return _ERRORS.get(code & 0xFF, OperationalError)(message)


def _refusal(error: Exception) -> DatabaseError:
    """What the `sqlite3` module refused before SQLite saw it."""
    message = str(error)
    if isinstance(error, OverflowError | ValueError | sqlite3.InterfaceError | sqlite3.DataError):
        return DataError(message)
    if "type" in message and "not supported" in message:  # "Error binding parameter 1: type 'list' is not supported"
        return DataError(message)
    if isinstance(error, sqlite3.OperationalError):
        return OperationalError(message)
    return ProgrammingError(message)


def _violation(code: int, message: str) -> IntegrityError:
    kind = _CONSTRAINTS.get(code, IntegrityError)
    if message == "FOREIGN KEY constraint failed":  # ON DELETE RESTRICT comes as a trigger's violation
        kind = ForeignKeyViolation
    failed = _FAILED.fullmatch(message)
    names = failed.group(1) if failed else ""
    if kind is CheckViolation:
        return kind(message, constraint=names or None)
    if names.startswith("index "):  # a unique index over an expression
        return kind(message, constraint=names.removeprefix("index ").strip("'"))
    if kind not in (UniqueViolation, NotNullViolation) or not names:
        return kind(message)
    columns = [name.rpartition(".") for name in names.split(", ")]
    return kind(message, table=columns[0][0] or None, columns=[column for _, _, column in columns])
