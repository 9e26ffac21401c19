"""Constraints and indexes in the SQL of the table's own engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

import orm
from orm import F, Q
from orm.database import Database
from orm.database.dialects import dialect_named
from orm.postgresql import ExclusionConstraint
from tests.databases import created
from tests.revising import Revising, revising

CHECKS = [
    orm.CheckConstraint(sa.text("length <> 'a:b' AND share_in_percent % 7 <> 5"), name="%(table)s_odd"),
    orm.CheckConstraint(sa.text("code <> '\\:x' AND code NOT LIKE '50%'"), name="code", violation_message="A code."),
]
INDEXES = [
    orm.Index(sa.text("share_in_percent DESC"), name="by_share"),
    orm.Index("-share", sa.text("code"), name="both"),
]
CONDITIONS = [
    orm.Index("share", name="small", condition=sa.text("share_in_percent < 9 AND code NOT LIKE '%:%'")),
    orm.UniqueConstraint("code", name="once", condition=sa.text("share_in_percent > 0")),
    orm.UniqueConstraint(sa.text("lower(code)"), sa.text("(share_in_percent + 1) DESC"), name="lower_code"),
]
EXCLUSIONS = [
    ExclusionConstraint(
        name="apart",
        method="btree",
        expressions=[(sa.text("lower(length)"), "="), ("share", "=")],
        condition=sa.text("share_in_percent > 90"),
        deferrable="deferred",
    ),
    orm.Index(sa.text("lower(code) text_pattern_ops DESC NULLS LAST"), "share", name="ops", include=["length"]),
]


def declare(engine: str, checks: list[Any] = CHECKS) -> tuple[orm.Registry, Any]:
    """A model with what an engine has."""
    models = orm.Registry()
    given: list[Any] = [*checks, *INDEXES]
    given += CONDITIONS if engine != "mysql" else []
    given += EXCLUSIONS if engine == "postgresql" else []

    class Part(orm.Model):
        code = orm.String(max_length=20)
        length = orm.String(max_length=20, default="")
        share = orm.Integer(column="share_in_percent", default=0)

        class Meta:
            registry = models
            constraints = [part for part in given if not isinstance(part, orm.Index)]
            indexes = [part for part in given if isinstance(part, orm.Index)]

    return models, Part


@pytest.fixture
def revised(own_url: str) -> Iterator[Revising]:
    with revising(own_url) as made:
        yield made


async def test_they_are_kept_to_and_errors_name_them(database: Database) -> None:
    models, model = declare(database.dialect.name)
    async with created(models, database):
        await model.objects.create(code="x", share=7)
        for code in (":x", "50%"):
            with pytest.raises(orm.CheckViolation) as caught:
                await model.objects.create(code=code)
            assert (caught.value.constraint, caught.value.model) == ("code", "Part")
            assert caught.value.violation_message == "A code."
        with pytest.raises(orm.CheckViolation) as caught:
            await model.objects.create(code="y", share=5)
        assert caught.value.constraint == "part_odd"
        with pytest.raises(orm.CheckViolation):
            await model.objects.create(code="y", length="a:b")
        if database.dialect.name != "mysql":
            await _check_unique(model)


async def _check_unique(model: Any) -> None:
    with pytest.raises(orm.UniqueViolation) as caught:
        await model.objects.create(code="X", share=7)
    assert (caught.value.constraint, caught.value.model) == ("lower_code", "Part")
    assert caught.value.fields == ()
    with pytest.raises(orm.UniqueViolation) as caught:
        await model.objects.create(code="x", share=8)
    assert (caught.value.constraint, caught.value.fields) == ("once", ("code",))
    new = model(code="x", share=9)
    options = {"update_conflicts": True, "unique_fields": ["code"], "update_fields": ["share"]}
    await model.objects.bulk_create([new], **options)
    assert await model.objects.values_list("code", "share") == [("x", 9)]


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_migrations_know_them(revised: Revising) -> None:
    engine = revised.connection.dialect.name
    models, _ = declare(engine)
    made = revised.upgrade(models)
    assert not made.empty
    left = revised.write(models)
    assert left.empty, left.text
    models, _ = declare(engine, [CHECKS[0], orm.CheckConstraint(sa.text("code <> '%'"), name="code")])
    again = revised.upgrade(models)
    assert "code <> '%'" in again.text
    left = revised.write(models)
    assert left.empty, left.text
    revised.downgrade(models, again)
    models, _ = declare(engine)
    left = revised.write(models)
    assert left.empty, left.text


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (orm.Index(sa.text("(lower(code))"), name="x"), r"MariaDB has no indexes on expressions, here Index\(text\('"),
        (
            CONDITIONS[0],
            r"has no conditions in indexes .*, here Index\('share', name='small', condition=text\(.share_in",
        ),
        (
            EXCLUSIONS[0],
            r"has no exclusion constraints, .*expressions=\[\(text\('lower\(length\)'\), '='\), \('share', '",
        ),
    ],
)
def test_what_an_engine_does_not_have_is_refused(made: Any, message: str) -> None:
    dialect = dialect_named("mariadb")

    class Part(orm.Model):
        code = orm.String(max_length=20)
        share = orm.Integer()

        class Meta:
            registry = orm.Registry()
            constraints = [] if isinstance(made, orm.Index) else [made]
            indexes = [made] if isinstance(made, orm.Index) else []

    table: sa.Table = Part.table
    steps: list[Any] = [*map(sa.schema.CreateIndex, table.indexes), sa.schema.CreateTable(table)]
    with pytest.raises(orm.NotSupportedError, match=message):
        [step.compile(dialect=dialect) for step in steps]


def test_words_beside_sql_are_checked() -> None:
    with pytest.raises(orm.FieldError, match="Part has no field 'cod'"):

        class Part(orm.Model):
            code = orm.String(max_length=20)

            class Meta:
                registry = orm.Registry()
                indexes = [orm.Index(sa.text("code"), F("cod"), name="x", condition=Q(code="a"))]
