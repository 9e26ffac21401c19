"""Pages by number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, cast

from sqlalchemy.engine import Dialect
from typing_extensions import TypeVar

from orm import explain
from orm.database import Table

T = TypeVar("T")
N = TypeVar("N", bound=int | None, default=int)
COUNTS: Final = ("exact", "estimate", None)
"""How `paginate()` can learn the number of all rows."""


@dataclass(frozen=True)
class Page(Generic[T, N]):
    """One page: iterate over it, or take its `items`. `Page[T]` has a total; `Page[T, None]` was read without one.

    Attributes:
        items: what is on the page.
        number: the page's number; the first is 1.
        per_page: how many items a full page has.
        total: how many there are on all pages; `None` with `count=None`.
        has_next: whether there is a page after this one.
    """

    items: list[T]
    number: int
    per_page: int
    total: N
    has_next: bool

    @property
    def pages(self) -> N:
        """How many pages there are; 1 when there is nothing to show; `None` without a total."""
        return cast("N", None if self.total is None else max(1, -(-cast("int", self.total) // self.per_page)))

    @property
    def has_previous(self) -> bool:
        """Whether there is a page before this one."""
        return self.number > 1

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        if self.total is None:
            return f"<Page {self.number}: {len(self.items)}>"
        return f"<Page {self.number} of {self.pages}: {len(self.items)} of {self.total}>"


def exact(items: list[Any], number: int, per_page: int, total: int) -> Page[Any]:
    """The page of its rows and the number of all."""
    return Page(items, number, per_page, total, has_next=number * per_page < total)


def open_ended(rows: list[Any], number: int, per_page: int, total: int | None) -> Page[Any, Any]:
    """The page of its rows and one more; what they show corrects an estimated total."""
    items, has_next = rows[:per_page], len(rows) > per_page
    if total is not None:
        seen = (number - 1) * per_page + len(items)
        if has_next:
            total = max(total, seen + 1)
        elif items or number == 1:
            total = seen
        else:
            total = min(total, seen)
    return Page(items, number, per_page, total, has_next)


def planner_words(dialect: Dialect) -> str:
    """What is put before a SELECT to read from its plan how many rows are expected."""
    return explain.words(dialect, format="json" if dialect.name == "postgresql" else None)


def expected(told: Table, dialect: Dialect) -> int:
    """How many rows the planner expects, by what it answered."""
    if dialect.name == "postgresql":
        return _postgresql_rows(told.rows[0][0])
    return _mysql_rows([tuple(row) for row in told.rows])


def _postgresql_rows(told: Any) -> int:
    document: Any = json.loads(told) if isinstance(told, str) else told
    return int(document[0]["Plan"]["Plan Rows"])


def _mysql_rows(rows: list[tuple[Any, ...]]) -> int:
    """The product over the joined tables of the rows read and the share of them that passes, in percent."""
    read = [(row[-3], row[-2]) for row in rows if row[1] in ("SIMPLE", "PRIMARY")]
    if any(count is None for count, _ in read):
        return 0  # it knows that no row can match
    return round(math.prod(float(count) * float(share if share is not None else 100) / 100 for count, share in read))
