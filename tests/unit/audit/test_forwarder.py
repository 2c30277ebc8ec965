"""Events reach the sinks in order and whole, also across restarts; one that fails is told in time."""

import asyncio
import errno
import json
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from strongroom.audit import tail
from strongroom.audit.directory import open_directory
from strongroom.audit.forwarder import PLACES, STATE, Forwarder, Sink, problem
from strongroom.audit.outlets import FileOutlet, OutletFailed
from strongroom.audit.read_log import ReadLog
from strongroom.store.migrate import migrate
from strongroom.store.records import ChangeSet
from strongroom.store.sqlite import InlineSqliteBackend
from strongroom.store.stored_audit import StoredAudit
from strongroom.store.url import SqliteUrl
from tests.unit.audit.test_read_log import event

DEADLINE = 1.0


class Site:
    """A store, the reads of a worker, and what forwards them."""

    def __init__(self, path: Path, backend: InlineSqliteBackend) -> None:
        self.folder = path / "audit"
        self.backend = backend
        self.node = open_directory(self.folder)
        self.reads = ReadLog(self.folder, row=0, size=4096)
        self.reads.open(self.node)
        self.taken = path / "taken"

    def forwarder(self, *sinks: Sink) -> Forwarder:
        return Forwarder(
            self.folder,
            node=self.node,
            chain=StoredAudit(self.backend),
            sinks=sinks,
            deadline=DEADLINE,
        )

    def to_file(self, *, cef: bool = False) -> Sink:
        return Sink("file", FileOutlet(self.taken), cef=cef)

    async def change(self, number: int) -> None:
        await self.backend.commit(ChangeSet(events=[event(number)._replace(operation="Create").encode()]))

    def keys(self, operation: str) -> list[str]:
        """Return the objects of an operation, in their order; what came twice after a crash counts once."""
        lines = self.taken.read_text().splitlines() if self.taken.exists() else []
        said = {
            (one.get("position"), one.get("segment"), one.get("offset")): one["event"]
            for one in map(json.loads, lines)
        }
        return [event["objects"][0] for event in said.values() if event["operation"] == operation]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    migrate_now = asyncio.to_thread(migrate, SqliteUrl(tmp_path / "store.db"))
    await migrate_now
    backend = InlineSqliteBackend(tmp_path / "store.db")
    await backend.start()
    made = Site(tmp_path, backend)
    yield made
    made.reads.close()
    await backend.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - files tell nobody
            await asyncio.sleep(0.01)


class running:
    """Forwards inside the block, all that happens in it; leaving it is what a crash is to the forwarder."""

    def __init__(self, site: Site, *sinks: Sink) -> None:
        self._site = site
        self._sinks = sinks

    async def __aenter__(self) -> None:
        state = self._site.folder / STATE
        state.unlink(missing_ok=True)
        self._task = asyncio.create_task(self._site.forwarder(*self._sinks).run())
        await until(state.exists)  # it knows where every sink begins

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_every_event_reaches_a_sink_once_and_in_order(site: Site) -> None:
    await site.change(1000)  # before there was a sink
    site.reads.record(event(1001))
    async with running(site, site.to_file()):
        for number in range(100):
            site.reads.record(event(number))
            if number % 10 == 0:
                await site.change(number)
                await asyncio.sleep(0.01)
        await until(lambda: len(site.keys("GET")) == 100 and len(site.keys("Create")) == 10)
    assert site.keys("GET") == [f"key {number}" for number in range(100)]
    assert site.keys("Create") == [f"key {number}" for number in range(0, 100, 10)]
    assert problem(site.folder, deadline=DEADLINE, started=time.monotonic()) == ""


async def test_what_happens_while_nobody_forwards_is_sent_later(site: Site) -> None:
    async with running(site, site.to_file()):
        site.reads.record(event(1))
        await until(lambda: site.keys("GET") == ["key 1"])
    for number in range(2, 60):
        site.reads.record(event(number))
    await site.change(1)
    async with running(site, site.to_file()):
        await until(lambda: len(site.keys("GET")) == 59 and site.keys("Create") == ["key 1"])
    assert site.keys("GET") == [f"key {number}" for number in range(1, 60)]


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_happens_after_the_store_has_gone_back_is_sent(
    site: Site, tmp_path: Path, restarted: bool
) -> None:
    """As by a failover or a restore. Other events have the same positions then."""

    def change_others() -> Awaitable[None]:
        with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as database:
            database.execute("DELETE FROM audit WHERE position > 70")
        return change(range(200, 220))

    async def change(numbers: Iterable[int]) -> None:
        for number in numbers:
            await site.change(number)

    def sent(number: int) -> bool:
        return f'"key {number}"' in site.taken.read_text()

    await change([1000])  # before there was a sink
    async with running(site, site.to_file()):
        for number in range(100):
            await site.change(number)
            if number % 7 == 0:
                await asyncio.sleep(0.05)
        await until(lambda: site.taken.exists() and sent(99))
        if not restarted:
            await change_others()
            await until(lambda: all(map(sent, range(200, 220))))
    if restarted:
        await change_others()
        async with running(site, site.to_file()):
            await until(lambda: all(map(sent, range(200, 220))))
    assert "key 1000" not in site.taken.read_text()
    assert len(site.taken.read_text().splitlines()) < 200


async def test_what_an_older_release_has_sent_is_not_sent_again(site: Site) -> None:
    async with running(site, site.to_file()):
        await site.change(1)
        await until(lambda: site.keys("Create") == ["key 1"])
    file = site.folder / PLACES
    places = json.loads(file.read_bytes())
    del places["file"]["sent"]
    file.write_text(json.dumps(places))
    await site.change(2)
    async with running(site, site.to_file()):
        await until(lambda: site.keys("Create") == ["key 1", "key 2"])
    assert len(site.taken.read_text().splitlines()) == 2


async def test_one_process_forwards_and_another_takes_over(site: Site) -> None:
    first, second = site.to_file(), site.to_file()
    async with running(site, first):
        waiting = asyncio.create_task(site.forwarder(second).run())
        site.reads.record(event(1))
        await until(lambda: site.keys("GET") == ["key 1"])
        assert second.changes < 0
    site.reads.record(event(2))
    await until(lambda: site.keys("GET") == ["key 1", "key 2"])
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "no descriptor"), RuntimeError("no thread")])
async def test_a_process_that_cannot_begin_tries_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """It may be the only one, and without it nothing is ever forwarded."""
    before = tail.ends

    def fail(_: Path) -> dict[int, tail.Place]:
        monkeypatch.setattr(tail, "ends", before)
        raise error

    monkeypatch.setattr(tail, "ends", fail)
    async with running(site, site.to_file()):
        await until(lambda: (site.folder / "forwarded").exists())
        site.reads.record(event(1))
        await until(lambda: site.keys("GET") == ["key 1"])


class Broken:
    """A sink that takes nothing until it is repaired."""

    def __init__(self) -> None:
        self.broken = True
        self.lines: list[bytes] = []

    def send(self, lines: Sequence[bytes]) -> None:
        if self.broken:
            raise OutletFailed("it is broken")
        self.lines += lines

    def close(self) -> None:
        return


async def test_a_sink_that_fails_is_told_within_the_deadline_and_gets_everything_later(site: Site) -> None:
    outlet = Broken()
    async with running(site, Sink("far", outlet, cef=False), site.to_file()):
        started = time.monotonic()
        site.reads.record(event(1))
        await until(lambda: site.keys("GET") == ["key 1"])  # the other one does not wait
        await until(lambda: "the audit sink far fails: it is broken" in told(site))
        assert DEADLINE <= time.monotonic() - started < DEADLINE + 5
        outlet.broken = False
        await until(lambda: told(site) == "" and len(outlet.lines) == 1)


class Hanging:
    """A sink on a file system that does not answer until it is back."""

    def __init__(self) -> None:
        self.back = threading.Event()

    def send(self, _: Sequence[bytes]) -> None:
        self.back.wait(120)

    def close(self) -> None:
        return


async def test_a_sink_that_does_not_answer_is_told_though_it_does_not_fail(site: Site) -> None:
    outlet = Hanging()
    async with running(site, Sink("far", outlet, cef=False)):
        site.reads.record(event(1))
        await until(lambda: "the audit sink far fails: it does not answer" in told(site))
        outlet.back.set()
        await until(lambda: told(site) == "")


async def test_a_forwarder_that_is_gone_is_told(site: Site) -> None:
    async with running(site, site.to_file()):
        assert told(site) == ""
    started = time.monotonic() - 2 * DEADLINE
    await until(lambda: "nobody forwards" in problem(site.folder, deadline=DEADLINE, started=started))


async def test_a_forwarder_that_is_gone_is_told_though_the_clock_was_set_back(site: Site) -> None:
    said = {"at": int(time.time()) + 86_400, "problem": ""}
    (site.folder / "sinks").write_text(json.dumps(said))
    started = time.monotonic() - 2 * DEADLINE
    assert "nobody forwards" in problem(site.folder, deadline=DEADLINE, started=started)


def test_what_the_disk_did_not_keep_was_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An anchor that is lost in a power cut would be missed by nobody."""

    def fail(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    outlet = FileOutlet(tmp_path / "anchor")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutletFailed, match="Input/output error"):
        outlet.send([b"a line"])
    monkeypatch.undo()
    outlet.send([b"a line"])


def test_a_pipe_takes_lines_though_it_has_no_disk(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        FileOutlet(pipe).send([b"a line"])
        assert os.read(reader, 100) == b"a line\n"
    finally:
        os.close(reader)


def told(site: Site) -> str:
    return problem(site.folder, deadline=60, started=time.monotonic())


def test_a_tail_misses_nothing_where_one_segment_follows_another(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    log = ReadLog(folder, row=0, size=2048)
    log.open(open_directory(folder))
    places: dict[int, tail.Place] = {}
    seen: list[str] = []
    for number in range(200):
        log.record(event(number))
        if number % 3 == 0:
            records, places, _ = tail.read(folder, places, 300)
            seen += [json.loads(record.event)["objects"][0] for record in records]
    log.close()
    more = True
    while more:
        records, places, more = tail.read(folder, places, 300)
        seen += [json.loads(record.event)["objects"][0] for record in records]
    assert seen == [f"key {number}" for number in range(200)]
    assert tail.ends(folder) == places
    assert tail.from_json(tail.to_json(places)) == places
