"""Serving from PostgreSQL, on one node and on two."""

import shutil
import time
from pathlib import Path

import pytest

from strongroom import testing
from tests.e2e.conftest import endpoint
from tests.interop.endpoint import RawConnection
from tests.postgres import PostgresServer, postgres_server

__all__ = ["postgres_server"]

pytestmark = pytest.mark.postgres


def test_a_client_that_one_node_revokes_is_shut_out_by_the_other(
    postgres_server: PostgresServer, tmp_path: Path
) -> None:
    """Within two seconds, live connections included. Both nodes have the same root key and authority."""
    store = postgres_server.url(postgres_server.create_database())
    with testing.server(tmp_path / "one", workers=2, store=store) as one:
        two = testing.Server(tmp_path / "two")
        shutil.copytree(one.directory, two.directory, ignore=shutil.ignore_patterns("*.sock", "lock"))
        two.start()
        try:
            profile = one.enrol("roaming")
            with _connected(two, profile) as connection:
                one.run("client", "revoke", "roaming", "--data", str(one.directory))
                start = time.monotonic()
                connection.stream.settimeout(10)
                assert connection.stream.recv(1) == b""
                assert time.monotonic() - start < 2
        finally:
            two.stop()


def _connected(server: testing.Server, profile: Path) -> RawConnection:
    """Return a connection once the server knows the client that was enrolled elsewhere."""
    give_up = time.monotonic() + 5
    while True:
        connection = endpoint(server, profile).connect()
        connection.stream.settimeout(0.5)
        try:
            refused = connection.stream.recv(1) == b""
        except TimeoutError:
            refused = False
        if not refused:
            return connection
        assert time.monotonic() < give_up
