from __future__ import annotations

from typing import TYPE_CHECKING, Self

import orm

from .base import Base

if TYPE_CHECKING:
    from .users import User


class NoteQuerySet(orm.QuerySet["Note"]):
    def urgent(self) -> Self:
        return self.filter(Note.rank < 3).order_by(Note.rank)


class Notes(orm.RelatedQuerySet["Note"], NoteQuerySet):
    """What `tag.notes` is, for checkers."""


class Timestamped(Base):
    created: orm.Field[int] = orm.Integer(default=0)

    class Meta(Base.Meta):
        abstract = True


class Note(Timestamped):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.String(max_length=100)
    rank: orm.Field[int] = orm.Integer(default=1)
    title: orm.Field[str | None] = orm.String(max_length=100, null=True, default=None)
    author: orm.Related[User] = orm.ForeignKey("User")
    editor: orm.Related[User | None] = orm.ForeignKey("User", null=True, default=None)
    tags: orm.RelatedSet[Tag] = orm.ManyToMany("Tag")

    objects = NoteQuerySet.as_manager()
    first_ranks = NoteQuerySet.as_manager(rank=1)

    class Meta(Timestamped.Meta):
        ordering = ["-rank"]
        default_filters = {"ranked": orm.Q(rank__isnull=False), "texts": lambda: orm.Q(text__gt="")}
        indexes = [orm.Index("text", "rank")]


class Tag(Base):
    id: orm.Field[int] = orm.AutoField()
    name: orm.Field[str] = orm.Slug(max_length=40, unique=True)
    notes: orm.RelatedSet[Note, Notes] = orm.Reverse("Note.tags")
    related: orm.RelatedSet[Tag] = orm.ManyToMany("Tag")


class Pinned(Base):
    note: orm.Related[Note] = orm.ForeignKey(Note, on_delete=orm.CASCADE)
    place: orm.Field[int] = orm.SmallInteger(ge=0, lt=10)
    before: orm.Related[Note | None] = orm.ForeignKey(Note, null=True, default=None, related_name="pinned_after")
    seen_with: orm.RelatedSet[Note] = orm.ManyToMany(Note, related_name="pinned_seen")
