"""What an error says of a violated constraint: which one, of which model, over which fields."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm import F, Q
from orm.database import Database
from tests.databases import created

models = orm.Registry()


class Owner(orm.Model):
    name = orm.String(max_length=50, unique=True, column="full_name")

    class Meta:
        registry = models


class Place(orm.Model):
    name = orm.String(max_length=50)

    class Meta:
        registry = models


class Pet(orm.Model):
    """A model with a constraint of every kind that all engines have."""

    name = orm.String(max_length=50)
    nickname = orm.String(max_length=50, null=True, default=None)
    age = orm.Integer(default=1, column="age_in_years")
    owner = orm.ForeignKey("Owner", on_delete=orm.RESTRICT)
    place = orm.ForeignKey("Place", null=True, default=None, on_delete=orm.NO_ACTION)

    class Meta:
        registry = models
        constraints = [
            orm.UniqueConstraint("owner", "name", violation_message="You have a pet of that name already."),
            orm.CheckConstraint(Q(age__gte=0), name="%(table)s_age", violation_message="Nobody is younger than 0."),
        ]


class Visit(orm.Model):
    pet = orm.ForeignKey("Pet", on_delete=orm.NO_ACTION)

    class Meta:
        registry = models


class Sight(orm.Model):
    place = orm.ForeignKey("Place", on_delete=orm.RESTRICT)

    class Meta:
        registry = models


@pytest_asyncio.fixture
async def pets(database: Database) -> AsyncIterator[Database]:
    async with created(models, database):
        yield database


async def pet(**values: Any) -> Pet:
    owner, _ = await Owner.objects.get_or_create(name="Ann")
    return await Pet.objects.create(**{"name": "Rex", "owner": owner, **values})


def names(error: orm.IntegrityError) -> tuple[str | None, str | None, tuple[str, ...]]:
    return error.constraint, error.model, error.fields


async def test_a_unique_field(pets: Database) -> None:
    await Owner.objects.create(name="Ann")
    with pytest.raises(orm.UniqueViolation, match=r"^Owner\.name: ") as caught:
        await Owner.objects.create(name="Ann")
    assert names(caught.value) == ("uq_owner_full_name", "Owner", ("name",))
    assert caught.value.violation_message is None


async def test_the_key(pets: Database, backend: str) -> None:
    first = await Owner.objects.create(name="Ann")
    with pytest.raises(orm.UniqueViolation, match=r"^Owner\.id: ") as caught:
        await Owner.objects.create(id=first.id, name="Bob")
    expected = "PRIMARY" if backend.startswith("mysql") else "pk_owner"
    assert names(caught.value) == (expected, "Owner", ("id",))


async def test_a_constraint_over_fields_and_what_users_are_told(pets: Database) -> None:
    await pet()
    with pytest.raises(orm.UniqueViolation, match=r"^Pet\.owner, name: ") as caught:
        await pet()
    assert names(caught.value) == ("uq_pet_owner_id_name", "Pet", ("owner", "name"))
    assert caught.value.violation_message == "You have a pet of that name already."
    copy = pickle.loads(pickle.dumps(caught.value))
    assert names(copy) == names(caught.value)
    assert copy.violation_message == caught.value.violation_message


async def test_a_check(pets: Database) -> None:
    rex = await pet()
    for write in (
        lambda: pet(name="Tim", age=-1),
        lambda: rex.update(age=-1),
        lambda: Pet.objects.filter(pk=rex.pk).update(age=F("age") - 5),
        lambda: Pet.objects.bulk_create([Pet(name="a", owner=rex.owner, age=-1)]),
    ):
        with pytest.raises(orm.CheckViolation, match=r"^Pet\.age: ") as caught:
            await write()
        assert names(caught.value) == ("pet_age", "Pet", ("age",))
        assert caught.value.violation_message == "Nobody is younger than 0."


async def test_a_column_without_a_value(pets: Database) -> None:
    rex = await pet()
    with pytest.raises(orm.NotNullViolation, match=r"^Pet\.name: ") as caught:
        await Pet.objects.filter(pk=rex.pk).update(name=F("nickname"))
    assert names(caught.value)[1:] == ("Pet", ("name",))


async def test_a_key_to_no_row(pets: Database, backend: str) -> None:
    with pytest.raises(orm.ForeignKeyViolation, match=r"^Visit\.pet: ") as caught:
        await Visit.objects.create(pet=Pet.reference(7))
    assert names(caught.value) == ("fk_visit_pet_id", "Visit", ("pet",))
    rex = await pet()
    visit = await Visit.objects.create(pet=rex)
    with pytest.raises(orm.ForeignKeyViolation, match=r"^Visit\.pet: ") as caught:
        await visit.update(pet=Pet.reference(rex.pk + 1))
    assert names(caught.value) == ("fk_visit_pet_id", "Visit", ("pet",))
    with pytest.raises(orm.ForeignKeyViolation) as caught:
        await pet(name="Tim", place=Place.reference(7))
    if backend == "sqlite":  # which does not say
        assert str(caught.value) == (
            "Pet: FOREIGN KEY constraint failed; the server does not say which key, one of: Pet.owner, Pet.place"
        )
        assert names(caught.value) == (None, "Pet", ())
    else:
        assert names(caught.value) == ("fk_pet_place_id", "Pet", ("place",))


async def test_a_row_that_is_referred_to(pets: Database, backend: str) -> None:
    rex = await pet(place=await Place.objects.create(name="Park"))
    for delete in (lambda: rex.owner.delete(), lambda: Owner.objects.all().delete()):
        with pytest.raises(orm.ForeignKeyViolation, match=r"^Pet\.owner: ") as caught:
            await delete()
        assert names(caught.value) == ("fk_pet_owner_id", "Pet", ("owner",))
    with pytest.raises(orm.ForeignKeyViolation) as caught:
        await Place.objects.all().delete()
    if backend == "sqlite":
        assert str(caught.value) == (
            "Place: FOREIGN KEY constraint failed; the server does not say which key, one of: Pet.place, Sight.place"
        )
    else:
        assert names(caught.value) == ("fk_pet_place_id", "Pet", ("place",))


async def test_a_chain_of_deletions_is_not_guessed_at(database: Database, backend: str) -> None:
    chain = orm.Registry(database)
    meta = type("Meta", (), {"registry": chain})

    def declare(name: str, **fields: Any) -> Any:
        return type(orm.Model)(name, (orm.Model,), {**fields, "Meta": meta, "__module__": __name__})

    top = declare("Top")
    middle = declare("Middle", top=orm.ForeignKey("Top", on_delete=orm.CASCADE))
    last = declare("Last", middle=orm.ForeignKey("Middle", on_delete=orm.NO_ACTION))
    declare("Other", top=orm.ForeignKey("Top", on_delete=orm.RESTRICT))
    await chain.create_all()
    try:
        one = await top.objects.create()
        await last.objects.create(middle=await middle.objects.create(top=one))
        with pytest.raises(orm.ForeignKeyViolation) as caught:
            await one.delete()
        if backend == "sqlite":
            assert names(caught.value) == (None, "Top", ())
        else:
            assert names(caught.value) == ("fk_last_middle_id", "Last", ("middle",))
    finally:
        await chain.drop_all()


async def test_a_constraint_with_a_condition(database: Database, backend: str) -> None:
    if backend.startswith("mysql"):
        pytest.skip("MySQL has no conditions in constraints")
    registry = orm.Registry(database)
    one = orm.UniqueConstraint("name", name="one_named", condition=Q(live=True), violation_message="Taken.")
    two = orm.UniqueConstraint("code", name="live_code", condition=Q(live=True))
    three = orm.UniqueConstraint("code", name="dead_code", condition=Q(live=False))
    body = {
        "name": orm.String(max_length=9),
        "code": orm.Integer(null=True, default=None),
        "live": orm.Boolean(default=True),
        "Meta": type("Meta", (), {"registry": registry, "constraints": [one, two, three]}),
        "__module__": __name__,
    }
    model: Any = type(orm.Model)("Named", (orm.Model,), body)
    await registry.create_all()
    try:
        await model.objects.create(name="a", code=1)
        with pytest.raises(orm.UniqueViolation) as caught:
            await model.objects.create(name="a")
        assert names(caught.value) == ("one_named", "Named", ("name",))
        assert caught.value.violation_message == "Taken."
        with pytest.raises(orm.UniqueViolation) as caught:
            await model.objects.create(name="b", code=1)
        # SQLite tells the columns of an index without expressions, and here two have the same.
        assert names(caught.value) == (None if backend == "sqlite" else "live_code", "Named", ("code",))
    finally:
        await registry.drop_all()


async def test_what_is_violated_at_the_end_of_a_transaction(postgresql_url: str) -> None:
    registry = orm.Registry()
    unique = orm.UniqueConstraint("name", deferrable="deferred", violation_message="Taken.")
    meta = type("Meta", (), {"registry": registry, "constraints": [unique]})
    model: Any = type(orm.Model)("Late", (orm.Model,), {"name": orm.String(max_length=9), "Meta": meta})
    async with Database(postgresql_url) as database, created(registry, database):
        with pytest.raises(orm.UniqueViolation, match=r"^Late\.name: ") as caught:
            async with database.transaction():
                await model.objects.bulk_create([model(name="a"), model(name="a")])
        assert names(caught.value) == ("uq_late_name", "Late", ("name",))
        assert caught.value.violation_message == "Taken."
        assert await model.objects.count() == 0


async def test_a_registry_makes_itself_known_to_its_database(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        registry = orm.Registry(database)
        assert list(database.explainers) == [registry]


@pytest.mark.parametrize("message", ["", 3])
def test_a_message_is_a_text(message: Any) -> None:
    with pytest.raises(orm.FieldError, match="violation_message of CheckConstraint is a text"):
        orm.CheckConstraint(Q(a=1), name="x", violation_message=message)
