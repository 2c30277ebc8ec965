"""Every case ends up in the result, and what a case leaves behind is removed."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from strongroom.conformance.cases import Case, load
from strongroom.conformance.player import Settings
from strongroom.conformance.results import Outcome, tallies
from strongroom.conformance.runner import Bench, run
from strongroom.conformance.target import Target
from strongroom.conformance.template import parse_message
from strongroom.conformance.trees import operations
from strongroom.registry import V1_4, Operation, Tag
from strongroom.wire import binary
from strongroom.wire.framing import Framer
from tests.unit.conformance.conftest import Behaviour
from tests.unit.conformance.samples import (
    CREATE,
    CREATED,
    answer,
    identifier,
    refusal,
    request,
    write_case,
)

Start = Callable[[Behaviour], Target]
STAMP = "2023-11-14T22:13:20+00:00"


@dataclass
class Keeper:
    """Creates objects, and refuses to destroy them until they are revoked."""

    asked: list[int | None] = field(default_factory=list)
    revoked: bool = False
    stubborn: bool = False

    def __call__(self, peer: ssl.SSLSocket) -> None:
        framer = Framer(expects=Tag.REQUEST_MESSAGE)
        while data := peer.recv(65536):
            framer.feed(data)
            while (message := framer.next_message()) is not None:
                peer.sendall(self._answer(message))

    def _answer(self, message: bytes) -> bytes:
        (operation,) = operations(binary.decode(message))
        self.asked.append(operation)
        text = answer("Create", CREATED.replace("$UNIQUE_IDENTIFIER_0", "key-1"))
        if operation == Operation.REVOKE:
            self.revoked = True
            text = answer("Revoke", identifier("key-1"))
        elif operation == Operation.DESTROY:
            refused = self.stubborn or not self.revoked
            text = (
                refusal("Destroy", "PermissionDenied") if refused else answer("Destroy", identifier("key-1"))
            )
        elif operation == Operation.GET:
            text = answer("Get", identifier("key-1"))
        return binary.encode(parse_message(text.replace("$NOW", STAMP).encode()))


LEAVING = (request("Create", CREATE), answer("Create", CREATED))


def bench(target: Target) -> Bench:
    return Bench(first=target, second=None, settings=Settings(timeout=5, longest_wait=1, tolerance=10**10))


def cases_of(folder: Path) -> list[Case]:
    return load(folder)[0]


def test_what_a_case_leaves_is_revoked_and_destroyed(tmp_path: Path, scripted: Start) -> None:
    write_case(tmp_path, *LEAVING)
    keeper = Keeper()
    (result,) = run(cases_of(tmp_path), [], bench(scripted(keeper)), vectors="ours").results
    assert result.outcome is Outcome.PASSED
    assert result.notes == ()
    assert keeper.asked == [Operation.CREATE, Operation.DESTROY, Operation.REVOKE, Operation.DESTROY]


def test_what_cannot_be_removed_is_noted(tmp_path: Path, scripted: Start) -> None:
    write_case(tmp_path, *LEAVING)
    (result,) = run(cases_of(tmp_path), [], bench(scripted(Keeper(stubborn=True))), vectors="ours").results
    assert "key-1 is left on the server" in result.notes[0]


def test_a_chain_is_cleaned_up_after_its_last_case(tmp_path: Path, scripted: Start) -> None:
    write_case(tmp_path, *LEAVING, name="TL-M-2-14")
    write_case(tmp_path, request("Get", identifier("key-1")), answer("Get", identifier()), name="TL-M-3-14")
    keeper = Keeper()
    run(cases_of(tmp_path), [], bench(scripted(keeper)), vectors="ours")
    assert keeper.asked[:2] == [Operation.CREATE, Operation.GET]


def test_a_case_that_fails_does_not_stop_the_next(tmp_path: Path, scripted: Start) -> None:
    write_case(tmp_path, request("Locate"), answer("Locate"), name="XX-M-1-14")
    write_case(tmp_path, *LEAVING, name="XX-M-2-14")
    done = run(cases_of(tmp_path), [], bench(scripted(Keeper())), vectors="ours")
    assert [result.outcome for result in done.results] == [Outcome.FAILED, Outcome.PASSED]
    assert not done.conforms


def test_what_cannot_be_played_or_read_is_in_the_result_with_its_reason(
    tmp_path: Path, scripted: Start
) -> None:
    write_case(tmp_path, request("Notify"), answer("Notify"), name="XX-M-1-14")
    write_case(tmp_path, request("Query"), answer("Query"), name="MSGENC-HTTPS-M-1-14")
    (tmp_path / "broken.xml").write_text("<KMIP>")
    cases, unreadable = load(tmp_path)
    done = run(cases, unreadable, bench(scripted(Keeper())), vectors="ours")
    assert {result.outcome for result in done.results} == {Outcome.NOT_PLAYED}
    reasons = {result.name: result.reason or "" for result in done.results}
    assert "endpoint" in reasons["XX-M-1-14"]
    assert "https" in reasons["MSGENC-HTTPS-M-1-14"]
    assert "not well-formed" in reasons["broken"]
    assert not done.conforms


def test_a_case_that_cannot_be_read_counts_in_its_profile_and_version(
    tmp_path: Path, scripted: Start
) -> None:
    """Otherwise the numbers would be those of fewer cases, and all of them pass."""
    write_case(tmp_path, *LEAVING, name="SKLC-M-1-14")
    (tmp_path / "SKLC-M-2-14.xml").write_text("<KMIP>")
    cases, unreadable = load(tmp_path)
    done = run(cases, unreadable, bench(scripted(Keeper())), vectors="ours")
    tally = tallies(done.results)["SKLC"][V1_4]
    assert (tally.passed, tally.total) == (1, 2)


def test_the_second_profile_plays_the_second_client(tmp_path: Path, scripted: Start) -> None:
    both = (
        "# [Client-A]",
        *LEAVING,
        "# [Client-B]",
        request("Get", identifier()),
        answer("Get", identifier()),
    )
    write_case(tmp_path, *both)
    first, second = Keeper(revoked=True), Keeper()
    played = replace(bench(scripted(first)), second=scripted(second))
    (result,) = run(cases_of(tmp_path), [], played, vectors="ours").results
    assert result.outcome is Outcome.PASSED
    assert result.notes == ()
    assert second.asked == [Operation.GET]


def test_one_profile_plays_both_clients_and_says_so(tmp_path: Path, scripted: Start) -> None:
    write_case(tmp_path, *LEAVING, "# [Client-B]", request("Get", identifier()), answer("Get", identifier()))
    (result,) = run(cases_of(tmp_path), [], bench(scripted(Keeper(revoked=True))), vectors="ours").results
    assert "one profile played all clients" in result.notes[0]


def test_a_server_of_garbage_fails_every_case_and_stops_none(tmp_path: Path, scripted: Start) -> None:
    for number in (1, 2):
        write_case(tmp_path, *LEAVING, name=f"XX-M-{number}-14")

    def garbage(peer: ssl.SSLSocket) -> None:
        while peer.recv(65536):
            peer.sendall(b"\x00" * 64)

    done = run(cases_of(tmp_path), [], bench(scripted(garbage)), vectors="ours")
    assert [result.outcome for result in done.results] == [Outcome.FAILED, Outcome.FAILED]
    failure = done.results[0].failure
    assert failure is not None
    assert failure.answer is None
    assert failure.answer_bytes == b"\x00" * 64
