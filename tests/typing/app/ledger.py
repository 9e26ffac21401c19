"""Fields that fill themselves in, that the database computes, and of a type of the application's own."""

from __future__ import annotations

import dataclasses
import datetime
import uuid

import orm
from orm import F, Q

from .base import Base


@dataclasses.dataclass(frozen=True)
class Money:
    """An amount in cents."""

    cents: int


def cents(money: Money) -> int:
    """What the column holds."""
    return money.cents


class Entry(Base):
    """What nobody gives is no argument of its constructor; of functions with overloads, mypy has to be told."""

    id: orm.Field[uuid.UUID] = orm.UUID(version=7, primary_key=True, init=False)
    number: orm.Field[int] = orm.Integer()
    created: orm.Field[datetime.datetime] = orm.DateTime(auto_now_add=True, init=False)
    changed: orm.Field[datetime.datetime | None] = orm.DateTime(auto_now="database", null=True, init=False)
    day: orm.Field[datetime.date] = orm.Date(auto_now_add="database", init=False)
    hour: orm.Field[datetime.time] = orm.Time(auto_now=True, init=False)
    double: orm.Field[int] = orm.Generated(F("number") * 2, output_field=orm.Integer())
    is_odd: orm.Field[bool | None] = orm.Generated(Q(number=1), output_field=orm.Boolean(null=True))
    price: orm.Field[Money] = orm.custom_field(
        Money, orm.BigInteger(), to_database=cents, from_database=Money, default=Money(0)
    )
    tip: orm.Field[Money | None] = orm.custom_field(
        Money, orm.BigInteger(), to_database=cents, from_database=Money, null=True, default=None
    )
