"""`StatementSet`: instances of the rows of a statement of the user's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm import persistence
from orm.database import Database
from orm.exceptions import FieldError
from orm.hierarchy import heirs, is_polymorphic
from orm.loader import unknown_class
from orm.schema import Instance, Schema
from orm.specs import FieldSpec
from orm.types import result_processor
from orm.writing import key_in

M = TypeVar("M", bound=Instance)


class StatementSet(Generic[M]):
    """Instances of the rows of a statement of one's own: await it, or stream it with `async for`."""

    __slots__ = ("_database", "_schema", "_statement", "_timeout", "_values")

    def __init__(
        self,
        schema: Schema,
        statement: Any,
        values: Mapping[str, Any] | None,
        database: Database | None,
        timeout: float | None = None,
    ) -> None:
        if not isinstance(statement, (str, sa.ClauseElement)):
            raise FieldError(f"from_statement takes a SELECT of SQLAlchemy Core or a text, not {statement!r}.")
        self._schema = schema
        self._statement = statement
        self._values = values
        self._database = database
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<StatementSet of {self._schema.name}: {self._statement}>"

    def using(self, database: Database) -> StatementSet[M]:
        """From another database than the registry's."""
        return StatementSet(self._schema, self._statement, self._values, database, self._timeout)

    def _target(self) -> Database:
        return self._database if self._database is not None else self._schema.database

    async def _fetch(self) -> list[M]:
        rows = await self._target().fetch_all(self._statement, self._values, timeout=self._timeout)
        if not rows:
            return []
        make = self._maker(list(rows[0].keys()))
        return [make(row) for row in rows]

    def __await__(self) -> Generator[Any, None, list[M]]:
        return self._fetch().__await__()

    async def __aiter__(self) -> AsyncIterator[M]:
        make: Callable[[Any], M] | None = None
        async for row in self._target().iterate(self._statement, self._values, timeout=self._timeout):
            make = make or self._maker(list(row.keys()))
            yield make(row)

    def _maker(self, names: Sequence[str]) -> Callable[[Any], M]:
        """A function that makes an instance of a row with these columns."""
        schema = self._schema
        members = [schema, *heirs(schema)] if is_polymorphic(schema) else [schema]
        by_column = {spec.column: (member, spec) for member in reversed(members) for spec in member.fields.values()}
        for key in schema.keys:
            if key.column not in names:
                raise FieldError(
                    f"The statement has no column {key.column!r}, the key of {schema.name}. It has: {', '.join(names)}."
                )
        raw = isinstance(self._statement, (str, sa.TextClause))
        dialect = self._target().dialect
        converters = [_processor(*by_column[name], dialect) if raw and name in by_column else None for name in names]
        attributes = [by_column[name][1].name if name in by_column else name for name in names]

        def make(row: Any) -> M:
            values = [v if c is None else c(v) for v, c in zip(row, converters, strict=True)]
            named = dict(zip(attributes, values, strict=True))
            owner = schema if len(members) == 1 else _class_of(members, named)
            return cast("M", persistence.from_values(owner, named, self._database))

        return make


def _processor(schema: Schema, spec: FieldSpec, dialect: Dialect) -> Any:
    return result_processor(schema.value_spec(spec).type, dialect)


def _class_of(members: Sequence[Schema], values: dict[str, Any]) -> Schema:
    """Which of several models a row is of; fields that it does not have are left out of the values."""
    schema = members[0]
    kind = schema.fields[cast("FieldSpec", schema.discriminator).name]
    if kind.name not in values:
        return schema
    found = next((member for member in members if member.identity == values[kind.name]), None)
    if found is None and schema.concrete is not schema:
        found = schema
    if found is None:
        raise unknown_class(schema, key_in(schema, values), values[kind.name])
    for member in members:
        for name in member.fields:
            if name not in found.fields:
                values.pop(name, None)
    return found
