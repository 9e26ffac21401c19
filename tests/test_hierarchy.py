"""The tables of models that inherit: their keys and columns, and that migrations see nothing to do in them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

import orm
from orm.registry import Registry
from tests.places import declared
from tests.revising import revising


def keys(table: sa.Table) -> dict[str, tuple[str, str | None]]:
    return {key.parent.name: (key.target_fullname, key.ondelete) for key in table.foreign_keys}


def test_tables_of_joined_models() -> None:
    found = declared(orm.Registry(), "joined")
    assert found.Place.table.c.keys() == ["id", "kind", "name", "tags", "city_id"]
    assert found.Restaurant.table.c.keys() == ["id", "stars", "opened", "chef_id"]
    assert found.Pizzeria.table.c.keys() == ["id", "oven", "menu"]
    assert keys(found.Restaurant.table) == {"id": ("place.id", "CASCADE"), "chef_id": ("chef.id", "CASCADE")}
    assert keys(found.Pizzeria.table) == {"id": ("restaurant.id", "CASCADE")}
    assert found.Pizzeria.table.primary_key.columns.keys() == ["id"]
    assert found.Pizzeria.table.c.id.autoincrement is False
    assert found.Pizzeria.table.primary_key.columns[0].type.compile() == "BIGINT"


def test_the_table_of_single_models() -> None:
    found = declared(orm.Registry(), "single")
    assert found.Pizzeria.table is found.Place.table
    names = ["id", "kind", "name", "tags", "city_id", "stars", "opened", "chef_id", "oven", "menu", "beers"]
    assert found.Place.table.c.keys() == names
    assert keys(found.Place.table) == {"city_id": ("city.id", "CASCADE"), "chef_id": ("chef.id", "CASCADE")}


@pytest.mark.parametrize("way", ["joined", "single"])
def test_a_model_that_comes_after_the_tables(way: str) -> None:
    models = orm.Registry()
    found = declared(models, way)
    before = set(models.metadata.tables)

    class Hotel(found.Place):  # type: ignore[misc]
        beds = orm.Integer(null=True, index=True)

        class Meta(found.Place.Meta):  # type: ignore[misc]
            indexes = [orm.Index("beds", "id")] if way == "joined" else [orm.Index("beds", "name")]

    assert set(models.metadata.tables) - before == ({"hotel"} if way == "joined" else set())
    indexes = {index.name for index in Hotel.table.indexes}
    table = Hotel.table.name
    assert {f"ix_{table}_beds", f"ix_{table}_beds_{'id' if way == 'joined' else 'name'}"} <= indexes


def test_a_model_that_is_refused_after_the_tables_leaves_nothing() -> None:
    models = Registry()

    class Hall(orm.Model):
        kind = orm.String(max_length=20)
        seats = orm.Integer()

        class Meta:
            registry = models
            polymorphic_on = "kind"
            indexes = [orm.Index("seats")]

    def declare(index: str) -> Any:
        class Cinema(Hall):
            screens = orm.Integer(null=True)

            class Meta:
                inheritance = "single"
                indexes = [orm.Index(index)]

        return Cinema

    schema, table = Hall.__schema__, Hall.table
    with pytest.raises(orm.FieldError, match="Cinema has two constraints or indexes with the name 'ix_hall_seats'"):
        declare("seats")
    assert (schema.children, schema.guests) == ([], [])
    assert (table.c.keys(), len(table.indexes)) == (["id", "kind", "seats"], 1)
    cinema = declare("screens")
    assert schema.guests == [cinema.__schema__]
    assert (cinema.table is table, table.c.keys(), len(table.indexes)) == (True, ["id", "kind", "seats", "screens"], 2)


@pytest.mark.parametrize("way", ["joined", "single"])
def test_migrations(own_url: str, way: str) -> None:
    with revising(own_url) as database:
        models = orm.Registry()
        found = declared(models, way)
        created = database.write(models)
        assert not created.empty
        database.upgrade(models, created)
        assert database.write(models).empty
        database.sql("INSERT INTO place (kind, name, tags) VALUES ('place', 'park', '[]')")

        class Hotel(found.Place):  # type: ignore[misc]
            beds = orm.Integer(null=True)

        more = database.upgrade(models)
        assert "beds" in more.text
        assert ("create_table" in more.text) is (way == "joined")
        assert database.write(models).empty
        database.downgrade(models, more)
        assert database.sql("SELECT name FROM place") == [("park",)]
        database.downgrade(models, created)


async def test_other_keys_than_numbers(url: str) -> None:
    async with orm.Database(url) as database:
        models = Registry(database)
        user, thing, special = _keyed(models)
        await models.create_all()
        tom = await user.objects.create(code="tom")
        made = await special.objects.create(user=tom, name="x", more="y")
        assert (made.pk, made.user_id) == ("tom", "tom")
        assert await thing.objects.select_related("user").get() == made
        found = await special.objects.select_related("user").get(user=tom)
        assert (found.user.code, found.more) == ("tom", "y")
        found.name, found.more = "a", "b"
        await found.save()
        assert await special.objects.filter(user__code="tom").values_list("name", "more") == [("a", "b")]
        assert await special.objects.all().update(name="c", more="d") == 1
        await found.delete()
        assert await thing.objects.count() == 0
        await models.drop_all()


def _keyed(models: Registry) -> tuple[Any, Any, Any]:
    class User(orm.Model):
        code = orm.String(max_length=20, primary_key=True)

        class Meta:
            registry = models

    class Thing(orm.Model):
        user = orm.OneToOne("User", primary_key=True, on_delete=orm.CASCADE)
        name = orm.String(max_length=20)

        class Meta:
            registry = models

    class Special(Thing):
        more = orm.String(max_length=20)

    return User, Thing, Special


async def test_keys_of_several_fields(url: str) -> None:
    async with orm.Database(url) as database:
        models = Registry(database)
        flight, charter, bag = _flights(models)
        await models.create_all()
        await flight.objects.create(origin="JFK", hour=1)
        made = await charter.objects.create(origin="LGA", hour=2, price=3)
        assert made.pk == ("LGA", 2)
        assert [type(one) for one in await flight.objects.order_by("hour")] == [flight, charter]
        made.name, made.price = "x", 4
        await made.save()
        assert (await charter.objects.get(pk=("LGA", 2))).name == "x"
        assert await charter.objects.filter(price=4).update(name="y", price=5) == 1
        await bag.objects.create(flight=made)
        found = await bag.objects.select_related("flight").get(flight__charter__price=5)
        assert (found.flight, found.flight.price, found.flight.name) == (made, 5, "y")
        assert await made.bags == [found]
        assert await charter.objects.filter(bags__id=found.id) == [made]
        others = await charter.objects.bulk_create([charter(origin=f"{n}", hour=n, price=n) for n in range(3)])
        for one in others:
            one.name, one.price = "z", 9
        assert await charter.objects.bulk_update(others, ["name", "price"]) == 3
        assert await charter.objects.filter(name="z", price=9).delete() == 3
        await made.delete()
        assert await flight.objects.count() == 1
        await models.drop_all()


def _flights(models: Registry) -> tuple[Any, Any, Any]:
    class Flight(orm.Model):
        pk = orm.CompositePrimaryKey("origin", "hour")
        origin = orm.String(max_length=10)
        hour = orm.Integer()
        kind = orm.String(max_length=10)
        name = orm.String(max_length=10, null=True)
        code = orm.Integer(unique=True, null=True)

        class Meta:
            registry = models
            polymorphic_on = "kind"

    class Charter(Flight):
        price = orm.Integer()

    class Bag(orm.Model):
        id = orm.BigAutoField()
        origin = orm.String(max_length=10)
        hour = orm.Integer()
        flight = orm.ForeignKey("Flight", from_fields=("origin", "hour"), on_delete=orm.CASCADE, related_name="bags")

        class Meta:
            registry = models

    return Flight, Charter, Bag


def test_a_key_to_a_field_in_another_table() -> None:
    models = Registry()
    _, charter, _ = _flights(models)

    def declare() -> Any:
        class Ticket(orm.Model):
            charter = orm.ForeignKey("Charter", to_field="code")

            class Meta:
                registry = models

        return Ticket.table

    with pytest.raises(orm.FieldError, match=r"Ticket\.charter refers to Charter\.code"):
        declare()
    assert charter.__schema__.unique_sets() == [charter.__schema__.keys]


async def test_violated_constraints_of_several_tables(url: str) -> None:
    async with orm.Database(url) as database:
        models = Registry(database)
        found = declared(models, "joined")
        await models.create_all()
        with pytest.raises(orm.ForeignKeyViolation) as caught:
            await found.Restaurant.objects.create(name="x", stars=1, chef_id=12345)
        assert (caught.value.model, caught.value.fields) == ("Restaurant", ("chef",))
        with pytest.raises(orm.ForeignKeyViolation) as caught:
            await found.Restaurant.objects.create(name="x", stars=1, city_id=12345)
        assert (caught.value.model, caught.value.fields) == ("Place", ("city",))
        await models.drop_all()
