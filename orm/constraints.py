"""What `Meta` adds to a table: `Index`, `UniqueConstraint`, `CheckConstraint`, over fields and expressions in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import NoneType
from typing import Any, ClassVar, Final, Literal, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import conv

from orm import rowterms
from orm.definitions import Definition
from orm.exceptions import FieldError
from orm.expressions import Ordering
from orm.query import Node
from orm.rowterms import Check, Term
from orm.schema import Schema
from orm.specs import FieldSpec
from orm.support import PREFIXES, Needs
from orm.tables import TablePart

Deferrable = Literal["deferred", "immediate"]
"""When a constraint that may wait is checked, unless a transaction says otherwise."""

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUALIFIED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")


class _Terms(TablePart):
    """Fields and expressions that are taken together, of all rows or of those that meet a condition."""

    __slots__ = ("condition", "include", "terms")

    unique: ClassVar[bool] = False

    def __init__(
        self,
        *terms: Term,
        name: str | None,
        condition: Node | sa.TextClause | None,
        include: Sequence[str],
        violation_message: str | None = None,
    ) -> None:
        super().__init__(name, violation_message)
        what = type(self).__name__
        if not terms:
            raise FieldError(f"{what} names no field. Give names, orders or expressions: orm.{what}('name').")
        for term in terms:
            rowterms.check_term(term, what)
            if name is None and not rowterms.is_field(term):
                raise FieldError(f"{what} of {rowterms.shown(term)} needs a name of its own: {what}(…, name='…').")
        if condition is not None:
            rowterms.check_condition(condition, f"condition of {what}")
            if name is None:
                raise FieldError(f"{what} with a condition needs a name of its own: {what}(…, name='…').")
        self.terms = terms
        self.condition = condition
        self.include = _names("include", include)

    @property
    def needs(self) -> Needs:
        """What it asks of an engine."""
        return Needs(repr(self), condition=self.condition is not None, include=bool(self.include))

    def _said(self) -> dict[str, Any]:
        """The options that were given, for messages."""
        return {"name": self.name, "condition": self.condition, "include": list(self.include) or None}

    def __repr__(self) -> str:
        parts = [*map(rowterms.shown, self.terms), *rowterms.shown_options(self._said())]
        return f"{type(self).__name__}({', '.join(parts)})"

    def check(self, schema: Schema) -> None:
        what = repr(self)
        fields = [rowterms.column_of(rowterms.resolved_term(schema, term, what)) for term in self.terms]
        for spec in self._included(schema):
            if spec in fields:
                raise FieldError(f"{schema.name}.Meta: {what} includes {spec.label}, which it has already.")
        if self.condition is not None:
            rowterms.resolved_check(schema, self.condition, what)

    def _included(self, schema: Schema) -> list[FieldSpec]:
        found: list[FieldSpec] = []
        for name in self.include:
            spec = schema.field(name)
            if spec is None:
                raise schema.unknown(name)
            found.append(spec)
        return found

    def attach(self, schema: Schema, table: sa.Table) -> None:
        needs = self.needs
        terms = [self._element(index, needs, schema, table) for index in range(len(self.terms))]
        options = self._options(needs, schema, table)
        made = sa.Index(self.name_in(schema), *terms, unique=self.unique, info=self.info, **options)
        if made.table is None:  # SQLAlchemy finds the table by the columns, if there is one
            cast("Any", made)._set_parent(table)

    def _options(self, needs: Needs, schema: Schema, table: sa.Table) -> dict[str, Any]:
        """What SQLAlchemy is told of each engine that has it."""
        options: dict[str, Any] = {}
        if self.condition is not None:
            made = rowterms.defined_check(schema, self.condition, needs, table)
            options |= {"postgresql_where": made, "sqlite_where": made}
        if self.include:
            options["postgresql_include"] = [table.c[spec.name] for spec in self._included(schema)]
        return options

    def _operator_class(self, index: int) -> str | None:
        """The operators that are taken for a term."""
        return None

    def _element(self, index: int, needs: Needs, schema: Schema, table: sa.Table) -> sa.ColumnElement[Any]:
        """A term as SQLAlchemy has it: a column as such where no more is asked, to tell it from an expression."""
        term = rowterms.resolved_term(schema, self.terms[index], needs.what)
        spec = rowterms.column_of(term)
        if isinstance(term, Ordering) and spec is not None and term.nulls is None and needs == Needs(needs.what):
            column = table.c[spec.name]
            return column.desc() if term.descending else column
        columns = rowterms.columns_of(term, table)
        return Definition(schema, term, needs, columns, self._operator_class(index), is_term=True)


class Index(_Terms):
    """An index over fields and expressions.

    Args:
        terms: names of fields, with `-` before them for descending, orders (`F("plays").desc(nulls="last")`),
            expressions (`F("price") * F("number")`, functions) and SQL, `sa.text("lower(name) DESC")`: a term as CREATE
            INDEX takes it.
        name: its name in the database, in which `%(table)s` stands for the table's; made by the naming convention
            if there are only fields and no condition.
        condition: only the rows that meet it are in the index: `Q(deleted=None)`, or SQL, `sa.text("price > 0")`. Not
            on MySQL and MariaDB.
        include: the names of fields whose values are in it, too, without being looked for. On PostgreSQL only.
        method: how it is made: on PostgreSQL an access method (`"gin"`, `"gist"`, `"brin"`, `"hash"`, `"btree"` or one
            of an extension), on MySQL and MariaDB `"btree"`, `"fulltext"` or `"spatial"`, on SQLite `"btree"`.
        operator_classes: the operator class of each term, `None` for its type's own, and for SQL, which has its own in
            it. On PostgreSQL only.

    Raises:
        FieldError: a term is none of these, an option does not fit, or it has no name and needs one.
    """

    __slots__ = ("method", "operator_classes")

    def __init__(
        self,
        *terms: Term,
        name: str | None = None,
        condition: Check | None = None,
        include: Sequence[str] = (),
        method: str | None = None,
        operator_classes: Sequence[str | None] = (),
    ) -> None:
        super().__init__(*terms, name=name, condition=condition, include=include)
        self.method = checked_method(method, "Index")
        self.operator_classes = _operator_classes(operator_classes, terms)

    @property
    def needs(self) -> Needs:
        return Needs(
            repr(self),
            condition=self.condition is not None,
            include=bool(self.include),
            method=self.method,
            operator_classes=any(self.operator_classes),
        )

    def _said(self) -> dict[str, Any]:
        classes = list(self.operator_classes) or None
        return {**super()._said(), "method": self.method, "operator_classes": classes}

    def _operator_class(self, index: int) -> str | None:
        return self.operator_classes[index] if self.operator_classes else None

    def _options(self, needs: Needs, schema: Schema, table: sa.Table) -> dict[str, Any]:
        options = super()._options(needs, schema, table)
        if self.method in PREFIXES:
            options["mysql_prefix"] = self.method.upper()
        elif self.method is not None:
            options["postgresql_using"] = self.method
        return options


class Unique(sa.UniqueConstraint):
    """A unique constraint that asks for what not every engine has."""

    needs: Needs


@compiles(Unique)
def _compile(made: Unique, compiler: Any, **options: Any) -> str:
    made.needs.check(compiler.dialect)
    return cast("str", compiler.visit_unique_constraint(made, **options))


class UniqueConstraint(_Terms):
    """No two rows have the same values of these fields and expressions.

    With expressions or a condition it is a unique index. MariaDB has none on expressions, MySQL and MariaDB none with
    a condition: creating the table raises `NotSupportedError` there.

    Args:
        terms: names of fields, expressions, and SQL, `sa.text("lower(name)")`: a term as CREATE INDEX takes it.
        name: its name in the database, in which `%(table)s` stands for the table's; made by the naming convention
            if there are only fields and no condition.
        condition: only rows that meet it are compared: `Q(deleted=None)`, or SQL, `sa.text("price > 0")`. Not on MySQL
            and MariaDB.
        include: the names of fields whose values are in its index, too, to be read from there. On PostgreSQL only.
        nulls_distinct: whether any number of rows may have NULL in a field; they may, unless it is `False`, which is
            possible on PostgreSQL only, since version 15.
        deferrable: it is checked at the end of a transaction (`"deferred"`) or of each statement (`"immediate"`; others
            are of each row), and `SET CONSTRAINTS` changes that. On PostgreSQL only.
        violation_message: a sentence for users, which is at hand as `error.violation_message`.

    Raises:
        FieldError: a term is neither, options contradict each other, or it has no name and needs one.
    """

    __slots__ = ("deferrable", "nulls_distinct")
    unique = True

    def __init__(
        self,
        *terms: Term,
        name: str | None = None,
        condition: Check | None = None,
        include: Sequence[str] = (),
        nulls_distinct: bool | None = None,
        deferrable: Deferrable | None = None,
        violation_message: str | None = None,
    ) -> None:
        super().__init__(*terms, name=name, condition=condition, include=include, violation_message=violation_message)
        if not isinstance(nulls_distinct, (bool, NoneType)):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise FieldError(f"nulls_distinct of UniqueConstraint is True or False, not {nulls_distinct!r}.")
        self.nulls_distinct = nulls_distinct
        self.deferrable: Deferrable | None = checked_deferrable(deferrable, "UniqueConstraint")
        if deferrable is not None and (condition is not None or not self.fields):
            raise FieldError(
                "UniqueConstraint with a condition or an expression is an index in the database, which cannot be "
                "deferred. Leave deferrable out, or give names of fields alone."
            )

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields; empty if it has expressions."""
        return rowterms.plain_names(self.terms)

    @property
    def unique_fields(self) -> tuple[str, ...]:
        return self.fields if self.condition is None and self.deferrable is None else ()

    @property
    def unique_expressions(self) -> bool:
        return not self.fields

    @property
    def needs(self) -> Needs:
        return Needs(
            repr(self),
            condition=self.condition is not None,
            include=bool(self.include),
            nulls_equal=self.nulls_distinct is False,
            deferrable=self.deferrable is not None,
        )

    def condition_sql(self, schema: Schema, dialect: Dialect) -> str:
        """The condition as the index has it, by which `ON CONFLICT` finds the index."""
        assert self.condition is not None
        made = rowterms.defined_check(schema, self.condition, self.needs, schema.table)
        return str(made.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))

    def _said(self) -> dict[str, Any]:
        return {**super()._said(), "nulls_distinct": self.nulls_distinct, "deferrable": self.deferrable}

    def _options(self, needs: Needs, schema: Schema, table: sa.Table) -> dict[str, Any]:
        options = super()._options(needs, schema, table)
        if self.nulls_distinct is False:
            options["postgresql_nulls_not_distinct"] = True
        return options

    def attach(self, schema: Schema, table: sa.Table) -> None:
        if not self.fields or self.condition is not None:
            super().attach(schema, table)
            return
        needs = self.needs
        terms = [rowterms.resolved_term(schema, name, needs.what) for name in self.fields]
        columns: list[Any] = [table.c[cast("FieldSpec", rowterms.column_of(term)).name] for term in terms]
        made = Unique(
            *columns,
            name=self.name_in(schema),
            info=self.info,
            **deferring(self.deferrable),
            **self._options(needs, schema, table),
        )
        made.needs = needs
        table.append_constraint(made)


class CheckConstraint(TablePart):
    """What the database requires of each row, whoever writes it; not met by a row for which the condition is false.

    Args:
        condition: a condition on the row's own fields, in words: `Q(price__gte=0)`, `F("starts") < F("ends")`; or SQL,
            `sa.text("price >= 0")`.
        name: its name in the database, in which `%(table)s` stands for the table's.
        violation_message: a sentence for users, which is at hand as `error.violation_message`.

    Raises:
        FieldError: it is no condition, or has no name.
    """

    __slots__ = ("condition",)

    def __init__(
        self,
        condition: Check,
        *,
        name: str,
        violation_message: str | None = None,
    ) -> None:
        super().__init__(name, violation_message)
        if name is None:  # pyright: ignore[reportUnnecessaryComparison]
            raise FieldError("CheckConstraint needs a name, which errors give: CheckConstraint(…, name='…').")
        rowterms.check_condition(condition, "CheckConstraint")
        self.condition: Node | sa.TextClause = condition

    def __repr__(self) -> str:
        return f"CheckConstraint({rowterms.shown(self.condition)}, name={self.name!r})"

    def check(self, schema: Schema) -> None:
        rowterms.resolved_check(schema, self.condition, repr(self))

    def attach(self, schema: Schema, table: sa.Table) -> None:
        made = rowterms.defined_check(schema, self.condition, Needs(repr(self)), table)
        # The convention for checks would put the table's name before one that is given.
        name = conv(cast("str", self.name_in(schema)))
        check = sa.CheckConstraint(made, name=name, info=self.info)  # which finds the table by the columns
        if not made.columns:
            table.append_constraint(check)


def checked_method(method: object, what: str) -> str | None:
    """The name of an access method. Raises `FieldError` for what is none."""
    if method is None or (isinstance(method, str) and _WORD.fullmatch(method)):
        return method if method is None else method.lower()
    raise FieldError(f"method of {what} is the name of an access method, such as 'gin', not {method!r}.")


def checked_deferrable(deferrable: Any, what: str) -> Deferrable | None:
    """When a constraint is checked. Raises `FieldError` for another word."""
    if deferrable not in (None, "deferred", "immediate"):
        raise FieldError(
            f"deferrable of {what} is 'deferred' (checked at the end of the transaction unless it says otherwise) or "
            f"'immediate' (of each statement), not {deferrable!r}."
        )
    found: Deferrable | None = deferrable
    return found


def deferring(deferrable: Deferrable | None) -> dict[str, Any]:
    """What SQLAlchemy is told of when a constraint is checked."""
    return {} if deferrable is None else {"deferrable": True, "initially": deferrable.upper()}


def _listed(value: object) -> tuple[Any, ...] | None:
    """What is in a list or a tuple; `None` for anything else."""
    return tuple(cast("Sequence[Any]", value)) if isinstance(value, (list, tuple)) else None


def _names(option: str, names: object) -> tuple[str, ...]:
    found = _listed(names)
    if found is None:
        raise FieldError(f"{option} takes a list of names of fields, as in ['name'], not {names!r}.")
    for name in found:
        if not isinstance(name, str) or found.count(name) > 1:
            raise FieldError(f"{option} takes names of fields, each of them once, not {list(found)!r}.")
    return found


def _operator_classes(names: object, terms: Sequence[Term]) -> tuple[str | None, ...]:
    found, count = _listed(names), len(terms)
    if found is None or len(found) not in (0, count):
        raise FieldError(
            f"operator_classes takes a list with one for each term ({count}), None for its type's own, not {names!r}."
        )
    for name in found:
        if name is not None and not (isinstance(name, str) and _QUALIFIED.fullmatch(name)):
            raise FieldError(f"operator_classes takes names, such as 'gin_trgm_ops', not {name!r}.")
    for term, name in zip(terms, found, strict=False):  # there may be none at all
        if name is not None and isinstance(term, sa.TextClause):
            raise FieldError(
                f"operator_classes has None for SQL, here {rowterms.shown(term)}, which has its own in it: "
                f"sa.text('… {name}')."
            )
    return found
