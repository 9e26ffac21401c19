"""Pages by number and by cursor, and batches: each row once, in order, whatever the order is."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cmp_to_key
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import orm
from orm import cursors, plans
from tests.music import Album, Artist, Color, Employee, Everything, Level, Profile, Tag, Track
from tests.recorder import Recorder

SECRET = "between us"


async def forwards(rows: orm.Rows[Any], per_page: int, **options: Any) -> list[orm.CursorPage[Any]]:
    """Every page, from the first."""
    pages = [await rows.cursor_paginate(per_page=per_page, **options)]
    while pages[-1].next_cursor is not None:
        pages.append(await rows.cursor_paginate(after=pages[-1].next_cursor, per_page=per_page, **options))
        assert len(pages) < 100
    return pages


async def backwards(
    rows: orm.Rows[Any], last: orm.CursorPage[Any], per_page: int, **options: Any
) -> list[orm.CursorPage[Any]]:
    """Every page up to the last one, in order, each found from the one after it."""
    pages = [last]
    while pages[0].previous_cursor is not None:
        pages.insert(0, await rows.cursor_paginate(before=pages[0].previous_cursor, per_page=per_page, **options))
        assert len(pages) < 100
    return pages


def items(pages: Sequence[orm.CursorPage[Any]]) -> list[Any]:
    return [item for page in pages for item in page]


# ---------------------------------------------------------------- every row once, in order

ROWS: list[dict[str, Any]] = [
    {
        "integer": number % 3 or None,
        "string": [None, "a", "B", "ab", ""][number % 5],
        "boolean": [True, False, None][number % 3],
        "decimal": [None, Decimal("1.5"), Decimal("10.25"), Decimal("-0.0001")][number % 4],
        "moment": [None, datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, 0, 0, 0, 1, tzinfo=UTC)][number % 3],
        "float": [0.1, None, 0.1 + 0.2][number % 3],
    }
    for number in range(17)
]
TERMS = [
    (name, descending, nulls) for name in ROWS[0] for descending in (False, True) for nulls in (None, "first", "last")
]


def ordering(term: tuple[str, bool, Any]) -> orm.Ordering:
    name, descending, nulls = term
    return orm.F(name).desc(nulls=nulls) if descending else orm.F(name).asc(nulls=nulls)


def expected(rows: list[Any], terms: Sequence[tuple[str, bool, Any]], engine: str) -> list[int]:
    """The keys of the rows as Python puts them in order."""
    own = "last" if engine == "postgresql" else "first"
    steps = [*terms, ("id", terms[-1][1] if terms else False, None)]

    def compare(one: Any, other: Any) -> int:
        for name, descending, nulls in steps:
            a, b = getattr(one, name), getattr(other, name)
            if a == b:
                continue
            if a is None or b is None:
                first = nulls == "first" if nulls else (own == "first") is not descending
                return -1 if (a is None) is first else 1
            return (-1 if a < b else 1) * (-1 if descending else 1)
        return 0

    return [row.id for row in sorted(rows, key=cmp_to_key(compare))]


@pytest_asyncio.fixture
async def filled(music: orm.Database) -> AsyncIterator[orm.Database]:
    """A table with many equal values and NULLs, in texts that every collation puts into the same order."""
    await Everything.objects.bulk_create([Everything(**row) for row in ROWS])
    yield music


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    terms=st.lists(
        st.sampled_from([term for term in TERMS if term[0] != "string"]), max_size=3, unique_by=lambda term: term[0]
    ),
    per_page=st.integers(1, 7),
    form=st.sampled_from(["instances", "only", "values", "flat"]),
)
async def test_every_row_comes_once_and_in_order(
    filled: orm.Database, terms: list[tuple[str, bool, Any]], per_page: int, form: str
) -> None:
    ordered = Everything.objects.order_by(*[ordering(term) for term in terms])
    wanted = expected(await Everything.objects.all(), terms, filled.dialect.name)
    forms: dict[str, tuple[orm.Rows[Any], Callable[[Any], int]]] = {
        "instances": (ordered, lambda row: row.id),
        "only": (ordered.only("text"), lambda row: row.id),
        "values": (ordered.values("text", "id"), lambda row: row["id"]),
        "flat": (ordered.values_list("id", flat=True), lambda row: row),
    }
    rows, key = forms[form]
    pages = await forwards(rows, per_page)
    assert [key(item) for item in items(pages)] == wanted
    assert [len(page) for page in pages[:-1]] == [per_page] * (len(pages) - 1)
    assert [page.has_previous for page in pages] == [False] + [True] * (len(pages) - 1)
    assert [page.has_next for page in pages] == [True] * (len(pages) - 1) + [False]
    again = await backwards(rows, pages[-1], per_page)
    assert [key(item) for item in items(again)] == wanted
    assert not again[0].has_previous


async def test_texts_are_compared_as_they_are_ordered(filled: orm.Database) -> None:
    for term in [term for term in TERMS if term[0] == "string"]:
        ordered = Everything.objects.order_by(ordering(term), "id")
        pages = await forwards(ordered, 3)
        assert items(pages) == await ordered
        assert items(await backwards(ordered, pages[-1], 3)) == items(pages)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    terms=st.lists(st.sampled_from(TERMS), min_size=1, max_size=2, unique_by=lambda term: term[0]),
    per_page=st.integers(1, 5),
)
async def test_rows_that_are_inserted_behind_the_cursor_move_nothing(
    filled: orm.Database, terms: list[tuple[str, bool, Any]], per_page: int
) -> None:
    ordered = Everything.objects.order_by(*[ordering(term) for term in terms])
    there = [item.id for item in items(await forwards(ordered, 50))]
    page = await ordered.cursor_paginate(per_page=per_page)
    seen = [item.id for item in page]
    for copies in range(100):
        if page.next_cursor is None:
            break
        if copies < 10:  # of a row that was read, with a new key: behind the cursor, or equal to what comes next
            first = page.items[0]
            await Everything(**{name: getattr(first, name) for name in ROWS[0]}).save()
        page = await ordered.cursor_paginate(after=page.next_cursor, per_page=per_page)
        seen += [item.id for item in page]
    assert [key for key in seen if key in there] == there
    await Everything.objects.exclude(id__in=there).all().delete()


async def test_columns_of_every_kind_are_kept_by_a_cursor(music: orm.Database) -> None:
    values: dict[str, list[Any]] = {
        "small": [1, -(2**15)],
        "big": [2**63 - 1, -(2**63)],
        "float": [0.1 + 0.2, 1e300],
        "decimal": [Decimal("0.0001"), Decimal("-12345678901.2345")],
        "boolean": [False, True],
        "string": ["it's", "ü\u2028%"],
        "text": ["", "x" * 5000],
        "uuid": [UUID(int=1), UUID(int=2**128 - 1)],
        "date": [date(1, 1, 1), date(9999, 12, 31)],
        "moment": [datetime(2000, 1, 1, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)],
        "naive": [datetime(2000, 1, 1), datetime(2000, 1, 1, 0, 0, 0, 1)],
        "time": [time(0), time(23, 59, 59, 999999)],
        "duration": [timedelta(0), timedelta(days=-3, microseconds=1)],
        "binary": [b"", b"\x00\xff"],
        "color": [Color.RED, Color.GREEN],
        "level": [Level.LOW, Level.HIGH],
    }
    for name, (one, other) in values.items():
        await Everything.objects.all().delete()
        await Everything.objects.bulk_create([Everything(**{name: value}) for value in (one, other, None, one, other)])
        for term in (name, f"-{name}"):
            ordered = Everything.objects.order_by(term)
            wanted = [getattr(row, name) for row in await ordered]
            pages = await forwards(ordered, 1)
            assert [getattr(row, name) for row in items(pages)] == wanted, term
            assert len({row.id for row in items(pages)}) == 5, term
            assert items(await backwards(ordered, pages[-1], 1)) == items(pages), term


async def test_an_address_is_kept_by_a_cursor(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(address=text) for text in ("10.0.0.1", "::1", "10.0.0.1")])
    ordered = Everything.objects.order_by("address", "id")
    assert items(await forwards(ordered, 1)) == await ordered


# ---------------------------------------------------------------- orders


@pytest_asyncio.fixture
async def shop(music: orm.Database) -> AsyncIterator[orm.Database]:
    """Six albums of two artists, some with a producer; one artist has a profile."""
    acdc, abba = await Artist.objects.bulk_create([Artist(name="AC/DC", country="AU"), Artist(name="ABBA")])
    await Profile.objects.create(text="loud", artist=acdc)
    await Album.objects.bulk_create(
        [
            Album(
                title=f"t{number % 2}",
                year=number % 4 or None,
                artist=(acdc, abba)[number % 2],
                producer=(None, acdc, abba)[number % 3],
            )
            for number in range(6)
        ]
    )
    yield music


@pytest.mark.parametrize(
    "order",
    [
        ("artist__name",),
        ("-producer__name", "title"),
        ("producer__country", "-artist__name"),
        ("producer",),
        ("artist__profile__text",),
        ("-id", "title"),
        ("title", "-title"),
    ],
)
async def test_columns_of_relations_order_pages(shop: orm.Database, order: tuple[str, ...]) -> None:
    ordered = Album.objects.order_by(*order)
    down = order[-1].startswith("-") and order != ("title", "-title")
    wanted = [album.id for album in await ordered.order_by(*order, "-id" if down else "id")]
    if order == ("title", "-title"):
        wanted = [album.id for album in await Album.objects.order_by("title", "-id")]
    for rows, key in (
        (ordered, lambda row: row.id),
        (ordered.only("title"), lambda row: row.id),
        (ordered.select_related("producer").only("producer__country"), lambda row: row.id),
        (ordered.defer("title", "year"), lambda row: row.id),
        (ordered.values("id"), lambda row: row["id"]),
    ):
        pages = await forwards(rows, 2)
        assert [key(item) for item in items(pages)] == wanted
        assert [key(item) for item in items(await backwards(rows, pages[-1], 2))] == wanted


async def test_a_core_column_orders_pages(shop: orm.Database) -> None:
    column = Album.table.c.year
    ordered = Album.objects.order_by(column.desc().nulls_last())
    pages = await forwards(ordered, 2)
    assert [album.year for album in items(pages)] == [3, 2, 1, 1, None, None]


async def test_the_models_order_is_that_of_pages(shop: orm.Database, recorder: Recorder) -> None:
    pages = await forwards(Album.objects.all(), 4)
    assert [album.title for album in items(pages)] == ["t0"] * 3 + ["t1"] * 3
    assert recorder.count == 2
    assert [tag.id for tag in await Tag.objects.cursor_paginate()] == []


async def test_related_sets_and_filters_have_pages(shop: orm.Database) -> None:
    artist = await Artist.objects.get(name="ABBA")
    pages = await forwards(artist.albums.filter(title="t1").order_by("-year"), 2)
    assert [album.year for album in items(pages)] == [3, 1, 1]


async def test_relations_are_read_with_a_page(shop: orm.Database, recorder: Recorder) -> None:
    page = await Artist.objects.order_by("name").prefetch_related("albums").cursor_paginate(per_page=1)
    assert [album.title for album in await page.items[0].albums] == ["t1"] * 3
    assert recorder.count == 2


async def test_a_tree_of_one_table_orders_pages(music: orm.Database) -> None:
    boss = await Employee.objects.create(name="z")
    await Employee.objects.bulk_create([Employee(name=name, manager=boss) for name in "aab"])
    ordered = Employee.objects.order_by("manager__name", "name")
    pages = await forwards(ordered, 1)
    assert [row.id for row in items(pages)] == [
        row.id for row in await ordered.order_by(*["manager__name", "name", "id"])
    ]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        (lambda: Everything.objects.order_by(sa.func.random()), "values of the kind 'any'"),
        (lambda: Everything.objects.order_by(orm.functions.Random()), "another value each time"),
        (lambda: Everything.objects.order_by("data__a"), "values of the kind 'json_value'"),
        (lambda: Everything.objects.order_by("data"), "values of the kind 'json'"),
        (lambda: Everything.objects.order_by("id")[:5], "limit or an offset"),
        (lambda: Everything.objects.order_by("text").values("text").distinct(), "distinct"),
    ],
)
async def test_what_has_no_keyset_is_refused(music: orm.Database, rows: Any, what: str) -> None:
    with pytest.raises(orm.FieldError, match=what):
        await rows().cursor_paginate()


@pytest.mark.parametrize(
    "order",
    [
        ["moment__year", "-integer"],
        [(orm.F("integer") * -2).desc(nulls="last"), orm.F("decimal").asc(nulls="first")],
        [orm.F("length").desc(nulls="first")],
        [orm.F("hidden").asc(nulls="last"), "-string"],
    ],
)
async def test_an_order_may_have_expressions(music: orm.Database, order: list[Any]) -> None:
    await Everything.objects.bulk_create([Everything(**row) for row in ROWS])
    rows = Everything.objects.annotate(length=orm.F("integer") + orm.F("id") % 3)
    rows = rows.alias(hidden=orm.F("integer") - 1).order_by(*order)
    every = [row.id for row in await rows.order_by(*order, "id" if order[-1] != "-string" else "-id")]
    for form in (rows, rows.values("id", "string")):
        pages = await forwards(form, 3, secret=SECRET)
        found = [row["id"] if isinstance(row, dict) else row.id for row in items(pages)]
        assert sorted(found) == sorted(every)
        assert await backwards(form, pages[-1], 3, secret=SECRET) == pages
    assert all(set(row) == {"id", "string"} for row in items(pages))
    first = (await rows.cursor_paginate(per_page=1)).items[0]
    assert set(first.__dict__) == {"length"}


async def test_groups_have_pages_too(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(**row) for row in ROWS])
    groups = Everything.objects.values("string", "integer").annotate(n=orm.Count("*")).order_by("-n")
    every = await groups
    pages = await forwards(groups, 2)
    assert sorted(map(repr, items(pages))) == sorted(map(repr, every))
    assert [row["n"] for row in items(pages)] == [row["n"] for row in every]
    assert await backwards(groups, pages[-1], 2) == pages


async def test_ranked_rows_have_pages_too(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(**row) for row in ROWS])
    window = orm.Window(orm.Count("*"), partition_by="integer", order_by="id")
    ranked = Everything.objects.annotate(place=window).filter(place__lte=4).order_by("-place")
    pages = await forwards(ranked, 3)
    found = [(row.place, row.id) for row in items(pages)]
    assert len(found) == 12
    assert found == sorted(found, reverse=True)
    assert await backwards(ranked, pages[-1], 3) == pages


# ---------------------------------------------------------------- the edges


async def test_a_table_without_rows_has_one_page(music: orm.Database) -> None:
    assert await Tag.objects.cursor_paginate() == orm.CursorPage([], False, False, None, None)
    assert await Tag.objects.none().cursor_paginate() == orm.CursorPage([], False, False, None, None)


async def test_a_full_last_page_has_no_next_one(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcd"])
    pages = await forwards(Tag.objects.order_by("word"), 2)
    assert [[tag.word for tag in page] for page in pages] == [["a", "b"], ["c", "d"]]
    assert len(pages[0]) == 2
    assert repr(pages[0]) == "<CursorPage: 2 items, next True, previous False>"


async def test_an_empty_page_leads_back_to_all_rows(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcd"])
    ordered = Tag.objects.order_by("word")
    page = await ordered.cursor_paginate(per_page=2)
    await Tag.objects.filter(word__gt="b").delete()
    empty = await ordered.cursor_paginate(after=page.next_cursor, per_page=2)
    assert (empty.items, empty.has_next, empty.has_previous) == ([], False, True)
    back = await ordered.cursor_paginate(before=empty.previous_cursor, per_page=2)
    assert [tag.word for tag in back] == ["a", "b"]
    await Tag.objects.all().delete()
    gone = await ordered.cursor_paginate(before=empty.previous_cursor, per_page=2)
    assert (gone.items, gone.has_next, gone.has_previous) == ([], True, False)
    await Tag.objects.bulk_create([Tag(word=word) for word in "ac"])
    assert [tag.word for tag in await ordered.cursor_paginate(after=gone.next_cursor, per_page=2)] == ["c"]


async def test_the_row_of_a_cursor_may_be_deleted(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcd"])
    page = await Tag.objects.order_by("word").cursor_paginate(per_page=2)
    await page.items[1].delete()
    following = await Tag.objects.order_by("word").cursor_paginate(after=page.next_cursor, per_page=2)
    assert [tag.word for tag in following] == ["c", "d"]


async def test_rows_keep_their_form(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "ab"])
    ordered = Tag.objects.order_by("-word")
    assert (await ordered.values("word").cursor_paginate()).items == [{"word": "b"}, {"word": "a"}]
    assert (await ordered.values_list("word").cursor_paginate()).items == [("b",), ("a",)]
    assert (await ordered.values_list("word", flat=True).cursor_paginate()).items == ["b", "a"]
    named = (await ordered.values_list("word", named=True).cursor_paginate()).items
    assert [(row.word, row._fields) for row in named] == [("b", ("word",)), ("a", ("word",))]
    only = (await Everything.objects.order_by("text").only("small").cursor_paginate()).items
    assert only == []


async def test_only_reads_what_was_named_and_what_the_cursor_needs(filled: orm.Database) -> None:
    row = (await Everything.objects.order_by("integer").only("string").cursor_paginate()).items[0]
    assert (row.string, row.integer) == (row.string, row.integer)
    with pytest.raises(orm.NotLoaded):
        _ = row.text


async def test_pages_that_cannot_be_are_refused(music: orm.Database) -> None:
    for arguments in ({"per_page": 0}, {"per_page": "2"}, {"after": "x", "before": "y"}, {"secret": ""}, {"secret": 3}):
        with pytest.raises(orm.ValidationError):
            await Tag.objects.cursor_paginate(**arguments)


# ---------------------------------------------------------------- plans and NULLs in the SQL


async def test_a_second_page_compiles_nothing(filled: orm.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    finish = plans.finish

    def counting(*arguments: Any, **options: Any) -> Any:
        made.append(arguments)
        return finish(*arguments, **options)

    monkeypatch.setattr(plans, "finish", counting)
    for rows in (Tag.objects.order_by("word"), Tag.objects.order_by("-word").values("id")):
        await Tag.objects.all().delete()
        await Tag.objects.bulk_create([Tag(word=f"w{number}") for number in range(10)])
        first = await rows.cursor_paginate(per_page=2)
        page = await rows.cursor_paginate(after=first.next_cursor, per_page=2)
        made.clear()
        rest = await rows.cursor_paginate(after=page.next_cursor, per_page=3)
        assert len(rest) == 3
        assert made == []


@pytest.mark.parametrize("engine", ["sqlite", "postgresql", "mysql"])
def test_nulls_are_only_moved_where_the_engine_has_them_elsewhere(engine: str) -> None:
    greatest = engine == "postgresql"
    for descending in (False, True):
        for nulls in (None, "first", "last"):
            query = Everything.objects.order_by(ordering(("integer", descending, nulls))).query
            term = cursors.keyset(query, engine)[0]
            own = "last" if greatest is not descending else "first"
            assert term.nulls == (nulls or own)
            assert term.ordering(engine).nulls == (None if term.nulls == own else nulls)
            assert term.reversed().ordering(engine).nulls == (None if term.nulls == own else term.reversed().nulls)


# ---------------------------------------------------------------- cursors that are none


async def cursor_of(rows: orm.Rows[Any], secret: str | bytes | None = None) -> str:
    """The cursor at the end of a first page of one row."""
    cursor = (await rows.cursor_paginate(per_page=1, secret=secret)).next_cursor
    assert cursor is not None
    return cursor


@pytest_asyncio.fixture
async def tags(music: orm.Database) -> orm.Rows[Any]:
    """Three tags by their words."""
    await Tag.objects.bulk_create([Tag(word=word) for word in "abc"])
    return Tag.objects.order_by("word")


async def test_a_cursor_is_a_text_for_urls(tags: orm.Rows[Any]) -> None:
    for secret in (None, SECRET, b"\xff"):
        cursor = await cursor_of(tags, secret)
        assert set(cursor) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        assert [tag.word for tag in await tags.cursor_paginate(after=cursor, secret=secret)] == ["b", "c"]


async def test_a_signed_cursor_cannot_be_changed(tags: orm.Rows[Any]) -> None:
    cursor = await cursor_of(tags, SECRET)
    for index, character in enumerate(cursor):
        changed = cursor[:index] + ("A" if character != "A" else "B") + cursor[index + 1 :]
        with pytest.raises(orm.InvalidCursor):
            await tags.cursor_paginate(after=changed, secret=SECRET)
    for other in (cursor[:-1], cursor[4:], cursor + "A", cursor + cursor, await cursor_of(tags)):
        with pytest.raises(orm.InvalidCursor):
            await tags.cursor_paginate(after=other, secret=SECRET)


async def test_another_secret_or_none_does_not_open_it(tags: orm.Rows[Any]) -> None:
    cursor = await cursor_of(tags, SECRET)
    for secret in ("another", SECRET.upper(), None):
        with pytest.raises(orm.InvalidCursor):
            await tags.cursor_paginate(after=cursor, secret=secret)
    assert (await tags.cursor_paginate(after=cursor, secret=SECRET.encode())).items


def packed(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def test_what_is_no_cursor_is_refused(tags: orm.Rows[Any]) -> None:
    mark, inclusive, word, key = json.loads(base64.urlsafe_b64decode(await cursor_of(tags) + "=="))
    hostile: list[Any] = ["", "x", "é", "====", "a b", "null", "AAAA", 3, b"x", packed(3), packed([]), packed({"a": 1})]
    hostile += [packed([mark]), packed([mark, inclusive, word]), packed([mark, 1, word, key])]
    hostile += [packed([mark, inclusive, word, key, key]), packed([mark, inclusive, 3, key])]
    hostile += [packed([mark, inclusive, word, None]), packed([mark, inclusive, word, True])]
    hostile += [packed([mark, inclusive, word, 2**80]), packed([mark, inclusive, "a\0", key])]
    hostile += [base64.urlsafe_b64encode(b"[" * 30000).decode(), packed([[mark], inclusive, word, key])]
    for cursor in hostile:
        with pytest.raises(orm.InvalidCursor):
            await tags.cursor_paginate(after=cursor)
    assert (await tags.cursor_paginate(after=packed([mark, inclusive, word, key]).replace("=", ""))) is not None


@given(st.text() | st.binary().map(lambda content: base64.urlsafe_b64encode(content).decode().rstrip("=")))
def test_any_other_text_is_refused(text: str) -> None:
    terms = cursors.keyset(Tag.objects.order_by("word").query, "sqlite")
    for secret in (None, SECRET):
        with pytest.raises(orm.InvalidCursor):
            cursors.read(Tag.__schema__, terms, text, secret)


@pytest.mark.parametrize(
    ("name", "hostile"),
    [
        ("decimal", ["1e999999", "NaN", "", "x", 5, "1.2.3", "--1"]),
        ("date", ["2020-13-01", 5, ""]),
        ("moment", ["2020-01-01T00:00:00", "x"]),
        ("naive", ["2020-01-01T00:00:00+00:00"]),
        ("duration", [10**30, "1", True]),
        ("uuid", ["x", 5]),
        ("binary", ["?", 5, "é"]),
        ("color", ["blue", 1, ["red"]]),
        ("level", [2, "1"]),
        ("address", ["x", 5]),
        ("float", ["1", float("nan"), float("inf"), 1]),
        ("boolean", [1, "true"]),
    ],
)
def test_values_of_another_type_are_refused(name: str, hostile: list[Any]) -> None:
    schema = Everything.__schema__
    terms = cursors.keyset(Everything.objects.order_by(name).query, "sqlite")
    mark = cursors.fingerprint(schema, terms)
    for value in hostile:
        with pytest.raises(orm.InvalidCursor):
            cursors.read(schema, terms, packed([mark, False, value, 1]), None)


async def test_a_cursor_belongs_to_its_order_and_model(filled: orm.Database) -> None:
    cursor = await cursor_of(Everything.objects.order_by("integer"))
    for other in ("-integer", "small", "string"):
        with pytest.raises(orm.InvalidCursor, match="another model or ordering"):
            await Everything.objects.order_by(other).cursor_paginate(after=cursor)
    with pytest.raises(orm.InvalidCursor, match="another model or ordering"):
        await Tag.objects.cursor_paginate(after=await cursor_of(Everything.objects.order_by("id")))
    assert (await Everything.objects.filter(integer=2).order_by("integer").cursor_paginate(after=cursor)).items


# ---------------------------------------------------------------- pages by number


async def test_a_page_without_a_count_takes_one_statement(music: orm.Database, recorder: Recorder) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcde"])
    recorder.clear()
    found = []
    for number in (1, 2, 3, 4):
        page = await Tag.objects.order_by("word").paginate(number, per_page=2, count=None)
        assert (page.total, page.pages, page.number) == (None, None, number)
        found.append(("".join(tag.word for tag in page), page.has_next, page.has_previous))
    assert found == [("ab", True, False), ("cd", True, True), ("e", False, True), ("", False, True)]
    assert recorder.count == 4
    assert repr(await Tag.objects.paginate(count=None)) == "<Page 1: 5>"
    assert (await Tag.objects.order_by("word").paginate(2**62, per_page=9, count=None)).items == []


async def test_a_full_last_page_by_number_has_no_next_one(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcd"])
    for count in ("exact", "estimate", None):
        page = await Tag.objects.order_by("word").paginate(2, per_page=2, count=count)
        assert (len(page), page.has_next, page.total) == (2, False, None if count is None else 4)


async def test_an_estimate_is_not_counted(music: orm.Database, recorder: Recorder, backend: str) -> None:
    await Tag.objects.bulk_create([Tag(word=f"w{number:04}") for number in range(2000)])
    if backend != "sqlite":
        words = "ANALYZE tag" if backend == "postgresql" else "ANALYZE TABLE tag"
        await music.fetch_all(words)
    recorder.clear()
    page = await Tag.objects.order_by("word").paginate(2, per_page=10, count="estimate")
    assert [tag.word for tag in page] == [f"w{number:04}" for number in range(10, 20)]
    assert page.has_next
    assert page.total == 2000 if backend in ("sqlite", "postgresql") else 1500 < page.total < 2500
    assert page.pages == -(-page.total // 10)
    counted = ["count(*)" in event.sql.lower() for event in recorder.events]
    assert counted == ([True, False] if backend == "sqlite" else [False, False])


async def test_an_estimate_knows_filters_and_joins(music: orm.Database, backend: str) -> None:
    artist = await Artist.objects.create(name="x")
    await Track.objects.bulk_create([Track(name=f"t{number}", seconds=number % 2) for number in range(400)])
    await Album.objects.create(title="a", artist=artist)
    if backend != "sqlite":
        for table in ("track", "album", "artist"):
            await music.fetch_all(f"ANALYZE {table}" if backend == "postgresql" else f"ANALYZE TABLE {table}")
    page = await Track.objects.filter(seconds=1, name__startswith="t").paginate(per_page=10, count="estimate")
    assert 11 <= page.total <= 400
    assert page.has_next
    page_of_albums = await Album.objects.filter(artist__name="x").paginate(count="estimate")
    assert (page_of_albums.total, page_of_albums.has_next) == (1, False)
    assert (await Album.objects.none().paginate(count="estimate")).total == 0
    assert (await Album.objects.filter(id__in=[]).paginate(count="estimate")).total == 0


async def test_what_is_read_corrects_the_estimate(music: orm.Database) -> None:
    assert (await Tag.objects.paginate(count="estimate")).total == 0
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcde"])
    page = await Tag.objects.order_by("word").paginate(2, per_page=3, count="estimate")
    assert (page.total, page.pages, page.has_next) == (5, 2, False)
    beyond = await Tag.objects.order_by("word").paginate(9, per_page=1, count="estimate")
    assert beyond.items == []
    assert beyond.total <= 8


async def test_locked_rows_have_pages(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abc"])
    async with music.transaction():
        locked = Tag.objects.order_by("word").select_for_update()
        assert [tag.word for tag in items(await forwards(locked, 2))] == ["a", "b", "c"]
        assert (await locked.paginate(2, per_page=2, count="estimate")).total == 3
    assert (await locked._estimated() is None) is (music.dialect.name == "sqlite")


async def test_other_counts_are_refused(music: orm.Database) -> None:
    with pytest.raises(orm.ValidationError, match="'exact', 'estimate' or None"):
        await Tag.objects.paginate(count="about")  # type: ignore[call-overload]


# ---------------------------------------------------------------- batches


async def test_batches_are_lists_of_so_many_rows(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcdefg"])
    ordered = Tag.objects.order_by("word")
    assert [["".join(t.word for t in batch)] async for batch in ordered.batches(3)] == [["abc"], ["def"], ["g"]]
    assert [len(batch) async for batch in ordered.filter(word__lt="d").batches(3)] == [3]
    assert [len(batch) async for batch in ordered.batches()] == [7]
    assert [batch async for batch in ordered.values_list("word", flat=True).batches(4)] == [[*"abcd"], [*"efg"]]
    assert [batch async for batch in ordered.filter(word="x").batches(3)] == []
    assert [batch async for batch in ordered.none().batches(3)] == []
    assert [len(batch) async for batch in ordered[1:5].batches(3)] == [3, 1]
    async with music.transaction():
        assert [len(batch) async for batch in ordered.batches(3)] == [3, 3, 1]


async def test_relations_are_prefetched_for_each_batch(shop: orm.Database, recorder: Recorder) -> None:
    sizes = []
    async for batch in Artist.objects.order_by("name").prefetch_related("albums").batches(1):
        before = recorder.count
        sizes.append([len(await artist.albums) for artist in batch])
        assert recorder.count == before
    assert sizes == [[3], [3]]
    assert recorder.count == 3


async def test_a_batch_may_be_the_last_one_that_is_read(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcdefg"])
    async for batch in Tag.objects.order_by("word").batches(2):
        assert len(batch) == 2
        break
    assert await Tag.objects.count() == 7


async def test_batches_that_cannot_be_are_refused(music: orm.Database) -> None:
    for size in (0, -1, "3", True, 1.5):
        with pytest.raises(orm.ValidationError, match="size is"):
            async for _ in Tag.objects.batches(size):  # type: ignore[arg-type]
                pass
        with pytest.raises(orm.ValidationError, match="chunk_size is"):
            async for _ in Tag.objects.iterate(size):  # type: ignore[arg-type]
                pass
