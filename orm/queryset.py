"""`QuerySet`: the rows of a model as instances: reading them with their relations, and writing them."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

import sqlalchemy as sa

from orm import announcing, conflicts, joined, locks, lookups, persistence, plans, returning, writing
from orm.columns import Column
from orm.conditions import simplify
from orm.conflicts import Conflict
from orm.database import Database, Outcome
from orm.exceptions import FieldError, InterfaceError, UniqueViolation
from orm.expressions import Condition, Expression, F
from orm.instances import key_of, state_of
from orm.plans import Plan
from orm.prefetch import Prefetch, check
from orm.query import UNFILTERED, Query
from orm.reading import column_words, is_instance_of, need_names, relation_words, to_one_path
from orm.returning import Returned, Returning
from orm.rows import Rows
from orm.schema import Instance, Schema
from orm.signals import BulkDeleteEvent, BulkUpdateEvent
from orm.statements import StatementSet

M = TypeVar("M", bound=Instance)
Q_co = TypeVar("Q_co", bound="QuerySet[Any]", covariant=True)


_ATTEMPTS = 3
"""How often `update_or_create` begins again when somebody deletes the row it is about to update."""


class QuerySet(Rows[M]):
    """An immutable description of one query for instances of a model. Every method returns a new one.

    Awaiting it runs it and gives a list; `async for` streams.
    """

    __slots__ = ()

    # ------------------------------------------------------------ relations and columns

    def select_related(self, *paths: type[Instance] | str) -> Self:
        """Read to-one relations in the same statement; `"a__b"` reads `a`, too."""
        need_names("select_related", paths)
        selection = self.query.selection
        found = [*selection.related]
        for path in paths:
            found.append(to_one_path(self._schema, relation_words(self._schema, path)))
        return self._selecting(related=tuple(dict.fromkeys(found)))

    def prefetch_related(self, *wanted: type[Instance] | Column[Any] | str | Prefetch) -> Self:
        """Read relations of any kind in one more statement for each level."""
        need_names("prefetch_related", wanted)
        added: list[Prefetch] = []
        for item in wanted:
            made = item if isinstance(item, Prefetch) else Prefetch(relation_words(self._schema, item))
            check(self._schema, made)
            added.append(made)
        new = self._with(self.query)
        new.prefetches = (*self.prefetches, *added)
        return new

    def only(self, *names: str | Column[Any]) -> Self:
        """Read these columns only, and the key; reading another one raises `NotLoaded`."""
        need_names("only", names)
        return self._selecting(only=column_words(self._schema, names), deferred=frozenset())

    def defer(self, *names: str | Column[Any]) -> Self:
        """Read all columns but these; reading one of them raises `NotLoaded`."""
        need_names("defer", names)
        words = column_words(self._schema, names)
        selection = self.query.selection
        return self._selecting(deferred=selection.deferred | words, only=selection.only - words)

    def search(self, term: str) -> Self:
        """Only the rows that have the term, but for case, in one of the model's text columns."""
        texts = [spec for spec in self._schema.fields.values() if spec.kind == "text"]
        if not texts:
            raise FieldError(f"{self._schema.name} has no text columns to search.")
        found = [lookups.condition(self.query, f"{spec.name}__icontains", term) for spec in texts]
        return self.filter(simplify("or", found))

    # ------------------------------------------------------------ locks

    def select_for_update(
        self,
        *,
        nowait: bool = False,
        skip_locked: bool = False,
        of: Iterable[type[Instance] | str] = (),
        no_key: bool = False,
        share: bool = False,
    ) -> Self:
        """Lock the rows while they are read, until the end of the transaction.

        Args:
            nowait: raise `LockTimeout` at once when somebody else has locked one of them.
            skip_locked: leave out those that somebody else has locked.
            of: the relations whose rows are locked, `"self"` for these rows themselves, which are the default.
            no_key: let others refer to the rows meanwhile (PostgreSQL).
            share: others may read them under the same lock, and nobody may change them.

        Raises:
            TransactionError: once it is awaited, when there is no transaction.
            NotSupportedError: once it is awaited, when the engine does not have an option.
        """
        if isinstance(of, str):
            raise FieldError(f"of takes a list of relations, as in [{of!r}], not {of!r}.")
        schema = self._schema
        paths = [() if item == "self" else to_one_path(schema, relation_words(schema, item)) for item in of]
        for path in paths:
            locks.refuse_hidden(path, self.query.selection.lifted)
        lock = locks.chosen(nowait=nowait, skip_locked=skip_locked, of=paths, no_key=no_key, share=share)
        return self._selecting(lock=lock)

    def claim(self, number: int) -> Self:
        """At most so many rows, locked, that nobody else has claimed: what a worker takes from a queue.

        In the order asked for, else the model's, else that of the key. They are its own until its transaction ends.
        """
        if self.query.sliced:
            self._refuse_slice("claim from")
        return (
            self._with(self.query.replace(order=self._definite_order()))
            .limit(number)
            .select_for_update(skip_locked=True)
        )

    # ------------------------------------------------------------ reading

    async def contains(self, instance: Instance) -> bool:
        """Whether the row of an instance is among these."""
        if not is_instance_of(self._schema, instance):
            raise FieldError(f"A query set of {self._schema.name} cannot contain {instance!r}.")
        if key_of(instance) is None:
            raise InterfaceError(f"{instance!r} has no row yet.")
        return await self.filter(pk=key_of(instance)).exists()

    async def in_bulk(self, keys: Iterable[Any] | None = None, *, field: str = "pk") -> dict[Any, M]:
        """The instances with these keys, or values of another unique field, by key; all without keys."""
        spec = persistence.field_named(self._schema, field)
        if not (spec.unique or spec.primary_key):
            raise FieldError(f"in_bulk needs a unique field, and {self._schema.name}.{spec.label} is not unique.")
        found = self if keys is None else self.filter(**{f"{spec.label}__in": keys})
        return {getattr(instance, spec.name): instance for instance in await found}

    def from_statement(self, statement: Any, values: Mapping[str, Any] | None = None) -> StatementSet[M]:
        """Instances of the rows of any SELECT: of SQLAlchemy Core, or text with `:name` parameters.

        Its columns are matched by name; columns the model does not have become attributes.
        """
        if self._comment:
            raise FieldError("from_statement() sends a statement of your own. Write the comment into it.")
        return StatementSet(self._schema, statement, values, self._database, self.time_limit)

    # ------------------------------------------------------------ writing

    async def create(self, **values: Any) -> M:
        """Insert a row and give the instance, with its key and what the database made."""
        self._refuse_time_limit("create")
        instance = self._new(values)
        await announcing.insert(instance, self._database)
        return instance

    def _new(self, values: Mapping[str, Any]) -> M:
        """A new instance that will be one of these rows."""
        instance: M = self._schema.model(**values)
        return instance

    async def bulk_create(
        self,
        instances: Iterable[M] | AsyncIterable[M],
        *,
        chunk_size: int | None = None,
        ignore_conflicts: bool = False,
        update_conflicts: bool = False,
        update_fields: Iterable[str] | None = None,
        unique_fields: Iterable[str] | None = None,
    ) -> list[M]:
        """Insert many rows, all or none, in as few statements as the database takes; gives the instances.

        Args:
            instances: new instances of the model.
            chunk_size: how many rows one statement has at most; as many as the database takes if not given.
            ignore_conflicts: a row whose unique values are there already is left as it is.
            update_conflicts: such a row gets the values of `update_fields`.
            update_fields: the fields that `update_conflicts` changes.
            unique_fields: the fields of the unique constraint that is meant. The instances are afterwards what their
                rows are; without it (`ignore_conflicts` only) any constraint is, and the instances stay as they are.

        Raises:
            FieldError: options that contradict each other, fields that have no unique constraint, or conflicts with
                rows that default filters hide.
            NotSupportedError: on MySQL and MariaDB, the rows have values for another unique constraint, too.
        """
        self._refuse_time_limit("bulk_create")
        conflict = conflicts.chosen(
            self._schema,
            ignore_conflicts=ignore_conflicts,
            update_conflicts=update_conflicts,
            update_fields=update_fields,
            unique_fields=unique_fields,
        )
        if conflict is not None:
            conflicts.refuse_hidden(self._schema, conflict, self.query.selection.lifted)
        made = [one async for one in instances] if isinstance(instances, AsyncIterable) else list(instances)
        for instance in made:
            if not is_instance_of(self._schema, instance):
                raise FieldError(f"bulk_create of {self._schema.name} cannot take {instance!r}.")
        await self._insert_all(made, conflict, chunk_size)
        return made

    async def _insert_all(self, instances: list[M], conflict: Conflict | None, chunk_size: int | None) -> None:
        if not instances:
            return
        database = self._target()
        if conflict is None:
            write = partial(persistence.insert_all, self._schema, instances, database, chunk_size)
        else:
            write = partial(conflicts.insert_all, self._schema, instances, database, conflict, chunk_size)
        await announcing.bulk_create(self._schema, instances, database, write)

    async def bulk_update(self, instances: Iterable[M], fields: Iterable[str], *, chunk_size: int | None = None) -> int:
        """Update the named fields of many instances, all or none, one statement a chunk; gives how many."""
        self._refuse_time_limit("bulk_update")
        changed = list(instances)
        names = list(fields)
        if not names:
            raise FieldError("bulk_update needs the names of the fields to update.")
        for instance in changed:
            if not is_instance_of(self._schema, instance):
                raise FieldError(f"bulk_update of {self._schema.name} cannot take {instance!r}.")
        if changed:
            database, schema = self._target(), self._schema
            write = partial(persistence.update_all, schema, changed, names, database, chunk_size)
            event = BulkUpdateEvent(schema.model, tuple(changed), None, tuple(names), None, None, database)
            await announcing.bulk_update(schema, event, write, lambda _: len(changed))
        return len(changed)

    async def update(self, **values: Any) -> int:
        """Update every row; gives how many matched. Without a filter it needs `.all()` before it."""
        outcome, _ = await self._update(values, None)
        return outcome.rowcount

    async def delete(self) -> int:
        """Delete every row; gives how many matched. Without a filter it needs `.all()` before it."""
        outcome, _ = await self._delete(None)
        return outcome.rowcount

    @overload
    def returning(self) -> Returning[M]: ...
    @overload
    def returning(self, name: str | Expression, /, *names: str | Expression) -> Returning[dict[str, Any]]: ...
    def returning(self, *names: Any) -> Returning[Any]:
        """An `update` or `delete` of these rows that gives instances of them, or dictionaries of these columns."""
        if self.prefetches:
            raise FieldError("returning() reads no related rows. Leave prefetch_related() out.")
        wanted = returning.chosen(self.query, names, bound=self._database is not None)

        async def update(values: Mapping[str, Any]) -> list[Any]:
            _, rows = await self._update(values, wanted)
            return rows

        async def delete() -> list[Any]:
            _, rows = await self._delete(wanted)
            if wanted.form == "instance":
                for instance in rows:
                    state_of(instance).new = True
            return rows

        return Returning(update, delete)

    async def _update(self, values: Mapping[str, Any], returned: Returned | None) -> tuple[Outcome, list[Any]]:
        self._refuse_everything("update")
        if not values:
            raise FieldError(f"update() needs values. Choose from: {', '.join(self._schema.names)}.")
        checked = persistence.checked_values(self._schema, values)
        version = self._schema.version
        if version is not None and version.name not in checked:
            checked[version.name] = F(version.name) + 1  # who holds an older instance must notice
        write = partial(self._update_rows, persistence.assignments(self.query, checked), returned)
        if self._schema.receivers is None or self._is_empty:
            return await write()
        event = BulkUpdateEvent(self._schema.model, None, self, tuple(checked), values, None, self._target())
        return await announcing.bulk_update(self._schema, event, write, _matched)

    async def _update_rows(self, assigned: joined.Assignments, returned: Returned | None) -> tuple[Outcome, list[Any]]:
        """Update the rows, and tell nobody."""
        groups = joined.by_table(self._schema, assigned)
        if len(groups) > 1:
            return Outcome((), await self._update_tables(groups)), []
        return await self._write("update", returned, _planner(groups[0], returned))

    async def _update_tables(self, groups: list[joined.Assignments]) -> int:
        """Update what is in several tables; after the first of them the conditions might hold for other rows."""
        database = self._target()
        async with database.transaction():
            found = self._selecting(lock=locks.NEWEST)
            found.prefetches = ()
            keys: list[Any] = await found.values_list("pk", flat=True)
            for group in groups:
                for part in writing.chunks(database, keys, len(self._schema.keys)):
                    rows = self._with(Query(self._schema).replace(selection=UNFILTERED)).filter(pk__in=part)
                    await rows._write("update", None, _planner(group))
        return len(keys)

    async def _delete(self, returned: Returned | None) -> tuple[Outcome, list[Any]]:
        self._refuse_everything("delete")
        write = partial(self._delete_rows, returned)
        if self._schema.receivers is None or self._is_empty:
            return await write()
        event = BulkDeleteEvent(self._schema.model, self, None, self._target())
        return await announcing.bulk_delete(self._schema, event, write, _matched)

    async def _delete_rows(self, returned: Returned | None = None) -> tuple[Outcome, list[Any]]:
        """Delete the rows, and tell nobody."""
        return await self._write("delete", returned, lambda q, d: plans.delete_plan(q, d, returned))

    @property
    def _is_empty(self) -> bool:
        """Whether it is known that there are no rows."""
        return self.query.empty or self.query.limit == 0

    async def _write(
        self, operation: str, returned: Returned | None, plan_of: Callable[[Query, Database], tuple[Plan, list[Any]]]
    ) -> tuple[Outcome, list[Any]]:
        """Send an UPDATE or DELETE; gives what it did, and what came back of the rows."""
        query = self._ready() if self.query.sliced else self.query.replace(order=())
        if returned is not None:
            returning.check(operation, self._target())
        if self._is_empty:
            return Outcome((), 0), []
        database = self._target()
        plan, arguments = plan_of(query, database)
        sql = self._commented(plan.sql, database.dialect)
        outcome = await writing.run(database, self._schema, plan, plan.bind(arguments), sql, self.time_limit)
        return outcome, [] if plan.load is None else plan.load(outcome.rows, self._database)

    def _refuse_time_limit(self, what: str) -> None:
        if self.time_limit is not None:
            raise FieldError(
                f"timeout() bounds what reads, updates and deletes rows of a query set, not {what}(). "
                "Use transaction(timeout=…)."
            )

    def _refuse_everything(self, what: str) -> None:
        query = self.query
        if query.source is not None:
            raise FieldError(f"{what}() changes rows of one table, not of a {query.source!r}. Use a filter with __in.")
        if query.selection.lock is not None:
            raise FieldError(f"{what}() locks the rows by itself. Leave select_for_update() out.")
        if not (self._every or query.where or query.qualify or query.sliced or query.empty):
            name, values = self._schema.name, "…" if what == "update" else ""
            raise InterfaceError(
                f"This would {what} every row of {name}. If that is meant: {name}.objects.all().{what}({values})."
            )

    async def get_or_create(self, defaults: Mapping[str, Any] | None = None, **words: Any) -> tuple[M, bool]:
        """The row that has these values, or a new one with them and the defaults; and whether it is new.

        Safe under concurrency where a unique constraint is over (some of) the words: of all who ask at once, one
        creates the row and the others get it.
        """
        self._refuse_time_limit("get_or_create")
        found = await self.get_or_none(**words)
        if found is not None:
            return found, False
        instance = self._new(persistence.new_values(words, defaults))
        return await self._create_or_get(instance, words)

    async def _create_or_get(self, instance: M, words: Mapping[str, Any]) -> tuple[M, bool]:
        database = self._target()
        unique = persistence.unique_fields(self._schema, words)
        if (
            unique
            and database.capabilities.returning
            and self._schema.link is None
            and not announcing.hears_saves(self._schema)
        ):
            if await persistence.insert_unless_there(instance, unique, self._database):
                return instance, True
            return await self._locked(words), False
        try:
            async with database.transaction():
                await announcing.insert(instance, self._database)
            return instance, True
        except UniqueViolation:
            there = await self._locked_or_none(words)
            if there is None:
                await self._refuse_hidden(words)
                raise  # another unique constraint than the one over the words
            return there, False

    async def _locked(self, words: Mapping[str, Any]) -> M:
        """The row, read past an older snapshot of the transaction."""
        found = await self._locked_or_none(words)
        if found is None:
            await self._refuse_hidden(words)
            if self._schema.implied is not None and self._schema.implied.always is not None:
                raise UniqueViolation(
                    f"The table {self._schema.tablename!r} has a row with {_listed(words)} that is no "
                    f"{self._schema.name}, so there cannot be another one. Choose other values."
                )
            raise self._schema.does_not_exist(f"No {self._schema.name} matches. {self._explanation((), dict(words))}")
        return found

    async def _locked_or_none(self, words: Mapping[str, Any]) -> M | None:
        return await self._selecting(lock=locks.NEWEST).get_or_none(**words)

    async def _refuse_hidden(self, words: Mapping[str, Any]) -> None:
        """Raise `UniqueViolation` when the row that has the values of these words is there, but hidden."""
        schema, lifted = self._schema, self.query.selection.lifted
        names = schema.hidden_by(lifted)
        if names and await self.unfiltered()._locked_or_none(words) is not None:
            raise UniqueViolation(
                f"{schema.name} has a row with {_listed(words)}, which a default filter hides ({', '.join(names)}), so "
                "there cannot be another one. Choose other values, or call unfiltered() before."
            )

    async def update_or_create(
        self,
        defaults: Mapping[str, Any] | None = None,
        create_defaults: Mapping[str, Any] | None = None,
        **words: Any,
    ) -> tuple[M, bool]:
        """Update the row that has these values with the defaults, or create it; and whether it is new.

        The row is locked while it is updated. `create_defaults` take the place of `defaults` in a new row.
        """
        self._refuse_time_limit("update_or_create")
        changes = dict(defaults or {})
        for name in changes:
            persistence.settable(self._schema, name)
        for _ in range(_ATTEMPTS):
            # Not in one transaction: MySQL locks the gap where a row is missing, and those who wait there deadlock.
            found, created = await self.get_or_create(changes if create_defaults is None else create_defaults, **words)
            if created:
                return found, True
            async with self._target().transaction():
                locked = await self._locked_or_none(words)
                if locked is not None:
                    for name, value in changes.items():
                        setattr(locked, name, value() if callable(value) else value)
                    await announcing.save(locked, None, self._database)
                    return locked, False
        raise self._schema.does_not_exist(f"The {self._schema.name} was deleted each time it was to be updated.")

    @classmethod
    def as_manager(cls, *conditions: Condition | sa.ColumnElement[bool], **words: Any) -> Manager[Self]:
        """What a class attribute of a model is set to, to have query sets of this class.

        Under the name `objects` it is the model's own: relations to it have query sets of this class, too. Under other
        names it may be about some of the rows only: those that meet the conditions.

        Raises:
            FieldError: the class has slots, which neither chains nor relations would carry on.
        """
        for base in cls.__mro__[: cls.__mro__.index(QuerySet)]:
            if base.__dict__.get("__slots__"):
                raise FieldError(
                    f"{base.__name__} has __slots__, and query sets have no state of their own: every method of the "
                    "chain makes a new one. Put it into filters or annotations."
                )
        return Manager(cls, conditions, words)


def _planner(
    assigned: joined.Assignments, returned: Returned | None = None
) -> Callable[[Query, Database], tuple[Plan, list[Any]]]:
    """What gives the plan of an UPDATE that sets this."""
    return lambda query, database: plans.update_plan(query, assigned, database, returned)


def _matched(written: tuple[Outcome, list[Any]]) -> int:
    """How many rows an UPDATE or DELETE matched."""
    return written[0].rowcount


def _listed(words: Mapping[str, Any]) -> str:
    return ", ".join([f"{name}={value!r}" for name, value in words.items()])


class Objects:
    """The default manager: `Album.objects` is a query set of all albums. It is not reachable from instances."""

    queryset: type[Any] = QuerySet
    conditions: tuple[Any, ...] = ()
    words: Mapping[str, Any] = MappingProxyType({})

    def __init__(self) -> None:
        self.__set_name__(object, "objects")

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self.name = name
        self._key = f"query set under the name {name}"

    def __get__(self, instance: None, owner: type[M]) -> QuerySet[M]:
        every: QuerySet[M] = self._of(instance, owner)
        return every

    def _of(self, instance: object, owner: type[Any]) -> Any:
        """The query set of the rows of a model, made once: it never changes."""
        if instance is not None:
            raise AttributeError(f"{self.name} is on the class only: {owner.__name__}.{self.name}.")
        schema: Schema | None = owner.__dict__.get("__schema__")
        if schema is None:
            raise FieldError(f"{owner.__name__} is abstract and has no rows. Query a model that inherits from it.")
        found = schema.derived.get(self._key)
        if type(found) is not self.queryset:
            every: QuerySet[Any] = self.queryset(Query(schema))
            narrowed = self.conditions or self.words
            found = every.filter(*self.conditions, **self.words) if narrowed else every
            schema.derived[self._key] = found
        return found


class Manager(Objects, Generic[Q_co]):
    """`objects = NoteQuerySet.as_manager()`."""

    def __init__(self, queryset: type[Q_co], conditions: tuple[Any, ...], words: Mapping[str, Any]) -> None:
        super().__init__()
        self.queryset = queryset
        self.conditions = conditions
        self.words = words

    if TYPE_CHECKING:

        def __get__(self, instance: None, owner: type[Any]) -> Q_co: ...

    else:
        __get__ = Objects._of
