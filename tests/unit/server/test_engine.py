"""What Query says of a server."""

import pytest

from strongroom.registry import ProfileName
from strongroom.server import engine
from strongroom.server.address import Address
from strongroom.server.engine import server_facts
from strongroom.server.profiles import ALWAYS


@pytest.fixture(autouse=True)
def claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "OVER_HTTPS", ((ProfileName.JSON_SERVER, (2, 1)),))


def test_profiles_of_https_are_claimed_with_its_address() -> None:
    (*_, profile) = server_facts(Address("kms.example.org", 5697)).profiles
    assert profile.profile_name is ProfileName.JSON_SERVER
    assert (profile.server_uri, profile.server_port) == ("https://kms.example.org:5697/kmip", 5697)


def test_a_server_without_https_does_not_claim_them() -> None:
    facts = server_facts()
    assert len(facts.profiles) == len(ALWAYS)
    assert all(profile.server_uri is None for profile in facts.profiles)
