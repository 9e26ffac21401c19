"""The music shop as it is used: real servers as processes of their own, asked over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import http.server
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from textwrap import indent
from typing import Any

import httpx
import pytest
import pytest_asyncio
import websockets

from tests.databases import BACKENDS, REQUIRED, Scratch

ROOT = Path(__file__).parent.parent
KEEP = 60
"""For how many seconds a server keeps a connection that is not used: it is the client that closes it here."""
COMMANDS = {
    "uvicorn": "uvicorn music_api.app:application --port {port} --no-access-log --timeout-keep-alive {keep}",
    "hypercorn": "hypercorn music_api.app:application --bind 127.0.0.1:{port} --keep-alive {keep}",
    "daphne": "daphne music_api.with_daphne:application --port {port}",
}
CASES = [*[("uvicorn", backend) for backend in BACKENDS], ("hypercorn", "sqlite"), ("daphne", "sqlite")]
LOADED = {"invoices": 412, "lines": 2240}
"""What the files have of what grows here."""
TRACKS = 3503
BOUND = 30.0
"""How many seconds anything may take: to start, to end, to answer 200 clients."""

Api = httpx.AsyncClient


@dataclasses.dataclass
class Server:
    """A server under test."""

    name: str
    port: int
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def wait_until_it_answers(self) -> None:
        end = time.monotonic() + BOUND
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if httpx.get(f"http://{self.address}/counts", timeout=BOUND).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)  # until the next try
        pytest.fail(f"{self.name} does not answer:\n{self.log.read_text()}")

    def ends_within(self, seconds: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.poll() is not None

    def stop(self, number: signal.Signals) -> None:
        """End it as an operator would, and look at what it had to say."""
        if self.process.poll() is None:
            self.process.send_signal(number)
            end = time.monotonic() + BOUND
            while time.monotonic() < end and not self.ends_within(2):
                # Python runs the handler in the main thread, which may sleep when another one took the signal.
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            if self.process.poll() is None:
                self.process.kill()
                pytest.fail(f"{self.name} does not end:\n{self.log.read_text()}")
            log = self.log.read_text()
            assert self.process.returncode in (0, -number, 128 + number), log
            complaints = r"warn|error|exception|traceback|destroyed|never|unclosed|timed out|took too long"
            assert not re.search(complaints, log, re.IGNORECASE), log


def start(name: str, database: str, service: str, log: Path) -> Server:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = COMMANDS[name].format(port=port, keep=KEEP).split()
    path = os.pathsep.join([str(ROOT), str(ROOT / "examples" / "chinook")])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-W", "default", "-m", *command],
            cwd=ROOT / "examples",
            env={**os.environ, "PYTHONPATH": path, "MUSIC_DATABASE": database, "MUSIC_SERVICE": service},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(name, port, log, process)
    server.wait_until_it_answers()
    return server


class Service(http.server.BaseHTTPRequestHandler):
    """The other service: it has no cover of album 2, nonsense for album 3, and mails while its office is open."""

    protocol_version = "HTTP/1.1"
    is_open = threading.Event()

    def do_GET(self) -> None:
        cover = b"?" if self.path == "/covers/3" else json.dumps({"cover": f"{self.path}.jpg"}).encode()
        self.answer(404 if self.path == "/covers/2" else 200, cover)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.is_open.wait(BOUND)
        self.answer(200, b"{}")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is written down."""


class ServiceServer(http.server.ThreadingHTTPServer):
    """Room for many at once."""

    request_queue_size = 200


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    with ServiceServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        Service.is_open.set()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@contextmanager
def fresh_database(backend: str, scratch: dict[str, Scratch], directory: Path) -> Iterator[str]:
    """A database that nobody else uses."""
    engine = backend.partition("+")[0]
    if engine == "sqlite":
        yield f"sqlite:///{directory / 'music.db'}"
    elif engine in scratch:
        own = dataclasses.replace(scratch[engine], name=f"{scratch[engine].name}_music")
        own.create()
        try:
            yield own.url.replace(engine, backend, 1)
        finally:
            own.drop()
    elif REQUIRED:
        pytest.fail(f"no {engine} server to test on, and ORM_TEST_REQUIRE_ALL is set")
    else:
        pytest.skip(f"no {engine} server")


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def server(
    request: pytest.FixtureRequest, scratch: dict[str, Scratch], service: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    name, backend = request.param
    directory = tmp_path_factory.mktemp("music")
    with fresh_database(backend, scratch, directory) as url:
        server = start(name, url, service, directory / "log")
        try:
            yield server
        finally:
            server.stop(signal.SIGTERM)


@pytest_asyncio.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with Api(base_url=f"http://{server.address}", timeout=BOUND) as api:
        yield api


async def ask(api: Api, method: str, path: str, status: int = 200, **options: Any) -> Any:
    """The JSON that is answered, its amounts exact; the status is checked."""
    answer = await api.request(method, path, **options)
    assert answer.status_code == status, (answer.status_code, answer.text)
    return json.loads(answer.text, parse_float=Decimal) if answer.text else None


async def counts(api: Api) -> dict[str, Any]:
    found: dict[str, Any] = await ask(api, "GET", "/counts")
    return found


async def until(truth: Callable[[Any], bool], api: Api, path: str) -> Any:
    """Ask until the answer is the wanted one."""
    async with asyncio.timeout(BOUND):
        while True:
            found = await ask(api, "GET", path)
            if truth(found):
                return found


async def settled(api: Api) -> dict[str, Any]:
    """The counts when every invoice since the start has its receipt, neither more nor fewer, and nobody is at work."""

    def is_settled(found: dict[str, Any]) -> bool:
        return bool(found["receipts"] >= found["invoices"] - LOADED["invoices"] and not found["pool"]["in_use"])

    found: dict[str, Any] = await until(is_settled, api, "/counts")
    assert found["receipts"] == found["invoices"] - LOADED["invoices"]
    assert (found["pool"]["connecting"], found["pool"]["waiting"]) == (0, 0)
    assert found["pool"]["idle"] <= found["pool"]["size"] == 10
    return found


async def places(api: Api, method: str, path: str, **options: Any) -> list[list[Any]]:
    """Where the problems of a refused request are."""
    answer = await ask(api, method, path, 422, **options)
    assert all(problem["msg"] for problem in answer["problems"])
    return [problem["loc"] for problem in answer["problems"]]


async def names(api: Api, **query: Any) -> list[str]:
    answer = await ask(api, "GET", "/tracks", params=query)
    return [track["name"] for track in answer["items"]]


async def total(api: Api, **query: Any) -> int:
    return int((await ask(api, "GET", "/tracks", params=query))["total"])


# Pages


async def test_pages(api: Api) -> None:
    page = await ask(api, "GET", "/tracks", params={"page": 3, "per_page": 5, "playlist": "Music"})
    assert [track["id"] for track in page.pop("items")] == [11, 12, 13, 14, 15]
    assert page == {"page": 3, "pages": 658, "total": 3290}
    assert (await ask(api, "GET", "/albums", params={"page": 999}))["items"] == []
    assert len((await ask(api, "GET", "/tracks", params={"per_page": 1000}))["items"]) == 100
    assert len((await ask(api, "GET", "/tracks"))["items"]) == 20


async def test_an_item_has_the_columns_of_its_relations(api: Api) -> None:
    assert await ask(api, "GET", "/tracks/1") == {
        "id": 1,
        "name": "For Those About To Rock (We Salute You)",
        "album": "For Those About To Rock We Salute You",
        "artist": "AC/DC",
        "genre": "Rock",
        "composer": "Angus Young, Malcolm Young, Brian Johnson",
        "milliseconds": 343719,
        "unit_price": Decimal("0.99"),
    }


async def test_order(api: Api) -> None:
    longest = ["Occupation / Precipice", "Through a Looking Glass"]
    assert await names(api, order="-milliseconds", per_page=2) == longest
    assert await names(api, order="artist", per_page=1) == ["For Those About To Rock (We Salute You)"]


async def test_filters(api: Api) -> None:
    assert await total(api, artist="ac/dc") == 18
    assert await total(api, genre="rock") == 1297
    assert await total(api, playlist="grunge", artist="pearl jam") == 4
    assert await total(api, max_price="0.99") == 3290
    assert await total(api, longer_than=5_000_000) == 2
    assert await total(api, genre="' OR 1=1 --") == 0
    assert (await ask(api, "GET", "/albums", params={"artist_id": 1}))["total"] == 2


async def test_amounts_are_compared_exactly(api: Api) -> None:
    assert await total(api, max_price="0.985") == 0
    assert await total(api, max_price="0.994") == 3290
    assert await total(api, max_price="1e9") == TRACKS


async def test_search(api: Api) -> None:
    assert await total(api, search="bwv") == 7
    assert await total(api, search="angus young", genre="rock") == 10
    assert await total(api, search="100%") == 1
    assert await total(api, search="100_") == 0


async def test_what_the_query_string_may_not_say(api: Api) -> None:
    assert await places(api, "GET", "/tracks?nope=1") == [["nope"]]
    assert await places(api, "GET", "/tracks?bytes__gt=1") == [["bytes__gt"]]
    assert await places(api, "GET", "/tracks?order=album__artist__name") == [["album__artist__name"]]
    assert await places(api, "GET", "/tracks?order=--name") == [["-name"]]
    assert await places(api, "GET", "/tracks?longer_than=x") == [["longer_than"]]
    assert await places(api, "GET", "/tracks?max_price=x") == [["max_price"]]
    assert await places(api, "GET", "/tracks?page=x") == [["page"]]
    assert len(await places(api, "GET", "/tracks?page=0")) == 1
    assert len(await places(api, "GET", "/tracks?per_page=-1")) == 1
    assert len(await places(api, "GET", f"/tracks?longer_than={2**70}")) == 1
    assert len(await places(api, "GET", "/tracks?artist=%00")) == 1


# Create, update, delete


async def test_from_creation_to_deletion(api: Api) -> None:
    artist = await ask(api, "POST", "/artists", 201, json={"name": "Ástor Piazzolla 🎶"})
    assert artist["name"] == "Ástor Piazzolla 🎶"
    album = await ask(api, "POST", "/albums", 201, json={"title": "Libertango", "artist_id": artist["id"]})
    assert album == {"id": album["id"], "title": "Libertango", "artist_id": artist["id"], "artist": artist["name"]}
    track = {"name": "Undertango", "album_id": album["id"], "media_type_id": 1, "genre_id": 1, "milliseconds": 1}
    made = await ask(api, "POST", "/tracks", 201, json={**track, "bytes": 2**40, "unit_price": 1.29})
    assert made["unit_price"] == Decimal("1.29")
    assert made["composer"] is None
    changed = await ask(api, "PATCH", f"/tracks/{made['id']}", json={"unit_price": 1, "composer": "himself"})
    assert changed == {**made, "unit_price": 1, "composer": "himself"}
    assert await ask(api, "PATCH", f"/tracks/{made['id']}", json={}) == changed
    await ask(api, "DELETE", f"/artists/{artist['id']}", 204)
    await ask(api, "GET", f"/tracks/{made['id']}", 404)  # ON DELETE CASCADE, twice


async def test_every_problem_is_listed(api: Api) -> None:
    track = {"name": "x" * 201, "album_id": "1", "media_type_id": 1, "milliseconds": -1, "bytes": 0.5, "unit_price": 1}
    found = await places(api, "POST", "/tracks", json=track)
    assert sorted(found) == [["album"], ["bytes"], ["genre"], ["milliseconds"], ["name"]]
    assert await places(api, "PATCH", "/tracks/1", json={"unit_price": 0.999, "milliseconds": None}) == [
        ["milliseconds"],
        ["unit_price"],
    ]
    assert (await ask(api, "GET", "/tracks/1"))["unit_price"] == Decimal("0.99")


@pytest.mark.parametrize(
    "body", ["", "[", "[]", "1", "{'name': 1}", '{"name": NaN}', '{"name": "\\ud800"}', "[" * 10**5]
)
async def test_what_is_no_object_of_text(api: Api, body: str) -> None:
    assert len(await places(api, "POST", "/genres", content=body)) == 1
    assert len(await places(api, "PATCH", "/genres/1", content=body)) == 1


async def test_names_that_cannot_be_written(api: Api) -> None:
    assert await places(api, "POST", "/genres", json={"id": 1, "name": "New"}) == [["id"]]
    assert await places(api, "PATCH", "/genres/1", json={"pk": 2}) == [["pk"]]
    assert await places(api, "PATCH", "/genres/1", json={"_state": 2}) == [["_state"]]


async def test_conflicts(api: Api) -> None:
    answer = await ask(api, "POST", "/genres", 409, json={"name": "Rock"})
    assert answer == {"error": "UniqueViolation", "fields": ["name"]}
    answer = await ask(api, "PATCH", "/genres/2", 409, json={"name": "Rock"})
    assert answer == {"error": "UniqueViolation", "fields": ["name"]}
    answer = await ask(api, "PATCH", "/albums/1", 409, json={"artist_id": 10**6})
    assert answer["error"] == "ForeignKeyViolation"
    answer = await ask(api, "POST", "/albums", 409, json={"title": "Of nobody", "artist_id": 10**6})
    assert answer["error"] == "ForeignKeyViolation"


async def test_what_is_referred_to_cannot_be_deleted(api: Api) -> None:
    answer = await ask(api, "DELETE", "/genres/1", 409)
    assert answer["error"] == "ForeignKeyViolation"
    assert await ask(api, "GET", "/genres/1") == {"id": 1, "name": "Rock"}


async def test_what_is_not_there(api: Api) -> None:
    for path in ("/artists/1000000", "/invoices/1000000", "/albums/1000000/offer"):
        assert await ask(api, "GET", path, 404) == {"error": "DoesNotExist"}
    await ask(api, "PATCH", "/artists/1000000", 404, json={"name": "Nobody"})
    await ask(api, "DELETE", "/artists/1000000", 404)
    await ask(api, "GET", f"/artists/{10**30}", 422)
    assert (await api.get("/artists/x")).status_code == 404
    assert (await api.post("/counts")).status_code == 405


# Purchases


async def test_a_purchase_writes_an_invoice_and_sends_a_receipt(api: Api) -> None:
    lines = [{"track": 1, "quantity": 2}, {"track": 2820, "quantity": 1}]
    Service.is_open.clear()
    try:
        bought = await ask(api, "POST", "/purchases", 201, json={"customer": 5, "lines": lines})
        assert bought["total"] == Decimal("3.97")
        invoice = await ask(api, "GET", f"/invoices/{bought['id']}")
    finally:
        Service.is_open.set()
    assert invoice["total"] == Decimal("3.97")
    assert invoice["receipt"] is None, "nobody waited for it"
    assert invoice["lines"] == [
        {"track": "For Those About To Rock (We Salute You)", "quantity": 2, "price": Decimal("0.99")},
        {"track": "Occupation / Precipice", "quantity": 1, "price": Decimal("1.99")},
    ]
    invoice = await until(lambda invoice: invoice["receipt"], api, f"/invoices/{bought['id']}")
    assert invoice["receipt"] == {
        "to": "frantisekw@jetbrains.com",
        "text": "2 x For Those About To Rock (We Salute You), 1 x Occupation / Precipice. Total: 3.97",
    }


async def test_a_bad_line_leaves_nothing_behind(api: Api) -> None:
    good = {"track": 1, "quantity": 1}

    async def refused(status: int, lines: Any, customer: Any = 1) -> Any:
        return await ask(api, "POST", "/purchases", status, json={"customer": customer, "lines": lines})

    before = await settled(api)
    assert (await refused(422, [good, {"track": 2, "quantity": 0}]))["problems"][0]["loc"] == ["quantity"]
    assert await refused(404, [good, {"track": 10**6, "quantity": 1}]) == {"error": "DoesNotExist"}
    assert await refused(404, [good], customer=10**6) == {"error": "DoesNotExist"}
    assert (await refused(422, []))["problems"][0]["loc"] == ["lines"]
    assert (await refused(422, [{"track": "x"}]))["problems"][0]["loc"] == ["lines", 0, "track"]
    assert (await refused(422, [good], customer=None))["problems"][0]["loc"] == ["customer"]
    assert len(await places(api, "POST", "/purchases", content="{")) == 1
    after = await settled(api)
    assert (after["invoices"], after["lines"]) == (before["invoices"], before["lines"])


async def visit(api: Api, number: int) -> int:
    """What one client does: look around, fail to buy something, buy something, look at the invoice."""
    await ask(api, "GET", "/tracks", params={"page": number + 1, "artist": "a", "order": "-name"})
    if number % 4 == 0:
        lines = [{"track": number + 1, "quantity": 1}, {"track": 1, "quantity": 0}]
        await ask(api, "POST", "/purchases", 422, json={"customer": 1, "lines": lines})
    lines = [{"track": number + 1, "quantity": 1}, {"track": number + 2, "quantity": 3}]
    bought = await ask(api, "POST", "/purchases", 201, json={"customer": number % 59 + 1, "lines": lines})
    invoice = await ask(api, "GET", f"/invoices/{bought['id']}")
    assert [line["quantity"] for line in invoice["lines"]] == [1, 3]
    assert invoice["total"] == sum(line["price"] * line["quantity"] for line in invoice["lines"])
    return int(bought["id"])


async def test_200_clients_lose_no_invoice_and_no_connection(api: Api, server: Server) -> None:
    before = await settled(api)
    async with AsyncExitStack() as stack:  # one Api with 200 connections spends its time on searching them
        offices = [await stack.enter_async_context(api_of_twenty(server)) for _ in range(10)]
        async with asyncio.timeout(BOUND):
            keys = await asyncio.gather(*[visit(offices[number % 10], number) for number in range(200)])
    assert len(set(keys)) == 200
    after = await settled(api)
    assert after["invoices"] == before["invoices"] + 200
    assert after["lines"] == before["lines"] + 400


def api_of_twenty(server: Server) -> Api:
    limits = httpx.Limits(max_connections=20, max_keepalive_connections=20)
    return Api(base_url=f"http://{server.address}", timeout=BOUND, limits=limits)


# Others


async def test_the_catalogue_is_streamed(api: Api, server: Server) -> None:
    expected = await total(api)
    async with websockets.connect(f"ws://{server.address}/catalogue") as websocket:
        rows = [json.loads(message) async for message in websocket]
    assert len(rows) == expected >= TRACKS
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert rows[0]["album"] == "For Those About To Rock We Salute You"


def narrow_socket(port: int) -> socket.socket:
    """A connection with little room, so that a server that is not read from has to wait before it has sent all."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    made.connect(("127.0.0.1", port))
    return made


async def test_streams_that_nobody_reads_leave_a_connection_to_the_others(api: Api, server: Server) -> None:
    if server.name == "daphne":
        pytest.skip("Daphne does not wait for its clients: it holds in memory what they have not read")
    url = f"ws://{server.address}/catalogue"
    async with AsyncExitStack() as streams:
        for _ in range(12):  # more than the pool has
            narrow = narrow_socket(server.port)
            stream = await websockets.connect(url, sock=narrow, max_queue=1, compression=None, ping_interval=None)
            streams.callback(stream.transport.abort)
        # How many of them the system's own buffers satisfy is not ours to say, but most of them wait.
        await until(lambda found: found["pool"]["in_use"] >= 4, api, "/counts")
        for _ in range(20):
            await ask(api, "POST", "/purchases", 201, json={"customer": 1, "lines": [{"track": 1, "quantity": 1}]})
    await settled(api)


async def test_an_offer_asks_another_service(api: Api) -> None:
    assert await ask(api, "GET", "/albums/1/offer") == {
        "title": "For Those About To Rock We Salute You",
        "artist": "AC/DC",
        "price": Decimal("9.9"),
        "cover": "/covers/1.jpg",
    }
    assert (await ask(api, "GET", "/albums/2/offer"))["cover"] is None
    assert (await ask(api, "GET", "/albums/3/offer"))["cover"] is None


@pytest.mark.parametrize("name", COMMANDS)
def test_a_server_ends_cleanly_and_loads_the_data_once(name: str, tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        server = start(name, f"sqlite:///{tmp_path / 'music.db'}", "http://127.0.0.1:9", tmp_path / number.name)
        assert httpx.get(f"http://{server.address}/counts").json().items() >= LOADED.items()
        assert httpx.get(f"http://{server.address}/albums/1/offer").json()["cover"] is None
        server.stop(number)
        assert sorted(path.name for path in tmp_path.glob("music.db*")) == ["music.db"]  # no log left to write back


def test_the_page_shows_the_code_as_it_is() -> None:
    example = ROOT / "examples" / "music_api"
    code = [path.read_text() for path in example.glob("*.py")]
    shown = re.findall(r"^```python\n(.*?)^```", (example / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert len(shown) >= 4
    for excerpt in shown:
        assert any(
            excerpt in text or indent(excerpt, "    ") in text or indent(excerpt, "        ") in text for text in code
        ), excerpt
