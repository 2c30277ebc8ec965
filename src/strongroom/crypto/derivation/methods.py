"""Keys from keys: one function for each Derivation Method (KMIP 2.1 §7.12 and §11.14).

Rule: a method gives as many bytes as are asked for, or says that it cannot. What the objects of the request
are to it (key, password, derivation data) is worked out by `roles`.
"""

from collections.abc import Callable, Mapping
from typing import Final

from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

from strongroom.crypto.computing.hashing import HASHES, hash_function
from strongroom.crypto.computing.macs import HMAC_HASHES, mac_context
from strongroom.crypto.derivation import agreement, kbkdf
from strongroom.crypto.derivation.roles import Roles, both, keyed, keys_of_a_pair, only
from strongroom.crypto.tables import check_total
from strongroom.domain.derivation import MOST_ITERATIONS, MOST_WORK, Derivation
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    UnsupportedCryptographicParameters,
)
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import DerivationMethod as Method
from strongroom.registry import HashingAlgorithm

Deriver = Callable[[Derivation, int, bool], bytes]


def _hash(derivation: Derivation, size: int, legacy: bool) -> bytes:
    """Hash of the key, or of the derivation data, of which a Secret Data object is a form."""
    if derivation.derivation_data:
        raise both()
    hashed = only(derivation)
    context = Hash(_named(derivation.parameters, None, legacy=legacy))
    context.update(hashed.reveal())
    return cut(context.finalize(), size)


def _hmac(derivation: Derivation, size: int, legacy: bool) -> bytes:
    """HMAC over the derivation data."""
    roles = keyed(derivation)
    context = HMAC(roles.key.reveal(), _prf(derivation.parameters, roles, legacy=legacy))
    context.update(roles.required_data())
    return cut(context.finalize(), size)


def _prf(parameters: Parameters, roles: Roles, *, legacy: bool) -> HashAlgorithm:
    """Return the hash function of HMAC.

    SPEC(KMIP 2.1 §7.12): the attributes of an HMAC key say enough, and parameters are ignored then.
    """
    meant = None if roles.algorithm is None else HMAC_HASHES.get(roles.algorithm)
    if meant is not None:
        return hash_function(meant, legacy=legacy)
    return _named(parameters, None, legacy=legacy)


def _pbkdf2(derivation: Derivation, size: int, legacy: bool) -> bytes:
    """PBKDF2 (RFC 8018 §5.2) of a password; with HMAC-SHA-1 unless another is named."""
    if derivation.derivation_data:
        raise both()
    salt, iterations = derivation.salt, derivation.iteration_count
    if salt is None or iterations is None:
        raise InvalidField("PBKDF2 needs a Salt and an Iteration Count")
    algorithm = _named(derivation.parameters, HashingAlgorithm.SHA_1, legacy=legacy)
    blocks = -(-size // algorithm.digest_size)
    if not 0 < iterations <= MOST_ITERATIONS // blocks:
        raise InvalidField(f"the Iteration Count is 1 to {MOST_ITERATIONS // blocks} for this length")
    return PBKDF2HMAC(algorithm, size, salt, iterations).derive(only(derivation).reveal())


def _hkdf(derivation: Derivation, size: int, legacy: bool) -> bytes:
    """HKDF (RFC 5869); the derivation data are its info."""
    roles = keyed(derivation)
    algorithm = _named(derivation.parameters, HashingAlgorithm.SHA_256, legacy=legacy)
    if size > 255 * algorithm.digest_size:
        raise _too_long(255 * algorithm.digest_size)
    info = roles.data or b""
    _check_work(info, size)
    return HKDF(algorithm, size, derivation.salt, info).derive(roles.key.reveal())


def _sp_800_108(mode: kbkdf.Mode) -> Deriver:
    def derive(derivation: Derivation, size: int, legacy: bool) -> bytes:
        roles = keyed(derivation)
        context = mac_context(roles.block(), derivation.parameters, legacy=legacy)
        data = roles.required_data()
        _check_work(data, size)
        fixed = kbkdf.fixed_input(data, size)
        return mode(kbkdf.prf_of(context), fixed, derivation.initialization_vector or b"", size)

    return derive


def _agreed(derivation: Derivation, size: int, legacy: bool) -> bytes:
    """Diffie-Hellman, over finite fields or curves: the secret itself, cut to the length."""
    if derivation.derivation_data:
        raise InvalidField("an agreed key is derived from a private and a public key alone")
    private, public = keys_of_a_pair(derivation)
    return cut(agreement.agree(private, public, derivation.parameters), size)


_AWS_PARTS: Final = 3
_AWS_END: Final = b"aws4_request"


def _aws(derivation: Derivation, size: int, legacy: bool) -> bytes:
    """Signing key of AWS Signature Version 4; the object is the secret access key."""
    parts = derivation.derivation_data
    if len(parts) != _AWS_PARTS:
        raise InvalidField("the Derivation Data of an AWS signing key are Date, Region and Service, in order")
    key = b"AWS4" + only(derivation).reveal()
    for part in (*(part.reveal() for part in parts), _AWS_END):
        context = HMAC(key, HASHES[HashingAlgorithm.SHA_256])
        context.update(part)
        key = context.finalize()
    return cut(key, size)


DERIVERS: Final[Mapping[Method, Deriver]] = {
    Method.PBKDF2: _pbkdf2,
    Method.HASH: _hash,
    Method.HMAC: _hmac,
    Method.NIST800_108_C: _sp_800_108(kbkdf.counter),
    Method.NIST800_108_F: _sp_800_108(kbkdf.feedback),
    Method.NIST800_108_DPI: _sp_800_108(kbkdf.double_pipeline),
    Method.ASYMMETRIC_KEY: _agreed,
    Method.AWS_SIGNATURE_VERSION_4: _aws,
    Method.HKDF: _hkdf,
}

check_total(DERIVERS, Method, frozenset({Method.ENCRYPT}))  # which is the cipher's affair


def derive(derivation: Derivation, size: int, *, legacy: bool) -> bytes:
    """Return `size` bytes by any method but Encrypt; slow."""
    method = DERIVERS.get(derivation.method)
    if method is None:  # a vendor's
        raise UnsupportedCryptographicParameters("the server knows no such Derivation Method")
    return method(derivation, size, legacy)


def _too_long(longest: int) -> CryptographicFailure:
    return CryptographicFailure(f"this Derivation Method gives {longest} bytes at most")


def cut(output: bytes, size: int) -> bytes:
    """Return the first bytes of what a method gave; raises CryptographicFailure when there are too few."""
    if size > len(output):
        raise _too_long(len(output))
    return output[:size]


def _check_work(data: bytes, size: int) -> None:
    """Return if a method that goes through the data for each block of output takes bearable time."""
    if len(data) * size > MOST_WORK:
        raise InvalidField(
            f"{size} bytes are derived from {MOST_WORK // size} bytes of Derivation Data at most"
        )


def _named(parameters: Parameters, usual: HashingAlgorithm | None, *, legacy: bool) -> HashAlgorithm:
    """Return the hash function that parameters name, as such or as part of an HMAC."""
    named, algorithm = parameters.hashing_algorithm, parameters.cryptographic_algorithm
    meant = None if algorithm is None else HMAC_HASHES.get(algorithm)
    if meant is not None:
        if named is not None and named is not meant:
            raise BadCryptographicParameters(
                "Cryptographic Algorithm and Hashing Algorithm contradict each other"
            )
        return hash_function(meant, legacy=legacy)
    if named is not None:
        return hash_function(named, legacy=legacy)
    if algorithm is not None and usual is None:
        raise UnsupportedCryptographicParameters("name a Hashing Algorithm, or HMAC with one")
    if usual is None:
        raise BadCryptographicParameters("name a Hashing Algorithm in the Cryptographic Parameters")
    return hash_function(usual, legacy=legacy)
