"""Lookups and transforms of one's own, as words and on columns, on every database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Dialect

import orm
from orm import kinds
from orm.expressions import output_of
from orm.specs import FieldSpec
from tests.music import Album, Artist, Everything

Element = sa.ColumnElement[Any]


def not_equal(dialect: Dialect, left: Element, right: Element) -> Element:
    return left != right


def sounds_like(dialect: Dialect, left: Element, right: Element) -> Element:
    """Texts without their vowels are equal, but for case."""
    for vowel in "aeiou":
        left, right = sa.func.replace(sa.func.lower(left), vowel, ""), sa.func.replace(sa.func.lower(right), vowel, "")
    return left == right


def outside(dialect: Dialect, left: Element, low: Element, high: Element) -> Element:
    return sa.or_(left < low, left > high)


def divisible_by_any(dialect: Dialect, left: Element, *numbers: Element) -> Element:
    return sa.or_(sa.false(), *[left % number == 0 for number in numbers])


def blank(dialect: Dialect, left: Element) -> Element:
    return sa.func.trim(left) == ""


def only_sqlite(dialect: Dialect, left: Element, right: Element) -> Element:
    if dialect.name != "sqlite":
        raise orm.NotSupportedError(f"{dialect.name} has no only_sqlite. Use exact.")
    return left == right


class Absolute(orm.Function[Any]):
    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.abs(operands[0])


class Folded(orm.Function[str]):
    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.lower(operands[0])


class Size(orm.Function[int]):
    @property
    def output(self) -> FieldSpec:
        return kinds.computed("integer", null=output_of(self.parts[0]).null)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.length(operands[0])


def is_object(dialect: Dialect, left: Element) -> Element:
    kind = sa.func.jsonb_typeof(left) if dialect.name == "postgresql" else sa.func.json_type(left)
    return sa.func.lower(kind) == "object"


def twice(dialect: Dialect, left: Element, right: Element) -> Element:
    return left * 2 == right


class Doubled(orm.Function[int]):
    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return operands[0] * 2


@pytest.fixture(autouse=True)
def registered(registered_words: None) -> None:
    orm.lookup("ne", kinds={"text", "integer"})(not_equal)
    orm.lookup("soundslike", kinds={"text"}, operand="text")(sounds_like)
    orm.lookup("outside", kinds={"integer", "date"}, operand="pair")(outside)
    orm.lookup("divisible_by_any", kinds={"integer"}, operand="values")(divisible_by_any)
    orm.lookup("blank", kinds={"text"}, operand="flag")(blank)
    orm.lookup("only_sqlite", kinds={"text"})(only_sqlite)
    orm.transform("absolute", kinds={"integer", "float", "decimal"})(Absolute)
    orm.transform("folded", kinds={"text"})(Folded)
    orm.transform("size", kinds={"text"})(Size)
    orm.lookup("is_object", kinds={"json"}, operand="flag")(is_object)


async def _found(*conditions: Any, **words: Any) -> list[Any]:
    rows = Everything.objects.filter(*conditions, **words).order_by("id")
    return await rows.values_list("integer", flat=True)


@pytest.mark.parametrize(
    ("words", "typed", "wanted"),
    [
        ({"string__ne": "Bob"}, lambda: Everything.string.lookup("ne", "Bob"), [1, 5, 12]),
        ({"integer__ne": 1}, lambda: Everything.integer.lookup("ne", 1), [-7, 5, 12]),
        ({"string__soundslike": "bib"}, lambda: Everything.string.lookup("soundslike", "bib"), [-7, 1]),
        ({"integer__outside": (0, 5)}, lambda: Everything.integer.lookup("outside", (0, 5)), [-7, 12]),
        ({"integer__divisible_by_any": [5, 7, 9]}, lambda: Everything.integer.lookup("divisible_by_any", [5, 7, 9]),
         [-7, 5]),
        ({"integer__divisible_by_any": []}, lambda: Everything.integer.lookup("divisible_by_any", []), []),
        ({"string__blank": True}, lambda: Everything.string.lookup("blank", True), [12]),
        ({"string__blank": False}, lambda: Everything.string.lookup("blank", False), [-7, 1, 5]),
        ({"integer__absolute": 7}, lambda: Absolute(Everything.integer) == 7, [-7]),
        ({"integer__absolute__gt": 5}, lambda: Absolute("integer") > 5, [-7, 12]),
        ({"string__folded__startswith": "b"}, lambda: Folded(Everything.string).startswith("b"), [-7, 1]),
        ({"string__folded__size": 3}, lambda: Size(Folded("string")) == 3, [-7, 5]),
        ({"string__size__absolute__ne": 3}, lambda: Absolute(Size("string")).lookup("ne", 3), [1, 12]),
    ],
)  # fmt: skip
async def test_both_spellings(
    music: orm.Database, words: dict[str, Any], typed: Callable[[], Any], wanted: list[int]
) -> None:
    await Everything.objects.bulk_create(
        [Everything(integer=n, string=s) for n, s in ((-7, "Bob"), (1, "BABE"), (5, "Tom"), (12, "  "))]
    )
    assert await _found(**words) == wanted
    assert await _found(typed()) == wanted
    assert await Everything.objects.exclude(**words).count() == 4 - len(wanted)


async def test_columns_have_them_as_attributes(music: orm.Database) -> None:
    artist = await Artist.objects.create(name="AC/DC")
    await Album.objects.create(title="Powerage", artist=artist)
    title: Any = Album.title
    assert await Album.objects.filter(title.ne("x")).count() == 1
    assert await Album.objects.filter(title.folded.startswith("power")).count() == 1
    assert await Album.objects.filter(title.folded.size > 7).count() == 1
    over: Any = Album.artist.name
    assert await Album.objects.filter(over.folded == "ac/dc").count() == 1
    assert await Album.objects.filter(artist__name__ne="AC/DC").count() == 0
    assert await Artist.objects.filter(albums__title__folded="powerage").get() == artist
    assert await Album.objects.order_by("title__size").values_list("title__folded", "title__size") == [("powerage", 8)]
    assert await Album.objects.filter(title__ne=orm.F("title__folded")).count() == 1


async def test_words_that_were_used_before_are_not_stale(music: orm.Database) -> None:
    await Everything.objects.create(integer=4, data={"twice": 1, "doubled": 8})
    for words in ({"integer__twice": 8}, {"integer__doubled": 8}):
        with pytest.raises(orm.FieldError, match="has no"):
            Everything.objects.filter(**words)
    with pytest.raises(AttributeError):
        _ = Everything.integer.twice
    assert await Everything.objects.filter(data__twice=1).count() == 1

    orm.lookup("twice", kinds={"integer"})(twice)
    orm.transform("doubled", kinds={"integer"})(Doubled)
    assert await Everything.objects.filter(integer__twice=8, integer__doubled=8).count() == 1
    assert await Everything.objects.filter(data__twice=1, data__doubled=8).count() == 1, "they are no words of JSON"


async def test_a_lookup_of_json_hides_a_key(music: orm.Database) -> None:
    await Everything.objects.create(integer=1, data={"is_object": 1})
    await Everything.objects.create(integer=2, data=[])
    assert await _found(data__is_object=True) == [1]
    assert await _found(data__is_object=False) == [2]
    assert await _found(Everything.data["is_object"] == 1) == [1]


async def test_an_engine_that_cannot_says_so(music: orm.Database, backend: str) -> None:
    query = Album.objects.filter(title__only_sqlite="x")
    if backend == "sqlite":
        assert await query == []
    else:
        with pytest.raises(orm.NotSupportedError, match="has no only_sqlite"):
            await query


def _build(dialect: Dialect, left: Element, right: Element) -> Element:
    return left == right


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: orm.lookup("a__b"), "identifiers, without __"),
        (lambda: orm.lookup("a b"), "identifiers"),
        (lambda: orm.lookup("a-b"), "identifiers"),
        (lambda: orm.lookup("é"), "identifiers"),
        (lambda: orm.lookup(""), "identifiers"),
        (lambda: orm.lookup("_a"), "identifiers"),
        (lambda: orm.transform("a_"), "identifiers"),
        (lambda: orm.lookup("exact"), "there is one already, for .*text"),
        (lambda: orm.lookup("icontains", kinds={"text"}), "there is one already, for text"),
        (lambda: orm.lookup("year", kinds={"date"}), "there is one already, for date"),
        (lambda: orm.transform("gt", kinds={"text"}), "there is one already, for text"),
        (lambda: orm.transform("month", kinds={"date"}), "there is one already, for date"),
        (lambda: orm.lookup("ne", kinds={"text"}), "there is one already, for text"),
        (lambda: orm.transform("absolute", kinds={"float"}), "there is one already, for float"),
        (lambda: orm.lookup("new", kinds={"txt"}), "no kind 'txt'. Choose from: text, integer"),
        (lambda: orm.lookup("new", kinds="text"), "Give a set of kinds"),
        (lambda: orm.lookup("new", kinds=()), "kinds is empty"),
        (lambda: orm.lookup("new", operand="list"), "operand='list' is not possible. Choose from: value"),  # type: ignore[arg-type]
        (lambda: orm.transform("new")(str), "subclass of orm.Function"),  # type: ignore[type-var]
    ],
)
def test_words_that_are_not_possible_are_refused(use: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        use()


def test_one_name_for_several_kinds() -> None:
    @orm.transform("month_or_more", kinds={"date"})
    class OfDate(orm.Function[Any]):
        def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
            return operands[0]

    orm.transform("month_or_more", kinds={"text"})(Folded)
    assert "date" in str(Everything.objects.filter(date__month_or_more__isnull=True))
    assert "lower(" in str(Everything.objects.filter(string__month_or_more="x"))


def test_operands_are_checked() -> None:
    for words, text in [
        ({"integer__ne": "1"}, "integer__ne: .*valid integer"),
        ({"string__soundslike": 1}, "takes a text"),
        ({"integer__outside": 3}, "takes a pair"),
        ({"integer__divisible_by_any": 3}, "takes a list"),
        ({"string__blank": "yes"}, "takes True or False"),
        ({"integer__absolute__gt": "x"}, r"Absolute\(integer\)__gt: .*valid integer"),
        ({"string__ne": None}, "cannot be compared with None"),
    ]:
        with pytest.raises(orm.ValidationError, match=text):
            Everything.objects.filter(**words)
    with pytest.raises(orm.FieldError, match=r"has no 'soundslik'.*Choose from: .*soundslike"):
        Everything.objects.filter(string__soundslik="x")
    with pytest.raises(orm.FieldError, match=r"has no lookup 'nothing'\. Choose from: .*soundslike"):
        Everything.string.lookup("nothing", 1)
    with pytest.raises(AttributeError, match=r"Choose from: .*absolute"):
        _ = Everything.integer.nothing
