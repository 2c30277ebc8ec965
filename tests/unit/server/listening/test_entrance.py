"""Who is let in: as many connections as an address may have, whatever addresses it has; and guests."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from strongroom.domain.entries import Kept
from strongroom.domain.identity import DEFAULT_TENANT, ClientIdentity
from strongroom.domain.mapping import Invitation
from strongroom.domain.tenants import Tenant
from strongroom.server.certificates.ca import Authority
from strongroom.server.clients.directory import ClientDirectory, PeerCertificate
from strongroom.server.config import ConnectionSettings, LimitSettings
from strongroom.server.listening.shares import Place, Shares
from strongroom.server.listening.turns import Turns
from strongroom.server.shared import SharedNumbers
from tests.unit.server.bench import Bench, Clients
from tests.unit.server.conftest import NOW


@pytest.mark.parametrize(
    ("first", "second", "let_in"),
    [
        ("192.0.2.1:1", "192.0.2.1:2", False),
        ("192.0.2.1:1", "192.0.2.2:2", True),
        ("[2001:db8::1]:1", "[2001:db8::2]:2", False),
        ("[2001:db8::1]:1", "[2001:db8:0:1::1]:2", True),
        ("[::ffff:192.0.2.1]:1", "192.0.2.1:2", False),
        ("[fe80::1%eth0]:1", "[fe80::2%eth0]:2", False),
    ],
)
async def test_the_connections_of_an_address_are_counted(
    authority: Authority, first: str, second: str, let_in: bool
) -> None:
    bench = Bench(authority, ConnectionSettings(per_address=1))
    await bench.enrol()
    bench.connect(first)
    assert not bench.turned_away
    bench.connect(second)
    assert [reason for reason, *_ in bench.turned_away] == ([] if let_in else ["too_many_connections"])


async def test_a_tenant_for_which_no_limit_is_laid_down_connects(authority: Authority) -> None:
    """`tenant limit blue --set connections=0`: 0 is no limit."""
    bench = Bench(authority, ConnectionSettings(per_tenant=1))
    bench.shares.tenants = {DEFAULT_TENANT: Tenant(number=DEFAULT_TENANT, most_connections=0)}
    await bench.enrol()
    bench.connect("192.0.2.1:1")
    bench.connect("192.0.2.1:2")
    assert not bench.turned_away


KEYS = ("0a" * 32, "f3" * 32)
"""Fingerprints of the keys of two tokens."""


class Invitations:
    """Entries of which the invitations are two."""

    async def entries_of(self, kind: type[Any], _tenant: int, _owner: int) -> Sequence[Kept[Any]]:
        if kind is not Invitation:
            return []
        return [
            Kept(
                tenant=0,
                key=key,
                owner=0,
                value=Invitation(name=f"web-{key[:2]}", tenant=1),
                generation=1,
                due=NOW + timedelta(hours=1),
            )
            for key in KEYS
        ]


async def guests() -> list[ClientIdentity]:
    directory = ClientDirectory(Clients(), entries=cast(Any, Invitations()))
    await directory.refresh()
    found = [directory.guest(PeerCertificate(key, 0.0, 0.0, b"")) for key in KEYS]
    return [guest for guest in found if guest is not None]


@pytest.mark.parametrize("setting", ["per_client", "per_tenant"])
async def test_an_invitation_uses_up_no_connections_of_another(setting: str) -> None:
    shares = Shares(
        SharedNumbers(1), 0, ConnectionSettings(**{setting: 1}), LimitSettings(), turns=Turns(lambda: 0.0)
    )
    greedy, other = await guests()
    shares.enter(greedy, "192.0.2.1")
    shares.enter(greedy, "192.0.2.1")
    assert isinstance(shares.enter(other, "192.0.2.2"), Place)


async def test_an_invitation_has_as_many_connections_as_a_client() -> None:
    shares = Shares(
        SharedNumbers(1), 0, ConnectionSettings(per_client=1), LimitSettings(), turns=Turns(lambda: 0.0)
    )
    greedy, _ = await guests()
    shares.enter(greedy, "192.0.2.1")
    assert shares.enter(greedy, "192.0.2.2") == "connections.per_client"


@pytest.mark.parametrize("setting", ["requests_per_client", "requests_per_tenant"])
async def test_an_invitation_uses_up_no_requests_and_no_turns_of_another(setting: str) -> None:
    shares = Shares(
        SharedNumbers(1), 0, ConnectionSettings(), LimitSettings(**{setting: 1}), turns=Turns(lambda: 0.0)
    )
    greedy, other = (shares.enter(guest, "192.0.2.1") for guest in await guests())
    assert isinstance(greedy, Place)
    assert isinstance(other, Place)
    for _ in range(10):
        greedy.delay(1000.0)
    wait = other.delay(1000.0)
    assert wait is not None
    assert wait <= 0
    assert greedy.account is not other.account
