"""Conditions, expressions and functions: every marked line must be reported, and no other one; see `rejects`."""

from __future__ import annotations

import datetime

import orm
from orm.functions import Left, Length, Lower, Round, Sqrt
from orm.postgresql import Range

from .bookings import Booking
from .notes import Note
from .samples import Sample


def conditions() -> None:
    Note.objects.filter(Note.text == 3)  # type: ignore
    Note.objects.filter(Note.text == Note.rank)  # type: ignore
    Note.objects.filter(Sample.colour == "red")  # type: ignore
    Note.objects.filter(Note.text == "x" and True)  # type: ignore
    Note.objects.filter(not Note.title.is_null())  # type: ignore
    Note.objects.filter(True)  # type: ignore
    Note.objects.filter("text")  # type: ignore
    Note.objects.filter(Note.text)  # type: ignore
    Note.objects.exclude(3)  # type: ignore
    (Note.text == "x") & 3  # type: ignore
    orm.Q("text")  # type: ignore


def functions() -> None:
    Lower(Note.rank)  # type: ignore
    Lower(3)  # type: ignore
    Left(Note.text, "3", "x")  # type: ignore
    Left(Note.text, Note.title)  # type: ignore
    Sqrt(Note.text)  # type: ignore
    Round(Note.rank, "2")  # type: ignore
    Note.objects.filter(Lower(Note.text))  # type: ignore
    Length(Note.text).icontains("x")  # type: ignore
    orm.Case(Note.rank < 3)  # type: ignore
    orm.Cast(Note.rank, int)  # type: ignore
    orm.Cast(Note.rank)  # type: ignore
    orm.Func(Note.text, function=3, output_field=orm.Text())  # type: ignore
    orm.Value(3, output_field="integer")  # type: ignore


def postgresql_columns(time: Range[datetime.datetime]) -> None:
    Booking(room="blue")  # type: ignore
    Booking(room="blue", time=time, tags=[1])  # type: ignore
    Booking(room="blue", time=(1, 2))  # type: ignore
    Booking.tags.contains([1])  # type: ignore
    Booking.tags.contains("x")  # type: ignore
    Booking.room.overlap(["x"])  # type: ignore
    Booking.floors.contains("x")  # type: ignore
    Booking.floors.fully_lt(3)  # type: ignore
    Booking.room.has_key("x")  # type: ignore
    Booking.room.contains({"x": 1})  # type: ignore
    Booking.tags.trigram_similar("x")  # type: ignore
    Booking.room.search(3)  # type: ignore
    Sample.document.has_keys(3)  # type: ignore
    Sample.name.nonsense("x")  # type: ignore
    orm.Array(int)  # type: ignore
    orm.lookup("x", operand="nothing")  # type: ignore
    orm.transform("x")(int)  # type: ignore


async def aggregates() -> None:
    orm.Sum(Note.rank).startswith(3)  # type: ignore
    orm.Sum(Note.rank, default=0).is_in(3)  # type: ignore
    orm.Sum(3)  # type: ignore
    orm.Min(Note.rank, filter="x")  # type: ignore
    orm.Max()  # type: ignore


async def expressions() -> None:
    Note.objects.annotate(double=2)  # type: ignore
    Note.objects.alias(double="rank")  # type: ignore
    orm.Exists(3)  # type: ignore
    orm.Subquery([1])  # type: ignore
    orm.OuterRef(3)  # type: ignore
    orm.F("rank").icontains(3)  # type: ignore
    orm.Window(orm.Sum("rank"), frame=(1, 2))  # type: ignore
    orm.CTE("ranks", [1])  # type: ignore
    orm.Count()  # type: ignore


def constraints() -> None:
    orm.Index(1)  # type: ignore
    orm.Index("text", name=1)  # type: ignore
    orm.Index(orm.Q(rank=1), name="i")  # type: ignore
    orm.UniqueConstraint(["text"])  # type: ignore
    orm.CheckConstraint("rank > 0", name="c")  # type: ignore
    orm.CheckConstraint(orm.Q(rank=1))  # type: ignore
    orm.CheckConstraint(orm.Q(rank=1), name=None)  # type: ignore
