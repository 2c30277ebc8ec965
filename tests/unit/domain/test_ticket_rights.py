"""What the rights of a ticket leave over of what its owner may do (KMIP 2.1 §7.34)."""

from dataclasses import replace

import pytest

from strongroom.domain.access import allowed, covers, reaches, require_everything, scope
from strongroom.domain.errors import PermissionDenied
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity, Grant
from strongroom.domain.objects import ManagedObject
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import ObjectType, Operation, State, Tag

CALLER = ClientIdentity(client=ClientId(1), tenant=DEFAULT_TENANT, name="caller")
GET, DESTROY, LOCATE = Operation.GET, Operation.DESTROY, Operation.LOCATE
ALL = r"^the rights of the ticket cover some objects only, and this concerns all$"
ANY = Grant()
TO_GET = Grant(operations=frozenset({GET}))
ON_X = Grant(objects=frozenset({"x"}))
IN_G = Grant(groups=frozenset({"g", "link"}))


def obj(identifier: str = "x", *groups: str, link: str | None = None) -> ManagedObject:
    made = ManagedObject(
        unique_identifier=UniqueIdentifier(identifier),
        object_type=ObjectType.SYMMETRIC_KEY,
        tenant=DEFAULT_TENANT,
        owner=1,
        sequence=1,
        state=State.ACTIVE,
    )
    for group in groups:
        made.add(Tag.OBJECT_GROUP, group)
    if link is not None:
        made.add(Tag.GROUP_LINK, link)
    return made


def within(*rights: Grant) -> ClientIdentity:
    return replace(CALLER, rights=rights)


def test_a_right_covers_the_operations_that_it_names_or_all() -> None:
    assert covers(ANY, GET)
    assert covers(TO_GET, GET)
    assert not covers(TO_GET, DESTROY)


def test_the_operations_that_are_left_are_those_of_some_right() -> None:
    assert allowed(CALLER, (GET, DESTROY)) == (GET, DESTROY)
    assert allowed(within(TO_GET), (GET, DESTROY)) == (GET,)
    assert allowed(within(Grant(operations=frozenset({LOCATE})), TO_GET), (GET, DESTROY)) == (GET,)
    assert allowed(within(), (GET, DESTROY)) == ()


def test_the_scope_of_an_operation_is_the_rights_that_cover_it() -> None:
    assert scope(CALLER, GET) is None
    assert scope(within(TO_GET), GET) is None
    assert scope(within(ON_X, TO_GET), GET) is None
    assert scope(within(ON_X, IN_G), GET) == (ON_X, IN_G)
    only_there = Grant(operations=frozenset({GET}), objects=frozenset({"x"}))
    assert scope(within(only_there, IN_G), DESTROY) == (IN_G,)
    for rights in ((), (TO_GET,), (only_there,)):
        with pytest.raises(PermissionDenied, match=r"^the rights of the ticket do not cover this operation$"):
            scope(within(*rights), DESTROY)


def test_what_concerns_everything_needs_a_right_to_everything() -> None:
    require_everything(CALLER, GET)
    require_everything(within(TO_GET), GET)
    for right in (ON_X, IN_G):
        with pytest.raises(PermissionDenied, match=ALL):
            require_everything(within(right), GET)


def test_a_right_reaches_the_objects_and_groups_that_it_names() -> None:
    assert reaches((ANY,), "y", None)
    assert reaches((ON_X,), "x", None)
    assert not reaches((ON_X,), "y", None)
    assert not reaches((IN_G,), "x", None)
    assert reaches((IN_G,), "x", obj("x", "f", "g"))
    assert reaches((IN_G,), "x", obj("x", link="link"))
    assert not reaches((IN_G,), "x", obj("x", "f"))
    assert not reaches((IN_G,), "x", obj())
    assert reaches((ON_X, IN_G), "y", obj("y", "g"))
    both = Grant(objects=frozenset({"x"}), groups=frozenset({"g"}))
    assert reaches((both,), "x", obj("x", "g"))
    assert not reaches((both,), "x", obj("x"))
    assert not reaches((both,), "y", obj("y", "g"))
    assert not reaches((), "x", obj("x", "g"))
