"""Options that cannot be, or that contradict each other, are refused where they are written, each with its sentence."""

from __future__ import annotations

import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

import orm


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: orm.Integer(null="yes"), "Integer: null is True or False, not 'yes'"),
        (lambda: orm.Integer(unique=1), "Integer: unique is True or False, not 1"),
        (lambda: orm.Integer(primary_key=None), "Integer: primary_key is True or False, not None"),
        (lambda: orm.Integer(index="name"), "Integer: index is True or False, not 'name'"),
        (lambda: orm.Integer(column=3), "Integer: column is a text, not 3"),
        (lambda: orm.Integer(column=""), "Integer: column is a text, not ''"),
        (lambda: orm.Integer(comment=3), "Integer: comment is a text, not 3"),
        (lambda: orm.ForeignKey("T", null="yes"), "ForeignKey: null is True or False, not 'yes'"),
        (lambda: orm.ForeignKey("T", constraint=0), "ForeignKey: constraint is True or False, not 0"),
        (lambda: orm.OneToOne("T", column=3), "OneToOne: column is a text, not 3"),
        (lambda: orm.ForeignKey("T", to_field=3), "ForeignKey: to_field is a text, not 3"),
        (lambda: orm.ForeignKey("T", related_name=""), "ForeignKey: related_name is a text, not ''"),
        (lambda: orm.ManyToMany("T", related_name=3), "ManyToMany: related_name is a text, not 3"),
        (lambda: orm.ManyToMany("T", symmetrical=1), "ManyToMany: symmetrical is True or False, not 1"),
        (lambda: orm.ManyToMany("T", init=True), "ManyToMany: init is for type checkers and is always False"),
        (lambda: orm.Reverse("T.a", init=True), "Reverse: init is for type checkers and is always False"),
        (
            lambda: orm.AutoField(default=3),
            "AutoField has no option 'default'. Choose from: column, comment, renamed_from",
        ),
        (lambda: orm.BigAutoField(init=True), "BigAutoField: init is for type checkers and is always False"),
        (lambda: orm.GenericForeignKey("T", index="x"), "GenericForeignKey: index is True or False, not 'x'"),
        (lambda: orm.GenericForeignKey("T", type_column=3), "GenericForeignKey: type_column is a text, not 3"),
        (
            lambda: orm.GenericForeignKey("T", names=["t"]),
            r"GenericForeignKey: names gives models other .*, not \['t'\]",
        ),
        (lambda: orm.Integer(null=True, primary_key=True), "a primary key cannot be null"),
        (lambda: orm.Integer(default=None), "Integer: default=None needs null=True"),
        (lambda: orm.Integer(max_length=3), "Integer has no option 'max_length'"),
        (lambda: orm.String(max_length=3, ge=3), "String has no option 'ge'"),
        (lambda: orm.Integer(ge="3"), "Integer: ge is a number, not '3'"),
        (lambda: orm.Float(lt=True), "Float: lt is a number, not True"),
        (lambda: orm.Integer(ge=5, le=3), "Integer: no value has ge=5 and le=3"),
        (
            lambda: orm.Decimal(max_digits=5, decimal_places=2, gt=3, lt=Decimal(3)),
            "Decimal: no value has gt=3 and lt=",
        ),
        (lambda: orm.Float(gt=3, le=3), "Float: no value has gt=3 and le=3"),
        (lambda: orm.String(max_length=3, min_length=4), "String: no value has min_length=4 and max_length=3"),
        (lambda: orm.Text(min_length=-1), "Text: min_length is a number of characters or items, not -1"),
        (lambda: orm.Text(min_length="1"), "Text: min_length is a number of characters"),
        (lambda: orm.Binary(max_length=1.5), "Binary: max_length is a number of characters"),
        (lambda: orm.Text(pattern="("), r"Text: pattern='\(' is no regular expression: .*unclosed group"),
        (lambda: orm.Text(pattern=3), "Text: pattern=3 is no regular expression"),
        (
            lambda: orm.Integer(default="3"),
            r"The default of a field \(integer\) cannot be '3'. Input should be a valid",
        ),
        (
            lambda: orm.Integer(default=3, ge=5),
            r"The default of a field \(integer\) cannot be 3. .*greater than or equal to",
        ),
        (lambda: orm.String(max_length=2, default="abc"), r"The default .* cannot be 'abc'. .*at most 2 characters"),
        (lambda: orm.DateTime(default=datetime(2024, 1, 1)), r"The default .* should have timezone info"),
        (lambda: orm.Enum(Color, default="green"), "The default .* cannot be 'green'"),
        (lambda: orm.Integer(default=3, choices=[1, 2]), "The default .* cannot be 3. choose from: 1, 2"),
        (lambda: orm.Integer(default=[]), "all instances would share the default"),
        (lambda: orm.Integer(choices=["a"]), r"A choice of a field \(integer\) cannot be 'a'"),
        (lambda: orm.Integer(choices=[]), "choices is an empty list, so no value is possible"),
        (
            lambda: orm.Text(choices="abc"),
            "choices is a list of values, or of pairs of a value and its label, an enumeration, .* not 'abc'",
        ),
        (lambda: orm.Text(choices=3), "choices is a list of values"),
    ],
)
def test_options_that_cannot_be(use: Any, text: str) -> None:
    with pytest.raises(orm.FieldError, match=text):
        use()


def test_options_that_can_be() -> None:
    orm.Integer(ge=3, le=3, default=3)
    orm.Integer(gt=1, lt=10, ge=2)
    orm.Integer(null=True, default=None)
    orm.Integer(choices=((1, "one"), (2, "two")), default=2)
    orm.Integer(choices=range(1, 4), default=3)
    orm.Enum(Color, choices=[Color.RED], default=Color.RED)
    orm.Decimal(max_digits=5, decimal_places=2, default=0, ge=0)
    orm.Date(default=date(2024, 1, 1))
    orm.Date(default=date.today)
    orm.JSON(default="text")
    orm.String(max_length=3, min_length=3, pattern="^[a-z]+$", default="abc")


def test_a_default_is_not_given_to_the_validators_when_the_class_is_made() -> None:
    seen: list[int] = []

    def note(value: int) -> int:
        seen.append(value)
        return value

    orm.Integer(default=3, validators=[note])
    assert seen == []


def declare(**body: Any) -> Any:
    return type(orm.Model)("Thing", (orm.Model,), body)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"verbose_name": "x"}, "Thing.Meta has no option 'verbose_name'. Choose from: registry, tablename"),
        ({"registry": "models"}, "Thing.Meta.registry is an orm.Registry, not 'models'"),
        ({"tablename": 3}, "Thing.Meta.tablename is a text, not 3"),
        ({"tablename": ""}, "Thing.Meta.tablename is a text, not ''"),
        ({"schema": 3}, "Thing.Meta.schema is a text, not 3"),
        ({"abstract": "no"}, "Thing.Meta.abstract is True or False, not 'no'"),
        ({"ordering": "text"}, "Thing.Meta.ordering is a list, not 'text'"),
        ({"ordering": ["txt"]}, "Thing.Meta.ordering: Thing has no field 'txt'. Choose from: id, text"),
        ({"indexes": [orm.Index("txt", name="x")]}, "Thing has no field 'txt'. Choose from: id, text"),
        ({"indexes": ["text"]}, "Thing.Meta.indexes has orm.Index objects, not 'text'"),
        ({"constraints": [3]}, "orm.CheckConstraint and orm.postgresql.ExclusionConstraint objects, not 3"),
        ({"constraints": [orm.UniqueConstraint("txt")]}, "Thing has no field 'txt'"),
        ({"constraints": [orm.CheckConstraint(orm.Q(txt=1), name="x")]}, "Thing.* has no field 'txt'"),
    ],
)
def test_options_of_meta_that_cannot_be(options: dict[str, Any], text: str) -> None:
    registry = orm.Registry()
    with pytest.raises(orm.FieldError, match=text):
        declare(text=orm.Text(), Meta=type("Meta", (), {"registry": registry, **options}))
    assert registry.schemas == {}, "a model that was refused is not in the registry"


def test_meta_is_a_class() -> None:
    with pytest.raises(orm.FieldError, match="Meta is a class, not 3"):
        declare(Meta=3)


def test_bases_make_no_cycle() -> None:
    class First(orm.Model):
        class Meta:
            abstract = True

    class Second(First):
        class Meta:
            abstract = True

    with pytest.raises(TypeError, match="cycle"):
        First.__bases__ = (Second,)
    with pytest.raises(orm.FieldError, match="cannot inherit from First, Second in this order"):
        type(orm.Model)("Third", (First, Second), {"Meta": type("Meta", (), {"abstract": True})})
