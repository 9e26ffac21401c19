"""Rows of a model that inherits lie in several tables: each of them gets, in order, what it has of a row.

For a model with one table these are the functions of `writing`. Tables that have nothing to change are left alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from orm import writing
from orm.database import Database
from orm.exceptions import FieldError
from orm.expressions import Reference
from orm.hierarchy import holder
from orm.query import Node, walk
from orm.schema import Schema
from orm.specs import FieldSpec
from orm.writing import Values

Row = dict[str, Any]
Assignments = list[tuple[FieldSpec, Node]]


def insert(database: Database, schema: Schema, values: Values) -> Awaitable[Row]:
    """Insert a row and give what the database made."""
    return writing.insert(database, schema, values) if schema.link is None else _insert(database, schema, values)


async def _insert(database: Database, schema: Schema, values: Values) -> Row:
    made: Row = {}
    async with database.transaction():
        for table in schema.tables:
            made |= await writing.insert(database, table, _part(table, {**values, **made}))
    return made


def insert_many(
    database: Database, schema: Schema, rows: Sequence[Values], chunk_size: int | None = None
) -> Awaitable[list[Row]]:
    """Insert rows that have values for the same attributes, and give what the database made of each."""
    insert = writing.insert_many if schema.link is None else _insert_many
    return insert(database, schema, rows, chunk_size)


async def _insert_many(database: Database, schema: Schema, rows: Sequence[Values], chunk_size: int | None) -> list[Row]:
    made: list[Row] = [{} for _ in rows]
    for table in schema.tables:
        parts = [_part(table, {**row, **known}) for row, known in zip(rows, made, strict=True)]
        new = await writing.insert_many(database, table, parts, chunk_size)
        made = [known | more for known, more in zip(made, new, strict=True)]
    return made


def update_row(
    database: Database, schema: Schema, key: Any, values: Values, version: int | None = None
) -> Awaitable[Row]:
    """Update a row by its key, and give what the database made anew. Raises `StaleInstance`."""
    update = writing.update_row if schema.link is None else _update_row
    return update(database, schema, key, values, version)


async def _update_row(database: Database, schema: Schema, key: Any, values: Values, version: int | None) -> Row:
    parts = [(table, _part(table, values)) for table in schema.tables]
    changed = [(table, part) for table, part in parts if part or table.ticking]
    made: Row = {}
    async with database.transaction():
        for table, part in changed:
            known = None if table.version is None else version
            made |= await writing.update_row(database, table, key, part, known)
    return made


def delete_row(database: Database, schema: Schema, key: Any, version: int | None = None) -> Awaitable[None]:
    """Delete a row by its key: the database deletes its parts with that in the first table. Raises `StaleInstance`."""
    first = schema.tables[0]
    if version is None or first.version is not None:
        return writing.delete_row(database, first, key, version)
    return _delete_version(database, schema, key, version)


async def _delete_version(database: Database, schema: Schema, key: Any, version: int) -> None:
    versioned = next(table for table in schema.tables if table.version is not None)
    async with database.transaction():
        await writing.delete_row(database, versioned, key, version)
        await writing.delete_row(database, schema.tables[0], key)


async def update_many(
    database: Database,
    schema: Schema,
    rows: Sequence[Values],
    versions: Sequence[int] | None = None,
    chunk_size: int | None = None,
) -> None:
    """Update rows by their keys, each to its own values; the caller opens a transaction. Raises `StaleInstance`."""
    for table in schema.tables:
        parts = rows if schema.link is None else [_part(table, row) for row in rows]
        if len(parts[0]) > len(table.keys) or table.ticking:
            known = None if table.version is None else versions
            await writing.update_many(database, table, parts, known, chunk_size)


async def read_columns(
    database: Database,
    schema: Schema,
    fields: Sequence[FieldSpec],
    keys: Sequence[Any],
    *,
    key: FieldSpec | None = None,
    write: bool = True,
) -> dict[Any, Row]:
    """Some columns of the rows with these keys, or values of another unique `key`, by it."""
    if key is not None and key is not schema.key:
        return await _read_by(database, schema, fields, keys, key, write=write)
    found: dict[Any, Row] | None = None
    for table in schema.tables:
        own = [spec for spec in fields if spec.name in table.fields]
        if own or (found is None and table is schema.tables[-1]):
            read = await writing.read_columns(database, table, own, keys, write=write)
            before = {key: Row() for key in read} if found is None else found
            found = {key: before[key] | row for key, row in read.items() if key in before}
    return found or {}


async def _read_by(
    database: Database, schema: Schema, fields: Sequence[FieldSpec], keys: Sequence[Any], key: FieldSpec, *, write: bool
) -> dict[Any, Row]:
    if schema.link is None:
        return await writing.read_columns(database, schema, fields, keys, key=key, write=write)
    table = holder(schema, key.fields[0])
    told = await writing.read_columns(database, table, table.keys, keys, key=key, write=write)
    own = {value: writing.key_in(schema, row) for value, row in told.items()}
    rows = await read_columns(database, schema, fields, list(own.values()), write=write) if own else {}
    return {value: told[value] | rows[at] for value, at in own.items() if at in rows}


def by_table(schema: Schema, assigned: Assignments) -> list[Assignments]:
    """What an UPDATE sets in each table that it changes.

    Raises `FieldError` where a table would be set to what another one no longer has: they are changed one by one.
    """
    if schema.link is None:
        return [assigned]
    groups = [[(spec, node) for spec, node in assigned if spec.name in table.fields] for table in schema.tables]
    groups = [group for group in groups if group]
    for group in groups if len(groups) > 1 else []:
        others = {spec.name for spec, _ in assigned} - {spec.name for spec, _ in group}
        for spec, node in group:
            read = [part.spec for part in walk(node) if isinstance(part, Reference) and part.spec.name in others]
            if read:
                raise FieldError(
                    f"{schema.name}.{spec.label} cannot be set to {node!r} while {read[0].label}, in another table, "
                    "is set, too. Write two updates."
                )
    return groups


def _part(table: Schema, values: Values) -> Row:
    """The values of a row that a table has."""
    return {name: value for name, value in values.items() if name in table.fields}
