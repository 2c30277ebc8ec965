"""Re-key Key Pair (KMIP 1.1 §4.5, 2.x §6.1.47)."""

from typing import Annotated, Final

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.struct import Seconds, Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.operations.create_key_pair import COMMON, PRIVATE, PUBLIC, SHARED, agreed, domain_of
from strongroom.procedures.creation import digest_too, gather, in_format_of, link
from strongroom.procedures.replacement import replace, require_here
from strongroom.procedures.storage import require_storage_of_pair
from strongroom.registry import (
    V1_1,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    CryptographicAlgorithm,
    LinkType,
    ObjectType,
    Operation,
    Tag,
)

_ON_CURVES: Final = frozenset(
    {
        CryptographicAlgorithm.EC,
        CryptographicAlgorithm.ECDSA,
        CryptographicAlgorithm.ECDH,
        CryptographicAlgorithm.ECMQV,
    }
)
"""Algorithms whose keys are of one kind."""


class ReKeyKeyPairResponse(Response):
    private_key_unique_identifier: UniqueIdentifier
    public_key_unique_identifier: UniqueIdentifier
    private_key_attributes: Annotated[TemplateAttributes | None, Until(V1_4), PRIVATE] = None
    public_key_attributes: Annotated[TemplateAttributes | None, Until(V1_4), PUBLIC] = None


class ReKeyKeyPairRequest(Request[ReKeyKeyPairResponse]):
    private_key_unique_identifier: Annotated[ObjectReference | None, Until(V2_1)] = None
    unique_identifier: Annotated[ObjectReference | None, Since(V3_0)] = None
    offset: Seconds | None = None
    common_attributes: Annotated[TemplateAttributes | None, COMMON] = None
    private_key_attributes: Annotated[TemplateAttributes | None, PRIVATE] = None
    public_key_attributes: Annotated[TemplateAttributes | None, PUBLIC] = None
    common_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    private_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    public_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.RE_KEY_KEY_PAIR, since=V1_1, needs=Permission.RE_KEY)
async def re_key_key_pair(ctx: Context, request: ReKeyKeyPairRequest) -> ReKeyKeyPairResponse:
    require_storage_of_pair(
        request.common_protection_storage_masks,
        request.private_protection_storage_masks,
        request.public_protection_storage_masks,
    )
    reference = request.private_key_unique_identifier
    old_private = await ctx.objects.get(request.unique_identifier if reference is None else reference)
    if old_private.object_type is not ObjectType.PRIVATE_KEY:
        raise InvalidObjectType("Re-key Key Pair takes the private key of the pair")
    require_here(old_private)
    old_public = await _public_key(ctx, old_private)
    common, offset = request.common_attributes, request.offset
    private_given = await gather(ctx, common, request.private_key_attributes)
    public_given = await gather(ctx, common, request.public_key_attributes)
    shared = [a for a in private_given + public_given if a.key in SHARED]
    values, kind = await _made(ctx, old_private, private_given + public_given)
    private = ctx.objects.create(ObjectType.PRIVATE_KEY)
    public = ctx.objects.create(ObjectType.PUBLIC_KEY)
    link(private, LinkType.PUBLIC_KEY_LINK, public)
    link(public, LinkType.PRIVATE_KEY_LINK, private)
    for old, new, value, given in (
        (old_private, private, values[0], private_given),
        (old_public, public, values[1], public_given),
    ):
        for one in kind:
            new.set(one.key, one.value)
        new.material = await in_format_of(ctx, old, value, given)
        replace(ctx, old, new, offset=offset, given=[*given, *(a for a in shared if a not in given)])
        digest_too(ctx, new, value)
    ctx.objects.place(private.unique_identifier)
    return ReKeyKeyPairResponse(
        private_key_unique_identifier=private.unique_identifier,
        public_key_unique_identifier=public.unique_identifier,
    )


async def _made(
    ctx: Context, old: ManagedObject, given: list[AttributeInstance]
) -> tuple[tuple[PrivateKey, PublicKey], list[AttributeInstance]]:
    """Return the material of a pair like the old one, but for what the request wants, and what kind it is.

    Length and domain parameters go together: a request that gives one of them anew leaves the other open.
    """
    algorithm = agreed(given, Tag.CRYPTOGRAPHIC_ALGORITHM)
    length = agreed(given, Tag.CRYPTOGRAPHIC_LENGTH)
    domain = agreed(given, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    before, size = old.value(Tag.CRYPTOGRAPHIC_ALGORITHM), old.value(Tag.CRYPTOGRAPHIC_LENGTH)
    if algorithm is None:
        algorithm = before
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Re-key Key Pair needs a Cryptographic Algorithm that this server knows")
    alike = algorithm is before or {algorithm, before} <= _ON_CURVES
    if alike and domain is None and length in (None, size):
        length, domain = size, old.value(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    private_block, public_block = await ctx.crypto.create_key_pair(
        algorithm, length if isinstance(length, int) else None, *domain_of(domain)
    )
    made = PrivateKey(key_block=private_block), PublicKey(key_block=public_block)
    kind = [
        AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
        AttributeInstance(Tag.CRYPTOGRAPHIC_LENGTH, private_block.cryptographic_length),
    ]
    if domain is not None:
        return made, [*kind, AttributeInstance(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain)]
    return made, [*kind, *(await ctx.crypto.examine(made[1])).attributes]


async def _public_key(ctx: Context, private: ManagedObject) -> ManagedObject:
    """Return the public key that the private key is linked to."""
    for target in private.values(Tag.LINK):
        if target.link_type is LinkType.PUBLIC_KEY_LINK:
            return await ctx.objects.get(target.linked_object_identifier)
    raise InvalidField("the private key has no Public Key Link; register both keys and link them first")
