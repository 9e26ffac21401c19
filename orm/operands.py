"""What a lookup is compared with: values are checked, and instances stand for their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, cast

from orm import plaintext
from orm.conditions import Lookup, padded
from orm.exceptions import FieldError, ValidationError
from orm.expressions import Reference
from orm.generics import pair_of
from orm.hierarchy import descends
from orm.query import Node
from orm.schema import Instance, Schema
from orm.specs import FieldSpec, GenericKey
from orm.validation import Checker


def checked_items(lookup: Lookup, value: Any) -> list[Any]:
    """The checked items of a list."""
    return [lookup.check(item) for item in items_of(lookup, value)]


def items_of(lookup: Lookup, value: Any) -> list[Any]:
    """The items of a list without NULLs, instances as their keys. Raises `ValidationError` for what is no list."""
    return [key_of(lookup, item) for item in _iterated(lookup, value) if item is not None]


def _iterated(lookup: Lookup, value: Any) -> Iterable[Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise ValidationError.single(
            lookup.name, f"{lookup.name} takes a list, a set or another iterable, not {value!r}.", value
        )
    items: Iterable[Any] = cast("Any", value)
    return items


def listed(lookup: Lookup, value: Any) -> list[Any]:
    """The checked items of a list that is compared as one, the last repeated so that few lengths occur."""
    items = [lookup.check(key_of(lookup, item)) for item in _iterated(lookup, value)]
    return items + items[-1:] * (padded(len(items)) - len(items))


def check_text(lookup: Lookup, value: Any) -> str:
    """The operand of a text lookup. Raises `ValidationError` when it is no text that a database takes."""
    return plaintext.check_text(lookup.name, value)


def key_of(lookup: Lookup, value: Any) -> Any:
    """The key of an instance; any other value as it is."""
    if not isinstance(value, Instance):
        return value
    generic = generic_of(lookup.left)
    if generic is not None:
        return _pair(lookup, generic, value)
    schema = type(value).__schema__
    field = key_field(lookup.left, schema)
    if field is None:
        expected = " or ".join([target.name for target in key_targets(lookup.left)])
        wanted = f"an instance of {expected}" if expected else f"a value ({lookup.kind})"
        raise FieldError(f"{lookup.name} takes {wanted}, not one of {schema.name}.")
    key = getattr(value, field.name)
    if key is None:
        raise _without_key(lookup, value)
    return key


def _without_key(lookup: Lookup, value: Instance) -> ValidationError:
    message = f"{value!r} has no key yet. Save it before you use it in a filter."
    return ValidationError.single(lookup.name, message, value)


def generic_of(left: Node) -> GenericKey | None:
    """The generic foreign key that an expression is."""
    return left.owner.generics.get(left.spec.name) if isinstance(left, Reference) and left.spec.parts else None


def _pair(lookup: Lookup, generic: GenericKey, value: Instance) -> tuple[Any, Any]:
    """What is stored for an instance that a generic foreign key is compared with."""
    name, key = pair_of(cast("Reference", lookup.left).owner, generic, value)
    if key is None:
        raise _without_key(lookup, value)
    return name, key


def key_targets(left: Node) -> Mapping[Schema, FieldSpec]:
    """The models whose instances stand for a value of an expression, each with the field that has it."""
    found: dict[Schema, FieldSpec] = {}
    if isinstance(left, Reference):
        _add_targets(left.owner, left.spec, found, set())
    return found


def _add_targets(owner: Schema, spec: FieldSpec, found: dict[Schema, FieldSpec], seen: set[FieldSpec]) -> None:
    """Follow a field over the keys that it is, or is part of: one of them may be the key of another model."""
    seen.add(spec)
    if spec is owner.key:
        found.setdefault(owner, spec)
    for name in spec.relations:
        relation = owner.relation(name)
        if relation is None:
            continue
        if relation.near is spec:
            found.setdefault(relation.target, relation.far)
        for near, far in ((relation.near, relation.far), *relation.pairs):
            if near is spec and far not in seen:
                _add_targets(relation.target, far, found, seen)


def key_field(left: Node, schema: Schema) -> FieldSpec | None:
    """The field of a model that has what an expression is compared with: the key that it is, or refers to."""
    return next((field for target, field in key_targets(left).items() if descends(schema, target)), None)


def operand_check(lookup: Lookup) -> Checker:
    """What checks one operand, as `compare` does."""
    if lookup.operator.operand == "text":
        return partial(check_text, lookup)
    if not key_targets(lookup.left) and generic_of(lookup.left) is None:
        return lookup.check
    return lambda value: lookup.check(key_of(lookup, value))
