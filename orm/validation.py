"""Values are checked before they are sent: one compiled validator for each schema, one for each kind of operand.

The checks run in pydantic-core, in strict mode: a value has the field's type already, nothing is guessed from text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from pydantic_core import CoreSchema, SchemaValidator, core_schema
from pydantic_core import ValidationError as CoreError

from orm.exceptions import ValidationError
from orm.schema import Schema
from orm.specs import CACHE_SIZE, FieldSpec

Checker = Callable[[Any], Any]
"""Gives the value as it is to be sent, or raises `ValidationError`."""

_BY_KIND: Final[Mapping[str, CoreSchema]] = {
    "integer": core_schema.int_schema(strict=True, ge=-(2**31), le=2**31 - 1),
    "date": core_schema.date_schema(strict=True),
    "time": core_schema.time_schema(strict=True, tz_constraint="naive"),
    "json_value": core_schema.json_or_python_schema(
        core_schema.any_schema(), core_schema.no_info_plain_validator_function(lambda value: json_value(value))
    ),
}
"""What a transformed value is compared with."""

_MOST_PROBLEMS: Final = 20
"""How many problems the message of an error tells; `errors()` has all of them."""


def json_value(value: Any) -> Any:
    """The value, if JSON has it. Raises `ValueError` for anything else: NaN, bytes, keys that are no text, …"""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a text with a NUL character cannot be in a database")
        value.encode()
        return value
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):
            raise ValueError("JSON has no NaN and no infinity")
        return value
    if isinstance(value, dict):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType]
            if not isinstance(key, str):
                raise ValueError(f"the keys of a JSON object are texts, not {key!r}")
            json_value(key)
            json_value(item)
        return cast("dict[str, Any]", value)
    if isinstance(value, (list, tuple)):
        for item in cast("list[Any]", value):
            json_value(item)
        return cast("list[Any]", value)
    raise ValueError(f"JSON has no {type(value).__name__}")


def _operand_schema(spec: FieldSpec, kind: str) -> CoreSchema:
    return spec.operand if kind == spec.kind else _BY_KIND[kind]


@lru_cache(CACHE_SIZE)
def operand_checker(
    name: str,
    spec: FieldSpec,
    kind: str,
    *,
    bounded: bool,
    core: Callable[[FieldSpec], CoreSchema] | None = None,
) -> Checker:
    """Checks what a column is compared with.

    Args:
        name: the words of the lookup, for the message.
        spec: what the values of the column are.
        kind: the kind of what is compared: the field's, or that of a transform.
        bounded: whether the longest text counts: a longer one can equal none in the column.
        core: makes the core schema of an operand that is no value of the column's.
    """
    schema = _operand_schema(spec, kind) if core is None else core(spec)
    length = spec.limits.get("max_length") if bounded and kind == "text" else None
    validate = SchemaValidator(schema).validate_python

    def check(value: Any) -> Any:
        try:
            checked = validate(value)
        except CoreError as error:
            raise ValidationError(f"{name}: {_first(error)}", _problems(error, name)) from None
        if length is not None and len(checked) > length:
            message = f"{name} has at most {length} characters, and {value[:40]!r}… has {len(value)}."
            raise ValidationError.single(name, message, value)
        return checked

    return check


class Validator:
    """Checks the values of rows of one schema."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._whole = SchemaValidator(_row_schema(schema, partial=False))
        self._partial = SchemaValidator(_row_schema(schema, partial=True))

    def whole(self, values: dict[str, Any]) -> dict[str, Any]:
        """Check a row to be inserted. Raises `ValidationError` with every problem, missing values among them."""
        try:
            checked: dict[str, Any] = self._whole.validate_python(values)
        except CoreError as error:
            raise self._error(error) from None
        return checked

    def partial(self, values: dict[str, Any]) -> dict[str, Any]:
        """Check some values of a row. Raises `ValidationError` with every problem."""
        try:
            checked: dict[str, Any] = self._partial.validate_python(values)
        except CoreError as error:
            raise self._error(error) from None
        return checked

    def _error(self, error: CoreError) -> ValidationError:
        problems = _problems(error)
        for problem in problems:
            where: tuple[Any, ...] = problem["loc"]
            problem["loc"] = (self.schema.fields[where[0]].label, *where[1:])
        return invalid(self.schema, problems)


def invalid(schema: Schema, problems: Sequence[dict[str, Any]]) -> ValidationError:
    """The error with these problems of an instance, or of several; its message tells the first of them."""
    told = [_describe(problem) for problem in problems[:_MOST_PROBLEMS]]
    if len(problems) > len(told):
        told.append(f"and {len(problems) - len(told)} more")
    return ValidationError(f"{schema.name} is not valid. {'; '.join(told)}.", problems)


def validator(schema: Schema) -> Validator:
    """The validator of a schema, compiled on first use."""
    found: Validator | None = schema.derived.get("validator")
    if found is None:
        found = schema.derived["validator"] = Validator(schema)
    return found


def _row_schema(schema: Schema, *, partial: bool) -> CoreSchema:
    fields: dict[str, core_schema.TypedDictField] = {}
    for name, spec in schema.fields.items():
        core = schema.value_spec(spec).core
        if spec.null or (spec.generated and not partial):
            core = core_schema.nullable_schema(core)
        fields[name] = core_schema.typed_dict_field(core, required=spec.required and not partial)
    return core_schema.typed_dict_schema(fields, extra_behavior="forbid")


def _problems(error: CoreError, name: str | None = None) -> list[dict[str, Any]]:
    problems: list[dict[str, Any]] = [dict(problem) for problem in error.errors(include_url=False)]
    for problem in problems:
        problem["msg"] = problem["msg"].removeprefix("Value error, ")
        if isinstance(problem.get("ctx", {}).get("error"), Exception):  # as in pydantic's JSON: a text
            problem["ctx"] = {**problem["ctx"], "error": str(problem["ctx"]["error"])}
        if name is not None:
            problem["loc"] = (name, *problem["loc"])
    return problems


def _first(error: CoreError) -> str:
    problem = error.errors(include_url=False, include_context=False)[0]
    return f"{problem['msg'].removeprefix('Value error, ')}, not {_short(problem['input'])}."


def _describe(problem: dict[str, Any]) -> str:
    where = ".".join(map(str, problem["loc"]))
    if not where:
        return str(problem["msg"])
    if problem["type"] == "missing":
        return f"{where}: a value is required"
    if problem["type"] == "unsaved":
        return f"{where}: {problem['msg']}"
    return f"{where}: {problem['msg']}, not {_short(problem['input'])}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
