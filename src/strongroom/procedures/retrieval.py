"""What leaves the server of an object, and in which form (Get, Export).

Rule: whether material may go out, wrapped or in the clear, is decided here for every operation that gives it
out.
"""

from typing import Final, NamedTuple

from strongroom.domain.context import Context
from strongroom.domain.errors import (
    InvalidField,
    KeyValueNotPresent,
    NotExtractable,
    ObjectNotFound,
    Sensitive,
)
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported
from strongroom.domain.objects import ManagedObject
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import ManagedObjectStruct
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.procedures.pkcs12 import converted
from strongroom.procedures.unwrapping import unwrap
from strongroom.procedures.wrapping import conceals, is_wrapped, key_block_of, wrap
from strongroom.registry import KeyCompressionType, KeyFormatType, KeyWrapType, ObjectType, Tag


class Wanted(NamedTuple):
    """The form in which a client wants an object; None is the form in which it was stored."""

    key_format_type: KeyFormatType | None = None
    key_wrap_type: KeyWrapType | None = None
    key_compression_type: KeyCompressionType | None = None
    key_wrapping_specification: KeyWrappingSpecification | None = None


def as_kept(obj: ManagedObject) -> ManagedObjectStruct:
    """Return the material in the form in which it was stored; raises what the rules of the object forbid."""
    value = obj.material
    if value is None:
        raise ObjectNotFound("the server holds no material of this object")
    sent = value if is_wrapped(value) else obj.as_registered
    if sent is not None:
        return _as_registered(obj, sent, Wanted())
    key_block = key_block_of(value)
    if key_block is None or key_block.key_value is not None:
        _require_free(obj, concealed=False)
    return _described(obj, value)


async def given_out(ctx: Context, obj: ManagedObject, wanted: Wanted) -> ManagedObjectStruct:
    """Return the material in the form asked for; raises what the rules of the object forbid."""
    value = obj.material
    if value is None:
        raise ObjectNotFound("the server holds no material of this object")
    key_block = key_block_of(value)
    if key_block is not None and key_block.key_value is None:
        return _described(obj, _elsewhere(value, key_block, wanted))
    specification = wanted.key_wrapping_specification
    sent = value if is_wrapped(value) else obj.as_registered
    if specification is None and sent is not None and wanted.key_wrap_type is not KeyWrapType.NOT_WRAPPED:
        return _as_registered(obj, sent, wanted)
    if specification is not None and sent is not None and wanted.key_wrap_type is KeyWrapType.AS_REGISTERED:
        raise InvalidField(
            "the key is wrapped As Registered already; leave the Key Wrap Type or the Key Wrapping"
            " Specification out"
        )
    _require_free(obj, concealed=specification is not None and conceals(specification.wrapping_method))
    if is_wrapped(value):
        value = await unwrap(ctx, value)
    value = _described(obj, await _in_format(ctx, obj, value, wanted))
    return value if specification is None else await wrap(ctx, obj, value, specification)


def check_free(obj: ManagedObject, *, concealed: bool) -> None:
    """Return if the object may leave the server, `concealed` by a wrapping or in the clear."""
    if obj.value(Tag.SENSITIVE) and not concealed:
        raise Sensitive("the object is Sensitive: it is given out only wrapped")
    if obj.value(Tag.EXTRACTABLE) is False:
        raise NotExtractable("the object is not Extractable: it never leaves the server")


def _require_free(obj: ManagedObject, *, concealed: bool) -> None:
    """Do the same for an object that leaves the server now.

    In the clear it is marked as such: whether that needs more than a permission is the engine's to say.
    """
    check_free(obj, concealed=concealed)
    if not concealed:
        obj.revealed = True


def _as_registered(obj: ManagedObject, sent: ManagedObjectStruct, wanted: Wanted) -> ManagedObjectStruct:
    """Return a wrapped key as the client sent it."""
    key_block = key_block_of(sent)
    wrapping = None if key_block is None else key_block.key_wrapping_data
    assert key_block is not None
    assert wrapping is not None
    _require_free(obj, concealed=conceals(wrapping.wrapping_method))
    if (
        wanted.key_format_type not in (None, key_block.key_format_type)
        or wanted.key_compression_type is not None
    ):
        raise KeyFormatTypeNotSupported(
            "a wrapped key cannot be converted; leave the Key Format Type out, or ask for Key Wrap Type Not"
            " Wrapped"
        )
    return sent


async def _in_format(
    ctx: Context, obj: ManagedObject, value: ManagedObjectStruct, wanted: Wanted
) -> ManagedObjectStruct:
    """Return an object that is not wrapped in the format asked for."""
    key_block, key_format = key_block_of(value), wanted.key_format_type
    if key_block is None:
        if key_format is None:
            return value
        if obj.object_type not in (ObjectType.CERTIFICATE, ObjectType.CERTIFICATE_REQUEST):
            raise KeyFormatTypeNotSupported("only keys and certificates have a Key Format Type")
        return await ctx.crypto.convert(value, key_format)
    if key_format in (None, key_block.key_format_type) and wanted.key_compression_type is None:
        return value
    return await converted(
        ctx, obj, value, key_format or key_block.key_format_type, wanted.key_compression_type
    )


_KEYS: Final = frozenset(
    {ObjectType.SYMMETRIC_KEY, ObjectType.PUBLIC_KEY, ObjectType.PRIVATE_KEY, ObjectType.SPLIT_KEY}
)
_SAY_NOTHING: Final = frozenset({KeyFormatType.RAW, KeyFormatType.OPAQUE})


def _described(obj: ManagedObject, value: ManagedObjectStruct) -> ManagedObjectStruct:
    """Return a key with its algorithm and length beside it, where its format does not tell them.

    SPEC(KMIP 1.4 §2.1.3): they are required then. Register takes them as attributes as well.
    """
    key_block = key_block_of(value)
    if key_block is None or not (
        key_block.cryptographic_algorithm is None or key_block.cryptographic_length is None
    ):
        return value
    if obj.object_type not in _KEYS or key_block.key_format_type not in _SAY_NOTHING:
        return value
    described = key_block.replace(
        cryptographic_algorithm=obj.value(Tag.CRYPTOGRAPHIC_ALGORITHM),
        cryptographic_length=obj.value(Tag.CRYPTOGRAPHIC_LENGTH),
    )
    result: ManagedObjectStruct = value.replace(key_block=described)
    return result


def _elsewhere(value: ManagedObjectStruct, key_block: KeyBlock, wanted: Wanted) -> ManagedObjectStruct:
    """Return a key whose value is kept elsewhere: the Key Block without Key Value (KMIP 1.2 §2.1.3)."""
    if (
        wanted.key_format_type not in (None, key_block.key_format_type)
        or wanted.key_compression_type is not None
        or wanted.key_wrapping_specification is not None
    ):
        raise KeyValueNotPresent("the key value is kept elsewhere; see the Key Value Location attribute")
    return value
