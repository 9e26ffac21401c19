"""Likeness of texts by their trigrams, and texts without accents: extensions of PostgreSQL.

They have to be there: `CREATE EXTENSION pg_trgm`, `CREATE EXTENSION unaccent`.
https://www.postgresql.org/docs/current/pgtrgm.html
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import kinds, transforms
from orm.exceptions import FieldError
from orm.expressions import Function, Value, output_of
from orm.operators import TEXT, Element, Operator, add, only_on_postgresql, postgresql_infix
from orm.query import Node
from orm.specs import FieldSpec
from orm.transforms import Transform

_CURE: Final = "Use icontains."


class _Trigram(Function[float]):
    """A number that says how alike two texts are."""

    __slots__ = ()
    function: ClassVar[str]

    @property
    def output(self) -> FieldSpec:
        return kinds.computed("float", null=any(output_of(part).null for part in self.parts))

    def check(self) -> None:
        for part in self.parts:
            kind = output_of(part).kind
            if kind not in ("text", "any"):
                raise FieldError(f"{type(self).__name__} compares texts, and {part!r} ({kind}) is none.")

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, type(self).__name__, _CURE)
        found: Element = getattr(sa.func, self.function)(*operands)
        return found


class TrigramSimilarity(_Trigram):
    """How alike two texts are, from 0 to 1.

    Args:
        expression: a field in words, a column, or an expression.
        text: what it is compared with.
    """

    __slots__ = ()
    function = "similarity"

    def __init__(self, expression: Any, text: str | Node) -> None:
        super().__init__(expression, _text(text))


class TrigramDistance(TrigramSimilarity):
    """How different two texts are, from 0 to 1: one minus their similarity. Indexes of GiST order by it."""

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, type(self).__name__, _CURE)
        return operands[0].op("<->")(operands[1])


class TrigramWordSimilarity(_Trigram):
    """How alike a text and the most similar words of an expression are, from 0 to 1.

    Args:
        text: what is looked for.
        expression: where: a field in words, a column, or an expression.
    """

    __slots__ = ()
    function = "word_similarity"

    def __init__(self, text: str | Node, expression: Any) -> None:
        super().__init__(_text(text), expression)


class TrigramWordDistance(TrigramWordSimilarity):
    """How different a text and the most similar words of an expression are: one minus their similarity."""

    __slots__ = ()

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, type(self).__name__, _CURE)
        return operands[0].op("<<->")(operands[1])


class Unaccent(Function[str]):
    """A text without its accents."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__unaccent"

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        only_on_postgresql(dialect, "unaccent", "Keep a column of the text without accents.")
        return sa.func.unaccent(operands[0])


def _text(value: str | Node) -> Node:
    return Value(value) if isinstance(value, str) else value


for _name, _symbol in (
    ("trigram_similar", "%"),
    ("trigram_word_similar", "%>"),
    ("trigram_strict_word_similar", "%>>"),
):
    add(Operator(_name, postgresql_infix(_symbol, f"lookup {_name!r}", _CURE), "text", TEXT, expressions=True))
transforms.add(Transform("unaccent", Unaccent, TEXT))
