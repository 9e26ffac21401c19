"""An asynchronous Alembic environment in a few lines: `migrations/env.py` calls `run(models)`.

    from music.models import models
    from orm import migrations

    migrations.run(models)

Needs the extra `migrations`. What Alembic's own asynchronous template leaves to its user is done here: engines with
our drivers, batch mode and whole transactions on SQLite, comparing types and defaults so that an unchanged model gives
an empty revision on every database, and our column types in the revisions that Alembic writes.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.compare import server_defaults
from alembic.operations.ops import AlterColumnOp, MigrationScript
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult
from sqlalchemy import event
from sqlalchemy.dialects import mysql
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import TypeEngine

from orm import connecting, enumerations, support
from orm.database.url import DatabaseURL, Options, parse
from orm.exceptions import InterfaceError
from orm.migrations import alterations, copies, renames, rendering, revisions, steps
from orm.registry import Registry

_OURS: Final = {
    "connection": "pass it as config.attributes['connection']",
    "url": "it is an argument of run()",
    "dialect_name": "it follows from the URL",
    "target_metadata": "it is the first argument of run()",
}
"""The options of Alembic's `configure` that `run` sets itself, and what to do instead."""

_UNNAMED: Final = ("version_table", "version_table_schema", "version_table_pk")
"""Options of Alembic's `configure` that its signature leaves out."""


_PLUGIN: Final = Plugin("orm.migrations")
"""What compares models and tables beside Alembic's own comparators."""

_EXTENSIONS: Final = (alterations, copies)
"""What Alembic does otherwise; it was enough to import them."""

_PLUGIN.add_autogenerate_comparator(renames.compare, "schema", priority=DispatchPriority.FIRST)


def _compare_made(
    _autogenerate: AutogenContext,
    _step: AlterColumnOp,
    _schema: str | None,
    _table: str,
    _column: str,
    inspected: sa.Column[Any],
    declared: sa.Column[Any],
) -> PriorityDispatchResult:
    """Leave a column alone that is computed, or was: `orm.migrations.computed` compares it, and Alembic only warns.

    So is a key that the database makes: IDENTITY does what SERIAL does, of which alone models tell.
    """
    computed = inspected.computed is not None or declared.computed is not None
    key = inspected.identity is not None and declared.identity is None and declared.autoincrement is True
    return PriorityDispatchResult.STOP if computed or key else PriorityDispatchResult.CONTINUE


_PLUGIN.add_autogenerate_comparator(_compare_made, "column", "server_default", priority=DispatchPriority.FIRST)
server_defaults.setup(_PLUGIN)  # Alembic's own, which must come after ours
_DEFAULTS: Final = "~alembic.autogenerate.defaults"
"""Leaves out Alembic's plugin with the same comparators."""


def run(models: Registry | sa.MetaData, *, url: str | None = None, **options: Any) -> None:
    """Run what the `alembic` command asked for; the only call that `env.py` needs.

    It works in offline mode (`--sql`), and inside a running event loop, too (`command.upgrade` from an asynchronous
    test): there it uses a thread with a loop of its own, and the caller's loop waits.

    Args:
        models: the registry of the models, or SQLAlchemy's metadata.
        url: the database, as `orm.Database` takes it. Without one it is, in this order, `-x url=…` of the command
            line, `sqlalchemy.url` of `alembic.ini`, and the registry's own database. A connection of SQLAlchemy's in
            `config.attributes["connection"]` is used before any of them.
        options: those of Alembic's `context.configure`, before the ones chosen here.

    Raises:
        InterfaceError: there is no URL, it is that of a database in memory, or an option is unknown.
    """
    _check(options)
    connection: sa.Connection | None = context.config.attributes.get("connection")
    if connection is not None and not context.is_offline_mode():
        _migrate(connection, models, options)
        return
    address, settings = _address(models, url)
    if context.is_offline_mode():
        _write_sql(address, models, options)
        return
    _run_to_the_end(address, settings, models, options)


def _check(options: dict[str, Any]) -> None:
    known = {*inspect.signature(EnvironmentContext.configure).parameters, *_UNNAMED} - {"self", "kw", *_OURS}
    for name in options:
        if name in _OURS:
            raise InterfaceError(f"run() has no option {name!r}: {_OURS[name]}.")
        if name not in known:
            raise InterfaceError(f"run() has no option {name!r}. Choose from: {', '.join(sorted(known))}.")


def _address(models: Registry | sa.MetaData, url: str | None) -> tuple[DatabaseURL, Options]:
    """Where the database is. Raises `InterfaceError` when nobody says so, or nobody else could see it."""
    text = (
        context.get_x_argument(as_dictionary=True).get("url") or url or context.config.get_main_option("sqlalchemy.url")
    )
    if text:
        address, settings = parse(text)
    elif isinstance(models, Registry) and models.database is not None:
        address, settings = models.database.url, models.database.options
    else:
        raise InterfaceError(
            "Migrations need to know the database: run(models, url=…), sqlalchemy.url in alembic.ini, "
            "alembic -x url=…, or a registry with a database."
        )
    if address.is_memory and not context.is_offline_mode():
        raise InterfaceError(
            "A database in memory belongs to one connection, so migrations cannot reach it. "
            "Use a file, or pass a connection as config.attributes['connection']."
        )
    return address, settings


def _run_to_the_end(
    address: DatabaseURL, settings: Options, models: Registry | sa.MetaData, options: dict[str, Any]
) -> None:
    """Run on a loop of our own; in a thread of its own where this one is running a loop already."""
    work = _connect_and_migrate(address, settings, models, options)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="orm-migrations") as thread:
        thread.submit(asyncio.run, work).result()


async def _connect_and_migrate(
    address: DatabaseURL, settings: Options, models: Registry | sa.MetaData, options: dict[str, Any]
) -> None:
    engine = connecting.engine(address, settings)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate, models, options)
    finally:
        await engine.dispose()


def _migrate(connection: sa.Connection, models: Registry | sa.MetaData, options: dict[str, Any]) -> None:
    context.configure(connection=connection, **_configuration(connection.dialect.name, models, options))
    event.listen(connection, "before_execute", support.refuse_lost_condition)
    try:
        with warnings.catch_warnings(), context.begin_transaction():
            for message in revisions.NEEDLESS_WARNINGS:
                warnings.filterwarnings("ignore", message)
            context.run_migrations()
    finally:
        event.remove(connection, "before_execute", support.refuse_lost_condition)


def _write_sql(address: DatabaseURL, models: Registry | sa.MetaData, options: dict[str, Any]) -> None:
    """Offline mode: write the SQL that would be run, values and all."""
    shown = {"literal_binds": True, "dialect_opts": {"paramstyle": "named"}, **options}
    context.configure(url=connecting.sqlalchemy_url(address), **_configuration(address.engine, models, shown))
    with context.begin_transaction():
        context.run_migrations()


def _configuration(engine: str, models: Registry | sa.MetaData, options: dict[str, Any]) -> dict[str, Any]:
    """What Alembic is told: the user's options over ours."""
    sqlite = engine == "sqlite"
    ours: dict[str, Any] = {
        "target_metadata": models.metadata if isinstance(models, Registry) else models,
        "render_as_batch": sqlite,
        "compare_type": _compare_type,
        "compare_server_default": _compare_server_default,
        "render_item": rendering.render_item,
        "process_revision_directives": _mend,
        "autogenerate_plugins": ["alembic.autogenerate.*", _DEFAULTS, _PLUGIN.name],
    }
    if sqlite:
        ours["transactional_ddl"] = True  # `connecting.engine` sees to it that BEGIN is sent
    if "autogenerate_plugins" in options:
        options = {**options, "autogenerate_plugins": [*options["autogenerate_plugins"], _DEFAULTS, _PLUGIN.name]}
    for name in {"render_item", "process_revision_directives"} & set(options):
        options = {**options, name: _both(options[name], ours[name])}
    return ours | options


def _both(theirs: Callable[..., Any], ours: Callable[..., Any]) -> Callable[..., Any]:
    """The user's hook, and ours after it unless theirs has given an answer."""

    def hook(*arguments: Any) -> Any:
        return theirs(*arguments) or ours(*arguments)

    return hook


def _compare_type(
    migration: MigrationContext,
    _inspected_column: sa.Column[Any],
    _column: sa.Column[Any],
    inspected: TypeEngine[Any],
    declared: TypeEngine[Any],
) -> bool | None:
    """Whether a column's type has changed; `None` lets Alembic compare, which knows all but this."""
    if migration.dialect.name == "mysql":
        kept = declared.dialect_impl(migration.dialect)
        if isinstance(inspected, mysql.ENUM) and (kind := enumerations.named(declared)) is not None:
            return tuple(inspected.enums) != kind.values  # their order is that of the rows
        if isinstance(kept, sa.JSON) and isinstance(inspected, mysql.LONGTEXT):
            return False  # MariaDB's JSON is an alias of LONGTEXT
    return None


def _compare_server_default(
    migration: MigrationContext,
    _inspected_column: sa.Column[Any],
    column: sa.Column[Any],
    inspected: str | None,
    declared: object,
    rendered: str | None,
) -> bool | None:
    """Whether a server's default has changed; `None` lets Alembic compare."""
    if migration.dialect.name == "postgresql" and inspected and rendered:
        if isinstance(getattr(declared, "arg", None), str):  # a text, not yet in quotes
            rendered = "'" + rendered.replace("'", "''") + "'"
        return not _is_same_on_postgresql(migration, column, inspected, rendered)
    if migration.dialect.name != "mysql" or not inspected or not rendered:
        return None
    # The server tells it in other words than it was told.
    return False if _mysql_default(inspected) == _mysql_default(rendered) else None


def _is_same_on_postgresql(migration: MigrationContext, column: sa.Column[Any], told: str, declared: str) -> bool:
    """Whether two defaults are the same value of a column, for PostgreSQL, which tells them with casts."""
    if told == declared or re.sub(r"::[a-z ]+(\(\d+(,\d+)?\))?(\[\])?", "", told) == declared:
        return True
    connection = migration.connection
    assert connection is not None
    kind = column.type.compile(dialect=migration.dialect)
    savepoint = connection.begin_nested()
    try:
        same = connection.exec_driver_sql(f"SELECT CAST({told} AS {kind})::text = CAST({declared} AS {kind})::text")
        return bool(same.scalar())
    except DBAPIError:  # it is a default of another type
        return False
    finally:
        savepoint.rollback()


def _mysql_default(text: str) -> str:
    """A default in one spelling of several: `(now())` is `current_timestamp(6)`, `true` is `1`."""
    bare = text.strip().lower()
    while bare.startswith("(") and bare.endswith(")"):
        bare = bare[1:-1].strip()
    if re.fullmatch(r"(now|current_timestamp)(\(\d?\))?", bare):
        return "now"
    bare = {"true": "1", "false": "0"}.get(bare, bare)
    if re.fullmatch(r"'?-?\d+(\.\d+)?'?", bare):
        return str(Decimal(bare.strip("'")).normalize())  # told with the places of the column
    return bare


def _mend(migration: MigrationContext, _revision: object, directives: list[MigrationScript]) -> None:
    """Complete what Alembic found, put it in order, and leave out needless drops."""
    for script in directives:
        revisions.complete(migration, script)
        for container in (*script.upgrade_ops_list, *script.downgrade_ops_list):
            steps.leave_out_needless(container)
