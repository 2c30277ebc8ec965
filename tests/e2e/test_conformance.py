"""The published test cases of the life-cycle profiles, over TLS, on a server as its users run it.

Rule: what is chosen here must pass without exception, and so must what `data/conformance.json` says has
passed; what Strongroom does not do yet is not chosen, and the patterns below say so.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import testing
from strongroom.conformance.cases import load
from strongroom.conformance.results import Outcome, Run
from strongroom.conformance.session import Options, play
from strongroom.wire.encodings import Encoding
from tests import oasis

RECORD = Path(__file__).parents[2] / "data" / "conformance.json"
CHOSEN = frozenset({"SKLC", "SKFF", "AKLC", "OMOS", "SASED", "TL", "AX", "BL", "CS-BC"})
# Users, groups, credentials and Obliterate.
NOT_YET = re.compile(r"BL-M-(15|17|19|20|21)-30")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a server of this module's own: the cases locate what they made, and nothing else may fit."""
    settings = {"policy": {"legacy": "on"}}  # some cases encrypt with 3DES
    with testing.server(tmp_path_factory.mktemp("conformance"), workers=2, settings=settings) as server:
        yield server


def names(folder: Path) -> list[str]:
    """Return the cases that must pass."""
    passed = {row["name"] for row in recorded() if row["outcome"] == Outcome.PASSED.value}
    cases, _ = load(folder)
    return [
        case.name
        for case in cases
        if case.family in CHOSEN and (case.name in passed or not NOT_YET.search(case.name))
    ]


def recorded() -> list[dict[str, str]]:
    """Return what the documents claim: a row for each case."""
    rows: list[dict[str, str]] = json.loads(RECORD.read_text())["cases"]
    return rows


def conform(server: testing.Server, encoding: Encoding | None) -> Run:
    said: list[str] = []
    options = Options(
        vectors=oasis.folder(),
        profiles=[server.profile],
        cases=names(oasis.folder()),
        encoding=encoding,
    )
    return play(options, said.append)


def test_every_chosen_case_passes_and_passes_again_in_other_encodings(server: testing.Server) -> None:
    """The second time the server holds what the first run has left: nothing that disturbs.

    KMIP Additional Message Encodings 1.0 §4, §6: the results are logically the same.
    """
    for encoding in (None, Encoding.JSON, Encoding.XML):
        done = conform(server, encoding)
        failed = {
            result.name: result.failure.reason if result.failure else result.reason
            for result in done.results
            if result.outcome is not Outcome.PASSED
        }
        assert failed == {}
        assert len(done.results) == len(names(oasis.folder()))


def test_the_cases_of_https_pass(server: testing.Server) -> None:
    options = Options(vectors=oasis.folder(), profiles=[server.profile], cases=["MSGENC-*"])
    done = play(options, lambda _: None)
    assert {result.name for result in done.results if result.outcome is not Outcome.PASSED} == set()


def test_the_record_has_every_case_once_and_claims_the_chosen_ones() -> None:
    """The numbers in the documents are those of all public cases, not of some."""
    cases, unreadable = load(oasis.folder())
    rows = recorded()
    assert sorted(row["name"] for row in rows) == sorted(entry.name for entry in [*cases, *unreadable])
    chosen = set(names(oasis.folder()))
    assert {r["name"]: r.get("why") for r in rows if r["name"] in chosen and r["outcome"] != "passed"} == {}
