"""Random query sets over random data, each compared with what `tests.reference` says that it means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import strategies as st

import orm
from tests import music
from tests.random_queries import (
    MODELS,
    Chosen,
    Distinct,
    distinct_queries,
    filtered,
    ordered,
    queries,
    sliced,
    words_of,
)
from tests.reference import Call, Column, Compare, Condition, Every, Not, Order, Some, in_order, keeps, value_of
from tests.reference_data import COLUMNS, Row, World
from tests.worlds import ENGINES, Worlds, database, tried

pytestmark = pytest.mark.parametrize("backend", ENGINES, indirect=True)


# ---------------------------------------------------------------- what it means


def _kept(world: World, chosen: Chosen) -> list[Row]:
    return [row for row in world[chosen.model] if keeps(world, chosen.model, row, chosen.calls)]


def _expected(world: World, chosen: Chosen) -> list[Row]:
    rows = in_order(
        _kept(world, chosen), chosen.order, lambda row, order: value_of(world, chosen.model, row, order.column)
    )
    if chosen.reversed:
        rows.reverse()
    for start, stop in chosen.slices:
        rows = rows[start:stop]
    return rows


def test_what_a_query_reads(worlds: Worlds) -> None:
    async def check(world: World, chosen: Chosen) -> None:
        query, expected = sliced(ordered(chosen), chosen.slices), _expected(world, chosen)
        found = await query
        names = COLUMNS[chosen.model]
        assert [{name: getattr(row, name) for name in names} for row in found] == expected
        assert await query.count() == len(expected)
        assert await query.exists() is bool(expected)

    tried(worlds, 100, queries(), check)


def test_other_ways_to_read_it(worlds: Worlds) -> None:
    async def check(world: World, drawn: tuple[Chosen, str]) -> None:
        chosen, way = drawn
        query, expected = sliced(ordered(chosen), chosen.slices), _expected(world, chosen)
        keys = [row["id"] for row in expected]
        if way == "first":
            assert getattr(await query.first(), "id", None) == next(iter(keys), None)
        elif way == "last":
            assert getattr(await query.last(), "id", None) == next(reversed(keys), None)
        elif way == "values":
            assert await query.values(*COLUMNS[chosen.model]) == expected
        elif way == "iterate":
            assert [row.id async for row in query.iterate(2)] == keys
        elif way == "in_bulk":
            assert list(await query.in_bulk()) == keys
        elif way == "get_or_none":
            if len(keys) > 1:
                with pytest.raises(orm.MultipleObjectsReturned):
                    await query.get_or_none()
            else:
                assert getattr(await query.get_or_none(), "id", None) == next(iter(keys), None)
        else:
            kept = [row["id"] for row in _kept(world, chosen)]
            assert sorted([row.id for row in await filtered(chosen.model, chosen.calls)]) == kept
            assert await filtered(chosen.model, chosen.calls).count() == len(kept)

    ways = st.sampled_from(("first", "last", "values", "iterate", "in_bulk", "get_or_none", "unordered"))
    tried(worlds, 70, st.tuples(queries(), ways), check)


def test_distinct_values(worlds: Worlds) -> None:
    async def check(world: World, chosen: Distinct) -> None:
        plain, model = chosen.query, chosen.query.model
        found = [
            tuple([value_of(world, model, row, column) for column in chosen.columns]) for row in _kept(world, plain)
        ]
        rows = [{"values": values} for values in dict.fromkeys(found)]
        rows = in_order(rows, plain.order, lambda row, order: row["values"][chosen.columns.index(order.column)])
        for start, stop in plain.slices:
            rows = rows[start:stop]
        expected: list[Any] = [row["values"] for row in rows]
        flat = len(chosen.columns) == 1
        query = ordered(plain).values_list(*[words_of(column) for column in chosen.columns], flat=flat)
        query = sliced(query.distinct(), plain.slices)
        if flat:
            expected = [values[0] for values in expected]
        if plain.order:
            assert await query == expected
        else:
            assert sorted(map(repr, await query)) == sorted(map(repr, expected))
        assert await query.count() == len(expected)
        assert await query.exists() is bool(expected)

    tried(worlds, 50, distinct_queries(), check)


_CHANGES: dict[str, tuple[str, dict[str, Any]]] = {
    "Artist": ("country", {"c": "c"}),
    "Profile": ("text", {"new": "new"}),
    "Album": ("year", {"9": 9, "null": None, "year + 1": orm.F("year") + 1, "year * id": orm.F("year") * orm.F("id")}),
    "Track": ("seconds", {"9": 9, "seconds - 2": orm.F("seconds") - 2, "id": orm.F("id")}),
    "Playlist": ("name", {"new": "new"}),
    "Employee": ("manager_id", {"null": None, "id": orm.F("id")}),
}
_CHANGED: dict[str, Callable[[Row], Any]] = {
    "c": lambda row: "c",
    "new": lambda row: "new",
    "9": lambda row: 9,
    "null": lambda row: None,
    "year + 1": lambda row: None if row["year"] is None else row["year"] + 1,
    "year * id": lambda row: None if row["year"] is None else row["year"] * row["id"],
    "seconds - 2": lambda row: row["seconds"] - 2,
    "id": lambda row: row["id"],
}


@st.composite
def _updates(draw: st.DrawFn) -> tuple[Chosen, str]:
    chosen = draw(queries(st.sampled_from(tuple(_CHANGES))))
    return chosen, draw(st.sampled_from(tuple(_CHANGES[chosen.model][1])))


def test_updates(worlds: Worlds) -> None:
    async def check(world: World, drawn: tuple[Chosen, str]) -> None:
        chosen, change = drawn
        column, changes = _CHANGES[chosen.model]
        changed = _expected(world, chosen)
        async with database().transaction(force_rollback=True):
            assert await sliced(ordered(chosen), chosen.slices).update(**{column: changes[change]}) == len(changed)
            found = dict(await MODELS[chosen.model].objects.order_by("id").values_list("id", column))
        assert found == {
            row["id"]: _CHANGED[change](row) if row in changed else row[column] for row in world[chosen.model]
        }

    tried(worlds, 40, _updates(), check)


def test_deletes(worlds: Worlds) -> None:
    async def check(world: World, chosen: Chosen) -> None:
        gone = _expected(world, chosen)
        async with database().transaction(force_rollback=True):
            assert await sliced(ordered(chosen), chosen.slices).delete() == len(gone)
            left = await MODELS[chosen.model].objects.order_by("id").values_list("id", flat=True)
        assert left == [row["id"] for row in world[chosen.model] if row not in gone]

    tried(worlds, 40, queries(), check)


def _compare(words: str, lookup: str, operand: Any) -> Compare:
    *path, name = words.split("__")
    return Compare(Column(tuple(path), name), lookup, operand)


_KEY = (Order(Column((), "id")),)
# Queries that were answered wrongly once, each the smallest that was found.
_FOUND: dict[str, tuple[str, Condition]] = {
    "isnull=False is about the same related row": (
        "Artist",
        Every((_compare("albums__producer_id", "isnull", False), _compare("albums__year", "gt", 0))),
    ),
    "isnull=False is no negation": ("Artist", _compare("albums__producer_id", "isnull", False)),
    "isnull=False inside a negation": ("Artist", Not(_compare("albums__year", "isnull", False))),
    "a negation in an OR has a related row of its own": (
        "Artist",
        Some((_compare("albums__id", "exact", None), Not(_compare("albums__year", "exact", None)))),
    ),
    "an EXISTS within another is about the same row": (
        "Album",
        Some((_compare("tracks__id", "exact", None), Not(_compare("artist__albums__id", "exact", 3)))),
    ),
    "columns of the row itself in an EXISTS within another": (
        "Album",
        Some(
            (
                _compare("tracks__id", "exact", None),
                Not(Compare(Column((), "id"), "exact", Column(("artist", "albums"), "id"))),
            )
        ),
    ),
}


@pytest.mark.parametrize("name", _FOUND)
def test_what_was_found(worlds: Worlds, name: str) -> None:
    model, condition = _FOUND[name]

    async def check(world: World) -> None:
        for method in ("filter", "exclude"):
            chosen = Chosen(model, (Call(method, condition),), _KEY, False, ())
            assert [row.id for row in await ordered(chosen)] == [row["id"] for row in _expected(world, chosen)]

    for runner, world in worlds():
        runner.run(check(world))


def test_what_was_found_about_distinct_rows(worlds: Worlds) -> None:
    async def check() -> None:
        ids = music.Artist.objects.order_by(orm.F("id").asc(nulls="last")).values_list("id", flat=True).distinct()
        assert await ids == [1, 2, 3, 4, 5]
        assert await ids[4:].exists()
        assert not await ids[5:].exists()

    for runner, _ in worlds():
        runner.run(check())


def test_what_was_found_about_slices(worlds: Worlds) -> None:
    async def check() -> None:
        with pytest.raises(orm.MultipleObjectsReturned):
            await music.Artist.objects.order_by("id")[:2].get_or_none()
        with pytest.raises(orm.DoesNotExist):
            await music.Artist.objects.order_by("id")[9:].get()

    for runner, _ in worlds():
        runner.run(check())
