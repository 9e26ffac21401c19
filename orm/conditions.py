"""Resolved conditions: a lookup and what it is compared with; and `Q`, conditions in words."""

from __future__ import annotations

import copy
from collections.abc import Hashable
from typing import Any, Final, cast

import sqlalchemy as sa

from orm.expressions import Condition, Expression, Function, Reference, Tree, as_condition, output_of
from orm.keys import KIND
from orm.operators import Operator
from orm.query import Node, walk
from orm.validation import Checker, operand_checker


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
    """An expression and the operator that compares it.

    Attributes:
        left: what is compared: a column, perhaps transformed, or another resolved expression.
        key: what distinguishes it in a shape; `None` where `left` has values, which every condition has to list.
        plain: `left` is a column, or functions of one, without values.
        kind: which lookups `left` has.
        in_json: its values are such that SQLite compares them with the elements of a JSON array.
        check: checks an operand and gives it as it is sent.
    """

    __slots__ = ("check", "in_json", "key", "kind", "left", "operator", "plain")

    def __init__(self, left: Expression, operator: Operator) -> None:
        self.left = left
        self.operator = operator
        values: list[Any] = []
        shape = left.shape(values, "")
        self.key = None if values else (shape, operator)
        self.plain = not values and all(
            isinstance(part, Reference) or (isinstance(part, Function) and part.of_row) for part in walk(left)
        )
        self.kind = kind_of(left)
        self.in_json = self.kind in _JSON_LISTS or (self.kind == KIND and _json_key(left))
        bounded = operator.name in ("exact", "in")
        self.check: Checker = operand_checker(self.name, left.output, self.kind, bounded=bounded, core=operator.core)

    def __repr__(self) -> str:
        return self.name

    @property
    def field(self) -> str:
        """The words that name what is compared."""
        return repr(self.left)

    @property
    def name(self) -> str:
        """The words that name the lookup."""
        field = self.field
        if isinstance(self.left, Reference):
            spec = self.left.spec
            field = field.removesuffix(spec.name) + spec.label if field.endswith(spec.name) else field
        return f"{field}__{self.operator.name}" if self.operator.name != "exact" else field

    @property
    def parts(self) -> tuple[Node, ...]:
        """What its conditions have as a part: `left`, unless it is a column, of which the key says all."""
        return () if self.plain else (self.left,)


def _json_key(left: Node) -> bool:
    return isinstance(left, Reference) and all(
        left.owner.value_spec(part).kind in _JSON_KEYS for part in left.spec.parts
    )


def kind_of(node: Node) -> str:
    """Which lookups an expression has."""
    return node.kind if isinstance(node, Reference) else output_of(node).kind


class Looked(Condition):
    """A condition that is about a lookup."""

    __slots__ = ("lookup",)

    def __init__(self, lookup: Lookup) -> None:
        super().__init__(lookup.parts)
        self.lookup = lookup

    @property
    def left(self) -> Node:
        """What is compared."""
        return self.parts[0] if self.parts else self.lookup.left

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.left,)

    def with_children(self, children: tuple[Node, ...]) -> Node:
        new = copy.copy(self)
        Looked.__init__(new, Lookup(cast("Expression", children[0]), self.lookup.operator))
        return new

    def _key(self, values: list[Any], engine: str) -> Hashable:
        """What distinguishes the lookup in a shape; appends the values of what is compared."""
        key = self.lookup.key
        return (self.parts[0].shape(values, engine), self.lookup.operator) if key is None else key


class Leaf(Looked):
    """A lookup with its operands.

    Attributes:
        variant: what about its operands decides about SQL.
    """

    __slots__ = ("key", "values", "variant")

    def __init__(self, lookup: Lookup, values: tuple[Any, ...], variant: Hashable = None) -> None:
        super().__init__(lookup)
        self.values = values
        self.variant = variant
        self.key = self._own_key()

    def _own_key(self) -> Hashable:
        key = self.lookup.key
        return key if self.variant is None or key is None else (key, self.variant)

    def with_children(self, children: tuple[Node, ...]) -> Node:
        new = cast("Leaf", super().with_children(children))
        new.key = new._own_key()
        return new

    def __repr__(self) -> str:
        return f"{self.lookup}={self.values[-1]!r}" if self.values else f"{self.lookup}"

    def shape(self, values: list[Any], engine: str) -> Hashable:
        values.extend(self.values)
        if self.key is None:
            return (self._key(values, engine), self.variant, len(self.values))
        return self.key

    def count(self, engine: str) -> int:
        return len(self.values)


def padded(count: int) -> int:
    """How many parameters there are for some values, so that few numbers of them occur: the next power of two."""
    return 1 << (count - 1).bit_length() if count else 0


class Members(Looked):
    """`in` with a list of values: one parameter where the engine takes lists, padded to a power of two elsewhere."""

    __slots__ = ("values",)

    def __init__(self, lookup: Lookup, values: list[Any]) -> None:
        super().__init__(lookup)
        self.values = values

    def __repr__(self) -> str:
        return f"{self.lookup}={self.values!r}"

    def as_one(self, engine: str) -> bool:
        """Whether the engine takes the whole list as one parameter."""
        return engine == "postgresql" or (engine == "sqlite" and self.lookup.in_json)

    def padded(self) -> int:
        """How many parameters it has elsewhere."""
        return padded(len(self.values))

    def shape(self, values: list[Any], engine: str) -> Hashable:
        if self.as_one(engine):
            values.append(self.values)
            return (self._key(values, engine),)
        size = self.padded()
        values.extend(self.values)
        values.extend(self.values[-1:] * (size - len(self.values)))
        return (self._key(values, engine), size)

    def count(self, engine: str) -> int:
        return 1 if self.as_one(engine) else self.padded()


# The kinds whose values SQLite compares with the elements of a JSON array: text and whole numbers.
_JSON_LISTS: Final = frozenset({"text", "integer"})
_JSON_KEYS: Final = _JSON_LISTS | {"date", "datetime", "naive_datetime", "time", "uuid"}  # which SQLite has as text


class Compared(Condition):
    """A lookup whose operand is an expression, or the rows of a query."""

    __slots__ = ("lookup",)

    def __init__(self, lookup: Lookup, operand: Node) -> None:
        super().__init__((lookup.left, operand))
        self.lookup = lookup

    def __repr__(self) -> str:
        return f"{self.lookup}={self.parts[1]!r}"

    @property
    def left(self) -> Node:
        """What is compared."""
        return self.parts[0]

    def shape(self, values: list[Any], engine: str) -> Hashable:
        left, right = self.parts
        return (self.lookup.operator, left.shape(values, engine), right.shape(values, engine))


class Q(Condition):
    """Conditions in words: `Q(name="x") | Q(artist__name="y")`. All words of one `Q` must hold.

    They are resolved against the model of the query set that they are given to.
    """

    __slots__ = ("words",)

    def __init__(self, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> None:
        super().__init__(tuple([as_condition(condition) for condition in conditions]))
        self.words = words

    def __repr__(self) -> str:
        items = [*map(repr, self.parts), *[f"{name}={value!r}" for name, value in self.words.items()]]
        return f"Q({', '.join(items)})"


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


def simplify(operator: Any, parts: list[Condition]) -> Condition:
    """`and` or `or` of conditions, without those that decide nothing."""
    decides = operator == "or"
    kept: list[Condition] = []
    for part in parts:
        if isinstance(part, Constant):
            if part.truth is decides:
                return part
        else:
            kept.append(part)
    if not kept:
        return Constant(not decides)
    return kept[0] if len(kept) == 1 else Tree(operator, tuple(kept))


def negate(part: Condition) -> Condition:
    """`not` of a condition."""
    return Constant(not part.truth) if isinstance(part, Constant) else Tree("not", (part,))
