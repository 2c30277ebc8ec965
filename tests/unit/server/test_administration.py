"""Administration commands: found by name, declared once, and read with care."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from strongroom.domain.clients import ClientRecord, ClientStore
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity
from strongroom.domain.people import Role
from strongroom.domain.store_failures import StoreFailure
from strongroom.server.administration.command import (
    Administrator,
    Caller,
    command,
    commands,
    find,
    perform,
)
from strongroom.server.clients.stored import StoredClients
from strongroom.server.config import parse_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import NotFound, OperatorError
from strongroom.server.messages import BrokenMessage, Message
from strongroom.server.ports import RootKeys
from strongroom.server.recording import BY_USER, act
from strongroom.store.records import ChangeSet, StoreUnavailable
from tests.kms import TestKms
from tests.unit.server.clients.test_records import Store
from tests.unit.server.conftest import NOW


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    made = TestKms(tmp_path)
    yield made
    made.close()


async def put_client(clients: ClientStore, name: str) -> None:
    record = ClientRecord(
        client=ClientId(1),
        tenant=DEFAULT_TENANT,
        name=name,
        fingerprint="00",
        groups=(),
        username=None,
        password_hash=None,
        enrolled_at=NOW,
    )
    await clients.put(record)


EVE = Caller(
    person="eve",
    roles=frozenset(Role),
    client=ClientIdentity(client=ClientId(9), tenant=DEFAULT_TENANT, name="eve-laptop"),
    peer="192.0.2.9:9",
)


def administrator(kms: TestKms, caller: Caller | None = None) -> Administrator:
    return Administrator(
        clients=Store(),
        store=kms.repository,
        directory=DataDirectory(kms.directory),
        settings=parse_settings({}),
        root_key=cast(RootKeys, kms.root_key),
        now=NOW,
        live=None,
        caller=caller,
    )


def test_how_the_server_is_is_asked_of_the_server_itself_where_it_runs(kms: TestKms) -> None:
    """A worker that asked the supervisor would be waited for by it."""
    with pytest.raises(OperatorError, match="server status --data"):
        kms.run(perform(administrator(kms), {"command": "server.status"}))


def test_every_command_is_a_noun_and_a_verb_and_needs_a_role() -> None:
    assert commands()
    for name, declared in commands().items():
        noun, _, verb = name.partition(".")
        assert noun, name
        assert verb, name
        assert declared.roles, name


def test_no_command_is_declared_twice() -> None:
    async def again(admin: Administrator, request: Message) -> object:
        return None

    with pytest.raises(TypeError, match="twice"):
        command("client.list", roles={Role.OPERATOR})(again)


def test_an_unknown_command_is_named() -> None:
    with pytest.raises(OperatorError, match=r"'client\.dance'"):
        find({"command": "client.dance"})


def recorded(kms: TestKms) -> list[dict[str, object]]:
    return [json.loads(row.event) for row in kms.run(kms.backend.audit_rows(0, 100))]


@pytest.mark.parametrize("more", ["bob to=everyone", "x" * 5000])
def test_no_field_of_a_request_can_pass_for_another_or_hide_one(kms: TestKms, more: str) -> None:
    """A command reads what it needs; the rest of a request is recorded as what it is."""
    request: Message = {
        "command": "grant.add",
        "name": more,
        "to": {"kind": "group", "name": "web on=group:nothing"},
        "on": {"kind": "everything"},
        "permissions": ["get", "export"],
    }
    target = act(request, kms.clock.now()).target
    assert target is not None
    fields = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)', target)
    assert [name for name, _ in fields] == ["name", "to", "on", "permissions"]
    assert fields[1][1] == '"group:web on=group:nothing"'
    assert len(target) < 1000


def test_an_act_is_recorded_with_who_did_it_what_it_changed_and_how_it_ended(kms: TestKms) -> None:
    admin = replace(administrator(kms), clients=StoredClients(kms.repository), caller=EVE)
    kms.run(put_client(admin.clients, "web"))
    kms.run(perform(admin, {"command": "client.revoke", "name": "web", "password_hash": "$argon2id$"}))
    kms.run(perform(replace(admin, caller=None), {"command": "client.list", BY_USER: 1234}))
    with pytest.raises(NotFound):
        kms.run(perform(admin, {"command": "client.revoke", "name": "nobody\nelse"}))
    with pytest.raises(OperatorError):
        kms.run(perform(admin, {"command": "client.dance"}))
    revoked, listed, missing, unknown = recorded(kms)
    assert revoked["operation"] == "ADMIN client.revoke"
    assert (revoked["by"], revoked["target"], revoked["outcome"]) == ("person:eve", "name=web", "success")
    assert revoked["clients"] == [[1, 2]]
    assert (listed["operation"], listed["by"]) == ("ADMIN client.list", "local:1234")
    assert (missing["target"], missing["outcome"]) == ('name="nobody\\nelse"', "NotFound")
    assert unknown["outcome"] == "OperatorError"
    assert "argon2" not in json.dumps(recorded(kms))


def test_nothing_is_done_that_cannot_be_recorded(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(changes: ChangeSet) -> None:
        raise StoreUnavailable("no space")

    monkeypatch.setattr(kms.backend, "commit", broken)
    with pytest.raises(StoreFailure, match="no space"):
        kms.run(perform(administrator(kms), {"command": "client.list"}))


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"command": 3},
        {"command": "client.enrol", "name": "x"},
        {"command": "client.revoke", "name": None},
    ],
)
def test_a_request_with_missing_or_wrong_fields_is_refused(request_: dict[str, object], kms: TestKms) -> None:
    with pytest.raises(BrokenMessage):
        kms.run(perform(administrator(kms), request_))
