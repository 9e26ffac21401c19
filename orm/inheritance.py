"""A model whose base has a table: how it inherits, what it may declare, and what tells the class of a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from pydantic_core import core_schema

from orm.conditions import Q
from orm.exceptions import FieldError, ValidationError
from orm.hierarchy import family, heirs
from orm.implied import imply
from orm.plaintext import snake_case
from orm.schema import Options, Schema
from orm.specs import MISSING, FieldSpec
from orm.validation import operand_checker

KINDS: Final = ("joined", "single")
"""How models inherit from one with a table: `joined` have a table of their own, `single` share the parent's."""

_OF_ONE_TABLE: Final = ("tablename", "comment", "renamed_from")
_OF_TABLES: Final = (*_OF_ONE_TABLE, "constraints", "indexes", "polymorphic_identity")


def parent_of(name: str, order: Sequence[type]) -> type[Any] | None:
    """The model with a table that a model inherits from. Raises `FieldError` for two that have nothing in common."""
    concrete: list[type[Any]] = [base for base in order if "__schema__" in base.__dict__]
    for other in concrete[1:]:
        if not issubclass(concrete[0], other):
            raise FieldError(
                f"{name} inherits from {concrete[0].__name__} and {other.__name__}, which both have a table, and a row "
                "has one parent. Inherit from one of them, and refer to the other: other = orm.OneToOne(…)."
            )
    return concrete[0] if concrete else None


def kind_of_heir(name: str, options: Options, said: Mapping[str, Any], parent: Schema | None) -> str | None:
    """How a model inherits: `proxy`, `single` or `joined`; `None` without a parent. Raises `FieldError`."""
    if options.inheritance not in KINDS:
        choices = " and ".join(map(repr, KINDS))
        raise FieldError(f"{name}.Meta.inheritance is one of {choices}, not {options.inheritance!r}.")
    if parent is None:
        if options.proxy:
            raise FieldError(f"{name} is a proxy of nothing: it inherits from no model that has a table.")
        return None
    if options.registry is not parent.registry:
        raise FieldError(f"{name} and {parent.name}, which it inherits from, are in two registries. Use the parent's.")
    kind = "proxy" if options.proxy else options.inheritance
    if kind == "single" and parent.root.discriminator is None:
        raise FieldError(
            f"{name} would be in the table of {parent.name}, where nothing tells its rows from the others. Name a "
            f"field that does in {parent.root.name}.Meta: polymorphic_on = 'kind'."
        )
    if kind == "single" and options.polymorphic_on not in parent.columns:
        raise FieldError(
            f"{name} would be in the table {parent.tablename!r}, and {options.polymorphic_on!r}, which tells its rows, "
            f"is in {parent.root.tablename!r}. Give it a table of its own: inheritance = 'joined'."
        )
    for option in _OF_TABLES if kind == "proxy" else _OF_ONE_TABLE if kind == "single" else ():
        if said.get(option) not in (None, [], ()):
            what = "is a proxy" if kind == "proxy" else "has single inheritance"
            raise FieldError(f"{name} {what} and so has no table of its own: it cannot have Meta.{option}.")
    return kind


def check_own(name: str, kind: str, parent: Schema, fields: Mapping[str, FieldSpec], relations: Iterable[str]) -> None:
    """Refuse what a model that inherits from one with a table cannot declare."""
    names = [*relations, *[spec.label for spec in fields.values()]]
    if kind == "proxy" and names:
        raise FieldError(
            f"{name} is a proxy of {parent.name} and has its fields only, not {names[0]!r}. Declare it there, or leave "
            f"proxy out: {name} gets a table of its own then."
        )
    for field in [*fields, *relations]:
        if field in parent.fields or field in parent.relation_specs:
            raise FieldError(f"{name}.{field} is a field of {parent.name} already, which {name} has, too. Rename it.")
    for spec in fields.values():
        if spec.in_key:
            raise FieldError(f"{name}.{spec.label} cannot be the key: {name} has that of {parent.name}.")
        if spec.version and parent.version is not None:
            raise FieldError(f"{name}.{spec.label} would be a second version: {parent.name} has one already.")
        if kind == "single":
            _check_guest(name, spec, parent)


def check_hiding(schema: Schema, namespace: Mapping[str, Any]) -> None:
    """Refuse attributes in a class body that would hide a field of the parent's."""
    parent = schema.parent
    if parent is None:
        return
    for name in namespace:
        if name in parent.fields or name in parent.relation_specs:
            raise FieldError(f"{schema.name}.{name} would hide a field that it has from {parent.name}. Rename it.")


def _check_guest(name: str, spec: FieldSpec, parent: Schema) -> None:
    """Refuse a column that the other rows of a shared table cannot have, or that is there already."""
    host = parent.host
    if not spec.null and spec.server_default is None:
        raise FieldError(
            f"{name}.{spec.label} is a column of the table {host.tablename!r}, whose other rows have no value for it. "
            "Make it null=True, or give it a default of the server."
        )
    for member in (host, *host.guests):
        for other in member.columns.values():
            if spec.name == other.name or spec.column == other.column:
                raise FieldError(
                    f"{name}.{spec.label} and {member.name}.{other.label} would be one column of the table "
                    f"{host.tablename!r}. Rename one of them, or declare it in a model that both inherit from."
                )


# ---------------------------------------------------------------- which class a row is of


@dataclass(frozen=True)
class Discriminator:
    """What tells the rows of a model from those of others in its family.

    Attributes:
        field: the field as it was declared.
        own: the same in the rows of this model, where it has one value.
        identity: this value; `None` for a model without rows of its own.
    """

    field: FieldSpec
    own: FieldSpec
    identity: Any


def discriminator_of(
    name: str, options: Options, parent: Schema | None, kind: str | None, fields: Mapping[str, FieldSpec]
) -> Discriminator | None:
    """What tells the class of a row, or `None` where nothing does. Raises `FieldError`."""
    root = parent.root if parent is not None else None
    on = options.polymorphic_on
    if root is not None and on != root.options.polymorphic_on:
        raise FieldError(f"{name}.Meta.polymorphic_on belongs to {root.name}, the first of its parents.")
    if on is None:
        if options.polymorphic_identity is not MISSING:
            raise FieldError(
                f"{name}.Meta.polymorphic_identity says what a field has in the rows of {name}. Name that field in "
                f"{name if root is None else root.name}.Meta: polymorphic_on = 'kind'."
            )
        return None
    if root is None or root.discriminator is None:
        field, family = _checked_discriminator(name, on, fields.get(on)), list[Schema]()
    else:
        field, family = root.discriminator, [root, *heirs(root)]
    if kind == "proxy" and parent is not None:
        return Discriminator(field, parent.fields[on], parent.identity)
    identity = _identity(name, options, field)
    if root is None and identity is not None and field.default not in (MISSING, identity):
        raise FieldError(
            f"{name}.{on} tells the class of a row: its default is {field.default!r}, and it is {identity!r} in the "
            f"rows of {name}. Leave the default out, or say the same."
        )
    for member in family:
        if identity is not None and member.identity == identity:
            raise FieldError(
                f"{name} and {member.name} have the same polymorphic_identity, {identity!r}. Give another one."
            )
    return Discriminator(field, _fixed(name, field, identity), identity)


def _checked_discriminator(name: str, on: str, field: FieldSpec | None) -> FieldSpec:
    if field is None or field.kind not in ("text", "integer", "enum") or field.relation is not None or field.in_key:
        raise FieldError(
            f"{name}.Meta.polymorphic_on names a field that tells the class of a row, a text, a whole number or an "
            f"Enum, not {on!r}."
        )
    if field.null or field.server_default is not None or callable(field.default):
        raise FieldError(
            f"{name}.{on} tells the class of a row: it cannot be null, and its default is a value: the one that it has "
            f"in the rows of {name}."
        )
    return field


def _identity(name: str, options: Options, field: FieldSpec) -> Any:
    """What the field has in the rows of a model; `None` for a model without rows of its own."""
    identity = options.polymorphic_identity
    if identity is None:
        return None
    if identity is MISSING:
        if field.kind != "text":
            raise FieldError(f"{name}.Meta needs a polymorphic_identity: the value of {field.name!r} in its rows.")
        identity = snake_case(name)
    try:
        return operand_checker(f"{name}.Meta.polymorphic_identity", field, field.kind, bounded=True)(identity)
    except ValidationError as error:
        raise FieldError(str(error)) from None


def _fixed(name: str, field: FieldSpec, identity: Any) -> FieldSpec:
    """The field in the rows of one model: one value, which nobody need give, and no other."""

    if identity is None:
        refuse = core_schema.no_info_before_validator_function(partial(_refuse_row, name), field.core)
        return replace(field, core=refuse, default=None)

    def check(value: Any) -> Any:
        if value != identity:
            raise ValueError(f"it is {identity!r} in the rows of {name}, and a row cannot change its class")
        return value

    return replace(field, core=core_schema.no_info_after_validator_function(check, field.core), default=identity)


def _refuse_row(name: str, value: Any) -> Any:
    raise ValueError(f"{name} has no rows of its own: create one of a model that inherits from it")


def tell_apart(schema: Schema) -> None:
    """Let queries of models that share a table, a new one among them, read the rows of their own classes only."""
    if schema.discriminator is None:
        return
    name = schema.discriminator.name
    for member in family(schema):
        model = member.concrete
        if model.host is not model:
            identities = [found.identity for found in (model, *heirs(model)) if found.identity is not None]
            imply(member, Q(**{name: identities[0]}) if len(identities) == 1 else Q(**{f"{name}__in": identities}))
