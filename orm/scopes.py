"""What a statement under construction knows: its parameters, and the tables in reach of each of its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm.operators import Element
from orm.query import Node, Path
from orm.schema import Relation, Schema
from orm.specs import FieldSpec

Prepare = Callable[[Any], Any]
"""What is done to a value before its type turns it into the driver's form."""

From = Any  # sa.FromClause; its joins are typed too narrowly to be rebuilt step by step


def columns_of(table: From, spec: FieldSpec) -> list[Element]:
    """The columns of a field: several for a key of several fields."""
    return [table.c[part.name] for part in spec.fields]


def value_of(table: From, spec: FieldSpec) -> Element:
    """The value of a field: a row value for a key of several fields."""
    found = columns_of(table, spec)
    return found[0] if len(found) == 1 else cast("Element", sa.tuple_(*found))


def labelled_key(table: From, schema: Schema) -> list[Element]:
    """The columns of a model's key, as a subquery gives them to `same_key`."""
    return [column.label(f"k{index}") for index, column in enumerate(columns_of(table, schema.key))]


def same_key(table: From, schema: Schema, rows: From) -> Element:
    """The condition that a row of a model's table is one of those whose keys a subquery gives."""
    return sa.and_(*[column == rows.c[f"k{index}"] for index, column in enumerate(columns_of(table, schema.key))])


def related(hop: Relation, near: From, far: From) -> Element:
    """The condition that a row of one table is related to a row of another, over one step of a relation."""
    return sa.and_(*[near.c[one.name] == far.c[other.name] for one, other in hop.pairs], *fixed(hop, far))


def fixed(hop: Relation, far: From) -> list[Element]:
    """What the related rows have in common, whichever row they are related to."""
    return [] if hop.fixed is None else [far.c[hop.fixed[0].name] == hop.fixed[1]]


@dataclass(frozen=True)
class Parameter:
    """Where a parameter of the statement comes from.

    Attributes:
        position: the index among the query's values.
        type: the column type that turns the value into the driver's form, or `None` to send it as it is.
        prepare: what is done to the value before.
        item: the index of one of several values that the value consists of: that of a key of several fields.
    """

    position: int
    type: TypeEngine[Any] | None
    prepare: Prepare | None = None
    item: int | None = None


@dataclass(frozen=True)
class Variant:
    """The further columns of rows that are those of a model that inherits."""

    schema: Schema
    fields: tuple[FieldSpec, ...]


@dataclass(frozen=True)
class Entity:
    """The columns of a result that make one instance of each row; where rows are of several classes, with variants."""

    path: Path
    schema: Schema
    fields: tuple[FieldSpec, ...]
    variants: tuple[Variant, ...] = ()


class ImpliedConditions(Protocol):
    """What makes SQL of the conditions that schemas imply."""

    def nodes(self, schema: Schema, lifted: frozenset[str]) -> Sequence[Node]:
        """The conditions on rows of a schema, about the schema itself."""
        ...

    def conditions(self, schema: Schema, table: From, scope: Scope) -> list[Element]:
        """What the rows of a table that comes into reach of a scope must meet."""
        ...


@dataclass
class Compilation:
    """A statement under construction: its parameters, and what its columns mean.

    Attributes:
        values: the query's values, if the statement is to have them in it: one that is no plan's.
        implied: makes the conditions that schemas imply; `None` where no rows are read, as in a constraint.
    """

    dialect: Dialect
    parameters: dict[str, Parameter] = field(default_factory=dict[str, Parameter])
    entities: list[Entity] = field(default_factory=list[Entity])
    ctes: dict[Node, sa.CTE] = field(default_factory=dict[Node, sa.CTE])
    values: Sequence[Any] | None = None
    implied: ImpliedConditions | None = None

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.dialect.name

    def parameter(
        self,
        position: int,
        kind: TypeEngine[Any],
        prepare: Prepare | None = None,
        *,
        raw: bool = False,
        item: int | None = None,
    ) -> sa.BindParameter[Any]:
        """A parameter for the value at a position; with `raw` the type only says what SQL sees."""
        if self.values is not None:
            value = self.values[position] if item is None else self.values[position][item]
            return sa.bindparam(None, value if prepare is None else prepare(value), type_=kind, unique=True)
        name = f"v{len(self.parameters)}"
        self.parameters[name] = Parameter(position, None if raw else kind, prepare, item)
        return sa.bindparam(name, type_=kind, unique=False, required=True)


class Scope:
    """The tables in reach of a condition or an expression, and what is known of them already.

    Attributes:
        tables: the tables by their paths; `()` is the root.
        source: what they are joined to.
        known: the SQL of nodes that is not to be made again: what rows are grouped by, columns of a subquery, labels.
        outer: the scope of the query around.
        grouped: it is about groups of rows, so aggregates of the rows themselves have a value.
        given: the paths to the related row that an aggregate is about; conditions inside negations are about it, too.
        ctes: the common table expressions that the rows are joined with.
        derived: the subqueries that the rows are joined with, whose columns are among what is known.
        lifted: the names of the default filters that do not hold.
    """

    def __init__(
        self,
        compilation: Compilation,
        root: From,
        tables: dict[Path, From],
        outer: Scope | None = None,
        lifted: frozenset[str] = frozenset(),
    ) -> None:
        self.compilation = compilation
        self.tables = tables
        self.source = root
        self.known: dict[Node, Element] = {}
        self.outer = outer
        self.lifted = lifted
        self.grouped = False
        self.given: frozenset[Path] = frozenset()
        self.ctes: dict[Node, From] = {}
        self.derived: list[From] = []

    def table(self, path: Path) -> From:
        """The table at the end of a path, joined if it is not in reach yet."""
        found = self.tables.get(path)
        if found is None:
            parent = self.table(path[:-1])
            hop = path[-1]
            found = self.tables[path] = hop.target.table.alias()
            outer = any(step.null or (not step.is_step and self.implied_nodes(step.target)) for step in path)
            self.source = self.source.join(found, self.joined(hop, parent, found), isouter=outer)
        return found

    def joined(self, hop: Relation, near: From, far: From) -> Element:
        """The condition that a row of a table that comes into reach is related to one that is, and is not hidden."""
        return sa.and_(related(hop, near, far), *self.implied_over(hop, far))

    def implied_over(self, hop: Relation, table: From) -> list[Element]:
        """What the rows that a hop leads to must meet; a step to another table of the same row leads to that row."""
        return [] if hop.is_step else self.implied(hop.target, table)

    def implied(self, schema: Schema, table: From) -> list[Element]:
        """What the rows of a table that comes into reach must meet, though nobody asked: see `Implied`."""
        implied = self.compilation.implied
        return [] if schema.implied is None or implied is None else implied.conditions(schema, table, self)

    def implied_nodes(self, schema: Schema) -> Sequence[Node]:
        """The same as conditions about the schema, which are not SQL yet."""
        implied = self.compilation.implied
        return () if schema.implied is None or implied is None else implied.nodes(schema, self.lifted)

    def within(self, source: From, tables: dict[Path, From]) -> Scope:
        """The scope of a subquery about related rows, which sees the same columns besides."""
        inner = Scope(self.compilation, source, tables, self.outer, self.lifted)
        inner.known = self.known
        inner.given = self.given
        inner.ctes = self.ctes
        inner.derived = self.derived
        return inner

    def cte(self, node: Node) -> From:
        """The rows of a common table expression that the query is joined with."""
        return self.ctes[node]

    def reachable(self) -> list[From]:
        """All tables in reach, those of the queries around too: what a subquery is correlated with."""
        outside = self.outer.reachable() if self.outer is not None else ()
        return [*self.tables.values(), *self.ctes.values(), *self.derived, *outside]
