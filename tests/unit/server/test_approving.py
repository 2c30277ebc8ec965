"""Administrative acts that need approval, votes, and what needs how many."""

import ast
import dataclasses
import inspect
import json
import sqlite3
import textwrap
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest

from strongroom.domain.acts import Act, votes_needed
from strongroom.domain.approvals import LIFETIME, MOST, Approval, key_of, name_of
from strongroom.domain.clients import ClientRecord
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, TenantId
from strongroom.domain.people import Person, Role
from strongroom.domain.ports import RootKeyError
from strongroom.domain.store_failures import StoreFailure
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server import approving
from strongroom.server.administration.command import Administrator, Caller, commands, no_act, perform
from strongroom.server.approving import shown
from strongroom.server.errors import Denied, NotFound, OperatorError, PendingApproval
from strongroom.server.messages import BrokenMessage
from tests.kms import TestKms
from tests.people import appoint
from tests.safeguards import CAROL, CAROL_PHONE, DAN, ERIN, lay_down, only_name, people, waiting
from tests.unit.server.clients.test_records import Store
from tests.unit.server.test_administration import administrator, recorded

SET_ERIN: dict[str, object] = {
    "command": "person.set",
    "name": "erin",
    "roles": ["auditor"],
    "without_roles": [],
    "clients": [],
    "without_clients": [],
}


class Office:
    """A server with people, asked by one after the other."""

    def __init__(self, kms: TestKms) -> None:
        self.kms = kms
        self.clients = Store()
        people(kms)
        for number, client in kms.clients.items():
            self.clients.records[number] = ClientRecord(
                client=number,
                tenant=DEFAULT_TENANT,
                name=client.name,
                fingerprint=f"f{number}",
                groups=(),
                username=None,
                password_hash=None,
                enrolled_at=kms.clock.now(),
            )

    def revoke(self, number: int) -> None:
        record = self.clients.records[ClientId(number)]
        self.clients.records[ClientId(number)] = dataclasses.replace(record, revoked_at=self.kms.clock.now())

    def administrator(self, person: str | None, number: int) -> Administrator:
        caller = None
        if person is not None:
            client = self.kms.clients[ClientId(number)]
            caller = Caller(person=person, roles=frozenset(Role), client=client, peer="192.0.2.1:1")
        admin = administrator(self.kms, caller)
        return dataclasses.replace(admin, clients=self.clients, now=self.kms.clock.now())

    def ask(self, request: dict[str, object], person: str | None = "erin", number: int = ERIN) -> Any:
        return self.kms.run(perform(self.administrator(person, number), request))

    def pending(self, request: dict[str, object], person: str | None = "erin", number: int = ERIN) -> str:
        """Return the name of the approval that a request waits for."""
        with pytest.raises(PendingApproval) as raised:
            self.ask(request, person, number)
        name = only_name(self.kms)
        assert f"strongroom approval approve {name}" in str(raised.value)
        return name

    def vote(self, name: str, person: str | None, number: int, verb: str = "approve") -> Any:
        return self.ask({"command": f"approval.{verb}", "approval": name}, person, number)

    @property
    def erin(self) -> Person:
        kept = self.kms.run(self.kms.repository.load_entry(Person, SYSTEM_TENANT, "erin"))
        assert kept is not None
        return kept.value


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    kms = TestKms(tmp_path)
    yield Office(kms)
    kms.close()


@pytest.fixture
def strict(office: Office) -> Office:
    """Give one in which policy needs two people."""
    lay_down(office.kms, tenant=SYSTEM_TENANT, policy=2)
    return office


def test_without_a_requirement_a_command_is_done_at_once(office: Office) -> None:
    office.ask(SET_ERIN)
    assert set(office.erin.roles) == {"administrator", "auditor"}


@pytest.mark.parametrize(("person", "number"), [("erin", ERIN), (None, 0)])
def test_the_same_command_is_done_once_after_enough_people_have_approved(
    strict: Office, person: str | None, number: int
) -> None:
    name = strict.pending(SET_ERIN, person, number)
    for voter, client in (("carol", CAROL), ("dan", DAN)):
        assert strict.pending(SET_ERIN, person, number) == name
        assert strict.erin.roles == ("administrator",)
        strict.vote(name, voter, client)
    strict.ask(SET_ERIN, person, number)
    assert set(strict.erin.roles) == {"administrator", "auditor"}
    assert waiting(strict.kms) == []
    assert strict.pending(SET_ERIN, person, number) != name


def test_another_command_other_arguments_or_another_person_need_an_approval_of_their_own(
    strict: Office,
) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)
    others: list[tuple[dict[str, object], str | None, int]] = [
        (SET_ERIN | {"roles": ["approver"]}, "erin", ERIN),
        (SET_ERIN | {"name": "dan"}, "erin", ERIN),
        ({"command": "person.remove", "name": "erin"}, "erin", ERIN),
        (SET_ERIN, None, 0),
        (SET_ERIN, "carol", CAROL),
    ]
    for request, person, number in others:
        with pytest.raises(PendingApproval):
            strict.ask(request, person, number)
    assert len(waiting(strict.kms)) == 1 + len(others)
    strict.ask(SET_ERIN)


def test_an_approval_is_for_the_whole_digest_and_not_for_what_it_is_kept_under(
    strict: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two commands that share it can be looked for."""
    monkeypatch.setattr(approving, "key_of", lambda digest: key_of(bytes(32)))
    name = strict.pending(SET_ERIN)
    for voter, client in (("carol", CAROL), ("dan", DAN)):
        strict.vote(name, voter, client)
    with pytest.raises(Denied, match="has the same number"):
        strict.ask({"command": "person.remove", "name": "erin"})
    strict.ask(SET_ERIN)
    assert set(strict.erin.roles) == {"administrator", "auditor"}


def test_who_asked_cannot_vote_nor_who_lacks_the_role_nor_a_machine(strict: Office) -> None:
    kms = strict.kms
    kms.run(appoint(kms.repository, "erin", [Role.ADMINISTRATOR, Role.APPROVER], [ERIN]))
    name = strict.pending(SET_ERIN)
    for person, number in (("erin", ERIN), (None, 0)):
        with pytest.raises(Denied):
            strict.vote(name, person, number)
    kms.run(appoint(kms.repository, "dan", [Role.OPERATOR], [DAN]))
    with pytest.raises(Denied):
        strict.vote(name, "dan", DAN)
    assert not waiting(kms)[0].value.votes


def test_a_vote_is_cast_with_a_client_of_ones_own(strict: Office) -> None:
    name = strict.pending(SET_ERIN)
    with pytest.raises(Denied):
        strict.vote(name, "carol", DAN)
    (kept,) = waiting(strict.kms)
    assert kept.value.votes == ()


def test_one_person_is_one_vote_however_many_clients(strict: Office) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    assert strict.vote(name, "carol", CAROL_PHONE)["approved_by"] == ["carol"]
    assert strict.pending(SET_ERIN) == name


def test_a_vote_does_not_count_after_its_client_was_revoked(strict: Office) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)
    strict.revoke(DAN)
    assert strict.pending(SET_ERIN) == name
    assert strict.ask({"command": "approval.show", "approval": name})["approved_by"] == ["carol"]


def test_a_rejected_command_stays_rejected_until_it_expires(strict: Office) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN, "reject")
    with pytest.raises(Denied, match="dan has rejected"):
        strict.ask(SET_ERIN)
    with pytest.raises(Denied):
        strict.vote(name, "carol", CAROL)
    strict.kms.clock.time += LIFETIME
    assert strict.pending(SET_ERIN) != name


def test_an_approval_expires_also_one_that_is_complete(strict: Office) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)
    strict.kms.clock.time += LIFETIME
    with pytest.raises(NotFound):
        strict.vote(name, "dan", DAN)
    assert strict.pending(SET_ERIN) != name
    assert strict.erin.roles == ("administrator",)


def test_a_late_vote_does_not_count_for_the_next_request_of_the_same(strict: Office) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)
    strict.ask(SET_ERIN)
    again = strict.pending(SET_ERIN)
    with pytest.raises(NotFound):
        strict.vote(name, "carol", CAROL)
    assert again != name
    assert not waiting(strict.kms)[0].value.votes


@pytest.mark.parametrize("name", ["", "x", "1", "1-2", "1-2-3", "0-0123456789abcdef-0", "9" * 30 + "-a-b"])
def test_a_name_of_no_approval_is_not_found(strict: Office, name: str) -> None:
    with pytest.raises(NotFound):
        strict.vote(name, "carol", CAROL)


def test_a_command_that_is_refused_gives_its_approval_back(strict: Office) -> None:
    request: dict[str, object] = {"command": "person.remove", "name": "nobody"}
    name = strict.pending(request)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)
    with pytest.raises(NotFound):
        strict.ask(request)
    assert only_name(strict.kms) == name
    assert len(waiting(strict.kms)[0].value.votes) == 2


@pytest.mark.parametrize(
    ("error", "given_back"),
    [(RootKeyError("no space"), True), (BrokenMessage("no list"), True), (StoreFailure("no answer"), False)],
)
def test_an_act_that_was_certainly_not_done_gives_its_approval_back(
    strict: Office, monkeypatch: pytest.MonkeyPatch, error: Exception, given_back: bool
) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)

    async def fail(admin: object, request: object) -> object:
        raise error

    declared = commands()["person.set"]
    with monkeypatch.context() as patched:
        patched.setitem(commands(), "person.set", dataclasses.replace(declared, handler=fail))
        with pytest.raises(type(error)):
            strict.ask(SET_ERIN)
    if given_back:
        assert only_name(strict.kms) == name
        strict.ask(SET_ERIN)
    else:
        assert strict.pending(SET_ERIN) != name


def test_an_approval_is_gone_before_the_act_so_that_a_crash_does_nothing_twice(
    strict: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = strict.pending(SET_ERIN)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)

    class Crash(BaseException):
        """The end of the process."""

    async def crash(admin: object, request: object) -> object:
        assert not await strict.kms.repository.due_entries(
            Approval, strict.kms.clock.now() + timedelta(days=9), 9
        )
        raise Crash

    declared = commands()["person.set"]
    monkeypatch.setitem(commands(), "person.set", dataclasses.replace(declared, handler=crash))
    with pytest.raises(Crash):
        strict.ask(SET_ERIN)
    monkeypatch.undo()
    assert strict.pending(SET_ERIN) != name


def test_a_request_that_is_damaged_hides_no_other(strict: Office) -> None:
    damaged = strict.pending(SET_ERIN)
    with pytest.raises(PendingApproval):
        strict.ask({**SET_ERIN, "roles": ["operator"]})
    with sqlite3.connect(strict.kms.directory / "strongroom.db") as editor:
        key = damaged.split("-")[1]
        editor.execute("UPDATE entries SET sealed = zeroblob(40) WHERE kind = 41 AND key = ?", (key,))
    editor.close()
    rows = strict.ask({"command": "approval.list"})
    assert [row["operation"] for row in rows if "damaged" not in row] == ["person.set"]
    (told,) = [row["damaged"] for row in rows if "damaged" in row]
    assert key in told


def test_requests_that_wait_are_bounded(strict: Office) -> None:
    for number in range(MOST):
        with pytest.raises(PendingApproval):
            strict.ask(SET_ERIN | {"name": f"p{number}"})
    with pytest.raises(Denied, match=str(MOST)):
        strict.ask(SET_ERIN)
    assert len(waiting(strict.kms)) == MOST


# Whom a command concerns, and whom the names in it mean


@pytest.mark.parametrize(
    "request_",
    [
        SET_ERIN,
        {"command": "person.add", "name": "mallory", "roles": ["approver"], "clients": ["client-11"]},
        {"command": "person.remove", "name": "dan"},
        {"command": "grant.remove", "rule": "0123456789abcdef", "permissions": []},
        {"command": "hold.remove", "hold": "h"},
        {"command": "client.group", "name": "client-11", "add": ["ops"], "remove": []},
        {"command": "client.renew", "name": "client-11"},
        {"command": "client.map", "name": "client-11", "issuer": "", "san": "dns:x"},
        {"command": "tenant.create", "name": "green"},
        {"command": "store.accept"},
    ],
    ids=lambda request: str(request["command"]),
)
def test_naming_a_tenant_that_wants_no_approval_changes_nothing(
    office: Office, request_: dict[str, object]
) -> None:
    office.ask({"command": "tenant.create", "name": "blue"})
    lay_down(office.kms, destroy=2)
    with pytest.raises(PendingApproval):
        office.ask(request_ | {"tenant": "blue"})


def test_an_approval_is_for_the_client_that_had_the_name_when_it_was_asked_for(strict: Office) -> None:
    request: dict[str, object] = {
        "command": "person.add",
        "name": "frank",
        "roles": ["approver"],
        "clients": ["client-11"],
    }
    kms = strict.kms
    kms.run(appoint(kms.repository, "alice", [Role.APPROVER], []))
    name = strict.pending(request)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)
    other = dataclasses.replace(
        strict.clients.records[ClientId(11)], client=ClientId(99), fingerprint="mallory's"
    )
    strict.revoke(11)
    strict.clients.records[ClientId(99)] = other
    with pytest.raises(PendingApproval):
        strict.ask(request)
    del strict.clients.records[ClientId(99)]
    strict.clients.records[ClientId(11)] = dataclasses.replace(other, client=ClientId(11))
    with pytest.raises(PendingApproval):
        strict.ask(request)


# What needs how many


def require(what: str, votes: int, tenant: str = "default") -> dict[str, object]:
    return {"command": "approval.require", "act": what, "votes": votes, "tenant": tenant}


def test_a_name_means_the_client_that_has_it_now_and_no_revoked_one(office: Office) -> None:
    now = office.clients.records[ClientId(CAROL)]
    before = dataclasses.replace(
        now, client=ClientId(99), fingerprint="old", revoked_at=office.kms.clock.now()
    )
    for records in ([now, before], [before, now]):
        meant = approving.meant_by({"add": {"clients": [now.name]}, "name": "x"}, records)
        assert meant == {now.name: [CAROL, now.fingerprint]}


def test_a_requirement_is_policy_and_changing_it_needs_the_votes_in_force_before(office: Office) -> None:
    office.ask(require("destroy", 2))
    for change in (require("destroy", 0), require("destroy", 1), require("policy", 0), require("export", 1)):
        with pytest.raises(PendingApproval):
            office.ask(change)
    wanted = '"act": "destroy", "tenant": "default", "votes": 0'
    (pending,) = (kept for kept in waiting(office.kms) if wanted in kept.value.details)
    for person, number in (("carol", CAROL), ("dan", DAN)):
        office.vote(name_of(pending), person, number)
    office.ask(require("destroy", 0))
    shown = office.ask({"command": "safeguard.list"})
    assert [row["approvals"] for row in shown if row["tenant"] == "default"] == [{}]


def test_people_are_changed_only_with_the_votes_of_the_strictest_tenant(office: Office) -> None:
    """Or an administrator would appoint the approvers that are missing."""
    office.ask(require("destroy", 2))
    office.pending(
        {"command": "person.add", "name": "eve", "roles": ["approver"], "clients": [f"client-{ERIN}"]}
    )


def test_a_deletion_window_and_a_hold_are_taken_away_only_with_the_votes_for_policy(office: Office) -> None:
    office.ask({"command": "safeguard.set", "tenant": "default", "deletion_window": 3600})
    hold = office.ask({"command": "hold.add", "group": "g", "reason": "case 7"})["hold"]
    office.ask(require("destroy", 1))
    for request in (
        {"command": "safeguard.set", "tenant": "default", "deletion_window": 0},
        {"command": "hold.remove", "hold": hold},
    ):
        with pytest.raises(PendingApproval):
            office.ask(request)


def test_more_votes_than_there_are_approvers_are_refused(office: Office) -> None:
    """Alice, Carol and Dan: with four nothing could be done any more, this included."""
    with pytest.raises(OperatorError, match="3 people"):
        office.ask(require("destroy", 4))
    office.revoke(DAN)
    with pytest.raises(OperatorError, match="2 people"):
        office.ask(require("destroy", 3))
    office.ask(require("destroy", 2))


@pytest.mark.parametrize(
    "request_",
    [
        require("destroy", -1),
        require("destroy", 21),
        require("dance", 1),
        require("destroy", 1, "no-such-tenant"),
        {"command": "approval.require", "act": "destroy", "votes": 1, "tenant": None},
        {"command": "safeguard.set", "tenant": "default", "deletion_window": -1},
        {"command": "safeguard.set", "tenant": "default", "deletion_window": 10**10},
        {"command": "safeguard.set", "tenant": "system", "deletion_window": 60},
    ],
)
def test_what_cannot_be_laid_down_is_refused(office: Office, request_: dict[str, object]) -> None:
    with pytest.raises(OperatorError):
        office.ask(request_)


def test_what_is_laid_down_for_one_tenant_binds_no_other_but_policy_of_the_server(office: Office) -> None:
    office.ask(require("destroy", 2))
    office.kms.run(office.kms.dispatcher.refresh())
    laid_down = dict(office.kms.dispatcher.transactions.guard.laid_down)
    two = TenantId(2)
    assert votes_needed(laid_down, Act.DESTROY, [DEFAULT_TENANT]) == 2
    assert votes_needed(laid_down, Act.POLICY, [DEFAULT_TENANT]) == 2
    assert votes_needed(laid_down, Act.DESTROY, [two]) == 0
    assert votes_needed(laid_down, Act.POLICY, [two]) == 0
    assert votes_needed(laid_down, Act.POLICY, [SYSTEM_TENANT]) == 2
    assert votes_needed(laid_down, Act.DESTROY, [SYSTEM_TENANT]) == 2
    assert votes_needed(laid_down, Act.ROOT, [SYSTEM_TENANT]) == 0
    assert votes_needed(laid_down, Act.EXPORT, [SYSTEM_TENANT]) == 0


HARMLESS = {
    # They shut somebody out; whoever is let in again is enrolled.
    "client.revoke",
    "backup.sign",  # of one that was given keys, which asked
    "client.reject",
    "client.withdraw",
    "client.unmap",
    "server.ca.retire",
    # Clients are known by their own keys: a new authority lets nobody in.
    "server.ca.rotate",
    # It ends what was approved when it began.
    "root.finish",
    # It takes a matter of its own to remove one.
    "hold.add",
    "hold.overtake",
    # What is sealed gives out nothing, and the shares that open it are held by people.
    "server.seal",
    "server.unseal",
    # It reads files that only the owner of the data directory writes.
    "server.reload",
}
"""Commands of administrators alone that need no approval, whatever is laid down."""


def test_every_command_that_only_administrators_give_is_an_act_or_known_to_be_none(office: Office) -> None:
    """A new one fails here until somebody has thought about it."""
    name = office.kms.clients[ClientId(CAROL)].name
    anything: dict[str, object] = {"groups": ["g"], "name": name, "recipients": ["age1x"]}
    admin = office.administrator("erin", ERIN)
    unknown = {
        name
        for name, declared in commands().items()
        if declared.roles <= {Role.ADMINISTRATOR}
        and office.kms.run(declared.approval(admin, anything)) is None
    }
    assert unknown <= HARMLESS


def test_letting_a_client_in_is_policy_with_groups_and_as_one_that_is_there(office: Office) -> None:
    """An administrator could otherwise become any client, an approver's too, by one more certificate."""
    admin = office.administrator("erin", ERIN)
    new: dict[str, object] = {"name": "new", "groups": []}

    def act(name: str, request: dict[str, object]) -> Act | None:
        return office.kms.run(commands()[name].approval(admin, request))

    for name in ("client.enrol", "client.invite", "client.accept"):
        assert act(name, new) is None
        assert act(name, new | {"groups": ["g"]}) is Act.POLICY
    for name in ("client.renew", "client.map"):
        assert act(name, new) is Act.POLICY
    office.ask(
        {
            "command": "grant.add",
            "to": {"kind": "everyone"},
            "on": {"kind": "everything"},
            "permissions": ["get"],
            "tenant": "default",
        }
    )
    office.ask({"command": "tenant.create", "name": "blue"})
    for name in ("client.enrol", "client.invite", "client.accept"):
        assert act(name, new) is Act.POLICY, "a rule for everyone is for whoever is let in"
        assert act(name, new | {"tenant": "blue"}) is None


def test_what_opens_every_key_needs_the_votes_of_every_tenant(office: Office) -> None:
    """Store keys for a backup of the administrator's choice are every key there is."""
    office.ask(require("export", 2))
    office.ask({"command": "approval.list"})
    request: dict[str, object] = {"command": "backup.keys", "backup": "one", "recipients": ["age1x"]}
    name = office.pending(request)
    # Another run of the command gives the backup another name, and is the same request.
    assert office.pending(request | {"backup": "two"}) == name
    with pytest.raises(PendingApproval):
        office.ask(request | {"recipients": ["age1y"]})
    assert len(waiting(office.kms)) == 2


def test_a_backup_that_is_begun_again_and_again_asks_people_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first time counts, or one approval would give every store key of the future."""
    monkeypatch.setattr("strongroom.server.backup.parts.open_sealed", lambda *_: {})
    monkeypatch.setattr(type(office.kms.root_key), "prove_recovery", lambda _: None, raising=False)
    own = str(pyrage.x25519.Identity.generate().to_public())
    keys: dict[str, object] = {"command": "backup.keys", "recipients": [own]}
    names = [office.ask(keys)["backup"]]
    lay_down(office.kms, tenant=SYSTEM_TENANT, export=1)
    for seconds in (40, 15):
        office.kms.clock.pass_time(seconds=seconds)
        names.append(office.ask(keys | {"again": names[-1]})["backup"])
    office.kms.clock.pass_time(seconds=30)
    for name in names:
        office.pending(keys | {"again": name})


def test_a_recovery_kit_or_a_root_key_of_ones_own_is_no_way_round_the_votes_for_export(
    office: Office,
) -> None:
    """Its recipient gets the store keys from `backup.keys` without being asked for votes."""
    office.ask(require("export", 2))
    requests: tuple[dict[str, object], ...] = (
        {"command": "recovery.create", "recipient": "age1x"},
        {"command": "root.rotate", "record": {"provider": "file", "parameters": {}}},
    )
    for request in requests:
        with pytest.raises(PendingApproval):
            office.ask(request, None, 0)


def test_a_root_key_is_rotated_with_approval_whatever_key_is_made_and_nobody_is_shown_it(
    office: Office,
) -> None:
    lay_down(office.kms, tenant=SYSTEM_TENANT, root=1)
    secret = "c2VjcmV0IHJvb3Qga2V5"
    request: dict[str, object] = {
        "command": "root.rotate",
        "record": {"provider": "file", "generation": 7, "parameters": {}},
        "secret": secret,
    }
    name = office.pending(request)
    again = {"secret": "YW5vdGhlcg==", "record": {"provider": "file", "parameters": {}}}
    assert office.pending(request | again) == name
    shown = office.ask({"command": "approval.show", "approval": name})
    file = str(office.administrator(None, 0).directory.root_key)
    assert json.loads(shown["details"]) == {"provider": "file", "root_key": {"file": file}}
    assert secret not in repr(waiting(office.kms))
    with pytest.raises(PendingApproval):
        office.ask(request | {"record": {"provider": "passphrase", "parameters": {"sealed": "x"}}})
    assert len(waiting(office.kms)) == 2


def test_a_field_that_is_not_known_to_be_harmless_is_shown_to_nobody(strict: Office) -> None:
    name = strict.pending(SET_ERIN | {"something": "secret"})
    details = strict.ask({"command": "approval.show", "approval": name})["details"]
    assert "something" in details
    assert "secret" not in details


UNSEEN = {
    ("client.enrol", "password_hash"): "a secret",
    ("client.enrol", "public_key"): "made by whoever asks, anew each time",
    ("client.renew", "public_key"): "made by whoever asks, anew each time",
    ("client.invite", "public_key"): "made by whoever asks, anew each time",
    ("client.accept", "fingerprint"): "the facts have all of it",
    ("root.rotate", "secret"): "a secret",
    ("root.rotate", "record"): "it may hold a secret; the facts say where the key will be",
    ("recovery.create", "recipient"): "made by whoever asks, anew each time",
    ("backup.keys", "again"): "where it counts, people have agreed to the same recipients a moment ago",
}
"""What commands that need approval read, and people do not see; and why."""


def fields_read_by(function: Any, request: str = "request") -> set[str]:
    """Return the fields of a request that a function reads, itself or by what it hands the request to."""
    if not inspect.isfunction(function) or not function.__module__.startswith("strongroom."):
        return set()
    found: set[str] = set()
    for call in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(call, ast.Subscript) and ast.unparse(call.value) == request:
            found.add(ast.literal_eval(call.slice))
        if not isinstance(call, ast.Call):
            continue
        names = [ast.unparse(one) for one in call.args]
        if isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == request:
            found.add(ast.literal_eval(call.args[0]))
        elif request in names and len(names) > names.index(request) + 1 and names[-1][0] in "'\"":
            found.add(ast.literal_eval(call.args[-1]))
        elif request in names and isinstance(call.func, ast.Name):
            called = function.__globals__[call.func.id]
            parameter = list(inspect.signature(called).parameters)[names.index(request)]
            found |= fields_read_by(called, parameter)
    return found


def test_people_see_all_that_a_command_reads_or_it_is_known_why_not() -> None:
    """What nobody sees when they approve could be anything: groups, names in certificates, limits."""
    read: set[tuple[str, str]] = set()
    for name, declared in commands().items():
        if declared.approval is not no_act:
            parts = (declared.handler, declared.approval, declared.concerns, declared.facts)
            read |= {(name, field) for part in parts for field in fields_read_by(part)}
    assert {("client.group", "add"), ("client.map", "san"), ("grant.add", "to")} <= read
    assert set(UNSEEN) <= read, "nothing is excused that nobody reads"
    for name, field in sorted(read - set(UNSEEN)):
        seen = shown(commands()[name].essence({"command": name, field: ["all of it"]}))
        assert seen.get(field) == ["all of it"], f"approvers of {name} do not see {field}"


def test_the_audit_log_tells_what_was_laid_down_and_what_was_voted_on(office: Office) -> None:
    office.ask(require("destroy", 2))
    name = office.pending(require("destroy", 0))
    office.vote(name, "carol", CAROL)
    told = {str(e["operation"]): str(e.get("target")) for e in recorded(office.kms)}
    assert "act=destroy votes=0" in told["ADMIN approval.require"]
    assert f"approval={name}" in told["ADMIN approval.approve"]


@pytest.mark.parametrize(
    "request_",
    [
        {"command": "client.renew", "name": "client-11", "now": False},
        {"command": "client.enrol", "name": "new", "groups": ["ops"], "password_hash": "$argon2id$1"},
        {"command": "client.invite", "name": "new", "groups": ["ops"], "seconds": 60},
    ],
    ids=lambda request: str(request["command"]),
)
def test_a_command_that_makes_a_fresh_key_each_time_is_the_same_request_again(
    strict: Office, request_: dict[str, object]
) -> None:
    name = strict.pending(request_ | {"public_key": "one"})
    again = {"public_key": "another"} | (
        {"password_hash": "$argon2id$2"} if "password_hash" in request_ else {}
    )
    assert strict.pending(request_ | again) == name


def test_nothing_of_a_request_is_hidden_behind_what_comes_first(strict: Office) -> None:
    """The name of a field decides its place: what nobody reads could push out what is granted to whom."""
    request: dict[str, object] = {
        "command": "grant.add",
        "clients": ["x" * 3000],
        "to": {"kind": "everyone"},
        "on": {"kind": "everything"},
        "permissions": ["get"],
        "tenant": "default",
    }
    name = strict.pending(request)
    details = strict.ask({"command": "approval.show", "approval": name})["details"]
    assert '"to": {"kind": "everyone"}' in details
    with pytest.raises(Denied, match="too long"):
        strict.ask(request | {"clients": ["x" * 40_000]})


def test_the_audit_log_tells_what_became_of_an_approval(strict: Office) -> None:
    before = len(recorded(strict.kms))
    request: dict[str, object] = {"command": "person.remove", "name": "nobody"}
    name = strict.pending(request)
    strict.vote(name, "carol", CAROL)
    strict.vote(name, "dan", DAN)
    with pytest.raises(NotFound):
        strict.ask(request)
    strict.kms.clock.time += LIFETIME + timedelta(seconds=1)
    strict.kms.run(strict.kms.dispatcher.transactions.guard.approvals.tidy(strict.kms.clock.now()))
    told = [(e["operation"], e["outcome"], e.get("by")) for e in recorded(strict.kms)[before:]]
    assert told == [
        ("ApprovalRequested", "success", "person:erin"),
        ("ADMIN person.remove", "PendingApproval", "person:erin"),
        ("ADMIN approval.approve", "success", "person:carol"),
        ("ADMIN approval.approve", "success", "person:dan"),
        ("ApprovalUsed", "success", "person:erin"),
        ("ApprovalGivenBack", "success", "person:erin"),
        ("ADMIN person.remove", "NotFound", "person:erin"),
        ("ApprovalExpired", "success", "server"),
    ]


FORGED: list[dict[str, object]] = [
    {"command": "person.remove", "name": "erin"},
    {"command": "client.group", "name": "client-15", "add": ["g"], "remove": []},
    {"command": "grant.remove", "rule": "0123456789abcdef", "permissions": []},
    {"command": "hold.remove", "hold": "0123"},
    {"command": "tenant.create", "name": "other"},
]


@pytest.mark.parametrize("request_", FORGED, ids=lambda request: str(request["command"]))
def test_a_tenant_that_a_command_has_no_use_for_does_not_lower_the_votes(
    office: Office, request_: dict[str, object]
) -> None:
    """Who asks could write the tenant that lays nothing down into any request."""
    office.ask({"command": "tenant.create", "name": "lax"})
    office.ask(require("destroy", 2))
    office.pending(request_ | {"tenant": "lax"})


def test_every_command_that_says_which_tenant_it_concerns_works_in_that_tenant_alone() -> None:
    """A new one fails here until somebody has seen that its handler reads the same field."""
    own = {name for name, declared in commands().items() if declared.concerns is not None}
    assert own == {
        "approval.require",
        "client.accept",
        "client.enrol",
        "client.invite",
        "client.renew",
        "grant.add",
        "object.restore",
        "policy.create",
        "policy.remove",
        "safeguard.set",
        "store.trust",
    }
