"""`sql()` and `explain()`: what is sent, to which engine, and how the engine goes about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import orm
from orm import explain
from orm.database import Table
from orm.database.dialects import dialect_named
from orm.database.mysql_dialect import MySQLDialect
from orm.database.postgresql_dialect import PostgreSQLDialect
from tests.music import Album, Artist, Everything, Tag, models
from tests.recorder import Recorder


def mysql(*version: int) -> MySQLDialect:
    dialect = MySQLDialect("asyncmy")
    dialect.learn(version, is_mariadb=False)
    return dialect


def engine(database: orm.Database) -> str:
    """The engine's name in our words."""
    return "mariadb" if getattr(database.dialect, "is_mariadb", False) else database.dialect.name


# ---------------------------------------------------------------- sql

QUERIES = [
    Album.objects.filter(artist__name__icontains="x", year__in=[1, 2, 3]).order_by("-year")[2:5],
    Album.objects.exclude(tags__word="x").select_related("artist").only("title"),
    Everything.objects.filter(data__a__b=1.5, moment__year=2020).values("moment__date", "data__a"),
    Artist.objects.filter(albums__title="x%").comment("50 %"),
    Tag.objects.values_list("word", flat=True).distinct(),
]


@pytest.mark.parametrize("rows", QUERIES, ids=range(len(QUERIES)))
async def test_the_sql_of_an_engine_is_what_is_sent_to_it(
    music: orm.Database, recorder: Recorder, rows: orm.Rows[Any]
) -> None:
    await rows
    (event,) = recorder.events
    assert rows.sql(music) == rows.sql() == str(rows) == event.sql
    models.database = None
    assert rows.sql(engine(music)) == event.sql  # type: ignore[arg-type]
    assert rows.sql() == rows.sql("sqlite")


def test_engines_differ() -> None:
    rows = Album.objects.filter(title="x").limit(1)
    assert [rows.sql(name).split("album.title = ")[1].split()[0] for name in ("sqlite", "postgresql", "mysql")] == [
        "?",
        "$1::VARCHAR",
        "%s",
    ]
    keys = Everything.objects.filter(data__a={"b": 1})
    assert keys.sql("mysql") != keys.sql("mariadb")
    assert Album.objects.none().sql("mysql") == "-- nothing is sent: no row can match"


def test_sql_of_postgresql_needs_no_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: Any) -> Any:
        raise ImportError("no asyncpg")

    expected = Everything.objects.filter(data__a=1, string="x").sql("postgresql")
    monkeypatch.setattr(PostgreSQLDialect, "import_dbapi", missing)
    dialect = PostgreSQLDialect()
    assert dialect.dbapi is None
    monkeypatch.setattr("orm.rows.dialect_named", lambda name: dialect)
    assert Everything.objects.filter(data__a=1, string="x").sql("postgresql") == expected


@pytest.mark.parametrize("name", ["oracle", "SQLite", "", "'; --", 3, b"mysql", [], object, PostgreSQLDialect()])
def test_unknown_engines_are_refused(name: Any) -> None:
    with pytest.raises(
        orm.ValidationError, match="dialect is one of 'sqlite', 'postgresql', 'mysql', 'mariadb' or a Da"
    ):
        Album.objects.sql(name)


def test_what_an_engine_does_not_have_is_refused() -> None:
    locked = Album.objects.select_for_update(no_key=True)
    assert "FOR NO KEY UPDATE" in locked.sql("postgresql")
    for name in ("mysql", "mariadb"):
        with pytest.raises(orm.NotSupportedError, match="has no no_key= for locks"):
            locked.sql(name)  # type: ignore[arg-type]


# ---------------------------------------------------------------- explain


async def test_a_plan_is_text(music: orm.Database, recorder: Recorder) -> None:
    await Artist.objects.create(name="x")
    plan = await Album.objects.filter(artist__name="x").order_by("title").explain()
    assert "album" in plan
    assert "\n" in plan
    (event,) = [event for event in recorder.events if "EXPLAIN" in event.sql]
    assert "x" in event.arguments
    expected = {
        "sqlite": "QUERY PLAN\n",
        "postgresql": "Sort  (cost=",
        "mariadb": "id | select_type | table ",
        "mysql": "id | select_type | table ",
    }
    assert plan.startswith(expected[engine(music)])


async def test_every_format_of_the_engine(music: orm.Database) -> None:
    rows = Album.objects.filter(title="x")
    formats = {"sqlite": (), "postgresql": ("text", "json", "xml", "yaml"), "mariadb": ("traditional", "json")}
    known = formats.get(engine(music), ("traditional", "json", "tree"))
    for name in ("text", "json", "xml", "yaml", "traditional", "tree"):
        if name not in known:
            with pytest.raises(orm.NotSupportedError, match=f"has no plans in the format {name}"):
                await rows.explain(format=name)
            continue
        plan = await rows.explain(format=name)
        assert "album" in plan
        if name == "json":
            assert json.loads(plan)
        if name == "xml":
            assert plan.startswith("<explain")


async def test_analyze_runs_the_statement(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abc"])
    rows = Tag.objects.order_by().filter(word__gte="b")
    if music.dialect.name == "sqlite":
        with pytest.raises(orm.NotSupportedError, match="SQLite has EXPLAIN QUERY PLAN, which measures nothing"):
            await rows.explain(analyze=True)
        return
    words = {"postgresql": "actual time=", "mariadb": "r_rows", "mysql": "actual time="}
    plan = await rows.explain(True)
    assert words[engine(music)] in plan
    assert words[engine(music)] not in await rows.explain()
    if engine(music) != "mysql":
        document = await rows.explain(True, "json")
        assert "r_rows" in document if engine(music) == "mariadb" else '"Actual Rows": 2' in document


async def test_a_plan_is_made_in_the_transaction(music: orm.Database) -> None:
    async with music.transaction():
        await Artist.objects.create(name="only here")
        if music.dialect.name != "sqlite":
            plan = await Artist.objects.filter(name="only here").explain(analyze=True)
            assert "actual" in plan or "r_rows" in plan
        assert "artist" in await Artist.objects.select_for_update().explain()
    with pytest.raises(orm.TransactionError, match="Rows are locked until the end of a transaction"):
        await Artist.objects.select_for_update().explain()


async def test_nothing_is_sent_for_no_rows(music: orm.Database, recorder: Recorder) -> None:
    for rows in (Album.objects.none(), Album.objects.limit(0), Album.objects.filter(id__in=[])):
        assert await rows.explain() == "-- nothing is sent: no row can match"
    assert recorder.events == []


async def test_other_rows_have_plans_too(music: orm.Database) -> None:
    assert "album" in await Album.objects.values("title").explain()
    assert "album" in await Album.objects.using(music).values_list("title", flat=True).explain()


@pytest.mark.parametrize("word", ["JSON", "html", "", "json) SELECT (1", 3, True, [], b"json"])
async def test_unknown_formats_are_refused(music: orm.Database, word: Any) -> None:
    with pytest.raises(
        orm.ValidationError, match="format is one of 'text', 'json', 'xml', 'yaml', 'traditional', 'tree"
    ):
        await Album.objects.explain(format=word)


@pytest.mark.parametrize("word", [1, None, "yes", "VERBOSE"])
async def test_analyze_is_a_truth_value(music: orm.Database, word: Any) -> None:
    with pytest.raises(orm.ValidationError, match="analyze is True or False, not "):
        await Album.objects.explain(analyze=word)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "EXPLAIN FORMAT=TRADITIONAL"),
        ({"format": "traditional"}, "EXPLAIN FORMAT=TRADITIONAL"),
        ({"format": "json"}, "EXPLAIN FORMAT=JSON"),
        ({"format": "tree"}, "EXPLAIN FORMAT=TREE"),
        ({"analyze": True}, "EXPLAIN ANALYZE"),
        ({"analyze": True, "format": "tree"}, "EXPLAIN ANALYZE"),
    ],
)
def test_mysql_is_asked_in_its_own_words(options: Any, words: str) -> None:
    assert explain.words(mysql(8, 4, 2), **options) == words


def test_mysql_refuses_what_its_version_does_not_have() -> None:
    assert explain.words(mysql(5, 7, 44)) == "EXPLAIN FORMAT=TRADITIONAL"
    for options in ({"analyze": True}, {"format": "tree"}):
        with pytest.raises(orm.NotSupportedError, match=r"MySQL 5\.7\.44 has neither EXPLAIN ANALYZE nor"):
            explain.words(mysql(5, 7, 44), **options)  # type: ignore[arg-type]
    with pytest.raises(orm.NotSupportedError, match="MySQL writes what it measured as a tree, not as json"):
        explain.words(mysql(8, 0, 36), analyze=True, format="json")


def test_answers_are_drawn() -> None:
    steps = Table(
        ("id", "parent", "notused", "detail"), [(3, 0, 0, "A"), (5, 3, 0, "B"), (7, 3, 0, "C"), (9, 0, 0, "D")]
    )
    assert explain.text(steps, dialect_named("sqlite")) == "QUERY PLAN\n|--A\n|  |--B\n|  `--C\n`--D"
    table = Table(("id", "table", "rows"), [(1, "album", None), (10, "a", 3)])
    assert explain.text(table, mysql(8, 4)) == (
        "id | table | rows\n---+-------+-----\n1  | album | NULL\n10 | a     | 3"
    )
    assert explain.text(Table(("QUERY PLAN",), [([{"Plan": 1}],)]), PostgreSQLDialect()).startswith("[\n  {")
