"""The decided semantics, one section a point: what the documentation promises and nothing may change silently."""

from __future__ import annotations

import asyncio
import copy
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
import sqlalchemy as sa

import orm
from tests.music import Album, Artist, Country, Document, Employee, Everything, Profile, Tag, Track, models


async def _shop() -> tuple[Artist, Artist, Album, Album, Album]:
    """Two artists; one with two albums, one with one; the second album has a producer."""
    acdc = await Artist.objects.create(name="AC/DC", country="AU")
    accept = await Artist.objects.create(name="Accept")
    powerage = await Album.objects.create(title="Powerage", year=1978, artist=acdc)
    highway = await Album.objects.create(title="Highway to Hell", year=1979, artist=acdc, producer=accept)
    balls = await Album.objects.create(title="Balls to the Wall", artist=accept)
    return acdc, accept, powerage, highway, balls


# ---------------------------------------------------------------- 1. sparse instances


async def test_1_a_relation_that_was_not_selected_knows_only_its_key(music: orm.Database) -> None:
    acdc, *_ = await _shop()
    album = await Album.objects.get(title="Powerage")
    assert album.artist.id == acdc.id
    assert album.artist == acdc
    assert not hasattr(album.artist, "name")
    with pytest.raises(orm.NotLoaded, match=r"select_related\('artist'\)"):
        _ = album.artist.name
    assert await album.artist.load() is album.artist
    assert album.artist.name == "AC/DC"


async def test_1_a_null_key_gives_none(music: orm.Database) -> None:
    await _shop()
    assert (await Album.objects.get(title="Powerage")).producer is None


async def test_1_a_property_that_hits_an_unloaded_attribute_reports_that_attribute(music: orm.Database) -> None:
    own = orm.Registry(music)

    class Named(orm.Model):
        name: orm.Field[str] = orm.String(max_length=9)
        other: orm.Field[str] = orm.String(max_length=9, default="")

        class Meta:
            registry = own
            tablename = "named"

        @property
        def shout(self) -> str:
            return self.name.upper()

    await own.create_all()
    try:
        await Named.objects.create(name="x")
        sparse = (await Named.objects.only("other"))[0]
        with pytest.raises(orm.NotLoaded, match=r"Named\.name is not loaded"):
            _ = sparse.shout
    finally:
        await own.drop_all()


# ---------------------------------------------------------------- 2. joins


async def test_2_select_related_over_a_nullable_key_loses_no_row(music: orm.Database) -> None:
    await _shop()
    albums = await Album.objects.select_related("producer")
    assert [album.title for album in albums] == ["Balls to the Wall", "Highway to Hell", "Powerage"]
    assert [album.producer and album.producer.name for album in albums] == [None, "Accept", None]


async def test_2_two_keys_to_one_table_have_two_aliases(music: orm.Database) -> None:
    await _shop()
    album = await Album.objects.select_related("artist", "producer").get(title="Highway to Hell")
    assert (album.artist.name, album.producer and album.producer.name) == ("AC/DC", "Accept")


async def test_2_a_longer_path_implies_its_parts(music: orm.Database) -> None:
    *_, highway, _ = await _shop()
    await Track.objects.create(name="Touch Too Much", album=highway)
    track = await Track.objects.select_related("album__artist").get()
    assert track.album is not None
    assert track.album.title == "Highway to Hell"
    assert track.album.artist.name == "AC/DC"


async def test_2_a_core_expression_about_another_table_is_refused(music: orm.Database) -> None:
    with pytest.raises(orm.FieldError, match="artist"):
        Album.objects.filter(Artist.table.c.name == "x")
    inner = sa.select(Artist.table.c.id).where(Artist.table.c.name == "AC/DC")
    await _shop()
    assert await Album.objects.filter(Album.table.c.artist_id.in_(inner)).count() == 2


async def test_2_exclude_treats_null_as_django_does(music: orm.Database) -> None:
    await _shop()
    assert await Album.objects.exclude(year=1978).count() == 2  # the one without a year is not of 1978
    assert await Album.objects.filter(~orm.Q(year=1978)).count() == 2
    assert await Album.objects.filter(Album.year != 1978).count() == 2
    assert await Album.objects.exclude(year__gt=1978).count() == 2


# ---------------------------------------------------------------- 3. to-many filters


async def test_3_a_filter_over_many_rows_repeats_none(music: orm.Database) -> None:
    await _shop()
    found = Artist.objects.filter(albums__year__gte=1970)
    assert [artist.name for artist in await found] == ["AC/DC"]
    assert await found.count() == 1
    assert len(await found.limit(5)) == 1


async def test_3_conditions_of_one_call_are_about_the_same_row(music: orm.Database) -> None:
    await _shop()
    both = Artist.objects.filter(albums__title="Powerage", albums__year=1979)
    assert await both.count() == 0
    apart = Artist.objects.filter(albums__title="Powerage").filter(albums__year=1979)
    assert await apart.count() == 1


async def test_3_nested_paths_share_their_prefix(music: orm.Database) -> None:
    _, _, powerage, highway, _ = await _shop()
    await Track.objects.create(name="Sin City", album=powerage)
    await Track.objects.create(name="Shot Down in Flames", album=highway)
    query = Artist.objects.filter(albums__title="Powerage", albums__tracks__name="Shot Down in Flames")
    assert await query.count() == 0
    assert await Artist.objects.filter(albums__year=1978, albums__tracks__name="Sin City").count() == 1


async def test_3_isnull_over_a_relation_finds_rows_without_any(music: orm.Database) -> None:
    await _shop()
    lonely = await Artist.objects.create(name="Lonely")
    assert await Artist.objects.filter(albums__isnull=True) == [lonely]
    assert await Artist.objects.filter(albums=None) == [lonely]
    assert await Artist.objects.filter(orm.Q(albums__title="Powerage") | orm.Q(albums=None)).count() == 2


async def test_3_in_a_negation_each_condition_has_rows_of_its_own(music: orm.Database) -> None:
    await _shop()
    assert [a.name for a in await Artist.objects.exclude(albums__year=1979)] == ["Accept"]
    # No single album is "Powerage" of 1979, yet there is one of each: Django's documented behaviour.
    assert [a.name for a in await Artist.objects.exclude(albums__title="Powerage", albums__year=1979)] == ["Accept"]


async def test_3_joins_are_inner_where_no_missing_row_could_match() -> None:
    assert "LEFT" not in str(Artist.objects.filter(albums__title="x"))
    assert "LEFT" in str(Artist.objects.filter(albums__title=None))


# ---------------------------------------------------------------- 4. update and delete


async def test_4_update_and_delete_honour_the_whole_query(music: orm.Database) -> None:
    await _shop()
    assert await Album.objects.filter(artist__name="AC/DC").update(year=1980) == 2
    assert await Album.objects.filter(year=1980).count() == 2
    assert await Album.objects.order_by("-title").limit(1).update(year=2000) == 1
    assert (await Album.objects.get(year=2000)).title == "Powerage"
    assert await Album.objects.filter(artist__albums__title="Powerage").update(year=1) == 2
    assert await Album.objects.order_by("title").limit(1).delete() == 1
    assert not await Album.objects.filter(title="Balls to the Wall").exists()
    assert await Artist.objects.filter(albums__year=1).delete() == 1
    assert await Album.objects.count() == 0


async def test_4_the_number_of_rows_matched_counts(music: orm.Database) -> None:
    await _shop()
    assert await Album.objects.filter(title="Powerage").update(year=1978) == 1  # nothing changes, one row matches


@pytest.mark.parametrize("ending", ["update", "delete"])
async def test_4_all_rows_need_all_spelled_out(music: orm.Database, ending: str) -> None:
    await _shop()
    values = {"year": 1} if ending == "update" else {}
    with pytest.raises(orm.InterfaceError, match=r"all\(\)"):
        await getattr(Album.objects, ending)(**values)
    assert await getattr(Album.objects.all(), ending)(**values) == 3


async def test_4_bulk_create_gives_the_instances_with_their_keys(music: orm.Database) -> None:
    made = await Artist.objects.bulk_create([Artist(name=f"Artist {n}") for n in range(1500)])
    assert len(made) == 1500
    names = dict(await Artist.objects.values_list("id", "name"))
    assert all(names[artist.id] == artist.name for artist in made)


# ---------------------------------------------------------------- 5. emptiness is a value


async def test_5_emptiness_is_a_value(music: orm.Database) -> None:
    await _shop()
    assert await Album.objects.limit(0) == []
    assert await Album.objects.filter(pk=0) == []
    assert await Album.objects.filter(year=None).count() == 1
    assert await Album.objects.filter(id__in=[]) == []
    assert await Album.objects.exclude(id__in=[]).count() == 3
    assert await Album.objects.filter(orm.Q(id__in=[]) | orm.Q(title="Powerage")).count() == 1


async def test_5_what_cannot_match_is_not_sent(music: orm.Database) -> None:
    models.database = None  # nothing can be sent
    assert await Album.objects.filter(id__in=[]) == []
    assert await Album.objects.none().count() == 0
    assert not await Album.objects.limit(0).exists()
    assert await Album.objects.filter(id__in=[], title="x").delete() == 0


# ---------------------------------------------------------------- 6. LIKE is literal


@pytest.mark.parametrize("text", ["100%", "a_b", "back\\slash", "bang!", "star*", "what?", "[set]", "quo'te"])
async def test_6_wildcards_in_values_are_literal(music: orm.Database, text: str) -> None:
    await Artist.objects.create(name=f"x{text}y")
    await Artist.objects.create(name="xanother namey")
    await Artist.objects.create(name="x100 a-b backslash bang star what sety")
    for lookup in ("contains", "icontains"):
        assert await Artist.objects.filter(**{f"name__{lookup}": text}).count() == 1
    for lookup in ("startswith", "istartswith"):
        assert await Artist.objects.filter(**{f"name__{lookup}": f"x{text}"}).count() == 1
    for lookup in ("endswith", "iendswith"):
        assert await Artist.objects.filter(**{f"name__{lookup}": f"{text}y"}).count() == 1
    assert await Artist.objects.filter(name__iexact=f"X{text}Y").count() == 1


# ---------------------------------------------------------------- 7. saving


async def test_7_save_inserts_then_updates_what_changed(music: orm.Database) -> None:
    artist = Artist(name="AC/DC")
    await artist.save()
    assert artist.id is not None
    other = await Artist.objects.get(id=artist.id)
    other.country = "AU"
    await other.save()
    artist.name = "AC DC"
    await artist.save()  # must not undo the other change
    found = await Artist.objects.get(id=artist.id)
    assert (found.name, found.country) == ("AC DC", "AU")


async def test_7_a_row_that_is_gone_is_stale(music: orm.Database) -> None:
    artist = await Artist.objects.create(name="AC/DC")
    await Artist.objects.filter(id=artist.id).delete()
    artist.name = "x"
    with pytest.raises(orm.StaleInstance, match="no longer exists"):
        await artist.save()
    with pytest.raises(orm.StaleInstance):
        await artist.delete()


async def test_7_a_version_is_an_optimistic_lock(music: orm.Database) -> None:
    document = await Document.objects.create(text="one")
    assert document.version == 1
    mine = await Document.objects.get(id=document.id)
    theirs = await Document.objects.get(id=document.id)
    await theirs.update(text="theirs")
    assert theirs.version == 2
    mine.text = "mine"
    with pytest.raises(orm.StaleInstance, match="version 1"):
        await mine.save()
    with pytest.raises(orm.StaleInstance):
        await mine.delete()
    with pytest.raises(orm.StaleInstance):
        await Document.objects.bulk_update([mine], ["text"])
    assert (await Document.objects.get(id=document.id)).text == "theirs"
    await Document.objects.filter(id=document.id).update(text="all")
    with pytest.raises(orm.StaleInstance, match="version 2"):
        await theirs.update(text="too late")


async def test_7_json_is_compared_with_what_was_loaded(music: orm.Database) -> None:
    made = await Everything.objects.create(data={"a": [1, 2]})
    made.data["a"].append(3)
    await made.save()
    found = await Everything.objects.get(id=made.id)
    assert found.data == {"a": [1, 2, 3]}
    found.data["a"][0] = True  # equal to 1 in Python, not in JSON
    await found.save()
    assert (await Everything.objects.get(id=made.id)).data["a"][0] is True


async def test_7_values_are_validated_before_they_are_sent(music: orm.Database) -> None:
    with pytest.raises(orm.ValidationError) as caught:
        await Album.objects.create(year="1978", producer_id="x")
    assert {error["loc"][0] for error in caught.value.errors()} == {"title", "year", "artist", "producer"}
    assert await Album.objects.count() == 0
    artist = await Artist.objects.create(name="AC/DC")
    artist.name = "x" * 121
    with pytest.raises(orm.ValidationError, match="at most 120 characters"):
        await artist.save()
    with pytest.raises(orm.ValidationError, match="at most 120 characters"):
        await Artist.objects.filter(id=artist.id).update(name="x" * 121)
    with pytest.raises(orm.ValidationError, match="at most 120 characters"):
        await Artist.objects.bulk_create([Artist(name="ok"), Artist(name="x" * 121)])
    assert await Artist.objects.count() == 1


async def test_7_loading_runs_a_hook_and_not_the_constructor(music: orm.Database) -> None:
    own = orm.Registry(music)
    seen: list[str] = []

    class Hooked(orm.Model):
        name: orm.Field[str] = orm.String(max_length=9)

        class Meta:
            registry = own
            tablename = "hooked"

        def __init__(self, **values: object) -> None:
            seen.append("init")
            super().__init__(**values)

        def after_load(self) -> None:
            seen.append(f"loaded {self.name}")

    await own.create_all()
    try:
        made = await Hooked.objects.create(name="x")
        await Hooked.objects.get(name="x")
        await Hooked.objects.filter(id=made.id).update(name="y")
        await made.load()
    finally:
        await own.drop_all()
    assert seen == ["init", "loaded x", "loaded y"]


# ---------------------------------------------------------------- 8. get_or_create, update_or_create


async def test_8_of_many_who_ask_at_once_one_creates(music: orm.Database) -> None:
    made = await asyncio.gather(*[Tag.objects.get_or_create(word="rock") for _ in range(30)])
    assert [created for _, created in made].count(True) == 1
    assert len({tag.id for tag, _ in made}) == 1
    assert await Tag.objects.count() == 1


async def test_8_of_many_who_update_or_create_one_creates(music: orm.Database) -> None:
    async def one(number: int) -> bool:
        _, created = await Country.objects.update_or_create(code="de", defaults={"name": f"name {number}"})
        return created

    made = await asyncio.gather(*[one(number) for number in range(20)])
    assert made.count(True) == 1
    assert await Country.objects.count() == 1


# ---------------------------------------------------------------- 9. equality, pickling


async def test_9_equality_is_same_model_and_same_key(music: orm.Database) -> None:
    artist = await Artist.objects.create(name="AC/DC")
    assert artist == await Artist.objects.get(id=artist.id)
    assert hash(artist) == hash(Artist.reference(artist.id))
    tag = await Tag.objects.create(word="x")
    assert Tag.reference(artist.id) != artist
    assert tag != Tag(word="x")


async def test_9_without_a_key_an_instance_equals_itself_and_has_no_hash() -> None:
    new = Artist(name="x")
    assert new == new
    assert new != Artist(name="x")
    with pytest.raises(TypeError, match="no key yet"):
        hash(new)


async def test_9_pickling_and_copying_carry_what_is_loaded_and_changed(music: orm.Database) -> None:
    await _shop()
    album = await Album.objects.only("title").select_related("artist").get(title="Powerage")
    album.title = "Powerage!"
    for twin in (pickle.loads(pickle.dumps(album)), copy.copy(album), copy.deepcopy(album)):
        assert twin == album
        assert twin.title == "Powerage!"
        with pytest.raises(orm.NotLoaded):
            _ = twin.year
        await twin.save()
    assert await Album.objects.filter(title="Powerage!").count() == 1


# ---------------------------------------------------------------- 10, 11, 12: see tests/database


async def test_10_a_child_task_is_refused_the_parents_transaction(music: orm.Database) -> None:
    async with music.transaction():
        await Tag.objects.create(word="x")
        with pytest.raises(orm.TransactionError, match=r"shared=True.*connection\(fresh=True\)"):
            await asyncio.create_task(_count_tags())


async def _count_tags() -> int:
    return await Tag.objects.count()


async def test_11_a_swallowed_error_does_not_commit(music: orm.Database) -> None:
    await Tag.objects.create(word="x")
    with pytest.raises(orm.TransactionError):  # noqa: PT012 - it is the end of the block that raises
        async with music.transaction():
            await Tag.objects.create(word="y")
            with pytest.raises(orm.UniqueViolation):
                await Tag.objects.create(word="x")
    assert await Tag.objects.values_list("word", flat=True) == ["x"]


async def test_11_a_nested_block_confines_an_error(music: orm.Database) -> None:
    await Tag.objects.create(word="x")
    async with music.transaction():
        await Tag.objects.create(word="y")
        with pytest.raises(orm.UniqueViolation):
            async with music.transaction():
                await Tag.objects.create(word="x")
    assert sorted(await Tag.objects.values_list("word", flat=True)) == ["x", "y"]


async def test_12_a_cancelled_query_leaves_the_pool_whole(music: orm.Database) -> None:
    for _ in range(5):
        task = asyncio.create_task(Tag.objects.create(word="cancelled"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await Tag.objects.all().delete()
    assert await Tag.objects.count() == 0
    assert await asyncio.gather(*[Tag.objects.count() for _ in range(10)]) == [0] * 10


# ---------------------------------------------------------------- 13. values


async def test_13_aware_datetimes_are_the_same_instant(music: orm.Database) -> None:
    moment = datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    made = await Everything.objects.create(moment=moment)
    found = await Everything.objects.get(id=made.id)
    assert found.moment == moment
    assert found.moment.utcoffset() == timedelta(0)
    assert await Everything.objects.filter(moment=moment).count() == 1
    assert await Everything.objects.filter(moment__lt=moment + timedelta(microseconds=1)).count() == 1
    with pytest.raises(orm.ValidationError):
        await Everything.objects.create(moment=datetime(2024, 1, 1))
    with pytest.raises(orm.ValidationError):
        await Everything.objects.create(naive=datetime(2024, 1, 1, tzinfo=UTC))


async def test_13_decimals_and_large_integers_are_exact_and_numbers(music: orm.Database) -> None:
    values = [Decimal("99999999999.9999"), Decimal("-0.0001"), Decimal("9.5000"), Decimal("10.1")]
    for value in values:
        await Everything.objects.create(decimal=value, big=2**63 - 1)
    assert await Everything.objects.order_by("id").values_list("decimal", flat=True) == values
    assert await Everything.objects.order_by("decimal").values_list("decimal", flat=True) == sorted(values)
    assert await Everything.objects.filter(decimal__gt=Decimal("9.6")).count() == 2
    assert set(await Everything.objects.values_list("big", flat=True)) == {2**63 - 1}


async def test_13_what_sqlite_cannot_hold_is_refused_in_the_declaration(sqlite_url: str) -> None:
    async with orm.Database(sqlite_url) as database:
        own = orm.Registry(database)

        class Wide(orm.Model):
            amount = orm.Decimal(max_digits=16, decimal_places=2)

            class Meta:
                registry = own

        with pytest.raises(orm.NotSupportedError, match="16 digits"):
            await own.create_all()


# ---------------------------------------------------------------- 14. untrusted names and values


@pytest.mark.parametrize(
    "name",
    ["id; drop table album", 'id"', "title__x", "_id", "artist__", "__class__", "pk__pk", "title\0", "\uff54itle"],
)
async def test_14_names_are_resolved_against_the_schema(name: str) -> None:
    for use in (
        lambda: Album.objects.filter(**{name: 1}),
        lambda: Album.objects.exclude(**{name: 1}),
        lambda: Album.objects.order_by(name),
        lambda: Album.objects.values(name),
        lambda: Album.objects.values_list(name),
        lambda: Album.objects.only(name),
        lambda: Album.objects.defer(name),
        lambda: Album.objects.select_related(name),
        lambda: Album.objects.prefetch_related(name),
        lambda: Album(**{name: 1}),
    ):
        with pytest.raises(orm.FieldError):
            use()


@pytest.mark.parametrize(
    "words",
    [
        {"id": 1.5},
        {"id": "1"},
        {"id": True},
        {"title": 0},
        {"title": "a\0b"},
        {"title": "\ud800"},
        {"year": 2**31},
        {"title__icontains": 3},
        {"title__in": [3]},
        {"title__in": "abc"},
        {"year__range": 3},
        {"year__isnull": 1},
    ],
)
async def test_14_values_are_checked_before_a_driver_sees_them(words: dict[str, object]) -> None:
    with pytest.raises(orm.ValidationError):
        Album.objects.filter(**words)


async def test_14_json_keys_are_bound(music: orm.Database) -> None:
    key = "a' OR 1=1 --"
    await Everything.objects.create(data={key: 1})
    query = Everything.objects.filter(**{f"data__{key}": 1})
    assert key not in str(query)
    assert await query.count() == 1
    assert await Everything.objects.filter(**{"data__b' OR 1=1 --": 1}).count() == 0


async def test_one_to_one_from_both_sides(music: orm.Database) -> None:
    artist = await Artist.objects.create(name="AC/DC")
    profile = await Profile.objects.create(text="loud", artist=artist)
    found = await Artist.objects.select_related("profile").get(id=artist.id)
    assert found.profile == profile
    assert found.profile.artist is found
    plain = await Artist.objects.get(id=artist.id)
    with pytest.raises(orm.NotLoaded, match=r"select_related\('profile'\)"):
        _ = plain.profile
    assert await plain.load("profile")
    assert plain.profile == profile
    other = await Artist.objects.create(name="Accept")
    assert (await Artist.objects.prefetch_related("profile").get(id=other.id)).profile is None


async def test_self_relations(music: orm.Database) -> None:
    boss = await Employee.objects.create(name="boss")
    for name in "ab":
        await Employee.objects.create(name=name, manager=boss)
    found = await Employee.objects.select_related("manager").order_by("name")
    assert [(e.name, e.manager and e.manager.name) for e in found] == [("a", "boss"), ("b", "boss"), ("boss", None)]
    assert await Employee.objects.filter(manager__name="boss").count() == 2
    assert await Employee.objects.filter(reports__name="a") == [boss]
    assert found[0].manager is found[1].manager  # one instance for one key within a result
