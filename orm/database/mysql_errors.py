"""Errors of MySQL, MariaDB and their drivers in our form, by number.

Sources: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html and
https://mariadb.com/kb/en/mariadb-error-code-reference/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from orm.database import mysql_refusals
from orm.database.interfaces import FeatureNotSupported
from orm.exceptions import (
    CheckViolation,
    DatabaseError,
    DataError,
    DeadlockDetected,
    Error,
    ForeignKeyViolation,
    IntegrityError,
    LockTimeout,
    NotNullViolation,
    OperationalError,
    ProgrammingError,
    QueryTimeout,
    SerializationFailure,
    UniqueViolation,
)

_KINDS: Iterable[tuple[type[Error], tuple[int, ...]]] = (
    (UniqueViolation, (1022, 1062, 1169, 1586, 1859)),
    (ForeignKeyViolation, (1216, 1217, 1451, 1452, 1557, 1761, 1762)),
    (NotNullViolation, (1048, 1263, 1364)),
    (CheckViolation, (1369, 3819, 4025)),  # 1369: WITH CHECK OPTION of a view
    (SerializationFailure, (1020,)),
    (DeadlockDetected, (1213, 1614, 3058)),
    (LockTimeout, (1205, 3572)),
    (QueryTimeout, (1969, 3024)),
    (
        DataError,
        (1138, 1139, 1264, 1265, 1292, 1365, 1366, 1367, 1406, 1411, 1416, 1425, 1426, 1427, 1441, 1690, 1977, 3140),
    ),
    (DataError, (1153, 3141, 3156, 3751, 3903, 4037, 4038, 4078)),
    (FeatureNotSupported, (1178, 1221, 1235, 1286, 1289, 1295, 1845, 1846)),
    (ProgrammingError, (1007, 1008, 1044, 1045, 1046, 1049, 1050, 1051, 1052, 1054, 1055, 1056, 1059, 1060, 1061)),
    (
        ProgrammingError,
        (1063, 1064, 1065, 1066, 1067, 1068, 1069, 1070, 1071, 1072, 1074, 1075, 1090, 1091, 1093, 1096),
    ),
    (
        ProgrammingError,
        (1101, 1102, 1103, 1104, 1109, 1110, 1111, 1112, 1113, 1115, 1118, 1120, 1136, 1140, 1142, 1143),
    ),
    (
        ProgrammingError,
        (1146, 1147, 1149, 1166, 1170, 1171, 1176, 1191, 1193, 1222, 1227, 1228, 1231, 1232, 1239, 1241),
    ),
    (
        ProgrammingError,
        (1242, 1243, 1247, 1248, 1250, 1253, 1267, 1273, 1304, 1305, 1318, 1327, 1356, 1359, 1360, 1370),
    ),
    (ProgrammingError, (1390, 1394, 1415, 1422, 1471, 1553, 1568, 1582, 1630, 1792, 1828, 1829, 1830, 1834, 3730)),
    (ProgrammingError, (1005, 1215, 1822, 1824, 1825, 1826, 3734, 3780, 3821, 3822, 4161)),  # constraints in DDL
    (IntegrityError, (1761, 1762)),
)
_NUMBERS: Mapping[int, type[Error]] = {number: kind for kind, numbers in reversed(tuple(_KINDS)) for number in numbers}

_CLASSES: Mapping[str, type[Error]] = {
    "IntegrityError": IntegrityError,
    "DataError": DataError,
    "ProgrammingError": ProgrammingError,
    "NotSupportedError": FeatureNotSupported,
    "OperationalError": OperationalError,
}
"""For numbers that are not listed: the driver's class."""

_CURES: Mapping[int, str] = {
    1191: "Make one with CREATE FULLTEXT INDEX … ON table (column).",
}
"""What is possible, where the server's message does not say it."""

_LOST = frozenset({0, 1053, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 2014, 2027, 2055, 4031})
_ENDS_TRANSACTION = frozenset({1020, 1213, 1614})

_KEY = re.compile(r"for key '(?:(?P<table>[^'.]+)\.)?(?P<constraint>[^']+)'$")
_FOREIGN_KEY = re.compile(
    r"\(`(?:[^`]|``)+`\.`(?P<table>(?:[^`]|``)+)`, CONSTRAINT `(?P<constraint>(?:[^`]|``)+)`"
    r" FOREIGN KEY \((?P<columns>.+?)\) REFERENCES"
)
_COLUMN = re.compile(r"(?:Column|Field|column) '(?P<column>[^']+)'")
_CHECK = re.compile(r"[`'](?P<constraint>[^`']+)[`'](?: failed for (?:`[^`]+`\.)?`(?P<table>[^`]+)`)?")


def number_of(error: BaseException) -> int | None:
    """The server's or client's number of a driver's error, or `None`."""
    arguments: tuple[Any, ...] = error.args
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def is_lost(error: BaseException) -> bool:
    """Whether the error says that the connection is gone or out of step."""
    number = number_of(error)
    return number in _LOST or (number is None and type(error).__name__ in {"InterfaceError", "InternalError"})


def translate(error: BaseException) -> Error:
    """Our error for one that the server answered a statement with."""
    number = number_of(error)
    arguments: tuple[Any, ...] = error.args
    text = str(arguments[1]) if number is not None and len(arguments) > 1 else str(error)
    refused = mysql_refusals.sentence(text) if number == mysql_refusals.NUMBER else None
    if refused is not None:
        return FeatureNotSupported(refused)
    kind = _NUMBERS.get(number or 0) or _CLASSES.get(type(error).__name__, DatabaseError)
    message = f"{text} ({number})" if number is not None else text
    if number is not None and number in _CURES:
        message = f"{message}. {_CURES[number]}"
    if issubclass(kind, IntegrityError):
        return kind(message, **_names(kind, text))
    translated = kind(message)
    if isinstance(translated, DatabaseError):
        translated.ends_transaction = number in _ENDS_TRANSACTION
    return translated


def _names(kind: type[IntegrityError], text: str) -> dict[str, Any]:
    """What the text names: there are no other diagnostics."""
    if issubclass(kind, UniqueViolation):
        match = _KEY.search(text)
    elif issubclass(kind, ForeignKeyViolation):
        match = _FOREIGN_KEY.search(text)
    elif issubclass(kind, NotNullViolation):
        match = _COLUMN.search(text)
    else:
        match = _CHECK.search(text)
    if match is None:
        return {}
    names = match.groupdict()
    column = names.pop("column", None)
    columns = names.pop("columns", None)
    if columns is not None:
        return {**names, "columns": [quoted.replace("``", "`") for quoted in re.findall(r"`((?:[^`]|``)+)`", columns)]}
    return {**names, "columns": [column] if column is not None else []}
