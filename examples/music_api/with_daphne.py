"""The application for Daphne, which has no lifespan: `daphne music_api.with_daphne:application`.

The first request opens what the lifespan opens; the end of Twisted's reactor closes it.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from starlette.types import Receive, Scope, Send
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from . import app


class WithLifespan:
    """Runs the lifespan in a task of its own, around all requests."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        self.started: asyncio.Future[dict[str, Any]] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.started is None:
            self.started = asyncio.get_running_loop().create_future()
            running = asyncio.create_task(self.run(self.started))
            cast("Any", reactor).addSystemEventTrigger("before", "shutdown", self.stop, running)
        scope["state"] = dict(await asyncio.shield(self.started))
        await app.application(scope, receive, send)

    async def run(self, started: asyncio.Future[dict[str, Any]]) -> None:
        try:
            async with app.lifespan(app.application) as state:
                started.set_result(state)
                await self.stopping.wait()
        except Exception as error:
            if started.done():
                raise
            started.set_exception(error)

    def stop(self, running: asyncio.Task[None]) -> object:
        self.stopping.set()
        return cast("Any", Deferred).fromFuture(running)


application = WithLifespan()
