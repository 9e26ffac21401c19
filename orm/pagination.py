"""Pages of a query set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page: iterate over it, or take its `items`.

    Attributes:
        items: what is on the page.
        number: the page's number; the first is 1.
        per_page: how many items a full page has.
        total: how many there are on all pages.
    """

    items: list[T]
    number: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        """How many pages there are; 1 when there is nothing to show."""
        return max(1, -(-self.total // self.per_page))

    @property
    def has_next(self) -> bool:
        """Whether there is a page after this one."""
        return self.number < self.pages

    @property
    def has_previous(self) -> bool:
        """Whether there is a page before this one."""
        return self.number > 1

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        return f"<Page {self.number} of {self.pages}: {len(self.items)} of {self.total}>"
