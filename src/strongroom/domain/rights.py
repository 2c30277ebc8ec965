"""What one client has been granted, compiled for a quick answer.

Rule: made from the rules of the client's tenant when they are read, and never changed: another set of rules
is another object, which is how answers that are remembered are known to be out of date.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rules import AccessRule, is_for, permissions_of, sight_of
from strongroom.domain.sight import Sight, own


class Restriction(Protocol):
    """What may say no where rules and ownership say yes; made for one client."""

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        """Tell whether the client may all the same; `obj` is in the State that it has now.

        Never raises: what cannot be evaluated is a no.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What a client may reach with each permission, its own objects included.

    A permission that no rule gives is not in `sights`; a sight of None is everything of the tenant.
    """

    client: int
    sights: Mapping[Permission, Sight | None]
    restriction: Restriction | None = None

    def sight(self, permission: Permission) -> Sight | None:
        """Return what is in sight with a permission."""
        return self.sights[permission] if permission in self.sights else own(self.client)

    def permit(self, permission: Permission, obj: ManagedObject, now: datetime) -> bool:
        """Tell whether the client has the permission on an object of its tenant, as the object is by then."""
        if obj.owner != self.client:
            sight = self.sight(permission)
            if sight is not None and not sight.covers(obj):
                return False
        return self.restriction is None or self.restriction.permits(permission, obj.as_of(now))


def compile_rights(
    client: int,
    groups: Collection[str],
    rules: Iterable[AccessRule],
    restriction: Restriction | None = None,
) -> Rights | None:
    """Return the rights of a client under the rules of its tenant; None: its own objects, unrestricted."""
    given: dict[Permission, list[AccessRule]] = {}
    for rule in rules:
        if is_for(rule, client, groups):
            for permission in permissions_of(rule):
                given.setdefault(permission, []).append(rule)
    if not given and restriction is None:
        return None
    sights = {permission: sight_of(client, some) for permission, some in given.items()}
    return Rights(client=client, sights=sights, restriction=restriction)


def also_restricted(client: int, own: Rights | None, other: Rights | None) -> Rights | None:
    """Return the rights of a client as somebody has them who acts for it, and may be forbidden more.

    `own` are those of the client, `other` those of who acts.
    """
    more = None if other is None else other.restriction
    if more is None:
        return own
    if own is None:
        return Rights(client=client, sights={}, restriction=more)
    return replace(own, restriction=more if own.restriction is None else _Both(own.restriction, more))


@dataclass(frozen=True, slots=True)
class _Both:
    """Two restrictions, of which each may say no."""

    one: Restriction
    other: Restriction

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return self.one.permits(permission, obj) and self.other.permits(permission, obj)
