"""`Rows`: the chain of a query, and reading what it finds. `QuerySet` adds what concerns instances."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, Self, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as sqlite_dialect

from orm import cursors, lookups, pagination, plans
from orm.columns import Step, words_of
from orm.cursors import CursorPage
from orm.database import Database
from orm.exceptions import FieldError, InterfaceError, ValidationError
from orm.expressions import Condition, Constant, Expression, Ordering, Reference
from orm.loader import Loader
from orm.pagination import Page
from orm.prefetch import Prefetch, default_order, prefetch
from orm.query import Node, Query, QueryHolder
from orm.schema import Instance, Schema

T = TypeVar("T")
DEFAULT_CHUNK = 1000
"""How many rows are read at a time when a query set is iterated."""
_MOST_ROWS = 2**63 - 1


class Rows(QueryHolder, Generic[T]):
    """An immutable description of one query that gives `T` for each row. Every method returns a new one.

    Awaiting it runs it and gives a list; `async for` streams.
    """

    __slots__ = ("_database", "_every", "prefetches")

    def __init__(self, query: Query, database: Database | None = None) -> None:
        self.query = query
        self._database = database
        self._every = False
        self.prefetches: tuple[Prefetch, ...] = ()

    def _with(self, query: Query) -> Self:
        new = object.__new__(type(self))
        new.query = query
        new._database = self._database
        new._every = self._every
        new.prefetches = self.prefetches
        return new

    @property
    def _schema(self) -> Schema:
        return self.query.schema

    def _target(self) -> Database:
        return self._database if self._database is not None else self.query.schema.database

    # ------------------------------------------------------------ the chain

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
        found = lookups.conditions(query.schema, conditions, words)
        if negated:
            found = lookups.negate(found)
        new = query.copy()
        if isinstance(found, Constant):
            new.empty = query.empty or not found.truth
        else:
            new.where = (*query.where, found)
        return self._with(new)

    def _refuse_slice(self, what: str) -> NoReturn:
        raise FieldError(f"Cannot {what} a query set that has a limit or an offset. Do it before the slice.")

    def order_by(self, *terms: str | Expression | Ordering | sa.ColumnElement[Any]) -> Self:
        """In this order: names (`"-name"` for descending), columns, expressions; without terms in no order."""
        if self.query.sliced:
            self._refuse_slice("order")
        order = tuple([lookups.ordering(self._schema, term) for term in terms])
        return self._with(self.query.replace(order=order))

    def reverse(self) -> Self:
        """In the opposite order."""
        if self.query.sliced:
            self._refuse_slice("reverse")
        return self._with(self.query.replace(order=self._reversed()))

    def _reversed(self) -> tuple[Node, ...]:
        order = self._order() or (lookups.ordering(self._schema, self._schema.key.name),)
        return tuple([cast("Ordering", term).reversed() for term in order])

    def _order(self) -> tuple[Node, ...]:
        return default_order(self._schema) if self.query.order is None else self.query.order

    def distinct(self) -> Self:
        """Without equal rows."""
        return self._selecting(distinct=True)

    def limit(self, number: int) -> Self:
        """At most so many rows; 0 means none."""
        return self._with(self.query.replace(limit=_row_count(number, "limit")))

    def offset(self, number: int) -> Self:
        """Without the first so many rows."""
        return self._with(self.query.replace(offset=_row_count(number, "offset")))

    def using(self, database: Database) -> Self:
        """From another database than the registry's; instances remember it."""
        new = self._with(self.query)
        new._database = database
        return new

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
        start = _row_count(bounds.start or 0, "offset")
        limit = None if bounds.stop is None else max(0, _row_count(bounds.stop, "limit") - start)
        query = self.query
        if query.limit is not None:
            rest = max(0, query.limit - start)
            limit = rest if limit is None else min(limit, rest)
        offset = (query.offset or 0) + start
        return self._with(query.replace(limit=limit, offset=offset or None))

    # ------------------------------------------------------------ running it

    def _ready(self) -> Query:
        """The query as it is sent: in the model's own order, unless another one was asked for."""
        query = self.query
        if query.order is None:
            query = query.replace(order=default_order(query.schema))
        return _distinct_order(query, chosen=self.query.order is not None) if query.selection.distinct else query

    async def _fetch(self) -> list[T]:
        query = self._ready()
        if query.empty or query.limit == 0:
            return []
        bound = self._database is not None
        database = self._database if self._database is not None else query.schema.database
        plan, values = plans.select_plan(query, database, bound=bound)
        rows = await database.fetch(plan.sql, plan.bind(values), write=plan.writes, info=plan)
        result: list[Any] = cast("Loader", plan.load)(rows, self._database)
        if self.prefetches:
            await prefetch(result, self.prefetches, database, bound)
        return result

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._fetch().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return self.iterate()

    async def iterate(self, chunk_size: int = DEFAULT_CHUNK) -> AsyncGenerator[T, None]:
        """Stream the rows; at most `chunk_size` are held at a time."""
        _at_least_one(chunk_size, "chunk_size")
        async with aclosing(self.batches(chunk_size)) as batches:
            async for items in batches:
                for item in items:
                    yield item

    async def batches(self, size: int = DEFAULT_CHUNK) -> AsyncGenerator[list[T], None]:
        """Stream the rows in lists of `size`, the last one shorter; relations are prefetched for each list."""
        _at_least_one(size, "size")
        query = self._ready()
        if query.empty or query.limit == 0:
            return
        bound = self._database is not None
        database = self._target()
        plan, values = plans.select_plan(query, database, bound=bound)
        load = cast("Loader", plan.load)
        async for rows in database.stream(plan.sql, plan.bind(values), chunk_size=size, write=plan.writes, info=plan):
            items: list[Any] = load(rows, self._database)
            if self.prefetches:
                await prefetch(items, self.prefetches, database, bound)
            if items:
                yield items

    async def get(self, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> T:
        """The only row that meets the conditions.

        Raises:
            DoesNotExist: there is none.
            MultipleObjectsReturned: there are several.
        """
        found = await self._one(conditions, words)
        if not found:
            raise self._schema.does_not_exist(f"No {self._schema.name} matches. {self._explanation(conditions, words)}")
        return found[0]

    async def get_or_none(self, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> T | None:
        """The only row that meets the conditions, or `None`. Raises `MultipleObjectsReturned` for several."""
        found = await self._one(conditions, words)
        return found[0] if found else None

    async def _one(self, conditions: tuple[Any, ...], words: dict[str, Any]) -> list[T]:
        narrowed = self._where(conditions, words, negated=False)
        if not self.query.sliced:
            query = narrowed.query = narrowed.query.copy()
            query.limit = 2
            query.order = ()
        found = await narrowed._fetch()
        if len(found) > 1:
            raise self._schema.multiple_objects_returned(
                f"More than one {self._schema.name} matches. Narrow it down, or use first(). "
                f"{self._explanation(conditions, words)}"
            )
        return found

    def _explanation(self, conditions: tuple[Any, ...], words: dict[str, Any]) -> str:
        return f"SQL: {self._where(conditions, words, negated=False)}"

    async def first(self) -> T | None:
        """The first row, in the order asked for, else the model's, else that of the key; `None` without rows."""
        order = self._order() or (lookups.ordering(self._schema, self._schema.key.name),)
        return await self._first_in(order)

    async def last(self) -> T | None:
        """The last row, in the order asked for, else the model's, else that of the key; `None` without rows."""
        if self.query.sliced:
            found = await self._fetch()
            return found[-1] if found else None
        return await self._first_in(self._reversed())

    async def _first_in(self, order: tuple[Node, ...]) -> T | None:
        limit = 1 if self.query.limit is None else min(1, self.query.limit)
        found = await self._with(self.query.replace(order=order, limit=limit))._fetch()
        return found[0] if found else None

    async def earliest(self, *names: str | Expression) -> T:
        """The first row in the order of these fields. Raises `DoesNotExist` without rows."""
        return self._existing(await self.order_by(*names).first())

    async def latest(self, *names: str | Expression) -> T:
        """The last row in the order of these fields. Raises `DoesNotExist` without rows."""
        return self._existing(await self.order_by(*names).last())

    def _existing(self, found: T | None) -> T:
        if found is None:
            raise self._schema.does_not_exist(f"No {self._schema.name} matches. SQL: {self}")
        return found

    async def count(self) -> int:
        """How many rows there are."""
        query = self.query
        if query.empty or query.limit == 0:
            return 0
        if not query.sliced:
            query = query.replace(order=())
        return int(await self._scalar("count", query))

    async def exists(self) -> bool:
        """Whether there is a row."""
        query = self.query
        if query.empty or query.limit == 0:
            return False
        query = query.replace(limit=1, order=()) if query.limit is None else query.replace(order=())
        return await self._scalar("exists", query) is not None

    async def _scalar(self, operation: str, query: Query) -> Any:
        database = self._target()
        if query.selection.lock is not None:  # no rows are read
            query = query.replace(selection=replace(query.selection, lock=None))
        plan, values = plans.scalar_plan(operation, query, database)
        rows = await database.fetch(plan.sql, plan.bind(values), info=plan)
        return rows[0][0] if rows else None

    @overload
    async def paginate(
        self, page: int = 1, *, per_page: int = 20, count: Literal["exact", "estimate"] = "exact"
    ) -> Page[T]: ...
    @overload
    async def paginate(self, page: int = 1, *, per_page: int = 20, count: None) -> Page[T, None]: ...
    async def paginate(
        self, page: int = 1, *, per_page: int = 20, count: Literal["exact", "estimate"] | None = "exact"
    ) -> Page[T, Any]:
        """A page of the rows by its number.

        Args:
            page: the page's number, from 1; one after the last is empty.
            per_page: how many rows a page has.
            count: how the number of all rows is learnt: `"exact"` counts them, `"estimate"` asks the planner
                (SQLite's does not tell, so there they are counted), `None` leaves it out.
        """
        if count not in pagination.COUNTS:
            raise ValidationError.single("count", f"count is 'exact', 'estimate' or None, not {count!r}.", count)
        self._check_page("paginate", page=page, per_page=per_page)
        total = await pagination.estimated(self.query, self._target()) if count == "estimate" else None
        exact = count == "exact" or (count == "estimate" and total is None)
        if exact:
            total = await self.count()
        offset, limit = (page - 1) * per_page, per_page if exact else per_page + 1
        order = self._order() or (lookups.ordering(self._schema, self._schema.key.name),)
        query = self.query.replace(order=order, limit=min(limit, _MOST_ROWS), offset=offset or None)
        within = offset < total if exact and total is not None else offset <= _MOST_ROWS
        rows = await self._with(query)._fetch() if within else []
        if exact and total is not None:
            return pagination.exact(rows, page, per_page, total)
        return pagination.open_ended(rows, page, per_page, total)

    async def cursor_paginate(
        self,
        after: str | None = None,
        before: str | None = None,
        *,
        per_page: int = 20,
        secret: str | bytes | None = None,
    ) -> CursorPage[T]:
        """The first page of the rows, or the one after or before a cursor: one statement, however far it is.

        Args:
            after: the `next_cursor` of a page.
            before: the `previous_cursor` of a page.
            per_page: how many rows a page has.
            secret: what cursors are signed with, so that nobody else can make one.

        Raises:
            FieldError: the order has something else than columns.
            InvalidCursor: the cursor was changed, or belongs to another model or ordering.
        """
        self._check_page("cursor_paginate", per_page=per_page)
        asked = self.query.replace(order=self._order())
        window = cursors.window(asked, self._target().dialect.name, after, before, per_page, secret)
        return window.page(await self._with(window.query)._fetch())

    def _check_page(self, method: str, **numbers: int) -> None:
        if self.query.sliced:
            self._refuse_slice(method)
        for name, value in numbers.items():
            _at_least_one(value, name)

    # ------------------------------------------------------------ seeing it

    def __str__(self) -> str:
        """The SQL, without values."""
        query = self._ready()
        if query.empty:
            return "-- nothing is sent: no row can match"
        database = self._database or self._schema.registry.database
        dialect = database.dialect if database is not None else sqlite_dialect()
        return plans.sql_of(query, dialect)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._schema.name}: {self}>"


def _distinct_order(query: Query, *, chosen: bool) -> Query:
    """Distinct rows can only be in the order of what is read: leave the model's own order out, refuse the user's."""
    order = query.order or ()
    possible = tuple([term for term in order if _is_read(query, term.parts[0])])
    if chosen and possible != order:
        left_out = next(term for term in order if term not in possible)
        raise FieldError(f"distinct() cannot order by {left_out.parts[0]!r}, which is not read. Read it, too.")
    return query.replace(order=possible)


def _is_read(query: Query, node: Node) -> bool:
    if not isinstance(node, Reference):
        return True
    if query.columns is not None:
        return node in query.columns
    return not node.path or any(path[: len(node.path)] == node.path for path in query.selection.related)


def _row_count(number: Any, name: str) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= _MOST_ROWS:
        raise ValidationError.single(name, f"{name} is a number of rows, at least 0, not {number!r}.", number)
    return number


def _at_least_one(number: Any, name: str) -> None:
    if _row_count(number, name) < 1:
        raise ValidationError.single(name, f"{name} is at least 1, not {number}.", number)


def relation_words(schema: Schema, path: object) -> str:
    """The words of a relation given as words or as `Album.artist`."""
    if isinstance(path, str):
        return path
    words = words_of(path)
    if words is None:
        raise FieldError(f"{path!r} names no relation. Give its name, or the attribute of the class: Album.artist.")
    root = cast("Step", path)._schema  # pyright: ignore[reportPrivateUsage]
    if root is not schema:
        raise FieldError(f"{path!r} starts from {root.name}, but the query is about {schema.name}.")
    return words


def is_instance_of(schema: Schema, value: object) -> bool:
    """Whether a value is an instance of a schema's model."""
    return isinstance(value, Instance) and isinstance(value, schema.model)
