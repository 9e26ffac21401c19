"""What relations lead to: the records of a class body become relations between schemas."""

from __future__ import annotations

from orm.exceptions import FieldError
from orm.keys import check_kinds, check_unique, check_width, key_between, named_fields
from orm.schema import Relation, Schema
from orm.specs import FieldSpec, RelationSpec


def resolve(schema: Schema, spec: RelationSpec) -> Relation:
    """The relation that a record of a schema's says. Raises `FieldError` when what it needs is not there."""
    if spec.kind == "reverse":
        return _resolve_reverse(schema, spec)
    # A model that refers to itself is not among the registered ones while it is declared.
    target = schema if spec.to == schema.name else schema.registry.get(spec.to, f"{schema.name}.{spec.name}")
    inverse = spec.related_name or _declared_inverse(target, schema, spec.name)
    if spec.kind == "many_to_many":
        return _resolve_many_to_many(schema, spec, target, inverse)
    near, far = schema.key_field(spec), _referred(schema, spec, target)
    null = spec.null or not spec.constraint  # what nobody checks may be missing
    return Relation(spec.name, schema, target, near, far, False, null, spec, inverse=inverse)


def _referred(schema: Schema, spec: RelationSpec, target: Schema) -> FieldSpec:
    """The field that a foreign key refers to. Raises `FieldError` for one that is not unique, or of another form."""
    where, near, far = f"{schema.name}.{spec.name}", schema.key_field(spec), target.key
    if spec.to_fields:
        parts = named_fields(f"{where}: to_fields", spec.to_fields, target.fields)
        check_unique(where, target.name, parts, target.unique_sets())
        far = target.composite(parts)
    check_width(where, near, target.name, far)
    if spec.from_fields:
        for one, other in zip(near.fields, far.fields, strict=True):
            own, wanted = schema.value_spec(one).kind, target.value_spec(other).kind
            check_kinds(where, one.label, own, f"{target.name}.{other.label}", wanted)
    return far


def _declared_inverse(target: Schema, source: Schema, name: str) -> str | None:
    wanted = f"{source.name}.{name}"
    return next((s.name for s in target.relation_specs.values() if s.kind == "reverse" and s.to == wanted), None)


def _resolve_reverse(schema: Schema, spec: RelationSpec) -> Relation:
    model, _, name = spec.target_name.partition(".")
    target = schema.registry.get(model, f"{schema.name}.{spec.name}")
    if name in target.generics:
        found: Relation = target.generics[name].reverse(schema, spec, target)
        return found
    forward = target.relation(name)
    if forward is None or forward.spec.kind == "reverse":
        keys = [*[n for n, s in target.relation_specs.items() if s.kind != "reverse"], *target.generics]
        raise FieldError(
            f"{schema.name}.{spec.name} reverses {spec.target_name!r}, which is no relation. "
            f"Choose from: {', '.join(f'{target.name}.{n}' for n in keys) or '(none declared)'}."
        )
    if target.steps.get(forward.near.fields[0].name):
        owner = forward.source.name
        raise FieldError(
            f"{schema.name}.{spec.name} reverses {spec.target_name!r}, which {target.name} has from {owner}. Reverse "
            f"'{owner}.{name}': its rows are given as {target.name} where they are such."
        )
    if forward.target.concrete is not schema.concrete:
        raise FieldError(f"{spec.target_name} refers to {forward.target.name}, not to {schema.name}.")
    if forward.through is not None:
        back, on = forward.through
        through = (_reversed(on, schema), _forward(back))
        near, far = forward.far, forward.near
        return Relation(spec.name, schema, target, near, far, True, True, spec, through=through, inverse=name)
    many = forward.spec.kind != "one_to_one"
    return Relation(spec.name, schema, target, forward.far, forward.near, many, True, spec, inverse=name)


def _reversed(key: Relation, source: Schema) -> Relation:
    """From the target of a foreign key to the rows that hold the key."""
    return Relation(f"{key.source.name}.{key.name}", source, key.source, key.far, key.near, True, True, key.spec)


def _forward(back: Relation) -> Relation:
    """The foreign key that `_reversed` turned round."""
    key = back.target.relation(back.spec.name)
    assert key is not None
    return key


def _resolve_many_to_many(schema: Schema, spec: RelationSpec, target: Schema, inverse: str | None) -> Relation:
    where = f"{schema.name}.{spec.name}"
    through = schema.registry.get(spec.through or "", where)
    names = spec.through_fields or (
        key_between(where, through.name, through.relation_specs, schema.name, 0, own=schema is target),
        key_between(where, through.name, through.relation_specs, target.name, -1, own=schema is target),
    )
    near, far = through.relation(names[0]), through.relation(names[1])
    if near is None or far is None or near is far or near.target.concrete is not schema or far.target is not target:
        raise FieldError(
            f"{where} goes through {through.name}, which needs a foreign key to {schema.name} and another one to "
            f"{target.name}. Name them with through_fields=(…, …)."
        )
    hops = (_reversed(near, schema), far)
    return Relation(spec.name, schema, target, near.far, far.far, True, True, spec, through=hops, inverse=inverse)
