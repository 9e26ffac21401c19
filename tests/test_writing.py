"""Many rows at once where some are there already, rows locked for an update, and rows given back by one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

import orm
from tests.databases import created
from tests.music import (
    Album,
    Artist,
    Country,
    Document,
    Everything,
    Playlist,
    PlaylistTrack,
    Tag,
    Track,
    models,
)
from tests.recorder import Recorder
from tests.test_fields import VALUES

warehouse = orm.Registry()


class Article(orm.Model):
    """A model with two unique constraints over its own columns, a version and a relation."""

    id: orm.Field[int] = orm.BigAutoField()
    number: orm.Field[str] = orm.String(max_length=20, unique=True)
    shelf: orm.Field[int | None] = orm.Integer(null=True, default=None)
    place: orm.Field[int | None] = orm.Integer(null=True, default=None)
    price: orm.Field[int] = orm.Integer(default=1, ge=0)
    stock: orm.Field[int] = orm.Integer(default=0)
    maker: orm.Related[Maker | None] = orm.ForeignKey("Maker", null=True, default=None)
    version: orm.Field[int] = orm.Version()

    class Meta:
        registry = warehouse
        constraints = [orm.UniqueConstraint("shelf", "place")]


class Maker(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20)

    class Meta:
        registry = warehouse


@pytest_asyncio.fixture
async def shelves(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(warehouse, database):
        yield database


# ---------------------------------------------------------------- rows that are there already


async def test_conflicts_over_any_constraint_are_ignored(music: orm.Database) -> None:
    await Tag.objects.create(word="rock")
    made = [Tag(word="rock"), Tag(word="loud"), Tag(word="loud")]
    assert await Tag.objects.bulk_create(made, ignore_conflicts=True) == made
    assert [tag.id for tag in made] == [None, None, None]
    assert sorted(await Tag.objects.values_list("word", flat=True)) == ["loud", "rock"]


async def test_ignored_conflicts_give_the_rows_of_unique_fields(music: orm.Database) -> None:
    rock = await Tag.objects.create(word="rock")
    made = [Tag(word="new"), Tag(word="rock"), Tag(word="newer"), Tag(word="new")]
    await Tag.objects.bulk_create(made, ignore_conflicts=True, unique_fields=["word"])
    keys = {tag.word: tag.id for tag in await Tag.objects.all()}
    assert keys["rock"] == rock.id
    assert len(keys) == 3
    assert [tag.id for tag in made] == [keys[tag.word] for tag in made]
    made[0].word = "changed"
    await made[0].save()
    assert (await Tag.objects.get(id=made[0].id)).word == "changed"


async def test_ignoring_conflicts_hides_no_other_error(music: orm.Database) -> None:
    artist = Artist.reference(12345)
    with pytest.raises(orm.ForeignKeyViolation):
        await Album.objects.bulk_create([Album(title="x", artist=artist)], ignore_conflicts=True)
    with pytest.raises(orm.ValidationError):
        await Tag.objects.bulk_create([Tag(word=None)], ignore_conflicts=True)  # type: ignore[arg-type]
    assert await Album.objects.count() == 0


async def test_conflicts_update_rows(shelves: orm.Database) -> None:
    maker = await Maker.objects.create(name="maker")
    old = await Article.objects.create(number="a", price=1, stock=7, maker=maker)
    other = await Article.objects.create(number="z", price=3)
    made = [Article(number="b", price=10), Article(number="a", price=20, stock=99), Article(number="c", price=30)]
    await Article.objects.bulk_create(made, update_conflicts=True, update_fields=["price"], unique_fields=["number"])
    rows = {row["number"]: row for row in await Article.objects.values()}
    assert {number: row["price"] for number, row in rows.items()} == {"a": 20, "b": 10, "c": 30, "z": 3}
    assert rows["a"]["stock"] == 7
    assert rows["a"]["version"] == old.version + 1
    assert rows["b"]["version"] == old.version
    assert [article.id for article in made] == [rows[article.number]["id"] for article in made]
    assert made[1].id == old.id
    assert (made[1].stock, made[1].version, made[1].maker_id) == (7, old.version + 1, maker.id)
    old.price = 5
    with pytest.raises(orm.StaleInstance):
        await old.save()
    made[1].price = 6
    await made[1].save()
    assert (await Article.objects.get(number="a")).price == 6
    assert (await Article.objects.get(id=other.id)).version == other.version


async def test_an_instance_forgets_related_ones_that_its_row_does_not_have(shelves: orm.Database) -> None:
    first, second = await Maker.objects.bulk_create([Maker(name="first"), Maker(name="second")])
    await Article.objects.create(number="a", maker=first)
    made = Article(number="a", maker=second)
    await Article.objects.bulk_create([made], ignore_conflicts=True, unique_fields=["number"])
    assert made.maker == first
    assert made.maker is not second
    same = Article(number="b", maker=second)
    await Article.objects.bulk_create([same], ignore_conflicts=True, unique_fields=["number"])
    assert same.maker is second


async def test_conflicts_over_several_fields_with_null(shelves: orm.Database) -> None:
    there = await Article.objects.create(number="a", shelf=1, place=1)
    nowhere = await Article.objects.create(number="b", shelf=1)
    made = [Article(number="c", shelf=1), Article(number="d", shelf=1)]
    await Article.objects.bulk_create(made, ignore_conflicts=True, unique_fields=["shelf", "place"])
    assert await Article.objects.count() == 4
    assert len({nowhere.id, there.id, *[article.id for article in made]}) == 4
    assert (await Article.objects.get(number="d")).id == made[1].id


async def test_a_conflict_over_another_constraint_is_an_error(shelves: orm.Database) -> None:
    old = await Article.objects.create(number="a", shelf=1, place=1)
    made = [Article(number="new"), Article(number="b", shelf=1, place=1, price=9)]
    error = orm.NotSupportedError if shelves.dialect.name == "mysql" else orm.UniqueViolation
    with pytest.raises(error):
        await Article.objects.bulk_create(
            made, update_conflicts=True, update_fields=["price"], unique_fields=["number"]
        )
    with pytest.raises(error):
        await Article.objects.bulk_create(made, ignore_conflicts=True, unique_fields=["number"])
    assert await Article.objects.values_list("id", "price") == [(old.id, 1)]
    assert made[0].id is None


async def test_conflicts_over_the_key(music: orm.Database) -> None:
    await Country.objects.create(code="AU", name="Australien")
    made = [Country(code="AU", name="Australia"), Country(code="SE", name="Sweden")]
    options = {"update_fields": ["name"], "unique_fields": ["pk"]}
    await Country.objects.bulk_create(made, update_conflicts=True, **options)
    assert dict(await Country.objects.values_list("code", "name")) == {"AU": "Australia", "SE": "Sweden"}
    tag = await Tag.objects.create(word="old")
    given, without = Tag(id=tag.id, word="new"), Tag(word="other")
    await Tag.objects.bulk_create([without], ignore_conflicts=True, unique_fields=["id"])
    assert (await Tag.objects.get(word="other")).id == without.id
    if music.dialect.name != "mysql":
        await Tag.objects.bulk_create([given], update_conflicts=True, update_fields=["word"], unique_fields=["id"])
        assert (await Tag.objects.get(id=tag.id)).word == "new"


async def test_conflicts_over_relations(music: orm.Database) -> None:
    track = await Track.objects.create(name="x")
    playlist = await Playlist.objects.create(name="mine")
    there = await PlaylistTrack.objects.create(playlist=playlist, track=track)
    made = PlaylistTrack(playlist=playlist, track=track)
    await PlaylistTrack.objects.bulk_create([made], ignore_conflicts=True, unique_fields=["track", "playlist"])
    assert made == there
    assert made.playlist is playlist


async def test_every_type_can_be_updated_on_conflict(music: orm.Database) -> None:
    rows = await Everything.objects.bulk_create([Everything() for _ in VALUES])
    made = [Everything(id=row.id, **{name: value}) for row, (name, value) in zip(rows, VALUES, strict=True)]
    names = [column.key for column in Everything.table.c if column.key != "id"]
    await Everything.objects.bulk_create(made, update_conflicts=True, update_fields=names, unique_fields=["id"])
    for instance, (name, value) in zip(made, VALUES, strict=True):
        assert getattr(instance, name) == value, name
        assert getattr(await Everything.objects.get(id=instance.id), name) == value, name
    assert await Everything.objects.count() == len(VALUES)


async def test_many_conflicts_keep_their_keys_apart(music: orm.Database, recorder: Recorder) -> None:
    await Tag.objects.bulk_create([Tag(word=f"w{number}") for number in range(0, 1500, 3)])
    for options in (
        {"ignore_conflicts": True},
        {"ignore_conflicts": True, "chunk_size": 100},
    ):
        made = [Tag(word=f"w{number}") for number in range(1500)]
        await Tag.objects.bulk_create(made, unique_fields=["word"], **options)  # type: ignore[arg-type]
        keys = {tag.word: tag.id for tag in await Tag.objects.all()}
        assert len(keys) == 1500
        assert [tag.id for tag in made] == [keys[tag.word] for tag in made]
    countries = [
        Country(code=f"{a}{b}", name="x") for a in "ABCDEFGHIJKLMNOPQRST" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ]
    recorder.clear()
    for name in ("first", "second"):
        for country in countries:
            country.name = name
        await Country.objects.bulk_create(
            countries, update_conflicts=True, update_fields=["name"], unique_fields=["code"]
        )
    assert recorder.count <= 2 * (1 + 3)
    assert await Country.objects.filter(name="second").count() == len(countries)


async def test_all_or_nothing(music: orm.Database) -> None:
    bad = Artist.reference(12345)
    artist = await Artist.objects.create(name="x")
    made = [Album(title="a", artist=artist), Album(title="b", artist=bad)]
    with pytest.raises(orm.ForeignKeyViolation):
        await Album.objects.bulk_create(made, ignore_conflicts=True, chunk_size=1)
    assert await Album.objects.count() == 0


async def test_the_newest_rows_are_found_in_an_old_transaction(music: orm.Database) -> None:
    if music.dialect.name == "sqlite":
        async with music.transaction():
            await Tag.objects.count()
            made = Tag(word="late")
            await Tag.objects.bulk_create([made], ignore_conflicts=True, unique_fields=["word"])
    else:
        async with music.transaction():
            await Tag.objects.count()
            async with music.connection(fresh=True):
                await Tag.objects.create(word="late")
            made = Tag(word="late")
            await Tag.objects.bulk_create([made], ignore_conflicts=True, unique_fields=["word"])
    assert made.id == (await Tag.objects.get(word="late")).id


async def _tags(*words: str) -> AsyncIterator[Tag]:
    for word in words:
        yield Tag(word=word)


async def test_instances_come_from_any_iterable(music: orm.Database) -> None:
    assert [tag.word for tag in await Tag.objects.bulk_create(_tags("a", "b"))] == ["a", "b"]
    assert len(await Tag.objects.bulk_create(Tag(word=word) for word in "cd")) == 2
    made = await Tag.objects.bulk_create(_tags("a", "e"), ignore_conflicts=True, unique_fields=["word"])
    assert len({tag.id for tag in made}) == 2
    assert await Tag.objects.bulk_create([], ignore_conflicts=True) == []
    assert await Tag.objects.count() == 5


async def test_related_query_sets_take_conflicts(music: orm.Database) -> None:
    artist = await Artist.objects.create(name="x")
    album = await artist.albums.create(title="a")
    made = await artist.albums.bulk_create(
        [Album(id=album.id, title="b")], update_conflicts=True, update_fields=["title"], unique_fields=["id"]
    )
    assert made == [album]
    assert (await artist.albums.get()).title == "b"
    rock = await Tag.objects.create(word="rock")
    tags = await album.tags.bulk_create(
        [Tag(word="rock"), Tag(word="loud")], ignore_conflicts=True, unique_fields=["word"]
    )
    assert tags[0] == rock
    assert sorted([tag.word for tag in await album.tags]) == ["loud", "rock"]
    with pytest.raises(orm.FieldError, match="unique_fields"):
        await album.tags.bulk_create([Tag(word="soft")], ignore_conflicts=True)
    assert await Tag.objects.count() == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ignore_conflicts": True, "update_conflicts": True}, "Choose one"),
        ({"update_conflicts": True, "unique_fields": ["number"]}, "update_fields"),
        ({"update_conflicts": True, "update_fields": ["price"]}, "one of: id; number; shelf, place"),
        ({"update_fields": ["price"]}, "update_conflicts=True"),
        ({"ignore_conflicts": True, "update_fields": ["price"]}, "update_conflicts=True"),
        ({"unique_fields": ["number"]}, "ignore_conflicts=True"),
        ({"ignore_conflicts": True, "unique_fields": ["nummer"]}, "Choose from: id, number"),
        ({"ignore_conflicts": True, "unique_fields": ["price"]}, "one of: id; number; shelf, place"),
        ({"ignore_conflicts": True, "unique_fields": ["shelf"]}, "one of: id; number; shelf, place"),
        ({"ignore_conflicts": True, "unique_fields": []}, "empty"),
        ({"ignore_conflicts": True, "unique_fields": "number"}, r"\['number'\]"),
        ({"update_conflicts": True, "unique_fields": ["number"], "update_fields": ["prize"]}, "Choose from"),
        ({"update_conflicts": True, "unique_fields": ["number"], "update_fields": ["id"]}, "shelf, place, price"),
        ({"update_conflicts": True, "unique_fields": ["number"], "update_fields": ["number"]}, "which row"),
        ({"update_conflicts": True, "unique_fields": ["number"], "update_fields": ["version"]}, "counts"),
    ],
)
async def test_options_that_do_not_fit_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        await Article.objects.bulk_create([], **options)  # type: ignore[arg-type]


async def test_two_instances_for_one_row_are_refused(music: orm.Database) -> None:
    made = [Country(code="AU", name="a"), Country(code="AU", name="b")]
    with pytest.raises(orm.ValidationError, match="code='AU'"):
        await Country.objects.bulk_create(made, update_conflicts=True, update_fields=["name"], unique_fields=["code"])
    assert await Country.objects.count() == 0


async def test_a_chunk_has_at_least_one_row(music: orm.Database) -> None:
    for size in (0, -1):
        with pytest.raises(orm.ValidationError, match="at least 1"):
            await Tag.objects.bulk_create([Tag(word="a")], chunk_size=size)
        with pytest.raises(orm.ValidationError, match="at least 1"):
            await Tag.objects.bulk_create([Tag(word="a")], chunk_size=size, ignore_conflicts=True)


# ---------------------------------------------------------------- locks


@pytest_asyncio.fixture
async def other(music: orm.Database, url: str) -> AsyncIterator[orm.Database]:
    """Somebody else on the same database, who does not wait long."""
    async with orm.Database(url, max_size=2, timeout=2) as database:
        yield database


def _has_row_locks(database: orm.Database) -> bool:
    return database.capabilities.row_locks


async def test_a_lock_needs_a_transaction(music: orm.Database) -> None:
    tag = await Tag.objects.create(word="a")
    for query in (Tag.objects.select_for_update(), Tag.objects.claim(1)):
        with pytest.raises(orm.TransactionError, match=r"database\.transaction"):
            await query
        with pytest.raises(orm.TransactionError):
            await anext(query.iterate())
    with pytest.raises(orm.TransactionError):
        await Tag.objects.select_for_update().values_list("word", flat=True)
    with pytest.raises(orm.TransactionError):
        await Tag.objects.select_for_update().get(id=tag.id)
    assert await Tag.objects.select_for_update().count() == 1
    assert await Tag.objects.select_for_update().exists()
    assert await Tag.objects.select_for_update()[:5].count() == 1
    async with music.transaction():
        assert await Tag.objects.select_for_update().get(id=tag.id) == tag
        assert await Tag.objects.select_for_update().values_list("word", flat=True) == ["a"]
        assert [found async for found in Tag.objects.select_for_update()] == [tag]


async def test_locked_rows_are_refused_or_left_out(music: orm.Database, other: orm.Database) -> None:
    if not _has_row_locks(music):
        pytest.skip("SQLite locks the whole database")
    first, second = await Tag.objects.bulk_create([Tag(word="a"), Tag(word="b")])
    theirs = Tag.objects.using(other)
    async with music.transaction():
        await Tag.objects.select_for_update().get(id=first.id)
        async with other.transaction():
            assert await theirs.select_for_update(skip_locked=True) == [second]
            assert await theirs.filter(id=first.id) == [first]
        with pytest.raises(orm.LockTimeout):
            async with other.transaction():
                await theirs.select_for_update(nowait=True).get(id=first.id)
    async with other.transaction():
        assert await theirs.select_for_update(nowait=True).get(id=first.id) == first


async def test_shared_locks_keep_others_from_changing_rows(music: orm.Database, other: orm.Database) -> None:
    if not _has_row_locks(music):
        pytest.skip("SQLite locks the whole database")
    tag = await Tag.objects.create(word="a")
    theirs = Tag.objects.using(other)
    async with music.transaction():
        await Tag.objects.select_for_update(share=True).get(id=tag.id)
        async with other.transaction():
            assert await theirs.select_for_update(share=True, nowait=True).get(id=tag.id) == tag
            assert await theirs.select_for_update(share=True, skip_locked=True) == [tag]
        async with other.transaction():
            assert await theirs.select_for_update(skip_locked=True) == []


async def _create_soon(database: orm.Database, **values: object) -> None:
    async with database.transaction():
        await database.execute("SET LOCAL lock_timeout = 200")
        await Article.objects.using(database).create(**values)


async def test_a_lock_without_the_key_lets_others_refer(postgresql_url: str) -> None:
    async with (
        orm.Database(postgresql_url) as database,
        orm.Database(postgresql_url) as other,
        created(warehouse, database),
    ):
        maker = await Maker.objects.create(name="x")
        async with database.transaction():
            await Maker.objects.select_for_update(no_key=True).get(id=maker.id)
            await _create_soon(other, number="a", maker=maker)
        async with database.transaction():
            await Maker.objects.select_for_update().get(id=maker.id)
            with pytest.raises(orm.LockTimeout):
                await _create_soon(other, number="b", maker=maker)


async def test_which_tables_are_locked(music: orm.Database, other: orm.Database) -> None:
    artist = await Artist.objects.create(name="x")
    album = await Album.objects.create(title="a", artist=artist)
    albums, artists = Album.objects.using(other), Artist.objects.using(other)
    query = Album.objects.select_related("artist", "producer")
    if music.dialect.name == "mysql":
        async with music.transaction():
            with pytest.raises(orm.NotSupportedError, match="has no of="):
                await query.select_for_update(of=["artist"])
        return
    async with music.transaction():
        assert await query.select_for_update() == [album]
        if _has_row_locks(music):
            async with other.transaction():
                assert await albums.select_for_update(skip_locked=True) == []
                assert await artists.select_for_update(skip_locked=True) == [artist]
    async with music.transaction():
        assert await query.select_for_update(of=[Album.artist]) == [album]
        if _has_row_locks(music):
            async with other.transaction():
                assert await albums.select_for_update(skip_locked=True) == [album]
                assert await artists.select_for_update(skip_locked=True) == []
    async with music.transaction():
        assert await Album.objects.select_for_update(of=["self", "artist"]) == [album]
        if _has_row_locks(music):
            async with other.transaction():
                assert await albums.select_for_update(skip_locked=True) == []
                assert await artists.select_for_update(skip_locked=True) == []


async def test_locks_that_do_not_fit_are_refused(music: orm.Database) -> None:
    album = Album.objects.all()
    for make, message in (
        (lambda: album.select_for_update(nowait=True, skip_locked=True), "Choose one"),
        (lambda: album.select_for_update(no_key=True, share=True), "Choose one"),
        (lambda: album.select_for_update(of=["producer"]), "may be missing"),
        (lambda: Artist.objects.select_for_update(of=["profile"]), "may be missing"),
        (lambda: album.select_for_update(of=["tracks"]), "many rows"),
        (lambda: album.select_for_update(of=["artists"]), "Choose from: artist"),
        (lambda: album.select_for_update(of="artist"), r"\['artist'\]"),
        (lambda: album[:3].claim(2), "slice"),
    ):
        with pytest.raises(orm.FieldError, match=message):
            make()
    async with music.transaction():
        with pytest.raises(orm.FieldError, match="distinct"):
            await album.distinct().select_for_update()
        with pytest.raises(orm.FieldError, match="select_for_update"):
            await album.select_for_update().update(title="x")
        with pytest.raises(orm.FieldError, match="select_for_update"):
            await album.claim(3).delete()
        if music.dialect.name == "mysql":
            with pytest.raises(orm.NotSupportedError, match="no_key"):
                await album.select_for_update(no_key=True)


async def test_workers_claim_different_rows(music: orm.Database, other: orm.Database) -> None:
    tags = await Tag.objects.bulk_create([Tag(word=word) for word in "abcd"])
    theirs = Tag.objects.using(other)
    async with music.transaction():
        mine = await Tag.objects.claim(2)
        assert mine == tags[:2]
        if _has_row_locks(music):
            async with other.transaction():
                assert await theirs.claim(2) == tags[2:]
                assert await theirs.claim(0) == []
        await Tag.objects.filter(id__in=[tag.id for tag in mine]).delete()
    async with other.transaction():
        assert await theirs.order_by("-word").claim(1) == tags[3:]
        assert await theirs.claim(3) == tags[2:]
    with pytest.raises(orm.ValidationError, match="number of rows"):
        Tag.objects.claim(-1)


# ---------------------------------------------------------------- rows given back


async def test_updated_rows_are_given_back(music: orm.Database) -> None:
    artist = await Artist.objects.create(name="x")
    old = await artist.albums.create(title="a", year=1)
    await artist.albums.create(title="b", year=5)
    if music.dialect.name == "mysql":
        with pytest.raises(orm.NotSupportedError, match="has no UPDATE"):
            await Album.objects.filter(year=1).returning().update(year=2)
        assert (await Album.objects.get(title="a")).year == 1
        return
    rows = await Album.objects.filter(artist__name="x", year=1).returning().update(year=orm.F("year") + 1)
    assert rows == [old]
    assert (rows[0].title, rows[0].year) == ("a", 2)
    rows[0].title = "changed"
    await rows[0].save()
    assert await Album.objects.filter(title="changed").returning("title", "artist", "pk").update(year=3) == [
        {"title": "changed", "artist": artist.id, "pk": old.id}
    ]
    found = await Album.objects.order_by("-year").limit(1).returning(Album.year, Album.artist.id).update(year=6)
    assert [list(row.values()) for row in found] == [[6, artist.id]]
    assert await Album.objects.filter(year=99).returning("id").update(year=1) == []
    assert await Album.objects.none().returning("id").update(year=1) == []
    document = await Document.objects.create(text="x")
    (updated,) = await Document.objects.all().returning().update(text="y")
    assert updated.version == document.version + 1
    await updated.delete()


async def test_deleted_rows_are_given_back(music: orm.Database) -> None:
    tags = await Tag.objects.bulk_create([Tag(word=word) for word in "abcd"])
    if music.dialect.name == "mysql" and not getattr(music.dialect, "is_mariadb", False):
        with pytest.raises(orm.NotSupportedError, match="MySQL has no DELETE"):
            await Tag.objects.filter(word="a").returning().delete()
        return
    (gone,) = await Tag.objects.filter(word="a").returning().delete()
    assert (gone.id, gone.word) == (tags[0].id, "a")
    await gone.save()
    assert await Tag.objects.count() == 4
    assert await Tag.objects.order_by("-word").limit(2).returning("word").delete() in (
        [{"word": "c"}, {"word": "d"}],
        [{"word": "d"}, {"word": "c"}],
    )
    assert await Tag.objects.filter(albums__isnull=False).returning("word").delete() == []
    assert {row["word"] for row in await Tag.objects.all().returning("word").delete()} == {"a", "b"}
    assert not await Tag.objects.exists()


async def test_every_type_is_given_back(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(**{name: value}) for name, value in VALUES])
    before = {row["id"]: row for row in await Everything.objects.values()}
    if music.dialect.name == "mysql" and not getattr(music.dialect, "is_mariadb", False):
        pytest.skip("MySQL has no RETURNING")
    names = list(next(iter(before.values())))
    rows = await Everything.objects.all().returning(*names).delete()
    assert {row["id"]: row for row in rows} == before


async def test_instances_that_are_given_back_remember_their_database(music: orm.Database, url: str) -> None:
    if not music.capabilities.returning:
        pytest.skip("it has no UPDATE … RETURNING")
    await Tag.objects.create(word="a")
    async with orm.Database(url) as other:
        (tag,) = await Tag.objects.using(other).filter(word="a").returning().update(word="b")
        models.database = None
        tag.word = "c"
        await tag.save()
    models.database = music
    assert (await Tag.objects.get()).word == "c"


async def test_what_cannot_be_given_back_is_refused(music: orm.Database) -> None:
    for make, message in (
        (lambda: Album.objects.returning("titel"), "Choose from: id, title"),
        (lambda: Album.objects.returning("artist__name"), "own"),
        (lambda: Album.objects.returning(Album.artist.name), "own"),
        (lambda: Album.objects.returning("title", "title"), "once"),
        (lambda: Album.objects.only("title").returning(), "only"),
        (lambda: Album.objects.select_related("artist").returning(), "select_related"),
        (lambda: Album.objects.prefetch_related("tracks").returning(), "prefetch_related"),
    ):
        with pytest.raises(orm.FieldError, match=message):
            make()
    with pytest.raises(orm.InterfaceError, match="every row"):
        await Album.objects.returning().delete()
    with pytest.raises(orm.FieldError, match="needs values"):
        await Album.objects.all().returning().update()
