"""`Query`: frozen data that says what was asked; and `Node`, what its conditions and expressions are made of.

A query gives two things in one pass: its *shape*, a hashable value by which a compiled plan is found, and the list of
its *values*, which the plan's binder turns into the driver's arguments. Values never enter a shape.
"""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from orm.schema import Relation, Schema
from orm.specs import EVERY_FILTER

Path = tuple[Relation, ...]
"""Single hops from the root of a query; `()` is the root."""


class Counter:
    """Counts the values of a query in the order in which its shape lists them."""

    __slots__ = ("engine", "value")

    def __init__(self, engine: str) -> None:
        self.value = 0
        self.engine = engine


class Node:
    """A part of a query: a condition or an expression.

    `parts` are the nodes it is made of. Set on placed copies only are `position`, the index of its first own value, and
    `origin`, the node that it is a copy of.
    """

    __slots__ = ("origin", "parts", "position")

    parts: tuple[Node, ...]
    position: int
    origin: Node

    def __init__(self, parts: tuple[Node, ...] = ()) -> None:
        self.parts = parts

    def shape(self, values: list[Any], engine: str) -> Hashable:
        """Append the values and give what distinguishes the SQL; first its own values, then those of its parts."""
        raise NotImplementedError

    def place(self, counter: Counter) -> Self:
        """A copy that knows where its values are. Each occurrence in a query gets a copy of its own."""
        placed = copy.copy(self)
        placed.origin = self
        placed.position = counter.value
        counter.value += self.count(counter.engine)
        placed.parts = tuple([part.place(counter) for part in self.parts])
        return placed

    def count(self, engine: str) -> int:
        """How many values it has itself, without its parts."""
        return 0

    @property
    def children(self) -> tuple[Node, ...]:
        """What it is made of, for those who walk over it."""
        return self.parts

    def with_children(self, children: tuple[Node, ...]) -> Node:
        """A copy that is made of these instead."""
        new = copy.copy(self)
        new.parts = children
        return new


def origin_of(node: Node) -> Node:
    """The node that a placed one is a copy of: the same for all its occurrences in a query."""
    return getattr(node, "origin", node)


def walk(node: Node) -> Iterator[Node]:
    """The node and all that it is made of."""
    yield node
    for child in node.children:
        yield from walk(child)


@dataclass(frozen=True, slots=True)
class Lock:
    """How the rows that are read are locked until the end of the transaction.

    Attributes:
        nowait: raise at once when somebody else has locked one of them.
        skip_locked: leave out those that somebody else has locked.
        of: the paths of the tables that are locked; empty for the root.
        no_key: others may still refer to the rows.
        share: others may lock them in the same way, and nobody may change them.
        anywhere: it may be sent outside of a transaction, where it only finds the newest rows.
    """

    nowait: bool = False
    skip_locked: bool = False
    of: tuple[Path, ...] = ()
    no_key: bool = False
    share: bool = False
    anywhere: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """What a query reads, as far as it has no values.

    Attributes:
        form: what a row becomes: an instance, a dictionary, a tuple, a named tuple, its only value or a `target`.
        names: the names of the columns, for forms other than instances; what a target takes them under.
        related: the to-one relations that are read in the same statement.
        only: the words of the only columns to be read; empty for all.
        deferred: the words of the columns that are not to be read.
        link: the relation from the target back to the rows of a through model, for many-to-many prefetches; the
            first column is then the key that these rows refer to.
        lock: how rows are locked, or `None`.
        distinct: equal rows are given once.
        target: the class that rows are built into.
        lifted: the names of the default filters that do not hold; `EVERY_FILTER` among them stands for all.
    """

    form: str = "instance"
    names: tuple[str, ...] = ()
    related: tuple[Path, ...] = ()
    only: frozenset[str] = frozenset()
    deferred: frozenset[str] = frozenset()
    link: Relation | None = None
    lock: Lock | None = None
    distinct: bool = False
    target: type[Any] | None = None
    lifted: frozenset[str] = frozenset()
    hash: int = field(init=False, compare=False, repr=False, default=0)

    def __post_init__(self) -> None:
        what = (self.form, self.names, self.target, self.related, self.only, self.deferred)
        object.__setattr__(self, "hash", hash((what, self.link, self.lock, self.distinct, self.lifted)))

    def __hash__(self) -> int:
        return self.hash


EVERYTHING: Final = Selection()
UNFILTERED: Final = Selection(lifted=frozenset({EVERY_FILTER}))
"""Everything of all rows, those that default filters hide, too."""
_NOTHING: Final[Mapping[str, Node]] = {}


class Query:
    """What was asked. Treated as frozen: `replace` gives a changed copy.

    Attributes:
        where: one condition for each `filter()` or `exclude()` call.
        order: the terms of ORDER BY, or `None` for the model's own ordering.
        columns: what `values()` and `values_list()` read, or `None` for instances.
        limit, offset: numbers of rows, or `None`; a node where the number is a parameter.
        empty: it is known to have no rows, so nothing is sent.
        annotations: the expressions that have a name in it.
        added: those of them that instances get as attributes.
        groups: what its rows are grouped by; `None` where each row is one of the model's.
        having: conditions on the groups.
        qualify: conditions on the values of window functions.
        source: what its rows come from instead of the table: a set operation.
        joins: common table expressions that its rows are joined with.
    """

    __slots__ = (
        "added",
        "annotations",
        "columns",
        "empty",
        "groups",
        "having",
        "joins",
        "limit",
        "offset",
        "order",
        "qualify",
        "schema",
        "selection",
        "source",
        "where",
    )

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.where: tuple[Node, ...] = ()
        self.order: tuple[Node, ...] | None = None
        self.columns: tuple[Node, ...] | None = None
        self.limit: Any = None
        self.offset: Any = None
        self.selection = EVERYTHING
        self.empty = False
        self.annotations: Mapping[str, Node] = _NOTHING
        self.added: tuple[Node, ...] = ()
        self.groups: tuple[Node, ...] | None = None
        self.having: tuple[Node, ...] = ()
        self.qualify: tuple[Node, ...] = ()
        self.source: Node | None = None
        self.joins: tuple[Node, ...] = ()

    def copy(self) -> Query:
        """A copy for `replace` and the like to change before anybody else sees it."""
        new: Query = object.__new__(Query)
        new.schema = self.schema
        new.where = self.where
        new.order = self.order
        new.columns = self.columns
        new.limit = self.limit
        new.offset = self.offset
        new.selection = self.selection
        new.empty = self.empty
        new.annotations = self.annotations
        new.added = self.added
        new.groups = self.groups
        new.having = self.having
        new.qualify = self.qualify
        new.source = self.source
        new.joins = self.joins
        return new

    def whole(self) -> Selection:
        """The selection of everything, of the same rows: what the user asked to be read is left out."""
        return Selection(lifted=self.selection.lifted) if self.selection.lifted else EVERYTHING

    def replace(self, **changes: Any) -> Query:
        """A copy with other values."""
        new = self.copy()
        for name, value in changes.items():
            setattr(new, name, value)
        return new

    def shape(self, values: list[Any], engine: str) -> Hashable:
        """Append the values in order and give the shape."""
        columns, order = self.columns, self.order
        shape: Hashable = (
            self.schema,
            self.selection,
            None if columns is None else tuple([node.shape(values, engine) for node in columns]),
            tuple([node.shape(values, engine) for node in self.where]),
            None if order is None else tuple([node.shape(values, engine) for node in order]),
            self._more_shape(values, engine) if self.annotations or self.source is not None or self.joins else None,
            self.limit is None,
            self.offset is None,
        )
        if self.limit is not None:
            _append(values, self.limit, engine)
        if self.offset is not None:
            _append(values, self.offset, engine)
        return shape

    def _more_shape(self, values: list[Any], engine: str) -> Hashable:
        """The shape of what few queries have: annotations, and other sources than the table."""
        groups = self.groups
        return (
            tuple([node.shape(values, engine) for node in self.added]),
            tuple([repr(node) for node in self.added]),
            None if groups is None else tuple([node.shape(values, engine) for node in groups]),
            tuple([node.shape(values, engine) for node in self.having]),
            tuple([node.shape(values, engine) for node in self.qualify]),
            None if self.source is None else self.source.shape(values, engine),
            tuple([node.shape(values, engine) for node in self.joins]),
        )

    def place(self, counter: Counter) -> PlacedQuery:
        """The query with every node knowing where its values are, in the order of `shape`."""
        columns = None if self.columns is None else _placed(self.columns, counter)
        where = _placed(self.where, counter)
        order = None if self.order is None else _placed(self.order, counter)
        new = self.replace(columns=columns, where=where, order=order)
        if self.annotations or self.source is not None or self.joins:
            new.added = _placed(self.added, counter)
            new.groups = None if self.groups is None else _placed(self.groups, counter)
            new.having = _placed(self.having, counter)
            new.qualify = _placed(self.qualify, counter)
            new.source = None if self.source is None else self.source.place(counter)
            new.joins = _placed(self.joins, counter)
        placed = PlacedQuery(new)
        for name in ("limit", "offset"):
            if getattr(self, name) is not None:
                setattr(placed, name, counter.value)
                counter.value += 1
        return placed

    @property
    def nodes(self) -> Iterator[Node]:
        """Everything that it asks for, conditions and expressions."""
        yield from self.columns or ()
        yield from self.where
        yield from self.order or ()
        yield from self.added
        yield from self.groups or ()
        yield from self.having
        yield from self.qualify
        if self.source is not None:
            yield self.source
        yield from self.joins

    @property
    def closed(self) -> bool:
        """Whether it knows no other columns than those it has a name for: those of a set operation of `values()`."""
        return self.source is not None and bool(getattr(self.source, "closed", False))

    @property
    def sliced(self) -> bool:
        """Whether it has a limit or an offset."""
        return self.limit is not None or self.offset is not None


def _append(values: list[Any], number: Any, engine: str) -> None:
    if isinstance(number, Node):
        number.shape(values, engine)
    else:
        values.append(number)


def _placed(nodes: tuple[Node, ...], counter: Counter) -> tuple[Node, ...]:
    return tuple([node.place(counter) for node in nodes])


class PlacedQuery:
    """A query whose nodes know where their values are; `limit` and `offset` are positions, too."""

    __slots__ = ("limit", "offset", "query")

    def __init__(self, query: Query) -> None:
        self.query = query
        self.limit: int | None = None
        self.offset: int | None = None


class QueryHolder:
    """What has a query: the base of query sets, so that layers below can take one as a value."""

    __slots__ = ("query",)

    query: Query
