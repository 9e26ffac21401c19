"""What a class body gets from its bases: abstract models, mixins and their `Meta`, and what is refused there."""

from __future__ import annotations

import abc
import enum
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pytest

import orm

T = TypeVar("T")


def base(models: orm.Registry) -> Any:
    class Base(orm.Model):
        class Meta:
            registry = models
            abstract = True

    return Base


@pytest.fixture
def root() -> Any:
    """An abstract model in a registry of its own."""
    return base(orm.Registry())


def abstract(root: Any, name: str, bases: tuple[Any, ...], body: dict[str, Any], **options: Any) -> Any:
    meta = type("Meta", (root.Meta,), {"abstract": True, **options})
    return type(root)(name, bases, {"__module__": __name__, "__qualname__": name, "Meta": meta, **body})


def concrete(name: str, bases: tuple[Any, ...], body: dict[str, Any] | None = None, **options: Any) -> Any:
    body = {"__module__": __name__, "__qualname__": name, **(body or {})}
    if options:
        body["Meta"] = type("Meta", (), options)
    return type(bases[-1])(name, bases, body)


def fields(model: Any) -> list[str]:
    return list(model.__schema__.fields)


def test_fields_of_several_abstract_bases(root: Any) -> None:
    named = abstract(root, "Named", (root,), {"name": orm.String(max_length=10)})
    dated = abstract(root, "Dated", (root,), {"day": orm.Date(null=True)})
    both = concrete("Both", (named, dated), {"text": orm.Text()})
    assert fields(both) == ["id", "day", "name", "text"]
    assert both(name="x", text="y").day is None


def test_of_two_bases_python_asks_the_first_one_first(root: Any) -> None:
    top = abstract(root, "Top", (root,), {"name": orm.String(max_length=10), "rest": orm.Text()})
    left = abstract(root, "Left", (top,), {})
    right = abstract(root, "Right", (top,), {"name": orm.Integer()})
    both = concrete("Both", (left, right))
    assert both.__schema__.fields["name"].kind == "integer"  # as the attribute of any class: Right comes before Top
    other = abstract(root, "Other", (root,), {"name": orm.Boolean()})
    assert concrete("First", (other, right)).__schema__.fields["name"].kind == "boolean"
    assert concrete("Second", (right, other)).__schema__.fields["name"].kind == "integer"


def test_a_child_replaces_or_removes_an_inherited_field(root: Any) -> None:
    top = abstract(root, "Top", (root,), {"name": orm.String(max_length=10), "code": orm.Integer(), "x": orm.Text()})
    longer = concrete("Longer", (top,), {"name": orm.String(max_length=99), "x": None})
    assert fields(longer) == ["id", "name", "code"]
    assert longer.__schema__.fields["name"].limits["max_length"] == 99
    without = abstract(root, "Without", (top,), {"code": None})
    assert fields(concrete("Short", (without,), {"y": orm.Text()})) == ["id", "name", "x", "y"]
    method = concrete("Method", (without,), {"code": lambda self: "free again"})
    assert (fields(method), method(name="n", x="x").code()) == (["id", "name", "x"], "free again")
    assert fields(concrete("Again", (without,), {"code": orm.Text()})) == ["id", "name", "x", "code"]
    assert fields(concrete("Whole", (top,))) == ["id", "name", "code", "x"]
    with pytest.raises(orm.FieldError, match="Longer has no field 'x'"):
        longer.objects.filter(x="")
    with pytest.raises(orm.FieldError, match="but Bad has a field of that name from a base"):
        concrete("Bad", (top,), {"name": lambda self: "x"})


def test_generic_bases_and_mixins(root: Any) -> None:
    class Keyed(root, Generic[T]):  # type: ignore[misc]
        key = orm.Integer()

        class Meta(root.Meta):  # type: ignore[misc]
            abstract = True

        def itself(self) -> T:
            return self.key  # type: ignore[no-any-return]

    class Shouting:
        name: str
        seen: list[str] = []

        def __init_subclass__(cls, loud: bool = False, **keywords: Any) -> None:
            super().__init_subclass__(**keywords)
            cls.seen = [*cls.seen, f"{cls.__name__} {loud}"]

        @property
        def shouted(self) -> str:
            return self.name.upper()

    class Note(Shouting, Keyed[int], loud=True):
        name = orm.String(max_length=10)

        class Meta(Keyed.Meta):  # type: ignore[misc]
            tablename = "notes"

    note = Note(key=1, name="x")
    assert (note.itself(), note.shouted, Note.seen) == (1, "X", ["Note True"])
    assert fields(Note) == ["id", "key", "name"]
    assert Note.table.name == "notes"


def test_options_are_inherited_one_by_one(root: Any) -> None:
    left = abstract(root, "Left", (root,), {"name": orm.Text()}, ordering=["name"], tablename="left")
    right = abstract(root, "Right", (root,), {"day": orm.Date()}, ordering=["day"], schema="music")
    both = concrete("Both", (left, right)).__schema__.options
    assert (both.ordering, both.schema, both.tablename, both.abstract) == (("name",), "music", None, False)

    class Shared:
        ordering = ("-name",)
        tablename = "shared"

    meta = type("Meta", (Shared,), {})
    options = type(root)("Plain", (left,), {"__module__": __name__, "__qualname__": "Plain", "Meta": meta})
    assert options.__schema__.options.ordering == ("-name",)  # of a plain class that Meta inherits from
    assert options.__schema__.options.tablename is None
    wrong = type("Meta", (type("Mistaken", (), {"orderings": []}),), {})
    with pytest.raises(orm.FieldError, match="Meta has no option 'orderings'"):
        type(root)("Wrong", (left,), {"__module__": __name__, "__qualname__": "Wrong", "Meta": wrong})


async def test_relations_of_abstract_bases(url: str) -> None:
    async with orm.Database(url) as database:
        models = orm.Registry(database)
        root = base(models)
        artist = concrete("Artist", (root,), {"songs": orm.Reverse("Song.artist"), "name": orm.Text()})
        owned = abstract(
            root,
            "Owned",
            (root,),
            {
                "artist": orm.ForeignKey("Artist", null=True, related_name="%(class)s_set", on_delete=orm.CASCADE),
                "tags": orm.ManyToMany("Tag", related_name="tagged_%(class)s"),
            },
        )
        tag = concrete("Tag", (root,), {"word": orm.Text()})
        song = concrete("Song", (owned,), {"title": orm.Text()})
        gold = concrete("GoldRecord", (owned,), {"title": orm.Text()})
        await models.create_all()
        acdc = await artist.objects.create(name="AC/DC")
        one, other = (
            await song.objects.create(title="a", artist=acdc),
            await gold.objects.create(title="b", artist=acdc),
        )
        assert await acdc.song_set == [one]
        assert await acdc.gold_record_set == [other]
        assert await acdc.songs == [one]
        await one.tags.add(await tag.objects.create(word="loud"))
        assert await tag.objects.filter(tagged_song__title="a").count() == 1
        assert await tag.objects.filter(tagged_gold_record__title="b").count() == 0
        assert await artist.objects.filter(gold_record_set__title="b", song_set__title="a") == [acdc]
        await models.drop_all()


def test_a_reverse_name_that_two_models_would_give(root: Any) -> None:
    concrete("Artist", (root,), {"name": orm.Text()})
    owned = abstract(root, "Owned", (root,), {"artist": orm.ForeignKey("Artist", related_name="things")})
    concrete("Song", (owned,))
    with pytest.raises(orm.FieldError, match=r"in that of an abstract model, %\(class\)s stands for the name"):
        concrete("Record", (owned,))


class Slotted:
    __slots__ = ("x",)


class WithField:
    name = orm.Text()


class WithName:
    @property
    def name(self) -> str:
        return ""


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


def place(root: Any, **options: Any) -> Any:
    body = {"kind": orm.String(max_length=20), "name": orm.Text()}
    return concrete("Place", (root,), body, **{"polymorphic_on": "kind", **options})


def single(root: Any) -> Any:
    return concrete("Cafe", (place(root, inheritance="single"),), {"cups": orm.Integer(null=True)})


def plain(root: Any) -> Any:
    return concrete("Plain", (root,), {"name": orm.Text()})


REFUSED: list[tuple[Callable[[Any], Any], str]] = [
    (lambda r: concrete("A", (Slotted, r)), "A inherits from Slotted, which has __slots__"),
    (lambda r: concrete("A", (WithField, r)), "which is no model, so its field 'name' would be none of A's"),
    (
        lambda r: concrete("A", (WithName, r), {"name": orm.Text()}),
        r"and would hide WithName\.name",
    ),
    (lambda r: concrete("A", (r, abstract(r, "B", (r,), {}))), "A cannot inherit from Base, B in this order"),
    (lambda r: concrete("A", (place(r), plain(r))), "A inherits from Place and Plain, which both have a table"),
    (lambda r: concrete("A", (r,), proxy=True), "A is a proxy of nothing"),
    (lambda r: concrete("A", (plain(r),), proxy=True, abstract=True), "A is abstract and a proxy. Choose one"),
    (
        lambda r: concrete("A", (plain(r),), {"x": orm.Text()}, proxy=True),
        "A is a proxy of Plain and has its",
    ),
    (lambda r: concrete("A", (plain(r),), {"x": orm.Reverse("B.c")}, proxy=True), "has its fields only, not 'x'"),
    (
        lambda r: concrete("A", (plain(r),), proxy=True, tablename="x"),
        r"cannot have Meta\.tablename",
    ),
    (lambda r: concrete("A", (plain(r),), inheritance="double"), "inheritance is one of 'joined' and 'single'"),
    (lambda r: concrete("A", (plain(r),), inheritance="single"), "where nothing tells its rows from the others"),
    (lambda r: concrete("A", (place(r),), tablename="x", inheritance="single"), "A has single inheritance"),
    (lambda r: concrete("A", (place(r),), {"name": orm.Text()}), r"A\.name is a field of Place already"),
    (lambda r: concrete("A", (place(r),), {"name": None}), r"A\.name would hide a field that it has from Place"),
    (lambda r: concrete("A", (place(r),), {"id": orm.BigAutoField()}), r"A\.id is a field of Place already"),
    (lambda r: concrete("A", (place(r),), {"no": orm.AutoField()}), r"A\.no cannot be the key: A has that of Place"),
    (lambda r: concrete("A", (single(r),), {"x": orm.Text()}), "whose other rows have no value for it"),
    (lambda r: concrete("A", (single(r).__bases__[-1],), {"cups": orm.Text(null=True)}), "would be one column of the"),
    (
        lambda r: concrete("A", (single(r).__bases__[-1],), {"x": orm.Text(null=True, column="cups")}),
        r"A\.x and Cafe\.cups would be one column",
    ),
    (
        lambda r: concrete("A", (concrete("J", (place(r),)),), {"x": orm.Text(null=True)}, inheritance="single"),
        "is in 'place'. Give it a table of its own: inheritance = 'joined'",
    ),
    (lambda r: concrete("A", (place(r),), polymorphic_on="name"), r"A\.Meta\.polymorphic_on belongs to Place"),
    (lambda r: concrete("A", (plain(r),), polymorphic_identity="x"), r"Name that field in Plain\.Meta: polymorphic_on"),
    (lambda r: concrete("A", (r,), polymorphic_on="nothing"), "names a field that tells the class of a row"),
    (lambda r: concrete("A", (r,), {"f": orm.Float()}, polymorphic_on="f"), "a whole number or an Enum, not 'f'"),
    (lambda r: concrete("A", (r,), {"k": orm.Text(null=True)}, polymorphic_on="k"), "it cannot be null"),
    (lambda r: concrete("A", (r,), {"k": orm.Integer()}, polymorphic_on="k"), "A.Meta needs a polymorphic_identity"),
    (
        lambda r: concrete("A", (r,), {"k": orm.Enum(Colour)}, polymorphic_on="k", polymorphic_identity="green"),
        r"A\.Meta\.polymorphic_identity: Input should be 'red' or 'blue'",
    ),
    (
        lambda r: concrete("A", (place(r),), polymorphic_identity="place"),
        "have the same polymorphic_identity",
    ),
    (lambda r: concrete("A", (place(r),), polymorphic_identity="x" * 30), "has at most 20 characters"),
    (
        lambda r: concrete("A", (r,), {"k": orm.String(max_length=9, default="b")}, polymorphic_on="k"),
        "its default is 'b', and it is 'a' in the rows of A",
    ),
    (lambda r: concrete("A", (place(r),), indexes=[orm.Index("name")]), "which is a field of a related row"),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_is_refused(root: Any, number: int) -> None:
    declare, message = REFUSED[number]
    with pytest.raises(orm.FieldError, match=message):
        declare(root)


def test_a_foreign_metaclass_is_refused_by_python(root: Any) -> None:
    with pytest.raises(TypeError, match="metaclass conflict"):

        class Both(root, abc.ABC):  # type: ignore[misc]
            pass


def test_a_model_of_one_registry_in_another(root: Any) -> None:
    parent = plain(root)
    with pytest.raises(orm.FieldError, match="are in two registries"):
        concrete("A", (parent,), registry=orm.Registry())


def test_identities_of_other_kinds_and_models_without_rows(root: Any) -> None:
    body = {"colour": orm.Enum(Colour), "name": orm.Text(null=True)}
    top = concrete("Top", (root,), body, polymorphic_on="colour", polymorphic_identity=None)
    red = concrete("Red", (top,), polymorphic_identity=Colour.RED)
    assert red().colour is Colour.RED
    assert concrete("Blue", (top,), polymorphic_identity="blue").__schema__.identity is Colour.BLUE
    assert red.__schema__.tables[0] is top.__schema__
    with pytest.raises(orm.ValidationError, match="Top has no rows of its own: create one of a model that inherits"):
        top().validate()
