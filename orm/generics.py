"""Generic foreign keys at work: what is stored for an instance, and whose row is meant by what is stored."""

from __future__ import annotations

from typing import Any

from orm.exceptions import DataError, FieldError
from orm.instances import slot
from orm.schema import Instance, Relation, Schema
from orm.specs import GenericKey


def relation_of(schema: Schema, generic: GenericKey, value: object) -> tuple[str, Relation]:
    """What rows have for the model of an instance, and the relation to it. Raises `FieldError` when it may not be."""
    found = _relation(schema, generic, type(value))
    if found is None:
        models = list(generic.targets.values())
        raise FieldError(
            f"{schema.name}.{generic.name} takes an instance of {' or '.join(models)}, not {value!r}. "
            f"For a key: {models[0]}.reference(…)."
        )
    return found


def relation_to(schema: Schema, generic: GenericKey, model: type[Instance]) -> tuple[str, Relation]:
    """What rows have for a model, and the relation to it. Raises `FieldError` when it may not be."""
    found = _relation(schema, generic, model)
    if found is None:
        models = " or ".join(generic.targets.values())
        raise FieldError(f"{schema.name}.{generic.name} refers to rows of {models}, not of {model.__schema__.name}.")
    return found


def _relation(schema: Schema, generic: GenericKey, model: type) -> tuple[str, Relation] | None:
    relations = generic.relations(schema).items()
    return next((found for base in model.__mro__ for found in relations if found[1].target.model is base), None)


def pair_of(schema: Schema, generic: GenericKey, value: Instance | None) -> tuple[str | None, Any]:
    """What is stored for an instance: a name and a key, which is `None` for one that has no row yet."""
    if value is None:
        return None, None
    name, relation = relation_of(schema, generic, value)
    return name, slot(value, relation.far.name)


def stored_relation(schema: Schema, generic: GenericKey, name: str | None, key: Any, row: Any) -> Relation:
    """The relation to the model that a row names.

    Raises:
        DataError: no model has that name: it was renamed, or another program wrote the row.
    """
    relation: Relation | None = generic.relations(schema).get(name or "")
    if relation is None:
        known = ", ".join(map(repr, generic.targets))
        raise DataError(
            f"The row {row!r} of {schema.name} has {generic.kind.name}={name!r} and {generic.key.name}={key!r}, and "
            f"{schema.name}.{generic.name} has no model of that name. It knows: {known}. If a model was renamed, give "
            f"the old name: names={{'NewName': {name!r}}}."
        )
    return relation
