"""Queries inside queries, which may know the row around: Subquery, Exists, OuterRef, and `in`."""

from __future__ import annotations

from typing import Any

import pytest

import orm
from orm import Count, Exists, F, OuterRef, Subquery, Sum
from tests.music import Album, Artist, Employee, Track


@pytest.fixture
async def shop(music: orm.Database) -> None:
    """Three artists, the last without albums; four albums with 0 to 3 tracks; employees in three levels."""
    acdc, accept, _ = await Artist.objects.bulk_create(
        [Artist(name="AC/DC", country="AU"), Artist(name="Accept"), Artist(name="ABBA")]
    )
    albums = await Album.objects.bulk_create(
        [
            Album(title="Powerage", year=1978, artist=acdc),
            Album(title="Highway to Hell", year=1979, artist=acdc, producer=accept),
            Album(title="Balls to the Wall", year=1983, artist=accept, producer=accept),
            Album(title="Breaker", artist=accept),
        ]
    )
    await Track.objects.bulk_create(
        [
            Track(name=f"Track {n}{m}", seconds=100 * n + m, album=album)
            for n, album in enumerate(albums)
            for m in range(n)
        ]
    )
    chief = await Employee.objects.create(name="chief")
    head = await Employee.objects.create(name="head", manager=chief)
    await Employee.objects.bulk_create([Employee(name="a", manager=head), Employee(name="b", manager=head)])


async def test_the_value_of_a_related_row(shop: None) -> None:
    newest = Album.objects.filter(artist=OuterRef("pk")).order_by(F("year").desc(nulls="last"))
    artists = Artist.objects.annotate(newest=Subquery(newest.values("title")[:1])).order_by("id")
    assert await artists.values_list("name", "newest") == [
        ("AC/DC", "Highway to Hell"),
        ("Accept", "Balls to the Wall"),
        ("ABBA", None),
    ]
    assert [artist.newest for artist in await artists.filter(newest__startswith="B")] == ["Balls to the Wall"]
    assert await artists.order_by(F("newest").asc(nulls="first")).values_list("name", flat=True) == [
        "ABBA",
        "Accept",
        "AC/DC",
    ]
    keys = Artist.objects.annotate(key=Subquery(newest[:1])).order_by("id")
    assert (await keys.first()).key == (await Album.objects.get(title="Highway to Hell")).id  # type: ignore[union-attr]


async def test_aggregates_of_what_a_subquery_chooses(shop: None) -> None:
    seconds = Track.objects.filter(album__artist=OuterRef("pk")).values("album__artist").annotate(total=Sum("seconds"))
    artists = Artist.objects.annotate(seconds=Subquery(seconds.values("total"))).order_by("id")
    assert await artists.values_list("seconds", flat=True) == [100, 1304, None]


async def test_exists(shop: None) -> None:
    names = Artist.objects.order_by("id").values_list("name", flat=True)
    early = Exists(Album.objects.filter(artist=OuterRef("pk"), year__lt=1980))
    assert await names.filter(early) == ["AC/DC"]
    assert await names.exclude(early) == ["Accept", "ABBA"]
    assert await names.filter(~early, name__startswith="A") == ["Accept", "ABBA"]
    assert await names.filter(early | orm.Q(name="ABBA")) == ["AC/DC", "ABBA"]
    assert await Artist.objects.annotate(early=early).order_by("id").values_list("early", flat=True) == [
        True,
        False,
        False,
    ]
    assert await names.filter(Exists(Album.objects.none())) == []
    assert len(await names.filter(Exists(Album.objects.all()))) == 3
    counted = Exists(Album.objects.filter(artist=OuterRef("pk")).values("artist").annotate(n=Count("*")).filter(n=2))
    assert await names.filter(counted) == ["AC/DC", "Accept"]


async def test_the_same_table_inside_and_around(shop: None) -> None:
    leads = Exists(Employee.objects.filter(manager=OuterRef("pk")))
    assert await Employee.objects.filter(leads).order_by("id").values_list("name", flat=True) == ["chief", "head"]
    peers = Employee.objects.filter(manager=OuterRef("manager"), id__lt=OuterRef("id"))
    assert await Employee.objects.filter(Exists(peers)).values_list("name", flat=True) == ["b"]
    core = Exists(Employee.objects.filter(Employee.table.c.name == "a", manager=OuterRef("pk")))
    assert await Employee.objects.filter(core).values_list("name", flat=True) == ["head"]


async def test_references_over_relations_of_the_query_around(shop: None) -> None:
    same = Exists(Album.objects.filter(artist=OuterRef("album__producer")))
    assert await Track.objects.filter(same).order_by("name").values_list("name", flat=True) == [
        "Track 10",
        "Track 20",
        "Track 21",
    ]


async def test_subqueries_in_subqueries(shop: None) -> None:
    tracks = Track.objects.filter(album=OuterRef("pk"), name=OuterRef(OuterRef("country")))
    assert not await Artist.objects.filter(Exists(Album.objects.filter(Exists(tracks), artist=OuterRef("pk")))).exists()
    tracks = Track.objects.filter(album=OuterRef("pk"), album__artist=OuterRef(OuterRef("pk")), seconds__gt=300)
    artists = Artist.objects.filter(Exists(Album.objects.filter(Exists(tracks), artist=OuterRef("pk"))))
    assert await artists.values_list("name", flat=True) == ["Accept"]


async def test_correlated_members(shop: None) -> None:
    albums = Album.objects.filter(artist__in=Artist.objects.filter(id=OuterRef("producer")))
    assert await albums.values_list("title", flat=True) == ["Balls to the Wall"]
    first = Album.objects.filter(year=Subquery(Album.objects.order_by("year").filter(year__gt=0).values("year")[:1]))
    assert await first.values_list("title", flat=True) == ["Powerage"]


async def test_an_annotation_of_the_query_around(shop: None) -> None:
    artists = Artist.objects.annotate(number=Count("albums")).filter(
        Exists(Employee.objects.filter(id=OuterRef("number"), name="head"))
    )
    assert await artists.order_by("id").values_list("name", flat=True) == ["AC/DC", "Accept"]


async def test_updates_with_subqueries(shop: None) -> None:
    newest = Album.objects.filter(artist=OuterRef("pk")).order_by("-id").values("title")[:1]
    assert await Artist.objects.filter(Exists(newest)).update(name=Subquery(newest)) == 2
    assert await Artist.objects.order_by("id").values_list("name", flat=True) == [
        "Highway to Hell",
        "Breaker",
        "ABBA",
    ]
    assert await Artist.objects.exclude(Exists(newest)).delete() == 1


async def test_plans_are_shared(shop: None) -> None:
    plans = Artist.__schema__.plans

    async def ask(year: int) -> None:
        await Artist.objects.filter(Exists(Album.objects.filter(artist=OuterRef("pk"), year=year)))

    await ask(1978)
    before = len(plans)
    await ask(1979)
    assert len(plans) == before


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda: Album.objects.filter(artist=OuterRef("pk")), "is a field of the query around, and there is none"),
        (lambda: Album.objects.filter(artist=OuterRef("pk")).count(), "is a field of the query around"),
        (lambda: Artist.objects.filter(Exists(Album.objects.filter(artist=OuterRef("nope")))), "no field 'nope'"),
        (
            lambda: Artist.objects.filter(Exists(Track.objects.filter(album=OuterRef("albums__id")))),
            "Cannot refer to albums__id: Artist has many Album rows",
        ),
        (lambda: Subquery(Album.objects.values("id", "title")), "takes a query set of one column, not of 2"),
        (lambda: Exists(Album), "Exists takes a query set, not"),
        (lambda: Subquery([1]), "Subquery takes a query set, not"),
        (
            lambda: Artist.objects.filter(
                Exists(Album.objects.filter(Exists(Track.objects.filter(album=OuterRef(OuterRef(OuterRef("pk")))))))
            ),
            "is a field of the query around",
        ),
    ],
)
async def test_mistakes_are_named(music: orm.Database, ask: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        await ask()
