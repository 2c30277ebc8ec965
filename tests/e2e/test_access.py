"""Rules on a running server: in force when the command returns, on connections that are open, too."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strongroom import Client, testing
from strongroom.cli.exit import ExitCode
from strongroom.client.errors import KMIPError, ObjectNotFound
from strongroom.conformance.results import Outcome
from strongroom.conformance.session import Options, play
from strongroom.domain.rules import GRANTABLE
from strongroom.operations.catalogue import all_operations
from strongroom.registry import V1_4, V2_1, Operation, ResultStatus, Version
from tests import oasis
from tests.e2e.commands import Run
from tests.e2e.completeness.test_operations import ROWS
from tests.e2e.conftest import eventually, status
from tests.faults.test_permissions import named, on_objects, without_object
from tests.over_tls import OverTls

CONNECTIONS = 8
"""Enough that, of two workers, each has some."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[testing.Server]:
    folder = tmp_path_factory.mktemp("access")
    with testing.server(folder, workers=2, settings={"policy": {"legacy": "on"}}) as running:
        yield running


def administer(server: testing.Server, *words: str) -> str:
    return server.run(*words, "--data", str(server.directory)).strip()


def grant(server: testing.Server, to: str, on: str, permissions: str, *more: str) -> str:
    return administer(server, "grant", "add", "--to", to, "--on", on, "--permission", permissions, *more)


@pytest.fixture
def own(tmp_path: Path) -> Iterator[testing.Server]:
    """Give a server that a test may stop and start: others have connections to theirs."""
    with testing.server(tmp_path, workers=2) as running:
        yield running


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Give the name of a client that no other test has."""
    return f"c{abs(hash(request.node.name))}"


@pytest.fixture
def clients(server: testing.Server, name: str) -> Iterator[list[Client]]:
    """Give many connections of one client that has been granted nothing yet."""
    profile = server.enrol(name)
    opened = [Client.from_profile(profile) for _ in range(CONNECTIONS)]
    for client in opened:
        client.query()
    yield opened
    for client in opened:
        client.close()


def refused(clients: list[Client], identifier: Any) -> bool:
    for client in clients:
        with pytest.raises(ObjectNotFound):
            client.get(identifier)
    return True


def test_a_grant_and_its_end_are_in_force_at_once_on_every_connection(
    server: testing.Server, clients: list[Client], name: str
) -> None:
    with Client.from_profile(server.profile) as owner:
        key = owner.create_symmetric_key()
    assert refused(clients, key)
    rule = grant(server, f"client:{name}", f"object:{key}", "get,locate")
    for client in clients:
        assert client.get(key)
        assert client.locate() == [key]
    administer(server, "grant", "remove", rule, "--permission", "get")
    assert refused(clients, key)
    for client in clients:
        assert client.locate() == [key]
    administer(server, "grant", "remove", rule)
    for client in clients:
        assert client.locate() == []


def test_a_group_is_entered_and_left_at_once_on_every_connection(
    server: testing.Server, clients: list[Client], name: str
) -> None:
    with Client.from_profile(server.profile) as owner:
        key = owner.create_symmetric_key()
    grant(server, "group:readers", f"object:{key}", "get")
    assert refused(clients, key)
    administer(server, "client", "group", "add", name, "readers")
    for client in clients:
        assert client.get(key)
    administer(server, "client", "group", "remove", name, "readers")
    assert refused(clients, key)


def test_a_rule_survives_a_restart(own: testing.Server) -> None:
    reader = own.enrol("reader")
    with Client.from_profile(own.profile) as owner:
        key = owner.create_symmetric_key()
    grant(own, "client:reader", f"object:{key}", "get")
    own.stop()
    listed = json.loads(administer(own, "grant", "list", "-o", "json"))  # by this process alone
    assert f"object:{key}" in {rule["on"] for rule in listed}
    own.start()
    with Client.from_profile(reader) as client:
        assert client.get(key)
        assert client.locate() == []


def test_a_client_of_another_tenant_sees_nothing(server: testing.Server, tmp_path: Path) -> None:
    administer(server, "tenant", "create", "blue")
    out = tmp_path / "carol"
    administer(server, "client", "enrol", "carol", "--tenant", "blue", "--out", str(out))
    grant(server, "everyone", "everything", ",".join(p.value for p in GRANTABLE), "--tenant", "blue")
    with Client.from_profile(server.profile) as owner, Client.from_profile(out / "profile.toml") as carol:
        key = owner.create_symmetric_key(name="same name")
        assert carol.locate() == []
        with pytest.raises(ObjectNotFound):
            carol.get(key)
        hers = carol.create_symmetric_key(name="same name")
        assert carol.locate() == [hers]
        assert hers not in owner.locate()
    assert "blue" in administer(server, "tenant", "list")
    why = administer(server, "why", "carol", "get", key)
    assert why.startswith("no")
    assert "never see each other" in why


def test_why_and_policy_test_from_the_command_line(server: testing.Server, run: Run, tmp_path: Path) -> None:
    data = ("--data", str(server.directory))
    with Client.from_profile(server.profile) as owner:
        key = owner.create_symmetric_key()
    assert run("why", "test", "Get", key, *data).out.startswith("yes: test, get\n")
    assert run("why", "test", "Get", key, *data, "-o", "id").out == "yes\n"
    assert json.loads(run("why", "test", "Get", key, *data, "-o", "json").out)["allowed"] is True
    run("why", "nobody", "Get", key, *data, code=ExitCode.NOT_FOUND)
    server.enrol("erin")
    listed = json.loads(run("client", "list", *data, "-o", "json").out)
    number = next(one["number"] for one in listed if one["name"] == "erin")
    rules, records = tmp_path / "rules.toml", tmp_path / "audit.jsonl"
    rules.write_text(f'[[add]]\nto = "client:erin"\non = "object:{key}"\npermission = ["get", "export"]\n')
    event = {"client": number, "tenant": 1, "operation": "Get", "outcome": "ObjectNotFound", "objects": [key]}
    records.write_text("\n".join([json.dumps(event), json.dumps(event), ""]))
    tried = run("policy", "test", str(rules), "--records", str(records), *data, "-o", "json")
    assert [(one["client"], one["would_be"], one["times"]) for one in json.loads(tried.out)] == [
        ("erin", "allowed", 2)
    ]
    with Client.from_profile(server.folder / "erin" / "profile.toml") as erin, pytest.raises(ObjectNotFound):
        erin.get(key)
    for more in ((), ("--records", str(exported(server, tmp_path)))):
        tried = run("policy", "test", str(rules), *more, *data, "-o", "json")
        assert [(one["client"], one["operation"], one["recorded"]) for one in json.loads(tried.out)] == [
            ("erin", "Get", "OBJECT_NOT_FOUND")
        ]
    rules.write_text('[[add]]\nwhom = "client:erin"\n')
    assert (
        "whom"
        in run("policy", "test", str(rules), "--records", str(records), *data, code=ExitCode.USAGE).error
    )
    records.write_text("no json\n")
    rules.write_text("")
    assert (
        "line 1"
        in run("policy", "test", str(rules), "--records", str(records), *data, code=ExitCode.FAILURE).error
    )


def test_changed_restrictions_are_tried_from_the_command_line(
    server: testing.Server, run: Run, tmp_path: Path
) -> None:
    pytest.importorskip("cedarpy", reason="an extra: pip install 'strongroom[cedar]'")
    data = ("--data", str(server.directory))
    with Client.from_profile(server.profile) as owner:
        key = owner.create_symmetric_key()
        owner.get(key)
        cedar = tmp_path / "changed.cedar"
        cedar.write_text(f'forbid(principal, action == Action::"get", resource == Object::"{key}");')
        said = run("policy", "test", "--cedar", str(cedar), *data, "-o", "json").out
        assert [(one["operation"], one["object"], one["would_be"]) for one in json.loads(said)] == [
            ("Get", key, "refused")
        ]
        assert owner.get(key)
    cedar.write_text("forbid everything")
    refused = run("policy", "test", "--cedar", str(cedar), *data, code=ExitCode.FAILURE)
    assert "no Cedar policies" in refused.error
    run("policy", "test", *data, code=ExitCode.USAGE)


def exported(server: testing.Server, folder: Path) -> Path:
    administer(server, "audit", "export", "--output", str(folder / "exported.jsonl"))
    return folder / "exported.jsonl"


def versions() -> list[Any]:
    """Return each operation on objects once: in 1.4 or 2.1 where it is there, else in its oldest version."""
    best: dict[Operation, Version] = {}
    for operation, version in (one.values for one in on_objects()):
        spec = all_operations()[operation]
        wanted = next((v for v in (V1_4, V2_1) if spec.in_version(v)), version)
        best[operation] = wanted
    return [pytest.param(o, v, id=f"{o.name}-{v}") for o, v in best.items()]


@pytest.fixture(scope="module")
def kms(server: testing.Server) -> Iterator[OverTls]:
    connected = OverTls(server.profile)
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def permitted(server: testing.Server) -> Iterator[OverTls]:
    """Give a client that may do everything to the objects of another."""
    profile = server.enrol("permitted")
    grant(server, "client:permitted", "owner:test", ",".join(p.value for p in GRANTABLE))
    connected = OverTls(profile)
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def stranger(server: testing.Server) -> Iterator[OverTls]:
    connected = OverTls(server.enrol("stranger"))
    yield connected
    connected.close()


@pytest.mark.parametrize(("operation", "version"), versions())
def test_an_operation_is_done_by_whom_rules_let_and_by_nobody_else(
    kms: OverTls, permitted: OverTls, stranger: OverTls, operation: Operation, version: Version
) -> None:
    """As `tests/faults/test_permissions.py`, over TLS."""
    kms.version = permitted.version = stranger.version = version
    request = ROWS[operation].succeeds(kms)
    if not named(request):
        pytest.skip("in this version the operation names no object")
    foreign, missing = stranger.outcome(request), stranger.outcome(without_object(request))
    assert foreign.result_status is ResultStatus.OPERATION_FAILED
    assert (foreign.result_reason, foreign.result_message) == (missing.result_reason, missing.result_message)
    done = permitted.outcome(request)
    assert done.result_status is ResultStatus.SUCCESS, done.result_message


def test_a_revoked_client_gets_nothing_done_whatever_the_rules(server: testing.Server) -> None:
    profile = server.enrol("leaver")
    grant(server, "client:leaver", "everything", ",".join(p.value for p in GRANTABLE))
    with Client.from_profile(server.profile) as owner:
        key = owner.create_symmetric_key()
    opened = [Client.from_profile(profile) for _ in range(CONNECTIONS)]
    for client in opened:
        assert client.get(key)
    administer(server, "client", "revoke", "leaver")
    for client in opened:
        with pytest.raises(KMIPError):
            client.get(key)
        client.close()


TWO_CLIENTS = [f"TC-{number}-1{minor}" for number in (32, 41, 51, 95, 314) for minor in (0, 1, 2)]
"""Published cases in which a second client uses what the first one has made, and the other way round."""

REFUSED = ["TC-41-12", "TC-51-10", "TC-51-11", "TC-51-12", "TC-95-10", "TC-95-11", "TC-95-12", "TC-314-12"]
"""Those that cannot pass without a grant; but for TC-32-12, which waits for three minutes until it fails."""


def test_the_published_cases_of_two_clients_pass_once_each_may_use_what_the_other_has(
    tmp_path: Path,
) -> None:
    vectors = oasis.folder()
    with testing.server(tmp_path, settings={"policy": {"legacy": "on"}}) as server:
        profiles = [server.profile, server.enrol("second")]
        options = Options(vectors=vectors, profiles=profiles, cases=TWO_CLIENTS)
        before = play(replace(options, cases=REFUSED), lambda _: None).results
        for client, owner in (("second", testing.CLIENT), (testing.CLIENT, "second")):
            grant(server, f"client:{client}", f"owner:{owner}", ",".join(p.value for p in GRANTABLE))
        after = play(options, lambda _: None).results
    assert {result.name: result.outcome for result in before} == dict.fromkeys(REFUSED, Outcome.FAILED)
    assert {result.name: result.outcome for result in after} == dict.fromkeys(TWO_CLIENTS, Outcome.PASSED)


def test_a_restriction_is_followed_within_seconds_and_a_broken_one_stops_only_the_start(
    own: testing.Server,
) -> None:
    pytest.importorskip("cedarpy", reason="an extra: pip install 'strongroom[cedar]'")
    name, clients = testing.CLIENT, [Client.from_profile(own.profile) for _ in range(CONNECTIONS)]
    file = own.directory / "policy.cedar"
    keys = [client.create_symmetric_key() for client in clients]
    new = own.directory / "policy.new"
    try:
        new.write_text(f'forbid(principal == Client::"{name}", action == Action::"get", resource);')
        new.rename(file)
        eventually(lambda: all(is_refused(client, key) for client, key in zip(clients, keys, strict=True)))
        assert clients[0].locate()
        assert "policy.cedar forbid" in administer(own, "why", name, "get", keys[0])
        new.write_text("forbid(")
        new.rename(file)
        own.wait_for_log("restrictions_refused")
        assert all(is_refused(client, key) for client, key in zip(clients, keys, strict=True))
        assert "restrictions" in status(own)["problems"]
        assert "policy.cedar forbid" in administer(own, "why", name, "get", keys[0])
        own.stop()
        with pytest.raises(testing.ServerFailed, match=r"policy\.cedar"):
            own.start()
    finally:
        file.unlink()
    own.start()
    for client in clients:
        client.close()
    with Client.from_profile(own.profile) as client:
        assert client.get(keys[0])


@pytest.mark.parametrize("left", [None, "", "forbid("])
def test_workers_that_start_late_are_restricted_as_the_others_whatever_has_become_of_the_file(
    own: testing.Server, left: str | None
) -> None:
    pytest.importorskip("cedarpy", reason="an extra: pip install 'strongroom[cedar]'")
    file = own.directory / "policy.cedar"
    with Client.from_profile(own.profile) as client:
        key = client.create_symmetric_key()
        file.write_text('forbid(principal, action == Action::"get", resource);')
        eventually(lambda: is_refused(client, key))
    if left is None:
        file.unlink()
    else:
        file.write_text(left)
    own.wait_for_log("restrictions_refused")
    before = {worker["pid"] for worker in status(own)["workers"]}
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: (
            len({worker["pid"] for worker in status(own)["workers"] if worker["state"] == "serving"} - before)
            == len(before)
        )
    )
    own.process.send_signal(signal.SIGHUP)
    own.wait_for_log('"reloaded"')
    for _ in range(CONNECTIONS):
        with Client.from_profile(own.profile) as client:
            assert is_refused(client, key)


def is_refused(client: Client, identifier: Any) -> bool:
    try:
        client.get(identifier)
    except ObjectNotFound:
        return True
    return False
