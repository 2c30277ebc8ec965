"""What an object shows of itself.

Rule: attributes are read with Get Attributes, and what is in the material with Get, under the rules of both.
"""

from collections.abc import Mapping
from typing import Any, Final

from strongroom.domain.errors import (
    KmipError,
    NotExtractable,
    Sensitive,
)
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import (
    KeyValue,
    TransparentECPublicKey,
    TransparentKey,
    TransparentRSAPublicKey,
    transparent,
)
from strongroom.model.objects import (
    Certificate,
    ManagedObjectStruct,
    OpaqueObject,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.pkcs11.attributes import (
    Shown,
    shown_value,
)
from strongroom.operations.pkcs11.codec import MAXIMUM_OUTPUT, Attribute
from strongroom.operations.pkcs11.constants import CKA, CKO
from strongroom.operations.pkcs11.failure import GONE, Failure
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.registry import (
    CryptographicAlgorithm,
    KeyFormatType,
    KeyWrapType,
    Tag,
)
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code

_SECRET: Final[Mapping[type[KmipError], Code]] = {
    **GONE,
    Sensitive: Code.CKR_ATTRIBUTE_SENSITIVE,
    NotExtractable: Code.CKR_ATTRIBUTE_SENSITIVE,
}


async def shown(
    call: Call, identifier: UniqueIdentifier, *, codes: Mapping[type[KmipError], Code] = GONE
) -> Shown:
    """Return what Get Attributes tells of an object."""
    response = await do(call, GetAttributesRequest(unique_identifier=identifier), codes=codes)
    values: dict[Any, list[Any]] = {}
    for attribute in response.attributes.attributes:
        values.setdefault(attribute.key, []).append(attribute.value)
    return Shown(values)


@function(Function.C_GETATTRIBUTEVALUE)
async def get_attribute_value(call: Call) -> None:
    call.session()
    identifier = call.object()
    wanted = call.input.template()
    call.input.end()
    object_ = await shown(call, identifier)
    call.output.count(len(wanted))
    problems: list[Code] = []
    values: dict[int, Any] = {}
    for attribute in wanted:
        problem = await _show(call, identifier, object_, attribute, values)
        if problem is not None:
            problems.append(problem)
    if problems:
        raise Failure(problems[0])


async def _show(
    call: Call, identifier: UniqueIdentifier, object_: Shown, attribute: Attribute, values: dict[int, Any]
) -> Code | None:
    """Write one attribute as far as it goes; return what kept it back.

    `values` are those found so far: what is asked for again is not got again.
    """
    number = attribute.type
    try:
        if number not in values:
            values[number] = await _value_of(call, identifier, object_, number)
    except Failure as failure:
        call.output.attribute(number, None, None)
        return failure.code
    value = values[number]
    if value is None:
        call.output.attribute(number, None, None)
        return Code.CKR_ATTRIBUTE_TYPE_INVALID
    size = len(value) if isinstance(value, bytes) else 1
    if attribute.size is None:
        call.output.attribute(number, None, size)
    elif isinstance(value, bytes) and attribute.size < size:
        call.output.attribute(number, None, None)
        return Code.CKR_BUFFER_TOO_SMALL
    elif call.output.size + size > MAXIMUM_OUTPUT:
        call.output.attribute(number, None, None)
        return Code.CKR_HOST_MEMORY
    else:
        call.output.attribute(number, value, size)
    return None


async def _value_of(call: Call, identifier: UniqueIdentifier, object_: Shown, number: int) -> Any:
    if number == CKA.TOKEN:
        return not any(identifier in s.objects for s in call.state.sessions.values())
    if number in _FROM_MATERIAL:
        return await _from_material(call, identifier, object_, number)
    return shown_value(number, object_)


_FROM_MATERIAL: Final = frozenset(
    {CKA.VALUE, CKA.MODULUS, CKA.PUBLIC_EXPONENT, CKA.PUBLIC_KEY_INFO, CKA.EC_PARAMS, CKA.EC_POINT}
)


async def _from_material(
    call: Call, identifier: UniqueIdentifier, object_: Shown, number: int
) -> bytes | None:
    """Return an attribute for which the object itself must be got, and may be."""
    cls, algorithm = object_.cls, object_.first(Tag.CRYPTOGRAPHIC_ALGORITHM)
    public, rsa = cls is CKO.PUBLIC_KEY, algorithm is CryptographicAlgorithm.RSA
    if number == CKA.VALUE and cls in (CKO.SECRET_KEY, CKO.CERTIFICATE, CKO.DATA):
        return _value(await _get(call, identifier, None))
    if number == CKA.PUBLIC_KEY_INFO and public:
        return _value(await _get(call, identifier, KeyFormatType.X_509))
    if number in (CKA.MODULUS, CKA.PUBLIC_EXPONENT) and public and rsa:
        key = await _spelt_out(call, identifier, KeyFormatType.TRANSPARENT_RSA_PUBLIC_KEY)
        assert isinstance(key, TransparentRSAPublicKey)
        integer = key.modulus if number == CKA.MODULUS else key.public_exponent
        return integer.to_bytes((integer.bit_length() + 7) // 8, "big")
    domain = object_.first(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    if number == CKA.EC_PARAMS and domain is not None and domain.recommended_curve is not None:
        return call.ctx.crypto.curve_parameters(domain.recommended_curve)
    if number == CKA.EC_POINT and public and domain is not None:
        key = await _spelt_out(call, identifier, KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY)
        assert isinstance(key, TransparentECPublicKey)
        return call.ctx.crypto.octet_string(key.q_string)
    return None


async def _spelt_out(call: Call, identifier: UniqueIdentifier, key_format: KeyFormatType) -> TransparentKey:
    """Return a public key as its numbers."""
    found = await _get(call, identifier, key_format)
    assert isinstance(found, PublicKey)
    value = found.key_block.key_value
    assert isinstance(value, KeyValue)
    assert not isinstance(value.key_material, SecretBytes)
    return transparent(key_format, value.key_material)


async def _get(
    call: Call, identifier: UniqueIdentifier, key_format: KeyFormatType | None
) -> ManagedObjectStruct:
    request = GetRequest(
        unique_identifier=identifier, key_format_type=key_format, key_wrap_type=KeyWrapType.NOT_WRAPPED
    )
    return (await do(call, request, codes=_SECRET)).managed_object


def _value(value: ManagedObjectStruct) -> bytes | None:
    """Return the bytes of an object; None when it is not made of bytes."""
    match value:
        case Certificate():
            return value.certificate_value
        case OpaqueObject():
            return value.opaque_data_value.reveal()
        case SymmetricKey() | PublicKey() | SecretData():
            material = value.key_block.key_value
            if isinstance(material, KeyValue) and isinstance(material.key_material, SecretBytes):
                return material.key_material.reveal()
            return None
        case _:
            return None
