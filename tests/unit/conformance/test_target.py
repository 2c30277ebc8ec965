"""A target is what the client's profile says."""

from pathlib import Path

from strongroom.client.address import Address
from strongroom.client.profile import Profile
from strongroom.conformance.target import Target
from strongroom.wire.encodings import Encoding


def profile(*https: str) -> Profile:
    return Profile(
        servers=("[::1]:5696", "kms.example"), https=https, cert=Path("c"), key=Path("k"), ca=Path("a")
    )


def test_servers_are_tried_in_the_order_of_the_profile() -> None:
    assert Target(profile()).servers == (Address("::1", 5696), Address("kms.example", 5696))


def test_https_has_a_port_of_its_own() -> None:
    assert Target(profile("kms.example")).https == Address("kms.example", 5697)


def test_a_server_may_have_no_https() -> None:
    assert Target(profile()).https is None


def test_a_profile_for_https_is_played_over_https() -> None:
    assert Target(profile("kms.example")).encoding is None
    assert Target(profile("kms.example").speaking(encoding="xml")).encoding is Encoding.XML
    over_https = Target(profile("kms.example").speaking(transport="https"))
    assert over_https.encoding is Encoding.TTLV
    assert over_https.addresses == (Address("kms.example", 5697),)
