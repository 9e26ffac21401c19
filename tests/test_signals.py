"""Signals: who is told of what is written, when, and what a receiver that raises undoes."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm import signals
from orm.signals import BulkCreateEvent, BulkDeleteEvent, BulkUpdateEvent, DeleteEvent, ManyToManyEvent, SaveEvent
from tests.databases import created
from tests.recorder import Recorder

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Named(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20)

    class Meta(Base.Meta):
        abstract = True


class Artist(Named):
    slug: orm.Field[str | None] = orm.String(max_length=20, null=True, default=None, unique=True)
    data: orm.Field[Any] = orm.JSON(default=dict)
    albums: orm.RelatedSet[Album] = orm.Reverse("Album.artist")


class Album(Named):
    artist: orm.Related[Artist | None] = orm.ForeignKey("Artist", null=True, default=None, on_delete=orm.CASCADE)
    tags: orm.RelatedSet[Tag] = orm.ManyToMany("Tag", related_name="albums")


class Tag(Named):
    pass


class Log(Base):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.Text()


class RefusedError(Exception):
    """What receivers raise."""


async def refuse(event: Any) -> None:
    await Log.objects.create(text="refused")
    raise RefusedError


@pytest.fixture(autouse=True)
def _unconnected() -> Iterator[None]:
    yield
    for signal in signals.SIGNALS:
        for _, receiver in [*signal._connections]:
            if any(one == receiver for _, one in signal._connections):
                signal.disconnect(receiver)
    assert Artist.__schema__.receivers is None  # type: ignore[attr-defined]


@pytest_asyncio.fixture
async def shop(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(models, database):
        yield database


def listen(*models: type[orm.Model]) -> list[tuple[str, Any]]:
    """What is told from now on."""
    told: list[tuple[str, Any]] = []

    def of(signal: signals.Signal[Any]) -> None:
        async def receiver(event: Any) -> None:
            told.append((signal.name, event))

        signal.connect(*models)(receiver)

    for signal in signals.SIGNALS:
        of(signal)
    return told


def names(told: list[tuple[str, Any]]) -> list[str]:
    found = [name for name, _ in told]
    told.clear()
    return found


async def test_saves_are_told(shop: orm.Database) -> None:
    told = listen(Artist)
    acdc = await Artist.objects.create(name="AC/DC")
    (before, first), (after, second) = told
    assert (before, after) == ("pre_save", "post_save")
    assert isinstance(first, SaveEvent)
    assert (first.instance, first.created, first.database) == (acdc, True, shop)
    assert first.fields == ("id", "name", "slug", "data")
    assert second.created
    assert names(told) == ["pre_save", "post_save"]
    acdc.name = "ABBA"
    await acdc.save()
    assert [(event.created, event.fields) for _, event in told] == [(False, ("name",)), (False, ("name",))]
    assert names(told) == ["pre_save", "post_save"]
    await acdc.save()  # nothing is written
    assert names(told) == []
    await acdc.update(slug="abba")
    assert [event.fields for _, event in told] == [("slug",), ("slug",)]
    assert names(told) == ["pre_save", "post_save"]
    await acdc.update(name=orm.F("slug"))
    assert names(told) == ["pre_save", "post_save"]
    await Artist(name="Zappa").save()
    assert names(told) == ["pre_save", "post_save"]
    await acdc.save(fields=["name"])
    assert names(told) == ["pre_save", "post_save"]
    with pytest.raises(orm.InterfaceError, match="is new"):
        await Artist(name="Zappa").save(fields=["name"])
    with pytest.raises(orm.FieldError, match="no field 'nam'"):
        await acdc.save(fields=["nam"])
    assert names(told) == []
    await acdc.delete()
    assert [type(event) for _, event in told] == [DeleteEvent, DeleteEvent]
    assert told[1][1].instance.pk is not None
    assert names(told) == ["pre_delete", "post_delete"]
    with pytest.raises(orm.InterfaceError, match="has no row to delete"):
        await acdc.delete()
    assert names(told) == []


async def test_rows_that_are_got_or_created_are_told(shop: orm.Database) -> None:
    told = listen(Artist)
    made, created = await Artist.objects.get_or_create(slug="acdc", defaults={"name": "AC/DC"})
    assert created
    assert names(told) == ["pre_save", "post_save"]
    assert (await Artist.objects.get_or_create(slug="acdc", defaults={"name": "x"}))[0] == made
    assert names(told) == []
    await Artist.objects.update_or_create(slug="acdc", defaults={"name": "AC-DC"})
    assert [event.created for _, event in told] == [False, False]
    assert names(told) == ["pre_save", "post_save"]
    await made.albums.get_or_create(name="Powerage")
    await made.albums.create(name="Live")
    assert names(told) == []


async def test_writes_of_many_rows_are_told(shop: orm.Database) -> None:
    told = listen(Artist)
    rows = await Artist.objects.bulk_create([Artist(name="a"), Artist(name="b", slug="b")])
    assert isinstance(told[0][1], BulkCreateEvent)
    assert (told[0][1].model, told[1][1].instances) == (Artist, tuple(rows))
    assert names(told) == ["pre_bulk_create", "post_bulk_create"]
    again = [Artist(name="c", slug="b")]
    await Artist.objects.bulk_create(again, update_conflicts=True, update_fields=["name"], unique_fields=["slug"])
    assert names(told) == ["pre_bulk_create", "post_bulk_create"]
    assert again[0].pk == rows[1].pk
    rows[0].name = "d"
    assert await Artist.objects.bulk_update(rows, ["name"]) == 2
    (_, before), (_, after) = told
    assert isinstance(before, BulkUpdateEvent)
    assert (before.instances, before.fields, before.queryset, before.count) == (tuple(rows), ("name",), None, None)
    assert after.count == 2
    assert names(told) == ["pre_bulk_update", "post_bulk_update"]
    seen: list[Any] = []

    @signals.pre_bulk_delete.connect(Artist)
    async def look(event: BulkDeleteEvent[Artist]) -> None:
        seen.extend(await event.queryset.values_list("name", flat=True))

    assert await Artist.objects.filter(name="d").update(name="e", slug="e") == 1
    assert (told[0][1].values, told[0][1].fields) == ({"name": "e", "slug": "e"}, ("name", "slug"))
    assert told[1][1].count == 1
    assert names(told) == ["pre_bulk_update", "post_bulk_update"]
    assert await Artist.objects.filter(name="e").delete() == 1
    assert (told[0][1].count, told[1][1].count) == (None, 1)
    assert names(told) == ["pre_bulk_delete", "post_bulk_delete"]
    assert seen == ["e"]
    assert await Artist.objects.none().update(name="x") == 0
    assert await Artist.objects.none().delete() == 0
    assert await Artist.objects.bulk_create([]) == []
    assert names(told) == []
    if shop.capabilities.returning and shop.dialect.name != "mysql":
        await Artist.objects.all().returning().update(name="f")
        await Artist.objects.all().returning("id").delete()
        assert names(told) == ["pre_bulk_update", "post_bulk_update", "pre_bulk_delete", "post_bulk_delete"]


async def test_changes_of_many_to_many_relations_are_told(shop: orm.Database) -> None:
    told = listen(Album)
    album, other = await Album.objects.create(name="Powerage"), await Album.objects.create(name="Live")
    rock, pop = [await Tag.objects.create(name=name) for name in ("rock", "pop")]
    told.clear()
    await album.tags.add(rock)
    event = told[0][1]
    assert isinstance(event, ManyToManyEvent)
    assert (event.action, event.instance, event.relation, event.reverse) == ("pre_add", album, "tags", False)
    assert (event.model, event.keys, event.database) == (Tag, frozenset({rock.pk}), shop)
    assert [event.action for _, event in told] == ["pre_add", "post_add"]
    told.clear()
    await album.tags.add(rock)  # it is there already
    assert told == []
    await album.tags.set([pop])
    assert [(event.action, event.keys) for _, event in told] == [
        ("pre_remove", {rock.pk}),
        ("post_remove", {rock.pk}),
        ("pre_add", {pop.pk}),
        ("post_add", {pop.pk}),
    ]
    told.clear()
    albums: Any = pop.albums  # type: ignore[attr-defined]
    await albums.add(other)
    assert [(event.action, event.instance, event.relation, event.reverse) for _, event in told] == [
        ("pre_add", pop, "albums", True),
        ("post_add", pop, "albums", True),
    ]
    told.clear()
    await album.tags.remove(pop)
    await albums.clear()
    assert [(event.action, event.keys) for _, event in told] == [
        ("pre_remove", {pop.pk}),
        ("post_remove", {pop.pk}),
        ("pre_clear", None),
        ("post_clear", None),
    ]
    told.clear()
    await album.tags.create(name="jazz")
    assert names(told) == ["m2m_changed", "m2m_changed"]


async def test_changes_of_foreign_keys_are_updates(shop: orm.Database) -> None:
    told = listen(Album)
    acdc = await Artist.objects.create(name="AC/DC")
    album = await Album.objects.create(name="Powerage")
    told.clear()
    await acdc.albums.add(album)
    await acdc.albums.remove(album)
    await acdc.albums.bulk_create([Album(name="Live")])
    assert names(told) == [*["pre_bulk_update", "post_bulk_update"] * 2, "pre_bulk_create", "post_bulk_create"]


async def test_receivers_are_awaited_in_order_inside_the_transaction(shop: orm.Database) -> None:
    order: list[str] = []

    @signals.pre_save.connect(Artist)
    async def slugify(event: SaveEvent[Artist]) -> None:
        assert event.database.in_transaction()
        event.instance.slug = event.instance.name.lower()
        order.append("slugify")

    @signals.post_save.connect(Artist)
    async def log(event: SaveEvent[Artist]) -> None:
        order.append("log")
        await Log.objects.create(text=f"{event.instance.name} {event.created}")
        event.database.on_commit(lambda: order.append("committed"))

    @signals.post_save.connect(Artist)
    async def after(event: SaveEvent[Artist]) -> None:
        order.append("after")

    acdc = await Artist.objects.create(name="ACDC")
    assert order == ["slugify", "log", "after", "committed"]
    assert acdc.slug == "acdc"
    assert (await Artist.objects.get(slug="acdc")) == acdc
    acdc.name = "ABBA"
    await acdc.save()
    assert (await Artist.objects.get(slug="abba")) == acdc
    assert await Log.objects.order_by("id").values_list("text", flat=True) == ["ACDC True", "ABBA False"]
    order.clear()
    async with shop.transaction():
        await acdc.update(name="x")
        assert order == ["slugify", "log", "after"]
    assert order == ["slugify", "log", "after", "committed"]
    # update() names what is written, so what the receiver set is a change that waits
    assert await Artist.objects.values_list("name", "slug") == [("x", "abba")]
    assert acdc.slug == "x"
    await acdc.save()
    assert await Artist.objects.filter(slug="x").exists()


@pytest.mark.parametrize("signal", [signals.pre_save, signals.post_save])
async def test_a_save_that_is_refused_leaves_nothing(shop: orm.Database, signal: signals.Signal[Any]) -> None:
    stored = await Artist.objects.create(name="stored", data={"a": 1})
    await stored.load()

    async def change(event: SaveEvent[Artist]) -> None:
        event.instance.slug = "changed"

    signals.pre_save.connect(Artist)(change)
    signal.connect(Artist)(refuse)
    new = Artist(name="new")
    new.extra = "kept"  # type: ignore[attr-defined]
    for _ in range(2):
        with pytest.raises(RefusedError):
            await new.save()
        assert new.pk is None
        assert new.slug is None
        assert "(new)" in repr(new)
        assert new.extra == "kept"  # type: ignore[attr-defined]
    with pytest.raises(RefusedError):
        await Artist.objects.create(name="x")
    with pytest.raises(RefusedError):
        await Artist.objects.get_or_create(slug="y", defaults={"name": "y"})
    stored.name = "changed"
    stored.data["a"] = 2
    with pytest.raises(RefusedError):
        await stored.save()
    assert (stored.name, stored.slug) == ("changed", None)
    assert await Artist.objects.values_list("name", flat=True) == ["stored"]
    assert await Log.objects.count() == 0
    async with shop.transaction():
        await Log.objects.create(text="kept")
        with pytest.raises(RefusedError):
            await stored.save()
        await Log.objects.create(text="kept, too")
    assert await Log.objects.count() == 2
    signal.disconnect(refuse)
    signals.pre_save.disconnect(change)
    await new.save()
    await stored.save()
    assert await Artist.objects.order_by("id").values_list("name", "data") == [("changed", {"a": 2}), ("new", {})]


@pytest.mark.parametrize("signal", [signals.pre_delete, signals.post_delete])
async def test_a_delete_that_is_refused_leaves_the_row(shop: orm.Database, signal: signals.Signal[Any]) -> None:
    acdc = await Artist.objects.create(name="AC/DC")
    with signal.connected(refuse, Artist), pytest.raises(RefusedError):
        await acdc.delete()
    assert "(new)" not in repr(acdc)
    assert await Artist.objects.count() == 1
    await acdc.delete()
    assert await Artist.objects.count() == 0


@pytest.mark.parametrize("when", ["pre", "post"])
async def test_writes_of_many_rows_that_are_refused_leave_nothing(shop: orm.Database, when: str) -> None:
    acdc = await Artist.objects.create(name="AC/DC")
    for kind in ("create", "update", "delete"):
        getattr(signals, f"{when}_bulk_{kind}").connect(Artist)(refuse)
    new = [Artist(name="a"), Artist(name="b")]
    with pytest.raises(RefusedError):
        await Artist.objects.bulk_create(new)
    assert [one.pk for one in new] == [None, None]
    acdc.name = "x"
    with pytest.raises(RefusedError):
        await Artist.objects.bulk_update([acdc], ["name"])
    with pytest.raises(RefusedError):
        await Artist.objects.all().update(name="x")
    with pytest.raises(RefusedError):
        await Artist.objects.all().delete()
    assert await Artist.objects.values_list("name", flat=True) == ["AC/DC"]
    assert await Log.objects.count() == 0
    for kind in ("create", "update", "delete"):
        getattr(signals, f"{when}_bulk_{kind}").disconnect(refuse)
    await acdc.save()  # its change is still one
    assert await Artist.objects.values_list("name", flat=True) == ["x"]


async def test_a_change_of_a_relation_that_is_refused_leaves_it(shop: orm.Database) -> None:
    album, rock = await Album.objects.create(name="Powerage"), await Tag.objects.create(name="rock")
    with signals.m2m_changed.connected(refuse, Album):
        with pytest.raises(RefusedError):
            await album.tags.add(rock)
        with pytest.raises(RefusedError):
            await album.tags.create(name="pop")
    assert await album.tags.count() == 0
    assert await Tag.objects.count() == 1
    await album.tags.add(rock)
    with signals.m2m_changed.connected(refuse, Album):
        for change in (album.tags.remove(rock), album.tags.clear(), album.tags.set([])):
            with pytest.raises(RefusedError):
                await change
    assert await album.tags.count() == 1
    assert await Log.objects.count() == 0


async def test_bases_and_all_models(shop: orm.Database) -> None:
    everything, named, artists = listen(), listen(Named), listen(Artist, Tag)
    await Artist.objects.create(name="AC/DC")
    await Tag.objects.create(name="rock")
    await Album.objects.create(name="Powerage")
    await Log.objects.create(text="x")
    assert [len(everything), len(named), len(artists)] == [8, 6, 4]
    for told in (everything, named, artists):
        told.clear()
    registry = orm.Registry(shop)
    later: Any = type("Later", (Named,), {"__module__": __name__, "Meta": type("Meta", (), {"registry": registry})})
    await registry.create_all()
    await later.objects.create(name="x")
    assert [len(everything), len(named), len(artists)] == [2, 2, 0]
    await registry.drop_all()


async def test_a_receiver_is_told_once(shop: orm.Database) -> None:
    told: list[Any] = []

    async def receiver(event: Any) -> None:
        told.append(event)

    signals.post_save.connect(Artist)(receiver)
    signals.post_save.connect(Artist)(receiver)
    signals.post_save.connect(Named)(receiver)
    await Artist.objects.create(name="x")
    assert len(told) == 1
    signals.post_save.disconnect(receiver, Artist)
    await Artist.objects.create(name="y")
    assert len(told) == 2
    signals.post_save.disconnect(receiver, Named)
    await Artist.objects.create(name="z")
    assert len(told) == 2
    with pytest.raises(orm.FieldError, match="is not connected to post_save of these models"):
        signals.post_save.disconnect(receiver)
    gc.collect()  # receivers are not weakly held


async def test_only_what_is_heard_has_a_transaction(shop: orm.Database, url: str) -> None:
    class Counting(Recorder):
        began = 0

        def begin(self, *arguments: Any, **words: Any) -> None:
            self.began += 1

    counting = Counting()
    async with orm.Database(url, max_size=5, observers=[counting]) as observed:
        models.database = observed

        async def deleted(event: DeleteEvent[Artist]) -> None:
            pass

        with signals.post_delete.connected(deleted, Artist):
            acdc = await Artist.objects.create(name="AC/DC")
            await Artist.objects.all().update(name="x")
            await acdc.update(name="y")
            assert counting.began == 0
            await acdc.delete()
            assert counting.began == 1
        await Artist.objects.create(name="AC/DC")
        assert counting.began == 1
    models.database = shop


async def test_an_object_may_be_a_receiver(shop: orm.Database) -> None:
    class Index:
        seen = 0

        async def __call__(self, event: SaveEvent[Artist]) -> None:
            self.seen += 1

    index = Index()
    with signals.post_save.connected(index, Artist):
        await Artist.objects.create(name="x")
    await Artist.objects.create(name="y")
    assert index.seen == 1


async def test_a_method_may_be_a_receiver(shop: orm.Database) -> None:
    class Index:
        seen = 0

        async def add(self, event: SaveEvent[Artist]) -> None:
            self.seen += 1

    index, other = Index(), Index()
    signals.post_save.connect(Artist)(index.add)
    signals.post_save.connect(Named)(index.add)
    signals.post_save.connect(Artist)(other.add)
    await Artist.objects.create(name="x")
    signals.post_save.disconnect(index.add)
    await Artist.objects.create(name="y")
    assert (index.seen, other.seen) == (1, 2)


async def test_what_is_connected_stays_so_after_a_block(shop: orm.Database) -> None:
    told: list[Any] = []

    async def receiver(event: Any) -> None:
        told.append(event)

    signals.post_save.connect(Artist)(receiver)
    with signals.post_save.connected(receiver, Artist, Tag):
        await Tag.objects.create(name="x")
    await Tag.objects.create(name="y")
    await Artist.objects.create(name="z")
    assert [event.instance.name for event in told] == ["x", "z"]


def test_what_cannot_be_connected_is_refused() -> None:
    def plain(event: Any) -> None:
        pass

    with pytest.raises(orm.FieldError, match=r"A receiver is a coroutine function \(async def …\(event\)\), not <func"):
        signals.post_save.connect(Artist)(plain)  # type: ignore[arg-type]
    with pytest.raises(orm.FieldError, match="Signals are about models, not <function"):
        signals.post_save.connect(refuse)  # type: ignore[arg-type]
    with pytest.raises(orm.FieldError, match="Signals are about models, not 'Artist'"):
        signals.post_save.connect("Artist")  # type: ignore[arg-type]


def test_events_do_not_change() -> None:
    event = SaveEvent(Artist(name="x"), True, (), orm.Database("sqlite:///:memory:"))
    with pytest.raises(FrozenInstanceError):
        event.created = False  # type: ignore[misc]
    assert repr(signals.post_save) == "<Signal post_save: 0 connections>"
