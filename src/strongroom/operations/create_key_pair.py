"""Create Key Pair (KMIP 1.x §4.2, 2.x §6.1.9)."""

from typing import Annotated

from strongroom.attributes.creation import dress, first, gather, link
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeInstance, AttributesShape, TemplateAttributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.struct import Since, Until
from strongroom.model.structures import CryptographicDomainParameters, ProtectionStorageMasks
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    CryptographicAlgorithm,
    LinkType,
    ObjectType,
    Operation,
    Tag,
)

COMMON = AttributesShape(Tag.COMMON_ATTRIBUTES, Tag.COMMON_TEMPLATE_ATTRIBUTE)
PRIVATE = AttributesShape(Tag.PRIVATE_KEY_ATTRIBUTES, Tag.PRIVATE_KEY_TEMPLATE_ATTRIBUTE)
PUBLIC = AttributesShape(Tag.PUBLIC_KEY_ATTRIBUTES, Tag.PUBLIC_KEY_TEMPLATE_ATTRIBUTE)


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
    private_given = await gather(ctx, request.common_attributes, request.private_key_attributes)
    public_given = await gather(ctx, request.common_attributes, request.public_key_attributes)
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
    algorithm = _agreed(both, Tag.CRYPTOGRAPHIC_ALGORITHM)
    length = _agreed(both, Tag.CRYPTOGRAPHIC_LENGTH)
    domain = first(both, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("Create Key Pair needs a Cryptographic Algorithm that this server knows")
    curve = domain.recommended_curve if isinstance(domain, CryptographicDomainParameters) else None
    private_block, public_block = await ctx.crypto.create_key_pair(
        algorithm, length if isinstance(length, int) else None, curve
    )
    private = ctx.objects.create(ObjectType.PRIVATE_KEY)
    public = ctx.objects.create(ObjectType.PUBLIC_KEY)
    private.material = PrivateKey(key_block=private_block)
    public.material = PublicKey(key_block=public_block)
    for obj, given in ((private, private_given), (public, public_given)):
        obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)
        obj.set(Tag.CRYPTOGRAPHIC_LENGTH, private_block.cryptographic_length)
        obj.set(Tag.ORIGINAL_CREATION_DATE, ctx.now)
        obj.set(Tag.RANDOM_NUMBER_GENERATOR, ctx.crypto.random_number_generator)
        dress(ctx, obj, given)
    link(private, LinkType.PUBLIC_KEY_LINK, public)
    link(public, LinkType.PRIVATE_KEY_LINK, private)
    ctx.objects.place(private.unique_identifier)
    return private, public


def _agreed(given: list[AttributeInstance], tag: Tag) -> object:
    """Return the one value that both keys get; raises InvalidField when they differ."""
    values = {a.value for a in given if a.key is tag}
    if len(values) > 1:
        raise InvalidField(f"the two keys are given different values of {tag.name.replace('_', ' ').title()}")
    return next(iter(values), None)
