"""Expressions in the definition of a table: in its constraints and indexes.

A table is made once, for every engine; what an expression of ours is in SQL depends on the engine. A `Definition`
holds the expression and becomes SQL when a dialect compiles it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import elements, functions, visitors
from sqlalchemy.sql.operators import custom_op
from sqlalchemy.sql.visitors import InternalTraversal

from orm.conditions import Members
from orm.database.sqlite_functions import FUNCTIONS
from orm.elements import element
from orm.engines import engine_name, is_mariadb
from orm.exceptions import NotSupportedError
from orm.expressions import Ordering, Reference
from orm.literals import literal
from orm.operators import Element
from orm.query import Counter, Node
from orm.schema import Schema
from orm.scopes import Compilation, Scope
from orm.support import Needs

# Since which version of MySQL and MariaDB they have, and keep to, what is defined.
_CHECKS = ((8, 0, 16), (10, 2, 1))
_EXPRESSIONS = (8, 0, 13)


class Enumerated(Members):
    """`in` with a list whose values stand one by one in the SQL of every engine."""

    __slots__ = ()

    def as_one(self, engine: str) -> bool:
        return False

    def padded(self) -> int:
        return len(self.values)


def enumerated(node: Node) -> Node:
    """A condition or an expression whose lists of values need no subquery and no parameter."""
    if type(node) is Members:
        node = Enumerated(node.lookup, node.values)
    children = tuple([enumerated(child) for child in node.children])
    changed = any(new is not old for new, old in zip(children, node.children, strict=True))
    return node.with_children(children) if changed else node


class OperatorClass(sa.ColumnElement[Any]):
    """A term of an index and the operators that PostgreSQL takes for it."""

    inherit_cache = False
    _traverse_internals: Any = [("by", InternalTraversal.dp_clauseelement)]

    def __init__(self, by: Element, name: str) -> None:
        self.by = by
        self.name = name
        self.type = by.type


@compiles(OperatorClass)
def _compile_operator_class(made: OperatorClass, compiler: Any, **options: Any) -> str:
    names = [compiler.preparer.quote(name) for name in made.name.split(".")]
    return f"{compiler.process(made.by, **options)} {'.'.join(names)}"


class Definition(sa.ColumnElement[Any]):
    """A resolved condition or expression in the definition of a table.

    Attributes:
        node: the condition or the expression; an `Ordering` for a term of an index; SQL, which is taken as it is.
        needs: what it is part of, and what that asks of an engine.
        columns: the table's columns in it, by which SQLAlchemy finds the table.
        operator_class: the operators that are taken for a term of an index, where they are named.
        is_term: it is a term of an index, and no condition.
    """

    inherit_cache = False
    _traverse_internals: Any = [("columns", InternalTraversal.dp_clauseelement_list)]

    def __init__(
        self,
        schema: Schema,
        node: Node | sa.TextClause,
        needs: Needs,
        columns: Sequence[sa.Column[Any]],
        operator_class: str | None = None,
        *,
        is_term: bool = False,
    ) -> None:
        self.schema = schema
        self.node = node
        self.needs = needs
        self.columns = list(columns)
        self.operator_class = operator_class
        self.is_term = is_term or isinstance(node, Ordering)
        self.type = sa.types.NULLTYPE

    def terms(self, dialect: Dialect) -> list[Element | sa.TextClause]:
        """Its SQL: one term, or two for an order that says where NULLs go.

        Raises:
            NotSupportedError: the engine does not have it in the definition of a table.
        """
        _check_engine(self, dialect)
        node = self.node
        if isinstance(node, sa.TextClause):
            return [node]
        if not isinstance(node, Ordering):
            return [_built(self, node, dialect)]
        found = _built(self, node.parts[0], dialect)
        by: Element = found if isinstance(found, sa.Column) else elements.Grouping(found)
        if self.operator_class is not None:
            by = OperatorClass(by, self.operator_class)
        term = by.desc() if node.descending else by
        if node.nulls is None:
            return [term]
        if dialect.name == "postgresql":
            return [term.nulls_first() if node.nulls == "first" else term.nulls_last()]
        missing = elements.Grouping(by.is_(None))  # as ORDER BY says it there
        return [missing.desc() if node.nulls == "first" else missing, term]


@compiles(Definition)
def _compile(made: Definition, compiler: Any, **options: Any) -> str:
    options["include_table"] = False  # as SQLAlchemy says for all but the condition of an EXCLUDE
    return ", ".join([compiler.process(term, **options) for term in made.terms(compiler.dialect)])


def _check_engine(made: Definition, dialect: Dialect) -> None:
    """Refuse what the server does not have, or would read and forget, as far as its version is known."""
    made.needs.check(dialect)
    if dialect.name != "mysql" or made.needs.generated:
        return
    version: tuple[Any, ...] = dialect.server_version_info or ()
    mariadb, name = is_mariadb(dialect), engine_name(dialect)
    what = made.needs.what
    if not made.is_term:
        needed = _CHECKS[1 if mariadb else 0]
        if version and version < needed:
            raise NotSupportedError(f"{name} keeps to CHECK constraints, here {what}, since {_number(needed)} only.")
    elif _is_column(made.node):
        return
    elif mariadb:
        raise NotSupportedError(
            f"MariaDB has no indexes on expressions, here {what}. Keep the value in a field of its own, and name "
            "that field instead."
        )
    elif version and version < _EXPRESSIONS:
        raise NotSupportedError(f"{name} has indexes on expressions, here {what}, since {_number(_EXPRESSIONS)} only.")


def _is_column(term: Node | sa.TextClause) -> bool:
    """Whether a term of an index is a column, or the beginning of one: MySQL has expressions in parentheses."""
    if isinstance(term, sa.TextClause):
        return not term.text.lstrip().startswith("(")
    assert isinstance(term, Ordering)
    by = term.parts[0]
    return isinstance(by, Reference) and not by.keys and term.nulls is None


def _number(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _built(made: Definition, node: Node, dialect: Dialect) -> Element:
    """The SQL of a node, its values in it."""
    values: list[Any] = []
    node.shape(values, dialect.name)
    placed = node.place(Counter(dialect.name))
    table = made.schema.table
    found = element(placed, Scope(Compilation(dialect, values=values), table, {(): table}))
    if dialect.name == "sqlite":
        _refuse_our_functions(found, made.needs.what)

    def replace(element: Any, **_: Any) -> Any:
        if not isinstance(element, sa.BindParameter):
            return None
        bind: Any = cast("Any", element)
        return literal(bind.effective_value, bind.type, dialect)

    replaced: Element = visitors.replacement_traverse(found, {}, replace)
    return replaced


def _refuse_our_functions(found: Element, what: str) -> None:
    """A function of Python's is there on our connections only: others could not write to the table."""
    for part in visitors.iterate(found):
        operator: Any = getattr(part, "operator", None)
        name = ""
        if isinstance(part, functions.Function):
            name = part.name
        elif isinstance(operator, custom_op):
            name = cast("Any", operator).opstring
        if name in FUNCTIONS:
            raise NotSupportedError(
                f"SQLite has no {name.removeprefix('orm_').lower()}() of its own for {what}: this library has it on "
                "its connections, and a table must not depend on that. SQLite's own functions are possible: "
                "orm.functions.Func(…, function='…', output_field=…)."
            )
