"""A case that need not pass is one that cannot: the list of exceptions is checked like everything else."""

from collections.abc import Mapping
from typing import Any

import pytest

from tools.gen_matrix import EXCEPTIONS, MOST_EXCEPTIONS, RECORD, excepted_cases

CASES = [
    {"name": "TC-1-10", "outcome": "failed"},
    {"name": "TC-2-10", "outcome": "passed"},
    *({"name": f"TC-3-{number}", "outcome": "failed"} for number in range(MOST_EXCEPTIONS + 1)),
]


def exception(*cases: str, **given: str) -> Mapping[str, Any]:
    return {"cases": cases, "because": "a misprint", "specification": "KMIP 1.0 §4"} | given


def test_an_exception_names_cases_that_do_not_pass() -> None:
    assert excepted_cases([exception("TC-1-10")], CASES) == ["TC-1-10"]


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ([exception("TC-2-10")], "passes"),
        ([exception("TC-9-10")], "no such case"),
        ([exception("TC-1-10", because=" ")], "no reason"),
        ([exception("TC-1-10", specification="")], "no sentence"),
        ([exception("TC-1-10"), exception("TC-1-10")], "each case once"),
        ([exception(*(f"TC-3-{number}" for number in range(MOST_EXCEPTIONS + 1)))], "are allowed"),
    ],
    ids=["passes", "unknown", "no reason", "no sentence", "twice", "too many"],
)
def test_any_other_exception_is_refused(entries: list[Mapping[str, Any]], complaint: str) -> None:
    with pytest.raises(SystemExit, match=complaint):
        excepted_cases(entries, CASES)


def test_the_exceptions_of_this_server_are_such() -> None:
    assert len(excepted_cases(EXCEPTIONS, RECORD["cases"])) <= MOST_EXCEPTIONS
