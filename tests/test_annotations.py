"""Expressions under a name: for each row, for groups of rows, in conditions, orders and updates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

import orm
from orm import Avg, Count, F, Max, Min, Q, Sum, Value
from tests.music import Album, Artist, Employee, Everything, Playlist, Tag, Track
from tests.recorder import Recorder


@pytest.fixture
async def shop(music: orm.Database) -> None:
    """Three artists; five albums, two without a year and one without tracks; nine tracks; tags of two albums."""
    artists = await Artist.objects.bulk_create(
        [Artist(name="AC/DC", country="AU"), Artist(name="Accept", country="DE"), Artist(name="ABBA")]
    )
    acdc, accept, _ = artists
    years = [1978, 1978, None, 1983, None]
    owners = [acdc, acdc, accept, accept, acdc]
    producers = [None, accept, accept, None, None]
    albums = await Album.objects.bulk_create(
        [Album(title=f"Album {n}", year=years[n], artist=owners[n], producer=producers[n]) for n in range(5)]
    )
    await Track.objects.bulk_create(
        [Track(name=f"Track {n}", seconds=n * 10, price=Decimal(n), album=albums[n % 4]) for n in range(9)]
    )
    tags = await Tag.objects.bulk_create([Tag(word=word) for word in ("hard", "loud", "rock")])
    await albums[0].tags.add(*tags)
    await albums[1].tags.add(tags[0])


# ---------------------------------------------------------------- each row


async def test_instances_have_annotations_as_attributes(shop: None, recorder: Recorder) -> None:
    albums = await Album.objects.annotate(
        age=Value(2000) - F("year"), number=Count("tracks"), label=F("artist__name")
    ).order_by("title")
    assert [(album.title, album.age, album.number, album.label) for album in albums] == [
        ("Album 0", 22, 3, "AC/DC"),
        ("Album 1", 22, 2, "AC/DC"),
        ("Album 2", None, 2, "Accept"),
        ("Album 3", 17, 2, "Accept"),
        ("Album 4", None, 0, "AC/DC"),
    ]
    assert recorder.count == 1


async def test_an_annotated_instance_is_unchanged_and_can_be_saved(shop: None) -> None:
    album = await Album.objects.annotate(number=Count("tracks")).earliest("title")
    album.title = "Renamed"
    await album.save()
    assert (await Album.objects.get(id=album.id)).title == "Renamed"
    assert album.number == 3


async def test_several_relations_do_not_multiply(shop: None) -> None:
    found = Album.objects.annotate(
        tracks_number=Count("tracks"),
        seconds=Sum("tracks__seconds"),
        tags_number=Count("tags"),
        longest=Max("tracks__seconds"),
    )
    assert await found.order_by("id").values_list("tracks_number", "seconds", "tags_number", "longest") == [
        (3, 120, 3, 80),
        (2, 60, 1, 50),
        (2, 80, 0, 60),
        (2, 100, 0, 70),
        (0, None, 0, None),
    ]


async def test_annotations_build_on_each_other(shop: None) -> None:
    albums = (
        Album.objects.annotate(number=Count("tracks"), seconds=Sum("tracks__seconds"))
        .annotate(mean=F("seconds") / F("number"))
        .annotate(double=F("mean") * 2)
        .filter(double__gte=80)
        .order_by("-double", "title")
    )
    assert await albums.values_list("title", "mean", "double") == [
        ("Album 3", 50.0, 100.0),
        ("Album 0", 40.0, 80.0),
        ("Album 2", 40.0, 80.0),
    ]


async def test_filters_and_orders_by_annotations(shop: None) -> None:
    albums = Album.objects.annotate(number=Count("tracks"))
    assert await albums.filter(number__gt=2).count() == 1
    assert await albums.exclude(number=2).order_by("-number").values_list("title", flat=True) == ["Album 0", "Album 4"]
    assert await albums.filter(Q(number=0) | Q(year=1983)).order_by("title").values_list("title", flat=True) == [
        "Album 3",
        "Album 4",
    ]
    assert await albums.filter(number__in=[0, 3], artist__name="AC/DC").exists()
    assert await albums.filter(number__range=(1, 2)).count() == 3
    assert (await albums.order_by("number", "id").first()).title == "Album 4"  # type: ignore[union-attr]
    seconds = albums.annotate(seconds=Sum("tracks__seconds"))
    assert await seconds.filter(seconds__isnull=True).values_list("title", flat=True) == ["Album 4"]
    assert await seconds.filter(seconds=F("number") * 40).order_by("id").values_list("id", flat=True) == [
        album.id for album in await Album.objects.filter(title__in=["Album 0", "Album 2"]).order_by("id")
    ]


async def test_an_alias_is_not_read(shop: None) -> None:
    album = (await Album.objects.alias(number=Count("tracks")).filter(number=3))[0]
    assert not hasattr(album, "number")
    assert "number" not in (await Album.objects.alias(number=Count("tracks")).values())[0]
    assert "number" in (await Album.objects.annotate(number=Count("tracks")).values())[0]


async def test_the_filter_of_an_aggregate(shop: None) -> None:
    albums = Album.objects.annotate(
        long=Count("tracks", filter=Q(tracks__seconds__gte=40)),
        early=Sum("tracks__seconds", filter=Q(year=1978)),
        tagged=Count("tracks", filter=Q(tags__word="loud")),
    )
    assert await albums.order_by("id").values_list("long", "early", "tagged") == [
        (2, 120, 3),
        (1, 60, 0),
        (1, None, 0),
        (1, None, 0),
        (0, None, 0),
    ]


async def test_a_filter_over_the_relation_does_not_narrow_an_aggregate(shop: None) -> None:
    albums = Album.objects.filter(tracks__seconds=80).annotate(number=Count("tracks"))
    assert await albums.values_list("title", "number") == [("Album 0", 3)]


async def test_conditions_are_values(shop: None) -> None:
    albums = Album.objects.annotate(old=Q(year__lt=1980), loud=Q(tags__word="loud")).order_by("id")
    assert await albums.values_list("old", "loud") == [
        (True, True),
        (True, False),
        (None, False),
        (False, False),
        (None, False),
    ]
    assert await albums.filter(old=True).count() == 2


async def test_related_rows_are_read_beside_annotations(shop: None) -> None:
    albums = await (
        Album.objects.annotate(number=Count("tracks"))
        .select_related("artist", "producer")
        .prefetch_related("tags")
        .order_by("id")[:2]
    )
    assert [(a.artist.name, a.producer and a.producer.name, a.number, len(a.tags)) for a in albums] == [
        ("AC/DC", None, 3, 3),
        ("AC/DC", "Accept", 2, 1),
    ]


async def test_deep_and_self_relations(shop: None) -> None:
    artists = Artist.objects.annotate(seconds=Sum("albums__tracks__seconds"), made=Count("produced")).order_by("id")
    assert await artists.values_list("name", "seconds", "made") == [
        ("AC/DC", 180, 0),
        ("Accept", 180, 2),
        ("ABBA", None, 0),
    ]
    boss = await Employee.objects.create(name="boss")
    await Employee.objects.bulk_create([Employee(name="x", manager=boss), Employee(name="y", manager=boss)])
    counted = Employee.objects.annotate(number=Count("reports")).order_by("id")
    assert await counted.values_list("number", flat=True) == [2, 0, 0]
    tracks = Track.objects.annotate(siblings=Count("album__tracks")).order_by("id")
    assert await tracks.values_list("siblings", flat=True) == [3, 2, 2, 2, 3, 2, 2, 2, 3]
    assert await Playlist.objects.annotate(number=Count("tracks")).count() == 0


async def test_annotations_of_streams_pages_and_distinct_rows(shop: None) -> None:
    albums = Album.objects.annotate(number=Count("tracks")).order_by("-number", "id")
    assert [album.number async for album in albums.iterate(2)] == [3, 2, 2, 2, 0]
    page = await albums.paginate(2, per_page=2)
    assert [album.number for album in page] == [2, 2]
    assert sorted(await albums.order_by().values_list("number", flat=True).distinct()) == [0, 2, 3]
    assert await albums.values_list("number", flat=True).order_by("number").distinct() == [0, 2, 3]
    assert len(await albums.in_bulk()) == 5


async def test_expressions_of_core(shop: None) -> None:
    table = Album.table
    albums = Album.objects.annotate(shout=sa.func.upper(table.c.title)).filter(shout="ALBUM 3")
    assert [album.shout for album in await albums] == ["ALBUM 3"]


async def test_updates_use_annotations_and_relations(shop: None) -> None:
    albums = Album.objects.annotate(number=Count("tracks"))
    assert await albums.filter(number__gt=0).update(year=F("number"), title=F("artist__name")) == 4
    assert await Album.objects.order_by("id").values_list("year", "title") == [
        (3, "AC/DC"),
        (2, "AC/DC"),
        (2, "Accept"),
        (2, "Accept"),
        (None, "Album 4"),
    ]
    assert await albums.filter(number=0).delete() == 1
    assert await Album.objects.all().update(year=F("artist__id") + F("producer__id")) == 4
    assert await Album.objects.filter(year=None).count() == 2


async def test_an_update_does_not_see_what_it_has_just_changed(music: orm.Database) -> None:
    boss = await Employee.objects.create(name="a")
    second = await Employee.objects.create(name="b", manager=boss)
    await Employee.objects.create(name="c", manager=second)
    assert await Employee.objects.exclude(manager=None).update(name=F("manager__name")) == 2
    assert await Employee.objects.order_by("id").values_list("name", flat=True) == ["a", "a", "b"]


# ---------------------------------------------------------------- groups


async def test_groups_and_their_aggregates(shop: None) -> None:
    groups = Album.objects.values("artist__name").annotate(
        number=Count("*"),
        songs=Count("tracks"),
        seconds=Sum("tracks__seconds"),
        words=Count("tags"),
        newest=Max("year"),
    )
    assert await groups.order_by("artist__name") == [
        {"artist__name": "AC/DC", "number": 3, "songs": 5, "seconds": 180, "words": 4, "newest": 1978},
        {"artist__name": "Accept", "number": 2, "songs": 4, "seconds": 180, "words": 0, "newest": 1983},
    ]


async def test_null_is_a_group(shop: None) -> None:
    groups = Album.objects.values("year").annotate(number=Count("*"), songs=Count("tracks"), price=Avg("tracks__price"))
    found = await groups.order_by(F("year").asc(nulls="first"))
    assert [(row["year"], row["number"], row["songs"], float(row["price"])) for row in found] == [
        (None, 2, 2, 4.0),
        (1978, 2, 5, 3.6),
        (1983, 1, 2, 5.0),
    ]
    empty = Album.objects.values("producer").annotate(words=Count("tags"), seconds=Sum("tracks__seconds"))
    assert sorted(map(repr, await empty.filter(words=3))) == [repr({"producer": None, "words": 3, "seconds": 220})]


async def test_conditions_on_groups_and_on_rows(shop: None) -> None:
    groups = (
        Album.objects.values("year").annotate(number=Count("*"), songs=Count("tracks")).order_by("-number", "-songs")
    )
    assert await groups.filter(number__gt=1).values_list("year", flat=True) == [1978, None]
    assert await groups.filter(songs__gt=2, title__startswith="Album").values_list("year", "songs") == [(1978, 5)]
    assert await groups.filter(title="Album 0").values_list("year", "number") == [(1978, 1)]
    assert await groups.filter(Q(number=1) | Q(songs=5)).values_list("year", flat=True) == [1978, 1983]
    assert await groups.exclude(number=2).values_list("year", flat=True) == [1983]
    assert await groups.filter(number__gt=1).count() == 2
    assert await groups.count() == 3
    assert not await groups.filter(number__gt=5).exists()
    assert (await groups.first())["year"] == 1978  # type: ignore[index]
    assert await groups[1:2].values_list("number", flat=True) == [2]


async def test_groups_of_expressions(shop: None) -> None:
    groups = Track.objects.values(long=F("seconds") / 40 * 0 + F("seconds") % 20).annotate(number=Count("*"))
    assert await groups.order_by("long").values_list("long", "number") == [(0.0, 5), (10.0, 4)]
    by_number = Album.objects.annotate(songs=Count("tracks")).values("songs").annotate(number=Count("*"))
    assert await by_number.order_by("songs") == [
        {"songs": 0, "number": 1},
        {"songs": 2, "number": 3},
        {"songs": 3, "number": 1},
    ]


async def test_a_group_key_need_not_be_read(shop: None) -> None:
    numbers = Album.objects.values("year").annotate(number=Count("*")).order_by("number", "year")
    assert sorted(await numbers.values_list("number", flat=True)) == [1, 2, 2]


async def test_aggregates_of_annotations_and_of_groups(shop: None) -> None:
    albums = Album.objects.annotate(number=Count("tracks"))
    assert await albums.aggregate(mean=Avg("number"), most=Max("number")) == {"mean": 1.8, "most": 3}
    assert await albums.filter(number__gt=0).aggregate(least=Min("number")) == {"least": 2}
    groups = Album.objects.values("year").annotate(number=Count("*"), songs=Count("tracks"))
    found = await groups.aggregate(groups=Count("*"), most=Max("songs"), total=Sum("number"))
    assert found == {"groups": 3, "most": 5, "total": 5}
    assert await groups.filter(number__gt=1).aggregate(groups=Count("*")) == {"groups": 2}
    assert await Track.objects.aggregate(mean=Sum("seconds") / Count("*")) == {"mean": 40.0}
    assert await Track.objects.none().aggregate(x=Sum("seconds") + Count("*"), y=Count("*")) == {"x": None, "y": 0}


async def test_groups_with_an_aggregate_in_a_subquery(shop: None) -> None:
    groups = Album.objects.values("artist__name").annotate(number=Count("*")).order_by("number")
    keys = Artist.objects.filter(id__gt=0).values("id")
    least = await Artist.objects.aggregate(least=Min("id"))
    expected = [number for number in (2, 3) if least["least"] <= number <= least["least"] + 2]
    assert await groups.filter(number__in=keys).values_list("number", flat=True) == expected


async def test_groups_in_a_subquery(shop: None) -> None:
    busy = Album.objects.values("artist").annotate(number=Count("*")).filter(number__gt=2).values("artist")
    assert await Artist.objects.filter(id__in=busy).values_list("name", flat=True) == ["AC/DC"]


# ---------------------------------------------------------------- expressions are compared


async def test_expressions_compare_like_columns(shop: None) -> None:
    titles = Album.objects.order_by("id").values_list("title", flat=True)
    assert await titles.filter(F("year") + 1 == 1979) == ["Album 0", "Album 1"]
    assert await titles.filter(F("year") - F("artist__id") > 1980) == ["Album 3"]
    assert await titles.filter((F("year") % 2).is_in([1])) == ["Album 3"]
    assert await titles.filter((F("year") * 1).range(1979, 1990)) == ["Album 3"]
    assert await titles.filter((F("year") + 1).is_null()) == ["Album 2", "Album 4"]
    assert await titles.filter((F("year") + 1) != 1979) == ["Album 2", "Album 3", "Album 4"]
    assert await titles.filter(F("artist__name").startswith("AC"), F("title").icontains("4")) == ["Album 4"]
    assert await titles.filter(F("tracks__seconds") + 1 == 81) == ["Album 0"]
    assert await titles.exclude(F("tracks__seconds") > 20) == ["Album 4"]


async def test_pairs_and_lists_may_have_expressions(shop: None) -> None:
    titles = Album.objects.order_by("id").values_list("title", flat=True)
    assert await titles.filter(year__range=(1970, F("artist__id") + 1977)) == ["Album 0", "Album 1"]
    assert await titles.filter(Album.year.range(F("year"), 1980)) == ["Album 0", "Album 1"]
    assert await titles.filter(year__in=[F("artist__id") + 1977, 1983]) == ["Album 0", "Album 1", "Album 3"]
    assert await titles.filter(Album.year.is_in([Album.artist.id + 1981])) == ["Album 3"]


async def test_texts_are_looked_for_in_texts(music: orm.Database) -> None:
    rows = [("100% Ä_b", "ä_B"), ("100% Ä_b", "% Ä"), ("100% Ä_b", "100%"), ("axb", "a_b"), ("abc", ""), ("a", "abc")]
    await Everything.objects.bulk_create([Everything(string=text, text=part) for text, part in rows])

    async def found(**words: Any) -> list[int]:
        keys = await Everything.objects.order_by("id").values_list("id", flat=True)
        return [keys.index(key) for key in await Everything.objects.filter(**words).values_list("id", flat=True)]

    part = F("text")
    for lookup, expected in {
        "contains": [1, 2, 4],
        "startswith": [2, 4],
        "endswith": [4],
        "icontains": [0, 1, 2, 4],
        "istartswith": [2, 4],
        "iendswith": [0, 4],
        "iexact": [],
        "regex": [2, 4],
        "iregex": [2, 4],
    }.items():
        names = [1, 2, 4] if lookup == "regex" else [0, 1, 2, 4] if lookup == "iregex" else expected
        assert sorted(await found(**{f"string__{lookup}": part})) == names, lookup
    assert sorted(await found(string__iexact=F("string"))) == [0, 1, 2, 3, 4, 5]
    assert await Everything.objects.filter(Everything.string.contains(Everything.text)).count() == 3  # type: ignore[attr-defined]


async def test_plans_of_annotated_queries_are_shared(shop: None) -> None:
    plans = Album.__schema__.plans

    async def ask(number: int) -> None:
        annotated = Album.objects.annotate(
            more=F("year") + number, n=Count("tracks", filter=Q(tracks__seconds__gt=number))
        )
        await annotated.filter(more__gt=number).order_by("-n")
        await annotated.values("year").annotate(k=Count("*")).filter(k__gt=number)

    await ask(1)
    before = len(plans)
    await ask(2)
    assert len(plans) == before


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda: Album.objects.filter(Count("tracks") > 3), r"is an aggregate. Name it first: annotate\(x=…"),
        (lambda: Album.objects.filter(year=Count("tracks")), "is an aggregate. Name it first"),
        (lambda: Album.objects.filter(orm.Window(Sum("year")) > 3), "is a window function. Name it first"),
        (lambda: Album.objects.annotate(n=Count("*")), "is about many rows of Album, and here each row is one of them"),
        (lambda: Album.objects.annotate(n=Sum("year")), "Group them before"),
        (lambda: Album.objects.order_by(Count("*")), "Cannot order by Count"),
        (lambda: Album.objects.annotate(title=F("year")), "Album has a field 'title' already"),
        (lambda: Album.objects.annotate(artist=F("year")), "Album has a field 'artist' already"),
        (lambda: Album.objects.annotate(pk=F("year")), "has a field 'pk' already"),
        (lambda: Album.objects.annotate(save=F("year")), "would hide an attribute of Album"),
        (lambda: Album.objects.annotate(a__b=F("year")), "cannot name an annotation"),
        (lambda: Album.objects.annotate(_a=F("year")), "cannot name an annotation"),
        (lambda: Album.objects.annotate(**{'a" FROM x --': F("year")}), "cannot name an annotation"),
        (lambda: Album.objects.annotate(n=F("year")).annotate(n=F("id")), "an annotation 'n' already"),
        (lambda: Album.objects.annotate(n="year"), r"is a text. For a field write n=orm.F\('year'\)"),
        (lambda: Album.objects.annotate(n=3), r"For a value write n=orm.Value\(3\)"),
        (lambda: Album.objects.annotate(n=F("year").desc()), "is an order, not an expression"),
        (lambda: Album.objects.annotate(n=F("titel")), "Album has no field 'titel'"),
        (lambda: Album.objects.annotate(n=F("tracks__name")), "Album has many Track rows"),
        (lambda: Album.objects.annotate(n=Artist.name), "is about Artist"),
        (lambda: Album.objects.all()[:3].annotate(n=F("year")), "Cannot annotate a query set that has a limit"),
        (lambda: Album.objects.annotate(n=Count("tracks")).filter(n="x"), "n: Input should be a valid integer"),
        (
            lambda: Album.objects.annotate(n=Count("tracks")).filter(n__icontains="x"),
            r"n \(integer\) has no lookup 'icontains'",
        ),
        (lambda: Album.objects.annotate(n=Sum("tracks__name")), "only numbers and durations"),
        (lambda: Album.objects.annotate(n=Sum(F("tracks__id") + F("tags__id"))), "multiply each other"),
        (
            lambda: Album.objects.values("year").annotate(n=Count("*")).order_by("title"),
            "title has many values in a group",
        ),
        (
            lambda: Album.objects.order_by("title").values("year").annotate(n=Count("*")),
            "title has many values in a group",
        ),
        (
            lambda: Album.objects.values("year").annotate(n=Count("*")).values("title"),
            "grouped by year. Name it in values",
        ),
        (lambda: Album.objects.values("year").annotate(n=Count("*")).annotate(x=F("title")), "title has many values"),
        (lambda: Album.objects.values("year").annotate(n=Count("*")).filter(Q(n=1) | Q(title="x")), "many values"),
        (lambda: Album.objects.values("year", Count("tracks")), "is an aggregate. Name it: values"),
        (
            lambda: Album.objects.all().update(title=F("year")),
            r"Album.title \(text\) cannot be set to year \(integer\)",
        ),
        (lambda: Album.objects.all().update(year=F("tracks__id")), "Album has many Track rows"),
        (lambda: Album.objects.aggregate(n=F("year")), "n=F.'year'. is no aggregate"),
        (lambda: Album.objects.aggregate(n=Sum("year") + F("id")), "id has many values in a group"),
        (lambda: Album.objects.values("year").aggregate(n=Sum("id")), "id is not read by values"),
        (lambda: Album.objects.filter(year=F("title")), r"year \(integer\) cannot be compared with title \(text\)"),
        (lambda: Album.objects.filter(title__contains=F("year")), "cannot be compared with year .integer.. Cast one"),
        (lambda: Everything.objects.filter(F("text") == 3), "Input should be a valid string"),
    ],
)
async def test_mistakes_are_named(music: orm.Database, ask: Any, text: str) -> None:
    with pytest.raises((orm.FieldError, orm.ValidationError), match=text):
        await ask()
