"""Random models for the properties of migrations: what is declared, as data, and the registry made of it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st

import orm
from orm import postgresql


@dataclass(frozen=True)
class Column:
    """A field: the name of its kind below, and its options."""

    kind: str
    options: tuple[tuple[str, Any], ...] = ()
    default: int | None = None
    """Which of the kind's defaults it has."""


@dataclass(frozen=True)
class Part:
    """A constraint or an index over fields of a table."""

    kind: str
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A model: its fields by name, its keys by name, and its constraints and indexes."""

    columns: Mapping[str, Column] = field(default_factory=dict[str, Column])
    keys: Mapping[str, tuple[str, tuple[tuple[str, Any], ...]]] = field(default_factory=dict[str, Any])
    parts: tuple[Part, ...] = ()
    comment: str | None = None


Schema = Mapping[str, Table]


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"
    UGLY = "it's ugly"


class Level(enum.Enum):
    LOW = 1
    HIGH = 2


@dataclass(frozen=True)
class Kind:
    """A kind of field.

    Attributes:
        make: makes the field.
        defaults: defaults of the server's.
        keyed: whether it can have an index, on each engine.
        only: the engine that has it, if not all do.
    """

    make: Callable[..., Any]
    defaults: tuple[Any, ...] = ()
    keyed: bool = True
    only: str | None = None


_NOW = sa.func.now()
KINDS: dict[str, Kind] = {
    "small": Kind(orm.SmallInteger, (sa.text("0"), sa.text("7"))),
    "integer": Kind(orm.Integer, (sa.text("0"), sa.text("-7"))),
    "big": Kind(orm.BigInteger, (sa.text("0"),)),
    "float": Kind(orm.Float, (sa.text("1.5"),)),
    "decimal": Kind(lambda **o: orm.Decimal(max_digits=10, decimal_places=2, **o), (sa.text("1.50"),)),
    "decimal_long": Kind(lambda **o: orm.Decimal(max_digits=12, decimal_places=4, **o), (sa.text("1.50"),)),
    "boolean": Kind(orm.Boolean, (sa.true(), sa.false())),
    "string": Kind(lambda **o: orm.String(max_length=30, **o), (sa.text("'a b'"), sa.text("'it''s'"))),
    "string_long": Kind(lambda **o: orm.String(max_length=60, **o), (sa.text("'a b'"),)),
    "text": Kind(orm.Text, (), keyed=False),
    "slug": Kind(orm.Slug),
    "uuid": Kind(orm.UUID),
    "date": Kind(orm.Date, (sa.text("'2024-02-29'"),)),
    "moment": Kind(orm.DateTime, (_NOW,)),
    "naive": Kind(lambda **o: orm.DateTime(timezone=False, **o), (_NOW,)),
    "time": Kind(orm.Time),
    "duration": Kind(orm.Duration),
    "binary": Kind(orm.Binary, (), keyed=False),
    "json": Kind(orm.JSON, (), keyed=False),
    "size": Kind(lambda **o: orm.Enum(Size, **o), (sa.text("'s'"),)),
    "mood": Kind(lambda **o: orm.Enum(Mood, **o), (sa.text("'good'"),)),
    "level": Kind(lambda **o: orm.Enum(Level, **o), (sa.text("1"),)),
    "address": Kind(orm.IPAddress),
    "numbers": Kind(lambda **o: orm.Array(orm.Integer(), **o), (sa.text("'{}'"),), only="postgresql"),
    "texts": Kind(lambda **o: orm.Array(orm.String(max_length=9), **o), (sa.text("'{a}'"),), only="postgresql"),
    "range": Kind(postgresql.IntegerRange, (sa.text("'[1,2)'"),), only="postgresql"),
    "days": Kind(postgresql.DateRange, (), only="postgresql"),
}
_NUMBERS = ("small", "integer", "big")
_NAMES = ("alpha", "beta", "gamma", "delta")
_TABLES = ("Red", "Green", "Blue")


@st.composite
def _columns(draw: st.DrawFn, engine: str) -> Column:
    names = [name for name, kind in KINDS.items() if kind.only in (None, engine)]
    name = draw(st.sampled_from(names))
    kind = KINDS[name]
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["null"] = True
    if kind.keyed:
        key = draw(st.sampled_from([None, None, "index", "unique"]))
        if key:
            options[key] = True
    if draw(st.integers(0, 3)) == 0:
        options["comment"] = draw(st.sampled_from(["what it is", "it's 50% :so"]))
    default = draw(st.integers(0, len(kind.defaults))) - 1
    return Column(name, tuple(options.items()), None if default < 0 else default)


_KEY_OPTIONS = (
    (),
    (("null", True), ("on_delete", orm.SET_NULL)),
    (("on_delete", orm.CASCADE),),
    (("on_delete", orm.RESTRICT), ("index", False)),
    (("unique", True),),
)


@st.composite
def tables(draw: st.DrawFn, engine: str, names: tuple[str, ...]) -> Table:
    """A table whose keys refer to some of the named models."""
    columns = {name: draw(_columns(engine)) for name in draw(st.lists(st.sampled_from(_NAMES), unique=True))}
    keys = {
        name: (draw(st.sampled_from(names)), draw(st.sampled_from(_KEY_OPTIONS)))
        for name in draw(st.lists(st.sampled_from(("owner", "other")), unique=True))
    }
    free = [name for name, column in columns.items() if KINDS[column.kind].keyed]
    parts: list[Part] = []
    if len(free) > 1:
        for kind in draw(st.lists(st.sampled_from(("unique", "index", "descending")), unique=True)):
            parts.append(Part(kind, tuple(draw(st.permutations(free))[:2])))
    numbers = [name for name, column in columns.items() if column.kind in _NUMBERS]
    if numbers and draw(st.booleans()):
        parts.append(Part(draw(st.sampled_from(("check", "check_list"))), (numbers[0],)))
    if free and numbers:
        kinds = [kind for kind, engines in _WITH_OPTIONS.items() if engine in engines]
        found = draw(st.lists(st.sampled_from(kinds), unique_by=_WITH_NAMES.get, max_size=2)) if kinds else []
        parts += [Part(kind, (free[0], numbers[0])) for kind in found]
    return Table(columns, keys, tuple(parts), draw(st.sampled_from([None, None, "a table", "it's another"])))


@st.composite
def schemas(draw: st.DrawFn, engine: str) -> Schema:
    """Some models that refer to each other, without cycles but to themselves."""
    names = draw(st.lists(st.sampled_from(_TABLES), min_size=1, unique=True).map(sorted))
    return {name: draw(tables(engine, tuple(names[: position + 1]))) for position, name in enumerate(names)}


def registry_of(schema: Schema) -> orm.Registry:
    """The models of a schema."""
    registry = orm.Registry()
    for name, table in schema.items():
        body: dict[str, Any] = {key: _field(column) for key, column in table.columns.items()}
        for key, (to, options) in table.keys.items():
            body[key] = orm.ForeignKey(to, **dict(options))
        parts = [_part(part) for part in table.parts]
        meta = {
            "registry": registry,
            "constraints": [part for part in parts if not isinstance(part, orm.Index)],
            "indexes": [part for part in parts if isinstance(part, orm.Index)],
            "comment": table.comment,
        }
        type(orm.Model)(name, (orm.Model,), {**body, "Meta": type("Meta", (), meta), "__module__": __name__})
    return registry


def _field(column: Column) -> Any:
    kind = KINDS[column.kind]
    options = dict(column.options)
    if column.default is not None:
        options["default"] = kind.defaults[column.default]
    return kind.make(**options)


_WITH_NAMES: Mapping[str, str] = {
    "condition": "part",
    "other_condition": "part",
    "unique_condition": "once",
    "expression": "twice",
    "included": "wide",
    "hashed": "wide",
    "deferred": "late",
    "equal_nulls": "late",
    "excluded": "alone",
}
"""The names that they have: one name is given once in a table, and stands for another kind in the next one."""

_WITH_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "condition": ("sqlite", "postgresql"),
    "other_condition": ("sqlite", "postgresql"),
    "unique_condition": ("sqlite", "postgresql"),
    "expression": ("sqlite", "postgresql"),
    "included": ("postgresql",),
    "hashed": ("postgresql",),
    "deferred": ("postgresql",),
    "equal_nulls": ("postgresql",),
    "excluded": ("postgresql",),
}
"""Kinds of constraints and indexes with options, over any field and one of numbers, and who has them."""


def _with_options(part: Part) -> Any:
    field, number = part.fields
    name = f"%(table)s_{_WITH_NAMES[part.kind]}"
    positive, negative = orm.Q(**{f"{number}__gt": 0}), orm.Q(**{f"{number}__lt": 0}) | orm.Q(**{number: 7})
    made: dict[str, Callable[[], Any]] = {
        "condition": lambda: orm.Index(field, name=name, condition=positive),
        "other_condition": lambda: orm.Index(f"-{field}", name=name, condition=negative),
        "unique_condition": lambda: orm.UniqueConstraint(number, name=name, condition=negative),
        "expression": lambda: orm.Index(orm.F(number) * 2, f"-{field}", name=name),
        "included": lambda: orm.Index(number, name=name, include=[field] if field != number else []),
        "hashed": lambda: orm.Index(number, name=name, method="hash"),
        "deferred": lambda: orm.UniqueConstraint(number, name=name, deferrable="deferred"),
        "equal_nulls": lambda: orm.UniqueConstraint(number, name=name, nulls_distinct=False),
        "excluded": lambda: postgresql.ExclusionConstraint(
            name=name, expressions=[(number, "=")], method="hash", condition=positive
        ),
    }
    return made[part.kind]()


def _part(part: Part) -> Any:
    if part.kind in _WITH_OPTIONS:
        return _with_options(part)
    if part.kind == "check_list":
        return orm.CheckConstraint(orm.Q(**{f"{part.fields[0]}__in": [1, 2, 3]}), name="%(table)s_check")
    if part.kind == "unique":
        return orm.UniqueConstraint(*part.fields)
    if part.kind == "index":
        return orm.Index(*part.fields)
    if part.kind == "descending":
        return orm.Index(part.fields[0], f"-{part.fields[1]}", name="%(table)s_descending")
    return orm.CheckConstraint(orm.Q(**{f"{part.fields[0]}__gte": 0}), name="%(table)s_check")
