"""Links that lead in a circle (3.0)."""

import itertools

import pytest

from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import LinkedIdentifier, UniqueIdentifier
from strongroom.model.structures import Link
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create_group import CreateGroupRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.procedures import circles
from strongroom.registry import V2_1, V3_0, LinkType, ResultReason, Tag, Version
from tests.expect import MISSING, key, named, refusal, values
from tests.kms import BOB, TestKms, attribute, template


def link(kind: LinkType, target: str) -> AttributeInstance:
    return attribute(Tag.LINK, Link(link_type=kind, linked_object_identifier=UniqueIdentifier(target)))


def add(
    kms: TestKms, made: UniqueIdentifier, kind: LinkType, target: str, *, version: Version = V3_0
) -> ResultReason | None:
    """Return why a link is refused, None when it is not."""
    request = AddAttributeRequest(unique_identifier=made, new_attribute=link(kind, target))
    (answer,) = kms.batch(request, version=version)
    return getattr(answer, "reason", None)


@pytest.mark.parametrize("kind", [LinkType.PARENT_LINK, LinkType.CHILD_LINK])
def test_a_hierarchy_does_not_contain_itself(kms: TestKms, kind: LinkType) -> None:
    first, second, third = key(kms), key(kms), key(kms)
    assert add(kms, first, kind, first) is ResultReason.CIRCULAR_LINK_ERROR
    assert add(kms, first, kind, second) is None
    assert add(kms, second, kind, third) is None
    assert add(kms, third, kind, first) is ResultReason.CIRCULAR_LINK_ERROR
    assert values(kms, third, Tag.LINK) == []


def test_older_versions_call_it_an_invalid_field(kms: TestKms) -> None:
    made = key(kms)
    assert add(kms, made, LinkType.PARENT_LINK, made, version=V2_1) is ResultReason.INVALID_FIELD


@pytest.mark.parametrize("kind", [LinkType.CERTIFICATE_LINK, LinkType.NEXT_LINK, LinkType.WRAPPING_KEY_LINK])
def test_other_links_may_come_back(kms: TestKms, kind: LinkType) -> None:
    made = key(kms)
    assert add(kms, made, kind, made) is None


def test_what_is_not_there_or_not_seen_ends_the_search(kms: TestKms) -> None:
    made = key(kms)
    theirs = kms.create_symmetric_key(caller=BOB)
    assert add(kms, made, LinkType.PARENT_LINK, MISSING) is None
    assert add(kms, key(kms), LinkType.PARENT_LINK, theirs) is None


def test_a_group_is_not_in_itself(kms: TestKms) -> None:
    outer, inner = (
        kms.call(CreateGroupRequest(attributes=template(named(name))), version=V3_0).unique_identifier
        for name in ("outer", "inner")
    )
    for made, target, refused in ((inner, outer, False), (outer, inner, True), (outer, outer, True)):
        into = attribute(Tag.GROUP_LINK, LinkedIdentifier(target))
        request = AddAttributeRequest(unique_identifier=made, new_attribute=into)
        if refused:
            assert refusal(kms, request, version=V3_0).reason is ResultReason.CIRCULAR_LINK_ERROR
        else:
            kms.call(request, version=V3_0)


def test_set_and_modify_look_too(kms: TestKms) -> None:
    made = key(kms)
    parent = link(LinkType.PARENT_LINK, made)
    setting = SetAttributeRequest(unique_identifier=made, new_attribute=parent)
    assert refusal(kms, setting, version=V3_0).reason is ResultReason.CIRCULAR_LINK_ERROR
    assert add(kms, made, LinkType.PARENT_LINK, key(kms)) is None
    changing = ModifyAttributeRequest(unique_identifier=made, new_attribute=parent)
    assert refusal(kms, changing, version=V3_0).reason is ResultReason.CIRCULAR_LINK_ERROR


def test_a_long_line_is_looked_at_in_part(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request does not read a thousand objects."""
    monkeypatch.setattr(circles, "_MOST", 2)
    made = [key(kms) for _ in range(4)]
    for below, above in itertools.pairwise(made):
        assert add(kms, below, LinkType.PARENT_LINK, above) is None
    assert add(kms, made[-1], LinkType.PARENT_LINK, made[0]) is None
