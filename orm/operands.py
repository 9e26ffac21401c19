"""What a lookup is compared with: values are checked, and instances stand for their keys."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, cast

from orm import plaintext
from orm.conditions import Lookup, padded
from orm.exceptions import FieldError, ValidationError
from orm.expressions import Reference
from orm.hierarchy import descends
from orm.query import Node
from orm.schema import Instance, Schema
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
    expected = key_target(lookup.left)
    schema = type(value).__schema__
    if expected is None or not descends(schema, expected):
        wanted = f"an instance of {expected.name}" if expected else f"a value ({lookup.kind})"
        raise FieldError(f"{lookup.name} takes {wanted}, not one of {schema.name}.")
    key = getattr(value, schema.key.name)
    if key is None:
        raise ValidationError.single(
            lookup.name, f"{value!r} has no key yet. Save it before you use it in a filter.", value
        )
    return key


def key_target(left: Node) -> Schema | None:
    """The model whose key an expression is."""
    if not isinstance(left, Reference):
        return None
    spec = left.spec
    if spec.relation is not None:
        relation = left.owner.relation(spec.relation)
        return relation.target if relation else None
    return left.owner if spec is left.owner.key else None


def operand_check(lookup: Lookup) -> Checker:
    """What checks one operand, as `compare` does."""
    if lookup.operator.operand == "text":
        return partial(check_text, lookup)
    if key_target(lookup.left) is None:
        return lookup.check
    return lambda value: lookup.check(key_of(lookup, value))
