"""A driver without a database: what the pool and the transactions do to it is written down."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite
from sqlalchemy.engine import Dialect

from orm.database import BeginOptions, Capabilities, Connection, Outcome, Source, Table
from orm.exceptions import ConnectionLost

CAPABILITIES = Capabilities(
    returning=True,
    arrays=False,
    isolation_levels=frozenset({"SERIALIZABLE"}),
    read_only=True,
    deferrable=False,
    row_locks=False,
    server_cursors=True,
    interrupts=True,
    transactional_ddl=True,
    max_parameters=None,
)


class FakeConnection(Connection):
    """A session that remembers its commands, and waits or fails where it is told to."""

    def __init__(self, source: FakeSource, number: int) -> None:
        super().__init__()
        self.source = source
        self.number = number
        self.commands: list[str] = []
        self.open = False
        self.lost = False
        self.can_reset = True
        self.hangs: str | None = None
        """The command that is never answered."""
        self.fails: dict[str, Exception] = {}
        """What a command raises."""

    @property
    def raw(self) -> Any:
        return self

    def closed(self) -> bool:
        return self.lost

    def in_transaction(self) -> bool:
        return self.open

    def abort(self) -> None:
        self.lost = True
        self.open = False

    async def close(self) -> None:
        self.commands.append("CLOSE")
        self.abort()

    def shut(self) -> None:
        self.commands.append("SHUT")

    async def _answer(self, command: str) -> None:
        if self.lost:
            raise ConnectionLost("gone")
        self.commands.append(command)
        self.busy = True
        if command == self.hangs:
            await asyncio.get_running_loop().create_future()
        await asyncio.sleep(0)
        self.busy = False
        if command in self.fails:
            raise self.fails[command]

    async def fetch(self, sql: str, arguments: Sequence[Any]) -> list[Any]:
        await self._answer(sql)
        return [(self.number,)]

    async def run(self, sql: str, arguments: Sequence[Any]) -> Outcome:
        await self._answer(sql)
        return Outcome((), 1)

    async def run_many(self, sql: str, arguments: Sequence[Any]) -> int:
        await self._answer(sql)
        return len(arguments)

    async def table(self, sql: str, arguments: Sequence[Any]) -> Table:
        return Table(("number",), await self.fetch(sql, arguments))

    async def command(self, sql: str) -> str:
        await self._answer(sql)
        return ""

    async def stream(self, sql: str, arguments: Sequence[Any], chunk_size: int) -> AsyncIterator[Table]:
        for _ in range(3):
            yield await self.table(sql, arguments)

    async def begin(self, options: BeginOptions) -> None:
        await self._answer("BEGIN")
        self.open = True

    async def commit(self) -> None:
        await self._answer("COMMIT")
        self.open = False

    async def rollback(self) -> None:
        await self._answer("ROLLBACK")
        self.open = False

    async def interrupt(self) -> bool:
        self.commands.append("INTERRUPT")
        self.busy = False
        return True

    async def reset(self) -> bool:
        self.commands.append("RESET")
        self.touched = False
        return self.can_reset


class FakeSource(Source):
    """Makes such sessions, one after the other, or fails to."""

    def __init__(self, capacity: int | None = None) -> None:
        self.made: list[FakeConnection] = []
        self.failures: list[Exception] = []
        self.gate: asyncio.Event | None = None
        """When set, connecting waits for it."""
        self.capabilities = CAPABILITIES
        self.dialect: Dialect = SQLiteDialect_aiosqlite(paramstyle="qmark")
        self.dialect.name = "fake"
        self._capacity = capacity

    @property
    def capacity(self) -> int | None:
        return self._capacity

    async def connect(self, *, read_only: bool = False) -> FakeConnection:
        if self.gate is not None:
            await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)
        self.made.append(FakeConnection(self, len(self.made)))
        return self.made[-1]
