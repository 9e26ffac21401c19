"""What constraints, indexes and generated fields have in them: fields, expressions and conditions of one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast, overload

import sqlalchemy as sa

from orm.aggregates import Aggregate
from orm.conditions import Constant, Q
from orm.definitions import Definition, enumerated
from orm.exceptions import FieldError
from orm.expressions import Clause, Comparison, Condition, Expression, F, Ordering, Reference
from orm.lookups import resolve_condition
from orm.ordering import ordering
from orm.parameters import Param, ParameterLeaf, ParameterMembers
from orm.query import Node, Query, walk
from orm.schema import Schema
from orm.specs import FieldSpec
from orm.subqueries import Exists, Outer, OuterRef, Subselect
from orm.support import Needs
from orm.windows import Window, WindowFunction

Term = str | Expression[Any] | Ordering | sa.TextClause
"""What an index has: the name of a field, with `-` before it for descending; an expression; an order; SQL."""

Check = Condition | Expression[bool] | Expression[bool | None] | sa.TextClause
"""A condition on one row: in words, or in SQL."""

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


def check_term(term: object, what: str) -> None:
    """Raise `FieldError` for what is no term, or one of SQLAlchemy's other than a text."""
    if isinstance(term, sa.TextClause):
        _check_text(term, what)
    elif not isinstance(term, (str, Expression, Ordering)) or isinstance(term, Clause):
        raise FieldError(
            f"{what} takes names of fields ('name', '-name'), orders (F('name').desc()), expressions and SQL, "
            f"sa.text('…'), not {term!r}."
        )


def check_condition(condition: object, what: str) -> None:
    """Raise `FieldError` for what is no condition, or one of SQLAlchemy's other than a text."""
    if isinstance(condition, sa.TextClause):
        _check_text(condition, what)
    elif not isinstance(condition, (Condition, Expression)) or isinstance(condition, Clause):
        raise FieldError(
            f"{what} takes a condition in words, Q(price__gte=0) or F('starts') < F('ends'), or SQL, sa.text('…'), "
            f"not {condition!r}."
        )


def _check_text(text: sa.TextClause, what: str) -> None:
    """Raise `FieldError` for a text with parameters, which the definition of a table cannot have."""
    names = list(cast("Any", text)._bindparams)  # which has no public name
    if names:
        raise FieldError(
            f"{what} has no parameters, as :{names[0]} is in {shown(text)}. Write the value into the text, and a "
            "colon that begins none as \\\\:."
        )
    if not text.text.strip():
        raise FieldError(f"{what} takes SQL, and {shown(text)} has none.")


def shown(part: object) -> str:
    """A term or a condition in messages."""
    return f"text({part.text!r})" if isinstance(part, sa.TextClause) else repr(part)


def shown_options(options: Mapping[str, object]) -> list[str]:
    """The options that were given, in messages."""
    return [f"{option}={shown(value)}" for option, value in options.items() if value is not None]


def is_field(term: Term) -> bool:
    """Whether a term is a field, perhaps in an order."""
    if isinstance(term, Ordering):
        return term.nulls is None and isinstance(term.parts[0], F) and is_field(term.parts[0])
    name = term.name if isinstance(term, F) else term
    return isinstance(name, str) and "__" not in name


def plain_names(terms: tuple[Term, ...]) -> tuple[str, ...]:
    """The names of the fields that the terms are; empty if one of them is an expression or descends."""
    names = [term.name if isinstance(term, F) else term for term in terms]
    plain = [name for name in names if isinstance(name, str) and "__" not in name and name[:1] != "-"]
    return tuple(plain) if len(plain) == len(names) else ()


@overload
def resolved_term(schema: Schema, term: sa.TextClause, what: str, where: str = "Meta") -> sa.TextClause: ...
@overload
def resolved_term(
    schema: Schema, term: str | Expression[Any] | Ordering, what: str, where: str = "Meta"
) -> Ordering: ...
def resolved_term(schema: Schema, term: Term, what: str, where: str = "Meta") -> Ordering | sa.TextClause:
    """A term against the fields of a model, or SQL as it is.

    Raises:
        FieldError: it needs more than the row itself.
    """
    if isinstance(term, sa.TextClause):
        return term
    subject = f"{schema.name}.{where}: {what}"
    for part in _given(term) if isinstance(term, Node) else ():
        _refuse(part, subject)
    resolved = ordering(Query(schema), term)
    _check_row(resolved, subject, schema)
    return cast("Ordering", enumerated(resolved))


@overload
def resolved_check(schema: Schema, condition: Node, what: str, where: str = "Meta") -> Node: ...
@overload
def resolved_check(schema: Schema, condition: sa.TextClause, what: str, where: str = "Meta") -> sa.TextClause: ...
def resolved_check(
    schema: Schema, condition: Node | sa.TextClause, what: str, where: str = "Meta"
) -> Node | sa.TextClause:
    """A condition against the fields of a model, or SQL as it is.

    Raises:
        FieldError: it needs more than the row itself.
    """
    if isinstance(condition, sa.TextClause):
        return condition
    subject = f"{schema.name}.{where}: {what}"
    for part in _given(condition):
        _refuse(part, subject)
    resolved = resolve_condition(Query(schema), condition)
    if isinstance(resolved, Constant):
        raise FieldError(f"{subject} is always {resolved!r}. Give a condition on its fields.")
    _check_row(resolved, subject, schema)
    return enumerated(resolved)


def column_of(term: Ordering | sa.TextClause) -> FieldSpec | None:
    """The field that a resolved term is, whatever its direction; `None` for an expression and for SQL."""
    if isinstance(term, sa.TextClause):
        return None
    by = term.parts[0]
    return by.spec if isinstance(by, Reference) and not by.keys else None


def columns_of(node: Node | sa.TextClause, table: sa.Table) -> list[sa.Column[Any]]:
    """The columns that a resolved node is about; none of SQL, which nobody reads."""
    if isinstance(node, sa.TextClause):
        return []
    names = [part.spec.name for part in walk(node) if isinstance(part, Reference)]
    return [table.c[name] for name in dict.fromkeys(names)]


def defined_check(schema: Schema, condition: Node | sa.TextClause, needs: Needs, table: sa.Table) -> Definition:
    """A condition in the definition of a model's table. Raises `FieldError` as `resolved_check` does."""
    resolved = resolved_check(schema, condition, needs.what)
    return Definition(schema, resolved, needs, columns_of(resolved, table))


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


def _refuse(part: Node, subject: str) -> None:
    for kind, name in _FOREIGN:
        if isinstance(part, kind):
            raise _not_of_row(cast("object", part), name, subject)


def _not_of_row(part: object, name: str, subject: str) -> FieldError:
    return FieldError(
        f"{subject} cannot have {part!r} in it, which is {name}. The database computes it of one "
        "row alone: possible are its own fields, in words, values, and functions of them."
    )


def _check_row(resolved: Node, subject: str, schema: Schema) -> None:
    """Refuse what needs more than the row itself, or nothing of it."""
    own = False
    for part in walk(resolved):
        _refuse(part, subject)
        if isinstance(part, Reference):
            if part.path:
                raise _not_of_row(cast("object", part), "a field of a related row", subject)
            own = True
    if not own:
        raise FieldError(f"{subject} names no field. Choose from: {', '.join(schema.names)}.")
