"""The server under test, and who speaks to it.

Rule: a Target is what a client profile says, nothing more; it opens no connection.
"""

import ssl
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

KMIP_PORT: Final = 5696
HTTPS_PORT: Final = 5697


class BadProfile(ValueError):
    """The profile file cannot be used; the message says what to change."""


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One client's view of the server: `profile.toml` as `client enrol` writes it."""

    path: Path
    servers: tuple[Address, ...]
    https: Address | None
    cert: Path
    key: Path
    ca: Path
    username: str | None = None
    password: bytes | None = None

    def __repr__(self) -> str:
        return f"Target({self.path})"  # never the password

    def context(self) -> ssl.SSLContext:
        """Return the TLS parameters: 1.2 or newer, the client certificate, the server checked by name."""
        context = ssl.create_default_context(cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # Throw-away CAs of servers under test often lack the extensions that RFC 5280 demands.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        context.load_cert_chain(str(self.cert), str(self.key))
        return context

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS parameters for the endpoint that the server connects to."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(self.ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(str(self.cert), str(self.key))
        return context


def load_target(path: Path) -> Target:
    """Read a `profile.toml`; raises BadProfile."""
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise BadProfile(f"cannot read the profile {path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise BadProfile(f"the profile {path} is not TOML: {exc}") from exc
    servers = settings.get("servers")
    if isinstance(servers, str):
        servers = [servers]
    if not isinstance(servers, list) or not servers:
        raise BadProfile(f"the profile {path} names no servers")
    https = settings.get("https")
    return Target(
        path=path,
        servers=tuple(parse_address(server, KMIP_PORT) for server in servers),
        https=parse_address(https, HTTPS_PORT) if https else None,
        cert=_file(path, settings, "cert"),
        key=_file(path, settings, "key"),
        ca=_file(path, settings, "ca"),
        username=settings.get("username"),
        password=_password(path, settings),
    )


def parse_address(text: object, default_port: int) -> Address:
    """Return the address written as `HOST:PORT`, `[IPV6]:PORT` or `HOST`; raises BadProfile."""
    if not isinstance(text, str):
        raise BadProfile(f"{text!r} is not an address; write HOST:PORT")
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        host, port = text, str(default_port)
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise BadProfile(f"{text!r} is not an address; write HOST:PORT")
    return Address(host.removeprefix("[").removesuffix("]"), int(port))


def _file(path: Path, settings: dict[str, Any], name: str) -> Path:
    value = settings.get(name)
    if not isinstance(value, str):
        raise BadProfile(f"the profile {path} lacks {name}")
    found = path.parent / value
    if not found.is_file():
        raise BadProfile(f"{found}, the {name} of the profile {path}, does not exist")
    return found


def _password(path: Path, settings: dict[str, Any]) -> bytes | None:
    if "password_file" not in settings:
        return None
    return _file(path, settings, "password_file").read_bytes().rstrip(b"\r\n")
