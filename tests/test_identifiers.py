"""Identifiers that Python makes for new instances: random ones, and ones that sort by time."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm import identifiers
from orm.identifiers import uuid7
from tests.databases import created

models = orm.Registry()


class Event(orm.Model):
    id: orm.Field[uuid.UUID] = orm.UUID(version=7, primary_key=True)
    code: orm.Field[uuid.UUID] = orm.UUID(version=4, unique=True)
    other: orm.Field[uuid.UUID | None] = orm.UUID(version=4, null=True)

    class Meta:
        registry = models


@pytest_asyncio.fixture
async def events(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(models, database):
        yield database


async def test_new_instances_have_them_before_they_are_saved(events: orm.Database) -> None:
    event = Event()
    assert (event.id.version, event.code.version) == (7, 4)
    assert event.other is not None
    await event.save()
    assert await Event.objects.get(pk=event.id) == event
    given = uuid.uuid4()
    assert (await Event.objects.create(id=given, other=None)).pk == given
    assert (await Event.objects.get(id=given)).other is None


async def test_keys_of_version_7_sort_in_the_order_of_their_making(events: orm.Database) -> None:
    made = await Event.objects.bulk_create([Event() for _ in range(50)])
    assert await Event.objects.order_by("id") == made


def test_version_7_begins_with_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid7()
    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000 + 1


def test_version_7_grows_though_threads_share_it() -> None:
    found: list[list[uuid.UUID]] = []
    threads = [threading.Thread(target=lambda: found.append([uuid7() for _ in range(2000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(each == sorted(each) for each in found)
    assert len({one for each in found for one in each}) == 8000


def test_version_7_grows_though_the_clock_is_set_back_or_the_counter_runs_over(monkeypatch: pytest.MonkeyPatch) -> None:
    generate = identifiers._Generator()
    first = generate()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    made = [generate() for _ in range(100)]
    assert [first, *made] == sorted([first, *made])
    generate._last = (generate._last[0], 2**42 - 1)
    later = generate()
    assert later > made[-1]
    assert later.int >> 80 == (first.int >> 80) + 1
    assert later.version == 7


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"version": 1}, "version=1 is not possible. Choose from: 4 (random), 7 (by time)."),
    ({"version": True}, "version=True is not possible"),
    ({"version": "7"}, "version='7' is not possible"),
    ({"version": 7, "default": uuid.uuid4}, "version says what the default is"),
    ({"init": False}, "beside version"),
    ({"version": 7, "init": True}, "is always False"),
    ({"version": 7, "primary_key": True, "null": True}, "a primary key cannot be null"),
]


@pytest.mark.parametrize(("options", "message"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError) as caught:
        orm.UUID(**options)
    assert message in str(caught.value)
