"""What PostgreSQL alone has; its tables are in a registry of their own, since it is not made elsewhere."""

from __future__ import annotations

import datetime
import decimal

import orm
from orm import postgresql
from orm.postgresql import Range

models = orm.Registry()


class Booking(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    room: orm.Field[str] = orm.Text()
    tags: orm.Field[list[str]] = orm.Array(orm.String(max_length=20), default=list, max_length=5)
    seats: orm.Field[list[int] | None] = orm.Array(orm.Integer(ge=0), null=True, default=None)
    time: orm.Field[Range[datetime.datetime]] = postgresql.DateTimeRange()
    days: orm.Field[Range[datetime.date] | None] = postgresql.DateRange(null=True, default=None)
    floors: orm.Field[Range[int]] = postgresql.IntegerRange(default=Range(0, 3))
    numbers: orm.Field[Range[int]] = postgresql.BigIntegerRange(default=Range(0, 3), index=True)
    prices: orm.Field[Range[decimal.Decimal] | None] = postgresql.DecimalRange(null=True, default=None)

    class Meta:
        registry = models
