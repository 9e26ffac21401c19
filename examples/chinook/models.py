"""The Chinook music shop as models: eleven tables, one to many, many to many, and one that refers to itself."""

from __future__ import annotations

import datetime
import decimal

import orm

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Artist(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=120)
    albums: orm.RelatedSet[Album] = orm.Reverse("Album.artist")


class Album(Base):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=160)
    artist: orm.Related[Artist] = orm.ForeignKey("Artist", on_delete=orm.CASCADE)
    tracks: orm.RelatedSet[Track] = orm.Reverse("Track.album")

    class Meta(Base.Meta):
        ordering = ["title"]


class Genre(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=120, unique=True)
    tracks: orm.RelatedSet[Track] = orm.Reverse("Track.genre")


class MediaType(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=120, unique=True)
    tracks: orm.RelatedSet[Track] = orm.Reverse("Track.media_type")


class Track(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=200)
    album: orm.Related[Album] = orm.ForeignKey("Album", on_delete=orm.CASCADE)
    media_type: orm.Related[MediaType] = orm.ForeignKey("MediaType", on_delete=orm.RESTRICT)
    genre: orm.Related[Genre] = orm.ForeignKey("Genre", on_delete=orm.RESTRICT)
    composer: orm.Field[str | None] = orm.String(max_length=220, null=True, default=None)
    milliseconds: orm.Field[int] = orm.Integer(ge=0)
    bytes: orm.Field[int] = orm.BigInteger(ge=0)
    unit_price: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10, decimal_places=2, ge=0)
    playlists: orm.RelatedSet[Playlist] = orm.Reverse("Playlist.tracks")


class Playlist(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=120)
    tracks: orm.RelatedSet[Track] = orm.ManyToMany("Track", through="PlaylistTrack")


class PlaylistTrack(Base):
    """That a playlist holds a track."""

    id: orm.Field[int] = orm.BigAutoField()
    playlist: orm.Related[Playlist] = orm.ForeignKey("Playlist", on_delete=orm.CASCADE)
    track: orm.Related[Track] = orm.ForeignKey("Track", on_delete=orm.CASCADE)

    class Meta(Base.Meta):
        constraints = [orm.UniqueConstraint("playlist", "track")]


class Employee(Base):
    id: orm.Field[int] = orm.BigAutoField()
    last_name: orm.Field[str] = orm.String(max_length=20)
    first_name: orm.Field[str] = orm.String(max_length=20)
    title: orm.Field[str] = orm.String(max_length=30)
    reports_to: orm.Related[Employee | None] = orm.ForeignKey("Employee", null=True, default=None)
    reports: orm.RelatedSet[Employee] = orm.Reverse("Employee.reports_to")
    birth_date: orm.Field[datetime.datetime] = orm.DateTime()
    hire_date: orm.Field[datetime.datetime] = orm.DateTime()
    address: orm.Field[str] = orm.String(max_length=70)
    city: orm.Field[str] = orm.String(max_length=40)
    state: orm.Field[str] = orm.String(max_length=40)
    country: orm.Field[str] = orm.String(max_length=40)
    postal_code: orm.Field[str] = orm.String(max_length=10)
    phone: orm.Field[str] = orm.String(max_length=24)
    fax: orm.Field[str] = orm.String(max_length=24)
    email: orm.Field[str] = orm.Email(unique=True)


class Customer(Base):
    id: orm.Field[int] = orm.BigAutoField()
    first_name: orm.Field[str] = orm.String(max_length=40)
    last_name: orm.Field[str] = orm.String(max_length=20)
    company: orm.Field[str | None] = orm.String(max_length=80, null=True, default=None)
    address: orm.Field[str] = orm.String(max_length=70)
    city: orm.Field[str] = orm.String(max_length=40)
    state: orm.Field[str | None] = orm.String(max_length=40, null=True, default=None)
    country: orm.Field[str] = orm.String(max_length=40)
    postal_code: orm.Field[str | None] = orm.String(max_length=10, null=True, default=None)
    phone: orm.Field[str | None] = orm.String(max_length=24, null=True, default=None)
    fax: orm.Field[str | None] = orm.String(max_length=24, null=True, default=None)
    email: orm.Field[str] = orm.Email(unique=True)
    support_rep: orm.Related[Employee | None] = orm.ForeignKey("Employee", null=True, default=None)
    invoices: orm.RelatedSet[Invoice] = orm.Reverse("Invoice.customer")


class Invoice(Base):
    id: orm.Field[int] = orm.BigAutoField()
    customer: orm.Related[Customer] = orm.ForeignKey("Customer", on_delete=orm.RESTRICT)
    invoice_date: orm.Field[datetime.datetime] = orm.DateTime()
    billing_address: orm.Field[str] = orm.String(max_length=70)
    billing_city: orm.Field[str] = orm.String(max_length=40)
    billing_state: orm.Field[str | None] = orm.String(max_length=40, null=True, default=None)
    billing_country: orm.Field[str] = orm.String(max_length=40)
    billing_postal_code: orm.Field[str | None] = orm.String(max_length=10, null=True, default=None)
    total: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10, decimal_places=2)
    lines: orm.RelatedSet[InvoiceLine] = orm.Reverse("InvoiceLine.invoice")


class InvoiceLine(Base):
    id: orm.Field[int] = orm.BigAutoField()
    invoice: orm.Related[Invoice] = orm.ForeignKey("Invoice", on_delete=orm.CASCADE)
    track: orm.Related[Track] = orm.ForeignKey("Track", on_delete=orm.RESTRICT)
    unit_price: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10, decimal_places=2)
    quantity: orm.Field[int] = orm.Integer(ge=1)
