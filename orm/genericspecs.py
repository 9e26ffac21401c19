"""A generic foreign key as it was declared: what it is a relation to, and the column for the keys of several models."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import sqlalchemy as sa

from orm.exceptions import FieldError
from orm.hierarchy import descends
from orm.schema import Relation, Schema
from orm.specs import FieldSpec, RelationSpec


@dataclass(frozen=True, eq=False, slots=True)
class GenericSpec:
    """A foreign key to a row of one of several models.

    Attributes:
        targets: the names of the models by what rows have for them.
        pair: the field of two, which say whose row it is, and the row's key.
    """

    name: str
    targets: Mapping[str, str]
    pair: FieldSpec

    @property
    def kind(self) -> FieldSpec:
        """The field that says which model's row it is."""
        return self.pair.parts[0]

    @property
    def key(self) -> FieldSpec:
        """The field with the row's key."""
        return self.pair.parts[1]

    def relations(self, schema: Schema) -> Mapping[str, Relation]:
        """The relation to each model, by what rows have for it. Raises `FieldError` for one that is missing."""
        where = f"{schema.name}.{self.name}"
        found: dict[str, Relation] | None = schema.derived.get(where)
        if found is not None:
            return found
        parent = schema.parent
        if parent is not None and self.name in parent.generics:
            return parent.generics[self.name].relations(parent)
        found = {}
        for name, model in self.targets.items():
            target = schema.registry.get(model, where)
            spec = RelationSpec(self.name, "foreign_key", model, self.key.name, True)
            found[name] = Relation(self.name, schema, target, self.key, target.key, False, True, spec)
        schema.derived[where] = found
        return found

    def key_values(self, schema: Schema) -> FieldSpec:
        """The field that says what the keys are. Raises `FieldError` where they are of different kinds."""
        name = f"keys of {self.name}"
        found = schema.derived.get(name)
        if found is None:
            targets = [relation.target for relation in self.relations(schema).values()]
            check_rows_have_one_name(f"{schema.name}.{self.name}", targets)
            keys = {target.name: target.value_spec(target.key) for target in targets}
            found = schema.derived[name] = common_key(f"{schema.name}.{self.name}", keys)
        return cast("FieldSpec", found)

    def reverse(self, schema: Schema, spec: RelationSpec, target: Schema) -> Relation:
        """The relation from a model to the rows that refer to its rows. Raises `FieldError` where none may."""
        if target.steps.get(self.key.name):
            raise FieldError(
                f"{schema.name}.{spec.name} reverses {spec.target_name!r}, which {target.name} has from a parent. "
                f"Reverse the parent's: its rows are given as {target.name} where they are such."
            )
        relations = self.relations(target).items()
        same = [(self.kind, name) for name, relation in relations if relation.target.concrete is schema.concrete]
        if not same:
            raise FieldError(f"{spec.target_name} refers to {', '.join(self.targets.values())}, not to {schema.name}.")
        return Relation(
            spec.name, schema, target, schema.key, self.key, True, True, spec, inverse=self.name, fixed=same[0]
        )


def check_rows_have_one_name(where: str, targets: Sequence[Schema]) -> None:
    """Raise `FieldError` when a row could be stored under the names of two of these models.

    What is stored for a row is a name and a key, and both are compared: a row with two names would not be found under
    the other one.
    """
    for first, second in itertools.permutations(targets, 2):
        if first.concrete is second.concrete:
            raise FieldError(
                f"{where} refers to {first.name} and to {second.name}, which have the same rows, so that a row would "
                "have two names. Leave one of them out."
            )
        if descends(first, second):
            raise FieldError(
                f"{where} refers to {first.name} and to {second.name}, from which {first.name} inherits, so that a row "
                f"would have two names. Leave {first.name} out: {second.name} stands for its rows, too."
            )


def common_key(where: str, keys: Mapping[str, FieldSpec]) -> FieldSpec:
    """The field that can have the keys of all these models: the widest. Raises `FieldError` when there is none.

    Args:
        where: the generic foreign key, for the message.
        keys: the key of each model, by the model's name.
    """
    for name, spec in keys.items():
        if spec.parts:
            raise FieldError(
                f"{where} has one column for a key, and {name} has a key of several fields. Leave {name} out, and use "
                "a ForeignKey for it."
            )
    kinds = {spec.kind for spec in keys.values()}
    if len(kinds) > 1:
        listed = ", ".join([f"{name} ({spec.kind})" for name, spec in keys.items()])
        raise FieldError(
            f"{where} has one column for the keys of all its models, and they are of different kinds: {listed}. "
            "Choose models with keys of one kind, or use a ForeignKey for each."
        )
    return max(keys.values(), key=_width)


def _width(spec: FieldSpec) -> float:
    """How many values a key may have, to be compared with others of its kind."""
    if spec.kind == "integer":
        return 3 if isinstance(spec.type, sa.BigInteger) else 1 if isinstance(spec.type, sa.SmallInteger) else 2
    longest = spec.limits.get("max_length")
    return float("inf") if longest is None else float(longest)
