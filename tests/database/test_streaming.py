"""Results in pieces: what is held, what may be done meanwhile, and how it ends."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing

import pytest

from orm.database import Database
from orm.exceptions import InterfaceError, ProgrammingError, TransactionError
from tests.database.tables import notes
from tests.database.waiting import until

NUMBERS = "SELECT text FROM notes ORDER BY id"


@pytest.fixture
def rows() -> list[str]:
    return [f"note {number}" for number in range(25)]


async def fill(database: Database, rows: list[str]) -> None:
    await database.execute_many(notes.insert(), [{"text": text} for text in rows])


async def all_back(database: Database) -> None:
    await until(lambda: database.pool_status.in_use == 0)


async def test_rows_come_in_pieces_of_the_size_asked_for(notes_database: Database, rows: list[str]) -> None:
    await fill(notes_database, rows)
    sizes = [len(piece) async for piece in notes_database.stream(NUMBERS, chunk_size=10)]
    assert sizes == [10, 10, 5]
    assert [row.text async for row in notes_database.iterate(NUMBERS, chunk_size=4)] == rows
    assert [piece async for piece in notes_database.stream("SELECT 1 WHERE 1 = 0")] == []
    with pytest.raises(InterfaceError, match="at least 1, not 0"):
        await anext(aiter(notes_database.stream(NUMBERS, chunk_size=0)))
    await all_back(notes_database)


async def test_values_and_types_are_those_of_fetch_all(notes_database: Database) -> None:
    await notes_database.execute(notes.insert().values(text="a", done=True))
    query = notes.select().where(notes.c.text == "a")
    async for row in notes_database.iterate(query):
        assert row[notes.c.done] is True
    found = [row.text async for row in notes_database.iterate("SELECT text FROM notes WHERE text = :t", {"t": "a"})]
    assert found == ["a"]


@pytest.mark.parametrize("in_block", [False, True])
async def test_queries_inside_an_iteration_work(notes_database: Database, rows: list[str], in_block: bool) -> None:
    await fill(notes_database, rows)

    async def iterate() -> None:
        seen = []
        async for row in notes_database.iterate(NUMBERS, chunk_size=5):
            seen.append(row.text)
            found = await notes_database.fetch_val("SELECT text FROM notes WHERE text = :t", {"t": row.text})
            assert found == row.text
            await notes_database.execute(notes.update().where(notes.c.text == row.text).values(words=0))
        assert seen == rows

    if in_block:
        async with notes_database.transaction():
            await iterate()
    else:
        await iterate()
    assert await notes_database.fetch_val("SELECT SUM(words) FROM notes") == 0
    await all_back(notes_database)


async def test_nested_iterations_never_take_the_last_connection(url: str, notes_database: Database) -> None:
    await fill(notes_database, ["a", "b", "c"])
    for max_size in (1, 2, 3):
        async with Database(url, max_size=max_size, timeout=1) as database:
            found = 0
            async for _ in database.iterate(NUMBERS, chunk_size=1):
                async for _ in database.iterate(NUMBERS, chunk_size=1):
                    async for _ in database.iterate(NUMBERS, chunk_size=1):
                        assert await database.fetch_val("SELECT 1") == 1
                        assert database.pool_status.in_use <= max(0, max_size - 1)
                        found += 1
            assert found == 27


async def test_an_iteration_that_is_left_gives_its_connection_back(notes_database: Database, rows: list[str]) -> None:
    await fill(notes_database, rows)
    for _ in range(6):
        async for _ in notes_database.iterate(NUMBERS, chunk_size=2):
            break
    gc.collect()
    await all_back(notes_database)
    with pytest.raises(KeyError):
        await fail_inside(notes_database)
    await all_back(notes_database)
    assert await notes_database.fetch_val("SELECT COUNT(*) FROM notes") == 25


async def fail_inside(database: Database) -> None:
    async for _ in database.iterate(NUMBERS, chunk_size=2):
        raise KeyError


async def test_an_iteration_that_is_cancelled_gives_its_connection_back(
    notes_database: Database, rows: list[str]
) -> None:
    await fill(notes_database, rows)
    reading = asyncio.Event()

    async def read() -> None:
        async for _ in notes_database.iterate(NUMBERS, chunk_size=2):
            reading.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await all_back(notes_database)


async def test_an_error_in_an_iteration_is_ours(notes_database: Database) -> None:
    with pytest.raises(ProgrammingError):
        await anext(aiter(notes_database.iterate("SELECT * FROM nowhere")))
    await all_back(notes_database)
    with pytest.raises(TransactionError, match="rolled back"):  # noqa: PT012
        async with notes_database.transaction():
            with pytest.raises(ProgrammingError):
                await anext(aiter(notes_database.iterate("SELECT * FROM nowhere")))
    await all_back(notes_database)


async def test_an_iteration_left_in_a_block_disturbs_nothing(notes_database: Database, rows: list[str]) -> None:
    await fill(notes_database, rows)
    async with notes_database.transaction():
        for number in range(3):
            async for _ in notes_database.iterate(NUMBERS, chunk_size=2):
                break
            gc.collect()
            await asyncio.sleep(0)
            await notes_database.execute(notes.insert().values(text=f"more {number}"))
    await all_back(notes_database)
    assert await notes_database.fetch_val("SELECT COUNT(*) FROM notes") == 28


async def test_an_iteration_does_not_outlive_its_block(notes_database: Database, rows: list[str]) -> None:
    await fill(notes_database, rows)
    for error in (None, KeyError()):
        iterator = notes_database.iterate(NUMBERS, chunk_size=1)
        try:
            async with notes_database.transaction():
                await anext(iterator)
                if error is not None:
                    raise error
        except KeyError:
            pass
        await all_back(notes_database)
        if notes_database.capabilities.interleaving:
            with pytest.raises(TransactionError, match="over"):
                await anext(iterator)
        await iterator.aclose()
        assert await notes_database.fetch_val("SELECT COUNT(*) FROM notes") == 25


async def test_an_iteration_of_another_task_keeps_a_shared_block_open(
    notes_database: Database, rows: list[str]
) -> None:
    await fill(notes_database, rows)
    if not notes_database.capabilities.interleaving:
        pytest.skip("reads the result whole")
    reading, go_on = asyncio.Event(), asyncio.Event()

    async def read() -> None:
        async with aclosing(notes_database.iterate(NUMBERS, chunk_size=1)) as iterator:
            async for _ in iterator:
                reading.set()
                await go_on.wait()

    with pytest.raises(TransactionError, match="while another task was using it"):  # noqa: PT012
        async with notes_database.transaction(shared=True):
            task = asyncio.create_task(read())
            await reading.wait()
    go_on.set()
    with pytest.raises(TransactionError):
        await task  # pyright: ignore[reportPossiblyUnbound]
    await all_back(notes_database)


async def test_tasks_iterate_together_in_a_shared_block(notes_database: Database, rows: list[str]) -> None:
    await fill(notes_database, rows)

    async def read() -> list[str]:
        return [row.text async for row in notes_database.iterate(NUMBERS, chunk_size=3)]

    async with notes_database.transaction(shared=True):
        assert tuple(await asyncio.gather(read(), read(), read())) == (rows, rows, rows)


async def test_a_connection_block_streams_too(notes_database: Database, rows: list[str]) -> None:
    await fill(notes_database, rows)
    async with notes_database.connection() as connection:
        seen = []
        async for row in connection.iterate(NUMBERS, chunk_size=4):
            seen.append(row.text)
            assert await notes_database.fetch_val("SELECT 1") == 1
        assert seen == rows
    await all_back(notes_database)
