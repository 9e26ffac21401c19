"""Columns that cannot be NULL, added to tables with rows, on every database."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

import orm
from tests.revising import Revising, revising
from tests.snapshots import differences, snapshot


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "it's bad"


KEY = uuid.UUID("5f1d6c3e-0b8c-4e5e-9d0c-8b6f0f4b7a11")
FIELDS: dict[str, Any] = {
    "plays": lambda: orm.Integer(default=7),
    "loud": lambda: orm.Boolean(default=True),
    "price": lambda: orm.Decimal(max_digits=8, decimal_places=2, default=decimal.Decimal("9.99")),
    "ratio": lambda: orm.Float(default=0.5),
    "title": lambda: orm.String(max_length=20, default="it's: 5"),
    "notes": lambda: orm.Text(default="none", comment="what"),
    "mood": lambda: orm.Enum(Mood, default=Mood.BAD),
    "day": lambda: orm.Date(default=datetime.date(2024, 2, 29)),
    "key": lambda: orm.UUID(default=KEY),
    "data": lambda: orm.JSON(default=dict),
}
VALUES = {
    "plays": 7,
    "loud": True,
    "price": decimal.Decimal("9.99"),
    "ratio": 0.5,
    "title": "it's: 5",
    "notes": "none",
    "mood": Mood.BAD,
    "day": datetime.date(2024, 2, 29),
    "key": KEY,
    "data": {},
}


@pytest.fixture
def database(own_url: str) -> Iterator[Revising]:
    with revising(own_url) as made:
        yield made


def models(**fields: Any) -> orm.Registry:
    registry = orm.Registry()
    body = {"name": orm.String(max_length=9, default="x"), **fields}
    type(orm.Model)("Song", (orm.Model,), {**body, "Meta": type("Meta", (), {"registry": registry})})
    return registry


def test_rows_get_the_default_of_the_model(database: Revising, own_url: str) -> None:
    old, new = models(), models(**{name: make() for name, make in FIELDS.items()})
    database.create_all(new)
    wanted = database.run(snapshot)
    database.run(lambda connection: new.metadata.drop_all(connection))
    database.create_all(old)
    created = database.run(snapshot)
    database.sql("INSERT INTO song (name) VALUES ('a')")
    revision = database.upgrade(new)
    assert differences(database.run(snapshot), wanted) == [], revision.text
    assert database.write(new).empty

    async def values() -> dict[str, Any]:
        async with orm.Database(own_url) as connected:
            return await new.schemas["Song"].model.objects.using(connected).values(*FIELDS).get()  # type: ignore[no-any-return]

    assert database.runner.run(values()) == VALUES
    database.downgrade(old, revision)
    assert differences(database.run(snapshot), created) == [], revision.text


def test_what_the_author_must_decide_is_said(database: Revising) -> None:
    old, new = models(), models(number=orm.Integer(), key=orm.UUID(default=uuid.uuid4))
    database.create_all(old)
    revision = database.write(new)
    assert "# song.number cannot be NULL and has no default for the rows" in revision.text
    assert "# song.key cannot be NULL" in revision.text
    database.upgrade(new, revision)  # an empty table takes it
    database.downgrade(old, revision)
    assert database.write(old).empty
