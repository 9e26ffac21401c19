"""Queries inside queries: `Subquery`, `Exists`, and `OuterRef`, by which they know the row they are asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable
from typing import Any, Self

from orm import kinds
from orm.exceptions import FieldError
from orm.expressions import Condition, Expression, output_of
from orm.query import Counter, Node, PlacedQuery, Query, QueryHolder
from orm.specs import FieldSpec


class OuterRef(Expression):
    """A field of the query around, in words: `Album.objects.filter(artist=OuterRef("pk"))` inside `Exists(…)`.

    `OuterRef(OuterRef("pk"))` is a field of the query around that one.
    """

    __slots__ = ("name",)

    def __init__(self, name: str | OuterRef) -> None:
        super().__init__()
        self.name = name

    def __repr__(self) -> str:
        return f"OuterRef({self.name!r})"

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("any")

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return ("OuterRef", repr(self.name))


class Outer(Expression):
    """An expression of the query around, resolved against it."""

    __slots__ = ()

    def __init__(self, node: Node) -> None:
        super().__init__((node,))

    def __repr__(self) -> str:
        return f"OuterRef({self.parts[0]!r})"

    @property
    def output(self) -> FieldSpec:
        return output_of(self.parts[0])

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return ("outer", self.parts[0].shape(values, engine))


class Subselect(Expression):
    """The rows of a query, inside another one."""

    __slots__ = ("placed", "query")

    placed: PlacedQuery

    def __init__(self, query: Query) -> None:
        super().__init__()
        self.query = query

    def __repr__(self) -> str:
        return f"<query of {self.query.schema.name}>"

    @property
    def output(self) -> FieldSpec:
        columns = self.query.columns
        return kinds.computed("any") if columns is None else kinds.like(output_of(columns[0]), null=True)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return ("query", self.query.empty, self.query.shape(values, engine))

    def place(self, counter: Counter) -> Self:
        new = type(self).__new__(type(self))
        Node.__init__(new)
        new.origin = self
        new.query = self.query
        new.placed = self.query.place(counter)
        return new


class Subquery(Subselect):
    """The one value of the one row that a query set gives: `Subquery(qs.values("title")[:1])`; NULL without a row."""

    __slots__ = ()

    def __init__(self, queryset: QueryHolder) -> None:
        query = _query_of(queryset, "Subquery")
        if query.columns is not None and len(query.columns) != 1:
            raise FieldError(f"Subquery takes a query set of one column, not of {len(query.columns)}: .values('…').")
        super().__init__(query)

    def __repr__(self) -> str:
        return f"Subquery({super().__repr__()})"


class Exists(Condition):
    """Whether a query set has a row: `Exists(Album.objects.filter(artist=OuterRef("pk")))`."""

    __slots__ = ()

    def __init__(self, queryset: QueryHolder) -> None:
        super().__init__((Subselect(_query_of(queryset, "Exists")),))

    def __repr__(self) -> str:
        return f"Exists({self.parts[0]!r})"

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("boolean", null=False)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return ("exists", self.parts[0].shape(values, engine))


def _query_of(queryset: object, what: str) -> Query:
    if not isinstance(queryset, QueryHolder):
        raise FieldError(f"{what} takes a query set, not {queryset!r}.")
    return queryset.query


def rewritten(query: Query, change: Callable[[Node], Node]) -> Query:
    """A query with nodes in it replaced; a node that stands in several places is so in all of them."""
    done: dict[Node, Node] = {}

    def apply(node: Node) -> Node:
        if node not in done:
            done[node] = change(node)
        return done[node]

    def each(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
        return tuple([apply(node) for node in nodes])

    return query.replace(
        where=each(query.where),
        order=None if query.order is None else each(query.order),
        columns=None if query.columns is None else each(query.columns),
        annotations={name: apply(node) for name, node in query.annotations.items()},
        added=each(query.added),
        groups=None if query.groups is None else each(query.groups),
        having=each(query.having),
        qualify=each(query.qualify),
        source=None if query.source is None else apply(query.source),
        joins=each(query.joins),
    )


def is_correlated(query: Query) -> bool:
    """Whether a query needs the row of a query around."""
    return any(_reaches_out(node) for node in query.nodes)


def _reaches_out(node: Node) -> bool:
    if isinstance(node, (Outer, OuterRef)):
        return True
    if isinstance(node, Subselect):
        return is_correlated(node.query)
    return any(_reaches_out(child) for child in node.children)


def embedded(node: Node, resolve: Callable[[str], Node], depth: int = 0) -> Node:
    """A node of a query that is put inside another one, with its `OuterRef`s resolved against that one.

    Args:
        node: the node; a `Subselect`, to begin with.
        resolve: gives the expression that words name in the query around.
        depth: how many queries lie between.
    """
    if isinstance(node, OuterRef):
        if isinstance(node.name, OuterRef):
            return node.name
        found = resolve(node.name)
        for _ in range(depth):
            found = Outer(found)
        return found
    if not _reaches_out(node):
        return node
    if isinstance(node, Subselect):
        new = copy.copy(node)
        new.query = rewritten(node.query, lambda inner: embedded(inner, resolve, depth + 1))
        return new
    return node.with_children(tuple([embedded(child, resolve, depth) for child in node.children]))
