"""Every field type: values come back equal on every database, compare as they should, and are checked."""

from __future__ import annotations

import ipaddress
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

import orm
from tests.music import Color, Everything, Level

VALUES: list[tuple[str, Any]] = [
    ("small", -(2**15)),
    ("small", 2**15 - 1),
    ("integer", -(2**31)),
    ("integer", 2**31 - 1),
    ("big", -(2**63)),
    ("big", 2**63 - 1),
    ("float", 0.1),
    ("float", -1.7976931348623157e308),
    ("float", 5e-324),
    ("decimal", Decimal("99999999999.9999")),
    ("decimal", Decimal("-0.0001")),
    ("decimal", Decimal("0")),
    ("boolean", True),
    ("boolean", False),
    ("string", ""),
    ("string", " spaces "),
    ("string", "ÄÖ€😀"),
    ("string", "back\\slash 'quote' \"double\" %s %% :name ? $1"),
    ("text", "x" * 200_000),
    ("text", "line\r\nline\tÿ"),
    ("slug", "a-slug_1"),
    ("email", "tom@example.org"),
    ("url", "https://example.org/ä?b=c#d"),
    ("uuid", uuid.UUID(int=2**128 - 1)),
    ("date", date(1, 1, 1)),
    ("date", date(9998, 12, 31)),
    ("moment", datetime(1970, 1, 1, tzinfo=UTC)),
    ("moment", datetime(9998, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ("moment", datetime(1000, 1, 1, 0, 0, 0, 1, tzinfo=UTC)),
    ("naive", datetime(2024, 2, 29, 12, 30, 0, 5)),
    ("time", time(0, 0)),
    ("time", time(23, 59, 59, 999999)),
    ("duration", timedelta(0)),
    ("duration", timedelta(days=-3, microseconds=1)),
    ("duration", timedelta(days=40000, seconds=1)),
    ("binary", b""),
    ("binary", bytes(range(256)) * 10),
    ("data", {"a": [1, 2.5, None, True, "x"], "ä": {"b": {}}}),
    ("data", []),
    ("data", "text"),
    ("data", 0),
    ("data", False),
    ("color", Color.GREEN),
    ("level", Level.HIGH),
    ("address", ipaddress.ip_address("192.168.0.1")),
    ("address", ipaddress.ip_address("2001:db8::1")),
]


@pytest.mark.parametrize(("name", "value"), VALUES, ids=lambda value: str(value)[:20])
async def test_a_value_comes_back_equal_and_is_found(music: orm.Database, name: str, value: Any) -> None:
    made = await Everything.objects.create(**{name: value})
    await Everything.objects.create()
    found = await Everything.objects.get(id=made.id)
    assert getattr(found, name) == value
    assert isinstance(getattr(found, name), type(value))
    assert await Everything.objects.filter(**{name: value}).values_list("id", flat=True) == [made.id]
    assert await Everything.objects.values_list(name, flat=True).filter(id=made.id) == [value]
    if name not in ("data",):
        assert await Everything.objects.filter(**{f"{name}__in": [value]}).count() == 1


async def test_every_type_can_be_null_and_written_in_bulk(music: orm.Database) -> None:
    rows = [Everything(**{name: value}) for name, value in VALUES if name != "text"]
    await Everything.objects.bulk_create([*rows, Everything()])
    for row in rows:
        found = await Everything.objects.get(id=row.id)
        for spec in ("big", "decimal", "moment", "data", "color", "binary", "duration", "address"):
            assert getattr(found, spec) == getattr(row, spec)
    empty = await Everything.objects.order_by("-id").first()
    assert empty is not None
    assert {getattr(empty, name) for name, _ in VALUES} == {None}


async def test_every_type_can_be_updated_in_bulk(music: orm.Database) -> None:
    rows = await Everything.objects.bulk_create([Everything() for _ in VALUES])
    for row, (name, value) in zip(rows, VALUES, strict=True):
        setattr(row, name, value)
    names = list(dict.fromkeys(name for name, _ in VALUES))
    assert await Everything.objects.bulk_update(rows, names) == len(rows)
    for row, (name, value) in zip(rows, VALUES, strict=True):
        assert getattr(await Everything.objects.get(id=row.id), name) == value


WRONG: list[tuple[str, Any]] = [
    ("small", 2**15),
    ("integer", 2**31),
    ("big", 2**63),
    ("integer", 1.5),
    ("integer", "1"),
    ("integer", True),
    ("float", float("nan")),
    ("float", float("inf")),
    ("float", "1.0"),
    ("decimal", 1.5),
    ("decimal", Decimal("NaN")),
    ("decimal", Decimal("Infinity")),
    ("boolean", 1),
    ("string", 3),
    ("string", "a\0b"),
    ("string", "\ud800"),
    ("text", b"bytes"),
    ("uuid", "no uuid"),
    ("date", "2024-01-01"),
    ("date", datetime(2024, 1, 1, tzinfo=UTC)),
    ("moment", date(2024, 1, 1)),
    ("moment", datetime(2024, 1, 1)),
    ("time", time(1, tzinfo=UTC)),
    ("duration", 3),
    ("binary", "text"),
    ("data", {1: 2}),
    ("data", {"a": object()}),
    ("data", float("nan")),
    ("color", "blue"),
    ("level", 5),
    ("address", "300.1.1.1"),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=lambda value: repr(value)[:20])
async def test_a_wrong_value_is_refused_on_every_way_in(music: orm.Database, name: str, value: Any) -> None:
    with pytest.raises(orm.ValidationError, match=name):
        await Everything.objects.create(**{name: value})
    with pytest.raises(orm.ValidationError, match=name):
        await Everything.objects.bulk_create([Everything(**{name: value})])
    with pytest.raises(orm.ValidationError, match=name):
        await Everything.objects.all().update(**{name: value})
    with pytest.raises(orm.ValidationError, match=name):
        Everything.objects.filter(**{name: value})
    with pytest.raises(orm.ValidationError):
        Everything.objects.filter(**{f"{name}__in": [value]})
    assert await Everything.objects.count() == 0


LIMITS: list[tuple[Any, Any]] = [
    (orm.String(max_length=3), "abcd"),
    (orm.String(max_length=9, min_length=2), "a"),
    (orm.String(max_length=9, pattern="^a+$"), "b"),
    (orm.Text(min_length=2), "a"),
    (orm.Slug(), "no slug"),
    (orm.Email(), "nobody"),
    (orm.URL(), "example.org"),
    (orm.Integer(ge=0), -1),
    (orm.Integer(gt=0), 0),
    (orm.Integer(le=9), 10),
    (orm.Float(lt=1.0), 1.0),
    (orm.Decimal(max_digits=4, decimal_places=2), Decimal("1.234")),
    (orm.Decimal(max_digits=4, decimal_places=2), Decimal("100.5")),
    (orm.Decimal(max_digits=4, decimal_places=2, ge=0), Decimal("-1")),
    (orm.Binary(max_length=2), b"abc"),
    (orm.String(max_length=9, choices=["a", "b"]), "c"),
    (orm.Integer(choices=[(1, "one"), (2, "two")]), 3),
]


@pytest.mark.parametrize(("field", "value"), LIMITS)
async def test_limits_are_checked_before_anything_is_sent(field: Any, value: Any) -> None:
    registry = orm.Registry()
    namespace = {"__module__": __name__, "__qualname__": "Limited", "value": field, "Meta": _meta(registry)}
    limited = type(orm.Model)("Limited", (orm.Model,), namespace)
    with pytest.raises(orm.ValidationError, match=r"Limited is not valid\. value: "):
        await limited.objects.create(value=value)


def _meta(registry: orm.Registry) -> type:
    return type("Meta", (), {"registry": registry})


async def test_defaults_are_values_callables_and_expressions(database: orm.Database) -> None:
    own = orm.Registry(database)

    class Defaulted(orm.Model):
        number = orm.Integer(default=7)
        items = orm.JSON(default=list)
        token = orm.UUID(default=uuid.uuid4)
        made = orm.DateTime(default=sa.func.now())
        state = orm.String(max_length=9, default=sa.text("'new'"))

        class Meta:
            registry = own

    await own.create_all()
    try:
        before = datetime.now(UTC)
        first, second = await Defaulted.objects.bulk_create([Defaulted(), Defaulted()])
        third = await Defaulted.objects.create(state="old")
        assert (first.number, first.items, first.state, third.state) == (7, [], "new", "old")
        assert first.token != second.token
        assert first.items is not second.items
        assert abs(first.made - before) < timedelta(seconds=5)
        assert first.made.tzinfo is UTC
        assert (await Defaulted.objects.get(id=third.id)).made == third.made
    finally:
        await own.drop_all()


async def test_json_null_is_a_value_where_the_column_cannot_be_null(database: orm.Database) -> None:
    own = orm.Registry(database)

    class Note(orm.Model):
        data = orm.JSON()

        class Meta:
            registry = own

    await own.create_all()
    try:
        nothing = await Note.objects.create(data=None)
        await Note.objects.create(data=0)
        assert (await Note.objects.get(id=nothing.id)).data is None
        assert await Note.objects.filter(data=None) == [nothing]
        assert await Note.objects.exclude(data=None).count() == 1
        nothing.data = {"now": 1}
        await nothing.save()
        assert (await Note.objects.get(id=nothing.id)).data == {"now": 1}
    finally:
        await own.drop_all()


def test_a_default_that_instances_would_share_is_refused() -> None:
    with pytest.raises(orm.FieldError, match=r"share the default.*default=dict"):
        orm.JSON(default={})


async def test_decimals_are_compared_as_they_are(music: orm.Database) -> None:
    row = await Everything.objects.create(decimal=Decimal("0.99"))
    everything = Everything.objects
    assert await everything.filter(decimal=Decimal("0.99004")) == []
    assert await everything.filter(decimal__in=[Decimal("0.99004")]) == []
    assert await everything.filter(decimal__lt=Decimal("0.99001")) == [row]
    assert await everything.filter(decimal__lte=Decimal(10) ** 14) == [row]


async def test_trailing_spaces_count(music: orm.Database) -> None:
    for text in ("Rock", "Rock ", "Rock  "):
        await Everything.objects.create(string=text, text=text)
    for column in ("string", "text"):
        assert await Everything.objects.filter(**{column: "Rock "}).count() == 1
        assert await Everything.objects.filter(**{f"{column}__iexact": "rock "}).count() == 1
