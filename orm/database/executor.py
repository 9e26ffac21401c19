"""Every way to run a statement, the same on a database, a connection and a transaction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Coroutine, Iterable, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from orm.database.interfaces import Arguments, Connection, Operation, Outcome, StatementInfo, Table
from orm.database.interfaces import Row as RawRow
from orm.database.rows import Result, Row
from orm.database.statements import Bound, Query, Statement, Statements, Values
from orm.database.timeouts import Seconds, checked

T = TypeVar("T")
Work = Coroutine[Any, Any, T]

CHUNK_SIZE = 1000
"""How many rows an iteration reads at once, unless told otherwise."""


def fetch(connection: Connection, sql: str, arguments: Any) -> Work[Sequence[RawRow]]:
    """The operation that gives rows."""
    return connection.fetch(sql, arguments)


def run(connection: Connection, sql: str, arguments: Any) -> Work[Outcome]:
    """The operation that writes."""
    return connection.run(sql, arguments)


def run_many(connection: Connection, sql: str, arguments: Any) -> Work[int]:
    """The operation that writes once for each set of arguments."""
    return connection.run_many(sql, arguments)


def table(connection: Connection, sql: str, arguments: Any) -> Work[Table]:
    """The operation that gives rows and the names of their columns."""
    return connection.table(sql, arguments)


def touching_run(connection: Connection, sql: str, arguments: Any) -> Work[Outcome]:
    """`run` for a statement that may change the session."""
    connection.touched = True
    return connection.run(sql, arguments)


def touching_table(connection: Connection, sql: str, arguments: Any) -> Work[Table]:
    """`table` for a statement that may change the session."""
    connection.touched = True
    return connection.table(sql, arguments)


def limited(operation: Operation[T], timeout: Seconds) -> Operation[T]:
    """The operation, stopped when it takes longer. Raises `InterfaceError` for what is no number of seconds."""
    seconds = checked(timeout)
    if seconds is None:
        return operation
    return lambda connection, sql, arguments: connection.limited(operation, sql, arguments, seconds)


class Executor(ABC):
    """Runs statements on whatever connection is the right one; that is all that its subclasses decide."""

    _statements: Statements

    @abstractmethod
    def perform(
        self, operation: Operation[T], sql: str, arguments: Any, write: bool, info: StatementInfo | None
    ) -> Work[T]:
        """Run one operation on the right connection, under the rules of the transaction it may be in."""

    @abstractmethod
    def tables(
        self, sql: str, arguments: Any, chunk_size: int, write: bool, info: StatementInfo | None, timeout: Seconds
    ) -> AsyncGenerator[Table]:
        """Read a result in pieces from the right connection; `timeout` bounds each."""

    # SQL that is compiled already, with values in the driver's form. These are no coroutine functions, so that a
    # statement is one coroutine only. `timeout` is how many seconds the statement may take: see `fetch_all`.

    def fetch(
        self,
        sql: str,
        arguments: Arguments = (),
        *,
        write: bool = False,
        info: StatementInfo | None = None,
        timeout: Seconds = None,
    ) -> Work[Sequence[RawRow]]:
        """Run SQL of the driver's dialect and give the driver's rows."""
        operation = fetch if timeout is None else limited(fetch, timeout)
        return self.perform(operation, sql, arguments, write, info)

    def run(
        self,
        sql: str,
        arguments: Arguments = (),
        *,
        write: bool = True,
        info: StatementInfo | None = None,
        timeout: Seconds = None,
    ) -> Work[Outcome]:
        """Run SQL of the driver's dialect that writes and say what it did."""
        operation = run if timeout is None else limited(run, timeout)
        return self.perform(operation, sql, arguments, write, info)

    def run_many(self, sql: str, arguments: Sequence[Arguments], *, info: StatementInfo | None = None) -> Work[int]:
        """Run SQL of the driver's dialect once for each set of arguments, all or none; gives the number of rows."""
        return self.perform(run_many, sql, arguments, True, info)

    async def stream(
        self,
        sql: str,
        arguments: Arguments = (),
        *,
        chunk_size: int = CHUNK_SIZE,
        write: bool = False,
        info: StatementInfo | None = None,
        timeout: Seconds = None,
    ) -> AsyncGenerator[Sequence[RawRow]]:
        """Run SQL of the driver's dialect and give its rows in pieces of at most `chunk_size`."""
        async with aclosing(self.tables(sql, arguments, chunk_size, write, info, timeout)) as pieces:
            async for piece in pieces:
                yield piece.rows

    # What people write: Core statements, or text with :name parameters.

    async def fetch_all(self, query: Query, values: Values | None = None, *, timeout: Seconds = None) -> list[Row]:
        """Run a query and give all of its rows.

        Args:
            query: a Core statement, or SQL as text with parameters written `:name`.
            values: the parameters' values by name.
            timeout: how many seconds it may take; the server is told to stop it then.

        Raises:
            DatabaseError: the database refuses it; one of the subclasses says why.
            QueryTimeout: it took longer than `timeout`.
            InterfaceError: the values are not the ones that the query needs.
        """
        bound = self._statements.bind(query, values)
        return bound.statement.rows(await self._table(bound, timeout))

    async def fetch_one(self, query: Query, values: Values | None = None, *, timeout: Seconds = None) -> Row | None:
        """Run a query and give its first row, or `None`. The others are read, too: add a LIMIT."""
        rows = await self.fetch_all(query, values, timeout=timeout)
        return rows[0] if rows else None

    async def fetch_val(
        self, query: Query, values: Values | None = None, column: int | str = 0, *, timeout: Seconds = None
    ) -> Any:
        """Run a query and give one value of its first row, or `None` when there is no row."""
        row = await self.fetch_one(query, values, timeout=timeout)
        return None if row is None else row[column]

    async def execute(self, query: Query, values: Values | None = None, *, timeout: Seconds = None) -> Result:
        """Run any statement, DDL too, and say what it did."""
        bound = self._statements.bind(query, values)
        statement = bound.statement
        if statement.gives_rows and not statement.columns:
            rows = statement.rows(await self._table(bound, timeout))
            return Result(len(rows), None, rows)
        operation = limited(touching_run if statement.touches else run, timeout)
        outcome = await self.perform(operation, bound.sql, bound.arguments, statement.write, statement)
        if statement.temporary is not None:
            self._statements.remember_temporary(statement.temporary)
        return _result(statement, outcome)

    async def execute_many(self, query: Query, values: Iterable[Values]) -> int:
        """Run a statement once for each set of values, all or none; gives the number of rows."""
        bound = self._statements.bind_many(query, values)
        if not bound.arguments:
            return 0
        return await self.perform(run_many, bound.sql, bound.arguments, True, bound.statement)

    async def iterate(
        self,
        query: Query,
        values: Values | None = None,
        *,
        chunk_size: int = CHUNK_SIZE,
        timeout: Seconds = None,
    ) -> AsyncGenerator[Row]:
        """Run a query and give its rows one by one, reading `chunk_size` at a time, each time within `timeout`.

        It keeps a connection until its end. Other statements may be run between the rows.
        """
        bound = self._statements.bind(query, values)
        statement = bound.statement
        tables = self.tables(bound.sql, bound.arguments, chunk_size, statement.write, statement, timeout)
        async with aclosing(tables) as pieces:
            async for piece in pieces:
                for row in statement.rows(piece):
                    yield row

    def _table(self, bound: Bound, timeout: Seconds) -> Work[Table]:
        operation = limited(touching_table if bound.statement.touches else table, timeout)
        return self.perform(operation, bound.sql, bound.arguments, bound.statement.write, bound.statement)


def _result(statement: Statement, outcome: Outcome) -> Result:
    if statement.hidden_key:
        key = outcome.rows[0][0] if len(outcome.rows) == 1 else None
        return Result(outcome.rowcount, key if isinstance(key, int) else None)
    rows = statement.rows(Table(statement.known_names(), outcome.rows)) if statement.columns else ()
    single = statement.inserts and outcome.rowcount == 1
    return Result(outcome.rowcount, (outcome.lastrowid or None) if single else None, rows)
