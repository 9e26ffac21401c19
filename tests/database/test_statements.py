"""Core statements, DDL and text: what people write, on every database."""

from __future__ import annotations

import datetime
import enum
import uuid
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

from orm.database import Database, Result
from orm.database import statements as module
from orm.database.statements import Statements
from orm.database.texts import classify, read
from orm.exceptions import DataError, InterfaceError, NotSupportedError, ProgrammingError
from tests.database.tables import count, notes

MADE = datetime.datetime(2024, 2, 29, 12, 30, 15)


# Text


@pytest.mark.parametrize(
    ("engine", "paramstyle", "sql", "expected", "names"),
    [
        ("sqlite", "qmark", "SELECT :a, :b, :a", "SELECT ?, ?, ?", ("a", "b", "a")),
        ("postgresql", "numeric_dollar", "SELECT :a, :b, :a", "SELECT $1, $2, $1", ("a", "b")),
        ("mysql", "format", "SELECT :a, 5 % 3, '%'", "SELECT %s, 5 %% 3, '%%'", ("a",)),
        ("postgresql", "numeric_dollar", "SELECT '1'::int, :a::text", "SELECT '1'::int, $1::text", ("a",)),
        ("postgresql", "numeric_dollar", "SELECT x[1:2], y[1 \\:n]", "SELECT x[1:2], y[1 :n]", ()),
        ("sqlite", "qmark", "SELECT ':a', \":b\", `:c`, [:d], 'it''s :e', :f", None, ("f",)),
        ("mysql", "format", "SELECT 'it\\'s :a', \":b\", `:c`, :f", None, ("f",)),
        ("postgresql", "numeric_dollar", r"SELECT '\', :a, E'\' :b'", None, ("a",)),
        ("postgresql", "numeric_dollar", "SELECT $$ :a $$, $x$ :b $$ :c $x$, :d", None, ("d",)),
        ("sqlite", "qmark", "SELECT 1 -- :a\n, /* :b */ :c", None, ("c",)),
        ("mysql", "format", "SELECT 1 # :a\n, 2--:b", None, ("b",)),
        ("mysql", "format", "SET @x := 1", "SET @x := 1", ()),
    ],
)
def test_parameters_are_found_where_they_are(
    engine: str, paramstyle: str, sql: str, expected: str | None, names: tuple[str, ...]
) -> None:
    template = read(sql, engine, paramstyle)
    assert template.names == names
    if expected is not None:
        assert template.sql == expected


async def test_text_with_parameters(database: Database) -> None:
    row = await database.fetch_one("SELECT 'a:b 100%' AS first, :value AS second", {"value": "it's 5 % :x"})
    assert row is not None
    assert row["first"] == "a:b 100%"
    assert row.second == "it's 5 % :x"


@pytest.mark.parametrize(
    ("sql", "values", "message"),
    [
        ("SELECT :a, :b", {"a": 1}, r"The statement needs a value for :b\."),
        ("SELECT :a", {}, r"The statement needs a value for :a\."),
        ("SELECT :a", {"a": 1, "c": 2}, r"The statement has no parameter 'c'\. Choose from: a\."),
        ("SELECT 1", {"c": 2}, r"The statement has no parameter 'c'\. It takes none\."),
    ],
)
async def test_values_must_be_the_ones_that_text_needs(
    database: Database, sql: str, values: dict[str, Any], message: str
) -> None:
    with pytest.raises(InterfaceError, match=message):
        await database.fetch_all(sql, values)


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime.datetime(2024, 2, 29, 12, 30, 15, 5), "2024-02-29 12:30:15.000005"),
        (datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC), "2024-02-29 12:00:00.000000"),
        (datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone(datetime.timedelta(hours=2))), "2024-02-29 10:"),
        (datetime.date(2024, 2, 29), "2024-02-29"),
        (Decimal("1.5"), 1.5),
        (uuid.UUID(int=5), "00000000000000000000000000000005"),
        (Colour.RED, "red"),
        (None, None),
        (b"\x00\xff", b"\x00\xff"),
    ],
)
async def test_values_of_text_are_bound_by_their_python_type(sqlite_url: str, value: Any, expected: Any) -> None:
    async with Database(sqlite_url) as database:
        found = await database.fetch_val("SELECT :value", {"value": value})
    assert found == expected or str(found).startswith(str(expected))


@pytest.mark.parametrize(
    ("sql", "reads", "gives_rows", "touches"),
    [
        ("SELECT 1", True, True, False),
        ("  -- why\n /* what */ (select 1)", True, True, False),
        ("VALUES (1)", True, True, False),
        ("WITH x AS (SELECT 1) SELECT * FROM x", True, True, False),
        ("EXPLAIN SELECT 1", True, True, False),
        ("INSERT INTO notes VALUES (1)", False, False, False),
        ("UPDATE notes SET id = 1 RETURNING id", False, True, False),
        ("DELETE FROM notes", False, False, False),
        ("SELECT last_insert_rowid()", False, True, False),
        ("SELECT * FROM temp.notes", False, True, False),
        ("PRAGMA foreign_keys", False, True, True),
        ("SET search_path TO x", False, False, True),
        ("CREATE TABLE x (id int)", False, False, True),
        ("SELECT pg_advisory_lock(1)", True, True, True),
        ("SELECT get_lock('a', 1)", True, True, True),
        ("SELECT set_config('a.b', 'c', false)", True, True, True),
        ("", False, False, True),
    ],
)
def test_the_words_of_sql_tell_what_it_does(sql: str, reads: bool, gives_rows: bool, touches: bool) -> None:
    words = classify(sql)
    assert (words.reads, words.gives_rows, words.touches) == (reads, gives_rows, touches)


@pytest.mark.parametrize(
    ("sql", "refused"),
    [
        ("SET search_path TO x", True),
        ("LISTEN x", True),
        ("PREPARE x AS SELECT 1", True),
        ("CREATE TEMPORARY TABLE x (id int)", True),
        ("SELECT pg_advisory_lock(1)", True),
        ("SET LOCAL search_path TO x", False),
        ("SELECT pg_advisory_xact_lock(1)", False),
        ("SELECT 1", False),
        ("CREATE TABLE x (id int)", False),
    ],
)
def test_pgbouncer_carries_no_state_of_the_session(sql: str, refused: bool) -> None:
    dialect = SQLiteDialect_aiosqlite(paramstyle="qmark")
    assert Statements(dialect).bind(sql).sql == sql
    if refused:
        with pytest.raises(NotSupportedError, match="through PgBouncer is not ours"):
            Statements(dialect, pgbouncer=True).bind(sql)
    else:
        assert Statements(dialect, pgbouncer=True).bind(sql).sql == sql


# Core


async def test_a_core_statement_gives_values_of_its_columns_types(notes_database: Database) -> None:
    await notes_database.execute(notes.insert().values(text="a b", done=True, made=MADE, price=Decimal("12.30")))
    row = await notes_database.fetch_one(notes.select())
    assert row is not None
    assert row == (1, "a b", True, MADE, Decimal("12.30"), 2, 0)
    assert row.done is True
    assert isinstance(row.price, Decimal)
    assert row[notes.c.text] == row["text"] == row.text == "a b"


async def test_columns_defaults_are_computed_for_every_row(notes_database: Database) -> None:
    await notes_database.execute(notes.insert().values([{"text": "one"}, {"text": "two words"}]))
    await notes_database.execute(notes.insert(), {"text": "three more words", "changes": 5})
    await notes_database.execute_many(notes.insert(), [{"text": "x"}, {"text": "y z"}])
    rows = await notes_database.fetch_all(sa.select(notes.c.words, notes.c.changes).order_by(notes.c.id))
    assert [tuple(row) for row in rows] == [(1, 0), (2, 0), (3, 5), (1, 0), (2, 0)]
    await notes_database.execute(notes.update().where(notes.c.text == "one").values(done=True))
    assert await notes_database.fetch_val("SELECT changes FROM notes WHERE text = :t", {"t": "one"}) == 7


async def test_statements_of_one_shape_are_compiled_once_and_keep_their_own_values(
    notes_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[object] = []
    compile_once = module.Statements._compile

    def counting(self: Statements, *arguments: Any) -> Any:
        compiled.append(arguments[0])
        return compile_once(self, *arguments)

    monkeypatch.setattr(module.Statements, "_compile", counting)
    for number in range(4):
        await notes_database.execute(notes.insert().values(text=f"note {number}"))
    for number in range(4):
        found = await notes_database.fetch_val(sa.select(notes.c.text).where(notes.c.text == f"note {number}"))
        assert found == f"note {number}"
    assert len(compiled) == 2


async def test_in_expands_to_as_many_values_as_there_are(notes_database: Database) -> None:
    await notes_database.execute_many(notes.insert(), [{"text": str(number)} for number in range(5)])
    query = sa.select(notes.c.text).order_by(notes.c.id)
    for wanted in (["1"], ["0", "3", "4"], []):
        rows = await notes_database.fetch_all(query.where(notes.c.text.in_(wanted)))
        assert [row.text for row in rows] == wanted


async def test_bound_parameters_of_core_take_values(notes_database: Database) -> None:
    await notes_database.execute(notes.insert().values(text="a"))
    query = sa.select(notes.c.id).where(notes.c.text == sa.bindparam("wanted"))
    assert await notes_database.fetch_val(query, {"wanted": "a"}) == 1
    assert await notes_database.fetch_val(query, {"wanted": "b"}) is None
    with pytest.raises(InterfaceError, match="no parameter 'wnted'"):
        await notes_database.fetch_val(query, {"wanted": "a", "wnted": "b"})
    with pytest.raises(ProgrammingError, match="wanted"):
        await notes_database.fetch_val(query)


async def test_the_cache_forgets_what_was_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_SIZE", 3)
    statements = Statements(SQLiteDialect_aiosqlite(paramstyle="qmark"))
    for number in range(10):
        statements.bind(f"SELECT {number}")
        statements.bind("SELECT 'used'")
    assert list(statements._texts) == ["SELECT 8", "SELECT 9", "SELECT 'used'"]


async def test_execute_says_the_same_on_every_driver(notes_database: Database) -> None:
    first = await notes_database.execute(notes.insert().values(text="a"))
    second = await notes_database.execute(notes.insert().values(text="b"))
    assert (first.rowcount, first.lastrowid, first.returned) == (1, 1, ())
    assert second.lastrowid == 2
    updated = await notes_database.execute(notes.update().values(done=False))
    assert updated == Result(2, None, ())  # matched, though nothing changed
    assert await notes_database.execute(notes.delete().where(notes.c.text == "b")) == Result(1, None, ())
    several = await notes_database.execute(notes.insert().values([{"text": "c"}, {"text": "d"}]))
    assert several == Result(2, None, ())


async def test_execute_returns_rows_where_there_are_some(notes_database: Database) -> None:
    result = await notes_database.execute("SELECT 1 AS a UNION ALL SELECT 2")
    assert (result.rowcount, [row.a for row in result.returned]) == (2, [1, 2])
    if not notes_database.capabilities.returning:
        return
    result = await notes_database.execute(notes.insert().values(text="a").returning(notes.c.text, notes.c.done))
    assert [dict(row._mapping) for row in result.returned] == [{"text": "a", "done": False}]
    result = await notes_database.execute("DELETE FROM notes RETURNING text AS gone")
    assert (result.rowcount, result.returned[0].gone) == (1, "a")


async def test_execute_many_with_text_and_with_core(notes_database: Database) -> None:
    values = [{"text": "a", "done": True}, {"text": "b", "done": False}]
    sql = "INSERT INTO notes (text, done) VALUES (:text, :done)"
    assert await notes_database.execute_many(sql, values) == 2
    assert await notes_database.execute_many(notes.insert(), ({"text": text} for text in "cde")) == 3
    assert await notes_database.execute_many(notes.insert(), []) == 0
    assert await count(notes_database) == 5
    with pytest.raises(InterfaceError, match="position 1 have other names"):
        await notes_database.execute_many(notes.insert(), [{"text": "f"}, {"text": "g", "done": True}])


async def test_execute_many_is_all_or_nothing(notes_database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        await notes_database.execute_many(notes.insert(), [{"text": "a"}, {"text": "b"}, {"text": "a"}])
    assert await count(notes_database) == 0


async def test_text_among_the_columns_keeps_the_types_of_the_others(notes_database: Database) -> None:
    await notes_database.execute(notes.insert().values(text="a", done=True))
    row = await notes_database.fetch_one(sa.select(sa.text("1 AS one, 2 AS two"), notes.c.done))
    assert row is not None
    assert row == (1, 2, True)
    assert row.done is True
    assert row.two == 2


async def test_sqlalchemys_text_is_a_statement_too(database: Database) -> None:
    assert await database.fetch_val(sa.text("SELECT :a").bindparams(a="x")) == "x"


@pytest.mark.parametrize("query", [5, notes, notes.c.text, None])
async def test_what_cannot_be_run_is_refused(database: Database, query: Any) -> None:
    with pytest.raises(InterfaceError, match=r"Cannot run .* Give a Core statement, DDL, or SQL as text"):
        await database.fetch_all(query)


async def test_a_statement_that_cannot_be_compiled(database: Database) -> None:
    with pytest.raises(ProgrammingError, match=r"SQLAlchemy cannot compile the statement: .*nothing"):
        await database.execute(notes.insert().values(nothing=1))


async def test_a_value_that_does_not_fit_its_column(notes_database: Database) -> None:
    with pytest.raises(DataError):
        await notes_database.execute(notes.insert().values(text="a", price="not a number", made="yesterday"))


async def test_fetch_one_and_fetch_val(database: Database) -> None:
    assert await database.fetch_one("SELECT 1 AS a WHERE 1 = 0") is None
    assert await database.fetch_val("SELECT 1 AS a WHERE 1 = 0") is None
    assert await database.fetch_val("SELECT 1 AS a, 2 AS b", column=1) == 2
    assert await database.fetch_val("SELECT 1 AS a, 2 AS b", column="b") == 2


async def test_wrong_sql_is_a_programming_error(database: Database) -> None:
    for sql in ("SELEC 1", "SELECT * FROM nowhere"):
        with pytest.raises(ProgrammingError) as caught:
            await database.fetch_all(sql)
        assert caught.value.__cause__ is not None


async def test_a_column_by_its_name_only(database: Database) -> None:
    numbers = sa.select(sa.literal(1).label("number")).subquery()
    assert await database.fetch_val(sa.select(sa.func.max(sa.column("number"))).select_from(numbers)) == 1
