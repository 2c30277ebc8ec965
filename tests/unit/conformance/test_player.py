"""A case is played step by step, in order, and waits only where its listing allows for time to pass."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from strongroom.client.profile import Profile
from strongroom.conformance.cases import Case, load, load_case
from strongroom.conformance.player import Chain, Client, Player, Settings
from strongroom.conformance.report import as_json, failure_text
from strongroom.conformance.results import CaseResult, Outcome, Run
from strongroom.conformance.target import Target
from strongroom.conformance.template import parse_message
from strongroom.conformance.trees import find
from strongroom.model.secret import SecretBytes
from strongroom.registry import Tag
from strongroom.wire import binary
from strongroom.wire.item import Item
from tests import oasis
from tests.unit.conformance.listing_server import ListingServer
from tests.unit.conformance.samples import LIFE, answer, identifier, refusal, request, write_case

TARGET = Target(
    Profile(servers=("localhost:5696",), cert=Path("cert.pem"), key=Path("key.pem"), ca=Path("ca.pem"))
)
START = 1_700_000_000
STAMP = "2023-11-14T22:13:20+00:00"


@dataclass
class Time:
    """A clock that only moves when somebody sleeps."""

    now: float = START
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@dataclass
class Answers:
    """A server that gives these answers one after the other."""

    answers: list[str]
    asked: list[Item] = field(default_factory=list)

    def exchange(self, message: bytes) -> bytes:
        self.asked.append(binary.decode(message))
        return binary.encode(parse_message(self.answers.pop(0).replace("$NOW", STAMP).encode()))

    def close(self) -> None:
        pass


def play(case: Case, server: Answers, time: Time, *, target: Target = TARGET) -> CaseResult:
    clients = dict.fromkeys({"A", *case.clients}, Client(target, server))
    settings = Settings(clock=time, sleep=time.sleep, longest_wait=180)
    return Player(case, clients=clients, chain=Chain(time()), settings=settings).play()


def test_a_server_that_answers_as_printed_passes_every_oasis_case() -> None:
    failed = []
    for case in load(oasis.folder())[0]:
        server = ListingServer(case)
        clients = dict.fromkeys({"A", *case.clients}, Client(TARGET, server))
        settings = Settings(longest_wait=0)
        chain = Chain(settings.clock())
        result = Player(case, clients=clients, chain=chain, settings=settings, listener=server).play()
        if result.outcome is not Outcome.PASSED:
            failed.append((case.name, result.failure and result.failure.reason))
    assert failed == []


def test_the_first_step_that_fails_ends_the_case(tmp_path: Path) -> None:
    case = load_case(write_case(tmp_path, "# TIME 7", *LIFE))
    server = Answers([refusal("Create", "PermissionDenied")])
    result = play(case, server, Time())
    assert result.outcome is Outcome.FAILED
    assert result.failure is not None
    assert (result.failure.step, result.failure.time, result.failure.operations) == (1, 7, "Create")
    assert "PermissionDenied" in result.failure.reason  # what the server says of it
    assert result.failure.answer_bytes
    assert len(server.asked) == 1


def test_a_variable_that_nothing_binds_fails_the_step_that_needs_it(tmp_path: Path) -> None:
    case = load_case(write_case(tmp_path, request("Get", identifier()), answer("Get", identifier())))
    result = play(case, Answers([]), Time())
    assert result.failure is not None
    assert "$UNIQUE_IDENTIFIER_0" in result.failure.reason


POLLED = '<AsynchronousCorrelationValue type="ByteString" value="01"/>'
PENDING = answer("Locate").replace("Success", "OperationPending")


def test_a_poll_is_repeated_while_the_operation_is_pending(tmp_path: Path) -> None:
    case = load_case(write_case(tmp_path, request("Poll", POLLED), answer("Locate")))
    time = Time()
    server = Answers([PENDING, PENDING, answer("Locate")])
    assert play(case, server, time).outcome is Outcome.PASSED
    assert len(time.slept) == 2


def test_polling_ends_after_the_longest_wait(tmp_path: Path) -> None:
    case = load_case(write_case(tmp_path, request("Poll", POLLED), answer("Locate")))
    time = Time()
    result = play(case, Answers([PENDING] * 1000), time)
    assert result.outcome is Outcome.FAILED
    assert sum(time.slept) <= 180


def state(name: str) -> str:
    return answer(
        "GetAttributes",
        '<Attribute><AttributeName type="TextString" value="State"/>'
        f'<AttributeValue type="Enumeration" value="{name}"/></Attribute>',
    )


DEACTIVATION = (
    '<Attribute><AttributeName type="TextString" value="Deactivation Date"/>'
    '<AttributeValue type="DateTime" value="{}"/></Attribute>'
)
LATER = (
    request("AddAttribute", DEACTIVATION.format("$NOW+120")),
    answer("AddAttribute"),
    request("GetAttributes"),
    state("Deactivated"),
)


def test_a_question_is_asked_again_when_a_date_has_passed(tmp_path: Path) -> None:
    """TC-92: State changes to Deactivated 120 seconds after the request that set the date."""
    case = load_case(write_case(tmp_path, *LATER))
    time = Time()
    server = Answers([answer("AddAttribute"), state("Active"), state("Deactivated")])
    assert play(case, server, time).outcome is Outcome.PASSED
    assert time.now > START + 120


def test_but_not_when_the_date_is_too_far_away(tmp_path: Path) -> None:
    far = [part.replace("$NOW+120", "$NOW+3600") for part in LATER]
    time = Time()
    server = Answers([answer("AddAttribute"), state("Active")])
    assert play(load_case(write_case(tmp_path, *far)), server, time).outcome is Outcome.FAILED
    assert time.slept == []


def test_a_request_that_changes_something_is_never_sent_twice(tmp_path: Path) -> None:
    case = load_case(
        write_case(
            tmp_path, *LATER[:2], request("Destroy", identifier("x")), answer("Destroy", identifier("x"))
        )
    )
    server = Answers([answer("AddAttribute"), refusal("Destroy", "PermissionDenied")])
    assert play(case, server, Time()).outcome is Outcome.FAILED
    assert len(server.asked) == 2


def test_dates_that_were_in_the_future_when_printed_are_moved(tmp_path: Path) -> None:
    """TC-92-10 sets a Deactivation Date of 2010, two minutes after the printed time stamp."""
    printed = "2010-02-11T13:01:59+00:00"
    parts = [
        request("AddAttribute", DEACTIVATION.format("2010-02-11T13:03:59+00:00")),
        answer("AddAttribute").replace("$NOW", printed),
    ]
    server = Answers([answer("AddAttribute")])
    play(load_case(write_case(tmp_path, *parts)), server, Time())
    assert next(find(server.asked[0], Tag.ATTRIBUTE_VALUE))[2] == START + 120


def test_dates_that_were_past_when_printed_are_sent_as_printed(tmp_path: Path) -> None:
    parts = [
        request("AddAttribute", DEACTIVATION.format("2009-02-11T13:01:59+00:00")),
        answer("AddAttribute").replace("$NOW", "2010-02-11T13:01:59+00:00"),
    ]
    server = Answers([answer("AddAttribute")])
    play(load_case(write_case(tmp_path, *parts)), server, Time())
    assert next(find(server.asked[0], Tag.ATTRIBUTE_VALUE))[2] == 1234357319


def test_the_profile_s_credentials_are_added_where_the_case_has_none(tmp_path: Path) -> None:
    target = Target(replace(TARGET.profile, username="someone", password=SecretBytes(b"secret")))
    case = load_case(write_case(tmp_path, request("Query"), answer("Query")))
    server = Answers([answer("Query")])
    assert play(case, server, Time(), target=target).outcome is Outcome.PASSED
    header = next(find(server.asked[0], Tag.REQUEST_HEADER))
    assert [item[0] for item in header[2]] == [Tag.PROTOCOL_VERSION, Tag.AUTHENTICATION, Tag.BATCH_COUNT]
    assert next(find(header, Tag.USERNAME))[2] == "someone"


def test_a_failing_step_is_shown_with_the_bytes_that_were_sent_but_never_the_credentials(
    tmp_path: Path,
) -> None:
    target = Target(replace(TARGET.profile, username="someone", password=SecretBytes(b"hunter2")))
    case = load_case(write_case(tmp_path, request("Query"), answer("Query")))
    result = play(case, Answers([refusal("Query", "GeneralFailure")]), Time(), target=target)
    failure = result.failure
    assert failure is not None
    assert b"hunter2" not in failure.request_bytes
    assert "hunter2" not in failure_text(failure)
    assert "hunter2" not in json.dumps(as_json(Run(target="", vectors="", started=0, results=[result])))
    assert binary.decode(failure.request_bytes)[0] == Tag.REQUEST_MESSAGE


def test_a_message_of_the_server_without_an_endpoint_fails(tmp_path: Path) -> None:
    case = load_case(write_case(tmp_path, request("Notify"), answer("Notify")))
    result = play(case, Answers([]), Time())
    assert result.failure is not None
    assert "endpoint" in result.failure.reason
