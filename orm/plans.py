"""Plans: SQL compiled once for each shape of query, with the binder of its parameters and the loader of its rows.

A plan is found by the shape of a query, which costs a microsecond or two; making one costs a hundred times that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm import compiler, locks, types
from orm.database import Database
from orm.expressions import Condition
from orm.implied import Filters, Wanted, wanted_condition
from orm.loader import LoadedEntity, LoadedVariant, Loader, Processor, instance_loader, row_loader
from orm.query import Counter, Node, Query
from orm.references import parts_of
from orm.returning import Returned
from orm.schema import Schema
from orm.scopes import Compilation, Parameter, columns_of
from orm.specs import FieldSpec

Binder = Callable[[Sequence[Any]], Sequence[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How one shape of query is run; also what observers are told about a statement.

    Attributes:
        sql: the statement in the driver's form.
        bind: turns the query's values into the driver's arguments.
        load: turns rows into what the query gives; `None` for statements without rows.
        operation: `select`, `count`, `exists`, `insert`, `update` or `delete`.
        tables: the names of the tables it names.
        summary: one line for people.
        writes: whether it changes rows.
        wanted: the default filters that are part of it. It is the plan for a query as long as theirs have the shapes
            that they had when it was made, which `_chosen` looks after.
    """

    sql: str
    bind: Binder
    load: Loader | None
    operation: str
    tables: tuple[str, ...]
    summary: str
    writes: bool = False
    wanted: tuple[Wanted, ...] = ()


def select_plan(
    query: Query, database: Database, *, bound: bool = False, values: list[Any] | None = None
) -> tuple[Plan, list[Any]]:
    """The plan that reads a query's rows, and the values to bind, which are put into `values` if it is given."""
    if query.selection.lock is not None:
        locks.check(query, database)
    values = [] if values is None else values
    engine = database.dialect.name
    shape = (engine, "select", bound, query.shape(values, engine))
    plan = query.schema.plans.get(shape)
    if plan is None or plan.wanted:
        plan = _chosen(query, shape, values, database, partial(_select, query, bound))
    return plan, values


def _chosen(
    query: Query, shape: Hashable, values: list[Any], database: Database, make: Callable[[Compilation, int], Plan]
) -> Plan:
    """The plan of a shape that is new, or whose rows have default filters: one for each shape that these have.

    Appends the values of the filters. Functions that give filters are called once with each query, and once more when
    a plan is made, which tells which filters are needed; those of a filter may need others.

    Args:
        query: the query.
        shape: its shape, without default filters.
        values: its values.
        database: where it is run.
        make: makes a plan; it is given how many values there are.
    """
    plans, dialect = query.schema.plans, database.dialect
    given = len(values)
    plan: Plan | None = plans.get(shape)
    if plan is None:
        plan = plans[shape] = make(Compilation(dialect, implied=Filters(dialect, given)), given)
    found: dict[Wanted, Condition] = {}
    shapes: list[Hashable] = []
    while len(plan.wanted) > len(found):
        for wanted in plan.wanted[len(found) :]:
            found[wanted] = wanted_condition(wanted)
            shapes.append(found[wanted].shape(values, dialect.name))
        key = (shape, *shapes)
        known: Plan | None = plans.get(key)
        if known is None:
            compilation = Compilation(dialect, implied=Filters(dialect, given, found))
            known = plans[key] = make(compilation, len(values))
        plan = known
    return plan


def scalar_plan(operation: str, query: Query, database: Database) -> tuple[Plan, list[Any]]:
    """The plan that counts a query's rows (`count`) or looks whether there is one (`exists`)."""
    values: list[Any] = []
    engine = database.dialect.name
    shape = (engine, operation, query.shape(values, engine))
    plan = query.schema.plans.get(shape)
    if plan is None or plan.wanted:
        plan = _chosen(query, shape, values, database, partial(_scalar, query, operation))
    return plan, values


def _scalar(query: Query, operation: str, compilation: Compilation, given: int) -> Plan:
    build = compiler.count if operation == "count" else compiler.exists
    statement = build(compiler.place(query, compilation.engine), compilation)
    return finish(query, statement, compilation, operation, given)


def update_plan(
    query: Query, assignments: Sequence[tuple[FieldSpec, Node]], database: Database, returned: Returned | None = None
) -> tuple[Plan, list[Any]]:
    """The plan that updates a query's rows, and gives them back if it is asked to."""
    values: list[Any] = []
    engine = database.dialect.name
    shape = (
        engine,
        "update",
        returned,
        query.shape(values, engine),
        tuple([(spec, node.shape(values, engine)) for spec, node in assignments]),
    )
    plan = query.schema.plans.get(shape)
    if plan is None or plan.wanted:
        plan = _chosen(query, shape, values, database, partial(_update, query, assignments, returned))
    return plan, values


def _update(
    query: Query,
    assignments: Sequence[tuple[FieldSpec, Node]],
    returned: Returned | None,
    compilation: Compilation,
    given: int,
) -> Plan:
    counter = Counter(compilation.engine)
    placed = query.place(counter)
    targets = [(spec, node.place(counter)) for spec, node in assignments]
    statement = compiler.update(placed, targets, compilation)
    return _finish_write(query, statement, compilation, "update", given, returned)


def aggregate_plan(query: Query, aggregates: Mapping[str, Node], database: Database) -> tuple[Plan, list[Any]]:
    """The plan that computes aggregates of a query's rows; it loads one dictionary."""
    values: list[Any] = []
    engine = database.dialect.name
    shape = (
        engine,
        "aggregate",
        query.shape(values, engine),
        tuple([(name, node.shape(values, engine)) for name, node in aggregates.items()]),
    )
    plan = query.schema.plans.get(shape)
    if plan is None or plan.wanted:
        plan = _chosen(query, shape, values, database, partial(_aggregate, query, aggregates))
    return plan, values


def _aggregate(query: Query, aggregates: Mapping[str, Node], compilation: Compilation, given: int) -> Plan:
    counter = Counter(compilation.engine)
    placed = query.place(counter)
    nodes = [node.place(counter) for node in aggregates.values()]
    statement = compiler.aggregate(placed, nodes, compilation)
    processors = [types.result_processor(column.type, compilation.dialect) for column in statement.selected_columns]
    load = row_loader("dict", list(aggregates), processors, query.schema.name)
    return finish(query, statement, compilation, "aggregate", given, load=load)


def delete_plan(query: Query, database: Database, returned: Returned | None = None) -> tuple[Plan, list[Any]]:
    """The plan that deletes a query's rows, and gives them back if it is asked to."""
    values: list[Any] = []
    engine = database.dialect.name
    shape: Hashable = (engine, "delete", returned, query.shape(values, engine))
    plan = query.schema.plans.get(shape)
    if plan is None or plan.wanted:
        plan = _chosen(query, shape, values, database, partial(_delete, query, returned))
    return plan, values


def _delete(query: Query, returned: Returned | None, compilation: Compilation, given: int) -> Plan:
    statement = compiler.delete(compiler.place(query, compilation.engine), compilation)
    return _finish_write(query, statement, compilation, "delete", given, returned)


def _finish_write(
    query: Query,
    statement: sa.Update | sa.Delete,
    compilation: Compilation,
    operation: str,
    given: int,
    returned: Returned | None,
) -> Plan:
    if returned is None:
        return finish(query, statement, compilation, operation, given, writes=True)
    schema = query.schema
    columns = [column for spec in returned.fields for column in columns_of(schema.table, spec)]
    processors = tuple([types.result_processor(column.type, compilation.dialect) for column in columns])
    if returned.form == "instance":
        entity = LoadedEntity((), schema, returned.fields, processors)
        load = instance_loader([entity], bound=returned.bound)
    else:
        widths = [len(spec.fields) for spec in returned.fields]
        load = row_loader(returned.form, returned.names, processors, schema.name, widths=widths)
    return finish(query, statement.returning(*columns), compilation, operation, given, load=load, writes=True)


def sql_of(query: Query, dialect: Dialect) -> str:
    """The SQL that reads a query's rows, without a database."""
    compilation = Compilation(dialect, implied=Filters(dialect, 0))  # nobody asks for the values
    statement = compiler.select(compiler.place(query, dialect.name), compilation)
    return str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))


def statement_of(query: Query, dialect: Dialect) -> sa.Select[Any]:
    """The statement of SQLAlchemy Core that reads a query's rows, with its values in it."""
    values: list[Any] = []
    query.shape(values, dialect.name)
    filters = Filters(dialect, len(values), values=values)
    return compiler.select(compiler.place(query, dialect.name), Compilation(dialect, values=values, implied=filters))


def _select(query: Query, bound: bool, compilation: Compilation, given: int) -> Plan:
    dialect = compilation.dialect
    statement = compiler.select(compiler.place(query, dialect.name), compilation)
    columns = list(statement.selected_columns)
    processors = [types.result_processor(column.type, dialect) for column in columns]
    selection = query.selection
    if query.columns is not None:
        widths = [len(parts_of(node)) for node in query.columns]
        load = row_loader(selection.form, selection.names, processors, query.schema.name, selection.target, widths)
    else:
        link = 0 if selection.link is None else len(compiler.link_key(query).fields)
        names = [repr(node) for node in query.added]
        end = len(processors) - len(names)
        added = dict(zip(names, processors[end:], strict=True))
        entities = _entities(compilation, processors[link:end])
        load = instance_loader(entities, link=processors[:link], bound=bound, added=added)
    return finish(query, statement, compilation, "select", given, load=load, writes=selection.lock is not None)


def _entities(compilation: Compilation, processors: Sequence[Processor | None]) -> list[LoadedEntity]:
    entities: list[LoadedEntity] = []
    start = 0
    for entity in compilation.entities:
        end = start + len(entity.fields)
        own = tuple(processors[start:end])
        variants: list[LoadedVariant] = []
        for variant in entity.variants:
            start, end = end, end + len(variant.fields)
            variants.append(LoadedVariant(variant.schema, variant.fields, tuple(processors[start:end])))
        entities.append(LoadedEntity(entity.path, entity.schema, entity.fields, own, tuple(variants)))
        start = end
    return entities


def finish(
    query: Query,
    statement: Any,
    compilation: Compilation,
    operation: str,
    given: int,
    *,
    load: Loader | None = None,
    writes: bool = False,
) -> Plan:
    """The plan of a Core statement; `given` says how many values the query gives."""
    compiled = statement.compile(dialect=compilation.dialect, compile_kwargs={"render_postcompile": True})
    name = query.schema.name
    return Plan(
        sql=str(compiled),
        bind=_binder(compiled, compilation, given),
        load=load,
        operation=operation,
        tables=tuple(dict.fromkeys([*_tables_of(query.schema), *_joined_tables(query, compilation)])),
        summary=f"{operation} {name}",
        writes=writes,
        wanted=compilation.implied.wanted if isinstance(compilation.implied, Filters) else (),
    )


def _tables_of(schema: Schema) -> list[str]:
    """The tables that have a model's rows, its own first."""
    return [table.tablename for table in reversed(schema.tables)]


def _joined_tables(query: Query, compilation: Compilation) -> list[str]:
    joined = [hop.target.tablename for path in query.selection.related for hop in path]
    for entity in compilation.entities:
        for schema in (entity.schema, *[variant.schema for variant in entity.variants]):
            joined += _tables_of(schema)
    return joined


def _binder(compiled: Any, compilation: Compilation, given: int) -> Binder:
    """A function that puts the query's values, converted, and the statement's own into the driver's order."""
    names: dict[str, Any] = {}
    items: list[str] = []
    for index, name in enumerate(compiled.positiontup or ()):
        parameter = compilation.parameters.get(name)
        if parameter is None:  # a parameter that SQLAlchemy added itself
            bind = compiled.binds[name]
            process = types.bind_processor(bind.type, compilation.dialect)
            value = bind.effective_value
            names[f"k{index}"] = value if process is None else process(value)
            items.append(f"k{index}")
        else:
            items.append(_bound(parameter, index, names, compilation.dialect))
    # A query may give values that its statement has no use for: count() does not read annotations.
    if items == [f"v[{index}]" for index in range(given)] and given == len(compilation.parameters):
        return _as_they_are
    text = f"def bind(v):\n    return ({', '.join(items)}{',' if items else ''})\n"
    exec(compile(text, "<generated by orm.plans>", "exec"), names)
    return cast("Binder", names["bind"])


def _bound(parameter: Parameter, index: int, names: dict[str, Any], dialect: Dialect) -> str:
    text = f"v[{parameter.position}]"
    if parameter.item is not None:
        text = f"{text}[{parameter.item}]"
    process = _processor(parameter.type, dialect)
    for kind, function in (("prepare", parameter.prepare), ("convert", process)):
        if function is not None:
            names[f"{kind}{index}"] = function
            text = f"{kind}{index}({text})"
    return text


def _processor(kind: TypeEngine[Any] | None, dialect: Dialect) -> Processor | None:
    return None if kind is None else types.bind_processor(kind, dialect)


def _as_they_are(values: Sequence[Any]) -> Sequence[Any]:
    return values
