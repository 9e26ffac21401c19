"""What is particular about an instance: `InstanceState`."""

from __future__ import annotations

from typing import ClassVar

from orm.database import Database
from orm.specs import FieldSpec


class InstanceState:
    """What is particular about an instance: a loaded and unchanged one of the default database has none.

    Attributes:
        new: it has no row yet.
        changed: the attributes that were set since it was loaded or saved.
        database: where it was loaded from, if that is not its registry's.
        origin: the relation that it was reached over without being loaded, for the message that says how to.
        known: the field that a key refers to over which it was reached without being loaded; not set where that is its
            own key.
    """

    __slots__ = ("changed", "database", "known", "new", "origin")

    known: FieldSpec
    reader: ClassVar[str] = "select_related"
    """The method that would have read it, with its origin."""

    def __init__(self, *, new: bool = False, database: Database | None = None, origin: str | None = None) -> None:
        self.new = new
        self.changed: set[str] = set()
        self.database = database
        self.origin = origin


class GenericState(InstanceState):
    """What is particular about an instance that was reached over a generic foreign key."""

    __slots__ = ()

    reader = "prefetch_related"
