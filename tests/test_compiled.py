"""Compiled queries give what the same query set gives, check what they are given, and walk the chain once."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

import orm
from orm import plans
from orm.database import Database
from orm.parameters import Param
from tests.music import Album, Artist, Color, Everything, Tag, Track, models
from tests.recorder import Recorder


@pytest.fixture
async def albums(music: Database) -> list[Album]:
    acdc, abba, moetley = await Artist.objects.bulk_create(
        [Artist(name="AC/DC", country="AU"), Artist(name="ABBA"), Artist(name="Mötley Crüe", country="US")]
    )
    return await Album.objects.bulk_create(
        [
            Album(title="Powerage", year=1978, artist=acdc),
            Album(title="Highway to Hell", year=1979, artist=acdc, producer=abba),
            Album(title="Arrival", year=1976, artist=abba),
            Album(title="Dr. Feelgood", artist=moetley),
        ]
    )


async def titles(rows: Any) -> list[str]:
    return [album.title for album in await rows]


async def test_a_compiled_query_gives_what_the_query_set_gives(albums: list[Album]) -> None:
    find = (
        Album.objects.filter(artist__name=Param("artist"), year__gt=Param("least"))
        .order_by("-title")
        .limit(Param("number"))
        .offset(Param("start"))
        .compiled()
    )
    assert await titles(find(artist="AC/DC", least=1900, number=10, start=0)) == ["Powerage", "Highway to Hell"]
    assert await titles(find(artist="AC/DC", least=1978, number=10, start=0)) == ["Highway to Hell"]
    assert await titles(find(artist="AC/DC", least=1900, number=1, start=1)) == ["Highway to Hell"]
    assert await titles(find(artist="AC/DC", least=1900, number=0, start=0)) == []
    assert await titles(find(artist="nobody", least=1900, number=10, start=0)) == []


async def test_the_chain_is_walked_and_compiled_once(
    albums: list[Album], monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    find = Album.objects.filter(title=Param("title"), year__gt=Param("year")).compiled()
    assert await titles(find(title="Powerage", year=1)) == ["Powerage"]

    def never(*arguments: Any, **keywords: Any) -> Any:
        raise AssertionError("not again")

    monkeypatch.setattr(plans, "select_plan", never)
    monkeypatch.setattr(plans, "finish", never)
    recorder.clear()
    assert await titles(find(title="Arrival", year=2)) == ["Arrival"]
    assert recorder.count == 1
    assert recorder.events[0].info.summary == "select Album"  # type: ignore[union-attr]


async def test_it_shares_its_plan_with_the_query_set(albums: list[Album]) -> None:
    found = Album.__schema__.plans  # type: ignore[attr-defined]
    await Album.objects.filter(title="Powerage", year__range=(1, 2)).limit(3)
    before = len(found)
    find = Album.objects.filter(title=Param("title"), year__range=(Param("low"), 2000)).limit(Param("n")).compiled()
    assert await titles(find(title="Powerage", low=1978, n=5)) == ["Powerage"]
    assert len(found) == before


async def test_every_way_to_read(albums: list[Album]) -> None:
    find = Album.objects.filter(artist__name=Param("artist")).order_by("year").compiled()
    assert (await find.first(artist="AC/DC")) == albums[0]
    assert (await find.first(artist="x")) is None
    assert (await find.get(artist="ABBA")) == albums[2]
    assert (await find.get_or_none(artist="ABBA")) == albums[2]
    assert (await find.get_or_none(artist="x")) is None
    with pytest.raises(Album.DoesNotExist, match=r"No Album matches\. SQL: SELECT"):
        await find.get(artist="x")
    with pytest.raises(Album.MultipleObjectsReturned, match=r"More than one Album matches.* SQL: SELECT"):
        await find.get(artist="AC/DC")
    assert [album.title async for album in find.iterate(artist="AC/DC")] == ["Powerage", "Highway to Hell"]
    assert [album.title async for album in find.iterate(1, artist="AC/DC")] == ["Powerage", "Highway to Hell"]
    some = Album.objects.filter(title__contains=Param("text"))[:3].compiled()
    assert (await some.get(text="Power")).title == "Powerage"
    assert (await some.first(text="e")).title == "Dr. Feelgood"  # type: ignore[union-attr]
    counted = Album.objects.limit(Param("n")).compiled()
    assert (await counted.first(n=0)) is None
    assert (await counted.first(n=2)).title == "Arrival"  # type: ignore[union-attr]


async def test_forms_relations_and_prefetches(albums: list[Album], recorder: Recorder) -> None:
    flat = Album.objects.filter(year=Param("year")).values_list("title", flat=True).compiled()
    assert await flat(year=1978) == ["Powerage"]
    rows = Album.objects.filter(year=Param("year")).values("title", "artist__name").compiled()
    assert await rows(year=1978) == [{"title": "Powerage", "artist__name": "AC/DC"}]
    joined = Album.objects.filter(year=Param("year")).select_related("artist").compiled()
    assert [album.artist.name for album in await joined(year=1976)] == ["ABBA"]
    recorder.clear()
    read = Artist.objects.filter(name=Param("name")).prefetch_related("albums").compiled()
    (artist,) = await read(name="AC/DC")
    assert sorted(album.title for album in artist.albums) == ["Highway to Hell", "Powerage"]
    assert recorder.count == 2
    assert [len(one.albums) async for one in read.iterate(name="AC/DC")] == [2]
    of_one = artist.albums.filter(year=Param("year")).compiled()
    assert await titles(of_one(year=1978)) == ["Powerage"]
    assert await titles(of_one(year=1976)) == []
    assert await titles(Album.objects.none().filter(year=Param("year")).compiled()(year=1)) == []
    assert await titles(Album.objects.filter(year=1976).compiled()()) == ["Arrival"]


LOOKUPS: list[tuple[str, Any]] = [
    ("name__exact", "AC/DC"),
    ("name__iexact", "ac/dc"),
    ("name__iexact", "mÖTLEY cRÜE"),
    ("name__contains", "Ö"),
    ("name__contains", "C/"),
    ("name__icontains", "c/d"),
    ("name__icontains", "TLEY CRÜ"),
    ("name__startswith", "A"),
    ("name__istartswith", "mö"),
    ("name__endswith", "A"),
    ("name__iendswith", "RÜE"),
    ("name__regex", "^A.*A$"),
    ("name__iregex", "^a.*a$"),
    ("name__gt", "AC"),
    ("name__in", ["ABBA", "AC/DC", "x"]),
    ("name__in", ["ABBA"]),
    ("name__in", []),
    ("albums__year__lte", 1978),
    ("albums__title__in", {"Arrival", "Powerage", "x", "y", "z"}),
    ("albums__title__in", []),
]


@pytest.mark.parametrize(("words", "value"), LOOKUPS)
async def test_every_lookup_takes_a_parameter(albums: list[Album], words: str, value: Any) -> None:
    for query in (Artist.objects.filter, Artist.objects.exclude):
        found = query(**{words: Param("value")}).order_by("name").compiled()
        assert await found(value=value) == await query(**{words: value}).order_by("name")
        either = query(orm.Q(**{words: Param("value")}) | orm.Q(name=Param("name"))).order_by("name").compiled()
        expected = await query(orm.Q(**{words: value}) | orm.Q(name="ABBA")).order_by("name")
        assert await either(value=value, name="ABBA") == expected


VALUES: dict[str, Any] = {
    "integer": 3,
    "float": 1.5,
    "decimal": Decimal("1.2500"),
    "boolean": True,
    "uuid": UUID(int=7),
    "date": datetime.date(2010, 1, 2),
    "moment": datetime.datetime(2010, 1, 2, 3, 4, tzinfo=datetime.UTC),
    "duration": datetime.timedelta(seconds=3),
    "binary": b"x",
    "color": Color.RED,
    "data": {"a": [1, None]},
}


async def test_values_of_every_type(music: Database) -> None:
    row = await Everything.objects.create(**VALUES)
    for name, value in VALUES.items():
        assert await Everything.objects.filter(**{name: Param("x")}).compiled().get(x=value) == row, name
        if name != "data":
            many = Everything.objects.filter(**{f"{name}__in": Param("x")}).compiled()
            assert await many(x=[value]) == [row], name
            assert await many(x=[None, value, value, value]) == [row], name
            assert await many(x=[]) == [], name
    text = Everything.objects.filter(data__a__0__contains=Param("x")).compiled()
    assert await text(x="nothing") == []
    year = Everything.objects.filter(moment__year=Param("x"), date__range=(Param("low"), Param("high"))).compiled()
    assert await year(x=2010, low=datetime.date(2010, 1, 1), high=datetime.date(2011, 1, 1)) == [row]


async def test_columns_compare_with_parameters(albums: list[Album]) -> None:
    later = Album.objects.filter((Album.year > Param("year")) & (Album.title == Param("title"))).compiled()
    assert await titles(later(year=1970, title="Arrival")) == ["Arrival"]
    others = Album.objects.filter(Album.title != Param("title"), Album.year.is_in(Param("years"))).compiled()
    assert await titles(others(title="Arrival", years=[1976, 1978])) == ["Powerage"]
    text = Album.objects.filter(Album.artist.name.icontains(Param("text"))).compiled()
    assert await titles(text(text="bb")) == ["Arrival"]


async def test_instances_and_subqueries(albums: list[Album]) -> None:
    artist = await Artist.objects.get(name="AC/DC")
    of = Album.objects.filter(artist=Param("artist")).compiled()
    assert await titles(of(artist=artist)) == await titles(of(artist=artist.id)) == ["Highway to Hell", "Powerage"]
    of_some = Album.objects.filter(artist__in=Param("artists")).compiled()
    assert await titles(of_some(artists=[artist, artist.id])) == ["Highway to Hell", "Powerage"]
    with pytest.raises(orm.FieldError, match="artist takes an instance of Artist, not one of Album"):
        await of(artist=albums[0])
    named = Artist.objects.filter(name=Param("name"), albums__year__in=Param("years"))
    inside = Album.objects.filter(artist__in=named, year__gt=Param("least")).compiled()
    assert await titles(inside(name="AC/DC", years=[1979, 1], least=1978)) == ["Highway to Hell"]
    assert await titles(inside(name="AC/DC", years=[], least=1978)) == []


async def test_annotations_and_groups(albums: list[Album]) -> None:
    counted = Artist.objects.annotate(n=orm.Count("albums")).filter(n__gt=Param("n")).order_by("name")
    assert [artist.name for artist in await counted.compiled()(n=1)] == ["AC/DC"]
    next_year = Album.objects.annotate(following=orm.F("year") + 1).filter(following__in=Param("years")).compiled()
    assert await titles(next_year(years=[1977, 1, 2])) == ["Arrival"]
    assert await titles(next_year(years=[])) == []
    grouped = Album.objects.values("artist__name").annotate(n=orm.Count("id")).filter(n__in=Param("n")).compiled()
    assert await grouped(n=[2, 7, 8]) == [{"artist__name": "AC/DC", "n": 2}]
    recent = Artist.objects.filter(orm.Exists(Album.objects.filter(artist=orm.OuterRef("pk"), year__in=Param("y"))))
    assert [artist.name for artist in await recent.compiled()(y=[1976, 1, 2])] == ["ABBA"]
    assert await recent.compiled()(y=[]) == []
    either = Artist.objects.filter(name__in=Param("a")).union(Artist.objects.filter(name=Param("b"))).order_by("name")
    assert [artist.name for artist in await either.compiled()(a=["ABBA", "x", "z"], b="AC/DC")] == ["ABBA", "AC/DC"]


async def test_comments_and_objects_are_kept(albums: list[Album], recorder: Recorder) -> None:
    find = Album.objects.filter(year=Param("year")).comment("who asks").values_list("title", flat=True).compiled()
    assert await find(year=1978) == ["Powerage"]
    assert [title async for title in find.iterate(year=1978)] == ["Powerage"]
    assert all(event.sql.endswith("/* who asks */") for event in recorder.events)


async def test_one_name_in_several_places_is_checked_by_each(albums: list[Album]) -> None:
    find = Album.objects.filter(orm.Q(title=Param("text")) | orm.Q(artist__country=Param("text"))).compiled()
    assert await titles(find(text="AU")) == ["Highway to Hell", "Powerage"]
    with pytest.raises(orm.ValidationError, match="artist__country has at most 2 characters"):
        await find(text="Powerage")


async def test_the_database_is_looked_up_at_each_call(music: Database, url: str) -> None:
    models.database = None
    find = Tag.objects.filter(word=Param("word")).compiled()
    with pytest.raises(orm.InterfaceError, match="has no database"):
        await find(word="a")
    models.database = music
    await Tag.objects.create(word="a")
    assert [tag.word for tag in await find(word="a")] == ["a"]
    async with Database(url) as other:
        models.database = other
        assert [tag.word for tag in await find(word="a")] == ["a"]
        models.database = None
        bound = Tag.objects.using(other).filter(word=Param("word")).compiled()
        tag = await bound.get(word="a")
        await tag.delete()
        models.database = music
        assert await find(word="a") == []


async def test_locks_and_time_limits_are_kept(music: Database) -> None:
    await Tag.objects.create(word="a")
    locked = Tag.objects.filter(word=Param("word")).select_for_update().compiled()
    for _ in range(2):
        with pytest.raises(orm.TransactionError, match="Rows are locked until the end of a transaction"):
            await locked(word="a")
        async with music.transaction():
            assert [tag.word for tag in await locked(word="a")] == ["a"]
    assert await Tag.objects.filter(word=Param("word")).timeout(30).compiled().first(word="a")


# ---------------------------------------------------------------- what is wrong


async def test_wrong_names_are_refused(music: Database) -> None:
    find = Album.objects.filter(title=Param("title"), year=Param("year")).compiled()
    with pytest.raises(orm.InterfaceError, match=r"has no parameter 'titel'\. Choose from: title, year\."):
        await find(titel="x", year=1)
    with pytest.raises(orm.InterfaceError, match=r"was not given: year\. Its parameters are: title, year\."):
        find(title="x")
    with pytest.raises(orm.InterfaceError, match=r"was not given: title, year\."):
        await find.first()
    with pytest.raises(orm.InterfaceError, match=r"has no parameter 'x'\. It has none\."):
        await Album.objects.compiled()(x=1)


@pytest.mark.parametrize(
    ("words", "value", "message"),
    [
        ("year", "x", "year: Input should be a valid integer, not 'x'"),
        ("year", 1.5, "year: "),
        ("year", 10**30, "year: "),
        ("title", 3, "title: Input should be a valid string, not 3"),
        ("title", "a\0b", "title: String should match pattern"),
        ("title", "x" * 161, "title has at most 160 characters"),
        ("title__icontains", 3, "title__icontains takes a text, not 3"),
        ("title__icontains", "\0", "NUL"),
        ("year__in", 3, "year__in takes a list, a set or another iterable, not 3"),
        ("year__in", ["x"], "year__in: "),
        ("title__in", "abc", "title__in takes a list"),
        ("year", None, r"The parameter 'value' \(year\) is None, and nothing is equal to NULL\..*filter\(…=None\)"),
        ("year__in", None, r"The parameter 'value' \(year__in\) is None"),
        ("title__contains", None, r"The parameter 'value' \(title__contains\) is None"),
    ],
)
async def test_values_are_checked_as_in_filter(music: Database, words: str, value: Any, message: str) -> None:
    find = Album.objects.filter(**{words: Param("value")}).compiled()
    with pytest.raises(orm.ValidationError, match=message):
        find(value=value)


async def test_numbers_of_rows_are_checked(music: Database) -> None:
    with pytest.raises(orm.ValidationError, match="chunk_size is at least 1, not 0"):
        await anext(Album.objects.compiled().iterate(0))
    find = Album.objects.limit(Param("n")).offset(Param("m")).compiled()
    for wrong in (-1, "1", 1.0, True, 2**63):
        with pytest.raises(orm.ValidationError, match="limit is a number of rows, at least 0, not "):
            find(n=wrong, m=0)
    with pytest.raises(orm.ValidationError, match=r"'m' \(offset\) is None"):
        find(n=1, m=None)


async def test_a_query_set_with_parameters_is_not_run_without_values(music: Database) -> None:
    missing = r"Param\('x'\) has no value\. Compile the query set once.*await find\(x=…\)"
    tags = Tag.objects.filter(word=Param("x"))
    for run in (
        tags._fetch,
        tags.first,
        tags.last,
        tags.get,
        tags.count,
        tags.exists,
        tags.paginate,
        tags.cursor_paginate,
        tags.in_bulk,
        tags.delete,
        lambda: tags.update(word="y"),
        lambda: tags.aggregate(n=orm.Count("id")),
        lambda: Tag.objects.get(word=Param("x")),
        Tag.objects.filter(word__in=Param("x"))._fetch,
        Tag.objects.filter(word__in=tags.values_list("word"))._fetch,
        Tag.objects.limit(Param("x"))._fetch,
        Tag.objects.limit(Param("x")).first,
        Tag.objects.limit(Param("x")).count,
        Tag.objects.limit(3).offset(Param("x")).exists,
    ):
        with pytest.raises(orm.InterfaceError, match=missing):
            await run()
    with pytest.raises(orm.InterfaceError, match=missing):
        [tag async for tag in tags]
    with pytest.raises(orm.FieldError, match=r"Prefetch\('albums'\) has a Param"):
        Artist.objects.prefetch_related(orm.Prefetch("albums", Album.objects.filter(year=Param("x")))).compiled()


async def test_it_can_be_shown(music: Database) -> None:
    tags = Tag.objects.filter(word__in=Param("x"), id=Param("y")).limit(Param("z"))
    assert "SELECT" in str(tags)
    assert "SELECT" in repr(tags)
    assert repr(tags.compiled()).startswith("<CompiledQuery of Tag (x, y, z): SELECT")
    assert str(tags.compiled()) == str(tags)
    assert repr(Tag.word == Param("x")) == "word=Param('x')"
    assert repr(orm.Q(word=Param("x"))) == "Q(word=Param('x'))"


def test_a_parameter_stands_for_a_value_only() -> None:
    misplaced = r"Param\('x'\) can stand where a filter compares a column with a value"
    with pytest.raises(orm.FieldError, match=misplaced):
        Album.objects.filter(year=orm.F("id") + Param("x"))
    with pytest.raises(orm.FieldError, match=misplaced):
        Album.objects.order_by(Param("x"))
    with pytest.raises(orm.FieldError, match=misplaced):
        Album.objects.values_list(Param("x"))
    with pytest.raises(orm.FieldError, match=misplaced):
        Album.objects.filter(Album.table.c.year == Param("x"))
    with pytest.raises(orm.FieldError, match=misplaced):
        Album.objects.filter(Param("x") == Album.title)
    with pytest.raises(orm.FieldError, match="A slice takes numbers"):
        Album.objects[Param("x") :]
    with pytest.raises(orm.FieldError, match="A slice takes numbers"):
        Album.objects.limit(Param("x"))[3:5]
    with pytest.raises(orm.FieldError, match="year__isnull takes True or False, not Param"):
        Album.objects.filter(year__isnull=Param("x"))
    with pytest.raises(orm.FieldError, match=r"year__range takes a pair \(from, to\), not Param"):
        Album.objects.filter(year__range=Param("x"))
    for words in ("data__a", "data__a__gt", "data__in"):
        with pytest.raises(orm.FieldError, match="how JSON is compared depends on the value's type"):
            Everything.objects.filter(**{words: Param("x")})
    for name in ("", "a b", "1", 3, None):
        with pytest.raises(orm.FieldError, match="The name of a Param is a keyword"):
            Param(name)  # type: ignore[arg-type]


async def test_a_parameter_is_not_written(music: Database) -> None:
    track = await Track.objects.create(name="x")
    with pytest.raises(orm.FieldError, match="can stand where a filter compares"):
        await Track.objects.filter(id=track.id).update(name=Param("x"))
    with pytest.raises(orm.FieldError, match="can stand where a filter compares"):
        await Track.objects.filter(id=track.id).update(seconds=orm.F("seconds") + Param("x"))
    with pytest.raises(orm.FieldError, match=r"Track\.name is an expression, and a new row has no columns"):
        await Track.objects.create(name=Param("x"))


async def test_the_clock_does_not_stop(music: orm.Database) -> None:
    await Tag.objects.create(word="x")
    times = Tag.objects.filter(word=orm.Param("word")).values_list(orm.functions.Now(), flat=True).compiled()
    first = await times.get(word="x")
    later = await times.get(word="x")
    assert first < later
