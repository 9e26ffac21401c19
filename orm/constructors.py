"""The constructors of fields: functions that return `Field[T]`, in two forms each.

One is for columns that may be NULL, the other for those that may not: only so do all type checkers see which
arguments a model's constructor requires, and of which type.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal, TypeVar, overload
from uuid import UUID as PythonUUID

import sqlalchemy as sa
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from pydantic_core import ValidationError as CoreError
from typing_extensions import Unpack

from orm import types
from orm.exceptions import FieldError
from orm.fields import Field, Options, Server, checked, limits
from orm.kinds import NO_NUL
from orm.validation import Checker, json_value

E = TypeVar("E", bound=enum.Enum)
IPValue = ipaddress.IPv4Address | ipaddress.IPv6Address


# ---------------------------------------------------------------- text


class TextOptions(Options, total=False):
    """Limits of a text: its least length in characters, and a regular expression that it matches."""

    min_length: int
    pattern: str


_PLAIN_TEXT: Final = core_schema.str_schema(strict=True, pattern=NO_NUL)
_SLUG: Final = re.compile(r"[-a-zA-Z0-9_]+")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_URL: Final = SchemaValidator(core_schema.url_schema())


def _slug(value: str) -> str:
    if _SLUG.fullmatch(value) is None:
        raise ValueError("a slug has letters, digits, hyphens and underscores only")
    return value


def _email(value: str) -> str:
    if _EMAIL.fullmatch(value) is None:
        raise ValueError("an e-mail address is wanted, such as tom@example.org")
    return value


def _absolute_url(value: str) -> str:
    try:
        _URL.validate_python(value)
    except CoreError:
        raise ValueError("an absolute URL is wanted, such as https://example.org/") from None
    return value


def _text(name: str, options: Mapping[str, Any], check: Checker | None = None, *, limited: bool = True) -> Any:
    given = checked(name, options, "min_length", "pattern", *(["max_length"] if limited else []))
    length = given.get("max_length")
    if limited and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
        raise FieldError(f"{name} needs max_length, a number of characters, as in {name}(max_length=100).")
    core: CoreSchema = core_schema.str_schema(strict=True, pattern=NO_NUL, **limits(given, "max_length", "min_length"))
    if given.get("pattern") is not None:
        core = core_schema.chain_schema([core, core_schema.str_schema(pattern=given["pattern"])])
    if check is not None:
        core = core_schema.no_info_after_validator_function(check, core)
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
    return _text("Slug", {"max_length": 50, **options}, _slug)


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
    return _text("Email", {"max_length": 254, **options}, _email)


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
    return _text("URL", {"max_length": 200, **options}, _absolute_url)


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


class BinaryOptions(Options, total=False):
    """Limits of bytes."""

    max_length: int
    min_length: int


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
    core = core_schema.bytes_schema(strict=True, **limits(given, "max_length", "min_length"))
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
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return value
    try:
        return ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address is wanted") from None


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
    kinds: set[type] = {type(member.value) for member in members}
    if not (kinds and (kinds <= {str} or kinds <= {int})):
        raise FieldError(f"Enum({members.__name__}): the values of its members must be all str or all int.")
    core = core_schema.enum_schema(members, list(members), strict=False)
    return Field[Any]("enum", types.Enum(members), core, checked("Enum", options))
