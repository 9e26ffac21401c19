"""Random queries over the models of `tests.music`, and how they are written with the library."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any, Literal

from hypothesis import strategies as st

import orm
from tests import music
from tests.reference import (
    COLUMNS,
    DECIMALS,
    RELATIONS,
    TEXTS,
    WORDS,
    Arithmetic,
    Call,
    Column,
    Compare,
    Condition,
    Every,
    Not,
    Order,
    Path,
    Rows,
    Some,
    model_at,
)

MODELS = {name: getattr(music, name) for name in COLUMNS}


# ---------------------------------------------------------------- choosing a query


def _kind(model: str, column: Column) -> str:
    return COLUMNS[model_at(model, column.path)][column.name]


@st.composite
def _columns(draw: st.DrawFn, model: str, *, kind: str = "", many: bool = True) -> Column:
    """A column of the model or over up to three relations; of one kind if that is said."""
    path: Path = ()
    for _ in range(draw(st.sampled_from((0, 1, 1, 2, 2, 3)))):
        here = RELATIONS.get(model_at(model, path), {})
        names = [name for name, relation in here.items() if many or not relation.many]
        if not names:
            break
        path = (*path, draw(st.sampled_from(names)))
    found = [name for name, its in COLUMNS[model_at(model, path)].items() if kind in ("", its)]
    return Column(path, draw(st.sampled_from(found))) if found else Column((), "id")


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "integer": st.integers(-1, 7),
    "text": st.sampled_from(TEXTS),
    "word": st.sampled_from(WORDS),
    "decimal": st.sampled_from((*DECIMALS, Decimal("0.1"), Decimal("0.11"))),
}
_LOOKUPS = {
    "integer": ("exact", "gt", "gte", "lt", "lte", "range", "in", "isnull"),
    "decimal": ("exact", "gt", "gte", "lt", "lte", "range", "in", "isnull"),
    "word": ("exact", "gt", "gte", "lt", "lte", "range", "in", "isnull", "contains", "startswith"),
    "text": (
        *("exact", "in", "isnull", "contains", "startswith", "endswith"),
        *("iexact", "icontains", "istartswith", "iendswith"),
    ),
}
_SELDOM = st.sampled_from((False, False, False, True))
_EXPRESSIONS = ("exact", "gt", "gte", "lt", "lte")


@st.composite
def _arithmetic(draw: st.DrawFn, model: str) -> Column | Arithmetic:
    left = draw(_columns(model, kind="integer"))
    if draw(st.booleans()):
        return left
    right = draw(st.one_of(st.integers(0, 3), _columns(model, kind="integer")))
    return Arithmetic(draw(st.sampled_from("+-*")), left, right)


@st.composite
def _rows(draw: st.DrawFn, kind: str) -> Rows:
    """A subquery for `in`."""
    choices = [(model, name) for model, names in COLUMNS.items() for name, its in names.items() if its == kind]
    model, name = draw(st.sampled_from(choices))
    method = draw(st.sampled_from(("filter", "exclude")))
    return Rows(model, Call(method, draw(_comparisons(model, nested=True))), name)


@st.composite
def _comparisons(draw: st.DrawFn, model: str, *, nested: bool = False) -> Compare:
    column = draw(_columns(model))
    kind = _kind(model, column)
    lookup = draw(st.sampled_from(_LOOKUPS[kind]))
    values = _VALUES[kind]
    if lookup == "isnull":
        operand: Any = draw(st.booleans())
    elif lookup == "in":
        operand = draw(st.lists(st.one_of(values, values, st.none()), max_size=5).map(tuple))
        if not nested and draw(_SELDOM):
            operand = draw(_rows(kind))
    elif lookup == "range":
        operand = (draw(values), draw(values))
    elif lookup == "exact" and draw(_SELDOM):
        operand = None
    elif lookup in _EXPRESSIONS and kind in ("integer", "word") and draw(_SELDOM):
        operand = draw(_arithmetic(model) if kind == "integer" else _columns(model, kind="word"))
        if kind == "word" and _kind(model, operand) != "word":
            operand = draw(values)
    else:
        operand = draw(values)
    return Compare(column, lookup, operand, draw(st.sampled_from(("words", "words", "short", "columns"))))


def _conditions(model: str) -> st.SearchStrategy[Condition]:
    single = _comparisons(model)
    unequal = single.filter(lambda compare: compare.lookup == "exact").map(lambda compare: Not(compare, "!="))
    leaves: st.SearchStrategy[Condition] = st.one_of(single, single, single, unequal)

    def grown(parts: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
        several = st.lists(parts, min_size=2, max_size=3).map(tuple)
        return st.one_of(
            st.builds(Every, several, st.sampled_from(("&", "arguments"))),
            st.builds(Some, several),
            st.builds(Not, parts),
        )

    return st.recursive(leaves, grown, max_leaves=6)


def _calls(model: str) -> st.SearchStrategy[tuple[Call, ...]]:
    call = st.builds(Call, st.sampled_from(("filter", "filter", "exclude")), _conditions(model))
    return st.one_of(*[st.lists(call, min_size=1, max_size=3).map(tuple)] * 7, st.just(()))


@st.composite
def _orders(draw: st.DrawFn, model: str, columns: tuple[Column, ...] | None = None) -> tuple[Order, ...]:
    """Some terms; the rest of the columns, or the key, break ties."""
    if columns is None:
        wanted = draw(st.lists(_columns(model, many=False), max_size=2))
        columns = (*[column for column in wanted if _kind(model, column) != "text"], Column((), "id"))
    nulls: st.SearchStrategy[Literal["first", "last"]] = st.sampled_from(("first", "last"))
    return tuple([Order(column, draw(st.booleans()), draw(nulls)) for column in columns])


@dataclass(frozen=True)
class Chosen:
    """A query: its calls, in an order, perhaps reversed, and slices of it."""

    model: str
    calls: tuple[Call, ...]
    order: tuple[Order, ...]
    reversed: bool
    slices: tuple[tuple[int | None, int | None], ...]


_SLICES = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 6))), max_size=2
).map(tuple)
_NAMES = st.sampled_from(tuple(COLUMNS))


@st.composite
def queries(draw: st.DrawFn, models: st.SearchStrategy[str] = _NAMES) -> Chosen:
    model = draw(models)
    slices = draw(st.one_of(st.just(()), _SLICES))
    return Chosen(model, draw(_calls(model)), draw(_orders(model)), draw(st.booleans()), slices)


@dataclass(frozen=True)
class Distinct:
    """Distinct values of some columns, in an order, and slices of them."""

    query: Chosen
    columns: tuple[Column, ...]


@st.composite
def distinct_queries(draw: st.DrawFn) -> Distinct:
    model = draw(_NAMES)
    chosen = st.lists(
        _columns(model, many=False), min_size=1, max_size=3, unique_by=lambda column: _target(model, column)
    )
    columns = tuple(draw(chosen))
    slices: Any = ()
    order: tuple[Order, ...] = ()
    if not any(_kind(model, column) == "text" for column in columns) and draw(st.booleans()):
        order, slices = draw(_orders(model, tuple(draw(st.permutations(columns))))), draw(_SLICES)
    return Distinct(Chosen(model, draw(_calls(model)), order, False, slices), columns)


def _target(model: str, column: Column) -> tuple[Any, ...]:
    """What a column is apart from its words: `artist__id` is `artist_id`."""
    *before, last = column.path or ("",)
    if column.name == "id" and last and f"{last}_id" in COLUMNS[model_at(model, tuple(before))]:
        return (tuple(before), f"{last}_id")
    return (column.path, column.name)


# ---------------------------------------------------------------- writing it with the library


def words_of(column: Column) -> str:
    return "__".join((*column.path, column.name))


def _attribute(model: str, column: Column) -> Any:
    found = MODELS[model]
    for name in (*column.path, column.name):
        found = getattr(found, name)
    return found


def _expression(operand: Any, written: Callable[[Column], Any]) -> Any:
    if isinstance(operand, Column):
        return written(operand)
    if isinstance(operand, Arithmetic):
        left, right = _expression(operand.left, written), _expression(operand.right, written)
        return {"+": operator.add, "-": operator.sub, "*": operator.mul}[operand.sign](left, right)
    if isinstance(operand, Rows):
        return filtered(operand.model, (operand.call,)).values_list(operand.column)
    return operand


def _written(model: str, condition: Condition) -> Any:
    if isinstance(condition, Compare):
        return _comparison(model, condition)
    if isinstance(condition, Not):
        if condition.spelling == "!=" and isinstance(condition.part, Compare):
            column = condition.part.column
            return _attribute(model, column) != _expression(condition.part.operand, lambda its: _attribute(model, its))
        return ~_written(model, condition.part)
    parts = [_written(model, part) for part in condition.parts]
    if isinstance(condition, Some):
        return reduce(operator.or_, parts)
    return orm.Q(*parts) if condition.spelling == "arguments" else reduce(operator.and_, parts)


_METHODS: dict[str, Callable[[Any, Any], Any]] = {
    "exact": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "in": lambda column, operand: column.is_in(operand),
    "isnull": lambda column, operand: column.is_null(operand),
    "range": lambda column, operand: column.range(*operand),
}


def _comparison(model: str, compare: Compare) -> Any:
    if compare.spelling == "columns":
        operand = _expression(compare.operand, lambda column: _attribute(model, column))
        column = _attribute(model, compare.column)
        method = _METHODS.get(compare.lookup)
        return method(column, operand) if method is not None else getattr(column, compare.lookup)(operand)
    words = words_of(compare.column)
    if compare.spelling == "short" and compare.column.name == "id":
        words = "__".join(compare.column.path) or "pk"
    if compare.spelling != "short" or compare.lookup != "exact":
        words += f"__{compare.lookup}"
    return orm.Q(**{words: _expression(compare.operand, lambda column: orm.F(words_of(column)))})


def filtered(model: str, calls: tuple[Call, ...]) -> Any:
    query = MODELS[model].objects.all()
    for call in calls:
        given = [_written(model, call.condition)]
        if isinstance(call.condition, Every) and call.condition.spelling == "arguments":
            given = [_written(model, part) for part in call.condition.parts]
        query = getattr(query, call.method)(*given)
    return query


def _term(order: Order) -> Any:
    column = orm.F(words_of(order.column))
    return column.desc(nulls=order.nulls) if order.descending else column.asc(nulls=order.nulls)


def ordered(chosen: Chosen) -> Any:
    query = filtered(chosen.model, chosen.calls).order_by(*[_term(order) for order in chosen.order])
    return query.reverse() if chosen.reversed else query


def sliced(query: Any, slices: tuple[tuple[int | None, int | None], ...]) -> Any:
    for start, stop in slices:
        query = query[start:stop]
    return query
