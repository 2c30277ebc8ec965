"""C_GetInfo, slots, token and mechanisms: what an application is told of the server.

Rule: one slot with one token, always there: the caller's own objects.
"""

from strongroom.operations.pkcs11 import constants as ck
from strongroom.operations.pkcs11.codec import Room
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import Call, function
from strongroom.operations.pkcs11.mechanisms import MECHANISMS
from strongroom.operations.pkcs11.state import MAXIMUM_SESSIONS
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code
from strongroom.version import VERSION


def _version() -> tuple[int, int]:
    major, minor = VERSION.split(".")[:2]
    return int(major), int(minor)


@function(Function.C_GETINFO)
async def get_info(call: Call) -> None:
    call.input.end()
    # SPEC(KMIP 2.1 §6.1.37): the default interface is that of PKCS#11 3.0.
    call.output.version(3, 0)
    call.output.text(call.ctx.server.vendor, 32)
    call.output.ulong(0)
    call.output.text("KMIP", 32)
    call.output.version(*_version())


@function(Function.C_GETSLOTLIST)
async def get_slot_list(call: Call) -> None:
    call.input.flag()
    buffer = call.input.buffer()
    call.input.end()
    room = call.output.room(1, buffer)
    if room is Room.SMALL:
        raise Failure(Code.CKR_BUFFER_TOO_SMALL)
    if room is None:
        call.output.flag(value=True)
        call.output.numbers((ck.SLOT,))


@function(Function.C_GETSLOTINFO)
async def get_slot_info(call: Call) -> None:
    _slot(call)
    call.input.end()
    call.output.text("KMIP", 64)
    call.output.text(call.ctx.server.vendor, 32)
    call.output.ulong(ck.TOKEN_PRESENT)
    call.output.version(*_version())
    call.output.version(*_version())


@function(Function.C_GETTOKENINFO)
async def get_token_info(call: Call) -> None:
    _slot(call)
    call.input.end()
    sessions = call.state.sessions.values()
    call.output.text(call.ctx.caller.name, 32)
    call.output.text(call.ctx.server.vendor, 32)
    call.output.text("KMIP", 16)
    call.output.text("1", 16)
    call.output.ulong(ck.RNG | ck.TOKEN_INITIALIZED)
    call.output.ulong(MAXIMUM_SESSIONS)
    call.output.ulong(len(sessions))
    call.output.ulong(MAXIMUM_SESSIONS)
    call.output.ulong(sum(s.writable for s in sessions))
    call.output.ulong(_LONGEST_PIN)
    call.output.ulong(0)
    for _ in range(4):
        call.output.ulong(ck.UNAVAILABLE)
    call.output.version(*_version())
    call.output.version(*_version())
    call.output.text(call.ctx.now.strftime("%Y%m%d%H%M%S00"), 16)


_LONGEST_PIN = 255


@function(Function.C_GETMECHANISMLIST)
async def get_mechanism_list(call: Call) -> None:
    _slot(call)
    buffer = call.input.buffer()
    call.input.end()
    room = call.output.room(len(MECHANISMS), buffer)
    if room is Room.SMALL:
        raise Failure(Code.CKR_BUFFER_TOO_SMALL)
    if room is None:
        call.output.flag(value=True)
        call.output.numbers(tuple(map(int, MECHANISMS)))


@function(Function.C_GETMECHANISMINFO)
async def get_mechanism_info(call: Call) -> None:
    _slot(call)
    mechanism = MECHANISMS.get(call.input.ulong())
    call.input.end()
    if mechanism is None:
        raise Failure(Code.CKR_MECHANISM_INVALID)
    call.output.ulong(mechanism.shortest)
    call.output.ulong(mechanism.longest)
    call.output.ulong(mechanism.flags)


def _slot(call: Call) -> None:
    if call.input.ulong() != ck.SLOT:
        raise Failure(Code.CKR_SLOT_ID_INVALID)
