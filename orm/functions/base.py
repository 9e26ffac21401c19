"""What the functions have in common: which kinds of operands they take, and what is done to these before."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import kinds, types
from orm.conditions import kind_of
from orm.exceptions import FieldError
from orm.expressions import Condition, Expression, Function, Reference, T_co, Value, output_of
from orm.operators import Element
from orm.query import Node
from orm.specs import FieldSpec

TextOperand: TypeAlias = str | Expression[str | None] | sa.ColumnElement[Any]
"""A field in words, or an expression: a text itself is `Value("…")`."""
NumberOperand: TypeAlias = (
    str
    | float
    | Decimal
    | Expression[int | None]
    | Expression[float | None]
    | Expression[Decimal | None]
    | sa.ColumnElement[Any]
)
"""A field in words, a number, or an expression."""
WholeOperand: TypeAlias = str | int | Expression[int | None] | sa.ColumnElement[Any]
"""A field in words, a whole number, or an expression."""
AnyOperand: TypeAlias = str | Expression[Any] | sa.ColumnElement[Any] | Any
"""A field in words, an expression, or a value other than a text."""


@dataclass(frozen=True)
class Kinds:
    """Kinds of values that an operand may have, and what people call them."""

    name: str
    kinds: frozenset[str]


TEXT: Final = Kinds("text", frozenset({"text"}))
NUMBERS: Final = Kinds("numbers", frozenset({"integer", "decimal", "float"}))
WHOLE: Final = Kinds("whole numbers", frozenset({"integer"}))


def described(node: Node) -> str:
    """What an operand is called, with its kind."""
    kind = kind_of(node)
    if not isinstance(node, Reference):
        return f"{node!r} ({kind})"
    reference: Reference = cast("Any", node)
    name = repr(reference) if reference.keys else f"{reference.owner.name}.{reference.spec.label}"
    return f"{name} ({kind})"


class KeyText(Expression[str | None]):
    """The value under keys inside JSON as a text: what functions of text take of it. JSON's null is NULL."""

    __slots__ = ()

    def __init__(self, reference: Reference) -> None:
        super().__init__((reference,))

    def __repr__(self) -> str:
        return repr(self.parts[0])

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("text")

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return ("text", self.parts[0].shape(values, engine))


def as_text(node: Node) -> Node:
    """A value inside JSON as its text, anything else as it is."""
    if not isinstance(node, Reference):
        return node
    reference: Reference = cast("Any", node)
    return KeyText(reference) if reference.keys else reference


class KindedFunction(Function[T_co]):
    """A function whose operands are of certain kinds.

    Attributes:
        takes: what each of its operands may be; the last is for all that follow, too.
    """

    __slots__ = ()

    takes: ClassVar[tuple[Kinds, ...]]

    def with_children(self, children: tuple[Node, ...]) -> Node:
        taken = [self._taken(index) for index in range(len(children))]
        return super().with_children(
            tuple([as_text(child) if of is TEXT else child for child, of in zip(children, taken, strict=True)])
        )

    def _taken(self, index: int) -> Kinds:
        return self.takes[min(index, len(self.takes) - 1)]

    def check(self) -> None:
        """Raise `FieldError` for an operand of another kind."""
        for index, part in enumerate(self.parts):
            taken = self._taken(index)
            if output_of(part).kind not in (*taken.kinds, "any"):
                raise FieldError(
                    f"{type(self).__name__} takes {taken.name}, not {described(part)}. "
                    f"Cast it: Cast(…, {_CASTS[taken.name]}), or choose another function."
                )

    @property
    def nullable(self) -> bool:
        """Whether one of its operands may be NULL."""
        return any(output_of(part).null for part in self.parts)


def has_collation(node: Node) -> bool:
    """Whether a text has a collation: a column's, or one that was asked for.

    To MySQL all others compare as the connection does, which ignores case.
    """
    if isinstance(node, (Condition, KeyText, Value)):
        return False
    if isinstance(node, Function) and node.collates_by != "operands":
        return node.collates_by == "itself"
    return not node.children or any(has_collation(child) for child in node.children)


_CASTS: Final = {
    TEXT.name: "orm.Text()",
    NUMBERS.name: "orm.Float()",
    WHOLE.name: "orm.Integer()",
}


def small(dialect: Dialect, number: Element) -> Element:
    """A whole number as PostgreSQL's functions of text take it: they have none for 64 bits."""
    return sa.cast(number, sa.Integer()) if dialect.name == "postgresql" else number


def at_least(dialect: Dialect, number: Element, node: Node, low: int) -> Element:
    """A whole number, which is checked already if it is a value, but not less than that."""
    if not isinstance(node, Value):
        bound: Element = sa.literal_column(str(low))
        number = sa.case((number < bound, bound), else_=number)
    return small(dialect, number)


def check_least(function: str, name: str, number: Any, low: int) -> None:
    """Raise `FieldError` for a number that is less than that."""
    given = cast("Any", number).value if isinstance(number, Value) else number
    if isinstance(given, int) and not isinstance(given, bool) and given < low:
        raise FieldError(f"{function}: {name} is at least {low}, not {given!r}.")


def concatenated(dialect: Dialect, *texts: Element) -> Element:
    """Texts one after another; NULL if one of them is."""
    if dialect.name == "mysql":
        return sa.func.concat(*texts, type_=types.Text())
    first, *rest = texts
    for text in rest:
        first = first.op("||", precedence=_CONCAT, return_type=types.Text())(text)
    return first


_CONCAT: Final = 6
"""SQLAlchemy's precedence of `||`."""
