"""What a column of a model is, as the layers see it: `FieldSpec`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal, Protocol, runtime_checkable

import sqlalchemy as sa
from pydantic_core import CoreSchema
from sqlalchemy.types import TypeEngine

from orm.clocks import Clock

CACHE_SIZE: Final = 4096
"""How many entries a cache keyed by names or shapes holds before its oldest make room."""


class Missing:
    """The type of `MISSING`: no value was given."""

    def __repr__(self) -> str:
        return "MISSING"

    def __bool__(self) -> Literal[False]:
        return False


MISSING: Final = Missing()


class BoundedCache(dict[Any, Any]):
    """A dictionary that forgets its oldest entry when it is full; looking up costs what it costs in a `dict`."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= CACHE_SIZE:
            del self[next(iter(self))]
        super().__setitem__(key, value)


EVERY_FILTER: Final = "*"
"""Stands for all names in a set of default filters that are lifted."""


@dataclass(frozen=True, eq=False, slots=True)
class Implied:
    """The conditions that every row of a schema meets wherever it is read, though nobody asked for them.

    They hold wherever the schema's table comes into a query: as its root, over relations of any kind, in subqueries.
    A row that does not meet them counts as missing.

    Attributes:
        filters: the default filters by their names: a condition, or a function that gives one for each query.
            `unfiltered()` lifts them.
        always: a condition about the row's own columns that nothing lifts, or `None`: what tells the rows of one model
            from those of others in the same table, as `Q(kind__in=["dog", "puppy"])`. Its values are part of the SQL
            of each plan, so it costs nothing when a query is run.
    """

    filters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    always: Any = None

    def holding(self, lifted: Collection[str]) -> tuple[str, ...]:
        """The names of the default filters that are not lifted."""
        return () if EVERY_FILTER in lifted else tuple([name for name in self.filters if name not in lifted])


class Computation(Protocol):
    """What the database computes a column of, in the terms of its schema."""

    @property
    def expression(self) -> Any:
        """What it is computed of: in our words, or SQL of SQLAlchemy's."""
        ...

    def check(self, schema: Any, spec: FieldSpec) -> None:
        """Raise `FieldError` for what a schema does not have."""
        ...

    def column(self, schema: Any, spec: FieldSpec) -> sa.Computed:
        """What the column of a field is, in the table of a schema."""
        ...


@dataclass(frozen=True, eq=False, repr=False)
class FieldSpec:
    """A column of a model.

    Attributes:
        name: the attribute of an instance that holds its value; for a foreign key `artist_id`.
        column: the name of the column in the database.
        type: SQLAlchemy's type.
        kind: which lookups it has: `text`, `integer`, `datetime`, `json`, …
        core: pydantic's core schema of a value that is written, without NULL.
        operand: pydantic's core schema of a value that is compared with the column.
        generated: the database makes the value (a serial key).
        renamed_from: the previous name of the column, for migrations.
        relation: the name of the relation whose key it is.
        parts: the fields that a key of several fields consists of; empty for a field with a column of its own.
        in_key: it is the primary key, or a part of it.
        part_of: the names of the relations whose keys of several fields it is a part of.
        clock: what fills in the value, where no other is set.
        computed: what the database computes the value of, which nobody writes.
        limits: what the user asked for: `max_length`, `ge`, …
    """

    name: str
    column: str
    type: TypeEngine[Any]
    kind: str
    core: CoreSchema
    operand: CoreSchema
    null: bool = False
    primary_key: bool = False
    unique: bool = False
    index: bool = False
    default: Any = MISSING
    server_default: Any = None
    generated: bool = False
    mutable: bool = False
    version: bool = False
    comment: str | None = None
    renamed_from: str | None = None
    relation: str | None = None
    parts: tuple[FieldSpec, ...] = ()
    in_key: bool = False
    part_of: tuple[str, ...] = ()
    clock: Clock | None = None
    computed: Computation | None = None
    limits: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @cached_property
    def fixed(self) -> bool:
        """Whether not everybody may set it: a part of a key does not change, and what is computed is never set."""
        return self.in_key or self.computed is not None

    @property
    def required(self) -> bool:
        """Whether a row cannot be inserted without a value for it."""
        given = self.default is not MISSING or self.server_default is not None or self.clock is not None
        return not (self.null or self.generated or given)

    @property
    def fields(self) -> tuple[FieldSpec, ...]:
        """The fields that have its columns: itself, or its parts."""
        return self.parts or (self,)

    @cached_property
    def relations(self) -> tuple[str, ...]:
        """The names of the relations whose key it is, or a part of."""
        return self.part_of if self.relation is None else (self.relation, *self.part_of)

    @property
    def label(self) -> str:
        """What the user calls it: the relation's name for a key."""
        return self.relation or self.name

    def __repr__(self) -> str:
        return f"<FieldSpec {self.name}: {self.kind}>"


class GenericKey(Protocol):
    """A foreign key to rows of several models, in the terms of its schema: `orm.genericspecs` has it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def targets(self) -> Mapping[str, str]:
        """The names of the models by what rows have for them."""
        ...

    @property
    def pair(self) -> FieldSpec:
        """The field of two: `kind` and `key`."""
        ...

    @property
    def kind(self) -> FieldSpec:
        """The field that says which model's row it is."""
        ...

    @property
    def key(self) -> FieldSpec:
        """The field with the row's key."""
        ...

    def relations(self, schema: Any) -> Mapping[str, Any]:
        """The relation to each model, by what rows have for it. Raises `FieldError` for one that is missing."""
        ...

    def key_values(self, schema: Any) -> FieldSpec:
        """The field that says what the keys are. Raises `FieldError` where they are of different kinds."""
        ...

    def reverse(self, schema: Any, spec: RelationSpec, target: Any) -> Any:
        """The relation from a model to the rows that refer to its rows. Raises `FieldError` where none may."""
        ...


@runtime_checkable
class Named(Protocol):
    """What has a name: the schema that a relation refers to."""

    name: str


@dataclass(frozen=True, slots=True)
class RelationSpec:
    """A relation as it was declared; `Schema.relation` resolves it on first use.

    Attributes:
        kind: what was declared; `parent` and `child` for the steps between the tables of joined inheritance.
        to: the target's name or schema; for a reverse relation `Model.field`.
        attribute: the attribute that holds the key, for a foreign key.
        through: the name of the model between, for many-to-many.
        through_fields: the names of its keys to this model and to the target.
        on_update: what the database does when the key that it refers to changes.
        deferrable: when the database checks it, if not at once: at the end of the transaction unless told otherwise
            (`deferred`), or at once unless told otherwise (`immediate`).
        constraint: the database checks it.
        from_fields: the names of the fields that hold the key, where it has no column of its own.
        to_fields: the names of the fields that it refers to; empty for the target's key.
        index: its fields of several have an index.
        symmetrical: who is related to a row has that row among its own related ones, too.
    """

    name: str
    kind: Literal["foreign_key", "one_to_one", "many_to_many", "reverse", "parent", "child"]
    to: str | Named
    attribute: str | None = None
    null: bool = False
    on_delete: str = "NO ACTION"
    related_name: str | None = None
    through: str | Named | None = None
    through_fields: tuple[str, str] | None = None
    on_update: str | None = None
    deferrable: Literal["deferred", "immediate"] | None = None
    constraint: bool = True
    from_fields: tuple[str, ...] = ()
    to_fields: tuple[str, ...] = ()
    index: bool = True
    symmetrical: bool = False

    @property
    def target_name(self) -> str:
        """The target's name as the user wrote it."""
        return self.to if isinstance(self.to, str) else self.to.name

    @property
    def through_name(self) -> str:
        """The name of the model between."""
        return self.through.name if isinstance(self.through, Named) else self.through or ""
