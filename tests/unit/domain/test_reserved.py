"""What the right to change attributes does not cover (`domain/reserved.py`)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.domain.errors import PermissionDenied
from strongroom.domain.identity import ClientId, ClientIdentity, TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.permission import Permission
from strongroom.domain.reserved import check_changes
from strongroom.domain.rights import compile_rights
from strongroom.domain.rules import AccessRule
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import Name
from strongroom.registry import ObjectType, State, Tag

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = ClientIdentity(client=ClientId(1), tenant=TenantId(1), name="owner")
OTHER = ClientIdentity(client=ClientId(2), tenant=TenantId(1), name="other")
TICKET = replace(OWNER, rights=(), acting=ClientId(2))

REACH = [(Tag.OBJECT_GROUP, "g"), (Tag.GROUP_LINK, "g"), (Tag.OPERATION_POLICY_NAME, "public")]
NAME = (Tag.NAME, Name(name_value="n"))
NEEDS = [
    (Tag.ACTIVATION_DATE, NOW, Permission.ACTIVATE),
    (Tag.DEACTIVATION_DATE, NOW + timedelta(days=9), Permission.REVOKE),
    (Tag.ROTATE_AUTOMATIC, True, Permission.RE_KEY),
    (Tag.ROTATE_INTERVAL, 7200, Permission.RE_KEY),
    (Tag.ROTATE_OFFSET, 60, Permission.RE_KEY),
]
CHANGING = [Permission.CHANGE_ATTRIBUTES, Permission.IMPORT]
OF_ITS_OWN = [Permission.RE_KEY, Permission.ACTIVATE, Permission.REVOKE]
"""Operations that set attributes as they have to."""


def key() -> ManagedObject:
    return ManagedObject(
        unique_identifier=UniqueIdentifier("it"),
        object_type=ObjectType.SYMMETRIC_KEY,
        tenant=1,
        owner=1,
        sequence=1,
        state=State.PRE_ACTIVE,
        generation=1,
    )


def granted(*permissions: Permission) -> ClientIdentity:
    given = AccessRule(
        to="everyone", on="owner", on_client=1, permissions=tuple(one.value for one in permissions)
    )
    return replace(OTHER, access=compile_rights(2, (), [given]))


def changed(tag: Tag, value: Any) -> list[tuple[ManagedObject, ManagedObject]]:
    """Return an object before and after: without an attribute and with it, and the other way round."""
    bare, given = key(), key()
    given.set(tag, value)
    return [(bare, given), (given, bare)]


def refusal(caller: ClientIdentity, permission: Permission, tag: Tag, value: Any) -> str | None:
    """Return how the caller is refused to bring and to remove an attribute; None: it is not."""
    told = set[str | None]()
    for before, after in changed(tag, value):
        try:
            check_changes(caller, permission, before, after, NOW)
        except PermissionDenied as error:
            told.add(str(error))
        else:
            told.add(None)
    (answer,) = told
    return answer


def allowed(caller: ClientIdentity, permission: Permission, tag: Tag, value: Any) -> bool:
    return refusal(caller, permission, tag, value) is None


@pytest.mark.parametrize(("tag", "value"), REACH)
@pytest.mark.parametrize("permission", [*CHANGING, *OF_ITS_OWN])
def test_what_rules_reach_an_object_by_is_its_owners(tag: Tag, value: str, permission: Permission) -> None:
    assert allowed(OWNER, permission, tag, value)
    assert not allowed(TICKET, permission, tag, value)
    assert not allowed(granted(*Permission), permission, tag, value)


@pytest.mark.parametrize("permission", CHANGING)
def test_names_are_their_owners(permission: Permission) -> None:
    assert allowed(OWNER, permission, *NAME)
    assert allowed(TICKET, permission, *NAME)
    assert not allowed(granted(*Permission), permission, *NAME)


@pytest.mark.parametrize(("tag", "value", "needed"), NEEDS)
@pytest.mark.parametrize("permission", CHANGING)
def test_what_does_the_same_as_an_operation_needs_the_same(
    tag: Tag, value: Any, needed: Permission, permission: Permission
) -> None:
    assert allowed(OWNER, permission, tag, value)
    assert allowed(TICKET, permission, tag, value)
    assert allowed(granted(permission, needed), permission, tag, value)
    assert not allowed(granted(*(one for one in Permission if one is not needed)), permission, tag, value)


@pytest.mark.parametrize(("tag", "value"), [NAME, *((tag, value) for tag, value, _ in NEEDS)])
@pytest.mark.parametrize("permission", OF_ITS_OWN)
def test_other_operations_set_what_belongs_to_them(tag: Tag, value: Any, permission: Permission) -> None:
    assert allowed(granted(permission), permission, tag, value)


def test_it_is_said_whose_right_it_is() -> None:
    changing = granted(Permission.CHANGE_ATTRIBUTES), Permission.CHANGE_ATTRIBUTES
    assert refusal(*changing, *REACH[0]) == (
        "only the owner of an object changes its groups and its operation policy"
    )
    assert refusal(*changing, *NAME) == "only the owner of an object changes its Names"
    tag, value, _ = NEEDS[0]
    assert refusal(*changing, tag, value) == "to change Activation Date needs the right to activate, too"


def test_everything_else_is_changed_with_the_right_to_change_attributes() -> None:
    changing = granted(Permission.CHANGE_ATTRIBUTES)
    assert allowed(changing, Permission.CHANGE_ATTRIBUTES, Tag.CONTACT_INFORMATION, "somebody")
    before, after = key(), key()
    for tag, value in (*REACH, NAME, *((tag, value) for tag, value, _ in NEEDS)):
        before.set(tag, value)
        after.set(tag, value)
    check_changes(OTHER, Permission.CHANGE_ATTRIBUTES, before, after, NOW)
    check_changes(OTHER, Permission.CHANGE_ATTRIBUTES, before, before.copy(), NOW)
