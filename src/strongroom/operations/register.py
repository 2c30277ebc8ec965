"""Register (KMIP 1.x §4.3, 2.x §6.1.47)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.credentials import prepare
from strongroom.domain.errors import InvalidField, InvalidObjectType
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import TemplateAttributes
from strongroom.model.attribute_shapes import AttributesShape
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import OBJECT_TYPES, ManagedObjectStruct, ObjectShape
from strongroom.model.struct import Since, Until
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.procedures.creation import (
    digest_of_default_format,
    dress,
    embedded,
    first,
    gather,
    link_to,
    stateful,
)
from strongroom.procedures.pkcs12 import registered_container
from strongroom.procedures.storage import require_storage
from strongroom.procedures.unwrapping import examined, named_wrapping_key, unwrapped_if_possible
from strongroom.registry import V1_0, V1_4, V2_0, CryptographicAlgorithm, LinkType, ObjectType, Operation, Tag


class RegisterResponse(Response):
    unique_identifier: UniqueIdentifier
    attributes: Annotated[
        TemplateAttributes | None, Until(V1_4), AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE)
    ] = None


class RegisterRequest(Request[RegisterResponse]):
    object_type: ObjectType
    attributes: Annotated[
        TemplateAttributes | None,
        AttributesShape(Tag.ATTRIBUTES, Tag.TEMPLATE_ATTRIBUTE, always=True),
    ] = None
    managed_object: Annotated[ManagedObjectStruct | None, ObjectShape()] = None
    protection_storage_masks: Annotated[ProtectionStorageMasks | None, Since(V2_0)] = None


@operation(Operation.REGISTER, since=V1_0, needs=Permission.REGISTER)
async def register(ctx: Context, request: RegisterRequest) -> RegisterResponse:
    require_storage(request.protection_storage_masks)
    value = request.managed_object
    if value is None:
        raise InvalidField("Register needs the object itself")
    if OBJECT_TYPES[type(value)] is not request.object_type:
        raise InvalidObjectType("the Object Type is not that of the object in the request")
    given = await gather(ctx, request.attributes, object_type=request.object_type)
    algorithm = first(given, Tag.CRYPTOGRAPHIC_ALGORITHM)
    length = first(given, Tag.CRYPTOGRAPHIC_LENGTH)
    value, as_registered = await unwrapped_if_possible(ctx, value)
    # What was unwrapped is not opened: whether it opens would tell the client something about it.
    container = await registered_container(ctx, given, value) if as_registered is None else None
    facts = await examined(
        ctx,
        value if container is None else container.key,
        algorithm=algorithm if isinstance(algorithm, CryptographicAlgorithm) else None,
        length=length if isinstance(length, int) else None,
        unwrapped=as_registered is not None,
    )
    obj = ctx.objects.create(request.object_type, state=stateful(request.object_type))
    obj.material, obj.as_registered = await prepare(ctx.crypto, value), as_registered
    obj.set(Tag.CRYPTOGRAPHIC_ALGORITHM, facts.cryptographic_algorithm)
    obj.set(Tag.CRYPTOGRAPHIC_LENGTH, facts.cryptographic_length)
    for known in facts.attributes:
        obj.add(known.key, known.value)
    if container is not None and first(given, Tag.PKCS_12_FRIENDLY_NAME) is None:
        obj.set(Tag.PKCS_12_FRIENDLY_NAME, container.friendly_name)
    dress(ctx, obj, [*given, *embedded(value, given)])
    await digest_of_default_format(ctx, obj, value if container is None else container.key)
    wrapping_key = named_wrapping_key(value if as_registered is None else as_registered)
    if wrapping_key is not None:
        # SPEC(KMIP 2.1 §6.1.43): a wrapped object gets a link to the key that it is wrapped with.
        link_to(obj, LinkType.WRAPPING_KEY_LINK, wrapping_key)
    ctx.objects.place(obj.unique_identifier)
    return RegisterResponse(unique_identifier=obj.unique_identifier)
