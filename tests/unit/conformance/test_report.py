"""Each form of the report says the same and stands alone."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from strongroom.conformance import report
from strongroom.conformance.render import hex_dump
from strongroom.conformance.results import CaseResult, Failure, Outcome, Run
from strongroom.conformance.variations import VARIATIONS
from strongroom.registry import V1_4, V2_1, Version

FAILURE = Failure(
    step=2,
    time=1,
    operations="Get",
    reason="ResponseMessage.X: expected <a>, received [b]",
    expected="ResponseMessage",
    request="RequestMessage",
    answer=None,
    answer_bytes=b"HTTP/1.1 400\xff",
    request_bytes=b"\x42\x00\x78",
)


def result(name: str, version: Version, outcome: Outcome) -> CaseResult:
    return CaseResult(
        name=name,
        title=name,
        family="SKLC",
        version=version,
        group="mandatory",
        outcome=outcome,
        steps=3,
        seconds=0.5,
        reason="no endpoint" if outcome is Outcome.NOT_PLAYED else None,
        failure=FAILURE if outcome is Outcome.FAILED else None,
        variations=("time stamp",),
        notes=("a note",),
    )


RUN = Run(
    target="kms.example:5696",
    vectors="oasis",
    started=1_700_000_000,
    results=[
        result("SKLC-M-1-14", V1_4, Outcome.PASSED),
        result("SKLC-M-2-14", V1_4, Outcome.FAILED),
        result("SKLC-M-1-21", V2_1, Outcome.NOT_PLAYED),
    ],
)


def test_json_holds_counts_by_profile_and_version(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    report.write(RUN, path)
    read = json.loads(path.read_text())
    assert read["summary"] == {"passed": 1, "failed": 1, "not played": 1}
    assert read["profiles"]["SKLC"]["versions"] == {
        "1.4": {"passed": 1, "total": 2},
        "2.1": {"passed": 0, "total": 1},
    }


def test_json_names_the_first_failing_step_with_its_bytes(tmp_path: Path) -> None:
    failure = report.as_json(RUN)["cases"][1]["failure"]
    assert (failure["step"], failure["operations"], failure["reason"]) == (2, "Get", FAILURE.reason)
    assert bytes.fromhex(failure["answer_bytes"]) == FAILURE.answer_bytes
    assert bytes.fromhex(failure["request_bytes"]) == FAILURE.request_bytes


def test_json_lists_every_permitted_variation() -> None:
    assert len(report.as_json(RUN)["variations"]) == len(VARIATIONS)


class References(HTMLParser):
    """Collects what a page would load, and checks that its elements close."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_one_page_that_loads_nothing(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report.write(RUN, path)
    page = References()
    page.feed(path.read_text())
    assert page.references == []
    assert page.open == []


def test_html_names_the_first_failing_step_with_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report.write(RUN, path)
    text = path.read_text()
    assert "First failing step: 2, Get." in text
    assert "42 00 78" in text
    assert "48 54 54 50" in text


def test_html_escapes_what_a_server_says(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report.write(RUN, path)
    assert "expected &lt;a&gt;, received [b]" in path.read_text()


@pytest.mark.parametrize("name", ["report.txt", "report", "none/report.json"])
def test_a_report_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(report.BadReport):
        report.check_path(tmp_path / name)


def printed(*, verbose: bool) -> str:
    texts = [report.result_text(entry, verbose=verbose) for entry in RUN.results]
    return "\n".join([text for text in texts if text is not None] + [report.summary_text(RUN)])


def test_the_terminal_shows_what_did_not_pass_and_the_table() -> None:
    text = printed(verbose=False)
    assert "SKLC-M-1-14" not in text
    assert "failed SKLC-M-2-14, step 2 (Get): ResponseMessage.X: expected <a>, received [b]" in text
    assert "not played SKLC-M-1-21: no endpoint" in text
    assert "Symmetric Key Lifecycle  1/2  0/1" in text
    assert "3 cases: 1 passed, 1 failed, 1 not played." in text


def test_verbose_shows_all_cases_and_the_bytes() -> None:
    text = printed(verbose=True)
    assert "passed SKLC-M-1-14" in text
    assert "48 54 54 50" in text
    assert "42 00 78" in text
    assert "a note" in text


def test_a_hex_dump_has_offsets_and_printable_text() -> None:
    assert hex_dump(b"HTTP\x00") == f"00000000  {'48 54 54 50 00':<47}  HTTP."


def test_every_variation_has_a_name_and_a_source_of_its_own() -> None:
    assert len({entry.name for entry in VARIATIONS}) == len(VARIATIONS)
    assert all(entry.source for entry in VARIATIONS)
