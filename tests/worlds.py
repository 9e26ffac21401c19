"""Trying random queries on random data: what the tests of properties have in common.

`ORM_FUZZ_EXAMPLES` is how many examples are tried on each engine, newly chosen at every run (`make fuzz`); without it a
few, always the same.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import orm
from tests import music
from tests.random_queries import MODELS
from tests.reference_data import COLUMNS, World, random_world

EXAMPLES = int(os.environ.get("ORM_FUZZ_EXAMPLES", "0"))
"""How many examples are tried on each engine; 0 for the few of every run."""
_FEW = 600
"""How many those are: what the calls of `tried` in all tests add up to."""
WORLDS = 40 if EXAMPLES else 2
"""How many sets of data they are spread over."""

Worlds = Callable[[], Iterator[tuple[asyncio.Runner, World]]]
ENGINES = ["sqlite", "postgresql", "mysql+asyncmy"]


async def _fill(world: World) -> None:
    for name, model in MODELS.items():
        await model.objects.bulk_create([model(**row) for row in world[name]])
    for link in world["AlbumTag"]:
        await music.Album.reference(link["album_id"]).tags.add(music.Tag.reference(link["tag_id"]))
    await music.PlaylistTrack.objects.bulk_create([music.PlaylistTrack(**link) for link in world["PlaylistTrack"]])


def database() -> orm.Database:
    """The database of the data that is looked at."""
    found = music.models.database
    assert found is not None
    return found


async def _empty() -> None:
    for name in reversed(COLUMNS):
        await MODELS[name].objects.all().delete()


def in_database(url: str) -> Iterator[Worlds]:
    """Gives one set of data after the other, each in the database while it is looked at."""
    with asyncio.Runner() as runner:
        connected = orm.Database(url, max_size=2, timeout=10)
        runner.run(connected.connect())
        music.models.database = connected
        try:
            runner.run(music.models.create_all())

            def each() -> Iterator[tuple[asyncio.Runner, World]]:
                for seed in range(WORLDS):
                    world = random_world(seed)
                    runner.run(_fill(world))
                    yield runner, world
                    runner.run(_empty())

            yield each
            runner.run(music.models.drop_all())
        finally:
            music.models.database = None
            runner.run(connected.disconnect())


def tried(
    worlds: Worlds,
    examples: int,
    strategy: st.SearchStrategy[Any],
    check: Callable[[World, Any], Coroutine[Any, Any, None]],
) -> None:
    """Check examples of a strategy, spread over the worlds."""
    options = settings(
        max_examples=max(1, examples * (EXAMPLES or _FEW) // (_FEW * WORLDS)),
        derandomize=not EXAMPLES,
        database=None,
        deadline=None,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    for runner, world in worlds():
        options(given(strategy)(_checked(runner, world, check)))()


def _checked(
    runner: asyncio.Runner, world: World, check: Callable[[World, Any], Coroutine[Any, Any, None]]
) -> Callable[[Any], None]:
    def example(chosen: Any) -> None:
        runner.run(check(world, chosen))

    return example
