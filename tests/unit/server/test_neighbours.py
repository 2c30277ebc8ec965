"""Workers pass requests on to each other."""

import asyncio
import stat
from pathlib import Path

import pytest

from strongroom.domain.errors import ServerFailure
from strongroom.domain.identity import ClientId, ClientIdentity, Connection
from strongroom.server.errors import OperatorError
from strongroom.server.neighbours import WorkerSockets
from strongroom.store import address
from tests.kms import ALICE, BOB

LARGEST = 1 << 20


def sockets(folder: Path, row: int) -> WorkerSockets:
    return WorkerSockets(
        row,
        lambda number: folder / f"worker-{number}.sock",
        listen=address.listen,
        connect=address.connect,
        largest=LARGEST,
    )


def only_alice(client: ClientId) -> ClientIdentity | None:
    return ALICE if client == ALICE.client else None


async def echo(message: bytes, connection: Connection) -> bytes:
    return connection.peer.encode() + b" " + connection.client.name.encode() + b" " + message


def connection(client: ClientIdentity = ALICE) -> Connection:
    return Connection(client=client, peer="[::1]:5")


async def test_a_request_is_answered_by_the_worker_whose_name_it_bears(tmp_path: Path) -> None:
    asking, answering = sockets(tmp_path, 0), sockets(tmp_path, 300)
    await answering.start(echo, only_alice)
    for size in (0, 10, LARGEST):
        answer = await asking.answer(answering.name, bytes(size), connection())
        assert answer == b"[::1]:5 alice " + bytes(size)
    many = await asyncio.gather(
        *(asking.answer(answering.name, b"%d" % number, connection()) for number in range(50))
    )
    assert many == [b"[::1]:5 alice %d" % number for number in range(50)]
    await answering.close()


async def test_only_this_user_may_open_the_socket(tmp_path: Path) -> None:
    worker = sockets(tmp_path, 0)
    await worker.start(echo, only_alice)
    assert stat.S_IMODE((tmp_path / "worker-0.sock").stat().st_mode) == 0o600
    await worker.close()
    with pytest.raises(FileNotFoundError):
        address.connect(tmp_path / "worker-0.sock")


async def test_a_client_that_is_not_in_force_is_not_answered(tmp_path: Path) -> None:
    asking, answering = sockets(tmp_path, 0), sockets(tmp_path, 1)
    await answering.start(echo, only_alice)
    with pytest.raises(ServerFailure, match="no answer"):
        await asking.answer(answering.name, b"x", connection(BOB))
    await answering.close()


async def test_a_message_beyond_the_limit_is_not_answered(tmp_path: Path) -> None:
    asking, answering = sockets(tmp_path, 0), sockets(tmp_path, 1)
    await answering.start(echo, only_alice)
    with pytest.raises(ServerFailure, match="no answer"):
        await asking.answer(answering.name, bytes(LARGEST + 1), connection())
    await answering.close()


async def test_a_worker_that_is_gone_does_not_answer(tmp_path: Path) -> None:
    """Nor one that left its socket behind."""
    asking, gone = sockets(tmp_path, 0), sockets(tmp_path, 1)
    assert await asking.answer(gone.name, b"x", connection()) is None
    left_behind = address.listen(tmp_path / "worker-1.sock")
    left_behind.close()
    assert await asking.answer(gone.name, b"x", connection()) is None
    assert await asking.answer(b"", b"x", connection()) is None


async def test_what_a_worker_was_asked_before_it_died_is_not_done_again_by_another(tmp_path: Path) -> None:
    asking, dying = sockets(tmp_path, 0), sockets(tmp_path, 1)

    async def die(message: bytes, _: Connection) -> bytes:
        raise ConnectionResetError

    await dying.start(die, only_alice)
    with pytest.raises(ServerFailure, match="may be done"):
        await asking.answer(dying.name, b"x", connection())
    await dying.close()


async def test_two_workers_of_one_row_have_two_names(tmp_path: Path) -> None:
    assert sockets(tmp_path, 1).name != sockets(tmp_path, 1).name


async def test_a_place_where_nothing_can_listen_is_told(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot listen"):
        await sockets(tmp_path / "nowhere", 0).start(echo, only_alice)
