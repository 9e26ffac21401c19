"""Arrays and ranges on PostgreSQL, and what other databases say about them."""

from __future__ import annotations

import datetime
import enum
from collections.abc import AsyncIterator
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.dialects.mysql import dialect as mysql_dialect
from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

import orm
from orm import postgresql
from orm.postgresql import Range
from tests.databases import created

models = orm.Registry()


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Room(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40, default="")
    tags: orm.Field[list[str]] = orm.Array(orm.String(max_length=10), default=list, max_length=6)
    seats: orm.Field[list[int | None] | None] = orm.Array(orm.Integer(null=True), null=True, default=None)
    colours: orm.Field[list[Colour] | None] = orm.Array(orm.Enum(Colour), null=True, default=None)
    prices: orm.Field[list[Decimal] | None] = orm.Array(
        orm.Decimal(max_digits=9, decimal_places=2), null=True, default=None
    )
    moments: orm.Field[list[datetime.datetime] | None] = orm.Array(orm.DateTime(), null=True, default=None)
    blobs: orm.Field[list[bytes] | None] = orm.Array(orm.Binary(), null=True, default=None)
    lengths: orm.Field[list[timedelta] | None] = orm.Array(orm.Duration(), null=True, default=None)
    floors: orm.Field[Range[int] | None] = postgresql.IntegerRange(null=True, default=None)
    numbers: orm.Field[Range[int] | None] = postgresql.BigIntegerRange(null=True, default=None)
    costs: orm.Field[Range[Decimal] | None] = postgresql.DecimalRange(null=True, default=None)
    days: orm.Field[Range[datetime.date] | None] = postgresql.DateRange(null=True, default=None)
    open: orm.Field[Range[datetime.datetime] | None] = postgresql.DateTimeRange(null=True, default=None)
    local: orm.Field[Range[datetime.datetime] | None] = postgresql.DateTimeRange(
        timezone=False, null=True, default=None
    )

    class Meta:
        registry = models


@pytest_asyncio.fixture
async def rooms(postgresql_url: str) -> AsyncIterator[orm.Database]:
    async with orm.Database(postgresql_url) as database, created(models, database):
        yield database


async def _names(*conditions: Any, **words: Any) -> str:
    found = Room.objects.filter(*conditions, **words).order_by("name")
    return "".join(await found.values_list("name", flat=True))


NOON = datetime.datetime(2024, 5, 1, 12, tzinfo=UTC)
EVERY: dict[str, Any] = {
    "tags": ["a", 'q"u', "back\\slash", "NULL", "", "{x,y}"],
    "seats": [1, None, -3],
    "colours": [Colour.RED, Colour.BLUE],
    "prices": [Decimal("1.50"), Decimal("-0.05")],
    "moments": [NOON, NOON + timedelta(microseconds=1)],
    "blobs": [b"", b"\x00\xff"],
    "lengths": [timedelta(days=-1, microseconds=3), timedelta(hours=30)],
    "floors": Range(1, 5),
    "numbers": Range(None, 2**62),
    "costs": Range(Decimal("0.5"), None, bounds="()"),
    "days": Range(datetime.date(2024, 1, 1), datetime.date(2024, 2, 1)),
    "open": Range(NOON, NOON + timedelta(hours=1), bounds="[]"),
    "local": Range(NOON.replace(tzinfo=None), None),
}


async def test_values_come_back(rooms: orm.Database) -> None:
    room = await Room.objects.create(**EVERY)
    found = await Room.objects.get(id=room.id)
    assert {name: getattr(found, name) for name in EVERY} == EVERY
    assert await Room.objects.values_list("tags", "floors") == [(EVERY["tags"], EVERY["floors"])]
    empty = await Room.objects.create(floors=Range(empty=True))
    found = await Room.objects.get(id=empty.id)
    assert (found.tags, found.seats, found.floors) == ([], None, Range(empty=True))


async def test_many_rows_go_in_and_are_updated(rooms: orm.Database) -> None:
    made = [Room(name=str(n), **(EVERY | {"seats": list(range(n % 3))})) for n in range(200)]
    await Room.objects.bulk_create(made)
    found = await Room.objects.order_by("id")
    assert [room.seats for room in found] == [list(range(n % 3)) for n in range(200)]
    assert all(getattr(room, name) == EVERY[name] for room in found for name in EVERY if name != "seats")
    for room in found:
        room.tags = [room.name]
        room.seats = None
        room.floors = Range(0, int(room.name) + 1)
    await Room.objects.bulk_update(found, ["tags", "seats", "floors"])
    for room in await Room.objects.all():
        assert (room.tags, room.seats, room.floors) == ([room.name], None, Range(0, int(room.name) + 1))


async def test_a_change_within_an_array_is_saved(rooms: orm.Database) -> None:
    created = await Room.objects.create(tags=["a"], colours=[Colour.RED])
    created.tags.append("b")
    await created.save()
    found = await Room.objects.get()
    assert found.tags == ["a", "b"]
    assert found.colours is not None
    found.colours.append(Colour.BLUE)
    found.tags.remove("a")
    await found.save()
    found = await Room.objects.get()
    assert (found.tags, found.colours) == (["b"], [Colour.RED, Colour.BLUE])


async def test_what_has_not_changed_is_not_saved(rooms: orm.Database) -> None:
    await Room.objects.create(**EVERY)
    found = await Room.objects.get()
    await Room.objects.all().delete()
    await found.save()  # nothing is sent, or the missing row would be an error


@pytest.mark.parametrize(
    ("words", "value", "wanted"),
    [
        ("tags__contains", ["x"], "ab"),
        ("tags__contains", [], "abc"),
        ("tags__contained_by", ["x", "y", "z"], "abc"),
        ("tags__contained_by", ["x"], "bc"),
        ("tags__overlap", ["y", "q"], "a"),
        ("tags", ["x"], "b"),
        ("tags__in", [["x"], []], "bc"),
        ("tags__gt", ["x"], "a"),
        ("tags__lte", ["x"], "bc"),
        ("tags__len", 2, "a"),
        ("tags__len__lt", 2, "bc"),
        ("tags__len__in", [0, 1], "bc"),
        ("tags__0", "x", "ab"),
        ("tags__1", "y", "a"),
        ("tags__7__isnull", True, "abc"),
        ("tags__0__startswith", "x", "ab"),
        ("tags__0_1", ["x"], "ab"),
        ("tags__0_2", ["x", "y"], "a"),
        ("tags__0_2__len", 2, "a"),
        ("seats__contains", [2], "a"),
        ("seats__0__gte", 1, "a"),
        ("seats__isnull", True, "bc"),
        ("colours__contains", [Colour.RED], "a"),
        ("colours__0", Colour.RED, "a"),
        ("prices__contains", [Decimal("1.5")], "a"),
        ("moments__0__year", 2024, "a"),
    ],
)
async def test_array_lookups(rooms: orm.Database, words: str, value: Any, wanted: str) -> None:
    await Room.objects.create(
        name="a", tags=["x", "y"], seats=[1, 2], colours=[Colour.RED], prices=[Decimal("1.50")], moments=[NOON]
    )
    await Room.objects.create(name="b", tags=["x"])
    await Room.objects.create(name="c", tags=[])
    assert await _names(**{words: value}) == wanted
    rest = Room.objects.exclude(**{words: value}).order_by("name")
    assert "".join(await rest.values_list("name", flat=True)) == "".join(n for n in "abc" if n not in wanted)


async def test_arrays_of_typed_columns(rooms: orm.Database) -> None:
    await Room.objects.create(name="a", tags=["x", "y"], seats=[1, 2])
    await Room.objects.create(name="b", tags=["y"])
    assert await _names(Room.tags.contains(["y"])) == "ab"
    assert await _names(Room.tags.overlap(["x"])) == "a"
    assert await _names(Room.tags.contained_by(["y"])) == "b"
    assert await _names(Room.tags.len > 1) == "a"
    assert await _names(Room.tags[0] == "y") == "b"
    assert await _names(Room.tags[0].startswith("x")) == "a"
    assert await _names(Room.tags[1:2] == ["y"]) == "a"
    assert await _names(Room.tags.contains(Room.tags)) == "ab"
    assert await _names(tags__contains=orm.F("tags")) == "ab"
    assert await Room.objects.order_by("tags__0").values_list("tags__0", flat=True) == ["x", "y"]
    assert await Room.objects.order_by("-tags__len").values_list("tags__len", "tags__0_1") == [(2, ["x"]), (1, ["y"])]
    counted = Room.objects.annotate(n=postgresql.ArrayLength("tags"))
    assert [room.n for room in await counted.order_by("n")] == [1, 2]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "value", "wanted"),
    [
        ("floors__contains", 3, "a"),
        ("floors__contains", 5, "b"),
        ("floors__contains", Range(2, 4), "a"),
        ("floors__contained_by", Range(0, 9), "ae"),
        ("floors__overlap", Range(4, 6), "ab"),
        ("floors__fully_lt", Range(5, 6), "a"),
        ("floors__fully_gt", Range(0, 5), "b"),
        ("floors__not_gt", Range(0, 5), "a"),
        ("floors__not_lt", Range(2, 9), "b"),
        ("floors__adjacent_to", Range(5, 7), "a"),
        ("floors__isempty", True, "e"),
        ("floors__isempty", False, "ab"),
        ("floors__lower", 1, "a"),
        ("floors__lower__gte", 1, "ab"),
        ("floors__upper__isnull", True, "ben"),
        ("floors__upper", 5, "a"),
        ("floors", Range(1, 4, bounds="[]"), "a"),
        ("floors__in", [Range(1, 5), Range(8, 9)], "a"),
        ("floors__gt", Range(1, 5), "b"),
        ("floors__isnull", True, "n"),
        ("costs__contains", Decimal("1.5"), "a"),
        ("costs__upper", Decimal("2.25"), "a"),
        ("days__contains", datetime.date(2024, 1, 31), "a"),
        ("days__lower__lt", datetime.date(2024, 1, 2), "a"),
        ("open__contains", NOON, "a"),
        ("open__contains", NOON.astimezone(datetime.timezone(timedelta(hours=5))), "a"),
        ("open__upper__lte", NOON + timedelta(hours=1), "a"),
        ("local__contains", NOON.replace(tzinfo=None), "a"),
        ("numbers__contains", 2**40, "a"),
    ],
)
async def test_range_lookups(rooms: orm.Database, words: str, value: Any, wanted: str) -> None:
    costs = Range(Decimal("0.5"), Decimal("2.25"))
    await Room.objects.create(name="a", **(EVERY | {"costs": costs}))
    await Room.objects.create(name="b", floors=Range(5, None))
    await Room.objects.create(name="e", floors=Range(empty=True))
    await Room.objects.create(name="n")
    assert await _names(**{words: value}) == wanted
    column: Any = getattr(Room, words.split("__")[0])
    for step in words.split("__")[1:]:
        if step not in ("lower", "upper"):
            assert await _names(column.lookup(step, value)) == wanted
            return
        column = getattr(column, step)
    assert await _names(column == value) == wanted


async def test_ranges_of_typed_columns(rooms: orm.Database) -> None:
    await Room.objects.create(name="a", floors=Range(1, 5), open=Range(NOON, None))
    await Room.objects.create(name="b", floors=Range(5, 9))
    assert await _names(Room.floors.contains(1)) == "a"
    assert await _names(Room.floors.contains(Range(6, 7))) == "b"
    assert await _names(Room.floors.overlap(Range(4, 6)) & Room.floors.adjacent_to(Range(9, 10))) == "b"
    assert await _names(Room.floors.lower > 1) == "b"
    assert await _names(Room.floors.isempty(False)) == "ab"
    assert await _names(Room.floors.contains(orm.F("floors__lower"))) == "ab"
    assert await _names(Room.open.contains(NOON + timedelta(days=999))) == "a"
    assert await Room.objects.order_by("-floors__upper").values_list("floors__upper", flat=True) == [9, 5]


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: Room.objects.filter(tags="x"), "tags: .*valid list"),
        (lambda: Room.objects.filter(tags__contains=[1]), "tags__contains: .*valid string, not 1"),
        (lambda: Room.objects.filter(tags__len="2"), "tags__len: .*valid integer"),
        (lambda: Room.objects.filter(tags__contains=None), "cannot be compared with None"),
        (lambda: Room.objects.filter(floors__contains="3"), "floors__contains: .*valid integer"),
        (lambda: Room.objects.filter(floors__overlap=3), "floors__overlap: a Range of orm.postgresql is wanted"),
        (lambda: Room.objects.filter(floors=Range(5, 1)), "lower bound of a range is not greater"),
        (lambda: Room.objects.filter(floors=Range("a", "b")), "valid integer"),
        (lambda: Room.objects.filter(floors=Range(1, 2, bounds="<>")), r"bounds='<>' is not possible; choose from: \["),  # type: ignore[arg-type]
        (lambda: Room.objects.filter(open__contains=datetime.datetime(2024, 1, 1)), "timezone"),
        (lambda: Room.objects.filter(floors__isempty=1), "takes True or False"),
    ],
)
def test_wrong_operands_are_named(use: Any, text: str) -> None:
    with pytest.raises(orm.ValidationError, match=text):
        use()


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: Room.objects.filter(tags__0_x=1), "'tags__0_x'.*Choose from: .*overlap.*|'tags__0_x'.*len"),
        (lambda: Room.objects.filter(tags__fully_lt=["x"]), "has no lookup 'fully_lt'"),
        (lambda: Room.objects.filter(floors__icontains="x"), r"Room\.floors \(range\) has no lookup 'icontains'"),
        (lambda: Room.tags[-1], "does not count from the end"),
        (lambda: Room.tags[::2], "has an end and no step"),
        (lambda: Room.tags[2:], "has an end and no step"),
        (lambda: Room.tags["x"], "items from 0 on"),
        (lambda: Room.tags[10**12], "No array has items at"),
        (lambda: orm.Array(int), "takes a field, as in"),  # type: ignore[call-overload]
        (lambda: orm.Array(orm.JSON()), "plain values"),
        (lambda: orm.Array(orm.Array(orm.Integer())), "lists of lists"),
        (lambda: orm.Array(postgresql.IntegerRange()), "plain values"),
        (lambda: orm.Array(orm.DateTime(auto_now=True)), "plain values"),
        (lambda: orm.Array(orm.Integer(unique=True)), "unique is an option of the Array"),
        (lambda: orm.Array(orm.Integer(), size=3), "has no option 'size'.*max_length"),  # type: ignore[call-overload]
        (lambda: orm.Array(orm.Integer(), default=[]), "share the default"),  # type: ignore[call-overload]
        (lambda: postgresql.DateTimeRange(timezone="UTC"), "DateTimeRange: timezone is True"),  # type: ignore[call-overload]
        (lambda: postgresql.IntegerRange(ge=3), "IntegerRange has no option 'ge'"),  # type: ignore[call-overload]
    ],
)
def test_mistakes_are_named_with_what_is_possible(use: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        use()


async def test_limits_of_items_and_of_the_list_are_checked(rooms: orm.Database) -> None:
    for values, text in [
        ({"tags": ["x" * 11]}, "at most 10 characters"),
        ({"tags": list("abcdefg")}, "at most 6 items"),
        ({"tags": [None]}, "valid string"),
        ({"seats": [1.5]}, "valid integer"),
        ({"floors": (1, 2)}, "a Range of orm.postgresql is wanted"),
        ({"days": Range(NOON, None)}, "days"),
    ]:
        with pytest.raises(orm.ValidationError, match=text):
            await Room.objects.create(**values)


async def test_other_databases_say_what_to_use_instead(url: str, backend: str) -> None:
    if backend == "postgresql":
        return
    async with orm.Database(url) as database:
        with pytest.raises(orm.NotSupportedError, match=r"(SQLite|MySQL|MariaDB) has no arrays.*Use JSON"):
            await models.create_all(database=database)
        with pytest.raises(orm.NotSupportedError, match="has no arrays"):
            await Room.objects.using(database).filter(tags__contains=["x"]).only("id")
        with pytest.raises(orm.NotSupportedError, match=r"has no ranges: PostgreSQL has\. Use a column for each bound"):
            await Room.objects.using(database).filter(floors__contains=3).only("id")


@pytest.mark.parametrize("dialect", [sqlite_dialect(), mysql_dialect()])
def test_their_types_name_the_engine(dialect: Any) -> None:
    with pytest.raises(orm.NotSupportedError, match=r"(SQLite|MySQL) has no ranges"):
        Room.table.c.floors.type.compile(dialect=dialect)


async def test_compiled_queries(rooms: orm.Database) -> None:
    await Room.objects.create(name="a", tags=["x"], floors=Range(1, 5))
    find = Room.objects.filter(tags__contains=orm.Param("tags"), floors__overlap=orm.Param("floors")).compiled()
    assert [room.name for room in await find(tags=["x"], floors=Range(2, 3))] == ["a"]
    assert await find(tags=["x"], floors=Range(5, 6)) == []
    with pytest.raises(orm.ValidationError, match=r"a Range of orm\.postgresql is wanted"):
        await find(tags=["x"], floors=3)
    with pytest.raises(orm.FieldError, match="depends on the value"):
        Room.objects.filter(floors__contains=orm.Param("value"))
