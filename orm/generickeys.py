"""`GenericForeignKey`: a reference to a row of one of several models, as a class body says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, cast, overload

from pydantic_core import core_schema
from sqlalchemy.types import NULLTYPE
from typing_extensions import TypedDict, Unpack

from orm.columns import Column
from orm.constraints import Index
from orm.exceptions import FieldError
from orm.genericspecs import GenericSpec
from orm.keys import composite
from orm.restrictions import check_types
from orm.schema import Instance, Schema
from orm.specs import MISSING, FieldSpec
from orm.textual import String

M = TypeVar("M", bound=Instance)
R = TypeVar("R", bound="Instance | None")

LONGEST_NAME: Final = 100
"""How many characters what rows have for a model may have."""

_UNKNOWN: Final = core_schema.any_schema()
"""What a key is until the models are known: see `Schema.value_spec`."""


class GenericRelated(Generic[R]):
    """A generic foreign key: an instance of one of its models on an instance, a column of them on the class."""

    def __init__(self, targets: Mapping[str, str], options: Mapping[str, Any]) -> None:
        self.targets = dict(targets)
        self.options = dict(options)

    def spec(self, name: str) -> GenericSpec:
        """The record of the generic foreign key under its name."""
        options = self.options
        null = bool(options.get("null"))
        default = None if null else MISSING
        column = options.get("type_column") or f"{name}_type"
        text: Any = String(max_length=LONGEST_NAME, choices=tuple(self.targets), column=column)
        key = FieldSpec(
            name=f"{name}_id",
            column=options.get("key_column") or f"{name}_id",
            type=NULLTYPE,
            kind="generic_key",
            core=_UNKNOWN,
            operand=_UNKNOWN,
            null=null,
            default=default,
            part_of=(name,),
        )
        kind = replace(text.spec(f"{name}_type"), null=null, default=default, part_of=(name,))
        return GenericSpec(name, self.targets, composite(name, (kind, key)))

    def indexes(self, name: str) -> list[Index]:
        """The index over both columns, unless none is wanted."""
        return [Index(f"{name}_type", f"{name}_id")] if self.options.get("index", True) else []

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[Instance]) -> Column[R]: ...
        @overload
        def __get__(self, instance: Instance, owner: type[Instance]) -> R: ...
        def __get__(self, instance: Instance | None, owner: type[Instance]) -> Any: ...
        def __set__(self, instance: Instance, value: R) -> None: ...


class GenericOptions(TypedDict, total=False):
    """What a generic foreign key takes.

    Attributes:
        names: what rows have for models, by the models' names; a model's own name unless given.
        index: whether there is an index over both columns; there is one unless told otherwise.
        type_column, key_column: the columns' names; the field's with `_type` and `_id` unless given.
    """

    names: Mapping[str, str]
    index: bool
    type_column: str
    key_column: str


@overload
def GenericForeignKey(
    *targets: type[M], null: Literal[False] = False, **options: Unpack[GenericOptions]
) -> GenericRelated[M]: ...
@overload
def GenericForeignKey(
    *targets: type[M], null: Literal[True], default: None = ..., **options: Unpack[GenericOptions]
) -> GenericRelated[M | None]: ...
@overload
def GenericForeignKey(
    *targets: str, null: bool = False, default: None = ..., **options: Unpack[GenericOptions]
) -> Any: ...
def GenericForeignKey(*targets: Any, **options: Any) -> Any:
    """A reference to a row of one of several models: a column for the model's name, and one for the row's key.

    The database does not know what it refers to: it checks nothing, and deletes nothing with the row.

    Args:
        targets: the models, or the names of all of them. Their keys are of one kind.

    Raises:
        FieldError: there is no model, or one of them twice; unknown or contradictory options.
    """
    for option in options:
        if option not in _OPTIONS:
            known = ", ".join(sorted(_OPTIONS))
            raise FieldError(f"GenericForeignKey has no option {option!r}. Choose from: {known}.")
    check_types("GenericForeignKey", options, texts=("type_column", "key_column"))
    names = options.get("names", {})
    if not isinstance(names, Mapping):
        raise FieldError(
            f"GenericForeignKey: names gives models other names in rows, {{'Album': 'album'}}, not {names!r}."
        )
    if options.get("default") is not None:
        raise FieldError("GenericForeignKey has no other default than None.")
    if "default" in options and not options.get("null"):
        raise FieldError("GenericForeignKey: the default is None, which is not allowed. Give null=True, too.")
    models = [target if isinstance(target, str) else _name_of(target) for target in targets]
    if not models or len(set(models)) < len(models):
        raise FieldError(f"GenericForeignKey takes models, each of them once, not {', '.join(models) or 'none'}.")
    return GenericRelated[Any](_named(models, cast("Mapping[str, str]", names)), options)


_OPTIONS: Final = frozenset({*GenericOptions.__annotations__, "null", "default"})


def _name_of(target: Any) -> str:
    schema = getattr(target, "__schema__", None)
    if schema is None:
        raise FieldError(f"GenericForeignKey refers to models or to the names of some, not to {target!r}.")
    return cast("Schema", schema).name


def _named(models: Sequence[str], names: Mapping[str, str]) -> dict[str, str]:
    """The models by what rows have for them."""
    for model in names:
        if model not in models:
            raise FieldError(f"GenericForeignKey has a name for {model!r}, which is none of its models. Add it.")
    found: dict[str, str] = {}
    for model in models:
        name = names.get(model, model)
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(f"GenericForeignKey: {name!r} is no name of 1 to {LONGEST_NAME} characters for {model}.")
        if name in found:
            raise FieldError(f"GenericForeignKey: {found[name]} and {model} have the same name {name!r} in rows.")
        found[name] = model
    return found
