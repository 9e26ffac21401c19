"""`Model`, the base of all models: instances keep track of what changes, and are saved, deleted, loaded and pickled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self, cast, dataclass_transform

import sqlalchemy as sa
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from orm import (
    announcing,
    cleaning,
    constructors,
    custom,
    generated,
    generickeys,
    numeric,
    postgresql,
    relations,
    temporal,
    textual,
)
from orm.attributes import known_by, load_columns, missing, not_settable, set_value, sparse
from orm.database import Database
from orm.exceptions import DoesNotExist, FieldError, InterfaceError, MultipleObjectsReturned
from orm.fields import Field
from orm.instances import database_of, forget_relation, held, is_new, key_of, schema_of, set_attribute, slot
from orm.lookups import conditions
from orm.metaclass import ModelMeta
from orm.prefetch import Prefetch, Reader, prefetch
from orm.pydantic_models import core_schema_of
from orm.query import Query
from orm.queryset import Objects
from orm.schema import Instance, Schema
from orm.specs import MISSING
from orm.states import InstanceState


def _restore(model: Any, values: dict[str, Any], state: tuple[Any, ...] | None, extra: Any) -> Any:
    """An unpickled instance."""
    instance = object.__new__(model.__schema__.row)
    for name, value in values.items():
        set_attribute(instance, name, value)
    if state is not None:
        new, changed, *known = state
        instance._state = InstanceState(new=new)
        instance._state.changed = set(changed)
        if known:
            schema = model.__schema__
            instance._state.known = schema.composite([schema.fields[name] for name in known])
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
        generated.Generated,
        custom.custom_field,
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
        postgresql.INET,
        postgresql.CIDR,
        postgresql.MACADDR,
        postgresql.HStore,
        postgresql.TSVector,
        postgresql.IntegerRange,
        postgresql.BigIntegerRange,
        postgresql.DecimalRange,
        postgresql.DateRange,
        postgresql.DateTimeRange,
        numeric.Version,
        generickeys.GenericForeignKey,
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
            if name not in schema.fields and name not in schema.generics and name != "pk":
                relation = schema.relation_specs.get(name)
                if relation is None or relation.attribute is None:
                    raise not_settable(schema, name)
            setattr(self, name, value)
        for spec in schema.fields.values():
            if spec.name not in state.changed and spec.default is not MISSING:
                default = spec.default
                set_attribute(self, spec.name, default() if callable(default) else default)
        if schema.key.generated and schema.key.name not in state.changed:
            set_attribute(self, schema.key.name, None)
        state.changed.clear()

    if TYPE_CHECKING:
        pk = cast("Field[Any]", None)  # not a property: a model with a key of several fields declares it anew
    else:

        @property
        def pk(self):
            """The key."""
            return getattr(self, schema_of(self).key.name)

    @classmethod
    def reference(cls, key: Any) -> Self:
        """An instance that knows only its key; no query is made, and nobody checks that the row exists."""
        schema: Schema | None = cls.__dict__.get("__schema__")
        if schema is None:
            raise FieldError(f"{cls.__name__} is abstract and has no rows.")
        checked = conditions(Query(schema), (), {"pk": key})
        return cast("Self", sparse(schema, schema.key, cast("Any", checked).values[0]))

    async def save(self, *, fields: Iterable[str] | None = None, using: Database | None = None) -> Self:
        """Insert a new instance; of a stored one, update what has changed since it was loaded.

        Args:
            fields: update these fields, whether they have changed or not.
            using: another database than the one it was loaded from, or its registry's.

        Raises:
            ValidationError: values of a wrong type, over a limit, or missing; nothing was sent.
            StaleInstance: the row is gone, or has another version.
        """
        await announcing.save(self, fields, using)
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
        await announcing.save(self, values, None)
        return self

    async def delete(self, *, using: Database | None = None) -> None:
        """Delete the row. Raises `StaleInstance` when it is gone, or has another version."""
        await announcing.delete(self, using)

    async def load(self, *names: str) -> Self:
        """Read columns and relations of the row again: the named ones; without names, all columns.

        What was changed and not saved is overwritten. Raises `DoesNotExist` when the row is gone.
        """
        schema = schema_of(self)
        if is_new(self) or slot(self, known_by(self, schema).name) is None:
            raise InterfaceError(f"{self!r} has no row to load.")
        related = [name for name in names if name in schema.relation_specs or name in schema.generics]
        columns = [name for name in names if name not in related]
        if columns or not names:
            await load_columns(self, schema, columns)
        if related:
            database = database_of(self)
            bound = database is not schema.registry.database
            for name in related:
                forget_relation(self, name)
            await prefetch([self], [Prefetch(name) for name in related], Reader(database, bound))
        return self

    def clean(self) -> None:
        """A hook that checks the instance as a whole, before it is written: in `save`, `create`, `bulk_create`, ….

        It may set attributes, which are checked after it. For a problem it raises `ValueError` with a sentence, or
        `ValidationError` with several: `orm.ValidationError({"ends": "before it starts"})`. It does not run on loading,
        nor for the `update` of a query set, which has no instances.
        """

    def validate(self) -> None:
        """Check the values and `clean()` without a database; of a stored instance, what is loaded of it.

        Raises `ValidationError` with every problem.
        """
        cleaning.validate(self)

    def after_load(self) -> None:
        """A hook that runs after an instance was made of a row; `__init__` does not run then."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema_of(cls, handler)

    if not TYPE_CHECKING:  # exposed, they would let every name through

        def __setattr__(self, name, value):
            set_value(self, name, value)

        def __getattr__(self, name):
            return missing(self, name)

        def __reduce__(self):
            state = slot(self, "_state")
            kept = None
            if state is not None:
                known = getattr(state, "known", None)
                names = () if known is None else [part.name for part in known.fields]
                kept = (state.new, state.changed, *names)
            return _restore, (type(self), held(self), kept, self.__dict__ or None)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) and not _are_kin(self, other):
            return NotImplemented
        key = key_of(self)
        return key is not None and key == key_of(cast("Instance", other))

    def __hash__(self) -> int:
        key = key_of(self)
        if key is None:
            cure = "Save it first" if is_new(self) else "Load it first: await ….load()"
            raise TypeError(f"{self!r} has no key yet, so it has no hash. {cure}.")
        return hash((schema_of(self).root.name, key))

    def __repr__(self) -> str:
        schema = schema_of(self)
        shown = [*schema.keys, *[s for s in schema.fields.values() if not s.in_key and s.kind not in _LONG]]
        parts: list[str] = []
        for spec in shown:
            value = slot(self, spec.name, _UNSET)
            if value is not _UNSET and len(parts) < _SHOWN:
                text = repr(value)
                parts.append(f"{spec.name}={text if len(text) <= 40 else text[:37] + '…'}")
        return f"<{schema.name}{' (new)' if is_new(self) else ''}: {', '.join(parts)}>"


def _are_kin(one: Instance, other: object) -> bool:
    """Whether two instances of different classes could be of the same row: their models inherit from the same one."""
    return isinstance(other, Instance) and schema_of(one).root is schema_of(other).root


_UNSET: Final = object()


_LONG: Final = frozenset({"json", "binary"})


_SHOWN: Final = 4
