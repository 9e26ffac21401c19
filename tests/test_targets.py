"""`into()`: rows become objects of other people's classes, and whatever does not fit is refused in a sentence."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from decimal import Decimal
from typing import Any, NamedTuple

import pydantic
import pydantic.dataclasses
import pytest
import pytest_asyncio
from pydantic.alias_generators import to_camel

import orm
from orm import plans
from tests.music import Album, Artist, Color, Everything, Track
from tests.recorder import Recorder


@dataclasses.dataclass
class Plain:
    title: str
    artist__name: str
    artist: int
    artist_id: int
    note: str = "none"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    year: int | None
    title: str
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Prepared:
    prefix: dataclasses.InitVar[str] = "made"
    title: str = "?"
    year: int | None = None
    label: str = dataclasses.field(init=False)

    def __post_init__(self, prefix: str) -> None:
        self.label = f"{prefix} {self.title} {self.year}"


class Named(NamedTuple):
    title: str
    year: int | None = None
    stars: int = 3


class Out(pydantic.BaseModel):
    title: str
    performer: str = pydantic.Field(alias="artist__name")
    stars: int = 3


class Checked(pydantic.BaseModel):
    title: str = pydantic.Field(max_length=3)
    year: int = pydantic.Field(ge=1977)


@pytest_asyncio.fixture
async def albums(music: orm.Database) -> list[Album]:
    artist = await Artist.objects.create(name="AC/DC")
    rows = [("Powerage", 1978), ("High Voltage", 1976), ("TNT", None)]
    return await Album.objects.bulk_create([Album(title=title, year=year, artist=artist) for title, year in rows])


async def test_a_dataclass_names_its_columns(albums: list[Album]) -> None:
    key = albums[0].artist.id
    found = await Album.objects.into(Plain)
    assert found[0] == Plain("High Voltage", "AC/DC", key, key)
    assert [item.title for item in found] == ["High Voltage", "Powerage", "TNT"]


async def test_only_the_columns_of_the_fields_are_read(albums: list[Album], recorder: Recorder) -> None:
    assert await Album.objects.order_by("id").into(Named) == [
        ("Powerage", 1978, 3),
        ("High Voltage", 1976, 3),
        ("TNT", None, 3),
    ]
    (event,) = recorder.events
    assert "producer_id" not in event.sql
    assert "JOIN" not in event.sql


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Named, Named("TNT", None)),
        (Frozen, Frozen(title="TNT", year=None)),
        (Prepared, Prepared(title="TNT")),
        (Out, Out.model_validate({"title": "TNT", "artist__name": "AC/DC"})),
        (namedtuple("Row", "year title"), (None, "TNT")),
    ],
)
async def test_whatever_is_built_comes_from_every_end_of_the_chain(
    albums: list[Album], target: type[Any], expected: Any
) -> None:
    rows = Album.objects.order_by("-title").into(target)
    assert (await rows)[0] == expected
    assert await rows.first() == expected
    assert await rows.get(title="TNT") == expected
    assert await rows.get_or_none(title="none") is None
    assert await rows.filter(title="TNT").last() == expected
    everything = await rows
    assert [item async for item in rows] == everything
    assert [item async for batch in rows.batches(2) for item in batch] == everything
    assert (await rows.paginate(per_page=2)).items[0] == expected
    assert await rows.count() == 3
    assert all(isinstance(item, target) for item in await rows)


@pytest.mark.parametrize("target", [Named, Frozen, Prepared, Out])
async def test_pages_by_cursor_build_the_same_objects(albums: list[Album], target: type[Any]) -> None:
    rows = Album.objects.order_by("-year").into(target)
    everything = await rows
    first = await rows.cursor_paginate(per_page=2)
    second = await rows.cursor_paginate(first.next_cursor, per_page=2)
    assert [*first, *second] == everything
    assert (await rows.cursor_paginate(before=second.previous_cursor, per_page=2)).items == first.items


async def test_columns_of_values_are_matched_by_name(albums: list[Album]) -> None:
    for rows in (
        Album.objects.values("year", "title"),
        Album.objects.values_list("year", "title"),
        Album.objects.values_list("year", "title", named=True),
        Album.objects.values_list(Album.year, Album.title),
    ):
        assert await rows.into(Named).get(title="Powerage") == Named("Powerage", 1978)
    assert await Album.objects.values_list("title", flat=True).into(Named).first() == Named("High Voltage")
    assert await Album.objects.values("artist__name", "title").into(Out).first() == Out(
        title="High Voltage", artist__name="AC/DC"
    )


async def test_values_are_what_the_columns_say(music: orm.Database) -> None:
    await Everything.objects.create(decimal=Decimal("1.5"), boolean=True, data={"a": [1]}, color=Color.RED)

    @dataclasses.dataclass
    class Some:
        data__a__0: Any
        decimal: Decimal
        boolean: bool
        data: Any
        color: Color

    @pydantic.dataclasses.dataclass
    class Strict:
        decimal: Decimal
        boolean: bool

    assert await Everything.objects.into(Some).get() == Some(1, Decimal("1.5"), True, {"a": [1]}, Color.RED)
    assert await Everything.objects.into(Strict).get() == Strict(Decimal("1.5"), True)


async def test_aliases_name_columns_and_are_used_to_build(albums: list[Album]) -> None:
    class Camel(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(alias_generator=to_camel, extra="forbid")
        artist_id: int
        title: str

    class ByName(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(populate_by_name=True, extra="forbid")
        performer: str = pydantic.Field(validation_alias="artist__name")

    class Choices(pydantic.BaseModel):
        name: str = pydantic.Field(validation_alias=pydantic.AliasChoices(pydantic.AliasPath("a", 0), "x", "title"))

    assert (await Album.objects.into(Camel).get(title="TNT")).artist_id == albums[0].artist.id
    assert (await Album.objects.into(ByName).get(title="TNT")).performer == "AC/DC"
    assert (await Album.objects.into(Choices).get(title="TNT")).name == "TNT"


async def test_a_row_that_a_model_refuses_says_which_model(albums: list[Album]) -> None:
    with pytest.raises(orm.DataError) as caught:
        await Album.objects.into(Checked).get(title="High Voltage")
    assert str(caught.value) == (
        "A row of Album does not fit Checked: title: String should have at most 3 characters; "
        "year: Input should be greater than or equal to 1977."
    )
    assert isinstance(caught.value.__cause__, pydantic.ValidationError)
    assert "Voltage" not in str(caught.value)
    with pytest.raises(orm.DataError, match="A row of Album does not fit Checked: year: Input should be a valid int"):
        await Album.objects.filter(title="TNT").order_by("id").into(Checked).cursor_paginate()


async def test_an_error_of_a_dataclass_is_its_own(albums: list[Album]) -> None:
    @dataclasses.dataclass
    class Fails:
        title: str

        def __post_init__(self) -> None:
            raise ZeroDivisionError(self.title)

    with pytest.raises(ZeroDivisionError, match="High Voltage"):
        await Album.objects.into(Fails)


async def test_a_target_is_part_of_the_shape(albums: list[Album], monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    finish = plans.finish
    monkeypatch.setattr(plans, "finish", lambda *a, **k: compiled.append("plan") or finish(*a, **k))  # type: ignore[func-returns-value]
    Album.__schema__.plans.clear()  # type: ignore[attr-defined]
    other = namedtuple("Other", "title year")
    for _ in range(3):
        for target in (Named, other):
            (item,) = await Album.objects.filter(title="TNT").values("title", "year").into(target)
            assert type(item) is target
    assert len(compiled) == 2


async def test_locks_and_databases_stay(albums: list[Album], music: orm.Database, recorder: Recorder) -> None:
    rows = Album.objects.using(music).distinct().into(Named)
    assert len(await rows.order_by("title")) == 3
    assert recorder.events == []
    with pytest.raises(orm.TransactionError, match="locked"):
        await Album.objects.select_for_update().into(Named)


# ---------------------------------------------------------------- what is refused


class Unfinished(pydantic.BaseModel):
    title: Nowhere  # type: ignore[name-defined]  # noqa: F821


class Whole(pydantic.RootModel[int]):
    pass


class ByPath(pydantic.BaseModel):
    title: str = pydantic.Field(validation_alias=pydantic.AliasPath("titles", 0))


@dataclasses.dataclass
class Needs:
    title: str
    txt: str


@dataclasses.dataclass
class Nothing:
    albums: int = 3


@dataclasses.dataclass
class Many:
    tracks: int


@pytest.mark.parametrize(
    "target",
    [3, None, "Out", Album, dict, tuple, int, Whole, object(), Named("x"), Out.model_construct(), [], list[int]],
)
def test_only_some_classes_can_be_built(target: Any) -> None:
    with pytest.raises(orm.FieldError, match=r"into\(\) takes a class: a dataclass, a pydantic model or a NamedTuple"):
        Album.objects.into(target)
    with pytest.raises(orm.FieldError, match=r"into\(\) takes a class"):
        Album.objects.values("title").into(target)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            Needs,
            "Needs needs 'txt', and Album has no such column. Choose from: id, title, year, artist, producer, tracks, "
            "tags. Or give the field a default.",
        ),
        (Many, "Many needs 'tracks', and Album has no such column."),
        (Nothing, "No field of Nothing is a column of Album. Choose from: id, title"),
        (Unfinished, "Unfinished names types that are not defined yet. Define them, and call Unfinished.model_rebuild"),
        (ByPath, "ByPath.title is found by a path of aliases only."),
    ],
)
def test_a_target_that_does_not_fit_the_model_is_refused_at_the_call(target: Any, message: str) -> None:
    with pytest.raises(orm.FieldError) as caught:
        Album.objects.into(target)
    assert str(caught.value).startswith(message)


def test_a_target_that_does_not_fit_the_columns_is_refused_at_the_call() -> None:
    with pytest.raises(orm.FieldError, match=r"Named has no field for the column 'id'\. Choose from: year, stars"):
        Album.objects.values("title", "id").into(Named)
    with pytest.raises(orm.FieldError, match="Needs needs 'txt', which is not among the columns that are read: title"):
        Album.objects.values("title").into(Needs)
    with pytest.raises(orm.FieldError, match="has no field for the column 'artist__name'"):
        Album.objects.values("artist__name").into(Named)


def test_instances_and_objects_exclude_each_other() -> None:
    with pytest.raises(orm.FieldError, match="prefetch_related"):
        Album.objects.prefetch_related("tracks").into(Named)
    with pytest.raises(orm.FieldError, match="built into Named already"):
        Album.objects.into(Named).into(Plain)


async def test_related_rows_are_built_too(albums: list[Album], music: orm.Database) -> None:
    await Track.objects.create(name="x", album=albums[0])
    titles = albums[0].artist.albums.order_by("title").into(Named)
    assert [item.title for item in await titles] == ["High Voltage", "Powerage", "TNT"]
