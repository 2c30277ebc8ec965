"""The published test cases of the life-cycle profiles, over TLS, on a server as its users run it.

Rule: what is chosen here must pass without exception; what Strongroom does not do yet is not chosen, and
the patterns below say so.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom import testing
from strongroom.conformance.cases import load
from strongroom.conformance.results import Outcome, Run
from strongroom.conformance.session import Options, play
from tests import oasis

CHOSEN = ("SKLC-*", "SKFF-*", "AKLC-*", "OMOS-*", "SASED-*", "TL-*", "AX-*", "BL-*", "CS-BC-*")
# Users, groups, credentials and Obliterate; ciphers other than AES.
NOT_YET = re.compile(r"BL-M-(15|17|19|20|21)-30|CS-BC-M-(CHACHA20|.*3DES)")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    """Give a server of this module's own: the cases locate what they made, and nothing else may fit."""
    with testing.server(tmp_path_factory.mktemp("conformance"), workers=2) as server:
        yield server


def names(folder: Path) -> list[str]:
    """Return the cases that must pass."""
    families = {pattern.removesuffix("-*") for pattern in CHOSEN}
    cases, _ = load(folder)
    return [case.name for case in cases if case.family in families and not NOT_YET.search(case.name)]


def conform(server: testing.Server) -> Run:
    said: list[str] = []
    options = Options(vectors=oasis.folder(), profiles=[server.profile], cases=names(oasis.folder()))
    return play(options, said.append)


def test_every_chosen_case_passes_and_passes_again(server: testing.Server) -> None:
    """The second time the server holds what the first run has left: nothing that disturbs."""
    for _ in range(2):
        done = conform(server)
        failed = {
            result.name: result.failure.reason if result.failure else result.reason
            for result in done.results
            if result.outcome is not Outcome.PASSED
        }
        assert failed == {}
        assert len(done.results) == len(names(oasis.folder()))
