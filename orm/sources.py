"""What rows come from besides a table: set operations of queries, and common table expressions (`CTE`)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Hashable
from typing import Any, Final

from orm.exceptions import FieldError
from orm.expressions import Expression, output_of
from orm.query import Node, Query, QueryHolder
from orm.specs import FieldSpec
from orm.subqueries import Subselect

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class SetOperation(Node):
    """The rows of several queries put together: the parts are their `Subselect`s."""

    __slots__ = ("operator",)

    def __init__(self, operator: str, members: tuple[Subselect, ...]) -> None:
        super().__init__(members)
        self.operator = operator

    def __repr__(self) -> str:
        return f"{self.operator} of {', '.join(map(repr, self.parts))}"

    @property
    def closed(self) -> bool:
        """Whether it has columns of its own, rather than those of a model."""
        return any(isinstance(part, Subselect) and part.query.columns is not None for part in self.parts)

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return (self.operator, *[part.shape(values, engine) for part in self.parts])


class SourceColumn(Expression):
    """A column of the rows that a set operation gives."""

    __slots__ = ("name", "spec")

    def __init__(self, name: str, spec: FieldSpec) -> None:
        super().__init__()
        self.name = name
        self.spec = spec

    def __repr__(self) -> str:
        return self.name

    @property
    def output(self) -> FieldSpec:
        return self.spec

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return ("source", self.name)


class CTE(Node):
    """Rows under a name, `WITH name AS (…)`, for `with_cte()`; they may be built on themselves.

    Args:
        name: its name in SQL.
        queryset: the rows, as `values()` with names of their own.
        recursive: a function that is given the `CTE` and gives the rows that follow from those found so far, with the
            same columns; it is asked again of what it gave until there is nothing new.
        distinct: leave out rows that were found before, which ends a walk in a circle.
    """

    __slots__ = ("c", "distinct", "itself", "name", "specs")

    def __init__(
        self,
        name: str,
        queryset: QueryHolder,
        *,
        recursive: Callable[[CTE], QueryHolder] | None = None,
        distinct: bool = False,
    ) -> None:
        if not _IDENTIFIER.match(name):
            raise FieldError(f"{name!r} cannot name a CTE: a name has letters, digits and underscores.")
        base = _columns_of(f"CTE {name!r}", queryset)
        super().__init__((Subselect(base),))
        self.name = name
        self.distinct = distinct
        self.specs = dict(zip(base.selection.names, map(output_of, base.columns or ()), strict=True))
        self.c = CTEColumns(self)
        for column in self.specs:
            if not _IDENTIFIER.match(column) or "__" in column:
                raise FieldError(
                    f"{column!r} cannot name a column of the CTE {name!r}. Give it a name: "
                    f"values({column.replace('__', '_')}=F({column!r}))."
                )
        self.itself: CTE | None = None
        if recursive is not None:
            self.itself = copy.copy(self)  # the rows found so far; it has no parts, or it would have itself in it
            self.itself.parts = ()
            self.itself.c = CTEColumns(self.itself)
            following = _columns_of(f"The recursive part of {name!r}", recursive(self.itself))
            self._check_same(base, following)
            self.parts = (*self.parts, Subselect(following))

    def __repr__(self) -> str:
        return f"<CTE {self.name}: {', '.join(self.specs)}>"

    def _check_same(self, base: Query, following: Query) -> None:
        if base.selection.names != following.selection.names:
            raise FieldError(
                f"The recursive part of {self.name!r} has the columns {', '.join(following.selection.names)}, and the "
                f"first part {', '.join(base.selection.names)}. They must be the same, in the same order."
            )
        if following.sliced:
            raise FieldError(f"The recursive part of {self.name!r} cannot have a limit. Give one to the query around.")

    def shape(self, values: list[Any], engine: str) -> Hashable:
        parts = tuple([part.shape(values, engine) for part in self.parts])
        return ("cte", self.name, self.distinct, parts)


class CTEColumns:
    """The columns of a CTE: `chain.c.manager_id`."""

    __slots__ = ("_cte",)

    def __init__(self, cte: CTE) -> None:
        self._cte = cte

    def __getattr__(self, name: str) -> CTEColumn:
        spec = self._cte.specs.get(name)
        if spec is None:
            raise AttributeError(f"{self._cte!r} has no column {name!r}. Choose from: {', '.join(self._cte.specs)}.")
        return CTEColumn(self._cte, name, spec)

    __getitem__ = __getattr__


class CTEColumn(Expression):
    """A column of a CTE."""

    __slots__ = ("cte", "name", "spec")

    def __init__(self, cte: CTE, name: str, spec: FieldSpec) -> None:
        super().__init__()
        self.cte = cte
        self.name = name
        self.spec = spec

    def __repr__(self) -> str:
        return f"{self.cte.name}.c.{self.name}"

    @property
    def output(self) -> FieldSpec:
        return self.spec

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return ("cte column", self.cte.name, self.name)


class Join(Node):
    """A CTE that a query's rows are joined with; the parts are the CTE and the conditions."""

    __slots__ = ()

    @property
    def cte(self) -> Node:
        """The CTE."""
        return self.parts[0]

    def shape(self, values: list[Any], engine: str) -> Hashable:
        return tuple([part.shape(values, engine) for part in self.parts])


def _columns_of(what: str, queryset: object) -> Query:
    """The query of rows with named columns. Raises `FieldError`."""
    if not isinstance(queryset, QueryHolder):
        raise FieldError(f"{what} is a query set, not {queryset!r}.")
    if queryset.query.columns is None:
        raise FieldError(f"{what} needs columns with names: .values('id', …).")
    return queryset.query
