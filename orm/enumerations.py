"""Enumerations that are types of the database's: compared with texts, set to texts, told from each other. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.elements import Null
from sqlalchemy.types import TypeEngine

from orm import types
from orm.plaintext import quoted

Element = sa.ColumnElement[Any]


def named(kind: TypeEngine[object]) -> types.TextEnum | None:
    """The type that a column's values are of; `None` for a column of any other kind."""
    kept = kind.kept if isinstance(kind, types.Enum) else kind
    return kept if isinstance(kept, types.TextEnum) else None


def of_columns(kinds: Iterator[TypeEngine[object]]) -> Iterator[types.TextEnum]:
    """Such types among those of columns, and among those of the items of arrays."""
    for kind in kinds:
        item = getattr(kind, "item", None)
        found = named(item.type if item is not None else kind)
        if found is not None:
            yield found


def compared(left: Element, right: Element) -> tuple[Element, Element]:
    """Both sides of a comparison on PostgreSQL, which compares members of a type with each other alone."""
    names = [kind.name if kind is not None else None for kind in (named(left.type), named(right.type))]
    if names[0] == names[1] or isinstance(right, sa.BindParameter) or isinstance(left, sa.BindParameter):
        return left, right
    return as_text(left), as_text(right)


def by_position(dialect: Dialect, left: Element, right: Element) -> tuple[Element, Element]:
    """Both sides of an order: MySQL sorts members as they are declared, but compares them with others as texts."""
    kind = named(left.type)
    if kind is None or dialect.name != "mysql":
        return left, right
    values: list[Element] = [sa.literal_column(quoted(value, "mysql")) for value in kind.values]
    position: Element = left.op("+", return_type=sa.Integer())(sa.literal_column("0"))
    return position, sa.func.field(sa.collate(right, types.collation(dialect)), *values)


def as_text(value: Element) -> Element:
    """A member as its text; any other value as it is."""
    if named(value.type) is None:
        return value
    if isinstance(value, sa.ScalarSelect):
        rows = cast("sa.Select[tuple[object]]", value.element).subquery()
        return sa.select(sa.cast(rows.c[0], sa.Text())).scalar_subquery()
    return sa.cast(value, sa.Text())


def assigned(value: Element, kind: TypeEngine[object]) -> Element:
    """An expression as a value of a column, which takes no texts but those that are of its type on PostgreSQL."""
    wanted, given = named(kind), named(value.type)
    if wanted is None or isinstance(value, (sa.BindParameter, Null)):
        return value
    if given is not None and given.name == wanted.name:
        return value
    return sa.cast(as_text(value), kind)
