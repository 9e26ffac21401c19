"""Constraints and indexes in the revisions that Alembic writes.

Alembic compares the columns of indexes and unique constraints, on PostgreSQL also their expressions by the text, which
the server tells in other words than it was told; no conditions, no methods, and no CHECK or exclusion constraints. Here
each of them is looked for by its name, and compared with what the database tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import sqlalchemy as sa
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import sqla_compat
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from orm import catalogs, reflection
from orm.catalogs import Catalog, Rule
from orm.migrations import additions, computed, copies, enumtypes, renames, steps, verbatim
from orm.wording import Told

NEEDLESS_WARNINGS: Final = (
    "autogenerate skipping metadata-specified expression-based index",
    "Skipped unsupported reflection of expression-based index",
    "Expression #",
)
"""How the warnings begin that say that others do not compare what is compared here."""

_KINDS: Final = {
    "index": "index",
    "unique": "unique_constraint",
    "check": "check_constraint",
    "exclude": "exclude_constraint",
}
"""What `include_object` is told that it is."""


def complete(migration: MigrationContext, script: ops.MigrationScript) -> None:
    """Add what Alembic did not find, leave out what it took for a change, and put SQL in the place of expressions."""
    metadata, connection = cast("Any", migration).opts["target_metadata"], migration.connection
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    if connection is None or upgrade is None or downgrade is None or not isinstance(metadata, sa.MetaData):
        return
    inspector = reflection.inspect(connection)
    found = renames.find(metadata, inspector)
    renames.look_ahead(inspector, found)
    renamed = {item.key: item for item in found}
    present: list[sa.Table] = []
    for table in metadata.sorted_tables:
        if _is_included(migration, table, "table"):
            there = inspector.has_table(table.name, schema=table.schema)
            catalog = catalogs.read(connection, table, renamed.get((table.schema, table.name))) if there else None
            _complete_table(migration, upgrade, table, catalog, inspector)
            present += [table] if there else []
    computed.complete(upgrade, present, connection, inspector)
    _complete_dropped(upgrade, connection, inspector)
    upgrade.ops = [step for step in upgrade.ops if not isinstance(step, ops.ModifyTableOps) or step.ops]
    copies.complete_drops(upgrade, connection)
    enumtypes.complete(upgrade, metadata, connection)
    additions.complete(upgrade)
    if connection.dialect.name == "mysql":
        steps.make_keys_again(upgrade, metadata)
    steps.arrange(upgrade, migration.dialect.name)
    upgrade.reverse_into(downgrade)
    verbatim.put_sql(upgrade, migration)
    verbatim.put_sql(downgrade, migration)


def _is_included(migration: MigrationContext, item: Any, kind: str, *, reflected: bool = False) -> bool:
    """Whether the user's `include_object` lets it through."""
    include = cast("Any", migration).opts.get("include_object")
    return include is None or bool(include(item, item.name, kind, reflected, None))


def _all(table: sa.Table) -> list[Rule]:
    return [*table.indexes, *table.constraints]


def _rules(table: sa.Table, engine: str) -> Iterator[tuple[str, Rule]]:
    """The constraints and indexes that are compared here: unique constraints have options on PostgreSQL only."""
    for rule in sorted(_all(table), key=lambda rule: str(rule.name)):
        if isinstance(rule, sa.Index):
            yield "index", rule
        elif isinstance(rule, sa.CheckConstraint) and not cast("Any", rule)._type_bound:
            yield "check", rule
        elif isinstance(rule, sa.UniqueConstraint) and engine == "postgresql":
            yield "unique", rule
        elif isinstance(rule, ExcludeConstraint):
            yield "exclude", rule


class _Steps:
    """The steps for one table in three groups: a batch that copies a table, on SQLite, makes plain indexes only."""

    def __init__(self, upgrade: ops.UpgradeOps, table: sa.Table, *, copies: bool) -> None:
        def group() -> ops.ModifyTableOps:
            return ops.ModifyTableOps(table.name, [], schema=table.schema)

        key = (table.schema, table.name)
        there = [s for s in upgrade.ops if isinstance(s, ops.ModifyTableOps) and (s.schema, s.table_name) == key]
        self.first, self.own, self.last = group(), there[0] if there else group(), group()
        self.copies = copies
        if not there:
            upgrade.ops.append(self.own)
        position = upgrade.ops.index(self.own)
        upgrade.ops[position : position + 1] = [self.first, self.own, self.last]

    def about(self, name: str) -> list[Any]:
        """What Alembic found for a constraint or an index; MySQL's own index of a foreign key has the name of that."""
        found = [step for step in self.own.ops if name in (_get(step, "index_name"), _get(step, "constraint_name"))]
        return [step for step in found if _get(step, "constraint_type") != "foreignkey"]

    def forget(self, steps: list[Any]) -> None:
        """Leave some steps out."""
        self.own.ops = [step for step in self.own.ops if step not in steps]

    def drop(self, step: ops.MigrateOperation) -> None:
        """Drop something, before what it is about goes."""
        if self.copies and isinstance(step, ops.DropConstraintOp):
            self.own.ops.insert(0, step)
        else:
            self.first.ops.append(step)

    def create(self, rule: Rule) -> None:
        """Make something, after what it is about is there."""
        if isinstance(rule, sa.Index):
            self.last.ops.append(ops.CreateIndexOp.from_index(rule))
        else:
            (self.own if self.copies else self.last).ops.append(ops.AddConstraintOp.from_constraint(rule))


def _get(step: object, name: str) -> object:
    return getattr(step, name, None)


def _complete_table(
    migration: MigrationContext,
    upgrade: ops.UpgradeOps,
    table: sa.Table,
    catalog: Catalog | None,
    inspector: sa.Inspector,
) -> None:
    """Mend the steps for a table. A new table has no catalog."""
    engine = migration.dialect.name
    own = _Steps(upgrade, table, copies=engine == "sqlite")
    names = {_name(rule, migration) for rule in _all(table)}
    for kind, rule in _rules(table, engine):
        name = _name(rule, migration)
        if name is not None and _is_included(migration, rule, _KINDS[kind]):
            _complete_rule(own, name, rule, catalog)
    if catalog is not None:
        reflected = {index["name"] for index in inspector.get_indexes(table.name, schema=table.schema)}
        for name, told in catalog.told.items():
            if name in names or not _is_gone(own, name, told, reflected) or (told.kind == "check" and None in names):
                continue  # there, or perhaps one that has no name in the models
            own.forget(own.about(name))
            gone: Any = verbatim.drop(name, told, table)
            item = gone.to_index() if told.kind == "index" else gone.to_constraint()
            if _is_included(migration, item, _KINDS[told.kind], reflected=True):
                own.drop(gone)


def _is_gone(own: _Steps, name: str, told: Told, reflected: set[str | None]) -> bool:
    """Whether to drop what no model has: of what Alembic reads it says so itself, but the way back needs all of it."""
    if told.kind == "unique" or (told.kind == "index" and name in reflected):
        return any(isinstance(step, (ops.DropIndexOp, ops.DropConstraintOp)) for step in own.about(name))
    return True


def _complete_dropped(upgrade: ops.UpgradeOps, connection: sa.Connection, inspector: sa.Inspector) -> None:
    """Let the way back make dropped tables with all their constraints and indexes."""
    for step in [step for step in upgrade.ops if isinstance(step, ops.DropTableOp)]:
        table = sa.Table(step.table_name, sa.MetaData(), schema=step.schema)
        told = catalogs.read(connection, table, None).told
        reflected = {index["name"] for index in inspector.get_indexes(table.name, schema=table.schema)}
        own = _Steps(upgrade, table, copies=False)
        for name, found in told.items():
            if found.kind == "index" and _is_gone(own, name, found, reflected):
                own.forget(own.about(name))
                own.drop(verbatim.drop(name, found, table))
        made: Any = cast("Any", step)._reverse
        rules = {name: found for name, found in told.items() if found.kind != "index"}
        kept: list[Any] = [item for item in made.columns if isinstance(item, sa.Column) or item.name not in rules]
        made.columns = kept + [verbatim.constraint(name, found) for name, found in rules.items()]


def _name(rule: Rule, migration: MigrationContext) -> str | None:
    """The name that it has in the database, which may be shortened."""
    return cast("str | None", cast("Any", sqla_compat)._get_constraint_final_name(rule, migration.dialect))


def _complete_rule(own: _Steps, name: str, rule: Rule, catalog: Catalog | None) -> None:
    about = own.about(name)
    told = None if catalog is None else catalog.told.get(name)
    if catalog is not None and told is not None:
        own.forget(about)
        if not catalog.is_same(name, rule):
            own.drop(verbatim.drop(name, told, cast("sa.Table", rule.table)))
            own.create(rule)
    elif catalog is not None or isinstance(rule, sa.Index):  # a new table has its constraints from the start
        own.forget([step for step in about if isinstance(step, (ops.CreateIndexOp, ops.AddConstraintOp))])
        own.create(rule)
