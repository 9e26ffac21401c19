"""Constraints and indexes of `Meta` over fields and expressions: what they are in SQL, and what the engines keep to."""

from __future__ import annotations

import enum
import ipaddress
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

import orm
from orm import F, Q, Value, functions
from orm.database import Database
from orm.database.dialects import dialect_named
from orm.database.mysql_dialect import MySQLDialect
from tests.databases import created

models = orm.Registry()


class Colour(enum.Enum):
    RED = "it's red"
    GREEN = "green"


class Event(orm.Model):
    """A model that every engine can have."""

    name = orm.String(max_length=100)
    starts = orm.DateTime(null=True, default=None)
    ends = orm.DateTime(null=True, default=None)
    price = orm.Decimal(max_digits=8, decimal_places=2, null=True, default=None, column="price_in_euros")
    day = orm.Date(null=True, default=None)
    colour = orm.Enum(Colour, null=True, default=None)
    open = orm.Boolean(default=True)
    length = orm.Duration(null=True, default=None)
    token = orm.UUID(null=True, default=None)
    data = orm.JSON(null=True, default=None)
    seats = orm.Integer(default=0)
    sold = orm.Integer(default=0)
    parent = orm.ForeignKey("Event", null=True, default=None)

    class Meta:
        registry = models
        constraints = [
            orm.UniqueConstraint("name", F("day"), name="%(table)s_name_of_day"),
            orm.CheckConstraint(Q(price__gte=0) | Q(price=None), name="price_positive"),
            orm.CheckConstraint(F("starts") < F("ends"), name="starts_before_it_ends"),
            orm.CheckConstraint(~Q(name__in=["", "50%", "it's", "a\\b", 'say "x"', "a :b"]), name="name_allowed"),
            orm.CheckConstraint(Q(colour__in=list(Colour)) | Q(colour__isnull=True), name="colour_known"),
            orm.CheckConstraint(Q(starts__gte=datetime(2020, 1, 1, 12, tzinfo=UTC)), name="starts_late"),
            orm.CheckConstraint(Q(day__range=(date(2020, 1, 1), date(2029, 12, 31))), name="day_in_decade"),
            orm.CheckConstraint(Q(open=True) | Q(sold=0), name="nothing_sold_when_closed"),
            orm.CheckConstraint(F("sold") * 2 <= F("seats") * 2 + 10, name="not_oversold"),
            orm.CheckConstraint(Q(length__lte=timedelta(hours=8)), name="length_of_a_day"),
            orm.CheckConstraint(~Q(token=uuid.UUID(int=0)), name="token_not_zero"),
            orm.CheckConstraint(~Q(data__kind="secret"), name="data_open"),
            orm.CheckConstraint(~Q(starts__month=8), name="no_holidays"),
            orm.CheckConstraint(Q(price__lt=Decimal("1000.50")) | Q(name__startswith="A%"), name="dear_by_name"),
            orm.CheckConstraint(~Q(parent=77), name="parent_possible"),
        ]
        indexes = [orm.Index("name", "-price"), orm.Index(F("day").desc(), F("seats").asc(), name="by_day")]


@pytest_asyncio.fixture
async def events(database: Database) -> AsyncIterator[Database]:
    async with created(models, database):
        yield database


GOOD: dict[str, Any] = {
    "name": "Opening",
    "starts": datetime(2020, 1, 1, 12, tzinfo=UTC),
    "ends": datetime(2020, 1, 2, tzinfo=UTC),
    "price": Decimal("9.90"),
    "day": date(2029, 12, 31),
    "colour": Colour.RED,
    "length": timedelta(hours=8),
    "token": uuid.UUID(int=1),
    "data": {"kind": "plain"},
}


async def test_rows_that_meet_all_constraints_are_written(events: Database) -> None:
    made = await Event.objects.create(**GOOD)
    await Event.objects.create(name="bare")
    assert (await Event.objects.get(pk=made.pk)).colour is Colour.RED
    dear = {"price": Decimal("2000")}
    await Event.objects.create(**{**GOOD, **dear, "name": "A%"})
    await made.update(price=None)


@pytest.mark.parametrize(
    ("values", "name", "fields"),
    [
        ({"price": Decimal("-0.01")}, "price_positive", ("price",)),
        ({"ends": datetime(2020, 1, 1, 12, tzinfo=UTC)}, "starts_before_it_ends", ("starts", "ends")),
        ({"name": "50%"}, "name_allowed", ("name",)),
        ({"name": "it's"}, "name_allowed", ("name",)),
        ({"name": "a\\b"}, "name_allowed", ("name",)),
        ({"name": 'say "x"'}, "name_allowed", ("name",)),
        ({"name": "a :b"}, "name_allowed", ("name",)),
        ({"starts": datetime(2020, 1, 1, 11, 59, 59, 999999, tzinfo=UTC)}, "starts_late", ("starts",)),
        ({"day": date(2030, 1, 1)}, "day_in_decade", ("day",)),
        ({"open": False, "sold": 1}, "nothing_sold_when_closed", ("open", "sold")),
        ({"sold": 6}, "not_oversold", ("sold", "seats")),
        ({"length": timedelta(hours=8, microseconds=1)}, "length_of_a_day", ("length",)),
        ({"token": uuid.UUID(int=0)}, "token_not_zero", ("token",)),
        ({"data": {"kind": "secret"}}, "data_open", ("data",)),
        (
            {"starts": datetime(2020, 8, 1, tzinfo=UTC), "ends": datetime(2020, 9, 1, tzinfo=UTC)},
            "no_holidays",
            ("starts",),
        ),
        ({"price": Decimal("1000.50")}, "dear_by_name", ("price", "name")),
        ({"price": Decimal("1000.50"), "name": "Ax"}, "dear_by_name", ("price", "name")),
        ({"parent_id": 77}, "parent_possible", ("parent",)),
    ],
)
async def test_a_row_that_does_not_is_refused_by_the_database(
    events: Database, values: dict[str, Any], name: str, fields: tuple[str, ...]
) -> None:
    with pytest.raises(orm.CheckViolation, match=name) as caught:
        await Event.objects.create(**{**GOOD, **values})
    assert caught.value.constraint == name
    assert caught.value.model == "Event"
    assert set(caught.value.fields) == set(fields)


async def test_updates_and_bulk_inserts_are_checked_too(events: Database) -> None:
    made = await Event.objects.create(**GOOD)
    with pytest.raises(orm.CheckViolation) as caught:
        await made.update(price=Decimal(-1))
    assert caught.value.constraint == "price_positive"
    with pytest.raises(orm.CheckViolation):
        await Event.objects.filter(pk=made.pk).update(price=F("price") - 100)
    with pytest.raises(orm.CheckViolation):
        await Event.objects.bulk_create([Event(name="good"), Event(name="bad", price=Decimal(-1))])


async def test_unique_constraints_over_fields_are_as_before(events: Database) -> None:
    await Event.objects.create(**GOOD)
    with pytest.raises(orm.UniqueViolation) as caught:
        await Event.objects.create(**GOOD)
    assert caught.value.fields == ("name", "day")
    found, created = await Event.objects.get_or_create(name="Opening", day=GOOD["day"])
    assert not created
    assert found.price == GOOD["price"]


def test_orders_and_columns_of_indexes() -> None:
    assert indexes_of(Event, "postgresql") == [
        "CREATE INDEX by_day ON event (day DESC, seats)",
        "CREATE INDEX ix_event_name_price_in_euros ON event (name, price_in_euros DESC)",
        "CREATE INDEX ix_event_parent_id ON event (parent_id)",
    ]


async def test_values_of_every_type_are_literals(database: Database) -> None:
    """The database compares a literal as it compares the value in a row."""
    kinds: dict[str, tuple[Any, Any, Any]] = {
        "text": (orm.Text(), 'it\'s 100% \\n "x" :y $1 ?', "other"),
        "string": (orm.String(max_length=20), "'; --", "other"),
        "whole": (orm.BigInteger(), -(2**63), 1),
        "fraction": (orm.Float(), -1.5e-7, 1.0),
        "exact": (orm.Decimal(max_digits=12, decimal_places=4), Decimal("-12345678.9012"), Decimal(1)),
        "truth": (orm.Boolean(), False, True),
        "day": (orm.Date(), date(2020, 2, 29), date(2021, 1, 1)),
        "moment": (orm.DateTime(), datetime(2020, 2, 29, 23, 59, 59, 999999, UTC), datetime(2020, 1, 1, tzinfo=UTC)),
        "naive": (orm.DateTime(timezone=False), datetime(2020, 2, 29, 1, 2, 3), datetime(2020, 1, 1)),
        "clock": (orm.Time(), time(23, 59, 59, 1), time(1)),
        "length": (orm.Duration(), timedelta(days=-1, microseconds=7), timedelta()),
        "token": (orm.UUID(), uuid.UUID(int=5), uuid.UUID(int=6)),
        "content": (orm.Binary(), b"\x00'%\\\xff", b"x"),
        "address": (orm.IPAddress(), ipaddress.ip_address("::1"), ipaddress.ip_address("127.0.0.1")),
        "colour": (orm.Enum(Colour), Colour.RED, Colour.GREEN),
        "data": (orm.JSON(), {"a": ["it's", 1.5, None, "50%"]}, {"a": []}),
    }
    checks = [orm.CheckConstraint(Q(**{name: value}), name=f"is_{name}") for name, (_, value, _) in kinds.items()]
    registry = orm.Registry(database)
    meta = type("Meta", (), {"registry": registry, "constraints": checks})
    fields = {name: field for name, (field, _, _) in kinds.items()}
    model: Any = type(orm.Model)("Literal", (orm.Model,), {**fields, "Meta": meta, "__module__": __name__})
    await registry.create_all()
    try:
        good = {name: value for name, (_, value, _) in kinds.items()}
        await model.objects.create(**good)
        for name, (_, _, other) in kinds.items():
            with pytest.raises(orm.CheckViolation) as caught:
                await model.objects.create(**{**good, name: other})
            assert caught.value.constraint == f"is_{name}"
    finally:
        await registry.drop_all()


# ---------------------------------------------------------------- expressions

expressive = orm.Registry()


class Product(orm.Model):
    """A model with indexes that MariaDB does not have."""

    name = orm.String(max_length=50)
    plays = orm.Integer(default=0)
    made = orm.Date(null=True, default=None)
    price = orm.Integer(null=True, default=None)

    class Meta:
        registry = expressive
        constraints = [
            orm.UniqueConstraint(functions.Trim("name"), "price", name="unique_name"),
            orm.UniqueConstraint(F("plays") + F("id") * 0, name="unique_plays"),
        ]
        indexes = [
            orm.Index("made__year", F("price").desc(nulls="last"), name="by_year"),
            orm.Index(functions.Coalesce("price", 0).desc(), F("plays") % 2, "name", name="by_price"),
        ]


@pytest_asyncio.fixture
async def products(database: Database, backend: str) -> AsyncIterator[Database]:
    if await is_mariadb(database):
        pytest.skip("MariaDB has no indexes on expressions")
    async with created(expressive, database):
        yield database


async def is_mariadb(database: Database) -> bool:
    if database.dialect.name != "mysql":
        return False
    return "MariaDB" in str(await database.fetch_val("SELECT version()"))


async def test_unique_constraints_over_expressions_are_kept_to(products: Database) -> None:
    await Product.objects.create(name="one", price=1, plays=1)
    await Product.objects.create(name="two", price=1, plays=2)
    with pytest.raises(orm.UniqueViolation) as caught:
        await Product.objects.create(name=" one ", price=1, plays=3)
    assert caught.value.constraint == "unique_name"
    assert caught.value.model == "Product"
    assert caught.value.fields == ("name", "price")


async def test_conflicts_are_about_constraints_over_fields_only(products: Database) -> None:
    await Product.objects.create(name="one", price=1, plays=1)
    with pytest.raises(orm.FieldError, match=r"no unique constraint over name, price\. unique_fields are one of: id\."):
        await Product.objects.bulk_create([Product(name="one")], ignore_conflicts=True, unique_fields=["name", "price"])
    made = await Product.objects.bulk_create([Product(name="one", price=1, plays=9)], ignore_conflicts=True)
    assert len(made) == 1
    assert await Product.objects.count() == 1
    with pytest.raises(orm.UniqueViolation):
        await Product.objects.get_or_create(name="one ", price=1, defaults={"plays": 3})
    found, created = await Product.objects.get_or_create(name="one", price=1)
    assert (found.plays, created) == (1, False)


async def test_an_index_serves_the_order_it_has(products: Database, backend: str) -> None:
    if backend != "sqlite":
        pytest.skip("the planner of others looks at the number of rows")
    plan = await Product.objects.order_by("made__year", F("price").desc(nulls="last")).explain()
    assert "by_year" in str(plan)


def indexes_of(model: Any, engine: str) -> list[str]:
    dialect = dialect_named(engine)
    return sorted(str(CreateIndex(index).compile(dialect=dialect)) for index in model.table.indexes)


@pytest.mark.parametrize(
    ("engine", "statements"),
    [
        (
            "sqlite",
            [
                "CREATE INDEX by_price ON product ((coalesce(price, 0)) DESC, (plays % 2), name)",
                "CREATE INDEX by_year ON product "
                "((CAST(strftime('%Y', made) AS INTEGER)), (price IS NULL), price DESC)",
                "CREATE UNIQUE INDEX unique_name ON product ((trim(name)), price)",
                "CREATE UNIQUE INDEX unique_plays ON product ((plays + id * 0))",
            ],
        ),
        (
            "postgresql",
            [
                "CREATE INDEX by_price ON product ((coalesce(price, 0)) DESC, (plays % nullif(2, 0)), name)",
                "CREATE INDEX by_year ON product ((CAST(EXTRACT(year FROM made) AS INTEGER)), price DESC NULLS LAST)",
                "CREATE UNIQUE INDEX unique_name ON product ((btrim(name)), price)",
                "CREATE UNIQUE INDEX unique_plays ON product ((plays + id * 0))",
            ],
        ),
        (
            "mysql",
            [
                "CREATE INDEX by_price ON product ((coalesce(price, 0)) DESC, (plays %% nullif(2, 0)), name)",
                "CREATE INDEX by_year ON product ((EXTRACT(year FROM made)), (price IS NULL), price DESC)",
                "CREATE UNIQUE INDEX unique_name ON product ((trim(name)), price)",
                "CREATE UNIQUE INDEX unique_plays ON product ((plays + id * 0))",
            ],
        ),
    ],
)
def test_what_indexes_are_in_sql(engine: str, statements: list[str]) -> None:
    assert indexes_of(Product, engine) == statements


async def test_mariadb_refuses_indexes_on_expressions_before_it_makes_a_table(mysql_url: str) -> None:
    async with Database(mysql_url) as database:
        if not await is_mariadb(database):
            pytest.skip("this is MySQL")
        with pytest.raises(orm.NotSupportedError, match=r"MariaDB has no indexes on expressions, here .*own, and name"):
            await expressive.create_all(database=database)
        assert await database.fetch_all("SHOW TABLES LIKE 'product'") == []


async def test_mysql_cannot_leave_a_conflict_over_an_expression_alone(mysql_url: str) -> None:
    async with Database(mysql_url) as database:
        with pytest.raises(orm.NotSupportedError, match=r"may conflict over UniqueConstraint\(.*'unique_name'\), too"):
            await Product.objects.using(database).bulk_create(
                [Product(id=1, name="x")], ignore_conflicts=True, unique_fields=["id"]
            )


@pytest.mark.parametrize(
    ("version", "mariadb", "message"),
    [
        ((8, 0, 12), False, "MySQL has indexes on expressions, here .* since 8.0.13 only"),
        ((8, 0, 15), False, "MySQL keeps to CHECK constraints, here .* since 8.0.16 only"),
        ((10, 1, 48), True, "MariaDB keeps to CHECK constraints, here .* since 10.2.1 only"),
    ],
)
def test_old_servers_that_would_forget_them_are_refused(version: tuple[int, ...], mariadb: bool, message: str) -> None:
    dialect = MySQLDialect("aiomysql")
    dialect.learn(version, is_mariadb=mariadb)
    index = next(index for index in Product.table.indexes if index.name == "unique_plays")
    made: Any = CreateIndex(index) if "indexes" in message else CreateTable(Event.table)
    with pytest.raises(orm.NotSupportedError, match=message):
        made.compile(dialect=dialect)


# ---------------------------------------------------------------- mistakes


def declare(**meta: Any) -> Any:
    """A model with these options, and one that it refers to."""
    registry = orm.Registry()
    options = type("Meta", (), {"registry": registry})
    other = {"Meta": options, "name": orm.String(max_length=10), "__module__": __name__}
    type(orm.Model)("Other", (orm.Model,), other)
    fields = {
        "name": orm.String(max_length=10),
        "plays": orm.Integer(),
        "other": orm.ForeignKey("Other"),
        "Meta": type("Meta", (), {"registry": registry, **meta}),
        "__module__": __name__,
    }
    return type(orm.Model)("Thing", (orm.Model,), fields)


def create(model: Any, engine: str) -> str:
    """CREATE TABLE of a model."""
    assert model.table in model.__schema__.registry.metadata.sorted_tables
    return str(CreateTable(model.table).compile(dialect=dialect_named(engine)))


MISTAKES: list[tuple[Any, str]] = [
    (lambda: orm.Index("nome"), r"Thing has no field 'nome'. Choose from: id, name, plays, other"),
    (lambda: orm.UniqueConstraint("name", "nome"), r"Thing has no field 'nome'. Choose from: id, name"),
    (lambda: orm.CheckConstraint(Q(nome="x"), name="c"), r"Thing has no field 'nome'. Choose from: id, name"),
    (lambda: orm.CheckConstraint(F("nome") > 1, name="c"), r"Thing has no field 'nome'"),
    (lambda: orm.CheckConstraint(Q(plays__gtt=1), name="c"), r"has no 'gtt'. Choose from"),
    (lambda: orm.Index("other__name", name="i"), r"'other__name', name='i'\) cannot have other__name .* related row"),
    (lambda: orm.CheckConstraint(Q(other__name="x"), name="c"), r"other__name in it, which is a field of a related"),
    (lambda: orm.Index(orm.Count("plays"), name="i"), r"cannot have Count\(.*which is an aggregate"),
    (lambda: orm.CheckConstraint(orm.Sum("plays") > 1, name="c"), r"which is an aggregate"),
    (lambda: orm.Index(orm.Window(orm.Sum("plays")), name="i"), r"which is a window"),
    (lambda: orm.Index(orm.OuterRef("name"), name="i"), r"which is a field of another query"),
    (lambda: orm.CheckConstraint(Q(name=orm.OuterRef("name")), name="c"), r"which is a field of another query"),
    (lambda: orm.CheckConstraint(F("plays") > orm.Param("x"), name="c"), r"Param\('x'\) in it, which is a parameter"),
    (lambda: orm.CheckConstraint(Q(plays__in=[orm.Param("x")]), name="c"), r"which is a parameter"),
    (lambda: orm.CheckConstraint(orm.Exists(Event.objects.all()), name="c"), r"which is a query set"),
    (lambda: orm.CheckConstraint(Q(plays__in=Event.objects.values("id")), name="c"), r"which is a query set"),
    (lambda: orm.Index(orm.Subquery(Event.objects.values("id")[:1]), name="i"), r"which is a query set"),
    (lambda: orm.CheckConstraint(Q(plays=Event.table.c.id), name="c"), r"which is an expression of SQLAlchemy Core"),
    (lambda: orm.CheckConstraint(Q(Event.table.c.id == 1), name="c"), r"which is an expression of SQLAlchemy Core"),
    (lambda: orm.Index(Value(1), name="i"), r"names no field. Choose from: id, name, plays, other"),
    (lambda: orm.CheckConstraint(Q(), name="c"), r"is always True. Give a condition on its fields"),
    (lambda: orm.CheckConstraint(F("plays"), name="c"), r"is no condition"),
]


@pytest.mark.parametrize(("make", "message"), MISTAKES)
def test_mistakes_are_named_with_the_class(make: Any, message: str) -> None:
    made = make()
    option = "indexes" if isinstance(made, orm.Index) else "constraints"
    with pytest.raises(orm.FieldError, match=message):
        declare(**{option: [made]})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: orm.Index(), r"Index names no field. Give names"),
        (lambda: orm.UniqueConstraint(), r"UniqueConstraint names no field"),
        (
            lambda: orm.Index(F("a") + 1),
            r"Index of \(F\('a'\) \+ Value\(1\)\) needs a name of its own: Index\(…, name=",
        ),
        (lambda: orm.Index(F("a").desc(nulls="last")), r"needs a name of its own"),
        (lambda: orm.Index("date__year"), r"Index of 'date__year' needs a name"),
        (lambda: orm.UniqueConstraint(functions.Trim("a")), r"UniqueConstraint of Trim\(.*needs a name"),
        (lambda: orm.Index(sa.column("a")), r"Index takes names of fields .*, expressions and SQL, .*, not"),
        (lambda: orm.Index(sa.text("a")), r"Index of text\('a'\) needs a name of its own"),
        (lambda: orm.Index("a", condition=sa.text("a > 1")), r"Index with a condition needs a name of its own"),
        (
            lambda: orm.Index(sa.text("a > :b"), name="x"),
            r"no parameters, as :b is in text\('a > :b'\)\. Write the value",
        ),
        (
            lambda: orm.CheckConstraint(sa.text("a > :b").bindparams(b=1), name="x"),
            r"CheckConstraint has no parameters",
        ),
        (lambda: orm.CheckConstraint(sa.text(" "), name="x"), r"takes SQL, and text\(' '\) has none"),
        (
            lambda: orm.Index(sa.text("a"), name="x", operator_classes=["int4_ops"]),
            r"None for SQL, here text\('a'\), which has its own in it: sa.text\('… int4_ops'\)",
        ),
        (lambda: orm.Index(Q(a=1), name="x"), r"Index takes names of fields .* not Q\(a=1\)"),
        (lambda: orm.Index("a", name=3), r"The name of Index is a text, not 3"),
        (lambda: orm.CheckConstraint(Q(a=1), name=None), r"CheckConstraint needs a name"),
        (lambda: orm.CheckConstraint("a > 1", name="x"), r"CheckConstraint takes a condition in words, .* not 'a > 1'"),
        (lambda: orm.CheckConstraint(sa.column("a") > 1, name="x"), r"CheckConstraint takes a condition in words"),
    ],
)
def test_mistakes_are_named_without_a_class(make: Any, message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        make()


def test_a_name_is_given_once() -> None:
    with pytest.raises(orm.FieldError, match=r"Thing has a constraint or an index with the name 'x' already"):
        declare(indexes=[orm.Index("name", name="x"), orm.Index("plays", name="x")])
    derived = declare(indexes=[orm.Index("name"), orm.Index("-name")])
    with pytest.raises(orm.FieldError, match=r"two constraints or indexes with the name 'ix_thing_name'. Name one"):
        _ = derived.table
    with pytest.raises(orm.FieldError, match="ix_thing_name"):
        _ = derived.table


def test_a_constraint_of_an_abstract_model_has_a_name_for_each_table() -> None:
    owner = orm.Registry()

    class Priced(orm.Model):
        price = orm.Integer()

        class Meta:
            registry = owner
            abstract = True
            constraints = [orm.CheckConstraint(Q(price__gte=0), name="%(table)s_price")]

    class Book(Priced):
        pass

    class Film(Priced):
        pass

    for model, name in ((Book, "book_price"), (Film, "film_price")):
        assert f"CONSTRAINT {name} CHECK (price >= 0)" in str(CreateTable(model.table))


def test_a_relation_to_a_later_model_is_checked_with_the_table() -> None:
    owner = orm.Registry()

    class Early(orm.Model):
        later = orm.ForeignKey("Later")

        class Meta:
            registry = owner
            constraints = [orm.CheckConstraint(Q(later__gt=0), name="one"), orm.CheckConstraint(Q(no=0), name="two")]

    class Later(orm.Model):
        class Meta:
            registry = owner

    for _ in range(2):
        with pytest.raises(orm.FieldError, match="Early has no field 'no'"):
            _ = Early.table


@pytest.mark.parametrize(
    ("condition", "function"),
    [
        (lambda: Q(name__icontains="ö"), "fold"),
        (lambda: Q(name__regex="x"), "regexp"),
        (lambda: functions.Lower("name") == "x", "lower"),
    ],
)
def test_functions_of_our_connections_are_no_part_of_a_table(condition: Any, function: str) -> None:
    model = declare(constraints=[orm.CheckConstraint(condition(), name="c")])
    with pytest.raises(orm.NotSupportedError, match=rf"SQLite has no {function}\(\) of its own for CheckConstraint"):
        create(model, "sqlite")
    assert "CHECK" in create(model, "postgresql")


def test_a_function_of_sqlites_own_is_possible() -> None:
    lower = functions.Func("name", function="lower", output_field=orm.Text())
    model = declare(constraints=[orm.UniqueConstraint(lower, name="unique_lower")])
    assert "CREATE UNIQUE INDEX unique_lower ON thing ((lower(name)))" in indexes_of(model, "sqlite")
