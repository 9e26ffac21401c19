"""What `into()` builds of rows: dataclasses, pydantic models, NamedTuples; their fields, and the columns for them."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import pydantic

from orm.exceptions import DataError, FieldError
from orm.lookups import named
from orm.query import Node, Query
from orm.references import refuse_many
from orm.specs import BoundedCache

_MOST_PROBLEMS = 3
"""How many problems of a row an error's message names; its cause has all."""
_fields: Final = BoundedCache()
"""The fields of each target."""


@dataclass(frozen=True, slots=True)
class TargetField:
    """One value that a target is built with.

    Attributes:
        name: the field's name.
        words: the names that its column may have, the field's own first.
        key: the argument's name, or what a pydantic model's validator finds it by.
        required: it has no default.
        positional: it may be given by its position.
    """

    name: str
    words: tuple[str, ...]
    key: str
    required: bool
    positional: bool = False


def check(target: object) -> None:
    """Raise `FieldError` for what rows cannot be built into."""
    known: Any = target
    if not isinstance(target, type) or not (
        dataclasses.is_dataclass(known) or _is_model(known) or _is_named_tuple(known)
    ):
        raise FieldError(f"into() takes a class: a dataclass, a pydantic model or a NamedTuple, not {target!r}.")


def _is_model(target: type[Any]) -> bool:
    return issubclass(target, pydantic.BaseModel) and not issubclass(target, pydantic.RootModel)


def _is_named_tuple(target: type[Any]) -> bool:
    fields: Any = getattr(target, "_fields", None)
    return issubclass(target, tuple) and isinstance(fields, tuple)


def fields_of(target: type[Any]) -> tuple[TargetField, ...]:
    """The fields of a target in the order of its arguments. Raises `FieldError` for a model that is not complete."""
    found = _fields.get(target)
    if found is None:
        found = _fields[target] = tuple(_model_fields(target) if _is_model(target) else _arguments(target))
    return cast("tuple[TargetField, ...]", found)


def _arguments(target: type[Any]) -> Iterable[TargetField]:
    for parameter in inspect.signature(target).parameters.values():
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            name = parameter.name
            required = parameter.default is parameter.empty
            yield TargetField(name, (name,), name, required, parameter.kind is not parameter.KEYWORD_ONLY)


def _model_fields(target: type[pydantic.BaseModel]) -> Iterable[TargetField]:
    target.model_rebuild(raise_errors=False)
    if not target.__pydantic_complete__:
        name = target.__name__
        raise FieldError(f"{name} names types that are not defined yet. Define them, and call {name}.model_rebuild().")
    config = cast("Mapping[str, Any]", target.model_config)
    by_name = bool(config.get("populate_by_name") or config.get("validate_by_name"))
    for name, info in target.model_fields.items():
        aliases = _texts(info.validation_alias)
        key = name if by_name or info.validation_alias is None else next(iter(aliases), None)
        if key is None:
            raise FieldError(
                f"{target.__name__}.{name} is found by a path of aliases only. Give the model the configuration "
                "populate_by_name=True."
            )
        words = tuple(dict.fromkeys([name, *aliases, *_texts(info.alias)]))
        yield TargetField(name, words, key, info.is_required())


def _texts(alias: str | pydantic.AliasPath | pydantic.AliasChoices | None) -> list[str]:
    if isinstance(alias, str):
        return [alias]
    choices = alias.choices if isinstance(alias, pydantic.AliasChoices) else ()
    return [choice for choice in choices if isinstance(choice, str)]


# ---------------------------------------------------------------- columns


def columns_for(query: Query, target: type[Any]) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """The columns and annotations that a target's fields name, and the keys that the target takes them under.

    Raises:
        FieldError: a required field names no column.
    """
    cached: Hashable = ("into", target)
    found = None if query.annotations else query.schema.cache.get(cached)
    if found is None:
        columns = _columns(query, target)
        found = (tuple(columns.values()), tuple(columns))
        if not query.annotations:
            query.schema.cache[cached] = found
    return cast("tuple[tuple[Node, ...], tuple[str, ...]]", found)


def _columns(query: Query, target: type[Any]) -> dict[str, Node]:
    columns: dict[str, Node] = {}
    choices = ", ".join([*query.schema.names, *query.annotations])
    for field in fields_of(target):
        column = _column(query, field)
        if column is not None:
            columns[field.key] = column
        elif field.required:
            raise FieldError(
                f"{target.__name__} needs {field.name!r}, and {query.schema.name} has no such column. "
                f"Choose from: {choices}. Or give the field a default."
            )
    if not columns:
        raise FieldError(f"No field of {target.__name__} is a column of {query.schema.name}. Choose from: {choices}.")
    return columns


def _column(query: Query, field: TargetField) -> Node | None:
    for word in field.words:
        try:
            column = named(query, word)
            refuse_many(column, "read")
        except FieldError:
            continue
        return column
    return None


def keys_for(target: type[Any], names: Sequence[str]) -> tuple[str, ...]:
    """The keys that a target takes columns under, which are matched by their names.

    Raises:
        FieldError: a column has no field, or a required field no column.
    """
    fields = fields_of(target)
    by_word = {word: field for field in fields for word in field.words} | {field.name: field for field in fields}
    taken: dict[TargetField, str] = {}
    for name in names:
        field = by_word.get(name)
        if field is None or field in taken:
            rest = ", ".join([field.name for field in fields if field not in taken]) or "(none)"
            raise FieldError(f"{target.__name__} has no field for the column {name!r}. Choose from: {rest}.")
        taken[field] = name
    for field in fields:
        if field.required and field not in taken:
            raise FieldError(
                f"{target.__name__} needs {field.name!r}, which is not among the columns that are read: "
                f"{', '.join(names)}. Read it, too, or give the field a default."
            )
    return tuple([field.key for field in taken])


# ---------------------------------------------------------------- building


def maker(target: type[Any]) -> Callable[[Mapping[str, Any]], Any] | None:
    """What makes a pydantic model of a dictionary; `None` for targets that are called."""
    if not _is_model(target):
        return None
    return cast("Callable[[Mapping[str, Any]], Any]", target.__pydantic_validator__.validate_python)


def validates(target: type[Any]) -> bool:
    """Whether building it can raise pydantic's error."""
    return hasattr(target, "__pydantic_validator__")


def misfit(model: str, target: type[Any], error: pydantic.ValidationError) -> DataError:
    """The error for a row that a target refuses; its message has no values, which may be anybody's secrets."""
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    told = [f"{'.'.join(map(str, problem['loc'])) or 'row'}: {problem['msg']}" for problem in problems[:_MOST_PROBLEMS]]
    more = f"; and {len(problems) - len(told)} more" if len(problems) > len(told) else ""
    return DataError(f"A row of {model} does not fit {target.__name__}: {'; '.join(told)}{more}.")
