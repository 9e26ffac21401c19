"""Lookups and transforms of your own: `@orm.lookup("ne")`, `@orm.transform("absolute")`.

They belong to a kind of value, so every model has them from then on: register them where the application starts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import operators, transforms
from orm.exceptions import FieldError
from orm.expressions import Function
from orm.operators import Build, Element, Operator
from orm.transforms import Transform

B = TypeVar("B", bound=Callable[..., sa.ColumnElement[Any]])
F = TypeVar("F", bound=type[Function[Any]])
Operand = Literal["value", "text", "values", "pair", "flag"]

KINDS: Final = [
    *("text", "integer", "float", "decimal", "boolean", "date", "datetime", "naive_datetime", "time", "duration"),
    *("uuid", "binary", "enum", "ip", "json", "array", "range"),
    *("hstore", "inet", "cidr", "macaddr", "search_vector", "custom"),
]
"""The kinds of value that a lookup or a transform can be for."""
_OPERANDS: Final = ("value", "text", "values", "pair", "flag")


def lookup(name: str, *, kinds: Iterable[str] | None = None, operand: Operand = "value") -> Callable[[B], B]:
    """Register the decorated function as a lookup: `filter(title__name=…)`, `Album.title.name(…)`.

    The function gets SQLAlchemy's dialect, the left side, and the operands, all as elements of SQLAlchemy Core, and
    gives a condition. It raises `NotSupportedError` for an engine (`dialect.name`) that cannot do it.

    Args:
        name: the word after two underscores.
        kinds: the kinds of field that have it; all but JSON and hstore if not given.
        operand: what it is compared with. `value`: one of the field's type. `text`: a text. `values`: any number of
            values, each an argument of the function, the last repeated up to a power of two. `pair`: two values.
            `flag`: `True`, or `False` for the opposite; the function gets no operand.

    Raises `FieldError` for a name that is not possible or is there already, and for an unknown kind or operand.
    """
    if operand not in _OPERANDS:
        raise FieldError(f"operand={operand!r} is not possible. Choose from: {', '.join(_OPERANDS)}.")
    wanted = _kinds(name, kinds)

    def register(function: B) -> B:
        build: Build = lambda dialect, left, operands: function(dialect, left, *operands)  # noqa: E731
        opposite = Operator(f"not {name}", _opposite(build), operand, wanted) if operand == "flag" else None
        operators.add(
            Operator(name, build, operand, wanted, expressions=operand in ("value", "text"), opposite=opposite)
        )
        return function

    return register


def transform(name: str, *, kinds: Iterable[str] | None = None) -> Callable[[F], F]:
    """Register the decorated `Function` of one operand as a transform: `filter(plays__name__gt=3)`, `Album.plays.name`.

    Args:
        name: the word after two underscores.
        kinds: the kinds of field that have it; all but JSON and hstore if not given.

    Raises `FieldError` for a name that is not possible or is there already, for an unknown kind, and for what is no
    subclass of `Function`.
    """
    wanted = _kinds(name, kinds)

    def register(function: F) -> F:
        given: Any = function
        if not (isinstance(given, type) and issubclass(given, Function)):
            raise FieldError(f"The transform {name!r} is a subclass of orm.Function, not {function!r}.")
        transforms.add(Transform(name, function, wanted))
        return function

    return register


def add_kind(kind: str) -> None:
    """Let there be another kind of value, of a field of the user's own. Raises `FieldError` for what is no name."""
    given: Any = kind
    if not isinstance(given, str) or not given.isidentifier():
        raise FieldError(f"A kind of value has a name, such as 'vector', not {kind!r}.")
    if kind not in KINDS:
        KINDS.append(kind)


def _opposite(build: Build) -> Build:
    def opposite(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
        return sa.not_(build(dialect, left, operands))

    return opposite


def _kinds(name: str, kinds: Iterable[str] | None) -> frozenset[str]:
    """The kinds of a new word. Raises `FieldError` when it cannot be one."""
    if not (name.isascii() and name.isidentifier()) or "__" in name or name.startswith("_") or name.endswith("_"):
        raise FieldError(f"{name!r} cannot be a lookup: words are identifiers, without __ and without _ at an end.")
    if isinstance(kinds, str):
        raise FieldError(f"kinds={kinds!r} is a text. Give a set of kinds, as in kinds={{{kinds!r}}}.")
    wanted = frozenset(KINDS) - {"json", "hstore"} if kinds is None else frozenset(kinds)
    for kind in sorted(wanted.difference(KINDS)):
        raise FieldError(f"There is no kind {kind!r}. Choose from: {', '.join(KINDS)}.")
    taken = sorted(kind for kind in wanted if operators.find(name, kind) or transforms.find(name, kind))
    if taken or not wanted:
        where = f"there is one already, for {', '.join(taken)}" if taken else "kinds is empty"
        raise FieldError(f"{name!r} cannot be a new lookup: {where}.")
    return wanted
