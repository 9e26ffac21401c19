"""Aggregates become SQL: of groups of rows, or of the rows related to each row.

Each path to related rows is aggregated in a subquery of its own, so that none multiplies another. The conditions of the
query say which of its own rows count; unlike in Django they do not narrow the related rows that are aggregated: an
aggregate's own `filter=` does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import Grouping, OperatorExpression

from orm.aggregates import Aggregate, AllRows
from orm.elements import element, made, order, typed
from orm.exceptions import FieldError
from orm.expressions import output_of
from orm.filtering import condition
from orm.operators import Element
from orm.paths import many
from orm.query import Node, Path, origin_of
from orm.scopes import Scope
from orm.windows import Window


@made.register
def _aggregate(node: Aggregate, scope: Scope) -> Element:
    path = node.path
    if path:
        return _related(node, path, scope)
    if not scope.grouped:
        raise FieldError(f"{node!r} is about many rows, and there is one.")
    return plain(node, scope)


@made.register
def _all_rows(node: AllRows, scope: Scope) -> Element:
    return sa.literal_column("1", sa.Integer())


def plain(node: Aggregate, scope: Scope) -> Element:
    """The SQL of an aggregate of rows that are in reach already."""
    return or_default(node, bare(node, scope), scope)


def bare(node: Aggregate, scope: Scope, *, of_groups: bool = False) -> Element:
    """The same without its default; in a window it may be one of groups."""
    grouped, scope.grouped = scope.grouped, of_groups
    operands = tuple([element(part, scope) for part in (node.operand, *node.others)])
    where = None if node.condition is None else condition(node.condition, scope)
    terms = [term for part in node.order for term in order(part, scope)]
    scope.grouped = grouped
    return typed(node.aggregated(scope.compilation.dialect, operands, where, terms), node)


def or_default(node: Aggregate, value: Element, scope: Scope) -> Element:
    """The default in the place of NULL, if there is one."""
    default = node.default
    if default is None:
        return value
    return typed(sa.func.coalesce(value, scope.compilation.parameter(default.position, node.output.type)), node)


def _related(node: Aggregate, path: Path, scope: Scope) -> Element:
    """An aggregate of the rows that are related to one row, as a subquery."""
    start = next(index for index, hop in enumerate(path) if hop.many)
    near = scope.table(path[:start])
    inner = scope.within(None, {known: table for known, table in scope.tables.items() if not many(known)})
    _join(inner, path, start)
    value = plain(node, inner)
    here = inner.joined(path[start], near, inner.tables[path[: start + 1]])
    return sa.select(value).select_from(inner.source).where(here).correlate(*scope.reachable()).scalar_subquery()


def _join(scope: Scope, path: Path, start: int = 0) -> None:
    """Join a path, so that only rows that are there count; its first step becomes the source where there is none."""
    scope.given = frozenset([path[:length] for length in range(1, len(path) + 1)])
    for length in range(start + 1, len(path) + 1):
        if path[:length] in scope.tables:
            continue
        hop = path[length - 1]
        table = scope.tables[path[:length]] = hop.target.table.alias()
        if scope.source is None:
            scope.source = table
        else:
            scope.source = scope.source.join(table, scope.joined(hop, scope.tables[path[: length - 1]], table))


# ---------------------------------------------------------------- groups


def aggregates_in(nodes: Iterable[Node], known: Collection[Node] = ()) -> Iterator[Aggregate]:
    """The aggregates in expressions, without those inside of other ones and those of what is known already."""
    for node in nodes:
        if origin_of(node) in known:
            continue
        if isinstance(node, Aggregate):
            yield node
        elif isinstance(node, Window):
            yield from aggregates_in(node.operands)
        else:
            yield from aggregates_in(node.children, known)


Rows = Callable[[], tuple[Scope, Sequence[Element]]]
"""Makes a new scope of a query's rows, with the conditions on them."""


def group(keys: Sequence[Node], nodes: Iterable[Node], scope: Scope, rows: Rows) -> list[Element]:
    """Make a scope one of groups of its rows; gives what they are grouped by.

    Args:
        keys: what they are grouped by; empty for one group of all.
        nodes: everything that is asked of the groups.
        scope: the scope of the rows.
        rows: makes such a scope once more, for aggregates of related rows.
    """
    grouped_by: list[Element] = []
    for key in keys:
        found = element(key, scope)
        if isinstance(found, OperatorExpression):
            # Without its brackets, x + (a + b) has no key a + b in it. SQLAlchemy would look through those alone.
            found = cast("Element", sa.type_coerce(Grouping(found), found.type))
        scope.known[origin_of(key)] = found
        grouped_by.append(found)
    paths: dict[Path, dict[Node, Aggregate]] = {}
    for node in aggregates_in(nodes, scope.known):
        if node.path:
            paths.setdefault(node.path, {}).setdefault(origin_of(node), node)
    for path, aggregates in paths.items():
        if keys:
            grouped_by += _join_related(path, aggregates, keys, scope, rows)
        else:
            for origin, node in aggregates.items():
                scope.known[origin] = _of_all_related(path, node, rows)
    scope.grouped = True
    return grouped_by


def _of_all_related(path: Path, node: Aggregate, rows: Rows) -> Element:
    """An aggregate of the rows that are related to any row of the query, as a subquery."""
    inner, where = rows()  # the conditions are made before the join: they are about any of the related rows
    _join(inner, path)
    value = plain(node, inner)
    return sa.select(value).select_from(inner.source).where(*where).correlate(None).scalar_subquery()


def _join_related(
    path: Path, aggregates: Mapping[Node, Aggregate], keys: Sequence[Node], scope: Scope, rows: Rows
) -> list[Element]:
    """Aggregate the rows at the end of a path for each group; gives what the groups are told apart by besides."""
    inner, where = rows()
    values = [element(key, inner) for key in keys]
    _join(inner, path)
    first = len(scope.known)  # HAVING on MySQL does not tell columns of the same name in two subqueries apart
    columns = [plain(node, inner).label(f"a{index}") for index, node in enumerate(aggregates.values(), first)]
    labelled = [value.label(f"k{index}") for index, value in enumerate(values)]
    statement = sa.select(*labelled, *columns).select_from(inner.source).where(*where).group_by(*values)
    related = statement.correlate(None).subquery()
    same = [
        _same(scope.known[origin_of(key)], related.c[label.name], nullable=output_of(key).null, engine=_engine(scope))
        for key, label in zip(keys, labelled, strict=True)
    ]
    scope.derived.append(related)
    scope.source = scope.source.join(related, sa.and_(*same), isouter=True)
    found: list[Element] = [related.c[column.name] for column in columns]
    for (origin, node), column in zip(aggregates.items(), found, strict=True):
        scope.known[origin] = _or_empty(node, column, scope)
    return found


def _or_empty(node: Aggregate, value: Element, scope: Scope) -> Element:
    """What an aggregate is for a group without related rows, in the place of NULL."""
    if node.default is not None or node.empty is None:
        return or_default(node, value, scope)
    return typed(sa.func.coalesce(value, node.empty), node)


def _engine(scope: Scope) -> str:
    return scope.compilation.engine


def _same(left: Element, right: Element, *, nullable: bool, engine: str) -> Element:
    """Two keys of groups are equal, or both NULL."""
    if not nullable:
        return left == right
    if engine == "postgresql":
        # PostgreSQL has no hash join for IS NOT DISTINCT FROM; NULLs in arrays are equal, and arrays are hashed.
        return cast("Element", postgresql.array([left]) == postgresql.array([right]))
    return left.is_not_distinct_from(right)
