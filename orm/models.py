"""`Model`: a class body becomes a `Schema`; instances keep track of what changes, and are saved and deleted.

For each concrete model the metaclass makes a row class, which has a slot for each column and plain
`object.__setattr__`, and puts it first in the model's bases; the model itself has no slots. The loader fills an object
of the row class and then switches its class, so that loading pays neither for change tracking nor for dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, cast, dataclass_transform

import sqlalchemy as sa

from orm import constructors, numeric, persistence, postgresql, relations, temporal, textual
from orm.attributes import load_columns, missing, not_settable, set_value, sparse
from orm.columns import attribute
from orm.constraints import UniqueConstraint
from orm.database import Database
from orm.declaration import check_name, options_of, row_class, schema_of_body, snake_case
from orm.exceptions import DoesNotExist, FieldError, InterfaceError, MultipleObjectsReturned
from orm.fields import Field
from orm.lookups import conditions
from orm.persistence import forget_relation, is_new, key_of, schema_of, set_attribute, slot
from orm.prefetch import Prefetch, Reader, prefetch
from orm.query import Query
from orm.queryset import Objects
from orm.relations import RelationField
from orm.schema import Instance, InstanceState, Options, RelationSpec, Schema
from orm.specs import MISSING


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
                value: Any = base.__dict__[self.name]
                return value.__get__(None, cls) if hasattr(cast("Any", type(value)), "__get__") else value
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
    declared: dict[str, Any] = {n: v for n, v in namespace.items() if isinstance(v, (Field, RelationField))}
    for field_name in declared:
        del namespace[field_name]
    options = options_of(name, bases, namespace.get("Meta"))
    inherited: dict[str, Any] = {}
    for base in reversed(bases):
        inherited.update(base.__dict__.get("__declared__", {}))
    everything = {**inherited, **declared}
    for field_name in declared:
        check_name(name, field_name, Model)
    namespace["__declared__"] = everything
    namespace["__options__"] = options
    if "__slots__" in namespace:
        raise FieldError(f"{name} cannot have __slots__ of its own: the columns have theirs already.")
    namespace["__slots__"] = ()
    if options.abstract:
        return type.__new__(metaclass, name, bases, namespace, **keywords)
    _check_bases(name, bases)
    schema = schema_of_body(name, options, everything, _with_generated_through)
    row = row_class(schema, namespace.get("__module__", ""))
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
        numeric.AutoField,
        numeric.BigAutoField,
        numeric.SmallInteger,
        numeric.Integer,
        numeric.BigInteger,
        numeric.Float,
        numeric.Decimal,
        constructors.Boolean,
        textual.String,
        textual.Text,
        textual.Slug,
        textual.Email,
        textual.URL,
        constructors.UUID,
        temporal.Date,
        temporal.DateTime,
        temporal.Time,
        temporal.Duration,
        constructors.Binary,
        constructors.JSON,
        constructors.Enum,
        constructors.IPAddress,
        postgresql.Array,
        postgresql.IntegerRange,
        postgresql.BigIntegerRange,
        postgresql.DecimalRange,
        postgresql.DateRange,
        postgresql.DateTimeRange,
        numeric.Version,
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
                raise not_settable(schema, name)
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
        checked = conditions(Query(schema), (), {"pk": key})
        return cast("Self", sparse(schema, cast("Any", checked).values[0]))

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
                raise not_settable(schema, name)
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
            await load_columns(self, schema, columns)
        if related:
            database = persistence.database_of(self)
            bound = database is not schema.registry.database
            for name in related:
                forget_relation(self, name)
            await prefetch([self], [Prefetch(name) for name in related], Reader(database, bound))
        return self

    def after_load(self) -> None:
        """A hook that runs after an instance was made of a row; `__init__` does not run then."""

    if not TYPE_CHECKING:  # exposed, they would let every name through

        def __setattr__(self, name, value):
            set_value(self, name, value)

        def __getattr__(self, name):
            return missing(self, name)

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
