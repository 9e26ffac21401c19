"""Conditions on keys of several fields: `(origin, hour) IN (…)` in the words of each engine."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from orm import types
from orm.conditions import Leaf, Members
from orm.operators import Element
from orm.scopes import Compilation

_COMPARED: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def compared(node: Leaf, columns: list[Element], compilation: Compilation) -> Element:
    """The SQL of a lookup of a key and its value, a tuple."""
    name = node.lookup.operator.name
    if name == "isnull":
        return sa.or_(*[column.is_(None) for column in columns])
    if name == "not_null":
        return sa.and_(*[column.is_not(None) for column in columns])
    operands = [
        compilation.parameter(node.position, types.operand_type(column.type, compilation.dialect), item=index)
        for index, column in enumerate(columns)
    ]
    if name == "exact":
        return sa.and_(*[column == operand for column, operand in zip(columns, operands, strict=True)])
    return sa.tuple_(*columns).bool_op(_COMPARED[name])(sa.tuple_(*operands))


def among(node: Members, columns: list[Element], compilation: Compilation) -> Element:
    """The SQL of `in` with a list of tuples."""
    left = sa.tuple_(*columns)
    if not node.as_one(compilation.engine):
        listed = [
            tuple([compilation.parameter(node.position + row, c.type, item=i) for i, c in enumerate(columns)])
            for row in range(node.padded())
        ]
        if compilation.engine != "sqlite":
            return left.in_([sa.tuple_(*row) for row in listed])
        # SQLite takes a list of row values as a table only.
        names = [sa.column(f"c{index}", column.type) for index, column in enumerate(columns)]
        return left.bool_op("IN")(cast("Any", sa.values(*names).data(listed).scalar_values()))
    if compilation.engine == "postgresql":
        return left.in_(sa.select(sa.text("*")).select_from(sa.func.unnest(*_arrays(node, columns, compilation))))
    given = compilation.parameter(node.position, types.Text(), _listed(columns, compilation), raw=True)
    row = sa.func.json_each(given).table_valued("value").c.value
    items = [sa.func.json_extract(row, sa.literal_column(f"'$[{index}]'")) for index in range(len(columns))]
    return left.in_(sa.select(*items))


def _arrays(node: Members, columns: list[Element], compilation: Compilation) -> list[Element]:
    """One list of values for each column: PostgreSQL has one plan for every length of it."""
    dialect = compilation.dialect
    return [
        compilation.parameter(
            node.position,
            postgresql.ARRAY(types.operand_type(column.type, dialect)),
            partial(_column, index, types.bind_processor(column.type, dialect)),
            raw=True,
        )
        for index, column in enumerate(columns)
    ]


def _column(index: int, process: Callable[[Any], Any] | None, rows: list[tuple[Any, ...]]) -> list[Any]:
    return [row[index] if process is None else process(row[index]) for row in rows]


def _listed(columns: list[Element], compilation: Compilation) -> Callable[[Any], str]:
    processes = [types.bind_processor(column.type, compilation.dialect) for column in columns]

    def write(rows: list[tuple[Any, ...]]) -> str:
        return types.dumps(
            [
                [value if process is None else process(value) for value, process in zip(row, processes, strict=True)]
                for row in rows
            ]
        )

    return write
