"""Who is let in: as many connections as an address may have, whatever addresses it has."""

import pytest

from strongroom.server.certificates.ca import Authority
from strongroom.server.config import ConnectionSettings
from tests.unit.server.bench import Bench


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
