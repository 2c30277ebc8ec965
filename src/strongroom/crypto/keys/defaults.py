"""The Key Format Type that each kind of object has by default (KMIP 2.1 §4.26, table 81).

Rule: the formats are a table; a kind of key that the table of the specification leaves out is decided here.
"""

from collections.abc import Mapping
from typing import Final

from strongroom.crypto.keys.conversion import convert_key, library_key
from strongroom.crypto.keys.families import DH, DSA, EC, FAMILIES, FIXED, ONE_SIZE, RSA, Family, describe
from strongroom.crypto.keys.material import KeyObject, clear_material
from strongroom.crypto.post_quantum.adapter import KINDS
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
from strongroom.model.compat import STAND_INS
from strongroom.model.objects import PGPKey, PrivateKey, PublicKey, SecretData, SplitKey, SymmetricKey
from strongroom.registry import KeyFormatType as Format

# SPEC(KMIP 2.1 §4.26, table 81): RSA, EC and DSA. The rest has no default there: DH keys are spelt out like
# DSA keys, and keys without a structure come in the encodings that everybody reads.
FORMATS: Final[Mapping[Family, tuple[Format, Format]]] = {
    RSA: (Format.PKCS_1, Format.PKCS_1),
    EC: (Format.TRANSPARENT_EC_PRIVATE_KEY, Format.TRANSPARENT_EC_PUBLIC_KEY),
    DSA: (Format.TRANSPARENT_DSA_PRIVATE_KEY, Format.TRANSPARENT_DSA_PUBLIC_KEY),
    DH: (Format.TRANSPARENT_DH_PRIVATE_KEY, Format.TRANSPARENT_DH_PUBLIC_KEY),
    **{fixed.family: (Format.PKCS_8, Format.X_509) for fixed in ONE_SIZE},
    **{FIXED[algorithm].family: (Format.RAW, Format.RAW) for algorithm in KINDS},
}
"""The formats of (private, public) keys of each kind."""

if set(FORMATS) != set(FAMILIES):
    raise TypeError("every family of keys needs its default formats")


def in_default_format(value: KeyObject) -> KeyObject | None:
    """Return the object in its default format; None when it is in that format or cannot be brought into it.

    Slow for private keys.
    """
    if clear_material(value.key_block) is None:
        return None
    stored, wanted = value.key_block.key_format_type, _default(value)
    if wanted is None or wanted in (stored, STAND_INS[Format].get(stored)):
        return None
    try:
        return convert_key(value, wanted, None)
    except KeyFormatTypeNotSupported:
        return None


def _default(value: KeyObject) -> Format | None:
    match value:
        case PrivateKey() | PublicKey():
            key = library_key(value)
            kind = None if key is None else describe(key)
            return None if kind is None else FORMATS[kind.family][isinstance(value, PublicKey)]
        case SymmetricKey() | SecretData() | SplitKey() | PGPKey():
            return Format.RAW
