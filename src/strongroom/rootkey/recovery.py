"""The recovery kit: an age identity (X25519) that opens every wrapped key once more.

Rule: the server knows the recipient, which is public, and never the identity. What is sealed for it is
ordinary age, so that the kit can be tried with other people's programs.

The recipient is written down with a seal of the root key, and counts for nothing without it: for whoever put
another one there, every key would be wrapped, and every backup made. Nothing is told of the root key by it.

    recovery.pub   the recipient, then comments: `# number` and which kit it is, where several servers have
                   the same; `# seal`, a fresh key wrapped by the root key (base64), and the HMAC-SHA256 of
                   the recipient, and of the number, under that key (hex)
"""

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Callable
from typing import Final, NamedTuple

import pyrage

from strongroom.domain.ports import RootKeyError, RootKeySealed, RootKeyUnavailable
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.envelope import TAG_SIZE, ForRecovery, damaged

IDENTITY_PREFIX: Final = "AGE-SECRET-KEY-1"

CURE: Final = (
    "find out by whom, remove it, and make a new kit: strongroom server recovery create --data DIR --out OUT"
)
"""What to do about a recipient that does not count."""

_SEAL: Final = "# seal "
_NUMBER: Final = "# number "
_IS_NUMBER: Final = re.compile(rf"{_NUMBER}[1-9][0-9]{{0,17}}")
_KEY_SIZE: Final = 32


class Recipient:
    """Whom the kit belongs to. Raises RootKeyError for a text that is no age recipient."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        try:
            self._recipient = pyrage.x25519.Recipient.from_str(self.text)
        except pyrage.RecipientError as error:
            raise RootKeyError("the recovery recipient is no age recipient (age1...)") from error
        self.tag = hashlib.sha256(self.text.encode()).digest()[:TAG_SIZE]

    def seal(self, key: SecretBytes) -> ForRecovery:
        """Return `key` for the holder of the kit."""
        return ForRecovery(self.tag, pyrage.encrypt(key.reveal(), [self._recipient]))


class Identity:
    """The secret of a kit. Raises RootKeyError for a text that is no age identity."""

    def __init__(self, text: SecretBytes) -> None:
        try:
            self._identity = pyrage.x25519.Identity.from_str(text.reveal().decode().strip())
        except (pyrage.IdentityError, UnicodeDecodeError) as error:
            raise RootKeyError(
                f"this is no recovery kit: it has no line with an age identity ({IDENTITY_PREFIX}...)"
            ) from error
        self.recipient = Recipient(str(self._identity.to_public()))

    @classmethod
    def generate(cls) -> "Identity":
        """Return a fresh one."""
        return cls(SecretBytes(str(pyrage.x25519.Identity.generate()).encode()))

    @property
    def text(self) -> SecretBytes:
        """Return the line that is kept."""
        return SecretBytes(str(self._identity).encode())

    def open(self, recovery: ForRecovery | None) -> SecretBytes:
        """Return a key that was sealed for this kit. Raises RootKeyError."""
        if recovery is None:
            raise RootKeyError(
                "a key was never wrapped for a recovery kit; this kit is younger than the data"
            )
        if recovery.tag != self.recipient.tag:
            raise RootKeyError("a key was wrapped for another recovery kit; use the newest kit there is")
        try:
            return SecretBytes(pyrage.decrypt(recovery.sealed, [self._identity]))
        except pyrage.DecryptError as error:
            raise damaged() from error


class Claim(NamedTuple):
    """What `recovery.pub` says. `wrapped` and `mac` are its seal, None in one of an older release.

    A kit has a higher `number` than those that it takes the place of on other servers; 0 where there are
    none.
    """

    recipient: Recipient
    wrapped: bytes | None
    mac: bytes | None
    number: int = 0


def write_claim(recipient: Recipient, number: int, wrap: Callable[[SecretBytes], bytes]) -> bytes:
    """Return `recovery.pub` for a recipient; `wrap` is that of the root key."""
    key = SecretBytes(os.urandom(_KEY_SIZE))
    numbered = f"{_NUMBER}{number}\n" if number else ""
    seal = f"{_SEAL}{base64.b64encode(wrap(key)).decode()} {_mac(key, recipient, number).hex()}"
    explanation = "# The root key has sealed this recipient; one without its seal counts for nothing."
    return f"{recipient.text}\n{explanation}\n{numbered}{seal}\n".encode()


def read_claim(content: bytes, name: str) -> Claim:
    """Return what `recovery.pub` says, which nobody has proved yet. Raises RootKeyError."""
    lines = [line.strip() for line in content.decode(errors="replace").splitlines()]
    seals = [line.removeprefix(_SEAL).split() for line in lines if line.startswith(_SEAL)]
    numbers = [int(line.removeprefix(_NUMBER)) for line in lines if _IS_NUMBER.fullmatch(line)]
    said = [line for line in lines if line and not line.startswith("#")]
    try:
        recipient = Recipient("\n".join(said))
        if not seals:
            return Claim(recipient, None, None)
        ((wrapped, mac),) = seals
        return Claim(
            recipient, base64.b64decode(wrapped, validate=True), bytes.fromhex(mac), max(numbers, default=0)
        )
    except (RootKeyError, ValueError, binascii.Error) as error:
        raise RootKeyError(f"{name} is no age recipient with a seal: {CURE}") from error


def prove_claim(claim: Claim, unwrap: Callable[[bytes], SecretBytes], name: str) -> None:
    """Return if the root key has sealed what is claimed. Raises RootKeyError."""
    try:
        key = None if claim.wrapped is None else unwrap(claim.wrapped)
    except (RootKeySealed, RootKeyUnavailable):
        raise
    except RootKeyError as error:
        raise RootKeyError(f"this root key has not sealed {name}, which was changed: {CURE}") from error
    if (
        key is None
        or claim.mac is None
        or not hmac.compare_digest(_mac(key, claim.recipient, claim.number), claim.mac)
    ):
        raise RootKeyError(f"the root key has not sealed this recipient, so {name} was changed: {CURE}")


def _mac(key: SecretBytes, recipient: Recipient, number: int) -> bytes:
    said = f"{recipient.text} {number}" if number else recipient.text
    return hmac.digest(key.reveal(), b"strongroom recovery recipient " + said.encode(), "sha256")
