"""Related rows in a query of their own: one statement for each level, for many-to-many, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

from orm.columns import words_of
from orm.database import Database
from orm.exceptions import FieldError
from orm.expressions import Members
from orm.loader import relation_setter
from orm.lookups import checked_lookup, intern, ordering
from orm.operators import OPERATORS
from orm.persistence import schema_of, slot
from orm.plans import select_plan
from orm.query import Node, Query, QueryHolder
from orm.schema import Instance, Relation, Schema


class Prefetch:
    """What `prefetch_related` reads: a relation, and perhaps a query set that says which of its rows, in which order.

    Args:
        relation: the relation: its name, names joined by `__`, or the attribute of the class: `Artist.albums`.
        queryset: the query set to read them with.
        to_attr: the attribute of each instance that gets a list of them, instead of the relation itself.
    """

    __slots__ = ("queryset", "relation", "to_attr")

    def __init__(
        self, relation: type[Instance] | str, queryset: QueryHolder | None = None, *, to_attr: str | None = None
    ) -> None:
        words = relation if isinstance(relation, str) else words_of(relation)
        if words is None:
            raise FieldError(f"{relation!r} names no relation. Give its name, or the attribute of the class.")
        self.relation = words
        self.queryset = queryset
        self.to_attr = to_attr

    def __repr__(self) -> str:
        return f"Prefetch({self.relation!r})"


def default_order(schema: Schema) -> tuple[Node, ...]:
    """The order of `Meta.ordering`."""
    found = schema.derived.get("ordering")
    if found is None:
        found = schema.derived["ordering"] = tuple([ordering(schema, term) for term in schema.options.ordering])
    return cast("tuple[Node, ...]", found)


def check(schema: Schema, prefetch: Prefetch) -> None:
    """Raise `FieldError` when a prefetch names no relation, or its query set is not one of the target's."""
    owner = schema
    for name in prefetch.relation.split("__"):
        relation = owner.relation(name)
        if relation is None:
            raise owner.unknown(name, "relation")
        owner = relation.target
    if prefetch.queryset is None:
        return
    query = prefetch.queryset.query
    if query.schema is not owner:
        raise FieldError(f"{prefetch!r} needs a query set of {owner.name}, not of {query.schema.name}.")
    if query.columns is not None or query.sliced:
        raise FieldError(f"{prefetch!r} needs a query set of instances without a slice.")


async def prefetch(
    instances: Sequence[Instance],
    wanted: Sequence[Prefetch],
    database: Database,
    bound: bool,
    timeout: float | None = None,
) -> None:
    """Read what is wanted of the instances, level by level, each statement within `timeout`."""
    if not instances:
        return
    for name, group in _by_first_name(wanted).items():
        relation = schema_of(instances[0]).relation(name)
        assert relation is not None
        await _level(instances, relation, group, database, bound, timeout)


def _by_first_name(wanted: Sequence[Prefetch]) -> dict[str, list[Prefetch]]:
    groups: dict[str, list[Prefetch]] = {}
    for item in wanted:
        groups.setdefault(item.relation.partition("__")[0], []).append(item)
    return groups


async def _level(
    instances: Sequence[Instance],
    relation: Relation,
    group: list[Prefetch],
    database: Database,
    bound: bool,
    timeout: float | None,
) -> None:
    own = [item for item in group if "__" not in item.relation]
    deeper = [_shortened(item) for item in group if "__" in item.relation]
    plain = next((item for item in own if item.to_attr is None), None)
    if plain is not None or deeper:
        related = await _related(instances, relation, plain, database, bound, timeout)
        nested = [*_nested(plain), *deeper]
        await prefetch(related, nested, database, bound, timeout)
    for item in own:
        if item.to_attr is not None:
            related = await _related(instances, relation, item, database, bound, timeout)
            await prefetch(related, _nested(item), database, bound, timeout)


def _nested(item: Prefetch | None) -> Sequence[Prefetch]:
    return getattr(item.queryset, "prefetches", ()) if item is not None and item.queryset is not None else ()


def _time_limit(item: Prefetch | None, timeout: float | None) -> float | None:
    """The shorter of the time limits: that of the query set that prefetches, and that of the one it reads with."""
    own = getattr(item.queryset, "time_limit", None) if item is not None else None
    return min([seconds for seconds in (own, timeout) if seconds is not None], default=None)


def _shortened(item: Prefetch) -> Prefetch:
    return Prefetch(item.relation.partition("__")[2], item.queryset, to_attr=item.to_attr)


async def _related(
    instances: Sequence[Instance],
    relation: Relation,
    item: Prefetch | None,
    database: Database,
    bound: bool,
    timeout: float | None,
) -> list[Instance]:
    """The related instances, hung on those they belong to."""
    attach = _attach(relation, item)
    near = relation.near.name
    loaded = None if item is not None else _already(instances, relation)
    if loaded is not None:
        return loaded
    owners: dict[Any, list[Instance]] = {}
    for instance in instances:
        owners.setdefault(getattr(instance, near), []).append(instance)
    keys = [key for key in owners if key is not None]
    query = _base_query(relation, item)
    pairs = await _read(relation, keys, query, database, bound, _time_limit(item, timeout)) if keys else []
    found: dict[Any, list[Instance]] = {}
    for key, related in pairs:
        found.setdefault(key, []).append(related)
    for key, group in owners.items():
        for instance in group:
            attach(instance, found.get(key, []))
    if relation.inverse is not None and relation.through is None and not relation.holds_key:
        _attach_back(relation, owners, found)
    return list({id(related): related for _, related in pairs}.values())


def _attach_back(relation: Relation, owners: dict[Any, list[Instance]], found: dict[Any, list[Instance]]) -> None:
    """Give the related instances the one they belong to."""
    back = relation.target.relation(relation.inverse or "")
    assert back is not None
    setter = relation_setter(back)
    for key, related in found.items():
        for one in related:
            setter(one, owners[key][0])


def _already(instances: Sequence[Instance], relation: Relation) -> list[Instance] | None:
    """The related instances, if all of them are there: a deeper level needs no second query for this one."""
    name = f"_loaded_{relation.name}" if relation.many else relation.name
    related: dict[int, Instance] = {}
    for instance in instances:
        held = slot(instance, name, _ABSENT)
        if held is _ABSENT:
            return None
        for one in held if relation.many else [held] if held is not None else []:
            if len(loaded_names(one)) < len(relation.target.fields):
                return None
            related[id(one)] = one
    return list(related.values())


_ABSENT = object()


def loaded_names(instance: Instance) -> list[str]:
    """The attributes of columns that are loaded."""
    return [name for name in schema_of(instance).fields if slot(instance, name, _ABSENT) is not _ABSENT]


def _base_query(relation: Relation, item: Prefetch | None) -> Query:
    query = item.queryset.query if item is not None and item.queryset is not None else Query(relation.target)
    return query.replace(order=default_order(relation.target)) if query.order is None else query


def _attach(relation: Relation, item: Prefetch | None) -> Callable[[Instance, list[Instance]], None]:
    if item is not None and item.to_attr is not None:
        name = item.to_attr
        return lambda instance, related: object.__setattr__(instance, name, related)
    setter = relation_setter(relation)
    if relation.many:
        return setter
    return lambda instance, related: setter(instance, related[0] if related else None)


async def _read(
    relation: Relation, keys: list[Any], query: Query, database: Database, bound: bool, timeout: float | None
) -> list[tuple[Any, Instance]]:
    """The related instances, each with the key of those it belongs to."""
    if query.empty:
        return []
    target = relation.target
    if relation.through is not None:
        # From the target back to the rows between, as a step of its own: the user's filters may take the same way.
        back = replace(_link(relation), name=f"link to {relation.name}")
        near = relation.through[0].far
        lookup = checked_lookup(intern(target, (back,), near), OPERATORS["in"])
        linked = query.replace(
            where=(Members(lookup, keys), *query.where), selection=replace(query.selection, link=back)
        )
        return cast("list[tuple[Any, Instance]]", await _fetch(linked, database, bound, timeout))
    lookup = checked_lookup(intern(target, (), relation.far), OPERATORS["in"])
    far = relation.far.name
    selection = query.selection  # the column that says whom a row belongs to is always read
    selection = replace(
        selection,
        only=selection.only | {far} if selection.only else selection.only,
        deferred=selection.deferred - {far},
    )
    narrowed = query.replace(where=(Members(lookup, keys), *query.where), selection=selection)
    rows = await _fetch(narrowed, database, bound, timeout)
    return [(slot(row, far), row) for row in rows]


def _link(relation: Relation) -> Relation:
    """From the target of a many-to-many relation to the rows between."""
    _, forward = cast("tuple[Relation, Relation]", relation.through)
    return Relation(relation.name, forward.target, forward.source, forward.far, forward.near, True, False, forward.spec)


async def _fetch(query: Query, database: Database, bound: bool, timeout: float | None) -> list[Any]:
    plan, values = select_plan(query, database, bound=bound)
    rows = await database.fetch(plan.sql, plan.bind(values), info=plan, timeout=timeout)
    assert plan.load is not None
    return plan.load(rows, database if bound else None)
