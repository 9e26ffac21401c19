"""What models are made of besides fields and keys: everything here must be accepted, and it runs; see `accepts`."""

from __future__ import annotations

import datetime
import decimal
from typing import Any, assert_type

import pydantic

import orm

from .comments import Comment, Mark
from .notes import Note
from .shop import Article, ArticleQuerySet, Articles, Line, Money, Order, Shelf
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


async def shop() -> None:
    shelf = await Shelf.objects.create(building="A", number=1)
    article = await Article.objects.create(
        name="lamp", price=decimal.Decimal("100.50"), margin=Money(5), shelf=shelf, pieces=2
    )
    Article(name="x", price=decimal.Decimal(1), margin=Money(1), shelf=shelf)
    Article(name="x", price=decimal.Decimal(1), margin=Money(1), building="A", number=1)
    assert_type(article.worth, int)
    assert_type(article.deleted, datetime.datetime | None)
    assert_type(article.margin, Money)
    assert_type(article.shelf, Shelf)
    assert_type(shelf.pk, tuple[str, int])
    assert_type(await Shelf.objects.get(pk=("A", 1)), Shelf)
    assert_type(Shelf.reference(("A", 1)), Shelf)
    assert_type(Shelf.pk == ("A", 1), orm.Condition)
    assert_type(Shelf.pk.is_in([("A", 1)]), orm.Condition)
    assert_type(Article.shelf.building, orm.Column[str])
    assert_type(Article.worth > 1, orm.Condition)
    assert_type(await Article.objects.values_list(Article.name, Article.worth), list[tuple[str, int]])
    assert_type(await Article.objects.unfiltered().dear(), list[Article])
    assert_type(Article.objects.unfiltered("kept").dear(), ArticleQuerySet)
    assert_type(shelf.articles, Articles)
    assert_type(await shelf.articles.filter(name="lamp").dear(), list[Article])
    order = await Order.objects.create()
    await order.articles.add(article)
    assert_type(await order.articles.dear(), list[Article])
    assert_type(await order.lines.select_related(Line.article).filter(article=article), list[Line])
    assert_type(await article.orders, list[Order])
    line = await order.lines.create(article=article)
    assert_type(line.created, datetime.datetime)
    await Line.objects.filter(order=order).update(pieces=3)
    assert_type(await Article.objects.filter(Article.orders.lines.pieces == 3), list[Article])


async def pydantic_models(user: User) -> None:
    of_user = orm.pydantic_model(User, exclude=["id"], unloaded="omit")
    assert_type(of_user, type[pydantic.BaseModel])
    assert_type(of_user.model_validate(user).model_dump(), dict[str, Any])
    assert_type(of_user.model_json_schema(), dict[str, Any])
