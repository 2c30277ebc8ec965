"""The server under test, and who speaks to it.

Rule: a Target is what a client profile says, nothing more; it opens no connection.
"""

import ssl
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from strongroom.client.address import KMIP_PORT, Address, parse_address
from strongroom.client.errors import InvalidSettings

HTTPS_PORT: Final = 5697


class BadProfile(ValueError):
    """The profile file cannot be used; the message says what to change."""


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
        servers=tuple(_address(path, server) for server in servers),
        https=_address(path, https, HTTPS_PORT) if https else None,
        cert=_file(path, settings, "cert"),
        key=_file(path, settings, "key"),
        ca=_file(path, settings, "ca"),
        username=settings.get("username"),
        password=_password(path, settings),
    )


def _address(path: Path, text: object, default_port: int = KMIP_PORT) -> Address:
    if not isinstance(text, str):
        raise BadProfile(f"the profile {path} has an address that is no text: {text!r}")
    try:
        return parse_address(text, default_port=default_port)
    except InvalidSettings as exc:
        raise BadProfile(f"the profile {path}: {exc}") from exc


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
