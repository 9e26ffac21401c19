"""Fields that do more: every marked line must be reported, and no other one; see `rejects`."""

from __future__ import annotations

import datetime
import uuid

import orm
from orm import F

from .ledger import Entry, Money


def given() -> None:
    Entry()  # type: ignore
    Entry(number=1, id=uuid.uuid4())  # type: ignore
    Entry(number=1, created=datetime.datetime.now(datetime.UTC))  # type: ignore
    Entry(number=1, double=2)  # type: ignore
    Entry(number=1, price=3)  # type: ignore


def used(entry: Entry) -> None:
    entry.double = "x"  # type: ignore
    entry.price = 3  # type: ignore
    orm.Q(Entry.price < 3)  # type: ignore


def declared() -> None:
    orm.DateTime(auto_now="server")  # type: ignore
    orm.DateTime(auto_now=True, default=datetime.datetime.now)  # type: ignore
    orm.UUID(version=1)  # type: ignore
    orm.Generated("number", output_field=orm.Integer())  # type: ignore
    orm.Generated(F("number"), output_field=int)  # type: ignore
    orm.Generated(F("number"))  # type: ignore
    orm.custom_field(Money, int)  # type: ignore
