"""Encrypt and Decrypt with AES (KMIP 1.4 §4.29-4.30, 2.1 §6.1.11 and §6.1.17).

Rule: what mode and padding mean is decided by the tables here, and the library does the work. Decryption has
one failure, whatever was wrong: who can tell a bad padding from a bad tag can decrypt without the key.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.modes import CFB, OFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, CTR, ECB, GCM
from cryptography.hazmat.primitives.ciphers.modes import Mode as LibraryMode
from cryptography.hazmat.primitives.padding import ANSIX923, PKCS7

from strongroom.crypto.initialization import BLOCK, chosen, counter_block, fitting, missing
from strongroom.crypto.leniency import Leniencies
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.crypto import Encrypted
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    KmipError,
    UnsupportedCryptographicParameters,
)
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import BlockCipherMode as Mode
from strongroom.registry import PaddingMethod as Padding

TAG: Final = 16  # bytes; the longest tag of GCM, and the usual one
SHORTEST_TAG: Final = 12  # bytes; NIST SP 800-38D allows less only under conditions no server can check


class ModeEntry(NamedTuple):
    """A mode without authentication; a padded one works on whole blocks."""

    make: Callable[[bytes], LibraryMode]
    padded: bool


_MODES: Final[Mapping[Mode, ModeEntry]] = {
    Mode.ECB: ModeEntry(lambda _: ECB(), padded=True),  # noqa: S305 - KMIP has it, and clients choose
    Mode.CBC: ModeEntry(CBC, padded=True),
    Mode.CFB: ModeEntry(CFB, padded=False),  # whole blocks are fed back: CFB-128
    Mode.OFB: ModeEntry(OFB, padded=False),
    Mode.CTR: ModeEntry(CTR, padded=False),
}

REFUSED_MODES: Final = frozenset({
    Mode.PCBC,
    Mode.CMAC,
    Mode.CCM,
    Mode.CBC_MAC,
    Mode.XTS,
    Mode.AESKEYWRAPPADDING,
    Mode.NISTKEYWRAP,
    Mode.X9_102_AESKW,
    Mode.X9_102_TDKW,
    Mode.X9_102_AKW1,
    Mode.X9_102_AKW2,
    Mode.AEAD,
})  # fmt: skip

check_total(set(_MODES) | {Mode.GCM}, Mode, REFUSED_MODES)

_PADDINGS: Final[Mapping[Padding, type[PKCS7] | type[ANSIX923] | None]] = {
    Padding.NONE: None,
    Padding.PKCS5: PKCS7,  # the same rule, for blocks of 16 bytes
    Padding.ANSI_X9_23: ANSIX923,
}

REFUSED_PADDINGS: Final = frozenset({
    Padding.OAEP,
    Padding.SSL3,
    Padding.ZEROS,
    Padding.ISO_10126,
    Padding.PKCS1_V1_5,
    Padding.X9_31,
    Padding.PSS,
})  # fmt: skip

check_total(_PADDINGS, Padding, REFUSED_PADDINGS)

# Looking a member up in its class costs more than comparing with it, and this is the hot path.
_ECB: Final = Mode.ECB
_CTR: Final = Mode.CTR
_GCM: Final = Mode.GCM
_NO_PADDING: Final = Padding.NONE

_FAILED: Final = "the data cannot be decrypted"


def encrypt(
    key: bytes,
    parameters: Parameters,
    data: bytes,
    *,
    iv: bytes | None,
    additional_data: bytes | None,
    leniencies: Leniencies,
) -> Encrypted:
    """Return the ciphertext, with the IV if it was made here and the tag if the mode has one."""
    mode = _mode(parameters)
    fresh = None
    if iv is None and mode is not _ECB:
        if not parameters.random_iv:
            raise missing(mode)
        iv = fresh = chosen(mode, parameters, leniencies)
    if mode is _GCM:
        nonce = _nonce(parameters, iv, leniencies)
        sealed, tag = _seal(key, parameters, data, nonce, additional_data)
        return Encrypted(data=sealed, iv_counter_nonce=fresh, authentication_tag=tag)
    cipher = _cipher(key, mode, parameters, iv, len(data), additional_data, leniencies)
    padding = _padding(mode, parameters)
    if padding is not None:
        padder = padding(BLOCK * 8).padder()
        data = padder.update(data) + padder.finalize()
    elif _MODES[mode].padded and len(data) % BLOCK:
        raise BadCryptographicParameters(
            f"{len(data)} bytes of data are not whole blocks of {BLOCK}; name a Padding Method"
        )
    encryptor = cipher.encryptor()
    return Encrypted(data=encryptor.update(data) + encryptor.finalize(), iv_counter_nonce=fresh)


def decrypt(
    key: bytes,
    parameters: Parameters,
    data: bytes,
    *,
    iv: bytes | None,
    additional_data: bytes | None,
    tag: bytes | None,
    leniencies: Leniencies,
) -> bytes:
    """Return the plaintext; raises CryptographicFailure, always the same, when there is none."""
    mode = _mode(parameters)
    if iv is None and mode is not _ECB:
        raise missing(mode)
    if mode is _GCM:
        return _open(key, parameters, data, _nonce(parameters, iv, leniencies), additional_data, tag)
    cipher = _cipher(key, mode, parameters, iv, len(data), additional_data, leniencies)
    padding = _padding(mode, parameters)
    try:
        decryptor = cipher.decryptor()
        plain = decryptor.update(data) + decryptor.finalize()
        if padding is None:
            return plain
        unpadder = padding(BLOCK * 8).unpadder()
        return unpadder.update(plain) + unpadder.finalize()
    except ValueError as error:
        raise CryptographicFailure(_FAILED) from error


def _mode(parameters: Parameters) -> Mode:
    mode = parameters.block_cipher_mode
    if mode is None:
        raise BadCryptographicParameters("AES needs a Block Cipher Mode, in the request or at the key")
    if mode not in _MODES and mode is not _GCM:
        raise UnsupportedCryptographicParameters(f"AES is not used in mode {spec_name(mode)} here")
    return mode


def _cipher(
    key: bytes,
    mode: Mode,
    parameters: Parameters,
    iv: bytes | None,
    size: int,
    additional_data: bytes | None,
    leniencies: Leniencies,
) -> Cipher[Any]:
    """Return the cipher of a mode without authentication, set up for `size` bytes."""
    if additional_data:
        raise BadCryptographicParameters(f"mode {spec_name(mode)} cannot authenticate additional data")
    if iv is None or mode is _ECB:  # an IV for ECB has no meaning; some clients send one always
        return Cipher(AES(key), _MODES[mode].make(b""))
    iv = fitting(mode, iv, parameters, leniencies)
    if mode is _CTR:
        iv = counter_block(iv, parameters, size)
    return Cipher(AES(key), _MODES[mode].make(iv))


def _padding(mode: Mode, parameters: Parameters) -> type[PKCS7] | type[ANSIX923] | None:
    """Return how data is filled up to whole blocks; None when it is not."""
    method = parameters.padding_method
    if method is None or method is _NO_PADDING:
        return None
    if method not in _PADDINGS:
        raise UnsupportedCryptographicParameters(f"AES is not used with padding {spec_name(method)} here")
    if mode is _GCM or not _MODES[mode].padded:
        raise BadCryptographicParameters(f"mode {spec_name(mode)} takes no padding")
    return _PADDINGS[method]


def _nonce(parameters: Parameters, iv: bytes | None, leniencies: Leniencies) -> bytes:
    """Return the IV for GCM, after a look at what else the parameters say."""
    if iv is None:
        raise missing(_GCM)
    _padding(_GCM, parameters)
    return fitting(_GCM, iv, parameters, leniencies)


def _seal(
    key: bytes, parameters: Parameters, data: bytes, nonce: bytes, additional_data: bytes | None
) -> tuple[bytes, bytes]:
    """Return ciphertext and tag."""
    length = TAG if parameters.tag_length is None else parameters.tag_length
    if not SHORTEST_TAG <= length <= TAG:
        # INTEROP(OASIS CS-BC-M-GCM-1, 1.4 to 3.0): the reason for it is General Failure.
        raise KmipError(f"a tag of {length} bytes is not made; {SHORTEST_TAG} to {TAG} are possible")
    sealed = AESGCM(key).encrypt(nonce, data, additional_data)
    return sealed[: len(data)], sealed[len(data) : len(data) + length]


def _open(
    key: bytes,
    parameters: Parameters,
    data: bytes,
    nonce: bytes,
    additional_data: bytes | None,
    tag: bytes | None,
) -> bytes:
    """Return the plaintext, if the tag is right."""
    if tag is None:
        raise InvalidField("mode GCM needs the Authenticated Encryption Tag to decrypt")
    wanted = len(tag) if parameters.tag_length is None else parameters.tag_length
    if len(tag) != wanted or not SHORTEST_TAG <= wanted <= TAG:
        raise CryptographicFailure(_FAILED)
    try:
        if wanted == TAG:
            return AESGCM(key).decrypt(nonce, data + tag, additional_data)
        decryptor = Cipher(AES(key), GCM(nonce, tag, min_tag_length=SHORTEST_TAG)).decryptor()
        decryptor.authenticate_additional_data(additional_data or b"")
        return decryptor.update(data) + decryptor.finalize()
    except InvalidTag as error:
        raise CryptographicFailure(_FAILED) from error
