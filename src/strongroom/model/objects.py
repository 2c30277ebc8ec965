"""Managed objects as they stand in messages (KMIP 1.x §2.2, 2.x §2; 3.0 adds users, groups and credentials).

Rule: declarations, and the one shape that accepts any of them.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.convert import FieldShape, decoder, encoder, repeated, tag_name, under, wrong_type
from strongroom.model.errors import NotInVersion
from strongroom.model.keys import KeyBlock
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import BigInt, Field, Int32, OffWire, Seconds, Struct, Tagged
from strongroom.registry import (
    CertificateRequestType,
    CertificateType,
    CryptographicAlgorithm,
    HashingAlgorithm,
    ItemType,
    KeyFormatType,
    ObjectType,
    OpaqueDataType,
    OTPAlgorithm,
    SecretDataType,
    SplitKeyMethod,
    Tag,
    Version,
)
from strongroom.registry.names import VALUES, in_version
from strongroom.wire.errors import DecodeError
from strongroom.wire.item import Item


class ManagedObjectStruct(Struct):
    """Base of the structures that carry an object in Register, Get, Import, Export and Put."""


class Certificate(ManagedObjectStruct):
    certificate_type: CertificateType
    certificate_value: bytes


class CertificateRequest(ManagedObjectStruct):
    certificate_request_type: CertificateRequestType
    certificate_request_value: bytes


class SymmetricKey(ManagedObjectStruct):
    key_block: KeyBlock


class PublicKey(ManagedObjectStruct):
    key_block: KeyBlock


class PrivateKey(ManagedObjectStruct):
    key_block: KeyBlock


class SplitOrigin(Struct):
    """What the server remembers, in every part that it made, of the whole.

    `digest_value` is SHA-256 over `salt` (16 random bytes, the same in all parts of one split) and the whole,
    which has `data_length` bytes. The rest says what object the whole was.
    """

    salt: bytes
    digest_value: SecretBytes
    data_length: Int32
    object_type: ObjectType
    key_format_type: KeyFormatType | None = None
    secret_data_type: SecretDataType | None = None
    opaque_data_type: OpaqueDataType | None = None


class SplitKey(ManagedObjectStruct):
    split_key_parts: Int32
    key_part_identifier: Int32
    split_key_threshold: Int32
    split_key_method: SplitKeyMethod
    prime_field_size: BigInt | None = None
    key_block: KeyBlock
    split_origin: Annotated[SplitOrigin | None, Tagged(Tag.SPLIT_KEY_BASE_LINK), OffWire()] = None


class Template(ManagedObjectStruct):
    """Attributes to make objects from (until 1.4, deprecated in 1.3)."""

    attributes: Annotated[TemplateAttributes | None, AttributesShape(Tag.ATTRIBUTES, None)] = None


class SecretData(ManagedObjectStruct):
    secret_data_type: SecretDataType
    key_block: KeyBlock


class OpaqueObject(ManagedObjectStruct):
    opaque_data_type: OpaqueDataType
    opaque_data_value: SecretBytes


class PGPKey(ManagedObjectStruct):
    pgp_key_version: Int32
    key_block: KeyBlock


class PasswordCredential(ManagedObjectStruct):
    password: Annotated[SecretBytes | None, ItemType.TEXT_STRING] = None
    password_salt: bytes | None = None
    password_salt_algorithm: CryptographicAlgorithm | None = None
    salted_password: SecretBytes | None = None
    iteration_count: Int32 | None = None


class DeviceCredential(ManagedObjectStruct):
    device_serial_number: str | None = None
    device_identifier: str | None = None
    network_identifier: str | None = None
    machine_identifier: str | None = None
    media_identifier: str | None = None


class OTPCredential(ManagedObjectStruct):
    otp_algorithm: OTPAlgorithm
    otp_digest: CryptographicAlgorithm | None = None
    otp_serial: str | None = None
    otp_seed: SecretBytes | None = None
    otp_interval: Seconds | None = None
    otp_digits: Int32 | None = None


class HashedPasswordCredential(ManagedObjectStruct):
    hashing_algorithm: HashingAlgorithm | None = None
    hashed_username_password: SecretBytes
    hashed_password_username: SecretBytes


OBJECT_TAGS: Final[Mapping[int, type[ManagedObjectStruct]]] = {
    Tag.CERTIFICATE: Certificate,
    Tag.CERTIFICATE_REQUEST: CertificateRequest,
    Tag.SYMMETRIC_KEY: SymmetricKey,
    Tag.PUBLIC_KEY: PublicKey,
    Tag.PRIVATE_KEY: PrivateKey,
    Tag.SPLIT_KEY: SplitKey,
    Tag.TEMPLATE: Template,
    Tag.SECRET_DATA: SecretData,
    Tag.OPAQUE_OBJECT: OpaqueObject,
    Tag.PGP_KEY: PGPKey,
    Tag.PASSWORD_CREDENTIAL: PasswordCredential,
    Tag.DEVICE_CREDENTIAL: DeviceCredential,
    Tag.OTP_CREDENTIAL: OTPCredential,
    Tag.HASHED_PASSWORD_CREDENTIAL: HashedPasswordCredential,
}

OBJECT_TYPES: Final[Mapping[type[ManagedObjectStruct], ObjectType]] = {
    Certificate: ObjectType.CERTIFICATE,
    CertificateRequest: ObjectType.CERTIFICATE_REQUEST,
    SymmetricKey: ObjectType.SYMMETRIC_KEY,
    PublicKey: ObjectType.PUBLIC_KEY,
    PrivateKey: ObjectType.PRIVATE_KEY,
    SplitKey: ObjectType.SPLIT_KEY,
    Template: ObjectType.TEMPLATE,
    SecretData: ObjectType.SECRET_DATA,
    OpaqueObject: ObjectType.OPAQUE_OBJECT,
    PGPKey: ObjectType.PGP_KEY,
    PasswordCredential: ObjectType.PASSWORD_CREDENTIAL,
    DeviceCredential: ObjectType.DEVICE_CREDENTIAL,
    OTPCredential: ObjectType.ONE_TIME_PASSWORD_CREDENTIAL,
    HashedPasswordCredential: ObjectType.HASHED_PASSWORD_CREDENTIAL,
}

WITHOUT_MATERIAL: Final = (ObjectType.USER, ObjectType.GROUP)
"""Users and Groups (3.0) consist of attributes alone."""

ALL_OBJECT_TYPES: Final = (*OBJECT_TYPES.values(), *WITHOUT_MATERIAL)

_TAG_OF: Final = {cls: tag for tag, cls in OBJECT_TAGS.items()}


def encode_object(value: ManagedObjectStruct, version: Version | None) -> Item:
    """Return the item of an object; raises NotInVersion."""
    cls = type(value)
    entry = VALUES["ObjectType"][OBJECT_TYPES[cls]]
    if version is not None and not in_version(entry, version):
        raise NotInVersion(f"{entry.spec_name} is not an object of KMIP {version}")
    return (int(_TAG_OF[cls]), 1, encoder(cls, version)(value))


def decode_object(item: Item, version: Version | None) -> ManagedObjectStruct:
    """Return the object that an item holds; raises DecodeError."""
    tag, item_type, value = item
    if item_type != 1:
        raise wrong_type(tag_name(tag), (1,), item_type)
    try:
        made: ManagedObjectStruct = decoder(OBJECT_TAGS[tag], version)(value)
        return made
    except DecodeError as error:
        raise under(error, tag_name(tag), None) from None


class ObjectShape(FieldShape):
    """Any managed object under its own tag."""

    def tags(self, field: Field) -> frozenset[int]:
        return frozenset(map(int, OBJECT_TAGS))

    def absorber(self, field: Field, version: Version | None) -> Callable[[int, int, Any, Any], Any]:
        def absorb(tag: int, item_type: int, value: Any, before: Any) -> Any:
            if before is not None:
                raise repeated(tag_name(tag))
            return decode_object((tag, item_type, value), version)

        return absorb

    def emitter(self, field: Field, version: Version | None) -> Callable[[Any, list[Item]], None]:
        return lambda value, out: out.append(encode_object(value, version))
