"""Default filters: they hold wherever rows are read, and are lifted by name."""

from __future__ import annotations

import asyncio
import datetime
import pickle
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm import plans
from orm.functions import Coalesce
from orm.specs import Implied
from tests.databases import created
from tests.recorder import Recorder

tenant: ContextVar[int] = ContextVar("tenant", default=1)
models = orm.Registry()
GONE = datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC)


def of_tenant() -> orm.Q:
    return orm.Q(tenant=tenant.get())


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Deletable(Base):
    deleted_at: orm.Field[datetime.datetime | None] = orm.DateTime(null=True, default=None)

    class Meta(Base.Meta):
        abstract = True
        default_filters = {"active": orm.Q(deleted_at=None)}


class Label(Deletable):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40)
    tenant: orm.Field[int] = orm.Integer(default=1)
    artists: orm.RelatedSet[Artist] = orm.Reverse("Artist.label")

    class Meta(Deletable.Meta):
        default_filters = {"tenant": of_tenant}
        ordering = ["name"]


class Artist(Deletable):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40, unique=True)
    label: orm.Related[Label] = orm.ForeignKey("Label", on_delete=orm.CASCADE)
    albums: orm.RelatedSet[Album] = orm.Reverse("Album.artist")
    tags: orm.RelatedSet[Tag] = orm.ManyToMany("Tag", through="Tagging", related_name="artists")
    profile = orm.Reverse("Profile.artist")

    class Meta(Deletable.Meta):
        ordering = ["name"]


class Album(Deletable):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=40)
    year: orm.Field[int] = orm.Integer(default=2000)
    artist: orm.Related[Artist | None] = orm.ForeignKey("Artist", null=True, default=None, on_delete=orm.CASCADE)

    class Meta(Deletable.Meta):
        ordering = ["title"]


class Profile(Deletable):
    id: orm.Field[int] = orm.BigAutoField()
    artist: orm.Related[Artist] = orm.OneToOne("Artist", on_delete=orm.CASCADE)


class Tag(Base):
    id: orm.Field[int] = orm.BigAutoField()
    word: orm.Field[str] = orm.String(max_length=40)


class Tagging(Deletable):
    id: orm.Field[int] = orm.BigAutoField()
    artist: orm.Related[Artist] = orm.ForeignKey("Artist", on_delete=orm.CASCADE)
    tag: orm.Related[Tag] = orm.ForeignKey("Tag", on_delete=orm.CASCADE)


class Signed(Base):
    """Whose filters go over relations, to one row and to many."""

    id: orm.Field[int] = orm.BigAutoField()
    artist: orm.Related[Artist] = orm.ForeignKey("Artist", on_delete=orm.CASCADE)

    class Meta(Base.Meta):
        default_filters = {
            "label": orm.Q(artist__label__name="Albert"),
            "album": orm.Q(artist__albums__year__gte=1970),
        }


@pytest_asyncio.fixture
async def shop(database: orm.Database) -> AsyncIterator[orm.Database]:
    """AC/DC with an album of its own, a deleted one and a deleted artist; another tenant's label with an artist."""
    async with created(models, database):
        albert = await Label.objects.create(name="Albert")
        other = await Label.objects.create(name="Other", tenant=2)
        acdc = await Artist.objects.create(name="AC/DC", label=albert)
        gone = await Artist.objects.create(name="Gone", label=albert, deleted_at=GONE)
        far = await Artist.objects.create(name="Far", label=other)
        await Album.objects.create(title="Powerage", artist=acdc, year=1978)
        await Album.objects.create(title="Shelved", artist=acdc, year=1980, deleted_at=GONE)
        await Album.objects.create(title="Lost", artist=gone, year=1970)
        await Album.objects.create(title="Remote", artist=far, year=1990)
        for artist in (acdc, gone, far):
            await Profile.objects.create(artist=artist, deleted_at=GONE if artist is far else None)
            await Signed.objects.create(artist=artist)
        rock, pop = await Tag.objects.create(word="rock"), await Tag.objects.create(word="pop")
        await Tagging.objects.create(artist=acdc, tag=rock)
        await Tagging.objects.create(artist=acdc, tag=pop, deleted_at=GONE)
        await Tagging.objects.create(artist=gone, tag=rock)
        yield database


async def titles(albums: Any) -> list[str]:
    return [album.title for album in await albums]


async def test_they_hold_for_queries_of_every_kind(shop: orm.Database) -> None:
    albums = Album.objects
    assert await titles(albums.all()) == ["Lost", "Powerage", "Remote"]
    assert [album.title async for album in albums.all()] == ["Lost", "Powerage", "Remote"]
    assert await albums.count() == 3
    assert await albums.filter(year=1980).count() == 0
    assert not await albums.filter(title="Shelved").exists()
    assert await albums.get_or_none(title="Shelved") is None
    assert await albums.values_list("title", flat=True) == ["Lost", "Powerage", "Remote"]
    assert await albums.aggregate(n=orm.Count("id"), last=orm.Max("year")) == {"n": 3, "last": 1990}
    assert await albums.values("deleted_at").annotate(n=orm.Count("id")) == [{"deleted_at": None, "n": 3}]
    assert (await albums.order_by("-year").first()).title == "Remote"  # type: ignore[union-attr]
    assert (await albums.filter(year__lt=1990).latest("year")).title == "Powerage"
    assert await titles(albums.all()[:2]) == ["Lost", "Powerage"]
    assert await albums.order_by("year")[:3].aggregate(n=orm.Max("year")) == {"n": 1990}
    assert sorted(album.title for album in (await albums.in_bulk()).values()) == ["Lost", "Powerage", "Remote"]
    page = await albums.paginate(per_page=2)
    assert (page.total, page.pages) == (3, 2)
    edge = await albums.cursor_paginate(per_page=2)
    assert edge.next_cursor is not None
    assert [a.title for a in await albums.cursor_paginate(after=edge.next_cursor, per_page=2)] == ["Remote"]
    shelved = await albums.unfiltered().get(title="Shelved")
    assert not await albums.contains(shelved)
    assert await albums.unfiltered().contains(shelved)
    windowed = albums.annotate(n=orm.Window(orm.Count("id")))
    assert {album.n for album in await windowed} == {3}  # type: ignore[attr-defined]
    assert await windowed.filter(n=3).count() == 3


async def test_they_hold_in_subqueries_and_set_operations(shop: orm.Database) -> None:
    artists = Artist.objects
    late = Album.objects.filter(year__gte=1980)
    assert [a.name for a in await artists.filter(pk__in=late.values_list("artist"))] == ["Far"]
    theirs = Album.objects.filter(artist=orm.OuterRef("pk"), year=1980)
    assert [a.name for a in await artists.filter(orm.Exists(theirs))] == []
    assert [a.name for a in await artists.filter(orm.Exists(theirs.unfiltered()))] == ["AC/DC"]
    newest = Album.objects.filter(artist=orm.OuterRef("pk")).order_by("-year").values("title")[:1]
    found = await artists.annotate(newest=orm.Subquery(newest)).values_list("name", "newest")
    assert found == [("AC/DC", "Powerage"), ("Far", "Remote")]
    both = Album.objects.filter(year=1978).union(Album.objects.filter(year=1980))
    assert await titles(both) == ["Powerage"]
    both = Album.objects.filter(year=1978).union(Album.objects.unfiltered().filter(year=1980))
    assert await titles(both) == ["Powerage", "Shelved"]
    with pytest.raises(orm.FieldError, match="Call unfiltered\\(\\) on each query set"):
        both.unfiltered()
    early = orm.CTE("early", Album.objects.filter(year__lt=1985).values("id"))
    assert await titles(Album.objects.unfiltered().with_cte(early, id=early.c.id)) == ["Lost", "Powerage"]


async def test_they_hold_in_updates_and_deletes(shop: orm.Database) -> None:
    assert await Album.objects.all().update(year=2001) == 3
    assert await Album.objects.unfiltered().get(title="Shelved", year=1980)
    assert await Signed.objects.all().update(artist=await Artist.objects.get(name="Far")) == 1
    assert await Album.objects.all()[:1].update(year=orm.F("year") + 1) == 1
    assert await Album.objects.all().update(title=Coalesce("artist__name", orm.Value("?"))) == 3
    assert await Album.objects.filter(title="?").delete() == 1
    assert await Album.objects.all().delete() == 2
    assert await titles(Album.objects.unfiltered()) == ["Shelved"]
    assert await Album.objects.unfiltered().all().delete() == 1


async def test_they_hold_in_relations(shop: orm.Database) -> None:
    acdc = await Artist.objects.get(name="AC/DC")
    assert await titles(acdc.albums) == ["Powerage"]
    assert await titles(acdc.albums.unfiltered()) == ["Powerage", "Shelved"]
    assert await acdc.albums.count() == 1
    assert [tag.word for tag in await acdc.tags] == ["rock"]
    assert sorted([tag.word for tag in await acdc.tags.unfiltered()]) == ["pop", "rock"]
    rock = await Tag.objects.get(word="rock")
    assert [artist.name for artist in await rock.artists] == ["AC/DC"]  # type: ignore[attr-defined]
    await acdc.load("albums", "profile")
    assert [album.title for album in acdc.albums] == ["Powerage"]


async def test_they_hold_in_prefetches(shop: orm.Database) -> None:
    artists = Artist.objects.prefetch_related("albums", "tags", "profile")
    acdc, far = await artists
    assert [album.title for album in acdc.albums] == ["Powerage"]
    assert [tag.word for tag in acdc.tags] == ["rock"]
    assert acdc.profile is not None
    assert far.profile is None
    everything = await artists.unfiltered().order_by("name")
    assert [[album.title for album in artist.albums] for artist in everything] == [
        ["Powerage", "Shelved"],
        ["Remote"],
        ["Lost"],
    ]
    assert sorted([tag.word for tag in everything[0].tags]) == ["pop", "rock"]
    assert all(artist.profile is not None for artist in everything)
    one = await Artist.objects.prefetch_related(orm.Prefetch("albums", Album.objects.unfiltered())).get(name="AC/DC")
    assert len(one.albums) == 2
    deep = await Label.objects.prefetch_related("artists__albums").get(name="Albert")
    assert [[album.title for album in artist.albums] for artist in deep.artists] == [["Powerage"]]


async def test_hidden_rows_count_as_missing_in_conditions(shop: orm.Database) -> None:
    artists = Artist.objects
    assert [a.name for a in await artists.filter(albums__year=1980)] == []
    assert [a.name for a in await artists.unfiltered().filter(albums__year=1980)] == ["AC/DC"]
    assert [a.name for a in await artists.exclude(albums__year=1980)] == ["AC/DC", "Far"]
    assert [a.name for a in await artists.filter(albums__isnull=True)] == []
    assert await titles(Album.objects.filter(artist__name__isnull=True)) == ["Lost"]
    assert await titles(Album.objects.filter(artist__name="Gone")) == []
    assert await titles(Album.objects.exclude(artist__name="AC/DC")) == ["Lost", "Remote"]
    assert await titles(Album.objects.filter(artist__label__name="Other")) == []
    assert await titles(Album.objects.unfiltered("tenant").filter(artist__label__name="Other")) == ["Remote"]
    assert [a.name for a in await artists.filter(tags__word="pop")] == []
    assert [tag.word for tag in await Tag.objects.filter(artists__name="Gone")] == []
    assert [tag.word for tag in await Tag.objects.filter(artists__albums__title="Powerage")] == ["rock"]
    # A key is compared without looking at the row that it belongs to.
    gone = await artists.unfiltered().get(name="Gone")
    assert await titles(Album.objects.filter(artist=gone)) == ["Lost"]


async def test_they_hold_in_aggregates_of_related_rows(shop: orm.Database) -> None:
    counted = Artist.objects.annotate(n=orm.Count("albums"), first=orm.Min("albums__year"))
    assert await counted.values_list("name", "n", "first") == [("AC/DC", 1, 1978), ("Far", 1, 1990)]
    assert await Artist.objects.aggregate(n=orm.Count("albums")) == {"n": 2}
    assert await Artist.objects.unfiltered().aggregate(n=orm.Count("albums")) == {"n": 4}
    grouped = Artist.objects.unfiltered("tenant").values("label__name").annotate(n=orm.Count("albums"))
    assert sorted(await grouped.values_list("label__name", "n")) == [("Albert", 1), ("Other", 1)]
    by_year = Label.objects.unfiltered("tenant").annotate(year=orm.Max("artists__albums__year"))
    assert await by_year.values_list("name", "year") == [("Albert", 1978), ("Other", 1990)]


async def test_a_row_whose_relation_is_hidden_is_not_lost(shop: orm.Database) -> None:
    for albums in (Album.objects.select_related("artist__label"), Album.objects.prefetch_related("artist__label")):
        lost, powerage, remote = await albums
        assert powerage.artist is not None
        assert powerage.artist.label.name == "Albert"
        assert lost.artist is not None
        assert lost.artist.pk is not None
        with pytest.raises(orm.NotLoaded, match="artist"):
            _ = lost.artist.name
        assert remote.artist is not None
        assert remote.artist.name == "Far"
        with pytest.raises(orm.NotLoaded, match="label"):
            _ = remote.artist.label.name
    lost, *_ = await Album.objects.unfiltered().select_related("artist__label")
    assert lost.artist is not None
    assert lost.artist.name == "Gone"
    await Album.objects.create(title="Alone")
    alone, *_ = await Album.objects.select_related("artist").order_by("title")
    assert alone.artist is None
    acdc, far = await Artist.objects.select_related("profile")
    assert (acdc.profile is None, far.profile is None) == (False, True)


async def test_load_obeys_them_and_save_and_delete_do_not(shop: orm.Database) -> None:
    album = await Album.objects.get(title="Powerage")
    await album.update(deleted_at=GONE)
    with pytest.raises(orm.DoesNotExist, match=r"or is hidden: Album\.objects\.unfiltered\(\)\.get"):
        await album.load()
    with pytest.raises(orm.DoesNotExist, match="unfiltered"):
        await album.load("year")
    album.year = 1979
    await album.save()
    await album.update(year=orm.F("year") + 1)
    assert (await Album.objects.unfiltered().get(title="Powerage")).year == 1980
    album.deleted_at = None
    await Album.objects.bulk_update([album], ["deleted_at"])
    assert (await album.load()).year == 1980
    assert (await album.load("title")).title == "Powerage"
    await album.update(deleted_at=GONE)
    await album.delete()
    assert await Album.objects.unfiltered().filter(title="Powerage").count() == 0
    remote = await Album.objects.get(title="Remote")
    assert remote.artist is not None
    await Artist.objects.filter(name="Far").update(deleted_at=GONE)
    with pytest.raises(orm.DoesNotExist, match="unfiltered"):
        await remote.artist.load()


async def test_only_the_named_ones_are_lifted(shop: orm.Database) -> None:
    await Label.objects.create(name="Closed", deleted_at=GONE)
    assert [label.name for label in await Label.objects.unfiltered("active")] == ["Albert", "Closed"]
    assert [label.name for label in await Label.objects.unfiltered("tenant")] == ["Albert", "Other"]
    assert [label.name for label in await Label.objects.unfiltered("tenant").unfiltered("active")] == [
        "Albert",
        "Closed",
        "Other",
    ]
    with pytest.raises(orm.FieldError, match=r"No model has a default filter 'activ'. Choose from: active, tenant"):
        Label.objects.unfiltered("activ")


async def test_a_function_is_asked_with_each_query(shop: orm.Database) -> None:
    everyone = Label.objects.all()
    find = Label.objects.filter(name__startswith=orm.Param("start")).compiled()
    found = []
    for number in (1, 2, 3):
        tenant.set(number)
        found.append(([label.name for label in await everyone], [label.name for label in await find(start="O")]))
    assert found == [(["Albert"], []), (["Other"], ["Other"]), ([], [])]

    async def of(number: int) -> list[str]:
        tenant.set(number)
        await asyncio.sleep(0)
        return [label.name for label in await everyone]

    assert await asyncio.gather(of(1), of(2), of(1)) == [["Albert"], ["Other"], ["Albert"]]


async def test_values_do_not_enter_a_shape(shop: orm.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    finish = plans.finish

    def counted(*arguments: Any, **keywords: Any) -> plans.Plan:
        made.append(arguments[3])
        return finish(*arguments, **keywords)

    monkeypatch.setattr(plans, "finish", counted)
    Label.__schema__.plans.clear()  # type: ignore[attr-defined]
    for number in range(20):
        tenant.set(number)
        await Label.objects.filter(name="x")
        await Label.objects.filter(name="y").count()
    assert sorted(made) == ["count", "count", "select", "select"]
    assert len(Label.__schema__.plans) == 4  # type: ignore[attr-defined]


async def test_filters_over_relations(shop: orm.Database) -> None:
    assert await Signed.objects.values_list("artist__name", flat=True) == ["AC/DC"]
    assert await Signed.objects.count() == 1
    # The filter of an artist holds within that of what is signed, too: nobody knows the artist who is gone.
    assert await Signed.objects.unfiltered("album").values_list("artist__name", flat=True) == ["AC/DC"]
    assert await Signed.objects.unfiltered().count() == 3
    assert await Signed.objects.all().delete() == 1
    assert await Signed.objects.unfiltered().count() == 2


async def test_a_hidden_row_in_the_way_is_told(shop: orm.Database) -> None:
    label = await Label.objects.get(name="Albert")
    with pytest.raises(
        orm.UniqueViolation, match=r"Artist has a row with name='Gone', which a default filter hides \(ac"
    ):
        await Artist.objects.get_or_create(name="Gone", defaults={"label": label})
    with pytest.raises(orm.UniqueViolation, match="unfiltered"):
        await Artist.objects.update_or_create(name="Gone", defaults={"label": label})
    found, created = await Artist.objects.unfiltered().get_or_create(name="Gone")
    assert (found.name, created) == ("Gone", False)
    made, created = await Artist.objects.get_or_create(name="New", defaults={"label": label})
    assert (made.name, created) == ("New", True)
    gone = Artist(name="Gone", label=label)
    with pytest.raises(
        orm.FieldError, match=r"would conflict, too, and be changed. If that is meant: Artist.objects.un"
    ):
        await Artist.objects.bulk_create([gone], update_conflicts=True, update_fields=["label"], unique_fields=["name"])
    with pytest.raises(orm.FieldError, match="would conflict, too, and be given"):
        await Artist.objects.bulk_create([gone], ignore_conflicts=True, unique_fields=["name"])
    await Artist.objects.bulk_create([Artist(name="Gone", label=label)], ignore_conflicts=True)
    assert await Artist.objects.unfiltered().filter(name="Gone").count() == 1


async def test_related_sets_change_what_they_see(shop: orm.Database) -> None:
    acdc = await Artist.objects.get(name="AC/DC")
    shelved = await Album.objects.unfiltered().get(title="Shelved")
    await acdc.albums.clear()
    assert await titles(acdc.albums.unfiltered()) == ["Shelved"]
    await acdc.albums.remove(shelved)
    assert await titles(acdc.albums.unfiltered()) == []
    await acdc.albums.add(shelved)
    assert await titles(acdc.albums.unfiltered()) == ["Shelved"]
    await acdc.albums.unfiltered().clear()
    assert await titles(acdc.albums.unfiltered()) == []
    await acdc.tags.clear()
    assert [tag.word for tag in await acdc.tags.unfiltered()] == ["pop"]


async def test_locks_of_rows_that_may_be_hidden(shop: orm.Database) -> None:
    with pytest.raises(orm.FieldError, match=r"Artist\.label may be hidden by a default filter"):
        Artist.objects.select_related("label").select_for_update(of=["label"])
    async with shop.transaction():
        locked = Artist.objects.unfiltered().select_related("label")
        if shop.dialect.name == "postgresql":
            locked = locked.select_for_update(of=["label"])
        assert len(await locked) == 3
        assert len(await Artist.objects.select_for_update()) == 2


async def test_models_without_filters_are_read_as_ever(shop: orm.Database, url: str) -> None:
    recorder = Recorder()
    async with orm.Database(url, observers=[recorder]) as observed:
        await Tag.objects.using(observed).filter(word="rock")
        plan: Any = recorder.events[0].info
        assert plan.wanted == ()


async def test_what_is_pickled_is_filtered_later_too(shop: orm.Database) -> None:
    acdc = pickle.loads(pickle.dumps(await Artist.objects.get(name="AC/DC")))
    assert await titles(acdc.albums) == ["Powerage"]


async def test_a_statement_of_ones_own_is_not_filtered(shop: orm.Database) -> None:
    assert len(await Album.objects.from_statement("SELECT * FROM album")) == 4


def test_sql_has_them() -> None:
    text = Label.objects.sql("postgresql")
    assert "WHERE label.deleted_at IS NULL AND label.tenant = " in text
    assert "WHERE" not in Label.objects.unfiltered().sql("postgresql")
    statement = Label.objects.statement("postgresql")
    assert list(statement.compile().params.values()) == [1]


# ---------------------------------------------------------------- declaration


def declare(filters: Any, *bases: type[orm.Model], **fields: Any) -> Any:
    parents = bases or (Base,)
    meta = type("Meta", (), {"default_filters": filters, "registry": orm.Registry()})
    return type("Thing", parents, {"Meta": meta, "__module__": __name__, "name": orm.Text(), **fields})


async def _waits() -> orm.Q:
    return orm.Q()


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ([orm.Q(name="x")], "gives each filter a name"),
        ({"a b": orm.Q(name="x")}, "the name of a filter is an identifier, not 'a b'"),
        ({1: orm.Q(name="x")}, "the name of a filter is an identifier, not 1"),
        ({"x": "name"}, r"'x' is orm.Q\(…\) or a function that gives one, not 'name'"),
        ({"x": orm.Q(nam="x")}, "The default filter 'x' of Thing: Thing has no field 'nam'. Choose from: id, name"),
        ({"x": lambda name: orm.Q(name=name)}, "is called without arguments"),
        ({"x": _waits}, "is a coroutine function"),
        ({"x": orm.Count("name") > 1}, "has an aggregate or a window in it"),
    ],
)
def test_what_is_no_filter_is_refused(filters: Any, message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        declare(filters)


def test_a_function_that_gives_no_condition_is_told() -> None:
    thing = declare({"x": lambda: None})
    with pytest.raises(orm.FieldError, match="The default filter 'x' of Thing: None is no condition"):
        str(thing.objects.all())


def test_words_over_relations_to_later_models_are_checked_on_first_use() -> None:
    registry = orm.Registry()
    meta = type("Meta", (), {"registry": registry, "default_filters": {"x": orm.Q(other__nam="x")}})
    later = {"Meta": meta, "__module__": __name__, "other": orm.ForeignKey("Other")}
    first: Any = type("First", (orm.Model,), later)
    type("Other", (orm.Model,), {"Meta": type("Meta", (), {"registry": registry}), "__module__": __name__})
    with pytest.raises(orm.FieldError, match="The default filter 'x' of First: Other has no field 'nam'"):
        str(first.objects.all())


def test_they_are_inherited_one_by_one() -> None:
    assert list(Label.__schema__.options.default_filters) == ["active", "tenant"]  # type: ignore[attr-defined]
    without = declare({"active": None}, Deletable)
    assert without.__schema__.implied is None
    other = declare({"active": orm.Q(name="x")}, Deletable)
    assert "thing.name = " in other.objects.sql("sqlite")
    assert "deleted_at IS NULL" not in other.objects.sql("sqlite")


async def test_no_condition_hides_nothing(shop: orm.Database) -> None:
    models_here = orm.Registry(shop)
    meta = type("Meta", (), {"registry": models_here, "default_filters": {"x": lambda: orm.Q()}})
    thing: Any = type("Unhidden", (orm.Model,), {"Meta": meta, "__module__": __name__, "name": orm.Text()})
    await models_here.create_all()
    await thing.objects.create(name="x")
    assert await thing.objects.count() == 1
    assert await thing.objects.all().update(name="y") == 1
    await models_here.drop_all()


async def test_a_condition_that_nothing_lifts(shop: orm.Database) -> None:
    """What tells rows of one model from those of others in its table."""
    models_here = orm.Registry(shop)
    base = {"registry": models_here}
    owner: Any = type("Owner", (orm.Model,), {"Meta": type("Meta", (), base), "__module__": __name__})
    pet: Any = type(
        "Pet",
        (orm.Model,),
        {
            "Meta": type("Meta", (), base),
            "__module__": __name__,
            "kind": orm.String(max_length=9),
            "owner": orm.ForeignKey("Owner", related_name="pets"),
        },
    )
    pet.__schema__.implied = Implied(always=orm.Q(kind__in=["dog", "puppy"]))
    await models_here.create_all()
    somebody = await owner.objects.create()
    for kind in ("dog", "cat", "puppy"):
        await pet.objects.create(kind=kind, owner=somebody)
    assert await pet.objects.order_by("kind").values_list("kind", flat=True) == ["dog", "puppy"]
    assert await pet.objects.unfiltered().count() == 2
    assert await somebody.pets.count() == 2
    assert await owner.objects.filter(pets__kind="cat").count() == 0
    assert await owner.objects.annotate(n=orm.Count("pets")).values_list("n", flat=True) == [2]
    assert await pet.objects.all().update(kind="dog") == 2
    await models_here.drop_all()
