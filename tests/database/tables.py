"""Tables for the tests of the database layer."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.schema import CreateTable, DropTable

from orm.database import Database

metadata = sa.MetaData()

notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.String(100), nullable=False, unique=True),
    sa.Column("done", sa.Boolean, default=False),
    sa.Column("made", sa.DateTime),
    sa.Column("price", sa.Numeric(10, 2)),
    sa.Column("words", sa.Integer, default=lambda context: len(context.get_current_parameters()["text"].split())),
    sa.Column("changes", sa.Integer, default=0, onupdate=7),
)


async def create(database: Database) -> None:
    """Make the tables, empty."""
    await drop(database)
    await database.execute(CreateTable(notes))


async def drop(database: Database) -> None:
    """Remove the tables."""
    await database.execute(DropTable(notes, if_exists=True))


async def count(database: Database) -> int:
    """How many notes there are."""
    return int(await database.fetch_val("SELECT COUNT(*) FROM notes"))
