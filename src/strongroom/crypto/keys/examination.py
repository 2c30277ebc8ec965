"""What a key tells when it is registered.

Rule: material is read once, with every check that the library has, before anything is stored. Material that
cannot be read here (wrapped, encrypted, opaque, of an unknown kind) is stored on the client's word.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from strongroom.crypto.keys.declared import Declared, agreed_asymmetric, agreed_symmetric, check_length
from strongroom.crypto.keys.families import EC_ALGORITHMS, describe
from strongroom.crypto.keys.material import KeyObject, check_format, clear_material, spelt_out
from strongroom.crypto.keys.reading import read_private, read_public
from strongroom.crypto.keys.transparent import check_dh, check_sizes, shown_by
from strongroom.crypto.openpgp import examine_pgp_key
from strongroom.crypto.tables import spec_name
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.errors import InvalidField
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.keys import (
    KeyMaterial,
    SecretItems,
    TransparentDHPrivateKey,
    TransparentDHPublicKey,
    TransparentKey,
    TransparentSymmetricKey,
)
from strongroom.model.objects import PGPKey, PrivateKey, PublicKey, SplitKey, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as Format
from strongroom.registry import SplitKeyMethod, Tag

_NAMED_BY_FORMAT: Final[Mapping[Format, Algorithm]] = {
    Format.PKCS_1: Algorithm.RSA,
    Format.TRANSPARENT_RSA_PRIVATE_KEY: Algorithm.RSA,
    Format.TRANSPARENT_RSA_PUBLIC_KEY: Algorithm.RSA,
    Format.TRANSPARENT_DSA_PRIVATE_KEY: Algorithm.DSA,
    Format.TRANSPARENT_DSA_PUBLIC_KEY: Algorithm.DSA,
    Format.TRANSPARENT_DH_PRIVATE_KEY: Algorithm.DH,
    Format.TRANSPARENT_DH_PUBLIC_KEY: Algorithm.DH,
    Format.TRANSPARENT_ECDSA_PRIVATE_KEY: Algorithm.ECDSA,
    Format.TRANSPARENT_ECDSA_PUBLIC_KEY: Algorithm.ECDSA,
    Format.TRANSPARENT_ECDH_PRIVATE_KEY: Algorithm.ECDH,
    Format.TRANSPARENT_ECDH_PUBLIC_KEY: Algorithm.ECDH,
    Format.TRANSPARENT_ECMQV_PRIVATE_KEY: Algorithm.ECMQV,
    Format.TRANSPARENT_ECMQV_PUBLIC_KEY: Algorithm.ECMQV,
    Format.TRANSPARENT_EC_PRIVATE_KEY: Algorithm.EC,
    Format.TRANSPARENT_EC_PUBLIC_KEY: Algorithm.EC,
    Format.ECPRIVATEKEY: Algorithm.EC,
}
"""The algorithm that a format implies; the others hold any kind of key."""

_RAW: Final = Format.RAW


def examine_key(value: KeyObject, beside: Declared) -> ObjectFacts:
    """Return what a key tells; `beside` is what the attributes declare. Slow for private keys."""
    check_format(value)
    if isinstance(value, SplitKey):
        _check_part(value)
    block = value.key_block
    declared = Declared(block.cryptographic_algorithm, block.cryptographic_length).merged(beside)
    material = clear_material(block)
    if material is not None and isinstance(value, SymmetricKey):
        return _symmetric(block.key_format_type, material, declared)
    if material is not None and isinstance(value, PrivateKey | PublicKey):
        return _asymmetric(value, block.key_format_type, material, declared)
    # The declaration of a split key is that of the whole it belongs to; secret data need have none.
    return _facts(declared)


def _check_part(part: SplitKey) -> None:
    """Raise InvalidField unless the part may be one of its split (KMIP 1.4 §2.2.5, 2.1 §2.8)."""
    if not 1 <= part.key_part_identifier <= part.split_key_parts:
        raise InvalidField("the Key Part Identifier must be at least 1 and at most the Split Key Parts")
    if not 1 <= part.split_key_threshold <= part.split_key_parts:
        raise InvalidField("the Split Key Threshold must be at least 1 and at most the Split Key Parts")
    prime_field = part.split_key_method is SplitKeyMethod.POLYNOMIAL_SHARING_PRIME_FIELD
    if prime_field and part.prime_field_size is None:
        raise InvalidField("Polynomial Sharing Prime Field needs the Prime Field Size")


def examine_pgp(value: PGPKey, beside: Declared) -> ObjectFacts:
    """Return what a PGP key tells; slow. Format Opaque is the client's word that it is not to be read."""
    facts = examine_key(value, beside)
    material = clear_material(value.key_block)
    if value.key_block.key_format_type is not Format.RAW or not isinstance(material, SecretBytes):
        return facts
    return replace(facts, attributes=examine_pgp_key(material.reveal(), value.pgp_key_version))


def _facts(declared: Declared, domain: CryptographicDomainParameters | None = None) -> ObjectFacts:
    attributes = () if domain is None else (AttributeInstance(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain),)
    return ObjectFacts(
        cryptographic_algorithm=declared.algorithm,
        cryptographic_length=declared.length,
        attributes=attributes,
    )


def symmetric_bytes(key_format: Format, material: KeyMaterial) -> SecretBytes | None:
    """Return the key itself; None when the format does not show it."""
    if key_format is _RAW and isinstance(material, SecretBytes):
        return material
    if key_format is Format.TRANSPARENT_SYMMETRIC_KEY and isinstance(material, SecretItems):
        key = spelt_out(key_format, material)
        assert isinstance(key, TransparentSymmetricKey)
        return key.key
    return None


def _symmetric(key_format: Format, material: KeyMaterial, declared: Declared) -> ObjectFacts:
    key = symmetric_bytes(key_format, material)
    return _facts(declared if key is None else agreed_symmetric(declared, len(key)))


def _asymmetric(
    value: PrivateKey | PublicKey, key_format: Format, material: KeyMaterial, declared: Declared
) -> ObjectFacts:
    named = _NAMED_BY_FORMAT.get(key_format)
    spelt = spelt_out(key_format, material) if isinstance(material, SecretItems) else None
    if isinstance(spelt, TransparentDHPrivateKey | TransparentDHPublicKey):
        check_sizes(spelt)
        check_dh(spelt)
        return _unread(key_format, spelt, declared, named)
    if isinstance(value, PrivateKey):
        key = read_private(key_format, material, check=True, algorithm=declared.algorithm)
    else:
        key = read_public(key_format, material, algorithm=declared.algorithm)
    found = None if key is None else describe(key)
    if found is None:
        return _unread(key_format, spelt, declared, named)
    return _facts(agreed_asymmetric(declared, found, named), found.domain)


def _unread(
    key_format: Format, spelt: TransparentKey | None, declared: Declared, named: Algorithm | None
) -> ObjectFacts:
    """Return what can be told of a key that the library does not take."""
    algorithm = declared.algorithm
    if named is not None:
        if algorithm not in (None, named) and not {algorithm, named} <= EC_ALGORITHMS:
            raise InvalidField(f"the Cryptographic Algorithm is not that of format {spec_name(key_format)}")
        algorithm = named if algorithm is None else algorithm
    length, domain = (None, None) if spelt is None else shown_by(spelt)
    if length is not None:
        check_length(declared.length, length)
    return _facts(Declared(algorithm, declared.length if length is None else length), domain)
