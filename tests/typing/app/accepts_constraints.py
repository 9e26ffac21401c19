"""Constraints and indexes: everything here must be accepted, and it runs; see `accepts`."""

from __future__ import annotations

from typing import assert_type

import sqlalchemy as sa

import orm
from orm import F, Q, functions
from orm.postgresql import ExclusionConstraint


async def options() -> None:
    orm.UniqueConstraint("a")
    orm.UniqueConstraint("a", "b", include=["c"], nulls_distinct=False, deferrable="immediate")
    orm.UniqueConstraint(functions.Trim("a"), F("b"), name="trimmed", condition=Q(c=None) & ~Q(b=1))
    orm.CheckConstraint(F("b") < F("c"), name="less", violation_message="b is less than c.")
    orm.CheckConstraint(Q(a="x") | (F("b") > 1), name="either")
    orm.CheckConstraint(sa.text("b % 5 = 0"), name="fives")
    orm.Index(sa.text("lower(a)"), "b", name="lower", condition=sa.text("b > 0"))
    orm.UniqueConstraint(sa.text("lower(a)"), name="once", condition=sa.text("b > 0"))
    ExclusionConstraint(name="apart", expressions=[(sa.text("lower(a)"), "=")], condition=sa.text("b > 0"))
    orm.Index("a", "-b", include=("c",), method="btree")
    orm.Index(F("a").desc(nulls="last"), F("b") + 1, name="mixed", operator_classes=[None, "int4_ops"])
    ExclusionConstraint(name="free", expressions=[("a", "="), (F("b"), "&&")], condition=F("c") > 1)


def told(error: orm.ExclusionViolation) -> None:
    assert_type(error.violation_message, str | None)
    assert_type(error.constraint, str | None)
    assert_type(error.fields, tuple[str, ...])
