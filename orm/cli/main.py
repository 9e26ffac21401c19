"""The console script: what the words of the command line mean, and what is written where."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.engine import Dialect
from sqlalchemy.exc import SQLAlchemyError

from orm import connecting
from orm.cli import reading, writing
from orm.database.url import DatabaseURL, Options, parse
from orm.exceptions import Error, InterfaceError
from orm.version import VERSION


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; gives the exit code: 0, or 1 after an error, which is a sentence on standard error."""
    given = _parser().parse_args(arguments)
    try:
        address, settings = parse(given.url)
        if address.engine == "sqlite" and not (address.database and Path(address.database).is_file()):
            raise InterfaceError(f"There is no database {address.database!r} to read models from.")
        text = asyncio.run(_inspectdb(address, settings, given))
        if given.output is None:
            sys.stdout.write(text)
        else:
            Path(given.output).write_text(text, encoding="utf-8")
    except (Error, OSError) as error:
        sys.stderr.write(f"orm: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="orm", description="The commands of the ORM.")
    parser.add_argument("--version", action="version", version=f"orm {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="command")
    inspectdb = commands.add_parser("inspectdb", help="write models for the tables of a database")
    inspectdb.add_argument("url", help="the database, as orm.Database takes it: postgresql://localhost/music")
    inspectdb.add_argument("--output", metavar="FILE", help="where to write; standard output unless given")
    inspectdb.add_argument("--schema", help="the database schema; the connection's own unless given")
    inspectdb.add_argument(
        "--table", action="append", default=[], metavar="NAME", help="only this table; may be given several times"
    )
    inspectdb.add_argument("--include-views", action="store_true", help="write models for views, too")
    return parser


async def _inspectdb(address: DatabaseURL, settings: Options, given: argparse.Namespace) -> str:
    """The models of a database as a module. Raises `InterfaceError` where it cannot be read."""
    try:
        tables, dialect = await _read(address, settings, given)
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise InterfaceError(f"{address} could not be read: {cause}") from None
    if not tables:
        raise InterfaceError(f"{address} has no tables here.")
    return writing.module(tables, dialect)


async def _read(
    address: DatabaseURL, settings: Options, given: argparse.Namespace
) -> tuple[list[reading.Table], Dialect]:
    wanted = reading.Wanted(given.schema, tuple(given.table), given.include_views)
    engine = connecting.engine(address, settings)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(reading.read, wanted, _progress), engine.dialect
    finally:
        await engine.dispose()


def _progress(number: int, total: int) -> None:
    """Say how far it is, to people who look on."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{number} of {total} tables" if number < total else "\r\033[K")
        sys.stderr.flush()
