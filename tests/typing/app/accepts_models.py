"""What models are made of besides fields and keys: everything here must be accepted, and it runs; see `accepts`."""

from __future__ import annotations

from typing import assert_type

import orm

from .comments import Comment, Mark
from .notes import Note
from .users import User


async def generic_keys(user: User, note: Note) -> None:
    comment = await Comment(text="x", subject=note).save()
    assert_type(comment.subject, Note | User)
    assert_type(comment.reply, Note | Comment | None)
    comment.subject = user
    comment.reply = await Comment.objects.create(text="y", subject=user, reply=note)
    comment.reply = None
    assert_type(Comment.subject, orm.Column[Note | User])
    assert_type(Comment.reply, orm.Column[Note | Comment | None])
    assert_type(Comment.subject == note, orm.Condition)
    assert_type(Comment.reply.is_null() | Comment.reply.is_in([note, comment]), orm.Condition)
    assert_type(Comment.subject.is_in(User.objects.filter(name="x")), orm.Condition)
    wanted = orm.Prefetch(Comment.subject, [Note.objects.select_related("author"), User.objects.all()])
    assert_type(await Comment.objects.filter(subject=note).prefetch_related(wanted, Comment.reply), list[Comment])
    assert_type(comment.replies, orm.RelatedQuerySet[Comment])
    assert_type(await comment.replies.create(text="z", subject=user), Comment)
    mark = Mark(of=comment, beside=user)
    assert_type(mark.of, Note | Comment)
    assert_type(mark.beside, User | None)
    for found in await Comment.objects.prefetch_related("subject"):
        match found.subject:
            case User(name=name):
                assert_type(name, str)
            case Note(text=text):
                assert_type(text, str)
