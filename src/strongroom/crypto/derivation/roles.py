"""What the objects of a Derive Key request are to the method: key, password, derivation data.

Rule: KMIP lets Derivation Data be a field or a Secret Data object, so a request that has both, or more
objects than the method has roles, is refused and never guessed at.
"""

from dataclasses import dataclass

from strongroom.crypto.keys.examination import symmetric_bytes
from strongroom.crypto.keys.material import clear_material
from strongroom.crypto.tables import spec_name
from strongroom.domain.derivation import Derivation
from strongroom.domain.errors import InvalidField, InvalidMessage, InvalidObjectType, KeyValueNotPresent
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import PrivateKey, PublicKey, SecretData, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.registry import CryptographicAlgorithm, KeyFormatType


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """A key and what it works on; `data` is None when the request has none."""

    key: SecretBytes
    algorithm: CryptographicAlgorithm | None
    data: bytes | None

    def required_data(self) -> bytes:
        """Return the derivation data; raises InvalidField when there are none."""
        if self.data is None:
            raise InvalidField(
                "this Derivation Method needs Derivation Data, or a Secret Data object that has them"
            )
        return self.data

    def block(self) -> KeyBlock:
        """Return the key as a key block in format Raw."""
        return KeyBlock(
            key_format_type=KeyFormatType.RAW,
            key_value=KeyValue(key_material=self.key),
            cryptographic_algorithm=self.algorithm,
        )


def keyed(derivation: Derivation) -> Roles:
    """Return the roles in a method with a key: the Symmetric Key is the key, or else the first Secret Data;
    Secret Data beside it are the derivation data."""
    symmetric = [base for base in derivation.bases if isinstance(base, SymmetricKey)]
    secret = [base for base in derivation.bases if isinstance(base, SecretData)]
    if len(symmetric) + len(secret) < len(derivation.bases):
        raise InvalidObjectType("this Derivation Method works with Symmetric Keys and Secret Data")
    key: SymmetricKey | SecretData = symmetric.pop(0) if symmetric else secret.pop(0)
    if symmetric or len(secret) > 1:
        raise InvalidField("this Derivation Method works with one key and one Secret Data object at most")
    given = derivation.derivation_data
    if secret and given:
        raise both()
    if len(given) > 1:
        raise InvalidField("this Derivation Method takes Derivation Data once")
    data = material(secret[0].key_block) if secret else given[0] if given else None
    return Roles(
        key=material(key.key_block),
        algorithm=key.key_block.cryptographic_algorithm,
        data=None if data is None else data.reveal(),
    )


def only(derivation: Derivation) -> SecretBytes:
    """Return the material of the one object that the method works with."""
    if len(derivation.bases) != 1:
        raise InvalidField("this Derivation Method works with one object")
    base = derivation.bases[0]
    if not isinstance(base, SymmetricKey | SecretData):
        raise InvalidObjectType("this Derivation Method works with a Symmetric Key or Secret Data")
    return material(base.key_block)


def keys_of_a_pair(derivation: Derivation) -> tuple[PrivateKey, PublicKey]:
    """Return a private key and the public key of somebody else, in whatever order they came."""
    private = [base for base in derivation.bases if isinstance(base, PrivateKey)]
    public = [base for base in derivation.bases if isinstance(base, PublicKey)]
    if len(private) + len(public) < len(derivation.bases):
        raise InvalidObjectType("an agreed key is derived from a Private Key and a Public Key")
    if len(private) != 1 or len(public) != 1:
        raise InvalidField("an agreed key is derived from one Private Key and one Public Key")
    return private[0], public[0]


def material(block: KeyBlock) -> SecretBytes:
    """Return the bytes of a symmetric key or of secret data; raises KeyValueNotPresent or InvalidField."""
    found = clear_material(block)
    if found is None:
        raise KeyValueNotPresent("the server does not hold the material itself, so it cannot use it")
    if block.key_format_type is KeyFormatType.OPAQUE and isinstance(found, SecretBytes):
        return found
    key = symmetric_bytes(block.key_format_type, found)
    if key is None:
        raise InvalidField(f"material in format {spec_name(block.key_format_type)} cannot be used")
    return key


def both() -> InvalidMessage:
    """Return the error for a request that gives derivation data twice."""
    return InvalidMessage("Derivation Data come as a field or as a Secret Data object, not as both")
