"""What PostgreSQL's `@>` means for JSON, in Python: SQLite has no such function. Pure."""

from __future__ import annotations

from typing import Any, cast


def contains(value: Any, part: Any, *, top: bool = False) -> bool:
    """Whether a JSON value contains another one.

    An object contains one whose keys it has, each value containing the other's; a list one whose items are each
    contained in one of its own; at the top also a single value that is one of its items.
    https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT
    """
    if isinstance(value, dict) and isinstance(part, dict):
        whole = cast("dict[str, Any]", value)
        return all(key in whole and contains(whole[key], item) for key, item in cast("dict[str, Any]", part).items())
    if isinstance(value, list):
        items = cast("Any", value)
        if isinstance(part, list):
            return all(any(contains(item, wanted) for item in items) for wanted in cast("Any", part))
        return top and not isinstance(part, dict) and any(_same(item, part) for item in items)
    return not isinstance(part, (dict, list)) and _same(value, part)


def _same(value: Any, part: Any) -> bool:
    """Whether two single values are the same: `true` is not 1."""
    return isinstance(value, bool) is isinstance(part, bool) and bool(value == part)
