"""What a query over the models of `tests.music` means, in plain Python: its conditions and its order.

Conditions are trees of the dataclasses below. They follow the documentation, not the compiler: a call of `filter()`
keeps a row if there is a choice of one related row (or none, where there are none) for every relation that the call
follows outside negations, such that its condition is true. A comparison inside a negation makes a choice of its own.
Truth is three-valued, with `None` for unknown; a negation holds where its condition is not true.

Where some rows are given already (the row itself, a related row that is aggregated, what a group has in common), they
are the same for all of a condition, negations included.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tests.reference_data import RELATIONS, Path, Row, World, model_at

Choice = dict[Path, Row | None]
"""A row for each path; `()` is the row of the query itself."""


# ---------------------------------------------------------------- conditions


@dataclass(frozen=True)
class Column:
    """A column of the model itself, or at the end of a path over relations."""

    path: Path
    name: str


@dataclass(frozen=True)
class Arithmetic:
    """Two operands and `+`, `-` or `*`."""

    sign: str
    left: Any
    right: Any


@dataclass(frozen=True)
class Outer:
    """A column of the query around."""

    column: Column


@dataclass(frozen=True)
class Known:
    """A value, or NULL: what a column of the query around is for one of its rows."""

    value: Any


@dataclass(frozen=True)
class Rows:
    """The values of one column of those rows of a model that a condition keeps, as an operand of `in`."""

    model: str
    call: Call
    column: str


@dataclass(frozen=True)
class Compare:
    """A lookup; `spelling` says how it is written and means nothing."""

    column: Column
    lookup: str
    operand: Any
    spelling: str = "words"


@dataclass(frozen=True)
class Every:
    """All parts hold."""

    parts: tuple[Condition, ...]
    spelling: str = "&"


@dataclass(frozen=True)
class Some:
    """One of the parts holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True)
class Not:
    """The part is not true; spelled `~`, or `!=` where it is one comparison."""

    part: Condition
    spelling: str = "~"


Condition = Compare | Every | Some | Not


@dataclass(frozen=True)
class Call:
    """One call of `filter()`, or of `exclude()`."""

    method: str
    condition: Condition


# ---------------------------------------------------------------- what they mean


def keeps(world: World, model: str, row: Row, calls: Iterable[Call]) -> bool:
    """Whether a row of a model is among those that the calls leave."""
    return all(holds(world, model, condition_of(call), {(): row}) for call in calls)


def condition_of(call: Call) -> Condition:
    """The condition that a call is."""
    return Not(call.condition) if call.method == "exclude" else call.condition


def holds(world: World, model: str, condition: Condition, given: Choice) -> bool:
    """Whether a condition is true for some choice of related rows beside the given ones."""
    choices = choices_of(world, model, _paths(condition), given)
    return any(_truth(world, model, condition, choice, given) for choice in choices)


def choices_of(world: World, model: str, paths: Iterable[Path], given: Choice) -> Iterator[Choice]:
    """Every choice of related rows at the end of some paths and on the way, beside the given ones."""
    steps = {path[: i + 1] for path in paths if path not in given for i in range(len(path))} - given.keys()
    return _extended(world, model, given, sorted(steps, key=lambda path: (len(path), path)))


def _extended(world: World, model: str, choice: Choice, steps: list[Path]) -> Iterator[Choice]:
    if not steps:
        yield choice
        return
    options: list[Row | None] = [*related(world, model, choice[steps[0][:-1]], steps[0])]
    for row in options or [None]:
        yield from _extended(world, model, {**choice, steps[0]: row}, steps[1:])


def related(world: World, model: str, row: Row | None, path: Path) -> list[Row]:
    """The rows that the last step of a path leads to from the row before it."""
    if row is None:
        return []
    relation = RELATIONS[model_at(model, path[:-1])][path[-1]]
    wanted = [row[relation.near]]
    if relation.links is not None:
        table, here, there = relation.links
        wanted = [link[there] for link in world[table] if link[here] == row["id"]]
    return [
        other for other in world[relation.model] if other[relation.far] in wanted and other[relation.far] is not None
    ]


def _paths(condition: Condition) -> Iterator[Path]:
    if isinstance(condition, Compare):
        yield condition.column.path
        yield from paths_of(condition.operand)
    elif not isinstance(condition, Not):
        for part in condition.parts:
            yield from _paths(part)


def paths_of(operand: Any) -> Iterator[Path]:
    """The paths of an operand."""
    if isinstance(operand, Column):
        yield operand.path
    elif isinstance(operand, Arithmetic):
        yield from paths_of(operand.left)
        yield from paths_of(operand.right)


def _truth(world: World, model: str, condition: Condition, choice: Choice, given: Choice) -> bool | None:
    if isinstance(condition, Compare):
        return _compare(world, condition, choice)
    if isinstance(condition, Not):
        return not _negated_truth(world, model, condition.part, given)
    return _joined(condition, [_truth(world, model, part, choice, given) for part in condition.parts])


def _negated_truth(world: World, model: str, condition: Condition, given: Choice) -> bool | None:
    """The truth of a condition inside a negation: each comparison is about related rows of its own."""
    if isinstance(condition, Compare):
        choices = choices_of(world, model, _paths(condition), given)
        found = [_compare(world, condition, choice) for choice in choices]
        return True if True in found else None if None in found else False
    if isinstance(condition, Not):
        return not _negated_truth(world, model, condition.part, given)
    return _joined(condition, [_negated_truth(world, model, part, given) for part in condition.parts])


def _joined(condition: Every | Some, truths: list[bool | None]) -> bool | None:
    decisive = isinstance(condition, Some)
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


_TEXT_LOOKUPS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startswith": str.startswith,
    "endswith": str.endswith,
    "iexact": lambda text, part: text.lower() == part.lower(),
    "icontains": lambda text, part: part.lower() in text.lower(),
    "istartswith": lambda text, part: text.lower().startswith(part.lower()),
    "iendswith": lambda text, part: text.lower().endswith(part.lower()),
}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "exact": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    **_TEXT_LOOKUPS,
}


def _compare(world: World, condition: Compare, choice: Choice) -> bool | None:
    value, lookup, operand = evaluate(condition.column, choice), condition.lookup, condition.operand
    if lookup == "isnull" or operand is None:
        return (value is None) is (operand is not False)
    if lookup == "in":
        return _is_in(value, _members(world, operand), given=not isinstance(operand, Rows))
    if lookup == "range":
        return None if value is None else operand[0] <= value <= operand[1]
    other = evaluate(operand, choice)
    return None if value is None or other is None else _COMPARISONS[lookup](value, other)


def _members(world: World, operand: Any) -> list[Any]:
    if not isinstance(operand, Rows):
        return list(operand)
    return [row[operand.column] for row in world[operand.model] if keeps(world, operand.model, row, [operand.call])]


def _is_in(value: Any, members: list[Any], *, given: bool) -> bool | None:
    """SQL's IN; `None` in a given list is left out."""
    known = [member for member in members if member is not None]
    if not members or (given and not known):
        return False
    if value is None:
        return None
    return True if value in known else None if len(known) < len(members) and not given else False


def evaluate(operand: Any, choice: Choice) -> Any:
    """The value of an operand; NULL where a row is missing."""
    if isinstance(operand, Column):
        row = choice[operand.path]
        return _held_key(operand, choice) if row is None else row[operand.name]
    if isinstance(operand, Arithmetic):
        left, right = evaluate(operand.left, choice), evaluate(operand.right, choice)
        apply = {"+": operator.add, "-": operator.sub, "*": operator.mul}[operand.sign]
        return None if left is None or right is None else apply(left, right)
    return operand.value if isinstance(operand, Known) else operand


def _held_key(column: Column, choice: Choice) -> Any:
    """What a column of a missing row is: its key, if a row before it refers to it (it is hidden), else NULL."""
    before = choice.get(column.path[:-1]) if column.name == "id" else None
    return None if before is None else before.get(f"{column.path[-1]}_id")


def value_of(world: World, model: str, row: Row, column: Column) -> Any:
    """The value of a column over to-one relations."""
    return evaluate(column, next(choices_of(world, model, [column.path], {(): row})))


def inside(call: Call, value: Callable[[Column], Any]) -> Call:
    """A call of a query inside another one, with what it refers to there."""
    return replace(call, condition=_inside(call.condition, value))


def _inside(condition: Condition, value: Callable[[Column], Any]) -> Condition:
    if isinstance(condition, Compare):
        operand = condition.operand
        return replace(condition, operand=Known(value(operand.column))) if isinstance(operand, Outer) else condition
    if isinstance(condition, Not):
        return replace(condition, part=_inside(condition.part, value))
    return replace(condition, parts=tuple([_inside(part, value) for part in condition.parts]))


# ---------------------------------------------------------------- order


@dataclass(frozen=True)
class Order:
    """A term of an order, over to-one relations; `nulls` is "first" or "last"."""

    column: Column
    descending: bool = False
    nulls: Literal["first", "last"] = "last"


@dataclass
class _Key:
    value: Any
    order: Order = field(repr=False)

    def __lt__(self, other: _Key) -> bool:
        if (self.value is None) is not (other.value is None):
            return (self.value is None) is (self.order.nulls == "first")
        if self.value is None or self.value == other.value:
            return False
        return bool(self.value > other.value if self.order.descending else self.value < other.value)


def in_order(rows: list[Row], orders: Iterable[Order], value: Callable[[Row, Order], Any]) -> list[Row]:
    """The rows in an order."""
    for order in reversed(list(orders)):
        rows = sorted(rows, key=lambda row: _Key(value(row, order), order))
    return rows
