"""The audit log of real servers: no answer is missing in it, and what cannot be recorded is not done.

Rule: what clients were told is held against the log, which is then verified by the command, as an auditor
does it.
"""

import json
import os
import random
import shutil
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from strongroom import Client, testing
from strongroom.audit.segments import Segment, segments
from strongroom.client.errors import KMIPError, ServerFailure, ServerUnreachable
from strongroom.registry import ResultReason
from tests.postgres import PostgresServer, postgres_server
from tests.processes import kill_trees
from tests.receiver import Receiver

__all__ = ["postgres_server"]


def reads(server: testing.Server) -> list[dict[str, Any]]:
    """Return what the workers of a server have recorded."""
    folder = server.directory / "audit"
    found: list[dict[str, Any]] = []
    for name in segments(folder):
        segment = Segment(str(name), (folder / str(name)).read_bytes())
        if segment.begun:
            segment.read_header()
            found += map(json.loads, segment.records())
    return found


def gets(server: testing.Server, identifier: str) -> int:
    """Return how many Gets of an object were recorded as done."""
    return sum(
        event["operation"] == "Get" and event["outcome"] == "success" and event["objects"] == [identifier]
        for event in reads(server)
    )


def verify(server: testing.Server, *anchors: Path) -> str:
    """Export the log of a running server, and return what `audit verify` says of it."""
    out = server.folder / "export.jsonl"
    out.unlink(missing_ok=True)
    server.run("audit", "export", "--data", str(server.directory), "-o", str(out))
    options = [option for anchor in anchors for option in ("--anchor", str(anchor))]
    return server.run("audit", "verify", str(out), "--key", str(server.directory / "audit.pub"), *options)


def status(server: testing.Server) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        server.run("server", "status", "--data", str(server.directory), "-o", "json")
    )
    return told


def until(condition: Callable[[], bool], *, seconds: float = 60.0) -> None:
    """Return once it is so."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def refused(client: Client, identifier: str, words: str) -> bool:
    """Tell whether a read is refused for this reason."""
    try:
        client.get_material(identifier)
    except ServerFailure as failure:
        return words in failure.message
    return False


def test_a_read_is_recorded_however_often_it_is_repeated(tmp_path: Path) -> None:
    """Also when the answer is remembered, of which the engine does hardly anything anew."""
    with testing.server(tmp_path, workers=1) as server:
        with Client.from_profile(server.profile) as client:
            identifier = client.create_symmetric_key(name="read")
            client.get_material(identifier)  # a change: the key is not fresh any more
            for _ in range(50):
                client.get_material(identifier)
            found = client.locate()
            client.query()
            with pytest.raises(KMIPError):
                client.get_material("no such key")
        assert gets(server, identifier) == 50
        *_, located, missing = reads(server)
        assert (located["operation"], located["found"]) == ("Locate", len(found))
        assert missing["outcome"] == ResultReason.OBJECT_NOT_FOUND.name
        assert missing["objects"] == ["no such key"]
        assert "good: " in verify(server)


def test_who_is_turned_away_is_recorded(tmp_path: Path) -> None:
    with testing.server(tmp_path, workers=1) as server:
        stranger = server.enrol("gone")
        server.run("client", "revoke", "gone", "--data", str(server.directory))
        with Client.from_profile(stranger) as client, pytest.raises(ServerUnreachable):
            client.locate()
        turned_away = [event for event in reads(server) if event["operation"] == "CONNECT"]
        assert turned_away
        assert turned_away[0]["outcome"] == "REVOKED"
        assert "fingerprint=" in turned_away[0]["target"]


def test_no_read_that_was_answered_is_missing_after_a_kill(tmp_path: Path) -> None:
    """Several times over, with clients that read all the while (faults 29 and 32)."""
    with testing.server(tmp_path, workers=2) as server:
        with Client.from_profile(server.profile) as client:
            identifiers = [client.create_symmetric_key(name=f"key {number}") for number in range(4)]
            for identifier in identifiers:
                client.get_material(identifier)
        answered: Counter[str] = Counter()
        for round_ in range(3):
            with reading(server, identifiers, answered):
                goal = answered.total() + 500
                until(lambda goal=goal: answered.total() >= goal)  # type: ignore[misc]
                kill_trees([server.process.pid], chance=random.Random(round_))
                server.kill()
            server.start()
            for identifier in identifiers:
                # One may have been on its way to the client, from each of them and in each round.
                more = gets(server, identifier) - answered[identifier]
                assert 0 <= more <= (round_ + 1) * len(identifiers)
        assert "good: " in verify(server)


@contextmanager
def reading(server: testing.Server, identifiers: Sequence[str], answered: Counter[str]) -> Iterator[None]:
    """Have a client for each object read it, until the server is gone."""

    def read(identifier: str) -> None:
        with Client.from_profile(server.profile, timeout=30) as client:
            while True:
                try:
                    client.get_material(identifier)
                except KMIPError:
                    return
                answered[identifier] += 1

    threads = [threading.Thread(target=read, args=(identifier,)) for identifier in identifiers]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join()


def test_the_log_goes_on_over_restarts_and_a_spoilt_copy_is_named(tmp_path: Path) -> None:
    with testing.server(tmp_path / "server", workers=2) as server:
        for number in range(3):
            with Client.from_profile(server.profile) as client:
                identifier = client.create_symmetric_key(name=f"key {number}")
                for _ in range(10):
                    client.get_material(identifier)
            server.stop()
            server.start()
        said = verify(server)
        assert "good: " in said
        server.stop()
        copy = tmp_path / "copy"
        shutil.copytree(server.directory, copy)
        assert "good: " in server.run("audit", "verify", str(copy))
        folder = copy / "audit"
        spoilt = folder / str(segments(folder)[0])
        spoilt.write_bytes(spoilt.read_bytes().replace(b'"operation":"Get"', b'"operation":"Got"', 1))
        done = server.try_run("audit", "verify", str(copy))
        assert done.returncode == 1
        assert f"BAD segment {spoilt.name} record 1: " in done.stdout
        assert server.try_run("audit", "verify", str(tmp_path / "nothing")).returncode == 3


def test_a_sink_that_blocks_stops_requests_within_the_deadline(tmp_path: Path) -> None:
    """A syslog that reads nothing: the kernel holds a few messages for it, then nobody is served."""
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink:
        sink.bind(str(path))
        settings = {"audit": {"sinks": [f"syslog:{path}"], "deadline": 3}}
        with (
            testing.server(tmp_path / "server", workers=2, settings=settings) as server,
            Client.from_profile(server.profile) as client,
        ):
            identifier = client.create_symmetric_key(name="read")
            sent = [time.monotonic()]
            while not refused(client, identifier, "audit sink"):
                sent.append(time.monotonic())
                assert sent[-1] - sent[0] < 60
            # What the kernel's queue has no room for is late from then on, and it is looked once a second.
            queue = int(Path("/proc/sys/net/unix/max_dgram_qlen").read_text())
            *answered, _ = sent
            assert answered[-1] - answered[queue] < 3 + 3
            with pytest.raises(ServerFailure, match="audit sink"):
                client.create_symmetric_key(name="never")
            assert client.discover_versions()
            told = status(server)
            assert told["health"] == "degraded"
            assert "audit sink" in told["problems"]["audit"]
            received = Received(sink)
            until(lambda: not refused(client, identifier, "audit sink"))
            until(lambda: len(received.gets) >= len(answered))
            received.stop()


def test_a_sink_over_tls_gets_events_while_they_happen(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "siem.pem")
    receiver = Receiver(authority.issue_cert("127.0.0.1"))
    sink = f"syslog+tls:127.0.0.1:{receiver.port}"
    settings = {"audit": {"sinks": [sink], "tls_ca": str(tmp_path / "siem.pem")}}
    with (
        testing.server(tmp_path / "server", workers=1, settings=settings) as server,
        Client.from_profile(server.profile) as client,
    ):
        identifier = client.create_symmetric_key(name="told")
        client.get_material(identifier)
        until(lambda: b'"operation":"Get"' in b"".join(receiver.received))
        assert b'"operation":"Create"' in b"".join(receiver.received)
    receiver.close()


class Received:
    """What a syslog gets, once somebody reads it."""

    def __init__(self, sink: socket.socket) -> None:
        self.gets: set[tuple[str, int]] = set()
        self._sink = sink
        self._stopping = False
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        self._sink.settimeout(0.2)
        while not self._stopping:
            try:
                message = self._sink.recv(1 << 16)
            except TimeoutError:
                continue
            said = json.loads(message[message.index(b"{") :])
            if said["event"]["operation"] == "Get" and "segment" in said:
                self.gets.add((said["segment"], said["offset"]))

    def stop(self) -> None:
        self._stopping = True
        self._thread.join()


def test_an_anchor_that_fails_turns_health_red_and_stops_requests_where_that_is_wanted(
    tmp_path: Path,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    audit = {"anchors": [f"tcp:127.0.0.1:{port}"], "checkpoint": 1, "deadline": 2}
    settings = {"audit": {**audit, "on_anchor_failure": "refuse"}}
    with (
        testing.server(tmp_path, workers=2, settings=settings) as server,
        Client.from_profile(server.profile) as client,
    ):
        identifier = client.create_symmetric_key(name="read")
        until(lambda: refused(client, identifier, "anchor"))
        assert "cannot be anchored" in status(server)["problems"]["audit"]
        with socket.create_server(("127.0.0.1", port)) as anchor:
            until(lambda: not refused(client, identifier, "anchor"))
            connection, _ = anchor.accept()
            with connection:
                line = connection.recv(65536).splitlines()[0]
            assert set(json.loads(line)) == {"anchor", "signature"}


def test_an_anchor_that_does_not_answer_turns_health_red_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    """As a file on another machine that is away; a pipe that nobody writes to stands for it."""
    anchor = tmp_path / "anchor"
    settings = {"audit": {"anchors": [f"file:{anchor}"], "checkpoint": 1}}
    with (
        testing.server(tmp_path / "server", workers=1, settings=settings) as server,
        Client.from_profile(server.profile, timeout=60) as client,
    ):
        identifier = client.create_symmetric_key()
        until(anchor.exists)
        anchor.unlink()
        os.mkfifo(anchor)
        client.create_symmetric_key()
        until(lambda: "cannot be compared" in status(server)["problems"].get("audit", ""))
        assert len(client.get_material(identifier)) == 32
        os.close(os.open(anchor, os.O_RDWR | os.O_NONBLOCK))  # whoever waits for it can end


def test_an_older_copy_of_the_data_directory_contradicts_the_anchor(tmp_path: Path) -> None:
    """Everything went back in time, checkpoints included; only what lies elsewhere tells."""
    anchor = tmp_path / "anchor"
    settings = {"audit": {"anchors": [f"file:{anchor}"], "checkpoint": 1}}
    with testing.server(tmp_path / "server", workers=1, settings=settings) as server:
        with Client.from_profile(server.profile) as client:
            client.create_symmetric_key(name="old")
        server.stop()
        old = tmp_path / "old"
        shutil.copytree(server.directory, old)
        server.start()
        with Client.from_profile(server.profile) as client:
            client.create_symmetric_key(name="new")
        server.stop()
        shutil.rmtree(server.directory)
        old.rename(server.directory)
        assert server.try_run("audit", "verify", str(server.directory)).returncode == 0
        done = server.try_run("audit", "verify", str(server.directory), "--anchor", str(anchor))
        assert done.returncode == 1
        assert "it is missing, but was anchored at" in done.stdout
        assert "the end was cut" in done.stdout


@pytest.mark.postgres
def test_two_nodes_on_one_database_have_one_chain_of_changes(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    store = postgres_server.url(postgres_server.create_database())
    with testing.server(tmp_path / "one", workers=1, store=store) as one:
        two = testing.Server(tmp_path / "two")
        # A node has reads and checkpoints of its own.
        shutil.copytree(
            one.directory, two.directory, ignore=shutil.ignore_patterns("*.sock", "lock", "audit")
        )
        two.start()
        try:
            work = [threading.Thread(target=create, args=(node, one.profile, 20)) for node in (one, two) * 2]
            for thread in work:
                thread.start()
            for thread in work:
                thread.join()
            until(lambda: chained(one) == 80)
            for node in (one, two):
                assert "good: " in verify(node)
        finally:
            two.stop()


def create(node: testing.Server, profile: Path, count: int) -> None:
    """Create keys on a node, with the client of the other."""
    text = profile.read_text()
    own = node.folder / f"profile-{threading.get_ident()}"
    shutil.copytree(profile.parent, own)
    lines = [
        f'servers = ["{node.address}"]' if line.startswith("servers") else line for line in text.splitlines()
    ]
    (own / "profile.toml").write_text("\n".join(lines) + "\n")
    with Client.from_profile(own / "profile.toml") as client:
        for _ in range(count):
            client.create_symmetric_key()


def chained(node: testing.Server) -> int:
    """Return how many Creates have their place in the chain."""
    out = node.folder / "count.jsonl"
    out.unlink(missing_ok=True)
    node.run("audit", "export", "--data", str(node.directory), "-o", str(out))
    events = [json.loads(line).get("change", {}).get("event", {}) for line in out.read_text().splitlines()]
    return sum(event.get("operation") == "Create" for event in events)
