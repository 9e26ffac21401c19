"""Values inside JSON columns, in SQL: `data__author__name="x"` compares as JSON compares, on each engine.

Keys and indexes are always sent as a parameter.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm import types
from orm.engines import is_mariadb
from orm.exceptions import FieldError, NotSupportedError
from orm.operators import Element, Operator
from orm.plaintext import check_text

Keys = tuple[str | int, ...]
_FAR: Final = 2**31
"""No list has so many items."""


def path_type(engine: str) -> TypeEngine[Any]:
    """The type of the parameter that holds the keys."""
    return postgresql.ARRAY(sa.Text()) if engine == "postgresql" else types.Text()


def prepare_path(dialect: Dialect) -> Callable[[Keys], Any]:
    """Turns keys into what the engine takes: a list of texts on PostgreSQL, a JSON path elsewhere."""
    if dialect.name == "postgresql":
        return lambda keys: [str(key) for key in keys]
    if dialect.name == "sqlite":
        return _sqlite_path
    return _mariadb_path if is_mariadb(dialect) else path_of


def path_of(keys: Keys, last: str = "last") -> str:
    """The keys as a JSON path."""
    return "$" + "".join([_step(key, last) for key in keys])


def _step(key: str | int, last: str) -> str:
    if isinstance(key, str):
        return f".{json.dumps(key, ensure_ascii=False)}"
    if key >= 0:
        return f"[{key}]"
    return f"[{last}{key}]" if last == "#" else f"[{last}{key + 1 or ''}]"


def _sqlite_path(keys: Keys) -> str:
    """SQLite's paths quote a key as JSON does, but a quote within the quotes ends them."""
    for key in keys:
        if isinstance(key, str) and '"' in key:
            raise NotSupportedError(f"SQLite's JSON paths cannot name the key {key!r}, which has a double quote in it.")
    return path_of(keys, "#")


def _mariadb_path(keys: Keys) -> str:
    """MariaDB 10.11 counts from the end of the first row's list in the lists of all rows."""
    if any(isinstance(key, int) and key < 0 for key in keys):
        raise NotSupportedError("MariaDB finds no item of a JSON list from its end. Use an index from 0.")
    return path_of(keys)


def checked_key(key: Any) -> str | int:
    """A key or an index of JSON. Raises `FieldError` for what no database takes."""
    if isinstance(key, int) and not isinstance(key, bool) and abs(key) < _FAR:
        return key
    if not isinstance(key, str):
        raise FieldError(f"{key!r} is no key of JSON. Give a text, or the index of an item, from the end if negative.")
    return check_text("a key of JSON", key)


def word_key(word: str) -> str | int:
    """What a word after a JSON column means: digits are an index."""
    index = word.isascii() and word.isdecimal() and len(word) < len(str(_FAR))
    return int(word) if index else checked_key(word)


def document(engine: str, column: Element, path: Element) -> Element:
    """The JSON value under a path, as JSON; NULL where there is none."""
    if engine == "postgresql":
        return column.op("#>", return_type=types.JSON())(path)
    if engine == "sqlite":
        return column.op("->", return_type=types.JSON())(path)
    return sa.func.json_extract(column, path, type_=types.JSON())


def text(engine: str, column: Element, path: Element) -> Element:
    """The JSON value under a path, as text without quotes."""
    if engine == "postgresql":
        return column.op("#>>", return_type=types.Text())(path)
    if engine == "sqlite":
        return column.op("->>", return_type=types.Text())(path)
    return sa.func.json_unquote(sa.func.json_extract(column, path), type_=types.Text())


def text_or_null(engine: str, column: Element, path: Element) -> Element:
    """The same, but NULL for JSON's null, which MySQL writes as a text."""
    found = text(engine, column, path)
    if engine != "mysql":
        return found
    kind = sa.func.json_type(sa.func.json_extract(column, path))
    return sa.case((kind != sa.literal_column("'NULL'"), found))


def operand_type(engine: str, variant: str | None) -> TypeEngine[Any]:
    """The type of the parameter that is compared."""
    if variant is None or (variant == "string" and engine != "postgresql"):
        return types.Text()
    if engine == "postgresql" or variant == "document":
        return types.JSON(none_as_null=False)
    return sa.Boolean() if variant == "boolean" else sa.Double()


def is_missing(engine: str, column: Element, path: Element) -> Element:
    """There is nothing under the path; a JSON null is something."""
    if engine == "sqlite":
        return sa.func.json_type(column, path).is_(None)
    return document(engine, column, path).is_(None)


def compare(
    dialect: Dialect, operator: Operator, variant: str | None, column: Element, path: Element, operand: Element
) -> Element:
    """A comparison of the value under a path, which is of the operand's JSON type, or unequal."""
    engine = dialect.name
    if variant is None:
        return operator.build(dialect, text(engine, column, path), (operand,))
    if engine == "postgresql":
        found = document(engine, column, path)
        ordered = operator.build(dialect, found, (operand,))
        if operator.name == "exact":
            return ordered
        return sa.and_(sa.func.jsonb_typeof(found) == sa.func.jsonb_typeof(operand), ordered)
    return (_compare_sqlite if engine == "sqlite" else _compare_mysql)(
        dialect, operator, variant, column, path, operand
    )


def equals(dialect: Dialect, left: Element, right: Element) -> Element:
    """Two JSON values are the same."""
    if dialect.name == "postgresql":
        return left == right
    if dialect.name == "sqlite":
        return sa.func.json(left) == sa.func.json(right)
    if is_mariadb(dialect):
        # MariaDB 10.11 answers 1 where JSON_EXTRACT finds nothing.
        return sa.and_(left.is_not(None), sa.func.json_equals(left, right) == sa.literal_column("1"))
    return cast("Element", left == sa.cast(right, sa.JSON()))


def _compare_sqlite(
    dialect: Dialect, operator: Operator, variant: str, column: Element, path: Element, operand: Element
) -> Element:
    kind = sa.func.json_type(column, path)
    if variant == "null":
        return kind == sa.literal_column("'null'")
    value = sa.func.json_extract(column, path)
    if variant == "document":
        return equals(dialect, value, operand)
    kinds = {"boolean": ("true", "false"), "number": ("integer", "real"), "string": ("text",)}[variant]
    names: list[Element] = [sa.literal_column(f"'{name}'") for name in kinds]
    return sa.and_(kind.in_(names), operator.build(dialect, value, (operand,)))


def _compare_mysql(
    dialect: Dialect, operator: Operator, variant: str, column: Element, path: Element, operand: Element
) -> Element:
    found = sa.func.json_extract(column, path)
    kind = sa.func.json_type(found)
    if variant == "null":
        return kind == sa.literal_column("'NULL'")
    if variant == "document":
        return equals(dialect, found, operand)
    unquoted = sa.func.json_unquote(found, type_=types.Text())
    if variant == "boolean":
        return sa.and_(kind == sa.literal_column("'BOOLEAN'"), (unquoted == sa.literal_column("'true'")) == operand)
    if variant == "number":
        names: list[Element] = [
            sa.literal_column(f"'{name}'") for name in ("INTEGER", "UNSIGNED INTEGER", "DOUBLE", "DECIMAL")
        ]
        return sa.and_(kind.in_(names), operator.build(dialect, found + sa.literal_column("0"), (operand,)))
    exact = sa.collate(unquoted, "utf8mb4_bin")
    return sa.and_(kind == sa.literal_column("'STRING'"), operator.build(dialect, exact, (operand,)))
