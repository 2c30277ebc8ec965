"""Port: cryptography.

Rule: keys cross this port as the key blocks and structures of the model, so that no handler sees a library's
key object. Slow work (RSA, big data) runs off the event loop inside the adapter.
"""

from dataclasses import dataclass
from typing import Protocol

from strongroom.domain.certification import Certification
from strongroom.domain.credentials import CredentialChecks
from strongroom.domain.derivation import KeyDerivation
from strongroom.domain.elliptic import EllipticEncoding
from strongroom.domain.encryption import Encryption
from strongroom.domain.hashing import Hashing
from strongroom.domain.macs import MessageAuthentication
from strongroom.domain.pkcs12 import Containers
from strongroom.domain.randomness import Randomness
from strongroom.domain.signing import Signing
from strongroom.domain.splitting import SecretSharing
from strongroom.domain.wrapping import Wrapping
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.structures import Digest, RNGParameters
from strongroom.registry import (
    CryptographicAlgorithm,
    KeyCompressionType,
    KeyFormatType,
    RecommendedCurve,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectFacts:
    """What the material itself tells; None where it does not.

    `attributes` are further attributes that follow from the material (X.509 attributes of a certificate,
    Cryptographic Domain Parameters of an EC key); one that has several values stands several times.
    """

    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_length: int | None = None
    attributes: tuple[AttributeInstance, ...] = ()


class Cryptography(
    Encryption,
    KeyDerivation,
    Hashing,
    MessageAuthentication,
    Signing,
    Randomness,
    SecretSharing,
    Wrapping,
    Containers,
    Certification,
    CredentialChecks,
    EllipticEncoding,
    Protocol,
):
    """Everything that needs a cryptographic library. Raises only KmipError subclasses."""

    @property
    def random_number_generator(self) -> RNGParameters:
        """Describe where random bytes come from (KMIP 1.3 §3.42)."""

    async def create_symmetric_key(self, algorithm: CryptographicAlgorithm, length: int | None) -> KeyBlock:
        """Return a fresh key in format Raw; `length` in bits, None for the usual one of the algorithm. Raises
        InvalidField for a length the algorithm does not have and for an algorithm without symmetric keys."""

    async def create_secret_data(self, length: int | None) -> tuple[int, KeyBlock]:
        """Return fresh secret bytes in format Raw, after their length; `length` in bits, None for the usual
        one. Raises InvalidField for a length that is no whole number of bytes or beyond all reason."""

    async def create_key_pair(
        self,
        algorithm: CryptographicAlgorithm,
        length: int | None,
        curve: RecommendedCurve | None,
        qlength: int | None = None,
    ) -> tuple[KeyBlock, KeyBlock]:
        """Return (private, public) in the default formats of KMIP 2.1 §4.26, algorithm and length filled in.

        What is None is chosen here. Raises InvalidField for a length or curve that the algorithm does not
        have and for an algorithm without key pairs, FeatureNotSupported for pairs that are not made here.
        """

    async def examine(
        self,
        value: ManagedObjectStruct,
        *,
        algorithm: CryptographicAlgorithm | None = None,
        length: int | None = None,
    ) -> ObjectFacts:
        """Return what an object tells about itself.

        `algorithm` and `length` are what the attributes of the request declare; the key block may declare
        them too. Raises InvalidField when the material is not what its format says, or a declaration is
        false. What the material does not tell (wrapped, opaque, a kind of key unknown here) is taken from the
        declaration.
        """

    async def convert(
        self,
        value: ManagedObjectStruct,
        key_format_type: KeyFormatType,
        *,
        compression: KeyCompressionType | None = None,
    ) -> ManagedObjectStruct:
        """Return the object in another format, untouched when it is in that format already. Raises
        KeyFormatTypeNotSupported or KeyCompressionTypeNotSupported."""

    async def default_digest(self, value: ManagedObjectStruct) -> Digest | None:
        """Return the SHA-256 digest of the object in the default format of its kind (KMIP 2.1 §4.26); None
        when it is in that format already or cannot be brought into it."""

    def digest(self, value: ManagedObjectStruct) -> Digest | None:
        """Return the SHA-256 digest of the material as stored (KMIP 2.1 §4.23); None when there is none."""
