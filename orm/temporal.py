"""The constructors of fields with dates and times; `constructors.py` says why they have two forms each.

Those that a clock fills in come first: they are not among the arguments of a model's constructor. mypy looks at the
last form alone, and takes `init=False` where it is written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal, TypeVar, overload

import sqlalchemy as sa
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.types import TypeEngine
from typing_extensions import Unpack

from orm import types
from orm.clocks import Clock
from orm.exceptions import FieldError
from orm.fields import Field, Options, Server, checked

T = TypeVar("T")

WhichClock = Literal[True, "database"]
"""Whose clock fills in a field: Python's (`True`), or the database's."""


_CLOCKS: Final = ("auto_now", "auto_now_add")


def _moment(name: str, kind: str, type: TypeEngine[Any], core: CoreSchema, options: dict[str, Any]) -> Any:
    init = options.pop("init", None)
    given = checked(name, options, *_CLOCKS, *(["timezone"] if name == "DateTime" else []))
    given.pop("timezone", None)
    clock = _clock(name, kind, given)
    if init is not None and (init is not False or clock is None):
        raise FieldError(f"{name}: init is for type checkers, and is always False, beside auto_now or auto_now_add.")
    return Field[Any](kind, type, core, given, clock=clock)


def moment_kind(name: str, timezone: object) -> str:
    """The kind of moments with a time zone or without. Raises `FieldError` for another answer than yes or no."""
    if not isinstance(timezone, bool):
        raise FieldError(f"{name}: timezone is True (aware values) or False (naive ones), not {timezone!r}.")
    return "datetime" if timezone else "naive_datetime"


def _clock(name: str, kind: str, options: dict[str, Any]) -> Clock | None:
    """The clock that the options ask for, taken out of them. Raises `FieldError` when they contradict each other."""
    given = {option: value for option in _CLOCKS if (value := options.pop(option, False)) is not False}
    if not given:
        return None
    if len(given) > 1:
        raise FieldError(f"{name}: auto_now sets the value of a new row, too. Leave out auto_now_add.")
    option, which = next(iter(given.items()))
    if which is not True and which != "database":
        raise FieldError(
            f"{name}: {option}={which!r} is not possible. Choose from: True (Python's clock), 'database' (the "
            "database's)."
        )
    for other in ("default", "choices"):
        if other in options:
            raise FieldError(f"{name}: {option} says what the value is. Leave out {other}, or {option}.")
    if options.get("primary_key"):
        raise FieldError(f"{name}: a key is given before the row is saved. Leave out {option}, and use default=.")
    return Clock(kind, which == "database", option == "auto_now")


@overload
def Date(
    *,
    auto_now: WhichClock,
    null: Literal[False] = False,
    init: Literal[False] = False,
    **options: Unpack[Options[date]],
) -> Field[date]: ...
@overload
def Date(
    *,
    auto_now: WhichClock,
    null: Literal[True],
    init: Literal[False] = False,
    **options: Unpack[Options[date]],
) -> Field[date | None]: ...
@overload
def Date(
    *,
    auto_now_add: WhichClock,
    null: Literal[False] = False,
    init: Literal[False] = False,
    **options: Unpack[Options[date]],
) -> Field[date]: ...
@overload
def Date(
    *,
    auto_now_add: WhichClock,
    null: Literal[True],
    init: Literal[False] = False,
    **options: Unpack[Options[date]],
) -> Field[date | None]: ...
@overload
def Date(
    *, null: Literal[False] = False, default: date | Callable[[], date] | Server = ..., **options: Unpack[Options[date]]
) -> Field[date]: ...
@overload
def Date(
    *,
    null: Literal[True],
    default: date | Callable[[], date | None] | Server | None = ...,
    **options: Unpack[Options[date]],
) -> Field[date | None]: ...
def Date(**options: Any) -> Any:
    """A day.

    With `auto_now_add` it is the day on which the row is inserted, with `auto_now` that of its last change, in UTC, by
    Python's clock (`True`) or the database's (`"database"`). A value that is set is kept.
    """
    return _moment("Date", "date", sa.Date(), core_schema.date_schema(strict=True), options)


@overload
def DateTime(
    *,
    auto_now: WhichClock,
    timezone: bool = True,
    null: Literal[False] = False,
    init: Literal[False] = False,
    **options: Unpack[Options[datetime]],
) -> Field[datetime]: ...
@overload
def DateTime(
    *,
    auto_now: WhichClock,
    timezone: bool = True,
    null: Literal[True],
    init: Literal[False] = False,
    **options: Unpack[Options[datetime]],
) -> Field[datetime | None]: ...
@overload
def DateTime(
    *,
    auto_now_add: WhichClock,
    timezone: bool = True,
    null: Literal[False] = False,
    init: Literal[False] = False,
    **options: Unpack[Options[datetime]],
) -> Field[datetime]: ...
@overload
def DateTime(
    *,
    auto_now_add: WhichClock,
    timezone: bool = True,
    null: Literal[True],
    init: Literal[False] = False,
    **options: Unpack[Options[datetime]],
) -> Field[datetime | None]: ...
@overload
def DateTime(
    *,
    timezone: bool = True,
    null: Literal[False] = False,
    default: datetime | Callable[[], datetime] | Server = ...,
    **options: Unpack[Options[datetime]],
) -> Field[datetime]: ...
@overload
def DateTime(
    *,
    timezone: bool = True,
    null: Literal[True],
    default: datetime | Callable[[], datetime | None] | Server | None = ...,
    **options: Unpack[Options[datetime]],
) -> Field[datetime | None]: ...
def DateTime(**options: Any) -> Any:
    """A moment: aware values, given back in UTC, to the microsecond.

    With `timezone=False` a column of naive values, given back as they are. With `auto_now_add` it is the moment at
    which the row is inserted, with `auto_now` that of its last change, in UTC, by Python's clock (`True`) or the
    database's (`"database"`). A value that is set is kept.
    """
    timezone = options.get("timezone", True)
    kind = moment_kind("DateTime", timezone)
    core = core_schema.datetime_schema(strict=True, tz_constraint="aware" if timezone else "naive")
    return _moment("DateTime", kind, types.DateTime(timezone=timezone), core, options)


@overload
def Time(
    *,
    auto_now: WhichClock,
    null: Literal[False] = False,
    init: Literal[False] = False,
    **options: Unpack[Options[time]],
) -> Field[time]: ...
@overload
def Time(
    *,
    auto_now: WhichClock,
    null: Literal[True],
    init: Literal[False] = False,
    **options: Unpack[Options[time]],
) -> Field[time | None]: ...
@overload
def Time(
    *,
    auto_now_add: WhichClock,
    null: Literal[False] = False,
    init: Literal[False] = False,
    **options: Unpack[Options[time]],
) -> Field[time]: ...
@overload
def Time(
    *,
    auto_now_add: WhichClock,
    null: Literal[True],
    init: Literal[False] = False,
    **options: Unpack[Options[time]],
) -> Field[time | None]: ...
@overload
def Time(
    *, null: Literal[False] = False, default: time | Callable[[], time] | Server = ..., **options: Unpack[Options[time]]
) -> Field[time]: ...
@overload
def Time(
    *,
    null: Literal[True],
    default: time | Callable[[], time | None] | Server | None = ...,
    **options: Unpack[Options[time]],
) -> Field[time | None]: ...
def Time(**options: Any) -> Any:
    """A time of day without a zone, to the microsecond.

    With `auto_now_add` it is the time at which the row is inserted, with `auto_now` that of its last change, in UTC, by
    Python's clock (`True`) or the database's (`"database"`). A value that is set is kept.
    """
    return _moment("Time", "time", types.Time(), core_schema.time_schema(strict=True, tz_constraint="naive"), options)


@overload
def Duration(
    *,
    null: Literal[False] = False,
    default: timedelta | Callable[[], timedelta] | Server = ...,
    **options: Unpack[Options[timedelta]],
) -> Field[timedelta]: ...
@overload
def Duration(
    *,
    null: Literal[True],
    default: timedelta | Callable[[], timedelta | None] | Server | None = ...,
    **options: Unpack[Options[timedelta]],
) -> Field[timedelta | None]: ...
def Duration(**options: Any) -> Any:
    """A length of time, to the microsecond."""
    core = core_schema.timedelta_schema(strict=True)
    return Field[Any]("duration", types.Duration(), core, checked("Duration", options))
