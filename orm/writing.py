"""Inserts, updates and deletes of rows of a schema, in statements put together from fragments.

Values come validated, by attribute. SQLAlchemy compiles none of this: through Core an UPDATE of five columns costs a
hundred times more than from fragments, and a thousand rows of thirty columns a third of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Dialect

from orm import types, violations
from orm.arrays import literal
from orm.database import Database, Outcome
from orm.engines import engine_name
from orm.exceptions import IntegrityError, NotSupportedError, StaleInstance, ValidationError
from orm.plans import Plan
from orm.schema import Schema
from orm.specs import FieldSpec

T = TypeVar("T")
Values = Mapping[str, Any]
"""Values of one row by attribute."""

# Up to here PostgreSQL gets VALUES; above, one array a column (unnest), which is faster by the row but whose first
# use on a connection makes the driver look up the array types.
_VALUES_PARAMETERS: Final = 600
_CHUNK_ROWS: Final = 5000
_DEFAULT_PARAMETERS: Final = 65535
_TYPE_LENGTH: Final = re.compile(r"\([^)]*\)")
_key_steps: WeakKeyDictionary[Database, int] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True, eq=False)
class WritePlan:
    """A statement that writes one row; also what observers are told about it."""

    sql: str
    fields: tuple[FieldSpec, ...]
    processors: tuple[types.Processor | None, ...]
    returned: tuple[tuple[FieldSpec, types.Processor | None], ...]
    operation: str
    tables: tuple[str, ...]
    summary: str

    def bind(self, values: Values) -> list[Any]:
        """The driver's arguments for a row."""
        return [
            values[spec.name] if process is None else process(values[spec.name])
            for spec, process in zip(self.fields, self.processors, strict=True)
        ]

    def generated(self, row: Sequence[Any]) -> dict[str, Any]:
        """What the database made, by attribute."""
        return {
            spec.name: value if process is None else process(value)
            for (spec, process), value in zip(self.returned, row, strict=True)
        }


class Writer:
    """Names and placeholders of one engine."""

    def __init__(self, dialect: Dialect, schema: Schema) -> None:
        self.dialect = dialect
        self.schema = schema
        self.engine = dialect.name
        self.table = dialect.identifier_preparer.format_table(schema.table)

    def column(self, spec: FieldSpec) -> str:
        """A column's name, quoted where it must be."""
        return self.dialect.identifier_preparer.quote(spec.column)

    def columns(self, fields: Sequence[FieldSpec]) -> str:
        """A list of columns."""
        return ", ".join([self.column(spec) for spec in fields])

    def placeholders(self, count: int, start: int = 1) -> str:
        """A row of placeholders in parentheses."""
        if self.engine == "postgresql":
            return "(" + ", ".join([f"${start + i}" for i in range(count)]) + ")"
        return "(" + ", ".join(["?" if self.engine == "sqlite" else "%s"] * count) + ")"

    def placeholder(self, number: int) -> str:
        """One placeholder."""
        return self.placeholders(1, number)[1:-1]

    def among(self, key: FieldSpec, count: int) -> str:
        """The condition that a row's key is one of so many."""
        width = len(key.fields)
        if width == 1:
            return f"{self.column(key)} IN {self.placeholders(count)}"
        rows = ", ".join([self.placeholders(width, 1 + index * width) for index in range(count)])
        return f"({self.columns(key.fields)}) IN ({'VALUES ' if self.engine == 'sqlite' else ''}{rows})"

    def array(self, spec: FieldSpec, number: int) -> str:
        """A parameter that is a list of a column's values; its type has no length, lest a cast cut values."""
        name = "TEXT" if spec.kind == "array" else self._type(spec)
        return f"${number}::{name}[]"

    def unnested(self, spec: FieldSpec, name: str) -> str:
        """A value that came in such a list as one of a column: arrays come as texts."""
        return f"{name}::{self._type(spec)}" if spec.kind == "array" else name

    def _type(self, spec: FieldSpec) -> str:
        return _TYPE_LENGTH.sub("", types.sql_name(self.schema.value_spec(spec).type, self.dialect))

    def processors(self, fields: Sequence[FieldSpec]) -> tuple[types.Processor | None, ...]:
        """What turns values into the driver's form."""
        return tuple([types.bind_processor(self.schema.value_spec(spec).type, self.dialect) for spec in fields])

    def returned(self, given: frozenset[str]) -> tuple[FieldSpec, ...]:
        """What the database makes of an inserted row when these attributes are given."""
        return tuple(
            [
                spec
                for spec in self.schema.fields.values()
                if spec.name not in given and (spec.generated or spec.server_default is not None)
            ]
        )

    def renewed(self, given: Values) -> tuple[tuple[FieldSpec, ...], list[str]]:
        """What the database makes anew of an updated row when these attributes are given; what is set to its clock."""
        made = tuple([spec for spec in self.schema.renewed if spec.name not in given])
        return made, [f"{self.column(spec)} = {spec.clock.expression.sql(self.engine)}" for spec in made if spec.clock]

    def result(self, spec: FieldSpec) -> types.Processor | None:
        """What turns what the driver gives of a column into a value."""
        kind = self.schema.value_spec(spec).type
        if spec.computed is not None and spec.kind == "float" and self.engine == "sqlite":
            kind = types.RealNumber()  # RETURNING gives a computed number without a fraction as a whole one there
        return types.result_processor(kind, self.dialect)

    def plan(self, sql: str, fields: Sequence[FieldSpec], returned: Sequence[FieldSpec], operation: str) -> WritePlan:
        """A plan of this schema."""
        return WritePlan(
            sql,
            tuple(fields),
            self.processors(fields),
            tuple([(spec, self.result(spec)) for spec in returned]),
            operation,
            (self.schema.tablename,),
            f"{operation} {self.schema.name}",
        )


def operands(key: FieldSpec, value: Any) -> Sequence[Any]:
    """The values of a key's columns."""
    return cast("tuple[Any, ...]", value) if key.parts else (value,)


def key_in(schema: Schema, values: Values, key: FieldSpec | None = None) -> Any:
    """The value of a key in those of a row."""
    key = schema.key if key is None else key
    return tuple([values[part.name] for part in key.parts]) if key.parts else values[key.name]


def _fields(schema: Schema, values: Values) -> list[FieldSpec]:
    return [schema.fields[name] for name in values]


# ---------------------------------------------------------------- one row


async def insert(database: Database, schema: Schema, values: Values) -> dict[str, Any]:
    """Insert a row and give what the database made: the key, and columns with a default of the server."""
    shape = (database.dialect.name, "insert", tuple(values))
    plan = schema.plans.get(shape)
    if plan is None:
        plan = schema.plans[shape] = _insert_plan(database, schema, values)
    outcome = await run(database, schema, plan, plan.bind(values))
    if outcome.rows:
        return plan.generated(outcome.rows[0])
    return await _read_generated(database, schema, plan, outcome.lastrowid, values)


def _insert_plan(database: Database, schema: Schema, values: Values, ending: str = "") -> WritePlan:
    writer = Writer(database.dialect, schema)
    fields = _fields(schema, values)
    returned = writer.returned(frozenset(values))
    _check_key_is_told(database, schema, returned)
    if fields:
        sql = f"INSERT INTO {writer.table} ({writer.columns(fields)}) VALUES {writer.placeholders(len(fields))}"
    else:
        sql = f"INSERT INTO {writer.table} " + ("() VALUES ()" if writer.engine == "mysql" else "DEFAULT VALUES")
    sql += ending
    if database.capabilities.returning and (returned or ending):
        sql += f" RETURNING {writer.columns(returned or schema.keys)}"
    return writer.plan(sql, fields, returned, "insert")


def _check_key_is_told(database: Database, schema: Schema, returned: Sequence[FieldSpec]) -> None:
    """Refuse a key that the database makes and does not tell: MySQL tells the number that it counted, no default."""
    untold = [spec.label for spec in returned if spec.in_key and not spec.generated]
    if untold and not database.capabilities.returning:
        raise NotSupportedError(
            f"{engine_name(database.dialect)} does not tell what its default made of {schema.name}.{', '.join(untold)} "
            "in the key. Give a value, or a default of Python's."
        )


async def _read_generated(
    database: Database, schema: Schema, plan: WritePlan, lastrowid: int | None, values: Values
) -> dict[str, Any]:
    """What the database made, where INSERT does not return it: the key it reports, then the rest by key."""
    if not plan.returned:
        return {}
    key = lastrowid if schema.key.generated and schema.key.name not in values else key_in(schema, values)
    rest = [(spec, process) for spec, process in plan.returned if spec is not schema.key]
    made: dict[str, Any] = {} if len(rest) == len(plan.returned) else {schema.key.name: key}
    if rest:
        made |= (await read_columns(database, schema, [spec for spec, _ in rest], [key]))[key]
    return made


async def read_columns(
    database: Database,
    schema: Schema,
    fields: Sequence[FieldSpec],
    keys: Sequence[Any],
    *,
    key: FieldSpec | None = None,
    write: bool = True,
) -> dict[Any, dict[str, Any]]:
    """Some columns of the rows with these keys, by key; with `write`, seen by the connection that wrote them.

    The rows may be told by another unique `key` than the primary one.
    """
    key = schema.key if key is None else key
    writer = Writer(database.dialect, schema)
    plan = writer.plan("", key.fields, (*key.fields, *fields), "select")
    sql = f"SELECT {writer.columns((*key.fields, *fields))} FROM {writer.table} WHERE {writer.among(key, len(keys))}"
    found: dict[Any, dict[str, Any]] = {}
    arguments = [
        operand if process is None else process(operand)
        for value in keys
        for operand, process in zip(operands(key, value), plan.processors, strict=True)
    ]
    for row in await database.fetch(sql, arguments, write=write, info=plan):
        values = plan.generated(row)
        found[key_in(schema, values, key)] = {spec.name: values[spec.name] for spec in fields}
    return found


async def insert_or_ignore(
    database: Database, schema: Schema, values: Values, unique: Sequence[FieldSpec]
) -> dict[str, Any] | None:
    """Insert a row unless one with the same unique values is there; `None` when it is.

    For engines with RETURNING: it tells whether the row was inserted.
    """
    shape = (database.dialect.name, "insert or ignore", tuple(values), tuple(unique))
    plan = schema.plans.get(shape)
    if plan is None:
        columns = Writer(database.dialect, schema).columns(unique)
        ending = f" ON CONFLICT ({columns}) DO NOTHING"
        plan = schema.plans[shape] = _insert_plan(database, schema, values, ending)
    outcome = await run(database, schema, plan, plan.bind(values))
    if not outcome.rows:
        return None
    return plan.generated(outcome.rows[0]) if plan.returned else {}


async def update_row(
    database: Database, schema: Schema, key: Any, values: Values, version: int | None = None
) -> dict[str, Any]:
    """Update a row by its key, and give what the database made anew.

    Raises `StaleInstance` when the row is gone, or has another version.
    """
    shape = (database.dialect.name, "update row", tuple(values), version is not None)
    plan = schema.plans.get(shape)
    if plan is None:
        writer = Writer(database.dialect, schema)
        fields = _fields(schema, values)
        sets = [f"{writer.column(s)} = {writer.placeholder(i)}" for i, s in enumerate(fields, 1)]
        made, clocks = writer.renewed(values)
        where, conditions = _row_condition(writer, version is not None, len(fields) + 1)
        sql = f"UPDATE {writer.table} SET {', '.join(sets + clocks)} WHERE {where}"
        if made and database.capabilities.returning:
            sql += f" RETURNING {writer.columns(made)}"
        plan = schema.plans[shape] = writer.plan(sql, [*fields, *conditions], made, "update")
    arguments = _row_arguments(plan, schema, values, key, version)
    outcome = await run(database, schema, plan, arguments)
    if outcome.rowcount == 0:
        raise stale(schema, key, version)
    if not plan.returned:
        return {}
    if outcome.rows:
        return plan.generated(outcome.rows[0])
    return (await read_columns(database, schema, [spec for spec, _ in plan.returned], [key]))[key]


async def delete_row(database: Database, schema: Schema, key: Any, version: int | None = None) -> None:
    """Delete a row by its key. Raises `StaleInstance` when it is gone, or has another version."""
    shape = (database.dialect.name, "delete row", version is not None)
    plan = schema.plans.get(shape)
    if plan is None:
        writer = Writer(database.dialect, schema)
        where, conditions = _row_condition(writer, version is not None, 1)
        plan = schema.plans[shape] = writer.plan(f"DELETE FROM {writer.table} WHERE {where}", conditions, (), "delete")
    outcome = await run(database, schema, plan, _row_arguments(plan, schema, {}, key, version))
    if outcome.rowcount == 0:
        raise stale(schema, key, version)


def _row_condition(writer: Writer, versioned: bool, start: int) -> tuple[str, list[FieldSpec]]:
    schema = writer.schema
    fields = [*schema.keys, schema.version] if versioned and schema.version else [*schema.keys]
    text = " AND ".join([f"{writer.column(s)} = {writer.placeholder(start + i)}" for i, s in enumerate(fields)])
    return text, fields


def _row_arguments(plan: WritePlan, schema: Schema, values: Values, key: Any, version: int | None) -> list[Any]:
    given = [*values.values(), *operands(schema.key, key)]
    if version is not None:
        given.append(version)
    return [value if process is None else process(value) for value, process in zip(given, plan.processors, strict=True)]


def stale(schema: Schema, key: Any, version: int | None) -> StaleInstance:
    """The error for a row that is gone, or has another version."""
    if version is None:
        return StaleInstance(
            f"The row of {schema.name} with {schema.key.name}={key!r} no longer exists. "
            "Nothing was written. Create a new instance if it should exist."
        )
    return StaleInstance(
        f"The row of {schema.name} with {schema.key.name}={key!r} no longer has version {version}: somebody else "
        "changed or deleted it. Nothing was written. Load it again and repeat the change."
    )


# ---------------------------------------------------------------- many rows


async def insert_many(
    database: Database, schema: Schema, rows: Sequence[Values], chunk_size: int | None = None
) -> list[dict[str, Any]]:
    """Insert rows that have values for the same attributes, in their order; give what the database made of each.

    Several statements are sent where one would be too large; the caller opens a transaction around them.
    """
    made: list[dict[str, Any]] = []
    for chunk in chunks(database, rows, max(1, len(rows[0])), chunk_size):
        made += await _insert_chunk(database, schema, chunk)
    return made


def chunks(database: Database, rows: Sequence[T], columns: int, chunk_size: int | None = None) -> Iterator[Sequence[T]]:
    """The rows in pieces that one statement can take."""
    if chunk_size is not None and chunk_size < 1:
        message = f"chunk_size is a number of rows, at least 1, not {chunk_size!r}."
        raise ValidationError.single("chunk_size", message, chunk_size)
    limit = (database.capabilities.max_parameters or _DEFAULT_PARAMETERS * columns) // columns
    size = min(_CHUNK_ROWS, chunk_size or _CHUNK_ROWS)
    if not database.capabilities.arrays:
        size = max(1, min(size, limit))
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


async def _insert_chunk(database: Database, schema: Schema, rows: Sequence[Values]) -> list[dict[str, Any]]:
    if not rows[0]:
        return [await insert(database, schema, row) for row in rows]
    returned = Writer(database.dialect, schema).returned(frozenset(rows[0]))
    _check_key_is_told(database, schema, returned)
    plan, outcome = await send_rows(database, schema, rows, returned)
    if returned and database.capabilities.returning:
        return [plan.generated(row) for row in outcome.rows]
    return await _generated_by_position(database, schema, plan, rows, outcome)


async def send_rows(
    database: Database, schema: Schema, rows: Sequence[Values], returned: Sequence[FieldSpec], ending: str = ""
) -> tuple[WritePlan, Outcome]:
    """Insert rows that have values for the same attributes in one statement.

    Args:
        database: where to.
        schema: whose rows they are.
        rows: at least one, and each with a value at least.
        returned: the columns to give back, where the engine has RETURNING.
        ending: what stands between the rows and RETURNING, as ON CONFLICT does.
    """
    writer = Writer(database.dialect, schema)
    fields = _fields(schema, rows[0])
    returning = f" RETURNING {writer.columns(returned)}" if returned and database.capabilities.returning else ""
    plan = writer.plan("", fields, returned, "insert")
    arrays = database.capabilities.arrays and len(rows) * len(fields) > _VALUES_PARAMETERS
    head = f"INSERT INTO {writer.table} ({writer.columns(fields)})"
    if arrays:
        lists = ", ".join([writer.array(spec, number) for number, spec in enumerate(fields, 1)])
        names = [f"c{index}" for index in range(len(fields))]
        chosen = ", ".join([writer.unnested(spec, name) for spec, name in zip(fields, names, strict=True)])
        sql = f"{head} SELECT {chosen} FROM unnest({lists}) AS v ({', '.join(names)}){ending}{returning}"
        arguments = by_column(plan, rows)
    else:
        width = len(fields)
        values = ", ".join([writer.placeholders(width, 1 + i * width) for i in range(len(rows))])
        sql = f"{head} VALUES {values}{ending}{returning}"
        arguments = [value for row in rows for value in plan.bind(row)]
    return plan, await run(database, schema, plan, arguments, sql)


def by_column(plan: WritePlan, rows: Sequence[Values]) -> list[list[Any]]:
    """The driver's arguments for rows: one list a column."""
    lists: list[list[Any]] = []
    for spec, process in zip(plan.fields, plan.processors, strict=True):
        values = [row[spec.name] for row in rows] if process is None else [process(row[spec.name]) for row in rows]
        lists.append([literal(value) for value in values] if spec.kind == "array" else values)
    return lists


async def _generated_by_position(
    database: Database, schema: Schema, plan: WritePlan, rows: Sequence[Values], outcome: Outcome
) -> list[dict[str, Any]]:
    """What the database made of each row, where INSERT does not return it.

    The keys of one INSERT are consecutive, in steps of `@@auto_increment_increment`, whatever other sessions do
    (https://dev.mysql.com/doc/refman/8.0/en/innodb-auto-increment-handling.html, "simple inserts").
    """
    name = schema.key.name
    if not plan.returned:
        return [{} for _ in rows]
    made_keys = schema.key.generated and name not in rows[0]
    if made_keys:
        step = await _key_step(database)
        keys = [cast("int", outcome.lastrowid) + step * index for index in range(len(rows))]
    else:
        keys = [key_in(schema, row) for row in rows]
    rest = [spec for spec, _ in plan.returned if spec is not schema.key]
    read = await read_columns(database, schema, rest, keys) if rest else {}
    return [({name: key} if made_keys else {}) | read.get(key, {}) for key in keys]


async def _key_step(database: Database) -> int:
    step = _key_steps.get(database)
    if step is None:
        step = _key_steps[database] = int((await database.fetch("SELECT @@auto_increment_increment"))[0][0])
    return step


async def update_many(
    database: Database,
    schema: Schema,
    rows: Sequence[Values],
    versions: Sequence[int] | None = None,
    chunk_size: int | None = None,
) -> None:
    """Update rows by their keys, each to its own values for the same attributes, one statement a chunk.

    Raises `StaleInstance` when a row is gone or has another version; the caller opens a transaction around it.
    """
    writer = Writer(database.dialect, schema)
    fields = _fields(schema, rows[0])
    if versions is not None:
        assert schema.version is not None
    count = len(fields) + (versions is not None)
    start = 0
    for chunk in chunks(database, rows, count, chunk_size):
        part = versions[start : start + len(chunk)] if versions is not None else None
        start += len(chunk)
        sql, arguments, plan = _update_chunk(writer, fields, chunk, part)
        outcome = await run(database, schema, plan, arguments, sql)
        if outcome.rowcount != len(chunk):
            raise StaleInstance(
                f"{len(chunk) - outcome.rowcount} of {len(chunk)} rows of {schema.name} no longer exist, or have "
                "another version than their instances. Nothing was written."
            )


def _update_chunk(
    writer: Writer, fields: list[FieldSpec], rows: Sequence[Values], versions: Sequence[int] | None
) -> tuple[str, list[Any], WritePlan]:
    """UPDATE from a list of rows; the first columns are set, the key and the old version are compared."""
    schema = writer.schema
    plan = writer.plan("", fields, (), "update")
    names = [f"c{index}" for index in range(len(fields))]
    sets = [
        (writer.column(s), writer.unnested(s, f"v.{n}"))
        for s, n in zip(fields, names, strict=True)
        if s not in schema.keys
    ]
    compared = [(key, f"v.{names[fields.index(key)]}") for key in schema.keys]
    if versions is not None and schema.version is not None:
        names.append("old")
        compared.append((schema.version, "v.old"))
    where = " AND ".join([f"{writer.table}.{writer.column(spec)} = {name}" for spec, name in compared])
    if writer.engine == "postgresql":
        lists = [
            writer.array(spec, i) for i, spec in enumerate([*fields, *[s for s, n in compared if n == "v.old"]], 1)
        ]
        source = f"unnest({', '.join(lists)}) AS v ({', '.join(names)})"
        arguments: list[Any] = by_column(plan, rows)
        if versions is not None:
            arguments.append(list(versions))
    else:
        source = _union(writer, names, len(rows))
        arguments = []
        for index, row in enumerate(rows):
            arguments += plan.bind(row)
            if versions is not None:
                arguments.append(versions[index])
    _, clocks = writer.renewed(rows[0])
    assigned = ", ".join([f"{column} = {value}" for column, value in sets] + clocks)
    if writer.engine == "mysql":
        assigned = ", ".join([f"{writer.table}.{column} = {value}" for column, value in sets] + clocks)
        return f"UPDATE {writer.table} JOIN {source} ON {where} SET {assigned}", arguments, plan
    return f"UPDATE {writer.table} SET {assigned} FROM {source} WHERE {where}", arguments, plan


def _union(writer: Writer, names: Sequence[str], count: int) -> str:
    """A list of rows as a derived table."""
    if writer.engine == "sqlite":
        values = ", ".join([writer.placeholders(len(names))] * count)
        columns = ", ".join([f"column{i} AS {name}" for i, name in enumerate(names, 1)])
        return f"(SELECT {columns} FROM (VALUES {values})) AS v"
    first = "SELECT " + ", ".join([f"%s AS {name}" for name in names])
    other = "SELECT " + ", ".join(["%s"] * len(names))
    return "(" + " UNION ALL ".join([first, *[other] * (count - 1)]) + ") AS v"


# ---------------------------------------------------------------- running


async def run(
    database: Database,
    schema: Schema,
    plan: WritePlan | Plan,
    arguments: Sequence[Any],
    sql: str | None = None,
    timeout: float | None = None,
) -> Outcome:
    """Run a statement that writes; a violated constraint is explained in the terms of the model."""
    try:
        return await database.run(sql or plan.sql, arguments, info=plan, timeout=timeout)
    except IntegrityError as error:
        violations.explain(error, schema, schema.registry.schemas.values(), plan.operation)
        raise
