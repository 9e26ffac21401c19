"""UPDATE and DELETE that give back the rows they wrote."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from orm import lookups
from orm.database import Database
from orm.engines import engine_name
from orm.exceptions import FieldError, NotSupportedError
from orm.expressions import Expression, Reference
from orm.hierarchy import is_polymorphic
from orm.query import Query
from orm.schema import Schema
from orm.specs import FieldSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Returned:
    """What is given back of a row.

    Attributes:
        form: what a row becomes: an instance, or a dictionary.
        names: the keys of the dictionary.
        fields: the columns.
        bound: instances remember the database.
    """

    form: str
    names: tuple[str, ...]
    fields: tuple[FieldSpec, ...]
    bound: bool = False


class Returning(Generic[T]):
    """Rows that are about to be updated or deleted, and of which each gives a `T` back. Their order is not defined."""

    __slots__ = ("_delete", "_update")

    def __init__(
        self, update: Callable[[Mapping[str, Any]], Awaitable[list[T]]], delete: Callable[[], Awaitable[list[T]]]
    ) -> None:
        self._update = update
        self._delete = delete

    async def update(self, **values: Any) -> list[T]:
        """Update every row and give what it is afterwards. Raises `NotSupportedError` on MySQL and MariaDB."""
        return await self._update(values)

    async def delete(self) -> list[T]:
        """Delete every row and give what it was. Raises `NotSupportedError` on MySQL; MariaDB has it."""
        return await self._delete()


def chosen(query: Query, columns: Iterable[str | Expression], *, bound: bool) -> Returned:
    """What is given back: these columns, or instances without any. Raises `FieldError`."""
    schema, selection = query.schema, query.selection
    if selection.only or selection.deferred or selection.related:
        raise FieldError(
            "returning() says itself what is given back, and cannot join. Leave out only(), defer() and "
            "select_related()."
        )
    if schema.link is not None:
        raise FieldError(
            f"returning() gives rows of one table, and those of {schema.name} lie in several. Read them with "
            "select_for_update(), and write them in the same transaction."
        )
    names: list[str] = []
    fields: list[FieldSpec] = []
    for column in columns:
        fields.append(_own_column(schema, column))
        names.append(column if isinstance(column, str) else repr(column))
    if len(set(names)) != len(names):
        raise FieldError(f"Each column once, please: {', '.join(names)}.")
    if not names:
        if is_polymorphic(schema):
            raise FieldError(
                f"Rows of {schema.name} are of several classes, which returning() does not tell. Name columns: "
                f"returning({schema.key.name!r}, …)."
            )
        return Returned("instance", (), tuple(schema.fields.values()), bound)
    return Returned("dict", tuple(names), tuple(fields))


def _own_column(schema: Schema, column: str | Expression) -> FieldSpec:
    if isinstance(column, str) and "__" not in column:
        spec = schema.field(column)
        if spec is None:
            raise schema.unknown(column)
        return spec
    node = lookups.reference(schema, column) if isinstance(column, str) else lookups.resolve(Query(schema), column)
    if not isinstance(node, Reference) or node.path or node.keys:
        raise FieldError(f"{column!r} is not a column of {schema.name}'s own. Choose from: {', '.join(schema.fields)}.")
    return node.spec


def check(operation: str, database: Database) -> None:
    """Refuse what the engine does not have."""
    if database.capabilities.returning or (
        operation == "delete" and bool(getattr(database.dialect, "delete_returning", False))
    ):
        return
    raise NotSupportedError(
        f"{engine_name(database.dialect)} has no {operation.upper()} … RETURNING. Read the rows with "
        f"select_for_update(), and {operation} them in the same transaction."
    )
