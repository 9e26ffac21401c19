"""PostgreSQL's exclusion constraints: no two rows for which all comparisons are true."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.ext.compiler import compiles

from orm import rowterms
from orm.constraints import Deferrable, checked_deferrable, checked_method, deferring
from orm.definitions import Definition
from orm.exceptions import FieldError
from orm.expressions import Expression, Ordering
from orm.query import Node
from orm.rowterms import Check, Term
from orm.schema import Schema
from orm.support import Needs
from orm.tables import TablePart

_OPERATOR: Final = re.compile(r"(?!.*(--|/\*))[+\-*/<>=~!@#%^&|`?]+")
"""What an operator is made of (https://www.postgresql.org/docs/current/sql-createoperator.html)."""


class Exclusion(ExcludeConstraint):
    """An exclusion constraint that other engines refuse in a sentence."""

    needs: Needs


@compiles(Exclusion)
def _compile(made: Exclusion, compiler: Any, **options: Any) -> str:
    made.needs.check(compiler.dialect)
    return cast("str", compiler.visit_exclude_constraint(made, **options))


class ExclusionConstraint(TablePart):
    """No two rows of which all these comparisons are true: no two bookings of one room at overlapping times.

    On PostgreSQL only. Comparing plain values by `=` in a GiST index needs its extension `btree_gist`.

    Args:
        name: its name in the database, in which `%(table)s` stands for the table's.
        expressions: pairs of a field, an expression or SQL (`sa.text("lower(room)")`) and the operator that compares
            two rows' values of it: `[("room", "="), ("period", "&&")]`.
        method: the access method of its index, which has the operators.
        condition: only rows that meet it are compared: `Q(cancelled=False)`, or SQL.
        deferrable: it is checked at the end of a transaction (`"deferred"`) or of each statement (`"immediate"`).
        violation_message: a sentence for users, which is at hand as `error.violation_message`.

    Raises:
        FieldError: an option does not fit.
    """

    __slots__ = ("condition", "deferrable", "expressions", "method")

    def __init__(
        self,
        *,
        name: str,
        expressions: Sequence[tuple[str | Expression[Any] | sa.TextClause, str]],
        method: str = "gist",
        condition: Check | None = None,
        deferrable: Deferrable | None = None,
        violation_message: str | None = None,
    ) -> None:
        super().__init__(name, violation_message)
        if name is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise FieldError("ExclusionConstraint needs a name, which errors give: ExclusionConstraint(name='…', …).")
        self.expressions = tuple([_checked(pair) for pair in expressions])
        if not self.expressions:
            raise FieldError("ExclusionConstraint compares nothing. Give pairs: expressions=[('period', '&&')].")
        if condition is not None:
            rowterms.check_condition(condition, "condition of ExclusionConstraint")
        self.condition: Node | sa.TextClause | None = condition
        self.method = checked_method(method, "ExclusionConstraint") or "gist"
        self.deferrable: Deferrable | None = checked_deferrable(deferrable, "ExclusionConstraint")

    def __repr__(self) -> str:
        pairs = ", ".join([f"({rowterms.shown(term)}, {operator!r})" for term, operator in self.expressions])
        given = {
            "method": None if self.method == "gist" else self.method,
            "condition": self.condition,
            "deferrable": self.deferrable,
        }
        parts = [f"name={self.name!r}", f"expressions=[{pairs}]", *rowterms.shown_options(given)]
        return f"ExclusionConstraint({', '.join(parts)})"

    def check(self, schema: Schema) -> None:
        what = repr(self)
        for term, _ in self.expressions:
            rowterms.resolved_term(schema, term, what)
        if self.condition is not None:
            rowterms.resolved_check(schema, self.condition, what)

    def attach(self, schema: Schema, table: sa.Table) -> None:
        needs = Needs(repr(self), exclusion=True)
        pairs: list[tuple[Any, str]] = []
        for term, operator in self.expressions:
            resolved = rowterms.resolved_term(schema, term, needs.what)
            pairs.append((Definition(schema, resolved, needs, rowterms.columns_of(resolved, table)), operator))
        where: Any = None
        if self.condition is not None:
            where = rowterms.defined_check(schema, self.condition, needs, table)
        made = Exclusion(
            *pairs,
            name=self.name_in(schema),
            using=self.method,
            where=where,
            **deferring(self.deferrable),
        )
        made.needs = needs
        made.info.update(self.info)
        table.append_constraint(made)


def _checked(pair: Any) -> tuple[Term, str]:
    """A pair of what is compared and how. Raises `FieldError` for anything else."""
    if not isinstance(pair, (tuple, list)) or len(cast("Any", pair)) != 2:
        raise FieldError(
            f"expressions of ExclusionConstraint are pairs of a field and an operator, ('period', '&&'), not {pair!r}."
        )
    term, operator = cast("tuple[Any, Any]", tuple(cast("Any", pair)))
    rowterms.check_term(term, "ExclusionConstraint")
    if isinstance(term, Ordering) or (isinstance(term, str) and term.startswith("-")):
        raise FieldError(f"ExclusionConstraint has no order: give {term!r} without one.")
    if not isinstance(operator, str) or not _OPERATOR.fullmatch(operator):
        raise FieldError(f"{operator!r} is no operator of PostgreSQL's, such as '=' or '&&'.")
    return term, operator
