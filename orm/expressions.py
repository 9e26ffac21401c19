"""Conditions and expressions: what users combine, and what the compiler turns into SQL.

`Condition`s are combined with `&`, `|` and `~`; `Expression`s with arithmetic. `Q` and `F` hold words that are
resolved against a schema when they are given to a query set; the others are resolved already.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Hashable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Self, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine
from typing_extensions import TypeVar

from orm import types
from orm.exceptions import FieldError
from orm.operators import Operator, Transform
from orm.query import Counter, Node, Path, PlacedQuery, Query
from orm.schema import FieldSpec, Schema
from orm.validation import Checker, operand_checker

T_co = TypeVar("T_co", covariant=True, default=Any)
_ARITHMETIC = Literal["+", "-", "*", "/", "%"]


class Condition(Node):
    """One condition of a WHERE; combine with `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: Condition) -> Condition:
        return Tree("and", (self, _condition(other)))

    def __or__(self, other: Condition) -> Condition:
        return Tree("or", (self, _condition(other)))

    def __invert__(self) -> Condition:
        return Tree("not", (self,))

    if not TYPE_CHECKING:  # a checker that sees it would let conditions through as booleans

        def __bool__(self):
            raise TypeError("A condition has no truth value. Combine conditions with &, | and ~, not and, or and not.")


def _condition(other: object) -> Condition:
    if isinstance(other, Condition):
        return other
    if isinstance(other, sa.ColumnElement):
        return Clause(cast("Any", other))
    raise TypeError(f"A condition combines with conditions, not with {other!r}.")


class Tree(Condition):
    """`and` and `or` of several conditions, `not` of one."""

    __slots__ = ("operator",)

    def __init__(self, operator: Literal["and", "or", "not"], parts: tuple[Condition, ...]) -> None:
        super().__init__(parts)
        self.operator = operator

    def __repr__(self) -> str:
        if self.operator == "not":
            return f"~{self.parts[0]!r}"
        return "(" + (" & " if self.operator == "and" else " | ").join(map(repr, self.parts)) + ")"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return (self.operator, *[part.shape(values, engine) for part in self.parts])


class Constant(Condition):
    """A condition that is known to be true, or false, without asking the database."""

    __slots__ = ("truth",)

    def __init__(self, truth: bool) -> None:
        super().__init__()
        self.truth = truth

    def __repr__(self) -> str:
        return str(self.truth)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return self.truth


class Lookup:
    """A column and the operator that compares it.

    Attributes:
        key: what distinguishes it in a shape: two lookups of the same column and operator have the same.
        check: checks an operand and gives it as it is sent.
    """

    __slots__ = ("check", "key", "operator", "reference")

    def __init__(self, reference: Reference, operator: Operator) -> None:
        self.reference = reference
        self.operator = operator
        self.key = (reference, operator)
        bounded = operator.name in ("exact", "in")
        self.check: Checker = operand_checker(self.name, reference.values, reference.kind, bounded=bounded)

    def __repr__(self) -> str:
        return self.name

    @property
    def field(self) -> str:
        """The words that name the column."""
        return repr(self.reference)

    @property
    def name(self) -> str:
        """The words that name the lookup."""
        spec = self.reference.spec
        field = self.field.removesuffix(spec.name) + spec.label if self.field.endswith(spec.name) else self.field
        return f"{field}__{self.operator.name}" if self.operator.name != "exact" else field


class Leaf(Condition):
    """A lookup with its operands.

    Attributes:
        key: what distinguishes its SQL: the lookup, and a variant where its operands decide about SQL.
    """

    __slots__ = ("key", "lookup", "values")

    def __init__(self, lookup: Lookup, values: tuple[Any, ...], key: Hashable = None) -> None:
        super().__init__()
        self.lookup = lookup
        self.values = values
        self.key = key or lookup.key

    def __repr__(self) -> str:
        return f"{self.lookup}={self.values[-1]!r}" if self.values else f"{self.lookup}"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        values.extend(self.values)
        return self.key

    def count(self, engine: str) -> int:
        return len(self.values)


class Members(Condition):
    """`in` with a list of values: one parameter where the engine takes lists, padded to a power of two elsewhere."""

    __slots__ = ("lookup", "values")

    def __init__(self, lookup: Lookup, values: list[Any]) -> None:
        super().__init__()
        self.lookup = lookup
        self.values = values

    def __repr__(self) -> str:
        return f"{self.lookup}={self.values!r}"

    def as_one(self, engine: str) -> bool:
        """Whether the engine takes the whole list as one parameter."""
        return engine == "postgresql" or (engine == "sqlite" and self.lookup.reference.kind in _JSON_LISTS)

    def padded(self) -> int:
        """How many parameters it has elsewhere."""
        return 1 << (len(self.values) - 1).bit_length()

    def shape(self, values: list[Any], engine: str) -> Hashable:
        if self.as_one(engine):
            values.append(self.values)
            return (self.lookup.key,)
        size = self.padded()
        values.extend(self.values)
        values.extend(self.values[-1:] * (size - len(self.values)))
        return (self.lookup.key, size)

    def count(self, engine: str) -> int:
        return 1 if self.as_one(engine) else self.padded()


# The kinds whose values SQLite compares with the elements of a JSON array: text and whole numbers.
_JSON_LISTS: Final = frozenset({"text", "integer"})


class Compared(Condition):
    """A lookup whose operand is an expression."""

    __slots__ = ("lookup",)

    def __init__(self, lookup: Lookup, operand: Node) -> None:
        super().__init__((lookup.reference, operand))
        self.lookup = lookup

    def __repr__(self) -> str:
        return f"{self.lookup}={self.parts[1]!r}"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        left, right = self.parts
        return (self.lookup.operator, left.shape(values, engine), right.shape(values, engine))


class InQuery(Condition):
    """`in` with a query set as the operand: a subquery."""

    __slots__ = ("lookup", "placed", "query")

    placed: PlacedQuery

    def __init__(self, lookup: Lookup, query: Query) -> None:
        super().__init__()
        self.lookup = lookup
        self.query = query

    def __repr__(self) -> str:
        return f"{self.lookup}=<query of {self.query.schema.name}>"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return (self.lookup.key, self.query.shape(values, engine))

    def place(self, counter: Counter) -> Self:
        new = type(self)(self.lookup, self.query)
        new.placed = self.query.place(counter)
        return new


class Q(Condition):
    """Conditions in words: `Q(name="x") | Q(artist__name="y")`. All words of one `Q` must hold.

    They are resolved against the model of the query set that they are given to.
    """

    __slots__ = ("words",)

    def __init__(self, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> None:
        super().__init__(tuple([_condition(condition) for condition in conditions]))
        self.words = words

    def __repr__(self) -> str:
        items = [*map(repr, self.parts), *[f"{name}={value!r}" for name, value in self.words.items()]]
        return f"Q({', '.join(items)})"


class Expression(Node, Generic[T_co]):
    """Something that has a value in SQL, of type `T_co` in Python; combine with `+ - * / %`."""

    __slots__ = ()

    def __add__(self, other: Any) -> Expression:
        return Combined("+", self, other)

    def __radd__(self, other: Any) -> Expression:
        return Combined("+", other, self)

    def __sub__(self, other: Any) -> Expression:
        return Combined("-", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return Combined("-", other, self)

    def __mul__(self, other: Any) -> Expression:
        return Combined("*", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return Combined("*", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return Combined("/", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return Combined("/", other, self)

    def __mod__(self, other: Any) -> Expression:
        return Combined("%", self, other)

    def __rmod__(self, other: Any) -> Expression:
        return Combined("%", other, self)

    def __neg__(self) -> Expression:
        return Combined("-", 0, self)

    def asc(self, *, nulls: Literal["first", "last"] | None = None) -> Ordering:
        """Order by it, smallest first; where NULLs go is the database's choice unless it is said."""
        return Ordering(self, nulls=nulls)

    def desc(self, *, nulls: Literal["first", "last"] | None = None) -> Ordering:
        """Order by it, greatest first; where NULLs go is the database's choice unless it is said."""
        return Ordering(self, descending=True, nulls=nulls)


class F(Expression):
    """A field in words, as a value: `update(plays=F("plays") + 1)`, `filter(total__gt=F("paid"))`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __repr__(self) -> str:
        return f"F({self.name!r})"


class Reference(Expression[T_co]):
    """A column of the query's model, or of a model that it reaches over relations, perhaps transformed.

    References without JSON keys are interned: the same column is the same object, so that shapes hash fast.

    Attributes:
        path: the single hops from the root of the query.
        transform: what is taken of the value: a part of a date, …
        keys: the keys and indexes into a JSON value; they are values, never part of a shape.
    """

    __slots__ = ("keys", "path", "schema", "spec", "transform")

    def __init__(
        self,
        schema: Schema,
        path: Path,
        spec: FieldSpec,
        transform: Transform | None = None,
        keys: tuple[str | int, ...] = (),
    ) -> None:
        super().__init__()
        self.schema = schema
        self.path = path
        self.spec = spec
        self.transform = transform
        self.keys = keys

    def __repr__(self) -> str:
        words = [hop.name for hop in self.path] + [self.spec.name, *map(str, self.keys)]
        return "__".join([*words, self.transform.name] if self.transform else words)

    @property
    def kind(self) -> str:
        """Which lookups it has."""
        if self.keys:
            return "json_value"
        return self.transform.kind if self.transform else self.values.kind

    @property
    def values(self) -> FieldSpec:
        """The field that says what its values are: for a foreign key the target's key."""
        return self.owner.value_spec(self.spec)

    @property
    def owner(self) -> Schema:
        """The schema whose column it is."""
        return self.path[-1].target if self.path else self.schema

    def shape(self, values: list[Any], engine: str) -> Hashable:
        if self.keys:
            values.append(self.keys)
            return (self.schema, self.path, self.spec)
        return self

    def count(self, engine: str) -> int:
        return 1 if self.keys else 0


class Value(Expression[T_co]):
    """A value as an expression."""

    __slots__ = ("value",)

    def __init__(self, value: T_co) -> None:
        super().__init__()
        self.value = value

    def __repr__(self) -> str:
        return f"Value({self.value!r})"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        values.append(self.value)
        return ("value", type(self.value))

    def count(self, engine: str) -> int:
        return 1

    @property
    def type(self) -> TypeEngine[Any]:
        """The column type that fits the value."""
        return value_type(self.value)


class Assigned(Node):
    """A checked value for a column, which says its type."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def shape(self, values: list[Any], engine: str) -> Hashable:
        values.append(self.value)
        return None

    def count(self, engine: str) -> int:
        return 1


_VALUE_TYPES: dict[type, Callable[[], TypeEngine[Any]]] = {
    bool: sa.Boolean,
    int: sa.BigInteger,
    float: sa.Double,
    str: types.Text,
    bytes: types.Binary,
    Decimal: lambda: types.Decimal(15, 6),
    datetime: types.DateTime,
    date: sa.Date,
    time: types.Time,
    timedelta: types.Duration,
    UUID: sa.Uuid,
}


def value_type(value: Any) -> TypeEngine[Any]:
    """The column type that fits a Python value. Raises `FieldError` for a type no column has."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return types.DateTime(timezone=False)
    if isinstance(value, Decimal):
        return sa.Numeric()
    if isinstance(value, enum.Enum):
        return types.Enum(type(value))
    for python, make in _VALUE_TYPES.items():
        if isinstance(value, python):
            return make()
    known = ", ".join(python.__name__ for python in _VALUE_TYPES)
    raise FieldError(f"{value!r} cannot be a value in an expression. Possible are: {known}.")


class Combined(Expression):
    """Arithmetic of two expressions."""

    __slots__ = ("operator",)

    def __init__(self, operator: _ARITHMETIC, left: Any, right: Any) -> None:
        super().__init__((expression(left), expression(right)))
        self.operator = operator

    def __repr__(self) -> str:
        return f"({self.parts[0]!r} {self.operator} {self.parts[1]!r})"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return (self.operator, self.parts[0].shape(values, engine), self.parts[1].shape(values, engine))


def expression(value: Any) -> Node:
    """A value as an expression, an expression as it is."""
    if isinstance(value, Node):
        return value
    if isinstance(value, sa.ColumnElement):
        return Clause(cast("Any", value))
    value_type(value)
    return Value(value)


class Clause(Condition, Expression):  # pyright: ignore[reportIncompatibleMethodOverride]
    """An expression of SQLAlchemy Core. Its shape is SQLAlchemy's own cache key; its parameters are values.

    Raises `FieldError` when it has no cache key or parameters that SQL decides on.
    """

    __slots__ = ("bound", "element", "key")

    def __init__(self, element: sa.ColumnElement[Any]) -> None:
        super().__init__()
        found = element._generate_cache_key()  # pyright: ignore[reportPrivateUsage]  # it has no public name
        if found is None:
            raise FieldError(f"{element} has no cache key in SQLAlchemy, so it cannot be part of a query set.")
        self.element = element
        self.key = found.key
        self.bound = tuple(found.bindparams)

    def __repr__(self) -> str:
        return f"<{self.element}>"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        values.extend([bind.effective_value for bind in self.bound])
        return ("clause", self.key, tuple([len(bind.effective_value or ()) for bind in self.bound if bind.expanding]))

    def count(self, engine: str) -> int:
        return len(self.bound)

    def placed_element(self, parameter: Callable[[sa.BindParameter[Any], int], Any]) -> sa.ColumnElement[Any]:
        """The element with its parameters replaced by those of the plan."""
        replaced = {bind: parameter(bind, self.position + index) for index, bind in enumerate(self.bound)}

        def replace(element: Any, **_: Any) -> Any:
            return replaced.get(cast("Any", element)) if isinstance(element, sa.BindParameter) else None

        replacement: sa.ColumnElement[Any] = visitors.replacement_traverse(self.element, {}, replace)
        return replacement


class Ordering(Node):
    """A term of ORDER BY."""

    __slots__ = ("descending", "nulls")

    def __init__(self, by: Node, *, descending: bool = False, nulls: Literal["first", "last"] | None = None) -> None:
        if nulls not in (None, "first", "last"):
            raise FieldError(f"nulls={nulls!r} is not possible. Choose from: 'first', 'last'.")
        super().__init__((by,))
        self.descending = descending
        self.nulls = nulls

    def __repr__(self) -> str:
        return f"{'-' if self.descending else ''}{self.parts[0]!r}"

    def reversed(self) -> Ordering:
        """The opposite order."""
        nulls: dict[Any, Any] = {"first": "last", "last": "first", None: None}
        return Ordering(self.parts[0], descending=not self.descending, nulls=nulls[self.nulls])

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return (self.descending, self.nulls, self.parts[0].shape(values, engine))
