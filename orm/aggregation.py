"""Aggregates become SQL. Each path to related rows is joined in a subquery of its own, so that none multiplies another.

The conditions of the query say which of its own rows count; unlike in Django they do not narrow the related rows that
are aggregated: an aggregate's own `filter=` does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm import types
from orm.aggregates import Aggregate, AllRows
from orm.compiler import Compilation, Scope, condition, element, selected_keys
from orm.exceptions import FieldError
from orm.expressions import Reference
from orm.operators import Element
from orm.query import Node, Path, PlacedQuery

Processor = Callable[[Any], Any]


def statement(
    placed: PlacedQuery, aggregates: Sequence[Aggregate], compilation: Compilation
) -> tuple[sa.Select[Any], list[Processor | None]]:
    """The SELECT of one row of aggregates, and what turns each into a value."""
    table = placed.query.schema.table
    scope = Scope(compilation, table, {(): table})
    where = _where(placed, scope)
    columns: list[Element] = []
    processors: list[Processor | None] = []
    own = False
    for aggregate in aggregates:
        path = many_path(aggregate.operand)
        if path:
            value, kind = _over_relation(placed, aggregate, path, compilation)
        else:
            value, kind = _aggregate(aggregate, scope)
            own = True
        columns.append(value)
        processors.append(_processor(aggregate, kind, compilation.dialect))
    made: sa.Select[Any] = sa.select(*[column.label(f"a{index}") for index, column in enumerate(columns)])
    return (made.select_from(scope.source).where(*where) if own else made), processors


def many_path(node: Node) -> Path:
    """The longest path over a to-many relation in an operand; `()` for none. Raises `FieldError` for two."""
    found: Path = ()
    for path in _paths(node):
        if not any(hop.many for hop in path):
            continue
        longer, shorter = (path, found) if len(path) > len(found) else (found, path)
        if longer[: len(shorter)] != shorter:
            raise FieldError(f"{node!r} goes over two relations with many rows, which would multiply each other.")
        found = longer
    return found


def _paths(node: Node) -> list[Path]:
    if isinstance(node, Reference):
        return [node.path]
    return [path for part in node.parts for path in _paths(part)]


def _where(placed: PlacedQuery, scope: Scope) -> list[Element]:
    """Which rows of the query's own count: its conditions, or the keys of a slice."""
    query = placed.query
    if query.sliced:
        return [query.schema.table.c[query.schema.key.name].in_(selected_keys(placed, scope.compilation))]
    return [condition(node, scope) for node in query.where]


def _over_relation(
    placed: PlacedQuery, aggregate: Aggregate, path: Path, compilation: Compilation
) -> tuple[Element, TypeEngine[Any]]:
    """An aggregate of related rows, as a subquery."""
    table = placed.query.schema.table
    scope = Scope(compilation, table, {(): table})
    where = _where(placed, scope)  # before the join: a condition on the same relation is about any of its rows
    for length in range(1, len(path) + 1):
        if path[:length] not in scope.tables:
            hop = path[length - 1]
            joined = scope.tables[path[:length]] = hop.target.table.alias()
            on = scope.tables[path[: length - 1]].c[hop.near.name] == joined.c[hop.far.name]
            scope.source = scope.source.join(joined, on)
    value, kind = _aggregate(aggregate, scope)
    inner = sa.select(value).select_from(scope.source).where(*where).correlate(None)
    return inner.scalar_subquery(), kind


def _aggregate(aggregate: Aggregate, scope: Scope) -> tuple[Element, TypeEngine[Any]]:
    """The SQL of an aggregate, and the type of what it aggregates."""
    star = isinstance(aggregate.operand, AllRows)
    operand: Element = sa.literal_column("1") if star else element(aggregate.operand, scope)
    kind = sa.Integer() if star else operand.type
    if aggregate.function == "avg" and isinstance(kind, sa.Integer) and scope.compilation.engine == "mysql":
        operand = operand + sa.literal_column("0e0")  # MySQL gives the average of whole numbers four places only
    if aggregate.condition is not None:  # FILTER (WHERE …) in the words of every engine
        operand = sa.case((condition(aggregate.condition, scope), operand))
    elif star:
        return sa.func.count(), kind
    made = getattr(sa.func, aggregate.function)(operand.distinct() if aggregate.distinct else operand)
    return cast("Element", made), kind


def _processor(aggregate: Aggregate, kind: TypeEngine[Any], dialect: Dialect) -> Processor | None:
    """What makes the same value of every driver's answer. Raises `FieldError` for what has no sum or average."""
    if aggregate.function == "count":
        return None
    if aggregate.function in ("min", "max"):
        return types.result_processor(kind, dialect)
    if isinstance(kind, types.Duration):
        return lambda value: value if value is None or isinstance(value, timedelta) else _microseconds(value)
    if isinstance(kind, (sa.Integer, sa.BigInteger)):
        made: type = int if aggregate.function == "sum" else float
        return lambda value: None if value is None else made(value)
    if isinstance(kind, (types.Decimal, sa.Numeric)) and not isinstance(kind, sa.Float):
        return _decimal(kind, aggregate.function)
    if isinstance(kind, sa.Float):
        return lambda value: None if value is None else float(value)
    raise FieldError(f"{aggregate!r}: only numbers and durations have a sum and an average, not {kind!r}.")


def _microseconds(value: Any) -> timedelta:
    return timedelta(microseconds=round(value))


def _decimal(kind: Any, function: str) -> Processor:
    """SQLite computes with floats: a sum has the column's places, an average is as exact as a float is."""
    scale = getattr(kind, "scale", None)

    def process(value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        return Decimal(f"{value:.{scale}f}" if function == "sum" and scale is not None else repr(value))

    return process
