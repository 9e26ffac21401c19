"""Random set operations of queries over the models of `tests.music`, and how they are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from tests.random_queries import (
    METHODS,
    NAMES,
    ORDERED,
    SLICES,
    Chosen,
    Draw,
    Reach,
    calls,
    columns,
    condition,
    kind_of,
    narrowed,
    one_of,
    ordered,
    orders,
    several,
    sliced,
    term,
    words_of,
)
from tests.reference import Call, Column, Order
from tests.reference_data import COLUMNS

_EVEN = st.booleans()
_OPERATORS = st.sampled_from(("union", "union all", "intersection", "difference"))


@dataclass(frozen=True)
class Combined:
    """A set operation, and what follows it.

    Attributes:
        operator: "union", "union all", "intersection" or "difference".
        members: the queries.
        columns: what each of them reads; nothing for instances.
        calls: of the result, whose columns are those of the first member.
        order: of the result; empty where it has none that all engines agree about.
        slices: of the result.
    """

    operator: str
    members: tuple[Chosen, ...]
    columns: tuple[tuple[Column, ...], ...]
    calls: tuple[Call, ...]
    order: tuple[Order, ...]
    slices: tuple[tuple[int | None, int | None], ...]


def _member(draw: Draw, model: str) -> Chosen:
    reach = Reach(model)
    slices = draw(SLICES)
    return Chosen(model, calls(draw, reach, 0, 1), orders(draw, reach) if slices else (), False, slices)


@st.composite
def combined_instances(draw: st.DrawFn) -> Combined:
    """Instances of one model."""
    reach = Reach(draw(NAMES))
    operator = draw(_OPERATORS)
    members = several(draw, lambda: _member(draw, reach.model), 2, 3)
    return Combined(operator, members, (), calls(draw, reach, 0, 1), orders(draw, reach), draw(SLICES))


@st.composite
def combined_values(draw: st.DrawFn) -> Combined:
    """Columns of one kind each, of any models."""
    operator = draw(_OPERATORS)
    members = several(draw, lambda: _member(draw, draw(NAMES)), 2, 3)
    first = Reach(members[0].model)
    read = tuple(dict.fromkeys(several(draw, lambda: columns(draw, first, many=False), 1, 2)))
    kinds = [kind_of(first, column) for column in read]
    listed = [read, *[_alike(draw, member.model, kinds) for member in members[1:]]]
    if any(len(set(one)) < len(one) or None in one for one in listed):
        read = (Column((), "id"),)
        listed, kinds = [read] * len(members), ["integer"]
    order: tuple[Order, ...] = ()
    slices: Any = ()
    if set(kinds) <= set(ORDERED):
        order, slices = orders(draw, first, tuple(draw(st.permutations(read)))), draw(SLICES)
    simple = [(column, kind) for column, kind in zip(read, kinds, strict=True) if not column.path]
    following: tuple[Call, ...] = ()
    if simple and draw(_EVEN):
        closed = Reach(first.model, tuple(simple), open=False, spelling="words")
        following = (Call(draw(METHODS), condition(draw, closed, size=3)),)
    return Combined(operator, members, tuple(listed), following, order, slices)


def _alike(draw: Draw, model: str, kinds: list[str]) -> tuple[Any, ...]:
    """Columns of a model of these kinds; `None` where it has none."""
    found = [[name for name, its in COLUMNS[model].items() if its == kind] for kind in kinds]
    return tuple([Column((), one_of(draw, names)) if names else None for names in found])


# ---------------------------------------------------------------- writing it with the library


def combined(chosen: Combined) -> Any:
    """The set operation, with what follows it."""
    queries = [sliced(ordered(member), member.slices) for member in chosen.members]
    if chosen.columns:
        queries = [
            query.values(*[words_of(column) for column in read])
            for query, read in zip(queries, chosen.columns, strict=True)
        ]
    name, _, every = chosen.operator.partition(" ")
    query = getattr(queries[0], name)(*queries[1:], **({"all": True} if every else {}))
    for call in chosen.calls:
        query = narrowed(query, chosen.members[0].model, call)
    return sliced(query.order_by(*[term(order) for order in chosen.order]), chosen.slices)
