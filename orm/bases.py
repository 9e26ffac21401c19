"""What a class body has from its bases: their order, the fields and relations they declare, and their `Meta`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from orm.exceptions import FieldError
from orm.fields import Field
from orm.generickeys import GenericRelated
from orm.keys import CompositeKey
from orm.relations import RelationField
from orm.schema import Instance

NOT_INHERITED: Final = frozenset({"abstract", "tablename", "comment", "renamed_from", "proxy", "polymorphic_identity"})
"""The options that say something about one model alone."""

PARTS: Final = frozenset({"constraints", "indexes"})
"""The options that are about one table."""


def method_resolution(name: str, bases: Sequence[type]) -> list[type]:
    """The bases and theirs in the order in which Python looks up attributes of the class that is about to be made.

    Python tells it of a class only, and making one runs `__init_subclass__`. Raises `FieldError` when there is none.
    """
    lines = [*[list(base.__mro__) for base in bases], list(bases)]
    found: list[type] = []
    while lines := [line for line in lines if line]:
        first = next((line[0] for line in lines if not any(line[0] in other[1:] for other in lines)), None)
        if first is None:
            raise FieldError(
                f"{name} cannot inherit from {', '.join([base.__name__ for base in bases])} in this order: one of them "
                "comes before another that inherits from it, or they disagree about the order of their own bases."
            )
        found.append(first)
        lines = [line[1:] if line[0] is first else line for line in lines]
    return found


def is_declared(value: object) -> bool:
    """Whether a value in a class body is a field, a relation or a key of several fields."""
    return isinstance(value, (Field, RelationField, CompositeKey, GenericRelated))


def own_declarations(name: str, order: Sequence[type], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """The fields and relations that a class body declares, and `None` for each inherited one that it takes away."""
    inherited = _collected([base.__dict__.get("__declared__", {}) for base in reversed(order)])
    found: dict[str, Any] = {}
    for key, value in namespace.items():
        if is_declared(value) or (value is None and key in inherited):
            found[key] = value
        elif key in inherited:
            raise FieldError(
                f"{name}.{key} is {value!r}, but {name} has a field of that name from a base, which would hide it. "
                f"Choose another name, or take the field away with {key} = None in an abstract base between them."
            )
    return found


def declarations(name: str, order: Sequence[type], own: Mapping[str, Any]) -> dict[str, Any]:
    """The fields and relations of a model by name: those of its bases, the farthest first, then its own.

    Of two bases that declare the same name, the one that Python asks first wins.
    """
    found = _collected([*[base.__dict__.get("__declared__", {}) for base in reversed(order)], own])
    for base in order:
        _check_plain(name, base, found)
    return found


def _collected(bodies: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What class bodies declare, a later one in the place of an earlier one; `None` takes a name away."""
    found: dict[str, Any] = {}
    for declared in bodies:
        for field, value in declared.items():
            if value is None:
                found.pop(field, None)
            else:
                found[field] = value
    return found


def _check_plain(name: str, base: type, found: Mapping[str, Any]) -> None:
    """Refuse a class that is no model and has slots, fields that would be none, or attributes that a field hides."""
    if issubclass(base, Instance):
        return
    if base.__dict__.get("__slots__"):
        raise FieldError(f"{name} inherits from {base.__name__}, which has __slots__. Mixins of models cannot.")
    for field, value in base.__dict__.items():
        if is_declared(value):
            raise FieldError(
                f"{name} inherits from {base.__name__}, which is no model, so its field {field!r} would be none of "
                f"{name}'s. Make it one: class {base.__name__}(orm.Model), with class Meta: abstract = True."
            )
        if field in found:
            raise FieldError(f"{name}.{field} is a field, and would hide {base.__name__}.{field}. Rename one of them.")


def inherited_options(order: Sequence[type], parent: type[Any] | None, own: Mapping[str, Any]) -> dict[str, Any]:
    """The options that the bases hand on one by one, those of the parent's table excepted, and a model's own.

    The own ones take the place of inherited ones.
    """
    given: dict[str, Any] = {}
    for base in reversed(order):
        left_out = NOT_INHERITED | PARTS if parent is not None and issubclass(parent, base) else NOT_INHERITED
        handed: Mapping[str, Any] = base.__dict__.get("__said__", {})
        _add_options(given, {option: value for option, value in handed.items() if option not in left_out})
    _add_options(given, own)
    return given


def _add_options(given: dict[str, Any], said: Mapping[str, Any]) -> None:
    """Add options to those of the bases. Default filters are handed on one by one: none is lost by another."""
    before, filters = given.get("default_filters", {}), said.get("default_filters", {})
    given.update(said)
    if isinstance(before, Mapping) and isinstance(filters, Mapping) and (before or filters):
        given["default_filters"] = {**before, **filters}


def own_options(order: Sequence[type], meta: Any) -> dict[str, Any]:
    """The options that a class body's own `Meta` says, those of its plain bases included."""
    if meta is None:
        return {}
    if not isinstance(meta, type):
        raise FieldError(f"Meta is a class, not {meta!r}.")
    others = [base.__dict__.get("Meta") for base in order]
    said: dict[str, Any] = {}
    parts: tuple[type, ...] = meta.__mro__[:-1]
    for part in reversed(parts):
        if part is meta or part not in others:
            left_out = frozenset[str]() if part is meta else NOT_INHERITED
            own: dict[str, Any] = {n: v for n, v in vars(part).items() if not n.startswith("__") and n not in left_out}
            _add_options(said, own)
    return said
