"""Enumerations in migrations: their values change with all rows and defaults, in one transaction, and go back."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations

import orm
from orm import operations
from tests.revising import Revising, _context, revising
from tests.snapshots import differences, snapshot


@pytest.fixture
def database(own_url: str) -> Iterator[Revising]:
    with revising(own_url) as made:
        yield made


def models(values: list[str], default: str | None = None, **options: bool) -> orm.Registry:
    """Models with a column of an enumeration, which another table may share."""
    registry = orm.Registry()
    made = enum.Enum("Colour", {f"V{number}": value for number, value in enumerate(values)})  # type: ignore[misc]
    field: dict[str, Any] = {}
    if default is not None:
        field["default"] = sa.text(f"'{default}'")
    body: dict[str, Any] = {"number": orm.Integer()}
    if options.get("column", True):
        body["colour"] = orm.Enum(made, index=True, **field)
    type(orm.Model)("Shirt", (orm.Model,), {**body, "Meta": type("Meta", (), {"registry": registry})})
    if options.get("shared"):
        body = {"colour": orm.Enum(made, null=True), "Meta": type("Meta", (), {"registry": registry})}
        type(orm.Model)("Shoe", (orm.Model,), body)
    return registry


ROW = "INSERT INTO shirt (number, colour) VALUES (1, 'red')"


def test_values_are_added(database: Revising, own_url: str) -> None:
    text = database.there_and_back(models(["red", "green"]), models(["red", "it's: new", "green"]), ROW).text
    if not own_url.startswith("sqlite"):  # which keeps no values
        assert text.count("orm.operations.change_enum('colour'") == 2
        assert "create_enum" not in text
        assert "drop_enum" not in text
    assert database.sql("SELECT colour FROM shirt") == [("red",)]


def test_values_are_removed_reordered_and_the_default_with_them(database: Revising) -> None:
    old, new = models(["red", "green", "blue"], "green"), models(["blue", "red"], "blue")
    database.there_and_back(old, new, ROW)


def test_a_type_of_two_tables_is_changed_in_both(database: Revising) -> None:
    old, new = models(["red", "green"], "red", shared=True), models(["red", "gold"], "red", shared=True)
    text = database.there_and_back(old, new, ROW, "INSERT INTO shoe (colour) VALUES ('red')").text
    assert "Colour" not in text
    assert database.sql("SELECT colour FROM shoe") == [("red",)]


def test_a_column_with_a_new_type_is_added(database: Revising) -> None:
    text = database.there_and_back(models(["red"], column=False), models(["red", "green"], "red")).text
    assert "orm.operations.create_enum('colour', ('red', 'green'))" in text
    assert "orm.operations.drop_enum('colour')" in text


def test_a_type_that_another_table_has_stays(database: Revising) -> None:
    database.there_and_back(models(["red"], shared=True), models(["red"], shared=True, column=False))


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_row_with_a_value_that_is_gone_stops_the_migration(database: Revising) -> None:
    old, new = models(["red", "green"]), models(["green"])
    database.create_all(old)
    database.sql(ROW)
    created = database.run(snapshot)
    revision = database.write(new)
    with pytest.raises(sa.exc.DBAPIError):
        database.upgrade(new, revision)
    assert differences(database.run(snapshot), created) == []


@pytest.mark.parametrize("backend", ["postgresql"])
def test_values_are_renamed(database: Revising) -> None:
    registry = models(["red", "green"], "red")
    database.create_all(registry)
    database.sql(ROW)

    def rename(connection: sa.Connection) -> None:
        with Operations.context(_context(connection, registry)):
            operations.change_enum("colour", ("crimson", "green"), renamed={"red": "crimson"})

    database.run(rename)
    assert database.sql("SELECT colour::text FROM shirt") == [("crimson",)]
    assert database.write(models(["crimson", "green"], "crimson")).empty
