"""`Func`: any function that a database has."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any, ClassVar, Final, TypeVar

from sqlalchemy.engine import Dialect
from sqlalchemy.sql import functions

from orm import kinds
from orm.exceptions import FieldError
from orm.expressions import Function
from orm.functions.base import AnyOperand
from orm.operators import Element
from orm.specs import FieldSpec

T = TypeVar("T")

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\Z")


class Func(Function[T | None]):
    """A function of the database's by its name: `Func("name", function="soundex", output_field=orm.Text())`.

    Args:
        expressions: its operands; a text names a field.
        function: its name, perhaps with that of its schema before it: `"public.slugify"`.
        output_field: a field that says what it gives.

    Raises:
        FieldError: `function` is no such name, or `output_field` no field.
    """

    __slots__ = ("function", "spec")
    collates_by: ClassVar = "itself"

    def __init__(self, *expressions: AnyOperand, function: str, output_field: kinds.FieldOf[T]) -> None:
        if not isinstance(function, str) or not _NAME.match(function):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(
                f"{function!r} cannot name a function. A name has letters, digits and '_', and does not begin with a "
                "digit; a schema's may stand before it: 'public.slugify'."
            )
        super().__init__(*expressions)
        self.function = function
        self.spec = kinds.of_field("Func", output_field)

    def __repr__(self) -> str:
        return f"Func({', '.join([*map(repr, self.parts), f'function={self.function!r}'])})"

    @property
    def options(self) -> Hashable:
        return (self.function, kinds.key(self.spec))

    @property
    def output(self) -> FieldSpec:
        return kinds.like(self.spec, null=True)

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        *schema, name = self.function.split(".")
        made: functions.Function[Any] = functions.Function(name, *operands, packagenames=tuple(schema))
        return made
