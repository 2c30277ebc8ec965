"""PKCS#11 (KMIP 2.1 §6.1.37; KMIP Profiles 2.1 §5.18)."""

from typing import Annotated, Any, Final

from strongroom.domain.context import Context
from strongroom.domain.operation import Request, Response, operation
from strongroom.domain.permission import Permission
from strongroom.model.convert import ValueShape
from strongroom.model.forms import Decoder, Encoder, Form
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import Since, Tagged, Until
from strongroom.operations.pkcs11 import (
    computing,
    copying,
    finding,
    general,
    keys,
    objects,
    reading,
    sessions,
    wrapping,
)
from strongroom.operations.pkcs11.codec import Reader, Writer
from strongroom.operations.pkcs11.errors import (
    PKCS11CodecError,
    PKCS11InvalidFunction,
    PKCS11InvalidInterface,
)
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import NOT_OFFERED, Call, offered
from strongroom.operations.pkcs11.state import begin, load, save
from strongroom.registry import (
    V2_0,
    V2_1,
    V3_0,
    ItemType,
    Operation,
    PKCS11Function,
    PKCS11ReturnCode,
    Tag,
    Version,
)

THEMES: Final = (
    general,
    sessions,
    objects,
    reading,
    finding,
    copying,
    keys,
    wrapping,
    computing,
)
"""What declares the functions."""

_INTERFACES: Final = frozenset({None, "", "PKCS 11"})
_ENCODING: Final = 1
"""The version of the encoding, which C_Initialize names."""


class FunctionForm(Form):
    """A function of the standard, or the number of one that is not."""

    item_types = (int(ItemType.ENUMERATION), int(ItemType.INTEGER))

    def decoder(self, version: Version | None) -> Decoder:
        members: dict[int, Any] = {int(member): member for member in PKCS11Function}
        return lambda item_type, value: members.get(value, value) if item_type == 5 else value

    def encoder(self, version: Version | None) -> Encoder:
        return lambda value: (5 if isinstance(value, PKCS11Function) else 2, int(value))


class PKCS11Response(Response):
    pkcs_11_interface: str | None = None
    pkcs_11_function: Annotated[PKCS11Function | int, ValueShape(FunctionForm())]
    correlation_value: Annotated[bytes | None, Until(V2_1)] = None  # of an application that begins
    # SPEC(KMIP 3.0 PKCS11-M-1): 3.0 repeats it in every answer.
    known_by: Annotated[bytes | None, Since(V3_0), Tagged(Tag.CORRELATION_VALUE)] = None
    pkcs_11_output_parameters: SecretBytes | None = None
    pkcs_11_return_code: PKCS11ReturnCode


class PKCS11Request(Request[PKCS11Response]):
    pkcs_11_interface: str | None = None
    pkcs_11_function: Annotated[PKCS11Function | int, ValueShape(FunctionForm())]
    correlation_value: bytes | None = None
    pkcs_11_input_parameters: SecretBytes | None = None


@operation(Operation.PKCS_11, since=V2_0, needs=Permission.NONE)
async def pkcs_11(ctx: Context, request: PKCS11Request) -> PKCS11Response:
    function = request.pkcs_11_function
    if request.pkcs_11_interface not in _INTERFACES:
        raise PKCS11InvalidInterface('the server has the interface "PKCS 11", version 3.0')
    if not isinstance(function, PKCS11Function):
        raise PKCS11InvalidFunction("no function of PKCS#11 3.0 has this number")
    given = request.pkcs_11_input_parameters
    output, begun = Writer(), None
    try:
        reader = Reader(b"" if given is None else given.reveal())
        begun = await _call(ctx, function, request.correlation_value, reader, output)
        code = PKCS11ReturnCode.CKR_OK
    except Failure as failure:
        code = failure.code
    written = output.done()
    return PKCS11Response(
        pkcs_11_interface=request.pkcs_11_interface,
        pkcs_11_function=function,
        correlation_value=begun,
        known_by=request.correlation_value if begun is None else begun,
        pkcs_11_output_parameters=SecretBytes(written) if written else None,
        pkcs_11_return_code=code,
    )


async def _call(
    ctx: Context, function: PKCS11Function, correlation_value: bytes | None, reader: Reader, output: Writer
) -> bytes | None:
    """Do a function; return the Correlation Value of an application that begins. Raises Failure."""
    if function in NOT_OFFERED:
        raise Failure(PKCS11ReturnCode.CKR_FUNCTION_NOT_SUPPORTED)
    application = await load(ctx, correlation_value)
    if function is PKCS11Function.C_INITIALIZE:
        if application is not None:
            raise Failure(PKCS11ReturnCode.CKR_CRYPTOKI_ALREADY_INITIALIZED)
        if reader.left and reader.byte() != _ENCODING:
            raise PKCS11CodecError(f"the server knows version {_ENCODING} of the encoding of parameters")
        reader.end()
        return await begin(ctx)
    if application is None:
        raise Failure(PKCS11ReturnCode.CKR_CRYPTOKI_NOT_INITIALIZED)
    kept, state = application
    call = Call(ctx, reader, output, state)
    if function is PKCS11Function.C_FINALIZE:
        await sessions.close_all(call)
        ctx.entries.remove(kept)
        return None
    try:
        await offered()[function](call)
    finally:
        save(ctx, kept, state)
    return None


def check_complete() -> None:
    """Raise TypeError unless each function is offered or stands among those that are not."""
    ours = frozenset({PKCS11Function.C_INITIALIZE, PKCS11Function.C_FINALIZE})
    done = ours | offered().keys()
    if done & NOT_OFFERED or done | NOT_OFFERED != frozenset(PKCS11Function):
        raise TypeError("the functions of PKCS#11 are not split into those offered and the others")


check_complete()
