"""Models that inherit from each other."""

from __future__ import annotations

from typing import Generic, TypeVar

import orm

from .base import Base
from .users import User

T = TypeVar("T")


class Keyed(Base, Generic[T]):
    """A generic abstract base."""

    class Meta(Base.Meta):
        abstract = True

    def first(self, items: list[T]) -> T:
        return items[0]


class Place(Keyed[int]):
    id: orm.Field[int] = orm.BigAutoField()
    kind: orm.Field[str] = orm.String(max_length=20, default="place")
    name: orm.Field[str] = orm.String(max_length=50)
    owner: orm.Related[User | None] = orm.ForeignKey(User, null=True, default=None, on_delete=orm.CASCADE)
    visits: orm.RelatedSet[Visit] = orm.Reverse("Visit.place")

    class Meta(Keyed.Meta):
        polymorphic_on = "kind"


class Restaurant(Place):
    stars: orm.Field[int] = orm.Integer(default=0)


class Pizzeria(Restaurant):
    oven: orm.Field[str | None] = orm.String(max_length=20, null=True, default=None)


class CornerShop(Place):
    open_late: orm.Field[bool | None] = orm.Boolean(null=True, default=None)

    class Meta(Place.Meta):
        inheritance = "single"


class Landmark(Place):
    class Meta(Place.Meta):
        proxy = True
        ordering = ["name"]

    def label(self) -> str:
        return self.name.upper()


class Visit(Base):
    id: orm.Field[int] = orm.BigAutoField()
    place: orm.Related[Place] = orm.ForeignKey(Place, on_delete=orm.CASCADE)
    dinner_at: orm.Related[Restaurant | None] = orm.ForeignKey(
        Restaurant, null=True, default=None, on_delete=orm.CASCADE
    )
