"""Every lookup, as words and as typed columns, on own columns and across relations, against Python's own answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

import orm
from tests.music import Album, Artist, Everything

NAMES = ["AC/DC", "ac/dc", "Accept", "Motörhead", "MOTÖRHEAD", "50% off", "a_b", "", "Straße"]

TEXT: list[tuple[str, str, Callable[[str, str], bool]]] = [
    ("exact", "Accept", lambda a, b: a == b),
    ("exact", "accept", lambda a, b: a == b),
    ("iexact", "ac/DC", lambda a, b: a.lower() == b.lower()),
    ("iexact", "motörHEAD", lambda a, b: a.lower() == b.lower()),
    ("contains", "cc", lambda a, b: b in a),
    ("contains", "ö", lambda a, b: b in a),
    ("icontains", "C", lambda a, b: b.lower() in a.lower()),
    ("icontains", "Ö", lambda a, b: b.lower() in a.lower()),
    ("icontains", "%", lambda a, b: b in a),
    ("startswith", "A", lambda a, b: a.startswith(b)),
    ("istartswith", "mot", lambda a, b: a.lower().startswith(b)),
    ("endswith", "DC", lambda a, b: a.endswith(b)),
    ("iendswith", "dc", lambda a, b: a.lower().endswith(b)),
    ("iendswith", "ÖRHEAD", lambda a, b: a.lower().endswith(b.lower())),
    ("regex", "^[A-Z]{2}/", lambda a, b: re.search(b, a) is not None),
    ("iregex", "^ac", lambda a, b: re.search(b, a, re.IGNORECASE) is not None),
    ("gt", "Accept", lambda a, b: a > b),
    ("lte", "a", lambda a, b: a <= b),
]


@pytest.mark.parametrize(("lookup", "value", "judge"), TEXT)
async def test_text_lookups(music: orm.Database, lookup: str, value: str, judge: Callable[[str, str], bool]) -> None:
    await Artist.objects.bulk_create([Artist(name=name) for name in NAMES])
    artists = await Artist.objects.all()
    await Album.objects.bulk_create([Album(title="x", artist=artist) for artist in artists])
    wanted = sorted(name for name in NAMES if judge(name, value))
    compare = {"exact": "__eq__", "gt": "__gt__", "lte": "__le__"}.get(lookup, lookup)
    typed = getattr(Artist.name, compare)(value)
    over = getattr(Album.artist.name, compare)(value)
    assert sorted(a.name for a in await Artist.objects.filter(**{f"name__{lookup}": value})) == wanted
    assert sorted(a.name for a in await Artist.objects.filter(typed)) == wanted
    across = Album.objects.select_related("artist")
    assert sorted(a.artist.name for a in await across.filter(**{f"artist__name__{lookup}": value})) == wanted
    assert sorted(a.artist.name for a in await across.filter(over)) == wanted
    rest = sorted(name for name in NAMES if not judge(name, value))
    assert sorted(a.name for a in await Artist.objects.exclude(typed)) == rest


NUMBERS = [None, -5, 0, 1, 2, 3, 1000]


@pytest.mark.parametrize(
    ("lookup", "value", "judge"),
    [
        ("exact", 0, lambda a: a == 0),
        ("gt", 1, lambda a: a > 1),
        ("gte", 1, lambda a: a >= 1),
        ("lt", 0, lambda a: a < 0),
        ("lte", 0, lambda a: a <= 0),
        ("range", (0, 2), lambda a: 0 <= a <= 2),
        ("in", [0, 3, None, 77], lambda a: a in (0, 3)),
        ("in", range(2000), lambda a: 0 <= a < 2000),
    ],
)
async def test_number_lookups_and_null(music: orm.Database, lookup: str, value: Any, judge: Any) -> None:
    await Everything.objects.bulk_create([Everything(integer=number) for number in NUMBERS])
    wanted = [n for n in NUMBERS if n is not None and judge(n)]
    found = Everything.objects.filter(**{f"integer__{lookup}": value}).order_by("integer")
    assert await found.values_list("integer", flat=True) == sorted(wanted)
    rest = Everything.objects.exclude(**{f"integer__{lookup}": value})
    assert await rest.count() == len(NUMBERS) - len(wanted)


async def test_isnull(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(integer=number) for number in NUMBERS])
    assert await Everything.objects.filter(integer__isnull=True).count() == 1
    assert await Everything.objects.filter(integer=None).count() == 1
    assert await Everything.objects.filter(Everything.integer.is_null(False)).count() == 6
    assert await Everything.objects.exclude(integer=None).count() == 6


DAY = timedelta(days=1)
MOMENTS = [
    datetime(2023, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2024, 1, 1, tzinfo=UTC),
    datetime(2024, 2, 29, 12, 30, 5, tzinfo=UTC),
    datetime(2021, 1, 3, 6, 7, 8, tzinfo=UTC),
    datetime(2020, 12, 28, 6, 7, 8, 9, tzinfo=UTC),
]
PARTS: dict[str, Callable[[datetime], Any]] = {
    "year": lambda d: d.year,
    "month": lambda d: d.month,
    "day": lambda d: d.day,
    "hour": lambda d: d.hour,
    "minute": lambda d: d.minute,
    "second": lambda d: d.second,
    "quarter": lambda d: (d.month + 2) // 3,
    "week": lambda d: d.isocalendar().week,
    "iso_year": lambda d: d.isocalendar().year,
    "week_day": lambda d: d.isoweekday() % 7 + 1,
    "iso_week_day": lambda d: d.isoweekday(),
    "date": lambda d: d.date(),
    "time": lambda d: d.time(),
}


@pytest.mark.parametrize("part", PARTS)
async def test_date_parts(music: orm.Database, part: str) -> None:
    await Everything.objects.bulk_create(
        [Everything(moment=m, naive=m.replace(tzinfo=None), date=m.date()) for m in MOMENTS]
    )
    compute = PARTS[part]
    for moment in MOMENTS:
        wanted = sorted(m for m in MOMENTS if compute(m) == compute(moment))
        for column in ("moment", "naive"):
            found = Everything.objects.filter(**{f"{column}__{part}": compute(moment)}).order_by("moment")
            assert await found.values_list("moment", flat=True) == wanted, (column, moment)
        typed = getattr(Everything.moment, part) == compute(moment)
        assert await Everything.objects.filter(typed).count() == len(wanted)
        if part not in ("hour", "minute", "second", "date", "time"):
            assert await Everything.objects.filter(**{f"date__{part}": compute(moment)}).count() == len(wanted)
    top = max(compute(m) for m in MOMENTS)
    assert await Everything.objects.filter(**{f"moment__{part}__gte": top}).exists()
    assert not await Everything.objects.filter(**{f"moment__{part}__gt": top}).exists()


async def test_date_parts_read_as_values(music: orm.Database) -> None:
    await Everything.objects.create(moment=MOMENTS[2], time=time(1, 2, 3))
    rows = await Everything.objects.values_list("moment__year", "moment__date", "moment__time", "time__minute")
    assert rows == [(2024, date(2024, 2, 29), time(12, 30, 5), 2)]


DOCUMENTS: list[Any] = [
    {"n": 1, "s": "one", "b": True, "l": [1, 2], "o": {"x": {"y": 5}}, "z": None},
    {"n": 1.5, "s": "1", "b": 1, "l": [2, 1]},
    {"n": "1", "s": "100%", "b": "true", "o": {"x": {"y": "5"}}},
    [10, {"a": 1}],
    None,
]


@pytest.mark.parametrize(
    ("words", "value", "wanted"),
    [
        ("data__n", 1, [0]),
        ("data__n", 1.5, [1]),
        ("data__n", "1", [2]),
        ("data__n__gt", 1, [1]),
        ("data__n__gte", 1, [0, 1]),
        ("data__n__in", [1, "1"], [0, 2]),
        ("data__s", "one", [0]),
        ("data__s__icontains", "ON", [0]),
        ("data__s__contains", "0%", [2]),
        ("data__s__startswith", "1", [1, 2]),
        ("data__b", True, [0]),
        ("data__b", 1, [1]),
        ("data__b", "true", [2]),
        ("data__l", [1, 2], [0]),
        ("data__l__0", 2, [1]),
        ("data__o__x__y", 5, [0]),
        ("data__o__x", {"y": 5}, [0]),
        ("data__z", None, [0]),
        ("data__z__isnull", False, [0]),
        ("data__z__isnull", True, [1, 2, 3, 4]),
        ("data__1__a", 1, [3]),
        ("data", [10, {"a": 1}], [3]),
        ("data__isnull", True, [4]),
    ],
)
async def test_json_paths(music: orm.Database, words: str, value: Any, wanted: list[int]) -> None:
    rows = await Everything.objects.bulk_create([Everything(data=document) for document in DOCUMENTS])
    found = await Everything.objects.filter(**{words: value}).order_by("id")
    assert [rows.index(row) for row in found] == wanted
    rest = await Everything.objects.exclude(**{words: value}).order_by("id")
    assert [rows.index(row) for row in rest] == [n for n in range(len(rows)) if n not in wanted]


async def test_json_items_of_typed_columns(music: orm.Database) -> None:
    rows = await Everything.objects.bulk_create([Everything(data=document) for document in DOCUMENTS])
    assert await Everything.objects.filter(Everything.data["o"]["x"]["y"] == 5) == [rows[0]]
    assert await Everything.objects.filter(Everything.data[1]["a"] == 1) == [rows[3]]
    read = await Everything.objects.filter(id=rows[0].id).values_list("data__o", "data__l__1", "data__nothing")
    assert read == [({"x": {"y": 5}}, 2, None)]


@pytest.mark.parametrize("key", ['a"b', "a'b", "a.b", "a b", "$", "a[0]", "ä", "back\\slash", "%s", "*"])
async def test_json_keys_of_every_spelling(music: orm.Database, key: str) -> None:
    row = await Everything.objects.create(data={key: 1, "other": 2})
    if '"' in key and music.dialect.name == "sqlite":
        with pytest.raises(orm.NotSupportedError, match="double quote"):
            await Everything.objects.filter(Everything.data[key] == 1)
        return
    assert await Everything.objects.filter(Everything.data[key] == 1) == [row]
    assert await Everything.objects.filter(Everything.data[key] == 2) == []


async def test_expressions_as_operands(music: orm.Database) -> None:
    a = await Everything.objects.create(integer=5, small=5, big=6)
    b = await Everything.objects.create(integer=5, small=4, big=20)
    assert await Everything.objects.filter(integer=orm.F("small")) == [a]
    assert await Everything.objects.filter(Everything.integer == Everything.small) == [a]
    assert await Everything.objects.filter(big__gt=orm.F("integer") * 2 + 1) == [b]
    assert await Everything.objects.filter(big=orm.F("small") + 1) == [a]
    assert await Everything.objects.filter(big=orm.F("small") + 2) == []
    assert await Everything.objects.all().update(big=orm.F("big") + orm.F("integer")) == 2
    assert await Everything.objects.order_by("id").values_list("big", flat=True) == [11, 25]


async def test_query_sets_as_operands(music: orm.Database) -> None:
    a = await Artist.objects.create(name="a")
    b = await Artist.objects.create(name="b")
    await Album.objects.create(title="of a", artist=a)
    album = await Album.objects.create(title="of b", artist=b)
    assert await Album.objects.filter(artist__in=Artist.objects.filter(name="b")) == [album]
    assert await Album.objects.filter(artist__in=Artist.objects.order_by("-name")[:1]) == [album]
    assert await Artist.objects.filter(id__in=Album.objects.filter(title="of a").values_list("artist")) == [a]
    assert await Album.objects.filter(artist__in=[b]) == [album]
    assert await Album.objects.filter(artist=b) == [album]
    with pytest.raises(orm.FieldError, match="one column"):
        Album.objects.filter(title__in=Artist.objects.all())


async def test_moments_and_durations_add_up(music: orm.Database) -> None:
    row = await Everything.objects.create(moment=MOMENTS[0], naive=MOMENTS[1].replace(tzinfo=None), duration=DAY)
    everything = Everything.objects
    assert await everything.filter(moment__lt=orm.F("moment") + DAY) == [row]
    assert await everything.filter(moment__gt=orm.F("moment") + orm.F("duration")) == []
    assert await everything.filter(duration=orm.F("moment") - (orm.F("moment") - DAY)) == [row]
    assert await everything.all().update(moment=orm.F("moment") + timedelta(microseconds=1)) == 1
    assert (await everything.get()).moment == MOMENTS[1]
    with pytest.raises(orm.FieldError, match="no '\\*' for datetime and integer"):
        await everything.filter(moment__gt=orm.F("moment") * 2)


async def test_a_fraction_does_not_get_into_a_column_of_whole_numbers(music: orm.Database) -> None:
    await Everything.objects.create(integer=9)
    await Everything.objects.all().update(integer=orm.F("integer") / 2)
    assert await Everything.objects.values_list("integer", flat=True) == [5]


async def test_core_expressions_order(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(integer=number) for number in (2, None, 3, 1)])
    column = Everything.table.c.integer
    for term, wanted in (
        (column.desc().nulls_last(), [3, 2, 1, None]),
        (column.asc().nulls_first(), [None, 1, 2, 3]),
        (Everything.integer.desc(nulls="first"), [None, 3, 2, 1]),
        (orm.F("integer").asc(nulls="last"), [1, 2, 3, None]),
        ((column * -1).nulls_last(), [3, 2, 1, None]),
    ):
        query = Everything.objects.order_by(term)
        assert await query.values_list("integer", flat=True) == wanted
        assert await query.reverse().values_list("integer", flat=True) == wanted[::-1]


async def test_distinct_rows_are_ordered_by_what_is_read(music: orm.Database) -> None:
    artist = await Artist.objects.create(name="a")
    await Album.objects.bulk_create([Album(title=str(n), year=n % 2, artist=artist) for n in range(4)])
    assert sorted(await Album.objects.values_list("year", flat=True).distinct()) == [0, 1]
    assert await Album.objects.distinct().order_by("year").values_list("year", flat=True) == [0, 1]
    assert await Album.objects.filter(artist__albums__year=1).distinct().count() == 4
    with pytest.raises(orm.FieldError, match="cannot order by title"):
        await Album.objects.order_by("title").distinct().values_list("year", flat=True)


async def test_a_bad_regular_expression_is_bad_data(music: orm.Database) -> None:
    await Artist.objects.create(name="x")
    with pytest.raises(orm.DataError):
        await Artist.objects.filter(name__regex="[")


async def test_json_documents_are_compared_as_json(music: orm.Database) -> None:
    row = await Everything.objects.create(data={"b": 1, "a": {"d": 2, "c": [3]}})
    assert await Everything.objects.filter(data={"a": {"c": [3], "d": 2}, "b": 1}) == [row]
    assert await Everything.objects.filter(data__in=[{"x": 1}, {"a": {"c": [3], "d": 2}, "b": 1}]) == [row]
    assert await Everything.objects.filter(data__a={"c": [3], "d": 2}) == [row]
    with pytest.raises(orm.FieldError, match="takes a value"):
        Everything.objects.filter(data__b=orm.F("integer"))
