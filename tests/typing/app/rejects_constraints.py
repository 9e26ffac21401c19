"""Constraints and indexes: every marked line must be reported, and no other one; see `rejects`."""

from __future__ import annotations

import orm
from orm import Q
from orm.postgresql import ExclusionConstraint


def options() -> None:
    orm.UniqueConstraint("a", deferrable="later")  # type: ignore
    orm.UniqueConstraint("a", deferrable=True)  # type: ignore
    orm.UniqueConstraint("a", name="x", condition="a > 1")  # type: ignore
    orm.UniqueConstraint("a", method="gin")  # type: ignore
    orm.Index("a", nulls_distinct=False)  # type: ignore
    orm.Index("a", include=3)  # type: ignore
    orm.Index("a", operator_classes=[1])  # type: ignore
    orm.CheckConstraint(Q(a=1))  # type: ignore
    orm.CheckConstraint("a > 1", name="x")  # type: ignore
    ExclusionConstraint(expressions=[("a", "=")])  # type: ignore
    ExclusionConstraint(name="x", expressions=[("a",)])  # type: ignore
    ExclusionConstraint(name="x", expressions=["a"])  # type: ignore
