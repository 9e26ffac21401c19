"""Moments in time zones, in SQL: what clocks show in a zone at a moment, and the moment at which they first show it.

PostgreSQL and Python have their own time zone data. MySQL and MariaDB have what was loaded into their tables; where
that does not suffice for an answer, the statement fails, and nothing is NULL or shown in UTC silently.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from orm import types
from orm.database.mysql_refusals import Refusal, refusal
from orm.moments import shifted
from orm.operators import Element

_UTC: Element = sa.literal_column("'UTC'")
_ZERO: Element = sa.literal_column("'+00:00'")
_ONE_HOUR: Element = sa.literal_column("'+01:00'")
_DAY: Element = sa.literal_column("INTERVAL '24 hours'", postgresql.INTERVAL())
_NAIVE = types.DateTime(timezone=False)
_AWARE = types.DateTime()


def local(engine: str, moment: Element, zone: Element | None = None) -> Element:
    """What clocks show at a moment, without a zone.

    Args:
        engine: the engine's name.
        moment: the moment.
        zone: the name of a time zone, or, as a duration, how far it is ahead of UTC; UTC if it is not given.
    """
    if zone is None:
        return sa.func.timezone(_UTC, moment, type_=_NAIVE) if engine == "postgresql" else moment
    if _is_fixed(zone):
        return shifted(engine, local(engine, moment), zone)
    if engine == "postgresql":
        return sa.func.timezone(zone, moment, type_=_NAIVE)
    if engine == "sqlite":
        return sa.func.orm_local(moment, zone, type_=_NAIVE)
    there = sa.func.coalesce(sa.func.convert_tz(moment, _ZERO, zone), _refused(Refusal.UNKNOWN_ZONE, moment))
    return _naive(
        sa.case(
            (moment.is_(None), sa.null()), (_out_of_range(moment), _refused(Refusal.FAR_MOMENT, moment)), else_=there
        )
    )


def instant(engine: str, shown: Element, zone: Element | None = None) -> Element:
    """The moment at which clocks show something for the first time; of an hour they leave out, that of the change."""
    if zone is None:
        return sa.func.timezone(_UTC, shown, type_=_AWARE) if engine == "postgresql" else _typed(shown, _AWARE)
    if _is_fixed(zone):
        return instant(engine, shifted(engine, shown, zone, back=True))
    if engine == "postgresql":
        # PostgreSQL takes the second of two moments. The first one is that of the offset a day earlier.
        first = sa.func.timezone(zone, shown - _DAY, type_=_AWARE) + _DAY
        return _typed(
            sa.case((sa.func.timezone(zone, first) == shown, first), else_=sa.func.timezone(zone, shown)), _AWARE
        )
    if engine == "sqlite":
        return sa.func.orm_instant(shown, zone, type_=_AWARE)
    found = sa.func.convert_tz(shown, zone, _ZERO)
    return _typed(_naive(sa.case((_out_of_range(found), _refused(Refusal.FAR_MOMENT, found)), else_=found)), _AWARE)


def _is_fixed(zone: Element) -> bool:
    return isinstance(zone.type, types.Duration)


def _out_of_range(moment: Element) -> Element:
    """Whether MySQL gives a moment back as it is, because no TIMESTAMP holds it."""
    return sa.func.convert_tz(moment, _ZERO, _ONE_HOUR) == moment


def _refused(reason: Refusal, moment: Element) -> Element:
    return sa.cast(refusal(reason, moment), mysql.DATETIME(fsp=6))


def _naive(element: Element) -> Element:
    """CASE and COALESCE would be text to MySQL if one of their branches were."""
    return _typed(element, _NAIVE)


def _typed(element: Element, kind: Any) -> Element:
    return sa.type_coerce(element, kind)
