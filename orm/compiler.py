"""A `Query` becomes a SQLAlchemy Core statement. Pure, and off the hot path: each shape of query comes here once.

A `Scope` knows which tables are in reach: the root, which is aliased only inside of another query, and an alias for
each path that was joined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from orm import aggregation, arithmetic, entities, enumerations, locks, types
from orm.aggregates import Aggregate
from orm.conditions import Assigned, Members
from orm.elements import element, made, order
from orm.engines import check_set_operation
from orm.expressions import Annotation, Reference
from orm.filtering import condition
from orm.hierarchy import holder
from orm.operators import Element
from orm.paths import leaves_table, reads_rows
from orm.query import Counter, Node, PlacedQuery, Query, origin_of, walk
from orm.references import parts_of
from orm.scopes import Compilation, Scope, columns_of, labelled_key, same_key, value_of
from orm.sources import CTE, CTEColumn, SetOperation, SourceColumn
from orm.specs import FieldSpec
from orm.subqueries import Exists, Subselect, is_correlated
from orm.windowing import windows_in
from orm.windows import Window

_ONE: Final = sa.literal_column("1", sa.Integer())
_select = cast("Callable[..., sa.Select[Any]]", sa.select)
"""Of any number of columns; the overloads of SQLAlchemy's function are about up to ten."""
Columns = Callable[[Scope], Sequence[Element]]
"""Makes what a SELECT reads."""


def place(query: Query, engine: str, before: int = 0) -> PlacedQuery:
    """The query with every node knowing where its values are."""
    counter = Counter(engine)
    counter.value = before
    return query.place(counter)


# ---------------------------------------------------------------- reading


def select(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """The SELECT of a query; fills `compilation.entities` for instances."""

    def columns(scope: Scope) -> list[Element]:
        return _columns(placed.query, scope)

    return _statement(placed, compilation, columns)


def _columns(query: Query, scope: Scope) -> list[Element]:
    columns: list[Element] = []
    if query.selection.link is not None:
        columns += columns_of(scope.table((query.selection.link,)), link_key(query))
    if query.columns is not None:
        return columns + [_labelled(part, scope) for node in query.columns for part in parts_of(node)]
    for entity in entities.entities(query):
        scope.compilation.entities.append(entity)
        columns += entities.columns(entity, scope)
    return columns + [_labelled(node, scope) for node in query.added]


def _labelled(node: Node, scope: Scope) -> Element:
    """What is read; under its name if it has one, by which it is ordered, too."""
    found = element(node, scope)
    if type(node) is Annotation:
        found = scope.known[origin_of(node)] = found.label(repr(node))
    return found


def link_key(query: Query) -> FieldSpec:
    """The key of the through model's rows to the other side: what a many-to-many prefetch groups by."""
    node = query.where[0]
    return cast("Reference", cast("Members", node).left).spec


def _scope(placed: PlacedQuery, compilation: Compilation, outer: Scope | None) -> Scope:
    """The scope of a query's rows: those of its table, or of a set operation, joined with common table expressions."""
    query = placed.query
    root: Any = query.schema.table
    if query.source is not None:
        root = _set_operation(cast("SetOperation", query.source), compilation, outer)
    elif outer is not None and is_correlated(query):
        root = root.alias()  # the query around may be about the same table
    scope = Scope(compilation, root, {(): root}, outer, query.selection.lifted)
    for node in query.joins:
        cte = cast("CTE", node.parts[0])
        rows = scope.ctes[origin_of(cte)] = _cte(cte, compilation).alias()
        on = [condition(part, scope) for part in node.parts[1:]]  # which may join more tables before
        scope.source = scope.source.join(rows, sa.and_(*on))
    return scope


_SET_OPERATIONS: Final[Mapping[str, Any]] = {
    "union": sa.union,
    "union all": sa.union_all,
    "intersection": sa.intersect,
    "difference": sa.except_,
}


def _set_operation(node: SetOperation, compilation: Compilation, outer: Scope | None) -> sa.Subquery:
    """The rows of several queries, under the names of the model's fields or as `c0`, `c1`, …"""
    check_set_operation(node.operator, compilation.dialect)
    members: list[sa.Select[Any]] = []
    for part in node.parts:
        member = cast("Subselect", part)
        query = member.placed.query
        statement = _statement(member.placed, compilation, _member_columns(query), outer)
        if query.empty:
            statement = statement.where(sa.false())
        # A member with an order and a limit stands in brackets, which SQLite takes in a derived table only.
        members.append(sa.select(statement.subquery()) if query.sliced else statement)
    return cast("sa.Subquery", _SET_OPERATIONS[node.operator](*members).subquery())


def _member_columns(query: Query) -> Columns:
    def columns(scope: Scope) -> list[Element]:
        if query.columns is not None:
            return [element(node, scope).label(f"c{index}") for index, node in enumerate(query.columns)]
        own = [column.label(column.key) for column in scope.tables[()].c]
        return own + [element(node, scope).label(repr(node)) for node in query.added]

    return columns


def _cte(node: CTE, compilation: Compilation) -> sa.CTE:
    """A common table expression, made once for each statement."""
    origin = origin_of(node)
    found = compilation.ctes.get(origin)
    if found is None:
        first = _cte_part(node, 0, compilation)
        if len(node.parts) == 1:
            found = compilation.ctes[origin] = first.cte(node.name, nesting=True)
        else:
            found = compilation.ctes[cast("CTE", node.itself)] = first.cte(node.name, recursive=True, nesting=True)
            following = _cte_part(node, 1, compilation)
            found = compilation.ctes[origin] = found.union(following) if node.distinct else found.union_all(following)
    return found


def _cte_part(node: CTE, index: int, compilation: Compilation) -> sa.Select[Any]:
    placed = cast("Subselect", node.parts[index]).placed
    query = placed.query

    def columns(scope: Scope) -> list[Element]:
        names = query.selection.names
        return [element(column, scope).label(name) for name, column in zip(names, query.columns or (), strict=True)]

    statement = _statement(placed, compilation, columns).correlate(None)
    return statement.where(sa.false()) if query.empty else statement


@made.register
def _source_column(node: SourceColumn, scope: Scope) -> Element:
    return sa.type_coerce(scope.tables[()].c[node.name], node.output.type)  # the widest of the members' types


@made.register
def _cte_column(node: CTEColumn, scope: Scope) -> Element:
    return cast("Element", scope.cte(node.cte).c[node.name])


def _statement(
    placed: PlacedQuery, compilation: Compilation, columns: Columns, outer: Scope | None = None
) -> sa.Select[Any]:
    """The SELECT of a query's rows, or groups, with its conditions, order and limits."""
    query = placed.query
    scope = _scope(placed, compilation, outer)
    if query.selection.link is not None:
        scope.table((query.selection.link,))  # the condition on it is about the row that is read
    nodes = [] if query.groups is None else [*(query.columns or ()), *query.having, *(query.order or ())]
    where = _where(placed, scope, nodes)
    grouped_by: list[Element] = []
    if query.groups is not None:
        grouped_by = aggregation.group(query.groups, nodes, scope, lambda: _rows(placed, compilation, outer, nodes))
    read = columns(scope)
    having = [condition(node, scope) for node in query.having]
    terms = [term for node in query.order or () for term in order(node, scope)]
    lock = locks.clause(query, scope.table, compilation.dialect)
    statement = _select(*read).select_from(scope.source).where(*where).order_by(*terms)
    if query.groups is not None:
        statement = statement.group_by(*grouped_by).having(*having)
    if query.selection.distinct:
        statement = statement.distinct()
    for name in ("limit", "offset"):
        position = getattr(placed, name)
        if position is not None:
            statement = getattr(statement, name)(compilation.parameter(position, sa.BigInteger()))
    return statement if lock is None else statement.with_for_update(**lock)


def _rows(
    placed: PlacedQuery, compilation: Compilation, outer: Scope | None, nodes: Sequence[Node] = ()
) -> tuple[Scope, list[Element]]:
    """A new scope of a query's rows, with the conditions on them; the nodes are what is asked of all of them."""
    scope = _scope(placed, compilation, outer)
    return scope, _where(placed, scope, nodes)


def _keys_apart(query: Query, engine: str) -> dict[Node, Node]:
    """The keys of groups that are computed before the groups are made.

    No engine sees that two subqueries are the same. MySQL does not see either that an expression in HAVING is one of
    the keys, and tells columns apart there by their own names only.
    """
    keys = {origin_of(key): key for key in query.groups or ()}
    names = [part.spec.name for key in keys.values() for part in walk(key) if isinstance(part, Reference)]

    def is_apart(key: Node) -> bool:
        while isinstance(key, Annotation):
            key = key.parts[0]
        plain = isinstance(key, Reference) and names.count(key.spec.name) == 1
        return reads_rows(cast("Any", key)) or (engine == "mysql" and bool(query.having) and not plain)

    return {origin: key for origin, key in keys.items() if is_apart(key)}


def _where(placed: PlacedQuery, scope: Scope, nodes: Sequence[Node] = ()) -> list[Element]:
    """The conditions on a query's rows."""
    query = placed.query
    apart = _keys_apart(query, scope.compilation.engine)
    if not query.qualify and not apart and not windows_in(aggregation.aggregates_in(nodes)):
        return _conditions(query, scope)
    # Windows are computed of the rows that WHERE leaves, so conditions on them, and aggregates, need a query around.
    # So do some keys of groups.
    apart |= windows_in([*query.qualify, *query.added, *(query.columns or ()), *(query.order or ()), *nodes])
    inner = _scope(placed, scope.compilation, scope.outer)
    conditions = _conditions(query, inner)
    key = labelled_key(inner.tables[()], query.schema)
    values = [element(node, inner).label(f"w{index}") for index, node in enumerate(apart.values())]
    related = sa.select(*key, *values).select_from(inner.source).where(*conditions).correlate(None).subquery()
    scope.derived.append(related)
    scope.source = scope.source.join(related, same_key(scope.tables[()], query.schema, related))
    scope.known.update({origin: related.c[value.name] for origin, value in zip(apart, values, strict=True)})
    return [condition(node, scope) for node in query.qualify]


def _conditions(query: Query, scope: Scope) -> list[Element]:
    """The conditions on a query's rows, first those that the schema implies; what was put together has met them."""
    implied = scope.implied(query.schema, scope.tables[()]) if query.source is None else []
    return [*implied, *[condition(node, scope) for node in query.where]]


@made.register
def _subselect(node: Subselect, scope: Scope) -> Element:
    return _inside(node, scope).scalar_subquery()


@made.register
def _exists(node: Exists, scope: Scope) -> Element:
    part = cast("Subselect", node.parts[0])
    if part.query.empty or part.query.limit == 0:
        return sa.false()
    return sa.exists(_inside(part, scope))


def _inside(node: Subselect, scope: Scope) -> sa.Select[Any]:
    """The SELECT of a query inside another one."""
    placed = node.placed
    query = placed.query

    def columns(inner: Scope) -> list[Element]:
        if query.columns is not None:
            return [_labelled(part, inner) for column in query.columns for part in parts_of(column)]
        return columns_of(inner.tables[()], query.schema.key)

    statement = _statement(placed, scope.compilation, columns, scope)
    if query.empty:
        statement = statement.where(sa.false())
    if scope.compilation.engine == "mysql" and query.sliced and not is_correlated(node.query):
        # MySQL has no LIMIT in a subquery of IN, but takes a derived table.
        return sa.select(statement.correlate(None).subquery())
    return statement.correlate(*scope.reachable()) if is_correlated(node.query) else statement.correlate(None)


# ---------------------------------------------------------------- numbers


def count(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """SELECT count(*) of a query's rows."""
    query = placed.query
    if query.sliced or query.selection.distinct or query.groups is not None:
        inner = select(placed, compilation)
        return sa.select(sa.func.count()).select_from(inner.subquery())
    scope, where = _rows(placed, compilation, None)
    return sa.select(sa.func.count()).select_from(scope.source).where(*where)


def exists(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """SELECT 1 of a query's first row."""
    query = placed.query
    if query.selection.distinct and query.offset is not None:
        return sa.select(_ONE.label("one")).select_from(select(placed, compilation).subquery())
    return _statement(placed, compilation, lambda scope: [_ONE.label("one")])


def aggregate(placed: PlacedQuery, nodes: Sequence[Node], compilation: Compilation) -> sa.Select[Any]:
    """The SELECT of one row of aggregates of a query's rows.

    Rows that are no instances are read first, and their columns aggregated; so are groups.
    """
    query = placed.query
    if query.columns is not None:
        return _aggregate_read(placed, nodes, compilation)

    def rows() -> tuple[Scope, list[Element]]:
        if not query.sliced:
            return _rows(placed, compilation, None, nodes)
        # A window is one of the rows before the slice.
        windows = bool(windows_in(nodes))
        scope, where = _rows(placed, compilation, None, nodes) if windows else (_scope(placed, compilation, None), [])
        return scope, [*where, value_of(scope.tables[()], query.schema.key).in_(selected_keys(placed, compilation))]

    scope, where = rows()
    aggregation.group((), nodes, scope, rows)
    own = any(not node.path for node in aggregation.aggregates_in(nodes))
    columns = [element(node, scope).label(f"a{index}") for index, node in enumerate(nodes)]
    made = _select(*columns)
    return made.select_from(scope.source).where(*where) if own else made


def _aggregate_read(placed: PlacedQuery, nodes: Sequence[Node], compilation: Compilation) -> sa.Select[Any]:
    """Aggregates of what a query reads."""
    read = placed.query.columns or ()

    def columns(scope: Scope) -> list[Element]:
        return [element(node, scope).label(f"c{index}") for index, node in enumerate(read)]

    source = _statement(placed, compilation, columns).subquery()
    scope = Scope(compilation, source, {(): source})
    scope.known.update({origin_of(node): source.c[f"c{index}"] for index, node in enumerate(read)})
    scope.grouped = True
    made = [element(node, scope).label(f"a{index}") for index, node in enumerate(nodes)]
    return _select(*made).select_from(source)


# ---------------------------------------------------------------- writing


def update(placed: PlacedQuery, assignments: Sequence[tuple[FieldSpec, Node]], compilation: Compilation) -> sa.Update:
    """UPDATE of exactly the rows that the query would read; what is assigned is all in one table."""
    schema = placed.query.schema
    table = holder(schema, assignments[0][0]).table
    computed = table is not schema.table and any(not isinstance(node, Assigned) for _, node in assignments)
    if computed or any(_reads_more(node) for _, node in assignments):
        return _update_from(placed, table, assignments, compilation)
    scope = Scope(compilation, table, {(): table})
    values = {spec.name: _assigned(spec, node, scope, table) for spec, node in assignments}
    return sa.update(table).where(*_target(placed, table, compilation)).values(values)


def _reads_more(node: Node) -> bool:
    """Whether a value needs other rows than the one that is set."""
    return any(
        isinstance(part, (Subselect, Aggregate, Window, CTEColumn)) or (isinstance(part, Reference) and bool(part.path))
        for part in walk(node)
    )


def _update_from(
    placed: PlacedQuery, table: sa.Table, assignments: Sequence[tuple[FieldSpec, Node]], compilation: Compilation
) -> sa.Update:
    """UPDATE of the rows that the query would read, joined with the values it reads for them.

    A subquery for each value would see on SQLite what the statement has just changed, and MySQL refuses it.
    """
    schema = placed.query.schema
    computed = [(spec, node) for spec, node in assignments if not isinstance(node, Assigned)]

    def columns(scope: Scope) -> list[Element]:
        found = [element(node, scope).label(f"c{index}") for index, (_, node) in enumerate(computed)]
        return [*labelled_key(scope.tables[()], schema), *found]

    rows = _statement(placed, compilation, columns).subquery()
    values: dict[str, Any] = {
        spec.name: compilation.parameter(node.position, table.c[spec.name].type)
        for spec, node in assignments
        if isinstance(node, Assigned)
    }
    for index, (spec, _) in enumerate(computed):
        values[spec.name] = _fitting(rows.c[f"c{index}"], table.c[spec.name].type, compilation.engine)
    return sa.update(table).where(same_key(table, schema, rows)).values(values)


def _assigned(spec: FieldSpec, node: Node, scope: Scope, table: sa.Table) -> Element:
    kind = table.c[spec.name].type
    if isinstance(node, Assigned):
        return scope.compilation.parameter(node.position, kind)
    return _fitting(element(node, scope), kind, scope.compilation.engine)


def _fitting(value: Element, kind: TypeEngine[Any], engine: str) -> Element:
    """An expression as a value of a column: halves are rounded away from zero in a column of whole numbers.

    SQLite would keep a fraction there, and the others round halves of floats to even.
    """
    if isinstance(kind, sa.Integer) and isinstance(value.type, (types.RealNumber, sa.Float)):
        value = arithmetic.rounded(engine, value, 0, "float")
    if engine == "sqlite" and isinstance(kind, sa.Integer) and not isinstance(value.type, sa.Integer):
        return sa.cast(sa.func.round(value), sa.Integer)
    return enumerations.assigned(value, kind) if engine == "postgresql" else value


def delete(placed: PlacedQuery, compilation: Compilation) -> sa.Delete:
    """DELETE of exactly the rows that the query would read; those in further tables go with that in the first."""
    table = placed.query.schema.tables[0].table
    return sa.delete(table).where(*_target(placed, table, compilation))


def _target(placed: PlacedQuery, table: sa.Table, compilation: Compilation) -> list[Element]:
    """The WHERE of an UPDATE or DELETE: the query's own conditions, or the keys of its rows where they need more."""
    query = placed.query
    if table is not query.schema.table:
        return [value_of(table, query.schema.key).in_(selected_keys(placed, compilation))]
    scope = Scope(compilation, table, {(): table}, lifted=query.selection.lifted)
    whole = bool(query.qualify or query.joins)
    if compilation.engine != "postgresql":
        # MySQL refuses to read the target elsewhere in the statement; SQLite 3.40 may see there what it has changed.
        whole = whole or leaves_table([*query.where, *scope.implied_nodes(query.schema)])
    if not query.sliced and not whole:
        before = dict(compilation.parameters)
        where = _conditions(query, scope)
        if scope.source is table:
            return where
        compilation.parameters = before
    return [value_of(table, query.schema.key).in_(selected_keys(placed, compilation))]


def selected_keys(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """The keys of a query's rows, as a subquery."""
    key = placed.query.schema.key
    keys = _statement(placed, compilation, lambda scope: columns_of(scope.tables[()], key)).correlate(None)
    # MySQL has no LIMIT in a subquery of IN, and reads the target of an UPDATE only in a derived table.
    return sa.select(keys.subquery()) if compilation.engine == "mysql" else keys
