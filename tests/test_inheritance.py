"""Joined and single inheritance: rows are given as what they are, in one query, and written where they belong."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm.functions import Lower
from tests.databases import created
from tests.places import declared
from tests.recorder import Recorder

WAYS = ["joined", "single"]
NAMES = ["park", "resto", "pizza", "pub"]


@pytest_asyncio.fixture(params=WAYS)
async def world(request: pytest.FixtureRequest, url: str) -> AsyncIterator[Any]:
    """The models, and one row of each class."""
    recorder = Recorder()
    async with orm.Database(url, max_size=5, observers=[recorder]) as database:
        models = orm.Registry(database)
        found = declared(models, request.param)
        found.way, found.recorder, found.database, found.models = request.param, recorder, database, models
        await models.create_all()
        found.rome = await found.City.objects.create(name="Rome")
        found.anna = await found.Chef.objects.create(name="Anna")
        found.park = await found.Place.objects.create(name="park", city=found.rome)
        found.resto = await found.Restaurant.objects.create(name="resto", stars=2, city=found.rome, chef=found.anna)
        found.pizza = await found.Pizzeria.objects.create(name="pizza", stars=3, oven="wood", menu={"a": 1})
        found.pub = await found.Bar.objects.create(name="pub", beers=12, city=found.rome)
        for place in (found.park, found.resto, found.pizza, found.pub):
            await found.Visit.objects.create(place=place, plates=place.id)
        recorder.clear()
        yield found
        await models.drop_all()


def classes(rows: Any) -> list[str]:
    return [type(row).__name__ for row in rows]


ALL = ["Place", "Restaurant", "Pizzeria", "Bar"]


async def test_rows_are_given_as_what_they_are_in_one_query(world: Any) -> None:
    places = await world.Place.objects.order_by("id")
    assert classes(places) == ALL
    assert world.recorder.count == 1
    tables = world.recorder.events[0].info.tables
    assert set(tables) == ({"place", "restaurant", "pizzeria", "bar"} if world.way == "joined" else {"place"})
    assert [place.name for place in places] == NAMES
    assert [place.title() for place in places[1:3]] == ["the resto with 2 stars", "the pizza with 3 stars"]
    assert places[2].oven == "wood"
    assert places[2].menu == {"a": 1}
    assert places[3].beers == 12
    assert all(place.loaded for place in places)
    assert isinstance(places[2], world.Restaurant)
    assert isinstance(places[2], world.Place)


async def test_a_model_gives_its_own_rows_and_those_of_its_heirs(world: Any) -> None:
    assert classes(await world.Restaurant.objects.order_by("id")) == ["Restaurant", "Pizzeria"]
    assert classes(await world.Pizzeria.objects.all()) == ["Pizzeria"]
    assert await world.Restaurant.objects.count() == 2
    assert await world.Place.objects.count() == 4
    assert await world.Bar.objects.filter(name="resto").exists() is False
    with pytest.raises(world.Bar.DoesNotExist):
        await world.Bar.objects.get(pk=world.resto.id)
    with pytest.raises(world.Place.DoesNotExist):  # which is the parent's, too
        await world.Bar.objects.get(pk=world.resto.id)
    assert type(await world.Place.objects.get(pk=world.pizza.id)) is world.Pizzeria
    assert type(await world.Place.objects.last()) is world.Bar
    assert classes([place async for place in world.Place.objects.order_by("id")]) == ALL
    assert classes((await world.Place.objects.order_by("id").paginate(per_page=3)).items) == ALL[:3]
    assert classes((await world.Place.objects.order_by("name").cursor_paginate(per_page=2)).items) == [
        "Place",
        "Pizzeria",
    ]


async def test_select_related_and_prefetch_related_give_the_classes_too(world: Any) -> None:
    visits = await world.Visit.objects.select_related("place__city").order_by("id")
    assert world.recorder.count == 1
    assert classes(visit.place for visit in visits) == ALL
    assert visits[1].place.city.name == "Rome"
    assert visits[2].place.city is None
    assert visits[2].place.oven == "wood"
    world.recorder.clear()
    visits = await world.Visit.objects.prefetch_related("place__city").order_by("id")
    assert world.recorder.count == 3
    assert classes(visit.place for visit in visits) == ALL
    assert visits[3].place.city.name == "Rome"
    city = await world.City.objects.prefetch_related("places__visits").get(pk=world.rome.id)
    assert sorted(classes(city.places)) == ["Bar", "Place", "Restaurant"]
    assert all(len(place.visits) == 1 for place in city.places)
    assert all(place.city is city for place in city.places)


async def test_relations_of_heirs_are_read_with_rows_of_a_parent(world: Any) -> None:
    Place, Restaurant = world.Place, world.Restaurant
    for query, statements in (
        (Place.objects.select_related("restaurant__chef", "city"), 1),
        (Place.objects.select_related(Restaurant.chef, Place.city), 1),
        (Place.objects.prefetch_related("restaurant__chef", "city"), 3),
    ):
        world.recorder.clear()
        park, resto, pizza, pub = await query.order_by("id")
        assert world.recorder.count == statements
        assert (resto.chef.name, pizza.chef) == ("Anna", None)
        assert (park.city.name, pub.city.name) == ("Rome", "Rome")
        assert "chef" not in vars(park)
        assert "chef" not in vars(pub)
    await world.Visit.objects.filter(place=world.pizza).update(meal_at=world.pizza)
    places = await Place.objects.prefetch_related("restaurant__meals").order_by("id")
    assert [len(place.meals) for place in places[1:3]] == [0, 1]
    visits = await world.Visit.objects.select_related("place__restaurant__chef").order_by("id")
    assert visits[1].place.chef.name == "Anna"
    assert world.recorder.count
    visits = await world.Visit.objects.prefetch_related("place__restaurant__chef").order_by("id")
    assert visits[1].place.chef.name == "Anna"
    with pytest.raises(orm.FieldError, match="Place has no relation 'restaurant'"):
        Place.objects.select_related("restaurant")
    with pytest.raises(orm.FieldError, match="Restaurant has no relation 'name'"):
        Place.objects.prefetch_related("restaurant__name")
    with pytest.raises(orm.FieldError, match="Place has no relation 'restaurant'"):
        Place.objects.prefetch_related("restaurant")
    with pytest.raises(orm.FieldError, match="starts from Restaurant, but the query is about Bar"):
        world.Bar.objects.select_related(Restaurant.chef)


async def test_relations_of_a_parent_are_its_heirs(world: Any) -> None:
    pizza = await world.Pizzeria.objects.get(pk=world.pizza.id)
    assert [visit.plates for visit in await pizza.visits] == [pizza.id]
    await pizza.visits.create(plates=7)
    assert await pizza.visits.count() == 2
    guide = await world.Guide.objects.create(name="red")
    await pizza.guides.add(guide)
    assert [one.name for one in await pizza.guides] == ["red"]
    assert await guide.places == [pizza]
    assert classes(await guide.places) == ["Pizzeria"]
    assert await world.Pizzeria.objects.filter(guides__name="red").count() == 1
    assert await world.Restaurant.objects.filter(visits__plates=7) == [pizza]
    assert await world.Restaurant.objects.exclude(visits__plates=7) == [world.resto]
    loaded = await world.Restaurant.objects.select_related("city", "chef").order_by("id")
    assert loaded[0].city.name == "Rome"
    assert loaded[0].chef.name == "Anna"
    assert loaded[1].chef is None
    loaded = await world.Restaurant.objects.prefetch_related("city", "guides", "visits", "chef").order_by("id")
    assert loaded[0].city.name == "Rome"
    assert [one.name for one in loaded[1].guides] == ["red"]
    assert [len(one.visits) for one in loaded] == [1, 2]


async def test_relations_to_and_from_an_heir(world: Any) -> None:
    visit = await world.Visit.objects.get(place=world.resto)
    visit.meal_at = world.resto
    await visit.save()
    await world.Visit.objects.filter(place=world.pizza).update(meal_at=world.pizza)
    visits = await world.Visit.objects.select_related("meal_at").order_by("id")
    assert [visit.meal_at and type(visit.meal_at).__name__ for visit in visits] == [
        None,
        "Restaurant",
        "Pizzeria",
        None,
    ]
    assert visits[2].meal_at.name == "pizza"
    assert await world.Visit.objects.filter(meal_at__name="pizza", meal_at__stars=3).count() == 1
    assert await world.Visit.objects.filter(meal_at__visits__plates__gt=0).count() == 2
    assert await world.resto.meals == [visit]
    assert await world.anna.restaurants == [world.resto]
    assert await world.Chef.objects.filter(restaurants__name="resto").count() == 1
    with pytest.raises(orm.FieldError, match=r"Visit\.meal_at takes an instance of Restaurant"):
        visit.meal_at = world.pub
    assert (await world.Visit.objects.filter(meal_at__isnull=True).count()) == 2


async def test_fields_of_heirs_in_queries_of_a_parent(world: Any) -> None:
    Place, Restaurant, Pizzeria, Bar = world.Place, world.Restaurant, world.Pizzeria, world.Bar
    for query in (
        Place.objects.filter(Restaurant.stars > 1),
        Place.objects.filter(restaurant__stars__gt=1),
        Place.objects.filter(orm.Q(restaurant__stars=2) | orm.Q(pizzeria__oven="wood")),
        Place.objects.filter((Restaurant.stars == 2) | (Pizzeria.oven == "wood")),
        Place.objects.filter(restaurant__pizzeria__oven="wood").union(Place.objects.filter(name="resto")),
        Place.objects.exclude(orm.Q(name="park") | (Bar.beers > 1)),
    ):
        assert classes(await query.order_by("id")) == ["Restaurant", "Pizzeria"], str(query)
    assert await Place.objects.filter(Pizzeria.menu["a"] == 1) == [world.pizza]
    assert await Place.objects.filter(Restaurant.name == "resto", Restaurant.stars == 2) == [world.resto]
    assert await Place.objects.filter(Restaurant.chef.name == "Anna") == [world.resto]
    assert await Place.objects.filter(restaurant__chef__name="Anna") == [world.resto]
    assert await Restaurant.objects.filter(Place.name == "pizza") == [world.pizza]
    assert await Pizzeria.objects.filter(Place.city.name == "Rome") == []
    assert await Restaurant.objects.filter(Place.visits.plates > 0, Restaurant.stars.is_in([2])) == [world.resto]
    assert [p.name for p in await Place.objects.order_by(orm.F("restaurant__stars").desc(nulls="last"), "name")] == [
        "pizza",
        "resto",
        "park",
        "pub",
    ]
    assert await Place.objects.order_by("id").values_list("name", "bar__beers", Restaurant.stars) == [
        ("park", None, None),
        ("resto", None, 2),
        ("pizza", None, 3),
        ("pub", 12, None),
    ]
    found = await Place.objects.annotate(better=Restaurant.stars + 1, small=Lower("name")).order_by("id")
    assert [(type(p).__name__, p.better, p.small) for p in found][2] == ("Pizzeria", 4, "pizza")
    assert await Restaurant.objects.filter(Restaurant.stars > Place.id).count() == 0
    with pytest.raises(orm.FieldError, match="is about City, but the query is about Place"):
        Place.objects.filter(world.City.name == "Rome")
    with pytest.raises(orm.FieldError, match="is about Bar, but the query is about Restaurant"):
        Restaurant.objects.filter(Bar.beers > 1)
    with pytest.raises(orm.FieldError, match="Restaurant has no field 'bar'"):
        Restaurant.objects.filter(bar__beers=1)


async def test_aggregates_and_values_over_several_tables(world: Any) -> None:
    Restaurant = world.Restaurant
    values = await Restaurant.objects.order_by("id").values("name", "stars", "city__name")
    assert values == [
        {"name": "resto", "stars": 2, "city__name": "Rome"},
        {"name": "pizza", "stars": 3, "city__name": None},
    ]
    assert set((await Restaurant.objects.values())[0]) == set(Restaurant.__schema__.fields)
    assert await Restaurant.objects.aggregate(n=orm.Count("*"), last=orm.Max("name"), stars=orm.Sum("stars")) == {
        "n": 2,
        "last": "resto",
        "stars": 5,
    }
    groups = (
        await Restaurant.objects.order_by("city__name")
        .values("city__name")
        .annotate(total=orm.Sum("stars"), plates=orm.Sum("visits__plates"), names=orm.Count("name"))
    )
    assert {row["city__name"]: (row["total"], row["plates"], row["names"]) for row in groups} == {
        "Rome": (2, 2, 1),
        None: (3, 3, 1),
    }
    counted = await world.City.objects.annotate(n=orm.Count("places"), beers=orm.Sum("places__bar__beers"))
    assert [(city.n, city.beers) for city in counted] == [(3, 12)]
    inner = Restaurant.objects.filter(name=orm.OuterRef("name")).values("stars")
    found = await world.Place.objects.annotate(s=orm.Subquery(inner)).order_by("id")
    assert [place.s for place in found] == [None, 2, 3, None]
    assert await world.Place.objects.filter(orm.Exists(Restaurant.objects.filter(pk=orm.OuterRef("pk")))).count() == 2
    assert await world.Visit.objects.filter(place__in=Restaurant.objects.filter(name="resto").values("pk")).count() == 1


async def test_only_and_defer(world: Any) -> None:
    Place = world.Place
    resto = (await Place.objects.only("name").order_by("id"))[1]
    assert type(resto) is world.Restaurant
    assert resto.name == "resto"
    assert resto.kind == "restaurant"
    with pytest.raises(orm.NotLoaded, match="stars"):
        _ = resto.stars
    await resto.load("stars", "city_id")
    assert (resto.stars, resto.city_id) == (2, world.rome.id)
    resto = (await Place.objects.only("name", world.Restaurant.stars).order_by("id"))[1]
    assert resto.stars == 2
    with pytest.raises(orm.NotLoaded):
        _ = resto.opened
    pizza = await Place.objects.defer("name", "pizzeria__oven").get(pk=world.pizza.id)
    assert pizza.menu == {"a": 1}
    for name in ("name", "oven"):
        with pytest.raises(orm.NotLoaded):
            getattr(pizza, name)
    await pizza.load()
    assert (pizza.name, pizza.oven, pizza.stars) == ("pizza", "wood", 3)
    resto = await world.Restaurant.objects.only("name").get(pk=world.resto.id)
    assert resto.name == "resto"
    with pytest.raises(orm.NotLoaded):
        _ = resto.city_id
    visit = await world.Visit.objects.select_related("place").only("plates", "place__name").get(place=world.pizza)
    assert type(visit.place) is world.Pizzeria
    assert visit.place.name == "pizza"
    with pytest.raises(orm.NotLoaded):
        _ = visit.place.oven


# ---------------------------------------------------------------- writing


async def test_saving_touches_the_tables_concerned(world: Any) -> None:
    pizza = await world.Place.objects.get(pk=world.pizza.id)

    def tables(statements: list[str]) -> list[str]:
        return [name for name in ("place", "restaurant", "pizzeria") if any(f"UPDATE {name} " in s for s in statements)]

    joined = world.way == "joined"
    for changes, wanted in (
        ({"name": "Da Anna"}, ["place"]),
        ({"stars": 4}, ["restaurant"]),
        ({"oven": "gas", "name": "Da Bo"}, ["place", "pizzeria"]),
    ):
        for name, value in changes.items():
            setattr(pizza, name, value)
        world.recorder.clear()
        await pizza.save()
        assert tables([one.sql for one in world.recorder.events]) == (wanted if joined else ["place"])
        world.recorder.clear()
        await pizza.save()
        assert world.recorder.count == 0
    pizza.tags.append("cheap")
    pizza.menu["b"] = 2
    await pizza.save()
    again = await world.Pizzeria.objects.get(pk=pizza.id)
    assert (again.name, again.stars, again.oven, again.tags, again.menu) == (
        "Da Bo",
        4,
        "gas",
        ["cheap"],
        {"a": 1, "b": 2},
    )
    again.stars = orm.F("stars") + 1
    again.name = orm.functions.Concat("name", orm.Value("!"))
    await again.save()
    assert (again.stars, again.name) == (5, "Da Bo!")
    await again.update(stars=6)
    assert (await world.Place.objects.get(pk=pizza.id)).stars == 6


async def test_a_row_is_written_whole_or_not_at_all(world: Any) -> None:
    before = await world.Place.objects.count()
    with pytest.raises(orm.ValidationError):
        await world.Restaurant.objects.create(name="x", stars="many")
    if world.way == "joined":
        with pytest.raises(orm.IntegrityError):  # in the second table
            await world.Restaurant.objects.create(name="x", stars=1, chef_id=12345)
        with pytest.raises(orm.IntegrityError):
            await world.Restaurant.objects.bulk_create([world.Restaurant(name="x", stars=1, chef_id=12345)])
    assert await world.Place.objects.count() == before
    resto = world.resto
    resto.name, resto.chef_id = "new name", 12345
    with pytest.raises(orm.IntegrityError):
        await resto.save()
    assert (await world.Place.objects.get(pk=resto.id)).name == "resto"


async def test_bulk_writes(world: Any) -> None:
    Pizzeria, Restaurant, Place = world.Pizzeria, world.Restaurant, world.Place
    made = await Pizzeria.objects.bulk_create(
        [Pizzeria(name=f"p{n}", stars=n, oven="wood") for n in range(5)], chunk_size=2
    )
    assert [type(one) for one in await Place.objects.filter(name__startswith="p", pizzeria__stars__lt=5)]
    for one in made:
        one.name, one.oven = f"{one.name}!", "gas"
    assert await Pizzeria.objects.bulk_update(made, ["name", "oven"]) == 5
    found = await Pizzeria.objects.filter(oven="gas").order_by("stars")
    assert [(one.name, one.stars, one.id) for one in found] == [(f"p{n}!", n, made[n].id) for n in range(5)]
    assert await Pizzeria.objects.bulk_update(made, ["stars"]) == 5
    assert await Restaurant.objects.filter(oven_is(world, "gas")).update(stars=orm.F("stars") + 1, name="same") == 5
    assert await Restaurant.objects.filter(name="same", stars__gt=0).count() == 5
    # The conditions are about what is set.
    assert await Restaurant.objects.filter(name="same", stars=1).update(name="other", stars=9) == 1
    assert await Place.objects.filter(restaurant__stars=9).values_list("name", flat=True) == ["other"]
    assert await Restaurant.objects.order_by("-stars")[:2].update(name="top") == 2
    assert await Restaurant.objects.filter(name="top").count() == 2
    assert await Restaurant.objects.filter(city__name="Rome").update(name="roman") == 1
    assert await Place.objects.filter(visits__plates__gte=1, name="roman").update(name="visited") == 1
    assert await Pizzeria.objects.filter(oven="gas").delete() == 5
    assert await Place.objects.count() == 4
    assert await Restaurant.objects.filter(stars__lt=0).update(name="x", stars=1) == 0


async def test_bulk_writes_of_several_classes(world: Any) -> None:
    Place, Restaurant, Pizzeria, Bar = world.Place, world.Restaurant, world.Pizzeria, world.Bar
    made = [Place(name="n0"), Restaurant(name="n1", stars=1), Bar(name="n2", beers=2), Pizzeria(name="n3", stars=3)]
    assert await Place.objects.bulk_create(made) == made
    found = await Place.objects.filter(name__startswith="n").order_by("name")
    assert classes(found) == ["Place", "Restaurant", "Bar", "Pizzeria"]
    assert found == made
    assert (found[1].stars, found[2].beers, found[3].stars) == (1, 2, 3)
    for place in found:
        place.name = place.name.upper()
    assert await Place.objects.bulk_update(found, ["name"]) == 4
    assert await Place.objects.filter(name__in=["N0", "N1", "N2", "N3"]).count() == 4
    with pytest.raises(orm.FieldError, match="cannot take"):
        await Restaurant.objects.bulk_create([Bar(name="x")])
    with pytest.raises(orm.FieldError, match="looks for conflicts of its own rows only, not of <Bar"):
        await Place.objects.bulk_create([Place(name="y"), Bar(name="x")], ignore_conflicts=True)
    places = await world.rome.places.bulk_create([Bar(name="b"), Place(name="p")])
    assert [place.city_id for place in places] == [world.rome.id] * 2
    page = await Restaurant.objects.order_by("-name").cursor_paginate(per_page=2)
    assert [place.name for place in page.items] == ["resto", "pizza"]
    page = await Restaurant.objects.order_by("-name").cursor_paginate(after=page.next_cursor, per_page=2)
    assert [place.name for place in page.items] == ["N3", "N1"]
    page = await Place.objects.order_by(orm.F("restaurant__stars").asc(nulls="first"), "id").cursor_paginate(per_page=5)
    rest = await Place.objects.order_by(orm.F("restaurant__stars").asc(nulls="first"), "id").cursor_paginate(
        after=page.next_cursor, per_page=5
    )
    stars = [getattr(place, "stars", None) for place in (*page.items, *rest.items)]
    assert stars == [None, None, None, None, None, None, 1, 2, 3, 3]
    assert len(await Restaurant.objects.order_by("name").distinct().values("name")) == 4
    streamed = [place async for place in Place.objects.order_by("id").iterate(chunk_size=3)]
    assert classes(streamed[:4]) == ALL


async def test_queries_that_are_compiled_once(world: Any) -> None:
    find = world.Place.objects.filter(restaurant__stars__gte=orm.Param("stars")).order_by("id").compiled()
    assert classes(await find(stars=2)) == ["Restaurant", "Pizzeria"]
    assert classes(await find(stars=3)) == ["Pizzeria"]
    rows = await world.Restaurant.objects.filter(name=orm.Param("name")).compiled()(name="resto")
    assert rows == [world.resto]


def oven_is(world: Any, value: str) -> Any:
    return world.Pizzeria.oven == value


async def test_an_update_reads_what_was_there_before(world: Any) -> None:
    Pizzeria = world.Pizzeria
    assert await Pizzeria.objects.all().update(name=orm.F("oven")) == 1
    assert (await Pizzeria.objects.get()).name == "wood"
    assert await Pizzeria.objects.all().update(oven=orm.F("name")) == 1
    if world.way == "joined":
        with pytest.raises(orm.FieldError, match=r"Pizzeria\.oven cannot be set to name while name, in another table"):
            await Pizzeria.objects.all().update(name="x", oven=orm.F("name"))


async def test_deleting_takes_the_whole_row(world: Any) -> None:
    await world.pizza.delete()
    assert await world.Place.objects.filter(pk=world.pizza.id).exists() is False
    if world.way == "joined":
        for table in ("place", "restaurant", "pizzeria"):
            sql = f"SELECT count(*) FROM {table} WHERE id = :id"
            assert await world.database.fetch_val(sql, {"id": world.pizza.id}) == 0
    with pytest.raises(orm.StaleInstance):
        await (await _lost(world)).delete()
    assert await world.Restaurant.objects.filter(name="resto").delete() == 1
    assert classes(await world.Place.objects.order_by("id")) == ["Place", "Bar"]
    assert await world.Restaurant.objects.all().delete() == 0
    assert await world.Place.objects.all().delete() == 2


async def _lost(world: Any) -> Any:
    """An instance whose row somebody else has deleted."""
    resto = await world.Restaurant.objects.create(name="lost", stars=1)
    await world.Place.objects.filter(pk=resto.id).delete()
    resto.stars = 3
    with pytest.raises(orm.StaleInstance):
        await resto.save()
    return resto


async def test_get_or_create_and_update_or_create(world: Any) -> None:
    Restaurant = world.Restaurant
    found, created = await Restaurant.objects.get_or_create({"stars": 5}, name="resto")
    assert (found, created, found.stars) == (world.resto, False, 2)
    found, created = await Restaurant.objects.get_or_create({"stars": 5}, name="new")
    assert (created, found.stars, found.kind) == (True, 5, "restaurant")
    found, created = await Restaurant.objects.update_or_create({"stars": 1, "tags": ["x"]}, name="new")
    assert (created, found.stars, found.tags) == (False, 1, ["x"])
    again = await world.Place.objects.get(name="new")
    assert (type(again), again.stars, again.tags) == (Restaurant, 1, ["x"])
    found, created = await Restaurant.objects.get_or_create({"name": "by key", "stars": 1}, id=500)
    assert (created, found.pk) == (True, 500)
    assert (await Restaurant.objects.in_bulk([500]))[500].name == "by key"
    if world.way == "joined":
        with pytest.raises(orm.FieldError, match="cannot look for conflicts: its rows lie in several tables"):
            await Restaurant.objects.bulk_create([Restaurant(name="x", stars=1)], ignore_conflicts=True)
        with pytest.raises(orm.FieldError, match="rows of one table"):
            Restaurant.objects.all().returning("stars")
    with pytest.raises(orm.FieldError, match="several"):
        world.Place.objects.all().returning()


async def test_locks(world: Any) -> None:
    async with world.database.transaction():
        assert classes(await world.Place.objects.select_for_update().order_by("id")) == ALL
        assert len(await world.Restaurant.objects.select_for_update()) == 2
        assert len(await world.Restaurant.objects.claim(1)) == 1


async def test_what_is_written_in_a_transaction_is_rolled_back(world: Any) -> None:
    async def write() -> None:
        async with world.database.transaction():
            await world.Pizzeria.objects.create(name="gone", stars=1)
            await world.Restaurant.objects.all().update(name="gone", stars=0)
            raise KeyError

    with pytest.raises(KeyError):
        await write()
    assert await world.Place.objects.filter(name="gone").count() == 0
    await asyncio.gather(*[world.Pizzeria.objects.create(name=f"n{n}", stars=n) for n in range(8)])
    assert await world.Pizzeria.objects.filter(name__startswith="n").count() == 8


# ---------------------------------------------------------------- identity


async def test_instances_of_one_row_are_equal_whatever_their_class(world: Any) -> None:
    pizza = await world.Place.objects.get(pk=world.pizza.id)
    assert pizza == world.pizza == world.Place.reference(pizza.id) == world.Restaurant.reference(pizza.id)
    assert len({pizza, world.Place.reference(pizza.id), world.Restaurant.reference(pizza.id)}) == 1
    assert world.pizza != world.resto
    assert world.Place.reference(world.rome.id) != world.rome
    sparse = world.Place.reference(pizza.id)
    assert type(sparse) is world.Place  # a reference is of the class that was asked, whatever its row is
    await sparse.load()
    assert sparse.name == "pizza"
    assert (await world.Restaurant.reference(pizza.id).load()).stars == 3
    if world.way == "joined":
        with pytest.raises(world.Bar.DoesNotExist):
            await world.Bar.reference(pizza.id).load()
    visit = await world.Visit.objects.get(place=pizza)
    assert visit.place == pizza
    assert await world.Place.objects.contains(pizza)
    assert await world.Restaurant.objects.contains(pizza)
    with pytest.raises(orm.FieldError, match="cannot contain"):
        await world.Restaurant.objects.contains(world.pub)


async def test_the_class_of_a_row_does_not_change(world: Any) -> None:
    resto = world.resto
    resto.kind = "bar"
    with pytest.raises(orm.ValidationError, match="it is 'restaurant' in the rows of Restaurant"):
        await resto.save()
    with pytest.raises(orm.FieldError, match=r"Place\.kind tells the class of a row, which cannot change"):
        await world.Place.objects.filter(name="x").update(kind="bar")
    with pytest.raises(orm.ValidationError, match="it is 'place' in the rows of Place"):
        await world.Place.objects.create(name="x", kind="bar")
    assert (await world.Bar.objects.create(name="x", kind="bar")).kind == "bar"


async def test_a_class_that_nobody_declared(world: Any) -> None:
    await world.database.execute("UPDATE place SET kind = 'zoo' WHERE name = 'pub'")
    with pytest.raises(orm.DataError, match=rf"The row of Place with id={world.pub.id} has kind='zoo'.*'pizzeria'"):
        await world.Place.objects.all()
    with pytest.raises(orm.DataError, match="kind='zoo'"):
        await world.Visit.objects.select_related("place")
    assert classes(await world.Restaurant.objects.order_by("id")) == ["Restaurant", "Pizzeria"]
    assert await world.Place.objects.filter(name="pub").values_list("kind", flat=True) == ["zoo"]


async def test_a_model_that_is_declared_later(world: Any) -> None:
    assert len(await world.Place.objects.all()) == 4
    way = world.way

    class Hotel(world.Place):  # type: ignore[misc]
        beds: orm.Field[int | None] = orm.Integer(null=True, index=True)

        class Meta(world.Place.Meta):  # type: ignore[misc]
            inheritance = way

    await world.models.drop_all()
    await world.models.create_all()
    hotel = await Hotel.objects.create(name="Ritz", beds=300)
    assert await world.Place.objects.all() == [hotel]
    assert (await world.Place.objects.get(hotel__beds__gt=200)).beds == 300
    await hotel.delete()


async def test_statements_of_ones_own(world: Any) -> None:
    table = world.Place.table
    rows = await world.Place.objects.from_statement(f"SELECT * FROM {table.name} ORDER BY id")
    assert classes(rows) == ALL
    assert rows[1].name == "resto"
    assert classes(await world.Place.objects.filter(table.c.name == "pub")) == ["Bar"]


@pytest.mark.parametrize("way", WAYS)
def test_pickling(way: str) -> None:
    models = orm.Registry(orm.Database("sqlite:///:memory:"))
    found = declared(models, way)
    module = sys.modules[__name__]
    Pizzeria = found.Pizzeria
    Pizzeria.__module__, Pizzeria.__qualname__ = __name__, "Pizzeria"
    module.Pizzeria = Pizzeria  # type: ignore[attr-defined]
    try:
        pizza = Pizzeria(name="pizza", stars=3, opened=datetime(2020, 1, 1, tzinfo=UTC))
        again = pickle.loads(pickle.dumps(pizza))
        assert (type(again), again.name, again.stars, again.opened) == (Pizzeria, "pizza", 3, pizza.opened)
    finally:
        del module.Pizzeria  # type: ignore[attr-defined]


async def test_related_sets_of_heirs(world: Any) -> None:
    anna = world.anna
    made = await anna.restaurants.create(name="second", stars=1)
    assert (made.chef_id, type(made)) == (anna.id, world.Restaurant)
    assert await anna.restaurants.all().update(name="hers", stars=5) == 2
    assert await world.Place.objects.filter(name="hers", restaurant__stars=5).count() == 2
    await anna.restaurants.add(world.pizza)
    assert classes(await anna.restaurants.order_by("id")) == ["Restaurant", "Pizzeria", "Restaurant"]
    await anna.restaurants.remove(made)
    assert await anna.restaurants.count() == 2
    found, created = await anna.restaurants.get_or_create({"stars": 1}, name="third")
    assert (created, found.chef_id) == (True, anna.id)
    guide = await world.Guide.objects.create(name="red")
    await guide.places.add(world.pizza, world.park, world.pub)
    assert classes(await guide.places.order_by("id")) == ["Place", "Pizzeria", "Bar"]
    guides = await world.Guide.objects.prefetch_related("places")
    assert sorted(classes(guides[0].places)) == ["Bar", "Pizzeria", "Place"]
    assert await anna.restaurants.filter(stars__lt=5).delete() == 2
    assert await world.rome.places.count() == 3
    await world.park.visits.create(plates=3)
    await world.anna.delete()
    assert await world.Restaurant.objects.filter(chef__isnull=False).count() == 0


# ---------------------------------------------------------------- the same in one table as in several

WORDS = {
    "Place": [
        ("name__gte", NAMES), ("name__in", [["park", "pub"], ["resto"]]), ("city__name", ["Rome", "x"]),
        ("city__isnull", [True, False]), ("visits__plates__gt", [1, 2, 3]), ("restaurant__stars__gt", [0, 1, 2]),
        ("restaurant__stars__isnull", [True, False]), ("restaurant__chef__name", ["Anna", "Bo"]),
        ("pizzeria__oven", ["wood", "gas"]), ("pizzeria__oven__isnull", [True, False]), ("bar__beers__lt", [5, 50]),
        ("guides__name", ["red"]), ("restaurant__meals__plates__gte", [1, 3]), ("kind", ["bar", "place"]),
    ],
    "Restaurant": [
        ("name__lt", NAMES), ("stars__gte", [1, 2, 3]), ("city__name", ["Rome"]), ("city__isnull", [True, False]),
        ("chef__name", ["Anna"]), ("chef__isnull", [True, False]), ("visits__plates", [1, 2, 3]),
        ("meals__plates__gt", [0, 2]), ("pizzeria__oven", ["wood"]), ("guides__name", ["red", "blue"]),
    ],
    "Visit": [
        ("place__name", NAMES), ("place__restaurant__stars__gt", [0, 2]), ("place__city__name", ["Rome"]),
        ("meal_at__name", ["resto", "pizza"]), ("meal_at__isnull", [True, False]), ("meal_at__stars", [2, 3]),
        ("place__pizzeria__oven__isnull", [True, False]), ("meal_at__city__name", ["Rome"]), ("plates__gt", [1, 2]),
        ("place__visits__plates", [1, 2]), ("meal_at__guides__name", ["red"]),
    ],
}  # fmt: skip


def random_condition(random: Random, model: str, depth: int = 2) -> orm.Condition:
    if depth == 0 or random.random() < 0.3:
        word, values = random.choice(WORDS[model])
        return orm.Q(**{word: random.choice(values)})
    left, right = (random_condition(random, model, depth - 1) for _ in range(2))
    made = left & right if random.random() < 0.5 else left | right
    return ~made if random.random() < 0.3 else made


async def filled(way: str) -> tuple[Any, orm.Database]:
    database = orm.Database("sqlite:///:memory:")
    await database.connect()
    models = orm.Registry(database)
    found = declared(models, way)
    await models.create_all()
    rome, anna = await found.City.objects.create(name="Rome"), await found.Chef.objects.create(name="Anna")
    places = await found.Place.objects.bulk_create(
        [
            found.Place(name="park", city=rome), found.Place(name="hill"),
            found.Restaurant(name="resto", stars=2, city=rome, chef=anna), found.Restaurant(name="empty", stars=0),
            found.Pizzeria(name="pizza", stars=3, oven="wood", chef=anna), found.Pizzeria(name="cold", stars=1),
            found.Bar(name="pub", beers=12, city=rome), found.Bar(name="dry"),
        ]
    )  # fmt: skip
    for number, place in enumerate(places[:7]):
        meal = place if isinstance(place, found.Restaurant) and number % 2 == 0 else None
        await found.Visit.objects.create(place=place, plates=number % 4, meal_at=meal)
        await found.Visit.objects.create(place=place, plates=number % 3)
    red, blue = [await found.Guide.objects.create(name=name) for name in ("red", "blue")]
    await red.places.add(*places[2:6])
    await blue.places.add(places[0], places[4])
    return found, database


async def test_conditions_mean_the_same_in_one_table_and_in_several() -> None:
    joined, one = await filled("joined")
    single, other = await filled("single")
    random = Random(7)
    seen: set[int] = set()
    for _ in range(250):
        model = random.choice(list(WORDS))
        condition = random_condition(random, model)
        results = []
        for world in (joined, single):
            rows = await getattr(world, model).objects.filter(condition).order_by("id")
            names = [row.plates if model == "Visit" else (type(row).__name__, row.name) for row in rows]
            count = await getattr(world, model).objects.filter(condition).count()
            left = await getattr(world, model).objects.exclude(condition).count()
            results.append((names, count, left))
        assert results[0] == results[1], condition
        assert results[0][1] == len(results[0][0])
        seen.add(results[0][1])
    assert len(seen) > 5
    await one.disconnect()
    await other.disconnect()


async def test_conflicts_over_a_constraint_of_the_shared_table(database: orm.Database) -> None:
    models = orm.Registry()

    class Shelf(orm.Model):
        kind = orm.String(max_length=10)
        row = orm.Integer()
        place = orm.Integer()

        class Meta:
            registry = models
            polymorphic_on = "kind"
            inheritance = "single"
            constraints = [orm.UniqueConstraint("row", "place")]

    class Glass(Shelf):
        panes = orm.Integer(null=True)

    class Cabinet(Glass):
        doors = orm.Integer(null=True)

    async with created(models, database):
        first = await Cabinet.objects.create(row=1, place=1, panes=2)
        made = await Cabinet.objects.bulk_create(
            [Cabinet(row=1, place=1, panes=3), Cabinet(row=1, place=2, panes=4)],
            unique_fields=["row", "place"],
            update_conflicts=True,
            update_fields=["panes"],
        )
        assert made[0].pk == first.pk
        assert await Glass.objects.order_by("place").values_list("kind", "panes") == [("cabinet", 3), ("cabinet", 4)]
        found, is_new = await Cabinet.objects.get_or_create({"panes": 9}, row=1, place=2)
        assert (found.panes, is_new) == (4, False)
