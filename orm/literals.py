"""Values in the text of SQL, for what takes no parameters: the definition of a table."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm import types
from orm.engines import engine_name
from orm.exceptions import NotSupportedError
from orm.operators import Element
from orm.plaintext import quoted

_MICROSECOND = timedelta(microseconds=1)


def literal(value: Any, kind: TypeEngine[Any], dialect: Dialect) -> Element:
    """A value of a column's type as it stands in SQL. Raises `NotSupportedError` when the engine has no text for it."""
    process = types.bind_processor(kind, dialect)
    sent = value if value is None or process is None else process(value)
    text = _plain(sent, dialect.name)
    if text is None:
        text = _postgresql(sent, kind, dialect) if dialect.name == "postgresql" else _mysql(sent)
    if text is None:
        raise NotSupportedError(f"{engine_name(dialect)} has no text for {value!r}, which a constraint or index needs.")
    if dialect.name == "postgresql" and isinstance(kind.dialect_impl(dialect), (sa.JSON, types.JSON)):
        text = f"CAST({text} AS JSONB)"
    return sa.literal_column(text, kind)  # whose percent signs SQLAlchemy doubles for the drivers that need it


def _plain(value: Any, engine: str) -> str | None:
    """What the engines write in much the same way."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value)) if engine == "sqlite" else str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, str):
        return quoted(value, engine)
    if isinstance(value, bytes) and engine != "postgresql":
        return f"X'{value.hex()}'"
    return None


def _mysql(value: Any) -> str | None:
    """Dates and times: a bare text would be compared as one where no column says what it is."""
    if isinstance(value, datetime):
        return f"TIMESTAMP'{value.isoformat(' ')}'"
    if isinstance(value, date):
        return f"DATE'{value.isoformat()}'"
    return f"TIME'{value.isoformat()}'" if isinstance(value, time) else None


def _postgresql(value: Any, kind: TypeEngine[Any], dialect: Dialect) -> str | None:
    """A text or a list with its type, which PostgreSQL reads once, when the table is defined."""
    if isinstance(value, list):
        items = [_plain(item, dialect.name) or _quoted_words(item) for item in cast("Any", value)]
        found = None if None in items else f"ARRAY[{', '.join(map(str, items))}]"
    else:
        found = _quoted_words(value)
    return None if found is None else f"CAST({found} AS {types.sql_name(kind, dialect)})"


def _quoted_words(value: Any) -> str | None:
    """What PostgreSQL calls a value, in quotes."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        text = value.astimezone(UTC).isoformat(" ")
    elif isinstance(value, bytes):
        text = f"\\x{value.hex()}"
    elif isinstance(value, timedelta):
        text = f"{value // _MICROSECOND} microseconds"
    elif isinstance(value, (date, time, UUID, IPv4Address, IPv6Address)):
        text = str(value)
    else:
        return None
    return quoted(text, "postgresql")
