"""Models that inherit: everything here must be accepted, and it runs; see `accepts`."""

from __future__ import annotations

from typing import Any, assert_type

import orm

from .places import CornerShop, Landmark, Pizzeria, Place, Restaurant, Visit
from .users import User


async def rows(user: User) -> None:
    pizza = await Pizzeria.objects.create(name="pizza", stars=3, oven="wood", owner=user)
    assert_type(pizza, Pizzeria)
    assert_type(pizza.name, str)
    assert_type(pizza.stars, int)
    assert_type(pizza.oven, str | None)
    assert_type(pizza.owner, User | None)
    assert_type(pizza.first([1]), int)
    assert_type(await Pizzeria.objects.get(name="pizza"), Pizzeria)
    assert_type(await Restaurant.objects.all(), list[Restaurant])
    places = await Place.objects.all()
    assert_type(places, list[Place])
    for place in places:
        if isinstance(place, Restaurant):
            assert_type(place.stars, int)
    shop = await CornerShop(name="shop", open_late=True).save()
    assert_type(shop, CornerShop)
    assert_type(shop.open_late, bool | None)
    mark = await Landmark.objects.get(pk=shop.id)
    assert_type(mark, Landmark)
    assert_type(mark.label(), str)
    visit = await Visit.objects.create(place=pizza, dinner_at=pizza)
    assert_type(visit.place, Place)
    assert_type(visit.dinner_at, Restaurant | None)
    assert_type(await pizza.visits, list[Visit])
    await Visit(place=mark).save()
    visit.place = pizza


async def conditions() -> None:
    assert_type(Restaurant.name == "x", orm.Condition)
    assert_type(Restaurant.stars > 3, orm.Condition)
    assert_type(Pizzeria.owner.name.icontains("x"), orm.Condition)
    assert_type(await Place.objects.filter(Restaurant.stars > 3, Place.name == "x"), list[Place])
    assert_type(await Restaurant.objects.filter(Place.name == "x"), list[Restaurant])
    assert_type(await Visit.objects.filter(Visit.place.name == "x"), list[Visit])
    assert_type(await Visit.objects.filter(Visit.dinner_at.stars > 1), list[Visit])
    assert_type(await Pizzeria.objects.values_list(Pizzeria.name, Pizzeria.stars), list[tuple[str, int]])
    assert_type(await Place.objects.values("name"), list[dict[str, Any]])
    assert_type(await Landmark.objects.filter(Place.name == "x").first(), Landmark | None)
    assert_type(Restaurant.reference(3), Restaurant)
    try:
        await Restaurant.objects.get(pk=0)
    except Place.DoesNotExist as error:
        assert_type(str(error), str)
