"""Who may do what: owners, rules, tenants, and nothing by implication."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.domain.access import in_sight, loosens, may, restricted
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Rights, also_restricted, compile_rights
from strongroom.domain.rules import (
    BUILT_IN_POLICIES,
    DEFAULT,
    GRANTABLE,
    MAXIMUM_RULES,
    PUBLIC,
    REVISION,
    AccessRevision,
    AccessRule,
    NamedPolicy,
    On,
    To,
    is_for,
    permissions_of,
    rule_key,
    sight_of,
)
from strongroom.domain.sight import Sight, own
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import ObjectType, State, Tag

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = ClientIdentity(client=ClientId(1), tenant=TenantId(1), name="owner")
OTHER = ClientIdentity(client=ClientId(2), tenant=TenantId(1), name="other", groups=("ops", "x"))

TO_OTHER = [
    {"to": "client", "to_client": 2},
    {"to": "group", "to_group": "ops"},
    {"to": "everyone"},
]
NOT_TO_OTHER: list[dict[str, Any]] = [
    {"to": "client", "to_client": 1},
    {"to": "client", "to_client": 3},
    {"to": "client"},
    {"to": "client", "to_group": "ops"},
    {"to": "group", "to_group": "op"},
    {"to": "group", "to_group": "other"},
    {"to": "group"},
    {"to": "group", "to_client": 2},
    {"to": "*"},
    {"to": "person", "to_client": 2, "to_group": "ops"},
    {"to": "", "to_client": 2},
]
ON_IT: list[dict[str, Any]] = [
    {"on": "object", "on_name": "it"},
    {"on": "group", "on_name": "tapes"},
    {"on": "group", "on_name": "*"},
    {"on": "policy", "on_name": "shared"},
    {"on": "owner", "on_client": 1},
    {"on": "everything"},
]
NOT_ON_IT: list[dict[str, Any]] = [
    {"on": "object", "on_name": "its"},
    {"on": "object", "on_name": "tapes"},
    {"on": "object"},
    {"on": "object", "on_client": 1},
    {"on": "group", "on_name": "it"},
    {"on": "group", "on_name": "tape"},
    {"on": "group", "on_name": "shared"},
    {"on": "group", "on_name": "%"},
    {"on": "group"},
    {"on": "policy", "on_name": "tapes"},
    {"on": "policy"},
    {"on": "owner", "on_client": 3},
    {"on": "owner"},
    {"on": "owner", "on_name": "1"},
    {"on": "*"},
    {"on": "anything", "on_name": "it", "on_client": 1},
]


def it(**changes: Any) -> ManagedObject:
    fields: dict[str, Any] = {
        "unique_identifier": UniqueIdentifier("it"),
        "object_type": ObjectType.SYMMETRIC_KEY,
        "tenant": 1,
        "owner": 1,
        "sequence": 1,
        "state": State.ACTIVE,
    }
    obj = ManagedObject(**(fields | changes))
    for group in ("cds", "tapes", "*"):
        obj.add(Tag.OBJECT_GROUP, group)
    obj.set(Tag.OPERATION_POLICY_NAME, "shared")
    return obj


def bare() -> ManagedObject:
    """Return the same without groups and policy."""
    made = it()
    made.put(Tag.OBJECT_GROUP, ())
    made.set(Tag.OPERATION_POLICY_NAME, None)
    return made


def rule(*permissions: str, **fields: Any) -> AccessRule:
    return AccessRule(**({"to": "everyone", "on": "everything", "permissions": permissions} | fields))


def granted(caller: ClientIdentity, *rules: AccessRule) -> ClientIdentity:
    return replace(caller, access=compile_rights(caller.client, caller.groups, rules))


@pytest.mark.parametrize("permission", list(Permission))
def test_an_owner_may_do_everything_and_nobody_else_anything(permission: Permission) -> None:
    assert may(OWNER, permission, it(), NOW)
    assert not may(OTHER, permission, it(), NOW)
    assert in_sight(OTHER, permission) == own(2)


@pytest.mark.parametrize("permission", [p for p in Permission if p in GRANTABLE])
def test_a_rule_gives_its_permission_and_no_other(permission: Permission) -> None:
    caller = granted(OTHER, rule(permission.value))
    assert [p for p in Permission if may(caller, p, it(), NOW)] == [permission]
    assert in_sight(caller, permission) is None
    assert all(in_sight(caller, p) == own(2) for p in Permission if p is not permission)


NEVER_GRANTED = {"none", "create", "register", "manage-users", "set-defaults", "set-constraints", "log"}


def test_everything_about_an_object_can_be_granted() -> None:
    assert {p.value for p in Permission} - {p.value for p in GRANTABLE} == NEVER_GRANTED


@pytest.mark.parametrize("permission", [p for p in Permission if p.value in NEVER_GRANTED])
def test_what_is_about_no_object_cannot_be_granted(permission: Permission) -> None:
    assert permissions_of(rule(permission.value)) == frozenset()
    assert compile_rights(2, (), [rule(permission.value)]) is None


def test_a_permission_of_a_later_release_is_nothing() -> None:
    assert permissions_of(rule("get", "teleport", "GET", " get", "*")) == {Permission.GET}


@pytest.mark.parametrize("on", ON_IT)
@pytest.mark.parametrize("to", TO_OTHER)
def test_a_rule_reaches_whom_it_names_and_what_it_names(to: dict[str, Any], on: dict[str, Any]) -> None:
    caller = granted(OTHER, rule("get", **(to | on)))
    assert may(caller, Permission.GET, it(), NOW)
    assert not may(caller, Permission.EXPORT, it(), NOW)


@pytest.mark.parametrize("to", NOT_TO_OTHER)
def test_a_rule_is_for_nobody_else(to: dict[str, Any]) -> None:
    one = rule("get", **to)
    assert is_for(one, OTHER.client, OTHER.groups) is False
    assert granted(OTHER, one).access is None


@pytest.mark.parametrize("on", NOT_ON_IT)
def test_a_rule_covers_nothing_else(on: dict[str, Any]) -> None:
    caller = granted(OTHER, rule("get", **on))
    assert not may(caller, Permission.GET, it(), NOW)
    assert not may(caller, Permission.GET, bare(), NOW)


@pytest.mark.parametrize("kind", ["object", "group", "policy", "owner"])
def test_a_rule_that_lacks_what_its_kind_needs_covers_nothing(kind: str) -> None:
    assert sight_of(2, [rule("get", on=kind)]) == own(2)


@pytest.mark.parametrize("on", ON_IT)
def test_a_rule_does_not_reach_into_another_tenant(on: dict[str, Any]) -> None:
    """Not even where the numbers and names are the same."""
    caller = granted(OTHER, rule("get", **on))
    assert not may(caller, Permission.GET, it(tenant=2), NOW)
    assert not may(replace(caller, tenant=TenantId(2)), Permission.GET, it(), NOW)
    assert not may(OWNER, Permission.GET, it(tenant=2), NOW)
    assert not may(replace(OWNER, tenant=TenantId(2)), Permission.GET, it(), NOW)


def test_one_of_several_rules_is_enough() -> None:
    rules = [rule("get", **on) for on in NOT_ON_IT]
    assert not may(granted(OTHER, *rules), Permission.GET, it(), NOW)
    assert may(granted(OTHER, *rules, rule("get", on="object", on_name="it")), Permission.GET, it(), NOW)
    assert may(granted(OTHER, rule("get", on="everything"), *rules), Permission.GET, it(), NOW)


def test_who_is_granted_something_keeps_what_is_their_own() -> None:
    caller = granted(OTHER, rule("get", on="object", on_name="x"))
    mine = it(owner=2)
    assert all(may(caller, permission, mine, NOW) for permission in Permission)
    assert in_sight(caller, Permission.GET) == Sight(owners=frozenset((2,)), objects=frozenset(("x",)))


def test_an_object_without_groups_or_policy_is_in_none() -> None:
    rules = [rule("get", on=on, on_name=name) for on in ("group", "policy") for name in ("tapes", "shared")]
    assert not may(granted(OTHER, *rules), Permission.GET, bare(), NOW)


def test_a_sight_is_of_one_owner_only_where_nothing_else_is_in_it() -> None:
    assert own(2).owner == 2
    assert sight_of(2, []) == own(2)
    for on in ON_IT[:-1]:
        made = sight_of(2, [rule("get", **on)])
        assert made is not None
        assert made.owner is None, on
    assert sight_of(2, [rule("get", on="owner", on_client=2)]) == own(2)
    assert sight_of(2, [rule("get", on="everything")]) is None


def test_a_sight_covers_each_of_its_parts() -> None:
    obj = it()
    nothing = frozenset[str]()
    for parts in (
        {"owners": frozenset((1, 9))},
        {"owners": frozenset((9,)), "objects": frozenset(("it",))},
        {"owners": frozenset((9,)), "groups": frozenset(("tapes",))},
        {"owners": frozenset((9,)), "policies": frozenset(("shared",))},
    ):
        assert Sight(**({"objects": nothing} | parts)).covers(obj)
    assert not Sight(owners=frozenset((9,))).covers(obj)


class Never:
    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return permission is Permission.LOCATE


class NotActive:
    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return obj.state is not State.ACTIVE


def test_a_restriction_is_asked_with_the_state_that_the_dates_have_made() -> None:
    caller = replace(OWNER, access=Rights(client=1, sights={}, restriction=NotActive()))
    stored = it(state=State.PRE_ACTIVE)
    stored.set(Tag.ACTIVATION_DATE, NOW)
    stored.set(Tag.DEACTIVATION_DATE, NOW + timedelta(days=1))
    for when, allowed in ((-1, True), (0, False), (1, True)):
        assert may(caller, Permission.GET, stored, NOW + timedelta(days=when)) is allowed
    assert stored.state is State.PRE_ACTIVE


def test_a_restriction_has_the_last_word_over_owners_and_rules() -> None:
    only = Rights(client=1, sights={}, restriction=Never())
    owner = replace(OWNER, access=only)
    assert restricted(owner)
    assert may(owner, Permission.LOCATE, it(), NOW)
    assert not may(owner, Permission.GET, it(), NOW)
    assert not may(owner, Permission.LOCATE, it(owner=3), NOW)
    never = Never()
    made = compile_rights(2, (), [rule("get", "locate")], never)
    assert made is not None
    other = replace(OTHER, access=made)
    assert not may(other, Permission.GET, it(), NOW)
    assert may(other, Permission.LOCATE, it(), NOW)
    assert compile_rights(1, (), [], never) == Rights(client=1, sights={}, restriction=never)


def test_who_acts_for_another_is_bound_by_the_restrictions_of_both() -> None:
    own, free = compile_rights(2, (), [rule("get")]), compile_rights(2, (), [rule("locate")])
    assert own is not None
    assert also_restricted(2, own, None) is own
    assert also_restricted(2, own, free) is own
    bound = Rights(client=3, sights={}, restriction=Never())
    assert also_restricted(2, None, bound) == replace(bound, client=2)
    assert also_restricted(2, own, bound) == replace(own, restriction=bound.restriction)
    both = also_restricted(2, replace(own, restriction=NotActive()), bound)
    assert both is not None
    assert both.restriction is not None
    for permission, state, allowed in (
        (Permission.LOCATE, State.PRE_ACTIVE, True),
        (Permission.LOCATE, State.ACTIVE, False),
        (Permission.GET, State.PRE_ACTIVE, False),
    ):
        assert both.restriction.permits(permission, it(state=state)) is allowed


class InGroup:
    """A restriction on what is in a group, or under a policy; on what is Active, too."""

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        named = {*obj.values(Tag.OBJECT_GROUP), obj.value(Tag.OPERATION_POLICY_NAME)}
        return "payment" not in named and obj.state is not State.ACTIVE


BOUND = replace(OWNER, access=Rights(client=1, sights={}, restriction=InGroup()))


def _named(**values: str) -> ManagedObject:
    made = it(state=State.PRE_ACTIVE)
    for tag in (Tag.OBJECT_GROUP, Tag.OPERATION_POLICY_NAME):
        made.set(tag, values.get(tag.name))
    return made


@pytest.mark.parametrize("tag", ["OBJECT_GROUP", "OPERATION_POLICY_NAME"])
def test_a_restriction_is_loosened_by_what_takes_an_object_out_of_it(tag: str) -> None:
    inside, outside = _named(**{tag: "payment"}), _named(**{tag: "free"})
    assert loosens(BOUND, inside, outside, NOW)
    assert not loosens(BOUND, outside, inside, NOW)
    assert not loosens(BOUND, inside, inside.copy(), NOW)
    assert not loosens(OWNER, inside, outside, NOW)
    assert not loosens(BOUND, outside, _named(**{tag: "gratis"}), NOW)
    assert not loosens(BOUND, inside, _named(OBJECT_GROUP="payment", OPERATION_POLICY_NAME="payment"), NOW)


def test_what_a_rule_gives_loosens_no_restriction() -> None:
    by_group = granted(OTHER, rule("get", on="group", on_name="tapes"))
    assert not loosens(by_group, bare(), it(), NOW)


def test_what_changes_nothing_that_a_restriction_names_objects_by_loosens_none() -> None:
    """Nor is a life cycle stopped by what it is restricted by."""
    active, over = _named(OBJECT_GROUP="free"), _named(OBJECT_GROUP="free")
    active.state, over.state = State.ACTIVE, State.DEACTIVATED
    assert not loosens(BOUND, active, over, NOW)


def test_without_a_restriction_nobody_is_restricted() -> None:
    assert not restricted(OWNER)
    assert not restricted(granted(OTHER, rule("get")))


def test_a_rule_has_one_key_for_one_grantee_and_coverage() -> None:
    one = rule("get", to="group", to_group="ops", on="object", on_name="it")
    assert rule_key(1, one) == "2732b01cc5a211e3"
    assert rule_key(1, one) == rule_key(1, one.replace(permissions=("export",)))
    others = [
        rule_key(2, one),
        rule_key(1, one.replace(to_group="op")),
        rule_key(1, one.replace(to="client", to_group=None, to_client=1)),
        rule_key(1, one.replace(on="group")),
        rule_key(1, one.replace(on_name="its")),
        rule_key(1, one.replace(on="owner", on_name=None, on_client=1)),
    ]
    assert len({rule_key(1, one), *others}) == 7


def test_what_is_stored_keeps_its_name() -> None:
    """Another name would orphan what is there."""
    assert [kind.value for kind in To] == ["client", "group", "everyone"]
    assert [kind.value for kind in On] == ["object", "group", "owner", "policy", "everything"]
    assert (REVISION, AccessRevision().number, NamedPolicy().description) == ("rules", 0, "")
    assert {"default", "public"} == BUILT_IN_POLICIES
    assert (DEFAULT, PUBLIC, MAXIMUM_RULES) == ("default", "public", 4096)
    assert AccessRule(to="everyone", on="everything").permissions == ()
