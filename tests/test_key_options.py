"""What keys are told to do: updates, deferral, no constraint, other fields than the primary key, shared keys."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import orm
from tests.databases import created
from tests.flights import flights as flights_models
from tests.revising import revising

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Country(Base):
    id: orm.Field[int] = orm.BigAutoField()
    code: orm.Field[str] = orm.String(max_length=2, unique=True)
    region: orm.Field[str] = orm.String(max_length=5, default="")
    number: orm.Field[int] = orm.Integer(default=0)
    cities: orm.RelatedSet[City] = orm.Reverse("City.country")

    class Meta(Base.Meta):
        constraints = [orm.UniqueConstraint("region", "number")]


class City(Base):
    id: orm.Field[int] = orm.BigAutoField()
    country: orm.Related[Country] = orm.ForeignKey(
        "Country", to_field="code", on_update=orm.CASCADE, on_delete=orm.CASCADE, column="land"
    )
    region: orm.Field[str | None] = orm.String(max_length=5, null=True, default=None)
    number: orm.Field[int | None] = orm.Integer(null=True, default=None)
    # the pairs are the other way round than the constraint that they refer to
    area: orm.Related[Country | None] = orm.ForeignKey(
        "Country",
        from_fields=("number", "region"),
        to_fields=("number", "region"),
        default=None,
        on_delete=orm.SET_NULL,
    )


class Flag(Base):
    country: orm.Related[Country] = orm.OneToOne(
        "Country", primary_key=True, on_delete=orm.CASCADE, related_name="flag"
    )
    colors: orm.Field[str] = orm.String(max_length=20)

    def __len__(self) -> int:
        return len(self.colors)


class Salute(Base):
    id: orm.Field[int] = orm.BigAutoField()
    flag: orm.Related[Flag] = orm.ForeignKey("Flag", related_name="salutes")
    guns: orm.Field[int] = orm.Integer()


@pytest_asyncio.fixture
async def world(database: orm.Database) -> AsyncIterator[orm.Database]:
    """The database with the tables of these models, and two countries."""
    async with created(models, database):
        await Country.objects.bulk_create(
            [Country(code="AU", region="south", number=1), Country(code="AT", region="north", number=2)]
        )
        yield database


async def test_keys_follow_an_update(world: orm.Database) -> None:
    city = await City.objects.create(country_id="AU")
    assert await Country.objects.filter(code="AU").update(code="OZ") == 1
    await city.load()
    assert (city.country_id, city.country.code) == ("OZ", "OZ")  # type: ignore[attr-defined]
    assert (await City.objects.select_related("country").get()).country.number == 1


async def test_a_key_to_another_unique_constraint(world: orm.Database) -> None:
    austria = await Country.objects.get(code="AT")
    city = await City.objects.create(country=austria, area=austria)
    assert (city.region, city.number) == ("north", 2)
    read = await City.objects.get()
    assert read.area is not None
    assert (read.area.number, read.area.region, hasattr(read.area, "pk")) == (2, "north", False)
    assert (await read.area.load()).code == "AT"
    assert read.area == austria
    assert await City.objects.filter(area=austria).count() == 1
    assert await City.objects.filter(area__code="AT").count() == 1
    assert (await City.objects.select_related("area").get()).area == austria
    assert (await City.objects.prefetch_related("area").get()).area == austria
    await City.objects.all().update(country="AU")
    await austria.delete()
    assert await City.objects.filter(area=None, region=None, number=None).count() == 1


async def test_what_is_reached_over_another_field_cannot_be_saved_before_it_is_loaded(world: orm.Database) -> None:
    country = (await City.objects.create(country_id="AU")).country
    with pytest.raises(orm.InterfaceError, match="Load it first"):
        await country.update(number=3)
    with pytest.raises(orm.InterfaceError, match="its own key is not known"):
        await country.delete()
    await country.load()
    await country.update(number=3)
    assert await Country.objects.filter(code="AU", number=3).exists()
    assert [city.country_id for city in await country.cities] == ["AU"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("again", [copy.copy, lambda one: pickle.loads(pickle.dumps(one))], ids=["copied", "pickled"])
async def test_what_is_reached_over_another_field_is_copied_with_it(world: orm.Database, again: Any) -> None:
    city = await City.objects.create(country_id="AU", number=2, region="north")
    assert (await again(city.country).load()).number == 1
    assert (await again(city.area).load()).code == "AT"


async def test_rows_are_related_to_an_instance_that_counts_as_false(world: orm.Database) -> None:
    white = await Flag.objects.create(country=await Country.objects.get(code="AT"), colors="white")
    plain = await Flag.objects.create(country=await Country.objects.get(code="AU"), colors="")
    salute = await Salute.objects.create(flag=white, guns=21)
    await plain.salutes.add(salute)  # type: ignore[attr-defined]
    assert (bool(plain), salute.flag, salute.flag_id) == (False, plain, plain.pk)  # type: ignore[attr-defined]
    assert await Salute.objects.filter(flag=plain).count() == 1


async def test_a_shared_key(world: orm.Database) -> None:
    country = await Country.objects.get(code="AU")
    flag = await Flag.objects.create(country=country, colors="blue")
    assert flag.pk == flag.country_id == country.pk  # type: ignore[attr-defined]
    assert await Flag.objects.get(pk=country.pk) == await Flag.objects.get(country=country) == flag
    assert await Flag.objects.filter(pk=country).count() == await Flag.objects.filter(pk__in=[flag]).count() == 1
    assert await Flag.objects.filter(country__code="AU").update(colors="red") == 1
    salute = await Salute.objects.create(flag=flag, guns=21)
    assert await Salute.objects.filter(flag=flag).count() == await Salute.objects.filter(flag__country=country).count()
    assert "JOIN" not in Salute.objects.filter(flag__country=country).sql("sqlite")
    assert (await Salute.objects.select_related("flag__country").get()).flag.country.code == "AU"
    assert [s.guns for s in await flag.salutes] == [21]  # type: ignore[attr-defined]
    assert (await Country.objects.select_related("flag").get(code="AU")).flag.colors == "red"  # type: ignore[attr-defined]
    assert list((await Country.objects.prefetch_related("flag__salutes").get(code="AU")).flag.salutes) == [salute]  # type: ignore[attr-defined]
    assert (await Country.objects.select_related("flag").get(code="AT")).flag is None  # type: ignore[attr-defined]
    found, created = await Flag.objects.update_or_create(country=country, defaults={"colors": "green"})
    assert (found, created) == (flag, False)
    updated = await Flag.objects.bulk_create(
        [Flag(country=country, colors="white")],
        update_conflicts=True,
        unique_fields=["country"],
        update_fields=["colors"],
    )
    assert updated[0].colors == "white"
    await salute.delete()
    await flag.delete()
    assert await Flag.objects.count() == 0


# ---------------------------------------------------------------- deferral


def _declare(registry: orm.Registry, name: str, **body: Any) -> Any:
    meta = type("Meta", (), {"registry": registry})
    return type(orm.Model)(name, (orm.Model,), {"__module__": __name__, "Meta": meta, **body})


async def test_a_deferred_key_is_checked_at_the_end(database: orm.Database) -> None:
    registry = orm.Registry(database)
    hen = _declare(registry, "Hen", id=orm.Integer(primary_key=True))
    egg = _declare(
        registry,
        "Egg",
        id=orm.Integer(primary_key=True),
        hen=orm.ForeignKey("Hen", deferrable="deferred"),
    )
    if database.dialect.name == "mysql":
        with pytest.raises(orm.NotSupportedError, match=r"has no deferrable keys: PostgreSQL and SQLite have"):
            await registry.create_all()
        await registry.drop_all()
        return
    await registry.create_all()
    try:
        async with database.transaction():
            await egg.objects.create(id=1, hen_id=7)
            await hen.objects.create(id=7)
        with pytest.raises(orm.ForeignKeyViolation):
            await egg.objects.create(id=2, hen_id=8)
        assert await egg.objects.count() == 1
    finally:
        await registry.drop_all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_update": "DESTROY"}, "has no on_update='DESTROY'"),
        ({"on_update": orm.SET_NULL}, "on_update=SET_NULL needs null=True"),
        ({"deferrable": True}, "has no deferrable=True. Choose 'deferred'"),
        ({"constraint": False, "on_delete": orm.CASCADE}, "without a constraint the database does nothing on_delete"),
        ({"constraint": False, "deferrable": "deferred"}, "without a constraint"),
        ({"to_fields": ("a", "b")}, "to_fields belong to from_fields"),
        ({"from_fields": "ab"}, "from_fields takes names of fields"),
        ({"from_fields": ()}, "from_fields takes names of fields"),
        ({"from_fields": ("a", "a")}, "from_fields takes names of fields, each once"),
        ({"from_fields": ("a", "b"), "to_fields": ("a",)}, "are pairs, and one of them has more names"),
        ({"from_fields": ("a", "b"), "null": True}, "no column of its own, so null has no meaning"),
        ({"from_fields": ("a", "b"), "default": 3}, "no column of its own, so default has no meaning"),
        ({"from_fields": ("a", "b"), "to_field": "a"}, "so to_field has no meaning"),
        ({"from_fields": ("a", "b"), "renamed_from": "c"}, "so renamed_from has no meaning"),
        ({"from_fields": ("a", "x")}, "M.to: from_fields names 'x', and there is no such field"),
        ({"from_fields": ("a", "b"), "on_delete": orm.SET_NULL}, "on_delete=SET_NULL needs null=True in a"),
        ({"from_fields": ("a", "b"), "on_delete": orm.SET_DEFAULT}, "on_delete=SET_DEFAULT needs a default of a"),
        ({"from_fields": ("a", "b")}, "M.to has 2 fields, and the key of Target has 1: id"),
        ({"from_fields": ("a", "b"), "to_fields": ("x", "y")}, "to_fields names 'x'"),
        ({"from_fields": ("a", "b"), "to_fields": ("c", "d")}, "which several rows can have alike. Make it unique"),
        ({"from_fields": ("a",), "to_fields": ("code",)}, r"M.to: a \(integer\) cannot refer to Target.code \(text\)"),
        ({"to_field": "c"}, "M.to refers to Target.c, which several rows can have alike.*choose from: id; code"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], message: str) -> None:
    registry = orm.Registry()
    _declare(registry, "Target", c=orm.Integer(), d=orm.Integer(), code=orm.String(max_length=3, unique=True))

    def declare() -> None:
        _declare(registry, "M", a=orm.Integer(), b=orm.Integer(), to=orm.ForeignKey("Target", **options))

    with pytest.raises(orm.FieldError, match=message):
        declare()
    assert "M" not in registry.schemas


def test_a_key_to_what_is_declared_later_is_checked_there() -> None:
    registry = orm.Registry()
    _declare(registry, "M", to=orm.ForeignKey("Target", to_field="c"))
    with pytest.raises(orm.FieldError, match=r"M.to refers to Target.c, which several rows can have alike"):
        _declare(registry, "Target", c=orm.Integer())
    _declare(registry, "Target", c=orm.Integer(unique=True))
    assert registry.schemas["M"].table.c.to_id.type.python_type is int


# ---------------------------------------------------------------- tables and revisions


def test_tables_have_the_keys() -> None:
    table: Any = City.table
    keys = {tuple(key.column_keys): key for key in table.foreign_key_constraints}
    assert set(keys) == {("country_id",), ("region", "number")}
    assert (keys["country_id",].onupdate, keys["country_id",].ondelete) == ("CASCADE", "CASCADE")
    assert [element.target_fullname for element in keys["region", "number"].elements] == [
        "country.region",
        "country.number",
    ]
    assert {tuple(index.columns.keys()) for index in table.indexes} == {("country_id",), ("number", "region")}
    weather: Any = flights_models.schemas["Weather"].table
    assert list(weather.primary_key.columns.keys()) == ["origin_id", "hour"]


@pytest.mark.parametrize("registry", [models, flights_models])
def test_revisions_find_nothing_in_what_they_made(own_url: str, registry: orm.Registry) -> None:
    with revising(own_url) as database:
        made = database.upgrade(registry)
        assert "ondelete" in made.text
        assert database.write(registry).empty
        database.downgrade(registry, made)
