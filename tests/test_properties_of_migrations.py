"""Random models A and B: revisions lead from the tables of A to those of B, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.random_schemas import Column, Part, Schema, Table, registry_of, schemas
from tests.revising import Revising, revising

EXAMPLES = int(os.environ.get("ORM_FUZZ_EXAMPLES", "0"))
_FEW = {"sqlite": 15, "postgresql": 6, "mysql": 6}

pytestmark = [
    pytest.mark.parametrize("backend", ["sqlite", "postgresql", "mysql+asyncmy"], indirect=True),
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index"),
]


@pytest.fixture
def database(own_url: str) -> Iterator[Revising]:
    with revising(own_url) as made:
        yield made


def check(database: Revising, before: Schema, after: Schema) -> None:
    database.drop_all()  # whatever a failure left
    database.there_and_back(registry_of(before), registry_of(after))


def test_there_and_back(database: Revising) -> None:
    engine = database.connection.dialect.name

    @settings(
        max_examples=max(1, EXAMPLES // 40) if EXAMPLES else _FEW[engine],
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.tuples(schemas(engine), schemas(engine)))
    def tried(drawn: tuple[Schema, Schema]) -> None:
        check(database, *drawn)

    tried()


_SMALL = Column("small", (("comment", "what it is"),))
# Pairs whose revision was wrong once, each the smallest that was found.
_FOUND: dict[str, tuple[Schema, Schema]] = {
    "MySQL's key goes while its index does": (
        {"Blue": Table(), "Red": Table(keys={"owner": ("Blue", ())})},
        {"Blue": Table(), "Red": Table(keys={"owner": ("Blue", (("on_delete", "RESTRICT"), ("index", False)))})},
    ),
    "MySQL's own index of a key goes after it": (
        {"Red": Table(keys={"owner": ("Red", (("on_delete", "RESTRICT"), ("index", False)))})},
        {"Red": Table()},
    ),
    "a copy of SQLite's keeps AUTOINCREMENT": ({"Red": Table()}, {"Red": Table(keys={"owner": ("Red", ())})}),
    "a dropped table has its key on the way back": ({"Red": Table()}, {"Green": Table()}),
    "a number becomes a boolean": ({"Red": Table({"a": Column("boolean")})}, {"Red": Table({"a": Column("small")})}),
    "a default of another type": (
        {"Red": Table({"a": Column("small", (), 0)})},
        {"Red": Table({"a": Column("boolean", (), 0)})},
    ),
    "JSON of MariaDB is a type of its own": (
        {"Red": Table()},
        {"Red": Table({"a": Column("json"), "b": Column("text")})},
    ),
    "an order of an index": (
        {"Red": Table({"a": _SMALL, "b": _SMALL}, {}, (Part("descending", ("a", "b")),))},
        {"Red": Table()},
    ),
    "a type of PostgreSQL goes with its table": ({"Red": Table()}, {"Green": Table({"a": Column("mood", (), 0)})}),
    "a type of PostgreSQL comes with a column": ({"Red": Table()}, {"Red": Table({"a": Column("size")})}),
    "an index that a key of MySQL's needs": (
        {"Red": Table(keys={"other": ("Red", (("on_delete", "RESTRICT"), ("index", False)))})},
        {"Red": Table(keys={"other": ("Red", ())})},
    ),
}


@pytest.mark.parametrize("name", _FOUND)
def test_what_was_found(database: Revising, name: str) -> None:
    check(database, *_FOUND[name])
