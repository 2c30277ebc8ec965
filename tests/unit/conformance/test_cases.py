"""Case files are read whole, and what their comments say is kept."""

from pathlib import Path

import pytest

from strongroom.conformance.cases import Case, chains, load, load_case, with_predecessors
from strongroom.conformance.trees import find, operations
from strongroom.conformance.variables import UnknownName, Variable
from strongroom.registry import V1_4, Operation, Tag
from tests import oasis
from tests.unit.conformance.samples import (
    CREATE,
    CREATED,
    LIFE,
    answer,
    identifier,
    refusal,
    request,
    write_case,
)


def test_a_case_knows_its_name_family_version_and_group(tmp_path: Path) -> None:
    case = load_case(write_case(tmp_path, *LIFE, name="CS-BC-M-GCM-1-14", group="optional"))
    assert (case.title, case.family, case.version, case.group) == (
        "CS-BC-M-GCM-1",
        "CS-BC",
        V1_4,
        "optional",
    )


def test_the_version_is_the_name_s_even_if_the_messages_disagree(tmp_path: Path) -> None:
    """TC-ECDSA-SIGN-1-14 carries 1.3 in every message."""
    assert load_case(write_case(tmp_path, *LIFE, name="TC-1-13")).version == (1, 3)


def test_without_a_version_in_the_name_the_first_request_tells_it(tmp_path: Path) -> None:
    assert load_case(write_case(tmp_path, *LIFE, name="our-own")).version == V1_4


def test_comments_mark_time_client_and_repetition(tmp_path: Path) -> None:
    notes = "# TIME 3\n# [Client-B]\n# [REPEAT] until the response is returned\n"
    step = load_case(write_case(tmp_path, notes, *LIFE)).steps[0]
    assert (step.time, step.client, step.repeat, step.from_server) == (3, "B", True, False)


def test_without_comments_the_first_client_speaks_once(tmp_path: Path) -> None:
    step = load_case(write_case(tmp_path, *LIFE)).steps[0]
    assert (step.time, step.client, step.repeat) == (None, "A", False)


@pytest.mark.parametrize(
    ("notes", "operation", "name"),
    [
        ("# [Server-to-Client]", "Query", "XX-M-1-14"),
        ("", "Notify", "XX-M-1-14"),
        ("", "Query", "TC-Q-S2C-1-14"),
    ],
)
def test_messages_of_the_server_are_told_from_the_client_s(
    tmp_path: Path, notes: str, operation: str, name: str
) -> None:
    case = load_case(write_case(tmp_path, notes, request(operation), answer(operation), name=name))
    assert case.has_server_messages


def test_responses_in_another_order_are_paired_by_operation(tmp_path: Path) -> None:
    """TC-DERIVEKEY-4-10 prints Destroy, Revoke, then the answers to Revoke and Destroy."""
    case = load_case(
        write_case(
            tmp_path,
            request("Destroy", identifier("x")),
            request("Revoke", identifier("x")),
            answer("Revoke", identifier("x")),
            answer("Destroy", identifier("x")),
        )
    )
    asked = [operations(step.request) for step in case.steps]
    assert asked == [[Operation.REVOKE], [Operation.DESTROY]]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<KMIP>", "not well-formed"),
        ("<Other/>", "root"),
        ("<KMIP/>", "no messages"),
        (f"<KMIP>{request('Query')}</KMIP>", "no response"),
        (f"<KMIP>{answer('Query')}</KMIP>", "before its request"),
        ('<!DOCTYPE KMIP [<!ENTITY a "b">]><KMIP/>', "document type"),
        (f"<KMIP>{request('NoSuchOperation')}{answer('Query')}</KMIP>", "Operation"),
    ],
)
def test_a_file_that_holds_no_case_is_reported_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "bad-14.xml").write_text(text)
    cases, (unreadable,) = load(tmp_path)
    assert cases == []
    assert reason in unreadable.reason


def _series(tmp_path: Path) -> list[Case]:
    """TL-M-2 leaves a key that TL-M-3 finds; SKLC-M-1 stands alone."""
    write_case(tmp_path, request("Create", CREATE), answer("Create", CREATED), name="TL-M-2-14")
    write_case(
        tmp_path,
        request("Locate"),
        answer("Locate", identifier()),
        request("Destroy", identifier()),
        answer("Destroy", identifier()),
        name="TL-M-3-14",
    )
    write_case(tmp_path, *LIFE, name="SKLC-M-1-14")
    return load(tmp_path)[0]


def test_a_case_that_works_on_earlier_objects_follows_the_case_that_left_them(tmp_path: Path) -> None:
    names = [[case.name for case in series.cases] for series in chains(_series(tmp_path))]
    assert names == [["SKLC-M-1-14"], ["TL-M-2-14", "TL-M-3-14"]]


def test_choosing_a_case_chooses_what_must_be_played_before_it(tmp_path: Path) -> None:
    cases = _series(tmp_path)
    chosen = with_predecessors([case for case in cases if case.title == "TL-M-3"], cases)
    assert [case.name for case in chosen] == ["TL-M-2-14", "TL-M-3-14"]


def test_what_its_version_has_no_case_for_is_made_by_an_older_one(tmp_path: Path) -> None:
    """TC-OTP-1-14 finds the object that only TC-OTP-SETUP-2-13 registers."""
    locate = (request("Locate"), answer("Locate", identifier()))
    write_case(tmp_path, request("Create", CREATE), answer("Create", CREATED), name="TC-OTP-SETUP-2-13")
    for name in ("TC-OTP-1-13", "TC-OTP-1-14", "TC-OTP-2-14"):
        write_case(tmp_path, *locate, name=name)
    cases, _ = load(tmp_path)
    assert [([c.name for c in s.before], [c.name for c in s.cases]) for s in chains(cases)] == [
        ([], ["TC-OTP-SETUP-2-13", "TC-OTP-1-13"]),
        (["TC-OTP-SETUP-2-13"], ["TC-OTP-1-14", "TC-OTP-2-14"]),
    ]
    chosen = with_predecessors([case for case in cases if case.name == "TC-OTP-1-14"], cases)
    assert [case.name for case in chosen] == ["TC-OTP-SETUP-2-13", "TC-OTP-1-14"]


def test_cases_are_played_by_number_not_by_letter(tmp_path: Path) -> None:
    for number in (10, 9):
        write_case(tmp_path, *LIFE, name=f"XX-M-{number}-14")
    assert [case.title for case in load(tmp_path)[0]] == ["XX-M-9", "XX-M-10"]


def test_every_oasis_case_is_read() -> None:
    cases, unreadable = load(oasis.folder())
    assert unreadable == []
    assert len(cases) == len(list(oasis.folder().rglob("*.xml")))


def test_variables_stand_in_the_tree_and_misprints_are_kept_apart(tmp_path: Path) -> None:
    """2.0 TC-DLOGIN-2 prints the reason NotAuthorized, which KMIP does not define."""
    case = load_case(write_case(tmp_path, request("Get", identifier()), refusal("Get", "NotAuthorized")))
    (step,) = case.steps
    assert next(find(step.request, Tag.UNIQUE_IDENTIFIER))[2] == Variable("UNIQUE_IDENTIFIER_0")
    assert next(find(step.response, Tag.RESULT_REASON))[2] == UnknownName("NotAuthorized")
