"""What models are made of besides fields and keys: every marked line must be reported; see `rejects`."""
# ruff: noqa: B018

from __future__ import annotations

import decimal

import orm

from .base import Base
from .comments import Comment, Mark
from .notes import Note, Tag
from .shop import Article, Line, Money, Order, Shelf
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


async def shop(article: Article, shelf: Shelf, order: Order, note: Note) -> None:
    Article(name="x", price=decimal.Decimal(1))  # type: ignore
    Article(name="x", price=decimal.Decimal(1), margin=3, shelf=shelf)  # type: ignore
    Article(name="x", price=decimal.Decimal(1), margin=Money(1), shelf=shelf, worth=1)  # type: ignore
    Line(order=order, article=article, created=None)  # type: ignore
    Article(name="x", price=decimal.Decimal(1), margin=Money(1), shelf=note)  # type: ignore
    Article(name="x", price=decimal.Decimal(1), margin=Money(1), shelf=shelf, orders=[])  # type: ignore
    article.margin = 3  # type: ignore
    article.shelf.nonsense  # type: ignore
    article.shelf = None  # type: ignore
    article.worth.upper()  # type: ignore
    shelf.pk.upper()  # type: ignore
    Shelf.objects.filter(Shelf.pk == "A")  # type: ignore
    Shelf.pk.is_in(["A"])  # type: ignore
    Article.shelf.nonsense  # type: ignore
    Article.worth.icontains("x")  # type: ignore
    Article.objects.unfiltered(3)  # type: ignore
    Article.objects.dear().nonsense()  # type: ignore
    shelf.articles.nonsense()  # type: ignore
    await shelf.articles.add(note)  # type: ignore
    (await shelf.articles.dear())[0].txt  # type: ignore


def pydantic_models() -> None:
    orm.pydantic_model(3)  # type: ignore
    orm.pydantic_model(User, depth="1")  # type: ignore
    orm.pydantic_model(User, unloaded="fetch")  # type: ignore
