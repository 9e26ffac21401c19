"""Each mistake gives an error of ours, in the form "what happened; what is possible", and leaves nothing half done."""

from __future__ import annotations

import enum
from typing import Any

import pytest

import orm
from tests.music import Album, Artist, Country, Everything, Tag, models


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: Album.objects.filter(titel="x"), "Album has no field 'titel'. Choose from: id, title, year, artist"),
        (lambda: Album.objects.filter(artist__nam="x"), "Artist has no field 'nam'"),
        (lambda: Album.objects.order_by("titel"), "Album has no field 'titel'"),
        (lambda: Album.objects.order_by("tags__word"), "many"),
        (lambda: Album.objects.values("tags__word"), "many"),
        (lambda: Album.objects.select_related("tags"), r"Use prefetch_related\('tags'\)"),
        (lambda: Album.objects.select_related("title"), "no relation 'title' to select. Choose from: artist, producer"),
        (lambda: Album.objects.filter(title__foo=1), "'title__foo'.*Choose from: .*exact"),
        (lambda: Album.objects.filter(year__icontains="1"), r"Album\.year \(integer\) has no lookup 'icontains'"),
        (lambda: Album.objects.filter(title__year=1), "has no 'year'"),
        (lambda: Album.objects.filter("title"), "is no condition"),
        (lambda: Album.objects.filter(True), "is no condition"),
        (lambda: Album.objects.filter(Artist.name == "x"), "is about Artist, but the query is about Album"),
        (lambda: Album.objects.filter(artist=Album.reference(1)), "takes an instance of Artist"),
        (lambda: Album.objects.filter(title=Artist.reference(1)), "takes a value"),
        (lambda: Album.objects.filter(title__icontains=orm.F("year")), "cannot be compared with year"),
        (lambda: Album.objects.all()[3], "slices"),
        (lambda: Album.objects.all()[::2], "slices"),
        (lambda: Album.objects.all()[:3].filter(year=1), "limit or an offset"),
        (lambda: Album.objects.all()[:3].order_by("year"), "limit or an offset"),
        (lambda: Album.objects.values_list("id", "title", flat=True), "exactly one column"),
        (lambda: Album.objects.values("id", "id"), "once"),
        (lambda: Album(titel="x"), "Album has no field 'titel'"),
        (lambda: Album(tags=[]), "other side"),
        (lambda: Album(artist="AC/DC"), "takes an instance of Artist"),
        (lambda: Album.objects.search("x").select_related(Artist.albums), "starts from Artist"),
        (lambda: setattr(Album(title="x"), "artist", 3), "takes an instance of Artist"),
        (lambda: Album.objects.using("default"), "using takes an orm.Database, as in using.replica., not 'default'"),
        (lambda: Album.objects.select_related(), "needs names"),
        (lambda: Album.objects.only(), "needs names"),
        (lambda: orm.Reverse("Album"), "'Model.field'"),
        (lambda: orm.String(max_length=3, nul=True), "has no option 'nul'. Choose from"),
        (lambda: orm.String(), "needs max_length"),
        (lambda: orm.Decimal(max_digits=3), "needs max_digits and decimal_places"),
        (lambda: orm.Integer(null=True, primary_key=True), "cannot be null"),
        (lambda: orm.ForeignKey("Artist", on_delete="EXPLODE"), "CASCADE"),
        (lambda: orm.ForeignKey("Artist", on_delete=orm.SET_NULL), "needs null=True"),
        (lambda: orm.ForeignKey(3), "model"),
        (lambda: orm.Model(), "abstract"),
        (lambda: orm.Model.objects.all(), "abstract"),
        (lambda: orm.Registry().get("Nobody"), "Import its module first"),
        (lambda: models.get("Nobody", "Album.x"), r"Album\.x refers to 'Nobody'"),
    ],
)
def test_a_mistake_is_named_with_what_is_possible(use: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        use()


@pytest.mark.parametrize(
    "use",
    [
        lambda: Album.objects.limit(-1),
        lambda: Album.objects.limit("3"),
        lambda: Album.objects.offset(True),
        lambda: Album.objects.all()[-3:],
        lambda: Album.objects.filter(artist=Artist(name="unsaved")),
        lambda: Album.objects.filter(year__gt=None),
    ],
)
def test_values_that_cannot_be(use: Any) -> None:
    with pytest.raises(orm.ValidationError):
        use()


@pytest.mark.parametrize("use", [list, len, bool, lambda query: "x" in query])
def test_an_unawaited_query_set_is_no_list(use: Any) -> None:
    with pytest.raises(orm.InterfaceError, match="was not awaited"):
        use(Album.objects.all())


def test_conditions_have_no_truth_value() -> None:
    with pytest.raises(TypeError, match="&"):
        _ = Album.title == "x" and Album.year == 3


def _declare(name: str = "Bad", registry: orm.Registry | None = None, /, **namespace: Any) -> Any:
    meta = namespace.pop("Meta", {})
    options = type("Meta", (), {"registry": registry or orm.Registry(), **meta})
    body = {"__module__": __name__, "__qualname__": name, "Meta": options, **namespace}
    return type(orm.Model)(name, (orm.Model,), body)


@pytest.mark.parametrize(
    ("namespace", "text"),
    [
        ({"a__b": orm.Integer()}, "double underscore"),
        ({"_a": orm.Integer()}, "column='_a'"),
        ({"a_": orm.Integer()}, "column='a_'"),
        ({"save": orm.Integer()}, "would hide"),
        ({"objects": orm.Integer()}, "would hide"),
        ({"pk": orm.Integer()}, "would hide"),
        ({"mro": orm.Integer()}, "would hide"),
        ({"a": orm.Integer(primary_key=True), "b": orm.Integer(primary_key=True)}, "more than one primary key"),
        ({"id": orm.Integer()}, "not the primary key"),
        ({"a": orm.Integer(column="x"), "b": orm.Integer(column="x")}, "same column"),
        ({"a": orm.ForeignKey("Bad"), "a_id": orm.Integer()}, "declared twice"),
        ({"Meta": {"orderin": ["a"]}}, "has no option 'orderin'. Choose from: registry"),
        ({"Meta": {"ordering": "name"}}, "is a list"),
        ({"Meta": {"constraints": ["name"]}}, "UniqueConstraint"),
        ({"Meta": {"registry": None}}, "has no registry"),
        ({"__slots__": ("x",)}, "__slots__"),
        (
            {"pk": orm.CompositePrimaryKey},
            r"Bad.pk is the function CompositePrimaryKey.*: pk = CompositePrimaryKey\(…\)",
        ),
        ({"a": orm.Integer}, r"Bad.a is the function Integer, which makes fields. Call it: a = Integer\(…\)"),
        ({"a": orm.ForeignKey}, "Bad.a is the function ForeignKey"),
    ],
)
def test_a_bad_declaration_is_refused_whole(namespace: dict[str, Any], text: str) -> None:
    registry = orm.Registry()
    if "Meta" in namespace and namespace["Meta"].get("registry", registry) is registry:
        namespace = {**namespace, "Meta": {**namespace["Meta"], "registry": registry}}
    with pytest.raises(orm.FieldError, match=text):
        _declare("Bad", registry, **namespace)
    assert registry.schemas == {}


def test_two_models_with_one_name() -> None:
    registry = orm.Registry()
    _declare("Same", registry)
    with pytest.raises(orm.FieldError, match="has a model 'Same' already"):
        _declare("Same", registry)
    with pytest.raises(orm.FieldError, match="table 'same' already"):
        _declare("Other", registry, Meta={"tablename": "same"})


def test_a_target_that_never_appears() -> None:
    registry = orm.Registry()
    model = _declare("Lost", registry, home=orm.ForeignKey("Nowhere"))
    with pytest.raises(orm.FieldError, match=r"Lost\.home refers to 'Nowhere'"):
        _ = registry.metadata
    with pytest.raises(orm.FieldError, match=r"Lost\.home refers to 'Nowhere'"):
        model.objects.filter(home=1)


def test_a_relation_to_the_model_itself_has_its_name() -> None:
    registry = orm.Registry()
    _declare("Employee", registry, manager=orm.ForeignKey("self", null=True))
    with pytest.raises(orm.FieldError, match=r"Employee.manager refers to 'self'.* with its name: 'Employee'\."):
        _ = registry.metadata


def test_related_names_that_collide() -> None:
    registry = orm.Registry()
    _declare("Home", registry, name=orm.String(max_length=3))
    with pytest.raises(orm.FieldError, match="related_name"):
        _declare("Guest", registry, home=orm.ForeignKey("Home", related_name="name"))


async def test_a_database_that_is_not_there() -> None:
    registry = orm.Registry()
    model = _declare("Homeless", registry)
    with pytest.raises(orm.InterfaceError, match="has no database"):
        await model.objects.all()
    with pytest.raises(orm.InterfaceError, match="has no database"):
        await registry.create_all()


async def test_a_database_that_is_not_connected(sqlite_url: str) -> None:
    registry = orm.Registry(orm.Database(sqlite_url))
    model = _declare("Unplugged", registry)
    with pytest.raises(orm.InterfaceError, match="not connected"):
        await model.objects.all()


async def test_get_names_the_sql(music: orm.Database) -> None:
    with pytest.raises(Album.DoesNotExist, match=r"(?s)No Album matches.*SELECT.*WHERE"):
        await Album.objects.get(id=99)
    await Tag.objects.bulk_create([Tag(word="a"), Tag(word="b")])
    with pytest.raises(Tag.MultipleObjectsReturned, match=r"(?s)More than one Tag.*SELECT"):
        await Tag.objects.get()
    with pytest.raises(orm.DoesNotExist):
        await Tag.objects.latest("word") if not await Tag.objects.exists() else await Tag.objects.get(word="zzz")
    assert not issubclass(Tag.DoesNotExist, Album.DoesNotExist)


async def test_all_missing_values_are_named_at_once(music: orm.Database) -> None:
    with pytest.raises(orm.ValidationError, match=r"title: a value is required.*artist: a value is required"):
        await Album(year=3).save()
    assert await Album.objects.count() == 0


async def test_a_bad_row_in_the_middle_leaves_nothing(music: orm.Database) -> None:
    rows = [Tag(word=f"word {n}") for n in range(6000)]
    rows[5999].word = rows[0].word
    with pytest.raises(orm.UniqueViolation) as caught:
        await Tag.objects.bulk_create(rows)
    assert caught.value.model == "Tag"
    assert caught.value.fields == ("word",)
    assert await Tag.objects.count() == 0
    assert rows[0].pk is None


async def test_violations_name_model_and_fields(music: orm.Database) -> None:
    await Tag.objects.create(word="x")
    with pytest.raises(orm.UniqueViolation, match=r"Tag\.word") as caught:
        await Tag.objects.create(word="x")
    assert (caught.value.model, caught.value.fields) == ("Tag", ("word",))
    assert caught.value.__cause__ is not None
    await Country.objects.create(code="de", name="x")
    with pytest.raises(orm.UniqueViolation, match=r"Country\.code") as twice:
        await Country.objects.create(code="de", name="x")
    assert twice.value.fields == ("code",)


async def test_the_key_of_a_stored_row_cannot_change(music: orm.Database) -> None:
    tag = await Tag.objects.create(word="x")
    with pytest.raises(orm.FieldError, match="cannot change"):
        tag.id = 77
    with pytest.raises(orm.FieldError, match="is the key"):
        await Tag.objects.bulk_update([tag], ["id"])
    with pytest.raises(orm.FieldError, match="has no field 'wort'"):
        await Tag.objects.bulk_update([tag], ["wort"])
    with pytest.raises(orm.FieldError, match="has no field 'wort'"):
        await Tag.objects.filter(id=1).update(wort="y")
    with pytest.raises(orm.FieldError, match="has no field 'wort'"):
        await tag.update(wort="y")
    with pytest.raises(orm.InterfaceError, match="no row yet"):
        await Tag.objects.bulk_update([Tag(word="y")], ["word"])
    with pytest.raises(orm.FieldError, match="cannot take"):
        await Tag.objects.bulk_create([Album(title="x")])  # type: ignore[list-item]


async def test_what_cannot_be_written_is_refused(music: orm.Database) -> None:
    with pytest.raises(orm.FieldError, match="Album has many Track rows"):
        await Album.objects.all().update(title=orm.F("tracks__name"))
    with pytest.raises(orm.FieldError, match="expression"):
        await Everything.objects.create(integer=orm.F("small"))


async def test_pages_that_cannot_be(music: orm.Database) -> None:
    for arguments in ({"page": 0}, {"page": "1"}, {"per_page": 0}, {"per_page": -3}):
        with pytest.raises(orm.ValidationError):
            await Album.objects.paginate(**arguments)  # type: ignore[arg-type]


def test_a_class_that_is_refused_leaves_the_registry_as_it_was() -> None:
    registry = orm.Registry()
    label = _declare("Label", registry, name=orm.Text(), roster=orm.Text())
    _declare("Waiting", registry, band=orm.ForeignKey("Band", related_name="waiting"))
    named = orm.ForeignKey("Label", related_name="bands")
    calm = orm.Enum(enum.Enum("Mood", {"CALM": "calm"}))
    bodies: list[dict[str, Any]] = [{"other": orm.ForeignKey("Label", related_name="roster")}, {"waiting": orm.Text()}]
    for body in (*bodies, {"clean": _coroutine}):
        with pytest.raises(orm.FieldError):
            _declare("Band", registry, mood=calm, rivals=orm.ManyToMany("Label"), label=named, **body)
        assert list(registry.schemas) == ["Label", "Waiting"]
        assert registry.enumerations == {}
        with pytest.raises(orm.FieldError, match="Label has no field 'bands'"):
            label.objects.filter(bands=1)
    wild = orm.Enum(enum.Enum("Mood", {"WILD": "wild"}))
    band = _declare("Band", registry, mood=wild, label=named, fans=orm.ManyToMany("Label"))
    assert list(registry.schemas) == ["Label", "Waiting", "Band_fans", "Band"]
    assert "label_id" in str(label.objects.filter(bands__mood=None))
    assert "waiting" in str(band.objects.filter(waiting=1))
    assert sorted(registry.metadata.tables) == ["band", "band_fans", "label", "waiting"]


async def _coroutine(self: Any) -> None: ...
