"""Keys that leave wrapped and come in wrapped.

Rule: Get and Register do it, with a Key Wrapping Specification and Key Wrapping Data; the material has no
encoding inside, as PKCS#11 knows none.
"""

from typing import Final

from strongroom.domain.errors import CryptographicFailure, InvalidField, KmipError, NotExtractable
from strongroom.domain.key_form_errors import KeyFormatTypeNotSupported, UnwrappingFailed
from strongroom.model.attribute_list import Attributes, TemplateAttributes
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import ManagedObjectStruct, PrivateKey, SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import (
    CryptographicParameters,
    EncryptionKeyInformation,
    KeyWrappingData,
)
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.operations.get import GetRequest
from strongroom.operations.pkcs11.attributes import ALGORITHMS, Template, described, template_of
from strongroom.operations.pkcs11.codec import Room
from strongroom.operations.pkcs11.constants import CKA, CKF, CKK, CKO
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.mechanisms import settings_of
from strongroom.operations.pkcs11.objects import taken_in, writable
from strongroom.operations.pkcs11.reading import shown
from strongroom.operations.pkcs11.sessions import destroy
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    CryptographicAlgorithm,
    EncodingOption,
    KeyFormatType,
    ObjectType,
    Tag,
    WrappingMethod,
)
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code

_WRAP: Final[dict[type[KmipError], Code]] = {
    NotExtractable: Code.CKR_KEY_UNEXTRACTABLE,
    InvalidField: Code.CKR_KEY_NOT_WRAPPABLE,
    KeyFormatTypeNotSupported: Code.CKR_KEY_NOT_WRAPPABLE,
}
_UNWRAP: Final[dict[type[KmipError], Code]] = {
    # One answer, whatever was wrong with the wrapped key.
    InvalidField: Code.CKR_ENCRYPTED_DATA_INVALID,
    CryptographicFailure: Code.CKR_ENCRYPTED_DATA_INVALID,
    UnwrappingFailed: Code.CKR_ENCRYPTED_DATA_INVALID,
}
_PRIVATE: Final = {
    CKK.RSA: CryptographicAlgorithm.RSA,
    CKK.EC: CryptographicAlgorithm.ECDSA,
    CKK.DSA: CryptographicAlgorithm.DSA,
}


@function(Function.C_WRAPKEY)
async def wrap_key(call: Call) -> None:
    call.session()
    mechanism = call.input.mechanism()
    wrapping_key, key = (call.object(Code.CKR_KEY_HANDLE_INVALID) for _ in range(2))
    buffer = call.input.buffer()
    call.input.end()
    settings = settings_of(mechanism.type, mechanism.parameter, CKF.WRAP)
    private = (await shown(call, key)).cls is CKO.PRIVATE_KEY
    request = GetRequest(
        unique_identifier=key,
        key_format_type=KeyFormatType.PKCS_8 if private else KeyFormatType.RAW,
        key_wrapping_specification=KeyWrappingSpecification(
            wrapping_method=WrappingMethod.ENCRYPT,
            encryption_key_information=_information(wrapping_key, settings.parameters),
            encoding_option=EncodingOption.NO_ENCODING,
        ),
    )
    response = await do(
        call,
        request,
        keep=lambda made: buffer.given and len(_wrapped(made.managed_object)) <= buffer.size,
        codes=_WRAP,
    )
    if call.give(_wrapped(response.managed_object), buffer) is Room.SMALL:
        raise Failure(Code.CKR_BUFFER_TOO_SMALL)


def _information(key: UniqueIdentifier, parameters: CryptographicParameters) -> EncryptionKeyInformation:
    return EncryptionKeyInformation(unique_identifier=key, cryptographic_parameters=parameters)


def _wrapped(value: ManagedObjectStruct) -> bytes:
    """Return the wrapped bytes of a key; raises Failure for an object that has none."""
    block = getattr(value, "key_block", None)
    if not isinstance(block, KeyBlock) or not isinstance(block.key_value, SecretBytes):
        raise Failure(Code.CKR_KEY_NOT_WRAPPABLE)
    return block.key_value.reveal()


@function(Function.C_UNWRAPKEY)
async def unwrap_key(call: Call) -> None:
    session = call.session()
    mechanism = call.input.mechanism()
    unwrapping_key, wrapped = call.object(Code.CKR_KEY_HANDLE_INVALID), call.input.data()
    template = template_of(call.input.template())
    call.input.end()
    settings = settings_of(mechanism.type, mechanism.parameter, CKF.UNWRAP)
    lasting = writable(session, template)
    cls = template.need(CKA.CLASS)
    wrapping = KeyWrappingData(
        wrapping_method=WrappingMethod.ENCRYPT,
        encryption_key_information=_information(unwrapping_key, settings.parameters),
        encoding_option=EncodingOption.NO_ENCODING,
    )
    value, object_type = _to_register(cls, template, SecretBytes(wrapped), wrapping)
    given = described(template, CKO(cls), call.ctx.now)
    template.end()
    request = RegisterRequest(
        object_type=object_type,
        managed_object=value,
        attributes=TemplateAttributes(attributes=Attributes(given)),
    )
    identifier = (await do(call, request, codes=_UNWRAP)).unique_identifier
    if (await shown(call, identifier)).first(Tag.DIGEST) is None:
        # Register keeps what it cannot unwrap; a key that nobody can use is no key here.
        await destroy(call, identifier)
        raise Failure(Code.CKR_KEY_FUNCTION_NOT_PERMITTED)
    call.output.ulong(taken_in(call, session, identifier, lasting=lasting))


def _to_register(
    cls: int, template: Template, wrapped: SecretBytes, wrapping: KeyWrappingData
) -> tuple[ManagedObjectStruct, ObjectType]:
    """Return the wrapped key as Register takes it; raises Failure for what cannot be wrapped."""
    key_type = template.need(CKA.KEY_TYPE)
    if cls == CKO.SECRET_KEY and key_type in ALGORITHMS:
        length = template.take(CKA.VALUE_LEN)
        block = KeyBlock(
            key_format_type=KeyFormatType.RAW,
            key_value=wrapped,
            cryptographic_algorithm=ALGORITHMS[key_type],
            cryptographic_length=None if length is None or length > _LONGEST else 8 * length,
            key_wrapping_data=wrapping,
        )
        return SymmetricKey(key_block=block), ObjectType.SYMMETRIC_KEY
    if cls == CKO.PRIVATE_KEY and key_type in _PRIVATE:
        block = KeyBlock(
            key_format_type=KeyFormatType.PKCS_8,
            key_value=wrapped,
            cryptographic_algorithm=_PRIVATE[CKK(key_type)],
            key_wrapping_data=wrapping,
        )
        return PrivateKey(key_block=block), ObjectType.PRIVATE_KEY
    raise Failure(Code.CKR_TEMPLATE_INCONSISTENT)


_LONGEST: Final = 1 << 20
