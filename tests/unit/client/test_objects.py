"""Finding objects: how long a server is asked."""

from strongroom.client.methods.objects import Objects
from strongroom.domain.operation import Request, Response
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Int32
from strongroom.operations.locate import LocateRequest, LocateResponse
from strongroom.registry import V2_1, Version
from tests.unit.client.no_server import NoServer


class Flooding(NoServer, Objects):
    """A server that tells more with each answer than it says there is."""

    asked = 0

    def negotiate(self) -> Version:
        return V2_1

    def call(self, request: Request[Response]) -> LocateResponse:  # type: ignore[override]
        assert isinstance(request, LocateRequest)
        self.asked += 1
        assert self.asked < 10
        told = tuple(UniqueIdentifier(f"{self.asked}-{number}") for number in range(3))
        return LocateResponse(located_items=Int32(7), unique_identifier=told)


def test_a_server_is_asked_for_no_more_than_it_says_there_is() -> None:
    client = Flooding()
    assert len(client.locate()) == 9
    assert client.asked == 3
