"""What leaves the server of an object, and in which form (Get, Export).

Rule: whether material may go out, wrapped or in the clear, is decided here for every operation that gives it
out.
"""

from dataclasses import dataclass

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
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.registry import KeyCompressionType, KeyFormatType, KeyWrapType, ObjectType, Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The form in which a client wants an object; None is the form in which it was stored."""

    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_compression_type: KeyCompressionType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None


async def given_out(ctx: Context, obj: ManagedObject, wanted: Wanted) -> ManagedObjectStruct:
    """Return the material in the form asked for; raises what the rules of the object forbid."""
    if wanted.key_wrapping_specification is not None:
        raise FeatureNotSupported("key wrapping is not supported yet; ask for the key without it")
    value = obj.material
    if value is None:
        raise ObjectNotFound("the server holds no material of this object")
    key_block: KeyBlock | None = getattr(value, "key_block", None)
    if key_block is not None and key_block.key_value is None:
        return _elsewhere(value, key_block, wanted)
    if obj.value(Tag.SENSITIVE):
        raise Sensitive("the object is Sensitive: it is given out only wrapped")
    if obj.value(Tag.EXTRACTABLE) is False:
        raise NotExtractable("the object is not Extractable: it never leaves the server")
    key_format = wanted.key_format_type
    if key_block is None:
        if key_format is not None and obj.object_type is not ObjectType.CERTIFICATE:
            raise KeyFormatTypeNotSupported("only keys have a Key Format Type")
        return value
    wrapped = key_block.key_wrapping_data is not None
    if wrapped and wanted.key_wrap_type not in (None, KeyWrapType.AS_REGISTERED):
        raise KeyWrapTypeNotSupported("the key was registered wrapped and is given out only so")
    if key_format in (None, key_block.key_format_type) and wanted.key_compression_type is None:
        return value
    if wrapped:
        raise KeyFormatTypeNotSupported("a wrapped key cannot be converted; leave the Key Format Type out")
    return await ctx.crypto.convert(
        value, key_format or key_block.key_format_type, compression=wanted.key_compression_type
    )


def _elsewhere(value: ManagedObjectStruct, key_block: KeyBlock, wanted: Wanted) -> ManagedObjectStruct:
    """Return a key whose value is kept elsewhere: the Key Block without Key Value (KMIP 1.2 §2.1.3)."""
    if (
        wanted.key_format_type not in (None, key_block.key_format_type)
        or wanted.key_compression_type is not None
        or wanted.key_wrapping_specification is not None
    ):
        raise KeyValueNotPresent("the key value is kept elsewhere; see the Key Value Location attribute")
    return value
