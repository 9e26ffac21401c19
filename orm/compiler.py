"""A `Query` becomes a SQLAlchemy Core statement. Pure, and off the hot path: each shape of query comes here once.

A `Scope` knows which tables are in reach: the root, which is never aliased, and an alias for each path that was
joined. To-one paths are joined; all to-many paths of one `filter()` call lie in one EXISTS, so that its conditions
are about the same related row and no row of the root comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm import jsonpath, locks, moments, types
from orm.exceptions import FieldError
from orm.expressions import (
    Assigned,
    Clause,
    Combined,
    Compared,
    Constant,
    InQuery,
    Leaf,
    Members,
    Ordering,
    Reference,
    Tree,
    Value,
)
from orm.operators import Element, fold
from orm.paths import can_be_null, leaves_table, many_paths, needs_row, stays_within
from orm.query import Counter, Node, Path, PlacedQuery, Query
from orm.schema import FieldSpec, Schema

Prepare = Callable[[Any], Any]
"""What is done to a value before its type turns it into the driver's form."""

_ONE: Final = sa.literal_column("1", sa.Integer())
From = Any  # sa.FromClause; its joins are typed too narrowly to be rebuilt step by step


@dataclass(frozen=True)
class Parameter:
    """Where a parameter of the statement comes from.

    Attributes:
        position: the index among the query's values.
        type: the column type that turns the value into the driver's form, or `None` to send it as it is.
        prepare: what is done to the value before.
    """

    position: int
    type: TypeEngine[Any] | None
    prepare: Prepare | None = None
    item: int | None = None


@dataclass(frozen=True)
class Entity:
    """The columns of a result that make one instance of each row."""

    path: Path
    schema: Schema
    fields: tuple[FieldSpec, ...]


@dataclass
class Compilation:
    """A statement under construction: its parameters, and what its columns mean."""

    dialect: Dialect
    parameters: dict[str, Parameter] = field(default_factory=dict[str, Parameter])
    entities: list[Entity] = field(default_factory=list[Entity])

    @property
    def engine(self) -> str:
        """The engine's name."""
        return self.dialect.name

    def parameter(
        self,
        position: int,
        kind: TypeEngine[Any],
        prepare: Prepare | None = None,
        *,
        raw: bool = False,
        item: int | None = None,
    ) -> sa.BindParameter[Any]:
        """A parameter for the value at a position; with `raw` the type only says what SQL sees."""
        name = f"v{len(self.parameters)}"
        self.parameters[name] = Parameter(position, None if raw else kind, prepare, item)
        return sa.bindparam(name, type_=kind, unique=False, required=True)


class Scope:
    """The tables in reach of a condition."""

    def __init__(self, compilation: Compilation, root: From, tables: dict[Path, From]) -> None:
        self.compilation = compilation
        self.tables = tables
        self.source = root

    def table(self, path: Path) -> From:
        """The table at the end of a path, joined if it is not in reach yet."""
        found = self.tables.get(path)
        if found is None:
            parent = self.table(path[:-1])
            hop = path[-1]
            found = self.tables[path] = hop.target.table.alias()
            outer = any(step.null for step in path)
            on = parent.c[hop.near.name] == found.c[hop.far.name]
            self.source = self.source.join(found, on, isouter=outer)
        return found


# ---------------------------------------------------------------- expressions


def element(node: Node, scope: Scope) -> Element:
    """The SQL of an expression."""
    if isinstance(node, Reference):
        return _reference(cast("Any", node), scope)
    if isinstance(node, Value):
        return scope.compilation.parameter(node.position, node.type)
    if isinstance(node, Combined):
        return _combined(node, scope)
    if isinstance(node, Clause):
        return _clause(node, scope)
    return condition(node, scope)


def _reference(node: Reference, scope: Scope) -> Element:
    column = scope.table(node.path).c[node.spec.name]
    engine = scope.compilation.engine
    if node.keys:
        return jsonpath.document(engine, column, _json_path(node.position, scope))
    if node.transform is not None:
        return node.transform.build(engine, column, node.spec.kind)
    return cast("Element", column)


def _json_path(position: int, scope: Scope) -> Element:
    engine = scope.compilation.engine
    return scope.compilation.parameter(position, jsonpath.path_type(engine), jsonpath.prepare_path(engine), raw=True)


_ARITHMETIC: dict[str, Callable[[Any, Any], Element]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "%": lambda a, b: a % b,
}


def _combined(node: Combined, scope: Scope) -> Element:
    left, right = (element(part, scope) for part in node.parts)
    if moments.is_moment(left) or moments.is_moment(right):
        return moments.combine(scope.compilation.engine, node.operator, left, right)
    return _ARITHMETIC[node.operator](left, right)


def _clause(node: Clause, scope: Scope) -> Element:
    def parameter(bind: sa.BindParameter[Any], position: int) -> Any:
        if bind.expanding:
            items = [
                scope.compilation.parameter(position, bind.type, item=index)
                for index in range(len(bind.effective_value or ()))
            ]
            return sa.tuple_(*items) if items else sa.null()
        return scope.compilation.parameter(position, bind.type)

    return node.placed_element(parameter)


# ---------------------------------------------------------------- conditions


def condition(node: Node, scope: Scope, *, negated: bool = False) -> Element:
    """The SQL of a condition; `negated` says that it lies inside a negation."""
    if isinstance(node, Constant):
        return sa.true() if node.truth else sa.false()
    if isinstance(node, Tree):
        return _tree(node, scope, negated)
    if isinstance(node, Clause):
        return _clause(node, scope)
    missing = [path for path in many_paths(node) if negated or path not in scope.tables]
    if missing:
        return _exists(missing, scope, node, own=negated)
    return _leaf(node, scope)


def _tree(node: Tree, scope: Scope, negated: bool) -> Element:
    if node.operator == "not":
        part = node.parts[0]
        inner = condition(part, scope, negated=True)
        return sa.not_(sa.func.coalesce(inner, sa.false()) if can_be_null(part) else inner)
    join = sa.and_ if node.operator == "and" else sa.or_
    if negated:
        return join(*[condition(part, scope, negated=True) for part in node.parts])
    missing = [path for path in dict.fromkeys(many_paths(node)) if path not in scope.tables]
    if not missing:
        return join(*[condition(part, scope) for part in node.parts])
    if node.operator == "and":
        outside = [part for part in node.parts if not any(True for _ in many_paths(part))]
        if outside:
            inside = Tree("and", tuple([cast("Any", part) for part in node.parts if part not in outside]))
            return sa.and_(*[condition(part, scope) for part in outside], _exists(missing, scope, inside))
    return _exists(missing, scope, node)


def _exists(paths: Sequence[Path], scope: Scope, node: Node, *, own: bool = False) -> Element:
    """One EXISTS over all paths. Its joins are inner ones where no missing row could satisfy the condition.

    With `own` it is about related rows of its own, also where some of these paths are in reach already. On SQLite it
    is an IN where it can be, which took 4 to 100 times less there for conditions that few rows meet, and never more.
    """
    outer = not all(needs_row(node, path) for path in paths)
    tables = {path: table for path, table in scope.tables.items() if not (own and any(hop.many for hop in path))}
    inner = Scope(scope.compilation, None, tables)
    first: tuple[Path, Element, Element] | None = None
    source: From = sa.select(_ONE.label("one")).subquery() if outer else None
    for path in paths:
        for length in range(1, len(path) + 1):
            if path[:length] in tables:
                continue
            hop = path[length - 1]
            table = tables[path[:length]] = hop.target.table.alias()
            near: Element = _outer_table(path[: length - 1], tables, scope).c[hop.near.name]
            far: Element = table.c[hop.far.name]
            if source is None:
                source, first = table, (path[:length], near, far)
            else:
                source = source.join(table, near == far, isouter=outer)
    inner.source = source
    where = condition(node, inner)
    if first is not None:
        start, near, far = first
        # IN is NULL, not false, beside a key that is NULL: the same in a WHERE, but not in a negation (`own`).
        if scope.compilation.engine == "sqlite" and not own and stays_within(node, start):
            return near.in_(sa.select(far).select_from(inner.source).where(where))
        where = sa.and_(near == far, where)
    # SQLAlchemy correlates with the next statement around by itself; the root may be several away.
    return sa.exists(sa.select(_ONE).select_from(inner.source).where(where).correlate(*scope.tables.values()))


def _outer_table(path: Path, tables: dict[Path, From], scope: Scope) -> From:
    if path not in tables:
        tables[path] = scope.table(path)
    return tables[path]


def _leaf(node: Node, scope: Scope) -> Element:
    if isinstance(node, Leaf):
        return _json_leaf(node, scope) if node.lookup.reference.keys else _plain_leaf(node, scope)
    if isinstance(node, Members):
        return _members(node, scope)
    if isinstance(node, InQuery):
        return _in_query(node, scope)
    if isinstance(node, Compared):
        left, right = (element(part, scope) for part in node.parts)
        return node.lookup.operator.build(scope.compilation.engine, left, (right,))
    raise FieldError(f"{node!r} is not a condition.")


def _plain_leaf(node: Leaf, scope: Scope) -> Element:
    operator, compilation = node.lookup.operator, scope.compilation
    engine = compilation.engine
    left = _reference(node.lookup.reference, scope)
    kind = types.Text() if operator.operand == "text" else types.operand_type(left.type, compilation.dialect)
    prepare = operator.prepare
    made: Prepare | None = (lambda value: prepare(engine, value)) if prepare is not None else None
    operands = [compilation.parameter(node.position + i, kind, made) for i in range(len(node.values))]
    if engine == "sqlite" and operator.variant is not None and operator.variant(node.values[0]):
        left, operands = fold(left), [cast("Any", fold(operand)) for operand in operands]
    if node.lookup.reference.kind == "json" and operator.name == "exact":
        return jsonpath.equals(compilation.dialect, left, operands[0])
    return operator.build(engine, left, tuple(operands))


def _json_leaf(node: Leaf, scope: Scope) -> Element:
    lookup, compilation = node.lookup, scope.compilation
    engine, operator = compilation.engine, lookup.operator
    column = scope.table(lookup.reference.path).c[lookup.reference.spec.name]
    path = _json_path(node.position, scope)
    if operator.operand == "flag":
        missing = jsonpath.is_missing(engine, column, path)
        return missing if operator.name == "isnull" else sa.not_(missing)
    variant = cast("tuple[Any, ...]", node.key)[5]
    prepare = operator.prepare
    made: Prepare | None = (lambda value: prepare(engine, value)) if prepare is not None else None
    operand = compilation.parameter(node.position + 1, jsonpath.operand_type(engine, variant), made)
    return jsonpath.compare(compilation.dialect, operator, variant, column, path, operand)


def _members(node: Members, scope: Scope) -> Element:
    compilation = scope.compilation
    left = _reference(node.lookup.reference, scope)
    if not node.as_one(compilation.engine):
        return left.in_([compilation.parameter(node.position + i, left.type) for i in range(node.padded())])
    process = types.bind_processor(left.type, compilation.dialect)
    if compilation.engine == "postgresql":
        made: Prepare | None = (lambda values: [process(value) for value in values]) if process is not None else None
        return left == sa.any_(
            compilation.parameter(
                node.position, postgresql.ARRAY(types.operand_type(left.type, compilation.dialect)), made, raw=True
            )
        )
    listed = sa.func.json_each(compilation.parameter(node.position, types.Text(), types.dumps, raw=True))
    return left.in_(sa.select(listed.table_valued("value").c.value))


def _in_query(node: InQuery, scope: Scope) -> Element:
    left = _reference(node.lookup.reference, scope)
    inner = subquery(node.placed, scope.compilation)
    if scope.compilation.engine == "mysql" and node.query.sliced:
        inner = sa.select(inner.subquery())  # MySQL has no LIMIT in a subquery of IN, but takes a derived table
    return left.in_(inner)


# ---------------------------------------------------------------- statements


def place(query: Query, engine: str, before: int = 0) -> PlacedQuery:
    """The query with every node knowing where its values are."""
    counter = Counter(engine)
    counter.value = before
    return query.place(counter)


def select(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """The SELECT of a query; fills `compilation.entities` for instances."""
    query = placed.query
    selection = query.selection
    root = query.schema.table
    scope = Scope(compilation, root, {(): root})
    columns: list[Element] = []
    if selection.link is not None:
        link = scope.table((selection.link,))
        columns.append(link.c[_link_key(query).name])
    if query.columns is not None:
        columns += [element(node, scope) for node in query.columns]
    else:
        for entity in _entities(query):
            compilation.entities.append(entity)
            table = scope.table(entity.path)
            columns += [table.c[spec.name] for spec in entity.fields]
    return _finished(placed, scope, sa.select(*columns))


def _link_key(query: Query) -> FieldSpec:
    """The key of the through model's rows to the other side: what a many-to-many prefetch groups by."""
    node = query.where[0]
    return cast("Members", node).lookup.reference.spec


def subquery(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """A query of one column inside another one."""
    root = placed.query.schema.table
    scope = Scope(compilation, root, {(): root})
    columns = [element(node, scope) for node in placed.query.columns or ()]
    return _finished(placed, scope, sa.select(*columns)).correlate(None)


def _finished(placed: PlacedQuery, scope: Scope, statement: sa.Select[Any]) -> sa.Select[Any]:
    """The SELECT with its conditions, order and limits: what it reads must be known before."""
    query = placed.query
    where = [condition(node, scope) for node in query.where]
    order = [term for node in query.order or () for term in _order(node, scope)]
    lock = locks.clause(query, scope.table, scope.compilation.dialect)
    statement = statement.select_from(scope.source).where(*where).order_by(*order)
    if query.selection.distinct:
        statement = statement.distinct()
    for name in ("limit", "offset"):
        position = getattr(placed, name)
        if position is not None:
            parameter = scope.compilation.parameter(position, sa.BigInteger())
            statement = getattr(statement, name)(parameter)
    if lock is not None:
        statement = statement.with_for_update(**lock)
    return statement


def _order(node: Node, scope: Scope) -> list[Element]:
    assert isinstance(node, Ordering)
    column = element(node.parts[0], scope)
    terms = [column.desc() if node.descending else column.asc()]
    if node.nulls is not None and scope.compilation.engine == "postgresql":
        # A term of its own would have to be read by a SELECT DISTINCT.
        terms = [terms[0].nulls_first() if node.nulls == "first" else terms[0].nulls_last()]
    elif node.nulls is not None:
        missing = column.is_(None)
        terms.insert(0, missing.desc() if node.nulls == "first" else missing.asc())
    return cast("list[Element]", terms)


def _entities(query: Query) -> list[Entity]:
    selection = query.selection
    paths: dict[Path, None] = {(): None}
    for path in selection.related:
        for length in range(1, len(path) + 1):
            paths[path[:length]] = None
    entities: list[Entity] = []
    for path in paths:
        schema = path[-1].target if path else query.schema
        entities.append(Entity(path, schema, _loaded_fields(schema, path, selection.only, selection.deferred)))
    return entities


def _loaded_fields(schema: Schema, path: Path, only: frozenset[str], deferred: frozenset[str]) -> tuple[FieldSpec, ...]:
    """The columns to be read of an entity: the key always; the keys of relations that are read, too."""
    prefix = "".join(f"{hop.name}__" for hop in path)
    wanted = [spec for spec in schema.fields.values() if f"{prefix}{spec.name}" not in deferred]
    named = {word[len(prefix) :] for word in only if word.startswith(prefix)}
    here = {word for word in named if "__" not in word}
    if here:
        needed = {word.partition("__")[0] for word in named if "__" in word}
        wanted = [spec for spec in wanted if spec.name in here or spec.relation in needed]
    if schema.key not in wanted:
        wanted.insert(0, schema.key)
    return tuple(wanted)


def count(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """SELECT count(*) of a query's rows."""
    query = placed.query
    if query.sliced or query.selection.distinct:
        inner = select(placed, compilation)
        return sa.select(sa.func.count()).select_from(inner.subquery())
    root = query.schema.table
    scope = Scope(compilation, root, {(): root})
    where = [condition(node, scope) for node in query.where]
    return sa.select(sa.func.count()).select_from(scope.source).where(*where)


def exists(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """SELECT 1 of a query's first row."""
    if placed.query.selection.distinct and placed.query.offset is not None:
        return sa.select(_ONE.label("one")).select_from(select(placed, compilation).subquery())
    root = placed.query.schema.table
    scope = Scope(compilation, root, {(): root})
    return _finished(placed, scope, sa.select(_ONE.label("one")))


def update(placed: PlacedQuery, assignments: Sequence[tuple[FieldSpec, Node]], compilation: Compilation) -> sa.Update:
    """UPDATE of exactly the rows that the query would read."""
    schema = placed.query.schema
    table = schema.table
    scope = Scope(compilation, table, {(): table})
    values: dict[str, Any] = {}
    for spec, node in assignments:
        if isinstance(node, Assigned):
            values[spec.name] = compilation.parameter(node.position, table.c[spec.name].type)
        else:
            values[spec.name] = _fitting(element(node, scope), table.c[spec.name].type, compilation.engine)
    return sa.update(table).where(*_target(placed, compilation)).values(values)


def _fitting(value: Element, kind: TypeEngine[Any], engine: str) -> Element:
    """An expression as a value of a column: SQLite would keep a fraction in a column of whole numbers."""
    if engine == "sqlite" and isinstance(kind, sa.Integer) and not isinstance(value.type, sa.Integer):
        return sa.cast(sa.func.round(value), sa.Integer)
    return value


def delete(placed: PlacedQuery, compilation: Compilation) -> sa.Delete:
    """DELETE of exactly the rows that the query would read."""
    return sa.delete(placed.query.schema.table).where(*_target(placed, compilation))


def _target(placed: PlacedQuery, compilation: Compilation) -> list[Element]:
    """The WHERE of an UPDATE or DELETE: the query's own conditions, or the keys of its rows where they need more."""
    query = placed.query
    table = query.schema.table
    scope = Scope(compilation, table, {(): table})
    # MySQL refuses to read the target elsewhere in the statement; SQLite 3.40 may see there what it has just changed.
    whole = compilation.engine != "postgresql" and leaves_table(query.where)
    if not query.sliced and not whole:
        before = dict(compilation.parameters)
        where = [condition(node, scope) for node in query.where]
        if scope.source is table:
            return where
        compilation.parameters = before
    return [table.c[query.schema.key.name].in_(selected_keys(placed, compilation))]


def selected_keys(placed: PlacedQuery, compilation: Compilation) -> sa.Select[Any]:
    """The keys of a query's rows, as a subquery."""
    table = placed.query.schema.table
    scope = Scope(compilation, table, {(): table})
    keys = _finished(placed, scope, sa.select(table.c[placed.query.schema.key.name])).correlate(None)
    # MySQL has no LIMIT in a subquery of IN, and reads the target of an UPDATE only in a derived table.
    return sa.select(keys.subquery()) if compilation.engine == "mysql" else keys
