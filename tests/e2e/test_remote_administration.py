"""People administer a server from their own machines, with their own certificates."""

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from strongroom import Client, testing
from strongroom.cli.exit import ExitCode
from strongroom.client.errors import KMIPError
from strongroom.domain.people import Role
from tests.e2e.commands import Run
from tests.e2e.conftest import https, status
from tests.people import hire

PEOPLE = {
    "ada": ([Role.ADMINISTRATOR], ["ada-laptop", "ada-desk", "ada-tablet"]),
    "oto": ([Role.OPERATOR], ["oto-laptop"]),
    "ann": ([Role.APPROVER], ["ann-laptop"]),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    with testing.server(tmp_path_factory.mktemp("people"), workers=2) as server:
        hire(server, PEOPLE)
        yield server


def profile(server: testing.Server, client: str) -> str:
    return str(server.folder / client / "profile.toml")


def test_an_administrator_lets_a_client_in_and_shuts_it_out_in_every_worker(
    server: testing.Server, run: Run, tmp_path: Path
) -> None:
    ada = profile(server, "ada-laptop")
    out = tmp_path / "made"
    printed = run("client", "enrol", "made-from-afar", "--profile", ada, "--out", str(out)).out
    assert printed.strip() == str(out / "profile.toml")
    clients = [Client.from_profile(out / "profile.toml") for _ in range(8)]
    for client in clients:
        client.query()
    run("client", "revoke", "made-from-afar", "--profile", profile(server, "ada-desk"))
    for client in clients:
        with pytest.raises(KMIPError):
            client.create_symmetric_key()
        client.close()
    listed = json.loads(run("client", "list", "--profile", ada, "-o", "json").out)
    assert listed == json.loads(server.run("client", "list", "--data", str(server.directory), "-o", "json"))


def test_a_person_does_what_their_roles_allow_and_no_more(server: testing.Server, run: Run) -> None:
    oto, ann = profile(server, "oto-laptop"), profile(server, "ann-laptop")
    assert "ada-laptop" in run("client", "list", "--profile", oto).out
    before = server.log_text().count("administration_denied")
    refused = run("client", "revoke", "test", "--profile", oto, code=ExitCode.DENIED)
    assert "administrator" in refused.error
    run("client", "list", "--profile", ann, code=ExitCode.DENIED)
    run("client", "list", "--profile", str(server.profile), code=ExitCode.DENIED)
    assert server.log_text().count("administration_denied") == before + 3
    with Client.from_profile(server.profile) as client:
        client.query()


def test_how_the_server_is_is_told_to_people_elsewhere(server: testing.Server, run: Run) -> None:
    told = json.loads(run("server", "status", "--profile", profile(server, "oto-laptop"), "-o", "json").out)
    assert (told["health"], told["pid"], len(told["workers"])) == ("ok", status(server)["pid"], 2)
    run("server", "status", "--profile", profile(server, "ann-laptop"), code=ExitCode.DENIED)


@pytest.mark.parametrize("command", ["show", "export"])
def test_the_audit_log_is_read_on_the_machine_of_the_server(
    server: testing.Server, run: Run, command: str
) -> None:
    for options in (["--profile", profile(server, "ada-laptop")], []):
        assert "--data DIR" in run("audit", command, *options, code=ExitCode.USAGE).error


def test_without_options_the_usual_profile_is_used(server: testing.Server, run: Run) -> None:
    """The fixture sets STRONGROOM_PROFILE to a client that is nobody's."""
    assert "person" in run("client", "list", code=ExitCode.DENIED).error


def test_errors_keep_their_exit_codes_over_the_network(server: testing.Server, run: Run) -> None:
    ada = profile(server, "ada-laptop")
    run("client", "revoke", "nobody", "--profile", ada, code=ExitCode.NOT_FOUND)
    run("client", "list", "--profile", "/no/such/profile.toml", code=ExitCode.USAGE)


def test_a_server_that_is_not_there_is_unreachable(server: testing.Server, run: Run, tmp_path: Path) -> None:
    original = Path(profile(server, "ada-laptop"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        text = original.read_text().replace(server.https_address, f"127.0.0.1:{taken.getsockname()[1]}")
        for file in original.parent.iterdir():
            (tmp_path / file.name).write_bytes(file.read_bytes())
        (tmp_path / "profile.toml").write_text(text)
        run("client", "list", "--profile", str(tmp_path / "profile.toml"), code=ExitCode.UNREACHABLE)


@pytest.mark.parametrize("target", ["/admin", "/kmip", "/", "/health", "/metrics"])
def test_nothing_answers_without_a_client_certificate(server: testing.Server, target: str) -> None:
    host, _, port = server.https_address.rpartition(":")
    context = ssl.create_default_context(cafile=str(server.profile.parent / "ca.pem"))
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
    heard = b""
    # TLS 1.3 tells a client that it was refused when it first reads.
    with (
        contextlib.suppress(ssl.SSLError, ConnectionError),
        socket.create_connection((host, int(port)), timeout=60) as plain,
        context.wrap_socket(plain, server_hostname=host) as stream,
    ):
        stream.sendall(f"{head}{{}}".encode())
        heard = stream.recv(1024)
    assert not heard


def test_whoever_was_revoked_administers_no_more(server: testing.Server, run: Run, tmp_path: Path) -> None:
    ada = profile(server, "ada-laptop")
    run("client", "enrol", "ada-phone", "--profile", ada, "--out", str(tmp_path / "phone"))
    with https(server, server.folder / "ada-tablet" / "profile.toml") as connection:
        headers = {"Content-Type": "application/json"}
        body = b'{"command": "client.list"}'
        assert b"result" in connection.request("POST", "/admin", body, headers).body
        run("client", "revoke", "ada-tablet", "--profile", ada)
        with pytest.raises((OSError, HTTPException)):
            connection.request("POST", "/admin", body, headers)
    assert len(status(server)["workers"]) == 2
