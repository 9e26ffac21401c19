"""Rows: sequences and mappings at once."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Sequence

import pytest
import sqlalchemy as sa

from orm.database import Row
from orm.database.rows import Shape

NAMES = ("id", "text", "count")


@pytest.fixture
def row() -> Row:
    return Shape.of(NAMES).row((1, "hello", 3))


def test_a_row_is_a_sequence(row: Row) -> None:
    identifier, text, count = row
    assert (identifier, text, count) == (1, "hello", 3)
    assert row[0] == 1
    assert row[-1] == 3
    assert row[:2] == (1, "hello")
    assert len(row) == 3
    assert "hello" in row
    assert tuple(row) == (1, "hello", 3)
    assert isinstance(row, Sequence)


def test_a_row_is_a_mapping(row: Row) -> None:
    assert row["text"] == "hello"
    assert dict(row) == {"id": 1, "text": "hello", "count": 3}
    assert row._mapping == {"id": 1, "text": "hello", "count": 3}
    assert dict(**row._mapping)["id"] == 1
    assert row.keys() == NAMES


def test_columns_are_attributes_even_under_the_names_of_sequences_methods(row: Row) -> None:
    assert row.text == "hello"
    assert row.count == 3
    assert not hasattr(row, "nothing")


def test_a_column_of_a_table_is_found_by_its_name(row: Row) -> None:
    assert row[sa.Column("text", sa.String)] == "hello"


def test_what_is_not_there_names_what_is(row: Row) -> None:
    with pytest.raises(KeyError, match=r"The row has no column 'txt'. Choose from: id, text, count."):
        row["txt"]
    with pytest.raises(AttributeError, match=r"The row has no column 'txt'. Choose from: id, text, count."):
        _ = row.txt
    with pytest.raises(IndexError):
        row[3]


def test_a_name_that_stands_there_twice_is_refused() -> None:
    row = Shape.of(["id", "id"]).row((1, 2))
    assert tuple(row) == (1, 2)
    with pytest.raises(KeyError, match="several columns 'id'"):
        row["id"]


def test_rows_compare_and_hash_as_tuples(row: Row) -> None:
    assert row == (1, "hello", 3)
    assert row == Shape.of(NAMES).row([1, "hello", 3])
    assert row != (1, "hello", 4)
    assert hash(row) == hash((1, "hello", 3))


def test_a_row_is_copied_and_pickled(row: Row) -> None:
    for other in (copy.copy(row), copy.deepcopy(row), pickle.loads(pickle.dumps(row))):
        assert other == row
        assert other.text == "hello"


def test_the_repr_names_the_columns(row: Row) -> None:
    assert repr(row) == "Row(id=1, text='hello', count=3)"
