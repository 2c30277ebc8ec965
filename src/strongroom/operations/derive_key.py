"""Derive Key (KMIP 1.0 §4.5, 1.4 §4.6, 2.x §6.1.14)."""

from collections.abc import Sequence
from typing import Annotated, Final

from strongroom.domain.context import Context
from strongroom.domain.derivation import MOST_OBJECTS, Derivation
from strongroom.domain.errors import InvalidField, InvalidObjectType, ObjectNotFound, PermissionDenied
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usage import Use, require, spend
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import (
    ManagedObjectStruct,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Until
from strongroom.model.structures import DerivationParameters
from strongroom.procedures.creation import digest_too, dress, first, gather, in_wanted_format, link_derived
from strongroom.procedures.cryptographic_parameters import effective_parameters, usable_key
from strongroom.registry import (
    V1_0,
    V1_4,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    KeyFormatType,
    ObjectType,
    Operation,
    SecretDataType,
    Tag,
    UniqueIdentifierEnumeration,
)

_BY_A_CIPHER: Final = frozenset(
    {
        DerivationMethod.ENCRYPT,
        DerivationMethod.NIST800_108_C,
        DerivationMethod.NIST800_108_F,
        DerivationMethod.NIST800_108_DPI,
    }
)
"""Methods that may work with a block cipher: whoever knows the key can undo them."""


class DeriveKeyResponse(Response):
    unique_identifier: UniqueIdentifier
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class DeriveKeyRequest(Request[DeriveKeyResponse]):
    object_type: ObjectType
    unique_identifier: tuple[ObjectReference, ...] = ()
    derivation_method: DerivationMethod
    derivation_parameters: DerivationParameters
    attributes: Annotated[
        TemplateAttributes | None,
        AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE, always=True),
    ] = None


@operation(Operation.DERIVE_KEY, since=V1_0, needs=Permission.DERIVE_KEY)
async def derive_key(ctx: Context, request: DeriveKeyRequest) -> DeriveKeyResponse:
    if request.object_type not in (ObjectType.SYMMETRIC_KEY, ObjectType.SECRET_DATA):
        raise InvalidObjectType("Derive Key makes symmetric keys and secret data")
    bases = await _bases(ctx, request.unique_identifier)
    if request.derivation_method in _BY_A_CIPHER:
        await _require_free(ctx, _beside_the_key(bases))
    given = await gather(ctx, request.attributes, object_type=request.object_type)
    length = first(given, Tag.CRYPTOGRAPHIC_LENGTH)
    if not isinstance(length, int):
        raise InvalidField("Derive Key needs a Cryptographic Length")
    made = await _derived(ctx, request, bases, first(given, Tag.CRYPTOGRAPHIC_ALGORITHM), length)
    for base in bases:
        spend(base, _protected(request, bases, base, length))
    obj = ctx.objects.create(request.object_type)
    obj.material = await in_wanted_format(ctx, made, first(given, Tag.KEY_FORMAT_TYPE))
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, first(given, Tag.CRYPTOGRAPHIC_ALGORITHM))
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, length)
    obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
    obj.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
    dress(ctx, obj, given)
    digest_too(ctx, obj, made)
    for base in bases:
        link_derived(base, obj)
    ctx.objects.place(obj.unique_identifier)
    return DeriveKeyResponse(unique_identifier=obj.unique_identifier)


async def _bases(ctx: Context, references: tuple[ObjectReference, ...]) -> list[ManagedObject]:
    """Return the objects to derive from, each once and each allowed for it."""
    if not references:
        raise InvalidField("Derive Key needs the Unique Identifier of a key or of Secret Data")
    if len(references) > MOST_OBJECTS:
        raise InvalidField(f"a key is derived from {MOST_OBJECTS} objects at most")
    if UniqueIdentifierEnumeration.ID_PLACEHOLDER in references:
        # SPEC(KMIP 2.1 §6.1.14): the ID Placeholder shall not be used in place of a Unique Identifier.
        raise InvalidField("Derive Key does not work on the ID Placeholder; name the object")
    bases: dict[UniqueIdentifier, ManagedObject] = {}
    for reference in references:
        base = await ctx.objects.get(reference)
        require(base, CryptographicUsageMask.DERIVE_KEY, Use.PROTECT, ctx.now)
        bases.setdefault(base.unique_identifier, base)
    return list(bases.values())


def _beside_the_key(bases: Sequence[ManagedObject]) -> Sequence[ManagedObject]:
    """Return the Secret Data that are derivation data: all beside a key, else all but the first."""
    secret = [base for base in bases if base.object_type is ObjectType.SECRET_DATA]
    return secret if len(secret) < len(bases) else secret[1:]


async def _require_free(ctx: Context, data: Sequence[ManagedObject]) -> None:
    """Return if objects may go into a cipher; raises PermissionDenied.

    What comes out belongs to the client, which may know the key: that gives it what went in.
    """
    for obj in data:
        if obj.value(Tag.SENSITIVE) or obj.value(Tag.EXTRACTABLE) is False:
            raise PermissionDenied(
                "by a cipher nothing is derived from Secret Data that are Sensitive or not Extractable, other"
                " than with them as the key; use HMAC or HKDF"
            )
        try:
            await ctx.objects.get(obj.unique_identifier, permission=Permission.GET)
        except ObjectNotFound as error:
            raise PermissionDenied(
                "Secret Data go into a cipher only for who may get them: use HMAC or HKDF, or have the"
                " administrator grant get"
            ) from error


async def _derived(
    ctx: Context, request: DeriveKeyRequest, bases: list[ManagedObject], algorithm: object, length: int
) -> ManagedObjectStruct:
    """Return the material of the new object: of a key with its algorithm, of Secret Data without."""
    derivation, legacy = _derivation(request, bases), ctx.policy.legacy
    if request.object_type is ObjectType.SECRET_DATA:
        size = ctx.crypto.derived_size(None, length)
        block = _raw(await ctx.crypto.derive(derivation, size, legacy=legacy))
        return SecretData(secret_data_type=SecretDataType.SEED, key_block=block)
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Derive Key needs a Cryptographic Algorithm that this server knows")
    size = ctx.crypto.derived_size(algorithm, length)
    block = _raw(await ctx.crypto.derive(derivation, size, legacy=legacy))
    return SymmetricKey(
        key_block=block.replace(cryptographic_algorithm=algorithm, cryptographic_length=length)
    )


def _protected(
    request: DeriveKeyRequest, bases: list[ManagedObject], base: ManagedObject, length: int
) -> int:
    """Return how many bytes a use of `base` protects: what goes in beside it, or more that comes out.

    Method Encrypt is Encrypt by another name, and with the others what comes out hides as much.
    """
    beside = sum(_size(other) for other in bases if other is not base)
    given = sum(len(data) for data in request.derivation_parameters.derivation_data)
    return max(given + beside, -(-length // 8))


def _size(base: ManagedObject) -> int:
    """Return how many bytes of derivation data an object is."""
    value = usable_key(base).key_value
    material = value.key_material if isinstance(value, KeyValue) else None
    return len(material) if isinstance(material, SecretBytes) else 0


def _raw(material: SecretBytes) -> KeyBlock:
    return KeyBlock(key_format_type=KeyFormatType.RAW, key_value=KeyValue(key_material=material))


def _derivation(request: DeriveKeyRequest, bases: list[ManagedObject]) -> Derivation:
    given = request.derivation_parameters
    return Derivation(
        method=request.derivation_method,
        bases=tuple(map(_usable, bases)),
        parameters=effective_parameters(bases[0], given.cryptographic_parameters),
        initialization_vector=given.initialization_vector,
        derivation_data=given.derivation_data,
        salt=given.salt,
        iteration_count=given.iteration_count,
    )


def _usable(base: ManagedObject) -> ManagedObjectStruct:
    """Return the material with its algorithm filled in."""
    material = base.material
    if not isinstance(material, SymmetricKey | SecretData | PrivateKey | PublicKey):
        raise InvalidObjectType("keys are derived from keys and Secret Data")
    return material.replace(key_block=usable_key(base))
