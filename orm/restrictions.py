"""What the options of a field restrict its values to, and which options cannot be."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, cast

import sqlalchemy as sa
from pydantic_core import CoreSchema, SchemaError, SchemaValidator, core_schema, to_jsonable_python
from pydantic_core import ValidationError as CoreError

from orm.exceptions import FieldError
from orm.specs import MISSING

_SWITCHES: Final = ("null", "primary_key", "unique", "index")
_TEXTS: Final = ("column", "comment", "renamed_from")
_BOUNDS: Final = ("ge", "gt", "le", "lt")
_LENGTHS: Final = ("min_length", "max_length")


def check(name: str, options: Mapping[str, Any]) -> None:
    """Raise `FieldError` for options that cannot be, or that contradict each other."""
    check_types(name, options)
    if isinstance(options.get("default"), (list, dict, set)):
        kind = type(options["default"]).__name__
        raise FieldError(
            f"{name}: all instances would share the default. Give a function that makes one: default={kind}."
        )
    if options.get("default", MISSING) is None and not options.get("null"):
        raise FieldError(f"{name}: default=None needs null=True.")
    if options.get("primary_key") and options.get("null"):
        raise FieldError(f"{name}: a primary key cannot be null. Leave out null=True or primary_key=True.")
    _check_limits(name, options)
    _check_validators(name, options.get("validators", ()))


def check_types(
    name: str, options: Mapping[str, Any], *, switches: Sequence[str] = (), texts: Sequence[str] = ()
) -> None:
    """Raise `FieldError` for options of another type; those of every field, and more that are named."""
    for option in (*_SWITCHES, *switches):
        if not isinstance(options.get(option, False), bool):
            raise FieldError(f"{name}: {option} is True or False, not {options[option]!r}.")
    for option in (*_TEXTS, *texts):
        if option in options and not (isinstance(options[option], str) and options[option]):
            raise FieldError(f"{name}: {option} is a text, not {options[option]!r}.")


def check_init(name: str, init: object, why: str) -> None:
    """Raise `FieldError` for an `init` that type checkers alone read, and that is not what they read."""
    if init is not False:
        raise FieldError(f"{name}: init is for type checkers and is always False: {why}.")


def _check_limits(name: str, options: Mapping[str, Any]) -> None:
    for option in _BOUNDS:
        value: Any = options.get(option)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float, Decimal))):
            raise FieldError(f"{name}: {option} is a number, not {value!r}.")
    for option in _LENGTHS:
        value = options.get(option)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise FieldError(f"{name}: {option} is a number of characters or items, not {value!r}.")
    for low, high in (("ge", "le"), ("gt", "lt"), ("gt", "le"), ("ge", "lt"), _LENGTHS):
        least, most = options.get(low), options.get(high)
        if least is not None and most is not None and (least > most or (least == most and {low, high} & {"gt", "lt"})):
            raise FieldError(f"{name}: no value has {low}={least!r} and {high}={most!r}.")
    if options.get("pattern") is not None:
        try:
            SchemaValidator(core_schema.str_schema(pattern=options["pattern"]))
        except (SchemaError, TypeError) as error:
            why = str(error).splitlines()[-1].removeprefix("error: ")
            raise FieldError(f"{name}: pattern={options['pattern']!r} is no regular expression: {why}.") from None


def _check_validators(name: str, validators: object) -> None:
    if callable(validators) or not isinstance(validators, (list, tuple)):
        raise FieldError(f"{name}: validators is a list of functions, as in validators=[check], not {validators!r}.")
    for validate in cast("Sequence[Any]", validators):
        if not callable(validate):
            raise FieldError(f"{name}: a validator is a function of a value, not {validate!r}.")
        if inspect.iscoroutinefunction(validate):
            raise FieldError(f"{name}: the validator {_named(validate)} is a coroutine. It looks at the value alone.")


# ---------------------------------------------------------------- values


def restricted(kind: str, core: CoreSchema, options: Mapping[str, Any]) -> CoreSchema:
    """The core schema of values that are among the choices, and that pass the validators.

    Raises:
        FieldError: a choice or the default is no value of the field.
    """
    choices, plain = options.get("choices"), core
    if choices is not None:
        core = _with_choices(core, _lister(kind, core, choices))
    default = options.get("default", MISSING)
    if not (default is MISSING or default is None or callable(default) or isinstance(default, _SERVER)):
        _check_values(f"The default of a field ({kind})", plain if _is_function(choices) else core, [default])
    return _with_validators(core, options.get("validators", ()))


_SERVER: Final = (sa.ClauseElement, sa.schema.FetchedValue)


def _check_values(what: str, core: CoreSchema, values: Iterable[object]) -> None:
    validate = SchemaValidator(core).validate_python
    for value in values:
        try:
            validate(value)
        except CoreError as error:
            problem = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise FieldError(f"{what} cannot be {value!r}. {problem}.") from None


def labelled(kind: str, choices: object) -> list[tuple[Any, str]]:
    """The values that a field may have, each with its label: that of the pair, the member's name, or the value as text.

    Raises `FieldError` for what are no choices.
    """
    given: Any = cast("Any", choices)() if _is_function(choices) else choices
    if isinstance(given, type) and issubclass(given, enum.Enum):
        return [(member if kind == "enum" else member.value, _words(member)) for member in given]
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise FieldError(
            f"choices is a list of values, or of pairs of a value and its label, an enumeration, or a function that "
            f"gives one of these, not {given!r}."
        )
    pairs: list[tuple[Any, ...]] = [
        cast("Any", choice) if isinstance(choice, tuple) else (choice, _words(choice)) for choice in cast("Any", given)
    ]
    if any(len(pair) != 2 for pair in pairs):
        raise FieldError(f"choices has values, or pairs of a value and its label, not {given!r}.")
    return [(value, str(label)) for value, label in pairs]


def _words(value: object) -> str:
    """What people may call a value that has no label."""
    return value.name.replace("_", " ").capitalize() if isinstance(value, enum.Enum) else str(value)


def _is_function(choices: object) -> bool:
    return callable(choices) and not isinstance(choices, type)


def _lister(kind: str, core: CoreSchema, choices: object) -> Callable[[], list[Any]]:
    """What gives the values that are possible: at once, or each time, if a function gives them."""
    if _is_function(choices):
        return lambda: [value for value, _ in labelled(kind, choices)]
    listed = _listed(kind, core, choices)
    return lambda: listed


def _listed(kind: str, core: CoreSchema, choices: object) -> list[Any]:
    listed = [value for value, _ in labelled(kind, choices)]
    if not listed:
        raise FieldError("choices is an empty list, so no value is possible. Leave it out.")
    _check_values(f"A choice of a field ({kind})", core, listed)
    return listed


def _with_choices(core: CoreSchema, listed: Callable[[], list[Any]]) -> CoreSchema:
    def check(value: Any) -> Any:
        possible = listed()
        if value not in possible:
            raise ValueError(f"choose from: {', '.join(map(repr, possible))}")
        return value

    def shown(json_schema: dict[str, Any]) -> None:
        json_schema["enum"] = to_jsonable_python(listed())

    return core_schema.no_info_after_validator_function(check, core, metadata={"json_schema": shown})


def _with_validators(core: CoreSchema, validators: Sequence[Callable[[Any], Any]]) -> CoreSchema:
    """The schema with functions that run after it; what they give fits the field, too."""
    checked = core
    for validate in validators:
        checked = core_schema.no_info_after_validator_function(_giving(validate), checked)
    return core_schema.chain_schema([checked, core]) if validators else core


def _giving(validate: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The validator, which must give a value back: without one, NULL would be written."""

    def check(value: Any) -> Any:
        found = validate(value)
        if found is None:
            raise FieldError(
                f"The validator {_named(validate)} gave None for {value!r}. It gives a value back, or "
                "raises ValueError."
            )
        return found

    return check


def _named(validate: Any) -> str:
    return getattr(validate, "__qualname__", repr(validate))
