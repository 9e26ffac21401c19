"""A class body becomes a `Schema` and a row class: what `Meta` says, which names and columns there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from inspect import isfunction
from types import MappingProxyType
from typing import Any, Final, cast

import sqlalchemy as sa

from orm import enumerations, implied
from orm.constraints import CheckConstraint, Index, UniqueConstraint
from orm.exceptions import FieldError
from orm.exclusion import ExclusionConstraint
from orm.expressions import F
from orm.generickeys import GenericRelated
from orm.hierarchy import inherit
from orm.inheritance import check_own, discriminator_of, kind_of_heir
from orm.keys import CompositeKey, CompositePrimaryKey, attribute_of, composite, named_fields
from orm.numeric import BigAutoField
from orm.ordering import ordering
from orm.plaintext import snake_case
from orm.query import Node, Query
from orm.queryset import Objects
from orm.registry import Registry
from orm.relations import RelationField
from orm.schema import BaseRegistry, Instance, Options, Schema
from orm.specs import MISSING, Computation, FieldSpec, GenericKey, RelationSpec

GenerateThrough = Callable[[str, Options, RelationSpec], RelationSpec]
"""Gives a many-to-many relation without a model between the generated one."""

_META: Final = (
    "registry",
    "tablename",
    "schema",
    "abstract",
    "ordering",
    "default_filters",
    "constraints",
    "indexes",
    "comment",
    "renamed_from",
    "proxy",
    "inheritance",
    "polymorphic_on",
    "polymorphic_identity",
)

_LISTS: Final[Mapping[str, Mapping[str, type]]] = {
    "ordering": {"any": object},
    "constraints": {
        "orm.UniqueConstraint": UniqueConstraint,
        "orm.CheckConstraint": CheckConstraint,
        "orm.postgresql.ExclusionConstraint": ExclusionConstraint,
    },
    "indexes": {"orm.Index": Index},
}
"""The options that are lists, and what is in them, by the names that users import."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})

_TEXTS: Final = ("tablename", "schema", "comment", "renamed_from")


def options_of(name: str, said: Mapping[str, Any]) -> Options:
    """The options of a model, checked: what its `Meta` says, and those of its bases."""
    given = dict(said)
    for option in given:
        if option not in _META:
            raise FieldError(f"{name}.Meta has no option {option!r}. Choose from: {', '.join(_META)}.")
    for option, kinds in _LISTS.items():
        items = given.get(option, ())
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise FieldError(f"{name}.Meta.{option} is a list, not {items!r}.")
        given[option] = tuple(items)  # pyright: ignore[reportUnknownArgumentType]
        for item in given[option]:
            if not isinstance(item, tuple(kinds.values())):
                raise FieldError(f"{name}.Meta.{option} has {' and '.join(kinds)} objects, not {item!r}.")
    given["default_filters"] = _filters(name, given.get("default_filters", {}))
    _check_kinds(name, given)
    for option in _TEXTS:
        if given.get(option) is not None and (not isinstance(given[option], str) or not given[option]):
            raise FieldError(f"{name}.Meta.{option} is a text, not {given[option]!r}.")
    return Options(**given)


def _check_kinds(name: str, given: Mapping[str, Any]) -> None:
    registry = given.get("registry")
    if registry is not None and not isinstance(registry, Registry):
        raise FieldError(f"{name}.Meta.registry is an orm.Registry, not {registry!r}.")
    for option in ("abstract", "proxy"):
        if not isinstance(given.get(option, False), bool):
            raise FieldError(f"{name}.Meta.{option} is True or False, not {given[option]!r}.")


def _filters(name: str, said: Any) -> dict[str, Any]:
    """The default filters by name; one that is `None` is not inherited."""
    if not isinstance(cast("object", said), Mapping):
        raise FieldError(f"{name}.Meta.default_filters gives each filter a name: {{'active': orm.Q(…)}}, not {said!r}.")
    filters: dict[Any, Any] = dict(said)
    for label, given in filters.items():
        if not isinstance(label, str) or not label.isidentifier():
            raise FieldError(f"{name}.Meta.default_filters: the name of a filter is an identifier, not {label!r}.")
        if given is not None and not isinstance(given, (Node, sa.ColumnElement)) and not implied.is_function(given):
            raise FieldError(
                f"{name}.Meta.default_filters: {label!r} is orm.Q(…) or a function that gives one, not {given!r}."
            )
    return {label: given for label, given in filters.items() if given is not None}


def check_name(model: str, name: str, base_model: type, *, key: bool = False) -> None:
    """Raise `FieldError` for a name that would hide an attribute of every model, or that filters could not spell.

    A `key` of several fields is the primary key, and has its name.
    """
    if key and name == "pk":
        return
    if key:
        raise FieldError(f"{model}.{name} is the primary key, whose name is pk: pk = CompositePrimaryKey(…).")
    if "__" in name or name.startswith("_") or name.endswith("_"):
        raise FieldError(
            f"{model}.{name}: a field's name has no double underscore and no underscore at its ends, since '__' "
            f"joins names in filters. Choose another one, and keep the column's: column={name!r}."
        )
    if _is_taken(name, base_model):
        raise FieldError(
            f"{model}.{name} would hide an attribute that every model has. Choose another name, and keep the "
            f"column's: column={name!r}."
        )


def check_called(name: str, root: Any, namespace: Mapping[str, Any]) -> None:
    """Raise `FieldError` for a constructor of fields that stands in a class body without a call."""
    constructors = (*root.__dataclass_transform__["field_specifiers"], CompositePrimaryKey)
    for key, value in namespace.items():
        if isfunction(value) and value in constructors:
            made = value.__name__
            raise FieldError(f"{name}.{key} is the function {made}, which makes fields. Call it: {key} = {made}(…).")


def check_managers(
    name: str, root: type, order: Iterable[type], namespace: Mapping[str, Any], declared: Mapping[str, Any]
) -> None:
    """Raise `FieldError` for managers that would hide something, or be hidden, and for an `objects` that is none."""
    objects = namespace.get("objects")
    if objects is not None and not isinstance(objects, Objects):
        raise FieldError(f"{name}.objects is a manager: class …(orm.QuerySet[…]), and objects = ….as_manager().")
    if objects is not None and (objects.conditions or objects.words):
        raise FieldError(
            f"{name}.objects is about all rows, since relations use it. What hides some of them belongs in "
            "Meta.default_filters, where it holds in relations, too; or give the manager another name."
        )
    for key, value in namespace.items():
        if isinstance(value, Objects) and key != "objects" and _is_taken(key, root):
            raise FieldError(f"The manager {name}.{key} would hide an attribute that every model has. Rename it.")
    for owner in order:
        for key, value in owner.__dict__.items():
            if isinstance(value, Objects) and key in declared:
                raise FieldError(f"{name}.{key} is a field, and would hide the manager of {owner.__name__}. Rename it.")


def _is_taken(name: str, root: type) -> bool:
    """Whether every model has an attribute of that name."""
    return name in _RESERVED or name in type.__dict__ or any(name in base.__dict__ for base in root.__mro__)


_RESERVED: Final = frozenset({"pk", "objects", "table", "mro"})


def schema_of_body(
    name: str,
    options: Options,
    declared: Mapping[str, Any],
    generate_through: GenerateThrough,
    parent: Schema | None = None,
    said: Mapping[str, Any] = _NOTHING,
) -> Schema:
    """The schema of a class body.

    Args:
        name: the class's name.
        options: what its `Meta` says, and those of its bases.
        declared: its fields and relations, without those of a parent.
        generate_through: makes the models between of many-to-many relations.
        parent: the model with a table that it inherits from.
        said: what its own `Meta` says.
    """
    registry = options.registry
    if registry is None:
        raise FieldError(
            f"{name} has no registry. Set it in Meta, best in an abstract base of all your models: "
            "class Meta: registry = models; abstract = True."
        )
    kind = kind_of_heir(name, options, said, parent)
    tablename = options.tablename or snake_case(name)
    if options.renamed_from == tablename:
        raise FieldError(
            f"{name}.Meta.renamed_from is {tablename!r}, the name that its table has now. Give the previous one."
        )
    _check_free(registry, name, tablename if kind in (None, "joined") else None)
    fields: list[tuple[str, GenericRelated[Any]]] = [
        (label, field) for label, field in declared.items() if isinstance(field, GenericRelated)
    ]
    generics: dict[str, GenericKey] = {label: field.spec(label) for label, field in fields}
    indexes = [index for label, field in fields for index in field.indexes(label)]
    options = replace(options, indexes=(*options.indexes, *indexes)) if indexes else options
    columns, related, key = _specs(name, options, declared, generics, generate_through)
    composites = _composites(name, columns, related, key)
    if parent is not None:
        check_own(name, kind or "", parent, columns, related)
        columns, related = {**parent.fields, **columns}, {**parent.relation_specs, **related}
        generics = {**parent.generics, **generics}
        composites = {**parent.composites, **composites}
    _check_columns(name, columns, {**related, **generics})
    _check_enumerations(name, registry, columns)
    if "pk" not in composites and not any(spec.primary_key for spec in columns.values()):
        if "id" in columns or "id" in related:
            raise FieldError(f"{name}.id is not the primary key. Declare one: primary_key=True.")
        columns = {"id": BigAutoField().spec("id"), **columns}
    discriminator = discriminator_of(name, options, parent, kind, columns)
    if discriminator is not None:
        columns[discriminator.own.name] = discriminator.own
    schema = Schema(name, registry, tablename, columns, related, options, composites, generics)
    if discriminator is not None:
        schema.discriminator, schema.identity = discriminator.field, discriminator.identity
    if parent is not None and kind is not None:
        inherit(schema, parent, kind)
    _check_parts(schema)
    return schema


def _check_free(registry: BaseRegistry, name: str, tablename: str | None) -> None:
    """Raise `FieldError` when a model of that name is there already, or a table unless it is to be shared."""
    for schema in registry.schemas.values():
        if name == schema.name:
            raise FieldError(
                f"The registry has a model {name!r} already, in {schema.model.__module__}. "
                "Names are unique in a registry: choose another, or use another Registry."
            )
        if tablename == schema.tablename:
            raise FieldError(f"{schema.name} has the table {tablename!r} already. Set Meta.tablename.")


def _specs(
    name: str,
    options: Options,
    declared: Mapping[str, Any],
    generics: Mapping[str, GenericKey],
    generate_through: GenerateThrough,
) -> tuple[dict[str, FieldSpec], dict[str, RelationSpec], CompositeKey | None]:
    """The records of what is declared: of columns, of relations, and the key of several fields."""
    columns: dict[str, FieldSpec] = {}
    related: dict[str, RelationSpec] = {}
    key_of_several: CompositeKey | None = None
    for field_name, field in declared.items():
        made: Sequence[FieldSpec | None]
        if isinstance(field, RelationField):
            spec, relation = field.specs(field_name)
            if relation.related_name is not None:
                relation = replace(relation, related_name=relation.related_name.replace("%(class)s", snake_case(name)))
            if relation.symmetrical and relation.target_name != name:
                raise FieldError(
                    f"{name}.{field_name} is symmetrical, and its other side is {relation.target_name}. Only a "
                    "relation of a model to itself is: leave symmetrical out."
                )
            if relation.kind == "many_to_many" and relation.through is None:
                relation = generate_through(name, options, relation)
            related[field_name] = relation
            made = [spec]
        elif isinstance(field, CompositeKey):
            key_of_several = field
            made = []
        elif isinstance(field, GenericRelated):
            made = generics[field_name].pair.parts
        else:
            made = [field.spec(field_name)]
        for spec in [spec for spec in made if spec is not None]:
            if spec.name in columns:
                raise FieldError(f"{name}.{spec.name} is declared twice: as a field, and as the key of a relation.")
            columns[spec.name] = spec
    return columns, related, key_of_several


def _composites(
    name: str, columns: dict[str, FieldSpec], related: dict[str, RelationSpec], key: CompositeKey | None
) -> dict[str, FieldSpec]:
    """The fields that stand for several ones; notes in the columns which keys they are parts of."""
    held = {
        relation.name: [
            spec.name for spec in named_fields(f"{name}.{relation.name}: from_fields", relation.from_fields, columns)
        ]
        for relation in related.values()
        if relation.from_fields
    }
    in_key = [] if key is None else [spec.name for spec in key.parts(name, columns)]
    for column in {*in_key, *[column for names in held.values() for column in names]}:
        part_of = tuple([relation for relation, names in held.items() if column in names])
        columns[column] = replace(columns[column], in_key=columns[column].in_key or column in in_key, part_of=part_of)
    composites: dict[str, FieldSpec] = {}
    if in_key:
        composites["pk"] = composite("pk", [columns[column] for column in in_key], primary_key=True)
    for relation, names in held.items():
        parts = [columns[column] for column in names]
        _check_actions(name, related[relation], parts)
        attribute = names[0]
        if len(parts) > 1:
            attribute = related[relation].attribute or ""
            composites[attribute] = composite(attribute, parts, relation=relation)
        null = any(part.null for part in parts)
        related[relation] = replace(related[relation], attribute=attribute, null=null)
    return composites


def _check_actions(name: str, relation: RelationSpec, parts: Sequence[FieldSpec]) -> None:
    """Raise `FieldError` for a key whose fields cannot be set to NULL, or to a default, as it says."""
    for option in ("on_delete", "on_update"):
        action = getattr(relation, option)
        for part in parts:
            if action == "SET NULL" and not part.null:
                raise FieldError(f"{name}.{relation.name}: {option}=SET_NULL needs null=True in {part.label}.")
            if action == "SET DEFAULT" and part.default is MISSING and part.server_default is None:
                raise FieldError(f"{name}.{relation.name}: {option}=SET_DEFAULT needs a default of {part.label}.")


def _check_parts(schema: Schema) -> None:
    """Check what `Meta` says of fields. What goes over relations to models that are declared later is checked later."""
    schemas = schema.registry.schemas
    taken = {
        name: other
        for other in schemas.values()
        if other.options.schema == schema.options.schema
        for part in other.options.parts
        if (name := part.name_in(other)) is not None
    }
    keys = [spec for spec in schema.relation_specs.values() if spec.attribute is not None]
    complete = all(isinstance(spec.to, Schema) or spec.to in {schema.name, *schemas} for spec in keys)
    for generic in schema.generics.values():
        if all(model in schemas for model in generic.targets.values()):
            schema.value_spec(generic.key)
        else:
            complete = False
    for part in schema.options.parts:
        name = part.name_in(schema)
        if name in taken:
            raise FieldError(
                f"{taken[name].name} has a constraint or an index with the name {name!r} already. Give another name; "
                "in it, %(table)s stands for the table's."
            )
        if name is not None:
            taken[name] = schema
        if complete:
            part.check(schema)
    for spec in schema.computed if complete else ():
        if spec.name in schema.columns:  # a parent's table has its own, which are checked already
            cast("Computation", spec.computed).check(schema, spec)
    implied.check(schema)
    _check_ordering(schema)


def _check_ordering(schema: Schema) -> None:
    """Check the terms of `Meta.ordering`; over relations to models that are declared later on first use."""
    for term in schema.options.ordering:
        try:
            ordering(Query(schema), term)
        except FieldError as error:
            named = F(term.removeprefix("-")) if isinstance(term, str) else term
            if not isinstance(named, Node) or not implied.may_be_known_later(schema, named):
                raise FieldError(f"{schema.name}.Meta.ordering: {error}") from None


def _check_enumerations(name: str, registry: BaseRegistry, columns: Mapping[str, FieldSpec]) -> None:
    for kind in enumerations.of_columns(spec.type for spec in columns.values()):
        if registry.enumerations.setdefault(kind.name, kind.values) != kind.values:
            raise FieldError(
                f"{name} has an enumeration {kind.name!r} of {', '.join(kind.values)}, and there is another one of "
                f"{', '.join(registry.enumerations[kind.name])}. Give one of them a name: Enum(…, name=…)."
            )


def _check_columns(name: str, columns: Mapping[str, FieldSpec], related: Collection[str]) -> None:
    keys = [spec.name for spec in columns.values() if spec.primary_key]
    if len(keys) > 1:
        raise FieldError(f"{name} has more than one primary key: {', '.join(keys)}. Choose one of them.")
    seen: dict[str, str] = {}
    for spec in columns.values():
        if spec.name in related:
            raise FieldError(f"{name}.{spec.name} is both a column and a relation. Rename one of them.")
        if spec.column in seen:
            raise FieldError(
                f"{name}.{spec.label} and {name}.{seen[spec.column]} have the same column {spec.column!r}."
            )
        seen[spec.column] = spec.label
    _check_renamed(name, columns)


def _check_renamed(name: str, columns: Mapping[str, FieldSpec]) -> None:
    """Refuse previous names that are names of today, or of two fields."""
    owners = {spec.column: spec.label for spec in columns.values()}
    seen: dict[str, str] = {}
    for spec in columns.values():
        old = spec.renamed_from
        if old is None:
            continue
        if old in owners:
            whose = "its own column" if owners[old] == spec.label else f"the column of {name}.{owners[old]}"
            raise FieldError(
                f"{name}.{spec.label} is renamed_from={old!r}, which is {whose}. Give the column's previous name, "
                "which no field has now."
            )
        if old in seen:
            raise FieldError(f"{name}.{spec.label} and {name}.{seen[old]} are both renamed_from={old!r}.")
        seen[old] = spec.label


def row_class(schema: Schema, module: str) -> type[Instance]:
    """The class with a slot for each column and each relation, which the loader fills; a proxy has its model's."""
    parent = schema.parent
    if parent is not None and schema.concrete is not schema:
        return parent.row
    fields = set[str]() if parent is None else {*parent.fields}
    relations = set[str]() if parent is None else {*parent.relation_specs, *parent.generics}
    slots = [name for name in schema.fields if name not in fields]
    slots += [f"_loaded_{spec.name}" for spec in schema.mutable if spec.name not in fields]
    slots += [name for name in schema.generics if name not in relations]
    for spec in schema.relation_specs.values():
        if spec.name in relations:
            continue
        slots.append(f"_loaded_{spec.name}" if _may_be_many(spec) else spec.name)
        if spec.kind == "reverse":
            slots.append(spec.name)  # one row, if what it reverses is one to one
    base: type[Instance] = Instance if parent is None else parent.row
    namespace: dict[str, Any] = {name: attribute_of(spec) for name, spec in schema.composites.items()}
    namespace |= {"__slots__": tuple(slots), "__module__": module}
    return type(f"{schema.name}Row", (base,), namespace)


def _may_be_many(spec: RelationSpec) -> bool:
    return spec.kind in ("reverse", "many_to_many")
