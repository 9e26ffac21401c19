"""Every marked line must be reported, and no other one: signals. Nothing here is ever run."""
# ruff: noqa: B018

from __future__ import annotations

from orm import signals

from .accepts_signals import deleted, saved
from .notes import Note


def plain(event: signals.SaveEvent[Note]) -> None:
    event.created = True  # type: ignore
    event.instance.txt  # type: ignore


async def silent() -> None:
    pass


def connecting() -> None:
    signals.post_save.connect("Note")  # type: ignore
    signals.post_save.connect(saved)  # type: ignore
    signals.post_save.connect(Note)(plain)  # type: ignore
    signals.post_save.connect(Note)(silent)  # type: ignore
    signals.post_save.connect(Note)(deleted)  # type: ignore
    signals.post_delete.connected(saved, Note)  # type: ignore
    signals.post_saved  # type: ignore
