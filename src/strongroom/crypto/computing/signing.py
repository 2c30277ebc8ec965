"""Signatures (KMIP 1.4 §4.31-4.32, 2.1 §6.1.55-6.1.56).

Rule: `signature_schemes` says how a key signs, this module asks the library to. A signature that does not
verify is Invalid, whatever is wrong with it.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed
from cryptography.hazmat.primitives.hashes import SHAKE128, Hash, HashAlgorithm

from strongroom.crypto.computing.hashing import hash_function
from strongroom.crypto.computing.running import Signing, Verifying, Whole
from strongroom.crypto.computing.schemes import OfAnotherKind, Scheme, scheme_of
from strongroom.crypto.keys.families import LibraryKey, describe
from strongroom.crypto.keys.opening import open_private, open_public
from strongroom.crypto.pool import Pool
from strongroom.crypto.post_quantum.adapter import PostQuantumPrivateKey, PostQuantumPublicKey
from strongroom.domain.computing import Computation, Verification
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    UnsupportedCryptographicParameters,
)
from strongroom.domain.signing import Recovered
from strongroom.model.objects import Certificate, PrivateKey, PublicKey
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import MaskGenerator, ValidityIndicator
from strongroom.registry import PaddingMethod as Padding

MLDSA_PRIVATE: Final = (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)
MLDSA_PUBLIC: Final = (mldsa.MLDSA44PublicKey, mldsa.MLDSA65PublicKey, mldsa.MLDSA87PublicKey)

_TRAILER: Final = 1
"""The only trailer field that PSS has (RFC 8017 §A.2.3)."""

_Call: TypeAlias = Callable[[bytes], bytes]


class Signer:
    """One key under one set of parameters; `context` takes the message, `conclude` ends it."""

    def __init__(self, key: LibraryKey, parameters: Parameters, *, digested: bool, legacy: bool) -> None:
        found = describe(key)
        if found is None:
            raise UnsupportedCryptographicParameters("keys of this kind are kept here, but sign nothing")
        self._key: Any = key
        self._parameters = parameters
        self._legacy = legacy
        self._scheme: Scheme = scheme_of(found.family, parameters, digested=digested)

    def context(self) -> Any:
        """Return what takes the message: a hash function, or what comes nearest to one."""
        hashing = self._hash()
        if hashing is not None:
            return Hash(hashing)
        if isinstance(self._key, MLDSA_PRIVATE):
            return mldsa.MLDSAMuHasher(self._key.public_key())
        if isinstance(self._key, MLDSA_PUBLIC):
            return mldsa.MLDSAMuHasher(self._key)
        return Whole()

    def sign(self, digest: bytes) -> bytes:
        """Return the signature over what the context made of the message; slow."""
        key = self._key
        try:
            match key:
                case rsa.RSAPrivateKey():
                    return key.sign(digest, self._padding(digest, signing=True), self._named(digest))
                case dsa.DSAPrivateKey():
                    return key.sign(digest, self._prehashed(digest))
                case ec.EllipticCurvePrivateKey():
                    return key.sign(digest, ec.ECDSA(self._prehashed(digest)))
                case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey():
                    return key.sign(digest)
                case mldsa.MLDSA44PrivateKey() | mldsa.MLDSA65PrivateKey() | mldsa.MLDSA87PrivateKey():
                    return key.sign_mu(digest)
                case PostQuantumPrivateKey():
                    return key.sign(digest)
                case _:
                    raise AssertionError("scheme_of let a key pass that signs nothing")
        except UnsupportedAlgorithm as error:
            raise UnsupportedCryptographicParameters("the key knows no such hash function") from error
        except ValueError as error:
            raise CryptographicFailure("the key is too short for a signature of this form") from error

    def verify(self, digest: bytes, signature: bytes) -> ValidityIndicator:
        """Tell whether the signature is one over the digest; slow."""
        key = self._key
        try:
            match key:
                case rsa.RSAPublicKey():
                    key.verify(signature, digest, self._padding(digest, signing=False), self._named(digest))
                case dsa.DSAPublicKey():
                    key.verify(signature, digest, self._prehashed(digest))
                case ec.EllipticCurvePublicKey():
                    key.verify(signature, digest, ec.ECDSA(self._prehashed(digest)))
                case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                    key.verify(signature, digest)
                case mldsa.MLDSA44PublicKey() | mldsa.MLDSA65PublicKey() | mldsa.MLDSA87PublicKey():
                    key.verify_mu(signature, digest)
                case PostQuantumPublicKey():
                    key.verify(signature, digest)
                case _:
                    raise AssertionError("scheme_of let a key pass that verifies nothing")
        except UnsupportedAlgorithm as error:
            raise UnsupportedCryptographicParameters("the key knows no such hash function") from error
        except (InvalidSignature, ValueError):
            return ValidityIndicator.INVALID
        return ValidityIndicator.VALID

    def recover(self, signature: bytes) -> Recovered:
        """Return the digest that an RSA signature holds; slow."""
        if not isinstance(self._key, rsa.RSAPublicKey) or self._scheme.padding is not Padding.PKCS1_V1_5:
            raise InvalidField("such a signature does not show what was signed; send Data or Digested Data")
        try:
            data = self._key.recover_data_from_signature(signature, padding.PKCS1v15(), self._hash())
        except (InvalidSignature, ValueError):
            return Recovered(ValidityIndicator.INVALID)
        return Recovered(ValidityIndicator.VALID, data)

    def _hash(self) -> HashAlgorithm | None:
        hashing = self._scheme.hashing
        return None if hashing is None else hash_function(hashing, legacy=self._legacy)

    def _prehashed(self, digest: bytes) -> Prehashed:
        """Return how the library calls a digest, of a hash function that nobody named if need be."""
        hashing = self._hash()
        if hashing is None:
            # The library takes the name for its length alone; SHAKE128 has digests of every length.
            hashing = SHAKE128(max(len(digest), 1))
        if len(digest) != hashing.digest_size:
            raise BadCryptographicParameters(
                f"Digested Data has {len(digest)} bytes; the Hashing Algorithm gives {hashing.digest_size}"
            )
        return Prehashed(hashing)

    def _named(self, digest: bytes) -> Any:
        """Return the same for RSA, where PKCS#1 v1.5 writes the name of the hash function down."""
        return NoDigestInfo() if self._scheme.hashing is None else self._prehashed(digest)

    def _padding(self, digest: bytes, *, signing: bool) -> padding.PKCS1v15 | padding.PSS:
        if self._scheme.padding is Padding.PKCS1_V1_5:
            return padding.PKCS1v15()
        asked, hashing = self._parameters, self._hash()
        assert hashing is not None
        if asked.mask_generator not in (None, MaskGenerator.MGF1):
            raise UnsupportedCryptographicParameters("PSS uses mask generator MGF1 only")
        if asked.trailer_field not in (None, _TRAILER):
            raise UnsupportedCryptographicParameters("PSS has trailer field 1 only")
        mask = hashing
        if asked.mask_generator_hashing_algorithm is not None:
            mask = hash_function(asked.mask_generator_hashing_algorithm, legacy=self._legacy)
        # DEVIATION(KMIP 2.1 §4.16): a missing Mask Generator Hashing Algorithm is said to mean SHA-1. The
        # signature of OASIS CS-AC-M-2, of every version, has the hash function of the message there.
        return padding.PSS(padding.MGF1(mask), self._salt_length(hashing, signing=signing))

    def _salt_length(self, hashing: HashAlgorithm, *, signing: bool) -> Any:
        asked = self._parameters.salt_length
        if asked is None:
            # SPEC(RFC 8017 §9.1): a salt is usually as long as the digest. Any length verifies.
            return hashing.digest_size if signing else padding.PSS.AUTO
        if asked < 0:
            raise BadCryptographicParameters("a Salt Length is not negative")
        return asked


def start_signature(pool: Pool, key: PrivateKey, parameters: Parameters, *, legacy: bool) -> Computation:
    """Return a signature in the making; see `domain.signing`."""
    signer = Signer(open_private(key), parameters, digested=False, legacy=legacy)
    context = signer.context()
    return Signing(pool, context, lambda: signer.sign(context.finalize()))


def start_verification(
    pool: Pool, key: PublicKey | Certificate, parameters: Parameters, *, legacy: bool
) -> Verification:
    """Return a signature in the proving; see `domain.signing`."""
    try:
        signer = Signer(open_public(key), parameters, digested=False, legacy=legacy)
    except OfAnotherKind:
        return Verifying(pool, Ignoring(), lambda _: ValidityIndicator.INVALID)
    context = signer.context()
    return Verifying(pool, context, lambda signature: signer.verify(context.finalize(), signature))


def sign_digest(key: PrivateKey, parameters: Parameters, digest: bytes, *, legacy: bool) -> bytes:
    """Return the signature of digested data; slow."""
    return Signer(open_private(key), parameters, digested=True, legacy=legacy).sign(digest)


def verify_digest(
    key: PublicKey | Certificate, parameters: Parameters, digest: bytes, signature: bytes, *, legacy: bool
) -> ValidityIndicator:
    """Tell whether a signature is one of digested data; slow."""
    try:
        signer = Signer(open_public(key), parameters, digested=True, legacy=legacy)
    except OfAnotherKind:
        return ValidityIndicator.INVALID
    return signer.verify(digest, signature)


def recover(
    key: PublicKey | Certificate, parameters: Parameters, signature: bytes, *, legacy: bool
) -> Recovered:
    """Return what a signature shows; slow."""
    try:
        signer = Signer(open_public(key), parameters, digested=True, legacy=legacy)
    except OfAnotherKind:
        return Recovered(ValidityIndicator.INVALID)
    return signer.recover(signature)


class Ignoring:
    """A context for a message that need not be looked at."""

    def update(self, data: bytes, /) -> None:
        """Forget data."""
