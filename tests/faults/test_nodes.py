"""Two nodes on one PostgreSQL: one is paused and comes back, one dies in mid-request, the database restarts
under load (faults 33, 34)."""

import asyncio
import contextlib
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from strongroom import Client, testing
from strongroom.client.errors import KMIPError, OperationFailed
from strongroom.registry import State, Tag
from strongroom.store import postgres_connect
from strongroom.store.postgres import APART, CONNECTIONS
from strongroom.store.url import PostgresUrl, parse
from tests.postgres import PostgresServer, running_server
from tests.processes import process_tree

pytestmark = pytest.mark.postgres

PAUSE: Final = 5.0
LONG_PAUSE: Final = 60.0
RECOVERED_WITHIN: Final = 30.0


class Nodes(NamedTuple):
    one: testing.Server
    two: testing.Server
    store: str


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with running_server() as server:
        yield server


@pytest.fixture(scope="module")
def nodes(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    tmp_path = tmp_path_factory.mktemp("nodes")
    store = postgres.url(postgres.create_database())
    with testing.server(tmp_path / "one", store=store) as one:
        two = testing.Server(tmp_path / "two", options=("--workers", "1"))
        shutil.copytree(one.directory, two.directory, ignore=shutil.ignore_patterns("*.sock", "lock"))
        two.start()
        try:
            yield Nodes(one, two, store)
        finally:
            two.stop()


@contextlib.contextmanager
def holding(url: str, *statements: str) -> Iterator[None]:
    """Keep a transaction open in which these statements were run, as somebody who has left a shell open."""
    parsed = parse(url, Path("/"))
    assert isinstance(parsed, PostgresUrl)
    with asyncio.Runner() as runner:
        connection = runner.run(postgres_connect.connect(parsed))
        try:
            for statement in ("BEGIN", *statements):
                runner.run(connection.execute(statement))
            yield
        finally:
            runner.run(connection.close())


@contextlib.contextmanager
def paused(server: testing.Server) -> Iterator[None]:
    """Stop every process of a node, as a hypervisor does."""
    processes = process_tree(server.process.pid)
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            os.kill(process, signal.SIGCONT)


def client_of(nodes: Nodes, node: testing.Server, **more: object) -> Client:
    """Return the client `test` on one of the nodes, which knows it by then."""
    folder = nodes.one.profile.parent
    made = Client(
        node.address,
        cert=str(folder / "cert.pem"),
        key=str(folder / "key.pem"),
        ca=str(folder / "ca.pem"),
        **more,  # type: ignore[arg-type]
    )
    end = time.monotonic() + 60
    while True:
        try:
            made.locate()
        except KMIPError:
            assert time.monotonic() < end
            time.sleep(0.2)
        else:
            return made


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seconds", [PAUSE, pytest.param(LONG_PAUSE, marks=pytest.mark.long)])
def test_a_node_that_was_paused_serves_nothing_stale_and_does_nothing_twice(
    nodes: Nodes, seconds: float
) -> None:
    """faults 33: what the other did meanwhile holds for it at once."""
    with client_of(nodes, nodes.one) as first, client_of(nodes, nodes.two, timeout=60) as second:
        keys = [first.create_symmetric_key(name=f"key {number}") for number in range(4)]
        for key in keys:
            assert len(second.get_material(key)) == 32  # it is in the cache of the second node
        with paused(nodes.two):
            first.activate(keys[0])
            first.activate(keys[1])
            first.revoke(keys[1])
            first.destroy(keys[2])
            asked: list[object] = []
            late = threading.Thread(target=lambda: asked.append(state(second, keys[0])))
            late.start()  # a request that waits in the paused node
            time.sleep(seconds)
        late.join(60)
        assert asked == [State.ACTIVE]
        assert state(second, keys[1]) is State.DEACTIVATED
        assert state(second, keys[2]) is State.DESTROYED
        with pytest.raises(OperationFailed):
            second.get_material(keys[2])
        second.activate(keys[3])
        with pytest.raises(OperationFailed):
            first.activate(keys[3])


@pytest.mark.timeout(300)
def test_a_revocation_reaches_a_node_on_which_changes_wait_for_long(
    postgres: PostgresServer, nodes: Nodes
) -> None:
    """faults 33: what a worker looks for meanwhile does not stand in line with them."""
    thief = nodes.one.enrol("thief")
    with Client.from_profile(thief, timeout=60) as client:
        key = client.create_symmetric_key()
        client.get_material(key)  # the first time is a change

        def create() -> None:
            with contextlib.suppress(KMIPError), client_of(nodes, nodes.one, timeout=120) as one:
                one.create_symmetric_key()

        # No change of an object is made, and no event gets its place in the chain; all else is as ever.
        chaining = "SELECT pg_advisory_xact_lock(hashtext('strongroom audit'))"
        with holding(nodes.store, "LOCK TABLE objects IN EXCLUSIVE MODE", chaining):
            waiting = [threading.Thread(target=create) for _ in range(80)]
            for thread in waiting:
                thread.start()
            at_work = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while int(postgres.sql("postgres", at_work)) < CONNECTIONS - APART:
                time.sleep(0.1)
            nodes.two.run("client", "revoke", "thief", "--data", str(nodes.two.directory))
            end = time.monotonic() + RECOVERED_WITHIN
            with contextlib.suppress(KMIPError):
                while client.get_material(key):
                    assert time.monotonic() < end
                    time.sleep(0.1)
        for thread in waiting:
            thread.join(150)


def state(client: Client, key: str) -> object:
    return next(one.value for one in client.get_attributes(key, Tag.STATE) if one.key is Tag.STATE)


@pytest.mark.timeout(300)
def test_a_node_that_dies_in_mid_request_leaves_all_or_nothing(nodes: Nodes) -> None:
    """faults 33: whatever it had answered is there on the other, and no half of anything else."""
    with client_of(nodes, nodes.one) as first, client_of(nodes, nodes.two) as second:
        made: list[str] = []
        before = set(second.locate())
        stop = threading.Event()

        def create() -> None:
            with contextlib.suppress(KMIPError):
                while not stop.is_set():
                    made.append(first.create_symmetric_key())

        author = threading.Thread(target=create)
        author.start()
        while len(made) < 20:
            time.sleep(0.005)
        nodes.one.kill()
        stop.set()
        author.join(60)
        found = set(second.locate()) - before
        assert set(made) <= found
        assert len(found) <= len(made) + 1
        for key in found:
            assert len(second.get_material(key)) == 32
        nodes.one.start()
        assert set(first.locate()) - before == found


class Load:
    """Clients that create without a pause, and when they were told that it failed."""

    def __init__(self, nodes: Nodes) -> None:
        self.made: list[str] = []
        self.failed: list[float] = []
        self._stop = threading.Event()
        self._clients = [
            client_of(nodes, node, timeout=60) for node in (nodes.one, nodes.two) for _ in range(3)
        ]
        self._threads = [threading.Thread(target=self._work, args=(one,)) for one in self._clients]
        for thread in self._threads:
            thread.start()

    def _work(self, client: Client) -> None:
        while not self._stop.is_set():
            try:
                self.made.append(client.create_symmetric_key())
            except KMIPError:
                self.failed.append(time.monotonic())
                time.sleep(0.05)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(90)
        for client in self._clients:
            client.close()

    def wait_for(self, count: int, *, within: float) -> None:
        """Return once so many more were made."""
        wanted, end = len(self.made) + count, time.monotonic() + within
        while len(self.made) < wanted:
            assert time.monotonic() < end, f"{len(self.made)} of {wanted} in time"
            time.sleep(0.01)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
def test_a_database_that_restarts_under_load_loses_nothing_that_was_acknowledged(
    postgres: PostgresServer, nodes: Nodes, times: int
) -> None:
    """faults 34: and the errors end within half a minute."""
    with client_of(nodes, nodes.two) as client:
        before = set(client.locate())
    load = Load(nodes)
    try:
        for _ in range(times):
            load.wait_for(20, within=60)
            postgres.stop()
            time.sleep(1.0)
            postgres.start()
            back = time.monotonic()
            load.wait_for(60, within=RECOVERED_WITHIN)
            assert all(failure < back + RECOVERED_WITHIN for failure in load.failed)
    finally:
        load.end()
    with client_of(nodes, nodes.two) as client:
        found = set(client.locate()) - before
        assert set(load.made) <= found
        # Of those whose answer was lost, some were made.
        assert len(found) <= len(load.made) + len(load.failed)
