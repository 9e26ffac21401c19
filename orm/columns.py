"""What `Album.title` and `Album.artist` are on the class: columns that compare, and steps over relations."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar, cast, overload

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range

from orm import arrays, hstores, operators, restrictions, transforms
from orm.comparing import compare
from orm.conditions import kind_of, negate
from orm.exceptions import FieldError
from orm.expressions import Comparison, Condition, Expression, F, Handle, Reference
from orm.jsonpath import checked_key
from orm.keys import KIND
from orm.lookups import resolved_operand
from orm.query import Node, Path, Query, QueryHolder, walk
from orm.references import intern, named_lookup, transformed
from orm.schema import Schema
from orm.specs import FieldSpec

T = TypeVar("T")
X = TypeVar("X")
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

    class _Length:
        @overload
        def __get__(self, column: Column[list[Any]], owner: type[Any]) -> Column[int]: ...
        @overload
        def __get__(self, column: Column[list[Any] | None], owner: type[Any]) -> Column[int | None]: ...
        def __get__(self, column: Any, owner: type[Any]) -> Any: ...

    class _Bound:
        @overload
        def __get__(self, column: Column[Range[X]], owner: type[Any]) -> Column[X | None]: ...
        @overload
        def __get__(self, column: Column[Range[X] | None], owner: type[Any]) -> Column[X | None]: ...
        def __get__(self, column: Any, owner: type[Any]) -> Any: ...


class Column(Handle[T]):
    """A field seen from a query: `Album.title == "Powerage"`, `Album.title.icontains("age")`.

    Comparisons give conditions, and are checked at once, unless they are with a name (`F`).

    `!=` is true for NULL, too, as `exclude()` is.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    def _compare(self, lookup: str, operand: Any) -> Condition:
        found = named_lookup(self.schema, self.node, lookup)
        if isinstance(operand, Node) and any(isinstance(part, F) for part in walk(operand)):
            return Comparison(self, lookup, operand)  # a name may be an annotation, which only the query set knows
        if isinstance(operand, (Node, sa.ColumnElement, list, tuple)):
            operand = resolved_operand(Query(self.schema), operand)
        return compare(found, operand)

    def __eq__(self, other: Operand[T]) -> Condition:  # type: ignore[override]  # ty: ignore[incompatible-method-override]
        return self._compare("exact", other)

    def __ne__(self, other: Operand[T]) -> Condition:  # type: ignore[override]  # ty: ignore[incompatible-method-override]
        return negate(self._compare("exact", other))

    if TYPE_CHECKING:  # the operand has the column's type

        def __lt__(self, other: Operand[T]) -> Condition: ...
        def __le__(self, other: Operand[T]) -> Condition: ...
        def __gt__(self, other: Operand[T]) -> Condition: ...
        def __ge__(self, other: Operand[T]) -> Condition: ...
        def is_in(self, values: Iterable[T] | QueryHolder) -> Condition: ...
        def range(self, low: T, high: T) -> Condition: ...

        # What the column's type does not have is refused when it is asked for.
        @overload
        def contains(self: Expression[str | None], value: str) -> Condition: ...
        @overload
        def contains(self: Expression[list[X] | None], value: list[X] | Expression[Any]) -> Condition: ...
        @overload
        def contains(self: Expression[Range[X] | None], value: X | Range[X] | Expression[Any]) -> Condition: ...
        @overload
        def contains(self: Expression[Mapping[str, Any] | None], value: Mapping[str, Any]) -> Condition: ...
        def contains(self: Any, value: Any) -> Condition: ...
        @overload
        def contained_by(self: Expression[list[X] | None], value: list[X] | Expression[Any]) -> Condition: ...
        @overload
        def contained_by(self: Expression[Range[X] | None], value: Range[X] | Expression[Any]) -> Condition: ...
        @overload
        def contained_by(self: Expression[Mapping[str, Any] | None], value: Mapping[str, Any]) -> Condition: ...
        def contained_by(self: Any, value: Any) -> Condition: ...
        @overload
        def overlap(self: Expression[list[X] | None], value: list[X] | Expression[Any]) -> Condition: ...
        @overload
        def overlap(self: Expression[Range[X] | None], value: Range[X] | Expression[Any]) -> Condition: ...
        def overlap(self: Any, value: Any) -> Condition: ...
        def has_key(self: Expression[Mapping[str, Any] | None], key: str) -> Condition: ...
        def has_keys(self: Expression[Mapping[str, Any] | None], keys: Iterable[str]) -> Condition: ...
        def has_any_keys(self: Expression[Mapping[str, Any] | None], keys: Iterable[str]) -> Condition: ...
        def fully_lt(self: Expression[Range[X] | None], value: Range[X] | Expression[Any]) -> Condition: ...
        def fully_gt(self: Expression[Range[X] | None], value: Range[X] | Expression[Any]) -> Condition: ...
        def not_lt(self: Expression[Range[X] | None], value: Range[X] | Expression[Any]) -> Condition: ...
        def not_gt(self: Expression[Range[X] | None], value: Range[X] | Expression[Any]) -> Condition: ...
        def adjacent_to(self: Expression[Range[X] | None], value: Range[X] | Expression[Any]) -> Condition: ...
        def isempty(self: Expression[Range[Any] | None], value: bool) -> Condition: ...
        def search(self: Expression[str | None], value: str | Expression[Any]) -> Condition: ...
        def trigram_similar(self: Expression[str | None], value: str) -> Condition: ...
        def trigram_word_similar(self: Expression[str | None], value: str) -> Condition: ...
        def trigram_strict_word_similar(self: Expression[str | None], value: str) -> Condition: ...

    @property
    def choices(self) -> list[tuple[T, str]]:
        """The values that the field may have, each with its label. Raises `FieldError` for a field without choices."""
        node: Any = self.node
        choices = node.spec.limits.get("choices") if isinstance(node, Reference) else None
        if choices is None:
            raise FieldError(f"{self!r} has no choices: any value that its type allows is possible.")
        return restrictions.labelled(node.spec.kind, choices)

    def __getitem__(self, key: str | int | slice) -> Column[Any]:
        """A value inside a JSON column, by key or index; an item or a slice of an array.

        Raises `FieldError` for a key that no engine takes, and for a step or a negative index in an array.
        """
        node = self.node
        if kind_of(node) == "array":
            return Column(self.schema, transformed(self.schema, node, arrays.item(key)))
        if kind_of(node) == hstores.KIND:
            return Column(self.schema, transformed(self.schema, node, hstores.value(key)))
        if not isinstance(node, Reference) or node.values.kind != "json":
            raise TypeError(f"{self!r} ({kind_of(node)}) is no JSON column: it has no {key!r} inside.")
        return Column(self.schema, intern(self.schema, node.path, node.spec, (*node.keys, checked_key(key))))

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
        len = _Length()
        lower = _Bound()
        upper = _Bound()
    else:

        def __getattr__(self, name):
            kind = kind_of(self.node)
            transform = transforms.find(name, kind)
            if transform is not None:
                return Column(self.schema, transformed(self.schema, self.node, transform))
            if name in operators.SPELLED or operators.find(name, kind) is None:
                choices = ", ".join(transforms.names(kind) + operators.names(kind))
                raise AttributeError(f"{self!r} ({kind}) has no {name!r}. Choose from: {choices}.")
            return partial(self.lookup, name)


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
    """The words of a step over a relation, or of a generic foreign key; `None` for anything else."""
    if isinstance(step, Column):
        column: Column[Any] = cast("Any", step)
        return repr(column) if kind_of(column.node) == KIND else None
    return step._words if isinstance(step, Step) else None  # pyright: ignore[reportPrivateUsage]


def schema_of(step: Step | Column[Any]) -> Schema:
    """The schema that a step starts from."""
    return step._schema if isinstance(step, Step) else step.schema  # pyright: ignore[reportPrivateUsage]


def attribute(schema: Schema, path: Path, owner: Schema, name: str, words: str = "") -> Any:
    """What a name is on a class, or on a step: a column, a step, or `None`."""
    relation = owner.relation(name)
    if relation is not None:
        return Step(schema, path + owner.hops(relation), relation.target, words + name)
    spec = owner.field(name)
    return None if spec is None else column(schema, path, spec)


def column(schema: Schema, path: Path, spec: FieldSpec) -> Column[Any]:
    """The column at the end of a path."""
    return Column(schema, intern(schema, path, spec))
