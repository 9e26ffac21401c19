"""MySQL and MariaDB through asyncmy; its own pool is not used."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, Self

from orm.database.interfaces import Row
from orm.database.mysql_connection import FOUND_ROWS, MULTI_STATEMENTS, Kill, MySQLConnection
from orm.database.url import DatabaseURL, Options

_BIT = 16
"""FIELD_TYPE.BIT of the protocol."""


class AsyncmyConnection(MySQLConnection):
    """One session through asyncmy."""

    __slots__ = ()

    @classmethod
    async def open(cls, url: DatabaseURL, options: Options, password: str, kill: Kill) -> Self:
        """Connect, without any setting. Raises the driver's own errors."""
        connection: Any = importlib.import_module("asyncmy.connection")
        converters: Any = importlib.import_module("asyncmy.converters")
        raw = connection.Connection(
            host=url.host or "localhost",
            port=url.port or 3306,
            unix_socket=url.socket,
            user=url.username,
            password=password,
            database=url.database,
            charset="utf8mb4",
            autocommit=None,
            client_flag=FOUND_ROWS,
            conv={**converters.conversions, _BIT: _bits},
            ssl=options.ssl or None,
            connect_timeout=options.connect_timeout,
        )
        raw._client_flag &= ~MULTI_STATEMENTS
        await raw.connect()
        return cls(raw, kill)

    def closed(self) -> bool:
        """Whether the socket is gone, or has said so."""
        raw = self._raw
        return not raw._connected or raw._stream_broken

    def _client_flags(self) -> int:
        return int(self._raw._client_flag)

    def _transport(self) -> Any:
        return self._raw._transport

    def _drop(self) -> None:
        self._raw._transport = None
        self._raw._connected = False

    async def _open_stream(self, text: str) -> Any:
        cursors: Any = importlib.import_module("asyncmy.cursors")
        cursor = self._raw.cursor(cursors.SSCursor)
        await cursor.execute(text)
        return cursor

    async def _read(self, result: Any, count: int) -> Sequence[Row]:
        rows: Sequence[Row] = await result.fetchmany(count)
        return rows


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")
