"""Where servers listen.

Rule: text to address, nothing is looked up or connected.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from strongroom.client.errors import InvalidSettings

KMIP_PORT: Final = 5696


class Address(NamedTuple):
    """A host (name, or numeric address without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, *, default_port: int = KMIP_PORT) -> Address:
    """Return the address meant by `HOST:PORT` or `[IPV6]:PORT`, port or not; raises InvalidSettings."""
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default_port)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidSettings(f"{text!r}: put an IPv6 address in brackets, as in [::1]:{default_port}")
    if not _is_host(host) or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise InvalidSettings(f"{text!r} is not an address; write HOST:PORT, as in kms.example.org:5696")
    return Address(host, int(port))


def _is_host(text: str) -> bool:
    """Tell whether a name can be looked up: Python finds out when it does, with errors of another kind."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return text != "" and text.isprintable()


def parse_servers(servers: str | Sequence[str], *, default_port: int = KMIP_PORT) -> tuple[Address, ...]:
    """Return one address or a list of them; raises InvalidSettings for none."""
    texts = (servers,) if isinstance(servers, str) else servers
    parsed = tuple(parse_address(text, default_port=default_port) for text in texts)
    if not parsed:
        raise InvalidSettings("the list of servers is empty; give at least one HOST:PORT")
    return parsed
