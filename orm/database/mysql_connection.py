"""A session of MySQL or MariaDB, as far as its two drivers agree: both grew from one client library."""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from orm.database.interfaces import Arguments, BeginOptions, Capabilities, Connection, Operation, Outcome, Row, Table
from orm.database.mysql_errors import is_lost, translate
from orm.database.mysql_literals import format_statement
from orm.database.servers import CLOSE_TIMEOUT, isolation_level, keep_alive, shut
from orm.database.timeouts import SPARE_SECONDS, bounded, too_long
from orm.exceptions import (
    ConnectionLost,
    DatabaseError,
    DataError,
    NotSupportedError,
    QueryTimeout,
    TransactionError,
)

T = TypeVar("T")

CAPABILITIES = Capabilities(
    returning=False,  # MariaDB has it for INSERT and DELETE, MySQL not at all
    arrays=False,
    isolation_levels=frozenset({"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}),
    read_only=True,
    deferrable=False,
    row_locks=True,
    server_cursors=True,
    interrupts=True,
    transactional_ddl=False,
    max_parameters=None,  # values are written into the statement
    max_statement_bytes=1 << 20,  # until a server has told its max_allowed_packet
    interleaving=False,  # a second statement would discard the rest of a stream
)

IN_TRANSACTION = 1
"""SERVER_STATUS_IN_TRANS of the protocol."""
FOUND_ROWS = 2
"""CLIENT_FOUND_ROWS: an UPDATE counts the rows it matched, not those it changed."""
MULTI_STATEMENTS = 1 << 16
"""CLIENT_MULTI_STATEMENTS: both drivers ask for it; without it a second statement cannot be smuggled in."""

SESSION = (
    "autocommit=1, time_zone='+00:00', sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', "
    "group_concat_max_len=1073741824"
)
"""What a session of ours is set to: text in it is escaped by the sql_mode, instants are UTC, and joined texts are cut
at the longest packet there is, not after 1,024 bytes."""

_BATCH_BYTES = 4 << 20
_MARGIN = 1024
_INSERT_VALUES = re.compile(
    r"(?P<head>\s*(?:INSERT|REPLACE)\b.*?\bVALUES\s*)"
    r"(?P<row>\(\s*%s(?:\s*,\s*%s)*\s*\))"
    r"(?P<tail>\s*(?:ON\s+DUPLICATE\s(?:(?!%s).)*)?)",
    re.IGNORECASE | re.DOTALL,
)
_MATCHED = re.compile(rb"\D*(\d+)")

_SELECT = re.compile(r"(?P<before>(?:\s|/\*.*?\*/)*SELECT)\b", re.IGNORECASE | re.DOTALL)
_LONGEST_MARIADB_TIMEOUT = 365 * 24 * 60 * 60
"""The greatest max_statement_time, in seconds."""
_LONGEST_MYSQL_TIMEOUT = 2**32 - 1
"""The greatest MAX_EXECUTION_TIME, in milliseconds."""

Kill = Callable[[int], Awaitable[None]]


class MySQLConnection(Connection):
    """One session; statements are formatted here, sent as text and answered as text.

    Attributes:
        session_id: the server's number for the session: what KILL takes.
        server_version: what the server says of itself, such as `8.4.2` or `10.11.6-MariaDB`.
    """

    __slots__ = ("_counts_changes", "_kill", "_max_packet", "_raw", "server_version", "session_id")

    def __init__(self, raw: Any, kill: Kill | None = None) -> None:
        """Wrap a driver's connection; without `kill` a statement in flight is left to end by itself."""
        super().__init__()
        self._raw = raw
        self._kill = kill
        self._max_packet = CAPABILITIES.max_statement_bytes or 0
        self._counts_changes = not self._client_flags() & FOUND_ROWS
        self.session_id = 0
        self.server_version = ""

    @property
    def raw(self) -> Any:
        """The driver's connection."""
        return self._raw

    @property
    def max_packet(self) -> int:
        """The server's max_allowed_packet, in bytes."""
        return self._max_packet

    @abstractmethod
    def _client_flags(self) -> int:
        """The capabilities that the driver asked the server for."""

    @abstractmethod
    def _transport(self) -> Any:
        """The transport, or `None` when it is closed."""

    @abstractmethod
    def _drop(self) -> None:
        """Make a connection whose socket is gone forget it, so that it does not complain when it is collected."""

    @abstractmethod
    async def _open_stream(self, text: str) -> Any:
        """Send a statement and read no rows yet; the result has a `description`."""

    @abstractmethod
    async def _read(self, result: Any, count: int) -> Sequence[Row]:
        """The next rows of such a result; fewer than `count` only at its end."""

    async def prepare(self, *, read_only: bool = False) -> None:
        """Set the session as we need it and learn who it is."""
        transport = self._transport()
        if transport is not None:
            keep_alive(transport)
        await self.command(f"SET {SESSION}")
        if read_only:
            await self.command("SET SESSION TRANSACTION READ ONLY")
        rows = await self.fetch("SELECT CONNECTION_ID(), VERSION(), @@max_allowed_packet", ())
        self.session_id, self.server_version, self._max_packet = rows[0]

    def in_transaction(self) -> bool:
        """Whether the server said with its last answer that a transaction is open."""
        return bool(self._raw.server_status & IN_TRANSACTION) and not self.closed()

    def abort(self) -> None:
        """Close the socket at once, whatever is still to be written."""
        transport = self._transport()
        if transport is not None:
            transport.abort()
        self._raw.close()

    def shut(self) -> None:
        """Close the socket of a connection whose event loop is gone."""
        shut(self._transport())
        self._drop()

    async def close(self) -> None:
        """Say goodbye to the server and close; one that does not answer in a second is left alone."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._raw.ensure_closed()
        except Exception:  # whatever it is, the connection was to go
            self.abort()

    async def fetch(self, sql: str, arguments: Arguments) -> Sequence[Row]:
        """Run a statement and give its rows; of several results the first."""
        # `_query` written out: the hot path has one coroutine less.
        text = self._format(sql, arguments)
        raw = self._raw
        self.busy = True
        try:
            await raw.query(text)
            result = raw._result
            if result.has_next:
                await self._skip_results()
        except Exception as error:
            raise await self._failure(error) from error
        self.busy = False
        rows: Sequence[Row] = result.rows or ()
        return rows

    async def run(self, sql: str, arguments: Arguments) -> Outcome:
        """Run a statement that writes.

        `rowcount` is the server's: an INSERT … ON DUPLICATE KEY UPDATE counts 1 for a new row and 2 for a changed one.
        """
        result = await self._query(self._format(sql, arguments))
        return Outcome(result.rows or (), self._row_count(result), result.insert_id or None)

    def _row_count(self, result: Any) -> int:
        if self._counts_changes and result.message:  # "Rows matched: 3  Changed: 1  Warnings: 0"
            matched = _MATCHED.match(result.message)
            if matched is not None:
                return int(matched[1])
        return int(result.affected_rows)

    async def run_many(self, sql: str, arguments: Sequence[Arguments]) -> int:
        """Run a statement once for each set of arguments, all or none; gives the number of rows.

        Rows of a plain INSERT … VALUES go together in statements of up to four megabytes.
        """
        statements = list(self._statements(sql, arguments))
        own = len(statements) > 1 and not self.in_transaction()
        if own:
            await self.begin(BeginOptions())
        count = 0
        try:
            for text in statements:
                count += self._row_count(await self._query(text))
        except Exception:
            if own and not self.busy and self.in_transaction():
                await self.rollback()
            raise
        if own:
            await self.commit()
        return count

    def _statements(self, sql: str, arguments: Sequence[Arguments]) -> list[str]:
        """The statements to send for many sets of arguments: as few as the server's packets allow."""
        parts = _INSERT_VALUES.fullmatch(sql)
        if parts is None:
            return [self._format(sql, one) for one in arguments]
        head, tail = format_statement(parts["head"], ()), format_statement(parts["tail"], ())
        limit = min(self._max_packet, _BATCH_BYTES) - len(head.encode()) - len(tail.encode()) - _MARGIN
        statements: list[str] = []
        rows: list[str] = []
        size = 0
        for one in arguments:
            row = format_statement(parts["row"], one)
            length = len(row) if row.isascii() else len(row.encode("utf-8", "surrogateescape"))
            if rows and size + length > limit:
                statements.append(head + ",".join(rows) + tail)
                rows = []
                size = 0
            rows.append(row)
            size += length + 1
        if rows:
            statements.append(head + ",".join(rows) + tail)
        return statements

    async def table(self, sql: str, arguments: Arguments) -> Table:
        """Run a statement and give the names of its columns beside the rows."""
        result = await self._query(self._format(sql, arguments))
        return Table(_names(result), result.rows or ())

    async def command(self, sql: str) -> str:
        """Run a statement as it is, without formatting; gives an empty string, for there are no tags."""
        await self._query(sql)
        return ""

    async def _query(self, text: str) -> Any:
        """Send a statement and give the driver's result; of several the first."""
        raw = self._raw
        self.busy = True
        try:
            await raw.query(text)
            result = raw._result
            if result.has_next:
                await self._skip_results()
        except Exception as error:
            raise await self._failure(error) from error
        self.busy = False
        return result

    async def _skip_results(self) -> None:
        """Read what comes after the first result of a CALL; an error in it is the statement's."""
        while self._raw._result.has_next:
            await self._raw.next_result()

    async def stream(self, sql: str, arguments: Arguments, chunk_size: int) -> AsyncIterator[Table]:
        """Give the rows in pieces as the server sends them; in a block they are read completely first.

        A second statement on a connection with an unread result would discard that result: hence the buffer.
        Closed early, the iterator leaves the connection `busy`: only killing the session stops the server.
        """
        text = self._format(sql, arguments)
        if self.in_transaction():
            whole = await self._query(text)
            rows = whole.rows or ()
            for start in range(0, len(rows), chunk_size):
                yield Table(_names(whole), rows[start : start + chunk_size])
            return
        self.busy = True
        try:
            result = await self._open_stream(text)
        except Exception as error:
            raise await self._failure(error) from error
        while piece := await self._piece(result, chunk_size):
            yield Table(_names(result), piece)
            if not self.busy:
                return

    async def _piece(self, result: Any, count: int) -> Sequence[Row]:
        """The next rows; at the end of the result `busy` is cleared."""
        try:
            rows = await self._read(result, count) if result.description else ()
            if len(rows) < count:
                await self._skip_results()
                self.busy = False
        except Exception as error:
            raise await self._failure(error) from error
        return rows

    async def limited(self, operation: Operation[T], sql: str, arguments: Any, seconds: float) -> T:
        """Run one operation, which is stopped when it takes longer. Raises `QueryTimeout`.

        MariaDB stops any statement, MySQL a SELECT, and the session goes on. Other statements of MySQL's are cut off.
        """
        bounded_sql = within(sql, seconds, is_mariadb="mariadb" in self.server_version.lower())
        if bounded_sql is None:
            return await super().limited(operation, sql, arguments, seconds)
        try:
            return await bounded(operation(self, bounded_sql, arguments), seconds + SPARE_SECONDS)
        except QueryTimeout as error:
            raise too_long(seconds) from error

    async def begin(self, options: BeginOptions) -> None:
        """Begin a transaction. Raises `NotSupportedError` for an unknown isolation level and for `deferrable`."""
        level = isolation_level(options, CAPABILITIES, "MySQL")
        if options.deferrable:
            raise NotSupportedError("MySQL has no deferrable transactions; only PostgreSQL has.")
        touched = self.touched
        if level is not None:
            self.touched = True  # the level would wait for somebody else's transaction if we were stopped in between
            await self.command(f"SET TRANSACTION ISOLATION LEVEL {level}")
        await self.command("START TRANSACTION READ ONLY" if options.read_only else "START TRANSACTION")
        self.touched = touched

    async def commit(self) -> None:
        """Commit. Raises `TransactionError` when the server says that the transaction is still open."""
        await self.command("COMMIT")
        if self.in_transaction():
            raise TransactionError("The server answered COMMIT, but the transaction is still open.")

    async def rollback(self) -> None:
        """Roll the open transaction back."""
        await self.command("ROLLBACK")

    async def interrupt(self) -> bool:
        """Close the socket, which the drivers have out of step anyway, and kill the session on the server."""
        self.abort()
        kill, self._kill = self._kill, None  # once is enough
        if kill is not None:
            await kill(self.session_id)
        return False

    async def reset(self) -> bool:
        """Not possible: the drivers cannot send COM_RESET_CONNECTION, so the connection is closed."""
        return False

    def _format(self, sql: str, arguments: Arguments) -> str:
        text = format_statement(sql, arguments)
        if len(text) >= self._max_packet:
            raise DataError(
                f"The statement has {len(text):,} characters, and the server takes {self._max_packet:,} bytes. "
                "Send less at once, or raise the server's max_allowed_packet."
            )
        return text

    async def _failure(self, error: Exception) -> Exception:
        """Our form of a driver's error; clears `busy` where the session is known to be in step."""
        if isinstance(error, UnicodeEncodeError):  # lone surrogates in SQL: nothing was sent
            self.busy = False
            return DataError(str(error))
        ours = type(error).__module__.partition(".")[0] in {"pymysql", "aiomysql", "asyncmy"}
        if ours and not is_lost(error) and not self.closed():
            return await self._answered(error)
        if ours or isinstance(error, OSError | EOFError | asyncio.IncompleteReadError) or self.closed():
            with contextlib.suppress(Exception):  # nothing here may hide what happened
                self.abort()
            return ConnectionLost(f"The connection to MySQL was lost: {error or type(error).__name__}")
        # A value that the driver could not read: the rest of the answer is still to come, so `busy` stays.
        return DataError(f"The answer could not be read: {error}") if isinstance(error, ValueError) else error

    async def _answered(self, error: Exception) -> Exception:
        """Our form of the server's error, with the truth about the transaction.

        An error packet, unlike others, does not tell whether a transaction is open; yet a deadlock ends it, and DDL
        has committed it before it fails. So the server is asked, with its cheapest command.
        """
        failure = translate(error)
        if self.in_transaction():
            try:
                await self._raw.ping(reconnect=False)
            except Exception as lost:
                self.abort()
                return ConnectionLost(f"The connection to MySQL was lost after an error: {error} ({lost})")
            if isinstance(failure, DatabaseError):
                failure.ends_transaction = not self.in_transaction()
        self.busy = False
        return failure


def within(sql: str, seconds: float, *, is_mariadb: bool) -> str | None:
    """A statement that the server stops when it takes longer; `None` for one that it would not."""
    if is_mariadb:
        seconds = min(max(seconds, 1e-6), _LONGEST_MARIADB_TIMEOUT)  # 0 would be no limit at all
        return f"SET STATEMENT max_statement_time={seconds:.6f} FOR {sql}"
    select = _SELECT.match(sql)
    if select is None:
        return None
    milliseconds = min(math.ceil(seconds * 1000), _LONGEST_MYSQL_TIMEOUT)
    return f"{select['before']} /*+ MAX_EXECUTION_TIME({milliseconds}) */{sql[select.end() :]}"


def _names(result: Any) -> tuple[str, ...]:
    return tuple(column[0] for column in result.description or ())
