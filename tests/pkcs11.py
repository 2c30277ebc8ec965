"""A PKCS#11 application, for tests: it writes parameters as KMIP Profiles 2.1 §5.18.1 says, and reads them.

Rule: it shares nothing with the server's codec, so that both would have to be wrong in the same way.
"""

from typing import Any

from strongroom.domain.identity import ClientIdentity
from strongroom.model.secret import SecretBytes
from strongroom.operations.pkcs_11 import PKCS11Request, PKCS11Response
from strongroom.registry import V2_1, PKCS11Function, Version
from strongroom.registry import PKCS11ReturnCode as Code
from tests.kms import ALICE, TestKms

FLAGS = {
    0x01,
    0x02,
    0x103,
    0x104,
    0x105,
    0x106,
    0x107,
    0x108,
    0x10A,
    0x162,
    0x163,
    0x164,
    0x165,
    0x170,
    0x172,
}
NUMBERS = {0x00, 0x80, 0x100, 0x121, 0x161, 0x166}


def ulong(value: int) -> bytes:
    return value.to_bytes(8, "big")


def count(value: int) -> bytes:
    return value.to_bytes(4, "big")


def data(value: bytes) -> bytes:
    return count(len(value)) + value


def buffer(size: int | None) -> bytes:
    return b"\0" + count(0) if size is None else b"\1" + count(size)


def mechanism(number: int, parameter: bytes | None = None) -> bytes:
    return ulong(number) + (b"\0" if parameter is None else b"\1" + data(parameter))


def template(*attributes: tuple[int, Any]) -> bytes:
    """Return a template that sets or searches."""
    parts = [count(len(attributes))]
    for number, value in attributes:
        parts.append(ulong(number) + b"\1\1")
        if isinstance(value, bool):
            parts.append(bytes([value]))
        elif isinstance(value, int):
            parts.append(ulong(value))
        else:
            parts.append(data(value))
    return b"".join(parts)


def query(*attributes: tuple[int, int | None]) -> bytes:
    """Return a template that asks; a size of None asks for the length."""
    parts = [count(len(attributes))]
    for number, size in attributes:
        parts.append(ulong(number) + b"\0" + (b"\0" if size is None else b"\1"))
        if size is not None and number not in FLAGS | NUMBERS:
            parts.append(count(size))
    return b"".join(parts)


def answered(output: bytes) -> list[tuple[int, Any]]:
    """Return (type, value) of a template that came back; without a value, its length or None."""
    found: list[tuple[int, Any]] = []
    total, at = int.from_bytes(output[:4], "big"), 4
    for _ in range(total):
        number = int.from_bytes(output[at : at + 8], "big")
        has_value, has_size = output[at + 8], output[at + 9]
        at += 10
        if not has_size:
            found.append((number, None))
            continue
        size = 1 if number in FLAGS else 8
        if number not in FLAGS | NUMBERS:
            size = int.from_bytes(output[at : at + 4], "big")
            at += 4
        if not has_value:
            found.append((number, ("length", size)))
            continue
        raw = output[at : at + size]
        at += size
        found.append((number, bool(raw[0]) if number in FLAGS else raw))
        if number in NUMBERS:
            found[-1] = (number, int.from_bytes(raw, "big"))
    assert at == len(output)
    return found


class Application:
    """One application with one session."""

    def __init__(
        self, kms: TestKms, *, caller: ClientIdentity = ALICE, version: Version = V2_1, flags: int = 6
    ) -> None:
        self.kms, self.caller, self.version = kms, caller, version
        made = self.send(PKCS11Function.C_INITIALIZE, b"\1")
        assert made.pkcs_11_return_code is Code.CKR_OK
        self.correlation_value = made.correlation_value
        self.session = ulong(int.from_bytes(self.call("C_OPENSESSION", ulong(1), ulong(flags)), "big"))

    correlation_value: bytes | None = None

    def send(self, function: PKCS11Function, parameters: bytes | None) -> PKCS11Response:
        request = PKCS11Request(
            pkcs_11_function=function,
            correlation_value=self.correlation_value,
            pkcs_11_input_parameters=None if parameters is None else SecretBytes(parameters),
        )
        return self.kms.call(request, version=self.version, caller=self.caller)

    def try_(self, function: str, *parameters: bytes) -> tuple[Code, bytes]:
        answer = self.send(PKCS11Function[function], b"".join(parameters) or None)
        output = answer.pkcs_11_output_parameters
        return answer.pkcs_11_return_code, b"" if output is None else output.reveal()

    def call(self, function: str, *parameters: bytes) -> bytes:
        code, output = self.try_(function, *parameters)
        assert code is Code.CKR_OK, code
        return output

    def fails(self, function: str, *parameters: bytes) -> Code:
        code, _ = self.try_(function, *parameters)
        assert code is not Code.CKR_OK
        return code

    def output(self, function: str, *parameters: bytes, size: int = 8192) -> bytes:
        """Return what a function wrote into a buffer."""
        made = self.call(function, *parameters, buffer(size))
        assert made[0] == 1
        assert int.from_bytes(made[1:5], "big") == len(made) - 5
        return made[5:]

    def handle(self, function: str, *parameters: bytes) -> bytes:
        made = self.call(function, self.session, *parameters)
        assert len(made) == 8
        return made

    def aes_key(self, *attributes: tuple[int, Any], size: int = 32, token: bool = True) -> bytes:
        return self.handle(
            "C_GENERATEKEY", mechanism(0x1080), template((0x01, token), (0x161, size), *attributes)
        )

    def rsa_pair(self, bits: int = 2048) -> tuple[bytes, bytes]:
        made = self.call(
            "C_GENERATEKEYPAIR",
            self.session,
            mechanism(0x0000),
            template((0x01, True), (0x121, bits), (0x122, b"\1\0\1")),
            template((0x01, True)),
        )
        return made[:8], made[8:]

    def find(self, *attributes: tuple[int, Any]) -> list[bytes]:
        self.call("C_FINDOBJECTSINIT", self.session, template(*attributes))
        made = self.call("C_FINDOBJECTS", self.session, ulong(1000))
        self.call("C_FINDOBJECTSFINAL", self.session)
        return [made[at : at + 8] for at in range(4, len(made), 8)]

    def show(self, handle: bytes, *attributes: int) -> list[Any]:
        made = self.call("C_GETATTRIBUTEVALUE", self.session, handle, query(*((a, 8192) for a in attributes)))
        return [value for _, value in answered(made)]
