"""The constructors of fields: functions that return `Field[T]`, in two forms each.

One is for columns that may be NULL, the other for those that may not: only so do all type checkers see which
arguments a model's constructor requires, and of which type. Those of numbers are in `numeric.py`, of texts in
`textual.py`, of dates and times in `temporal.py`, and what PostgreSQL alone has in `postgresql.py`.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable
from types import NoneType
from typing import Any, Final, Generic, Literal, TypeVar, overload
from uuid import UUID as PythonUUID
from uuid import uuid4

import sqlalchemy as sa
from pydantic_core import core_schema
from typing_extensions import Unpack

from orm import types
from orm.exceptions import FieldError
from orm.fields import Field, Options, Server, checked, limits
from orm.identifiers import uuid7
from orm.plaintext import snake_case
from orm.validation import json_value

E = TypeVar("E", bound=enum.Enum)
_NAME_BYTES: Final = 63
"""How long a name may be on PostgreSQL."""
IPValue = ipaddress.IPv4Address | ipaddress.IPv6Address


class BinaryOptions(Options[bytes], total=False):
    """Limits of bytes."""

    max_length: int
    min_length: int


@overload
def Boolean(
    *, null: Literal[False] = False, default: bool | Callable[[], bool] | Server = ..., **options: Unpack[Options[bool]]
) -> Field[bool]: ...
@overload
def Boolean(
    *,
    null: Literal[True],
    default: bool | Callable[[], bool | None] | Server | None = ...,
    **options: Unpack[Options[bool]],
) -> Field[bool | None]: ...
def Boolean(**options: Any) -> Any:
    """True or false."""
    core = core_schema.bool_schema(strict=True)
    return Field[Any]("boolean", sa.Boolean(), core, checked("Boolean", options))


@overload
def UUID(
    *,
    version: Literal[4, 7],
    null: Literal[False] = False,
    init: Literal[False] = False,
    **options: Unpack[Options[PythonUUID]],
) -> Field[PythonUUID]: ...
@overload
def UUID(
    *, version: Literal[4, 7], null: Literal[True], init: Literal[False] = False, **options: Unpack[Options[PythonUUID]]
) -> Field[PythonUUID | None]: ...
@overload
def UUID(
    *,
    null: Literal[False] = False,
    default: PythonUUID | Callable[[], PythonUUID] | Server = ...,
    **options: Unpack[Options[PythonUUID]],
) -> Field[PythonUUID]: ...
@overload
def UUID(
    *,
    null: Literal[True],
    default: PythonUUID | Callable[[], PythonUUID | None] | Server | None = ...,
    **options: Unpack[Options[PythonUUID]],
) -> Field[PythonUUID | None]: ...
def UUID(**options: Any) -> Any:
    """A universally unique identifier; a text that spells one is taken, too.

    With `version` Python makes it for each new instance: 4 is random, 7 begins with the time, so that keys of new rows
    come one after the other.

    Raises `FieldError` for another version, and for a `default` beside it.
    """
    init = options.pop("init", None)
    given = checked("UUID", options, "version")
    version = given.pop("version", None)
    if init is not None and (init is not False or version is None):
        raise FieldError("UUID: init is for type checkers, and is always False, beside version.")
    if version is not None:
        if type(version) is not int or version not in _UUIDS:
            raise FieldError(f"UUID: version={version!r} is not possible. Choose from: 4 (random), 7 (by time).")
        if "default" in given:
            raise FieldError("UUID: version says what the default is. Leave out default, or version.")
        given["default"] = _UUIDS[version]
    return Field[Any]("uuid", sa.Uuid(), core_schema.uuid_schema(), given)


_UUIDS: Final = {4: uuid4, 7: uuid7}
"""What makes identifiers, by version."""


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
    *,
    null: Literal[False] = False,
    default: IPValue | Callable[[], IPValue] | Server = ...,
    **options: Unpack[Options[IPValue]],
) -> Field[IPValue]: ...
@overload
def IPAddress(
    *,
    null: Literal[True],
    default: IPValue | Callable[[], IPValue | None] | Server | None = ...,
    **options: Unpack[Options[IPValue]],
) -> Field[IPValue | None]: ...
def IPAddress(**options: Any) -> Any:
    """An IPv4 or IPv6 address; a text that spells one is taken, too."""
    core = core_schema.json_or_python_schema(
        core_schema.no_info_after_validator_function(
            _ip_address, core_schema.str_schema(), metadata={"json_schema": {"format": "ipvanyaddress"}}
        ),
        core_schema.no_info_plain_validator_function(_ip_address),
        serialization=core_schema.to_string_ser_schema(),
    )
    return Field[Any]("ip", types.IPAddress(), core, checked("IPAddress", options))


@overload
def JSON(
    *, null: Literal[False] = False, default: Any | Callable[[], Any] | Server = ..., **options: Unpack[Options[Any]]
) -> Field[Any]: ...
@overload
def JSON(
    *,
    null: Literal[True],
    default: Any | Callable[[], Any | None] | Server | None = ...,
    **options: Unpack[Options[Any]],
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


class EnumOptions(Options[E], Generic[E], total=False):
    """How an enumeration of texts is kept.

    Attributes:
        native: as a type of the database's, where it has such; as VARCHAR with `False`.
        name: the name of that type on PostgreSQL, if it is not the enumeration's in snake case.
    """

    native: bool
    name: str


@overload
def Enum(
    members: type[E],
    *,
    null: Literal[False] = False,
    default: E | Callable[[], E] | Server = ...,
    **options: Unpack[EnumOptions[E]],
) -> Field[E]: ...
@overload
def Enum(
    members: type[E],
    *,
    null: Literal[True],
    default: E | Callable[[], E | None] | Server | None = ...,
    **options: Unpack[EnumOptions[E]],
) -> Field[E | None]: ...
def Enum(members: Any, **options: Any) -> Any:
    """A member of an enumeration whose values are all texts, or all whole numbers; kept as its value.

    Texts are kept as a type of their own: with a name on PostgreSQL, shared by all fields of the enumeration; as ENUM
    on MySQL and MariaDB; as VARCHAR on SQLite, and everywhere with `native=False`.

    Raises `FieldError` for what is no enumeration, for values of other types, and for options that belong to texts.
    """
    if not (isinstance(members, type) and issubclass(members, enum.Enum)):
        raise FieldError(f"Enum takes an enumeration, as in Enum(Color), not {members!r}.")
    kinds: set[type] = {type(member.value) for member in members}
    if not (kinds and (kinds <= {str} or kinds <= {int})):
        raise FieldError(f"Enum({members.__name__}): the values of its members must be all str or all int.")
    given = checked("Enum", options, "native", "name")
    name = _enum_name(members, given, texts=kinds <= {str})
    core = core_schema.enum_schema(members, list(members), strict=False)
    return Field[Any]("enum", types.Enum(members, name), core, given)


def _enum_name(members: type[enum.Enum], options: dict[str, Any], *, texts: bool) -> str | None:
    """The name of the type that is made for an enumeration, taken out of the options; `None` without one."""
    what = f"Enum({members.__name__})"
    native, name = options.pop("native", None), options.pop("name", None)
    if not isinstance(native, (bool, NoneType)):
        raise FieldError(f"{what}: native is True or False, not {native!r}.")
    if not texts and (native or name is not None):
        raise FieldError(f"{what} has numbers, which are kept as BIGINT. Leave out {'native' if native else 'name'}.")
    if native is False and name is not None:
        raise FieldError(f"{what}: without a type of its own there is nothing to name. Leave out name or native=False.")
    if name is not None and (not isinstance(name, str) or not name or len(name.encode()) > _NAME_BYTES):
        raise FieldError(f"{what}: name is a text of 1 to {_NAME_BYTES} bytes, not {name!r}.")
    if not texts or native is False:
        return None
    return name if name is not None else snake_case(members.__name__)
