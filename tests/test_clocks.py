"""Fields that a clock fills in: Python's or the database's, on every way that a row is written."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
import pytest_asyncio

import orm
from tests.databases import created

models = orm.Registry()
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 7, tzinfo=UTC)
SLACK = timedelta(seconds=5)


class Note(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.String(max_length=40, unique=True)
    number: orm.Field[int] = orm.Integer(default=0)
    created: orm.Field[datetime] = orm.DateTime(auto_now_add=True)
    updated: orm.Field[datetime] = orm.DateTime(auto_now=True)
    inserted: orm.Field[datetime] = orm.DateTime(auto_now_add="database")
    touched: orm.Field[datetime] = orm.DateTime(auto_now="database")

    class Meta:
        registry = models


class Diary(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.String(max_length=40, default="")
    day: orm.Field[date] = orm.Date(auto_now_add=True)
    last_day: orm.Field[date] = orm.Date(auto_now="database")
    hour: orm.Field[time] = orm.Time(auto_now_add="database")
    last_hour: orm.Field[time] = orm.Time(auto_now=True)
    local: orm.Field[datetime | None] = orm.DateTime(timezone=False, null=True, auto_now_add="database")
    last_local: orm.Field[datetime | None] = orm.DateTime(timezone=False, null=True, auto_now=True)

    class Meta:
        registry = models


@pytest_asyncio.fixture
async def notes(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(models, database):
        yield database


CREATED, CHANGED = ("created", "inserted"), ("updated", "touched")


def _is_now(value: datetime) -> bool:
    return value.tzinfo is UTC and abs(datetime.now(UTC) - value) < SLACK


async def _aged(text: str = "a") -> Note:
    """A note that was written long ago, loaded."""
    note = await Note.objects.create(text=text)
    await Note.objects.filter(id=note.id).update(**dict.fromkeys((*CREATED, *CHANGED), LONG_AGO))
    return await Note.objects.get(id=note.id)


async def _check_changed(note: Note) -> None:
    """What was created long ago has been changed now, in the instance and in its row."""
    for seen in (note, await Note.objects.get(id=note.id)):
        assert {name: getattr(seen, name) for name in CREATED} == dict.fromkeys(CREATED, LONG_AGO)
        assert {name: _is_now(getattr(seen, name)) for name in CHANGED} == dict.fromkeys(CHANGED, True)
    row = await Note.objects.get(id=note.id)
    assert (row.updated, row.touched) == (note.updated, note.touched)


async def test_a_new_row_gets_the_time(notes: orm.Database) -> None:
    note = Note(text="a")
    for name in (*CREATED, *CHANGED):
        assert not hasattr(note, name)
    await note.save()
    assert note.created == note.updated
    assert note.inserted == note.touched
    for name in (*CREATED, *CHANGED):
        assert _is_now(getattr(note, name))
    found = await Note.objects.get(id=note.id)
    assert [getattr(found, name) for name in CREATED] == [getattr(note, name) for name in CREATED]
    assert [getattr(found, name) for name in CHANGED] == [getattr(note, name) for name in CHANGED]


async def test_days_and_times_of_day_are_those_of_utc(notes: orm.Database) -> None:
    before = datetime.now(UTC)
    diary = await Diary.objects.create()
    diary.text = "more"
    await diary.save()
    assert {diary.day, diary.last_day} <= {before.date(), datetime.now(UTC).date()}
    assert diary.local is not None
    assert diary.last_local is not None
    for value in (diary.local, diary.last_local):
        assert value.tzinfo is None
        assert abs(before - value.replace(tzinfo=UTC)) < SLACK
    for clock in (diary.hour, diary.last_hour):
        apart = abs(datetime.combine(before.date(), clock, UTC) - before)
        assert min(apart, timedelta(days=1) - apart) < SLACK
    assert await Diary.objects.get(hour=diary.hour, last_hour=diary.last_hour, local=diary.local) == diary


async def test_a_save_touches_what_it_changes(notes: orm.Database) -> None:
    note = await _aged()
    note.text = "b"
    await note.save()
    await _check_changed(note)


async def test_a_save_of_nothing_touches_nothing(notes: orm.Database) -> None:
    note = await _aged()
    await note.save()
    assert (note.updated, note.touched) == (LONG_AGO, LONG_AGO)


async def test_naming_a_field_that_was_not_set_touches_it(notes: orm.Database) -> None:
    note = await _aged()
    await note.save(fields=["updated"])
    await _check_changed(note)
    note = await _aged("b")
    await note.save(fields=["touched"])
    await _check_changed(note)


async def test_a_value_that_is_set_is_kept(notes: orm.Database) -> None:
    every = (*CREATED, *CHANGED)
    note = await Note.objects.create(text="a", **dict.fromkeys(every, LONG_AGO))
    await note.load()
    assert {getattr(note, name) for name in every} == {LONG_AGO}
    later = LONG_AGO + timedelta(days=1)
    for name in every:
        setattr(note, name, later)
    await note.save()
    await note.load()
    assert {getattr(note, name) for name in every} == {later}
    await note.update(updated=LONG_AGO, touched=LONG_AGO)
    assert await Note.objects.filter(updated=LONG_AGO, touched=LONG_AGO).update(updated=later) == 1
    await note.load()
    assert note.updated == later
    assert _is_now(note.touched)
    with pytest.raises(orm.ValidationError, match="updated"):
        await note.update(updated=None)


async def test_every_update_touches(notes: orm.Database) -> None:
    note = await _aged("a")
    await note.update(number=1)
    await _check_changed(note)

    note = await _aged("b")
    note.number = orm.F("number") + 1  # type: ignore[assignment]
    await note.save()
    assert note.number == 1
    await _check_changed(note)

    note = await _aged("c")
    assert await Note.objects.filter(text="c").update(number=3) == 1
    await note.load()
    await _check_changed(note)

    note = await _aged("d")
    note.number = 4
    assert await Note.objects.bulk_update([note], ["number"]) == 1
    await _check_changed(note)

    await _aged("e")
    note, created = await Note.objects.update_or_create({"number": 5}, text="e")
    assert not created
    await _check_changed(note)

    note = await _aged("f")
    async with notes.transaction():
        note.number = 6
        await note.save()
        note.number = 7
        await note.save()
    await _check_changed(note)


async def test_an_upsert_touches_what_is_there(notes: orm.Database) -> None:
    await _aged("a")
    made = await Note.objects.bulk_create(
        [Note(text="a", number=8), Note(text="new", number=9)],
        update_conflicts=True,
        unique_fields=["text"],
        update_fields=["number"],
    )
    await _check_changed(made[0])
    assert made[0].number == 8
    for name in (*CREATED, *CHANGED):
        assert _is_now(getattr(made[1], name))
    await _aged("b")
    (kept,) = await Note.objects.bulk_create([Note(text="b")], ignore_conflicts=True, unique_fields=["text"])
    assert (kept.updated, kept.touched) == (LONG_AGO, LONG_AGO)
    (given,) = await Note.objects.bulk_create(
        [Note(text="b", touched=LONG_AGO)],
        update_conflicts=True,
        unique_fields=["text"],
        update_fields=["touched"],
    )
    assert given.touched == LONG_AGO
    assert _is_now(given.updated)


async def test_many_rows_get_the_time(notes: orm.Database) -> None:
    made = await Note.objects.bulk_create([Note(text=str(number)) for number in range(700)])
    assert all(_is_now(getattr(note, name)) for note in made for name in (*CREATED, *CHANGED))
    await Note.objects.all().update(touched=LONG_AGO, updated=LONG_AGO)
    for note in made:
        note.number = note.id
    await Note.objects.bulk_update(made, ["number"])
    assert all(_is_now(getattr(note, name)) for note in made for name in CHANGED)
    assert await Note.objects.filter(touched=LONG_AGO).count() == 0
    made[0].touched = LONG_AGO
    await Note.objects.bulk_update(made[:1], ["touched"])
    assert await Note.objects.filter(touched=LONG_AGO).count() == 1


async def test_the_databases_clock_orders_and_compares_with_given_values(notes: orm.Database) -> None:
    first = await Note.objects.create(text="first")
    earlier = await Note.objects.create(text="earlier", inserted=first.inserted - timedelta(microseconds=1))
    later = await Note.objects.create(text="later", inserted=first.inserted + timedelta(seconds=1))
    assert await Note.objects.order_by("inserted") == [earlier, first, later]
    assert await Note.objects.filter(inserted__gt=first.inserted) == [later]
    assert await Note.objects.get(inserted=first.inserted) == first


async def test_an_instance_survives_a_pickle(notes: orm.Database) -> None:
    note = await _aged()
    note.number = 1
    note = pickle.loads(pickle.dumps(note))
    await note.save()
    await _check_changed(note)


CONTRADICTIONS: list[tuple[Any, dict[str, Any], str]] = [
    (orm.DateTime, {"auto_now": True, "auto_now_add": True}, "auto_now sets the value of a new row, too"),
    (orm.DateTime, {"auto_now": True, "default": LONG_AGO}, "auto_now says what the value is. Leave out default"),
    (orm.Date, {"auto_now_add": "database", "null": True, "default": None}, "auto_now_add says what the value is"),
    (orm.Time, {"auto_now": True, "choices": [time(1)]}, "Leave out choices"),
    (orm.DateTime, {"auto_now_add": True, "primary_key": True}, "a key is given before the row is saved"),
    (orm.DateTime, {"auto_now": "server"}, "auto_now='server' is not possible. Choose from: True"),
    (orm.Date, {"auto_now": 1}, "auto_now=1 is not possible"),
    (orm.DateTime, {"init": False}, "beside auto_now or auto_now_add"),
    (orm.DateTime, {"auto_now": True, "init": True}, "is always False"),
    (orm.DateTime, {"timezone": None}, "timezone is True"),
    (orm.Duration, {"auto_now": True}, "Duration has no option 'auto_now'"),
]


@pytest.mark.parametrize(("make", "options", "message"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(make: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError) as caught:
        make(**options)
    assert message in str(caught.value)


def test_false_is_as_if_it_was_not_given() -> None:
    field: Any = orm.DateTime(auto_now=False, default=LONG_AGO)  # type: ignore[call-overload]
    assert field.clock is None
