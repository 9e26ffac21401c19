"""Plans: a statement is compiled once for each shape of query, and reading costs the statements it promises."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

import orm
from orm import plans
from tests.music import Album, Artist, Everything, Tag, Track
from tests.recorder import Recorder


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations of the plans that are compiled from now on."""
    made: list[str] = []
    finish = plans.finish

    def counted(*arguments: Any, **keywords: Any) -> plans.Plan:
        plan = finish(*arguments, **keywords)
        made.append(plan.operation)
        return plan

    monkeypatch.setattr(plans, "finish", counted)
    for model in (Artist, Album, Track, Tag, Everything):
        model.__schema__.plans.clear()  # type: ignore[attr-defined]
    return made


async def test_a_thousand_gets_compile_once(music: orm.Database, compilations: list[str]) -> None:
    tracks = await Track.objects.bulk_create([Track(name=f"Track {n}") for n in range(1000)])
    for track in tracks:
        assert await Track.objects.get(id=track.id) == track
    assert compilations == ["select"]


async def test_values_do_not_enter_a_shape(music: orm.Database, compilations: list[str]) -> None:
    for number in range(1, 9):
        await Album.objects.filter(title=f"x{number}", year__gt=number).order_by("-year").limit(number).offset(number)
        await Album.objects.filter(Album.title == f"x{number}")
        await Everything.objects.filter(**{f"data__key{number}": number})
        await Artist.objects.filter(albums__title__icontains=f"x{number}").count()
        await Album.objects.filter(title=f"x{number}").update(year=number)
        await Album.objects.filter(Album.table.c.year > number)
    assert sorted(compilations) == ["count", "select", "select", "select", "select", "update"]


async def test_values_in_unnamed_columns_do_not_enter_a_shape(music: orm.Database, compilations: list[str]) -> None:
    await Album.objects.create(title="x", year=1, artist=await Artist.objects.create(name="x"))
    compilations.clear()
    for number in range(1, 4):
        rows = await Album.objects.values_list(orm.F("year") + number, orm.F("year") * number, "title")
        assert rows == [(1 + number, number, "x")]
    assert compilations == ["select"]


async def test_words_and_columns_share_a_plan(music: orm.Database, compilations: list[str]) -> None:
    await Album.objects.filter(artist__name="x")
    await Album.objects.filter(Album.artist.name == "x")
    await Album.objects.filter(artist__name__exact="x")
    assert compilations == ["select"]


async def test_lists_of_any_length_share_few_plans(music: orm.Database, compilations: list[str]) -> None:
    tags = await Tag.objects.bulk_create([Tag(word=str(n)) for n in range(300)])
    for length in range(1, 300):
        assert await Tag.objects.filter(id__in=[tag.id for tag in tags[:length]]).count() == length
    assert len(compilations) == (10 if music.dialect.name == "mysql" else 1)


async def test_the_same_condition_twice_and_two_conditions_alike_differ_in_values(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abc"])
    once = orm.Q(word="a")
    assert await Tag.objects.filter(once | once).count() == 1
    assert await Tag.objects.filter(orm.Q(word="a") | orm.Q(word="b")).count() == 2
    column = Tag.word == "a"
    assert await Tag.objects.filter(column | column).count() == 1
    assert await Tag.objects.filter((Tag.word == "b") | (Tag.word == "c")).count() == 2


async def test_caches_stay_bounded(music: orm.Database) -> None:
    schema = Everything.__schema__  # type: ignore[attr-defined]
    for number in range(6000):
        with pytest.raises(orm.FieldError):
            Everything.objects.filter(**{f"hostile{number}": 1})
        Everything.objects.filter(**{f"data__hostile{number}": 1})
        Everything.objects.filter(**{f"data__{number}__gt": 1})
    assert len(schema.cache) < 500
    assert len(schema.plans) <= 4096


async def test_reading_over_a_join_takes_one_statement(music: orm.Database, recorder: Recorder) -> None:
    artist = await Artist.objects.create(name="x")
    await Album.objects.bulk_create([Album(title=str(n), artist=artist) for n in range(3)])
    recorder.clear()
    assert [album.artist.name for album in await Album.objects.select_related("artist")] == ["x"] * 3
    assert recorder.count == 1


async def test_observers_are_told_what_a_statement_is(music: orm.Database, recorder: Recorder) -> None:
    artist = await Artist.objects.create(name="x")
    await Artist.objects.filter(id=artist.id).update(name="y")
    await Artist.objects.count()
    told = [(event.info.operation, event.info.tables, event.info.summary) for event in recorder.events if event.info]
    assert told == [
        ("insert", ("artist",), "insert Artist"),
        ("update", ("artist",), "update Artist"),
        ("count", ("artist",), "count Artist"),
    ]


async def test_query_sets_never_change_in_place(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abc"])
    base = Tag.objects.order_by("word")
    for made in (base.filter(word="a"), base.reverse(), base[:1], base.none(), base.only("id"), base.distinct()):
        assert made is not base
    assert [tag.word for tag in await base] == ["a", "b", "c"]
    assert Tag.objects is Tag.objects


async def test_loaded_instances_are_small(music: orm.Database) -> None:
    tag = (await Tag.objects.bulk_create([Tag(word="a")]))[0]
    found = await Tag.objects.get(id=tag.id)
    assert not hasattr(found, "_state")
    assert "word" not in found.__dict__
    assert len(pickle.dumps(found)) < 200
