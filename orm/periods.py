"""The beginning of a year, a month, …: dates and times truncated, in SQL, on each engine. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from orm.operators import CLOCKS, DAYS, MOMENTS, Element


@dataclass(frozen=True, eq=False)
class Unit:
    """A period that a date or a time lies in.

    Attributes:
        kinds: the kinds of value that can be truncated to it.
        mysql: makes the first day of the period on MySQL; `None` for those shorter than a day.
        sqlite: the same on SQLite.
    """

    name: str
    kinds: frozenset[str]
    mysql: Callable[[Element], Element] | None = None
    sqlite: Callable[[Element], Element] | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def of_clock(self) -> bool:
        """Whether it is shorter than a day."""
        return self.mysql is None

    def build(self, engine: str, column: Element, kind: str) -> Element:
        """Its SQL; a moment is one without a zone.

        Args:
            engine: the engine's name.
            column: what is truncated.
            kind: its kind.
        """
        if engine == "postgresql":
            begun: Element = sa.func.date_trunc(sa.literal_column(f"'{self.name}'"), column)
            return begun if kind in MOMENTS else sa.cast(begun, sa.Date() if kind == "date" else sa.Time())
        if self.mysql is None or self.sqlite is None:
            return _clock_on_mysql(self, column, kind) if engine == "mysql" else _clock_on_sqlite(self, column, kind)
        if engine == "mysql":
            day = self.mysql(column)
            return day if kind == "date" else sa.cast(day, mysql.DATETIME(fsp=6))
        day = self.sqlite(column)
        return day if kind == "date" else _joined(day, _text(" 00:00:00.000000"))


def _number(value: int) -> Element:
    return sa.literal_column(str(value), sa.Integer())


def _text(value: str) -> Element:
    return sa.literal_column(f"'{value}'", sa.String())


def _joined(left: Element, right: Element) -> Element:
    return sa.type_coerce(left, sa.String()).op("||")(right)


# ---------------------------------------------------------------- MySQL


def _days_later(column: Element, days: Element) -> Element:
    return sa.func.timestampadd(sa.literal_column("DAY"), days, sa.func.date(column))


def _year_on_mysql(column: Element) -> Element:
    return _days_later(column, _number(1) - sa.func.dayofyear(column))


def _quarter_on_mysql(column: Element) -> Element:
    quarters = sa.func.quarter(column) - _number(1)
    return sa.func.timestampadd(sa.literal_column("QUARTER"), quarters, _year_on_mysql(column))


def _clock_on_mysql(unit: Unit, column: Element, kind: str) -> Element:
    parts = [sa.func.hour(column), sa.func.minute(column), sa.func.second(column)]
    count = _CLOCK.index(unit.name) + 1
    zeros = [_number(0)] * (3 - count)
    clock: Element = sa.func.maketime(*parts[:count], *zeros)
    return clock if kind == "time" else sa.cast(sa.func.timestamp(sa.func.date(column), clock), mysql.DATETIME(fsp=6))


# ---------------------------------------------------------------- SQLite, where they are text


def _start(column: Element, length: int) -> Element:
    return sa.func.substr(column, _number(1), _number(length), type_=sa.String())


def _quarter_on_sqlite(column: Element) -> Element:
    month: Any = sa.cast(sa.func.substr(column, _number(6), _number(2)), sa.Integer)
    first = (month - _number(1)).op("/", precedence=100)(_number(3)).op("*", precedence=100)(_number(3)) + _number(1)
    return _joined(_start(column, 4), sa.func.printf(_text("-%02d-01"), first))  # printf alone is not NULL for NULL


def _week_on_sqlite(column: Element) -> Element:
    return sa.func.date(_start(column, 10), _text("weekday 0"), _text("-6 days"))


def _clock_on_sqlite(unit: Unit, column: Element, kind: str) -> Element:
    place = _CLOCK.index(unit.name)
    length = (0 if kind == "time" else 11) + 2 + 3 * place
    return _joined(_start(column, length), _text((":00:00", ":00", "")[place] + ".000000"))


_CLOCK: Final = ("hour", "minute", "second")

UNITS: Final[Mapping[str, Unit]] = {
    unit.name: unit
    for unit in (
        Unit("year", DAYS, _year_on_mysql, lambda c: _joined(_start(c, 4), _text("-01-01"))),
        Unit("quarter", DAYS, _quarter_on_mysql, _quarter_on_sqlite),
        Unit(
            "month",
            DAYS,
            lambda c: _days_later(c, _number(1) - sa.func.dayofmonth(c)),
            lambda c: _joined(_start(c, 7), _text("-01")),
        ),
        Unit("week", DAYS, lambda c: _days_later(c, -sa.func.weekday(c)), _week_on_sqlite),
        Unit("day", DAYS, sa.func.date, lambda c: _start(c, 10)),
        *[Unit(name, CLOCKS) for name in _CLOCK],
    )
}
"""Every unit by its name; a week begins on Monday."""
