"""Changes of columns in the source text of revisions: what PostgreSQL must be told to change a type.

PostgreSQL changes a type by itself only where one value becomes another without a doubt. Where it does not, the
revision says how, and takes the default away meanwhile, which it would not change either.
"""

from __future__ import annotations

from typing import Any, Final, cast

import sqlalchemy as sa
from alembic.autogenerate.api import AutogenContext
from alembic.autogenerate.render import renderers
from alembic.operations import ops
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeEngine

from orm.exceptions import NotSupportedError

_DIALECT: Final[Dialect] = cast("Any", postgresql).dialect()
_ALEMBICS: Final = renderers.dispatch(ops.AlterColumnOp)

_FAMILIES: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (sa.Enum, "enum"),
    (sa.String, "text"),
    (sa.Boolean, "boolean"),
    (sa.Integer, "number"),
    (sa.Numeric, "number"),
    (sa.Float, "number"),
    (sa.DateTime, "moment"),
    (sa.Date, "moment"),
)
"""Between types of one family PostgreSQL changes values by itself."""


def using(column: str, before: TypeEngine[Any], after: TypeEngine[Any]) -> str | None:
    """How PostgreSQL makes values of one type of those of another; `None` where it does so by itself."""
    try:
        old, new = before.dialect_impl(_DIALECT), after.dialect_impl(_DIALECT)
        target = after.compile(dialect=_DIALECT)
        old_name = before.compile(dialect=_DIALECT)
    except (CompileError, NotSupportedError):
        return None  # a type of another engine
    name = _DIALECT.identifier_preparer.quote(column)
    families = _family(old), _family(new)
    if target == old_name or families[1] == "text" or (families[0] == families[1] != ""):
        return None
    if families == ("boolean", "number"):
        return f"{name}::integer::{target}"
    return f"{name} <> 0" if families == ("number", "boolean") else f"{name}::text::{target}"


def _family(kind: Any) -> str:
    """What kind of values a type has, if PostgreSQL knows ways between several types of them."""
    made = getattr(kind, "impl_instance", kind)
    return next((name for known, name in _FAMILIES if isinstance(made, known)), "")


@renderers.dispatch_for(ops.AlterColumnOp, replace=True)
def _render(context: AutogenContext, step: ops.AlterColumnOp) -> list[str]:
    how = None
    if step.existing_type is not None and step.modify_type is not None:
        how = using(step.column_name, step.existing_type, step.modify_type)
    if how is None:
        return [_ALEMBICS(context, step)]
    lines: list[str] = []
    default = step.existing_server_default
    if default not in (False, None):
        lines.append(_ALEMBICS(context, _without_default(step)))
        if step.modify_server_default is False:
            step = _copy(step, modify_server_default=default)
    text: str = _ALEMBICS(context, step)
    return [*lines, f"{text[:-1]},\n{' ' * 11}postgresql_using={how!r})"]


def _without_default(step: ops.AlterColumnOp) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(
        step.table_name,
        step.column_name,
        schema=step.schema,
        existing_type=step.existing_type,
        existing_nullable=step.existing_nullable,
        existing_comment=step.existing_comment,
        modify_server_default=None,
    )


def _copy(step: ops.AlterColumnOp, **changes: Any) -> ops.AlterColumnOp:
    names: tuple[str, ...] = ("existing_type", "existing_server_default", "existing_nullable", "existing_comment")
    names += ("modify_nullable", "modify_comment", "modify_server_default", "modify_name", "modify_type")
    words = {name: getattr(step, name) for name in names} | changes
    return ops.AlterColumnOp(step.table_name, step.column_name, schema=step.schema, **words, **step.kw)
