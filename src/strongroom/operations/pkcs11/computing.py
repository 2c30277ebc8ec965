"""Encrypt, decrypt, digest, sign and verify, at once and in parts.

Rule: each is one KMIP operation, done when everything has come; what comes in parts is held until then,
within a limit. An operation ends with its last call, with a failure, not with a question for the length.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from strongroom.domain.errors import BadCryptographicParameters, CryptographicFailure, InvalidField, KmipError
from strongroom.domain.operation import Request
from strongroom.model.secret import SecretBytes
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.mac_verify import MACVerifyRequest
from strongroom.operations.pkcs11.codec import Buffer, Room
from strongroom.operations.pkcs11.constants import CKF
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.mechanisms import Settings, settings_of
from strongroom.operations.pkcs11.reading import shown
from strongroom.operations.pkcs11.state import MAXIMUM_HELD, Active, Session, Work
from strongroom.operations.sign import SignRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code
from strongroom.registry import Tag, ValidityIndicator

_FLAGS: Final = {
    Work.ENCRYPT: CKF.ENCRYPT,
    Work.DECRYPT: CKF.DECRYPT,
    Work.DIGEST: CKF.DIGEST,
    Work.SIGN: CKF.SIGN,
    Work.VERIFY: CKF.VERIFY,
}
_DATA: Final[dict[type[KmipError], Code]] = {
    InvalidField: Code.CKR_DATA_LEN_RANGE,
    CryptographicFailure: Code.CKR_FUNCTION_FAILED,
}
_CIPHERTEXT: Final[dict[type[KmipError], Code]] = {
    # One answer, whatever was wrong with the ciphertext.
    InvalidField: Code.CKR_ENCRYPTED_DATA_INVALID,
    CryptographicFailure: Code.CKR_ENCRYPTED_DATA_INVALID,
}
_CODES: Final = {
    Work.ENCRYPT: _DATA,
    Work.DECRYPT: _CIPHERTEXT,
    Work.DIGEST: _DATA,
    Work.SIGN: _DATA,
    Work.VERIFY: {**_DATA, BadCryptographicParameters: Code.CKR_MECHANISM_PARAM_INVALID},
}


async def _init(work: Work, call: Call) -> None:
    session = call.session()
    mechanism = call.input.mechanism()
    key = None if work is Work.DIGEST else call.object(Code.CKR_KEY_HANDLE_INVALID)
    call.input.end()
    if work in session.active:
        raise Failure(Code.CKR_OPERATION_ACTIVE)
    settings_of(mechanism.type, mechanism.parameter, _FLAGS[work])
    if call.state.held() + len(mechanism.parameter or b"") > MAXIMUM_HELD:
        raise Failure(Code.CKR_HOST_MEMORY)
    session.active[work] = Active(mechanism=mechanism, key=key)


def _active(session: Session, work: Work, *, in_parts: bool | None = None) -> Active:
    """Return what is under way; raises Failure. `in_parts` False: nothing may have come in parts."""
    active = session.active.get(work)
    if active is None:
        raise Failure(Code.CKR_OPERATION_NOT_INITIALIZED)
    if in_parts is False and active.in_parts:
        del session.active[work]
        raise Failure(Code.CKR_OPERATION_ACTIVE)
    return active


def _hold(call: Call, session: Session, work: Work, part: bytes) -> None:
    active = _active(session, work)
    if call.state.held() + len(part) > MAXIMUM_HELD:
        del session.active[work]
        raise Failure(Code.CKR_DATA_LEN_RANGE)
    active.data += part
    active.in_parts = True


async def _whole(work: Work, call: Call) -> None:
    """C_Encrypt, C_Decrypt, C_Digest, C_Sign."""
    session = call.session()
    data, buffer = call.input.data(), call.input.buffer()
    call.input.end()
    await _finish(call, session, work, _active(session, work, in_parts=False), data, buffer)


async def _update_with_output(work: Work, call: Call) -> None:
    """C_EncryptUpdate, C_DecryptUpdate: the output comes with the last call."""
    session = call.session()
    part, buffer = call.input.data(), call.input.buffer()
    call.input.end()
    _active(session, work)
    if buffer.given:
        _hold(call, session, work, part)
        call.output.filled(b"")
    else:
        call.output.room(0, buffer)


async def _update(work: Work, call: Call) -> None:
    """C_DigestUpdate, C_SignUpdate, C_VerifyUpdate."""
    session = call.session()
    part = call.input.data()
    call.input.end()
    _hold(call, session, work, part)


async def _final(work: Work, call: Call) -> None:
    """C_EncryptFinal, C_DecryptFinal, C_DigestFinal, C_SignFinal."""
    session = call.session()
    buffer = call.input.buffer()
    call.input.end()
    active = _active(session, work)
    await _finish(call, session, work, active, active.data, buffer)


async def _finish(
    call: Call, session: Session, work: Work, active: Active, data: bytes, buffer: Buffer
) -> None:
    """Do the KMIP operation and give out its result; without room for it nothing has happened."""
    settings = settings_of(active.mechanism.type, active.mechanism.parameter, _FLAGS[work])
    size = await _number_size(call, active) if settings.elliptic else 0
    request, made = _MAKE[work](settings, active, data)

    def result(response: Any) -> bytes:
        plain = made(response)
        return call.ctx.crypto.signature_numbers(plain, size) if settings.elliptic else plain

    try:
        response = await do(
            call,
            request,
            keep=lambda response: buffer.given and len(result(response)) <= buffer.size,
            codes=_CODES[work],
        )
    except Failure:
        del session.active[work]
        raise
    room = call.give(result(response), buffer)
    if room is Room.SMALL:
        raise Failure(Code.CKR_BUFFER_TOO_SMALL)
    if room is None:
        del session.active[work]


async def _number_size(call: Call, active: Active) -> int:
    """Return how many bytes r and s of a signature have."""
    assert active.key is not None
    length = (await shown(call, active.key, codes={})).first(Tag.CRYPTOGRAPHIC_LENGTH)
    if not length:
        raise Failure(Code.CKR_KEY_TYPE_INCONSISTENT)
    return (int(length) + 7) // 8


_Made = tuple[Request[Any], Callable[[Any], bytes]]


def _encrypt(settings: Settings, active: Active, data: bytes) -> _Made:
    request = EncryptRequest(
        unique_identifier=active.key,
        cryptographic_parameters=settings.parameters,
        data=SecretBytes(data),
        iv_counter_nonce=settings.iv,
        authenticated_encryption_additional_data=settings.additional_data,
    )
    return request, lambda made: (made.data or b"") + (made.authenticated_encryption_tag or b"")


def _decrypt(settings: Settings, active: Active, data: bytes) -> _Made:
    body, tag = (data[: -settings.tag], data[-settings.tag :]) if settings.tag else (data, None)
    request = DecryptRequest(
        unique_identifier=active.key,
        cryptographic_parameters=settings.parameters,
        data=body,
        iv_counter_nonce=settings.iv,
        authenticated_encryption_additional_data=settings.additional_data,
        authenticated_encryption_tag=tag,
    )
    return request, lambda made: b"" if made.data is None else made.data.reveal()


def _digest(settings: Settings, active: Active, data: bytes) -> _Made:
    request = HashRequest(cryptographic_parameters=settings.parameters, data=SecretBytes(data))
    return request, lambda made: made.data or b""


def _sign(settings: Settings, active: Active, data: bytes) -> _Made:
    if settings.mac:
        mac = MACRequest(
            unique_identifier=active.key,
            cryptographic_parameters=settings.parameters,
            data=SecretBytes(data),
        )
        return mac, lambda made: made.mac_data or b""
    sign = SignRequest(
        unique_identifier=active.key,
        cryptographic_parameters=settings.parameters,
        data=None if settings.digested else SecretBytes(data),
        digested_data=SecretBytes(data) if settings.digested else None,
    )
    return sign, lambda made: made.signature_data or b""


_MAKE: Final[dict[Work, Callable[[Settings, Active, bytes], _Made]]] = {
    Work.ENCRYPT: _encrypt,
    Work.DECRYPT: _decrypt,
    Work.DIGEST: _digest,
    Work.SIGN: _sign,
}


@function(Function.C_VERIFY)
async def verify(call: Call) -> None:
    session = call.session()
    data, signature = call.input.data(), call.input.data()
    call.input.end()
    await _verify(call, session, _active(session, Work.VERIFY, in_parts=False), data, signature)


@function(Function.C_VERIFYFINAL)
async def verify_final(call: Call) -> None:
    session = call.session()
    signature = call.input.data()
    call.input.end()
    active = _active(session, Work.VERIFY)
    await _verify(call, session, active, active.data, signature)


async def _verify(call: Call, session: Session, active: Active, data: bytes, signature: bytes) -> None:
    del session.active[Work.VERIFY]
    settings = settings_of(active.mechanism.type, active.mechanism.parameter, CKF.VERIFY)
    request: Request[Any]
    if settings.elliptic:
        if len(signature) != 2 * await _number_size(call, active):
            raise Failure(Code.CKR_SIGNATURE_LEN_RANGE)
        signature = call.ctx.crypto.signature_structure(signature)
    if settings.mac:
        request = MACVerifyRequest(
            unique_identifier=active.key,
            cryptographic_parameters=settings.parameters,
            data=SecretBytes(data),
            mac_data=signature,
        )
    else:
        request = SignatureVerifyRequest(
            unique_identifier=active.key,
            cryptographic_parameters=settings.parameters,
            data=None if settings.digested else SecretBytes(data),
            digested_data=SecretBytes(data) if settings.digested else None,
            signature_data=signature,
        )
    response: Any = await do(call, request, codes=_CODES[Work.VERIFY])
    if response.validity_indicator is not ValidityIndicator.VALID:
        raise Failure(Code.CKR_SIGNATURE_INVALID)


for _code, _handler, _work in (
    (Function.C_ENCRYPTINIT, _init, Work.ENCRYPT),
    (Function.C_ENCRYPT, _whole, Work.ENCRYPT),
    (Function.C_ENCRYPTUPDATE, _update_with_output, Work.ENCRYPT),
    (Function.C_ENCRYPTFINAL, _final, Work.ENCRYPT),
    (Function.C_DECRYPTINIT, _init, Work.DECRYPT),
    (Function.C_DECRYPT, _whole, Work.DECRYPT),
    (Function.C_DECRYPTUPDATE, _update_with_output, Work.DECRYPT),
    (Function.C_DECRYPTFINAL, _final, Work.DECRYPT),
    (Function.C_DIGESTINIT, _init, Work.DIGEST),
    (Function.C_DIGEST, _whole, Work.DIGEST),
    (Function.C_DIGESTUPDATE, _update, Work.DIGEST),
    (Function.C_DIGESTFINAL, _final, Work.DIGEST),
    (Function.C_SIGNINIT, _init, Work.SIGN),
    (Function.C_SIGN, _whole, Work.SIGN),
    (Function.C_SIGNUPDATE, _update, Work.SIGN),
    (Function.C_SIGNFINAL, _final, Work.SIGN),
    (Function.C_VERIFYINIT, _init, Work.VERIFY),
    (Function.C_VERIFYUPDATE, _update, Work.VERIFY),
):
    function(_code)(partial(_handler, _work))
