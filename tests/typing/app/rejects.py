"""Every marked line must be reported, and no other one. Nothing here is ever run."""
# ruff: noqa: B015, B018

from __future__ import annotations

import datetime
import decimal

import orm
from orm.database import Database

from .accepts import newest
from .base import Base
from .notes import Note, Pinned, Tag, Timestamped
from .samples import Colour, Defaults, Nullable, Sample, Size
from .users import Profile, User


def constructor(user: User, note: Note) -> None:
    Note(text="x", author=user, titel="typo")  # type: ignore
    Note(author=user)  # type: ignore
    Note(text="x")  # type: ignore
    Note("x", user)  # type: ignore
    Note(text=3, author=user)  # type: ignore
    Note(text="x", author="Tom")  # type: ignore
    Note(text="x", author=1)  # type: ignore
    Note(text="x", author=None)  # type: ignore
    Note(text="x", author=user, id=1)  # type: ignore
    Note(text="x", author=user, tags=[])  # type: ignore
    Note(text=None, author=user)  # type: ignore
    Note(text="x", author=user, editor=note)  # type: ignore
    User(name="x", notes=[note])  # type: ignore
    User(name="x", profile=None)  # type: ignore
    Profile(text="x")  # type: ignore
    Pinned(note=note)  # type: ignore
    Pinned(note=note, place="first")  # type: ignore
    Tag()  # type: ignore
    Defaults(name=None)  # type: ignore
    Defaults(day="2010-01-02")  # type: ignore
    Defaults(moment=datetime.date(2010, 1, 2))  # type: ignore
    Defaults(price=0.5)  # type: ignore
    Defaults(colour="red")  # type: ignore
    Defaults(items=["one"])  # type: ignore
    Nullable(done="yes")  # type: ignore
    Nullable(size=Size.SMALL)  # type: ignore


def assignment(user: User, note: Note, sample: Sample, nullable: Nullable) -> None:
    note.text = 3  # type: ignore
    note.text = None  # type: ignore
    note.author = None  # type: ignore
    note.author = note  # type: ignore
    note.title.upper()  # type: ignore
    note.editor.name  # type: ignore
    note.txt  # type: ignore
    user.profile.text  # type: ignore
    user.notes = []  # type: ignore
    sample.colour = Size.SMALL  # type: ignore
    sample.price = 1.5  # type: ignore
    sample.moment = "2010"  # type: ignore
    sample.document = 3  # type: ignore
    nullable.day.year  # type: ignore


def columns() -> None:
    Note.txt  # type: ignore
    Note.author.nam  # type: ignore
    Note.tags.nam  # type: ignore
    User.profile.nam  # type: ignore
    Note.rank.icontains("x")  # type: ignore
    Note.text.icontains(3)  # type: ignore
    Note.text.is_in([1])  # type: ignore
    Note.rank.range("a", "b")  # type: ignore
    Note.text < 3  # type: ignore
    Note.text < Note.rank  # type: ignore
    Note.rank > 1.5  # type: ignore
    Sample.moment > "2010"  # type: ignore
    Sample.text.year  # type: ignore
    Sample.day.hour  # type: ignore
    Sample.clock.year  # type: ignore
    Sample.day.date  # type: ignore
    Sample.moment.year.icontains("2")  # type: ignore
    Sample.moment.year < "2010"  # type: ignore
    Note.text.nonsense  # type: ignore


def chains(note: Note, user: User) -> None:
    Note.objects.select_related(Note.text)  # type: ignore
    Note.objects.prefetch_related(3)  # type: ignore
    Note.objects.order_by(3)  # type: ignore
    Note.objects.only(Note.author)  # type: ignore
    Note.objects.limit("3")  # type: ignore
    Note.objects.timeout("3")  # type: ignore
    orm.Param(3)  # type: ignore
    Note.objects[1]  # type: ignore
    Note.objects.values_list(Note.author)  # type: ignore
    Note.objects.nonsense()  # type: ignore
    User.objects.urgent()  # type: ignore
    Timestamped.objects.urgent()  # type: ignore
    note.objects  # type: ignore
    orm.Prefetch("notes", 3)  # type: ignore
    len(Note.objects)  # type: ignore
    [found.text for found in Note.objects]  # type: ignore
    user.notes.filter(rank=1).nonsense()  # type: ignore
    Note.objects.unfiltered(1)  # type: ignore


async def ends(user: User, note: Note, tag: Tag) -> None:
    (await Note.objects.first()).text  # type: ignore
    (await Note.objects.get_or_none(id=1)).text  # type: ignore
    (await newest(User)).name  # type: ignore
    await newest(3)  # type: ignore
    (await Note.objects.get(id=1)).txt  # type: ignore
    (await Note.objects.create(text="x")).txt  # type: ignore
    (await Note.objects.get_or_create(text="x")).text  # type: ignore
    Note.objects.get(id=1).text  # type: ignore
    await Note.objects.bulk_create([user])  # type: ignore
    await Note.objects.contains(3)  # type: ignore
    (await Note.objects.compiled().first()).text  # type: ignore
    (await Note.objects.compiled().get()).txt  # type: ignore
    Note.objects.compiled()().text  # type: ignore
    await Note.objects.paginate(page="1")  # type: ignore
    await Note.objects.count() + "x"  # type: ignore
    await note.tags.add(user)  # type: ignore
    await user.notes.set([tag])  # type: ignore
    await tag.notes.set([tag])  # type: ignore
    tag.notes.nonsense()  # type: ignore
    (await note.save()).txt  # type: ignore
    await note.delete(using="other")  # type: ignore
    await Note.objects.into("NoteOut")  # type: ignore
    Note.objects.into(note)  # type: ignore
    (await Note.objects.into(Size))[0].text  # type: ignore
    Note.objects.sql("oracle")  # type: ignore
    await Note.objects.explain(format="html")  # type: ignore
    Note.objects.comment(3)  # type: ignore
    for _text, rank in await Note.objects.values_list(Note.text, Note.rank):
        rank.upper()  # type: ignore
    async for found in Note.objects:
        found.txt  # type: ignore


async def database(database: Database) -> None:
    @database.transaction(retries=1)
    async def rename(text: str) -> int:
        return await Note.objects.filter(text=text).delete()

    await rename()  # type: ignore
    await rename(3)  # type: ignore
    (await rename("x")).upper()  # type: ignore
    orm.Database("sqlite:///x.db", nonsense=1)  # type: ignore
    orm.Database(3)  # type: ignore
    database.transaction(isolation=3)  # type: ignore
    await database.fetch_all(3)  # type: ignore
    (await database.fetch_one("SELECT 1")).text  # type: ignore
    (await database.execute("SELECT 1")).nonsense  # type: ignore


def nothing(_: str) -> None: ...


def validating(note: Note) -> None:
    note.validate(3)  # type: ignore
    orm.ValidationError({"text": 3})  # type: ignore
    orm.pydantic_model(3)  # type: ignore
    orm.pydantic_model(Note, optionl=True)  # type: ignore
    orm.pydantic_model(Note, depth="1")  # type: ignore
    orm.pydantic_model(Note, unloaded="fetch")  # type: ignore
    orm.Integer(validators=[str.strip])  # type: ignore
    orm.Text(validators=[nothing])  # type: ignore
    orm.Text(validators=str.strip)  # type: ignore
    orm.Enum(Colour, validators=[abs])  # type: ignore


class Mismatched(Base):
    a: orm.Field[int] = orm.String(max_length=100)  # type: ignore
    b: orm.Field[str] = orm.String(max_length=100, null=True)  # type: ignore
    c: orm.Field[decimal.Decimal] = orm.Float()  # type: ignore
    d: orm.Field[Colour] = orm.Enum(Size)  # type: ignore
    e: orm.Related[User] = orm.ForeignKey(Note)  # type: ignore
    f: orm.Related[User] = orm.ForeignKey(User, null=True)  # type: ignore
    g: orm.Related[User] = orm.OneToOne(Note)  # type: ignore
    h: orm.RelatedSet[User] = orm.ManyToMany(Note)  # type: ignore
    i: orm.Field[datetime.datetime] = orm.Date()  # type: ignore


class Wrong(Base):
    a: orm.Field[str] = orm.String()  # type: ignore
    b: orm.Field[str] = orm.String(max_length="100")  # type: ignore
    c: orm.Field[str] = orm.String(max_length=100, nul=True)  # type: ignore
    d: orm.Field[str] = orm.String(max_length=100, default=3)  # type: ignore
    e: orm.Field[str] = orm.String(max_length=100, default=None)  # type: ignore
    f: orm.Field[str] = orm.Text(max_length=100)  # type: ignore
    g: orm.Field[int] = orm.Integer(ge="0")  # type: ignore
    h: orm.Field[int] = orm.Integer(default=lambda: "x")  # type: ignore
    i: orm.Field[int] = orm.Integer(max_length=3)  # type: ignore
    j: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10)  # type: ignore
    k: orm.Field[bool] = orm.Boolean(default="no")  # type: ignore
    wrong: orm.Field[Colour] = orm.Enum(Colour, default=Size.SMALL)  # type: ignore
    m: orm.Field[Colour] = orm.Enum("red")  # type: ignore
    n: orm.Field[int] = orm.BigAutoField(default=1)  # type: ignore
    o: orm.Field[int] = orm.BigAutoField(init=True)  # type: ignore
    p: orm.Field[datetime.datetime] = orm.DateTime(auto_nao=True)  # type: ignore
    q: orm.Related[User] = orm.ForeignKey("User", on_delete="cascade")  # type: ignore
    r: orm.Related[User] = orm.ForeignKey(3)  # type: ignore
    s: orm.RelatedSet[Note] = orm.Reverse(Note.author)  # type: ignore
    t: orm.RelatedSet[Note] = orm.ManyToMany("Note", on_delete=orm.CASCADE)  # type: ignore
    u: orm.Field[int] = orm.Version(default=1)  # type: ignore
