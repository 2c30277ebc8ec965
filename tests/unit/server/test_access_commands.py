"""Tenants, groups, grants, policies, people: what the commands do, and what workers then know."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from strongroom.domain.access import may
from strongroom.domain.clients import ClientRecord
from strongroom.domain.entries import EntryChange
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.domain.people import Person, Role, person_of, roles_of
from strongroom.domain.permission import Permission
from strongroom.domain.rules import MAXIMUM_RULES, AccessRule
from strongroom.domain.store import Changes, LostRace
from strongroom.domain.store_failures import StoreFailure, TamperedRecord
from strongroom.domain.tenants import SYSTEM_TENANT, tenants_of
from strongroom.registry import Tag
from strongroom.server import kept
from strongroom.server.access import rules
from strongroom.server.access.rules import RuleBook
from strongroom.server.access.trial import LONGEST
from strongroom.server.administration.command import Administrator, perform
from strongroom.server.clients.directory import ClientDirectory
from strongroom.server.config import parse_settings
from strongroom.server.data_directory import DataDirectory
from strongroom.server.errors import InvalidOption, NotFound, OperatorError
from strongroom.server.messages import Message
from strongroom.server.ports import RootKeys
from strongroom.server.recording import act
from tests.expect import key
from tests.kms import ALICE, BOB, TestKms, attribute
from tests.unit.server.clients.test_records import Store
from tests.unit.server.conftest import NOW


class Office:
    """An administrator, and a worker that follows."""

    def __init__(self, kms: TestKms) -> None:
        self.kms = kms
        self.clients = Store()
        self.admin = Administrator(
            clients=cast(Any, self.clients),
            store=kms.repository,
            directory=DataDirectory(kms.directory),
            settings=parse_settings({}),
            root_key=cast(RootKeys, kms.root_key),
            now=NOW,
            live=None,
        )
        self.directory = ClientDirectory(cast(Any, self.clients), rules=RuleBook(kms.repository))

    def __call__(self, command: str, **fields: object) -> Any:
        return self.kms.run(perform(self.admin, {"command": command, **fields}))

    def enrol(self, name: str, *groups: str, tenant: int = 1) -> ClientRecord:
        number = len(self.clients.records) + 1
        record = ClientRecord(
            client=ClientId(number),
            tenant=TenantId(tenant),
            name=name,
            fingerprint=f"f{number}",
            groups=tuple(sorted(groups)),
            username=None,
            password_hash=None,
            enrolled_at=NOW,
        )
        self.kms.run(self.clients.put(record))
        return record

    def grant(self, to: str, on: str, *permissions: str, **fields: object) -> Any:
        def typed(said: str) -> dict[str, str]:
            kind, colon, name = said.partition(":")
            return {"kind": kind, "name": name} if colon else {"kind": kind}

        return self(
            "grant.add", to=typed(to), on=typed(on), permissions=list(permissions), tenant=None, **fields
        )

    def worker(self, client: int) -> ClientIdentity:
        """Return a client as a worker knows it after it has followed."""
        self.kms.run(self.directory.refresh())
        found = self.directory.in_force(ClientId(client))
        assert found is not None
        return found


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    kms = TestKms(tmp_path)
    made = Office(kms)
    made.enrol("alice")
    made.enrol("bob")
    yield made
    kms.close()


# Tenants


def test_a_tenant_has_a_number_that_no_other_had(office: Office) -> None:
    assert office("tenant.create", name="blue") == {"name": "blue", "number": 2}
    assert office("tenant.create", name="red") == {"name": "red", "number": 3}
    with pytest.raises(OperatorError, match="already"):
        office("tenant.create", name="blue")
    with pytest.raises(OperatorError, match="already"):
        office("tenant.create", name="default")
    office.enrol("carol", "ops", tenant=2)
    listed = office("tenant.list")
    assert [(t["name"], t["number"], t["clients"]) for t in listed] == [
        ("default", 1, 2),
        ("blue", 2, 1),
        ("red", 3, 0),
    ]
    shown = office("tenant.show", name="blue")
    assert (shown["clients"], shown["groups"]) == (["carol"], ["ops"])
    with pytest.raises(NotFound, match="tenant list"):
        office("tenant.show", name="*")


def test_no_tenant_is_called_as_the_server_as_a_whole_is(office: Office) -> None:
    with pytest.raises(InvalidOption, match="another name"):
        office("tenant.create", name="system")
    assert [tenant["name"] for tenant in office("tenant.list")] == ["default"]


def test_limits_are_laid_down_for_a_tenant_and_taken_back(office: Office) -> None:
    office("tenant.create", name="blue")
    assert office("tenant.limit", name="blue", limits={"objects": 5, "requests": 0}) == {
        "objects": 5,
        "requests": 0,
    }
    assert office("tenant.limit", name="blue", limits={"objects": None}) == {"requests": 0}
    assert office("tenant.show", name="blue")["limits"] == {"requests": 0}
    office("tenant.limit", name="default", limits={"bytes": 7})
    assert office.kms.run(tenants_of(office.kms.repository)) == {"default": 1, "blue": 2}
    for wrong in ({"colour": 1}, {"objects": -1}, {"objects": "many"}, {"objects": True}):
        with pytest.raises(OperatorError):
            office("tenant.limit", name="blue", limits=wrong)
    with pytest.raises(NotFound):
        office("tenant.limit", name="red", limits={"objects": 5})


def test_two_nodes_that_make_tenants_at_once_give_two_numbers(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second commit finds that the number was given."""
    commit = office.kms.repository.commit
    other: list[str] = ["red"]

    async def commit_second(changes: Changes) -> None:
        if other:
            await perform(office.admin, {"command": "tenant.create", "name": other.pop()})
        await commit(changes)

    monkeypatch.setattr(office.kms.repository, "commit", commit_second)
    office("tenant.create", name="blue")
    assert office.kms.run(tenants_of(office.kms.repository)) == {"default": 1, "red": 2, "blue": 3}


def test_a_commit_that_always_loses_is_given_up(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(changes: Changes) -> None:
        if changes.entries:
            raise LostRace

    monkeypatch.setattr(office.kms.repository, "commit", lost)
    with pytest.raises(OperatorError, match="try again"):
        office("tenant.create", name="blue")


# Groups


def test_a_client_is_put_into_groups_and_out_of_them(office: Office) -> None:
    assert office("client.group", name="bob", add=["ops", "backup"], remove=[])["groups"] == ["backup", "ops"]
    assert office.worker(2).groups == ("backup", "ops")
    assert office("client.group", name="bob", add=[], remove=["ops"])["groups"] == ["backup"]
    with pytest.raises(NotFound, match="not in the group ops"):
        office("client.group", name="bob", add=[], remove=["ops"])
    with pytest.raises(OperatorError, match="cannot be a group"):
        office("client.group", name="bob", add=["*"], remove=[])
    with pytest.raises(NotFound):
        office("client.group", name="nobody", add=["ops"], remove=[])


# Grants


def test_a_grant_is_in_force_with_the_next_refresh_and_gone_with_its_removal(office: Office) -> None:
    made = office.kms.run(office.kms.repository.load(1, key(office.kms)))
    assert made is not None
    assert office.worker(2).access is None
    rule = office.grant("client:bob", "owner:alice", "get")
    assert may(office.worker(2), Permission.GET, made, NOW)
    assert not may(office.worker(2), Permission.LOCATE, made, NOW)
    assert office.worker(1).access is None
    assert office.grant("client:bob", "owner:alice", "locate", "get")["id"] == rule["id"]
    assert may(office.worker(2), Permission.LOCATE, made, NOW)
    office("grant.remove", rule=rule["id"], permissions=["get"])
    assert not may(office.worker(2), Permission.GET, made, NOW)
    assert may(office.worker(2), Permission.LOCATE, made, NOW)
    with pytest.raises(NotFound, match="does not grant get"):
        office("grant.remove", rule=rule["id"], permissions=["get"])
    office("grant.remove", rule=rule["id"], permissions=[])
    assert office.worker(2).access is None
    assert office("grant.list", tenant=None) == []
    with pytest.raises(NotFound, match="grant list"):
        office("grant.remove", rule=rule["id"], permissions=[])


def test_a_grant_that_was_taken_back_is_gone_though_a_worker_could_not_read_all_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store says once that rules have changed; what fails after that is read again."""
    rule = office.grant("client:bob", "owner:alice", "get")["id"]
    assert office.worker(2).access is not None
    office("grant.remove", rule=rule, permissions=[])

    async def fail() -> bool:
        raise StoreFailure("the database fails")

    with monkeypatch.context() as failing:
        failing.setattr(office.directory, "_refresh_entries", fail)
        with pytest.raises(StoreFailure):
            office.kms.run(office.directory.refresh())
    assert office.worker(2).access is None


def test_a_group_gives_to_who_is_in_it_now(office: Office) -> None:
    made = office.kms.run(office.kms.repository.load(1, key(office.kms, attribute(Tag.OBJECT_GROUP, "t"))))
    assert made is not None
    office.grant("group:ops", "group:t", "get")
    assert not may(office.worker(2), Permission.GET, made, NOW)
    office("client.group", name="bob", add=["ops"], remove=[])
    assert may(office.worker(2), Permission.GET, made, NOW)
    office("client.group", name="bob", add=[], remove=["ops"])
    assert not may(office.worker(2), Permission.GET, made, NOW)


def test_a_rule_reads_as_it_was_written(office: Office) -> None:
    office("policy.create", name="house", description="", tenant=None)
    for to, on in (
        ("client:bob", "object:0815"),
        ("group:ops", "group:group:x"),
        ("everyone", "policy:house"),
        ("everyone", "policy:public"),
        ("client:bob", "owner:alice"),
        ("group:ops", "everything"),
        ("group:ops", "group:*"),
    ):
        said = office.grant(to, on, "locate", "get", "get")
        assert (said["to"], said["on"], said["permissions"]) == (to, on, ["get", "locate"])
        assert said in office("grant.list", tenant="default")
    assert len(office("grant.list", tenant=None)) == 7


@pytest.mark.parametrize(
    ("to", "on", "permissions", "message"),
    [
        ("client:*", "everything", ["get"], "no client"),
        ("client:", "everything", ["get"], "no client"),
        ("everybody", "everything", ["get"], "--to"),
        ("person:ann", "everything", ["get"], "--to"),
        ("group:*", "everything", ["get"], "cannot be a group"),
        ("everyone", "all", ["get"], "--on"),
        ("everyone", "owner:nobody", ["get"], "no client"),
        ("everyone", "object:", ["get"], "empty"),
        ("everyone", "policy:default", ["get"], "owner alone"),
        ("everyone", "policy:unknown", ["get"], "policy create"),
        ("everyone", "everything", [], "at least one"),
        ("everyone", "everything", ["*"], "cannot be granted"),
        ("everyone", "everything", ["get", "create"], "create cannot be granted"),
        ("everyone", "everything", ["GET"], "cannot be granted"),
    ],
)
def test_a_rule_that_says_nothing_that_can_be_is_refused(
    office: Office, to: str, on: str, permissions: list[str], message: str
) -> None:
    with pytest.raises(OperatorError, match=message):
        office.grant(to, on, *permissions)
    assert office("grant.list", tenant=None) == []


def test_a_rule_stays_within_one_tenant(office: Office) -> None:
    office("tenant.create", name="blue")
    office.enrol("carol", tenant=2)
    with pytest.raises(OperatorError, match="two"):
        office.grant("client:bob", "owner:carol", "get")
    made = office.kms.run(office.kms.repository.load(1, key(office.kms)))
    assert made is not None
    everything = {"to": {"kind": "everyone"}, "on": {"kind": "everything"}, "permissions": ["get"]}
    assert office("grant.add", tenant="blue", **everything)["tenant"] == "blue"
    assert not may(office.worker(2), Permission.GET, made, NOW)
    assert not may(office.worker(3), Permission.GET, made, NOW)
    assert office.worker(3).access is not None
    assert office("grant.add", tenant=None, **everything)["tenant"] == "default"
    ids = {one["tenant"]: one["id"] for one in office("grant.list", tenant=None)}
    office("grant.remove", rule=ids["blue"], permissions=[])
    assert [one["tenant"] for one in office("grant.list", tenant=None)] == ["default"]
    assert may(office.worker(2), Permission.GET, made, NOW)


def test_whoever_is_enrolled_again_is_granted_nothing_of_before(office: Office) -> None:
    """Rules name numbers, and a number is never given twice."""
    office.grant("client:bob", "owner:alice", "get")
    old = office.clients.records[2]
    office.kms.run(office.clients.put(dataclasses.replace(old, revoked_at=NOW)))
    office.enrol("bob")
    assert office.worker(3).access is None
    assert office.worker(3).name == "bob"


def test_there_are_only_so_many_rules(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAXIMUM_RULES == 4096
    monkeypatch.setattr("strongroom.server.administration.grants.MAXIMUM_RULES", 2)
    office.grant("everyone", "object:1", "get")
    office.grant("everyone", "object:2", "get")
    with pytest.raises(OperatorError, match="the most"):
        office.grant("everyone", "object:3", "get")
    office.grant("everyone", "object:2", "export")


# What workers know


def test_rules_are_read_only_when_they_have_changed(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.grant("client:bob", "owner:alice", "get")
    first = office.worker(2).access
    assert first is not None
    reads: list[int] = []
    original = office.kms.repository.entries_of

    async def counted(kind: Any, tenant: int, owner: int, maximum: int | None = None, **given: Any) -> Any:
        if kind is AccessRule:
            reads.append(tenant)
        return await original(kind, tenant, owner, maximum, **given)

    monkeypatch.setattr(office.kms.repository, "entries_of", counted)
    assert office.worker(2).access is first
    assert reads == []
    office.enrol("dora")  # the directory is made anew, and the rights are still the same object
    assert office.worker(2).access is first
    office.grant("client:dora", "owner:alice", "get")
    reads.clear()
    assert office.worker(2).access is first
    assert reads == [1]
    assert office.worker(3).access is not None


def test_rules_that_were_changed_in_the_database_count_for_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.grant("client:bob", "owner:alice", "get")
    connection = office.kms.backend._file._connection  # type: ignore[attr-defined]
    connection.execute("UPDATE entries SET sealed = zeroblob(48) WHERE kind = ?", (AccessRule.kind,))
    alarms: list[str] = []
    monkeypatch.setattr(rules.log, "error", lambda event, **_: alarms.append(event))
    assert office.worker(2).access is None
    assert alarms == ["access_rules_refused"]
    with pytest.raises(TamperedRecord):
        office("grant.list", tenant=None)


def test_a_rule_that_was_changed_in_the_database_takes_no_other_with_it(office: Office) -> None:
    office.grant("client:bob", "owner:alice", "get")
    connection = office.kms.backend._file._connection  # type: ignore[attr-defined]
    connection.execute("UPDATE entries SET sealed = zeroblob(48) WHERE kind = ?", (AccessRule.kind,))
    office.grant("everyone", "owner:alice", "locate")
    access = office.worker(2).access
    assert access is not None
    assert set(access.sights) == {Permission.LOCATE}


# Policies


def test_a_policy_that_is_used_stays(office: Office) -> None:
    office("policy.create", name="house", description="for all", tenant=None)
    with pytest.raises(OperatorError, match="already"):
        office("policy.create", name="house", tenant=None)
    with pytest.raises(OperatorError, match="already"):
        office("policy.create", name="public", tenant=None)
    assert [one["name"] for one in office("policy.list", tenant=None)] == ["default", "public", "house"]
    rule = office.grant("everyone", "policy:house", "get")
    with pytest.raises(OperatorError, match="rules"):
        office("policy.remove", name="house", tenant=None)
    office("grant.remove", rule=rule["id"], permissions=[])
    key(office.kms, attribute(Tag.OPERATION_POLICY_NAME, "house"))
    with pytest.raises(OperatorError, match="objects"):
        office("policy.remove", name="house", tenant=None)
    office("policy.create", name="empty", tenant=None)
    office("policy.remove", name="empty", tenant=None)
    for name in ("empty", "default", "public"):
        with pytest.raises(NotFound):
            office("policy.remove", name=name, tenant=None)


# People


def test_a_person_has_the_roles_they_were_given_and_no_others(office: Office) -> None:
    store = office.kms.repository
    assert office.kms.run(roles_of(store, ClientId(1))) == frozenset()
    office("person.add", name="Ann", roles=["approver", "auditor"], clients=["alice"])
    assert office.kms.run(roles_of(store, ClientId(1))) == {Role.APPROVER, Role.AUDITOR}
    assert office.kms.run(roles_of(store, ClientId(2))) == frozenset()
    change: Message = {"roles": [], "clients": [], "without_roles": [], "without_clients": []}
    office("person.set", name="Ann", **(change | {"clients": ["bob"], "without_roles": ["auditor"]}))
    assert office.kms.run(roles_of(store, ClientId(2))) == {Role.APPROVER}
    person = office.kms.run(person_of(store, ClientId(2)))
    assert person is not None
    assert person.key == "Ann"
    assert office("person.list") == [{"name": "Ann", "roles": ["approver"], "clients": ["alice", "bob"]}]
    with pytest.raises(OperatorError, match="no role left"):
        office("person.set", name="Ann", **(change | {"without_roles": ["approver"]}))
    office("person.set", name="Ann", **(change | {"without_clients": ["alice"]}))
    assert office.kms.run(roles_of(store, ClientId(1))) == frozenset()
    office("person.remove", name="Ann")
    assert office.kms.run(roles_of(store, ClientId(2))) == frozenset()
    with pytest.raises(NotFound):
        office("person.remove", name="Ann")


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ({"without_roles": ["auditor"]}, "has not the role auditor"),
        ({"without_clients": ["bob"]}, "has no client bob"),
        ({"without_clients": ["alice", "alcie"]}, "has no client alcie"),
    ],
)
def test_what_a_person_does_not_have_is_not_taken_away_in_silence(
    office: Office, taken: Message, said: str
) -> None:
    """A name that was mistyped would leave somebody what they were to lose."""
    office("person.add", name="Ann", roles=["approver"], clients=["alice"])
    change: Message = {"roles": [], "clients": [], "without_roles": [], "without_clients": []}
    with pytest.raises(NotFound, match=said):
        office("person.set", name="Ann", **(change | taken))
    assert office("person.list") == [{"name": "Ann", "roles": ["approver"], "clients": ["alice"]}]


def test_a_client_is_one_persons(office: Office) -> None:
    office("person.add", name="Ann", roles=["approver"], clients=["alice"])
    with pytest.raises(OperatorError, match="belongs to Ann"):
        office("person.add", name="Ben", roles=["approver"], clients=["alice", "bob"])
    office("person.add", name="Ben", roles=["approver"], clients=["bob"])
    change = {"roles": [], "clients": ["alice"], "without_roles": [], "without_clients": []}
    with pytest.raises(OperatorError, match="belongs to Ann"):
        office("person.set", name="Ben", **change)
    with pytest.raises(OperatorError, match="already"):
        office("person.add", name="Ann", roles=["approver"], clients=[])


def test_a_client_is_one_persons_also_when_it_is_given_to_two_at_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has seen that the client is nobody's when the first commits."""
    commit = office.kms.backend.commit
    first: list[str] = []

    async def late(changes: Any) -> None:
        if changes.entries and not first:
            first.append("Ben")
            monkeypatch.setattr(office.kms.backend, "commit", commit)
            await perform(
                office.admin,
                {"command": "person.add", "name": "Ben", "roles": ["approver"], "clients": ["alice"]},
            )
        await commit(changes)

    monkeypatch.setattr(office.kms.backend, "commit", late)
    with pytest.raises(OperatorError, match="belongs to Ben"):
        office("person.add", name="Ann", roles=["approver"], clients=["alice"])
    assert office("person.list") == [{"name": "Ben", "roles": ["approver"], "clients": ["alice"]}]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"roles": []}, "at least one"),
        ({"roles": ["root"]}, "there is no root"),
        ({"roles": ["Administrator"]}, "there is no Administrator"),
        ({"clients": ["nobody"]}, "no client"),
        ({"name": "*"}, "cannot be a name"),
    ],
)
def test_a_person_that_cannot_be_is_refused(office: Office, fields: dict[str, Any], message: str) -> None:
    given = {"name": "Ann", "roles": ["approver"], "clients": ["alice"]} | fields
    with pytest.raises(OperatorError, match=message):
        office("person.add", **given)
    assert office("person.list") == []


def test_a_client_that_two_people_have_is_nobodys(office: Office) -> None:
    """No command makes that; the database might."""
    for name in ("Ann", "Ben"):
        person = Person(roles=("administrator", "emperor"), clients=(1,))
        change: EntryChange = kept.put(Person, SYSTEM_TENANT, name, person, None)
        office.kms.run(office.kms.repository.commit(Changes(entries=[change])))
        expected = {Role.ADMINISTRATOR} if name == "Ann" else frozenset()
        assert office.kms.run(roles_of(office.kms.repository, ClientId(1))) == expected


# Why


def why(office: Office, client: str, operation: str, identifier: str) -> tuple[bool, str]:
    found = office("access.explain", client=client, operation=operation, object=identifier)
    return found["allowed"], " ".join(found["reasons"])


def test_a_decision_is_explained(office: Office) -> None:
    made = key(office.kms, attribute(Tag.OBJECT_GROUP, "tapes"))
    allowed, said = why(office, "alice", "Get", made)
    assert allowed
    assert "owns the object" in said
    allowed, said = why(office, "bob", "get", made)
    assert not allowed
    assert "no rule grants it get" in said
    assert "belongs to alice" in said
    assert "does not exist" in said
    office.grant("client:bob", "group:tapes", "locate")
    office.grant("client:bob", "group:disks", "get")
    office.grant("group:ops", "everything", "get")
    close = why(office, "bob", "GET", made)[1]
    assert "grants only locate" in close
    assert "but on group:disks" in close
    assert "but to group:ops" in close
    office("client.group", name="bob", add=["ops"], remove=[])
    allowed, said = why(office, "bob", "get", made)
    assert allowed
    assert "grants get to group:ops on everything, which is this case" in said
    assert "grants only" not in said
    assert "ticket" in said
    assert why(office, "bob", "Get Attributes", made)[0] is False
    assert why(office, "bob", "locate", made)[0] is True


def test_an_explanation_names_what_else_stands_in_the_way(office: Office) -> None:
    office("tenant.create", name="blue")
    office.enrol("carol", tenant=2)
    made = key(office.kms)
    office(
        "grant.add", tenant="blue", to={"kind": "everyone"}, on={"kind": "everything"}, permissions=["get"]
    )
    allowed, said = why(office, "carol", "Get", made)
    assert not allowed
    assert "in the tenant default" in said
    assert "never see each other" in said
    allowed, said = why(office, "alice", "Get", "no such object")
    assert not allowed
    assert "No tenant has" in said
    allowed, said = why(office, "bob", "Create", "none")
    assert allowed
    assert "about no object" in said
    assert "needs no permission" in why(office, "bob", "Query", "none")[1]
    old = office.clients.records[1]
    office.kms.run(office.clients.put(dataclasses.replace(old, revoked_at=NOW)))
    allowed, said = why(office, "alice", "Get", made)
    assert not allowed
    assert "revoked" in said
    with pytest.raises(NotFound, match="no operation"):
        why(office, "bob", "dance", made)
    with pytest.raises(NotFound, match="no client"):
        why(office, "*", "Get", made)


# Policy test


def test_changed_rules_are_tried_on_recorded_requests(office: Office) -> None:
    taped, plain = key(office.kms, attribute(Tag.OBJECT_GROUP, "tapes")), key(office.kms)
    rule = office.grant("client:bob", "group:tapes", "get")

    def asked(client: int, operation: str, identifier: str, outcome: str) -> dict[str, object]:
        return {
            "client": client,
            "tenant": 1,
            "operation": operation,
            "object": identifier,
            "outcome": outcome,
            "times": 3,
        }

    requests = [
        asked(1, "Get", taped, "success"),
        asked(2, "Get", taped, "success"),
        asked(2, "Get", plain, "OBJECT_NOT_FOUND"),
        asked(2, "Get", "gone", "success"),
        asked(2, "Dance", taped, "success"),
        asked(9, "Get", taped, "success"),
    ]
    nothing = office("policy.test", requests=requests, add=[], remove=[])
    assert nothing == []
    added = {"to": {"kind": "client", "name": "bob"}, "on": {"kind": "object", "name": str(plain)}}
    found = office(
        "policy.test",
        requests=requests,
        add=[added | {"permissions": ["get"], "tenant": None}],
        remove=[rule["id"]],
    )
    assert [(one["client"], one["object"], one["would_be"], one["times"]) for one in found] == [
        ("bob", taped, "refused", 3),
        ("bob", plain, "allowed", 3),
    ]
    assert found[0]["permission"] == "get"
    assert [one["id"] for one in office("grant.list", tenant=None)] == [rule["id"]]
    with pytest.raises(NotFound, match="no rule"):
        office("policy.test", requests=[], add=[], remove=["unknown"])
    with pytest.raises(OperatorError, match="at most"):
        office("policy.test", requests=requests * 100, add=[], remove=[])


NOT_EXPORTED = 'forbid(principal, action == Action::"export", resource);'
NOT_BOB = 'forbid(principal == Client::"bob", action == Action::"get", resource);'


def asked_again(client: int, identifier: str, operation: str = "Get", times: int = 1) -> dict[str, object]:
    return {
        "client": client,
        "tenant": 1,
        "operation": operation,
        "object": identifier,
        "outcome": "success",
        "times": times,
    }


def tried(office: Office, requests: list[dict[str, object]], **changes: object) -> list[tuple[str, str, str]]:
    """Return what would be different, sorted."""
    found = office("policy.test", requests=requests, **{"add": [], "remove": [], **changes})
    return sorted((one["client"], one["operation"], one["would_be"]) for one in found)


@pytest.fixture
def with_cedar() -> None:
    pytest.importorskip("cedarpy", reason="an extra: pip install 'strongroom[cedar]'")


@pytest.mark.usefixtures("with_cedar")
def test_changed_restrictions_are_tried_on_recorded_requests(office: Office) -> None:
    made = key(office.kms)
    office.grant("client:bob", "everything", "get")
    requests = [asked_again(1, made), asked_again(2, made), asked_again(1, made, "Export")]
    requests.append(asked_again(1, made, "Create"))
    assert tried(office, requests, cedar="") == []
    assert tried(office, requests, cedar=NOT_BOB) == [("bob", "Get", "refused")]
    assert tried(office, requests, cedar="forbid(principal, action, resource);") == [
        ("alice", "Export", "refused"),
        ("alice", "Get", "refused"),
        ("bob", "Get", "refused"),
    ]
    assert not office.admin.directory.restrictions.exists()


@pytest.mark.usefixtures("with_cedar")
def test_restrictions_in_force_hold_before_and_after_unless_they_are_changed(office: Office) -> None:
    """What they forbid, no rule that is added allows; without them, it would be allowed."""
    made = key(office.kms)
    office.grant("client:bob", "everything", "get")
    office.admin.directory.restrictions.write_text(NOT_BOB)
    requests = [asked_again(1, made, "Export"), asked_again(2, made)]
    more = {"to": {"kind": "everyone"}, "on": {"kind": "everything"}, "permissions": ["get"], "tenant": None}
    assert tried(office, requests) == []
    assert tried(office, requests, add=[more]) == []
    assert tried(office, requests, cedar="") == [("bob", "Get", "allowed")]
    assert tried(office, requests, cedar=NOT_EXPORTED) == [
        ("alice", "Export", "refused"),
        ("bob", "Get", "allowed"),
    ]
    (rule,) = [one["id"] for one in office("grant.list", tenant=None)]
    assert tried(office, requests, cedar=NOT_EXPORTED, remove=[rule]) == [("alice", "Export", "refused")]


@pytest.mark.usefixtures("with_cedar")
def test_a_restriction_that_cannot_be_evaluated_would_refuse(office: Office) -> None:
    made = key(office.kms)
    cedar = "forbid(principal, action, resource) when { resource.colour == 1 };"
    assert tried(office, [asked_again(1, made)], cedar=cedar) == [("alice", "Get", "refused")]


@pytest.mark.usefixtures("with_cedar")
@pytest.mark.parametrize(
    ("cedar", "said"),
    [
        ("forbid everything", "no Cedar policies"),
        ('forbid(principal, action == Action::"gte", resource);', "there is no Action"),
        ("permit(principal, action, resource) when { " + "(" * 20_000 + "true" + ")" * 20_000 + " };", "too"),
        (" " * (LONGEST + 1), "at most"),
    ],
    ids=["no Cedar", "no action", "deep", "long"],
)
def test_policies_that_cannot_be_read_harm_nobody(office: Office, cedar: str, said: str) -> None:
    """The library ends its process over some of them."""
    with pytest.raises(OperatorError, match=said):
        tried(office, [asked_again(1, key(office.kms))], cedar=cedar)


def test_without_the_package_it_is_said_what_is_missing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(OperatorError, match=r"strongroom\[cedar\]"):
        tried(office, [], cedar="")


def test_alice_and_bob_of_the_key_manager_are_those_of_the_office(office: Office) -> None:
    assert [r.client for r in office.clients.records.values()] == [ALICE.client, BOB.client]


def test_the_record_of_a_grant_says_what_was_granted_to_whom(office: Office) -> None:
    """And what was given to a person or a client; a list of rules to try is not recorded."""
    to, on = {"kind": "group", "name": "ops"}, {"kind": "everything"}
    granted = act(
        {"command": "grant.add", "to": to, "on": on, "permissions": ["get", "locate"], "tenant": None}, NOW
    )
    assert granted.target == "to=group:ops on=everything permissions=get,locate"
    removed = act({"command": "grant.remove", "rule": "0815", "permissions": []}, NOW)
    assert removed.target == "rule=0815"
    grouped = act({"command": "client.group", "name": "bob", "add": ["ops"], "remove": []}, NOW)
    assert grouped.target == "name=bob add=ops"
    said = {"add": [{"to": to}], "requests": [], "remove": [], "cedar": NOT_BOB}
    assert act({"command": "policy.test", **said}, NOW).target is None
