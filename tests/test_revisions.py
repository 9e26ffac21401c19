"""Constraints and indexes in autogenerate: added, removed, changed in every option, and left as they are."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

import orm
from orm.database import Database

EXAMPLE = Path(__file__).parent.parent / "migrations_example"

MODELS = """
from __future__ import annotations

from datetime import date

import orm
from orm import F, Q, Value, functions, postgresql

models = orm.Registry()


class Parent(orm.Model):
    name = orm.String(max_length=20)

    class Meta:
        registry = models


class Thing(orm.Model):
    name = orm.String(max_length=50, column="first_name")
    place = orm.String(max_length=50, null=True)
    plays = orm.Integer(null=True)
    live = orm.Boolean(default=True)
    day = orm.Date(null=True)
    parent = orm.ForeignKey("Parent", null=True)

    class Meta:
        registry = models
        constraints = [CONSTRAINTS]
        indexes = [INDEXES]
"""

SQLITE, POSTGRESQL, MYSQL = "sqlite", "postgresql", "mysql"
BOTH = (SQLITE, POSTGRESQL)
ALL = (SQLITE, POSTGRESQL, MYSQL)

CHANGES: list[tuple[tuple[str, ...], str, str]] = [
    # added, removed and changed, on the databases that have it
    (ALL, "", "orm.Index('name', '-plays', name='x')"),
    (ALL, "orm.Index('name', 'plays', name='x')", "orm.Index('plays', 'name', name='x')"),
    (ALL, "orm.Index('name', 'plays', name='x')", "orm.Index('name', '-plays', name='x')"),
    (ALL, "orm.UniqueConstraint('name', name='x')", "orm.UniqueConstraint('name', 'plays', name='x')"),
    (ALL, "orm.Index('name', name='x')", "orm.UniqueConstraint('name', name='x')"),
    (ALL, "", "orm.CheckConstraint(Q(plays__gte=0), name='x')"),
    (ALL, "orm.CheckConstraint(Q(plays__gte=0), name='x')", "orm.CheckConstraint(Q(plays__gte=1), name='x')"),
    (
        ALL,
        "orm.CheckConstraint(Q(name__in=['a :b', '50%', \"it's\"]), name='x')",
        "orm.CheckConstraint(~Q(name__in=['a :b', '50%%', 'C']), name='x')",
    ),
    (ALL, "orm.CheckConstraint(Q(day__gte=date(2020, 1, 1)), name='x')", "orm.CheckConstraint(Q(live=True), name='x')"),
    (BOTH, "", "orm.Index(F('plays') % 7, functions.Length('name').desc(), name='x')"),
    (BOTH, "orm.Index(F('plays') % 7, name='x')", "orm.Index(F('plays') % 8, name='x')"),
    (BOTH, "orm.Index(F('plays') + 1, name='x')", "orm.Index('plays', name='x')"),
    (BOTH, "orm.Index(F('plays').desc(nulls='last'), name='x')", "orm.Index(F('plays').desc(nulls='first'), name='x')"),
    (
        BOTH,
        "orm.UniqueConstraint(functions.Trim('name'), name='x')",
        "orm.UniqueConstraint(functions.Trim('name'), 'plays', name='x')",
    ),
    (BOTH, "", "orm.Index('name', name='x', condition=Q(place='a :b%') & Q(live=True))"),
    (BOTH, "orm.Index('name', name='x')", "orm.Index('name', name='x', condition=Q(live=True))"),
    (
        BOTH,
        "orm.Index('name', name='x', condition=Q(live=True))",
        "orm.Index('name', name='x', condition=Q(live=False))",
    ),
    (
        BOTH,
        "orm.UniqueConstraint('name', name='x')",
        "orm.UniqueConstraint('name', name='x', condition=Q(place=None))",
    ),
    (
        BOTH,
        "orm.UniqueConstraint('name', name='x', condition=Q(place=None))",
        "orm.Index('name', name='x', condition=Q(place=None))",
    ),
    (
        (POSTGRESQL,),
        "orm.Index('name', name='x')",
        "orm.Index('name', name='x', include=['plays', 'parent'])",
    ),
    ((POSTGRESQL,), "orm.Index('name', name='x', include=['plays'])", "orm.Index('name', name='x', include=['place'])"),
    ((POSTGRESQL,), "orm.Index('name', name='x')", "orm.Index('name', name='x', method='hash')"),
    ((POSTGRESQL,), "orm.Index('name', name='x', method='btree')", "orm.Index('name', name='x', method='brin')"),
    (
        (POSTGRESQL,),
        "orm.Index('-name', name='x')",
        "orm.Index('-name', name='x', operator_classes=['varchar_pattern_ops'])",
    ),
    (
        (POSTGRESQL,),
        "orm.Index(functions.Trim('name'), 'place', name='x', operator_classes=['text_pattern_ops', None])",
        "orm.Index(functions.Trim('name'), 'place', name='x', operator_classes=[None, 'varchar_pattern_ops'])",
    ),
    (
        (POSTGRESQL,),
        "orm.UniqueConstraint('name', name='x')",
        "orm.UniqueConstraint('name', name='x', include=['plays'])",
    ),
    (
        (POSTGRESQL,),
        "orm.UniqueConstraint('plays', name='x')",
        "orm.UniqueConstraint('plays', name='x', nulls_distinct=False)",
    ),
    (
        (POSTGRESQL,),
        "orm.UniqueConstraint('plays', name='x', nulls_distinct=False, condition=Q(live=True))",
        "orm.UniqueConstraint('plays', name='x', condition=Q(live=True))",
    ),
    (
        (POSTGRESQL,),
        "orm.UniqueConstraint('plays', name='x', deferrable='immediate')",
        "orm.UniqueConstraint('plays', name='x', deferrable='deferred')",
    ),
    (
        (POSTGRESQL,),
        "orm.UniqueConstraint('plays', name='x', deferrable='immediate', include=['name'])",
        "orm.UniqueConstraint('plays', name='x')",
    ),
    (
        (POSTGRESQL,),
        "",
        "postgresql.ExclusionConstraint(name='x', expressions=[('name', '='), (F('plays') + 1, '=')], method='btree')",
    ),
    (
        (POSTGRESQL,),
        "postgresql.ExclusionConstraint(name='x', expressions=[('name', '=')], method='hash')",
        "postgresql.ExclusionConstraint(name='x', expressions=[('name', '=')], method='hash', condition=Q(name='a:b'))",
    ),
    (
        (POSTGRESQL,),
        "postgresql.ExclusionConstraint(name='x', expressions=[('name', '=')], method='hash', deferrable='deferred')",
        "postgresql.ExclusionConstraint(name='x', expressions=[('name', '=')], method='btree')",
    ),
    ((MYSQL,), "orm.Index('name', name='x')", "orm.Index('name', name='x', method='fulltext')"),
    ((MYSQL,), "orm.Index('name', name='x', method='fulltext')", ""),
]


@pytest.fixture(autouse=True)
def no_models_left() -> Iterator[None]:
    """Each environment imports a module `models` of its own directory."""
    before = list(sys.path)
    yield
    sys.path[:] = before
    sys.modules.pop("models", None)


class Environment:
    """A directory like the example's, with models that change."""

    def __init__(self, directory: Path, url: str) -> None:
        self.directory = directory
        shutil.copytree(EXAMPLE, directory, ignore=shutil.ignore_patterns("versions", "__pycache__", "*.db"))
        (directory / "migrations" / "versions").mkdir()
        self.url = url
        self.config = Config(directory / "alembic.ini", stdout=StringIO())
        self.config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        self.count = 0

    def declare(self, *parts: str, template: str = MODELS) -> None:
        indexes = ", ".join(part for part in parts if part.startswith("orm.Index"))
        constraints = ", ".join(part for part in parts if part and not part.startswith("orm.Index"))
        text = template.replace("CONSTRAINTS", constraints).replace("INDEXES", indexes)
        (self.directory / "models.py").write_text(text, encoding="utf-8")
        sys.modules.pop("models", None)
        shutil.rmtree(self.directory / "__pycache__", ignore_errors=True)

    def revise(self) -> str:
        """Write a revision and give its text; what it does is done."""
        self.count += 1
        number = f"{self.count:04}"
        command.revision(self.config, "written", autogenerate=True, rev_id=number)
        text = next((self.directory / "migrations" / "versions").glob(f"{number}_*.py")).read_text(encoding="utf-8")
        compile(text, number, "exec")
        command.upgrade(self.config, "head")
        return text

    def check(self) -> None:
        sys.modules.pop("models", None)
        command.check(self.config)

    async def create_all(self) -> None:
        specification = importlib.util.spec_from_file_location("declared", self.directory / "models.py")
        assert specification
        assert specification.loader
        module = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
        async with Database(self.url) as database:
            await module.models.create_all(database=database)


@pytest.fixture
def environment(own_url: str, tmp_path: Path) -> Environment:
    return Environment(tmp_path / "environment", own_url)


def skip_unless(engines: tuple[str, ...], backend: str) -> None:
    if backend == "mysql+aiomysql":
        pytest.skip("the driver makes no difference here")
    if backend.partition("+")[0] not in engines:
        pytest.skip("this engine does not have it")


@pytest.mark.parametrize(("engines", "before", "after"), CHANGES)
async def test_a_change_is_found_and_undone(
    environment: Environment, backend: str, engines: tuple[str, ...], before: str, after: str
) -> None:
    skip_unless(engines, backend)
    environment.declare(before)
    environment.revise()
    environment.check()
    environment.declare(after)
    text = environment.revise()
    assert "'x'" in text
    assert "orm.constraints" not in text
    environment.check()
    command.downgrade(environment.config, "0001")
    environment.declare(before)
    command.stamp(environment.config, "head")
    environment.check()
    # The other way round, from tables that the library made.
    environment.declare("")
    environment.revise()
    environment.declare(after)
    environment.revise()
    environment.declare(before)
    environment.revise()
    environment.check()


async def test_what_create_all_makes_is_what_migrations_make(environment: Environment, backend: str) -> None:
    parts = [after.replace("'x'", f"'x{n}'") for n, (engines, _, after) in enumerate(CHANGES) if after]
    parts = [p for p, c in zip(parts, [c for c in CHANGES if c[2]], strict=True) if backend.partition("+")[0] in c[0]]
    environment.declare(*parts)
    await environment.create_all()
    command.ensure_version(environment.config)
    environment.check()


KEPT = [
    ("orm.UniqueConstraint('plays', name='x', nulls_distinct=False)", "UNIQUE NULLS NOT DISTINCT (plays)"),
    (
        "orm.UniqueConstraint('plays', name='x', nulls_distinct=False, include=['quoted'], deferrable='deferred')",
        'UNIQUE NULLS NOT DISTINCT (plays) INCLUDE ("odd ""name") DEFERRABLE INITIALLY DEFERRED',
    ),
    ("orm.UniqueConstraint('quoted', name='x')", 'UNIQUE ("odd ""name")'),
]


@pytest.mark.parametrize("backend", ["postgresql"])
@pytest.mark.parametrize(("part", "told"), KEPT)
async def test_the_way_back_makes_a_constraint_with_its_options(environment: Environment, part: str, told: str) -> None:
    template = MODELS.replace("    plays =", "    quoted = orm.Integer(column='odd \"name', null=True)\n    plays =")
    environment.declare(part, template=template)
    environment.revise()
    environment.declare(template=template)
    environment.revise()
    command.downgrade(environment.config, "0001")
    async with Database(environment.url) as database:
        found = await database.fetch_all("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'x'")
    assert [tuple(row) for row in found] == [(told,)]


PARTS = {
    SQLITE: (
        "orm.CheckConstraint(Q(name__in=['a', 'b']) | Q(plays__gt=3), name='x_check')",
        "orm.Index('name', F('plays') + 1, name='x_index', condition=Q(name='c'))",
    ),
    POSTGRESQL: (
        "orm.CheckConstraint(Q(name__in=['a', 'b']) | Q(plays__gt=3), name='x_check')",
        "orm.Index('name', F('plays') + 1, name='x_index', condition=Q(name='c'), include=['place'])",
        "orm.UniqueConstraint('name', include=['plays'], deferrable='immediate', name='x_unique')",
        "postgresql.ExclusionConstraint(name='x_exclude', expressions=[('name', '=')], method='hash')",
    ),
    MYSQL: ("orm.CheckConstraint(Q(name__in=['a', 'b']) | Q(plays__gt=3), name='x_check')",),
}


async def test_what_is_renamed_is_not_taken_for_a_change(environment: Environment, backend: str) -> None:
    skip_unless(ALL, backend)
    parts = PARTS[backend.partition("+")[0]]
    environment.declare(*parts)
    environment.revise()
    renamed = MODELS.replace('column="first_name"', 'column="last_name", renamed_from="first_name"')
    environment.declare(
        *parts,
        template=renamed.replace(
            "registry = models\n        constr",
            "registry = models\n        tablename = 'other'\n        renamed_from = 'thing'\n        constr",
        ),
    )
    text = environment.revise()
    assert "rename" in text
    assert "'x_" not in text
    environment.check()
    command.downgrade(environment.config, "0001")
    environment.declare(*parts)
    command.stamp(environment.config, "head")
    environment.check()


async def test_a_type_and_a_check_of_it_may_change_at_once(environment: Environment, backend: str) -> None:
    skip_unless(ALL, backend)
    environment.declare("orm.CheckConstraint(Q(plays__gte=0), name='x')")
    environment.revise()
    environment.declare(
        "orm.CheckConstraint(Q(plays__gte=0), name='x')", template=MODELS.replace("Integer", "BigInteger")
    )
    text = environment.revise()
    assert "'x'" not in text, "it is the same check"
    environment.check()
    environment.declare("orm.CheckConstraint(Q(added__gte=0), name='x')", template=MODELS.replace("plays", "added"))
    environment.revise()
    environment.check()
    command.downgrade(environment.config, "0001")


async def test_what_others_made_is_dropped_unless_it_is_left_out(environment: Environment, backend: str) -> None:
    skip_unless(ALL, backend)
    environment.declare()
    environment.revise()
    async with Database(environment.url) as database:
        if backend == "sqlite":
            await database.execute("CREATE INDEX foreign_one ON thing (plays + 1) WHERE plays > 0")
        else:
            await database.execute("ALTER TABLE thing ADD CONSTRAINT foreign_one CHECK (plays > 0)")
    (environment.directory / "migrations" / "env.py").write_text(
        "from models import models\nfrom orm import migrations\n"
        "migrations.run(models, include_object=lambda item, name, *rest: name != 'foreign_one')\n",
        encoding="utf-8",
    )
    environment.check()
    shutil.copy(EXAMPLE / "migrations" / "env.py", environment.directory / "migrations" / "env.py")
    text = environment.revise()
    assert text.count("foreign_one") == 2, "dropped, and made again on the way back"
    environment.check()
    command.downgrade(environment.config, "0001")


async def test_tables_of_a_schema_are_compared(environment: Environment, backend: str) -> None:
    skip_unless((POSTGRESQL,), backend)
    async with Database(environment.url) as database:
        await database.execute('CREATE SCHEMA "own one"')
    template = MODELS.replace("        registry = models\n", "        registry = models\n        schema = 'own one'\n")
    environment.declare(*PARTS[POSTGRESQL], template=template)
    (environment.directory / "migrations" / "env.py").write_text(
        "from models import models\nfrom orm import migrations\nmigrations.run(models, include_schemas=True)\n",
        encoding="utf-8",
    )
    environment.revise()
    environment.check()
    changed = [part.replace("'c'", "'d'").replace("plays__gt=3", "plays__gt=4") for part in PARTS[POSTGRESQL]]
    environment.declare(*changed, template=template)
    text = environment.revise()
    assert "x_check" in text
    assert "x_index" in text
    assert "x_unique" not in text
    environment.check()
    command.downgrade(environment.config, "0001")


async def test_a_unique_index_with_a_condition_is_not_made_without_it(environment: Environment, backend: str) -> None:
    skip_unless((MYSQL,), backend)
    first = Environment(environment.directory.parent / "first", f"sqlite:///{environment.directory / 'first.db'}")
    first.declare("orm.UniqueConstraint('name', name='x', condition=Q(live=True))")
    first.revise()
    versions = environment.directory / "migrations" / "versions"
    shutil.copytree(first.directory / "migrations" / "versions", versions, dirs_exist_ok=True)
    environment.declare()
    with pytest.raises(orm.NotSupportedError, match=r"MariaDB has no conditions in indexes|MySQL has no conditions"):
        command.upgrade(environment.config, "head")
