"""Observers: what they see, and that they disturb nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from orm.database import Database, LoggingObserver, Observer, StatementEvent, TransactionEvent
from orm.exceptions import ProgrammingError, QueryTimeout
from tests.database.tables import notes


class Recorder(Observer):
    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def statement(self, event: StatementEvent) -> None:
        self.seen.append(("statement", event))

    def begin(self, event: TransactionEvent) -> None:
        self.seen.append(("begin", event.depth))

    def commit(self, event: TransactionEvent) -> None:
        self.seen.append(("commit", event.depth))

    def rollback(self, event: TransactionEvent) -> None:
        self.seen.append(("rollback", event.depth))

    @property
    def statements(self) -> list[StatementEvent]:
        return [event for kind, event in self.seen if kind == "statement"]


async def test_every_statement_is_seen(url: str, notes_database: Database) -> None:
    recorder = Recorder()
    async with Database(url, observers=[recorder]) as database:
        await database.execute(notes.insert().values(text="a"))
        await database.fetch_all("SELECT text FROM notes WHERE text = :t", {"t": "a"})
        await database.execute_many(notes.insert(), [{"text": "b"}, {"text": "c"}])
        assert [row.text async for row in database.iterate(notes.select(), chunk_size=2)] == ["a", "b", "c"]
        async with database.transaction():
            assert len([row async for row in database.iterate(notes.select(), chunk_size=2)]) == 3
        with pytest.raises(ProgrammingError):
            await database.fetch("SELECT nothing")
    events = recorder.statements
    assert [event.rows for event in events] == [1, 1, 2, 3, 3, None]
    assert all(event.duration > 0 for event in events)
    insert, select, *_, failed = events
    assert insert.sql.startswith("INSERT INTO notes")
    assert insert.info is not None
    assert (insert.info.operation, insert.info.tables, insert.info.summary) == ("insert", ("notes",), "insert notes")
    assert list(select.arguments) == ["a"]
    assert isinstance(failed.error, ProgrammingError)
    assert all(event.error is None for event in events[:-1])


async def test_transactions_are_seen(url: str) -> None:
    recorder = Recorder()
    async with Database(url, observers=[recorder]) as database:
        async with database.transaction():
            async with database.transaction():
                pass
            with pytest.raises(KeyError):
                await fail(database)
        with pytest.raises(KeyError):
            await fail(database)
    assert recorder.seen == [
        ("begin", 0),
        ("begin", 1),
        ("commit", 1),
        ("begin", 1),
        ("rollback", 1),
        ("commit", 0),
        ("begin", 0),
        ("rollback", 0),
    ]


async def fail(database: Database) -> None:
    async with database.transaction():
        raise KeyError


async def test_an_observer_that_raises_is_logged_and_disturbs_nothing(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Observer):
        def statement(self, event: StatementEvent) -> None:
            raise KeyError("broken")

    async with Database(url, observers=[Broken()]) as database:
        assert await database.fetch_val("SELECT 1") == 1
    assert "An observer failed" in caplog.text


async def test_statements_are_logged_without_their_values(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="orm.database")
    async with Database(url, observers=[LoggingObserver()]) as database, database.transaction():
        await database.fetch_val("SELECT :secret AS x", {"secret": "hush"})
    assert "AS x" in caplog.text
    assert "1 rows" in caplog.text
    assert "BEGIN" in caplog.text
    assert "COMMIT" in caplog.text
    assert "hush" not in caplog.text


async def test_values_are_logged_only_when_asked_for(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="orm.database")
    async with Database(sqlite_url, observers=[LoggingObserver(show_arguments=True)]) as database:
        await database.fetch_val("SELECT :secret AS x", {"secret": "hush"})
    assert "hush" in caplog.text


async def test_slow_statements_are_warned_of(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Database(sqlite_url, observers=[LoggingObserver(slow=1e-9)]) as database:
        await database.fetch("SELECT 5")
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "Slow: SELECT 5" in record.getMessage()
    caplog.clear()
    async with Database(sqlite_url, observers=[LoggingObserver(slow=None)]) as database:
        await database.fetch("SELECT 5")
    assert caplog.records == []


SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT MAX(i) FROM n",
    "postgresql": "SELECT pg_sleep(60)",
    "mysql": "SELECT SLEEP(60)",
}


async def test_a_statement_that_takes_too_long_is_stopped(url: str) -> None:
    async with Database(url, query_timeout=0.1) as database:
        with pytest.raises(QueryTimeout):
            await database.fetch(SLOW[database.dialect.name])
        assert await database.fetch_val("SELECT 1") == 1
