"""Dangerous acts, and what a tenant lays down for them.

Rule: an act is what happens to a key, or to what protects keys, whichever of the ways leads there. What a
tenant wants is one entry, kept in the system tenant under the tenant's number; without one nothing is asked.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import Enum
from typing import Annotated, Final

from strongroom.domain.entries import Entry, EntryStore
from strongroom.domain.identity import TenantId
from strongroom.domain.tenants import SYSTEM_TENANT
from strongroom.model.struct import Int32, Int64, Own, Struct


class Act(Enum):
    """What may need more than one person. The value is its name in commands, and is stored."""

    DESTROY = "destroy"
    """Key material is lost: Destroy, Obliterate, and Import in the place of an object."""
    REVOKE_COMPROMISED = "revoke-compromised"
    """A key is marked as compromised, which nothing undoes."""
    EXPORT = "export"
    """Secret material leaves the server without a wrapping that conceals it."""
    RESTORE = "restore"
    """What was destroyed comes back within the deletion window."""
    POLICY = "policy"
    """Who may do what is changed: people, tenants, grants, policies, and what is laid down here."""
    ROOT = "root"
    """The root key is rotated, or gets another provider."""


class Requirement(Struct):
    """How many people have to approve an act."""

    act: Annotated[str, Own(1)]
    votes: Annotated[Int32, Own(2)]


class Safeguards(Entry, kind=40):
    """What a tenant lays down. `deletion_window` is in seconds; 0: what is destroyed is gone at once."""

    deletion_window: Annotated[Int64, Own(1)] = 0
    requirements: Annotated[tuple[Requirement, ...], Own(2)] = ()

    @property
    def window(self) -> timedelta:
        return timedelta(seconds=self.deletion_window)

    def votes(self, act: Act) -> int:
        """Return how many people have to approve an act; 0: nobody has to.

        Whoever changes policy gets round every other rule, so that takes as many as the strictest of them.
        And whoever chooses the root key, or makes a recovery kit, can open every key.
        """
        if act is Act.POLICY:
            return max((one.votes for one in self.requirements), default=0)
        if act is Act.ROOT:
            both = (Act.ROOT.value, Act.EXPORT.value)
            return max((one.votes for one in self.requirements if one.act in both), default=0)
        return max((one.votes for one in self.requirements if one.act == act.value), default=0)

    def requiring(self, act: Act, votes: int) -> "Safeguards":
        """Return the same with another number of votes for one act; 0 asks for none."""
        rest = tuple(one for one in self.requirements if one.act != act.value)
        return self.replace(requirements=(*rest, Requirement(act=act.value, votes=votes)) if votes else rest)


NONE: Final = Safeguards()

MOST_VOTES: Final = 20
LONGEST_WINDOW: Final = timedelta(days=3650)


async def read_safeguards(store: EntryStore) -> dict[int, Safeguards]:
    """Return what each tenant has laid down, by its number. Raises StoreFailure and TamperedRecord."""
    return {int(kept.key): kept.value for kept in await store.entries_of(Safeguards, SYSTEM_TENANT, 0)}


def votes_needed(laid_down: Mapping[int, Safeguards], act: Act, tenants: Iterable[TenantId]) -> int:
    """Return how many people have to approve an administrative act that concerns these tenants.

    One that concerns the server concerns every tenant: whoever can appoint approvers can destroy anything,
    and whoever has the store keys has every key.
    """
    concerned: set[int] = {*tenants, SYSTEM_TENANT}
    if concerned == {SYSTEM_TENANT}:
        concerned |= set(laid_down)
    return max((laid_down[one].votes(act) for one in concerned if one in laid_down), default=0)
