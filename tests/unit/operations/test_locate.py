"""Locate (KMIP 1.x §4.9, 2.1 §6.1.28)."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from strongroom.domain.context import Policy
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import SymmetricKey
from strongroom.model.structures import ApplicationSpecificInformation, Link, Name, UsageLimits
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.locate import LocateRequest, LocateResponse
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.registry import (
    V1_0,
    V1_3,
    V1_4,
    V2_1,
    V3_0,
    VERSIONS,
    BatchErrorContinuationOption,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ItemType,
    LinkType,
    NameType,
    ObjectGroupMember,
    ObjectType,
    ResultReason,
    State,
    StorageStatusMask,
    Tag,
    UsageLimitsUnit,
    Version,
)
from tests.expect import (
    active_key,
    archived_key,
    assert_refused,
    key,
    key_in,
    key_pair,
    later,
    named,
    register_opaque,
    register_password,
)
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, request_message, template

ENCRYPT, DECRYPT, SIGN = (
    CryptographicUsageMask.ENCRYPT,
    CryptographicUsageMask.DECRYPT,
    CryptographicUsageMask.SIGN,
)
ARCHIVED = StorageStatusMask.ARCHIVAL_STORAGE
ON_LINE = StorageStatusMask.ON_LINE_STORAGE
DESTROYED = StorageStatusMask.DESTROYED_STORAGE
COLOUR = VendorAttribute("x", "colour")


def text(value: str) -> RawValue:
    return RawValue(ItemType.TEXT_STRING, value)


def located(
    kms: TestKms, *filters: AttributeInstance, version: Version = V1_4, **fields: Any
) -> list[UniqueIdentifier]:
    request = LocateRequest(attributes=template(*filters), **fields)
    return list(kms.call(request, version=version).unique_identifier)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_without_filters_every_object_matches(kms: TestKms, version: Version) -> None:
    """KMIP 2.1 §6.1.28: if no attribute is specified, any object shall be deemed to match."""
    made = [key(kms), register_opaque(kms), register_password(kms)]
    assert sorted(located(kms, version=version)) == sorted(made)


@pytest.mark.parametrize("version", [V1_0, V2_1], ids=str)
def test_the_newest_object_comes_first(kms: TestKms, version: Version) -> None:
    """KMIP 2.1 §6.1.28: in descending order of object creation, also of those made in the same second."""
    made = [key(kms) for _ in range(3)]
    kms.clock.pass_time(days=1)
    made += [key(kms) for _ in range(3)]
    assert located(kms, version=version) == made[::-1]


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_an_empty_answer_is_no_error(kms: TestKms, version: Version) -> None:
    """KMIP 2.1 §6.1.28: if no objects match, then an empty response payload is returned."""
    assert located(kms, named("none"), version=version) == []


def test_a_name_is_matched_whole(kms: TestKms) -> None:
    made = key(kms, named("a name"))
    key(kms, named("a name or another"))
    assert located(kms, named("a name")) == [made]
    assert located(kms, named("A Name")) == []
    assert located(kms, named("a")) == []


def test_objects_match_every_filter(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28: returned objects shall match all of the attributes in the request."""
    group = attribute(Tag.OBJECT_GROUP, "g")
    both = key(kms, named("a"), group)
    key(kms, named("b"), group)
    key(kms, named("c"))
    assert located(kms, named("a"), group) == [both]
    assert located(kms, named("c"), group) == []


def test_two_values_of_one_attribute_must_both_be_there(kms: TestKms) -> None:
    one, two = attribute(Tag.OBJECT_GROUP, "one"), attribute(Tag.OBJECT_GROUP, "two")
    both = key(kms, one, two)
    key(kms, one)
    assert located(kms, one, two) == [both]


def test_the_attribute_index_is_ignored(kms: TestKms) -> None:
    """KMIP 1.4 §4.9: Attribute Index values that are provided shall be ignored by the server."""
    made = key(kms, attribute(Tag.OBJECT_GROUP, "a"))
    assert located(kms, attribute(Tag.OBJECT_GROUP, "a", 7)) == [made]


def test_filters_on_what_the_object_is(kms: TestKms) -> None:
    private, public = key_pair(kms)
    symmetric = key(kms)
    by_type = attribute(Tag.OBJECT_TYPE, ObjectType.PRIVATE_KEY)
    assert located(kms, by_type) == [private]
    by_algorithm = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ECDSA)
    assert located(kms, by_algorithm) == [public, private]
    assert located(kms, attribute(Tag.UNIQUE_IDENTIFIER, symmetric)) == [symmetric]
    assert located(kms, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256), by_type) == [private]


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_filters_on_the_state(kms: TestKms, state: State) -> None:
    others = set(State) - {state, State.DESTROYED, State.DESTROYED_COMPROMISED}
    for other in others:
        key_in(kms, other)
    made = key_in(kms, state)
    assert located(kms, attribute(Tag.STATE, state)) == [made]


def test_the_state_is_that_of_now(kms: TestKms) -> None:
    """KMIP 2.1 §4.57: the dates act when they are reached, whether anybody looked or not."""
    now = kms.clock.now()
    made = key(
        kms,
        attribute(Tag.ACTIVATION_DATE, now + timedelta(days=1)),
        attribute(Tag.DEACTIVATION_DATE, now + timedelta(days=2)),
    )
    for state in (State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED):
        found = {s: located(kms, attribute(Tag.STATE, s)) for s in State}
        assert [s for s, hits in found.items() if hits == [made]] == [state]
        kms.clock.pass_time(days=1)


def test_an_object_has_every_bit_of_a_mask_that_is_asked_for(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28: and may have additional bits set."""
    both = key(kms, mask=ENCRYPT | DECRYPT)
    one = key(kms, mask=ENCRYPT)
    wanted = Tag.CRYPTOGRAPHIC_USAGE_MASK
    assert located(kms, attribute(wanted, ENCRYPT)) == [one, both]
    assert located(kms, attribute(wanted, ENCRYPT | DECRYPT)) == [both]
    assert located(kms, attribute(wanted, ENCRYPT | SIGN)) == []
    assert located(kms, attribute(wanted, CryptographicUsageMask(0))) == [one, both]


@pytest.mark.parametrize("tag", [Tag.INITIAL_DATE, Tag.ACTIVATION_DATE])
def test_one_date_matches_that_date(kms: TestKms, tag: Tag) -> None:
    start = kms.clock.now()
    made = dated(kms, tag)
    assert located(kms, attribute(tag, start + timedelta(days=1))) == [made[1]]
    assert located(kms, attribute(tag, start + timedelta(days=1, seconds=1))) == []


@pytest.mark.parametrize("tag", [Tag.INITIAL_DATE, Tag.ACTIVATION_DATE])
@pytest.mark.parametrize("turned", [False, True])
def test_two_dates_are_a_range_with_its_limits(kms: TestKms, tag: Tag, turned: bool) -> None:
    """KMIP 2.1 §6.1.28: inside or at a limit of the range."""
    start = kms.clock.now()
    made = dated(kms, tag)
    limits = [attribute(tag, start + timedelta(days=d)) for d in (1, 3)]
    assert located(kms, *(limits[::-1] if turned else limits)) == made[3:0:-1]


def dated(kms: TestKms, tag: Tag) -> list[UniqueIdentifier]:
    """Return five objects whose date is 0 to 4 days from now."""
    made = []
    for _ in range(5):
        given = [] if tag is Tag.INITIAL_DATE else [attribute(tag, kms.clock.now())]
        made.append(key(kms, *given))
        kms.clock.pass_time(days=1)
    return made


def test_an_object_without_the_date_is_in_no_range(kms: TestKms) -> None:
    key(kms)
    limits = [
        attribute(Tag.ACTIVATION_DATE, datetime(year, 1, 1, tzinfo=kms.clock.now().tzinfo))
        for year in (1971, 2100)
    ]
    assert located(kms, *limits) == []


def located_with(kms: TestKms, tag: Tag, *fields: tuple[Tag, ItemType, object]) -> list[str]:
    """Return what matches a structure that has only these fields."""
    root = request_message(LocateRequest(), version=V2_1)
    payload = root[2][1][2][-1][2]
    structure = (int(tag), 1, [(int(t), int(kind), given) for t, kind, given in fields])
    payload[:] = [(int(Tag.ATTRIBUTES), 1, [structure])]
    answer = kms.send(root)
    (found,) = [v for t, _, v in answer[2][1][2] if t == Tag.RESPONSE_PAYLOAD]
    return [v for t, _, v in found if t == Tag.UNIQUE_IDENTIFIER]


@pytest.mark.parametrize("tag", [Tag.ACTIVATION_DATE, Tag.DEACTIVATION_DATE, Tag.PROTECT_STOP_DATE])
def test_the_largest_date_means_an_object_without_the_date(kms: TestKms, tag: Tag) -> None:
    """KMIP 2.1 §6.1.28: a date set to its largest possible value is equivalent to an undefined attribute."""
    largest = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    without = key(kms)
    early, late = key(kms, attribute(tag, later(kms, days=1))), key(kms, attribute(tag, later(kms, days=9)))
    assert located(kms, attribute(tag, largest)) == [without]
    assert located(kms, attribute(tag, later(kms, days=5)), attribute(tag, largest)) == [late, without]
    assert located(kms, attribute(tag, largest), attribute(tag, later(kms, days=1))) == [late, early, without]


def test_links_are_found_by_either_part(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28: not all the structure fields are required to be specified."""
    private, public = key_pair(kms)
    key_pair(kms)
    whole = Link(link_type=LinkType.PUBLIC_KEY_LINK, linked_object_identifier=public)
    assert located(kms, attribute(Tag.LINK, whole)) == [private]
    identifier = (Tag.LINKED_OBJECT_IDENTIFIER, ItemType.TEXT_STRING, public)
    assert located_with(kms, Tag.LINK, identifier) == [private]
    link_type = (Tag.LINK_TYPE, ItemType.ENUMERATION, int(LinkType.PUBLIC_KEY_LINK))
    assert len(located_with(kms, Tag.LINK, link_type)) == 2


def test_a_name_is_found_without_its_type_and_the_other_way_round(kms: TestKms) -> None:
    made = key(kms, named("n"))
    other = key(kms, attribute(Tag.NAME, Name(name_value="u", name_type=NameType.URI)))
    assert located_with(kms, Tag.NAME, (Tag.NAME_VALUE, ItemType.TEXT_STRING, "n")) == [made]
    assert located_with(kms, Tag.NAME, (Tag.NAME_VALUE, ItemType.TEXT_STRING, "u")) == [other]
    by_type = (Tag.NAME_TYPE, ItemType.ENUMERATION, int(NameType.UNINTERPRETED_TEXT_STRING))
    assert located_with(kms, Tag.NAME, by_type) == [made]


def test_a_name_of_another_type_is_another_name(kms: TestKms) -> None:
    key(kms, named("n"))
    assert located(kms, attribute(Tag.NAME, Name(name_value="n", name_type=NameType.URI))) == []


def test_application_data_is_found_by_its_namespace(kms: TestKms) -> None:
    tag = Tag.APPLICATION_SPECIFIC_INFORMATION
    info = ApplicationSpecificInformation
    one = key(kms, attribute(tag, info(application_namespace="ns", application_data="1")))
    two = key(kms, attribute(tag, info(application_namespace="ns", application_data="2")))
    assert located(kms, attribute(tag, info(application_namespace="ns"))) == [two, one]
    data = (Tag.APPLICATION_DATA, ItemType.TEXT_STRING, "1")
    assert located_with(kms, tag, data) == [one]


def test_usage_limits_suffice(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28: Count and Total shall be equal to or larger than the values specified."""
    unit = UsageLimitsUnit.BYTE
    small, large = (
        active_key(
            kms,
            attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=n, usage_limits_unit=unit)),
        )
        for n in (10, 1000)
    )
    key(kms)
    for total, found in ((10, [large, small]), (11, [large]), (1001, [])):
        wanted = UsageLimits(usage_limits_total=total, usage_limits_count=total, usage_limits_unit=unit)
        assert located(kms, attribute(Tag.USAGE_LIMITS, wanted)) == found


def test_custom_attributes_are_found_by_value(kms: TestKms) -> None:
    red = key(kms, attribute(COLOUR, text("red")))
    key(kms, attribute(COLOUR, text("blue")))
    assert located(kms, attribute(COLOUR, text("red"))) == [red]
    assert located(kms, attribute(VendorAttribute("x", "taste"), text("red"))) == []


def test_a_custom_attribute_of_another_type_is_another_value(kms: TestKms) -> None:
    key(kms, attribute(COLOUR, RawValue(ItemType.INTEGER, 1)))
    assert located(kms, attribute(COLOUR, RawValue(ItemType.LONG_INTEGER, 1))) == []
    assert located(kms, attribute(COLOUR, RawValue(ItemType.ENUMERATION, 1))) == []


@pytest.mark.parametrize("number", [10**4299, 10**4300, -(10**4300), 1 << 100_000], ids=int.bit_length)
def test_a_big_integer_of_any_length_is_found(kms: TestKms, number: int) -> None:
    found = key(kms, attribute(COLOUR, RawValue(ItemType.BIG_INTEGER, number)))
    key(kms, attribute(COLOUR, RawValue(ItemType.BIG_INTEGER, number + 1)))
    assert located(kms, attribute(COLOUR, RawValue(ItemType.BIG_INTEGER, number))) == [found]


def test_custom_attributes_of_1_x_and_2_x_are_the_same(kms: TestKms) -> None:
    """KMIP 2.1 §4.60: x- attributes are those of vendor x."""
    red = key(kms, attribute(COLOUR, text("red")))
    for version in (V1_0, V1_4, V2_1, V3_0):
        assert located(kms, attribute(COLOUR, text("red")), version=version) == [red]


@pytest.mark.parametrize("unknown", [VendorAttribute("", "Colour"), VendorAttribute("x", "none")], ids=str)
def test_an_unknown_attribute_matches_nothing(kms: TestKms, unknown: VendorAttribute) -> None:
    """faults 6. A filter is never silently dropped: dropping one would find too much."""
    key(kms)
    assert located(kms, attribute(unknown, text("red"))) == []


def test_fresh_members_of_a_group(kms: TestKms) -> None:
    """KMIP 1.4 §4.9: with Group Member Fresh matching objects shall be fresh objects from the group."""
    group = attribute(Tag.OBJECT_GROUP, "g")
    used, fresh = key(kms, group), key(kms, group)
    key(kms)
    kms.call(GetRequest(unique_identifier=used))
    member = ObjectGroupMember.GROUP_MEMBER_FRESH
    assert located(kms, group, object_group_member=member) == [fresh]
    assert located(kms, group) == [fresh, used]


def test_the_member_that_waits_longest_is_the_first_fresh_one(kms: TestKms) -> None:
    """Keys of a group are handed out in the order in which they came."""
    group = attribute(Tag.OBJECT_GROUP, "g")
    first, second = key(kms, group), key(kms, group)
    fresh: dict[str, Any] = {
        "object_group_member": ObjectGroupMember.GROUP_MEMBER_FRESH,
        "maximum_items": 1,
    }
    for expected in ([first], [second], []):
        found = located(kms, group, **fresh)
        assert found == expected
        for identifier in found:
            kms.call(GetRequest(unique_identifier=identifier))


def test_the_default_group_never_runs_out_of_fresh_keys(kms: TestKms) -> None:
    """KMIP 1.4 §4.9: the server may generate a new object on the fly."""
    group = attribute(Tag.OBJECT_GROUP, "default")
    fresh: dict[str, Any] = {
        "object_group_member": ObjectGroupMember.GROUP_MEMBER_FRESH,
        "maximum_items": 1,
    }
    (first,) = located(kms, group, **fresh)
    assert located(kms, group, **fresh) == [first], "it was not given to anybody yet"
    made = kms.call(GetRequest(unique_identifier=first)).managed_object
    assert isinstance(made, SymmetricKey)
    assert made.key_block.cryptographic_length == 256
    (second,) = located(kms, group, **fresh)
    assert second != first
    theirs = LocateRequest(attributes=template(group), **fresh)
    assert kms.call(theirs, caller=BOB).unique_identifier not in ((first,), (second,))


def test_no_key_is_made_for_who_asks_for_something_else(kms: TestKms) -> None:
    group = attribute(Tag.OBJECT_GROUP, "default")
    fresh: dict[str, Any] = {"object_group_member": ObjectGroupMember.GROUP_MEMBER_FRESH}
    secret = attribute(Tag.OBJECT_TYPE, ObjectType.SECRET_DATA)
    assert located(kms, group, secret, **fresh) == []
    assert located(kms, group, attribute(Tag.OBJECT_GROUP, "g"), **fresh) == []
    assert located(kms, attribute(Tag.OBJECT_GROUP, "g"), **fresh) == []
    assert located(kms, group, storage_status_mask=ARCHIVED, **fresh) == []
    assert located(kms, group, maximum_items=0, **fresh) == []
    assert located(kms) == []


def test_the_default_member_is_the_oldest_nobody_has_got_and_then_the_oldest(kms: TestKms) -> None:
    group = attribute(Tag.OBJECT_GROUP, "g")
    first, second = key(kms, group), key(kms, group)
    key(kms)
    member: dict[str, Any] = {"object_group_member": ObjectGroupMember.GROUP_MEMBER_DEFAULT}
    for expected in (first, second, first, first):
        assert located(kms, group, **member) == [expected]
        assert located(kms, group, offset_items=1, **member) == []
        kms.call(GetRequest(unique_identifier=expected))
    assert located(kms, attribute(Tag.OBJECT_GROUP, "h"), **member) == []


def test_only_objects_on_line_are_found_unless_asked_otherwise(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28: if omitted, then only on-line objects shall be returned."""
    on_line, archived = key(kms), archived_key(kms)
    destroyed = key_in(kms, State.DESTROYED)
    for storage, found in (
        (None, [on_line]),
        (ON_LINE, [on_line]),
        (ARCHIVED, [archived]),
        (DESTROYED, [destroyed]),
        (ON_LINE | ARCHIVED, [archived, on_line]),
        (ON_LINE | ARCHIVED | DESTROYED, [destroyed, archived, on_line]),
    ):
        assert located(kms, storage_status_mask=storage, version=V2_1) == found


def test_maximum_items_are_the_newest(kms: TestKms) -> None:
    made = [key(kms) for _ in range(4)]
    for maximum in (0, 1, 2, 4, 100):
        assert located(kms, maximum_items=maximum) == made[::-1][:maximum]


def test_a_page_of_1_3_begins_with_the_oldest(kms: TestKms) -> None:
    """The published cases of 1.3; from 2.0 on, §6.1.28 says that the newest comes first."""
    made = [key(kms) for _ in range(4)]
    assert located(kms, version=V1_3) == made[::-1]
    assert located(kms, version=V1_3, maximum_items=2) == made[:2]
    assert located(kms, version=V1_3, maximum_items=2, offset_items=1) == made[1:3]


def test_offset_items_are_skipped(kms: TestKms) -> None:
    """KMIP 1.4 §4.9: the server skips Offset Items objects and returns up to Maximum Items objects."""
    made = [key(kms) for _ in range(5)][::-1]
    for offset in (0, 1, 4, 5, 100):
        assert located(kms, offset_items=offset) == made[offset:]
        assert located(kms, offset_items=offset, maximum_items=2) == made[offset : offset + 2]


def test_located_items_count_all_that_match(kms: TestKms) -> None:
    """KMIP 1.4 §4.9: of all objects that satisfy the criteria; it may be left out."""
    for _ in range(3):
        key(kms)
    answer = kms.call(LocateRequest(offset_items=1), version=V1_3)
    assert (answer.located_items, len(answer.unique_identifier)) == (3, 2)
    answer = kms.call(LocateRequest(maximum_items=1, offset_items=1), version=V1_3)
    assert answer.located_items in (3, None)
    assert len(answer.unique_identifier) == 1


@pytest.mark.parametrize(
    ("request_", "since"),
    [(LocateRequest(maximum_items=-1), V1_0), (LocateRequest(offset_items=-1), V1_3)],
    ids=["Maximum Items", "Offset Items"],
)
def test_a_negative_number_of_items_is_refused(kms: TestKms, request_: LocateRequest, since: Version) -> None:
    reason = ResultReason.INVALID_FIELD
    assert_refused(kms, request_, reason, reason, since=since)


def test_the_administrators_ceiling_holds(kms: TestKms) -> None:
    small = TestKms(kms.directory, clock=kms.clock, policy=Policy(maximum_locate_items=2))
    try:
        for _ in range(3):
            key(small)
        assert len(located(small)) == 2
        assert len(located(small, maximum_items=9)) == 2
    finally:
        small.close()


def test_another_owners_objects_are_never_found(kms: TestKms) -> None:
    theirs = key(kms, named("n"), attribute(COLOUR, text("red")), caller=BOB)
    everywhere = ON_LINE | ARCHIVED | DESTROYED
    for filters in ([], [named("n")], [attribute(Tag.UNIQUE_IDENTIFIER, theirs)]):
        request = LocateRequest(attributes=template(*filters), storage_status_mask=everywhere)
        answer = kms.call(request, version=V2_1, caller=ALICE)
        assert answer.unique_identifier == ()
        assert answer.located_items == 0
    assert kms.call(LocateRequest(), caller=BOB).unique_identifier == (theirs,)


def test_one_hit_fills_the_id_placeholder(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28."""
    made = key(kms, named("n"))
    key(kms)
    _, got = kms.batch(LocateRequest(attributes=template(named("n"))), GetRequest())
    assert isinstance(got, GetResponse)
    assert got.unique_identifier == made


@pytest.mark.parametrize("hits", [0, 2])
def test_none_or_several_hits_empty_the_id_placeholder(kms: TestKms, hits: int) -> None:
    """KMIP 2.1 §6.1.28: batched operations shall proceed only if a single object is returned."""
    made = key(kms, named("n"))
    for _ in range(hits):
        key(kms, attribute(Tag.OBJECT_GROUP, "g"))
    first, second, got = kms.batch(
        LocateRequest(attributes=template(named("n"))),
        LocateRequest(attributes=template(attribute(Tag.OBJECT_GROUP, "g"))),
        GetRequest(),
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    assert isinstance(first, LocateResponse)
    assert first.unique_identifier == (made,)
    assert not isinstance(second, Refused)
    assert isinstance(got, Refused)


def test_what_was_changed_is_found_by_its_new_value(kms: TestKms) -> None:
    made = key(kms)
    kms.call(ArchiveRequest(unique_identifier=made))
    assert located(kms, attribute(Tag.ARCHIVE_DATE, kms.clock.now()), storage_status_mask=ARCHIVED) == [made]


def test_what_an_earlier_item_has_changed_is_found_as_it_is_then(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.28: nothing of the batch is stored yet."""
    made = key(kms, named("a"))
    questions = [LocateRequest(attributes=template(named(name))) for name in "abc"]
    rename = ModifyAttributeRequest(unique_identifier=made, new_attribute=named("b"))
    undo = BatchErrorContinuationOption.UNDO
    _, *answers = kms.batch(rename, *questions, version=V2_1, batch_error_continuation_option=undo)
    assert [answer.unique_identifier for answer in answers] == [(), (made,), ()]  # type: ignore[union-attr]


def test_the_same_question_again_sees_what_happened_since(kms: TestKms) -> None:
    """An answer that is remembered is remembered only as long as it is true."""
    assert located(kms) == []
    one = key(kms, named("n"))
    assert located(kms) == [one]
    assert located(kms, named("n")) == [one]
    kms.call(ArchiveRequest(unique_identifier=one))
    assert located(kms) == []
    assert located(kms, named("n")) == []


def test_what_another_server_on_the_store_changed_is_seen(kms: TestKms) -> None:
    other = TestKms(kms.directory, clock=kms.clock)
    try:
        assert located(kms) == []
        made = key(other, named("n"))
        assert located(kms) == located(kms, named("n")) == [made]
        other.call(ArchiveRequest(unique_identifier=made))
        assert located(kms) == []
    finally:
        other.close()


def test_a_question_asked_twice_fills_the_id_placeholder_twice(kms: TestKms) -> None:
    made = key(kms, named("n"))
    for _ in range(3):
        _, got = kms.batch(LocateRequest(attributes=template(named("n"))), GetRequest())
        assert isinstance(got, GetResponse)
        assert got.unique_identifier == made


def test_the_same_question_of_another_owner_has_another_answer(kms: TestKms) -> None:
    mine, theirs = key(kms), key(kms, caller=BOB)
    for _ in range(2):
        assert kms.call(LocateRequest()).unique_identifier == (mine,)
        assert kms.call(LocateRequest(), caller=BOB).unique_identifier == (theirs,)
