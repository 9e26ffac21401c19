"""SQLAlchemy's PostgreSQL dialect for a bare asyncpg connection.

SQLAlchemy's own asyncpg dialect counts on an adapter: it installs JSON codecs on each connection and tells processors
the type of each result column. Here nothing stands between: JSON goes in and comes out as text, and what a value is
converted to depends on the declared type alone.
"""

from __future__ import annotations

import contextlib
import decimal
from typing import Any, cast

from sqlalchemy import types
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql.asyncpg import AsyncpgFloat, AsyncpgNumeric, PGDialect_asyncpg
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.processors import to_decimal_processor_factory


def _to_float(value: Any) -> float | None:
    return None if value is None else float(value)


class PostgreSQLNumeric(AsyncpgNumeric):
    """NUMERIC: asyncpg gives a `Decimal` by itself."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """What turns asyncpg's value into the declared one, or `None` when it is that already."""
        return None if self.asdecimal else _to_float


class PostgreSQLFloat(AsyncpgFloat):
    """REAL and DOUBLE PRECISION: asyncpg gives a `float` by itself."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """What turns asyncpg's value into the declared one, or `None` when it is that already."""
        if not self.asdecimal:
            return None
        return to_decimal_processor_factory(decimal.Decimal, cast("int", self._effective_decimal_return_scale))


class PostgreSQLJSON(postgresql.JSON[Any]):
    """JSON: SQLAlchemy 2.0 has a type of its own for asyncpg, which leaves loading to the codec."""

    render_bind_cast = True


class PostgreSQLJSONB(postgresql.JSONB[Any]):
    """JSONB, for the same reason."""

    render_bind_cast = True


class PostgreSQLDialect(PGDialect_asyncpg):
    """What statements are compiled with; parameters are `$1`, `$2`, …"""

    supports_statement_cache = True
    supports_native_json_deserialization = False  # no codec on the connection: asyncpg gives text
    dialect_injects_custom_json_deserializer = False
    colspecs = {
        **PGDialect_asyncpg.colspecs,
        types.Numeric: PostgreSQLNumeric,
        types.Float: PostgreSQLFloat,
        types.JSON: PostgreSQLJSON,
        postgresql.JSON: PostgreSQLJSON,
        postgresql.JSONB: PostgreSQLJSONB,
    }

    def __init__(self) -> None:
        module: Any = None
        with contextlib.suppress(ImportError):  # SQL is compiled without asyncpg, too
            module = self.import_dbapi()  # type: ignore[no-untyped-call]
        super().__init__(dbapi=module)  # type: ignore[no-untyped-call]  # ranges and BIT ask it for asyncpg's classes
