"""The models that most tests use: a small music shop, and a table with a column of every type."""

from __future__ import annotations

import enum

import orm

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Artist(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=120)
    country: orm.Field[str | None] = orm.String(max_length=2, null=True, default=None)
    albums: orm.RelatedSet[Album] = orm.Reverse("Album.artist")
    profile = orm.Reverse("Profile.artist")


class Profile(Base):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.Text()
    artist: orm.Related[Artist] = orm.OneToOne("Artist", on_delete=orm.CASCADE)


class Album(Base):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=160)
    year: orm.Field[int | None] = orm.Integer(null=True, default=None)
    artist: orm.Related[Artist] = orm.ForeignKey("Artist", on_delete=orm.CASCADE)
    producer: orm.Related[Artist | None] = orm.ForeignKey(
        "Artist", null=True, default=None, on_delete=orm.SET_NULL, related_name="produced"
    )
    tracks: orm.RelatedSet[Track] = orm.Reverse("Track.album")
    tags: orm.RelatedSet[Tag] = orm.ManyToMany("Tag", related_name="albums")

    class Meta(Base.Meta):
        ordering = ["title"]


class Track(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=200)
    seconds: orm.Field[int] = orm.Integer(default=0)
    price: orm.Field[object] = orm.Decimal(max_digits=10, decimal_places=2, null=True, default=None)
    album: orm.Related[Album | None] = orm.ForeignKey("Album", null=True, default=None, on_delete=orm.CASCADE)
    playlists: orm.RelatedSet[Playlist] = orm.Reverse("Playlist.tracks")


class Tag(Base):
    id: orm.Field[int] = orm.BigAutoField()
    word: orm.Field[str] = orm.String(max_length=40, unique=True)


class Playlist(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=120)
    tracks: orm.RelatedSet[Track] = orm.ManyToMany("Track", through="PlaylistTrack")


class PlaylistTrack(Base):
    id: orm.Field[int] = orm.BigAutoField()
    playlist: orm.Related[Playlist] = orm.ForeignKey("Playlist", on_delete=orm.CASCADE)
    track: orm.Related[Track] = orm.ForeignKey("Track", on_delete=orm.CASCADE)

    class Meta(Base.Meta):
        constraints = [orm.UniqueConstraint("playlist", "track")]


class Employee(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=120)
    manager: orm.Related[Employee | None] = orm.ForeignKey(
        "Employee", null=True, default=None, on_delete=orm.SET_NULL, related_name="reports"
    )


class Country(Base):
    code: orm.Field[str] = orm.String(max_length=2, primary_key=True)
    name: orm.Field[str] = orm.String(max_length=60)


class Document(Base):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.Text()
    version: orm.Field[int] = orm.Version()


class Color(enum.Enum):
    RED = "red"
    GREEN = "green"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 9


class Everything(Base):
    id: orm.Field[int] = orm.BigAutoField()
    small = orm.SmallInteger(null=True)
    integer = orm.Integer(null=True)
    big = orm.BigInteger(null=True)
    float = orm.Float(null=True)
    decimal = orm.Decimal(max_digits=15, decimal_places=4, null=True)
    boolean = orm.Boolean(null=True)
    string = orm.String(max_length=100, null=True)
    text = orm.Text(null=True)
    slug = orm.Slug(null=True)
    email = orm.Email(null=True)
    url = orm.URL(null=True)
    uuid = orm.UUID(null=True)
    date = orm.Date(null=True)
    moment = orm.DateTime(null=True)
    naive = orm.DateTime(timezone=False, null=True)
    time = orm.Time(null=True)
    duration = orm.Duration(null=True)
    binary = orm.Binary(null=True)
    data = orm.JSON(null=True)
    color = orm.Enum(Color, null=True)
    level = orm.Enum(Level, null=True)
    address = orm.IPAddress(null=True)
