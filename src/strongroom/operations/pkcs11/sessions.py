"""Sessions and logins.

Rule: who calls has been decided by the certificate; C_Login changes what PKCS#11 says of a session, and no
right. A PIN is neither kept nor compared.
"""

from contextlib import suppress

from strongroom.domain.errors import KmipError, WrongKeyLifecycleState
from strongroom.domain.operation import perform
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import RevocationReason
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.pkcs11 import constants as ck
from strongroom.operations.pkcs11.failure import GONE, NOT_THE_CALLERS, Failure, code_of
from strongroom.operations.pkcs11.functions import Call, do, function
from strongroom.operations.pkcs11.state import Session
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code
from strongroom.registry import RevocationReasonCode


@function(Function.C_OPENSESSION)
async def open_session(call: Call) -> None:
    slot, flags = call.input.ulong(), call.input.ulong()
    if slot != ck.SLOT:
        raise Failure(Code.CKR_SLOT_ID_INVALID)
    if not flags & ck.SERIAL_SESSION:
        raise Failure(Code.CKR_ARGUMENTS_BAD)
    # pApplication and Notify follow in some clients; a server cannot call back.
    call.output.ulong(call.state.open(Session(writable=bool(flags & ck.RW_SESSION))))


@function(Function.C_CLOSESESSION)
async def close_session(call: Call) -> None:
    handle = call.input.ulong()
    call.input.end()
    if handle not in call.state.sessions:
        raise Failure(Code.CKR_SESSION_HANDLE_INVALID)
    await close(call, handle)


@function(Function.C_CLOSEALLSESSIONS)
async def close_all_sessions(call: Call) -> None:
    if call.input.ulong() != ck.SLOT:
        raise Failure(Code.CKR_SLOT_ID_INVALID)
    call.input.end()
    await close_all(call)


async def close_all(call: Call) -> None:
    """Close what is open; used at the end of the application too."""
    for handle in list(call.state.sessions):
        await close(call, handle)


async def close(call: Call, handle: int) -> None:
    """Close a session: its operations end, its objects are destroyed."""
    for identifier in call.state.sessions.pop(handle).objects:
        with suppress(Failure):  # it may have been destroyed by other means
            await destroy(call, identifier)
    if not call.state.sessions:
        call.state.logged_in = False


async def destroy(call: Call, identifier: UniqueIdentifier) -> None:
    """Destroy an object, an active one too, as PKCS#11 can and KMIP cannot in one step."""
    request = DestroyRequest(unique_identifier=identifier)
    try:
        await perform(call.ctx, request)
    except WrongKeyLifecycleState:
        reason = RevocationReason(revocation_reason_code=RevocationReasonCode.CESSATION_OF_OPERATION)
        await do(call, RevokeRequest(unique_identifier=identifier, revocation_reason=reason))
        await do(call, request)
    except NOT_THE_CALLERS:
        raise
    except KmipError as error:
        raise Failure(GONE.get(type(error)) or code_of(error)) from error
    call.state.forget(identifier)


@function(Function.C_GETSESSIONINFO)
async def get_session_info(call: Call) -> None:
    session = call.session()
    call.input.end()
    call.output.ulong(ck.SLOT)
    if session.writable:
        call.output.ulong(ck.CKS_RW_USER if call.state.logged_in else ck.CKS_RW_PUBLIC)
    else:
        call.output.ulong(ck.CKS_RO_USER if call.state.logged_in else ck.CKS_RO_PUBLIC)
    call.output.ulong(ck.SERIAL_SESSION | (ck.RW_SESSION if session.writable else 0))
    call.output.ulong(0)


@function(Function.C_LOGIN)
async def login(call: Call) -> None:
    call.session()
    user = call.input.ulong()
    call.input.data()
    call.input.end()
    if user != ck.CKU_USER:
        raise Failure(Code.CKR_ARGUMENTS_BAD)
    if call.state.logged_in:
        raise Failure(Code.CKR_USER_ALREADY_LOGGED_IN)
    call.state.logged_in = True


@function(Function.C_LOGOUT)
async def logout(call: Call) -> None:
    call.session()
    call.input.end()
    if not call.state.logged_in:
        raise Failure(Code.CKR_USER_NOT_LOGGED_IN)
    call.state.logged_in = False


@function(Function.C_SESSIONCANCEL)
async def session_cancel(call: Call) -> None:
    session = call.session()
    call.input.ulong()
    call.input.end()
    session.active.clear()
    session.found = None


@function(Function.C_GETFUNCTIONSTATUS)
async def get_function_status(call: Call) -> None:
    call.session()
    raise Failure(Code.CKR_FUNCTION_NOT_PARALLEL)


@function(Function.C_CANCELFUNCTION)
async def cancel_function(call: Call) -> None:
    call.session()
    raise Failure(Code.CKR_FUNCTION_NOT_PARALLEL)
