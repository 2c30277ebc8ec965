"""What tenants lay down, and votes, written to the store of a test as commands would refuse to."""

from dataclasses import replace
from datetime import timedelta

from strongroom.domain.acts import Act, Requirement, Safeguards
from strongroom.domain.approvals import Approval, Vote, name_of, parse_name
from strongroom.domain.entries import EntryChange, Kept
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity
from strongroom.domain.people import Role
from strongroom.domain.store import Changes
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.server.administration.command import perform
from tests.kms import TestKms
from tests.people import appoint
from tests.unit.server.test_administration import administrator

ALICE_LAPTOP, CAROL, CAROL_PHONE, DAN, ERIN = 11, 12, 13, 14, 15
"""Clients of people who approve; Alice, whose client ALICE uses keys, is one of them."""


def lay_down(
    kms: TestKms, *, window: timedelta = timedelta(0), tenant: int = DEFAULT_TENANT, **votes: int
) -> None:
    """Lay down a deletion window, and `act=votes`."""
    requirements = tuple(
        Requirement(act=Act(act.replace("_", "-")).value, votes=number) for act, number in votes.items()
    )
    value = Safeguards(deletion_window=int(window.total_seconds()), requirements=requirements)
    store = kms.repository
    before = kms.run(store.load_entry(Safeguards, SYSTEM_TENANT, str(tenant)))
    generation = 0 if before is None else before.generation
    after = Kept(tenant=SYSTEM_TENANT, key=str(tenant), owner=0, value=value, generation=generation)
    change = EntryChange(Safeguards, SYSTEM_TENANT, str(tenant), generation, after)
    kms.run(store.commit(Changes(entries=[change])))
    kms.run(kms.dispatcher.refresh())


def people(kms: TestKms) -> None:
    """Appoint Alice, Carol and Dan as approvers, and Erin as an administrator."""
    appointed = {
        "alice": ([Role.APPROVER], [1, ALICE_LAPTOP]),
        "carol": ([Role.APPROVER], [CAROL, CAROL_PHONE]),
        "dan": ([Role.APPROVER], [DAN]),
        "erin": ([Role.ADMINISTRATOR], [ERIN]),
    }
    for name, (roles, clients) in appointed.items():
        kms.run(appoint(kms.repository, name, roles, clients))
        for number in clients:
            let_in(kms, number)


def let_in(kms: TestKms, number: int) -> None:
    client = ClientId(number)
    kms.clients.setdefault(
        client, ClientIdentity(client=client, tenant=DEFAULT_TENANT, name=f"client-{number}")
    )


def waiting(kms: TestKms) -> list[Kept[Approval]]:
    """Return the approvals that there are."""
    far = kms.clock.now() + timedelta(days=365)
    return list(kms.run(kms.repository.due_entries(Approval, far, 100)))


def vote(kms: TestKms, name: str, person: str, client: int, *, approves: bool = True) -> None:
    """Write a vote, whoever may or may not cast it."""
    parsed = parse_name(name)
    assert parsed is not None
    tenant, key, mark = parsed
    kept = kms.run(kms.repository.load_entry(Approval, tenant, key))
    assert kept is not None
    assert kept.value.mark == mark
    cast = Vote(person=person, client=client, at=kms.clock.now(), approves=approves)
    after = replace(kept, value=kept.value.with_vote(cast))
    change = EntryChange(Approval, tenant, key, kept.generation, after)
    kms.run(kms.repository.commit(Changes(entries=[change])))


def only_name(kms: TestKms) -> str:
    """Return the name of the only approval."""
    (kept,) = waiting(kms)
    return name_of(kept)


def hold(kms: TestKms, **target: object) -> str:
    """Put an object or a group under a hold, as the command does, and return its name."""
    request: dict[str, object] = {"command": "hold.add", "reason": "case 7", **target}
    result = kms.run(perform(administrator(kms), request))
    assert isinstance(result, dict)
    return str(result["hold"])
