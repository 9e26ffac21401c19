"""`Field`: what a class body says about a column. `constructors.py` and its neighbours make one of each type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

import sqlalchemy as sa
from pydantic_core import CoreSchema
from sqlalchemy.types import TypeEngine
from typing_extensions import TypedDict

from orm import restrictions
from orm.clocks import Clock
from orm.columns import Column
from orm.exceptions import FieldError
from orm.schema import Instance
from orm.specs import MISSING, Computation, FieldSpec

T = TypeVar("T")
Server = sa.ColumnElement[Any] | sa.TextClause
"""An expression that is the server's default: `sa.func.now()`, `sa.text("…")`."""


MUTABLE: Final = ("json", "array", "hstore")
"""The kinds whose values can be changed in place."""


class ColumnOptions(TypedDict, total=False):
    """What every column takes.

    Attributes:
        unique: no two rows have the same value.
        index: it has an index.
        column: the column's name in the database, if it is not the field's.
        comment: the column's comment in the database.
        renamed_from: the column's previous name in the database, for migrations.
    """

    unique: bool
    index: bool
    column: str
    comment: str
    renamed_from: str


class Options(ColumnOptions, Generic[T], total=False):
    """What every field takes that is not computed.

    Attributes:
        primary_key: it is the model's key.
        choices: the values it may have, or pairs of a value and its label; an enumeration that has these values; or a
            function that gives one of these, and is called for each check.
        validators: functions that run after type and limits: each gives the value back, or another one, or raises
            `ValueError`. They do not run on NULL.
    """

    primary_key: bool
    choices: Iterable[Any] | Callable[[], Iterable[Any]]
    validators: Sequence[Callable[[T], T]]


class Field(Generic[T]):
    """A column of a model: `T` on an instance, `Column[T]` on the class.

    Args:
        kind: which lookups it has.
        type: SQLAlchemy's type.
        core: pydantic's core schema of a value that is written.
        operand: pydantic's core schema of a value it is compared with; `core` unless given.
        options: the common options, `null`, `default` and the limits of its type.
    """

    def __init__(
        self,
        kind: str,
        type: TypeEngine[Any],
        core: CoreSchema,
        options: Mapping[str, Any],
        *,
        operand: CoreSchema | None = None,
        generated: bool = False,
        version: bool = False,
        clock: Clock | None = None,
        computed: Computation | None = None,
        mutable: bool = False,
    ) -> None:
        self.kind = kind
        self.type = type
        self.options = dict(options)
        self.core = restrictions.restricted(kind, core, self.options)
        self.operand = operand or core
        self.generated = generated
        self.version = version
        self.clock = clock
        self.computed = computed
        self.mutable = mutable or kind in MUTABLE

    @property
    def filled(self) -> bool:
        """Whether something gives its values but the user: the database, this library or a clock."""
        return self.generated or self.version or self.clock is not None

    def spec(self, name: str) -> FieldSpec:
        """The record of the field under its name."""
        options = self.options
        default = options.get("default", MISSING)
        server = default if isinstance(default, (sa.ClauseElement, sa.schema.FetchedValue)) else None
        if self.clock is not None and self.clock.database:
            server = self.clock.expression
        null = bool(options.get("null"))
        if server is not None:
            default = MISSING
        elif default is MISSING and null and self.clock is None and self.computed is None:
            default = None
        return FieldSpec(
            name=name,
            column=options.get("column") or name,
            type=self.type,
            kind=self.kind,
            core=self.core,
            operand=self.operand,
            null=null,
            primary_key=bool(options.get("primary_key")),
            in_key=bool(options.get("primary_key")),
            unique=bool(options.get("unique")),
            index=bool(options.get("index")),
            default=default,
            server_default=server,
            generated=self.generated,
            mutable=self.mutable and self.computed is None,
            version=self.version,
            clock=self.clock,
            computed=self.computed,
            comment=options.get("comment"),
            renamed_from=options.get("renamed_from"),
            limits=options,
        )

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[Instance]) -> Column[T]: ...
        @overload
        def __get__(self, instance: Instance, owner: type[Instance]) -> T: ...
        def __get__(self, instance: Instance | None, owner: type[Instance]) -> Any: ...
        def __set__(self, instance: Instance, value: T) -> None: ...


COMMON: Final = frozenset({*Options.__annotations__, "null", "default"})
"""The options that every field takes that is not computed."""


def checked(name: str, options: Mapping[str, Any], *limits: str, common: Iterable[str] = COMMON) -> dict[str, Any]:
    """The options of a constructor. Raises `FieldError` for unknown or contradictory ones."""
    possible = {*common, *limits}
    for option in options:
        if option not in possible:
            raise FieldError(f"{name} has no option {option!r}. Choose from: {', '.join(sorted(possible))}.")
    restrictions.check(name, options)
    return dict(options)


def limits(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Those of the named options that were given."""
    return {name: options[name] for name in names if options.get(name) is not None}
