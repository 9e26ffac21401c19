"""The metaclass of models: a class body becomes a model with its `Schema` and its row class.

For each concrete model it makes a row class, which has a slot for each column and plain `object.__setattr__`, and puts
it first in the model's bases; the model itself has no slots. The loader fills an object of the row class and then
switches its class, so that loading pays neither for change tracking nor for dictionaries.
"""

from __future__ import annotations

import inspect
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, cast

from orm import relations
from orm.bases import declarations, inherited_options, method_resolution, own_declarations, own_options
from orm.columns import attribute
from orm.constraints import UniqueConstraint
from orm.declaration import check_called, check_managers, check_name, options_of, row_class, schema_of_body
from orm.exceptions import DoesNotExist, FieldError, MultipleObjectsReturned
from orm.hierarchy import enter
from orm.inheritance import check_hiding, parent_of, tell_apart
from orm.keys import CompositeKey
from orm.plaintext import snake_case
from orm.schema import Options, Schema
from orm.signals import inform
from orm.specs import RelationSpec


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
            value: Any = base.__dict__.get(self.name)
            if value is not None and not isinstance(value, MemberDescriptorType):
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
    order = method_resolution(name, bases)
    root = next(base for base in reversed(order) if isinstance(base, ModelMeta))
    parent = parent_of(name, order)
    fresh = [base for base in order if parent is None or not issubclass(parent, base)]
    check_called(name, root, namespace)
    own = own_declarations(name, fresh, namespace)
    for field_name, value in own.items():
        del namespace[field_name]
        if value is not None:
            check_name(name, field_name, root, key=isinstance(value, CompositeKey))
    everything = declarations(name, fresh, own)
    check_managers(name, root, order, namespace, everything)
    said = own_options(order, namespace.get("Meta"))
    options = options_of(name, inherited_options(order, parent, said))
    namespace["__declared__"] = own
    namespace["__said__"] = said
    if "__slots__" in namespace:
        raise FieldError(f"{name} cannot have __slots__ of its own: the columns have theirs already.")
    namespace["__slots__"] = ()
    if options.abstract and options.proxy:
        raise FieldError(
            f"{name} is abstract and a proxy. Choose one: a proxy has the rows of the model it inherits from."
        )
    if options.abstract:
        return type.__new__(metaclass, name, bases, namespace, **keywords)
    inherited = None if parent is None else parent.__schema__
    with nullcontext() if options.registry is None else options.registry.declaring():
        schema = schema_of_body(name, options, everything, partial(_with_generated_through, root), inherited, said)
        check_hiding(schema, namespace)
        schema.row = row_class(schema, namespace.get("__module__", ""))
        namespace["__schema__"] = schema
        rows = () if schema.concrete is not schema else (schema.row,)
        model = type.__new__(metaclass, name, (*rows, *bases), namespace, **keywords)
        _finish(root, model, schema)
    return model


def _with_generated_through(root: type[Any], name: str, options: Options, relation: RelationSpec) -> RelationSpec:
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
    model = ModelMeta(through, (root,), namespace)
    schema = cast("Schema", cast("Any", model).__schema__)
    return replace(relation, through=schema, through_fields=(near, far))


def _finish(root: type[Any], model: Any, schema: Schema) -> None:
    """Hang the schema on its model and enter it into the registry."""
    schema.model = model
    schema.after_load = model.after_load is not root.after_load
    schema.cleans = model.clean is not root.clean
    if inspect.iscoroutinefunction(model.clean):
        raise FieldError(
            f"{schema.name}.clean() is a coroutine. It checks what is loaded and talks to no database: def clean(self)."
        )
    for error, name in ((DoesNotExist, "does_not_exist"), (MultipleObjectsReturned, "multiple_objects_returned")):
        namespace = {"__module__": model.__module__, "__qualname__": f"{model.__qualname__}.{error.__name__}"}
        base = error if schema.parent is None else getattr(schema.parent, name)
        own = type(error.__name__, (base,), namespace)
        setattr(schema, name, own)
        type.__setattr__(model, error.__name__, own)
    for name in ("pk", *schema.fields, *schema.generics, *schema.relation_specs):
        if name not in ModelMeta.__dict__:
            setattr(ModelMeta, name, ClassAttribute(name))
    schema.registry.add(schema)
    enter(schema)
    tell_apart(schema)
    inform(schema)
