"""Relations as a class body says them: `ForeignKey`, `OneToOne`, `ManyToMany`, `Reverse`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar, cast, overload

import typing_extensions
from typing_extensions import TypedDict, Unpack

from orm.exceptions import FieldError
from orm.related import RelatedQuerySet
from orm.schema import Instance, RelationSpec, Schema
from orm.specs import MISSING, FieldSpec

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
_ON_DELETE: Final = (CASCADE, RESTRICT, SET_NULL, SET_DEFAULT, NO_ACTION)


class KeyOptions(TypedDict, total=False):
    """What a foreign key takes.

    Attributes:
        on_delete: what the database does when the row it refers to is deleted; `NO_ACTION` unless given.
        related_name: the name of the relation back, where the target's class is not yours to edit.
        primary_key: it is the model's key (`OneToOne`).
        unique, index: constraints; a foreign key has an index unless told otherwise.
        column: the column's name; the relation's with `_id` unless given.
        comment: the column's comment in the database.
        renamed_from: the column's previous name in the database, such as `author_id`, for migrations.
    """

    on_delete: OnDelete
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
            )
            return None, spec
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
        relation = RelationSpec(
            name,
            "one_to_one" if unique else "foreign_key",
            self.to,
            attribute,
            null,
            options.get("on_delete", NO_ACTION),
            options.get("related_name"),
        )
        return key, relation


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
    on_delete = options.get("on_delete", NO_ACTION)
    if on_delete not in _ON_DELETE:
        choices = "CASCADE, RESTRICT, SET_NULL, SET_DEFAULT, NO_ACTION"
        raise FieldError(f"{name} has no on_delete={on_delete!r}. Choose from orm's: {choices}.")
    if on_delete == SET_NULL and not options.get("null"):
        raise FieldError(f"{name}: on_delete=SET_NULL needs null=True.")
    if on_delete == SET_DEFAULT and "default" not in options:
        raise FieldError(f"{name}: on_delete=SET_DEFAULT needs a default, the key of a row.")
    return dict(options)


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
    init: Literal[False] = False,
) -> RelatedSet[M, Any]: ...
@overload
def ManyToMany(
    to: str,
    *,
    through: Target[Any] | None = None,
    through_fields: tuple[str, str] | None = None,
    related_name: str | None = None,
    init: Literal[False] = False,
) -> Any: ...
def ManyToMany(
    to: Target[Any],
    *,
    through: Target[Any] | None = None,
    through_fields: tuple[str, str] | None = None,
    related_name: str | None = None,
    init: Literal[False] = False,
) -> Any:
    """Rows on both sides refer to any number of rows of the other, over a table between.

    Args:
        to: the other model, or its name.
        through: the model between; a table is generated unless it is given.
        through_fields: the names of its keys to this model and to the other, where it has several.
        related_name: the name of the relation back, where the target's class is not yours to edit.
    """
    between = None if through is None else _checked_target(through)
    options = {"through": between, "through_fields": through_fields, "related_name": related_name}
    return RelatedSet[Any]("many_to_many", _checked_target(to), options)


def Reverse(to: str, *, init: Literal[False] = False) -> Any:
    """The other end of a relation, as `"Album.artist"`: rows that refer to this one."""
    model, _, name = to.partition(".")
    if not model.isidentifier() or not name.isidentifier():
        raise FieldError(f"Reverse takes 'Model.field', not {to!r}.")
    return RelatedSet[Any]("reverse", to, {})
