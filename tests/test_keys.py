"""Keys of several fields: instances, conditions, writing, and what is refused."""

from __future__ import annotations

import asyncio
import pickle
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

import orm
from tests.flights import CODES, HOURS, Airport, Flight, Weather

KEY = ("JFK", HOURS[2])
LATER = HOURS[-1] + timedelta(hours=1)


# ---------------------------------------------------------------- instances


async def test_an_instance_has_its_key_as_a_tuple(flights: orm.Database) -> None:
    weather = await Weather.objects.get(pk=KEY)
    assert weather.pk == KEY == (weather.origin_id, weather.hour)
    same = await Weather.objects.get(origin="JFK", hour=HOURS[2])
    assert weather == same
    assert hash(weather) == hash(same)
    assert weather != await Weather.objects.get(pk=("LGA", HOURS[2]))
    copy = pickle.loads(pickle.dumps(weather))
    assert copy == weather
    assert copy.temperature == 12.0
    assert repr(weather).startswith("<Weather: origin_id='JFK', hour=datetime.datetime(2013, 1, 1, 2, 0")


async def test_a_new_instance_has_no_key_until_all_parts_have_a_value(flights: orm.Database) -> None:
    weather = Weather(hour=LATER, temperature=1.0)
    with pytest.raises(orm.NotLoaded, match="origin_id was not given"):
        _ = weather.pk
    with pytest.raises(TypeError, match="has no key yet"):
        hash(weather)
    weather.origin_id = "JFK"
    assert weather.pk == ("JFK", LATER)
    assert Weather(pk=("JFK", LATER), temperature=1.0) == weather  # type: ignore[call-arg]
    with pytest.raises(orm.ValidationError, match="pk takes a tuple of 2 values"):
        Weather(pk="JFK", temperature=1.0)  # type: ignore[call-arg]


async def test_saving_loading_and_deleting(flights: orm.Database) -> None:
    weather = Weather(origin_id="JFK", hour=LATER, temperature=20.5)
    await weather.save()
    weather.temperature = 21.0
    await weather.save()
    await Weather.objects.filter(pk=weather.pk).update(rain=3.0)
    await weather.load()
    assert (weather.temperature, weather.rain) == (21.0, 3.0)
    await weather.update(temperature=22.0)
    reference = Weather.reference(weather.pk)
    assert reference.pk == ("JFK", LATER)
    assert not hasattr(reference, "temperature")
    assert (await reference.load()).temperature == 22.0
    with pytest.raises(orm.FieldError, match=r"Weather.hour is the key of a stored row and cannot change"):
        weather.hour = HOURS[0]
    with pytest.raises(orm.FieldError, match=r"is the key of a stored row"):
        weather.pk = ("JFK", HOURS[0])  # type: ignore[misc]
    await weather.delete()
    with pytest.raises(orm.StaleInstance, match=r"Weather with pk=\('JFK', "):
        await reference.update(temperature=1.0)
    with pytest.raises(Weather.DoesNotExist):
        await reference.load()
    with pytest.raises(orm.StaleInstance):
        await reference.delete()


async def test_a_key_may_be_there_once(flights: orm.Database) -> None:
    with pytest.raises(orm.UniqueViolation) as caught:
        await Weather.objects.create(pk=KEY, temperature=1.0)
    assert caught.value.model == "Weather"
    assert await Weather.objects.count() == 18


async def test_values_computed_by_the_database_are_read_back(flights: orm.Database) -> None:
    weather = await Weather.objects.get(pk=KEY)
    weather.temperature = orm.F("temperature") + 0.5  # type: ignore[assignment]
    await weather.save()
    assert weather.temperature == 12.5


# ---------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ({"pk": KEY}, 1),
        ({"pk": ["JFK", HOURS[2]]}, 1),
        ({"pk__in": [KEY, ("LGA", HOURS[0]), ("LGA", LATER)]}, 2),
        ({"pk__in": {KEY}}, 1),
        ({"pk__in": []}, 0),
        ({"pk__gt": ("JFK", HOURS[2])}, 9),
        ({"pk__gte": ("JFK", HOURS[2])}, 10),
        ({"pk__lt": ("JFK", HOURS[2])}, 8),
        ({"pk__lte": ("JFK", HOURS[2])}, 9),
        ({"pk__isnull": True}, 0),
        ({"pk__isnull": False}, 18),
        ({"pk": None}, 0),
    ],
)
async def test_conditions(flights: orm.Database, words: dict[str, Any], count: int) -> None:
    assert await Weather.objects.filter(**words).count() == count
    assert await Weather.objects.exclude(**words).count() == 18 - count
    assert await Weather.objects.filter(~orm.Q(**words) | orm.Q(**words)).count() == 18
    assert len(await Weather.objects.filter(**words)) == count


async def test_conditions_of_the_class(flights: orm.Database) -> None:
    assert await Weather.objects.filter(Weather.pk == KEY).count() == 1
    assert await Weather.objects.filter(Weather.pk != KEY).count() == 17
    assert await Weather.objects.filter(Weather.pk.is_in([KEY])).count() == 1
    assert await Weather.objects.filter(Weather.pk > KEY).count() == 9
    assert await Airport.objects.filter(Airport.pk.is_in([1])).count() in (0, 1)


async def test_keys_of_queries(flights: orm.Database) -> None:
    warm = Weather.objects.filter(temperature__gt=12.0)
    assert await Weather.objects.filter(pk__in=warm).count() == await warm.count() == 9
    assert await Weather.objects.filter(pk__in=warm.values("pk")).count() == 9
    assert await Weather.objects.filter(pk__in=warm.values_list("origin", "hour")).count() == 9
    assert await Weather.objects.filter(pk__in=warm.order_by("pk")[:3]).count() == 3
    assert await Flight.objects.filter(weather__in=warm).count() == 18
    assert await Flight.objects.exclude(weather__in=warm).count() == 19
    same = Weather.objects.filter(pk=orm.OuterRef("weather"), temperature__gt=12.0)
    assert await Flight.objects.filter(orm.Exists(same)).count() == 18
    assert await Weather.objects.filter(pk=orm.F("pk")).count() == 18
    first = orm.Subquery(Weather.objects.order_by("-pk").values("pk")[:1])
    assert [w.pk for w in await Weather.objects.filter(pk=first)] == [("LGA", HOURS[-1])]


async def test_compiled_queries(flights: orm.Database) -> None:
    find = Weather.objects.filter(pk=orm.Param("key")).compiled()
    assert [w.pk for w in await find(key=KEY)] == [KEY]
    among = Weather.objects.filter(pk__in=orm.Param("keys")).compiled()
    assert len(await among(keys=[KEY, ("LGA", HOURS[0])])) == 2
    assert await among(keys=[]) == []


@pytest.mark.parametrize("count", [1, 2, 3, 40])
async def test_long_lists_of_keys(flights: orm.Database, count: int) -> None:
    keys = [("JFK", HOURS[0] + timedelta(hours=n)) for n in range(count)]
    assert await Weather.objects.filter(pk__in=keys).count() == min(count, 6)
    assert len(await Weather.objects.in_bulk(keys)) == min(count, 6)


async def test_wrong_values_are_refused(flights: orm.Database) -> None:
    for value in (
        "JFK",
        1,
        ("JFK",),
        ("JFK", 3),
        ("JFK", HOURS[0], 1),
        (None, HOURS[0]),
        ("JFK", datetime(2013, 1, 1)),
    ):
        with pytest.raises(orm.ValidationError, match=r"^pk"):
            Weather.objects.filter(pk=value)
        with pytest.raises(orm.ValidationError, match=r"^pk"):
            Weather.objects.filter(pk__in=[value])
    for words in ({"pk__contains": KEY}, {"pk__range": (KEY, KEY)}, {"pk__x": KEY}):
        with pytest.raises(orm.FieldError, match="Choose from: exact, gt, gte, lt, lte, in, isnull"):
            Weather.objects.filter(**words)
    with pytest.raises(orm.FieldError, match="takes a query set of 2 columns, not of 1"):
        Weather.objects.filter(pk__in=Weather.objects.values("hour"))
    with pytest.raises(orm.FieldError, match="cannot be compared"):
        Weather.objects.filter(pk=orm.F("hour"))
    with pytest.raises(orm.FieldError, match="cannot be compared"):
        Weather.objects.filter(hour=orm.F("pk"))


# ---------------------------------------------------------------- reading


async def test_order_values_and_first(flights: orm.Database) -> None:
    everything = [(code, hour) for code in CODES for hour in HOURS]
    assert await Weather.objects.order_by("pk").values_list("pk", flat=True) == everything
    assert await Weather.objects.order_by("-pk").values_list("pk", flat=True) == everything[::-1]
    assert await Weather.objects.order_by("pk").reverse().values_list("pk", flat=True) == everything[::-1]
    first, last = await Weather.objects.first(), await Weather.objects.last()
    assert first is not None
    assert last is not None
    assert (first.pk, last.pk) == (everything[0], everything[-1])
    assert await Weather.objects.filter(pk=KEY).values("pk", "temperature") == [{"pk": KEY, "temperature": 12.0}]
    assert await Weather.objects.filter(pk=KEY).values_list("temperature", "pk") == [(12.0, KEY)]
    named = await Weather.objects.filter(pk=KEY).values_list("pk", named=True)
    assert named[0].pk == KEY
    assert await Weather.objects.values("pk").distinct().count() == 18
    assert await Weather.objects.order_by("pk").distinct().values_list("pk", flat=True) == everything
    assert list(await Weather.objects.in_bulk([KEY])) == [KEY]
    assert len(await Weather.objects.in_bulk()) == 18
    assert await Weather.objects.contains(await Weather.objects.get(pk=KEY))
    assert (await Weather.objects.only("temperature").get(pk=KEY)).pk == KEY
    assert (await Weather.objects.defer("pk").get(pk=KEY)).pk == KEY
    assert [w.pk async for w in Weather.objects.order_by("pk").iterate(chunk_size=5)] == everything


async def test_pages(flights: orm.Database) -> None:
    page = await Weather.objects.paginate(page=2, per_page=5)
    assert (page.total, len(page.items)) == (18, 5)
    seen: list[Any] = []
    after: str | None = None
    while True:
        part = await Weather.objects.order_by("-pk").cursor_paginate(after=after, per_page=5)
        seen += [weather.pk for weather in part]
        after = part.next_cursor
        if after is None:
            break
    assert seen == [(code, hour) for code in reversed(CODES) for hour in reversed(HOURS)]
    part = await Weather.objects.order_by("temperature").cursor_paginate(per_page=3)
    assert [w.temperature for w in part] == [0.0, 1.0, 2.0]
    rows = await Weather.objects.values("pk").order_by("pk").cursor_paginate(per_page=2)
    assert [row["pk"] for row in rows] == [("EWR", HOURS[0]), ("EWR", HOURS[1])]


async def test_expressions_take_parts_only(flights: orm.Database) -> None:
    with pytest.raises(orm.FieldError, match="Cannot annotate with origin_id, hour, a key of several fields"):
        Weather.objects.annotate(x=orm.F("pk"))
    with pytest.raises(orm.FieldError, match="a key of several fields"):
        Weather.objects.annotate(x=orm.Coalesce("pk", "hour"))
    with pytest.raises(orm.FieldError, match="a key of several fields"):
        await Weather.objects.aggregate(x=orm.Max("pk"))
    with pytest.raises(orm.FieldError, match="a key of several fields"):
        Weather.objects.values("pk").union(Weather.objects.values("pk"))
    assert len(await Weather.objects.union(Weather.objects.filter(pk=KEY))) == 18


async def test_counts(flights: orm.Database) -> None:
    found = await Weather.objects.aggregate(n=orm.Count("pk"), d=orm.Count("pk", distinct=True))
    assert found == {"n": 18, "d": 18}
    found = await Flight.objects.aggregate(
        n=orm.Count("weather"),
        d=orm.Count("weather", distinct=True),
        some=orm.Count("weather", filter=orm.Q(origin="JFK")),
        different=orm.Count("weather", distinct=True, filter=orm.Q(origin="JFK")),
    )
    assert found == {"n": 36, "d": 18, "some": 12, "different": 6}
    airports = await Airport.objects.annotate(
        n=orm.Count("weather"), f=orm.Count("weather__flights"), d=orm.Count("departures__weather", distinct=True)
    ).order_by("code")
    assert [(a.n, a.f, a.d) for a in airports] == [(6, 12, 6)] * 3  # type: ignore[attr-defined]
    grouped = await Flight.objects.values("weather").annotate(n=orm.Count("id")).order_by("weather")
    assert [row["n"] for row in grouped if row["weather"] is None] == [1]
    assert sorted(row["n"] for row in grouped) == [1] + [2] * 18
    by_hour = Weather.objects.values("hour").annotate(n=orm.Count("pk"), f=orm.Count("flights", distinct=True))
    assert {(row["n"], row["f"]) for row in await by_hour} == {(3, 6)}
    ranked = Weather.objects.annotate(rank=orm.Window(orm.functions.RowNumber(), order_by=["-pk"])).filter(rank=1)
    assert [w.pk for w in await ranked] == [("LGA", HOURS[-1])]


# ---------------------------------------------------------------- writing


async def test_updates_and_deletes_of_query_sets(flights: orm.Database) -> None:
    rows = Weather.objects.filter(pk__in=[KEY, ("LGA", HOURS[0])])
    assert await rows.update(rain=1.0) == 2
    assert await Weather.objects.order_by("-temperature")[:4].update(rain=2.0) == 4
    assert await Weather.objects.filter(rain=2.0).values_list("temperature", flat=True).order_by("temperature") == [
        22.0,
        23.0,
        24.0,
        25.0,
    ]
    assert await Weather.objects.filter(flights__number=100).update(rain=orm.F("temperature") * 2.0) == 1
    assert await Weather.objects.filter(origin__name="Airport EWR").update(temperature=-1.0) == 6
    assert await Flight.objects.filter(weather=KEY).delete() == 2
    assert await Weather.objects.filter(pk=KEY).delete() == 1
    await Flight.objects.filter(origin="LGA").delete()
    assert await Weather.objects.filter(origin="LGA").order_by("hour")[:2].delete() == 2
    assert await Weather.objects.filter(origin__code="LGA", flights__isnull=True).delete() == 4
    assert await Weather.objects.count() == 11


async def test_the_key_of_rows_can_be_updated(flights: orm.Database) -> None:
    await Flight.objects.all().delete()
    assert await Weather.objects.filter(pk=KEY).update(pk=("JFK", LATER)) == 1
    assert await Weather.objects.filter(pk=("JFK", LATER)).exists()
    with pytest.raises(orm.FieldError, match="given twice"):
        await Weather.objects.filter(pk=KEY).update(pk=("JFK", LATER), hour=LATER)
    with pytest.raises(orm.FieldError, match=r"no column of its own to compute. Set its parts: origin, hour"):
        await Weather.objects.filter(pk=KEY).update(pk=orm.F("pk"))
    with pytest.raises(orm.ValidationError, match="takes a tuple of 2 values"):
        await Weather.objects.filter(pk=KEY).update(pk=("JFK",))


async def test_values_from_related_rows(flights: orm.Database) -> None:
    late = Flight.objects.filter(weather=orm.OuterRef("pk")).values("weather").annotate(n=orm.Max("delay")).values("n")
    assert await Weather.objects.all().update(rain=orm.Subquery(late) + 0.5) == 18
    assert (await Weather.objects.get(pk=("LGA", HOURS[5]))).rain == 15.5


async def test_bulk(flights: orm.Database) -> None:
    new = [Weather(origin_id=code, hour=LATER, temperature=1.0) for code in CODES]
    await Weather.objects.bulk_create(new)
    for weather in new:
        weather.temperature = 2.0
    assert await Weather.objects.bulk_update(new, ["temperature"]) == 3
    assert await Weather.objects.filter(hour=LATER, temperature=2.0).count() == 3
    with pytest.raises(orm.FieldError, match="is the key: it says which rows are updated"):
        await Weather.objects.bulk_update(new, ["pk"])
    many = [Weather(origin_id="JFK", hour=LATER + timedelta(hours=n + 1), temperature=0.0) for n in range(300)]
    await Weather.objects.bulk_create(many)
    for number, weather in enumerate(many):
        weather.temperature = float(number)
    await Weather.objects.bulk_update(many, ["temperature", "rain"], chunk_size=100)
    assert await Weather.objects.filter(temperature__gte=100.0).count() == 200
    await new[0].delete()
    new[0]._state.new = False
    with pytest.raises(orm.StaleInstance):
        await Weather.objects.bulk_update(new, ["temperature"])


@pytest.mark.parametrize("unique", [["pk"], ["origin", "hour"], ["hour", "origin_id"]])
async def test_conflicts_over_the_key(flights: orm.Database, unique: list[str]) -> None:
    def rows() -> list[Weather]:
        return [Weather(pk=KEY, temperature=99.0), Weather(pk=("JFK", LATER), temperature=98.0)]  # type: ignore[call-arg]

    ignored = await Weather.objects.bulk_create(rows(), ignore_conflicts=True, unique_fields=unique)
    assert [w.temperature for w in ignored] == [12.0, 98.0]
    updated = await Weather.objects.bulk_create(
        rows(), update_conflicts=True, unique_fields=unique, update_fields=["temperature"]
    )
    assert [w.temperature for w in updated] == [99.0, 98.0]
    assert (await Weather.objects.get(pk=KEY)).temperature == 99.0
    with pytest.raises(orm.FieldError, match="says which row is meant"):
        await Weather.objects.bulk_create(rows(), update_conflicts=True, unique_fields=unique, update_fields=["hour"])
    with pytest.raises(orm.FieldError, match="unique_fields are one of: origin, hour"):
        await Weather.objects.bulk_create(rows(), ignore_conflicts=True, unique_fields=["hour"])


async def test_get_or_create(flights: orm.Database) -> None:
    found, created = await Weather.objects.get_or_create(pk=KEY, defaults={"temperature": 1.0})
    assert (found.temperature, created) == (12.0, False)
    found, created = await Weather.objects.get_or_create(origin_id="JFK", hour=LATER, defaults={"temperature": 1.0})
    assert (found.pk, created) == (("JFK", LATER), True)
    found, created = await Weather.objects.update_or_create(pk=("JFK", LATER), defaults={"temperature": 5.0})
    assert (found.temperature, created) == (5.0, False)
    later = LATER + timedelta(hours=1)
    asked = [Weather.objects.get_or_create(pk=("JFK", later), defaults={"temperature": 1.0}) for _ in range(4)]
    assert sorted(created for _, created in await asyncio.gather(*asked)) == [False, False, False, True]


async def test_locks_and_returning(flights: orm.Database) -> None:
    async with flights.transaction():
        locked = await Weather.objects.select_for_update().get(pk=KEY)
        assert locked.pk == KEY
        assert len(await Weather.objects.claim(3)) == 3
    rows = Weather.objects.filter(pk=KEY)
    if flights.dialect.name == "mysql":
        with pytest.raises(orm.NotSupportedError):
            await rows.returning("pk").update(rain=1.0)
        return
    assert await rows.returning("pk", "rain").update(rain=1.0) == [{"pk": KEY, "rain": 1.0}]
    assert [w.pk for w in await rows.returning().update(rain=2.0)] == [KEY]


async def test_statements_of_ones_own(flights: orm.Database) -> None:
    found = await Weather.objects.from_statement("SELECT * FROM weather WHERE temperature = 12.0")
    assert [w.pk for w in found] == [KEY]
    with pytest.raises(orm.FieldError, match="has no column 'hour', the key of Weather"):
        await Weather.objects.from_statement("SELECT origin_id, temperature FROM weather")


# ---------------------------------------------------------------- declarations


def _model(registry: orm.Registry, name: str, **body: Any) -> type[orm.Model]:
    meta = type("Meta", (), {"registry": registry, **body.pop("meta", {})})
    return type(orm.Model)(name, (orm.Model,), {"__module__": __name__, "Meta": meta, **body})


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"pk": lambda: orm.CompositePrimaryKey("a")}, "takes the names of two or more fields"),
        ({"pk": lambda: orm.CompositePrimaryKey("a", "a")}, "takes the names of two or more fields, each once"),
        ({"pk": lambda: orm.CompositePrimaryKey("a", 1)}, "takes the names of two or more fields"),  # type: ignore[arg-type]
        (
            {"pk": lambda: orm.CompositePrimaryKey("a", "x")},
            "M.pk names 'x', and there is no such field. Choose from: a, b",
        ),
        ({"key": lambda: orm.CompositePrimaryKey("a", "b")}, "M.key is the primary key, whose name is pk"),
        (
            {"a": lambda: orm.Integer(null=True), "pk": lambda: orm.CompositePrimaryKey("a", "b")},
            "M.a is part of the primary",
        ),
        ({"a": lambda: orm.JSON(), "pk": lambda: orm.CompositePrimaryKey("a", "b")}, "cannot be part of a primary key"),
        (
            {"c": lambda: orm.Integer(primary_key=True), "pk": lambda: orm.CompositePrimaryKey("a", "b")},
            "M has two primary keys: pk, and c with primary_key=True",
        ),
        ({"a": lambda: orm.BigAutoField(), "pk": lambda: orm.CompositePrimaryKey("a", "b")}, "two primary keys"),
        ({"a": lambda: orm.Version(), "pk": lambda: orm.CompositePrimaryKey("a", "b")}, "not set by its users"),
    ],
)
def test_contradictions_are_refused(body: dict[str, Any], message: str) -> None:
    def declare() -> None:
        fields = {"a": orm.Integer(), "b": orm.Integer(), **{name: make() for name, make in body.items()}}
        _model(orm.Registry(), "M", **fields)

    with pytest.raises(orm.FieldError, match=message.replace("(", r"\(")):
        declare()


def test_a_key_of_an_abstract_base() -> None:
    registry = orm.Registry()
    base = _model(
        registry,
        "Base",
        meta={"abstract": True},
        a=orm.Integer(),
        b=orm.Integer(),
        pk=orm.CompositePrimaryKey("b", "a"),
    )
    meta = type("Meta", (base.Meta,), {})  # type: ignore[attr-defined]
    child = type(orm.Model)("Child", (base,), {"__module__": __name__, "Meta": meta, "c": orm.Integer()})
    assert [column.name for column in child.table.primary_key] == ["b", "a"]  # type: ignore[attr-defined]
    assert child(a=1, b=2, c=3).pk == (2, 1)  # type: ignore[call-arg]


async def test_a_part_that_the_database_fills_in(database: orm.Database) -> None:
    registry = orm.Registry(database)
    model: Any = _model(
        registry,
        "Visit",
        place=orm.String(max_length=10),
        number=orm.Integer(default=sa.text("7")),
        pk=orm.CompositePrimaryKey("place", "number"),
    )
    await registry.create_all()
    try:
        assert (await model.objects.create(place="a", number=1)).pk == ("a", 1)
        if database.dialect.name == "mysql":
            with pytest.raises(orm.NotSupportedError, match=r"does not tell what its default made of Visit.number"):
                await model.objects.create(place="b")
            with pytest.raises(orm.NotSupportedError, match="Give a value, or a default of Python's"):
                await model.objects.bulk_create([model(place="b")])
            assert await model.objects.count() == 1
        else:
            assert (await model.objects.create(place="b")).pk == ("b", 7)
            assert (await model.objects.bulk_create([model(place="c")]))[0].pk == ("c", 7)
    finally:
        await registry.drop_all()


async def test_other_kinds_of_values_in_a_key(database: orm.Database) -> None:
    registry = orm.Registry(database)
    model: Any = _model(
        registry,
        "Reading",
        meter=orm.UUID(),
        amount=orm.Decimal(max_digits=8, decimal_places=2),
        day=orm.Date(),
        note=orm.String(max_length=10, default=""),
        pk=orm.CompositePrimaryKey("meter", "amount", "day"),
    )
    await registry.create_all()
    try:
        keys = [(UUID(int=n), Decimal(n) / 4, date(2020, 1, n)) for n in range(1, 6)]
        await model.objects.bulk_create([model(pk=key) for key in keys])
        assert await model.objects.order_by("pk").values_list("pk", flat=True) == keys
        assert await model.objects.filter(pk__in=keys[:3]).count() == 3
        assert (await model.objects.get(pk=keys[4])).pk == keys[4]
        assert await model.objects.aggregate(n=orm.Count("pk", distinct=True)) == {"n": 5}
        rows = await model.objects.order_by("pk")
        for row in rows:
            row.note = str(row.day)
        await model.objects.bulk_update(rows, ["note"])
        assert (await model.reference(keys[1]).load()).note == "2020-01-02"
    finally:
        await registry.drop_all()
