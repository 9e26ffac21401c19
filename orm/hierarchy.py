"""Models that inherit from one with a table: which tables their fields are in, and the steps between these.

A proxy and a model of `single` inheritance have their columns in the parent's table. A `joined` one has a table of its
own for what it adds, whose key is a foreign key to the parent's: the parent's row is a step away, as over a relation
to one row, and so are its own rows as seen from the parent.
"""

from __future__ import annotations

from collections.abc import Iterator

from orm.plaintext import snake_case
from orm.registry import extend_table
from orm.schema import Relation, Schema
from orm.specs import FieldSpec, RelationSpec


def inherit(schema: Schema, parent: Schema, kind: str) -> None:
    """Let a schema be that of a model that inherits from another one with a table.

    Args:
        schema: it has the fields and relations of the parent already, and its own.
        parent: the model that it inherits from.
        kind: `proxy`, `single` or `joined`.
    """
    schema.parent = parent
    schema.root = parent.root
    if kind == "joined":
        own = {name: spec for name, spec in schema.fields.items() if name not in parent.fields}
        schema.columns = {**{spec.name: spec for spec in parent.keys}, **own}
        _link(schema, parent)
    else:
        schema.host = parent.host
        schema.tablename = parent.tablename
        schema.link, schema.steps = parent.link, parent.steps
        inherited = {name: schema.fields[name] for name in parent.columns}
        schema.columns = inherited | {n: spec for n, spec in schema.fields.items() if n not in parent.fields}
    if kind == "proxy":
        schema.concrete = parent.concrete
    if schema.link is not None:
        schema.tables = (*schema.link.target.tables, _own_table(schema))


def _own_table(schema: Schema) -> Schema:
    """What of a row is in the last of its tables, for those who write there."""
    table = Schema(
        schema.name,
        schema.registry,
        schema.tablename,
        schema.columns,
        schema.relation_specs,
        schema.options,
        schema.composites,
        schema.generics,
    )
    table.parent, table.root, table.host = schema.parent, schema.root, schema.host
    return table


def _link(schema: Schema, parent: Schema) -> None:
    """Make the steps between the rows of the two tables."""
    name = snake_case(parent.concrete.name)
    up = RelationSpec(name, "parent", parent)
    link = schema.link = Relation(name, schema, parent.concrete, schema.key, parent.key, False, False, up)
    name = snake_case(schema.name)
    down = RelationSpec(name, "child", schema)
    schema.back = Relation(name, parent, schema, parent.key, schema.key, False, True, down)
    keys = {spec.name for spec in parent.keys}
    schema.steps = {name: (link, *parent.steps.get(name, ())) for name in parent.fields if name not in keys}


def enter(schema: Schema) -> None:
    """Let the parents know a model that has been declared; what was made of them before is made again."""
    parent = schema.parent
    if parent is None:
        return
    parent.children.append(schema)
    host = schema.host
    if host is not schema and schema.concrete is schema:
        host.guests.append(schema)
        if "table" in host.__dict__:
            host.registry.build_table(host, trial=True)  # which refuses the model before anything is changed
            extend_table(schema, host.table)
    for known in family(schema):
        known.plans.clear()
        known.cache.clear()


def family(schema: Schema) -> Iterator[Schema]:
    """The first of its parents and all that inherit from it, each after its parent."""
    yield schema.root
    yield from descendants(schema.root)


def parents(schema: Schema) -> Iterator[Schema]:
    """The models that it inherits from, the nearest first."""
    while schema.parent is not None:
        schema = schema.parent
        yield schema


def descendants(schema: Schema) -> Iterator[Schema]:
    """The models that inherit from it, each after its parent, proxies among them."""
    for child in schema.children:
        yield child
        yield from descendants(child)


def heirs(schema: Schema) -> list[Schema]:
    """The models that inherit from it and have rows of their own, each after its parent: those that are no proxies."""
    return [found for found in descendants(schema) if found.concrete is found]


def is_polymorphic(schema: Schema) -> bool:
    """Whether its rows may be of several classes. Those of a proxy are its own, but for models that inherit from it."""
    return schema.root.discriminator is not None and bool(heirs(schema))


def holder(schema: Schema, spec: FieldSpec) -> Schema:
    """The one of its tables that has a field."""
    return next((table for table in schema.tables if spec.name in table.fields), schema)


def declaring(schema: Schema, spec: FieldSpec) -> Schema:
    """The model whose field it is: the one whose rows are read, or an heir that has its columns in the same table."""
    if not schema.children or _has(schema, spec):
        return schema
    return next((found for found in heirs(schema.concrete) if found.host is schema.host and _has(found, spec)), schema)


def _has(schema: Schema, spec: FieldSpec) -> bool:
    return schema.fields.get(spec.name) is spec or schema.composites.get(spec.name) is spec


def without_steps(path: tuple[Relation, ...]) -> tuple[Relation, ...]:
    """A path without the steps at its end: to the same row."""
    while path and path[-1].is_step:
        path = path[:-1]
    return path


def heir(schema: Schema, name: str) -> Schema | None:
    """The model that inherits from it whose name in snake case this is."""
    return next((found for found in heirs(schema.concrete) if snake_case(found.name) == name), None)


def way_to(schema: Schema, found: Schema) -> tuple[Relation, ...]:
    """The steps from a row to the table of a model that inherits from it."""
    path: tuple[Relation, ...] = ()
    while found.concrete is not schema.concrete:
        assert found.parent is not None
        path = path if found.back is None else (found.back, *path)
        found = found.parent
    return path


def descends(schema: Schema, other: Schema) -> bool:
    """Whether every row of a schema is one of the other, too."""
    return schema.concrete is other.concrete or other.concrete in [found.concrete for found in parents(schema)]


def seen_from(
    schema: Schema, other: Schema, path: tuple[Relation, ...], spec: FieldSpec
) -> tuple[Relation, ...] | None:
    """The path to a column that a query of another model has by this path and field; `None` for one of no relation.

    A model that inherits has the columns of its parents. They have those of their heirs, which are NULL in other rows.
    """
    while path and path[0].is_step:
        path = path[1:]
    name = path[0].near.fields[0].name if path else spec.name
    if schema.root is not other.root or not (descends(schema, other) or descends(other, schema)):
        return None
    if name in schema.fields:
        return (*schema.steps.get(name, ()), *path)
    first = other
    while first.parent is not None and name in first.parent.fields:
        first = first.parent
    return (*way_to(schema, first), *path)
