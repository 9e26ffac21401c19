"""Expressions that a query gives a name, and groups of its rows: what `annotate`, `alias` and `values` make of a query.

Pure. A query of instances has a value of each expression for each row. A query of `values()` that is annotated with an
aggregate has one row for each group of rows that have these values in common.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

import sqlalchemy as sa

from orm import lookups
from orm.aggregates import Aggregate
from orm.conditions import Constant, Looked, simplify
from orm.exceptions import FieldError
from orm.expressions import Annotation, Condition, Ordering, Reference, Tree, expression
from orm.ordering import ordering
from orm.paths import reads_rows
from orm.query import Node, Query, walk
from orm.references import parts_of, refuse_key, refuse_many
from orm.schema import Schema
from orm.subqueries import Subselect
from orm.windows import Window

_AGGREGATES: Final = "Count, Sum, Avg, Min, Max, StdDev, Variance, StringAgg, JSONAgg, ArrayAgg"
_IDENTIFIER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


def check_name(schema: Schema, name: str) -> None:
    """Raise `FieldError` for a name that an annotation cannot have."""
    if not _IDENTIFIER.match(name) or "__" in name or name.endswith("_"):
        raise FieldError(
            f"{name!r} cannot name an annotation. A name has letters, digits and single underscores, begins with a "
            "letter and does not end in an underscore."
        )
    if schema.field(name) is not None or name in schema.relation_specs:
        raise FieldError(f"{schema.name} has a field {name!r} already. Choose another name for the annotation.")
    if hasattr(schema.model, name):
        raise FieldError(f"{name!r} would hide an attribute of {schema.name}. Choose another name for the annotation.")


def is_aggregated(node: Node) -> bool:
    """Whether an expression has an aggregate in it, which is not part of a window, a subquery or a value of a row."""
    if isinstance(node, Aggregate):
        return True
    if isinstance(node, (Window, Subselect)) or (isinstance(node, Annotation) and node.of_rows):
        return False
    return any(is_aggregated(child) for child in node.children)


def has_window(node: Node) -> bool:
    """Whether an expression has a window function in it."""
    return isinstance(node, Window) or any(has_window(child) for child in node.children)


def is_of_groups(node: Node) -> bool:
    """Whether an expression is about groups of rows: it has an aggregate in it, or a window of aggregates."""
    windows: list[Window[Any]] = [part for part in walk(node) if isinstance(part, Window)]
    return is_aggregated(node) or any(is_aggregated(part) for window in windows for part in window.operands)


def resolved(query: Query, name: str, given: Any) -> Node:
    """An expression as it is given, resolved. Raises `FieldError`."""
    if isinstance(given, str):
        raise FieldError(
            f"{name}={given!r} is a text. For a field write {name}=orm.F({given!r}), for a value orm.Value(…)."
        )
    if not isinstance(given, (Node, sa.ColumnElement)):
        raise FieldError(f"{name}={given!r} is no expression. For a value write {name}=orm.Value({given!r}).")
    if isinstance(given, Ordering):
        raise FieldError(f"{name}={given!r} is an order, not an expression.")
    node = lookups.resolve(query, expression(given))
    refuse_many(node, "annotate with")
    refuse_key(node, "annotate with")
    return node


def annotated(query: Query, expressions: Mapping[str, Any], *, read: bool) -> Query:
    """A query with these expressions under their names.

    Args:
        query: the query.
        expressions: the expressions by their names.
        read: they are read with each row, not only there to be referred to.
    """
    schema = query.schema
    made: list[Annotation] = []
    new = query
    for name, given in expressions.items():
        check_name(schema, name)
        if name in query.annotations:
            raise FieldError(f"There is an annotation {name!r} already. Choose another name.")
        annotation = Annotation(name, resolved(new, name, given), of_rows=query.columns is None)
        made.append(annotation)
        new = new.replace(annotations={**new.annotations, name: annotation})
    if query.columns is None:
        for annotation in made:
            _refuse_own_aggregates(schema, annotation)
        return new.replace(added=(*query.added, *made)) if read else new
    return _annotated_columns(new, made, read=read)


def _refuse_own_aggregates(schema: Schema, annotation: Annotation) -> None:
    """Refuse an aggregate of a row's own columns where each row is a row."""
    for node in _aggregates(annotation):
        if not node.path:
            raise FieldError(
                f"{annotation.name}={node!r} is about many rows of {schema.name}, and here each row is one of them. "
                "Group them before: values('…').annotate(…), aggregate all of them: aggregate(…), or go over a "
                "relation with many rows."
            )


def _aggregates(node: Node) -> Iterable[Aggregate]:
    if isinstance(node, Aggregate):
        yield node
    elif not isinstance(node, (Window, Subselect)):
        for child in node.children:
            yield from _aggregates(child)


def _annotated_columns(query: Query, made: Sequence[Annotation], *, read: bool) -> Query:
    """The same for a query of columns, which an aggregate turns into groups."""
    of_groups = [annotation for annotation in made if is_of_groups(annotation)]
    if of_groups:  # windows beside an aggregate are of groups, too
        of_groups = [annotation for annotation in made if is_of_groups(annotation) or has_window(annotation)]
    of_rows = [annotation for annotation in made if annotation not in _Identities(of_groups)]
    columns = query.columns or ()
    groups = query.groups
    if groups is None and of_groups:
        groups = (*[part for column in columns for part in parts_of(column)], *of_rows)
        query = query.replace(order=query.order or ())
        for key in groups:
            if has_window(key):
                raise FieldError(f"Rows cannot be grouped by {key!r}, which depends on the other rows of the result.")
    query = query.replace(groups=groups)
    for annotation in made if groups is not None else ():
        check_grouped(query, annotation)
    if groups is not None:
        for term in query.order or ():
            check_grouped(query, term)
    if not read:
        return query
    names = (*query.selection.names, *[annotation.name for annotation in made])
    return query.replace(columns=(*columns, *made), selection=replace(query.selection, names=names))


class _Identities:
    """A collection of nodes that compares by identity: `==` of expressions makes conditions."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._ids = {id(node) for node in nodes}

    def __contains__(self, node: Node) -> bool:
        return id(node) in self._ids


def check_grouped(query: Query, node: Node) -> None:
    """Raise `FieldError` for a column in an expression about groups that the rows of a group do not have in common."""
    groups = query.groups
    if groups is None or node in _Identities(groups) or isinstance(node, Aggregate):
        return
    parts = parts_of(node)
    if len(parts) > 1:
        for part in parts:
            check_grouped(query, part)
        return
    if isinstance(node, Reference) or (isinstance(node, Annotation) and node.of_rows and reads_rows(cast("Any", node))):
        names = ", ".join(map(repr, groups)) or "nothing"
        raise FieldError(
            f"{node!r} has many values in a group: the rows are grouped by {names}. Name it in values() before the "
            f"aggregate, or aggregate it."
        )
    for child in node.operands if isinstance(node, Window) else node.children:
        check_grouped(query, child)


def check_condition(query: Query, node: Node) -> None:
    """Raise `FieldError` for an aggregate or a window in a condition that has no name."""
    if isinstance(node, (Annotation, Subselect)):
        return
    if isinstance(node, (Aggregate, Window)):
        what = "an aggregate" if isinstance(node, Aggregate) else "a window function"
        raise FieldError(f"{node!r} is {what}. Name it first: annotate(x=…).filter(x__gt=…).")
    for child in node.children:
        check_condition(query, child)


def is_computed(node: Node) -> bool:
    """Whether a condition may be about more than columns and values. It is on the way of every filter."""
    if isinstance(node, Looked):
        return bool(node.parts)  # a column is no part of a condition on it
    if isinstance(node, Tree):
        for part in node.parts:  # noqa: SIM110 - any() of a generator costs three times that
            if is_computed(part):
                return True
        return False
    return not isinstance(node, Constant)


def filtered(query: Query, found: Condition) -> Query:
    """A query with one condition more, where it belongs: on rows, on groups, or on the values of windows."""
    check_condition(query, found)
    if isinstance(found, Tree) and found.operator == "and":
        apart = [part for part in found.parts if is_aggregated(part) or has_window(part)]
        if apart and len(apart) < len(found.parts):
            rest = [cast("Condition", part) for part in found.parts if part not in _Identities(apart)]
            query = query.replace(where=(*query.where, simplify("and", rest)))
            found = simplify("and", [cast("Condition", part) for part in apart])
    if has_window(found):
        if query.groups is not None:
            raise FieldError(
                f"{found!r} is about a window of groups, which cannot be filtered. Filter what was read, in Python."
            )
        return query.replace(qualify=(*query.qualify, found))
    if query.groups is not None and is_aggregated(found):
        check_grouped(query, found)
        return query.replace(having=(*query.having, found))
    return query.replace(where=(*query.where, found))


def check_order(query: Query, term: Ordering) -> None:
    """Raise `FieldError` for an order by what rows, or groups, have no one value of."""
    check_grouped(query, term)
    if query.groups is None:
        for node in _aggregates(term):
            if not node.path:
                raise FieldError(f"Cannot order by {node!r}: it is about many rows, and here each row is one.")


# ---------------------------------------------------------------- columns


def reading(query: Query, form: str, given: Sequence[Any], expressions: Mapping[str, Any]) -> Query:
    """A query that reads these columns, in a form other than instances: all of them without any.

    Args:
        query: the query.
        form: `dict`, `tuple`, `named` or `flat`.
        given: words, columns and expressions.
        expressions: expressions by the names that they get.
    """
    if expressions:
        query = annotated(query, expressions, read=False)
    nodes: list[Node] = []
    words: list[str] = []
    for item in (*given, *expressions) or _all(query):
        node: Node = lookups.named(query, item) if isinstance(item, str) else lookups.resolve(query, expression(item))
        if is_aggregated(node) and type(node) is not Annotation:
            raise FieldError(f"{item!r} is an aggregate. Name it: values('…').annotate(x=…).")
        refuse_many(node, "read")
        check_grouped(query, node)
        nodes.append(node)
        if isinstance(item, str):
            words.append(item)
        elif form in ("dict", "named") or isinstance(node, (Annotation, Reference)):
            words.append(repr(cast("Any", node)))
        else:
            words.append(f"column_{len(words) + 1}")  # a value in it would make a plan of its own
    if len(set(words)) != len(words):
        raise FieldError(f"Each column once, please: {', '.join(words)}.")
    return formed(query, tuple(nodes), form, tuple(words))


def formed(
    query: Query, columns: tuple[Node, ...], form: str, names: tuple[str, ...], target: type[Any] | None = None
) -> Query:
    """A query that reads these columns, and makes this of each row."""
    empty = frozenset[str]()
    selection = replace(query.selection, form=form, names=names, target=target, related=(), only=empty, deferred=empty)
    return query.replace(columns=columns, selection=selection, added=())


def _all(query: Query) -> list[str]:
    """The names of all that a query can read."""
    if query.columns is not None:
        return list(query.selection.names)
    return [*query.schema.fields, *[cast("Annotation", node).name for node in query.added]]


# ---------------------------------------------------------------- aggregates


def aggregates(query: Query, given: Mapping[str, Any]) -> dict[str, Node]:
    """The aggregates of a query's rows, resolved. Raises `FieldError`."""
    if not given:
        raise FieldError("aggregate() needs aggregates, as in aggregate(total=orm.Sum('price')).")
    found: dict[str, Node] = {}
    for name, item in given.items():
        if not isinstance(item, Node) or not is_aggregated(item):
            raise FieldError(f"{name}={item!r} is no aggregate. Choose from: {_AGGREGATES}.")
        node = found[name] = lookups.resolve(query, item)
        check_grouped(query.replace(groups=()), node)
        if query.columns is not None:
            _check_read(query, node)
    return found


def _check_read(query: Query, node: Node) -> None:
    """Raise `FieldError` for what a query of columns does not read."""
    if node in _Identities(query.columns or ()):
        return
    if isinstance(node, Reference):
        names = ", ".join(query.selection.names)
        raise FieldError(f"{node!r} is not read by values(). aggregate() can take what is: {names}.")
    for child in node.children:
        _check_read(query, child)


def empty_aggregates(nodes: Mapping[str, Node]) -> dict[str, Any] | None:
    """The values of aggregates without rows; `None` when the database has to say."""
    if all(isinstance(node, Aggregate) for node in nodes.values()):
        return {name: cast("Aggregate", node).empty for name, node in nodes.items()}
    return None


def order_of_groups(query: Query) -> tuple[Ordering, ...]:
    """An order in which each row has its place: that of the key, or of what groups have in common."""
    if query.groups is None:
        return tuple([ordering(query, key.name) for key in query.schema.keys])
    return tuple([Ordering(key) for key in query.groups])
