"""Aggregates: one value of many rows. `await Track.objects.aggregate(total=Sum("price"))`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.functions import FunctionElement

from orm import kinds, types
from orm.exceptions import FieldError
from orm.expressions import Condition, Expression, Reference, T_co, expression, operand, output_of
from orm.operators import Element
from orm.query import Node, Path
from orm.schema import FieldSpec

_NUMBERS = ("integer", "decimal", "float")


class Aggregate(Expression[T_co]):
    """One value of many rows; the base of `Count`, `Sum`, `Avg`, `Min` and `Max`.

    Args:
        operand: what is aggregated: a field in words, over relations too, a column, or an expression.
        filter: only the rows that meet this condition count.
        distinct: equal values count once.
    """

    __slots__ = ("distinct", "filtered")

    function: str = ""
    empty: Any = None
    """Its value without rows."""

    def __init__(
        self,
        operand_: str | Expression[Any] | sa.ColumnElement[Any],
        /,
        *,
        filter: Condition | sa.ColumnElement[bool] | None = None,
        distinct: bool = False,
    ) -> None:
        parts: list[Node] = [operand(operand_)]
        if filter is not None:
            parts.append(expression(filter))
        super().__init__(tuple(parts))
        self.filtered = filter is not None
        self.distinct = distinct

    def __repr__(self) -> str:
        options = ", distinct=True" if self.distinct else ""
        condition = f", filter={self.condition!r}" if self.condition is not None else ""
        return f"{type(self).__name__}({self.operand!r}{condition}{options})"

    @property
    def operand(self) -> Node:
        """What is aggregated."""
        return self.parts[0]

    @property
    def condition(self) -> Node | None:
        """Which rows count."""
        return self.parts[-1] if self.filtered else None

    @property
    def path(self) -> Path:
        """The longest path over a to-many relation in the operand; `()` where it is about the rows themselves."""
        found: Path = ()
        for path in _paths(self.operand):
            if any(hop.many for hop in path) and len(path) > len(found):
                found = path
        return found

    def check(self) -> None:
        """Raise `FieldError` for an operand over two relations with many rows."""
        longest = self.path
        for path in _paths(self.operand):
            if any(hop.many for hop in path) and longest[: len(path)] != path:
                raise FieldError(
                    f"{self.operand!r} goes over two relations with many rows, which would multiply each other."
                )

    @property
    def output(self) -> FieldSpec:
        return kinds.like(output_of(self.operand), null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        """Its SQL, of the rows that count."""
        first = operands[0]
        made: FunctionElement[Any] = getattr(sa.func, self.function)(first.distinct() if self.distinct else first)
        return cast("Element", made)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        parts = tuple([part.shape(values, engine) for part in self.parts])
        return (type(self), self.distinct, self.filtered, self.options, parts)

    @property
    def options(self) -> Hashable:
        """What else decides about its SQL."""
        return None


def _paths(node: Node) -> list[Path]:
    """The paths of an operand, without those of aggregates in it: these have a value for each row already."""
    if isinstance(node, Aggregate):
        return []
    if isinstance(node, Reference):
        return [node.path]
    return [path for child in node.children for path in _paths(child)]


class AllRows(Expression[Any]):
    """The `*` of `Count("*")`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'*'"

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("integer", null=False)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return "*"


class Count(Aggregate[int]):
    """How many values there are that are not NULL; `Count("*")` counts rows, `Count("albums")` related rows."""

    __slots__ = ()
    function = "count"
    empty = 0

    def __init__(
        self,
        operand_: str | Expression[Any] | sa.ColumnElement[Any] | Literal["*"],
        /,
        *,
        filter: Condition | sa.ColumnElement[bool] | None = None,
        distinct: bool = False,
    ) -> None:
        star = isinstance(operand_, str) and operand_ == "*"
        if star and distinct:
            raise FieldError("Count('*') counts rows, which are all different: leave distinct out, or name a field.")
        super().__init__(AllRows() if star else operand_, filter=filter, distinct=distinct)

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("integer", null=False)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        if isinstance(self.operand, AllRows) and not self.filtered:
            return sa.func.count()
        return super().build(dialect, operands)


class _OfNumbers(Aggregate[T_co]):
    """An aggregate of numbers or durations."""

    __slots__ = ()

    def check(self) -> None:
        super().check()
        kind = output_of(self.operand).kind
        if kind not in (*_NUMBERS, "duration", "any"):
            raise FieldError(
                f"{self!r}: only numbers and durations have a sum and an average, not {self.operand!r} ({kind})."
            )


class Sum(_OfNumbers[T_co]):
    """The sum of numbers or durations; `None` without any."""

    __slots__ = ()
    function = "sum"

    @property
    def output(self) -> FieldSpec:
        of = output_of(self.operand)
        if of.kind == "decimal":
            return kinds.computed("decimal", types.AnyDecimal(getattr(of.type, "scale", None)))
        return kinds.computed(of.kind)


class Avg(_OfNumbers[T_co]):
    """The average of numbers or durations; `None` without any. Of whole numbers it is a float."""

    __slots__ = ()
    function = "avg"

    @property
    def output(self) -> FieldSpec:
        kind = output_of(self.operand).kind
        return kinds.computed("float" if kind == "integer" else kind)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        if dialect.name == "mysql" and output_of(self.operand).kind == "integer":
            # MySQL gives the average of whole numbers four places only.
            operands = (operands[0] + sa.literal_column("0e0"), *operands[1:])
        return super().build(dialect, operands)


class Min(Aggregate[T_co]):
    """The smallest value; `None` without any."""

    __slots__ = ()
    function = "min"


class Max(Aggregate[T_co]):
    """The greatest value; `None` without any."""

    __slots__ = ()
    function = "max"
