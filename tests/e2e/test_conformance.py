"""The published test cases, over TLS, on a server as its users run it.

Rule: the life-cycle profiles must pass without exception in every encoding; of all other cases, those that
`data/conformance.json` says have passed, once, but for the few that wait for a date to pass. Those that are
excepted must fail as it says.
"""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from strongroom import testing
from strongroom.conformance.cases import Case, load
from strongroom.conformance.results import Outcome, Run
from strongroom.conformance.session import Options, play
from strongroom.wire.encodings import Encoding
from tests import oasis
from tools.gen_matrix import EXCEPTIONS
from tools.record_conformance import SETTINGS, ask, entry, free_address, told

RECORD = Path(__file__).parents[2] / "data" / "conformance.json"
CHOSEN = frozenset({"SKLC", "SKFF", "AKLC", "OMOS", "SASED", "TL", "AX", "BL", "CS-BC"})
SLOW = re.compile(r"TC-92-|TC-OFFSET-1-")  # they wait for up to two minutes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a server of this module's own: the cases locate what they made, and nothing else may fit."""
    with testing.server(tmp_path_factory.mktemp("conformance"), workers=2, settings=SETTINGS) as server:
        yield server


def names(folder: Path) -> list[str]:
    """Return the cases that must pass."""
    cases, _ = load(folder)
    return [case.name for case in cases if case.family in CHOSEN]


def recorded() -> list[dict[str, str]]:
    """Return what the documents claim: a row for each case."""
    rows: list[dict[str, str]] = json.loads(RECORD.read_text())["cases"]
    return rows


def conform(server: testing.Server, cases: Sequence[str], **given: Any) -> Run:
    said: list[str] = []
    options = Options(vectors=oasis.folder(), profiles=[server.profile], cases=cases, **given)
    return play(options, said.append)


def failures(done: Run) -> dict[str, str | None]:
    """Return the cases that did not pass, and why."""
    return {
        result.name: result.failure.reason if result.failure else result.reason
        for result in done.results
        if result.outcome is not Outcome.PASSED
    }


def test_every_chosen_case_passes_and_passes_again_in_other_encodings(server: testing.Server) -> None:
    """The second time the server holds what the first run has left: nothing that disturbs.

    KMIP Additional Message Encodings 1.0 §4, §6: the results are logically the same.
    """
    for encoding in (None, Encoding.JSON, Encoding.XML):
        done = conform(server, names(oasis.folder()), encoding=encoding)
        assert failures(done) == {}
        assert len(done.results) == len(names(oasis.folder()))


def others() -> list[Case]:
    """Return the cases of no life-cycle profile that have passed."""
    passed = {row["name"] for row in recorded() if row["outcome"] == Outcome.PASSED.value}
    cases, _ = load(oasis.folder())
    return [
        case
        for case in cases
        if case.name in passed and case.family not in CHOSEN and not SLOW.match(case.name)
    ]


def test_what_has_passed_passes(server: testing.Server) -> None:
    """Those of KMIP over HTTPS, with it."""
    wanted = [case.name for case in others() if not case.has_server_messages]
    failed = failures(conform(server, wanted))
    assert {name: why for name, why in failed.items() if name in wanted} == {}


def test_the_cases_in_which_the_server_asks_pass(tmp_path: Path) -> None:
    """A server for each version: what one case leaves to be told would come in the middle of another."""
    asked = [case for case in others() if case.has_server_messages]
    for version in sorted({case.version for case in asked}):
        endpoint, folder = free_address(), tmp_path / str(version)
        folder.mkdir()
        with testing.server(folder, settings=SETTINGS | told(endpoint)) as server:
            wanted = [case.name for case in asked if case.version == version]
            prompt = shlex.join(ask(server))
            assert failures(conform(server, wanted, endpoint=endpoint, prompt=prompt)) == {}


def test_what_is_excepted_fails_at_the_step_that_the_record_names(server: testing.Server) -> None:
    """An exception excuses one step for one reason: nothing that breaks before it, or in its place."""
    excepted = {name for one in EXCEPTIONS for name in one["cases"]}
    found = {result.name: entry(result) for result in conform(server, sorted(excepted)).results}
    assert {name: found[name] for name in excepted} == {
        row["name"]: row for row in recorded() if row["name"] in excepted
    }


def test_the_record_has_every_case_once_and_claims_the_chosen_ones() -> None:
    """The numbers in the documents are those of all public cases, not of some."""
    cases, unreadable = load(oasis.folder())
    rows = recorded()
    assert sorted(row["name"] for row in rows) == sorted(
        [case.name for case in cases] + [file.name for file in unreadable]
    )
    chosen = set(names(oasis.folder()))
    assert {r["name"]: r.get("why") for r in rows if r["name"] in chosen and r["outcome"] != "passed"} == {}
