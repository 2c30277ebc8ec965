"""No space left: changes are refused, reads go on, and no restart is needed (fault 30).

Rule: the disk is full for everything that the server writes, its log included.
"""

import contextlib
import resource
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from strongroom import Client, testing
from strongroom.audit.segments import Segment, segments
from strongroom.client.errors import ServerFailure
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import Tag
from tests.processes import kill_trees, process_tree

DISK: Final = 12 * 2**20
SMALL: Final = {"audit": {"segment_size": 2**20}}
UNLIMITED: Final = resource.RLIM_INFINITY


class Site(NamedTuple):
    """A server, how to make it run out of space, and what it then tells the client to do."""

    server: testing.Server
    shortage: Callable[[], AbstractContextManager[None]]
    cure: str


@pytest.fixture(params=["full disk", "quota"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    if request.param == "quota":
        with testing.server(tmp_path, workers=2, settings=SMALL) as server:
            yield Site(server, lambda: quota(server), "check the disk, its free space and quotas")
        return
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk has to be mounted, which only root may do")
    try:
        with testing.server(tmp_path, workers=2, settings=SMALL) as server:
            yield Site(server, lambda: full(tmp_path), "free some space")
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)


@contextlib.contextmanager
def full(disk: Path) -> Iterator[None]:
    """Fill a disk to its last byte with a file that is removed at the end."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    try:
        yield
    finally:
        filler.unlink()


@contextlib.contextmanager
def quota(server: testing.Server) -> Iterator[None]:
    """Let no process of the server make a file longer than its log is now."""
    processes = process_tree(server.process.pid)
    most = max(file.stat().st_size for file in (server.log, server.directory / "strongroom.db-wal"))
    for process in processes:
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most, UNLIMITED))
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):  # the test has killed it
                resource.prlimit(process, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))


def create_until_refused(client: Client) -> tuple[list[UniqueIdentifier], ServerFailure]:
    """Return the keys that were acknowledged, and the refusal."""
    made: list[UniqueIdentifier] = []
    for number in range(1000):
        try:
            made.append(client.create_symmetric_key(name=f"late {number}"))
        except ServerFailure as refusal:
            return made, refusal
    raise AssertionError("there is always space")


def test_a_change_without_space_is_refused_with_the_cure(site: Site) -> None:
    with Client.from_profile(site.server.profile) as client, site.shortage():
        made, refusal = create_until_refused(client)
        assert site.cure in refusal.message
        # What is refused has not happened.
        assert sorted(client.locate()) == sorted(made)


def test_reads_go_on_without_space(site: Site) -> None:
    """Also the first Get of a key, which would note that the key is not fresh any more."""
    with Client.from_profile(site.server.profile) as before:
        identifier = before.create_symmetric_key(name="early")
        with site.shortage():
            made, _ = create_until_refused(before)
            with Client.from_profile(site.server.profile) as client:
                for one in (identifier, *made):
                    assert len(client.get_material(one)) == 32
                assert client.find("early") == identifier
                assert client.get_attributes(identifier, Tag.NAME)


def test_changes_go_on_when_there_is_space_again(site: Site) -> None:
    with Client.from_profile(site.server.profile) as client:
        with site.shortage():
            made, _ = create_until_refused(client)
        process = site.server.process.pid
        after = client.create_symmetric_key(name="after")
        client.activate(after)
        assert sorted(client.locate()) == sorted([*made, after])
        assert site.server.process.pid == process


def test_a_kill_without_space_loses_nothing(site: Site) -> None:
    with Client.from_profile(site.server.profile) as client:
        with site.shortage():
            made, _ = create_until_refused(client)
            kill_trees([site.server.process.pid])
            site.server.kill()
        site.server.start()
        assert sorted(client.locate()) == sorted(made)
        for one in made:
            assert len(client.get_material(one)) == 32


def test_reads_that_nobody_can_record_are_refused_until_there_is_space(site: Site) -> None:
    """They go on in the space that was reserved, and none that was answered is missing (issue 4, part 5)."""
    with Client.from_profile(site.server.profile) as client:
        identifier = client.create_symmetric_key(name="read")
        client.get_material(identifier)  # the first one is a change: the key is not fresh any more
        with site.shortage():
            done = next(
                number for number in range(30_000) if not succeeds(lambda: client.get_material(identifier))
            )
            with pytest.raises(ServerFailure, match="audit log"):
                client.get_material(identifier)
            # What touches no object is answered all the same.
            assert client.discover_versions()
        wait_until(lambda: succeeds(lambda: client.get_material(identifier)))
        assert len(reads(site.server.directory / "audit", identifier)) == done + 1


def reads(folder: Path, identifier: str) -> list[bytes]:
    """Return the recorded Gets of an object, of all workers."""
    found = []
    for name in segments(folder):
        segment = Segment(str(name), (folder / str(name)).read_bytes())
        if segment.begun:
            segment.read_header()
            found += [
                one for one in segment.records() if b'"operation":"Get"' in one and identifier.encode() in one
            ]
    return [one for one in found if b'"outcome":"success"' in one]


def succeeds(call: Callable[[], object]) -> bool:
    try:
        call()
    except ServerFailure:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)
