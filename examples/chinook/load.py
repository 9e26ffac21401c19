"""Loads the CSV files beside this one into the tables of the models, in one transaction."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tqdm import tqdm

import orm

from models import (
    Album,
    Artist,
    Customer,
    Employee,
    Genre,
    Invoice,
    InvoiceLine,
    MediaType,
    Playlist,
    PlaylistTrack,
    Track,
)

DATA = Path(__file__).parent / "data"

FILES: dict[str, type[orm.Model]] = {
    "artist": Artist,
    "album": Album,
    "genre": Genre,
    "media_type": MediaType,
    "track": Track,
    "playlist": Playlist,
    "playlist_track": PlaylistTrack,
    "employee": Employee,
    "customer": Customer,
    "invoice": Invoice,
    "invoice_line": InvoiceLine,
}
"""What each file holds; what others refer to comes first."""

NUMBERS = {"id", "milliseconds", "bytes", "quantity"}
AMOUNTS = {"unit_price", "total"}


def parser(column: str) -> Callable[[str], Any]:
    """What makes a value of the text in a column of a file."""
    if column in NUMBERS or column.endswith("_id"):
        return int
    if column in AMOUNTS:
        return Decimal
    return datetime.fromisoformat if column.endswith("_date") else str


def read(name: str) -> list[orm.Model]:
    """The instances in a file: its columns are named like the model's attributes, an empty field is NULL."""
    model = FILES[name]
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        parsers = {column: parser(column) for column in rows.fieldnames or ()}
        return [model(**{name: parsers[name](text) if text else None for name, text in row.items()}) for row in rows]


async def load(database: orm.Database) -> int:
    """Load every file; gives the number of rows."""
    instances = {name: read(name) for name in FILES}
    total = sum(map(len, instances.values()))
    with tqdm(total=total, unit=" rows", desc="Loading", disable=None) as progress:
        async with database.transaction():
            for name, model in FILES.items():
                await model.objects.using(database).bulk_create(instances[name])
                progress.update(len(instances[name]))
            if database.dialect.name == "postgresql":
                await _count_on(database)
    return total


async def _count_on(database: orm.Database) -> None:
    """Let PostgreSQL's own keys go on where those of the files end."""
    for model in FILES.values():
        table = model.table.name
        await database.execute(
            f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM \"{table}\"))"
        )
