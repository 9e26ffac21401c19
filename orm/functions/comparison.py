"""Functions that choose between values: the first that is not NULL, the greatest, the one whose condition holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import kinds
from orm.conditions import Q
from orm.exceptions import FieldError
from orm.expressions import Comparison, Condition, Expression, Function, T_co, expression, output_of
from orm.functions.base import AnyOperand, described
from orm.operators import ORDERED, Element
from orm.query import Node
from orm.specs import FieldSpec

T = TypeVar("T")


def _unified(function: Function, parts: Sequence[Node], *, null: bool) -> FieldSpec:
    """What a value is that is one of several. Raises `FieldError` where their kinds do not agree."""
    specs = [output_of(part) for part in parts]
    try:
        return kinds.unified(specs, null=null)
    except ValueError:
        listed = ", ".join(map(described, parts))
        raise FieldError(f"{type(function).__name__} takes values of one kind, not {listed}. Cast them.") from None


class _OfOneKind(Function[T_co]):
    """A function whose operands are of the kind that it gives."""

    __slots__ = ()

    def __init__(self, *expressions: Any) -> None:
        if len(expressions) < 2:
            raise FieldError(f"{type(self).__name__} takes two expressions or more, not {len(expressions)}.")
        super().__init__(*expressions)

    def check(self) -> None:
        """Raise `FieldError` for operands of several kinds."""
        _unified(self, self.parts, null=True)


class Coalesce(_OfOneKind[T_co]):
    """The first of its operands that is not NULL: `Coalesce("nickname", "name")`.

    Raises:
        FieldError: there are fewer than two.
    """

    __slots__ = ()

    @overload
    def __init__(self: Coalesce[T], first: Expression[T | None], second: Expression[T], /) -> None: ...
    @overload
    def __init__(self: Coalesce[Any], *expressions: AnyOperand) -> None: ...
    def __init__(self, *expressions: Any) -> None:
        super().__init__(*expressions)

    @property
    def output(self) -> FieldSpec:
        return _unified(self, self.parts, null=all(output_of(part).null for part in self.parts))

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.coalesce(*operands)


class NullIf(_OfOneKind[T_co]):
    """The first operand, or NULL where it equals the second."""

    __slots__ = ()

    @overload
    def __init__(self: NullIf[T | None], value: Expression[T], other: AnyOperand, /) -> None: ...
    @overload
    def __init__(self: NullIf[Any], value: AnyOperand, other: AnyOperand, /) -> None: ...
    def __init__(self, value: Any, other: Any, /) -> None:
        super().__init__(value, other)

    @property
    def output(self) -> FieldSpec:
        return kinds.like(output_of(self.parts[0]), null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.nullif(*operands)


class _Extreme(_OfOneKind[T_co]):
    """The greatest or the least value; NULL if one of them is."""

    __slots__ = ()

    @property
    def output(self) -> FieldSpec:
        return _unified(self, self.parts, null=any(output_of(part).null for part in self.parts))

    def check(self) -> None:
        """Raise `FieldError` for operands of several kinds, or that have no order."""
        super().check()
        kind = self.output.kind
        if kind not in ORDERED and kind != "any":
            raise FieldError(f"{type(self).__name__} takes values that have an order, not {described(self.parts[0])}.")

    def _of(self, dialect: Dialect, operands: tuple[Element, ...], name: str) -> Element:
        made: Element = getattr(sa.func, name)(*operands)
        if dialect.name != "postgresql":
            return made
        # PostgreSQL passes over NULLs, where the others give NULL.
        missing = [
            element.is_(None) for part, element in zip(self.parts, operands, strict=True) if output_of(part).null
        ]
        return sa.case((sa.or_(*missing), sa.null()), else_=made) if missing else made


class Greatest(_Extreme[T_co]):
    """The greatest of its operands; NULL if one of them is NULL, on every database.

    Raises:
        FieldError: there are fewer than two.
    """

    __slots__ = ()

    @overload
    def __init__(self: Greatest[T], first: Expression[T], second: Expression[T], /) -> None: ...
    @overload
    def __init__(self: Greatest[Any], *expressions: AnyOperand) -> None: ...
    def __init__(self, *expressions: Any) -> None:
        super().__init__(*expressions)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return self._of(dialect, operands, "max" if dialect.name == "sqlite" else "greatest")


class Least(_Extreme[T_co]):
    """The least of its operands; NULL if one of them is NULL, on every database.

    Raises:
        FieldError: there are fewer than two.
    """

    __slots__ = ()

    @overload
    def __init__(self: Least[T], first: Expression[T], second: Expression[T], /) -> None: ...
    @overload
    def __init__(self: Least[Any], *expressions: AnyOperand) -> None: ...
    def __init__(self, *expressions: Any) -> None:
        super().__init__(*expressions)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return self._of(dialect, operands, "min" if dialect.name == "sqlite" else "least")


# ---------------------------------------------------------------- conditions

_NO_VALUE: Final = object()


class When(Node):
    """A condition and the value that `Case` has where it holds: `When(year__lt=1980, then=orm.Value("old"))`.

    Args:
        conditions: conditions, or expressions that are true or false.
        then: the value; a text is a value as others are, and a field is `F("…")` or `Album.title`.
        words: conditions in words; all of them must hold.

    Raises:
        FieldError: there is no condition, or no `then`.
    """

    __slots__ = ()

    def __init__(self, *conditions: Any, then: Any = _NO_VALUE, **words: Any) -> None:
        if then is _NO_VALUE:
            raise FieldError("When needs a value: When(…, then=…).")
        if not conditions and not words:
            raise FieldError("When needs a condition: When(year__lt=1980, then=…).")
        given = [_condition(condition) for condition in conditions]
        super().__init__((Q(*given, **words), expression(then)))

    def __repr__(self) -> str:
        return f"When({self.parts[0]!r}, then={self.parts[1]!r})"


def _condition(given: Any) -> Any:
    if isinstance(given, Expression) and not isinstance(given, Condition):
        return Comparison(cast("Any", given), "exact", True)
    if isinstance(given, (Condition, sa.ColumnElement)):
        return cast("Any", given)
    raise FieldError(f"When takes conditions, not {given!r}. Give words (year=1980), Q(…) or Album.year == 1980.")


class Case(Function[T_co]):
    """The value of the first `When` whose condition holds: `Case(When(year__lt=1980, then=1), default=2)`.

    A condition over a relation with many rows holds where one of these rows meets it.

    Args:
        whens: the conditions and their values.
        default: the value where none of them holds; a text is a value as others are, and a field is `F("…")`.

    Raises:
        FieldError: there is no `When`.
    """

    __slots__ = ()

    def __init__(self, *whens: When, default: Any = None) -> None:
        for when in whens:
            if not isinstance(when, When):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise FieldError(f"Case takes When(…, then=…), not {when!r}.")
        if not whens:
            raise FieldError("Case needs at least one When(…, then=…).")
        super().__init__(*[part for when in whens for part in when.parts], expression(default))

    def __repr__(self) -> str:
        whens = [f"When({c!r}, then={v!r})" for c, v in zip(self.parts[:-1:2], self.parts[1::2], strict=True)]
        return f"Case({', '.join(whens)}, default={self.parts[-1]!r})"

    @property
    def values(self) -> tuple[Node, ...]:
        """What it may be, the default last."""
        return (*self.parts[1::2], self.parts[-1])

    @property
    def output(self) -> FieldSpec:
        return _unified(self, self.values, null=any(output_of(value).null for value in self.values))

    def check(self) -> None:
        """Raise `FieldError` for values of several kinds."""
        _unified(self, self.values, null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        whens = list(zip(operands[:-1:2], operands[1::2], strict=True))
        return sa.case(*whens, else_=operands[-1])
