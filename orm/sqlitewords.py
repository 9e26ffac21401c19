"""What SQLite keeps of a table: the words that made it, taken apart where SQLAlchemy's patterns do not reach."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import sqlalchemy as sa

_TABLE: Final = sa.text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
_TOKEN: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/|.""", re.DOTALL)
_COMPUTED: Final = re.compile(r"\bAS\s*$", re.IGNORECASE)


def of_table(connection: sa.Connection, table: str) -> str:
    """The statement that made a table; empty for one that is not there."""
    return str(connection.scalar(_TABLE, {"name": table}) or "")


def is_automatic(connection: sa.Connection, table: str) -> bool:
    """Whether SQLite never gives the key of a deleted row to another."""
    return "AUTOINCREMENT" in of_table(connection, table).upper()


def computed(sql: str) -> dict[str, str]:
    """The expressions of the generated columns in a CREATE TABLE, by the columns' names."""
    found: dict[str, str] = {}
    for definition in _definitions(sql):
        name = re.match(r'\s*(?:"((?:[^"]|"")*)"|`([^`]*)`|\[([^\]]*)\]|(\w+))', definition)
        expression = _expression(definition)
        if name is not None and expression is not None:
            found[next(group for group in name.groups() if group is not None).replace('""', '"')] = expression
    return found


def _definitions(sql: str) -> Iterator[str]:
    """The columns and constraints between the outermost parentheses."""
    depth, piece = 0, ""
    for token in _TOKEN.findall(sql):
        depth -= token == ")"
        if (depth == 1 and token == ",") or depth == 0:
            if piece:
                yield piece
            piece = ""
        else:
            piece += token
        depth += token == "("


def _expression(definition: str) -> str | None:
    """What stands in the parentheses after AS."""
    depth, before, inside = 0, "", ""
    for token in _TOKEN.findall(definition):
        depth -= token == ")"
        if depth == 0 and inside:
            return inside[1:].strip()
        if depth == 0 and token == "(" and _COMPUTED.search(before):
            inside = " "
        elif inside:
            inside += token
        if depth == 0:
            before += token
        depth += token == "("
    return None
