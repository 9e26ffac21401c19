"""Errors are ours and the same on every driver; the driver's own is the cause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from orm.database import Database
from orm.database.interfaces import BeginOptions, Connection
from orm.exceptions import (
    CheckViolation,
    ConnectionLost,
    DatabaseError,
    DataError,
    DeadlockDetected,
    ForeignKeyViolation,
    IntegrityError,
    LockTimeout,
    NotNullViolation,
    NotSupportedError,
    ProgrammingError,
    QueryTimeout,
    SerializationFailure,
    TransactionError,
    UniqueViolation,
)
from tests.database.sources import connected, make_source, marks

TABLES = (
    "CREATE TABLE error_author (id int PRIMARY KEY, first varchar(9), last varchar(9), UNIQUE (first, last))",
    "CREATE TABLE error_book (id int PRIMARY KEY, author_id int NOT NULL, pages int, title varchar(3),"
    " CONSTRAINT book_author FOREIGN KEY (author_id) REFERENCES error_author (id),"
    " CONSTRAINT book_pages CHECK (pages > 0))",
    "INSERT INTO error_author VALUES (1, 'Jane', 'Austen')",
    "INSERT INTO error_book VALUES (1, 1, 300, 'P&P')",
)


@pytest_asyncio.fixture
async def connection(url: str) -> AsyncIterator[Connection]:
    async with connected(url) as connection:
        for table in ("error_book", "error_author"):
            await connection.command(f"DROP TABLE IF EXISTS {table}")
        for statement in TABLES:
            await connection.command(statement)
        yield connection
        if connection.in_transaction():
            await connection.rollback()


async def failure(connection: Connection, sql: str, *arguments: Any) -> DatabaseError:
    """The error of a statement; afterwards the connection must be as good as before."""
    with pytest.raises(DatabaseError) as caught:
        await connection.fetch(sql, arguments)
    assert not connection.busy
    assert caught.value.__cause__ is not None
    if not connection.in_transaction():
        assert [tuple(row) for row in await connection.fetch("SELECT 1", ())] == [(1,)]
    return caught.value


async def violation(connection: Connection, sql: str, kind: type[IntegrityError]) -> IntegrityError:
    error = await failure(connection, sql)
    assert type(error) is kind
    assert isinstance(error, IntegrityError)
    return error


async def test_a_unique_violation_names_constraint_and_columns(url: str, connection: Connection) -> None:
    error = await violation(connection, "INSERT INTO error_author VALUES (2, 'Jane', 'Austen')", UniqueViolation)
    if url.startswith("postgresql"):
        assert (error.constraint, error.table) == ("error_author_first_last_key", "error_author")
        assert error.columns == ("first", "last")
        assert str(error).endswith("(first, last)")
    elif url.startswith("mysql"):
        assert error.constraint == "first"
    else:
        assert (error.table, error.columns) == ("error_author", ("first", "last"))


async def test_a_primary_key_is_unique(connection: Connection) -> None:
    error = await violation(connection, "INSERT INTO error_author VALUES (1, 'a', 'b')", UniqueViolation)
    assert error.constraint in {"error_author_pkey", "PRIMARY", None}
    assert error.constraint is not None or error.columns == ("id",)


async def test_a_missing_target_names_the_foreign_key(url: str, connection: Connection) -> None:
    error = await violation(connection, "INSERT INTO error_book VALUES (2, 99, 1, 'x')", ForeignKeyViolation)
    if not url.startswith("sqlite"):  # which does not tell
        assert (error.constraint, error.table, error.columns) == ("book_author", "error_book", ("author_id",))


async def test_removing_a_target_names_the_foreign_key_of_the_referrer(url: str, connection: Connection) -> None:
    error = await violation(connection, "DELETE FROM error_author", ForeignKeyViolation)
    if not url.startswith("sqlite"):
        assert (error.constraint, error.table) == ("book_author", "error_book")
        assert error.columns in {(), ("author_id",)}  # PostgreSQL tells the target's key only: not ours to show


@pytest.mark.parametrize("values", ["(2, NULL, 1, 'x')", "(id, pages) | (2, 1)"])
async def test_a_missing_value_names_the_column(connection: Connection, values: str) -> None:
    columns, _, row = values.rpartition(" | ")
    error = await violation(connection, f"INSERT INTO error_book {columns} VALUES {row}", NotNullViolation)
    assert error.columns == ("author_id",)


async def test_a_check_violation_names_the_constraint(url: str, connection: Connection) -> None:
    error = await violation(connection, "INSERT INTO error_book VALUES (2, 1, -5, 'x')", CheckViolation)
    assert error.constraint == "book_pages"
    if not url.startswith("sqlite"):
        assert error.table == "error_book"


async def test_errors_do_not_quote_the_row(url: str, connection: Connection) -> None:
    if url.startswith("mysql"):
        pytest.skip("the text of MySQL's errors is the server's")
    for sql in ("INSERT INTO error_book VALUES (777, NULL, 1, 'x')", "INSERT INTO error_book VALUES (777, 1, -5, 'x')"):
        assert "777" not in str(await failure(connection, sql))


@pytest.mark.parametrize(
    "sql", ["SELEC 1", "SELECT * FROM no_such_table", "SELECT no_such_column FROM error_author", "SELECT no_such(1)"]
)
async def test_bad_sql_is_a_programming_error(connection: Connection, sql: str) -> None:
    assert type(await failure(connection, sql)) is ProgrammingError


@pytest.mark.parametrize("arguments", [(), (1, 2)])
async def test_a_wrong_number_of_arguments(url: str, connection: Connection, arguments: tuple[int, ...]) -> None:
    with pytest.raises((ProgrammingError, DataError)):
        await connection.fetch(marks(url, "SELECT id FROM error_author WHERE id = ?"), arguments)
    assert connection.clean()


async def test_values_that_do_not_fit(url: str, connection: Connection) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite's columns hold anything")
    for sql in (
        "INSERT INTO error_book VALUES (2, 1, 1, 'too long')",
        "INSERT INTO error_book VALUES (99999999999, 1, 1, 'x')",
        "INSERT INTO error_book VALUES (2, 1, 'many', 'x')",
    ):
        assert type(await failure(connection, sql)) is DataError


@pytest.mark.parametrize("value", ["\udcff", [object()]], ids=["surrogate", "list"])
async def test_values_that_cannot_be_sent(url: str, connection: Connection, value: Any) -> None:
    """Refused before anything is sent: the connection stays usable."""
    with pytest.raises(DataError):
        await connection.run(marks(url, "UPDATE error_book SET title = ?"), (value,))
    assert connection.clean()
    assert [row[0] for row in await connection.fetch("SELECT title FROM error_book", ())] == ["P&P"]


async def test_a_number_that_is_too_big(url: str, connection: Connection) -> None:
    with pytest.raises(DataError):
        await connection.run(marks(url, "UPDATE error_book SET pages = ?"), (2**80,))
    assert connection.clean()
    assert [row[0] for row in await connection.fetch("SELECT pages FROM error_book", ())] == [300]


async def test_sql_with_a_lone_surrogate(connection: Connection) -> None:
    with pytest.raises((DataError, ProgrammingError)):
        await connection.fetch("SELECT '\ud800'", ())
    assert not connection.busy


async def test_a_write_in_a_read_only_transaction(connection: Connection) -> None:
    await connection.begin(BeginOptions(read_only=True))
    error = await failure(connection, "DELETE FROM error_book")
    assert isinstance(error, ProgrammingError)
    await connection.rollback()
    assert len(await connection.fetch("SELECT id FROM error_book", ())) == 1


async def test_an_error_of_a_statement_does_not_end_the_transaction(url: str, connection: Connection) -> None:
    await connection.begin(BeginOptions())
    error = await failure(connection, "INSERT INTO error_author VALUES (1, 'a', 'b')")
    assert not error.ends_transaction
    assert connection.in_transaction()
    await connection.rollback()
    assert connection.clean()


async def _deadlock(url: str, connection: Connection, other: Connection) -> DatabaseError:
    """Two transactions that wait for each other; gives the error of the one that was chosen."""
    for one, key in ((connection, 1), (other, 2)):
        await one.begin(BeginOptions())
        await one.run(marks(url, "UPDATE error_author SET last = 'x' WHERE id = ?"), (key,))
    outcomes = await asyncio.gather(
        *(
            one.run(marks(url, "UPDATE error_author SET last = 'y' WHERE id = ?"), (key,))
            for one, key in ((connection, 2), (other, 1))
        ),
        return_exceptions=True,
    )
    (error,) = [outcome for outcome in outcomes if isinstance(outcome, DatabaseError)]
    for one in (connection, other):
        if one.in_transaction():
            await one.rollback()
    return error


async def test_a_deadlock(url: str, connection: Connection) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has one writer")
    await connection.command("INSERT INTO error_author VALUES (2, 'a', 'b')")
    async with connected(url) as other:
        error = await _deadlock(url, connection, other)
        assert type(error) is DeadlockDetected
        assert error.ends_transaction == url.startswith("mysql")
        assert connection.clean()
        assert other.clean()


async def test_a_serialization_failure(url: str, connection: Connection) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has one writer")
    if url.startswith("mysql"):
        settings = await connection.fetch("SHOW VARIABLES LIKE 'innodb_snapshot_isolation'", ())
        if not settings:
            pytest.skip("this server has no innodb_snapshot_isolation")
        await connection.command("SET innodb_snapshot_isolation=ON")
    await connection.begin(BeginOptions(isolation="repeatable read"))
    await connection.fetch("SELECT id FROM error_author", ())
    async with connected(url) as other:
        await other.run("UPDATE error_author SET last = 'x'", ())
        error = await failure(connection, "UPDATE error_author SET last = 'y'")
    assert type(error) is SerializationFailure
    assert error.ends_transaction == url.startswith("mysql")


@pytest.mark.parametrize("clause", ["", " NOWAIT"])
async def test_a_lock_timeout(url: str, connection: Connection, clause: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite locks no rows")
    await connection.command(
        "SET lock_timeout = 20" if url.startswith("postgresql") else "SET innodb_lock_wait_timeout = 1"
    )
    async with connected(url) as other:
        await other.begin(BeginOptions())
        await other.fetch("SELECT id FROM error_author FOR UPDATE", ())
        await connection.begin(BeginOptions())
        error = await failure(connection, f"SELECT id FROM error_author FOR UPDATE{clause}")
        await other.rollback()
    assert type(error) is LockTimeout
    assert not error.ends_transaction


async def test_a_query_timeout(url: str, connection: Connection) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no timeout of its own")
    if url.startswith("postgresql"):
        await connection.command("SET statement_timeout = 20")
        error = await failure(connection, "SELECT pg_sleep(10)")
    else:
        error = await failure(connection, "SET STATEMENT max_statement_time = 0.02 FOR SELECT sleep(10)")
    assert type(error) is QueryTimeout


async def test_a_session_that_the_server_ended(url: str, connection: Connection) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no sessions")
    postgresql = url.startswith("postgresql")
    async with connected(url) as other:
        rows = await other.fetch("SELECT pg_backend_pid()" if postgresql else "SELECT CONNECTION_ID()", ())
        waiting = asyncio.create_task(other.fetch("SELECT pg_sleep(60)" if postgresql else "SELECT sleep(60)", ()))
        await asyncio.sleep(0)  # it has been sent
        end = f"SELECT pg_terminate_backend({rows[0][0]})" if postgresql else f"KILL {rows[0][0]}"
        await connection.command(end)
        with pytest.raises(ConnectionLost) as caught:
            await waiting
        assert caught.value.__cause__ is not None
        assert other.closed()
        assert not other.in_transaction()
        with pytest.raises(ConnectionLost):
            await other.fetch("SELECT 1", ())


async def test_a_server_that_does_not_answer(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no server")
    scheme = url.partition("://")[0]
    with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1:1") as caught:
        await make_source(f"{scheme}://somebody:secret@127.0.0.1:1/somewhere").connect()
    text = str(caught.value)
    assert "somebody" in text
    assert "'somewhere'" in text
    assert "running" in text
    assert "secret" not in repr(caught.value)
    assert caught.value.__cause__ is not None


async def test_a_server_that_takes_the_connection_and_says_nothing(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no server")
    scheme = url.partition("://")[0]
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        with pytest.raises(ConnectionLost):
            await make_source(f"{scheme}://somebody@127.0.0.1:{port}/x", connect_timeout=0.1).connect()
    finally:
        for writer in connections:
            writer.close()
        server.close()


async def test_a_database_that_does_not_exist(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite makes it")
    base = url.rpartition("/")[0]
    with pytest.raises(ConnectionLost, match=r"no_such_database.*Create the database"):
        await make_source(f"{base}/no_such_database").connect()


async def test_what_a_server_cannot_do_breaks_a_block_like_any_other_error(url: str) -> None:
    sql = {
        "postgresql": "SELECT id, count(*) FROM error_author GROUP BY id FOR UPDATE",
        "mysql": "SELECT id FROM error_author WHERE id IN (SELECT id FROM error_author LIMIT 1)",
    }.get(url.partition("+")[0].partition(":")[0])
    if sql is None:
        pytest.skip("SQLite has no such answer")
    async with connected(url) as connection:
        await connection.command("DROP TABLE IF EXISTS error_book")
        await connection.command("DROP TABLE IF EXISTS error_author")
        await connection.command(TABLES[0])

    async def swallow(database: Database) -> None:
        async with database.transaction():
            await database.execute("INSERT INTO error_author VALUES (5, 'a', 'b')")
            with pytest.raises(NotSupportedError):
                await database.fetch_all(sql)
            with pytest.raises(TransactionError, match="broken"):
                await database.fetch_all("SELECT 1")

    async with Database(url) as database:
        with pytest.raises(TransactionError, match="rolled back"):
            await swallow(database)
        assert await database.fetch_val("SELECT count(*) FROM error_author") == 0
