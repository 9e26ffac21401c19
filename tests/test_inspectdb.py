"""`orm inspectdb`: the models that it writes make the same tables again, on every database."""

from __future__ import annotations

import enum
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, settings

import orm
from orm import Registry, functions, postgresql
from orm.cli.main import main
from orm.cli.text import quoted
from tests.random_schemas import Schema, registry_of, schemas
from tests.revising import Revising, revising
from tests.snapshots import differences, snapshot

ENGINES = ["sqlite", "postgresql", "mysql+asyncmy"]
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
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
    database.drop_all()
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
        database.drop_all()
        database.create_all(registry_of(schema))
        check_round_trip(database, own_url, tmp_path / "inspected.py")

    tried()


def everything(engine: str) -> Registry:
    """Constraints and indexes of all kinds that an engine has."""
    models = orm.Registry()
    constraints: list[Any] = [
        orm.CheckConstraint(orm.Q(temp__gt=-100), name="warm"),
        orm.CheckConstraint(sa.text("code <> '50%' AND code <> 'a:b' AND code <> 'it''s'"), name="%(table)s_code"),
        orm.CheckConstraint(orm.Q(number__gte=0), name="number"),
        orm.CheckConstraint(orm.Q(number__in=[1, 2, 3]) | orm.Q(code="\\:x"), name="list"),
        orm.UniqueConstraint("code", "owner", name="pair"),
    ]
    indexes = [orm.Index("number", "-code", name="down"), orm.Index("temp"), orm.Index("owner", "code")]
    if engine != "mysql":
        constraints += [
            orm.UniqueConstraint("code", name="uq_sh", condition=orm.Q(number__gt=0) & ~orm.Q(code='it\'s "so"')),
            orm.UniqueConstraint(functions.Func("code", function="lower", output_field=orm.Text()), name="lower"),
            orm.UniqueConstraint(orm.F("code").asc(), "number", name="unique_index"),
        ]
        indexes += [
            orm.Index(orm.F("number") * 2, "-code", name="twice"),
            orm.Index("-number", name="some", condition=orm.Q(number__in=[1, 2])),
        ]
    else:
        indexes += [orm.Index("code", name="words", method="fulltext"), orm.Index(sa.text("`long`(9)"), name="part")]
    if engine == "postgresql":
        constraints += _of_postgresql_constraints()
        indexes += _of_postgresql_indexes()

    class Owner(orm.Model):
        name = orm.String(max_length=20)

        class Meta:
            registry = models

    class Shelf(orm.Model):
        code = orm.String(max_length=20)
        long = orm.Text()
        number = orm.Integer()
        temp = orm.Decimal(max_digits=6, decimal_places=2)
        data = orm.JSON()
        mood = orm.Enum(Mood)
        owner = orm.ForeignKey("Owner", index=False)

        class Meta:
            registry = models

    for part in (*constraints, *indexes):
        part.attach(Shelf.__schema__, Shelf.table)  # type: ignore[attr-defined]
    return models


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_words_that_postgresql_tells_in_others_again(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE shelf (id BIGSERIAL PRIMARY KEY, code VARCHAR(9) NOT NULL, "
        "CONSTRAINT known CHECK (code IN ('a', 'b')))",
        "ALTER TABLE shelf ADD CONSTRAINT old CHECK (code <> 'c') NOT VALID",
        "CREATE INDEX few ON shelf (lower(code)) WITH (fillfactor = 70) WHERE code IN ('a', 'b')",
    )
    text = inspected(own_url, tmp_path / "inspected.py")
    assert "# old is NOT VALID in the database." in text
    assert "# few has WITH (fillfactor='70'), left out." in text
    models = registry_in(text)
    database.sql("ALTER INDEX few RESET (fillfactor)", "ALTER TABLE shelf VALIDATE CONSTRAINT old")
    left = database.write(models)
    assert left.empty, left.text
    database.drop_all()
    database.create_all(models)
    left = database.write(models)
    assert left.empty, left.text


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_a_key_that_is_an_identity(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.sql("CREATE TABLE node (id bigint GENERATED BY DEFAULT AS IDENTITY CONSTRAINT pk_node PRIMARY KEY)")
    text = inspected(own_url, tmp_path / "models.py")
    assert "id: orm.Field[int] = orm.BigAutoField()" in text
    revision = database.write(registry_in(text))
    assert revision.empty, revision.text


def test_constraints_over_odd_names_and_relations(database: Revising, own_url: str, tmp_path: Path) -> None:
    engine = database.connection.dialect.name
    speed = "`wind speed`" if engine == "mysql" else '"wind speed"'
    included = [orm.Index("code", name="included", include=["owner"])] if engine == "postgresql" else []
    models = orm.Registry()

    class Owner(orm.Model):
        name = orm.String(max_length=20)

        class Meta:
            registry = models

    class Shelf(orm.Model):
        speed = orm.Integer(column="wind speed")
        code = orm.String(max_length=20, column="theCode")
        owner = orm.ForeignKey("Owner", index=False)
        other = orm.ForeignKey("Owner")
        flag = orm.Boolean()

        class Meta:
            registry = models
            constraints = [
                orm.UniqueConstraint(orm.F("owner").asc(), "code", name="UQ Odd"),
                orm.UniqueConstraint("other", "speed"),
                orm.CheckConstraint(sa.text(f"{speed} in (1, 5, 9)"), name="Three x"),
                orm.CheckConstraint(orm.Q(owner__gt=0), name="two"),
                orm.CheckConstraint(orm.Q(flag=True), name="four"),
            ]
            indexes = [orm.Index("-code", "owner", name="Mixed Case"), *included]

    database.create_all(models)
    text = check_round_trip(database, own_url, tmp_path / "inspected.py")
    check_format(tmp_path / "inspected.py")
    assert "Left out" not in text
    assert 'orm.Index("-theCode", "owner", name="Mixed Case")' in text


class Mood(enum.Enum):
    GOOD = "good"
    BAD = 'it\'s "bad"'


def _of_postgresql_constraints() -> list[Any]:
    return [
        orm.UniqueConstraint("number", "temp", name="equal", nulls_distinct=False, include=["code"]),
        orm.UniqueConstraint("temp", "code", name="later", deferrable="deferred"),
        orm.UniqueConstraint("temp", "number", name="soon", deferrable="immediate"),
        orm.UniqueConstraint("code", name="null_index", condition=orm.Q(temp=1), nulls_distinct=False),
        postgresql.ExclusionConstraint(
            name="apart",
            expressions=[("number", "="), (functions.Lower("code"), "="), (orm.F("temp") + 1, "<>")],
            condition=orm.Q(temp__gt=1),
            method="gist",
            deferrable="immediate",
        ),
        postgresql.ExclusionConstraint(name="hashed", method="hash", expressions=[("code", "=")]),
    ]


def _of_postgresql_indexes() -> list[orm.Index]:
    return [
        orm.Index("temp", name="wide", include=["code", "number"]),
        orm.Index("number", name="hash_index", method="hash"),
        orm.Index(orm.F("number").desc(nulls="last"), orm.F("temp").asc(nulls="first"), name="nulls"),
        orm.Index("code", "number", name="classes", operator_classes=["text_pattern_ops", None]),
        orm.Index("-code", functions.Lower("long"), name="both", operator_classes=["varchar_pattern_ops", "text_ops"]),
        orm.Index("data", name="inside", method="gin", operator_classes=["jsonb_path_ops"]),
    ]


def test_constraints_and_indexes_of_all_kinds(database: Revising, own_url: str, tmp_path: Path) -> None:
    engine = database.connection.dialect.name
    if engine == "postgresql":
        database.sql("CREATE EXTENSION IF NOT EXISTS btree_gist")
    database.create_all(everything(engine))
    text = check_round_trip(database, own_url, tmp_path / "inspected.py")
    check_format(tmp_path / "inspected.py")
    assert "Left out" not in text
    assert "json_valid" not in text
    assert 'orm.CheckConstraint(orm.Q(number__gte=0), name="number")' in text
    assert 'orm.UniqueConstraint("code", "owner", name="pair")' in text
    if engine == "postgresql":
        assert 'operator_classes=["jsonb_path_ops"]' in text
        assert 'orm.F("number").desc(nulls="last")' in text
        assert 'name="later", deferrable="deferred"' in text


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
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY, width INTEGER CHECK (width < 99), code CHAR(5), "
        "CONSTRAINT odd CHECK (width > 3 AND id > 2))",
        "CREATE TABLE loose (a INTEGER)",
        "CREATE VIEW wide AS SELECT id FROM shelf WHERE width > 9",
    )
    path = tmp_path / "inspected.py"
    text = inspected(own_url, path)
    assert 'name="odd")' in text
    if database.connection.dialect.name != "postgresql":  # which gives each a name
        assert re.search(r"# Left out: CHECK \(`?width`? < 99\), which has no name\.", text)
    assert "code: orm.Field[str | None] = orm.custom_field(" in text
    assert "# The table has no primary key" in text
    assert "class Wide(" not in text
    assert "class Wide(" in inspected(own_url, path, "--include-views")
    only = inspected(own_url, path, "--table", "shelf")
    assert "class Loose(" not in only
    assert "class Shelf(" in only


def test_what_a_foreign_key_loses_is_said(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.sql(
        "CREATE TABLE shelf (id BIGINT NOT NULL PRIMARY KEY)",
        "CREATE TABLE book (id BIGINT NOT NULL PRIMARY KEY, shelf_id BIGINT DEFAULT 7 NOT NULL, "
        "CONSTRAINT stands_in FOREIGN KEY (shelf_id) REFERENCES shelf (id))",
    )
    path = tmp_path / "inspected.py"
    text = inspected(own_url, path)
    assert "# The database calls this foreign key 'stands_in'; here it is 'fk_book_shelf_id'." in text
    assert re.search(r"# shelf: the database's default is '?7'?(::bigint)?, which a foreign key does not have", text)
    assert "# Left out: the foreign key of shelf_id to shelf." in inspected(own_url, path, "--table", "book")


@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
def test_a_key_without_autoincrement_is_said_to_be_one(database: Revising, own_url: str, tmp_path: Path) -> None:
    path = tmp_path / "inspected.py"
    database.sql(
        "CREATE TABLE shelf (id INTEGER PRIMARY KEY)", "CREATE TABLE book (key INTEGER PRIMARY KEY AUTOINCREMENT)"
    )
    text = inspected(own_url, path)
    assert "# id has no AUTOINCREMENT in the database." in text
    assert text.count("AUTOINCREMENT") == 1


@pytest.mark.parametrize("backend", ["postgresql"], indirect=True)
def test_another_schema(database: Revising, own_url: str, tmp_path: Path) -> None:
    database.sql(
        "CREATE SCHEMA archive", "CREATE TABLE archive.shelf (id BIGSERIAL PRIMARY KEY)", "CREATE TABLE book (id INT)"
    )
    text = inspected(own_url, tmp_path / "inspected.py", "--schema", "archive")
    assert 'schema = "archive"' in text
    assert "class Shelf(" in text
    assert "class Book(" not in text


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orm", "inspectdb", "nonsense"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("orm: ")


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
    check_format(path)


def check_format(path: Path) -> None:
    """The formatter and the linter have nothing to change."""
    ruff = str(Path(sys.executable).parent / "ruff")
    for command in (["format", "--diff"], ["check", "--select=F,I"]):
        words = [ruff, *command, "--isolated", "--line-length=120", str(path)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=path.parent, check=False)
        assert done.returncode == 0, done.stdout


def test_texts_are_quoted_as_the_formatter_does() -> None:
    texts = {"a": '"a"', "it's": '"it\'s"', 'a"b': "'a\"b'", "'\"": '"\'\\""', "\\'": '"\\\\\'"', "\n": '"\\n"'}
    for value, wanted in texts.items():
        assert quoted(value) == wanted
        assert eval(quoted(value)) == value


def test_the_command_needs_no_alembic() -> None:
    code = "import sys; sys.modules['alembic'] = None; from orm.cli.main import main; sys.exit(main(['--version']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
