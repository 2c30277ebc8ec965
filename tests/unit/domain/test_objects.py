"""Managed objects: what copies of one have in common, and what they have not."""

from collections.abc import Callable

import pytest

from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.domain.objects import ManagedObject
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import ObjectType, State, Tag


@pytest.fixture
def obj() -> ManagedObject:
    made = ManagedObject(
        unique_identifier=UniqueIdentifier("it"),
        object_type=ObjectType.SYMMETRIC_KEY,
        tenant=DEFAULT_TENANT,
        owner=1,
        sequence=1,
        state=State.ACTIVE,
    )
    made.set(Tag.SENSITIVE, True)  # so that its attributes are its own
    return made


@pytest.mark.parametrize("copied", [ManagedObject.copy, ManagedObject.snapshot])
def test_a_copy_has_no_part_in_what_is_changed_later(
    obj: ManagedObject, copied: Callable[[ManagedObject], ManagedObject]
) -> None:
    """What an operation as part of another one changed is undone by going back to a snapshot."""
    other = copied(obj)
    assert other.attributes is obj.attributes
    obj.set(Tag.SENSITIVE, False)
    assert other.value(Tag.SENSITIVE) is True
    other.set(Tag.EXTRACTABLE, True)
    assert obj.value(Tag.EXTRACTABLE) is None
    third = copied(other)
    other.set(Tag.EXTRACTABLE, None)
    assert third.value(Tag.EXTRACTABLE) is True


def test_a_snapshot_knows_what_was_changed_and_a_copy_does_not(obj: ManagedObject) -> None:
    assert obj.changed
    assert obj.snapshot().changed
    assert not obj.copy().changed
