"""SQL that databases keep of constraints and indexes, read as words: to compare it, and to find its parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

_REST: Final = r"""
    | (?P<quoted>"(?:[^"]|"")*"|`(?:[^`]|``)*`)
    | (?P<word>[^\W\d][\w$]*)
    | \d+(?:\.\d+)?
    | \S
"""
_STANDARD: Final = re.compile(r"'(?:[^']|'')*'" + _REST, re.VERBOSE | re.DOTALL)
_ESCAPING: Final = re.compile(r"'(?:[^'\\]|''|\\.)*'" + _REST, re.VERBOSE | re.DOTALL)
"""Texts with backslashes as escapes, as MySQL writes them."""

_COLON: Final = re.compile(r"(?<!:):(?!:)|\\:")
"""One that is no part of a cast, or that `sa.text` would take a backslash from."""

_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_]*")
_OPTIONS: Final = ("include", "nulls", "with", "where", "deferrable", "using", "comment")
_BY_DEFAULT: Final = ("using", "btree")


@dataclass(frozen=True)
class Told:
    """A constraint or an index as a database tells it.

    Attributes:
        kind: `index`, `unique`, `check` or `exclude`.
        sql: what follows its name, and that of its table: `CHECK (price >= 0)`, `USING gin (title) WHERE …`.
        unique: an index is a unique one.
        prefix: what stands before INDEX on MySQL: `FULLTEXT`.
        escapes: its texts have backslashes as escapes.
    """

    kind: str
    sql: str
    unique: bool = False
    prefix: str = ""
    escapes: bool = False

    def words(self, columns: Mapping[str, str] | None = None) -> tuple[str, ...]:
        """What to compare: words without spaces, quotes and what is so by default; columns by their new names."""
        found = [word for _, word, _ in tokens(self.sql, escapes=self.escapes)]
        for index in range(len(found) - 1):
            if tuple(found[index : index + 2]) == _BY_DEFAULT:
                del found[index : index + 2]
                break
        if columns:
            found = [columns.get(word, word) for word in found]
        return (self.kind, str(self.unique), self.prefix.lower(), *found)

    def parts(self) -> Parts:
        """What it consists of."""
        found = list(tokens(self.sql, escapes=self.escapes))
        opening = next(position for position, (_, word, _) in enumerate(found) if word == "(")
        closing = _closing(found, opening)
        method = next((found[p + 1][1] for p in range(opening) if found[p][1] == "using"), None)
        options: dict[str, str] = {}
        name, begin, depth = "", 0, 0
        for start, word, end in [*found[closing + 1 :], (len(self.sql), "", len(self.sql))]:
            if depth == 0 and (word in _OPTIONS or not word):
                if name:
                    options[name] = self.sql[begin:start].strip()
                name, begin = word, end
            depth += (word == "(") - (word == ")")
        return Parts(self.sql[found[opening][2] : found[closing][0]].strip(), method, options)

    @property
    def included(self) -> list[str]:
        """The columns that it includes."""
        sql = self.parts().options.get("include")
        return [] if sql is None else [column_name(term) for term in listed(Told("", sql).parts().terms)]

    @property
    def nulls_equal(self) -> bool:
        """Whether NULL equals NULL: it stands before the columns of a constraint, and behind those of an index."""
        before = " ".join(self.sql.partition("(")[0].lower().split())
        return "nulls not distinct" in before or self.parts().options.get("nulls", "").lower().startswith("not")

    @property
    def deferrable(self) -> str | None:
        """When it is checked, if it may wait: `deferred` or `immediate` unless a transaction says otherwise."""
        told = self.parts().options.get("deferrable")
        return None if told is None else "deferred" if "deferred" in told.lower() else "immediate"


@dataclass(frozen=True)
class Parts:
    """What a constraint or an index consists of, each part in SQL.

    Attributes:
        terms: what is in its first parentheses.
        method: its access method, where it is named.
        options: what follows `include`, `nulls`, `where`, … behind them.
    """

    terms: str
    method: str | None = None
    options: Mapping[str, str] = field(default_factory=dict[str, str])


def tokens(sql: str, *, escapes: bool = False) -> Iterator[tuple[int, str, int]]:
    """Where each word begins, the word in one of its spellings, and where it ends."""
    for match in (_ESCAPING if escapes else _STANDARD).finditer(sql):
        normal, quoted = match[0], match["quoted"]
        if quoted is not None:
            name = quoted[1:-1].replace(quoted[0] * 2, quoted[0])
            normal = name if _PLAIN.fullmatch(name) else f'"{name}"'
        elif match["word"] is not None:
            normal = normal.lower()
        yield match.start(), normal, match.end()


def column_name(sql: str) -> str:
    """The name that a term begins with, without quotes."""
    word = next(tokens(sql))[1]
    return word[1:-1].replace('""', '"') if word.startswith('"') else word


def as_text(sql: str) -> str:
    """SQL for `sa.text`, to which a colon begins a parameter; where there are none but those of casts, it stays."""
    return sql.replace(":", "\\:") if _COLON.search(sql) else sql


def listed(sql: str) -> list[str]:
    """The terms of a list, each in SQL."""
    terms: list[str] = []
    begin = depth = 0
    for start, word, end in tokens(sql):
        if word == "," and depth == 0:
            terms.append(sql[begin:start].strip())
            begin = end
        depth += (word in ("(", "[")) - (word in (")", "]"))
    return [*terms, sql[begin:].strip()]


def checks_of_table(sql: str) -> dict[str, Told]:
    """The named CHECK constraints in the CREATE TABLE that SQLite keeps."""
    found = list(tokens(sql))
    checks: dict[str, Told] = {}
    for position in range(len(found) - 3):
        first, name, check, opening = [word for _, word, _ in found[position : position + 4]]
        if (first, check, opening) == ("constraint", "check", "("):
            closing = _closing(found, position + 3)
            checks[name.strip('"')] = Told("check", sql[found[position + 2][0] : found[closing][2]])
    return checks


def _closing(found: list[tuple[int, str, int]], opening: int) -> int:
    """Which of the words closes the parenthesis that one of them opens."""
    depth = 0
    for position in range(opening, len(found)):
        depth += (found[position][1] == "(") - (found[position][1] == ")")
        if depth == 0:
            return position
    return len(found) - 1
