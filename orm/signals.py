"""Signals: functions of yours that are awaited when rows of a model are written, inside the write's transaction.

    @orm.signals.post_save.connect(Album)
    async def index(event: orm.signals.SaveEvent[Album]) -> None:
        ...

A write that somebody listens to runs in a transaction of its own (a savepoint inside another one) together with its
receivers, which are awaited in the order in which they were connected. One that raises rolls all of it back, and the
instances are as they were before. What must wait until the rows are there for good belongs in
`event.database.on_commit(…)`. What nobody listens to costs nothing.

Cascades of `on_delete` are done by the database, which tells nobody of the rows; nor do statements of your own.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, cast

from typing_extensions import TypeVar

from orm.database import Database
from orm.exceptions import FieldError
from orm.schema import Instance, Schema

M_co = TypeVar("M_co", bound=Instance, covariant=True, default=Any)
E = TypeVar("E")
Receiver = Callable[[E], Coroutine[Any, Any, object]]
"""What is awaited with the event."""


@dataclass(frozen=True, slots=True)
class SaveEvent(Generic[M_co]):
    """An instance is inserted or updated: by `save`, `create`, `update` of an instance, `get_or_create` and its kin.

    A receiver of `pre_save` may set attributes, which are checked and written with the others, unless `save(fields=…)`
    or `update(…)` names what is written.

    Attributes:
        instance: the instance.
        created: its row is new.
        fields: the names of the attributes that are written; all of them for a new row.
        database: where to.
    """

    instance: M_co
    created: bool
    fields: tuple[str, ...]
    database: Database


@dataclass(frozen=True, slots=True)
class DeleteEvent(Generic[M_co]):
    """An instance's row is deleted by its `delete`. Its attributes stay.

    Attributes:
        instance: the instance.
        database: where from.
    """

    instance: M_co
    database: Database


@dataclass(frozen=True, slots=True)
class ManyToManyEvent:
    """Rows are related to an instance, or no longer, by `add`, `remove`, `set` and `clear` of a many-to-many relation.

    The receivers are those of the model that declares the relation, from whichever side it is changed.

    Attributes:
        action: `set` is a `remove` of some and an `add` of others.
        instance: whose related rows change.
        relation: the name of the relation on the instance.
        reverse: it is changed from the other side than the one that declares it.
        model: the model of the related rows.
        keys: the keys of those that are added or removed, without those that are there already; `None` when all go.
        database: where.
    """

    action: Literal["pre_add", "post_add", "pre_remove", "post_remove", "pre_clear", "post_clear"]
    instance: Instance
    relation: str
    reverse: bool
    model: type[Any]
    keys: frozenset[Any] | None
    database: Database


@dataclass(frozen=True, slots=True)
class BulkCreateEvent(Generic[M_co]):
    """Instances are inserted by `bulk_create`, of a related set, too.

    Attributes:
        model: the model whose `bulk_create` it is; instances may be of models that inherit from it.
        instances: the instances; with `ignore_conflicts`, some may not be inserted.
        database: where to.
    """

    model: type[M_co]
    instances: tuple[M_co, ...]
    database: Database


@dataclass(frozen=True, slots=True)
class BulkUpdateEvent(Generic[M_co]):
    """Rows are updated by `bulk_update`, by `update` of a query set, or by those of `returning()`.

    So they are when `add`, `remove`, `set` and `clear` of a related set change foreign keys.

    Attributes:
        model: the model.
        instances: those of `bulk_update`; `None` where there are none.
        queryset: the query set whose rows are updated, and may be read before; `None` for `bulk_update`.
        fields: the names of the attributes that are written.
        values: what `update` sets them to; `None` for `bulk_update`.
        count: how many rows matched, once they are updated.
        database: where.
    """

    model: type[M_co]
    instances: tuple[M_co, ...] | None
    queryset: Any
    fields: tuple[str, ...]
    values: Mapping[str, Any] | None
    count: int | None
    database: Database


@dataclass(frozen=True, slots=True)
class BulkDeleteEvent(Generic[M_co]):
    """Rows are deleted by `delete` of a query set, or by that of `returning()`.

    Attributes:
        model: the model.
        queryset: the query set whose rows are deleted, and may be read before.
        count: how many rows matched, once they are deleted.
        database: where.
    """

    model: type[M_co]
    queryset: Any
    count: int | None
    database: Database


class Signal(Generic[E]):
    """Something that happens to models, and who is told of it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._connections: list[tuple[type[Instance], Receiver[E]]] = []

    def __repr__(self) -> str:
        return f"<Signal {self.name}: {len(self._connections)} connections>"

    def connect(self, *models: type[Instance]) -> Callable[[Receiver[E]], Receiver[E]]:
        """A decorator of the coroutine function that is awaited with each event; `connect(Album)(index)` does it, too.

        Args:
            models: of which models: a model, or one that others inherit from, abstract or not; of all without any.

        Raises:
            FieldError: what is given is no model, or no coroutine function.
        """
        chosen = _checked(models)

        def connecting(receiver: Receiver[E]) -> Receiver[E]:
            if not inspect.iscoroutinefunction(receiver) and not inspect.iscoroutinefunction(
                getattr(receiver, "__call__", None)  # noqa: B004 - an object whose calls are coroutines
            ):
                raise FieldError(f"A receiver is a coroutine function (async def …(event)), not {receiver!r}.")
            for model in chosen:
                if (model, receiver) not in self._connections:
                    self._connections.append((model, receiver))
                    _spread(model)
            return receiver

        return connecting

    def disconnect(self, receiver: Receiver[E], *models: type[Instance]) -> None:
        """Tell a receiver no longer of these models; of none without any.

        Raises:
            FieldError: it was not connected.
        """
        chosen = _checked(models) if models else tuple([model for model, one in self._connections if one == receiver])
        found = [(model, one) for model, one in self._connections if one == receiver and model in chosen]
        if not found or len(found) < len(chosen):
            raise FieldError(f"{receiver!r} is not connected to {self.name} of these models.")
        for connection in found:
            self._connections.remove(connection)
            _spread(connection[0])

    @contextmanager
    def connected(self, receiver: Receiver[E], *models: type[Instance]) -> Generator[None]:
        """Connect a receiver for the time of a block, for tests; one that is connected already stays so."""
        new = [model for model in _checked(models) if (model, receiver) not in self._connections]
        self.connect(*models)(receiver)
        try:
            yield
        finally:
            if new:
                self.disconnect(receiver, *new)

    def receivers(self, model: type[Any]) -> tuple[Receiver[E], ...]:
        """Who is told of a model, in the order of connection, each once."""
        found: list[Receiver[E]] = []
        for connected, receiver in self._connections:
            if issubclass(model, connected) and receiver not in found:
                found.append(receiver)
        return tuple(found)

    async def send(self, schema: Schema, event: E) -> None:
        """Await the receivers of a model."""
        for receiver in (schema.receivers or {}).get(self.name, ()):
            await receiver(event)


def _checked(models: tuple[type[Any], ...]) -> tuple[type[Instance], ...]:
    for model in models:
        if not isinstance(model, type) or not issubclass(model, Instance):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(f"Signals are about models, not {model!r}. The receiver goes into a call of its own.")
    return models or (Instance,)


def _spread(model: type[Instance]) -> None:
    """Let the schemas of a model, and of those that inherit from it, know who is to be told."""
    schema: Schema | None = model.__dict__.get("__schema__")
    if schema is not None:
        inform(schema)
    for heir in model.__subclasses__():
        _spread(heir)


def inform(schema: Schema) -> None:
    """Let a schema whose model is declared know who is to be told."""
    found = {signal.name: receivers for signal in SIGNALS if (receivers := signal.receivers(schema.model))}
    schema.receivers = found or None


def is_heard(schema: Schema, *signals: Signal[Any]) -> bool:
    """Whether somebody is to be told of one of these."""
    return schema.receivers is not None and any(signal.name in schema.receivers for signal in signals)


pre_save: Final = Signal[SaveEvent[Any]]("pre_save")
post_save: Final = Signal[SaveEvent[Any]]("post_save")
pre_delete: Final = Signal[DeleteEvent[Any]]("pre_delete")
post_delete: Final = Signal[DeleteEvent[Any]]("post_delete")
m2m_changed: Final = Signal[ManyToManyEvent]("m2m_changed")
pre_bulk_create: Final = Signal[BulkCreateEvent[Any]]("pre_bulk_create")
post_bulk_create: Final = Signal[BulkCreateEvent[Any]]("post_bulk_create")
pre_bulk_update: Final = Signal[BulkUpdateEvent[Any]]("pre_bulk_update")
post_bulk_update: Final = Signal[BulkUpdateEvent[Any]]("post_bulk_update")
pre_bulk_delete: Final = Signal[BulkDeleteEvent[Any]]("pre_bulk_delete")
post_bulk_delete: Final = Signal[BulkDeleteEvent[Any]]("post_bulk_delete")

SIGNALS: Final = cast(
    "tuple[Signal[Any], ...]",
    (
        pre_save,
        post_save,
        pre_delete,
        post_delete,
        m2m_changed,
        pre_bulk_create,
        post_bulk_create,
        pre_bulk_update,
        post_bulk_update,
        pre_bulk_delete,
        post_bulk_delete,
    ),
)
