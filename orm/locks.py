"""Rows that are locked while they are read: what is asked for, what an engine has, and its clause."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from sqlalchemy.engine import Dialect

from orm.database import Database
from orm.engines import engine_name, is_mariadb
from orm.exceptions import FieldError, NotSupportedError, TransactionError
from orm.query import Lock, Path, Query

NEWEST = Lock(anywhere=True)
"""Reads the newest rows, past an older snapshot of the transaction."""


def chosen(*, nowait: bool, skip_locked: bool, of: Iterable[Path], no_key: bool, share: bool) -> Lock:
    """The lock that these options describe. Raises `FieldError` when they contradict each other."""
    if nowait and skip_locked:
        raise FieldError("nowait raises when a row is locked, skip_locked leaves it out. Choose one of them.")
    if no_key and share:
        raise FieldError("no_key is a weaker lock for changing rows, share one for keeping them. Choose one of them.")
    paths = tuple(dict.fromkeys(of))
    for path in paths:
        for hop in path:
            if not hop.holds_key or hop.null:
                raise FieldError(f"{hop.source.name}.{hop.name} may be missing, and what is missing cannot be locked.")
    return Lock(nowait=nowait, skip_locked=skip_locked, of=paths, no_key=no_key, share=share)


def refuse_hidden(path: Path, lifted: frozenset[str]) -> None:
    """Raise `FieldError` where a row on the way may be hidden by what its schema implies."""
    for hop in path:
        implied = hop.target.implied
        if implied is not None and (implied.always is not None or implied.holding(lifted)):
            raise FieldError(
                f"{hop.source.name}.{hop.name} may be hidden by a default filter, and what is hidden cannot be locked. "
                "Call unfiltered() before."
            )


def check(query: Query, database: Database) -> None:
    """Refuse what the engine does not have, and a lock that would end before anything could be done under it."""
    lock = query.selection.lock
    if lock is None or lock.anywhere:
        return
    if query.selection.distinct:
        raise FieldError("Equal rows that are given once by distinct() cannot be locked. Leave one of the two out.")
    if not database.in_transaction():
        raise TransactionError(
            "Rows are locked until the end of a transaction, and there is none. Write: async with "
            "database.transaction()."
        )
    check_engine(query, database.dialect)


def check_engine(query: Query, dialect: Dialect) -> None:
    """Raise `NotSupportedError` for what the engine does not have."""
    lock = query.selection.lock
    if lock is not None and dialect.name == "mysql":
        _check_mysql(lock, dialect)


def _check_mysql(lock: Lock, dialect: Dialect) -> None:
    version = cast("tuple[int, ...]", dialect.server_version_info or ())
    mariadb = is_mariadb(dialect)
    missing = {
        "no_key": lock.no_key,
        "of": bool(lock.of) and not getattr(dialect, "supports_for_update_of", False),
        "nowait": lock.nowait and bool(version) and version < ((10, 3) if mariadb else (8,)),
        "skip_locked": lock.skip_locked and bool(version) and version < ((10, 6) if mariadb else (8,)),
    }
    for option, lacking in missing.items():
        if lacking:
            number = ".".join(map(str, version))
            raise NotSupportedError(f"{engine_name(dialect)} {number} has no {option}= for locks. Leave it out.")


def clause(query: Query, table: Callable[[Path], Any], dialect: Dialect) -> dict[str, Any] | None:
    """What SQLAlchemy's `with_for_update` takes; `None` without a lock.

    Args:
        query: whose rows are locked.
        table: gives the table at the end of a path, joined.
        dialect: SQLite has no clause: who is in a transaction that writes is alone.
    """
    lock = query.selection.lock
    if lock is None or dialect.name == "sqlite":
        return None
    of = [table(part) for path in lock.of for part in _parts(query, path)]
    if not of and dialect.name == "postgresql":
        of = [table(part) for part in _parts(query, ())]  # the missing side of an outer join cannot be locked
    return {
        "of": of or None,
        "nowait": lock.nowait,
        "skip_locked": lock.skip_locked,
        "key_share": lock.no_key,
        "read": lock.share,
    }


def _parts(query: Query, path: Path) -> list[Path]:
    """The paths to the tables that have a row: that of its model, and those of the models that it inherits from."""
    schema = path[-1].target if path else query.schema
    longest = max(schema.steps.values(), key=len, default=())
    return [(*path, *longest[:length]) for length in range(len(longest) + 1)]
