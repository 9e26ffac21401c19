"""Conditions become SQL.

To-one paths are joined; all to-many paths of one `filter()` call lie in one EXISTS, so that its conditions are about
the same related row and no row of the root comes twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from orm import enumerations, jsonpath, rowvalues, types
from orm.conditions import Compared, Constant, Leaf, Members
from orm.elements import element, json_path, made
from orm.exceptions import FieldError
from orm.expressions import Clause, Condition, Reference, Tree
from orm.keys import KIND
from orm.operators import Element, fold, needs_folding
from orm.paths import can_be_null, has_conditions, many, many_paths, needs_row, stays_within
from orm.query import Node, Path
from orm.references import leads_between
from orm.scopes import From, Prepare, Scope, columns_of, fixed, related, value_of
from orm.subqueries import Exists, Subselect

_ONE: Final = sa.literal_column("1", sa.Integer())


@made.register
def _condition(node: Condition, scope: Scope) -> Element:
    return condition(node, scope)


def condition(node: Node, scope: Scope, *, negated: bool = False) -> Element:
    """The SQL of a condition; `negated` says that it lies inside a negation."""
    if isinstance(node, Constant):
        return sa.true() if node.truth else sa.false()
    if isinstance(node, Tree):
        return _tree(node, scope, negated)
    if isinstance(node, (Clause, Exists)):
        return element(node, scope)
    missing = [path for path in many_paths(node) if path not in (scope.given if negated else scope.tables)]
    if missing:
        return _exists(missing, scope, node, own=negated)
    return _leaf(node, scope)


def _tree(node: Tree, scope: Scope, negated: bool) -> Element:
    if node.operator == "not":
        part = node.parts[0]
        inner = condition(part, scope, negated=True)
        return sa.not_(sa.func.coalesce(inner, sa.false()) if can_be_null(part, scope.given) else inner)
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

    With `own` it is about related rows of its own, also where some of these paths are in reach already, but for the
    row that an aggregate is about. On SQLite it is an IN where it can be, which took 4 to 100 times less there for
    conditions that few rows meet, and never more.
    """
    outer = not all(needs_row(node, path) for path in paths)
    tables = {
        path: table
        for path, table in scope.tables.items()
        if not own or path in scope.given or not any(hop.many for hop in path)
    }
    inner = scope.within(None, tables)
    first: tuple[Path, From, From] | None = None
    source: From = sa.select(_ONE.label("one")).subquery() if outer else None
    for path in paths:
        for length in range(1, len(path) + 1):
            if path[:length] in tables:
                continue
            hop = path[length - 1]
            table = tables[path[:length]] = hop.target.table.alias()
            near = _outer_table(path[: length - 1], tables, scope)
            if source is None:
                source, first = table, (path[:length], near, table)
            elif outer and leads_between(hop) and length < len(path) and scope.implied_nodes(path[length].target):
                # A row between that leads to a hidden row is as good as none, too.
                further = tables[path[: length + 1]] = path[length].target.table.alias()
                both = table.join(further, scope.joined(path[length], table, further))
                source = source.join(both, scope.joined(hop, near, table), isouter=True)
            else:
                source = source.join(table, scope.joined(hop, near, table), isouter=outer)
    inner.source = source
    where = condition(node, inner)
    if first is not None:
        start, near, far = first
        hop = start[-1]
        where = sa.and_(where, *scope.implied_over(hop, far))
        # IN is NULL, not false, beside a key that is NULL: the same in a WHERE, but not in a negation (`own`).
        if scope.compilation.engine == "sqlite" and not own and stays_within(node, start):
            keys = sa.select(*columns_of(far, hop.far)).select_from(inner.source).where(*fixed(hop, far), where)
            return value_of(near, hop.near).in_(keys)
        where = sa.and_(related(hop, near, far), where)
    # SQLAlchemy correlates with the next statement around by itself; the root may be several away.
    return sa.exists(sa.select(_ONE).select_from(inner.source).where(where).correlate(*scope.reachable()))


def _outer_table(path: Path, tables: dict[Path, From], scope: Scope) -> From:
    if path not in tables:
        tables[path] = scope.table(path)
    return tables[path]


def _leaf(node: Node, scope: Scope) -> Element:
    if has_conditions(node):
        own = list(many_paths(node))
        hidden = [path for path in scope.tables if many(path) and not any(p[: len(path)] == path for p in own)]
        if hidden:
            return _apart(node, scope, hidden)
    if isinstance(node, Leaf):
        left = node.left
        if isinstance(left, Reference) and left.keys and not node.lookup.operator.whole:
            return _json_leaf(node, cast("Any", left), scope)
        if node.lookup.kind == KIND:
            return rowvalues.compared(node, _columns(cast("Any", left), scope), scope.compilation)
        return _plain_leaf(node, scope)
    if isinstance(node, Members):
        if node.lookup.kind == KIND:
            return rowvalues.among(node, _columns(node.left, scope), scope.compilation)
        return _members(node, scope)
    if isinstance(node, Compared):
        return _compared(node, scope)
    if isinstance(node, Condition):
        raise FieldError(f"{node!r} is not a condition that can be asked for.")
    return element(node, scope)


def _columns(left: Node, scope: Scope) -> list[Element]:
    """The columns of a key of several fields."""
    reference = cast("Reference", left)
    return columns_of(scope.table(reference.path), reference.spec)


def _apart(node: Node, scope: Scope, hidden: Sequence[Path]) -> Element:
    """The SQL of a condition for which some related rows are not there, though they are in reach for others."""
    apart = scope.within(scope.source, {path: table for path, table in scope.tables.items() if path not in hidden})
    found = _leaf(node, apart)
    scope.source = apart.source
    scope.tables.update(apart.tables)
    return found


def _compared(node: Compared, scope: Scope) -> Element:
    left, right = (element(part, scope) for part in node.parts)
    if scope.compilation.engine == "postgresql":
        left, right = enumerations.compared(left, right)
    if isinstance(node.parts[1], Subselect) and node.lookup.operator.name == "in":
        if scope.grouped and scope.compilation.engine == "mysql":
            # MariaDB 10.11 finds no group for count(x) IN (SELECT …), but for any function of it.
            left = sa.func.coalesce(left, type_=left.type)
        return left.in_(cast("sa.ScalarSelect[Any]", right).element)
    operator = node.lookup.operator
    return (operator.between or operator.build)(scope.compilation.dialect, left, (right,))


def _plain_leaf(node: Leaf, scope: Scope) -> Element:
    operator, compilation = node.lookup.operator, scope.compilation
    engine = compilation.engine
    left = element(node.left, scope)
    if operator.sent is not None:
        kind = operator.sent(compilation.dialect, left.type, node.variant)
    else:
        kind = types.Text() if operator.operand == "text" else types.operand_type(left.type, compilation.dialect)
    prepare = operator.prepare
    made: Prepare | None = (lambda value: prepare(engine, value)) if prepare is not None else None
    operands = [compilation.parameter(node.position + i, kind, made) for i in range(len(node.values))]
    if engine == "sqlite" and operator.variant is needs_folding and node.variant:
        left, operands = fold(left), [cast("Any", fold(operand)) for operand in operands]
    if node.lookup.kind == "json" and operator.name == "exact":
        return jsonpath.equals(compilation.dialect, left, operands[0])
    return operator.build(compilation.dialect, left, tuple(operands))


def _json_leaf(node: Leaf, reference: Reference, scope: Scope) -> Element:
    lookup, compilation = node.lookup, scope.compilation
    engine, operator = compilation.engine, lookup.operator
    column = scope.table(reference.path).c[reference.spec.name]
    path = json_path(reference, scope)
    if operator.operand == "flag":
        missing = jsonpath.is_missing(engine, column, path)
        return missing if operator.name == "isnull" else sa.not_(missing)
    variant = cast("str | None", node.variant)
    prepare = operator.prepare
    made: Prepare | None = (lambda value: prepare(engine, value)) if prepare is not None else None
    operand = compilation.parameter(node.position, jsonpath.operand_type(engine, variant), made)
    return jsonpath.compare(compilation.dialect, operator, variant, column, path, operand)


def _members(node: Members, scope: Scope) -> Element:
    compilation = scope.compilation
    left = element(node.left, scope)
    if not node.as_one(compilation.engine):
        return left.in_([compilation.parameter(node.position + i, left.type) for i in range(node.padded())])
    process = types.bind_processor(left.type, compilation.dialect)
    if compilation.engine == "postgresql":
        made = types.each(process) if process is not None else None
        return left == sa.any_(
            compilation.parameter(
                node.position, postgresql.ARRAY(types.operand_type(left.type, compilation.dialect)), made, raw=True
            )
        )
    sent = types.dumps if process is None else _listed(types.each(process))
    listed = sa.func.json_each(compilation.parameter(node.position, types.Text(), sent, raw=True))
    return left.in_(sa.select(listed.table_valued("value").c.value))


def _listed(convert: types.Processor) -> Prepare:
    return lambda values: types.dumps(convert(values))
