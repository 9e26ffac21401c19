"""What a condition is about: the paths it goes over, and what follows for the SQL of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from orm.expressions import Clause, Compared, Constant, InQuery, Leaf, Members, Reference, Tree
from orm.query import Node, Path


def many_paths(node: Node) -> Iterable[Path]:
    """The paths over to-many relations, those inside negations left out: each of them has its own EXISTS."""
    if isinstance(node, Reference):
        if any(hop.many for hop in node.path):
            yield node.path
    elif isinstance(node, Tree) and node.operator == "not":
        return
    else:
        lookup = getattr(node, "lookup", None)
        if lookup is not None and not isinstance(node, Compared):
            yield from many_paths(lookup.reference)
        for part in node.parts:
            yield from many_paths(part)


def needs_row(node: Node, path: Path) -> bool:
    """Whether no condition on the end of the path can hold for a row that is missing there."""
    if isinstance(node, (Leaf, Members, InQuery)):
        found = node.lookup.reference.path
        return found[: len(path)] == path and node.lookup.operator.name != "isnull"
    if isinstance(node, Tree) and node.operator != "not":
        judge = any if node.operator == "and" else all
        return judge([needs_row(part, path) for part in node.parts])
    return False


def can_be_null(node: Node) -> bool:
    """Whether the condition may be NULL rather than true or false."""
    if isinstance(node, Constant):
        return False
    if isinstance(node, Tree):
        return node.operator != "not" and any(can_be_null(part) for part in node.parts)
    if any(True for _ in many_paths(node)):
        return False
    if isinstance(node, (Leaf, Members)):
        reference = node.lookup.reference
        if node.lookup.operator.operand == "flag":
            return False
        return bool(reference.keys) or reference.spec.null or any(hop.null for hop in reference.path)
    return True


def leaves_table(nodes: Sequence[Node]) -> bool:
    """Whether a condition reads more than the row itself."""
    for node in nodes:
        lookup = getattr(node, "lookup", None)
        reference: Reference | None = lookup.reference if lookup is not None else None
        if isinstance(node, Reference):
            reference = cast("Any", node)
        if isinstance(node, (InQuery, Clause)) or (reference is not None and reference.path):
            return True
        if leaves_table(node.parts):
            return True
    return False


def stays_within(node: Node, path: Path) -> bool:
    """Whether a condition is about nothing but what lies at the end of a path or beyond."""
    if isinstance(node, Clause):
        return False
    lookup = getattr(node, "lookup", None)
    reference: Reference | None = lookup.reference if lookup is not None else None
    if isinstance(node, Reference):
        reference = cast("Any", node)
    if reference is not None and reference.path[: len(path)] != path:
        return False
    return all(stays_within(part, path) for part in node.parts)
