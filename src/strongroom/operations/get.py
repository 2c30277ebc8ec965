"""Get (KMIP 1.x §4.11, 2.x §6.1.20)."""

from typing import Annotated

from strongroom.domain.context import Context
from strongroom.domain.errors import (
    FeatureNotSupported,
    KeyFormatTypeNotSupported,
    KeyValueNotPresent,
    KeyWrapTypeNotSupported,
    NotExtractable,
    ObjectNotFound,
    Sensitive,
)
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.attribute_list import AttributeReferenceShape
from strongroom.model.identifiers import ObjectReference, UniqueIdentifier
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import ManagedObjectStruct, ObjectShape
from strongroom.model.struct import Since, Struct
from strongroom.model.structures import EncryptionKeyInformation, MACSignatureKeyInformation
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_4,
    EncodingOption,
    KeyCompressionType,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Operation,
    Tag,
    WrappingMethod,
)


class KeyWrappingSpecification(Struct):
    """How a key is to be wrapped on its way out (KMIP 1.4 §2.1.6)."""

    wrapping_method: WrappingMethod
    encryption_key_information: EncryptionKeyInformation | None = None
    mac_signature_key_information: MACSignatureKeyInformation | None = None
    attribute_name: Annotated[tuple[object, ...], AttributeReferenceShape()] = ()
    encoding_option: Annotated[EncodingOption | None, Since(V1_1)] = None


class GetResponse(Response):
    object_type: ObjectType
    unique_identifier: UniqueIdentifier
    managed_object: Annotated[ManagedObjectStruct, ObjectShape()]


class GetRequest(Request[GetResponse]):
    unique_identifier: ObjectReference | None = None
    key_format_type: KeyFormatType | None = None
    key_wrap_type: Annotated[KeyWrapType | None, Since(V1_4)] = None
    key_compression_type: KeyCompressionType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None


@operation(Operation.GET, since=V1_0, needs=Permission.GET, repeatable=True)
async def get(ctx: Context, request: GetRequest) -> GetResponse:
    obj = await ctx.objects.get(request.unique_identifier)
    if request.key_wrapping_specification is not None:
        raise FeatureNotSupported("key wrapping is not supported yet; ask for the key without it")
    managed_object = await _given_out(ctx, obj, request)
    if obj.value(Tag.FRESH):
        # SPEC(KMIP 2.1 §4.27): an object is fresh until its material was given to a client.
        obj.note(Tag.FRESH, value=False)
    return GetResponse(
        object_type=obj.object_type,
        unique_identifier=obj.unique_identifier,
        managed_object=managed_object,
    )


async def _given_out(ctx: Context, obj: ManagedObject, request: GetRequest) -> ManagedObjectStruct:
    """Return the material in the form asked for; raises what the rules of the object forbid."""
    value = obj.material
    if value is None:
        raise ObjectNotFound("the server holds no material of this object")
    if obj.value(Tag.SENSITIVE):
        raise Sensitive("the object is Sensitive: it is given out only wrapped")
    if obj.value(Tag.EXTRACTABLE) is False:
        raise NotExtractable("the object is not Extractable: it never leaves the server")
    key_block: KeyBlock | None = getattr(value, "key_block", None)
    wanted = request.key_format_type
    if key_block is None:
        if wanted is not None and obj.object_type is not ObjectType.CERTIFICATE:
            raise KeyFormatTypeNotSupported("only keys have a Key Format Type")
        return value
    if key_block.key_value is None:
        raise KeyValueNotPresent("the key value is kept elsewhere; see the Key Value Location attribute")
    wrapped = key_block.key_wrapping_data is not None
    if request.key_wrap_type is KeyWrapType.AS_REGISTERED or request.key_wrap_type is None:
        pass
    elif wrapped:
        raise KeyWrapTypeNotSupported("the key was registered wrapped and is given out only so")
    if (wanted is None or wanted is key_block.key_format_type) and request.key_compression_type is None:
        return value
    if wrapped:
        raise KeyFormatTypeNotSupported("a wrapped key cannot be converted; leave the Key Format Type out")
    return await ctx.crypto.convert(
        value, wanted or key_block.key_format_type, compression=request.key_compression_type
    )
