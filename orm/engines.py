"""What people call an engine: SQLAlchemy has one name for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy.engine import Dialect

_NAMES: Final[Mapping[str, str]] = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MySQL"}


def is_mariadb(dialect: Dialect) -> bool:
    """Whether the server is MariaDB, as far as it is known: a first connection tells."""
    return bool(getattr(dialect, "is_mariadb", False))


def engine_name(dialect: Dialect) -> str:
    """The engine's name for people."""
    return "MariaDB" if is_mariadb(dialect) else _NAMES[dialect.name]
