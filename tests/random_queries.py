"""Random queries over the models of `tests.music`, and how they are written with the library."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import Any

from hypothesis import strategies as st

import orm
from tests import music
from tests.reference import Arithmetic, Call, Column, Compare, Condition, Every, Not, Order, Outer, Rows, Some
from tests.reference_data import COLUMNS, DECIMALS, RELATIONS, TEXTS, WORDS, Path, model_at

MODELS = {name: getattr(music, name) for name in COLUMNS}


# ---------------------------------------------------------------- choosing a query


@dataclass(frozen=True)
class Reach:
    """The columns that a condition may be about.

    Attributes:
        model: the query's model.
        named: columns that are chosen oftener than others, with their kinds; all annotations are among them.
        open: the other columns of the model, and those over relations, are possible, too.
        spelling: how columns are written; in all ways if it is not said.
    """

    model: str
    named: tuple[tuple[Column, str], ...] = ()
    open: bool = True
    spelling: str = ""


def kind_of(reach: Reach, column: Column) -> str:
    """What a column holds."""
    found = dict(reach.named).get(column)
    return found if found is not None else COLUMNS[model_at(reach.model, column.path)][column.name]


Draw = Callable[[st.SearchStrategy[Any]], Any]
"""What draws an example of a strategy. The functions that take it are no strategies, which would have to be made, and
checked, for each part of each query."""
SOMETIMES = st.sampled_from((False, False, True))
_SELDOM = st.sampled_from((False, False, False, True))
_EVEN = st.booleans()
_STEPS = st.sampled_from((0, 1, 1, 2, 2, 3))


def one_of(draw: Draw, choices: Sequence[Any]) -> Any:
    """One of them."""
    return choices[draw(st.integers(0, len(choices) - 1))]


def several(draw: Draw, make: Callable[[], Any], least: int, most: int) -> tuple[Any, ...]:
    """So many of what a function makes."""
    return tuple([make() for _ in range(draw(st.integers(least, most)))])


def columns(draw: Draw, reach: Reach, *, kind: str = "", many: bool = True) -> Column:
    """A column of the model or over up to three relations; of one kind if that is said."""
    named = [column for column, its in reach.named if kind in ("", its)]
    if named and (not reach.open or draw(_EVEN)):
        return one_of(draw, named)
    path: Path = ()
    for _ in range(draw(_STEPS)):
        here = RELATIONS.get(model_at(reach.model, path), {})
        names = [name for name, relation in here.items() if many or not relation.many]
        if not names:
            break
        path = (*path, one_of(draw, names))
    found = [name for name, its in COLUMNS[model_at(reach.model, path)].items() if kind in ("", its)]
    return Column(path, one_of(draw, found)) if found else Column((), "id")


_VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "float": st.sampled_from((0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.25)),
    "total": st.sampled_from((Decimal("-1.55"), Decimal("-0.05"), Decimal("0.15"), Decimal("2.05"), Decimal("9.95"))),
    "integer": st.integers(-1, 7),
    "text": st.sampled_from(TEXTS),
    "word": st.sampled_from(WORDS),
    "decimal": st.sampled_from((*DECIMALS, Decimal("0.1"), Decimal("0.11"))),
}
_LOOKUPS = {
    "boolean": ("exact",),
    "float": ("gt", "gte", "lt", "lte", "range", "isnull"),
    "total": ("gt", "lt", "range", "isnull"),  # sums of decimals are as exact as floats on SQLite
    "average": ("isnull",),
    "integer": ("exact", "gt", "gte", "lt", "lte", "range", "in", "isnull"),
    "decimal": ("exact", "gt", "gte", "lt", "lte", "range", "in", "isnull"),
    "word": ("exact", "gt", "gte", "lt", "lte", "range", "in", "isnull", "contains", "startswith"),
    "text": (
        *("exact", "in", "isnull", "contains", "startswith", "endswith"),
        *("iexact", "icontains", "istartswith", "iendswith"),
    ),
}
_EXPRESSIONS = ("exact", "gt", "gte", "lt", "lte")


_SMALL = st.integers(0, 3)
_SPELLINGS = st.sampled_from(("words", "words", "short", "columns"))
METHODS = st.sampled_from(("filter", "filter", "exclude"))
SIGNS = st.sampled_from("+-*")


def _arithmetic(draw: Draw, reach: Reach) -> Column | Arithmetic:
    left = columns(draw, reach, kind="integer")
    if draw(_EVEN):
        return left
    right = draw(_SMALL) if draw(_EVEN) else columns(draw, reach, kind="integer")
    return Arithmetic(draw(SIGNS), left, right)


def _rows(draw: Draw, kind: str) -> Rows:
    """A subquery for `in`."""
    choices = [(model, name) for model, names in COLUMNS.items() for name, its in names.items() if its == kind]
    model, name = one_of(draw, choices)
    return Rows(model, Call(draw(METHODS), _compare(draw, Reach(model), nested=True)), name)


def _compare(draw: Draw, reach: Reach, *, nested: bool = False) -> Compare:
    column = columns(draw, reach)
    kind = kind_of(reach, column)
    lookup = one_of(draw, _LOOKUPS[kind])
    values = _VALUES.get(kind, st.none())
    if lookup == "isnull":
        operand: Any = draw(_EVEN)
    elif lookup == "in":
        operand = several(draw, lambda: None if draw(_SELDOM) else draw(values), 0, 5)
        if not nested and draw(_SELDOM):
            operand = _rows(draw, kind)
    elif lookup == "range":
        operand = (draw(values), draw(values))
    elif lookup == "exact" and draw(_SELDOM):
        operand = None
    elif lookup in _EXPRESSIONS and kind in ("integer", "word") and draw(_SELDOM):
        operand = _arithmetic(draw, reach) if kind == "integer" else columns(draw, reach, kind="word")
        if kind == "word" and kind_of(reach, operand) != "word":
            operand = draw(values)
    else:
        operand = draw(values)
    return Compare(column, lookup, operand, reach.spelling or draw(_SPELLINGS))


_TREES = st.sampled_from(("one", "one", "not", "every", "every", "some", "some"))
_CONJUNCTIONS = st.sampled_from(("&", "arguments"))


def condition(draw: Draw, reach: Reach, *, size: int = 6) -> Condition:
    """A tree of so many comparisons at most."""
    which = draw(_TREES) if size > 1 else "one"
    if which == "not":
        return Not(condition(draw, reach, size=size - 1))
    if which in ("every", "some"):
        number = draw(st.integers(2, min(3, size)))
        parts = tuple([condition(draw, reach, size=size // number) for _ in range(number)])
        return Every(parts, draw(_CONJUNCTIONS)) if which == "every" else Some(parts)
    found = _compare(draw, reach)
    return Not(found, "!=") if found.lookup == "exact" and not reach.spelling and draw(_SELDOM) else found


def calls(draw: Draw, reach: Reach, least: int, most: int) -> tuple[Call, ...]:
    """So many calls of `filter()` and `exclude()`."""
    return several(draw, lambda: Call(draw(METHODS), condition(draw, reach)), least, most)


_ALL = st.sampled_from((*[False] * 7, True))


def _calls(draw: Draw, model: str) -> tuple[Call, ...]:
    return () if draw(_ALL) else calls(draw, Reach(model), 1, 3)


ORDERED = ("integer", "word", "decimal", "boolean", "float")
"""Kinds of values that all engines put into one order."""
_NULLS = st.sampled_from(("first", "last"))


def orders(draw: Draw, reach: Reach, by: tuple[Column, ...] | None = None) -> tuple[Order, ...]:
    """Some terms; the rest of the columns, or the key, break ties."""
    if by is None:
        wanted = several(draw, lambda: columns(draw, reach, many=False), 0, 2)
        by = (*[column for column in wanted if kind_of(reach, column) in ORDERED], Column((), "id"))
    return tuple([Order(column, draw(_EVEN), draw(_NULLS)) for column in by])


@dataclass(frozen=True)
class Chosen:
    """A query: its calls, in an order, perhaps reversed, and slices of it."""

    model: str
    calls: tuple[Any, ...]
    order: tuple[Order, ...]
    reversed: bool
    slices: tuple[tuple[int | None, int | None], ...]


_BOUNDS = st.tuples(st.one_of(st.none(), st.integers(0, 3)), st.one_of(st.none(), st.integers(0, 6)))
SLICES = st.one_of(st.just(()), st.lists(_BOUNDS, max_size=2).map(tuple))
NAMES = st.sampled_from(tuple(COLUMNS))


@st.composite
def queries(draw: st.DrawFn, models: st.SearchStrategy[str] = NAMES) -> Chosen:
    model = draw(models)
    return Chosen(model, _calls(draw, model), orders(draw, Reach(model)), draw(_EVEN), draw(SLICES))


@dataclass(frozen=True)
class Distinct:
    """Distinct values of some columns, in an order, and slices of them."""

    query: Chosen
    columns: tuple[Column, ...]


@st.composite
def distinct_queries(draw: st.DrawFn) -> Distinct:
    model = draw(NAMES)
    reach = Reach(model)
    read = different(draw, reach, 3)
    slices: Any = ()
    order: tuple[Order, ...] = ()
    if not any(kind_of(reach, column) == "text" for column in read) and draw(_EVEN):
        order, slices = orders(draw, reach, tuple(draw(st.permutations(read)))), draw(SLICES)
    return Distinct(Chosen(model, _calls(draw, model), order, False, slices), read)


def different(draw: Draw, reach: Reach, most: int) -> tuple[Column, ...]:
    """Up to so many columns of a query's rows, one at least."""
    found = several(draw, lambda: columns(draw, reach, many=False), 1, most)
    return tuple({target_of(reach.model, column): column for column in found}.values())


def target_of(model: str, column: Column) -> tuple[Any, ...]:
    """What a column is apart from its words: `artist__id` is `artist_id`."""
    *before, last = column.path or ("",)
    if column.name == "id" and last and f"{last}_id" in COLUMNS[model_at(model, tuple(before))]:
        return (tuple(before), f"{last}_id")
    return (column.path, column.name)


# ---------------------------------------------------------------- writing it with the library


def words_of(column: Column) -> str:
    return "__".join((*column.path, column.name))


def _attribute(model: str, column: Column) -> Any:
    """The column on its class; an annotation in words."""
    if not column.path and column.name not in COLUMNS[model]:
        return orm.F(column.name)
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
    return orm.OuterRef(words_of(operand.column)) if isinstance(operand, Outer) else operand


def in_words(operand: Any) -> Any:
    """An operand with its columns in words."""
    return _expression(operand, lambda column: orm.F(words_of(column)))


def written(model: str, condition: Condition) -> Any:
    if isinstance(condition, Compare):
        return _comparison(model, condition)
    if isinstance(condition, Not):
        if condition.spelling == "!=" and isinstance(condition.part, Compare):
            column = condition.part.column
            return _attribute(model, column) != _expression(condition.part.operand, lambda its: _attribute(model, its))
        return ~written(model, condition.part)
    parts = [written(model, part) for part in condition.parts]
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
    return orm.Q(**{words: in_words(compare.operand)})


def filtered(model: str, calls: tuple[Call, ...]) -> Any:
    query = MODELS[model].objects.all()
    for call in calls:
        query = narrowed(query, model, call)
    return query


def narrowed(query: Any, model: str, call: Call) -> Any:
    """A query with one call more."""
    given = [written(model, call.condition)]
    if isinstance(call.condition, Every) and call.condition.spelling == "arguments":
        given = [written(model, part) for part in call.condition.parts]
    return getattr(query, call.method)(*given)


def term(order: Order) -> Any:
    """A term of `order_by()`."""
    column = orm.F(words_of(order.column))
    return column.desc(nulls=order.nulls) if order.descending else column.asc(nulls=order.nulls)


def ordered(chosen: Chosen) -> Any:
    query = filtered(chosen.model, chosen.calls).order_by(*[term(order) for order in chosen.order])
    return query.reverse() if chosen.reversed else query


def sliced(query: Any, slices: tuple[tuple[int | None, int | None], ...]) -> Any:
    for start, stop in slices:
        query = query[start:stop]
    return query
