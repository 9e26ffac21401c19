"""Random annotations, groups and aggregates, each compared with what `tests.reference_aggregates` says it means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import strategies as st

import orm
from tests import music
from tests.random_annotations import (
    Annotated,
    Grouped,
    Totals,
    annotated,
    annotated_queries,
    expression,
    grouped,
    grouped_queries,
    totals,
    totals_of_groups,
)
from tests.random_queries import MODELS, Chosen, Reach, words_of
from tests.reference import (
    Arithmetic,
    Call,
    Choice,
    Column,
    Compare,
    Condition,
    Not,
    Order,
    Outer,
    Rows,
    Some,
    evaluate,
    in_order,
    value_of,
)
from tests.reference_aggregates import (
    Aggregate,
    Exists,
    Expression,
    Grouping,
    Naming,
    Step,
    Window,
    groups,
    kept,
    of_groups,
    ordered_groups,
    value,
)
from tests.reference_data import COLUMNS, Row, World
from tests.worlds import ENGINES, Worlds, database, tried

pytestmark = pytest.mark.parametrize("backend", ENGINES, indirect=True)


# ---------------------------------------------------------------- what it means


def _expected(world: World, chosen: Annotated) -> list[Row]:
    query = chosen.query
    rows = kept(world, query.model, query.calls)
    rows = in_order(rows, query.order, lambda row, order: value_of(world, query.model, row, order.column))
    if query.reversed:
        rows.reverse()
    for start, stop in query.slices:
        rows = rows[start:stop]
    return rows


def _expected_groups(world: World, chosen: Grouped) -> list[Choice]:
    found = ordered_groups(groups(world, chosen.query.model, chosen.query.calls, chosen.grouping), chosen.order)
    for start, stop in chosen.slices:
        found = found[start:stop]
    return found


def _alike(found: Iterable[Any], expected: list[Any]) -> bool:
    """Whether rows are the expected ones: of the same types, but for averages, which are exact in what is expected."""
    rows = list(found)
    return len(rows) == len(expected) and all(map(_same, rows, expected))


def _same(found: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return found.keys() == expected.keys() and all(_same(found[name], expected[name]) for name in expected)
    if isinstance(expected, Fraction):
        return found is not None and abs(Fraction(found) - expected) <= Fraction(1, 100_000) * max(1, abs(expected))
    return type(found) is type(expected) and found == expected


def _check(found: Iterable[Any], expected: list[Any]) -> None:
    if not _alike(found, expected):
        assert list(found) == expected  # shows both
        raise AssertionError(f"types differ: {found} and {expected}")


# ---------------------------------------------------------------- trying many


def _names(chosen: Annotated) -> list[str]:
    return [*COLUMNS[chosen.query.model], *chosen.read]


async def _check_rows(world: World, chosen: Annotated) -> None:
    query, names = annotated(chosen), _names(chosen)
    expected = [{name: row[name] for name in names} for row in _expected(world, chosen)]
    _check([{name: getattr(row, name) for name in names} for row in await query], expected)
    assert await query.count() == len(expected)
    assert await query.exists() is bool(expected)
    _check(await query.values(*names), expected)
    _check([await query.values(*names).first()], expected[:1] or [None])


def test_annotations(worlds: Worlds) -> None:
    tried(worlds, 80, annotated_queries(windows=st.just(False)), _check_rows)


def test_windows(worlds: Worlds) -> None:
    tried(worlds, 30, annotated_queries(windows=st.just(True)), _check_rows)


def test_writing_by_annotations(worlds: Worlds) -> None:
    async def check(world: World, chosen: Annotated) -> None:
        model = MODELS[chosen.query.model]
        meant = {row["id"] for row in _expected(world, chosen)}
        everything = model.objects.order_by("id").values_list("id", "year")
        async with database().transaction(force_rollback=True):
            assert await annotated(chosen).update(year=99) == len(meant)
            assert await everything == [
                (row["id"], 99 if row["id"] in meant else row["year"]) for row in world[chosen.query.model]
            ]
            await model.objects.filter(year=99).update(year=None)
        async with database().transaction(force_rollback=True):
            assert await annotated(chosen).delete() == len(meant)
            assert [key for key, _ in await everything] == [
                row["id"] for row in world[chosen.query.model] if row["id"] not in meant
            ]

    tried(worlds, 20, annotated_queries(st.just("Album"), windows=st.booleans()), check)


def _read(chosen: Grouped, group: Choice) -> dict[str, Any]:
    return {words_of(column): evaluate(column, group) for column, _ in chosen.named}


async def _check_groups(world: World, chosen: Grouped) -> None:
    query = grouped(chosen)
    expected = [_read(chosen, group) for group in _expected_groups(world, chosen)]
    found = await query
    if chosen.order:
        _check(found, expected)
        _check([await query.first()], expected[:1] or [None])
    else:
        keys = [words_of(key) for key in chosen.grouping.keys]
        by = lambda row: repr([row[key] for key in keys])  # noqa: E731
        _check(sorted(found, key=by), sorted(expected, key=by))
    assert await query.count() == len(expected)
    assert await query.exists() is bool(expected)


def test_groups(worlds: Worlds) -> None:
    tried(worlds, 60, grouped_queries(), _check_groups)


def _total(world: World, model: str, wanted: Totals, rows: list[Row]) -> dict[str, Any]:
    return {name: value(world, model, node, {}, rows) for name, node in wanted}


async def _check_totals(world: World, drawn: tuple[Annotated, Totals]) -> None:
    chosen, wanted = drawn
    model = chosen.query.model
    found = await annotated(chosen).aggregate(**{name: expression(model, node) for name, node in wanted})
    _check([found], [_total(world, model, wanted, _expected(world, chosen))])


def test_aggregates_of_queries(worlds: Worlds) -> None:
    tried(worlds, 40, totals(annotated_queries(windows=st.booleans())), _check_totals)


def test_aggregates_of_groups(worlds: Worlds) -> None:
    async def check(world: World, drawn: tuple[Grouped, Totals]) -> None:
        chosen, wanted = drawn
        given = {name: expression(chosen.query.model, node) for name, node in wanted}
        found = await grouped(chosen).aggregate(**given)
        expected = _expected_groups(world, chosen)
        _check([found], [{name: of_groups(node, expected) for name, node in wanted}])

    tried(worlds, 20, totals_of_groups(), check)


# ---------------------------------------------------------------- what was found

# Queries that were answered wrongly, or refused, once, each the smallest that was found.
_ALBUMS = Aggregate("Count", Column(("albums",), "id"))
_PRODUCED = Aggregate("Count", Column(("produced",), "id"))
_ROWS = Aggregate("Count")
_BY_KEY = (Order(Column((), "id")),)


def _compare(words: str, lookup: str, operand: Any, spelling: str = "words") -> Compare:
    *path, name = words.split("__")
    return Compare(Column(tuple(path), name), lookup, operand, spelling)


def _filter(condition: Condition) -> Call:
    return Call("filter", condition)


def _annotate(**expressions: Expression) -> Naming:
    return Naming("annotate", tuple(expressions.items()))


_FOUND: dict[str, tuple[str, tuple[Step, ...]]] = {
    "count() has no use for the values of annotations": (
        "Artist",
        (
            _annotate(a=Aggregate("Count", Arithmetic("+", Column(("albums",), "id"), 0))),
            _filter(_compare("id", "exact", 1)),
        ),
    ),
    "a negation in the filter of an aggregate is about the row that is aggregated": (
        "Artist",
        (_annotate(a=replace(_ALBUMS, filter=Not(_compare("albums__year", "exact", 1)))),),
    ),
    "a column of a class is compared with an annotation": (
        "Artist",
        (_annotate(a=_ALBUMS), _filter(_compare("id", "gt", Column((), "a"), "columns"))),
    ),
    "a query inside an annotation is compared": (
        "Artist",
        (
            _annotate(a=Exists("Album", (_filter(_compare("artist_id", "exact", Outer(Column((), "id")))),))),
            _filter(_compare("a", "exact", False)),
        ),
    ),
    "an EXISTS sees the value of a window": (
        "Artist",
        (
            _annotate(w=Window(_ROWS, (), _BY_KEY)),
            _filter(Some((_compare("w", "gt", 3), _compare("albums__year", "exact", 1)))),
        ),
    ),
}


@pytest.mark.parametrize("name", _FOUND)
def test_what_was_found(worlds: Worlds, name: str) -> None:
    model, steps = _FOUND[name]
    read = tuple([name for step in steps if isinstance(step, Naming) for name, _ in step.expressions])
    chosen = Annotated(Chosen(model, steps, _BY_KEY, False, ()), read, Reach(model))
    for runner, world in worlds():
        runner.run(_check_rows(world, chosen))


def test_what_was_found_about_the_order_of_constants(worlds: Worlds) -> None:
    async def check() -> None:
        nobody = music.Artist.objects.alias(a=orm.Exists(music.Album.objects.none()))
        assert [artist.id for artist in await nobody.order_by("a", "-id")] == [5, 4, 3, 2, 1]

    for runner, _ in worlds():
        runner.run(check())


_KEY = Column((), "a")
_FOUND_IN_GROUPS: dict[str, tuple[tuple[Step, ...], Grouping]] = {
    "a condition on a value of rows says which are grouped": (
        (_annotate(a=_ALBUMS),),
        Grouping((Column((), "country"),), (("x", _ROWS),), (_filter(_compare("a", "gt", 0)),)),
    ),
    "a key that is a subquery in HAVING": (
        (_annotate(a=_ALBUMS),),
        Grouping((_KEY,), (("x", _ROWS),), (_filter(Some((_compare("a", "exact", 0), _compare("x", "gt", 1)))),)),
    ),
    "a key that is a subquery in what is read": (
        (_annotate(a=_ALBUMS),),
        Grouping((_KEY,), (("x", Arithmetic("+", _ROWS, _KEY)),), ()),
    ),
    "a key that is an expression in HAVING": (
        (_annotate(a=Arithmetic("+", Column((), "id"), 0)),),
        Grouping((_KEY,), (("x", Arithmetic("+", _ROWS, _KEY)),), (_filter(_compare("x", "gt", 3)),)),
    ),
    "two keys of one name in HAVING": (
        (),
        Grouping(
            (Column((), "id"), Column(("profile",), "id")),
            (("x", _ROWS),),
            (_filter(Some((_compare("id", "gt", 2), _compare("x", "gt", 1)))),),
        ),
    ),
    "an aggregate is among the rows of a query": (
        (),
        Grouping(
            (Column((), "country"),),
            (("x", _ROWS),),
            (_filter(_compare("x", "in", Rows("Artist", _filter(_compare("id", "gt", 0)), "id"))),),
        ),
    ),
    "aggregates of two relations in HAVING": (
        (),
        Grouping((Column((), "id"),), (("x", _ALBUMS), ("y", _PRODUCED)), (_filter(_compare("x", "gt", 0)),)),
    ),
    "an EXISTS sees the value of a key": (
        (_annotate(a=_ALBUMS),),
        Grouping(
            (_KEY,),
            (
                (
                    "x",
                    replace(
                        _ALBUMS,
                        filter=Some((_compare("albums__artist__name", "exact", "-"), _compare("a", "gt", 1))),
                    ),
                ),
            ),
            (),
        ),
    ),
}


@pytest.mark.parametrize("name", _FOUND_IN_GROUPS)
def test_what_was_found_in_groups(worlds: Worlds, name: str) -> None:
    steps, grouping = _FOUND_IN_GROUPS[name]
    named = [(column, "") for column in (*grouping.keys, *[Column((), name) for name, _ in grouping.aggregates])]
    order = tuple([Order(key) for key in grouping.keys if key.name != "country"])
    chosen = Grouped(Chosen("Artist", steps, (), False, ()), grouping, tuple(named), order, ())
    for runner, world in worlds():
        runner.run(_check_groups(world, chosen))


def test_what_was_found_about_aggregates_of_windows(worlds: Worlds) -> None:
    chosen = Annotated(
        Chosen("Artist", (_annotate(w=Window(_ROWS, (), _BY_KEY)),), _BY_KEY, False, ((1, 3),)), ("w",), Reach("Artist")
    )
    for runner, world in worlds():
        runner.run(_check_totals(world, (chosen, (("p", Aggregate("Sum", Column((), "w"))),))))
