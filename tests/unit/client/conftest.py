"""The two shells under one set of tests, and servers for them."""

import asyncio
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest

from strongroom import AsyncClient, Client, KMIPError
from strongroom.domain.operation import Request, Response
from tests.unit.client.fake_server import Answer, FakeServer, Identity, read_ttlv

R = TypeVar("R", bound=Response)


class AnyClient(Protocol):
    """What both clients do, the asynchronous one included, without waiting."""

    def call(self, request: Request[R]) -> R: ...
    def batch(self, requests: Sequence[Request[Any]]) -> list[Response | KMIPError]: ...
    def close(self) -> None: ...


class Blocking:
    """An AsyncClient that is waited for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(*args, **kwargs)

    def call(self, request: Request[R]) -> R:
        return self._runner.run(self._client.call(request))

    def batch(self, requests: Sequence[Request[Any]]) -> list[Response | KMIPError]:
        return self._runner.run(self._client.batch(requests))

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    return Identity.make(tmp_path_factory.mktemp("identity"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Identity:
    """Another CA, and what it issued."""
    return Identity.make(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def serve(identity: Identity) -> Iterator[Callable[..., FakeServer]]:
    """Return a maker of servers that use the given answers in turn."""
    started: list[FakeServer] = []

    def make(
        *answers: Answer,
        identity: Identity = identity,
        read: Callable[[ssl.SSLSocket], bytes] = read_ttlv,
    ) -> FakeServer:
        started.append(FakeServer(identity, answers, read))
        return started[-1]

    yield make
    for server in started:
        server.close()


Connect = Callable[..., AnyClient]


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest, identity: Identity) -> Iterator[Connect]:
    """Return a maker of clients: blocking ones and asynchronous ones."""
    made: list[AnyClient] = []

    def make(*servers: FakeServer | str, **settings: Any) -> AnyClient:
        addresses = [s if isinstance(s, str) else s.address for s in servers]
        arguments: dict[str, Any] = {**identity.files, "version": "1.4", "timeout": 5.0, **settings}
        cls: Callable[..., AnyClient] = Client if request.param == "sync" else Blocking
        made.append(cls(addresses, **arguments))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
