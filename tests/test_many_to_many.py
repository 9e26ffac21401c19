"""Rows between: their own columns, symmetrical relations, and models between that do not fit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
import pytest_asyncio

import orm
from tests.databases import created

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Band(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20)
    members: orm.RelatedSet[Musician] = orm.ManyToMany(
        "Musician", through="Membership", through_fields=("band", "musician"), related_name="bands"
    )
    memberships: orm.RelatedSet[Membership] = orm.Reverse("Membership.band")


class Musician(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20)
    friends: orm.RelatedSet[Musician] = orm.ManyToMany("Musician", symmetrical=True)
    rivals: orm.RelatedSet[Musician] = orm.ManyToMany("Musician", through="Rivalry", symmetrical=True)
    teachers: orm.RelatedSet[Musician] = orm.ManyToMany("Musician", related_name="pupils")


class Membership(Base):
    id: orm.Field[int] = orm.BigAutoField()
    band: orm.Related[Band] = orm.ForeignKey("Band", on_delete=orm.CASCADE)
    musician: orm.Related[Musician] = orm.ForeignKey("Musician", on_delete=orm.CASCADE)
    inviter: orm.Related[Musician | None] = orm.ForeignKey(
        "Musician", null=True, default=None, related_name="invited", on_delete=orm.SET_NULL
    )
    instrument: orm.Field[str] = orm.String(max_length=20)
    since: orm.Field[date | None] = orm.Date(null=True, default=None)

    class Meta(Base.Meta):
        constraints = [orm.UniqueConstraint("band", "musician")]


class Rivalry(Base):
    id: orm.Field[int] = orm.BigAutoField()
    one: orm.Related[Musician] = orm.ForeignKey("Musician", related_name="rivalries")
    other: orm.Related[Musician] = orm.ForeignKey("Musician", related_name="rivalries_of_others")
    reason: orm.Field[str] = orm.String(max_length=20, default="")


@pytest_asyncio.fixture
async def bands(database: orm.Database) -> AsyncIterator[orm.Database]:
    """The database with the tables of these models, empty."""
    async with created(models, database):
        yield database


async def _people(*names: str) -> list[Musician]:
    return await Musician.objects.bulk_create([Musician(name=name) for name in names])


def _names(people: Any) -> list[str]:
    return sorted(person.name for person in people)


# ---------------------------------------------------------------- columns of the rows between


async def test_rows_between_with_values(bands: orm.Database) -> None:
    ann, bob, cat = await _people("ann", "bob", "cat")
    band = await Band.objects.create(name="AC/DC")
    await band.members.add(ann, bob, through_defaults={"instrument": "drums", "inviter": cat})
    await band.members.add(ann, through_defaults={"instrument": "bass"})  # who is there stays as they are
    found = await Membership.objects.order_by("id").values_list("musician", "instrument", "inviter")
    assert found == [(ann.id, "drums", cat.id), (bob.id, "drums", cat.id)]
    dan = await band.members.create(name="dan", through_defaults={"instrument": "voice", "since": date(1980, 1, 1)})
    assert (await Membership.objects.get(musician=dan)).since == date(1980, 1, 1)
    await band.members.set([dan, cat], through_defaults={"instrument": lambda: "bass"})
    assert await Membership.objects.order_by("id").values_list("instrument", flat=True) == ["voice", "bass"]
    assert _names(await ann.bands) == []  # type: ignore[attr-defined]
    await cat.bands.add(band)  # type: ignore[attr-defined]
    other = await Band.objects.create(name="Other")
    await cat.bands.add(other, through_defaults={"instrument": "horn"})  # type: ignore[attr-defined]
    assert sorted(await Membership.objects.filter(musician=cat).values_list("instrument", flat=True)) == [
        "bass",
        "horn",
    ]


async def test_rows_between_are_read_and_prefetched(bands: orm.Database) -> None:
    ann, bob = await _people("ann", "bob")
    band = await Band.objects.create(name="AC/DC")
    await band.members.add(ann, through_defaults={"instrument": "drums"})
    await band.members.add(bob, through_defaults={"instrument": "bass", "inviter": ann})
    read = await Band.objects.prefetch_related(
        orm.Prefetch("memberships", Membership.objects.select_related("musician").order_by("instrument"))
    ).get(pk=band.pk)
    assert [(m.musician.name, m.instrument) for m in read.memberships] == [("bob", "bass"), ("ann", "drums")]
    assert await Band.objects.filter(memberships__instrument="bass", memberships__musician=bob).count() == 1
    assert await Band.objects.filter(memberships__instrument="drums", memberships__musician=bob).count() == 0
    assert [m.musician_id for m in await ann.invited] == [bob.id]  # type: ignore[attr-defined]
    assert _names((await Band.objects.prefetch_related("members").get(pk=band.pk)).members) == ["ann", "bob"]


async def test_values_that_do_not_fit_are_refused(bands: orm.Database) -> None:
    ann, bob = await _people("ann", "bob")
    band = await Band.objects.create(name="AC/DC")
    with pytest.raises(orm.ValidationError, match="instrument: a value is required"):
        await band.members.add(ann)
    with pytest.raises(orm.ValidationError, match="instrument: a value is required"):
        await band.members.create(name="x")
    assert await Musician.objects.filter(name="x").count() == 0
    with pytest.raises(orm.FieldError, match="Membership has no field 'style'"):
        await band.members.add(ann, through_defaults={"style": 1})
    for key in ("band", "musician_id"):
        with pytest.raises(orm.FieldError, match="the rows that are related say it"):
            await band.members.set([ann], through_defaults={key: 1})
    with pytest.raises(orm.FieldError, match="memberships has no rows between"):
        await band.memberships.add(through_defaults={"instrument": "x"})
    with pytest.raises(orm.FieldError, match="memberships has no rows between"):
        await band.memberships.create(musician=bob, instrument="x", through_defaults={})
    with pytest.raises(orm.FieldError, match="has no field 'since'"):
        await ann.friends.add(bob, through_defaults={"since": 1})
    assert await Membership.objects.count() == 0


# ---------------------------------------------------------------- symmetrical relations


async def test_symmetrical_relations(bands: orm.Database) -> None:
    ann, bob, cat = await _people("ann", "bob", "cat")
    await ann.friends.add(bob, cat)
    assert (_names(await ann.friends), _names(await bob.friends)) == (["bob", "cat"], ["ann"])
    assert _names(await Musician.objects.filter(friends=ann)) == ["bob", "cat"]
    await bob.friends.add(ann)  # is there already
    rows = Musician.friends._schema.relation("friends").through[0].target.model  # type: ignore[attr-defined]
    assert await rows.objects.count() == 4
    await cat.friends.remove(ann)
    assert (_names(await ann.friends), _names(await cat.friends)) == (["bob"], [])
    await ann.friends.set([cat])
    assert (_names(await bob.friends), _names(await cat.friends)) == ([], ["ann"])
    dan = await cat.friends.create(name="dan")
    assert _names(await dan.friends) == ["cat"]
    everyone = await Musician.objects.prefetch_related("friends").order_by("name")
    assert [_names(one.friends) for one in everyone] == [["cat"], [], ["ann", "dan"], ["cat"]]
    await cat.friends.clear()
    assert await rows.objects.count() == 0
    await ann.friends.add(ann)
    assert _names(await ann.friends) == ["ann"]
    assert await rows.objects.count() == 1
    await ann.friends.remove(ann)
    assert await rows.objects.count() == 0


async def test_symmetrical_relations_over_a_model_of_ones_own(bands: orm.Database) -> None:
    ann, bob = await _people("ann", "bob")
    await ann.rivals.add(bob, through_defaults={"reason": "fame"})
    assert await Rivalry.objects.values_list("reason", flat=True) == ["fame", "fame"]
    assert _names(await bob.rivals) == ["ann"]
    await Rivalry.objects.filter(one=bob).delete()
    await ann.rivals.add(bob)  # the half that is missing
    assert await Rivalry.objects.order_by("id").values_list("one", "other") == [(ann.id, bob.id), (bob.id, ann.id)]


async def test_other_self_relations_have_a_direction(bands: orm.Database) -> None:
    ann, bob = await _people("ann", "bob")
    await ann.teachers.add(bob)
    assert (_names(await ann.teachers), _names(await bob.teachers)) == (["bob"], [])
    assert _names(await bob.pupils) == ["ann"]  # type: ignore[attr-defined]


async def test_all_or_none_of_the_rows_between(bands: orm.Database) -> None:
    ann, bob = await _people("ann", "bob")
    sql = "DELETE FROM musician WHERE name = 'bob'"
    await bands.execute(sql)
    with pytest.raises(orm.ForeignKeyViolation):
        await ann.friends.add(ann, bob)
    assert _names(await ann.friends) == []


# ---------------------------------------------------------------- declarations


def _declare(registry: orm.Registry, name: str, **body: Any) -> Any:
    meta = type("Meta", (), {"registry": registry})
    return type(orm.Model)(name, (orm.Model,), {"__module__": __name__, "Meta": meta, **body})


def test_models_between_that_do_not_fit_are_refused_at_their_class() -> None:
    registry = orm.Registry()
    _declare(registry, "Book", tags=orm.ManyToMany("Tag", through="Tagging"))
    _declare(registry, "Tag")
    with pytest.raises(orm.FieldError, match=r"Book.tags goes through Tagging, which needs a foreign key to Tag\."):
        _declare(registry, "Tagging", book=orm.ForeignKey("Book"))
    with pytest.raises(orm.FieldError, match=r"several foreign keys to Tag: tag, other. Say which is meant"):
        _declare(
            registry,
            "Tagging",
            book=orm.ForeignKey("Book"),
            tag=orm.ForeignKey("Tag"),
            other=orm.ForeignKey("Tag"),
        )
    between = _declare(registry, "Tagging", book=orm.ForeignKey("Book"), tag=orm.ForeignKey("Tag"))
    assert registry.schemas["Book"].relation("tags").through[0].target is between.__schema__  # type: ignore[union-attr]
    with pytest.raises(orm.FieldError, match=r"Shelf.books goes through Tagging, which needs a foreign key to Shelf"):
        _declare(registry, "Shelf", books=orm.ManyToMany("Book", through="Tagging"))
    with pytest.raises(orm.FieldError, match=r"Name them with through_fields"):
        _declare(registry, "Shelf", tags=orm.ManyToMany("Tag", through="Tagging", through_fields=("book", "tag")))
    _declare(registry, "Edge", start=orm.ForeignKey("Node"))
    with pytest.raises(orm.FieldError, match=r"Node.next goes through Edge, which needs two foreign keys to Node"):
        _declare(registry, "Node", next=orm.ManyToMany("Node", through="Edge"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symmetrical": True}, "M.others is symmetrical, and its other side is Other"),
        ({"symmetrical": True, "related_name": "x"}, "its own other side. Leave related_name='x' out"),
        ({"through_fields": ("a", "b")}, "not .*'a', 'b'.* without through"),
        ({"through": "T", "through_fields": ("a",)}, "through_fields are the names of two keys"),
        ({"through": "T", "through_fields": ("a", "a")}, "through_fields are the names of two keys"),
        ({"through": "T", "through_fields": "ab"}, "through_fields are the names of two keys"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        _declare(orm.Registry(), "M", others=orm.ManyToMany("Other", **options))


def test_a_generated_model_between_needs_keys_of_one_field() -> None:
    registry = orm.Registry()
    _declare(registry, "Weather", a=orm.Integer(), b=orm.Integer(), pk=orm.CompositePrimaryKey("a", "b"))
    with pytest.raises(orm.FieldError, match=r"needs them in a model between of your own: through="):
        _declare(registry, "Station", weather=orm.ManyToMany("Weather"))
