"""Every constructor with every common option, on every database: each works, or is refused with a sentence."""

from __future__ import annotations

import datetime
import enum
import ipaddress
import uuid
from decimal import Decimal
from typing import Any

import pytest

import orm
from orm import postgresql
from orm.engines import engine_name
from orm.postgresql import Range


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


class Text:
    """A text that is no `str`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Text) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def own(**options: Any) -> Any:
    return orm.custom_field(
        Text, orm.String(max_length=9), to_database=lambda value: value.text, from_database=Text, **options
    )


NOON = datetime.datetime(2024, 5, 1, 12, 0, 0, 1)
EVERYWHERE: dict[str, tuple[Any, dict[str, Any], Any, Any]] = {
    "SmallInteger": (orm.SmallInteger, {}, 1, 2),
    "Integer": (orm.Integer, {}, 1, 2),
    "BigInteger": (orm.BigInteger, {}, 2**40, -(2**40)),
    "Float": (orm.Float, {}, 0.5, 2.25),
    "Decimal": (orm.Decimal, {"max_digits": 6, "decimal_places": 2}, Decimal("1.50"), Decimal("-2.25")),
    "Boolean": (orm.Boolean, {}, True, False),
    "String": (orm.String, {"max_length": 20}, "a", "b "),
    "Text": (orm.Text, {}, "a", "b "),
    "Slug": (orm.Slug, {}, "a", "b-c"),
    "Email": (orm.Email, {}, "a@example.org", "b@example.org"),
    "URL": (orm.URL, {}, "https://a.example/", "https://b.example/"),
    "UUID": (orm.UUID, {}, uuid.UUID(int=1), uuid.UUID(int=2**127)),
    "Date": (orm.Date, {}, NOON.date(), datetime.date(2000, 2, 29)),
    "DateTime": (
        orm.DateTime,
        {},
        NOON.replace(tzinfo=datetime.UTC),
        datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC),
    ),
    "naive DateTime": (orm.DateTime, {"timezone": False}, NOON, datetime.datetime(2000, 1, 1)),
    "Time": (orm.Time, {}, NOON.time(), datetime.time(1, 2, 3, 4)),
    "Duration": (orm.Duration, {}, datetime.timedelta(days=1), datetime.timedelta(microseconds=-1)),
    "Binary": (orm.Binary, {}, b"\x00a", b"b"),
    "JSON": (orm.JSON, {}, {"a": [1]}, {"b": None}),
    "Enum": (lambda **options: orm.Enum(Color, **options), {}, Color.RED, Color.BLUE),
    "number Enum": (lambda **options: orm.Enum(Level, **options), {}, Level.LOW, Level.HIGH),
    "IPAddress": (orm.IPAddress, {}, ipaddress.ip_address("10.0.0.1"), ipaddress.ip_address("::1")),
    "custom_field": (own, {}, Text("a"), Text("b")),
}
ON_POSTGRESQL: dict[str, tuple[Any, dict[str, Any], Any, Any]] = {
    "Array": (lambda **options: orm.Array(orm.Integer(), **options), {}, [1, 2], [3]),
    "IntegerRange": (postgresql.IntegerRange, {}, Range(1, 5), Range(7, None)),
    "BigIntegerRange": (postgresql.BigIntegerRange, {}, Range(1, 5), Range(7, None)),
    "DecimalRange": (postgresql.DecimalRange, {}, Range(Decimal(1), Decimal(5)), Range(Decimal(7), None)),
    "DateRange": (postgresql.DateRange, {}, Range(NOON.date(), None), Range(None, NOON.date())),
    "DateTimeRange": (postgresql.DateTimeRange, {"timezone": False}, Range(NOON, None), Range(None, NOON)),
    "INET": (postgresql.INET, {}, ipaddress.ip_interface("10.0.0.1/8"), ipaddress.ip_interface("::1")),
    "CIDR": (postgresql.CIDR, {}, ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("::/0")),
    "MACADDR": (postgresql.MACADDR, {}, "08:00:2b:01:02:03", "08:00:2b:01:02:04"),
    "HStore": (postgresql.HStore, {}, {"a": "1"}, {"b": None}),
    "TSVector": (postgresql.TSVector, {}, "'a':1", "'b'"),
}

REFUSED = {
    *[("TSVector", option, "postgresql") for option in ("primary_key", "unique", "choices")],
    *[("HStore", option, "postgresql") for option in ("primary_key", "choices")],
    *[(name, "primary_key", "mysql") for name in ("Text", "Binary", "JSON")],
}
"""What is refused, on which engine."""

OPTIONS: dict[str, dict[str, Any]] = {
    "null": {"null": True},
    "primary_key": {"primary_key": True},
    "unique": {"unique": True},
    "index": {"index": True},
    "column": {"column": "Its Own %s \"name\" 'x' ?"},
    "comment": {"comment": "it's a 50% \\ comment :x ?"},
}


@pytest.mark.parametrize("option", [*OPTIONS, "default", "choices"])
@pytest.mark.parametrize("name", [*EVERYWHERE, *ON_POSTGRESQL])
async def test_an_option_works_or_is_refused(database: orm.Database, name: str, option: str) -> None:
    lacking = name in ON_POSTGRESQL and database.dialect.name != "postgresql"
    if name == "HStore" and not lacking:
        await database.execute("CREATE EXTENSION IF NOT EXISTS hstore")
    make, needed, first, second = (EVERYWHERE | ON_POSTGRESQL)[name]
    given = OPTIONS.get(option, {})
    if option == "choices":
        given = {"choices": [first]}
    elif option == "default":
        given = {"default": lambda: first}
    registry = orm.Registry(database)
    meta = type("Meta", (), {"registry": registry})

    async def declare() -> Any:
        made = type("Thing", (orm.Model,), {"value": make(**needed, **given), "Meta": meta})
        await registry.create_all()
        return made

    if lacking:
        earlier = (orm.FieldError,) if (name, option, "postgresql") in REFUSED else ()
        with pytest.raises((orm.NotSupportedError, *earlier), match=r"Leave it out|PostgreSQL"):
            await declare()
        assert await _tables(database) == []
        return
    if (name, option, database.dialect.name) in REFUSED or (
        name in ("Text", "Binary", "JSON")
        and option in ("unique", "index")
        and engine_name(database.dialect) == "MySQL"
    ):
        with pytest.raises((orm.FieldError, orm.NotSupportedError), match=r"\. (Leave it out|Use a type of limited)"):
            await declare()
        return
    model = await declare()
    try:
        await _check(model, option, first, second)
    finally:
        await registry.drop_all()


async def _tables(database: orm.Database) -> list[str]:
    """The tables with the name of the model's."""
    place = "sqlite_master" if database.dialect.name == "sqlite" else "information_schema.tables"
    column = "name" if database.dialect.name == "sqlite" else "table_schema = DATABASE() AND table_name"
    names = await database.fetch_all(f"SELECT 1 FROM {place} WHERE {column} = 'thing'")
    return [str(row[0]) for row in names]


async def _check(model: Any, option: str, first: Any, second: Any) -> None:
    made = await model.objects.create(**({} if option == "default" else {"value": first}))
    assert (await model.objects.get(pk=made.pk)).value == first
    if model.value.node.spec.kind != "search_vector":  # whose equality is a search
        assert await model.objects.filter(value=first).count() == 1
    if option == "null":
        empty = await model.objects.create()
        assert (await model.objects.get(value__isnull=True)) == empty
    if option == "choices":
        with pytest.raises(orm.ValidationError, match="choose from"):
            await model.objects.create(value=second)
        return
    other = await model.objects.create(value=second)
    assert (await model.objects.get(pk=other.pk)).value == second
    if option in ("unique", "primary_key"):
        with pytest.raises(orm.UniqueViolation):
            await model.objects.create(value=first)


class Size(enum.Enum):
    SMALL = "s"
    EXTRA_LARGE = "xl"


possible: list[Any] = [("a", "First"), "b"]


class Choice(orm.Model):
    pairs: orm.Field[str] = orm.String(max_length=5, choices=[("open", "Open"), ("paid", "Paid up")], default="open")
    size: orm.Field[str] = orm.String(max_length=2, choices=Size, default="s")
    member: orm.Field[Size] = orm.Enum(Size, choices=[Size.SMALL], default=Size.SMALL)
    number: orm.Field[int | None] = orm.Integer(choices=range(3), null=True, default=None)
    later: orm.Field[str] = orm.String(max_length=5, choices=lambda: possible, default="a")

    class Meta:
        registry = orm.Registry()


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("pairs", "paid", "lost"),
        ("size", "xl", "m"),
        ("member", Size.SMALL, Size.EXTRA_LARGE),
        ("number", 2, 3),
        ("number", None, -1),
        ("later", "b", "c"),
    ],
)
def test_choices_are_checked(name: str, good: Any, bad: Any) -> None:
    Choice(**{name: good}).validate()
    with pytest.raises(orm.ValidationError, match=f"{name}: choose from: "):
        Choice(**{name: bad}).validate()


def test_choices_have_labels() -> None:
    assert dict(Choice.pairs.choices) == {"open": "Open", "paid": "Paid up"}
    assert dict(Choice.size.choices) == {"s": "Small", "xl": "Extra large"}
    assert dict(Choice.member.choices) == {Size.SMALL: "Small"}
    assert dict(Choice.number.choices) == {0: "0", 1: "1", 2: "2"}
    assert dict(Choice.later.choices) == {"a": "First", "b": "b"}
    with pytest.raises(orm.FieldError, match="id has no choices: any value"):
        _ = Choice.id.choices  # type: ignore[attr-defined]


def test_a_function_of_choices_is_asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.possible", ["c"])
    Choice(later="c").validate()
    with pytest.raises(orm.ValidationError, match="later: choose from: 'c', not 'a'"):
        Choice().validate()


def test_what_are_no_choices_is_refused() -> None:
    for choices, message in ((3, "choices is a list"), ([("a", "b", "c")], "pairs of a value and its label, not")):
        with pytest.raises(orm.FieldError, match=message):
            orm.Text(choices=choices)  # type: ignore[arg-type]
