"""A profile is read as `client enrol` writes it, and a bad one says what to change."""

from pathlib import Path

import pytest

from strongroom.client.address import Address
from strongroom.conformance.target import BadProfile, load_target


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("cert.pem", "key.pem", "ca.pem"):
        (tmp_path / name).touch()
    return tmp_path


FILES = 'cert = "cert.pem"\nkey = "key.pem"\nca = "ca.pem"\n'


def test_files_are_relative_to_the_profile(folder: Path) -> None:
    (folder / "password").write_text("secret\n")
    profile = folder / "profile.toml"
    profile.write_text(
        'servers = ["[::1]:5696", "kms.example"]\nhttps = "kms.example:5697"\n'
        'username = "someone"\npassword_file = "password"\n' + FILES
    )
    target = load_target(profile)
    assert target.servers == (Address("::1", 5696), Address("kms.example", 5696))
    assert target.https == Address("kms.example", 5697)
    assert target.cert == folder / "cert.pem"
    assert (target.username, target.password) == ("someone", b"secret")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("servers = [", "not TOML"),
        (FILES, "names no servers"),
        ('servers = ["kms:port"]\n' + FILES, "not an address"),
        ("servers = [5696]\n" + FILES, "no text"),
        ('servers = ["kms"]\n', "lacks cert"),
        ('servers = ["kms"]\n' + FILES.replace("key.pem", "none.pem"), "does not exist"),
    ],
)
def test_a_bad_profile_says_what_is_wrong(folder: Path, text: str, reason: str) -> None:
    profile = folder / "profile.toml"
    profile.write_text(text)
    with pytest.raises(BadProfile, match=reason):
        load_target(profile)


def test_a_missing_profile_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadProfile, match=r"none\.toml"):
        load_target(tmp_path / "none.toml")
