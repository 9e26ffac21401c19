"""Revisions that Alembic writes for models and runs at once, without files: for tests of many of them."""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext, produce_migrations
from alembic.autogenerate.render import _render_python_into_templatevars
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from orm import connecting, migrations
from orm.database.url import parse
from orm.migrations import revisions
from orm.registry import Registry
from tests.snapshots import Snapshot, differences, snapshot


@dataclass(frozen=True)
class Revision:
    """A revision as the text of a module."""

    text: str
    empty: bool

    def run(self, name: str, migration: MigrationContext) -> None:
        """Run its function `upgrade` or `downgrade`."""
        module: dict[str, Any] = {}
        exec(compile(self.text, "<revision>", "exec"), module)
        with Operations.context(migration):
            module[name]()


_TEMPLATE = """
import sqlalchemy as sa
from alembic import op
{imports}

def upgrade():
    {upgrades}


def downgrade():
    {downgrades}
"""


@dataclass(frozen=True)
class Revising:
    """A database whose tables follow models by revisions."""

    connection: AsyncConnection
    runner: asyncio.Runner

    def run(self, work: Callable[[sa.Connection], Any]) -> Any:
        """Run a function of a connection in a transaction."""
        return self.runner.run(self._run(work))

    async def _run(self, work: Callable[[sa.Connection], Any]) -> Any:
        async with self.connection.begin():
            return await self.connection.run_sync(work)

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; gives the rows of the last one."""

        def work(connection: sa.Connection) -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = []
            for statement in statements:
                found = connection.execute(sa.text(statement))
                rows = [tuple(row) for row in found] if found.returns_rows else []
            return rows

        return cast("list[tuple[Any, ...]]", self.run(work))

    def create_all(self, models: Registry) -> None:
        self.run(lambda connection: models.metadata.create_all(connection))

    def write(self, models: Registry) -> Revision:
        """The revision that autogenerate writes."""
        return cast("Revision", self.run(lambda connection: _written(_context(connection, models))))

    def upgrade(self, models: Registry, revision: Revision | None = None) -> Revision:
        """Write a revision and run it, or run the one that is given."""
        made = revision or self.write(models)
        self.run(lambda connection: made.run("upgrade", _context(connection, models)))
        return made

    def downgrade(self, models: Registry, revision: Revision) -> None:
        self.run(lambda connection: revision.run("downgrade", _context(connection, models)))

    def drop_all(self) -> None:
        """Drop whatever tables are there."""

        def work(connection: sa.Connection) -> None:
            metadata = sa.MetaData()
            metadata.reflect(connection)
            metadata.drop_all(connection)

        self.run(work)

    def fresh(self, models: Registry) -> Snapshot:
        """The tables that models make in an empty database, of which migrations find nothing to change."""
        self.create_all(models)
        left = self.write(models)
        assert left.empty, left.text
        found: Snapshot = self.run(snapshot)
        self.run(lambda connection: models.metadata.drop_all(connection))
        return found

    def there_and_back(self, old: Registry, new: Registry, *rows: str) -> Revision:
        """Lead tables with rows from models to others, and back: they are as the models make them, both times."""
        created, wanted = self.fresh(old), self.fresh(new)
        self.create_all(old)
        if rows:
            self.sql(*rows)
        revision = self.upgrade(new)
        for models, tables in ((new, wanted), (old, created)):
            if models is old:
                self.downgrade(old, revision)
            assert differences(self.run(snapshot), tables) == [], revision.text
            left = self.write(models)
            assert left.empty, left.text
        return revision


def _context(connection: sa.Connection, models: Registry) -> MigrationContext:
    options = migrations._configuration(connection.dialect.name, models, {})
    return MigrationContext.configure(connection, opts=options)


def _written(migration: MigrationContext) -> Revision:
    with warnings.catch_warnings():
        for message in revisions.NEEDLESS_WARNINGS:
            warnings.filterwarnings("ignore", message)
        script = produce_migrations(migration, migration.opts["target_metadata"])
        migration.opts["process_revision_directives"](migration, (), [script])
    arguments: dict[str, Any] = {}
    autogenerate = AutogenContext(migration, opts={**migration.opts, **_PREFIXES}, autogenerate=False)
    _render_python_into_templatevars(autogenerate, script, arguments)
    assert script.upgrade_ops is not None
    return Revision(_TEMPLATE.format(**arguments), script.upgrade_ops.is_empty())


_PREFIXES = {"sqlalchemy_module_prefix": "sa.", "alembic_module_prefix": "op.", "user_module_prefix": None}


@contextmanager
def revising(url: str) -> Iterator[Revising]:
    """A database that tests of revisions have for themselves."""
    logging.getLogger("asyncmy").setLevel(logging.ERROR)  # it warns of each name of a primary key
    address, options = parse(url)
    engine = connecting.engine(address, options)
    with asyncio.Runner() as runner:
        connection = runner.run(_connected(engine))
        try:
            yield Revising(connection, runner)
        finally:
            runner.run(connection.close())
            runner.run(engine.dispose())


async def _connected(engine: AsyncEngine) -> AsyncConnection:
    return await engine.connect()
