"""Relations as a class body says them: `ForeignKey`, `OneToOne`, `ManyToMany`, `Reverse`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, cast, overload

import typing_extensions
from typing_extensions import TypedDict, Unpack

from orm.exceptions import FieldError
from orm.related import RelatedQuerySet
from orm.restrictions import check_init, check_types
from orm.schema import Instance, Schema
from orm.specs import MISSING, FieldSpec, RelationSpec

M = TypeVar("M", bound=Instance)
R = TypeVar("R", bound="Instance | None")
S = typing_extensions.TypeVar("S", bound="RelatedQuerySet[Any]", default="RelatedQuerySet[M]")
Target = str | type[M]

CASCADE: Final = "CASCADE"
"""Deleting a row deletes those that refer to it."""
RESTRICT: Final = "RESTRICT"
"""A row that is referred to cannot be deleted."""
SET_NULL: Final = "SET NULL"
"""Deleting a row sets the keys that refer to it to NULL."""
SET_DEFAULT: Final = "SET DEFAULT"
"""Deleting a row sets the keys that refer to it to their default."""
NO_ACTION: Final = "NO ACTION"
"""A row that is referred to cannot be deleted, as seen at the end of the statement."""
OnDelete = Literal["CASCADE", "RESTRICT", "SET NULL", "SET DEFAULT", "NO ACTION"]
_ACTIONS: Final = (CASCADE, RESTRICT, SET_NULL, SET_DEFAULT, NO_ACTION)


class KeyOptions(TypedDict, total=False):
    """What a foreign key takes.

    Attributes:
        on_delete: what the database does when the row it refers to is deleted; `NO_ACTION` unless given.
        on_update: what the database does when the key it refers to changes, in the same words.
        deferrable: `"deferred"` if the database checks it at the end of the transaction, `"immediate"` if it checks it
            at once unless the transaction says `SET CONSTRAINTS … DEFERRED` (PostgreSQL and SQLite).
        constraint: `False` if the database does not check it: then the row it refers to may be missing.
        to_field: the unique field that it refers to; the target's key unless given.
        from_fields: the fields of this model that hold the key, instead of a column of its own. `default=None` beside
            it says to type checkers that the constructor may be given these fields, and not the relation.
        to_fields: the fields of the target that these refer to, in the same order; its key unless given.
        related_name: the name of the relation back, where the target's class is not yours to edit.
        primary_key: it is the model's key (`OneToOne`).
        unique, index: constraints; a foreign key has an index unless told otherwise.
        column: the column's name; the relation's with `_id` unless given.
        comment: the column's comment in the database.
        renamed_from: the column's previous name in the database, such as `author_id`, for migrations.
    """

    on_delete: OnDelete
    on_update: OnDelete
    deferrable: Literal["deferred", "immediate"]
    constraint: bool
    to_field: str
    from_fields: Sequence[str]
    to_fields: Sequence[str]
    related_name: str
    primary_key: bool
    unique: bool
    index: bool
    column: str
    comment: str
    renamed_from: str


class RelationField:
    """A relation as the class body says it; the model makes records of it."""

    def __init__(self, kind: str, to: str | Schema, options: Mapping[str, Any]) -> None:
        self.kind = kind
        self.to = to
        self.options = dict(options)

    def specs(self, name: str) -> tuple[FieldSpec | None, RelationSpec]:
        """The records of the column that holds the key, if there is one, and of the relation."""
        options = self.options
        if self.kind in ("reverse", "many_to_many"):
            spec = RelationSpec(
                name,
                self.kind,  # type: ignore[arg-type]
                self.to,
                related_name=options.get("related_name"),
                through=options.get("through"),
                through_fields=options.get("through_fields"),
                symmetrical=bool(options.get("symmetrical")),
            )
            return None, spec
        if "from_fields" in options:
            return None, self._without_column(name)
        attribute = f"{name}_id"
        default = options.get("default", MISSING)
        null = bool(options.get("null"))
        unique = self.kind == "one_to_one" or bool(options.get("unique"))
        primary = bool(options.get("primary_key"))
        key = FieldSpec(
            name=attribute,
            column=options.get("column") or attribute,
            type=_UNKNOWN.type,
            kind="key",
            core=_UNKNOWN.core,
            operand=_UNKNOWN.operand,
            null=null,
            primary_key=primary,
            in_key=primary,
            unique=unique and not primary,
            index=bool(options.get("index", True)) and not unique,
            default=None if default is MISSING and null else default,
            comment=options.get("comment"),
            renamed_from=options.get("renamed_from"),
            relation=name,
            limits=options,
        )
        return key, self._foreign_key(name, attribute, null=null, unique=unique)

    def _foreign_key(self, name: str, attribute: str, *, null: bool, unique: bool) -> RelationSpec:
        options = self.options
        return RelationSpec(
            name,
            "one_to_one" if unique else "foreign_key",
            self.to,
            attribute,
            null,
            options.get("on_delete", NO_ACTION),
            options.get("related_name"),
            on_update=options.get("on_update"),
            deferrable=options.get("deferrable"),
            constraint=bool(options.get("constraint", True)),
            from_fields=tuple(options.get("from_fields", ())),
            to_fields=(options["to_field"],) if "to_field" in options else tuple(options.get("to_fields", ())),
            index=bool(options.get("index", True)),
        )

    def _without_column(self, name: str) -> RelationSpec:
        """The record of a key that other fields hold; the model says which they are, and whether they can be null."""
        unique = self.kind == "one_to_one" or bool(self.options.get("unique"))
        return self._foreign_key(name, f"_{name}_key", null=False, unique=unique)


class _Unknown:
    """What a foreign key's column has until its target is known: see `Schema.value_spec`."""

    type: Any = None
    core: Any = None
    operand: Any = None


_UNKNOWN: Final = _Unknown()


class Related(RelationField, Generic[R]):
    """A foreign key: a model on an instance, a step over the relation (typed as the model's class) on the class."""

    if TYPE_CHECKING:

        @overload  # mypy needs the nullable form first
        def __get__(self: Related[M | None], instance: None, owner: type[Instance]) -> type[M]: ...
        @overload
        def __get__(self: Related[M], instance: None, owner: type[Instance]) -> type[M]: ...
        @overload
        def __get__(self, instance: Instance, owner: type[Instance]) -> R: ...
        def __get__(self, instance: Instance | None, owner: type[Instance]) -> Any: ...
        def __set__(self, instance: Instance, value: R) -> None: ...


class RelatedSet(RelationField, Generic[M, S]):
    """The many rows of a relation: a related query set on an instance, a step over the relation on the class.

    A related query set has the methods of the target's own query sets. Checkers know it from a second type, which is
    declared as `class Albums(orm.RelatedQuerySet["Album"], AlbumQuerySet)`.
    """

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type[Instance]) -> type[M]: ...
        @overload
        def __get__(self, instance: Instance, owner: type[Instance]) -> S: ...
        def __get__(self, instance: Instance | None, owner: type[Instance]) -> Any: ...


_MANY: Final = "rows are related with add() once there is a row"


def _checked_target(to: Any) -> str | Schema:
    """The target's name or schema."""
    schema = to if isinstance(to, str) else getattr(to, "__schema__", None)
    if schema is None:
        raise FieldError(f"A relation refers to a model or to the name of one, not to {to!r}.")
    return cast("str | Schema", schema)


def _checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    possible = {*KeyOptions.__annotations__, "null", "default"}
    for option in options:
        if option not in possible:
            raise FieldError(f"{name} has no option {option!r}. Choose from: {', '.join(sorted(possible))}.")
    check_types(name, options, switches=("constraint",), texts=("related_name", "to_field"))
    for option in ("on_delete", "on_update"):
        action = options.get(option, NO_ACTION)
        if action not in _ACTIONS:
            choices = "CASCADE, RESTRICT, SET_NULL, SET_DEFAULT, NO_ACTION"
            raise FieldError(f"{name} has no {option}={action!r}. Choose from orm's: {choices}.")
        if "from_fields" in options:
            continue  # its fields say it
        if action == SET_NULL and not options.get("null"):
            raise FieldError(f"{name}: {option}=SET_NULL needs null=True.")
        if action == SET_DEFAULT and "default" not in options:
            raise FieldError(f"{name}: {option}=SET_DEFAULT needs a default, the key of a row.")
    _check_constraint(name, options)
    _check_fields(name, options)
    return dict(options)


def _check_constraint(name: str, options: Mapping[str, Any]) -> None:
    deferrable = options.get("deferrable", "deferred")
    if deferrable not in ("deferred", "immediate"):
        raise FieldError(
            f"{name} has no deferrable={deferrable!r}. Choose 'deferred' to check it at the end of the transaction, or "
            "'immediate' to check it at once unless the transaction defers it."
        )
    if options.get("constraint", True):
        return
    for option in ("on_delete", "on_update", "deferrable"):
        if option in options:
            raise FieldError(f"{name}: without a constraint the database does nothing {option}. Leave one of them out.")


_OF_A_COLUMN: Final = ("null", "default", "primary_key", "column", "comment", "renamed_from", "to_field")
"""What a key has no use for that other fields hold; `default=None` tells type checkers that it may be left out."""


def _check_fields(name: str, options: Mapping[str, Any]) -> None:
    """Raise `FieldError` for fields of a key that are no list of names, or that contradict other options."""
    for option in ("from_fields", "to_fields"):
        names = options.get(option, ("",))
        if isinstance(names, str) or not names or len(set(names)) < len(names):
            raise FieldError(
                f"{name}: {option} takes names of fields, each once, as in ('origin', 'hour'), not {names!r}."
            )
    if "from_fields" not in options:
        if "to_fields" in options:
            raise FieldError(f"{name}: to_fields belong to from_fields. For a key of one column give to_field='…'.")
        return
    for option in _OF_A_COLUMN:
        if option in options and not (option == "default" and options[option] is None):
            raise FieldError(
                f"{name} has from_fields and no column of its own, so {option} has no meaning. Give it to the fields, "
                "or leave it out."
            )
    if len(options["from_fields"]) != len(options.get("to_fields", options["from_fields"])):
        raise FieldError(f"{name}: from_fields and to_fields are pairs, and one of them has more names.")


@overload
def ForeignKey(
    to: type[M], *, null: Literal[False] = False, default: Any = ..., **options: Unpack[KeyOptions]
) -> Related[M]: ...
@overload
def ForeignKey(
    to: type[M], *, null: Literal[True], default: Any = ..., **options: Unpack[KeyOptions]
) -> Related[M | None]: ...
@overload
def ForeignKey(to: str, *, null: bool = False, default: Any = ..., **options: Unpack[KeyOptions]) -> Any: ...
def ForeignKey(to: Target[Any], **options: Any) -> Any:
    """A reference to a row of another model (or of this one, by its name): many rows may refer to the same."""
    return Related[Any]("foreign_key", _checked_target(to), _checked("ForeignKey", options))


@overload
def OneToOne(
    to: type[M], *, null: Literal[False] = False, default: Any = ..., **options: Unpack[KeyOptions]
) -> Related[M]: ...
@overload
def OneToOne(
    to: type[M], *, null: Literal[True], default: Any = ..., **options: Unpack[KeyOptions]
) -> Related[M | None]: ...
@overload
def OneToOne(to: str, *, null: bool = False, default: Any = ..., **options: Unpack[KeyOptions]) -> Any: ...
def OneToOne(to: Target[Any], **options: Any) -> Any:
    """A reference to a row of another model that no other row refers to."""
    return Related[Any]("one_to_one", _checked_target(to), _checked("OneToOne", options))


@overload
def ManyToMany(
    to: type[M],
    *,
    through: Target[Any] | None = None,
    through_fields: tuple[str, str] | None = None,
    related_name: str | None = None,
    symmetrical: bool = False,
    init: Literal[False] = False,
) -> RelatedSet[M, Any]: ...
@overload
def ManyToMany(
    to: str,
    *,
    through: Target[Any] | None = None,
    through_fields: tuple[str, str] | None = None,
    related_name: str | None = None,
    symmetrical: bool = False,
    init: Literal[False] = False,
) -> Any: ...
def ManyToMany(
    to: Target[Any],
    *,
    through: Target[Any] | None = None,
    through_fields: tuple[str, str] | None = None,
    related_name: str | None = None,
    symmetrical: bool = False,
    init: Literal[False] = False,
) -> Any:
    """Rows on both sides refer to any number of rows of the other, over a table between.

    Args:
        to: the other model, or its name.
        through: the model between; a table is generated unless it is given.
        through_fields: the names of its keys to this model and to the other, where it has several.
        related_name: the name of the relation back, where the target's class is not yours to edit.
        symmetrical: of a model to itself: relating one row to another relates that one to the first, too.
    """
    check_init("ManyToMany", init, _MANY)
    named = {} if related_name is None else {"related_name": related_name}
    check_types("ManyToMany", {"symmetrical": symmetrical, **named}, switches=("symmetrical",), texts=("related_name",))
    if symmetrical and related_name is not None:
        raise FieldError(f"A symmetrical relation is its own other side. Leave related_name={related_name!r} out.")
    if through_fields is not None and (
        through is None or isinstance(through_fields, str) or len(through_fields) != 2 or len(set(through_fields)) != 2
    ):
        raise FieldError(
            f"through_fields are the names of two keys of the model in through=…: to this model, and to the other; "
            f"not {through_fields!r}{' without through' if through is None else ''}."
        )
    options = {
        "through": None if through is None else _checked_target(through),
        "through_fields": None if through_fields is None else tuple(through_fields),
        "related_name": related_name,
        "symmetrical": symmetrical,
    }
    return RelatedSet[Any]("many_to_many", _checked_target(to), options)


def Reverse(to: str, *, init: Literal[False] = False) -> Any:
    """The other end of a relation, as `"Album.artist"`: rows that refer to this one."""
    check_init("Reverse", init, _MANY)
    model, _, name = to.partition(".")
    if not model.isidentifier() or not name.isidentifier():
        raise FieldError(f"Reverse takes 'Model.field', not {to!r}.")
    return RelatedSet[Any]("reverse", to, {})
