"""`Generated`: a field that the database computes of the others in its row, and that nobody writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.visitors import InternalTraversal
from typing_extensions import Unpack

from orm import kinds, rowterms
from orm.definitions import Definition
from orm.exceptions import FieldError, NotSupportedError
from orm.expressions import Condition, Expression, Reference, output_of
from orm.fields import ColumnOptions, Field, checked
from orm.query import Node, walk
from orm.restrictions import check_init
from orm.schema import Schema
from orm.specs import FieldSpec
from orm.support import Needs

T = TypeVar("T")

_VIRTUAL: Final = (18,)
"""Since which version PostgreSQL has them (https://www.postgresql.org/docs/18/ddl-generated-columns.html)."""


_OF_THE_COLUMN: Final = ("default", "primary_key", "choices", "validators", *ColumnOptions.__annotations__)
"""Options that the field which says the type cannot have."""


class Written(sa.ColumnElement[Any]):
    """SQL as a revision has it in quotes, where a colon would begin a parameter."""

    inherit_cache = False
    _traverse_internals: Any = [("element", InternalTraversal.dp_clauseelement)]

    def __init__(self, element: sa.ClauseElement) -> None:
        self.element = element
        self.type = sa.types.NULLTYPE


@compiles(Written)
def _compile_written(made: Written, compiler: Any, **options: Any) -> str:
    sql: str = compiler.process(made.element, **{**options, "include_table": False, "literal_binds": True})
    if compiler.dialect.name == "mysql":
        sql = sql.replace("%%", "%")  # doubled for the driver, which SQLAlchemy does again when the revision runs
    return sql.replace(":", "\\:")


class GeneratedColumn(sa.Computed):
    """GENERATED ALWAYS AS: SQLAlchemy's, which first asks whether the engine has it.

    Attributes:
        element: what it is computed of; `sqltext` is what Alembic writes of it.
        what: the field, for messages.
        others: the fields of the same kind that it is computed of.
    """

    def __init__(self, element: sa.ClauseElement, persisted: bool, what: str, others: tuple[str, ...]) -> None:
        super().__init__(Written(element), persisted)
        self.element = element
        self.what = what
        self.others = others

    def _copy(self, **options: Any) -> GeneratedColumn:  # SQLAlchemy's hook, for tables in other metadata
        copied = GeneratedColumn(self.element, bool(self.persisted), self.what, self.others)
        return self._schema_item_copy(copied)

    def check(self, dialect: Dialect) -> None:
        """Raise `NotSupportedError` for what the engine does not have."""
        if dialect.name != "postgresql":
            return
        version: tuple[Any, ...] = getattr(dialect, "server_version_info", None) or ()
        if not self.persisted and version < _VIRTUAL:
            raise NotSupportedError(
                f"PostgreSQL computes a column when its row is written; when it is read, only since version "
                f"{_VIRTUAL[0]}: {self.what} needs stored=True."
            )
        if self.others:
            raise NotSupportedError(
                f"PostgreSQL computes no column of another that is computed, as {self.what} of "
                f"{', '.join(self.others)}. Write its expression in the place of its name."
            )


@compiles(GeneratedColumn)
def _compile_column(made: GeneratedColumn, compiler: Any, **options: object) -> str:
    made.check(compiler.dialect)
    sql = compiler.sql_compiler.process(made.element, include_table=False, literal_binds=True)
    return f"GENERATED ALWAYS AS ({sql}) {'STORED' if made.persisted else 'VIRTUAL'}"


@dataclass(frozen=True)
class Computed:
    """What the database computes a field of.

    Attributes:
        expression: in our words, or SQL of SQLAlchemy's.
        stored: it is computed when the row is written, and kept; otherwise when it is read.
    """

    expression: Node | sa.ColumnElement[Any] | sa.TextClause
    stored: bool

    def check(self, schema: Schema, spec: FieldSpec) -> None:
        """Raise `FieldError` for what a schema does not have, or one row is not enough for."""
        if isinstance(self.expression, Node):
            self._checked(schema, spec, self.expression)

    def _checked(self, schema: Schema, spec: FieldSpec, expression: Node) -> Node:
        node = _resolved(schema, spec, expression)
        given = "boolean" if isinstance(node, Condition) else output_of(node).kind
        if not kinds.comparable(spec.kind, given):
            raise FieldError(
                f"{schema.name}.{spec.name} ({spec.kind}) cannot be generated from {expression!r} ({given}). Give "
                "the output_field of its values, or cast it."
            )
        if spec in _references(node):
            raise FieldError(f"{schema.name}.{spec.name} is generated from itself. Give another field.")
        return node

    def column(self, schema: Schema, spec: FieldSpec) -> sa.Computed:
        """What the column of a field is, in the table of a schema."""
        what = f"{schema.name}.{spec.name}"
        if not isinstance(self.expression, Node):
            return GeneratedColumn(self.expression, self.stored, what, ())
        node = self._checked(schema, spec, self.expression)
        made = Definition(schema, node, Needs(what, generated=True), ())
        others = tuple([other.name for other in _references(node) if other.computed is not None])
        return GeneratedColumn(made, self.stored, what, others)


def _resolved(schema: Schema, spec: FieldSpec, expression: Node) -> Node:
    what = f"Generated({expression!r})"
    if isinstance(expression, Condition):
        return rowterms.resolved_check(schema, expression, what, spec.name)
    return rowterms.resolved_term(schema, cast("Expression", expression), what, spec.name).parts[0]


def _references(node: Node) -> list[FieldSpec]:
    return list(dict.fromkeys([part.spec for part in walk(node) if isinstance(part, Reference)]))


def Generated(
    expression: Expression[Any] | Condition | sa.ColumnElement[Any] | sa.TextClause,
    *,
    output_field: Field[T],
    stored: bool = True,
    init: Literal[False] = False,
    **options: Unpack[ColumnOptions],
) -> Field[T]:
    """A field that the database computes of the others in its row; nobody writes it.

    Args:
        expression: of the row's own fields, in words: `F("price") * F("number")`, functions, conditions; or SQL,
            `sa.text("…")`, and expressions of SQLAlchemy Core.
        output_field: a field that says what the values are: `orm.Integer()`, with `null=True` if they may be NULL.
        stored: it is computed when the row is written, and kept. With `False` it is computed when it is read, which
            PostgreSQL does not have before version 18.
        init: for type checkers, always `False`: it is no argument of the model's constructor.
        options: `unique`, `index`, `column`, `comment` and `renamed_from`.

    Raises:
        FieldError: what is given is no expression or no field, or an option has no meaning here.
    """
    check_init("Generated", init, "the database makes the value")
    _check_expression(expression)
    given = checked("Generated", options, "output_field", "stored", common=ColumnOptions.__annotations__)
    if not isinstance(output_field, Field):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FieldError(f"Generated: output_field says what it gives, as in orm.Integer(), and not {output_field!r}.")
    if not isinstance(stored, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise FieldError(f"Generated: stored is True or False, not {stored!r}.")
    kind: Field[Any] = output_field
    misplaced = [name for name in _OF_THE_COLUMN if name in kind.options]
    if misplaced or kind.filled:
        what = f"without {misplaced[0]}" if misplaced else "of plain values"
        raise FieldError(f"Generated: the output_field says what the values are; give one {what}: orm.Integer().")
    null = {"null": True} if kind.options.get("null") else {}
    return Field[T](
        kind.kind,
        kind.type,
        kind.core,
        {**given, **null},
        operand=kind.operand,
        generated=True,
        computed=Computed(expression, stored),
    )


def _check_expression(expression: object) -> None:
    given = isinstance(expression, (Expression, Condition, sa.ColumnElement, sa.TextClause))
    if not given:
        raise FieldError(
            f"Generated takes an expression, F('price') * F('number'), a condition, or SQL, sa.text('…'), not "
            f"{expression!r}."
        )
