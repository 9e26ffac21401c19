"""Arrays of PostgreSQL: their type, their lookups, and the items and slices of them."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, cast

import sqlalchemy as sa
from pydantic_core import CoreSchema
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from orm import kinds, operators, transforms
from orm.exceptions import FieldError
from orm.expressions import Function, output_of
from orm.operators import Element, Operator, only_on_postgresql, postgresql_operator
from orm.specs import FieldSpec
from orm.transforms import Transform
from orm.types import Processor, each

_KINDS: Final = frozenset({"array"})
_CURE: Final = "Use JSON for a list."
_POSITION: Final = re.compile(r"([0-9]{1,9})(?:_([0-9]{1,9}))?")


class ArrayType(TypeDecorator[list[Any]]):
    """A list of values of one type; on PostgreSQL only.

    Attributes:
        item: what an item is.
    """

    impl = postgresql.ARRAY
    cache_ok = True

    def __init__(self, item: FieldSpec) -> None:
        super().__init__(item.type)
        self.item = item

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        only_on_postgresql(dialect, "arrays", _CURE)
        return postgresql.ARRAY(self.item.type)

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor:
        process = self.item.type.dialect_impl(dialect).result_processor(dialect, None)
        if process is None:
            return _copied
        return each(process)

    def bind_processor(self, dialect: Dialect) -> Processor | None:
        process = self.item.type.dialect_impl(dialect).bind_processor(dialect)
        if process is None:
            return None
        return each(process)


def _copied(value: list[Any] | None) -> list[Any] | None:
    """A list of its own: the driver's is what changes are noticed by."""
    return None if value is None else list(value)


def item_of(spec: FieldSpec) -> FieldSpec:
    """What an item of an array is."""
    assert isinstance(spec.type, ArrayType)
    return spec.type.item


class ArrayLength(Function[int]):
    """The number of items."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__len"

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("integer", null=output_of(self.parts[0]).null)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.cardinality(operands[0])


class ArrayItem(Function[Any]):
    """An item by its index from 0; NULL where there is none."""

    __slots__ = ("index",)

    def __init__(self, array: Any, index: int) -> None:
        super().__init__(array)
        self.index = index

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__{self.index}"

    @property
    def options(self) -> Hashable:
        return self.index

    @property
    def output(self) -> FieldSpec:
        return kinds.like(item_of(output_of(self.parts[0])), null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        found: Element = _native(operands[0])[self.index + 1]
        return found


class ArraySlice(Function[Any]):
    """The items from one index to another, without the latter; an empty list where there are none."""

    __slots__ = ("end", "start")

    def __init__(self, array: Any, start: int, end: int) -> None:
        super().__init__(array)
        self.start = start
        self.end = end

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__{self.start}_{self.end}"

    @property
    def options(self) -> Hashable:
        return (self.start, self.end)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        found: Element = _native(operands[0])[self.start + 1 : self.end]
        return found


def _native(array: Element) -> Any:
    """The array as SQLAlchemy takes items from it."""
    return sa.type_coerce(array, postgresql.ARRAY(sa.types.NullType()))


@lru_cache(1024)
def _position(word: str) -> Transform | None:
    """The transform that `tags__0` or `tags__0_2` is."""
    found = _POSITION.fullmatch(word)
    if found is None:
        return None
    start, end = int(found[1]), found[2]
    function = partial(ArrayItem, index=start) if end is None else partial(ArraySlice, start=start, end=int(end))
    return Transform(word, function, _KINDS)


def item(key: Any) -> Transform:
    """The transform that `[0]` or `[0:2]` is. Raises `FieldError` for what an array does not take."""
    if isinstance(key, slice):
        given = cast("Any", key)
        if given.step is None and isinstance(given.stop, int):
            return _named(f"{given.start or 0}_{given.stop}")
        raise FieldError("A slice of an array has an end and no step, as in tags[0:2].")
    if not isinstance(key, int) or isinstance(key, bool) or key < 0:
        raise FieldError(
            f"An array of PostgreSQL has items from 0 on, none at {key!r}: it does not count from the end."
        )
    return _named(str(key))


def _named(word: str) -> Transform:
    found = _position(word)
    if found is None:
        raise FieldError(f"No array has items at {word.replace('_', ':')}.")
    return found


def literal(value: Sequence[Any] | None) -> str | None:
    """An array as PostgreSQL reads it from a text: unnest() would take lists of lists apart.

    https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
    """
    return None if value is None else "{" + ",".join([_literal(item) for item in value]) + "}"


def _literal(item: Any) -> str:
    if item is None:
        return "NULL"
    text = f"\\x{item.hex()}" if isinstance(item, bytes) else str(item)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _list_core(spec: FieldSpec) -> CoreSchema:
    return spec.operand


def _operator(name: str, symbol: str) -> Operator:
    return postgresql_operator(name, symbol, "array", _CURE, _list_core)


for _entry in (_operator("contains", "@>"), _operator("contained_by", "<@"), _operator("overlap", "&&")):
    operators.add(_entry)
transforms.add(Transform("len", ArrayLength, _KINDS))
transforms.add_pattern("array", _position)
