"""What a newly enrolled client gets: key, certificates and profile in a directory of its own.

Rule: the private key is made here and never leaves the directory; the server sees the public half. A password
is read from its file, hashed, and only the hash goes on.
"""

import contextlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.server.address import OFF
from strongroom.server.ca import new_key, private_pem
from strongroom.server.clients import check_name
from strongroom.server.config import render_toml
from strongroom.server.data_directory import write_private, write_public
from strongroom.server.errors import InvalidOption, OperatorError
from strongroom.server.messages import Message, nested, text

PROFILE: Final = "profile.toml"
_FILES: Final = ("key.pem", "cert.pem", "ca.pem", PROFILE)
_LONGEST_USERNAME: Final = 255


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
) -> Path:
    """Enrol a client through `call`, write its files to `out` and return the profile; raises OperatorError.

    Nothing is left in `out` when the server refuses.
    """
    check_name(name)
    request: Message = {"command": "client.enrol", "name": name, "groups": list(groups), "tenant": tenant}
    if credential is not None:
        request["username"] = _checked_username(credential.username)
        request["password_hash"] = _hash_password(credential.password_file)
    existed = out.exists()
    _check_out(out)
    key = new_key()
    spki = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    request["public_key"] = spki.decode("ascii")
    try:
        # The key first: a client whose key could not be written would be enrolled for nothing.
        write_private(out / "key.pem", private_pem(key))
        answer = call(request)
    except BaseException:
        with contextlib.suppress(OSError):
            (out / "key.pem").unlink()
            if not existed:
                out.rmdir()
        raise
    granted = nested({"answer": answer}, "answer")
    write_public(out / "cert.pem", text(granted, "certificate").encode())
    write_public(out / "ca.pem", text(granted, "ca").encode())
    write_profile(
        out / PROFILE, server=text(granted, "server"), https=text(granted, "https"), credential=credential
    )
    return out / PROFILE


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
