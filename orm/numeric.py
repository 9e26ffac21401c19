"""The constructors of fields with numbers; `constructors.py` says why they have two forms each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal as PythonDecimal
from typing import Any, Final, Literal, overload

import sqlalchemy as sa
from pydantic_core import core_schema
from sqlalchemy.types import TypeEngine
from typing_extensions import TypedDict, Unpack

from orm import types
from orm.exceptions import FieldError
from orm.fields import Field, Options, Server, checked, limits
from orm.kinds import decimal_core
from orm.restrictions import check_init


class IntegerOptions(Options[int], total=False):
    """Limits of a whole number: greater or equal, greater, less or equal, less."""

    ge: int
    gt: int
    le: int
    lt: int


class FloatOptions(Options[float], total=False):
    """Limits of a floating point number."""

    ge: float
    gt: float
    le: float
    lt: float


class DecimalOptions(Options[PythonDecimal], total=False):
    """Limits of a decimal number."""

    ge: PythonDecimal | int
    gt: PythonDecimal | int
    le: PythonDecimal | int
    lt: PythonDecimal | int


_BOUNDS: Final = ("ge", "gt", "le", "lt")


def _integer(name: str, type: TypeEngine[Any], bits: int, options: Mapping[str, Any]) -> Any:
    given = checked(name, options, *_BOUNDS)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    storage = core_schema.int_schema(strict=True, ge=low, le=high)
    bounds = limits(given, *_BOUNDS)
    core = core_schema.int_schema(strict=True, **{"ge": low, "le": high, **bounds})
    return Field[Any]("integer", type, core, given, operand=storage)


def _generated(name: str, type: TypeEngine[Any], bits: int, options: dict[str, Any]) -> Field[int]:
    check_init(name, options.pop("init", False), "the database makes the value")
    given = checked(name, options, common=AutoOptions.__annotations__)
    high = 2 ** (bits - 1) - 1
    core = core_schema.int_schema(strict=True, ge=-high - 1, le=high)
    return Field[int]("integer", type, core, {**given, "primary_key": True}, generated=True)


class AutoOptions(TypedDict, total=False):
    """What a generated key takes."""

    column: str
    comment: str
    renamed_from: str


def AutoField(*, init: Literal[False] = False, **options: Unpack[AutoOptions]) -> Field[int]:
    """A 32-bit key that the database generates."""
    return _generated("AutoField", sa.Integer(), 32, {**options, "init": init})


def BigAutoField(*, init: Literal[False] = False, **options: Unpack[AutoOptions]) -> Field[int]:
    """A 64-bit key that the database generates."""
    return _generated("BigAutoField", types.big_auto(), 64, {**options, "init": init})


@overload
def SmallInteger(
    *, null: Literal[False] = False, default: int | Callable[[], int] | Server = ..., **options: Unpack[IntegerOptions]
) -> Field[int]: ...
@overload
def SmallInteger(
    *,
    null: Literal[True],
    default: int | Callable[[], int | None] | Server | None = ...,
    **options: Unpack[IntegerOptions],
) -> Field[int | None]: ...
def SmallInteger(**options: Any) -> Any:
    """A whole number of 16 bits."""
    return _integer("SmallInteger", sa.SmallInteger(), 16, options)


@overload
def Integer(
    *, null: Literal[False] = False, default: int | Callable[[], int] | Server = ..., **options: Unpack[IntegerOptions]
) -> Field[int]: ...
@overload
def Integer(
    *,
    null: Literal[True],
    default: int | Callable[[], int | None] | Server | None = ...,
    **options: Unpack[IntegerOptions],
) -> Field[int | None]: ...
def Integer(**options: Any) -> Any:
    """A whole number of 32 bits."""
    return _integer("Integer", sa.Integer(), 32, options)


@overload
def BigInteger(
    *, null: Literal[False] = False, default: int | Callable[[], int] | Server = ..., **options: Unpack[IntegerOptions]
) -> Field[int]: ...
@overload
def BigInteger(
    *,
    null: Literal[True],
    default: int | Callable[[], int | None] | Server | None = ...,
    **options: Unpack[IntegerOptions],
) -> Field[int | None]: ...
def BigInteger(**options: Any) -> Any:
    """A whole number of 64 bits."""
    return _integer("BigInteger", sa.BigInteger(), 64, options)


@overload
def Float(
    *,
    null: Literal[False] = False,
    default: float | Callable[[], float] | Server = ...,
    **options: Unpack[FloatOptions],
) -> Field[float]: ...
@overload
def Float(
    *,
    null: Literal[True],
    default: float | Callable[[], float | None] | Server | None = ...,
    **options: Unpack[FloatOptions],
) -> Field[float | None]: ...
def Float(**options: Any) -> Any:
    """A 64-bit floating point number; NaN and infinities are refused."""
    given = checked("Float", options, *_BOUNDS)
    core = core_schema.float_schema(strict=True, allow_inf_nan=False, **limits(given, *_BOUNDS))
    return Field[Any](
        "float", sa.Double(), core, given, operand=core_schema.float_schema(strict=True, allow_inf_nan=False)
    )


@overload
def Decimal(
    *,
    max_digits: int,
    decimal_places: int,
    null: Literal[False] = False,
    default: PythonDecimal | Callable[[], PythonDecimal] | Server = ...,
    **options: Unpack[DecimalOptions],
) -> Field[PythonDecimal]: ...
@overload
def Decimal(
    *,
    max_digits: int,
    decimal_places: int,
    null: Literal[True],
    default: PythonDecimal | Callable[[], PythonDecimal | None] | Server | None = ...,
    **options: Unpack[DecimalOptions],
) -> Field[PythonDecimal | None]: ...
def Decimal(**options: Any) -> Any:
    """An exact decimal number of at most `max_digits` digits, `decimal_places` of them after the point.

    Values are `decimal.Decimal` or `int`; floats are refused, since they are not exact.
    """
    given = checked("Decimal", options, *_BOUNDS, "max_digits", "decimal_places")
    digits, places = given.get("max_digits"), given.get("decimal_places")
    if not isinstance(digits, int) or not isinstance(places, int) or not 0 <= places <= digits or digits < 1:
        raise FieldError("Decimal needs max_digits and decimal_places, as in Decimal(max_digits=10, decimal_places=2).")
    bounds = limits(given, *_BOUNDS, "max_digits", "decimal_places")
    return Field[Any]("decimal", types.Decimal(digits, places), decimal_core(**bounds), given, operand=decimal_core())


def Version(*, init: Literal[False] = False) -> Field[int]:
    """The version of a row, for optimistic locking: `save` and `delete` raise `StaleInstance` when it has changed.

    It begins at 1 and grows by one with each save; nobody sets it.
    """
    check_init("Version", init, "the library makes the value")
    core = core_schema.int_schema(strict=True, ge=0, le=2**31 - 1)
    return Field[Any]("integer", sa.Integer(), core, {"default": 1}, version=True)
