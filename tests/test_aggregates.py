"""Aggregates of a query's rows and of related rows, against what Python computes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

import orm
from orm import Avg, Count, Max, Min, Sum
from tests.music import Album, Artist, Everything, Playlist, Tag, Track
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
