"""Administration by people over HTTPS: who may do which command, and that there is no other way in."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from itertools import product
from pathlib import Path

import pytest

from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity, Connection
from strongroom.domain.people import Role
from strongroom.server import http
from strongroom.server.administration.command import Administrator, Caller, Command, commands
from strongroom.server.listening.deadlines import Deadlines
from strongroom.server.listening.http_framing import HttpRequest
from strongroom.server.listening.shares import Buffers
from strongroom.server.remote import LONGEST_REQUEST, RemoteAdministration
from strongroom.wire.limits import DEFAULT_LIMITS
from tests.kms import TestKms
from tests.people import appoint
from tests.unit.server.test_administration import administrator, recorded

PEER = "192.0.2.7:4711"


def client(number: int, username: str | None = None, *, optional: bool = False) -> ClientIdentity:
    return ClientIdentity(
        client=ClientId(number),
        tenant=DEFAULT_TENANT,
        name=f"client-{number}",
        username=username,
        password_optional=optional,
    )


class Remote:
    """Administration of a store, asked by one client after the other."""

    def __init__(self, kms: TestKms) -> None:
        self.kms = kms
        self.spread = 0
        self.callers: list[Caller | None] = []
        self.administration = RemoteAdministration(self._surroundings, self._spread)

    def _surroundings(self, caller: Caller | None) -> Administrator:
        self.callers.append(caller)
        return administrator(self.kms, caller)

    async def _spread(self) -> None:
        self.spread += 1

    def appoint(self, name: str, *roles: Role, clients: tuple[int, ...]) -> None:
        self.kms.run(appoint(self.kms.repository, name, roles, clients))

    def send(self, body: bytes, who: ClientIdentity) -> dict[str, object]:
        connection = Connection(client=who, peer=PEER)
        answer = json.loads(self.kms.run(self.administration.answer(body, connection)))
        assert isinstance(answer, dict)
        return answer

    def ask(self, command: str, who: int, **arguments: object) -> dict[str, object]:
        return self.send(json.dumps({"command": command, **arguments}).encode(), client(who))


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    kms = TestKms(tmp_path)
    yield Remote(kms)
    kms.close()


SETS = [frozenset[Role](), *(frozenset({role}) for role in Role), frozenset(Role)]


@pytest.mark.parametrize(("command", "roles"), list(product(sorted(commands()), SETS)))
def test_a_command_is_done_for_who_has_one_of_its_roles_and_for_nobody_else(
    remote: Remote, command: str, roles: frozenset[Role], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def handler(admin: object, request: object) -> object:
        done.append(command)
        return "done"

    declared = commands()[command]
    stub = Command(
        name=command,
        roles=declared.roles,
        spreads=declared.spreads,
        handler=handler,
        local=declared.local,
    )
    monkeypatch.setitem(commands(), command, stub)
    remote.appoint("pat", *roles, clients=(7,))
    answer = remote.ask(command, 7)
    if roles & declared.roles and not declared.local:
        assert answer == {"result": "done"}
        assert remote.spread == declared.spreads
    else:
        assert answer["kind"] == "Denied"
        assert command in str(answer["error"])
        assert not done
        assert not remote.spread


def test_what_opens_every_key_is_done_on_the_machine_of_the_server_only() -> None:
    local = {name for name, declared in commands().items() if declared.local}
    assert local == {"backup.keys", "backup.sign", "recovery.create", "root.finish", "root.rotate"}


def test_the_command_is_told_which_person_asks(remote: Remote) -> None:
    remote.appoint("pat", Role.OPERATOR, Role.AUDITOR, clients=(3, 7))
    assert remote.ask("client.list", 7) == {"result": []}
    caller = remote.callers[-1]
    assert caller is not None
    assert (caller.person, caller.client.client, caller.peer) == ("pat", 7, PEER)
    assert caller.roles == {Role.OPERATOR, Role.AUDITOR}


def test_a_client_of_nobody_learns_nothing_not_even_which_commands_there_are(remote: Remote) -> None:
    remote.appoint("pat", *Role, clients=(7,))
    answers = [remote.ask(command, 8) for command in ("client.list", "no.such")]
    answers.append(remote.send(b"no JSON", client(8)))
    assert {str(answer["kind"]) for answer in answers} == {"Denied"}
    assert len({str(answer["error"]) for answer in answers}) == 1


def test_a_denial_is_recorded_once_with_who_was_denied_what(remote: Remote) -> None:
    remote.appoint("pat", Role.OPERATOR, clients=(7,))
    remote.ask("client.revoke", 7, name="x")
    remote.ask("client.list", 8)
    remote.appoint("pat", Role.APPROVER, clients=(7,))
    remote.ask("approval.approve", 7, approval="1-a-b")
    assert [(event["operation"], event["outcome"], event["by"]) for event in recorded(remote.kms)] == [
        ("ADMIN client.revoke", "Denied", "client:client-7"),
        ("ADMIN unread", "Denied", "client:client-8"),
        ("ADMIN approval.approve", "NotFound", "person:pat"),
    ]


def test_a_request_from_afar_cannot_say_what_only_our_processes_say(remote: Remote) -> None:
    remote.appoint("pat", *Role, clients=(7,))
    remote.ask("client.list", 7, by_user=0, ask="drain", id=1)
    (event,) = recorded(remote.kms)
    assert (event["by"], event["peer"], event["client"]) == ("person:pat", PEER, 7)


def test_a_client_of_two_people_is_of_nobody(remote: Remote) -> None:
    remote.appoint("pat", *Role, clients=(7,))
    remote.appoint("sam", *Role, clients=(7,))
    assert remote.ask("client.list", 7)["kind"] == "Denied"


def test_a_role_that_was_taken_away_is_gone_with_the_next_request(remote: Remote) -> None:
    remote.appoint("pat", Role.OPERATOR, clients=(7,))
    assert "result" in remote.ask("client.list", 7)
    remote.appoint("pat", clients=(7,))
    assert remote.ask("client.list", 7)["kind"] == "Denied"


def test_who_was_enrolled_with_a_password_cannot_leave_it_out_here(remote: Remote) -> None:
    remote.appoint("pat", *Role, clients=(7,))
    body = b'{"command": "client.list"}'
    assert remote.send(body, client(7, "pat"))["kind"] == "Denied"
    assert "result" in remote.send(body, client(7, "pat", optional=True))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"client.list"',
        b"[" * 100_000,
        b'{"command": "client.list", "command": "client.revoke"}',
        b"\xff\xfe",
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"command": 3}',
        b'{"no": "command"}',
        b'{"command": "client.dance"}',
    ],
)
def test_what_is_no_request_is_answered_with_an_error(remote: Remote, body: bytes) -> None:
    remote.appoint("pat", *Role, clients=(7,))
    answer = remote.send(body, client(7))
    assert set(answer) == {"error", "kind"}


def test_a_mistake_in_a_command_is_answered_without_its_words(
    remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handler(admin: object, request: object) -> object:
        raise RuntimeError("a secret")

    stub = Command(name="client.list", roles=frozenset(Role), spreads=False, handler=handler)
    monkeypatch.setitem(commands(), "client.list", stub)
    remote.appoint("pat", *Role, clients=(7,))
    assert remote.ask("client.list", 7) == {"error": "the server could not do it; its log says why"}


# Routes


def request(method: str, target: str, content_type: str, body: bytes = b"{}") -> HttpRequest:
    def respond(response: object, date: str) -> bytes:
        return repr((int(response.status), response.body)).encode()  # type: ignore[attr-defined]

    return HttpRequest(method, target, content_type, "", body, respond)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
@pytest.mark.parametrize(
    "target",
    [
        "/", "/kmip", "/admin", "/admin/", "/Admin", "/admin/x", "//admin", "/kmip/../admin", "/%61dmin",
        "/health", "/metrics", "/api", "/console", "/status", "*", "", "/admin;x", "/.well-known/x",
    ],
)  # fmt: skip
def test_nothing_but_two_routes_answers(method: str, target: str) -> None:
    for content_type in ("application/json", "text/xml", "text/plain", ""):
        sent = request(method, target, content_type)
        if (method, target, content_type) in {
            ("POST", "/kmip", "application/json"),
            ("POST", "/kmip", "text/xml"),
            ("POST", "/admin", "application/json"),
        }:
            assert http.route(sent)[0] == target
            continue
        with pytest.raises(http._Unanswerable) as refused:
            http.route(sent)
        assert refused.value.response.status >= HTTPStatus.BAD_REQUEST


def test_the_table_of_routes_has_these_two() -> None:
    assert set(http._ROUTES) == {"/kmip", "/admin"}


def test_a_request_that_is_too_long_is_refused_unread(remote: Remote) -> None:
    handler = http.HttpHandler(
        None,  # type: ignore[arg-type]
        remote.administration,
        limits=DEFAULT_LIMITS,
        buffers=Buffers(0),
        deadlines=Deadlines(),
    )
    remote.appoint("pat", *Role, clients=(7,))
    body = b'{"command": "client.list"}'
    for padding, status in ((LONGEST_REQUEST - len(body), 200), (LONGEST_REQUEST, 413)):
        sent = request("POST", "/admin", "application/json", body + b" " * padding)
        answer = remote.kms.run(handler.handle(sent, Connection(client=client(7), peer=PEER)))
        assert answer.startswith(f"({status}, ".encode())
