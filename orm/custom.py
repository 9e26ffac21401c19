"""Fields of types of the user's own: `custom_field`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Literal, TypeVar, cast, overload

from pydantic_core import CoreSchema, SchemaValidator, core_schema
from pydantic_core import ValidationError as CoreError
from sqlalchemy.types import TypeEngine
from typing_extensions import Unpack

from orm import registration
from orm.exceptions import FieldError
from orm.fields import Field, Options, Server, checked
from orm.types import CustomType

T = TypeVar("T")

_OWN_KINDS: Final = frozenset({"array", "range", "enum", "json", "hstore", "search_vector", "inet", "cidr", "macaddr"})
"""Kinds whose lookups need their own column types."""


class CustomOptions(Options[T], Generic[T], total=False):
    """How values of a type become those of a column, and which lookups they have.

    Attributes:
        to_database: gives what the column holds; the value itself if not given.
        from_database: makes a value of what the column holds.
        validate: what checks a value that is written or compared with: a function that gives it back, perhaps another
            one, or raises `ValueError`; or a core schema of pydantic's. Without it an instance of the type is wanted.
        json_schema: what is added to the JSON schema.
        kind: the kind of value whose lookups it has, or a new one, for lookups that you register for it; that of the
            column's field, if the column is given as one.
        mutable: values can be changed in place, so that `save()` must compare them.
    """

    to_database: Callable[[T], Any]
    from_database: Callable[[Any], T]
    validate: Callable[[Any], T] | CoreSchema
    json_schema: Mapping[str, Any]
    kind: str
    mutable: bool


@overload
def custom_field(
    python: type[T],
    kept: TypeEngine[Any] | Field[Any],
    /,
    *,
    null: Literal[False] = False,
    default: T | Callable[[], T] | Server = ...,
    **options: Unpack[CustomOptions[T]],
) -> Field[T]: ...
@overload
def custom_field(
    python: type[T],
    kept: TypeEngine[Any] | Field[Any],
    /,
    *,
    null: Literal[True],
    default: T | Callable[[], T | None] | Server | None = ...,
    **options: Unpack[CustomOptions[T]],
) -> Field[T | None]: ...
@overload
def custom_field(
    python: type[T],
    kept: TypeEngine[Any] | Field[Any],
    /,
    *,
    null: bool = False,
    default: Any = ...,
    **options: Unpack[CustomOptions[T]],
) -> Field[T]: ...
def custom_field(python: Any, kept: Any, /, **options: Any) -> Any:
    """A field of values of any type: what a constructor of your own returns.

    Args:
        python: the type of the values.
        kept: what holds them: a field, such as `orm.String(max_length=7)`, which also checks what is written and says
            which lookups there are; or a type of SQLAlchemy's, perhaps with variants for some engines.
        options: see `CustomOptions`; and `null`, `default` and the other options of every field.

    Raises:
        FieldError: something of this is none of these, or contradicts another.
    """
    if not isinstance(python, type):
        raise FieldError(f"custom_field takes the type of the values first, and not {python!r}.")
    name = f"custom_field({python.__name__})"
    given = checked(name, options, *_OWN)
    own = {option: given.pop(option) for option in _OWN if option in given}
    outer: Any = kept
    inner: Field[Any] | None = outer if isinstance(kept, Field) else None
    kind = _column_type(name, cast("Any", kept))
    write, read = _conversions(name, own)
    check = _validator(name, python, own.get("validate"))
    return Field[Any](
        _kind(name, own.get("kind"), inner),
        CustomType(kind, write, read),
        _core(check, write, read, inner, own.get("json_schema")),
        given,
        mutable=_flag(name, own.get("mutable", False)),
    )


_OWN: Final = tuple(name for name in CustomOptions.__annotations__ if name not in Options.__annotations__)


def _column_type(name: str, column: Any) -> TypeEngine[Any]:
    """The column type. Raises `FieldError` for what is none, and for what our statements could not write."""
    kind, field = column, column
    if isinstance(column, Field):
        if field.options.keys() & Options.__annotations__.keys() or {"null", "default"} & field.options.keys():
            raise FieldError(f"{name}: null, default and the other common options belong to the outer field.")
        if field.filled:
            raise FieldError(
                f"{name}: the column is given as a field of plain values, such as orm.String(max_length=7)."
            )
        kind = field.type
    made: Any = kind
    if not isinstance(kind, TypeEngine):
        raise FieldError(
            f"{name} takes a field, such as orm.String(max_length=7), or a column type of SQLAlchemy's, and not "
            f"{column!r}."
        )
    if made._has_bind_expression or made._has_column_expression:
        raise FieldError(f"{name}: values of {made!r} go through functions of SQL, which writes here do not.")
    found: TypeEngine[Any] = made
    return found


def _conversions(name: str, own: Mapping[str, Any]) -> tuple[Callable[[Any], Any] | None, Callable[[Any], Any] | None]:
    write, read = own.get("to_database"), own.get("from_database")
    for option, function in (("to_database", write), ("from_database", read)):
        if function is not None and not callable(function):
            raise FieldError(f"{name}: {option} is a function of a value, not {function!r}.")
    if (write is None) is not (read is None):
        missing = "to_database" if write is None else "from_database"
        raise FieldError(f"{name}: {missing} is missing. Give both ways, or none where the column holds the values.")
    return write, read


def _validator(name: str, python: type[Any], given: Any) -> CoreSchema:
    if given is None:
        return core_schema.is_instance_schema(python)
    if callable(given):
        return core_schema.no_info_plain_validator_function(given)
    if isinstance(given, dict) and "type" in given:
        return cast("CoreSchema", given)
    raise FieldError(f"{name}: validate is a function of a value or a core schema of pydantic's, not {given!r}.")


def _kind(name: str, given: Any, inner: Field[Any] | None) -> str:
    if given is None:
        return inner.kind if inner is not None and inner.kind not in _OWN_KINDS else "custom"
    if given in _OWN_KINDS:
        raise FieldError(f"{name}: kind={given!r} has a column type of its own. Choose another one, or a new word.")
    registration.add_kind(given)
    return cast("str", given)


def _flag(name: str, mutable: Any) -> bool:
    if not isinstance(mutable, bool):
        raise FieldError(f"{name}: mutable is True or False, not {mutable!r}.")
    return mutable


def _core(
    check: CoreSchema,
    write: Callable[[Any], Any] | None,
    read: Callable[[Any], Any] | None,
    inner: Field[Any] | None,
    json_schema: Mapping[str, Any] | None,
) -> CoreSchema:
    """The core schema of a value: checked, and what becomes of it in the column, too; in JSON it is what that holds."""
    core = check
    if inner is not None:
        fits = SchemaValidator(inner.core).validate_python

        def fitting(value: Any) -> Any:
            try:
                fits(value if write is None else write(value))
            except CoreError as error:
                problem = error.errors(include_url=False, include_context=False)[0]
                raise ValueError(f"the column does not hold it: {problem['msg']}") from None
            return value

        core = core_schema.no_info_after_validator_function(fitting, core)
    stored = core_schema.any_schema() if inner is None else inner.core
    if json_schema is not None:
        stored = core_schema.no_info_after_validator_function(
            lambda value: value, stored, metadata={"json_schema": dict(json_schema)}
        )
    if read is None or write is None:
        made = core_schema.chain_schema([stored, core])
        return core_schema.json_or_python_schema(made, core)
    made = core_schema.chain_schema([core_schema.no_info_after_validator_function(read, stored), core])
    serialization = core_schema.plain_serializer_function_ser_schema(write, when_used="json-unless-none")
    return core_schema.json_or_python_schema(made, core, serialization=serialization)
