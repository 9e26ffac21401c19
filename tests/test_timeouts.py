"""Time limits: `timeout()` of query sets and `timeout=` of statements stop the statement on the server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

import orm
from orm.database import Database, mysql_connection
from orm.database.mysql_connection import within
from orm.database.postgresql import PostgreSQLConnection
from tests.music import Album, Artist, Tag, Track
from tests.recorder import Recorder

LIMIT = 0.15
LONG = 30.0
"""How long a slow statement takes if nobody stops it."""

_COUNTING = "SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)"
_SLOW = {
    "sqlite": f"({_COUNTING}) > -1",
    "postgresql": f"(SELECT pg_sleep({LONG})) IS NOT NULL",
    "mysql": f"SLEEP({LONG}) = 0",
}
_RUNNING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' "
    "AND query LIKE :text AND pid <> pg_backend_pid()",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE() AND info LIKE :text "
    "AND id <> CONNECTION_ID()",
}


def slow(database: Database) -> sa.ColumnElement[bool]:
    """A condition that takes very long."""
    return sa.literal_column(_SLOW[database.dialect.name], sa.Boolean)


async def drain(rows: AsyncIterator[Any]) -> None:
    """Read a stream to its end."""
    async for _ in rows:
        pass


async def is_running(database: Database) -> bool:
    """Whether the server still works on the slow condition."""
    statement = _RUNNING.get(database.dialect.name)
    if statement is None:
        return False  # no server: the thread has answered, or the next statement could not be run
    text = "%pg_sleep%" if database.dialect.name == "postgresql" else "%SLEEP(%"
    async with database.connection(fresh=True) as other:
        return bool(await other.fetch_val(statement, {"text": text}))


async def is_stopped(database: Database) -> bool:
    """Whether the server stops working on it: it is told in the background."""
    for _ in range(1000):
        if not await is_running(database):
            return True
    return False


@pytest.fixture
async def tags(music: Database) -> Any:
    await Tag.objects.bulk_create([Tag(word="a"), Tag(word="b")])
    return Tag.objects.order_by("word")


@pytest.mark.parametrize(
    "method", ["select", "get", "first", "count", "exists", "aggregate", "update", "delete", "page"]
)
async def test_every_statement_is_stopped_in_time(music: Database, tags: Any, method: str) -> None:
    limited = tags.filter(slow(music)).timeout(LIMIT)
    run = {
        "select": limited._fetch,
        "get": limited.get,
        "first": limited.first,
        "count": limited.count,
        "exists": limited.exists,
        "aggregate": lambda: limited.aggregate(least=orm.Min("id")),
        "update": lambda: limited.update(word="c"),
        "delete": limited.delete,
        "page": limited.paginate,
    }[method]
    began = time.perf_counter()
    with pytest.raises(orm.QueryTimeout, match=r"The statement took longer than 0\.15 s and was stopped\."):
        await run()
    assert time.perf_counter() - began < LONG / 3
    assert [tag.word for tag in await tags] == ["a", "b"]
    assert await is_stopped(music)


async def test_a_stream_is_stopped(music: Database, tags: Any) -> None:
    with pytest.raises(orm.QueryTimeout):
        await drain(aiter(tags.filter(slow(music)).timeout(LIMIT)))
    with pytest.raises(orm.QueryTimeout):
        await drain(aiter(tags.filter(slow(music)).timeout(LIMIT).values_list("id")))
    assert await tags.count() == 2


async def test_statements_of_ones_own_are_stopped(music: Database, tags: Any) -> None:
    statement = sa.select(Tag.table).where(slow(music))
    with pytest.raises(orm.QueryTimeout):
        await Tag.objects.timeout(LIMIT).from_statement(statement)
    with pytest.raises(orm.QueryTimeout):
        await Tag.objects.timeout(LIMIT).from_statement(statement).using(music)
    with pytest.raises(orm.QueryTimeout):
        await drain(aiter(Tag.objects.timeout(LIMIT).from_statement(statement)))
    for run in (music.fetch_all, music.fetch_one, music.fetch_val, music.execute):
        with pytest.raises(orm.QueryTimeout):
            await run(statement, timeout=LIMIT)  # type: ignore[operator]
    with pytest.raises(orm.QueryTimeout):
        await drain(music.iterate(statement, timeout=LIMIT))
    assert await music.fetch_val(sa.select(sa.func.count()).select_from(Tag.table), timeout=LONG) == 2


async def test_prefetched_rows_are_read_within_the_limit(music: Database) -> None:
    artist = await Artist.objects.create(name="x")
    album = await Album.objects.create(title="y", artist=artist)
    await Track.objects.create(name="z", album=album)
    slow_albums = orm.Prefetch("albums", Album.objects.filter(slow(music)))
    slow_tracks = orm.Prefetch("albums__tracks", Track.objects.filter(slow(music)), to_attr="slow")
    with pytest.raises(orm.QueryTimeout):
        await Artist.objects.prefetch_related(slow_albums).timeout(LIMIT)
    with pytest.raises(orm.QueryTimeout):
        await Artist.objects.prefetch_related(slow_tracks).timeout(LIMIT)
    of_its_own = orm.Prefetch("albums", Album.objects.filter(slow(music)).timeout(LIMIT))
    with pytest.raises(orm.QueryTimeout):
        await Artist.objects.prefetch_related(of_its_own).timeout(LONG)


async def test_a_transaction_outlives_a_read_in_a_nested_block(music: Database, tags: Any) -> None:
    async with music.transaction():
        await Tag.objects.create(word="c")
        for _ in range(2):
            with pytest.raises(orm.QueryTimeout, match=r"longer than 0\.15 s"):
                async with music.transaction():
                    await tags.filter(slow(music)).timeout(LIMIT)
            with pytest.raises(orm.QueryTimeout):
                async with music.transaction():
                    await drain(aiter(tags.filter(slow(music)).timeout(LIMIT)))
        assert await tags.timeout(LONG).count() == 3
    assert await tags.count() == 3


async def test_a_transaction_outlives_a_write_where_the_server_can_stop_it(music: Database, tags: Any) -> None:
    async def work() -> None:
        async with music.transaction():
            await Tag.objects.create(word="c")
            with pytest.raises(orm.QueryTimeout):
                async with music.transaction():
                    await tags.filter(slow(music)).timeout(LIMIT).update(word="d")
            await Tag.objects.create(word="e")

    if music.dialect.name == "sqlite":  # it rolls back itself
        with pytest.raises(orm.TransactionError, match="An error has broken this transaction"):
            await work()
        assert await tags.count() == 2
    else:
        await work()
        assert await tags.count() == 4


async def test_a_block_without_a_nested_one_is_broken(music: Database, tags: Any) -> None:
    async def work() -> None:
        async with music.transaction():
            await Tag.objects.create(word="c")
            with pytest.raises(orm.QueryTimeout):
                await tags.filter(slow(music)).timeout(LIMIT)

    with pytest.raises(orm.TransactionError, match="rolled back"):
        await work()
    assert await tags.count() == 2


async def test_open_streams_of_a_block_outlive_a_statement_that_is_stopped(music: Database, tags: Any) -> None:
    async with music.transaction():
        seen = []
        async for tag in tags.iterate(1):
            seen.append(tag.word)
            with pytest.raises(orm.QueryTimeout):
                async with music.transaction():
                    await tags.filter(slow(music)).timeout(0.05)
    assert seen == ["a", "b"]


async def test_what_was_set_before_in_a_block_holds_again(postgresql_url: str) -> None:
    async with Database(postgresql_url) as database, database.transaction():
        await database.execute("SET LOCAL statement_timeout = '12s'")
        assert await database.fetch_val("SHOW statement_timeout", timeout=7) == "7s"
        assert await database.fetch_val("SHOW statement_timeout") == "12s"
        with pytest.raises(orm.QueryTimeout):
            async with database.transaction():
                await database.execute("SELECT pg_sleep(30)", timeout=LIMIT)
        assert await database.fetch_val("SHOW statement_timeout") == "12s"
        with pytest.raises(orm.DataError):  # refused by the driver: the transaction is not broken on the server
            async with database.transaction():
                await database.fetch("SELECT $1::int", ["x"], timeout=7)
        assert await database.fetch_val("SHOW statement_timeout") == "12s"


async def test_a_fast_statement_is_sent_as_it_is(recorder: Recorder, music: Database) -> None:
    await Tag.objects.create(word="a")
    recorder.clear()
    limited = Tag.objects.timeout(LONG)
    assert [tag.word for tag in await limited.filter(word="a")] == ["a"]
    assert await limited.filter(word="a").update(word="b") == 1
    assert [tag.word async for tag in limited] == ["b"]
    assert await limited.filter(word="b").values_list("word", flat=True) == ["b"]
    assert await limited.in_bulk([0]) == {}
    assert (await limited.order_by("id").cursor_paginate()).items[0].word == "b"
    assert (await limited.paginate(count="estimate")).items[0].word == "b"
    assert await limited.filter(word="b").returning("id").delete() if music.capabilities.returning else True
    sql = [event.sql for event in recorder.events]
    assert not any("max_statement_time" in text or "statement_timeout" in text for text in sql)
    recorder.clear()
    await limited.filter(word="a")
    assert recorder.count == 1


async def test_round_trips_grow_inside_a_transaction_only(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = PostgreSQLConnection.fetch
    sent: list[str] = []

    async def counted(self: PostgreSQLConnection, sql: str, arguments: Any) -> Any:
        sent.append(sql)
        return await fetch(self, sql, arguments)

    monkeypatch.setattr(PostgreSQLConnection, "fetch", counted)
    async with Database(postgresql_url) as database:
        await database.fetch("SELECT 1", timeout=LONG)
        assert sent == ["SELECT 1"]
        async with database.transaction():
            await database.fetch("SELECT 2", timeout=LONG)
        assert len(sent) == 4


async def test_what_mysql_cannot_stop_is_cut_off(mysql_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql_connection, "within", lambda *_, **__: None)  # as for an UPDATE

    async def work(database: Database) -> None:
        async with database.transaction():
            with pytest.raises(orm.QueryTimeout, match=r"longer than 0\.15 s"):
                async with database.transaction():
                    await database.execute("SELECT SLEEP(30)", timeout=LIMIT)
            await database.fetch_all("SELECT 1")

    async with Database(mysql_url) as database:
        with pytest.raises(orm.TransactionError, match="An error has broken this transaction"):
            await work(database)
        assert await is_stopped(database)


async def test_the_enclosing_transaction_outlives_it(music: Database, tags: Any, url: str) -> None:
    async with Database(url, force_rollback=True) as database:
        kept = tags.using(database)
        assert await kept.timeout(LONG).count() == 2
        with pytest.raises(orm.QueryTimeout):
            await kept.filter(slow(database)).timeout(LIMIT)
        with pytest.raises(orm.QueryTimeout):
            await drain(aiter(kept.filter(slow(database)).timeout(LIMIT)))
        assert await kept.count() == 2


async def test_a_limit_is_no_part_of_the_plan(music: Database) -> None:
    plans = Tag.__schema__.plans  # type: ignore[attr-defined]
    await Tag.objects.filter(word="a")
    before = len(plans)
    await Tag.objects.filter(word="a").timeout(1)
    await Tag.objects.filter(word="a").timeout(2.5)
    assert len(plans) == before


async def test_the_shorter_limit_counts(music: Database, tags: Any, url: str) -> None:
    async with Database(url, query_timeout=LIMIT) as bounded:
        with pytest.raises(orm.QueryTimeout, match=r"0\.15 s"):
            await tags.using(bounded).filter(slow(music)).timeout(LONG)
        with pytest.raises(orm.QueryTimeout, match=r"0\.15 s"):
            await drain(aiter(tags.using(bounded).filter(slow(music)).timeout(LONG)))
    async with Database(url, query_timeout=LONG) as bounded:
        with pytest.raises(orm.QueryTimeout, match=r"0\.15 s"):
            await tags.using(bounded).filter(slow(music)).timeout(LIMIT)


@pytest.mark.parametrize("seconds", [0, -1, True, "1", None, float("nan"), float("inf")])
def test_what_is_no_duration_is_refused(seconds: Any) -> None:
    with pytest.raises(orm.ValidationError, match=r"timeout is a number of seconds, more than 0, not "):
        Tag.objects.timeout(seconds)


@pytest.mark.parametrize("seconds", [0, -1, True, "1", float("nan"), float("inf")])
async def test_what_is_no_duration_is_refused_by_the_database(sqlite_url: str, seconds: Any) -> None:
    async with Database(sqlite_url) as database:
        with pytest.raises(orm.InterfaceError, match=r"timeout is a number of seconds, more than 0, or None; not "):
            await database.fetch_all("SELECT 1", timeout=seconds)
        with pytest.raises(orm.InterfaceError, match="timeout is a number of seconds"):
            await drain(database.iterate("SELECT 1", timeout=seconds))
        with pytest.raises(orm.InterfaceError, match="timeout is a number of seconds"):
            await database.fetch("SELECT 1", timeout=seconds)


async def test_what_it_does_not_bound_refuses_it(music: Database) -> None:
    limited = Tag.objects.timeout(1)
    for name, run in {
        "create": lambda: limited.create(word="a"),
        "bulk_create": lambda: limited.bulk_create([Tag(word="a")]),
        "bulk_update": lambda: limited.bulk_update([], ["word"]),
        "get_or_create": lambda: limited.get_or_create(word="a"),
        "update_or_create": lambda: limited.update_or_create(word="a"),
    }.items():
        with pytest.raises(orm.FieldError, match=rf"timeout\(\) bounds what reads, .*, not {name}\(\)"):
            await run()


def test_what_mysql_and_mariadb_are_sent() -> None:
    assert within("UPDATE t SET a = %s", 2, is_mariadb=True) == (
        "SET STATEMENT max_statement_time=2.000000 FOR UPDATE t SET a = %s"
    )
    assert within("SELECT 1", 1e-9, is_mariadb=True) == "SET STATEMENT max_statement_time=0.000001 FOR SELECT 1"
    assert within("SELECT 1", 1e12, is_mariadb=True) == "SET STATEMENT max_statement_time=31536000.000000 FOR SELECT 1"
    assert within("/* x */ select 1", 0.25, is_mariadb=False) == "/* x */ select /*+ MAX_EXECUTION_TIME(250) */ 1"
    assert within("SELECT 1", 1e12, is_mariadb=False) == "SELECT /*+ MAX_EXECUTION_TIME(4294967295) */ 1"
    assert within("SELECT 1", 1e-9, is_mariadb=False) == "SELECT /*+ MAX_EXECUTION_TIME(1) */ 1"
    assert within("UPDATE t SET a = 1", 2, is_mariadb=False) is None  # it is cut off instead
