"""Approvals: what waits until enough people have said yes.

Rule: an approval is for one exact request of one requester and is used up by the commit that does it. Votes
are counted when it is used, not when they are cast: a vote is worth nothing once its person is no approver
any more, or the client that cast it was revoked. However many clients somebody has, they have one vote, and
none on what they asked for themselves.
"""

import hashlib
import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from strongroom.domain.acts import Act
from strongroom.domain.entries import Entry, Kept
from strongroom.domain.people import Person, Role
from strongroom.model.struct import Int64, Own, Struct

ACCEPT: Final = "store.accept"
"""The command that lets a store count that is behind what was signed for."""

LIFETIME: Final = timedelta(hours=24)
"""How long there is to approve a request, and then to do it."""

MOST: Final = 32
"""Requests of one client that wait for approval: nobody can bury the one that matters."""

MOST_WAITING: Final = 8
"""Requests to be answered later that one approval wakes up."""

NEEDS: Final = "it needs the approval of"
"""How a refusal begins that names the approval that is missing; commands tell it by that from others."""

REQUESTED: Final = "ApprovalRequested"
USED: Final = "ApprovalUsed"
GIVEN_BACK: Final = "ApprovalGivenBack"
EXPIRED: Final = "ApprovalExpired"
"""What audit events say of approvals. Votes are commands, and what a KMIP request uses up is in its event."""

_KEY_SIZE: Final = 8  # bytes of the digest; the whole digest is compared
_MARK_SIZE: Final = 3  # bytes, random: tells the second request for the same from the first


class Vote(Struct):
    """What a person said, with which client (its number)."""

    person: Annotated[str, Own(1)]
    client: Annotated[Int64, Own(2)]
    at: Annotated[datetime, Own(3)]
    approves: Annotated[bool, Own(4)]


class Approval(Entry, kind=41):
    """A request that waits for people, in the tenant of whoever asked; owned by the client that did.

    `digest` stands for the exact request. The rest is for people: the acts, the operation or command, the
    objects with their names, and `details` in words. `requester` is the name of a person, where one is known
    by name; `acting` the client whose connection a ticket was used on, `user` the User object that logged in.
    `waiting` are keys of the requests that go on by themselves once it is approved.
    """

    digest: Annotated[bytes, Own(1)]
    mark: Annotated[str, Own(2)]
    acts: Annotated[tuple[str, ...], Own(3)]
    operation: Annotated[str, Own(4)]
    objects: Annotated[tuple[str, ...], Own(5)] = ()
    names: Annotated[tuple[str, ...], Own(6)] = ()
    details: Annotated[str, Own(7)] = ""
    requested_at: Annotated[datetime, Own(8)]
    expires_at: Annotated[datetime, Own(9)]
    requester: Annotated[str | None, Own(10)] = None
    acting: Annotated[Int64 | None, Own(11)] = None
    votes: Annotated[tuple[Vote, ...], Own(12)] = ()
    waiting: Annotated[tuple[str, ...], Own(13)] = ()
    user: Annotated[str | None, Own(14)] = None

    @property
    def accepting(self) -> bool:
        """Tell whether it is for what ends that a store is read-only, and is kept there all the same."""
        return self.operation == ACCEPT

    @property
    def rejected_by(self) -> str | None:
        """Return who said no; one is enough."""
        return next((vote.person for vote in self.votes if not vote.approves), None)

    def with_vote(self, vote: Vote) -> "Approval":
        """Return the approval with a vote, in the place of an earlier one of the same person."""
        return self.replace(votes=(*(one for one in self.votes if one.person != vote.person), vote))


def key_of(digest: bytes) -> str:
    """Return the key under which the approval of a request is kept."""
    return digest[:_KEY_SIZE].hex()


def new_mark() -> str:
    """Return what tells an approval from an earlier one of the same request."""
    return secrets.token_hex(_MARK_SIZE)


def name_of(kept: Kept[Approval]) -> str:
    """Return what people call an approval: `TENANT-KEY-MARK`."""
    return f"{kept.tenant}-{kept.key}-{kept.value.mark}"


def parse_name(name: str) -> tuple[int, str, str] | None:
    """Return tenant, key and mark; None for what is no name of an approval."""
    parts = name.strip().split("-")
    if len(parts) != 3 or not (parts[0].isascii() and parts[0].isdecimal()) or len(parts[0]) > 18:
        return None
    return int(parts[0]), parts[1], parts[2]


def digest_of(*parts: bytes) -> bytes:
    """Return the SHA-256 of some parts, each with its length, so that no two lists are the same."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def counted(
    kept: Kept[Approval], people: Sequence[Kept[Person]], in_force: Callable[[int], bool]
) -> list[str]:
    """Return the names of the people whose yes counts now."""
    by_name = {person.key: person.value for person in people}
    approval = kept.value
    return [
        vote.person
        for vote in approval.votes
        if vote.approves
        and (person := by_name.get(vote.person)) is not None
        and may_vote(vote.person, person, kept)
        and vote.client in person.clients
        and in_force(vote.client)
    ]


def may_vote(name: str, person: Person, kept: Kept[Approval]) -> bool:
    """Tell whether somebody is an approver, and not the one who asked."""
    own = {kept.owner, kept.value.acting}
    return (
        Role.APPROVER.value in person.roles
        and name != kept.value.requester
        and own.isdisjoint(person.clients)
    )


def able(people: Iterable[Kept[Person]], in_force: Callable[[int], bool]) -> list[str]:
    """Return the names of the people who could approve something."""
    return [
        person.key
        for person in people
        if Role.APPROVER.value in person.value.roles and any(map(in_force, person.value.clients))
    ]


def told(acts: Collection[Act]) -> tuple[str, ...]:
    """Return the names of acts as they are stored, in order."""
    return tuple(act.value for act in Act if act in acts)
