"""Conditions and expressions: what users combine, and what the compiler turns into SQL.

`Condition`s are combined with `&`, `|` and `~`; `Expression`s with arithmetic, and compared. Words (`F`) and
comparisons of expressions are resolved against a model when they are given to a query set; `conditions.py` has what
they become.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine
from typing_extensions import TypeVar

from orm import kinds, moments
from orm.exceptions import FieldError
from orm.hierarchy import declaring
from orm.operators import Element
from orm.query import Node, Path, QueryHolder
from orm.schema import Schema
from orm.specs import FieldSpec
from orm.validation import operand_checker

T_co = TypeVar("T_co", covariant=True, default=Any)
_ARITHMETIC = Literal["+", "-", "*", "/", "%"]


class Condition(Node):
    """One condition of a WHERE; combine with `&`, `|` and `~`."""

    __slots__ = ()

    def __and__(self, other: Condition) -> Condition:
        return Tree("and", (self, as_condition(other)))

    def __or__(self, other: Condition) -> Condition:
        return Tree("or", (self, as_condition(other)))

    def __invert__(self) -> Condition:
        return Tree("not", (self,))

    if not TYPE_CHECKING:  # a checker that sees it would let conditions through as booleans

        def __bool__(self):
            raise TypeError("A condition has no truth value. Combine conditions with &, | and ~, not and, or and not.")

    @property
    def output(self) -> FieldSpec:
        """What its value is where it is one."""
        return kinds.computed("boolean")


def as_condition(other: object) -> Condition:
    """A condition as it is; an expression of SQLAlchemy Core as a condition. Raises `TypeError`."""
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


class Comparison(Condition):
    """An expression, the name of a lookup, and what it is compared with, before they are resolved."""

    __slots__ = ("lookup", "operand")

    def __init__(self, left: Expression, lookup: str, operand: Any) -> None:
        super().__init__((left,))
        self.lookup = lookup
        self.operand = operand

    def __repr__(self) -> str:
        return f"{self.parts[0]!r}__{self.lookup}={self.operand!r}"


class Expression(Node, Generic[T_co]):
    """Something that has a value in SQL, of type `T_co` in Python; combine with `+ - * / %`, and compare.

    `!=` is true for NULL, too, as `exclude()` is.
    """

    __slots__ = ()
    __hash__ = object.__hash__

    @property
    def output(self) -> FieldSpec:
        """What its value is. Only expressions that are resolved know."""
        raise FieldError(f"{self!r} is known only within a query set: it says nothing about its type by itself.")

    def check(self) -> None:
        """Raise `FieldError` for operands it does not take; called when they are resolved."""

    # ------------------------------------------------------------ arithmetic

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

    # ------------------------------------------------------------ comparison

    def _compare(self, lookup: str, operand: Any) -> Condition:
        return Comparison(self, lookup, operand)

    def __eq__(self, other: object) -> Condition:  # type: ignore[override]  # ty: ignore[incompatible-method-override]
        return self._compare("exact", other)

    def __ne__(self, other: object) -> Condition:  # type: ignore[override]  # ty: ignore[incompatible-method-override]
        return ~self._compare("exact", other)

    def __lt__(self, other: Any) -> Condition:
        return self._compare("lt", other)

    def __le__(self, other: Any) -> Condition:
        return self._compare("lte", other)

    def __gt__(self, other: Any) -> Condition:
        return self._compare("gt", other)

    def __ge__(self, other: Any) -> Condition:
        return self._compare("gte", other)

    def is_null(self, truth: bool = True) -> Condition:
        """It is NULL; with `False`, it is not."""
        return self._compare("isnull", truth)

    def is_in(self, values: Iterable[Any] | QueryHolder) -> Condition:
        """It is one of the values; or, given a query set of one column, one of its rows."""
        return self._compare("in", values)

    def range(self, low: Any, high: Any) -> Condition:
        """It lies between the two, both included."""
        return self._compare("range", (low, high))

    def lookup(self, name: str, value: Any) -> Condition:
        """The condition of any lookup by its name, as in `filter(title__name=value)`; those of your own, too."""
        return self._compare(name, value)

    def iexact(self: Expression[str | None], value: str) -> Condition:
        """It is the text, but for case."""
        return self._compare("iexact", value)

    def contains(self: Expression[str | None], value: str) -> Condition:
        """It has the text in it."""
        return self._compare("contains", value)

    def icontains(self: Expression[str | None], value: str) -> Condition:
        """It has the text in it, but for case."""
        return self._compare("icontains", value)

    def startswith(self: Expression[str | None], value: str) -> Condition:
        """It begins with the text."""
        return self._compare("startswith", value)

    def istartswith(self: Expression[str | None], value: str) -> Condition:
        """It begins with the text, but for case."""
        return self._compare("istartswith", value)

    def endswith(self: Expression[str | None], value: str) -> Condition:
        """It ends with the text."""
        return self._compare("endswith", value)

    def iendswith(self: Expression[str | None], value: str) -> Condition:
        """It ends with the text, but for case."""
        return self._compare("iendswith", value)

    def regex(self: Expression[str | None], value: str) -> Condition:
        """It matches the regular expression, in the database's dialect."""
        return self._compare("regex", value)

    def iregex(self: Expression[str | None], value: str) -> Condition:
        """It matches the regular expression, but for case."""
        return self._compare("iregex", value)

    def search(self: Expression[str | None], value: str) -> Condition:
        """It matches the words, by the database's full text search."""
        return self._compare("search", value)

    # ------------------------------------------------------------ order

    def asc(self, *, nulls: Literal["first", "last"] | None = None) -> Ordering:
        """Order by it, smallest first; where NULLs go is the database's choice unless it is said."""
        return Ordering(self, nulls=nulls)

    def desc(self, *, nulls: Literal["first", "last"] | None = None) -> Ordering:
        """Order by it, greatest first; where NULLs go is the database's choice unless it is said."""
        return Ordering(self, descending=True, nulls=nulls)


def output_of(node: Node) -> FieldSpec:
    """What the value of a resolved expression or condition is."""
    return cast("Expression", node).output


class F(Expression):
    """A field or an annotation in words, as a value: `update(plays=F("plays") + 1)`, `filter(total__gt=F("paid"))`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def __repr__(self) -> str:
        return f"F({self.name!r})"


class Reference(Expression[T_co]):
    """A column of the query's model, or of a model that it reaches over relations.

    References without JSON keys are interned: the same column is the same object, so that shapes hash fast.

    Attributes:
        path: the single hops from the root of the query.
        keys: the keys and indexes into a JSON value; they are values, never part of a shape.
    """

    __slots__ = ("keys", "path", "schema", "spec")
    # It is part of the shapes that plans are found by.
    __eq__ = object.__eq__  # type: ignore[assignment]  # ty: ignore[incompatible-method-override]
    __ne__ = object.__ne__  # type: ignore[assignment]  # ty: ignore[incompatible-method-override]
    __hash__ = object.__hash__

    def __init__(self, schema: Schema, path: Path, spec: FieldSpec, keys: tuple[str | int, ...] = ()) -> None:
        super().__init__()
        self.schema = schema
        self.path = path
        self.spec = spec
        self.keys = keys

    def __repr__(self) -> str:
        hops = [hop.name for hop in self.path if hop.spec.kind != "parent"]  # which leads to fields of its own
        return "__".join([*hops, self.spec.name, *map(str, self.keys)])

    @property
    def kind(self) -> str:
        """Which lookups it has."""
        return "json_value" if self.keys else self.values.kind

    @property
    def values(self) -> FieldSpec:
        """The field that says what its values are: for a foreign key the target's key."""
        return self.owner.value_spec(self.spec)

    @property
    def nullable(self) -> bool:
        """Whether it may be NULL: the column, a row on the way, or a value inside JSON."""
        return bool(self.keys) or self.spec.null or any(hop.may_be_missing for hop in self.path)

    @property
    def output(self) -> FieldSpec:
        if self.keys:
            return kinds.computed("json")
        return kinds.like(self.values, null=self.nullable)

    @property
    def owner(self) -> Schema:
        """The schema whose column it is."""
        return declaring(self.path[-1].target if self.path else self.schema, self.spec)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        if self.keys:
            values.append(self.keys)
            return (self.schema, self.path, self.spec)
        return self

    def count(self, engine: str) -> int:
        return 1 if self.keys else 0


class Handle(Expression[T_co]):
    """What stands for a resolved expression on a class: `Album.title`, `Album.released.year`."""

    __slots__ = ("schema",)

    def __init__(self, schema: Schema, node: Expression[T_co]) -> None:
        super().__init__((node,))
        self.schema = schema

    def __repr__(self) -> str:
        return repr(self.parts[0])

    @property
    def node(self) -> Expression[T_co]:
        """The expression itself."""
        return cast("Expression[T_co]", self.parts[0])

    @property
    def output(self) -> FieldSpec:
        return self.node.output


class Annotation(Expression[T_co]):
    """An expression under the name that a query gave it.

    Attributes:
        of_rows: it has a value for each row of a model, also where these are grouped later.
    """

    __slots__ = ("name", "of_rows")

    def __init__(self, name: str, expression: Node, *, of_rows: bool = False) -> None:
        super().__init__((expression,))
        self.name = name
        self.of_rows = of_rows

    def __repr__(self) -> str:
        return self.name

    @property
    def output(self) -> FieldSpec:
        return output_of(self.parts[0])

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return self.parts[0].shape(values, engine)


class Value(Expression[T_co]):
    """A value as an expression.

    Args:
        value: the value.
        output_field: a field that says its type, as in `Value(None, output_field=orm.Integer())`; what Python's type
            says if it is not given.

    Raises:
        FieldError: no column has values of that type, or `output_field` is no field.
        ValidationError: it is no value of `output_field`.
    """

    __slots__ = ("key", "spec", "value")

    def __init__(self, value: T_co, output_field: kinds.FieldOf[Any] | None = None) -> None:
        super().__init__()
        self.value = value
        self.key: Hashable = None
        if output_field is None:
            self.spec = kinds.of_value(value)
            return
        self.spec = kinds.like(kinds.of_field("Value", output_field), null=value is None)
        self.key = kinds.key(self.spec)
        if value is not None:
            self.value = operand_checker("Value", self.spec, self.spec.kind, bounded=True)(value)

    def __repr__(self) -> str:
        return f"Value({self.value!r})"

    @property
    def output(self) -> FieldSpec:
        return self.spec

    def shape(self, values: list[Any], engine: str) -> Hashable:
        if self.value is not None:  # which is NULL in SQL, and no parameter
            values.append(self.value)
        return ("value", type(cast("object", self.value)), self.spec.kind, self.key)

    def count(self, engine: str) -> int:
        return 0 if self.value is None else 1

    @property
    def type(self) -> TypeEngine[Any]:
        """The column type that fits the value."""
        return self.spec.type


class Combined(Expression):
    """Arithmetic of two expressions."""

    __slots__ = ("operator",)

    def __init__(self, operator: _ARITHMETIC, left: Any, right: Any) -> None:
        super().__init__((expression(left), expression(right)))
        self.operator = operator

    def __repr__(self) -> str:
        return f"({self.parts[0]!r} {self.operator} {self.parts[1]!r})"

    @property
    def output(self) -> FieldSpec:
        return kinds.combined(self.operator, output_of(self.parts[0]), output_of(self.parts[1]))

    def check(self) -> None:
        left, right = (output_of(part).kind for part in self.parts)
        reason = moments.refused(self.operator, left, right)
        if reason is not None:
            raise FieldError(f"{self!r}: {reason}")

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return (self.operator, self.parts[0].shape(values, engine), self.parts[1].shape(values, engine))


class Function(Expression[T_co]):
    """A function in SQL of the expressions that are its parts; the base of all functions.

    A subclass says what it gives (`output`) and how each engine spells it (`build`); `check`, if it takes only some
    kinds of operands, which; and `options`, if something besides its operands decides about the SQL.

    Attributes:
        of_row: it needs no other row than the one that it is computed for.
        collates_by: where the collation of the text that it gives comes from.
    """

    __slots__ = ()

    of_row: ClassVar[bool] = True
    collates_by: ClassVar[Literal["operands", "itself", "nothing"]] = "operands"

    def __init__(self, *operands: Any) -> None:
        super().__init__(tuple([operand(given) for given in operands]))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.parts))})"

    @property
    def options(self) -> Hashable:
        """What decides about the SQL besides the operands."""
        return None

    @property
    def output(self) -> FieldSpec:
        """What its value is: like that of its first operand, unless a subclass says otherwise."""
        return kinds.like(output_of(self.parts[0]), null=any(output_of(part).null for part in self.parts))

    def build(self, dialect: Dialect, operands: tuple[Element, ...]) -> Element:
        """Its SQL."""
        raise NotImplementedError

    def shape(self, values: list[Any], engine: str) -> Hashable:
        parts = tuple([part.shape(values, engine) for part in self.parts])
        return (type(self), self.options, parts)


def expression(value: Any) -> Node:
    """A value as an expression, an expression as it is."""
    if isinstance(value, Node):
        return value
    if isinstance(value, sa.ColumnElement):
        return Clause(cast("Any", value))
    return Value(value)


def operand(value: Any) -> Node:
    """What a function takes: a text names a field or an annotation; anything else is as in `expression`."""
    return F(value) if isinstance(value, str) else expression(value)


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

    @property
    def output(self) -> FieldSpec:
        return kinds.of_type(self.element.type)

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
