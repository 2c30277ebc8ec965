"""A key in another Key Format Type or Key Compression Type (Get, Export).

Rule: the format that is asked for is the format that comes; what cannot be written so is refused. A key that
is in it already comes back as it is stored, byte for byte.
"""

from typing import Final

from strongroom.crypto.keys.examination import symmetric_bytes
from strongroom.crypto.keys.families import LibraryKey
from strongroom.crypto.keys.material import KeyObject, clear_material, with_material
from strongroom.crypto.keys.reading import read_private, read_public
from strongroom.crypto.keys.writing import write_point, writers
from strongroom.crypto.tables import spec_name
from strongroom.domain.key_form_errors import KeyCompressionTypeNotSupported, KeyFormatTypeNotSupported
from strongroom.model.keys import KeyBlock, KeyMaterial, TransparentSymmetricKey, spell_out
from strongroom.model.objects import (
    PGPKey,
    PrivateKey,
    PublicKey,
    SecretData,
    SplitKey,
    SymmetricKey,
)
from strongroom.registry import KeyCompressionType as Compression
from strongroom.registry import KeyFormatType as Format

_UNSPECIFIC: Final = frozenset({Format.RAW, Format.OPAQUE})


def convert_key(value: KeyObject, wanted: Format, compression: Compression | None) -> KeyObject:
    """Return the key in the wanted form; slow for private keys.

    Raises KeyFormatTypeNotSupported or KeyCompressionTypeNotSupported.
    """
    block = value.key_block
    if wanted == block.key_format_type and compression in (None, block.key_compression_type):
        return value
    material = clear_material(block)
    if material is None:
        raise KeyFormatTypeNotSupported("the key is wrapped or kept elsewhere; leave the Key Format Type out")
    if compression is not None and not isinstance(value, PublicKey):
        raise KeyCompressionTypeNotSupported("only elliptic curve public keys have a Key Compression Type")
    match value:
        case SymmetricKey():
            made = _symmetric(block, material, wanted)
        case PrivateKey() | PublicKey():
            made = _asymmetric(value, material, wanted, compression)
        case SecretData() | SplitKey() | PGPKey():
            if not {block.key_format_type, wanted} <= _UNSPECIFIC:
                raise _unsupported(block.key_format_type, wanted)
            made = with_material(block, wanted, material)
    return value.replace(key_block=made)


def _symmetric(block: KeyBlock, material: KeyMaterial, wanted: Format) -> KeyBlock:
    key = symmetric_bytes(block.key_format_type, material)
    if key is not None and wanted is Format.RAW:
        return with_material(block, wanted, key)
    if key is not None and wanted is Format.TRANSPARENT_SYMMETRIC_KEY:
        return with_material(block, wanted, spell_out(TransparentSymmetricKey(key=key)))
    raise _unsupported(block.key_format_type, wanted)


def _asymmetric(
    value: PrivateKey | PublicKey, material: KeyMaterial, wanted: Format, compression: Compression | None
) -> KeyBlock:
    block = value.key_block
    key = _read(value, block.key_format_type, material)
    write = None if key is None else writers(key).get(wanted)
    if key is None or write is None:
        raise _unsupported(block.key_format_type, wanted)
    made = write(key) if compression is None else write_point(key, wanted, compression)
    if made is None:
        raise KeyCompressionTypeNotSupported(
            f"a key of this kind cannot be given out as {spec_name(wanted)} in this Key Compression Type"
        )
    return with_material(block, wanted, made).replace(key_compression_type=compression)


def library_key(value: PrivateKey | PublicKey) -> LibraryKey | None:
    """Return the library's key of a stored object; None when it shows none. Slow for private keys."""
    material = clear_material(value.key_block)
    return None if material is None else _read(value, value.key_block.key_format_type, material)


def _read(value: PrivateKey | PublicKey, key_format: Format, material: KeyMaterial) -> LibraryKey | None:
    """Return the library's key of stored material; None when it shows none."""
    algorithm = value.key_block.cryptographic_algorithm
    if isinstance(value, PrivateKey):
        # Stored material was checked by `examine` or made here, and the store seals it.
        return read_private(key_format, material, check=False, algorithm=algorithm)
    return read_public(key_format, material, algorithm=algorithm)


def _unsupported(stored: Format, wanted: Format) -> KeyFormatTypeNotSupported:
    return KeyFormatTypeNotSupported(
        f"a key of this kind in format {spec_name(stored)} cannot be given out as {spec_name(wanted)}"
    )
