"""A music shop's data, loaded and queried: `python examples/chinook/demo.py [URL]`.

Without a URL it uses an SQLite file under build/. With one, for instance postgresql://me@localhost/music or
mysql://me@localhost/music, it drops and creates the eleven tables of the example there, and touches no other.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import sqlalchemy as sa

import orm

from load import load
from models import Album, Artist, Customer, Employee, Invoice, InvoiceLine, Playlist, Track, models

DEFAULT = Path(__file__).parents[2] / "build" / "chinook.db"

Answer = Iterable[object]
Question = Callable[[orm.Database], Awaitable[Answer]]

QUESTIONS: list[tuple[str, Question]] = []


def question(text: str) -> Callable[[Question], Question]:
    """Add a function to the questions: its body is shown, what it gives is the answer, one line for each item."""

    def add(function: Question) -> Question:
        QUESTIONS.append((text, function))
        return function

    return add


@question("What do we have by AC/DC?")
async def tracks_of_an_artist(database: orm.Database) -> Answer:
    tracks = Track.objects.filter(album__artist__name="AC/DC").select_related("album").order_by("id")
    return [f"{await tracks.count()} tracks", *[f"{track.name} ({track.album.title})" async for track in tracks[:3]]]


@question("Which albums are named after their artist?")
async def self_titled(database: orm.Database) -> Answer:
    return await Album.objects.filter(title=orm.F("artist__name")).values_list(Album.title, flat=True)


@question("Which genres are the long tail of the catalogue?")
async def long_tail(database: orm.Database) -> Answer:
    genres = Track.objects.values("genre__name").annotate(tracks=orm.Count("*")).order_by("tracks", "genre__name")
    return [f"{genre['genre__name']}: {genre['tracks']}" for genre in await genres[:5]]


@question("Which artists have the most albums, and how much can be heard of them?")
async def most_albums(database: orm.Database) -> Answer:
    artists = Artist.objects.annotate(number=orm.Count("albums"), length=orm.Sum("albums__tracks__milliseconds"))
    best = await artists.order_by("-number", "name").values_list("name", "number", "length")[:3]
    return [f"{name}: {number} albums, {length / 3_600_000:.1f} h" for name, number, length in best]


@question("Which countries brought more than 150 dollars?")
async def sales(database: orm.Database) -> Answer:
    countries = Invoice.objects.values("billing_country").annotate(sum=orm.Sum("total"), invoices=orm.Count("*"))
    rich = countries.filter(sum__gt=150).order_by("-sum")
    return [f"{row['billing_country']}: {row['sum']} in {row['invoices']} invoices" for row in await rich]


@question("Which artists never sold anything?")
async def unsold(database: orm.Database) -> Answer:
    sold = InvoiceLine.objects.filter(track__album__artist=orm.OuterRef("pk"))
    artists = Artist.objects.filter(~orm.Exists(sold), albums__isnull=False)
    return [f"{await artists.count()} of those who have an album"]


@question("Who reports to whom?")
async def managers(database: orm.Database) -> Answer:
    employees = await Employee.objects.select_related(Employee.reports_to).order_by(Employee.id)
    return [f"{e.first_name} to {e.reports_to.first_name if e.reports_to else 'nobody'}" for e in employees]


@question("Who is above Jane, up to the top?")
async def above(database: orm.Database) -> Answer:
    chain = orm.CTE(
        "chain",
        Employee.objects.filter(first_name="Jane").values("id", "reports_to_id", steps=orm.Value(0)),
        recursive=lambda found: Employee.objects.with_cte(found, id=found.c.reports_to_id).values(
            "id", "reports_to_id", steps=found.c.steps + 1
        ),
    )
    employees = Employee.objects.with_cte(chain, id=chain.c.id).order_by(chain.c.steps)
    return await employees.values_list(Employee.first_name, Employee.title)


@question("Which of their invoices were large, for the customers in Brazil?")
async def large_invoices(database: orm.Database) -> Answer:
    large = orm.Prefetch("invoices", Invoice.objects.filter(total__gt=5).order_by("-total", "id"))
    customers = await Customer.objects.filter(country="Brazil").prefetch_related(large).order_by("id")
    return [f"{c.first_name}: {', '.join(str(invoice.total) for invoice in c.invoices)}" for c in customers]


@question("Which playlists hold this track?")
async def playlists_of_a_track(database: orm.Database) -> Answer:
    playlists = Playlist.objects.filter(Playlist.tracks.name == "Smells Like Teen Spirit").order_by("id")
    return await playlists.values_list(Playlist.id, Playlist.name)


@question("Which tracks are on the Grunge playlist, longest first?")
async def tracks_of_a_playlist(database: orm.Database) -> Answer:
    grunge = await Playlist.objects.get(name="Grunge")
    longest = await grunge.tracks.order_by("-milliseconds").limit(3)
    return [f"{track.name} ({track.milliseconds // 1000} s)" for track in longest]


@question("What is on page 3 of the catalogue?")
async def third_page(database: orm.Database) -> Answer:
    page = await Track.objects.order_by("id").paginate(page=3, per_page=5)
    return [f"page {page.number} of {page.pages}, of {page.total} tracks", *[track.name for track in page.items]]


@question("In how many countries do our customers live, and in which with a long name?")
async def countries(database: orm.Database) -> Answer:
    names = await Customer.objects.order_by("country").distinct().values_list(Customer.country, flat=True)
    return [f"{len(names)} countries", *[name for name in names if len(name) > 9]]


@question("What of Bach's do we have, by composer or by catalogue number, that is not rock?")
async def conditions(database: orm.Database) -> Answer:
    bach = Track.objects.filter(orm.Q(composer__icontains="bach") | orm.Q(name__contains="BWV"))
    return await bach.exclude(genre__name="Rock").order_by("id").values_list(Track.name, flat=True)


@question("How long would it take to hear everything?")
async def playing_time(database: orm.Database) -> Answer:
    milliseconds = 0
    async for track in Track.objects.only("milliseconds").iterate(chunk_size=500):
        milliseconds += track.milliseconds
    return [f"{milliseconds / 86_400_000:.2f} days"]


@question("Which tracks are the longest? (asked with a SQLAlchemy statement)")
async def longest(database: orm.Database) -> Answer:
    table = Track.table
    tracks = Track.objects.from_statement(sa.select(table).order_by(table.c.milliseconds.desc()).limit(2))
    return [f"{track.name} ({track.milliseconds // 60_000} min)" async for track in tracks]


@question("What if everything cost a dollar more?")
async def rolled_back(database: orm.Database) -> Answer:
    dear = Track.objects.filter(unit_price__gt=2)
    async with database.transaction(force_rollback=True):
        changed = await Track.objects.all().update(unit_price=orm.F("unit_price") + 1)
        inside = await dear.count()
    return [f"{changed} changed; over two dollars inside the transaction: {inside}, after it: {await dear.count()}"]


@question("What does an artist know who was not loaded?")
async def not_loaded(database: orm.Database) -> Answer:
    album = await Album.objects.get(title="Let There Be Rock")
    try:
        return [album.artist.id, album.artist.name]
    except orm.NotLoaded as error:
        return [f"the key: {album.artist.id}", f"NotLoaded: {error}"]


@question("What if there is no such row, or no such field?")
async def mistakes(database: orm.Database) -> Answer:
    answers: list[str] = [f"get_or_none gives {await Artist.objects.get_or_none(name='Nobody')}"]
    try:
        await Artist.objects.get(name="Nobody")
    except Artist.DoesNotExist as error:
        answers.append(f"DoesNotExist: {error}")
    try:
        Artist.objects.filter(nmae="Nobody")
    except orm.FieldError as error:
        answers.append(f"FieldError: {error}")
    return answers


def body(function: Question) -> str:
    """The source of a function without its decorator and signature."""
    lines = inspect.getsource(function).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("async def")) + 1
    return textwrap.dedent("\n".join(lines[start:]))


async def main(url: str) -> None:
    """Create the tables, load the data, ask the questions."""
    async with orm.Database(url) as database:
        models.database = database
        await models.drop_all()
        await models.create_all()
        start = time.perf_counter()
        rows = await load(database)
        print(f"Loaded {rows:,} rows into {database.url} in {time.perf_counter() - start:.2f} s.")
        for number, (text, ask) in enumerate(QUESTIONS, 1):
            print(f"\n{number}. {text}\n\n{textwrap.indent(body(ask), '    ')}\n")
            for item in await ask(database):
                print(" ->", str(item).replace("\n", "\n    "))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("usage: demo.py [URL]")
    if len(sys.argv) == 1:
        DEFAULT.parent.mkdir(exist_ok=True)
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{DEFAULT}"))
