"""`orm inspectdb`: the models that it writes make the same tables again, on every database."""

from __future__ import annotations

import subprocess
import sys
import types
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings

import orm
from orm import Registry
from orm.cli.main import main
from tests.random_schemas import Schema, registry_of, schemas
from tests.revising import Revising, revising
from tests.snapshots import differences, snapshot
from tests.test_properties_of_migrations import drop_all

ENGINES = ["sqlite", "postgresql", "mysql+asyncmy"]
CHINOOK = Path(__file__).parent.parent / "examples" / "chinook"


@pytest.fixture
def database(own_url: str) -> Iterator[Revising]:
    with revising(own_url) as made:
        yield made


def inspected(url: str, path: Path, *options: str) -> str:
    """What the command writes."""
    assert main(["inspectdb", url, "--output", str(path), *options]) == 0
    return path.read_text(encoding="utf-8")


def registry_in(text: str) -> Registry:
    """The models of a module in source text."""
    module = types.ModuleType("inspected")
    sys.modules["inspected"] = module
    exec(compile(text, "inspected.py", "exec"), module.__dict__)
    found = module.__dict__["models"]
    assert isinstance(found, Registry)
    return found


def check_round_trip(database: Revising, url: str, path: Path) -> str:
    """The models of what is there make it again, and migrations find nothing to do."""
    text = inspected(url, path)
    before = database.run(snapshot)
    models = registry_in(text)
    left = database.write(models)
    assert left.empty, text + left.text
    drop_all(database)
    database.create_all(models)
    assert differences(database.run(snapshot), before) == [], text
    return text


def chinook() -> Registry:
    sys.path.insert(0, str(CHINOOK))
    try:
        sys.modules.pop("models", None)
        import models  # type: ignore[import-not-found]

        return models.models  # type: ignore[no-any-return]
    finally:
        sys.path.remove(str(CHINOOK))
        sys.modules.pop("models", None)


def test_the_chinook_data(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.create_all(chinook())
    text = check_round_trip(database, own_url, tmp_path / "inspected.py")
    assert 'artist: orm.Related[Artist] = orm.ForeignKey("Artist", on_delete=orm.CASCADE)' in text
    assert "unit_price: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10, decimal_places=2)" in text
    assert 'reports_to: orm.Related[Employee | None] = orm.ForeignKey("Employee", null=True, default=None)' in text


@pytest.mark.parametrize("backend", ENGINES, indirect=True)
def test_random_models(database: Revising, own_url: str, tmp_path: Path) -> None:
    @settings(
        max_examples=8,
        derandomize=True,
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(schemas(database.connection.dialect.name))
    def tried(schema: Schema) -> None:
        drop_all(database)
        database.create_all(registry_of(_written(schema)))
        check_round_trip(database, own_url, tmp_path / "inspected.py")

    tried()


_KINDS = ("unique", "index", "descending", "check")


def _written(schema: Schema) -> Schema:
    """The schema without the constraints and indexes that are comments in what is written."""
    kept = {n: [part for part in table.parts if part.kind in _KINDS] for n, table in schema.items()}
    return {name: replace(table, parts=tuple(kept[name])) for name, table in schema.items()}


def keyed() -> Registry:
    """Keys of several columns, keys that are keys, names that are none in Python."""
    models = orm.Registry()

    class Base(orm.Model):
        class Meta:
            registry = models
            abstract = True

    class Weather(Base):
        pk = orm.CompositePrimaryKey("origin", "hour")
        origin = orm.String(max_length=3)
        hour = orm.DateTime(timezone=False)
        wind = orm.Float(null=True, column="wind speed")

    class Flight(Base):
        number = orm.SmallInteger(primary_key=True)
        origin = orm.String(max_length=3)
        hour = orm.DateTime(timezone=False)
        first = orm.Boolean(column="class", default=sa.false())
        weather = orm.ForeignKey("Weather", from_fields=["origin", "hour"], on_delete=orm.CASCADE, index=False)

    class Crew(Base):
        flight = orm.OneToOne("Flight", primary_key=True, on_delete=orm.CASCADE)
        code = orm.String(max_length=9, unique=True)
        stand_in = orm.OneToOne("Crew", null=True, to_field="code", column="standIn")
        total = orm.Generated(sa.text("flight_id + 1"), output_field=orm.Integer(null=True))

        class Meta:
            tablename = "FlightCrew"

    return models


def test_keys_and_names(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.create_all(keyed())
    text = check_round_trip(database, own_url, tmp_path / "inspected.py")
    assert 'pk = orm.CompositePrimaryKey("origin", "hour")' in text
    assert 'orm.ForeignKey("Weather", from_fields=["origin", "hour"]' in text.replace("\n        ", "")
    assert 'class_column: orm.Field[bool] = orm.Boolean(column="class"' in text
    assert 'orm.OneToOne("Flight", primary_key=True, on_delete=orm.CASCADE)' in text
    assert 'to_field="code"' in text
    assert 'wind_speed: orm.Field[float | None] = orm.Float(null=True, column="wind speed", default=None)' in text
    assert 'tablename = "FlightCrew"' in text


def test_what_cannot_be_said_is_said_so(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY, width INTEGER, code CHAR(5), "
        "CONSTRAINT odd CHECK (width > 3 AND id > 2))",
        "CREATE TABLE loose (a INTEGER)",
        "CREATE VIEW wide AS SELECT id FROM shelf WHERE width > 9",
    )
    path = tmp_path / "inspected.py"
    text = inspected(own_url, path)
    assert "# Left out: CHECK odd" in text
    assert "code: orm.Field[str | None] = orm.custom_field(" in text
    assert "# The table has no primary key" in text
    assert "class Wide(" not in text
    assert "class Wide(" in inspected(own_url, path, "--include-views")
    only = inspected(own_url, path, "--table", "shelf")
    assert "class Loose(" not in only
    assert "class Shelf(" in only


def test_what_is_written_goes_to_standard_output(
    database: Revising, own_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    database.create_all(keyed())
    assert main(["inspectdb", own_url]) == 0
    written = capsys.readouterr()
    assert "class Weather(Base):" in written.out
    assert written.err == ""


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_mistakes_are_a_sentence(
    database: Revising, own_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database.create_all(keyed())

    def said(*arguments: str) -> str:
        assert main(["inspectdb", *arguments]) == 1
        written = capsys.readouterr()
        assert written.out == ""
        return written.err

    assert said(own_url, "--table", "nothing").startswith("orm: The database has no table 'nothing'. Choose from: ")
    assert "There is no database" in said(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()
    refused = said("postgresql://me:secret@127.0.0.1:1/music")
    assert "could not be read" in refused
    assert "secret" not in refused
    assert "No such file or directory" in said(own_url, "--output", str(tmp_path / "missing" / "models.py"))


def test_what_is_written_is_formatted(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.create_all(keyed())
    path = tmp_path / "inspected.py"
    text = inspected(own_url, path)
    assert max(map(len, text.splitlines())) <= 120
    ruff = str(Path(sys.executable).parent / "ruff")
    for command in (["format", "--diff"], ["check", "--select=F,I,E"]):
        words = [ruff, *command, "--isolated", "--line-length=120", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stdout
