"""Values are checked before they are sent, all problems of an instance at once: types, limits, validators, clean()."""

from __future__ import annotations

import copy
import datetime
import enum
import json
import pickle
import timeit
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pydantic
import pytest
import pytest_asyncio

import orm
from orm.cleaning import row_to_insert, rows_to_insert
from orm.database import Database
from orm.validation import validator
from tests.databases import created
from tests.recorder import Recorder

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


def even(value: int) -> int:
    if value % 2:
        raise ValueError("an even number is wanted")
    return value


def stripped(value: str) -> str:
    return value.strip()


def no_tabs(value: str) -> str:
    if "\t" in value:
        raise orm.ValidationError("a tab is not possible")
    return value


class Size(enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Hall(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=10, validators=[stripped, no_tabs])
    seats: orm.Field[int] = orm.Integer(ge=1, le=5000, validators=[even])
    boxes: orm.Field[int | None] = orm.Integer(null=True, default=None, validators=(even,))


class Concert(Base):
    """Its `clean` looks at several fields, and fills one."""

    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=20)
    slug: orm.Field[str] = orm.Slug()
    starts: orm.Field[int] = orm.Integer()
    ends: orm.Field[int] = orm.Integer()
    size: orm.Field[Size] = orm.Enum(Size, default=Size.SMALL)
    hall: orm.Related[Hall | None] = orm.ForeignKey("Hall", null=True, default=None)

    def clean(self) -> None:
        if not isinstance(self.size, Size) or self.size.value not in "sl":
            raise TypeError("clean() sees members")
        self.slug = self.title.lower().replace(" ", "-")
        if self.title == "nothing":
            raise ValueError("A concert needs music")
        if self.ends < self.starts:
            raise orm.ValidationError({"ends": "before it starts", "starts": ["too late", "after it ends"]})


class Required(Base):
    """Its `clean` stumbles over values that are not there."""

    id: orm.Field[int] = orm.BigAutoField()
    low: orm.Field[int] = orm.Integer()
    high: orm.Field[int] = orm.Integer()
    word: orm.Field[str] = orm.Text(default="")
    hall: orm.Related[Hall] = orm.ForeignKey("Hall")

    def clean(self) -> None:
        if len(self.word) > 3:
            raise orm.ValidationError({"word": "too long"})
        if self.low > self.high:
            raise ValueError("low is above high")


@pytest_asyncio.fixture
async def halls(database: Database) -> AsyncIterator[Database]:
    async with created(models, database):
        yield database


@pytest_asyncio.fixture
async def recorder(halls: Database, url: str) -> AsyncIterator[Recorder]:
    made = Recorder()
    async with Database(url, observers=[made]) as observed:
        models.database = observed
        yield made
    models.database = halls


def problems(error: orm.ValidationError) -> list[tuple[tuple[Any, ...], str]]:
    return [(problem["loc"], problem["msg"]) for problem in error.errors()]


# ---------------------------------------------------------------- validators=


async def test_validators_run_after_type_and_limits_in_order_and_may_change_the_value(halls: Database) -> None:
    hall = await Hall.objects.create(name="  Apollo ", seats=100)
    assert hall.name == "Apollo"
    assert await Hall.objects.values_list("name", flat=True) == ["Apollo"]
    with pytest.raises(orm.ValidationError) as caught:
        await Hall.objects.create(name="a\tb", seats=3, boxes="many")
    assert problems(caught.value) == [
        (("name",), "a tab is not possible"),
        (("seats",), "an even number is wanted"),
        (("boxes",), "Input should be a valid integer"),
    ]
    with pytest.raises(orm.ValidationError, match="less than or equal to 5000") as caught:
        await Hall.objects.create(name="x", seats=5001)
    assert len(caught.value.errors()) == 1


async def test_validators_do_not_run_on_null(halls: Database) -> None:
    hall = await Hall.objects.create(name="x", seats=2, boxes=None)
    await hall.update(boxes=None)
    assert await Hall.objects.all().update(boxes=None) == 1


async def test_validators_run_wherever_values_are_written(recorder: Recorder) -> None:
    hall = await Hall.objects.create(name="x", seats=2)
    recorder.clear()
    odd = Hall(name="y", seats=3)
    hall.seats = 5
    attempts: list[Any] = [
        hall.save,
        lambda: hall.save(fields=["seats"]),
        lambda: hall.update(seats=7),
        odd.save,
        lambda: Hall.objects.bulk_create([odd]),
        lambda: Hall.objects.bulk_create([odd], ignore_conflicts=True),
        lambda: Hall.objects.bulk_update([hall], ["seats"]),
        lambda: Hall.objects.filter(seats=2).update(seats=9),
        lambda: Hall.objects.get_or_create({"seats": 3}, name="z"),
        lambda: Hall.objects.update_or_create({"seats": 3}, name="z"),
    ]
    for attempt in attempts:
        with pytest.raises(orm.ValidationError, match="an even number is wanted"):
            await attempt()
    assert {event.sql.split()[0] for event in recorder.events} <= {"SELECT"}
    assert await Hall.objects.filter(seats=3).count() == 0, "what is compared is not validated"


async def test_what_a_validator_gives_fits_the_field() -> None:
    registry = orm.Registry()

    class Doubled(orm.Model):
        text = orm.String(max_length=4, validators=[lambda value: value * 2])
        number = orm.Integer(default=1, validators=[str])

        class Meta:
            pass

        Meta.registry = registry  # type: ignore[attr-defined]

    with pytest.raises(orm.ValidationError) as caught:
        Doubled(text="abc").validate()
    assert problems(caught.value) == [
        (("text",), "String should have at most 4 characters"),
        (("number",), "Input should be a valid integer"),
    ]


async def test_a_validator_gives_the_value_back() -> None:
    def forgetful(value: str) -> str:
        return None  # type: ignore[return-value]

    class Note(orm.Model):
        text = orm.Text(validators=[forgetful])

        class Meta:
            registry = orm.Registry()

    with pytest.raises(
        orm.FieldError, match=r"forgetful gave None for 'x'. It gives a value back, or raises ValueError"
    ):
        Note(text="x").validate()


async def coroutine(value: str) -> str:
    return value


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (stripped, r"validators is a list of functions, as in validators=\[check\]"),
        ("strip", "validators is a list of functions"),
        (None, "validators is a list of functions"),
        (["strip"], "a validator is a function of a value, not 'strip'"),
        ([coroutine], "the validator coroutine is a coroutine"),
    ],
)
@pytest.mark.parametrize("field", [orm.Text, orm.Integer, orm.JSON, orm.UUID, orm.Date, orm.Boolean, orm.IPAddress])
def test_validators_that_are_none_are_refused(field: Any, given: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=f"^{field.__name__}: {text}"):
        field(validators=given)


def test_validators_of_an_item_run_for_each_item() -> None:
    class Numbers(orm.Model):
        values = orm.Array(orm.Integer(validators=[even]), validators=[lambda items: sorted(items)])

        class Meta:
            registry = orm.Registry()

    with pytest.raises(orm.ValidationError) as caught:
        Numbers(values=[4, 3, 2, 1]).validate()
    assert problems(caught.value) == [
        (("values", 1), "an even number is wanted"),
        (("values", 3), "an even number is wanted"),
    ]
    assert row_to_insert(Numbers(values=[4, 2])) == {"values": [2, 4]}


# ---------------------------------------------------------------- errors()


async def test_errors_have_the_form_of_pydantic() -> None:
    class HallModel(pydantic.BaseModel):
        name: str = pydantic.Field(max_length=10)
        seats: int = pydantic.Field(ge=1, le=5000)

    with pytest.raises(orm.ValidationError) as caught:
        Hall(name="x" * 11, seats=0).validate()
    with pytest.raises(pydantic.ValidationError) as theirs:
        HallModel(name="x" * 11, seats=0)
    assert caught.value.errors() == theirs.value.errors(include_url=False)
    assert caught.value.errors()[1]["ctx"] == {"ge": 1}


async def test_errors_are_json_and_survive_pickling() -> None:
    with pytest.raises(orm.ValidationError) as caught:
        Hall(name="a\tb", seats=0).validate()
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        written = json.loads(json.dumps(error.errors()))
        assert written == [
            {
                "type": "value_error",
                "loc": ["name"],
                "msg": "a tab is not possible",
                "input": "a\tb",
                "ctx": {"error": "a tab is not possible"},
            },
            {
                "type": "greater_than_equal",
                "loc": ["seats"],
                "msg": "Input should be greater than or equal to 1",
                "input": 0,
                "ctx": {"ge": 1},
            },
        ]
    assert "http" not in str(caught.value)


def test_an_error_can_be_made_of_a_sentence_or_of_sentences_by_field() -> None:
    plain = orm.ValidationError("No music")
    assert (str(plain), plain.errors()) == ("No music", [{"type": "value_error", "loc": (), "msg": "No music"}])
    several = orm.ValidationError({"a": "one", "b": ["two", "three"]})
    assert str(several) == "a: one; b: two; b: three"
    assert problems(several) == [(("a",), "one"), (("b",), "two"), (("b",), "three")]
    assert problems(pickle.loads(pickle.dumps(several))) == problems(several)
    assert isinstance(several, ValueError)


def test_a_message_stays_short() -> None:
    halls = [Hall(name="x", seats=-1) for _ in range(100)]
    with pytest.raises(orm.ValidationError, match="and 80 more") as caught:
        rows_to_insert(Hall.__schema__, halls)
    assert len(caught.value.errors()) == 100


async def test_bulk_operations_say_which_instances_are_wrong(recorder: Recorder) -> None:
    good = await Hall.objects.create(name="good", seats=2)
    other = await Hall.objects.create(name="other", seats=2)
    recorder.clear()
    with pytest.raises(
        orm.ValidationError, match=r"^Hall is not valid\. 1\.seats: .*; 2\.name: a value is required"
    ) as caught:
        await Hall.objects.bulk_create([Hall(name="x", seats=2), Hall(name="y", seats=1), Hall(seats=2)])
    assert [problem["loc"] for problem in caught.value.errors()] == [(1, "seats"), (2, "name")]
    good.seats, other.seats = 4, 3
    with pytest.raises(orm.ValidationError, match=r"1\.seats: an even number is wanted"):
        await Hall.objects.bulk_update([good, other], ["seats"])
    assert recorder.count == 0


# ---------------------------------------------------------------- clean()


async def test_clean_runs_before_an_insert_and_what_it_sets_is_written(halls: Database) -> None:
    concert = await Concert.objects.create(title="Back in Black", starts=1, ends=2)
    assert concert.slug == "back-in-black"
    saved = await Concert(title="Powerage", starts=1, ends=2).save()
    many = await Concert.objects.bulk_create([Concert(title=word, starts=1, ends=2) for word in ("A B", "C D")])
    assert [one.slug for one in (saved, *many)] == ["powerage", "a-b", "c-d"]
    assert await Concert.objects.order_by("id").values_list("slug", flat=True) == [
        "back-in-black",
        "powerage",
        "a-b",
        "c-d",
    ]


async def test_clean_runs_before_an_update(halls: Database) -> None:
    concert = await Concert.objects.create(title="One", starts=1, ends=2)
    concert.title = "Two"
    await concert.save()
    assert await Concert.objects.values_list("title", "slug") == [("Two", "two")]
    await concert.update(title="Three")
    assert concert.slug == "three"
    assert await Concert.objects.values_list("title", "slug") == [("Three", "two")], "update() writes what it is given"
    await concert.save()
    assert await Concert.objects.values_list("title", "slug") == [("Three", "three")]
    concert.title = "Four"
    await Concert.objects.bulk_update([concert], ["title", "slug"])
    assert await Concert.objects.values_list("title", "slug") == [("Four", "four")]


async def test_what_clean_refuses_is_not_sent(recorder: Recorder) -> None:
    concert = await Concert.objects.create(title="One", starts=1, ends=2)
    recorder.clear()
    concert.ends = 0
    wrong = Concert(title="x", starts=3, ends=1)
    attempts: list[Any] = [
        concert.save,
        lambda: concert.update(ends=-1),
        lambda: Concert.objects.bulk_update([concert], ["ends"]),
        wrong.save,
        lambda: Concert.objects.create(title="x", starts=3, ends=1),
        lambda: Concert.objects.bulk_create([wrong]),
    ]
    for attempt in attempts:
        with pytest.raises(orm.ValidationError, match="before it starts"):
            await attempt()
    assert recorder.count == 0


async def test_a_problem_of_clean_belongs_to_fields_or_to_the_instance() -> None:
    with pytest.raises(orm.ValidationError) as caught:
        Concert(title="x", starts=3, ends=1).validate()
    assert caught.value.errors() == [
        {"type": "value_error", "loc": ("ends",), "msg": "before it starts", "input": 1},
        {"type": "value_error", "loc": ("starts",), "msg": "too late", "input": 3},
        {"type": "value_error", "loc": ("starts",), "msg": "after it ends", "input": 3},
    ]
    with pytest.raises(orm.ValidationError, match=r"^Concert is not valid\. A concert needs music\.$") as caught:
        Concert(title="nothing", starts=3, ends=4).validate()
    (problem,) = caught.value.errors()
    assert (problem["loc"], problem["input"]["title"]) == ((), "nothing")


async def test_problems_of_fields_and_of_clean_come_together_where_clean_can_run() -> None:
    with pytest.raises(orm.ValidationError) as caught:
        Required(low=1, high=2.5, word="long", hall_id=1).validate()
    assert problems(caught.value) == [(("high",), "Input should be a valid integer"), (("word",), "too long")]
    with pytest.raises(
        orm.ValidationError
    ) as caught:  # clean() compares a text with a number, and reads what is not there
        Required(low="x", hall_id=1).validate()
    assert [problem["loc"] for problem in caught.value.errors()] == [("low",), ("high",)]


async def test_an_unsaved_related_instance_is_one_problem_among_others() -> None:
    with pytest.raises(orm.ValidationError) as caught:
        Required(low=1, hall=Hall(name="x", seats=2)).validate()
    assert [(problem["loc"], problem["type"]) for problem in caught.value.errors()] == [
        (("hall",), "unsaved"),
        (("high",), "missing"),
    ]
    with pytest.raises(orm.ValidationError, match=r"hall: <Hall \(new\).*> has no key yet\. Save it first"):
        Required(low=1, high=2, hall=Hall(name="x", seats=2)).validate()


async def test_clean_sees_values_as_the_fields_have_them(halls: Database) -> None:
    concert = await Concert.objects.create(title="x", starts=1, ends=2, size="l")
    assert concert.size is Size.LARGE


async def test_what_clean_sets_is_checked() -> None:
    class Note(orm.Model):
        text = orm.String(max_length=3, default="")

        class Meta:
            registry = orm.Registry()

        def clean(self) -> None:
            self.text = "much too long"

    with pytest.raises(orm.ValidationError, match="at most 3 characters"):
        Note().validate()


async def test_clean_does_not_run_on_loading_nor_for_a_query_set(halls: Database) -> None:
    concert = await Concert.objects.create(title="x", starts=1, ends=2)
    assert await Concert.objects.filter(id=concert.id).update(ends=0) == 1
    loaded = await Concert.objects.get()
    assert loaded.ends == 0
    with pytest.raises(orm.ValidationError, match="before it starts"):
        loaded.validate()


async def test_an_error_of_clean_itself_is_not_hidden() -> None:
    class Note(orm.Model):
        text = orm.Text(default="")

        class Meta:
            registry = orm.Registry()

        def clean(self) -> None:
            raise LookupError("a bug")

    class Typo(orm.Model):
        text = orm.Text(default="")

        class Meta:
            registry = orm.Registry()

        def clean(self) -> None:
            raise orm.ValidationError({"txt": "no"})

    with pytest.raises(LookupError, match="a bug"):
        Note().validate()
    with pytest.raises(orm.FieldError, match=r"Typo has no field 'txt'\. Choose from: id, text\."):
        Typo().validate()


async def test_clean_of_an_abstract_base_and_of_a_mixin_run() -> None:
    class Refusing:
        def clean(self) -> None:
            raise ValueError("refused by the mixin")

    class Abstract(orm.Model):
        class Meta:
            abstract = True
            registry = orm.Registry()

        def clean(self) -> None:
            raise ValueError("refused by the base")

    class Note(Abstract):
        text = orm.Text(default="")

    class Mixed(Refusing, Abstract):
        text = orm.Text(default="")

    with pytest.raises(orm.ValidationError, match="refused by the base"):
        Note().validate()
    with pytest.raises(orm.ValidationError, match="refused by the mixin"):
        Mixed().validate()


def test_clean_is_no_coroutine() -> None:
    with pytest.raises(orm.FieldError, match=r"Note\.clean\(\) is a coroutine\. .* talks to no database"):

        class Note(orm.Model):
            text = orm.Text()

            class Meta:
                registry = orm.Registry()

            async def clean(self) -> None: ...  # type: ignore[override]


def test_clean_and_validate_are_no_names_of_fields() -> None:
    for name in ("clean", "validate"):
        with pytest.raises(orm.FieldError, match=f"column='{name}'"):
            type(orm.Model)("Note", (Base,), {name: orm.Text(), "Meta": type("Meta", (), {"registry": orm.Registry()})})


# ---------------------------------------------------------------- validate()


async def test_validate_asks_no_database() -> None:
    Concert(title="x", starts=1, ends=2).validate()  # there is none
    with pytest.raises(orm.InterfaceError):
        await Concert(title="x", starts=1, ends=2).save()


async def test_validate_looks_at_what_is_loaded_of_a_stored_instance(recorder: Recorder) -> None:
    hall = await Hall.objects.create(name="x", seats=2)
    sparse = await Hall.objects.only("name").get()
    recorder.clear()
    sparse.validate()
    Hall.reference(hall.id).validate()
    sparse.name = "much too long a name"
    with pytest.raises(orm.ValidationError, match="at most 10 characters"):
        sparse.validate()
    hall.seats = 3
    hall.name = None  # type: ignore[assignment]
    with pytest.raises(orm.ValidationError) as caught:
        hall.validate()
    assert [problem["loc"] for problem in caught.value.errors()] == [("name",), ("seats",)]
    assert recorder.count == 0


async def test_an_expression_is_no_value_to_check(halls: Database) -> None:
    hall = await Hall.objects.create(name="x", seats=2)
    hall.seats = orm.F("seats") + 2  # type: ignore[assignment]
    hall.validate()
    await hall.save()
    assert hall.seats == 4
    hall.seats = orm.F("seats") + 2  # type: ignore[assignment]
    with pytest.raises(orm.FieldError, match=r"Hall\.seats is an expression\. Use Hall\.objects\.filter"):
        await Hall.objects.bulk_update([hall], ["seats"])


async def test_saving_a_field_that_is_not_loaded_is_refused(halls: Database) -> None:
    await Hall.objects.create(name="x", seats=2, boxes=4)
    hall = await Hall.objects.only("name").get()
    with pytest.raises(orm.NotLoaded, match=r"Hall\.boxes is not loaded"):
        await hall.save(fields=["boxes"])
    assert await Hall.objects.values_list("boxes", flat=True) == [4]


# ---------------------------------------------------------------- what it costs


class Four(Base):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=100)
    price: orm.Field[Decimal] = orm.Decimal(max_digits=10, decimal_places=2)
    moment: orm.Field[datetime.datetime] = orm.DateTime()


def test_one_compiled_validator_is_made_on_first_use() -> None:
    registry = orm.Registry()

    class Note(orm.Model):
        text = orm.Text()

        class Meta:
            pass

        Meta.registry = registry  # type: ignore[attr-defined]

    assert "validator" not in Note.__schema__.derived
    Note(text="x").validate()
    assert validator(Note.__schema__) is validator(Note.__schema__)
    assert not Note.__schema__.cleans
    assert Concert.__schema__.cleans


def test_validation_of_four_fields_takes_microseconds() -> None:
    row = {"id": None, "title": "Powerage", "price": Decimal("9.90"), "moment": datetime.datetime.now(datetime.UTC)}
    check = validator(Four.__schema__).whole
    best = min(timeit.repeat(lambda: check(row), number=1000, repeat=20)) / 1000
    assert best < 30e-6, "it takes less than 1 µs; a slow machine has a reserve of thirty"
