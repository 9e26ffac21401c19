"""Conflicts over constraints with options: which of them rows can be inserted by, and what the instances are then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm import Q
from orm.database import Database
from orm.postgresql import ExclusionConstraint
from tests.databases import created

models = orm.Registry()


class Person(orm.Model):
    """Unique by a condition: SQLite and PostgreSQL have it."""

    name = orm.String(max_length=20)
    place = orm.String(max_length=20, null=True, default=None)
    gone = orm.Boolean(default=False)
    age = orm.Integer(default=0)

    class Meta:
        registry = models
        constraints = [
            orm.UniqueConstraint("name", name="one_living", condition=Q(gone=False) & ~Q(name="it's % nobody")),
            orm.UniqueConstraint("place", name="place_of_living", condition=Q(gone=False)),
            orm.UniqueConstraint("place", name="place_of_gone", condition=Q(gone=True)),
        ]


@pytest_asyncio.fixture
async def people(database: Database, backend: str) -> AsyncIterator[Database]:
    if backend.startswith("mysql"):
        pytest.skip("MySQL has no conditions in constraints")
    async with created(models, database):
        yield database


async def test_an_update_is_of_the_row_that_meets_the_condition(people: Database) -> None:
    dead = await Person.objects.create(name="Ann", gone=True, age=90)
    alive = await Person.objects.create(name="Ann", age=30)
    new = [Person(name="Ann", age=31), Person(name="Bob", age=1), Person(name="Cid", gone=True, age=2)]
    await Person.objects.bulk_create(new, update_conflicts=True, unique_fields=["name"], update_fields=["age"])
    assert new[0].pk == alive.pk
    assert [(p.name, p.gone, p.age) for p in await Person.objects.order_by("id")] == [
        ("Ann", True, 90),
        ("Ann", False, 31),
        ("Bob", False, 1),
        ("Cid", True, 2),
    ]
    assert len({p.pk for p in [dead, *new]}) == 4


async def test_a_row_that_does_not_meet_it_conflicts_with_none(people: Database) -> None:
    await Person.objects.create(name="Ann", age=30)
    new = [Person(name="Ann", gone=True, age=80)]
    await Person.objects.bulk_create(new, update_conflicts=True, unique_fields=["name"], update_fields=["age"])
    assert (new[0].gone, new[0].age) == (True, 80)
    assert await Person.objects.count() == 2


async def test_ignored_rows_stay_as_they_are_and_are_known(people: Database) -> None:
    alive = await Person.objects.create(name="Ann", age=30)
    new = [Person(name="Ann", age=31), Person(name="Bob", age=1)]
    await Person.objects.bulk_create(new, ignore_conflicts=True, unique_fields=["name"])
    assert (new[0].pk, new[0].age) == (alive.pk, 30)
    assert new[1].pk is not None
    gone = [Person(name="Ann", gone=True, age=80)]
    await Person.objects.bulk_create(gone, ignore_conflicts=True, unique_fields=["name"])
    assert gone[0].pk not in (None, alive.pk)
    assert (await Person.objects.get(pk=gone[0].pk)).age == 80
    await Person.objects.bulk_create([Person(name="Ann"), Person(name="Dan")], ignore_conflicts=True)
    assert await Person.objects.filter(name="Ann").count() == 2


async def test_another_constraint_is_not_meant(people: Database) -> None:
    await Person.objects.create(name="Ann", place="Rome")
    with pytest.raises(orm.UniqueViolation):
        await Person.objects.bulk_create(
            [Person(name="Bob", place="Rome")], ignore_conflicts=True, unique_fields=["name"]
        )


async def test_two_for_one_row_are_refused(people: Database) -> None:
    for options in ({"ignore_conflicts": True}, {"update_conflicts": True, "update_fields": ["age"]}):
        with pytest.raises(orm.ValidationError, match="Two instances of Person have name='Ann'"):
            await Person.objects.bulk_create(
                [Person(name="Ann"), Person(name="Ann")], unique_fields=["name"], **options
            )


async def test_conditions_over_the_same_fields_are_not_guessed(people: Database) -> None:
    with pytest.raises(orm.FieldError, match="several unique constraints over place, each with a condition"):
        await Person.objects.bulk_create([Person(name="x")], ignore_conflicts=True, unique_fields=["place"])


async def test_get_or_create_is_safe_with_a_condition(people: Database) -> None:
    await Person.objects.create(name="Ann", gone=True)
    found = await asyncio.gather(*[Person.objects.get_or_create(name="Ann", gone=False) for _ in range(4)])
    assert sorted(created for _, created in found) == [False, False, False, True]
    assert len({person.pk for person, _ in found}) == 1
    person, created = await Person.objects.update_or_create({"age": 5}, name="Ann", gone=False)
    assert (person.age, created) == (5, False)
    with pytest.raises(orm.MultipleObjectsReturned):
        await Person.objects.get_or_create(name="Ann")
    with pytest.raises(orm.UniqueViolation):
        await Person.objects.get_or_create(name="Ann", age=77, defaults={"gone": False})


def declare(registry: orm.Registry, *constraints: Any) -> Any:
    body = {
        "a": orm.Integer(null=True, default=None),
        "b": orm.Integer(default=0),
        "Meta": type("Meta", (), {"registry": registry, "constraints": constraints}),
        "__module__": __name__,
    }
    return type(orm.Model)("Pair", (orm.Model,), body)


async def test_nulls_that_are_equal_conflict(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        registry = orm.Registry(database)
        pair = declare(registry, orm.UniqueConstraint("a", nulls_distinct=False))
        await registry.create_all()
        try:
            first = await pair.objects.create(a=None, b=1)
            new = [pair(a=None, b=2), pair(a=1, b=3)]
            await pair.objects.bulk_create(new, ignore_conflicts=True, unique_fields=["a"])
            assert (new[0].pk, new[0].b) == (first.pk, 1)
            await pair.objects.bulk_create(
                [pair(a=None, b=9)], update_conflicts=True, unique_fields=["a"], update_fields=["b"]
            )
            assert (await pair.objects.get(a=None)).b == 9
            with pytest.raises(orm.ValidationError, match="Two instances of Pair have a=None"):
                await pair.objects.bulk_create(
                    [pair(a=None), pair(a=None)], update_conflicts=True, unique_fields=["a"], update_fields=["b"]
                )
            found, created = await pair.objects.get_or_create(a=None)
            assert (found.pk, created) == (first.pk, False)
        finally:
            await registry.drop_all()


async def test_a_deferrable_constraint_is_no_conflict(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        registry = orm.Registry(database)
        pair = declare(registry, orm.UniqueConstraint("a", deferrable="deferred"))
        await registry.create_all()
        try:
            with pytest.raises(orm.FieldError, match=r"no unique constraint over a\. unique_fields are one of: id\."):
                await pair.objects.bulk_create([pair(a=1)], ignore_conflicts=True, unique_fields=["a"])
            with pytest.raises(orm.FieldError, match=r"deferrable='deferred'\) cannot be ignored, since"):
                await pair.objects.bulk_create([pair(a=1)], ignore_conflicts=True)
            one = await pair.objects.create(a=1)
            await pair.objects.bulk_create([pair(id=one.pk, a=5)], ignore_conflicts=True, unique_fields=["id"])
            found = await asyncio.gather(*[pair.objects.get_or_create(a=2) for _ in range(4)])
            assert sorted(created for _, created in found) == [False, False, False, True]
        finally:
            await registry.drop_all()


async def test_an_excluded_row_is_ignored(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        registry = orm.Registry(database)
        pair = declare(registry, ExclusionConstraint(name="once", expressions=[("a", "=")], method="btree"))
        await registry.create_all()
        try:
            await pair.objects.create(a=1)
            await pair.objects.bulk_create([pair(a=1), pair(a=2)], ignore_conflicts=True)
            assert await pair.objects.count() == 2
        finally:
            await registry.drop_all()


async def test_what_an_engine_does_not_have_is_no_target(mysql_url: str) -> None:
    async with Database(mysql_url) as database:
        with pytest.raises(orm.NotSupportedError, match="has no conditions in indexes and unique constraints"):
            await Person.objects.using(database).bulk_create(
                [Person(name="x")], ignore_conflicts=True, unique_fields=["name"]
            )
