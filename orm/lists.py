"""Lists of many rows' values, as one value: texts that are joined, JSON lists, arrays; on each engine. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import partial
from typing import Any, Final
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from orm import types
from orm.database.mysql_refusals import Refusal, refusal
from orm.operators import Element
from orm.specs import FieldSpec

# ---------------------------------------------------------------- what JSON says of a value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _decimal(places: int | None, number: Decimal | int) -> Decimal:
    exact = Decimal(number)
    return exact if places is None else exact.quantize(Decimal(1).scaleb(-places))


_DECODERS: Final[Mapping[str, Callable[[Any], Any] | None]] = {
    "text": None,
    "integer": None,
    "json": None,
    "float": float,
    "boolean": bool,
    "date": date.fromisoformat,
    "datetime": _moment,
    "naive_datetime": datetime.fromisoformat,
    "time": time.fromisoformat,
    "uuid": UUID,
}
LISTED: Final = frozenset({*_DECODERS, "decimal", "enum"})
"""The kinds of values that a JSON list can hold."""


class JSONList(TypeDecorator[list[Any]]):
    """A JSON list that is computed, of values of one kind, which come back as they do from their column."""

    impl = sa.JSON
    cache_ok = True

    def __init__(self, kind: str, of: TypeEngine[Any]) -> None:
        super().__init__(none_as_null=True)
        self.kind = kind
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return (postgresql.JSONB if dialect.name == "postgresql" else sa.JSON)(none_as_null=True)

    def bind_processor(self, dialect: Dialect) -> types.Processor | None:
        return lambda value: None if value is None else types.dumps(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> types.Processor | None:
        decode = self._decoder()
        parse_float: Any = Decimal if self.kind == "decimal" else None

        def process(value: Any) -> Any:
            items = json.loads(value, parse_float=parse_float) if isinstance(value, (str, bytes)) else value
            if items is None or decode is None:
                return items
            return [None if item is None else decode(item) for item in items]

        return process

    def _decoder(self) -> Callable[[Any], Any] | None:
        if self.kind == "decimal":
            return partial(_decimal, getattr(self.of, "scale", None))
        if isinstance(self.of, types.CustomType):
            decode, read = _DECODERS[self.kind], self.of.read
            return read if decode is None else lambda value: read(decode(value))
        return self.of.members if isinstance(self.of, types.Enum) else _DECODERS[self.kind]


# ---------------------------------------------------------------- SQL


@dataclass(frozen=True)
class Rows:
    """Which rows' values are listed, and how.

    Attributes:
        where: the condition on them, or `None` for all.
        terms: the terms of ORDER BY.
        distinct: equal values count once.
    """

    where: Element | None
    terms: Sequence[Element]
    distinct: bool


class _GroupConcat(FunctionElement[str]):
    """GROUP_CONCAT of a value, a delimiter and terms of ORDER BY."""

    inherit_cache = False
    type = sa.Text()

    def __init__(self, value: Element, delimiter: Element, rows: Rows) -> None:
        super().__init__(value, delimiter, *rows.terms)
        self.once = rows.distinct


@compiles(_GroupConcat, "mysql")
def _group_concat(element: _GroupConcat, compiler: Any, **options: Any) -> str:
    value, delimiter, *terms = [compiler.process(part, **options) for part in element.clauses]
    order = f" ORDER BY {', '.join(terms)}" if terms else ""
    return f"GROUP_CONCAT({'DISTINCT ' if element.once else ''}{value}{order} SEPARATOR {delimiter})"


def _only(value: Element, where: Element | None) -> Element:
    """The value where the condition holds, else NULL: for aggregates that leave NULLs out."""
    return value if where is None else sa.case((where, value))


def _filtered(function: Any, where: Element | None) -> Element:
    made: Element = function if where is None else function.filter(where)
    return made


def _on_postgresql(name: str, value: Element, rows: Rows, *others: Element) -> Element:
    operands: list[Any] = [value.distinct() if rows.distinct else value, *others]
    if rows.terms:
        operands[-1] = postgresql.aggregate_order_by(operands[-1], *rows.terms)
    return _filtered(getattr(sa.func, name)(*operands), rows.where)


def _on_mysql(value: Element, delimiter: Element, rows: Rows) -> Element:
    """GROUP_CONCAT, which the server cuts where it gets too long: that is refused."""
    found = _GroupConcat(_only(value, rows.where), delimiter, rows)
    longest = sa.literal_column("LEAST(@@group_concat_max_len, @@max_allowed_packet) - 4", sa.BigInteger())
    cut = sa.func.octet_length(found) >= longest
    return sa.case((cut, sa.cast(refusal(Refusal.CUT_TEXT, found), sa.CHAR())), else_=found)


def _on_sqlite(name: str, option: Element, value: Element, rows: Rows) -> Element:
    """One of our own aggregates, which know orders: SQLite's do since 3.44."""
    keys: list[Element] = []
    directions = ""
    for term in rows.terms:
        descending = isinstance(term, sa.UnaryExpression) and term.modifier is operators.desc_op
        directions += "d" if descending else "a"
        keys.append(term.element if isinstance(term, sa.UnaryExpression) else term)
    flags: list[Element] = [sa.literal_column(str(int(rows.distinct))), sa.literal_column(f"'{directions}'")]
    return _filtered(getattr(sa.func, name)(*flags, option, value, *keys), rows.where)


def joined(dialect: Dialect, value: Element, delimiter: Element, rows: Rows) -> Element:
    """The texts in one."""
    if dialect.name == "postgresql":
        return _on_postgresql("string_agg", value, rows, delimiter)
    if dialect.name == "mysql":
        return _on_mysql(value, delimiter, rows)
    if not rows.distinct and not rows.terms:
        return sa.func.group_concat(_only(value, rows.where), delimiter)
    return _on_sqlite("orm_joined_text", delimiter, value, rows)


def json_list(dialect: Dialect, value: Element, of: FieldSpec, rows: Rows) -> Element:
    """The values as a JSON list, NULLs included."""
    if dialect.name == "postgresql":
        return _on_postgresql("jsonb_agg", value, rows)
    if dialect.name == "sqlite":
        return _on_sqlite("orm_json_list", sa.literal_column(str(int(of.kind == "json"))), value, rows)
    literals: list[Element] = [sa.literal_column(text) for text in ("'$'", "'$[0]'", "'null'")]
    root, first, null = literals
    is_json = of.kind == "json"
    known = sa.func.json_extract(*((value, root) if is_json else (sa.func.json_array(value), first)))
    item = sa.case((value.is_(None), null), else_=known)
    items = _on_mysql(sa.type_coerce(item, sa.Text()), sa.literal_column("','"), rows)
    return sa.func.concat(sa.literal_column("'['"), items, sa.literal_column("']'"))


def array(value: Element, rows: Rows) -> Element:
    """The values as an array of PostgreSQL."""
    return _on_postgresql("array_agg", value, rows)
