"""The tables of a database as its inspector tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Inspector

from orm import catalogs, reflection, sqlitewords
from orm.exceptions import InterfaceError
from orm.wording import Told


@dataclass(frozen=True)
class Wanted:
    """What is to be read: which schema, which tables (all of them if none is named), and whether views are, too."""

    schema: str | None
    tables: Sequence[str]
    views: bool


@dataclass(frozen=True)
class Table:
    """A table or view, with the dictionaries of SQLAlchemy's inspector."""

    name: str
    schema: str | None
    comment: str | None
    columns: Sequence[Mapping[str, Any]]
    key: Sequence[str]
    foreign_keys: Sequence[Mapping[str, Any]]
    uniques: Sequence[Mapping[str, Any]]
    told: Mapping[str, Told]
    """Its constraints and indexes that have names, in the words of the database."""

    unnamed: Sequence[str]
    """The conditions of its CHECK constraints that have none."""

    view: bool
    automatic: bool
    """Whether SQLite never gives the key of a deleted row to another; true elsewhere."""


def read(connection: sa.Connection, wanted: Wanted, progress: Callable[[int, int], None]) -> list[Table]:
    """The tables, in the order of their names.

    Raises:
        InterfaceError: one that is wanted is not there.
    """
    inspector = reflection.inspect(connection)
    tables = set(inspector.get_table_names(schema=wanted.schema))
    views = set(inspector.get_view_names(schema=wanted.schema))
    if connection.dialect.name == "postgresql":
        views |= set(inspector.get_materialized_view_names(schema=wanted.schema))
    for name in wanted.tables:
        if name not in tables | views:
            known = ", ".join(sorted(tables)) or "(none)"
            raise InterfaceError(f"The database has no table {name!r}. Choose from: {known}.")
    names = set(wanted.tables) or (tables | views if wanted.views else tables) - {"alembic_version"}
    found: list[Table] = []
    for number, name in enumerate(sorted(names), 1):
        found.append(_table(inspector, connection, name, wanted.schema, name in views))
        progress(number, len(names))
    return found


def _table(inspector: Inspector, connection: sa.Connection, name: str, schema: str | None, view: bool) -> Table:
    place: dict[str, Any] = {"schema": schema}
    comment = inspector.get_table_comment(name, **place)["text"] if inspector.dialect.supports_comments else None
    uniques = inspector.get_unique_constraints(name, **place)
    foreign_keys = inspector.get_foreign_keys(name, **place)
    told = catalogs.told_of(connection, name, schema)
    if inspector.dialect.name == "mysql":  # which makes an index for a foreign key that has none
        taken = {item["name"] for item in foreign_keys}
        told = {key: item for key, item in told.items() if key not in taken}
    return Table(
        name,
        schema,
        comment,
        cast("Any", inspector.get_columns(name, **place)),
        inspector.get_pk_constraint(name, **place)["constrained_columns"],
        cast("Any", foreign_keys),
        cast("Any", uniques),
        told,
        _unnamed(inspector, connection, name, schema),
        view,
        inspector.dialect.name != "sqlite" or view or sqlitewords.is_automatic(connection, name),
    )


def _unnamed(inspector: Inspector, connection: sa.Connection, name: str, schema: str | None) -> list[str]:
    """The CHECK constraints without names: SQLite's, and those that MariaDB has of one column."""
    if getattr(inspector.dialect, "is_mariadb", False):
        return reflection.checks_of_columns(connection, name, schema)
    checks = inspector.get_check_constraints(name, schema=schema)
    return [check["sqltext"] for check in checks if not check["name"]]
