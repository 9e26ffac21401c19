"""What a query over the models of `tests.music` means, in plain Python: rows are dictionaries, tables lists of them.

Conditions are trees of the dataclasses below. They follow the documentation, not the compiler: a call of `filter()`
keeps a row if there is a choice of one related row (or none, where there are none) for every relation that the call
follows outside negations, such that its condition is true. A comparison inside a negation makes a choice of its own.
Truth is three-valued, with `None` for unknown; a negation holds where its condition is not true.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

Row = dict[str, Any]
World = dict[str, list[Row]]
Path = tuple[str, ...]
Choice = dict[Path, Row | None]


@dataclass(frozen=True)
class Relation:
    """Where a relation leads: rows of `model` whose column `far` equals this row's `near`, perhaps over links."""

    model: str
    near: str
    far: str
    many: bool = False
    links: tuple[str, str, str] | None = None  # the table of the links, its column to this side, and to the other


RELATIONS: dict[str, dict[str, Relation]] = {
    "Artist": {
        "albums": Relation("Album", "id", "artist_id", many=True),
        "produced": Relation("Album", "id", "producer_id", many=True),
        "profile": Relation("Profile", "id", "artist_id"),
    },
    "Profile": {"artist": Relation("Artist", "artist_id", "id")},
    "Album": {
        "artist": Relation("Artist", "artist_id", "id"),
        "producer": Relation("Artist", "producer_id", "id"),
        "tracks": Relation("Track", "id", "album_id", many=True),
        "tags": Relation("Tag", "id", "id", many=True, links=("AlbumTag", "album_id", "tag_id")),
    },
    "Track": {
        "album": Relation("Album", "album_id", "id"),
        "playlists": Relation("Playlist", "id", "id", many=True, links=("PlaylistTrack", "track_id", "playlist_id")),
    },
    "Tag": {"albums": Relation("Album", "id", "id", many=True, links=("AlbumTag", "tag_id", "album_id"))},
    "Playlist": {
        "tracks": Relation("Track", "id", "id", many=True, links=("PlaylistTrack", "playlist_id", "track_id"))
    },
    "Employee": {
        "manager": Relation("Employee", "manager_id", "id"),
        "reports": Relation("Employee", "id", "manager_id", many=True),
    },
}
# What a column holds. "text" mixes cases and has wildcards, so that collations differ in its order; "word" is
# in an order that they agree about.
COLUMNS: dict[str, dict[str, str]] = {
    "Artist": {"id": "integer", "name": "text", "country": "word"},
    "Profile": {"id": "integer", "text": "text", "artist_id": "integer"},
    "Album": {"id": "integer", "title": "text", "year": "integer", "artist_id": "integer", "producer_id": "integer"},
    "Track": {"id": "integer", "name": "text", "seconds": "integer", "price": "decimal", "album_id": "integer"},
    "Tag": {"id": "integer", "word": "word"},
    "Playlist": {"id": "integer", "name": "text"},
    "Employee": {"id": "integer", "name": "word", "manager_id": "integer"},
}
TEXTS = ("", "a", "A", "b", "aB", "ab", "b%", "a_b", "%", "a\\b", "!")
WORDS = ("a", "ab", "b", "c")
DECIMALS = (Decimal("-1.50"), Decimal("0.00"), Decimal("0.10"), Decimal("2.00"), Decimal("12345678.90"))


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
    left: Column | Arithmetic
    right: Column | Arithmetic | int


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
    for call in calls:
        condition = Not(call.condition) if call.method == "exclude" else call.condition
        if not any(_truth(world, model, condition, choice) for choice in _choices(world, model, row, condition)):
            return False
    return True


def _choices(world: World, model: str, row: Row, condition: Condition) -> Iterator[Choice]:
    """Every choice of related rows for what a condition is about outside its negations."""
    steps = {path[: i + 1] for path in _paths(condition) for i in range(len(path))}
    return _extended(world, model, {(): row}, sorted(steps, key=lambda path: (len(path), path)))


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


def model_at(model: str, path: Path) -> str:
    """The model at the end of a path."""
    for name in path:
        model = RELATIONS[model][name].model
    return model


def _paths(condition: Condition) -> Iterator[Path]:
    if isinstance(condition, Compare):
        yield condition.column.path
        yield from _operand_paths(condition.operand)
    elif not isinstance(condition, Not):
        for part in condition.parts:
            yield from _paths(part)


def _operand_paths(operand: Any) -> Iterator[Path]:
    if isinstance(operand, Column):
        yield operand.path
    elif isinstance(operand, Arithmetic):
        yield from _operand_paths(operand.left)
        yield from _operand_paths(operand.right)


def _truth(world: World, model: str, condition: Condition, choice: Choice) -> bool | None:
    if isinstance(condition, Compare):
        return _compare(world, condition, choice)
    if isinstance(condition, Not):
        return not _negated_truth(world, model, condition.part, choice)
    return _joined(condition, [_truth(world, model, part, choice) for part in condition.parts])


def _negated_truth(world: World, model: str, condition: Condition, choice: Choice) -> bool | None:
    """The truth of a condition inside a negation: each comparison is about related rows of its own."""
    if isinstance(condition, Compare):
        root = choice[()]
        assert root is not None
        found = [_compare(world, condition, own) for own in _choices(world, model, root, condition)]
        return True if True in found else None if None in found else False
    if isinstance(condition, Not):
        return not _negated_truth(world, model, condition.part, choice)
    return _joined(condition, [_negated_truth(world, model, part, choice) for part in condition.parts])


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
        return None if row is None else row[operand.name]
    if isinstance(operand, Arithmetic):
        left, right = evaluate(operand.left, choice), evaluate(operand.right, choice)
        apply = {"+": operator.add, "-": operator.sub, "*": operator.mul}[operand.sign]
        return None if left is None or right is None else apply(left, right)
    return operand


def value_of(world: World, model: str, row: Row, column: Column) -> Any:
    """The value of a column over to-one relations."""
    return evaluate(column, next(_choices(world, model, row, Compare(column, "isnull", True))))


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


# ---------------------------------------------------------------- data


def random_world(seed: int) -> World:
    """A few rows of every model: some related to nothing, some to many."""
    choose = random.Random(seed)

    def small() -> int | None:
        return choose.choice([None, 0, 1, 2, 3, 4])

    def one(rows: list[Row], *more: None) -> Any:
        return choose.choice([row["id"] for row in rows] + list(more))

    countries = [None, *WORDS[:3]]
    artists = [{"id": i, "name": choose.choice(TEXTS), "country": choose.choice(countries)} for i in range(1, 6)]
    world: World = {"Artist": artists}
    world["Profile"] = [
        {"id": i, "text": choose.choice(TEXTS), "artist_id": artist}
        for i, artist in enumerate(choose.sample(range(1, 6), 3), 1)
    ]
    world["Album"] = [
        {
            "id": i,
            "title": choose.choice(TEXTS),
            "year": small(),
            "artist_id": one(world["Artist"][:4]),
            "producer_id": one(world["Artist"], None, None),
        }
        for i in range(1, 8)
    ]
    world["Track"] = [
        {
            "id": i,
            "name": choose.choice(TEXTS),
            "seconds": choose.randrange(5),
            "price": choose.choice([None, *DECIMALS]),
            "album_id": one(world["Album"][:6], None, None),
        }
        for i in range(1, 11)
    ]
    world["Tag"] = [{"id": i, "word": word} for i, word in enumerate(WORDS, 1)]
    world["Playlist"] = [{"id": i, "name": choose.choice(TEXTS)} for i in range(1, 4)]
    world["Employee"] = [
        {"id": i, "name": choose.choice(WORDS), "manager_id": choose.choice([None, *range(1, i + 1)])}
        for i in range(1, 7)
    ]
    world["AlbumTag"] = _links(choose, world, "Album", "Tag", 8)
    world["PlaylistTrack"] = _links(choose, world, "Playlist", "Track", 8)
    return world


def _links(choose: random.Random, world: World, left: str, right: str, number: int) -> list[Row]:
    pairs = [(a["id"], b["id"]) for a in world[left] for b in world[right]]
    return [{f"{left.lower()}_id": a, f"{right.lower()}_id": b} for a, b in choose.sample(pairs, number)]
