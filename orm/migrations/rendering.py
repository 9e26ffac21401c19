"""The source text of column types and defaults in the revisions that Alembic writes.

A revision must not change when the models do: it says what is in the table, with SQLAlchemy's types and those of
`orm.types`, and not which enumeration that was.
"""

from __future__ import annotations

import inspect
from typing import Any, Final, cast

from alembic.autogenerate import render
from alembic.autogenerate.api import AutogenContext
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.sql.elements import False_, True_
from sqlalchemy.sql.functions import now
from sqlalchemy.types import TypeEngine

from orm import clocks, types
from orm.arrays import ArrayType
from orm.ranges import RangeType

_POSTGRESQL: Final = "from sqlalchemy.dialects import postgresql"


def render_item(kind: str, item: Any, autogenerate: AutogenContext) -> str | bool:
    """The source text of what Alembic cannot write; `False` lets Alembic write what it knows."""
    if kind == "server_default":
        return _default(item, autogenerate)
    return _type(item, autogenerate) if kind == "type" else False


def _default(default: Any, autogenerate: AutogenContext) -> str | bool:
    """A server's default that each database spells in its own way."""
    expression = getattr(default, "arg", None)
    if isinstance(expression, clocks.CurrentMoment):
        autogenerate.imports.add(f"import {clocks.__name__}")
        return f"{clocks.__name__}.{expression!r}"
    if isinstance(expression, now):
        return "sa.func.now()"
    if isinstance(expression, True_ | False_):
        return "sa.true()" if isinstance(expression, True_) else "sa.false()"
    return False


def _type(item: Any, autogenerate: AutogenContext) -> str | bool:
    if isinstance(item, types.CustomType):  # a revision must not depend on what it is in Python
        return _nested(item.column, autogenerate)
    if isinstance(item, ArrayType):
        autogenerate.imports.add(_POSTGRESQL)
        return f"postgresql.ARRAY({_nested(item.item.type, autogenerate)})"
    if isinstance(item, RangeType):
        autogenerate.imports.add(_POSTGRESQL)
        return f"postgresql.{item.subtype.make()!r}"
    if isinstance(item, postgresql.ENUM):  # ours makes the type once, whichever table has it first
        autogenerate.imports.add(f"import {types.__name__}")
        return f"{types.__name__}.TextEnum(values={tuple(item.enums)!r}, name={item.name!r})"
    if isinstance(item, mysql.ENUM) and item.collation:  # which its `repr` leaves out
        autogenerate.imports.add("from sqlalchemy.dialects import mysql")
        return f"mysql.ENUM({', '.join(map(repr, item.enums))}, charset={item.charset!r}, collation={item.collation!r})"
    module = type(item).__module__
    if module == types.__name__:
        return _ours(item, autogenerate)
    if not module.startswith("sqlalchemy."):
        autogenerate.imports.add(f"import {module}")  # Alembic writes the module's name, and leaves this to its user
    return False


def _nested(item: TypeEngine[Any], autogenerate: AutogenContext) -> str:
    """A type within another one."""
    return str(cast("Any", render)._repr_type(item, autogenerate))  # which has no public name


def _ours(item: Any, autogenerate: AutogenContext) -> str:
    if isinstance(item, types.Enum):  # a revision must not depend on what the enumeration is later
        if item.numbers:
            return "sa.BigInteger()"
        item = item.kept
    autogenerate.imports.add(f"import {types.__name__}")
    return f"{types.__name__}.{_call(item)}"


def _call(item: TypeEngine[Any]) -> str:
    """The call that makes a type again: by its own arguments, where it has some, since SQLAlchemy's `repr` leaves out
    those that are SQLAlchemy's defaults."""
    names = [name for name in inspect.signature(type(item)).parameters if hasattr(item, name)]
    if not names:
        return repr(item)
    return f"{type(item).__name__}({', '.join(f'{name}={getattr(item, name)!r}' for name in names)})"
