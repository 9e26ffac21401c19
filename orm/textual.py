"""The constructors of fields with texts; `constructors.py` says why they have two forms each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, overload

from pydantic_core import CoreSchema, SchemaValidator, core_schema
from pydantic_core import ValidationError as CoreError
from typing_extensions import Unpack

from orm import types
from orm.exceptions import FieldError
from orm.fields import Field, Options, Server, checked, limits
from orm.kinds import NO_NUL, no_nul
from orm.validation import Checker


class TextOptions(Options[str], total=False):
    """Limits of a text: its least length in characters, and a regular expression that it matches."""

    min_length: int
    pattern: str


_PLAIN_TEXT: Final = core_schema.str_schema(strict=True, pattern=NO_NUL)
_SLUG: Final = re.compile(r"[-a-zA-Z0-9_]+")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_URL: Final = SchemaValidator(core_schema.url_schema())


def _slug(value: str) -> str:
    if _SLUG.fullmatch(value) is None:
        raise ValueError("a slug has letters, digits, hyphens and underscores only")
    return value


def _email(value: str) -> str:
    if _EMAIL.fullmatch(value) is None:
        raise ValueError("an e-mail address is wanted, such as tom@example.org")
    return value


def _absolute_url(value: str) -> str:
    try:
        _URL.validate_python(value)
    except CoreError:
        raise ValueError("an absolute URL is wanted, such as https://example.org/") from None
    return value


def _text(
    name: str, options: Mapping[str, Any], check: Checker | None = None, *, limited: bool = True, format: str = ""
) -> Any:
    given = checked(name, options, "min_length", "pattern", *(["max_length"] if limited else []))
    length = given.get("max_length")
    if limited and (not isinstance(length, int) or isinstance(length, bool) or length < 1):
        raise FieldError(f"{name} needs max_length, a number of characters, as in {name}(max_length=100).")
    bounds = limits(given, "max_length", "min_length")
    pattern = given.get("pattern")
    core: CoreSchema = core_schema.str_schema(strict=True, pattern=NO_NUL if pattern is None else pattern, **bounds)
    if pattern is not None:
        core = core_schema.no_info_after_validator_function(no_nul, core)
    if check is not None:
        form = {"json_schema": {"format": format}} if format else {}
        core = core_schema.no_info_after_validator_function(check, core, metadata=form)
    return Field[Any](
        "text", types.String(int(length or 0)) if limited else types.Text(), core, given, operand=_PLAIN_TEXT
    )


@overload
def String(
    *,
    max_length: int,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def String(
    *,
    max_length: int,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def String(**options: Any) -> Any:
    """A text of at most `max_length` characters."""
    return _text("String", options)


@overload
def Text(
    *, null: Literal[False] = False, default: str | Callable[[], str] | Server = ..., **options: Unpack[TextOptions]
) -> Field[str]: ...
@overload
def Text(
    *,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def Text(**options: Any) -> Any:
    """A text of any length."""
    return _text("Text", options, limited=False)


@overload
def Slug(
    *,
    max_length: int = 50,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def Slug(
    *,
    max_length: int = 50,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def Slug(**options: Any) -> Any:
    """A text of letters, digits, hyphens and underscores, at most `max_length` characters."""
    return _text("Slug", {"max_length": 50, **options}, _slug)


@overload
def Email(
    *,
    max_length: int = 254,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def Email(
    *,
    max_length: int = 254,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def Email(**options: Any) -> Any:
    """An e-mail address: something, an at sign, and a domain with a dot."""
    return _text("Email", {"max_length": 254, **options}, _email, format="email")


@overload
def URL(
    *,
    max_length: int = 200,
    null: Literal[False] = False,
    default: str | Callable[[], str] | Server = ...,
    **options: Unpack[TextOptions],
) -> Field[str]: ...
@overload
def URL(
    *,
    max_length: int = 200,
    null: Literal[True],
    default: str | Callable[[], str | None] | Server | None = ...,
    **options: Unpack[TextOptions],
) -> Field[str | None]: ...
def URL(**options: Any) -> Any:
    """An absolute URL, kept as the text that was given."""
    return _text("URL", {"max_length": 200, **options}, _absolute_url, format="uri")
