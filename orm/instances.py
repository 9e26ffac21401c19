"""What an instance holds, past change tracking: its schema and state, and the attributes that are loaded."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from orm.database import Database
from orm.schema import Instance, Schema
from orm.states import InstanceState

set_attribute = object.__setattr__
"""Sets an attribute past change tracking."""


def schema_of(instance: Instance) -> Schema:
    """The schema of an instance."""
    return type(instance).__schema__


def state_of(instance: Instance) -> InstanceState:
    """The state of an instance, made if it has none yet."""
    state: InstanceState | None = slot(instance, "_state")
    if state is None:
        state = InstanceState()
        set_attribute(instance, "_state", state)
    return state


def is_new(instance: Instance) -> bool:
    """Whether the instance has no row yet."""
    state = getattr(instance, "_state", None)
    return state is not None and state.new


def database_of(instance: Instance, using: Database | None = None) -> Database:
    """Where the instance lives: the database given, the one it was loaded from, or its registry's."""
    if using is not None:
        return using
    state: InstanceState | None = getattr(instance, "_state", None)
    if state is not None and state.database is not None:
        return state.database
    return schema_of(instance).database


def key_of(instance: Instance) -> Any:
    """The key of an instance, or `None`."""
    return slot(instance, schema_of(instance).key.name)


def slot(instance: Instance, name: str, default: Any = None) -> Any:
    """The value of an attribute if it is loaded; never makes anything."""
    try:
        return object.__getattribute__(instance, name)
    except AttributeError:
        return default


_UNSET = object()


def forget_relation(instance: Instance, name: str) -> None:
    """Forget the related instances that are held."""
    for attribute_name in (name, f"_loaded_{name}"):
        try:
            object.__delattr__(instance, attribute_name)
        except AttributeError:
            continue


def slot_names(schema: Schema) -> list[str]:
    """The names of the slots for what an instance of a model may hold."""
    found: list[str] | None = schema.derived.get("names of slots")
    if found is None:
        slots: list[str] = [name for base in schema.row.__mro__[:-1] for name in base.__dict__.get("__slots__", ())]
        found = [name for name in slots if name not in ("__dict__", "__weakref__", "_state")]
        schema.derived["names of slots"] = found
    return found


def held(instance: Instance) -> dict[str, Any]:
    """The values of the slots that are filled."""
    values = {name: slot(instance, name, _UNSET) for name in slot_names(schema_of(instance))}
    return {name: value for name, value in values.items() if value is not _UNSET}


def snapshot(instance: Instance) -> Callable[[], None]:
    """A function that makes an instance what it is now; a value that is changed in place stays so."""
    values, others, state = held(instance), dict(instance.__dict__), copy.copy(slot(instance, "_state"))
    if state is not None:
        state.changed = set(state.changed)

    def restore() -> None:
        for name in slot_names(schema_of(instance)):
            if name in values:
                set_attribute(instance, name, values[name])
            elif slot(instance, name, _UNSET) is not _UNSET:
                object.__delattr__(instance, name)
        instance.__dict__.clear()
        instance.__dict__.update(others)
        if state is not None:
            set_attribute(instance, "_state", state)
        elif slot(instance, "_state") is not None:
            object.__delattr__(instance, "_state")

    return restore


def loaded(instance: Instance) -> dict[str, Any]:
    """The values of the columns that are loaded, by attribute."""
    values: dict[str, Any] = {}
    for name in schema_of(instance).fields:
        value = slot(instance, name, _UNSET)
        if value is not _UNSET:
            values[name] = value
    return values
