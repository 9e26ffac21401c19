"""What set operations mean, in plain Python: rows are tuples of values, and NULL is equal to NULL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Tuples = list[tuple[Any, ...]]


def put_together(operator: str, members: Sequence[Tuples]) -> Tuples:
    """The rows of several queries: each once, but for "union all", where each comes as often as in all of them."""
    first, *others = members
    if operator == "union all":
        return [row for member in members for row in member]
    if operator == "union":
        return list(dict.fromkeys(row for member in members for row in member))
    found = list(dict.fromkeys(first))
    for other in others:
        found = [row for row in found if (row in other) is (operator == "intersection")]
    return found
