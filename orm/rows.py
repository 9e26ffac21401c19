"""`Rows`: a chain that reads what it describes. `QuerySet` adds what concerns instances."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Generator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Generic, Literal, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import annotating, cursors, explain, locks, pagination, plans, targets
from orm.chain import DEFAULT_CHUNK, MOST_ROWS, Chain, at_least_one
from orm.compiled import CompiledQuery, Runner
from orm.conditions import Constant
from orm.cursors import CursorPage
from orm.database import Database, Table
from orm.database.dialects import dialect_named
from orm.database.executor import limited, table
from orm.exceptions import FieldError, ValidationError
from orm.explain import NOTHING, Format
from orm.expressions import Condition, Expression
from orm.loader import Loader
from orm.pagination import Page
from orm.plans import Plan
from orm.prefetch import Reader, prefetch
from orm.query import Node, Query

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
R = TypeVar("R")
Engine = Literal["sqlite", "postgresql", "mysql", "mariadb"]
"""The engines that there is SQL for."""


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
        return self._read(plan, values, database)

    async def _read(self, plan: Plan, values: Sequence[Any], database: Database) -> list[T]:
        """What a plan reads."""
        rows = await self._send(plan, values, database)
        items: list[Any] = cast("Loader", plan.load)(rows, self._database)
        if self.prefetches:
            await prefetch(items, self.prefetches, self._reader(database))
        return items

    def _reader(self, database: Database) -> Reader:
        lifted = self.query.selection.lifted
        return Reader(database, self._database is not None, self._comment, self.time_limit, lifted)

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
        async with aclosing(self._stream(plan, values, database, size)) as batches:
            async for items in batches:
                yield items

    async def _stream(
        self, plan: Plan, values: Sequence[Any], database: Database, size: int
    ) -> AsyncGenerator[list[T], None]:
        """What a plan reads, in lists of `size`."""
        load = cast("Loader", plan.load)
        sql = self._commented(plan.sql, database.dialect)
        pieces = database.stream(
            sql, plan.bind(values), chunk_size=size, write=plan.writes, info=plan, timeout=self.time_limit
        )
        async with aclosing(pieces):
            async for rows in pieces:
                items: list[Any] = load(rows, self._database)
                if self.prefetches:
                    await prefetch(items, self.prefetches, self._reader(database))
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
        found = await self._with(self._first_of(self._definite_order()))._fetch()
        return found[0] if found else None

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

    # ------------------------------------------------------------ columns

    def values(
        self, *names: str | Expression, **expressions: Expression | Condition | sa.ColumnElement[Any]
    ) -> Rows[dict[str, Any]]:
        """Dictionaries of these columns, and of these expressions under their names; of all columns without any."""
        return self._reading("dict", names, expressions)

    @overload
    def values_list(self, column: Expression[A], /, *, flat: Literal[True]) -> Rows[A]: ...
    @overload
    def values_list(self, column: Expression[A], /) -> Rows[tuple[A]]: ...
    @overload
    def values_list(self, a: Expression[A], b: Expression[B], /) -> Rows[tuple[A, B]]: ...
    @overload
    def values_list(self, a: Expression[A], b: Expression[B], c: Expression[C], /) -> Rows[tuple[A, B, C]]: ...
    @overload
    def values_list(
        self, a: Expression[A], b: Expression[B], c: Expression[C], d: Expression[D], /
    ) -> Rows[tuple[A, B, C, D]]: ...
    @overload
    def values_list(self, *columns: Expression | str, flat: bool = False, named: bool = False) -> Rows[Any]: ...
    def values_list(self, *columns: Any, flat: bool = False, named: bool = False) -> Rows[Any]:
        """Tuples of these columns; named tuples with `named=True`; with `flat=True` the values of the only one."""
        if flat and (named or len(columns) != 1):
            raise FieldError(f"flat=True takes exactly one column and no named=True, not {len(columns)} columns.")
        return self._reading("flat" if flat else "named" if named else "tuple", columns, {})

    def _reading(self, form: str, names: Sequence[Any], expressions: Mapping[str, Any]) -> Rows[Any]:
        if self.prefetches:
            raise FieldError("prefetch_related() reads instances. Leave it out, or leave out values().")
        return self._rows(annotating.reading(self.query, form, names, expressions))

    async def aggregate(self, **aggregates: Expression) -> dict[str, Any]:
        """One value of all rows for each aggregate, by name: `await tracks.aggregate(total=Sum("price"))`.

        Aggregates of related rows do not multiply each other, nor what is counted of the rows themselves.
        """
        nodes = annotating.aggregates(self.query, aggregates)
        query = self._ready() if self.query.sliced else self.query.replace(order=())
        query = query.replace(selection=replace(query.selection, lock=None))  # no rows are read, nor locked
        if query.empty or query.limit == 0:
            found = annotating.empty_aggregates(nodes)
            if found is not None:
                return found
            query = query.replace(where=(*query.where, Constant(False)), limit=None)
        if query.columns is None:
            query = query.replace(selection=query.whole(), added=())
        database = self._target()
        plan, values = plans.aggregate_plan(query, nodes, database)
        rows = await self._send(plan, values, database)
        return cast("dict[str, Any]", cast("Loader", plan.load)(rows, None)[0])

    async def _scalar(self, operation: str, query: Query) -> Any:
        database = self._target()
        if query.selection.lock is not None:  # no rows are read
            query = query.replace(selection=replace(query.selection, lock=None))
        plan, values = plans.scalar_plan(operation, query, database)
        rows = await self._send(plan, values, database)
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
        query = self.query.replace(order=self._definite_order(), limit=min(limit, MOST_ROWS), offset=offset or None)
        within = offset < total if exact and total is not None else offset <= MOST_ROWS
        rows = await self._with(query)._fetch() if within else []
        if exact and total is not None:
            return pagination.exact(rows, page, per_page, total)
        return pagination.open_ended(rows, page, per_page, total)

    async def _estimated(self) -> int | None:
        """How many rows the planner expects; `None` where it does not tell (SQLite)."""
        query, dialect = self.query, self._target().dialect
        if query.empty:
            return 0
        if dialect.name == "sqlite":
            return None
        unlocked = replace(query.selection, lock=None)
        told = await self._explained(query.replace(order=(), selection=unlocked), pagination.planner_words(dialect))
        return pagination.expected(told, dialect)

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

    # ------------------------------------------------------------ other rows

    def into(self, target: type[R]) -> Rows[R]:
        """Objects of a dataclass, a pydantic model or a NamedTuple, built straight from the rows.

        The names of the target's fields say which columns are read: `title`, `artist__name`, or a pydantic alias that
        is a column's name. After `values()` and `values_list()` their columns are matched with the fields by name. A
        field without a column keeps its default.

        Raises:
            FieldError: a field without a default has no column, a column of `values()` has no field, or rows cannot
                be built into what is given.
            DataError: once it is awaited, when a pydantic model refuses a row; pydantic's error is the cause.
        """
        targets.check(target)
        query, selection = self.query, self.query.selection
        if self.prefetches:
            raise FieldError("prefetch_related() reads instances. Leave it out, or leave out into().")
        if selection.target is not None:
            raise FieldError(f"The rows are built into {selection.target.__name__} already. Call into() once.")
        columns: tuple[Node, ...]
        if query.columns is None:
            columns, keys = targets.columns_for(query, target)
        else:
            columns, keys = query.columns, targets.keys_for(target, selection.names)
        return cast("Rows[R]", self._rows(annotating.formed(query, columns, "into", keys, target)))

    def _rows(self, query: Query) -> Rows[Any]:
        """The same rows in another form."""
        rows = Rows[Any](query, self._database)
        rows._comment = self._comment
        rows.time_limit = self.time_limit
        return rows

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
                first=lambda: self._with(self._first_of(self._definite_order()))._ready(),
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
        return self.sql()

    def sql(self, dialect: Engine | Database | None = None) -> str:
        """The SQL that would be sent, without values. No connection is made.

        Args:
            dialect: for which engine, or for which database; for the query set's own database without it. The SQL for
                an engine by its name is that for a current release.

        Raises:
            ValidationError: there is no such engine.
            NotSupportedError: the engine does not have what was asked for.
        """
        query, chosen = self._for(dialect)
        return NOTHING if query.empty else self._commented(plans.sql_of(query, chosen), chosen)

    def statement(self, dialect: Engine | Database | None = None) -> sa.Select[Any]:
        """The SELECT of SQLAlchemy Core that would be sent, with its values: for a query of your own around it.

        Args:
            dialect: as for `sql()`; the statement is for that engine only.

        Raises:
            ValidationError: there is no such engine.
            NotSupportedError: the engine does not have what was asked for.
        """
        query, chosen = self._for(dialect)
        made = plans.statement_of(query, chosen)
        return made.where(sa.false()) if query.empty else made

    def _for(self, dialect: Engine | Database | None) -> tuple[Query, Dialect]:
        """The query, and the dialect that it is to be seen in."""
        database = self._database or self._schema.registry.database
        if isinstance(dialect, Database):
            chosen = dialect.dialect
        elif dialect is not None or database is None:
            chosen = dialect_named("sqlite" if dialect is None else dialect)
        else:
            chosen = database.dialect
        query = self._ready()
        locks.check_engine(query, chosen)
        return query, chosen

    async def explain(self, analyze: bool = False, format: Format | None = None) -> str:
        """The database's plan for reading the rows, with the values that would be sent.

        Args:
            analyze: run the statement really, locks included, and tell what was measured; SQLite does not have it.
            format: PostgreSQL has `"text"`, `"json"`, `"xml"` and `"yaml"`, MySQL `"traditional"`, `"json"` and
                `"tree"`, MariaDB `"traditional"` and `"json"`; SQLite has only one. Without it: text, or a table.

        Raises:
            ValidationError: an option has a value that no engine knows.
            NotSupportedError: the engine does not have what is asked for.
        """
        query, dialect = self._ready(), self._target().dialect
        words = explain.words(dialect, analyze=analyze, format=format)
        if query.empty or query.limit == 0:
            return NOTHING
        return explain.text(await self._explained(query, words), dialect)

    async def _explained(self, query: Query, words: str) -> Table:
        """What the engine answers to EXPLAIN, or whatever words it has for it."""
        database = self._target()
        plan, values = plans.select_plan(query, database, bound=self._database is not None)
        sql = self._commented(f"{words} {plan.sql}", database.dialect)
        operation = limited(table, self.time_limit)
        return await database.perform(operation, sql, plan.bind(values), plan.writes, plan)

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
