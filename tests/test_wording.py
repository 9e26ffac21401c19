"""Definitions of constraints and indexes, read as words."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from orm.wording import Told, as_text, checks_of_table, listed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CHECK (price >= 0)", 'check ( "price">=0 )'),
        ("USING btree (name, plays DESC)", "(name, plays desc)"),
        ("(`name`) USING BTREE", "(name)"),
        ("CHECK (a = 'It''s')", "CHECK(a='It''s')"),
    ],
)
def test_one_thing_in_two_spellings(one: str, other: str) -> None:
    assert Told("x", one).words() == Told("x", other).words()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CHECK (a = 'x')", "CHECK (a = 'X')"),
        ("CHECK (a = 'x y')", "CHECK (a = 'xy')"),
        ('CHECK ("A" = 1)', "CHECK (a = 1)"),
        ("(name)", "(name DESC)"),
        ("(name)", "USING hash (name)"),
        ("CHECK (a = 'btree using')", "CHECK (a = 'using btree')"),
    ],
)
def test_two_things_are_two(one: str, other: str) -> None:
    assert Told("x", one).words() != Told("x", other).words()


def test_columns_by_their_new_names() -> None:
    told = Told("check", "CHECK (price >= 0 AND name <> 'price')")
    assert told.words({"price": "cost"}) == Told("check", "CHECK (cost >= 0 AND name <> 'price')").words()


def test_what_backslashes_are_depends_on_the_engine() -> None:
    assert Told("check", r"CHECK (a = '\' and b = 'x')").words()[-7:] == ("=", r"'\'", "and", "b", "=", "'x'", ")")
    assert Told("check", r"CHECK (a = '\' and b = ')", escapes=True).words()[-2:] == (r"'\' and b = '", ")")


def test_the_parts_of_an_index() -> None:
    told = Told(
        "index",
        'USING gin (lower((a)::text) gin_trgm_ops, b DESC NULLS LAST) INCLUDE (c, "D d") NULLS NOT DISTINCT '
        "WITH (fastupdate=off) WHERE ((a = 'where (') AND (b IS NULL))",
    )
    parts = told.parts()
    assert parts.method == "gin"
    assert listed(parts.terms) == ["lower((a)::text) gin_trgm_ops", "b DESC NULLS LAST"]
    assert parts.options == {
        "include": '(c, "D d")',
        "nulls": "NOT DISTINCT",
        "with": "(fastupdate=off)",
        "where": "((a = 'where (') AND (b IS NULL))",
    }


def test_a_list_is_divided_at_its_own_commas() -> None:
    assert listed("coalesce(a, 0) WITH =, ARRAY[1, 2] WITH &&, 'a, b'") == [
        "coalesce(a, 0) WITH =",
        "ARRAY[1, 2] WITH &&",
        "'a, b'",
    ]


@pytest.mark.parametrize(
    "sql",
    ["a = ':b'", "a::text", "a = ':b'::text", r"a = '\: b'", r"a = '\:b'", "a[1:b::int]", r"a = '\'::text", "':::'"],
)
def test_sql_is_the_same_as_a_text_of_sqlalchemys(sql: str) -> None:
    assert str(sa.text(as_text(sql))) == sql


def test_casts_alone_are_left_as_they_are() -> None:
    assert as_text("a::text = 'b'::character varying") == "a::text = 'b'::character varying"


def test_the_checks_in_a_table_of_sqlites() -> None:
    sql = (
        "CREATE TABLE t (a INTEGER CHECK (a > 0), b TEXT,\n"
        " CONSTRAINT one CHECK (b <> 'CONSTRAINT no CHECK (x)' AND (a > 1)),\n"
        ' CONSTRAINT "Two three" CHECK (a < 9), CONSTRAINT u UNIQUE (a))'
    )
    assert checks_of_table(sql) == {
        "one": Told("check", "CHECK (b <> 'CONSTRAINT no CHECK (x)' AND (a > 1))"),
        "Two three": Told("check", "CHECK (a < 9)"),
    }
