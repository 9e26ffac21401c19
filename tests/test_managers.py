"""Query sets of one's own, the managers that give them, and the order of models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self, TypeVar

import pytest
import pytest_asyncio

import orm
from tests.databases import created

models = orm.Registry()
M = TypeVar("M", bound=orm.Model)


class BaseQuerySet(orm.QuerySet[M]):
    """Generic: for any model that has a name."""

    def named(self, name: str) -> Self:
        return self.filter(name=name)

    async def names(self) -> list[str]:
        return [str(name) for name in await self.values_list("name", flat=True)]


class Base(orm.Model):
    objects = BaseQuerySet["Base"].as_manager()

    class Meta:
        registry = models
        abstract = True


class AlbumQuerySet(BaseQuerySet["Album"]):
    def late(self) -> Self:
        return self.filter(Album.year >= 1980)

    def filter(self, *conditions: Any, **words: Any) -> Self:
        if "decade" in words:
            decade = words.pop("decade")
            words |= {"year__gte": decade, "year__lt": decade + 10}
        return super().filter(*conditions, **words)

    async def create(self, **values: Any) -> Album:
        return await super().create(**{"year": 1999, **values})


class LiveQuerySet(AlbumQuerySet):
    def newest(self) -> Self:
        return self.order_by("-year")


class Artist(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40)
    albums: orm.RelatedSet[Album] = orm.Reverse("Album.artist")


class GenreQuerySet(BaseQuerySet["Genre"]):
    def loud(self) -> Self:
        return self.filter(name="rock")


class Genres(orm.RelatedQuerySet["Genre"], GenreQuerySet):
    async def add_all(self) -> None:
        await self.add(*await Genre.objects.all())


class Album(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40)
    year: orm.Field[int] = orm.Integer()
    live: orm.Field[bool] = orm.Boolean(default=False)
    artist: orm.Related[Artist] = orm.ForeignKey("Artist", on_delete=orm.CASCADE)
    genres: orm.RelatedSet[Genre, Genres] = orm.ManyToMany("Genre", related_name="albums")

    objects = AlbumQuerySet.as_manager()
    live_ones = LiveQuerySet.as_manager(live=True)
    eighties = AlbumQuerySet.as_manager(orm.Q(year__gte=1980), year__lt=1990)

    class Meta(Base.Meta):
        ordering = ["artist__name", orm.F("year").desc(), "-pk"]


class Genre(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40)

    objects = GenreQuerySet.as_manager()


@pytest_asyncio.fixture
async def shop(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(models, database):
        zappa, acdc = [await Artist.objects.create(name=name) for name in ("Zappa", "AC/DC")]
        rock = await Genre.objects.create(name="rock")
        for name, year, live, artist in (
            ("Powerage", 1978, False, acdc),
            ("Live", 1992, True, acdc),
            ("Back in Black", 1980, False, acdc),
            ("Hot Rats", 1969, False, zappa),
            ("Make a Jazz Noise", 1991, True, zappa),
        ):
            album = await Album.objects.create(name=name, year=year, live=live, artist=artist)
            await album.genres.add(rock)
        yield database


IN_ORDER = ["Live", "Back in Black", "Powerage", "Make a Jazz Noise", "Hot Rats"]


async def test_methods_of_ones_own_go_on(shop: orm.Database) -> None:
    assert isinstance(Album.objects, AlbumQuerySet)
    assert type(Album.objects.late().exclude(live=True)) is AlbumQuerySet
    assert await Album.objects.late().named("Live").names() == ["Live"]
    assert await Artist.objects.order_by("name").names() == ["AC/DC", "Zappa"]
    assert await Album.objects.filter(decade=1970).names() == ["Powerage"]
    assert (await Album.objects.get(name="Live")).year == 1992
    assert await Album.objects.late().union(Album.objects.named("Powerage")).count() == 4
    assert await Album.objects.late().values("name").order_by("name")[:1] == [{"name": "Back in Black"}]


async def test_related_sets_have_them(shop: orm.Database) -> None:
    acdc = await Artist.objects.get(name="AC/DC")
    albums: Any = acdc.albums
    assert isinstance(albums, AlbumQuerySet)
    assert isinstance(albums, orm.RelatedQuerySet)
    assert type(albums) is type((await Artist.objects.get(name="Zappa")).albums)
    assert type(albums).__name__ == "RelatedAlbumQuerySet"
    assert await albums.late().names() == ["Live", "Back in Black"]
    assert await albums.filter(decade=1970).names() == ["Powerage"]
    made = await albums.create(name="Stiff Upper Lip")
    assert (made.year, made.artist) == (1999, acdc)
    genre: Any = await Genre.objects.prefetch_related("albums").get(name="rock")
    assert isinstance(genre.albums, AlbumQuerySet)
    assert [album.name for album in genre.albums] == IN_ORDER
    assert await genre.albums.late().named("Live").count() == 1
    await genre.albums.set(await albums.late())
    assert await genre.albums.names() == ["Stiff Upper Lip", "Live", "Back in Black"]


async def test_a_declared_class_of_related_sets(shop: orm.Database) -> None:
    await Genre.objects.create(name="jazz")
    album = await Album.objects.get(name="Live")
    assert type(album.genres) is Genres
    await album.genres.add_all()
    assert sorted(await album.genres.names()) == ["jazz", "rock"]
    assert await album.genres.loud().names() == ["rock"]
    again = await Album.objects.prefetch_related("genres").get(name="Live")
    assert len(again.genres) == 2
    assert type(again.genres.loud()) is Genres


async def test_managers_under_other_names_are_about_some_rows(shop: orm.Database) -> None:
    assert await Album.live_ones.names() == ["Live", "Make a Jazz Noise"]
    assert await Album.live_ones.newest().named("Live").names() == ["Live"]
    assert await Album.eighties.names() == ["Back in Black"]
    assert Album.live_ones is Album.live_ones
    assert await Album.eighties.delete() == 1
    acdc = await Artist.objects.get(name="AC/DC")
    assert await acdc.albums.count() == 2  # relations know `objects` only
    with pytest.raises(AttributeError, match=r"live_ones is on the class only: Album\.live_ones\."):
        _ = (await Album.objects.get(name="Live")).live_ones


async def test_the_order_of_a_model_holds_in_relations(shop: orm.Database) -> None:
    assert [album.name for album in await Album.objects.all()] == IN_ORDER
    acdc = await Artist.objects.prefetch_related("albums").get(name="AC/DC")
    assert [album.name for album in acdc.albums] == IN_ORDER[:3]
    assert [album.name for album in await acdc.albums.all()] == IN_ORDER[:3]
    assert [album.name async for album in acdc.albums.all()] == IN_ORDER[:3]
    last = await Album.objects.last()
    assert last is not None
    assert last.name == "Hot Rats"
    assert [album.name for album in await Album.objects.reverse()] == IN_ORDER[::-1]
    page = await Album.objects.cursor_paginate(per_page=2)
    assert [album.name for album in await Album.objects.cursor_paginate(after=page.next_cursor, per_page=2)] == [
        "Powerage",
        "Make a Jazz Noise",
    ]
    assert [a.name for a in await Album.objects.select_related("artist").only("name", "artist__name")] == IN_ORDER
    assert "ORDER BY" not in Album.objects.order_by().sql()


async def test_the_order_of_a_model_does_not_spoil_groups(shop: orm.Database) -> None:
    counted = await Album.objects.values("artist__name").annotate(n=orm.Count("id")).order_by("artist__name")
    assert counted == [{"artist__name": "AC/DC", "n": 3}, {"artist__name": "Zappa", "n": 2}]
    assert sorted(await Album.objects.values_list("live").annotate(n=orm.Count("id"))) == [(False, 3), (True, 2)]
    assert await Album.objects.aggregate(n=orm.Count("id"), last=orm.Max("year")) == {"n": 5, "last": 1992}
    assert await Album.objects.count() == 5
    assert await Album.objects.exists()
    assert await Album.objects.values_list("live", flat=True).distinct().count() == 2
    both = Album.objects.filter(live=True).union(Album.objects.filter(year=1980))
    assert [album.name for album in await both] == ["Live", "Back in Black", "Make a Jazz Noise"]
    assert await Album.objects.filter(pk__in=Album.objects.filter(live=True)).count() == 2
    assert await Album.objects.all()[:2].update(live=False) == 2
    assert await Album.objects.filter(live=True).names() == ["Make a Jazz Noise"]
    assert await Album.objects.all().delete() == 5


async def test_names_of_other_models_fields_are_no_obstacle(shop: orm.Database) -> None:
    """A field of one model may be called as a manager, or a method, of another."""
    registry = orm.Registry(shop)
    meta = {"registry": registry}
    first: Any = type(
        "First", (orm.Model,), {"Meta": type("Meta", (), meta), "__module__": __name__, "busy": orm.Boolean()}
    )
    second: Any = type(
        "Second",
        (orm.Model,),
        {
            "Meta": type("Meta", (), meta),
            "__module__": __name__,
            "name": orm.Text(),
            "busy": BaseQuerySet.as_manager(name="x"),
        },
    )
    assert "busy" in first.objects.filter(first.busy == True).sql()  # noqa: E712
    assert isinstance(second.busy, BaseQuerySet)
    with pytest.raises(AttributeError, match="busy"):
        _ = Artist.busy  # type: ignore[attr-defined]


# ---------------------------------------------------------------- declaration


def declare(*bases: type[Any], **body: Any) -> Any:
    meta = type("Meta", (), {"registry": orm.Registry(), **body.pop("meta", {})})
    return type("Thing", bases or (orm.Model,), {"Meta": meta, "__module__": __name__, **body})


class Slotted(orm.QuerySet["Album"]):
    __slots__ = ("mine",)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"objects": AlbumQuerySet},
            r"Thing.objects is a manager: class …\(orm.QuerySet\[…\]\), and objects = ….as_man",
        ),
        ({"objects": AlbumQuerySet.as_manager(live=True)}, r"Thing.objects is about all rows.* Meta.default_filters"),
        ({"save": AlbumQuerySet.as_manager()}, "The manager Thing.save would hide an attribute that every model has"),
        ({"pk": AlbumQuerySet.as_manager()}, "The manager Thing.pk would hide an attribute that every model has"),
        ({"meta": {"ordering": ["nam"]}}, r"Thing.Meta.ordering: Thing has no field 'nam'. Choose from: id."),
        ({"meta": {"ordering": [orm.F("nam").desc()]}}, "Thing.Meta.ordering: Thing has no field 'nam'"),
        ({"meta": {"ordering": [3]}}, "Thing.Meta.ordering: 3 cannot be ordered by"),
    ],
)
def test_what_hides_something_is_refused(body: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        declare(**body)


def test_a_field_does_not_hide_an_inherited_manager() -> None:
    base: Any = type(
        "Named",
        (orm.Model,),
        {"Meta": type("Meta", (), {"abstract": True}), "__module__": __name__, "first": BaseQuerySet.as_manager()},
    )
    with pytest.raises(orm.FieldError, match=r"Thing\.first is a field, and would hide the manager of Named"):
        declare(base, first=orm.Text())
    assert isinstance(declare(base).first, BaseQuerySet)
    with pytest.raises(orm.FieldError, match="Named is abstract and has no rows"):
        _ = base.first


def test_query_sets_have_no_slots_of_their_own() -> None:
    with pytest.raises(orm.FieldError, match="Slotted has __slots__, and query sets have no state of their own"):
        Slotted.as_manager()


def test_related_sets_have_one_class() -> None:
    class Own(orm.QuerySet["Album"]):
        pass

    class Related(orm.RelatedQuerySet["Album"], Own):
        pass

    with pytest.raises(orm.FieldError, match="Related is the class of related sets with the methods of Own, so Again"):

        class Again(orm.RelatedQuerySet["Album"], Own):
            pass

    class Plain(orm.RelatedQuerySet["Album"]):
        pass

    assert issubclass(Related, Own)


def test_an_order_over_relations_is_checked_when_they_are_known() -> None:
    registry = orm.Registry()
    meta = type("Meta", (), {"registry": registry, "ordering": ["-other__nam"]})
    first: Any = type("First", (orm.Model,), {"Meta": meta, "__module__": __name__, "other": orm.ForeignKey("Other")})
    type("Other", (orm.Model,), {"Meta": type("Meta", (), {"registry": registry}), "__module__": __name__})
    with pytest.raises(orm.FieldError, match="Other has no field 'nam'"):
        str(first.objects.all())


def test_an_order_by_one_of_many_rows_is_refused() -> None:
    registry = orm.Registry()
    meta = type("Meta", (), {"registry": registry})
    type("First", (orm.Model,), {"Meta": meta, "__module__": __name__, "other": orm.ForeignKey("Other")})
    many = type("Meta", (), {"registry": registry, "ordering": ["firsts__id"]})
    body = {"Meta": many, "__module__": __name__, "firsts": orm.Reverse("First.other")}
    other: Any = type("Other", (orm.Model,), body)
    with pytest.raises(orm.FieldError, match=r"Cannot order by firsts__id: Other has many First rows"):
        str(other.objects.all())
