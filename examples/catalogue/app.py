"""The application: `uvicorn catalogue.app:application`; its documentation is at /docs. README.md says how to run it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from pydantic import BaseModel

import orm

from models import Album, Artist, models

ALBUMS = Album.objects.select_related("artist").prefetch_related("tracks")

# What clients send, and what they get: made of the models, with their limits.
AlbumIn = orm.pydantic_model(Album, exclude={"id"}, name="AlbumIn")
AlbumPatch = orm.pydantic_model(Album, exclude={"id"}, optional=True, name="AlbumPatch")
AlbumOut = orm.pydantic_model(
    Album, include={"id", "title", "artist", "tracks__name", "tracks__unit_price"}, depth=1, name="AlbumOut"
)
ArtistOut = orm.pydantic_model(Artist, exclude={"albums__artist_id"}, depth=1, name="ArtistOut")


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[None, None]:
    """Open the database before the first request and close it after the last."""
    async with orm.Database(os.environ.get("CATALOGUE_DATABASE", "sqlite:///catalogue.db")) as database:
        models.database = database
        await models.create_all()
        yield


application = FastAPI(title="Catalogue", lifespan=lifespan)


@application.get("/artists/{key}", response_model=ArtistOut)
async def read_artist(key: int) -> Artist:
    return await Artist.objects.prefetch_related("albums").get(id=key)


@application.post("/artists", status_code=201)
async def create_artist(name: Annotated[str, Query()]) -> Artist:
    return await Artist.objects.create(name=name)


@application.get("/albums", response_model=list[Annotated[BaseModel, AlbumOut]])
async def read_albums(search: str = "", page: Annotated[int, Query(ge=1)] = 1) -> list[Album]:
    return (await ALBUMS.search(search).order_by("title", "id").paginate(page, per_page=20)).items


@application.get("/albums/{key}", response_model=AlbumOut)
async def read_album(key: int) -> Album:
    return await ALBUMS.get(id=key)


@application.post("/albums", status_code=201)
async def create_album(given: Annotated[BaseModel, AlbumIn]) -> Album:
    return await Album.objects.create(**given.model_dump())


@application.patch("/albums/{key}")
async def change_album(key: int, given: Annotated[BaseModel, AlbumPatch]) -> Album:
    album = await Album.objects.get(id=key)
    return await album.update(**given.model_dump(exclude_unset=True))


@application.delete("/albums/{key}", status_code=204)
async def delete_album(key: int) -> None:
    await (await Album.objects.get(id=key)).delete()


# ---------------------------------------------------------------- errors, in one place

STATUS: dict[type[orm.Error], int] = {
    orm.ValidationError: 422,
    orm.DoesNotExist: 404,
    orm.IntegrityError: 409,
    orm.OperationalError: 503,
}


@application.exception_handler(orm.Error)
async def answer(_: Request, error: orm.Error) -> JSONResponse:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), None)
    if status is None:
        raise error
    detail: Any = error.errors() if isinstance(error, orm.ValidationError) else type(error).__name__
    return JSONResponse({"detail": jsonable_encoder(detail)}, status)
