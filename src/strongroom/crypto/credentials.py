"""Passwords and one time passwords (KMIP 3.0; RFC 8018 PBKDF2, RFC 4226 HOTP, RFC 6238 TOTP).

Rule: comparisons take the same time whatever is wrong.
"""

import hmac
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, Hash, HashAlgorithm
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.twofactor.hotp import HOTP

from strongroom.crypto.pool import Pool
from strongroom.domain.credentials import HashedLogin
from strongroom.domain.errors import InvalidField, UnsupportedCryptographicParameters
from strongroom.model.objects import HashedPasswordCredential, OTPCredential, PasswordCredential
from strongroom.model.secret import SecretBytes
from strongroom.registry import CryptographicAlgorithm, HashingAlgorithm, OTPAlgorithm

ITERATIONS: Final = 210_000
"""Of HMAC-SHA-512, for passwords that come in clear."""

MOST_ITERATIONS: Final = 5_000_000
LOOK_AHEAD: Final = 10
"""Counters that a HOTP device may be ahead: its button was pressed for nothing (RFC 4226 §7.4)."""

DRIFT: Final = 1
"""Time steps that a clock may be wrong, either way (RFC 6238 §5.2)."""

_SALT: Final = 16
_INTERVAL: Final = 30
_DIGITS: Final = 6
_KEY: Final = 64

_SALTED: Final[Mapping[CryptographicAlgorithm, type[HashAlgorithm]]] = {
    CryptographicAlgorithm.HMAC_SHA1: SHA1,
    CryptographicAlgorithm.HMAC_SHA256: SHA256,
    CryptographicAlgorithm.HMAC_SHA384: SHA384,
    CryptographicAlgorithm.HMAC_SHA512: SHA512,
}
_DIGESTS: Final[Mapping[CryptographicAlgorithm | None, type[SHA1 | SHA256 | SHA512]]] = {
    None: SHA1,
    CryptographicAlgorithm.HMAC_SHA1: SHA1,
    CryptographicAlgorithm.HMAC_SHA256: SHA256,
    CryptographicAlgorithm.HMAC_SHA512: SHA512,
}
_HASHES: Final[Mapping[HashingAlgorithm | None, type[HashAlgorithm]]] = {
    None: SHA256,  # SPEC(KMIP 2.1 §9.11): the default
    HashingAlgorithm.SHA_256: SHA256,
    HashingAlgorithm.SHA_384: SHA384,
    HashingAlgorithm.SHA_512: SHA512,
}


class CredentialAdapter:
    """See `strongroom.domain.credentials.CredentialChecks`."""

    _pool: Pool

    async def protect_password(self, credential: PasswordCredential) -> PasswordCredential:
        if credential.password is None:
            _salted_hash(credential)
            return credential
        if not len(credential.password):
            raise InvalidField("the Password is empty")
        salt = os.urandom(_SALT)
        derived = await self._pool.run(_derive, SHA512, salt, ITERATIONS, _KEY, credential.password)
        return PasswordCredential(
            password_salt=salt,
            password_salt_algorithm=CryptographicAlgorithm.HMAC_SHA512,
            salted_password=derived,
            iteration_count=ITERATIONS,
        )

    def check_one_time_password(self, credential: OTPCredential) -> None:
        _device(credential)

    async def password_fits(self, credential: PasswordCredential, password: SecretBytes) -> bool:
        hash_, salt, iterations, salted = _salted_hash(credential)
        return await self._pool.run(_fits, hash_, salt, iterations, salted, password)

    def one_time_counter(
        self, credential: OTPCredential, code: SecretBytes, last: int | None, now: datetime
    ) -> int | None:
        device = _device(credential)
        if credential.otp_algorithm is OTPAlgorithm.TOTP:
            step = int(now.timestamp()) // (credential.otp_interval or _INTERVAL)
            counters = range(max(0, step - DRIFT), step + DRIFT + 1)
        else:
            first = 0 if last is None else last + 1
            counters = range(first, first + LOOK_AHEAD)
        found = None
        for counter in counters:
            right = hmac.compare_digest(device.generate(counter), code.reveal())
            if right and (last is None or counter > last):
                found = counter
        return found

    def answer_hashed_password(
        self, credential: HashedPasswordCredential, login: HashedLogin
    ) -> SecretBytes | None:
        named = login.hashing_algorithm
        own = credential.hashing_algorithm
        hash_ = _HASHES.get(named)
        if hash_ is None or hash_ is not _HASHES.get(own):
            return None
        first = credential.hashed_username_password.reveal()
        second = credential.hashed_password_username.reveal()
        # SPEC(KMIP 2.1 §9.11): how a Date Time Extended is hashed is not said; here as it stands in TTLV.
        stamp = _microseconds(login.time_stamp).to_bytes(8, "big", signed=True)
        if not hmac.compare_digest(_hash(hash_, first + stamp) + second, login.hashed_password.reveal()):
            return None
        return SecretBytes(_hash(hash_, stamp + first + _hash(hash_, second)))


def _salted_hash(
    credential: PasswordCredential,
) -> tuple[type[HashAlgorithm], bytes, int, SecretBytes]:
    """Return hash, salt, iterations and the salted password; raises InvalidField if it is not complete."""
    salt, salted = credential.password_salt, credential.salted_password
    algorithm, iterations = credential.password_salt_algorithm, credential.iteration_count
    if salt is None or salted is None or algorithm is None or iterations is None:
        raise InvalidField(
            "a Password Credential has a Password, or Password Salt, Password Salt Algorithm, Salted Password"
            " and Iteration Count"
        )
    if algorithm not in _SALTED:
        raise UnsupportedCryptographicParameters("passwords are salted with HMAC and SHA-1, 256, 384 or 512")
    if not 1 <= iterations <= MOST_ITERATIONS or not 16 <= len(salted) <= _KEY or not 8 <= len(salt) <= 1024:
        raise InvalidField(
            f"a salted password has 16 to {_KEY} bytes, its salt 8 to 1024, and 1 to {MOST_ITERATIONS}"
            " iterations"
        )
    return _SALTED[algorithm], salt, iterations, salted


def _derive(
    hash_: type[HashAlgorithm], salt: bytes, iterations: int, length: int, password: SecretBytes
) -> SecretBytes:
    kdf = PBKDF2HMAC(algorithm=hash_(), length=length, salt=salt, iterations=iterations)
    return SecretBytes(kdf.derive(password.reveal()))


def _fits(
    hash_: type[HashAlgorithm], salt: bytes, iterations: int, salted: SecretBytes, password: SecretBytes
) -> bool:
    kdf = PBKDF2HMAC(algorithm=hash_(), length=len(salted), salt=salt, iterations=iterations)
    try:
        kdf.verify(password.reveal(), salted.reveal())
    except InvalidKey:
        return False
    return True


def _device(credential: OTPCredential) -> HOTP:
    """Return what computes the codes; raises InvalidField."""
    digest, seed = _DIGESTS.get(credential.otp_digest), credential.otp_seed
    if digest is None or seed is None:
        raise InvalidField("one time passwords need an OTP Seed and HMAC with SHA-1, SHA-256 or SHA-512")
    digits = _DIGITS if credential.otp_digits is None else credential.otp_digits
    interval = _INTERVAL if credential.otp_interval is None else credential.otp_interval
    if not 16 <= len(seed) <= 1024 or not 6 <= digits <= 8 or not 1 <= interval <= 3600:
        raise InvalidField("an OTP Seed has 16 to 1024 bytes, a code 6 to 8 digits, an interval 1 to 3600 s")
    return HOTP(seed.reveal(), digits, digest())


def _hash(hash_: type[HashAlgorithm], data: bytes) -> bytes:
    context = Hash(hash_())
    context.update(data)
    return context.finalize()


def _microseconds(date: datetime) -> int:
    return round((date - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
