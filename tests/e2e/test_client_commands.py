"""`strongroom client`, with a live server and without: what it writes, and when it is in force."""

import contextlib
import json
import os
import socket
import sqlite3
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from strongroom import testing
from tests.e2e.conftest import ECHO, endpoint, frame
from tests.interop.endpoint import RawConnection


def admitted(server: testing.Server, profile: Path) -> bool:
    """Tell whether the server answers a client."""
    try:
        with endpoint(server, profile).connect() as connection:
            return connection.exchange(frame(b"hello"))[8:13] == b"hello"
    except OSError:
        return False


def test_enrolment_writes_the_files_of_the_contract(echo: testing.Server) -> None:
    out = echo.enrol("files").parent
    assert sorted(os.listdir(out)) == ["ca.pem", "cert.pem", "key.pem", "profile.toml"]
    assert (out / "key.pem").stat().st_mode & 0o777 == 0o600
    profile = tomllib.loads((out / "profile.toml").read_text())
    assert profile == {
        "servers": [echo.address],
        "https": echo.https_address,
        "cert": "cert.pem",
        "key": "key.pem",
        "ca": "ca.pem",
    }


def test_an_enrolled_client_is_admitted_by_every_worker_at_once(echo: testing.Server) -> None:
    profile = echo.enrol("prompt")
    assert all(admitted(echo, profile) for _ in range(6))


def test_revocation_closes_live_connections_in_every_worker_within_two_seconds(
    echo: testing.Server,
) -> None:
    """When the command ends they are over: nothing is answered that is sent from then on."""
    profile = echo.enrol("gone")
    connections = [endpoint(echo, profile).connect() for _ in range(6)]
    for connection in connections:
        connection.exchange(frame(b"hello"))
    echo.run("client", "revoke", "gone", "--data", str(echo.directory))
    for connection in connections:
        with pytest.raises(OSError):
            connection.exchange(frame(b"hello"))
        connection.stream.close()
    assert not admitted(echo, profile)
    echo.wait_for_log('"reason": "revoked"')


def test_a_revoked_client_cannot_resume_its_session(echo: testing.Server) -> None:
    where = endpoint(echo, echo.enrol("resumer"))
    context = where.context()
    with socket.create_connection((echo.host, echo.port), 60) as plain:
        stream = context.wrap_socket(plain, server_hostname="localhost")
        RawConnection(stream).exchange(frame(b"hello"))
        session = stream.session
    echo.run("client", "revoke", "resumer", "--data", str(echo.directory))
    with socket.create_connection((echo.host, echo.port), 60) as plain:
        stream = context.wrap_socket(plain, server_hostname="localhost", session=session)
        assert stream.session_reused
        assert stream.recv(1) == b""


def test_an_unknown_client_with_a_good_certificate_is_refused_with_the_cure(
    echo: testing.Server, tmp_path: Path
) -> None:
    """A certificate of the internal authority is not enough: the client must be in this store."""
    other = testing.Server(tmp_path, command=ECHO)
    other.run("init", str(other.directory))
    for name in ("root.key", "ca.pem", "ca.key"):
        (other.directory / name).write_bytes((echo.directory / name).read_bytes())
    with contextlib.closing(sqlite3.connect(other.directory / "strongroom.db")) as store, store:
        store.execute("DELETE FROM store_keys")  # as if it had begun with that root key
    profile = other.enrol("stranger")
    assert not admitted(echo, profile)
    echo.wait_for_log('"reason": "unknown"')
    echo.wait_for_log("strongroom client enrol")


def test_a_name_is_enrolled_once(echo: testing.Server) -> None:
    echo.enrol("once")
    again = echo.folder / "again"
    done = echo.try_run("client", "enrol", "once", "--data", str(echo.directory), "--out", str(again))
    assert done.returncode == 1
    assert "client once is enrolled already" in done.stderr
    assert not again.exists()


def test_files_of_another_client_are_not_overwritten(echo: testing.Server) -> None:
    out = echo.enrol("careful").parent
    before = (out / "key.pem").read_bytes()
    done = echo.try_run("client", "enrol", "careless", "--data", str(echo.directory), "--out", str(out))
    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert (out / "key.pem").read_bytes() == before


def test_a_list_shows_groups_user_names_and_revocations_but_no_secret(echo: testing.Server) -> None:
    echo.enrol("listed", groups=["backup", "archive"], username="u", password="hunter2")
    echo.run("client", "revoke", "listed", "--data", str(echo.directory))
    printed = echo.run("client", "list", "--data", str(echo.directory), "-o", "json")
    (entry,) = [entry for entry in json.loads(printed) if entry["name"] == "listed"]
    assert entry["groups"] == ["archive", "backup"]
    assert entry["username"] == "u"
    assert entry["revoked_at"] is not None
    assert "hunter2" not in printed
    assert "argon2" not in printed
    assert "hunter2" not in echo.log_text()


def test_a_user_name_is_in_the_profile_and_the_password_is_not(echo: testing.Server) -> None:
    profile = echo.enrol("login", username="u", password="hunter2")
    written = tomllib.loads(profile.read_text())
    assert written["username"] == "u"
    assert Path(written["password_file"]).read_text() == "hunter2"
    assert "hunter2" not in profile.read_text()


def test_revoking_an_unknown_client_is_not_found(echo: testing.Server) -> None:
    done = echo.try_run("client", "revoke", "nobody", "--data", str(echo.directory))
    assert done.returncode == 3
    assert done.stderr == "strongroom: there is no client nobody; list them: strongroom client list\n"


def test_without_a_server_the_command_works_alone_and_the_server_knows_later(
    own_echo: testing.Server,
) -> None:
    own_echo.stop()
    profile = own_echo.enrol("early")
    own_echo.run("client", "revoke", testing.CLIENT, "--data", str(own_echo.directory))
    own_echo.start()
    assert admitted(own_echo, profile)
    assert not admitted(own_echo, own_echo.profile)


def test_a_socket_that_a_killed_server_left_does_not_matter(own_echo: testing.Server) -> None:
    own_echo.kill()
    assert (own_echo.directory / "admin.sock").exists()
    own_echo.enrol("orphan")
    own_echo.start()


def test_the_address_of_a_wildcard_is_the_first_host(tmp_path: Path) -> None:
    made = testing.Server(tmp_path, command=ECHO)
    made.run(
        "init", str(made.directory), "--listen", "0.0.0.0:7777", "--host", "kms.example", "--host", "::1"
    )
    assert tomllib.loads(made.enrol("web").read_text())["servers"] == ["kms.example:7777"]


def test_nobody_is_enrolled_for_a_port_that_is_not_known_yet(tmp_path: Path) -> None:
    made = testing.Server(tmp_path, command=ECHO)
    made.run("init", str(made.directory), "--listen", "127.0.0.1:0")
    data = ("--data", str(made.directory))
    for words in (("enrol", "web", "--out", str(tmp_path / "web")), ("invite", "web")):
        refused = made.try_run("client", *words, *data)
        assert refused.returncode == 1
        assert "strongroom serve" in refused.stderr
    assert not (tmp_path / "web").exists()
    assert made.run("client", "list", *data, "-o", "id") == ""


def test_the_admin_socket_is_private_and_survives_nonsense(echo: testing.Server) -> None:
    path = echo.directory / "admin.sock"
    assert path.stat().st_mode & 0o777 == 0o600
    for nonsense in (b"", b"x\n", b"[]\n", b'{"command":"bogus"}\n', b'{"command":{}}\n', b'{"com'):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(nonsense)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(60)
            answer = connection.recv(1000)
        assert not answer or "error" in json.loads(answer)
    # Somebody who connects and says nothing holds up nobody.
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        assert echo.run("client", "list", "--data", str(echo.directory), "-o", "id")


def test_the_first_profile_becomes_the_default_and_later_ones_do_not(own_echo: testing.Server) -> None:
    default = own_echo.folder / "config" / "strongroom" / "default"
    assert default.read_text() == f"{own_echo.profile}\n"
    own_echo.enrol("second")
    assert default.read_text() == f"{own_echo.profile}\n"


def test_dev_makes_everything_once_and_says_what_to_type(tmp_path: Path) -> None:
    environment = {**testing.Server(tmp_path)._environment()}
    printed = []
    for _ in range(2):
        process = subprocess.Popen(
            [*ECHO, "dev", "data", "--listen", "127.0.0.1:0"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        with process:
            assert process.stdout is not None
            ready = process.stdout.readline().split()
            assert ready[0] == "ready"
            profile = tmp_path / "data" / "clients" / "dev" / "profile.toml"
            server = testing.Server(tmp_path, command=ECHO)
            server.address = ready[1].removeprefix("kmip=")
            assert admitted(server, profile)
            told = tomllib.loads(profile.read_text())
            assert told["servers"] == [server.address]
            assert ready[2:] == [f"https={told['https']}"]
            process.terminate()
            assert process.wait(60) == 0
            printed.append(process.stdout.read())
    assert printed[0] == printed[1]
    assert "key create --name first" in printed[0]
    # The commands are meant to be typed as they stand; --profile is left out, since dev set the default.
    assert "--profile" not in printed[0]
    listed = server.run("client", "list", "--data", str(tmp_path / "data"), "-o", "id")
    assert listed == "dev\n"


def test_a_throw_away_server_is_a_pytest_fixture(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "import ssl\n"
        "def test_it(strongroom_server):\n"
        "    assert strongroom_server.profile.exists()\n"
        "    assert strongroom_server.port\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "strongroom.pytest_plugin", str(tmp_path)],
        # Where Strongroom is installed, pytest finds the plugin by itself, and would load it twice.
        env=testing.Server(tmp_path)._environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "1 passed" in done.stdout, done.stderr


def test_the_client_certificate_is_of_use_for_nothing_but_clients(echo: testing.Server) -> None:
    """Somebody who steals it cannot pose as the server."""
    where = endpoint(echo)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(where.cert, where.key)
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=where.ca)
    client.check_hostname = False
    talker = client.wrap_bio(ours, theirs)
    impostor = context.wrap_bio(theirs, ours, server_side=True)
    for side in (talker, impostor):
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
    with pytest.raises(ssl.SSLCertVerificationError, match="unsuitable certificate purpose"):
        talker.do_handshake()
