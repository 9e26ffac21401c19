"""The application: `uvicorn music_api.app:application`. README.md says what to look at."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from . import shop
from .database import database
from .messages import HANDLERS
from .resources import ALBUMS, ARTISTS, GENRES, TRACKS
from load import load
from models import Artist, models

SERVICE = os.environ.get("MUSIC_SERVICE", "http://127.0.0.1:9000")
"""Another service: it knows the covers of albums and mails receipts."""


@contextlib.asynccontextmanager
async def lifespan(_: Starlette) -> AsyncGenerator[dict[str, Any], None]:
    """Open the database before the first request and close it after the last, when all background tasks are done."""
    async with database, httpx.AsyncClient(base_url=SERVICE, timeout=10) as service, asyncio.TaskGroup() as tasks:
        await models.create_all()
        if not await Artist.objects.exists():
            await load(database)
        yield {"service": service, "tasks": tasks}


application = Starlette(
    routes=[
        *ARTISTS.routes("/artists"),
        *ALBUMS.routes("/albums"),
        *GENRES.routes("/genres"),
        *TRACKS.routes("/tracks"),
        Route("/albums/{key:int}/offer", shop.offer),
        Route("/purchases", shop.buy, methods=["POST"]),
        Route("/invoices/{key:int}", shop.read_invoice),
        Route("/counts", shop.counts),
        WebSocketRoute("/catalogue", shop.catalogue),
    ],
    exception_handlers=HANDLERS,
    lifespan=lifespan,
)
