"""What a condition is about: the paths it goes over, and what follows for the SQL of it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from orm.aggregates import Aggregate
from orm.conditions import Constant, Leaf, Looked, Members
from orm.expressions import Clause, Condition, Function, Reference, Tree, output_of
from orm.query import Node, Path, walk
from orm.subqueries import Exists, Outer, Subselect
from orm.windows import Window


def many(path: Path) -> bool:
    """Whether a path goes over a to-many relation."""
    return any(hop.many for hop in path)


def many_paths(node: Node) -> Iterable[Path]:
    """The paths over to-many relations that it has to be joined with.

    Those inside negations are left out, since each of them has an EXISTS of its own, and so are those of conditions
    that an expression has in it, those of aggregates, which have a subquery of their own, and those of the query
    around.
    """
    if isinstance(node, Reference):
        if many(node.path):
            yield node.path
    elif (isinstance(node, Tree) and node.operator == "not") or isinstance(node, (Aggregate, Outer)):
        return
    else:
        for child in node.children:
            if not isinstance(node, Function) or not isinstance(child, Condition):
                yield from many_paths(child)


def has_conditions(node: Node) -> bool:
    """Whether an expression in a condition has conditions in it, as `Case` has."""
    inside = isinstance(node, Function) and any(isinstance(child, Condition) for child in node.children)
    return inside or any(has_conditions(child) for child in node.children)


def needs_row(node: Node, path: Path) -> bool:
    """Whether no condition on the end of the path can hold for a row that is missing there."""
    if isinstance(node, Looked):
        left = node.left
        if not isinstance(left, Reference) or node.lookup.operator.name == "isnull":
            return False
        return left.path[: len(path)] == path
    if isinstance(node, Tree) and node.operator != "not":
        judge = any if node.operator == "and" else all
        return judge([needs_row(part, path) for part in node.parts])
    return False


def can_be_null(node: Node, given: Collection[Path] = ()) -> bool:
    """Whether the condition may be NULL rather than true or false; it has no EXISTS of its own for the given paths."""
    if isinstance(node, (Constant, Exists)):
        return False
    if isinstance(node, Tree):
        return node.operator != "not" and any(can_be_null(part, given) for part in node.parts)
    if any(path not in given for path in many_paths(node)):
        return False
    if isinstance(node, (Leaf, Members)):
        return node.lookup.operator.operand != "flag" and output_of(node.left).null
    return True


def leaves_table(nodes: Sequence[Node]) -> bool:
    """Whether a condition reads more than the row itself."""
    for node in nodes:
        if isinstance(node, (Subselect, Clause, Aggregate)) or (isinstance(node, Reference) and node.path):
            return True
        if leaves_table(node.children):
            return True
    return False


def reads_rows(node: Node) -> bool:
    """Whether an expression reads other rows for each row."""
    return any(isinstance(part, (Aggregate, Subselect, Window)) for part in walk(node))


def stays_within(node: Node, path: Path) -> bool:
    """Whether a condition is about nothing but what lies at the end of a path or beyond."""
    if isinstance(node, (Clause, Subselect, Aggregate)):
        return False
    if isinstance(node, Reference) and node.path[: len(path)] != path:
        return False
    return all(stays_within(child, path) for child in node.children)
