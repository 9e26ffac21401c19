"""MySQL and MariaDB through aiomysql; its own pool is not used."""

from __future__ import annotations

import importlib
import ssl
from collections.abc import Sequence
from typing import Any, Self

from orm.database.interfaces import Row
from orm.database.mysql_connection import FOUND_ROWS, MULTI_STATEMENTS, Kill, MySQLConnection
from orm.database.url import DatabaseURL, Options
from orm.exceptions import ConnectionLost

_BIT = 16
"""FIELD_TYPE.BIT of the protocol."""


class AiomysqlConnection(MySQLConnection):
    """One session through aiomysql."""

    __slots__ = ()

    @classmethod
    async def open(cls, url: DatabaseURL, options: Options, password: str, kill: Kill) -> Self:
        """Connect, without any setting. Raises the driver's own errors."""
        aiomysql: Any = importlib.import_module("aiomysql")
        converters: Any = importlib.import_module("pymysql.converters")
        raw = aiomysql.Connection(
            host=url.host or "localhost",
            port=url.port or 3306,
            unix_socket=url.socket,
            user=url.username,
            password=password,
            db=url.database,
            charset="utf8mb4",
            autocommit=None,
            client_flag=FOUND_ROWS,
            conv={**converters.decoders, _BIT: _bits},
            ssl=options.ssl or None,
        )
        raw.client_flag &= ~MULTI_STATEMENTS
        try:
            await raw._connect()
            if isinstance(options.ssl, ssl.SSLContext) and not raw._secure:
                raise ConnectionLost("the server has no TLS, which the options ask for")  # aiomysql goes on without
        except BaseException:  # aiomysql closes on Exception only, not when it is cancelled
            raw.close()
            raise
        return cls(raw, kill)

    def closed(self) -> bool:
        """Whether the socket is gone, or has said so."""
        raw = self._raw
        return raw._writer is None or raw._reader.at_eof() or raw._reader.exception() is not None

    def _client_flags(self) -> int:
        return int(self._raw.client_flag)

    def _transport(self) -> Any:
        writer = self._raw._writer
        return None if writer is None else writer.transport

    def _drop(self) -> None:
        self._raw._writer = self._raw._reader = None

    async def _open_stream(self, text: str) -> Any:
        await self._raw.query(text, unbuffered=True)
        return self._raw._result

    async def _read(self, result: Any, count: int) -> Sequence[Row]:
        rows: list[Row] = []
        while len(rows) < count:
            row = await result._read_rowdata_packet_unbuffered()
            if row is None:
                break
            rows.append(row)
        return rows


def _bits(value: bytes) -> int:
    return int.from_bytes(value, "big")
