"""Addresses and networks of PostgreSQL: their types, and what contains what.

https://www.postgresql.org/docs/current/datatype-net-types.html
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from pydantic_core import CoreSchema, core_schema
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from orm import operators
from orm.operators import Operator, only_on_postgresql, postgresql_infix
from orm.specs import FieldSpec
from orm.types import Processor

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_CURES: Final[Mapping[str, str]] = {
    "inet": "orm.IPAddress() keeps an address on every database, and a text one with its prefix.",
    "cidr": "Keep the network as a text.",
    "macaddr": "Keep it as a text: orm.String(max_length=17).",
}
_IMPLEMENTATIONS: Final[Mapping[str, Callable[[], TypeEngine[Any]]]] = {
    "inet": postgresql.INET,
    "cidr": postgresql.CIDR,
    "macaddr": postgresql.MACADDR,
}
_MAC: Final = re.compile(r"[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}", re.IGNORECASE)


class NetworkType(TypeDecorator[Any]):
    """An address with its prefix (`inet`), a network (`cidr`) or the address of a device (`macaddr`).

    On PostgreSQL only.
    """

    impl = postgresql.INET
    cache_ok = True

    def __init__(self, of: str) -> None:
        super().__init__()
        self.of = of

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        only_on_postgresql(dialect, self.of, _CURES[self.of])
        return _IMPLEMENTATIONS[self.of]()

    def bind_processor(self, dialect: Dialect) -> None:
        return None  # the driver takes Python's

    def result_processor(self, dialect: Dialect, coltype: object) -> Processor | None:
        if self.of != "inet":
            return None
        return lambda value: None if value is None else ipaddress.ip_interface(value)  # one without a prefix has none


def core(of: str) -> CoreSchema:
    """pydantic's core schema of a value, which is a text in JSON."""
    if of == "macaddr":
        return core_schema.no_info_after_validator_function(_mac, core_schema.str_schema(strict=True))
    check = _CHECKS[of]
    return core_schema.json_or_python_schema(
        core_schema.no_info_after_validator_function(check, core_schema.str_schema()),
        core_schema.no_info_plain_validator_function(check),
        serialization=core_schema.to_string_ser_schema(),
    )


def _interface(value: Any) -> Interface:
    if isinstance(value, (ipaddress.IPv4Interface, ipaddress.IPv6Interface)):
        return value
    if isinstance(value, (str, ipaddress.IPv4Address, ipaddress.IPv6Address)):
        try:
            return ipaddress.ip_interface(value)
        except ValueError:
            pass
    raise ValueError("an address is wanted, perhaps with a prefix, such as ip_interface('10.0.0.1/8')")


def _network(value: Any) -> Network:
    if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return value
    if isinstance(value, str):
        try:
            return ipaddress.ip_network(value)
        except ValueError:
            pass
    raise ValueError("a network without bits to the right of its prefix is wanted, such as ip_network('10.0.0.0/8')")


def _mac(value: str) -> str:
    if _MAC.fullmatch(value) is None:
        raise ValueError("the address of a device is wanted, such as '08:00:2b:01:02:03'")
    return value.replace("-", ":").lower()


_CHECKS: Final[Mapping[str, Callable[[Any], Any]]] = {"inet": _interface, "cidr": _network}


def _any(value: Any) -> Interface | Network:
    """An address or a network."""
    if isinstance(value, (ipaddress.IPv4Network, ipaddress.IPv6Network)):
        return value
    return _interface(value)


def _any_core(spec: FieldSpec) -> CoreSchema:
    return core_schema.no_info_plain_validator_function(_any)


def _any_sent(dialect: Dialect, kind: TypeEngine[Any], variant: object) -> TypeEngine[Any]:
    return cast("TypeEngine[Any]", NetworkType("inet"))


for _name, _symbol in (("contains", ">>="), ("contained_by", "<<="), ("overlap", "&&")):
    operators.add(
        Operator(
            _name,
            postgresql_infix(_symbol, "networks", _CURES["cidr"]),
            kinds=frozenset({"inet", "cidr"}),
            core=_any_core,
            sent=_any_sent,
            expressions=True,
        )
    )
