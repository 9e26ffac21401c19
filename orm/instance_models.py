"""What the pydantic models of our models have in common: they are made of dictionaries, and of instances.

Nothing here asks a database: what of an instance is not loaded is left out, or raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self, cast

import pydantic
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from orm.cleaning import COMPUTED, as_written
from orm.exceptions import NotLoaded
from orm.reading import is_instance_of
from orm.schema import Instance, Schema
from orm.specs import BoundedCache

Unloaded = Literal["omit", "raise"]
"""What happens with what is not loaded: it is left out, or `NotLoaded` is raised."""


@dataclass(frozen=True, eq=False)
class Form:
    """What a pydantic model takes of an instance.

    Attributes:
        columns: the attributes with values.
        related: the pydantic models of related instances, by the attributes that have these.
        many: those of them that have several.
        absent: the fields that may be missing and have no default: they are not there unless they were given.
    """

    schema: Schema
    columns: tuple[str, ...]
    related: Mapping[str, type[InstanceModel]]
    many: frozenset[str]
    absent: frozenset[str]
    unloaded: Unloaded
    adapters: BoundedCache = field(default_factory=BoundedCache)

    def value(self, instance: Instance, name: str, unloaded: Unloaded) -> Any:
        """The value of a field; a related instance as its pydantic model. Raises `NotLoaded`."""
        value = getattr(instance, name)
        nested = self.related.get(name)
        if nested is None:
            self._check(name, value)
            return value
        if name in self.many:
            return [nested.of(one, unloaded) for one in value]
        return None if value is None else nested.of(value, unloaded)

    def _check(self, name: str, value: Any) -> None:
        """Raise `NotLoaded` for what only the database will know."""
        if (value is None and self.schema.fields[name].generated) or isinstance(value, COMPUTED):
            raise NotLoaded(f"{self.schema.name}.{name} is made by the database. Save the instance first.")


class InstanceModel(pydantic.BaseModel):
    """The base of the pydantic models that `pydantic_model` makes."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        from_attributes=True,
        protected_namespaces=(),
        json_schema_serialization_defaults_required=True,
    )
    __orm_form__: ClassVar[Form]

    @pydantic.model_validator(mode="wrap")
    @classmethod
    def _checked(cls, value: Any, handler: pydantic.ModelWrapValidatorHandler[Self]) -> Self:
        form = cls.__orm_form__
        if isinstance(value, Instance):
            if not is_instance_of(form.schema, value):
                raise ValueError(f"an instance of {form.schema.name} is wanted")
            return cls.of(value, form.unloaded)
        made = handler(value)
        for name in form.absent - made.model_fields_set:
            vars(made).pop(name, None)
        return made

    @classmethod
    def of(cls, instance: Instance, unloaded: Unloaded) -> Self:
        """The model of an instance, whose own values are not checked again. Raises `NotLoaded`."""
        form = cls.__orm_form__
        values: dict[str, Any] = {}
        for name in (*form.columns, *form.related):
            try:
                values[name] = form.value(instance, name, unloaded)
            except NotLoaded:
                if unloaded == "raise":
                    raise
        own = {name: values[name] for name in form.columns if name in values}
        values |= as_written(instance, own)
        unknown = {*form.columns, *form.related} - values.keys()
        for name, info in cls.model_fields.items():
            if name not in values and name not in unknown:  # a field of a subclass
                _add(cls, values, instance, name, info, unloaded)
        made = cls.model_construct(set(values), **values)
        for name in unknown:
            vars(made).pop(name, None)
        return made

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[pydantic.BaseModel], handler: pydantic.GetCoreSchemaHandler, /
    ) -> CoreSchema:
        """Its own schema, also of `Annotated[pydantic.BaseModel, AlbumIn]`, which type checkers understand."""
        return handler(source) if source is cls else handler.generate_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: pydantic.GetJsonSchemaHandler, /
    ) -> dict[str, Any]:
        made = handler(core_schema)
        if handler.mode == "serialization" and cls.__orm_form__.unloaded == "omit":
            handler.resolve_ref_schema(made).pop("required", None)
        return made


def _add(
    cls: type[InstanceModel], values: dict[str, Any], instance: Instance, name: str, info: FieldInfo, unloaded: Unloaded
) -> None:
    """Add what an instance has for a field of a subclass: an annotation, a property, related instances; checked."""
    try:
        value = getattr(instance, name)
        value = list(value) if name in cls.__orm_form__.schema.relation_specs and hasattr(value, "__iter__") else value
    except NotLoaded:
        if unloaded == "raise":
            raise
        return
    except AttributeError:
        if info.is_required():
            raise
        return
    adapters = cls.__orm_form__.adapters
    adapter = adapters.get((cls, name))
    if adapter is None:
        annotated: Any = cast("Any", Annotated)[info.annotation, info]
        adapter = adapters[cls, name] = pydantic.TypeAdapter[Any](annotated)
    values[name] = adapter.validate_python(value, from_attributes=True)
