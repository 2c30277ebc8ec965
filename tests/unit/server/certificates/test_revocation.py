"""Revocation lists: which count, and what the policy makes of those that are missing."""

import contextlib
import datetime as dt
import errno
import os
import time
from pathlib import Path
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from strongroom.server.certificates.revocation import (
    TRY_AGAIN,
    LastList,
    RevocationLists,
    Verdict,
    read_lists,
)
from tests.unit.server.authorities_made import OutsideAuthority
from tests.unit.server.conftest import NOW


@pytest.fixture
def outside() -> OutsideAuthority:
    return OutsideAuthority(now=NOW)


class Setting:
    """Two files, and the authorities that are known."""

    def __init__(self, folder: Path, *authorities: OutsideAuthority) -> None:
        self.internal, self.external = folder / "crl.pem", folder / "outside.pem"
        self.authorities = authorities

    def lists(
        self,
        *,
        policy: Literal["refuse", "warn"] = "refuse",
        configured: bool = True,
        begin_with: bytes = b"",
    ) -> RevocationLists:
        made = RevocationLists(
            self.internal,
            self.external if configured else None,
            authorities=lambda: [one.certificate for one in self.authorities],
            internal_authorities=list,
            policy=policy,
        )
        made.begin_with(begin_with, NOW)
        made.reload(NOW)
        return made


def verdict(lists: RevocationLists, certificate: x509.Certificate) -> Verdict:
    return lists.verdict(certificate.public_bytes(Encoding.DER), NOW)


def test_a_certificate_on_the_list_is_refused_and_its_neighbour_is_not(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    setting = Setting(tmp_path, outside)
    (bad, _), (good, _) = outside.issue(), outside.issue()
    setting.external.write_bytes(outside.revocation_list(bad.serial_number))
    lists = setting.lists()
    assert verdict(lists, bad) is Verdict.REVOKED
    assert verdict(lists, good) is Verdict.GOOD


def test_what_an_authority_revoked_under_its_old_name_stays_revoked_beside_its_new_one(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    renamed = OutsideAuthority("Corporate CA 2", now=NOW, key=outside.key)
    (bad, _), (good, _) = outside.issue(), renamed.issue()
    for authorities in ((outside, renamed), (renamed, outside)):
        setting = Setting(tmp_path, *authorities)
        setting.external.write_bytes(outside.revocation_list(bad.serial_number))
        lists = setting.lists(policy="warn")
        assert verdict(lists, bad) is Verdict.REVOKED
        assert verdict(lists, good) is Verdict.GOOD


def test_whose_certificates_are_is_remembered_of_few(
    tmp_path: Path, outside: OutsideAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody can show any number of them."""
    monkeypatch.setattr("strongroom.server.certificates.revocation.REMEMBERED", 3)
    setting = Setting(tmp_path, outside)
    issued = [outside.issue()[0] for _ in range(8)]
    setting.external.write_bytes(outside.revocation_list(issued[0].serial_number))
    lists = setting.lists()
    for one in issued:
        verdict(lists, one)
        assert len(lists._known.issuers) <= 3
    assert verdict(lists, issued[0]) is Verdict.REVOKED


@pytest.mark.parametrize("policy", ["refuse", "warn"])
def test_without_a_list_the_policy_decides(
    tmp_path: Path, outside: OutsideAuthority, policy: Literal["refuse", "warn"]
) -> None:
    good, _ = outside.issue()
    expected = Verdict.UNKNOWN if policy == "refuse" else Verdict.GOOD
    setting = Setting(tmp_path, outside)
    assert verdict(setting.lists(policy=policy), good) is expected
    setting.external.write_bytes(outside.revocation_list(ends=dt.timedelta(seconds=-1)))
    assert verdict(setting.lists(policy=policy), good) is expected
    setting.external.write_bytes(outside.revocation_list())
    assert verdict(setting.lists(policy=policy), good) is Verdict.GOOD


@pytest.mark.parametrize("policy", ["refuse", "warn"])
def test_a_list_that_has_ended_still_revokes(
    tmp_path: Path, outside: OutsideAuthority, policy: Literal["refuse", "warn"]
) -> None:
    bad, _ = outside.issue()
    setting = Setting(tmp_path, outside)
    setting.external.write_bytes(outside.revocation_list(bad.serial_number, ends=dt.timedelta(seconds=-1)))
    assert verdict(setting.lists(policy=policy), bad) is Verdict.REVOKED


def test_a_list_that_another_has_signed_does_not_count(tmp_path: Path, outside: OutsideAuthority) -> None:
    """Neither lets it in nor shuts it out: the forger has the same name."""
    forger = OutsideAuthority(now=NOW)
    victim, _ = outside.issue()
    setting = Setting(tmp_path, outside, forger)
    setting.external.write_bytes(forger.revocation_list(victim.serial_number) + outside.revocation_list())
    assert verdict(setting.lists(), victim) is Verdict.GOOD
    setting.external.write_bytes(forger.revocation_list())
    assert verdict(setting.lists(), victim) is Verdict.UNKNOWN


def test_no_lists_are_needed_where_none_are_configured(tmp_path: Path, outside: OutsideAuthority) -> None:
    good, _ = outside.issue()
    assert verdict(Setting(tmp_path, outside).lists(configured=False), good) is Verdict.GOOD


def test_an_unknown_authority_is_not_taken_for_checked(tmp_path: Path, outside: OutsideAuthority) -> None:
    stranger, _ = OutsideAuthority("Intermediate", now=NOW).issue()
    setting = Setting(tmp_path, outside)
    setting.external.write_bytes(outside.revocation_list())
    assert verdict(setting.lists(), stranger) is Verdict.UNKNOWN


def test_a_file_that_was_spoilt_keeps_the_lists_before(tmp_path: Path, outside: OutsideAuthority) -> None:
    bad, _ = outside.issue()
    setting = Setting(tmp_path, outside)
    setting.external.write_bytes(outside.revocation_list(bad.serial_number))
    lists = setting.lists()
    setting.external.write_bytes(b"spoilt")
    assert lists.is_stale(NOW)
    lists.reload(NOW)
    assert verdict(lists, bad) is Verdict.REVOKED
    assert not lists.is_stale(NOW)


@pytest.mark.parametrize("policy", ["refuse", "warn"])
@pytest.mark.parametrize("left", [None, 0, 200, "the first"])
def test_a_file_that_is_gone_or_cut_off_unrevokes_nothing(
    tmp_path: Path, outside: OutsideAuthority, policy: Literal["refuse", "warn"], left: int | str | None
) -> None:
    """A fetch on a full disk; `left` are the bytes that it has left, None: it has left no file."""
    first = OutsideAuthority("First CA", now=NOW)
    setting = Setting(tmp_path, first, outside)
    (bad, _), (good, _) = outside.issue(), outside.issue()
    whole = outside.revocation_list(bad.serial_number)
    setting.external.write_bytes(first.revocation_list() + whole)
    lists = setting.lists(policy=policy)
    assert verdict(lists, bad) is Verdict.REVOKED
    setting.external.unlink()
    if left == "the first":
        setting.external.write_bytes(first.revocation_list())
    elif left is not None:
        setting.external.write_bytes(whole[: int(left)])
    assert lists.is_stale(NOW)
    for _ in range(2):
        lists.reload(NOW)
        assert verdict(lists, bad) is Verdict.REVOKED
    if left is None:
        assert verdict(lists, good) is (Verdict.UNKNOWN if policy == "refuse" else Verdict.GOOD)
    # Only its authority takes back what it has said.
    setting.external.write_bytes(outside.revocation_list())
    lists.reload(NOW)
    assert verdict(lists, bad) is Verdict.GOOD


def test_who_starts_while_the_file_is_gone_knows_what_it_named(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    setting, (bad, _) = Setting(tmp_path, outside), outside.issue()
    last = LastList()
    last.follow(setting.external)
    assert last.content == b""
    whole = outside.revocation_list(bad.serial_number)
    for content in (whole, whole[:200], b"", None):
        setting.external.unlink(missing_ok=True)
        if content is not None:
            setting.external.write_bytes(content)
        last.follow(setting.external)
        assert last.content == whole
        lists = setting.lists(policy="warn", begin_with=last.content)
        assert verdict(lists, bad) is Verdict.REVOKED
    last.follow(tmp_path / "another file")
    assert last.content == b""


def test_a_file_that_could_not_be_read_is_read_again_though_it_has_not_changed(
    tmp_path: Path, outside: OutsideAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment without descriptors would let those in, until the next list, whom this one revokes."""
    setting = Setting(tmp_path, outside)
    setting.external.write_bytes(outside.revocation_list())
    (bad, _), last = outside.issue(), LastList()
    lists = setting.lists()
    last.follow(setting.external)
    setting.external.write_bytes(whole := outside.revocation_list(bad.serial_number))
    clock = [time.monotonic()]
    monkeypatch.setattr("strongroom.server.certificates.revocation.time.monotonic", lambda: clock[0])
    with monkeypatch.context() as shortage:
        shortage.setattr(Path, "read_bytes", no_descriptors)
        lists.reload(NOW)
        last.follow(setting.external)
    assert verdict(lists, bad) is Verdict.GOOD
    assert not lists.is_stale(NOW)
    clock[0] += TRY_AGAIN
    assert lists.is_stale(NOW)
    lists.reload(NOW)
    assert verdict(lists, bad) is Verdict.REVOKED
    assert not lists.is_stale(NOW)
    last.follow(setting.external)
    assert last.content == whole


def no_descriptors(_: Path) -> bytes:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_a_list_after_which_another_is_cut_off_is_not_taken(outside: OutsideAuthority) -> None:
    whole = outside.revocation_list()
    with pytest.raises(ValueError, match="cut off"):
        read_lists(whole + whole[:-40])


def test_live_connections_are_looked_at_when_a_list_ends(tmp_path: Path, outside: OutsideAuthority) -> None:
    setting = Setting(tmp_path, outside)
    setting.external.write_bytes(outside.revocation_list(ends=dt.timedelta(hours=1)))
    lists = setting.lists()
    later = NOW + dt.timedelta(hours=1)
    assert not lists.is_stale(NOW)
    assert lists.is_stale(later)
    lists.reload(later)
    assert not lists.is_stale(later)
    good, _ = outside.issue()
    assert lists.verdict(good.public_bytes(Encoding.DER), later) is Verdict.UNKNOWN


def test_authorities_that_cannot_be_read_any_more_leave_what_was_known(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    bad, _ = outside.issue()
    broken = False

    def authorities() -> list[x509.Certificate]:
        if broken:
            raise ValueError("spoilt")
        return [outside.certificate]

    file = tmp_path / "outside.pem"
    file.write_bytes(outside.revocation_list(bad.serial_number))
    lists = RevocationLists(tmp_path / "crl.pem", file, authorities=authorities, internal_authorities=list)
    lists.reload(NOW)
    broken = True
    lists.reload(NOW)
    assert verdict(lists, bad) is Verdict.REVOKED


@pytest.mark.parametrize(
    ("extension", "critical"),
    [
        (x509.DeltaCRLIndicator(1), True),
        (x509.DeltaCRLIndicator(1), False),
        (
            x509.IssuingDistributionPoint(
                full_name=None,
                relative_name=None,
                only_contains_user_certs=False,
                only_contains_ca_certs=True,
                only_some_reasons=None,
                indirect_crl=False,
                only_contains_attribute_certs=False,
            ),
            True,
        ),
        (
            x509.IssuingDistributionPoint(
                full_name=None,
                relative_name=None,
                only_contains_user_certs=False,
                only_contains_ca_certs=False,
                only_some_reasons=None,
                indirect_crl=True,
                only_contains_attribute_certs=False,
            ),
            True,
        ),
        (x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00"), True),
    ],
)
def test_a_list_that_is_only_a_part_is_refused(
    outside: OutsideAuthority, extension: x509.ExtensionType, critical: bool
) -> None:
    with pytest.raises(ValueError, match=r"list"):
        read_lists(outside.revocation_list(extensions=[(extension, critical)]))


@given(st.binary(max_size=300))
def test_any_bytes_are_lists_or_refused(content: bytes) -> None:
    for candidate in (content, b"-----BEGIN X509 CRL-----\n" + content + b"\n-----END X509 CRL-----\n"):
        with contextlib.suppress(ValueError):
            assert read_lists(candidate) == []
            assert not candidate.strip()
