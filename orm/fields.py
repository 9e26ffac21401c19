"""Fields: what a class body says about a column.

The constructors are functions that return `Field[T]`, in two forms each, for columns that may be NULL and those that
may not: only so do all type checkers see which arguments a model's constructor requires, and of which type.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal as PythonDecimal
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, overload
from uuid import UUID as PythonUUID

import sqlalchemy as sa
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from sqlalchemy.types import TypeEngine
from typing_extensions import TypedDict, Unpack

from orm import types
from orm.columns import Column
from orm.exceptions import FieldError
from orm.schema import MISSING, FieldSpec, Instance
from orm.validation import json_value

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)
Server = sa.ColumnElement[Any] | sa.TextClause
"""An expression that is the server's default: `sa.func.now()`, `sa.text("…")`."""

IPValue = ipaddress.IPv4Address | ipaddress.IPv6Address


class Options(TypedDict, total=False):
    """What every field takes.

    Attributes:
        primary_key: it is the model's key.
        unique: no two rows have the same value.
        index: it has an index.
        choices: the values it may have, or pairs of a value and its label.
        column: the column's name in the database, if it is not the field's.
        comment: the column's comment in the database.
    """

    primary_key: bool
    unique: bool
    index: bool
    choices: Iterable[Any]
    column: str
    comment: str


class Field(Generic[T]):
    """A column of a model: `T` on an instance, `Column[T]` on the class.

    Args:
        kind: which lookups it has.
        type: SQLAlchemy's type.
        core: pydantic's core schema of a value that is written.
        operand: pydantic's core schema of a value it is compared with; `core` unless given.
        options: the common options, `null`, `default` and the limits of its type.
    """

    def __init__(
        self,
        kind: str,
        type: TypeEngine[Any],
        core: CoreSchema,
        options: Mapping[str, Any],
        *,
        operand: CoreSchema | None = None,
        generated: bool = False,
        version: bool = False,
    ) -> None:
        self.kind = kind
        self.type = type
        self.options = dict(options)
        self.core = _with_choices(core, self.options.get("choices"))
        self.operand = operand or core
        self.generated = generated
        self.version = version

    def spec(self, name: str) -> FieldSpec:
        """The record of the field under its name."""
        options = self.options
        default = options.get("default", MISSING)
        server = default if isinstance(default, (sa.ClauseElement, sa.schema.FetchedValue)) else None
        null = bool(options.get("null"))
        if server is not None:
            default = MISSING
        elif default is MISSING and null:
            default = None
        return FieldSpec(
            name=name,
            column=options.get("column") or name,
            type=self.type,
            kind=self.kind,
            core=self.core,
            operand=self.operand,
            null=null,
            primary_key=bool(options.get("primary_key")),
            unique=bool(options.get("unique")),
            index=bool(options.get("index")),
            default=default,
            server_default=server,
            generated=self.generated,
            mutable=self.kind == "json",
            version=self.version,
            comment=options.get("comment"),
            limits=options,
        )

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[Instance]) -> Column[T]: ...
        @overload
        def __get__(self, instance: Instance, owner: type[Instance]) -> T: ...
        def __get__(self, instance: Instance | None, owner: type[Instance]) -> Any: ...
        def __set__(self, instance: Instance, value: T) -> None: ...


COMMON: Final = frozenset({*Options.__annotations__, "null", "default"})
"""The options that every field takes."""


def checked(name: str, options: Mapping[str, Any], *limits: str) -> dict[str, Any]:
    """The options of a constructor. Raises `FieldError` for unknown or contradictory ones."""
    possible = COMMON.union(limits)
    for option in options:
        if option not in possible:
            raise FieldError(f"{name} has no option {option!r}. Choose from: {', '.join(sorted(possible))}.")
    if options.get("primary_key") and options.get("null"):
        raise FieldError(f"{name}: a primary key cannot be null. Leave out null=True or primary_key=True.")
    return dict(options)


def _with_choices(core: CoreSchema, choices: Iterable[Any] | None) -> CoreSchema:
    if choices is None:
        return core
    listed = [choice[0] if isinstance(choice, tuple) else choice for choice in choices]  # pyright: ignore

    def check(value: Any) -> Any:
        if value not in listed:
            raise ValueError(f"choose from: {', '.join(map(repr, listed))}")
        return value

    return core_schema.no_info_after_validator_function(check, core)


def _limits(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if options.get(name) is not None}


# ---------------------------------------------------------------- numbers


class BinaryOptions(Options, total=False):
    """Limits of bytes."""

    max_length: int
    min_length: int


class IntegerOptions(Options, total=False):
    """Limits of a whole number: greater or equal, greater, less or equal, less."""

    ge: int
    gt: int
    le: int
    lt: int


class FloatOptions(Options, total=False):
    """Limits of a floating point number."""

    ge: float
    gt: float
    le: float
    lt: float


class DecimalOptions(Options, total=False):
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
    limits = _limits(given, *_BOUNDS)
    core = core_schema.int_schema(strict=True, **{"ge": low, "le": high, **limits})
    return Field[Any]("integer", type, core, given, operand=storage)


def _generated(name: str, type: TypeEngine[Any], bits: int, options: dict[str, Any]) -> Field[int]:
    if options.pop("init", False) is not False:
        raise FieldError(f"{name}: init is for type checkers and is always False: the database makes the value.")
    given = checked(name, options)
    high = 2 ** (bits - 1) - 1
    core = core_schema.int_schema(strict=True, ge=-high - 1, le=high)
    return Field[int]("integer", type, core, {**given, "primary_key": True}, generated=True)


class AutoOptions(TypedDict, total=False):
    """What a generated key takes."""

    column: str
    comment: str


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
    core = core_schema.float_schema(strict=True, allow_inf_nan=False, **_limits(given, *_BOUNDS))
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
    limits = _limits(given, *_BOUNDS, "max_digits", "decimal_places")
    return Field[Any]("decimal", types.Decimal(digits, places), _decimal(**limits), given, operand=_decimal())


@overload
def Boolean(
    *, null: Literal[False] = False, default: bool | Callable[[], bool] | Server = ..., **options: Unpack[Options]
) -> Field[bool]: ...
@overload
def Boolean(
    *, null: Literal[True], default: bool | Callable[[], bool | None] | Server | None = ..., **options: Unpack[Options]
) -> Field[bool | None]: ...
def Boolean(**options: Any) -> Any:
    """True or false."""
    core = core_schema.bool_schema(strict=True)
    return Field[Any]("boolean", sa.Boolean(), core, checked("Boolean", options))


def _decimal(**limits: Any) -> CoreSchema:
    exact = core_schema.decimal_schema(strict=True, allow_inf_nan=False, **limits)

    def from_integer(value: Any) -> Any:
        return PythonDecimal(value) if type(value) is int else value

    return core_schema.no_info_before_validator_function(from_integer, exact)


# ---------------------------------------------------------------- text


class TextOptions(Options, total=False):
    """Limits of a text: its least length in characters, and a regular expression that it matches."""

    min_length: int
    pattern: str


_NO_NUL: Final = r"^[^\x00]*$"
_PLAIN_TEXT: Final = core_schema.str_schema(strict=True, pattern=_NO_NUL)
_SLUG: Final = r"^[-a-zA-Z0-9_]+$"
_EMAIL: Final = r"^[^@\s\x00]+@[^@\s.\x00]+(\.[^@\s.\x00]+)+$"
_URL: Final = SchemaValidator(core_schema.url_schema())


def _absolute_url(value: str) -> str:
    _URL.validate_python(value)
    return value


def _text(name: str, options: Mapping[str, Any], pattern: str | None = None, *, limited: bool = True) -> Any:
    given = checked(name, options, "min_length", "pattern", *(["max_length"] if limited else []))
    length = given.get("max_length")
    if limited and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
        raise FieldError(f"{name} needs max_length, a number of characters, as in {name}(max_length=100).")
    core: CoreSchema = core_schema.str_schema(
        strict=True, pattern=_NO_NUL, **_limits(given, "max_length", "min_length")
    )
    for wanted in (pattern, given.get("pattern")):
        if wanted is not None:
            core = core_schema.chain_schema([core, core_schema.str_schema(pattern=wanted)])
    return Field[Any](
        "text", types.String(int(length or 0)) if limited else types.Text(), core, given, operand=_PLAIN_TEXT
    )


@overload
def String(
    *,
    max_length: int,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def String(
    *,
    max_length: int,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def String(**options: Any) -> Any:
    """A text of at most `max_length` characters."""
    return _text("String", options)


@overload
def Text(
    *, null: Literal[False] = False, default: str | Callable[[], str] | Server = ..., **options: Unpack[TextOptions]
) -> Field[str]: ...
@overload
def Text(
    *,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def Text(**options: Any) -> Any:
    """A text of any length."""
    return _text("Text", options, limited=False)


@overload
def Slug(
    *,
    max_length: int = 50,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def Slug(
    *,
    max_length: int = 50,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def Slug(**options: Any) -> Any:
    """A text of letters, digits, hyphens and underscores, at most `max_length` characters."""
    return _text("Slug", {"max_length": 50, **options}, _SLUG)


@overload
def Email(
    *,
    max_length: int = 254,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def Email(
    *,
    max_length: int = 254,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def Email(**options: Any) -> Any:
    """An e-mail address: something, an at sign, and a domain with a dot."""
    return _text("Email", {"max_length": 254, **options}, _EMAIL)


@overload
def URL(
    *,
    max_length: int = 200,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def URL(
    *,
    max_length: int = 200,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def URL(**options: Any) -> Any:
    """An absolute URL, kept as the text that was given."""
    field = _text("URL", {"max_length": 200, **options})
    field.core = core_schema.no_info_after_validator_function(_absolute_url, field.core)
    return field


# ---------------------------------------------------------------- dates and times


@overload
def Date(
    *, null: Literal[False] = False, default: date | Callable[[], date] | Server = ..., **options: Unpack[Options]
) -> Field[date]: ...
@overload
def Date(
    *, null: Literal[True], default: date | Callable[[], date | None] | Server | None = ..., **options: Unpack[Options]
) -> Field[date | None]: ...
def Date(**options: Any) -> Any:
    """A day."""
    core = core_schema.date_schema(strict=True)
    return Field[Any]("date", sa.Date(), core, checked("Date", options))


@overload
def DateTime(
    *,
    timezone: bool = True,
    null: Literal[False] = False,
    default: datetime | Callable[[], datetime] | Server = ...,
    **options: Unpack[Options],
) -> Field[datetime]: ...
@overload
def DateTime(
    *,
    timezone: bool = True,
    null: Literal[True],
    default: datetime | Callable[[], datetime | None] | Server | None = ...,
    **options: Unpack[Options],
) -> Field[datetime | None]: ...
def DateTime(**options: Any) -> Any:
    """A moment: aware values, given back in UTC, to the microsecond.

    With `timezone=False` a column of naive values, given back as they are.
    """
    given = checked("DateTime", options, "timezone")
    aware = given.pop("timezone", True)
    core = core_schema.datetime_schema(strict=True, tz_constraint="aware" if aware else "naive")
    kind = "datetime" if aware else "naive_datetime"
    return Field[Any](kind, types.DateTime(timezone=aware), core, given)


@overload
def Time(
    *, null: Literal[False] = False, default: time | Callable[[], time] | Server = ..., **options: Unpack[Options]
) -> Field[time]: ...
@overload
def Time(
    *, null: Literal[True], default: time | Callable[[], time | None] | Server | None = ..., **options: Unpack[Options]
) -> Field[time | None]: ...
def Time(**options: Any) -> Any:
    """A time of day without a zone, to the microsecond."""
    core = core_schema.time_schema(strict=True, tz_constraint="naive")
    return Field[Any]("time", types.Time(), core, checked("Time", options))


@overload
def Duration(
    *,
    null: Literal[False] = False,
    default: timedelta | Callable[[], timedelta] | Server = ...,
    **options: Unpack[Options],
) -> Field[timedelta]: ...
@overload
def Duration(
    *,
    null: Literal[True],
    default: timedelta | Callable[[], timedelta | None] | Server | None = ...,
    **options: Unpack[Options],
) -> Field[timedelta | None]: ...
def Duration(**options: Any) -> Any:
    """A length of time, to the microsecond."""
    core = core_schema.timedelta_schema(strict=True)
    return Field[Any]("duration", types.Duration(), core, checked("Duration", options))


# ---------------------------------------------------------------- others


@overload
def UUID(
    *,
    null: Literal[False] = False,
    default: PythonUUID | Callable[[], PythonUUID] | Server = ...,
    **options: Unpack[Options],
) -> Field[PythonUUID]: ...
@overload
def UUID(
    *,
    null: Literal[True],
    default: PythonUUID | Callable[[], PythonUUID | None] | Server | None = ...,
    **options: Unpack[Options],
) -> Field[PythonUUID | None]: ...
def UUID(**options: Any) -> Any:
    """A universally unique identifier; a text that spells one is taken, too."""
    core = core_schema.uuid_schema()
    return Field[Any]("uuid", sa.Uuid(), core, checked("UUID", options))


@overload
def Binary(
    *,
    null: Literal[False] = False,
    default: bytes | Callable[[], bytes] | Server = ...,
    **options: Unpack[BinaryOptions],
) -> Field[bytes]: ...
@overload
def Binary(
    *,
    null: Literal[True],
    default: bytes | Callable[[], bytes | None] | Server | None = ...,
    **options: Unpack[BinaryOptions],
) -> Field[bytes | None]: ...
def Binary(**options: Any) -> Any:
    """Bytes."""
    given = checked("Binary", options, "max_length", "min_length")
    core = core_schema.bytes_schema(strict=True, **_limits(given, "max_length", "min_length"))
    return Field[Any]("binary", types.Binary(), core, given, operand=core_schema.bytes_schema(strict=True))


@overload
def IPAddress(
    *, null: Literal[False] = False, default: IPValue | Callable[[], IPValue] | Server = ..., **options: Unpack[Options]
) -> Field[IPValue]: ...
@overload
def IPAddress(
    *,
    null: Literal[True],
    default: IPValue | Callable[[], IPValue | None] | Server | None = ...,
    **options: Unpack[Options],
) -> Field[IPValue | None]: ...
def IPAddress(**options: Any) -> Any:
    """An IPv4 or IPv6 address; a text that spells one is taken, too."""
    core = core_schema.no_info_plain_validator_function(_ip_address)
    return Field[Any]("ip", types.IPAddress(), core, checked("IPAddress", options))


@overload
def JSON(
    *, null: Literal[False] = False, default: Any | Callable[[], Any] | Server = ..., **options: Unpack[Options]
) -> Field[Any]: ...
@overload
def JSON(
    *, null: Literal[True], default: Any | Callable[[], Any | None] | Server | None = ..., **options: Unpack[Options]
) -> Field[Any | None]: ...
def JSON(**options: Any) -> Any:
    """Any JSON value: objects, lists, texts, numbers, booleans."""
    given = checked("JSON", options)
    core = core_schema.no_info_plain_validator_function(json_value)
    return Field[Any]("json", types.JSON(none_as_null=bool(given.get("null"))), core, given)


def _ip_address(value: Any) -> IPValue:
    return ipaddress.ip_address(value) if isinstance(value, str) else _ip_instance(value)


def _ip_instance(value: Any) -> IPValue:
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return value
    raise ValueError("an IPv4 or IPv6 address is wanted")


@overload
def Enum(
    members: type[E],
    *,
    null: Literal[False] = False,
    default: E | Callable[[], E] | Server = ...,
    **options: Unpack[Options],
) -> Field[E]: ...
@overload
def Enum(
    members: type[E],
    *,
    null: Literal[True],
    default: E | Callable[[], E | None] | Server | None = ...,
    **options: Unpack[Options],
) -> Field[E | None]: ...
def Enum(members: Any, **options: Any) -> Any:
    """A member of an enumeration whose values are all texts, or all whole numbers; kept as its value."""
    kinds = {type(member.value) for member in members}
    if not (kinds and (kinds <= {str} or kinds <= {int})):
        raise FieldError(f"Enum({members.__name__}): the values of its members must be all str or all int.")
    core = core_schema.enum_schema(members, list(members), strict=False)
    return Field[Any]("enum", types.Enum(members), core, checked("Enum", options))


def Version(*, init: Literal[False] = False) -> Field[int]:
    """The version of a row, for optimistic locking: `save` and `delete` raise `StaleInstance` when it has changed.

    It begins at 1 and grows by one with each save; nobody sets it.
    """
    if init is not False:
        raise FieldError("Version: init is for type checkers and is always False: the library makes the value.")
    core = core_schema.int_schema(strict=True, ge=0, le=2**31 - 1)
    return Field[Any]("integer", sa.Integer(), core, {"default": 1}, version=True)
