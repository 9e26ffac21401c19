"""Window functions: what a row's value is among the rows around it. Each stands in a `Window(…)`."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import kinds
from orm.engines import is_mariadb
from orm.exceptions import FieldError
from orm.expressions import Expression, T_co, Value, output_of
from orm.operators import CLOCKS, DAYS, Element
from orm.specs import FieldSpec
from orm.validation import operand_checker
from orm.windows import Over, WindowFunction

Operand = str | Expression[Any]
"""A field or an annotation in words, or an expression."""


def _number(value: int) -> Element:
    return sa.literal_column(str(value), sa.Integer())


def _whole(name: str, what: str, value: Any, least: int) -> int:
    """A number that decides on the SQL. Raises `FieldError`."""
    if type(value) is not int or value < least:
        raise FieldError(f"{name}: {what} is a whole number from {least}, not {value!r}.")
    return value


class _Place(WindowFunction[T_co]):
    """The place of a row among the others, without an operand."""

    __slots__ = ()

    function: ClassVar[str]
    kind: ClassVar[str] = "integer"

    def __init__(self) -> None:
        super().__init__()

    @property
    def output(self) -> FieldSpec:
        return kinds.computed(self.kind, null=False)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        made: Element = getattr(sa.func, self.function)()
        return made


class RowNumber(_Place[int]):
    """The number of the row, from 1; rows that are equal in the order have different numbers, too."""

    __slots__ = ()
    function = "row_number"
    needs_order = False


class Rank(_Place[int]):
    """The place of the row, from 1; equal rows share one, and the next place is left out: 1, 2, 2, 4."""

    __slots__ = ()
    function = "rank"


class DenseRank(_Place[int]):
    """The place of the row, from 1; equal rows share one, and none is left out: 1, 2, 2, 3."""

    __slots__ = ()
    function = "dense_rank"


class PercentRank(_Place[float]):
    """How far the row's rank is along the way, from 0 to 1: (rank - 1) / (rows - 1)."""

    __slots__ = ()
    function = "percent_rank"
    kind = "float"


class CumeDist(_Place[float]):
    """Which part of the rows comes before the row or is equal to it, up to 1."""

    __slots__ = ()
    function = "cume_dist"
    kind = "float"


class Ntile(WindowFunction[int]):
    """The number of the row's bucket, from 1, where the rows are divided into `buckets` of nearly equal size."""

    __slots__ = ("buckets",)

    def __init__(self, buckets: int = 1) -> None:
        self.buckets = _whole("Ntile", "the number of buckets", buckets, 1)
        super().__init__()

    @property
    def options(self) -> Hashable:
        return self.buckets

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("integer", null=False)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.ntile(_number(self.buckets))


class _Neighbour(WindowFunction[T_co]):
    """The value of a row some rows away."""

    __slots__ = ("offset",)

    function: ClassVar[str]

    def __init__(self, expression: Operand, offset: int = 1, default: Any = None) -> None:
        self.offset = _whole(type(self).__name__, "the offset", offset, 0)
        if isinstance(default, Value):
            default = cast("Any", default).value
        if isinstance(default, Expression):
            raise FieldError(f"{type(self).__name__}: default is a value, not the expression {default!r}.")
        super().__init__(expression, *(() if default is None else (Value(default),)))

    @property
    def options(self) -> Hashable:
        return self.offset

    @property
    def output(self) -> FieldSpec:
        of = output_of(self.parts[0])
        return kinds.like(of, null=of.null or len(self.parts) == 1)

    def check(self) -> None:
        super().check()
        if len(self.parts) > 1:
            of, default = output_of(self.parts[0]), cast("Value[Any]", self.parts[1])
            operand_checker(f"{type(self).__name__}: default", of, of.kind, bounded=False)(default.value)

    def windowed(self, dialect: Dialect, operands: tuple[Element, ...], over: Over) -> Element:
        function = getattr(sa.func, self.function)
        found = over(function(operands[0], _number(self.offset)))
        if len(operands) == 1:
            return found
        default: Element = sa.type_coerce(operands[1], operands[0].type)
        if dialect.name == "mysql" and output_of(self.parts[0]).kind in DAYS | CLOCKS:
            default = sa.cast(default, operands[0].type)  # or the result would be text
        if not is_mariadb(dialect):
            return over(function(operands[0], _number(self.offset), default))
        # MariaDB has no third operand. Of a number it is NULL only where there is no such row.
        there = over(function(_number(1), _number(self.offset)))
        return sa.case((there.is_(None), default), else_=found)


class Lag(_Neighbour[Any]):
    """The value of the row that is `offset` rows before; `default` where there is none."""

    __slots__ = ()
    function = "lag"


class Lead(_Neighbour[Any]):
    """The value of the row that is `offset` rows after; `default` where there is none."""

    __slots__ = ()
    function = "lead"


class _OfFrame(WindowFunction[T_co]):
    """The value of one row of the frame."""

    __slots__ = ()

    function: ClassVar[str]
    needs_order = False
    has_frame = True

    @property
    def output(self) -> FieldSpec:
        return kinds.like(output_of(self.parts[0]), null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        made: Element = getattr(sa.func, self.function)(*operands)
        return made


class FirstValue(_OfFrame[Any]):
    """The value of the first row of the frame."""

    __slots__ = ()
    function = "first_value"

    def __init__(self, expression: Operand) -> None:
        super().__init__(expression)


class LastValue(_OfFrame[Any]):
    """The value of the last row of the frame.

    With an order the frame ends at the row itself unless it is said otherwise: `frame=RowRange()`.
    """

    __slots__ = ()
    function = "last_value"

    def __init__(self, expression: Operand) -> None:
        super().__init__(expression)


class NthValue(_OfFrame[Any]):
    """The value of the `nth` row of the frame, from 1; `None` where the frame has fewer."""

    __slots__ = ("nth",)
    function = "nth_value"

    def __init__(self, expression: Operand, nth: int = 1) -> None:
        self.nth = _whole("NthValue", "the number of the row", nth, 1)
        super().__init__(expression)

    @property
    def options(self) -> Hashable:
        return self.nth

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.nth_value(operands[0], _number(self.nth))
