"""The internal authority is replaced, external lists are read, certificates end: with clients connected."""

import datetime as dt
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from strongroom import testing
from strongroom.client.sync import Client
from tests.e2e.conftest import endpoint, eventually, last_answered
from tests.e2e.test_enrolment import PING, admin, is_shut_out, listed, profile_of, works, works_anew
from tests.unit.server.authorities_made import OutsideAuthority


def authorities(server: testing.Server) -> list[dict[str, Any]]:
    return listed(server, "server", "ca", "list")


def issuer(profile: Path) -> str:
    certificate = x509.load_pem_x509_certificate((profile.parent / "cert.pem").read_bytes())
    return certificate.issuer.rfc4514_string()


def trusts(profile: Path) -> int:
    return len(x509.load_pem_x509_certificates((profile.parent / "ca.pem").read_bytes()))


def test_the_authority_rotates_with_old_and_new_clients_connected(tmp_path: Path) -> None:
    with testing.server(tmp_path, workers=2) as server:
        (before,) = authorities(server)
        old, lazy = server.enrol("old"), server.enrol("lazy")
        with endpoint(server, old).connect() as connected:
            assert works(connected)
            admin(server, "server", "ca", "rotate")
            assert works(connected)  # its worker drains, and serves it meanwhile
        new = server.enrol("new")
        assert issuer(new) != issuer(old)
        assert trusts(new) == 2
        for profile in (old, lazy, new):
            assert works_anew(server, profile)
        current, older = authorities(server)
        assert (current["state"], current["clients"], current["server"]) == ("current", 1, False)
        assert (older["authority"], older["clients"], older["server"]) == (before["authority"], 3, True)

        refused = server.try_run(
            "server", "ca", "retire", older["authority"][:16], "--data", str(server.directory)
        )
        assert refused.returncode == 1
        assert "3 clients still have a certificate of it" in refused.stderr

        server.run("client", "renew", "--profile", str(old))
        assert issuer(old) == issuer(new)
        assert trusts(old) == 2
        server.run("client", "renew", "--profile", str(server.profile))
        admin(server, "server", "ca", "retire", older["authority"][:16], "--force")
        assert works_anew(server, old)
        assert works_anew(server, new)
        assert works_anew(server, server.profile)
        assert not works_anew(server, lazy)
        admin(server, "server", "ca", "retire", older["authority"])  # for whoever did not see it succeed
        (last,) = authorities(server)
        assert last["server"] is True
        # Whoever trusts the new authority alone knows the server by it.
        (new.parent / "ca.pem").write_bytes((server.directory / "ca.pem").read_bytes())
        with Client.from_profile(new) as client:
            client.create_symmetric_key(name="under the new authority")
        server.stop()
        server.start()
        assert works_anew(server, new)
        assert not works_anew(server, lazy)


def test_a_person_elsewhere_rotates_and_retires_and_the_server_follows_by_itself(tmp_path: Path) -> None:
    with testing.server(tmp_path, workers=1) as server:
        admin(server, "person", "add", "ada", "--role", "administrator", "--client", testing.CLIENT)
        profile = ("--profile", str(server.profile))
        server.run("server", "ca", "rotate", *profile)
        server.wait_for_log('"reloaded"')
        assert trusts(server.enrol("new")) == 2
        server.run("client", "renew", *profile)
        _, older = authorities(server)
        server.run("server", "ca", "retire", older["authority"], "--force", *profile)
        eventually(lambda: server.log_text().count('"reloaded"') == 2)
        assert works_anew(server, server.profile)


@pytest.fixture
def outside() -> OutsideAuthority:
    return OutsideAuthority(now=dt.datetime.now(dt.UTC).replace(microsecond=0))


def test_a_client_that_a_rule_lets_in_does_not_keep_an_older_authority(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    with testing.server(tmp_path, workers=1) as server:
        (tmp_path / "corporate.pem").write_bytes(outside.pem)
        admin(
            server,
            "client",
            "map",
            "db",
            "--issuer",
            str(tmp_path / "corporate.pem"),
            "--san",
            "dns:db.example",
        )
        admin(server, "server", "ca", "rotate")
        server.run("client", "renew", "--profile", str(server.profile))
        _, older = authorities(server)
        assert older["clients"] == 0
        admin(server, "server", "ca", "retire", older["authority"])


def corporate(
    folder: Path, outside: OutsideAuthority, **settings: dict[str, object]
) -> dict[str, dict[str, object]]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corporate.pem").write_bytes(outside.pem)
    tls = {"client_ca": str(folder / "corporate.pem")} | settings.pop("tls", {})
    return {"tls": tls, **settings}


def let_in(server: testing.Server, folder: Path, outside: OutsideAuthority, name: str) -> None:
    (folder / "issuer.pem").write_bytes(outside.pem)
    admin(server, "client", "map", name, "--issuer", str(folder / "issuer.pem"), "--subject", f"CN={name}")


def test_an_external_list_shuts_out_new_and_live_connections(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    folder = tmp_path / "server"
    crl = folder / "corporate.crl"
    settings = corporate(folder, outside, tls={"client_crl": str(crl)})
    crl.write_bytes(outside.revocation_list())
    with testing.server(folder, workers=2, settings=settings) as server:
        let_in(server, folder, outside, "db")
        certificate, key = outside.issue("db")
        profile = profile_of(server, folder / "db", certificate, key)
        assert works_anew(server, profile)
        assert works_anew(server, server.profile)
        with endpoint(server, profile).connect() as connection:
            assert works(connection)
            crl.write_bytes(outside.revocation_list(certificate.serial_number))
            revoked = time.monotonic()
            assert last_answered(connection, PING) < revoked + 3
        eventually(lambda: is_shut_out(server, profile))
        server.wait_for_log("on_revocation_list")
        # Another certificate of the same name is good; without a list nobody of that authority is.
        other = profile_of(server, folder / "other", *outside.issue("db"))
        assert works_anew(server, other)
        crl.unlink()
        eventually(lambda: is_shut_out(server, other))
        assert works_anew(server, server.profile)


def test_a_worker_that_starts_while_the_list_is_gone_lets_nobody_in_whom_it_named(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    folder = tmp_path / "server"
    crl = folder / "corporate.crl"
    settings = corporate(folder, outside, tls={"client_crl": str(crl), "crl_policy": "warn"})
    crl.write_bytes(outside.revocation_list())
    with testing.server(folder, workers=1, settings=settings) as server:
        let_in(server, folder, outside, "db")
        certificate, key = outside.issue("db")
        profile = profile_of(server, folder / "db", certificate, key)
        assert works_anew(server, profile)
        crl.write_bytes(outside.revocation_list(certificate.serial_number))
        eventually(lambda: is_shut_out(server, profile))
        time.sleep(5)  # it is looked at once a second
        crl.unlink()
        server.process.send_signal(signal.SIGHUP)
        server.wait_for_log('"reloaded"')
        time.sleep(0.5)  # the worker before takes connections until it hears that it is to leave
        assert is_shut_out(server, profile)
        assert works_anew(server, server.profile)


def test_a_missing_list_is_only_a_warning_where_the_policy_says_so(
    tmp_path: Path, outside: OutsideAuthority
) -> None:
    folder = tmp_path / "server"
    settings = corporate(folder, outside, tls={"client_crl": str(folder / "none.crl"), "crl_policy": "warn"})
    with testing.server(folder, settings=settings) as server:
        let_in(server, folder, outside, "db")
        assert works_anew(server, profile_of(server, folder / "db", *outside.issue("db")))
        server.wait_for_log("revocation_not_checked")


LASTS = dt.timedelta(seconds=8)


@pytest.mark.parametrize("policy", ["refuse", "warn"])
def test_a_certificate_that_ends_during_a_session_is_treated_by_the_policy(
    tmp_path: Path, outside: OutsideAuthority, policy: str
) -> None:
    """Fault 18: never silently accepted."""
    folder = tmp_path / "server"
    settings = corporate(folder, outside, clients={"expired": policy})
    with testing.server(folder, workers=2, settings=settings) as server:
        let_in(server, folder, outside, "db")
        outside.now = dt.datetime.now(dt.UTC).replace(microsecond=0)
        certificate, key = outside.issue("db", lasts=LASTS)
        profile = profile_of(server, folder / "db", certificate, key)
        with endpoint(server, profile).connect() as connection:
            assert works(connection)
            left = certificate.not_valid_after_utc - dt.datetime.now(dt.UTC)
            time.sleep(max(0.0, left.total_seconds()))
            if policy == "refuse":
                ended = time.monotonic()
                assert last_answered(connection, PING) < ended + 3
                assert not works_anew(server, profile)
            else:
                server.wait_for_log("accepted all the same")
                assert works(connection)
                assert works_anew(server, profile)
        early = outside.issue("db", since=dt.timedelta(days=-2))
        assert not works_anew(server, profile_of(server, folder / "early", *early))
