"""SQL that people write: where its `:name` parameters are, and what can be told from its words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_QUOTED = {
    "sqlite": r"'(?:[^']|'')*' | \"(?:[^\"]|\"\")*\" | `[^`]*` | \[[^\]]*\] | --[^\n]*",
    "postgresql": r"\b[Ee]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | \"(?:[^\"]|\"\")*\" | --[^\n]*"
    r" | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)",
    "mysql": r"'(?:[^'\\]|\\.|'')*' | \"(?:[^\"\\]|\\.|\"\")*\" | `[^`]*` | --(?=\s|\Z)[^\n]* | \#[^\n]*",
}
"""What cannot contain a parameter: strings, quoted names and comments, as each engine reads them."""

_TOKENS = {
    engine: re.compile(
        rf"(?P<quoted>{quoted} | /\*.*?\*/) | (?P<escaped>\\:) | (?P<cast>::) | (?<!\w):(?P<name>[A-Za-z_]\w*)",
        re.VERBOSE | re.DOTALL,
    )
    for engine, quoted in _QUOTED.items()
}

_FIRST_WORD = re.compile(r"(?:\s+|--[^\n]*\n|/\*.*?\*/|\()*(\w+)", re.DOTALL)
_READING = frozenset({"select", "values", "explain", "with"})
_GIVING_ROWS = _READING | frozenset({"pragma", "show", "describe", "desc", "table", "call", "execute", "fetch"})
_PLAIN = _READING | frozenset({"insert", "update", "delete", "replace", "merge"})
_CHANGING_SESSION = frozenset({"set", "reset", "listen", "unlisten", "discard", "prepare", "deallocate", "load"})

_WRITERS_STATE = re.compile(r"\b(?:last_insert_rowid|changes|total_changes|temp|temporary|sqlite_temp_\w+)\b", re.I)
_SESSIONS_STATE = re.compile(r"set_config|advisory|get_lock", re.I)
_TEMPORARY = re.compile(
    r"\bcreate\s+(?:or\s+replace\s+)?(?:local\s+|global\s+)?temp(?:orary)?\s+(?:table|view|sequence)\s+"
    r"(?:if\s+not\s+exists\s+)?(?:\w+\.)?[\"`\[]?(\w+)",
    re.I,
)
_RETURNING = re.compile(r"\breturning\b", re.I)
_LOCAL = re.compile(r"\s*set\s+(?:local|transaction|constraints)\b|pg_(?:try_)?advisory_xact", re.I)


@dataclass(frozen=True, slots=True)
class Words:
    """What can be told from the words of SQL.

    Attributes:
        operation: its first word, in lower case.
        reads: a connection that only reads can run it.
        gives_rows: it answers with rows.
        touches: it may change the state of the session.
        outlives: what it changes in the session outlives the transaction, so that PgBouncer cannot carry it.
        temporary: the name of the temporary object it makes, or `None`.
    """

    operation: str
    reads: bool
    gives_rows: bool
    touches: bool
    outlives: bool
    temporary: str | None


def classify(sql: str) -> Words:
    """Tell what can be told from the words of SQL; when in doubt it writes and touches."""
    first = _FIRST_WORD.match(sql)
    operation = first.group(1).lower() if first else ""
    temporary = _TEMPORARY.search(sql) if operation == "create" else None
    locks = _SESSIONS_STATE.search(sql) is not None
    changes = operation in _CHANGING_SESSION or temporary is not None or locks
    return Words(
        operation=operation,
        reads=operation in _READING and not _WRITERS_STATE.search(sql),
        gives_rows=operation in _GIVING_ROWS or _RETURNING.search(sql) is not None,
        touches=operation not in _PLAIN or locks,
        outlives=changes and not _LOCAL.search(sql),
        temporary=temporary.group(1) if temporary else None,
    )


@dataclass(frozen=True, slots=True)
class Template:
    """SQL with the driver's placeholders, and the names of the values for them, in order."""

    sql: str
    names: tuple[str, ...]


_PLACEHOLDERS: Mapping[str, str] = {"qmark": "?", "format": "%s"}


def read(sql: str, engine: str, paramstyle: str) -> Template:
    r"""Replace `:name` by the driver's placeholders, outside of strings, quoted names and comments.

    `::` is a cast, and `\:` a colon. With the paramstyle `format` percent signs are doubled everywhere. With
    `numeric_dollar` a name that occurs twice is one parameter.
    """
    names: list[str] = []
    pieces: list[str] = []
    end = 0
    double = paramstyle == "format"
    for token in _TOKENS[engine].finditer(sql):
        between = sql[end : token.start()]
        end = token.end()
        name = token.group("name")
        if name is None:
            text = between + (":" if token.group("escaped") else token.group())
            pieces.append(text.replace("%", "%%") if double else text)
            continue
        pieces.append(between.replace("%", "%%") if double else between)
        if paramstyle == "numeric_dollar":
            if name not in names:
                names.append(name)
            pieces.append(f"${names.index(name) + 1}")
        else:
            names.append(name)
            pieces.append(_PLACEHOLDERS[paramstyle])
    rest = sql[end:]
    pieces.append(rest.replace("%", "%%") if double else rest)
    return Template("".join(pieces), tuple(names))
