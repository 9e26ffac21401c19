"""SQLAlchemy's dialect of MySQL and MariaDB, as our connections need it. It needs no driver."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from sqlalchemy.dialects.mysql.aiomysql import MySQLDialect_aiomysql

_FEATURES: Mapping[str, tuple[tuple[int, ...] | None, tuple[int, ...] | None]] = {
    "insert_returning": (None, (10, 5)),
    "delete_returning": (None, (10, 0, 5)),
    "supports_sequences": (None, (10, 3)),
    "supports_for_update_of": ((8,), None),
    "use_mysql_for_share": ((8, 0, 1), None),
    "_requires_alias_for_on_duplicate_key": ((8, 0, 20), None),
    "_support_default_function": ((8, 0, 13), (10, 2, 1)),
    "_support_float_cast": ((8, 0, 17), (10, 4, 5)),
}
"""Flags of SQLAlchemy's dialect, and since which version of MySQL and of MariaDB they are true; `None` is never."""


class MySQLDialect(MySQLDialect_aiomysql):
    """What statements are compiled with; parameters are `%s`, and every other percent sign is doubled."""

    supports_statement_cache = True

    def __init__(self, driver: str, *, native_bit: bool = True) -> None:
        """`native_bit`: the driver gives BIT as an int (our connections), or as bytes (a host's)."""
        super().__init__()
        self.driver = driver
        self.supports_native_bit = native_bit
        self.server_version_info = ()

    def learn(self, version: tuple[int, ...], is_mariadb: bool) -> None:
        """Know the server: which statements it takes, as SQLAlchemy learns it when it connects by itself."""
        self._set_mariadb(is_mariadb, version)
        self.server_version_info = version
        self.__dict__.pop("_type_memos", None)  # types that were looked up before the server was known
        for flag, (mysql, mariadb) in _FEATURES.items():
            since = mariadb if is_mariadb else mysql
            with contextlib.suppress(AttributeError):  # SQLAlchemy 2.0 derives some from the version by itself
                setattr(self, flag, since is not None and version >= since)
