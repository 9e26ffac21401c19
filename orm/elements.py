"""Expressions become SQL. `element` is open: each module that has nodes of its own kind says what they become."""

from __future__ import annotations

from functools import singledispatch
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.sql.util import ClauseAdapter

from orm import arithmetic, jsonpath, moments, types
from orm.exceptions import FieldError
from orm.expressions import Annotation, Clause, Combined, Function, Ordering, Reference, Value
from orm.functions.base import KeyText, has_collation
from orm.functions.dates import Now
from orm.operators import Element
from orm.query import Node, origin_of
from orm.references import parts_of
from orm.scopes import Scope, value_of
from orm.subqueries import Outer, OuterRef


def element(node: Node, scope: Scope) -> Element:
    """The SQL of an expression or a condition."""
    found = scope.known.get(origin_of(node))
    return found if found is not None else made(node, scope)


@singledispatch
def made(node: Node, scope: Scope) -> Element:
    """The SQL of a node that is not known yet."""
    raise FieldError(f"{node!r} has no value in SQL.")


@made.register
def _reference(node: Reference, scope: Scope) -> Element:
    column = value_of(scope.table(node.path), node.spec)
    if node.keys:
        return jsonpath.document(scope.compilation.engine, column, json_path(node, scope))
    return column


def json_path(node: Reference, scope: Scope) -> Element:
    """The parameter that holds the keys of a value inside JSON."""
    kind, prepare = jsonpath.path_type(scope.compilation.engine), jsonpath.prepare_path(scope.compilation.dialect)
    return scope.compilation.parameter(node.position, kind, prepare, raw=True)


@made.register
def _annotation(node: Annotation, scope: Scope) -> Element:
    return element(node.parts[0], scope)


@made.register
def _value(node: Value, scope: Scope) -> Element:
    if node.value is None:
        return sa.null()
    parameter = scope.compilation.parameter(node.position, node.type)
    if scope.compilation.engine == "mysql" and moments.is_moment(parameter):
        return sa.cast(parameter, node.type)  # drivers send texts, and what is made of a date and a text is a text
    return parameter


@made.register
def _now(node: Now, scope: Scope) -> Element:
    engine = scope.compilation.engine
    if engine == "sqlite":
        return scope.compilation.parameter(node.position, node.output.type)
    clock: Element = sa.func.now() if engine == "postgresql" else sa.func.utc_timestamp(sa.literal_column("6"))
    return typed(clock, node)


@made.register
def _combined(node: Combined, scope: Scope) -> Element:
    left, right = (element(part, scope) for part in node.parts)
    if moments.is_moment(left) or moments.is_moment(right):
        return moments.combine(scope.compilation.engine, node.operator, left, right)
    return typed(arithmetic.combine(scope.compilation.engine, node.operator, left, right, node.output.kind), node)


@made.register
def _function(node: Function, scope: Scope) -> Element:
    dialect = scope.compilation.dialect
    found = typed(node.build(dialect, tuple([element(part, scope) for part in node.parts])), node)
    if dialect.name == "mysql" and node.output.kind == "text" and not has_collation(node):
        return typed(sa.collate(found, types.collation(dialect)), node)
    return found


@made.register
def _key_text(node: KeyText, scope: Scope) -> Element:
    reference = cast("Reference", node.parts[0])
    column = scope.table(reference.path).c[reference.spec.name]
    return jsonpath.text_or_null(scope.compilation.engine, column, json_path(reference, scope))


def typed(made: Element, node: Any) -> Element:
    """SQL with the type that the expression is known to have."""
    kind = node.output.type
    if not isinstance(kind, sa.types.NullType):
        made.type = kind
    return made


@made.register
def _clause(node: Clause, scope: Scope) -> Element:
    def parameter(bind: sa.BindParameter[Any], position: int) -> Any:
        if bind.expanding:
            items = [
                scope.compilation.parameter(position, bind.type, item=index)
                for index in range(len(bind.effective_value or ()))
            ]
            return sa.tuple_(*items) if items else sa.null()
        return scope.compilation.parameter(position, bind.type)

    found = node.placed_element(parameter)
    root = scope.tables[()]
    return found if isinstance(root, sa.Table) else ClauseAdapter(root).traverse(found)


@made.register
def _outer(node: Outer, scope: Scope) -> Element:
    assert scope.outer is not None
    return element(node.parts[0], scope.outer)


@made.register
def _outer_reference(node: OuterRef, scope: Scope) -> Element:
    raise FieldError(
        f"{node!r} is a field of the query around, and there is none. Put the query set into Subquery(…), Exists(…) or "
        "a filter with __in."
    )


def order(node: Node, scope: Scope) -> list[Element]:
    """The terms of ORDER BY that an `Ordering` is."""
    assert isinstance(node, Ordering)
    parts = parts_of(node.parts[0])
    if len(parts) > 1:
        each = [Ordering(part, descending=node.descending, nulls=cast("Any", node.nulls)) for part in parts]
        return [term for part in each for term in order(part, scope)]
    column = element(node.parts[0], scope)
    if isinstance(column, (sa.True_, sa.False_, sa.Null)):
        return []  # an order of nothing, and PostgreSQL takes no constant
    terms: list[Element] = [column.desc() if node.descending else column.asc()]
    if node.nulls is not None and scope.compilation.engine == "postgresql":
        # A term of its own would have to be read by a SELECT DISTINCT.
        terms = [terms[0].nulls_first() if node.nulls == "first" else terms[0].nulls_last()]
    elif node.nulls is not None:
        missing = column.is_(None)
        terms.insert(0, missing.desc() if node.nulls == "first" else missing.asc())
    return terms
