"""Create Key Pair (KMIP 1.x §4.2, 2.x §6.1.9)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.usual_use import usual_use
from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.struct import Since, Until
from strongroom.model.structures import CryptographicDomainParameters, ProtectionStorageMasks
from strongroom.procedures.creation import digest_too, dress, first, gather, in_wanted_format, link
from strongroom.procedures.storage import require_storage_of_pair
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    CryptographicAlgorithm,
    LinkType,
    ObjectType,
    Operation,
    RecommendedCurve,
    Tag,
)

COMMON = AttributesShape(Tag.COMMON_ATTRIBUTES, Tag.COMMON_TEMPLATE_ATTRIBUTE)
PRIVATE = AttributesShape(Tag.PRIVATE_KEY_ATTRIBUTES, Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE)
PUBLIC = AttributesShape(Tag.PUBLIC_KEY_ATTRIBUTES, Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE)


SHARED = frozenset({Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, Tag.CRYPTOGRAPHIC_PARAMETERS})
"""What has the same values in both keys, whichever the client gave them for (KMIP 2.1 table 191), as have
Cryptographic Algorithm and Length."""


class CreateKeyPairResponse(Response):
    private_key_unique_identifier: UniqueIdentifier
    public_key_unique_identifier: UniqueIdentifier
    private_key_attributes: Annotated[TemplateAttributes | None, Until(V1_4), PRIVATE] = None
    public_key_attributes: Annotated[TemplateAttributes | None, Until(V1_4), PUBLIC] = None


class CreateKeyPairRequest(Request[CreateKeyPairResponse]):
    common_attributes: Annotated[TemplateAttributes | None, COMMON] = None
    private_key_attributes: Annotated[TemplateAttributes | None, PRIVATE] = None
    public_key_attributes: Annotated[TemplateAttributes | None, PUBLIC] = None
    common_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    private_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    public_protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.CREATE_KEY_PAIR, since=V1_0, needs=Permission.CREATE)
async def create_key_pair(ctx: Context, request: CreateKeyPairRequest) -> CreateKeyPairResponse:
    require_storage_of_pair(
        request.common_protection_storage_masks,
        request.private_protection_storage_masks,
        request.public_protection_storage_masks,
    )
    private_given = await gather(
        ctx, request.common_attributes, request.private_key_attributes, object_type=ObjectType.PRIVATE_KEY
    )
    public_given = await gather(
        ctx, request.common_attributes, request.public_key_attributes, object_type=ObjectType.PUBLIC_KEY
    )
    private, public = await make_pair(ctx, private_given, public_given)
    return CreateKeyPairResponse(
        private_key_unique_identifier=private.unique_identifier,
        public_key_unique_identifier=public.unique_identifier,
    )


async def make_pair(
    ctx: Context, private_given: list[AttributeInstance], public_given: list[AttributeInstance]
) -> tuple[ManagedObject, ManagedObject]:
    """Return a new, linked (private, public) pair; the private key goes into the ID Placeholder."""
    both = private_given + public_given
    algorithm = agreed(both, Tag.CRYPTOGRAPHIC_ALGORITHM)
    length = agreed(both, Tag.CRYPTOGRAPHIC_LENGTH)
    domain = agreed(both, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Create Key Pair needs a Cryptographic Algorithm that this server knows")
    private_block, public_block = await ctx.crypto.create_key_pair(
        algorithm, length if isinstance(length, int) else None, *domain_of(domain)
    )
    made = PrivateKey(key_block=private_block), PublicKey(key_block=public_block)
    if domain is None:
        both.extend((await ctx.crypto.examine(made[1])).attributes)
    private = ctx.objects.create(ObjectType.PRIVATE_KEY)
    public = ctx.objects.create(ObjectType.PUBLIC_KEY)
    for obj, value, given in ((private, made[0], private_given), (public, made[1], public_given)):
        obj.material = await in_wanted_format(ctx, value, first(given, Tag.KEY_FORMAT_TYPE))
        obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)
        obj.set(Tag.CRYPTOGRAPHIC_LENGTH, private_block.cryptographic_length)
        for shared in both:
            if shared.key in SHARED and shared.value not in obj.values(shared.key):
                obj.add(shared.key, shared.value)
        obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
        obj.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
        if first(given, Tag.CRYPTOGRAPHIC_USAGE_MASK) is None:
            obj.set(Tag.CRYPTOGRAPHIC_USAGE_MASK, usual_use(obj.object_type, algorithm))
        dress(ctx, obj, given)
        digest_too(ctx, obj, value)
    link(private, LinkType.PUBLIC_KEY_LINK, public)
    link(public, LinkType.PRIVATE_KEY_LINK, private)
    ctx.objects.place(private.unique_identifier)
    return private, public


def domain_of(value: object) -> tuple[RecommendedCurve | None, int | None]:
    """Return the curve and the Qlength asked for."""
    if not isinstance(value, CryptographicDomainParameters):
        return None, None
    return value.recommended_curve, value.qlength


def agreed(given: list[AttributeInstance], tag: Tag) -> object:
    """Return the one value that both keys get; raises InvalidField when they differ."""
    values = [a.value for a in given if a.key is tag]
    if any(value != values[0] for value in values):
        raise InvalidField(f"the two keys are given different values of {tag.name.replace('_', ' ').title()}")
    return values[0] if values else None
