"""`Cast`: a value as one of another type. Only casts that give the same on every database are offered.

A text that does not say a value of the type gives NULL, and a fraction is cut off where a whole number is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar, Final, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import kinds, types
from orm.arithmetic import ZERO, real, rounded
from orm.exceptions import FieldError
from orm.expressions import output_of
from orm.functions.base import (
    AnyOperand,
    KindedFunction,
    as_text,
    concatenated,
    described,
)
from orm.operators import Element
from orm.parts import PARTS
from orm.query import Node
from orm.specs import FieldSpec

T = TypeVar("T")


class Cast(KindedFunction[T | None]):
    """A value as one of another type: `Cast("year", orm.Text())`.

    Args:
        expression: the value.
        output_field: a field that says the type.

    Raises:
        FieldError: `output_field` is no field; or values of that kind cannot be cast to it.
    """

    __slots__ = ("spec",)
    takes = ()
    collates_by: ClassVar = "nothing"

    def __init__(self, expression: AnyOperand, output_field: kinds.FieldOf[T]) -> None:
        super().__init__(expression)
        self.spec = kinds.of_field("Cast", output_field)

    def __repr__(self) -> str:
        return f"Cast({self.parts[0]!r}, {self.spec.kind})"

    @property
    def options(self) -> Hashable:
        return kinds.key(self.spec)

    @property
    def output(self) -> FieldSpec:
        null = output_of(self.parts[0]).null or _source(self.parts[0]) == "text"
        return kinds.like(self.spec, null=null)

    def with_children(self, children: tuple[Node, ...]) -> Node:
        return super(KindedFunction, self).with_children(tuple([as_text(child) for child in children]))

    def check(self) -> None:
        """Raise `FieldError` for what cannot be cast."""
        source = _source(self.parts[0])
        possible = _CASTS.get(self.spec.kind, {})
        if not possible or (source != "any" and source not in possible):
            listed = f"Possible are: {', '.join(possible)}." if possible else f"Possible are casts to: {_TARGETS}."
            raise FieldError(f"{described(self.parts[0])} cannot be cast to {self.spec.kind}. {listed}")

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        convert = _CASTS[self.spec.kind].get(_source(self.parts[0]), _by_engine)
        # An object of its own, since the type of what a function gives is set on it.
        return sa.type_coerce(convert(dialect, operands[0], self.spec, output_of(self.parts[0])), self.spec.type)


def _source(node: Node) -> str:
    """The kind of what is cast: an enumeration's is that of the values it is kept as."""
    spec = output_of(node)
    if spec.kind == "enum":
        return "integer" if getattr(spec.type, "numbers", False) else "text"
    return spec.kind


Convert = Callable[[Dialect, Element, FieldSpec, FieldSpec], Element]
"""Makes the SQL of a cast of the value, what is wanted, and what the value is."""

_ONE: Final[Element] = sa.literal_column("1")
_TRUE: Final = ("true", "t", "yes", "y", "on", "1")
_FALSE: Final = ("false", "f", "no", "n", "off", "0")
_INTEGER: Final = "^ *[-+]?[0-9]+ *$"
_NUMBER: Final = "^ *[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)? *$"
_DATE: Final = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_CLOCK: Final = "[0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{1,6})?)?"
_TIME: Final = f"^{_CLOCK}$"
_DATETIME: Final = f"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T]{_CLOCK}$"


def _text(words: str) -> Element:
    """A text of ours in SQL."""
    return sa.literal_column(f"'{words}'", types.Text())


def _if_matches(dialect: Dialect, text: Element, pattern: str, value: Element) -> Element:
    """A value where a text matches; NULL elsewhere."""
    operator = "~" if dialect.name == "postgresql" else "REGEXP"
    return sa.case((text.bool_op(operator)(_text(pattern)), value))


def _by_engine(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    """The engine's own cast, of what nothing is known about."""
    return sa.cast(value, wanted.type)


def _same(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    return value


# ---------------------------------------------------------------- to text


def _as_text(dialect: Dialect, value: Element) -> Element:
    return sa.cast(value, sa.CHAR() if dialect.name == "mysql" else sa.Text())


def _limited(make: Callable[[Dialect, Element, FieldSpec], Element]) -> Convert:
    """A cast to text, cut off at the length that is wanted."""

    def convert(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
        text = make(dialect, value, given)
        length = wanted.limits.get("max_length")
        if length is None:
            return text
        return sa.func.substr(text, _ONE, sa.literal_column(str(int(length))))

    return convert


def _plain_text(dialect: Dialect, value: Element, given: FieldSpec) -> Element:
    return _as_text(dialect, value)


def _text_of_decimal(dialect: Dialect, value: Element, given: FieldSpec) -> Element:
    scale = getattr(given.type, "scale", None)
    if scale is None:
        return _as_text(dialect, value)
    if dialect.name == "sqlite":
        return sa.case((value.is_not(None), sa.func.printf(_text(f"%.{scale}f"), value)))
    return _as_text(dialect, sa.cast(value, sa.Numeric(65 if dialect.name == "mysql" else 1000, scale)))


def _text_of_boolean(dialect: Dialect, value: Element, given: FieldSpec) -> Element:
    return sa.case((value.is_(sa.true()), _text("true")), (value.is_(sa.false()), _text("false")))


def _text_of_moment(dialect: Dialect, value: Element, given: FieldSpec) -> Element:
    if dialect.name != "postgresql":
        return _as_text(dialect, value)
    if given.kind == "datetime":
        value = sa.func.timezone(_text("UTC"), value)
    form = "HH24:MI:SS.US" if given.kind == "time" else "YYYY-MM-DD HH24:MI:SS.US"
    if given.kind == "time":
        value = sa.cast(value, sa.Interval())
    return sa.func.to_char(value, _text(form))


def _text_of_uuid(dialect: Dialect, value: Element, given: FieldSpec) -> Element:
    text = _as_text(dialect, value)
    if dialect.name == "postgresql":
        return text
    digits = sa.func.replace(text, _text("-"), _text(""))
    groups: list[Element] = []
    for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12)):
        if groups:
            groups.append(_text("-"))
        groups.append(sa.func.substr(digits, sa.literal_column(str(start)), sa.literal_column(str(length))))
    return concatenated(dialect, *groups)


def _text_of_address(dialect: Dialect, value: Element, given: FieldSpec) -> Element:
    return sa.func.host(value) if dialect.name == "postgresql" else _as_text(dialect, value)


# ---------------------------------------------------------------- to numbers


def _whole(dialect: Dialect, value: Element, wanted: FieldSpec) -> Element:
    """A number without a fraction as an integer."""
    return sa.cast(value, sa.BigInteger() if dialect.name == "mysql" else wanted.type)


def _integer_of_number(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    if dialect.name == "postgresql" and given.kind != "integer":
        value = sa.func.trunc(value)
    elif dialect.name == "mysql" and given.kind != "integer":
        value = sa.func.truncate(value, ZERO)
    return _whole(dialect, value, wanted)


def _integer_of_text(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    return _if_matches(dialect, value, _INTEGER, _whole(dialect, value, wanted))


def _integer_of_boolean(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    return sa.case((value.is_(sa.true()), _ONE), (value.is_(sa.false()), ZERO))


def _float_of_number(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    return real(dialect.name, value)


def _float_of_text(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    return _if_matches(dialect, value, _NUMBER, real(dialect.name, value))


def _decimal_of_number(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    if dialect.name == "sqlite":
        return rounded(dialect.name, value, cast("Any", wanted.type).scale, "decimal")
    return sa.cast(value, wanted.type)


def _decimal_of_text(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    number = real(dialect.name, value) if dialect.name == "sqlite" else value
    return _if_matches(dialect, value, _NUMBER, _decimal_of_number(dialect, number, wanted, given))


def _boolean_of_number(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    return value != ZERO


def _boolean_of_text(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    word = sa.func.lower(sa.func.trim(value))
    return sa.case(
        (word.in_([_text(known) for known in _TRUE]), sa.true()),
        (word.in_([_text(known) for known in _FALSE]), sa.false()),
    )


# ---------------------------------------------------------------- to dates and times


def _part(name: str) -> Convert:
    def convert(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
        return PARTS[name].build(dialect.name, value, given.kind)

    return convert


def _parsed(pattern: str, function: str) -> Convert:
    """A date or a time that a text says in ISO form; moments are in UTC."""

    def convert(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
        made: Element
        if dialect.name == "sqlite":
            made = getattr(sa.func, function)(value)
        elif dialect.name == "postgresql" and wanted.kind == "datetime":
            made = sa.func.timezone(_text("UTC"), sa.cast(value, sa.DateTime()))
        else:
            made = sa.cast(value, wanted.type)
        return _if_matches(dialect, value, pattern, made)

    return convert


def _moment_of_date(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    """Midnight, in UTC."""
    if dialect.name == "sqlite":
        return concatenated(dialect, value, _text(" 00:00:00.000000"))
    if dialect.name == "postgresql" and wanted.kind == "datetime":
        return sa.func.timezone(_text("UTC"), sa.cast(value, sa.DateTime()))
    return sa.cast(value, wanted.type)


def _moment_of_moment(dialect: Dialect, value: Element, wanted: FieldSpec, given: FieldSpec) -> Element:
    """The moment that a naive one is in UTC, and the other way round."""
    return sa.func.timezone(_text("UTC"), value) if dialect.name == "postgresql" else value


_CASTS: Final[Mapping[str, Mapping[str, Convert]]] = {
    "text": {
        "text": _limited(_plain_text),
        "integer": _limited(_plain_text),
        "float": _limited(_plain_text),
        "decimal": _limited(_text_of_decimal),
        "boolean": _limited(_text_of_boolean),
        "date": _limited(_plain_text),
        "datetime": _limited(_text_of_moment),
        "naive_datetime": _limited(_text_of_moment),
        "time": _limited(_text_of_moment),
        "uuid": _limited(_text_of_uuid),
        "ip": _limited(_text_of_address),
    },
    "integer": {
        "integer": _integer_of_number,
        "decimal": _integer_of_number,
        "float": _integer_of_number,
        "boolean": _integer_of_boolean,
        "text": _integer_of_text,
    },
    "float": {
        "integer": _float_of_number,
        "decimal": _float_of_number,
        "float": _float_of_number,
        "text": _float_of_text,
    },
    "decimal": {
        "integer": _decimal_of_number,
        "decimal": _decimal_of_number,
        "float": _decimal_of_number,
        "text": _decimal_of_text,
    },
    "boolean": {
        "boolean": _same,
        "integer": _boolean_of_number,
        "decimal": _boolean_of_number,
        "float": _boolean_of_number,
        "text": _boolean_of_text,
    },
    "date": {
        "date": _same,
        "datetime": _part("date"),
        "naive_datetime": _part("date"),
        "text": _parsed(_DATE, "orm_date"),
    },
    "datetime": {
        "datetime": _same,
        "naive_datetime": _moment_of_moment,
        "date": _moment_of_date,
        "text": _parsed(_DATETIME, "orm_datetime"),
    },
    "naive_datetime": {
        "naive_datetime": _same,
        "datetime": _moment_of_moment,
        "date": _moment_of_date,
        "text": _parsed(_DATETIME, "orm_datetime"),
    },
    "time": {
        "time": _same,
        "datetime": _part("time"),
        "naive_datetime": _part("time"),
        "text": _parsed(_TIME, "orm_time"),
    },
}
_TARGETS: Final = ", ".join(_CASTS)
