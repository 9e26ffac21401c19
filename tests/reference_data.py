"""The tables of `tests.music` as lists of dictionaries: what their columns hold, where relations lead, random rows."""

from __future__ import annotations

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
World = dict[str, list[Row]]
Path = tuple[str, ...]


@dataclass(frozen=True)
class Relation:
    """Where a relation leads: rows of `model` whose column `far` equals this row's `near`, perhaps over links."""

    model: str
    near: str
    far: str
    many: bool = False
    links: tuple[str, str, str] | None = None  # the table of the links, its column to this side, and to the other


RELATIONS: dict[str, dict[str, Relation]] = {
    "Artist": {
        "albums": Relation("Album", "id", "artist_id", many=True),
        "produced": Relation("Album", "id", "producer_id", many=True),
        "profile": Relation("Profile", "id", "artist_id"),
    },
    "Profile": {"artist": Relation("Artist", "artist_id", "id")},
    "Album": {
        "artist": Relation("Artist", "artist_id", "id"),
        "producer": Relation("Artist", "producer_id", "id"),
        "tracks": Relation("Track", "id", "album_id", many=True),
        "tags": Relation("Tag", "id", "id", many=True, links=("AlbumTag", "album_id", "tag_id")),
    },
    "Track": {
        "album": Relation("Album", "album_id", "id"),
        "playlists": Relation("Playlist", "id", "id", many=True, links=("PlaylistTrack", "track_id", "playlist_id")),
    },
    "Tag": {"albums": Relation("Album", "id", "id", many=True, links=("AlbumTag", "tag_id", "album_id"))},
    "Playlist": {
        "tracks": Relation("Track", "id", "id", many=True, links=("PlaylistTrack", "playlist_id", "track_id"))
    },
    "Employee": {
        "manager": Relation("Employee", "manager_id", "id"),
        "reports": Relation("Employee", "id", "manager_id", many=True),
    },
}
# What a column holds. "text" mixes cases and has wildcards, so that collations differ in its order; "word" is
# in an order that they agree about.
COLUMNS: dict[str, dict[str, str]] = {
    "Artist": {"id": "integer", "name": "text", "country": "word"},
    "Profile": {"id": "integer", "text": "text", "artist_id": "integer"},
    "Album": {"id": "integer", "title": "text", "year": "integer", "artist_id": "integer", "producer_id": "integer"},
    "Track": {"id": "integer", "name": "text", "seconds": "integer", "price": "decimal", "album_id": "integer"},
    "Tag": {"id": "integer", "word": "word"},
    "Playlist": {"id": "integer", "name": "text"},
    "Employee": {"id": "integer", "name": "word", "manager_id": "integer"},
}
TEXTS = ("", "a", "A", "b", "aB", "ab", "b%", "a_b", "%", "a\\b", "!")
WORDS = ("a", "ab", "b", "c")
DECIMALS = (Decimal("-1.50"), Decimal("0.00"), Decimal("0.10"), Decimal("2.00"), Decimal("12345678.90"))


def model_at(model: str, path: Path) -> str:
    """The model at the end of a path."""
    for name in path:
        model = RELATIONS[model][name].model
    return model


def is_many(model: str, path: Path) -> bool:
    """Whether a path may lead to many rows."""
    return any(RELATIONS[model_at(model, path[:index])][name].many for index, name in enumerate(path))


def random_world(seed: int) -> World:
    """A few rows of every model: some related to nothing, some to many."""
    choose = random.Random(seed)

    def small() -> int | None:
        return choose.choice([None, 0, 1, 2, 3, 4])

    def one(rows: list[Row], *more: None) -> Any:
        return choose.choice([row["id"] for row in rows] + list(more))

    countries = [None, *WORDS[:3]]
    artists = [{"id": i, "name": choose.choice(TEXTS), "country": choose.choice(countries)} for i in range(1, 6)]
    world: World = {"Artist": artists}
    world["Profile"] = [
        {"id": i, "text": choose.choice(TEXTS), "artist_id": artist}
        for i, artist in enumerate(choose.sample(range(1, 6), 3), 1)
    ]
    world["Album"] = [
        {
            "id": i,
            "title": choose.choice(TEXTS),
            "year": small(),
            "artist_id": one(world["Artist"][:4]),
            "producer_id": one(world["Artist"], None, None),
        }
        for i in range(1, 8)
    ]
    world["Track"] = [
        {
            "id": i,
            "name": choose.choice(TEXTS),
            "seconds": choose.randrange(5),
            "price": choose.choice([None, *DECIMALS]),
            "album_id": one(world["Album"][:6], None, None),
        }
        for i in range(1, 11)
    ]
    world["Tag"] = [{"id": i, "word": word} for i, word in enumerate(WORDS, 1)]
    world["Playlist"] = [{"id": i, "name": choose.choice(TEXTS)} for i in range(1, 4)]
    world["Employee"] = [
        {"id": i, "name": choose.choice(WORDS), "manager_id": choose.choice([None, *range(1, i + 1)])}
        for i in range(1, 7)
    ]
    world["AlbumTag"] = _links(choose, world, "Album", "Tag", 8)
    world["PlaylistTrack"] = _links(choose, world, "Playlist", "Track", 8)
    return world


def _links(choose: random.Random, world: World, left: str, right: str, number: int) -> list[Row]:
    pairs = [(a["id"], b["id"]) for a in world[left] for b in world[right]]
    return [{f"{left.lower()}_id": a, f"{right.lower()}_id": b} for a, b in choose.sample(pairs, number)]
