"""Writes of rows that somebody is told of: each in a transaction with the receivers of its signals.

What nobody listens to is written as if there were no signals.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeVar

from orm import persistence, signals
from orm.database import Database
from orm.instances import database_of, is_new, schema_of, snapshot
from orm.schema import Instance, Schema
from orm.signals import BulkCreateEvent, BulkDeleteEvent, BulkUpdateEvent, DeleteEvent, SaveEvent, Signal, is_heard

E = TypeVar("E")
T = TypeVar("T")
C = TypeVar("C", BulkUpdateEvent[Any], BulkDeleteEvent[Any])


def hears_saves(schema: Schema) -> bool:
    """Whether somebody is told of instances that are saved."""
    return is_heard(schema, signals.pre_save, signals.post_save)


async def _announced(
    schema: Schema,
    database: Database,
    pair: tuple[Signal[E], Signal[E]],
    event: E,
    write: Callable[[], Awaitable[T]],
    after: Callable[[E, T], E] = lambda event, _: event,
    instances: Sequence[Instance] = (),
) -> T:
    """Write in a transaction with those who are told before and after; without one where nobody is.

    Args:
        schema: whose receivers they are.
        database: where to.
        pair: the signals before and after.
        event: what is told before.
        write: writes.
        after: makes of this and of what was written what is told after.
        instances: those that are as before when it fails.
    """
    before, afterwards = pair
    if not is_heard(schema, before, afterwards):
        return await write()
    restore = [snapshot(instance) for instance in instances]
    try:
        async with database.transaction():
            await before.send(schema, event)
            written = await write()
            await afterwards.send(schema, after(event, written))
    except BaseException:
        for undo in restore:
            undo()
        raise
    return written


# ---------------------------------------------------------------- one instance


def insert(instance: Instance, using: Database | None = None) -> Coroutine[Any, Any, None]:
    """Insert a new instance; see `persistence.insert`."""
    schema = schema_of(instance)
    if schema.receivers is None or not hears_saves(schema):
        return persistence.insert(instance, using)
    database = database_of(instance, using)
    event = SaveEvent(instance, True, tuple(schema.fields), database)
    pair = (signals.pre_save, signals.post_save)
    return _announced(schema, database, pair, event, lambda: persistence.insert(instance, using), instances=[instance])


def save(
    instance: Instance, names: Iterable[str] | None = None, using: Database | None = None
) -> Coroutine[Any, Any, None]:
    """Insert a new instance, or update a stored one; see `persistence.save`."""
    schema = schema_of(instance)
    if schema.receivers is None or not hears_saves(schema):
        return persistence.save(instance, names, using)
    if is_new(instance):
        return (
            insert(instance, using) if names is None else persistence.save(instance, names, using)
        )  # which refuses it
    return _save(schema, instance, None if names is None else list(names), using)


async def _save(schema: Schema, instance: Instance, names: list[str] | None, using: Database | None) -> None:
    fields = persistence.names_to_save(instance, names)
    if not fields:
        return
    database = database_of(instance, using)

    async def write() -> tuple[str, ...]:
        written = tuple(persistence.names_to_save(instance, names))
        await persistence.save(instance, names, using)
        return written

    await _announced(
        schema,
        database,
        (signals.pre_save, signals.post_save),
        SaveEvent(instance, False, tuple(fields), database),
        write,
        lambda event, written: replace(event, fields=written),
        [instance],
    )


def delete(instance: Instance, using: Database | None = None) -> Coroutine[Any, Any, None]:
    """Delete the row of an instance; see `persistence.delete`."""
    schema = schema_of(instance)
    if schema.receivers is None or not is_heard(schema, signals.pre_delete, signals.post_delete):
        return persistence.delete(instance, using)
    return _delete(schema, instance, using)


async def _delete(schema: Schema, instance: Instance, using: Database | None) -> None:
    persistence.stored_key(instance)
    database = database_of(instance, using)
    event = DeleteEvent(instance, database)
    pair = (signals.pre_delete, signals.post_delete)
    await _announced(schema, database, pair, event, lambda: persistence.delete(instance, using), instances=[instance])


# ---------------------------------------------------------------- many rows


async def bulk_create(
    schema: Schema, instances: Sequence[Instance], database: Database, write: Callable[[], Awaitable[None]]
) -> None:
    """Insert instances, at least one, with a function that does it."""
    pair = (signals.pre_bulk_create, signals.post_bulk_create)
    event = BulkCreateEvent(schema.model, tuple(instances), database)
    await _announced(schema, database, pair, event, write, instances=instances)


async def bulk_update(
    schema: Schema, event: BulkUpdateEvent[Any], write: Callable[[], Awaitable[T]], count: Callable[[T], int]
) -> T:
    """Update rows with a function that does it, and one that says of how many."""
    pair = (signals.pre_bulk_update, signals.post_bulk_update)
    return await _announced(schema, event.database, pair, event, write, _counted(count), event.instances or ())


async def bulk_delete(
    schema: Schema, event: BulkDeleteEvent[Any], write: Callable[[], Awaitable[T]], count: Callable[[T], int]
) -> T:
    """Delete rows with a function that does it, and one that says how many."""
    pair = (signals.pre_bulk_delete, signals.post_bulk_delete)
    return await _announced(schema, event.database, pair, event, write, _counted(count))


def _counted(count: Callable[[T], int]) -> Callable[[C, T], C]:
    """Makes of an event what is told of it once it is known how many rows there were."""
    return lambda event, written: replace(event, count=count(written))


# ---------------------------------------------------------------- many-to-many relations


async def change_relation(
    schema: Schema, event: signals.ManyToManyEvent, write: Callable[[], Awaitable[object]]
) -> None:
    """Change the rows between of a many-to-many relation with a function that does it.

    Args:
        schema: the model that declares the relation.
        event: what is told before.
        write: writes.
    """
    pair = (signals.m2m_changed, signals.m2m_changed)
    after = replace(event, action=_DONE[event.action])
    await _announced(schema, event.database, pair, event, write, lambda _, __: after)


_DONE: Final[Mapping[str, Literal["post_add", "post_remove", "post_clear"]]] = {
    "pre_add": "post_add",
    "pre_remove": "post_remove",
    "pre_clear": "post_clear",
}
