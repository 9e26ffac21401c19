"""Parts of dates and times, in SQL: `date__year`, `ExtractYear("date")`, on each engine. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from orm import types
from orm.operators import CLOCKS, DAYS, MOMENTS, Element


@dataclass(frozen=True, eq=False)
class Part:
    """A part of a date or a time.

    Attributes:
        kind: the kind of what it gives.
        type: SQLAlchemy's type of what it gives.
        kinds: the kinds of value that have it.
        build: makes SQL of the engine's name, the column and the column's kind.
    """

    name: str
    kinds: frozenset[str]
    build: Callable[[str, Element, str], Element]
    kind: str = "integer"
    type: TypeEngine[Any] = field(default_factory=sa.Integer)

    def __repr__(self) -> str:
        return self.name


def _local(engine: str, column: Element, kind: str) -> Element:
    """The column as a moment in UTC without a zone; only PostgreSQL's columns have one."""
    if engine == "postgresql" and kind == "datetime":
        return sa.func.timezone(sa.literal_column("'UTC'"), column)
    return column


def _strftime(form: str, column: Element, *modifiers: str) -> Element:
    literals: list[Element] = [sa.literal_column(f"'{modifier}'") for modifier in modifiers]
    text = sa.func.strftime(sa.literal_column(f"'{form}'"), column, *literals)
    return sa.cast(text, sa.Integer)


def _part(postgresql: str, mysql: Callable[[Element], Element], sqlite: Callable[[Element], Element]) -> Any:
    def build(engine: str, column: Element, kind: str) -> Element:
        if engine == "postgresql":
            part = sa.extract(postgresql, _local(engine, column, kind))  # seconds have a fraction
            return sa.cast(sa.func.floor(part) if postgresql == "second" else part, sa.Integer)
        return mysql(column) if engine == "mysql" else sqlite(column)

    return build


def _plain_part(name: str, form: str) -> Any:
    return _part(name, lambda c: sa.extract(name, c), lambda c: _strftime(form, c))


def _day(column: Element) -> Element:
    """The day alone: SQLite's arithmetic rounds to milliseconds, and the last microsecond of a day to the next."""
    return sa.func.substr(column, sa.literal_column("1"), sa.literal_column("10"))


def _thursday(form: str, column: Element) -> Element:
    """A part of the Thursday in the same ISO week, which decides on the week's year and number."""
    return _strftime(form, _day(column), "-3 days", "weekday 4")


def _week_day(engine: str, column: Element, kind: str) -> Element:
    if engine == "mysql":
        return sa.func.dayofweek(column)
    part = sa.cast(sa.extract("dow", _local(engine, column, kind)), sa.Integer)
    return (part if engine == "postgresql" else _strftime("%w", _day(column))) + sa.literal_column("1")


def _date(engine: str, column: Element, kind: str) -> Element:
    if engine == "postgresql":
        return sa.cast(_local(engine, column, kind), sa.Date)
    return sa.func.date(column, type_=sa.Date())


def _time(engine: str, column: Element, kind: str) -> Element:
    if engine == "postgresql":
        return sa.cast(_local(engine, column, kind), types.Time())
    if engine == "mysql":
        return sa.func.time(column, type_=types.Time())
    return sa.func.substr(column, sa.literal_column("12"), type_=types.Time())


_ONE: Element = sa.literal_column("1")
_SEVEN: Element = sa.literal_column("7")

PARTS: Final[Mapping[str, Part]] = {
    entry.name: entry
    for entry in (
        Part("year", DAYS, _plain_part("year", "%Y")),
        Part("month", DAYS, _plain_part("month", "%m")),
        Part("day", DAYS, _plain_part("day", "%d")),
        Part("hour", CLOCKS, _plain_part("hour", "%H")),
        Part("minute", CLOCKS, _plain_part("minute", "%M")),
        Part("second", CLOCKS, _part("second", sa.func.second, lambda c: _strftime("%S", c))),
        Part(
            "quarter",
            DAYS,
            _part(
                "quarter",
                sa.func.quarter,
                lambda c: (_strftime("%m", c) + sa.literal_column("2")).op("/", precedence=100)(sa.literal_column("3")),
            ),
        ),
        Part(
            "week",
            DAYS,
            _part(
                "week",
                lambda c: sa.func.week(c, sa.literal_column("3")),
                lambda c: (_thursday("%j", c) - _ONE).op("/", precedence=100)(_SEVEN) + _ONE,
            ),
        ),
        Part(
            "iso_year",
            DAYS,
            _part(
                "isoyear",
                lambda c: sa.func.yearweek(c, sa.literal_column("3")).op("DIV", precedence=100)(
                    sa.literal_column("100")
                ),
                lambda c: _thursday("%Y", c),
            ),
        ),
        Part("week_day", DAYS, _week_day),
        Part(
            "iso_week_day",
            DAYS,
            _part(
                "isodow",
                lambda c: sa.func.weekday(c) + _ONE,
                lambda c: (_strftime("%w", _day(c)) + sa.literal_column("6")).op("%", precedence=100)(_SEVEN) + _ONE,
            ),
        ),
        Part("date", MOMENTS, _date, "date", sa.Date()),
        Part("time", MOMENTS, _time, "time", types.Time()),
    )
}
"""Every part by its name; `week_day` is Django's, 1 for Sunday to 7 for Saturday."""
