"""Functions of dates and times."""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy.engine import Dialect

from orm import kinds
from orm.exceptions import FieldError
from orm.expressions import Function, output_of
from orm.operators import Element
from orm.parts import PARTS, Part
from orm.schema import FieldSpec


class Extract(Function[Any]):
    """A part of a date or a time; the base of `ExtractYear` and its kin."""

    __slots__ = ()

    part: ClassVar[Part]

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__{self.part.name}"

    @property
    def output(self) -> FieldSpec:
        return kinds.computed(self.part.kind, self.part.type, null=output_of(self.parts[0]).null)

    def check(self) -> None:
        kind = output_of(self.parts[0]).kind
        if kind not in self.part.kinds:
            raise FieldError(f"{self.parts[0]!r} ({kind}) has no {self.part.name!r}: it is no date or time with one.")

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return self.part.build(dialect.name, operands[0], output_of(self.parts[0]).kind)


class ExtractYear(Extract):
    """The year."""

    __slots__ = ()
    part = PARTS["year"]


class ExtractIsoYear(Extract):
    """The year that the ISO week belongs to."""

    __slots__ = ()
    part = PARTS["iso_year"]


class ExtractMonth(Extract):
    """The month, 1 to 12."""

    __slots__ = ()
    part = PARTS["month"]


class ExtractDay(Extract):
    """The day of the month, 1 to 31."""

    __slots__ = ()
    part = PARTS["day"]


class ExtractWeek(Extract):
    """The ISO week, 1 to 53."""

    __slots__ = ()
    part = PARTS["week"]


class ExtractWeekDay(Extract):
    """The day of the week, 1 for Sunday to 7 for Saturday."""

    __slots__ = ()
    part = PARTS["week_day"]


class ExtractIsoWeekDay(Extract):
    """The day of the week, 1 for Monday to 7 for Sunday."""

    __slots__ = ()
    part = PARTS["iso_week_day"]


class ExtractQuarter(Extract):
    """The quarter, 1 to 4."""

    __slots__ = ()
    part = PARTS["quarter"]


class ExtractHour(Extract):
    """The hour, 0 to 23."""

    __slots__ = ()
    part = PARTS["hour"]


class ExtractMinute(Extract):
    """The minute, 0 to 59."""

    __slots__ = ()
    part = PARTS["minute"]


class ExtractSecond(Extract):
    """The second, 0 to 59, without its fraction."""

    __slots__ = ()
    part = PARTS["second"]


class TruncDate(Extract):
    """The date of a moment, in UTC."""

    __slots__ = ()
    part = PARTS["date"]


class TruncTime(Extract):
    """The time of day of a moment, in UTC."""

    __slots__ = ()
    part = PARTS["time"]
