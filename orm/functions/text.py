"""Functions of text. Texts are counted in characters, from 1; a bare `str` operand names a field, as in Django."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import kinds, types
from orm.exceptions import FieldError, NotSupportedError
from orm.expressions import Value, output_of
from orm.functions.base import (
    TEXT,
    WHOLE,
    KindedFunction,
    Kinds,
    TextOperand,
    WholeOperand,
    at_least,
    check_least,
    concatenated,
    small,
)
from orm.operators import Element
from orm.specs import FieldSpec

_EMPTY: Final[Element] = sa.literal_column("''", types.Text())
_ZERO: Final[Element] = sa.literal_column("0")
_ONE: Final[Element] = sa.literal_column("1")


class TextFunction(KindedFunction[str | None]):
    """A function that gives a text.

    Attributes:
        names: what each engine calls it, if it is no more than that.
    """

    __slots__ = ()

    takes: ClassVar[tuple[Kinds, ...]] = (TEXT,)
    names: ClassVar[dict[str, str]]

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("text", null=self.nullable)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return _called(self.names[dialect.name], operands)


def _called(name: str, operands: tuple[Element, ...]) -> Element:
    made: Element = getattr(sa.func, name)(*operands)
    return made


class _OfOneText(TextFunction):
    __slots__ = ()

    def __init__(self, text: TextOperand, /) -> None:
        super().__init__(text)


class Lower(_OfOneText):
    """The text in lower case, letter by letter."""

    __slots__ = ()
    names: ClassVar = {"sqlite": "orm_lower", "postgresql": "lower", "mysql": "lower"}


class Upper(_OfOneText):
    """The text in upper case, letter by letter: `ß`, which has no capital letter, stays."""

    __slots__ = ()
    names: ClassVar = {"sqlite": "orm_upper", "postgresql": "upper", "mysql": "upper"}


class Trim(_OfOneText):
    """The text without spaces at its ends."""

    __slots__ = ()
    names: ClassVar = {"sqlite": "trim", "postgresql": "btrim", "mysql": "trim"}


class LTrim(_OfOneText):
    """The text without spaces at its beginning."""

    __slots__ = ()
    names: ClassVar = {"sqlite": "ltrim", "postgresql": "ltrim", "mysql": "ltrim"}


class RTrim(_OfOneText):
    """The text without spaces at its end."""

    __slots__ = ()
    names: ClassVar = {"sqlite": "rtrim", "postgresql": "rtrim", "mysql": "rtrim"}


class Reverse(_OfOneText):
    """The text from its last character to its first."""

    __slots__ = ()
    names: ClassVar = {"sqlite": "orm_reverse", "postgresql": "reverse", "mysql": "reverse"}


class Concat(TextFunction):
    """Texts one after another; NULL counts as `''`. `Concat("first", Value(" "), "last")`.

    Raises:
        FieldError: fewer than two.
    """

    __slots__ = ()

    def __init__(self, *texts: TextOperand) -> None:
        if len(texts) < 2:
            raise FieldError(f"Concat takes two texts or more, not {len(texts)}.")
        super().__init__(*texts)

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("text", null=False)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        texts = [
            sa.func.coalesce(operand, _EMPTY) if output_of(part).null else operand
            for part, operand in zip(self.parts, operands, strict=True)
        ]
        return concatenated(dialect, *texts)


class _Side(TextFunction):
    __slots__ = ()

    takes = (TEXT, WHOLE)

    def __init__(self, text: TextOperand, length: WholeOperand, /) -> None:
        check_least(type(self).__name__, "length", length, 0)
        super().__init__(text, length)


class Left(_Side):
    """The first characters of a text: `Left("title", 3)`; none where `length` is negative.

    Raises:
        FieldError: `length` is a negative number.
    """

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        text, length = operands[0], at_least(dialect, operands[1], self.parts[1], 0)
        return sa.func.substr(text, _ONE, length) if dialect.name == "sqlite" else sa.func.left(text, length)


class Right(_Side):
    """The last characters of a text; none where `length` is negative.

    Raises:
        FieldError: `length` is a negative number.
    """

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        text, length = operands[0], at_least(dialect, operands[1], self.parts[1], 0)
        return sa.func.substr(text, -length, length) if dialect.name == "sqlite" else sa.func.right(text, length)


class Substr(TextFunction):
    """A part of a text: `Substr("title", 2, 3)` is the second to the fourth character.

    Args:
        text: the text.
        start: the number of its first character, from 1; an expression that is less counts as 1.
        length: how many characters; all to the end if not given.

    Raises:
        FieldError: `start` is less than 1, or `length` negative.
    """

    __slots__ = ()
    takes = (TEXT, WHOLE)

    def __init__(self, text: TextOperand, start: WholeOperand, length: WholeOperand | None = None) -> None:
        check_least("Substr", "start", start, 1)
        check_least("Substr", "length", length, 0)
        super().__init__(text, start, *(() if length is None else (length,)))

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        text, *numbers = operands
        limited = [
            at_least(dialect, number, part, low)
            for number, part, low in zip(numbers, self.parts[1:], (1, 0), strict=False)
        ]
        return sa.func.substr(text, *limited)


class Replace(TextFunction):
    """A text with another one in place of each occurrence of a third: `Replace("title", Value("a"), Value("b"))`.

    It is case-sensitive. Without a replacement the occurrences are removed.
    """

    __slots__ = ()

    def __init__(self, text: TextOperand, wanted: TextOperand, replacement: TextOperand | None = None) -> None:
        super().__init__(text, wanted, Value("") if replacement is None else replacement)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.func.replace(*operands)


class Repeat(TextFunction):
    """A text so many times; none of it where `number` is negative.

    Raises:
        FieldError: `number` is a negative number.
    """

    __slots__ = ()
    takes = (TEXT, WHOLE)

    def __init__(self, text: TextOperand, number: WholeOperand) -> None:
        check_least("Repeat", "number", number, 0)
        super().__init__(text, number)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        number = small(dialect, operands[1])
        return _called("orm_repeat" if dialect.name == "sqlite" else "repeat", (operands[0], number))


class _Padded(TextFunction):
    """A text that is brought to a length."""

    __slots__ = ()
    takes = (TEXT, WHOLE, TEXT)

    def __init__(self, text: TextOperand, length: WholeOperand, fill: TextOperand | None = None) -> None:
        name = type(self).__name__
        check_least(name, "length", length, 0)
        if isinstance(fill, Value) and fill.value == "":  # pyright: ignore[reportUnknownMemberType]
            raise FieldError(f"{name} cannot fill with an empty text.")
        super().__init__(text, length, Value(" ") if fill is None else fill)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        text, length, fill = operands
        name = self.names[dialect.name]
        return _called(name, (text, at_least(dialect, length, self.parts[1], 0), fill))


class LPad(_Padded):
    """A text with so many characters: a shorter one is filled at its beginning, a longer one cut off at its end.

    Raises:
        FieldError: `length` is negative, or `fill` empty.
    """

    __slots__ = ()
    names: ClassVar = {"sqlite": "orm_lpad", "postgresql": "lpad", "mysql": "lpad"}


class RPad(_Padded):
    """A text with so many characters: a shorter one is filled at its end, a longer one cut off there.

    Raises:
        FieldError: `length` is negative, or `fill` empty.
    """

    __slots__ = ()
    names: ClassVar = {"sqlite": "orm_rpad", "postgresql": "rpad", "mysql": "rpad"}


_CHARACTERS: Final = ((1, 0xD7FF), (0xE000, 0x10FFFF))
"""The code points that texts may have: neither NUL nor surrogates."""


class Chr(TextFunction):
    """The character of a Unicode code point, the opposite of `Ord`; NULL of what is none.

    Raises:
        FieldError: the code point is a number less than 1.
    """

    __slots__ = ()
    takes = (WHOLE,)
    collates_by: ClassVar = "nothing"

    def __init__(self, code: WholeOperand, /) -> None:
        check_least("Chr", "the code point", code, 1)
        super().__init__(code)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        (code,) = operands
        if dialect.name == "mysql":
            made = _converted(sa.func.char(_using(code, "utf32")), "utf8mb4")
        else:
            made = _called("char" if dialect.name == "sqlite" else "chr", (small(dialect, code),))
        ranges = [code.between(sa.literal_column(str(low)), sa.literal_column(str(high))) for low, high in _CHARACTERS]
        return sa.case((sa.or_(*ranges), made))


def _using(element: Element, charset: str) -> Element:
    """`element USING charset`, within a function."""
    return element.op("USING")(sa.literal_column(charset))


def _converted(element: Element, charset: str) -> Element:
    """A text in another charset, on MySQL."""
    return sa.func.convert(_using(element, charset))


# ---------------------------------------------------------------- numbers of texts


class _NumberOfText(KindedFunction[int | None]):
    """A function of texts that gives a whole number."""

    __slots__ = ()
    takes = (TEXT,)

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("integer", null=self.nullable)


class Length(_NumberOfText):
    """How many characters a text has."""

    __slots__ = ()

    def __init__(self, text: TextOperand, /) -> None:
        super().__init__(text)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return _called("char_length" if dialect.name == "mysql" else "length", operands)


class StrIndex(_NumberOfText):
    """Where a text first has another one in it, from 1; 0 where it has not. `StrIndex("title", Value("a"))`."""

    __slots__ = ()

    def __init__(self, text: TextOperand, wanted: TextOperand, /) -> None:
        super().__init__(text, wanted)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        text, wanted = operands
        if dialect.name == "postgresql":
            return sa.func.strpos(text, wanted)
        if dialect.name == "mysql":  # which takes case from the collation
            wanted = sa.collate(wanted, types.collation(dialect))
        return sa.func.instr(text, wanted)


class Ord(_NumberOfText):
    """The Unicode code point of the first character of a text; 0 of an empty one."""

    __slots__ = ()

    def __init__(self, text: TextOperand, /) -> None:
        super().__init__(text)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        (text,) = operands
        if dialect.name == "postgresql":
            return sa.func.ascii(text)
        if dialect.name == "sqlite":
            code: Element = sa.func.unicode(text)
        else:
            first = sa.func.hex(_converted(sa.func.left(text, _ONE), "utf32"))
            code = sa.cast(sa.func.conv(first, sa.literal_column("16"), sa.literal_column("10")), sa.BigInteger())
        return sa.case((text == _EMPTY, _ZERO), else_=code)


# ---------------------------------------------------------------- hashes


class _Hash(_OfOneText):
    """A hash of a text in UTF-8, as hexadecimal digits."""

    __slots__ = ()
    collates_by: ClassVar = "nothing"

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        name = type(self).__name__.lower()
        if dialect.name == "sqlite":
            return _called(f"orm_{name}", operands)
        if dialect.name == "mysql":
            if name in ("md5", "sha1"):
                return _called(name, operands)
            return sa.func.sha2(operands[0], sa.literal_column(name.removeprefix("sha")))
        if name == "md5":
            return sa.func.md5(operands[0])
        if name == "sha1":
            raise NotSupportedError(
                "PostgreSQL has no SHA1 of its own. Use SHA256, or its extension pgcrypto: "
                'Func(orm.Value("sha1"), …, function="digest", …).'
            )
        encoded = sa.func.convert_to(operands[0], sa.literal_column("'UTF8'"))
        return sa.func.encode(_called(name, (encoded,)), sa.literal_column("'hex'"))


class MD5(_Hash):
    """The MD5 hash of a text, as hexadecimal digits."""

    __slots__ = ()


class SHA1(_Hash):
    """The SHA-1 hash of a text, as hexadecimal digits.

    Raises:
        NotSupportedError: on PostgreSQL, which has none.
    """

    __slots__ = ()


class SHA224(_Hash):
    """The SHA-224 hash of a text, as hexadecimal digits."""

    __slots__ = ()


class SHA256(_Hash):
    """The SHA-256 hash of a text, as hexadecimal digits."""

    __slots__ = ()


class SHA384(_Hash):
    """The SHA-384 hash of a text, as hexadecimal digits."""

    __slots__ = ()


class SHA512(_Hash):
    """The SHA-512 hash of a text, as hexadecimal digits."""

    __slots__ = ()


# ---------------------------------------------------------------- collations

_COLLATION: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\Z")


class Collate(TextFunction):
    """A text that sorts and compares by a collation of the database's: `Collate("name", "nocase")`.

    Raises:
        FieldError: `collation` is no name.
    """

    __slots__ = ("collation",)
    collates_by: ClassVar = "itself"

    def __init__(self, text: TextOperand, collation: str) -> None:
        if not isinstance(collation, str) or not _COLLATION.match(collation):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(
                f"{collation!r} cannot name a collation. A name has letters, digits, '_', '-' and '.', and begins "
                "with a letter or '_'."
            )
        super().__init__(text)
        self.collation = collation

    def __repr__(self) -> str:
        return f"Collate({self.parts[0]!r}, {self.collation!r})"

    @property
    def options(self) -> Hashable:
        return self.collation

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        return sa.collate(operands[0], self.collation)
