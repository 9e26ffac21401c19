"""Streaming: rows are held a chunk at a time, and a query inside the loop works."""

from __future__ import annotations

import subprocess
import sys

import pytest

import orm
from tests.music import Album, Artist, Tag


@pytest.mark.parametrize("engine", ["sqlite_url", "postgresql_url"])
def test_a_million_rows_stay_within_50_mib(engine: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(engine)
    run = subprocess.run(
        [sys.executable, "-m", "tests.streaming_program", url], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    count, total, growth = run.stdout.split()
    assert (int(count), int(total)) == (1_000_000, 1_000_000 * 1_000_001)
    assert float(growth) < 50


async def test_streaming_gives_every_row_in_order(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=f"{n:05}") for n in range(2500)])
    found = [tag.word async for tag in Tag.objects.order_by("word")]
    assert found == [f"{n:05}" for n in range(2500)]
    assert [tag.word async for tag in Tag.objects.order_by("word").iterate(chunk_size=7)] == found
    assert [word async for word in Tag.objects.order_by("word").values_list("word", flat=True)[3:5]] == found[3:5]
    assert [tag async for tag in Tag.objects.none()] == []


async def test_queries_inside_the_loop_work(music: orm.Database) -> None:
    artists = await Artist.objects.bulk_create([Artist(name=str(n)) for n in range(5)])
    await Album.objects.bulk_create([Album(title=f"of {a.name}", artist=a) for a in artists])
    seen = [
        (artist.name, [album.title for album in await artist.albums])
        async for artist in Artist.objects.order_by("id").iterate(chunk_size=2)
    ]
    assert seen == [(str(n), [f"of {n}"]) for n in range(5)]


async def test_streaming_in_a_transaction_and_leaving_early(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=f"{n:05}") for n in range(50)])
    async with music.transaction():
        async for tag in Tag.objects.order_by("word").iterate(chunk_size=10):
            await Tag.objects.filter(id=tag.id).update(word=f"x{tag.word}")
            if tag.word == "00020":
                break
    assert await Tag.objects.filter(word__startswith="x").count() == 21
    async for _ in Tag.objects.iterate(chunk_size=10):
        break
    assert await Tag.objects.count() == 50


async def test_prefetches_are_read_for_each_chunk(music: orm.Database) -> None:
    artists = await Artist.objects.bulk_create([Artist(name=str(n)) for n in range(5)])
    await Album.objects.bulk_create([Album(title=f"of {a.name}", artist=a) for a in artists])
    query = Artist.objects.order_by("id").prefetch_related("albums")
    assert [len(artist.albums) async for artist in query.iterate(chunk_size=2)] == [1] * 5
