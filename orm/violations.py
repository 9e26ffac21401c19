"""Violated constraints in the terms of the models: which constraint, which model, which fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final, Protocol, cast

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from orm.exceptions import (
    ExclusionViolation,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    UniqueViolation,
)
from orm.specs import FieldSpec

MESSAGE: Final = "violation_message"
"""Where a constraint of SQLAlchemy's keeps what users are told, in its `info`."""

STEP: Final = "step"
"""What marks a key between the tables of one row, in its `info`: rows are there in all of them, or in none."""

_HOLDING: Final = (None, "NO ACTION", "RESTRICT")
"""The rules under which a row that is referred to stays."""

_Rule = sa.Constraint | sa.Index


class Owner(Protocol):
    """What is asked of a model here; a `Schema` has it."""

    @property
    def name(self) -> str:
        """The name of the model."""
        ...

    @property
    def tablename(self) -> str:
        """The name of its table."""
        ...

    @property
    def fields(self) -> Mapping[str, FieldSpec]:
        """Its columns."""
        ...

    @cached_property
    def table(self) -> sa.Table:
        """Its table."""
        ...


def explain(error: IntegrityError, owner: Owner, others: Iterable[Owner], operation: str | None = None) -> None:
    """Say which constraint, model and fields are meant, as far as the server told and the models know.

    Args:
        error: what the server answered; it gets the names.
        owner: the model whose rows were written.
        others: all models that may have the table that the server names, or refer to the owner's.
        operation: what was done, `insert`, `update` or `delete`.
    """
    if error.table not in (None, owner.tablename):
        owner = next((other for other in others if other.tablename == error.table), owner)
    rule = _rule(owner.table, error)
    if rule is None and isinstance(error, ForeignKeyViolation) and error.constraint is None and operation is not None:
        candidates = _candidates(owner, others, operation)
        if len(candidates) == 1:
            ((owner, rule),) = candidates
        elif candidates:
            _set(error, owner, ())
            meant = ", ".join([f"{model.name}.{', '.join(_labels(model, key))}" for model, key in candidates])
            error.args = (f"{owner.name}: {error.args[0]}; the server does not say which key, one of: {meant}",)
            return
    if rule is not None:
        error.constraint = error.constraint or str(rule.name)
        error.violation_message = rule.info.get(MESSAGE)
    _set(error, owner, _fields(error, owner, rule))
    if error.fields or isinstance(error, NotNullViolation):
        error.args = (f"{owner.name}.{', '.join(error.fields)}: {error.args[0]}", *error.args[1:])


def _set(error: IntegrityError, owner: Owner, fields: tuple[str, ...]) -> None:
    error.model = owner.name
    error.fields = fields


def _fields(error: IntegrityError, owner: Owner, rule: _Rule | None) -> tuple[str, ...]:
    # No server tells the expressions, and some tell a part of the columns.
    if rule is not None and (not error.columns or isinstance(error, (UniqueViolation, ExclusionViolation))):
        found = _labels(owner, rule)
        if found:
            return found
    return _called(owner, error.columns)


def _labels(owner: Owner, rule: _Rule) -> tuple[str, ...]:
    """What the fields of a constraint or an index are called."""
    return _called(owner, _columns(rule))


def _called(owner: Owner, columns: Iterable[str]) -> tuple[str, ...]:
    """What the fields of columns are called, each of them once."""
    by_column = {spec.column: spec.label for spec in owner.fields.values()}
    return tuple(dict.fromkeys([by_column[name] for name in columns if name in by_column]))


def _columns(rule: _Rule) -> list[str]:
    """The names of the columns, those inside expressions too, each of them once."""
    if isinstance(rule, sa.Index):
        parts = [part for term in rule.expressions for part in visitors.iterate(cast("Any", term))]
        return list(dict.fromkeys([part.name for part in parts if isinstance(part, sa.Column)]))
    return [column.name for column in cast("Any", rule).columns]


def _rule(table: sa.Table, error: IntegrityError) -> _Rule | None:
    """The constraint or unique index that is meant: by its name, or as the only one over the columns."""
    rules: list[_Rule] = [*table.indexes, *table.constraints]
    if error.constraint is not None:
        if error.constraint == "PRIMARY":  # what MySQL calls every primary key
            return table.primary_key
        return next((rule for rule in rules if rule.name == error.constraint), None)
    if not isinstance(error, UniqueViolation) or not error.columns:
        return None
    found = [rule for rule in rules if _is_unique(rule) and _columns(rule) == list(error.columns)]
    return found[0] if len(found) == 1 else None


def _is_unique(rule: _Rule) -> bool:
    return isinstance(rule, (sa.UniqueConstraint, sa.PrimaryKeyConstraint)) or (
        isinstance(rule, sa.Index) and bool(rule.unique)
    )


def _candidates(owner: Owner, others: Iterable[Owner], operation: str) -> list[tuple[Owner, _Rule]]:
    """The foreign keys that a statement can have violated: its own, or for a deletion those that refer to the rows."""
    if operation != "delete":
        return [(owner, key) for key in _keys(owner) if not key.info.get(STEP)]
    found: dict[int, tuple[Owner, sa.ForeignKeyConstraint]] = {}
    for other in others:  # of those that share a table, the one that has the fields
        for key in _keys(other):
            if key.referred_table is owner.table and _labels(other, key):
                found.setdefault(id(key), (other, key))
    keys = list(found.values())
    if any(key.ondelete == "CASCADE" for _, key in keys):  # a row that would go with it may be referred to as well
        return []
    return [(other, key) for other, key in keys if key.ondelete in _HOLDING]


def _keys(owner: Owner) -> list[sa.ForeignKeyConstraint]:
    return sorted(owner.table.foreign_key_constraints, key=lambda key: str(key.name))
