"""What the PostgreSQL driver promises, on connections without the pool."""

from __future__ import annotations

import asyncio
import datetime
import decimal
import enum
import gc
import ipaddress
import socket
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from orm.database.interfaces import BeginOptions, Outcome
from orm.database.postgresql import PostgreSQLConnection, PostgreSQLSource
from orm.database.postgresql_dialect import PostgreSQLDialect
from orm.database.postgresql_errors import key_columns, translate
from orm.database.url import parse
from orm.exceptions import (
    ConnectionLost,
    DataError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    QueryTimeout,
    SerializationFailure,
    TransactionError,
)


async def connect(url: str, **options: Any) -> PostgreSQLConnection:
    return await PostgreSQLSource(*parse(url, options)).connect()


@pytest_asyncio.fixture
async def connection(postgresql_url: str) -> AsyncIterator[PostgreSQLConnection]:
    connection = await connect(postgresql_url)
    await connection.command("DROP TABLE IF EXISTS item; CREATE TABLE item (id serial PRIMARY KEY, name text)")
    yield connection
    await connection.close()


async def values(connection: PostgreSQLConnection, sql: str, *arguments: Any) -> list[Any]:
    return [row[0] for row in await connection.fetch(sql, arguments)]


async def until(connection: PostgreSQLConnection, sql: str, *arguments: Any) -> None:
    """Wait for a condition on the server: each look at it is a round trip."""
    async with asyncio.timeout(5):
        while await values(connection, sql, *arguments) != [True]:
            pass


# Statements


async def test_run_tells_rows_and_count(connection: PostgreSQLConnection) -> None:
    inserted = await connection.run("INSERT INTO item (name) VALUES ($1), ($2) RETURNING id", ("a", "b"))
    assert [row[0] for row in inserted.rows] == [1, 2]
    assert inserted.rowcount == 2
    assert inserted.lastrowid is None
    assert await connection.run("UPDATE item SET name = name", ()) == Outcome([], 2)
    assert (await connection.run("DELETE FROM item WHERE id = $1", (9,))).rowcount == 0
    assert (await connection.run("CREATE TEMPORARY TABLE other (id int)", ())).rowcount == 0


async def test_run_many_counts_what_is_not_known_beforehand(connection: PostgreSQLConnection) -> None:
    assert await connection.run_many("INSERT INTO item (name) VALUES ($1)", [("a",), ("b",), ("c",)]) == 3
    assert await connection.run_many("UPDATE item SET name = $1", [("x",), ("y",)]) == 6
    assert await connection.run_many("INSERT INTO item (id) VALUES ($1) ON CONFLICT DO NOTHING", [(1,), (999,)]) == 1
    assert await connection.run_many("INSERT INTO item (name) SELECT $1 FROM item", [("z",)]) == 4
    assert await connection.run_many("INSERT INTO item (name) VALUES ($1), ($1)", [("z",), ("z",)]) == 4
    assert await connection.run_many("DELETE FROM item", []) == 0
    assert connection.clean()


@pytest.mark.parametrize(
    "sql",
    ["INSERT INTO item (id) VALUES ($1)", "INSERT INTO item (id) SELECT $1", "UPDATE item SET id = $1 WHERE id > 1"],
)
async def test_run_many_is_all_or_nothing(connection: PostgreSQLConnection, sql: str) -> None:
    await connection.run("INSERT INTO item (id) VALUES (1), (2)", ())
    with pytest.raises(Exception, match="duplicate key"):
        await connection.run_many(sql, [(7,), (1,)])
    with pytest.raises(DataError):
        await connection.run_many(sql, [(7,), ("x",)])
    assert await values(connection, "SELECT id FROM item ORDER BY id") == [1, 2]
    assert connection.clean()


async def test_table_names_columns_without_rows(connection: PostgreSQLConnection) -> None:
    assert (await connection.table("SELECT id, name AS id FROM item", ())).names == ("id", "id")
    await connection.run("INSERT INTO item (name) VALUES ('a')", ())
    table = await connection.table("SELECT id, name AS id FROM item", ())
    assert table.names == ("id", "id")
    assert [tuple(row) for row in table.rows] == [(1, "a")]
    assert (await connection.table("DELETE FROM item", ())).names == ()


async def test_answers_that_python_cannot_hold(connection: PostgreSQLConnection) -> None:
    with pytest.raises(DataError):
        await connection.fetch("SELECT '4713-01-01 BC'::date", ())
    assert connection.clean()
    assert await values(connection, "SELECT 1") == [1]


# Streams


async def test_a_stream_has_a_transaction_of_its_own(connection: PostgreSQLConnection) -> None:
    pieces: list[tuple[tuple[str, ...], list[int]]] = []
    async for piece in connection.stream("SELECT generate_series(1, $1) AS number", (5,), 2):
        pieces.append((piece.names, [row[0] for row in piece.rows]))
        assert connection.in_transaction()
        assert not connection.busy
    assert pieces == [(("number",), [1, 2]), (("number",), [3, 4]), (("number",), [5])]
    assert connection.clean()


async def test_a_stream_reads_from_the_server_piece_by_piece(connection: PostgreSQLConnection) -> None:
    await connection.command("CREATE SEQUENCE IF NOT EXISTS seen")
    await connection.begin(BeginOptions())
    start = (await values(connection, "SELECT nextval('seen')"))[0]
    pieces = connection.stream("SELECT nextval('seen') FROM generate_series(1, 10000)", (), 10)
    await anext(pieces)
    assert (await values(connection, "SELECT nextval('seen')"))[0] == start + 11
    await connection.rollback()


async def test_a_stream_that_is_left_early(connection: PostgreSQLConnection) -> None:
    pieces = connection.stream("SELECT generate_series(1, 100)", (), 2)
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]
    assert connection.clean()


async def test_a_stream_in_a_block_leaves_no_cursor(connection: PostgreSQLConnection) -> None:
    await connection.run("INSERT INTO item (name) SELECT 'a' FROM generate_series(1, 9)", ())
    await connection.begin(BeginOptions())
    pieces = connection.stream("SELECT id FROM item", (), 3)
    await anext(pieces)
    assert await values(connection, "SELECT 1") == [1]  # another statement beside it
    await pieces.aclose()  # type: ignore[attr-defined]
    async for _ in connection.stream("SELECT id FROM item", (), 4):
        pass
    await connection.command("ALTER TABLE item ADD extra int")  # refused while a cursor is open
    await connection.rollback()
    assert connection.clean()


async def test_a_stream_only_reads(connection: PostgreSQLConnection) -> None:
    with pytest.raises(ProgrammingError, match="read-only"):
        await anext(connection.stream("INSERT INTO item (name) VALUES ('a') RETURNING id", (), 5))
    assert connection.clean()


async def test_an_error_in_a_stream(connection: PostgreSQLConnection) -> None:
    with pytest.raises(DataError):
        async for _ in connection.stream("SELECT 1 / (5 - number) FROM generate_series(1, 9) number", (), 2):
            pass
    assert connection.clean()


# Plans


async def test_a_stale_plan_is_prepared_anew(connection: PostgreSQLConnection, postgresql_url: str) -> None:
    async def rows_by_every_way() -> list[int]:
        streamed = [piece.names async for piece in connection.stream("SELECT * FROM item", (), 5)]
        return [
            len((await connection.fetch("SELECT * FROM item", ()))[0]),
            len((await connection.table("SELECT * FROM item", ())).names),
            len(streamed[0]),
        ]

    await connection.run("INSERT INTO item (name) VALUES ('a')", ())
    assert await rows_by_every_way() == [2, 2, 2]
    other = await connect(postgresql_url)
    await other.command("ALTER TABLE item ADD extra int")
    await other.close()
    assert await rows_by_every_way() == [3, 3, 3]


@pytest.mark.parametrize("way", ["fetch", "stream"])
async def test_a_stale_plan_in_a_block_says_to_run_it_again(connection: PostgreSQLConnection, way: str) -> None:
    await connection.run("INSERT INTO item (name) VALUES ('a')", ())
    await connection.fetch("SELECT * FROM item", ())
    await connection.command("ALTER TABLE item ADD extra int")
    await connection.begin(BeginOptions())
    stale = (
        connection.fetch("SELECT * FROM item", ())
        if way == "fetch"
        else anext(connection.stream("SELECT * FROM item", (), 5))
    )
    with pytest.raises(SerializationFailure, match="run the transaction again"):
        await stale
    await connection.rollback()
    await connection.begin(BeginOptions())
    assert len((await connection.fetch("SELECT * FROM item", ()))[0]) == 3
    await connection.rollback()


async def test_statements_that_somebody_deallocated(connection: PostgreSQLConnection) -> None:
    await connection.fetch("SELECT 5", ())
    await connection.command("DEALLOCATE ALL")
    with pytest.raises(OperationalError):
        await connection.fetch("SELECT 5", ())
    assert await values(connection, "SELECT 5") == [5]


async def test_the_statement_cache_is_an_option(postgresql_url: str) -> None:
    counts: list[int] = []
    for options in ({"statement_cache": 2}, {"statement_cache": 0}, {"pgbouncer": True}):
        connection = await connect(postgresql_url, **options)
        for number in range(5):
            await connection.fetch(f"SELECT {number}", ())
        prepared = await connection.raw.fetchval(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT _'"
        )
        counts.append(prepared)
        await connection.close()
    assert counts == [1, 0, 0]  # one of the two is that of the count itself


async def test_pgbouncer_streams_without_named_statements(postgresql_url: str) -> None:
    connection = await connect(postgresql_url, pgbouncer=True)
    await connection.command("DROP TYPE IF EXISTS sample_mood CASCADE; CREATE TYPE sample_mood AS ENUM ('good', 'bad')")
    # An unknown type makes asyncpg look it up with the unnamed statement, in place of ours.
    pieces = [
        piece async for piece in connection.stream("SELECT $1::sample_mood[] FROM generate_series(1, 3)", (["bad"],), 2)
    ]
    assert [len(piece.rows) for piece in pieces] == [2, 1]
    assert await connection.raw.fetchval("SELECT count(*) FROM pg_prepared_statements") == 0
    await connection.close()


# Transactions


@pytest.mark.parametrize(
    ("options", "isolation", "read_only", "deferrable"),
    [
        (BeginOptions(), "read committed", "off", "off"),
        (BeginOptions(isolation="repeatable_read"), "repeatable read", "off", "off"),
        (BeginOptions(isolation="SERIALIZABLE", read_only=True, deferrable=True), "serializable", "on", "on"),
        (BeginOptions(read_only=True), "read committed", "on", "off"),
    ],
)
async def test_begin(
    connection: PostgreSQLConnection, options: BeginOptions, isolation: str, read_only: str, deferrable: str
) -> None:
    await connection.begin(options)
    settings = await connection.fetch(
        "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
        " current_setting('transaction_deferrable')",
        (),
    )
    assert tuple(settings[0]) == (isolation, read_only, deferrable)
    await connection.commit()
    assert connection.clean()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (BeginOptions(isolation="chaos"), "no isolation level 'chaos'. Choose from: READ COMMITTED"),
        (BeginOptions(deferrable=True), "must be read-only and serializable"),
        (BeginOptions(isolation="SERIALIZABLE", deferrable=True), "must be read-only and serializable"),
    ],
)
async def test_begin_refuses_what_would_be_ignored(
    connection: PostgreSQLConnection, options: BeginOptions, text: str
) -> None:
    with pytest.raises(NotSupportedError, match=text):
        await connection.begin(options)
    assert connection.clean()


async def test_commit_of_a_failed_transaction(connection: PostgreSQLConnection) -> None:
    await connection.begin(BeginOptions())
    with pytest.raises(DataError):
        await connection.fetch("SELECT 1 / 0", ())
    with pytest.raises(TransactionError, match="nothing was committed"):
        await connection.commit()
    assert connection.clean()


# The session


async def test_a_read_only_connection(postgresql_url: str, connection: PostgreSQLConnection) -> None:
    reader = await PostgreSQLSource(*parse(postgresql_url)).connect(read_only=True)
    with pytest.raises(ProgrammingError, match="read-only"):
        await reader.run("INSERT INTO item (name) VALUES ('a')", ())
    await reader.close()


async def test_cancellation_stops_the_server(connection: PostgreSQLConnection, postgresql_url: str) -> None:
    other = await connect(postgresql_url)
    (backend,) = await values(other, "SELECT pg_backend_pid()")
    task = asyncio.create_task(other.fetch("SELECT pg_sleep(60)", ()))
    await until(connection, "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", backend)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert other.busy
    assert not await other.recover()
    assert other.closed()
    await until(connection, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $1", backend)


async def test_reset_brings_the_session_back(connection: PostgreSQLConnection) -> None:
    await connection.command(
        "SET search_path = nowhere; CREATE TEMPORARY TABLE left_behind (id int); LISTEN somebody;"
        " SELECT pg_advisory_lock(1); SET ROLE pg_monitor"
    )
    connection.touched = True
    assert await connection.recover()
    assert connection.clean()
    assert await values(connection, "SHOW search_path") != ["nowhere"]
    assert await values(connection, "SELECT current_user = session_user") == [True]
    assert await values(connection, "SELECT count(*) FROM pg_class WHERE relname = 'left_behind'") == [0]
    assert await values(connection, "SELECT count(*) FROM pg_listening_channels()") == [0]
    assert await values(connection, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [0]


async def test_reset_behind_pgbouncer_closes(postgresql_url: str) -> None:
    connection = await connect(postgresql_url, pgbouncer=True)
    connection.touched = True
    assert not await connection.recover()
    await connection.close()


async def test_the_kernel_watches_the_peer(connection: PostgreSQLConnection) -> None:
    connected = connection.raw._transport.get_extra_info("socket")
    assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def test_the_socket_is_shut_after_the_loop(postgresql_url: str) -> None:
    async def make() -> PostgreSQLConnection:
        return await connect(postgresql_url)

    connection = asyncio.run(make())
    descriptor = connection.raw._transport.get_extra_info("socket").fileno()
    connection.shut()
    assert connection.closed()
    with pytest.raises(OSError, match="Bad file descriptor"):
        socket.socket(fileno=descriptor)
    del connection
    gc.collect()  # nothing may complain


async def test_a_connection_that_is_aborted(connection: PostgreSQLConnection) -> None:
    connection.abort()
    assert connection.closed()
    assert not connection.in_transaction()
    assert not connection.clean()
    with pytest.raises(ConnectionLost):
        await connection.fetch("SELECT 1", ())
    with pytest.raises(ConnectionLost):
        await connection.run("SELECT 1", ())


# Types


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


COLUMNS: dict[str, tuple[Any, Any]] = {
    "json": (sa.JSON(), {"a": [1, None, "ä"]}),
    "jsonb": (postgresql.JSONB(), [1, {"b": 1.5}]),
    "interval": (sa.Interval(), datetime.timedelta(days=-3, seconds=5, microseconds=7)),
    "date": (sa.Date(), datetime.date(1, 1, 2)),
    "time": (sa.Time(), datetime.time(23, 59, 59, 999999)),
    "instant": (sa.DateTime(timezone=True), datetime.datetime(2020, 1, 1, 12, tzinfo=datetime.UTC)),
    "naive": (sa.DateTime(), datetime.datetime(2020, 1, 1, 12, 0, 0, 1)),
    "exact": (sa.Numeric(30, 10), decimal.Decimal("12345678901234567890.1234567891")),
    "inexact": (sa.Numeric(10, 2, asdecimal=False), 1.25),
    "float": (sa.Float(), 0.1),
    "rounded": (sa.Float(asdecimal=True, decimal_return_scale=3), decimal.Decimal("0.125")),
    "mood": (sa.Enum(Mood, name="sample_mood"), Mood.BAD),
    "array": (postgresql.ARRAY(sa.Integer()), [1, None, 3]),
    "array_of_json": (postgresql.ARRAY(postgresql.JSONB()), [{"a": 1}, [2]]),
    "uuid": (sa.Uuid(), uuid.UUID("12345678-1234-5678-1234-567812345678")),
    "inet": (postgresql.INET(), ipaddress.ip_address("10.0.0.1")),
    "cidr": (postgresql.CIDR(), ipaddress.ip_network("10.0.0.0/8")),
    "bytes": (sa.LargeBinary(), b"\0\xff%'\\"),
    "range": (postgresql.INT4RANGE(), postgresql.Range(1, 5)),
    "flag": (sa.Boolean(), True),
    "big": (sa.BigInteger(), 2**63 - 1),
    "text": (sa.Text(), "%'\\ä😀"),
    "pickled": (sa.PickleType(), {"x": (1, 2)}),
}

if hasattr(postgresql, "BitString"):  # SQLAlchemy 2.1
    COLUMNS["bits"] = postgresql.BIT(4), postgresql.BitString("1010")


def bound(dialect: PostgreSQLDialect, statement: Any) -> tuple[str, list[Any]]:
    """The SQL of a statement and its values in the driver's form."""
    compiled = statement.compile(dialect=dialect)
    processors = compiled._bind_processors
    return compiled.string, [
        processors[name](compiled.params[name]) if name in processors else compiled.params[name]
        for name in compiled.positiontup
    ]


async def test_types_of_sqlalchemy_round_trip(connection: PostgreSQLConnection) -> None:
    dialect = PostgreSQLDialect()
    table = sa.Table("type_test", sa.MetaData(), *(sa.Column(name, kind) for name, (kind, _) in COLUMNS.items()))
    await connection.command("DROP TABLE IF EXISTS type_test; DROP TYPE IF EXISTS sample_mood CASCADE")
    await connection.command("CREATE TYPE sample_mood AS ENUM ('GOOD', 'BAD')")
    await connection.command(str(sa.schema.CreateTable(table).compile(dialect=dialect)))
    for row in ({name: value for name, (_, value) in COLUMNS.items()}, dict.fromkeys(COLUMNS, sa.null())):
        await connection.run(*bound(dialect, sa.insert(table).values(row)))
    rows = await connection.fetch(*bound(dialect, sa.select(table)))
    for column, filled, empty in zip(table.c, *rows, strict=True):
        process = column.type.dialect_impl(dialect).result_processor(dialect, None)
        expected = COLUMNS[column.name][1]
        result = process(filled) if process else filled
        assert result == expected, column.name
        assert isinstance(result, type(expected)), column.name
        assert (process(empty) if process else empty) is None, column.name


# Errors by their parts


@pytest.mark.parametrize(
    ("detail", "columns"),
    [
        ("Key (id)=(1) already exists.", ["id"]),
        ('Key (a, "B, c", d)=(1, 2, 3) already exists.', ["a", "B, c", "d"]),
        ('Key ("say ""hi""")=(1) already exists.', ['say "hi"']),
        ("Key (lower(name), größe)=(x, y) already exists.", ["größe"]),
        ("Schlüssel »(id)=(1)« existiert bereits.", ["id"]),
        ("Failing row contains (1, 2).", []),
        ("", []),
    ],
)
def test_key_columns(detail: str, columns: list[str]) -> None:
    assert key_columns(detail) == columns


async def test_a_cancelled_statement_is_no_timeout(connection: PostgreSQLConnection, postgresql_url: str) -> None:
    other = await connect(postgresql_url)
    (backend,) = await values(other, "SELECT pg_backend_pid()")
    task = asyncio.create_task(other.fetch("SELECT pg_sleep(60)", ()))
    await until(connection, "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1", backend)
    await connection.fetch("SELECT pg_cancel_backend($1)", (backend,))
    with pytest.raises(OperationalError) as caught:
        await task
    assert not isinstance(caught.value, QueryTimeout)
    assert other.clean()
    await other.close()


async def test_features_and_raised_errors(connection: PostgreSQLConnection) -> None:
    with pytest.raises(NotSupportedError):
        await connection.command("ALTER TABLE item ALTER COLUMN id TYPE int USING (SELECT 1)")
    with pytest.raises(Exception, match="my own words") as caught:
        await connection.command("DO $$ BEGIN RAISE EXCEPTION 'my own words' USING HINT = 'a hint'; END $$")
    assert str(caught.value).endswith("HINT: a hint")
    assert type(translate(caught.value.__cause__)) is type(caught.value)


async def test_a_wrong_password_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    asyncpg = pytest.importorskip("asyncpg")

    async def refuse(**_: Any) -> None:
        error = asyncpg.InvalidPasswordError('password authentication failed for user "me"')
        error.sqlstate = "28P01"
        raise error

    monkeypatch.setattr(asyncpg, "connect", refuse)
    with pytest.raises(ConnectionLost, match="Check the user's name and password") as caught:
        await connect("postgresql://me:secret@localhost/x")
    assert "secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
