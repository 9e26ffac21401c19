"""Conditions, expressions and functions: everything here must be accepted, and it runs; see `accepts`."""

from __future__ import annotations

import datetime
import decimal
from typing import Any, assert_type

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from typing_extensions import override

import orm
from orm import postgresql
from orm.functions import Concat, Greatest, Least, Left, Length, Lower, NullIf, Round, Sqrt

from .bookings import Booking
from .notes import Note, NoteQuerySet
from .samples import Colour, Nullable, Sample
from .users import User


async def conditions() -> None:
    assert_type(Note.text == "x", orm.Condition)
    assert_type(Note.text != "x", orm.Condition)
    assert_type(Note.rank < 3, orm.Condition)
    assert_type(Note.rank <= 3, orm.Condition)
    assert_type(Note.rank > 3, orm.Condition)
    assert_type(Note.rank >= 3, orm.Condition)
    assert_type(Note.rank == Note.created, orm.Condition)
    assert_type(Note.rank < Note.created + 1, orm.Condition)
    assert_type(Note.rank == orm.F("created"), orm.Condition)
    assert_type(Note.text == Note.title, orm.Condition)
    assert_type(Note.title == Note.text, orm.Condition)
    assert_type(Note.text == sa.func.lower("X"), orm.Condition)
    assert_type(Note.author.id == 3, orm.Condition)
    assert_type(Note.title == None, orm.Condition)  # noqa: E711
    assert_type(Note.title.is_null(), orm.Condition)
    assert_type(Note.editor.id.is_null(False), orm.Condition)
    assert_type(Note.rank.is_in([1, 2]), orm.Condition)
    assert_type(Note.rank.is_in(Note.objects.values_list(Note.rank, flat=True)), orm.Condition)
    assert_type(Note.rank.range(1, 2), orm.Condition)
    assert_type(~(Note.text == "x") & (Note.rank < 3) | Note.title.is_null(), orm.Condition)
    assert_type(orm.Q(text="x") | orm.Q(Note.rank == 3, author__name="y"), orm.Condition)
    assert_type(Sample.colour == Colour.RED, orm.Condition)
    assert_type(Sample.price >= decimal.Decimal("1.5"), orm.Condition)


async def text_conditions() -> None:
    for column in (Note.text, Note.author.name):
        assert_type(column.iexact("x"), orm.Condition)
        assert_type(column.contains("x"), orm.Condition)
        assert_type(column.icontains("x"), orm.Condition)
        assert_type(column.startswith("x"), orm.Condition)
        assert_type(column.istartswith("x"), orm.Condition)
        assert_type(column.endswith("x"), orm.Condition)
        assert_type(column.iendswith("x"), orm.Condition)
        assert_type(column.regex("x"), orm.Condition)
        assert_type(column.iregex("x"), orm.Condition)
    assert_type(Note.title.icontains("x"), orm.Condition)


async def parts() -> None:
    assert_type(Sample.moment.year, orm.Column[int])
    assert_type(Sample.moment.hour, orm.Column[int])
    assert_type(Sample.moment.date, orm.Column[datetime.date])
    assert_type(Sample.moment.time, orm.Column[datetime.time])
    assert_type(Sample.day.week_day, orm.Column[int])
    assert_type(Sample.clock.minute, orm.Column[int])
    assert_type(Nullable.day.month, orm.Column[int | None])
    assert_type(Nullable.moment.date, orm.Column[datetime.date | None])
    assert_type(Sample.day.year == 2010, orm.Condition)
    assert_type(Sample.moment.date < datetime.date(2010, 1, 1), orm.Condition)
    assert_type(Sample.document["b"], orm.Column[Any])
    assert_type(Sample.document["b"]["c"] == 1.5, orm.Condition)


async def expressions() -> None:
    assert_type(orm.F("rank") + 1 == 2, orm.Condition)
    assert_type(Note.rank + 1 > 3, orm.Condition)
    assert_type((Note.rank * 2).is_in([2, 4]), orm.Condition)
    assert_type(orm.F("text").startswith("x") | (orm.Value(1) == orm.F("rank")), orm.Condition)
    annotated = Note.objects.annotate(double=Note.rank * 2, early=orm.Q(rank__lt=3))
    assert_type(annotated.filter(double__gt=2).urgent(), NoteQuerySet)
    assert_type(Note.objects.alias(number=orm.Count("tags")).order_by("-number"), NoteQuerySet)
    assert_type(await Note.objects.values("text", double=Note.rank * 2), list[dict[str, Any]])
    grouped = Note.objects.values("rank").annotate(number=orm.Count("*")).filter(number__gt=1).order_by("-number")
    assert_type(await grouped, list[dict[str, Any]])
    assert_type(await grouped.aggregate(most=orm.Max("number")), dict[str, Any])
    assert_type(await Note.objects.aggregate(total=orm.Sum(Note.rank) / orm.Count("*")), dict[str, Any])
    assert_type(
        await User.objects.annotate(n=orm.Count("notes")).values_list(User.name, orm.F("n")), list[tuple[str, Any]]
    )


async def aggregates() -> None:
    assert_type(orm.Max(Note.rank), orm.Max[int | None])
    assert_type(orm.Max(Note.rank, default=0), orm.Max[int])
    assert_type(orm.Min(Note.title, filter=Note.rank < 3), orm.Min[str | None])
    assert_type(orm.Max("rank"), orm.Max[Any])
    assert_type(orm.Sum(Note.rank, distinct=True), orm.Sum[int | None])
    assert_type(orm.Sum(Sample.price, default=decimal.Decimal(0)), orm.Sum[decimal.Decimal])
    assert_type(orm.Avg(Note.rank), orm.Avg[float | None])
    assert_type(orm.Avg(Note.rank, default=0.5), orm.Avg[float])
    assert_type(orm.Avg(Nullable.price), orm.Avg[decimal.Decimal | None])
    assert_type(orm.Coalesce(orm.Max(Note.rank), 0), orm.Coalesce[Any])
    assert_type(await Note.objects.aggregate(highest=orm.Max(Note.rank, default=0)), dict[str, Any])


async def subqueries(user: User) -> None:
    notes = Note.objects.filter(author=orm.OuterRef("pk"))
    assert_type(orm.Exists(notes) | ~orm.Exists(notes), orm.Condition)
    assert_type(await User.objects.filter(orm.Exists(notes)), list[User])
    newest = orm.Subquery(notes.order_by("-id").values("text")[:1])
    assert_type(User.objects.annotate(newest=newest), orm.QuerySet[User])
    window = orm.Window(orm.Sum("rank"), partition_by="author", order_by="-id", frame=orm.RowRange(-1, 0))
    assert_type(Note.objects.annotate(running=window).filter(running__gt=1), NoteQuerySet)


async def combined() -> None:
    first, second = Note.objects.filter(rank=1), Note.objects.filter(rank=2)
    assert_type(first.union(second, all=True).urgent(), NoteQuerySet)
    assert_type(first.intersection(second), NoteQuerySet)
    assert_type(first.difference(second), NoteQuerySet)
    texts = Note.objects.values_list(Note.text, flat=True)
    assert_type(await texts.union(User.objects.values_list(User.name, flat=True)), list[str])
    ranks = orm.CTE("ranks", Note.objects.values("rank").annotate(number=orm.Count("*")))
    assert_type(Note.objects.with_cte(ranks, rank=ranks.c.rank).filter(ranks.c.number > 1), NoteQuerySet)
    assert_type(first.statement(), sa.Select[Any])
    assert_type(first.sql("postgresql"), str)


async def functions_of_values() -> None:
    notes = Note.objects.all()
    assert_type(await notes.values_list(Lower(Note.text), flat=True), list[str | None])
    assert_type(await notes.values_list(Concat(Note.text, orm.Value("!"), "title"), flat=True), list[str | None])
    assert_type(await notes.values_list(Length("text"), Sqrt(Note.rank)), list[tuple[int | None, float | None]])
    assert_type(await notes.values_list(Left(Note.title, 3), flat=True), list[str | None])
    assert_type(await notes.values_list(Left(Note.title, Length(Note.text)), flat=True), list[str | None])
    assert_type(await notes.values_list(Round(Note.rank, 1), flat=True), list[Any])
    assert_type(await notes.values_list(orm.Coalesce(Note.title, Note.text), flat=True), list[str])
    assert_type(await notes.values_list(orm.Coalesce(Note.title, orm.Value("none")), flat=True), list[str])
    assert_type(await notes.values_list(orm.Coalesce("title", "text"), flat=True), list[Any])
    assert_type(await notes.values_list(NullIf(Note.rank, 1), flat=True), list[int | None])
    assert_type(await notes.values_list(Greatest(Note.rank, Note.id), flat=True), list[int])
    assert_type(await notes.values_list(Least("rank", 3), flat=True), list[Any])
    as_text, as_float = orm.Cast(Note.rank, orm.Text()), orm.Cast("rank", orm.Float())
    assert_type(await notes.values_list(as_text, as_float), list[tuple[str | None, float | None]])
    upper = orm.Func(Note.text, function="upper", output_field=orm.Text())
    assert_type(await notes.values_list(upper, flat=True), list[str | None])
    urgent = orm.Case(orm.When(Note.rank < 3, then="now"), orm.When(rank=3, then=Note.title), default="later")
    assert_type(await notes.values_list(urgent, flat=True), list[Any])
    assert_type(await notes.filter(Lower(Note.text) == "x", Length("title") > 3).order_by(Lower("text")), list[Note])
    assert_type(await notes.filter(Lower(Note.text).startswith("x")), list[Note])


def postgresql_columns() -> None:
    time = postgresql.Range(datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC))
    booking = Booking(room="blue", time=time, tags=["x"])
    assert_type(booking.tags, list[str])
    assert_type(booking.seats, list[int] | None)
    assert_type(Booking.tags, orm.Column[list[str]])
    assert_type(Booking.tags.contains(["x"]), orm.Condition)
    assert_type(Booking.tags.overlap(["x"]) & Booking.seats.contained_by([1]), orm.Condition)
    assert_type(Booking.tags.len, orm.Column[int])
    assert_type(Booking.seats.len, orm.Column[int | None])
    assert_type(Booking.tags[0] == "x", orm.Condition)
    assert_type(Booking.floors.contains(3) | Booking.floors.contains(postgresql.Range(1, 3)), orm.Condition)
    assert_type(Booking.days.contained_by(postgresql.Range(datetime.date(2024, 1, 1))), orm.Condition)
    assert_type(Booking.time.overlap(time) & Booking.time.adjacent_to(time), orm.Condition)
    assert_type(Booking.floors.lower, orm.Column[int | None])
    assert_type(Booking.days.upper, orm.Column[datetime.date | None])
    assert_type(Booking.prices.isempty(False), orm.Condition)
    assert_type(Booking.room.trigram_similar("blu"), orm.Condition)
    assert_type(Booking.room.search(postgresql.SearchQuery("blue", search_type="websearch")), orm.Condition)
    assert_type(Booking.objects.annotate(v=postgresql.SearchVector("room", weight="A")), orm.QuerySet[Booking])


def json_columns() -> None:
    assert_type(Sample.document.has_key("x") & Sample.document.has_any_keys(["x"]), orm.Condition)
    assert_type(Sample.document.contains({"x": 1}), orm.Condition)
    assert_type(Sample.document["x"].contained_by({"x": 1}), orm.Condition)
    assert_type(Sample.document["x"].contains([1]), orm.Condition)
    assert_type(Sample.name.lookup("iexact", "x"), orm.Condition)


class FirstLetter(orm.Function[str]):
    @override
    def build(self, dialect: Dialect, operands: tuple[sa.ColumnElement[Any], ...]) -> sa.ColumnElement[Any]:
        return sa.func.substr(operands[0], 1, 1)


def before(dialect: Dialect, left: sa.ColumnElement[Any], right: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    return left < right


def register() -> None:
    orm.transform("first_letter", kinds={"text"})(FirstLetter)
    orm.lookup("before", kinds=["text"], operand="text")(before)
    assert_type(Note.text.lookup("before", "m"), orm.Condition)


async def functions_of_ones_own() -> None:
    assert_type(await Note.objects.filter(FirstLetter("text") == "f"), list[Note])
