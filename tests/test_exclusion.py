"""PostgreSQL's exclusion constraints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.schema import CreateTable

import orm
from orm import F, Q
from orm.database import Database
from orm.database.dialects import dialect_named
from orm.postgresql import DateRange, ExclusionConstraint, Range
from tests.databases import created

models = orm.Registry()


class Booking(orm.Model):
    """A room is booked once at a time."""

    room = orm.Integer(column="room_number")
    period = DateRange()
    cancelled = orm.Boolean(default=False)

    class Meta:
        registry = models
        constraints = [
            ExclusionConstraint(
                name="room_is_free",
                expressions=[(F("room"), "="), ("period", "&&")],
                condition=Q(cancelled=False),
                deferrable="immediate",
            )
        ]


@pytest_asyncio.fixture
async def bookings(postgresql_url: str) -> AsyncIterator[Database]:
    async with Database(postgresql_url) as database:
        await database.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        async with created(models, database):
            yield database


def days(first: int, last: int) -> Range[date]:
    return Range(date(2030, 1, first), date(2030, 1, last))


async def test_rows_that_all_comparisons_are_true_of_are_refused(bookings: Database) -> None:
    await Booking.objects.create(room=1, period=days(1, 5))
    await Booking.objects.create(room=1, period=days(5, 9))
    await Booking.objects.create(room=2, period=days(1, 9))
    await Booking.objects.create(room=1, period=days(1, 9), cancelled=True)
    with pytest.raises(orm.ExclusionViolation, match=r"^Booking\.room, period: .*room_is_free") as caught:
        await Booking.objects.create(room=1, period=days(4, 6))
    error = caught.value
    assert (error.constraint, error.model, error.fields) == ("room_is_free", "Booking", ("room", "period"))
    assert isinstance(error, orm.IntegrityError)


def sql(engine: str) -> str:
    return str(CreateTable(Booking.table).compile(dialect=dialect_named(engine)))


def test_what_it_is_in_sql() -> None:
    assert (
        "CONSTRAINT room_is_free EXCLUDE USING gist (room_number WITH =, period WITH &&) WHERE (cancelled = false) "
        "DEFERRABLE INITIALLY IMMEDIATE"
    ) in sql("postgresql")


def test_the_name_is_made_for_each_table() -> None:
    owner = orm.Registry()

    class Reserved(orm.Model):
        period = DateRange()

        class Meta:
            registry = owner
            abstract = True
            constraints = [ExclusionConstraint(name="%(table)s_free", expressions=[("period", "&&")], method="spgist")]

    class Car(Reserved):
        pass

    made = str(CreateTable(Car.table).compile(dialect=dialect_named("postgresql")))
    assert "CONSTRAINT car_free EXCLUDE USING spgist (period WITH &&)" in made


def test_expressions_stand_in_parentheses() -> None:
    made = ExclusionConstraint(name="x", expressions=[(F("a") + 1, "="), (F("b"), "<>")])
    owner = orm.Registry()
    meta = type("Meta", (), {"registry": owner, "constraints": [made]})
    body = {"a": orm.Integer(), "b": orm.Integer(), "Meta": meta, "__module__": __name__}
    model: Any = type(orm.Model)("Pair", (orm.Model,), body)
    text = str(CreateTable(model.table).compile(dialect=dialect_named("postgresql")))
    assert "EXCLUDE USING gist ((a + 1) WITH =, b WITH <>)" in text


@pytest.mark.parametrize(("engine", "name"), [("sqlite", "SQLite"), ("mysql", "MySQL"), ("mariadb", "MariaDB")])
def test_others_have_none(engine: str, name: str) -> None:
    part = ExclusionConstraint(name="x", expressions=[("a", "=")])
    meta = type("Meta", (), {"registry": orm.Registry(), "constraints": [part]})
    model: Any = type(orm.Model)("One", (orm.Model,), {"a": orm.Integer(), "Meta": meta, "__module__": __name__})
    with pytest.raises(orm.NotSupportedError, match=rf"{name} has no exclusion constraints, here Exclusion"):
        CreateTable(model.table).compile(dialect=dialect_named(engine))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": None, "expressions": [("a", "=")]}, "needs a name, which errors give"),
        ({"name": "x", "expressions": []}, "compares nothing. Give pairs"),
        ({"name": "x", "expressions": ["a"]}, r"are pairs of a field and an operator, \('period', '&&'\), not 'a'"),
        ({"name": "x", "expressions": [("a", "= 1) --")]}, "'= 1\\) --' is no operator of PostgreSQL's"),
        ({"name": "x", "expressions": [("a", "=--")]}, "is no operator"),
        ({"name": "x", "expressions": [("a", "/*")]}, "is no operator"),
        ({"name": "x", "expressions": [("a", 1)]}, "1 is no operator"),
        ({"name": "x", "expressions": [("-a", "=")]}, "has no order: give '-a' without one"),
        ({"name": "x", "expressions": [(F("a").desc(), "=")]}, "has no order"),
        ({"name": "x", "expressions": [(1, "=")]}, "takes names of fields"),
        ({"name": "x", "expressions": [("a", "=")], "condition": "x"}, "takes a condition in words"),
        ({"name": "x", "expressions": [("a", "=")], "method": "no such"}, "is the name of an access method"),
        ({"name": "x", "expressions": [("a", "=")], "deferrable": "later"}, "is 'deferred' .* not 'later'"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        ExclusionConstraint(**options)


def test_unknown_fields_are_named_with_the_class() -> None:
    owner = orm.Registry()
    for part in (
        ExclusionConstraint(name="x", expressions=[("nome", "=")]),
        ExclusionConstraint(name="x", expressions=[("a", "=")], condition=Q(nome=1)),
    ):
        meta = type("Meta", (), {"registry": owner, "constraints": [part]})
        with pytest.raises(orm.FieldError, match=r"One has no field 'nome'. Choose from: id, a"):
            type(orm.Model)("One", (orm.Model,), {"a": orm.Integer(), "Meta": meta, "__module__": __name__})
