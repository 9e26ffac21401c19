"""What a query gives to people: rows that are sequences and mappings at once, and what a writing statement did."""

from __future__ import annotations

from abc import ABCMeta
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from orm.database.interfaces import Row as RawRow

_AMBIGUOUS = -1


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What all rows of one result have in common.

    Attributes:
        names: the columns' names, in order.
        positions: where a name or a column object is found.
        processors: the positions whose values are converted, and how.
    """

    names: tuple[str, ...]
    positions: Mapping[Any, int]
    processors: tuple[tuple[int, Callable[[Any], Any]], ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> Shape:
        """The shape of a result of which only the names are known."""
        return cls(tuple(names), positions(names))

    def row(self, values: RawRow) -> Row:
        """One row of the driver's as one of ours."""
        if self.processors:
            converted = list(values)
            for position, process in self.processors:
                converted[position] = process(converted[position])
            return Row(self, tuple(converted))
        return Row(self, tuple(values))

    def position(self, key: Any) -> int:
        """Where a name or column is. Raises `KeyError`."""
        position = self.positions.get(key)
        if position is None and not isinstance(key, str):
            # A column of a table, asked of a result that came from text and knows only names.
            position = self.positions.get(getattr(key, "key", None))
        if position is None:
            raise KeyError(f"The row has no column {str(key)!r}. Choose from: {', '.join(self.names)}.")
        if position == _AMBIGUOUS:
            raise KeyError(f"The row has several columns {str(key)!r}. Give them other names (AS), or use a position.")
        return position


def positions(names: Sequence[str]) -> dict[Any, int]:
    """Where each name is found; one that stands there twice is marked as ambiguous."""
    found: dict[Any, int] = {}
    for position, name in enumerate(names):
        found[name] = position if name not in found else _AMBIGUOUS
    return found


class Row:
    """One row: a sequence (`row[0]`, unpacking), a mapping (`row["text"]`, `row[table.c.text]`), with attributes.

    `row.text` is the column `text`, `row._mapping` a real mapping, `dict(row)` and `tuple(row)` work. Rows compare as
    tuples. A column named `keys` is reached as `row["keys"]`.
    """

    __slots__ = ("_shape", "_values")

    def __init__(self, shape: Shape, values: tuple[Any, ...]) -> None:
        self._shape = shape
        self._values = values

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int | slice):
            return self._values[key]
        return self._values[self._shape.position(key)]

    def __getattr__(self, name: str) -> Any:
        if name in Row.__slots__:  # only before it is filled, as when it is copied
            raise AttributeError(name)
        try:
            return self._values[self._shape.position(name)]
        except KeyError as error:
            raise AttributeError(error.args[0]) from None

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, value: object) -> bool:
        return value in self._values

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Row):
            return self._values == other._values
        return self._values == other

    def __hash__(self) -> int:
        return hash(self._values)

    def __repr__(self) -> str:
        pairs = zip(self._shape.names, self._values, strict=True)
        return f"Row({', '.join(f'{name}={value!r}' for name, value in pairs)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self._shape.names, self._values)

    def keys(self) -> tuple[str, ...]:
        """The columns' names."""
        return self._shape.names

    @property
    def _mapping(self) -> Mapping[str, Any]:
        """The row as a mapping of names."""
        return RowMapping(self)


# Not inherited: `count` and `index` are good names for columns.
cast("ABCMeta", Sequence).register(Row)


class RowMapping(Mapping[str, Any]):
    """A row as a mapping, and nothing else."""

    __slots__ = ("_row",)

    def __init__(self, row: Row) -> None:
        self._row = row

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, int):
            raise KeyError(key)
        return self._row[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row.keys())

    def __len__(self) -> int:
        return len(self._row)

    def __repr__(self) -> str:
        return repr(dict(self))


def _restored(names: tuple[str, ...], values: tuple[Any, ...]) -> Row:
    """A row that was pickled: it keeps its names and values, and forgets the table's columns."""
    return Row(Shape.of(names), values)


class Result(NamedTuple):
    """What a statement did; the same on every driver.

    Attributes:
        rowcount: how many rows an UPDATE or DELETE matched, an INSERT inserted, or the statement returned.
        lastrowid: the key that the database generated for the one row an INSERT inserted; `None` for other
            statements, for several rows, and on PostgreSQL for an INSERT given as text (it has RETURNING).
        returned: the rows of RETURNING, or of a query.
    """

    rowcount: int
    lastrowid: int | None = None
    returned: Sequence[Row] = ()
