"""Source text as the formatter would leave it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

WIDTH: Final = 120
"""How long a line is."""


def quoted(text: str) -> str:
    """A text in double quotes, unless it has such."""
    made = repr(text)
    return f'"{made[1:-1]}"' if made.startswith("'") and '"' not in made else made


def escaped(sql: str) -> str:
    """SQL for `sa.text`, to which a colon before a word begins a parameter."""
    return re.sub(r"(?<!:):(?=\w)", r"\\:", sql)


def call(start: str, function: str, arguments: Sequence[str]) -> str:
    """A call in one line, or as the formatter breaks it."""
    words = [_requoted(argument) for argument in arguments]
    one = f"{start}{function}({', '.join(words)})"
    if len(one) <= WIDTH:
        return one
    inner = f"        {', '.join(words)}"
    if len(inner) <= WIDTH:
        return f"{start}{function}(\n{inner}\n    )"
    return f"{start}{function}(\n" + "".join(f"        {word},\n" for word in words) + "    )"


def _requoted(argument: str) -> str:
    """With double quotes, where `repr` made single ones."""
    found = re.fullmatch(r"((?:\w+=)?(?:sa\.text\()?)'([^'\"]*)'(\)?)", argument)
    return f'{found[1]}"{found[2]}"{found[3]}' if found else argument
