"""The Chinook example gives the known answers, on every database."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

ANSWERS = {
    "What do we have by AC/DC?": [
        "18 tracks",
        "For Those About To Rock (We Salute You) (For Those About To Rock We Salute You)",
        "Put The Finger On You (For Those About To Rock We Salute You)",
        "Let's Get It Up (For Those About To Rock We Salute You)",
    ],
    "Which albums are named after their artist?": [
        *["Aquaman", "Audioslave", "Black Sabbath", "Body Count", "Iron Maiden", "Olodum", "Pearl Jam", "Raul Seixas"],
        *["Temple of the Dog", "The Doors", "Van Halen"],
    ],
    "Which genres are the long tail of the catalogue?": [
        *["Opera: 1", "Rock And Roll: 12", "Science Fiction: 13", "Bossa Nova: 15", "Comedy: 17"],
    ],
    "Which artists have the most albums, and how much can be heard of them?": [
        *["Iron Maiden: 21 albums, 20.0 h", "Led Zeppelin: 14 albums, 11.1 h", "Deep Purple: 11 albums, 9.0 h"],
    ],
    "Which countries brought more than 150 dollars?": [
        *["USA: 523.06 in 91 invoices", "Canada: 303.96 in 56 invoices", "France: 195.10 in 35 invoices"],
        *["Brazil: 190.10 in 35 invoices", "Germany: 156.48 in 28 invoices"],
    ],
    "Which artists never sold anything?": ["39 of those who have an album"],
    "Who is above Jane, up to the top?": [
        *["('Jane', 'Sales Support Agent')", "('Nancy', 'Sales Manager')", "('Andrew', 'General Manager')"],
    ],
    "Who reports to whom?": [
        *["Andrew to nobody", "Nancy to Andrew", "Jane to Nancy", "Margaret to Nancy", "Steve to Nancy"],
        *["Michael to Andrew", "Robert to Michael", "Laura to Michael"],
    ],
    "Which of their invoices were large, for the customers in Brazil?": [
        *["Luís: 13.86, 8.91, 5.94", "Eduardo: 13.86, 8.91, 5.94", "Alexandre: 13.86, 8.91, 5.94"],
        *["Roberto: 13.86, 8.91, 5.94", "Fernanda: 13.86, 8.91, 5.94"],
    ],
    "Which playlists hold this track?": [
        "(1, 'Music')",
        "(5, '90\N{RIGHT SINGLE QUOTATION MARK}s Music')",
        "(8, 'Music')",
        "(16, 'Grunge')",
    ],
    "Which tracks are on the Grunge playlist, longest first?": [
        *["Alive (341 s)", "Black Hole Sun (320 s)", "Jeremy (318 s)"],
    ],
    "What is on page 3 of the catalogue?": [
        "page 3 of 701, of 3503 tracks",
        *["C.O.D.", "Breaking The Rules", "Night Of The Long Knives", "Spellbound", "Go Down"],
    ],
    "In how many countries do our customers live, and in which with a long name?": [
        *["24 countries", "Czech Republic", "Netherlands", "United Kingdom"],
    ],
    "What of Bach's do we have, by composer or by catalogue number, that is not rock?": [
        "Concerto for 2 Violins in D Minor, BWV 1043: I. Vivace",
        'Aria Mit 30 Veränderungen, BWV 988 "Goldberg Variations": Aria',
        "Suite for Solo Cello No. 1 in G Major, BWV 1007: I. Prélude",
        "Toccata and Fugue in D Minor, BWV 565: I. Toccata",
        "Concerto No.2 in F Major, BWV1047, I. Allegro",
        "Suite No. 3 in D, BWV 1068: III. Gavotte I & II",
        "Partita in E Major, BWV 1006A: I. Prelude",
    ],
    "How long would it take to hear everything?": ["15.96 days"],
    "Which tracks are the longest? (asked with a SQLAlchemy statement)": [
        *["Occupation / Precipice (88 min)", "Through a Looking Glass (84 min)"],
    ],
    "What if everything cost a dollar more?": [
        "3503 changed; over two dollars inside the transaction: 213, after it: 0"
    ],
}


async def run(*arguments: str) -> str:
    """What the demo prints, run as a user would run it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(ROOT / "examples/chinook/demo.py"), *arguments),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    assert errors == b""
    return output.decode()


def answers(output: str) -> dict[str, list[str]]:
    """The lines of each answer, by its question."""
    parts = re.split(r"^\d+\. (.*)$", output, flags=re.MULTILINE)[1:]
    return {
        question: [line.removeprefix(" -> ") for line in text.splitlines() if line.startswith(" -> ")]
        for question, text in zip(parts[::2], parts[1::2], strict=True)
    }


async def test_the_demo_gives_the_known_answers(own_url: str) -> None:
    output = await run(own_url)
    assert output.startswith("Loaded 15,607 rows into ")
    found = answers(output)
    assert {question: found[question] for question in ANSWERS} == ANSWERS
    assert "Track.objects.filter(album__artist__name=" in output
    not_loaded = found["What does an artist know who was not loaded?"]
    assert not_loaded[0] == "the key: 1"
    assert "select_related" in not_loaded[1]
    assert await run(own_url), "the demo runs a second time in the same database"
