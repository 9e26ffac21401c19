"""Proxies: another class for the rows of a model; and joined inheritance where nothing tells the class of a row."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

import orm
from tests.databases import created
from tests.places import declared

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Artist(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40)
    gone: orm.Field[bool] = orm.Boolean(default=False)
    albums: orm.RelatedSet[Album] = orm.Reverse("Album.artist")

    class Meta(Base.Meta):
        tablename = "artists"
        indexes = [orm.Index("name")]


class NamedQuerySet(orm.QuerySet[Any]):
    def named(self, name: str) -> NamedQuerySet:
        return self.filter(name=name)


class Star(Artist):
    """A proxy with an order, a filter, methods and query sets of its own."""

    objects = NamedQuerySet.as_manager()

    class Meta(Artist.Meta):
        proxy = True
        ordering = ["-name"]
        default_filters = {"there": orm.Q(gone=False)}

    def shout(self) -> str:
        return self.name.upper()


class SuperStar(Star):
    class Meta(Star.Meta):
        proxy = True


class Album(Base):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=40)
    artist: orm.Related[Artist] = orm.ForeignKey("Artist", on_delete=orm.CASCADE)
    star: orm.Related[Star | None] = orm.ForeignKey("Star", null=True, default=None, on_delete=orm.CASCADE)


@pytest_asyncio.fixture
async def music(database: orm.Database) -> AsyncIterator[list[Artist]]:
    async with created(models, database):
        yield await Artist.objects.bulk_create([Artist(name="a"), Artist(name="b"), Artist(name="c", gone=True)])


def test_a_proxy_is_no_table_of_its_own() -> None:
    assert Star.table is Artist.table
    assert [table.name for table in models.metadata.sorted_tables] == ["artists", "album"]
    assert set(models.schemas) == {"Artist", "Star", "SuperStar", "Album"}
    assert Star.__schema__.fields == Artist.__schema__.fields
    assert issubclass(Star.DoesNotExist, Artist.DoesNotExist)
    assert Star.DoesNotExist is not Artist.DoesNotExist
    assert issubclass(SuperStar.MultipleObjectsReturned, Star.MultipleObjectsReturned)


async def test_rows_of_a_proxy(music: list[Artist]) -> None:
    assert [type(one) for one in await Artist.objects.all()] == [Artist] * 3
    stars = await Star.objects.all()
    assert [(type(one), one.name, one.shout()) for one in stars] == [(Star, "b", "B"), (Star, "a", "A")]
    assert [one.name for one in await SuperStar.objects.all()] == ["b", "a"]
    assert await Star.objects.named("a").count() == 1
    assert await Star.objects.unfiltered().count() == 3
    with pytest.raises(Star.DoesNotExist):
        await Star.objects.get(name="c")
    with pytest.raises(Artist.DoesNotExist):
        await SuperStar.objects.get(name="c")
    assert await Star.objects.filter(Artist.name == "a") == [music[0]]
    assert await Artist.objects.filter(Star.name == "a").count() == 1


async def test_instances_of_a_proxy_are_those_of_its_model(music: list[Artist]) -> None:
    star = await Star.objects.get(name="a")
    assert star == music[0] == SuperStar.reference(star.id)
    assert len({star, music[0], SuperStar.reference(star.id)}) == 1
    assert isinstance(star, Artist)
    again = pickle.loads(pickle.dumps(star))
    assert (type(again), again.name) == (Star, "a")
    star.name = "z"
    await star.save()
    assert (await Artist.objects.get(pk=star.id)).name == "z"
    made = await Star.objects.create(name="new")
    assert await Artist.objects.filter(name="new") == [made]
    assert await Star.objects.bulk_update([made], ["name"]) == 1
    assert await Artist.objects.contains(made)
    assert await Star.objects.contains(music[0])
    await made.delete()
    assert await Star.objects.filter(name="new").exists() is False
    assert await Star.objects.filter(name="z").update(name="a") == 1
    assert await Star.objects.filter(name="a").delete() == 1


async def test_relations_take_proxies(music: list[Artist]) -> None:
    star = await Star.objects.get(name="a")
    album = await Album.objects.create(title="x", artist=star, star=music[1])
    assert await Album.objects.filter(artist=star) == [album]
    assert await star.albums == [album]
    loaded = await Album.objects.select_related("artist", "star").get()
    assert (type(loaded.artist), type(loaded.star)) == (Artist, Star)
    assert await Album.objects.filter(star=music[1], artist__name="a").count() == 1
    assert await Star.objects.filter(albums__title="x") == [star]
    assert [list(one.albums) for one in await Star.objects.prefetch_related("albums")] == [[], [album]]
    await star.albums.create(title="y")
    assert await Album.objects.filter(artist__in=Star.objects.filter(name="a").values("pk")).count() == 2
    assert await Album.objects.filter(artist__in=Star.objects.filter(name="a")).count() == 2
    with pytest.raises(orm.FieldError, match="star takes an instance of Star"):
        album.star = album  # type: ignore[assignment]


# ---------------------------------------------------------------- without what tells the class


@pytest_asyncio.fixture
async def plain(url: str) -> AsyncIterator[Any]:
    """Joined models where nothing tells the class of a row, as in Django."""
    async with orm.Database(url, max_size=5) as database:
        registry = orm.Registry(database)
        found = declared(registry, "joined", polymorphic=False)
        await registry.create_all()
        yield found
        await registry.drop_all()


async def test_parents_are_given_as_parents(plain: Any) -> None:
    city = await plain.City.objects.create(name="Rome")
    pizza = await plain.Pizzeria.objects.create(name="pizza", stars=3, oven="wood", city=city)
    places = await plain.Place.objects.all()
    assert [type(place) for place in places] == [plain.Place]
    assert places == [pizza]
    assert [type(one) for one in await plain.Restaurant.objects.all()] == [plain.Restaurant]
    again = await plain.Pizzeria.objects.select_related("city").get(name="pizza", stars=3)
    assert (again.oven, again.city.name) == ("wood", "Rome")
    assert await plain.Place.objects.filter(pizzeria__oven="wood") == [pizza]
    assert await plain.Place.objects.filter(plain.Restaurant.stars == 3).count() == 1
    assert await plain.Place.objects.filter(restaurant__stars__isnull=True).count() == 0
    await places[0].delete()
    assert await plain.Pizzeria.objects.count() == 0


async def test_versions_and_clocks_in_several_tables(url: str) -> None:
    async with orm.Database(url) as database:
        registry = orm.Registry(database)

        class Document(orm.Model):
            id: orm.Field[int] = orm.BigAutoField()
            title: orm.Field[str] = orm.String(max_length=20)
            version: orm.Field[int] = orm.Version()
            changed: orm.Field[Any] = orm.DateTime(auto_now=True)
            made: orm.Field[str] = orm.String(max_length=20, default=sa.text("'server'"))

            class Meta:
                registry: Any = None
                abstract = True

        namespace = SimpleNamespace(registry=registry)

        class Paper(Document):
            class Meta(Document.Meta):
                registry = namespace.registry

        class Invoice(Paper):
            total: orm.Field[int] = orm.Integer()
            state: orm.Field[str] = orm.String(max_length=20, default=sa.text("'open'"))

        await registry.create_all()
        invoice = await Invoice.objects.create(title="x", total=1)
        assert (invoice.version, invoice.made, invoice.state) == (1, "server", "open")
        other = await Invoice.objects.get()
        before = invoice.changed
        invoice.total = 2
        await invoice.save()
        assert invoice.version == 2
        assert invoice.changed > before
        other.total = 5
        with pytest.raises(orm.StaleInstance, match="no longer has version 1"):
            await other.save()
        with pytest.raises(orm.StaleInstance):
            await other.delete()
        assert (await Invoice.objects.get()).total == 2
        assert await Invoice.objects.all().update(total=7) == 1
        await other.load()
        assert (other.version, other.total) == (3, 7)
        assert await Invoice.objects.bulk_update([other], ["total"]) == 1
        assert (await Paper.objects.get()).version == 4
        made = await Invoice.objects.bulk_create([Invoice(title=f"{n}", total=n) for n in range(3)])
        assert [(one.state, one.made, one.version) for one in made] == [("open", "server", 1)] * 3
        other.total = orm.F("total") + 1
        await other.save()
        assert (other.total, other.version) == (8, 5)
        await other.delete()
        assert await Paper.objects.count() == 3
        await registry.drop_all()


async def test_default_filters_of_a_parent_hold_in_its_heirs(url: str) -> None:
    async with orm.Database(url) as database:
        registry = orm.Registry(database)
        found = _with_filter(registry)
        await registry.create_all()
        await found.Child.objects.create(name="a", more="x")
        await found.Child.objects.create(name="b", more="y", gone=True)
        assert [one.name for one in await found.Child.objects.all()] == ["a"]
        assert await found.Child.objects.filter(more="y").count() == 0
        assert [one.name for one in await found.Child.objects.unfiltered().order_by("name")] == ["a", "b"]
        assert await found.Child.objects.all().update(name="c", more="z") == 1
        assert await found.Parent.objects.filter(found.Child.more == "z").count() == 1
        assert await found.Child.objects.all().delete() == 1
        assert await found.Parent.objects.unfiltered().count() == 1
        await registry.drop_all()


def _with_filter(registry_: orm.Registry) -> Any:
    class Parent(orm.Model):
        id: orm.Field[int] = orm.BigAutoField()
        name: orm.Field[str] = orm.String(max_length=20)
        gone: orm.Field[bool] = orm.Boolean(default=False)

        class Meta:
            registry = registry_
            default_filters = {"there": orm.Q(gone=False)}

    class Child(Parent):
        more: orm.Field[str] = orm.String(max_length=20)

    return SimpleNamespace(Parent=Parent, Child=Child)


async def test_rows_of_a_proxy_are_its_own_whatever_else_they_are(url: str) -> None:
    async with orm.Database(url) as database:
        registry = orm.Registry(database)
        found = declared(registry, "joined")

        class Spot(found.Place):  # type: ignore[misc]
            class Meta(found.Place.Meta):  # type: ignore[misc]
                proxy = True

        class Beach(Spot):
            sand: orm.Field[str] = orm.String(max_length=20)

        class Sandy(found.Restaurant):  # type: ignore[misc]
            class Meta(found.Restaurant.Meta):  # type: ignore[misc]
                proxy = True

        await registry.create_all()
        await found.Place.objects.create(name="park")
        pizza = await found.Pizzeria.objects.create(name="pizza", stars=3)
        await Beach.objects.create(name="beach", sand="white")
        assert [type(row) for row in await Spot.objects.order_by("id")] == [Spot, Spot, Beach]
        assert [type(row) for row in await found.Place.objects.order_by("id")] == [found.Place, found.Pizzeria, Beach]
        assert [(type(row), row.stars) for row in await Sandy.objects.all()] == [(Sandy, 3)]
        assert await Sandy.objects.get() == pizza
        assert await Spot.objects.filter(restaurant__stars=3) == [pizza]
        assert (await Spot.objects.get(beach__sand="white")).sand == "white"
        assert isinstance(await Beach.objects.get(), Spot)
        statement = "SELECT * FROM place ORDER BY id"
        assert [type(row) for row in await Spot.objects.from_statement(statement)] == [Spot, Spot, Beach]
        made = await Spot.objects.create(name="corner")
        assert type(await found.Place.objects.get(name="corner")) is found.Place
        assert made.kind == "place"
        await registry.drop_all()
