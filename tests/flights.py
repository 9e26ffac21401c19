"""Flights in the form of the nycflights13 data: weather is told by its origin and hour, and flights refer to both."""

from __future__ import annotations

import datetime as dt
from datetime import UTC, datetime, timedelta
from typing import Any

import orm

flights = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = flights
        abstract = True


class Airline(Base):
    carrier: orm.Field[str] = orm.String(max_length=2, primary_key=True)
    name: orm.Field[str] = orm.String(max_length=40)


class Airport(Base):
    id: orm.Field[int] = orm.BigAutoField()
    code: orm.Field[str] = orm.String(max_length=3, unique=True)
    name: orm.Field[str] = orm.String(max_length=60)
    weather: orm.RelatedSet[Weather] = orm.Reverse("Weather.origin")
    departures: orm.RelatedSet[Flight] = orm.Reverse("Flight.origin")


class Weather(Base):
    origin: orm.Related[Airport] = orm.ForeignKey("Airport", to_field="code", on_delete=orm.CASCADE)
    hour: orm.Field[dt.datetime] = orm.DateTime()
    temperature: orm.Field[float] = orm.Float()
    rain: orm.Field[float] = orm.Float(default=0.0)
    pk: orm.Field[tuple[str, dt.datetime]] = orm.CompositePrimaryKey("origin", "hour")
    flights: orm.RelatedSet[Flight] = orm.Reverse("Flight.weather")
    stations: orm.RelatedSet[Station] = orm.ManyToMany("Station", through="Observation", related_name="observations")


class Station(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20)


class Observation(Base):
    """Which stations made the record of an hour; its key has three columns, two of which are those of another key."""

    station: orm.Related[Station] = orm.ForeignKey("Station", on_delete=orm.CASCADE)
    origin: orm.Field[str] = orm.String(max_length=3)
    hour: orm.Field[dt.datetime] = orm.DateTime()
    weather: Any = orm.ForeignKey("Weather", from_fields=("origin", "hour"), on_delete=orm.CASCADE)
    quality: orm.Field[int] = orm.Integer(default=0)
    pk: Any = orm.CompositePrimaryKey("station", "origin", "hour")


class Plane(Base):
    tail: orm.Field[str] = orm.String(max_length=6, primary_key=True)
    seats: orm.Field[int] = orm.Integer()
    flights: orm.RelatedSet[Flight] = orm.Reverse("Flight.plane")


class Flight(Base):
    id: orm.Field[int] = orm.BigAutoField()
    number: orm.Field[int] = orm.Integer()
    carrier: orm.Related[Airline] = orm.ForeignKey("Airline")
    plane: orm.Related[Plane | None] = orm.ForeignKey("Plane", null=True, default=None, constraint=False)
    origin: orm.Related[Airport] = orm.ForeignKey("Airport", to_field="code")
    hour: orm.Field[dt.datetime | None] = orm.DateTime(null=True, default=None)
    delay: orm.Field[int | None] = orm.Integer(null=True, default=None)
    weather: Any = orm.ForeignKey("Weather", from_fields=("origin", "hour"), to_fields=("origin", "hour"))


DAY = datetime(2013, 1, 1, tzinfo=UTC)
HOURS = [DAY + timedelta(hours=hour) for hour in range(6)]
CODES = ("EWR", "JFK", "LGA")


async def load() -> None:
    """Three airports, six hours of weather at each, two flights an hour and airport; one flight without an hour."""
    await Airline.objects.bulk_create([Airline(carrier="AA", name="American"), Airline(carrier="UA", name="United")])
    await Airport.objects.bulk_create([Airport(code=code, name=f"Airport {code}") for code in CODES])
    await Plane.objects.bulk_create([Plane(tail=f"N{n}", seats=100 + n) for n in range(3)])
    await Weather.objects.bulk_create(
        [
            Weather(origin_id=code, hour=hour, temperature=10.0 * index + number)
            for index, code in enumerate(CODES)
            for number, hour in enumerate(HOURS)
        ]
    )
    rows = [
        Flight(
            number=100 * index + 10 * number + turn,
            carrier_id=("AA", "UA")[turn],
            plane_id=f"N{number}",  # of six planes, three are known
            origin_id=code,
            hour=hour,
            delay=number * (index + 1) - turn,
        )
        for index, code in enumerate(CODES)
        for number, hour in enumerate(HOURS)
        for turn in range(2)
    ]
    await Flight.objects.bulk_create([*rows, Flight(number=999, carrier_id="AA", origin_id="JFK")])
