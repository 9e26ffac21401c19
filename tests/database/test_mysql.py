"""What the drivers of MySQL and MariaDB promise, on connections without the pool."""

from __future__ import annotations

import asyncio
import datetime
import enum
import gc
import logging
import math
import socket
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import pytest_asyncio
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from orm.database.interfaces import BeginOptions, Outcome
from orm.database.mysql import MySQLSource, parse_version
from orm.database.mysql_connection import MySQLConnection
from orm.database.mysql_dialect import MySQLDialect
from orm.database.mysql_errors import translate
from orm.database.mysql_literals import format_statement, literal
from orm.database.url import parse
from orm.exceptions import (
    CheckViolation,
    ConnectionLost,
    DataError,
    ForeignKeyViolation,
    IntegrityError,
    NotNullViolation,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    QueryTimeout,
    UniqueViolation,
)


def make_source(url: str, **options: Any) -> MySQLSource:
    return MySQLSource(*parse(url, options))


@pytest.fixture
def source(mysql_url: str) -> MySQLSource:
    return make_source(mysql_url)


@pytest_asyncio.fixture
async def connection(source: MySQLSource) -> AsyncIterator[MySQLConnection]:
    connection = await source.connect()
    await connection.command("DROP TABLE IF EXISTS item")
    await connection.command("CREATE TABLE item (id int PRIMARY KEY AUTO_INCREMENT, name varchar(50))")
    yield connection
    await connection.close()


async def values(connection: MySQLConnection, sql: str, *arguments: Any) -> list[Any]:
    return [row[0] for row in await connection.fetch(sql, arguments)]


async def until(connection: MySQLConnection, sql: str, *arguments: Any) -> None:
    """Wait for a condition on the server: each look at it is a round trip."""
    async with asyncio.timeout(5):
        while await values(connection, sql, *arguments) != [1]:
            pass


RUNNING = "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s AND info LIKE '%%sleep%%'"
CONNECTED = "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s"


# The session


async def test_a_session_is_set_up(connection: MySQLConnection) -> None:
    (row,) = await connection.fetch(
        "SELECT @@autocommit, @@time_zone, @@sql_mode, @@character_set_client, @@character_set_results,"
        " CONNECTION_ID(), @@max_allowed_packet",
        (),
    )
    assert row[:2] == (1, "+00:00")
    assert set(row[2].split(",")) == {"STRICT_ALL_TABLES", "NO_ENGINE_SUBSTITUTION"}
    assert row[3:5] == ("utf8mb4", "utf8mb4")
    assert row[5:] == (connection.session_id, connection.max_packet)


async def test_the_source_knows_the_server(source: MySQLSource) -> None:
    assert source.is_mariadb is None
    connection = await source.connect()
    (version,) = await values(connection, "SELECT VERSION()")
    assert source.server_version == tuple(map(int, version.partition("-")[0].split(".")))
    assert source.is_mariadb == ("MariaDB" in version)
    assert source.capabilities.max_statement_bytes == connection.max_packet
    assert source.dialect.server_version_info == source.server_version
    await connection.close()


@pytest.mark.parametrize(
    ("text", "version", "is_mariadb"),
    [
        ("8.4.2", (8, 4, 2), False),
        ("8.0.36-28.1-log", (8, 0, 36), False),
        ("10.11.6-MariaDB-0+deb12u1", (10, 11, 6), True),
        ("5.5.5-10.4.7-MariaDB", (10, 4, 7), True),
    ],
)
def test_versions(text: str, version: tuple[int, ...], is_mariadb: bool) -> None:
    assert parse_version(text) == (version, is_mariadb)


def test_what_the_dialect_learns() -> None:
    table = sa.Table("item", sa.MetaData(), sa.Column("id", sa.Integer, primary_key=True))
    dialect = MySQLDialect("asyncmy")
    dialect.learn((8, 4, 0), False)
    assert "FOR UPDATE OF item" in str(sa.select(table).with_for_update(of=table).compile(dialect=dialect))
    dialect = MySQLDialect("asyncmy")
    dialect.learn((10, 11, 6), True)
    assert str(sa.insert(table).returning(table.c.id).compile(dialect=dialect)).endswith("RETURNING item.id")
    assert dialect.paramstyle == "format"


async def test_a_read_only_connection(source: MySQLSource, connection: MySQLConnection) -> None:
    reader = await source.connect(read_only=True)
    with pytest.raises(ProgrammingError, match="READ ONLY"):
        await reader.run("INSERT INTO item (name) VALUES ('a')", ())
    await reader.close()


async def test_one_statement_at_a_time(connection: MySQLConnection) -> None:
    with pytest.raises(ProgrammingError):
        await connection.fetch("SELECT 1; SELECT 2", ())
    assert connection.clean()


async def test_passwords_that_are_not_latin(connection: MySQLConnection, mysql_url: str) -> None:
    address = urlsplit(mysql_url)
    await connection.command("DROP USER IF EXISTS orm_test_user")
    await connection.command("CREATE USER orm_test_user IDENTIFIED BY 'pä€s'")
    try:
        await connection.command(f"GRANT ALL ON {address.path[1:]}.* TO orm_test_user")
        where = f"{address.hostname}:{address.port or 3306}{address.path}"
        url = f"{address.scheme}://orm_test_user:{quote('pä€s')}@{where}"
        other = await make_source(url).connect()
        assert (await values(other, "SELECT USER()"))[0].startswith("orm_test_user@")
        await other.close()
        with pytest.raises(ConnectionLost, match="Check the user's name and password") as caught:
            await make_source(url.replace(quote("pä€s"), "wrong-secret")).connect()
        assert "wrong-secret" not in f"{caught.value!r} {caught.value.__cause__!r}"
    finally:
        await connection.command("DROP USER orm_test_user")


async def test_tls_is_not_left_out_silently(connection: MySQLConnection, mysql_url: str) -> None:
    if (await values(connection, "SELECT @@have_ssl"))[0] == "YES":
        pytest.skip("this server has TLS")
    with pytest.raises(ConnectionLost):
        await make_source(mysql_url, ssl="require").connect()


async def test_the_kernel_watches_the_peer(connection: MySQLConnection) -> None:
    connected = connection._transport().get_extra_info("socket")
    assert connected.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        assert connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000


def test_the_socket_is_shut_after_the_loop(mysql_url: str) -> None:
    connection = asyncio.run(make_source(mysql_url).connect())
    descriptor = connection._transport().get_extra_info("socket").fileno()
    connection.shut()
    assert connection.closed()
    assert not connection.in_transaction()
    with pytest.raises(OSError, match="Bad file descriptor"):
        socket.socket(fileno=descriptor)
    del connection
    gc.collect()  # nothing may complain


async def test_a_connection_that_is_aborted(connection: MySQLConnection) -> None:
    connection.abort()
    assert connection.closed()
    assert not connection.clean()
    with pytest.raises(ConnectionLost):
        await connection.fetch("SELECT 1", ())


async def test_a_touched_connection_is_not_used_again(connection: MySQLConnection) -> None:
    connection.touched = True
    assert not await connection.recover()


# Statements


async def test_run_tells_count_and_first_key(connection: MySQLConnection) -> None:
    assert await connection.run("INSERT INTO item (name) VALUES (%s), (%s)", ("a", "b")) == Outcome((), 2, 1)
    assert await connection.run("INSERT INTO item (name) VALUES ('c')", ()) == Outcome((), 1, 3)
    assert await connection.run("UPDATE item SET name = 'x'", ()) == Outcome((), 3, None)
    assert await connection.run("UPDATE item SET name = 'x'", ()) == Outcome((), 3, None)  # matched, not changed
    assert await connection.run("DELETE FROM item WHERE id = %s", (9,)) == Outcome((), 0, None)


async def test_percent_signs(connection: MySQLConnection) -> None:
    assert (await connection.table("SELECT '100%%' AS `a%%s`", ())).names == ("a%s",)
    assert await values(connection, "SELECT '100%%'") == ["100%"]
    assert await values(connection, "SELECT %s", "100%s %%") == ["100%s %%"]
    assert (await connection.run("UPDATE item SET name = '%%'", ())).rowcount == 0
    await connection.command("SET @rest = 7 % 4")  # sent as it is
    assert await values(connection, "SELECT @rest") == [3]


async def test_results_of_a_procedure(connection: MySQLConnection) -> None:
    await connection.command("DROP PROCEDURE IF EXISTS two_results")
    await connection.command("CREATE PROCEDURE two_results() BEGIN SELECT 1; SELECT 2; START TRANSACTION; END")
    assert await values(connection, "CALL two_results()") == [1]
    assert connection.in_transaction()  # told by the last of its answers
    await connection.rollback()
    await connection.command("DROP PROCEDURE two_results")
    await connection.command("CREATE PROCEDURE two_results() BEGIN SELECT 1; SELECT * FROM no_such_table; END")
    with pytest.raises(ProgrammingError):
        await connection.fetch("CALL two_results()", ())
    assert await values(connection, "SELECT 5") == [5]
    await connection.command("DROP PROCEDURE two_results")


async def test_run_many(connection: MySQLConnection) -> None:
    rows = [(None, f"%s '{number}") for number in range(300)]
    assert await connection.run_many("INSERT INTO item (id, name) VALUES (%s, %s)", rows) == 300
    assert await values(connection, "SELECT name FROM item ORDER BY id") == [name for _, name in rows]
    assert await connection.run_many("UPDATE item SET name = %s WHERE id <= %s", [("x", 2), ("y", 3)]) == 5
    assert await connection.run_many("INSERT INTO item (name) VALUES (upper(%s))", [("a",), ("b",)]) == 2
    assert await connection.run_many("DELETE FROM item", []) == 0
    upsert = "INSERT INTO item (id, name) VALUES (%s, %s) ON DUPLICATE KEY UPDATE name = concat(VALUES(name), '%%')"
    await connection.run_many(upsert, [(1, "up"), (2, "up")])
    assert await values(connection, "SELECT name FROM item WHERE id <= 3 ORDER BY id") == ["up%", "up%", "y"]


async def test_run_many_sends_as_few_statements_as_fit(connection: MySQLConnection) -> None:
    rows = [("é" * 50,)] * 100
    assert len(connection._statements("INSERT INTO item (name) VALUES (%s)", rows)) == 1
    connection._max_packet = 3000
    statements = connection._statements("INSERT INTO item (name) VALUES (%s)", rows)
    assert len(statements) > 1
    assert all(len(statement.encode()) < 3000 for statement in statements)
    assert await connection.run_many("INSERT INTO item (name) VALUES (%s)", rows) == 100
    assert connection.clean()


@pytest.mark.parametrize("sql", ["INSERT INTO item (id) VALUES (%s)", "INSERT INTO item (id) SELECT %s"])
async def test_run_many_is_all_or_nothing(connection: MySQLConnection, sql: str) -> None:
    await connection.run("INSERT INTO item (id) VALUES (1)", ())
    with pytest.raises(UniqueViolation):
        await connection.run_many(sql, [(7,), (1,)])
    with pytest.raises(DataError):
        await connection.run_many(sql, [(7,), (math.nan,)])
    assert await values(connection, "SELECT id FROM item") == [1]
    assert connection.clean()


async def test_a_statement_that_is_too_long(connection: MySQLConnection) -> None:
    with pytest.raises(DataError, match="max_allowed_packet"):
        await connection.fetch("SELECT %s", ("x" * connection.max_packet,))
    assert connection.clean()


# Values


class Colour(str, enum.Enum):  # noqa: UP042  # whose str() is not its text
    RED = "it's red"


class Size(enum.IntEnum):
    BIG = 7


@pytest.mark.parametrize(
    ("value", "result"),
    [
        (None, None),
        (True, 1),
        (False, 0),
        (-(2**63), -(2**63)),
        (2**64 - 1, 2**64 - 1),
        (1.1, 1.1),
        (1e300, 1e300),
        (5e-324, 5e-324),
        (Decimal("12345678901234567890.123456789"), Decimal("12345678901234567890.123456789")),
        (Decimal("1E+5"), 100000),
        ('it\'s \\ "%s" %% \0 \n\r\x1a é 😀', 'it\'s \\ "%s" %% \0 \n\r\x1a é 😀'),
        ("\\", "\\"),
        ("' OR 1 = 1 -- ", "' OR 1 = 1 -- "),
        (bytes(range(256)) + b"%s\\'", bytes(range(256)) + b"%s\\'"),
        (bytearray(b"\xff'"), b"\xff'"),
        pytest.param(memoryview(b"\xff'"), b"\xff'", id="memoryview"),
        (Colour.RED, "it's red"),
        (Size.BIG, 7),
        (datetime.datetime(2020, 1, 2, 3, 4, 5, 6), "2020-01-02 03:04:05.000006"),
        (datetime.datetime(1, 1, 1), "0001-01-01 00:00:00"),
        (
            datetime.datetime(2020, 1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            "2019-12-31 23:00:00",
        ),
        (datetime.date(1, 1, 2), "0001-01-02"),
        (datetime.time(1, 2, 3, 4), "01:02:03.000004"),
        (datetime.timedelta(hours=800, microseconds=1), "800:00:00.000001"),
        (datetime.timedelta(days=-1, seconds=5), "-23:59:55"),
        (datetime.timedelta(microseconds=-1), "-00:00:00.000001"),
    ],
    ids=repr,
)
async def test_literals(connection: MySQLConnection, value: Any, result: Any) -> None:
    assert await values(connection, "SELECT %s", value) == [result]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (math.nan, "nan cannot be sent to MySQL, whose numbers are all finite"),
        (-math.inf, "-inf cannot be sent"),
        (Decimal("NaN"), "NaN cannot be sent"),
        (Decimal("-Infinity"), "-Infinity cannot be sent"),
        ("\udcff", "str cannot be sent"),
        ([1], "A list cannot be sent to MySQL. Choose from: None, bool, int"),
        (object(), "A object cannot be sent"),
        (10**5000, "int cannot be sent"),
        (datetime.time(1, tzinfo=datetime.UTC), "time with a time zone"),
        (datetime.datetime(1, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))), "datetime cannot be sent"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_without_a_literal(value: Any, text: str) -> None:
    with pytest.raises(DataError, match=text.replace(".", r"\.")):
        literal(value)


@pytest.mark.parametrize(("sql", "arguments"), [("%s", ()), ("", (1,)), ("100 %", ()), ("%d", (1,)), ("%(a)s", (1,))])
def test_placeholders_that_do_not_fit(sql: str, arguments: tuple[int, ...]) -> None:
    with pytest.raises(ProgrammingError, match="percent sign doubled"):
        format_statement(sql, arguments)


COLUMNS = {
    "moment datetime(6)": datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    "instant timestamp(6) NULL": datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    "day date": datetime.date(1, 1, 2),
    "clock time(6)": datetime.timedelta(days=-1, seconds=5, microseconds=3),
    "exact decimal(30, 10)": Decimal("12345678901234567890.1234567890"),
    "document json": '{"a": "é"}',
    "bits bit(9)": 257,
    "one bit(1)": 1,
    "tiny tinyint": -128,
    "inexact double": 0.1,
    "bytes blob": b"\0\xff\\'",
    "few varbinary(20)": b"\xff%",
    "text text": "é😀\\",
    "choice enum('a', 'b')": "b",
    "big bigint unsigned": 2**64 - 1,
}


async def test_results(connection: MySQLConnection) -> None:
    await connection.command("DROP TABLE IF EXISTS type_test")
    await connection.command(f"CREATE TABLE type_test ({', '.join(COLUMNS)})")
    marks = ", ".join(["%s"] * len(COLUMNS))
    await connection.run(f"INSERT INTO type_test VALUES ({marks})", list(COLUMNS.values()))
    await connection.run("INSERT INTO type_test () VALUES ()", ())
    filled, empty = await connection.fetch("SELECT * FROM type_test", ())
    assert filled == tuple(COLUMNS.values())
    assert [type(value) for value in filled] == [type(value) for value in COLUMNS.values()]
    assert set(empty) == {None}


async def test_zero_dates_do_not_crash(connection: MySQLConnection) -> None:
    await connection.command("SET sql_mode = ''")
    (row,) = await connection.fetch(
        "SELECT CAST('0000-00-00' AS date), CAST('0000-00-00 00:00:00' AS datetime), CAST('-00:30:00' AS time)", ()
    )
    assert row[2] == datetime.timedelta(minutes=-30)
    assert connection.clean()


async def test_types_of_sqlalchemy(connection: MySQLConnection) -> None:
    dialect = MySQLDialect("asyncmy")
    expected: dict[Any, Any] = {
        sa.Time(): datetime.time(1, 2, 3, 4),
        sa.JSON(): {"a": [1, None]},
        sa.Boolean(): True,
        mysql.BIT(9): 257,
        sa.Numeric(10, 2): Decimal("1.25"),
        sa.Float(): 0.5,
        sa.LargeBinary(): b"\xff",
        sa.Interval(): datetime.timedelta(hours=1),
    }
    table = sa.Table("types", sa.MetaData(), *(sa.Column(str(n), kind) for n, kind in enumerate(expected)))
    await connection.command("DROP TABLE IF EXISTS types")
    ddl = str(sa.schema.CreateTable(table).compile(dialect=dialect)).replace("TIME,", "TIME(6),")
    await connection.command(ddl)
    insert = sa.insert(table).values({str(n): value for n, value in enumerate(expected.values())})
    compiled: Any = insert.compile(dialect=dialect)
    arguments = [
        compiled._bind_processors.get(name, lambda value: value)(compiled.params[name]) for name in compiled.positiontup
    ]
    await connection.run(compiled.string, arguments)
    (row,) = await connection.fetch(str(sa.select(table).compile(dialect=dialect)), ())
    for column, value, wanted in zip(table.c, row, expected.values(), strict=True):
        process = column.type.dialect_impl(dialect).result_processor(dialect, None)
        assert (process(value) if process else value) == wanted, column.type


# Streams


@pytest_asyncio.fixture
async def big(connection: MySQLConnection) -> MySQLConnection:
    await connection.command("DROP TABLE IF EXISTS big")
    await connection.command("CREATE TABLE big (number int, padding varchar(200))")
    await connection.run_many("INSERT INTO big VALUES (%s, %s)", [(number, "x" * 200) for number in range(40_000)])
    return connection


async def test_a_stream_reads_as_the_server_sends(big: MySQLConnection) -> None:
    numbers: list[int] = []
    async for piece in big.stream("SELECT number, padding FROM big", (), 1500):
        assert piece.names == ("number", "padding")
        assert len(piece.rows) == 1500 or not big.busy
        numbers += [row[0] for row in piece.rows]
    assert numbers == list(range(40_000))
    assert big.clean()
    assert await values(big, "SELECT 1") == [1]


@pytest.mark.parametrize("count", [0, 3, 4, 5])
async def test_the_end_of_a_stream(big: MySQLConnection, count: int) -> None:
    sizes = [len(piece.rows) async for piece in big.stream("SELECT number FROM big LIMIT %s", (count,), 4)]
    assert sizes == {0: [], 3: [3], 4: [4], 5: [4, 1]}[count]
    assert big.clean()


async def test_a_stream_that_is_left_early_is_killed(source: MySQLSource, big: MySQLConnection) -> None:
    other = await source.connect()
    pieces = other.stream("SELECT a.number FROM big a, big b", (), 10)
    await anext(pieces)
    await pieces.aclose()  # type: ignore[attr-defined]
    assert other.busy
    assert not await other.recover()
    await until(big, "SELECT NOT EXISTS (SELECT 1 FROM information_schema.processlist WHERE id = %s)", other.session_id)


async def test_a_stream_in_a_block_is_buffered(big: MySQLConnection) -> None:
    await big.begin(BeginOptions())
    count = 0
    async for piece in big.stream("SELECT number FROM big", (), 15_000):
        count += len(piece.rows)
        assert await values(big, "SELECT 1") == [1]  # it would discard the rest of an open result
    assert count == 40_000
    await big.rollback()
    assert big.clean()


async def test_an_error_in_a_stream(connection: MySQLConnection) -> None:
    with pytest.raises(ProgrammingError):
        await anext(connection.stream("SELECT * FROM no_such_table", (), 5))
    assert connection.clean()
    with pytest.raises((QueryTimeout, OperationalError)):
        async for _ in connection.stream(
            "SET STATEMENT max_statement_time = 0.05 FOR SELECT sleep(0.02) FROM information_schema.collations", (), 1
        ):
            pass
    assert connection.clean()


async def test_a_stream_without_a_result(connection: MySQLConnection) -> None:
    assert [piece async for piece in connection.stream("INSERT INTO item (name) VALUES ('a')", (), 5)] == []
    assert connection.clean()


# Transactions


async def test_begin(connection: MySQLConnection) -> None:
    variable = "@@tx_isolation" if "MariaDB" in connection.server_version else "@@transaction_isolation"
    before = await values(connection, f"SELECT {variable}")
    await connection.begin(BeginOptions(isolation="read committed"))
    assert connection.in_transaction()
    await connection.run("INSERT INTO item (name) VALUES ('a')", ())
    await connection.commit()
    assert connection.clean()
    assert await values(connection, f"SELECT {variable}") == before


async def test_the_isolation_level_is_the_one_asked_for(source: MySQLSource, connection: MySQLConnection) -> None:
    other = await source.connect()
    for level, seen in (("READ UNCOMMITTED", 1), ("READ COMMITTED", 0)):
        await other.begin(BeginOptions())
        await other.run("INSERT INTO item (name) VALUES ('dirty')", ())
        await connection.begin(BeginOptions(isolation=level))
        assert await values(connection, "SELECT COUNT(*) FROM item") == [seen]
        await connection.rollback()
        await other.rollback()
    await other.close()


@pytest.mark.parametrize("options", [BeginOptions(isolation="chaos"), BeginOptions(deferrable=True)])
async def test_begin_refuses_what_it_cannot_do(connection: MySQLConnection, options: BeginOptions) -> None:
    with pytest.raises(NotSupportedError):
        await connection.begin(options)
    assert connection.clean()


async def test_ddl_that_fails_has_committed(connection: MySQLConnection) -> None:
    """The server commits before DDL; its error does not say so, but ours does."""
    await connection.begin(BeginOptions())
    await connection.run("INSERT INTO item (name) VALUES ('a')", ())
    with pytest.raises(ProgrammingError) as caught:
        await connection.command("CREATE TABLE item (id int)")
    assert caught.value.ends_transaction
    assert not connection.in_transaction()


# Cancellation


async def test_cancellation_kills_the_session(source: MySQLSource, connection: MySQLConnection) -> None:
    others = [await source.connect() for _ in range(4)]
    tasks = [asyncio.create_task(other.fetch("SELECT sleep(60)", ())) for other in others]
    for other in others:
        await until(connection, RUNNING, other.session_id)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(other.busy for other in others)
    assert await asyncio.gather(*(other.recover() for other in others)) == [False] * 4
    for other in others:
        await until(connection, f"SELECT ({CONNECTED}) = 0", other.session_id)


async def test_a_caller_who_is_stopped_does_not_stop_the_kill(source: MySQLSource, connection: MySQLConnection) -> None:
    other = await source.connect()
    sleeping = asyncio.create_task(other.fetch("SELECT sleep(60)", ()))
    await until(connection, RUNNING, other.session_id)
    for task in (sleeping, asyncio.create_task(other.interrupt())):
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await until(connection, f"SELECT ({CONNECTED}) = 0", other.session_id)


async def test_a_lost_lock_is_free(source: MySQLSource, connection: MySQLConnection) -> None:
    await connection.run("INSERT INTO item (name) VALUES ('a')", ())
    other = await source.connect()
    await other.begin(BeginOptions())
    task = asyncio.create_task(other.fetch("SELECT sleep(60) FROM item FOR UPDATE", ()))
    await until(connection, RUNNING, other.session_id)
    task.cancel()
    await asyncio.wait([task])
    await source.release(other)  # busy: the session is killed
    async with asyncio.timeout(5):
        assert (await connection.run("UPDATE item SET name = 'b'", ())).rowcount == 1


async def test_a_session_is_killed_when_the_server_can_be_reached_again(
    source: MySQLSource, connection: MySQLConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = await source.connect()
    monkeypatch.setattr("orm.database.mysql.KILL_PAUSES", (0.0, 0.01))
    open_really = source._open
    attempts = 0

    async def open_at_the_second_attempt() -> Any:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise ConnectionRefusedError
        return await open_really()

    monkeypatch.setattr(source, "_open", open_at_the_second_attempt)
    await source.kill(other.session_id)
    assert attempts == 2
    await until(connection, f"SELECT ({CONNECTED}) = 0", other.session_id)
    await other.close()


async def test_a_session_that_cannot_be_killed_is_logged(
    source: MySQLSource, connection: MySQLConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse() -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr("orm.database.mysql.KILL_PAUSES", (0.0, 0.01))
    monkeypatch.setattr(source, "_open", refuse)
    with caplog.at_level(logging.WARNING, "orm.database"):
        await source.kill(connection.session_id)
    assert "ConnectionRefusedError" in caplog.text


async def test_a_session_of_another_run_of_the_server_is_not_killed(
    source: MySQLSource, connection: MySQLConnection
) -> None:
    other = await source.connect()
    source._doomed[other.session_id] = -math.inf  # longer ago than the server runs: the number is another's by now
    await source._kill_from_the_side()
    assert source._doomed == {}
    assert await values(connection, CONNECTED, other.session_id) == [1]
    await other.close()


async def test_killing_who_is_gone_already(source: MySQLSource, caplog: pytest.LogCaptureFixture) -> None:
    other = await source.connect()
    await other.close()
    await source.kill(other.session_id)
    assert not caplog.records


async def test_a_query_that_was_killed_leaves_the_session(source: MySQLSource, connection: MySQLConnection) -> None:
    other = await source.connect()
    task = asyncio.create_task(other.fetch("SELECT sleep(60) FROM information_schema.collations", ()))
    await until(connection, RUNNING, other.session_id)
    await connection.command(f"KILL QUERY {other.session_id}")
    with pytest.raises(OperationalError):
        await task
    assert other.clean()
    await other.close()


# Errors by their texts


def error_of(number: int, text: str) -> IntegrityError:
    pymysql = pytest.importorskip("pymysql")
    translated = translate(pymysql.err.IntegrityError(number, text))
    assert isinstance(translated, IntegrityError)
    return translated


@pytest.mark.parametrize(
    ("number", "text", "kind", "constraint", "table", "columns"),
    [
        (1062, "Duplicate entry 'a-b' for key 'item.one'", UniqueViolation, "one", "item", ()),
        (1062, "Duplicate entry 'x' for key 'y' for key 'one'", UniqueViolation, "one", None, ()),
        (1586, "Duplicate entry '1' for key 'PRIMARY'", UniqueViolation, "PRIMARY", None, ()),
        (
            1452,
            "Cannot add or update a child row: a foreign key constraint fails (`db`.`book`, CONSTRAINT `fk` "
            "FOREIGN KEY (`a`, `b``c`) REFERENCES `author` (`x`, `y`) ON DELETE CASCADE)",
            ForeignKeyViolation,
            "fk",
            "book",
            ("a", "b`c"),
        ),
        (1216, "Cannot add or update a child row: a foreign key constraint fails", ForeignKeyViolation, None, None, ()),
        (1048, "Column 'name' cannot be null", NotNullViolation, None, None, ("name",)),
        (1364, "Field 'name' doesn't have a default value", NotNullViolation, None, None, ("name",)),
        (3819, "Check constraint 'positive' is violated.", CheckViolation, "positive", None, ()),
        (4025, "CONSTRAINT `positive` failed for `db`.`item`", CheckViolation, "positive", "item", ()),
        (4025, "CONSTRAINT `item.price` failed for `db`.`item`", CheckViolation, "item.price", "item", ()),
    ],
)
def test_names_in_the_texts_of_violations(
    number: int,
    text: str,
    kind: type[IntegrityError],
    constraint: str | None,
    table: str | None,
    columns: tuple[str, ...],
) -> None:
    error = error_of(number, text)
    assert type(error) is kind
    assert (error.constraint, error.table, error.columns) == (constraint, table, columns)
    assert str(error) == f"{text} ({number})"
