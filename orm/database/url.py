"""Where a database is and how it is to be used: a URL and options become two frozen, checked values."""

from __future__ import annotations

import importlib.util
import math
import re
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from types import MappingProxyType
from typing import Any, Literal, NoReturn, TypedDict, cast
from urllib.parse import unquote

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from orm.exceptions import InterfaceError

Pragma = str | int | float
Engine = Literal["sqlite", "postgresql", "mysql"]

DRIVERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"sqlite": ("aiosqlite",), "postgresql": ("asyncpg",), "mysql": ("asyncmy", "aiomysql")}
)
"""The drivers of each engine; the first that is installed serves a URL that names none."""

EXTRAS: Mapping[str, str] = MappingProxyType(
    {"aiosqlite": "sqlite", "asyncpg": "postgresql", "aiomysql": "mysql", "asyncmy": "asyncmy"}
)
"""The extra of our distribution that installs a driver."""

_ALIASES = {"postgres": "postgresql", "mariadb": "mysql"}
_SCHEMES = (
    "sqlite, sqlite+aiosqlite, postgresql, postgresql+asyncpg, postgres, mysql, mysql+aiomysql, mysql+asyncmy, "
    "mariadb, mariadb+aiomysql, mariadb+asyncmy"
)
_SOCKETS = {"postgresql": "host", "mysql": "unix_socket"}
"""The word of a URL's query that names a socket; PostgreSQL's is a directory, MySQL's the socket itself."""
_SQLITE_WORDS = {"mode": ("ro", "rw", "rwc"), "immutable": ("0", "1")}
"""What SQLite itself understands in the query of a file's URL (https://sqlite.org/uri.html)."""


@dataclass(frozen=True, slots=True)
class DatabaseURL:
    """A parsed URL; its repr and `str()` show no password, and one with a password is not pickled.

    Attributes:
        engine: `sqlite`, `postgresql` or `mysql` (MariaDB, too).
        driver: the module that speaks to it: `aiosqlite`, `asyncpg`, `aiomysql` or `asyncmy`.
        username: the user, or `None` for the driver's default.
        password: the password, or `None`.
        host: the host's name or address; `None` for a file, a socket or the driver's default.
        port: the port, or `None` for the engine's.
        database: the database's name; for SQLite the file's path or `:memory:`.
        socket: the path of a Unix socket (MySQL) or of the directory it is in (PostgreSQL), or `None`.
        parameters: what SQLite itself is told about the file: `mode` and `immutable`.
    """

    engine: Engine
    driver: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int | None = None
    database: str | None = None
    socket: str | None = None
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType(dict[str, str]()), hash=False)

    @property
    def is_memory(self) -> bool:
        """Whether it is an SQLite database in memory."""
        return self.engine == "sqlite" and self.database == ":memory:"

    def __str__(self) -> str:
        user = self.username or ""
        if self.password is not None:
            user += ":***"
        host = f"[{self.host}]" if self.host is not None and ":" in self.host else self.host or ""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.engine}+{self.driver}://{user}{'@' if user else ''}{host}{port}/{self.database or ''}"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A DatabaseURL is not pickled: it may hold a password. Send where the URL is to be found.")


class OptionValues(TypedDict, total=False):
    """The options of `Database(url, **options)`, as they are written; `Options` explains them."""

    min_size: int
    max_size: int
    timeout: float
    connect_timeout: float
    max_lifetime: float | None
    idle_timeout: float | None
    statement_cache: int
    query_timeout: float | None
    pgbouncer: bool
    force_rollback: bool
    reset: Literal["touched", "always"]
    ssl: ssl.SSLContext | bool | Literal["disable", "require", "verify-full"] | None
    pragmas: Mapping[str, Pragma] | None


@dataclass(frozen=True, slots=True)
class Options:
    """How a database is used: the checked options of the URL's query and of `Database()`; times are in seconds.

    Attributes:
        min_size: how many connections are kept open.
        max_size: how many connections there may be; on SQLite one of them writes and the others read.
        timeout: how long to wait for a connection, and on SQLite for another process's lock.
        connect_timeout: how long making a connection may take.
        max_lifetime: the age at which a connection is replaced (each one up to a tenth earlier), or `None`.
        idle_timeout: how long a connection may lie unused before it is closed, or `None`.
        statement_cache: how many prepared statements a connection keeps (PostgreSQL, SQLite).
        query_timeout: how long a statement may take, or `None` for as long as it wants.
        pgbouncer: connections go through PgBouncer in transaction mode: nothing is prepared, and statements that
            change the session are refused (PostgreSQL).
        force_rollback: everything happens in one transaction that is rolled back at disconnecting: for tests. Blocks
            are savepoints then, so their `isolation`, `read_only` and `deferrable` are accepted and not applied.
        reset: which connections are reset before somebody else uses them: `touched` ones, or `always` all.
        ssl: a context, `False` for no TLS, or `None` for what the driver does by itself. Written as `require` it is
            a context that checks nothing, as `verify-full` or `True` one that checks the server's certificate.
        pragmas: PRAGMAs set on every connection (SQLite).
    """

    min_size: int = 1
    max_size: int = 10
    timeout: float = 10.0
    connect_timeout: float = 10.0
    max_lifetime: float | None = 3600.0
    idle_timeout: float | None = 600.0
    statement_cache: int = 100
    query_timeout: float | None = None
    pgbouncer: bool = False
    force_rollback: bool = False
    reset: Literal["touched", "always"] = "touched"
    ssl: SSLContext | Literal[False] | None = None
    pragmas: Mapping[str, Pragma] = field(default_factory=lambda: MappingProxyType(dict[str, Pragma]()), hash=False)


_ENGINES_OF = {
    "statement_cache": ("sqlite", "postgresql"),
    "pgbouncer": ("postgresql",),
    "ssl": ("postgresql", "mysql"),
    "pragmas": ("sqlite",),
}
"""The engines that can honour an option, where not all can."""


def parse(url: str, options: Mapping[str, Any] | None = None) -> tuple[DatabaseURL, Options]:
    """Read a URL and the options beside it; an option given in both places is taken from `options`.

    Raises:
        InterfaceError: the URL cannot be read, names an unknown engine, driver or option, an option has a value it
            cannot have or means nothing to the engine, or the driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError, AttributeError):  # theirs may quote a part of the password
        _refuse("The database's URL cannot be read. Write engine://user:password@host:port/name, percent-encoded.")
    engine, driver = _engine_and_driver(parsed.drivername)
    host = parsed.host or None
    if "@" in (host or ""):
        _refuse("The database's URL has an @ in its password. Write it percent-encoded: %40.")
    words: dict[str, str] = {}
    for word, value in parsed.query.items():
        if not isinstance(value, str):
            _refuse(f"The database's URL has {word!r} more than once.")
        words[word] = value
    socket = words.pop(_SOCKETS[engine], None) if engine in _SOCKETS else None
    if socket is not None and not socket.startswith("/"):
        _refuse(f"The database's URL names the socket {socket!r}, which must be an absolute path.")
    database = unquote(parsed.database) if parsed.database else None
    if engine == "sqlite":
        if host is not None:
            _refuse(f"An SQLite URL has no host; a file's is written sqlite:///{host}, an absolute path with four /.")
        database = database or ":memory:"
    address = DatabaseURL(
        engine,
        driver,
        parsed.username,
        None if parsed.password is None else str(parsed.password),
        host,
        parsed.port,
        database,
        socket,
        MappingProxyType(_sqlite_parameters(words) if engine == "sqlite" else {}),
    )
    given = {word: _from_text(word, text) for word, text in words.items()}
    return address, check_options(engine, {**given, **(options or {})})


def parse_host(url: Any, options: Mapping[str, Any]) -> tuple[DatabaseURL, Options]:
    """The same for the `databases.Database` of somebody else, whose connections are made by him.

    Args:
        url: its `databases.DatabaseURL`.
        options: ours; those that say how a connection is made are his.

    Raises:
        InterfaceError: an option is unknown, or has a value it cannot have, or is his.
    """
    for name in ("ssl", "statement_cache", "pgbouncer", "pragmas", "max_lifetime"):
        if name in options:
            _refuse(f"The option {name!r} is for connections of our own. Give it to the databases.Database.")
    engine: Any = _ALIASES.get(url.dialect, url.dialect)
    driver = url.driver or DRIVERS.get(engine, ("",))[-1]
    address = DatabaseURL(engine, driver, url.username, None, url.hostname, url.port, url.database or ":memory:")
    return address, check_options(engine, options)


def check_options(engine: str, values: Mapping[str, Any]) -> Options:
    """The options as a checked value. Raises `InterfaceError` for one that is unknown or cannot be honoured."""
    checked: dict[str, Any] = {}
    for name, value in values.items():
        check = _CHECKS.get(name)
        if check is None:
            _refuse(f"There is no option {name!r}. Choose from: {', '.join(sorted(_CHECKS))}.")
        engines = _ENGINES_OF.get(name)
        if engines is not None and engine not in engines:
            _refuse(f"The option {name!r} means nothing to {engine}, only to {' and '.join(engines)}.")
        try:
            checked[name] = check(value)
        except ValueError as error:
            _refuse(f"The option {name!r} must be {error}.")
    options = Options(**checked)
    if options.min_size > options.max_size:
        _refuse(f"The option 'min_size' ({options.min_size}) is greater than 'max_size' ({options.max_size}).")
    return options


def _engine_and_driver(scheme: str) -> tuple[Engine, str]:
    name, _, driver = scheme.partition("+")
    engine: Any = _ALIASES.get(name, name)
    if engine not in DRIVERS or (driver and driver not in DRIVERS[engine]):
        _refuse(f"There is no database engine or driver {scheme!r}. Choose from: {_SCHEMES}.")
    if not driver:
        driver = next(filter(_is_installed, DRIVERS[engine]), DRIVERS[engine][-1])
    if not _is_installed(driver):
        _refuse(f'The driver {driver} is not installed. Install it with: pip install "aorm[{EXTRAS[driver]}]"')
    return cast("Engine", engine), driver


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def _sqlite_parameters(words: dict[str, str]) -> dict[str, str]:
    """Take SQLite's own words out of a URL's query."""
    parameters: dict[str, str] = {}
    for word, choices in _SQLITE_WORDS.items():
        if word in words:
            parameters[word] = words.pop(word)
            if parameters[word] not in choices:
                _refuse(f"An SQLite URL's {word!r} must be one of {_listed(choices)}, not {parameters[word]!r}.")
    return parameters


_WORDS: Mapping[str, bool | None] = {
    "true": True,
    "yes": True,
    "on": True,
    "false": False,
    "no": False,
    "off": False,
    "none": None,
}


def _from_text(name: str, text: str) -> object:
    """The value that a text in a URL's query stands for."""
    if name == "pragmas":
        pairs = [pair.partition(":") for pair in text.split(",") if pair]
        return {pragma: _from_text("", value) if value.isdigit() else value for pragma, _, value in pairs}
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


def _count(minimum: int) -> Callable[[object], int]:
    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
            raise ValueError(f"a whole number of at least {minimum}, not {value!r}")
        return value

    return check


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"a number of seconds greater than 0, not {value!r}")
    return float(value)


def _seconds_or_none(value: object) -> float | None:
    return None if value is None else _seconds(value)


def _flag(value: object) -> bool:
    if value not in (True, False):
        raise ValueError(f"true or false, not {value!r}")
    return bool(value)


def _reset(value: object) -> object:
    if value not in ("touched", "always"):
        raise ValueError(f"'touched' or 'always', not {value!r}")
    return value


def _ssl(value: object) -> ssl.SSLContext | bool | None:
    if value is None or isinstance(value, ssl.SSLContext):
        return value
    if value is False or value == "disable":
        return False
    if value is True or value == "verify-full":
        return ssl.create_default_context()
    if value == "require":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    raise ValueError(f"'disable', 'require', 'verify-full' or an ssl.SSLContext, not {value!r}")


def _pragmas(value: object) -> Mapping[str, Pragma]:
    if value is None:
        value = dict[str, Pragma]()
    if not isinstance(value, Mapping):
        raise ValueError(f"a mapping of names and values, not {value!r}")
    pragmas: dict[str, Pragma] = {}
    for name, setting in cast("Mapping[object, Any]", value).items():
        # Both are written into SQL: PRAGMA takes no parameters.
        if not re.fullmatch(r"[A-Za-z_]+", str(name)) or not re.fullmatch(r"[\w.+-]+", str(setting)):
            raise ValueError(f"a mapping of names and plain values, not {name!r}: {setting!r}")
        pragmas[str(name)] = setting
    return MappingProxyType(pragmas)


_CHECKS: Mapping[str, Callable[[object], object]] = {
    "min_size": _count(0),
    "max_size": _count(1),
    "timeout": _seconds,
    "connect_timeout": _seconds,
    "max_lifetime": _seconds_or_none,
    "idle_timeout": _seconds_or_none,
    "statement_cache": _count(0),
    "query_timeout": _seconds_or_none,
    "pgbouncer": _flag,
    "force_rollback": _flag,
    "reset": _reset,
    "ssl": _ssl,
    "pragmas": _pragmas,
}


def _listed(choices: Iterable[str]) -> str:
    return ", ".join(map(repr, choices))


def _refuse(message: str) -> NoReturn:
    raise InterfaceError(message) from None
