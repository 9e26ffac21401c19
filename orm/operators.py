"""The one table of operators and transforms: what `name__icontains` and `date__year` are in SQL, on each engine."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm.exceptions import NotSupportedError

Element = sa.ColumnElement[Any]
Build = Callable[[Dialect, Element, tuple[Element, ...]], Element]
"""Makes SQL of the dialect, the left side and the operands."""

TEXT: Final = frozenset({"text"})
ORDERED: Final = frozenset(
    {
        "text",
        "integer",
        "float",
        "decimal",
        "date",
        "datetime",
        "naive_datetime",
        "time",
        "duration",
        "uuid",
        "ip",
        "json_value",
    }
)
MOMENTS: Final = frozenset({"datetime", "naive_datetime"})
DAYS: Final = MOMENTS | {"date"}
CLOCKS: Final = MOMENTS | {"time"}
ESCAPE: Final = "!"
"""Escapes wildcards in LIKE: unlike a backslash it needs no escaping itself in any engine's string literals."""


@dataclass(frozen=True, eq=False)
class Operator:
    """A comparison.

    Attributes:
        kinds: the kinds of field that have it, or `None` for all.
        operand: what it is compared with: a value of the field's type, a list or a pair of them, a text, or a flag.
        prepare: turns a text into the pattern that is sent, for an engine.
        variant: what about an operand decides on SQL.
        expressions: whether the operand may be an expression.
    """

    name: str
    build: Build
    operand: Literal["value", "values", "pair", "text", "flag"] = "value"
    kinds: frozenset[str] | None = None
    prepare: Callable[[str, str], str] | None = None
    variant: Callable[[Any], Hashable] | None = None
    expressions: bool = False

    def __repr__(self) -> str:
        return self.name


def _simple(compare: Callable[[Any, Any], Any]) -> Build:
    return lambda dialect, left, operands: compare(left, operands[0])


def _isnull(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    return left.is_(None)


def _not_null(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    return left.is_not(None)


def _range(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    return left.between(operands[0], operands[1])


def _in(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    return left.in_(operands)


def escape_like(text: str) -> str:
    """The text with LIKE's wildcards escaped, to be matched literally."""
    return text.replace(ESCAPE, ESCAPE * 2).replace("%", f"{ESCAPE}%").replace("_", f"{ESCAPE}_")


def escape_glob(text: str) -> str:
    """The text with GLOB's wildcards escaped, to be matched literally."""
    return text.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")


def _pattern(before: str, after: str) -> Callable[[str, str], str]:
    """Case-sensitive patterns: SQLite's LIKE ignores case, its GLOB does not."""

    def prepare(engine: str, text: str) -> str:
        if engine == "sqlite":
            return before.replace("%", "*") + escape_glob(text) + after.replace("%", "*")
        return before + escape_like(text) + after

    return prepare


def _like(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name == "sqlite":
        return left.bool_op("GLOB")(operands[0])
    return left.like(operands[0], escape=ESCAPE)


def _folded_pattern(before: str, after: str) -> Callable[[str, str], str]:
    return lambda engine, text: before + escape_like(text) + after


def _needs_folding(text: str) -> bool:
    """SQLite folds ASCII by itself; the rest of Unicode needs our function, which is slower."""
    return not text.isascii()


def _ilike(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name == "sqlite":
        return left.like(operands[0], escape=ESCAPE)
    return left.ilike(operands[0], escape=ESCAPE)


def _iexact(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name == "sqlite":
        return sa.collate(left, "NOCASE") == operands[0]
    return sa.func.lower(left) == sa.func.lower(operands[0])


def fold(left: Element) -> Element:
    """The text without case, by Unicode's rules, on SQLite."""
    return sa.func.orm_fold(left)


def _regex(flags: str) -> Build:
    def build(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
        if dialect.name == "postgresql":
            return left.bool_op("~*" if flags == "i" else "~")(operands[0])
        return left.bool_op("REGEXP")(operands[0])

    return build


def _regex_prefix(prefix: str) -> Callable[[str, str], str]:
    """MySQL takes case from the collation, so the pattern says which is meant."""
    return lambda engine, text: text if engine == "postgresql" or not prefix else f"({prefix}){text}"


def _mysql_case(engine: str, text: str) -> str:
    return f"(?-i){text}" if engine == "mysql" else text


def _search(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name == "postgresql":
        return sa.func.to_tsvector(left).bool_op("@@")(sa.func.plainto_tsquery(operands[0]))
    if dialect.name == "mysql":
        return left.match(operands[0])
    raise NotSupportedError(
        "SQLite has full text search only in tables made for it (FTS5), so a column has no lookup 'search'. "
        "Use icontains, or the query set's search(…)."
    )


OPERATORS: Final[Mapping[str, Operator]] = {
    entry.name: entry
    for entry in (
        Operator("exact", _simple(operator.eq), expressions=True),
        Operator("gt", _simple(operator.gt), kinds=ORDERED, expressions=True),
        Operator("gte", _simple(operator.ge), kinds=ORDERED, expressions=True),
        Operator("lt", _simple(operator.lt), kinds=ORDERED, expressions=True),
        Operator("lte", _simple(operator.le), kinds=ORDERED, expressions=True),
        Operator("in", _in, operand="values"),
        Operator("range", _range, operand="pair", kinds=ORDERED - {"json_value"}),
        Operator("isnull", _isnull, operand="flag"),
        Operator("iexact", _iexact, operand="text", kinds=TEXT | {"json_value"}, variant=_needs_folding),
        Operator("contains", _like, "text", TEXT | {"json_value"}, _pattern("%", "%")),
        Operator("startswith", _like, "text", TEXT | {"json_value"}, _pattern("", "%")),
        Operator("endswith", _like, "text", TEXT | {"json_value"}, _pattern("%", "")),
        Operator("icontains", _ilike, "text", TEXT | {"json_value"}, _folded_pattern("%", "%"), _needs_folding),
        Operator("istartswith", _ilike, "text", TEXT | {"json_value"}, _folded_pattern("", "%"), _needs_folding),
        Operator("iendswith", _ilike, "text", TEXT | {"json_value"}, _folded_pattern("%", ""), _needs_folding),
        Operator("regex", _regex(""), "text", TEXT, _mysql_case),
        Operator("iregex", _regex("i"), "text", TEXT, _regex_prefix("?i")),
        Operator("search", _search, "text", TEXT),
    )
}
"""Every operator by its name."""
NOT_NULL: Final = Operator("not_null", _not_null, operand="flag")
"""What `isnull=False` is: no negation of `isnull`, as over a relation it is about the same related row as the rest."""
