"""Features that meet: heirs, keys of several fields, default filters, generic keys, signals, versions, own types."""

from __future__ import annotations

import datetime as dt
import enum
import pickle
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

import orm
from orm import Count, Exists, F, Max, OuterRef, Prefetch, Q, Subquery, signals
from tests.databases import created

tenant: ContextVar[int] = ContextVar("tenant", default=1)
models = orm.Registry()
GONE = dt.datetime(2024, 1, 2, tzinfo=dt.UTC)


class RefusedError(Exception):
    """What a receiver raises."""


class Kind(enum.Enum):
    PARTY = "party"
    PERSON = "person"
    FIRM = "firm"
    BRANCH = "branch"


@dataclass(frozen=True)
class Money:
    cents: int


def money(**options: Any) -> orm.Field[Any]:
    return orm.custom_field(
        Money, orm.BigInteger(ge=0), to_database=lambda value: value.cents, from_database=Money, **options
    )


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Owned(Base):
    deleted_at: orm.Field[dt.datetime | None] = orm.DateTime(null=True, default=None)
    tenant: orm.Field[int] = orm.Integer(default=lambda: tenant.get())

    class Meta(Base.Meta):
        abstract = True
        default_filters = {"active": Q(deleted_at=None), "tenant": lambda: Q(tenant=tenant.get())}


class Country(Base):
    id: orm.Field[int] = orm.BigAutoField()
    code: orm.Field[str] = orm.String(max_length=2, unique=True, validators=[str.upper])
    name: orm.Field[str] = orm.String(max_length=20)
    sites: orm.RelatedSet[Site] = orm.Reverse("Site.country")


class Site(Base):
    country: orm.Related[Country] = orm.ForeignKey("Country", to_field="code", on_delete=orm.CASCADE)
    code: orm.Field[int] = orm.Integer()
    name: orm.Field[str] = orm.String(max_length=20)
    stage: orm.Field[str] = orm.String(max_length=10, default="site")
    pk: Any = orm.CompositePrimaryKey("country", "code")
    desks: orm.RelatedSet[Desk] = orm.Reverse("Desk.site")

    class Meta(Base.Meta):
        polymorphic_on = "stage"


class Depot(Site):
    size: orm.Field[int] = orm.Integer(default=0)
    doubled: orm.Field[int] = orm.Generated(F("size") * 2, output_field=orm.Integer())


class PartyQuerySet(orm.QuerySet["Party"]):
    def rich(self) -> Any:
        return self.filter(wealth__gt=Money(100))


class Party(Owned):
    id: orm.Field[int] = orm.BigAutoField()
    kind: orm.Field[Kind] = orm.Enum(Kind, default=Kind.PARTY)
    name: orm.Field[str] = orm.String(max_length=40, validators=[str.strip])
    wealth: orm.Field[Money] = money(default=Money(0))
    version: orm.Field[int] = orm.Version()
    changed: orm.Field[dt.datetime] = orm.DateTime(auto_now="database")
    home: Any = orm.ForeignKey("Country", to_field="code", null=True, default=None, related_name="parties")
    desks: orm.RelatedSet[Desk] = orm.Reverse("Desk.party")
    notes: orm.RelatedSet[Note] = orm.Reverse("Note.subject")

    objects = PartyQuerySet.as_manager()

    class Meta(Owned.Meta):
        polymorphic_on = "kind"
        polymorphic_identity = Kind.PARTY
        ordering = ["name"]


class Person(Party):
    age: orm.Field[int] = orm.Integer(default=0)
    decade: orm.Field[int] = orm.Generated(F("age") * 10, output_field=orm.Integer())
    friends: orm.RelatedSet[Person] = orm.ManyToMany("Person", symmetrical=True)
    firms: orm.RelatedSet[Firm] = orm.ManyToMany("Firm", through="Membership", related_name="people")

    class Meta(Party.Meta):
        polymorphic_identity = Kind.PERSON

    def clean(self) -> None:
        if self.age > 200:
            raise orm.ValidationError({"age": "too old"})


class Elder(Person):
    class Meta(Person.Meta):
        proxy = True
        default_filters = {"elder": Q(age__gte=60)}


class Firm(Party):
    site_country: orm.Field[str | None] = orm.String(max_length=2, null=True, default=None)
    site_code: orm.Field[int | None] = orm.Integer(null=True, default=None)
    site: Any = orm.ForeignKey("Site", from_fields=("site_country", "site_code"), related_name="firms")
    boss: Any = orm.ForeignKey("Person", null=True, default=None, on_delete=orm.SET_NULL, related_name="bosses")

    class Meta(Party.Meta):
        polymorphic_identity = Kind.FIRM


class Branch(Firm):
    parent: Any = orm.ForeignKey("Firm", related_name="branches", on_delete=orm.CASCADE)
    number: orm.Field[int] = orm.Integer(default=1)

    class Meta(Firm.Meta):
        polymorphic_identity = Kind.BRANCH


class Membership(Base):
    person: orm.Related[Person] = orm.ForeignKey("Person", on_delete=orm.CASCADE)
    firm: orm.Related[Firm] = orm.ForeignKey("Firm", on_delete=orm.CASCADE)
    since: orm.Field[int] = orm.Integer(default=2000)
    pk: Any = orm.CompositePrimaryKey("person", "firm")


class Desk(Owned):
    id: orm.Field[int] = orm.BigAutoField()
    country: orm.Field[str] = orm.String(max_length=2)
    code: orm.Field[int] = orm.Integer()
    site: Any = orm.ForeignKey("Site", from_fields=("country", "code"), on_delete=orm.CASCADE)
    party: orm.Related[Party] = orm.ForeignKey("Party", on_delete=orm.CASCADE)
    label: orm.Field[str] = orm.String(max_length=10)
    price: orm.Field[Money | None] = money(null=True, default=None)

    class Meta(Owned.Meta):
        ordering = ["label"]


class Paper(Owned):
    id: orm.Field[int] = orm.BigAutoField()
    kind: orm.Field[int] = orm.Integer(default=0)
    label: orm.Field[str] = orm.String(max_length=10)
    version: orm.Field[int] = orm.Version()
    notes: orm.RelatedSet[Note] = orm.Reverse("Note.subject")

    class Meta(Owned.Meta):
        polymorphic_on = "kind"
        polymorphic_identity = 0
        inheritance = "single"
        ordering = ["label"]


class Invoice(Paper):
    amount: orm.Field[Money | None] = money(null=True, default=None)
    party: Any = orm.ForeignKey("Party", null=True, default=None, on_delete=orm.CASCADE, related_name="invoices")

    class Meta(Paper.Meta):
        polymorphic_identity = 1


class Letter(Paper):
    code: orm.Field[str | None] = orm.String(max_length=10, null=True, default=None, unique=True)
    to: Any = orm.ForeignKey("Person", null=True, default=None, on_delete=orm.SET_NULL, related_name="letters")
    site_country: orm.Field[str | None] = orm.String(max_length=2, null=True, default=None)
    site_code: orm.Field[int | None] = orm.Integer(null=True, default=None)
    site: Any = orm.ForeignKey("Site", from_fields=("site_country", "site_code"), related_name="letters")

    class Meta(Paper.Meta):
        polymorphic_identity = 2


class Postcard(Letter):
    picture: orm.Field[str | None] = orm.String(max_length=10, null=True, default=None)

    class Meta(Letter.Meta):
        polymorphic_identity = 3


class Folder(Base):
    id: orm.Field[int] = orm.BigAutoField()
    paper: Any = orm.ForeignKey("Paper", on_delete=orm.CASCADE, related_name="folders")


class Note(Base):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.String(max_length=20)
    subject: Any = orm.GenericForeignKey("Party", "Paper", null=True, default=None)

    class Meta(Base.Meta):
        ordering = ["text"]


@pytest_asyncio.fixture
async def rows(database: orm.Database) -> AsyncIterator[dict[str, Any]]:
    """Rows of all models, by short names; Cid and what is written to him are hidden, and Dee is another tenant's."""
    async with created(models, database):
        yield await _fill()


async def _fill() -> dict[str, Any]:
    germany = await Country.objects.create(code="de", name="Germany")
    france = await Country.objects.create(code="fr", name="France")
    berlin = await Site.objects.create(country=germany, code=1, name="Berlin")
    bonn, paris = await Depot.objects.bulk_create(
        [Depot(country=germany, code=2, name="Bonn", size=5), Depot(country=france, code=1, name="Paris", size=7)]
    )
    ann = await Person.objects.create(name=" Ann ", age=70, wealth=Money(500), home=germany)
    bob, cid, _dee, acme = await Party.objects.bulk_create(
        [
            Person(name="Bob", age=30, home=france),
            Person(name="Cid", age=80, deleted_at=GONE),
            Person(name="Dee", age=65, tenant=2),
            Firm(name="Acme", site=bonn, boss=ann, wealth=Money(1000)),
        ]
    )
    branch = await Branch.objects.create(name="Branch", parent=acme, site=paris, boss=cid, number=4)
    await Desk.objects.bulk_create(
        [
            Desk(site=berlin, party=ann, label="k1", price=Money(3)),
            Desk(site=bonn, party=acme, label="k2", price=Money(4)),
            Desk(site=bonn, party=cid, label="k3"),
            Desk(site=paris, party=branch, label="k4", deleted_at=GONE),
            Desk(site=paris, party=ann, label="k5", price=Money(9)),
        ]
    )
    invoice, letter, _lost = await Paper.objects.bulk_create(
        [
            Invoice(label="invoice", amount=Money(12), party=acme),
            Letter(label="letter", to=bob, site=paris),
            Letter(label="lost", to=ann, deleted_at=GONE),
        ]
    )
    await ann.firms.add(acme, branch, through_defaults={"since": 2010})
    await bob.firms.add(acme)
    await ann.friends.add(bob, cid)
    for position, subject in enumerate([ann, cid, acme, branch, invoice, letter]):
        await Note.objects.create(text=f"n{position}", subject=subject)
    return {name: value for name, value in locals().items() if not name.startswith("_")}


async def test_rows_of_heirs_two_relations_away(rows: dict[str, Any]) -> None:
    desks = await Desk.objects.select_related("party__home", "site__country")
    for found in (desks, pickle.loads(pickle.dumps(desks))):
        assert [
            (
                desk.label,
                type(desk.site),
                getattr(desk.site, "doubled", None),
                desk.site.country.name,
                type(desk.party),
                getattr(desk.party, "name", None),
            )
            for desk in found
        ] == [
            ("k1", Site, None, "Germany", Person, "Ann"),
            ("k2", Depot, 10, "Germany", Firm, "Acme"),
            ("k3", Depot, 10, "Germany", Party, None),
            ("k5", Depot, 14, "France", Person, "Ann"),
        ]
    parties = await Party.objects.select_related("branch__parent__boss", "firm__site", "home")
    branch = next(party for party in parties if isinstance(party, Branch))
    assert (branch.parent.boss.name, branch.site.size, branch.boss.pk) == ("Ann", 7, rows["cid"].pk)
    assert not hasattr(branch.boss, "name")
    german = Firm.objects.filter(site__country__code="DE").prefetch_related(
        Prefetch(
            "people",
            Person.objects.filter(age__gt=60).prefetch_related(
                Prefetch("desks", Desk.objects.order_by("-label").select_related("site"))
            ),
        )
    )
    people = await Person.objects.only("name").prefetch_related(Prefetch("firms", german, to_attr="german"), "friends")
    assert [
        (
            person.name,
            [friend.name for friend in person.friends],
            [[(type(desk.site), desk.label) for one in firm.people for desk in one.desks] for firm in person.german],
        )
        for person in people
    ] == [("Ann", ["Bob"], [[(Depot, "k5"), (Site, "k1")]]), ("Bob", ["Ann"], [[(Depot, "k5"), (Site, "k1")]])]


async def test_foreign_keys_of_heirs_that_share_a_table(rows: dict[str, Any]) -> None:
    paris, bonn, bob, letter = rows["paris"], rows["bonn"], rows["bob"], rows["letter"]
    await Folder.objects.create(paper=letter)
    await Folder.objects.create(paper=rows["invoice"])
    for words, value in (
        ("letter__site", paris),
        ("letter__site", ("FR", 1)),
        ("letter__site__in", [paris, bonn]),
        ("letter__site__in", Site.objects.filter(name="Paris")),
        ("letter__site__name", "Paris"),
        ("letter__site__isnull", False),
        ("letter__to", bob),
        ("letter__to_id", bob.pk),
        ("letter__to__in", [bob]),
        ("letter__to__home", rows["france"]),
    ):
        if isinstance(value, tuple):
            value = Site.reference(value)
        assert await Paper.objects.filter(**{words: value}) == [letter], words
        assert await Folder.objects.filter(**{f"paper__{words}": value}).values_list("paper__label", flat=True) == [
            "letter"
        ], words
    assert await Paper.objects.filter(letter__to=bob).values("label", "letter__to", "letter__site") == [
        {"label": "letter", "letter__to": bob.pk, "letter__site": ("FR", 1)}
    ]
    assert await Paper.objects.order_by("-letter__to", "label").filter(letter__site=None).count() == 1
    assert [type(paper) for paper in await Paper.objects.select_related("letter__to__home", "letter__site")] == [
        Invoice,
        Letter,
    ]
    assert {
        row["paper__letter__to"]: row["n"]
        for row in await Folder.objects.values("paper__letter__to").annotate(n=Count("pk"))
    } == {
        None: 1,
        bob.pk: 1,
    }
    assert await Paper.objects.filter(letter__site=paris).update(label="found") == 1
    assert await Letter.objects.values_list("label", "version") == [("found", 2)]


async def test_conditions_groups_and_subqueries(rows: dict[str, Any]) -> None:
    assert await Party.objects.annotate(
        number=Count("desks"), most=Max("desks__price"), employers=Count("person__firms")
    ).values_list("name", "number", "most", "employers") == [
        ("Acme", 1, Money(4), 0),
        ("Ann", 2, Money(9), 2),
        ("Bob", 0, None, 1),
        ("Branch", 0, None, 0),
    ]
    assert await Site.objects.annotate(n=Count("desks", filter=Q(desks__party__person__age__gt=1))).order_by(
        "name"
    ).values_list("pk", "n", "depot__size") == [(("DE", 1), 1, None), (("DE", 2), 0, 5), (("FR", 1), 1, 7)]
    assert await Depot.objects.aggregate(n=Count("desks"), age=Max("desks__party__person__age")) == {"n": 3, "age": 70}
    assert await Desk.objects.order_by("site__country__name").values("site__country__name").annotate(
        n=Count("pk"), most=Max("price")
    ) == [
        {"site__country__name": "France", "n": 1, "most": Money(9)},
        {"site__country__name": "Germany", "n": 3, "most": Money(4)},
    ]
    here = Desk.objects.filter(site=OuterRef("site"))
    assert await Firm.objects.filter(Exists(here)).values_list("name", flat=True) == ["Acme", "Branch"]
    oldest = Person.objects.filter(firms=OuterRef("pk")).order_by("-age").values("name")[:1]
    assert await Firm.objects.annotate(oldest=Subquery(oldest)).values_list("oldest", flat=True) == ["Ann", "Ann"]
    assert await Person.objects.filter(firms__site__depot__size=5, firms__people__name="Bob").rich().count() == 1
    assert await Person.objects.exclude(firms__branch__number=4).values_list("name", flat=True) == ["Bob"]
    both = Person.objects.filter(age__lt=50).union(Person.objects.filter(firms__branch__number=4))
    assert [type(one) for one in await both.order_by("name")] == [Person, Person]
    page = await Site.objects.order_by("stage", "name").cursor_paginate(per_page=2)
    assert page.items == [rows["bonn"], rows["paris"]]
    page = await Site.objects.order_by("stage", "name").cursor_paginate(per_page=2, after=page.next_cursor)
    assert page.items == [rows["berlin"]]
    assert await Depot.objects.in_bulk([("DE", 1), ("DE", 2)]) == {("DE", 2): rows["bonn"]}
    at = Desk.objects.filter(site__in=orm.Param("sites"), price__gt=orm.Param("price")).values_list("label").compiled()
    assert await at(sites=[rows["bonn"], rows["berlin"]], price=Money(3)) == [("k2",)]
    token = tenant.set(2)
    try:
        assert await Person.objects.values_list("name", flat=True) == ["Dee"]
        assert await rows["ann"].desks.count() == 0
        assert await at(sites=[rows["bonn"]], price=Money(0)) == []
        assert await Elder.objects.unfiltered("active").count() == 1
    finally:
        tenant.reset(token)


async def test_notes_about_heirs(rows: dict[str, Any]) -> None:
    ann, acme = rows["ann"], rows["acme"]
    added = await ann.notes.create(text="z")
    assert await ann.notes.all() == await Note.objects.filter(subject=ann)
    assert [note.text for note in await Note.objects.filter(subject=await Elder.objects.get(name="Ann"))] == ["n0", "z"]
    await added.delete()
    notes = await Note.objects.prefetch_related("subject__desks__site")
    for found in (notes, pickle.loads(pickle.dumps(notes))):
        assert [type(note.subject) for note in found] == [Person, Party, Firm, Branch, Invoice, Letter]
        assert [desk.site for desk in found[0].subject.desks] == [rows["berlin"], rows["paris"]]
        assert not hasattr(found[1].subject, "name")
    assert await Note.objects.filter(subject__in=Party.objects.rich()).values_list("text", flat=True) == ["n0", "n2"]
    assert await Note.objects.filter(subject__in=[acme, rows["letter"]]).count() == 2
    assert await Person.objects.filter(notes__text__in=["n0", "n1", "n2"]) == [ann]
    assert await Party.objects.filter(notes__text__in=["n0", "n1", "n2"]) == [acme, ann]
    assert await Letter.objects.annotate(n=Count("notes")).values_list("n", flat=True) == [1]


async def test_writes_of_heirs(rows: dict[str, Any]) -> None:
    assert await Person.objects.filter(firms__site__depot__size=5).update(age=F("age") + 1, name=" x ") == 2
    people = Person.objects.order_by("pk").values_list("name", "age", "decade", "version")
    assert await people == [("x", 71, 710, 2), ("x", 31, 310, 2)]
    assert await Person.objects.order_by("-age").limit(1).update(age=99) == 1
    assert await people == [("x", 99, 990, 3), ("x", 31, 310, 2)]
    depots = Depot.objects.filter(desks__party__name="Acme")
    assert await depots.update(size=F("size") * 10, name="B") == 1
    found = await Depot.objects.order_by("name")
    for depot in found:
        depot.size, depot.name = depot.size + 1, depot.name + "!"
    assert await Depot.objects.bulk_update(found, ["size", "name"]) == 2
    assert [(depot.name, depot.doubled) for depot in found] == [("B!", 102), ("Paris!", 16)]
    assert await Depot.objects.order_by("name").values_list("name", "doubled") == [("B!", 102), ("Paris!", 16)]
    made, created = await Depot.objects.update_or_create({"size": 8}, country=rows["germany"], code=2)
    assert (made, made.doubled, created) == (rows["bonn"], 16, False)
    ann = await Person.objects.get(pk=rows["ann"].pk)
    with pytest.raises(
        orm.FieldError, match=r"^Person\.clean\(\) cannot look at age, which the database is to compute"
    ):
        await ann.update(age=F("age") + 1)
    ann = await Person.objects.get(pk=ann.pk)
    stale = await Party.objects.defer("wealth").get(pk=ann.pk)
    ann.age = 5
    await ann.save()
    stale.name = "late"
    with pytest.raises(orm.StaleInstance):
        await stale.save()
    with pytest.raises(orm.ValidationError) as caught:
        await Party.objects.bulk_create([Firm(name="good"), Person(name="x" * 50, age=300)])
    assert [problem["loc"] for problem in caught.value.errors()] == [(1, "name"), (1, "age")]
    lost = [Firm(name="good"), Person(name="nowhere", home_id="ZZ"), Branch(name="x", parent_id=999)]
    with pytest.raises(orm.ForeignKeyViolation):
        await Party.objects.bulk_create(lost)
    assert [(one.pk, "(new)" in repr(one)) for one in lost] == [(None, True)] * 3
    assert await Branch.objects.filter(parent__name="Acme", site__country__name="France").delete() == 1
    assert await Letter.objects.filter(to__home__name="France").order_by("label").limit(1).delete() == 1
    assert await Desk.objects.filter(party__firm__site__depot__code=2).delete() == 1
    assert await Site.objects.filter(desks__party__name="x").delete() == 2
    assert await Desk.objects.unfiltered().values_list("label", flat=True) == ["k3"]


async def test_conflicts_with_rows_of_other_classes_in_a_table(rows: dict[str, Any]) -> None:
    letter = await Letter.objects.create(label="first", code="a")
    card = await Postcard.objects.create(label="second", code="b")
    for options in ({"ignore_conflicts": True}, {"update_conflicts": True, "update_fields": ["label"]}):
        cards = [Postcard(label="new", code="c"), Postcard(label="other", code="a")]
        with pytest.raises(
            orm.UniqueViolation, match=r"A row of Paper has these .*, and is no Postcard: .*kind=2\. Ch"
        ):
            await Postcard.objects.unfiltered().bulk_create(cards, unique_fields=["code"], **options)
        assert [one.pk for one in cards] == [None, None]
    assert await Letter.objects.filter(code__isnull=False).values_list("pk", "label", "version") == [
        (letter.pk, "first", 1),
        (card.pk, "second", 1),
    ]
    cards = [Postcard(label="third", code="b"), Postcard(label="fourth", code="c")]
    await Postcard.objects.unfiltered().bulk_create(
        cards, unique_fields=["code"], update_conflicts=True, update_fields=["label"]
    )
    assert [(one.pk == card.pk, one.label, one.version) for one in cards] == [(True, "third", 2), (False, "fourth", 1)]


async def test_a_row_of_another_class_has_the_unique_value(rows: dict[str, Any]) -> None:
    await Letter.objects.create(label="first", code="a")
    for method in (Postcard.objects.get_or_create, Postcard.objects.update_or_create):
        with pytest.raises(orm.UniqueViolation):
            await method({"label": "second"}, code="a")
    assert await Paper.objects.filter(letter__code="a").values_list("label", flat=True) == ["first"]


async def _refuse(event: Any) -> None:
    raise RefusedError


async def test_receivers_that_raise(rows: dict[str, Any]) -> None:
    branch = Branch(name="new", parent=rows["acme"])
    depot = Depot(country=rows["germany"], code=50, name="n", size=2)
    letter = Letter(label="new", to=rows["bob"])
    for instance in (branch, depot, letter):
        before = repr(instance)
        with signals.post_save.connected(_refuse, type(instance)), pytest.raises(RefusedError):
            await instance.save()
        assert repr(instance) == before
        await instance.save()
    assert (branch.version, depot.doubled, letter.version) == (1, 4, 1)
    branch.name, branch.number = "other", 8
    with signals.post_save.connected(_refuse, Party), pytest.raises(RefusedError):
        await branch.save()
    assert branch.version == 1
    with signals.post_delete.connected(_refuse, Branch), pytest.raises(RefusedError):
        await branch.delete()
    await branch.save()
    assert await Branch.objects.filter(pk=branch.pk).values_list("name", "number", "version") == [("other", 8, 2)]
    new: list[Party] = [Person(name="a", age=1), Branch(name="b", parent=rows["acme"]), Firm(name="c")]
    with signals.post_bulk_create.connected(_refuse, Party), pytest.raises(RefusedError):
        await Party.objects.bulk_create(new)
    assert [one.pk for one in new] == [None, None, None]
    await Party.objects.bulk_create(new)
    assert await Party.objects.filter(name__in=["a", "b", "c"]) == new
    people = await Person.objects.all()
    known = [(one.version, one.decade, one.changed) for one in people]
    for one in people:
        one.age = 44
    with signals.post_bulk_update.connected(_refuse, Person), pytest.raises(RefusedError):
        await Person.objects.bulk_update(people, ["age"])
    assert [(one.version, one.decade, one.changed) for one in people] == known
    await Person.objects.bulk_update(people, ["age"])
    assert {one.decade for one in people} == {440}
    assert {one.pk: one.version for one in people} == dict(await Person.objects.values_list("pk", "version"))
    with signals.m2m_changed.connected(_refuse, Person), pytest.raises(RefusedError):
        await rows["acme"].people.clear()
    assert await rows["acme"].people.count() == 2


def test_a_row_has_one_name_in_a_generic_foreign_key() -> None:
    own = orm.Registry()

    class Root(orm.Model):
        class Meta:
            registry = own
            abstract = True

    class Place(Root):
        id: orm.Field[int] = orm.BigAutoField()

    class Bar(Place):
        stars: orm.Field[int] = orm.Integer(default=0)

    class Spot(Place):
        class Meta(Place.Meta):
            proxy = True

    class Bench(Place):
        seats: orm.Field[int] = orm.Integer(default=0)

    with pytest.raises(orm.FieldError, match=r"First.subject refers to Bar and to Place, from which Bar inherits, so"):

        class First(Root):
            subject: orm.GenericRelated[Any] = orm.GenericForeignKey("Place", "Bar")

    with pytest.raises(orm.FieldError, match=r"Second.subject refers to Place and to Spot, which have the same rows"):

        class Second(Root):
            subject: orm.GenericRelated[Any] = orm.GenericForeignKey("Place", "Spot")

    class Third(Root):
        subject: orm.GenericRelated[Any] = orm.GenericForeignKey("Bar", "Bench")

    assert Third.table.c.keys() == ["id", "subject_type", "subject_id"]
