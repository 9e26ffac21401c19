"""Keys of JSON and what JSON contains, as words and as typed columns, on every database, against PostgreSQL's rules."""

from __future__ import annotations

import random
from typing import Any

import pytest

import orm
from orm.database.containment import contains
from orm.engines import engine_name
from tests.music import Album, Everything
from tests.recorder import Recorder

DOCUMENTS: list[Any] = [
    {"label": "Polar", "discs": [10, 12], "owner": {"name": "Björn", "id": 7}, "gold": None},
    {"label": ["Solar", "Epic"], "discs": [{"n": 10, "side": "A"}, {"n": 12}]},
    ["label", "discs", 3],
    "label",
    {},
    None,
]


async def _positions(*conditions: Any, **words: Any) -> list[int]:
    """The places of the documents that are found; the rest must be what exclude() finds."""
    found = await Everything.objects.filter(*conditions, **words).order_by("id").values_list("integer", flat=True)
    rest = await Everything.objects.exclude(*conditions, **words).order_by("id").values_list("integer", flat=True)
    assert sorted([*found, *rest]) == list(range(await Everything.objects.count())), "exclude() is the rest"
    return [int(position) for position in found]


async def _store(documents: list[Any]) -> None:
    await Everything.objects.bulk_create([Everything(integer=n, data=data) for n, data in enumerate(documents)])


@pytest.mark.parametrize(
    ("words", "value", "wanted"),
    [
        ("data__has_key", "label", [0, 1]),
        ("data__has_key", "gold", [0]),
        ("data__has_key", "nothing", []),
        ("data__owner__has_key", "name", [0]),
        ("data__label__has_key", "Polar", []),
        ("data__discs__0__has_key", "side", [1]),
        ("data__has_keys", ["label", "owner"], [0]),
        ("data__has_keys", ["label"], [0, 1]),
        ("data__has_keys", [], [0, 1, 4]),
        ("data__owner__has_keys", ("name", "id"), [0]),
        ("data__has_any_keys", ["owner", "nothing", "gold"], [0]),
        ("data__has_any_keys", {"label", "x"}, [0, 1]),
        ("data__has_any_keys", [], []),
        ("data__owner__has_any_keys", ["x", "id"], [0]),
        ("data__contains", {"label": "Polar"}, [0]),
        ("data__contains", {"owner": {"id": 7}}, [0]),
        ("data__contains", {"owner": {"id": 7.0}}, [0]),
        ("data__contains", {"owner": {"id": "7"}}, []),
        ("data__contains", {"gold": None}, [0]),
        ("data__contains", {"label": ["Epic"]}, [1]),
        ("data__contains", {"discs": [{"n": 12}, {"n": 10}]}, [1]),
        ("data__contains", {}, [0, 1, 4]),
        ("data__contains", [3], [2]),
        ("data__contains", [3, "label"], [2]),
        ("data__contains", "label", [2, 3]),
        ("data__contains", 3, [2]),
        ("data__owner__contains", {"name": "Björn"}, [0]),
        ("data__discs__contains", [12, 10], [0]),
        ("data__discs__0__contains", {"side": "A"}, [1]),
        ("data__label__contains", "ola", [0, 1]),
        ("data__label__contains", ["Epic"], [1]),
        ("data__label__regex", "^P.l", [0]),
        ("data__owner__name__iregex", "^bj", [0]),
        ("data__contained_by", {"label": "Polar", "discs": [10, 12, 14], "owner": {"name": "Björn", "id": 7},
                                "gold": None}, [0, 4]),
        ("data__contained_by", ["label", 3, "discs", "more"], [2, 3]),
        ("data__owner__contained_by", {"name": "Björn", "id": 7, "x": 1}, [0]),
        ("data__discs__contained_by", [12, 10, 9], [0]),
    ],
)  # fmt: skip
async def test_json_lookups(music: orm.Database, words: str, value: Any, wanted: list[int]) -> None:
    await _store(DOCUMENTS)
    assert await _positions(**{words: value}) == wanted
    column: Any = Everything.data
    *keys, name = words.split("__")[1:]
    for key in keys:
        column = column[int(key) if key.isdecimal() else key]
    assert await _positions(getattr(column, name)(value)) == wanted
    assert await _positions(column.lookup(name, value)) == wanted


def _document(source: random.Random, depth: int) -> Any:
    choice = source.randrange(9) if depth else source.randrange(6)
    if choice < 6:
        return source.choice([None, True, False, 0, 1, 1.5, "a", "b", "", "1", "true", 'q"x'])
    if choice == 6:
        return [_document(source, depth - 1) for _ in range(source.randrange(3))]
    return {source.choice(["a", "b", 'k"', "l'"]): _document(source, depth - 1) for _ in range(source.randrange(3))}


async def test_containment_is_that_of_postgresql(music: orm.Database) -> None:
    source = random.Random(7)
    documents = [_document(source, 3) for _ in range(150)]
    parts = [*documents[:40], *[_document(source, 2) for _ in range(40)]]
    await _store(documents)
    for part in parts:
        if part is None:
            continue
        wanted = [n for n, data in enumerate(documents) if data is not None and contains(data, part, top=True)]
        found = await _positions(data__contains=part)
        if music.dialect.name == "mysql":
            assert set(wanted) <= set(found), part
            assert all(_nested(documents[n]) for n in set(found) - set(wanted)), part
        else:
            assert found == wanted, part


def _nested(data: Any) -> bool:
    """Whether a list lies inside of something: MySQL looks into such a list for a single value, too."""
    if isinstance(data, dict):
        return any(isinstance(value, list) or _nested(value) for value in data.values())
    return isinstance(data, list) and any(isinstance(value, (list, dict)) for value in data)


HOSTILE = [
    "'",
    '"',
    "`",
    "\\",
    "\\'",
    '\\"',
    "'; DROP TABLE everything; --",
    '"] = 1 or ["',
    "$",
    "$.a",
    "]",
    "[0]",
    "a.b",
    "*",
    "**",
    "%s",
    "%(x)s",
    ":name",
    "?",
    "$1",
    "ä🎵",
    " ",
    "",
    "\n\t\x01",
    "{a}",
    "x" * 5000,
    "contains",
    "__",
]


async def _check(recorder: Recorder, key: str, *conditions: Any) -> None:
    """Every condition finds the first document only, and its SQL has the key nowhere."""
    recorder.clear()
    for condition in conditions:
        assert await _positions(condition) == [0], (key, condition)
    if len(key) > 5 and key != "contains":  # which is in the name of a function
        assert not any(key in event.sql for event in recorder.events)


async def test_hostile_keys_are_parameters(recorder: Recorder) -> None:
    for key in HOSTILE:
        await Everything.objects.all().delete()
        await _store([{key: {key: [key]}, "other": 1}, {"other": {"more": [key]}}])
        data = Everything.data
        await _check(
            recorder,
            key,
            data.has_key(key),
            data.has_keys([key, "other"]),
            data.has_any_keys([key, "nothing"]),
            data.contains({key: {key: [key]}}),
            data.contained_by({key: {key: [key, 1]}, "other": 1}),
        )


async def test_hostile_keys_of_paths_are_parameters(recorder: Recorder, backend: str) -> None:
    for key in HOSTILE:
        if '"' in key and backend == "sqlite":
            continue
        await Everything.objects.all().delete()
        await _store([{key: {key: [key]}, "other": 1}, {"other": {"more": [key]}}])
        inner = Everything.data[key]
        await _check(
            recorder,
            key,
            inner.has_key(key),
            inner[key].contains([key]),
            inner[key][0] == key,
            inner.is_null(False),
        )


async def test_indexes_count_from_the_end_when_they_are_negative(music: orm.Database) -> None:
    await _store([{"l": [1, 2, 3]}, {"l": [3]}, {"l": []}])
    last = Everything.data["l"][-1] == 3
    if engine_name(music.dialect) == "MariaDB":
        with pytest.raises(orm.NotSupportedError, match=r"MariaDB.*from its end"):
            await Everything.objects.filter(last)
        return
    assert await _positions(last) == [0, 1]
    assert await _positions(Everything.data["l"][-2] == 2) == [0]
    assert await _positions(Everything.data["l"][-3] == 1) == [0]
    assert await _positions(Everything.data["l"][-4].is_null(False)) == []


async def test_a_key_with_the_name_of_a_lookup(music: orm.Database) -> None:
    await _store([{"contains": 1, "has_key": {"in": 2}}, {}])
    assert await _positions(Everything.data["contains"] == 1) == [0]
    assert await _positions(Everything.data["has_key"]["in"] == 2) == [0]
    assert await _positions(Everything.data["has_key"].has_key("in")) == [0]
    assert await _positions(data__overlap__isnull=False) == [], "a lookup that JSON does not have is a key"


async def test_json_lookups_of_other_columns_and_annotations(music: orm.Database) -> None:
    await _store([{"a": 1}, {"a": 2}, None])
    copied = Everything.objects.annotate(copy=orm.F("data"))
    assert await copied.filter(copy__contains={"a": 2}).values_list("integer", flat=True) == [1]
    assert await copied.filter(orm.F("copy").lookup("has_key", "a")).count() == 2
    assert await copied.filter(data__contains=orm.F("copy")).count() == 2


def test_keys_that_no_database_takes_are_refused() -> None:
    for use, text in [
        (lambda: Everything.data["a\0b"], "NUL"),
        (lambda: Everything.data["\ud800"], "surrogates"),
        (lambda: Everything.data[2**31], "index of an item"),
        (lambda: Everything.data[True], "is no key of JSON"),
        (lambda: Everything.data[1.5], "is no key of JSON"),
        (lambda: Everything.objects.filter(**{"data__a\0b": 1}), "NUL"),
        (lambda: Everything.objects.filter(data__has_key="a\0b"), "NUL"),
        (lambda: Everything.objects.filter(data__has_key=0), "data__has_key: .*texts.*data__0__isnull=False"),
        (lambda: Everything.objects.filter(data__has_key=None), "cannot be compared with None"),
        (lambda: Everything.objects.filter(data__has_keys="label"), "takes a list"),
        (lambda: Everything.objects.filter(data__has_keys=["a", None]), "texts"),
        (lambda: Everything.objects.filter(data__contains={1: 2}), "keys of a JSON object are texts"),
        (lambda: Everything.objects.filter(data__contains=float("nan")), "no NaN"),
        (lambda: Everything.objects.filter(data__label__startswith={"a": 1}), "takes a text"),
        (lambda: Everything.objects.filter(data__label__contains=3), "takes a text"),
    ]:
        with pytest.raises((orm.ValidationError, orm.FieldError), match=text):
            use()
    with pytest.raises(orm.FieldError, match=r"text.*no 'has_key'|has no lookup 'has_key'.*Choose from: exact"):
        Album.objects.filter(title__has_key="x")
    with pytest.raises(AttributeError, match=r"has no .has_key.\. Choose from"):
        _ = Album.title.has_key


async def test_a_key_with_a_double_quote_is_no_path_on_sqlite(sqlite_url: str) -> None:
    async with orm.Database(sqlite_url) as database:
        query = Everything.objects.using(database).filter(Everything.data['a"b'] == 1)
        with pytest.raises(orm.NotSupportedError, match=r"SQLite.*double quote"):
            await query


async def test_compiled_queries(music: orm.Database) -> None:
    await _store([{"a": 1, "l": "text"}, {"b": 2}])
    everything = Everything.objects.order_by("id")
    by_key = everything.filter(data__has_key=orm.Param("key")).compiled()
    assert [row.integer for row in await by_key(key="b")] == [1]
    part = everything.filter(data__contains=orm.Param("part")).compiled()
    assert [row.integer for row in await part(part={"a": 1})] == [0]
    text = everything.filter(data__l__contains=orm.Param("text")).compiled()
    assert [row.integer for row in await text(text="ex")] == [0]
    with pytest.raises(orm.ValidationError, match="keys of a JSON object are texts"):
        await by_key(key=3)
    with pytest.raises(orm.FieldError, match="depends on the value"):
        everything.filter(data__has_keys=orm.Param("keys"))
