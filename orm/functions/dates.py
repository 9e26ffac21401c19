"""Functions of dates and times: `Now`, `Extract…`, `Trunc…`."""

from __future__ import annotations

import datetime
from collections.abc import Hashable
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Dialect

from orm import kinds, zones
from orm.exceptions import FieldError
from orm.expressions import Expression, Function, T_co, Value, output_of
from orm.moments import between, shifted
from orm.operators import Element
from orm.parts import PARTS, Part
from orm.periods import UNITS, Unit
from orm.specs import FieldSpec

Operand = str | Expression[Any]
"""A field or an annotation in words, or an expression."""


class Zone(Value[Any]):
    """A time zone as a value, so that all zones share a plan: its name, or how far it is ahead of UTC."""

    __slots__ = ()

    def __init__(self, tzinfo: datetime.tzinfo) -> None:
        if isinstance(tzinfo, datetime.timezone):
            super().__init__(tzinfo.utcoffset(None))
        else:
            super().__init__(tzinfo.key if isinstance(tzinfo, ZoneInfo) else None)
        if self.value is None:
            raise FieldError(
                f"tzinfo={tzinfo!r} is no time zone that a database knows. Choose from: zoneinfo.ZoneInfo('Area/City'),"
                " datetime.timezone(…), datetime.UTC."
            )

    def __repr__(self) -> str:
        return f"tzinfo={self.value!r}" if isinstance(self.value, str) else f"tzinfo=timezone({self.value!r})"


def _zones(tzinfo: datetime.tzinfo | None) -> tuple[Zone, ...]:
    """The time zone as an operand; none for UTC, which costs nothing."""
    if tzinfo is None or tzinfo is datetime.UTC or (isinstance(tzinfo, ZoneInfo) and tzinfo.key in _UTC_NAMES):
        return ()
    return (Zone(tzinfo),)


_UTC_NAMES: Final = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Zulu", "Etc/Universal", "UCT", "Zulu", "Universal"})


class Now(Expression[datetime.datetime]):
    """The time now, in UTC: the same in the whole statement, and on PostgreSQL in the whole transaction.

    On SQLite, whose own clock may tick between two rows, it is the time at which the statement was sent.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()

    def __repr__(self) -> str:
        return "Now()"

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("datetime", null=False)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        if self.count(engine):
            sent = next((value for value in values if type(value) is Sent), None)
            values.append(Sent.now(datetime.UTC) if sent is None else sent)
        return Now

    def count(self, engine: str) -> int:
        return 0 if engine in ("postgresql", "mysql") else 1


class Sent(datetime.datetime):
    """The time at which a statement was sent, to be told from other datetimes among its values."""


class _OfMoment(Function[T_co]):
    """A function of a date or a time, seen in a time zone."""

    __slots__ = ()

    def __init__(self, expression: Operand, tzinfo: datetime.tzinfo | None = None) -> None:
        super().__init__(expression, *_zones(tzinfo))

    def _local(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        """The operand without a zone."""
        if output_of(self.parts[0]).kind != "datetime":
            return operands[0]
        return zones.local(dialect.name, *operands)

    def _check_kind(self, choices: frozenset[str], what: str) -> None:
        kind = output_of(self.parts[0]).kind
        if kind not in choices:
            raise FieldError(f"{self.parts[0]!r} ({kind}) has no {what!r}: it is no date or time with one.")
        if len(self.parts) > 1 and kind != "datetime":
            raise FieldError(
                f"{self.parts[0]!r} ({kind}) is in no time zone that it could be converted from. Leave tzinfo out."
            )


class _Part(_OfMoment[T_co]):
    """A part of a date or a time."""

    __slots__ = ("part",)

    part: Part

    @property
    def options(self) -> Hashable:
        return self.part

    @property
    def output(self) -> FieldSpec:
        return kinds.computed(self.part.kind, self.part.type, null=output_of(self.parts[0]).null)

    def __repr__(self) -> str:
        zone = "".join(f", {part!r}" for part in self.parts[1:])
        return f"{type(self).__name__}({self.parts[0]!r}{zone})" if zone else f"{self.parts[0]!r}__{self.part.name}"

    def check(self) -> None:
        self._check_kind(self.part.kinds, self.part.name)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        kind = output_of(self.parts[0]).kind
        shown = self._local(dialect, operands)
        return self.part.build(dialect.name, shown, "naive_datetime" if kind == "datetime" else kind)


class Extract(_Part[Any]):
    """A part of a date or a time as a number: `Extract("released", "year")`.

    Args:
        expression: a date, a time, or a datetime.
        part: `year`, `iso_year`, `quarter`, `month`, `week`, `day`, `week_day`, `iso_week_day`, `hour`, `minute` or
            `second`.
        tzinfo: the time zone in which a datetime is looked at; UTC if it is not given.
    """

    __slots__ = ()

    def __init__(self, expression: Operand, part: str, tzinfo: datetime.tzinfo | None = None) -> None:
        found = PARTS.get(part)
        if found is None or found.kind != "integer":
            numbers = ", ".join(name for name, entry in PARTS.items() if entry.kind == "integer")
            raise FieldError(f"{part!r} is no part of a date or a time. Choose from: {numbers}.")
        super().__init__(expression, tzinfo)
        self.part = found


class _Named(_Part[T_co]):
    """A part that has a function of its own."""

    __slots__ = ()

    name: ClassVar[str]

    def __init__(self, expression: Operand, tzinfo: datetime.tzinfo | None = None) -> None:
        super().__init__(expression, tzinfo)
        self.part = PARTS[self.name]


class ExtractYear(_Named[Any]):
    """The year."""

    __slots__ = ()
    name = "year"


class ExtractIsoYear(_Named[Any]):
    """The year that the ISO week belongs to."""

    __slots__ = ()
    name = "iso_year"


class ExtractMonth(_Named[Any]):
    """The month, 1 to 12."""

    __slots__ = ()
    name = "month"


class ExtractDay(_Named[Any]):
    """The day of the month, 1 to 31."""

    __slots__ = ()
    name = "day"


class ExtractWeek(_Named[Any]):
    """The ISO week, 1 to 53."""

    __slots__ = ()
    name = "week"


class ExtractWeekDay(_Named[Any]):
    """The day of the week, 1 for Sunday to 7 for Saturday."""

    __slots__ = ()
    name = "week_day"


class ExtractIsoWeekDay(_Named[Any]):
    """The day of the week, 1 for Monday to 7 for Sunday."""

    __slots__ = ()
    name = "iso_week_day"


class ExtractQuarter(_Named[Any]):
    """The quarter, 1 to 4."""

    __slots__ = ()
    name = "quarter"


class ExtractHour(_Named[Any]):
    """The hour, 0 to 23."""

    __slots__ = ()
    name = "hour"


class ExtractMinute(_Named[Any]):
    """The minute, 0 to 59."""

    __slots__ = ()
    name = "minute"


class ExtractSecond(_Named[Any]):
    """The second, 0 to 59, without its fraction."""

    __slots__ = ()
    name = "second"


class TruncDate(_Named[Any]):
    """The date of a moment, in a time zone; UTC if it is not given."""

    __slots__ = ()
    name = "date"


class TruncTime(_Named[Any]):
    """The time of day of a moment, in a time zone; UTC if it is not given."""

    __slots__ = ()
    name = "time"


class _Period(_OfMoment[T_co]):
    """The beginning of a period."""

    __slots__ = ("unit",)

    unit: Unit

    @property
    def options(self) -> Hashable:
        return self.unit

    @property
    def output(self) -> FieldSpec:
        of = output_of(self.parts[0])
        return kinds.computed(of.kind, null=of.null)

    def check(self) -> None:
        self._check_kind(self.unit.kinds, self.unit.name)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        engine, kind = dialect.name, output_of(self.parts[0]).kind
        shown = self._local(dialect, operands)
        begun = self.unit.build(engine, shown, "naive_datetime" if kind == "datetime" else kind)
        if kind != "datetime":
            return begun
        if not self.unit.of_clock:
            return zones.instant(engine, begun, *operands[1:])
        # As long before the moment as clocks have shown: when they are set back, the hour that comes twice is two.
        return shifted(engine, operands[0], between(engine, shown, begun), back=True)


class Trunc(_Period[Any]):
    """The beginning of the period that a date or a time lies in: `Trunc("created", "month")`.

    Of a datetime it is the moment at which the period began in the time zone; of a date a date, of a time a time.

    Args:
        expression: a date, a time (for `hour`, `minute` and `second`), or a datetime.
        unit: `year`, `quarter`, `month`, `week` (from Monday), `day`, `hour`, `minute` or `second`.
        tzinfo: the time zone in which a datetime is looked at; UTC if it is not given.
    """

    __slots__ = ()

    def __init__(self, expression: Operand, unit: str, tzinfo: datetime.tzinfo | None = None) -> None:
        found = UNITS.get(unit)
        if found is None:
            raise FieldError(f"{unit!r} is no period. Choose from: {', '.join(UNITS)}.")
        super().__init__(expression, tzinfo)
        self.unit = found


class _NamedPeriod(_Period[T_co]):
    """A period that has a function of its own."""

    __slots__ = ()

    name: ClassVar[str]

    def __init__(self, expression: Operand, tzinfo: datetime.tzinfo | None = None) -> None:
        super().__init__(expression, tzinfo)
        self.unit = UNITS[self.name]


class TruncYear(_NamedPeriod[Any]):
    """The beginning of the year."""

    __slots__ = ()
    name = "year"


class TruncQuarter(_NamedPeriod[Any]):
    """The beginning of the quarter."""

    __slots__ = ()
    name = "quarter"


class TruncMonth(_NamedPeriod[Any]):
    """The beginning of the month."""

    __slots__ = ()
    name = "month"


class TruncWeek(_NamedPeriod[Any]):
    """The beginning of the week: Monday."""

    __slots__ = ()
    name = "week"


class TruncDay(_NamedPeriod[Any]):
    """The beginning of the day."""

    __slots__ = ()
    name = "day"


class TruncHour(_NamedPeriod[Any]):
    """The beginning of the hour; of one that comes twice, where clocks are set back, each has its own."""

    __slots__ = ()
    name = "hour"


class TruncMinute(_NamedPeriod[Any]):
    """The beginning of the minute."""

    __slots__ = ()
    name = "minute"


class TruncSecond(_NamedPeriod[Any]):
    """The beginning of the second."""

    __slots__ = ()
    name = "second"
