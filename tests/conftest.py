"""Fixtures that choose the database: one test body runs on every engine and driver."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orm import operators, transforms
from orm.database import Database
from tests.databases import BACKENDS, DEFAULTS, REQUIRED, Scratch, created, server_url
from tests.flights import flights as flights_models
from tests.flights import load as load_flights
from tests.music import models
from tests.recorder import Recorder
from tests.worlds import Worlds, in_database


@pytest.fixture(scope="session")
def scratch() -> Iterator[dict[str, Scratch]]:
    """A scratch database on every server that can be reached, by engine."""
    found = {}
    for engine in DEFAULTS:
        server = server_url(engine)
        if server is not None:
            found[engine] = Scratch(engine, server, f"orm_test_{os.getpid()}")
            found[engine].create()
    yield found
    for database in found.values():
        database.drop()


def _url(backend: str, scratch: dict[str, Scratch], directory: Path) -> str:
    if backend == "sqlite":
        return f"sqlite:///{directory / 'test.db'}"
    engine = backend.partition("+")[0]
    if engine not in scratch:
        if REQUIRED:
            pytest.fail(f"no {engine} server to test on, and ORM_TEST_REQUIRE_ALL is set")
        pytest.skip(f"no {engine} server")
    return scratch[engine].url.replace(engine, backend, 1)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    """The engine and driver of this run of the test."""
    return str(request.param)


@pytest.fixture
def url(backend: str, scratch: dict[str, Scratch], tmp_path: Path) -> str:
    """The URL of a database of that kind."""
    return _url(backend, scratch, tmp_path)


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A connected database of every kind in turn."""
    async with Database(url, max_size=5, timeout=10) as database:
        yield database


@pytest.fixture
def own_url(backend: str, scratch: dict[str, Scratch], tmp_path: Path) -> Iterator[str]:
    """The URL of a database that no other test uses, for what leaves tables behind."""
    engine = backend.partition("+")[0]
    if engine not in scratch:
        yield _url(backend, scratch, tmp_path)
        return
    own = Scratch(engine, scratch[engine].server, f"{scratch[engine].name}_own")
    own.create()
    yield own.url.replace(engine, backend, 1)
    own.drop()


@pytest.fixture
def worlds(own_url: str) -> Iterator[Worlds]:
    """Gives one set of random data after the other, each in the database while it is looked at."""
    yield from in_database(own_url)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an SQLite file, for what concerns SQLite alone."""
    return f"sqlite:///{tmp_path / 'test.db'}"


@pytest.fixture
def postgresql_url(scratch: dict[str, Scratch], tmp_path: Path) -> str:
    """The URL of a PostgreSQL database, for what concerns PostgreSQL alone."""
    return _url("postgresql", scratch, tmp_path)


@pytest.fixture(params=["mysql+aiomysql", "mysql+asyncmy"])
def mysql_url(request: pytest.FixtureRequest, scratch: dict[str, Scratch], tmp_path: Path) -> str:
    """The URL of a MySQL or MariaDB database under both drivers, for what concerns them alone."""
    return _url(str(request.param), scratch, tmp_path)


@pytest_asyncio.fixture
async def time_zones(database: Database) -> None:
    """The database knows time zones by their names: MySQL once its tables are loaded, which `scripts/servers` does."""
    if database.dialect.name != "mysql":
        return
    if await database.fetch_val("SELECT CONVERT_TZ('2024-01-01', '+00:00', 'Europe/Berlin')") is None:
        reason = "the MySQL server's time zone tables are empty (mysql_tzinfo_to_sql /usr/share/zoneinfo | mysql mysql)"
        if REQUIRED:
            pytest.fail(f"{reason}, and ORM_TEST_REQUIRE_ALL is set")
        pytest.skip(reason)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was left out."""
    missing = [engine for engine in DEFAULTS if server_url(engine) is None]
    if missing:
        terminalreporter.write_line(f"Skipped for want of a server: {', '.join(missing)} (see CONTRIBUTING.md)")


@pytest.fixture
def registered_words() -> Iterator[None]:
    """Lookups and transforms that the test registers are gone after it: there is one table of them for all models."""
    tables: list[dict[Any, Any]] = [operators.OPERATORS, operators._OWN, transforms._TABLE]
    saved = [dict(table) for table in tables]
    yield
    for table, entries in zip(tables, saved, strict=True):
        table.clear()
        table.update(entries)
    for schema in models.schemas.values():
        schema.cache.clear()
        schema.plans.clear()


@pytest_asyncio.fixture
async def music(database: Database) -> AsyncIterator[Database]:
    """The database with the tables of `tests.music`, empty; its registry is connected to it."""
    async with created(models, database):
        yield database


@pytest_asyncio.fixture
async def recorder(music: Database, url: str) -> AsyncIterator[Recorder]:
    """What `tests.music` sends to the database from now on."""
    made = Recorder()
    async with Database(url, max_size=5, observers=[made]) as observed:
        models.database = observed
        yield made
        models.database = music


@pytest_asyncio.fixture
async def flights(database: Database) -> AsyncIterator[Database]:
    """The database with the tables and rows of `tests.flights`."""
    async with created(flights_models, database):
        await load_flights()
        yield database
