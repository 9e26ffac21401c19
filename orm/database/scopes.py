"""Which connection or transaction a task is in: the rules of ownership."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from orm.database.executor import Executor
from orm.database.interfaces import Connection, Explainer
from orm.database.observers import Watch
from orm.database.pool import Pool
from orm.database.pools import Pools
from orm.database.statements import Statements

ENTERED: ContextVar[Mapping[Scopes, Scope] | None] = ContextVar("orm_database_scopes", default=None)
"""The innermost scope of each database that this context is in. Always set by value, never reset by token: a block
may be left in another context than it was entered in."""


class Scopes:
    """What the scopes of one database share, and which of them a task is in."""

    def __init__(self, pools: Pools, statements: Statements, watch: Watch) -> None:
        self.pools = pools
        self.statements = statements
        self.observers = watch
        """Whom to tell about transactions."""
        self.watch = watch if watch.is_needed else None
        """Through whom statements run, or `None` where nobody looks: statements are the hot path."""
        self.base: Scope | None = None
        """The transaction around everything, for a database with `force_rollback`."""
        self.explainers: WeakSet[Explainer] = WeakSet()
        """Who is asked about constraints that a COMMIT violates: no statement says what it was about."""

    def current(self) -> Scope | None:
        """The innermost open scope that the running code is in, or `None` outside of all.

        Raises:
            TransactionError: the task has used a shared block that has ended since.
        """
        entered = ENTERED.get()
        scope = None if entered is None else entered.get(self)
        while scope is not None and scope.is_behind():
            scope = scope.parent
        return self.base if scope is None else scope

    def enter(self, scope: Scope) -> None:
        """Make a scope the innermost one of this context."""
        ENTERED.set({**(ENTERED.get() or {}), self: scope})

    def leave(self, scope: Scope) -> None:
        """Make a scope's parent the innermost one, unless the context is in another by now."""
        entered = ENTERED.get()
        if entered is not None and entered.get(self) is scope:
            rest = {scopes: other for scopes, other in entered.items() if scopes is not self}
            if scope.parent is not None and scope.parent is not self.base:
                rest[self] = scope.parent
            ENTERED.set(rest or None)


class Scope(Executor):
    """Code that has a connection to itself: a `Session` or a `Transaction`. It belongs to the task that entered it."""

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        self._statements = scopes.statements
        self._owner: asyncio.Task[Any] | None = None
        self.parent: Scope | None = None
        self.ended = False

    @property
    @abstractmethod
    def connection(self) -> Connection:
        """The connection it has. Raises `InterfaceError` or `TransactionError` when it is not open."""

    @property
    @abstractmethod
    def pool(self) -> Pool:
        """Where its connection comes from."""

    @abstractmethod
    def is_behind(self) -> bool:
        """Whether the running task has left it behind: what it does is outside of it."""

    def belongs_to_me(self) -> bool:
        """Whether the running task owns it; one whose owner has ended is adopted.

        Fixtures need that: set-up, test and teardown may be three tasks.
        """
        task = asyncio.current_task()
        if self._owner is task:
            return True
        if self._owner is not None and self._owner.done():
            self._owner = task
            return True
        return False

    @property
    def raw_connection(self) -> Any:
        """The driver's connection; what is done to it is undone when it goes back to the pool."""
        connection = self.connection
        connection.touched = True
        return connection.raw
