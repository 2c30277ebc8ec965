"""Which server is asked for the authorities when a client has renewed itself.

The renewal itself is tested against the real server, in `tests/e2e/test_enrolment.py`.
"""

import shutil
import ssl
from pathlib import Path

import pytest

from strongroom.client import renewal
from strongroom.client.address import Address
from strongroom.client.profile import Profile
from tests.unit.client.fake_server import Identity


def test_the_servers_are_asked_in_turn_and_at_the_port_of_https(
    identity: Identity, stranger: Identity, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(identity.folder, folder, dirs_exist_ok=True)
    profile = Profile(
        servers=("kms1", "kms2"),
        https=("kms1", "kms2:8443", "kms3"),
        cert=folder / "cert.pem",
        key=folder / "key.pem",
        ca=folder / "ca.pem",
    )
    offered: bytes = stranger.files["ca"].read_bytes()
    answers = iter([None, offered])
    asked: list[Address] = []

    def offered_by(address: Address, context: ssl.SSLContext) -> bytes | None:
        asked.append(address)
        return next(answers)

    monkeypatch.setattr(renewal, "_offered_by", offered_by)
    renewal._renew_trust(profile)
    assert asked == [Address("kms1", 5697), Address("kms2", 8443)]
    assert profile.ca.read_bytes() == offered
