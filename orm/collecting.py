"""Aggregates that keep every value: `StringAgg`, `ArrayAgg` and `JSONAgg`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

from orm import kinds, lists
from orm.aggregates import Aggregate, Filter, Operand
from orm.engines import engine_name
from orm.exceptions import FieldError, NotSupportedError, ValidationError
from orm.expressions import Expression, Ordering, T_co, Value, output_of
from orm.operators import Element
from orm.query import Node
from orm.specs import FieldSpec
from orm.windows import ordering_terms

Order = str | Expression[Any] | Ordering | Iterable[str | Expression[Any] | Ordering]
"""An order as `order_by()` of a query set takes it."""


class _Collection(Aggregate[T_co]):
    """An aggregate of all values, in an order."""

    __slots__ = ()

    in_windows = False

    def check(self) -> None:
        super().check()
        for term in self.order if self.distinct else ():
            if not _same(term.parts[0], self.operand):
                raise FieldError(
                    f"{self!r}: each of the distinct values may come from several rows, so they can be ordered by "
                    "nothing but themselves."
                )

    def aggregated(
        self, dialect: Dialect, operands: tuple[Element, ...], where: Element | None, terms: Sequence[Element]
    ) -> Element:
        return self.collected(dialect, operands, lists.Rows(where, terms, self.distinct))

    def collected(self, dialect: Dialect, operands: tuple[Element, ...], rows: lists.Rows) -> Element:
        """Its SQL."""
        raise NotImplementedError


def _same(a: Node, b: Node) -> bool:
    values: tuple[list[Any], list[Any]] = ([], [])
    return a.shape(values[0], "") == b.shape(values[1], "") and values[0] == values[1]


class StringAgg(_Collection[str]):
    """Texts joined into one; `None` without any. NULLs are left out.

    Args:
        operand: the text: a field in words, over relations too, a column, or an expression.
        delimiter: what is put between two texts.
        order_by: the order of the texts, as in `order_by()` of a query set; the database's choice if it is not given.
        filter: only the rows that meet this condition count.
        distinct: equal texts count once.
        default: its value where there is none, instead of `None`.
    """

    __slots__ = ()

    def __init__(
        self,
        operand_: Operand,
        delimiter: str,
        *,
        order_by: Order = (),
        filter: Filter = None,
        distinct: bool = False,
        default: str | None = None,
    ) -> None:
        if not isinstance(delimiter, str) or "\0" in delimiter:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(f"StringAgg: the delimiter is a text without NUL characters, not {delimiter!r}.")
        order = ordering_terms(order_by)
        others = (Value(delimiter),)
        self._assemble(operand_, filter=filter, distinct=distinct, default=default, others=others, order=order)

    def check(self) -> None:
        super().check()
        kind = output_of(self.operand).kind
        if kind not in ("text", "any"):
            raise FieldError(f"{self!r} joins texts, and {self.operand!r} is none ({kind}).")

    @property
    def value(self) -> FieldSpec:
        return kinds.computed("text")

    def collected(self, dialect: Dialect, operands: tuple[Element, ...], rows: lists.Rows) -> Element:
        value, delimiter = operands
        return lists.joined(dialect, value, delimiter, rows)


class _List(_Collection[T_co]):
    """All values as a list."""

    __slots__ = ()

    def __init__(
        self,
        operand_: Operand,
        *,
        order_by: Order = (),
        filter: Filter = None,
        distinct: bool = False,
        default: list[Any] | None = None,
    ) -> None:
        order = ordering_terms(order_by)
        self._assemble(operand_, filter=filter, distinct=distinct, default=default, order=order)

    def checked(self, default: Any) -> Any:
        if not isinstance(default, list):
            name = f"{type(self).__name__}: default"
            raise ValidationError.single(name, f"{name} is a list, not {default!r}.", default)
        return default  # pyright: ignore[reportUnknownVariableType]


class JSONAgg(_List[list[Any]]):
    """All values as a list, NULLs as `None`; `None` without rows. It is a JSON list to the database.

    Values come back as from their column. Durations, bytes and addresses are refused, for which JSON has no form.

    Args:
        operand: the value: a field in words, over relations too, a column, or an expression.
        order_by: the order of the values, as in `order_by()` of a query set; the database's choice if it is not given.
        filter: only the rows that meet this condition count.
        distinct: equal values count once.
        default: a list that is its value without rows, instead of `None`; of texts, numbers and other JSON.
    """

    __slots__ = ()

    def check(self) -> None:
        super().check()
        kind = output_of(self.operand).kind
        if kind not in lists.LISTED:
            raise FieldError(f"{self!r}: a JSON list cannot hold {self.operand!r} ({kind}).")
        if self.distinct and kind == "json":
            raise FieldError(f"{self!r}: not every database knows which JSON values are equal. Leave distinct out.")

    @property
    def value(self) -> FieldSpec:
        of = output_of(self.operand)
        return kinds.computed("json", lists.JSONList(of.kind, of.type))

    def collected(self, dialect: Dialect, operands: tuple[Element, ...], rows: lists.Rows) -> Element:
        return lists.json_list(dialect, operands[0], output_of(self.operand), rows)


class ArrayAgg(_List[list[Any]]):
    """All values as a list, NULLs as `None`; `None` without rows. On PostgreSQL only: it is an array there.

    Args:
        operand: the value: a field in words, over relations too, a column, or an expression.
        order_by: the order of the values, as in `order_by()` of a query set; the database's choice if it is not given.
        filter: only the rows that meet this condition count.
        distinct: equal values count once.
        default: a list that is its value without rows, instead of `None`.
    """

    __slots__ = ()

    @property
    def value(self) -> FieldSpec:
        return kinds.computed("any", postgresql.ARRAY(output_of(self.operand).type))

    def collected(self, dialect: Dialect, operands: tuple[Element, ...], rows: lists.Rows) -> Element:
        if dialect.name != "postgresql":
            raise NotSupportedError(f"{engine_name(dialect)} has no arrays, so it has no ArrayAgg. Use JSONAgg.")
        return lists.array(operands[0], rows)
