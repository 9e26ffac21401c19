"""Ranges of PostgreSQL: their type, their lookups, and their bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, Final, cast

import sqlalchemy as sa
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from orm import kinds, operators, transforms, types
from orm.expressions import Function, output_of
from orm.operators import Element, Operator, only_on_postgresql, postgresql_infix, postgresql_operator
from orm.specs import FieldSpec
from orm.transforms import Transform

_KINDS: Final = frozenset({"range"})
_CURE: Final = "Use a column for each bound."
_BOUNDS: Final = ("[)", "(]", "[]", "()")


@dataclasses.dataclass(frozen=True)
class Subtype:
    """What lies between the bounds of a range.

    Attributes:
        kind: which lookups a bound has.
        make: makes SQLAlchemy's type of the range.
        core: pydantic's core schema of a bound.
        type: the column type of a bound.
    """

    kind: str
    make: Callable[[], TypeEngine[Any]]
    core: CoreSchema = dataclasses.field(compare=False)
    type: TypeEngine[Any] = dataclasses.field(compare=False)


def _whole(bits: int) -> CoreSchema:
    return core_schema.int_schema(strict=True, ge=-(2 ** (bits - 1)), le=2 ** (bits - 1) - 1)


def _moment(zone: str) -> CoreSchema:
    return core_schema.datetime_schema(strict=True, tz_constraint=cast("Any", zone))


SUBTYPES: Final[Mapping[str, Subtype]] = {
    "integer": Subtype("integer", postgresql.INT4RANGE, _whole(32), sa.Integer()),
    "big_integer": Subtype("integer", postgresql.INT8RANGE, _whole(64), sa.BigInteger()),
    "decimal": Subtype("decimal", postgresql.NUMRANGE, kinds.decimal_core(), sa.Numeric()),
    "date": Subtype("date", postgresql.DATERANGE, core_schema.date_schema(strict=True), sa.Date()),
    "datetime": Subtype("datetime", postgresql.TSTZRANGE, _moment("aware"), types.DateTime()),
    "naive_datetime": Subtype("naive_datetime", postgresql.TSRANGE, _moment("naive"), types.DateTime(timezone=False)),
}
"""What ranges there are, by what they are ranges of."""


class RangeType(TypeDecorator[Range[Any]]):
    """A range of values; on PostgreSQL only."""

    impl = postgresql.INT4RANGE
    cache_ok = True

    def __init__(self, of: str) -> None:
        super().__init__()
        self.of = of

    @property
    def subtype(self) -> Subtype:
        """What lies between its bounds."""
        return SUBTYPES[self.of]

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        only_on_postgresql(dialect, "ranges", _CURE)
        return self.subtype.make().dialect_impl(dialect)


def core(of: str) -> CoreSchema:
    """pydantic's core schema of a range; a dictionary of its parts, which it is in JSON, is taken, too."""
    bound = core_schema.nullable_schema(SUBTYPES[of].core)
    validate = SchemaValidator(bound).validate_python
    parts = _parts_core(bound)
    validate_parts = SchemaValidator(parts).validate_python

    def check(value: Any) -> Range[Any]:
        if not isinstance(value, (Range, dict)):
            raise ValueError("a Range of orm.postgresql is wanted, such as Range(1, 10)")
        given = cast("Any", Range(**validate_parts(value)) if isinstance(value, dict) else value)
        if given.bounds not in _BOUNDS:
            raise ValueError(f"bounds={given.bounds!r} is not possible; choose from: {', '.join(_BOUNDS)}")
        lower, upper = validate(given.lower), validate(given.upper)
        if lower is not None and upper is not None and lower > upper:
            raise ValueError("the lower bound of a range is not greater than the upper one")
        return dataclasses.replace(given, lower=lower, upper=upper) if not given.empty else given

    return core_schema.json_or_python_schema(
        core_schema.no_info_after_validator_function(check, parts),
        core_schema.no_info_plain_validator_function(check),
        serialization=core_schema.plain_serializer_function_ser_schema(_parts, when_used="json-unless-none"),
    )


def _parts_core(bound: CoreSchema) -> CoreSchema:
    """The core schema of the parts of a range."""

    def field(core: CoreSchema, default: Any) -> core_schema.TypedDictField:
        return core_schema.typed_dict_field(core_schema.with_default_schema(core, default=default), required=False)

    parts = {
        "lower": field(bound, None),
        "upper": field(bound, None),
        "bounds": field(core_schema.literal_schema(list(_BOUNDS)), "[)"),
        "empty": field(core_schema.bool_schema(), False),
    }
    return core_schema.typed_dict_schema(parts, extra_behavior="forbid")


def _parts(value: Range[Any]) -> dict[str, Any]:
    """What a range is in JSON."""
    return {"lower": value.lower, "upper": value.upper, "bounds": value.bounds, "empty": value.empty}


def _subtype(spec: FieldSpec) -> Subtype:
    assert isinstance(spec.type, RangeType)
    return spec.type.subtype


class RangeBound(Function[Any]):
    """A bound of a range; NULL where it has none. The base of `RangeLower` and `RangeUpper`."""

    __slots__ = ()
    bound: ClassVar[str]

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__{self.bound}"

    @property
    def output(self) -> FieldSpec:
        subtype = _subtype(output_of(self.parts[0]))
        return kinds.computed(subtype.kind, subtype.type, null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        found: Element = getattr(sa.func, self.bound)(operands[0])
        return found


class RangeLower(RangeBound):
    """The lower bound of a range."""

    __slots__ = ()
    bound = "lower"


class RangeUpper(RangeBound):
    """The upper bound of a range."""

    __slots__ = ()
    bound = "upper"


def _range_core(spec: FieldSpec) -> CoreSchema:
    return spec.operand


def _either_core(spec: FieldSpec) -> CoreSchema:
    """A range, or a value that may lie in one."""
    validate_range = SchemaValidator(spec.operand).validate_python
    validate_value = SchemaValidator(_subtype(spec).core).validate_python
    return core_schema.no_info_plain_validator_function(
        lambda value: validate_range(value) if isinstance(value, Range) else validate_value(value)
    )


def _is_range(value: Any) -> Hashable:
    return isinstance(value, Range)


def _either_sent(dialect: Dialect, kind: TypeEngine[Any], variant: Hashable) -> TypeEngine[Any]:
    return kind if variant or not isinstance(kind, RangeType) else kind.subtype.type


def _operator(name: str, symbol: str) -> Operator:
    return postgresql_operator(name, symbol, "range", _CURE, _range_core)


def _is_empty(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    return sa.func.isempty(left)


def _is_not_empty(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    return sa.not_(sa.func.isempty(left))


for _entry in (
    Operator(
        "contains",
        postgresql_infix("@>", "ranges", _CURE),
        kinds=_KINDS,
        core=_either_core,
        sent=_either_sent,
        variant=_is_range,
        expressions=True,
    ),
    _operator("contained_by", "<@"),
    _operator("overlap", "&&"),
    _operator("fully_lt", "<<"),
    _operator("fully_gt", ">>"),
    _operator("not_gt", "&<"),
    _operator("not_lt", "&>"),
    _operator("adjacent_to", "-|-"),
    Operator(
        "isempty",
        _is_empty,
        "flag",
        _KINDS,
        opposite=Operator("not isempty", _is_not_empty, "flag", _KINDS),
    ),
):
    operators.add(_entry)
transforms.add(Transform("lower", RangeLower, _KINDS))
transforms.add(Transform("upper", RangeUpper, _KINDS))
