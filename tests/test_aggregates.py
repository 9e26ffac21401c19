"""Aggregates of a query's rows and of related rows, against what Python computes."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import orm
from orm import ArrayAgg, Avg, Count, F, JSONAgg, Max, Min, RowRange, StdDev, StringAgg, Sum, Variance, Window
from orm.database.mysql_refusals import Refusal, sentence
from tests.music import Album, Artist, Color, Everything, Level, Playlist, Tag, Track
from tests.recorder import Recorder

PRICES = [Decimal("0.99"), Decimal("1.99"), Decimal("1.99"), None]


async def _shop() -> None:
    artist = await Artist.objects.create(name="AC/DC", country="AU")
    await Artist.objects.create(name="Accept")
    albums = await Album.objects.bulk_create(
        [Album(title=f"Album {n}", year=1978 + n, artist=artist) for n in range(3)]
    )
    await Track.objects.bulk_create(
        [Track(name=f"Track {n}", seconds=100 * n, price=PRICES[n], album=albums[n // 2]) for n in range(4)]
    )
    tags = await Tag.objects.bulk_create([Tag(word=word) for word in ("rock", "hard")])
    await albums[0].tags.add(*tags)
    await albums[1].tags.add(tags[0])


async def test_aggregates_of_the_rows_themselves(music: orm.Database) -> None:
    await _shop()
    found = await Track.objects.aggregate(
        rows=Count("*"),
        priced=Count("price"),
        prices=Count("price", distinct=True),
        total=Sum("price"),
        average=Avg("seconds"),
        shortest=Min("seconds"),
        longest=Max(Track.seconds),
        last=Max("name"),
        double=Sum(orm.F("seconds") * 2),
        cheap=Count("*", filter=orm.Q(price__lt=Decimal("1.50"))),
        late=Sum("seconds", filter=Track.album.year > 1978),
    )
    assert found == {
        "rows": 4,
        "priced": 3,
        "prices": 2,
        "total": Decimal("4.97"),
        "average": 150.0,
        "shortest": 0,
        "longest": 300,
        "last": "Track 3",
        "double": 1200,
        "cheap": 1,
        "late": 500,
    }
    kinds = {name: type(value) for name, value in found.items()}
    assert kinds["total"] is Decimal
    assert kinds["average"] is float
    assert kinds["double"] is int


async def test_aggregates_honour_filters_and_slices(music: orm.Database) -> None:
    await _shop()
    total = Sum("seconds")
    assert await Track.objects.filter(album__title="Album 1").aggregate(total=total) == {"total": 500}
    assert await Track.objects.filter(album__tags__word="hard").aggregate(total=total) == {"total": 100}
    assert await Track.objects.order_by("-seconds")[:2].aggregate(total=total) == {"total": 500}
    async with music.transaction():
        locked = Track.objects.select_related("album").select_for_update().order_by("seconds")[:2]
        assert await locked.aggregate(total=total) == {"total": 100}
    assert await Track.objects.filter(name="none").aggregate(total=total, n=Count("*")) == {"total": None, "n": 0}


async def test_what_cannot_match_is_not_sent(music: orm.Database, recorder: Recorder) -> None:
    nothing = await Track.objects.none().aggregate(n=Count("*"), total=Sum("seconds"))
    assert nothing == {"n": 0, "total": None}
    assert recorder.count == 0


async def test_related_rows_do_not_multiply(music: orm.Database, recorder: Recorder) -> None:
    await _shop()
    recorder.clear()
    found = await Album.objects.aggregate(
        albums=Count("*"),
        tracks=Count("tracks"),
        seconds=Sum("tracks__seconds"),
        tags=Count("tags"),
        words=Count("tags__word", distinct=True),
        years=Sum("year"),
    )
    assert recorder.count == 1
    assert found == {"albums": 3, "tracks": 4, "seconds": 600, "tags": 3, "words": 2, "years": 1978 * 3 + 3}


async def test_a_filter_on_a_relation_does_not_narrow_what_is_aggregated(music: orm.Database) -> None:
    await _shop()
    artists = Artist.objects.filter(albums__year=1978)
    assert await artists.aggregate(n=Count("*"), albums=Count("albums")) == {"n": 1, "albums": 3}
    early = Count("albums", filter=orm.Q(albums__year__lte=1979))
    assert await artists.aggregate(early=early) == {"early": 2}
    deep = Sum("albums__tracks__seconds", filter=Artist.albums.title == "Album 1")
    assert await Artist.objects.aggregate(deep=deep) == {"deep": 500}
    assert await Playlist.objects.aggregate(n=Count("tracks")) == {"n": 0}


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("small", [1, 2, 6]),
        ("big", [2**62, -(2**62), 5]),
        ("float", [0.5, 1.5, 4.0]),
        ("decimal", [Decimal("0.1000"), Decimal("0.2000"), Decimal("0.6000")]),
        ("duration", [timedelta(seconds=1), timedelta(days=2), timedelta(microseconds=4)]),
    ],
)
async def test_sums_and_averages_of_every_kind(music: orm.Database, column: str, values: list[Any]) -> None:
    await Everything.objects.bulk_create([Everything(**{column: value}) for value in [*values, None]])
    found = await Everything.objects.aggregate(sum=Sum(column), average=Avg(column), low=Min(column), high=Max(column))
    total = sum(values[1:], values[0])
    assert (found["sum"], found["low"], found["high"]) == (total, min(values), max(values))
    assert abs(found["average"] - total / 3) < _tolerance(column)
    assert type(found["sum"]) is type(total)


def _tolerance(column: str) -> Any:
    return {"decimal": Decimal("0.00001"), "duration": timedelta(microseconds=2)}.get(column, 1e-6)


async def test_plans_are_shared(music: orm.Database) -> None:
    await _shop()
    plans = Track.__schema__.plans
    for number in range(3):
        await Track.objects.filter(seconds__gt=number).aggregate(n=Count("*", filter=orm.Q(price__gt=number)))
    before = len(plans)
    await Track.objects.filter(seconds__gt=9).aggregate(n=Count("*", filter=orm.Q(price__gt=9)))
    assert len(plans) == before


def test_mistakes_are_named() -> None:
    with pytest.raises(orm.FieldError, match="leave distinct out"):
        Count("*", distinct=True)


@pytest.mark.parametrize(
    ("aggregates", "text"),
    [
        ({}, "needs aggregates"),
        ({"n": 3}, "is no aggregate. Choose from: Count"),
        ({"n": Sum("titel")}, "Album has no field 'titel'"),
        ({"n": Sum("title")}, "only numbers and durations"),
        ({"n": Count(Artist.name)}, "is about Artist"),
        ({"n": Sum(orm.F("tracks__seconds") + orm.F("tags__id"))}, "multiply each other"),
        ({"n": Count("*", filter=orm.Q(titel=1))}, "Album has no field 'titel'"),
    ],
)
async def test_bad_aggregates_are_refused(music: orm.Database, aggregates: dict[str, Any], text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        await Album.objects.aggregate(**aggregates)


# ---------------------------------------------------------------- spread


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("integer", [3, 1, 4, 1, 5, 9, 2, 6]),
        ("float", [1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]),  # the sum of the squares would lose them
        ("decimal", [Decimal("0.1000"), Decimal("0.2000"), Decimal("0.6000")]),
        ("big", [7]),
    ],
)
async def test_spread(music: orm.Database, column: str, values: list[Any]) -> None:
    await Everything.objects.bulk_create([Everything(**{column: value}) for value in [*values, None]])
    found = await Everything.objects.aggregate(
        variance=Variance(column),
        deviation=StdDev(column),
        sample=Variance(column, sample=True),
        sample_deviation=StdDev(column, sample=True),
        some=Variance(column, filter=orm.Q(**{f"{column}__gt": values[0]})),
    )
    numbers = [float(value) for value in values]
    above = [float(value) for value in values if value > values[0]]
    alone = len(values) == 1
    assert found == {
        "variance": pytest.approx(statistics.pvariance(numbers)),
        "deviation": pytest.approx(statistics.pstdev(numbers)),
        "sample": None if alone else pytest.approx(statistics.variance(numbers)),
        "sample_deviation": None if alone else pytest.approx(statistics.stdev(numbers)),
        "some": pytest.approx(statistics.pvariance(above)) if above else None,
    }
    assert type(found["variance"]) is float


async def test_spread_of_distinct_values(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(integer=number) for number in (1, 1, 4)])
    spread = Everything.objects.aggregate(x=Variance("integer", distinct=True))
    if music.dialect.name == "mysql":
        with pytest.raises(orm.NotSupportedError, match=r"(MariaDB|MySQL) has no Variance of distinct values"):
            await spread
    else:
        assert await spread == {"x": pytest.approx(statistics.pvariance([1, 4]))}


async def test_spread_in_a_window(music: orm.Database) -> None:
    numbers = [3, 1, 4, 1, 5, 9, 2, 6]
    await Everything.objects.bulk_create([Everything(integer=number) for number in numbers])
    window = Window(Variance("integer"), order_by="id", frame=RowRange(start=-2, end=0))
    found = await Everything.objects.annotate(x=window).order_by("id").values_list("x", flat=True)
    expected = [statistics.pvariance(numbers[max(n - 2, 0) : n + 1]) for n in range(len(numbers))]
    assert found == [pytest.approx(value, abs=1e-9) for value in expected]


# ---------------------------------------------------------------- lists


TEXTS = ["b", "ä", "B", "b", "", "a,b", "c", None]


async def test_texts_are_joined(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(string=text, integer=n) for n, text in enumerate(TEXTS)])
    texts = [text for text in TEXTS if text is not None]
    found = await Everything.objects.aggregate(
        by_number=StringAgg("string", ", ", order_by="integer"),
        backwards=StringAgg("string", "", order_by=F("integer").desc()),
        sorted=StringAgg(Everything.string, " '%s\\ ", order_by="string"),
        distinct=StringAgg("string", "-", distinct=True, order_by="-string"),
        two=StringAgg("string", "|", order_by=(F("integer") / 4 > 1, "-integer")),
        nulls=StringAgg("text", "|"),
        some=StringAgg("string", "|", order_by="integer", filter=orm.Q(integer__lt=2)),
        filled=StringAgg("string", "|", filter=orm.Q(integer=77), default="none"),
    )
    assert found == {
        "by_number": ", ".join(texts),
        "backwards": "".join(reversed(texts)),
        "sorted": " '%s\\ ".join(sorted(texts)),
        "distinct": "-".join(sorted(set(texts), reverse=True)),
        "two": "|".join([*reversed(texts[:5]), *reversed(texts[5:])]),
        "nulls": None,
        "some": "b|ä",
        "filled": "none",
    }
    unordered = await Everything.objects.aggregate(
        all=StringAgg("string", ";"), distinct=StringAgg("string", ";", distinct=True)
    )
    assert sorted(unordered["all"].split(";")) == sorted(texts)
    assert sorted(unordered["distinct"].split(";")) == sorted(set(texts))


async def test_no_text_is_cut(music: orm.Database) -> None:
    """Not after 1,024 bytes, as on MySQL by default, nor after a mebibyte, as on MariaDB."""
    text = "ä" * 100_000
    await Everything.objects.bulk_create([Everything(text=text) for _ in range(12)])
    found = await Everything.objects.aggregate(x=StringAgg("text", ","))
    assert found == {"x": ",".join([text] * 12)}
    if music.dialect.name == "mysql":
        async with music.connection() as connection:
            await connection.execute("SET @@SESSION.group_concat_max_len = 100000")
            for aggregate in (StringAgg("text", ","), JSONAgg("text")):
                with pytest.raises(orm.NotSupportedError, match="would cut the aggregated text"):
                    await Everything.objects.aggregate(x=aggregate)


def test_other_numbers_that_are_too_large_are_no_refusals() -> None:
    assert (
        sentence("DOUBLE value is out of range in 'exp((710001 + (rand() * (`a` is null))))'")
        == Refusal.UNKNOWN_ZONE.value[1]
    )
    assert sentence("DOUBLE value is out of range in 'exp(1000)'") is None


LISTED: dict[str, list[Any]] = {
    "integer": [3, None, 1],
    "big": [2**60, None],
    "float": [1.5, 2.0, None],
    "decimal": [Decimal("1.5000"), Decimal("12345678901.1234"), None],
    "boolean": [True, False, None],
    "string": ['"', "\\", "ä", None],
    "date": [date(2024, 1, 2), None],
    "moment": [datetime(2024, 1, 2, 3, 4, 5, 678, UTC), datetime(2024, 1, 2, tzinfo=UTC), None],
    "naive": [datetime(2024, 1, 2, 3, 4, 5, 600000), None],
    "time": [time(3, 4, 5, 678), None],
    "uuid": [UUID(int=2**100), None],
    "data": [{"a": [1, None, "x"]}, [1.5], "text", None],
    "color": [Color.GREEN, Color.RED, None],
    "level": [Level.HIGH, None],
}


@pytest.mark.parametrize("column", LISTED)
async def test_values_are_listed_as_they_are(music: orm.Database, column: str) -> None:
    values = LISTED[column]
    made = await Everything.objects.bulk_create([Everything(**{column: value}) for value in values])
    found = await Everything.objects.aggregate(
        all=JSONAgg(column, order_by="id"),
        backwards=JSONAgg(column, order_by="-id"),
        first=JSONAgg(column, filter=orm.Q(id=made[0].id)),
        none=JSONAgg(column, filter=orm.Q(id=0)),
        empty=JSONAgg(column, filter=orm.Q(id=0), default=[]),
    )
    assert found == {"all": values, "backwards": values[::-1], "first": values[:1], "none": None, "empty": []}
    assert [type(value) for value in found["all"]] == [type(value) for value in values]


async def test_distinct_values_are_listed(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(integer=number) for number in (2, 1, 2, None, None)])
    numbers = Everything.objects.exclude(integer=None)
    distinct = JSONAgg("integer", distinct=True, order_by=F("integer").desc())
    assert await numbers.aggregate(x=distinct) == {"x": [2, 1]}
    found = await Everything.objects.aggregate(x=JSONAgg("integer", distinct=True))
    assert sorted(found["x"], key=str) == [1, 2, None]


async def test_arrays(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(integer=number, color=Color.RED) for number in (2, 1, 2, None)])
    arrays = Everything.objects.aggregate(
        numbers=ArrayAgg("integer", order_by="-id"),
        distinct=ArrayAgg("integer", distinct=True, order_by=F("integer").asc(nulls="first")),
        some=ArrayAgg("integer", filter=orm.Q(integer=2)),
        colors=ArrayAgg("color", filter=orm.Q(integer=1)),
        none=ArrayAgg("integer", filter=orm.Q(integer=7)),
        empty=ArrayAgg("integer", filter=orm.Q(integer=7), default=[]),
    )
    if music.dialect.name != "postgresql":
        with pytest.raises(orm.NotSupportedError, match=r"(SQLite|MariaDB|MySQL) has no arrays.*Use JSONAgg"):
            await arrays
        return
    assert await arrays == {
        "numbers": [None, 2, 1, 2],
        "distinct": [None, 1, 2],
        "some": [2, 2],
        "colors": [Color.RED],
        "none": None,
        "empty": [],
    }


async def test_lists_of_related_rows_and_of_groups(music: orm.Database) -> None:
    await _shop()
    albums = Album.objects.annotate(
        names=StringAgg("tracks__name", "/", order_by="-tracks__seconds"),
        lengths=JSONAgg("tracks__seconds", order_by="tracks__seconds", default=[]),
        words=JSONAgg("tags__word", order_by="tags__word"),
        spread=StdDev("tracks__seconds"),
    ).order_by("title")
    assert await albums.values_list("names", "lengths", "words", "spread") == [
        ("Track 1/Track 0", [0, 100], ["hard", "rock"], 50.0),
        ("Track 3/Track 2", [200, 300], ["rock"], 50.0),
        (None, [], None, None),
    ]
    groups = Album.objects.values("year").annotate(
        names=StringAgg("tracks__name", "/", order_by="tracks__name"),
        lengths=JSONAgg("tracks__seconds", order_by="-tracks__seconds", default=[]),
        titles=JSONAgg("title"),
        total=Sum("tracks__seconds", default=0),
    )
    assert await groups.order_by("year") == [
        {"year": 1978, "names": "Track 0/Track 1", "lengths": [100, 0], "titles": ["Album 0"], "total": 100},
        {"year": 1979, "names": "Track 2/Track 3", "lengths": [300, 200], "titles": ["Album 1"], "total": 500},
        {"year": 1980, "names": None, "lengths": [], "titles": ["Album 2"], "total": 0},
    ]
    assert await groups.filter(total__gt=100).order_by("year").values_list("year", flat=True) == [1979]
    whole = await Artist.objects.aggregate(titles=StringAgg("albums__title", ",", order_by="-albums__title"))
    assert whole == {"titles": "Album 2,Album 1,Album 0"}


# ---------------------------------------------------------------- defaults


async def test_defaults(music: orm.Database, recorder: Recorder) -> None:
    aggregates: dict[str, orm.Expression] = {
        "total": Sum("price", default=Decimal("0.00")),
        "length": Sum("seconds", default=7),
        "mean": Avg("seconds", default=0.5),
        "low": Min("name", default="none"),
        "high": Max("seconds", default=orm.Value(3)),
        "spread": StdDev("seconds", default=0.0),
        "texts": StringAgg("name", ",", default=""),
        "list": JSONAgg("name", default=["x"]),
    }
    expected = {
        "total": Decimal("0.00"),
        "length": 7,
        "mean": 0.5,
        "low": "none",
        "high": 3,
        "spread": 0.0,
        "texts": "",
        "list": ["x"],
    }
    assert await Track.objects.filter(name="none").aggregate(**aggregates) == expected
    recorder.clear()
    assert await Track.objects.none().aggregate(**aggregates) == expected
    assert recorder.count == 0
    await _shop()
    assert await Track.objects.aggregate(x=Sum("seconds", default=7)) == {"x": 600}
    window = Window(Sum("price", default=Decimal(5)), partition_by="id")
    found = await Track.objects.annotate(x=window).order_by("id").values_list("x", flat=True)
    assert found == [*PRICES[:3], Decimal(5)]


async def test_defaults_share_a_plan(music: orm.Database) -> None:
    plans = Track.__schema__.plans
    counts: list[int] = []
    for number in (1, 2):
        assert await Track.objects.aggregate(x=Sum("seconds", default=number)) == {"x": number}
        counts.append(len(plans))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Sum("seconds", default="0"), orm.ValidationError, "Sum: default: Input should be a valid integer"),
        (lambda: JSONAgg("name", default="x"), orm.ValidationError, "JSONAgg: default is a list, not 'x'"),  # type: ignore[arg-type]
        (lambda: Sum("seconds", default=F("id")), orm.FieldError, "default is a value, not the expression F"),
        (lambda: StringAgg("seconds", ","), orm.FieldError, r"joins texts, and seconds is none \(integer\)"),
        (lambda: StringAgg("name", 3), orm.FieldError, "the delimiter is a text without NUL characters, not 3"),  # type: ignore[arg-type]
        (lambda: StringAgg("name", "\0"), orm.FieldError, "the delimiter is a text"),
        (
            lambda: StringAgg("name", ",", order_by="playlists__name"),
            orm.FieldError,
            "is ordered by .*which is no field of the rows",
        ),
        (
            lambda: StringAgg("name", ",", distinct=True, order_by="seconds"),
            orm.FieldError,
            "ordered by nothing but themselves",
        ),
        (lambda: StdDev("name"), orm.FieldError, r"only numbers have a variance, not name \(text\)"),
        (lambda: Window(Sum("seconds", distinct=True)), orm.FieldError, "has no value in a window"),
        (lambda: Window(StringAgg("name", ",")), orm.FieldError, "has no value in a window"),
    ],
)
def test_wrong_options_are_refused(make: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Track.objects.values("album").annotate(x=make())


@pytest.mark.parametrize("column", ["duration", "binary", "address"])
async def test_json_has_no_form_for_some_values(music: orm.Database, column: str) -> None:
    with pytest.raises(orm.FieldError, match=f"a JSON list cannot hold {column}"):
        await Everything.objects.aggregate(x=JSONAgg(column))
    with pytest.raises(orm.FieldError, match="which JSON values are equal"):
        await Everything.objects.aggregate(x=JSONAgg("data", distinct=True))
