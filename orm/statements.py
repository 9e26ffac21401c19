"""`StatementSet`: instances of the rows of a statement of the user's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa

from orm import persistence
from orm.database import Database
from orm.exceptions import FieldError
from orm.schema import Instance, Schema
from orm.types import result_processor

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
        by_column = {spec.column: spec for spec in schema.fields.values()}
        for key in schema.keys:
            if key.column not in names:
                raise FieldError(
                    f"The statement has no column {key.column!r}, the key of {schema.name}. It has: {', '.join(names)}."
                )
        raw = isinstance(self._statement, (str, sa.TextClause))
        dialect = self._target().dialect
        converters = [
            result_processor(schema.value_spec(by_column[name]).type, dialect) if raw and name in by_column else None
            for name in names
        ]
        attributes = [by_column[name].name if name in by_column else name for name in names]

        def make(row: Any) -> M:
            values = [v if c is None else c(v) for v, c in zip(row, converters, strict=True)]
            return cast(
                "M", persistence.from_values(schema, dict(zip(attributes, values, strict=True)), self._database)
            )

        return make
