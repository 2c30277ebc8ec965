"""Addresses as people write them: HOST:PORT, IPv6 in brackets.

Rule: text to address and back, and nothing is looked up but in `resolve`.
"""

import ipaddress
import socket
from typing import Final, NamedTuple

from strongroom.server.errors import OperatorError

OFF: Final = "off"
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 (named so as to recognise them)


class Address(NamedTuple):
    """A host (name or numeric address, without brackets) and a port; port 0 asks for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def wildcard(self) -> bool:
        """Tell whether this means every interface."""
        return self.host in WILDCARDS


class Listening(NamedTuple):
    """Where a server listens; None for a listener that is off."""

    kmip: Address | None
    https: Address | None

    def __str__(self) -> str:
        """Return what the ready line says."""
        return " ".join(f"{name}={address}" for name, address in self._asdict().items() if address)


def parse_listening(text: str) -> Address | None:
    """Return an address, None for `off`; raises ValueError."""
    return None if text == OFF else parse_address(text)


def parse_address(text: str) -> Address:
    """Return the address that `text` (HOST:PORT, [IPV6]:PORT) means; raises ValueError."""
    host, colon, port_text = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        ipaddress.IPv6Address(host)
    elif ":" in host:
        raise ValueError(f"{text!r}: put an IPv6 address in brackets, as in [::1]:5696")
    if not colon or not host:
        raise ValueError(f"{text!r} is not HOST:PORT, as in 127.0.0.1:5696")
    if not (port_text.isascii() and port_text.isdigit() and int(port_text) < 65536):
        raise ValueError(f"{text!r}: the port is a number from 0 to 65535")
    return Address(host, int(port_text))


def counted_as(host: str) -> str:
    """Return what limits by address count a numeric address as: in IPv6 the network (/64) that everybody has
    at least, with more addresses than there could be counts; IPv4 in IPv6 as IPv4."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def resolve(address: Address) -> tuple[socket.AddressFamily, Address]:
    """Return family and numeric form of a listening address, IPv4 first; raises OperatorError."""
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        raise OperatorError(
            f"cannot listen on {address}: {address.host!r} is no address of this machine ({error.strerror}); "
            "set `listen` to one that it has"
        ) from error
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, _, _, _, where = found[0]
    return family, Address(str(where[0]), int(where[1]))
