"""Terms of an order, as users give them, become `Ordering`s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql import operators

from orm.exceptions import FieldError
from orm.expressions import Clause, Expression, Ordering
from orm.lookups import checked_clause, named, resolve
from orm.query import Query
from orm.references import refuse_many
from orm.schema import Schema


def ordering(query: Query, term: Any) -> Ordering:
    """A term of ORDER BY: `"name"`, `"-name"`, a column, an expression or an `Ordering`."""
    if isinstance(term, str):
        descending = term.startswith("-")
        return _of_one_row(Ordering(named(query, term[1:] if descending else term), descending=descending))
    if isinstance(term, Ordering):
        return _of_one_row(cast("Ordering", resolve(query, term)))
    if isinstance(term, Expression):
        return _of_one_row(Ordering(resolve(query, cast("Any", term))))
    if isinstance(term, sa.ColumnElement):
        return _core_ordering(query.schema, cast("Any", term))
    raise FieldError(f"{term!r} cannot be ordered by. Give a name, '-name', a column, or an expression.")


def _core_ordering(schema: Schema, term: sa.ColumnElement[Any]) -> Ordering:
    """An expression of Core, with its `desc()`, `nulls_last()` and the like as ours."""
    descending, nulls = False, None
    while isinstance(term, sa.UnaryExpression) and term.modifier in _CORE_ORDERS:
        made = _CORE_ORDERS[term.modifier]
        descending = made == "desc" or descending
        nulls = made if made in ("first", "last") else nulls
        term = term.element
    return Ordering(checked_clause(schema, Clause(term)), descending=descending, nulls=cast("Any", nulls))


_CORE_ORDERS: Mapping[Any, str] = {
    operators.asc_op: "asc",
    operators.desc_op: "desc",
    operators.nulls_first_op: "first",
    operators.nulls_last_op: "last",
}


def _of_one_row(term: Ordering) -> Ordering:
    refuse_many(term, "order by")
    return term
