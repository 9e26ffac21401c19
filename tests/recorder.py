"""Counts the statements that are sent."""

from __future__ import annotations

from orm.database import Observer, StatementEvent


class Recorder(Observer):
    """Keeps what was sent since it was last cleared."""

    def __init__(self) -> None:
        self.events: list[StatementEvent] = []

    def statement(self, event: StatementEvent) -> None:
        self.events.append(event)

    @property
    def count(self) -> int:
        """How many statements were sent."""
        return len(self.events)

    def clear(self) -> None:
        """Forget what was sent."""
        self.events.clear()
