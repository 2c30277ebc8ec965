"""Credentials as objects (KMIP 3.0): what is kept of them, and the port that checks them.

Rule: a password is never kept, only what it is checked with. Who may log in with a credential is decided in
`engine/users.py`.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from strongroom.domain.entries import Entry
from strongroom.model.objects import (
    HashedPasswordCredential,
    ManagedObjectStruct,
    OTPCredential,
    PasswordCredential,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Int64
from strongroom.registry import HashingAlgorithm


class CredentialUse(Entry, kind=3):
    """The last counter or time that a credential was used with; the key is its Unique Identifier."""

    usage_limits_count: Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class HashedLogin:
    """What a Hashed Password credential in a header says (KMIP 2.1 §9.11)."""

    time_stamp: datetime
    hashing_algorithm: HashingAlgorithm | None
    hashed_password: SecretBytes


class CredentialChecks(Protocol):
    """Everything about credentials that needs a cryptographic library."""

    async def protect_password(self, credential: PasswordCredential) -> PasswordCredential:
        """Return the credential with a salted password in place of a plain one.

        Raises InvalidField for a credential that has neither, and UnsupportedCryptographicParameters for one
        that is salted in a way that is not known here.
        """

    def check_one_time_password(self, credential: OTPCredential) -> None:
        """Return if codes of this credential can be computed; raises InvalidField."""

    async def password_fits(self, credential: PasswordCredential, password: SecretBytes) -> bool:
        """Tell whether it is the password; slow on purpose."""

    def one_time_counter(
        self, credential: OTPCredential, code: SecretBytes, last: int | None, now: datetime
    ) -> int | None:
        """Return the counter (HOTP) or time step (TOTP) that the code belongs to, None when it is wrong.

        Counters up to `last` are used up.
        """

    def answer_hashed_password(
        self, credential: HashedPasswordCredential, login: HashedLogin
    ) -> SecretBytes | None:
        """Return the Server Hashed Password of the answer (KMIP 2.1 §8.4), None when the login is wrong."""


async def prepare(checks: CredentialChecks, value: ManagedObjectStruct) -> ManagedObjectStruct:
    """Return a credential as it is kept, anything else as it is; raises what the port raises."""
    if isinstance(value, PasswordCredential):
        return await checks.protect_password(value)
    if isinstance(value, OTPCredential):
        checks.check_one_time_password(value)
    return value
