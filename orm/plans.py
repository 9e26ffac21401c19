"""Plans: SQL compiled once for each shape of query, with the binder of its parameters and the loader of its rows.

A plan is found by the shape of a query, which costs a microsecond or two; making one costs a hundred times that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from orm import compiler, locks, types
from orm.database import Database
from orm.loader import LoadedEntity, Loader, Processor, instance_loader, row_loader
from orm.query import Counter, Node, Query
from orm.returning import Returned
from orm.scopes import Compilation, Parameter
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
    """

    sql: str
    bind: Binder
    load: Loader | None
    operation: str
    tables: tuple[str, ...]
    summary: str
    writes: bool = False


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
    if plan is None:
        plan = query.schema.plans[shape] = _compile_select(query, database.dialect, bound, len(values))
    return plan, values


def scalar_plan(operation: str, query: Query, database: Database) -> tuple[Plan, list[Any]]:
    """The plan that counts a query's rows (`count`) or looks whether there is one (`exists`)."""
    values: list[Any] = []
    engine = database.dialect.name
    shape = (engine, operation, query.shape(values, engine))
    plan = query.schema.plans.get(shape)
    if plan is None:
        compilation = Compilation(database.dialect)
        build = compiler.count if operation == "count" else compiler.exists
        statement = build(compiler.place(query, engine), compilation)
        plan = query.schema.plans[shape] = finish(query, statement, compilation, operation, len(values))
    return plan, values


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
    if plan is None:
        compilation = Compilation(database.dialect)
        counter = Counter(engine)
        placed = query.place(counter)
        targets = [(spec, node.place(counter)) for spec, node in assignments]
        statement = compiler.update(placed, targets, compilation)
        plan = query.schema.plans[shape] = _finish_write(query, statement, compilation, "update", len(values), returned)
    return plan, values


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
    if plan is None:
        compilation = Compilation(database.dialect)
        counter = Counter(engine)
        placed = query.place(counter)
        nodes = [node.place(counter) for node in aggregates.values()]
        statement = compiler.aggregate(placed, nodes, compilation)
        processors = [types.result_processor(column.type, database.dialect) for column in statement.selected_columns]
        load = row_loader("dict", list(aggregates), processors, query.schema.name)
        plan = query.schema.plans[shape] = finish(query, statement, compilation, "aggregate", len(values), load=load)
    return plan, values


def delete_plan(query: Query, database: Database, returned: Returned | None = None) -> tuple[Plan, list[Any]]:
    """The plan that deletes a query's rows, and gives them back if it is asked to."""
    values: list[Any] = []
    engine = database.dialect.name
    shape: Hashable = (engine, "delete", returned, query.shape(values, engine))
    plan = query.schema.plans.get(shape)
    if plan is None:
        compilation = Compilation(database.dialect)
        statement = compiler.delete(compiler.place(query, engine), compilation)
        plan = query.schema.plans[shape] = _finish_write(query, statement, compilation, "delete", len(values), returned)
    return plan, values


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
    columns = [schema.table.c[spec.name] for spec in returned.fields]
    processors = tuple([types.result_processor(column.type, compilation.dialect) for column in columns])
    if returned.form == "instance":
        entity = LoadedEntity((), schema, returned.fields, processors)
        load = instance_loader([entity], bound=returned.bound)
    else:
        load = row_loader(returned.form, returned.names, processors, schema.name)
    return finish(query, statement.returning(*columns), compilation, operation, given, load=load, writes=True)


def sql_of(query: Query, dialect: Dialect) -> str:
    """The SQL that reads a query's rows, without a database."""
    compilation = Compilation(dialect)
    statement = compiler.select(compiler.place(query, dialect.name), compilation)
    return str(statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))


def statement_of(query: Query, dialect: Dialect) -> sa.Select[Any]:
    """The statement of SQLAlchemy Core that reads a query's rows, with its values in it."""
    values: list[Any] = []
    query.shape(values, dialect.name)
    return compiler.select(compiler.place(query, dialect.name), Compilation(dialect, values=values))


def _compile_select(query: Query, dialect: Dialect, bound: bool, given: int) -> Plan:
    compilation = Compilation(dialect)
    statement = compiler.select(compiler.place(query, dialect.name), compilation)
    columns = list(statement.selected_columns)
    processors = [types.result_processor(column.type, dialect) for column in columns]
    selection = query.selection
    if query.columns is not None:
        load = row_loader(selection.form, selection.names, processors, query.schema.name, selection.target)
    else:
        link = 0 if selection.link is None else len(compiler.link_key(query).fields)
        names = [repr(node) for node in query.added]
        end = len(processors) - len(names)
        added = dict(zip(names, processors[end:], strict=True))
        load = instance_loader(_entities(compilation, processors[link:end]), link=link, bound=bound, added=added)
    return finish(query, statement, compilation, "select", given, load=load, writes=selection.lock is not None)


def _entities(compilation: Compilation, processors: Sequence[Processor | None]) -> list[LoadedEntity]:
    entities: list[LoadedEntity] = []
    start = 0
    for entity in compilation.entities:
        end = start + len(entity.fields)
        entities.append(LoadedEntity(entity.path, entity.schema, entity.fields, tuple(processors[start:end])))
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
        tables=tuple(dict.fromkeys([query.schema.tablename, *_joined_tables(query)])),
        summary=f"{operation} {name}",
        writes=writes,
    )


def _joined_tables(query: Query) -> list[str]:
    return [hop.target.tablename for path in query.selection.related for hop in path]


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
