"""Foreign keys of several fields, shown with flights that refer to the weather of their origin and hour."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import Any

import pytest

import orm
from tests.flights import CODES, HOURS, Airport, Flight, Observation, Plane, Station, Weather

KEY = ("JFK", HOURS[2])
LATER = HOURS[-1] + timedelta(hours=1)


async def _flight(**words: Any) -> Flight:
    found = await Flight.objects.filter(**words).order_by("id").first()
    assert found is not None
    return found


# ---------------------------------------------------------------- instances


async def test_a_sparse_instance_knows_what_the_key_refers_to(flights: orm.Database) -> None:
    flight = await _flight(number=120)
    assert flight.weather.pk == KEY
    assert flight.weather.origin_id == "JFK"
    assert flight.weather is flight.weather
    assert not hasattr(flight.weather, "temperature")
    with pytest.raises(orm.NotLoaded, match=r"Add .select_related\('weather'\)"):
        _ = flight.weather.temperature
    await flight.weather.load()
    assert flight.weather.temperature == 12.0
    # A key to another field than the primary key: that one is known.
    assert flight.origin.code == "JFK"
    assert not hasattr(flight.origin, "id")
    assert pickle.loads(pickle.dumps(flight)).weather.pk == KEY
    with pytest.raises(TypeError, match=r"has no key yet, so it has no hash. Load it first"):
        hash(flight.origin)
    await flight.origin.load()
    assert (flight.origin.name, flight.origin.id > 0) == ("Airport JFK", True)
    assert flight.origin == await Airport.objects.get(code="JFK")
    with pytest.raises(Airport.DoesNotExist):
        await Flight(origin_id="XXX", number=1, carrier_id="AA").origin.load()


async def test_null_in_any_part_means_no_related_row(flights: orm.Database) -> None:
    flight = await _flight(number=999)
    assert flight.origin_id == "JFK"
    assert flight.weather is None
    assert (await Flight.objects.select_related("weather").get(number=999)).weather is None
    assert (await Flight.objects.prefetch_related("weather").get(number=999)).weather is None
    assert await Flight.objects.filter(weather__isnull=True).values_list("number", flat=True) == [999]
    assert await Flight.objects.filter(weather=None).count() == 1
    assert await Flight.objects.exclude(weather=None).count() == 36
    assert await Flight.objects.exclude(weather=KEY).count() == 35
    assert await Flight.objects.filter(weather__origin="JFK").count() == 12  # not 13: that flight has no weather
    assert await Flight.objects.exclude(weather__temperature__gt=0.0).values_list("number", flat=True).order_by(
        "number"
    ) == [0, 1, 999]


async def test_setting_the_relation_sets_the_fields(flights: orm.Database) -> None:
    flight = await _flight(number=999)
    weather = await Weather.objects.get(pk=KEY)
    flight.weather = weather
    assert (flight.origin_id, flight.hour) == KEY
    assert flight.weather is weather
    await flight.save()
    assert await weather.flights.filter(number=999).exists()
    flight.hour = HOURS[3]
    assert flight.weather.pk == ("JFK", HOURS[3])
    flight.weather = None  # only what can be null
    assert (flight.origin_id, flight.hour) == ("JFK", None)
    await flight.save()
    assert await Flight.objects.filter(weather=None).count() == 1
    with pytest.raises(orm.FieldError, match=r"Flight.weather takes an instance of Weather, not"):
        flight.weather = await Airport.objects.get(code="JFK")
    made = await Flight.objects.create(number=1000, carrier_id="AA", weather=weather)
    assert (made.origin_id, made.hour) == KEY
    airport = await Airport.objects.get(code="LGA")
    made.origin = airport
    assert made.origin_id == "LGA"
    assert made.weather.pk == ("LGA", HOURS[2])
    await made.update(weather=weather)
    assert (await _flight(number=1000)).weather.pk == KEY


async def test_an_instance_that_is_saved_after_it_was_assigned(flights: orm.Database) -> None:
    airport = Airport(code="BOS", name="Boston")
    weather = Weather(origin=airport, hour=LATER, temperature=1.0)
    flight = Flight(number=2000, carrier_id="AA", weather=weather)
    await airport.save()
    await weather.save()
    await flight.save()
    assert (await Flight.objects.select_related("weather__origin").get(number=2000)).weather.origin.name == "Boston"


# ---------------------------------------------------------------- queries


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ({"weather": KEY}, 2),
        ({"weather__pk": KEY}, 2),
        ({"weather__in": [KEY, ("LGA", HOURS[0])]}, 4),
        ({"weather__origin": "JFK", "weather__hour": HOURS[2]}, 2),
        ({"weather__temperature": 12.0}, 2),
        ({"weather__temperature__gt": 12.0}, 18),
        ({"weather__origin__name": "Airport LGA"}, 12),
        ({"weather__stations__name": "north"}, 2),
        ({"origin": "JFK"}, 13),
        ({"origin__code": "JFK"}, 13),
        ({"origin__weather__temperature": 12.0}, 13),
        ({"plane__seats__gte": 101}, 12),
    ],
)
async def test_conditions(flights: orm.Database, words: dict[str, Any], count: int) -> None:
    await Observation.objects.create(station=await Station.objects.create(name="north"), origin="JFK", hour=HOURS[2])
    assert await Flight.objects.filter(**words).count() == count
    assert await Flight.objects.exclude(**words).count() == 37 - count
    assert len(await Flight.objects.filter(orm.Q(**words) | orm.Q(number=-1))) == count


async def test_instances_in_conditions(flights: orm.Database) -> None:
    weather = await Weather.objects.get(pk=KEY)
    assert await Flight.objects.filter(weather=weather).count() == 2
    assert await Flight.objects.filter(weather__in=[weather]).count() == 2
    assert await Flight.objects.filter(Flight.weather.pk == KEY).count() == 2
    assert await Flight.objects.filter(Flight.weather.temperature > 12.0).count() == 18
    airport = await Airport.objects.get(code="JFK")
    assert await Flight.objects.filter(origin=airport).count() == 13
    assert await Flight.objects.filter(origin__in=Airport.objects.filter(name="Airport JFK")).count() == 13
    assert await Airport.objects.filter(departures__weather=weather).count() == 1
    with pytest.raises(orm.FieldError, match="weather takes an instance of Weather, not one of Airport"):
        Flight.objects.filter(weather=airport)
    with pytest.raises(orm.FieldError, match="pk takes an instance of Weather, not one of Airport"):
        Weather.objects.filter(pk=airport)


def test_keys_are_compared_without_a_join() -> None:
    for query in (
        Flight.objects.filter(weather=KEY),
        Flight.objects.filter(origin__code="JFK"),
        Flight.objects.filter(weather__isnull=False),
        Flight.objects.order_by("weather"),
    ):
        assert "JOIN" not in query.sql("sqlite")
    # A part alone says nothing where another part may be NULL.
    assert "JOIN" in Flight.objects.filter(weather__origin="JFK").sql("sqlite")
    assert "JOIN" not in Observation.objects.filter(weather__origin="JFK").sql("sqlite")


async def test_reading_with_joins(flights: orm.Database) -> None:
    found = await Flight.objects.select_related("weather__origin", "plane", "carrier").order_by("id")
    assert len(found) == 37
    assert [flight.weather.pk for flight in found[:4]] == [("EWR", HOURS[0])] * 2 + [("EWR", HOURS[1])] * 2
    assert found[0].weather is found[1].weather
    assert found[0].weather.origin.name == "Airport EWR"
    rows = await Flight.objects.order_by("-weather", "id").values("number", "weather", "weather__temperature")
    by_number = {row["number"]: row for row in rows}
    assert by_number[120] == {"number": 120, "weather": KEY, "weather__temperature": 12.0}
    assert by_number[999] == {"number": 999, "weather": None, "weather__temperature": None}
    only = await Flight.objects.only("number", "weather").get(number=120)
    assert only.weather.pk == KEY
    assert not hasattr(only, "delay")
    deeper = await Flight.objects.select_related("weather").only("number", "weather__temperature").get(number=120)
    assert deeper.weather.temperature == 12.0
    deferred = await Flight.objects.defer("weather").get(number=120)
    with pytest.raises(orm.NotLoaded, match=r"Flight.weather is not loaded.*load\('origin_id', 'hour'\)"):
        _ = deferred.weather
    await deferred.load("origin_id", "hour")
    await deferred.load("weather")
    assert deferred.weather.temperature == 12.0


async def test_prefetching(flights: orm.Database) -> None:
    found = await Weather.objects.prefetch_related("flights").order_by("pk")
    assert [len(weather.flights) for weather in found] == [2] * 18
    assert all(flight.weather is weather for weather in found for flight in weather.flights)
    late = orm.Prefetch("flights", Flight.objects.filter(delay__gt=0).order_by("-delay"), to_attr="late")
    one = await Weather.objects.prefetch_related(late).get(pk=("LGA", HOURS[5]))
    assert [flight.delay for flight in one.late] == [15, 14]  # type: ignore[attr-defined]
    planned = await Flight.objects.prefetch_related("weather__origin").order_by("id")
    assert planned[0].weather.origin.name == "Airport EWR"
    assert planned[-1].weather is None
    airports = await Airport.objects.prefetch_related("weather__flights", "departures").order_by("code")
    assert [(len(a.weather), len(a.departures)) for a in airports] == [(6, 12), (6, 13), (6, 12)]
    narrow = await Weather.objects.prefetch_related(orm.Prefetch("flights", Flight.objects.only("number")))
    assert {len(weather.flights) for weather in narrow} == {2}


async def test_aggregates_over_the_relation(flights: orm.Database) -> None:
    found = await Weather.objects.annotate(n=orm.Count("flights"), worst=orm.Max("flights__delay")).order_by("pk")
    assert [(w.n, w.worst) for w in found[:2]] == [(2, 0), (2, 1)]  # type: ignore[attr-defined]
    per_code = await Weather.objects.values("origin").annotate(n=orm.Count("flights")).order_by("origin")
    assert [row["n"] for row in per_code] == [12, 12, 12]
    assert await Weather.objects.filter(flights__isnull=True).count() == 0
    busy = Flight.objects.filter(weather=orm.OuterRef("pk"), delay__gt=10)
    assert await Weather.objects.filter(orm.Exists(busy)).count() == 2
    assert await Flight.objects.aggregate(t=orm.Avg("weather__temperature")) == {"t": pytest.approx(12.5)}


# ---------------------------------------------------------------- the other side


async def test_related_sets(flights: orm.Database) -> None:
    weather = await Weather.objects.get(pk=KEY)
    assert await weather.flights.count() == 2
    made = await weather.flights.create(number=1, carrier_id="AA")
    assert (made.origin_id, made.hour) == KEY
    assert made.weather is weather
    with pytest.raises(orm.FieldError, match=r"weather is <Weather.*> here. Leave it out"):
        await weather.flights.create(number=1, carrier_id="AA", hour=LATER)
    other = await _flight(number=0)
    await weather.flights.add(other)
    assert other.weather is weather
    assert (await _flight(number=0)).weather.pk == KEY
    await weather.flights.remove(made)
    assert made.weather is None
    assert ((await _flight(number=1, origin="JFK")).hour, made.hour) == (None, None)
    await weather.flights.set([other])
    assert [flight.number for flight in await weather.flights] == [0]
    found, created = await weather.flights.get_or_create(number=5, defaults={"carrier_id": "AA"})
    assert (found.weather, created) == (weather, True)
    await weather.flights.bulk_create([Flight(number=6, carrier_id="AA")])
    assert await weather.flights.filter(number__in=[5, 6]).update(delay=3) == 2
    await weather.flights.clear()
    assert await weather.flights.count() == 0
    assert await Flight.objects.filter(weather=None, origin="JFK").count() == 7
    airport = await Airport.objects.get(code="LGA")
    assert await airport.departures.count() == 12
    assert (await airport.departures.create(number=9, carrier_id="AA")).origin_id == "LGA"


async def test_many_to_many_over_keys_of_several_fields(flights: orm.Database) -> None:
    north, south = await Station.objects.bulk_create([Station(name="north"), Station(name="south")])
    weather = await Weather.objects.get(pk=KEY)
    await weather.stations.add(north, south)
    await weather.stations.add(north)
    assert await Observation.objects.count() == 2
    assert await weather.stations.order_by("name").values_list("name", flat=True) == ["north", "south"]
    assert [w.pk for w in await north.observations] == [KEY]  # type: ignore[attr-defined]
    everything = await Weather.objects.prefetch_related("stations").order_by("pk")
    assert [len(w.stations) for w in everything if w.pk == KEY] == [2]
    assert sum(len(w.stations) for w in everything) == 2
    stations = await Station.objects.prefetch_related("observations__flights").order_by("name")
    assert [[w.pk for w in s.observations] for s in stations] == [[KEY], [KEY]]  # type: ignore[attr-defined]
    assert await Weather.objects.filter(stations=north).count() == 1
    assert await Weather.objects.filter(stations__isnull=True).count() == 17
    assert await Station.objects.annotate(n=orm.Count("observations__flights", distinct=True)).values_list(
        "n", flat=True
    ) == [2, 2]
    await weather.stations.remove(south)
    await south.observations.set([weather, everything[0]])  # type: ignore[attr-defined]
    assert await Observation.objects.count() == 3
    await weather.stations.clear()
    assert [o.weather.pk for o in await Observation.objects.all()] == [everything[0].pk]
    await weather.stations.create(name="east")
    assert await Observation.objects.filter(weather=weather).count() == 1


async def test_writing_over_the_relation(flights: orm.Database) -> None:
    weather = await Weather.objects.get(pk=("LGA", HOURS[0]))
    assert await Flight.objects.filter(number__in=[0, 1]).update(weather=weather) == 2
    assert await Flight.objects.filter(weather=weather).count() == 4
    assert await Flight.objects.filter(number=0).update(weather=KEY) == 1
    assert await Flight.objects.filter(weather=weather).update(weather=None) == 3
    assert await Flight.objects.filter(weather=None, origin="LGA").count() == 3
    found = await Flight.objects.filter(number__in=[10, 11]).order_by("number")
    for flight in found:
        flight.weather = weather
    assert await Flight.objects.bulk_update(found, ["weather"]) == 2
    assert await Flight.objects.filter(weather=weather).count() == 2
    flight, created = await Flight.objects.get_or_create(weather=weather, number=10)
    assert (flight.pk, created) == (found[0].pk, False)
    assert await Flight.objects.filter(weather__temperature__lt=5.0).delete() == 6
    with pytest.raises(orm.ForeignKeyViolation):
        await Flight.objects.create(number=1, carrier_id="AA", origin_id="JFK", hour=LATER)
    with pytest.raises(orm.ForeignKeyViolation):
        await Flight.objects.filter(number=120).update(weather=("JFK", LATER))


async def test_rows_that_may_be_missing(flights: orm.Database) -> None:
    """Planes are referred to without a constraint: half of those in the flights are not among the planes."""
    found = await Flight.objects.select_related("plane").order_by("id")
    assert [flight.plane and flight.plane.seats for flight in found[:8]] == [100, 100, 101, 101, 102, 102, None, None]
    assert (found[6].plane, found[6].plane_id) == (None, "N3")  # type: ignore[attr-defined]
    assert (await Flight.objects.prefetch_related("plane").get(pk=found[6].pk)).plane is None
    sparse = (await Flight.objects.get(pk=found[6].pk)).plane
    assert sparse is not None
    assert sparse.tail == "N3"
    with pytest.raises(Plane.DoesNotExist):
        await sparse.load()
    assert await Flight.objects.filter(plane__isnull=True).count() == 1
    assert await Flight.objects.filter(plane__seats__isnull=True).count() == 19
    await Plane.objects.all().delete()
    assert await Flight.objects.filter(plane="N0").count() == 6


# ---------------------------------------------------------------- the whole


async def test_a_report(flights: orm.Database) -> None:
    """What a small analysis asks: delays by the rain of the hour, the busiest hours, carriers in bad weather."""
    wet = Weather.objects.filter(hour__in=[HOURS[1], HOURS[4]])
    assert await wet.update(rain=5.0) == 6
    by_rain = (
        await Flight.objects.filter(weather__isnull=False)
        .values("weather__rain")
        .annotate(n=orm.Count("id"), mean=orm.Avg("delay"))
        .order_by("weather__rain")
    )
    assert [(row["weather__rain"], row["n"]) for row in by_rain] == [(0.0, 24), (5.0, 12)]
    assert [float(row["mean"]) for row in by_rain] == [4.5, 4.5]
    worst = await Weather.objects.annotate(worst=orm.Max("flights__delay")).order_by("-worst", "pk").first()
    assert worst is not None
    assert worst.pk == ("LGA", HOURS[5])
    ranked = await (
        Weather.objects.annotate(
            rank=orm.Window(orm.functions.RowNumber(), partition_by=["origin"], order_by=["-temperature"])
        )
        .filter(rank=1)
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    assert ranked == [(code, HOURS[5]) for code in CODES]
    page = await Flight.objects.select_related("weather").order_by("-weather", "id").cursor_paginate(per_page=10)
    following = await (
        Flight.objects.select_related("weather")
        .order_by("-weather", "id")
        .cursor_paginate(after=page.next_cursor, per_page=40)
    )
    assert len({flight.id for flight in [*page, *following]}) == 37


async def test_what_may_be_missing_cannot_be_locked(flights: orm.Database) -> None:
    async with flights.transaction():
        for path in ("plane", "weather"):
            with pytest.raises(orm.FieldError, match=rf"Flight.{path} may be missing"):
                Flight.objects.select_related(path).select_for_update(of=[path])
        if flights.dialect.name == "postgresql":
            found = await Flight.objects.select_related("origin").select_for_update(of=["origin"]).get(number=120)
            assert found.origin.name == "Airport JFK"
