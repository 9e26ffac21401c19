"""What of an instance is checked before it is written: related instances, values, and what `Model.clean()` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import sqlalchemy as sa

from orm import clocks
from orm.exceptions import FieldError, ValidationError
from orm.expressions import Condition, Expression
from orm.generics import relation_of
from orm.instances import is_new, loaded, schema_of, set_attribute, slot
from orm.schema import Instance, Relation, Schema
from orm.specs import FieldSpec
from orm.validation import invalid, validator

COMPUTED = (Expression, Condition, sa.ClauseElement)
"""What a column can be set to besides a value."""

Problems = list[dict[str, Any]]


def row_to_insert(instance: Instance) -> dict[str, Any]:
    """The checked values of a new row. Raises `ValidationError` with every problem."""
    schema = schema_of(instance)
    checker = validator(schema)
    problems = adopt_keys(instance, schema)
    if problems or schema.cleans:
        checked = _cleaned(instance, schema, checker.whole, lambda: _values_to_insert(instance, schema), problems)
    else:
        checked = checker.whole(_values_to_insert(instance, schema))
    if schema.key.generated and checked.get(schema.key.name) is None:
        checked.pop(schema.key.name, None)
    return checked


def rows_to_insert(schema: Schema, instances: Iterable[Instance]) -> list[dict[str, Any]]:
    """The checked values of new rows. Raises `ValidationError` with every problem of all, each with its position."""
    return _each(schema, instances, row_to_insert)


def row_to_update(
    instance: Instance, names: Callable[[], Sequence[str]], *, as_they_are: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The checked values of a stored row that are to be written, and the expressions among them.

    Args:
        instance: the instance.
        names: gives the names of their attributes, and is asked again when `clean()` may have set others.
        as_they_are: clocks fill in what is not named, and nothing else.

    Raises:
        ValidationError: with every problem.
    """
    schema = schema_of(instance)
    checker = validator(schema)
    problems = adopt_keys(instance, schema)
    if problems or schema.cleans:
        read = partial(_values_to_update, instance, schema, names, as_they_are)
        return _cleaned(instance, schema, checker.partial, lambda: read()[0], problems), read()[1]
    values, computed = _values_to_update(instance, schema, names, as_they_are)
    return checker.partial(values), computed


def rows_to_update(schema: Schema, instances: Iterable[Instance], names: Sequence[str]) -> list[dict[str, Any]]:
    """The checked values of stored rows. Raises `ValidationError` with every problem of all, each with its position."""

    def one(instance: Instance) -> dict[str, Any]:
        values, computed = row_to_update(instance, lambda: names, as_they_are=True)
        for name in computed:
            label = schema.fields[name].label
            raise FieldError(f"{schema.name}.{label} is an expression. Use {schema.name}.objects.filter(…).update(…).")
        return values

    return _each(schema, instances, one)


def validate(instance: Instance) -> None:
    """Raise `ValidationError` with every problem of an instance: of a stored one, with what is loaded of it."""
    if is_new(instance):
        row_to_insert(instance)
    else:
        row_to_update(instance, lambda: list(loaded(instance)), as_they_are=True)


def as_written(instance: Instance, values: dict[str, Any]) -> dict[str, Any]:
    """Values of an instance as their fields would write them, where they can: those that were set and not saved yet."""
    schema = schema_of(instance)
    state = slot(instance, "_state")
    names = () if state is None else values if state.new else state.changed
    if not names:
        return values
    return values | _attempt(schema, validator(schema).partial, {n: values[n] for n in names if n in values})[0]


def adopt_keys(instance: Instance, schema: Schema) -> Problems:
    """Take the keys of related instances that were saved after they were assigned; gives those that have none yet."""
    problems: Problems = []
    for spec in schema.relation_specs.values():
        if spec.attribute is None or slot(instance, spec.attribute) is not None:
            continue
        related = slot(instance, spec.name)
        relation = schema.relation(spec.name) if related is not None else None
        if related is None or relation is None:
            continue
        problems += _adopt_key(instance, spec.attribute, relation, related)
    for generic in schema.generics.values():
        related = slot(instance, generic.name)
        if related is not None and slot(instance, generic.key.name) is None:
            _, relation = relation_of(schema, generic, related)
            problems += _adopt_key(instance, generic.key.name, relation, related)
    return problems


def _adopt_key(instance: Instance, attribute: str, relation: Relation, related: Instance) -> Problems:
    key = slot(related, relation.far.name)
    if key is None:
        message = f"{related!r} has no key yet. Save it first"
        return [{"type": "unsaved", "loc": (relation.name,), "msg": message, "input": related}]
    set_attribute(instance, attribute, key)
    return []


def _values_to_insert(instance: Instance, schema: Schema) -> dict[str, Any]:
    values = loaded(instance)
    for name, value in values.items():
        if isinstance(value, COMPUTED):
            raise FieldError(
                f"{schema.name}.{schema.fields[name].label} is an expression, and a new row has no columns to compute "
                "it from. Give a value, or make it the field's default."
            )
    if schema.filled:
        fill(values, schema.filled)
    for spec in schema.computed:
        values.pop(spec.name, None)
    return values


def _values_to_update(
    instance: Instance, schema: Schema, names: Callable[[], Iterable[str]], as_they_are: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of these attributes, and the expressions. Raises `NotLoaded` for what is not loaded."""
    given = {name: getattr(instance, name) for name in names()}
    if schema.touched:
        state = slot(instance, "_state")
        for spec in () if as_they_are else schema.touched:
            if state is None or spec.name not in state.changed:
                given.pop(spec.name, None)
        fill(given, [spec for spec in schema.touched if spec not in schema.renewed])
    computed: dict[str, Any] = {name: value for name, value in given.items() if isinstance(value, COMPUTED)}
    return {name: given[name] for name in given if name not in computed} if computed else given, computed


def fill(values: dict[str, Any], fields: Sequence[FieldSpec]) -> None:
    """Let their clocks fill in the fields that have no value: Python's reading, or the expression of the database's."""
    if not fields:
        return
    now = clocks.now()
    for spec in fields:
        if spec.name not in values and spec.clock is not None:
            values[spec.name] = spec.clock.expression if spec.clock.database else spec.clock.read(now)


def _each(
    schema: Schema, instances: Iterable[Instance], check: Callable[[Instance], dict[str, Any]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    problems: Problems = []
    for position, instance in enumerate(instances):
        try:
            rows.append(check(instance))
        except ValidationError as error:
            problems += [{**problem, "loc": (position, *problem["loc"])} for problem in error.errors()]
    if problems:
        raise invalid(schema, problems)
    return rows


# ---------------------------------------------------------------- clean()


def _cleaned(
    instance: Instance,
    schema: Schema,
    check: Callable[[dict[str, Any]], dict[str, Any]],
    read: Callable[[], dict[str, Any]],
    problems: Problems,
) -> dict[str, Any]:
    """What is written of an instance whose model has `clean()`, or which has problems already.

    `clean()` sees the values that are right as the fields have them. What counts is what all of them are after it.
    """
    checked, found = _attempt(schema, check, read())
    if schema.cleans:
        for name, value in checked.items():
            if schema.fields[name].clock is None:  # what a clock says is not the instance's before it is written
                set_attribute(instance, name, value)
        said = _problems_of_clean(instance, schema, broken=bool(problems or found))
        problems = adopt_keys(instance, schema)
        checked, found = _attempt(schema, check, read())
        found += said
    unsaved = {problem["loc"] for problem in problems}
    problems = problems + [problem for problem in found if problem["loc"] not in unsaved]
    if problems:
        raise invalid(schema, problems)
    return checked


def _attempt(
    schema: Schema, check: Callable[[dict[str, Any]], dict[str, Any]], values: dict[str, Any]
) -> tuple[dict[str, Any], Problems]:
    """The checked values, and what is wrong with the others."""
    try:
        return check(values), []
    except ValidationError as error:
        problems = error.errors()
    wrong = {problem["loc"][0] for problem in problems}
    right = {name: v for name, v in values.items() if v is not None and schema.fields[name].label not in wrong}
    return validator(schema).partial(right), problems


def _problems_of_clean(instance: Instance, schema: Schema, *, broken: bool) -> Problems:
    """What `clean()` finds; of values that are wrong already, it may stumble over anything."""
    try:
        instance.clean()
    except ValidationError as error:
        return [_located(instance, schema, problem) for problem in error.errors()]
    except ValueError as error:
        return [_located(instance, schema, {"type": "value_error", "loc": (), "msg": str(error)})]
    except Exception as error:
        if broken:
            return []
        computed = [name for name in schema.fields if isinstance(slot(instance, name), COMPUTED)]
        if not computed:
            raise
        raise FieldError(
            f"{schema.name}.clean() cannot look at {', '.join(computed)}, which the database is to compute. Give a "
            f"value, or use {schema.name}.objects.filter(…).update(…), which calls no clean()."
        ) from error
    return []


def _located(instance: Instance, schema: Schema, problem: dict[str, Any]) -> dict[str, Any]:
    """A problem with the input that it is about. Raises `FieldError` where it names no field of the model."""
    where: tuple[Any, ...] = tuple(problem["loc"])
    if where and where[0] not in schema.fields and where[0] not in schema.relation_specs:
        raise schema.unknown(where[0])
    if "input" in problem:
        return problem
    return {**problem, "input": slot(instance, where[0]) if where else loaded(instance)}
