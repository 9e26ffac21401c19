"""The pool, on a driver without a database, and on real ones where loops and processes matter."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from orm.database import Database
from orm.database import pool as module
from orm.database.interfaces import Connection
from orm.database.pool import Pool
from orm.database.url import Options
from orm.exceptions import ConnectionLost, InterfaceError, PoolTimeout, TransactionError
from tests.database.fake import FakeConnection, FakeSource
from tests.database.tables import notes
from tests.database.waiting import until

OPTIONS = Options(timeout=5.0, connect_timeout=5.0)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest_asyncio.fixture
async def pool(source: FakeSource) -> AsyncIterator[Pool]:
    pool = Pool(source, OPTIONS, size=2)
    yield pool
    await pool.close()


async def test_connections_are_made_when_needed_and_used_again(pool: Pool, source: FakeSource) -> None:
    first = await pool.acquire()
    second = await pool.acquire()
    assert first is not second
    pool.release(first)
    pool.release(second)
    assert await pool.acquire() is second, "the one used last comes first"
    assert await pool.acquire() is first
    assert len(source.made) == 2
    pool.release(first)
    pool.release(second)


async def test_the_status_counts(pool: Pool, source: FakeSource) -> None:
    assert pool.status == (2, 0, 0, 0, 0)
    connection = await pool.acquire()
    source.gate = asyncio.Event()
    waiting = [asyncio.create_task(pool.acquire()) for _ in range(2)]
    await asyncio.sleep(0)
    assert pool.status == (2, 1, 0, 1, 2)
    assert repr(pool) == "<Pool of 2: 1 in use, 0 idle, 1 connecting, 2 waiting>"
    source.gate.set()
    pool.release(connection)
    for connection in await asyncio.gather(*waiting):
        pool.release(connection)
    assert pool.status == (2, 0, 2, 0, 0)


async def test_those_who_wait_are_served_in_order(pool: Pool) -> None:
    held = [await pool.acquire(), await pool.acquire()]
    served: list[int] = []

    async def use(number: int) -> None:
        connection = await pool.acquire()
        served.append(number)
        pool.release(connection)

    tasks = [asyncio.create_task(use(number)) for number in range(5)]
    await asyncio.sleep(0)
    pool.release(held.pop())
    assert pool.acquire_nowait() is None, "nobody overtakes those who wait"
    await asyncio.gather(*tasks)
    assert served == [0, 1, 2, 3, 4]
    pool.release(held.pop())


async def test_waiting_has_an_end_and_a_reason(source: FakeSource) -> None:
    pool = Pool(source, replace(OPTIONS, timeout=0.02), size=2)
    first, second = await pool.acquire(), await pool.acquire()
    with pytest.raises(PoolTimeout, match=r"within 0.02 s: 2 of 2 connections in use, 1 waiting\. Raise max_size"):
        await pool.acquire()
    pool.hold(first, "the transaction")
    with pytest.raises(PoolTimeout, match=r"transaction of task .* has held one for \d+\.\d s, the longest"):
        await pool.acquire()
    assert pool.status.waiting == 0
    pool.release(first)
    pool.release(second)
    await pool.close()


async def test_a_timeout_names_who_holds_the_only_connection(source: FakeSource) -> None:
    pool = Pool(source, replace(OPTIONS, timeout=0.02), size=1, name="writer")
    connection = await pool.acquire()
    with pytest.raises(PoolTimeout, match=r"1 of 1 writer in use, 1 waiting; statements keep it busy"):
        await pool.acquire()
    pool.hold(connection, "the transaction")
    with pytest.raises(PoolTimeout, match=r"the transaction of task 'Task-\d+' has held it for \d+\.\d s"):
        await pool.acquire()
    pool.release(connection)
    await pool.close()


async def test_one_who_is_cancelled_while_waiting_takes_nothing(pool: Pool) -> None:
    held = [await pool.acquire(), await pool.acquire()]
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.status.waiting == 0
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    pool.release(held.pop())
    task.cancel()  # in the moment in which it is handed over
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (pool.status.in_use, pool.status.idle) == (1, 1)
    pool.release(held.pop())


async def test_cancelling_a_user_does_not_cut_a_handshake(pool: Pool, source: FakeSource) -> None:
    source.gate = asyncio.Event()
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    source.gate.set()
    await until(lambda: pool.status.idle == 1)
    assert len(source.made) == 1


async def test_a_failure_to_connect_reaches_who_asked(pool: Pool, source: FakeSource) -> None:
    source.failures = [ConnectionLost("refused"), OSError("no route")]
    with pytest.raises(ConnectionLost, match="refused"):
        await pool.acquire()
    with pytest.raises(ConnectionLost, match="no route") as caught:
        await pool.acquire()
    assert isinstance(caught.value.__cause__, OSError)
    pool.release(await pool.acquire())


async def test_connecting_is_bounded(source: FakeSource) -> None:
    pool = Pool(source, replace(OPTIONS, connect_timeout=0.02), size=1)
    source.gate = asyncio.Event()
    with pytest.raises(ConnectionLost, match=r"within 0.02 s"):
        await pool.acquire()
    await pool.close()


@pytest.mark.parametrize(
    ("state", "commands"),
    [
        ({"busy": True}, ["INTERRUPT"]),
        ({"open": True}, ["ROLLBACK"]),
        ({"touched": True}, ["RESET"]),
        ({"busy": True, "open": True, "touched": True}, ["INTERRUPT", "ROLLBACK", "RESET"]),
    ],
)
async def test_what_comes_back_in_disorder_is_cleaned_up_behind_the_users_back(
    pool: Pool, source: FakeSource, state: dict[str, bool], commands: list[str]
) -> None:
    connection = await pool.acquire()
    for name, value in state.items():
        setattr(connection, name, value)
    pool.release(connection)
    pool.release(connection)  # twice does no harm
    assert pool.acquire_nowait() is None
    await until(lambda: pool.status.idle == 1)
    assert source.made[0].commands == commands
    assert not source.made[0].lost


async def test_what_cannot_be_cleaned_up_is_closed(source: FakeSource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLEANING_SECONDS", 0.02)
    pool = Pool(source, OPTIONS, size=1)
    for harm in ("refuses", "raises", "hangs"):
        connection = await pool.acquire()
        assert isinstance(connection, FakeConnection)
        connection.touched = harm == "refuses"
        connection.can_reset = False
        connection.open = harm != "refuses"
        connection.fails = {"ROLLBACK": KeyError()} if harm == "raises" else {}
        connection.hangs = "ROLLBACK" if harm == "hangs" else None
        pool.release(connection)
        assert await pool.acquire() is source.made[-1], "another one takes its place"
        assert connection.lost
        pool.release(source.made[-1])
    assert len(source.made) == 4
    await pool.close()


async def test_every_connection_is_reset_where_that_is_asked_for(source: FakeSource) -> None:
    pool = Pool(source, replace(OPTIONS, reset="always"), size=1)
    pool.release(await pool.acquire())
    pool.release(await pool.acquire())
    await until(lambda: pool.status.idle == 1)
    assert source.made[0].commands == ["RESET", "RESET"]
    await pool.close()


async def test_a_lost_connection_makes_the_idle_ones_suspect(source: FakeSource) -> None:
    pool = Pool(source, OPTIONS, size=4)
    connections = [await pool.acquire() for _ in range(4)]
    for connection in connections:
        pool.release(connection)
    lost, dead, alive = source.made[3], source.made[1], source.made[0]
    assert await pool.acquire() is lost
    lost.lost = True
    dead.fails = {"SELECT 1": ConnectionLost("gone")}
    pool.release(lost)
    await until(lambda: pool.status == (4, 0, 2, 0, 0))
    assert alive.commands == ["SELECT 1"]
    assert dead.lost
    assert not alive.lost


async def test_a_connection_that_was_lost_while_idle_is_not_handed_out(pool: Pool, source: FakeSource) -> None:
    pool.release(await pool.acquire())
    source.made[0].lost = True
    connection = await pool.acquire()
    assert connection is source.made[1]
    pool.release(connection)


async def test_old_connections_are_replaced(source: FakeSource) -> None:
    pool = Pool(source, replace(OPTIONS, max_lifetime=0.05), size=2, minimum=1)
    first, second = await pool.acquire(), await pool.acquire()
    assert first.expires_at != second.expires_at, "not all at the same time"
    pool.release(second)
    await until(lambda: source.made[1].lost)
    assert not source.made[0].lost, "one in use is left alone"
    await asyncio.sleep(0.05)
    pool.release(first)
    await until(lambda: source.made[0].lost)
    await until(lambda: pool.status.idle >= 1)
    await pool.close()


async def test_connections_that_are_not_needed_are_closed_but_for_the_least_number(source: FakeSource) -> None:
    pool = Pool(source, replace(OPTIONS, idle_timeout=0.03), size=3, minimum=1)
    for connection in [await pool.acquire() for _ in range(3)]:
        pool.release(connection)
    await until(lambda: pool.status == (3, 0, 1, 0, 0))
    await asyncio.sleep(0.1)
    assert pool.status == (3, 0, 1, 0, 0)
    await pool.close()


async def test_a_connection_may_lie_idle_for_as_long_as_it_is_told(source: FakeSource) -> None:
    pool = Pool(source, replace(OPTIONS, idle_timeout=0.2), size=1)
    pool.release(await pool.acquire())
    began = pool.loop.time()
    await until(lambda: pool.status.idle == 0)
    assert pool.loop.time() - began >= 0.2
    await pool.close()


async def test_the_least_number_is_made_at_once(source: FakeSource) -> None:
    pool = Pool(source, OPTIONS, size=5, minimum=3)
    await pool.open()
    await until(lambda: pool.status.idle == 3)
    assert len(source.made) == 3
    await pool.close()


async def test_closing_waits_for_what_is_in_use_and_then_stops_it(pool: Pool, source: FakeSource) -> None:
    soon, late = await pool.acquire(), await pool.acquire()
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    closing = asyncio.create_task(pool.close())
    await asyncio.sleep(0)
    with pytest.raises(InterfaceError, match="disconnected while this task waited"):
        await waiting
    pool.release(soon)
    await closing
    assert [connection.lost for connection in source.made] == [True, True]
    pool.release(late)
    with pytest.raises(InterfaceError, match="was disconnected"):
        pool.acquire_nowait()


async def test_who_uses_the_pool_leaves_no_trace_in_its_tasks(pool: Pool, source: FakeSource) -> None:
    """The pool's own tasks do not see the transaction of whoever made them start."""
    variable: ContextVar[str] = ContextVar("variable", default="nothing")
    seen: list[str] = []
    connect = source.connect

    async def connecting(*, read_only: bool = False) -> Connection:
        seen.append(variable.get())
        return await connect(read_only=read_only)

    source.connect = connecting  # type: ignore[method-assign, assignment]
    variable.set("the user's")
    pool.release(await pool.acquire())
    assert seen == ["nothing"]


# Loops and processes, on real databases


async def test_a_database_that_is_not_connected_says_so(url: str) -> None:
    database = Database(url)
    for _ in range(2):
        with pytest.raises(InterfaceError, match=r"not connected\. Use `async with database`"):
            await database.fetch("SELECT 1")
        async with database:
            assert database.is_connected
            await database.connect()  # does nothing
            await database.fetch("SELECT 1")
        assert not database.is_connected


async def test_a_wrong_address_shows_when_connecting() -> None:
    for url in ("postgresql://nobody@127.0.0.1:1/none", "mysql://nobody@127.0.0.1:1/none", "sqlite:////no/such/dir/x"):
        with pytest.raises(ConnectionLost):
            await Database(url).connect()


def test_a_new_loop_after_a_closed_one_gets_connections_of_its_own(url: str) -> None:
    database = Database(url)

    async def first() -> None:
        await database.connect()
        await database.fetch("SELECT 1")

    async def second() -> int:
        rows = await database.fetch("SELECT 2")
        await database.disconnect()
        return int(rows[0][0])

    asyncio.run(first())
    assert asyncio.run(second()) == 2


async def test_another_running_loop_is_refused(database: Database) -> None:
    errors: list[Exception] = []

    def use_in_a_thread() -> None:
        async def use() -> None:
            with pytest.raises(InterfaceError, match="another event loop that is running") as caught:
                await database.fetch("SELECT 1")
            errors.append(caught.value)

        asyncio.run(use())

    thread = threading.Thread(target=use_in_a_thread)
    thread.start()
    await until(lambda: not thread.is_alive())
    assert len(errors) == 1
    assert (await database.fetch("SELECT 1"))[0][0] == 1


def test_a_database_that_nobody_disconnected_leaves_nothing_behind(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Warnings are errors here: a socket or a task that was forgotten would be one."""

    async def forget() -> Database:
        database = Database(url)
        await database.connect()
        async with database.transaction():
            await database.fetch("SELECT 1")
        return database

    database = asyncio.run(forget())
    assert database.pool_status.idle == 0
    assert caplog.text == ""


def in_child(work: Callable[[], Coroutine[Any, Any, object]]) -> str:
    """What work gives in a child process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, str(asyncio.run(work())).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    answer = os.read(reading, 1000)
    os.close(reading)
    return answer.decode()


def test_a_child_process_makes_connections_of_its_own(url: str) -> None:
    database = Database(url)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(database.connect())

    async def use() -> int:
        rows = await database.fetch("SELECT 2")
        await database.disconnect()
        return int(rows[0][0])

    assert in_child(use) == "2"

    async def after() -> int:
        return int((await database.fetch("SELECT 3"))[0][0])

    assert loop.run_until_complete(after()) == 3
    loop.run_until_complete(database.disconnect())
    loop.close()


async def test_a_block_of_the_parent_is_not_the_childs(url: str, notes_database: Database) -> None:
    async with Database(url) as database:
        async with database.transaction() as transaction:
            await database.execute(notes.insert().values(text="parent"))

            async def use() -> str:
                try:
                    await database.execute(notes.insert().values(text="child"))
                except TransactionError as error:
                    await transaction.__aexit__(None, None, None)  # says nothing to the parent's server
                    return str(error)
                return "was allowed to"

            assert "parent process" in in_child(use)
        assert await database.fetch_val("SELECT text FROM notes") == "parent"


async def test_state_of_the_session_does_not_reach_the_next_user(url: str) -> None:
    async with Database(url, max_size=1) as database:
        if database.dialect.name == "postgresql":
            change, look = "SET statement_timeout TO 12345", "SELECT current_setting('statement_timeout')"
        elif database.dialect.name == "mysql":
            change, look = "SET @@session.lock_wait_timeout = 12345", "SELECT @@session.lock_wait_timeout"
        else:
            change, look = "PRAGMA foreign_keys=off", "PRAGMA foreign_keys"
        before = await database.fetch_val(look)
        await database.execute(change)
        assert await database.fetch_val(look) == before
        async with database.connection() as connection:
            await connection.execute(change)
            assert await database.fetch_val(look) != before
        assert await database.fetch_val(look) == before


async def test_what_was_done_to_the_raw_connection_is_undone(sqlite_url: str) -> None:
    async with Database(sqlite_url, max_size=1) as database:
        async with database.connection() as connection:
            await connection.raw_connection.execute("PRAGMA foreign_keys=off")
            assert await database.fetch_val("PRAGMA foreign_keys") == 0
        assert await database.fetch_val("PRAGMA foreign_keys") == 1


async def test_the_repr_has_the_state_and_no_password(postgresql_url: str) -> None:
    secret = postgresql_url.replace("postgres@", "postgres:secret@")
    async with Database(secret, max_size=3) as database:
        async with database.transaction():
            assert "of 3 connections: 1 in use, 0 idle, 0 connecting, 0 waiting" in repr(database)
        assert database.pool_status == (3, 0, 1, 0, 0)
        assert "secret" not in repr(database)
        assert "postgres:***@" in repr(database)
