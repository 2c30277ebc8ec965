"""Guesses of a password over TLS: the workers of a server count them together."""

from collections.abc import Iterator

import pytest

from strongroom import testing
from strongroom.conformance.trees import find
from strongroom.engine.guesses import FAILURES
from strongroom.model.convert import encoder
from strongroom.model.messages import Authentication, Credential, UsernameAndPassword
from strongroom.model.secret import SecretBytes
from strongroom.operations.ping import PingRequest
from strongroom.registry import V2_1, CredentialType, ResultStatus, Tag
from strongroom.wire import binary
from tests.e2e.conftest import endpoint
from tests.interop.endpoint import RawConnection
from tests.kms import request_message

WORKERS = 3


@pytest.fixture
def connections() -> Iterator[list[RawConnection]]:
    """Give connections of a client with a password, two to each worker, which divide them evenly."""
    with testing.server(workers=WORKERS) as server:
        profile = server.enrol("web", username="web", password="right")
        made = [endpoint(server, profile).connect() for _ in range(2 * WORKERS)]
        yield made
        for connection in made:
            connection.stream.close()


def says(connection: RawConnection, password: str) -> bool:
    """Tell whether a request with this password is accepted."""
    value = UsernameAndPassword(username="web", password=SecretBytes(password.encode()))
    credential = Credential(
        credential_type=CredentialType.USERNAME_AND_PASSWORD,
        credential_value=encoder(UsernameAndPassword, V2_1)(value),
    )
    request = request_message(
        PingRequest(), version=V2_1, authentication=Authentication(credential=(credential,))
    )
    answer = binary.decode(connection.exchange(binary.encode(request)))
    (status,) = (found[2] for found in find(answer, Tag.RESULT_STATUS))
    return bool(status == ResultStatus.SUCCESS)


def test_guesses_are_counted_over_all_workers(connections: list[RawConnection]) -> None:
    """Nobody has ten of them for each worker: afterwards even the right one has to wait, everywhere."""
    for guess in range(FAILURES):
        assert not says(connections[guess % len(connections)], f"guess {guess}")
    assert not any(says(connection, "right") for connection in connections)


def test_a_right_password_ends_the_count_in_every_worker(connections: list[RawConnection]) -> None:
    for guess in range(FAILURES - 1):
        assert not says(connections[guess % len(connections)], f"guess {guess}")
    assert says(connections[0], "right")
    assert not says(connections[1], "wrong")
    assert all(says(connection, "right") for connection in connections)
