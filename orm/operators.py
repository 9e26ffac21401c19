"""The one table of operators and transforms: what `name__icontains` and `date__year` are in SQL, on each engine."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final, Literal

import sqlalchemy as sa
from pydantic_core import CoreSchema
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm import enumerations
from orm.engines import engine_name
from orm.exceptions import FieldError, NotSupportedError
from orm.keys import KIND

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
COMPARABLE: Final = ORDERED | {"array", "range", "inet", "cidr", "macaddr", KIND}
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
        prepare: turns an operand into what is sent, for an engine.
        variant: what about an operand decides on SQL.
        expressions: whether the operand may be an expression.
        between: its SQL with an operand that is an expression, where that is another than with a value.
        core: pydantic's core schema of an operand that is no value of the field's, made of the field's description.
        sent: the type of the parameter, where it is not the field's; made of the engine, the field's type and the
            operand's variant.
        opposite: what a flag of `False` means.
        adapt: makes both sides what is compared, of the left side and an operand that is an expression; of any operand
            where `operand` is `expression`.
    """

    name: str
    build: Build
    operand: Literal["value", "values", "pair", "text", "flag", "expression"] = "value"
    kinds: frozenset[str] | None = None
    prepare: Callable[[str, Any], Any] | None = None
    variant: Callable[[Any], Hashable] | None = None
    expressions: bool = False
    core: Callable[[Any], CoreSchema] | None = None
    sent: Callable[[Dialect, TypeEngine[Any], Hashable], TypeEngine[Any]] | None = None
    opposite: Operator | None = None
    adapt: Callable[[Any, Any], tuple[Any, Any]] | None = None
    between: Build | None = None

    def __repr__(self) -> str:
        return self.name

    @property
    def whole(self) -> bool:
        """Whether it is about JSON as such, not about the text or number that a JSON value is."""
        return self.kinds is not None and "json" in self.kinds


def _simple(compare: Callable[[Any, Any], Any]) -> Build:
    return lambda dialect, left, operands: compare(left, operands[0])


def _ordered(compare: Callable[[Any, Any], Any]) -> Build:
    return lambda dialect, left, operands: compare(*enumerations.by_position(dialect, left, operands[0]))


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


def needs_folding(text: str) -> bool:
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


def _texts(compare: Build, *, folded: bool = False) -> Build:
    """A comparison with a text that is no value: it is no pattern, so nothing in it has to be escaped."""

    def build(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
        if folded:
            lower = fold if dialect.name == "sqlite" else sa.func.lower
            left, operands = lower(left), (lower(operands[0]),)
        return compare(dialect, left, operands)

    return build


_ZERO: Final[Element] = sa.literal_column("0")


def _has(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    name = {"sqlite": "instr", "postgresql": "strpos", "mysql": "instr"}[dialect.name]
    found: Element = getattr(sa.func, name)(left, operands[0])
    return found > _ZERO


def _begins(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name == "sqlite":
        beginning = sa.func.substr(left, sa.literal_column("1"), sa.func.length(operands[0]))
    else:
        beginning = sa.func.left(left, sa.func.char_length(operands[0]))
    return beginning == operands[0]


def _ends(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name != "sqlite":
        return sa.func.right(left, sa.func.char_length(operands[0])) == operands[0]
    length = sa.func.length(operands[0])
    return sa.or_(length == _ZERO, sa.func.substr(left, -length) == operands[0])  # the last 0 would be all


def _iregex_text(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
    if dialect.name == "postgresql":
        return left.bool_op("~*")(operands[0])
    prefix: Element = sa.literal_column("'(?i)'", sa.Text())
    return left.bool_op("REGEXP")(prefix + operands[0])


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


def only_on_postgresql(dialect: Dialect, what: str, cure: str) -> None:
    """Raise `NotSupportedError` on another engine than PostgreSQL."""
    if dialect.name != "postgresql":
        raise NotSupportedError(f"{engine_name(dialect)} has no {what}: PostgreSQL has. {cure}")


def postgresql_infix(symbol: str, what: str, cure: str) -> Build:
    """The SQL of an operator that PostgreSQL alone has."""

    def build(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, what, cure)
        return left.bool_op(symbol)(operands[0])

    return build


def postgresql_operator(name: str, symbol: str, kind: str, cure: str, core: Callable[[Any], CoreSchema]) -> Operator:
    """A comparison of a kind of field that PostgreSQL alone has."""
    return Operator(
        name, postgresql_infix(symbol, f"{kind}s", cure), kinds=frozenset({kind}), core=core, expressions=True
    )


def _text(
    name: str,
    build: Build,
    prepare: Callable[[str, Any], Any] | None,
    between: Build | None = None,
    variant: Callable[[Any], Hashable] | None = None,
) -> Operator:
    """A comparison of texts, which a value inside JSON has, too."""
    kinds = TEXT | {"json_value"}
    return Operator(name, build, "text", kinds, prepare, variant, expressions=True, between=between)


OPERATORS: Final[dict[str, Operator]] = {
    entry.name: entry
    for entry in (
        Operator("exact", _simple(operator.eq), expressions=True),
        Operator("gt", _ordered(operator.gt), kinds=COMPARABLE, expressions=True),
        Operator("gte", _ordered(operator.ge), kinds=COMPARABLE, expressions=True),
        Operator("lt", _ordered(operator.lt), kinds=COMPARABLE, expressions=True),
        Operator("lte", _ordered(operator.le), kinds=COMPARABLE, expressions=True),
        Operator("in", _in, operand="values"),
        Operator("range", _range, operand="pair", kinds=ORDERED - {"json_value"}),
        Operator("isnull", _isnull, operand="flag"),
        _text("iexact", _iexact, None, _texts(_simple(operator.eq), folded=True), needs_folding),
        _text("contains", _like, _pattern("%", "%"), _texts(_has)),
        _text("startswith", _like, _pattern("", "%"), _texts(_begins)),
        _text("endswith", _like, _pattern("%", ""), _texts(_ends)),
        _text("icontains", _ilike, _folded_pattern("%", "%"), _texts(_has, folded=True), needs_folding),
        _text("istartswith", _ilike, _folded_pattern("", "%"), _texts(_begins, folded=True), needs_folding),
        _text("iendswith", _ilike, _folded_pattern("%", ""), _texts(_ends, folded=True), needs_folding),
        _text("regex", _regex(""), _mysql_case),
        _text("iregex", _regex("i"), _regex_prefix("?i"), _iregex_text),
    )
}
"""Every operator by its name; of several with one name, which kinds of field share, the first."""
SPELLED: Final = frozenset(OPERATORS)
"""Names that columns spell otherwise, as `==`, or have a method for."""
_OWN: Final[dict[tuple[str, str], Operator]] = {}
"""Operators of one kind of field, by the kind and the name that operators of other kinds have, too."""
NOT_NULL: Final = Operator("not_null", _not_null, operand="flag")
"""What `isnull=False` is: no negation of `isnull`, as over a relation it is about the same related row as the rest."""


def find(name: str, kind: str) -> Operator | None:
    """The operator of a name that a kind of field has."""
    entry = own(OPERATORS[name], kind) if name in OPERATORS else None
    return entry if entry is not None and (entry.kinds is None or kind in entry.kinds) else None


def own(entry: Operator, kind: str) -> Operator:
    """What an operator's name means for a kind of field."""
    return _OWN.get((kind, entry.name), entry)


def reserved(word: str) -> bool:
    """Whether a word after a JSON column is a lookup and no key."""
    return word in SPELLED or find(word, "json") is not None or find(word, "json_value") is not None


def names(kind: str) -> list[str]:
    """The names of the operators that a kind of field has."""
    return [name for name in OPERATORS if find(name, kind) is not None]


def add(entry: Operator) -> None:
    """Add an operator. Raises `FieldError` when a kind that it is for has one of that name."""
    kinds = sorted(entry.kinds or ())
    general = OPERATORS.get(entry.name)
    listed = general.kinds or () if general is not None else ()
    taken = [kind for kind in kinds if (kind, entry.name) in _OWN or kind in listed]
    if taken:
        raise FieldError(f"There is a lookup {entry.name!r} already, for {', '.join(taken)}. Choose another name.")
    OPERATORS.setdefault(entry.name, entry)
    _OWN.update({(kind, entry.name): entry for kind in kinds})
