"""Functions of text, numbers and choices: on every database what Python computes."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID

import pytest

import orm
from orm import Case, Cast, Coalesce, F, Func, Q, Value, When
from orm.functions import (
    MD5,
    SHA1,
    SHA224,
    SHA256,
    SHA384,
    SHA512,
    Abs,
    ACos,
    ASin,
    ATan,
    ATan2,
    Ceil,
    Chr,
    Collate,
    Concat,
    Cos,
    Cot,
    Degrees,
    Exp,
    Floor,
    Greatest,
    Least,
    Left,
    Length,
    Ln,
    Log,
    Lower,
    LPad,
    LTrim,
    Mod,
    NullIf,
    Ord,
    Pi,
    Power,
    Radians,
    Random,
    Repeat,
    Replace,
    Reverse,
    Right,
    Round,
    RPad,
    RTrim,
    Sign,
    Sin,
    Sqrt,
    StrIndex,
    Substr,
    Tan,
    Trim,
    Upper,
)
from orm.subqueries import Exists, OuterRef, Subquery
from tests.music import Album, Artist, Color, Everything, Level, Tag, Track

TEXTS = ["Straße ÄÖ", "", "  Padded  ", "a😀b", "abcABC", "50%_\\'x", None]
Expected = Sequence[Any]


def _each(compute: Callable[[Any], Any], given: Sequence[Any]) -> list[Any]:
    return [None if value is None else compute(value) for value in given]


async def _compare(cases: Mapping[str, tuple[Any, Expected]]) -> None:
    """Compare the values that expressions have in the rows of `Everything`, and their types, with what is expected."""
    found: dict[str, Any] = {}
    wanted: dict[str, Any] = {}
    for name, (expression, expected) in cases.items():
        got = await Everything.objects.order_by("id").values_list(expression, flat=True)
        found[name] = [(type(value).__name__, value) for value in got]
        wanted[name] = [(type(value).__name__, _near(value)) for value in expected]
    assert found == wanted


def _near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-12) if isinstance(value, float) else value


async def _texts() -> None:
    await Everything.objects.bulk_create([Everything(string=value, text=value) for value in TEXTS])


def _upper(text: str) -> str:
    return "".join([upper if len(upper := letter.upper()) == 1 else letter for letter in text])


def _padded(text: str, length: int, fill: str, *, left: bool) -> str:
    padding = (fill * length)[: max(length - len(text), 0)]
    return (padding + text if left else text + padding)[:length]


def _hex(name: str) -> Callable[[str], str]:
    return lambda text: hashlib.new(name, text.encode()).hexdigest()


async def test_functions_of_text(music: orm.Database) -> None:
    await _texts()

    def each(compute: Callable[[str], Any]) -> list[Any]:
        return _each(compute, TEXTS)

    await _compare(
        {
            "lower": (Lower("text"), each(str.lower)),
            "lower of a column": (Lower(Everything.string), each(str.lower)),
            "upper": (Upper("text"), each(_upper)),
            "length": (Length("text"), each(len)),
            "trim": (Trim("text"), each(lambda text: text.strip(" "))),
            "ltrim": (LTrim("text"), each(lambda text: text.lstrip(" "))),
            "rtrim": (RTrim("text"), each(lambda text: text.rstrip(" "))),
            "reverse": (Reverse("text"), each(lambda text: text[::-1])),
            "left": (Left("text", 3), each(lambda text: text[:3])),
            "left none": (Left("text", 0), each(lambda text: "")),
            "right": (Right("text", 3), each(lambda text: text[-3:])),
            "right none": (Right("text", 0), each(lambda text: "")),
            "right all": (Right("text", 100), each(str)),
            "right computed": (Right("text", Length("text") - 8), each(lambda text: text[8:])),
            "left computed": (Left("text", StrIndex("text", Value("A")) - 1), each(_before_a)),
            "substr": (Substr("text", 2), each(lambda text: text[1:])),
            "substr of a length": (Substr("text", 2, 3), each(lambda text: text[1:4])),
            "substr of none": (Substr("text", 2, 0), each(lambda text: "")),
            "substr computed": (
                Substr("text", Length("text") - 5, 2),
                each(lambda text: text[max(len(text) - 6, 0) :][:2]),
            ),
            "replace": (Replace("text", Value("a"), Value("__")), each(lambda text: text.replace("a", "__"))),
            "replace emoji": (Replace("text", Value("😀"), Value("ß")), each(lambda text: text.replace("😀", "ß"))),
            "remove": (Replace("text", Value(" ")), each(lambda text: text.replace(" ", ""))),
            "repeat": (Repeat("text", 2), each(lambda text: text * 2)),
            "repeat none": (Repeat("text", 0), each(lambda text: "")),
            "repeat computed": (Repeat("text", Length("text") - 8), each(lambda text: text * (len(text) - 8))),
            "lpad": (LPad("text", 5, Value("xyß")), each(lambda text: _padded(text, 5, "xyß", left=True))),
            "rpad": (RPad("text", 5, Value("xyß")), each(lambda text: _padded(text, 5, "xyß", left=False))),
            "lpad spaces": (LPad("text", 12), each(lambda text: text.rjust(12))),
            "rpad spaces": (RPad("text", 12), each(lambda text: text.ljust(12))),
            "strindex": (StrIndex("text", Value("A")), each(lambda text: text.find("A") + 1)),
            "strindex emoji": (StrIndex("text", Value("😀")), each(lambda text: text.find("😀") + 1)),
            "strindex empty": (StrIndex("text", Value("")), each(lambda text: 1)),
            "ord": (Ord("text"), each(lambda text: ord(text[0]) if text else 0)),
            "ord emoji": (Ord(Substr("text", 2)), each(lambda text: ord(text[1]) if len(text) > 1 else 0)),
            "concat": (Concat("text", Value("-"), "string"), [f"{text or ''}-{text or ''}" for text in TEXTS]),
            "concat casts": (Concat("text", Cast("integer", orm.Text())), [text or "" for text in TEXTS]),
            "md5": (MD5("text"), each(_hex("md5"))),
            "sha224": (SHA224("text"), each(_hex("sha224"))),
            "sha256": (SHA256("text"), each(_hex("sha256"))),
            "sha384": (SHA384("text"), each(_hex("sha384"))),
            "sha512": (SHA512("text"), each(_hex("sha512"))),
        }
    )
    if music.dialect.name == "postgresql":
        with pytest.raises(orm.NotSupportedError, match="PostgreSQL has no SHA1 of its own"):
            await Everything.objects.values_list(SHA1("text"), flat=True)
    else:
        await _compare({"sha1": (SHA1("text"), each(_hex("sha1")))})


def _before_a(text: str) -> str:
    return text[: max(text.find("A"), 0)]


async def test_characters_of_code_points(music: orm.Database) -> None:
    codes = [65, 0xE9, 0x1F600, None]
    await Everything.objects.bulk_create([Everything(integer=code) for code in codes])
    await _compare(
        {"chr": (Chr("integer"), _each(chr, codes)), "back": (Ord(Chr("integer")), codes), "one": (Chr(66), ["B"] * 4)}
    )
    await _compare({"none": (Chr(F("integer") - 65), [None, chr(0xE9 - 65), chr(0x1F600 - 65), None])})


NUMBERS = [2, -7, 0, None, 1]
REALS = [0.5, -2.5, 0.0, None, 1234.5678]
DECIMALS = [Decimal("2.5000"), Decimal("-1.0050"), Decimal("0.0000"), None, Decimal("99.9950")]


async def _numbers() -> None:
    await Everything.objects.bulk_create(
        [
            Everything(integer=number, big=number, small=number, float=real, decimal=decimal)
            for number, real, decimal in zip(NUMBERS, REALS, DECIMALS, strict=True)
        ]
    )


def _or_none(compute: Callable[..., Any]) -> Callable[..., Any]:
    """What Python computes, and `None` where it raises."""

    def computed(*operands: Any) -> Any:
        try:
            return None if None in operands else compute(*operands)
        except (ValueError, OverflowError, ZeroDivisionError):
            return None

    return computed


async def test_functions_of_numbers(music: orm.Database) -> None:
    await _numbers()
    cases: dict[str, tuple[Any, Expected]] = {}
    for function, compute in (
        (ACos, math.acos),
        (ASin, math.asin),
        (ATan, math.atan),
        (Cos, math.cos),
        (Cot, lambda x: 1 / math.tan(x)),
        (Degrees, math.degrees),
        (Exp, math.exp),
        (Ln, math.log),
        (Radians, math.radians),
        (Sin, math.sin),
        (Sqrt, math.sqrt),
        (Tan, math.tan),
    ):
        for field, values in (("integer", NUMBERS), ("float", REALS), ("decimal", DECIMALS)):
            expected = [_or_none(compute)(None if value is None else float(value)) for value in values]
            cases[f"{function.__name__} of {field}"] = (function(field), expected)
    two = list(zip(REALS, NUMBERS, strict=True))
    cases["atan2"] = (ATan2("float", "integer"), [_or_none(math.atan2)(*pair) for pair in two])
    cases["log"] = (Log(10, "float"), [_or_none(lambda x: math.log(x, 10))(value) for value in REALS])
    cases["log to 1"] = (Log(1, "float"), [None] * 5)
    cases["log to a field"] = (Log("integer", 8), [3.0, None, None, None, None])
    cases["power"] = (Power("float", "integer"), [_or_none(math.pow)(*pair) for pair in two])
    cases["root of negatives"] = (Power("float", 0.5), [_or_none(math.pow)(value, 0.5) for value in REALS])
    cases["inverse"] = (Power("integer", -1), [0.5, 1 / -7, None, None, 1.0])
    cases["pi"] = (Pi(), [math.pi] * 5)
    cases["circle"] = (Pi() * F("integer"), _each(lambda x: math.pi * x, NUMBERS))
    cases["small"] = (Exp(F("integer") * 1000), [None, 0.0, 1.0, None, None])
    cases["sign"] = (Sign("integer"), _each(lambda x: (x > 0) - (x < 0), NUMBERS))
    cases["sign of decimals"] = (Sign("decimal"), _each(lambda x: (x > 0) - (x < 0), DECIMALS))
    cases["sign of floats"] = (Sign("float"), _each(lambda x: (x > 0) - (x < 0), REALS))
    await _compare(cases)


async def test_a_power_that_is_greater_than_every_float(music: orm.Database) -> None:
    await _numbers()
    power = Everything.objects.filter(integer=2).values_list(Power("integer", 5000), flat=True)
    if music.dialect.name == "sqlite":
        assert await power == [None]
    else:
        with pytest.raises(orm.DataError):
            await power


async def test_numbers_keep_their_kind(music: orm.Database) -> None:
    await _numbers()

    def rounded(places: str) -> list[Any]:
        return _each(lambda x: x.quantize(Decimal(places), ROUND_HALF_UP), DECIMALS)

    await _compare(
        {
            "abs": (Abs("integer"), _each(abs, NUMBERS)),
            "abs of floats": (Abs("float"), _each(abs, REALS)),
            "abs of decimals": (Abs("decimal"), _each(abs, DECIMALS)),
            "ceil": (Ceil("integer"), NUMBERS),
            "ceil of floats": (Ceil("float"), [1.0, -2.0, 0.0, None, 1235.0]),
            "ceil of decimals": (Ceil("decimal"), _each(Decimal, [3, -1, 0, None, 100])),
            "floor": (Floor("integer"), NUMBERS),
            "floor of floats": (Floor("float"), [0.0, -3.0, 0.0, None, 1234.0]),
            "floor of decimals": (Floor("decimal"), _each(Decimal, [2, -2, 0, None, 99])),
            "round": (Round("integer"), NUMBERS),
            "round to tens": (Round("integer", -1), [0, -10, 0, None, 0]),
            "round floats": (Round("float"), [1.0, -3.0, 0.0, None, 1235.0]),
            "round floats to places": (Round("float", 2), [0.5, -2.5, 0.0, None, 1234.57]),
            "round floats to hundreds": (Round("float", -2), [0.0, 0.0, 0.0, None, 1200.0]),
            "round decimals": (Round("decimal"), rounded("1")),
            "round decimals to places": (Round("decimal", 2), rounded("0.01")),
            "round decimals to more places": (Round("decimal", 6), DECIMALS),
            "round decimals to tens": (Round("decimal", -1), _each(Decimal, [0, 0, 0, None, 100])),
        }
    )


async def test_arithmetic_is_the_same_everywhere(music: orm.Database) -> None:
    rows = [
        (7, 2, 7.5, Decimal("7.50")),
        (-7, 2, -7.5, Decimal("-7.50")),
        (7, -2, 0.3, Decimal("0.30")),
        (1, 3, 1e10, Decimal("1.00")),
        (7, 0, 1.0, Decimal("2.00")),
        (None, 2, None, None),
    ]
    await Everything.objects.bulk_create([Everything(integer=a, small=b, float=c, decimal=d) for a, b, c, d in rows])

    def each(compute: Callable[[Any, Any, Any, Any], Any]) -> list[Any]:
        return [None if row[0] is None else _or_none(compute)(*row) for row in rows]

    await _compare(
        {
            "whole numbers divide to a float": (F("integer") / F("small"), each(lambda a, b, c, d: a / b)),
            "by a value": (F("integer") / 4, each(lambda a, b, c, d: a / 4)),
            "of a sum": ((F("integer") + 1) / (F("small") + 1), each(lambda a, b, c, d: (a + 1) / (b + 1))),
            "times a quotient": (F("integer") * (F("integer") / 4), each(lambda a, b, c, d: a * (a / 4))),
            "a quotient of a quotient": (8 / (F("integer") / 4), each(lambda a, b, c, d: 8 / (a / 4))),
            "remainder": (F("integer") % F("small"), each(lambda a, b, c, d: int(math.fmod(a, b)))),
            "times a remainder": (2 * (F("integer") % 4), each(lambda a, b, c, d: 2 * int(math.fmod(a, 4)))),
            "of floats": (F("float") % F("small"), each(lambda a, b, c, d: math.fmod(c, b))),
            "of a float": (F("float") % 0.25, each(lambda a, b, c, d: math.fmod(c, 0.25))),
            "of decimals": (F("decimal") % Decimal("0.4"), each(lambda a, b, c, d: _fixed(d % Decimal("0.4")))),
            "of a decimal": (F("decimal") % F("small"), each(lambda a, b, c, d: _fixed(d % b) if b else None)),
            "mod": (Mod("integer", "small"), each(lambda a, b, c, d: int(math.fmod(a, b)))),
            "mod of decimals": (Mod("decimal", 2), each(lambda a, b, c, d: _fixed(d % 2))),
            "mod of floats": (Mod("float", 2), each(lambda a, b, c, d: math.fmod(c, 2))),
            "product of decimals": (F("decimal") * F("decimal"), each(lambda a, b, c, d: d * d)),
            "quotient of decimals": (Round(F("decimal") / F("small"), 3), each(_quotient)),
            "decimals and floats": (F("decimal") * F("float"), each(lambda a, b, c, d: float(d) * c)),
        }
    )


def _fixed(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.0001"))


def _quotient(a: int, b: int, c: float, d: Decimal) -> Decimal | None:
    return (d / b).quantize(Decimal("0.001"), ROUND_HALF_UP) if b else None


async def test_quotients_of_decimals_have_fifteen_digits(music: orm.Database) -> None:
    await Everything.objects.create(decimal=Decimal(1), integer=3)
    (found,) = await Everything.objects.values_list(F("decimal") / F("integer"), flat=True)
    assert isinstance(found, Decimal)
    assert abs(found - Decimal(1) / 3) < Decimal("1e-15")


async def test_a_division_by_zero_in_an_update_is_null(music: orm.Database) -> None:
    await Everything.objects.create(integer=1, small=0, float=1.0)
    await Everything.objects.all().update(float=F("integer") / F("small"))
    assert await Everything.objects.values_list("float", flat=True) == [None]


async def test_random_numbers(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(integer=n) for n in range(20)])
    found = await Everything.objects.values_list(Random(), flat=True)
    assert all(0 <= value < 1 for value in found)
    assert len(set(found)) > 1
    assert len(await Everything.objects.order_by(Random())) == 20


async def test_the_first_the_greatest_and_the_least(music: orm.Database) -> None:
    early, late = datetime(1979, 7, 27, tzinfo=UTC), datetime(1980, 7, 25, 1, 2, 3, 4, tzinfo=UTC)
    day, other = date(1979, 7, 27), date(1980, 7, 25)
    await Everything.objects.create(
        integer=3, small=None, float=2.5, decimal=Decimal("2.7500"), string="b", date=day, moment=early, data={"a": 1}
    )
    await Everything.objects.create(integer=None, small=1, string=None, color=Color.RED)
    for function, expected in (
        (Coalesce("small", "integer"), [3, 1]),
        (Coalesce(Everything.small, Everything.integer), [3, 1]),
        (Coalesce("small", 9), [9, 1]),
        (Coalesce("small", "float"), [2.5, 1.0]),
        (Coalesce("small", "decimal"), [Decimal("2.75"), Decimal(1)]),
        (Coalesce("decimal", 4), [Decimal("2.75"), Decimal(4)]),
        (Coalesce("text", "string", Value("none")), ["b", "none"]),
        (Coalesce("text", "string"), ["b", None]),
        (Coalesce("date", other), [day, other]),
        (Coalesce("moment", late), [early, late]),
        (Coalesce("time", time(1, 2, 3)), [time(1, 2, 3)] * 2),
        (Coalesce("boolean", True), [True, True]),
        (Coalesce("color", Color.GREEN), [Color.GREEN, Color.RED]),
        (Coalesce("data", Value({"b": 2})), [{"a": 1}, {"b": 2}]),
        (NullIf("integer", 3), [None, None]),
        (NullIf("string", Value("B")), ["b", None]),
        (NullIf("date", other), [day, None]),
        (Greatest("integer", "float"), [3.0, None]),
        (Greatest("integer", 4, 2), [4, None]),
        (Least("integer", 4, 2), [2, None]),
        (Least("integer", "decimal"), [Decimal("2.75"), None]),
        (Greatest("string", Value("B"), Value("a")), ["b", None]),
        (Least("string", Value("B"), Value("a")), ["B", None]),
        (Greatest("date", other), [other, None]),
        (Least("moment", late), [early, None]),
        (Greatest("moment", late), [late, None]),
    ):
        found = await Everything.objects.order_by("id").values_list(function, flat=True)
        assert [(value, type(value)) for value in found] == [(value, type(value)) for value in expected], function


async def test_functions_say_whether_they_may_be_null(music: orm.Database) -> None:
    await Track.objects.create(name="x", seconds=1)
    # A NOT of what may be NULL is another than of what may not.
    assert await Track.objects.exclude(orm.Q(Coalesce("price", 1) == 2)).count() == 1
    assert await Track.objects.annotate(small=Least("price", 1)).exclude(small=2).count() == 1
    assert await Track.objects.filter(~(NullIf("seconds", 1) == 1)).count() == 1
    assert await Track.objects.filter(~(Sqrt(F("seconds") - 2) == 1)).count() == 1


_UUID = UUID("6f9619ff-8b86-d011-b42d-00cf4fc964ff")
_MOMENT = datetime(1979, 7, 27, 23, 59, 58, 120, tzinfo=UTC)


async def test_casts(music: orm.Database) -> None:
    await Everything.objects.create(
        small=7,
        integer=-12345,
        float=-2.75,
        decimal=Decimal("1234.5000"),
        boolean=True,
        string=" -42 ",
        text="abc",
        uuid=_UUID,
        date=_MOMENT.date(),
        moment=_MOMENT,
        naive=_MOMENT.replace(tzinfo=None),
        time=_MOMENT.time(),
        data={"n": 3, "text": "x", "none": None, "moment": "1979-07-27 23:59:58"},
        level=Level.HIGH,
        color=Color.RED,
        address="10.0.0.1",
    )
    text, integer, money = orm.Text(), orm.Integer(), orm.Decimal(max_digits=8, decimal_places=1)
    for expression, expected in (
        (Cast("integer", text), "-12345"),
        (Cast("integer", orm.String(max_length=3)), "-12"),
        (Cast("text", orm.String(max_length=2)), "ab"),
        (Cast("float", text), "-2.75"),
        (Cast("decimal", text), "1234.5000"),
        (Cast(F("decimal") * 2, text), "2469.0000"),
        (Cast("boolean", text), "true"),
        (Cast("uuid", text), str(_UUID)),
        (Cast("date", text), "1979-07-27"),
        (Cast("moment", text), "1979-07-27 23:59:58.000120"),
        (Cast("naive", text), "1979-07-27 23:59:58.000120"),
        (Cast("time", text), "23:59:58.000120"),
        (Cast("address", text), "10.0.0.1"),
        (Cast("color", text), "red"),
        (Cast("level", integer), 9),
        (Cast("data__text", text), "x"),
        (Cast("data__n", integer), 3),
        (Cast("data__n", text), "3"),
        (Cast("data__none", text), None),
        (Cast("data__missing", integer), None),
        (Cast("small", orm.BigInteger()), 7),
        (Cast("float", integer), -2),
        (Cast("decimal", integer), 1234),
        (Cast("string", integer), -42),
        (Cast("text", integer), None),
        (Cast(Value("1.9"), integer), None),
        (Cast("boolean", integer), 1),
        (Cast("integer", orm.Float()), -12345.0),
        (Cast("decimal", orm.Float()), 1234.5),
        (Cast("string", orm.Float()), -42.0),
        (Cast(Value("-1.5e3"), orm.Float()), -1500.0),
        (Cast("text", orm.Float()), None),
        (Cast("integer", money), Decimal(-12345)),
        (Cast("float", money), Decimal("-2.8")),
        (Cast("decimal", money), Decimal("1234.5")),
        (Cast(Value("2.25"), money), Decimal("2.3")),
        (Cast("text", money), None),
        (Cast("small", orm.Boolean()), True),
        (Cast(F("small") - 7, orm.Boolean()), False),
        (Cast("decimal", orm.Boolean()), True),
        (Cast(Value("Yes"), orm.Boolean()), True),
        (Cast(Value("off"), orm.Boolean()), False),
        (Cast("text", orm.Boolean()), None),
        (Cast("moment", orm.Date()), _MOMENT.date()),
        (Cast("naive", orm.Date()), _MOMENT.date()),
        (Cast(Value("1979-07-27"), orm.Date()), _MOMENT.date()),
        (Cast("text", orm.Date()), None),
        (Cast("date", orm.DateTime()), datetime(1979, 7, 27, tzinfo=UTC)),
        (Cast("date", orm.DateTime(timezone=False)), datetime(1979, 7, 27)),
        (Cast("naive", orm.DateTime()), _MOMENT),
        (Cast("moment", orm.DateTime(timezone=False)), _MOMENT.replace(tzinfo=None)),
        (Cast("data__moment", orm.DateTime()), _MOMENT.replace(microsecond=0)),
        (Cast(Value("1979-07-27 23:59:58.000120"), orm.DateTime(timezone=False)), _MOMENT.replace(tzinfo=None)),
        (Cast("text", orm.DateTime()), None),
        (Cast("moment", orm.Time()), _MOMENT.time()),
        (Cast(Value("23:59:58.000120"), orm.Time()), _MOMENT.time()),
        (Cast("text", orm.Time()), None),
        (Cast("date", orm.Date()), _MOMENT.date()),
        (Cast("boolean", orm.Boolean()), True),
        (Cast("moment", orm.DateTime()), _MOMENT),
    ):
        (found,) = await Everything.objects.values_list(expression, flat=True)
        assert (found, type(found)) == (expected, type(expected)), expression
    assert await Everything.objects.filter(Cast("string", integer) == -42).count() == 1
    assert await Everything.objects.filter(Cast("moment", orm.Date()) == _MOMENT.date()).count() == 1
    assert await Everything.objects.filter(Cast("moment", orm.DateTime()) == _MOMENT).count() == 1


async def test_casts_of_null(music: orm.Database) -> None:
    await Everything.objects.create()
    for field in ("integer", "float", "decimal", "boolean", "date", "moment", "naive", "time", "uuid", "address"):
        assert await Everything.objects.values_list(Cast(field, orm.Text()), flat=True) == [None], field
    for field in (orm.Integer(), orm.Float(), orm.Boolean(), orm.Date(), orm.DateTime(), orm.Time()):
        assert await Everything.objects.values_list(Cast("text", field), flat=True) == [None]


async def test_dates_that_are_none(music: orm.Database) -> None:
    await Everything.objects.create(text="2019-02-29", string="2019-02-29 25:00:00")
    for expression in (Cast("text", orm.Date()), Cast("string", orm.DateTime())):
        if music.dialect.name == "postgresql":
            with pytest.raises(orm.DataError):
                await Everything.objects.values_list(expression, flat=True)
        else:
            assert await Everything.objects.values_list(expression, flat=True) == [None]


async def _shop() -> None:
    artist = await Artist.objects.create(name="AC/DC")
    albums = await Album.objects.bulk_create(
        [
            Album(title="Powerage", year=1978, artist=artist),
            Album(title="Back in Black", year=1980, artist=artist),
            Album(title="Live", artist=artist),
        ]
    )
    await Track.objects.bulk_create(
        [
            Track(name="Sin City", seconds=285, price=Decimal("1.25"), album=albums[0]),
            Track(name="Riff Raff", seconds=312, album=albums[0]),
            Track(name="Hells Bells", seconds=312, album=albums[1]),
        ]
    )
    tag = await Tag.objects.create(word="rock")
    await albums[0].tags.add(tag)


async def _of_albums(expression: Any) -> list[Any]:
    return list(await Album.objects.order_by("id").values_list(expression, flat=True))


async def test_cases(music: orm.Database) -> None:
    await _shop()
    old = When(year__lt=1980, then=Value("old"))
    assert await _of_albums(Case(old, When(Album.year >= 1980, then="new"))) == ["old", "new", None]
    assert await _of_albums(Case(old, default="?")) == ["old", "?", "?"]
    assert await _of_albums(Case(When(Q(year=1978) | Q(title="Live"), then=F("title")), default="-")) == [
        "Powerage",
        "-",
        "Live",
    ]
    assert await _of_albums(Case(When(~Q(year=1978), then=F("year")), default=Decimal("1.5"))) == [
        Decimal("1.5"),
        Decimal(1980),
        None,
    ]
    assert await _of_albums(Case(When(Q(year=1978), title="Live", then=1), default=0)) == [0, 0, 0]
    assert await _of_albums(Case(When(artist__name="AC/DC", then=Album.artist.name))) == ["AC/DC"] * 3
    assert await _of_albums(Case(When(Album.year.is_null(), then=True), default=False)) == [False, False, True]
    assert await _of_albums(Case(When(id__in=[], then=1), default=2)) == [2, 2, 2]
    assert await _of_albums(Case(When(orm.Q(), then=1), default=2)) == [1, 1, 1]
    day = date(1979, 7, 27)
    assert await _of_albums(Case(When(year=1978, then=day))) == [day, None, None]
    moment = datetime(1979, 7, 27, tzinfo=UTC)
    assert await _of_albums(Case(When(year=1978, then=moment))) == [moment, None, None]
    assert await _of_albums(Case(When(Case(old, default="new") == "new", then=1), default=0)) == [0, 1, 1]


async def test_a_case_of_a_boolean(music: orm.Database) -> None:
    await Everything.objects.bulk_create([Everything(boolean=value) for value in (True, False, None)])
    case = Case(When(F("boolean"), then=1), When(~Q(boolean=True), then=2))
    assert await Everything.objects.order_by("id").values_list(case, flat=True) == [1, 2, 2]


async def test_cases_over_related_rows(music: orm.Database) -> None:
    await _shop()
    long = Case(When(tracks__seconds__gt=300, tracks__price=None, then=1), default=0)
    assert await _of_albums(long) == [1, 1, 0]
    both = Case(When(Q(tracks__seconds=312, tracks__price=Decimal("1.25")), then=1), default=0)
    assert await _of_albums(both) == [0, 0, 0]
    apart = Case(When(Q(tracks__seconds=312) & ~Q(tracks__seconds=285), then=1), default=0)
    assert await _of_albums(apart) == [0, 1, 0]
    cheap = Case(When(tracks__price__isnull=False, then=1), default=0)
    # The value is that of the album, also beside conditions on its tracks.
    ordered = Album.objects.order_by("id").values_list("title", flat=True)
    assert await ordered.filter(cheap == 0) == ["Back in Black", "Live"]
    assert await ordered.alias(cheap=cheap).filter(cheap=0) == ["Back in Black", "Live"]
    assert await ordered.filter(cheap == 1, tracks__name="Riff Raff") == ["Powerage"]
    assert await ordered.filter(tracks__name="Riff Raff").alias(cheap=cheap).filter(cheap=1) == ["Powerage"]
    assert await ordered.exclude(cheap == 1) == ["Back in Black", "Live"]
    # With a value of a track, it is about that track.
    assert await ordered.filter(Case(When(tracks__price=None, then="x"), default=F("tracks__name")) == "Sin City") == [
        "Powerage"
    ]
    with_artist = Case(When(artist__name="AC/DC", tracks__price__isnull=False, then=1), default=0)
    assert await ordered.filter(with_artist == 1, tracks__name="Riff Raff", artist__name="AC/DC") == ["Powerage"]


async def test_cases_in_aggregates(music: orm.Database) -> None:
    await _shop()
    found = await Album.objects.aggregate(
        old=orm.Sum(Case(When(year__lt=1980, then=1), default=0)),
        unknown=orm.Count(Case(When(year=None, then=1))),
        priced=orm.Sum(Case(When(tracks__price__isnull=False, then=F("tracks__seconds")), default=0)),
    )
    assert found == {"old": 1, "unknown": 1, "priced": 285}
    assert await Track.objects.aggregate(characters=orm.Sum(Length("name"))) == {"characters": 28}
    decades = Album.objects.values(decade=Case(When(year__lt=1980, then="70s"), When(year__lt=1990, then="80s")))
    assert await decades.annotate(n=orm.Count("*")).order_by(F("decade").asc(nulls="first")) == [
        {"decade": None, "n": 1},
        {"decade": "70s", "n": 1},
        {"decade": "80s", "n": 1},
    ]
    seconds = Album.objects.order_by("id").annotate(seconds=Coalesce(orm.Sum("tracks__seconds"), 0))
    assert [album.seconds for album in await seconds] == [597, 312, 0]
    nothing = Track.objects.filter(name="none")
    assert await nothing.aggregate(total=Coalesce(orm.Sum("price"), 0)) == {"total": Decimal(0)}
    assert await Track.objects.aggregate(mean=Round(orm.Avg("price"), 1)) == {"mean": Decimal("1.3")}
    longest = Track.objects.filter(album=OuterRef("pk")).order_by("-seconds").values(lower=Lower("name"))[:1]
    found = await Album.objects.order_by("id").values_list(Coalesce(Subquery(longest), Value("-")), flat=True)
    assert found == ["riff raff", "hells bells", "-"]
    named = Track.objects.filter(name__startswith="Hells", album__title=Lower(OuterRef("title")))
    assert await Album.objects.filter(Exists(named)).count() == 0


async def test_functions_in_query_sets(music: orm.Database) -> None:
    await _shop()
    titles = Album.objects.order_by("title").values_list("title", flat=True)
    assert await titles.filter(Lower(Album.title) == "live") == ["Live"]
    assert await titles.filter(Lower("title").startswith("back")) == ["Back in Black"]
    assert await titles.alias(low=Lower("title")).filter(low__startswith="l") == ["Live"]
    assert await titles.filter(~(Lower("title") == "live")) == ["Back in Black", "Powerage"]
    assert await titles.filter(Q(Length("title") > 8) | Q(title="Live")) == ["Back in Black", "Live"]
    assert await titles.filter(Upper("artist__name") == "AC/DC", Length("title").is_in([4, 8])) == ["Live", "Powerage"]
    assert await titles.filter(title=Concat(Left("title", 2), Substr("title", 3))) == [
        "Back in Black",
        "Live",
        "Powerage",
    ]
    assert await titles.filter(Length("tracks__name") > 10) == ["Back in Black"]
    assert await Album.objects.order_by(Length("title").desc()).values_list("title", flat=True) == [
        "Back in Black",
        "Powerage",
        "Live",
    ]
    (album,) = await Album.objects.filter(title="Live").annotate(
        shout=Concat(Upper("title"), Value("!")), year_or=Coalesce("year", 0), double=Length("title") * 2
    )
    assert (album.shout, album.year_or, album.double) == ("LIVE!", 0, 8)
    assert await Album.objects.filter(title="Live").values("title", n=Length("title")) == [{"title": "Live", "n": 4}]
    grouped = Album.objects.values(n=Length("title")).annotate(albums=orm.Count("*")).order_by("n")
    assert await grouped == [{"n": 4, "albums": 1}, {"n": 8, "albums": 1}, {"n": 13, "albums": 1}]
    assert await Album.objects.filter(title="Live").update(title=Upper("title"), year=Coalesce("year", 1992)) == 1
    assert await Album.objects.filter(title="LIVE").values_list("year", flat=True) == [1992]
    raised = Case(When(year__gt=1979, then=F("year") + 1), default=F("year"))
    assert await Album.objects.all().update(year=raised) == 3
    assert await Album.objects.order_by("id").values_list("year", flat=True) == [1978, 1981, 1993]


async def test_shapes_tell_functions_apart(music: orm.Database) -> None:
    await Everything.objects.create(text="abc", decimal=Decimal("1.2345"), float=1.2345)
    for expression, expected in (
        (Left("text", 1), "a"),
        (Left("text", 2), "ab"),
        (Round("decimal", 1), Decimal("1.2")),
        (Round("decimal", 2), Decimal("1.23")),
        (Cast("text", orm.String(max_length=1)), "a"),
        (Cast("text", orm.String(max_length=2)), "ab"),
        (Cast("decimal", orm.Decimal(max_digits=9, decimal_places=1)), Decimal("1.2")),
        (Cast("decimal", orm.Decimal(max_digits=9, decimal_places=3)), Decimal("1.235")),
        (Func("text", function="upper", output_field=orm.Text()), "ABC"),
        (Func("text", function="lower", output_field=orm.Text()), "abc"),
    ):
        (found,) = await Everything.objects.values_list(expression, flat=True)
        assert found == expected


async def test_texts_are_compared_by_code_point(music: orm.Database) -> None:
    await Everything.objects.create(integer=1)
    rows = Everything.objects.all()
    for expression, text in (
        (Case(When(integer=1, then="abc")), "ABC"),
        (Chr(97), "A"),
        (Concat(Value("a"), Value("b")), "AB"),
        (Cast(Value("a"), orm.Text()), "A"),
        (MD5(Value("a")), _hex("md5")("a").upper()),
        (Concat(Value("a"), Value("b")), "ab "),
    ):
        assert await rows.filter(expression == text).count() == 0, expression
    assert await rows.filter(StrIndex(Value("abc"), Value("C")) == 0).count() == 1
    assert await rows.filter(Replace(Value("abc"), Value("C")) == "abc").count() == 1


async def test_collations(music: orm.Database) -> None:
    await Tag.objects.bulk_create([Tag(word=word) for word in ("b", "A", "C")])
    name = {"sqlite": "nocase", "postgresql": "C", "mysql": "utf8mb4_general_ci"}[music.dialect.name]
    words = Tag.objects.values_list("word", flat=True)
    expected = ["A", "C", "b"] if name == "C" else ["A", "b", "C"]
    assert await words.order_by(Collate("word", name)) == expected
    assert await words.filter(Collate("word", name) == "B") == ([] if name == "C" else ["b"])


async def test_values_inside_json(music: orm.Database) -> None:
    await Everything.objects.create(data={"label": "Ärger", "list": ["x", "y"], "none": None, "n": 12})
    for expression, expected in (
        (Lower("data__label"), "ärger"),
        (Length("data__label"), 5),
        (Concat("data__label", Value("-"), "data__list__1", "data__none"), "Ärger-y"),
        (Upper("data__none"), None),
        (Upper("data__missing"), None),
        (Length("data__n"), 2),
        (Cast("data__n", orm.Integer()) + 1, 13),
    ):
        (found,) = await Everything.objects.values_list(expression, flat=True)
        assert found == expected, expression
    assert await Everything.objects.filter(Lower("data__label") == "ärger").count() == 1
    assert await Everything.objects.filter(Lower("data__label").startswith("Ä")).count() == 0
    with pytest.raises(orm.FieldError, match=r"Abs takes numbers, not data__n \(json_value\)\. Cast it"):
        Everything.objects.annotate(n=Abs("data__n"))


async def test_other_functions_of_the_database(music: orm.Database) -> None:
    await Everything.objects.create(text="abc", integer=-3)
    upper = Func("text", function="upper", output_field=orm.Text())
    assert await Everything.objects.values_list(upper, flat=True) == ["ABC"]
    assert await Everything.objects.filter(upper == "ABC").count() == 1
    absolute = Func(F("integer") - 1, function="ABS", output_field=orm.Integer())
    assert await Everything.objects.values_list(absolute, flat=True) == [4]
    if music.dialect.name == "postgresql":
        qualified = Func("text", function="pg_catalog.upper", output_field=orm.Text())
        assert await Everything.objects.values_list(qualified, flat=True) == ["ABC"]


async def test_values_with_a_field(music: orm.Database) -> None:
    await Everything.objects.create(integer=1)
    rows = Everything.objects.all()
    assert await rows.values_list(Value(None, output_field=orm.Integer()), flat=True) == [None]
    assert await rows.values_list(Coalesce("small", Value(None, output_field=orm.Integer())), flat=True) == [None]
    price = Value(Decimal("1.5"), output_field=orm.Decimal(max_digits=5, decimal_places=2))
    (found,) = await rows.values_list(price, flat=True)
    assert found == Decimal("1.50")
    assert await rows.values_list(Value([1, {"a": None}], output_field=orm.JSON()), flat=True) == [[1, {"a": None}]]
    day = date(1979, 7, 27)
    assert await rows.values_list(Value(day), flat=True) == [day]
    with pytest.raises(orm.ValidationError, match="Value: Input should be a valid integer"):
        Value("x", output_field=orm.Integer())
    with pytest.raises(orm.FieldError, match=r"Value takes a field .* not 'integer'"):
        Value(1, output_field="integer")  # type: ignore[arg-type]


WRONG: Sequence[tuple[Callable[[], Any], str]] = (
    (lambda: Lower("year"), r"Lower takes text, not Album\.year \(integer\)\. Cast it: Cast\(…, orm\.Text\(\)\)"),
    (lambda: Concat("title", "year"), r"Concat takes text, not Album\.year"),
    (lambda: Concat("title", 1), r"Concat takes text, not Value\(1\) \(integer\)"),
    (lambda: Left("title", "title"), r"Left takes whole numbers, not Album\.title \(text\)"),
    (lambda: Left("title", True), r"Left takes whole numbers, not Value\(True\)"),
    (lambda: Substr("title", 1.5), r"Substr takes whole numbers, not Value\(1\.5\)"),
    (lambda: Sqrt("title"), r"Sqrt takes numbers, not Album\.title"),
    (lambda: Round("title"), r"Round takes numbers, not Album\.title"),
    (lambda: Lower("titel"), r"Album has no field 'titel'"),
    (
        lambda: Coalesce("year", "title"),
        r"Coalesce takes values of one kind, not Album\.year \(integer\), Album\.title",
    ),
    (lambda: Coalesce("year", Value("x")), r"Coalesce takes values of one kind"),
    (lambda: Greatest("year", "title"), r"Greatest takes values of one kind"),
    (lambda: NullIf("year", Value("x")), r"NullIf takes values of one kind"),
    (lambda: Case(When(year=1, then=1), default="x"), r"Case takes values of one kind"),
    (lambda: Case(When(yaer=1, then=1)), r"Album has no field 'yaer'"),
    (lambda: Case(When(year="1978", then=1)), r"year: Input should be a valid integer"),
    (
        lambda: Cast("artist__name", orm.Duration()),
        r"name \(text\) cannot be cast to duration\. Possible are casts to: text",
    ),
    (lambda: Cast(Value(None), orm.JSON()), r"cannot be cast to json. Possible are casts to: text, integer"),
    (lambda: Cast("title", orm.JSON()), r"cannot be cast to json"),
    (lambda: Cast(F("year") > 1, orm.Date()), r"cannot be cast to date\. Possible are: date, datetime"),
)


@pytest.mark.parametrize(("make", "message"), WRONG)
def test_operands_of_a_wrong_kind_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((orm.FieldError, orm.ValidationError), match=message):
        Album.objects.annotate(found=make())
    with pytest.raises((orm.FieldError, orm.ValidationError), match=message):
        Album.objects.filter(make() == 1)


MISUSED: Sequence[tuple[Callable[[], Any], str]] = (
    (lambda: Concat("title"), "Concat takes two texts or more, not 1"),
    (lambda: Coalesce("title"), "Coalesce takes two expressions or more, not 1"),
    (lambda: Greatest("year"), "Greatest takes two expressions or more, not 1"),
    (lambda: Least(), "Least takes two expressions or more, not 0"),
    (lambda: Left("title", -1), "Left: length is at least 0, not -1"),
    (lambda: Left("title", Value(-1)), "Left: length is at least 0, not -1"),
    (lambda: Right("title", -1), "Right: length is at least 0, not -1"),
    (lambda: Substr("title", 0), "Substr: start is at least 1, not 0"),
    (lambda: Substr("title", -2), "Substr: start is at least 1, not -2"),
    (lambda: Substr("title", 1, -1), "Substr: length is at least 0, not -1"),
    (lambda: Repeat("title", -1), "Repeat: number is at least 0, not -1"),
    (lambda: LPad("title", -1), "LPad: length is at least 0, not -1"),
    (lambda: RPad("title", 5, Value("")), "RPad cannot fill with an empty text"),
    (lambda: Chr(0), "Chr: the code point is at least 1, not 0"),
    (lambda: Round("price", 1.5), "Round: precision is a whole number from -15 to 15, not 1.5"),  # type: ignore[arg-type]
    (lambda: Round("price", 16), "Round: precision is a whole number from -15 to 15, not 16"),
    (lambda: When(year=1), r"When needs a value: When\(…, then=…\)"),
    (lambda: When(then=1), "When needs a condition"),
    (lambda: When("year", then=1), "When takes conditions, not 'year'"),
    (lambda: Case(), "Case needs at least one When"),
    (lambda: Case(Q(year=1)), r"Case takes When\(…, then=…\), not Q"),  # type: ignore[arg-type]
    (lambda: Cast("year", str), "Cast takes a field that says what it gives"),  # type: ignore[type-var, arg-type]
    (lambda: Cast("year", orm.Integer), "Cast takes a field that says what it gives"),  # type: ignore[arg-type]
    (lambda: Func("title", function="x", output_field=None), "Func takes a field"),  # type: ignore[arg-type]
)


@pytest.mark.parametrize(("make", "message"), MISUSED)
def test_what_makes_no_sense_is_refused_at_once(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(orm.FieldError, match=message):
        make()


HOSTILE = ["", "a b", "upper(title); DROP TABLE album; --", 'x"', "x'", "a..b", ".a", "a.", "1a", "ä", "a\n", "a`"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_functions_and_collations_are_names(name: str) -> None:
    with pytest.raises(orm.FieldError, match="cannot name a function"):
        Func("title", function=name, output_field=orm.Text())
    if name not in ("a..b", "a."):
        with pytest.raises(orm.FieldError, match="cannot name a collation"):
            Collate("title", name)
