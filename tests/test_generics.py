"""Generic foreign keys: rows that refer to a row of one of several models."""

from __future__ import annotations

import pickle
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

import orm
from tests.databases import created
from tests.recorder import Recorder

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Writer(Base):
    id: orm.Field[int] = orm.AutoField()
    name: orm.Field[str] = orm.String(max_length=50)
    books: orm.RelatedSet[Book] = orm.Reverse("Book.writer")
    notes: orm.RelatedSet[Remark] = orm.Reverse("Remark.subject")


class Book(Base):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=50)
    writer: orm.Related[Writer] = orm.ForeignKey("Writer", on_delete=orm.CASCADE)
    notes: orm.RelatedSet[Remark] = orm.Reverse("Remark.subject")


class Shelf(Base):
    id: orm.Field[int] = orm.BigAutoField()
    place: orm.Field[str] = orm.String(max_length=50)


class Remark(Base):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.String(max_length=50)
    subject: orm.GenericRelated[Book | Writer | Shelf | None] = orm.GenericForeignKey(
        "Book", "Writer", "Shelf", null=True, default=None, names={"Book": "library.book"}
    )
    likes: orm.RelatedSet[Like] = orm.Reverse("Like.remark")


class Like(Base):
    id: orm.Field[int] = orm.BigAutoField()
    remark: orm.Related[Remark] = orm.ForeignKey("Remark")
    target: orm.GenericRelated[Book | Writer] = orm.GenericForeignKey(
        "Book", "Writer", type_column="kind", key_column="number", index=False
    )

    class Meta(Base.Meta):
        constraints = [orm.UniqueConstraint("target_type", "target_id", "remark")]


@pytest.fixture
def sent() -> Recorder:
    """What was sent to the database."""
    return Recorder()


@pytest_asyncio.fixture
async def library(url: str, sent: Recorder) -> AsyncIterator[orm.Database]:
    """A database with the tables of the models above, on each engine."""
    async with orm.Database(url, max_size=5, observers=[sent]) as database, created(models, database):
        yield database


async def _filled() -> tuple[Writer, Book, list[Remark]]:
    writer = await Writer.objects.create(name="Poe")
    book = await Book.objects.create(title="Tales", writer=writer)
    remarks = [
        await Remark.objects.create(text="dark", subject=book),
        await Remark.objects.create(text="great", subject=writer),
        await Remark.objects.create(text="alone"),
    ]
    assert book.id == writer.id  # so that only the type tells them apart
    return writer, book, remarks


# ---------------------------------------------------------------- on an instance


async def test_an_instance_sets_both_columns(library: orm.Database) -> None:
    writer, book, (dark, great, alone) = await _filled()
    assert (dark.subject_type, dark.subject_id, dark.subject) == ("library.book", book.id, book)
    assert (great.subject_type, great.subject_id) == ("Writer", writer.id)
    assert (alone.subject_type, alone.subject_id, alone.subject) == (None, None, None)
    alone.subject = book
    assert sorted(alone._state.changed) == ["subject_id", "subject_type"]
    await alone.save()
    assert await Remark.objects.filter(id=alone.id).values_list("subject_type", "subject_id") == [
        ("library.book", book.id)
    ]
    alone.subject = None
    await alone.save()
    assert (await Remark.objects.get(id=alone.id)).subject is None


async def test_without_a_prefetch_it_is_a_sparse_instance_of_the_right_class(library: orm.Database) -> None:
    writer, book, _ = await _filled()
    dark, great, alone = await Remark.objects.order_by("id")
    assert isinstance(dark.subject, Book)
    assert isinstance(great.subject, Writer)
    assert (dark.subject, great.subject, alone.subject) == (book, writer, None)
    assert dark.subject is dark.subject
    assert not hasattr(dark.subject, "title")
    with pytest.raises(orm.NotLoaded, match=r"Book.title is not loaded. Add .prefetch_related\('subject'\)"):
        _ = dark.subject.title
    assert (await dark.subject.load()).title == "Tales"
    with pytest.raises(orm.NotLoaded, match=r"Writer.name is not loaded. Add .select_related\('writer'\)"):
        _ = (await Book.objects.get()).writer.name


async def test_it_is_set_by_its_columns_too(library: orm.Database) -> None:
    writer, book, _ = await _filled()
    remark = Remark(text="x", subject_type="Writer", subject_id=writer.id)
    assert remark.subject == writer
    remark.subject_type = "library.book"
    assert remark.subject == book
    await remark.save()
    remark.subject_id = None
    assert remark.subject is None
    with pytest.raises(orm.ValidationError, match=r"subject_type: choose from: 'library.book', 'Writer', 'Shelf'"):
        await Remark.objects.create(text="x", subject_type="Book", subject_id=book.id)
    with pytest.raises(orm.ValidationError, match=r"subject_id"):
        await Remark.objects.create(text="x", subject_type="Writer", subject_id="one")


async def test_an_instance_may_be_saved_after_it_was_given(library: orm.Database) -> None:
    writer = Writer(name="new")
    remark = Remark(text="x", subject=writer)
    with pytest.raises(orm.ValidationError, match=r"subject: <Writer .* has no key yet. Save it first"):
        await remark.save()
    await writer.save()
    await remark.save()
    assert (await Remark.objects.get()).subject == writer


async def test_what_may_not_be_referred_to(library: orm.Database) -> None:
    await _filled()
    with pytest.raises(orm.FieldError, match=r"Like.target takes an instance of Book or Writer, not <Shelf.*reference"):
        Like(target=Shelf(place="here"))
    with pytest.raises(orm.FieldError, match=r"Like.target takes an instance of Book or Writer, not 3"):
        Like(target=3)
    with pytest.raises(orm.ValidationError, match=r"target_type: a value is required; target_id: a value is required"):
        await Like.objects.create(remark=Remark.reference(1))
    with pytest.raises(orm.ValidationError, match=r"target_type: .*; target_id: .*None"):
        await Like.objects.create(remark=Remark.reference(1), target=None)


async def test_a_name_that_no_model_has(library: orm.Database) -> None:
    _, book, (dark, *_) = await _filled()
    await library.execute(sa.update(Remark.table).where(Remark.table.c.id == dark.id).values(subject_type="Tome"))
    remark = await Remark.objects.get(id=dark.id)
    message = (
        f"Remark has subject_type='Tome' and subject_id={book.id}, and Remark.subject has no model of that name. "
        "It knows: 'library.book', 'Writer', 'Shelf'. If a model was renamed"
    )
    with pytest.raises(orm.DataError, match=message):
        _ = remark.subject
    with pytest.raises(orm.DataError, match=message):
        await Remark.objects.prefetch_related("subject")


async def test_pickling_keeps_what_is_loaded(library: orm.Database) -> None:
    _, book, _ = await _filled()
    remark = await Remark.objects.prefetch_related("subject").order_by("id").first()
    assert remark is not None
    again = pickle.loads(pickle.dumps(remark))
    assert again.subject == book
    assert again.subject.title == "Tales"


async def test_only_and_defer_and_load(library: orm.Database) -> None:
    _, book, (dark, *_) = await _filled()
    remark = await Remark.objects.only("text").get(id=dark.id)
    with pytest.raises(orm.NotLoaded, match=r"Remark.subject_id is not loaded"):
        _ = remark.subject
    await remark.load("subject_type", "subject_id")
    assert remark.subject == book
    await remark.load("subject")
    assert remark.subject.title == "Tales"
    found = await Remark.objects.only("subject").get(id=dark.id)
    assert found.subject == book
    with pytest.raises(orm.NotLoaded, match=r"Remark.text is not loaded"):
        _ = found.text
    found = await Remark.objects.defer("subject").get(id=dark.id)
    assert found.text == "dark"
    with pytest.raises(orm.NotLoaded, match=r"Remark.subject_id is not loaded"):
        _ = found.subject
    await found.load("subject_type", "subject_id", "subject")
    assert found.subject.title == "Tales"


# ---------------------------------------------------------------- prefetching


async def test_prefetching_reads_each_model_in_one_statement(library: orm.Database, sent: Recorder) -> None:
    writer, book, _ = await _filled()
    await Remark.objects.create(text="again", subject=book)
    sent.clear()
    dark, great, alone, again = await Remark.objects.order_by("id").prefetch_related("subject")
    assert (dark.subject.title, great.subject.name, alone.subject) == ("Tales", "Poe", None)
    assert again.subject is dark.subject
    assert sent.count == 3
    assert (dark.subject, great.subject) == (book, writer)


async def test_prefetching_with_query_sets_of_some_models(library: orm.Database) -> None:
    await _filled()
    wanted = orm.Prefetch("subject", [Book.objects.select_related("writer"), Shelf.objects.all()])
    dark, great, _ = await Remark.objects.order_by("id").prefetch_related(wanted)
    assert (dark.subject.writer.name, great.subject.name) == ("Poe", "Poe")
    wanted = orm.Prefetch(Remark.subject, Book.objects.filter(title="other"))
    dark, great, _ = await Remark.objects.order_by("id").prefetch_related(wanted)
    assert (dark.subject, great.subject.name) == (None, "Poe")
    wanted = orm.Prefetch("subject", [Book.objects.all()], to_attr="loaded")
    dark, great, alone = await Remark.objects.order_by("id").prefetch_related(wanted)
    assert ([one.title for one in dark.loaded], [one.name for one in great.loaded], alone.loaded) == (
        ["Tales"],
        ["Poe"],
        [],
    )
    assert not hasattr(dark.subject, "title")


async def test_prefetching_goes_on_where_a_model_has_the_relation(library: orm.Database) -> None:
    writer, book, _ = await _filled()
    await Book.objects.create(title="Poems", writer=writer)
    found = await Remark.objects.order_by("id").prefetch_related("subject__writer", "subject__books")
    assert found[0].subject.writer.name == "Poe"
    assert found[1].subject.name == "Poe"
    assert sorted(one.title for one in found[1].subject.books) == ["Poems", "Tales"]
    await Like.objects.bulk_create([Like(remark=found[0], target=book), Like(remark=found[1], target=writer)])
    loaded = await Like.objects.order_by("id").prefetch_related("remark__subject__notes")
    assert [note.text for note in loaded[0].remark.subject.notes] == ["dark"]
    assert [note.text for note in loaded[1].remark.subject.notes] == ["great"]


async def test_prefetching_a_row_that_is_gone(library: orm.Database) -> None:
    _, book, _ = await _filled()
    await book.delete()
    dark, *_ = await Remark.objects.order_by("id").prefetch_related("subject")
    assert dark.subject is None
    assert dark.subject_id is not None
    assert (await Remark.objects.order_by("id").first()).subject == Book.reference(dark.subject_id)


def test_what_cannot_be_prefetched() -> None:
    with pytest.raises(orm.FieldError, match=r"None of Book, Writer, Shelf has a relation 'publisher'"):
        Remark.objects.prefetch_related("subject__publisher")
    with pytest.raises(orm.FieldError, match=r"needs a query set of Book or Writer or Shelf, not of Like"):
        Remark.objects.prefetch_related(orm.Prefetch("subject", [Like.objects.all()]))
    with pytest.raises(orm.FieldError, match=r"has two query sets of Book"):
        Remark.objects.prefetch_related(orm.Prefetch("subject", [Book.objects.all(), Book.objects.filter(id=1)]))
    with pytest.raises(orm.FieldError, match=r"without a slice"):
        Remark.objects.prefetch_related(orm.Prefetch("subject", [Book.objects.all()[:3]]))
    with pytest.raises(orm.FieldError, match=r"rows of several models.*prefetch_related\('subject'\)"):
        Remark.objects.select_related("subject")
    with pytest.raises(orm.FieldError, match=r"prefetch_related\('remark__subject'\)"):
        Like.objects.select_related("remark__subject")


# ---------------------------------------------------------------- filtering


async def test_filters(library: orm.Database) -> None:
    writer, book, _ = await _filled()

    async def texts(*conditions: orm.Condition, **words: object) -> list[str]:
        return await Remark.objects.filter(*conditions, **words).order_by("id").values_list(Remark.text, flat=True)

    assert await texts(subject=book) == ["dark"]
    assert await texts(subject=writer) == ["great"]
    assert await texts(subject=None) == ["alone"]
    assert await texts(subject__isnull=False) == ["dark", "great"]
    assert await texts(subject__in=[book, writer]) == ["dark", "great"]
    assert await texts(subject__in=[]) == []
    assert await texts(subject__in=Book.objects.filter(title="Tales")) == ["dark"]
    assert await texts(Remark.subject.is_in(Writer.objects.all())) == ["great"]
    assert await texts(subject=("Writer", writer.id)) == ["great"]
    assert await texts(Remark.subject == writer) == ["great"]
    assert await texts(Remark.subject != writer) == ["dark", "alone"]
    assert await texts(Remark.subject.is_in([writer])) == ["great"]
    assert await texts(Remark.subject.is_null()) == ["alone"]
    assert await texts(subject=Writer.reference(writer.id)) == ["great"]
    assert await texts(subject_type="Writer") == ["great"]
    assert await texts(subject_id=book.id) == ["dark", "great"]
    assert await texts(~orm.Q(subject=book)) == ["great", "alone"]
    assert await texts(orm.Q(subject=book) | orm.Q(text="alone")) == ["dark", "alone"]
    assert [one.text for one in await Remark.objects.exclude(subject__in=[book]).order_by("id")] == ["great", "alone"]


async def test_filters_over_relations(library: orm.Database) -> None:
    writer, book, (dark, great, _) = await _filled()
    await Like.objects.create(remark=dark, target=writer)
    await Like.objects.create(remark=great, target=book)
    assert [one.text for one in await Remark.objects.filter(likes__target=book)] == ["great"]
    assert [one.text for one in await Remark.objects.exclude(likes__target=book).order_by("id")] == ["dark", "alone"]
    assert [one.target_type for one in await Like.objects.filter(remark__subject=book)] == ["Writer"]
    assert [one.title for one in await Book.objects.filter(notes__text="dark")] == ["Tales"]
    assert await Book.objects.filter(notes__text="great").exists() is False
    assert [one.name for one in await Writer.objects.filter(books__notes__text="dark")] == ["Poe"]
    assert await Writer.objects.filter(notes__isnull=True).count() == 0
    assert await Writer.objects.exclude(notes__text="dark").count() == 1
    assert await Book.objects.exclude(notes__text="dark").count() == 0


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(orm.FieldError, match=r"Like.target takes an instance of Book or Writer, not <Shelf"):
        Like.objects.filter(target=Shelf.reference(1))
    with pytest.raises(orm.ValidationError, match=r"has no key yet"):
        Remark.objects.filter(subject=Writer(name="x"))
    with pytest.raises(
        orm.FieldError, match=r"Use subject__in=Book.objects.filter\(title__icontains=…\), or filter Book"
    ):
        Remark.objects.filter(subject__title__icontains="x")
    with pytest.raises(orm.FieldError, match=r"Use remark__subject__in=Book"):
        Like.objects.order_by("remark__subject__title")
    with pytest.raises(orm.FieldError, match=r"Like.target refers to rows of Book or Writer, not of Shelf"):
        Like.objects.filter(target__in=Shelf.objects.all())
    with pytest.raises(orm.FieldError, match=r"has no lookup 'icontains'|has no 'icontains'"):
        Remark.objects.filter(subject__icontains="x")


async def test_values_and_groups(library: orm.Database) -> None:
    _, book, _ = await _filled()
    await Remark.objects.create(text="more", subject=book)
    groups = Remark.objects.values("subject_type").annotate(number=orm.Count("*")).order_by("subject_type")
    rows = await groups.filter(subject_type__isnull=False)
    assert {row["subject_type"]: row["number"] for row in rows} == {"library.book": 2, "Writer": 1}


# ---------------------------------------------------------------- the rows of a target


async def test_the_rows_that_refer_to_a_target(library: orm.Database) -> None:
    writer, book, (dark, great, alone) = await _filled()
    assert await book.notes == [dark]
    assert await writer.notes.count() == 1
    made = await book.notes.create(text="made")
    assert (made.subject_type, made.subject_id, made.subject) == ("library.book", book.id, book)
    await book.notes.bulk_create([Remark(text="bulk")])
    assert sorted(await book.notes.values_list(Remark.text, flat=True)) == ["bulk", "dark", "made"]
    await book.notes.add(great, alone)
    assert (great.subject, great.subject_type, great.subject_id) == (book, "library.book", book.id)
    assert await writer.notes.exists() is False
    await book.notes.remove(alone)
    assert (alone.subject, alone.subject_type, alone.subject_id) == (None, None, None)
    assert await Remark.objects.filter(subject_type=None, subject_id=None).count() == 1
    await book.notes.set([dark])
    assert await book.notes == [dark]
    assert await book.notes.filter(text="dark").update(text="darker") == 1
    found, created = await book.notes.get_or_create(text="darker")
    assert (found, created) == (dark, False)
    _, created = await book.notes.get_or_create(text="new")
    assert created
    await book.notes.clear()
    assert await book.notes.count() == 0
    assert await Remark.objects.filter(subject=None).count() == await Remark.objects.count()
    with pytest.raises(orm.FieldError, match=r"subject is .* here. Leave it out"):
        await book.notes.create(text="x", subject=writer)


async def test_prefetching_the_rows_of_targets(library: orm.Database) -> None:
    writer, book, _ = await _filled()
    other = await Writer.objects.create(name="Kafka")
    first, second = await Writer.objects.order_by("id").prefetch_related("notes", "books__notes")
    assert [one.text for one in first.notes] == ["great"]
    assert all(one.subject is first for one in first.notes)
    assert list(second.notes) == []
    assert second == other
    assert [one.text for one in next(iter(first.books)).notes] == ["dark"]
    wanted = orm.Prefetch("notes", Remark.objects.filter(text="x"))
    assert [list(one.notes) for one in await Writer.objects.prefetch_related(wanted)] == [[], []]
    only = orm.Prefetch("notes", Remark.objects.only("text"))
    loaded = await Writer.objects.prefetch_related(only).get(id=writer.id)
    assert [one.subject for one in loaded.notes] == [writer]
    assert book


async def test_aggregates_of_the_rows_of_targets(library: orm.Database) -> None:
    writer, book, _ = await _filled()
    await book.notes.create(text="two")
    counted = await Book.objects.annotate(number=orm.Count("notes")).get()
    assert counted.number == 2
    rows = await Writer.objects.values("name").annotate(own=orm.Count("notes"), of_books=orm.Count("books__notes"))
    assert rows == [{"name": "Poe", "own": 1, "of_books": 2}]
    assert await Writer.objects.aggregate(total=orm.Count("notes")) == {"total": 1}
    assert await Writer.objects.filter(id=writer.id).aggregate(last=orm.Max("books__notes__text")) == {"last": "two"}


# ---------------------------------------------------------------- writing


async def test_updates(library: orm.Database) -> None:
    writer, book, (dark, great, alone) = await _filled()
    assert await Remark.objects.filter(text="dark").update(subject=writer) == 1
    assert await writer.notes.count() == 2
    assert await Remark.objects.filter(text="dark").update(subject=None) == 1
    assert await Remark.objects.filter(subject=None).count() == 2
    await alone.update(subject=book)
    assert await book.notes == [alone]
    alone.subject = writer
    alone.text = "changed"
    await alone.save(fields=["subject"])
    stored = await Remark.objects.get(id=alone.id)
    assert (stored.text, stored.subject) == ("alone", writer)
    for one in (dark, great):
        one.subject = book
    assert await Remark.objects.bulk_update([dark, great], ["subject"]) == 2
    assert await book.notes.order_by("id") == [dark, great]
    with pytest.raises(orm.ValidationError, match=r"has no key yet"):
        await Remark.objects.all().update(subject=Writer(name="x"))
    with pytest.raises(orm.FieldError, match=r"Like.target takes an instance of Book or Writer"):
        await Like.objects.all().update(target=Shelf.reference(1))


async def test_get_or_create_by_its_unique_columns(library: orm.Database) -> None:
    writer, book, (dark, *_) = await _filled()
    first, made = await Like.objects.get_or_create(remark=dark, target=book)
    assert made
    assert await Like.objects.get_or_create(remark=dark, target=book) == (first, False)
    second, made = await Like.objects.update_or_create(remark=dark, target=writer, defaults={})
    assert made
    assert (second.target, await Like.objects.count()) == (writer, 2)
    await Like.objects.bulk_create(
        [Like(remark=dark, target=book)], ignore_conflicts=True, unique_fields=["target", "remark"]
    )
    assert await Like.objects.count() == 2


async def test_in_a_transaction_that_is_rolled_back(library: orm.Database) -> None:
    writer, book, (dark, *_) = await _filled()

    async def move() -> None:
        async with library.transaction():
            await writer.notes.add(dark)
            assert await book.notes.count() == 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await move()
    assert await book.notes.count() == 1


# ---------------------------------------------------------------- declarations


def test_the_table() -> None:
    table = Remark.table
    assert table.c.subject_id.nullable
    assert isinstance(table.c.subject_id.type, sa.BigInteger)  # Writer's keys are narrower, Book's decide
    assert [[column.name for column in index.columns] for index in table.indexes] == [["subject_type", "subject_id"]]
    assert not table.foreign_keys
    assert [column.name for column in Like.table.c] == ["id", "remark_id", "kind", "number"]
    assert all("kind" not in index.columns for index in Like.table.indexes)


def test_what_contradicts_itself() -> None:
    for arguments, options, message in (
        ([], {}, "takes models, each of them once, not none"),
        (["A", "A"], {}, "takes models, each of them once, not A, A"),
        ([3], {}, "refers to models or to the names of some, not to 3"),
        ([Base], {}, "refers to models or to the names of some, not to"),
        (["A"], {"default": None}, "the default is None, which is not allowed. Give null=True, too"),
        (["A"], {"default": 3, "null": True}, "no other default than None"),
        (["A"], {"on_delete": "CASCADE"}, "has no option 'on_delete'. Choose from: default, index, key_column"),
        (["A"], {"names": {"B": "b"}}, "has a name for 'B', which is none of its models"),
        (["A", "B"], {"names": {"A": "B"}}, "A and B have the same name 'B' in rows"),
        (["A"], {"names": {"A": "x" * 101}}, "is no name of 1 to 100 characters for A"),
        (["A"], {"names": {"A": ""}}, "is no name of 1 to 100 characters for A"),
    ):
        with pytest.raises(orm.FieldError, match=message):
            orm.GenericForeignKey(*arguments, **options)


def test_its_columns_are_no_other_fields() -> None:
    with pytest.raises(orm.FieldError, match=r"Twice.subject_id is declared twice"):

        class Twice(Base):
            subject_id: orm.Field[int] = orm.Integer()
            subject: orm.GenericRelated[Book] = orm.GenericForeignKey("Book")


def test_targets_that_do_not_fit() -> None:
    own = orm.Registry()

    class Root(orm.Model):
        class Meta:
            registry = own
            abstract = True

    class Numbered(Root):
        id: orm.Field[int] = orm.BigAutoField()

    class Coded(Root):
        code: orm.Field[str] = orm.String(max_length=3, primary_key=True)

    class Longer(Root):
        code: orm.Field[str] = orm.String(max_length=30, primary_key=True)

    class Texts(Root):
        subject: orm.GenericRelated[Any] = orm.GenericForeignKey("Coded", "Longer")
        other: orm.GenericRelated[Any] = orm.GenericForeignKey("Nowhere", null=True)

    message = r"Both.subject has one column .* of different kinds: Numbered \(integer\), Coded \(text\)"
    with pytest.raises(orm.FieldError, match=message):

        class Both(Root):
            subject: orm.GenericRelated[Any] = orm.GenericForeignKey("Numbered", "Coded", index=False)

    with pytest.raises(orm.FieldError, match=r"Texts.other refers to 'Nowhere', a model that no module declared"):
        _ = Texts.table

    class Nowhere(Root):
        code: orm.Field[uuid.UUID] = orm.UUID(primary_key=True)

    assert Texts.table.c.subject_id.type.length == 30
    assert type(Texts.table.c.other_id.type) is type(Nowhere.table.c.code.type)


def test_a_reverse_relation_that_leads_elsewhere() -> None:
    own = orm.Registry()

    class Root(orm.Model):
        class Meta:
            registry = own
            abstract = True

    class Here(Root):
        id: orm.Field[int] = orm.BigAutoField()

    class There(Root):
        notes: orm.RelatedSet[Any] = orm.Reverse("Linked.subject")
        others: orm.RelatedSet[Any] = orm.Reverse("Linked.nothing")

    class Linked(Root):
        subject: orm.GenericRelated[Here] = orm.GenericForeignKey(Here)

    with pytest.raises(orm.FieldError, match=r"Linked.subject refers to Here, not to There"):
        There.objects.filter(notes__id=1)
    with pytest.raises(orm.FieldError, match=r"no relation. Choose from: Linked.subject"):
        There.objects.filter(others__id=1)


async def test_in_an_abstract_base_and_to_itself(database: orm.Database) -> None:
    own = orm.Registry(database)

    class Attached(orm.Model):
        class Meta:
            registry = own
            abstract = True

        subject: orm.GenericRelated[Any] = orm.GenericForeignKey("Photo", "Sticker", null=True)

    class Photo(Attached):
        tablename: orm.Field[str] = orm.String(max_length=10)
        stickers: orm.RelatedSet[Any] = orm.Reverse("Sticker.subject")

    class Sticker(Attached):
        stickers: orm.RelatedSet[Any] = orm.Reverse("Sticker.subject")

    await own.create_all()
    try:
        photo = await Photo.objects.create(tablename="x")
        sticker = await Sticker.objects.create(subject=photo)
        upon = await Sticker.objects.create(subject=sticker)
        assert await sticker.stickers == [upon]
        assert await photo.stickers == [sticker]
        assert await Sticker.objects.filter(stickers__subject=sticker) == [sticker]
        assert await Photo.objects.filter(stickers__stickers=upon) == [photo]
        found = await Sticker.objects.prefetch_related("subject__subject").get(pk=upon.pk)
        assert (found.subject, found.subject.subject) == (sticker, photo)
    finally:
        await own.drop_all()
