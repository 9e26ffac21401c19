"""Window functions become SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import sqlalchemy as sa

from orm.aggregates import Aggregate
from orm.aggregation import plain
from orm.elements import element, made, order
from orm.operators import Element
from orm.query import Node, origin_of, walk
from orm.scopes import Scope
from orm.windows import RowRange, Window


@made.register
def _window(node: Window, scope: Scope) -> Element:
    function: Any = node.parts[0]
    of_rows = isinstance(function, Aggregate)
    value: Any = plain(cast("Any", function), scope) if of_rows else element(function, scope)
    partition = [element(part, scope) for part in node.partition]
    terms = [term for part in node.order for term in order(part, scope)]
    frame = node.frame
    bounds = None if frame is None else (frame.start, frame.end)
    return sa.over(
        value,
        partition_by=partition or None,
        order_by=terms or None,
        rows=bounds if isinstance(frame, RowRange) else None,
        range_=None if isinstance(frame, RowRange) else bounds,
    )


def windows_in(nodes: Iterable[Node]) -> dict[Node, Node]:
    """The window functions in expressions, by what they are copies of."""
    found: list[Node] = [part for node in nodes for part in walk(node) if isinstance(part, Window)]
    return {origin_of(part): part for part in found}
