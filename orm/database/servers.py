"""What the drivers of server databases have in common: sockets, refused connections, options of BEGIN."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from orm.database.interfaces import BeginOptions, Capabilities
from orm.database.url import DatabaseURL
from orm.exceptions import ConnectionLost, NotSupportedError

CLOSE_TIMEOUT = 1.0
"""How long closing in good order may take, in seconds; afterwards the socket is closed without ado."""

_PORTS = {"postgresql": 5432, "mysql": 3306}
_KEEPALIVE = (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 60_000))
"""A silent peer is noticed after a minute: by probes while we wait, by its missing acknowledgement when we sent."""


def keep_alive(transport: Any) -> None:
    """Let the kernel notice a peer that went away without a word; does nothing for a Unix socket."""
    connected = transport.get_extra_info("socket")
    if connected is None or connected.family not in (socket.AF_INET, socket.AF_INET6):
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        option = getattr(socket, name, None)  # not every system has every one
        if option is not None:
            connected.setsockopt(socket.IPPROTO_TCP, option, value)


def shut(transport: Any) -> None:
    """Close the socket of a transport whose event loop is gone: the transport's own methods need the loop."""
    if transport is None:
        return
    connected: Any = transport.get_extra_info("socket")
    if connected is None:
        return
    with contextlib.suppress(OSError):  # closed already
        duplicate = socket.socket(fileno=os.dup(connected.fileno()))
        try:
            duplicate.shutdown(socket.SHUT_RDWR)
        finally:
            duplicate.close()
    with contextlib.suppress(RuntimeError):  # "Event loop is closed": what comes before is what we want
        transport.abort()
    # A transport warns when it is collected with a socket; its own way to drop it is a callback of the loop.
    inner = getattr(transport, "_sock", None)
    if inner is not None:
        with contextlib.suppress(OSError):
            inner.close()
        transport._sock = None


def unreachable(url: DatabaseURL, engine: str, error: BaseException, cure: str) -> ConnectionLost:
    """The error for a connection that could not be made; names whom and where, never the password."""
    address = f"{url.host or 'localhost'}:{url.port or _PORTS[url.engine]}"
    place = url.socket if url.socket is not None else address
    user = f" as {url.username}" if url.username else ""
    database = f", database {url.database!r}" if url.database else ""
    reason = " ".join(str(error).split()) or type(error).__name__
    return ConnectionLost(f"Cannot connect to {engine} at {place}{user}{database}: {reason.rstrip('.')}. {cure}")


def isolation_level(options: BeginOptions, capabilities: Capabilities, engine: str) -> str | None:
    """The isolation level in SQL's spelling. Raises `NotSupportedError` for one that the engine does not have."""
    if options.isolation is None:
        return None
    level = options.isolation.upper().replace("_", " ")
    if level not in capabilities.isolation_levels:
        choices = ", ".join(sorted(capabilities.isolation_levels))
        raise NotSupportedError(f"{engine} has no isolation level {options.isolation!r}. Choose from: {choices}.")
    return level
