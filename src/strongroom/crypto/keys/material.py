"""Key blocks: what may be in them, and getting at the material.

Rule: which Key Format Type suits which object, and whether its material is bytes or a structure, is decided
by the tables here. It knows no key.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.errors import InvalidField
from strongroom.model.keys import (
    TRANSPARENT,
    KeyBlock,
    KeyMaterial,
    KeyValue,
    SecretItems,
    TransparentKey,
    transparent,
)
from strongroom.model.objects import (
    OBJECT_TYPES,
    ManagedObjectStruct,
    PGPKey,
    PrivateKey,
    PublicKey,
    SecretData,
    SplitKey,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.registry import KeyFormatType as Format
from strongroom.wire.errors import DecodeError

KeyObject: TypeAlias = SymmetricKey | PublicKey | PrivateKey | SplitKey | SecretData | PGPKey
"""The objects that consist of a key block."""

BYTES: Final = frozenset({
    Format.RAW,
    Format.OPAQUE,
    Format.PKCS_1,
    Format.PKCS_8,
    Format.X_509,
    Format.ECPRIVATEKEY,
    Format.PKCS_12,
})  # fmt: skip
"""Formats whose material is a byte string; that of the others is a structure, of extensions either."""

NOT_OF_KEYS: Final = frozenset({Format.PKCS_10})
"""Formats of objects without a key block."""

check_total(BYTES | set(TRANSPARENT), Format, NOT_OF_KEYS)

_UNSPECIFIC: Final = frozenset({Format.RAW, Format.OPAQUE})
_SYMMETRIC: Final = _UNSPECIFIC | {Format.TRANSPARENT_SYMMETRIC_KEY}
PRIVATE: Final = frozenset({
    Format.PKCS_1,
    Format.PKCS_8,
    Format.ECPRIVATEKEY,
    Format.TRANSPARENT_RSA_PRIVATE_KEY,
    Format.TRANSPARENT_DSA_PRIVATE_KEY,
    Format.TRANSPARENT_DH_PRIVATE_KEY,
    Format.TRANSPARENT_EC_PRIVATE_KEY,
    Format.TRANSPARENT_ECDSA_PRIVATE_KEY,
    Format.TRANSPARENT_ECDH_PRIVATE_KEY,
    Format.TRANSPARENT_ECMQV_PRIVATE_KEY,
})  # fmt: skip
"""Formats that spell out a private key."""
PUBLIC: Final = frozenset({
    Format.PKCS_1,
    Format.X_509,
    Format.TRANSPARENT_RSA_PUBLIC_KEY,
    Format.TRANSPARENT_DSA_PUBLIC_KEY,
    Format.TRANSPARENT_DH_PUBLIC_KEY,
    Format.TRANSPARENT_EC_PUBLIC_KEY,
    Format.TRANSPARENT_ECDSA_PUBLIC_KEY,
    Format.TRANSPARENT_ECDH_PUBLIC_KEY,
    Format.TRANSPARENT_ECMQV_PUBLIC_KEY,
})  # fmt: skip
"""Formats that spell out a public key."""

FORMATS: Final[Mapping[type[ManagedObjectStruct], frozenset[Format]]] = {
    SymmetricKey: _SYMMETRIC,
    PrivateKey: _UNSPECIFIC | PRIVATE | {Format.PKCS_12},
    PublicKey: _UNSPECIFIC | PUBLIC,
    # What is split or kept secret may be any kind of key.
    SplitKey: BYTES | frozenset(TRANSPARENT),
    SecretData: BYTES | frozenset(TRANSPARENT),
    PGPKey: _UNSPECIFIC,
}
"""What may be registered, vendor extensions aside."""


def check_format(value: KeyObject) -> None:
    """Raise InvalidField unless the object may have the format of its key block."""
    key_format = value.key_block.key_format_type
    if isinstance(key_format, Format) and key_format not in FORMATS[type(value)]:
        name = OBJECT_TYPES[type(value)].name.replace("_", " ").title()
        raise InvalidField(f"a {name} is not kept in format {spec_name(key_format)}")


def clear_material(block: KeyBlock) -> KeyMaterial | None:
    """Return the material; None when it is wrapped or kept elsewhere.

    Raises InvalidField when the form of the material is not that of the Key Format Type.
    """
    if block.key_wrapping_data is not None or block.key_value is None:
        return None
    if not isinstance(block.key_value, KeyValue):
        raise InvalidField("the Key Value is a byte string, but there is no Key Wrapping Data to unwrap it")
    material = block.key_value.key_material
    key_format = block.key_format_type
    if key_format in BYTES and not isinstance(material, SecretBytes):
        raise InvalidField(f"Key Material of format {spec_name(key_format)} is a byte string")
    if key_format in TRANSPARENT and not isinstance(material, SecretItems):
        raise InvalidField(f"Key Material of format {spec_name(key_format)} is a structure")
    return material


def spelt_out(key_format: Format, material: SecretItems) -> TransparentKey:
    """Return the structure of a transparent key; raises InvalidField when it is not that of the format."""
    try:
        return transparent(key_format, material)
    except DecodeError as error:
        raise InvalidField(str(error)) from error


def with_material(block: KeyBlock, key_format: Format, material: KeyMaterial) -> KeyBlock:
    """Return the block with other material; attributes that stand in the Key Value stay there."""
    before = block.key_value
    value = (
        before.replace(key_material=material)
        if isinstance(before, KeyValue)
        else KeyValue(key_material=material)
    )
    return block.replace(key_format_type=key_format, key_value=value)
