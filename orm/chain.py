"""`Chain`: what every query set can be told: which rows, in which order, how many. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, Self, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import annotating, combining, comments, lookups
from orm.conditions import Constant, negate
from orm.database import Database
from orm.database.timeouts import is_duration
from orm.exceptions import FieldError, InterfaceError, ValidationError
from orm.expressions import Condition, Expression, Ordering, Reference
from orm.hierarchy import without_steps
from orm.ordering import ordering
from orm.parameters import Param, RowCount, Slot
from orm.plans import Plan
from orm.prefetch import Prefetch, default_order
from orm.query import Node, Query, QueryHolder
from orm.schema import Schema
from orm.sources import CTE
from orm.specs import EVERY_FILTER

MOST_ROWS = 2**63 - 1
DEFAULT_CHUNK = 1000
"""How many rows are read at a time when a query set is iterated."""


class Chain(QueryHolder):
    """An immutable description of one query. Every method returns a new one."""

    __slots__ = ("_comment", "_database", "_every", "prefetches", "time_limit")

    def __init__(self, query: Query, database: Database | None = None) -> None:
        self.query = query
        self._database = database
        self._every = False
        self._comment = ""
        self.prefetches: tuple[Prefetch, ...] = ()
        self.time_limit: float | None = None
        """How long each of its statements may take."""

    def _with(self, query: Query) -> Self:
        new = object.__new__(type(self))
        new.query = query
        new._database = self._database
        new._every = self._every
        new._comment = self._comment
        new.prefetches = self.prefetches
        new.time_limit = self.time_limit
        return new

    @property
    def _schema(self) -> Schema:
        return self.query.schema

    def _target(self) -> Database:
        return self._database if self._database is not None else self.query.schema.database

    def all(self) -> Self:
        """The same rows; spells out that an update or delete of all of them is meant."""
        new = self._with(self.query)
        new._every = True
        return new

    def none(self) -> Self:
        """No rows; nothing is sent to the database."""
        return self._with(self.query.replace(empty=True))

    def filter(self, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> Self:
        """Only the rows that meet all the conditions; those of one call are about the same related row."""
        return self._where(conditions, words, negated=False)

    def exclude(self, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> Self:
        """Only the rows that do not meet the conditions, those where they are unknown (NULL) included."""
        return self._where(conditions, words, negated=True)

    def _where(self, conditions: tuple[Any, ...], words: dict[str, Any], *, negated: bool) -> Self:
        query = self.query
        if not conditions and not words:
            return self._with(query)
        if query.sliced:
            self._refuse_slice("filter")
        found = lookups.conditions(query, conditions, words)
        if negated:
            found = negate(found)
        if query.annotations or annotating.is_computed(found):
            return self._with(annotating.filtered(query, found))
        new = query.copy()
        if isinstance(found, Constant):
            new.empty = query.empty or not found.truth
        else:
            new.where = (*query.where, found)
        return self._with(new)

    def unfiltered(self, *names: str) -> Self:
        """The rows that the default filters of `Meta` hide, too: of this model, and of all that the query goes over.

        Args:
            names: lift the filters of these names only.

        Raises:
            FieldError: no model has a default filter of that name, or the rows are those of a set operation.
        """
        if self.query.source is not None:
            raise FieldError("Rows that were put together are filtered already. Call unfiltered() on each query set.")
        known = self._schema.registry.filter_names()
        for name in names:
            if name not in known:
                choices = ", ".join(known) or "(none)"
                raise FieldError(f"No model has a default filter {name!r}. Choose from: {choices}.")
        return self._selecting(lifted=self.query.selection.lifted | frozenset(names or (EVERY_FILTER,)))

    def union(self, *others: Self, all: bool = False) -> Self:
        """The rows of these query sets too, each row once; with `all=True` as often as it comes."""
        return self._combined("union all" if all else "union", others)

    def intersection(self, *others: Self) -> Self:
        """The rows that all of these query sets have."""
        return self._combined("intersection", others)

    def difference(self, *others: Self) -> Self:
        """The rows that none of these query sets has."""
        return self._combined("difference", others)

    def _combined(self, operator: str, others: tuple[object, ...]) -> Self:
        for chain in (self, *others):
            if isinstance(chain, Chain) and chain._database is not self._database:
                raise FieldError("Rows of two databases cannot be put together in one statement.")
        return self._with(combining.combined(operator, self.query, others))

    def with_cte(self, cte: CTE, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> Self:
        """Join the rows with those of a common table expression: a row comes once for each that meets the conditions.

        `employees.with_cte(chain, id=chain.c.id)`. Its columns can then be used like fields: `chain.c.depth`.
        """
        if self.query.sliced:
            self._refuse_slice("join")
        return self._with(combining.joined(self.query, cte, conditions, words))

    def annotate(self, **expressions: Expression | Condition | sa.ColumnElement[Any]) -> Self:
        """Read the values of these expressions, too: as attributes of instances, or as further columns of `values()`.

        After `values()`, an aggregate groups the rows by the columns so far. Raises `FieldError`.
        """
        return self._annotated(expressions, read=True)

    def alias(self, **expressions: Expression | Condition | sa.ColumnElement[Any]) -> Self:
        """Give expressions a name for `filter`, `order_by` and other expressions, without reading them."""
        return self._annotated(expressions, read=False)

    def _annotated(self, expressions: Mapping[str, Any], *, read: bool) -> Self:
        if self.query.sliced:
            self._refuse_slice("annotate")
        return self._with(annotating.annotated(self.query, expressions, read=read))

    def _refuse_slice(self, what: str) -> NoReturn:
        raise FieldError(f"Cannot {what} a query set that has a limit or an offset. Do it before the slice.")

    def order_by(self, *terms: str | Expression | Ordering | sa.ColumnElement[Any]) -> Self:
        """In this order: names (`"-name"` for descending), columns, expressions; without terms in no order."""
        if self.query.sliced:
            self._refuse_slice("order")
        order = tuple([self._term(term) for term in terms])
        return self._with(self.query.replace(order=order))

    def _term(self, term: Any) -> Ordering:
        found = ordering(self.query, term)
        if self.query.groups is not None or found.parts[0].parts:
            annotating.check_order(self.query, found)
        return found

    def reverse(self) -> Self:
        """In the opposite order."""
        if self.query.sliced:
            self._refuse_slice("reverse")
        return self._with(self.query.replace(order=self._reversed()))

    def _reversed(self) -> tuple[Node, ...]:
        return tuple([cast("Ordering", term).reversed() for term in self._definite_order()])

    def _order(self) -> tuple[Node, ...]:
        return default_order(self._schema) if self.query.order is None else self.query.order

    def _definite_order(self) -> tuple[Node, ...]:
        """The order asked for, else the model's, else that of the key."""
        return self._order() or annotating.order_of_groups(self.query)

    def distinct(self) -> Self:
        """Without equal rows."""
        return self._selecting(distinct=True)

    def limit(self, number: int) -> Self:
        """At most so many rows; 0 means none."""
        return self._with(self.query.replace(limit=_row_number(number, "limit")))

    def offset(self, number: int) -> Self:
        """Without the first so many rows."""
        return self._with(self.query.replace(offset=_row_number(number, "offset")))

    def using(self, database: Database) -> Self:
        """From another database than the registry's; instances remember it."""
        if not isinstance(database, Database):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(f"using takes an orm.Database, as in using(replica), not {database!r}.")
        new = self._with(self.query)
        new._database = database
        return new

    def timeout(self, seconds: float) -> Self:
        """The same rows, but each statement that reads, updates or deletes them may take only so long.

        It raises `QueryTimeout` then, and the database stops working on it. When the database has a `query_timeout`,
        the shorter of the two counts.
        """
        if not is_duration(seconds):
            message = f"timeout is a number of seconds, more than 0, not {seconds!r}."
            raise ValidationError.single("timeout", message, seconds)
        new = self._with(self.query)
        new.time_limit = seconds
        return new

    def comment(self, text: str) -> Self:
        """Send a comment with every statement: `/* … */` at its end, for logs and the server's list of activity.

        It is no part of the query: plans are shared by query sets with any comments. The last one wins; an empty text
        takes it away.

        Args:
            text: one line of printable characters, at most 500, without `/*` and `*/`.

        Raises:
            ValidationError: the text could be anything else than a comment.
        """
        new = self._with(self.query)
        new._comment = comments.ending(text)
        return new

    def _commented(self, sql: str, dialect: Dialect) -> str:
        """SQL as it is sent."""
        return comments.commented(sql, self._comment, dialect) if self._comment else sql

    def _send(self, plan: Plan, values: Sequence[Any], database: Database) -> Awaitable[Sequence[Sequence[Any]]]:
        """Run a plan that reads, and give the driver's rows. Not a coroutine of its own: it is on the hot path."""
        sql = self._commented(plan.sql, database.dialect)
        return database.fetch(sql, plan.bind(values), write=plan.writes, info=plan, timeout=self.time_limit)

    def _selecting(self, **changes: Any) -> Self:
        return self._with(self.query.replace(selection=replace(self.query.selection, **changes)))

    if TYPE_CHECKING:  # a checker that sees __iter__ would let a missing await through

        def __getitem__(self, part: slice, /) -> Self: ...

    else:

        def __getitem__(self, part):
            return self._slice(part)

        def __iter__(self):
            raise InterfaceError(
                f"{self!r} was not awaited. Write `for row in await …`, or `async for row in …` to stream."
            )

        def __len__(self):
            raise InterfaceError(f"{self!r} was not awaited. Write `len(await …)`, or `await ….count()`.")

        def __bool__(self):
            raise InterfaceError(f"{self!r} was not awaited. Write `await ….exists()`.")

    def _slice(self, part: Any) -> Self:
        if not isinstance(part, slice) or part.step is not None:  # pyright: ignore[reportUnknownMemberType]
            raise FieldError(f"A query set takes slices [a:b], not [{part!r}]. For one row: .offset(n).first().")
        bounds = cast("Any", part)
        for end in (bounds.start, bounds.stop, self.query.limit, self.query.offset):
            if type(end) is not int and isinstance(end, (Param, RowCount)):
                raise FieldError("A slice takes numbers only. With a Param, write offset(…) and limit(…), once each.")
        start = row_count(bounds.start or 0, "offset")
        limit = None if bounds.stop is None else max(0, row_count(bounds.stop, "limit") - start)
        query = self.query
        if query.limit is not None:
            rest = max(0, query.limit - start)
            limit = rest if limit is None else min(limit, rest)
        offset = (query.offset or 0) + start
        return self._with(query.replace(limit=limit, offset=offset or None))

    def _ready(self) -> Query:
        """The query as it is sent: in the model's own order, unless another one was asked for."""
        query = self.query
        if query.order is None:
            query = query.replace(order=default_order(query.schema))
        return _distinct_order(query, chosen=self.query.order is not None) if query.selection.distinct else query


def _distinct_order(query: Query, *, chosen: bool) -> Query:
    """Distinct rows can only be in the order of what is read: leave the model's own order out, refuse the user's."""
    order = query.order or ()
    possible = tuple([term for term in order if _is_read(query, term.parts[0])])
    if chosen and len(possible) < len(order):
        left_out = next(term for term in order if not _is_read(query, term.parts[0]))
        raise FieldError(f"distinct() cannot order by {left_out.parts[0]!r}, which is not read. Read it, too.")
    return query.replace(order=possible)


def _is_read(query: Query, node: Node) -> bool:
    if not isinstance(node, Reference):
        return True
    if query.columns is not None:
        return any(column is node for column in query.columns)
    whole = without_steps(node.path)
    return not whole or any(path[: len(whole)] == whole for path in query.selection.related)


def _row_number(number: Any, name: str) -> Any:
    if isinstance(number, Param):
        return RowCount(Slot(number, name, partial(row_count, name=name)))
    return row_count(number, name)


def row_count(number: Any, name: str) -> int:
    """A number of rows. Raises `ValidationError` for anything else."""
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= MOST_ROWS:
        raise ValidationError.single(name, f"{name} is a number of rows, at least 0, not {number!r}.", number)
    return number


def at_least_one(number: Any, name: str) -> None:
    """Raise `ValidationError` for what is no number of rows, or 0."""
    if row_count(number, name) < 1:
        raise ValidationError.single(name, f"{name} is at least 1, not {number}.", number)
