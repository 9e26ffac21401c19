"""What models are made of besides fields and keys: every marked line must be reported; see `rejects`."""
# ruff: noqa: B018

from __future__ import annotations

import orm

from .base import Base
from .comments import Comment, Mark
from .notes import Note, Tag
from .users import User


def generic_keys(comment: Comment, tag: Tag, note: Note) -> None:
    Comment(text="x")  # type: ignore
    Comment(text="x", subject=tag)  # type: ignore
    Comment(text="x", subject=None)  # type: ignore
    Comment(text="x", subject=note, replies=[])  # type: ignore
    Mark(of=3)  # type: ignore
    comment.subject = tag  # type: ignore
    comment.subject = None  # type: ignore
    comment.reply.text  # type: ignore
    comment.subject.name  # type: ignore
    Comment.objects.filter(Comment.subject == tag)  # type: ignore
    Comment.subject.is_in([tag])  # type: ignore
    Comment.subject.icontains("x")  # type: ignore
    Comment.objects.select_related(Comment.subject)  # type: ignore
    orm.Prefetch(Comment.subject, [3])  # type: ignore


class Generic(Base):
    a: orm.GenericRelated[User] = orm.GenericForeignKey(Note)  # type: ignore
    b: orm.GenericRelated[User] = orm.GenericForeignKey(User, null=True)  # type: ignore
    c: orm.GenericRelated[User] = orm.GenericForeignKey(User, default=3)  # type: ignore
    d: orm.GenericRelated[User] = orm.GenericForeignKey(3)  # type: ignore
    e: orm.GenericRelated[User] = orm.GenericForeignKey("User", names=["User"])  # type: ignore
