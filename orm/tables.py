"""What tables have in SQLAlchemy's terms: columns, foreign keys, and the parts that `Meta` adds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine

from orm import violations
from orm.engines import engine_name
from orm.exceptions import FieldError, NotSupportedError
from orm.specs import MISSING, FieldSpec, RelationSpec
from orm.violations import STEP

INITIAL: Final = "initial"
"""The key of a column's `info` under which the default stands that the model gives its rows, if it is a plain value."""

RENAMED_FROM: Final = "renamed_from"
"""The key of a table's or a column's `info` under which its previous name stands."""


NAMING_CONVENTION: Final = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class ForeignKey(sa.ForeignKeyConstraint):
    """A foreign key, which MySQL and MariaDB refuse where they cannot do what it says."""


@compiles(ForeignKey, "mysql", "mariadb")
def _mysql_foreign_key(key: ForeignKey, compiler: Any, **options: Any) -> str:
    if key.deferrable:
        raise NotSupportedError(
            f"{engine_name(compiler.dialect)} has no deferrable keys: PostgreSQL and SQLite have. Leave deferrable out "
            f"of the key {', '.join(key.column_keys)} of {key.table.name}, and write rows after those they refer to."
        )
    return cast("str", compiler.visit_foreign_key_constraint(key, **options))


_EMPTY: Final[dict[Any, Any]] = {dict: {}, list: []}
"""What functions give that are defaults and need no instance."""


def _initial(spec: FieldSpec) -> dict[str, Any]:
    """What `info` says about a default of Python's."""
    default = _EMPTY.get(spec.default, spec.default) if callable(spec.default) else spec.default
    return {} if default is MISSING or default is None or callable(default) else {INITIAL: default}


def column(spec: FieldSpec, kind: TypeEngine[Any], *computed: sa.Computed, generated: bool) -> sa.Column[Any]:
    """The column of a field; `generated` says that this table makes its values."""
    return sa.Column(
        spec.column,
        kind,
        *computed,
        key=spec.name,
        primary_key=spec.primary_key,
        nullable=spec.null or spec.computed is not None,  # MariaDB cannot say NOT NULL of what it computes
        unique=spec.unique or None,
        index=spec.index or None,
        server_default=spec.server_default,
        autoincrement=generated if spec.in_key else "auto",
        comment=spec.comment,
        info={**renaming(spec.renamed_from), **_initial(spec)},
    )


def foreign_key(
    spec: RelationSpec, target: str, pairs: Sequence[tuple[FieldSpec, FieldSpec]], unique: Sequence[FieldSpec]
) -> ForeignKey:
    """The constraint of a foreign key.

    Args:
        spec: the foreign key.
        target: the name of the table that it refers to.
        pairs: its fields, and those of the target that they refer to.
        unique: these in the order of the target's constraint over them: InnoDB finds no other one.
    """
    pairs = sorted(pairs, key=lambda pair: unique.index(pair[1]))
    return ForeignKey(
        [near.name for near, _ in pairs],
        [f"{target}.{far.name}" for _, far in pairs],
        onupdate=spec.on_update,
        ondelete=spec.on_delete,
        deferrable=None if spec.deferrable is None else True,
        initially=None if spec.deferrable is None else spec.deferrable.upper(),
    )


def link(keys: Sequence[FieldSpec], parent: sa.Table) -> sa.ForeignKeyConstraint:
    """The constraint that the key of a table is a foreign key to that of a parent's, which has the same fields."""
    columns = [parent.c[spec.name] for spec in keys]
    names = [spec.name for spec in keys]
    return sa.ForeignKeyConstraint(names, columns, ondelete="CASCADE", info={STEP: True})


def add_index(table: sa.Table, spec: RelationSpec, near: Sequence[FieldSpec], key: Sequence[FieldSpec]) -> None:
    """Add the index, or unique constraint, of a foreign key that has no column of its own, unless there is one.

    Args:
        table: the table.
        spec: the foreign key.
        near: its fields.
        key: the fields of the primary key.
    """
    first, width = near[0], len(near)
    if tuple(near) == tuple(key) or (width == 1 and first.unique):
        return
    columns = [table.c[field.name] for field in near]
    if spec.kind == "one_to_one":
        table.append_constraint(sa.UniqueConstraint(*columns))
    elif spec.index and not (width == 1 and first.index) and tuple(near) != tuple(key[:width]):
        sa.Index(None, *columns)


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


class TablePart:
    """What `Meta` adds to a table: a constraint or an index.

    Attributes:
        name: the name that it was given; `None` for one that the naming convention makes.
        violation_message: what users are told when a row violates it.
        unique_fields: the fields of which no two rows have the same values at any time; empty where it is about
            something else, or about some of the rows.
        unique_expressions: no two rows have the same values of its expressions.
    """

    __slots__ = ("name", "violation_message")

    def __init__(self, name: str | None, violation_message: str | None = None) -> None:
        for what, text in (("name", name), ("violation_message", violation_message)):
            if text is not None and (not isinstance(text, str) or not text):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise FieldError(f"The {what} of {type(self).__name__} is a text, not {text!r}.")
        self.name = name
        self.violation_message = violation_message

    @property
    def info(self) -> dict[str, Any]:
        """What SQLAlchemy's constraint keeps for us."""
        return {} if self.violation_message is None else {violations.MESSAGE: self.violation_message}

    @property
    def unique_fields(self) -> tuple[str, ...]:
        return ()

    @property
    def unique_expressions(self) -> bool:
        return False

    def name_in(self, schema: Any) -> str | None:
        """The name that it was given, for the table of a schema."""
        return None if self.name is None else self.name.replace("%(table)s", schema.tablename)

    def check(self, schema: Any) -> None:
        """Raise `FieldError` for what a schema does not have, or a table cannot."""
        raise NotImplementedError

    def attach(self, schema: Any, table: sa.Table) -> None:
        """Add it to the table of a schema. Raises `FieldError` as `check` does."""
        raise NotImplementedError
