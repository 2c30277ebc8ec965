"""The Digest attribute (KMIP 1.4 §3.17, 2.1 §4.21).

Rule: SHA-256 over the material exactly as it is stored; what the server cannot see has no digest.
"""

from hashlib import sha256

from strongroom.crypto.keys.material import clear_material
from strongroom.model.keys import KeyMaterial
from strongroom.model.objects import (
    Certificate,
    CertificateRequest,
    ManagedObjectStruct,
    OpaqueObject,
    PGPKey,
    PrivateKey,
    PublicKey,
    SecretData,
    SplitKey,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Digest
from strongroom.registry import HashingAlgorithm, KeyFormatType, Tag
from strongroom.wire import binary


def digest(value: ManagedObjectStruct) -> Digest | None:
    """Return the digest of an object; None when it is wrapped, kept elsewhere or made of attributes alone."""
    match value:
        case SymmetricKey() | PublicKey() | PrivateKey() | SplitKey() | SecretData() | PGPKey():
            material = clear_material(value.key_block)
            if material is None:
                return None
            return _digest(_encoded(material), value.key_block.key_format_type)
        case Certificate():
            # INTEROP(OASIS TC-CERTATTR-1 1.4 and 2.0): the digest of a certificate names the format Raw.
            return _digest(value.certificate_value, KeyFormatType.RAW)
        case CertificateRequest():
            return _digest(value.certificate_request_value, KeyFormatType.RAW)
        case OpaqueObject():
            return _digest(value.opaque_data_value.reveal(), KeyFormatType.OPAQUE)
        case _:
            return None


def _encoded(material: KeyMaterial) -> bytes:
    """Return what is hashed: the bytes, or the TTLV encoding of the Key Material structure."""
    if isinstance(material, SecretBytes):
        return material.reveal()
    return binary.encode((int(Tag.KEY_MATERIAL), 1, material.reveal()))


def _digest(data: bytes, key_format: KeyFormatType) -> Digest:
    return Digest(
        hashing_algorithm=HashingAlgorithm.SHA_256,
        digest_value=sha256(data).digest(),
        key_format_type=key_format,
    )
