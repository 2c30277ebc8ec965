"""SIGKILL at every step of Create, Re-key and Destroy; then a restart and a look (faults 29).

Rule: an object is there whole or not at all, an answer that was given holds, and the database is sound.
`test_kill.py` does the same at random moments, to all processes of a server and to PostgreSQL.
"""

import json
import multiprocessing
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import V2_1, State, StorageStatusMask, Tag
from tests.faults import dying
from tests.faults.dying import NAMED, OPERATIONS
from tests.faults.noise import create
from tests.kms import Refused, TestKms, template
from tests.wrapping import material_of

LEAST: Final = 50
"""Points, of all three operations together; there are more."""

EVERYWHERE: Final = StorageStatusMask.ON_LINE_STORAGE | StorageStatusMask.DESTROYED_STORAGE
SHORT: Final = 6
"""The short form takes one point in so many, but all that are statements or stand next to the commit."""


class Stage:
    """One store as it is before the operation, copied for each run."""

    def __init__(self, folder: Path, operation: str) -> None:
        self._folder = folder
        self._operation = operation
        self._runs = 0
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["tests.faults.dying"])
        self._before = folder / "before"
        self._before.mkdir()
        kms = TestKms(self._before)
        if operation != "Create":
            kms.call(create(NAMED))
        kms.close()

    def play(self, victim: str | None) -> tuple[Path, bool, list[str]]:
        """Run the operation on a copy; return it, whether it was answered, and the points that it passed."""
        self._runs += 1
        directory = self._folder / f"run-{self._runs}"
        shutil.copytree(self._before, directory)
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=dying.run, args=(directory, self._operation, victim, theirs))
        process.start()
        theirs.close()
        told = []
        try:
            while True:
                told.append(ours.recv())
        except EOFError:
            process.join()
        assert process.exitcode == (0 if victim is None else -9), (victim, process.exitcode)
        return directory, bool(told), told[1] if len(told) > 1 else []


@pytest.fixture(params=sorted(OPERATIONS))
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return Stage(tmp_path, request.param)


def some(points: list[str]) -> list[str]:
    near = {n for n, point in enumerate(points) if "COMMIT" in point or "commit" in point or "apply" in point}
    return [
        point for n, point in enumerate(points) if n % SHORT == 0 or n in near or point.split()[0].isupper()
    ]


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_kill_at_any_step_leaves_all_or_nothing(
    stage: Stage, request: pytest.FixtureRequest, every: bool
) -> None:
    """faults 29: at named points."""
    operation = request.node.callspec.params["stage"]
    directory, answered, points = stage.play(None)
    assert answered
    assert look(directory, operation)
    assert len(points) * len(OPERATIONS) >= LEAST * 2
    outcomes = []
    for victim in points if every else some(points):
        directory, answered, _ = stage.play(victim)
        done = look(directory, operation)
        assert done or not answered, f"{victim}: what was answered is lost"
        outcomes.append(done)
        shutil.rmtree(directory)
    # There is one moment at which it happens, and it is not undone again.
    assert outcomes == sorted(outcomes)
    assert {True, False} == set(outcomes)


def look(directory: Path, operation: str) -> bool:
    """Return whether the operation was done, by all that shows it; it was done whole or not at all."""
    database = directory / "strongroom.db"
    kms = TestKms(directory)
    try:
        search = LocateRequest(storage_status_mask=EVERYWHERE)
        everything = kms.call(search, version=V2_1).unique_identifier
        found = kms.call(search.replace(attributes=template(NAMED)), version=V2_1)
        states = {one: attributes(kms, one, Tag.STATE) for one in everything}
        match operation:
            case "Create":
                done = bool(everything)
                assert len(everything) == len(found.unique_identifier) == done
            case "Destroy":
                assert len(everything) == 1
                done = states[everything[0]] == [State.DESTROYED]
            case "Re-key":
                done = len(everything) == 2
                linked = [one for one in everything if attributes(kms, one, Tag.LINK)]
                assert len(everything) in (1, 2)
                assert len(linked) == (2 if done else 0)
                assert len(found.unique_identifier) == 1
        for one in everything:
            if states[one] != [State.DESTROYED]:
                material = kms.call(GetRequest(unique_identifier=one)).managed_object
                assert len(material_of(material)) in (32, 40)
            else:
                with pytest.raises(Refused):
                    kms.call(GetRequest(unique_identifier=one))
    finally:
        kms.close()
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        orphans = "SELECT count(*) FROM terms WHERE sequence NOT IN (SELECT sequence FROM objects)"
        assert connection.execute(orphans).fetchone() == (0,)
        events = [event for (event,) in connection.execute("SELECT event FROM audit")]
    spelled = operation.replace("-", "").lower()
    written = [e for e in events if spelled in json.loads(e).get("operation", "").replace("_", "").lower()]
    assert len(written) == done, "the record is in the commit of the change"
    return done


def attributes(kms: TestKms, identifier: UniqueIdentifier, tag: Tag) -> list[object]:
    answer = kms.call(GetAttributesRequest(unique_identifier=identifier), version=V2_1)
    return [one.value for one in answer.attributes.attributes if one.key is tag]
