"""Random set operations, each compared with what `tests.reference_sets` says that it means."""

from __future__ import annotations

from typing import Any

import pytest

from tests.random_queries import Chosen, words_of
from tests.random_sets import Combined, combined, combined_instances, combined_values
from tests.reference import Order, in_order, keeps, value_of
from tests.reference_data import COLUMNS, Row, World
from tests.reference_sets import put_together
from tests.worlds import ENGINES, Worlds, tried

pytestmark = pytest.mark.parametrize("backend", ENGINES, indirect=True)


def _member(world: World, chosen: Chosen) -> list[Row]:
    """The rows of a member: its order matters to its slices only."""

    def by(row: Row, order: Order) -> Any:
        return value_of(world, chosen.model, row, order.column)

    rows = [row for row in world[chosen.model] if keeps(world, chosen.model, row, chosen.calls)]
    rows = in_order(rows, chosen.order, by)
    for start, stop in chosen.slices:
        rows = rows[start:stop]
    return rows


def _finished(world: World, chosen: Combined, rows: list[Row]) -> list[Row]:
    """The rows of the result with its own conditions, order and slices."""
    model = chosen.members[0].model

    def by(row: Row, order: Order) -> Any:
        return row[words_of(order.column)] if chosen.columns else value_of(world, model, row, order.column)

    rows = in_order([row for row in rows if keeps(world, model, row, chosen.calls)], chosen.order, by)
    for start, stop in chosen.slices:
        rows = rows[start:stop]
    return rows


async def _check(world: World, chosen: Combined) -> None:
    model = chosen.members[0].model
    names = [words_of(column) for column in chosen.columns[0]] if chosen.columns else list(COLUMNS[model])
    members = []
    for index, member in enumerate(chosen.members):
        rows = _member(world, member)
        if chosen.columns:
            read = chosen.columns[index]
            members.append([tuple([value_of(world, member.model, row, column) for column in read]) for row in rows])
        else:
            members.append([tuple(row.values()) for row in rows])
    together = [dict(zip(names, row, strict=True)) for row in put_together(chosen.operator, members)]
    expected = _finished(world, chosen, together)
    query = combined(chosen)
    found = await query if chosen.columns else [{name: getattr(row, name) for name in names} for row in await query]
    if chosen.order:
        assert found == expected
    else:
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert await query.count() == len(expected)
    assert await query.exists() is bool(expected)


def test_set_operations_of_instances(worlds: Worlds) -> None:
    tried(worlds, 25, combined_instances(), _check)


def test_set_operations_of_values(worlds: Worlds) -> None:
    tried(worlds, 25, combined_values(), _check)
