"""What constraints and indexes ask of an engine beyond columns, and which of the engines have it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex

from orm.engines import engine_name
from orm.exceptions import NotSupportedError

NULLS_NOT_DISTINCT: Final = (15,)
"""Since which version PostgreSQL has it (https://www.postgresql.org/docs/15/release-15.html)."""

PREFIXES: Final = ("fulltext", "spatial")
"""Kinds of indexes that MySQL names before INDEX, and not after USING."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What one constraint or index asks for.

    Attributes:
        what: the constraint or the index, for messages.
        condition: only the rows that meet a condition are in it.
        include: it has the values of further columns.
        nulls_equal: NULL equals NULL.
        deferrable: it may be checked at the end of the transaction.
        method: its access method, where one is named.
        operator_classes: it names operator classes.
        exclusion: it compares rows by operators.
        generated: it is no constraint and no index, but a column that is computed.
    """

    what: str
    condition: bool = False
    include: bool = False
    nulls_equal: bool = False
    deferrable: bool = False
    method: str | None = None
    operator_classes: bool = False
    exclusion: bool = False
    generated: bool = False

    def check(self, dialect: Dialect) -> None:
        """Raise `NotSupportedError`, which says what is possible instead, for what the engine does not have."""
        missing_in = _MISSING.get(dialect.name)  # there is none for SQLAlchemy's dialect of no engine
        missing = None if missing_in is None else missing_in(self)
        if missing is not None:
            thing, cure = missing
            raise NotSupportedError(f"{engine_name(dialect)} has no {thing}, here {self.what}. {cure}")
        version: tuple[Any, ...] = getattr(dialect, "server_version_info", None) or ()
        if self.nulls_equal and version and version < NULLS_NOT_DISTINCT:
            raise NotSupportedError(
                f"PostgreSQL lets NULL equal NULL in {self.what} since version {NULLS_NOT_DISTINCT[0]} only. Use an "
                "expression that is never NULL: Coalesce(…)."
            )


def refuse_lost_condition(
    connection: sa.Connection, statement: object, _many: object, _parameters: object, _options: object
) -> None:
    """Refuse a unique index of a revision whose condition is for other engines only: it would be about all rows.

    A listener to `before_execute` of SQLAlchemy's.
    """
    if not isinstance(statement, CreateIndex) or not statement.element.unique:
        return
    index, dialect = statement.element, connection.dialect
    given = [name for name, value in index.dialect_kwargs.items() if name.endswith("_where") and value is not None]
    if given and f"{dialect.name}_where" not in given:
        Needs(f"the unique index {index.name!r}", condition=True).check(dialect)
        raise NotSupportedError(
            f"The unique index {index.name!r} has a condition for other engines, and none for {engine_name(dialect)}. "
            f"Give it {dialect.name}_where=…, too."
        )


def _postgresql(needs: Needs) -> tuple[str, str] | None:
    if needs.method in PREFIXES:
        return f"method {needs.method!r}", "For full text it has 'gin', over orm.postgresql.SearchVector(…)."
    return None


def _elsewhere(needs: Needs) -> tuple[str, str] | None:
    """What PostgreSQL alone has."""
    if needs.exclusion:
        return "exclusion constraints", "PostgreSQL has them: check before you write, in a serializable transaction."
    if needs.include:
        return "included columns", "Leave include out, or make an index of its own over all of them."
    if needs.deferrable:
        return "unique constraints that can be deferred", "Leave deferrable out, and write in an order that keeps it."
    if needs.nulls_equal:
        return "unique constraints to which NULLs are equal", "Leave nulls_distinct out, or give a value for none."
    if needs.operator_classes:
        return "operator classes", "Leave operator_classes out."
    return None


def _sqlite(needs: Needs) -> tuple[str, str] | None:
    if needs.method not in (None, "btree"):
        return f"method {needs.method!r}", "All its indexes are B-trees: leave the method out."
    return _elsewhere(needs)


def _mysql(needs: Needs) -> tuple[str, str] | None:
    if needs.condition:
        cure = "Keep the values in a field that is NULL where the condition is not met, and name that field instead."
        return "conditions in indexes and unique constraints", cure
    if needs.method == "hash":
        return "hash indexes (InnoDB makes a B-tree of one)", "Leave the method out."
    if needs.method not in (None, "btree", *PREFIXES):
        return f"method {needs.method!r}", "It has 'btree', 'fulltext' and 'spatial'."
    return _elsewhere(needs)


_MISSING: Final = {"postgresql": _postgresql, "sqlite": _sqlite, "mysql": _mysql}
"""What an engine does not have of what is asked for, and what to do instead."""
