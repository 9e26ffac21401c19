"""SQLAlchemy's dialects by the names of engines, as our connections use them: for SQL that is only looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Dialect

from orm.database.mysql_dialect import MySQLDialect
from orm.database.postgresql_dialect import PostgreSQLDialect
from orm.exceptions import ValidationError

_MYSQL: Final = (8, 4)
_MARIADB: Final = (11, 4)
"""The versions whose SQL is shown: long-term releases. A connection knows its server's own."""


def _mysql() -> Dialect:
    dialect = MySQLDialect("aiomysql")
    dialect.learn(_MYSQL, is_mariadb=False)
    return dialect


def _mariadb() -> Dialect:
    dialect = MySQLDialect("aiomysql")
    dialect.learn(_MARIADB, is_mariadb=True)
    return dialect


def sqlite_dialect() -> Dialect:
    """What statements for SQLite are compiled with; parameters are `?`."""
    return SQLiteDialect_aiosqlite(paramstyle="qmark")


_DIALECTS: Final[Mapping[str, Callable[[], Dialect]]] = {
    "sqlite": sqlite_dialect,
    "postgresql": PostgreSQLDialect,
    "mysql": _mysql,
    "mariadb": _mariadb,
}


def dialect_named(name: object) -> Dialect:
    """The dialect of an engine. Raises `ValidationError` for another word."""
    if not isinstance(name, str) or name not in _DIALECTS:
        choices = ", ".join(map(repr, _DIALECTS))
        raise ValidationError.single("dialect", f"dialect is one of {choices} or a Database, not {name!r}.", name)
    return _made(name)


@lru_cache
def _made(name: str) -> Dialect:
    return _DIALECTS[name]()
