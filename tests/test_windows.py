"""Window functions and frames, against what Python computes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

import orm
from orm import Avg, Count, F, Max, Min, RowRange, Sum, Value, ValueRange, Window
from orm.functions import (
    CumeDist,
    DenseRank,
    FirstValue,
    Lag,
    LastValue,
    Lead,
    NthValue,
    Ntile,
    PercentRank,
    Rank,
    RowNumber,
)
from tests.music import Album, Artist, Color, Everything, Track

SECONDS = [100, 200, 200, 300, 50, 50, 400, 200]


async def _tracks() -> list[Track]:
    artists = [await Artist.objects.create(name=name) for name in ("AC/DC", "Accept")]
    albums = [await Album.objects.create(title=f"Album {n}", year=1980 + n, artist=artists[n // 2]) for n in range(3)]
    return await Track.objects.bulk_create(
        [
            Track(name=f"T{n}", seconds=seconds, album=albums[n % 3], price=None if n == 3 else Decimal(n))
            for n, seconds in enumerate(SECONDS)
        ]
    )


def _by(value: Any, **options: Any) -> Any:
    return Window(value, order_by=("seconds", "name"), **options)


async def _values(**expressions: Any) -> dict[str, list[Any]]:
    rows = await Track.objects.annotate(**expressions).order_by("seconds", "name").values(*expressions)
    return {name: [row[name] for row in rows] for name in expressions}


async def test_places(music: orm.Database) -> None:
    await _tracks()
    seconds = sorted(SECONDS)
    n = len(seconds)
    found = await _values(
        number=_by(RowNumber()),
        rank=Window(Rank(), order_by="seconds"),
        dense=Window(DenseRank(), order_by="seconds"),
        percent=Window(PercentRank(), order_by="seconds"),
        distribution=Window(CumeDist(), order_by="seconds"),
        bucket=_by(Ntile(3)),
        down=Window(Rank(), order_by="-seconds"),
        alone=Window(RowNumber(), partition_by="name"),
    )
    ranks = [seconds.index(value) + 1 for value in seconds]
    assert found == {
        "number": list(range(1, n + 1)),
        "rank": ranks,
        "dense": [sorted(set(seconds)).index(value) + 1 for value in seconds],
        "percent": [pytest.approx((rank - 1) / (n - 1)) for rank in ranks],
        "distribution": [pytest.approx(sum(other <= value for other in seconds) / n) for value in seconds],
        "bucket": [1, 1, 1, 2, 2, 2, 3, 3],
        "down": [sum(other > value for other in seconds) + 1 for value in seconds],
        "alone": [1] * n,
    }
    assert type(found["percent"][0]) is float


async def test_neighbours(music: orm.Database) -> None:
    await _tracks()
    seconds = sorted(SECONDS)
    found = await _values(
        before=_by(Lag("seconds")),
        after=_by(Lead("seconds", 2)),
        itself=_by(Lag("seconds", 0)),
        filled=_by(Lag("seconds", 3, default=-1)),
        ahead=_by(Lead(F("seconds") * 2, default=Value(0))),
        cost=_by(Lag("price", default=Decimal("9.50"))),
    )
    prices = [track.price for track in await Track.objects.order_by("seconds", "name")]
    assert found == {
        "before": [None, *seconds[:-1]],
        "after": [*seconds[2:], None, None],
        "itself": seconds,
        "filled": [-1, -1, -1, *seconds[:-3]],
        "ahead": [*[2 * value for value in seconds[1:]], 0],
        "cost": [Decimal("9.50"), *prices[:-1]],  # a NULL of the row before stays one
    }


async def test_values_of_the_frame(music: orm.Database) -> None:
    await _tracks()
    seconds = sorted(SECONDS)
    found = await _values(
        first=_by(FirstValue("seconds")),
        last=_by(LastValue("seconds")),
        last_of_all=_by(LastValue("seconds"), frame=RowRange()),
        last_equal=Window(LastValue("seconds"), order_by="seconds"),
        third=_by(NthValue("seconds", 3)),
        previous=_by(FirstValue("seconds"), frame=RowRange(start=-1, end=0)),
    )
    assert (
        found
        == {
            "first": [seconds[0]] * 8,
            "last": seconds,  # the frame ends at the row
            "last_of_all": [seconds[-1]] * 8,
            "last_equal": seconds,
            "third": [None, None, *[seconds[2]] * 6],
            "previous": [seconds[0], *seconds[:-1]],
        }
    )


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (None, 0), (0, None), (-2, 0), (-1, 1), (0, 2), (-3, -1), (1, 3), (None, -1)]
)
async def test_frames_of_rows(music: orm.Database, start: int | None, end: int | None) -> None:
    await _tracks()
    seconds = sorted(SECONDS)
    frame = RowRange(start=start, end=end)
    found = await _values(total=_by(Sum("seconds"), frame=frame), n=_by(Count("*"), frame=frame))
    framed = [
        seconds[0 if start is None else max(row + start, 0) : None if end is None else max(row + end + 1, 0)]
        for row in range(len(seconds))
    ]
    assert found == {"total": [sum(rows) if rows else None for rows in framed], "n": list(map(len, framed))}


@pytest.mark.parametrize(
    ("start", "end"), [(None, None), (None, 0), (0, None), (0, 0), (-100, 0), (-50, 100), (-150, -50), (100, None)]
)
@pytest.mark.parametrize("column", ["integer", "float", "decimal"])
async def test_frames_of_values(music: orm.Database, start: int | None, end: int | None, column: str) -> None:
    kind: Callable[[int], Any] = {"integer": int, "float": float, "decimal": Decimal}[column]
    await Everything.objects.bulk_create([Everything(**{column: kind(value)}) for value in SECONDS])
    n = Window(Count("*"), order_by=column, frame=ValueRange(start=start, end=end))
    found = await Everything.objects.annotate(n=n).values_list(column, "n")
    low, high = (-math.inf if start is None else start), (math.inf if end is None else end)
    assert Counter(found) == Counter(
        [(kind(value), sum(low <= other - value <= high for other in SECONDS)) for value in SECONDS]
    )


async def test_partitions_orders_and_nulls(music: orm.Database) -> None:
    tracks = await _tracks()
    found = await Track.objects.annotate(
        place=Window(RowNumber(), partition_by=Track.album.title, order_by=[F("price").desc(nulls="last"), "name"]),
        first=Window(RowNumber(), order_by=F("price").asc(nulls="first")),
        of_artist=Window(Count("*"), partition_by=["album__artist__name", F("seconds") > 150]),
    ).values_list("name", "place", "first", "of_artist")
    expected = []
    artist = [0, 0, 1]
    for n, track in enumerate(tracks):
        same = [(other, m) for m, other in enumerate(tracks) if m % 3 == n % 3]
        order = sorted(same, key=lambda pair: (pair[0].price is None, -(pair[0].price or 0), pair[0].name))
        cheap = sorted(tracks, key=lambda t: (t.price is not None, t.price or 0))
        group = [
            m
            for m, other in enumerate(tracks)
            if artist[m % 3] == artist[n % 3] and (other.seconds > 150) == (track.seconds > 150)
        ]
        expected.append((track.name, [m for _, m in order].index(n) + 1, cheap.index(track) + 1, len(group)))
    assert sorted(found) == expected


async def test_windows_are_filtered(music: orm.Database) -> None:
    tracks = await _tracks()
    ranked = Track.objects.annotate(
        place=Window(RowNumber(), partition_by="album", order_by=("-seconds", "name")),
        total=Window(Sum("seconds"), partition_by="album"),
    )
    best = [min(tracks[n::3], key=lambda track: (-track.seconds, track.name)) for n in range(3)]
    first = ranked.filter(place=1)
    assert await first.order_by("album") == best
    assert await first.count() == 3
    assert await first.exists()
    assert not await ranked.filter(place__gt=3).exists()
    assert [track.place for track in await first] == [1, 1, 1]
    assert await first.order_by("-total", "id")[:1].values("name", "place") == [{"name": best[0].name, "place": 1}]
    assert await first.filter(album__artist__name="Accept") == [best[2]]
    assert await first.filter(album__title="Album 0").select_related("album") == [best[0]]
    # Conditions on columns narrow the rows that the window is computed of, wherever they stand.
    assert await first.filter(seconds__lt=300).count() == await ranked.filter(seconds__lt=300, place=1).count() == 3
    both = ranked.filter(orm.Q(place=1) | orm.Q(seconds=50))
    assert await both.count() == len({*[t.id for t in best], *[t.id for t in tracks if t.seconds == 50]})
    assert await ranked.exclude(place=1).count() == 5
    assert await ranked.filter(place=F("total") / F("total")).count() == 3
    rich = ranked.filter(place__lte=2, total__gt=400).order_by("name")
    assert await rich.values_list("name", flat=True) == ["T1", "T3", "T6", "T7"]
    assert await Album.objects.filter(tracks__in=first.values("id")).count() == 3


async def test_rows_that_a_window_chooses_are_written(music: orm.Database) -> None:
    tracks = await _tracks()
    first = Track.objects.annotate(n=Window(RowNumber(), order_by=("seconds", "name"))).filter(n__lte=2)
    assert await first.update(name="short") == 2
    assert await Track.objects.filter(name="short").count() == 2
    assert await first.delete() == 2
    assert await Track.objects.count() == len(tracks) - 2


async def test_windows_in_expressions(music: orm.Database) -> None:
    await _tracks()
    total = sum(SECONDS)
    found = await _values(
        share=F("seconds") * 100 / Window(Sum("seconds")),
        over=F("seconds") - Window(Min("seconds")),
        running=_by(Sum("seconds")),
        filtered=Window(Count("*", filter=orm.Q(seconds__gt=150))),
        highest=Window(Max(F("seconds") + 1), partition_by=[]),
        mean=Window(Avg("seconds")),
    )
    seconds = sorted(SECONDS)
    assert found == {
        "share": [pytest.approx(value * 100 / total, abs=1e-3) for value in seconds],
        "over": [value - 50 for value in seconds],
        "running": [sum(seconds[: n + 1]) for n in range(8)],
        "filtered": [5] * 8,
        "highest": [401] * 8,
        "mean": [total / 8] * 8,
    }


async def test_windows_of_groups(music: orm.Database) -> None:
    await _tracks()
    found = await (
        Track.objects.values("album__title")
        .annotate(
            n=Count("*"),
            total=Sum("seconds"),
            place=Window(Rank(), order_by=F("total").desc()),
            share=Window(Sum(F("n"))),
            everything=Window(Sum(Sum("seconds"))),
        )
        .order_by("album__title")
    )
    totals = [sum(SECONDS[n::3]) for n in range(3)]
    assert found == [
        {
            "album__title": f"Album {n}",
            "n": len(SECONDS[n::3]),
            "total": totals[n],
            "place": sorted(totals, reverse=True).index(totals[n]) + 1,
            "share": 8,
            "everything": sum(SECONDS),
        }
        for n in range(3)
    ]
    albums = Artist.objects.values("name").annotate(
        number=Count("albums"), place=Window(Rank(), order_by=Count("albums").desc())
    )
    assert await albums.order_by("place") == [
        {"name": "AC/DC", "number": 2, "place": 1},
        {"name": "Accept", "number": 1, "place": 2},
    ]


async def test_windows_over_aggregates_of_each_row(music: orm.Database) -> None:
    await _tracks()
    artists = Artist.objects.annotate(n=Count("albums"), place=Window(Rank(), order_by=Count("albums").desc()))
    assert [(a.name, a.n, a.place) for a in await artists.order_by("place")] == [("AC/DC", 2, 1), ("Accept", 1, 2)]
    assert await artists.filter(place=1).values_list("name", flat=True) == ["AC/DC"]


async def test_what_windows_give_is_aggregated(music: orm.Database) -> None:
    await _tracks()
    ranked = Track.objects.annotate(n=Window(RowNumber(), order_by="seconds"))
    assert await ranked.values("n").aggregate(top=Max("n")) == {"top": 8}
    assert await ranked.aggregate(top=Max("n")) == {"top": 8}


async def test_values_keep_their_kinds(music: orm.Database) -> None:
    days = [date(2024, 1, n) for n in (1, 2, 3)]
    await Everything.objects.bulk_create(
        [
            Everything(date=day, duration=timedelta(hours=1), color=Color.RED, boolean=True, data={"a": 1})
            for day in days
        ]
    )
    found = await Everything.objects.annotate(
        **{
            f"before_{name}": Window(Lag(name, default=default), order_by="date")
            for name, default in {
                "date": date(2000, 1, 1),
                "duration": timedelta(0),
                "color": Color.GREEN,
                "boolean": False,
                "data": None,
            }.items()
        }
    ).values_list("before_date", "before_duration", "before_color", "before_boolean", "before_data")
    assert sorted(found, key=lambda row: row[0]) == [
        (date(2000, 1, 1), timedelta(0), Color.GREEN, False, None),
        (days[0], timedelta(hours=1), Color.RED, True, {"a": 1}),
        (days[1], timedelta(hours=1), Color.RED, True, {"a": 1}),
    ]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Track.objects.annotate(x=RowNumber()), r"RowNumber\(\) needs a window: Window\(RowNumber\(\), …\)"),
        (lambda: Track.objects.annotate(x=F("seconds") + Lag("seconds")), r"Lag\(seconds\) needs a window"),
        (lambda: Track.objects.order_by(RowNumber()), r"RowNumber\(\) needs a window"),
        (lambda: Track.objects.filter(RowNumber() == 1), r"RowNumber\(\) needs a window"),
        (lambda: Window(Rank()), r"Rank\(\) needs an order: Window\(Rank\(\), order_by=…\)"),
        (lambda: Window(Lag("seconds")), "needs an order"),
        (lambda: Window(F("seconds")), "Window takes a window function"),
        (lambda: Window(RowNumber(), frame=RowRange()), r"RowNumber\(\) is about the whole partition. Leave frame out"),
        (lambda: Window(Sum("seconds"), frame=3), "is no frame. Choose from: RowRange"),
        (lambda: Ntile(0), "the number of buckets is a whole number from 1, not 0"),
        (lambda: Ntile(True), "not True"),
        (lambda: Lag("seconds", -1), "Lag: the offset is a whole number from 0, not -1"),
        (lambda: Lead("seconds", 1.5), "Lead: the offset is a whole number from 0, not 1.5"),
        (lambda: Lead("seconds", default=F("id")), "default is a value, not the expression"),
        (lambda: NthValue("seconds", 0), "the number of the row is a whole number from 1, not 0"),
        (lambda: RowRange(start=1, end=0), "ends before it begins"),
        (lambda: RowRange(start="1"), "a bound is a number"),
        (
            lambda: Track.objects.annotate(x=Window(Sum("seconds"), order_by="name", frame=ValueRange(start=-1))),
            "needs an order_by of one number",
        ),
        (
            lambda: Track.objects.annotate(x=Window(Sum("seconds"), frame=ValueRange(start=-1))),
            "needs an order_by of one number",
        ),
        (lambda: Album.objects.annotate(x=Window(Sum("tracks__seconds"))), "Name the aggregate first"),
        (
            lambda: Track.objects.annotate(x=Window(RowNumber())).annotate(y=Window(Sum("x"))),
            "has a window inside of it",
        ),
        (lambda: Track.objects.filter(Window(RowNumber()) == 1), r"is a window function. Name it first: annotate"),
        (
            lambda: Track.objects.values("album").annotate(n=Count("*"), x=Window(Sum("seconds"))),
            "seconds has many values in a group",
        ),
        (
            lambda: Track.objects.values("album").annotate(n=Count("*"), x=Window(RowNumber())).filter(x=1),
            "is about a window of groups, which cannot be filtered",
        ),
        (lambda: Track.objects.annotate(x=Window(Lag("titel"), order_by="id")), "Track has no field 'titel'"),
    ],
)
def test_mistakes_are_named(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        make()


def test_a_default_has_the_type_of_the_values() -> None:
    with pytest.raises(orm.ValidationError, match="Lag: default: Input should be a valid integer, not 'none'"):
        Track.objects.annotate(x=Window(Lag("seconds", default="none"), order_by="id"))


async def test_an_update_numbers_rows(music: orm.Database) -> None:
    await Track.objects.bulk_create([Track(name=name, seconds=0) for name in "bca"])
    assert await Track.objects.all().update(seconds=Window(RowNumber(), order_by="name")) == 3
    assert await Track.objects.order_by("name").values_list("name", "seconds") == [("a", 1), ("b", 2), ("c", 3)]
    with pytest.raises(orm.FieldError, match=r"Max\(seconds\) is about many rows, and there is one"):
        await Track.objects.all().update(seconds=Max("seconds"))


async def test_an_order_of_nulls_has_no_distances(music: orm.Database) -> None:
    window = Window(Count("*"), order_by=F("seconds").asc(nulls="last"), frame=ValueRange(start=-1, end=1))
    tracks = Track.objects.annotate(n=window)
    if music.dialect.name == "postgresql":
        assert await tracks == []
    else:
        with pytest.raises(orm.NotSupportedError, match=r"(SQLite|MariaDB|MySQL) has no ValueRange.*Leave nulls= out"):
            await tracks
