"""From a whole to its parts, and from parts to the whole (KMIP 2.1 §6.1.10 and §6.1.27).

Rule: what a part takes over from the key that is split, and a joined key from its parts, is decided here: no
protection is lost on the way. Names, dates and limits are each object's own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, cast

from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.domain.context import Context
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
from strongroom.domain.objects import ManagedObject
from strongroom.domain.splitting import Shares
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import LinkedIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import (
    OBJECT_TYPES,
    ManagedObjectStruct,
    OpaqueObject,
    PrivateKey,
    SecretData,
    SplitKey,
    SplitOrigin,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.procedures.creation import dress, first, link
from strongroom.registry import (
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    OpaqueDataType,
    SecretDataType,
    Tag,
)

TAKEN_OVER: Final = (
    Tag.CRYPTOGRAPHIC_ALGORITHM,
    Tag.CRYPTOGRAPHIC_LENGTH,
    Tag.CRYPTOGRAPHIC_PARAMETERS,
    Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
    Tag.CRYPTOGRAPHIC_USAGE_MASK,
    Tag.SENSITIVE,
    Tag.EXTRACTABLE,
    Tag.ORIGINAL_CREATION_DATE,
    Tag.RANDOM_NUMBER_GENERATOR,
)
"""What describes or protects the key itself."""


_PRIVATE_FORMATS: Final = (KeyFormatType.PKCS_8, KeyFormatType.PKCS_1, KeyFormatType.ECPRIVATEKEY)
"""What a private key may be in whose parts were made elsewhere, in the order of trying."""

_SOME_DATA: Final = cast(OpaqueDataType, 0x80000000)
"""The specification has no Opaque Data Type, and the request of Join Split Key no field for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What is split: its bytes, and what object they are the material of."""

    secret: SecretBytes
    object_type: ObjectType
    key_format_type: KeyFormatType | None = None
    secret_data_type: SecretDataType | None = None
    opaque_data_type: OpaqueDataType | None = None

    def origin(self, shares: Shares) -> SplitOrigin:
        """Return what the parts remember of it."""
        return SplitOrigin(
            salt=shares.salt,
            digest_value=shares.digest_value,
            data_length=len(self.secret),
            object_type=self.object_type,
            key_format_type=self.key_format_type,
            secret_data_type=self.secret_data_type,
            opaque_data_type=self.opaque_data_type,
        )


async def whole_of(ctx: Context, value: ManagedObjectStruct | None) -> Whole:
    """Return an object that may be split; raises InvalidObjectType and InvalidField."""
    if isinstance(value, OpaqueObject):
        return Whole(
            secret=value.opaque_data_value,
            object_type=ObjectType.OPAQUE_OBJECT,
            opaque_data_type=value.opaque_data_type,
        )
    if not isinstance(value, SymmetricKey | PrivateKey | SecretData):
        raise InvalidObjectType("symmetric keys, private keys, secret data and opaque objects can be split")
    block = (await _in_bytes(ctx, value)).key_block
    return Whole(
        secret=material_of(block),
        object_type=OBJECT_TYPES[type(value)],
        key_format_type=block.key_format_type,
        secret_data_type=value.secret_data_type if isinstance(value, SecretData) else None,
    )


async def _in_bytes(
    ctx: Context, value: SymmetricKey | PrivateKey | SecretData
) -> SymmetricKey | PrivateKey | SecretData:
    """Return the key in a format whose material is bytes; raises InvalidField where there is none."""
    key_value = value.key_block.key_value
    if not isinstance(key_value, KeyValue) or isinstance(key_value.key_material, SecretBytes):
        return value
    wanted = KeyFormatType.PKCS_8 if isinstance(value, PrivateKey) else KeyFormatType.RAW
    try:
        converted = await ctx.crypto.convert(value, wanted)
    except KeyFormatTypeNotSupported as exc:
        raise InvalidField(f"the key cannot be split: {exc.message}") from None
    assert isinstance(converted, SymmetricKey | PrivateKey | SecretData)
    return converted


def material_of(block: KeyBlock) -> SecretBytes:
    """Return the bytes of a key block; raises InvalidField where there are none in clear."""
    if block.key_wrapping_data is not None:
        raise InvalidField("a wrapped key can be neither split nor joined: register it unwrapped")
    if not isinstance(block.key_value, KeyValue) or not isinstance(block.key_value.key_material, SecretBytes):
        raise InvalidField("the server does not hold the key itself, so it can neither split nor join it")
    return block.key_value.key_material


def describe_part(ctx: Context, part: ManagedObject, whole: ManagedObject | SymmetricKey) -> None:
    """Give a new part what describes and protects the whole: an object of the store, or a new key."""
    if isinstance(whole, ManagedObject):
        for tag in TAKEN_OVER:
            part.take_over(tag, whole)
        part.set(Tag.SPLIT_KEY_BASE_LINK, LinkedIdentifier(whole.unique_identifier))
        link(part, LinkType.PARENT_LINK, whole)
        return
    part.set(Tag.CRYPTOGRAPHIC_ALGORITHM, whole.key_block.cryptographic_algorithm)
    part.set(Tag.CRYPTOGRAPHIC_LENGTH, whole.key_block.cryptographic_length)
    part.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
    part.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)


def dress_part(
    ctx: Context, part: ManagedObject, base: ManagedObject | None, given: Iterable[AttributeInstance]
) -> None:
    """Give a described part the attributes of the request and the server's own."""
    if base is None:
        dress(ctx, part, given)
        return
    # SPEC(KMIP 2.1 §6.1.10): where the request and the key differ, the key takes precedence.
    dress(ctx, part, [a for a in given if a.key not in TAKEN_OVER or a.key not in base.attributes])
    _keep_history(part, [base])


def dress_whole(
    ctx: Context, whole: ManagedObject, parts: Sequence[ManagedObject], given: Sequence[AttributeInstance]
) -> None:
    """Give a joined object its attributes: those of the request, and the protection of its parts."""
    mask = _common_mask(parts)
    wanted = first(given, Tag.CRYPTOGRAPHIC_USAGE_MASK)
    sensitive = any(p.value(Tag.SENSITIVE) for p in parts)
    locked_in = any(p.value(Tag.EXTRACTABLE) is False for p in parts)
    if sensitive:
        whole.set(Tag.SENSITIVE, value=True)
    if locked_in:
        whole.set(Tag.EXTRACTABLE, value=False)
    if (sensitive or locked_in) and isinstance(wanted, CryptographicUsageMask) and int(wanted) & ~int(mask):
        raise InvalidAttributeValue("a protected key gets no uses by being split and joined; see the parts")
    _require_algorithm(whole, parts)
    if wanted is None and whole.object_type is not ObjectType.OPAQUE_OBJECT:
        whole.set(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask)
    for part in parts:
        whole.add(Tag.JOINED_SPLIT_KEY_PARTS_LINK, LinkedIdentifier(part.unique_identifier))
    dress(ctx, whole, given)
    _keep_history(whole, parts)


def _require_algorithm(whole: ManagedObject, parts: Iterable[ManagedObject]) -> None:
    """Return unless a protected key would be one of another algorithm; raises InvalidAttributeValue.

    Some algorithms show what their keys are, which is fine for those alone.
    """
    joined = whole.value(Tag.CRYPTOGRAPHIC_ALGORITHM)
    for part in parts:
        protected = part.value(Tag.SENSITIVE) or part.value(Tag.EXTRACTABLE) is False
        if protected and joined not in (None, part.value(Tag.CRYPTOGRAPHIC_ALGORITHM)):
            raise InvalidAttributeValue(
                "a protected key gets no other Cryptographic Algorithm by being joined; see the parts"
            )


def _common_mask(parts: Sequence[ManagedObject]) -> CryptographicUsageMask:
    """Return the uses that every part allows."""
    mask = int(parts[0].value(Tag.CRYPTOGRAPHIC_USAGE_MASK) or 0)
    for part in parts:
        mask &= int(part.value(Tag.CRYPTOGRAPHIC_USAGE_MASK) or 0)
    return CryptographicUsageMask(mask)


def _keep_history(obj: ManagedObject, sources: Sequence[ManagedObject]) -> None:
    """A key that once was open is not Always Sensitive for having been split or joined."""
    for tag in (Tag.ALWAYS_SENSITIVE, Tag.NEVER_EXTRACTABLE):
        if not all(source.value(tag) for source in sources):
            obj.set(tag, value=False)


def parts_of(objects: Iterable[ManagedObject]) -> list[SplitKey]:
    """Return the material of parts; raises InvalidObjectType for what is none."""
    parts = []
    for obj in objects:
        if not isinstance(obj.material, SplitKey):
            raise InvalidObjectType("Join Split Key joins split keys; one of the objects is none")
        parts.append(obj.material)
    return parts


def forms_of(
    object_type: ObjectType,
    secret: SecretBytes,
    origin: SplitOrigin | None,
    secret_data_type: SecretDataType | None,
) -> list[ManagedObjectStruct]:
    """Return what joined bytes may be, the likeliest first; raises InvalidObjectType."""
    same = origin if origin is not None and origin.object_type is object_type else None
    key_format = None if same is None else same.key_format_type
    match object_type:
        case ObjectType.SYMMETRIC_KEY:
            return [SymmetricKey(key_block=_block(key_format or KeyFormatType.RAW, secret))]
        case ObjectType.PRIVATE_KEY:
            formats = _PRIVATE_FORMATS if key_format is None else (key_format,)
            return [PrivateKey(key_block=_block(one, secret)) for one in formats]
        case ObjectType.SECRET_DATA:
            usual = SecretDataType.SEED if same is None else same.secret_data_type
            block = _block(key_format or KeyFormatType.RAW, secret)
            return [
                SecretData(secret_data_type=secret_data_type or usual or SecretDataType.SEED, key_block=block)
            ]
        case ObjectType.OPAQUE_OBJECT:
            kind = None if same is None else same.opaque_data_type
            return [OpaqueObject(opaque_data_type=kind or _SOME_DATA, opaque_data_value=secret)]
        case _:
            raise InvalidObjectType(
                "parts are joined to a symmetric key, a private key, secret data or an opaque object"
            )


def _block(key_format: KeyFormatType, secret: SecretBytes) -> KeyBlock:
    return KeyBlock(key_format_type=key_format, key_value=KeyValue(key_material=secret))


def with_facts(value: ManagedObjectStruct, facts: ObjectFacts) -> ManagedObjectStruct:
    """Return the object with the algorithm and length of its key in the key block."""
    if not isinstance(value, SymmetricKey | PrivateKey):
        return value
    block = value.key_block.replace(
        cryptographic_algorithm=facts.cryptographic_algorithm,
        cryptographic_length=facts.cryptographic_length,
    )
    return value.replace(key_block=block)
