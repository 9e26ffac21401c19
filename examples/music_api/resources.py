"""Models over HTTP: pages that can be searched, filtered and ordered, and create, update, delete.

What a client may read, order by, filter by and write is listed for each model below; other names are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import orm

from .messages import Answer, invalid, json_of
from models import Album, Artist, Genre, Track

LARGEST_PAGE = 100
T = TypeVar("T")


@dataclass(frozen=True)
class Resource:
    """What of a model is open to clients.

    Attributes:
        model: the model.
        fields: what is shown and can be ordered by, under its public name.
        writable: what can be set.
        filters: what can be asked for; each makes a condition of the text in the query string.
    """

    model: type[orm.Model]
    fields: Mapping[str, orm.Column[Any]]
    writable: Collection[str]
    filters: Mapping[str, Callable[[str], orm.Condition]]

    def routes(self, path: str) -> list[Route]:
        """The resource under a path."""
        one = f"{path}/{{key:int}}"
        return [
            Route(path, self.page),
            Route(path, self.create, methods=["POST"]),
            Route(one, self.read),
            Route(one, self.update, methods=["PATCH"]),
            Route(one, self.delete, methods=["DELETE"]),
        ]

    async def page(self, request: Request) -> Answer:
        """`?search=rock&genre=jazz&order=-name&page=2&per_page=50`."""
        asked = dict(request.query_params)
        number = _parsed("page", asked.pop("page", "1"), int)
        per_page = min(_parsed("per_page", asked.pop("per_page", "20"), int), LARGEST_PAGE)
        term, order = asked.pop("search", ""), asked.pop("order", "id")
        rows = self.model.objects.search(term) if term else self.model.objects
        for name, text in asked.items():
            rows = rows.filter(self._condition(name, text))
        shown = self._shown(rows.order_by(self._order(order), "pk"))
        page = await shown.paginate(number, per_page=per_page)
        items = [self._dictionary(row) for row in page]
        return Answer({"items": items, "page": page.number, "pages": page.pages, "total": page.total})

    async def read(self, request: Request) -> Answer:
        return await self._answer(request.path_params["key"])

    async def create(self, request: Request) -> Answer:
        made = await self.model.objects.create(**await self._values(request))
        return await self._answer(made.pk, 201)

    async def update(self, request: Request) -> Answer:
        values = await self._values(request)
        instance = await self.model.objects.get(pk=request.path_params["key"])
        await instance.update(**values)
        return await self._answer(instance.pk)

    async def delete(self, request: Request) -> Response:
        instance = await self.model.objects.get(pk=request.path_params["key"])
        await instance.delete()
        return Response(status_code=204)

    def _shown(self, rows: orm.QuerySet[Any]) -> orm.Rows[Any]:
        return rows.values_list(*self.fields.values())

    def _dictionary(self, row: tuple[Any, ...]) -> dict[str, Any]:
        return dict(zip(self.fields, row, strict=True))

    async def _answer(self, key: int, status: int = 200) -> Answer:
        return Answer(self._dictionary(await self._shown(self.model.objects).get(pk=key)), status)

    def _condition(self, name: str, text: str) -> orm.Condition:
        return _parsed(name, text, self.filters[_allowed(name, self.filters)])

    def _order(self, name: str) -> str | orm.Expression | orm.Ordering:
        column = self.fields[_allowed(name.removeprefix("-"), self.fields)]
        return column.desc() if name.startswith("-") else column

    async def _values(self, request: Request) -> dict[str, Any]:
        values = await json_of(request)
        return {_allowed(name, self.writable): value for name, value in values.items()}


def _allowed(name: str, names: Collection[str]) -> str:
    if name not in names:
        raise invalid(name, f"There is no {name!r}. Choose from: {', '.join(names)}")
    return name


def _parsed(name: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except (ValueError, ArithmeticError):
        raise invalid(name, f"{text!r} is no value for {name}") from None


ARTISTS = Resource(
    Artist,
    fields={"id": Artist.id, "name": Artist.name},
    writable=["name"],
    filters={"name": Artist.name.iexact},
)
ALBUMS = Resource(
    Album,
    fields={"id": Album.id, "title": Album.title, "artist_id": Album.artist.id, "artist": Album.artist.name},
    writable=["title", "artist_id"],
    filters={"artist": Album.artist.name.icontains, "artist_id": lambda text: Album.artist.id == int(text)},
)
GENRES = Resource(
    Genre,
    fields={"id": Genre.id, "name": Genre.name},
    writable=["name"],
    filters={},
)
TRACKS = Resource(
    Track,
    fields={
        "id": Track.id,
        "name": Track.name,
        "album": Track.album.title,
        "artist": Track.album.artist.name,
        "genre": Track.genre.name,
        "composer": Track.composer,
        "milliseconds": Track.milliseconds,
        "unit_price": Track.unit_price,
    },
    writable=["name", "album_id", "media_type_id", "genre_id", "composer", "milliseconds", "bytes", "unit_price"],
    filters={
        "artist": Track.album.artist.name.icontains,
        "genre": Track.genre.name.iexact,
        "playlist": Track.playlists.name.iexact,
        "longer_than": lambda text: Track.milliseconds > int(text),
        "max_price": lambda text: Track.unit_price <= Decimal(text),
    },
)
