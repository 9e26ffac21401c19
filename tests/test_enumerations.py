"""Enumerations as types of the database's own, shared by tables, in arrays, and beside texts."""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

import orm
from tests.databases import created

models = orm.Registry()


class Mood(enum.Enum):
    SAD = "sad"
    GLAD = "glad"
    ANGRY = "An'gry \\ %s"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Rank(enum.StrEnum):
    HIGH = "high"
    LOW = "low"


class Person(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20, default="")
    mood: orm.Field[Mood] = orm.Enum(Mood, default=Mood.SAD)
    before: orm.Field[Mood | None] = orm.Enum(Mood, null=True, default=None)
    rank: orm.Field[Rank] = orm.Enum(Rank, name="Rank of a person", default=Rank.HIGH)
    plain: orm.Field[Rank] = orm.Enum(Rank, native=False, default=Rank.LOW)
    size: orm.Field[Size] = orm.Enum(Size, default=Size.SMALL)

    class Meta:
        registry = models


class Day(orm.Model):
    mood: orm.Field[Mood] = orm.Enum(Mood, primary_key=True)
    rank: orm.Field[Rank] = orm.Enum(Rank, name="Rank of a person", unique=True)

    class Meta:
        registry = models
        constraints = [orm.CheckConstraint(orm.Q(rank__in=[Rank.HIGH, Rank.LOW]), name="ranked")]


class Visit(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    day: orm.Related[Day] = orm.ForeignKey("Day", on_delete=orm.CASCADE)

    class Meta:
        registry = models


@pytest_asyncio.fixture
async def people(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(models, database):
        yield database


async def _column_type(database: orm.Database, column: str) -> str:
    if database.dialect.name == "sqlite":
        rows = await database.fetch_all(
            "SELECT type FROM pragma_table_info('person') WHERE name = :name", {"name": column}
        )
    elif database.dialect.name == "postgresql":
        rows = await database.fetch_all(
            "SELECT udt_name FROM information_schema.columns WHERE table_name = 'person' AND column_name = :name",
            {"name": column},
        )
    else:
        rows = await database.fetch_all(
            "SELECT data_type FROM information_schema.columns "
            "WHERE table_schema = DATABASE() AND table_name = 'person' AND column_name = :name",
            {"name": column},
        )
    return str(rows[0][0]).lower()


async def test_texts_have_a_type_of_their_own_where_there_is_one(people: orm.Database) -> None:
    engine = people.dialect.name
    expected = {
        "sqlite": ["varchar(11)", "varchar(4)", "varchar(4)", "bigint"],
        "postgresql": ["mood", "rank of a person", "varchar", "int8"],
        "mysql": ["enum", "enum", "varchar", "bigint"],
    }[engine]
    assert [await _column_type(people, name) for name in ("mood", "rank", "plain", "size")] == expected


@pytest.mark.parametrize("mood", Mood)
async def test_every_member_comes_back_and_is_found(people: orm.Database, mood: Mood) -> None:
    made = await Person.objects.create(mood=mood, before=mood)
    other = await Person.objects.create(mood=Mood.GLAD if mood is Mood.SAD else Mood.SAD)
    assert (await Person.objects.get(id=made.id)).mood is mood
    assert await Person.objects.get(mood=mood, before=mood) == made
    assert await Person.objects.filter(mood__in=[mood]) == [made]
    assert await Person.objects.filter(mood=orm.F("before")) == [made]
    assert await Person.objects.exclude(before=mood) == [other]
    assert await Person.objects.filter(id=other.id).update(mood=mood, before=orm.F("mood")) == 1
    assert await Person.objects.filter(mood=mood).count() == 2
    assert await Person.objects.filter(before=None).count() == 0


async def test_members_are_written_in_bulk(people: orm.Database) -> None:
    moods = list(Mood)
    made = await Person.objects.bulk_create(
        [Person(mood=moods[i % 3], before=None if i % 2 else moods[i % 3]) for i in range(600)]
    )
    assert await Person.objects.filter(mood=Mood.ANGRY).count() == 200
    for person in made:
        person.mood, person.rank = Mood.GLAD, Rank.LOW
    await Person.objects.bulk_update(made, ["mood", "rank"])
    assert await Person.objects.filter(mood=Mood.GLAD, rank=Rank.LOW).count() == 600
    counted = await Person.objects.values("before").annotate(number=orm.Count("id"))
    assert {row["before"]: row["number"] for row in counted} == {None: 300, **dict.fromkeys(moods, 100)}


async def test_an_enumeration_can_be_a_key(people: orm.Database) -> None:
    day = await Day.objects.create(mood=Mood.ANGRY, rank=Rank.LOW)
    visit = await Visit.objects.create(day=day)
    assert (await Visit.objects.select_related("day").get(day__mood=Mood.ANGRY)).day.rank is Rank.LOW
    assert await Visit.objects.get(day=Mood.ANGRY) == visit
    again, created = await Day.objects.update_or_create({"rank": Rank.HIGH}, mood=Mood.ANGRY)
    assert (again.rank, created) == (Rank.HIGH, False)
    with pytest.raises(orm.UniqueViolation):
        await Day.objects.create(mood=Mood.SAD, rank=Rank.HIGH)


async def test_members_are_compared_with_texts_and_with_others(people: orm.Database) -> None:
    same = await Person.objects.create(name="glad", mood=Mood.GLAD, rank=Rank.LOW, plain=Rank.LOW)
    await Person.objects.create(name="glad", mood=Mood.SAD, rank=Rank.LOW, plain=Rank.HIGH)
    assert await Person.objects.filter(name=orm.F("mood")) == [same]
    assert await Person.objects.filter(mood=orm.F("name")) == [same]
    assert await Person.objects.filter(rank=orm.F("plain")) == [same]
    assert await Person.objects.filter(mood=orm.F("rank")) == []
    assert await Person.objects.filter(mood=orm.Value(Mood.GLAD)) == [same]
    assert await Person.objects.filter(name__in=Person.objects.values("mood").filter(mood=Mood.GLAD)).count() == 2
    assert await Person.objects.filter(mood__in=Person.objects.values("name")) == [same]
    assert await Person.objects.filter(mood__in=Person.objects.values("rank")) == []
    assert await Person.objects.annotate(word=orm.Cast("mood", orm.Text())).get(word__icontains="LAD") == same
    assert await Person.objects.filter(id=same.id).update(plain=orm.F("rank"), rank=orm.F("plain")) == 1


async def test_a_member_is_set_to_a_text(people: orm.Database) -> None:
    person = await Person.objects.create(name="glad")
    await Person.objects.all().update(mood=orm.F("name"))
    await person.load()
    assert person.mood is Mood.GLAD
    person.mood = orm.Coalesce("before", "mood")  # type: ignore[assignment]
    person.before = orm.Value(None)  # type: ignore[assignment]
    await person.save()
    assert (person.mood, person.before) == (Mood.GLAD, None)


async def test_members_sort_as_they_are_declared_where_they_are_a_type(people: orm.Database) -> None:
    await Person.objects.bulk_create([Person(mood=mood) for mood in (Mood.GLAD, Mood.ANGRY, Mood.SAD)])
    declared = [Mood.SAD, Mood.GLAD, Mood.ANGRY]
    expected = sorted(Mood, key=lambda mood: mood.value) if people.dialect.name == "sqlite" else declared
    assert await Person.objects.order_by("mood").values_list("mood", flat=True) == expected
    page = await Person.objects.order_by("mood").cursor_paginate(per_page=1)
    seen = [page.items[0].mood]
    while page.has_next:
        page = await Person.objects.order_by("mood").cursor_paginate(after=page.next_cursor, per_page=1)
        seen.append(page.items[0].mood)
    assert seen == expected


async def test_what_is_no_member_is_refused(people: orm.Database) -> None:
    with pytest.raises(orm.ValidationError, match="mood"):
        await Person.objects.create(mood="bored")
    with pytest.raises(orm.ValidationError, match="mood"):
        Person.objects.filter(mood=Rank.HIGH)
    with pytest.raises(orm.FieldError, match="no lookup 'icontains'"):
        Person.objects.filter(mood__icontains="a")


async def test_types_are_made_once_and_dropped(postgresql_url: str) -> None:
    async with orm.Database(postgresql_url) as database:
        models.database = database
        await models.create_all()
        await database.execute("DROP TABLE day CASCADE")
        await models.create_all()  # the types are there already
        await Day.objects.create(mood=Mood.SAD, rank=Rank.HIGH)
        await models.drop_all()
        found = "SELECT count(*) FROM pg_type WHERE typname IN ('mood', 'Rank of a person')"
        assert await database.fetch_val(found) == 0
        await database.execute("CREATE TYPE mood AS ENUM ('sad', 'glad', 'An''gry \\ %s')")
        await models.create_all()
        await Person.objects.create()
        await models.drop_all()
        assert await database.fetch_val(found) == 0
        models.database = None


async def test_statements_that_were_prepared_for_a_dropped_type_are_prepared_anew(postgresql_url: str) -> None:
    async with orm.Database(postgresql_url, max_size=1) as database:
        models.database = database
        for _ in range(2):
            await models.create_all()
            await Person.objects.create()
            assert await Person.objects.filter(mood=Mood.SAD).count() == 1
            assert await Person.objects.all().update(mood=Mood.GLAD) == 1
            await models.drop_all()
        await models.create_all()
        with pytest.raises(orm.SerializationFailure, match="run the transaction again"):
            async with database.transaction():
                await Person.objects.create()
        async with database.transaction():
            await Person.objects.create()
        await models.drop_all()
        models.database = None


async def test_arrays_of_members(postgresql_url: str) -> None:
    registry = orm.Registry()
    meta = type("Meta", (), {"registry": registry})
    moods = orm.Array(orm.Enum(Mood), default=list)
    Week: Any = type("Week", (orm.Model,), {"moods": moods, "Meta": meta})
    async with orm.Database(postgresql_url) as database, created(registry, database):
        week = await Week.objects.create(moods=[Mood.ANGRY, Mood.SAD])
        assert (await Week.objects.get(moods__contains=[Mood.ANGRY])).moods == [Mood.ANGRY, Mood.SAD]
        assert await Week.objects.get(moods__0=Mood.ANGRY) == week
        assert await Week.objects.filter(moods=[Mood.ANGRY, Mood.SAD]).count() == 1
        many = await Week.objects.bulk_create([Week(moods=[Mood.GLAD] * 3) for _ in range(700)])
        many[0].moods.append(Mood.ANGRY)
        await many[0].save()
        assert await Week.objects.filter(moods__overlap=[Mood.ANGRY]).count() == 2
        assert await Week.objects.aggregate(all=orm.ArrayAgg("moods__0", distinct=True)) == {
            "all": [Mood.GLAD, Mood.ANGRY]
        }


class TooLong(enum.Enum):
    LONG = "ä" * 40


class Trailing(enum.Enum):
    SPACE = "space "


@pytest.mark.parametrize(("members", "engine"), [(TooLong, "postgresql"), (Trailing, "mysql")])
async def test_what_a_type_cannot_hold_is_refused(database: orm.Database, members: Any, engine: str) -> None:
    for native in (True, False):
        registry = orm.Registry(database)
        meta = type("Meta", (), {"registry": registry})
        model: Any = type("Odd", (orm.Model,), {"value": orm.Enum(members, native=native), "Meta": meta})
        if native and database.dialect.name == engine:
            with pytest.raises(orm.NotSupportedError, match="With native=False its values are kept as VARCHAR"):
                await registry.create_all()
            continue
        await registry.create_all()
        made = await model.objects.create(value=next(iter(members)))
        assert await model.objects.get(value=made.value) == made
        await registry.drop_all()


def test_two_enumerations_of_one_name_are_refused() -> None:
    registry = orm.Registry()
    other = enum.Enum("Mood", {"BORED": "bored"})

    class Meta:
        pass

    Meta.registry = registry  # type: ignore[attr-defined]
    type("First", (orm.Model,), {"mood": orm.Enum(Mood), "Meta": Meta})
    with pytest.raises(orm.FieldError, match=r"Give one of them a name: Enum\(…, name=…\)"):
        type("Second", (orm.Model,), {"mood": orm.Enum(other), "Meta": Meta})
    type("Third", (orm.Model,), {"mood": orm.Enum(other, name="other_mood"), "Meta": Meta})
    type("Fourth", (orm.Model,), {"moods": orm.Array(orm.Enum(other, name="mood_of_others")), "Meta": Meta})
    with pytest.raises(orm.FieldError, match="'mood_of_others'"):
        type("Fifth", (orm.Model,), {"mood": orm.Enum(Mood, name="mood_of_others"), "Meta": Meta})


CONTRADICTIONS: list[tuple[Any, dict[str, Any], str]] = [
    (Size, {"native": True}, "has numbers, which are kept as BIGINT. Leave out native"),
    (Size, {"name": "size"}, "has numbers, which are kept as BIGINT. Leave out name"),
    (Mood, {"native": False, "name": "mood"}, "there is nothing to name"),
    (Mood, {"native": "yes"}, "native is True or False, not 'yes'"),
    (Mood, {"native": 0}, "native is True or False, not 0"),
    (Mood, {"name": ""}, "name is a text of 1 to 63 bytes"),
    (Mood, {"name": "n" * 64}, "name is a text of 1 to 63 bytes"),
    (enum.Enum("Mixed", {"A": 1, "B": "b"}), {}, "must be all str or all int"),
    (["sad", "glad"], {}, "Enum takes an enumeration"),
    (Mood, {"max_length": 3}, "Enum has no option 'max_length'"),
]


@pytest.mark.parametrize(("members", "options", "message"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(members: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError) as caught:
        orm.Enum(members, **options)
    assert message in str(caught.value)
