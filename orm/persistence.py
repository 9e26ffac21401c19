"""Instances and their rows: what of an instance is inserted, updated, deleted and read again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, cast

from orm import cleaning, joined, kinds, writing
from orm.conditions import Assigned
from orm.database import Database
from orm.exceptions import FieldError, InterfaceError, ValidationError
from orm.expressions import expression, output_of
from orm.generics import pair_of
from orm.instances import database_of, is_new, key_of, schema_of, set_attribute, slot, state_of
from orm.keys import spread
from orm.lookups import conditions, resolve
from orm.mutations import mutated, noted
from orm.plans import update_plan
from orm.query import UNFILTERED, Node, Query
from orm.references import refuse_many
from orm.schema import Instance, Schema
from orm.specs import FieldSpec
from orm.states import InstanceState
from orm.validation import validator

I = TypeVar("I", bound=Instance)  # noqa: E741 - an instance of any model


def stored(instance: Instance, values: dict[str, Any], made: dict[str, Any], database: Database) -> None:
    """Note that the instance has this row in a database now."""
    schema = schema_of(instance)
    note_loaded(instance, schema, values)
    note_loaded(instance, schema, made)
    if database is schema.registry.database:
        _forget_state(instance)
    else:
        set_attribute(instance, "_state", InstanceState(database=database))


def note_loaded(instance: Instance, schema: Schema, values: Mapping[str, Any]) -> None:
    """Set attributes to what the row has; of mutable values, also note the text that they are compared with."""
    for name, value in values.items():
        set_attribute(instance, name, value)
    for spec in schema.mutable:
        if spec.name in values:
            set_attribute(instance, f"_loaded_{spec.name}", noted(spec, values[spec.name]))


def _forget_state(instance: Instance) -> None:
    try:
        object.__delattr__(instance, "_state")
    except AttributeError:
        return


async def insert(instance: Instance, using: Database | None = None) -> None:
    """Insert a new instance; sets its key and what the database made."""
    values = cleaning.row_to_insert(instance)
    database = database_of(instance, using)
    made = await joined.insert(database, schema_of(instance), values)
    stored(instance, values, made, database)


async def insert_unless_there(instance: Instance, unique: Sequence[FieldSpec], using: Database | None = None) -> bool:
    """Insert a new instance unless a row with the same unique values is there; gives whether it was inserted."""
    values = cleaning.row_to_insert(instance)
    database = database_of(instance, using)
    made = await writing.insert_or_ignore(database, schema_of(instance), values, unique)
    if made is not None:
        stored(instance, values, made, database)
    return made is not None


async def insert_all(
    schema: Schema, instances: Sequence[Instance], database: Database, chunk_size: int | None = None
) -> None:
    """Insert new instances, all or none; sets their keys and what the database made."""
    rows = cleaning.rows_to_insert(schema, instances)
    groups = _by_class(schema, instances, rows)
    made: dict[int, dict[str, Any]] = {}

    async def run() -> None:
        for model, indexes in groups:
            part = [rows[index] for index in indexes]
            generated = await joined.insert_many(database, model, part, chunk_size)
            made.update(zip(indexes, generated, strict=True))

    chunks = len(list(writing.chunks(database, rows, max(1, len(rows[0])), chunk_size))) if len(groups) == 1 else 0
    whole = chunks == 1 and groups[0][0].link is None
    if whole:
        await run()
    else:
        async with database.transaction():
            await run()
    for index, instance in enumerate(instances):
        stored(instance, rows[index], made[index], database)


def _by_class(
    schema: Schema, instances: Sequence[Instance], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[Schema, list[int]]]:
    """The positions of rows that can go in one statement, with their model: one of several that inherit, or the one."""
    if not schema.children:
        return [(schema, indexes) for indexes in alike(rows).values()]
    found: dict[tuple[Schema, tuple[str, ...]], list[int]] = {}
    for index, (instance, row) in enumerate(zip(instances, rows, strict=True)):
        found.setdefault((schema_of(instance), tuple(row)), []).append(index)
    return [(model, indexes) for (model, _), indexes in found.items()]


def alike(rows: Sequence[Mapping[str, Any]]) -> dict[tuple[str, ...], list[int]]:
    """The positions of rows by the attributes that they have values for: such rows can go in one statement."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(tuple(row), []).append(index)
    return groups


# ---------------------------------------------------------------- updates


def changed_names(instance: Instance) -> list[str]:
    """The attributes whose values differ from the row's: assigned ones, and mutable ones changed in place."""
    state = getattr(instance, "_state", None)
    names = set(state.changed) if state is not None else set[str]()
    schema = schema_of(instance)
    for spec in schema.mutable:
        if spec.name not in names and mutated(instance, spec):
            names.add(spec.name)
    return [name for name in schema.fields if name in names]


async def save(instance: Instance, names: Iterable[str] | None = None, using: Database | None = None) -> None:
    """Insert a new instance; update what has changed of a stored one, or the named fields."""
    if is_new(instance):
        if names is not None:
            raise InterfaceError(f"{instance!r} is new: all of it is inserted. Save it without naming fields.")
        await insert(instance, using)
        return
    schema = schema_of(instance)
    wanted = names_to_save(instance, names)
    if wanted:
        again = names is None and schema.cleans
        ask = partial(changed_names, instance) if again else lambda: wanted
        await _update(instance, schema, ask, database_of(instance, using))


def names_to_save(instance: Instance, names: Iterable[str] | None) -> list[str]:
    """The attributes of a stored instance that are to be updated: the named fields, or what has changed."""
    if names is None:
        return changed_names(instance)
    schema = schema_of(instance)
    return [spec.name for spec in fields_named(schema, names)]


def field_named(schema: Schema, name: str) -> FieldSpec:
    """The field of a name. Raises `FieldError`."""
    spec = schema.field(name)
    if spec is None:
        raise schema.unknown(name)
    return spec


def fields_named(schema: Schema, names: Iterable[str]) -> list[FieldSpec]:
    """The fields with columns that names stand for, and that may be set. Raises `FieldError`."""
    return list(dict.fromkeys([spec for name in names for spec in settable(schema, name).fields]))


async def _update(instance: Instance, schema: Schema, names: Callable[[], list[str]], database: Database) -> None:
    plain, computed = cleaning.row_to_update(instance, names)
    version = _version(instance, schema)
    if version is not None:
        plain[cast("FieldSpec", schema.version).name] = version + 1
    key = key_of(instance)
    if key is None:
        raise _unknown_key(instance)
    if computed:
        await _update_computed(instance, schema, plain, computed, version, database)
    else:
        made = await joined.update_row(database, schema, key, plain, version)
        if made:
            note_loaded(instance, schema, made)
    _updated(instance, plain, [*plain, *computed])


def _updated(instance: Instance, plain: dict[str, Any], names: Iterable[str]) -> None:
    """Note that these fields are in the row now."""
    state = getattr(instance, "_state", None)
    note_loaded(instance, schema_of(instance), plain)
    if state is not None:
        state.changed.difference_update(names)
        if not state.changed and state.database is None:
            _forget_state(instance)


def _version(instance: Instance, schema: Schema) -> int | None:
    if schema.version is None:
        return None
    version = slot(instance, schema.version.name)
    if version is None:
        raise InterfaceError(f"{schema.name}.{schema.version.name} is not loaded, so a change could not be noticed.")
    return cast("int", version)


async def _update_computed(
    instance: Instance,
    schema: Schema,
    plain: dict[str, Any],
    computed: dict[str, Any],
    version: int | None,
    database: Database,
) -> None:
    """Update with expressions among the values; they are read back, since only the database knows them."""
    renewed = [spec for spec in schema.renewed if spec.name not in plain and spec.name not in computed]
    computed = dict(computed)
    cleaning.fill(computed, [spec for spec in renewed if spec.clock is not None])
    groups = joined.by_table(schema, assignments(Query(schema), plain | computed))
    if len(groups) == 1:
        await _update_assigned(instance, schema, groups[0], version, database)
    else:
        async with database.transaction():
            for group in groups:
                await _update_assigned(instance, schema, group, version, database)
    fields = [schema.fields[name] for name in dict.fromkeys([*computed, *[spec.name for spec in renewed]])]
    read = await joined.read_columns(database, schema, fields, [key_of(instance)])
    for name, value in read[key_of(instance)].items():
        set_attribute(instance, name, value)


async def _update_assigned(
    instance: Instance, schema: Schema, assigned: joined.Assignments, version: int | None, database: Database
) -> None:
    """Update what is in one table, if the row has the version that the instance knows."""
    words: dict[str, Any] = {"pk": key_of(instance)}
    if schema.version is not None and any(spec is schema.version for spec, _ in assigned):
        words[schema.version.name] = version
    query = Query(schema).replace(where=(conditions(Query(schema), (), words),), selection=UNFILTERED)
    plan, values = update_plan(query, assigned, database)
    outcome = await database.run(plan.sql, plan.bind(values), info=plan)
    if outcome.rowcount == 0:
        raise writing.stale(schema, key_of(instance), version)


def assignments(query: Query, values: Mapping[str, Any]) -> list[tuple[FieldSpec, Node]]:
    """What an UPDATE sets: expressions resolved against the query. Values are checked already."""
    pairs: list[tuple[FieldSpec, Node]] = []
    for name, value in values.items():
        spec = query.schema.fields[name]
        node: Node = Assigned(value)
        if isinstance(value, cleaning.COMPUTED):
            node = resolve(query, expression(value))
            refuse_many(node, f"set {spec.label} to")
            _check_kind(query.schema, spec, node)
        pairs.append((spec, node))
    return pairs


def _check_kind(schema: Schema, spec: FieldSpec, node: Node) -> None:
    """Raise `FieldError` for an expression whose values a column does not take."""
    own, given = schema.value_spec(spec).kind, output_of(node).kind
    if not kinds.comparable(own, given):
        raise FieldError(
            f"{schema.name}.{spec.label} ({own}) cannot be set to {node!r} ({given}). Cast it to the type of the field."
        )


async def update_all(
    schema: Schema, instances: Sequence[Instance], names: Sequence[str], database: Database, chunk_size: int | None
) -> None:
    """Update the named fields of stored instances, all or none."""
    fields = [spec.name for spec in fields_named(schema, names)]
    for key in schema.keys:
        if key.name in fields:
            raise FieldError(
                f"{schema.name}.{key.label} is the key: it says which rows are updated and cannot be among them."
            )
    for instance in instances:
        if key_of(instance) is None or is_new(instance):
            raise InterfaceError(f"{instance!r} has no row yet. Create it before you update it.")
    rows: list[dict[str, Any]] = []
    versions: list[int] | None = [] if schema.version is not None else None
    for instance, row in zip(instances, cleaning.rows_to_update(schema, instances, fields), strict=True):
        if versions is not None:
            version = cast("int", _version(instance, schema))
            versions.append(version)
            row[cast("FieldSpec", schema.version).name] = version + 1
        rows.append({**{spec.name: slot(instance, spec.name) for spec in schema.keys}, **row})
    made: dict[Any, dict[str, Any]] = {}
    async with database.transaction():
        await joined.update_many(database, schema, rows, versions, chunk_size)
        renewed = [spec for spec in schema.renewed if spec.name not in fields]
        if renewed:
            for keys in writing.chunks(database, [key_of(instance) for instance in instances], len(schema.keys)):
                made |= await joined.read_columns(database, schema, renewed, keys)
    for instance, row in zip(instances, rows, strict=True):
        _updated(instance, row | made.get(key_of(instance), {}), row)


def stored_key(instance: Instance) -> Any:
    """The key of an instance that has a row to delete. Raises `InterfaceError` when it has none."""
    key = key_of(instance)
    if is_new(instance):
        raise InterfaceError(f"{instance!r} has no row to delete.")
    if key is None:
        raise _unknown_key(instance)
    return key


def _unknown_key(instance: Instance) -> InterfaceError:
    """The error for an instance that was reached over a key to another field, and does not know its own."""
    return InterfaceError(f"{instance!r} is not loaded, so its own key is not known. Load it first: await ….load().")


async def delete(instance: Instance, using: Database | None = None) -> None:
    """Delete the row of an instance, which is new afterwards."""
    schema = schema_of(instance)
    key = stored_key(instance)
    database = database_of(instance, using)
    await joined.delete_row(database, schema, key, _version(instance, schema))
    state_of(instance).new = True


def related_key(schema: Schema, spec: FieldSpec, value: Any) -> Any:
    """The key of an instance given for a relation; any other value as it is."""
    if not isinstance(value, Instance):
        return value
    generic = schema.generics.get(spec.name)
    if generic is not None:
        name, key = pair_of(schema, generic, value)
        return name, _stored_key(schema, spec, value, key)
    relation = schema.relation(spec.relation or "")
    if relation is None or not isinstance(value, relation.target.concrete.model):
        wanted = f"an instance of {relation.target.name}" if relation else f"a value ({spec.kind})"
        raise FieldError(f"{schema.name}.{spec.label} takes {wanted}, not {value!r}.")
    return _stored_key(schema, spec, value, slot(value, relation.far.name))


def _stored_key(schema: Schema, spec: FieldSpec, value: Instance, key: Any) -> Any:
    """The key of an instance. Raises `ValidationError` when it has none yet."""
    if key is None:
        raise ValidationError(f"{schema.name}.{spec.label} is {value!r}, which has no key yet. Save it first.")
    return key


def from_values(schema: Schema, values: dict[str, Any], database: Database | None, *, hook: bool = True) -> Any:
    """An instance of a row's values by attribute; names that are no columns become plain attributes."""
    instance = object.__new__(schema.row)
    note_loaded(instance, schema, values)
    if database is not None:
        set_attribute(instance, "_state", InstanceState(database=database))
    instance.__class__ = schema.model
    if hook and schema.after_load:
        instance.after_load()
    return instance


def settable(schema: Schema, name: str) -> FieldSpec:
    """The field that an update names. Raises `FieldError` when there is none, or nobody sets it."""
    spec = field_named(schema, name)
    refuse_computed(schema, spec)
    kind = schema.discriminator
    if kind is not None and spec.name == kind.name:
        raise FieldError(
            f"{schema.name}.{name} tells the class of a row, which cannot change. Create a row of the other class."
        )
    return spec


def refuse_computed(schema: Schema, spec: FieldSpec) -> None:
    """Raise `FieldError` for a field that the database computes."""
    if spec.computed is not None:
        raise FieldError(
            f"{schema.name}.{spec.name} is generated: the database computes it, and nobody sets it. Set the fields it "
            "is computed of."
        )


def checked_values(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an UPDATE by attribute: expressions as they are, others checked."""
    plain: dict[str, Any] = {}
    computed: dict[str, Any] = {}
    for name, value in values.items():
        spec = settable(schema, name)
        if any(part.name in plain or part.name in computed for part in spec.fields):
            raise FieldError(f"{schema.name}.{spec.label} is given twice.")
        if not isinstance(value, cleaning.COMPUTED):
            plain |= spread(spec, related_key(schema, spec, value))
        elif spec.parts:
            names = ", ".join([part.label for part in spec.parts])
            raise FieldError(f"{schema.name}.{spec.label} has no column of its own to compute. Set its parts: {names}.")
        else:
            computed[spec.name] = value
    checked = validator(schema).partial(plain) | computed
    cleaning.fill(checked, schema.touched)
    return checked


def new_values(words: Mapping[str, Any], defaults: Mapping[str, Any] | None) -> dict[str, Any]:
    """The values of a new row: the words that are plain, and the defaults, called where they can be."""
    values = {name.removesuffix("__exact"): value for name, value in words.items()}
    for name in values:
        if "__" in name:
            raise FieldError(f"{name!r} says how to look, not what to create. Give plain fields, and use defaults=.")
    made = {name: value() if callable(value) else value for name, value in (defaults or {}).items()}
    return values | made


def unique_fields(schema: Schema, words: Mapping[str, Any]) -> tuple[FieldSpec, ...]:
    """The fields of a unique constraint that the words give in full; none without one."""
    named = [spec for name in words if (spec := schema.field(name.removesuffix("__exact"))) is not None]
    given = [part for spec in named for part in spec.fields]
    return next((fields for fields in schema.unique_sets() if all(spec in given for spec in fields)), ())
