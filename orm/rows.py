"""`Rows`: a chain that reads what it describes. `QuerySet` adds what concerns instances."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.aiosqlite import dialect as sqlite_dialect

from orm import cursors, lookups, pagination, plans
from orm.chain import DEFAULT_CHUNK, MOST_ROWS, Chain, at_least_one
from orm.compiled import CompiledQuery, Runner
from orm.cursors import CursorPage
from orm.database import Database
from orm.exceptions import ValidationError
from orm.expressions import Condition, Expression
from orm.loader import Loader
from orm.pagination import Page
from orm.plans import Plan
from orm.prefetch import prefetch
from orm.query import Node, Query

T = TypeVar("T")


class Rows(Chain, Generic[T]):
    """An immutable description of one query that gives `T` for each row. Every method returns a new one.

    Awaiting it runs it and gives a list; `async for` streams.
    """

    __slots__ = ()

    def _fetch(self) -> Coroutine[Any, Any, list[T]]:
        query = self._ready()
        if query.empty or query.limit == 0:
            return _nothing()
        database = self._database if self._database is not None else query.schema.database
        plan, values = plans.select_plan(query, database, bound=self._database is not None)
        return self._read(database, plan, plan.bind(values))

    async def _read(self, database: Database, plan: Plan, arguments: Sequence[Any]) -> list[T]:
        """Send the statement of a plan and give what it reads: all but streams and single values goes through here."""
        rows = await database.fetch(plan.sql, arguments, write=plan.writes, info=plan, timeout=self.time_limit)
        return await self._with_related(database, plan, rows) if self.prefetches else self._load(plan, rows)

    def _load(self, plan: Plan, rows: Sequence[Any]) -> list[T]:
        return cast("Loader", plan.load)(rows, self._database)

    async def _with_related(self, database: Database, plan: Plan, rows: Sequence[Any]) -> list[T]:
        """What rows are made into, with the relations that are prefetched."""
        items: list[Any] = self._load(plan, rows)
        if self.prefetches:
            await prefetch(items, self.prefetches, database, self._database is not None, self.time_limit)
        return items

    def __await__(self) -> Generator[Any, None, list[T]]:
        return self._fetch().__await__()

    def __aiter__(self) -> AsyncIterator[T]:
        return self.iterate()

    async def iterate(self, chunk_size: int = DEFAULT_CHUNK) -> AsyncGenerator[T, None]:
        """Stream the rows; at most `chunk_size` are held at a time."""
        at_least_one(chunk_size, "chunk_size")
        async with aclosing(self.batches(chunk_size)) as batches:
            async for items in batches:
                for item in items:
                    yield item

    async def batches(self, size: int = DEFAULT_CHUNK) -> AsyncGenerator[list[T], None]:
        """Stream the rows in lists of `size`, the last one shorter; relations are prefetched for each list."""
        at_least_one(size, "size")
        query = self._ready()
        if query.empty or query.limit == 0:
            return
        database = self._target()
        plan, values = plans.select_plan(query, database, bound=self._database is not None)
        async with aclosing(self._stream(database, plan, plan.bind(values), size)) as batches:
            async for items in batches:
                yield items

    async def _stream(
        self, database: Database, plan: Plan, arguments: Sequence[Any], size: int
    ) -> AsyncGenerator[list[T], None]:
        """Send the statement of a plan and give what it reads in lists of `size`."""
        pieces = database.stream(
            plan.sql, arguments, chunk_size=size, write=plan.writes, info=plan, timeout=self.time_limit
        )
        async with aclosing(pieces):
            async for rows in pieces:
                items = await self._with_related(database, plan, rows)
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
            narrowed.query = _two(narrowed.query)
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
        found = await self._with(self._first_query())._fetch()
        return found[0] if found else None

    def _first_query(self) -> Query:
        return self._first_of(self._order() or (lookups.ordering(self._schema, self._schema.key.name),))

    async def last(self) -> T | None:
        """The last row, in the order asked for, else the model's, else that of the key; `None` without rows."""
        if self.query.sliced:
            found = await self._fetch()
            return found[-1] if found else None
        found = await self._with(self._first_of(self._reversed()))._fetch()
        return found[0] if found else None

    def _first_of(self, order: tuple[Node, ...]) -> Query:
        limit = self.query.limit
        if limit is None or isinstance(limit, int):
            limit = 1 if limit is None else min(1, limit)
        return self.query.replace(order=order, limit=limit)

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
        rows = await database.fetch(plan.sql, plan.bind(values), info=plan, timeout=self.time_limit)
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
        total = await self._estimated() if count == "estimate" else None
        exact = count == "exact" or (count == "estimate" and total is None)
        if exact:
            total = await self.count()
        offset, limit = (page - 1) * per_page, per_page if exact else per_page + 1
        order = self._order() or (lookups.ordering(self._schema, self._schema.key.name),)
        query = self.query.replace(order=order, limit=min(limit, MOST_ROWS), offset=offset or None)
        within = offset < total if exact and total is not None else offset <= MOST_ROWS
        rows = await self._with(query)._fetch() if within else []
        if exact and total is not None:
            return pagination.exact(rows, page, per_page, total)
        return pagination.open_ended(rows, page, per_page, total)

    async def _estimated(self) -> int | None:
        return await pagination.estimated(self.query, self._target(), self.time_limit)

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
            at_least_one(value, name)

    # ------------------------------------------------------------ compiled once

    def compiled(self) -> CompiledQuery[T]:
        """The same rows, as a function of the `Param`s in the filters and limits: `await find(artist="AC/DC")`.

        Beside the database a call costs a third of what building the query set and awaiting it does.
        """
        return CompiledQuery(
            Runner(
                schema=self._schema,
                target=self._target,
                bound=self._database is not None,
                rows=self._ready,
                first=lambda: self._with(self._first_query())._ready(),
                only=lambda: self._ready() if self.query.sliced else _two(self.query),
                read=self._read,
                stream=self._stream,
                describe=self.__str__,
            ),
            self.prefetches,
        )

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


def _two(query: Query) -> Query:
    """The query of as many rows as show whether there is exactly one."""
    query = query.copy()
    query.limit = 2
    query.order = ()
    return query


async def _nothing() -> list[Any]:
    return []
