"""PostgreSQL's `hstore`: texts by key. Its type, its lookups, and the values of its keys.

Its extension has to be there: `CREATE EXTENSION hstore`. https://www.postgresql.org/docs/current/hstore.html
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any, Final, cast

import sqlalchemy as sa
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from orm import kinds, operators, transforms, types
from orm.exceptions import FieldError
from orm.expressions import Function, Value
from orm.operators import Build, Element, Operator, only_on_postgresql, postgresql_infix
from orm.plaintext import check_text
from orm.specs import FieldSpec
from orm.transforms import Transform

KIND: Final = "hstore"
_KINDS: Final = frozenset({KIND})
_CURE: Final = "Use JSON for texts by key."


class HStoreType(TypeDecorator[dict[str, str | None]]):
    """Texts by key; on PostgreSQL only."""

    impl = postgresql.HSTORE
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        only_on_postgresql(dialect, "hstore", _CURE)
        return postgresql.HSTORE()


def core() -> CoreSchema:
    """pydantic's core schema of texts by key."""
    text = kinds.computed("text").core
    return core_schema.dict_schema(text, core_schema.nullable_schema(text), strict=True)


class HStoreValue(Function[str | None]):
    """The text of a key; NULL where there is none."""

    __slots__ = ("key",)

    def __init__(self, store: Any, key: str) -> None:
        super().__init__(store, Value(key))
        self.key = key

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__{self.key}"

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("text", types.Text(), null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return operands[0].op("->", return_type=sa.Text())(sa.cast(operands[1], sa.Text()))


@lru_cache(1024)
def _transform(key: str) -> Transform:
    return Transform(key, partial(HStoreValue, key=key), _KINDS)


def _word(word: str) -> Transform | None:
    """The transform that a word of a filter is, if it is no lookup: `attributes__color`."""
    return None if operators.find(word, KIND) is not None else _transform(word)


def value(key: object) -> Transform:
    """The transform that `["color"]` is. Raises `FieldError` for what is no key."""
    if not isinstance(key, str):
        raise FieldError(f"The keys of an hstore are texts, not {key!r}.")
    return _transform(check_text("a key", key))


def _key_core(spec: FieldSpec) -> CoreSchema:
    return kinds.computed("text").core


def _store_core(spec: FieldSpec) -> CoreSchema:
    return spec.operand


def _text_sent(dialect: Dialect, kind: TypeEngine[Any], variant: object) -> TypeEngine[Any]:
    return types.Text()


def _keys(symbol: str) -> Build:
    """An operator with a list of keys."""

    def build(dialect: Dialect, left: Element, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, "hstore", _CURE)
        listed = sa.cast(postgresql.array(operands, type_=cast("Any", sa.Text())), postgresql.ARRAY(sa.Text()))
        return left.bool_op(symbol)(listed)

    return build


for _entry in (
    Operator("contains", postgresql_infix("@>", "hstore", _CURE), kinds=_KINDS, core=_store_core, expressions=True),
    Operator("contained_by", postgresql_infix("<@", "hstore", _CURE), kinds=_KINDS, core=_store_core, expressions=True),
    Operator("has_key", postgresql_infix("?", "hstore", _CURE), kinds=_KINDS, core=_key_core, sent=_text_sent),
    Operator("has_keys", _keys("?&"), "values", _KINDS, core=_key_core, sent=_text_sent),
    Operator("has_any_keys", _keys("?|"), "values", _KINDS, core=_key_core, sent=_text_sent),
):
    operators.add(_entry)
transforms.add_pattern(KIND, _word)
