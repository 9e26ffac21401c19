"""Fields that the database computes: written by nobody, read back after every write, and found like others."""

from __future__ import annotations

import datetime
import pickle
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
import sqlalchemy as sa

import orm
from orm import F, Q
from orm.functions import Abs, Concat, Length, Trim
from tests.databases import created

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Order(Base):
    id: orm.Field[int] = orm.BigAutoField()
    lines: orm.RelatedSet[Line] = orm.Reverse("Line.order")


class Priced(Base):
    price: orm.Field[Decimal] = orm.Decimal(max_digits=8, decimal_places=2)
    number: orm.Field[int] = orm.Integer(default=1)
    total: orm.Field[Decimal] = orm.Generated(
        F("price") * F("number"), output_field=orm.Decimal(max_digits=12, decimal_places=2)
    )

    class Meta(Base.Meta):
        abstract = True


class Line(Priced):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=40, default="")
    note: orm.Field[str | None] = orm.String(max_length=40, null=True, default=None)
    order: orm.Related[Order | None] = orm.ForeignKey("Order", null=True, default=None, on_delete=orm.CASCADE)
    long: orm.Field[bool] = orm.Generated(Q(number__gt=10) | Q(name="it's 50% \\ long"), output_field=orm.Boolean())
    length: orm.Field[int | None] = orm.Generated(Length("note"), output_field=orm.Integer(null=True), index=True)
    half: orm.Field[float] = orm.Generated(F("number") * 0.5, output_field=orm.Float())
    doubled: orm.Field[int] = orm.Generated(
        sa.text("number * 2"), output_field=orm.Integer(), column="twice", comment="twice the number"
    )
    key: orm.Field[str] = orm.Generated(Trim("name"), output_field=orm.String(max_length=40))
    touched: orm.Field[datetime.datetime] = orm.DateTime(auto_now="database")


virtual = orm.Registry()


class Virtual(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    number: orm.Field[int] = orm.Integer()
    distance: orm.Field[int] = orm.Generated(Abs(F("number") - 10), output_field=orm.Integer(), stored=False)

    class Meta:
        registry = virtual


@pytest_asyncio.fixture
async def lines(database: orm.Database) -> AsyncIterator[orm.Database]:
    async with created(models, database):
        yield database


async def _line(**values: Any) -> Line:
    return await Line.objects.create(**{"price": Decimal("2.50"), **values})


async def _check(line: Line, total: str, long: bool, length: int | None) -> None:
    """The instance knows what its row has."""
    for seen in (line, await Line.objects.get(id=line.id)):
        assert (seen.total, seen.long, seen.length, seen.doubled) == (Decimal(total), long, length, seen.number * 2)
        assert isinstance(seen.total, Decimal)
        assert isinstance(seen.long, bool)
        assert (seen.half, type(seen.half)) == (seen.number / 2, float)
        assert seen.key == seen.name.strip()


async def test_it_is_known_after_an_insert(lines: orm.Database) -> None:
    line = Line(price=Decimal(2), number=3, name=" a ")
    assert not hasattr(line, "total")
    await line.save()
    await _check(line, "6.00", False, None)
    await _check(await _line(name="it's 50% \\ long", note="äöü"), "2.50", True, 3)
    many = await Line.objects.bulk_create([Line(price=Decimal(number), number=number) for number in range(300)])
    await _check(many[20], "400.00", True, None)


async def test_it_is_known_after_every_update_of_an_instance(lines: orm.Database) -> None:
    line = await _line()
    line.number, line.note = 4, "four"
    await line.save()
    await _check(line, "10.00", False, 4)
    line.number = F("number") + 8  # type: ignore[assignment]
    await line.save()
    await _check(line, "30.00", True, 4)
    await line.update(note=None)
    await _check(line, "30.00", True, None)
    line.number = 1
    await Line.objects.bulk_update([line], ["number"])
    await _check(line, "2.50", False, None)
    await Line.objects.filter(id=line.id).update(number=2)
    await line.load("total", "number", "doubled", "half")
    await _check(line, "5.00", False, None)
    line, created = await Line.objects.update_or_create({"number": 20}, id=line.id)
    assert not created
    await _check(line, "50.00", True, None)


async def test_it_is_known_after_an_upsert(lines: orm.Database) -> None:
    first = await _line(number=2)
    (again,) = await Line.objects.bulk_create(
        [Line(id=first.id, price=Decimal(3), number=5)],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["number"],
    )
    await _check(again, "12.50", False, None)


async def test_it_is_found_sorted_and_joined_like_other_fields(lines: orm.Database) -> None:
    order = await Order.objects.create()
    cheap, dear = await _line(order=order), await _line(number=20, note="abc", order=order)
    assert await Line.objects.filter(total__gt=10) == [dear]
    assert await Line.objects.filter(Line.long == True) == [dear]  # noqa: E712
    assert await Line.objects.filter(length=None) == [cheap]
    assert await Line.objects.order_by("-total") == [dear, cheap]
    assert await Line.objects.values("total", "doubled").get(id=dear.id) == {"total": Decimal(50), "doubled": 40}
    assert await Line.objects.aggregate(all=orm.Sum("total")) == {"all": Decimal("52.50")}
    assert await Order.objects.filter(lines__total=50) == [order]
    (found,) = await Order.objects.prefetch_related("lines")
    assert {line.total for line in found.lines} == {Decimal(50), Decimal("2.50")}
    assert await Line.objects.filter(total=F("price")) == [cheap]
    assert (await Line.objects.only("total").get(id=dear.id)).total == 50


async def test_nobody_sets_it(lines: orm.Database) -> None:
    line = await _line()
    refusals: list[Callable[[], Any]] = [
        lambda: Line(price=Decimal(1), total=Decimal(2)),
        lambda: setattr(line, "total", Decimal(2)),
    ]
    for refused in refusals:
        with pytest.raises(orm.FieldError, match=r"Line.total is generated: the database computes it, and nobody sets"):
            refused()
    with pytest.raises(orm.FieldError, match="total is generated"):
        await Line.objects.create(price=Decimal(1), total=Decimal(2))
    with pytest.raises(orm.FieldError, match="total is generated"):
        await line.update(total=Decimal(2))
    with pytest.raises(orm.FieldError, match="total is generated"):
        await line.save(fields=["total"])
    with pytest.raises(orm.FieldError, match="total is generated"):
        await Line.objects.all().update(total=F("price"))
    with pytest.raises(orm.FieldError, match="total is generated"):
        await Line.objects.bulk_update([line], ["total"])
    with pytest.raises(orm.FieldError, match="total is generated"):
        await Line.objects.update_or_create({"total": 1}, id=line.id)
    with pytest.raises(orm.FieldError, match="total is generated"):
        await Line.objects.bulk_create([line], update_conflicts=True, unique_fields=["id"], update_fields=["total"])
    await _check(await Line.objects.get(id=line.id), "2.50", False, None)


async def test_a_deleted_instance_can_be_saved_again(lines: orm.Database) -> None:
    line = pickle.loads(pickle.dumps(await _line(number=2)))
    assert line.total == 5
    await line.delete()
    line.number = 3
    await line.save()
    await _check(line, "7.50", False, None)


async def test_a_unique_one_refuses_a_second_row(lines: orm.Database) -> None:
    registry = orm.Registry(lines)
    meta = type("Meta", (), {"registry": registry})
    folded = orm.Generated(orm.functions.Abs("number"), output_field=orm.Integer(), unique=True)
    model: Any = type("Mirror", (orm.Model,), {"number": orm.Integer(), "size": folded, "Meta": meta})
    await registry.create_all()
    await model.objects.create(number=3)
    with pytest.raises(orm.UniqueViolation, match=r"Mirror\.size"):
        await model.objects.create(number=-3)
    await model.objects.bulk_create([model(number=-3), model(number=4)], ignore_conflicts=True)
    assert await model.objects.order_by("number").values_list("number", flat=True) == [3, 4]
    with pytest.raises(orm.FieldError, match="size is generated"):
        await model.objects.bulk_create([model(number=3)], ignore_conflicts=True, unique_fields=["size"])
    await registry.drop_all()


async def test_one_that_is_not_stored_is_computed_when_it_is_read(database: orm.Database) -> None:
    if database.dialect.name == "postgresql" and database.dialect.server_version_info < (18,):  # type: ignore[operator]
        with pytest.raises(orm.NotSupportedError, match=r"only since version 18: Virtual.distance needs stored=True"):
            await virtual.create_all(database=database)
        return
    async with created(virtual, database):
        made = await Virtual.objects.create(number=3)
        assert made.distance == 7
        made.number = 15
        await made.save()
        assert made.distance == 5
        assert await Virtual.objects.get(distance=5) == made


async def test_one_of_another(database: orm.Database) -> None:
    registry = orm.Registry(database)
    meta = type("Meta", (), {"registry": registry})
    double = orm.Generated(F("number") * 2, output_field=orm.Integer())
    more = orm.Generated(F("double") + 1, output_field=orm.Integer())
    model: Any = type("Chained", (orm.Model,), {"number": orm.Integer(), "double": double, "more": more, "Meta": meta})
    if database.dialect.name == "postgresql":
        with pytest.raises(orm.NotSupportedError, match=r"Chained.more of double. Write its expression in the place"):
            await registry.create_all()
        return
    await registry.create_all()
    assert (await model.objects.create(number=3)).more == 7
    await registry.drop_all()


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"expression": "price"}, "Generated takes an expression"),
    ({"expression": F("a"), "output_field": int}, "output_field says what it gives"),
    ({"expression": F("a"), "output_field": orm.Integer(default=1)}, "give one without default"),
    ({"expression": F("a"), "output_field": orm.Integer(primary_key=True)}, "give one without primary_key"),
    ({"expression": F("a"), "output_field": orm.BigAutoField()}, "give one"),
    ({"expression": F("a"), "output_field": orm.Version()}, "give one"),
    ({"expression": F("a"), "output_field": orm.DateTime(auto_now=True)}, "give one of plain values"),
    ({"expression": F("a"), "stored": "yes"}, "stored is True or False"),
    ({"expression": F("a"), "init": True}, "init is for type checkers"),
    ({"expression": F("a"), "unique": "yes"}, "Generated: unique is True or False"),
    ({"expression": F("a"), "column": 3}, "Generated: column is a text"),
    ({"expression": F("a"), "null": True}, "Generated has no option 'null'. Choose from: column, comment, index"),
    ({"expression": F("a"), "primary_key": True}, "Generated has no option 'primary_key'"),
]


@pytest.mark.parametrize(("options", "message"), CONTRADICTIONS)
def test_what_contradicts_itself_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(orm.FieldError) as caught:
        orm.Generated(options.pop("expression"), **{"output_field": orm.Integer(), **options})
    assert message in str(caught.value)


EXPRESSIONS: list[tuple[Any, Any, str]] = [
    (F("nothing"), orm.Integer(), "has no field 'nothing'"),
    (F("number"), orm.Text(), "cannot be generated from F('number') (integer)"),
    (Q(number=1), orm.Text(), "(text) cannot be generated from"),
    (F("value") + 1, orm.Integer(), "Wrong.value is generated from itself"),
    (
        orm.Count("number"),
        orm.Integer(),
        "cannot have Count(F('number')) in it, which is an aggregate",
    ),
    (orm.Value(1), orm.Integer(), "names no field"),
    (F("parent__number"), orm.Integer(), "which is a field of a related row"),
    (Concat("number", "number"), orm.Text(), "Concat takes text"),
]


def test_one_beside_a_key_to_a_later_model_is_checked_with_its_table() -> None:
    meta = type("Meta", (), {"registry": orm.Registry()})
    wrong = orm.Generated(F("parent_id"), output_field=orm.Text())
    model: Any = type("Early", (orm.Model,), {"parent": orm.ForeignKey("Late"), "value": wrong, "Meta": meta})
    type("Late", (orm.Model,), {"number": orm.Integer(), "Meta": meta})
    with pytest.raises(orm.FieldError, match=r"Early.value \(text\) cannot be generated from F\('parent_id'\)"):
        _ = model.table


@pytest.mark.parametrize(("expression", "field", "message"), EXPRESSIONS)
def test_what_a_row_cannot_give_is_refused_with_the_class(expression: Any, field: Any, message: str) -> None:
    meta = type("Meta", (), {"registry": orm.Registry()})
    type("Parent", (orm.Model,), {"number": orm.Integer(), "Meta": meta})
    body = {
        "number": orm.Integer(),
        "parent": orm.ForeignKey("Parent"),
        "value": orm.Generated(expression, output_field=field),
        "Meta": meta,
    }
    with pytest.raises((orm.FieldError, orm.ValidationError)) as caught:
        type("Wrong", (orm.Model,), body)
    assert message in str(caught.value)


animals = orm.Registry()


class Animal(orm.Model):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=20)
    length: orm.Field[int] = orm.Generated(Length("name"), output_field=orm.Integer())
    changed: orm.Field[datetime.datetime] = orm.DateTime(auto_now="database")

    class Meta:
        registry = animals


class Dog(Animal):
    age: orm.Field[int] = orm.Integer(default=1)
    double: orm.Field[int] = orm.Generated(F("age") * 2, output_field=orm.Integer())


class Cat(Animal):
    lives: orm.Field[int] = orm.Generated(sa.text("9"), output_field=orm.Integer())


async def test_heirs_have_their_own_and_those_of_their_parents(database: orm.Database) -> None:
    async with created(animals, database):
        long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
        dog = await Dog.objects.create(name="Rex", age=2)
        assert (dog.length, dog.double) == (3, 4)
        await Dog.objects.all().update(changed=long_ago)
        await dog.load()
        dog.age = 5
        await dog.save()
        for seen in (dog, await Dog.objects.get(id=dog.id)):
            assert (seen.length, seen.double, seen.changed > long_ago) == (3, 10, True)
        dog.name, dog.age = "Bello", 6
        await Dog.objects.bulk_update([dog], ["name", "age"])
        assert (dog.length, dog.double) == (5, 12)
        assert await Dog.objects.filter(length=5, double=12).update(age=7) == 1
        assert await Dog.objects.get(double=14) == dog
        cat = await Cat.objects.create(name="Tom")
        assert (cat.length, cat.lives) == (3, 9)
        await cat.update(name="Felix")
        assert (await Cat.objects.get(id=cat.id)).length == cat.length == 5
