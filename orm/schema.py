"""What a model is, without the class: `Schema` and its `Relation`s.

Everything below `models.py` works with these. They are immutable once the model is declared, but for what is found
on first use: relations to models that are declared later, the table, and caches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from orm.database import Database
from orm.exceptions import DoesNotExist, FieldError, InterfaceError, MultipleObjectsReturned
from orm.keys import attribute_of, composite, with_values
from orm.specs import MISSING, BoundedCache, FieldSpec, GenericKey, Implied, Named, RelationSpec
from orm.states import InstanceState
from orm.tables import TablePart


class Instance:
    """The base of every row class and of `Model`: slots for the columns come with the row class of each model."""

    __slots__ = ("__dict__", "__weakref__", "_state")

    if TYPE_CHECKING:
        __schema__: ClassVar[Schema]
        _state: InstanceState

        def after_load(self) -> None: ...

        def clean(self) -> None: ...


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Relation:
    """A resolved relation: rows of `target` whose `far` field equals the `near` field of a row of `source`.

    Attributes:
        many: there may be several rows of the target.
        null: there may be none.
        hops: the steps it takes, each of them a relation without steps of its own; two for many-to-many.
        inverse: the name of the relation back, where one is declared.
        fixed: a field of the target and the value that related rows have in it: the source's name in a generic
            foreign key.
    """

    name: str
    source: Schema
    target: Schema
    near: FieldSpec
    far: FieldSpec
    many: bool
    null: bool
    spec: RelationSpec
    through: tuple[Relation, Relation] | None = None
    inverse: str | None = None
    fixed: tuple[FieldSpec, str] | None = None

    @property
    def hops(self) -> tuple[Relation, ...]:
        """The joins it takes, in order."""
        return self.through or (self,)

    @property
    def pairs(self) -> list[tuple[FieldSpec, FieldSpec]]:
        """The fields with columns that are equal: one of the source and one of the target each."""
        return list(zip(self.near.fields, self.far.fields, strict=True))

    @property
    def may_be_missing(self) -> bool:
        """Whether no row may be found: there is none, or it is hidden."""
        return self.null or (self.target.implied is not None and not self.is_step)

    @property
    def is_step(self) -> bool:
        """Whether it leads from one table of a row to another one: to the same row, whatever hides others."""
        return self.spec.kind in ("parent", "child")

    @property
    def holds_key(self) -> bool:
        """Whether the source's own row has the key (a foreign key)."""
        return not self.many and self.spec.kind in ("foreign_key", "one_to_one", "parent")

    def __repr__(self) -> str:
        return f"<Relation {self.source.name}.{self.name} to {self.target.name}>"


@dataclass(frozen=True, slots=True)
class Options:
    """What `class Meta` says."""

    registry: BaseRegistry | None = None
    tablename: str | None = None
    schema: str | None = None
    abstract: bool = False
    ordering: tuple[Any, ...] = ()
    default_filters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    constraints: tuple[TablePart, ...] = ()
    indexes: tuple[TablePart, ...] = ()
    comment: str | None = None
    renamed_from: str | None = None
    proxy: bool = False
    inheritance: str = "joined"
    polymorphic_on: str | None = None
    polymorphic_identity: Any = MISSING

    @property
    def parts(self) -> tuple[TablePart, ...]:
        """Constraints and indexes."""
        return self.constraints + self.indexes


class BaseRegistry(ABC):
    """What a schema asks of the registry that it is in: `orm.registry` answers.

    Attributes:
        schemas: the models by name.
        enumerations: the texts of the enumerations that are types of the database's, by the names of these.
    """

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self.enumerations: dict[str, tuple[str, ...]] = {}

    @property
    @abstractmethod
    def database(self) -> Database | None:
        """Where queries go, unless they say otherwise."""

    @abstractmethod
    def add(self, schema: Schema) -> None:
        """Add a declared model."""

    @abstractmethod
    def declaring(self) -> AbstractContextManager[None]:
        """Declare a model, with the models between that it needs, or leave the registry as it was."""

    @abstractmethod
    def get(self, name: str | Named, where: str = "") -> Schema:
        """The model of that name. Raises `FieldError`, naming `where` it is wanted, when there is none."""

    @abstractmethod
    def resolve(self, schema: Schema, spec: RelationSpec) -> Relation:
        """A relation of a schema. Raises `FieldError` when its target was never declared, or has not what it needs."""

    @abstractmethod
    def build_table(self, schema: Schema, *, trial: bool = False) -> sa.Table:
        """The table of a schema, made in the registry's metadata, or in none for a `trial`. Raises `FieldError`."""

    def filter_names(self) -> list[str]:
        """The names of all default filters."""
        every = [schema.implied.filters for schema in self.schemas.values() if schema.implied is not None]
        return list(dict.fromkeys([name for filters in every for name in filters]))


class Schema:
    """A concrete model as everything below the models knows it.

    Attributes that say what it inherits from another model with a table, set by `orm.hierarchy`; without one it is its
    own `root`, `concrete` and `host`:
        parent: that model.
        root: the first one in the line of parents.
        concrete: what a proxy is a proxy of.
        host: the one whose table has its columns.
        columns: its fields in that table.
        link: the step to the row of the parent, where its own table is another one; `back` is the way from there.
        steps: the steps to the tables of the inherited fields that are not in its own.
        children: the models that inherit from it.
        guests: those whose columns are in its table.
        tables: what is in each of the tables that have its rows, the root's first: as if it were a model of its own.
        discriminator: the field that tells the class of a row.
        identity: what that field has in its rows.
    """

    def __init__(
        self,
        name: str,
        registry: BaseRegistry,
        tablename: str,
        fields: Mapping[str, FieldSpec],
        relations: Mapping[str, RelationSpec],
        options: Options,
        composites: Mapping[str, FieldSpec] = MappingProxyType({}),
        generics: Mapping[str, GenericKey] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.registry = registry
        self.tablename = tablename
        self.options = options
        self.fields = dict(fields)
        self.relation_specs = dict(relations)
        self.composites = dict(composites)
        """The fields that stand for several ones, by the attribute that has their value."""
        self.generics = generics
        self.key = composites.get("pk") or next(spec for spec in fields.values() if spec.primary_key)
        self.keys = self.key.fields
        self.version = next((spec for spec in fields.values() if spec.version), None)
        self.mutable = tuple(spec for spec in fields.values() if spec.mutable)
        clocks = [(spec, spec.clock) for spec in fields.values() if spec.clock is not None]
        self.filled = tuple(spec for spec, clock in clocks if not clock.database)
        """What Python's clock fills in when a row is inserted."""
        self.touched = tuple(spec for spec, clock in clocks if clock.on_update)
        """What a clock fills in with every change."""
        self.computed = tuple(spec for spec in fields.values() if spec.computed is not None)
        """What the database computes."""
        self.ticking = tuple(spec for spec, clock in clocks if clock.on_update and clock.database)
        """What the database's clock fills in with every UPDATE."""
        self.renewed = self.ticking + self.computed
        """What the database makes anew with every UPDATE."""
        self.implied = Implied(options.default_filters) if options.default_filters else None
        """What every row that is read meets; `None` where there is nothing."""
        self.row: type[Instance]
        """What the loader fills before the class is switched to `model`."""
        self.model: type[Any]
        self.does_not_exist: type[DoesNotExist] = DoesNotExist
        self.multiple_objects_returned: type[MultipleObjectsReturned] = MultipleObjectsReturned
        self.after_load = False
        """Whether the model has a hook that runs after loading."""
        self.cleans = False
        """Whether the model has a `clean()` of its own, which runs before writing."""
        self.receivers: Mapping[str, tuple[Callable[[Any], Coroutine[Any, Any, object]], ...]] | None = None
        """Who is told of what is written, by the names of signals; `None` where nobody is."""
        self.cache: BoundedCache = BoundedCache()
        """Lookups by their words."""
        self.plans: BoundedCache = BoundedCache()
        """Plans by engine and shape."""
        self.derived: dict[str, Any] = {}
        """What the layers above make of it once, by their own names."""
        self._relations: dict[str, Relation] = {}
        self.parent: Schema | None = None
        self.root = self.concrete = self.host = self
        self.columns = self.fields
        self.link: Relation | None = None
        self.back: Relation | None = None
        self.steps: dict[str, tuple[Relation, ...]] = {}
        self.children: list[Schema] = []
        self.guests: list[Schema] = []
        self.tables: tuple[Schema, ...] = (self,)
        self.discriminator: FieldSpec | None = None
        self.identity: Any = MISSING

    def __repr__(self) -> str:
        return f"<Schema {self.name}>"

    @property
    def names(self) -> list[str]:
        """What the user may name: fields and relations, the relation standing for its key."""
        others = [name for name, spec in self.relation_specs.items() if spec.attribute is None]
        return [*[spec.label for spec in self.fields.values()], *self.generics, *others]

    def field(self, name: str) -> FieldSpec | None:
        """The field of that name; `pk` is the key, a foreign key's name stands for its column."""
        if name == "pk":
            return self.key
        found = self.fields.get(name)
        if found is None and name in self.relation_specs and self.relation_specs[name].attribute:
            found = self.key_field(self.relation_specs[name])
        if found is None and name in self.generics:
            found = self.generics[name].pair
        return found

    def key_field(self, spec: RelationSpec) -> FieldSpec:
        """The field that holds the key of a foreign key."""
        attribute = spec.attribute or ""
        return self.fields.get(attribute) or self.composites[attribute]

    @property
    def parts(self) -> tuple[TablePart, ...]:
        """The constraints and indexes that its rows have in its table: those of parents that share it, then its own."""
        shared = self.parent.parts if self.parent is not None and self.host is not self else ()
        return shared + self.options.parts

    def hidden_by(self, lifted: Collection[str]) -> tuple[str, ...]:
        """The names of its default filters that are not lifted."""
        return self.implied.holding(lifted) if self.implied is not None else ()

    def unique_sets(self) -> list[tuple[FieldSpec, ...]]:
        """The fields of every unique constraint, those of the key first."""
        sets = [self.keys, *self.unique_columns()]
        for part in self.parts:
            named = [self.field(name) for name in part.unique_fields]
            if named:
                sets.append(tuple([spec for one in named if one is not None for spec in one.fields]))
        return sets

    def unique_columns(self) -> list[tuple[FieldSpec, ...]]:
        """The fields that are unique by themselves, and those of relations to one row that no other row has."""
        keys = [spec for spec in self.relation_specs.values() if spec.kind == "one_to_one" and spec.from_fields]
        alone: list[tuple[FieldSpec, ...]] = [(spec,) for spec in self.columns.values() if spec.unique]
        return alone + [self.key_field(spec).fields for spec in keys]

    def composite(self, fields: Sequence[FieldSpec]) -> FieldSpec:
        """The field that stands for these, as what a foreign key refers to: of one, the field itself."""
        if len(fields) == 1:
            return fields[0]
        if tuple(fields) == self.keys:
            return self.key
        name = "_".join(["_key", *[spec.name for spec in fields]])
        found = self.composites.get(name)
        if found is None:
            found = self.composites[name] = composite(name, fields)
            setattr(self.row, name, attribute_of(found))
        return found

    def value_spec(self, spec: FieldSpec) -> FieldSpec:
        """The field that says what the values of a field are: the target's key for a foreign key."""
        if spec.parts and spec.relation is None:
            return with_values(spec, [self.value_spec(part) for part in spec.parts])
        if spec.relation is None:
            return self.generics[spec.part_of[0]].key_values(self) if spec.kind == "generic_key" else spec
        relation = self.relation(spec.relation)
        assert relation is not None
        return relation.target.value_spec(relation.far)

    def unknown(self, name: str, what: str = "field") -> FieldError:
        """The error for a name it does not have."""
        return FieldError(f"{self.name} has no {what} {name!r}. Choose from: {', '.join(self.names)}.")

    def relation(self, name: str) -> Relation | None:
        """The relation of that name, resolved. Raises `FieldError` when its target was never declared."""
        found = self._relations.get(name)
        if found is None:
            spec = self.relation_specs.get(name)
            if spec is None:
                return None
            inherited = self.parent.relation(name) if self.parent is not None else None
            found = self._relations[name] = inherited or self.registry.resolve(self, spec)
        return found

    def hops(self, relation: Relation) -> tuple[Relation, ...]:
        """The joins that one of its relations takes, in order: first to the table that an inherited one starts from."""
        return self.steps.get(relation.near.fields[0].name, ()) + relation.hops

    def take_back(self, count: int, refused: Collection[Schema]) -> None:
        """Have the first so many relations again, none of them to models that were refused, and none of these heirs."""
        for name in list(self.relation_specs)[count:]:
            del self.relation_specs[name]
        self._relations = {name: found for name, found in self._relations.items() if found.target not in refused}
        for heirs in (self.children, self.guests):
            heirs[:] = [schema for schema in heirs if schema not in refused]

    @cached_property
    def table(self) -> sa.Table:
        """The table in SQLAlchemy's terms."""
        return self.registry.build_table(self) if self.host is self else self.host.table

    @property
    def database(self) -> Database:
        """The database of its registry. Raises `InterfaceError` when it has none."""
        database = self.registry.database
        if database is None:
            raise InterfaceError(
                f"The registry of {self.name} has no database. Give it one: Registry(database), "
                "or registry.database = database, or Model.objects.using(database)."
            )
        return database
