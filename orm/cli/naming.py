"""Names in Python for tables, columns and values of enumerations."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable

from orm.declaration import check_name
from orm.exceptions import FieldError
from orm.models import Model


def class_name(table: str) -> str:
    """`invoice_line` becomes `InvoiceLine`; a name that is none in Python gets one."""
    words = [word for word in re.split(r"[^0-9A-Za-z]+", table) if word]
    name = "".join(word[0].upper() + word[1:] for word in words) or "Table"
    return f"Table{name}" if name[0].isdigit() or keyword.iskeyword(name) else name


def field_name(column: str) -> str:
    """A name that a field can have: the column's own, where it can."""
    if _is_possible(column):
        return column
    name = re.sub(r"_+", "_", re.sub(r"\W", "_", column, flags=re.ASCII)).strip("_").lower() or "column"
    if name[0].isdigit():
        name = f"column_{name}"
    return name if _is_possible(name) else f"{name}_column"


def _is_possible(name: str) -> bool:
    if not name.isidentifier() or keyword.iskeyword(name):
        return False
    try:
        check_name("", name, Model)
    except FieldError:
        return False
    return True


def member_name(value: str) -> str:
    """The name of a member of an enumeration, by its value."""
    name = re.sub(r"\W+", "_", value, flags=re.ASCII).strip("_").upper() or "EMPTY"
    return f"VALUE_{name}" if name[0].isdigit() or name == "MRO" else name


def free(name: str, taken: Iterable[str]) -> str:
    """The name, with a number if it is taken."""
    used = set(taken)
    made, number = name, 2
    while made in used:
        made, number = f"{name}_{number}", number + 1
    return made
