"""Compiled queries: the chain is walked once, and a call only checks its values, binds them and reads the rows."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Generic, NoReturn, TypeVar, cast

from orm import locks, plans
from orm.chain import DEFAULT_CHUNK, at_least_one
from orm.conditions import Constant, Members, negate, simplify
from orm.database import Database
from orm.exceptions import FieldError, InterfaceError, NotSupportedError
from orm.expressions import Condition, Tree
from orm.functions.dates import Sent
from orm.parameters import ParameterMembers, Slot, Template
from orm.plans import Plan
from orm.prefetch import Prefetch
from orm.query import Node, Query
from orm.schema import Schema
from orm.sources import CTE
from orm.subqueries import Subselect, rewritten

T = TypeVar("T")
Values = Mapping[str, Any]
"""What the parameters are given, by name."""


@dataclass(frozen=True, slots=True, eq=False)
class Runner(Generic[T]):
    """What a query set lends to its compiled form.

    Attributes:
        schema: the model that the rows are of.
        target: gives the database, which may be assigned to the registry later.
        bound: instances remember the database.
        rows, first, only: make the query that reads all rows, the first one, and enough to see that there is only one.
        read: gives what a plan reads.
        stream: the same in lists of some size.
        describe: gives the SQL, without a database.
    """

    schema: Schema
    target: Callable[[], Database]
    bound: bool
    rows: Callable[[], Query]
    first: Callable[[], Query]
    only: Callable[[], Query]
    read: Callable[[Plan, Sequence[Any], Database], Coroutine[Any, Any, list[T]]]
    stream: Callable[[Plan, Sequence[Any], Database, int], AsyncGenerator[list[T], None]]
    describe: Callable[[], str]


@dataclass(frozen=True, slots=True, eq=False)
class _Prepared:
    """A query on one engine: its plan, its values with gaps, what fills them, and where the time of sending goes."""

    plan: Plan
    template: list[Any]
    gaps: tuple[tuple[int, Slot], ...]
    clocks: tuple[int, ...]
    has_lists: bool


class _Statement:
    """One query, prepared for each engine on which it is run."""

    __slots__ = ("_bound", "_prepared", "_query")

    def __init__(self, query: Query, *, bound: bool) -> None:
        self._query = query
        self._bound = bound
        self._prepared: dict[str, _Prepared] = {}

    def with_values(self, database: Database, given: Values) -> tuple[Plan, Sequence[Any]] | None:
        """The plan and the values to bind; `None` when it is known that there are no rows."""
        query = self._query
        if query.empty or query.limit == 0:
            return None
        prepared = self._prepared.get(database.dialect.name)
        if prepared is None:
            prepared = self._prepared[database.dialect.name] = self._prepare(query, database)
        if query.selection.lock is not None:
            locks.check(query, database)
        if prepared.has_lists or prepared.plan.wanted:  # what the SQL is depends on what is true now
            whole = _with_lists(query, given)
            if whole.empty:
                return None
            prepared = self._prepare(whole, database)
        values = prepared.template.copy()
        for position, slot in prepared.gaps:
            values[position] = slot.check(given[slot.name])
        if prepared.clocks:
            now = Sent.now(UTC)
            for position in prepared.clocks:
                values[position] = now
        return prepared.plan, values

    def _prepare(self, query: Query, database: Database) -> _Prepared:
        template = Template()
        plan, _ = plans.select_plan(query, database, bound=self._bound, values=template)
        clocks = tuple([position for position, value in enumerate(template) if type(value) is Sent])
        return _Prepared(plan, list(template), tuple(template.gaps), clocks, template.has_lists)


class CompiledQuery(Generic[T]):
    """A query set whose `Param`s get their values with each call: `await find(artist="AC/DC", least=3)`.

    It can be made before there is a database, which is looked up at each call.

    Raises:
        InterfaceError: at a call, a parameter is missing, or there is none of this name.
        ValidationError: at a call, a value is not of its column's type.
    """

    __slots__ = ("_first", "_names", "_only", "_rows", "_runner")

    def __init__(self, runner: Runner[T], prefetches: Sequence[Prefetch]) -> None:
        query = runner.rows()
        for item in prefetches:
            if item.queryset is not None and _parameters(item.queryset.query):
                raise FieldError(f"The query set of {item!r} has a Param, and only those of the rows are given.")
        self._runner = runner
        self._names = dict.fromkeys(_parameters(query))
        self._rows = _Statement(query, bound=runner.bound)
        self._first: _Statement | None = None
        self._only: _Statement | None = None

    def __repr__(self) -> str:
        return f"<CompiledQuery of {self._runner.schema.name} ({', '.join(self._names)}): {self}>"

    def __str__(self) -> str:
        """The SQL, without values."""
        return self._runner.describe()

    def __call__(self, /, **values: Any) -> Coroutine[Any, Any, list[T]]:
        """All rows."""
        return self._read(self._rows, values)

    async def first(self, /, **values: Any) -> T | None:
        """The first row, in the order asked for, else the model's, else that of the key; `None` without rows."""
        if self._first is None:
            self._first = _Statement(self._runner.first(), bound=self._runner.bound)
        found = await self._read(self._first, values)
        return found[0] if found else None

    async def get(self, /, **values: Any) -> T:
        """The only row.

        Raises:
            DoesNotExist: there is none.
            MultipleObjectsReturned: there are several.
        """
        found = await self._at_most_one(values)
        if not found:
            schema = self._runner.schema
            raise schema.does_not_exist(f"No {schema.name} matches. SQL: {self}")
        return found[0]

    async def get_or_none(self, /, **values: Any) -> T | None:
        """The only row, or `None`. Raises `MultipleObjectsReturned` for several."""
        found = await self._at_most_one(values)
        return found[0] if found else None

    async def iterate(self, chunk_size: int = DEFAULT_CHUNK, /, **values: Any) -> AsyncGenerator[T, None]:
        """Stream the rows; at most `chunk_size` are held at a time."""
        at_least_one(chunk_size, "chunk_size")
        database, found = self._find(self._rows, values)
        if found is None:
            return
        async with aclosing(self._runner.stream(*found, database, chunk_size)) as batches:
            async for items in batches:
                for item in items:
                    yield item

    async def _at_most_one(self, values: Values) -> list[T]:
        if self._only is None:
            self._only = _Statement(self._runner.only(), bound=self._runner.bound)
        found = await self._read(self._only, values)
        if len(found) > 1:
            schema = self._runner.schema
            raise schema.multiple_objects_returned(
                f"More than one {schema.name} matches. Narrow it down, or use first(). SQL: {self}"
            )
        return found

    # No coroutine function: wrong values raise where they are given, and a call is one coroutine only.
    def _read(self, statement: _Statement, values: Values) -> Coroutine[Any, Any, list[T]]:
        database, found = self._find(statement, values)
        return _nothing() if found is None else self._runner.read(*found, database)

    def _find(self, statement: _Statement, values: Values) -> tuple[Database, tuple[Plan, Sequence[Any]] | None]:
        if values.keys() != self._names.keys():
            self._refuse(values)
        database = self._runner.target()
        return database, statement.with_values(database, values)

    def _refuse(self, values: Values) -> NoReturn:
        names = ", ".join(self._names)
        unknown = [name for name in values if name not in self._names]
        if unknown:
            choices = f"Choose from: {names}." if names else "It has none."
            raise InterfaceError(f"The compiled query has no parameter {unknown[0]!r}. {choices}")
        missing = ", ".join([name for name in self._names if name not in values])
        raise InterfaceError(f"The compiled query was not given: {missing}. Its parameters are: {names}.")


def _parameters(query: Query) -> list[str]:
    """The names of a query's parameters; the engine does not matter for that."""
    template = Template()
    query.shape(template, "postgresql")
    return [slot.name for _, slot in template.gaps]


def _with_lists(query: Query, given: Values) -> Query:
    """The query with its lists, whose lengths decide on SQL; one that has no rows is `empty`."""
    template = Template()
    query.shape(template, "mysql")
    if not template.has_lists:
        return query
    made = rewritten(query, lambda node: _listed(node, given))
    decided = [node.truth for node in made.where if isinstance(node, Constant)]
    if not all(decided):
        return made.replace(empty=True)
    return made.replace(where=tuple([node for node in made.where if not isinstance(node, Constant)]))


def _listed(node: Node, given: Values) -> Node:
    if isinstance(node, ParameterMembers):
        values = node.slot.check(given[node.slot.name])
        return Members(node.lookup, values) if values else Constant(False)
    if isinstance(node, Subselect):
        query = _with_lists(node.query, given)
        if query is node.query:
            return node
        new = copy.copy(node)
        new.query = query
        return new
    parts = tuple([_listed(part, given) for part in node.children])
    if all(part is before for part, before in zip(parts, node.children, strict=True)):
        return node
    if isinstance(node, CTE):
        raise NotSupportedError(
            f"The CTE {node.name!r} has a list as a parameter, which is one value on PostgreSQL only. Filter around it."
        )
    if isinstance(node, Tree):
        conditions = [cast("Condition", part) for part in parts]
        return negate(conditions[0]) if node.operator == "not" else simplify(node.operator, conditions)
    return node.with_children(parts)


async def _nothing() -> list[Any]:
    return []
