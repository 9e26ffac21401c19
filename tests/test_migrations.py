"""`orm.migrations`: the example's revisions, and revisions that Alembic writes, on every database."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shutil
import sys
from argparse import Namespace
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine

import orm
from orm.database import Database

EXAMPLE = Path(__file__).parent.parent / "migrations_example"


@pytest.fixture(autouse=True)
def no_models_left() -> Iterator[None]:
    """Each environment imports a module `models` of its own directory."""
    before = list(sys.path)
    yield
    sys.path[:] = before
    sys.modules.pop("models", None)


def configuration(url: str, directory: Path = EXAMPLE, output: StringIO | None = None) -> Config:
    config = Config(directory / "alembic.ini", output_buffer=output, stdout=StringIO())
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A directory like the example's, with other models and no revisions."""
    directory = tmp_path / "environment"
    shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns("versions", "__pycache__", "*.db"))
    (directory / "migrations" / "versions").mkdir()
    (directory / "models.py").write_text(MODELS, encoding="utf-8")
    return directory


MODELS = '''
"""A model with a field of every type."""

from __future__ import annotations

import enum

import sqlalchemy as sa

import orm
from orm import F, Q, Value, functions

models = orm.Registry()


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Parent(orm.Model):
    name = orm.String(max_length=50, unique=True, comment="what it is called")

    class Meta:
        registry = models


class Everything(orm.Model):
    small = orm.SmallInteger()
    integer = orm.Integer(index=True)
    big = orm.BigInteger(null=True)
    float = orm.Float(null=True)
    decimal = orm.Decimal(max_digits=10, decimal_places=2)
    boolean = orm.Boolean(default=sa.true())
    string = orm.String(max_length=30, default=sa.text("'a b'"))
    text = orm.Text()
    slug = orm.Slug()
    email = orm.Email()
    url = orm.URL()
    uuid = orm.UUID()
    date = orm.Date()
    moment = orm.DateTime(default=sa.func.now())
    naive = orm.DateTime(timezone=False)
    time = orm.Time()
    duration = orm.Duration()
    binary = orm.Binary()
    json = orm.JSON(null=True)
    required_json = orm.JSON()
    created = orm.DateTime(auto_now_add="database")
    updated = orm.DateTime(auto_now="database", null=True, timezone=False)
    day = orm.Date(auto_now_add="database")
    hour = orm.Time(auto_now="database")
    colour = orm.Enum(Colour)
    other_colour = orm.Enum(Colour, null=True, default=sa.text("'red'"), index=True)
    plain_colour = orm.Enum(Colour, native=False)
    level = orm.Enum(Level)
    own = orm.custom_field(str, orm.String(max_length=9))
    other_own = orm.custom_field(str, sa.String(9).with_variant(sa.Text(), "postgresql"), null=True)
    address = orm.IPAddress()
    version = orm.Version()
    parent = orm.ForeignKey("Parent", on_delete=orm.CASCADE)
    sibling = orm.ForeignKey("Everything", null=True)

    class Meta:
        registry = models
        constraints = [
            orm.UniqueConstraint("small", "integer"),
            orm.CheckConstraint(Q(small__gte=0) & ~Q(text__in=["50% :off", "it's", "a\\\\b"]), name="checked"),
        ]
        indexes = [orm.Index("slug", "email"), orm.Index("integer", F("big").desc(), name="descending")]
'''

EXPRESSIONS = MODELS.replace(
    "        indexes = [",
    """        indexes = [
            orm.Index(F("integer") % 7, functions.Length("string").desc(), name="computed"),
            orm.Index("small", functions.Coalesce("big", 0), F("big").desc(nulls="last"), name="nulls"),
            orm.Index("date__year", functions.Replace("text", Value("%"), Value(":x")), name="parts"),
            """,
).replace(
    "        constraints = [",
    """        constraints = [
            orm.UniqueConstraint(functions.Trim("string"), "integer", name="unique_text"),
            orm.CheckConstraint(F("integer") <= F("big"), name="larger"),
            """,
)
"""The same models with more constraints and indexes, on expressions; MariaDB has no such indexes."""

GENERATED = MODELS.replace(
    "    level = ",
    """    total = orm.Generated(F("decimal") * F("integer"), output_field=orm.Decimal(max_digits=12, decimal_places=2))
    is_odd = orm.Generated(Q(text="50% :off") | Q(small__lt=0), output_field=orm.Boolean(), index=True)
    written = orm.Generated(sa.text("big + 1"), output_field=orm.BigInteger(null=True), column="bigger")
    level = """,
)
"""The same models with fields that the database computes."""


async def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    async with Database(url) as database:
        return [tuple(row) for row in await database.fetch_all(sql)]


async def create_all(url: str, environment: Path) -> None:
    """Create the tables of an environment's models without its migrations."""
    specification = importlib.util.spec_from_file_location("everything", environment / "models.py")
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    async with Database(url) as database:
        await module.models.create_all(database=database)


async def test_the_example_goes_up_and_down(own_url: str) -> None:
    config = configuration(own_url)
    command.upgrade(config, "0001")
    async with Database(own_url) as database:
        await database.execute("INSERT INTO author (name) VALUES ('Ursula K. Le Guin')")
        await database.execute(
            "INSERT INTO book (title, author_id, price, added) "
            "SELECT 'The Left Hand of Darkness', id, 9.99, '2020-01-02 03:04:05' FROM author"
        )
    command.upgrade(config, "head")
    assert await rows(own_url, "SELECT title, slug FROM book") == [
        ("The Left Hand of Darkness", "the-left-hand-of-darkness")
    ]
    command.check(config)
    command.downgrade(config, "0001")
    assert await rows(own_url, "SELECT title FROM book") == [("The Left Hand of Darkness",)]
    command.downgrade(config, "base")
    with pytest.raises(orm.ProgrammingError):
        await rows(own_url, "SELECT * FROM author")


async def test_a_new_revision_creates_everything_and_the_next_finds_nothing(own_url: str, environment: Path) -> None:
    config = configuration(own_url, environment)
    command.revision(config, "everything", autogenerate=True, rev_id="0001")
    text = next((environment / "migrations" / "versions").glob("*.py")).read_text(encoding="utf-8")
    assert "import orm.types\n" in text
    assert "orm.types.Decimal(precision=10, scale=2)" in text
    assert "orm.types.DateTime(timezone=False)" in text
    assert "server_default=sa.func.now()" in text
    assert "server_default=sa.true()" in text
    assert "Colour" not in text, "a revision does not depend on the application's enumerations"
    command.upgrade(config, "head")
    command.check(config)
    command.downgrade(config, "base")
    command.upgrade(config, "head")


@pytest.fixture
def expressions(own_url: str, environment: Path) -> Path:
    """The environment with constraints and indexes on expressions."""
    text = EXPRESSIONS
    if own_url.startswith("mysql"):
        text = re.sub(r".*name=\"(computed|nulls|parts|unique_text)\"\).*\n", "", text)
    (environment / "models.py").write_text(text, encoding="utf-8")
    return environment


def revision(config: Config, environment: Path, number: str) -> str:
    """Write a revision and give its text."""
    sys.modules.pop("models", None)  # which may have changed
    command.revision(config, "written", autogenerate=True, rev_id=number)
    return next((environment / "migrations" / "versions").glob(f"{number}_*.py")).read_text(encoding="utf-8")


async def test_constraints_and_indexes_on_expressions_are_written_as_sql(own_url: str, expressions: Path) -> None:
    config = configuration(own_url, expressions)
    text = revision(config, expressions, "0001")
    assert "sa.CheckConstraint(" in text
    assert "orm.constraints" not in text
    assert "Definition" not in text
    command.upgrade(config, "head")
    command.check(config)
    command.downgrade(config, "base")


async def test_constraints_and_indexes_on_expressions_are_added_to_a_table(
    own_url: str, environment: Path, expressions: Path
) -> None:
    with_expressions = (expressions / "models.py").read_text(encoding="utf-8")
    (environment / "models.py").write_text(MODELS, encoding="utf-8")
    config = configuration(own_url, environment)
    revision(config, environment, "0001")
    command.upgrade(config, "head")
    (environment / "models.py").write_text(with_expressions, encoding="utf-8")
    text = revision(config, environment, "0002")
    assert text.count("op.f('larger')") + text.count("'larger'") >= 2, "created, and dropped again"
    command.upgrade(config, "head")
    command.check(config)
    command.downgrade(config, "0001")
    command.upgrade(config, "head")  # as all of it is gone
    command.check(config)


async def test_generated_fields_are_written_as_sql(own_url: str, environment: Path) -> None:
    (environment / "models.py").write_text(GENERATED, encoding="utf-8")
    config = configuration(own_url, environment)
    written = revision(config, environment, "0001")
    assert "sa.Computed('big + 1', persisted=True)" in written
    assert "import models" not in written
    command.upgrade(config, "head")
    assert "op." not in revision(config, environment, "0002")
    await rows(own_url, "DELETE FROM everything WHERE is_odd AND total > 3 AND bigger = 1")
    command.downgrade(config, "base")


async def test_tables_of_create_all_have_generated_fields_that_migrations_leave_alone(
    own_url: str, environment: Path
) -> None:
    (environment / "models.py").write_text(GENERATED, encoding="utf-8")
    await create_all(own_url, environment)
    assert "op." not in revision(configuration(own_url, environment), environment, "0001")


def test_what_the_user_leaves_out_is_left_out(sqlite_url: str, environment: Path) -> None:
    (environment / "models.py").write_text(MODELS, encoding="utf-8")
    config = configuration(sqlite_url, environment)
    revision(config, environment, "0001")
    command.upgrade(config, "head")
    (environment / "models.py").write_text(EXPRESSIONS, encoding="utf-8")
    environment_with(
        environment,
        "migrations.run(models, include_object=lambda item, name, *rest: name not in ('larger', 'computed'))",
    )
    text = revision(config, environment, "0002")
    assert "unique_text" in text
    assert "larger" not in text
    assert "computed" not in text


async def test_what_create_all_makes_of_expressions_is_what_migrations_make(own_url: str, expressions: Path) -> None:
    await create_all(own_url, expressions)
    config = configuration(own_url, expressions)
    command.ensure_version(config)
    command.check(config)


@pytest.mark.parametrize("backend", ["postgresql"])
async def test_a_changed_expression_is_found_where_the_engine_tells_it(own_url: str, environment: Path) -> None:
    (environment / "models.py").write_text(EXPRESSIONS, encoding="utf-8")
    config = configuration(own_url, environment)
    revision(config, environment, "0001")
    command.upgrade(config, "head")
    (environment / "models.py").write_text(EXPRESSIONS.replace("% 7", "% 8"), encoding="utf-8")
    text = revision(config, environment, "0002")
    assert "nullif(8, 0)" in text
    assert text.count("create_index(") == 2, "the changed one, and what it was"
    command.upgrade(config, "head")
    command.check(config)
    command.downgrade(config, "base")


async def test_a_revision_written_on_one_database_serves_all(own_url: str, environment: Path) -> None:
    # A backslash is itself in the SQL of SQLite, and an escape in MySQL's, where autogenerate finds the difference.
    (environment / "models.py").write_text(MODELS.replace(', "a\\\\b"', ""), encoding="utf-8")
    sqlite = configuration(f"sqlite:///{environment / 'first.db'}", environment)
    command.revision(sqlite, "everything", autogenerate=True, rev_id="0001")
    config = configuration(own_url, environment)
    command.upgrade(config, "head")
    command.check(config)
    command.downgrade(config, "base")


async def test_tables_of_create_all_are_what_migrations_make(own_url: str, environment: Path) -> None:
    await create_all(own_url, environment)
    config = configuration(own_url, environment)
    command.ensure_version(config)
    command.check(config)


def test_it_works_without_a_running_loop(sqlite_url: str) -> None:
    config = configuration(sqlite_url)
    command.upgrade(config, "head")
    command.check(config)


async def test_it_works_in_a_thread_beside_a_running_loop(sqlite_url: str) -> None:
    await asyncio.to_thread(command.upgrade, configuration(sqlite_url), "head")
    assert await rows(sqlite_url, "SELECT version_num FROM alembic_version") == [("0002",)]


async def test_a_connection_of_the_caller_is_used(tmp_path: Path) -> None:
    unused = tmp_path / "unused.db"
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'own.db'}")
    config = configuration(f"sqlite:///{unused}")

    def upgrade(connection: sa.Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
        found = await connection.execute(sa.text("SELECT version_num FROM alembic_version"))
        assert found.scalar() == "0002"
    await engine.dispose()
    assert not unused.exists()


async def test_offline_mode_writes_sql_and_touches_nothing(own_url: str) -> None:
    output = StringIO()
    command.upgrade(configuration(own_url, output=output), "0001", sql=True)
    assert "CREATE TABLE author" in output.getvalue()
    with pytest.raises(orm.ProgrammingError):
        await rows(own_url, "SELECT * FROM author")


async def test_a_failing_migration_leaves_nothing_behind(own_url: str, backend: str, environment: Path) -> None:
    (environment / "migrations" / "versions" / "0001_broken.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\nrevision = '0001'\ndown_revision = None\n"
        "def upgrade():\n    op.create_table('half', sa.Column('id', sa.Integer()))\n    raise ValueError('stop')\n",
        encoding="utf-8",
    )
    with pytest.raises(ValueError, match="stop"):
        command.upgrade(configuration(own_url, environment), "head")
    if backend.startswith("mysql"):  # its DDL commits by itself
        assert await rows(own_url, "SELECT * FROM half") == []
    else:
        with pytest.raises(orm.ProgrammingError):
            await rows(own_url, "SELECT * FROM half")


async def test_batch_mode_keeps_the_rows_that_refer_to_a_table(sqlite_url: str, environment: Path) -> None:
    """SQLite changes a table by copying it; the rows of other tables that refer to it must not go with the old one."""
    (environment / "migrations" / "versions" / "0001_parents.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\nrevision = '0001'\ndown_revision = None\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE parent (id INTEGER PRIMARY KEY, name TEXT)')\n"
        "    op.execute('CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE)')\n"
        "    op.execute('INSERT INTO parent VALUES (1, NULL)')\n"
        "    op.execute('INSERT INTO child VALUES (1)')\n"
        "    with op.batch_alter_table('parent') as batch:\n"
        "        batch.drop_column('name')\n",
        encoding="utf-8",
    )
    config = configuration(f"{sqlite_url}?pragmas=foreign_keys:on", environment)
    command.upgrade(config, "head")
    assert await rows(sqlite_url, "SELECT parent_id FROM child") == [(1,)]


def environment_with(environment: Path, call: str) -> None:
    (environment / "migrations" / "env.py").write_text(
        f"from models import models\nimport orm\nfrom orm import migrations\n{call}\n", encoding="utf-8"
    )


def test_the_url_may_be_an_argument_or_the_registrys(environment: Path, tmp_path: Path) -> None:
    named = f"sqlite:///{tmp_path / 'named.db'}"
    environment_with(environment, f"migrations.run(models, url={named!r})")
    command.ensure_version(configuration("", environment))
    assert (tmp_path / "named.db").exists()
    owned = f"sqlite:///{tmp_path / 'owned.db'}"
    environment_with(environment, f"models.database = orm.Database({owned!r})\nmigrations.run(models)")
    command.ensure_version(configuration("", environment))
    assert (tmp_path / "owned.db").exists()


def test_the_command_line_names_the_url_before_anything_else(environment: Path, tmp_path: Path) -> None:
    named = f"sqlite:///{tmp_path / 'named.db'}"
    environment_with(environment, f"migrations.run(models, url={named!r})")
    config = configuration(named, environment)
    config.cmd_opts = Namespace(x=[f"url=sqlite:///{tmp_path / 'other.db'}"])
    command.ensure_version(config)
    assert (tmp_path / "other.db").exists()
    assert not (tmp_path / "named.db").exists()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("migrations.run(models)", "Migrations need to know the database"),
        ("migrations.run(models, url='sqlite:///:memory:')", "in memory belongs to one connection"),
        ("migrations.run(models, target_metadata=None)", "it is the first argument"),
        ("migrations.run(models, render_as_batsh=True)", "Choose from: .*render_as_batch"),
    ],
)
def test_mistakes_are_named(environment: Path, call: str, message: str) -> None:
    environment_with(environment, call)
    with pytest.raises(orm.InterfaceError, match=message):
        command.upgrade(configuration("", environment), "head")


def test_options_go_to_alembic_and_hooks_are_asked_before_ours(sqlite_url: str, environment: Path) -> None:
    environment_with(
        environment,
        "def render_item(kind, item, _):\n"
        "    return 'sa.LargeBinary()' if kind == 'type' and type(item).__name__ == 'Binary' else False\n"
        "def rename(_context, _revision, directives):\n    directives[0].message = 'renamed'\n"
        "migrations.run(models, version_table='steps', render_item=render_item, process_revision_directives=rename)",
    )
    config = configuration(sqlite_url, environment)
    command.revision(config, "everything", autogenerate=True, rev_id="0001")
    text = (environment / "migrations" / "versions" / "0001_renamed.py").read_text(encoding="utf-8")
    assert "sa.LargeBinary()" in text
    assert "orm.types.Duration()" in text
    assert "drop_index" not in text
    command.upgrade(config, "head")
    assert asyncio.run(rows(sqlite_url, "SELECT version_num FROM steps")) == [("0001",)]
