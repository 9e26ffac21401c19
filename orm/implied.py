"""Default filters: conditions on the rows of a schema that hold wherever it comes into a query; see `Implied`.

The condition of a filter that is a function is asked for with each query. So it is no part of the shape by which a
query finds its plan: the plan says whose filters it needs, and their shapes lead to the plan that is run.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

from orm.aggregates import Aggregate
from orm.conditions import Q, simplify
from orm.exceptions import FieldError
from orm.expressions import Condition, F, Tree
from orm.filtering import condition
from orm.lookups import resolve_condition
from orm.operators import Element
from orm.query import Counter, Node, Query, walk
from orm.schema import Schema
from orm.scopes import Compilation, From, Scope, columns_of
from orm.specs import Implied
from orm.windows import Window

Wanted = tuple[Schema, tuple[str, ...]]
"""A schema, and those of its default filters that hold."""

_NONE: Final[Mapping[Wanted, Condition]] = MappingProxyType({})
_ALWAYS: Final = "condition that nothing lifts"
_ONE: Final = sa.literal_column("1", sa.Integer())


def wanted_condition(wanted: Wanted) -> Condition:
    """The conjunction of default filters, as they are for a query that is made now. Raises `FieldError`."""
    schema, names = wanted
    parts = [_filter(schema, name) for name in names]
    return parts[0] if len(parts) == 1 else simplify("and", parts)


def imply(schema: Schema, always: Condition) -> None:
    """Let a condition hold for each row of a schema that nothing lifts, in the place of an earlier one."""
    schema.implied = Implied(schema.options.default_filters, always)
    schema.derived.pop(_ALWAYS, None)


def _always(schema: Schema) -> Condition:
    """The condition that nothing lifts."""
    found: Condition | None = schema.derived.get(_ALWAYS)
    if found is None:
        assert schema.implied is not None
        found = schema.derived[_ALWAYS] = resolve_condition(Query(schema), schema.implied.always)
    return found


def _filter(schema: Schema, name: str) -> Condition:
    key = f"default filter {name}"
    found: Condition | None = schema.derived.get(key)
    if found is not None:
        return found
    assert schema.implied is not None
    given = schema.implied.filters[name]
    if is_function(given):
        return _resolved(schema, name, given())
    found = schema.derived[key] = _resolved(schema, name, given)
    return found


def _conjuncts(node: Node) -> tuple[Node, ...]:
    """The conditions that must all hold, each by itself."""
    if isinstance(node, Tree) and node.operator == "and":
        return tuple([each for part in node.parts for each in _conjuncts(part)])
    return (node,)


def is_function(given: object) -> bool:
    """Whether a default filter gives its condition when it is asked."""
    return callable(given) and not isinstance(given, (Node, sa.ClauseElement))


def _resolved(schema: Schema, name: str, given: Any) -> Condition:
    try:
        found = resolve_condition(Query(schema), given)
    except FieldError as error:
        raise FieldError(f"The default filter {name!r} of {schema.name}: {error}") from None
    if any(isinstance(part, (Aggregate, Window)) for part in walk(found)):
        raise FieldError(
            f"The default filter {name!r} of {schema.name} has an aggregate or a window in it: {found!r}. It says for "
            "each row by itself whether it is there. For related rows use Exists(…), or a lookup over the relation."
        )
    return found


def check(schema: Schema) -> None:
    """Raise `FieldError` for default filters that are known to be none already."""
    for name, given in schema.options.default_filters.items():
        where = f"The default filter {name!r} of {schema.name}"
        if not is_function(given):
            try:
                _filter(schema, name)
            except FieldError:
                if not may_be_known_later(schema, given):
                    raise
            continue
        if inspect.iscoroutinefunction(given):
            raise FieldError(f"{where} is a coroutine function. It is asked while a query is made, where nobody waits.")
        try:
            inspect.signature(given).bind()
        except TypeError:
            raise FieldError(f"{where} is called without arguments, and {given!r} needs some.") from None
        except ValueError:  # functions written in C may not tell what they take
            continue


def may_be_known_later(schema: Schema, given: Node) -> bool:
    """Whether words begin with a relation, and not all models are declared that relations lead to."""
    schemas = schema.registry.schemas
    specs = [spec for one in (schema, *schemas.values()) for spec in one.relation_specs.values()]
    if all(spec.target_name.partition(".")[0] in schemas for spec in specs):
        return False
    words = [word for part in walk(given) for word in (part.words if isinstance(part, Q) else ())]
    words += [part.name for part in walk(given) if isinstance(part, F)]
    return any(word.partition("__")[0] in schema.relation_specs for word in words)


class Filters:
    """The default filters of the tables of one statement, in SQL.

    A filter holds within other ones, too, but not within itself.
    """

    def __init__(
        self, dialect: Dialect, given: int, known: Mapping[Wanted, Condition] = _NONE, values: list[Any] | None = None
    ) -> None:
        """
        Args:
            dialect: of which engine the statement is.
            given: how many values the query has without them.
            known: the filters that are known already, in the order of their values.
            values: the query's values, if the statement is to have them in it.
        """
        self._dialect = dialect
        self._count = given
        self._values = values
        self._placed: dict[Wanted, Condition] = {}
        self._inside: list[Schema] = []
        for wanted, found in known.items():
            self._place(wanted, found)

    @property
    def wanted(self) -> tuple[Wanted, ...]:
        """What the statement needs, in the order of its values."""
        return tuple(self._placed)

    def _place(self, wanted: Wanted, found: Condition) -> Condition:
        counter = Counter(self._dialect.name)
        counter.value = self._count
        placed = self._placed[wanted] = found.place(counter)
        self._count = counter.value
        if self._values is not None:
            found.shape(self._values, self._dialect.name)
        return placed

    def nodes(self, schema: Schema, lifted: frozenset[str]) -> Sequence[Node]:
        """The conditions on rows of a schema, about the schema itself."""
        if schema.implied is None:
            return ()
        filters = self._filters(schema, lifted)
        return filters if schema.implied.always is None else (_always(schema), *filters)

    def _filters(self, schema: Schema, lifted: frozenset[str]) -> tuple[Node, ...]:
        """The default filters that hold, placed."""
        # Not within themselves: albums that are there while their artist is, who is there while an album is, would
        # have no end.
        if schema.implied is None or schema in self._inside:
            return ()
        names = schema.implied.holding(lifted)
        if not names:
            return ()
        wanted = (schema, names)
        found = self._placed.get(wanted)
        return _conjuncts(self._place(wanted, wanted_condition(wanted)) if found is None else found)

    def conditions(self, schema: Schema, table: From, scope: Scope) -> list[Element]:
        """What the rows of a table that comes into reach of a scope must meet."""
        made: list[Element] = []
        if schema.implied is not None and schema.implied.always is not None:
            made.append(self._fixed(_always(schema), table))
        filters = self._filters(schema, scope.lifted)
        self._inside.append(schema)
        try:
            made += [_sql(node, schema, table, scope) for node in filters]
        finally:
            self._inside.pop()
        return made

    def _fixed(self, node: Node, table: From) -> Element:
        """The SQL of a condition that is always the same, with its values in it."""
        values: list[Any] = []
        node.shape(values, self._dialect.name)
        scope = Scope(Compilation(self._dialect, values=values), table, {(): table})
        return condition(node.place(Counter(self._dialect.name)), scope)


def _sql(node: Node, schema: Schema, table: From, scope: Scope) -> Element:
    """The SQL of a default filter on the rows of a table."""
    compilation = scope.compilation
    before = dict(compilation.parameters)
    inner = Scope(compilation, table, {(): table}, lifted=scope.lifted)
    found = condition(node, inner)
    if inner.source is table:
        return found
    # It goes over a relation to one row, which cannot be joined here, where the table itself is being joined.
    compilation.parameters = before
    own = schema.table.alias()
    inner = Scope(compilation, own, {(): own}, lifted=scope.lifted)
    found = condition(node, inner)
    same = [one == other for one, other in zip(columns_of(own, schema.key), columns_of(table, schema.key), strict=True)]
    return sa.exists(sa.select(_ONE).select_from(inner.source).where(*same, found).correlate(table))
