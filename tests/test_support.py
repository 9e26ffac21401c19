"""Options of constraints and indexes: what they are in SQL, what the engines keep to, and what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.schema import CreateIndex, CreateTable

import orm
from orm import F, Q, functions
from orm.database import Database
from orm.database.dialects import dialect_named
from orm.database.postgresql_dialect import PostgreSQLDialect
from tests.databases import created


def declare(registry: orm.Registry | None = None, **meta: Any) -> Any:
    """A model with these options."""
    fields = {
        "name": orm.String(max_length=50),
        "place": orm.String(max_length=50, null=True, default=None, column="location"),
        "plays": orm.Integer(null=True, default=None),
        "deleted": orm.DateTime(null=True, default=None),
        "live": orm.Boolean(default=True),
        "parent": orm.ForeignKey("Thing", null=True, default=None, index=False),
        "Meta": type("Meta", (), {"registry": registry or orm.Registry(), **meta}),
        "__module__": __name__,
    }
    return type(orm.Model)("Thing", (orm.Model,), fields)


def create(part: Any, engine: str) -> str:
    """What makes an index, or a constraint in its table, in the SQL of an engine."""
    option = "indexes" if isinstance(part, orm.Index) else "constraints"
    table = declare(**{option: [part]}).table
    dialect = dialect_named(engine)
    if table.indexes:
        assert len(table.indexes) == 1
        return str(CreateIndex(next(iter(table.indexes))).compile(dialect=dialect))
    made = str(CreateTable(table).compile(dialect=dialect))
    return next(line.strip("\t ,") for line in made.splitlines() if "UNIQUE" in line or "EXCLUDE" in line)


PARTS: list[tuple[Any, dict[str, str]]] = [
    (
        lambda: orm.Index("place", "-plays", name="i", condition=Q(deleted=None)),
        {
            "sqlite": "CREATE INDEX i ON thing (location, plays DESC) WHERE deleted IS NULL",
            "postgresql": "CREATE INDEX i ON thing (location, plays DESC) WHERE deleted IS NULL",
            "mysql": "MySQL has no conditions in indexes and unique constraints, here Index('place', '-plays', "
            "name='i', condition=Q(deleted=None)). Keep the values in a field that is NULL where",
            "mariadb": "MariaDB has no conditions in indexes",
        },
    ),
    (
        lambda: orm.UniqueConstraint("name", name="u", condition=Q(live=True) & Q(name__startswith="a%")),
        {
            "sqlite": "CREATE UNIQUE INDEX u ON thing (name) WHERE live = 1 AND (name GLOB 'a%*')",
            "postgresql": "CREATE UNIQUE INDEX u ON thing (name) WHERE live = true AND name LIKE 'a!%%' ESCAPE '!'",
            "mysql": "MySQL has no conditions",
        },
    ),
    (
        lambda: orm.Index("name", include=["place", "parent"]),
        {
            "sqlite": "SQLite has no included columns, here Index('name', include=['place', 'parent']). Leave "
            "include out",
            "postgresql": "CREATE INDEX ix_thing_name ON thing (name) INCLUDE (location, parent_id)",
            "mysql": "MySQL has no included columns",
        },
    ),
    (
        lambda: orm.UniqueConstraint("name", include=["place"], deferrable="deferred"),
        {
            "sqlite": "SQLite has no included columns",
            "postgresql": "CONSTRAINT uq_thing_name UNIQUE (name) INCLUDE (location) DEFERRABLE INITIALLY DEFERRED",
            "mariadb": "MariaDB has no included columns",
        },
    ),
    (
        lambda: orm.UniqueConstraint("name", "plays", deferrable="immediate"),
        {
            "sqlite": "SQLite has no unique constraints that can be deferred, here UniqueConstraint('name', 'plays', "
            "deferrable='immediate'). Leave deferrable out",
            "postgresql": "CONSTRAINT uq_thing_name_plays UNIQUE (name, plays) DEFERRABLE INITIALLY IMMEDIATE",
            "mysql": "MySQL has no unique constraints that can be deferred",
        },
    ),
    (
        lambda: orm.UniqueConstraint("name", "plays", nulls_distinct=False),
        {
            "sqlite": "SQLite has no unique constraints to which NULLs are equal",
            "postgresql": "CONSTRAINT uq_thing_name_plays UNIQUE NULLS NOT DISTINCT (name, plays)",
            "mysql": "MySQL has no unique constraints to which NULLs are equal",
        },
    ),
    (
        lambda: orm.UniqueConstraint("name", "plays", nulls_distinct=True),
        {
            "sqlite": "CONSTRAINT uq_thing_name_plays UNIQUE (name, plays)",
            "postgresql": "CONSTRAINT uq_thing_name_plays UNIQUE (name, plays)",
            "mysql": "CONSTRAINT uq_thing_name_plays UNIQUE (name, plays)",
        },
    ),
    (
        lambda: orm.UniqueConstraint(functions.Trim("name"), "plays", name="u", nulls_distinct=False, include=["live"]),
        {
            "sqlite": "SQLite has no included columns",
            "postgresql": "CREATE UNIQUE INDEX u ON thing ((btrim(name)), plays) INCLUDE (live) NULLS NOT DISTINCT",
        },
    ),
    (
        lambda: orm.Index("name", method="hash"),
        {
            "sqlite": "SQLite has no method 'hash', here Index('name', method='hash'). All its indexes are B-trees",
            "postgresql": "CREATE INDEX ix_thing_name ON thing USING hash (name)",
            "mysql": "MySQL has no hash indexes (InnoDB makes a B-tree of one)",
        },
    ),
    (
        lambda: orm.Index("name", method="BTREE"),
        {
            "sqlite": "CREATE INDEX ix_thing_name ON thing (name)",
            "postgresql": "CREATE INDEX ix_thing_name ON thing USING btree (name)",
            "mysql": "CREATE INDEX ix_thing_name ON thing (name)",
        },
    ),
    (
        lambda: orm.Index("name", method="fulltext"),
        {
            "sqlite": "SQLite has no method 'fulltext'",
            "postgresql": "PostgreSQL has no method 'fulltext', here Index('name', method='fulltext'). For full text",
            "mysql": "CREATE FULLTEXT INDEX ix_thing_name ON thing (name)",
        },
    ),
    (
        lambda: orm.Index("name", method="gin"),
        {"mysql": "MySQL has no method 'gin', here Index('name', method='gin'). It has 'btree', 'fulltext'"},
    ),
    (
        lambda: orm.Index(
            "-name",
            F("place").desc(nulls="last"),
            functions.Replace("name", orm.Value("a"), orm.Value("b")),
            name="i",
            operator_classes=["text_pattern_ops", "public.own_ops", "text_pattern_ops"],
        ),
        {
            "sqlite": "SQLite has no operator classes",
            "postgresql": "CREATE INDEX i ON thing (name text_pattern_ops DESC, "
            "location public.own_ops DESC NULLS LAST, (replace(name, 'a', 'b')) text_pattern_ops)",
            "mysql": "MySQL has no operator classes",
        },
    ),
    (
        lambda: orm.Index("name", "plays", operator_classes=[None, "int4_ops"]),
        {"postgresql": "CREATE INDEX ix_thing_name_plays ON thing (name, plays int4_ops)"},
    ),
]


@pytest.mark.parametrize(
    ("make", "engine", "expected"), [(make, engine, text) for make, texts in PARTS for engine, text in texts.items()]
)
def test_options_are_honoured_or_refused(make: Any, engine: str, expected: str) -> None:
    if " has no " not in expected:
        assert create(make(), engine) == expected
        return
    with pytest.raises(orm.NotSupportedError) as caught:
        create(make(), engine)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: orm.UniqueConstraint("name", nulls_distinct=False),
        lambda: orm.UniqueConstraint("name", name="u", condition=Q(live=True), nulls_distinct=False),
    ],
)
def test_old_servers_are_refused(make: Any) -> None:
    dialect = PostgreSQLDialect()
    dialect.server_version_info = (14, 9)
    table = declare(constraints=[make()]).table
    made: Any = CreateIndex(next(iter(table.indexes))) if table.indexes else CreateTable(table)
    with pytest.raises(orm.NotSupportedError, match=r"NULL equal NULL in UniqueConstraint\(.* since version 15 only"):
        made.compile(dialect=dialect)


async def test_what_an_engine_lacks_is_refused_before_a_table_is_made(database: Database, backend: str) -> None:
    registry = orm.Registry(database)
    model = declare(registry, constraints=[orm.UniqueConstraint("name", nulls_distinct=False, include=["plays"])])
    if backend == "postgresql":
        await registry.create_all()
        await registry.drop_all()
        return
    with pytest.raises(orm.NotSupportedError, match="has no included columns, here UniqueConstraint"):
        await registry.create_all()
    with pytest.raises(orm.ProgrammingError):
        await model.objects.count()


async def test_the_server_of_a_connection_tells_its_version(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        told = await database.fetch_val("SHOW server_version_num")
        assert database.dialect.server_version_info is not None
        assert database.dialect.server_version_info[0] == int(told) // 10000


# ---------------------------------------------------------------- kept to

owned = orm.Registry()


class Account(orm.Model):
    """What SQLite and PostgreSQL have."""

    name = orm.String(max_length=50)
    deleted = orm.Boolean(default=False)

    class Meta:
        registry = owned
        constraints = [orm.UniqueConstraint("name", name="one_living", condition=Q(deleted=False))]
        indexes = [orm.Index("-name", name="dead", condition=Q(deleted=True))]


@pytest_asyncio.fixture
async def accounts(database: Database, backend: str) -> AsyncIterator[Database]:
    if backend.startswith("mysql"):
        pytest.skip("MySQL has no conditions in indexes")
    async with created(owned, database):
        yield database


async def test_a_condition_says_which_rows_are_compared(accounts: Database) -> None:
    await Account.objects.create(name="Ann", deleted=True)
    await Account.objects.create(name="Ann", deleted=True)
    ann = await Account.objects.create(name="Ann")
    with pytest.raises(orm.UniqueViolation):
        await Account.objects.create(name="Ann")
    await ann.update(deleted=True)
    await Account.objects.create(name="Ann")


async def test_a_deferred_constraint_waits_for_the_end(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        registry = orm.Registry(database)
        model = declare(registry, constraints=[orm.UniqueConstraint("name", deferrable="deferred")])
        await registry.create_all()
        try:
            one, two = await model.objects.bulk_create([model(name="a"), model(name="b")])
            async with database.transaction():
                await one.update(name="b")
                await two.update(name="a")
            assert [row.name for row in await model.objects.order_by("id")] == ["b", "a"]
        finally:
            await registry.drop_all()


async def test_nulls_may_be_equal(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        registry = orm.Registry(database)
        model = declare(registry, constraints=[orm.UniqueConstraint("name", "plays", nulls_distinct=False)])
        await registry.create_all()
        try:
            await model.objects.create(name="a")
            with pytest.raises(orm.UniqueViolation):
                await model.objects.create(name="a")
        finally:
            await registry.drop_all()


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: orm.Index("name", include=["nome"]), "Thing has no field 'nome'. Choose from: id, name, place"),
        (lambda: orm.Index("name", include=["name"]), r"Index\(.*\) includes name, which it has already"),
        (lambda: orm.Index("-parent", include=["parent_id"]), r"includes parent, which it has already"),
        (lambda: orm.UniqueConstraint("name", "plays", include=["plays"]), r"includes plays, which it has already"),
        (lambda: orm.Index("name", name="i", condition=Q(nome="x")), "Thing has no field 'nome'"),
        (lambda: orm.Index("name", name="i", condition=Q(parent__name="x")), "which is a field of a related row"),
        (lambda: orm.Index("name", name="i", condition=Q()), "is always True"),
        (lambda: orm.UniqueConstraint("name", name="i", condition=orm.Sum("plays") > 1), "which is an aggregate"),
    ],
)
def test_mistakes_are_named_with_the_class(make: Any, message: str) -> None:
    part = make()
    option = "indexes" if isinstance(part, orm.Index) else "constraints"
    with pytest.raises(orm.FieldError, match=message):
        declare(**{option: [part]})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: orm.Index("a", condition=Q(b=1)), r"Index with a condition needs a name of its own"),
        (lambda: orm.UniqueConstraint("a", condition=Q(b=1)), r"UniqueConstraint with a condition needs a name"),
        (lambda: orm.Index("a", name="i", condition="b > 1"), r"condition of Index takes a condition in words"),
        (lambda: orm.Index("a", include="b"), r"include takes a list of names of fields, as in \['name'\], not 'b'"),
        (lambda: orm.Index("a", include=[1]), r"include takes names of fields, each of them once, not \[1\]"),
        (lambda: orm.Index("a", include=["b", "b"]), r"each of them once"),
        (lambda: orm.Index("a", method="gin; DROP"), r"method of Index is the name of an access method, such as 'gin'"),
        (lambda: orm.Index("a", method=3), r"method of Index is the name"),
        (lambda: orm.Index("a", operator_classes="x"), r"a list with one for each term \(1\), .* not 'x'"),
        (lambda: orm.Index("a", "b", operator_classes=["x"]), r"one for each term \(2\)"),
        (lambda: orm.Index("a", operator_classes=["x y"]), r"takes names, such as 'gin_trgm_ops', not 'x y'"),
        (lambda: orm.UniqueConstraint("a", nulls_distinct="no"), r"nulls_distinct of UniqueConstraint is True"),
        (lambda: orm.UniqueConstraint("a", nulls_distinct=0), r"nulls_distinct of UniqueConstraint is .* not 0"),
        (lambda: orm.UniqueConstraint("a", deferrable=True), r"deferrable of UniqueConstraint is .* not True"),
        (
            lambda: orm.UniqueConstraint("a", name="u", condition=Q(b=1), deferrable="deferred"),
            r"is an index in the database, which cannot be deferred. Leave deferrable out",
        ),
        (
            lambda: orm.UniqueConstraint(functions.Trim("a"), name="u", deferrable="immediate"),
            r"which cannot be deferred",
        ),
    ],
)
def test_mistakes_are_named_without_a_class(make: Any, message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        make()


def test_options_are_inherited_with_their_parts() -> None:
    owner = orm.Registry()

    class Slugged(orm.Model):
        slug = orm.Slug()
        live = orm.Boolean(default=True)

        class Meta:
            registry = owner
            abstract = True
            constraints = [orm.UniqueConstraint("slug", name="%(table)s_slug", condition=Q(live=True))]
            indexes = [orm.Index("slug", include=["live"])]

    class Book(Slugged):
        pass

    class Film(Slugged):
        pass

    for model, table in ((Book, "book"), (Film, "film")):
        made = sorted(str(CreateIndex(i).compile(dialect=dialect_named("postgresql"))) for i in model.table.indexes)
        assert made == [
            f"CREATE INDEX ix_{table}_slug ON {table} (slug) INCLUDE (live)",
            f"CREATE UNIQUE INDEX {table}_slug ON {table} (slug) WHERE live = true",
        ]
