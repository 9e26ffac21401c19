"""Aggregates: one value of many rows. `await Track.objects.aggregate(total=Sum("price"))`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Literal

import sqlalchemy as sa

from orm.exceptions import FieldError
from orm.expressions import Condition, Expression, F, expression
from orm.query import Node


class Aggregate(Expression[Any]):
    """One value of many rows; the base of `Count`, `Sum`, `Avg`, `Min` and `Max`.

    Args:
        operand: what is aggregated: a field in words, over relations too, a column, or an expression.
        filter: only the rows that meet this condition count.
        distinct: equal values count once.
    """

    __slots__ = ("distinct",)

    function: str = ""

    def __init__(
        self,
        operand: str | Expression[Any] | sa.ColumnElement[Any],
        *,
        filter: Condition | sa.ColumnElement[bool] | None = None,
        distinct: bool = False,
    ) -> None:
        parts: list[Node] = [F(operand) if isinstance(operand, str) else expression(operand)]
        if filter is not None:
            parts.append(expression(filter))
        super().__init__(tuple(parts))
        self.distinct = distinct

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"

    @property
    def operand(self) -> Node:
        """What is aggregated."""
        return self.parts[0]

    @property
    def condition(self) -> Node | None:
        """Which rows count."""
        return self.parts[1] if len(self.parts) > 1 else None

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return (self.function, self.distinct, *[part.shape(values, engine) for part in self.parts])


class AllRows(Expression[Any]):
    """The `*` of `Count("*")`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'*'"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return "*"


class Count(Aggregate):
    """How many values there are that are not NULL; `Count("*")` counts rows, `Count("albums")` related rows."""

    __slots__ = ()
    function = "count"

    def __init__(
        self,
        operand: str | Expression[Any] | sa.ColumnElement[Any] | Literal["*"],
        *,
        filter: Condition | sa.ColumnElement[bool] | None = None,
        distinct: bool = False,
    ) -> None:
        star = isinstance(operand, str) and operand == "*"
        if star and distinct:
            raise FieldError("Count('*') counts rows, which are all different: leave distinct out, or name a field.")
        super().__init__(AllRows() if star else operand, filter=filter, distinct=distinct)


class Sum(Aggregate):
    """The sum of numbers or durations; `None` without any."""

    __slots__ = ()
    function = "sum"


class Avg(Aggregate):
    """The average of numbers or durations; `None` without any. Of whole numbers it is a float."""

    __slots__ = ()
    function = "avg"


class Min(Aggregate):
    """The smallest value; `None` without any."""

    __slots__ = ()
    function = "min"


class Max(Aggregate):
    """The greatest value; `None` without any."""

    __slots__ = ()
    function = "max"
