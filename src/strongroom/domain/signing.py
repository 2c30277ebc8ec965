"""Port: digital signatures.

Rule: keys are objects of the model, since the format alone does not tell a private key from a public one.
"""

from typing import NamedTuple, Protocol

from strongroom.domain.computing import Computation, Verification
from strongroom.model.objects import Certificate, PrivateKey, PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import ValidityIndicator


class Recovered(NamedTuple):
    """What a signature itself shows; `data` is None when it is not valid."""

    validity: ValidityIndicator
    data: bytes | None = None


class Signing(Protocol):
    """Signatures with private keys, verified with public keys or certificates.

    The scheme is the Digital Signature Algorithm, or follows from key, Hashing Algorithm and Padding Method
    (RSA without one: PKCS#1 v1.5). Everything raises BadCryptographicParameters for parameters that disagree,
    UnsupportedCryptographicParameters for a scheme, hash or key that is not used here, InvalidField for a key
    in a format that hides it. When signing, parameters for another kind of key are bad ones; when verifying,
    they describe a signature that this key has not made: Invalid.
    """

    async def start_signature(
        self, key: PrivateKey, parameters: CryptographicParameters, *, legacy: bool
    ) -> Computation:
        """Return a signature in the making; EdDSA, which must see the message as a whole, holds it."""

    async def start_verification(
        self,
        key: PublicKey | Certificate,
        parameters: CryptographicParameters,
        *,
        legacy: bool,
    ) -> Verification:
        """Return a signature in the proving."""

    async def sign_digest(
        self, key: PrivateKey, parameters: CryptographicParameters, digest: SecretBytes, *, legacy: bool
    ) -> bytes:
        """Return the signature of data that the client has digested. Without a Hashing Algorithm any length
        is taken: PKCS#1 v1.5 signs it as it is, without naming a hash function."""

    async def verify_digest(
        self,
        key: PublicKey | Certificate,
        parameters: CryptographicParameters,
        digest: SecretBytes,
        signature: bytes,
        *,
        legacy: bool,
    ) -> ValidityIndicator:
        """Tell whether the signature is one of digested data."""

    async def recover(
        self,
        key: PublicKey | Certificate,
        parameters: CryptographicParameters,
        signature: bytes,
        *,
        legacy: bool,
    ) -> Recovered:
        """Return what was signed, which only RSA with PKCS#1 v1.5 shows: the digested data. Raises
        InvalidField for a scheme that needs the data."""
