"""Between query sets and SQLAlchemy Core, in both directions."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

import orm
from orm import Count, F
from tests.music import Album, Artist, Everything, Track


@pytest.fixture
async def shop(music: orm.Database) -> orm.Database:
    """Two artists with three albums."""
    acdc, accept = await Artist.objects.bulk_create([Artist(name="AC/DC"), Artist(name="Accept")])
    await Album.objects.bulk_create(
        [
            Album(title="Powerage", year=1978, artist=acdc),
            Album(title="Highway to Hell", year=1979, artist=acdc),
            Album(title="Breaker", year=1981, artist=accept),
        ]
    )
    return music


async def test_a_query_set_becomes_a_statement(shop: orm.Database) -> None:
    early = Album.objects.filter(year__lt=1980, artist__name__icontains="ac").order_by("-year")
    rows = await shop.fetch_all(early.values("title", "year").statement())
    assert [(row["title"], row["year"]) for row in rows] == [("Highway to Hell", 1979), ("Powerage", 1978)]
    assert (await shop.fetch_all(early[1:2].statement()))[0]["title"] == "Powerage"
    assert await shop.fetch_all(early.none().statement()) == []
    grouped = Album.objects.values("artist__name").annotate(number=Count("*")).filter(number__gt=1).statement()
    assert [tuple(row) for row in await shop.fetch_all(grouped)] == [("AC/DC", 2)]


async def test_a_statement_within_one_of_core(shop: orm.Database) -> None:
    early = Album.objects.filter(year__in=[1978, 1979], title__startswith="High").values("artist")
    statement = sa.select(Artist.table.c.name).where(Artist.table.c.id.in_(early.statement()))
    assert [row[0] for row in await shop.fetch_all(statement)] == ["AC/DC"]
    years = Album.objects.annotate(next=F("year") + 1).values("next").statement().subquery()
    assert await shop.fetch_val(sa.select(sa.func.max(years.c.next))) == 1982
    titles = Album.objects.from_statement(Album.objects.filter(title="Breaker").statement())
    assert [album.title for album in await titles] == ["Breaker"]
    assert await Album.objects.filter(Album.table.c.artist_id.in_(early.statement())).count() == 2


@pytest.mark.parametrize(
    "query",
    [
        Track.objects.filter(price__in=[1, 2], seconds__range=(1, 2)),
        Everything.objects.filter(data__a__b=[1, {"x": None}]),
        Everything.objects.filter(color__in=list(Everything.__schema__.fields["color"].type.members)),  # type: ignore[attr-defined]
        Everything.objects.filter(data=None),
    ],
)
async def test_values_of_every_kind_are_sent(music: orm.Database, query: Any) -> None:
    assert await music.fetch_all(query.statement()) == []


def test_a_statement_of_another_engine() -> None:
    query = Album.objects.filter(title__contains="x")
    assert "GLOB" in str(query.statement("sqlite"))
    assert "LIKE" in str(query.statement("postgresql"))
    with pytest.raises(orm.ValidationError, match="oracle"):
        query.statement("oracle")  # type: ignore[arg-type]
