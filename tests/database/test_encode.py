"""Our connections out of somebody's `databases.Database`, on every engine."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import databases
import pytest
import pytest_asyncio

from orm.database import Database
from orm.database.encode import BorrowedConnection, EncodeSource
from orm.database.interfaces import BeginOptions
from orm.database.pool import Pool
from orm.database.url import Options
from orm.exceptions import (
    ConnectionLost,
    InterfaceError,
    NotSupportedError,
    QueryTimeout,
    TransactionError,
    UniqueViolation,
)
from tests.database.sources import connected, marks


@asynccontextmanager
async def connected_host(url: str, **options: Any) -> AsyncGenerator[databases.Database]:
    async with databases.Database(url, **options) as host:
        yield host


@pytest_asyncio.fixture
async def host(url: str) -> AsyncIterator[databases.Database]:
    options = {} if url.startswith("sqlite") else {"min_size": 1, "max_size": 3}
    async with connected(url) as connection:
        await connection.command("DROP TABLE IF EXISTS guest")
        await connection.command("CREATE TABLE guest (id integer PRIMARY KEY, name varchar(20))")
    async with connected_host(url, **options) as host:
        yield host


@pytest.fixture
def source(host: databases.Database) -> EncodeSource:
    return EncodeSource(host, Options(timeout=1.0))


@asynccontextmanager
async def borrowed(source: EncodeSource) -> AsyncGenerator[BorrowedConnection]:
    connection = await source.connect()
    try:
        yield connection
    finally:
        await source.release(connection)


async def names(connection: BorrowedConnection) -> list[str]:
    return [row[0] for row in await connection.fetch("SELECT name FROM guest ORDER BY id", ())]


async def test_every_way_to_run_a_statement(url: str, host: databases.Database, source: EncodeSource) -> None:
    async with borrowed(source) as connection:
        insert = marks(url, "INSERT INTO guest VALUES (?, ?)")
        outcome = await connection.run(insert, (1, "100%"))
        assert outcome.rowcount == 1
        assert await connection.run_many(insert, [(2, "b"), (3, "c")]) == 2
        assert await names(connection) == ["100%", "b", "c"]
        table = await connection.table("SELECT id, name FROM guest WHERE id > 5", ())
        assert (table.names, list(table.rows)) == (("id", "name"), [])
        sizes = [len(piece.rows) async for piece in connection.stream("SELECT id FROM guest", (), 2)]
        assert sizes == [2, 1]
        with pytest.raises(UniqueViolation):
            await connection.run(insert, (1, "again"))
        assert connection.clean()
    assert await host.fetch_val("SELECT COUNT(*) FROM guest") == 3


async def test_transactions(host: databases.Database, source: EncodeSource) -> None:
    async with borrowed(source) as connection:
        await connection.begin(BeginOptions())
        await connection.run("INSERT INTO guest VALUES (1, 'a')", ())
        assert connection.in_transaction()
        await connection.rollback()
        await connection.begin(BeginOptions())
        await connection.run("INSERT INTO guest VALUES (2, 'b')", ())
        await connection.commit()
        assert connection.clean()
    assert [row[0] for row in await host.fetch_all("SELECT id FROM guest")] == [2]


async def test_an_update_counts_the_rows_it_matched(source: EncodeSource) -> None:
    async with borrowed(source) as connection:
        await connection.run("INSERT INTO guest VALUES (1, 'a'), (2, 'b')", ())
        for _ in range(2):  # the second changes nothing
            assert (await connection.run("UPDATE guest SET name = 'x'", ())).rowcount == 2


async def test_a_statement_in_a_transaction_of_the_host_is_refused(
    host: databases.Database, source: EncodeSource
) -> None:
    async with borrowed(source) as connection:
        async with host.transaction():
            for use in (
                lambda: connection.fetch("SELECT 1", ()),
                lambda: connection.run("SELECT 1", ()),
                lambda: connection.run_many("SELECT 1", [()]),
                lambda: connection.table("SELECT 1", ()),
                lambda: connection.begin(BeginOptions()),
                lambda: anext(connection.stream("SELECT 1", (), 1)),
            ):
                with pytest.raises(TransactionError, match="opened with `databases`"):
                    await use()
        async with host.connection():  # without a transaction there is nothing to be outside of
            assert len(await connection.fetch("SELECT 1", ())) == 1

        async def elsewhere() -> int:
            return len(await connection.fetch("SELECT 1", ()))

        async with host.transaction():
            assert await asyncio.create_task(elsewhere()) == 1  # another task is not in it


async def test_the_hosts_own_connection_of_a_task_is_left_alone(
    url: str, host: databases.Database, source: EncodeSource
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has one writer")
    async with host.transaction():
        await host.execute("INSERT INTO guest VALUES (7, 'host')")
        async with borrowed(source) as connection:
            assert not connection.in_transaction()  # it is another one
        assert await host.fetch_val("SELECT name FROM guest") == "host"
        async with host.connection() as own:
            assert own is host.connection()


async def test_a_host_that_rolls_everything_back_is_refused(url: str) -> None:
    async with connected_host(url, force_rollback=True) as host:
        with pytest.raises(TransactionError, match="force_rollback"):
            await EncodeSource(host, Options()).connect()
        assert await host.fetch_val("SELECT 1") == 1


async def test_a_host_that_is_not_connected(url: str) -> None:
    with pytest.raises(InterfaceError, match="not connected"):
        await EncodeSource(databases.Database(url), Options()).connect()


async def test_the_host_gets_its_connection_back_as_it_was(url: str) -> None:
    if url.startswith("sqlite"):
        pytest.skip("`databases` opens an SQLite file anew each time")
    async with connected_host(url, min_size=1, max_size=1) as host:
        settings = (
            "SELECT current_setting('TimeZone')"
            if url.startswith("postgresql")
            else "SELECT concat_ws('|', @@autocommit, @@time_zone, @@sql_mode)"
        )
        before = await host.fetch_val(settings)
        source = EncodeSource(host, Options())
        async with borrowed(source) as connection:
            raw = getattr(connection.raw, "_con", connection.raw)
            if url.startswith("mysql"):
                (row,) = await connection.fetch("SELECT @@time_zone", ())
                assert row == ("+00:00",)
        async with host.connection() as own:
            assert getattr(own.raw_connection, "_con", own.raw_connection) is raw
        assert await host.fetch_val(settings) == before


async def test_a_connection_in_doubt_is_not_lent_again(
    url: str, host: databases.Database, source: EncodeSource
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("an interrupted SQLite connection is as good as before")
    connection = await source.connect()
    sleep = "SELECT pg_sleep(0.5)" if url.startswith("postgresql") else "SELECT sleep(0.5)"
    task = asyncio.create_task(connection.fetch(sleep, ()))
    await asyncio.sleep(0)  # it has been sent
    task.cancel()
    await asyncio.wait([task])
    assert connection.busy
    assert not await connection.recover()
    await source.release(connection)
    assert connection.closed()
    for _ in range(3):
        assert await asyncio.create_task(host.fetch_val("SELECT 1")) == 1


async def test_a_transaction_left_open_is_not_handed_back(url: str, source: EncodeSource, host: Any) -> None:
    connection = await source.connect()
    await connection.begin(BeginOptions())
    await connection.run("INSERT INTO guest VALUES (1, 'a')", ())
    await source.release(connection)
    assert await host.fetch_val("SELECT COUNT(*) FROM guest") == 0
    await host.execute("INSERT INTO guest VALUES (1, 'b')")  # no lock is left


async def test_a_pool_over_the_hosts(url: str, source: EncodeSource, host: databases.Database) -> None:
    size = source.capacity
    assert size == (1 if url.startswith("sqlite") else 2)
    assert size is not None
    pool = Pool(source, Options(timeout=5.0), size=size)

    async def use(number: int) -> None:
        connection = await pool.acquire()
        try:
            await connection.run(marks(url, "INSERT INTO guest VALUES (?, ?)"), (number, "x"))
        finally:
            pool.release(connection)

    await asyncio.gather(*(use(number) for number in range(20)))
    assert await host.fetch_val("SELECT COUNT(*) FROM guest") == 20  # one connection is left to the host
    await pool.close()


async def test_interrupted_in_a_pool(sqlite_url: str) -> None:
    async with connected_host(sqlite_url) as host:
        pool = Pool(EncodeSource(host, Options()), Options(timeout=5.0), size=1)
        connection = await pool.acquire()
        endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
        task = asyncio.create_task(connection.fetch(endless, ()))
        await asyncio.sleep(0)  # it has been sent
        task.cancel()
        await asyncio.wait([task])
        pool.release(connection)
        again = await pool.acquire()
        assert [tuple(row) for row in await again.fetch("SELECT 1", ())] == [(1,)]
        pool.release(again)
        await pool.close()


def test_capacity(url: str) -> None:
    single = url.startswith("sqlite")
    assert EncodeSource(databases.Database(url), Options()).capacity == (1 if single else 9)
    if not single:
        assert EncodeSource(databases.Database(url, max_size=4), Options()).capacity == 3
        assert EncodeSource(databases.Database(f"{url}?max_size=1"), Options()).capacity == 1


def test_capabilities_say_what_is_the_hosts(url: str) -> None:
    source = EncodeSource(databases.Database(url), Options())
    assert source.dialect.name == url.partition(":")[0].partition("+")[0]
    assert source.capabilities.interrupts == (not url.startswith("mysql"))


def test_other_drivers_are_refused() -> None:
    host: Any = SimpleNamespace(url=databases.DatabaseURL("postgresql+aiopg://localhost/x"))
    with pytest.raises(NotSupportedError, match=r"uses aiopg\. Choose from: aiomysql, aiosqlite, asyncmy, asyncpg\."):
        EncodeSource(host, Options())


async def test_what_cannot_be_borrowed(url: str, source: EncodeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSupportedError):
        await source.connect(read_only=True)

    async def refuse(*_: Any) -> None:
        raise OSError("no more")

    monkeypatch.setattr(databases.core.Connection, "__aenter__", refuse)
    with pytest.raises(ConnectionLost, match="no more"):
        await source.connect()


async def test_a_charset_that_cannot_hold_our_text(mysql_url: str) -> None:
    async with connected_host(mysql_url, charset="latin1") as host:
        with pytest.raises(NotSupportedError, match="utf8mb4"):
            await EncodeSource(host, Options()).connect()
        assert await host.fetch_val("SELECT 1") == 1


async def test_the_hosts_command_timeout(postgresql_url: str) -> None:
    async with connected_host(postgresql_url, command_timeout=0.5) as host:
        source = EncodeSource(host, Options())
        connection = await source.connect()
        with pytest.raises(QueryTimeout):
            await connection.fetch("SELECT pg_sleep(60)", ())
        await source.release(connection)
        assert await host.fetch_val("SELECT 1") == 1


async def test_values(url: str, source: EncodeSource) -> None:
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no such types")
    moment = datetime.datetime(2020, 1, 2, 3, 4, 5, 6)
    async with borrowed(source) as connection:
        sql = "SELECT ?, ?, ?" if url.startswith("mysql") else "SELECT ?::text, ?::bytea, ?::timestamp"
        (row,) = await connection.fetch(marks(url, sql), ("it's %", b"\xff'", moment))
        assert tuple(row)[:2] == ("it's %", b"\xff'")
        assert str(row[2]) == str(moment)


async def test_a_database_over_the_hosts(url: str, host: databases.Database) -> None:
    async def add(database: Database, number: int) -> None:
        async with database.transaction():
            await database.execute("INSERT INTO guest VALUES (:id, 'x')", {"id": number})
            if number % 5 == 0:
                with pytest.raises(UniqueViolation):
                    async with database.transaction():
                        await database.execute("INSERT INTO guest VALUES (:id, 'y')", {"id": number})
            if number % 7 == 0:
                raise LookupError

    async with Database(host) as database:
        outcomes = await asyncio.gather(*(add(database, number) for number in range(30)), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes if outcome is not None] == [LookupError] * 5
        assert await database.fetch_val("SELECT COUNT(*) FROM guest") == 25
        count = 0
        async for row in database.iterate("SELECT id FROM guest", chunk_size=4):
            assert await database.fetch_val("SELECT id FROM guest WHERE id = :id", {"id": row["id"]}) == row[0]
            count += 1
        assert count == 25
        with pytest.raises(TransactionError, match="opened with `databases`"):
            async with host.transaction():
                await database.fetch_all("SELECT 1")
        assert database.pool_status.in_use == 0
    assert await host.fetch_val("SELECT COUNT(*) FROM guest") == 25


async def test_a_time_limit_leaves_the_block_of_a_borrowed_connection_intact(host: databases.Database) -> None:
    async with Database(host) as database:
        slow = {
            "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n",
            "postgresql": "SELECT pg_sleep(30)",
            "mysql": "SELECT SLEEP(30)",
        }[database.dialect.name]
        async with database.transaction():
            await database.execute("INSERT INTO guest VALUES (1, 'Ann')")
            with pytest.raises(QueryTimeout, match=r"longer than 0\.1 s"):
                async with database.transaction():
                    await database.fetch_all(slow, timeout=0.1)
        with pytest.raises(QueryTimeout, match=r"longer than 0\.1 s"):
            await database.fetch_all(slow, timeout=0.1)
        assert await database.fetch_val("SELECT count(*) FROM guest", timeout=30) == 1
