"""What annotations, groups and aggregates mean, in plain Python.

An annotation is one more column of each row, under its name. An aggregate is one value of many rows: those related to
one row, those of a group, or all of a query. Several of them do not multiply each other. Which rows count is said by
its own `filter`, which is about the row that is aggregated; a filter of the query says which of its own rows count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tests.reference import (
    Arithmetic,
    Call,
    Choice,
    Column,
    Compare,
    Condition,
    Every,
    Not,
    Order,
    choices_of,
    condition_of,
    evaluate,
    holds,
    in_order,
    inside,
    keeps,
    paths_of,
    value_of,
)
from tests.reference_data import Row, World, is_many


@dataclass(frozen=True)
class Aggregate:
    """One value of many rows; without an operand it counts them."""

    function: str
    operand: Column | Arithmetic | None = None
    filter: Condition | None = None
    distinct: bool = False


@dataclass(frozen=True)
class Exists:
    """Whether a query has a row."""

    model: str
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class First:
    """The value of a column of the first row of a query; NULL without a row."""

    model: str
    calls: tuple[Call, ...]
    order: tuple[Order, ...]
    column: Column


@dataclass(frozen=True)
class Window:
    """An aggregate of the rows in a partition: up to the row itself, if there is an order."""

    aggregate: Aggregate
    partition: tuple[Column, ...]
    order: tuple[Order, ...]


Expression = Column | Arithmetic | Aggregate | Exists | First | Window


@dataclass(frozen=True)
class Naming:
    """One call of `annotate()`, or of `alias()`."""

    method: str
    expressions: tuple[tuple[str, Expression], ...]


Step = Call | Naming


@dataclass(frozen=True)
class Grouping:
    """Groups of rows: those that have the keys in common, with aggregates, and calls that follow."""

    keys: tuple[Column, ...]
    aggregates: tuple[tuple[str, Expression], ...]
    calls: tuple[Call, ...]


# ---------------------------------------------------------------- values


def value(world: World, model: str, expression: Any, given: Choice, rows: Sequence[Row]) -> Any:
    """The value of an expression: of one row, which is then among the given ones, or of a group of rows."""
    if isinstance(expression, Aggregate):
        return aggregated(world, model, expression, rows)
    if isinstance(expression, (Exists, First)):
        return _of_a_query(world, model, expression, given)
    if isinstance(expression, Arithmetic):
        left, right = (value(world, model, part, given, rows) for part in (expression.left, expression.right))
        return evaluate(Arithmetic(expression.sign, left, right), {})
    return evaluate(expression, next(choices_of(world, model, paths_of(expression), given)))


def _of_a_query(world: World, model: str, query: Exists | First, given: Choice) -> Any:
    def outside(column: Column) -> Any:
        return value(world, model, column, given, ())

    found = kept(world, query.model, [inside(call, outside) for call in query.calls])
    if isinstance(query, Exists):
        return bool(found)
    ordered = in_order(found, query.order, lambda row, order: value_of(world, query.model, row, order.column))
    return value_of(world, query.model, ordered[0], query.column) if ordered else None


def aggregated(world: World, model: str, node: Aggregate, rows: Iterable[Row]) -> Any:
    """An aggregate of the rows themselves, or of the rows related to them if its operand is a column of such."""
    return computed(
        node.function, _counted(node, [found for row in rows for found in _values(world, model, node, row)])
    )


def _counted(node: Aggregate, values: Iterable[Any]) -> list[Any]:
    known = [found for found in values if found is not None]
    return list(dict.fromkeys(known)) if node.distinct else known


def _values(world: World, model: str, node: Aggregate, row: Row) -> Iterator[Any]:
    path = max([path for path in paths_of(node.operand) if is_many(model, path)], key=len, default=())
    for choice in choices_of(world, model, [path], {(): row}):
        if choice[path] is None:
            continue
        if node.filter is None or holds(world, model, node.filter, choice):
            yield 1 if node.operand is None else value(world, model, node.operand, choice, ())


def computed(function: str, values: Sequence[Any]) -> Any:
    """An aggregate of values that are not NULL. An average is exact."""
    if function == "Count":
        return len(values)
    if not values:
        return None
    if function in ("Min", "Max"):
        return min(values) if function == "Min" else max(values)
    total = sum(values[1:], values[0])
    return total if function == "Sum" else Fraction(total) / len(values)


def _windowed(world: World, model: str, window: Window, row: Row, rows: list[Row]) -> Any:
    """The value of a window for one of the rows; its order leaves no two of them equal."""

    def common(one: Row) -> list[Any]:
        return [value_of(world, model, one, column) for column in window.partition]

    within = [other for other in rows if common(other) == common(row)]
    if window.order:
        within = in_order(within, window.order, lambda one, order: value_of(world, model, one, order.column))
        within = within[: 1 + next(index for index, other in enumerate(within) if other is row)]
    return aggregated(world, model, window.aggregate, within)


# ---------------------------------------------------------------- rows


def kept(world: World, model: str, steps: Iterable[Step]) -> list[Row]:
    """The rows that steps leave, with the values of annotations beside their columns.

    Windows are about the rows that are left by all conditions but those on windows.
    """
    steps = list(steps)
    named = [item for step in steps if isinstance(step, Naming) for item in step.expressions]
    windows = {name: node for name, node in named if isinstance(node, Window)}
    rows = [dict(row) for row in world[model]]
    for name, node in named:
        for row in rows if name not in windows else ():
            row[name] = value(world, model, node, {(): row}, [row])
    calls = [step for step in steps if isinstance(step, Call)]
    early, _ = parted(calls, windows.keys())
    rows = [row for row in rows if all(holds(world, model, part, {(): row}) for part in early)]
    for name, window in windows.items():
        for row, found in [(row, _windowed(world, model, window, row, rows)) for row in rows]:
            row[name] = found
    return [row for row in rows if keeps(world, model, row, calls)]


def parted(calls: Iterable[Call], names: Iterable[str]) -> tuple[list[Condition], list[Condition]]:
    """The conditions of calls, and apart from them those that some of these names are in.

    Those that are joined by "and" are told apart; what stays together is still about the same related rows.
    """
    early: list[Condition] = []
    late: list[Condition] = []
    for call in calls:
        parts = list(_conjuncts(condition_of(call)))
        apart = [part for part in parts if not _names(part).isdisjoint(names)]
        rest = [part for part in parts if _names(part).isdisjoint(names)]
        early += [Every(tuple(rest))] if rest else []
        late += [Every(tuple(apart))] if apart else []
    return early, late


def _conjuncts(condition: Condition) -> Iterator[Condition]:
    if isinstance(condition, Every):
        for part in condition.parts:
            yield from _conjuncts(part)
    else:
        yield condition


def _names(part: Any) -> set[str]:
    """The names that a condition or an operand is about, without those over relations."""
    if isinstance(part, Column):
        return set() if part.path else {part.name}
    inner: tuple[Any, ...] = ()
    if isinstance(part, Compare):
        inner = (part.column, part.operand)
    elif isinstance(part, Arithmetic):
        inner = (part.left, part.right)
    elif isinstance(part, Not):
        inner = (part.part,)
    elif not isinstance(part, (int, str, tuple)):
        inner = getattr(part, "parts", ())
    return {name for one in inner for name in _names(one)}


# ---------------------------------------------------------------- groups


def groups(world: World, model: str, steps: Iterable[Step], grouping: Grouping) -> list[Choice]:
    """The groups that are left: what the rows of each have in common, and its aggregates as columns of the root.

    Conditions without an aggregate say which rows are grouped, also where they come after the aggregates.
    """
    named = [name for name, _ in grouping.aggregates]
    early, late = parted(grouping.calls, named)
    rows = [row for row in kept(world, model, steps) if all(holds(world, model, part, {(): row}) for part in early)]
    gathered: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        gathered.setdefault(tuple([value_of(world, model, row, key) for key in grouping.keys]), []).append(row)
    found: list[Choice] = []
    for values, members in gathered.items():
        group = _in_common(grouping.keys, values)
        for name, node in grouping.aggregates:
            root = group[()]
            assert root is not None
            root[name] = value(world, model, node, group, members)
        found.append(group)
    return [group for group in found if all(holds(world, model, part, group) for part in late)]


def _in_common(keys: Iterable[Column], values: Iterable[Any]) -> Choice:
    group: Choice = {(): {}}
    for key, found in zip(keys, values, strict=True):
        row = group.setdefault(key.path, {})
        assert row is not None
        row[key.name] = found
    return group


def ordered_groups(found: list[Choice], orders: Iterable[Order]) -> list[Choice]:
    """Groups in an order of their keys and aggregates."""
    by: Callable[[Any, Order], Any] = lambda group, order: evaluate(order.column, group)  # noqa: E731
    return in_order(found, orders, by)  # type: ignore[arg-type]


def of_groups(node: Aggregate, found: Iterable[Choice]) -> Any:
    """An aggregate of groups."""
    values = [1 if node.operand is None else evaluate(node.operand, group) for group in found]
    return computed(node.function, _counted(node, values))
