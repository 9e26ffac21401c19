"""Relations are resolved once their models are declared, so that what contradicts itself raises in a class body."""

from __future__ import annotations

from typing import Final

from orm.exceptions import FieldError
from orm.schema import Registry, Schema
from orm.specs import RelationSpec

_KEYS: Final = ("foreign_key", "one_to_one")


def register(schema: Schema) -> None:
    """Enter a declared model into its registry, and resolve all relations whose models are there now.

    Raises `FieldError` for a relation that its models do not have room for; the new model is in the registry no more.
    """
    registry = schema.registry
    registry.add(schema)
    inherited = schema.parent.relation_specs if schema.parent is not None else {}
    registry.unresolved += [
        (schema, spec)
        for name, spec in schema.relation_specs.items()
        if name not in inherited and spec.kind in (*_KEYS, "many_to_many")
    ]
    waiting = registry.unresolved
    registry.unresolved = [(owner, spec) for owner, spec in waiting if not _is_complete(registry, owner, spec)]
    try:
        for owner, spec in waiting:
            if registry.schemas.get(owner.name) is owner and _is_complete(registry, owner, spec):
                owner.relation(spec.name)
    except FieldError:
        registry.unresolved = [(owner, spec) for owner, spec in waiting if owner is not schema]
        del registry.schemas[schema.name]
        raise


def _is_complete(registry: Registry, schema: Schema, spec: RelationSpec) -> bool:
    """Whether the models that a relation needs are declared: also those that the keys of these refer to."""
    known = registry.schemas
    if spec.target_name not in known or (spec.kind == "many_to_many" and spec.through_name not in known):
        return False
    owners = [schema, known[spec.target_name], *([known[spec.through_name]] if spec.through_name in known else [])]
    keys = [key for owner in owners for key in owner.relation_specs.values() if key.kind in _KEYS]
    return all(key.target_name in known for key in keys)
