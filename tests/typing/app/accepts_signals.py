"""Nothing here may be reported: signals and their receivers."""

from __future__ import annotations

from typing import Any, assert_type

import orm
from orm import signals

from .base import Base
from .notes import Note, Tag
from .users import User


async def saved(event: signals.SaveEvent[Note]) -> None:
    assert_type(event.instance, Note)
    assert_type(event.created, bool)
    for name in event.fields:
        assert_type(name, str)
    assert_type(event.database, orm.Database)


async def any_saved(event: signals.SaveEvent[Any]) -> None:
    assert_type(event.created, bool)


async def deleted(event: signals.DeleteEvent[Note]) -> None:
    assert_type(event.instance, Note)


async def tagged(event: signals.ManyToManyEvent) -> None:
    assert_type(event.relation, str)
    assert_type(event.keys, frozenset[Any] | None)


async def many_created(event: signals.BulkCreateEvent[Note]) -> None:
    for instance in event.instances:
        assert_type(instance, Note)


async def many_updated(event: signals.BulkUpdateEvent[Note]) -> None:
    assert_type(event.count, int | None)


async def many_deleted(event: signals.BulkDeleteEvent[Note]) -> None:
    await event.queryset.values_list("text", flat=True)


async def connecting(user: User, tag: Tag) -> None:
    with (
        signals.pre_save.connected(saved, Note),
        signals.post_save.connected(any_saved, Base),
        signals.post_delete.connected(deleted, Note),
        signals.m2m_changed.connected(tagged, Note),
        signals.pre_bulk_create.connected(many_created, Note),
        signals.post_bulk_update.connected(many_updated, Note),
        signals.pre_bulk_delete.connected(many_deleted, Note),
    ):
        note = await Note.objects.create(text="x", author=user)
        await note.update(rank=3)
        await note.tags.add(tag)
        await note.delete()
        await Note.objects.bulk_create([Note(text="y", author=user)])
        await Note.objects.filter(text="y").update(rank=5)
        await Note.objects.filter(text="y").delete()
    signals.post_save.connect(Note, User)(any_saved)
    signals.post_save.disconnect(any_saved, Note)
    signals.post_save.disconnect(any_saved)

    @signals.post_save.connect()
    async def everything(event: signals.SaveEvent[Any]) -> None:
        raise AssertionError(event)

    signals.post_save.disconnect(everything)
