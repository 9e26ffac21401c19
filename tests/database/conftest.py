"""Fixtures of the tests of the database layer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from orm.database import Database
from tests.database import tables


@pytest_asyncio.fixture
async def notes_database(database: Database) -> AsyncIterator[Database]:
    """A connected database of every kind in turn, with an empty table of notes."""
    await tables.create(database)
    yield database
    await tables.drop(database)
