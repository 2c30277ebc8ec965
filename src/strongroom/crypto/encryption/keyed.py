"""Encrypt and Decrypt with symmetric keys (KMIP 1.4 §4.29-4.30, 2.1 §6.1.11 and §6.1.17).

Rule: a request is checked against its scheme before any data is worked on.
"""

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm

from strongroom.crypto.encryption.ciphers import PADDINGS
from strongroom.crypto.encryption.initialization import chosen, fitting
from strongroom.crypto.encryption.parts import FAILED, Data, Decryptor, Encryptor
from strongroom.crypto.encryption.parts import Padding as LibraryPadding
from strongroom.crypto.encryption.schemes import TAG, Job, Scheme
from strongroom.crypto.leniency import Leniencies
from strongroom.crypto.tables import spec_name
from strongroom.domain.encryption import Encrypted
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    KmipError,
    UnsupportedCryptographicParameters,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import PaddingMethod as Padding

# Looking a member up in its class costs more than comparing with it, and this is the hot path.
_NO_PADDING: Final = Padding.NONE


class KeyedCipher:
    """A scheme with a key and parameters; an IV and additional data are the client's.

    What does not fit is told with each use, by a KmipError, in one order whatever else is wrong.
    """

    __slots__ = ("_key", "_leniencies", "_parameters", "_scheme", "_tag_length")

    def __init__(
        self, scheme: Scheme, key: SecretBytes, parameters: Parameters, leniencies: Leniencies
    ) -> None:
        self._scheme = scheme
        self._key = key
        self._parameters = parameters
        self._leniencies = leniencies
        self._tag_length = TAG if parameters.tag_length is None else parameters.tag_length

    def encrypt(self, data: Data, iv: bytes | None, additional_data: bytes | None) -> Encrypted:
        """Return the ciphertext, with the IV if it was made here and the tag if the scheme has one."""
        job, fresh = self._to_encrypt(iv, additional_data)
        try:
            sealed, tag = self._scheme.encrypt(job, data)
        except UnsupportedAlgorithm as error:
            raise _not_in_the_library(self._scheme) from error
        return Encrypted(data=sealed, iv_counter_nonce=fresh, authentication_tag=tag)

    def decrypt(
        self, data: Data, iv: bytes | None, additional_data: bytes | None, tag: bytes | None
    ) -> bytes:
        """Return the plaintext; raises CryptographicFailure, always the same, when there is none."""
        job = self._to_decrypt(iv, additional_data)
        self.check_tag(tag)
        try:
            return self._scheme.decrypt(job, data, tag)
        except UnsupportedAlgorithm as error:
            raise _not_in_the_library(self._scheme) from error

    def encryptor(self, iv: bytes | None, additional_data: bytes | None) -> tuple[Encryptor, bytes | None]:
        """Return an encryption in parts, and the IV if it was made here."""
        job, fresh = self._to_encrypt(iv, additional_data)
        try:
            return self._scheme.encryptor(job), fresh
        except UnsupportedAlgorithm as error:
            raise _not_in_the_library(self._scheme) from error

    def decryptor(self, iv: bytes | None, additional_data: bytes | None) -> Decryptor:
        """Return a decryption in parts. The tag is the caller's to check, once it has come."""
        job = self._to_decrypt(iv, additional_data)
        try:
            return self._scheme.decryptor(job)
        except UnsupportedAlgorithm as error:
            raise _not_in_the_library(self._scheme) from error

    def check_tag(self, tag: bytes | None) -> None:
        """Return if the tag is there and as long as it has to be; raises as decryption does."""
        scheme = self._scheme
        if not scheme.tags:
            return
        if tag is None:
            raise InvalidField(f"{scheme.name} needs the Authenticated Encryption Tag to decrypt")
        wanted = len(tag) if self._parameters.tag_length is None else self._tag_length
        if len(tag) != wanted or wanted not in scheme.tags:
            raise CryptographicFailure(FAILED)

    def _to_encrypt(self, iv: bytes | None, additional_data: bytes | None) -> tuple[Job, bytes | None]:
        scheme, fresh = self._scheme, None
        if iv is None and scheme.iv is not None:
            if not self._parameters.random_iv:
                raise scheme.iv.missing()
            iv = fresh = chosen(scheme.iv, self._parameters, self._leniencies)
        else:
            iv = self._fitting(iv)
        if scheme.tags and self._tag_length not in scheme.tags:
            # INTEROP(OASIS CS-BC-M-GCM-1, 1.4 to 3.0): the reason for it is General Failure.
            raise KmipError(
                f"a tag of {self._tag_length} bytes is not made; possible: {', '.join(map(str, scheme.tags))}"
            )
        return self._job(iv, additional_data), fresh

    def _to_decrypt(self, iv: bytes | None, additional_data: bytes | None) -> Job:
        rule = self._scheme.iv
        if rule is not None and iv is None:
            raise rule.missing()
        return self._job(self._fitting(iv), additional_data)

    def _fitting(self, iv: bytes | None) -> bytes:
        scheme = self._scheme
        if scheme.iv is not None:
            return fitting(scheme.iv, iv or b"", self._parameters, self._leniencies)
        if iv is not None and not scheme.padded:  # for ECB it has no meaning; some clients send one always
            raise BadCryptographicParameters(f"{scheme.name} takes no IV/Counter/Nonce; leave it out")
        return b""

    def _job(self, iv: bytes, additional_data: bytes | None) -> Job:
        """Return what the scheme works with."""
        scheme, parameters = self._scheme, self._parameters
        if len(self._key) not in scheme.key_sizes:
            raise InvalidField(f"{scheme.name} has no keys of {len(self._key)} bytes")
        if additional_data and not scheme.tags:
            raise BadCryptographicParameters(f"{scheme.name} cannot authenticate additional data")
        padding = None if parameters.padding_method is None else _padding(scheme, parameters)
        return Job(self._key, iv, parameters, additional_data, padding, self._tag_length)


def _padding(scheme: Scheme, parameters: Parameters) -> LibraryPadding | None:
    """Return how data is filled up to whole blocks; None when it is not."""
    method = parameters.padding_method
    if method is None or method is _NO_PADDING:
        return None
    if method not in PADDINGS:
        raise UnsupportedCryptographicParameters(
            f"{scheme.name} is not used with padding {spec_name(method)} here"
        )
    if not scheme.padded:
        raise BadCryptographicParameters(f"{scheme.name} takes no padding")
    return PADDINGS[method]


def _not_in_the_library(scheme: Scheme) -> UnsupportedCryptographicParameters:
    return UnsupportedCryptographicParameters(
        f"{scheme.name} is not in the cryptographic library of this server"
    )
