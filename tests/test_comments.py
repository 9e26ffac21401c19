"""`comment()`: what is sent with a statement is a comment and nothing else, whatever the text."""

from __future__ import annotations

import enum
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import orm
from orm import plans
from orm.comments import ending
from tests.music import Album, Artist, Tag, Track
from tests.recorder import Recorder


async def endings(recorder: Recorder) -> list[str]:
    """What comes after the last `/*` of each statement since the last time."""
    found = [event.sql.partition(" /*")[2] for event in recorder.events]
    recorder.clear()
    return found


async def test_every_statement_has_the_comment(music: orm.Database, recorder: Recorder) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in "abcd"])
    await endings(recorder)
    tags = Tag.objects.comment("overview").order_by("word")
    assert [tag.word for tag in await tags] == ["a", "b", "c", "d"]
    assert await tags.count() == 4
    assert await tags.exists()
    assert (await tags.get(word="a")).word == "a"
    assert await tags.aggregate(last=orm.Max("word")) == {"last": "d"}
    assert [tag.word async for tag in tags] == ["a", "b", "c", "d"]
    assert [len(batch) async for batch in tags.batches(3)] == [3, 1]
    assert (await tags.paginate(per_page=2)).total == 4
    await tags.paginate(per_page=2, count="estimate")
    first = await tags.cursor_paginate(per_page=2)
    assert len(await tags.cursor_paginate(first.next_cursor, per_page=2)) == 2
    assert await tags.values("word").first() == {"word": "a"}
    assert await tags.values_list("word", flat=True).last() == "d"
    await tags.explain()
    assert await tags.filter(word="a").update(word="z") == 1
    assert await tags.filter(word="z").delete() == 1
    assert set(await endings(recorder)) == {" overview */"}


async def test_rows_that_are_given_back_have_it(music: orm.Database, recorder: Recorder) -> None:
    if not music.capabilities.returning:
        pytest.skip("no RETURNING")
    await Tag.objects.create(word="a")
    await endings(recorder)
    assert len(await Tag.objects.comment("x").filter(word="a").returning("id").update(word="b")) == 1
    assert len(await Tag.objects.filter(word="b").comment("x").returning().delete()) == 1
    assert await endings(recorder) == [" x */", " x */"]


async def test_related_rows_are_read_with_it_or_with_their_own(music: orm.Database, recorder: Recorder) -> None:
    artist = await Artist.objects.create(name="x")
    album = await Album.objects.create(title="x", artist=artist)
    await Track.objects.create(name="x", album=album)
    await endings(recorder)
    await Artist.objects.comment("all").prefetch_related("albums__tracks")
    assert await endings(recorder) == [" all */"] * 3
    own = orm.Prefetch("albums", Album.objects.comment("own").prefetch_related("tracks"))
    await Artist.objects.comment("all").prefetch_related(own)
    assert await endings(recorder) == [" all */", " own */", " own */"]
    await artist.albums.comment("related").all()
    assert await endings(recorder) == [" related */"]


async def test_the_last_comment_wins_and_an_empty_one_takes_it_away(music: orm.Database, recorder: Recorder) -> None:
    tags = Tag.objects.comment("a").filter(word="x")
    await tags.comment("b")
    await tags.comment(" ")
    await tags.comment("")
    assert await endings(recorder) == [" b */", "", ""]
    assert str(tags).endswith(" /* a */")
    assert "/*" not in str(tags.comment(""))
    assert "/*" not in str(Tag.objects)


async def test_a_comment_is_no_part_of_the_shape(music: orm.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    finish = plans.finish

    def counted(*arguments: Any, **keywords: Any) -> plans.Plan:
        compiled.append("plan")
        return finish(*arguments, **keywords)

    monkeypatch.setattr(plans, "finish", counted)
    Tag.__schema__.plans.clear()  # type: ignore[attr-defined]
    for number in range(5):
        await Tag.objects.comment(f"request {number}").filter(word=str(number))
    assert compiled == ["plan"]


HARMLESS = [
    "100%",
    "%s %d %(a)s %%",
    ":name $1 ? {0}",
    "! not executed",
    "!50000 SELECT 1",
    "M! SELECT 1",
    "+ SET_VAR(sort_buffer_size=1)",
    "/ / *",
    "*",
    "/",
    "'; DROP TABLE tag; --",
    "\"`' -- # $$",
    "\\ x",
    "Größe 漢字 🎸",
]


@pytest.mark.parametrize("text", HARMLESS)
async def test_whatever_is_accepted_is_a_comment(music: orm.Database, recorder: Recorder, text: str) -> None:
    await Tag.objects.bulk_create([Tag(word="a%s"), Tag(word="b")])
    await endings(recorder)
    tags = Tag.objects.comment(text)
    assert [tag.word for tag in await tags.filter(word="a%s")] == ["a%s"]
    assert await tags.exclude(word="b").count() == 1
    assert [tag.word async for tag in tags.filter(word__startswith="a%")] == ["a%s"]
    assert await tags.filter(word="b").update(word="c") == 1
    sent = text.replace("%", "%%") if music.dialect.name == "mysql" else text
    assert set(await endings(recorder)) == {f" {sent} */"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.text(alphabet=st.sampled_from("/*!M+%s'\"`\\-#;:$?{} aé"), max_size=12))
@example("*/ DROP TABLE tag /*")
async def test_any_text_is_refused_or_a_comment(music: orm.Database, text: str) -> None:
    try:
        tags = Tag.objects.comment(text)
    except orm.ValidationError:
        return
    assert await tags.filter(word="none").order_by("word") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (3, "A comment is a text, not 3."),
        (None, "A comment is a text, not None."),
        (b"x", "A comment is a text, not b'x'."),
        ("x" * 501, "A comment has at most 500 characters, not 501."),
        ("x */ DELETE FROM tag", "A comment cannot contain '/*' or '*/'"),
        ("/* x", "A comment cannot contain '/*' or '*/'"),
        ("a\0b", "A comment is one line of printable characters"),
        ("a\nb", "A comment is one line of printable characters"),
        ("a\x1bb", "A comment is one line of printable characters"),
        ("a\u2028b", "A comment is one line of printable characters"),
        ("a\u202eb", "A comment is one line of printable characters"),
        ("a\ud800b", "A comment is one line of printable characters"),
        ("x\\", "A comment cannot end in a backslash"),
    ],
)
def test_what_could_be_more_than_a_comment_is_refused(text: Any, message: str) -> None:
    with pytest.raises(orm.ValidationError) as caught:
        Tag.objects.comment(text)
    assert str(caught.value).startswith(message)
    assert caught.value.errors()[0]["loc"] == ("comment",)


def test_a_text_with_its_own_idea_of_itself_is_taken_as_it_is() -> None:
    class Sly(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "*/"

        def __format__(self, spec: str) -> str:
            return "*/"

        def strip(self, characters: str | None = None, /) -> str:
            return "*/"

    class Source(enum.StrEnum):
        WEB = "web"

    assert ending(Sly("x")) == " /* x */"
    assert ending(Source.WEB) == " /* web */"
    assert ending("x" * 500) == f" /* {'x' * 500} */"


def test_a_statement_of_ones_own_has_its_own_comment() -> None:
    with pytest.raises(orm.FieldError, match="Write the comment into it"):
        Tag.objects.comment("x").from_statement("SELECT * FROM tag")
