"""What people call an engine: SQLAlchemy has one name for MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy.engine import Dialect

from orm.exceptions import NotSupportedError

_NAMES: Final[Mapping[str, str]] = {"sqlite": "SQLite", "postgresql": "PostgreSQL", "mysql": "MySQL"}


def is_mariadb(dialect: Dialect) -> bool:
    """Whether the server is MariaDB, as far as it is known: a first connection tells."""
    return bool(getattr(dialect, "is_mariadb", False))


def engine_name(dialect: Dialect) -> str:
    """The engine's name for people."""
    return "MariaDB" if is_mariadb(dialect) else _NAMES[dialect.name]


def check_set_operation(operator: str, dialect: Dialect) -> None:
    """Refuse what the server's version does not have, as far as it is known."""
    version: tuple[Any, ...] = dialect.server_version_info or ()
    if dialect.name == "mysql" and operator in ("intersection", "difference") and version:
        needed = (10, 3) if is_mariadb(dialect) else (8, 0, 31)
        if version < needed:
            number = ".".join(map(str, needed))
            raise NotSupportedError(f"{engine_name(dialect)} has {operator}() since version {number} only.")
