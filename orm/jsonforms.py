"""A field's core schema as clients meet it: values may come as JSON has them, leave as JSON, and have a JSON schema.

It is made of the core schema that the field has for its own values, whatever field that is. Where such a schema cannot
tell by itself what a value is in JSON, it says so:

- `json_or_python_schema`, for a value that is an object of some class: its `json_schema` makes the object of what JSON
  has, its `serialization` the other way round.
- `metadata={"json_schema": …}` is added to the JSON schema: a dictionary, or a function that changes one in place.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, cast

import pydantic
from pydantic_core import CoreSchema, SchemaValidator, core_schema
from pydantic_core import ValidationError as CoreError

from orm.kinds import NO_NUL, no_nul

_PARTS: Final = frozenset(
    {"schema", "steps", "choices", "fields", "items_schema", "keys_schema", "values_schema", "extras_schema"}
    | {"json_schema", "python_schema", "lax_schema", "strict_schema"}
)
"""Where a core schema has others inside."""


class Core:
    """An annotation of a type that brings a core schema of its own: `Annotated[str, Core(…)]`."""

    def __init__(self, core: CoreSchema) -> None:
        self.core = core

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> CoreSchema:
        return self.core


def json_form(core: CoreSchema) -> CoreSchema:
    """The core schema that takes what `core` takes, and the same values as they are in JSON."""
    given = cast("dict[str, Any]", core)
    made = {name: _inside(value) if name in _PARTS else value for name, value in given.items() if name != "strict"}
    metadata = dict(given.get("metadata", {}))  # a copy, since pydantic adds to it
    said = metadata.pop("json_schema", None)
    made["metadata"] = metadata
    change = _CHANGES.get(given["type"])
    if change is not None:
        made = change(made)
    form = cast("CoreSchema", made)
    return form if said is None else _described(form, said)


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value)
        if isinstance(inner.get("type"), str):
            return json_form(cast("CoreSchema", inner))
        return {name: _inside(one) for name, one in inner.items()}
    if isinstance(value, (list, tuple)):
        return [_inside(one) for one in cast("list[Any]", value)]
    return value


def _described(core: CoreSchema, said: Mapping[str, Any] | Callable[[dict[str, Any]], None]) -> CoreSchema:
    """The schema with more in its JSON schema."""
    extra: Any = said if callable(said) else dict(said)
    annotated = Annotated[Any, Core(core), pydantic.Field(json_schema_extra=extra)]
    return pydantic.TypeAdapter[Any](annotated).core_schema


# ---------------------------------------------------------------- what is another thing in JSON


def _text(core: dict[str, Any]) -> dict[str, Any]:
    """Clients need not read that a text has no NUL; it is checked all the same."""
    if core.get("pattern") != NO_NUL:
        return core
    plain = {name: value for name, value in core.items() if name != "pattern"}
    return cast("dict[str, Any]", core_schema.no_info_after_validator_function(no_nul, cast("CoreSchema", plain)))


def _bytes(core: dict[str, Any]) -> dict[str, Any]:
    """Bytes are texts in base64 (RFC 4648)."""
    made = core_schema.no_info_before_validator_function(
        _decoded,
        cast("CoreSchema", core),
        serialization=core_schema.plain_serializer_function_ser_schema(_encoded, when_used="json-unless-none"),
    )
    return cast("dict[str, Any]", _described(made, _base64))


def _base64(json_schema: dict[str, Any]) -> None:
    """The limits are those of bytes, and say nothing about the text."""
    json_schema.clear()
    json_schema.update({"type": "string", "contentEncoding": "base64"})


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("bytes are written in base64") from None


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _either(core: dict[str, Any]) -> dict[str, Any]:
    """Python's form of a value, or JSON's; web frameworks give what is in a body as Python objects of JSON's types."""
    python = SchemaValidator(core["python_schema"]).validate_python
    json = SchemaValidator(core["json_schema"]).validate_python

    def check(value: Any) -> Any:
        try:
            return python(value)
        except CoreError:
            return json(value)

    return {**core, "python_schema": core_schema.no_info_plain_validator_function(check)}


def _anything(core: dict[str, Any]) -> dict[str, Any]:
    """A function that says nothing about its values: they may be anything in JSON."""
    made = core_schema.json_or_python_schema(
        core_schema.any_schema(), cast("CoreSchema", {n: v for n, v in core.items() if n != "serialization"})
    )
    if "serialization" in core:
        made["serialization"] = core["serialization"]
    return cast("dict[str, Any]", made)


_CHANGES: Final[Mapping[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    "str": _text,
    "bytes": _bytes,
    "json-or-python": _either,
    "function-plain": _anything,
}
