"""Attributes of PKCS#11 and those of KMIP that say the same.

Rule: tables, and the two directions: what a template asks for, and what an object shows. Label and ID need
not be unique, as Names are; they are vendor attributes of the object.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from strongroom.model.attribute_list import AttributeInstance, AttributeKey, RawValue, VendorAttribute
from strongroom.operations.pkcs11.codec import Attribute
from strongroom.operations.pkcs11.constants import CKA, CKK, CKO, UNAVAILABLE
from strongroom.operations.pkcs11.failure import Failure
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import CryptographicUsageMask as Mask
from strongroom.registry import ItemType, ObjectType, Tag
from strongroom.registry import PKCS11ReturnCode as Code
from strongroom.wire.text import checked_text

LABEL: Final = VendorAttribute("PKCS11", "Label")
ID: Final = VendorAttribute("PKCS11", "ID")

CLASSES: Final[Mapping[ObjectType, CKO]] = {
    ObjectType.SYMMETRIC_KEY: CKO.SECRET_KEY,
    ObjectType.PUBLIC_KEY: CKO.PUBLIC_KEY,
    ObjectType.PRIVATE_KEY: CKO.PRIVATE_KEY,
    ObjectType.CERTIFICATE: CKO.CERTIFICATE,
    ObjectType.OPAQUE_OBJECT: CKO.DATA,
    ObjectType.SECRET_DATA: CKO.DATA,
}
"""Objects of other types are not seen through PKCS#11."""

KEY_TYPES: Final[Mapping[Algorithm, CKK]] = {
    Algorithm.AES: CKK.AES,
    Algorithm.RSA: CKK.RSA,
    Algorithm.DSA: CKK.DSA,
    Algorithm.EC: CKK.EC,
    Algorithm.ECDSA: CKK.EC,
    Algorithm.ECDH: CKK.EC,
    Algorithm.ED25519: CKK.EC_EDWARDS,
    Algorithm.ED448: CKK.EC_EDWARDS,
    Algorithm.DES3: CKK.DES3,
    Algorithm.CAMELLIA: CKK.CAMELLIA,
    Algorithm.CHACHA20: CKK.CHACHA20,
    Algorithm.HMAC_SHA1: CKK.GENERIC_SECRET,
    Algorithm.HMAC_SHA224: CKK.GENERIC_SECRET,
    Algorithm.HMAC_SHA256: CKK.GENERIC_SECRET,
    Algorithm.HMAC_SHA384: CKK.GENERIC_SECRET,
    Algorithm.HMAC_SHA512: CKK.GENERIC_SECRET,
}

ALGORITHMS: Final[Mapping[int, Algorithm]] = {
    CKK.AES: Algorithm.AES,
    CKK.DES3: Algorithm.DES3,
    CKK.CAMELLIA: Algorithm.CAMELLIA,
    CKK.CHACHA20: Algorithm.CHACHA20,
    CKK.GENERIC_SECRET: Algorithm.HMAC_SHA256,
    CKK.SHA_1_HMAC: Algorithm.HMAC_SHA1,
    CKK.SHA224_HMAC: Algorithm.HMAC_SHA224,
    CKK.SHA256_HMAC: Algorithm.HMAC_SHA256,
    CKK.SHA384_HMAC: Algorithm.HMAC_SHA384,
    CKK.SHA512_HMAC: Algorithm.HMAC_SHA512,
}
"""What a secret key of a type is for."""

_OF_PAIRS: Final[Mapping[int, Mask]] = {
    CKA.ENCRYPT: Mask.ENCRYPT,
    CKA.DECRYPT: Mask.DECRYPT,
    CKA.SIGN: Mask.SIGN,
    CKA.VERIFY: Mask.VERIFY,
    CKA.WRAP: Mask.WRAP_KEY,
    CKA.UNWRAP: Mask.UNWRAP_KEY,
    CKA.DERIVE: Mask.DERIVE_KEY,
}
_OF_SECRET_KEYS: Final = {**_OF_PAIRS, CKA.SIGN: Mask.MAC_GENERATE, CKA.VERIFY: Mask.MAC_VERIFY}

_USUAL: Final[Mapping[CKO, Mask]] = {
    CKO.SECRET_KEY: Mask.ENCRYPT | Mask.DECRYPT | Mask.MAC_GENERATE | Mask.MAC_VERIFY,
    CKO.PUBLIC_KEY: Mask.ENCRYPT | Mask.VERIFY,
    CKO.PRIVATE_KEY: Mask.DECRYPT | Mask.SIGN,
}
"""The uses of a key whose template names none."""


def uses(cls: CKO) -> Mapping[int, Mask]:
    """Return which bit of the Cryptographic Usage Mask each flag of such an object is."""
    return _OF_SECRET_KEYS if cls is CKO.SECRET_KEY else _OF_PAIRS


@dataclass(slots=True)
class Template:
    """A template, every attribute at most once."""

    values: dict[int, Any]
    _read: set[int] = field(default_factory=set)

    def take(self, attribute: CKA, default: Any = None) -> Any:
        """Return a value, and note that it was understood."""
        self._read.add(attribute)
        return self.values.get(attribute, default)

    def need(self, attribute: CKA) -> Any:
        """Return a value; raises Failure when the template has none."""
        value = self.take(attribute)
        if value is None:
            raise Failure(Code.CKR_TEMPLATE_INCOMPLETE)
        return value

    def end(self) -> None:
        """Return if everything was understood."""
        if set(self.values) - self._read:
            raise Failure(Code.CKR_ATTRIBUTE_TYPE_INVALID)


def template_of(attributes: Iterable[Attribute]) -> Template:
    """Return a template that says what an object is to be; raises Failure for one without values."""
    values: dict[int, Any] = {}
    for attribute in attributes:
        if attribute.value is None:
            raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID)
        if attribute.type in values:
            raise Failure(Code.CKR_TEMPLATE_INCONSISTENT)
        values[attribute.type] = attribute.value
    return Template(values)


def described(template: Template, cls: CKO, now: datetime) -> list[AttributeInstance]:
    """Return what a template says of a new object, its material and its kind aside."""
    given: list[AttributeInstance] = []
    if template.take(CKA.MODIFIABLE, True) is False or template.take(CKA.DESTROYABLE, True) is False:
        raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID)
    for ignored in (CKA.PRIVATE, CKA.TOKEN, CKA.COPYABLE, CKA.APPLICATION, CKA.OBJECT_ID):
        template.take(ignored)
    label, identifier = template.take(CKA.LABEL), template.take(CKA.ID)
    if label:
        given.append(AttributeInstance(LABEL, labelled(label)))
    if identifier:
        given.append(AttributeInstance(ID, RawValue(ItemType.BYTE_STRING, identifier)))
    for attribute, tag in ((CKA.SENSITIVE, Tag.SENSITIVE), (CKA.EXTRACTABLE, Tag.EXTRACTABLE)):
        value = template.take(attribute)
        if value is not None:
            given.append(AttributeInstance(tag, value))
    if cls in _USUAL:
        flags = {flag: template.take(CKA(flag)) for flag in uses(cls)}
        mask = Mask(0)
        for flag, bit in uses(cls).items():
            mask |= bit if flags[flag] else Mask(0)
        if all(value is None for value in flags.values()):
            mask = _USUAL[cls]
        given.append(AttributeInstance(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask))
        # A PKCS#11 key can be used as soon as it is there.
        given.append(AttributeInstance(Tag.ACTIVATION_DATE, now))
    return given


def changed(template: Template) -> list[AttributeInstance]:
    """Return what a template changes of an object that is there; raises Failure for what stays as it is."""
    changes = []
    label, identifier = template.take(CKA.LABEL), template.take(CKA.ID)
    if label is not None:
        changes.append(AttributeInstance(LABEL, labelled(label)))
    if identifier is not None:
        changes.append(AttributeInstance(ID, RawValue(ItemType.BYTE_STRING, identifier)))
    for attribute, tag in ((CKA.SENSITIVE, Tag.SENSITIVE), (CKA.EXTRACTABLE, Tag.EXTRACTABLE)):
        value = template.take(attribute)
        if value is not None:
            changes.append(AttributeInstance(tag, value))
    if template.values.keys() & _OF_PAIRS.keys():
        # The uses of a key are settled when it is made.
        raise Failure(Code.CKR_ATTRIBUTE_READ_ONLY)
    template.end()
    return changes


def labelled(label: bytes) -> RawValue:
    """Return the value of a label; raises Failure unless KMIP can hold it."""
    return RawValue(ItemType.TEXT_STRING, text(label))


def text(value: bytes) -> str:
    """Return a text; raises Failure unless KMIP can hold it: UTF-8 without NUL."""
    try:
        return checked_text(value.decode())
    except ValueError:
        raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID) from None


@dataclass(frozen=True, slots=True)
class Shown:
    """What Get Attributes has told of an object."""

    values: Mapping[AttributeKey, Sequence[Any]]

    def first(self, key: AttributeKey) -> Any:
        found = self.values.get(key)
        return found[0] if found else None

    @property
    def cls(self) -> CKO | None:
        """Return the class, None for an object that is not seen through PKCS#11."""
        return CLASSES.get(self.first(Tag.OBJECT_TYPE))


def shown_value(number: int, shown: Shown) -> bytes | int | bool | None:
    """Return an attribute that follows from what KMIP shows; None when the object has no such attribute."""
    cls = shown.cls
    if cls is None:
        return None
    keys = cls in _USUAL
    if keys and number in uses(cls):
        return bool(int(shown.first(Tag.CRYPTOGRAPHIC_USAGE_MASK) or 0) & uses(cls)[number])
    match number:
        case CKA.CLASS:
            return cls
        case CKA.PRIVATE | CKA.MODIFIABLE | CKA.DESTROYABLE:
            return True
        case CKA.COPYABLE:
            return False
        case CKA.LABEL:
            return _label(shown)
        case CKA.ID if cls is not CKO.DATA:
            value = shown.first(ID)
            return value.value if _is(value, ItemType.BYTE_STRING) else b""
        case CKA.UNIQUE_ID:
            return str(shown.first(Tag.UNIQUE_IDENTIFIER)).encode()
        case CKA.CERTIFICATE_TYPE if cls is CKO.CERTIFICATE:
            return 0
        case CKA.APPLICATION if cls is CKO.DATA:
            return b""
        case _:
            return _of_keys(number, cls, shown) if keys else None


def _of_keys(number: int, cls: CKO, shown: Shown) -> bytes | int | bool | None:
    length = shown.first(Tag.CRYPTOGRAPHIC_LENGTH)
    match number:
        case CKA.KEY_TYPE:
            return KEY_TYPES.get(shown.first(Tag.CRYPTOGRAPHIC_ALGORITHM))
        case CKA.LOCAL:
            return shown.first(Tag.ORIGINAL_CREATION_DATE) is not None
        case CKA.KEY_GEN_MECHANISM:
            return UNAVAILABLE
        case CKA.START_DATE:
            return _date(shown.first(Tag.ACTIVATION_DATE))
        case CKA.END_DATE:
            return _date(shown.first(Tag.DEACTIVATION_DATE))
        case CKA.VALUE_LEN if cls is CKO.SECRET_KEY and length is not None:
            return int(length) // 8
        case CKA.MODULUS_BITS if shown.first(Tag.CRYPTOGRAPHIC_ALGORITHM) is Algorithm.RSA:
            return None if length is None else int(length)
        case CKA.SENSITIVE if cls is not CKO.PUBLIC_KEY:
            return bool(shown.first(Tag.SENSITIVE))
        case CKA.EXTRACTABLE if cls is not CKO.PUBLIC_KEY:
            return shown.first(Tag.EXTRACTABLE) is not False
        case CKA.ALWAYS_SENSITIVE if cls is not CKO.PUBLIC_KEY:
            return bool(shown.first(Tag.ALWAYS_SENSITIVE))
        case CKA.NEVER_EXTRACTABLE if cls is not CKO.PUBLIC_KEY:
            return bool(shown.first(Tag.NEVER_EXTRACTABLE))
        case _:
            return None


def _label(shown: Shown) -> bytes:
    label, name = shown.first(LABEL), shown.first(Tag.NAME)
    if _is(label, ItemType.TEXT_STRING):
        return str(label.value).encode()
    return b"" if name is None else str(name.name_value).encode()


def _is(value: RawValue | None, item_type: ItemType) -> bool:
    """Tell whether a vendor attribute is there and what we make it: KMIP takes values of any type for it."""
    return value is not None and value.item_type == item_type


def _date(date: datetime | None) -> bytes | None:
    return None if date is None else date.strftime("%Y%m%d").encode()
