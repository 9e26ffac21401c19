"""Everything here must be accepted, with exactly these types; and it runs, so the types tell the truth."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import ipaddress
import uuid
from typing import Annotated, Any, NamedTuple, TypeVar, assert_type

import pydantic
import sqlalchemy as sa

import orm
from orm import functions
from orm.database import Database, Result, Row, Transaction

from .base import models
from .notes import Note, NoteQuerySet, Notes, Pinned, Tag, Timestamped
from .samples import Colour, Defaults, Nullable, Sample, Size
from .users import Profile, User

M = TypeVar("M", bound=orm.Model)


async def newest(model: type[M]) -> M | None:
    return await model.objects.order_by("-pk").first()


def full_sample() -> Sample:
    return Sample(
        key=uuid.uuid4(),
        small=1,
        whole=2,
        big=3,
        ratio=1.5,
        price=decimal.Decimal("1.25"),
        done=True,
        name="abc",
        text="x",
        slug="a-b",
        email="a@example.org",
        url="https://example.org/",
        day=datetime.date(2010, 1, 2),
        moment=datetime.datetime(2010, 1, 2, tzinfo=datetime.UTC),
        local=datetime.datetime(2010, 1, 2),
        clock=datetime.time(12, 30),
        length=datetime.timedelta(seconds=3),
        other=uuid.uuid4(),
        data=b"x",
        address=ipaddress.IPv4Address("127.0.0.1"),
        colour=Colour.GREEN,
        size=Size.SMALL,
        document={"b": {"c": 1.5}},
    )


async def constructors(user: User, note: Note) -> None:
    Note(text="x", author=user)
    Note(text="x", author=user, title=None, editor=user, created=3, rank=2)
    Profile(user=user, text="x")
    Tag(name="x")
    Pinned(note=note, place=1)
    Defaults()
    Defaults(name="y", moment=datetime.datetime.now(datetime.UTC), document={"a": 1}, items=[3])
    Nullable()
    Nullable(price=decimal.Decimal("1.25"), colour=Colour.RED, done=None)
    assert_type(full_sample(), Sample)


async def validating(note: Note) -> None:
    assert_type(note.validate(), None)
    assert_type(note.clean(), None)
    error = orm.ValidationError({"text": "too short", "title": ["too long", "too loud"]})
    assert_type(error.errors(), list[dict[str, Any]])
    out = orm.pydantic_model(Note, exclude={"id"}, optional={"text"}, depth=1, name="NoteOut", unloaded="omit")
    assert_type(out.model_validate(note), pydantic.BaseModel)
    notes = pydantic.TypeAdapter(list[Annotated[pydantic.BaseModel, out]])
    assert_type(notes.validate_python([note]), list[pydantic.BaseModel])
    assert_type(pydantic.TypeAdapter(list[Note]).validate_python([note]), list[Note])


async def reading(note: Note, user: User) -> None:
    assert_type(note.id, int)
    assert_type(note.text, str)
    assert_type(note.title, str | None)
    assert_type(note.created, int)
    assert_type(note.author, User)
    assert_type(note.author.id, int)
    assert_type(note.author.name, str)
    assert_type(note.editor, User | None)
    assert_type(user.profile, Profile | None)
    assert_type(User.reference(3), User)
    assert_type(await User.reference(user.id).load(), User)
    assert_type(await note.load("text", "author", "tags"), Note)


async def sample_values(sample: Sample, nullable: Nullable) -> None:
    assert_type(sample.key, uuid.UUID)
    assert_type(sample.ratio, float)
    assert_type(sample.price, decimal.Decimal)
    assert_type(sample.done, bool)
    assert_type(sample.url, str)
    assert_type(sample.day, datetime.date)
    assert_type(sample.moment, datetime.datetime)
    assert_type(sample.clock, datetime.time)
    assert_type(sample.length, datetime.timedelta)
    assert_type(sample.data, bytes)
    assert_type(sample.address, ipaddress.IPv4Address | ipaddress.IPv6Address)
    assert_type(sample.colour, Colour)
    assert_type(sample.size, Size)
    assert_type(sample.document, dict[str, Any])
    assert_type(sample.version, int)
    assert_type(nullable.price, decimal.Decimal | None)
    assert_type(nullable.colour, Colour | None)
    assert_type(nullable.document, dict[str, Any] | None)


async def related(user: User, note: Note, tag: Tag) -> None:
    assert_type(user.notes, orm.RelatedQuerySet[Note])
    assert_type(note.tags, orm.RelatedQuerySet[Tag])
    assert_type(tag.notes, Notes)
    assert_type(tag.notes.urgent().unfiltered("ranked"), Notes)
    assert_type(await tag.notes.urgent(), list[Note])
    assert_type(Tag.notes, type[Note])
    await tag.notes.set([note])
    assert_type(await user.notes, list[Note])
    assert_type(await user.notes.filter(rank=1), list[Note])
    assert_type(await user.notes.create(text="y"), Note)
    await user.notes.add(note)
    await note.tags.add(tag)
    await note.tags.set([tag])
    await note.tags.remove(tag)
    await note.tags.clear()
    await user.load("notes")
    assert_type([found.text for found in user.notes], list[str])
    assert_type(len(user.notes), int)
    async for found in tag.notes:
        assert_type(found, Note)


async def columns() -> None:
    assert_type(Note.text, orm.Column[str])
    assert_type(Note.title, orm.Column[str | None])
    assert_type(Note.author, type[User])
    assert_type(Note.editor, type[User])
    assert_type(Note.tags, type[Tag])
    assert_type(User.profile, type[Profile])
    assert_type(Note.author.name, orm.Column[str])
    assert_type(Note.author.notes.text, orm.Column[str])
    assert_type(Note.tags.name, orm.Column[str])
    assert_type(User.profile.text, orm.Column[str])
    assert_type(Sample.colour, orm.Column[Colour])
    assert_type(Sample.price, orm.Column[decimal.Decimal])
    assert_type(Note.table, sa.Table)
    assert_type(Note.text.asc(), orm.Ordering)
    assert_type(Note.text.desc(nulls="last"), orm.Ordering)


async def chains() -> None:
    assert_type(Note.objects, NoteQuerySet)
    assert_type(Note.first_ranks.urgent(), NoteQuerySet)
    assert_type(User.objects, orm.QuerySet[User])
    assert_type(Note.objects.filter(text__icontains="x").urgent(), NoteQuerySet)
    assert_type(Note.objects.all().none().exclude(rank=1).distinct().reverse(), NoteQuerySet)
    assert_type(Note.objects.select_related(Note.author, "editor").urgent(), NoteQuerySet)
    assert_type(Note.objects.prefetch_related(Note.tags, "author__notes").urgent(), NoteQuerySet)
    assert_type(Note.objects.only(Note.text, "rank").defer(Note.rank).urgent(), NoteQuerySet)
    assert_type(Note.objects.limit(3).offset(1), NoteQuerySet)
    assert_type(Note.objects[1:3], NoteQuerySet)
    assert_type(Note.objects.search("x"), NoteQuerySet)
    assert_type(Note.objects.order_by(Note.rank.desc(), Note.text, "-id", orm.F("rank")), NoteQuerySet)
    prefetch = orm.Prefetch("notes", Note.objects.filter(Note.rank < 3), to_attr="urgent")
    assert_type(User.objects.prefetch_related(prefetch), orm.QuerySet[User])
    assert_type(str(Note.objects), str)


async def ends(user: User, note: Note, database: Database) -> None:
    assert_type(await Note.objects.filter(Note.author.name == "x"), list[Note])
    assert_type(await Note.objects.filter(Note.table.c.rank == 3), list[Note])
    assert_type(await Note.objects.using(database), list[Note])
    assert_type(await Note.objects.get(id=note.id), Note)
    assert_type(await Note.objects.get(Note.id == note.id), Note)
    assert_type(await Note.objects.get_or_none(id=0), Note | None)
    assert_type(await Note.objects.first(), Note | None)
    assert_type(await Note.objects.last(), Note | None)
    assert_type(await Note.objects.latest("rank"), Note)
    assert_type(await Note.objects.earliest(Note.rank), Note)
    assert_type(await Note.objects.count(), int)
    assert_type(await Note.objects.exists(), bool)
    assert_type(await Note.objects.contains(note), bool)
    assert_type(await User.objects.in_bulk([user.id]), dict[Any, User])
    async for found in Note.objects.select_related(Note.author).order_by(Note.rank.desc(), "-id"):
        assert_type(found, Note)
    async for found in Note.objects.iterate(chunk_size=10):
        assert_type(found, Note)


async def any_model(user: User) -> None:
    assert_type(await newest(User), User | None)
    assert_type(await newest(Note), Note | None)
    assert_type(user.pk, Any)


async def pages() -> None:
    page = await Note.objects.order_by("text").paginate(page=1, per_page=20)
    assert_type(page, orm.Page[Note])
    assert_type(page.items, list[Note])
    assert_type(page.total, int)
    assert_type(page.has_next, bool)
    assert_type([found.text for found in page], list[str])
    estimated = await Note.objects.paginate(page=1, per_page=20, count="estimate")
    assert_type(estimated, orm.Page[Note])
    assert_type(estimated.pages, int)
    uncounted = await Note.objects.paginate(per_page=20, count=None)
    assert_type(uncounted, orm.Page[Note, None])
    assert_type(uncounted.items, list[Note])
    assert_type(uncounted.has_next, bool)
    assert_type(uncounted.total, None)
    assert_type(uncounted.pages, None)
    first = await Note.objects.order_by(Note.rank.desc()).cursor_paginate(per_page=20, secret="s")
    assert_type(first, orm.CursorPage[Note])
    assert_type(first.items, list[Note])
    assert_type(first.next_cursor, str | None)
    assert_type(first.previous_cursor, str | None)
    assert_type([found.text for found in first], list[str])
    texts = await Note.objects.values_list(Note.text, flat=True).cursor_paginate(first.next_cursor, secret="s")
    assert_type(texts, orm.CursorPage[str])
    async for batch in Note.objects.batches(1000):
        assert_type(batch, list[Note])
    async for dictionaries in Note.objects.values("text").batches(2):
        assert_type(dictionaries, list[dict[str, Any]])


async def values() -> None:
    assert_type(await Note.objects.values_list(Note.text), list[tuple[str]])
    assert_type(await Note.objects.values_list(Note.text, Note.title), list[tuple[str, str | None]])
    assert_type(await Note.objects.values_list(Note.id, Note.text, Note.title), list[tuple[int, str, str | None]])
    assert_type(
        await Note.objects.values_list(Note.id, Note.text, Note.title, Note.author.name),
        list[tuple[int, str, str | None, str]],
    )
    assert_type(await Note.objects.values_list(Note.author.name, flat=True), list[str])
    assert_type(await Sample.objects.values_list(Sample.day.year, flat=True), list[int])
    assert_type(await Note.objects.values_list("text", "rank"), list[Any])
    assert_type(await Note.objects.values_list("text", "rank", named=True), list[Any])
    assert_type(await Note.objects.values(Note.text, "rank"), list[dict[str, Any]])
    assert_type(await Note.objects.filter(rank=1).values_list(Note.text, flat=True).first(), str | None)
    async for text, rank in Note.objects.values_list(Note.text, Note.rank):
        assert_type(text, str)
        assert_type(rank, int)
    page = await Note.objects.values_list(Note.rank, flat=True).paginate()
    assert_type(page, orm.Page[int])


@dataclasses.dataclass
class NoteOut:
    text: str
    author__name: str = ""


class NoteModel(pydantic.BaseModel):
    text: str
    author_id: int


class NoteRow(NamedTuple):
    text: str
    rank: int = 0


async def into() -> None:
    assert_type(Note.objects.into(NoteOut), orm.Rows[NoteOut])
    assert_type(await Note.objects.into(NoteOut), list[NoteOut])
    assert_type(await Note.objects.filter(rank=1).order_by("text").into(NoteModel), list[NoteModel])
    assert_type(await Note.objects.into(NoteRow).first(), NoteRow | None)
    assert_type(await Note.objects.into(NoteOut).filter(text="first").get(), NoteOut)
    assert_type(await Note.objects.values_list(Note.text, Note.rank).into(NoteRow), list[NoteRow])
    assert_type(await Note.objects.values("text").into(NoteOut), list[NoteOut])
    async for made in Note.objects.into(NoteOut):
        assert_type(made, NoteOut)
    async for batch in Note.objects.into(NoteRow).batches(2):
        assert_type(batch, list[NoteRow])
    assert_type(await Note.objects.into(NoteOut).paginate(), orm.Page[NoteOut])
    assert_type((await Note.objects.into(NoteOut).cursor_paginate()).items, list[NoteOut])


async def seeing(database: Database) -> None:
    assert_type(Note.objects.comment("x").urgent(), NoteQuerySet)
    assert_type(Note.objects.values_list(Note.text, flat=True).comment("x"), orm.Rows[str])
    assert_type(Note.objects.sql("postgresql"), str)
    assert_type(Note.objects.sql(database), str)
    assert_type(await Note.objects.explain(), str)
    assert_type(await Note.objects.explain(analyze=False, format=None), str)


async def compiled_queries(user: User) -> None:
    least, number = orm.Param("least"), orm.Param("number")
    find = Note.objects.filter(Note.rank >= least, author=orm.Param("author")).limit(number).offset(0).compiled()
    assert_type(find, orm.CompiledQuery[Note])
    assert_type(await find(least=0, author=user, number=10), list[Note])
    assert_type(await find.first(least=0, author=user, number=10), Note | None)
    assert_type(await find.get_or_none(least=10**6, author=user, number=10), Note | None)
    async for note in find.iterate(100, least=0, author=user, number=10):
        assert_type(note, Note)
    texts = Note.objects.filter(Note.text.startswith(orm.Param("text")), Note.rank.is_in(orm.Param("ranks")))
    rows = texts.filter(Note.title == orm.Param("title"), Note.rank.range(1, orm.Param("greatest")))
    pairs = rows.values_list(Note.text, Note.rank).timeout(5).compiled()
    assert_type(await pairs(text="x", ranks=[1, 2], title="y", greatest=3), list[tuple[str, int]])
    assert_type(await Note.objects.urgent().compiled().first(), Note | None)
    assert_type(await Note.objects.filter(rank=1).timeout(0.5).count(), int)


async def writing(user: User) -> None:
    note = await Note.objects.create(text="x", author=user)
    assert_type(note, Note)
    note.title = None
    note.editor = user
    note.editor = None
    note.author = user
    assert_type(await note.save(), Note)
    assert_type(await note.save(fields=["text"]), Note)
    assert_type(await note.update(text="y"), Note)
    assert_type(await Note(text="new", author=user).save(), Note)
    assert_type(await Note.objects.get_or_create(text="z", author=user, defaults={"rank": 3}), tuple[Note, bool])
    assert_type(await Note.objects.update_or_create(text="z", author=user, defaults={"rank": 4}), tuple[Note, bool])
    made = await Note.objects.bulk_create([Note(text="a", author=user), Note(text="b", author=user)])
    assert_type(made, list[Note])
    upserted = await Tag.objects.bulk_create(
        [Tag(name="upserted")], update_conflicts=True, update_fields=["name"], unique_fields=["id"], chunk_size=10
    )
    assert_type(upserted, list[Tag])
    ignored = Tag.objects.bulk_create((tag for tag in [Tag(name="x")]), ignore_conflicts=True, unique_fields=["name"])
    assert_type(await ignored, list[Tag])
    assert_type(await Note.objects.bulk_update(made, ["text"]), int)
    assert_type(await Note.objects.filter(text="a").update(rank=orm.F("rank") + 1), int)
    assert_type(await Note.objects.filter(text="b").delete(), int)
    locked = Note.objects.select_for_update(skip_locked=True, of=["self"], share=False).urgent()
    assert_type(locked, NoteQuerySet)
    assert_type(Note.objects.select_for_update(of=[Note.author], nowait=True), NoteQuerySet)
    assert_type(Note.objects.urgent().claim(10), NoteQuerySet)
    assert models.database is not None
    if models.database.capabilities.returning:
        await giving_back(Note.objects.filter(text="b"))
    await note.delete()


async def giving_back(notes: NoteQuerySet) -> None:
    assert_type(await notes.returning().update(rank=2), list[Note])
    assert_type(await notes.returning("id", Note.rank).update(rank=2), list[dict[str, Any]])
    assert_type(await notes.returning(Note.id).delete(), list[dict[str, Any]])
    assert_type(await notes.returning().delete(), list[Note])


async def errors() -> None:
    try:
        await Note.objects.get(id=0)
    except Note.DoesNotExist as error:
        assert_type(error, orm.DoesNotExist)
    except (Note.MultipleObjectsReturned, orm.Error):
        raise


async def statements(database: Database) -> None:
    found = Note.objects.from_statement(sa.select(Note.table))
    assert_type(await found, list[Note])
    async for note in found:
        assert_type(note, Note)
    query = sa.select(Note.table.c.text)
    assert_type(await database.fetch_all(query), list[Row])
    assert_type(await database.fetch_one("SELECT text FROM note WHERE rank = :rank", {"rank": 1}), Row | None)
    assert_type(await database.execute(sa.update(Note.table).values(rank=1)), Result)
    assert_type(await database.execute_many("UPDATE note SET rank = :rank", [{"rank": 1}, {"rank": 2}]), int)
    async for row in database.iterate(query):
        assert_type(row, Row)
    async with database.connection() as connection:
        assert_type(await connection.fetch_all(query), list[Row])


async def transactions(database: Database) -> None:
    async with database.transaction(durable=True) as transaction:
        assert_type(transaction, Transaction)
        assert_type(database.in_transaction(), bool)
        transaction.on_commit(lambda: None)
        async with database.transaction(force_rollback=True):
            await Note.objects.all().update(rank=2)

    @database.transaction(retries=2)
    async def rename(text: str, *, rank: int = 1) -> int:
        return await Note.objects.filter(rank=rank).update(text=text)

    assert_type(await rename("x", rank=3), int)


async def databases(database: Database) -> None:
    async with orm.Database("sqlite:///:memory:") as other:
        assert_type(other, Database)
        await models.create_all(database=other)
        await models.drop_all(database=other)
    registry = orm.Registry(database)
    assert_type(registry.metadata, sa.MetaData)


def constraints() -> None:
    assert_type(orm.Index("text", "-rank"), orm.Index)
    assert_type(orm.Index(orm.F("rank").desc(nulls="last"), functions.Lower("text"), name="i"), orm.Index)
    assert_type(orm.UniqueConstraint("text", orm.F("rank") + 1, name="u"), orm.UniqueConstraint)
    assert_type(
        orm.CheckConstraint(orm.Q(rank__gte=0) | (orm.F("rank") < orm.F("size")), name="c"), orm.CheckConstraint
    )


def abstract() -> None:
    assert_type(Timestamped.objects, orm.QuerySet[Timestamped])


async def computed() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=1))
    notes = Note.objects.annotate(
        n=orm.Count("tags"),
        names=orm.StringAgg(Note.tags.name, ", ", order_by="-tags__name"),
        listed=orm.JSONAgg("tags__name", order_by=Note.tags.name, default=[]),
        spread=orm.StdDev("tags__id", sample=True),
        place=orm.Window(functions.Rank(), partition_by=Note.author.id, order_by=[Note.rank.desc(), "id"]),
        before=orm.Window(functions.Lag(Note.rank, 2, default=0), order_by="id"),
        running=orm.Window(orm.Sum(Note.rank), order_by="id", frame=orm.RowRange(start=-2, end=0)),
    )
    assert_type(notes, NoteQuerySet)
    assert_type(orm.Count("*"), orm.Count)
    numbers = Note.objects.values_list(orm.Window(functions.RowNumber()), Note.text)
    assert_type(await numbers, list[tuple[int, str]])
    samples = Sample.objects.filter(functions.TruncMonth(Sample.moment, zone) < functions.Now())
    assert_type(await samples.values_list(functions.Now(), flat=True), list[datetime.datetime])
    assert_type(await samples.values(year=functions.Extract(Sample.moment, "year", tzinfo=zone)), list[dict[str, Any]])
    assert_type(samples.filter(orm.Exists(Sample.objects.filter(key=orm.OuterRef("key")))), orm.QuerySet[Sample])
