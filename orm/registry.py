"""`Registry`: the models of an application, their metadata, and the database they live in."""

from __future__ import annotations

from collections.abc import Container, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa

from orm import ddl, tables, violations
from orm.database import Database
from orm.exceptions import FieldError, IntegrityError, InterfaceError
from orm.resolution import resolve
from orm.schema import BaseRegistry, Relation, Schema
from orm.specs import FieldSpec, Named, RelationSpec

_KEYS: Final = ("foreign_key", "one_to_one")


class Registry(BaseRegistry):
    """The models of one application by name, their metadata, and the database they live in.

    Args:
        database: where queries go; it can be given later: `registry.database = database`.
    """

    def __init__(self, database: Database | None = None) -> None:
        super().__init__()
        self.database = database
        self._unresolved: list[tuple[Schema, RelationSpec]] = []
        self._awaited: dict[str, list[tuple[str, RelationSpec]]] = {}
        self._metadata = _new_metadata()

    def __repr__(self) -> str:
        return f"<Registry of {len(self.schemas)} models: {', '.join(self.schemas) or 'none yet'}>"

    @property
    def database(self) -> Database | None:
        """Where queries go, unless they say otherwise."""
        return self._database

    @database.setter
    def database(self, database: Database | None) -> None:
        self._database = database
        if database is not None:
            database.explainers.add(self)

    def explain(self, error: IntegrityError) -> None:
        """Say of a constraint that was violated at a COMMIT which model and fields are meant, if it is one of ours."""
        owner = next((schema for schema in self.schemas.values() if schema.tablename == error.table), None)
        if owner is not None and error.model is None:
            violations.explain(error, owner, self.schemas.values())

    def add(self, schema: Schema) -> None:
        """Add a declared model, give reverse relations named with `related_name` to their targets, and resolve all
        relations whose models are there now.

        Raises `FieldError` for a relation that its models do not have room for.
        """
        self.schemas[schema.name] = schema
        inherited = schema.parent.relation_specs if schema.parent is not None else {}
        own = [spec for name, spec in schema.relation_specs.items() if name not in inherited]
        for spec in own:
            if spec.related_name is not None:
                back = RelationSpec(spec.related_name, "reverse", f"{schema.name}.{spec.name}")
                self._awaited.setdefault(spec.target_name, []).append((schema.name, back))
        for target in (schema.name, *[spec.target_name for spec in schema.relation_specs.values()]):
            if target in self.schemas:
                for source, back in self._awaited.pop(target, ()):
                    self._give_back(self.schemas[target], source, back)
        waiting = self._unresolved + [(schema, spec) for spec in own if spec.kind in (*_KEYS, "many_to_many")]
        complete = [_is_complete(self.schemas, owner, spec) for owner, spec in waiting]
        self._unresolved = [one for one, is_complete in zip(waiting, complete, strict=True) if not is_complete]
        for (owner, spec), is_complete in zip(waiting, complete, strict=True):
            if is_complete:
                owner.relation(spec.name)

    @contextmanager
    def declaring(self) -> Generator[None]:
        """Declare a model, with the models between that it needs, or leave the registry as it was."""
        schemas, enumerations, unresolved = dict(self.schemas), dict(self.enumerations), self._unresolved
        awaited = {target: list(waiting) for target, waiting in self._awaited.items()}
        relations = [(schema, len(schema.relation_specs)) for schema in schemas.values()]
        try:
            yield
        except BaseException:
            refused = [schema for schema in self.schemas.values() if schema.name not in schemas]
            self.schemas, self.enumerations = schemas, enumerations
            self._unresolved, self._awaited = unresolved, awaited
            for schema, count in relations:
                schema.take_back(count, refused)
            raise

    def _give_back(self, target: Schema, source: str, back: RelationSpec) -> None:
        if back.name in target.fields or back.name in target.relation_specs:
            raise FieldError(
                f"{back.to} has related_name={back.name!r}, but {target.name} has a field of that name already. "
                f"Choose another related_name in {source}; in that of an abstract model, %(class)s stands for the "
                "name of each model that inherits it, in snake case."
            )
        target.relation_specs[back.name] = back
        for child in target.children:
            self._give_back(child, source, back)

    def get(self, name: str | Named, where: str = "") -> Schema:
        """The model of that name. Raises `FieldError`, naming `where` it is wanted, when there is none."""
        if isinstance(name, Schema):
            return name
        try:
            return self.schemas[name if isinstance(name, str) else name.name]
        except KeyError:
            if where and name == "self":
                itself = where.partition(".")[0]
                raise FieldError(
                    f"{where} refers to 'self'. A relation to the model itself is written with its name: {itself!r}."
                ) from None
            subject = f"{where} refers to {name!r}, a model" if where else f"{name!r} is a model"
            raise FieldError(
                f"{subject} that no module declared in this registry. Import its module first, or choose from: "
                f"{', '.join(self.schemas) or '(none yet)'}."
            ) from None

    def resolve(self, schema: Schema, spec: RelationSpec) -> Relation:
        """A relation of a schema. Raises `FieldError` when its target was never declared, or has not what it needs."""
        return resolve(schema, spec)

    @property
    def metadata(self) -> sa.MetaData:
        """SQLAlchemy's metadata with the tables of all models. Raises `FieldError` for a target that is missing."""
        for schema in self.schemas.values():
            _ = schema.table
            for name in schema.relation_specs:
                schema.relation(name)
        return self._metadata

    async def create_all(self, *, database: Database | None = None) -> None:
        """Create the tables of all models that are not there yet, with their indexes."""
        await ddl.create_all(self.metadata, self._target(database))

    async def drop_all(self, *, database: Database | None = None) -> None:
        """Drop the tables of all models that are there."""
        await ddl.drop_all(self.metadata, self._target(database))

    def _target(self, database: Database | None) -> Database:
        target = database or self.database
        if target is None:
            raise InterfaceError("The registry has no database. Give it one: registry.database = database.")
        return target

    def build_table(self, schema: Schema, *, trial: bool = False) -> sa.Table:
        """The table of a schema, made in this registry's metadata, or in none for a `trial`. Raises `FieldError`."""
        metadata = _new_metadata() if trial else self._metadata
        columns = [_column(schema, spec) for spec in schema.columns.values()]
        table = sa.Table(
            schema.tablename,
            metadata,
            *columns,
            *([sa.PrimaryKeyConstraint(*[spec.name for spec in schema.keys])] if schema.key.parts else []),
            schema=schema.options.schema,
            comment=schema.options.comment,
            info=tables.renaming(schema.options.renamed_from),
            sqlite_autoincrement=schema.key.generated,
        )
        if schema.link is not None:
            table.append_constraint(tables.link(schema.keys, schema.link.target.table))
        try:
            for member in (schema, *schema.guests):
                extend_table(member, table)
        except FieldError:
            metadata.remove(table)
            raise
        return table


def _new_metadata() -> sa.MetaData:
    return sa.MetaData(naming_convention=tables.NAMING_CONVENTION)


def _is_complete(known: Mapping[str, Schema], schema: Schema, spec: RelationSpec) -> bool:
    """Whether the models that a relation needs are declared: also those that the keys of these refer to."""
    if spec.target_name not in known or (spec.kind == "many_to_many" and spec.through_name not in known):
        return False
    owners = [schema, known[spec.target_name], *([known[spec.through_name]] if spec.through_name in known else [])]
    keys = [key for owner in owners for key in owner.relation_specs.values() if key.kind in _KEYS]
    return all(key.target_name in known for key in keys)


def extend_table(schema: Schema, table: sa.Table) -> None:
    """Add to a table what a model has in it that is not there yet: its constraints, and columns if it is a guest."""
    own = schema.host is schema
    new = {name: spec for name, spec in schema.columns.items() if own or name not in table.c}
    for name, spec in new.items():
        if name not in table.c:
            table.append_column(_column(schema, spec))
    _add_foreign_keys(schema, table, new)
    for part in schema.options.parts:
        part.attach(schema, table)
    tables.check_names(schema.name, table)


def _column(schema: Schema, spec: FieldSpec) -> sa.Column[Any]:
    computed = [] if spec.computed is None else [spec.computed.column(schema, spec)]
    linked = schema.link is not None and spec.in_key
    return tables.column(spec, schema.value_spec(spec).type, *computed, generated=spec.generated and not linked)


def _add_foreign_keys(schema: Schema, table: sa.Table, fields: Container[str]) -> None:
    """Add the constraints of the foreign keys that these fields hold, and indexes of those that hold several."""
    for name, spec in schema.relation_specs.items():
        relation = schema.relation(name) if spec.attribute is not None else None
        near = () if relation is None else relation.near.fields
        linked = schema.link is not None and any(field.in_key for field in near)  # the parent's table has it
        if relation is None or linked or not all(field.name in fields for field in near):
            continue
        if spec.from_fields:
            tables.add_index(table, spec, near, schema.keys)
        if spec.constraint:
            target, far = relation.target, set(relation.far.fields)
            place = f"{target.options.schema}.{target.tablename}" if target.options.schema else target.tablename
            unique = next(group for group in target.unique_sets() if set(group) == far)
            table.append_constraint(tables.foreign_key(spec, place, relation.pairs, unique))
