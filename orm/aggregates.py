"""Aggregates: one value of many rows. `await Track.objects.aggregate(total=Sum("price"))`."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import functions
from sqlalchemy.sql.functions import FunctionElement
from typing_extensions import TypedDict, Unpack

from orm import kinds, types
from orm.conditions import Assigned
from orm.engines import engine_name
from orm.exceptions import FieldError, NotSupportedError
from orm.expressions import Condition, Expression, Ordering, Reference, T_co, Value, expression, operand, output_of
from orm.operators import Element
from orm.query import Node, Path
from orm.specs import FieldSpec
from orm.validation import operand_checker

T = TypeVar("T")
NUMBERS = ("integer", "decimal", "float")
Operand = str | Expression[Any] | sa.ColumnElement[Any]
Filter = Condition | sa.ColumnElement[bool] | None


class Options(TypedDict, total=False):
    """What every aggregate takes besides its operand and its default.

    Attributes:
        filter: only the rows that meet this condition count.
        distinct: equal values count once.
    """

    filter: Filter
    distinct: bool


class Aggregate(Expression[T_co]):
    """One value of many rows; the base of `Count`, `Sum`, `Avg`, `Min`, `Max` and their kin.

    Args:
        operand: what is aggregated: a field in words, over relations too, a column, or an expression.
        filter: only the rows that meet this condition count.
        distinct: equal values count once.
        default: its value where there is none, instead of `None`.
    """

    __slots__ = ("defaulted", "distinct", "filtered", "ordered")

    function: str = ""
    in_windows: bool = True
    """Whether it has a value in a window."""

    def __init__(
        self,
        operand_: Operand,
        /,
        *,
        filter: Filter = None,
        distinct: bool = False,
        default: Any = None,
    ) -> None:
        self._assemble(operand_, filter=filter, distinct=distinct, default=default)

    def _assemble(
        self,
        operand_: Operand,
        *,
        filter: Filter,
        distinct: bool,
        default: Any = None,
        others: Sequence[Node] = (),
        order: Sequence[Ordering] = (),
    ) -> None:
        if isinstance(default, Value):
            default = cast("Any", default).value
        if isinstance(default, (Node, sa.ColumnElement)):
            raise FieldError(f"{type(self).__name__}: default is a value, not the expression {default!r}.")
        self.filtered = filter is not None
        self.defaulted = default is not None
        self.ordered = len(order)
        self.distinct = distinct
        optional: list[Node] = [] if filter is None else [expression(filter)]
        if default is not None:
            optional.append(Assigned(default))
        super().__init__((operand(operand_), *optional, *others, *order))

    def __repr__(self) -> str:
        options = ", distinct=True" if self.distinct else ""
        condition = f", filter={self.condition!r}" if self.condition is not None else ""
        default = f", default={self.default.value!r}" if self.default is not None else ""
        others = "".join(f", {part!r}" for part in self.others)
        order = f", order_by={list(self.order)!r}" if self.order else ""
        return f"{type(self).__name__}({self.operand!r}{others}{order}{condition}{options}{default})"

    @property
    def operand(self) -> Node:
        """What is aggregated."""
        return self.parts[0]

    @property
    def condition(self) -> Node | None:
        """Which rows count."""
        return self.parts[1] if self.filtered else None

    @property
    def default(self) -> Assigned | None:
        """What it is where there is nothing to aggregate."""
        return cast("Assigned", self.parts[1 + self.filtered]) if self.defaulted else None

    @property
    def others(self) -> tuple[Node, ...]:
        """Its further operands."""
        return self.parts[1 + self.filtered + self.defaulted : len(self.parts) - self.ordered]

    @property
    def order(self) -> tuple[Node, ...]:
        """The order in which the rows are aggregated."""
        return self.parts[len(self.parts) - self.ordered :]

    @property
    def path(self) -> Path:
        """The longest path over a to-many relation in the operand; `()` where it is about the rows themselves."""
        found: Path = ()
        for path in _paths(self.operand):
            if any(hop.many for hop in path) and len(path) > len(found):
                found = path
        return found

    def check(self) -> None:
        """Raise `FieldError` for an operand over two relations with many rows, and for a default of another kind."""
        longest = self.path
        for node in (self.operand, *self.order):
            for path in _paths(node):
                many = path[: max((n + 1 for n, hop in enumerate(path) if hop.many), default=0)]
                if longest[: len(many)] != many:
                    raise FieldError(
                        f"{node!r} goes over two relations with many rows, which would multiply each other."
                        if node is self.operand
                        else f"{self!r} is ordered by {node!r}, which is no field of the rows that are aggregated."
                    )
        if self.default is not None:
            self.checked(self.default.value)

    def checked(self, default: Any) -> Any:
        """The default as it is given back. Raises `ValidationError` where it is no value of the aggregate's kind."""
        of = self.value
        return operand_checker(f"{type(self).__name__}: default", of, of.kind, bounded=False)(default)

    @property
    def empty(self) -> Any:
        """Its value without rows."""
        return None if self.default is None else self.checked(self.default.value)

    @property
    def value(self) -> FieldSpec:
        """What its value is, but for a default."""
        return kinds.like(output_of(self.operand), null=True)

    @property
    def output(self) -> FieldSpec:
        of = self.value
        return kinds.like(of, null=of.null and not self.defaulted)

    def aggregated(
        self, dialect: Dialect, operands: tuple[Element, ...], where: Element | None, terms: Sequence[Element]
    ) -> Element:
        """Its SQL, of the rows that meet a condition, in an order."""
        first, *others = operands
        if where is not None:  # FILTER (WHERE …) in the words of every engine
            first = sa.case((where, first))
        return self.build(dialect, (first, *others))

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        """Its SQL, of the rows that count."""
        first = operands[0]
        made: FunctionElement[Any] = getattr(sa.func, self.function)(first.distinct() if self.distinct else first)
        return cast("Element", made)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        parts = tuple([part.shape(values, engine) for part in self.parts])
        return (type(self), self.distinct, self.filtered, self.defaulted, self.ordered, self.options, parts)

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

    def __init__(
        self,
        operand_: Operand | Literal["*"],
        /,
        *,
        filter: Filter = None,
        distinct: bool = False,
    ) -> None:
        star = isinstance(operand_, str) and operand_ == "*"
        if star and distinct:
            raise FieldError("Count('*') counts rows, which are all different: leave distinct out, or name a field.")
        super().__init__(AllRows() if star else operand_, filter=filter, distinct=distinct)

    @property
    def empty(self) -> Any:
        return 0

    @property
    def value(self) -> FieldSpec:
        return kinds.computed("integer", null=False)

    def aggregated(
        self, dialect: Dialect, operands: tuple[Element, ...], where: Element | None, terms: Sequence[Element]
    ) -> Element:
        if isinstance(operands[0], sa.Tuple):
            return self._of_keys(dialect, list(operands[0].clauses), where)
        return super().aggregated(dialect, operands, where, terms)

    def _of_keys(self, dialect: Dialect, columns: list[Element], where: Element | None) -> Element:
        """How many keys of several fields there are, without those of which a part is NULL."""
        there = [column.is_not(None) for column in columns] + ([] if where is None else [where])
        if not self.distinct:
            return sa.func.count(sa.case((sa.and_(*there), 1)))
        if dialect.name == "mysql":
            counted = [column if where is None else sa.case((where, column)) for column in columns]
            return functions.Function("count", sa.distinct(counted[0]), *counted[1:], type_=sa.BigInteger())
        whole: Element = sa.tuple_(*columns)
        if dialect.name == "sqlite":  # it counts no row values: these texts are as different as the values
            comma: Element = sa.literal_column("','", sa.Text())
            quoted: list[Element] = [sa.func.quote(column, type_=sa.Text()) for column in columns]
            whole = functools.reduce(lambda one, other: one + comma + other, quoted)
        return sa.func.count(sa.case((sa.and_(*there), whole)).distinct())

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        if isinstance(self.operand, AllRows) and not self.filtered:
            return sa.func.count()
        return super().build(dialect, operands)


def _check_numbers(node: Aggregate[Any]) -> None:
    """Raise `FieldError` for an operand that has neither a sum nor an average."""
    kind = output_of(node.operand).kind
    if kind not in (*NUMBERS, "duration", "any"):
        raise FieldError(
            f"{node!r}: only numbers and durations have a sum and an average, not {node.operand!r} ({kind})."
        )


class Sum(Aggregate[T_co]):
    """The sum of numbers or durations; `None` without any."""

    __slots__ = ()
    function = "sum"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: Sum[T | None], operand_: Expression[T | None], /, *, default: None = None, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Sum[T], operand_: Expression[T | None], /, *, default: T, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Sum[Any], operand_: Operand, /, *, default: Any = None, **options: Unpack[Options]
        ) -> None: ...
        def __init__(self, operand_: Any, /, *, default: Any = None, **options: Unpack[Options]) -> None: ...

    def check(self) -> None:
        super().check()
        _check_numbers(self)

    @property
    def value(self) -> FieldSpec:
        of = output_of(self.operand)
        if of.kind == "decimal":
            return kinds.computed("decimal", types.AnyDecimal(getattr(of.type, "scale", None)))
        return kinds.computed(of.kind)


class Avg(Aggregate[T_co]):
    """The average of numbers or durations; `None` without any. Of whole numbers it is a float."""

    __slots__ = ()
    function = "avg"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: Avg[float | None],
            operand_: Expression[int | None],
            /,
            *,
            default: None = None,
            **options: Unpack[Options],
        ) -> None: ...
        @overload
        def __init__(
            self: Avg[float], operand_: Expression[int | None], /, *, default: float, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Avg[T | None], operand_: Expression[T | None], /, *, default: None = None, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Avg[T], operand_: Expression[T | None], /, *, default: T, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Avg[Any], operand_: Operand, /, *, default: Any = None, **options: Unpack[Options]
        ) -> None: ...
        def __init__(self, operand_: Any, /, *, default: Any = None, **options: Unpack[Options]) -> None: ...

    def check(self) -> None:
        super().check()
        _check_numbers(self)

    @property
    def value(self) -> FieldSpec:
        kind = output_of(self.operand).kind
        return kinds.computed("float" if kind == "integer" else kind)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        if dialect.name == "mysql" and output_of(self.operand).kind == "integer":
            # MySQL gives the average of whole numbers four places only.
            operands = (operands[0] + sa.literal_column("0e0"), *operands[1:])
        return super().build(dialect, operands)


class _Spread(Aggregate[float]):
    """How far numbers are from their average."""

    __slots__ = ("sample",)

    on_sqlite: tuple[str, str] = ("", "")

    def __init__(
        self,
        operand_: Operand,
        /,
        *,
        sample: bool = False,
        filter: Filter = None,
        distinct: bool = False,
        default: float | None = None,
    ) -> None:
        super().__init__(operand_, filter=filter, distinct=distinct, default=default)
        self.sample = sample

    @property
    def options(self) -> Hashable:
        return self.sample

    @property
    def value(self) -> FieldSpec:
        return kinds.computed("float")

    def check(self) -> None:
        super().check()
        kind = output_of(self.operand).kind
        if kind not in (*NUMBERS, "any"):
            raise FieldError(f"{self!r}: only numbers have a variance, not {self.operand!r} ({kind}).")

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        first = operands[0].distinct() if self.distinct else operands[0]
        if dialect.name == "mysql":
            if self.distinct:
                raise NotSupportedError(f"{engine_name(dialect)} has no {type(self).__name__} of distinct values.")
            first = operands[0] + sa.literal_column("0e0")  # of other numbers MariaDB gives a few places only
        name = f"{self.function}_{'samp' if self.sample else 'pop'}"
        made: Element = getattr(sa.func, self.on_sqlite[self.sample] if dialect.name == "sqlite" else name)(first)
        return made


class Variance(_Spread):
    """The variance of numbers: of the whole population or, with `sample=True`, as estimated from a sample."""

    __slots__ = ()
    function = "var"
    on_sqlite = ("orm_variance", "orm_sample_variance")


class StdDev(_Spread):
    """The standard deviation of numbers: of the whole population or, with `sample=True`, estimated from a sample."""

    __slots__ = ()
    function = "stddev"
    on_sqlite = ("orm_deviation", "orm_sample_deviation")


class Min(Aggregate[T_co]):
    """The smallest value; `None` without any."""

    __slots__ = ()
    function = "min"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: Min[T | None], operand_: Expression[T | None], /, *, default: None = None, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Min[T], operand_: Expression[T | None], /, *, default: T, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Min[Any], operand_: Operand, /, *, default: Any = None, **options: Unpack[Options]
        ) -> None: ...
        def __init__(self, operand_: Any, /, *, default: Any = None, **options: Unpack[Options]) -> None: ...


class Max(Aggregate[T_co]):
    """The greatest value; `None` without any."""

    __slots__ = ()
    function = "max"

    if TYPE_CHECKING:

        @overload
        def __init__(
            self: Max[T | None], operand_: Expression[T | None], /, *, default: None = None, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Max[T], operand_: Expression[T | None], /, *, default: T, **options: Unpack[Options]
        ) -> None: ...
        @overload
        def __init__(
            self: Max[Any], operand_: Operand, /, *, default: Any = None, **options: Unpack[Options]
        ) -> None: ...
        def __init__(self, operand_: Any, /, *, default: Any = None, **options: Unpack[Options]) -> None: ...
