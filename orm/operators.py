"""The one table of operators and transforms: what `name__icontains` and `date__year` are in SQL, on each engine."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from orm import types
from orm.exceptions import NotSupportedError

Element = sa.ColumnElement[Any]
Build = Callable[[str, Element, tuple[Element, ...]], Element]
"""Makes SQL of the engine's name, the left side and the operands."""

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
    return lambda engine, left, operands: compare(left, operands[0])


def _isnull(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
    return left.is_(None)


def _not_null(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
    return left.is_not(None)


def _range(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
    return left.between(operands[0], operands[1])


def _in(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
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


def _like(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
    if engine == "sqlite":
        return left.bool_op("GLOB")(operands[0])
    return left.like(operands[0], escape=ESCAPE)


def _folded_pattern(before: str, after: str) -> Callable[[str, str], str]:
    return lambda engine, text: before + escape_like(text) + after


def _needs_folding(text: str) -> bool:
    """SQLite folds ASCII by itself; the rest of Unicode needs our function, which is slower."""
    return not text.isascii()


def _ilike(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
    if engine == "sqlite":
        return left.like(operands[0], escape=ESCAPE)
    return left.ilike(operands[0], escape=ESCAPE)


def _iexact(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
    if engine == "sqlite":
        return sa.collate(left, "NOCASE") == operands[0]
    return sa.func.lower(left) == sa.func.lower(operands[0])


def fold(left: Element) -> Element:
    """The text without case, by Unicode's rules, on SQLite."""
    return sa.func.orm_fold(left)


def _regex(flags: str) -> Build:
    def build(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
        if engine == "postgresql":
            return left.bool_op("~*" if flags == "i" else "~")(operands[0])
        return left.bool_op("REGEXP")(operands[0])

    return build


def _regex_prefix(prefix: str) -> Callable[[str, str], str]:
    """MySQL takes case from the collation, so the pattern says which is meant."""
    return lambda engine, text: text if engine == "postgresql" or not prefix else f"({prefix}){text}"


def _mysql_case(engine: str, text: str) -> str:
    return f"(?-i){text}" if engine == "mysql" else text


def _search(engine: str, left: Element, operands: tuple[Element, ...]) -> Element:
    if engine == "postgresql":
        return sa.func.to_tsvector(left).bool_op("@@")(sa.func.plainto_tsquery(operands[0]))
    if engine == "mysql":
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


@dataclass(frozen=True, eq=False)
class Transform:
    """Something taken of a value before it is compared: a part of a date, …

    Attributes:
        kind: the kind of what it gives.
        type: SQLAlchemy's type of what it gives.
        kinds: the kinds of field that have it.
        build: makes SQL of the engine's name, the column and the column's kind.
    """

    name: str
    kinds: frozenset[str]
    build: Callable[[str, Element, str], Element]
    kind: str = "integer"
    type: TypeEngine[Any] = field(default_factory=sa.Integer)

    def __repr__(self) -> str:
        return self.name


def _local(engine: str, column: Element, kind: str) -> Element:
    """The column as a moment in UTC without a zone; only PostgreSQL's columns have one."""
    if engine == "postgresql" and kind == "datetime":
        return sa.func.timezone(sa.literal_column("'UTC'"), column)
    return column


def _strftime(form: str, column: Element, *modifiers: str) -> Element:
    literals: list[Element] = [sa.literal_column(f"'{modifier}'") for modifier in modifiers]
    text = sa.func.strftime(sa.literal_column(f"'{form}'"), column, *literals)
    return sa.cast(text, sa.Integer)


def _part(postgresql: str, mysql: Callable[[Element], Element], sqlite: Callable[[Element], Element]) -> Any:
    def build(engine: str, column: Element, kind: str) -> Element:
        if engine == "postgresql":
            part = sa.extract(postgresql, _local(engine, column, kind))  # seconds have a fraction
            return sa.cast(sa.func.floor(part) if postgresql == "second" else part, sa.Integer)
        return mysql(column) if engine == "mysql" else sqlite(column)

    return build


def _plain_part(name: str, form: str) -> Any:
    return _part(name, lambda c: sa.extract(name, c), lambda c: _strftime(form, c))


def _day(column: Element) -> Element:
    """The day alone: SQLite's arithmetic rounds to milliseconds, and the last microsecond of a day to the next."""
    return sa.func.substr(column, sa.literal_column("1"), sa.literal_column("10"))


def _thursday(form: str, column: Element) -> Element:
    """A part of the Thursday in the same ISO week, which decides on the week's year and number."""
    return _strftime(form, _day(column), "-3 days", "weekday 4")


def _week_day(engine: str, column: Element, kind: str) -> Element:
    if engine == "mysql":
        return sa.func.dayofweek(column)
    part = sa.cast(sa.extract("dow", _local(engine, column, kind)), sa.Integer)
    return (part if engine == "postgresql" else _strftime("%w", _day(column))) + sa.literal_column("1")


def _date(engine: str, column: Element, kind: str) -> Element:
    if engine == "postgresql":
        return sa.cast(_local(engine, column, kind), sa.Date)
    return sa.func.date(column, type_=sa.Date())


def _time(engine: str, column: Element, kind: str) -> Element:
    if engine == "postgresql":
        return sa.cast(_local(engine, column, kind), types.Time())
    if engine == "mysql":
        return sa.func.time(column, type_=types.Time())
    return sa.func.substr(column, sa.literal_column("12"), type_=types.Time())


_ONE: Element = sa.literal_column("1")
_SEVEN: Element = sa.literal_column("7")

TRANSFORMS: Final[Mapping[str, Transform]] = {
    entry.name: entry
    for entry in (
        Transform("year", DAYS, _plain_part("year", "%Y")),
        Transform("month", DAYS, _plain_part("month", "%m")),
        Transform("day", DAYS, _plain_part("day", "%d")),
        Transform("hour", CLOCKS, _plain_part("hour", "%H")),
        Transform("minute", CLOCKS, _plain_part("minute", "%M")),
        Transform("second", CLOCKS, _part("second", sa.func.second, lambda c: _strftime("%S", c))),
        Transform(
            "quarter",
            DAYS,
            _part(
                "quarter",
                sa.func.quarter,
                lambda c: (_strftime("%m", c) + sa.literal_column("2")).op("/", precedence=100)(sa.literal_column("3")),
            ),
        ),
        Transform(
            "week",
            DAYS,
            _part(
                "week",
                lambda c: sa.func.week(c, sa.literal_column("3")),
                lambda c: (_thursday("%j", c) - _ONE).op("/", precedence=100)(_SEVEN) + _ONE,
            ),
        ),
        Transform(
            "iso_year",
            DAYS,
            _part(
                "isoyear",
                lambda c: sa.func.yearweek(c, sa.literal_column("3")).op("DIV", precedence=100)(
                    sa.literal_column("100")
                ),
                lambda c: _thursday("%Y", c),
            ),
        ),
        Transform("week_day", DAYS, _week_day),
        Transform(
            "iso_week_day",
            DAYS,
            _part(
                "isodow",
                lambda c: sa.func.weekday(c) + _ONE,
                lambda c: (_strftime("%w", _day(c)) + sa.literal_column("6")).op("%", precedence=100)(_SEVEN) + _ONE,
            ),
        ),
        Transform("date", MOMENTS, _date, "date", sa.Date()),
        Transform("time", MOMENTS, _time, "time", types.Time()),
    )
}
"""Every transform by its name; `week_day` is Django's, 1 for Sunday to 7 for Saturday."""
