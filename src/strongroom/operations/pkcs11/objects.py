"""Objects: create, destroy, change attributes.

Rule: an object is a managed object of the caller; a handle is a number of the application for it.
"""

from typing import Final, cast

from strongroom.model.attribute_list import (
    Attributes,
    TemplateAttributes,
)
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import (
    KeyBlock,
    KeyValue,
)
from strongroom.model.objects import (
    Certificate,
    ManagedObjectStruct,
    OpaqueObject,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.operations.pkcs11.attributes import (
    ALGORITHMS,
    Template,
    changed,
    described,
    template_of,
)
from strongroom.operations.pkcs11.constants import CKA, CKO
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.sessions import destroy
from strongroom.operations.pkcs11.state import Session
from strongroom.operations.register import RegisterRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.registry import (
    CertificateType,
    KeyFormatType,
    ObjectType,
    OpaqueDataType,
)
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code


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


@function(Function.C_SETATTRIBUTEVALUE)
async def set_attribute_value(call: Call) -> None:
    session = call.session()
    identifier = call.object()
    template = template_of(call.input.template())
    call.input.end()
    if not session.writable:
        raise Failure(Code.CKR_SESSION_READ_ONLY)
    for new in changed(template):
        await do(call, SetAttributeRequest(unique_identifier=identifier, new_attribute=new))
