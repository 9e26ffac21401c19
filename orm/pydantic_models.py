"""pydantic models of our models: for requests, for responses, and for the instances themselves."""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, cast

import pydantic
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema
from pydantic_core import ValidationError as CoreError

from orm.cleaning import validate
from orm.exceptions import FieldError, ValidationError
from orm.instance_models import Form, InstanceModel, Unloaded
from orm.jsonforms import Core, json_form
from orm.reading import is_instance_of
from orm.schema import Instance, Relation, Schema
from orm.specs import MISSING, FieldSpec


@dataclass(frozen=True)
class Wanted:
    """What `pydantic_model` was asked for.

    Attributes:
        include: the names of the fields; `None` for all of them.
        exclude: the names of those that are left out.
        optional: the names of those that may be missing; `None` for all of them.
        depth: over how many relations related instances are models of their own.
    """

    name: str
    include: frozenset[str] | None = None
    exclude: frozenset[str] = frozenset()
    optional: frozenset[str] | None = frozenset()
    depth: int = 0
    unloaded: Unloaded = "raise"

    def has(self, name: str, other: str | None = None) -> bool:
        """Whether a field is wanted; a key has two names, its own and the relation's."""
        names = {name, other}
        if names & self.exclude:
            return False
        return self.include is None or any(given.partition("__")[0] in names for given in self.include)

    def may_lack(self, name: str, other: str | None = None) -> bool:
        """Whether a field may be missing."""
        return self.optional is None or bool({name, other} & self.optional)

    def over(self, relation: Relation) -> Wanted:
        """What is wanted of related instances: the names behind the relation's and `__`."""
        plain = Wanted(relation.target.name, unloaded=self.unloaded)
        inner = replace(
            plain,
            include=None if self.include is None else _behind(relation, self.include) or None,
            exclude=_behind(relation, self.exclude),
            optional=_behind(relation, self.optional or frozenset()),
            depth=self.depth - 1,
        )
        return plain if inner == plain else replace(inner, name=self.name + relation.name.title().replace("_", ""))


def _behind(relation: Relation, names: frozenset[str]) -> frozenset[str]:
    start = f"{relation.name}__"
    return frozenset([name.removeprefix(start) for name in names if name.startswith(start)])


def pydantic_model(
    model: type[Instance],
    *,
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    optional: Collection[str] | bool = False,
    depth: int = 0,
    name: str | None = None,
    unloaded: Unloaded = "raise",
) -> type[pydantic.BaseModel]:
    """A pydantic model with the fields of a model: their types, limits, choices, defaults and comments.

    Args:
        model: the model.
        include: the names of its fields; all of them unless given. Those of related instances are `relation__field`.
        exclude: the names of fields that are left out.
        optional: the names of fields that may be missing, or `True` for all of them, as for a PATCH. A field that was
            not given and has no default is no attribute of the result, and no key of `model_dump()`.
        depth: how many relations are followed. 0 gives their keys (`artist_id`), 1 related instances and lists of them
            (`artist`, `tracks`), 2 those of related instances as well.
        name: the name of the class, which JSON schemas show; the model's unless given.
        unloaded: what `model_validate(instance)` does with what is not loaded: `"raise"` raises `NotLoaded`, `"omit"`
            leaves it out. Neither asks a database.

    Raises:
        FieldError: a name that the model does not have, or an option that cannot be.
    """
    schema = schema_of(model)
    wanted = Wanted(
        schema.name if name is None else name,
        None if include is None else _names("include", include),
        _names("exclude", exclude),
        None if optional is True else _names("optional", () if optional is False else optional),
        depth,
        unloaded,
    )
    _check(schema, wanted)
    return _model_of(schema, wanted)


def schema_of(model: Any) -> Schema:
    """The schema of a model. Raises `FieldError` for an abstract one, and for what is none."""
    schema = vars(model).get("__schema__") if isinstance(model, type) else None
    if not isinstance(schema, Schema):
        raise FieldError(f"{getattr(model, '__name__', repr(model))} is no model with a table.")
    return schema


# ---------------------------------------------------------------- options


def _names(option: str, given: object) -> frozenset[str]:
    if isinstance(given, (str, bytes)) or not isinstance(given, Collection):
        raise FieldError(f"{option} is a set of names, as in {option}={{'id'}}, not {given!r}.")
    return frozenset(cast("Collection[str]", given))


def _check(schema: Schema, wanted: Wanted) -> None:
    depth: Any = wanted.depth
    if not isinstance(depth, int) or isinstance(depth, bool) or depth < 0:
        raise FieldError(f"depth is how many relations are followed, 0 or more, not {depth!r}.")
    _check_unloaded(wanted.unloaded)
    for name in sorted({*(wanted.include or ()), *wanted.exclude, *(wanted.optional or ())}):
        _check_name(schema, name, depth)


def _check_unloaded(unloaded: object) -> None:
    if unloaded not in ("omit", "raise"):
        raise FieldError(f"unloaded is 'omit' or 'raise', not {unloaded!r}.")


def _check_name(schema: Schema, name: str, depth: int) -> None:
    first, _, rest = name.partition("__")
    relation = schema.relation(first)
    if relation is None:
        if rest or first not in schema.fields:
            raise schema.unknown(first)
    elif depth == 0 and (rest or not any(spec.relation == first for spec in schema.fields.values())):
        raise FieldError(f"{schema.name}.{first} is a relation. Give depth=1 or more to have related instances.")
    elif rest:
        _check_name(relation.target, rest, depth - 1)


# ---------------------------------------------------------------- making


def _model_of(schema: Schema, wanted: Wanted) -> type[InstanceModel]:
    """The pydantic model, made once; once more when models were declared since that may have brought relations."""
    made: dict[Any, type[InstanceModel]] = schema.derived.setdefault("pydantic models", {})
    key = (wanted, len(schema.registry.schemas) if wanted.depth else 0)
    if key not in made:
        made[key] = _make(schema, wanted)
    return made[key]


def _make(schema: Schema, wanted: Wanted) -> type[InstanceModel]:
    relations = _relations(schema, wanted)
    columns = _columns(schema, wanted, relations)
    related = {relation.name: _model_of(relation.target, wanted.over(relation)) for relation in relations}
    fields: dict[str, Any] = {spec.name: _value_field(schema, wanted, spec) for spec in columns}
    fields |= {relation.name: _related_field(wanted, relation, related[relation.name]) for relation in relations}
    made: Any = pydantic.create_model(
        wanted.name, __base__=InstanceModel, __module__=schema.model.__module__, __doc__=schema.model.__doc__, **fields
    )
    made.__orm_form__ = Form(
        schema,
        tuple([spec.name for spec in columns]),
        related,
        frozenset([relation.name for relation in relations if relation.many]),
        frozenset([name for name, (_, info) in fields.items() if info.default_factory is _nothing]),
        wanted.unloaded,
    )
    return cast("type[InstanceModel]", made)


def _relations(schema: Schema, wanted: Wanted) -> list[Relation]:
    names = list(schema.relation_specs) if wanted.depth else []
    found = [schema.relation(name) for name in names if wanted.has(name)]
    return [relation for relation in found if relation is not None]


def _columns(schema: Schema, wanted: Wanted, relations: Sequence[Relation]) -> list[FieldSpec]:
    """The fields with values: all but the keys of related instances, unless such a key is asked for by its name."""
    nested = {relation.name for relation in relations}
    named = wanted.include or frozenset[str]()
    return [
        spec
        for spec in schema.fields.values()
        if wanted.has(spec.name, spec.relation) and (spec.relation not in nested or spec.in_key or spec.name in named)
    ]


def _nothing() -> None:
    """The default of a field that has none: it is taken away again."""


def _value_field(schema: Schema, wanted: Wanted, spec: FieldSpec) -> tuple[Any, Any]:
    core = json_form(schema.value_spec(spec).core)
    kind: Any = _python_type(cast("dict[str, Any]", core))
    if spec.null:
        kind, core = kind | None, core_schema.nullable_schema(core)
    given: dict[str, Any] = {"description": spec.comment}
    ours = spec.generated or spec.version or spec.computed is not None
    if ours:
        given["json_schema_extra"] = {"readOnly": True}
    made_later = ours or spec.server_default is not None or spec.clock is not None
    if made_later or wanted.may_lack(spec.name, spec.relation):
        given["default_factory"] = _nothing
    elif spec.default is not MISSING:
        given["default_factory" if callable(spec.default) else "default"] = spec.default
        given["validate_default"] = True  # a decimal's default may be an integer
    return Annotated[kind, Core(core)], pydantic.Field(**given)


def _related_field(wanted: Wanted, relation: Relation, model: type[InstanceModel]) -> tuple[Any, Any]:
    kind: Any = model
    if relation.many:
        kind = list[kind]
    elif relation.null:
        kind = kind | None
    return kind, pydantic.Field(default_factory=_nothing) if wanted.may_lack(relation.name) else pydantic.Field()


_TYPES: Final[Mapping[str, Any]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "bytes": bytes,
    "decimal": decimal.Decimal,
    "date": datetime.date,
    "datetime": datetime.datetime,
    "time": datetime.time,
    "timedelta": datetime.timedelta,
    "uuid": uuid.UUID,
}


def _python_type(core: dict[str, Any]) -> Any:
    """The type that a reader of the class sees; its core schema is what counts."""
    kind = core["type"]
    if kind == "enum":
        return core["cls"]
    if kind == "list":
        items: Any = _python_type(core["items_schema"])
        return list[items]
    inner = core["steps"][0] if kind == "chain" else core.get("schema")
    return _python_type(inner) if inner is not None else _TYPES.get(kind, Any)


# ---------------------------------------------------------------- instances


def core_schema_of(model: type[Instance], handler: pydantic.GetCoreSchemaHandler) -> CoreSchema:
    """pydantic's core schema of instances of a model: what makes `album: Album` work in a pydantic model.

    Instances are taken as they are; of a dictionary a new one is made. Their columns are serialised; the context
    `{"unloaded": "omit"}` leaves out those that are not loaded.
    """
    schema = schema_of(model)
    whole = _model_of(schema, Wanted(schema.name))

    def check(value: Any, inner: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if not isinstance(value, Instance):
            return _new(schema, inner(value))
        if not isinstance(value, model):
            raise ValueError(f"an instance of {schema.name} is wanted")
        return value

    def serialize(
        value: Any, inner: core_schema.SerializerFunctionWrapHandler, info: core_schema.SerializationInfo
    ) -> Any:
        unloaded = _asked(info.context)
        return inner(whole.of(value, unloaded) if is_instance_of(schema, value) else value)

    return core_schema.no_info_wrap_validator_function(
        check,
        handler.generate_schema(whole),
        serialization=core_schema.wrap_serializer_function_ser_schema(serialize, info_arg=True),
    )


def _asked(context: Any) -> Unloaded:
    """What a serialisation's context says about what is not loaded. Raises `FieldError`."""
    if not isinstance(context, Mapping):
        return "raise"
    unloaded = cast("Mapping[str, Unloaded]", context).get("unloaded", "raise")
    _check_unloaded(unloaded)
    return unloaded


def _new(schema: Schema, given: pydantic.BaseModel) -> Instance:
    """A new instance of what was given. Raises pydantic's error with every problem."""
    values = {name: getattr(given, name) for name in given.model_fields_set}
    try:
        computed = [name for name in values if schema.fields[name].computed is not None]
        if computed:
            raise ValidationError(dict.fromkeys(computed, "the database computes it, and nobody sets it"))
        made: Instance = schema.model(**values)
        validate(made)
    except ValidationError as error:
        raise CoreError.from_exception_data(schema.name, [_detail(problem) for problem in error.errors()]) from None
    return made


def _detail(problem: Mapping[str, Any]) -> InitErrorDetails:
    reason = PydanticCustomError("value_error", "{reason}", {"reason": problem["msg"]})
    return InitErrorDetails(type=reason, loc=problem["loc"], input=problem.get("input"))
