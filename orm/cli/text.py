"""Source text as the formatter would leave it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orm.wording import as_text

WIDTH: Final = 120
"""How long a line is."""


def quoted(text: str) -> str:
    """A text in double quotes, or in single ones if that takes fewer escapes."""
    body = repr("'\"" + text)[4:-1]  # without the two, which make sure of single quotes
    if text.count('"') > text.count("'"):
        return f"'{body}'"
    return '"' + body.replace("\\'", "'").replace('"', '\\"') + '"'


def sql_text(sql: str) -> Nested:
    """`sa.text` of SQL as it is."""
    return Nested("sa.text(", (quoted(as_text(sql)),))


@dataclass(frozen=True)
class Nested:
    """A call, or a list, that the formatter may break into lines.

    Attributes:
        start: what stands before the arguments, the bracket too.
        arguments: what stands in the brackets.
        end: the closing bracket.
    """

    start: str
    arguments: Sequence[str | Nested]
    end: str = ")"

    def __str__(self) -> str:
        return f"{self.start}{', '.join(map(str, self.arguments))}{self.end}"


def broken(item: str | Nested, indent: int, tail: str = "") -> list[str]:
    """The lines of a call or a list, behind which stands `tail`."""
    margin = " " * indent
    one = f"{margin}{item}{tail}"
    if isinstance(item, str) or len(one) <= WIDTH:
        return [one]
    inner = f"{margin}    {', '.join(map(str, item.arguments))}"
    if len(inner) <= WIDTH and item.end == ")":
        lines = [inner]
    else:
        lines = [line for part in item.arguments for line in broken(part, indent + 4, ",")]
    return [f"{margin}{item.start}", *lines, f"{margin}{item.end}{tail}"]


def call(start: str, function: str, arguments: Sequence[str]) -> str:
    """A field in one line, or as the formatter breaks it."""
    item = Nested(f"{start.lstrip()}{function}(", [_requoted(argument) for argument in arguments])
    return "\n".join(broken(item, 4))


def _requoted(argument: str) -> str:
    """With double quotes, where `repr` made single ones."""
    found = re.fullmatch(r"((?:\w+=)?(?:sa\.text\()?)'([^'\"]*)'(\)?)", argument)
    return f'{found[1]}"{found[2]}"{found[3]}' if found else argument
