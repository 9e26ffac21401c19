"""Comments that are sent with a statement, for those who watch the server."""

from __future__ import annotations

from typing import Final

from sqlalchemy.engine import Dialect

from orm.exceptions import ValidationError

MOST_CHARACTERS: Final = 500


def ending(text: object) -> str:
    """What a comment adds to the end of a statement; nothing for an empty text.

    It stands between spaces: neither an executable comment of MySQL's (`/*! … */`, `/*M! … */`) nor an optimizer hint
    (`/*+ … */`) can be made of it.

    Raises:
        ValidationError: it is no text, too long, or could be anything else than a comment.
    """
    if not isinstance(text, str):
        raise _refused(f"A comment is a text, not {text!r}.", text)
    plain = str.__str__(text).strip()  # a subclass may have its own idea of itself
    if len(plain) > MOST_CHARACTERS:
        raise _refused(f"A comment has at most {MOST_CHARACTERS} characters, not {len(plain)}.", text)
    if "*/" in plain or "/*" in plain:
        raise _refused(f"A comment cannot contain '/*' or '*/', as {plain!r} does.", text)
    if not plain.isprintable():
        raise _refused(f"A comment is one line of printable characters, which {plain!r} is not.", text)
    if plain.endswith("\\"):
        raise _refused(f"A comment cannot end in a backslash, as {plain!r} does.", text)
    return f" /* {plain} */" if plain else ""


def _refused(message: str, text: object) -> ValidationError:
    return ValidationError.single("comment", message, text)


def commented(sql: str, comment: str, dialect: Dialect) -> str:
    """A statement in the driver's form with a comment at its end, as `ending` gave it."""
    if dialect.name == "mysql":  # there every percent sign that is no parameter is doubled
        comment = comment.replace("%", "%%")
    return sql + comment
