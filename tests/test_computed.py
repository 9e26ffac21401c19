"""Generated columns in migrations: added, changed, turned to plain ones, and back, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import orm
from orm import F
from tests.revising import Revising, revising


@pytest.fixture
def database(own_url: str) -> Iterator[Revising]:
    with revising(own_url) as made:
        yield made


def models(total: Any) -> orm.Registry:
    registry = orm.Registry()
    body = {"price": orm.Integer(), "number": orm.Integer()}
    if total is not None:
        body["total"] = total
    type(orm.Model)("Line", (orm.Model,), {**body, "Meta": type("Meta", (), {"registry": registry})})
    return registry


def generated(expression: Any, **options: Any) -> Any:
    return orm.Generated(expression, output_field=orm.Integer(null=True), **options)


def there_and_back(database: Revising, old: orm.Registry, new: orm.Registry) -> None:
    """Change a table with a row, go back, and change it again."""
    database.upgrade(new, database.there_and_back(old, new, "INSERT INTO line (price, number) VALUES (3, 4)"))


def test_an_expression_changes(database: Revising) -> None:
    there_and_back(database, models(generated(F("price") * F("number"))), models(generated(F("price") + F("number"))))
    assert database.sql("SELECT total FROM line") == [(7,)]


def test_an_index_of_it_is_made_again(database: Revising) -> None:
    old = models(generated(F("price") * F("number"), index=True))
    there_and_back(database, old, models(generated(F("price") - F("number"), index=True)))
    assert database.sql("SELECT total FROM line") == [(-1,)]


def test_a_generated_column_is_added_and_removed(database: Revising) -> None:
    there_and_back(database, models(None), models(generated(sa.text("price * 2"))))
    assert database.sql("SELECT total FROM line") == [(6,)]


def test_a_plain_column_becomes_generated(database: Revising) -> None:
    there_and_back(database, models(orm.Integer(null=True)), models(generated(F("price") * F("number"))))
    assert database.sql("SELECT total FROM line") == [(12,)]


def test_another_column_changes_beside_it(database: Revising) -> None:
    old, new = models(generated(F("price") * F("number"))), models(generated(F("price") * F("number")))
    new.schemas["Line"].table.append_column(sa.Column("note", sa.String(9), comment="what"))
    database.create_all(old)
    database.sql("INSERT INTO line (price, number) VALUES (3, 4)")
    revision = database.upgrade(new)
    assert "total" not in revision.text
    database.downgrade(old, revision)
    assert database.sql("SELECT total FROM line") == [(12,)]


def test_expressions_with_commas_survive_the_copies_of_sqlite(database: Revising) -> None:
    total = generated(sa.text("coalesce(price, 0) + nullif(number, 1)"))
    old, new = models(total), models(total)
    old.schemas["Line"].table.append_column(sa.Column("note", sa.String(9), server_default="a, (b"))
    there_and_back(database, old, new)
    assert database.sql("SELECT total FROM line") == [(7,)]
