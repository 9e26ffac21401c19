"""A small library of books: what the migrations beside it lead to."""

from __future__ import annotations

import datetime
import decimal

import orm

models = orm.Registry()


class Base(orm.Model):
    class Meta:
        registry = models
        abstract = True


class Author(Base):
    id: orm.Field[int] = orm.BigAutoField()
    name: orm.Field[str] = orm.String(max_length=100, unique=True)
    books: orm.RelatedSet[Book] = orm.Reverse("Book.author")


class Book(Base):
    id: orm.Field[int] = orm.BigAutoField()
    title: orm.Field[str] = orm.String(max_length=200)
    slug: orm.Field[str] = orm.Slug(max_length=200, index=True)
    author: orm.Related[Author] = orm.ForeignKey("Author", on_delete=orm.CASCADE)
    published: orm.Field[datetime.date | None] = orm.Date(null=True, default=None)
    price: orm.Field[decimal.Decimal] = orm.Decimal(max_digits=8, decimal_places=2)
    added: orm.Field[datetime.datetime] = orm.DateTime()
