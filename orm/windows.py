"""Window functions: values that depend on the other rows of a result. `Window(Rank(), order_by="-seconds")`."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm.aggregates import Aggregate
from orm.exceptions import FieldError
from orm.expressions import Expression, F, Function, Ordering, T_co, operand, output_of
from orm.operators import Element
from orm.query import Node, walk
from orm.specs import FieldSpec


@dataclass(frozen=True)
class _Frame:
    """Which rows around a row count; `None` for no bound, 0 for the row itself."""

    start: int | None = None
    end: int | None = None

    def __post_init__(self) -> None:
        for bound in (self.start, self.end):
            if bound is not None and type(bound) is not int:
                raise FieldError(f"{self!r}: a bound is a number, before the row if it is negative, or None.")
        if self.start is not None and self.end is not None and self.start > self.end:
            raise FieldError(f"{self!r} ends before it begins.")


class RowRange(_Frame):
    """So many rows before and after: `RowRange(start=-2, end=0)`; `None` is the first, or last, of the partition."""


class ValueRange(_Frame):
    """The rows with values this far from the row's own in the order; `None` for no bound, 0 for equal values."""


class WindowFunction(Function[T_co]):
    """A function that has a value in a window only; the base of `RowNumber`, `Lag` and their kin.

    Attributes:
        needs_order: it says nothing about rows that have no order.
        has_frame: it looks at the rows of a frame only.
    """

    __slots__ = ("inside",)

    of_row = False
    needs_order: ClassVar[bool] = True
    has_frame: ClassVar[bool] = False

    def __init__(self, *operands: Any) -> None:
        super().__init__(*operands)
        self.inside = False

    def in_window(self) -> Self:
        """A copy that knows that it stands in a window."""
        new = copy.copy(self)
        new.inside = True
        return new

    def check(self) -> None:
        if not self.inside:
            raise FieldError(f"{self!r} needs a window: Window({self!r}, …).")

    def windowed(self, dialect: Dialect, operands: tuple[Element, ...], over: Over) -> Element:
        """Its SQL in a window."""
        return over(self.build(dialect, operands))


Over = Callable[[Element], Element]
"""Puts the SQL of a function into a window: `… OVER (…)`."""


class Window(Expression[T_co]):
    """A function or an aggregate over the rows of a partition, in an order.

    Args:
        expression: a window function, or an aggregate.
        partition_by: what a row has in common with the rows that count; all rows if it is not given.
        order_by: their order, as in `order_by()` of a query set.
        frame: which of them count: `RowRange` or `ValueRange`; with an order, those up to the row unless it is said.
    """

    __slots__ = ("frame", "partitions")

    def __init__(
        self,
        expression: Expression[T_co],
        *,
        partition_by: str | Expression[Any] | Iterable[str | Expression[Any]] = (),
        order_by: str | Expression[Any] | Ordering | Iterable[str | Expression[Any] | Ordering] = (),
        frame: RowRange | ValueRange | None = None,
    ) -> None:
        if not isinstance(expression, (WindowFunction, Aggregate)):
            raise FieldError(
                f"Window takes a window function (RowNumber(), Lag('…'), …) or an aggregate, not {expression!r}."
            )
        if frame is not None and type(frame) not in (RowRange, ValueRange):
            raise FieldError(f"frame={frame!r} is no frame. Choose from: RowRange(…), ValueRange(…).")
        partitions = tuple([operand(item) for item in _listed(partition_by)])
        terms = ordering_terms(order_by)
        function: Node = expression.in_window() if isinstance(expression, WindowFunction) else expression
        super().__init__((function, *partitions, *terms))
        self.partitions = len(partitions)
        self.frame = frame
        if isinstance(expression, WindowFunction):
            if expression.needs_order and not terms:
                raise FieldError(f"{expression!r} needs an order: Window({expression!r}, order_by=…).")
            if frame is not None and not expression.has_frame:
                raise FieldError(f"{expression!r} is about the whole partition. Leave frame out.")

    def __repr__(self) -> str:
        return f"Window({self.parts[0]!r})"

    @property
    def partition(self) -> tuple[Node, ...]:
        """What a row has in common with the rows that count."""
        return self.parts[1 : 1 + self.partitions]

    @property
    def order(self) -> tuple[Node, ...]:
        """The order of the rows."""
        return self.parts[1 + self.partitions :]

    @property
    def operands(self) -> tuple[Node, ...]:
        """What it is computed of for each row, or group: what its function takes, the partition and the order."""
        return (*self.parts[0].parts, *self.parts[1:])

    @property
    def output(self) -> FieldSpec:
        return output_of(self.parts[0])

    def check(self) -> None:
        """Raise `FieldError` for an aggregate of related rows, which a row has one of without any window."""
        function = self.parts[0]
        if isinstance(function, Aggregate) and function.path:
            raise FieldError(
                f"{self!r} goes over a relation with many rows. Name the aggregate first: "
                "annotate(x=…).annotate(y=Window(Sum('x'), …))."
            )
        if isinstance(function, Aggregate) and (function.distinct or not function.in_windows):
            raise FieldError(f"{function!r} has no value in a window, on some databases at least.")
        if any(isinstance(part, Window) for child in self.parts for part in walk(child)):
            raise FieldError(f"{self!r} has a window inside of it, which SQL does not have.")
        if isinstance(self.frame, ValueRange) and (self.frame.start or self.frame.end):
            self._check_distances()

    def _check_distances(self) -> None:
        """Raise `FieldError` for a frame of so much more or less where there is no one number to add it to."""
        kinds = [output_of(term.parts[0]).kind for term in self.order]
        if len(kinds) != 1 or kinds[0] not in ("integer", "float", "decimal"):
            raise FieldError(
                f"{self.frame!r} adds to the value that rows are ordered by: it needs an order_by of one number."
            )

    def shape(self, values: list[Any], engine: str) -> Hashable:
        parts = tuple([part.shape(values, engine) for part in self.parts])
        return (Window, self.partitions, type(self.frame), self.frame, parts)


def _listed(given: Any) -> list[Any]:
    return [given] if isinstance(given, (str, Node, sa.ColumnElement)) else list(given)


def ordering_terms(given: Any) -> list[Ordering]:
    """An order as `order_by()` of a query set takes it, one term or several."""
    return [_term(item) for item in _listed(given)]


def _term(given: Any) -> Ordering:
    if isinstance(given, Ordering):
        return given
    if isinstance(given, str):
        descending = given.startswith("-")
        return Ordering(F(given[1:] if descending else given), descending=descending)
    return Ordering(operand(given))
