"""Every error of the library; each one is an `orm.Error`.

    Error
    ├── FieldError                      a name, lookup or option that the schema does not have
    ├── ValidationError (ValueError)    values of a wrong type, over a limit, or missing
    ├── NotLoaded (AttributeError)      a column or relation that was not read from the database
    ├── DoesNotExist                    `get()` found no row; also as `Album.DoesNotExist`
    ├── MultipleObjectsReturned         `get()` found several rows
    ├── InvalidCursor                   `cursor_paginate()` was given a cursor that is none of its query's
    ├── StaleInstance                   the row of an instance is gone, or newer than the instance
    ├── NotSupportedError               the engine or driver cannot do what was asked
    ├── InterfaceError                  the library was used wrongly: not connected, another event loop, …
    ├── TransactionError                a transaction was used wrongly, or was rolled back
    │   └── CommitUnknown               COMMIT was sent and no answer came: nobody knows the outcome
    └── DatabaseError                   the database, or the way to it, answered with an error
        ├── IntegrityError              a constraint was violated
        │   ├── UniqueViolation
        │   ├── ForeignKeyViolation
        │   ├── NotNullViolation
        │   ├── CheckViolation
    │   └── ExclusionViolation          PostgreSQL: another row excludes this one
        ├── OperationalError            not the statement's fault
        │   ├── SerializationFailure    run the transaction again
        │   ├── DeadlockDetected        run the transaction again
        │   ├── LockTimeout             a lock was not granted in time (SQLite: the database is busy)
        │   ├── QueryTimeout            the statement took longer than it was allowed to
        │   ├── ConnectionLost          the server is unreachable, refused us, or went away
        │   └── PoolTimeout             no connection became free in time
        ├── DataError                   a value that the column cannot hold, or the class that rows are built into
        └── ProgrammingError            SQL that the database refuses: syntax, unknown table, …

The driver's own error, where there is one, is the `__cause__`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Error(Exception):
    """The base of every error that this library raises."""


class FieldError(Error):
    """A field, relation, lookup, model or option that does not exist or does not fit."""


class ValidationError(Error, ValueError):
    """Values of a wrong type, over a limit, or missing; nothing was sent to the database.

    `errors()` gives every problem as a mapping with `loc`, `type`, `msg`, `input` and, for limits, `ctx`, in the form
    of pydantic's errors. A problem of no single field has an empty `loc`.

    Args:
        message: a sentence; or the sentences by the names of the fields that they are about, one or several for each.
        errors: the problems; made of the message unless given.
    """

    def __init__(
        self, message: str | Mapping[str, str | Sequence[str]], errors: Sequence[Mapping[str, Any]] = ()
    ) -> None:
        if not isinstance(message, str):
            said = {name: [text] if isinstance(text, str) else text for name, text in message.items()}
            pairs = [(name, text) for name, texts in said.items() for text in texts]
            errors = errors or [{"type": "value_error", "loc": (name,), "msg": text} for name, text in pairs]
            message = "; ".join([f"{name}: {text}" for name, text in pairs])
        super().__init__(message)
        self._errors = tuple(errors) or ({"type": "value_error", "loc": (), "msg": message},)

    @classmethod
    def single(cls, where: str, message: str, value: Any) -> ValidationError:
        """One problem: where it is, the sentence, and the value."""
        return cls(message, [{"type": "value_error", "loc": (where,), "msg": message, "input": value}])

    def errors(self) -> list[dict[str, Any]]:
        """Every problem, one mapping each."""
        return [dict(error) for error in self._errors]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self._errors)


class NotLoaded(Error, AttributeError):
    """An attribute that was not read from the database; the message names the cure."""


class DoesNotExist(Error):
    """No row matches."""


class MultipleObjectsReturned(Error):
    """More than one row matches."""


class InvalidCursor(Error):
    """A cursor that is malformed or was changed, that is not signed, or that belongs to another query."""


class StaleInstance(Error):
    """The row of an instance no longer exists, or has another version than the instance."""


class NotSupportedError(Error):
    """The database or its driver cannot do what was asked."""


class InterfaceError(Error):
    """The library was used in a way that cannot work: not connected, in another event loop, …"""


class TransactionError(Error):
    """A transaction was used wrongly, or was rolled back although its block ended without an exception."""


class CommitUnknown(TransactionError):
    """COMMIT was sent and no answer came: the transaction may be committed, or not."""


class DatabaseError(Error):
    """The database, or the way to it, answered with an error.

    Attributes:
        ends_transaction: whether the error ended the whole open transaction, not just its statement: the server has
            rolled back (or, before DDL on MySQL, committed) what came before.
    """

    ends_transaction: bool = False


class IntegrityError(DatabaseError):
    """A constraint was violated; names are given where the server tells them.

    Attributes:
        constraint: the name of the constraint, or `None`.
        table: the name of the table, or `None`.
        columns: the names of the columns, as far as they are known.
        model: the name of the model, when the statement came from one.
        fields: the names of the model's fields, when the statement came from one.
        violation_message: what the constraint says to users, if it was given a `violation_message`.
    """

    def __init__(
        self,
        message: str,
        *,
        constraint: str | None = None,
        table: str | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        super().__init__(message)
        self.constraint = constraint
        self.table = table
        self.columns = tuple(columns)
        self.model: str | None = None
        self.fields: tuple[str, ...] = ()
        self.violation_message: str | None = None


class UniqueViolation(IntegrityError):
    """Another row has the same unique values."""


class ForeignKeyViolation(IntegrityError):
    """A row refers to one that does not exist, or one that is still referred to was to be removed."""


class NotNullViolation(IntegrityError):
    """A column that must have a value was left without one."""


class CheckViolation(IntegrityError):
    """A CHECK constraint was violated."""


class ExclusionViolation(IntegrityError):
    """Another row excludes this one; PostgreSQL alone has such constraints."""


class OperationalError(DatabaseError):
    """Something went wrong that is not the statement's fault."""


class SerializationFailure(OperationalError):
    """The transaction conflicts with a concurrent one: nothing was written; run it again."""


class DeadlockDetected(OperationalError):
    """The transaction was chosen to end a deadlock: nothing was written; run it again."""


class LockTimeout(OperationalError):
    """A lock was not granted in time."""


class QueryTimeout(OperationalError):
    """The statement took longer than it was allowed to."""


class ConnectionLost(OperationalError):
    """The server cannot be reached, refused the connection, or went away."""


class PoolTimeout(OperationalError):
    """No connection of the pool became free in time."""


class DataError(DatabaseError):
    """A value that the column cannot hold, or a row that the class of `into()` refuses."""


class ProgrammingError(DatabaseError):
    """SQL that the database refuses: a syntax error, an unknown table, missing rights, …"""
