"""URLs and options."""

from __future__ import annotations

import pickle
import ssl
from typing import Any

import pytest

from orm.database import url as module
from orm.database.url import DatabaseURL, Options, parse
from orm.exceptions import InterfaceError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlite:///notes.db", DatabaseURL("sqlite", "aiosqlite", database="notes.db")),
        ("sqlite+aiosqlite:////data/notes.db", DatabaseURL("sqlite", "aiosqlite", database="/data/notes.db")),
        ("sqlite:////a%20b/c.db", DatabaseURL("sqlite", "aiosqlite", database="/a b/c.db")),
        ("sqlite://", DatabaseURL("sqlite", "aiosqlite", database=":memory:")),
        ("sqlite:///:memory:", DatabaseURL("sqlite", "aiosqlite", database=":memory:")),
        (
            "postgresql://ann:p%40ss%2Fword@db.example:5433/shop",
            DatabaseURL("postgresql", "asyncpg", "ann", "p@ss/word", "db.example", 5433, "shop"),
        ),
        ("postgres://db/shop", DatabaseURL("postgresql", "asyncpg", host="db", database="shop")),
        ("postgresql+asyncpg://[::1]/shop", DatabaseURL("postgresql", "asyncpg", host="::1", database="shop")),
        (
            "postgresql://ann@/shop?host=/run/postgresql",
            DatabaseURL("postgresql", "asyncpg", "ann", database="shop", socket="/run/postgresql"),
        ),
        ("mysql+aiomysql://db/shop", DatabaseURL("mysql", "aiomysql", host="db", database="shop")),
        ("mariadb+asyncmy://db/shop", DatabaseURL("mysql", "asyncmy", host="db", database="shop")),
        (
            "mysql+asyncmy:///shop?unix_socket=/run/mysqld/mysqld.sock",
            DatabaseURL("mysql", "asyncmy", database="shop", socket="/run/mysqld/mysqld.sock"),
        ),
    ],
)
def test_a_url_is_read(text: str, expected: DatabaseURL) -> None:
    assert parse(text) == (expected, Options())


def test_sqlites_own_words_stay_with_the_url() -> None:
    address, options = parse("sqlite:///notes.db?mode=ro&immutable=1&max_size=3")
    assert dict(address.parameters) == {"mode": "ro", "immutable": "1"}
    assert options.max_size == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("oracle://db/shop", "There is no database engine or driver 'oracle'. Choose from: sqlite, .*mariadb"),
        ("postgresql+psycopg://db/shop", "There is no database engine or driver 'postgresql\\+psycopg'"),
        ("notes.db", "cannot be read"),
        ("sqlite://notes.db", "has no host; a file's is written sqlite:///notes.db"),
        ("sqlite:///notes.db?mode=fast", "'mode' must be one of 'ro', 'rw', 'rwc', not 'fast'"),
        ("postgresql://db/shop?host=run", "names the socket 'run', which must be an absolute path"),
        ("sqlite:///notes.db?size=3", "There is no option 'size'. Choose from: connect_timeout, .*timeout"),
        ("sqlite:///notes.db?max_size=3&max_size=4", "has 'max_size' more than once"),
        ("sqlite:///notes.db?pgbouncer=true", "'pgbouncer' means nothing to sqlite, only to postgresql"),
        ("mysql+aiomysql://db/shop?statement_cache=5", "'statement_cache' means nothing to mysql"),
        ("postgresql://db/shop?pragmas=cache_size:1", "'pragmas' means nothing to postgresql, only to sqlite"),
    ],
)
def test_a_wrong_url_is_refused_with_what_is_possible(text: str, message: str) -> None:
    with pytest.raises(InterfaceError, match=message):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:se@cret@db/shop",
        "postgresql://ann:secret@db:port/shop",
        "postgresql://ann:secret@db/shop?colour=red",
    ],
)
def test_an_error_does_not_quote_the_password(text: str) -> None:
    with pytest.raises(InterfaceError) as caught:
        parse(text)
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_password_is_not_shown_nor_pickled() -> None:
    address, _ = parse("postgresql://ann:secret@db/shop")
    assert str(address) == "postgresql+asyncpg://ann:***@db/shop"
    assert "secret" not in repr(address)
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(address)


@pytest.mark.parametrize(
    ("query", "name", "value"),
    [
        ("max_size=7", "max_size", 7),
        ("min_size=0", "min_size", 0),
        ("timeout=2.5", "timeout", 2.5),
        ("connect_timeout=3", "connect_timeout", 3.0),
        ("max_lifetime=none", "max_lifetime", None),
        ("idle_timeout=60", "idle_timeout", 60.0),
        ("statement_cache=0", "statement_cache", 0),
        ("query_timeout=1", "query_timeout", 1.0),
        ("pgbouncer=1", "pgbouncer", True),
        ("force_rollback=yes", "force_rollback", True),
        ("reset=always", "reset", "always"),
        ("ssl=disable", "ssl", False),
    ],
)
def test_an_option_is_the_same_in_the_url_and_beside_it(query: str, name: str, value: Any) -> None:
    _, in_url = parse(f"postgresql://db/shop?{query}")
    _, beside = parse("postgresql://db/shop", {name: value})
    assert getattr(in_url, name) == value
    assert in_url == beside


def test_an_option_beside_the_url_comes_first() -> None:
    _, options = parse("postgresql://db/shop?max_size=7", {"max_size": 8})
    assert options.max_size == 8


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("max_size", 0, "a whole number of at least 1, not 0"),
        ("max_size", "7", "a whole number of at least 1, not '7'"),
        ("max_size", True, "a whole number"),
        ("min_size", -1, "a whole number of at least 0, not -1"),
        ("timeout", 0, "a number of seconds greater than 0, not 0"),
        ("timeout", None, "a number of seconds"),
        ("timeout", float("nan"), "a number of seconds"),
        ("max_lifetime", float("inf"), "a number of seconds"),
        ("pgbouncer", "maybe", "true or false, not 'maybe'"),
        ("reset", "never", "'touched' or 'always', not 'never'"),
        ("ssl", "prefer", "'disable', 'require', 'verify-full'"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(InterfaceError, match=f"'{name}' must be {message}"):
        parse("postgresql://db/shop", {name: value})


def test_more_connections_kept_than_allowed_are_refused() -> None:
    with pytest.raises(InterfaceError, match=r"'min_size' \(5\) is greater than 'max_size' \(2\)"):
        parse("postgresql://db/shop?min_size=5&max_size=2")


@pytest.mark.parametrize(
    ("word", "checks_name", "mode"),
    [("require", False, ssl.CERT_NONE), ("verify-full", True, ssl.CERT_REQUIRED), (True, True, ssl.CERT_REQUIRED)],
)
def test_tls_is_a_context(word: Any, checks_name: bool, mode: ssl.VerifyMode) -> None:
    _, options = parse("mysql+aiomysql://db/shop", {"ssl": word})
    assert isinstance(options.ssl, ssl.SSLContext)
    assert (options.ssl.check_hostname, options.ssl.verify_mode) == (checks_name, mode)


def test_a_context_of_the_users_is_taken_as_it_is() -> None:
    context = ssl.create_default_context()
    assert parse("postgresql://db/shop", {"ssl": context})[1].ssl is context


def test_pragmas_are_names_and_plain_values() -> None:
    _, in_url = parse("sqlite:///notes.db?pragmas=synchronous:NORMAL,cache_size:-2000")
    assert dict(in_url.pragmas) == {"synchronous": "NORMAL", "cache_size": "-2000"}
    _, beside = parse("sqlite:///notes.db", {"pragmas": {"cache_size": -2000}})
    assert dict(beside.pragmas) == {"cache_size": -2000}
    for pragmas in ({"cache_size; DROP TABLE x": 1}, {"cache_size": "1; DROP TABLE x"}, [("cache_size", 1)]):
        with pytest.raises(InterfaceError, match="'pragmas' must be a mapping"):
            parse("sqlite:///notes.db", {"pragmas": pragmas})


@pytest.mark.parametrize(
    ("text", "driver", "extra"),
    [
        ("sqlite://", "aiosqlite", "sqlite"),
        ("postgresql://db/shop", "asyncpg", "postgresql"),
        ("mysql://db/shop", "aiomysql", "mysql"),
        ("mysql+asyncmy://db/shop", "asyncmy", "asyncmy"),
    ],
)
def test_a_missing_driver_names_its_extra(text: str, driver: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_installed", lambda name: False)
    with pytest.raises(InterfaceError, match=rf'driver {driver} is not installed.* pip install "aorm\[{extra}\]"'):
        parse(text)


@pytest.mark.parametrize(("installed", "driver"), [({"asyncmy", "aiomysql"}, "asyncmy"), ({"aiomysql"}, "aiomysql")])
def test_mysql_takes_the_faster_driver_that_is_installed(
    installed: set[str], driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_is_installed", installed.__contains__)
    assert parse("mysql://db/shop")[0].driver == driver
