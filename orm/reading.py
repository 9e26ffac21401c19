"""What a query set is asked to read: relations and columns, as words or as attributes of the class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from orm import lookups
from orm.columns import Column, Step, schema_of, words_of
from orm.exceptions import FieldError
from orm.expressions import Reference
from orm.hierarchy import descends, heir, heirs, is_polymorphic, way_to
from orm.plaintext import snake_case
from orm.query import Path, Query
from orm.references import refuse_many
from orm.schema import Instance, Schema


def need_names(method: str, names: tuple[object, ...]) -> None:
    """Raise `FieldError` for a call without names."""
    if not names:
        raise FieldError(f"{method}() needs names: it reads what is named, and nothing by itself.")


def to_one_path(schema: Schema, words: str) -> Path:
    """The path of words over to-one relations. Raises `FieldError` for anything else."""
    path: Path = ()
    owner = schema
    names = words.split("__")
    for number, name in enumerate(names, 1):
        relation = owner.relation(name)
        child = heir(owner, name) if relation is None and number < len(names) and is_polymorphic(owner) else None
        if child is not None:
            path, owner = path + way_to(owner, child), child
            continue
        if name in owner.generics:
            raise FieldError(
                f"{owner.name}.{name} refers to rows of several models, which cannot be joined. "
                f"Use prefetch_related({words!r})."
            )
        if relation is None:
            ones = [n for n in owner.relation_specs if (r := owner.relation(n)) is not None and not r.many]
            raise FieldError(
                f"{owner.name} has no relation {name!r} to select. Choose from: {', '.join(ones) or '(none)'}."
            )
        if relation.many:
            raise FieldError(
                f"{owner.name}.{name} has many rows and cannot be joined without repeating others. "
                f"Use prefetch_related({words!r})."
            )
        path += owner.hops(relation)
        owner = relation.target
    return path


def column_words(schema: Schema, names: Iterable[str | Column[Any]]) -> frozenset[str]:
    """The words of columns, in attributes' names: a relation's name stands for its key."""
    found: set[str] = set()
    for name in names:
        node = lookups.reference(schema, name) if isinstance(name, str) else lookups.resolve(Query(schema), name)
        refuse_many(node, "read")
        if not isinstance(node, Reference) or node.keys:
            raise FieldError(f"{name!r} is not a column of {schema.name}.")
        hops = [hop.name for hop in node.path if hop.spec.kind != "parent"]
        found |= {"__".join([*hops, spec.name]) for spec in node.spec.fields}
    return frozenset(found)


def relation_words(schema: Schema, path: object) -> str:
    """The words of a relation given as words or as `Album.artist`."""
    if isinstance(path, str):
        return path
    words = words_of(path)
    if words is None:
        raise FieldError(f"{path!r} names no relation. Give its name, or the attribute of the class: Album.artist.")
    root = schema_of(cast("Step | Column[Any]", path))
    if root is not schema and root in heirs(schema):
        return f"{snake_case(root.name)}__{words}"
    if root is not schema and not descends(schema, root):
        raise FieldError(f"{path!r} starts from {root.name}, but the query is about {schema.name}.")
    return words


def is_instance_of(schema: Schema, value: object) -> bool:
    """Whether a value is an instance of a schema's model."""
    return isinstance(value, Instance) and isinstance(value, schema.concrete.model)
