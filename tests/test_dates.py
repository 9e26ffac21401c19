"""Functions of dates and times, against what Python and its time zones say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

import orm
from orm import Count, F, Max, Value, types, zones
from orm.functions import (
    Extract,
    ExtractDay,
    ExtractHour,
    ExtractIsoWeekDay,
    ExtractIsoYear,
    ExtractMinute,
    ExtractMonth,
    ExtractQuarter,
    ExtractSecond,
    ExtractWeek,
    ExtractWeekDay,
    ExtractYear,
    Now,
    Trunc,
    TruncDate,
    TruncDay,
    TruncHour,
    TruncMonth,
    TruncTime,
    TruncYear,
)
from tests.databases import created
from tests.music import Everything

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "America/Havana",  # clocks change at midnight: in March it does not exist, in November it comes twice
    "America/Santiago",  # the same on the southern hemisphere
    "Australia/Sydney",
    "Australia/Lord_Howe",  # clocks change by half an hour
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
]
OFFSETS = [
    UTC,
    timezone(timedelta(hours=-11, minutes=-30)),
    timezone(timedelta(hours=14)),
    timezone(timedelta(0, 1234)),
]
DAYS = [
    date(2023, 12, 31),
    date(2024, 1, 1),
    date(2024, 3, 10),
    date(2024, 3, 31),
    date(2024, 4, 7),
    date(2024, 9, 8),
    date(2024, 10, 6),
    date(2024, 10, 27),
    date(2024, 11, 3),
    date(2024, 12, 30),
]
"""Days on which clocks change somewhere, and the edges of years."""


def moments() -> list[datetime]:
    found = []
    for index, day in enumerate(DAYS):
        start = datetime.combine(day, time(0), UTC)
        found += [start + timedelta(minutes=97 * step, microseconds=index * 111111) for step in range(-8, 24)]
    return [*found, datetime(2024, 2, 29, 23, 59, 59, 999999, UTC), datetime(2000, 1, 1, tzinfo=UTC)]


PARTS: dict[str, tuple[Callable[..., Any], Callable[[datetime], Any]]] = {
    "year": (ExtractYear, lambda t: t.year),
    "iso_year": (ExtractIsoYear, lambda t: t.isocalendar().year),
    "quarter": (ExtractQuarter, lambda t: (t.month + 2) // 3),
    "month": (ExtractMonth, lambda t: t.month),
    "week": (ExtractWeek, lambda t: t.isocalendar().week),
    "day": (ExtractDay, lambda t: t.day),
    "week_day": (ExtractWeekDay, lambda t: t.isoweekday() % 7 + 1),
    "iso_week_day": (ExtractIsoWeekDay, lambda t: t.isoweekday()),
    "hour": (ExtractHour, lambda t: t.hour),
    "minute": (ExtractMinute, lambda t: t.minute),
    "second": (ExtractSecond, lambda t: t.second),
}
UNITS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")


def truncated(shown: datetime, unit: str) -> datetime:
    """What clocks showed at the beginning of the period, without a zone."""
    day = shown.date()
    first = {
        "year": day.replace(month=1, day=1),
        "quarter": day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1),
        "month": day.replace(day=1),
        "week": day - timedelta(days=day.weekday()),
    }.get(unit, day)
    clock = {
        "hour": shown.time().replace(minute=0, second=0, microsecond=0),
        "minute": shown.time().replace(second=0, microsecond=0),
        "second": shown.time().replace(microsecond=0),
    }.get(unit, time(0))
    return datetime.combine(first, clock.replace(fold=0))


def began(moment: datetime, unit: str, zone: dt.tzinfo) -> datetime:
    """The moment at which the period began in the zone."""
    shown = moment.astimezone(zone)
    start = truncated(shown, unit)
    if unit in ("hour", "minute", "second"):
        return moment - (shown.replace(tzinfo=None) - start)
    return start.replace(tzinfo=zone).astimezone(UTC)


async def _rows(**columns: list[Any]) -> None:
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    await Everything.objects.bulk_create([Everything(**row) for row in [*rows, {}]])


async def _check_zone(zone: dt.tzinfo) -> None:
    await _rows(moment=moments())
    parts = {f"{name}_part": function("moment", tzinfo=zone) for name, (function, _) in PARTS.items()}
    periods = {f"{unit}_start": Trunc("moment", unit, tzinfo=zone) for unit in UNITS}
    rows = await Everything.objects.values(
        "moment", **parts, **periods, day=TruncDate("moment", zone), clock=TruncTime("moment", zone)
    )
    assert len(rows) == len(moments()) + 1
    for row in rows:
        moment = row["moment"]
        if moment is None:
            assert set(row.values()) == {None}
            continue
        shown = moment.astimezone(zone)
        assert {name: row[f"{name}_part"] for name in PARTS} == {n: part(shown) for n, (_, part) in PARTS.items()}
        expected = {unit: began(moment, unit, zone) for unit in UNITS}
        assert {unit: row[f"{unit}_start"] for unit in UNITS} == expected, moment
        assert (row["day"], row["clock"]) == (shown.date(), shown.time().replace(fold=0))
        assert row["day_start"].tzinfo is not None


@pytest.mark.parametrize("zone", ZONES)
async def test_parts_and_periods_in_time_zones(music: orm.Database, time_zones: None, zone: str) -> None:
    await _check_zone(ZoneInfo(zone))


@pytest.mark.parametrize("zone", OFFSETS, ids=str)
async def test_parts_and_periods_at_fixed_offsets(music: orm.Database, zone: timezone) -> None:
    await _check_zone(zone)


async def test_a_period_begins_once_although_clocks_are_set_back(music: orm.Database, time_zones: None) -> None:
    """An hour that comes twice is two hours, and a midnight that comes twice is the first one."""
    await _rows(moment=[datetime(2024, 11, 3, 5, 30, tzinfo=UTC), datetime(2024, 11, 3, 6, 30, tzinfo=UTC)])
    zone = ZoneInfo("America/New_York")
    hours = Everything.objects.exclude(moment=None).order_by("moment")
    found = await hours.values_list(TruncHour("moment", zone), ExtractHour("moment", zone))
    assert found == [(datetime(2024, 11, 3, 5, tzinfo=UTC), 1), (datetime(2024, 11, 3, 6, tzinfo=UTC), 1)]
    days = await hours.values_list(TruncDay("moment", ZoneInfo("America/Havana")), flat=True)
    assert days == [datetime(2024, 11, 3, 4, tzinfo=UTC)] * 2


async def test_dates_times_and_naive_datetimes_are_truncated(music: orm.Database) -> None:
    naive = [moment.replace(tzinfo=None) for moment in moments()]
    await _rows(naive=naive, date=[moment.date() for moment in naive], time=[moment.time() for moment in naive])
    days, clocks = UNITS[:5], UNITS[5:]
    rows = await Everything.objects.exclude(naive=None).values(
        "naive",
        **{f"naive_{unit}": Trunc("naive", unit) for unit in UNITS},
        **{f"date_{unit}": Trunc("date", unit) for unit in days},
        **{f"time_{unit}": Trunc("time", unit) for unit in clocks},
    )
    for row in rows:
        expected = {unit: truncated(row["naive"], unit) for unit in UNITS}
        assert {unit: row[f"naive_{unit}"] for unit in UNITS} == expected
        assert {unit: row[f"date_{unit}"] for unit in days} == {unit: expected[unit].date() for unit in days}
        assert {unit: row[f"time_{unit}"] for unit in clocks} == {unit: expected[unit].time() for unit in clocks}


async def test_rows_are_grouped_by_months_in_a_time_zone(music: orm.Database, time_zones: None) -> None:
    await _rows(moment=moments())
    zone = ZoneInfo("Pacific/Kiritimati")
    months = Everything.objects.exclude(moment=None).values(month=TruncMonth("moment", zone)).annotate(n=Count("*"))
    expected: dict[datetime, int] = {}
    for moment in moments():
        start = began(moment, "month", zone)
        expected[start] = expected.get(start, 0) + 1
    assert await months.order_by("month") == [{"month": key, "n": expected[key]} for key in sorted(expected)]


async def test_periods_are_compared_and_ordered_by(music: orm.Database, time_zones: None) -> None:
    await _rows(moment=moments())
    zone = ZoneInfo("Asia/Kolkata")
    year = datetime(2024, 1, 1, tzinfo=zone)
    expected = sorted(
        [m for m in moments() if m.astimezone(zone).year == 2024], key=lambda m: (m.astimezone(zone).hour, m)
    )
    for found in (
        Everything.objects.filter(TruncYear("moment", zone) == year),
        Everything.objects.filter(ExtractYear(Everything.moment, zone) == 2024),
        Everything.objects.annotate(start=TruncYear("moment", zone)).filter(start=year),
    ):
        rows = await found.order_by(ExtractHour("moment", zone), "moment").values_list("moment", flat=True)
        assert rows == expected


async def test_zones_share_a_plan(music: orm.Database) -> None:
    plans = Everything.__schema__.plans  # type: ignore[attr-defined]
    counts: list[int] = []
    for hours in (1, 2):
        await Everything.objects.values(day=TruncDay("moment", timezone(timedelta(hours=hours))))
        counts.append(len(plans))
    assert counts[0] == counts[1]


async def test_now_is_one_moment_of_the_statement(music: orm.Database) -> None:
    await _rows(integer=list(range(300)))
    before = datetime.now(UTC)
    rows = await Everything.objects.annotate(first=Now(), second=Now()).values_list("first", "second")
    after = datetime.now(UTC)
    assert len(rows) == 301
    assert len({moment for row in rows for moment in row}) == 1
    assert before - timedelta(seconds=1) <= rows[0][0] <= after + timedelta(seconds=1)
    await Everything.objects.all().update(moment=Now() - timedelta(days=1), naive=None)
    assert await Everything.objects.filter(moment__lt=Now()).count() == 301
    assert await Everything.objects.filter(moment__gt=Now() - timedelta(days=1, minutes=1)).count() == 301
    today = await Everything.objects.values_list(TruncDate(Now(), timezone(timedelta(hours=5))), flat=True)
    assert today[0] in {(moment + timedelta(hours=5)).date() for moment in (before, datetime.now(UTC))}
    assert await Everything.objects.filter(TruncDate(Now()) == TruncDate(Now(), UTC)).count() == 301
    later = await Everything.objects.values_list(Now(), flat=True)
    assert later[0] >= rows[0][0]


async def test_arithmetic_of_dates_and_times(music: orm.Database) -> None:
    moment = datetime(2024, 3, 30, 22, 15, 30, 123456, UTC)
    row = {
        "moment": moment,
        "naive": moment.replace(tzinfo=None),
        "date": moment.date(),
        "time": moment.time(),
        "duration": timedelta(days=2, hours=3, microseconds=5),
    }
    await Everything.objects.create(**row)
    d = row["duration"]
    hours = timedelta(hours=5)
    expressions = {
        "m1": F("moment") + F("duration"),
        "m2": F("duration") + F("moment"),
        "m3": F("moment") - d,
        "m4": F("moment") - Value(moment - d),
        "n1": F("naive") + d,
        "n2": F("naive") - F("naive"),
        "d1": F("date") + F("duration"),
        "d2": F("date") - F("duration"),
        "d3": F("date") - Value(date(2024, 2, 28)),
        "d4": timedelta(days=1) + F("date"),
        "t1": F("time") + Value(hours),
        "t2": F("time") - hours,
        "t3": F("time") - Value(time(23, 0)),
        "t4": F("time") - F("duration"),
    }
    midnight = datetime.combine(row["date"], time(0))
    clock = datetime.combine(row["date"], row["time"])
    assert await Everything.objects.values(**expressions) == [
        {
            "m1": moment + d,
            "m2": moment + d,
            "m3": moment - d,
            "m4": d,
            "n1": row["naive"] + d,
            "n2": timedelta(0),
            "d1": (midnight + d).date(),
            "d2": (midnight - d).date(),
            "d3": timedelta(days=31),
            "d4": date(2024, 3, 31),
            "t1": (clock + hours).time(),
            "t2": (clock - hours).time(),
            "t3": clock - datetime.combine(row["date"], time(23, 0)),
            "t4": (clock - d).time(),
        }
    ]
    assert await Everything.objects.filter(date__lt=F("date") + F("duration")).count() == 1
    assert await Everything.objects.filter(F("date") - Value(date(2024, 2, 28)) == timedelta(days=31)).count() == 1


async def test_a_day_has_24_hours_whatever_the_session_says(postgresql_url: str) -> None:
    models = orm.Registry()

    class Event(orm.Model):
        at = orm.DateTime()

        class Meta:
            registry = models
            tablename = "event_of_24_hours"

    async with orm.Database(postgresql_url, max_size=1) as database, created(models, database):
        await Event.objects.create(at=datetime(2024, 3, 30, 12, tzinfo=UTC))
        async with database.connection() as connection:
            await connection.execute("SET timezone = 'Europe/Berlin'")
            later = await Event.objects.values_list(F("at") + timedelta(days=1), flat=True)
            day = await Event.objects.values_list(TruncDay("at", ZoneInfo("America/Havana")), flat=True)
    assert later == [datetime(2024, 3, 31, 12, tzinfo=UTC)]
    assert day == [datetime(2024, 3, 30, 4, tzinfo=UTC)]


async def test_mysql_refuses_what_it_does_not_know(music: orm.Database, time_zones: None) -> None:
    """It would answer as if the moment were in UTC, or with NULL."""
    await _rows(moment=[datetime(1950, 1, 1, tzinfo=UTC)])
    berlin = ZoneInfo("Europe/Berlin")
    expression = TruncDay("moment", berlin)
    if music.dialect.name == "mysql":
        with pytest.raises(orm.NotSupportedError, match="TIMESTAMP can hold"):
            await Everything.objects.values_list(expression)
        with pytest.raises(orm.NotSupportedError, match="TIMESTAMP can hold"):
            await Everything.objects.filter(ExtractYear("moment", berlin) == 1950).delete()
    else:
        found = await Everything.objects.exclude(moment=None).values_list(expression, flat=True)
        assert found == [datetime(1949, 12, 31, 23, tzinfo=UTC)]
    await Everything.objects.create(moment=datetime(2024, 1, 1, tzinfo=UTC))
    late = await Everything.objects.filter(moment__year=2024).aggregate(x=TruncDay(Max("moment"), berlin))
    assert late == {"x": datetime(2023, 12, 31, 23, tzinfo=UTC)}
    await Everything.objects.filter(moment__year=2024).delete()
    offset = timezone(timedelta(hours=-1))
    found = await Everything.objects.exclude(moment=None).values_list(TruncDay("moment", offset), flat=True)
    assert found == [datetime(1949, 12, 31, 1, tzinfo=UTC)]


async def test_mysql_refuses_names_that_its_tables_do_not_have(mysql_url: str) -> None:
    """As where no tables are loaded at all: CONVERT_TZ gives NULL."""
    moment = sa.literal(datetime(2024, 1, 1), types.DateTime(timezone=False))
    statement = sa.select(zones.local("mysql", moment, sa.literal("Nowhere/Anywhere", sa.Text())))
    async with orm.Database(mysql_url) as database:
        with pytest.raises(orm.NotSupportedError, match=r"does not know the time zone.*mysql_tzinfo_to_sql"):
            await database.fetch_all(statement)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Extract("moment", "decade"), "'decade' is no part of a date or a time. Choose from: year, month"),
        (lambda: Extract("moment", "date"), "Choose from: year"),
        (lambda: Trunc("moment", "decade"), "'decade' is no period. Choose from: year, quarter"),
        (lambda: TruncDay("moment", dt.tzinfo()), "Choose from: zoneinfo.ZoneInfo"),
        (lambda: TruncDay("moment", "Europe/Berlin"), "tzinfo='Europe/Berlin' is no time zone"),
    ],
)
def test_wrong_parts_units_and_zones(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        make()


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (ExtractYear("time"), r"time \(time\) has no 'year'"),
        (ExtractHour("date"), r"date \(date\) has no 'hour'"),
        (ExtractYear("integer"), r"integer \(integer\) has no 'year'"),
        (TruncHour("date"), r"date \(date\) has no 'hour'"),
        (TruncYear("time"), r"time \(time\) has no 'year'"),
        (TruncDate("date"), r"has no 'date'"),
        (
            TruncDay("naive", ZoneInfo("Europe/Berlin")),
            r"naive \(naive_datetime\) is in no time zone .* Leave tzinfo out",
        ),
        (ExtractDay("date", timezone(timedelta(hours=1))), r"date \(date\) is in no time zone"),
        (F("date") - F("moment"), "no '-' for date and datetime"),
        (F("date") + 1, "no '\\+' for date and integer. Possible are a date or a time plus or minus a duration"),
        (F("date") + F("date"), "no '\\+' for date and date"),
        (F("duration") - F("date"), "no '-' for duration and date"),
        (F("moment") * 2, "no '\\*' for datetime and integer"),
        (F("moment") - F("naive"), "no '-' for datetime and naive_datetime"),
    ],
)
def test_what_makes_no_sense_is_refused_at_once(expression: orm.Expression, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        Everything.objects.annotate(x=expression)
