"""The constructors of fields with dates and times; `constructors.py` says why they have two forms each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, overload

import sqlalchemy as sa
from pydantic_core import core_schema
from typing_extensions import Unpack

from orm import types
from orm.fields import Field, Options, Server, checked


@overload
def Date(
    *, null: Literal[False] = False, default: date | Callable[[], date] | Server = ..., **options: Unpack[Options]
) -> Field[date]: ...
@overload
def Date(
    *, null: Literal[True], default: date | Callable[[], date | None] | Server | None = ..., **options: Unpack[Options]
) -> Field[date | None]: ...
def Date(**options: Any) -> Any:
    """A day."""
    core = core_schema.date_schema(strict=True)
    return Field[Any]("date", sa.Date(), core, checked("Date", options))


@overload
def DateTime(
    *,
    timezone: bool = True,
    null: Literal[False] = False,
    default: datetime | Callable[[], datetime] | Server = ...,
    **options: Unpack[Options],
) -> Field[datetime]: ...
@overload
def DateTime(
    *,
    timezone: bool = True,
    null: Literal[True],
    default: datetime | Callable[[], datetime | None] | Server | None = ...,
    **options: Unpack[Options],
) -> Field[datetime | None]: ...
def DateTime(**options: Any) -> Any:
    """A moment: aware values, given back in UTC, to the microsecond.

    With `timezone=False` a column of naive values, given back as they are.
    """
    given = checked("DateTime", options, "timezone")
    aware = given.pop("timezone", True)
    core = core_schema.datetime_schema(strict=True, tz_constraint="aware" if aware else "naive")
    kind = "datetime" if aware else "naive_datetime"
    return Field[Any](kind, types.DateTime(timezone=aware), core, given)


@overload
def Time(
    *, null: Literal[False] = False, default: time | Callable[[], time] | Server = ..., **options: Unpack[Options]
) -> Field[time]: ...
@overload
def Time(
    *, null: Literal[True], default: time | Callable[[], time | None] | Server | None = ..., **options: Unpack[Options]
) -> Field[time | None]: ...
def Time(**options: Any) -> Any:
    """A time of day without a zone, to the microsecond."""
    core = core_schema.time_schema(strict=True, tz_constraint="naive")
    return Field[Any]("time", types.Time(), core, checked("Time", options))


@overload
def Duration(
    *,
    null: Literal[False] = False,
    default: timedelta | Callable[[], timedelta] | Server = ...,
    **options: Unpack[Options],
) -> Field[timedelta]: ...
@overload
def Duration(
    *,
    null: Literal[True],
    default: timedelta | Callable[[], timedelta | None] | Server | None = ...,
    **options: Unpack[Options],
) -> Field[timedelta | None]: ...
def Duration(**options: Any) -> Any:
    """A length of time, to the microsecond."""
    core = core_schema.timedelta_schema(strict=True)
    return Field[Any]("duration", types.Duration(), core, checked("Duration", options))
