"""Columns that are added to tables which may have rows: what these get, where the column cannot be NULL.

Alembic adds the column as it will be, which every server refuses for a table with rows unless it has a default of the
server's. A default of the model's that is a plain value becomes one while the column is added. Where there is none, the
revision says that its author must decide.
"""

from __future__ import annotations

import datetime
import enum
import json
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations import ops

from orm.tables import INITIAL
from orm.wording import as_text

_UNDECIDED: Final = (
    "{where} cannot be NULL and has no default for the rows that are there: a table with rows refuses it.",
    "Give it a server_default, or let it be NULL first, fill it, and alter it then.",
)


@dataclass
class Remark(ops.MigrateOperation):
    """A comment in a revision; nothing on the way back."""

    text: str

    def reverse(self) -> Remark:
        return Remark("")

    def to_diff_tuple(self) -> tuple[Any, ...]:
        return ("remark", self.text)


@renderers.dispatch_for(Remark)
def _render(_context: AutogenContext, remark: Remark) -> list[str]:
    return [f"# {remark.text}"] if remark.text else []


class WithoutDefault(ops.AlterColumnOp):
    """Takes the default away that a column had while it was added; on the way back it goes with the column."""

    def reverse(self) -> Any:
        return Remark("")


def complete(upgrade: ops.UpgradeOps) -> None:
    """Let columns be added to tables with rows."""
    found: list[ops.MigrateOperation] = []
    for step in upgrade.ops:
        added = [p for p in step.ops if isinstance(p, ops.AddColumnOp)] if isinstance(step, ops.ModifyTableOps) else []
        after: list[ops.MigrateOperation] = []
        for part in added:
            column = part.column
            if column.nullable or column.server_default is not None or column.computed is not None:
                continue
            default = _literal(column)
            if default is None:
                where = f"{part.table_name}.{column.name}"
                found += [Remark(line.format(where=where)) for line in _UNDECIDED]
                continue
            part.column = _copy(column, default)
            words: dict[str, Any] = {
                "existing_type": column.type,
                "existing_nullable": False,
                "existing_comment": column.comment,
                "modify_server_default": None,
                "schema": part.schema,
            }
            after.append(WithoutDefault(part.table_name, column.name, **words))
        found.append(step)
        if after and isinstance(step, ops.ModifyTableOps):
            found.append(ops.ModifyTableOps(step.table_name, after, schema=step.schema))
    upgrade.ops = found


def _copy(column: sa.Column[Any], default: Any) -> sa.Column[Any]:
    """The column with a default, apart from its table: the table is not to have it."""
    made = sa.Column(
        column.name, column.type, nullable=False, server_default=default, comment=column.comment, info=dict(column.info)
    )
    sa.Table(column.table.name, sa.MetaData(), made, schema=column.table.schema)
    return made


def _literal(column: sa.Column[Any]) -> Any:
    """The model's default as one of the server's, in words that every engine reads; `None` if there is none such."""
    if INITIAL not in column.info:
        return None
    value = column.info[INITIAL]
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return sa.true() if value else sa.false()
    if isinstance(value, (int, Decimal)):
        return sa.text(str(value))
    if isinstance(value, float):
        return sa.text(repr(value))
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return sa.text(f"'{value.isoformat()}'")
    if isinstance(value, uuid.UUID):
        return sa.text(f"'{value.hex}'")
    if isinstance(value, (dict, list)):
        value = json.dumps(value)
    if not isinstance(value, str) or "\\" in value or "%" in value:  # which MySQL or its drivers read otherwise
        return None
    quoted = value.replace("'", "''")
    return sa.text(as_text(f"('{quoted}')"))  # in parentheses, as MySQL wants it for long texts
