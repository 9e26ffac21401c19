"""Functions of numbers. Where there is no result, such as the root of -1, they give NULL on every database."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import kinds, types
from orm.arithmetic import ZERO, floor, real, remainder, rounded
from orm.exceptions import FieldError
from orm.expressions import Function, T_co, output_of
from orm.functions.base import NUMBERS, KindedFunction, NumberOperand
from orm.operators import Element
from orm.specs import FieldSpec

_ONE: Final[Element] = sa.literal_column("1")
_PI: Final = "3.141592653589793e0"
_LARGEST_EXPONENT: Final[Element] = sa.literal_column("709.782712893384e0")
_SMALLEST_EXPONENT: Final[Element] = sa.literal_column("-745.1332191019411e0")
_LARGEST_PLACES: Final = 15


class _OfNumber(KindedFunction[T_co]):
    __slots__ = ()
    takes = (NUMBERS,)

    def __init__(self, number: NumberOperand, /) -> None:
        super().__init__(number)


# ---------------------------------------------------------------- floats


class RealFunction(_OfNumber[float | None]):
    """A function of one number that gives a float.

    Attributes:
        name: what it is called in SQL.
    """

    __slots__ = ()

    name: ClassVar[str]

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("float")

    def domain(self, number: Element) -> Element | None:
        """The condition that there is a result for a number; `None` where there always is."""
        return None

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        number = real(dialect.name, operands[0])
        if dialect.name == "sqlite":
            return _named(f"orm_{self.name}", number)
        made = _named(self.name, number)
        domain = self.domain(number)
        return made if domain is None else sa.case((domain, made))


def _named(name: str, *operands: Element) -> Element:
    made: Element = getattr(sa.func, name)(*operands)
    return made


class ACos(RealFunction):
    """The arc cosine, in radians; NULL beyond -1 to 1."""

    __slots__ = ()
    name = "acos"

    def domain(self, number: Element) -> Element | None:
        return sa.func.abs(number) <= _ONE


class ASin(RealFunction):
    """The arc sine, in radians; NULL beyond -1 to 1."""

    __slots__ = ()
    name = "asin"

    def domain(self, number: Element) -> Element | None:
        return sa.func.abs(number) <= _ONE


class ATan(RealFunction):
    """The arc tangent, in radians."""

    __slots__ = ()
    name = "atan"


class Cos(RealFunction):
    """The cosine of an angle in radians."""

    __slots__ = ()
    name = "cos"


class Cot(RealFunction):
    """The cotangent of an angle in radians; NULL of 0."""

    __slots__ = ()
    name = "cot"

    def domain(self, number: Element) -> Element | None:
        return number != ZERO


class Degrees(RealFunction):
    """An angle in radians, in degrees."""

    __slots__ = ()
    name = "degrees"


class Exp(RealFunction):
    """e to the power of a number; NULL where that is greater than every float."""

    __slots__ = ()
    name = "exp"

    def domain(self, number: Element) -> Element | None:
        return number <= _LARGEST_EXPONENT

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        made = super().build(dialect, operands)
        if dialect.name == "postgresql":  # which refuses what is too small to be told from 0
            return sa.case((operands[0] < _SMALLEST_EXPONENT, ZERO), else_=made)
        return made


class Ln(RealFunction):
    """The natural logarithm; NULL of what is not greater than 0."""

    __slots__ = ()
    name = "ln"

    def domain(self, number: Element) -> Element | None:
        return number > ZERO


class Radians(RealFunction):
    """An angle in degrees, in radians."""

    __slots__ = ()
    name = "radians"


class Sin(RealFunction):
    """The sine of an angle in radians."""

    __slots__ = ()
    name = "sin"


class Sqrt(RealFunction):
    """The square root; NULL of negative numbers."""

    __slots__ = ()
    name = "sqrt"

    def domain(self, number: Element) -> Element | None:
        return number >= ZERO


class Tan(RealFunction):
    """The tangent of an angle in radians."""

    __slots__ = ()
    name = "tan"


class _OfTwoNumbers(KindedFunction[float | None]):
    """A function of two numbers that gives a float."""

    __slots__ = ()
    takes = (NUMBERS,)

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("float")


class ATan2(_OfTwoNumbers):
    """The angle of the point (x, y), in radians: `ATan2(y, x)`."""

    __slots__ = ()

    def __init__(self, y: NumberOperand, x: NumberOperand, /) -> None:
        super().__init__(y, x)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        name = "orm_atan2" if dialect.name == "sqlite" else "atan2"
        return _named(name, *[real(dialect.name, operand) for operand in operands])


class Log(_OfTwoNumbers):
    """The logarithm of a number to a base: `Log(10, "x")`; NULL where there is none."""

    __slots__ = ()

    def __init__(self, base: NumberOperand, number: NumberOperand, /) -> None:
        super().__init__(base, number)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        base, number = [real(dialect.name, operand) for operand in operands]
        ln = "orm_ln" if dialect.name == "sqlite" else "ln"
        quotient = _named(ln, number).op("/", precedence=8)(_named(ln, base))
        return sa.case((sa.and_(number > ZERO, base > ZERO, base != _ONE), quotient))


class Power(_OfTwoNumbers):
    """A number to the power of another one: `Power("x", 2)`; NULL where there is no such number.

    What is greater than every float is NULL on SQLite, and a `DataError` elsewhere.
    """

    __slots__ = ()

    def __init__(self, number: NumberOperand, exponent: NumberOperand, /) -> None:
        super().__init__(number, exponent)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        number, exponent = [real(dialect.name, operand) for operand in operands]
        if dialect.name == "sqlite":
            return sa.func.orm_power(number, exponent)
        there_is = sa.or_(
            number > ZERO,
            sa.and_(number == ZERO, exponent >= ZERO),
            sa.and_(number < ZERO, exponent == sa.func.floor(exponent)),
        )
        return sa.case((there_is, sa.func.power(number, exponent)))


class Pi(Function[float]):
    """The number π."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("float", null=False)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        pi: Element = sa.literal_column(_PI)
        return sa.cast(pi, sa.Double()) if dialect.name == "postgresql" else pi


class Random(Function[float]):
    """A random number, from 0 to less than 1, another one for each row."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("float", null=False)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        if dialect.name == "sqlite":  # a random integer, of which a float holds 53 bits
            return sa.literal_column("((random() & 9007199254740991) / 9007199254740992.0)")
        return _named("rand" if dialect.name == "mysql" else "random")


# ---------------------------------------------------------------- numbers of the same kind


class _SameKind(_OfNumber[Any]):
    """A function of a number that gives one of the same kind."""

    __slots__ = ()

    @property
    def output(self) -> FieldSpec:
        spec = output_of(self.parts[0])
        if spec.kind == "decimal":
            return kinds.computed("decimal", types.AnyDecimal(self._scale(spec)), null=spec.null)
        return kinds.computed(spec.kind, null=spec.null)

    def _scale(self, spec: FieldSpec) -> int | None:
        """How many decimal places of a decimal are left."""
        return 0


class Abs(_SameKind):
    """The number without its sign."""

    __slots__ = ()

    def _scale(self, spec: FieldSpec) -> int | None:
        return getattr(spec.type, "scale", None)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.abs(operands[0])


class Ceil(_SameKind):
    """The next greater whole number, in the kind of the operand."""

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return _named("orm_ceil" if dialect.name == "sqlite" else "ceiling", operands[0])


class Floor(_SameKind):
    """The next lower whole number, in the kind of the operand."""

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return floor(dialect.name, operands[0])


class Round(_SameKind):
    """The number with so many decimal places, halves away from zero, in the kind of the operand.

    Args:
        number: the number.
        precision: how many places; negative ones are before the point.

    Raises:
        FieldError: `precision` is no whole number from -15 to 15.
    """

    __slots__ = ("precision",)

    def __init__(self, number: NumberOperand, precision: int = 0) -> None:
        if type(precision) is not int or abs(precision) > _LARGEST_PLACES:
            raise FieldError(
                f"Round: precision is a whole number from {-_LARGEST_PLACES} to {_LARGEST_PLACES}, not {precision!r}."
            )
        super().__init__(number)
        self.precision = precision

    def __repr__(self) -> str:
        return f"Round({self.parts[0]!r}, {self.precision})"

    @property
    def options(self) -> Hashable:
        return self.precision

    def _scale(self, spec: FieldSpec) -> int | None:
        return max(self.precision, 0)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return rounded(dialect.name, operands[0], self.precision, output_of(self.parts[0]).kind)


class Sign(_OfNumber[int | None]):
    """-1, 0 or 1."""

    __slots__ = ()

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("integer", null=self.nullable)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        (number,) = operands
        return sa.case((number > ZERO, _ONE), (number < ZERO, -_ONE), (number == ZERO, ZERO))


class Mod(KindedFunction[Any]):
    """The remainder of a division, with the sign of the dividend, as `%` gives it; NULL for a division by zero."""

    __slots__ = ()
    takes = (NUMBERS,)

    def __init__(self, number: NumberOperand, divisor: NumberOperand, /) -> None:
        super().__init__(number, divisor)

    @property
    def output(self) -> FieldSpec:
        left, right = (output_of(part) for part in self.parts)
        return kinds.combined("%", left, right)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        number, divisor = operands
        return remainder(dialect.name, number, divisor, self.output.kind)
