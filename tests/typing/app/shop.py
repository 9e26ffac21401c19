"""What the schema of a company uses: default filters, query sets, clocks, computed fields, keys of several fields."""

from __future__ import annotations

import datetime
import decimal
from typing import Self

import sqlalchemy as sa

import orm

from .base import Base


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents


class Kept(Base):
    deleted: orm.Field[datetime.datetime | None] = orm.DateTime(null=True, default=None)

    class Meta(Base.Meta):
        abstract = True
        default_filters = {"kept": orm.Q(deleted=None)}


class ArticleQuerySet(orm.QuerySet["Article"]):
    def dear(self) -> Self:
        return self.filter(Article.price >= decimal.Decimal(100))


class Articles(orm.RelatedQuerySet["Article"], ArticleQuerySet):
    """The articles of something."""


class Shelf(Kept):
    building: orm.Field[str] = orm.String(max_length=5)
    number: orm.Field[int] = orm.Integer()
    pk: orm.Field[tuple[str, int]] = orm.CompositePrimaryKey("building", "number")  # pyrefly: ignore
    articles: orm.RelatedSet[Article, Articles] = orm.Reverse("Article.shelf")


class Article(Kept):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=50)
    price: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=10, decimal_places=2)
    pieces: orm.Field[int] = orm.Integer(default=1)
    worth: orm.Field[int] = orm.Generated(orm.F("pieces") * 2, output_field=orm.Integer())
    margin: orm.Field[Money] = orm.custom_field(Money, sa.Integer(), to_database=lambda m: m.cents, from_database=Money)
    building: orm.Field[str] = orm.String(max_length=5, default="A")
    number: orm.Field[int] = orm.Integer(default=1)
    shelf: orm.Related[Shelf] = orm.ForeignKey("Shelf", from_fields=("building", "number"), default=None)
    orders: orm.RelatedSet[Order] = orm.ManyToMany("Order", through="Line")

    objects = ArticleQuerySet.as_manager()


class Order(Base):
    id: orm.Field[int] = orm.BigAutoField()
    articles: orm.RelatedSet[Article, Articles] = orm.Reverse("Article.orders")
    lines: orm.RelatedSet[Line] = orm.Reverse("Line.order")


class Line(Base):
    id: orm.Field[int] = orm.BigAutoField()
    order: orm.Related[Order] = orm.ForeignKey(Order, on_delete=orm.CASCADE)
    article: orm.Related[Article] = orm.ForeignKey(Article, on_delete=orm.CASCADE)
    pieces: orm.Field[int] = orm.Integer(default=1)
    created: orm.Field[datetime.datetime] = orm.DateTime(auto_now_add=True, init=False)
    changed: orm.Field[datetime.datetime] = orm.DateTime(auto_now=True, init=False)
