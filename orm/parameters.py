"""`Param`: where a compiled query gets a value with each call; and what a condition with one in it is made of.

A condition with a parameter has the shape of the same condition with a value. In the place of the value it has a
`Slot`, for which its values have a gap: only `compiled()` gives them a list that can have gaps.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

from orm.conditions import Leaf, Lookup, Members
from orm.exceptions import FieldError, InterfaceError, ValidationError
from orm.expressions import Expression
from orm.query import Node
from orm.validation import Checker

if TYPE_CHECKING:  # for a checker it fits wherever a value does, as what it stands for is not known yet

    class _Anything(Any):  # type: ignore[misc]
        pass

else:

    class _Anything:
        __slots__ = ()


class Param(Expression[Any], _Anything):
    """A value that is given when a compiled query is called: `filter(name=Param("artist"))`, `limit(Param("number"))`.

    It stands where a filter compares a column with a value, and in `limit()` and `offset()`. The same name may stand
    in several places. Raises `FieldError` for a name that cannot be a keyword.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.isidentifier():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(f"The name of a Param is a keyword of the call, as in Param('artist'), not {name!r}.")
        super().__init__()
        self.name = name

    def __repr__(self) -> str:
        return f"Param({self.name!r})"

    def misplaced(self) -> FieldError:
        """The error for one that stands where SQL would have to know its type."""
        return FieldError(
            f"{self!r} can stand where a filter compares a column with a value, on the right, and in limit() and "
            "offset(), not in arithmetic, functions, an order, slices, values to write or expressions of SQLAlchemy."
        )


class Slot:
    """One use of a `Param`.

    Attributes:
        name: the parameter's name.
        label: the words of the lookup that it is the operand of.
        check: gives a value as it is to be sent, or raises `ValidationError`.
    """

    __slots__ = ("_check", "label", "name")

    def __init__(self, param: Param, label: str, check: Checker) -> None:
        self.name = param.name
        self.label = label
        self._check = check

    def __repr__(self) -> str:
        return f"Param({self.name!r})"

    def isascii(self) -> bool:
        """Not known yet, so no: what is right for all texts is right for those in ASCII, too."""
        return False

    def check(self, value: Any) -> Any:
        """A value as it is to be sent. Raises `FieldError` and `ValidationError`."""
        if value is None:
            raise ValidationError.single(
                self.name,
                f"The parameter {self.name!r} ({self.label}) is None, and nothing is equal to NULL. Rows without a "
                "value need a query of their own: filter(…=None) or filter(…__isnull=True).",
                None,
            )
        return self._check(value)


class Template(list[Any]):
    """The values of a query, with gaps for those of its parameters.

    Attributes:
        gaps: where they are, and what fills them.
        has_lists: there are lists whose length decides on SQL.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[tuple[int, Slot]] = []
        self.has_lists = False


def leave_gap(values: list[Any], slot: Slot, *, is_list: bool = False) -> None:
    """Leave a gap for the value of a slot. Raises `InterfaceError` when there will be no value."""
    if not isinstance(values, Template):
        raise InterfaceError(
            f"{slot!r} has no value. Compile the query set once, and call what you get: "
            f"find = ….compiled(); await find({slot.name}=…)."
        )
    values.gaps.append((len(values), slot))
    values.append(None)
    values.has_lists = values.has_lists or is_list


class ParameterLeaf(Leaf):
    """A lookup of which an operand is a parameter."""

    __slots__ = ()

    def shape(self, values: list[Any], engine: str) -> Hashable:
        for value in self.values:
            if isinstance(value, Slot):
                leave_gap(values, value)
            else:
                values.append(value)
        if self.key is None:
            return (self._key(values, engine), self.variant, len(self.values))
        return self.key


class ParameterMembers(Members):
    """`in` with a list that is a parameter. Where a list is several parameters, its length must be known first."""

    __slots__ = ("slot",)

    def __init__(self, lookup: Lookup, slot: Slot) -> None:
        super().__init__(lookup, [slot])
        self.slot = slot

    def __repr__(self) -> str:
        return f"{self.lookup}={self.slot!r}"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        as_one = self.as_one(engine)
        leave_gap(values, self.slot, is_list=not as_one)
        key = self._key(values, engine)
        return (key,) if as_one else (key, self.padded())


class RowCount(Node):
    """A limit or offset that is a parameter."""

    __slots__ = ("slot",)

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        self.slot = slot

    def __repr__(self) -> str:
        return repr(self.slot)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        leave_gap(values, self.slot)
        return None
