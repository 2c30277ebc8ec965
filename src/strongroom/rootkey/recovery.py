"""The recovery kit: an age identity (X25519) that opens every wrapped key once more.

Rule: the server knows the recipient, which is public, and never the identity. What is sealed for it is
ordinary age, so that the kit can be tried with other people's programs.
"""

import hashlib
from typing import Final

import pyrage

from strongroom.domain.ports import RootKeyError
from strongroom.model.secret import SecretBytes
from strongroom.rootkey.envelope import TAG_SIZE, ForRecovery, damaged

IDENTITY_PREFIX: Final = "AGE-SECRET-KEY-1"


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
