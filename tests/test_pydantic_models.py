"""pydantic models of models, for requests and responses; instances in pydantic models; FastAPI. Nothing is fetched."""

from __future__ import annotations

import datetime
import enum
import ipaddress
import json
import uuid
from decimal import Decimal
from typing import Annotated, Any, cast

import fastapi
import httpx
import pydantic
import pytest
import sqlalchemy as sa
from fastapi.encoders import jsonable_encoder
from pydantic_core import PydanticSerializationError

import orm
from orm.cleaning import row_to_insert
from orm.database import Database
from orm.postgresql import Range
from tests.databases import created
from tests.music import Album, Artist, Color, Country, Document, Employee, Everything, Level, Profile, Tag, Track
from tests.recorder import Recorder

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class State(enum.Enum):
    OPEN = "open"
    PAID = "paid"


class Order(Base):
    """What a customer wants."""

    id: orm.Field[int] = orm.BigAutoField()
    number: orm.Field[str] = orm.String(max_length=8, min_length=3, pattern="^[A-Z]+$", comment="as on the invoice")
    total: orm.Field[Decimal] = orm.Decimal(max_digits=6, decimal_places=2, ge=0)
    state: orm.Field[State] = orm.Enum(State, default=State.OPEN)
    kind: orm.Field[str] = orm.String(max_length=5, choices=["new", ("old", "Old")], default="new")
    copies: orm.Field[int] = orm.Integer(ge=1, lt=100, default=lambda: 1)
    made: orm.Field[datetime.datetime] = orm.DateTime(default=sa.func.now())
    note: orm.Field[str | None] = orm.Text(null=True, default=None)
    version: orm.Field[int] = orm.Version()

    def clean(self) -> None:
        if self.note == "nothing":
            raise orm.ValidationError({"note": "too little"})


class Lists(orm.Model):
    """What PostgreSQL alone has."""

    id: orm.Field[int] = orm.BigAutoField()
    numbers = orm.Array(orm.SmallInteger(), max_length=3)
    files = orm.Array(orm.Binary())
    period = orm.postgresql.DateRange()
    home = orm.postgresql.CIDR(null=True)
    labels = orm.postgresql.HStore(default=dict)

    class Meta:
        registry = orm.Registry()


class Defaults(Base):
    price: orm.Field[Decimal] = orm.Decimal(max_digits=6, decimal_places=2, default=0)  # type: ignore[arg-type]
    rate: orm.Field[Decimal] = orm.Decimal(max_digits=6, decimal_places=2, default=lambda: 1)  # type: ignore[arg-type]


def dumped(model: pydantic.BaseModel) -> Any:
    return json.loads(model.model_dump_json())


def properties(model: type[pydantic.BaseModel], mode: Any = "validation") -> dict[str, Any]:
    return cast("dict[str, Any]", model.model_json_schema(mode=mode)["properties"])


# ---------------------------------------------------------------- the schema


def test_limits_choices_defaults_and_comments_are_in_the_schema() -> None:
    made = orm.pydantic_model(Order)
    schema = made.model_json_schema()
    assert (schema["title"], schema["description"]) == ("Order", "What a customer wants.")
    assert schema["required"] == ["number", "total"]
    assert schema["properties"]["number"] == {
        "description": "as on the invoice",
        "maxLength": 8,
        "minLength": 3,
        "pattern": "^[A-Z]+$",
        "title": "Number",
        "type": "string",
    }
    assert schema["properties"]["total"]["anyOf"] == [
        {"minimum": 0.0, "type": "number"},
        {"pattern": "^[+-]?0*\\d{0,4}(\\.\\d{0,2}0*)?$", "type": "string"},
    ]
    assert schema["properties"]["state"] == {
        "default": "open",
        "enum": ["open", "paid"],
        "title": "State",
        "type": "string",
    }
    assert schema["properties"]["kind"] == {
        "default": "new",
        "enum": ["new", "old"],
        "maxLength": 5,
        "title": "Kind",
        "type": "string",
    }
    copies = schema["properties"]["copies"]
    assert (copies["minimum"], copies["exclusiveMaximum"]) == (1, 100)
    assert schema["properties"]["note"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    assert made.model_fields["number"].annotation is str
    assert made.model_fields["note"].annotation == str | None


def test_a_response_has_what_a_request_may_leave_out() -> None:
    schema = orm.pydantic_model(Order).model_json_schema(mode="serialization")
    assert schema["required"] == list(Order.__schema__.fields)
    assert schema["properties"]["id"]["type"] == "integer"
    omitting = orm.pydantic_model(Order, unloaded="omit").model_json_schema(mode="serialization")
    assert "required" not in omitting


def test_every_kind_of_field_has_a_schema() -> None:
    found = properties(orm.pydantic_model(Everything))
    forms = {name: part.get("anyOf", [part])[0] for name, part in found.items()}
    assert forms["binary"] == {"type": "string", "contentEncoding": "base64"}
    assert forms["address"] == {"type": "string", "format": "ipvanyaddress"}
    assert (forms["email"]["format"], forms["url"]["format"]) == ("email", "uri")
    assert forms["data"] == {}
    assert (forms["color"]["enum"], forms["level"]["enum"]) == (["red", "green"], [1, 9])
    assert [forms[name]["format"] for name in ("uuid", "date", "moment", "time", "duration")] == [
        "uuid",
        "date",
        "date-time",
        "time",
        "duration",
    ]
    lists = properties(orm.pydantic_model(Lists))
    assert (lists["numbers"]["maxItems"], lists["numbers"]["items"]["maximum"]) == (3, 32767)
    assert lists["files"]["items"] == {"type": "string", "contentEncoding": "base64"}
    assert set(lists["period"]["properties"]) == {"lower", "upper", "bounds", "empty"}
    assert "required" not in lists["period"]


def test_fields_can_be_chosen() -> None:
    assert list(orm.pydantic_model(Album, include={"title", "year"}).model_fields) == ["title", "year"]
    assert list(orm.pydantic_model(Album, exclude=["id", "producer"]).model_fields) == ["title", "year", "artist_id"]
    assert list(orm.pydantic_model(Album, include={"artist"}).model_fields) == ["artist_id"]
    assert list(orm.pydantic_model(Album, exclude={"artist_id", "producer_id"}).model_fields) == ["id", "title", "year"]
    deep = orm.pydantic_model(Album, include={"title", "artist__name", "tracks__name"}, depth=1)
    assert list(deep.model_fields) == ["title", "artist", "tracks"]
    definitions = deep.model_json_schema()["$defs"]
    assert {name: list(part["properties"]) for name, part in definitions.items()} == {
        "AlbumArtist": ["name"],
        "AlbumTracks": ["name"],
    }
    both = orm.pydantic_model(Album, include={"artist_id", "artist"}, depth=1)
    assert list(both.model_fields) == ["artist_id", "artist"]


def test_depth_says_how_many_relations_are_followed() -> None:
    assert list(orm.pydantic_model(Album).model_fields) == ["id", "title", "year", "artist_id", "producer_id"]
    one = orm.pydantic_model(Album, depth=1)
    assert list(one.model_fields) == ["id", "title", "year", "artist", "producer", "tracks", "tags"]
    assert one.model_json_schema()["properties"]["producer"]["anyOf"] == [{"$ref": "#/$defs/Artist"}, {"type": "null"}]
    assert one.model_json_schema()["properties"]["tracks"]["items"] == {"$ref": "#/$defs/Track"}
    two = orm.pydantic_model(Employee, depth=2).model_json_schema()
    assert set(two["$defs"]["EmployeeManager"]["properties"]) == {"id", "name", "manager", "reports"}
    assert set(two["$defs"]["Employee"]["properties"]) == {"id", "name", "manager_id"}
    assert "profile" in orm.pydantic_model(Artist, depth=1).model_fields


def test_a_model_is_made_once_for_the_same_arguments() -> None:
    assert orm.pydantic_model(Album, exclude={"id", "year"}) is orm.pydantic_model(Album, exclude=["year", "id"])
    assert orm.pydantic_model(Album) is not orm.pydantic_model(Album, unloaded="omit")
    assert orm.pydantic_model(Album, name="AlbumOut").__name__ == "AlbumOut"
    assert orm.pydantic_model(Album).__module__ == Album.__module__


def test_relations_that_are_declared_later_are_followed() -> None:
    registry = orm.Registry()

    class Near(orm.Model):
        class Meta:
            pass

        Meta.registry = registry  # type: ignore[attr-defined]

    assert list(orm.pydantic_model(Near, depth=1).model_fields) == ["id"]

    class Far(orm.Model):
        near = orm.ForeignKey(Near, related_name="fars")

        class Meta:
            pass

        Meta.registry = registry  # type: ignore[attr-defined]

    assert list(orm.pydantic_model(Near, depth=1).model_fields) == ["id", "fars"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"include": {"titel"}}, "Album has no field 'titel'. Choose from: id, title"),
        ({"exclude": {"titel"}}, "Album has no field 'titel'"),
        ({"optional": {"titel"}}, "Album has no field 'titel'"),
        ({"include": {"title__x"}}, "Album has no field 'title'"),
        ({"include": {"artist__nam"}, "depth": 1}, "Artist has no field 'nam'"),
        ({"include": {"artist__name"}}, "Album.artist is a relation. Give depth=1 or more"),
        ({"include": {"tracks"}}, "Album.tracks is a relation. Give depth=1 or more"),
        ({"include": {"artist__albums__title"}, "depth": 1}, "Artist.albums is a relation. Give depth=1 or more"),
        ({"include": "title"}, "include is a set of names, as in include={'id'}, not 'title'"),
        ({"optional": "title"}, "optional is a set of names"),
        ({"exclude": 3}, "exclude is a set of names"),
        ({"depth": -1}, "depth is how many relations are followed, 0 or more, not -1"),
        ({"depth": True}, "depth is how many relations"),
        ({"unloaded": "fetch"}, "unloaded is 'omit' or 'raise', not 'fetch'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(orm.FieldError, match=text.replace("(", r"\(")):
        orm.pydantic_model(Album, **options)


def test_only_models_with_tables_have_one() -> None:
    with pytest.raises(orm.FieldError, match="Base is no model with a table"):
        orm.pydantic_model(Base)
    with pytest.raises(orm.FieldError, match="is no model with a table"):
        orm.pydantic_model("Album")  # type: ignore[arg-type]
    with pytest.raises(orm.FieldError, match="Base is no model with a table"):
        pydantic.TypeAdapter(Base)


class Weather(Base):
    pk = orm.CompositePrimaryKey("origin", "hour")
    origin: orm.Field[str] = orm.String(max_length=3)
    hour: orm.Field[int] = orm.Integer()


class Flight(Base):
    id: orm.Field[int] = orm.BigAutoField()
    origin: orm.Field[str] = orm.String(max_length=3)
    hour: orm.Field[int] = orm.Integer()
    seats: orm.Field[int] = orm.Integer()
    double: orm.Field[int] = orm.Generated(orm.F("seats") * 2, output_field=orm.Integer())
    weather: orm.Related[Weather] = orm.ForeignKey("Weather", from_fields=("origin", "hour"))


def test_keys_of_several_fields_stay_fields() -> None:
    assert list(orm.pydantic_model(Weather).model_fields) == ["origin", "hour"]
    assert list(orm.pydantic_model(Flight).model_fields) == ["id", "origin", "hour", "seats", "double"]
    assert list(orm.pydantic_model(Flight, depth=1).model_fields)[-1] == "weather"
    with pytest.raises(orm.FieldError, match=r"Flight\.weather is a relation"):
        orm.pydantic_model(Flight, include={"weather"})


def test_what_the_database_makes_is_marked_and_not_taken_for_an_instance() -> None:
    found = properties(orm.pydantic_model(Flight))
    assert [name for name, part in found.items() if part.get("readOnly")] == ["id", "double"]
    values = {"origin": "JFK", "hour": 3, "seats": 2}
    assert pydantic.TypeAdapter(Flight).validate_python(values).seats == 2
    with pytest.raises(pydantic.ValidationError, match="the database computes it, and nobody sets it") as caught:
        pydantic.TypeAdapter(Flight).validate_python({**values, "double": 4})
    assert [problem["loc"] for problem in caught.value.errors()] == [("double",)]


# ---------------------------------------------------------------- requests

OrderIn = orm.pydantic_model(Order, exclude={"id", "version"}, name="OrderIn")
OrderPatch = orm.pydantic_model(Order, exclude={"id", "version"}, optional=True, name="OrderPatch")


def test_a_request_takes_what_json_has_and_gives_what_the_fields_take() -> None:
    body = {"number": "ABC", "total": 1.25, "state": "paid", "made": "2024-01-02T03:04:05+01:00"}
    order = Order(**OrderIn.model_validate(body).model_dump())
    order.validate()
    assert (order.total, order.state, order.copies) == (Decimal("1.25"), State.PAID, 1)
    assert order.made == datetime.datetime(2024, 1, 2, 2, 4, 5, tzinfo=datetime.UTC)
    again = Order(**OrderIn.model_validate_json(json.dumps(body)).model_dump())
    assert (again.total, again.made) == (order.total, order.made)


async def test_what_the_database_makes_is_not_in_the_dump(database: Database) -> None:
    async with created(models, database):
        given = OrderIn.model_validate({"number": "ABC", "total": "2.50"})
        assert "made" not in given.model_dump()
        assert not hasattr(given, "made")
        order = await Order.objects.create(**given.model_dump())
        assert order.made.tzinfo is not None
        await order.update(**OrderPatch.model_validate({"note": "x"}).model_dump(exclude_unset=True))
        await order.update(**OrderPatch.model_validate({"note": None}).model_dump())
        read = await Order.objects.get()
        assert (read.note, read.number, read.total) == (None, "ABC", Decimal("2.50"))
        assert dumped(orm.pydantic_model(Order).model_validate(read))["version"] == 3


def test_a_patch_has_what_was_given() -> None:
    assert OrderPatch.model_validate({}).model_dump() == {}
    assert OrderPatch.model_validate({"note": None}).model_dump() == {"note": None}
    with pytest.raises(pydantic.ValidationError, match="number"):
        OrderPatch.model_validate({"number": None})
    part = orm.pydantic_model(Order, include={"number", "total"}, optional={"total"})
    assert part.model_json_schema()["required"] == ["number"]
    assert repr(part.model_validate({"number": "ABC"})) == "Order(number='ABC')"


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"number": "ab"}, "number"),
        ({"number": "ABCDEFGHI"}, "number"),
        ({"number": "AB\0"}, "number"),
        ({"total": -1}, "total"),
        ({"total": "1.234"}, "total"),
        ({"total": "12345.00"}, "total"),
        ({"total": "NaN"}, "total"),
        ({"state": "lost"}, "state"),
        ({"kind": "same"}, "kind"),
        ({"copies": 100}, "copies"),
        ({"made": "2024-01-02T03:04:05"}, "made"),
        ({"note": "a\0b"}, "note"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_request_is_held_to_the_limits(given: dict[str, Any], where: str) -> None:
    with pytest.raises(pydantic.ValidationError) as caught:
        OrderIn.model_validate({"number": "ABC", "total": 1, **given})
    assert [problem["loc"][0] for problem in caught.value.errors()] == [where]


def test_values_that_json_does_not_have_come_in_their_json_form() -> None:
    request = orm.pydantic_model(Everything)
    body = {
        "binary": "AP8=",
        "address": "::1",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "duration": "PT1M",
        "time": "12:30:00",
        "date": "2024-02-29",
        "naive": "2024-02-29T12:30:00",
        "color": "red",
        "level": 9,
        "data": {"a": [1, None]},
        "float": 1,
        "decimal": "1.5000",
    }
    for made in (request.model_validate(body), request.model_validate_json(json.dumps(body))):
        instance = Everything(**made.model_dump())
        instance.validate()
        assert instance.binary == b"\x00\xff"
        assert instance.address == ipaddress.IPv6Address("::1")
        assert (instance.color, instance.level) == (Color.RED, Level.HIGH)
        assert instance.duration == datetime.timedelta(minutes=1)
        assert {name: dumped(made)[name] for name in body} == {**body, "float": 1.0}
    for name, wrong in [("binary", "%"), ("address", "nowhere"), ("data", float("nan")), ("email", "x"), ("url", "x")]:
        with pytest.raises(pydantic.ValidationError) as caught:
            request.model_validate({name: wrong})
        assert [problem["loc"] for problem in caught.value.errors()] == [(name,)]


def test_arrays_and_ranges_in_json() -> None:
    request = orm.pydantic_model(Lists, exclude={"id"})
    body = {
        "numbers": [1, 2],
        "files": ["AP8="],
        "period": {"lower": "2024-01-01", "upper": None},
        "home": "10.0.0.0/8",
        "labels": {"a": "b", "c": None},
    }
    for made in (request.model_validate(body), request.model_validate_json(json.dumps(body))):
        instance = Lists(**made.model_dump())
        instance.validate()
        assert instance.home == ipaddress.IPv4Network("10.0.0.0/8")
        assert instance.files == [b"\x00\xff"]
        instance.period = row_to_insert(instance)["period"]
        assert instance.period == Range(datetime.date(2024, 1, 1), None)
        whole = {"lower": "2024-01-01", "upper": None, "bounds": "[)", "empty": False}
        assert dumped(request.model_validate(instance)) == {**body, "period": whole}
    for wrong in ({"lower": "2024-01-02", "upper": "2024-01-01"}, {"lower": 3.5}, {"bounds": "x"}, {"x": 1}, 3):
        with pytest.raises(pydantic.ValidationError, match="period"):
            request.model_validate({**body, "period": wrong})


# ---------------------------------------------------------------- responses


async def music_shop() -> Album:
    artist = await Artist.objects.create(name="AC/DC")
    await Profile.objects.create(artist=artist, text="loud")
    album = await Album.objects.create(title="Powerage", year=1978, artist=artist)
    await Track.objects.create(name="Riff Raff", album=album, price=Decimal("0.99"))
    await album.tags.add(await Tag.objects.create(word="rock"))
    return album


async def test_an_instance_becomes_a_response_without_a_query(recorder: Recorder) -> None:
    await music_shop()
    query = Album.objects.select_related("artist").prefetch_related("tracks", "tags")
    album = await query.get()
    recorder.clear()
    out = orm.pydantic_model(Album, depth=1).model_validate(album)
    written = dumped(out)
    assert recorder.count == 0
    assert written["artist"] == {"id": album.artist.id, "name": "AC/DC", "country": None}
    assert [track["price"] for track in written["tracks"]] == ["0.99"]
    assert [tag["word"] for tag in written["tags"]] == ["rock"]
    assert written["producer"] is None
    assert out.model_dump()["tracks"][0]["price"] == Decimal("0.99")


async def test_what_is_not_loaded_raises_with_the_cure(recorder: Recorder) -> None:
    await music_shop()
    album = await Album.objects.get()
    part = await Album.objects.only("title").get()
    artist = await Artist.objects.get()
    recorder.clear()
    for model, instance, text in [
        (orm.pydantic_model(Album), part, r"Album\.year is not loaded\. Leave 'year' out of defer"),
        (orm.pydantic_model(Album, include={"artist"}, depth=1), album, r"Artist\.name.*select_related\('artist'\)"),
        (orm.pydantic_model(Album, include={"tracks"}, depth=1), album, r"prefetch_related\('tracks'\)"),
        (orm.pydantic_model(Artist, include={"profile"}, depth=1), artist, r"select_related\('profile'\)"),
    ]:
        with pytest.raises(orm.NotLoaded, match=text):
            model.model_validate(instance)
    assert recorder.count == 0


async def test_what_is_not_loaded_is_left_out_where_that_is_asked_for(recorder: Recorder) -> None:
    await music_shop()
    album = await Album.objects.get()
    part = await Album.objects.only("title").get()
    artist = await Artist.objects.get()
    recorder.clear()
    out = orm.pydantic_model(Album, unloaded="omit", depth=1)
    assert dumped(out.model_validate(album)) == {
        "id": album.id,
        "title": "Powerage",
        "year": 1978,
        "artist": {"id": artist.id},
        "producer": None,
    }
    assert dumped(out.model_validate(part)) == {"id": album.id, "title": "Powerage"}
    assert not hasattr(out.model_validate(part), "year")
    assert set(dumped(orm.pydantic_model(Artist, unloaded="omit", depth=1).model_validate(artist))) == {
        "id",
        "name",
        "country",
    }
    assert recorder.count == 0


def test_an_unsaved_instance_has_no_key_yet() -> None:
    album = Album(title="x", artist=Artist.reference(3))
    with pytest.raises(orm.NotLoaded, match=r"Album\.id is made by the database\. Save the instance first\."):
        orm.pydantic_model(Album).model_validate(album)
    album.year = orm.F("year") + 1  # type: ignore[assignment]
    made = orm.pydantic_model(Album, unloaded="omit").model_validate(album)
    assert made.model_dump() == {"title": "x", "artist_id": 3, "producer_id": None}


def test_loaded_values_are_not_validated_again() -> None:
    country = Country(code="much too long", name="x")
    assert dumped(orm.pydantic_model(Country).model_validate(country))["code"] == "much too long"


def test_values_that_are_not_saved_yet_are_shown_as_they_would_be_written() -> None:
    order = Order(id=1, number="ABC", total=1, state="paid", made=datetime.datetime.now(datetime.UTC))  # type: ignore[arg-type]
    shown = orm.pydantic_model(Order).model_validate(order).model_dump()
    assert (repr(shown["total"]), shown["state"]) == ("Decimal('1')", State.PAID)
    assert (
        repr(orm.pydantic_model(Defaults).model_validate({}).model_dump())
        == "{'price': Decimal('0'), 'rate': Decimal('1')}"
    )


def test_an_instance_of_another_model_is_refused() -> None:
    for kind in (orm.pydantic_model(Album), Album):
        with pytest.raises(pydantic.ValidationError, match="an instance of Album is wanted"):
            pydantic.TypeAdapter(kind).validate_python(Artist(name="x"))


async def test_a_subclass_may_have_more(music: Database) -> None:
    await music_shop()

    class TrackOut(pydantic.BaseModel):
        name: str
        model_config = pydantic.ConfigDict(from_attributes=True)

    class AlbumOut(orm.pydantic_model(Album, include={"title"})):  # type: ignore[misc]
        tracks: list[TrackOut]
        track_count: int = 0
        missing: str = "default"

        @pydantic.computed_field  # type: ignore[prop-decorator]
        @property
        def length(self) -> int:
            return len(self.title)

    album = await Album.objects.annotate(track_count=orm.Count("tracks")).prefetch_related("tracks").get()
    assert dumped(AlbumOut.model_validate(album)) == {
        "title": "Powerage",
        "tracks": [{"name": "Riff Raff"}],
        "track_count": 1,
        "missing": "default",
        "length": 8,
    }
    with pytest.raises(orm.NotLoaded, match="prefetch_related"):
        AlbumOut.model_validate(await Album.objects.get())


def test_a_pydantic_model_can_be_an_annotation_that_checkers_understand() -> None:
    made = orm.pydantic_model(Country, name="CountryIn")
    adapter = pydantic.TypeAdapter(Annotated[pydantic.BaseModel, made])
    assert type(adapter.validate_python({"code": "AT", "name": "Austria"})) is made
    assert adapter.json_schema()["title"] == "CountryIn"


# ---------------------------------------------------------------- instances in pydantic models


class Shelf(pydantic.BaseModel):
    best: Album
    others: list[Album] = []
    document: Document | None = None


async def test_a_field_can_be_an_instance(recorder: Recorder) -> None:
    album = await music_shop()
    recorder.clear()
    shelf = Shelf(best=album, others=[album])
    assert shelf.best is album
    written = {"id": album.id, "title": "Powerage", "year": 1978, "artist_id": album.artist_id, "producer_id": None}
    assert dumped(shelf) == {"best": written, "others": [written], "document": None}
    assert shelf.model_dump()["best"] == written
    assert recorder.count == 0
    schema = Shelf.model_json_schema(mode="serialization")
    assert schema["properties"]["best"] == {"$ref": "#/$defs/Album"}
    assert schema["$defs"]["Album"]["required"] == ["id", "title", "year", "artist_id", "producer_id"]
    assert Shelf.model_json_schema()["$defs"]["Album"]["required"] == ["title", "artist_id"]


async def test_what_is_not_loaded_of_a_field_raises_or_is_left_out(recorder: Recorder) -> None:
    await music_shop()
    albums = await Album.objects.only("title").all()
    recorder.clear()
    adapter = pydantic.TypeAdapter(list[Album])
    with pytest.raises(PydanticSerializationError, match=r"NotLoaded: Album\.year is not loaded\. Leave 'year' out"):
        adapter.dump_python(albums)
    omitted = adapter.dump_python(albums, context={"unloaded": "omit"})
    assert omitted == [{"id": albums[0].id, "title": "Powerage"}]
    assert json.loads(adapter.dump_json(albums, context={"unloaded": "omit"})) == omitted
    with pytest.raises(PydanticSerializationError, match="unloaded is 'omit' or 'raise', not 'maybe'"):
        adapter.dump_python(albums, context={"unloaded": "maybe"})
    assert recorder.count == 0


def test_a_dictionary_makes_a_new_instance() -> None:
    adapter = pydantic.TypeAdapter(list[Order])
    for made in (
        adapter.validate_python([{"number": "ABC", "total": "1.5", "state": "paid"}]),
        adapter.validate_json('[{"number": "ABC", "total": 1.5, "state": "paid"}]'),
    ):
        assert [type(order) for order in made] == [Order]
        assert (made[0].total, made[0].state, made[0].copies) == (Decimal("1.5"), State.PAID, 1)
        assert "new" in repr(made[0])


def test_a_dictionary_is_held_to_the_limits_and_to_clean() -> None:
    adapter = pydantic.TypeAdapter(list[Order])
    with pytest.raises(pydantic.ValidationError) as caught:
        adapter.validate_python([{"number": "x"}, {"number": "ABC", "total": 1, "note": "nothing"}])
    found = [(problem["loc"], problem["type"]) for problem in caught.value.errors()]
    assert found == [
        ((0, "number"), "string_too_short"),
        ((0, "total"), "missing"),
        ((1, "note"), "value_error"),
    ]
    assert caught.value.errors()[2]["msg"] == "too little"
    with pytest.raises(pydantic.ValidationError, match="extra"):
        adapter.validate_python([{"number": "ABC", "total": 1, "extra": 1}])


async def test_rows_and_pages_are_serialised(music: Database) -> None:
    album = await music_shop()
    page = await Album.objects.order_by("id").paginate(1, per_page=10)
    assert pydantic.TypeAdapter(list[Album]).dump_python(page.items)[0]["title"] == "Powerage"
    row = await Album.objects.values("id", "title", "year", "artist_id", "producer_id").get()
    out = orm.pydantic_model(Album)
    assert out.model_validate(row) == out.model_validate(album)
    assert [type(one) for one in await Album.objects.into(out)] == [out]


async def test_every_kind_of_value_is_serialised(music: Database) -> None:
    await Everything.objects.create(
        decimal=Decimal("1.5"),
        uuid=uuid.UUID(int=1),
        moment=datetime.datetime(2024, 1, 2, tzinfo=datetime.UTC),
        naive=datetime.datetime(2024, 1, 2),
        time=datetime.time(1, 2),
        date=datetime.date(2024, 1, 2),
        duration=datetime.timedelta(seconds=90),
        binary=b"\xff",
        data={"a": [1]},
        color=Color.RED,
        level=Level.HIGH,
        address=ipaddress.ip_address("10.0.0.1"),
    )
    found = json.loads(pydantic.TypeAdapter(Everything).dump_json(await Everything.objects.get()))
    assert {name: value for name, value in found.items() if value is not None and name != "id"} == {
        "decimal": "1.5000",
        "uuid": "00000000-0000-0000-0000-000000000001",
        "moment": "2024-01-02T00:00:00Z",
        "naive": "2024-01-02T00:00:00",
        "time": "01:02:00",
        "date": "2024-01-02",
        "duration": "PT1M30S",
        "binary": "/w==",
        "data": {"a": [1]},
        "color": "red",
        "level": 9,
        "address": "10.0.0.1",
    }


# ---------------------------------------------------------------- FastAPI

AlbumIn = orm.pydantic_model(Album, exclude={"id"}, name="AlbumIn")
AlbumPatch = orm.pydantic_model(Album, exclude={"id"}, optional=True, name="AlbumPatch")
AlbumOut = orm.pydantic_model(Album, exclude={"producer", "tags"}, depth=1, name="AlbumOut")
application = fastapi.FastAPI()


@application.exception_handler(orm.ValidationError)
async def invalid(_: fastapi.Request, error: orm.ValidationError) -> fastapi.Response:
    return fastapi.responses.JSONResponse({"detail": jsonable_encoder(error.errors())}, 422)


@application.post("/albums", status_code=201)
async def create(given: AlbumIn) -> Album:  # type: ignore[valid-type]
    return await Album.objects.create(**cast("pydantic.BaseModel", given).model_dump())


@application.post("/instances", response_model=Album)
async def create_of_instance(album: Annotated[Album, fastapi.Body()]) -> Any:
    return await album.save()


@application.patch("/albums/{key}", response_model=Album)
async def change(key: int, given: AlbumPatch) -> Any:  # type: ignore[valid-type]
    album = await Album.objects.get(id=key)
    return await album.update(**cast("pydantic.BaseModel", given).model_dump(exclude_unset=True))


@application.get("/albums", response_model=list[AlbumOut])
async def read() -> Any:
    return await Album.objects.select_related("artist").prefetch_related("tracks")


@application.get("/bare")
async def bare() -> list[Album]:
    return await Album.objects.all()


@application.post("/late")
async def late() -> None:
    Album(title=3, artist=Artist(name="unsaved")).validate()


async def test_fastapi(music: Database) -> None:
    artist = await Artist.objects.create(name="AC/DC")
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        made = await client.post("/albums", json={"title": "Powerage", "artist_id": artist.id})
        assert made.status_code == 201, made.text
        key = made.json()["id"]
        assert made.json() == {
            "id": key,
            "title": "Powerage",
            "year": None,
            "artist_id": artist.id,
            "producer_id": None,
        }
        changed = await client.patch(f"/albums/{key}", json={"year": 1978})
        assert (changed.json()["title"], changed.json()["year"]) == ("Powerage", 1978)
        wrong = await client.post("/albums", json={"title": "x" * 161, "year": "then"})
        assert wrong.status_code == 422
        assert [problem["loc"] for problem in wrong.json()["detail"]] == [
            ["body", "title"],
            ["body", "year"],
            ["body", "artist_id"],
        ]
        other = await client.post("/instances", json={"title": "Highway to Hell", "artist_id": artist.id})
        assert other.json()["id"] != key
        listed = (await client.get("/albums")).json()
        assert {album["title"]: album["artist"]["name"] for album in listed} == {
            "Powerage": "AC/DC",
            "Highway to Hell": "AC/DC",
        }
        assert listed[0]["tracks"] == []
        assert len((await client.get("/bare")).json()) == 2
        late = await client.post("/late")
        assert late.status_code == 422
        assert [problem["loc"] for problem in late.json()["detail"]] == [["artist"], ["title"]]
        schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
        assert schemas["AlbumIn"]["properties"]["title"]["maxLength"] == 160
        assert schemas["AlbumOut"]["properties"]["artist"] == {"$ref": "#/components/schemas/Artist"}
        assert "Album-Input" in schemas
        assert "id" in schemas["Album-Output"]["required"]
