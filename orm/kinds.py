"""What a computed value is: its kind, which says its lookups; its column type; and what it can be compared with. Pure.

A `FieldSpec` without a name describes it, as one with a name describes a column.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.types import TypeEngine

from orm import types
from orm.exceptions import FieldError
from orm.keys import KIND
from orm.schema import Instance
from orm.specs import FieldSpec
from orm.validation import json_value

T_contra = TypeVar("T_contra", contravariant=True)

NO_NUL: Final = r"^[^\x00]*$"
"""Texts that every database takes."""


def no_nul(value: str) -> str:
    """The text. Raises `ValueError` for one that no database takes."""
    if "\0" in value:
        raise ValueError("a text with a NUL character cannot be in a database")
    return value


_LARGEST: Final = 2**63 - 1


def decimal_core(**bounds: Any) -> CoreSchema:
    """pydantic's core schema of an exact number: a decimal or a whole number, and no float."""
    exact = core_schema.decimal_schema(strict=True, allow_inf_nan=False, **bounds)

    def from_integer(value: Any) -> Any:
        return Decimal(value) if type(value) is int else value

    def shown(json_schema: dict[str, Any]) -> None:
        digits, places = bounds.get("max_digits"), bounds.get("decimal_places")
        for form in json_schema.get("anyOf", [json_schema]):
            if form["type"] == "string" and digits is not None and places is not None:
                form["pattern"] = rf"^[+-]?0*\d{{0,{digits - places}}}(\.\d{{0,{places}}}0*)?$"

    return core_schema.no_info_before_validator_function(from_integer, exact, metadata={"json_schema": shown})


_KINDS: Final[Mapping[str, tuple[CoreSchema, Callable[[], Any]]]] = {
    "text": (core_schema.str_schema(strict=True, pattern=NO_NUL), types.Text),
    "integer": (core_schema.int_schema(strict=True, ge=-_LARGEST - 1, le=_LARGEST), types.WholeNumber),
    "float": (core_schema.float_schema(strict=True, allow_inf_nan=False), types.RealNumber),
    "decimal": (decimal_core(), types.AnyDecimal),
    "boolean": (core_schema.bool_schema(strict=True), sa.Boolean),
    "date": (core_schema.date_schema(strict=True), sa.Date),
    "datetime": (core_schema.datetime_schema(strict=True, tz_constraint="aware"), types.DateTime),
    "naive_datetime": (
        core_schema.datetime_schema(strict=True, tz_constraint="naive"),
        lambda: types.DateTime(timezone=False),
    ),
    "time": (core_schema.time_schema(strict=True, tz_constraint="naive"), types.Time),
    "duration": (core_schema.timedelta_schema(strict=True), types.Duration),
    "uuid": (core_schema.uuid_schema(), sa.Uuid),
    "binary": (core_schema.bytes_schema(strict=True), types.Binary),
    "json": (core_schema.no_info_plain_validator_function(json_value), lambda: types.JSON(none_as_null=False)),
    "any": (core_schema.any_schema(), sa.types.NullType),
}


def computed(kind: str, type: TypeEngine[Any] | None = None, *, null: bool = True) -> FieldSpec:
    """The description of a computed value.

    Args:
        kind: which lookups it has.
        type: SQLAlchemy's type of it; the one that fits the kind if not given.
        null: whether it may be NULL.
    """
    core, make = cast("tuple[CoreSchema, Any]", _KINDS[kind])
    return FieldSpec("", "", type if type is not None else make(), kind, core, core, null=null)


def like(spec: FieldSpec, *, null: bool) -> FieldSpec:
    """The description of a computed value that is one of a column's, or may be NULL besides."""
    if spec.null == null:
        return spec
    return FieldSpec("", "", spec.type, spec.kind, spec.core, spec.operand, null=null, parts=spec.parts)


class FieldOf(Protocol[T_contra]):
    """A field whose values have a type, as the description of a computed value: `orm.Integer()`."""

    def spec(self, name: str) -> FieldSpec:
        """The record of the field under a name."""
        ...

    if TYPE_CHECKING:

        def __set__(self, instance: Instance, value: T_contra) -> None: ...


def of_field(function: str, field: object) -> FieldSpec:
    """The description that a field is of a computed value. Raises `FieldError` for what is no field."""
    spec = getattr(field, "spec", None)
    found = spec("") if callable(spec) and not isinstance(field, type) else None
    if not isinstance(found, FieldSpec):
        raise FieldError(f"{function} takes a field that says what it gives, as in orm.Integer(), not {field!r}.")
    return like(found, null=False)


# The first that fits; bool is an int and datetime a date to Python.
_VALUE_KINDS: Final[tuple[tuple[type, str, Callable[[], Any] | None], ...]] = (
    (bool, "boolean", None),
    (int, "integer", sa.BigInteger),
    (float, "float", sa.Double),
    (str, "text", None),
    (bytes, "binary", None),
    (Decimal, "decimal", sa.Numeric),
    (datetime, "datetime", None),
    (date, "date", None),
    (time, "time", None),
    (timedelta, "duration", None),
    (UUID, "uuid", None),
    (dict, "json", None),
    (list, "json", None),
)


def of_value(value: Any) -> FieldSpec:
    """The description of a Python value. Raises `FieldError` for a type no column has."""
    if value is None:
        return computed("any", sa.types.NullType())
    if isinstance(value, datetime) and value.tzinfo is None:
        return computed("naive_datetime", null=False)
    if isinstance(value, enum.Enum):
        members = type(value)
        core = core_schema.enum_schema(members, list(members), strict=False)
        return FieldSpec("", "", types.Enum(members), "enum", core, core)
    for python, kind, make in cast("Any", _VALUE_KINDS):
        if isinstance(value, python):
            return computed(kind, make() if make is not None else None, null=False)
    known = ", ".join(python.__name__ for python, _, _ in _VALUE_KINDS)
    raise FieldError(f"{value!r} cannot be a value in an expression. Possible are: {known}.")


_BY_TYPE: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (sa.Boolean, "boolean"),
    (sa.Integer, "integer"),
    (types.WholeNumber, "integer"),
    (types.RealNumber, "float"),
    (sa.Float, "float"),
    (types.Decimal, "decimal"),
    (types.AnyDecimal, "decimal"),
    (sa.Numeric, "decimal"),
    (types.String, "text"),
    (types.Text, "text"),
    (types.DateTime, "datetime"),
    (sa.DateTime, "naive_datetime"),
    (sa.Date, "date"),
    (types.Time, "time"),
    (sa.Time, "time"),
    (types.Duration, "duration"),
    (sa.Interval, "duration"),
    (sa.Uuid, "uuid"),
    (types.Binary, "binary"),
    (sa.LargeBinary, "binary"),
    (types.JSON, "json"),
    (sa.JSON, "json"),
    (sa.String, "text"),
)


def of_type(kind: TypeEngine[Any]) -> FieldSpec:
    """The description of an expression of SQLAlchemy Core, by its type."""
    for python, name in _BY_TYPE:
        if isinstance(kind, python):
            return computed(name, kind)
    return computed("any", kind)


# ---------------------------------------------------------------- arithmetic

_NUMBERS: Final = ("integer", "decimal", "float")
"""Kinds of numbers, each able to hold the one before in an expression."""
_MOMENTS: Final = ("datetime", "naive_datetime", "date", "time")


def combined(operator: str, left: FieldSpec, right: FieldSpec) -> FieldSpec:
    """The description of `left operator right`."""
    null = left.null or right.null or operator in "/%"
    if left.kind in _NUMBERS and right.kind in _NUMBERS:
        kind = max(left.kind, right.kind, key=_NUMBERS.index)
        if kind == "integer" and operator == "/":
            kind = "float"
        made = types.AnyDecimal(_scale(operator, left, right)) if kind == "decimal" else None
        return computed(kind, made, null=null)
    if left.kind in _MOMENTS and right.kind == left.kind and operator == "-":
        return computed("duration", null=null)
    if right.kind in _MOMENTS and left.kind == "duration":
        return like(right, null=null)
    if right.kind == "duration" and left.kind in _NUMBERS:
        return like(right, null=null)
    return like(left if left.kind != "any" else right, null=null)


def unified(specs: Sequence[FieldSpec], *, null: bool) -> FieldSpec:
    """The description of a value that is one of several. Raises `ValueError` where their kinds do not agree."""
    known = [spec for spec in specs if spec.kind != "any"]
    if not known:
        return computed("any", null=null)
    first = known[0]
    if all(spec.kind in _NUMBERS for spec in known):
        kind = max([spec.kind for spec in known], key=_NUMBERS.index)
        if kind != "decimal":
            return computed(kind, null=null)
        places: list[Any] = [0 if spec.kind == "integer" else getattr(spec.type, "scale", None) for spec in known]
        return computed(kind, types.AnyDecimal(None if None in places else max(places)), null=null)
    if any(spec.kind != first.kind for spec in known):
        raise ValueError("kinds differ")
    members = {getattr(spec.type, "members", None) for spec in known}
    if len(members) > 1:
        raise ValueError("enumerations differ")
    return computed("text", null=null) if first.kind == "text" else like(first, null=null)


def key(spec: FieldSpec) -> Hashable:
    """What distinguishes a description in a shape: its kind and type, but not the object that says the type."""
    return (spec.kind, type(spec.type), repr(spec.type), getattr(spec.type, "members", None))


def _scale(operator: str, left: FieldSpec, right: FieldSpec) -> int | None:
    """How many decimal places the result has exactly; `None` where it has any number of them."""
    scales = [0 if spec.kind == "integer" else getattr(spec.type, "scale", None) for spec in (left, right)]
    if operator == "/" or None in scales:
        return None
    places = [scale for scale in scales if scale is not None]
    return sum(places) if operator == "*" else max(places)


_FLEXIBLE: Final = frozenset({"any", "json", "json_value", "enum"})


def comparable(one: str, other: str) -> bool:
    """Whether values of two kinds can be compared, or a column of one take those of the other."""
    kinds = {one, other}
    if KIND in kinds:
        return kinds <= {KIND, "any"}
    return len(kinds) == 1 or kinds <= set(_NUMBERS) or bool(kinds & _FLEXIBLE)
