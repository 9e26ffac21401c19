"""Cancellation, and answers that never come: nothing is lost, dirty, locked or open afterwards."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import pytest_asyncio

from orm.database import Database, commands, pool, transactions
from orm.database.observers import Watch
from orm.database.pools import Pools
from orm.database.scopes import Scopes
from orm.database.statements import Statements
from orm.database.transaction_options import TransactionOptions
from orm.database.transactions import Transaction
from orm.database.url import Options
from orm.exceptions import (
    CommitUnknown,
    ConnectionLost,
    DeadlockDetected,
    InterfaceError,
    TransactionError,
    UniqueViolation,
)
from tests.database.fake import FakeConnection, FakeSource
from tests.database.tables import count, notes
from tests.database.waiting import until

SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
}


async def cancel(work: Coroutine[Any, Any, Any], steps: int) -> None:
    """Run work, cancel it after some turns of the loop, and then again at every turn."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        await asyncio.sleep(0)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    with contextlib.suppress(asyncio.CancelledError, TransactionError):
        await task


async def all_back(database: Database) -> None:
    await until(lambda: not (database.pool_status.in_use or database.pool_status.connecting))


async def slow(database: Database) -> None:
    await database.fetch(SLOW[database.dialect.name])


async def slow_in_block(database: Database) -> None:
    async with database.transaction():
        await database.execute(notes.insert().values(text="lost"))
        await slow(database)


async def slow_in_nested_block(database: Database) -> None:
    async with database.transaction():
        await database.execute(notes.insert().values(text="lost"))
        async with database.transaction():
            await slow(database)


async def short_block(database: Database) -> None:
    async with database.transaction():
        await database.execute(notes.insert().values(text="perhaps"))
        async with database.transaction():
            await database.fetch("SELECT 1")


async def short_iteration(database: Database) -> None:
    async for _ in database.iterate("SELECT 1 AS a UNION ALL SELECT 2", chunk_size=1):
        pass


@pytest.mark.parametrize("work", [slow, slow_in_block, slow_in_nested_block])
async def test_a_statement_under_way_is_stopped(
    notes_database: Database, work: Callable[[Database], Coroutine[Any, Any, None]]
) -> None:
    task = asyncio.create_task(work(notes_database))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await all_back(notes_database)
    await notes_database.execute(notes.insert().values(text="lost"))  # no lock is left
    assert await count(notes_database) == 1
    assert await running(notes_database) == 0


async def running(database: Database) -> int:
    """How many slow statements the server still works on."""
    if database.dialect.name == "postgresql":
        sql = (
            "SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(60)' "
            "AND datname = current_database()"
        )
    elif database.dialect.name == "mysql":
        sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE info = 'SELECT SLEEP(60)' AND db = DATABASE()"
    else:
        return 0
    found = 1
    for _ in range(100):
        found = int(await database.fetch_val(sql))
        if not found:
            break
        await asyncio.sleep(0.02)
    return found


@pytest.mark.parametrize("work", [short_block, short_iteration])
async def test_cancelling_at_any_moment_leaves_nothing(
    notes_database: Database, work: Callable[[Database], Coroutine[Any, Any, None]]
) -> None:
    for steps in range(0, 30, 2):
        await cancel(work(notes_database), steps)
        await notes_database.execute(notes.delete())
    await all_back(notes_database)
    assert notes_database.pool_status.in_use == 0
    async with notes_database.transaction():
        await notes_database.execute(notes.insert().values(text="a"))
    assert await count(notes_database) == 1


async def test_a_statement_cut_off_breaks_the_outermost_block(notes_database: Database) -> None:
    with pytest.raises(TransactionError, match="rolled back"):  # noqa: PT012
        async with notes_database.transaction():
            await notes_database.execute(notes.insert().values(text="a"))
            with pytest.raises(TimeoutError):
                async with notes_database.transaction(), asyncio.timeout(0.1):
                    await slow(notes_database)
            with pytest.raises(TransactionError, match="broken"):
                await count(notes_database)
    assert await count(notes_database) == 0
    await all_back(notes_database)


async def test_a_connection_whose_statement_was_cut_off_is_not_used_again(database: Database) -> None:
    async with database.connection() as connection:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await slow(database)
        with pytest.raises(InterfaceError, match="cut off"):
            await connection.fetch("SELECT 1")
    await all_back(database)
    assert await database.fetch_val("SELECT 1") == 1


# Answers that never come, on a driver without a database


@pytest_asyncio.fixture
async def scopes(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scopes]:
    monkeypatch.setattr(commands, "COMMAND_SECONDS", 0.02)
    source = FakeSource()
    pools = Pools(source, Options(timeout=0.02, max_size=1), in_memory=False)
    await pools.open()
    yield Scopes(pools, Statements(source.dialect), Watch((), None))
    await pools.close()


def only(scopes: Scopes) -> FakeConnection:
    """The only connection."""
    source = scopes.pools.source
    assert isinstance(source, FakeSource)
    return source.made[0]


async def block(scopes: Scopes, *, nested: bool = False, fail: bool = False) -> None:
    async with Transaction(scopes, TransactionOptions()) as transaction:
        await transaction.run("INSERT")
        if nested:
            async with Transaction(scopes, TransactionOptions()):
                pass
        if fail:
            raise KeyError


async def test_the_commands_of_a_block(scopes: Scopes) -> None:
    await block(scopes, nested=True)
    assert only(scopes).commands == ["BEGIN", "INSERT", "SAVEPOINT sp1", "RELEASE SAVEPOINT sp1", "COMMIT"]


async def test_a_failed_nested_block_waits_for_nothing(scopes: Scopes) -> None:
    connection = only(scopes)
    async with Transaction(scopes, TransactionOptions()) as transaction:
        with pytest.raises(KeyError):
            async with Transaction(scopes, TransactionOptions()):
                raise KeyError
        assert connection.commands == ["BEGIN", "SAVEPOINT sp1"]
        await transaction.run("INSERT")
    undone = ["ROLLBACK TO SAVEPOINT sp1", "RELEASE SAVEPOINT sp1"]
    assert connection.commands == ["BEGIN", "SAVEPOINT sp1", *undone, "INSERT", "COMMIT"]


@pytest.mark.parametrize("command", ["BEGIN", "SAVEPOINT sp1", "RELEASE SAVEPOINT sp1"])
async def test_a_command_without_an_answer_is_a_lost_connection(scopes: Scopes, command: str) -> None:
    only(scopes).hangs = command
    with pytest.raises(ConnectionLost, match=r"was not answered within 0.0\d+ s"):
        await block(scopes, nested=True)
    await until(lambda: scopes.pools.status.in_use == 0)


async def test_a_commit_without_an_answer_is_unknown(scopes: Scopes) -> None:
    only(scopes).hangs = "COMMIT"
    with pytest.raises(CommitUnknown, match="may be committed, or not"):
        await block(scopes)
    await until(lambda: scopes.pools.status.in_use == 0)


async def test_a_connection_that_is_lost_in_commit_leaves_the_outcome_unknown(scopes: Scopes) -> None:
    only(scopes).fails["COMMIT"] = ConnectionLost("gone")
    with pytest.raises(CommitUnknown, match="gone"):
        await block(scopes)


async def test_an_unknown_commit_is_not_retried(scopes: Scopes) -> None:
    connection = only(scopes)
    connection.fails["COMMIT"] = ConnectionLost("gone")
    tries: list[int] = []

    @Transaction(scopes, TransactionOptions(retries=5))
    async def work() -> None:
        tries.append(1)

    with pytest.raises(CommitUnknown):
        await work()
    assert len(tries) == 1


async def test_a_refusal_of_commit_is_retried(scopes: Scopes) -> None:
    connection = only(scopes)
    connection.fails["COMMIT"] = DeadlockDetected("conflict")
    tries: list[int] = []

    @Transaction(scopes, TransactionOptions(retries=5))
    async def work() -> None:
        tries.append(1)
        if len(tries) == 3:
            del connection.fails["COMMIT"]

    await work()
    assert len(tries) == 3


async def test_a_cancelled_block_with_an_open_stream_hands_no_connection_on_as_it_is(scopes: Scopes) -> None:
    """Somebody may still hold the stream, and close it when the connection is another one's."""
    reading = asyncio.Event()

    async def read() -> None:
        async with Transaction(scopes, TransactionOptions()) as transaction:
            stream = transaction.stream("SELECT")
            await anext(stream)
            reading.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: scopes.pools.status.in_use == 0)
    assert only(scopes).commands == ["BEGIN", "SELECT", "INTERRUPT", "ROLLBACK"]


async def test_an_error_that_ends_the_transaction_breaks_the_outermost_block(scopes: Scopes) -> None:
    error = DeadlockDetected("chosen")
    error.ends_transaction = True
    only(scopes).fails["INSERT"] = error
    with pytest.raises(TransactionError, match="rolled back"):  # noqa: PT012
        async with Transaction(scopes, TransactionOptions()) as outer:
            with pytest.raises(DeadlockDetected):
                async with Transaction(scopes, TransactionOptions()) as inner:
                    await inner.run("INSERT")
            with pytest.raises(TransactionError, match="broken"):
                await outer.run("UPDATE")


async def test_an_error_that_does_not_breaks_its_savepoint(scopes: Scopes) -> None:
    only(scopes).fails["INSERT"] = UniqueViolation("twice")
    async with Transaction(scopes, TransactionOptions()) as outer:
        with pytest.raises(UniqueViolation):
            async with Transaction(scopes, TransactionOptions()) as inner:
                await inner.run("INSERT")
        await outer.run("UPDATE")
    assert only(scopes).commands[-1] == "COMMIT"


async def test_a_rollback_without_an_answer_is_left_to_the_pool(
    scopes: Scopes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CLEANING_SECONDS", 0.02)
    monkeypatch.setattr(transactions, "CLEANING_SECONDS", 0.02)
    only(scopes).hangs = "ROLLBACK"
    with pytest.raises(KeyError):
        await block(scopes, fail=True)
    await until(lambda: only(scopes).lost)
