"""What SQLAlchemy's inspector leaves out of the tables of a database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.engine import Inspector

from orm import sqlitewords

_JSON: Final = sa.text(
    "SELECT table_name, trim(BOTH '`' FROM substr(check_clause, 12, length(check_clause) - 12)) "
    "FROM information_schema.check_constraints "
    "WHERE constraint_schema = coalesce(:schema, database()) AND check_clause LIKE 'json_valid(`%`)' "
    "AND level = 'Column'"
)
"""The tables and columns that MariaDB keeps JSON in: texts with a check, of which SQLAlchemy does not tell."""

_OF_COLUMNS: Final = sa.text(
    "SELECT check_clause FROM information_schema.check_constraints "
    "WHERE constraint_schema = coalesce(:schema, database()) AND table_name = :table AND level = 'Column' "
    "AND check_clause NOT LIKE 'json_valid(`%`)'"
)

_DESCENDING: Final = {
    "sqlite": "SELECT i.name, c.name FROM pragma_index_list(:table) AS i, pragma_index_xinfo(i.name) AS c "
    'WHERE c."key" AND c."desc" AND :schema IS NULL',
    "mysql": "SELECT index_name, column_name FROM information_schema.statistics "
    "WHERE table_name = :table AND table_schema = coalesce(:schema, database()) AND collation = 'D'",
}
"""The columns of a table's indexes that are in descending order."""


def inspect(connection: sa.Connection) -> Inspector:
    """An inspector of a database, completed."""
    inspector = sa.inspect(connection)
    complete(inspector, connection)
    return inspector


def complete(inspector: Inspector, connection: sa.Connection) -> None:
    """Let an inspector tell the columns of JSON on MariaDB as such, and the order of indexes on SQLite and MySQL.

    The whole expressions of generated columns are told on SQLite, too, and the collation of MySQL's ENUM, which
    survives when Alembic copies the type.

    Its methods are replaced on the instance: each engine has an inspector class of its own.
    """
    if inspector.dialect.name == "sqlite":
        _complete_computed(inspector, connection)
    if inspector.dialect.name in _DESCENDING:
        _complete_indexes(inspector, connection)
    if inspector.dialect.name == "mysql":
        _complete_columns(inspector, connection)


def _complete_indexes(inspector: Inspector, connection: sa.Connection) -> None:
    def told(schema: str | None, table: str, indexes: Any) -> Any:
        place = {"table": table, "schema": schema}
        found: dict[str, dict[str, tuple[str]]] = {}
        for name, column in connection.execute(sa.text(_DESCENDING[connection.dialect.name]), place):
            found.setdefault(name, {})[column] = ("desc",)
        return [{**i, "column_sorting": found[i["name"]]} if i["name"] in found else i for i in indexes]

    _replace(inspector, "indexes", told)


def _complete_computed(inspector: Inspector, connection: sa.Connection) -> None:
    """Tell the whole expressions of generated columns: the inspector's end at a comma."""

    def told(_: str | None, table: str, columns: Any) -> Any:
        if not any("computed" in column for column in columns):
            return columns
        found = sqlitewords.computed(sqlitewords.of_table(connection, table))
        return [
            {**c, "computed": {**c["computed"], "sqltext": found[c["name"]]}} if c["name"] in found else c
            for c in columns
        ]

    _replace(inspector, "columns", told)


def _replace(inspector: Inspector, kind: str, told: Callable[[str | None, str, Any], Any]) -> None:
    """Let `told` complete what an inspector tells of a table, alone and among others: by its schema and name."""
    one, many = getattr(inspector, f"get_{kind}"), getattr(inspector, f"get_multi_{kind}")

    def of_one(table_name: str, schema: str | None = None, **options: Any) -> Any:
        return told(schema, table_name, one(table_name, schema=schema, **options))

    def of_many(schema: str | None = None, **options: Any) -> Any:
        return {key: told(schema, key[1], found) for key, found in many(schema=schema, **options).items()}

    setattr(inspector, f"get_{kind}", of_one)
    setattr(inspector, f"get_multi_{kind}", of_many)


def _complete_columns(inspector: Inspector, connection: sa.Connection) -> None:
    mariadb = getattr(inspector.dialect, "is_mariadb", False)
    known: dict[str | None, set[tuple[str, str]]] = {}

    def told(schema: str | None, table: str, columns: Any) -> Any:
        if schema not in known:
            rows = connection.execute(_JSON, {"schema": schema}) if mariadb else ()
            known[schema] = {(table_name, column) for table_name, column in rows}
        return [{**c, "type": _type(c["type"], (table, c["name"]) in known[schema])} for c in columns]

    _replace(inspector, "columns", told)


def _type(kind: Any, is_json: bool) -> Any:
    if is_json:
        return mysql.JSON()
    if isinstance(kind, mysql.ENUM):
        return Enum(*kind.enums, charset=kind.charset, collation=kind.collation)
    return kind


class Enum(mysql.ENUM):
    """MySQL's ENUM, which keeps its collation when it is copied."""

    def copy(self, **options: Any) -> Enum:
        return Enum(*self.enums, charset=self.charset, collation=self.collation)


def checks_of_columns(connection: sa.Connection, table: str, schema: str | None) -> list[str]:
    """The conditions that MariaDB keeps with one column, without a name; not those that it has for JSON itself."""
    return list(connection.execute(_OF_COLUMNS, {"table": table, "schema": schema}).scalars())
