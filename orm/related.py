"""`artist.albums` on an instance: the rows that are related to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, Self, TypeVar, cast
from weakref import WeakKeyDictionary

from orm import announcing, persistence
from orm.compiled import CompiledQuery
from orm.conditions import Leaf, Q
from orm.conflicts import Conflict
from orm.database import Database
from orm.exceptions import FieldError, InterfaceError, NotLoaded, ValidationError
from orm.expressions import Condition
from orm.instances import forget_relation, is_new, set_attribute, slot
from orm.keys import spread
from orm.operators import OPERATORS
from orm.query import UNFILTERED, Query
from orm.queryset import QuerySet
from orm.reading import is_instance_of
from orm.references import checked_lookup, fixed, intern
from orm.schema import Instance, Relation, Schema
from orm.signals import ManyToManyEvent
from orm.specs import FieldSpec

M = TypeVar("M", bound=Instance)


def related_set(schema: Schema) -> type[RelatedQuerySet[Any]]:
    """The class of the related sets of a model: it has the methods of the model's own query sets, too."""
    found = schema.derived.get("class of related sets")
    if found is None:
        own = type(cast("QuerySet[Any]", schema.model.objects))
        found = RelatedQuerySet if own is QuerySet else _declared.get(own)
        if found is None:
            namespace = {"__slots__": (), "__module__": own.__module__}
            found = type(f"Related{own.__name__}", (RelatedQuerySet, own), namespace)
        schema.derived["class of related sets"] = found
    return cast("type[RelatedQuerySet[Any]]", found)


_declared: WeakKeyDictionary[type[Any], type[Any]] = WeakKeyDictionary()
"""The classes of related sets by those of the query sets whose methods they have."""


class RelatedQuerySet(QuerySet[M]):
    """The rows related to one instance: a query set, and, once prefetched, a sequence read without `await`.

    Where the related model has query sets of its own, a class with their methods is made. To give it a name, which
    checkers need, or further methods, declare it: `class Albums(orm.RelatedQuerySet["Album"], AlbumQuerySet)`.
    """

    __slots__ = ("_cache", "_owner", "_relation")

    def __init__(self, owner: Instance, relation: Relation, cache: list[M] | None) -> None:
        super().__init__(_related_query(owner, relation), _remembered(owner))
        self._owner = owner
        self._relation = relation
        self._cache = cache

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        own: type[Any] = next(one for one in cast("Any", cls).__mro__ if not issubclass(one, RelatedQuerySet))
        if own in _declared:
            raise FieldError(
                f"{_declared[own].__name__} is the class of related sets with the methods of {own.__name__}, so "
                f"{cls.__name__} cannot be another one. Declare it right after {own.__name__}, and once."
            )
        if own is not QuerySet:
            _declared[own] = cls

    def _with(self, query: Query) -> Self:
        new = super()._with(query)
        new._owner = self._owner
        new._relation = self._relation
        new._cache = None
        return new

    def _unsaved(self) -> bool:
        return slot(self._owner, self._relation.near.name) is None

    def _check_saved(self) -> None:
        if self._unsaved():
            raise InterfaceError(
                f"{self._owner!r} has no key yet, so nothing can be related to it. Save it before you use "
                f"{self._relation.name}."
            )

    def _target(self) -> Database:
        self._check_saved()
        return super()._target()

    def _refuse_everything(self, what: str) -> None:
        self._check_saved()
        super()._refuse_everything(what)

    async def _fetch(self) -> list[M]:
        if self._cache is not None:
            return list(self._cache)
        self._check_saved()
        return await super()._fetch()

    def compiled(self) -> CompiledQuery[M]:
        """The related rows, as a function of the `Param`s in the filters and limits."""
        self._check_saved()
        return super().compiled()

    def _new(self, values: Mapping[str, Any]) -> M:
        relation = self._relation
        if relation.through is None and relation.inverse is not None:
            values = {relation.inverse: self._owner, **values}
        return super()._new(values)

    async def _create_or_get(self, instance: M, words: Mapping[str, Any]) -> tuple[M, bool]:
        if self._relation.through is None:
            return await super()._create_or_get(instance, words)
        async with self._target().transaction():
            everyone = QuerySet[M](self._query_of(self._relation.target), self._database)
            found, created = await everyone._create_or_get(instance, words)
            await self.add(found)
        return found, created

    async def _insert_all(self, instances: list[M], conflict: Conflict | None, chunk_size: int | None) -> None:
        self._check_saved()
        if self._relation.through is None:
            for one in instances:
                if self._relation.inverse is not None:
                    setattr(one, self._relation.inverse, self._owner)
            self._forget()
            await super()._insert_all(instances, conflict, chunk_size)
            return
        if conflict is not None and not conflict.unique:
            raise FieldError("Rows are related by their keys, which ignore_conflicts only knows with unique_fields.")
        async with self._target().transaction():
            await super()._insert_all(instances, conflict, chunk_size)
            await self.add(*instances)

    def _forget(self) -> None:
        """What was prefetched is no longer what the database has."""
        self._cache = None
        forget_relation(self._owner, self._relation.name)

    def __await__(self) -> Generator[Any, None, list[M]]:
        return self._fetch().__await__()

    def __aiter__(self) -> AsyncIterator[M]:
        return self.iterate()

    def __repr__(self) -> str:
        what = "not loaded" if self._cache is None else f"{len(self._cache)} loaded"
        return f"<{self._relation.name} of {self._owner!r}: {what}>"

    def _loaded(self) -> list[M]:
        if self._cache is None:
            name = f"{self._relation.source.name}.{self._relation.name}"
            raise NotLoaded(
                f"{name} is not loaded. Add .prefetch_related({self._relation.name!r}) to the query, "
                f"or write: await …{self._relation.name}"
            )
        return self._cache

    def __iter__(self) -> Iterator[M]:
        return iter(self._loaded())

    def __len__(self) -> int:
        return len(self._loaded())

    def __bool__(self) -> bool:
        return bool(self._loaded())

    async def create(self, *, through_defaults: Mapping[str, Any] | None = None, **values: Any) -> M:
        """Insert a row that is related to the instance.

        Args:
            through_defaults: of many-to-many relations, the values of the row between; what can be called is called.
            values: the values of the row.
        """
        self._check_saved()
        relation = self._relation
        if relation.through is not None:
            async with self._target().transaction():
                made = await super().create(**values)
                await self.add(made, through_defaults=through_defaults)
            return made
        self._check_defaults(through_defaults)
        if relation.inverse is None:
            raise FieldError(f"{relation!r} has no relation back.")
        if relation.inverse in values or any(
            part.name in values or part.label in values for part in relation.far.fields
        ):
            raise FieldError(f"{relation.inverse} is {self._owner!r} here. Leave it out.")
        self._forget()
        return await super().create(**values)

    async def add(self, *instances: M, through_defaults: Mapping[str, Any] | None = None) -> None:
        """Relate these rows to the instance; those that are related already stay so.

        Args:
            instances: stored instances of the target.
            through_defaults: of many-to-many relations, the values of the new rows between.
        """
        self._check_defaults(through_defaults)
        keys = self._keys(instances)
        if not keys:
            return
        database = self._target()
        async with database.transaction():
            if self._relation.through is not None:
                await self._link(keys, through_defaults or {})
            else:
                await self._point(keys)
        self._assign(instances, self._owner)
        self._forget()

    async def remove(self, *instances: M) -> None:
        """Relate these rows to the instance no longer; they are not deleted."""
        keys = self._keys(instances)
        if keys:
            await self._unlink(keys)
            self._assign(instances, None)
            self._forget()

    async def clear(self) -> None:
        """Relate no row to the instance any longer; none of them is deleted."""
        self._check_saved()
        await self._unlink(None)
        self._forget()

    async def set(self, instances: Iterable[M], *, through_defaults: Mapping[str, Any] | None = None) -> None:
        """Relate exactly these rows to the instance; `through_defaults` as in `add`."""
        self._check_defaults(through_defaults)
        wanted = list(instances)
        keys = self._keys(wanted)
        async with self._target().transaction():
            by = self._told_by()
            there = set(await self._all().values_list(by.label, flat=True))
            gone = list(there.difference(keys))
            if gone:
                await self._unlink(gone)
                self._forget()
            added = [one for one in wanted if slot(one, by.name) not in there]
            await self.add(*added, through_defaults=through_defaults)

    def _check_defaults(self, values: Mapping[str, Any] | None) -> None:
        """Refuse values of rows between that are none, or that say whom they relate."""
        if values is None:
            return
        relation = self._relation
        if relation.through is None:
            raise FieldError(f"{relation.name} has no rows between: its rows refer to the instance. Leave them out.")
        between = relation.through[0].target
        keys = {name for hop in relation.through for name in _own_names(hop, between)}
        for name in values:
            if name in keys:
                raise FieldError(f"through_defaults={{{name!r}: …}}: the rows that are related say it. Leave it out.")
            if between.field(name) is None:
                raise between.unknown(name)

    def _all(self) -> QuerySet[M]:
        query = _related_query(self._owner, self._relation).replace(selection=self.query.whole())
        return cast("QuerySet[M]", QuerySet(query, self._database))

    def _told_by(self) -> FieldSpec:
        """The field of the related rows that tells them apart: what the rows between refer to, or else the key."""
        return self._relation.target.key if self._relation.through is None else self._relation.far

    def _keys(self, instances: Sequence[M]) -> list[Any]:
        """The keys of instances, each checked to be a stored one of the target."""
        self._check_saved()
        target, by = self._relation.target, self._told_by()
        keys: list[Any] = []
        for one in instances:
            if not is_instance_of(target, one):
                raise FieldError(f"{self._relation.name} takes instances of {target.name}, not {one!r}.")
            key = slot(one, by.name)
            if key is None or is_new(one):
                raise ValidationError(f"{one!r} has no row yet. Save it first.")
            keys.append(key)
        return list(dict.fromkeys(keys))

    def _assign(self, instances: Sequence[M], owner: Instance | None) -> None:
        """Note on the related instances what their rows say now."""
        relation = self._relation
        if relation.through is None and relation.inverse is not None:
            pointing = _pointing(relation, None if owner is None else slot(owner, relation.near.name))
            for one in instances:
                for name, value in pointing.items():
                    set_attribute(one, name, value)
                set_attribute(one, relation.inverse, owner)

    def _query_of(self, schema: Schema) -> Query:
        """All rows of a model that default filters do not hide here."""
        return Query(schema).replace(selection=self.query.whole())

    async def _point(self, keys: list[Any]) -> None:
        """Let the foreign keys of these rows, of which there are instances, refer to the instance."""
        relation = self._relation
        rows = QuerySet[Any](Query(relation.target).replace(selection=UNFILTERED), self._database)
        await rows.filter(pk__in=keys).update(**_pointing(relation, slot(self._owner, relation.near.name)))

    def _sides(self) -> list[tuple[FieldSpec, FieldSpec]]:
        """The keys of the rows between to the instance and to the others; of a symmetrical relation both ways round."""
        back, forward = cast("tuple[Relation, Relation]", self._relation.through)
        sides = [(back.far, forward.near)]
        return [*sides, (forward.near, back.far)] if self._relation.spec.symmetrical else sides

    def _between(self) -> QuerySet[Any]:
        """The rows between, of all instances."""
        back, _ = cast("tuple[Relation, Relation]", self._relation.through)
        return QuerySet[Any](self._query_of(back.target), self._database)

    async def _change(
        self,
        action: Literal["pre_add", "pre_remove", "pre_clear"],
        keys: list[Any] | None,
        write: Callable[[], Awaitable[object]],
    ) -> None:
        """Change the rows between, and tell those who listen to the model that declares the relation."""
        relation = self._relation
        reverse = relation.spec.kind == "reverse"
        declaring = relation.target if reverse else relation.source
        if declaring.receivers is None:
            await write()
            return
        event = ManyToManyEvent(
            action,
            self._owner,
            relation.name,
            reverse,
            relation.target.model,
            None if keys is None else frozenset(keys),
            self._target(),
        )
        await announcing.change_relation(declaring, event, write)

    async def _link(self, keys: list[Any], values: Mapping[str, Any]) -> None:
        owner = slot(self._owner, self._relation.near.name)
        rows = self._between()
        model = rows.query.schema.model
        links: dict[tuple[Any, Any], Instance] = {}
        added: dict[Any, None] = {}
        sides = self._sides()
        for near, far in sides:
            known = rows.filter(**{near.label: owner, f"{far.label}__in": keys}).values_list(far.label, flat=True)
            there = set(await known)
            for key in keys:
                if key not in there:
                    made = {name: value() if callable(value) else value for name, value in values.items()}
                    pair = (owner, key) if near is sides[0][0] else (key, owner)
                    links.setdefault(pair, model(**spread(near, owner), **spread(far, key), **made))
                    added[key] = None
        if links:
            write = partial(persistence.insert_all, rows.query.schema, list(links.values()), self._target())
            await self._change("pre_add", list(added), write)

    async def _unlink(self, keys: list[Any] | None) -> None:
        relation = self._relation
        if relation.through is not None:
            owner = slot(self._owner, relation.near.name)
            named = [
                Q(**{near.label: owner}) if keys is None else Q(**{near.label: owner, f"{far.label}__in": keys})
                for near, far in self._sides()
            ]
            rows = self._between().filter(named[0] if len(named) == 1 else named[0] | named[1])
            await self._change("pre_clear" if keys is None else "pre_remove", keys, rows._delete_rows)
            return
        if not relation.far.null:
            raise FieldError(
                f"{relation.target.name}.{relation.inverse} cannot be null, so its rows always have one. "
                "Give them another one, or delete them."
            )
        rows = self._all() if keys is None else self._all().unfiltered().filter(pk__in=keys)
        await rows.update(**_pointing(relation, None))


def _own_names(hop: Relation, between: Schema) -> list[str]:
    """What the key is called that the rows between have for one side."""
    near = hop.far if hop.target is between else hop.near
    return [name for part in (near, *near.fields) for name in (part.name, part.label)]


def _remembered(owner: Instance) -> Any:
    state = slot(owner, "_state")
    return state.database if state is not None else None


def _related_query(owner: Instance, relation: Relation) -> Query:
    """The target's rows that are related to an instance."""
    query = Query(relation.target)
    key = slot(owner, relation.near.name)
    if key is None:
        return query
    return query.replace(where=(*fixed(relation), _is_related(relation, key)))


def _pointing(relation: Relation, key: Any) -> dict[str, Any]:
    """The values of a row that is related to that with the key, or to none."""
    values = spread(relation.far, key)
    if relation.fixed is not None:
        spec, value = relation.fixed
        values[spec.name] = None if key is None else value
    return values


def _is_related(relation: Relation, key: Any) -> Condition:
    exact = OPERATORS["exact"]
    if relation.through is None:
        found = intern(relation.target, (), relation.far)
    else:
        back, _ = relation.through
        found = intern(relation.target, (_back_to_rows_between(relation),), back.far)
    return Leaf(checked_lookup(relation.target, found, exact), (key,))


def _back_to_rows_between(relation: Relation) -> Relation:
    """From the target of a many-to-many relation to the rows between, the same object each time."""
    name = f"rows between for {relation.source.name}.{relation.name}"
    found = relation.target.derived.get(name)
    if found is None:
        _, forward = cast("tuple[Relation, Relation]", relation.through)
        found = Relation(name, forward.target, forward.source, forward.far, forward.near, True, True, forward.spec)
        relation.target.derived[name] = found
    return cast("Relation", found)
