"""The conformance runner on PyKMIP's server: honest about what it does and does not do, never a crash.

PyKMIP 0.11 creates and destroys AES keys as printed (SKFF-M-1 to 3). It has no Digest attribute (SKLC,
AKLC), knows none of KMIP 2.1 and 3.0, and closes or answers in its own version where it cannot follow.
"""

import pytest

from strongroom.conformance.cases import load
from strongroom.conformance.player import Settings
from strongroom.conformance.results import CaseResult, Outcome, Run
from strongroom.conformance.runner import Bench, run
from strongroom.conformance.target import load_target
from tests import oasis
from tests.interop.endpoint import Endpoint

VERSIONS = ("10", "11", "12", "13", "14")
PASSES = {f"SKFF-M-{number}-{version}" for number in (1, 2, 3) for version in VERSIONS}
FAMILIES = ("SKLC", "SKFF", "AKLC", "SASED", "TL", "BL", "CS-BC")


@pytest.fixture(scope="module")
def done(pykmip_endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Run:
    profile = tmp_path_factory.mktemp("profile") / "profile.toml"
    profile.write_text(
        f'servers = ["{pykmip_endpoint.host}:{pykmip_endpoint.port}"]\n'
        f'cert = "{pykmip_endpoint.cert}"\nkey = "{pykmip_endpoint.key}"\nca = "{pykmip_endpoint.ca}"\n'
    )
    cases, unreadable = load(oasis.folder())
    chosen = [case for case in cases if case.family in FAMILIES]
    bench = Bench(first=load_target(profile), second=None, settings=Settings(timeout=10, longest_wait=2))
    return run(chosen, unreadable, bench, vectors="oasis")


def result(done: Run, name: str) -> CaseResult:
    return next(entry for entry in done.results if entry.name == name)


def test_what_pykmip_can_do_passes(done: Run) -> None:
    passed = {entry.name for entry in done.results if entry.outcome is Outcome.PASSED}
    assert passed >= PASSES


def test_every_case_has_an_outcome_and_each_failure_its_place(done: Run) -> None:
    for entry in done.results:
        assert entry.outcome is not Outcome.NOT_PLAYED
        if entry.outcome is Outcome.FAILED:
            assert entry.failure is not None
            assert entry.failure.reason
            assert entry.failure.request


def test_a_missing_attribute_is_named(done: Run) -> None:
    failure = result(done, "SKLC-M-1-14").failure
    assert failure is not None
    assert (failure.step, failure.operations) == (2, "Get Attributes")
    assert "Attribute[Digest]" in failure.reason


def test_an_unknown_version_is_a_failure_not_a_crash(done: Run) -> None:
    failure = result(done, "SKFF-M-1-30").failure
    assert failure is not None
    assert "ProtocolVersionMajor: expected 3, received 1" in failure.reason


def test_nothing_is_left_on_the_server(done: Run) -> None:
    left = [note for entry in done.results for note in entry.notes if "left on the server" in note]
    assert left == []
