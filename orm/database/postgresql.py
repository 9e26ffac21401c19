"""PostgreSQL through asyncpg: one class for the server, one for a session. The driver's own pool is not used."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import math
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from orm.database.interfaces import (
    Arguments,
    BeginOptions,
    Capabilities,
    Connection,
    Operation,
    Outcome,
    Row,
    Source,
    Table,
)
from orm.database.postgresql_dialect import PostgreSQLDialect
from orm.database.postgresql_errors import ends_session, is_outdated, translate
from orm.database.servers import CLOSE_TIMEOUT, isolation_level, keep_alive, shut, unreachable
from orm.database.timeouts import SPARE_SECONDS, bounded, too_long
from orm.database.url import DatabaseURL, Options
from orm.exceptions import (
    ConnectionLost,
    DataError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    QueryTimeout,
    TransactionError,
)

asyncpg: Any = importlib.import_module("asyncpg")  # it has no types

T = TypeVar("T")

CAPABILITIES = Capabilities(
    returning=True,
    arrays=True,
    isolation_levels=frozenset({"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"}),
    read_only=True,
    deferrable=True,
    row_locks=True,
    server_cursors=True,
    interrupts=True,
    transactional_ddl=True,
    max_parameters=32767,  # asyncpg's limit; the protocol's is twice that
)

_READ_ONLY = BeginOptions(read_only=True)

# An INSERT that adds exactly one row for each set of arguments: its count is known without asking the server.
_ONE_ROW_INSERT = re.compile(
    r"\s*INSERT\b(?!.*(?:\bON\s+CONFLICT\b|\bSELECT\b|\)\s*,\s*\())", re.IGNORECASE | re.DOTALL
)

_RESET = "SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; DISCARD TEMP; DISCARD SEQUENCES"
"""What asyncpg's own reset leaves behind: it closes cursors, unlistens, frees advisory locks and resets settings."""


_SET_TIMEOUT = "SELECT current_setting('statement_timeout'), set_config('statement_timeout', $1, true)"
_LONGEST_TIMEOUT = 2**31 - 1


class PostgreSQLConnection(Connection):
    """One session of a PostgreSQL server."""

    __slots__ = ("_is_connected", "_is_in_transaction", "_pgbouncer", "_raw")

    def __init__(self, raw: Any, *, pgbouncer: bool = False) -> None:
        super().__init__()
        self._raw = raw
        self._pgbouncer = pgbouncer
        # The protocol's own flags: asked after every statement, and its methods survive the end of the connection.
        self._is_connected = raw._protocol.is_connected
        self._is_in_transaction = raw._protocol.is_in_transaction

    @property
    def raw(self) -> Any:
        """The `asyncpg.Connection`."""
        return self._raw

    def closed(self) -> bool:
        """Whether the socket is gone."""
        return not self._is_connected()

    def in_transaction(self) -> bool:
        """Whether the server said with its last answer that a transaction is open."""
        return bool(self._is_connected() and self._is_in_transaction())

    def clean(self) -> bool:
        """Whether the next user may have it as it is."""
        return not (self.busy or self.touched or not self._is_connected() or self._is_in_transaction())

    def abort(self) -> None:
        """Close the socket at once."""
        with contextlib.suppress(asyncpg.InterfaceError):  # a host's, which its pool has taken back
            self._raw.terminate()

    def shut(self) -> None:
        """Close the socket of a connection whose event loop is gone."""
        transport, self._raw._transport = self._raw._transport, None
        shut(transport)
        self._raw._protocol, self._raw._aborted = None, True  # or it would complain when it is collected
        self._is_connected = self._is_in_transaction = _no

    async def close(self) -> None:
        """Say goodbye to the server and close; a server that does not answer in a second is left alone."""
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await self._raw.close(timeout=CLOSE_TIMEOUT)

    async def fetch(self, sql: str, arguments: Arguments) -> Sequence[Row]:
        """Run a statement and give its rows."""
        self.busy = True
        try:
            rows: Sequence[Row] = await self._raw.fetch(sql, *arguments)
        except Exception as error:
            if not self._is_outdated(error):
                raise self._failure(error) from error
            rows = await self._again(lambda: self._raw.fetch(sql, *arguments))
        self.busy = False
        return rows

    async def run(self, sql: str, arguments: Arguments) -> Outcome:
        """Run a statement that writes; `rowcount` is what the server's command tag says, 0 for DDL."""
        self.busy = True
        try:
            # The public methods give either the rows or the tag.
            rows, tag, _ = await self._raw._execute(sql, arguments, 0, None, return_status=True)
        except Exception as error:
            if not self._is_outdated(error):
                raise self._failure(error) from error
            rows, tag, _ = await self._again(lambda: self._raw._execute(sql, arguments, 0, None, return_status=True))
        self.busy = False
        return Outcome(rows, _row_count(tag))

    def _is_outdated(self, error: Exception) -> bool:
        """Whether the statement can be sent again under a new plan: the server has done nothing, and lost nothing."""
        return is_outdated(error) and not self._is_in_transaction()

    async def _again(self, send: Callable[[], Awaitable[Any]]) -> Any:
        """Send a statement once more, prepared anew."""
        self._raw._drop_local_statement_cache()
        try:
            return await send()
        except Exception as error:
            raise self._failure(error) from error

    async def run_many(self, sql: str, arguments: Sequence[Arguments]) -> int:
        """Run a statement once for each set of arguments, all or none; gives the number of rows.

        Plain INSERTs are sent in one go. asyncpg does not tell the counts of such a batch, so all others, whose count
        is not known beforehand, are sent one by one.
        """
        if not arguments:
            return 0
        if not _ONE_ROW_INSERT.match(sql):
            return await self._run_each(sql, arguments)
        self.busy = True
        try:
            await self._raw.executemany(sql, arguments)
        except Exception as error:
            raise self._failure(error) from error
        self.busy = False
        return len(arguments)

    async def _run_each(self, sql: str, arguments: Sequence[Arguments]) -> int:
        own = not self._is_in_transaction()
        if own:
            await self.begin(BeginOptions())
        count = 0
        try:
            for one in arguments:
                count += (await self.run(sql, one)).rowcount
        except Exception:
            await self._leave(own)
            raise
        if own:
            await self.commit()
        return count

    async def table(self, sql: str, arguments: Arguments) -> Table:
        """Run a statement and give the names of its columns beside the rows."""
        rows = await self.fetch(sql, arguments)
        if rows:
            first: Any = rows[0]
            return Table(tuple(first.keys()), rows)
        self.busy = True
        try:
            names = await self._names(sql)
        except Exception as error:
            raise self._failure(error) from error
        self.busy = False
        return Table(names, rows)

    async def command(self, sql: str) -> str:
        """Run a statement by the simple protocol and give its tag, such as `CREATE TABLE`."""
        self.busy = True
        try:
            tag = await self._raw.execute(sql)
        except Exception as error:
            raise self._failure(error) from error
        self.busy = False
        return str(tag)

    async def stream(self, sql: str, arguments: Arguments, chunk_size: int) -> AsyncIterator[Table]:
        """Give the rows in pieces from a server-side cursor; outside a block in a read-only transaction of its own."""
        own = not self._is_in_transaction()
        names, cursor = await self._open(sql, arguments, own)
        try:
            while rows := await self._read(cursor, chunk_size):
                yield Table(names, rows)
                if len(rows) < chunk_size:
                    break
            await self._end(cursor, own)
        except GeneratorExit:
            await self._end(cursor, own)
            raise
        except Exception:
            await self._leave(own)
            raise

    async def _open(self, sql: str, arguments: Arguments, own: bool) -> tuple[tuple[str, ...], Any]:
        """Open a cursor; a plan that DDL has made stale is prepared anew where no transaction would be lost."""
        try:
            return await self._open_once(sql, arguments, own)
        except Exception as error:
            if not own or not isinstance(error.__cause__, asyncpg.InvalidCachedStatementError):
                raise
        return await self._open_once(sql, arguments, own)

    async def _open_once(self, sql: str, arguments: Arguments, own: bool) -> tuple[tuple[str, ...], Any]:
        if own:
            await self.begin(_READ_ONLY)
        self.busy = True
        try:
            if self._pgbouncer:
                statement = await self._raw.prepare(sql, name="")  # a named one would stay with another's session
                names = _names(statement.get_attributes())
                cursor = await statement.cursor(*arguments)
            else:
                names = await self._names(sql)
                cursor = await self._raw.cursor(sql, *arguments)
        except Exception as error:
            failure = self._failure(error)
            await self._leave(own)
            raise failure from error
        self.busy = False
        return names, cursor

    async def _names(self, sql: str) -> tuple[str, ...]:
        """The names of a statement's columns: from the driver's cache, or the server where it is not in there."""
        statement = await self._raw._get_statement(sql, None)
        return _names(statement._get_attributes())

    async def _read(self, cursor: Any, count: int) -> Sequence[Row]:
        self.busy = True
        try:
            rows: Sequence[Row] = await cursor.fetch(count)
        except Exception as error:
            raise self._failure(error) from error
        self.busy = False
        return rows

    async def _end(self, cursor: Any, own: bool) -> None:
        """Close a cursor: with its transaction, or in a block by name: an open one would stop DDL on its tables."""
        if self.busy or not self.in_transaction():
            return  # in doubt, or the transaction took its cursors with it
        if own:
            await self.rollback()
            return
        self.busy = True
        try:
            await cursor._close_portal(None)
        except Exception as error:
            raise self._failure(error) from error
        self.busy = False

    async def _leave(self, own: bool) -> None:
        """Roll back a transaction of our own after an error, unless the session is in doubt."""
        if own and not self.busy and self.in_transaction():
            await self.rollback()

    async def limited(self, operation: Operation[T], sql: str, arguments: Any, seconds: float) -> T:
        """Run one operation, which is stopped when it takes longer. Raises `QueryTimeout`.

        Inside a transaction the server stops it, so that a savepoint can be gone back to. That takes two round trips
        more: `statement_timeout` is set before, and set back after.
        """
        if not self._is_in_transaction():
            return await super().limited(operation, sql, arguments, seconds)
        try:
            return await bounded(self._limited_by_server(operation, sql, arguments, seconds), seconds + SPARE_SECONDS)
        except QueryTimeout as error:
            raise too_long(seconds) from error

    async def _limited_by_server(self, operation: Operation[T], sql: str, arguments: Any, seconds: float) -> T:
        milliseconds = min(math.ceil(seconds * 1000), _LONGEST_TIMEOUT)
        ((before, _),) = await self.fetch(_SET_TIMEOUT, (str(milliseconds),))
        try:
            result = await operation(self, sql, arguments)
        except Exception as error:
            # After an error of the server's nothing can be set; the rollback that must follow sets it back, too.
            if not self.busy and not isinstance(error.__cause__, asyncpg.PostgresError):
                await self.fetch(_SET_TIMEOUT, (before,))
            raise
        await self.fetch(_SET_TIMEOUT, (before,))
        return result

    async def begin(self, options: BeginOptions) -> None:
        """Begin a transaction. Raises `NotSupportedError` for an unknown isolation level or an idle DEFERRABLE."""
        level = isolation_level(options, CAPABILITIES, "PostgreSQL")
        if options.deferrable and not (options.read_only and level == "SERIALIZABLE"):
            raise NotSupportedError(
                "A deferrable transaction must be read-only and serializable, or PostgreSQL ignores the word. "
                "Add isolation='SERIALIZABLE' and read_only=True."
            )
        await self.command(
            "BEGIN"
            + (f" ISOLATION LEVEL {level}" if level else "")
            + (" READ ONLY" if options.read_only else "")
            + (" DEFERRABLE" if options.deferrable else "")
        )

    async def commit(self) -> None:
        """Commit. Raises `TransactionError` when the server rolled back instead, as it does after an error."""
        if await self.command("COMMIT") != "COMMIT":
            raise TransactionError("The server answered COMMIT with ROLLBACK: nothing was committed.")

    async def rollback(self) -> None:
        """Roll the open transaction back."""
        await self.command("ROLLBACK")

    async def interrupt(self) -> bool:
        """Let the driver's cancel request reach the server, then close: what was answered in between is unknown."""
        await self.close()
        return False

    async def reset(self) -> bool:
        """Undo changes of session state; behind PgBouncer the session is not ours, so the connection is closed."""
        if self._pgbouncer:
            return False
        await self.command(_RESET)
        self.busy = True
        try:
            await self._raw.reset(timeout=CLOSE_TIMEOUT)
        except Exception as error:
            raise self._failure(error) from error
        self.busy = self.touched = False
        return True

    def _failure(self, error: Exception) -> Exception:
        """Our form of a driver's error; clears `busy` where the session is known to be in step."""
        if isinstance(error, UnicodeEncodeError):  # lone surrogates in SQL: nothing was sent, but asyncpg hangs up
            self.busy = False
            return DataError(str(error))
        if isinstance(error, asyncpg.PostgresError) and not self.closed() and not ends_session(error):
            self.busy = False
            stale = isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.InvalidSQLStatementNameError)
            if stale or is_outdated(error):
                # A plan that DDL has made stale, or statements that somebody deallocated: prepare them anew.
                self._raw._drop_local_statement_cache()
            return translate(error)
        if isinstance(error, asyncpg.OutdatedSchemaCacheError) and not self.closed():
            self.busy = False
            return OperationalError(
                f"The statement ran, but a type was changed and its answer is not readable: {error}"
            )
        if (
            isinstance(error, TimeoutError) and not self.closed()
        ):  # a host's command_timeout; the server is told to stop
            return QueryTimeout("The statement took longer than the connection's command_timeout.")
        lost = asyncpg.PostgresError, asyncpg.InternalClientError, OSError
        if self.closed() or isinstance(error, lost):
            self.abort()
            return ConnectionLost(f"The connection to PostgreSQL was lost: {error or type(error).__name__}")
        return self._refusal(error)

    def _refusal(self, error: Exception) -> Exception:
        """Our form of what asyncpg refuses by itself, before it sends anything or after it has read everything."""
        if isinstance(error, asyncpg.DataError):
            self.busy = False
            return DataError(str(error))
        if isinstance(error, asyncpg.InterfaceError):
            if str(error).startswith(("the server expects", "the number of query arguments")):
                self.busy = False
                return ProgrammingError(str(error))
            return InterfaceError(f"asyncpg refused: {error}")
        if isinstance(error, ValueError | TypeError | ArithmeticError):
            self.busy = False
            return DataError(str(error))
        return error


class PostgreSQLSource(Source):
    """A PostgreSQL server, reached with asyncpg."""

    capabilities = CAPABILITIES

    def __init__(self, url: DatabaseURL, options: Options) -> None:
        self.dialect = PostgreSQLDialect()
        self._url = url
        self._options = options

    @property
    def capacity(self) -> int | None:
        """No limit of its own."""
        return None

    async def connect(self, *, read_only: bool = False) -> PostgreSQLConnection:
        """A new session; a read-only one begins every transaction as such. Raises `ConnectionLost`."""
        url, options = self._url, self._options
        try:
            async with asyncio.timeout(options.connect_timeout):
                raw: Any = await asyncpg.connect(
                    host=url.socket or url.host,
                    port=url.port,
                    user=url.username,
                    password=url.password,
                    database=url.database,
                    ssl=options.ssl,
                    statement_cache_size=0 if options.pgbouncer else options.statement_cache,
                    max_cached_statement_lifetime=0,  # a plan does not age, and a timer for each costs
                    timeout=options.connect_timeout,
                    server_settings={"default_transaction_read_only": "on"} if read_only else None,
                )
        except (
            OSError,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            asyncpg.InternalClientError,
            ValueError,
        ) as error:
            raise unreachable(url, "PostgreSQL", error, _cure(error)) from error
        keep_alive(raw._transport)
        version = raw.get_server_version()
        self.dialect.server_version_info = (version.major, version.minor)
        return PostgreSQLConnection(raw, pgbouncer=options.pgbouncer)


def _no() -> bool:
    return False


def _names(attributes: Any) -> tuple[str, ...]:
    return tuple(attribute.name for attribute in attributes or ())


def _row_count(tag: bytes) -> int:
    """The number at the end of a tag such as `INSERT 0 3` or `UPDATE 2`; 0 for one without."""
    count = tag.rpartition(b" ")[2]
    return int(count) if count.isdigit() else 0


def _cure(error: Exception) -> str:
    """What the user can do about a connection that was refused."""
    state = str(getattr(error, "sqlstate", None) or "")
    if state.startswith("28"):
        return "Check the user's name and password, and the server's pg_hba.conf."
    if state == "3D000":
        return "Create the database, or name another in the URL."
    if state.startswith("53"):
        return "Lower max_size, or raise the server's max_connections."
    if isinstance(error, OSError):
        return "Check that the server is running and can be reached at this host and port."
    return "Check the URL and the server's log."
