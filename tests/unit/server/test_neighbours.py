"""Workers pass requests on to each other."""

import asyncio
import stat
from dataclasses import fields, replace
from pathlib import Path

import pytest

from strongroom.domain.errors import ServerFailure
from strongroom.domain.identity import ClientId, ClientIdentity, Connection, Grant
from strongroom.server.errors import OperatorError
from strongroom.server.neighbours import LOOKED_UP, PASSED_ON, STAYS, WorkerSockets
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


async def test_who_asks_is_the_same_there_as_here(tmp_path: Path) -> None:
    """Whoever a rule has let in is no more than that at the neighbour."""
    asking, answering = sockets(tmp_path, 0), sockets(tmp_path, 1)
    asked: list[ClientIdentity] = []

    async def note(message: bytes, connection: Connection) -> bytes:
        asked.append(connection.client)
        return message

    await answering.start(note, only_alice)
    for client in (ALICE, replace(ALICE, mapped=True)):
        assert await asking.answer(answering.name, b"x", connection(client)) == b"x"
        assert asked.pop() == client
    for more in ({"user": "u"}, {"ticket": "t"}, {"acting": BOB.client}, {"rights": (Grant(),)}):
        assert await asking.answer(answering.name, b"x", connection(replace(ALICE, **more))) is None
    assert not asked
    await answering.close()


def test_all_of_an_identity_is_passed_on_or_looked_up_or_keeps_the_request_here() -> None:
    parts = [*LOOKED_UP, *PASSED_ON, *STAYS]
    assert sorted(parts) == sorted(one.name for one in fields(ClientIdentity))


async def test_a_worker_does_nothing_under_the_name_of_another(tmp_path: Path) -> None:
    """Nor under that of the worker that had its row before, whatever is asked."""
    asking, answering = sockets(tmp_path, 0), sockets(tmp_path, 1)
    asked: list[bytes] = []

    async def note(message: bytes, _: Connection) -> bytes:
        asked.append(message)
        return message

    await answering.start(note, only_alice)
    for name in (sockets(tmp_path, 1).name, answering.name[:2] + bytes(4)):
        for size in (1, LARGEST):
            assert await asking.answer(name, bytes(size), connection()) is None
    assert not asked
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
