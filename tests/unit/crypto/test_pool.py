"""The threads for slow work."""

import asyncio
import os
import sys
import threading

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.encryption.adapter import QUICK_INLINE
from strongroom.crypto.pool import STEPS_BACK, Pool
from strongroom.domain import turn
from strongroom.domain.errors import InvalidField, ServerFailure
from strongroom.model.structures import CryptographicParameters
from strongroom.registry import BlockCipherMode, CryptographicAlgorithm, KeyFormatType
from tests.unit.crypto.build import Pairs, aes, der, encrypt, private


async def test_work_runs_beside_the_event_loop() -> None:
    pool = Pool()
    assert await pool.run(threading.current_thread) is not threading.current_thread()
    pool.close()


@pytest.mark.skipif(sys.platform != "linux", reason="nice values of threads are Linux's")
async def test_the_event_loop_goes_before_the_threads() -> None:
    """Also in a process that is nice already, where a fixed value would be refused: it would be less."""
    own = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    pool = Pool()
    theirs = await pool.run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
    pool.close()
    assert theirs == min(own + STEPS_BACK, 19)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == own


async def test_work_is_done_where_threads_cannot_step_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as under a filter of system calls."""

    def refuse(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    pool = Pool()
    async with asyncio.timeout(60):
        assert await pool.run(int, "3") == 3
    pool.close()


async def test_no_thread_starts_before_there_is_work() -> None:
    before = threading.active_count()
    pool = Pool()
    assert threading.active_count() == before
    pool.close()


async def test_errors_come_back() -> None:
    def refuse() -> None:
        raise InvalidField("no")

    pool = Pool()
    with pytest.raises(InvalidField):
        await pool.run(refuse)
    pool.close()


async def test_work_beyond_the_limit_is_refused_and_welcome_again_later() -> None:
    gate = threading.Event()
    pool = Pool(threads=1, waiting=1)
    accepted = [asyncio.ensure_future(pool.run(gate.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ServerFailure):
        await pool.run(gate.wait)
    gate.set()
    assert await asyncio.gather(*accepted) == [True, True]
    assert await pool.run(len, "again") == 5
    pool.close()


async def test_cancelled_work_holds_its_place_until_it_ends() -> None:
    gate, running = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        gate.wait()

    pool = Pool(threads=1, waiting=0)
    task = asyncio.ensure_future(pool.run(work))
    await asyncio.to_thread(running.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ServerFailure):
        await pool.run(work)
    gate.set()
    pool.close()


async def test_a_closed_pool_starts_again() -> None:
    pool = Pool()
    await pool.run(len, "a")
    pool.close()
    assert await pool.run(len, "a") == 1
    pool.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_starts_threads_of_its_own() -> None:
    pool = Pool()
    asyncio.run(pool.run(len, "in the parent"))
    child = os.fork()
    if child == 0:
        answer = 1
        try:
            answer = 0 if asyncio.run(pool.run(len, "abc")) == 3 else 2
        finally:
            os._exit(answer)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    pool.close()


async def test_slow_work_of_the_adapter_leaves_the_event_loop(pairs: Pairs) -> None:
    """With the only thread taken, private keys and big data wait; what is quick does not."""
    gate = threading.Event()
    pool = Pool(threads=1)
    crypto = Cryptographer(pool)
    taken = asyncio.ensure_future(pool.run(gate.wait))
    key = private(KeyFormatType.PKCS_8, der(pairs["rsa"]))
    parameters = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
    slow = [
        asyncio.ensure_future(work)
        for work in (
            crypto.examine(key),
            crypto.convert(key, KeyFormatType.PKCS_1),
            crypto.create_key_pair(CryptographicAlgorithm.EC, 256, None),
            encrypt(crypto, aes("00" * 16), bytes(QUICK_INLINE + 16), parameters),
        )
    ]
    await encrypt(crypto, aes("00" * 16), bytes(QUICK_INLINE), parameters)
    await crypto.create_symmetric_key(CryptographicAlgorithm.AES, 256)
    done, _ = await asyncio.wait(slow, timeout=0.05)
    assert not done
    gate.set()
    await asyncio.gather(taken, *slow)
    crypto.close()


async def test_a_client_has_neither_all_threads_nor_all_places() -> None:
    """One that asks for slow work without end gets in nobody's way."""
    gate = threading.Event()
    pool = Pool(threads=2, waiting=6)
    turn.client.set(1)
    greedy = [asyncio.ensure_future(pool.run(gate.wait)) for _ in range(4)]
    await asyncio.sleep(0)
    with pytest.raises(ServerFailure):
        await pool.run(gate.wait)
    turn.client.set(2)
    assert await asyncio.wait_for(pool.run(len, "abc"), 60) == 3
    gate.set()
    assert await asyncio.gather(*greedy) == [True] * 4
    pool.close()


async def test_clients_take_turns() -> None:
    gate = threading.Event()
    pool, order = Pool(threads=1, waiting=9), list[int]()
    first = asyncio.ensure_future(pool.run(gate.wait))
    await asyncio.sleep(0)
    waiting = []
    for client in (1, 1, 1, 2, 3):
        turn.client.set(client)
        waiting.append(asyncio.ensure_future(pool.run(order.append, client)))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(first, *waiting)
    assert order == [1, 2, 3, 1, 1]
    pool.close()


async def test_work_that_nobody_waits_for_any_more_is_not_begun() -> None:
    gate, begun = threading.Event(), list[int]()
    pool = Pool(threads=1, waiting=2)
    first = asyncio.ensure_future(pool.run(gate.wait))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(pool.run(begun.append, 1))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    gate.set()
    await first
    assert await pool.run(len, "abc") == 3
    assert begun == []
    pool.close()
