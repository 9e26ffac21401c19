"""What `Meta` adds to a table: `Index`, `UniqueConstraint`, `CheckConstraint`, over fields and expressions in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final, cast

import sqlalchemy as sa
from sqlalchemy.sql.elements import conv

from orm.aggregates import Aggregate
from orm.conditions import Constant, Q
from orm.definitions import Definition, enumerated
from orm.exceptions import FieldError
from orm.expressions import Clause, Comparison, Condition, Expression, F, Ordering, Reference
from orm.lookups import resolve_condition
from orm.ordering import ordering
from orm.parameters import Param, ParameterLeaf, ParameterMembers
from orm.query import Node, Query, walk
from orm.schema import Schema, TablePart
from orm.subqueries import Exists, Outer, OuterRef, Subselect
from orm.windows import Window, WindowFunction

Term = str | Expression[Any] | Ordering
"""What an index has: the name of a field, with `-` before it for descending; an expression; an order."""

_FOREIGN: Final[tuple[tuple[type[Node], str], ...]] = (
    (Aggregate, "an aggregate"),
    (Window, "a window"),
    (WindowFunction, "a window function"),
    (Subselect, "a query set"),
    (Exists, "a query set"),
    (OuterRef, "a field of another query"),
    (Outer, "a field of another query"),
    (Param, "a parameter"),
    (ParameterLeaf, "about a parameter"),
    (ParameterMembers, "about a parameter"),
    (Clause, "an expression of SQLAlchemy Core"),
)
"""What the definition of a table cannot have in it."""


class _Terms(TablePart):
    """Fields and expressions that are taken together."""

    __slots__ = ("terms",)

    unique: ClassVar[bool] = False

    def __init__(self, *terms: Term, name: str | None = None) -> None:
        super().__init__(name)
        what = type(self).__name__
        if not terms:
            raise FieldError(f"{what} names no field. Give names, orders or expressions: orm.{what}('name').")
        for term in terms:
            if not isinstance(term, (str, Expression, Ordering)) or isinstance(term, Clause):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise FieldError(
                    f"{what} takes names of fields ('name', '-name'), orders (F('name').desc()) and expressions, not "
                    f"{term!r}."
                )
            if name is None and not _is_field(term):
                raise FieldError(f"{what} of {term!r} needs a name of its own: {what}(…, name='…').")
        self.terms = terms

    def __repr__(self) -> str:
        name = [] if self.name is None else [f"name={self.name!r}"]
        return f"{type(self).__name__}({', '.join([*map(repr, self.terms), *name])})"

    def check(self, schema: Schema) -> None:
        for term in self.terms:
            self._resolved(schema, term)

    def attach(self, schema: Schema, table: sa.Table) -> None:
        terms = [self._element(self._resolved(schema, term), schema, table) for term in self.terms]
        sa.Index(self.name_in(schema), *terms, unique=self.unique)  # which finds the table by the columns

    def _resolved(self, schema: Schema, term: Term) -> Ordering:
        for part in _given(term) if isinstance(term, Node) else ():
            _refuse(part, repr(self), schema)
        resolved = ordering(Query(schema), term)
        _check_row(resolved, repr(self), schema)
        return cast("Ordering", enumerated(resolved))

    def _element(self, term: Ordering, schema: Schema, table: sa.Table) -> sa.ColumnElement[Any]:
        """A term as SQLAlchemy has it: a column as such, for it to be told from an expression."""
        by = term.parts[0]
        if isinstance(by, Reference) and not by.keys and term.nulls is None:
            column = table.c[by.spec.name]
            return column.desc() if term.descending else column
        return Definition(schema, term, repr(self), _columns(term, table))


class Index(_Terms):
    """An index over fields and expressions.

    Args:
        terms: names of fields, with `-` before them for descending, orders (`F("plays").desc(nulls="last")`) and
            expressions (`F("price") * F("number")`, functions).
        name: its name in the database, in which `%(table)s` stands for the table's; made by the naming convention
            if there are only fields.

    Raises:
        FieldError: a term is none of these, or an expression has no name.
    """

    __slots__ = ()


class UniqueConstraint(_Terms):
    """No two rows have the same values of these fields and expressions.

    With expressions it is a unique index, which MariaDB does not have: creating the table raises `NotSupportedError`
    there.

    Args:
        terms: names of fields, and expressions.
        name: its name in the database, in which `%(table)s` stands for the table's; made by the naming convention
            if there are only fields.

    Raises:
        FieldError: a term is neither, or an expression has no name.
    """

    __slots__ = ()
    unique = True

    @property
    def unique_fields(self) -> tuple[str, ...]:
        names = [term.name if isinstance(term, F) else term for term in self.terms]
        plain = [name for name in names if isinstance(name, str) and "__" not in name and name[:1] != "-"]
        return tuple(plain) if len(plain) == len(names) else ()

    @property
    def unique_expressions(self) -> bool:
        return not self.unique_fields

    def attach(self, schema: Schema, table: sa.Table) -> None:
        if self.unique_expressions:
            super().attach(schema, table)
            return
        columns = [self._element(self._resolved(schema, name), schema, table) for name in self.unique_fields]
        table.append_constraint(sa.UniqueConstraint(*cast("Any", columns), name=self.name_in(schema)))


class CheckConstraint(TablePart):
    """What the database requires of each row, whoever writes it; not met by a row for which the condition is false.

    Args:
        condition: a condition on the row's own fields, in words: `Q(price__gte=0)`, `F("starts") < F("ends")`.
        name: its name in the database, in which `%(table)s` stands for the table's.

    Raises:
        FieldError: it is no condition, or has no name.
    """

    __slots__ = ("condition",)

    def __init__(self, condition: Condition | Expression[bool] | Expression[bool | None], *, name: str) -> None:
        super().__init__(name)
        if name is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise FieldError("CheckConstraint needs a name, which errors give: CheckConstraint(…, name='…').")
        if not isinstance(condition, (Condition, Expression)) or isinstance(condition, Clause):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(
                f"CheckConstraint takes a condition in words, Q(price__gte=0) or F('starts') < F('ends'), not "
                f"{condition!r}."
            )
        self.condition: Node = condition

    def __repr__(self) -> str:
        return f"CheckConstraint({self.condition!r}, name={self.name!r})"

    def check(self, schema: Schema) -> None:
        self._resolved(schema)

    def attach(self, schema: Schema, table: sa.Table) -> None:
        condition = self._resolved(schema)
        made = Definition(schema, condition, repr(self), _columns(condition, table))
        # The convention for checks would put the table's name before one that is given.
        sa.CheckConstraint(made, name=conv(cast("str", self.name_in(schema))))  # which finds the table by the columns

    def _resolved(self, schema: Schema) -> Node:
        for part in _given(self.condition):
            _refuse(part, repr(self), schema)
        resolved = resolve_condition(Query(schema), self.condition)
        if isinstance(resolved, Constant):
            raise FieldError(f"{schema.name}.Meta: {self!r} is always {resolved!r}. Give a condition on its fields.")
        _check_row(resolved, repr(self), schema)
        return enumerated(resolved)


def _is_field(term: Term) -> bool:
    """Whether a term is a field, perhaps in an order."""
    if isinstance(term, Ordering):
        return term.nulls is None and isinstance(term.parts[0], F) and _is_field(term.parts[0])
    name = term.name if isinstance(term, F) else term
    return isinstance(name, str) and "__" not in name


def _given(node: Node) -> Iterator[Node]:
    """What a user put together: the parts, and what is compared with them."""
    yield node
    operands: tuple[Any, ...] = ()
    if isinstance(node, Comparison):
        operands = (node.operand,)
    elif isinstance(node, Q):
        operands = tuple(node.words.values())
    for value in operands:
        for item in cast("list[Any]", value) if isinstance(value, (list, tuple)) else [value]:
            if isinstance(item, sa.ColumnElement):
                yield Clause(cast("Any", item))
            elif isinstance(item, Node):
                yield from _given(item)
    for part in node.parts:
        yield from _given(part)


def _refuse(part: Node, what: str, schema: Schema) -> None:
    for kind, name in _FOREIGN:
        if isinstance(part, kind):
            raise _not_of_row(cast("object", part), name, what, schema)


def _not_of_row(part: object, name: str, what: str, schema: Schema) -> FieldError:
    return FieldError(
        f"{schema.name}.Meta: {what} cannot have {part!r} in it, which is {name}. The database computes it of one "
        "row alone: possible are its own fields, in words, values, and functions of them."
    )


def _check_row(resolved: Node, what: str, schema: Schema) -> None:
    """Refuse what needs more than the row itself, or nothing of it."""
    own = False
    for part in walk(resolved):
        _refuse(part, what, schema)
        if isinstance(part, Reference):
            if part.path:
                raise _not_of_row(cast("object", part), "a field of a related row", what, schema)
            own = True
    if not own:
        raise FieldError(f"{schema.name}.Meta: {what} names no field. Choose from: {', '.join(schema.names)}.")


def _columns(node: Node, table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that a resolved node is about."""
    names = [part.spec.name for part in walk(node) if isinstance(part, Reference)]
    return [table.c[name] for name in dict.fromkeys(names)]
