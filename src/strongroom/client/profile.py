"""Profiles: who connects where, as `strongroom client enrol` writes it.

Rule: reads files and the environment, connects to nothing. Paths in a profile are relative to it.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from strongroom.client.address import parse_servers
from strongroom.client.compose import Credentials
from strongroom.client.errors import InvalidSettings
from strongroom.client.transport import OVER_TLS, PATH, Binding, Transport, make_binding
from strongroom.model.messages import Ticket
from strongroom.model.secret import SecretBytes
from strongroom.registry import VERSIONS, Version
from strongroom.registry.versions import parse_version
from strongroom.wire.encodings import Encoding

VARIABLE: Final = "STRONGROOM_PROFILE"
_KEYS: Final = (
    *("servers", "https", "cert", "key", "ca", "version", "username", "password_file"),
    *("transport", "encoding", "path"),
)
_OFF: Final = "off"
_SCHEME: Final = "https://"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A client's settings. `https` are the addresses of KMIP over HTTPS, none where no server has it."""

    servers: tuple[str, ...]
    cert: Path
    key: Path
    ca: Path
    https: tuple[str, ...] = ()
    binding: Binding = OVER_TLS
    version: Version | None = None
    username: str | None = None
    password: SecretBytes | None = None

    def speaking(
        self, *, transport: Transport | str | None = None, encoding: Encoding | str | None = None
    ) -> "Profile":
        """Return the profile with another transport or encoding; None leaves it. Raises InvalidSettings.

        An encoding other than TTLV brings HTTPS with it.
        """
        if encoding is None:
            encoding = Encoding.TTLV if transport == Transport.TLS else self.binding.encoding
        if transport is None:
            transport = self.binding.transport if encoding == Encoding.TTLV else Transport.HTTPS
        return replace(self, binding=make_binding(transport, encoding, self.binding.path))

    def at(self, server: str) -> "Profile":
        """Return the profile with another server: HOST:PORT, or https://HOST:PORT and perhaps a path.

        Raises InvalidSettings.
        """
        if not server.startswith(_SCHEME):
            return replace(self, servers=(server,), https=(server,))
        address, slash, path = server.removeprefix(_SCHEME).partition("/")
        binding = make_binding(Transport.HTTPS, self.binding.encoding, slash + path if path else PATH)
        return replace(self, https=(address,), binding=binding)

    def client_arguments(self) -> dict[str, Any]:
        """Return the arguments of `Client` and `AsyncClient`; holds the password. Raises InvalidSettings."""
        over_https = self.binding.transport is Transport.HTTPS
        if over_https and not self.https:
            raise InvalidSettings("the profile names no https address; the server may have none")
        return {
            "servers": self.https if over_https else self.servers,
            "transport": self.binding.transport,
            "encoding": self.binding.encoding,
            "path": self.binding.path,
            "cert": self.cert,
            "key": self.key,
            "ca": self.ca,
            "version": self.version,
            "username": self.username,
            "password": None if self.password is None else self.password.reveal().decode(),
        }


def default_file() -> Path:
    """Return the file that holds the path of the default profile; it need not exist."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    return (Path(configured) if configured else Path.home() / ".config") / "strongroom" / "default"


def find_profile(path: str | Path | None = None) -> Path:
    """Return `path`, else STRONGROOM_PROFILE, else the default; raises InvalidSettings."""
    if path is not None:
        return Path(path)
    if named := os.environ.get(VARIABLE):
        return Path(named)
    pointer = default_file()
    try:
        return Path(pointer.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        raise InvalidSettings(
            f"no profile is given: name one with --profile FILE or {VARIABLE}, or run `strongroom dev` once"
        ) from None
    except (OSError, UnicodeDecodeError) as exc:
        raise InvalidSettings(f"cannot read {pointer}: {exc}") from exc


def load_profile(path: Path) -> Profile:
    """Return the profile in a file; raises InvalidSettings, which says what to change."""
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InvalidSettings(f"cannot read the profile {path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise InvalidSettings(f"the profile {path} is not TOML: {exc}") from exc
    try:
        return _profile(settings, path.parent)
    except InvalidSettings as exc:
        raise InvalidSettings(f"the profile {path}: {exc}") from exc


def make_version(version: Version | str | None) -> Version | None:
    """Return the version meant by `1.4`; None stays None. Raises InvalidSettings."""
    try:
        parsed = parse_version(version) if isinstance(version, str) else version
    except ValueError as exc:
        raise InvalidSettings(str(exc)) from exc
    if parsed is not None and parsed not in VERSIONS:
        raise InvalidSettings(
            f"{parsed} is not a KMIP version; choose one of {', '.join(map(str, VERSIONS))}"
        )
    return parsed


def make_credentials(
    username: str | None, password: str | None, ticket: Ticket | None = None
) -> Credentials | None:
    """Return what goes into the header; raises InvalidSettings for a password without a name."""
    if username is None and password is not None:
        raise InvalidSettings("a password is given and no username")
    if username is None and ticket is None:
        return None
    return Credentials(
        username=username,
        password=None if password is None else SecretBytes(password.encode()),
        ticket=ticket,
    )


def _profile(settings: Mapping[str, object], folder: Path) -> Profile:
    for name in settings:
        if name not in _KEYS:
            near = difflib.get_close_matches(name, _KEYS, n=1)
            raise InvalidSettings(
                f"there is no key {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
            )
    servers = _texts(settings, "servers")
    https = tuple(text for text in _texts(settings, "https") if text != _OFF)
    if https:
        parse_servers(https)
    if servers or not https:
        parse_servers(servers)
    encoding = _text(settings, "encoding") or Encoding.TTLV
    # Where there is only one way, nothing has to be said.
    only_https = not servers or encoding != Encoding.TTLV
    transport = _text(settings, "transport") or (Transport.HTTPS if only_https else Transport.TLS)
    password_file = _text(settings, "password_file")
    return Profile(
        servers=servers,
        https=https,
        binding=make_binding(transport, encoding, _text(settings, "path") or PATH),
        cert=_path(settings, "cert", folder),
        key=_path(settings, "key", folder),
        ca=_path(settings, "ca", folder),
        version=make_version(_text(settings, "version")),
        username=_text(settings, "username"),
        password=None if password_file is None else _password(folder / password_file),
    )


def _text(settings: Mapping[str, object], name: str) -> str | None:
    value = settings.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidSettings(f"{name} is not a text")
    return value


def _texts(settings: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = settings.get(name, [])
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InvalidSettings(f"{name} is not a list of texts")
    return tuple(value)


def _path(settings: Mapping[str, object], name: str, folder: Path) -> Path:
    value = _text(settings, name)
    if value is None:
        raise InvalidSettings(f"{name} is missing")
    return folder / value


def _password(path: Path) -> SecretBytes:
    try:
        password = path.read_bytes().rstrip(b"\r\n")
    except OSError as exc:
        raise InvalidSettings(f"cannot read {path}, the password_file: {exc.strerror}") from exc
    try:
        password.decode()
    except UnicodeDecodeError:
        raise InvalidSettings(f"{path}, the password_file, is not UTF-8") from None
    return SecretBytes(password)
