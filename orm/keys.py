"""Keys of several fields: what a class body says, the field that stands for all of them, its value on an instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa
from pydantic_core import core_schema

from orm.exceptions import FieldError, ValidationError
from orm.specs import FieldSpec, RelationSpec

KIND: Final = "composite"
"""The kind of a field that has parts."""

_NO_KEY_KINDS: Final = frozenset({"json", "array", "range", "binary"})


class CompositeKey:
    """A primary key of several fields, as the class body says it.

    Attributes:
        names: the names of the fields.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def parts(self, model: str, columns: Mapping[str, FieldSpec]) -> list[FieldSpec]:
        """The fields of it. Raises `FieldError` for what cannot be one."""
        parts = named_fields(f"{model}.pk", self.names, columns)
        single = [spec.label for spec in columns.values() if spec.primary_key]
        if single:
            raise FieldError(f"{model} has two primary keys: pk, and {single[0]} with primary_key=True. Leave one out.")
        for spec in parts:
            if spec.null:
                raise FieldError(f"{model}.{spec.label} is part of the primary key and cannot be null. Leave null out.")
            if spec.generated or spec.version or spec.computed is not None:
                raise FieldError(f"{model}.{spec.label} is not set by its users, so it cannot be part of their key.")
            if spec.kind in _NO_KEY_KINDS:
                raise FieldError(f"{model}.{spec.label} ({spec.kind}) cannot be part of a primary key.")
        return parts


def CompositePrimaryKey(*names: str) -> Any:
    """A primary key of several fields: `pk = CompositePrimaryKey("origin", "hour")`.

    `instance.pk` is the tuple of their values.

    Args:
        names: the names of fields or foreign keys of the model, at least two, none of them null.

    Raises:
        FieldError: there are fewer than two names, or one of them twice.
    """
    if len(names) < 2 or len(set(names)) < len(names) or not all(isinstance(name, str) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FieldError(
            f"CompositePrimaryKey takes the names of two or more fields, each once, not {names!r}. "
            "A key of one field has primary_key=True."
        )
    return CompositeKey(names)


def named_fields(where: str, names: Sequence[str], columns: Mapping[str, FieldSpec]) -> list[FieldSpec]:
    """The fields of these names, a foreign key's name standing for its column. Raises `FieldError`."""
    by_label = {spec.label: spec for spec in columns.values()}
    found: list[FieldSpec] = []
    for name in names:
        spec = columns.get(name) or by_label.get(name)
        if spec is None:
            raise FieldError(f"{where} names {name!r}, and there is no such field. Choose from: {', '.join(by_label)}.")
        found.append(spec)
    return found


def composite(
    name: str, parts: Sequence[FieldSpec], *, primary_key: bool = False, relation: str | None = None
) -> FieldSpec:
    """The field that stands for several ones, whose value is a tuple; `None` where one of them is."""
    return FieldSpec(
        name=name,
        column="",  # it has none of its own
        type=sa.types.NULLTYPE,
        kind=KIND,
        core=core_schema.any_schema(),  # see `Schema.value_spec`
        operand=core_schema.any_schema(),
        null=any(part.null for part in parts),
        primary_key=primary_key,
        in_key=primary_key,
        relation=relation,
        parts=tuple(parts),
    )


def with_values(spec: FieldSpec, parts: Sequence[FieldSpec]) -> FieldSpec:
    """Such a field as one that says what its values are: tuples of those that its parts have."""
    return replace(
        spec,
        core=core_schema.tuple_schema([part.core for part in parts]),
        operand=core_schema.tuple_schema([part.operand for part in parts]),
    )


def attribute_of(spec: FieldSpec) -> property:
    """What a row class has under the name of such a field: reads and writes the attributes of its parts."""
    names = [part.name for part in spec.parts]
    values = attrgetter(*names)

    def read(instance: Any) -> Any:
        found = values(instance)
        return None if None in found else found

    def write(instance: Any, value: Any) -> None:
        for name, part in spread(spec, value).items():
            object.__setattr__(instance, name, part)

    return property(read, write, doc=f"The values of {', '.join(names)}.")


def spread(spec: FieldSpec, value: Any) -> dict[str, Any]:
    """A value of a field by the names of the fields that have columns.

    `None` leaves the parts that cannot be null as they are. Raises `ValidationError` for a value of another form.
    """
    if not spec.parts:
        return {spec.name: value}
    if value is None:
        return {part.name: None for part in spec.parts if part.null or not spec.null}
    names = [part.label for part in spec.parts]
    if not isinstance(value, (tuple, list)) or len(value) != len(names):  # pyright: ignore[reportUnknownArgumentType]
        message = f"{spec.label} takes a tuple of {len(names)} values ({', '.join(names)}), not {value!r}."
        raise ValidationError.single(spec.label, message, value)
    return {part.name: one for part, one in zip(spec.parts, value, strict=True)}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


# ---------------------------------------------------------------- what a foreign key refers to


def check_unique(where: str, target: str, parts: Sequence[FieldSpec], unique: Sequence[Sequence[FieldSpec]]) -> None:
    """Raise `FieldError` when fields that a key refers to are those of no unique constraint."""
    if not any(set(parts) == set(fields) for fields in unique):
        raise FieldError(
            f"{where} refers to {target}.{_labels(parts)}, which several rows can have alike. Make it unique there, or "
            f"choose from: {'; '.join(map(_labels, unique))}."
        )


def check_width(where: str, near: FieldSpec, target: str, far: FieldSpec) -> None:
    """Raise `FieldError` for a key that has more or fewer fields than it refers to."""
    own, wanted = len(near.fields), len(far.fields)
    if own != wanted:
        raise FieldError(
            f"{where} has {own} field{'s' if own > 1 else ''}, and the key of {target} has {wanted}: "
            f"{_labels(far.fields)}. Declare as many fields and name them: from_fields=(…). A many-to-many relation "
            "needs them in a model between of your own: through=…."
        )


def check_kinds(where: str, field: str, kind: str, target: str, wanted: str) -> None:
    """Raise `FieldError` for a field whose values are of another kind than those it refers to."""
    if kind != wanted:
        raise FieldError(f"{where}: {field} ({kind}) cannot refer to {target} ({wanted}).")


def key_between(
    where: str, through: str, relations: Mapping[str, RelationSpec], target: str, position: int, *, own: bool
) -> str:
    """The name of the foreign key of a model between to one side of a many-to-many relation.

    Args:
        where: the relation, for messages.
        through: the name of the model between.
        relations: its relations.
        target: the name of the model on that side.
        position: which of two keys it is where both sides are the same model.
        own: whether they are.

    Raises:
        FieldError: there is no such key, or nobody said which of several is meant.
    """
    kinds = ("foreign_key", "one_to_one")
    keys = [name for name, spec in relations.items() if spec.kind in kinds and spec.target_name == target]
    wanted = 2 if own else 1
    if len(keys) < wanted:
        number = "two foreign keys" if own else "a foreign key"
        raise FieldError(f"{where} goes through {through}, which needs {number} to {target}.")
    if len(keys) > wanted:
        raise FieldError(
            f"{where} goes through {through}, which has several foreign keys to {target}: {', '.join(keys)}. "
            "Say which is meant: through_fields=(to this model, to the other)."
        )
    return keys[position]


def _labels(fields: Sequence[FieldSpec]) -> str:
    return ", ".join([field.label for field in fields])
