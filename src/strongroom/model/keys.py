"""Key blocks and what is in them (KMIP 1.x §2.1.3-2.1.7, 2.x §3).

Rule: material stays in a secret type. A transparent key is kept as the Items it came in, so that it goes
back as it came; `transparent()` reads it when the server has to work with it.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, NoReturn, TypeAlias

from strongroom.model.attribute_list import Attributes, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.convert import ValueShape, decoder, encoder, under
from strongroom.model.errors import MalformedField
from strongroom.model.forms import Decoder, Encoder, Form
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import BigInt, Int32, Struct
from strongroom.model.structures import KeyWrappingData
from strongroom.registry import (
    CryptographicAlgorithm,
    ItemType,
    KeyCompressionType,
    KeyFormatType,
    RecommendedCurve,
    Tag,
    Version,
)
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item


class SecretItems:
    """The Items of a transparent key; prints nothing, is compared by content."""

    __slots__ = ("_items",)

    def __init__(self, items: list[Item]) -> None:
        self._items = items

    def reveal(self) -> list[Item]:
        """Return the Items; every call is a place that a review looks at."""
        return self._items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SecretItems) and self._items == other._items

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SecretItems({len(self._items)} items)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("SecretItems is not pickled: secrets leave the process only sealed")


KeyMaterial: TypeAlias = SecretBytes | SecretItems


class KeyMaterialForm(Form):
    """Bytes, or the structure of a transparent key."""

    item_types = (int(ItemType.BYTE_STRING), int(ItemType.STRUCTURE))

    def decoder(self, version: Version | None) -> Decoder:
        return lambda item_type, value: SecretBytes(value) if item_type == 8 else SecretItems(value)

    def encoder(self, version: Version | None) -> Encoder:
        return lambda value: (8 if type(value) is SecretBytes else 1, value.reveal())


class KeyValue(Struct):
    """Material and, where a client sent them along, attributes."""

    key_material: Annotated[KeyMaterial, ValueShape(KeyMaterialForm())]
    attributes: Annotated[TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None)] = None

    def attribute_instances(self) -> Attributes:
        """Return the attributes inside the value, none if there are none."""
        return Attributes() if self.attributes is None else self.attributes.attributes


class KeyValueForm(Form):
    """A Key Value structure, or the bytes of a wrapped one."""

    item_types = (int(ItemType.STRUCTURE), int(ItemType.BYTE_STRING))

    def decoder(self, version: Version | None) -> Decoder:
        decode = decoder(KeyValue, version)

        def read(item_type: int, value: Any) -> KeyValue | SecretBytes:
            if item_type == 8:
                return SecretBytes(value)
            try:
                made: KeyValue = decode(value)
                return made
            except DecodeError as error:
                raise under(error, "KeyValue", None) from None

        return read

    def encoder(self, version: Version | None) -> Encoder:
        encode = encoder(KeyValue, version)

        def write(value: KeyValue | SecretBytes) -> tuple[int, Any]:
            return (8, value.reveal()) if isinstance(value, SecretBytes) else (1, encode(value))

        return write


class KeyBlock(Struct):
    """A key in some format. `key_value` is bytes when it is wrapped, None when it is kept elsewhere (1.2)."""

    key_format_type: KeyFormatType
    key_compression_type: KeyCompressionType | None = None
    key_value: Annotated[KeyValue | SecretBytes | None, ValueShape(KeyValueForm())] = None
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_length: Int32 | None = None
    key_wrapping_data: KeyWrappingData | None = None


class TransparentKey(Struct):
    """Base of the structures that spell out a key; none of them prints its fields."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"


class TransparentSymmetricKey(TransparentKey):
    key: SecretBytes


class TransparentDSAPrivateKey(TransparentKey):
    p: BigInt
    q: BigInt
    g: BigInt
    x: BigInt


class TransparentDSAPublicKey(TransparentKey):
    p: BigInt
    q: BigInt
    g: BigInt
    y: BigInt


class TransparentRSAPrivateKey(TransparentKey):
    modulus: BigInt
    private_exponent: BigInt | None = None
    public_exponent: BigInt | None = None
    p: BigInt | None = None
    q: BigInt | None = None
    prime_exponent_p: BigInt | None = None
    prime_exponent_q: BigInt | None = None
    crt_coefficient: BigInt | None = None


class TransparentRSAPublicKey(TransparentKey):
    modulus: BigInt
    public_exponent: BigInt


class TransparentDHPrivateKey(TransparentKey):
    p: BigInt
    q: BigInt | None = None
    g: BigInt
    j: BigInt | None = None
    x: BigInt


class TransparentDHPublicKey(TransparentKey):
    p: BigInt
    q: BigInt | None = None
    g: BigInt
    j: BigInt | None = None
    y: BigInt


class TransparentECPrivateKey(TransparentKey):
    recommended_curve: RecommendedCurve
    d: BigInt


class TransparentECPublicKey(TransparentKey):
    recommended_curve: RecommendedCurve
    q_string: bytes


TRANSPARENT: Final[Mapping[KeyFormatType, type[TransparentKey]]] = {
    KeyFormatType.TRANSPARENT_SYMMETRIC_KEY: TransparentSymmetricKey,
    KeyFormatType.TRANSPARENT_DSA_PRIVATE_KEY: TransparentDSAPrivateKey,
    KeyFormatType.TRANSPARENT_DSA_PUBLIC_KEY: TransparentDSAPublicKey,
    KeyFormatType.TRANSPARENT_RSA_PRIVATE_KEY: TransparentRSAPrivateKey,
    KeyFormatType.TRANSPARENT_RSA_PUBLIC_KEY: TransparentRSAPublicKey,
    KeyFormatType.TRANSPARENT_DH_PRIVATE_KEY: TransparentDHPrivateKey,
    KeyFormatType.TRANSPARENT_DH_PUBLIC_KEY: TransparentDHPublicKey,
    KeyFormatType.TRANSPARENT_ECDSA_PRIVATE_KEY: TransparentECPrivateKey,
    KeyFormatType.TRANSPARENT_ECDSA_PUBLIC_KEY: TransparentECPublicKey,
    KeyFormatType.TRANSPARENT_ECDH_PRIVATE_KEY: TransparentECPrivateKey,
    KeyFormatType.TRANSPARENT_ECDH_PUBLIC_KEY: TransparentECPublicKey,
    KeyFormatType.TRANSPARENT_ECMQV_PRIVATE_KEY: TransparentECPrivateKey,
    KeyFormatType.TRANSPARENT_ECMQV_PUBLIC_KEY: TransparentECPublicKey,
    KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY: TransparentECPrivateKey,
    KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY: TransparentECPublicKey,
}
"""The structure of Key Material in each transparent format; DSA, RSA and DH differ, the EC ones do not."""


def transparent(key_format_type: KeyFormatType, material: SecretItems) -> TransparentKey:
    """Return the spelt-out key; raises MalformedField when the structure is not that of the format."""
    cls = TRANSPARENT.get(key_format_type)
    if cls is None:
        raise MalformedField("Key Material of this Key Format Type is a byte string, not a structure")
    try:
        key: TransparentKey = decoder(cls, None)(material.reveal())
        return key
    except DecodeError as error:
        raise under(error, "KeyMaterial", None) from None


def spell_out(key: TransparentKey) -> SecretItems:
    """Return the Key Material structure of a transparent key."""
    return SecretItems(encoder(type(key), None)(key))
