"""Why a client may do something to an object, or may not, in sentences.

Rule: the decision is asked of `domain/access.py`, never worked out a second time; only the reasons are put
together here. What is said is for administrators: clients are told nothing of it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from strongroom.domain.access import may
from strongroom.domain.clients import ClientRecord
from strongroom.domain.identity import ClientIdentity
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Restriction, compile_rights
from strongroom.domain.rules import GRANTABLE, AccessRule, is_for, permissions_of, sight_of
from strongroom.registry import Tag
from strongroom.server.access.access_rules import on_text, to_text


class Reasons(NamedTuple):
    """A decision: what it is, and the sentences that give the reasons for it."""

    allowed: bool
    sentences: list[str]


class Names(NamedTuple):
    """What people call the numbers that decide."""

    tenants: dict[int, str]
    records: Sequence[ClientRecord]

    def tenant(self, number: int) -> str:
        return self.tenants.get(number, f"number {number}")

    def client(self, number: int) -> str:
        return next((r.name for r in self.records if r.client == number), f"client number {number}")


def identity(
    record: ClientRecord, rules: Iterable[AccessRule], restriction: Restriction | None
) -> ClientIdentity:
    """Return who a client is to the engine, under these rules of its tenant."""
    return ClientIdentity(
        client=record.client,
        tenant=record.tenant,
        name=record.name,
        groups=record.groups,
        access=compile_rights(record.client, record.groups, rules, restriction),
    )


def explain(
    record: ClientRecord,
    permission: Permission,
    obj: ManagedObject | None,
    rules: Sequence[tuple[str, AccessRule]],
    names: Names,
    *,
    now: datetime,
    restriction: Restriction | None = None,
) -> Reasons:
    """Return whether a client has a permission on an object, and why.

    `obj` None: no tenant has it. `rules` are those of the client's tenant with their keys.
    """
    said = [_who(record, names)]
    in_force = record.revoked_at is None
    if not in_force:
        said.append("It is revoked: its connections are refused before anything else is asked.")
    if permission not in GRANTABLE:
        said.append(_about_nothing(permission))
        return Reasons(in_force, said)
    if obj is None:
        said.append("No tenant has an object with this identifier.")
        return Reasons(False, said)
    if obj.tenant != record.tenant:
        said.append(
            f"The object is in the tenant {names.tenant(obj.tenant)}. Tenants never see each other: to this"
            " client it does not exist, and no rule changes that."
        )
        return Reasons(False, said)
    said.append(_what(obj, names))
    caller = identity(record, (rule for _, rule in rules), restriction)
    allowed = may(caller, permission, obj, now)
    if obj.owner == record.client:
        said.append("The client owns the object, and the owner has every permission on it.")
    else:
        said += _by_rules(record, permission, obj, rules, names)
    unrestricted = may(identity(record, (rule for _, rule in rules), None), permission, obj, now)
    if unrestricted and not allowed:
        said.append("The restrictions in policy.cedar forbid it.")
    elif restriction is not None and allowed:
        said.append("The restrictions in policy.cedar permit it.")
    if not allowed:
        said.append("The client is answered what it is answered for an object that does not exist.")
    else:
        said.append(
            "On top of this come the state and usage mask of the object, and the rights of a ticket, if the"
            " request uses one."
        )
    return Reasons(allowed and in_force, said)


def _who(record: ClientRecord, names: Names) -> str:
    groups = f"the groups {', '.join(record.groups)}" if record.groups else "no group"
    tenant = names.tenant(record.tenant)
    return f"{record.name} is client number {record.client} of the tenant {tenant}, in {groups}."


def _what(obj: ManagedObject, names: Names) -> str:
    groups = ", ".join(repr(str(group)) for group in obj.values(Tag.OBJECT_GROUP))
    policy = obj.value(Tag.OPERATION_POLICY_NAME) or "default"
    return (
        f"The object belongs to {names.client(obj.owner)}; it is in"
        f" {f'the groups {groups}' if groups else 'no group'} and has the operation policy {policy!r}."
    )


def _about_nothing(permission: Permission) -> str:
    if permission is Permission.NONE:
        return "The operation needs no permission: every client may use it, on what is its own."
    return (
        f"The permission {permission.value} is about no object that is there: every client in force has it."
    )


def _by_rules(
    record: ClientRecord,
    permission: Permission,
    obj: ManagedObject,
    rules: Sequence[tuple[str, AccessRule]],
    names: Names,
) -> list[str]:
    """Return the rules that grant it, or else those that come close."""
    granting, close = [], []
    for key, rule in rules:
        for_it = is_for(rule, record.client, record.groups)
        gives = permission in permissions_of(rule)
        # The owner it would have beside the rule is nobody.
        sight = sight_of(0, [rule])
        covers = sight is None or sight.covers(obj)
        who, what = to_text(rule, names.records), on_text(rule, names.records)
        if for_it and gives and covers:
            granting.append(f"Rule {key} grants {permission.value} to {who} on {what}, which is this case.")
        elif for_it and covers:
            given = ", ".join(rule.permissions)
            close.append(f"Rule {key} is for it and covers the object ({what}), but grants only {given}.")
        elif for_it and gives:
            close.append(f"Rule {key} grants it {permission.value}, but on {what}.")
        elif gives and covers:
            close.append(f"Rule {key} grants {permission.value} on {what}, but to {who}.")
    if granting:
        return granting
    return [
        f"The client does not own the object, and no rule grants it {permission.value} on it.",
        *close,
    ]
