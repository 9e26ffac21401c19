"""Fields that do more: everything here must be accepted, and it runs; see `accepts`."""

from __future__ import annotations

import datetime
import uuid
from typing import assert_type

import orm

from .ledger import Entry, Money
from .notes import Note


async def rows(note: Note) -> None:
    entry = await Entry(number=3, price=Money(5)).save()
    assert_type(entry.id, uuid.UUID)
    assert_type(entry.created, datetime.datetime)
    assert_type(entry.changed, datetime.datetime | None)
    assert_type(entry.day, datetime.date)
    assert_type(entry.hour, datetime.time)
    assert_type(entry.double, int)
    assert_type(entry.is_odd, bool | None)
    assert_type(entry.price, Money)
    assert_type(entry.tip, Money | None)
    found = await Entry.objects.filter(Entry.double == 6, Entry.price == Money(5), Entry.price.is_in([Money(5)]))
    assert_type(found, list[Entry])
    assert_type(await Entry.objects.values_list(Entry.price, flat=True), list[Money])
    entry.created = datetime.datetime.now(datetime.UTC)
    await Entry(number=4).save()
    orm.postgresql.INET(null=True, default=None)
    orm.postgresql.HStore(default=dict)
    orm.Text(choices=lambda: ["a", ("b", "B")])
