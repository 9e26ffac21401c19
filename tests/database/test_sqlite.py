"""What concerns SQLite alone: one writer, several readers, WAL, locks of others, and what we count on in aiosqlite."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import aiosqlite
import pytest
import sqlalchemy as sa

from orm.database import Database, WriteRefused
from orm.database.sqlite_errors import translate
from orm.exceptions import (
    CheckViolation,
    DataError,
    ForeignKeyViolation,
    IntegrityError,
    InterfaceError,
    LockTimeout,
    NotNullViolation,
    NotSupportedError,
    PoolTimeout,
    ProgrammingError,
    SerializationFailure,
    TransactionError,
    UniqueViolation,
)
from tests.database.waiting import until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@contextlib.contextmanager
def locked_by_somebody_else(path: Path) -> Iterator[sqlite3.Connection]:
    """Another connection, as another process would have it, that is writing."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield other
    finally:
        other.close()


# Opening


async def test_a_file_is_in_wal_mode_with_foreign_keys(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        assert await database.fetch_val("PRAGMA journal_mode") == "wal"
        for _ in range(2):
            assert await database.fetch_val("SELECT foreign_keys FROM pragma_foreign_keys") == 1
        assert await database.fetch_val("PRAGMA synchronous") == 2, "an acknowledged commit is on the disk"


async def test_pragmas_are_set_on_every_connection(sqlite_url: str) -> None:
    async with Database(sqlite_url, pragmas={"cache_size": -1234, "synchronous": "normal"}) as database:
        assert await database.fetch_val("SELECT cache_size FROM pragma_cache_size") == -1234
        assert await database.fetch_val("PRAGMA cache_size") == -1234
        assert await database.fetch_val("PRAGMA synchronous") == 1


async def test_without_wal_there_is_one_connection(sqlite_url: str) -> None:
    async with Database(sqlite_url, pragmas={"journal_mode": "delete"}) as database:
        assert database.pool_status.size == 1
        await database.execute("CREATE TABLE notes (id INTEGER)")
        await asyncio.gather(*(database.fetch("SELECT * FROM notes") for _ in range(5)))
        assert await database.fetch_val("PRAGMA journal_mode") == "delete"


async def test_a_read_only_file_can_be_read(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE notes (id INTEGER)")
    async with Database(f"sqlite:///{path}?mode=ro") as database:
        assert await database.fetch_all("SELECT * FROM notes") == []
        with pytest.raises(ProgrammingError, match="readonly"):
            await database.execute("INSERT INTO notes VALUES (1)")


async def test_a_database_in_memory_is_one_as_long_as_it_is_connected() -> None:
    async with Database("sqlite://", idle_timeout=0.01, max_lifetime=0.01) as database:
        assert database.pool_status.size == 1
        await database.execute("CREATE TABLE notes (id INTEGER)")
        await asyncio.gather(*(database.execute("INSERT INTO notes VALUES (1)") for _ in range(20)))
        task = asyncio.create_task(database.fetch(SLOW))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 20


SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n"


def test_a_database_in_memory_ends_with_its_loop() -> None:
    database = Database("sqlite://")
    asyncio.run(database.connect())

    async def use() -> None:
        await database.fetch("SELECT 1")

    with pytest.raises(InterfaceError, match="ended with the event loop"):
        asyncio.run(use())


async def test_a_relative_path_stays_where_it_was(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(path.parent)
    database = Database("sqlite:///test.db")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    async with database:
        pass
    assert path in list(path.parent.iterdir())


# Reading and writing apart


async def test_readers_do_not_wait_for_the_writer(sqlite_url: str) -> None:
    async with Database(sqlite_url, timeout=0.2) as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        begun, read = asyncio.Event(), asyncio.Event()

        async def write() -> None:
            async with database.transaction():
                await database.execute("INSERT INTO notes VALUES (1)")
                begun.set()
                await read.wait()

        task = asyncio.create_task(write())
        await begun.wait()
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 0, "the last commit"
        async with database.transaction(read_only=True):
            assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 0
        with pytest.raises(PoolTimeout, match=r"1 of 1 writer in use, .* the transaction of task 'Task-\d+' has held"):
            await database.execute("INSERT INTO notes VALUES (2)")
        read.set()
        await task
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 1


async def test_a_query_that_writes_after_all_goes_to_the_writer(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        sql = "INSERT INTO notes VALUES (1) RETURNING id"
        assert await database.fetch(sql) == [(1,)], "said to be reading"
        assert [rows async for rows in database.stream(sql)] == [[(1,)]]
        hidden = "WITH x AS (SELECT 5 AS id) INSERT INTO notes SELECT id FROM x"
        await database.execute(hidden)
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 3


async def test_what_only_the_writer_knows_is_asked_of_the_writer(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
        await database.execute("INSERT INTO notes VALUES (7)")
        assert await database.fetch_val("SELECT last_insert_rowid()") == 7
        assert await database.fetch_val("SELECT changes()") == 1
        await database.fetch_all("SELECT * FROM notes")
        with pytest.raises(ProgrammingError, match="no such table"):
            await database.fetch_val("SELECT id FROM scratch")
        await database.execute("CREATE TEMPORARY TABLE scratch (id INTEGER)")
        await database.execute("INSERT INTO scratch VALUES (1)")
        assert await database.fetch_val("SELECT id FROM scratch") == 1
        scratch = sa.table("scratch", sa.column("id"))
        assert await database.fetch_val(sa.select(scratch.c.id)) == 1


async def test_a_fresh_connection_beside_ones_own_block_reads_and_does_not_write(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        async with database.transaction():
            await database.execute("INSERT INTO notes VALUES (1)")
            async with database.connection(fresh=True):
                assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 0
                for work in (
                    database.execute("INSERT INTO notes VALUES (2)"),
                    database.fetch("INSERT INTO notes VALUES (2)"),
                    begin(database),
                ):
                    with pytest.raises(TransactionError, match="would wait for it in vain"):
                        await work
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 1


async def begin(database: Database) -> None:
    async with database.transaction():
        pass


async def test_a_read_only_block_on_the_only_connection_lets_it_write_again() -> None:
    async with Database("sqlite://") as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        with pytest.raises(WriteRefused):
            async with database.transaction(read_only=True):
                await database.execute("INSERT INTO notes VALUES (1)")
        await database.execute("INSERT INTO notes VALUES (1)")
        async with database.transaction(read_only=True):
            assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 1
        await database.execute("INSERT INTO notes VALUES (2)")
        task = asyncio.create_task(read_slowly(database))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await database.execute("INSERT INTO notes VALUES (3)")


async def read_slowly(database: Database) -> None:
    async with database.transaction(read_only=True):
        await database.fetch(SLOW)


# Locks of other processes


async def test_a_lock_of_another_process_is_waited_for_without_stopping_anybody(path: Path) -> None:
    async with Database(f"sqlite:///{path}") as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        with locked_by_somebody_else(path) as other:
            task = asyncio.create_task(database.execute("INSERT INTO notes VALUES (1)"))
            block = asyncio.create_task(write_in_block(database))
            for _ in range(3):
                assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 0
                await asyncio.sleep(0.03)
            assert not task.done()
            other.execute("COMMIT")
            await task
            await block
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 2


async def write_in_block(database: Database) -> None:
    async with database.transaction():
        await database.execute("INSERT INTO notes VALUES (2)")


async def test_a_lock_that_is_never_given_up_is_an_error(path: Path) -> None:
    async with Database(f"sqlite:///{path}", timeout=0.1) as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        with locked_by_somebody_else(path) as other:
            with pytest.raises(LockTimeout, match=r"not free within 0.1 s"):
                await database.execute("INSERT INTO notes VALUES (1)")
            with pytest.raises(LockTimeout):
                await begin(database)
            other.execute("ROLLBACK")
        await database.execute("INSERT INTO notes VALUES (1)")


async def test_waiting_for_a_lock_can_be_cancelled(path: Path) -> None:
    async with Database(f"sqlite:///{path}") as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        with locked_by_somebody_else(path) as other:
            task = asyncio.create_task(database.execute("INSERT INTO notes VALUES (1)"))
            await asyncio.sleep(0.03)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            other.execute("ROLLBACK")
        await database.execute("INSERT INTO notes VALUES (2)")
        assert await database.fetch_all("SELECT id FROM notes") == [(2,)]


async def test_a_statement_that_has_not_begun_when_it_is_cancelled_never_does(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await database.execute("CREATE TABLE notes (id INTEGER)")
        async with database.connection() as connection:
            raw = connection.raw_connection
            occupied = threading.Event()
            waiting = asyncio.ensure_future(raw._execute(occupied.wait))
            await asyncio.sleep(0)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await database.execute("INSERT INTO notes VALUES (1)")
        await asyncio.sleep(0)  # the pool has begun to clean up
        occupied.set()
        await waiting
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 0
        await database.execute("INSERT INTO notes VALUES (2)")
        assert await database.fetch_val("SELECT COUNT(*) FROM notes") == 1


# Transactions


async def test_isolation_and_deferrable(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        async with database.transaction(isolation="serializable"):
            pass
        with pytest.raises(NotSupportedError, match="Choose from: SERIALIZABLE"):
            database.transaction(isolation="read committed")


@pytest.mark.parametrize(
    "statement", ["INSERT OR ROLLBACK INTO notes VALUES (1)", "INSERT INTO notes VALUES (-1)", "ROLLBACK"]
)
async def test_what_ends_the_transaction_breaks_the_outermost_block(sqlite_url: str, statement: str) -> None:
    async with Database(sqlite_url) as database:
        await database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
        await database.execute(
            "CREATE TRIGGER negative BEFORE INSERT ON notes WHEN new.id < 0 "
            "BEGIN SELECT RAISE(ROLLBACK, 'negative'); END"
        )
        await database.execute("INSERT INTO notes VALUES (1)")
        with pytest.raises(TransactionError, match="rolled back"):  # noqa: PT012
            async with database.transaction():
                await database.execute("INSERT INTO notes VALUES (2)")
                with pytest.raises((IntegrityError, TransactionError)):
                    async with database.transaction():
                        await database.execute(statement)
                with pytest.raises(TransactionError, match="broken"):
                    await database.execute("INSERT INTO notes VALUES (3)")
        assert await database.fetch_all("SELECT id FROM notes") == [(1,)]


async def test_run_many_is_all_or_nothing_inside_a_block_too(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        await database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
        async with database.transaction():
            assert await database.run_many("INSERT INTO notes VALUES (?)", [(1,), (2,)]) == 2
            with pytest.raises(UniqueViolation):
                async with database.transaction():
                    await database.run_many("INSERT INTO notes VALUES (?)", [(3,), (1,)])
        assert await database.fetch_all("SELECT id FROM notes") == [(1,), (2,)]


# Functions, limits, errors


async def test_our_functions_are_on_every_connection(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        for _ in range(2):
            assert await database.fetch("SELECT orm_fold('ÄÖß'), orm_fold(NULL)") == [("äöss", None)]
            sql = "SELECT 'abc' REGEXP '^a.c$', 'abd' REGEXP '^a.c$', NULL REGEXP 'a', orm_regexp('b', 'abc')"
            assert await database.fetch(sql) == [(1, 0, None, 1)]
            async with database.transaction():
                assert await database.fetch(sql) == [(1, 0, None, 1)]
        with pytest.raises(DataError, match="bad regular expression"):
            await database.fetch("SELECT 'a' REGEXP '('")
        moment = "2023-12-31 23:59:59.999999"
        shifted = await database.fetch(
            "SELECT orm_shift(?, 1), orm_shift(NULL, 1), orm_shift(?, NULL)", [moment, moment]
        )
        assert shifted == [("2024-01-01 00:00:00.000000", None, None)]
        between = await database.fetch("SELECT orm_between(?, ?), orm_between(NULL, ?)", [moment, "2024-01-01", moment])
        assert between == [(1, None)]


async def test_the_limit_of_parameters_is_real(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database:
        limit = database.capabilities.max_parameters
        assert limit is not None
        marks = ",".join("?" * limit)
        assert await database.fetch(f"SELECT 1 WHERE 1 IN ({marks})", [1] * limit) == [(1,)]
        with pytest.raises(ProgrammingError, match="too many SQL variables"):
            await database.fetch(f"SELECT 1 WHERE 1 IN ({marks},?)", [1] * (limit + 1))


@pytest.mark.parametrize(
    ("sql", "error", "table", "columns", "constraint"),
    [
        ("INSERT INTO notes VALUES (1, 'b', 1, 1)", UniqueViolation, "notes", ("id",), None),
        ("INSERT INTO notes VALUES (2, 'a', 1, 1)", UniqueViolation, "notes", ("text", "size"), None),
        ("INSERT INTO notes VALUES (2, NULL, 1, 1)", NotNullViolation, "notes", ("text",), None),
        ("INSERT INTO notes VALUES (2, 'b', -1, 1)", CheckViolation, None, (), "positive"),
        ("INSERT INTO notes VALUES (2, 'b', 1, 9)", ForeignKeyViolation, None, (), None),
        ("INSERT INTO notes VALUES (2, 'b', 5, 1)", UniqueViolation, None, (), "lowered"),
    ],
)
async def test_violations_name_what_was_violated(
    sqlite_url: str,
    sql: str,
    error: type[IntegrityError],
    table: str | None,
    columns: tuple[str, ...],
    constraint: str | None,
) -> None:
    async with Database(sqlite_url) as database:
        await database.execute(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL, size INTEGER, "
            "parent INTEGER REFERENCES notes (id), UNIQUE (text, size), CONSTRAINT positive CHECK (size > 0))"
        )
        await database.execute("INSERT INTO notes VALUES (1, 'a', 1, 1)")
        if constraint == "lowered":
            await database.execute("CREATE UNIQUE INDEX lowered ON notes (parent + 0)")
        with pytest.raises(error) as caught:
            await database.execute(sql)
        assert (caught.value.table, caught.value.columns, caught.value.constraint) == (table, columns, constraint)


@pytest.mark.parametrize("value", [2**63, [1], {"a": 1}, object()])
async def test_a_value_that_sqlite_cannot_hold_is_a_data_error(sqlite_url: str, value: object) -> None:
    async with Database(sqlite_url) as database:
        with pytest.raises(DataError):
            await database.fetch("SELECT ?", [value])
        assert await database.fetch("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("sql", "arguments"), [("SELECT 1; SELECT 2", ()), ("SELECT ?", ()), ("SELECT 1", (1,)), ("SELECT nothing", ())]
)
async def test_sql_that_is_wrong_is_a_programming_error(sqlite_url: str, sql: str, arguments: tuple[int, ...]) -> None:
    async with Database(sqlite_url) as database:
        with pytest.raises(ProgrammingError):
            await database.fetch(sql, arguments)


def test_a_snapshot_that_is_too_old_is_a_serialization_failure() -> None:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY_SNAPSHOT
    assert isinstance(translate(error), SerializationFailure)


async def test_a_closed_connection_leaves_no_thread(sqlite_url: str) -> None:
    before = threading.active_count()
    async with Database(sqlite_url) as database:
        await asyncio.gather(*(database.fetch("SELECT 1") for _ in range(5)))
        assert threading.active_count() > before
    await until(lambda: threading.active_count() <= before)


# What we count on in aiosqlite


async def test_calls_go_through_aiosqlites_queue_in_order() -> None:
    """Its queue takes pairs of a future and a function, and answers in order; `None` is for no answer."""
    connection = aiosqlite.connect(":memory:", isolation_level=None)
    assert connection._thread.daemon is False
    connection._thread.daemon = True
    await connection
    assert isinstance(connection._conn, sqlite3.Connection)
    done: list[int] = []
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    connection._tx.put_nowait((None, lambda: done.append(1)))
    connection._tx.put_nowait((future, lambda: done.append(2)))
    await future
    assert done == [1, 2]
    failing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    connection._tx.put_nowait((failing, lambda: connection._conn.execute("SELEC")))
    with pytest.raises(sqlite3.OperationalError):
        await failing
    await connection.close()
    connection._thread.join(5)
    assert not connection._thread.is_alive()


def test_an_aiosqlite_that_is_too_old_is_refused(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(aiosqlite.Connection, "stop")
    with pytest.raises(InterfaceError, match=r"aiosqlite is too old\. Install at least 0.22.1"):
        Database(sqlite_url)


async def test_aiosqlites_own_connection_is_the_raw_one(sqlite_url: str) -> None:
    async with Database(sqlite_url) as database, database.connection() as connection:
        raw = connection.raw_connection
        assert isinstance(raw, aiosqlite.Connection)
        async with raw.execute("SELECT 5") as cursor:
            assert await cursor.fetchone() == (5,)
