"""The database layer: connections, transactions, drivers. It knows no models and is usable on its own."""

from orm.database.core import Database
from orm.database.interfaces import (
    Arguments,
    BeginOptions,
    Capabilities,
    Connection,
    Outcome,
    Source,
    StatementInfo,
    Table,
    WriteRefused,
)
from orm.database.observers import LoggingObserver, Observer, StatementEvent, TransactionEvent
from orm.database.pool import PoolStatus
from orm.database.rows import Result, Row
from orm.database.sessions import Session
from orm.database.transactions import Transaction
from orm.database.url import DatabaseURL, Options, OptionValues

__all__ = [
    "Arguments",
    "BeginOptions",
    "Capabilities",
    "Connection",
    "Database",
    "DatabaseURL",
    "LoggingObserver",
    "Observer",
    "OptionValues",
    "Options",
    "Outcome",
    "PoolStatus",
    "Result",
    "Row",
    "Session",
    "Source",
    "StatementEvent",
    "StatementInfo",
    "Table",
    "Transaction",
    "TransactionEvent",
    "WriteRefused",
]
