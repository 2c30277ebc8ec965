"""Create Split Key (KMIP 1.4 §4.38, 2.1 §6.1.10)."""

from typing import Annotated

from strongroom.domain.attribute_errors import NonUniqueNameAttribute
from strongroom.domain.context import Context
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.splitting import Scheme, checked_scheme, polynomial_of
from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import SplitKey, SymmetricKey
from strongroom.model.struct import BigInt, Implied, Int32, Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.procedures.creation import first, gather
from strongroom.procedures.parts import describe_part, dress_part, whole_of
from strongroom.procedures.storage import require_storage
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_0,
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    Operation,
    SplitKeyMethod,
    SplitKeyPolynomial,
    Tag,
)


class CreateSplitKeyResponse(Response):
    # SPEC(KMIP 1.2 §4.38-4.39): its tables alone have Object Type here; its test cases have not.
    unique_identifier: tuple[UniqueIdentifier, ...]
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class CreateSplitKeyRequest(Request[CreateSplitKeyResponse]):
    object_type: ObjectType
    unique_identifier: ObjectReference | None = None  # None: a new key is made and split
    split_key_parts: Int32
    split_key_threshold: Int32
    split_key_method: SplitKeyMethod
    prime_field_size: BigInt | None = None
    attributes: Annotated[
        TemplateAttributes | None,
        AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE, always=True),
    ] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    as_fips_197: Annotated[bool, Implied(V1_2, V1_4)] = False
    """The text of the version has the field of FIPS 197 under GF(2^16)."""


@operation(Operation.CREATE_SPLIT_KEY, since=V1_2, needs=Permission.SPLIT)
async def create_split_key(ctx: Context, request: CreateSplitKeyRequest) -> CreateSplitKeyResponse:
    require_storage(request.protection_storage_masks)
    if request.object_type is not ObjectType.SPLIT_KEY:
        raise InvalidObjectType("Create Split Key makes split keys; say Split Key as Object Type")
    given = await gather(ctx, request.attributes, object_type=ObjectType.SPLIT_KEY)
    if first(given, Tag.NAME) is not None:
        raise NonUniqueNameAttribute("several parts cannot have one Name; name them one by one afterwards")
    scheme = _scheme(request, given)
    base = None if request.unique_identifier is None else await ctx.objects.get(request.unique_identifier)
    key = await _fresh_key(ctx, given) if base is None else base
    whole = await whole_of(ctx, key.material if isinstance(key, ManagedObject) else key)
    shares = await ctx.crypto.split(whole.secret, scheme)
    origin = whole.origin(shares)
    parts = [ctx.objects.create(ObjectType.SPLIT_KEY) for _ in shares.material]
    for number, (part, material) in enumerate(zip(parts, shares.material, strict=True), 1):
        describe_part(ctx, part, key)
        part.material = SplitKey(
            split_key_parts=scheme.parts,
            key_part_identifier=number,
            split_key_threshold=scheme.threshold,
            split_key_method=scheme.method,
            prime_field_size=shares.prime_field_size,
            key_block=KeyBlock(
                key_format_type=KeyFormatType.RAW,
                key_value=KeyValue(key_material=material),
                cryptographic_algorithm=part.value(Tag.CRYPTOGRAPHIC_ALGORITHM),
                cryptographic_length=part.value(Tag.CRYPTOGRAPHIC_LENGTH),
            ),
            split_origin=origin,
        )
        part.set(Tag.SPLIT_KEY_POLYNOMIAL, scheme.polynomial)
        dress_part(ctx, part, base, given)
    ctx.objects.place(parts[0].unique_identifier)
    return CreateSplitKeyResponse(unique_identifier=tuple(p.unique_identifier for p in parts))


async def _fresh_key(ctx: Context, given: list[AttributeInstance]) -> SymmetricKey:
    """Return a new key to split, of which nothing but the parts is kept."""
    algorithm = first(given, Tag.CRYPTOGRAPHIC_ALGORITHM)
    length = first(given, Tag.CRYPTOGRAPHIC_LENGTH)
    if not isinstance(algorithm, CryptographicAlgorithm):
        raise InvalidField("say which key to split, or give the Cryptographic Algorithm of a new one")
    return SymmetricKey(
        key_block=await ctx.crypto.create_symmetric_key(
            algorithm, length if isinstance(length, int) else None
        )
    )


def _scheme(request: CreateSplitKeyRequest, given: list[AttributeInstance]) -> Scheme:
    declared = first(given, Tag.SPLIT_KEY_POLYNOMIAL)
    return checked_scheme(
        request.split_key_method,
        parts=request.split_key_parts,
        threshold=request.split_key_threshold,
        polynomial=polynomial_of(
            request.split_key_method,
            declared if isinstance(declared, SplitKeyPolynomial) else None,
            as_fips_197=request.as_fips_197,
        ),
        prime_field_size=request.prime_field_size,
    )
