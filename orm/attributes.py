"""Attributes of instances: setting them notes what changed; an empty slot becomes an instance that knows only its key,
a related query set, or an error with the cure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from orm import joined, persistence
from orm.conditions import Leaf
from orm.database import Database
from orm.exceptions import FieldError, NotLoaded
from orm.generics import pair_of, stored_relation
from orm.instances import database_of, forget_relation, is_new, key_of, schema_of, set_attribute, slot, state_of
from orm.keys import spread
from orm.operators import OPERATORS
from orm.plans import select_plan
from orm.query import Query, Selection
from orm.references import checked_lookup, intern
from orm.related import related_set
from orm.schema import Instance, Relation, Schema
from orm.specs import FieldSpec, GenericKey, RelationSpec
from orm.states import GenericState, InstanceState

_UNSET: Final = object()


def not_settable(schema: Schema, name: str) -> FieldError:
    """The error for a name that cannot be set."""
    relation = schema.relation_specs.get(name)
    if relation is not None:
        return FieldError(
            f"{schema.name}.{name} is the other side of a relation and cannot be set. "
            f"Use `await ….{name}.add(…)`, or set the key of the related rows."
        )
    return schema.unknown(name)


def set_value(instance: Instance, name: str, value: Any) -> None:
    """Set an attribute and note the change."""
    schema = schema_of(instance)
    spec = schema.fields.get(name)
    if spec is not None:
        _set_column(instance, schema, spec, value)
    elif name in schema.relation_specs:
        _set_relation(instance, schema, schema.relation_specs[name], value)
    elif name in schema.generics:
        _set_generic(instance, schema, schema.generics[name], value)
    elif name == "pk":
        _set_key(instance, schema, schema.key, value)
    else:
        set_attribute(instance, name, value)


def _set_column(instance: Instance, schema: Schema, spec: FieldSpec, value: Any) -> None:
    if spec.fixed:
        _check_change(instance, schema, spec, value)
    if spec.relations and slot(instance, spec.name) != value:
        for relation in spec.relations:
            forget_relation(instance, relation)
    set_attribute(instance, spec.name, value)
    state_of(instance).changed.add(spec.name)


def _check_change(instance: Instance, schema: Schema, spec: FieldSpec, value: Any) -> None:
    persistence.refuse_computed(schema, spec)
    if not is_new(instance) and slot(instance, spec.name) != value:
        raise FieldError(
            f"{schema.name}.{spec.name} is the key of a stored row and cannot change. "
            f"Create a new instance, or use {schema.name}.objects.filter(…).update({spec.name}=…)."
        )


def _set_key(instance: Instance, schema: Schema, key: FieldSpec, value: Any) -> None:
    """Set the fields of a key."""
    for name, part in spread(key, value).items():
        _set_column(instance, schema, schema.fields[name], part)


def _set_relation(instance: Instance, schema: Schema, spec: RelationSpec, value: Any) -> None:
    if spec.attribute is None:
        raise not_settable(schema, spec.name)
    key = None
    if value is not None:
        relation = schema.relation(spec.name)
        assert relation is not None
        if not isinstance(value, relation.target.concrete.model):
            raise FieldError(
                f"{schema.name}.{spec.name} takes an instance of {relation.target.name}, not {value!r}. "
                f"For a key: {spec.attribute}=…, or {relation.target.name}.reference(…)."
            )
        key = slot(value, relation.far.name)
    _set_key(instance, schema, schema.key_field(spec), key)
    set_attribute(instance, spec.name, value)


def _set_generic(instance: Instance, schema: Schema, generic: GenericKey, value: Any) -> None:
    _set_key(instance, schema, generic.pair, pair_of(schema, generic, value))
    set_attribute(instance, generic.name, value)


def missing(instance: Instance, name: str) -> Any:
    """What an attribute is whose slot is empty: a sparse instance, a related query set, or an error with the cure."""
    schema: Schema | None = type(instance).__dict__.get("__schema__")
    if schema is None or name.startswith("__"):
        raise AttributeError(f"{type(instance).__name__!r} object has no attribute {name!r}")
    if name in schema.relation_specs:
        relation = schema.relation(name)
        assert relation is not None
        return _missing_relation(instance, schema, relation)
    if name in schema.generics:
        return _missing_generic(instance, schema, schema.generics[name])
    if name in schema.fields:
        if is_new(instance):
            return _unset_value(schema, name)
        raise NotLoaded(
            f"{schema.name}.{name} is not loaded. {_cure(instance, name)} or write: await instance.load({name!r})."
        )
    return _reraise(instance, schema, name)


def _cure(instance: Instance, name: str) -> str:
    """How to read a column that is not loaded: over the relation that led here, or in spite of only() and defer()."""
    state = slot(instance, "_state")
    if state is not None and state.origin is not None:
        return f"Add .{state.reader}({state.origin!r}) to the query,"
    return f"Leave {name!r} out of defer(), name it in only(),"


def _unset_value(schema: Schema, name: str) -> Any:
    raise NotLoaded(f"{schema.name}.{name} was not given. Set it before you read it.")


def _reraise(instance: Instance, schema: Schema, name: str) -> Any:
    """Raise what a property of that name raised, or say that there is no such attribute."""
    if hasattr(type(instance), name):
        return object.__getattribute__(instance, name)
    raise AttributeError(f"{schema.name} has no attribute {name!r}. Choose from: {', '.join(schema.names)}.")


def _missing_relation(instance: Instance, schema: Schema, relation: Relation) -> Any:
    if relation.many:
        cache = slot(instance, f"_loaded_{relation.name}")
        return related_set(relation.target)(instance, relation, cache)
    if not relation.holds_key:
        raise NotLoaded(
            f"{schema.name}.{relation.name} is not loaded. Add .select_related({relation.name!r}) to the query, "
            f"or write: await instance.load({relation.name!r})."
        )
    key = _held_key(instance, schema, relation.name, relation.near)
    if key is None:
        return None
    state: InstanceState | None = slot(instance, "_state")
    return _sparse_related(instance, relation, key, InstanceState if state is None else type(state))


def _missing_generic(instance: Instance, schema: Schema, generic: GenericKey) -> Any:
    key = _held_key(instance, schema, generic.name, generic.key)
    if key is None:
        return None
    name = _held_key(instance, schema, generic.name, generic.kind)
    return _sparse_related(instance, stored_relation(schema, generic, name, key, instance), key, GenericState)


def _held_key(instance: Instance, schema: Schema, relation: str, spec: FieldSpec) -> Any:
    """The value of a field that a relation needs. Raises `NotLoaded` when it is not there."""
    key = slot(instance, spec.name, _UNSET)
    if key is not _UNSET:
        return key
    if is_new(instance):
        return _unset_value(schema, relation)
    name = spec.label if spec.parts else spec.name
    names = ", ".join([repr(part.name) for part in spec.fields])
    raise NotLoaded(
        f"{schema.name}.{name} is not loaded. {_cure(instance, name)} or write: await instance.load({names})."
    )


def _sparse_related(instance: Instance, relation: Relation, key: Any, kind: type[InstanceState]) -> Instance:
    """The related instance, which knows only its key, and how it was reached."""
    state = slot(instance, "_state")
    made = sparse(relation.target, relation.far, key)
    origin = relation.name if state is None or state.origin is None else f"{state.origin}__{relation.name}"
    database = state.database if state is not None else None
    made_state = kind(database=database, origin=origin)
    if relation.far is not relation.target.key:
        made_state.known = relation.far
    set_attribute(made, "_state", made_state)
    set_attribute(instance, relation.name, made)
    return made


def sparse(schema: Schema, field: FieldSpec, value: Any) -> Instance:
    """An instance that knows only its key, or another unique field."""
    return cast("Instance", persistence.from_values(schema, {field.name: value}, None, hook=False))


def known_by(instance: Instance, schema: Schema) -> FieldSpec:
    """The field that tells which row an instance is: its key, unless it was reached over a key to another field."""
    if key_of(instance) is None:
        return cast("FieldSpec", getattr(slot(instance, "_state"), "known", schema.key))
    return schema.key


async def load_columns(instance: Instance, schema: Schema, names: list[str]) -> None:
    """Read columns of the row into the instance."""
    named = [spec for name in names for spec in persistence.field_named(schema, name).fields]
    wanted = named or list(schema.fields.values())
    by = known_by(instance, schema)
    key = slot(instance, by.name)
    fields = [spec for spec in wanted if not by.in_key or not spec.in_key]
    read = _read_columns if schema.implied is None else _read_visible_columns
    row = await read(database_of(instance), schema, fields, by, key)
    if row is None:
        hidden = ""
        if schema.implied is not None:
            hidden = f", or is hidden: {schema.name}.objects.unfiltered().get(…) finds what default filters hide"
        raise schema.does_not_exist(f"The row of {instance!r} no longer exists{hidden}.")
    persistence.note_loaded(instance, schema, row)
    for spec in fields:
        for relation in spec.relations:
            forget_relation(instance, relation)
    state = slot(instance, "_state")
    if state is not None:
        state.changed.difference_update(row)
    if schema.after_load:
        instance.after_load()


async def _read_columns(
    database: Database, schema: Schema, fields: Sequence[FieldSpec], by: FieldSpec, key: Any
) -> Any:
    """Columns of the row with a key, by attribute; `None` without such a row."""
    rows = await joined.read_columns(database, schema, fields, [key], key=by, write=False)
    return rows.get(key)


async def _read_visible_columns(
    database: Database, schema: Schema, fields: Sequence[FieldSpec], by: FieldSpec, key: Any
) -> Any:
    """The same, unless the row is hidden by what its schema implies."""
    names = tuple([spec.name for spec in fields])
    query = Query(schema).replace(
        where=(Leaf(checked_lookup(schema, intern(schema, (), by), OPERATORS["exact"]), (key,)),),
        columns=tuple([intern(schema, (), spec) for spec in (*fields, *schema.keys)]),
        selection=Selection(form="dict", names=(*names, *[f"key {spec.name}" for spec in schema.keys])),
    )
    plan, values = select_plan(query, database)
    rows = await database.fetch(plan.sql, plan.bind(values), info=plan)
    assert plan.load is not None
    found = plan.load(rows, None)
    return {name: found[0][name] for name in names} if found else None
