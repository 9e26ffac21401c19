"""What MySQL and MariaDB must not answer silently, so that the statement has to fail.

Their expressions have no RAISE. A number that is too large is an error, though, and its text has the expression, by
which the reason is known. (https://dev.mysql.com/doc/refman/8.4/en/out-of-range-and-overflow.html)
"""

from __future__ import annotations

import enum
import re
from typing import Any, Final

import sqlalchemy as sa

NUMBER: Final = 1690
"""The number of the error: ER_DATA_OUT_OF_RANGE."""
_FOUND: Final = re.compile(r"exp\(+(?P<number>\d+) \+ ")


class Refusal(enum.Enum):
    """A number whose exponential is too large for a DOUBLE, and the sentence for people."""

    UNKNOWN_ZONE = (
        710001,
        "The server does not know the time zone. Load its tables of time zones (mysql_tzinfo_to_sql "
        "/usr/share/zoneinfo | mysql mysql), or give a fixed offset: tzinfo=datetime.timezone(…).",
    )
    FAR_MOMENT = (
        710002,
        "The server knows time zones only for the moments that its TIMESTAMP can hold: from 1970, on many versions "
        "until January 2038. Give a fixed offset (tzinfo=datetime.timezone(…)), or leave the other rows out.",
    )
    CUT_TEXT = (
        710003,
        "The server would cut the aggregated text. Raise its max_allowed_packet, or aggregate fewer rows.",
    )


def refusal(reason: Refusal, operand: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """An expression that fails once it has to be computed; `operand` is what there is no answer for."""
    # rand() keeps it from being a constant, and the operand from being computed before the aggregates in that.
    variable = sa.func.rand().op("*", precedence=100)(operand.is_(None))
    return sa.func.exp(sa.literal_column(str(reason.value[0])) + variable)


def sentence(text: str) -> str | None:
    """What to tell people about an error of the number; `None` for another one."""
    found = _FOUND.search(text)
    return next((reason.value[1] for reason in Refusal if found and reason.value[0] == int(found["number"])), None)
