"""Every field, required, with a default, and nullable."""

from __future__ import annotations

import datetime
import decimal
import enum
import ipaddress
import uuid
from typing import Any

import sqlalchemy as sa

import orm

from .base import Base


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


class Sample(Base):
    """Without defaults."""

    key: orm.Field[uuid.UUID] = orm.UUID(primary_key=True)
    small: orm.Field[int] = orm.SmallInteger(gt=-1, le=5, validators=[abs])
    whole: orm.Field[int] = orm.Integer(ge=0)
    big: orm.Field[int] = orm.BigInteger(index=True, comment="how many")
    ratio: orm.Field[float] = orm.Float(ge=0.5, lt=2)
    price: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10, decimal_places=2, ge=0, le=decimal.Decimal("9.99"))
    done: orm.Field[bool] = orm.Boolean()
    name: orm.Field[str] = orm.String(max_length=10, min_length=1, pattern="^[a-z]+$")
    text: orm.Field[str] = orm.Text(min_length=1, validators=[str.strip, lambda text: text.lower()])
    slug: orm.Field[str] = orm.Slug()
    email: orm.Field[str] = orm.Email(unique=True)
    url: orm.Field[str] = orm.URL(max_length=500)
    day: orm.Field[datetime.date] = orm.Date()
    moment: orm.Field[datetime.datetime] = orm.DateTime()
    local: orm.Field[datetime.datetime] = orm.DateTime(timezone=False, column="local_time")
    clock: orm.Field[datetime.time] = orm.Time()
    length: orm.Field[datetime.timedelta] = orm.Duration()
    other: orm.Field[uuid.UUID] = orm.UUID()
    data: orm.Field[bytes] = orm.Binary(max_length=100)
    address: orm.Field[ipaddress.IPv4Address | ipaddress.IPv6Address] = orm.IPAddress()
    colour: orm.Field[Colour] = orm.Enum(Colour)
    size: orm.Field[Size] = orm.Enum(Size, choices=[Size.SMALL])
    document: orm.Field[dict[str, Any]] = orm.JSON()
    version: orm.Field[int] = orm.Version()


class Defaults(Base):
    """With default values, callables and expressions."""

    id: orm.Field[int] = orm.BigAutoField(column="number")
    small: orm.Field[int] = orm.SmallInteger(default=1)
    whole: orm.Field[int] = orm.Integer(default=int)
    big: orm.Field[int] = orm.BigInteger(default=sa.text("7"))
    ratio: orm.Field[float] = orm.Float(default=1.5)
    price: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10, decimal_places=2, default=decimal.Decimal("0.5"))
    done: orm.Field[bool] = orm.Boolean(default=False)
    name: orm.Field[str] = orm.String(max_length=10, default="x")
    text: orm.Field[str] = orm.Text(default=str)
    slug: orm.Field[str] = orm.Slug(default="a-b")
    email: orm.Field[str] = orm.Email(default="a@example.org")
    url: orm.Field[str] = orm.URL(default="https://example.org/")
    day: orm.Field[datetime.date] = orm.Date(default=datetime.date.today)
    moment: orm.Field[datetime.datetime] = orm.DateTime(default=now)
    stamp: orm.Field[datetime.datetime] = orm.DateTime(default=sa.func.now())
    clock: orm.Field[datetime.time] = orm.Time(default=datetime.time(12))
    length: orm.Field[datetime.timedelta] = orm.Duration(default=datetime.timedelta(seconds=1))
    other: orm.Field[uuid.UUID] = orm.UUID(default=uuid.uuid4)
    data: orm.Field[bytes] = orm.Binary(default=b"")
    address: orm.Field[ipaddress.IPv4Address | ipaddress.IPv6Address] = orm.IPAddress(
        default=ipaddress.IPv4Address("127.0.0.1")
    )
    colour: orm.Field[Colour] = orm.Enum(Colour, default=Colour.RED)
    size: orm.Field[Size] = orm.Enum(Size, default=lambda: Size.LARGE)
    document: orm.Field[dict[str, Any]] = orm.JSON(default=dict)
    items: orm.Field[list[int]] = orm.JSON(default=lambda: [1, 2])


class Nullable(Base):
    """Columns that may be NULL."""

    small: orm.Field[int | None] = orm.SmallInteger(null=True, default=None)
    whole: orm.Field[int | None] = orm.Integer(null=True, default=None)
    big: orm.Field[int | None] = orm.BigInteger(null=True, default=None)
    ratio: orm.Field[float | None] = orm.Float(null=True, default=None)
    price: orm.Field[decimal.Decimal | None] = orm.Decimal(max_digits=9, decimal_places=2, null=True, default=None)
    done: orm.Field[bool | None] = orm.Boolean(null=True, default=None)
    name: orm.Field[str | None] = orm.String(max_length=10, null=True, default=None)
    text: orm.Field[str | None] = orm.Text(null=True, default=None)
    slug: orm.Field[str | None] = orm.Slug(null=True, default=None)
    email: orm.Field[str | None] = orm.Email(null=True, default=None)
    url: orm.Field[str | None] = orm.URL(null=True, default=None)
    day: orm.Field[datetime.date | None] = orm.Date(null=True, default=None)
    moment: orm.Field[datetime.datetime | None] = orm.DateTime(null=True, default=None)
    clock: orm.Field[datetime.time | None] = orm.Time(null=True, default=None)
    length: orm.Field[datetime.timedelta | None] = orm.Duration(null=True, default=None)
    other: orm.Field[uuid.UUID | None] = orm.UUID(null=True, default=None)
    data: orm.Field[bytes | None] = orm.Binary(null=True, default=None)
    address: orm.Field[ipaddress.IPv4Address | ipaddress.IPv6Address | None] = orm.IPAddress(null=True, default=None)
    colour: orm.Field[Colour | None] = orm.Enum(Colour, null=True, default=None)
    document: orm.Field[dict[str, Any] | None] = orm.JSON(null=True, default=None)
