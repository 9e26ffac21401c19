"""Rows that may be there already: what an INSERT does about them, and what is known of them afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orm import cleaning, persistence, writing
from orm.constraints import UniqueConstraint
from orm.database import Database
from orm.engines import engine_name
from orm.exceptions import FieldError, NotSupportedError, UniqueViolation, ValidationError
from orm.exclusion import ExclusionConstraint
from orm.hierarchy import heirs
from orm.instances import forget_relation, schema_of
from orm.schema import Instance, Schema
from orm.specs import FieldSpec
from orm.writing import Values, Writer

_READ_ROWS: Final = 200
"""How many rows are read back at once: SQLite joins at most 500 SELECTs."""

Made = dict[str, Any] | None
"""What the row of an instance has; `None` when that is not known."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """What is done about rows whose unique values are there already.

    Attributes:
        unique: the fields of the unique constraint that is meant; empty for any constraint.
        update: the fields that the row gets from the new one; empty to leave it as it is.
        part: the constraint of `Meta` that is meant, where it is one.
    """

    unique: tuple[FieldSpec, ...]
    update: tuple[FieldSpec, ...]
    part: UniqueConstraint | None = None

    @property
    def conditional(self) -> bool:
        """Whether the constraint is about some of the rows, which only the database can tell."""
        return self.part is not None and self.part.condition is not None

    @property
    def nulls_equal(self) -> bool:
        """Whether rows with NULL among their unique values conflict."""
        return self.part is not None and self.part.nulls_distinct is False


def chosen(
    schema: Schema,
    *,
    ignore_conflicts: bool,
    update_conflicts: bool,
    update_fields: Iterable[str] | None,
    unique_fields: Iterable[str] | None,
) -> Conflict | None:
    """What the options of `bulk_create` ask for. Raises `FieldError` when they contradict each other."""
    if ignore_conflicts and update_conflicts:
        raise FieldError("ignore_conflicts leaves a row as it is, update_conflicts changes it. Choose one of them.")
    if update_conflicts:
        if update_fields is None or unique_fields is None:
            raise FieldError(
                "update_conflicts needs unique_fields, which say what row is meant, and update_fields, which say "
                f"what it gets. unique_fields are one of: {_choices(schema)}."
            )
    elif update_fields is not None:
        raise FieldError("update_fields say what update_conflicts=True changes. Add it, or leave them out.")
    if not (ignore_conflicts or update_conflicts):
        if unique_fields is not None:
            raise FieldError("unique_fields belong to ignore_conflicts=True or update_conflicts=True. Add one of them.")
        return None
    if schema.link is not None:
        raise FieldError(
            f"bulk_create of {schema.name} cannot look for conflicts: its rows lie in several tables. Use "
            "get_or_create() or update_or_create() for each."
        )
    if unique_fields is None:
        _refuse_deferrable(schema)
        return Conflict((), ())
    unique, part = _unique(schema, unique_fields)
    return Conflict(unique, () if update_fields is None else _updated(schema, update_fields, unique), part)


def _refuse_deferrable(schema: Schema) -> None:
    """A constraint that is checked later is not known to be violated when a row is inserted."""
    for part in schema.parts:
        if isinstance(part, (UniqueConstraint, ExclusionConstraint)) and part.deferrable is not None:
            raise FieldError(
                f"A conflict over {part!r} cannot be ignored, since it may be found later only. Name the constraint "
                f"that is meant with unique_fields, one of: {_choices(schema)}."
            )


def refuse_hidden(schema: Schema, conflict: Conflict, lifted: frozenset[str]) -> None:
    """Refuse to change, or to give, rows that default filters hide: a database that finds a conflict knows none."""
    names = schema.hidden_by(lifted)
    if names and conflict.unique:
        raise FieldError(
            f"Rows of {schema.name} that default filters hide ({', '.join(names)}) would conflict, too, and be "
            f"{'changed' if conflict.update else 'given'}. If that is meant: {schema.name}.objects.unfiltered()."
            "bulk_create(…)."
        )


def unique_sets(schema: Schema) -> list[tuple[tuple[FieldSpec, ...], UniqueConstraint | None]]:
    """The fields of every unique constraint that a conflict can be about, and the constraint: the key's first.

    One that is deferrable is none of them: PostgreSQL does not look for conflicts over it. Those with a condition come
    last.
    """
    sets: list[tuple[tuple[FieldSpec, ...], UniqueConstraint | None]] = [(schema.keys, None)]
    sets += [(fields, None) for fields in schema.unique_columns()]
    parts = [part for part in schema.parts if isinstance(part, UniqueConstraint) and part.deferrable is None]
    for part in sorted(parts, key=lambda part: part.condition is not None):
        if part.fields:
            named = [persistence.field_named(schema, name) for name in part.fields]
            sets.append((tuple([spec for one in named for spec in one.fields]), part))
    return sets


def _choices(schema: Schema) -> str:
    texts = [", ".join([spec.label for spec in fields]) for fields, _ in unique_sets(schema)]
    return "; ".join(dict.fromkeys(texts))


def _named(schema: Schema, option: str, names: Iterable[str]) -> list[FieldSpec]:
    if isinstance(names, str):
        raise FieldError(f"{option} takes a list of names, as in [{names!r}], not {names!r}.")
    found = persistence.fields_named(schema, names)
    if not found:
        raise FieldError(f"{option} is empty. Choose from: {', '.join(schema.names)}.")
    return found


def _unique(schema: Schema, names: Iterable[str]) -> tuple[tuple[FieldSpec, ...], UniqueConstraint | None]:
    wanted = _named(schema, "unique_fields", names)
    text = ", ".join([spec.label for spec in wanted])
    found = [(fields, part) for fields, part in unique_sets(schema) if set(fields) == set(wanted)]
    if found and found[0][1] is not None and found[0][1].condition is not None and len(found) > 1:
        raise FieldError(
            f"{schema.name} has several unique constraints over {text}, each with a condition. unique_fields cannot "
            "tell them apart: use update_or_create()."
        )
    if found:
        return found[0]
    raise FieldError(
        f"{schema.name} has no unique constraint over {text}. unique_fields are one of: {_choices(schema)}."
    )


def _updated(schema: Schema, names: Iterable[str], unique: tuple[FieldSpec, ...]) -> tuple[FieldSpec, ...]:
    wanted = _named(schema, "update_fields", names)
    fixed = {*schema.keys, *unique, *([schema.version] if schema.version else [])}
    for spec in wanted:
        if spec in fixed:
            possible = ", ".join([other.label for other in schema.fields.values() if other not in fixed])
            why = "counts the changes by itself" if spec is schema.version else "says which row is meant"
            raise FieldError(f"{schema.name}.{spec.label} {why} and is not for update_fields. Choose from: {possible}.")
    return tuple(dict.fromkeys([*wanted, *schema.touched]))


# ---------------------------------------------------------------- inserting


async def insert_all(
    schema: Schema, instances: Sequence[Instance], database: Database, conflict: Conflict, chunk_size: int | None
) -> None:
    """Insert new instances, all or none, but for those whose rows are there already.

    Instances whose row is known afterwards become that row; the others stay as they are.
    """
    other = next((one for one in instances if schema_of(one).concrete is not schema.concrete), None)
    if other is not None:
        raise FieldError(f"bulk_create of {schema.name} looks for conflicts of its own rows only, not of {other!r}.")
    rows: list[dict[str, Any]] = cleaning.rows_to_insert(schema, instances)
    _check(database, schema, conflict, rows)
    free = [index for index, row in enumerate(rows) if not _can_conflict(conflict, row)]
    apart = set(free)
    groups = [
        (names, [index for index in indexes if (index in apart) is plain])
        for names, indexes in persistence.alike(rows).items()
        for plain in (False, True)
    ]
    made: dict[int, Made] = {}
    async with database.transaction():
        for names, indexes in groups:
            for part in writing.chunks(database, indexes, max(1, len(names)), chunk_size):
                some: list[dict[str, Any]] = [rows[index] for index in part]
                known: Sequence[Made]
                if part[0] in apart:
                    known = await writing.insert_many(database, schema, some)
                else:
                    known = await _insert_chunk(database, schema, conflict, some)
                made.update(zip(part, known, strict=True))
        _refuse_other_classes(schema, made.values())
    for index, instance in enumerate(instances):
        known_row = made[index]
        if known_row is not None:
            _become(instance, rows[index], known_row, database)


def _refuse_other_classes(schema: Schema, made: Iterable[Made]) -> None:
    """Refuse rows that are there already, and are of another model with columns in the same table."""
    kind = schema.root.discriminator
    if kind is None or schema.concrete is schema.root:
        return
    own = {found.identity for found in (schema.concrete, *heirs(schema.concrete))}
    for row in made:
        if row is not None and row.get(kind.name, schema.identity) not in own:
            key = {spec.name: row.get(spec.name) for spec in schema.keys}
            raise UniqueViolation(
                f"A row of {schema.root.name} has these unique values already, and is no {schema.name}: {key}, "
                f"{kind.name}={row[kind.name]!r}. Choose other values."
            )


def _can_conflict(conflict: Conflict, row: Values) -> bool:
    """Whether another row can have the same unique values: a generated key is new, and NULL mostly equals nothing."""
    if conflict.nulls_equal:
        return all(spec.name in row for spec in conflict.unique)
    return bool(row) and all(row.get(spec.name) is not None for spec in conflict.unique)


def _check(database: Database, schema: Schema, conflict: Conflict, rows: Sequence[Values]) -> None:
    """Refuse what would be decided by chance."""
    if not conflict.unique:
        return
    for spec in conflict.unique:
        if not spec.generated and any(spec.name not in row for row in rows):
            raise ValidationError(f"{schema.name}.{spec.label} is among the unique_fields and needs a value.")
    if conflict.part is not None:
        conflict.part.needs.check(database.dialect)
    if conflict.update or conflict.conditional:
        _refuse_twice(schema, conflict, rows)
    if database.dialect.name == "mysql":
        _refuse_other_constraints(database, schema, conflict, rows)


def _refuse_twice(schema: Schema, conflict: Conflict, rows: Sequence[Values]) -> None:
    seen: set[tuple[Any, ...]] = set()
    for row in rows:
        values = tuple([row.get(spec.name) for spec in conflict.unique])
        if None in values and not conflict.nulls_equal:
            continue
        if values in seen:
            text = ", ".join([f"{spec.label}={row[spec.name]!r}" for spec in conflict.unique])
            message = f"Two instances of {schema.name} have {text}. Which is to win? Give one for each row."
            raise ValidationError.single(conflict.unique[0].label, message, values)
        seen.add(values)


def _refuse_other_constraints(database: Database, schema: Schema, conflict: Conflict, rows: Sequence[Values]) -> None:
    """MySQL cannot tell one constraint from another, and would change the row that conflicts over the other."""
    conflicting = [row for row in rows if _can_conflict(conflict, row)]
    for part in schema.parts:
        if part.unique_expressions and conflicting:
            raise NotSupportedError(
                f"{engine_name(database.dialect)} cannot limit a conflict to unique_fields, and rows of {schema.name} "
                f"may conflict over {part!r}, too. Leave unique_fields out of ignore_conflicts, or use "
                "update_or_create()."
            )
    for fields, _ in unique_sets(schema):
        if fields == conflict.unique:
            continue
        if any(all(row.get(spec.name) is not None or spec.computed for spec in fields) for row in conflicting):
            other = ", ".join([spec.label for spec in fields])
            raise NotSupportedError(
                f"{engine_name(database.dialect)} cannot limit a conflict to unique_fields, and rows of {schema.name} "
                f"may conflict over {other}, too. Leave unique_fields out of ignore_conflicts, give no value for "
                f"{other}, or use update_or_create()."
            )


async def _insert_chunk(database: Database, schema: Schema, conflict: Conflict, rows: Sequence[Values]) -> list[Made]:
    writer = Writer(database.dialect, schema)
    # Whether a row meets the condition, and so was there, nobody but the database knows.
    told = bool(conflict.update) or conflict.conditional
    every = tuple(schema.fields.values()) if told else ()
    plan, outcome = await writing.send_rows(database, schema, rows, every, _ending(writer, conflict, rows[0]))
    if not conflict.unique:
        return [None] * len(rows)  # any of them may have been there, under a key that nobody told
    if told and database.capabilities.returning:
        return [plan.generated(row) for row in outcome.rows]
    return await _read_back(database, writer, conflict, rows)


def _ending(writer: Writer, conflict: Conflict, given: Values) -> str:
    """The clause that says what happens to rows that are there; new ones give these attributes."""
    schema = writer.schema
    mysql = writer.engine == "mysql"
    sets: list[str] = []
    for spec in conflict.update:
        column = writer.column(spec)
        if spec.clock is not None and spec.clock.database and spec.name not in given:
            sets.append(f"{column} = {spec.clock.expression.sql(writer.engine)}")
            continue
        # VALUES(…) is the only spelling that all versions of MySQL and MariaDB have.
        sets.append(f"{column} = VALUES({column})" if mysql else f"{column} = excluded.{column}")
    if sets and schema.version is not None:
        column = writer.column(schema.version)
        sets.append(f"{column} = {writer.table}.{column} + 1")
    if mysql:
        key = writer.column(schema.keys[0])  # unlike INSERT IGNORE, this hides no other error
        return " ON DUPLICATE KEY UPDATE " + (", ".join(sets) or f"{key} = {writer.table}.{key}")
    target = f" ({writer.columns(conflict.unique)})" if conflict.unique else ""
    if conflict.part is not None and conflict.conditional:
        target += f" WHERE {conflict.part.condition_sql(schema, writer.dialect)}"
        key = writer.column(schema.keys[0])
        sets = sets or [f"{key} = {writer.table}.{key}"]  # for RETURNING to give rows that are there, too
    return f" ON CONFLICT{target} DO " + (f"UPDATE SET {', '.join(sets)}" if sets else "NOTHING")


# ---------------------------------------------------------------- afterwards


async def _read_back(database: Database, writer: Writer, conflict: Conflict, rows: Sequence[Values]) -> list[Made]:
    """The rows that have these unique values, each at the position of the one that asked for it.

    The database compares: its collation decides whether two texts are equal.
    """
    schema = writer.schema
    plan = writer.plan("", conflict.unique, tuple(schema.fields.values()), "select")
    found: list[Made] = [None] * len(rows)
    for start in range(0, len(rows), _READ_ROWS):
        part = rows[start : start + _READ_ROWS]
        if database.capabilities.arrays:
            sql, arguments = _joined(writer, conflict), writing.by_column(plan, part)
        else:
            sql = _united(writer, conflict, len(part))
            arguments = [value for row in part for value in plan.bind(row)]
        for position, *values in await database.fetch(sql, arguments, write=True, info=plan):
            found[start + position] = plan.generated(values)
    return found


def _joined(writer: Writer, conflict: Conflict) -> str:
    fields = conflict.unique
    names = [f"u{index}" for index in range(len(fields))]
    lists = ", ".join([writer.array(spec, number) for number, spec in enumerate(fields, 1)])
    same = "IS NOT DISTINCT FROM" if conflict.nulls_equal else "="
    equal = [
        f"{writer.table}.{writer.column(s)} {same} {writer.unnested(s, f'v.{name}')}"
        for s, name in zip(fields, names, strict=True)
    ]
    columns = ", ".join([f"{writer.table}.{writer.column(spec)}" for spec in writer.schema.fields.values()])
    return (
        f"SELECT v.n - 1, {columns} FROM unnest({lists}) WITH ORDINALITY AS v ({', '.join(names)}, n) "
        f"JOIN {writer.table} ON {' AND '.join(equal)}"
    )


def _united(writer: Writer, conflict: Conflict, count: int) -> str:
    equal = " AND ".join([f"{writer.column(spec)} = {writer.placeholder(1)}" for spec in conflict.unique])
    columns = writer.columns(tuple(writer.schema.fields.values()))
    # MySQL: what conflicted may be newer than what the transaction sees; a locking read finds it.
    before, after = ("(", " FOR UPDATE)") if writer.engine == "mysql" else ("", "")
    one = f"{before}SELECT {{}}, {columns} FROM {writer.table} WHERE {equal}{after}"
    return " UNION ALL ".join([one.replace("{}", str(number), 1) for number in range(count)])


def _become(instance: Instance, values: Mapping[str, Any], made: Mapping[str, Any], database: Database) -> None:
    """Let an instance be the row; related instances that are no longer its own are forgotten."""
    row = {**values, **made}
    for spec in schema_of(instance).fields.values():
        if spec.relations and row.get(spec.name) != values.get(spec.name):
            for relation in spec.relations:
                forget_relation(instance, relation)
    persistence.stored(instance, {}, row, database)
