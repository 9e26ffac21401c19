"""What of a row makes which instance: the columns of the root, of what is read with it, and of models that inherit."""

from __future__ import annotations

from orm.hierarchy import heirs, is_polymorphic, way_to
from orm.operators import Element
from orm.query import Path, Query
from orm.schema import Schema
from orm.scopes import Entity, Scope, Variant
from orm.specs import FieldSpec

Words = frozenset[str]


def entities(query: Query) -> list[Entity]:
    """The instances that a row of a query makes: the root, and those at the ends of to-one paths."""
    selection = query.selection
    paths: dict[Path, None] = {(): None}
    for path in selection.related:
        for length in range(1, len(path) + 1):
            if not path[length - 1].is_step:
                paths[path[:length]] = None
    return [_entity(query, path, selection.only, selection.deferred) for path in paths]


def columns(entity: Entity, scope: Scope) -> list[Element]:
    """The columns of an entity, and then those of its variants."""
    path, steps = entity.path, entity.schema.steps
    found = [scope.table((*path, *steps.get(spec.name, ()))).c[spec.name] for spec in entity.fields]
    for variant in entity.variants:
        if variant.fields:
            table = scope.table((*path, *way_to(entity.schema, variant.schema)))
            found += [table.c[spec.name] for spec in variant.fields]
    return found


def _entity(query: Query, path: Path, only: Words, deferred: Words) -> Entity:
    schema = path[-1].target if path else query.schema
    prefix = "".join([f"{hop.name}__" for hop in path if not hop.is_step])
    fields = _loaded_fields(schema, prefix, only, deferred)
    if not is_polymorphic(schema):
        return Entity(path, schema, fields)
    discriminator = schema.root.discriminator
    assert discriminator is not None
    kind = schema.fields[discriminator.name]
    if kind not in fields:
        fields = (*fields, kind)
    restricted = any(word.startswith(prefix) for word in only)
    variants = [_variant(schema, heir, prefix, only if restricted else None, deferred) for heir in heirs(schema)]
    return Entity(path, schema, fields, tuple(variants))


def _variant(schema: Schema, heir: Schema, prefix: str, only: Words | None, deferred: Words) -> Variant:
    """What is read for the rows of a model that inherits: the named fields, if any field of the row is named."""
    prefix += "".join([f"{hop.name}__" for hop in way_to(schema, heir)])
    inherited = heir.parent.fields if heir.parent is not None else {}
    own = [spec for name, spec in heir.fields.items() if name not in inherited and f"{prefix}{name}" not in deferred]
    return Variant(heir, tuple([spec for spec in own if only is None or f"{prefix}{spec.name}" in only]))


def _loaded_fields(schema: Schema, prefix: str, only: Words, deferred: Words) -> tuple[FieldSpec, ...]:
    """The columns to be read of an entity: the key always; the keys of relations that are read, too."""
    wanted = [spec for spec in schema.fields.values() if f"{prefix}{spec.name}" not in deferred]
    named = {word[len(prefix) :] for word in only if word.startswith(prefix)}
    here = {word for word in named if "__" not in word}
    if here:
        needed = {word.partition("__")[0] for word in named if "__" in word}
        wanted = [s for s in wanted if s.name in here or not needed.isdisjoint(s.relations)]
    return (*[spec for spec in schema.keys if spec not in wanted], *wanted)
