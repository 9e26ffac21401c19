"""Models that inherit: every marked line must be reported, and no other one; see `rejects`."""

from __future__ import annotations

from .places import CornerShop, Landmark, Pizzeria, Place, Restaurant, Visit


def constructors() -> None:
    Restaurant()  # type: ignore
    Restaurant(name=3)  # type: ignore
    Restaurant(name="x", stars="many")  # type: ignore
    Restaurant(name="x", oven="wood")  # type: ignore
    Pizzeria(name="x", open_late=True)  # type: ignore
    CornerShop(name="x", stars=3)  # type: ignore
    Landmark()  # type: ignore
    Visit(place=3)  # type: ignore


def attributes(place: Place, pizza: Pizzeria, visit: Visit) -> None:
    print(place.stars)  # type: ignore
    pizza.name = 3  # type: ignore
    print(pizza.nothing)  # type: ignore
    print(Place.stars)  # type: ignore
    print(Restaurant.oven)  # type: ignore
    visit.dinner_at = place  # type: ignore
    print(visit.place.stars)  # type: ignore
    print(Visit.place.stars)  # type: ignore
    Place.objects.filter(Restaurant.stars > "x")  # type: ignore
