"""`Model`: a class body becomes a `Schema`; instances keep track of what changes, and are saved and deleted.

For each concrete model the metaclass makes a row class, which has a slot for each column and plain
`object.__setattr__`, and puts it first in the model's bases; the model itself has no slots. The loader fills an object
of the row class and then switches its class, so that loading pays neither for change tracking nor for dictionaries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, cast, dataclass_transform

import sqlalchemy as sa

from orm import fields, persistence, relations
from orm.columns import attribute
from orm.database import Database
from orm.exceptions import DoesNotExist, FieldError, InterfaceError, MultipleObjectsReturned, NotLoaded
from orm.fields import BigAutoField, Field
from orm.lookups import conditions
from orm.persistence import is_new, key_of, schema_of, set_attribute, slot, state_of
from orm.plans import select_plan
from orm.prefetch import Prefetch, prefetch
from orm.query import Query
from orm.queryset import Objects
from orm.relations import RelatedQuerySet, RelationField
from orm.schema import (
    MISSING,
    FieldSpec,
    Index,
    Instance,
    InstanceState,
    Options,
    Relation,
    RelationSpec,
    Schema,
    UniqueConstraint,
)

_META: Final = ("registry", "tablename", "schema", "abstract", "ordering", "constraints", "indexes")
_NOT_INHERITED: Final = frozenset({"abstract", "tablename"})
_WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake_case(name: str) -> str:
    """`InvoiceLine` becomes `invoice_line`, `HTTPLog` becomes `http_log`."""
    return _WORD_START.sub("_", name).lower()


class ClassAttribute:
    """Answers `Album.title` on the class.

    A data descriptor on the metaclass: it comes before the slot of that name in the class, and costs other class
    attributes nothing, unlike `__getattribute__`.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, cls: Any, metaclass: type) -> Any:
        if cls is None:
            return self
        schema: Schema | None = cls.__dict__.get("__schema__")
        if schema is not None:
            key = f"class attribute {self.name}"
            found = schema.derived.get(key)
            if found is None:
                found = attribute(schema, (), schema, self.name)
                if found is not None:
                    schema.derived[key] = found
            if found is not None:
                return found
        for base in cls.__mro__:
            if self.name in base.__dict__ and not issubclass(base, Instance):
                value = base.__dict__[self.name]
                return value.__get__(None, cls) if hasattr(type(value), "__get__") else value
        raise AttributeError(f"type object {cls.__name__!r} has no attribute {self.name!r}")

    def __set__(self, cls: Any, value: Any) -> None:
        type.__setattr__(cls, self.name, value)

    def __delete__(self, cls: Any) -> None:
        type.__delattr__(cls, self.name)


class ModelMeta(type):
    """Makes a `Schema` and a row class of a class body."""

    if not TYPE_CHECKING:  # exposed, it would silence the checkers

        def __new__(metaclass, name, bases, namespace, **keywords):
            if not any(isinstance(base, ModelMeta) for base in bases):
                return super().__new__(metaclass, name, bases, namespace, **keywords)
            return _make_model(metaclass, name, bases, namespace, keywords)

        @property
        def table(cls):
            schema = cls.__dict__.get("__schema__")
            if schema is None:
                raise AttributeError(f"{cls.__name__} is abstract and has no table.")
            return schema.table

        def __getattr__(cls, name):
            schema = cls.__dict__.get("__schema__")
            found = attribute(schema, (), schema, name) if schema is not None and name[:2] != "__" else None
            if found is None:
                names = f" Choose from: {', '.join(schema.names)}." if schema is not None else ""
                raise AttributeError(f"{cls.__name__} has no attribute {name!r}.{names}")
            return found

        def __repr__(cls):
            return (
                f"<model {cls.__module__}.{cls.__qualname__}>" if "__schema__" in cls.__dict__ else super().__repr__()
            )


def _make_model(metaclass: Any, name: str, bases: tuple[type, ...], namespace: dict[str, Any], keywords: Any) -> Any:
    declared = {n: v for n, v in namespace.items() if isinstance(v, (Field, RelationField))}
    for field_name in declared:
        del namespace[field_name]
    options = _options(name, bases, namespace.get("Meta"))
    inherited: dict[str, Any] = {}
    for base in reversed(bases):
        inherited.update(base.__dict__.get("__declared__", {}))
    everything = {**inherited, **declared}
    for field_name in declared:
        _check_name(name, field_name)
    namespace["__declared__"] = everything
    namespace["__options__"] = options
    if "__slots__" in namespace:
        raise FieldError(f"{name} cannot have __slots__ of its own: the columns have theirs already.")
    namespace["__slots__"] = ()
    if options.abstract:
        return type.__new__(metaclass, name, bases, namespace, **keywords)
    _check_bases(name, bases)
    schema = _schema(name, options, everything)
    row = _row_class(schema, namespace.get("__module__", ""))
    namespace["__schema__"] = schema
    namespace["__row__"] = row
    schema.row = row
    model = type.__new__(metaclass, name, (row, *bases), namespace, **keywords)
    _finish(model, schema)
    return model


def _check_bases(name: str, bases: tuple[type, ...]) -> None:
    for base in bases:
        if "__schema__" in base.__dict__:
            raise FieldError(
                f"{name} inherits from {base.__name__}, which has a table. Inherit from an abstract model "
                "(class Meta: abstract = True) that both share."
            )
        if not isinstance(base, ModelMeta) and base.__dict__.get("__slots__"):
            raise FieldError(f"{name} inherits from {base.__name__}, which has __slots__. Mixins of models cannot.")


def _options(name: str, bases: tuple[type, ...], meta: Any) -> Options:
    given: dict[str, Any] = {}
    for base in reversed(bases):
        parent: Options | None = getattr(base, "__options__", None)
        if parent is not None:
            given.update({option: getattr(parent, option) for option in _META if option not in _NOT_INHERITED})
    own = {k: v for k, v in vars(meta).items() if not k.startswith("__")} if meta is not None else {}
    for option in own:
        if option not in _META:
            raise FieldError(f"{name}.Meta has no option {option!r}. Choose from: {', '.join(_META)}.")
    given.update(own)
    for option, kind in (("ordering", object), ("constraints", UniqueConstraint), ("indexes", Index)):
        items = given.get(option, ())
        if isinstance(items, str) or not isinstance(items, Iterable):
            raise FieldError(f"{name}.Meta.{option} is a list, not {items!r}.")
        given[option] = tuple(items)  # pyright: ignore[reportUnknownArgumentType]
        for item in given[option]:
            if not isinstance(item, kind):
                raise FieldError(f"{name}.Meta.{option} has orm.{kind.__name__} objects, not {item!r}.")
    return Options(**given)


def _check_name(model: str, name: str) -> None:
    if "__" in name or name.startswith("_") or name.endswith("_"):
        raise FieldError(
            f"{model}.{name}: a field's name has no double underscore and no underscore at its ends, since '__' "
            f"joins names in filters. Choose another one, and keep the column's: column={name!r}."
        )
    if name in _RESERVED or name in type.__dict__ or any(name in base.__dict__ for base in Model.__mro__):
        raise FieldError(
            f"{model}.{name} would hide an attribute that every model has. Choose another name, and keep the "
            f"column's: column={name!r}."
        )


_RESERVED: Final = frozenset({"pk", "objects", "table", "mro"})


def _schema(name: str, options: Options, declared: Mapping[str, Any]) -> Schema:
    registry = options.registry
    if registry is None:
        raise FieldError(
            f"{name} has no registry. Set it in Meta, best in an abstract base of all your models: "
            "class Meta: registry = models; abstract = True."
        )
    tablename = options.tablename or snake_case(name)
    registry.check_free(name, tablename)
    columns: dict[str, FieldSpec] = {}
    related: dict[str, RelationSpec] = {}
    for field_name, field in declared.items():
        if isinstance(field, RelationField):
            key, relation = field.specs(field_name)
            if relation.kind == "many_to_many" and relation.through is None:
                relation = _with_generated_through(name, options, relation)
            related[field_name] = relation
            spec = key
        else:
            spec = field.spec(field_name)
        if spec is not None:
            if spec.name in columns:
                raise FieldError(f"{name}.{spec.name} is declared twice: as a field, and as the key of a relation.")
            columns[spec.name] = spec
    _check_columns(name, columns, related)
    if not any(spec.primary_key for spec in columns.values()):
        if "id" in columns or "id" in related:
            raise FieldError(f"{name}.id is not the primary key. Declare one: primary_key=True.")
        columns = {"id": BigAutoField().spec("id"), **columns}
    return Schema(name, registry, tablename, columns, related, options)


def _check_columns(name: str, columns: Mapping[str, FieldSpec], related: Mapping[str, RelationSpec]) -> None:
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


def _with_generated_through(name: str, options: Options, relation: RelationSpec) -> RelationSpec:
    """The relation over a generated model that has nothing but the two keys."""
    target = relation.target_name
    near, far = (snake_case(name), snake_case(target)) if target != name else ("source", "target")
    meta = type(
        "Meta",
        (),
        {
            "registry": options.registry,
            "schema": options.schema,
            "tablename": f"{options.tablename or snake_case(name)}_{relation.name}",
            "constraints": [UniqueConstraint(near, far)],
        },
    )
    through = f"{name}_{relation.name}"
    namespace = {
        "__module__": __name__,
        "__qualname__": through,
        "Meta": meta,
        near: relations.ForeignKey(name, on_delete=relations.CASCADE),
        far: relations.ForeignKey(target, on_delete=relations.CASCADE),
    }
    model = ModelMeta(through, (Model,), namespace)
    schema = cast("Schema", cast("Any", model).__schema__)
    return RelationSpec(
        relation.name,
        "many_to_many",
        relation.to,
        related_name=relation.related_name,
        through=schema,
        through_fields=(near, far),
    )


def _row_class(schema: Schema, module: str) -> type[Instance]:
    """The class with a slot for each column and each relation, which the loader fills."""
    slots = [*schema.fields]
    slots += [f"_loaded_{spec.name}" for spec in schema.mutable]
    for spec in schema.relation_specs.values():
        slots.append(f"_loaded_{spec.name}" if _may_be_many(spec) else spec.name)
        if spec.kind == "reverse":
            slots.append(spec.name)  # one row, if what it reverses is one to one
    return type(f"{schema.name}Row", (Instance,), {"__slots__": tuple(slots), "__module__": module})


def _may_be_many(spec: RelationSpec) -> bool:
    return spec.kind in ("reverse", "many_to_many")


def _finish(model: Any, schema: Schema) -> None:
    """Hang the schema on its model and enter it into the registry."""
    schema.model = model
    schema.after_load = model.after_load is not Model.after_load
    for error, name in ((DoesNotExist, "does_not_exist"), (MultipleObjectsReturned, "multiple_objects_returned")):
        namespace = {"__module__": model.__module__, "__qualname__": f"{model.__qualname__}.{error.__name__}"}
        own = type(error.__name__, (error,), namespace)
        setattr(schema, name, own)
        type.__setattr__(model, error.__name__, own)
    for name in (*schema.fields, *schema.relation_specs):
        if name not in ModelMeta.__dict__:
            setattr(ModelMeta, name, ClassAttribute(name))
    schema.registry.add(schema)


def _restore(model: Any, values: dict[str, Any], state: tuple[bool, set[str]] | None, extra: Any) -> Any:
    """An unpickled instance."""
    instance = object.__new__(model.__schema__.row)
    for name, value in values.items():
        set_attribute(instance, name, value)
    if state is not None:
        instance._state = InstanceState(new=state[0])
        instance._state.changed = set(state[1])
    if extra:
        instance.__dict__.update(extra)
    instance.__class__ = model
    return instance


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(
        fields.AutoField,
        fields.BigAutoField,
        fields.SmallInteger,
        fields.Integer,
        fields.BigInteger,
        fields.Float,
        fields.Decimal,
        fields.Boolean,
        fields.String,
        fields.Text,
        fields.Slug,
        fields.Email,
        fields.URL,
        fields.UUID,
        fields.Date,
        fields.DateTime,
        fields.Time,
        fields.Duration,
        fields.Binary,
        fields.JSON,
        fields.Enum,
        fields.IPAddress,
        fields.Version,
        relations.ForeignKey,
        relations.OneToOne,
        relations.ManyToMany,
        relations.Reverse,
    ),
)
class Model(Instance, metaclass=ModelMeta):
    """The base of all models: subclass it, and declare fields and relations in the class body."""

    __slots__ = ()

    objects = Objects()
    DoesNotExist: ClassVar[type[DoesNotExist]] = DoesNotExist
    MultipleObjectsReturned: ClassVar[type[MultipleObjectsReturned]] = MultipleObjectsReturned
    if TYPE_CHECKING:
        table: ClassVar[sa.Table]

    def __init__(self, **values: Any) -> None:
        if "__schema__" not in type(self).__dict__:
            raise FieldError(f"{type(self).__name__} is abstract. Make an instance of a model that inherits from it.")
        schema = schema_of(self)
        state = self._state = InstanceState(new=True)
        for name, value in values.items():
            if name not in schema.fields and (
                name not in schema.relation_specs or schema.relation_specs[name].attribute is None
            ):
                raise _not_settable(schema, name)
            setattr(self, name, value)
        for spec in schema.fields.values():
            if spec.name not in state.changed and spec.default is not MISSING:
                default = spec.default
                set_attribute(self, spec.name, default() if callable(default) else default)
        if schema.key.generated and schema.key.name not in state.changed:
            set_attribute(self, schema.key.name, None)
        state.changed.clear()

    @property
    def pk(self) -> Any:
        """The key."""
        return getattr(self, schema_of(self).key.name)

    @classmethod
    def reference(cls, key: Any) -> Self:
        """An instance that knows only its key; no query is made, and nobody checks that the row exists."""
        schema: Schema | None = cls.__dict__.get("__schema__")
        if schema is None:
            raise FieldError(f"{cls.__name__} is abstract and has no rows.")
        checked = conditions(schema, (), {"pk": key})
        return cast("Self", _sparse(schema, cast("Any", checked).values[0]))

    async def save(self, *, fields: Iterable[str] | None = None, using: Database | None = None) -> Self:
        """Insert a new instance; of a stored one, update what has changed since it was loaded.

        Args:
            fields: update these fields, whether they have changed or not.
            using: another database than the one it was loaded from, or its registry's.

        Raises:
            ValidationError: values of a wrong type, over a limit, or missing; nothing was sent.
            StaleInstance: the row is gone, or has another version.
        """
        await persistence.save(self, fields, using)
        return self

    async def update(self, **values: Any) -> Self:
        """Set these attributes and save them, and nothing else."""
        schema = schema_of(self)
        if is_new(self):
            raise InterfaceError(f"{self!r} has no row yet. Set its attributes and save it.")
        for name in values:
            if schema.field(name) is None:
                raise _not_settable(schema, name)
        for name, value in values.items():
            setattr(self, name, value)
        await persistence.save(self, values, None)
        return self

    async def delete(self, *, using: Database | None = None) -> None:
        """Delete the row. Raises `StaleInstance` when it is gone, or has another version."""
        await persistence.delete(self, using)

    async def load(self, *names: str) -> Self:
        """Read columns and relations of the row again: the named ones; without names, all columns.

        What was changed and not saved is overwritten. Raises `DoesNotExist` when the row is gone.
        """
        schema = schema_of(self)
        if is_new(self) or key_of(self) is None:
            raise InterfaceError(f"{self!r} has no row to load.")
        related = [name for name in names if name in schema.relation_specs]
        columns = [name for name in names if name not in related]
        if columns or not names:
            await _load_columns(self, schema, columns)
        if related:
            database = persistence.database_of(self)
            bound = database is not schema.registry.database
            for name in related:
                _forget_relation(self, name)
            await prefetch([self], [Prefetch(name) for name in related], database, bound)
        return self

    def after_load(self) -> None:
        """A hook that runs after an instance was made of a row; `__init__` does not run then."""

    if not TYPE_CHECKING:  # exposed, they would let every name through

        def __setattr__(self, name, value):
            _set(self, name, value)

        def __getattr__(self, name):
            return _missing(self, name)

        def __reduce__(self):
            values = {}
            for base in schema_of(self).row.__mro__[:-1]:
                for slot_name in base.__dict__.get("__slots__", ()):
                    if slot_name not in ("__dict__", "__weakref__", "_state"):
                        value = slot(self, slot_name, _UNSET)
                        if value is not _UNSET:
                            values[slot_name] = value
            state = slot(self, "_state")
            kept = (state.new, state.changed) if state is not None else None
            return _restore, (type(self), values, kept, self.__dict__ or None)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other):
            return NotImplemented
        key = key_of(self)
        return key is not None and key == key_of(cast("Instance", other))

    def __hash__(self) -> int:
        key = key_of(self)
        if key is None:
            raise TypeError(f"{self!r} has no key yet, so it has no hash. Save it first.")
        return hash((schema_of(self).name, key))

    def __repr__(self) -> str:
        schema = schema_of(self)
        shown = [schema.key, *[s for s in schema.fields.values() if s is not schema.key and s.kind not in _LONG]]
        parts: list[str] = []
        for spec in shown:
            value = slot(self, spec.name, _UNSET)
            if value is not _UNSET and len(parts) < _SHOWN:
                text = repr(value)
                parts.append(f"{spec.name}={text if len(text) <= 40 else text[:37] + '…'}")
        return f"<{schema.name}{' (new)' if is_new(self) else ''}: {', '.join(parts)}>"


_UNSET: Final = object()
_LONG: Final = frozenset({"json", "binary"})
_SHOWN: Final = 4


def _not_settable(schema: Schema, name: str) -> FieldError:
    relation = schema.relation_specs.get(name)
    if relation is not None:
        return FieldError(
            f"{schema.name}.{name} is the other side of a relation and cannot be set. "
            f"Use `await ….{name}.add(…)`, or set the key of the related rows."
        )
    return schema.unknown(name)


def _set(instance: Instance, name: str, value: Any) -> None:
    """Set an attribute and note the change."""
    schema = schema_of(instance)
    spec = schema.fields.get(name)
    if spec is not None:
        _set_column(instance, schema, spec, value)
    elif name in schema.relation_specs:
        _set_relation(instance, schema, schema.relation_specs[name], value)
    else:
        set_attribute(instance, name, value)


def _set_column(instance: Instance, schema: Schema, spec: FieldSpec, value: Any) -> None:
    if spec.primary_key and not is_new(instance) and slot(instance, spec.name) != value:
        raise FieldError(
            f"{schema.name}.{spec.name} is the key of a stored row and cannot change. "
            f"Create a new instance, or use {schema.name}.objects.filter(…).update({spec.name}=…)."
        )
    if spec.relation is not None and slot(instance, spec.name) != value:
        _forget_relation(instance, spec.relation)
    set_attribute(instance, spec.name, value)
    state_of(instance).changed.add(spec.name)


def _set_relation(instance: Instance, schema: Schema, spec: RelationSpec, value: Any) -> None:
    if spec.attribute is None:
        raise _not_settable(schema, spec.name)
    column = schema.fields[spec.attribute]
    key = None if value is None else value
    if value is not None:
        relation = schema.relation(spec.name)
        assert relation is not None
        if not isinstance(value, relation.target.model):
            raise FieldError(
                f"{schema.name}.{spec.name} takes an instance of {relation.target.name}, not {value!r}. "
                f"For a key: {spec.attribute}=…, or {relation.target.name}.reference(…)."
            )
        key = slot(value, relation.far.name)
    _set_column(instance, schema, column, key)
    set_attribute(instance, spec.name, value)


def _forget_relation(instance: Instance, name: str) -> None:
    for attribute_name in (name, f"_loaded_{name}"):
        try:
            object.__delattr__(instance, attribute_name)
        except AttributeError:
            continue


def _missing(instance: Instance, name: str) -> Any:
    """What an attribute is whose slot is empty: a sparse instance, a related query set, or an error with the cure."""
    schema: Schema | None = type(instance).__dict__.get("__schema__")
    if schema is None or name.startswith("__"):
        raise AttributeError(f"{type(instance).__name__!r} object has no attribute {name!r}")
    if name in schema.relation_specs:
        relation = schema.relation(name)
        assert relation is not None
        return _missing_relation(instance, schema, relation)
    if name in schema.fields:
        if is_new(instance):
            return _unset_value(schema, name)
        raise NotLoaded(
            f"{schema.name}.{name} is not loaded. {_cure(instance, name)} or write: await instance.load({name!r})."
        )
    return _reraise(instance, schema, name)


def _cure(instance: Instance, name: str) -> str:
    """How to read a column that is not loaded: over the relation that led here, or in spite of only() and defer()."""
    state = slot(instance, "_state")
    if state is not None and state.origin is not None:
        return f"Add .select_related({state.origin!r}) to the query,"
    return f"Leave {name!r} out of defer(), name it in only(),"


def _unset_value(schema: Schema, name: str) -> Any:
    raise NotLoaded(f"{schema.name}.{name} was not given. Set it before you read it.")


def _reraise(instance: Instance, schema: Schema, name: str) -> Any:
    """Raise what a property of that name raised, or say that there is no such attribute."""
    if hasattr(type(instance), name):
        return object.__getattribute__(instance, name)
    raise AttributeError(f"{schema.name} has no attribute {name!r}. Choose from: {', '.join(schema.names)}.")


def _missing_relation(instance: Instance, schema: Schema, relation: Relation) -> Any:
    if relation.many:
        cache = slot(instance, f"_loaded_{relation.name}")
        return RelatedQuerySet[Any](instance, relation, cache)
    if not relation.holds_key:
        raise NotLoaded(
            f"{schema.name}.{relation.name} is not loaded. Add .select_related({relation.name!r}) to the query, "
            f"or write: await instance.load({relation.name!r})."
        )
    key = slot(instance, relation.near.name, _UNSET)
    if key is _UNSET:
        if is_new(instance):
            return _unset_value(schema, relation.name)
        raise NotLoaded(
            f"{schema.name}.{relation.near.name} is not loaded. {_cure(instance, relation.near.name)} or load it."
        )
    if key is None:
        return None
    state = slot(instance, "_state")
    made = _sparse(relation.target, key)
    origin = relation.name if state is None or state.origin is None else f"{state.origin}__{relation.name}"
    made._state = InstanceState(database=state.database if state is not None else None, origin=origin)
    set_attribute(instance, relation.name, made)
    return made


def _sparse(schema: Schema, key: Any) -> Instance:
    """An instance that knows only its key."""
    return cast("Instance", persistence.from_values(schema, {schema.key.name: key}, None, hook=False))


async def _load_columns(instance: Instance, schema: Schema, names: list[str]) -> None:
    """Read columns of the row into the instance."""
    fields_named = [persistence.field_named(schema, name) for name in names] or list(schema.fields.values())
    database = persistence.database_of(instance)
    only = frozenset(spec.name for spec in fields_named)
    query = Query(schema)
    query = query.replace(
        where=(conditions(schema, (), {"pk": key_of(instance)}),),
        selection=type(query.selection)(only=only),
    )
    plan, values = select_plan(query, database)
    rows = await database.fetch(plan.sql, plan.bind(values), info=plan)
    assert plan.load is not None
    found = plan.load(rows, None)
    if not found:
        raise schema.does_not_exist(f"The row of {instance!r} no longer exists. SQL: {plan.sql}")
    for spec in fields_named:
        set_attribute(instance, spec.name, slot(found[0], spec.name))
        if spec.mutable:
            set_attribute(instance, f"_loaded_{spec.name}", slot(found[0], f"_loaded_{spec.name}"))
        if spec.relation is not None:
            _forget_relation(instance, spec.relation)
    state = slot(instance, "_state")
    if state is not None:
        state.changed.difference_update(only)
