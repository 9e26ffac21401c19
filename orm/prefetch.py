"""Related rows in a query of their own: one statement for each level, for many-to-many, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from orm.columns import Column, words_of
from orm.comments import commented
from orm.conditions import Members
from orm.database import Database
from orm.exceptions import FieldError
from orm.generics import stored_relation
from orm.hierarchy import heir, is_polymorphic
from orm.instances import forget_relation, schema_of, slot
from orm.loader import attribute_setter, relation_setter
from orm.operators import OPERATORS
from orm.ordering import ordering
from orm.plans import select_plan
from orm.query import Node, Query, QueryHolder, Selection
from orm.references import checked_lookup, fixed, intern
from orm.schema import Instance, Relation, Schema
from orm.specs import GenericKey


class Prefetch:
    """What `prefetch_related` reads: a relation, and perhaps a query set that says which of its rows, in which order.

    Args:
        relation: the relation: its name, names joined by `__`, or the attribute of the class: `Artist.albums`.
        queryset: the query set to read them with; for a generic foreign key several ones, of one model each.
        to_attr: the attribute of each instance that gets a list of them, instead of the relation itself.
    """

    __slots__ = ("choices", "queryset", "relation", "to_attr")

    def __init__(
        self,
        relation: type[Instance] | Column[Any] | str,
        queryset: QueryHolder | Sequence[QueryHolder] | None = None,
        *,
        to_attr: str | None = None,
    ) -> None:
        words = relation if isinstance(relation, str) else words_of(relation)
        if words is None:
            raise FieldError(f"{relation!r} names no relation. Give its name, or the attribute of the class.")
        self.relation = words
        self.queryset = None if isinstance(queryset, Sequence) else queryset
        self.choices = tuple(queryset) if isinstance(queryset, Sequence) else ()
        self.to_attr = to_attr

    def __repr__(self) -> str:
        return f"Prefetch({self.relation!r})"


@dataclass(frozen=True, slots=True)
class Reader:
    """Where related rows are read from, and how.

    Attributes:
        database: where from.
        bound: instances remember the database.
        comment: what is sent at the end of each statement.
        timeout: how long each may take, in seconds.
        lifted: the default filters that do not hold.
    """

    database: Database
    bound: bool
    comment: str = ""
    timeout: float | None = None
    lifted: frozenset[str] = frozenset()

    def told_by(self, item: Prefetch | None) -> Reader:
        """The reader of a query set that was given for the related rows: its own comment and filters go before.

        Of the two time limits the shorter one counts.
        """
        if item is None or item.queryset is None:
            return self
        limits = [limit for limit in (getattr(item.queryset, "time_limit", None), self.timeout) if limit is not None]
        comment = getattr(item.queryset, "_comment", "") or self.comment
        lifted = item.queryset.query.selection.lifted
        return replace(self, comment=comment, timeout=min(limits, default=None), lifted=lifted)

    async def fetch(self, query: Query) -> list[Any]:
        """The instances of a query, each with its key where it has a link."""
        database = self.database
        plan, values = select_plan(query, database, bound=self.bound)
        sql = commented(plan.sql, self.comment, database.dialect)
        rows = await database.fetch(sql, plan.bind(values), info=plan, timeout=self.timeout)
        assert plan.load is not None
        return plan.load(rows, database if self.bound else None)


def default_order(schema: Schema) -> tuple[Node, ...]:
    """The order of `Meta.ordering`."""
    found = schema.derived.get("ordering")
    if found is None:
        found = schema.derived["ordering"] = tuple([ordering(Query(schema), term) for term in schema.options.ordering])
    return cast("tuple[Node, ...]", found)


def check(schema: Schema, prefetch: Prefetch) -> None:
    """Raise `FieldError` when a prefetch names no relation, or its query set is not one of the target's."""
    targets = [schema]
    names = prefetch.relation.split("__")
    for number, name in enumerate(names, 1):
        targets = _targets(targets, name, last=number == len(names))
    given = prefetch.choices if prefetch.queryset is None else (prefetch.queryset,)
    seen: set[Schema] = set()
    for query in [queryset.query for queryset in given]:
        if query.schema not in targets:
            wanted = " or ".join([target.name for target in targets])
            raise FieldError(f"{prefetch!r} needs a query set of {wanted}, not of {query.schema.name}.")
        if query.columns is not None or query.sliced:
            raise FieldError(f"{prefetch!r} needs a query set of instances without a slice.")
        if query.schema in seen:
            raise FieldError(f"{prefetch!r} has two query sets of {query.schema.name}. Give one for each model.")
        seen.add(query.schema)


def _targets(owners: Sequence[Schema], name: str, *, last: bool) -> list[Schema]:
    """The models that a name leads to from some of these. Raises `FieldError` when none of them has such a relation."""
    found: list[Schema] = []
    for owner in owners:
        relation, generic = owner.relation(name), owner.generics.get(name)
        child = heir(owner, name) if relation is None and not last and is_polymorphic(owner) else None
        if relation is not None:
            found.append(relation.target)
        elif generic is not None:
            found += [one.target for one in generic.relations(owner).values()]
        elif child is not None:
            found.append(child)
    if not found:
        if len(owners) == 1:
            raise owners[0].unknown(name, "relation")
        raise FieldError(f"None of {', '.join([owner.name for owner in owners])} has a relation {name!r}.")
    return list(dict.fromkeys(found))


async def prefetch(instances: Sequence[Instance], wanted: Sequence[Prefetch], reader: Reader) -> None:
    """Read what is wanted of the instances, level by level."""
    if not instances:
        return
    schema = schema_of(instances[0])
    for name, group in _by_first_name(wanted).items():
        relation, generic = schema.relation(name), schema.generics.get(name)
        if relation is not None:
            await _level(instances, relation, group, reader)
        elif generic is not None:
            await _generic_level(instances, generic, group, reader)
        else:
            model = cast("Schema", heir(schema.root, name)).model
            own = [instance for instance in instances if isinstance(instance, model)]
            await prefetch(own, [_shortened(item) for item in group], reader)


def _by_first_name(wanted: Sequence[Prefetch]) -> dict[str, list[Prefetch]]:
    groups: dict[str, list[Prefetch]] = {}
    for item in wanted:
        groups.setdefault(item.relation.partition("__")[0], []).append(item)
    return groups


async def _level(instances: Sequence[Instance], relation: Relation, group: list[Prefetch], reader: Reader) -> None:
    own = [item for item in group if "__" not in item.relation]
    deeper = [_shortened(item) for item in group if "__" in item.relation]
    plain = next((item for item in own if item.to_attr is None), None)
    if plain is not None or deeper:
        inner = reader.told_by(plain)
        related = await _related(instances, relation, plain, inner)
        nested = [*_nested(plain), *deeper]
        await prefetch(related, nested, inner)
    for item in own:
        if item.to_attr is not None:
            inner = reader.told_by(item)
            await prefetch(await _related(instances, relation, item, inner), _nested(item), inner)


async def _generic_level(
    instances: Sequence[Instance], generic: GenericKey, group: list[Prefetch], reader: Reader
) -> None:
    """One level for each model whose rows the instances refer to."""
    schema = schema_of(instances[0])
    parts: dict[str, list[Instance]] = {}
    relations: dict[str, Relation] = {}
    for instance in instances:
        name, key = getattr(instance, generic.kind.name), getattr(instance, generic.key.name)
        if key is not None:
            parts.setdefault(name, []).append(instance)
            relations[name] = stored_relation(schema, generic, name, key, instance)
        for item in group if key is None else ():
            if item.to_attr is not None and item.relation == generic.name:
                object.__setattr__(instance, item.to_attr, [])
    for name, part in parts.items():
        about = [_about(item, relations[name].target) for item in group]
        found = [item for item in about if item is not None]
        if len(found) < len(about):
            found.append(Prefetch(generic.name))  # what comes before the relation that they do not have
        await _level(part, relations[name], found, reader)


def _about(item: Prefetch, target: Schema) -> Prefetch | None:
    """What of a prefetch over a generic foreign key is about one model; `None` where that has no such relation."""
    _, _, rest = item.relation.partition("__")
    if rest:
        name = rest.partition("__")[0]
        known = name in target.relation_specs or name in target.generics or heir(target, name) is not None
        return item if known else None
    given = (*item.choices, item.queryset)
    queryset = next((one for one in given if one is not None and one.query.schema is target), None)
    return Prefetch(item.relation, queryset, to_attr=item.to_attr)


def _nested(item: Prefetch | None) -> Sequence[Prefetch]:
    return getattr(item.queryset, "prefetches", ()) if item is not None and item.queryset is not None else ()


def _shortened(item: Prefetch) -> Prefetch:
    rest = item.relation.partition("__")[2]
    return Prefetch(rest, item.choices if item.queryset is None else item.queryset, to_attr=item.to_attr)


async def _related(
    instances: Sequence[Instance], relation: Relation, item: Prefetch | None, reader: Reader
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
    pairs = await _read(relation, keys, _base_query(relation, item, reader), reader) if keys else []
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
    setter = attribute_setter(relation.target, relation.inverse or "")  # a foreign key, perhaps a generic one
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


def _base_query(relation: Relation, item: Prefetch | None, reader: Reader) -> Query:
    if item is not None and item.queryset is not None:
        query = item.queryset.query
    else:
        query = Query(relation.target)
        if reader.lifted:
            query.selection = Selection(lifted=reader.lifted)
    return query.replace(order=default_order(relation.target)) if query.order is None else query


def _attach(relation: Relation, item: Prefetch | None) -> Callable[[Instance, list[Instance]], None]:
    if item is not None and item.to_attr is not None:
        name = item.to_attr
        return lambda instance, related: object.__setattr__(instance, name, related)
    setter = relation_setter(relation)
    if relation.many:
        return setter
    if relation.holds_key and relation.target.implied is not None:
        return lambda instance, related: _attach_visible(instance, relation, related)
    return lambda instance, related: setter(instance, related[0] if related else None)


def _attach_visible(instance: Instance, relation: Relation, related: list[Instance]) -> None:
    """Of a row that is hidden an instance keeps the key, as without prefetching."""
    if related:
        relation_setter(relation)(instance, related[0])
    else:
        forget_relation(instance, relation.name)


async def _read(relation: Relation, keys: list[Any], query: Query, reader: Reader) -> list[tuple[Any, Instance]]:
    """The related instances, each with the key of those it belongs to."""
    if query.empty:
        return []
    target = relation.target
    if relation.through is not None:
        # From the target back to the rows between, as a step of its own: the user's filters may take the same way.
        back = replace(_link(relation), name=f"link to {relation.name}")
        near = relation.through[0].far
        lookup = checked_lookup(target, intern(target, (back,), near), OPERATORS["in"])
        linked = query.replace(
            where=(Members(lookup, keys), *query.where), selection=replace(query.selection, link=back)
        )
        return cast("list[tuple[Any, Instance]]", await reader.fetch(linked))
    lookup = checked_lookup(target, intern(target, (), relation.far), OPERATORS["in"])
    selection = query.selection  # what says whom a row belongs to is always read
    names = {spec.name for spec in relation.far.fields}
    selection = replace(
        selection,
        only=selection.only | names if selection.only else selection.only,
        deferred=selection.deferred - names,
    )
    where = (*fixed(relation), Members(lookup, keys), *query.where)
    rows = await reader.fetch(query.replace(where=where, selection=selection))
    far = relation.far.name
    return [(slot(row, far), row) for row in rows]


def _link(relation: Relation) -> Relation:
    """From the target of a many-to-many relation to the rows between."""
    _, forward = cast("tuple[Relation, Relation]", relation.through)
    return Relation(relation.name, forward.target, forward.source, forward.far, forward.near, True, False, forward.spec)
