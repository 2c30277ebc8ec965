"""Processes that live and do nothing any more, as behind a disk that does not answer.

Rule: it is said after seconds, and after a minute they are ended and others take their place; what was asked
for meanwhile is done, once.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import Client, testing
from tests.e2e.conftest import eventually, status
from tests.e2e.impatient_server import PATIENCE
from tests.e2e.test_serve import children
from tests.e2e.test_unlucky_moments import writer

IMPATIENT = (sys.executable, "-m", "tests.e2e.impatient_server")


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[testing.Server]:
    with testing.server(tmp_path, workers=2, command=IMPATIENT) as server:
        yield server


def healthy(server: testing.Server) -> bool:
    return bool(status(server)["health"] == "ok")


def serving(server: testing.Server) -> set[int]:
    return {worker["pid"] for worker in status(server)["workers"] if worker["state"] == "serving"}


def test_a_writer_that_hangs_is_told_of_and_replaced(impatient: testing.Server) -> None:
    hanging = writer(impatient)
    made: list[str] = []

    def create() -> None:
        with Client.from_profile(impatient.profile) as client:
            made.append(client.create_symmetric_key(name="asked-while-it-hung"))

    os.kill(hanging, signal.SIGSTOP)
    asking = threading.Thread(target=create)
    asking.start()
    eventually(lambda: "writer" in status(impatient)["problems"])
    assert not healthy(impatient)
    impatient.wait_for_log("store_writer_hangs")
    asking.join()
    eventually(lambda: healthy(impatient))
    assert writer(impatient) != hanging
    with Client.from_profile(impatient.profile) as client:
        assert client.locate(name="asked-while-it-hung") == made


def test_the_next_writer_has_twice_the_time(impatient: testing.Server) -> None:
    """It may be long at work on what the last one has left, and would otherwise never get to its end."""
    for patience in (PATIENCE, 2 * PATIENCE):
        hanging = writer(impatient)
        os.kill(hanging, signal.SIGSTOP)
        impatient.wait_for_log(f'"seconds": {patience},')
        eventually(lambda gone=hanging: gone not in children(impatient.process.pid))  # type: ignore[misc]
        eventually(lambda: len(children(impatient.process.pid)) == 3)


def test_a_worker_that_hangs_is_replaced(impatient: testing.Server) -> None:
    before = serving(impatient)
    hanging = min(before)
    os.kill(hanging, signal.SIGSTOP)
    impatient.wait_for_log("worker_hangs")
    eventually(lambda: len(serving(impatient) - {hanging}) == 2)
    eventually(lambda: healthy(impatient))
    assert before & serving(impatient) == before - {hanging}


def test_a_pause_of_everything_makes_nobody_seem_to_hang(impatient: testing.Server) -> None:
    supervisor = impatient.process.pid
    before = set(children(supervisor))
    everyone = [supervisor, *before]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(PATIENCE + 2.0)
    for pid in everyone:
        os.kill(pid, signal.SIGCONT)
    time.sleep(PATIENCE + 2.0)
    assert set(children(supervisor)) == before
    assert healthy(impatient)
