"""The constructors of fields: functions that return `Field[T]`, in two forms each.

One is for columns that may be NULL, the other for those that may not: only so do all type checkers see which
arguments a model's constructor requires, and of which type. Those of numbers are in `numeric.py`, of texts in
`textual.py`, of dates and times in `temporal.py`, and what PostgreSQL alone has in `postgresql.py`.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload
from uuid import UUID as PythonUUID

import sqlalchemy as sa
from pydantic_core import core_schema
from typing_extensions import Unpack

from orm import types
from orm.exceptions import FieldError
from orm.fields import Field, Options, Server, checked, limits
from orm.validation import json_value

E = TypeVar("E", bound=enum.Enum)
IPValue = ipaddress.IPv4Address | ipaddress.IPv6Address


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
