"""A generic foreign key."""

from __future__ import annotations

import orm

from .base import Base
from .notes import Note
from .users import User


class Comment(Base):
    id: orm.Field[int] = orm.BigAutoField()
    text: orm.Field[str] = orm.Text()
    subject: orm.GenericRelated[Note | User] = orm.GenericForeignKey("Note", "User")
    reply: orm.GenericRelated[Note | Comment | None] = orm.GenericForeignKey(
        "Note", "Comment", null=True, default=None, names={"Comment": "comment"}
    )
    replies: orm.RelatedSet[Comment] = orm.Reverse("Comment.reply")
    marks: orm.RelatedSet[Mark] = orm.Reverse("Mark.of")


class Mark(Base):
    id: orm.Field[int] = orm.BigAutoField()
    of: orm.GenericRelated[Note | Comment] = orm.GenericForeignKey(Note, Comment)
    beside: orm.GenericRelated[User | None] = orm.GenericForeignKey(User, null=True, default=None)
