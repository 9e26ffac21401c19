"""Query sets put together: set operations, and common table expressions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import orm
from orm import CTE, Count, F, Sum, Value
from tests.music import Album, Artist, Employee, Track
from tests.recorder import Recorder


@pytest.fixture
async def shop(music: orm.Database) -> None:
    """Three artists, five albums of two of them, and employees below each other."""
    a, b, _ = await Artist.objects.bulk_create([Artist(name="A", country="x"), Artist(name="B"), Artist(name="C")])
    await Album.objects.bulk_create(
        [Album(title=f"t{n}", year=[1, 1, None, 2, None][n], artist=[a, a, b, b, a][n]) for n in range(5)]
    )
    chief = await Employee.objects.create(name="chief")
    head = await Employee.objects.create(name="head", manager=chief)
    worker = await Employee.objects.create(name="worker", manager=head)
    await Employee.objects.create(name="other", manager=chief)
    await Employee.objects.create(name="apprentice", manager=worker)


def titles(query: Any) -> Any:
    return query.values_list("title", flat=True)


EARLY = Album.objects.filter(year=1)
MIDDLE = Album.objects.filter(title__in=["t1", "t2"])


# ---------------------------------------------------------------- set operations


async def test_set_operations_of_instances(shop: None, recorder: Recorder) -> None:
    found = await EARLY.union(MIDDLE).order_by("title")
    assert [album.title for album in found] == ["t0", "t1", "t2"]
    assert all(isinstance(album, Album) for album in found)
    assert recorder.count == 1
    assert await titles(EARLY.union(MIDDLE, all=True).order_by("title")) == ["t0", "t1", "t1", "t2"]
    assert await titles(EARLY.intersection(MIDDLE)) == ["t1"]
    assert await titles(EARLY.difference(MIDDLE)) == ["t0"]
    assert await titles(Album.objects.difference(EARLY, MIDDLE).order_by("title")) == ["t3", "t4"]
    assert await titles(EARLY.union(MIDDLE, Album.objects.filter(title="t4")).order_by("-title")[:2]) == ["t4", "t2"]
    assert await titles((EARLY.union(MIDDLE)).difference(EARLY)) == ["t2"]


async def test_what_a_combined_query_set_can_do(shop: None) -> None:
    both = EARLY.union(MIDDLE)
    assert await both.count() == 3
    assert await both.exists()
    assert await both.filter(artist__name="B").count() == 1
    assert await titles(both.exclude(year=1)) == ["t2"]
    assert (await both.get(title="t2")).year is None
    assert (await both.order_by("-title").first()).title == "t2"  # type: ignore[union-attr]
    assert (await both.latest("title")).title == "t2"
    found = await both.select_related("artist").prefetch_related("tracks").order_by("title")
    assert [(album.artist.name, list(album.tracks)) for album in found] == [("A", []), ("A", []), ("B", [])]
    assert [album.title async for album in both.order_by("title").iterate(2)] == ["t0", "t1", "t2"]
    page = await both.order_by("title").paginate(2, per_page=2)
    assert ([album.title for album in page], page.total) == (["t2"], 3)
    first = await both.order_by("-title").cursor_paginate(per_page=2)
    second = await both.order_by("-title").cursor_paginate(after=first.next_cursor, per_page=2)
    assert [album.title for album in [*first, *second]] == ["t2", "t1", "t0"]
    assert await both.aggregate(n=Count("*"), years=Sum("year")) == {"n": 3, "years": 2}
    counted = both.values("artist__name").annotate(n=Count("*"), albums=Count("artist__albums"))
    assert await counted.order_by("artist__name") == [
        {"artist__name": "A", "n": 2, "albums": 6},
        {"artist__name": "B", "n": 1, "albums": 2},
    ]
    assert await Album.objects.filter(id__in=both.values("id")).count() == 3
    assert await Artist.objects.filter(albums__in=both).order_by("name").values_list("name", flat=True) == ["A", "B"]
    assert (await both.only("title").order_by("title"))[0].title == "t0"
    assert await both.contains(await Album.objects.get(title="t1"))
    assert len(await both.in_bulk()) == 3
    assert not await Album.objects.none().union(Album.objects.none()).exists()
    assert await Album.objects.none().union(EARLY).count() == 2
    assert await EARLY.difference(Album.objects.none()).count() == 2


async def test_members_may_be_slices(shop: None) -> None:
    first, last = Album.objects.order_by("title")[:2], Album.objects.order_by("-title")[:1]
    assert await titles(first.union(last).order_by("title")) == ["t0", "t1", "t4"]


async def test_annotations_of_members(shop: None) -> None:
    def annotated(rank: int) -> Any:
        return Album.objects.annotate(rank=Value(rank) + F("id") * 0, tracks_number=Count("tracks"))

    both = annotated(1).filter(year=1).union(annotated(2).filter(year=2)).order_by("-rank", "title")
    assert [(album.title, album.rank, album.tracks_number) for album in await both] == [
        ("t3", 2, 0),
        ("t0", 1, 0),
        ("t1", 1, 0),
    ]
    assert await both.filter(rank=2).count() == 1


async def test_rows_of_several_models(shop: None) -> None:
    names = Album.objects.values_list("title", "year").union(Artist.objects.values_list("name", "id"))
    keys = dict(await Artist.objects.values_list("name", "id"))
    assert await names.order_by("-title")[:4] == [("t4", None), ("t3", 2), ("t2", None), ("t1", 1)]
    assert await names.filter(title__in=["A", "t0"]).order_by("title") == [("A", keys["A"]), ("t0", 1)]
    assert await names.order_by(F("year").desc(nulls="last"), "title").values_list("title", flat=True).count() == 8
    assert await names.values("year").annotate(n=Count("*")).filter(year=None) == [{"year": None, "n": 2}]
    assert await names.aggregate(n=Count("title"), most=orm.Max("title")) == {"n": 8, "most": "t4"}
    years = Album.objects.values_list("year", flat=True)
    assert sorted(await years.union(years), key=repr) == [1, 2, None]
    assert len(await years.union(years, all=True)) == 10
    assert sorted(await years.intersection(years), key=repr) == [1, 2, None]
    assert await years.difference(years.filter(year=1), years.filter(year=None)) == [2]


async def test_numbers_of_several_kinds_become_the_wider_one(music: orm.Database) -> None:
    await Track.objects.create(name="x", seconds=3, price=Decimal("1.50"))
    found = await Track.objects.values_list("seconds", flat=True).union(Track.objects.values_list("price", flat=True))
    assert sorted(found) == [Decimal("1.50"), Decimal(3)]
    assert {type(value) for value in found} == {Decimal}


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda: Album.objects.union(), "union.. needs another query set"),
        (lambda: Album.objects.union([1]), "takes query sets, not"),
        (lambda: Album.objects.union(Artist.objects.all()), "of Album cannot take instances of Artist"),
        (lambda: Album.objects.union(Album.objects.values("id")), "cannot mix instances and values"),
        (
            lambda: Album.objects.values("id").union(Album.objects.values("id", "title")),
            "same number of columns: id are 1, id, title are 2",
        ),
        (
            lambda: Album.objects.values("title").intersection(Album.objects.values("id")),
            r"intersection\(\) cannot put integer \(id\) into the column title \(text\)",
        ),
        (lambda: Album.objects.union(Album.objects.annotate(n=F("year"))), "same annotations"),
        (lambda: Album.objects.union(Album.objects.select_related("artist")), "reads whole rows"),
        (lambda: Album.objects.union(Album.objects.select_for_update()), "cannot be locked"),
        (
            lambda: Album.objects.values("title").union(Artist.objects.values("name")).order_by("year"),
            "'year' is no column of the union of .* Choose from: title",
        ),
        (
            lambda: Album.objects.values("title").union(Artist.objects.values("name")).filter(Album.title == "x"),
            "'title' is no column of the union of .* Choose from: title",
        ),
        (lambda: EARLY.union(MIDDLE).update(title="x"), "changes rows of one table"),
        (lambda: EARLY.union(MIDDLE).delete(), "changes rows of one table"),
        (lambda: EARLY.union(MIDDLE.using(orm.Database("sqlite:///:memory:"))), "two databases"),
    ],
)
async def test_mistakes_in_set_operations_are_named(music: orm.Database, ask: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        await ask()


# ---------------------------------------------------------------- common table expressions


def chain_above(name: str, **options: Any) -> CTE:
    """An employee and everybody above, with the number of steps."""
    return CTE(
        "chain",
        Employee.objects.filter(name=name).values("id", "manager_id", depth=Value(0)),
        recursive=lambda chain: Employee.objects.with_cte(chain, id=chain.c.manager_id).values(
            "id", "manager_id", depth=chain.c.depth + 1
        ),
        **options,
    )


async def test_walking_to_the_top(shop: None) -> None:
    chain = chain_above("worker")
    above = Employee.objects.with_cte(chain, id=chain.c.id).annotate(depth=chain.c.depth)
    assert await above.order_by("depth").values_list("name", "depth") == [("worker", 0), ("head", 1), ("chief", 2)]
    people = await above.filter(depth__gt=0).select_related("manager").order_by("-depth")
    assert [(person.name, person.depth, person.manager and person.manager.name) for person in people] == [
        ("chief", 2, None),
        ("head", 1, "chief"),
    ]
    assert await above.count() == 3
    assert (await above.latest("depth")).name == "chief"
    assert await above.aggregate(deepest=orm.Max("depth")) == {"deepest": 2}
    assert await above.annotate(reports_number=Count("reports")).order_by("depth").values_list(
        "reports_number", flat=True
    ) == [1, 1, 2]
    assert await Employee.objects.filter(id__in=above.values("id")).count() == 3


async def test_walking_down(shop: None) -> None:
    tree = CTE(
        "tree",
        Employee.objects.filter(manager=None).values("id", level=Value(1)),
        recursive=lambda tree: Employee.objects.with_cte(tree, manager=tree.c.id).values("id", level=tree.c.level + 1),
    )
    levels = Employee.objects.with_cte(tree, pk=tree.c.id).annotate(level=tree.c.level)
    assert await levels.order_by("level", "name").values_list("name", "level") == [
        ("chief", 1),
        ("head", 2),
        ("other", 2),
        ("worker", 3),
        ("apprentice", 4),
    ]
    assert await levels.values("level").annotate(n=Count("*")).order_by("level").values_list("n", flat=True) == [
        1,
        2,
        1,
        1,
    ]


async def test_a_circle_ends_with_distinct_rows(music: orm.Database) -> None:
    a = await Employee.objects.create(name="a")
    b = await Employee.objects.create(name="b", manager=a)
    await Employee.objects.filter(id=a.id).update(manager=b)
    circle = CTE(
        "circle",
        Employee.objects.filter(name="a").values("id", "manager_id"),
        recursive=lambda circle: Employee.objects.with_cte(circle, id=circle.c.manager_id).values("id", "manager_id"),
        distinct=True,
    )
    assert await Employee.objects.with_cte(circle, id=circle.c.id).count() == 2


async def test_groups_as_a_cte(shop: None) -> None:
    totals = CTE("totals", Album.objects.values("artist_id").annotate(number=Count("*")))
    artists = Artist.objects.with_cte(totals, id=totals.c.artist_id)
    assert await artists.order_by("name").values("name", number=totals.c.number) == [
        {"name": "A", "number": 3},
        {"name": "B", "number": 2},
    ]
    assert await artists.filter(totals.c.number > 2).values_list("name", flat=True) == ["A"]
    assert [artist.name for artist in await artists.order_by(totals.c.number.asc())] == ["B", "A"]
    albums = Album.objects.with_cte(totals, artist__id=totals.c["artist_id"]).filter(totals.c.number == 2)
    assert sorted(await titles(albums)) == ["t2", "t3"]


async def test_two_ctes(shop: None) -> None:
    one = CTE("one", Album.objects.values("artist_id").annotate(number=Count("*")))
    two = CTE("two", Album.objects.filter(year=1).values("artist_id").annotate(early=Count("*")))
    artists = Artist.objects.with_cte(one, id=one.c.artist_id).with_cte(two, id=two.c.artist_id)
    assert await artists.values_list("name", one.c.number, two.c.early) == [("A", 3, 2)]


async def test_updates_of_rows_joined_with_a_cte(shop: None) -> None:
    chain = chain_above("worker")
    above = Employee.objects.with_cte(chain, id=chain.c.id).filter(chain.c.depth > 0)
    assert await above.update(name="boss") == 2
    assert await Employee.objects.filter(name="boss").count() == 2


async def test_plans_of_ctes_are_shared(shop: None) -> None:
    plans = Employee.__schema__.plans

    async def ask(name: str) -> list[Any]:
        chain = chain_above(name)
        found = Employee.objects.with_cte(chain, id=chain.c.id).order_by(chain.c.depth)
        return await found.values_list("name", flat=True)

    assert await ask("head") == ["head", "chief"]
    before = len(plans)
    assert await ask("other") == ["other", "chief"]
    assert len(plans) == before


TOTALS = CTE("totals", Album.objects.values("artist_id").annotate(number=Count("*")))


@pytest.mark.parametrize(
    ("ask", "text"),
    [
        (lambda: CTE('x"; DROP', Album.objects.values("id")), "cannot name a CTE"),
        (lambda: CTE("x", Album.objects.all()), "needs columns with names"),
        (lambda: CTE("x", [1]), "is a query set, not"),
        (lambda: CTE("x", Album.objects.values("artist__name")), r"values\(artist_name=F\('artist__name'\)\)"),
        (
            lambda: CTE("x", Album.objects.values("id"), recursive=lambda x: Album.objects.values("title")),
            "They must be the same",
        ),
        (
            lambda: CTE("x", Album.objects.values("id"), recursive=lambda x: Album.objects.values("id")[:3]),
            "cannot have a limit",
        ),
        (lambda: Artist.objects.with_cte(TOTALS), "needs a condition that says which rows belong together"),
        (lambda: Artist.objects.with_cte(TOTALS, name="A"), "needs a condition"),
        (lambda: Artist.objects.with_cte("totals", id=1), "takes a CTE, not"),
        (lambda: Artist.objects.filter(TOTALS.c.number > 2), "is no column of this query set. Join it first"),
        (lambda: Artist.objects.annotate(n=TOTALS.c.number), "Join it first"),
        (
            lambda: Artist.objects.with_cte(TOTALS, id=TOTALS.c.artist_id).with_cte(TOTALS, id=TOTALS.c.artist_id),
            "a CTE 'totals' in the query set already",
        ),
        (lambda: Artist.objects.all()[:1].with_cte(TOTALS, id=TOTALS.c.artist_id), "has a limit"),
        (
            lambda: Artist.objects.values("name").annotate(n=Count("*")).with_cte(TOTALS, id=TOTALS.c.artist_id),
            "Put it before",
        ),
    ],
)
async def test_mistakes_in_ctes_are_named(music: orm.Database, ask: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        await ask()


def test_an_unknown_column_of_a_cte_is_named() -> None:
    with pytest.raises(AttributeError, match=r"has no column 'nope'\. Choose from: artist_id, number"):
        _ = TOTALS.c.nope
