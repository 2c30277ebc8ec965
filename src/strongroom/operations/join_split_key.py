"""Join Split Key (KMIP 1.4 §4.39, 2.1 §6.1.27)."""

from collections.abc import Sequence
from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    ServerLimitExceeded,
)
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.domain.splitting import MAXIMUM_PARTS, common_origin, common_scheme, polynomial_of
from strongroom.model.attribute_list import AttributeInstance, TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct, SplitKey, SplitOrigin
from strongroom.model.struct import Implied, Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.procedures.creation import first, gather
from strongroom.procedures.parts import dress_whole, forms_of, material_of, parts_of, with_facts
from strongroom.procedures.storage import require_storage
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_0,
    CryptographicAlgorithm,
    ObjectType,
    Operation,
    SecretDataType,
    SplitKeyPolynomial,
    Tag,
)


class JoinSplitKeyResponse(Response):
    # SPEC(KMIP 1.2 §4.38-4.39): its tables alone have Object Type here; its test cases have not.
    unique_identifier: UniqueIdentifier
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class JoinSplitKeyRequest(Request[JoinSplitKeyResponse]):
    object_type: ObjectType
    unique_identifier: tuple[ObjectReference, ...]
    secret_data_type: SecretDataType | None = None
    attributes: Annotated[
        TemplateAttributes | None,
        AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE),
    ] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None
    as_fips_197: Annotated[bool, Implied(V1_2, V1_4)] = False
    """The text of the version has the field of FIPS 197 under GF(2^16)."""


@operation(Operation.JOIN_SPLIT_KEY, since=V1_2, needs=Permission.JOIN)
async def join_split_key(ctx: Context, request: JoinSplitKeyRequest) -> JoinSplitKeyResponse:
    require_storage(request.protection_storage_masks)
    if len(request.unique_identifier) > MAXIMUM_PARTS:
        raise ServerLimitExceeded(f"at most {MAXIMUM_PARTS} parts are joined")
    if request.secret_data_type is not None and request.object_type is not ObjectType.SECRET_DATA:
        raise InvalidField("Secret Data Type belongs to Secret Data alone; leave it out")
    given = await gather(ctx, request.attributes, object_type=request.object_type)
    objects = [await ctx.objects.get(reference) for reference in request.unique_identifier]
    parts = parts_of(objects)
    origin = common_origin(parts)
    scheme = common_scheme(parts, _polynomial(request, objects, parts[0], given))
    declared = _declared(request.object_type, given, objects[0])
    secret = await ctx.crypto.join(
        {part.key_part_identifier: material_of(part.key_block) for part in parts},
        scheme,
        length=_length(request.object_type, origin, declared[1]),
    )
    if origin is not None:
        ctx.crypto.require_origin(secret, origin)
    candidates = forms_of(request.object_type, secret, origin, request.secret_data_type)
    whole = ctx.objects.create(request.object_type)
    await _fill(ctx, whole, candidates, declared)
    dress_whole(ctx, whole, objects, given)
    ctx.objects.place(whole.unique_identifier)
    return JoinSplitKeyResponse(unique_identifier=whole.unique_identifier)


_Declared = tuple[CryptographicAlgorithm | None, int | None]


def _declared(object_type: ObjectType, given: list[AttributeInstance], part: ManagedObject) -> _Declared:
    """Return algorithm and length of the whole as the request says, or else, of keys, the parts."""
    algorithm, length = first(given, Tag.CRYPTOGRAPHIC_ALGORITHM), first(given, Tag.CRYPTOGRAPHIC_LENGTH)
    if object_type in (ObjectType.SYMMETRIC_KEY, ObjectType.PRIVATE_KEY):
        algorithm = part.value(Tag.CRYPTOGRAPHIC_ALGORITHM) if algorithm is None else algorithm
        length = part.value(Tag.CRYPTOGRAPHIC_LENGTH) if length is None else length
    return (
        algorithm if isinstance(algorithm, CryptographicAlgorithm) else None,
        length if isinstance(length, int) else None,
    )


def _length(object_type: ObjectType, origin: SplitOrigin | None, declared: int | None) -> int | None:
    """Return how many bytes the whole has, None when nobody says."""
    if origin is not None:
        return origin.data_length
    if object_type is not ObjectType.SYMMETRIC_KEY or declared is None:
        return None
    return (declared + 7) // 8


def _polynomial(
    request: JoinSplitKeyRequest,
    objects: Sequence[ManagedObject],
    part: SplitKey,
    given: list[AttributeInstance],
) -> SplitKeyPolynomial | None:
    """Return the polynomial that the parts name, or else the request."""
    named = {p for obj in objects if (p := obj.value(Tag.SPLIT_KEY_POLYNOMIAL)) is not None}
    asked = first(given, Tag.SPLIT_KEY_POLYNOMIAL)
    if len(named) > 1:
        raise CryptographicFailure("the parts are of different splits: their Split Key Polynomials differ")
    if named and asked is not None and asked not in named:
        raise BadCryptographicParameters("the parts were made with another Split Key Polynomial")
    declared = next(iter(named), asked)
    return polynomial_of(
        part.split_key_method,
        declared if isinstance(declared, SplitKeyPolynomial) else None,
        as_fips_197=request.as_fips_197,
    )


async def _fill(
    ctx: Context, whole: ManagedObject, candidates: Sequence[ManagedObjectStruct], declared: _Declared
) -> None:
    """Give the joined object the first form of the material that holds, and what that tells; raises
    InvalidField when none does."""
    algorithm, length = declared
    problem = InvalidField("the joined bytes are no object of this type")
    for value in candidates:
        try:
            facts = await ctx.crypto.examine(value, algorithm=algorithm, length=length)
        except InvalidField as exc:
            problem = exc
            continue
        whole.material = with_facts(value, facts)
        whole.set(Tag.CRYPTOGRAPHIC_ALGORITHM, facts.cryptographic_algorithm)
        whole.set(Tag.CRYPTOGRAPHIC_LENGTH, facts.cryptographic_length)
        for known in facts.attributes:
            whole.add(known.key, known.value)
        return
    raise problem
