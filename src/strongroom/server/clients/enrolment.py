"""What a newly enrolled client gets: key, certificates and profile in a directory of its own.

Rule: the private key is made here and never leaves the directory; the server sees the public half. A password
is read from its file, hashed, and only the hash goes on.
"""

import base64
import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.server.address import OFF
from strongroom.server.certificates.ca import ClientKey, new_key, private_pem
from strongroom.server.clients.records import check_name
from strongroom.server.clients.tokens import Token, make_token
from strongroom.server.config import render_toml
from strongroom.server.data_directory import write_private, write_public
from strongroom.server.errors import InvalidOption, OperatorError
from strongroom.server.messages import Message, nested, text

PROFILE: Final = "profile.toml"
_FILES: Final = ("key.pem", "cert.pem", "ca.pem", PROFILE)
_LONGEST_USERNAME: Final = 255
_HELD: Final = ".room"

ROOM: Final = 64 << 10
"""Bytes that are held for certificates, authorities and the profile."""


@dataclass(frozen=True, kw_only=True)
class Credential:
    """A user name and the file that holds its password, for clients that send one in each request."""

    username: str
    password_file: Path


def enrol_client(
    name: str,
    out: Path,
    call: Callable[[Message], object],
    *,
    groups: Sequence[str] = (),
    credential: Credential | None = None,
    tenant: str | None = None,
    make_key: Callable[[], ClientKey] = new_key,
) -> Path:
    """Enrol a client through `call`, write its files to `out` and return the profile; raises OperatorError.

    Nothing is left in `out` when the server refuses.
    """
    request = enrolment_request(name, groups, credential, tenant)

    def ask(key: ClientKey) -> Message:
        spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        return nested({"answer": call({**request, "public_key": spki.decode("ascii")})}, "answer")

    return write_client(out, ask, credential=credential, make_key=make_key)


def renew_client(
    name: str,
    out: Path,
    call: Callable[[Message], object],
    *,
    now: bool,
    make_key: Callable[[], ClientKey] = new_key,
) -> Path:
    """Give a client a new key and certificate, as `enrol_client` does, and return the profile.

    `now`: the old key stops working at once; else it is good until its certificate ends.
    """

    def ask(key: ClientKey) -> Message:
        spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        request: Message = {"command": "client.renew", "name": name, "now": now}
        return nested({"answer": call({**request, "public_key": spki.decode("ascii")})}, "answer")

    return write_client(out, ask, make_key=make_key)


def invite_client(
    name: str,
    call: Callable[[Message], object],
    *,
    groups: Sequence[str],
    lifetime: timedelta,
    tenant: str | None = None,
) -> tuple[str, Message]:
    """Return a join token, which is a secret, and what may be shown with it; raises OperatorError."""
    check_name(name)
    key = new_key()
    spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")
    answer = call(
        {
            "command": "client.invite",
            "name": name,
            "groups": list(groups),
            "tenant": tenant,
            "seconds": int(lifetime.total_seconds()),
            "public_key": spki,
        }
    )
    granted = nested({"answer": answer}, "answer")
    token = Token(
        key,
        x509.load_pem_x509_certificate(text(granted, "certificate").encode()),
        x509.load_pem_x509_certificate(text(granted, "authority").encode()),
        text(granted, "https"),
    )
    shown: Message = {field: text(granted, field) for field in ("https", "server_fingerprint", "ends_at")}
    return make_token(token), shown


def enrol_by_request(
    name: str,
    csr: Path,
    out: Path,
    call: Callable[[Message], object],
    *,
    groups: Sequence[str] = (),
    credential: Credential | None = None,
    tenant: str | None = None,
) -> Path:
    """Enrol a client that made its own key and a certificate request (PKCS#10); raises OperatorError.

    Everything but the key is written to `out`; the profile names `key.pem` beside it. Returns the profile.
    """
    request = enrolment_request(name, groups, credential, tenant)
    request["csr"] = _read_request(csr)
    with _room_in(out):
        granted = nested({"answer": call(request)}, "answer")
    return _write_granted(out, granted, credential)


def enrolment_request(
    name: str, groups: Sequence[str], credential: Credential | None, tenant: str | None
) -> Message:
    """Return what is asked of the server but for the key; raises OperatorError."""
    check_name(name)
    request: Message = {"command": "client.enrol", "name": name, "groups": list(groups), "tenant": tenant}
    if credential is not None:
        request["username"] = _checked_username(credential.username)
        request["password_hash"] = _hash_password(credential.password_file)
    return request


def write_client(
    out: Path,
    ask: Callable[[ClientKey], Message],
    *,
    credential: Credential | None = None,
    make_key: Callable[[], ClientKey] = new_key,
) -> Path:
    """Make a key, have `ask` get what belongs to it, write all to `out` and return the profile.

    Nothing is left in `out` when that raises.
    """
    with _room_in(out):
        key = make_key()
        try:
            # The key first: a client whose key could not be written would be enrolled for nothing.
            write_private(out / "key.pem", private_pem(key))
            granted = ask(key)
        except BaseException:
            with contextlib.suppress(OSError):
                (out / "key.pem").unlink()
            raise
    return _write_granted(out, granted, credential)


@contextlib.contextmanager
def _room_in(out: Path) -> Iterator[None]:
    """Make `out`, and hold as much room in it as is needed for what the server grants.

    What cannot be written is to fail before anybody is asked. Nothing is left when the block raises.
    """
    existed = out.exists()
    _check_out(out)
    held = out / _HELD
    try:
        write_private(held, bytes(ROOM))
        yield
        held.unlink()
    except BaseException:
        with contextlib.suppress(OSError):
            held.unlink(missing_ok=True)
            if not existed:
                out.rmdir()
        raise


def _write_granted(out: Path, granted: Message, credential: Credential | None) -> Path:
    write_public(out / "cert.pem", text(granted, "certificate").encode())
    write_public(out / "ca.pem", text(granted, "ca").encode())
    write_profile(
        out / PROFILE, server=text(granted, "server"), https=text(granted, "https"), credential=credential
    )
    return out / PROFILE


def _read_request(file: Path) -> str:
    """Return a certificate request as PEM; raises OperatorError. The server looks at what is in it."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise OperatorError(f"cannot read {file}: {error.strerror}") from error
    if content.lstrip().startswith(b"-----BEGIN "):
        return content.decode("ascii", "replace")
    body = base64.encodebytes(content).decode("ascii")
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{body}-----END CERTIFICATE REQUEST-----\n"


def write_profile(profile: Path, *, server: str, https: str, credential: Credential | None = None) -> None:
    """Write a profile for the files beside it; an address may be `off`."""
    values: dict[str, object] = {
        "servers": [] if server == OFF else [server],
        "https": https,
        "cert": "cert.pem",
        "key": "key.pem",
        "ca": "ca.pem",
    }
    if credential is not None:
        values["username"] = credential.username
        values["password_file"] = str(credential.password_file.absolute())
    write_public(profile, render_toml(values, "How a client reaches its key manager.").encode())


def keep_enrolled(name: str, out: Path, call: Callable[[Message], object]) -> Path:
    """Return the profile of a client that was enrolled to `out` before, or enrol it now."""
    status = nested({"answer": call({"command": "status"})}, "answer")
    if _in_force(name, call):
        if all((out / file).exists() for file in _FILES):
            told = nested(status, "advertised")
            write_profile(out / PROFILE, server=text(told, "server"), https=text(told, "https"))
            return out / PROFILE
        call({"command": "client.revoke", "name": name})
    for file in _FILES:
        (out / file).unlink(missing_ok=True)
    return enrol_client(name, out, call)


def _in_force(name: str, call: Callable[[Message], object]) -> bool:
    records = call({"command": "client.list"})
    return isinstance(records, list) and any(
        record["name"] == name and record["revoked_at"] is None for record in records
    )


def set_default_profile(profile: Path) -> bool:
    """Make a profile the default of this user if there is none yet; tell whether it is the default now."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    default = Path(base) / "strongroom" / "default"
    wanted = f"{profile.absolute()}\n"
    try:
        default.parent.mkdir(parents=True, exist_ok=True)
        if default.exists():
            return default.read_text() == wanted
        default.write_text(wanted)
    except OSError:
        # A convenience: without it, --profile is needed.
        return False
    return True


def _checked_username(username: str) -> str:
    if not username or len(username) > _LONGEST_USERNAME or not username.isprintable():
        raise InvalidOption(f"a user name has 1 to {_LONGEST_USERNAME} printable characters")
    return username


def _hash_password(file: Path) -> str:
    from argon2 import PasswordHasher

    try:
        password = file.read_text(encoding="utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OperatorError(f"cannot read the password file {file}: {reason}") from error
    if not password:
        raise OperatorError(f"the password file {file} is empty")
    return PasswordHasher().hash(password)


def _check_out(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise OperatorError(f"cannot make {out}: {error.strerror}") from error
    for name in _FILES:
        if (out / name).exists():
            raise OperatorError(f"{out / name} exists already; name another directory with --out")
