"""How a function is declared, and what it is given.

Rule: a function reads its parameters, works, writes its output, or raises Failure. Which functions there are
is a total table: what is not offered stands in NOT_OFFERED.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from strongroom.domain.context import Context
from strongroom.domain.errors import KmipError
from strongroom.domain.operation import Request, Response, perform
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.pkcs11.codec import Buffer, Reader, Room, Writer
from strongroom.operations.pkcs11.failure import NOT_THE_CALLERS, Failure, code_of
from strongroom.operations.pkcs11.state import Session, State
from strongroom.registry import PKCS11Function as Function
from strongroom.registry import PKCS11ReturnCode as Code


@dataclass(slots=True)
class Call:
    """One call of a function by an application."""

    ctx: Context
    input: Reader
    output: Writer
    state: State

    def session(self) -> Session:
        """Return the session that the next parameter names."""
        session = self.state.sessions.get(self.input.ulong())
        if session is None:
            raise Failure(Code.CKR_SESSION_HANDLE_INVALID)
        return session

    def object(self, invalid: Code = Code.CKR_OBJECT_HANDLE_INVALID) -> UniqueIdentifier:
        """Return the object that the next parameter names."""
        identifier = self.state.handles.get(self.input.ulong())
        if identifier is None:
            raise Failure(invalid)
        return identifier

    def give(self, value: bytes, buffer: Buffer) -> Room | None:
        """Write bytes into the caller's buffer; return why not, when only the length was written."""
        room = self.output.room(len(value), buffer)
        if room is None:
            self.output.filled(value)
        return room


R = TypeVar("R", bound=Response)

Handler = Callable[[Call], Awaitable[None]]

_OFFERED: Final[dict[Function, Handler]] = {}


def offered() -> Mapping[Function, Handler]:
    """Return the functions that are declared."""
    return _OFFERED


def function(code: Function) -> Callable[[Handler], Handler]:
    """Declare the decorated coroutine function as a function of PKCS#11."""

    def declare(handler: Handler) -> Handler:
        if code in _OFFERED:
            raise TypeError(f"{code.name} is declared twice")
        _OFFERED[code] = handler
        return handler

    return declare


async def do(
    call: Call,
    request: Request[R],
    *,
    keep: Callable[[R], bool] = lambda _: True,
    codes: Mapping[type[KmipError], Code] = {},
) -> R:
    """Return what a KMIP operation answers; raises Failure when it is refused.

    `codes` are return codes that this use has for a refusal. Unless `keep` says so of the answer, what it
    changed is undone.
    """
    try:
        return await perform(call.ctx, request, keep=keep)
    except NOT_THE_CALLERS:
        raise
    except KmipError as error:
        raise Failure(codes.get(type(error)) or code_of(error)) from error


NOT_OFFERED: Final = frozenset({
    # They make no sense at a distance (KMIP Profiles 2.1 §5.18.1).
    Function.C_GETFUNCTIONLIST,
    Function.C_GETINTERFACE,
    Function.C_GETINTERFACELIST,
    Function.C_WAITFORSLOTEVENT,
    # The token is set up, and its users are enrolled, by the administrator.
    Function.C_INITTOKEN,
    Function.C_INITPIN,
    Function.C_SETPIN,
    Function.C_LOGINUSER,
    # What is under way stays with the server.
    Function.C_GETOPERATIONSTATE,
    Function.C_SETOPERATIONSTATE,
    # KMIP has no operation for these.
    Function.C_GETOBJECTSIZE,
    Function.C_DIGESTKEY,
    Function.C_SIGNRECOVERINIT,
    Function.C_SIGNRECOVER,
    Function.C_VERIFYRECOVERINIT,
    Function.C_VERIFYRECOVER,
    Function.C_DIGESTENCRYPTUPDATE,
    Function.C_DECRYPTDIGESTUPDATE,
    Function.C_SIGNENCRYPTUPDATE,
    Function.C_DECRYPTVERIFYUPDATE,
    Function.C_MESSAGEENCRYPTINIT,
    Function.C_ENCRYPTMESSAGE,
    Function.C_ENCRYPTMESSAGEBEGIN,
    Function.C_ENCRYPTMESSAGENEXT,
    Function.C_MESSAGEENCRYPTFINAL,
    Function.C_MESSAGEDECRYPTINIT,
    Function.C_DECRYPTMESSAGE,
    Function.C_DECRYPTMESSAGEBEGIN,
    Function.C_DECRYPTMESSAGENEXT,
    Function.C_MESSAGEDECRYPTFINAL,
    Function.C_MESSAGESIGNINIT,
    Function.C_SIGNMESSAGE,
    Function.C_SIGNMESSAGEBEGIN,
    Function.C_SIGNMESSAGENEXT,
    Function.C_MESSAGESIGNFINAL,
    Function.C_MESSAGEVERIFYINIT,
    Function.C_VERIFYMESSAGE,
    Function.C_VERIFYMESSAGEBEGIN,
    Function.C_VERIFYMESSAGENEXT,
    Function.C_MESSAGEVERIFYFINAL,
})  # fmt: skip
"""Answered with CKR_FUNCTION_NOT_SUPPORTED."""
