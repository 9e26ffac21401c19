"""What the shop does besides keeping a catalogue: purchases, receipts, offers, and a stream of everything."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial

import httpx
from pydantic import BaseModel, Field
from starlette.datastructures import State
from starlette.requests import Request
from starlette.websockets import WebSocket, WebSocketDisconnect

import orm

from .database import database
from .messages import Answer, dumps
from models import Album, Customer, Invoice, InvoiceLine, Track

logger = logging.getLogger(__name__)

sent: dict[int, dict[str, str]] = {}
"""The receipts that were mailed, by invoice."""


LINES = orm.Prefetch("lines", InvoiceLine.objects.select_related("track").order_by("id"))
"""The lines of an invoice, each with its track, as they were written: two statements for any number of invoices."""


class Line(BaseModel):
    """So many copies of a track."""

    track: int
    quantity: int


class Order(BaseModel):
    """What a customer wants."""

    customer: int
    lines: list[Line] = Field(min_length=1)


async def buy(request: Request) -> Answer:
    """Write an invoice with its lines: all of it or nothing. The receipt goes out once it is committed."""
    order = Order.model_validate_json(await request.body())
    async with database.transaction():
        customer = await Customer.objects.get(id=order.customer)
        invoice = await Invoice.objects.create(
            customer=customer,
            invoice_date=datetime.now(UTC),
            billing_address=customer.address,
            billing_city=customer.city,
            billing_state=customer.state,
            billing_country=customer.country,
            billing_postal_code=customer.postal_code,
            total=Decimal(0),
        )
        for line in order.lines:
            track = await Track.objects.get(id=line.track)
            await invoice.lines.create(track=track, unit_price=track.unit_price, quantity=line.quantity)
            invoice.total += track.unit_price * line.quantity
        await invoice.save()
        database.on_commit(partial(start_sending, request.state, invoice.id))
    return Answer({"id": invoice.id, "total": invoice.total}, 201)


def start_sending(state: State, key: int) -> None:
    """Send a receipt in the background: the customer does not wait for it."""
    state.tasks.create_task(send_receipt(state.service, key))


async def send_receipt(service: httpx.AsyncClient, key: int) -> None:
    """Have a receipt mailed; a failure is logged, and stops neither the server nor other receipts."""
    try:
        invoice = await Invoice.objects.select_related("customer").prefetch_related(LINES).get(id=key)
        lines = [f"{line.quantity} x {line.track.name}" for line in invoice.lines]
        receipt = {"to": invoice.customer.email, "text": f"{', '.join(lines)}. Total: {invoice.total}"}
        (await service.post("/receipts", json=receipt)).raise_for_status()
    except (orm.Error, httpx.HTTPError):
        logger.exception("The receipt of invoice %s was not sent", key)
    else:
        sent[key] = receipt


async def read_invoice(request: Request) -> Answer:
    """An invoice with its lines, and its receipt if that was sent."""
    found = await Invoice.objects.prefetch_related(LINES).get(id=request.path_params["key"])
    lines = [{"track": line.track.name, "quantity": line.quantity, "price": line.unit_price} for line in found.lines]
    return Answer({"id": found.id, "total": found.total, "lines": lines, "receipt": sent.get(found.id)})


async def offer(request: Request) -> Answer:
    """An album with its price and its cover: the database and another service are asked at the same time."""
    key: int = request.path_params["key"]
    album, cover = await asyncio.gather(
        Album.objects.select_related("artist").prefetch_related("tracks").get(id=key),
        find_cover(request.state.service, key),
    )
    price = sum(track.unit_price for track in album.tracks)
    return Answer({"title": album.title, "artist": album.artist.name, "price": price, "cover": cover})


async def find_cover(service: httpx.AsyncClient, key: int) -> str | None:
    """The address of an album's cover, if the service knows one and answers."""
    try:
        answer = await service.get(f"/covers/{key}")
        return str(answer.raise_for_status().json()["cover"])
    except (httpx.HTTPError, ValueError, LookupError):
        return None


async def catalogue(websocket: WebSocket) -> None:
    """Send every track, one message each; rows are read as fast as the client takes them, not all at once."""
    await websocket.accept()
    tracks = Track.objects.order_by("id").values_list(Track.id, Track.name, Track.album.title, Track.unit_price)
    with contextlib.suppress(WebSocketDisconnect):
        async for key, name, album, price in tracks.iterate(chunk_size=200):
            await websocket.send_text(dumps({"id": key, "name": name, "album": album, "unit_price": price}))
        await websocket.close()


async def counts(_: Request) -> Answer:
    """How the pool is doing, and how many rows there are."""
    rows = {"invoices": await Invoice.objects.count(), "lines": await InvoiceLine.objects.count()}
    return Answer({"pool": database.pool_status._asdict(), **rows, "receipts": len(sent)})
