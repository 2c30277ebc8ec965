"""Tables for people, JSON and identifiers for scripts."""

import json

import pytest

from strongroom.cli.administration import print_list
from strongroom.cli.exit import ExitCode, Stop, exit_code
from strongroom.cli.output import Output, print_rows

ROWS: list[dict[str, object]] = [
    {"name": "web", "groups": ["a", "b"], "revoked": None},
    {"name": "database", "groups": [], "revoked": "2026-01-01"},
]
COLUMNS = {"name": "name", "groups": "groups", "revoked": "revoked"}


def test_a_table_is_aligned_and_nothing_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, columns=COLUMNS, identifier="name", output=Output.TABLE)
    assert capsys.readouterr().out.splitlines() == [
        "NAME      GROUPS  REVOKED",
        "web       a, b    -",
        "database  -       2026-01-01",
    ]


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, columns={"name": "name"}, identifier="name", output=Output.JSON)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_ids_come_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, columns=COLUMNS, identifier="name", output=Output.ID)
    assert capsys.readouterr().out == "web\ndatabase\n"


def test_a_list_names_what_cannot_be_read_and_ends_with_another_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows: list[dict[str, object]] = [{"damaged": "the stored web cannot be trusted"}, *ROWS]
    with pytest.raises(Stop, match="the stored web cannot be trusted") as stopped:
        print_list(rows, columns=COLUMNS, identifier="name", output=Output.ID)
    assert exit_code(stopped.value) is ExitCode.FAILURE
    assert capsys.readouterr().out == "web\ndatabase\n"


def test_an_empty_table_is_its_heading(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], columns=COLUMNS, identifier="name", output=Output.TABLE)
    assert capsys.readouterr().out == "NAME  GROUPS  REVOKED\n"
