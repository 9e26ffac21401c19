"""`EXPLAIN`: how an engine is asked for the plan of a statement, and its answer as text. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from sqlalchemy.engine import Dialect

from orm.database import Table
from orm.engines import engine_name
from orm.exceptions import NotSupportedError, ValidationError

Format = Literal["text", "json", "xml", "yaml", "traditional", "tree"]
"""What a plan is written in, in the engines' own words."""

NOTHING: Final = "-- nothing is sent: no row can match"

_FORMATS: Final[Mapping[str, tuple[str, ...]]] = {
    "PostgreSQL": ("text", "json", "xml", "yaml"),
    "MySQL": ("traditional", "json", "tree"),
    "MariaDB": ("traditional", "json"),
    "SQLite": (),
}
_WORDS: Final = ("text", "json", "xml", "yaml", "traditional", "tree")
_MYSQL_ANALYZE: Final = (8, 0, 18)
"""Since which version MySQL has EXPLAIN ANALYZE; the format TREE is two versions older.
https://dev.mysql.com/doc/refman/8.4/en/explain.html"""


def words(dialect: Dialect, *, analyze: bool = False, format: str | None = None) -> str:
    """What is put before a SELECT to get its plan.

    Args:
        dialect: the engine's, as it was learnt from the server.
        analyze: run the statement and tell what was measured, too.
        format: what the plan is written in; the engine's own choice without it.

    Raises:
        ValidationError: an option has a value that no engine knows.
        NotSupportedError: the engine does not have what is asked for.
    """
    if not isinstance(analyze, bool):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError.single("analyze", f"analyze is True or False, not {analyze!r}.", analyze)
    engine = engine_name(dialect)
    _check_format(engine, format)
    if engine == "SQLite":
        if analyze:
            raise NotSupportedError("SQLite has EXPLAIN QUERY PLAN, which measures nothing. Leave analyze out.")
        return "EXPLAIN QUERY PLAN"
    if engine == "PostgreSQL":
        options = [*(["ANALYZE"] if analyze else []), *([f"FORMAT {format.upper()}"] if format else [])]
        return f"EXPLAIN ({', '.join(options)})" if options else "EXPLAIN"
    if engine == "MariaDB":
        if format == "json":
            return f"{'ANALYZE' if analyze else 'EXPLAIN'} FORMAT=JSON"
        return "ANALYZE" if analyze else "EXPLAIN EXTENDED"  # only so it says how many of the rows pass
    return _mysql_words(dialect, analyze, format)


def _check_format(engine: str, format: object) -> None:
    if format is None:
        return
    if format not in _WORDS:
        choices = ", ".join(map(repr, _WORDS))
        raise ValidationError.single("format", f"format is one of {choices} or None, not {format!r}.", format)
    known = _FORMATS[engine]
    if format not in known:
        cure = f"Choose from: {', '.join(known)}." if known else "Leave format out."
        raise NotSupportedError(f"{engine} has no plans in the format {format}. {cure}")


def _mysql_words(dialect: Dialect, analyze: bool, format: str | None) -> str:
    version: tuple[int, ...] = getattr(dialect, "server_version_info", None) or _MYSQL_ANALYZE
    if (analyze or format == "tree") and version < _MYSQL_ANALYZE:
        number = ".".join(map(str, version))
        raise NotSupportedError(f"MySQL {number} has neither EXPLAIN ANALYZE nor the format tree. MySQL 8.0.18 has.")
    if not analyze:
        return f"EXPLAIN FORMAT={(format or 'traditional').upper()}"
    if format not in (None, "tree"):
        raise NotSupportedError(f"MySQL writes what it measured as a tree, not as {format}. Choose from: tree.")
    return "EXPLAIN ANALYZE"


def text(told: Table, dialect: Dialect) -> str:
    """An engine's answer as text: lines as they are, tables aligned, SQLite's steps as a tree."""
    if dialect.name == "sqlite":
        return "\n".join(["QUERY PLAN", *_tree(told.rows)])
    if len(told.names) == 1:
        return "\n".join([_document(row[0]) for row in told.rows])
    return _aligned(told)


def _document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2)  # a host's connection may have a codec


def _tree(rows: Sequence[Sequence[Any]]) -> list[str]:
    """The steps below those they belong to, as SQLite's shell draws them. Rows are an id, a parent, … and the text."""
    children: dict[int, list[tuple[int, str]]] = {}
    for number, parent, _, detail in rows:
        children.setdefault(parent, []).append((number, detail))
    lines: list[str] = []

    def draw(parent: int, indent: str) -> None:
        steps = children.get(parent, [])
        for position, (number, detail) in enumerate(steps, 1):
            last = position == len(steps)
            lines.append(f"{indent}{'`--' if last else '|--'}{detail}")
            draw(number, indent + ("   " if last else "|  "))

    draw(0, "")
    return lines


def _aligned(told: Table) -> str:
    """A table with a line of names, its columns as wide as their longest value."""
    cells = [list(told.names), *[["NULL" if value is None else str(value) for value in row] for row in told.rows]]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [" | ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]).rstrip() for row in cells]
    lines.insert(1, "-+-".join(["-" * width for width in widths]))
    return "\n".join(lines)
