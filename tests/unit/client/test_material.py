"""Objects as a server gives them out, and what the client makes of them."""

from collections.abc import Callable

import pytest

from strongroom.client.errors import ProtocolError
from strongroom.client.material import key_block_of, secret, wrapping
from strongroom.client.methods.objects import Objects
from strongroom.domain.operation import Request, Response
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import Certificate, ManagedObjectStruct, SymmetricKey
from strongroom.model.structures import KeyWrappingData
from strongroom.operations.export import ExportRequest, ExportResponse
from strongroom.operations.get import GetResponse
from strongroom.registry import CertificateType, KeyFormatType, ObjectType, WrappingMethod
from tests.kms import template
from tests.unit.client.no_server import NoServer

KEY = UniqueIdentifier("7d0b")
CLEAR = SymmetricKey(key_block=key_block_of(secret(b"in clear"), KeyFormatType.RAW))


class Giving(NoServer, Objects):
    """A server that gives out one object, whatever is asked."""

    def __init__(self, given: ManagedObjectStruct) -> None:
        self.given = given

    def call(self, request: Request[Response]) -> GetResponse | ExportResponse:  # type: ignore[override]
        if isinstance(request, ExportRequest):
            return ExportResponse(
                object_type=ObjectType.SYMMETRIC_KEY,
                unique_identifier=KEY,
                attributes=template(),
                managed_object=self.given,
            )
        return GetResponse(
            object_type=ObjectType.SYMMETRIC_KEY, unique_identifier=KEY, managed_object=self.given
        )


def by(method: WrappingMethod) -> SymmetricKey:
    """Return a key that is said to be wrapped."""
    data = KeyWrappingData(wrapping_method=method)
    return CLEAR.replace(key_block=CLEAR.key_block.replace(key_wrapping_data=data))


ASKING: dict[str, Callable[[Objects], object]] = {
    "get": lambda client: client.get(KEY, wrapping_key="w"),
    "get_material": lambda client: client.get_material(KEY, wrapping_key="w"),
    "export": lambda client: client.export(KEY, key_wrapping_specification=wrapping("w")),
}


@pytest.mark.parametrize("how", ASKING)
@pytest.mark.parametrize(
    "given",
    [
        CLEAR,
        by(WrappingMethod.MAC_SIGN),
        Certificate(certificate_type=CertificateType.X_509, certificate_value=b"in clear"),
    ],
    ids=["clear", "only signed", "certificate"],
)
def test_what_was_asked_for_wrapped_is_not_taken_in_clear(how: str, given: ManagedObjectStruct) -> None:
    with pytest.raises(ProtocolError, match="did not wrap") as caught:
        ASKING[how](Giving(given))
    assert "in clear" not in str(caught.value)


@pytest.mark.parametrize("how", ASKING)
def test_what_was_asked_for_wrapped_is_taken_wrapped(how: str) -> None:
    assert ASKING[how](Giving(by(WrappingMethod.ENCRYPT)))


def test_what_was_not_asked_for_wrapped_is_taken_as_it_comes() -> None:
    assert Giving(CLEAR).get(KEY) == CLEAR
