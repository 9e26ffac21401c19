"""Models that inherit from each other, in the ways that there are: one set of them for each test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orm


def declared(models: orm.Registry, way: str, *, polymorphic: bool = True) -> Any:
    """A city's places: restaurants, pizzerias (which are restaurants) and bars, with visits and chefs."""
    single = way == "single"

    class Base(orm.Model):
        class Meta:
            registry = models
            abstract = True

    class City(Base):
        id: orm.Field[int] = orm.BigAutoField()
        name: orm.Field[str] = orm.String(max_length=40)
        places: orm.RelatedSet[Any] = orm.Reverse("Place.city")

    class Chef(Base):
        id: orm.Field[int] = orm.BigAutoField()
        name: orm.Field[str] = orm.String(max_length=40)

    class Guide(Base):
        id: orm.Field[int] = orm.BigAutoField()
        name: orm.Field[str] = orm.String(max_length=40)

    class Place(Base):
        id: orm.Field[int] = orm.BigAutoField()
        kind: orm.Field[str] = orm.String(max_length=20, default="place" if polymorphic else "")
        name: orm.Field[str] = orm.String(max_length=40)
        tags: orm.Field[Any] = orm.JSON(default=list)
        city: orm.Related[Any] = orm.ForeignKey("City", null=True, on_delete=orm.CASCADE)
        visits: orm.RelatedSet[Any] = orm.Reverse("Visit.place")
        guides: orm.RelatedSet[Any] = orm.ManyToMany("Guide", related_name="places")

        class Meta(Base.Meta):
            polymorphic_on = "kind" if polymorphic else None
            inheritance = way

        def after_load(self) -> None:
            self.__dict__["loaded"] = True

        def title(self) -> str:
            return f"the {self.name}"

    class Restaurant(Place):
        stars: orm.Field[int] = orm.Integer(default=0, null=single)
        opened: orm.Field[Any] = orm.DateTime(null=True)
        chef: orm.Related[Any] = orm.ForeignKey("Chef", null=True, related_name="restaurants", on_delete=orm.CASCADE)

        def title(self) -> str:
            return f"{super().title()} with {self.stars} stars"

    class Pizzeria(Restaurant):
        oven: orm.Field[str | None] = orm.String(max_length=20, null=True)
        menu: orm.Field[Any] = orm.JSON(null=True)

    class Bar(Place):
        beers: orm.Field[int | None] = orm.Integer(null=True)

    class Visit(Base):
        id: orm.Field[int] = orm.BigAutoField()
        plates: orm.Field[int] = orm.Integer(default=1)
        place: orm.Related[Any] = orm.ForeignKey("Place", on_delete=orm.CASCADE)
        meal_at: orm.Related[Any] = orm.ForeignKey("Restaurant", null=True, on_delete=orm.CASCADE, related_name="meals")

    found = (City, Chef, Guide, Place, Restaurant, Pizzeria, Bar, Visit)
    return SimpleNamespace(**{model.__name__: model for model in found})
