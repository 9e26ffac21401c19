"""What a model is, without the class: `Schema` and its `Relation`s, and the `Registry` of an application.

Everything below `models.py` works with these. They are immutable once the model is declared, but for what is found
on first use: relations to models that are declared later, the table, and caches.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa

from orm import ddl, tables, violations
from orm.database import Database
from orm.exceptions import DoesNotExist, FieldError, IntegrityError, InterfaceError, MultipleObjectsReturned
from orm.keys import (
    attribute_of,
    check_kinds,
    check_unique,
    check_width,
    composite,
    key_between,
    named_fields,
    with_values,
)
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

    registry: Registry | None = None
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
        registry: Registry,
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

    def unique_sets(self) -> list[tuple[FieldSpec, ...]]:
        """The fields of every unique constraint, those of the key first."""
        sets = [self.keys, *self.unique_columns()]
        for part in self.options.parts if self.host is self else self.host.options.parts + self.options.parts:
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
        """The field that stands for several ones, as what a foreign key of several fields refers to."""
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
            found = self._relations[name] = inherited or _resolve(self, spec)
        return found

    def hops(self, relation: Relation) -> tuple[Relation, ...]:
        """The joins that one of its relations takes, in order: first to the table that an inherited one starts from."""
        return self.steps.get(relation.near.fields[0].name, ()) + relation.hops

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


def _resolve(schema: Schema, spec: RelationSpec) -> Relation:
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
        far = parts[0] if len(parts) == 1 else target.composite(parts)
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


class Registry:
    """The models of one application by name, their metadata, and the database they live in.

    Args:
        database: where queries go; it can be given later: `registry.database = database`.
    """

    def __init__(self, database: Database | None = None) -> None:
        self.schemas: dict[str, Schema] = {}
        self.database = database
        self.enumerations: dict[str, tuple[str, ...]] = {}
        self.unresolved: list[tuple[Schema, RelationSpec]] = []
        """Relations that wait for models that are declared later."""
        """The texts of the enumerations that are types of the database's, by the names of these."""
        self._metadata = sa.MetaData(naming_convention=tables.NAMING_CONVENTION)
        self._awaited: dict[str, list[tuple[str, RelationSpec]]] = {}

    def __repr__(self) -> str:
        return f"<Registry of {len(self.schemas)} models: {', '.join(self.schemas) or 'none yet'}>"

    @property
    def database(self) -> Database | None:
        """Where queries go, unless they say otherwise."""
        return self._database

    @database.setter
    def database(self, database: Database | None) -> None:
        self._database = database
        if database is not None:
            database.explainers.add(self)

    def explain(self, error: IntegrityError) -> None:
        """Say of a constraint that was violated at a COMMIT which model and fields are meant, if it is one of ours."""
        owner = next((schema for schema in self.schemas.values() if schema.tablename == error.table), None)
        if owner is not None and error.model is None:
            violations.explain(error, owner, self.schemas.values())

    def add(self, schema: Schema) -> None:
        """Add a declared model and give reverse relations named with `related_name` to their targets."""
        self.schemas[schema.name] = schema
        inherited = schema.parent.relation_specs if schema.parent is not None else {}
        for name, spec in schema.relation_specs.items():
            if spec.related_name is not None and name not in inherited:
                back = RelationSpec(spec.related_name, "reverse", f"{schema.name}.{spec.name}")
                self._awaited.setdefault(spec.target_name, []).append((schema.name, back))
        for target in (schema.name, *[spec.target_name for spec in schema.relation_specs.values()]):
            if target in self.schemas:
                for source, back in self._awaited.pop(target, ()):
                    self._give_back(self.schemas[target], source, back)

    def _give_back(self, target: Schema, source: str, back: RelationSpec) -> None:
        if back.name in target.fields or back.name in target.relation_specs:
            raise FieldError(
                f"{back.to} has related_name={back.name!r}, but {target.name} has a field of that name already. "
                f"Choose another related_name in {source}; in that of an abstract model, %(class)s stands for the "
                "name of each model that inherits it, in snake case."
            )
        target.relation_specs[back.name] = back
        for child in target.children:
            self._give_back(child, source, back)

    def filter_names(self) -> list[str]:
        """The names of all default filters."""
        every = [schema.implied.filters for schema in self.schemas.values() if schema.implied is not None]
        return list(dict.fromkeys([name for filters in every for name in filters]))

    def get(self, name: str | Named, where: str = "") -> Schema:
        """The model of that name. Raises `FieldError`, naming `where` it is wanted, when there is none."""
        if isinstance(name, Schema):
            return name
        try:
            return self.schemas[name if isinstance(name, str) else name.name]
        except KeyError:
            subject = f"{where} refers to {name!r}, a model" if where else f"{name!r} is a model"
            raise FieldError(
                f"{subject} that no module declared in this registry. Import its module first, or choose from: "
                f"{', '.join(self.schemas) or '(none yet)'}."
            ) from None

    @property
    def metadata(self) -> sa.MetaData:
        """SQLAlchemy's metadata with the tables of all models. Raises `FieldError` for a target that is missing."""
        for schema in self.schemas.values():
            _ = schema.table
            for name in schema.relation_specs:
                schema.relation(name)
        return self._metadata

    async def create_all(self, *, database: Database | None = None) -> None:
        """Create the tables of all models that are not there yet, with their indexes."""
        await ddl.create_all(self.metadata, self._target(database))

    async def drop_all(self, *, database: Database | None = None) -> None:
        """Drop the tables of all models that are there."""
        await ddl.drop_all(self.metadata, self._target(database))

    def _target(self, database: Database | None) -> Database:
        target = database or self.database
        if target is None:
            raise InterfaceError("The registry has no database. Give it one: registry.database = database.")
        return target

    def build_table(self, schema: Schema) -> sa.Table:
        """The table of a schema, made in this registry's metadata."""
        columns = [_column(schema, spec) for spec in schema.columns.values()]
        table = sa.Table(
            schema.tablename,
            self._metadata,
            *columns,
            *([sa.PrimaryKeyConstraint(*[spec.name for spec in schema.keys])] if schema.key.parts else []),
            schema=schema.options.schema,
            comment=schema.options.comment,
            info=tables.renaming(schema.options.renamed_from),
            sqlite_autoincrement=schema.key.generated,
        )
        if schema.link is not None:
            table.append_constraint(tables.link(schema.keys, schema.link.target.table))
        try:
            for member in (schema, *schema.guests):
                extend_table(member, table)
        except FieldError:
            self._metadata.remove(table)
            raise
        return table


def extend_table(schema: Schema, table: sa.Table) -> None:
    """Add to a table what a model has in it that is not there yet: its constraints, and columns if it is a guest."""
    own = schema.host is schema
    new = {name: spec for name, spec in schema.columns.items() if own or name not in table.c}
    for name, spec in new.items():
        if name not in table.c:
            table.append_column(_column(schema, spec))
    _add_foreign_keys(schema, table, new)
    for part in schema.options.parts:
        part.attach(schema, table)
    tables.check_names(schema.name, table)


def _column(schema: Schema, spec: FieldSpec) -> sa.Column[Any]:
    computed = [] if spec.computed is None else [spec.computed.column(schema, spec)]
    linked = schema.link is not None and spec.in_key
    return tables.column(spec, schema.value_spec(spec).type, *computed, generated=spec.generated and not linked)


def _add_foreign_keys(schema: Schema, table: sa.Table, fields: Container[str]) -> None:
    """Add the constraints of the foreign keys that these fields hold, and indexes of those that hold several."""
    for name, spec in schema.relation_specs.items():
        relation = schema.relation(name) if spec.attribute is not None else None
        near = () if relation is None else relation.near.fields
        linked = schema.link is not None and any(field.in_key for field in near)  # the parent's table has it
        if relation is None or linked or not all(field.name in fields for field in near):
            continue
        if spec.from_fields:
            tables.add_index(table, spec, near, schema.keys)
        if spec.constraint:
            target, far = relation.target, set(relation.far.fields)
            place = f"{target.options.schema}.{target.tablename}" if target.options.schema else target.tablename
            unique = next(group for group in target.unique_sets() if set(group) == far)
            table.append_constraint(tables.foreign_key(spec, place, relation.pairs, unique))
