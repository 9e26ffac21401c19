# ruff: noqa: PT012  # a block that must raise at its end is what is tested
"""Transactions: who owns them, what breaks them, how they end."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from orm.database import Database
from orm.exceptions import (
    IntegrityError,
    InterfaceError,
    LockTimeout,
    NotSupportedError,
    PoolTimeout,
    ProgrammingError,
    QueryTimeout,
    TransactionError,
    UniqueViolation,
)
from tests.database.tables import count, notes
from tests.database.waiting import until


async def add(database: Database, text: str) -> None:
    await database.execute(notes.insert().values(text=text))


async def texts(database: Database) -> list[str]:
    return [row.text for row in await database.fetch_all("SELECT text FROM notes ORDER BY id")]


async def in_task(work: Any) -> Any:
    return await asyncio.create_task(work)


async def assert_nothing_is_held(database: Database) -> None:
    """All connections come back, some after a clean-up in the background."""
    await until(lambda: not (database.pool_status.in_use or database.pool_status.waiting))


# Blocks


async def test_a_block_commits(notes_database: Database) -> None:
    async with notes_database.transaction() as transaction:
        await add(notes_database, "a")
        await transaction.execute(notes.insert().values(text="b"))
        assert notes_database.in_transaction()
    assert not notes_database.in_transaction()
    assert await texts(notes_database) == ["a", "b"]
    await assert_nothing_is_held(notes_database)


async def test_a_block_that_raises_is_rolled_back(notes_database: Database) -> None:
    with pytest.raises(KeyError):
        async with notes_database.transaction():
            await add(notes_database, "a")
            raise KeyError
    assert await count(notes_database) == 0
    await assert_nothing_is_held(notes_database)


async def test_a_block_with_force_rollback_is_rolled_back(notes_database: Database) -> None:
    async with notes_database.transaction(force_rollback=True):
        await add(notes_database, "a")
        async with notes_database.transaction(force_rollback=True):
            await add(notes_database, "b")
        assert await texts(notes_database) == ["a"]
    assert await count(notes_database) == 0


async def test_nested_blocks_are_savepoints(notes_database: Database) -> None:
    async with notes_database.transaction():
        await add(notes_database, "a")
        with pytest.raises(KeyError):
            async with notes_database.transaction():
                await add(notes_database, "b")
                async with notes_database.transaction():
                    await add(notes_database, "c")
                raise KeyError
        async with notes_database.transaction():
            await add(notes_database, "d")
        with pytest.raises(KeyError):
            async with notes_database.transaction():
                raise KeyError
    assert await texts(notes_database) == ["a", "d"]


async def test_an_outer_block_undoes_what_nested_ones_kept(notes_database: Database) -> None:
    with pytest.raises(KeyError):
        async with notes_database.transaction():
            async with notes_database.transaction():
                await add(notes_database, "a")
            raise KeyError
    assert await count(notes_database) == 0


async def test_the_outer_object_runs_in_the_nested_block_that_is_open(notes_database: Database) -> None:
    async with notes_database.transaction() as outer:
        with pytest.raises(KeyError):
            async with notes_database.transaction():
                await outer.execute(notes.insert().values(text="a"))
                raise KeyError
    assert await count(notes_database) == 0


async def test_a_block_is_entered_once(database: Database) -> None:
    transaction = database.transaction()
    async with transaction:
        with pytest.raises(TransactionError, match="entered once"):
            await transaction.__aenter__()
    with pytest.raises(TransactionError, match="entered once"):
        await transaction.__aenter__()
    with pytest.raises(TransactionError, match="over, or was not entered"):
        await transaction.fetch("SELECT 1")


async def test_a_block_that_was_not_entered_is_not_used_up(database: Database) -> None:
    transaction = database.transaction()
    with pytest.raises(TransactionError, match="over, or was not entered"):
        await transaction.fetch("SELECT 1")
    async with transaction:
        assert (await transaction.fetch("SELECT 1"))[0][0] == 1


async def test_a_decorated_function_is_a_transaction(notes_database: Database) -> None:
    @notes_database.transaction()
    async def write(text: str, *, fail: bool = False) -> str:
        """Write."""
        assert notes_database.in_transaction()
        await add(notes_database, text)
        if fail:
            raise KeyError
        return text.upper()

    assert await write("a") == "A"
    assert await write("b") == "B"
    with pytest.raises(KeyError):
        await write("c", fail=True)
    assert await texts(notes_database) == ["a", "b"]
    assert (write.__name__, write.__doc__) == ("write", "Write.")


def test_only_async_functions_can_be_decorated(sqlite_url: str) -> None:
    with pytest.raises(InterfaceError, match="Only an async function"):
        Database(sqlite_url).transaction()(len)  # type: ignore[arg-type]


# Options


async def test_a_durable_block_is_not_nested(notes_database: Database) -> None:
    async with notes_database.transaction(durable=True):
        with pytest.raises(TransactionError, match="cannot be durable"):
            async with notes_database.transaction(durable=True):
                pass
        await add(notes_database, "a")
    assert await texts(notes_database) == ["a"]


async def test_a_nested_block_has_no_isolation_level(database: Database) -> None:
    async with database.transaction():
        for options in ({"isolation": "serializable"}, {"read_only": True}):
            with pytest.raises(TransactionError, match="Give that to the outermost block"):
                async with database.transaction(**options):
                    pass


async def test_isolation_levels(notes_database: Database) -> None:
    async with notes_database.transaction(isolation="serializable"):
        await add(notes_database, "a")
    with pytest.raises(NotSupportedError, match=r"has no isolation level 'CHAOS'. Choose from: .*SERIALIZABLE"):
        notes_database.transaction(isolation="chaos")


async def test_a_read_only_block_reads_only(notes_database: Database) -> None:
    await add(notes_database, "a")
    async with notes_database.transaction(read_only=True):
        assert await texts(notes_database) == ["a"]
        async with notes_database.transaction(read_only=True):
            assert await texts(notes_database) == ["a"]
    with pytest.raises(Exception, match=r"(?i)read.?only"):
        async with notes_database.transaction(read_only=True):
            await add(notes_database, "b")
    await add(notes_database, "c")
    assert await texts(notes_database) == ["a", "c"]


async def test_deferrable_is_refused_where_it_means_nothing(database: Database) -> None:
    if database.capabilities.deferrable:
        async with database.transaction(isolation="serializable", read_only=True, deferrable=True):
            assert await database.fetch_val("SHOW transaction_deferrable") == "on"
    else:
        with pytest.raises(NotSupportedError, match="no deferrable transactions"):
            database.transaction(deferrable=True)


@pytest.mark.parametrize("options", [{"retries": -1}, {"timeout": 0}, {"timeout": -1.5}])
async def test_numbers_out_of_range_are_refused(sqlite_url: str, options: dict[str, Any]) -> None:
    with pytest.raises(InterfaceError, match="must be"):
        Database(sqlite_url).transaction(**options)


async def test_a_block_that_takes_too_long_is_rolled_back(notes_database: Database) -> None:
    with pytest.raises(QueryTimeout, match=r"longer than 0.05 s and was rolled back"):
        async with notes_database.transaction(timeout=0.05):
            await add(notes_database, "a")
            await asyncio.Event().wait()
    assert await count(notes_database) == 0
    async with notes_database.transaction(timeout=10):
        await add(notes_database, "b")
    assert await texts(notes_database) == ["b"]


async def test_a_block_that_takes_too_long_cannot_hide_it(notes_database: Database) -> None:
    with pytest.raises(QueryTimeout):
        async with notes_database.transaction(timeout=0.05):
            await add(notes_database, "a")
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
    assert await count(notes_database) == 0


async def test_waiting_for_a_connection_counts_as_time_of_the_block(url: str) -> None:
    async with Database(url, max_size=1) as database, database.transaction():

        async def late() -> None:
            async with database.transaction(timeout=0.05):
                pass

        outside = asyncio.get_running_loop().create_task(late(), context=contextvars.Context())
        with pytest.raises(QueryTimeout):
            await outside


# Errors


async def test_an_error_breaks_the_block_it_happens_in(notes_database: Database) -> None:
    with pytest.raises(TransactionError, match="rolled back, because of an error inside it that was caught") as caught:
        async with notes_database.transaction():
            await add(notes_database, "a")
            with pytest.raises(UniqueViolation):
                await add(notes_database, "a")
            with pytest.raises(TransactionError, match="An error has broken this transaction"):
                await count(notes_database)
    assert isinstance(caught.value.__cause__, UniqueViolation)
    assert await count(notes_database) == 0
    await assert_nothing_is_held(notes_database)


async def test_a_nested_block_confines_an_error(notes_database: Database) -> None:
    async with notes_database.transaction():
        await add(notes_database, "a")
        with pytest.raises(UniqueViolation):
            async with notes_database.transaction():
                await add(notes_database, "b")
                await add(notes_database, "a")
        await add(notes_database, "c")
        with pytest.raises(TransactionError):
            async with notes_database.transaction():
                await add(notes_database, "d")
                with pytest.raises(ProgrammingError):
                    await notes_database.fetch_all("SELECT * FROM nowhere")
        await add(notes_database, "e")
    assert await texts(notes_database) == ["a", "c", "e"]


async def test_a_block_whose_transaction_was_ended_in_raw_sql_raises(notes_database: Database) -> None:
    with pytest.raises(TransactionError, match="COMMIT or ROLLBACK in raw SQL"):
        async with notes_database.transaction():
            await add(notes_database, "a")
            await notes_database.execute("COMMIT")
    with pytest.raises(TransactionError, match="rolled back"):
        async with notes_database.transaction():
            await add(notes_database, "b")
            with pytest.raises(TransactionError, match="COMMIT or ROLLBACK in raw SQL"):
                await notes_database.execute("ROLLBACK")
            with pytest.raises(TransactionError, match="broken"):
                await add(notes_database, "c")
    assert await texts(notes_database) == ["a"]
    await assert_nothing_is_held(notes_database)


async def test_an_error_of_ours_breaks_nothing(notes_database: Database) -> None:
    async with notes_database.transaction():
        with pytest.raises(InterfaceError):
            await notes_database.execute("SELECT :a")
        await add(notes_database, "a")
    assert await texts(notes_database) == ["a"]


async def test_a_commit_that_is_refused_raises(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database:
        await database.execute("DROP TABLE IF EXISTS pairs")
        await database.execute("CREATE TABLE pairs (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        called: list[int] = []
        with pytest.raises(IntegrityError):
            async with database.transaction():
                database.on_commit(lambda: called.append(1))
                await database.execute("INSERT INTO pairs VALUES (1), (1)")
        assert await database.fetch_val("SELECT count(*) FROM pairs") == 0
        assert called == []
        await database.execute("DROP TABLE pairs")
        await assert_nothing_is_held(database)


# Tasks


async def test_another_task_is_refused_and_told_what_to_do(notes_database: Database) -> None:
    async with notes_database.transaction() as transaction:
        assert not await in_task(is_in_transaction(notes_database))
        for work in (count(notes_database), add(notes_database, "a"), begin(notes_database)):
            with pytest.raises(TransactionError, match=r"shared=True.*connection\(fresh=True\).*asyncio.timeout"):
                await in_task(work)
        with pytest.raises(TransactionError, match="belongs to another task"):
            await in_task(transaction.fetch("SELECT 1"))
        await add(notes_database, "b")
    assert await texts(notes_database) == ["b"]


async def is_in_transaction(database: Database) -> bool:
    return database.in_transaction()


async def begin(database: Database) -> None:
    async with database.transaction():
        pass


async def test_a_task_that_outlives_a_block_it_did_not_use_uses_the_pool(notes_database: Database) -> None:
    ended = asyncio.Event()

    async def later() -> int:
        await ended.wait()
        return await count(notes_database)

    async with notes_database.transaction():
        await add(notes_database, "a")
        task = asyncio.create_task(later())
    ended.set()
    assert await task == 1


async def test_a_block_whose_task_has_ended_is_adopted(notes_database: Database) -> None:
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    transaction = notes_database.transaction()

    async def enter() -> None:
        await transaction.__aenter__()

    async def use(text: str, wait: asyncio.Event | None = None) -> None:
        await add(notes_database, text)
        if wait is not None:
            await wait.wait()

    async def leave() -> None:
        await transaction.__aexit__(None, None, None)

    await loop.create_task(enter(), context=context)
    await loop.create_task(use("a"), context=context)
    event = asyncio.Event()
    adopter = loop.create_task(use("b", event), context=context)
    await until(lambda: transaction._owner is adopter)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(TransactionError, match="belongs to another task"):
        await loop.create_task(use("c"), context=context)
    event.set()
    await adopter
    await loop.create_task(leave(), context=context)
    assert await texts(notes_database) == ["a", "b"]
    await assert_nothing_is_held(notes_database)


async def test_tasks_join_a_shared_block(notes_database: Database) -> None:
    async with notes_database.transaction(shared=True):
        await asyncio.gather(*(add(notes_database, str(number)) for number in range(5)))
        assert await in_task(count(notes_database)) == 5
        with pytest.raises(KeyError):
            await in_task(add_and_fail(notes_database))
        assert await in_task(is_in_transaction(notes_database))
    assert await count(notes_database) == 5


async def add_and_fail(database: Database) -> None:
    async with database.transaction():
        await add(database, "nested")
        raise KeyError


async def test_nested_blocks_in_a_shared_one_come_one_after_the_other(notes_database: Database) -> None:
    async def nested(text: str) -> None:
        async with notes_database.transaction():
            await add(notes_database, text)
            await asyncio.sleep(0)
            await add(notes_database, f"{text}!")

    async with notes_database.transaction(shared=True):
        await asyncio.gather(nested("a"), nested("b"), add(notes_database, "c"))
    assert sorted(await texts(notes_database)) == ["a", "a!", "b", "b!", "c"]


async def test_a_shared_block_is_not_left_while_it_is_used(notes_database: Database) -> None:
    entered = asyncio.Event()

    async def use() -> None:
        async with notes_database.transaction():
            entered.set()
            await asyncio.Event().wait()

    with pytest.raises(TransactionError, match="while another task was using it"):
        async with notes_database.transaction(shared=True):
            await add(notes_database, "a")
            task = asyncio.create_task(use())
            await entered.wait()
    task.cancel()
    with pytest.raises((asyncio.CancelledError, TransactionError)):
        await task
    assert await count(notes_database) == 0


async def test_a_task_that_used_a_shared_block_does_not_go_on_after_it(notes_database: Database) -> None:
    used, ended = asyncio.Event(), asyncio.Event()

    async def use_and_go_on() -> None:
        await add(notes_database, "a")
        used.set()
        await ended.wait()
        await add(notes_database, "b")

    async def only_later() -> None:
        await ended.wait()
        await add(notes_database, "c")

    async with notes_database.transaction(shared=True):
        tasks = asyncio.create_task(use_and_go_on()), asyncio.create_task(only_later())
        await used.wait()
    ended.set()
    with pytest.raises(TransactionError, match="that this task took part in has ended"):
        await tasks[0]
    await tasks[1]
    assert await texts(notes_database) == ["a", "c"]


async def test_awaiting_a_task_that_waits_for_our_nested_block_times_out(url: str) -> None:
    nested = asyncio.Event()

    async with Database(url, timeout=0.1) as database, database.transaction(shared=True):

        async def outside_of_the_nested_block() -> None:
            await nested.wait()
            await database.fetch("SELECT 1")

        task = asyncio.create_task(outside_of_the_nested_block())
        async with database.transaction():
            nested.set()
            with pytest.raises(PoolTimeout, match="another task is in it"):
                await task


# Generators


async def test_a_generator_lends_its_block_to_whoever_consumes_it(notes_database: Database) -> None:
    async def generator() -> AsyncIterator[int]:
        async with notes_database.transaction():
            await add(notes_database, "a")
            yield 1
            await add(notes_database, "b")

    async for _ in generator():
        assert notes_database.in_transaction()
    assert not notes_database.in_transaction()
    assert await texts(notes_database) == ["a", "b"]


async def test_a_generator_that_was_dropped_is_reported(notes_database: Database) -> None:
    async def generator() -> AsyncIterator[int]:
        async with notes_database.transaction():
            await add(notes_database, "a")
            yield 1

    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: reported.append(context))

    async def drop() -> None:
        async for _ in generator():
            break

    await in_task(drop())
    gc.collect()
    await until(lambda: reported)
    assert "dropped while it held a transaction" in reported[0]["message"]
    assert await count(notes_database) == 0


# Connections


async def test_a_connection_is_the_same_for_all_that_the_task_does(database: Database) -> None:
    async with database.connection() as connection:
        first = connection.raw_connection
        async with database.connection() as again:
            assert again.raw_connection is first
        async with database.transaction() as transaction:
            assert transaction.raw_connection is first
            assert await connection.fetch_val("SELECT 1") == 1
        assert await database.fetch_val("SELECT 2") == 2
        assert database.pool_status.in_use == 1
    with pytest.raises(InterfaceError, match="not open"):
        await connection.fetch("SELECT 1")


async def test_a_connection_belongs_to_its_task(database: Database) -> None:
    async with database.connection() as connection:
        with pytest.raises(InterfaceError, match="belongs to another task"):
            await in_task(connection.fetch("SELECT 1"))


async def test_statements_on_a_connection_are_in_its_transaction(notes_database: Database) -> None:
    async with notes_database.connection() as connection:
        with pytest.raises(KeyError):
            async with notes_database.transaction():
                await connection.execute(notes.insert().values(text="a"))
                raise KeyError
        await connection.execute(notes.insert().values(text="b"))
        with pytest.raises(TransactionError, match="rolled back"):
            async with notes_database.transaction():
                with pytest.raises(UniqueViolation):
                    await connection.execute(notes.insert().values(text="b"))
    assert await texts(notes_database) == ["b"]


async def test_a_connection_inside_a_block_is_the_blocks(notes_database: Database) -> None:
    with pytest.raises(KeyError):
        async with notes_database.transaction(), notes_database.connection() as connection:
            await connection.execute(notes.insert().values(text="a"))
            assert notes_database.in_transaction()
            raise KeyError
    assert await count(notes_database) == 0


async def test_a_fresh_connection_is_outside_of_the_block(notes_database: Database) -> None:
    async def read_outside() -> int:
        async with notes_database.connection(fresh=True) as connection:
            assert not notes_database.in_transaction()
            assert await count(notes_database) == await connection.fetch_val("SELECT COUNT(*) FROM notes")
            return await count(notes_database)

    async with notes_database.transaction():
        await add(notes_database, "a")
        assert await read_outside() == 0
        assert await in_task(read_outside()) == 0
        assert await count(notes_database) == 1


async def test_a_fresh_connection_that_could_only_wait_for_ourselves_is_refused(url: str) -> None:
    async with Database(url, max_size=1) as database, database.transaction():
        with pytest.raises(TransactionError, match="would be waited for in vain"):
            async with database.connection(fresh=True):
                pass


# on_commit


async def test_hooks_run_in_order_after_the_outermost_commit(notes_database: Database) -> None:
    called: list[Any] = []

    async def later() -> None:
        assert not notes_database.in_transaction()
        called.append(await count(notes_database))

    async with notes_database.transaction() as transaction:
        notes_database.on_commit(lambda: called.append("first"))
        async with notes_database.transaction():
            await add(notes_database, "a")
            notes_database.on_commit(later)
        with pytest.raises(KeyError):
            async with notes_database.transaction() as nested:
                nested.on_commit(lambda: called.append("dropped"))
                raise KeyError
        transaction.on_commit(lambda: called.append("last"))
        assert called == []
    assert called == ["first", 1, "last"]


async def test_hooks_of_a_block_that_is_rolled_back_are_dropped(notes_database: Database) -> None:
    called: list[int] = []
    with pytest.raises(KeyError):
        async with notes_database.transaction():
            notes_database.on_commit(lambda: called.append(1))
            raise KeyError
    async with notes_database.transaction(force_rollback=True):
        notes_database.on_commit(lambda: called.append(2))
    assert called == []


async def test_a_hook_that_raises_is_logged_and_stops_nothing(
    notes_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[int] = []

    def fail() -> None:
        raise KeyError("hook")

    async with notes_database.transaction():
        await add(notes_database, "a")
        notes_database.on_commit(fail)
        notes_database.on_commit(lambda: called.append(1))
    assert called == [1]
    assert "An on_commit function failed" in caplog.text
    assert await count(notes_database) == 1


async def test_cancellation_drops_the_hooks_that_are_left(
    notes_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    called: list[int] = []
    started = asyncio.Event()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    async def work() -> None:
        async with notes_database.transaction():
            await add(notes_database, "a")
            notes_database.on_commit(wait)
            notes_database.on_commit(lambda: called.append(1))

    task = asyncio.create_task(work())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert called == []
    assert "Cancelled after the commit" in caplog.text
    assert await count(notes_database) == 1


async def test_outside_of_a_block_a_hook_runs_at_once(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    called: list[str] = []
    done = asyncio.Event()

    async def later() -> None:
        called.append("async")
        done.set()
        raise KeyError("later")

    database.on_commit(lambda: called.append("sync"))
    assert called == ["sync"]
    with caplog.at_level(logging.ERROR):
        database.on_commit(later)
        await done.wait()
        await asyncio.sleep(0)
    assert called == ["sync", "async"]
    assert "An on_commit function failed" in caplog.text


# Retries


async def test_retries_belong_to_the_decorator(database: Database) -> None:
    with pytest.raises(TransactionError, match="needs the decorator"):
        async with database.transaction(retries=1):
            pass


async def test_a_function_is_run_again_until_it_succeeds(notes_database: Database) -> None:
    called: list[str] = []

    @notes_database.transaction(retries=3)
    async def work() -> str:
        await add(notes_database, f"try {len(called)}")
        notes_database.on_commit(lambda: called.append("committed"))
        called.append("tried")
        if len(called) < 3:
            raise LockTimeout("busy")
        return "done"

    assert await work() == "done"
    assert called == ["tried", "tried", "tried", "committed"]
    assert await texts(notes_database) == ["try 2"]


async def test_retries_come_to_an_end(notes_database: Database) -> None:
    tries: list[int] = []

    @notes_database.transaction(retries=2)
    async def work() -> None:
        tries.append(1)
        raise LockTimeout("busy")

    with pytest.raises(LockTimeout):
        await work()
    assert len(tries) == 3
    tries.clear()

    @notes_database.transaction(retries=2)
    async def fail() -> None:
        tries.append(1)
        raise KeyError

    with pytest.raises(KeyError):
        await fail()
    assert len(tries) == 1


async def test_a_nested_function_is_not_retried(notes_database: Database) -> None:
    @notes_database.transaction(retries=2)
    async def work() -> None:
        pass

    async with notes_database.transaction():
        with pytest.raises(TransactionError, match="cannot run inside another one"):
            await work()


async def test_conflicting_transactions_all_succeed_in_the_end(notes_database: Database) -> None:
    """Real conflicts: serialization failures, deadlocks or a busy database, whatever the engine has."""
    await add(notes_database, "sum")
    await notes_database.execute(notes.update().values(changes=0))

    @notes_database.transaction(isolation="serializable", retries=20)
    async def increase() -> None:
        value = await notes_database.fetch_val("SELECT changes FROM notes")
        await asyncio.sleep(0)
        await notes_database.execute("UPDATE notes SET changes = :value", {"value": value + 1})

    await asyncio.gather(*(increase() for _ in range(4)))
    assert await notes_database.fetch_val("SELECT changes FROM notes") == 4
    await assert_nothing_is_held(notes_database)


# force_rollback for the whole database


async def test_a_database_with_force_rollback_forgets_everything(notes_database: Database, url: str) -> None:
    called: list[int] = []
    async with Database(url, force_rollback=True) as database:
        assert not database.in_transaction()
        await add(database, "a")
        with pytest.raises(UniqueViolation):
            await add(database, "a")
        async with database.transaction(durable=True, isolation="serializable"):
            assert database.in_transaction()
            await add(database, "b")
            database.on_commit(lambda: called.append(1))
        assert called == [1]
        with pytest.raises(KeyError):
            async with database.transaction():
                await add(database, "c")
                raise KeyError
        await in_task(add(database, "d"))
        assert [row.text async for row in database.iterate("SELECT text FROM notes ORDER BY id")] == ["a", "b", "d"]
        assert database.pool_status.in_use == 1
    assert await count(notes_database) == 0


# Disconnecting


async def test_a_database_is_not_disconnected_inside_its_blocks(database: Database) -> None:
    async with database.transaction():
        with pytest.raises(TransactionError, match="inside one of its blocks"):
            await database.disconnect()
    assert await database.fetch_val("SELECT 1") == 1
