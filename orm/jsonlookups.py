"""Lookups of JSON as such: the keys of an object, and what a value contains. They mean what they mean on PostgreSQL.

A value contains another one (PostgreSQL's `@>`) that is equal to it; an object one whose keys it has, each value
containing the other's; a list one whose items are each contained in one of its own, in any order. At the top a list
also contains a single text, number, boolean or null that is one of its items.
https://www.postgresql.org/docs/current/datatype-json.html#JSON-CONTAINMENT
"""

from __future__ import annotations

from typing import Any, Final, Literal

import sqlalchemy as sa
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.engine import Dialect

from orm import jsonpath, types
from orm.operators import Build, Element, Operator, add
from orm.plaintext import check_text
from orm.validation import json_value

_KINDS: Final = frozenset({"json", "json_value"})
_ONE: Final[sa.ColumnElement[int]] = sa.literal_column("1", sa.Integer())
_JSON: Final = types.JSON(none_as_null=False)


def _key(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("the keys of a JSON object are texts; whether a list has an index tells data__0__isnull=False")
    return check_text("a key", value)


def _key_core(spec: Any) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(_key)


def _document_core(spec: Any) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(json_value)


def _key_sent(engine: str, key: str) -> str:
    return jsonpath.path_of((key,)) if engine == "mysql" else key


def _has_key(dialect: Dialect, document: Element, key: Element) -> Element:
    """An object has the key; a list that has such a text among its items does not."""
    if dialect.name == "postgresql":
        return document.bool_op("?")(key)
    if dialect.name == "sqlite":
        # No path: it could not name a key with a double quote in it.
        keys = sa.func.json_each(document).table_valued("key")
        return sa.exists(sa.select(_ONE).select_from(keys).where(keys.c.key == key))
    return sa.func.json_contains_path(document, sa.literal_column("'one'"), key) == sa.literal_column("1")


def _is_object(dialect: Dialect, document: Element) -> Element:
    if dialect.name == "postgresql":
        return sa.func.jsonb_typeof(document) == sa.literal_column("'object'")
    if dialect.name == "sqlite":
        return sa.func.json_type(document) == sa.literal_column("'object'")
    return sa.func.json_type(document) == sa.literal_column("'OBJECT'")


def _has_keys(dialect: Dialect, document: Element, keys: tuple[Element, ...]) -> Element:
    return sa.and_(_is_object(dialect, document), *[_has_key(dialect, document, key) for key in keys])


def _has_any_keys(dialect: Dialect, document: Element, keys: tuple[Element, ...]) -> Element:
    found = [_has_key(dialect, document, key) for key in keys]
    return sa.and_(_is_object(dialect, document), sa.or_(sa.false(), *found))


def contains(dialect: Dialect, document: Element, part: Element) -> Element:
    """A JSON value contains another one."""
    if dialect.name == "postgresql":
        return document.bool_op("@>")(part)
    if dialect.name == "sqlite":
        return sa.func.orm_json_contains(document, part) == sa.literal_column("1")
    return sa.func.json_contains(document, part) == sa.literal_column("1")


def _of_keys(name: str, build: Build, operand: Literal["value", "values"] = "values") -> Operator:
    """A lookup about keys, which are texts."""
    return Operator(
        name, build, operand, _KINDS, _key_sent, core=_key_core, sent=lambda dialect, kind, variant: types.Text()
    )


CONTAINS: Final = Operator(
    "contains",
    lambda dialect, left, operands: contains(dialect, left, operands[0]),
    kinds=frozenset({"json"}),
    core=_document_core,
    sent=lambda dialect, kind, variant: _JSON,
    expressions=True,
)
"""What `contains` means for JSON; of a value inside JSON it is the text lookup unless the operand is a document."""

for _entry in (
    CONTAINS,
    _of_keys("has_key", _has_keys, "value"),
    _of_keys("has_keys", _has_keys),
    _of_keys("has_any_keys", _has_any_keys),
    Operator(
        "contained_by",
        lambda dialect, left, operands: contains(dialect, operands[0], left),
        kinds=_KINDS,
        core=_document_core,
        sent=lambda dialect, kind, variant: _JSON,
        expressions=True,
    ),
):
    add(_entry)
