"""Fields of types of the user's own, made by functions of a few lines, on every database."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import AsyncIterator
from typing import Any, Self

import pydantic
import pytest
import pytest_asyncio
import sqlalchemy as sa
from pydantic_core import core_schema
from sqlalchemy.types import UserDefinedType
from typing_extensions import Unpack

import orm
from orm.custom import CustomOptions
from orm.database.dialects import dialect_named
from orm.fields import Options
from tests.databases import created

models = orm.Registry()


@dataclasses.dataclass(frozen=True)
class Color:
    red: int
    green: int
    blue: int

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(*bytes.fromhex(text.removeprefix("#")))


@dataclasses.dataclass(frozen=True, order=True)
class Money:
    cents: int


class Settings(pydantic.BaseModel):
    theme: str = "light"
    sizes: list[int] = []


def color_field(**options: Unpack[Options[Color]]) -> orm.Field[Color]:
    """A color, kept as `#rrggbb`."""
    return orm.custom_field(
        Color,
        orm.String(max_length=7),
        to_database=str,
        from_database=Color.parse,
        **options,  # type: ignore[misc]
    )


def money_field(**options: Any) -> orm.Field[Money]:
    """An amount of money, kept in cents, that is not below nothing."""

    def check(value: Any) -> Money:
        if not isinstance(value, Money) or value.cents < 0:
            raise ValueError("an amount of money is wanted")
        return value

    return orm.custom_field(
        Money,
        orm.BigInteger(),
        to_database=lambda money: money.cents,
        from_database=Money,
        validate=check,
        json_schema={"description": "cents", "minimum": 0},
        **options,
    )


def settings_field(**options: Any) -> orm.Field[Settings]:
    """A pydantic model, kept as JSON."""
    return orm.custom_field(
        Settings,
        orm.JSON(),
        to_database=Settings.model_dump,
        from_database=Settings.model_validate,
        validate=core_schema.is_instance_schema(Settings),
        mutable=True,
        **options,
    )


class Paint(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20, default="")
    color: orm.Field[Color] = color_field(default=Color(0, 0, 0))
    other: orm.Field[Color | None] = color_field(null=True, index=True)  # type: ignore[call-arg, assignment]
    price: orm.Field[Money] = money_field(default=Money(0))
    settings: orm.Field[Settings] = settings_field(default=Settings)
    code: orm.Field[str | None] = orm.custom_field(str, sa.String(5), null=True, default=None, comment="short")

    class Meta:
        registry = models
        constraints = [orm.CheckConstraint(~orm.Q(color=Color(6, 6, 6)), name="no_six")]


class Shade(orm.Model):
    color: orm.Field[Color] = color_field(primary_key=True)

    class Meta:
        registry = models


class Wall(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    shade: orm.Related[Shade] = orm.ForeignKey("Shade", on_delete=orm.CASCADE)

    class Meta:
        registry = models


@pytest_asyncio.fixture
async def paints(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(models, database):
        yield database


RED, GREEN = Color(255, 0, 0), Color(0, 128, 0)


async def test_values_come_back_equal_and_are_found(paints: orm.Database) -> None:
    made = await Paint.objects.create(color=RED, other=GREEN, price=Money(2**40), settings=Settings(sizes=[1, 2]))
    await Paint.objects.create()
    found = await Paint.objects.get(id=made.id)
    assert (found.color, found.other, found.price, found.settings) == (RED, GREEN, Money(2**40), Settings(sizes=[1, 2]))
    for words in ({"color": RED}, {"other": GREEN}, {"price": Money(2**40)}, {"settings": Settings(sizes=[1, 2])}):
        assert await Paint.objects.filter(**words) == [made]
        assert await Paint.objects.filter(**{f"{name}__in": [value] for name, value in words.items()}) == [made]
    assert await Paint.objects.values("color", "other").get(id=made.id) == {"color": RED, "other": GREEN}
    assert await Paint.objects.filter(other=None).count() == 1
    assert (await Paint.objects.get(id=made.id + 1)).color == Color(0, 0, 0)
    assert await paints.fetch_val("SELECT color FROM paint WHERE price > 0") == "#ff0000"


async def test_lookups_and_orders_are_those_of_the_column(paints: orm.Database) -> None:
    red = await Paint.objects.create(color=RED, price=Money(5))
    green = await Paint.objects.create(color=GREEN, price=Money(7))
    assert await Paint.objects.filter(color__startswith="#ff") == [red]
    assert await Paint.objects.filter(price__gt=Money(5)) == [green]
    assert await Paint.objects.filter(price__range=(Money(1), Money(6))) == [red]
    assert await Paint.objects.order_by("-price") == [green, red]
    assert await Paint.objects.filter(color=orm.F("other")).count() == 0
    assert await Paint.objects.filter(color=orm.Value(RED, output_field=color_field())) == [red]
    assert await Paint.objects.aggregate(most=orm.Max("price")) == {"most": Money(7)}
    assert (
        await Paint.objects.annotate(upper=orm.functions.Upper("color")).values_list("upper", flat=True).get(id=red.id)
        == "#FF0000"
    )
    assert await Paint.objects.values("color").annotate(number=orm.Count("id")).order_by("color") == [
        {"color": GREEN, "number": 1},
        {"color": RED, "number": 1},
    ]
    listed = await Paint.objects.aggregate(all=orm.JSONAgg("color", order_by="color"))
    assert listed == {"all": [GREEN, RED]}
    page = await Paint.objects.order_by("color").cursor_paginate(per_page=1)
    assert page.items == [green]
    assert (await Paint.objects.order_by("color").cursor_paginate(after=page.next_cursor, per_page=1)).items == [red]


async def test_values_are_updated_alone_and_in_bulk(paints: orm.Database) -> None:
    made = await Paint.objects.bulk_create([Paint(color=RED, price=Money(number)) for number in range(300)])
    for paint in made:
        paint.color, paint.other = GREEN, RED
    await Paint.objects.bulk_update(made, ["color", "other"])
    assert await Paint.objects.filter(color=GREEN, other=RED).count() == 300
    assert await Paint.objects.filter(price=Money(3)).update(color=RED, other=None) == 1
    assert await Paint.objects.all().update(other=orm.F("color")) == 300
    assert await Paint.objects.filter(other=RED).count() == 1
    again = pickle.loads(pickle.dumps(made[0]))
    await again.update(price=Money(1000))
    assert (await Paint.objects.get(id=again.id)).price == Money(1000)


async def test_a_change_in_place_is_noticed(paints: orm.Database) -> None:
    made = await Paint.objects.create()
    made.settings.theme = "dark"
    await made.save()
    loaded = await Paint.objects.get(id=made.id)
    assert loaded.settings.theme == "dark"
    loaded.settings.sizes.append(4)
    await loaded.save()
    assert (await Paint.objects.get(id=made.id)).settings == Settings(theme="dark", sizes=[4])
    loaded.settings = Settings()
    await loaded.save()
    assert (await Paint.objects.get(id=made.id)).settings == Settings()


async def test_one_can_be_a_key(paints: orm.Database) -> None:
    shade = await Shade.objects.create(color=RED)
    wall = await Wall.objects.create(shade=shade)
    found = await Wall.objects.select_related("shade").get(shade__color=RED)
    assert (found, found.shade.color) == (wall, RED)
    assert await Wall.objects.filter(shade=RED) == [wall]
    with pytest.raises(orm.UniqueViolation):
        await Shade.objects.create(color=RED)


async def test_what_does_not_fit_is_refused(paints: orm.Database) -> None:
    wrong: list[tuple[str, Any, str]] = [
        ("color", "#ff0000", "Input should be an instance of Color"),
        ("color", Color(1000, 0, 0), "the column does not hold it: String should have at most 7 characters"),
        ("price", Money(-1), "an amount of money is wanted"),
        ("price", Money(2**70), "the column does not hold it"),
        ("color", None, "color"),
    ]
    for name, value, message in wrong:
        with pytest.raises(orm.ValidationError, match=message):
            await Paint.objects.create(**{name: value})
        if value is not None:
            with pytest.raises(orm.ValidationError):
                Paint.objects.filter(**{name: value})
    with pytest.raises(orm.CheckViolation):
        await Paint.objects.create(color=Color(6, 6, 6))


async def test_arrays_of_them(postgresql_url: str) -> None:
    async with orm.Database(postgresql_url) as database:
        registry = orm.Registry(database)
        meta = type("Meta", (), {"registry": registry})
        colors = orm.Array(color_field(), default=list)
        model: Any = type("Palette", (orm.Model,), {"colors": colors, "Meta": meta})
        await registry.create_all()
        made = await model.objects.create(colors=[RED, GREEN])
        await model.objects.bulk_create([model(colors=[GREEN]) for _ in range(700)])
        assert (await model.objects.get(colors__contains=[RED])).colors == [RED, GREEN]
        assert await model.objects.filter(colors__0=RED) == [made]
        await registry.drop_all()


# ---------------------------------------------------------------- a type of an extension


class VectorType(UserDefinedType[list[float]]):
    """pgvector's column type."""

    cache_ok = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def get_col_spec(self, **options: Any) -> str:
        return f"vector({self.dimensions})"


def vector_field(dimensions: int, **options: Unpack[CustomOptions[list[float]]]) -> orm.Field[list[float]]:
    """A vector of so many numbers."""
    return orm.custom_field(  # type: ignore[misc]
        list,
        VectorType(dimensions),
        to_database=lambda vector: "[" + ",".join(map(repr, vector)) + "]",
        from_database=lambda text: [float(number) for number in text[1:-1].split(",")],
        validate=core_schema.list_schema(
            core_schema.float_schema(), min_length=dimensions, max_length=dimensions, strict=True
        ),
        kind="vector",
        **options,
    )


class L2Distance(orm.Function[float]):
    """How far a vector is from another one."""

    def __init__(self, column: Any, vector: list[float]) -> None:
        super().__init__(column, orm.Value(vector, output_field=vector_field(len(vector))))

    @property
    def output(self) -> Any:
        return orm.Float().spec("")

    def build(self, dialect: Any, operands: tuple[Any, ...]) -> Any:
        return operands[0].op("<->", return_type=sa.Double())(operands[1])


vectors = orm.Registry()


class Item(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    embedding: orm.Field[list[float]] = vector_field(3)

    class Meta:
        registry = vectors


def test_the_sql_of_an_extensions_type() -> None:
    dialect = dialect_named("postgresql")
    assert "embedding vector(3) NOT NULL" in str(sa.schema.CreateTable(Item.table).compile(dialect=dialect))
    near = Item.objects.order_by(L2Distance("embedding", [1.0, 2.0, 3.0])).limit(5)
    assert "ORDER BY (item.embedding <-> $1)" in near.sql("postgresql")
    assert "item.embedding = " in Item.objects.filter(embedding=[1.0, 2.0, 3.0]).sql("postgresql")
    with pytest.raises(orm.ValidationError, match="embedding"):
        Item.objects.filter(embedding=[1.0])
    with pytest.raises(orm.FieldError, match=r"\(vector\) has no lookup 'gt'. Choose from: exact, in, isnull"):
        Item.objects.filter(embedding__gt=[1.0, 2.0, 3.0])


def point_field(**options: Any) -> orm.Field[tuple[float, float]]:
    """A point of PostgreSQL's own, which compares with `~=` only."""
    return orm.custom_field(
        tuple,
        postgresql_point(),
        to_database=tuple,
        from_database=tuple,
        kind="point",
        **options,
    )


def postgresql_point() -> sa.types.TypeEngine[Any]:
    class PointType(UserDefinedType[Any]):
        cache_ok = True

        def get_col_spec(self, **options: Any) -> str:
            return "point"

    return PointType()


class PointDistance(orm.Function[float]):
    """How far a point is from another one."""

    @property
    def output(self) -> Any:
        return orm.Float().spec("")

    def build(self, dialect: Any, operands: tuple[Any, ...]) -> Any:
        return operands[0].op("<->", return_type=sa.Double())(operands[1])


async def test_a_type_that_the_driver_knows_and_operators_of_its_own(
    postgresql_url: str, registered_words: None
) -> None:
    async with orm.Database(postgresql_url) as database:
        registry = orm.Registry(database)
        meta = type("Meta", (), {"registry": registry})
        model: Any = type("Place", (orm.Model,), {"at": point_field(), "Meta": meta})

        @orm.lookup("same", kinds={"point"})
        def same(dialect: Any, left: Any, other: Any) -> Any:
            return left.bool_op("~=")(other)

        await registry.create_all()
        near, far = await model.objects.bulk_create([model(at=(1.0, 1.0)), model(at=(5.0, 5.0))])
        assert (await model.objects.get(id=near.id)).at == (1.0, 1.0)
        assert await model.objects.filter(at__same=(5.0, 5.0)) == [far]
        here = orm.Value((4.0, 4.0), output_field=point_field())
        assert await model.objects.order_by(PointDistance("at", here)) == [far, near]
        await registry.drop_all()


# ---------------------------------------------------------------- what contradicts itself

CONTRADICTIONS: list[tuple[Any, Any, dict[str, Any], str]] = [
    ("Color", orm.Text(), {}, "custom_field takes the type of the values first"),
    (Color, str, {}, "custom_field(Color) takes a field, such as orm.String(max_length=7), or a column type"),
    (Color, sa.Text, {}, "takes a field"),
    (Color, orm.Text(null=True), {}, "belong to the outer field"),
    (Color, orm.Version(), {}, "belong to the outer field"),
    (Color, orm.Text(), {"to_database": str}, "from_database is missing. Give both ways"),
    (Color, orm.Text(), {"from_database": Color.parse}, "to_database is missing"),
    (Color, orm.Text(), {"to_database": "str", "from_database": str}, "to_database is a function of a value"),
    (Color, orm.Text(), {"validate": 3}, "validate is a function of a value or a core schema"),
    (Color, orm.Text(), {"kind": "array"}, "kind='array' has a column type of its own"),
    (Color, orm.Text(), {"kind": "a kind"}, "A kind of value has a name"),
    (Color, orm.Text(), {"mutable": 1}, "mutable is True or False"),
    (Color, orm.Text(), {"max_length": 3}, "custom_field(Color) has no option 'max_length'"),
    (Color, orm.Text(), {"null": True, "primary_key": True}, "a primary key cannot be null"),
    (dict, orm.JSON(), {"default": {}}, "Give a function that makes one"),
]


@pytest.mark.parametrize(("python", "column", "options", "message"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(python: Any, column: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError) as caught:
        orm.custom_field(python, column, **options)
    assert message in str(caught.value)
