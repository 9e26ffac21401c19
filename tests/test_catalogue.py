"""The catalogue with FastAPI, on every database."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
import pytest_asyncio

EXAMPLES = Path(__file__).parent.parent / "examples"
LOCAL = ("models", "catalogue", "catalogue.app")


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module of the application, imported as its README says."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.syspath_prepend(str(EXAMPLES / "chinook"))
    for name in LOCAL:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import catalogue.app  # type: ignore[import-not-found]

    found: ModuleType = catalogue.app
    yield found
    for name in LOCAL:
        sys.modules.pop(name, None)


@pytest_asyncio.fixture
async def client(app: Any, own_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    monkeypatch.setenv("CATALOGUE_DATABASE", own_url)
    transport = httpx.ASGITransport(app.application)
    async with (
        app.lifespan(app.application),
        httpx.AsyncClient(transport=transport, base_url="http://catalogue") as client,
    ):
        yield client
        await app.models.drop_all()


async def test_a_catalogue_is_filled_changed_and_read(client: httpx.AsyncClient) -> None:
    artist = (await client.post("/artists", params={"name": "AC/DC"})).json()
    assert artist["name"] == "AC/DC"
    made = await client.post("/albums", json={"title": "Powerage", "artist_id": artist["id"]})
    assert (made.status_code, made.json()["title"]) == (201, "Powerage")
    key = made.json()["id"]
    changed = await client.patch(f"/albums/{key}", json={"title": "PowerAge"})
    assert changed.json() == {"id": key, "title": "PowerAge", "artist_id": artist["id"]}
    album = {"id": key, "title": "PowerAge", "artist": artist, "tracks": []}
    assert (await client.get(f"/albums/{key}")).json() == album
    assert (await client.get("/albums", params={"search": "age"})).json() == [album]
    assert (await client.get("/albums", params={"search": "nothing"})).json() == []
    shown = (await client.get(f"/artists/{artist['id']}")).json()
    assert shown["albums"] == [{"id": key, "title": "PowerAge"}]
    assert (await client.delete(f"/albums/{key}")).status_code == 204
    assert (await client.get("/albums")).json() == []


async def test_what_is_wrong_is_answered_with_its_reason(client: httpx.AsyncClient) -> None:
    wrong = await client.post("/albums", json={"title": "x" * 161, "artist": 1})
    assert wrong.status_code == 422
    assert [problem["loc"][1] for problem in wrong.json()["detail"]] == ["title", "artist_id", "artist"]
    assert (await client.patch("/albums/1", json={"title": None})).status_code == 422
    assert (await client.get("/albums/1")).status_code == 404
    assert (await client.post("/artists", params={"name": "x" * 121})).status_code == 422
    nobody = await client.post("/albums", json={"title": "Powerage", "artist_id": 99})
    assert (nobody.status_code, nobody.json()) == (409, {"detail": "ForeignKeyViolation"})


async def test_the_documentation_has_the_limits(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["AlbumIn"]["required"] == ["title", "artist_id"]
    assert schemas["AlbumIn"]["properties"]["title"]["maxLength"] == 160
    assert "required" not in schemas["AlbumPatch"]
    assert list(schemas["AlbumOutTracks"]["properties"]) == ["name", "unit_price"]
