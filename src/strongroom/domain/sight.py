"""Which objects of a tenant somebody may reach with one permission.

Rule: plain data, and the one question whether it covers an object. Who gets which is worked out in
`domain/access.py`; the store turns the same data into SQL, so that what is out of sight is never read.
"""

from dataclasses import dataclass
from functools import lru_cache

from strongroom.domain.objects import ManagedObject
from strongroom.registry import Tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """Objects of these owners, these objects, members of these groups, and what has one of these policies.

    One of them is enough. Nothing is compared but what is equal, character by character: there are no
    patterns. Where a sight is expected, None is everything that the tenant has.
    """

    owners: frozenset[int]
    objects: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()

    @property
    def owner(self) -> int | None:
        """Return the one owner whose objects are all there is to see, None when there is more."""
        if self.objects or self.groups or self.policies or len(self.owners) != 1:
            return None
        (owner,) = self.owners
        return owner

    def covers(self, obj: ManagedObject) -> bool:
        """Tell whether the object is in sight."""
        if obj.owner in self.owners or obj.unique_identifier in self.objects:
            return True
        if obj.value(Tag.OPERATION_POLICY_NAME) in self.policies:
            return True
        return bool(self.groups) and any(group in self.groups for group in obj.values(Tag.OBJECT_GROUP))


@lru_cache(maxsize=4096)
def own(client: int) -> Sight:
    """Return the sight of a client that has been granted nothing: its own objects."""
    return Sight(owners=frozenset((client,)))
