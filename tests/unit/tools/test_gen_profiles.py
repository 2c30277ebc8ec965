"""A profile is claimed when all of its cases have passed, and by nothing less."""

import pytest

from strongroom.registry import V1_2, V1_4, V2_1, Version
from tools.gen_profiles import NAMES, claims

PASSED = {"passed"}
FAILED = {"passed", "failed"}


@pytest.mark.parametrize(
    ("version", "name"),
    [(V1_4, "TAPE_LIBRARY_SERVER_KMIP_V1_4"), (V2_1, "TAPE_LIBRARY_SERVER")],
    ids=str,
)
def test_a_profile_whose_cases_all_passed_is_claimed(version: Version, name: str) -> None:
    assert [found.name for _, found in claims(version, {"TL": PASSED, "CS-BC": FAILED})] == [name]


@pytest.mark.parametrize("outcome", ["failed", "not played"])
def test_one_case_that_did_not_pass_withdraws_the_claim(outcome: str) -> None:
    assert list(claims(V1_4, {"TL": {"passed", outcome}})) == []


def test_a_name_that_the_version_does_not_have_is_not_claimed() -> None:
    assert list(claims(V1_4, {"AX": PASSED, "TL": FAILED})) == []


def test_the_baseline_is_shown_by_the_life_cycles() -> None:
    names = {found.name for _, found in claims(V1_2, {"SKLC": PASSED, "AKLC": PASSED})}
    assert "BASELINE_SERVER_BASIC_KMIP_V1_2" in names
    failed = {found.name for _, found in claims(V1_2, {"SKLC": PASSED, "AKLC": {"failed"}})}
    assert "BASELINE_SERVER_BASIC_KMIP_V1_2" not in failed


def test_a_complete_server_is_not_claimed() -> None:
    """Values of enumerations that no library computes are refused (`tests/e2e/completeness` lists them)."""
    names = {found.name for _, found in claims(V1_4, dict.fromkeys(NAMES, PASSED))}
    assert not any(name.startswith("COMPLETE_SERVER") for name in names)


def test_every_family_has_a_name_in_some_version() -> None:
    for family in NAMES:
        assert any(list(claims(version, {family: PASSED})) for version in (V1_4, V2_1)), family
