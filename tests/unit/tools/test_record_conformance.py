"""The record of the conformance run changes when a result does, and not otherwise."""

import json
from pathlib import Path

import pytest

from tools import record_conformance
from tools.record_conformance import lasting, record

PASSED = {"name": "SKLC-M-1-10", "profile": "SKLC", "version": "1.0", "outcome": "passed"}
FAILED = PASSED | {"outcome": "failed", "why": "step 2 (Get): not there"}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "conformance.json"
    monkeypatch.setattr(record_conformance, "RECORD", path)
    return path


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("received '01234567-89ab-cdef-0123-456789abcdef'", "received '(identifier)'"),
        ("expected $NOW, received 2026-11-24T03:52:03+00:00", "expected $NOW, received (time)"),
        (f"KeyMaterial: received {'0f' * 16}", "KeyMaterial: received (bytes)"),
        (f"Data: received {'0f' * 96}... (512 bytes)", "Data: received (bytes)"),
        ("cannot reach 127.0.0.1:41234:\n  refused", "cannot reach (server): refused"),
        ("expected 0123456789abcdef", "expected 0123456789abcdef"),
    ],
)
def test_what_every_run_makes_anew_is_taken_out_of_a_reason(text: str, kept: str) -> None:
    assert lasting(text) == kept


def test_the_same_results_leave_the_file_and_its_date_alone(file: Path) -> None:
    assert record([PASSED, FAILED])
    file.write_text(file.read_text().replace(json.loads(file.read_text())["recorded"], "2001-01-01"))
    assert not record([PASSED, FAILED])
    assert json.loads(file.read_text())["recorded"] == "2001-01-01"


def test_another_result_is_written_with_one_line_for_each_case(file: Path) -> None:
    assert record([PASSED])
    assert record([FAILED])
    assert json.loads(file.read_text())["cases"] == [FAILED]
    assert len([line for line in file.read_text().splitlines() if '"name"' in line]) == 1
