"""What databases tell of the constraints and indexes of a table, and what they would tell of those of a model.

A server tells a definition in other words than it was told. So it is asked for the words of a new one, too: in a
temporary table with the same columns, which is dropped again. SQLite keeps the words that it was told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateIndex

from orm.wording import Told, as_text, checks_of_table, tokens

Key = tuple[str | None, str]
"""A table: its schema, `None` for the default one, and its name."""


@dataclass(frozen=True)
class Renamed:
    """What becomes of a table, told by its new name.

    Attributes:
        columns: the new names of columns, by the old ones.
        indexes: the new names of indexes.
        constraints: the new names of unique constraints and foreign keys.
    """

    schema: str | None
    old: str
    new: str
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    indexes: Mapping[str, str] = field(default_factory=dict[str, str])
    constraints: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def key(self) -> Key:
        """The table as it will be."""
        return (self.schema, self.new)


Rule = sa.Index | sa.Constraint
"""A constraint or an index of a model's table."""

_SCRATCH: Final = "orm_compared"
"""The temporary table in which a server is asked for its words, and what is made in it."""

_SQLITE: Final = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL"
_CONSTRAINTS: Final = (
    "SELECT conname, CAST(contype AS text), pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE conrelid = to_regclass(:name) AND contype IN ('c', 'u', 'x')"
)
_INDEXES: Final = (
    "SELECT relname, indisunique, pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
    "WHERE indrelid = to_regclass(:name) AND NOT EXISTS "
    "(SELECT 1 FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))"
)
_POSTGRESQL_KINDS: Final = {"c": "check", "u": "unique", "x": "exclude"}
_MYSQL_KEY: Final = re.compile(r"^\s*(?:(UNIQUE|FULLTEXT|SPATIAL) )?KEY `((?:[^`]|``)+)` (.*?),?$", re.MULTILINE)
_MYSQL_CHECK: Final = re.compile(r"^\s*CONSTRAINT `((?:[^`]|``)+)` (CHECK .*?),?$", re.MULTILINE)


@dataclass(frozen=True)
class Catalog:
    """What the database has of one table.

    Attributes:
        source: the table as it is now, to be read from: quoted, with its schema.
        columns: the old and the new name of each of its columns, if one of them is to be renamed.
        told: its constraints and indexes under the names that they will have.
    """

    connection: sa.Connection
    source: str
    columns: Mapping[str, str]
    told: Mapping[str, Told]

    def is_same(self, name: str, rule: Rule) -> bool:
        """Whether it is there already as it is declared."""
        dialect = self.connection.dialect
        there, declared = self.told[name], declaration(rule, dialect)
        words = there.words(self.columns)
        if declared.words() == words:
            return True
        if dialect.name == "sqlite" or declared.kind != there.kind:
            return False
        asked = self._in_servers_words(declared)
        if asked is None or asked.words() == words:
            return asked is not None
        # A downgrade gave the server its own words, which PostgreSQL may tell in others again.
        asked = self._in_servers_words(asked)
        return asked is not None and asked.words() == words

    def _in_servers_words(self, declared: Told) -> Told | None:
        """A definition as the server tells it; `None` if it cannot be made of the columns as they are."""
        connection, name = self.connection, _SCRATCH
        quote = connection.dialect.identifier_preparer.quote
        columns = ", ".join([f"{quote(old)} AS {quote(new)}" for old, new in self.columns.items()]) or "*"
        statements = [
            f"CREATE TEMPORARY TABLE {name} AS SELECT {columns} FROM {self.source} LIMIT 0",
            f"ALTER TABLE {name} ADD CONSTRAINT {name}_rule {declared.sql}",
        ]
        if declared.kind == "index":
            kind = "UNIQUE INDEX" if declared.unique else f"{declared.prefix} INDEX".strip()
            statements[1] = f"CREATE {kind} {name}_rule ON {name} {declared.sql}"
        savepoint = connection.begin_nested() if connection.dialect.name == "postgresql" else None
        try:
            for statement in statements:
                connection.execute(sa.text(as_text(statement)))
            return _READERS[connection.dialect.name](connection, f"pg_temp.{name}" if savepoint else name, name)[
                f"{name}_rule"
            ]
        except DBAPIError:  # it has no column that the rule is about, for example
            return None
        finally:
            if savepoint is not None:
                savepoint.rollback()
            else:
                connection.exec_driver_sql(f"DROP TEMPORARY TABLE IF EXISTS {name}")


def read(connection: sa.Connection, table: sa.Table, renamed: Renamed | None) -> Catalog:
    """What the database has of a model's table, which it may have under an older name."""
    bare = table.name if renamed is None else renamed.old
    source = _source(connection, bare, table.schema)
    told = told_of(connection, bare, table.schema)
    columns: dict[str, str] = {}
    if renamed is not None:
        names = {**renamed.indexes, **renamed.constraints}
        told = {names.get(name, name): found for name, found in told.items()}
        there = [column["name"] for column in sa.inspect(connection).get_columns(bare, schema=table.schema)]
        columns = {name: renamed.columns.get(name, name) for name in there} if renamed.columns else {}
    return Catalog(connection, source, columns, told)


def _source(connection: sa.Connection, table: str, schema: str | None) -> str:
    quote = connection.dialect.identifier_preparer
    return (f"{quote.quote_schema(schema)}." if schema else "") + quote.quote(table)


def told_of(connection: sa.Connection, table: str, schema: str | None) -> dict[str, Told]:
    """The constraints and indexes of a table as the database tells them, by their names."""
    return _READERS[connection.dialect.name](connection, _source(connection, table, schema), table)


def declaration(rule: Rule, dialect: Dialect) -> Told:
    """A constraint or an index of a model, in our words."""
    if isinstance(rule, sa.Index):
        table = dialect.identifier_preparer.format_table(
            cast("sa.Table", rule.table), use_schema=dialect.name != "sqlite"
        )
        sql = str(CreateIndex(rule).compile(dialect=dialect)).partition(f" ON {table} ")[2]
        prefix = rule.dialect_kwargs.get("mysql_prefix") if dialect.name == "mysql" else None
        return Told("index", single_percents(sql, dialect), bool(rule.unique), prefix or "", dialect.name == "mysql")
    compiler: Any = cast("Any", dialect).ddl_compiler(dialect, None)
    sql = str(compiler.process(rule))
    found = list(tokens(sql))
    if found[0][1] == "constraint":
        sql = sql[found[2][0] :]
    kind = "exclude" if isinstance(rule, ExcludeConstraint) else "check"
    kind = "unique" if isinstance(rule, sa.UniqueConstraint) else kind
    return Told(kind, single_percents(sql, dialect), escapes=dialect.name == "mysql")


def single_percents(sql: str, dialect: Dialect) -> str:
    """SQL without what SQLAlchemy does for MySQL's drivers: it doubles percent signs."""
    return sql.replace("%%", "%") if dialect.name == "mysql" else sql


# ---------------------------------------------------------------- reading


def _sqlite(connection: sa.Connection, _: str, bare: str) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for kind, name, sql in connection.execute(sa.text(_SQLITE), {"name": bare}):
        if kind == "index":
            found = list(tokens(sql))
            begin = next(start for start, word, _ in found if word == "(")
            told[name] = Told("index", sql[begin:], unique=found[1][1] == "unique")
        elif kind == "table":
            told |= checks_of_table(sql)
    return told


def _postgresql(connection: sa.Connection, source: str, _: str) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for name, kind, sql in connection.execute(sa.text(_CONSTRAINTS), {"name": source}):
        told[name] = Told(_POSTGRESQL_KINDS[kind], sql)
    for name, unique, sql in connection.execute(sa.text(_INDEXES), {"name": source}):
        told[name] = Told("index", "USING " + sql.partition(" USING ")[2], unique=unique)
    return told


def _mysql(connection: sa.Connection, source: str, _: str) -> dict[str, Told]:
    made: str = connection.exec_driver_sql(f"SHOW CREATE TABLE {source}").fetchall()[0][1]
    told: dict[str, Told] = {}
    for kind, name, sql in _MYSQL_KEY.findall(made):
        unique = kind == "UNIQUE"
        told[name.replace("``", "`")] = Told("index", sql, unique, "" if unique else kind, escapes=True)
    for name, sql in _MYSQL_CHECK.findall(made):
        told[name.replace("``", "`")] = Told("check", sql, escapes=True)
    return told


_READERS: Final = {"sqlite": _sqlite, "postgresql": _postgresql, "mysql": _mysql}
"""By engine: the constraints and indexes of a table, given by its quoted name and by its bare one."""
