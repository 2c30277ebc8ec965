"""Access rules: who, beside its owner, may do what to an object.

Rule: a rule names its grantee and what it covers by kind and by number or exact name, so that no name can be
mistaken for something else: a client called `*` or a group called `group:x` is just a name. It lists its
permissions one by one, and none implies another. Rules only add: without one, an object is its owner's.
"""

import hashlib
import json
from collections.abc import Collection, Iterable
from enum import Enum
from typing import Annotated, Final

from strongroom.domain.entries import Entry
from strongroom.domain.permission import Permission
from strongroom.domain.sight import Sight
from strongroom.model.struct import Int64, Own

MAXIMUM_RULES: Final = 4096
"""Rules of one tenant: each worker keeps all of them in memory, and one client may be granted each."""

PUBLIC: Final = "public"
DEFAULT: Final = "default"
BUILT_IN_POLICIES: Final = frozenset({DEFAULT, PUBLIC})
"""Operation policies that every tenant has (KMIP 1.0 §3.13.2). `default` is the owner alone; no rule can be
about it, since an object without the attribute has it, too."""


class To(Enum):
    """What kind of grantee a rule has."""

    CLIENT = "client"
    """One client, by number."""
    GROUP = "group"
    """Every client that the administrator has put into a group."""
    EVERYONE = "everyone"
    """Every client of the tenant."""


class On(Enum):
    """What kind of thing a rule covers."""

    OBJECT = "object"
    """One object, by its Unique Identifier."""
    GROUP = "group"
    """The objects whose Object Group is this name."""
    OWNER = "owner"
    """The objects of one client, by number, those to come included."""
    POLICY = "policy"
    """The objects whose Operation Policy Name (KMIP 1.x) is this name."""
    EVERYTHING = "everything"
    """All objects of the tenant."""


GRANTABLE: Final = frozenset(Permission) - {
    Permission.NONE,
    Permission.CREATE,
    Permission.REGISTER,
    Permission.MANAGE_USERS,
    Permission.SET_DEFAULTS,
    Permission.SET_CONSTRAINTS,
    Permission.LOG,
}
"""What a rule can give: the rest is about no object that is there already."""

_GRANTABLE_BY_NAME: Final = {permission.value: permission for permission in GRANTABLE}


class AccessRule(Entry, kind=22):
    """One rule, kept in its tenant under `rule_key`. `to` and `on` are values of `To` and `On`.

    Whichever of the other fields the kind needs is set; `permissions` are values of Permission, sorted.
    """

    to: Annotated[str, Own(1)]
    on: Annotated[str, Own(2)]
    permissions: Annotated[tuple[str, ...], Own(3)] = ()
    to_client: Annotated[Int64 | None, Own(4)] = None
    to_group: Annotated[str | None, Own(5)] = None
    on_client: Annotated[Int64 | None, Own(6)] = None
    on_name: Annotated[str | None, Own(7)] = None


class AccessRevision(Entry, kind=23):
    """Kept once, in the system tenant under `REVISION`: its generation grows with each change of a rule.

    So a worker sees with one read that it has the rules which are in force.
    """

    number: Annotated[Int64, Own(1)] = 0


REVISION: Final = "rules"


class NamedPolicy(Entry, kind=24):
    """An operation policy of KMIP 1.x that an administrator has made, kept in its tenant under its name.

    What it allows is said by rules `On.POLICY`.
    """

    description: Annotated[str, Own(1)] = ""


def rule_key(tenant: int, rule: AccessRule) -> str:
    """Return the key of a rule: the same for the same grantee and coverage, whatever the permissions."""
    said = [tenant, rule.to, rule.to_client, rule.to_group, rule.on, rule.on_client, rule.on_name]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]


def permissions_of(rule: AccessRule) -> frozenset[Permission]:
    """Return what a rule gives; a permission that this release does not know, or cannot give, is nothing."""
    return frozenset(_GRANTABLE_BY_NAME[name] for name in rule.permissions if name in _GRANTABLE_BY_NAME)


def is_for(rule: AccessRule, client: int, groups: Collection[str]) -> bool:
    """Tell whether a client of the rule's tenant is its grantee."""
    match rule.to:
        case To.CLIENT.value:
            return rule.to_client == client
        case To.GROUP.value:
            return rule.to_group in groups
        case To.EVERYONE.value:
            return True
        case _:  # of a later release
            return False


def sight_of(client: int, rules: Iterable[AccessRule]) -> Sight | None:
    """Return what a client has in sight through rules that are all for it; None: everything."""
    owners, objects, groups, policies = {client}, set[str](), set[str](), set[str]()
    for rule in rules:
        match rule.on:
            case On.EVERYTHING.value:
                return None
            case On.OWNER.value if rule.on_client is not None:
                owners.add(rule.on_client)
            case On.OBJECT.value if rule.on_name is not None:
                objects.add(rule.on_name)
            case On.GROUP.value if rule.on_name is not None:
                groups.add(rule.on_name)
            case On.POLICY.value if rule.on_name is not None:
                policies.add(rule.on_name)
    return Sight(
        owners=frozenset(owners),
        objects=frozenset(objects),
        groups=frozenset(groups),
        policies=frozenset(policies),
    )
