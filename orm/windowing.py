"""Window functions become SQL."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import sqlalchemy as sa

from orm.aggregates import Aggregate
from orm.aggregation import bare, or_default
from orm.elements import element, made, order, typed
from orm.engines import engine_name
from orm.exceptions import NotSupportedError
from orm.operators import Element
from orm.query import Node, origin_of, walk
from orm.scopes import Scope
from orm.windows import RowRange, ValueRange, Window, WindowFunction


@made.register
def _window(node: Window, scope: Scope) -> Element:
    partition = [element(part, scope) for part in node.partition]
    terms = [term for part in node.order for term in order(part, scope)]
    frame = node.frame
    bounds = None if frame is None else (frame.start, frame.end)
    if isinstance(frame, ValueRange) and len(terms) > 1 and (frame.start or frame.end):
        raise NotSupportedError(
            f"{engine_name(scope.compilation.dialect)} has no {frame!r} in an order that says where NULLs go. "
            "Leave nulls= out."
        )

    def over(value: Element) -> Element:
        made: Element = sa.over(
            cast("Any", value),
            partition_by=partition or None,
            order_by=terms or None,
            rows=bounds if isinstance(frame, RowRange) else None,
            range_=bounds if isinstance(frame, ValueRange) else None,
        )
        return made

    function = node.parts[0]
    if isinstance(function, WindowFunction):
        operands = tuple([element(part, scope) for part in function.parts])
        return typed(function.windowed(scope.compilation.dialect, operands, over), node)
    aggregate = cast("Aggregate", function)
    return typed(or_default(aggregate, over(bare(aggregate, scope, of_groups=scope.grouped)), scope), node)


def windows_in(nodes: Iterable[Node]) -> dict[Node, Node]:
    """The window functions in expressions, by what they are copies of."""
    found: list[Node] = [part for node in nodes for part in walk(node) if isinstance(part, Window)]
    return {origin_of(part): part for part in found}
