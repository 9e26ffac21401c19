"""Columns in SQLAlchemy's terms, and the names of a table's parts."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from orm.exceptions import FieldError
from orm.specs import FieldSpec

RENAMED_FROM: Final = "renamed_from"
"""The key of a table's or a column's `info` under which its previous name stands."""


def column(
    spec: FieldSpec, kind: TypeEngine[Any], *keys: sa.ForeignKey | sa.Computed, generated: bool
) -> sa.Column[Any]:
    """The column of a field; `generated` says that this table makes its values."""
    return sa.Column(
        spec.column,
        kind,
        *keys,
        key=spec.name,
        primary_key=spec.primary_key,
        nullable=spec.null or spec.computed is not None,  # MariaDB cannot say NOT NULL of what it computes
        unique=spec.unique or None,
        index=spec.index or None,
        server_default=spec.server_default,
        autoincrement=generated if spec.primary_key else "auto",
        comment=spec.comment,
        info=renaming(spec.renamed_from),
    )


def renaming(name: str | None) -> dict[str, Any]:
    """What the `info` of a table or column says about its previous name."""
    return {} if name is None else {RENAMED_FROM: name}


def check_names(model: str, table: sa.Table) -> None:
    """Raise `FieldError` when two of a table's constraints and indexes have one name."""
    seen: set[str] = set()
    names = [constraint.name for constraint in table.constraints] + [index.name for index in table.indexes]
    for name in [str(name) for name in names if name is not None]:
        if name in seen:
            raise FieldError(
                f"{model} has two constraints or indexes with the name {name!r}. Name one of them: name=…."
            )
        seen.add(name)
