"""Which field a column of a database is: the constructor whose type compiles to the same, or the type itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeEngine

from orm import types
from orm.exceptions import NotSupportedError
from orm.ranges import SUBTYPES


@dataclass(frozen=True)
class Written:
    """A field in source text.

    Attributes:
        python: the annotation of its values.
        function: the constructor.
        arguments: those that say the type.
        imports: what these need.
    """

    python: str
    function: str
    arguments: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()


_PLAIN: Final[tuple[tuple[TypeEngine[Any], Written], ...]] = (
    (sa.Boolean(), Written("bool", "orm.Boolean")),
    (sa.SmallInteger(), Written("int", "orm.SmallInteger")),
    (sa.Integer(), Written("int", "orm.Integer")),
    (sa.BigInteger(), Written("int", "orm.BigInteger")),
    (sa.Double(), Written("float", "orm.Float")),
    (types.Text(), Written("str", "orm.Text")),
    (sa.Uuid(), Written("uuid.UUID", "orm.UUID", (), ("import uuid",))),
    (sa.Date(), Written("datetime.date", "orm.Date", (), ("import datetime",))),
    (
        types.DateTime(timezone=False),
        Written("datetime.datetime", "orm.DateTime", ("timezone=False",), ("import datetime",)),
    ),
    (types.DateTime(), Written("datetime.datetime", "orm.DateTime", (), ("import datetime",))),
    (types.Time(), Written("datetime.time", "orm.Time", (), ("import datetime",))),
    (types.Duration(), Written("datetime.timedelta", "orm.Duration", (), ("import datetime",))),
    (types.Binary(), Written("bytes", "orm.Binary")),
    (types.JSON(), Written("Any", "orm.JSON", (), ("from typing import Any",))),
)
"""The fields without limits; of two that compile to the same the first is taken."""

_IP: Final = "ipaddress.IPv4Address | ipaddress.IPv6Address"
_RANGES: Final = {
    "integer": ("int", "IntegerRange", ()),
    "big_integer": ("int", "BigIntegerRange", ()),
    "decimal": ("decimal.Decimal", "DecimalRange", ()),
    "date": ("datetime.date", "DateRange", ()),
    "datetime": ("datetime.datetime", "DateTimeRange", ()),
    "naive_datetime": ("datetime.datetime", "DateTimeRange", ("timezone=False",)),
}


def field_of(kind: TypeEngine[Any], dialect: Dialect) -> Written:
    """The field whose column has a type, as it was read from the database."""
    if dialect.name == "postgresql":
        found = _of_postgresql(kind, dialect)
        if found is not None:
            return found
    name = _name(kind, dialect)
    for plain, written in _PLAIN:
        if _name(plain, dialect) == name:
            return written
    made = cast("Any", kind)
    if isinstance(kind, sa.String) and made.length and _name(types.String(made.length), dialect) == name:
        return Written("str", "orm.String", (f"max_length={made.length}",))
    if isinstance(kind, sa.Numeric) and made.precision and made.scale is not None and _is_decimal(made, name, dialect):
        limits = (f"max_digits={made.precision}", f"decimal_places={made.scale}")
        return Written("decimal.Decimal", "orm.Decimal", limits, ("import decimal",))
    return _own_type(kind)


def _is_decimal(kind: Any, name: str, dialect: Dialect) -> bool:
    try:
        return _name(types.Decimal(kind.precision, kind.scale), dialect) == name
    except NotSupportedError:  # SQLite does not keep so many digits
        return False


def _name(kind: TypeEngine[Any], dialect: Dialect) -> str:
    """A type as CREATE TABLE has it, without what means nothing."""
    try:
        name = kind.compile(dialect=dialect)
    except (CompileError, NotSupportedError):
        return ""
    name = re.sub(r"^(\w*INT|INTEGER)\(\d+\)", lambda found: found[0] if found[0] == "TINYINT(1)" else found[1], name)
    name = name.replace("CHARACTER SET utf8mb4 ", "").replace("DECIMAL", "NUMERIC")
    name = re.sub(r"^CHAR\(32\) .*", "CHAR(32)", name)
    return {"BOOL": "TINYINT(1)"}.get(name, name)


def _of_postgresql(kind: TypeEngine[Any], dialect: Dialect) -> Written | None:
    made: Any = kind
    if isinstance(made, postgresql.ARRAY):
        item = field_of(cast("Any", made).item_type, dialect)
        inner = f"{item.function}({', '.join(item.arguments)})"
        if item.function == "orm.custom_field":
            return None
        return Written(f"list[{item.python}]", "orm.Array", (inner,), item.imports)
    if isinstance(kind, postgresql.INET):
        return Written(_IP, "orm.IPAddress", (), ("import ipaddress",))
    for of, subtype in SUBTYPES.items():
        if type(subtype.make()) is type(kind):
            python, function, arguments = _RANGES[of]
            needed = (f"import {python.split('.')[0]}",) if "." in python else ()
            return Written(f"postgresql.Range[{python}]", f"postgresql.{function}", arguments, (*needed, _OURS))
    return None


_OURS: Final = "from orm import postgresql"


def _own_type(kind: TypeEngine[Any]) -> Written:
    """A field of any other type of SQLAlchemy's."""
    try:
        python = kind.python_type
    except NotImplementedError:
        python = object
    words, imports = type_text(kind)
    name = python.__name__ if python.__module__ == "builtins" else f"{python.__module__}.{python.__name__}"
    if python.__module__ != "builtins":
        imports = (*imports, f"import {python.__module__}")
    return Written(name, "orm.custom_field", (name, words), imports)


def type_text(kind: TypeEngine[Any]) -> tuple[str, tuple[str, ...]]:
    """The source text of a type of SQLAlchemy's, and its imports."""
    module = type(kind).__module__
    found = re.match(r"sqlalchemy\.dialects\.(\w+)", module)
    if found is None:
        return f"sa.{kind!r}", ("import sqlalchemy as sa",)
    return f"sa_{found[1]}.{kind!r}", (f"from sqlalchemy.dialects import {found[1]} as sa_{found[1]}",)


def options_of(written: Written, options: Mapping[str, str]) -> tuple[str, ...]:
    """All arguments of a field."""
    return (*written.arguments, *[f"{name}={value}" for name, value in options.items()])
