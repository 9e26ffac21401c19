"""Random annotations, groups and aggregates over the models of `tests.music`, and how they are written."""

from __future__ import annotations

import operator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

import orm
from tests.random_queries import (
    METHODS,
    MODELS,
    NAMES,
    ORDERED,
    SIGNS,
    SLICES,
    SOMETIMES,
    Chosen,
    Draw,
    Reach,
    calls,
    columns,
    condition,
    different,
    filtered,
    in_words,
    kind_of,
    narrowed,
    one_of,
    orders,
    several,
    sliced,
    term,
    words_of,
    written,
)
from tests.reference import Arithmetic, Call, Column, Compare, Every, Order, Outer
from tests.reference_aggregates import Aggregate, Exists, Expression, First, Grouping, Naming, Window
from tests.reference_data import COLUMNS, RELATIONS, Path, is_many, model_at

_EVEN = st.booleans()
_SMALL = st.integers(0, 3)
_FUNCTIONS = st.sampled_from(("Count", "Count", "Sum", "Avg", "Min", "Max"))
_OPERANDS = {
    "Count": ("integer", "word", "text", "decimal"),
    "Sum": ("integer", "integer", "decimal"),
    "Avg": ("integer", "integer", "decimal"),
    "Min": ("integer", "word", "decimal"),
    "Max": ("integer", "word", "decimal"),
}
Named = tuple[tuple[Column, str], ...]
"""Columns and their kinds."""


def _kind(function: str, kind: str) -> str:
    """What an aggregate of such values gives."""
    if function == "Count":
        return "integer"
    if function == "Avg":
        return "float" if kind == "integer" else "average"
    return "total" if function == "Sum" and kind == "decimal" else kind


@cache
def _paths(model: str, *, many: bool) -> tuple[Path, ...]:
    """All paths over up to three relations, of which some have many rows, or none has."""
    found: list[Path] = [()]
    for path in found:
        if len(path) < 3:
            found += [(*path, name) for name in RELATIONS.get(model_at(model, path), {})]
    return tuple([path for path in found if is_many(model, path) is many])


def _here(model: str, path: Path) -> Named:
    return tuple([(Column(path, name), kind) for name, kind in COLUMNS[model_at(model, path)].items()])


def _aggregate(draw: Draw, reach: Reach, *, many: bool, window: bool = False) -> tuple[Aggregate, str]:
    """An aggregate of related rows, or of the rows themselves, and what kind of value it gives."""
    function = draw(_FUNCTIONS)
    path = one_of(draw, _paths(reach.model, many=many))
    near = _here(reach.model, path)
    about = replace(reach, named=(*near, *reach.named))
    meets = condition(draw, about, size=3) if draw(SOMETIMES) else None
    if function == "Count" and not many and draw(_EVEN):
        return Aggregate("Count", None, meets), "integer"
    kind = one_of(draw, _OPERANDS[function])
    choices = [column for column, its in (near if many else about.named) if its == kind]
    if not choices:
        kind, choices = "integer", [Column(path, "id")]
    operand: Any = one_of(draw, choices)
    if kind == "integer" and draw(SOMETIMES):
        before = one_of(draw, [path[:length] for length in range(len(path) + 1)])
        others = [column for column, its in _here(reach.model, before) if its == "integer"]
        operand = Arithmetic(draw(SIGNS), operand, draw(_SMALL) if draw(_EVEN) else one_of(draw, others))
    return Aggregate(function, operand, meets, not window and draw(SOMETIMES)), _kind(function, kind)


def _calls_inside(draw: Draw, model: str, outside: Reach) -> tuple[Call, ...]:
    """Calls of a query inside another one: the first is about the row of that one."""
    outer = Outer(columns(draw, outside, kind="integer", many=False))
    about: Any = Compare(columns(draw, Reach(model), kind="integer"), one_of(draw, ("exact", "exact", "gt")), outer)
    if draw(_EVEN):
        about = Every((about, condition(draw, Reach(model), size=2)))
    return (Call(draw(METHODS), about), *calls(draw, Reach(model), 0, 1))


def _of_a_query(draw: Draw, reach: Reach) -> tuple[Expression, str]:
    """`Exists` or `Subquery`."""
    model = draw(NAMES)
    within = _calls_inside(draw, model, reach)
    if draw(_EVEN):
        return Exists(model, within), "boolean"
    column = columns(draw, Reach(model), many=False)
    return First(model, within, orders(draw, Reach(model)), column), kind_of(Reach(model), column)


def _expression(draw: Draw, reach: Reach) -> tuple[Expression, str]:
    """An expression that has a value for each row, and its kind."""
    which = one_of(draw, ("aggregate", "aggregate", "aggregate", "aggregates", "columns", "query"))
    if which == "query":
        return _of_a_query(draw, reach)
    if which == "columns" or not _paths(reach.model, many=True):
        left = columns(draw, reach, kind="integer", many=False)
        right: Any = draw(_SMALL) if draw(_EVEN) else columns(draw, reach, kind="integer", many=False)
        return Arithmetic(draw(SIGNS), left, right), "integer"
    found, kind = _aggregate(draw, reach, many=True)
    if which == "aggregate" or kind != "integer":
        return found, kind
    other, its = _aggregate(draw, reach, many=True)
    right = other if its == "integer" else columns(draw, reach, kind="integer", many=False)
    return Arithmetic(draw(SIGNS), found, right), "integer"


_EXACT = ("integer", "word", "text", "decimal", "boolean")
"""Kinds of values that are equal on all engines or on none."""


def _window(draw: Draw, reach: Reach) -> tuple[Expression, str]:
    function, kind = _aggregate(draw, reach, many=False, window=True)
    partition = several(draw, lambda: columns(draw, reach, many=False), 0, 2)
    partition = tuple([key for key in partition if kind_of(reach, key) in _EXACT])
    return Window(function, partition, orders(draw, reach) if draw(_EVEN) else ()), kind


_NAMINGS = st.sampled_from(("annotate", "annotate", "alias"))


def _naming(draw: Draw, reach: Reach, names: str, *, windows: bool = False) -> tuple[Naming, Reach]:
    """A call of `annotate()` or `alias()`, and what can be reached after it."""
    made: list[tuple[str, Expression]] = []
    after = reach
    for name in names:
        found, kind = _window(draw, reach) if windows else _expression(draw, after)  # a window is of no window
        made.append((name, found))
        after = replace(after, named=(*after.named, (Column((), name), kind)))
    return Naming(draw(_NAMINGS), tuple(made)), after


@dataclass(frozen=True)
class Annotated:
    """A query with annotations: the names of those that are read, and what else can be said about it."""

    query: Chosen
    read: tuple[str, ...]
    reach: Reach


@st.composite
def annotated_queries(
    draw: st.DrawFn, models: st.SearchStrategy[str] = NAMES, *, windows: st.SearchStrategy[bool]
) -> Annotated:
    """A query of instances with annotations and conditions on them."""
    reach = Reach(draw(models))
    steps: list[Any] = [*calls(draw, reach, 0, 1)]
    for names in one_of(draw, (("a",), ("ab",), ("a", "b"), ("ab", "c"))):
        naming, reach = _naming(draw, reach, names)
        steps += [naming, *calls(draw, reach, 0, 1)]
    if draw(windows):
        naming, reach = _naming(draw, reach, one_of(draw, ("w", "wv")), windows=True)
        steps.append(naming)
    steps += calls(draw, reach, 0, 2)
    annotating = [step for step in steps if isinstance(step, Naming) and step.method == "annotate"]
    read = tuple([name for naming in annotating for name, _ in naming.expressions])
    return Annotated(Chosen(reach.model, tuple(steps), orders(draw, reach), draw(_EVEN), draw(SLICES)), read, reach)


# ---------------------------------------------------------------- groups


@dataclass(frozen=True)
class Grouped:
    """A query of groups: what is grouped, its keys and aggregates, in an order, and slices of it.

    Attributes:
        query: the rows that are grouped.
        grouping: the groups.
        named: what is read of each group.
        order: the terms of its order; empty where the keys have none that all engines agree about.
        slices: which of the groups are read.
    """

    query: Chosen
    grouping: Grouping
    named: Named
    order: tuple[Order, ...]
    slices: tuple[tuple[int | None, int | None], ...]


@st.composite
def grouped_queries(draw: st.DrawFn) -> Grouped:
    """A query of groups."""
    reach = Reach(draw(NAMES))
    steps: list[Any] = [*calls(draw, reach, 0, 1)]
    if draw(_EVEN):
        naming, reach = _naming(draw, reach, one_of(draw, ("a", "ab")))
        steps += [naming, *calls(draw, reach, 0, 1)]
    keys = tuple([key for key in different(draw, reach, 2) if kind_of(reach, key) in _EXACT]) or (Column((), "id"),)
    named: Named = tuple([(key, kind_of(reach, key)) for key in keys])
    made: list[tuple[str, Expression]] = []
    for name in one_of(draw, ("x", "xy", "xyz")):
        found, kind = _of_groups(draw, reach, named)
        made.append((name, found))
        named = (*named, (Column((), name), kind))
    grouping = Grouping(keys, tuple(made), several(draw, lambda: _call_on_groups(draw, reach, named), 0, 2))
    order: tuple[Order, ...] = ()
    slices: Any = ()
    if not any(kind_of(reach, key) == "text" for key in keys):
        possible = [column for column, kind in named if kind in ORDERED]
        by = tuple(dict.fromkeys((*several(draw, lambda: one_of(draw, possible), 0, 2), *keys)))
        order, slices = orders(draw, reach, by), draw(SLICES)
    return Grouped(Chosen(reach.model, tuple(steps), (), False, ()), grouping, named, order, slices)


def _of_groups(draw: Draw, reach: Reach, named: Named) -> tuple[Expression, str]:
    """An aggregate of groups, seldom with arithmetic."""
    found, kind = _aggregate(draw, reach, many=bool(_paths(reach.model, many=True)) and draw(_EVEN))
    whole = [column for column, its in named if its == "integer"]
    if kind == "integer" and whole and draw(SOMETIMES):
        return Arithmetic(draw(SIGNS), found, one_of(draw, whole)), kind
    return found, kind


def _call_on_groups(draw: Draw, reach: Reach, named: Named) -> Call:
    """A call after the aggregates: on the rows, on the groups, or on both at once."""
    groups = replace(reach, named=named, open=False)
    which = one_of(draw, ("groups", "groups", "rows", "both"))
    if which == "both":
        parts = [condition(draw, groups, size=3), condition(draw, reach, size=3)]
        return Call("filter", Every(tuple(reversed(parts) if draw(_EVEN) else parts), one_of(draw, ("&", "arguments"))))
    return Call(draw(METHODS), condition(draw, groups if which == "groups" else reach, size=3))


# ---------------------------------------------------------------- aggregates of a query

Totals = tuple[tuple[str, Expression], ...]
"""What `aggregate()` is asked for."""


@st.composite
def totals(draw: st.DrawFn, queries: st.SearchStrategy[Annotated]) -> tuple[Annotated, Totals]:
    """A query and what is asked of its rows."""
    query = draw(queries)
    reach = query.reach
    possible = bool(_paths(reach.model, many=True))
    found: list[tuple[str, Expression]] = []
    for name in one_of(draw, ("p", "pq", "pqr")):
        node, kind = _aggregate(draw, reach, many=possible and draw(_EVEN))
        if kind == "integer" and draw(SOMETIMES):
            other, its = _aggregate(draw, reach, many=possible and draw(_EVEN))
            right: Any = other if its == "integer" else draw(_SMALL)
            found.append((name, Arithmetic(draw(SIGNS), node, right)))
        else:
            found.append((name, node))
    return query, tuple(found)


@st.composite
def totals_of_groups(draw: st.DrawFn) -> tuple[Grouped, Totals]:
    """Groups and what is asked of them: only what is read of them can be aggregated."""
    query = draw(grouped_queries())
    found: list[tuple[str, Expression]] = []
    for name in one_of(draw, ("p", "pq")):
        function = draw(_FUNCTIONS)
        choices = [column for column, kind in query.named if kind in _OPERANDS[function]]
        if choices and draw(_EVEN):
            found.append((name, Aggregate(function, one_of(draw, choices), None, draw(SOMETIMES))))
        else:
            found.append((name, Aggregate("Count")))
    return query, tuple(found)


# ---------------------------------------------------------------- writing it with the library


def expression(model: str, node: Any) -> Any:
    """An expression as it is written."""
    if isinstance(node, Aggregate):
        return _aggregate_of(model, node)
    if isinstance(node, Exists):
        return orm.Exists(filtered(node.model, node.calls))
    if isinstance(node, First):
        query = filtered(node.model, node.calls).order_by(*[term(order) for order in node.order])
        return orm.Subquery(query.values(words_of(node.column))[:1])
    if isinstance(node, Window):
        return orm.Window(
            _aggregate_of(model, node.aggregate),
            partition_by=[words_of(column) for column in node.partition],
            order_by=[term(order) for order in node.order],
        )
    if isinstance(node, Arithmetic):
        apply = {"+": operator.add, "-": operator.sub, "*": operator.mul}[node.sign]
        return apply(expression(model, node.left), expression(model, node.right))
    return in_words(node)


def _aggregate_of(model: str, node: Aggregate) -> Any:
    operand: Any = "*" if node.operand is None else in_words(node.operand)
    if isinstance(node.operand, Column):
        operand = words_of(node.operand)
        if node.operand.name == "id" and node.operand.path:
            operand = "__".join(node.operand.path)
    condition = None if node.filter is None else written(model, node.filter)
    return getattr(orm, node.function)(operand, filter=condition, distinct=node.distinct)


def named(query: Any, model: str, naming: Naming) -> Any:
    """A query with one call of `annotate()` or `alias()` more."""
    return getattr(query, naming.method)(**{name: expression(model, node) for name, node in naming.expressions})


def stepped(chosen: Chosen) -> Any:
    """A query with its calls."""
    query = MODELS[chosen.model].objects.all()
    for step in chosen.calls:
        query = (named if isinstance(step, Naming) else narrowed)(query, chosen.model, step)
    return query


def annotated(chosen: Annotated) -> Any:
    """A query with annotations, in its order, and its slices."""
    query = stepped(chosen.query).order_by(*[term(order) for order in chosen.query.order])
    return sliced(query.reverse() if chosen.query.reversed else query, chosen.query.slices)


def grouped(chosen: Grouped) -> Any:
    """A query of groups."""
    model, grouping = chosen.query.model, chosen.grouping
    query = stepped(chosen.query).values(*[words_of(key) for key in grouping.keys])
    query = query.annotate(**{name: expression(model, node) for name, node in grouping.aggregates})
    for call in grouping.calls:
        query = narrowed(query, model, call)
    return sliced(query.order_by(*[term(order) for order in chosen.order]), chosen.slices)
