"""Query sets put together: set operations, and joins with common table expressions. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, cast

from orm import kinds, lookups
from orm.exceptions import FieldError
from orm.expressions import Annotation, output_of
from orm.query import Query, QueryHolder, walk
from orm.references import refuse_key
from orm.sources import CTE, CTEColumn, Join, SetOperation, SourceColumn
from orm.specs import FieldSpec
from orm.subqueries import Subselect

_NUMBERS: Final = frozenset({"integer", "decimal", "float"})


def combined(operator: str, first: Query, others: Sequence[object]) -> Query:
    """The query of the rows of several ones.

    Args:
        operator: `union`, `union all`, `intersection` or `difference`.
        first: the query that says the names of the columns.
        others: the other query sets.

    Raises:
        FieldError: they have other columns than the first one.
    """
    method = operator.partition(" ")[0]
    if not others:
        raise FieldError(f"{method}() needs another query set.")
    members = [first]
    for other in others:
        if not isinstance(other, QueryHolder):
            raise FieldError(f"{method}() takes query sets, not {other!r}.")
        members.append(other.query)
    for query in members:
        for column in query.columns or ():
            refuse_key(column, f"put into a {method}")
    for query in members[1:]:
        _check_same(method, first, query)
    for query in members:
        if query.selection.lock is not None:
            raise FieldError(f"{method}() gives rows that cannot be locked. Leave select_for_update() out.")
    source = SetOperation(operator, tuple([Subselect(_member(query)) for query in members]))
    return _instances(first, source) if first.columns is None else _columns(first, source)


def _member(query: Query) -> Query:
    """What one of the queries contributes: its order says nothing unless there is a slice of it."""
    selection = query.selection
    if query.columns is None:
        selection = query.whole()
    return query.replace(selection=selection, order=query.order if query.sliced else ())


def _instances(first: Query, source: SetOperation) -> Query:
    query = Query(first.schema)
    query.source = source
    query.selection = replace(first.selection, distinct=False)
    made: list[Annotation] = []
    for node in first.added:
        made.append(Annotation(repr(node), SourceColumn(repr(node), output_of(node))))
    query.annotations = {annotation.name: annotation for annotation in made}
    query.added = tuple(made)
    return query


def _columns(first: Query, source: SetOperation) -> Query:
    query = Query(first.schema)
    query.source = source
    query.selection = replace(first.selection, distinct=False)
    outputs = [
        _widest([output_of((member.query.columns or ())[index]) for member in _members(source)])
        for index in range(len(first.columns or ()))
    ]
    names = first.selection.names
    made = [
        Annotation(name, SourceColumn(f"c{index}", output))
        for index, (name, output) in enumerate(zip(names, outputs, strict=True))
    ]
    query.annotations = {annotation.name: annotation for annotation in made}
    query.columns = tuple(made)
    query.order = ()
    return query


def _check_same(method: str, first: Query, other: Query) -> None:
    """Raise `FieldError` when the rows of two queries cannot stand in one result."""
    if first.columns is None or other.columns is None:
        _check_same_model(method, first, other)
        return
    mine, others = first.columns, other.columns
    if len(mine) != len(others):
        raise FieldError(
            f"{method}() needs the same number of columns: {', '.join(first.selection.names)} are {len(mine)}, "
            f"{', '.join(other.selection.names)} are {len(others)}."
        )
    for name, left, right in zip(first.selection.names, mine, others, strict=True):
        kinds = {output_of(left).kind, output_of(right).kind} - {"any"}
        if len(kinds) > 1 and not kinds <= _NUMBERS:
            raise FieldError(
                f"{method}() cannot put {output_of(right).kind} ({right!r}) into the column {name} "
                f"({output_of(left).kind})."
            )


def _check_same_model(method: str, first: Query, other: Query) -> None:
    if (first.columns is None) is not (other.columns is None):
        raise FieldError(f"{method}() cannot mix instances and values(). Name the columns of both: .values('…').")
    if first.schema is not other.schema:
        raise FieldError(
            f"{method}() of {first.schema.name} cannot take instances of {other.schema.name}. "
            "Name columns: .values('…')."
        )
    if [repr(node) for node in first.added] != [repr(node) for node in other.added]:
        raise FieldError(f"{method}() needs the same annotations in all query sets, in the same order.")
    selection = other.selection
    if selection.related or selection.only or selection.deferred:
        raise FieldError(
            f"{method}() reads whole rows of the other query sets. Call select_related(), only() and defer() on its "
            "result."
        )


def _members(source: SetOperation) -> list[Subselect]:
    return [part for part in source.parts if isinstance(part, Subselect)]


def joined(query: Query, cte: object, conditions: Sequence[Any], words: Mapping[str, Any]) -> Query:
    """The query of rows joined with those of a common table expression.

    Raises:
        FieldError: nothing says which rows belong together, or there is another CTE of that name.
    """
    if not isinstance(cte, CTE):
        raise FieldError(f"with_cte() takes a CTE, not {cte!r}.")
    if query.groups is not None or query.closed:
        raise FieldError("with_cte() joins rows. Put it before the values() and annotate() that group them.")
    if any(cast("CTE", join.parts[0]).name == cte.name for join in query.joins):
        raise FieldError(f"There is a CTE {cte.name!r} in the query set already. Choose another name.")
    new = query.replace(joins=(*query.joins, Join((cte,))))
    found = lookups.conditions(new, conditions, words)
    if not any(isinstance(node, CTEColumn) and node.cte is cte for node in walk(found)):
        columns = ", ".join(f"{cte.name}.c.{name}" for name in cte.specs)
        raise FieldError(
            f"with_cte({cte.name}, …) needs a condition that says which rows belong together, as in "
            f"with_cte({cte.name}, {query.schema.key.name}={cte.name}.c.…). The columns are: {columns}."
        )
    return query.replace(joins=(*query.joins, Join((cte, found))))


def _widest(outputs: Sequence[FieldSpec]) -> FieldSpec:
    """What a column has that takes values of all of these: of numbers the kind that holds them all."""
    found = outputs[0]
    for output in outputs[1:]:
        null = found.null or output.null
        if found.kind == "any":
            found = output
        elif found.kind != output.kind and output.kind != "any":
            found = kinds.combined("+", found, output)
        found = kinds.like(found, null=null)
    return found
