"""Relations on instances: what is loaded how, and what related query sets write."""

from __future__ import annotations

import pytest

import orm
from tests.music import Album, Artist, Country, Employee, Playlist, PlaylistTrack, Tag, Track
from tests.recorder import Recorder


async def _shop() -> tuple[Artist, list[Album], list[Track], list[Tag]]:
    artist = await Artist.objects.create(name="AC/DC")
    albums = await Album.objects.bulk_create([Album(title=f"Album {n}", year=n, artist=artist) for n in range(3)])
    tracks = await Track.objects.bulk_create(
        [Track(name=f"Track {n}", seconds=n, album=albums[n // 2]) for n in range(6)]
    )
    tags = await Tag.objects.bulk_create([Tag(word=word) for word in ("rock", "hard", "loud")])
    await albums[0].tags.add(*tags)
    await albums[1].tags.add(tags[0])
    return artist, albums, tracks, tags


async def test_prefetching_reads_each_level_in_one_statement(music: orm.Database, recorder: Recorder) -> None:
    await _shop()
    recorder.clear()
    artists = await Artist.objects.prefetch_related("albums__tracks", "albums__tags")
    assert recorder.count == 4
    assert [[track.name for track in album.tracks] for album in artists[0].albums] == [
        ["Track 0", "Track 1"],
        ["Track 2", "Track 3"],
        ["Track 4", "Track 5"],
    ]
    assert [sorted(tag.word for tag in album.tags) for album in artists[0].albums] == [
        ["hard", "loud", "rock"],
        ["rock"],
        [],
    ]
    assert len(artists[0].albums) == 3
    assert artists[0].albums
    assert all(album.artist is artists[0] for album in artists[0].albums)
    assert recorder.count == 4


async def test_statement_counts_of_every_way_to_read(music: orm.Database, recorder: Recorder) -> None:
    await _shop()
    for query, statements in (
        (Track.objects.select_related("album__artist"), 1),
        (Track.objects.prefetch_related("album"), 2),
        (Album.objects.prefetch_related("tags"), 2),
        (Tag.objects.prefetch_related("albums"), 2),
        (Tag.objects.prefetch_related("albums__artist"), 3),
        (Tag.objects.prefetch_related(orm.Prefetch("albums", Album.objects.select_related("artist"))), 2),
    ):
        recorder.clear()
        assert await query
        assert recorder.count == statements, query


async def test_prefetch_over_every_kind_of_relation(music: orm.Database) -> None:
    _, albums, tracks, tags = await _shop()
    playlist = await Playlist.objects.create(name="mine")
    await playlist.tracks.set(tracks[:2])
    found = await Track.objects.order_by("id").prefetch_related("album", "playlists")
    assert found[0].album is found[1].album
    assert found[0].album == albums[0]
    assert [list(track.playlists) for track in found] == [[playlist]] * 2 + [[]] * 4
    rock = await Tag.objects.prefetch_related("albums").get(word="rock")
    assert sorted(album.title for album in rock.albums) == ["Album 0", "Album 1"]
    boss = await Employee.objects.create(name="boss")
    await boss.reports.create(name="worker")
    loaded = await Employee.objects.prefetch_related("reports__reports").get(name="boss")
    assert [list(worker.reports) for worker in loaded.reports] == [[]]
    assert tags


async def test_a_prefetch_with_a_query_set_of_its_own(music: orm.Database) -> None:
    await _shop()
    wanted = orm.Prefetch("albums", Album.objects.filter(year__gte=1).order_by("-year").prefetch_related("tracks"))
    artist = await Artist.objects.prefetch_related(wanted).get()
    assert [album.year for album in artist.albums] == [2, 1]
    assert len(next(iter(artist.albums)).tracks) == 2
    recent = orm.Prefetch("albums", Album.objects.filter(year=2), to_attr="recent")
    artist = await Artist.objects.prefetch_related("albums", recent).get()
    assert len(artist.albums) == 3
    assert [album.year for album in artist.recent] == [2]
    only = orm.Prefetch(Artist.albums, Album.objects.only("title"))
    artist = await Artist.objects.prefetch_related(only).get()
    assert [album.title for album in artist.albums] == ["Album 0", "Album 1", "Album 2"]
    tagged = orm.Prefetch("albums", Album.objects.filter(tags__word="hard"))
    tag = await Tag.objects.prefetch_related(tagged).get(word="rock")
    assert [album.title for album in tag.albums] == ["Album 0"]


async def test_bad_prefetches_are_refused(music: orm.Database) -> None:
    for wanted in (
        lambda: Artist.objects.prefetch_related("album"),
        lambda: Artist.objects.prefetch_related("albums__name"),
        lambda: Artist.objects.prefetch_related(orm.Prefetch("albums", Track.objects.all())),
        lambda: Artist.objects.prefetch_related(orm.Prefetch("albums", Album.objects.all()[:3])),
        lambda: Artist.objects.prefetch_related("albums").values("id"),
    ):
        with pytest.raises(orm.FieldError):
            wanted()


async def test_what_is_not_prefetched_is_awaited(music: orm.Database) -> None:
    artist, albums, *_ = await _shop()
    assert await artist.albums == albums
    assert await artist.albums.filter(year=1) == [albums[1]]
    assert [album.title async for album in artist.albums] == ["Album 0", "Album 1", "Album 2"]
    for use in (list, len, bool):
        with pytest.raises(orm.NotLoaded, match="prefetch_related"):
            use(artist.albums)
    await artist.load("albums")
    assert list(artist.albums) == albums


async def test_related_query_sets_create_and_update(music: orm.Database) -> None:
    artist, *_ = await _shop()
    album = await artist.albums.create(title="New")
    assert album.artist is artist
    assert await artist.albums.count() == 4
    assert await artist.albums.filter(title="New").update(title="Newer") == 1
    found, created = await artist.albums.get_or_create(title="Newer")
    assert (found, created) == (album, False)
    tag = await album.tags.create(word="fresh")
    assert await album.tags == [tag]
    with pytest.raises(orm.FieldError, match="Leave it out"):
        await artist.albums.create(title="x", artist=artist)


async def test_get_or_create_on_a_relation_belongs_to_the_owner(music: orm.Database) -> None:
    artist, *_ = await _shop()
    other = await Artist.objects.create(name="Other")
    made, created = await other.albums.get_or_create(title="Album 0", defaults={"year": 9})
    assert created
    assert made.artist_id == other.id
    assert await other.albums.count() == 1
    tag, created = await (await artist.albums.all().first() or Album()).tags.get_or_create(word="brand-new")
    assert created
    assert await tag.albums.count() == 1


async def test_many_to_many_add_remove_set_clear(music: orm.Database) -> None:
    _, albums, _, tags = await _shop()
    album = albums[2]
    await album.tags.add(tags[0], tags[1], tags[0])
    await album.tags.add(tags[0])
    assert sorted(tag.word for tag in await album.tags) == ["hard", "rock"]
    await album.tags.remove(tags[0])
    assert await album.tags == [tags[1]]
    await album.tags.set([tags[0], tags[2]])
    assert sorted(tag.word for tag in await album.tags) == ["loud", "rock"]
    await tags[0].albums.clear()
    assert await album.tags == [tags[2]]
    await album.tags.clear()
    assert await album.tags == []
    assert await Tag.objects.count() == 3


async def test_many_to_many_through_an_own_model(music: orm.Database) -> None:
    _, _, tracks, _ = await _shop()
    playlist = await Playlist.objects.create(name="mine")
    await playlist.tracks.add(*tracks[:3])
    assert await PlaylistTrack.objects.filter(playlist=playlist).count() == 3
    assert await Playlist.objects.filter(tracks__name="Track 1") == [playlist]
    assert await Track.objects.filter(playlists=playlist).count() == 3
    assert await Track.objects.exclude(playlists=playlist).count() == 3
    assert await playlist.tracks.filter(name="Track 2").values_list("name", flat=True) == ["Track 2"]


async def test_foreign_keys_add_remove_set(music: orm.Database) -> None:
    boss = await Employee.objects.create(name="boss")
    a, b, c = await Employee.objects.bulk_create([Employee(name=name) for name in "abc"])
    await boss.reports.add(a, b)
    assert a.manager is boss
    assert await boss.reports.order_by("name") == [a, b]
    await boss.reports.remove(a)
    assert a.manager is None
    await boss.reports.set([b, c])
    assert await boss.reports.order_by("name") == [b, c]
    await boss.reports.clear()
    assert await boss.reports == []
    artist = await Artist.objects.create(name="x")
    album = await artist.albums.create(title="y")
    with pytest.raises(orm.FieldError, match="cannot be null"):
        await artist.albums.remove(album)


async def test_keys_without_a_join(music: orm.Database, recorder: Recorder) -> None:
    artist, albums, *_ = await _shop()
    for query in (
        Album.objects.filter(artist_id=artist.id),
        Album.objects.filter(artist=artist.id),
        Album.objects.filter(artist__id=artist.id),
        Album.objects.filter(Album.artist.id == artist.id),
        Album.objects.filter(artist=Artist.reference(artist.id)),
    ):
        assert "JOIN" not in str(query)
        assert await query.count() == 3
    album = await Album.objects.create(title="by key", artist_id=artist.id)
    assert album.artist == artist
    album.artist_id = (await Artist.objects.create(name="other")).id
    assert album.artist.id == album.artist_id
    await album.save()
    assert await artist.albums.count() == 3
    assert albums


async def test_text_keys(music: orm.Database) -> None:
    await Country.objects.create(code="de", name="Germany")
    country = await Country.objects.get(pk="de")
    await country.update(name="Deutschland")
    assert (await Country.objects.get(code="de")).name == "Deutschland"
    assert await Country.objects.in_bulk(["de", "fr"]) == {"de": country}


async def test_an_instance_saved_after_it_was_assigned_gives_its_key(music: orm.Database) -> None:
    artist = Artist(name="late")
    album = Album(title="x", artist=artist)
    with pytest.raises(orm.ValidationError, match="no key yet"):
        await album.save()
    await artist.save()
    await album.save()
    assert album.artist_id == artist.id


async def test_deletes_cascade_in_the_database(music: orm.Database) -> None:
    artist, *_ = await _shop()
    producer = await Artist.objects.create(name="producer")
    await Album.objects.filter(title="Album 0").update(producer=producer)
    await producer.delete()
    assert await Album.objects.filter(producer=None).count() == 3
    await artist.delete()
    assert await Track.objects.count() == 0
    with pytest.raises(orm.ForeignKeyViolation):
        await Album.objects.create(title="x", artist_id=artist.id)


async def test_unsaved_owners_have_no_related_rows(music: orm.Database) -> None:
    artist = Artist(name="new")
    with pytest.raises(orm.InterfaceError, match="no key yet"):
        await artist.albums
    with pytest.raises(orm.InterfaceError, match="no key yet"):
        await artist.albums.filter(year=1).count()
    with pytest.raises(orm.InterfaceError, match="no key yet"):
        await artist.albums.create(title="x")
    with pytest.raises(orm.InterfaceError, match="no key yet"):
        await artist.albums.update(title="x")
    stored = await Artist.objects.create(name="stored")
    with pytest.raises(orm.FieldError, match="takes instances of Album"):
        await stored.albums.add(stored)  # type: ignore[arg-type]
    with pytest.raises(orm.ValidationError, match="no row yet"):
        await stored.albums.add(Album(title="x"))


async def test_what_was_prefetched_is_forgotten_when_it_changes(music: orm.Database) -> None:
    _, _, _, tags = await _shop()
    album = await Album.objects.prefetch_related("tags").get(title="Album 2")
    assert len(album.tags) == 0
    await album.tags.add(tags[0])
    assert await album.tags == [tags[0]]
    artist = await Artist.objects.prefetch_related("albums").get()
    made = await artist.albums.create(title="Zzz")
    assert (await artist.albums)[-1] == made
    await artist.load("albums")
    assert len(artist.albums) == 4


async def test_related_query_sets_create_in_bulk(music: orm.Database) -> None:
    artist, albums, *_ = await _shop()
    await artist.albums.bulk_create([Album(title="a"), Album(title="b")])
    assert await artist.albums.count() == 5
    await albums[2].tags.bulk_create([Tag(word="x"), Tag(word="y")])
    assert await albums[2].tags.count() == 2


async def test_an_update_does_not_see_its_own_changes(music: orm.Database) -> None:
    _, _, tracks, _ = await _shop()
    playlist = await Playlist.objects.create(name="mine")
    await playlist.tracks.set(tracks[:4])
    assert await Track.objects.filter(playlists__tracks__seconds=0).update(seconds=9) == 4
    await Track.objects.filter(id__in=[track.id for track in tracks[:2]]).update(seconds=0)
    assert await Track.objects.filter(~(Track.playlists.tracks.seconds != 0)).update(seconds=9) == 4
