"""Add, Modify, Set and Delete Attribute."""

from collections.abc import Callable
from typing import Any

import pytest

from strongroom.attributes import rules
from strongroom.attributes.conditions import effective_state
from strongroom.domain.attribute_errors import (
    AttributeInstanceNotFound,
    AttributeNotFound,
    AttributeReadOnly,
    AttributeSingleValued,
    InvalidAttribute,
    MultiValuedAttribute,
    ReadOnlyAttribute,
)
from strongroom.domain.errors import InvalidField, KmipError, WrongKeyLifecycleState
from strongroom.domain.objects import ManagedObject
from strongroom.model.attribute_list import AttributeInstance, AttributeKey, VendorAttribute
from strongroom.model.structures import UsageLimits
from strongroom.registry import (
    CryptographicUsageMask,
    LinkType,
    ObjectType,
    State,
    Tag,
    UsageLimitsUnit,
)
from tests.unit.attributes.objects import HOUR, NOW, aes_key, blank, custom, given, link, name

X = VendorAttribute("x", "a")


def add(obj: ManagedObject, key: AttributeKey, value: Any) -> AttributeInstance:
    return rules.add(obj, given(key, value), now=NOW)


def modify(
    obj: ManagedObject, new: AttributeInstance, current: AttributeInstance | None = None
) -> AttributeInstance:
    return rules.modify(obj, current, new, now=NOW)


def set_(obj: ManagedObject, key: AttributeKey, value: Any) -> AttributeInstance:
    return rules.set_attribute(obj, given(key, value), now=NOW)


def delete(obj: ManagedObject, key: AttributeKey, **which: Any) -> AttributeInstance:
    return rules.delete(obj, key=key, now=NOW, **which)


def test_add_returns_the_index_of_the_new_instance() -> None:
    key = aes_key()
    assert [rules.add(key, name(n), now=NOW).index for n in "abc"] == [0, 1, 2]


def test_add_refuses_a_second_value_of_a_single_valued_attribute() -> None:
    key = aes_key(description="one")
    with pytest.raises(AttributeSingleValued):
        add(key, Tag.DESCRIPTION, "two")


def test_adding_the_value_that_is_there_succeeds_and_changes_nothing() -> None:
    key = aes_key(description="one")
    key.changed = False
    assert add(key, Tag.DESCRIPTION, "one").value == "one"
    assert not key.changed


def test_add_refuses_an_index() -> None:
    """KMIP 1.4 §4.14."""
    with pytest.raises(InvalidField):
        rules.add(aes_key(), given(Tag.COMMENT, "a", 1), now=NOW)


@pytest.mark.parametrize(
    ("tag", "value"),
    [(Tag.STATE, State.ACTIVE), (Tag.CRYPTOGRAPHIC_LENGTH, 128), (Tag.KEY_FORMAT_TYPE, 1), (Tag.DIGEST, b"")],
)
def test_add_and_set_refuse_read_only_attributes(tag: Tag, value: Any) -> None:
    for operation in (add, set_):
        with pytest.raises(ReadOnlyAttribute):
            operation(aes_key(), tag, value)


def test_add_refuses_what_the_object_cannot_have() -> None:
    with pytest.raises(InvalidAttribute, match="a Template has no Link"):
        rules.add(blank(ObjectType.TEMPLATE, state=None), link(LinkType.NEXT_LINK, "other"), now=NOW)


@pytest.mark.parametrize("tag", [Tag.CRYPTOGRAPHIC_USAGE_MASK, Tag.INITIAL_DATE, Tag.CERTIFICATE_LENGTH])
def test_modify_refuses_read_only_attributes(tag: Tag) -> None:
    with pytest.raises(AttributeReadOnly):
        modify(aes_key(), given(tag, CryptographicUsageMask.DECRYPT))


def test_modify_needs_the_attribute_to_be_there() -> None:
    for unknown in (given(Tag.COMMENT, "a"), custom("a", "b"), custom("Colour", "red", vendor="")):
        with pytest.raises(AttributeNotFound):
            modify(aes_key(), unknown)


def test_modify_finds_the_instance_by_its_index() -> None:
    key = aes_key()
    for n in "abc":
        rules.add(key, name(n), now=NOW)
    modify(key, given(Tag.NAME, name("B").value, 1))
    assert [value.name_value for value in key.values(Tag.NAME)] == ["a", "B", "c"]
    with pytest.raises(AttributeInstanceNotFound):
        modify(key, given(Tag.NAME, name("d").value, 3))


def test_an_index_stays_when_another_instance_is_deleted() -> None:
    """KMIP 1.4 §2.1.1."""
    key = aes_key()
    for n in "abc":
        rules.add(key, name(n), now=NOW)
    delete(key, Tag.NAME, index=0)
    assert [i.index for i in key.attributes[Tag.NAME]] == [1, 2]
    assert rules.add(key, name("d"), now=NOW).index == 3


def test_modify_finds_the_instance_by_its_current_value() -> None:
    key = aes_key()
    rules.add(key, name("a"), now=NOW)
    rules.add(key, name("b"), now=NOW)
    modify(key, name("B"), current=name("b"))
    assert [value.name_value for value in key.values(Tag.NAME)] == ["a", "B"]
    with pytest.raises(AttributeInstanceNotFound):
        modify(key, name("C"), current=name("b"))


def test_modify_does_not_guess_which_of_several_is_meant() -> None:
    """KMIP 2.1 §6.1.34: multiple instances without Current Attribute are an error."""
    key = aes_key()
    rules.add(key, name("a"), now=NOW)
    modify(key, name("A"))
    rules.add(key, name("b"), now=NOW)
    with pytest.raises(AttributeInstanceNotFound, match="2 values"):
        modify(key, name("c"))


def test_modify_refuses_two_different_attributes() -> None:
    with pytest.raises(InvalidField):
        modify(aes_key(comment="a"), given(Tag.COMMENT, "b"), current=given(Tag.DESCRIPTION, "a"))


def test_set_adds_modifies_and_refuses_several() -> None:
    """KMIP 2.1 §6.1.51."""
    key = aes_key()
    set_(key, Tag.COMMENT, "a")
    set_(key, Tag.COMMENT, "b")
    assert key.value(Tag.COMMENT) == "b"
    set_(key, Tag.NAME, name("a").value)
    set_(key, Tag.NAME, name("b").value)
    assert [value.name_value for value in key.values(Tag.NAME)] == ["b"]
    rules.add(key, name("c"), now=NOW)
    with pytest.raises(MultiValuedAttribute):
        set_(key, Tag.NAME, name("d").value)


def test_set_refuses_to_change_what_is_set_once() -> None:
    key = aes_key()
    set_(key, Tag.ROTATE_INTERVAL, 3600)
    set_(key, Tag.ROTATE_INTERVAL, 3600)
    with pytest.raises(ReadOnlyAttribute):
        set_(key, Tag.ROTATE_INTERVAL, 7200)


def test_delete_removes_one_by_value_and_all_by_reference() -> None:
    """KMIP 2.1 §6.1.13."""
    key = aes_key()
    for n in "abc":
        rules.add(key, name(n), now=NOW)
    assert delete(key, Tag.NAME, value=name("b").value) == given(Tag.NAME, name("b").value, 1)
    assert [value.name_value for value in key.values(Tag.NAME)] == ["a", "c"]
    delete(key, Tag.NAME)
    assert Tag.NAME not in key.attributes


def test_delete_says_what_is_missing() -> None:
    key = aes_key()
    rules.add(key, custom("a", "b"), now=NOW)
    with pytest.raises(AttributeNotFound):
        delete(key, Tag.COMMENT)
    with pytest.raises(AttributeInstanceNotFound):
        delete(key, X, index=1)
    with pytest.raises(AttributeInstanceNotFound):
        delete(key, X, value=custom("a", "c").value)


@pytest.mark.parametrize("tag", [Tag.SENSITIVE, Tag.ACTIVATION_DATE, Tag.STATE, Tag.CRYPTOGRAPHIC_ALGORITHM])
def test_delete_refuses_required_and_read_only_attributes(tag: Tag) -> None:
    with pytest.raises(AttributeReadOnly):
        delete(aes_key(activation_date=NOW), tag)


def test_the_servers_custom_attributes_cannot_be_changed() -> None:
    """KMIP 2.1 §4.60: vendor `y` is the server's."""
    key = aes_key()
    theirs = custom("a", "b", vendor="y")
    key.add(theirs.key, theirs.value)
    with pytest.raises(ReadOnlyAttribute):
        rules.add(key, custom("b", "c", vendor="y"), now=NOW)
    with pytest.raises(AttributeReadOnly):
        modify(key, custom("a", "c", vendor="y"))
    with pytest.raises(AttributeReadOnly):
        delete(key, theirs.key)


def test_the_activation_date_is_open_only_while_pre_active() -> None:
    """KMIP 2.1 §4.1."""
    modify(aes_key(activation_date=NOW + HOUR), given(Tag.ACTIVATION_DATE, NOW + 2 * HOUR))
    for key in (
        aes_key(state=State.ACTIVE, activation_date=NOW - HOUR),
        aes_key(activation_date=NOW),  # the date has made it Active
    ):
        with pytest.raises(WrongKeyLifecycleState, match="Pre-Active; it is Active"):
            modify(key, given(Tag.ACTIVATION_DATE, NOW + HOUR))


def test_an_activation_date_that_has_passed_activates_at_once() -> None:
    """KMIP 2.1 §4.57, transition 4."""
    key = aes_key()
    add(key, Tag.ACTIVATION_DATE, NOW - HOUR)
    assert key.state is State.ACTIVE


def test_a_deactivation_date_that_has_passed_deactivates_at_once() -> None:
    """KMIP 2.1 §4.57, transition 6."""
    key = aes_key(state=State.ACTIVE, activation_date=NOW - 2 * HOUR, deactivation_date=NOW + HOUR)
    modify(key, given(Tag.DEACTIVATION_DATE, NOW - HOUR))
    assert key.state is State.DEACTIVATED
    with pytest.raises(WrongKeyLifecycleState):
        modify(key, given(Tag.DEACTIVATION_DATE, NOW + HOUR))


@pytest.mark.parametrize("tag", [Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE])
def test_a_date_that_was_reached_is_closed(tag: Tag) -> None:
    """KMIP 2.1 §4.40 and §4.41."""
    key = aes_key(state=State.ACTIVE)
    add(key, tag, NOW + HOUR)
    modify(key, given(tag, NOW))
    with pytest.raises(WrongKeyLifecycleState, match="has passed"):
        modify(key, given(tag, NOW + HOUR))


@pytest.mark.parametrize("tag", [Tag.PROCESS_START_DATE, Tag.PROTECT_STOP_DATE])
def test_dates_of_a_compromised_key_are_closed(tag: Tag) -> None:
    with pytest.raises(WrongKeyLifecycleState, match="Pre-Active or Active"):
        add(aes_key(state=State.COMPROMISED), tag, NOW + HOUR)


def test_dates_stay_in_order() -> None:
    key = aes_key(state=State.ACTIVE, activation_date=NOW, deactivation_date=NOW + 2 * HOUR)
    with pytest.raises(InvalidField, match="after the Deactivation Date"):
        add(key, Tag.PROTECT_STOP_DATE, NOW + 3 * HOUR)
    waiting = aes_key(activation_date=NOW + HOUR, deactivation_date=NOW + 2 * HOUR)
    with pytest.raises(InvalidField, match="before the Activation Date"):
        modify(waiting, given(Tag.DEACTIVATION_DATE, NOW - HOUR))
    assert waiting.value(Tag.DEACTIVATION_DATE) == NOW + 2 * HOUR


def test_a_deactivation_date_in_the_past_ends_a_key_however_short_it_was_active() -> None:
    """KMIP 2.1 §4.57, transition 6: modified to a date in the past, or the current date."""
    key = aes_key(state=State.ACTIVE, activation_date=NOW, deactivation_date=NOW + 2 * HOUR)
    modify(key, given(Tag.DEACTIVATION_DATE, NOW - HOUR))
    assert effective_state(key, NOW) is State.DEACTIVATED


def test_sensitive_cannot_be_taken_back() -> None:
    """faults 21."""
    key = aes_key()
    set_(key, Tag.SENSITIVE, True)
    set_(key, Tag.SENSITIVE, True)
    with pytest.raises(ReadOnlyAttribute, match="stays so"):
        set_(key, Tag.SENSITIVE, False)
    with pytest.raises(AttributeReadOnly):
        modify(key, given(Tag.SENSITIVE, False))
    assert key.value(Tag.ALWAYS_SENSITIVE) is False


def test_extractable_cannot_be_given_back() -> None:
    """faults 21."""
    key = aes_key()
    modify(key, given(Tag.EXTRACTABLE, False))
    with pytest.raises(AttributeReadOnly):
        modify(key, given(Tag.EXTRACTABLE, True))
    assert key.value(Tag.NEVER_EXTRACTABLE) is False


def test_always_sensitive_and_never_extractable_follow() -> None:
    """KMIP 2.1 §4.3 and §4.33."""
    key = aes_key()
    for tag in (Tag.SENSITIVE, Tag.EXTRACTABLE, Tag.ALWAYS_SENSITIVE, Tag.NEVER_EXTRACTABLE):
        key.set(tag, None)
    key.set(Tag.ALWAYS_SENSITIVE, True)
    key.set(Tag.NEVER_EXTRACTABLE, True)
    add(key, Tag.SENSITIVE, False)
    add(key, Tag.EXTRACTABLE, True)
    assert key.value(Tag.ALWAYS_SENSITIVE) is False
    assert key.value(Tag.NEVER_EXTRACTABLE) is False


def limits(total: int, count: int | None = None) -> UsageLimits:
    return UsageLimits(
        usage_limits_total=total, usage_limits_count=count, usage_limits_unit=UsageLimitsUnit.BYTE
    )


def test_usage_limits_are_counted_from_the_total() -> None:
    """KMIP 2.1 §4.59: the client never sets the count."""
    key = aes_key()
    assert add(key, Tag.USAGE_LIMITS, limits(100)).value == limits(100, 100)
    assert modify(key, given(Tag.USAGE_LIMITS, limits(50, 3))).value == limits(50, 50)


def test_usage_limits_in_use_are_closed() -> None:
    """KMIP 2.1 §4.59."""
    key = aes_key(usage_limits=limits(100, 99))
    with pytest.raises(AttributeReadOnly, match="in use"):
        modify(key, given(Tag.USAGE_LIMITS, limits(200)))
    with pytest.raises(AttributeReadOnly, match="in use"):
        delete(key, Tag.USAGE_LIMITS)
    key.set(Tag.USAGE_LIMITS, limits(100, 100))
    delete(key, Tag.USAGE_LIMITS)


def test_links_by_tag_are_one_attribute_for_each_type() -> None:
    """KMIP 3.0: Set Attribute of Next Link concerns no other link."""
    key = aes_key()
    set_(key, Tag.NEXT_LINK, "one")
    set_(key, Tag.PREVIOUS_LINK, "zero")
    set_(key, Tag.NEXT_LINK, "two")
    assert list(key.values(Tag.LINK)) == [
        link(LinkType.NEXT_LINK, "two").value,
        link(LinkType.PREVIOUS_LINK, "zero").value,
    ]
    modify(key, given(Tag.PREVIOUS_LINK, "minus one"))
    assert delete(key, Tag.NEXT_LINK).value == link(LinkType.NEXT_LINK, "two").value
    assert list(key.values(Tag.LINK)) == [link(LinkType.PREVIOUS_LINK, "minus one").value]
    with pytest.raises(AttributeNotFound):
        delete(key, Tag.NEXT_LINK)


def test_the_type_of_a_link_can_be_modified() -> None:
    key = aes_key()
    rules.add(key, link(LinkType.PARENT_LINK, "a"), now=NOW)
    modify(key, link(LinkType.CHILD_LINK, "a"), current=link(LinkType.PARENT_LINK, "a"))
    assert list(key.values(Tag.LINK)) == [link(LinkType.CHILD_LINK, "a").value]


def test_a_refusal_changes_nothing() -> None:
    key = aes_key(state=State.ACTIVE, activation_date=NOW, protect_stop_date=NOW + HOUR, comment="a")
    before, key.changed = dict(key.attributes), False
    attempts: tuple[Callable[[], object], ...] = (
        lambda: add(key, Tag.COMMENT, "b"),
        lambda: modify(key, given(Tag.ACTIVATION_DATE, NOW + HOUR)),
        lambda: set_(key, Tag.CRYPTOGRAPHIC_LENGTH, 128),
        lambda: delete(key, Tag.STATE),
        lambda: add(key, Tag.DEACTIVATION_DATE, NOW - HOUR),
    )
    for attempt in attempts:
        with pytest.raises(KmipError):
            attempt()
    assert key.attributes == before
    assert not key.changed
