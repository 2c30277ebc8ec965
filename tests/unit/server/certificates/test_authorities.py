"""The life cycle of the internal authority, and the revocation list that it makes."""

import datetime as dt
import errno
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.domain.clients import ClientCertificate, ClientRecord
from strongroom.domain.identity import DEFAULT_TENANT, ClientId
from strongroom.domain.ports import RootKey
from strongroom.server.certificates import authorities
from strongroom.server.certificates.ca import (
    Authority,
    MismatchedPair,
    create_authority,
    fingerprint,
    new_key,
    open_authority,
    server_certificate_is_due,
)
from strongroom.server.certificates.crl import LIFETIME, RENEWAL, RevocationListKeeper
from strongroom.server.certificates.revocation import read_lists
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import NotFound, OperatorError
from tests.unit.server.conftest import NOW


def rotate(directory: DataDirectory, root_key: RootKey, days: int = 1) -> Authority:
    return authorities.rotate(directory, root_key, NOW + dt.timedelta(days=days))


def identities(directory: DataDirectory) -> list[str]:
    return [authorities.identity(one) for one in authorities.certificates(directory)]


def test_a_new_authority_issues_and_both_are_trusted(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    new = rotate(directory, root_key)
    assert identities(directory) == [new.identity, authority.identity]
    assert open_authority(directory, root_key).identity == new.identity
    assert [one.identity for one in authorities.open_all(directory, root_key)] == identities(directory)
    assert len(x509.load_pem_x509_certificates(authorities.bundle(directory))) == 2
    key = directory.older_authority_key(authority.identity)
    assert key.stat().st_mode & 0o777 == 0o600
    assert directory.older_authorities.stat().st_mode & 0o777 == 0o700


def test_the_server_certificate_stays_with_the_oldest_authority_until_it_is_retired(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    """A client that was not renewed knows no other."""

    def due() -> bool:
        return server_certificate_is_due(
            directory,
            ["localhost", "127.0.0.1", "::1"],
            NOW,
            issuer=authorities.server_issuer(directory),
            former=authorities.former_names(directory),
        )

    new = rotate(directory, root_key)
    assert authorities.identity(authorities.server_issuer(directory)) == authority.identity
    assert not due()
    authorities.retire(directory, authorities.find_older(directory, authority.identity[:12]))
    assert identities(directory) == [new.identity]
    assert authorities.open_server_authority(directory, root_key).identity == new.identity
    assert due()
    assert not directory.older_authority_key(authority.identity).exists()


def test_a_third_authority_leaves_the_first_as_the_servers(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    second, third = rotate(directory, root_key, 1), rotate(directory, root_key, 2)
    assert identities(directory) == [third.identity, second.identity, authority.identity]


def test_authorities_that_are_made_in_the_same_second_have_an_order(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    for _ in range(8):
        before = identities(directory)
        new = rotate(directory, root_key, 0)
        assert identities(directory) == [new.identity, *before]
    assert authorities.server_issuer(directory) == authority.certificate


def test_a_rotation_that_was_cut_off_leaves_the_old_authority_working(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    before = directory.ca_certificate.read_bytes()
    rotate(directory, root_key)
    directory.ca_certificate.write_bytes(before)  # the key was written, the certificate not yet
    assert open_authority(directory, root_key).identity == authority.identity
    again = rotate(directory, root_key)
    assert open_authority(directory, root_key).identity == again.identity
    assert identities(directory) == [again.identity, authority.identity]
    opened = authorities.open_all(directory, root_key)
    assert [one.identity for one in opened] == identities(directory), "the key of each is there"


def test_a_key_that_belongs_to_nothing_is_still_refused(
    directory: DataDirectory, root_key: RootKey, authority: Authority, tmp_path: Path
) -> None:
    other = DataDirectory.create(tmp_path / "other")
    create_authority(other, root_key, NOW)
    directory.ca_key.write_bytes(other.ca_key.read_bytes())
    with pytest.raises(MismatchedPair):
        open_authority(directory, root_key)


def test_the_current_authority_is_not_retired_and_an_unknown_one_not_found(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    with pytest.raises(OperatorError, match="current authority"):
        authorities.find_older(directory, authority.identity)
    with pytest.raises(NotFound):
        authorities.find_older(directory, "0" * 16)
    with pytest.raises(OperatorError, match="8 characters"):
        authorities.find_older(directory, authority.identity[:4])


def test_of_several_older_authorities_the_one_is_found_that_is_named(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    second = rotate(directory, root_key)
    rotate(directory, root_key)
    for one in (authority, second):
        found = authorities.find_older(directory, one.identity[:12])
        assert found.serial_number == one.certificate.serial_number


def fails_once(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have the removal of one file fail, once."""
    original, failed = Path.unlink, list[Path]()

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.suffix == name and not failed:
            failed.append(self)
            raise OSError(errno.EIO, "Input/output error")
        original(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)


@pytest.mark.parametrize("left", [".pem", ".key"])
def test_what_a_retirement_has_left_is_done_the_next_time(
    directory: DataDirectory,
    root_key: RootKey,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    left: str,
) -> None:
    new = rotate(directory, root_key)
    wanted = authority.identity[:12]
    assert not authorities.finish_retiring(directory, wanted)
    fails_once(monkeypatch, left)
    with pytest.raises(OperatorError, match="run the command again"):
        authorities.retire(directory, authorities.find_older(directory, wanted))
    if left == ".pem":
        authorities.retire(directory, authorities.find_older(directory, wanted))
    assert identities(directory) == [new.identity]
    for name in (wanted, authority.identity):
        assert authorities.finish_retiring(directory, name)
    assert not directory.older_authority_key(authority.identity).exists()
    for name in ("", authority.identity[:4], "0" * 16, new.identity):
        assert not authorities.finish_retiring(directory, name)


def test_a_retired_authority_that_cannot_be_read_stops_nothing(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    new = rotate(directory, root_key)
    authorities.retire(directory, authorities.find_older(directory, authority.identity))
    names = authorities.former_names(directory)
    assert authority.certificate.subject in names
    (file,) = directory.older_authorities.glob("*.retired")
    file.write_bytes(b"")
    assert authorities.former_names(directory) == [new.certificate.subject]


class Keeping:
    """A revocation list and the records that it follows; a clock moved by hand."""

    def __init__(self, directory: DataDirectory, root_key: RootKey) -> None:
        self.now = NOW
        self.records: list[ClientRecord] = []
        self.directory = directory
        self.signed = 0

        def opened() -> list[Authority]:
            self.signed += 1
            return authorities.open_all(directory, root_key)

        self.keeper = RevocationListKeeper(directory, lambda: self.records, opened)

    async def tidy(self, **passed: float) -> list[x509.CertificateRevocationList]:
        self.now += dt.timedelta(**passed)
        await self.keeper.tidy(self.now)
        return read_lists(self.directory.revocation_list.read_bytes())

    def revoke(self, authority: Authority, number: int) -> int:
        made = authority.client_certificate(new_key().public_key(), "web", NOW)
        known = fingerprint(made.public_key())
        certificate = ClientCertificate(
            fingerprint=known,
            authority=authority.identity,
            serial=made.serial_number,
            ends_at=made.not_valid_after_utc,
        )
        record = ClientRecord(
            client=ClientId(number),
            tenant=DEFAULT_TENANT,
            name=f"web-{number}",
            fingerprint=known,
            groups=(),
            username=None,
            password_hash=None,
            enrolled_at=NOW,
            revoked_at=NOW,
            certificates=(certificate,),
        )
        self.records = [*self.records, record]
        return made.serial_number


def serials(lists: list[x509.CertificateRevocationList]) -> list[set[int]]:
    return [{entry.serial_number for entry in one} for one in lists]


async def test_the_list_follows_revocations_and_is_renewed_long_before_it_ends(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    keeping = Keeping(directory, root_key)
    (empty,) = await keeping.tidy()
    assert serials([empty]) == [set()]
    assert empty.is_signature_valid(authority.certificate.public_key())  # type: ignore[arg-type]
    serial = keeping.revoke(authority, 1)
    (filled,) = await keeping.tidy(seconds=1)
    assert serials([filled]) == [{serial}]
    signed = keeping.signed
    await keeping.tidy(minutes=5)
    assert keeping.signed == signed
    (renewed,) = await keeping.tidy(days=(LIFETIME - RENEWAL).days + 1)
    assert renewed.next_update_utc == keeping.now + LIFETIME
    assert serials([renewed]) == [{serial}]


async def test_a_list_of_a_clock_that_was_ahead_is_made_anew(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    """Other programs take no list that has not begun yet."""
    keeping = Keeping(directory, root_key)
    keeping.revoke(authority, 1)
    await keeping.tidy(days=365)
    (renewed,) = await keeping.tidy(days=-365)
    assert renewed.last_update_utc <= keeping.now
    assert renewed.next_update_utc == keeping.now + LIFETIME


async def test_what_was_on_the_list_stays_on_it_whatever_the_records_say(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    keeping = Keeping(directory, root_key)
    serial = keeping.revoke(authority, 1)
    await keeping.tidy()
    keeping.records = []
    other = keeping.revoke(authority, 2)
    assert serials(await keeping.tidy(seconds=1)) == [{serial, other}]


async def test_each_authority_has_its_own_list(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    keeping = Keeping(directory, root_key)
    await keeping.tidy()
    new = rotate(directory, root_key)
    old_serial, new_serial = keeping.revoke(authority, 1), keeping.revoke(new, 2)
    assert serials(await keeping.tidy(seconds=1)) == [{new_serial}, {old_serial}]
    another = keeping.revoke(new, 3)
    assert serials(await keeping.tidy(seconds=1)) == [{new_serial, another}, {old_serial}]
    assert [one.issuer for one in read_lists(directory.revocation_list.read_bytes())] == [
        new.certificate.subject,
        authority.certificate.subject,
    ]


async def test_a_list_that_was_spoilt_is_made_anew(
    directory: DataDirectory, root_key: RootKey, authority: Authority
) -> None:
    keeping = Keeping(directory, root_key)
    serial = keeping.revoke(authority, 1)
    directory.revocation_list.write_bytes(b"spoilt")
    assert serials(await keeping.tidy()) == [{serial}]
    assert directory.revocation_list.read_bytes().startswith(b"-----BEGIN X509 CRL")
    assert authority.certificate.public_bytes(Encoding.PEM)
