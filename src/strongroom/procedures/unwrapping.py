"""Unwrapping of keys (KMIP 1.4 §2.1.5, 2.1 §3.3).

Rule: what Key Wrapping Data say is worked out here, for every operation that takes in keys or gives them out.
A key that cannot be unwrapped has one error, whatever was wrong.
"""

import contextlib
from typing import Any, Final

from strongroom.domain.context import Context
from strongroom.domain.crypto import ObjectFacts
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    InvalidField,
    KmipError,
    ObjectNotFound,
    ServerFailure,
)
from strongroom.domain.key_form_errors import UnwrappingFailed, WrappingKeyUnavailable
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.usage import Use, require
from strongroom.model.convert import decoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import ManagedObjectStruct, PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, KeyWrappingData
from strongroom.procedures.cryptographic_parameters import usable_key
from strongroom.procedures.wrapping import (
    WrappingKey,
    agreeing_parameters,
    is_wrapped,
    key_block_of,
    steps_of,
)
from strongroom.registry import (
    CryptographicAlgorithm,
    CryptographicUsageMask,
    EncodingOption,
    LinkType,
    ObjectType,
    Tag,
    ValidityIndicator,
)
from strongroom.wire import binary
from strongroom.wire.errors import DecodeError

# INTEROP(OASIS TC-WRAP-3 1.4): it unwraps with a key whose mask is Wrap Key alone.
_TO_UNWRAP: Final = CryptographicUsageMask.UNWRAP_KEY | CryptographicUsageMask.WRAP_KEY


async def unwrap(ctx: Context, value: ManagedObjectStruct) -> ManagedObjectStruct:
    """Return a wrapped key in the clear, attributes that were wrapped along in its Key Value.

    Raises UnwrappingFailed, and WrappingKeyUnavailable where nothing could be tried.
    """
    key_block = key_block_of(value)
    wrapping = None if key_block is None else key_block.key_wrapping_data
    if key_block is None or wrapping is None:
        raise WrappingKeyUnavailable
    try:
        steps = steps_of(wrapping.wrapping_method)
        data = _wrapped_bytes(key_block, wrapping)
        cipher_key = await _to_unwrap(ctx, wrapping) if steps.encrypts else None
        mac_key = await _to_check(ctx, wrapping) if steps.authenticates else None
    except ServerFailure:
        raise
    except KmipError as error:
        raise WrappingKeyUnavailable from error
    try:
        if mac_key is not None and not steps.mac_first:
            await _check(ctx, mac_key, data, wrapping)
        if cipher_key is not None:
            data = await ctx.crypto.unwrap_key(
                cipher_key.block,
                cipher_key.parameters,
                data.reveal(),
                iv_counter_nonce=wrapping.iv_counter_nonce,
                legacy=ctx.policy.legacy,
            )
        if mac_key is not None and steps.mac_first:
            await _check(ctx, mac_key, data, wrapping)
        clear = _key_value(data, key_block, wrapping)
    except ServerFailure:
        raise
    except CryptographicFailure as error:
        raise UnwrappingFailed from error
    except KmipError as error:
        raise WrappingKeyUnavailable from error
    result: ManagedObjectStruct = value.replace(
        key_block=key_block.replace(key_value=clear, key_wrapping_data=None)
    )
    return result


def _wrapped_bytes(key_block: KeyBlock, wrapping: KeyWrappingData) -> SecretBytes:
    """Return what was wrapped; a Key Value structure that holds it as Key Material is accepted."""
    if isinstance(key_block.key_value, SecretBytes):
        return key_block.key_value
    if (
        isinstance(key_block.key_value, KeyValue)
        and isinstance(key_block.key_value.key_material, SecretBytes)
        and wrapping.encoding_option is EncodingOption.NO_ENCODING
    ):
        return key_block.key_value.key_material
    raise InvalidField("a wrapped Key Value is a byte string")


async def _to_unwrap(ctx: Context, wrapping: KeyWrappingData) -> WrappingKey:
    information = wrapping.encryption_key_information
    if information is None:
        raise InvalidField("the Key Wrapping Data do not name the wrapping key")
    key = await ctx.objects.get(information.unique_identifier, permission=Permission.UNWRAP)
    parameters = _parameters(key, information.cryptographic_parameters)
    if key.object_type is ObjectType.PUBLIC_KEY:
        key = await _other_half(ctx, key, LinkType.PRIVATE_KEY_LINK)
        parameters = _parameters(key, parameters)  # anybody may link a public key to it
    usable_key(key)
    require(key, _TO_UNWRAP, Use.PROCESS, ctx.now)
    return WrappingKey(key, parameters)


async def _to_check(ctx: Context, wrapping: KeyWrappingData) -> WrappingKey:
    information = wrapping.mac_signature_key_information
    if information is None or wrapping.mac_signature is None:
        raise InvalidField("the Key Wrapping Data lack the MAC, or the key that made it")
    key = await ctx.objects.get(information.unique_identifier, permission=Permission.UNWRAP)
    parameters = _parameters(key, information.cryptographic_parameters)
    if key.object_type is ObjectType.PRIVATE_KEY:
        key = await _other_half(ctx, key, LinkType.PUBLIC_KEY_LINK)
    usable_key(key)
    public = key.object_type is ObjectType.PUBLIC_KEY
    mask = CryptographicUsageMask.VERIFY if public else CryptographicUsageMask.MAC_VERIFY
    require(key, mask, Use.PROCESS, ctx.now)
    return WrappingKey(key, parameters)


def _parameters(key: ManagedObject, said: CryptographicParameters | None) -> CryptographicParameters:
    """Return what the Key Wrapping Data say, completed by the key's own parameters.

    A key that has some is used with those alone: whoever may unwrap with it would else choose a mode whose
    failures tell of the plaintext. Raises BadCryptographicParameters.
    """
    found = agreeing_parameters(key, said)
    if found is not None:
        return found
    if key.value(Tag.CRYPTOGRAPHIC_PARAMETERS) is not None:
        raise BadCryptographicParameters("the wrapping key has no such Cryptographic Parameters")
    return said or CryptographicParameters()


async def _other_half(ctx: Context, key: ManagedObject, link_type: LinkType) -> ManagedObject:
    """Return the other key of a pair: what one half protected, the other undoes."""
    for link in key.values(Tag.LINK):
        if link.link_type is link_type:
            other: Any = UniqueIdentifier(link.linked_object_identifier)
            return await ctx.objects.get(other, permission=Permission.UNWRAP)
    raise ObjectNotFound("the other key of the pair is not known")


async def _check(ctx: Context, key: WrappingKey, data: SecretBytes, wrapping: KeyWrappingData) -> None:
    """Return if the MAC or signature is that of the data; raises CryptographicFailure."""
    value, legacy = key.value, ctx.policy.legacy
    if isinstance(value, PublicKey):
        verification = await ctx.crypto.start_verification(value, key.parameters, legacy=legacy)
    else:
        verification = ctx.crypto.start_mac_verification(key.block, key.parameters, legacy=legacy)
    await verification.update(data)
    if await verification.finish(wrapping.mac_signature or b"") is not ValidityIndicator.VALID:
        raise CryptographicFailure("the MAC or signature is not that of the key")


def _key_value(data: SecretBytes, key_block: KeyBlock, wrapping: KeyWrappingData) -> KeyValue:
    """Return the Key Value that was wrapped; raises CryptographicFailure when there is none."""
    if wrapping.encoding_option is EncodingOption.NO_ENCODING:
        beside = key_block.key_value
        attributes = beside.attributes if isinstance(beside, KeyValue) else None
        return KeyValue(key_material=data, attributes=attributes)
    try:
        tag, item_type, fields = binary.decode(data.reveal())
        if tag != Tag.KEY_VALUE or item_type != 1:
            raise CryptographicFailure("what was unwrapped is no Key Value")
        value: KeyValue = decoder(KeyValue, None)(fields)
    except DecodeError as error:
        raise CryptographicFailure("what was unwrapped is no Key Value") from error
    return value


async def unwrapped_if_possible(
    ctx: Context, value: ManagedObjectStruct
) -> tuple[ManagedObjectStruct, ManagedObjectStruct | None]:
    """Return what is to be stored: the object, and the wrapped form if it was unwrapped.

    A key whose wrapping key is not here, or may not be used for that, stays as it is. Raises UnwrappingFailed
    when the wrapping key is here and was not the one, or the key was altered.
    """
    if not is_wrapped(value):
        return value, None
    value = await _named_plainly(ctx, value)
    try:
        return await unwrap(ctx, value), value
    except WrappingKeyUnavailable:
        return value, None


async def _named_plainly(ctx: Context, value: ManagedObjectStruct) -> ManagedObjectStruct:
    """Return a wrapped key that names its wrapping keys by their identifiers.

    A name, a place in the batch or the ID Placeholder (2.x, 3.0) mean something else, or nothing, later on.
    """
    key_block = key_block_of(value)
    wrapping = None if key_block is None else key_block.key_wrapping_data
    if key_block is None or wrapping is None:
        return value
    changed: dict[str, Any] = {}
    for field in ("encryption_key_information", "mac_signature_key_information"):
        information = getattr(wrapping, field)
        if information is None or type(information.unique_identifier) is str:
            continue
        with contextlib.suppress(KmipError):
            key = await ctx.objects.get(information.unique_identifier, permission=Permission.UNWRAP)
            changed[field] = information.replace(unique_identifier=key.unique_identifier)
    if not changed:
        return value
    wrapping = wrapping.replace(**changed)
    named: ManagedObjectStruct = value.replace(key_block=key_block.replace(key_wrapping_data=wrapping))
    return named


async def examined(
    ctx: Context,
    value: ManagedObjectStruct,
    *,
    algorithm: CryptographicAlgorithm | None,
    length: int | None,
    unwrapped: bool,
) -> ObjectFacts:
    """Return what an object tells about itself; of an unwrapped key nothing leaks through the errors.

    Who could tell a wrong padding from a wrong length would unwrap without the right to do it.
    """
    try:
        return await ctx.crypto.examine(value, algorithm=algorithm, length=length)
    except InvalidField as error:
        if unwrapped:
            raise UnwrappingFailed from error
        raise


def named_wrapping_key(value: ManagedObjectStruct | None) -> UniqueIdentifier | None:
    """Return the identifier of the key that the object says it is wrapped with."""
    key_block = key_block_of(value)
    wrapping = None if key_block is None else key_block.key_wrapping_data
    if wrapping is None or wrapping.encryption_key_information is None:
        return None
    identifier = wrapping.encryption_key_information.unique_identifier
    return UniqueIdentifier(identifier) if type(identifier) is str else None
