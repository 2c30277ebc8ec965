"""Objects: create, destroy, read and change attributes, find.

Rule: an object is a managed object of the caller; a handle is a number of the application for it.
"""

from collections.abc import Mapping
from itertools import product
from typing import Any, Final, cast

from strongroom.domain.errors import (
    KmipError,
    NotExtractable,
    Sensitive,
)
from strongroom.model.attribute_list import (
    AttributeInstance,
    Attributes,
    RawValue,
    TemplateAttributes,
)
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import (
    KeyBlock,
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
from strongroom.model.structures import Name
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.pkcs11.attributes import (
    ALGORITHMS,
    CLASSES,
    ID,
    KEY_TYPES,
    LABEL,
    Shown,
    Template,
    described,
    labelled,
    shown_value,
    template_of,
    uses,
)
from strongroom.operations.pkcs11.codec import Attribute
from strongroom.operations.pkcs11.constants import CKA, CKO
from strongroom.operations.pkcs11.failure import GONE, Failure
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.sessions import destroy
from strongroom.operations.pkcs11.state import MAXIMUM_HANDLES, Session
from strongroom.operations.register import RegisterRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.registry import (
    CertificateType,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    OpaqueDataType,
    Tag,
)
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code

_SECRET: Final[Mapping[type[KmipError], Code]] = {
    **GONE,
    Sensitive: Code.CKR_ATTRIBUTE_SENSITIVE,
    NotExtractable: Code.CKR_ATTRIBUTE_SENSITIVE,
}


def writable(session: Session, template: Template) -> bool:
    """Tell whether an object is to outlive its session; raises Failure where the session cannot make one."""
    lasting = bool(template.take(CKA.TOKEN, False))
    if lasting and not session.writable:
        raise Failure(Code.CKR_SESSION_READ_ONLY)
    return lasting


def taken_in(call: Call, session: Session, identifier: UniqueIdentifier, *, lasting: bool) -> int:
    """Return the handle of a new object."""
    if not lasting:
        session.objects.append(identifier)
    return call.state.handle_of(identifier)


@function(Function.C_CREATEOBJECT)
async def create_object(call: Call) -> None:
    session = call.session()
    template = template_of(call.input.template())
    call.input.end()
    lasting = writable(session, template)
    cls = template.need(CKA.CLASS)
    if cls not in list(CKO):
        raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID)
    value, object_type = _material(template, CKO(cls))
    given = described(template, CKO(cls), call.ctx.now)
    template.end()
    request = RegisterRequest(
        object_type=object_type,
        managed_object=value,
        attributes=TemplateAttributes(attributes=Attributes(given)),
    )
    made = await do(call, request)
    call.output.ulong(taken_in(call, session, made.unique_identifier, lasting=lasting))


def _material(template: Template, cls: CKO) -> tuple[ManagedObjectStruct, ObjectType]:
    """Return what is registered; raises Failure for an object that cannot be made from a template."""
    value = template.take(CKA.VALUE, b"")
    match cls:
        case CKO.SECRET_KEY:
            algorithm = ALGORITHMS.get(template.need(CKA.KEY_TYPE))
            length = template.take(CKA.VALUE_LEN, len(value))
            if algorithm is None or length != len(value):
                raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID)
            block = KeyBlock(
                key_format_type=KeyFormatType.RAW,
                key_value=KeyValue(key_material=SecretBytes(template.need(CKA.VALUE))),
                cryptographic_algorithm=algorithm,
                cryptographic_length=8 * len(value),
            )
            return SymmetricKey(key_block=block), ObjectType.SYMMETRIC_KEY
        case CKO.CERTIFICATE:
            if template.take(CKA.CERTIFICATE_TYPE, 0) != 0:
                raise Failure(Code.CKR_ATTRIBUTE_VALUE_INVALID)
            for ignored in (CKA.SUBJECT, CKA.ISSUER, CKA.SERIAL_NUMBER, CKA.CERTIFICATE_CATEGORY):
                template.take(ignored)
            certificate = Certificate(
                certificate_type=CertificateType.X_509, certificate_value=template.need(CKA.VALUE)
            )
            return certificate, ObjectType.CERTIFICATE
        case CKO.DATA:
            return (
                OpaqueObject(opaque_data_type=DATA_OBJECT, opaque_data_value=SecretBytes(value)),
                ObjectType.OPAQUE_OBJECT,
            )
        case CKO.PUBLIC_KEY | CKO.PRIVATE_KEY:
            raise Failure(Code.CKR_TEMPLATE_INCONSISTENT)


DATA_OBJECT: Final = cast(OpaqueDataType, 0x80000001)
"""The Opaque Data Type of a data object, a vendor's as all are."""


@function(Function.C_DESTROYOBJECT)
async def destroy_object(call: Call) -> None:
    session = call.session()
    identifier = call.object()
    call.input.end()
    if not session.writable and not any(identifier in s.objects for s in call.state.sessions.values()):
        raise Failure(Code.CKR_SESSION_READ_ONLY)
    await destroy(call, identifier)
    for one in call.state.sessions.values():
        if identifier in one.objects:
            one.objects.remove(identifier)


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
    for attribute in wanted:
        problem = await _show(call, identifier, object_, attribute)
        if problem is not None:
            problems.append(problem)
    if problems:
        raise Failure(problems[0])


async def _show(
    call: Call, identifier: UniqueIdentifier, object_: Shown, attribute: Attribute
) -> Code | None:
    """Write one attribute as far as it goes; return what kept it back."""
    number = attribute.type
    try:
        if number == CKA.TOKEN:
            value: Any = not any(identifier in s.objects for s in call.state.sessions.values())
        elif number in _FROM_MATERIAL:
            value = await _from_material(call, identifier, object_, number)
        else:
            value = shown_value(number, object_)
    except Failure as failure:
        call.output.attribute(number, None, None)
        return failure.code
    if value is None:
        call.output.attribute(number, None, None)
        return Code.CKR_ATTRIBUTE_TYPE_INVALID
    size = len(value) if isinstance(value, bytes) else 1
    if attribute.size is None:
        call.output.attribute(number, None, size)
    elif isinstance(value, bytes) and attribute.size < size:
        call.output.attribute(number, None, None)
        return Code.CKR_BUFFER_TOO_SMALL
    else:
        call.output.attribute(number, value, size)
    return None


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


@function(Function.C_SETATTRIBUTEVALUE)
async def set_attribute_value(call: Call) -> None:
    session = call.session()
    identifier = call.object()
    template = template_of(call.input.template())
    call.input.end()
    if not session.writable:
        raise Failure(Code.CKR_SESSION_READ_ONLY)
    object_ = await shown(call, identifier)
    for new in _changes(template, object_):
        await do(call, SetAttributeRequest(unique_identifier=identifier, new_attribute=new))


def _changes(template: Template, object_: Shown) -> list[AttributeInstance]:
    """Return the KMIP attributes that a template changes; raises Failure."""
    changes = []
    label, identifier = template.take(CKA.LABEL), template.take(CKA.ID)
    if label is not None:
        changes.append(AttributeInstance(LABEL, labelled(label)))
    if identifier is not None:
        changes.append(AttributeInstance(ID, RawValue(ItemType.BYTE_STRING, identifier)))
    for attribute, tag in ((CKA.SENSITIVE, Tag.SENSITIVE), (CKA.EXTRACTABLE, Tag.EXTRACTABLE)):
        value = template.take(attribute)
        if value is not None:
            changes.append(AttributeInstance(tag, value))
    if template.values.keys() & uses(CKO.SECRET_KEY).keys() and object_.cls is not None:
        # The uses of a key are settled when it is made.
        raise Failure(Code.CKR_ATTRIBUTE_READ_ONLY)
    template.end()
    return changes


@function(Function.C_FINDOBJECTSINIT)
async def find_objects_init(call: Call) -> None:
    session = call.session()
    template = template_of(call.input.template())
    call.input.end()
    if session.found is not None:
        raise Failure(Code.CKR_OPERATION_ACTIVE)
    found: dict[UniqueIdentifier, None] = {}
    for filters in _searches(template):
        request = LocateRequest(
            maximum_items=MAXIMUM_HANDLES, attributes=TemplateAttributes(attributes=Attributes(filters))
        )
        found.update(dict.fromkeys((await do(call, request)).unique_identifier))
    mine = {identifier for s in call.state.sessions.values() for identifier in s.objects}
    token = template.values.get(CKA.TOKEN)
    session.found = [
        call.state.handle_of(identifier)
        for identifier in found
        if token is None or token is (identifier not in mine)
    ]


def _searches(template: Template) -> list[list[AttributeInstance]]:
    """Return the filters of the Locate requests that together find what a template describes.

    What no object has, or nothing can be searched by, finds nothing.
    """
    template.take(CKA.TOKEN)
    cls, key_type, label = (template.take(a) for a in (CKA.CLASS, CKA.KEY_TYPE, CKA.LABEL))
    common: list[AttributeInstance] = []
    for attribute, tag in ((CKA.SENSITIVE, Tag.SENSITIVE), (CKA.EXTRACTABLE, Tag.EXTRACTABLE)):
        value = template.take(attribute)
        if value is not None:
            common.append(AttributeInstance(tag, value))
    identifier, unique = template.take(CKA.ID), template.take(CKA.UNIQUE_ID)
    if identifier is not None:
        common.append(AttributeInstance(ID, RawValue(ItemType.BYTE_STRING, identifier)))
    if unique is not None:
        common.append(AttributeInstance(Tag.UNIQUE_IDENTIFIER, unique.decode(errors="replace")))
    mask = CryptographicUsageMask(0)
    for flag, bit in uses(CKO(cls) if cls in list(CKO) else CKO.PUBLIC_KEY).items():
        wanted = template.take(CKA(flag))
        if wanted is False:
            return []
        mask |= bit if wanted else CryptographicUsageMask(0)
    if mask:
        common.append(AttributeInstance(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask))
    if template.take(CKA.PRIVATE, True) is False:
        return []
    try:
        template.end()
        labels = _labels(label)
    except Failure:
        return []
    types = [[AttributeInstance(Tag.OBJECT_TYPE, t)] for t, known in CLASSES.items() if cls in (None, known)]
    algorithms: list[list[AttributeInstance]] = (
        [[]]
        if key_type is None
        else [
            [AttributeInstance(Tag.CRYPTOGRAPHIC_ALGORITHM, a)]
            for a, known in KEY_TYPES.items()
            if known == key_type
        ]
    )
    return [[*t, *a, *lab, *common] for t, a, lab in product(types, algorithms, labels)]


def _labels(label: bytes | None) -> list[list[AttributeInstance]]:
    """Return the ways in which an object may have a label."""
    if label is None:
        return [[]]
    value = labelled(label)
    return [
        [AttributeInstance(LABEL, value)],
        [AttributeInstance(Tag.NAME, Name(name_value=str(value.value)))],
    ]


@function(Function.C_FINDOBJECTS)
async def find_objects(call: Call) -> None:
    session = call.session()
    most = call.input.ulong()
    call.input.end()
    if session.found is None:
        raise Failure(Code.CKR_OPERATION_NOT_INITIALIZED)
    given, session.found = session.found[:most], session.found[most:]
    call.output.numbers(tuple(given))


@function(Function.C_FINDOBJECTSFINAL)
async def find_objects_final(call: Call) -> None:
    session = call.session()
    call.input.end()
    if session.found is None:
        raise Failure(Code.CKR_OPERATION_NOT_INITIALIZED)
    session.found = None
