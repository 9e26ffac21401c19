"""Who wants to see every statement and transaction: logging, slow-query warnings and tracing are built on this."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence, Sized
from dataclasses import dataclass
from typing import Any, TypeVar

from orm.database.interfaces import Connection, Operation, Outcome, StatementInfo, Table
from orm.database.timeouts import bounded

logger = logging.getLogger("orm.database")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class StatementEvent:
    """A statement that was sent and has ended.

    Attributes:
        sql: its text, as the driver got it.
        arguments: its values; do not write them down unless asked to.
        duration: in seconds.
        rows: how many rows it gave or changed, or `None` where that is not known.
        error: what it raised, or `None`.
        info: what its sender says about it, or `None` for SQL that came without.
    """

    sql: str
    arguments: Any
    duration: float
    rows: int | None
    error: BaseException | None
    info: StatementInfo | None


@dataclass(frozen=True, slots=True)
class TransactionEvent:
    """A transaction or savepoint that began or ended.

    Attributes:
        depth: 0 for a transaction, 1 and more for the savepoints of nested blocks.
        duration: how long the command took, in seconds; 0 for a savepoint whose rollback is sent later.
        error: what the command raised, or `None`.
    """

    depth: int
    duration: float
    error: BaseException | None


class Observer:
    """The base of observers: override what you want to see. What an observer raises is logged and goes no further."""

    def statement(self, event: StatementEvent) -> None:
        """A statement has ended."""

    def begin(self, event: TransactionEvent) -> None:
        """A transaction or savepoint began."""

    def commit(self, event: TransactionEvent) -> None:
        """A transaction was committed, or a savepoint released."""

    def rollback(self, event: TransactionEvent) -> None:
        """A transaction or savepoint was rolled back."""


class LoggingObserver(Observer):
    """Logs statements at DEBUG, slow ones at WARNING, and transactions at DEBUG.

    Args:
        slow: from how many seconds on a statement is a slow one; `None` for never.
        show_arguments: write the values down, too: they may be anybody's secrets.
        logger: where to; `orm.database` by default.
    """

    def __init__(
        self, *, slow: float | None = 1.0, show_arguments: bool = False, logger: logging.Logger = logger
    ) -> None:
        self._slow = slow
        self._show_arguments = show_arguments
        self._logger = logger

    def statement(self, event: StatementEvent) -> None:
        """Log a statement."""
        slow = self._slow is not None and event.duration >= self._slow
        level = logging.WARNING if slow else logging.DEBUG
        if not self._logger.isEnabledFor(level):
            return
        parts = [f"{event.duration * 1000:.1f} ms"]
        if event.rows is not None:
            parts.append(f"{event.rows} rows")
        if event.error is not None:
            parts.append(type(event.error).__name__)
        arguments = f" {event.arguments!r}" if self._show_arguments else ""
        self._logger.log(level, "%s%s%s (%s)", "Slow: " if slow else "", event.sql, arguments, ", ".join(parts))

    def begin(self, event: TransactionEvent) -> None:
        """Log a beginning."""
        self._transaction("BEGIN", event)

    def commit(self, event: TransactionEvent) -> None:
        """Log a commit."""
        self._transaction("COMMIT", event)

    def rollback(self, event: TransactionEvent) -> None:
        """Log a rollback."""
        self._transaction("ROLLBACK", event)

    def _transaction(self, word: str, event: TransactionEvent) -> None:
        where = f" (savepoint {event.depth})" if event.depth else ""
        failure = f": {type(event.error).__name__}" if event.error is not None else ""
        self._logger.debug("%s%s%s (%.1f ms)", word, where, failure, event.duration * 1000)


class Watch:
    """Bounds and reports statements, for a database that has observers or a `query_timeout`."""

    def __init__(self, observers: Sequence[Observer], query_timeout: float | None) -> None:
        self._observers = tuple(observers)
        self._query_timeout = query_timeout

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to do for a statement."""
        return bool(self._observers) or self._query_timeout is not None

    async def perform(
        self, operation: Operation[T], connection: Connection, sql: str, arguments: Any, info: StatementInfo | None
    ) -> T:
        """Run a statement and report it. Raises `QueryTimeout` when it takes longer than allowed."""
        began = time.perf_counter()
        try:
            result = await self.bounded(operation(connection, sql, arguments))
        except BaseException as error:
            self.report(sql, arguments, time.perf_counter() - began, None, error, info)
            raise
        self.report(sql, arguments, time.perf_counter() - began, _count(result), None, info)
        return result

    async def bounded(self, work: Awaitable[T]) -> T:
        """Wait for a statement, or a piece of its rows, for as long as a statement may take."""
        return await bounded(work, self._query_timeout)

    def report(
        self,
        sql: str,
        arguments: Any,
        duration: float,
        rows: int | None,
        error: BaseException | None,
        info: StatementInfo | None,
    ) -> None:
        """Tell the observers about a statement."""
        if self._observers:
            event = StatementEvent(sql, arguments, duration, rows, error, info)
            for observer in self._observers:
                _tell(observer.statement, event)

    def began(self, depth: int, duration: float, error: BaseException | None = None) -> None:
        """Tell the observers that a transaction or savepoint began."""
        for observer in self._observers:
            _tell(observer.begin, TransactionEvent(depth, duration, error))

    def committed(self, depth: int, duration: float, error: BaseException | None = None) -> None:
        """Tell the observers of a commit."""
        for observer in self._observers:
            _tell(observer.commit, TransactionEvent(depth, duration, error))

    def rolled_back(self, depth: int, duration: float, error: BaseException | None = None) -> None:
        """Tell the observers of a rollback."""
        for observer in self._observers:
            _tell(observer.rollback, TransactionEvent(depth, duration, error))


def _count(result: object) -> int | None:
    if isinstance(result, Outcome):
        return result.rowcount
    if isinstance(result, Table):
        return len(result.rows)
    if isinstance(result, int):
        return result
    return len(result) if isinstance(result, Sized) else None


E = TypeVar("E")


def _tell(method: Callable[[E], None], event: E) -> None:
    try:
        method(event)
    except Exception:
        logger.exception("An observer failed")
