"""What `Album.title` and `Album.artist` are on the class: columns that compare, and steps over relations."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, overload

import sqlalchemy as sa

from orm.expressions import Condition, Expression, Reference
from orm.lookups import available, checked_lookup, compare, intern, negate
from orm.operators import OPERATORS, TRANSFORMS
from orm.query import Path, QueryHolder
from orm.schema import FieldSpec, Schema

T = TypeVar("T")
Operand: TypeAlias = T | Expression[T | None] | sa.ColumnElement[Any]
"""What a column of `T` is compared with."""


if TYPE_CHECKING:  # parts of dates and times are attributes of their columns only

    class _PartOfMoment(Generic[T]):
        @overload
        def __get__(self, column: Column[datetime.datetime], owner: type[Any]) -> Column[T]: ...
        @overload
        def __get__(self, column: Column[datetime.datetime | None], owner: type[Any]) -> Column[T | None]: ...
        def __get__(self, column: Any, owner: type[Any]) -> Any: ...

    class _PartOfDay(_PartOfMoment[T]):
        @overload
        def __get__(self, column: Column[datetime.datetime] | Column[datetime.date], owner: type[Any]) -> Column[T]: ...
        @overload
        def __get__(
            self, column: Column[datetime.datetime | None] | Column[datetime.date | None], owner: type[Any]
        ) -> Column[T | None]: ...
        def __get__(self, column: Any, owner: type[Any]) -> Any: ...

    class _PartOfClock(_PartOfMoment[T]):
        @overload
        def __get__(self, column: Column[datetime.datetime] | Column[datetime.time], owner: type[Any]) -> Column[T]: ...
        @overload
        def __get__(
            self, column: Column[datetime.datetime | None] | Column[datetime.time | None], owner: type[Any]
        ) -> Column[T | None]: ...
        def __get__(self, column: Any, owner: type[Any]) -> Any: ...


class Column(Reference[T]):
    """A field seen from a query: `Album.title == "Powerage"`, `Album.title.icontains("age")`.

    Comparisons give conditions. `!=` is true for NULL, too, as `exclude()` is.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def _compare(self, operator: str, value: Any) -> Condition:
        target = intern(self.schema, self.path, self.spec, self.transform, self.keys)
        return compare(checked_lookup(target, OPERATORS[operator]), value)

    def __eq__(self, other: Operand[T]) -> Condition:  # type: ignore[override]
        return self._compare("exact", other)

    def __ne__(self, other: Operand[T]) -> Condition:  # type: ignore[override]
        return negate(self._compare("exact", other))

    def __lt__(self, other: Operand[T]) -> Condition:
        return self._compare("lt", other)

    def __le__(self, other: Operand[T]) -> Condition:
        return self._compare("lte", other)

    def __gt__(self, other: Operand[T]) -> Condition:
        return self._compare("gt", other)

    def __ge__(self, other: Operand[T]) -> Condition:
        return self._compare("gte", other)

    def is_null(self, truth: bool = True) -> Condition:
        """It is NULL; with `False`, it is not."""
        return self._compare("isnull", truth)

    def is_in(self, values: Iterable[T] | QueryHolder) -> Condition:
        """It is one of the values; or, given a query set of one column, one of its rows."""
        return self._compare("in", values)

    def range(self, low: T, high: T) -> Condition:
        """It lies between the two, both included."""
        return self._compare("range", (low, high))

    def iexact(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It is the text, but for case."""
        return self._compare("iexact", value)

    def contains(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It has the text in it."""
        return self._compare("contains", value)

    def icontains(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It has the text in it, but for case."""
        return self._compare("icontains", value)

    def startswith(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It begins with the text."""
        return self._compare("startswith", value)

    def istartswith(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It begins with the text, but for case."""
        return self._compare("istartswith", value)

    def endswith(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It ends with the text."""
        return self._compare("endswith", value)

    def iendswith(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It ends with the text, but for case."""
        return self._compare("iendswith", value)

    def regex(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It matches the regular expression, in the database's dialect."""
        return self._compare("regex", value)

    def iregex(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It matches the regular expression, but for case."""
        return self._compare("iregex", value)

    def search(self: Column[str] | Column[str | None], value: str) -> Condition:
        """It matches the words, by the database's full text search."""
        return self._compare("search", value)

    def __getitem__(self, key: str | int) -> Column[Any]:
        """A value inside a JSON column."""
        if self.values.kind != "json":
            raise TypeError(f"{self!r} ({self.kind}) is no JSON column: it has no {key!r} inside.")
        return Column(self.schema, self.path, self.spec, None, (*self.keys, key))

    if TYPE_CHECKING:
        year = _PartOfDay[int]()
        month = _PartOfDay[int]()
        day = _PartOfDay[int]()
        quarter = _PartOfDay[int]()
        week = _PartOfDay[int]()
        week_day = _PartOfDay[int]()
        iso_year = _PartOfDay[int]()
        iso_week_day = _PartOfDay[int]()
        hour = _PartOfClock[int]()
        minute = _PartOfClock[int]()
        second = _PartOfClock[int]()
        date = _PartOfMoment[datetime.date]()
        time = _PartOfMoment[datetime.time]()
    else:

        def __getattr__(self, name):
            transform = TRANSFORMS.get(name)
            if transform is None or self.keys or self.values.kind not in transform.kinds:
                parts = [n for n, t in TRANSFORMS.items() if self.values.kind in t.kinds]
                raise AttributeError(
                    f"{self!r} ({self.kind}) has no {name!r}. Choose from: {', '.join(parts + available(self.kind))}."
                )
            return Column(self.schema, self.path, self.spec, transform)


class Step:
    """What `Album.artist` is: a step over a relation, typed as the target's class, so that the next name is checked."""

    __slots__ = ("_owner", "_path", "_schema", "_words")

    def __init__(self, schema: Schema, path: Path, owner: Schema, words: str) -> None:
        self._schema = schema
        self._path = path
        self._owner = owner
        self._words = words

    def __repr__(self) -> str:
        return f"{self._schema.name}.{self._words.replace('__', '.')}"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = attribute(self._schema, self._path, self._owner, name, f"{self._words}__")
        if found is None:
            names = ", ".join(self._owner.names)
            raise AttributeError(
                f"{self!r} leads to {self._owner.name}, which has no field {name!r}. Choose from: {names}."
            )
        return found


def words_of(step: object) -> str | None:
    """The words of a step over a relation, or `None` for anything else."""
    return step._words if isinstance(step, Step) else None  # pyright: ignore[reportPrivateUsage]


def schema_of(step: Step) -> Schema:
    """The schema that a step starts from."""
    return step._schema  # pyright: ignore[reportPrivateUsage]


def attribute(schema: Schema, path: Path, owner: Schema, name: str, words: str = "") -> Any:
    """What a name is on a class, or on a step: a column, a step, or `None`."""
    relation = owner.relation(name)
    if relation is not None:
        return Step(schema, path + relation.hops, relation.target, words + name)
    spec = owner.field(name)
    return None if spec is None else column(schema, path, spec)


def column(schema: Schema, path: Path, spec: FieldSpec) -> Column[Any]:
    """The column at the end of a path."""
    return Column(schema, path, spec)
