"""Fields that a clock fills in: Python's, or the database's. Days and times of day are those of UTC on both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal
from sqlalchemy.types import TypeEngine

from orm import types

_READ: Final[Mapping[str, Callable[[datetime], Any]]] = {
    "datetime": lambda now: now,
    "naive_datetime": lambda now: now.replace(tzinfo=None),
    "date": lambda now: now.date(),
    "time": lambda now: now.time(),
}
"""What each kind of field takes of a moment in UTC."""

_TYPES: Final[Mapping[str, TypeEngine[Any]]] = {
    "datetime": types.DateTime(),
    "naive_datetime": types.DateTime(timezone=False),
    "date": sa.Date(),
    "time": types.Time(),
}

# On PostgreSQL it is the time at which the transaction began, as with `now()` and the function `Now`; on SQLite, whose
# clock has milliseconds, a text in the form that SQLAlchemy keeps there.
_SQL: Final[Mapping[str, Mapping[str, str]]] = {
    "postgresql": {
        "datetime": "now()",
        "naive_datetime": "timezone('UTC', now())",
        "date": "CAST(timezone('UTC', now()) AS DATE)",
        "time": "CAST(timezone('UTC', now()) AS TIME WITHOUT TIME ZONE)",
    },
    "sqlite": {
        "datetime": "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
        "naive_datetime": "strftime('%Y-%m-%d %H:%M:%f000', 'now')",
        "date": "date('now')",
        "time": "strftime('%H:%M:%f000', 'now')",
    },
    "mysql": {
        "datetime": "utc_timestamp(6)",
        "naive_datetime": "utc_timestamp(6)",
        "date": "utc_date()",
        "time": "utc_time(6)",
    },
}


class CurrentMoment(sa.ColumnElement[Any]):
    """What the database's clock says, for a kind of field.

    Attributes:
        kind: `datetime`, `naive_datetime`, `date` or `time`.
    """

    inherit_cache = True
    _traverse_internals: Any = [("kind", InternalTraversal.dp_string)]

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.type = _TYPES[kind]

    def __repr__(self) -> str:
        return f"CurrentMoment({self.kind!r})"

    def sql(self, engine: str) -> str:
        """Its text for an engine."""
        return _SQL[engine][self.kind]


@compiles(CurrentMoment)
def _compile(made: CurrentMoment, compiler: Any, **options: object) -> str:
    return made.sql(compiler.dialect.name)


@dataclass(frozen=True, slots=True)
class Clock:
    """Which clock fills in a field, and when.

    Attributes:
        kind: the kind of the field.
        database: it is the database's clock, not Python's.
        on_update: it fills in the field with every change of a row, not only when the row is inserted.
    """

    kind: str
    database: bool
    on_update: bool

    @property
    def expression(self) -> CurrentMoment:
        """What the database's clock says."""
        return CurrentMoment(self.kind)

    def read(self, now: datetime) -> Any:
        """What Python's clock said `now`, as a value of the field."""
        return _READ[self.kind](now)


def now() -> datetime:
    """What Python's clock says."""
    return datetime.now(UTC)
