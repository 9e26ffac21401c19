"""What PostgreSQL alone has: arrays, ranges, networks, hstore, exclusion constraints, full text search, and trigrams.

On another engine they raise `NotSupportedError`, which says what to use instead: a field when its table is created, a
function or lookup when its query is run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Generic, Literal, TypeVar, cast, overload

from pydantic_core import core_schema
from sqlalchemy.dialects.postgresql import Range
from typing_extensions import Unpack

from orm import hstores, kinds, networks, ranges
from orm.arrays import ArrayLength, ArrayType
from orm.exceptions import FieldError
from orm.exclusion import ExclusionConstraint
from orm.fields import Field, Options, Server, checked, limits
from orm.fulltext import KIND as VECTOR
from orm.fulltext import SearchHeadline, SearchQuery, SearchRank, SearchVector, TSVectorType
from orm.hstores import HStoreType
from orm.networks import Interface, Network, NetworkType
from orm.ranges import RangeLower, RangeType, RangeUpper
from orm.temporal import moment_kind
from orm.trigrams import (
    TrigramDistance,
    TrigramSimilarity,
    TrigramWordDistance,
    TrigramWordSimilarity,
    Unaccent,
)

__all__ = [
    "CIDR",
    "INET",
    "MACADDR",
    "Array",
    "ArrayLength",
    "BigIntegerRange",
    "DateRange",
    "DateTimeRange",
    "DecimalRange",
    "ExclusionConstraint",
    "HStore",
    "IntegerRange",
    "Range",
    "RangeLower",
    "RangeUpper",
    "SearchHeadline",
    "SearchQuery",
    "SearchRank",
    "SearchVector",
    "TSVector",
    "TrigramDistance",
    "TrigramSimilarity",
    "TrigramWordDistance",
    "TrigramWordSimilarity",
    "Unaccent",
]

T = TypeVar("T")


# ---------------------------------------------------------------- arrays


class ArrayOptions(Options[list[T]], Generic[T], total=False):
    """Limits of an array: the least and the greatest number of its items."""

    min_length: int
    max_length: int


_NO_ITEMS: Final = ("json", "array", "range", "hstore", "search_vector")
_NOT_OF_ITEMS: Final = ("default", "primary_key", "unique", "index", "column", "comment", "renamed_from")


@overload
def Array(
    items: Field[T],
    *,
    null: Literal[False] = False,
    default: Callable[[], list[T]] | Server = ...,
    **options: Unpack[ArrayOptions[T]],
) -> Field[list[T]]: ...
@overload
def Array(
    items: Field[T],
    *,
    null: Literal[True],
    default: Callable[[], list[T] | None] | Server | None = ...,
    **options: Unpack[ArrayOptions[T]],
) -> Field[list[T] | None]: ...
def Array(items: Any, **options: Any) -> Any:
    """A list of values of one type, each with the limits of the field that is given; on PostgreSQL only.

    Raises `FieldError` when what is given is no field, is one that has no array, or has an option that belongs to the
    array.
    """
    given = checked("Array", options, "min_length", "max_length")
    if not isinstance(items, Field):
        raise FieldError(f"Array takes a field, as in Array(orm.Integer()), not {items!r}.")
    kind = cast("Any", items)
    if kind.kind in _NO_ITEMS or kind.filled:
        raise FieldError("Array takes a field of plain values: Array(orm.Integer()). Use JSON for lists of lists.")
    misplaced = [name for name in _NOT_OF_ITEMS if name in kind.options]
    if misplaced:
        raise FieldError(f"{misplaced[0]} is an option of the Array, not of its items: Array(…, {misplaced[0]}=…).")
    spec = kind.spec("item")
    item = core_schema.nullable_schema(spec.core) if spec.null else spec.core
    operand = core_schema.nullable_schema(spec.operand) if spec.null else spec.operand
    return Field[Any](
        "array",
        ArrayType(spec),
        core_schema.list_schema(item, strict=True, **limits(given, "min_length", "max_length")),
        given,
        operand=core_schema.list_schema(operand, strict=True),
    )


# ---------------------------------------------------------------- ranges


def _range(name: str, of: str, options: dict[str, Any]) -> Any:
    return Field[Any]("range", RangeType(of), ranges.core(of), checked(name, options))


@overload
def IntegerRange(
    *,
    null: Literal[False] = False,
    default: Range[int] | Callable[[], Range[int]] | Server = ...,
    **options: Unpack[Options[Range[int]]],
) -> Field[Range[int]]: ...
@overload
def IntegerRange(
    *,
    null: Literal[True],
    default: Range[int] | Callable[[], Range[int] | None] | Server | None = ...,
    **options: Unpack[Options[Range[int]]],
) -> Field[Range[int] | None]: ...
def IntegerRange(**options: Any) -> Any:
    """A range of whole numbers of 32 bits; on PostgreSQL only."""
    return _range("IntegerRange", "integer", options)


@overload
def BigIntegerRange(
    *,
    null: Literal[False] = False,
    default: Range[int] | Callable[[], Range[int]] | Server = ...,
    **options: Unpack[Options[Range[int]]],
) -> Field[Range[int]]: ...
@overload
def BigIntegerRange(
    *,
    null: Literal[True],
    default: Range[int] | Callable[[], Range[int] | None] | Server | None = ...,
    **options: Unpack[Options[Range[int]]],
) -> Field[Range[int] | None]: ...
def BigIntegerRange(**options: Any) -> Any:
    """A range of whole numbers of 64 bits; on PostgreSQL only."""
    return _range("BigIntegerRange", "big_integer", options)


@overload
def DecimalRange(
    *,
    null: Literal[False] = False,
    default: Range[Decimal] | Callable[[], Range[Decimal]] | Server = ...,
    **options: Unpack[Options[Range[Decimal]]],
) -> Field[Range[Decimal]]: ...
@overload
def DecimalRange(
    *,
    null: Literal[True],
    default: Range[Decimal] | Callable[[], Range[Decimal] | None] | Server | None = ...,
    **options: Unpack[Options[Range[Decimal]]],
) -> Field[Range[Decimal] | None]: ...
def DecimalRange(**options: Any) -> Any:
    """A range of exact decimal numbers; on PostgreSQL only."""
    return _range("DecimalRange", "decimal", options)


@overload
def DateRange(
    *,
    null: Literal[False] = False,
    default: Range[date] | Callable[[], Range[date]] | Server = ...,
    **options: Unpack[Options[Range[date]]],
) -> Field[Range[date]]: ...
@overload
def DateRange(
    *,
    null: Literal[True],
    default: Range[date] | Callable[[], Range[date] | None] | Server | None = ...,
    **options: Unpack[Options[Range[date]]],
) -> Field[Range[date] | None]: ...
def DateRange(**options: Any) -> Any:
    """A range of days; on PostgreSQL only."""
    return _range("DateRange", "date", options)


@overload
def DateTimeRange(
    *,
    timezone: bool = True,
    null: Literal[False] = False,
    default: Range[datetime] | Callable[[], Range[datetime]] | Server = ...,
    **options: Unpack[Options[Range[datetime]]],
) -> Field[Range[datetime]]: ...
@overload
def DateTimeRange(
    *,
    timezone: bool = True,
    null: Literal[True],
    default: Range[datetime] | Callable[[], Range[datetime] | None] | Server | None = ...,
    **options: Unpack[Options[Range[datetime]]],
) -> Field[Range[datetime] | None]: ...
def DateTimeRange(*, timezone: bool = True, **options: Any) -> Any:
    """A range of moments: aware ones, or with `timezone=False` naive ones; on PostgreSQL only."""
    return _range("DateTimeRange", moment_kind("DateTimeRange", timezone), options)


# ---------------------------------------------------------------- addresses and networks


@overload
def INET(
    *,
    null: Literal[False] = False,
    default: Interface | Callable[[], Interface] | Server = ...,
    **options: Unpack[Options[Interface]],
) -> Field[Interface]: ...
@overload
def INET(
    *,
    null: Literal[True],
    default: Interface | Callable[[], Interface | None] | Server | None = ...,
    **options: Unpack[Options[Interface]],
) -> Field[Interface | None]: ...
def INET(**options: Any) -> Any:
    """An address with the prefix of its network, `ipaddress.IPv4Interface` or `IPv6Interface`; on PostgreSQL only.

    A text or an address without a prefix is taken, too.
    """
    return Field[Any]("inet", NetworkType("inet"), networks.core("inet"), checked("INET", options))


@overload
def CIDR(
    *,
    null: Literal[False] = False,
    default: Network | Callable[[], Network] | Server = ...,
    **options: Unpack[Options[Network]],
) -> Field[Network]: ...
@overload
def CIDR(
    *,
    null: Literal[True],
    default: Network | Callable[[], Network | None] | Server | None = ...,
    **options: Unpack[Options[Network]],
) -> Field[Network | None]: ...
def CIDR(**options: Any) -> Any:
    """A network, `ipaddress.IPv4Network` or `IPv6Network`, or a text that spells one; on PostgreSQL only."""
    return Field[Any]("cidr", NetworkType("cidr"), networks.core("cidr"), checked("CIDR", options))


@overload
def MACADDR(
    *,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[Options[str]],
) -> Field[str]: ...
@overload
def MACADDR(
    *,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[Options[str]],
) -> Field[str | None]: ...
def MACADDR(**options: Any) -> Any:
    """The address of a device, such as `08:00:2b:01:02:03`; on PostgreSQL only."""
    return Field[Any]("macaddr", NetworkType("macaddr"), networks.core("macaddr"), checked("MACADDR", options))


# ---------------------------------------------------------------- texts by key, words of documents


@overload
def HStore(
    *,
    null: Literal[False] = False,
    default: Callable[[], dict[str, str | None]] | Server = ...,
    **options: Unpack[Options[dict[str, str | None]]],
) -> Field[dict[str, str | None]]: ...
@overload
def HStore(
    *,
    null: Literal[True],
    default: Callable[[], dict[str, str | None] | None] | Server | None = ...,
    **options: Unpack[Options[dict[str, str | None]]],
) -> Field[dict[str, str | None] | None]: ...
def HStore(**options: Any) -> Any:
    """Texts by key, each text perhaps `None`; on PostgreSQL only, with its extension `hstore`."""
    given = checked("HStore", options)
    _refuse_options("HStore", given, "choices", "primary_key")
    return Field[Any](hstores.KIND, HStoreType(), hstores.core(), given)


@overload
def TSVector(
    *,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[Options[str]],
) -> Field[str]: ...
@overload
def TSVector(
    *,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[Options[str]],
) -> Field[str | None]: ...
def TSVector(**options: Any) -> Any:
    """The words of a document, as full text search looks for them; on PostgreSQL only.

    It is usually computed: `Generated(SearchVector("title", config="english"), output_field=TSVector())`.
    """
    given = checked("TSVector", options)
    _refuse_options("TSVector", given, "choices", "primary_key", "unique")
    core = kinds.computed("text").core
    return Field[Any](VECTOR, TSVectorType(), core, given)


def _refuse_options(name: str, given: Mapping[str, Any], *options: str) -> None:
    """Raise `FieldError` for options that have no meaning for a kind of value."""
    for option in options:
        if given.get(option):
            raise FieldError(f"{name} has no {option}: its values are not told apart as a whole. Leave it out.")
