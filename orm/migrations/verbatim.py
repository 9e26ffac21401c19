"""Constraints and indexes in the revisions that Alembic writes: as SQL, since a revision does not import the models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import sqlalchemy as sa
from alembic.ddl.postgresql import CreateExcludeConstraintOp
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import conv

from orm.catalogs import single_percents
from orm.database.dialects import dialect_named
from orm.definitions import Definition
from orm.exceptions import NotSupportedError
from orm.wording import Told, as_text, column_name, listed


class Verbatim(sa.ColumnElement[Any]):
    """SQL that goes into a revision as it is."""

    inherit_cache = False
    _traverse_internals: Any = []  # SQLAlchemy's name: it has no parts

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.type = sa.types.NULLTYPE


@compiles(Verbatim)
def _compile(made: Verbatim, compiler: object, **options: object) -> str:
    return made.sql


class Included:
    """A column that a unique constraint includes, in a revision: Alembic adds them to the table of an index only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"sa.column({self.name!r})"


# ---------------------------------------------------------------- what is declared


def put_sql(container: ops.OpContainer, migration: MigrationContext) -> None:
    """Put SQL in the place of our expressions in all steps."""
    for step in _steps(container):
        if isinstance(step, (ops.CreateIndexOp, ops.DropIndexOp)):
            _put_into_index(step, migration)
        elif isinstance(step, ops.CreateUniqueConstraintOp):
            included = step.kw.get("postgresql_include")
            if included:
                step.kw = {**step.kw, "postgresql_include": [Included(_name(item)) for item in included]}
        elif isinstance(step, ops.CreateCheckConstraintOp):
            step.condition = _verbatim(step.condition, migration.dialect)
        elif isinstance(step, CreateExcludeConstraintOp):
            cast("Any", step)._orig_constraint = _in_sql(step.to_constraint(migration), migration.dialect)
        elif isinstance(step, ops.CreateTableOp):
            step.columns = [_table_item(item, migration) for item in step.columns]


def _steps(container: ops.OpContainer) -> Iterator[Any]:
    for step in container.ops:
        if isinstance(step, ops.OpContainer):
            yield from _steps(step)
        else:
            yield step


def _put_into_index(step: Any, migration: MigrationContext) -> None:
    step.kw = {name: _option(name, value, migration) for name, value in step.kw.items()}
    if isinstance(step, ops.CreateIndexOp):
        columns = [_term(part, migration.dialect) for part in step.columns]
        step.columns = columns
    elif step._reverse is not None:
        _put_into_index(step._reverse, migration)


def _table_item(item: Any, migration: MigrationContext) -> Any:
    """A constraint in CREATE TABLE."""
    if isinstance(item, ExcludeConstraint):
        return _in_sql(item, migration.dialect)
    if isinstance(item, sa.CheckConstraint) and isinstance(item.sqltext, Definition):
        return sa.CheckConstraint(_verbatim(item.sqltext, migration.dialect), name=item.name)
    if isinstance(item, sa.UniqueConstraint):
        for name in list(item.dialect_kwargs):
            item.dialect_kwargs[name] = _option(name, item.dialect_kwargs[name], migration)
    return item


def _option(name: str, value: Any, migration: MigrationContext) -> Any:
    """An option of a dialect; a condition is in the words of that dialect if it can be, so that it holds there, too."""
    if name.endswith("_include"):
        return [_name(item) for item in value or ()]
    if not isinstance(value, Definition):
        return value
    engine = name.partition("_")[0]
    if engine != migration.dialect.name:
        try:
            return _verbatim(value, dialect_named(engine))
        except NotSupportedError:
            pass  # the server of that engine will say so
    return _verbatim(value, migration.dialect)


def _name(column: Any) -> str:
    return column if isinstance(column, str) else column.name


def _term(part: Any, dialect: Dialect) -> Any:
    """A term of an index, which is written as a literal, and not as a text with parameters."""
    return Verbatim(_sql(part, dialect)) if isinstance(part, Definition) else part


def _verbatim(part: Any, dialect: Dialect) -> Any:
    return Verbatim(as_text(_sql(part, dialect))) if isinstance(part, Definition) else part


def _sql(part: Definition, dialect: Dialect) -> str:
    options = {"literal_binds": True, "include_table": False}
    # Percent signs are doubled again when the revision runs.
    return single_percents(str(part.compile(dialect=dialect, compile_kwargs=options)), dialect)


def _in_sql(rule: ExcludeConstraint, dialect: Dialect) -> ExcludeConstraint:
    """An exclusion constraint without our expressions."""
    pairs: list[Any] = []
    found: list[Any] = cast("Any", rule)._render_exprs
    if not isinstance(rule.where, Definition) and not any(isinstance(term, Definition) for term, _, _ in found):
        return rule
    for term, _, operator in found:
        pairs.append((sa.literal_column(_sql(term, dialect)) if isinstance(term, Definition) else term, operator))
    where: Any = _verbatim(rule.where, dialect)
    made = ExcludeConstraint(
        *pairs, name=rule.name, using=rule.using, where=where, deferrable=rule.deferrable, initially=rule.initially
    )
    cast("Any", made)._set_parent(rule.table)
    return made


# ---------------------------------------------------------------- what is there


def drop(name: str, told: Told, table: sa.Table) -> ops.MigrateOperation:
    """What drops a constraint or an index that the database has, and makes it again on the way back."""
    bare = sa.Table(table.name, sa.MetaData(), schema=table.schema)
    parts = told.parts()
    if told.kind == "index":
        options: Any = _options(told)
        index = sa.Index(name, Verbatim(parts.terms), unique=told.unique, _table=bare, **options)
        return ops.DropIndexOp.from_index(index)
    if told.kind == "unique":
        for term in listed(parts.terms):
            bare.append_column(sa.Column(column_name(term), sa.types.NULLTYPE))
    made = constraint(name, told)
    bare.append_constraint(made)
    return ops.DropConstraintOp.from_constraint(made)


def constraint(name: str, told: Told) -> sa.Constraint:
    """A constraint that the database has, of no table yet."""
    parts, whole = told.parts(), conv(name)  # a name as it is, and no part of one that a convention makes
    if told.kind == "check":
        return sa.CheckConstraint(cast("Any", Verbatim(as_text(parts.terms))), name=whole)
    options: Any = _options(told)
    if told.deferrable is not None:
        options |= {"deferrable": True, "initially": told.deferrable.upper()}
    if told.kind == "unique":
        return sa.UniqueConstraint(*[column_name(term) for term in listed(parts.terms)], name=whole, **options)
    pairs = [term.rpartition(" WITH ") for term in listed(parts.terms)]
    terms: list[Any] = [(sa.literal_column(term), operator) for term, _, operator in pairs]
    options = {key: value for key, value in options.items() if not key.endswith(("_where", "_using"))} | {
        "where": options.get("postgresql_where")
    }
    return ExcludeConstraint(*terms, name=whole, using=parts.method, **options)


def _options(told: Told) -> dict[str, Any]:
    """The options of SQLAlchemy's that say what a database tells."""
    parts = told.parts()
    found: dict[str, Any] = {}
    if told.prefix:
        found["mysql_prefix"] = told.prefix
    if parts.method not in (None, "btree"):
        found["postgresql_using"] = parts.method
    if told.included:
        found["postgresql_include"] = told.included
    if told.nulls_equal:
        found["postgresql_nulls_not_distinct"] = True
    if "where" in parts.options:
        condition: Any = Verbatim(as_text(parts.options["where"]))
        found |= {"postgresql_where": condition, "sqlite_where": condition}
    return found
