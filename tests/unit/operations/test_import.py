"""Import (KMIP 1.4 §4.41, 2.1 §6.1.25)."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from strongroom.domain.identity import DEFAULT_TENANT, ClientIdentity
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import ManagedObjectStruct, PasswordCredential
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Digest, Link, Name, UsageLimits
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.create_group import CreateGroupRequest
from strongroom.operations.create_user import CreateUserRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.export import ExportRequest, ExportResponse
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.registry import (
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    HashingAlgorithm,
    KeyFormatType,
    KeyWrapType,
    LinkType,
    ObjectType,
    ResultReason,
    State,
    Tag,
    UsageLimitsUnit,
    Version,
)
from tests.expect import (
    AES_128,
    EVERY_USE,
    MISSING,
    active_key,
    assert_refused,
    key,
    key_in,
    key_pair,
    later,
    mask,
    named,
    opaque,
    password,
    raw_key,
    refusal,
    register_key,
    register_opaque,
    register_password,
    revoke,
    state_of,
    value,
    values,
)
from tests.kms import ALICE, BOB, TestKms, attribute, template
from tests.unit.operations.test_register import certificate
from tests.wrapping import KEK, NIST, UNWRAP, WRAP, material_of, specification, wrapped_key, wrapping_key

R = ResultReason
CHOSEN = UniqueIdentifier("chosen-by-the-client")
PAST = datetime(2018, 12, 19, 9, 24, 26, tzinfo=UTC)


def limits(*, total: int, left: int) -> UsageLimits:
    return UsageLimits(
        usage_limits_total=total, usage_limits_count=left, usage_limits_unit=UsageLimitsUnit.OBJECT
    )


@pytest.fixture
def other(tmp_path: Path, empty_store: Path) -> Iterator[TestKms]:
    """Give a second key manager."""
    shutil.copytree(empty_store, tmp_path / "other")
    server = TestKms(tmp_path / "other")
    yield server
    server.close()


def importing(
    *attributes: AttributeInstance,
    identifier: UniqueIdentifier = CHOSEN,
    object_type: ObjectType | None = ObjectType.SYMMETRIC_KEY,
    managed_object: ManagedObjectStruct | None = None,
    **fields: Any,
) -> ImportRequest:
    return ImportRequest(
        unique_identifier=identifier,
        object_type=object_type,
        attributes=template(*attributes),
        managed_object=raw_key() if managed_object is None else managed_object,
        **fields,
    )


def again(exported: ExportResponse, **fields: Any) -> ImportRequest:
    """Return the request that takes in what was exported."""
    return ImportRequest(
        unique_identifier=exported.unique_identifier,
        object_type=exported.object_type,
        attributes=exported.attributes,
        managed_object=exported.managed_object,
        **fields,
    )


def get(kms: TestKms, made: UniqueIdentifier, **wanted: Any) -> Any:
    return kms.call(GetRequest(unique_identifier=made, **wanted)).managed_object


def test_an_object_gets_the_identifier_that_the_client_chose(kms: TestKms) -> None:
    made = kms.call(importing(mask(EVERY_USE)), version=V2_1)
    assert made.unique_identifier == CHOSEN
    assert material_of(get(kms, CHOSEN)) == AES_128
    assert value(kms, CHOSEN, Tag.UNIQUE_IDENTIFIER) == CHOSEN


def test_every_attribute_has_the_value_of_the_request(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.25: all attributes MUST be set to the supplied values."""
    given = [
        attribute(Tag.SHORT_UNIQUE_IDENTIFIER, b"of another server"),
        attribute(Tag.INITIAL_DATE, PAST),
        attribute(Tag.LAST_CHANGE_DATE, PAST + timedelta(days=1)),
        attribute(Tag.ORIGINAL_CREATION_DATE, PAST - timedelta(days=1)),
        attribute(Tag.STATE, State.ACTIVE),
        attribute(Tag.ACTIVATION_DATE, PAST),
        attribute(Tag.LEASE_TIME, 17),
        attribute(Tag.FRESH, value=False),
        attribute(Tag.SENSITIVE, value=False),
        attribute(Tag.ALWAYS_SENSITIVE, value=False),
        attribute(Tag.EXTRACTABLE, value=True),
        attribute(Tag.NEVER_EXTRACTABLE, value=False),
    ]
    kms.call(importing(*given), version=V2_1)
    for instance in given:
        assert value(kms, CHOSEN, instance.key) == instance.value, instance.key


def test_what_the_request_leaves_out_is_filled_in(kms: TestKms) -> None:
    kms.call(importing(), version=V2_1)
    assert value(kms, CHOSEN, Tag.CRYPTOGRAPHIC_LENGTH) == 128
    assert value(kms, CHOSEN, Tag.INITIAL_DATE) == kms.clock.now()
    assert value(kms, CHOSEN, Tag.LAST_CHANGE_DATE) == kms.clock.now()
    assert value(kms, CHOSEN, Tag.ALWAYS_SENSITIVE) is False
    assert value(kms, CHOSEN, Tag.DIGEST) == value(kms, register_key(kms), Tag.DIGEST)
    assert state_of(kms, CHOSEN) is State.PRE_ACTIVE


def test_a_digest_of_another_kind_comes_beside_the_one_that_every_object_has(kms: TestKms) -> None:
    given = Digest(
        hashing_algorithm=HashingAlgorithm.SHA_512,
        digest_value=bytes(64),
        key_format_type=KeyFormatType.RAW,
    )
    kms.call(importing(attribute(Tag.DIGEST, given)), version=V2_1)
    ours = value(kms, register_key(kms), Tag.DIGEST)
    assert values(kms, CHOSEN, Tag.DIGEST) == [given, ours]


def test_an_imported_object_lives_on(kms: TestKms) -> None:
    kms.call(importing(attribute(Tag.LAST_CHANGE_DATE, PAST)), version=V2_1)
    kms.clock.pass_time(hours=1)
    kms.call(ActivateRequest(unique_identifier=CHOSEN))
    assert state_of(kms, CHOSEN) is State.ACTIVE
    assert value(kms, CHOSEN, Tag.LAST_CHANGE_DATE) == kms.clock.now()


def every_attribute(kms: TestKms, made: UniqueIdentifier, version: Version) -> list[AttributeInstance]:
    request = GetAttributesRequest(unique_identifier=made)
    return list(kms.call(request, version=version).attributes.attributes)


@pytest.mark.parametrize("version", [V1_4, V2_0, V2_1, V3_0])
@pytest.mark.parametrize("what", ["key", "private", "public", "secret", "opaque", "active", "linked"])
def test_what_was_exported_is_the_same_on_another_server(
    kms: TestKms, other: TestKms, what: str, version: Version
) -> None:
    match what:
        case "key":
            custom = attribute(Tag.OBJECT_GROUP, "group") if version < V3_0 else named("second")
            made = register_key(kms, named("first"), custom)
        case "private":
            made, _ = key_pair(kms)
        case "public":
            _, made = key_pair(kms)
        case "secret":
            made = register_password(kms)
        case "opaque":
            made = register_opaque(kms)
        case "active":
            made = key_in(kms, State.ACTIVE)
        case _:
            link = Link(link_type=LinkType.PARENT_LINK, linked_object_identifier=MISSING)
            made = register_key(kms, attribute(Tag.LINK, link))
    exported = kms.call(ExportRequest(unique_identifier=made), version=version)
    other.clock.pass_time(days=1)
    assert other.call(again(exported), version=version).unique_identifier == made
    assert every_attribute(other, made, version) == every_attribute(kms, made, version)
    assert get(other, made) == get(kms, made)


def test_a_destroyed_object_is_imported_without_material(kms: TestKms, other: TestKms) -> None:
    made = key_in(kms, State.DESTROYED)
    other.call(again(kms.call(ExportRequest(unique_identifier=made), version=V2_1)), version=V2_1)
    assert state_of(other, made) is State.DESTROYED
    assert every_attribute(other, made, V2_1) == every_attribute(kms, made, V2_1)
    assert refusal(other, GetRequest(unique_identifier=made), version=V2_1).reason is R.OBJECT_DESTROYED


def test_an_archived_object_is_imported_archived(kms: TestKms) -> None:
    kms.call(importing(attribute(Tag.ARCHIVE_DATE, PAST)), version=V2_1)
    assert refusal(kms, GetRequest(unique_identifier=CHOSEN)).reason is R.OBJECT_ARCHIVED
    kms.call(RecoverRequest(unique_identifier=CHOSEN))
    assert get(kms, CHOSEN)


def test_a_certificate_may_call_its_format_raw(kms: TestKms) -> None:
    """OASIS TC-IMPEXP-5 does."""
    request = importing(
        attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.RAW),
        object_type=ObjectType.CERTIFICATE,
        managed_object=certificate(),
    )
    kms.call(request, version=V2_0)
    assert get(kms, CHOSEN) == certificate()
    assert value(kms, CHOSEN, Tag.CERTIFICATE_SUBJECT_CN) == "tests"


@pytest.mark.parametrize("version", [V1_4, V2_1, V3_0])
@pytest.mark.parametrize("replace", [None, False])
def test_an_object_that_exists_is_not_replaced_unasked(
    kms: TestKms, version: Version, replace: bool | None
) -> None:
    made = register_key(kms, material=bytes(16))
    request = importing(identifier=made, replace_existing=replace)
    assert refusal(kms, request, version=version).reason is R.OBJECT_ALREADY_EXISTS
    assert material_of(get(kms, made)) == bytes(16)


@pytest.mark.parametrize("state", list(State))
def test_an_object_is_replaced_whatever_its_state(kms: TestKms, state: State) -> None:
    """KMIP 2.1 §6.1.25: any existing object with the same Unique Identifier SHALL be replaced."""
    made = key_in(kms, state)
    request = importing(named("new"), identifier=made, replace_existing=True)
    assert kms.call(request, version=V2_1).unique_identifier == made
    assert state_of(kms, made) is State.PRE_ACTIVE
    assert material_of(get(kms, made)) == AES_128


def test_nothing_of_a_replaced_object_is_left(kms: TestKms) -> None:
    made = register_key(kms, named("old"), attribute(Tag.CONTACT_INFORMATION, "old"), material=bytes(16))
    kms.call(importing(named("new"), identifier=made, replace_existing=True), version=V2_1)
    assert value(kms, made, Tag.CONTACT_INFORMATION) is None
    assert [n.name_value for n in values(kms, made, Tag.NAME)] == ["new"]
    for name, found in (("old", ()), ("new", (made,))):
        request = LocateRequest(attributes=template(attribute(Tag.NAME, Name(name_value=name))))
        assert kms.call(request).unique_identifier == found


def test_nobody_elses_object_is_replaced(kms: TestKms) -> None:
    """Nor is it said whose it is: without Replace Existing the caller's own object is answered the same."""
    foreign = kms.create_symmetric_key(caller=BOB)
    before = kms.run(kms.repository.load(DEFAULT_TENANT, foreign))
    answers = {
        (found.reason, found.message)
        for replace in (True, False)
        for found in [refusal(kms, importing(identifier=foreign, replace_existing=replace), version=V2_1)]
    }
    own = refusal(kms, importing(identifier=key(kms)), version=V2_1)
    assert answers == {(own.reason, own.message)}
    assert own.reason is R.OBJECT_ALREADY_EXISTS
    after = kms.run(kms.repository.load(DEFAULT_TENANT, foreign))
    assert before is not None
    assert after is not None
    assert (after.generation, after.owner, after.material) == (
        before.generation,
        before.owner,
        before.material,
    )


def test_an_object_of_another_type_is_not_replaced(kms: TestKms) -> None:
    request = importing(
        identifier=key(kms),
        object_type=ObjectType.SECRET_DATA,
        managed_object=password(),
        replace_existing=True,
    )
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


def test_an_identifier_is_free_again_when_the_object_was_obliterated(kms: TestKms) -> None:
    made = key_in(kms, State.DESTROYED)
    kms.call(ObliterateRequest(unique_identifier=made), version=V3_0)
    assert kms.call(importing(identifier=made), version=V2_1).unique_identifier == made


def test_two_imports_in_one_batch_that_is_undone(kms: TestKms) -> None:
    first, second = importing(), importing()
    results = kms.batch(first, second, version=V2_1, batch_error_continuation_option=3)
    assert len(results) == 2
    assert refusal(kms, GetRequest(unique_identifier=CHOSEN), version=V2_1).reason is R.OBJECT_NOT_FOUND


def test_an_imported_object_belongs_to_who_imported_it(kms: TestKms) -> None:
    kms.call(importing(), version=V2_1)
    found = refusal(kms, GetRequest(unique_identifier=CHOSEN), version=V2_1, caller=BOB)
    assert found.reason is R.OBJECT_NOT_FOUND


@pytest.mark.parametrize("identifier", ["", "a\nb", "\x1b[2J", "\x85"])
def test_an_identifier_that_cannot_be_shown(kms: TestKms, identifier: str) -> None:
    request = importing(identifier=UniqueIdentifier(identifier))
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


@pytest.mark.parametrize("identifier", ["a" * 1025, "\u4e2d" * 667, "\U0001f511" * 501])
def test_an_identifier_that_nobody_could_ask_for_or_not_every_store_can_hold(
    kms: TestKms, identifier: str
) -> None:
    request = importing(identifier=UniqueIdentifier(identifier))
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


@pytest.mark.parametrize("identifier", ["a" * 1024, "\u4e2d" * 666, "\U0001f511" * 500])
def test_the_longest_identifiers_are_used_like_any(kms: TestKms, identifier: str) -> None:
    chosen = UniqueIdentifier(identifier)
    assert kms.call(importing(identifier=chosen), version=V2_1).unique_identifier == chosen
    assert material_of(get(kms, chosen)) == AES_128
    kms.call(DestroyRequest(unique_identifier=chosen))


def test_an_object_that_ended_before_its_time_moves(kms: TestKms, other: TestKms) -> None:
    made = active_key(kms, attribute(Tag.PROTECT_STOP_DATE, later(kms, days=9)))
    kms.call(revoke(made))
    exported = kms.call(ExportRequest(unique_identifier=made), version=V2_1)
    other.call(again(exported), version=V2_1)
    assert state_of(other, made) is State.DEACTIVATED
    assert value(other, made, Tag.PROTECT_STOP_DATE) == value(kms, made, Tag.PROTECT_STOP_DATE)


def test_plans_that_contradict_each_other_are_refused(kms: TestKms) -> None:
    dates = {Tag.ACTIVATION_DATE: later(kms, days=9), Tag.DEACTIVATION_DATE: later(kms, days=2)}
    request = importing(*(attribute(tag, date) for tag, date in dates.items()))
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


def test_uses_that_are_used_up_do_not_come_back(kms: TestKms) -> None:
    given = limits(total=10, left=2)
    kms.call(importing(attribute(Tag.USAGE_LIMITS, given)), version=V2_1)
    assert value(kms, CHOSEN, Tag.USAGE_LIMITS) == given


@pytest.mark.parametrize(
    "wrong",
    [
        attribute(Tag.UNIQUE_IDENTIFIER, UniqueIdentifier("another")),
        attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.PKCS_8),
        attribute(
            Tag.DIGEST,
            Digest(
                hashing_algorithm=HashingAlgorithm.SHA_256,
                digest_value=bytes(32),
                key_format_type=KeyFormatType.RAW,
            ),
        ),
        attribute(Tag.ALWAYS_SENSITIVE, value=True),
        attribute(Tag.NEVER_EXTRACTABLE, value=True),
        attribute(Tag.USAGE_LIMITS, limits(total=10, left=11)),
        attribute(Tag.USAGE_LIMITS, limits(total=10, left=-1)),
    ],
    ids=lambda a: a.key.name,
)
def test_an_attribute_that_is_not_true_is_refused(kms: TestKms, wrong: AttributeInstance) -> None:
    request = importing(wrong)
    assert refusal(kms, request, version=V2_1).reason is R.INVALID_ATTRIBUTE_VALUE


@pytest.mark.parametrize(
    "wrong",
    [
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
        attribute(Tag.OBJECT_TYPE, ObjectType.SECRET_DATA),
        attribute(Tag.STATE, State.DESTROYED),
    ],
    ids=lambda a: a.key.name,
)
def test_what_contradicts_the_object_is_refused(kms: TestKms, wrong: AttributeInstance) -> None:
    assert_refused(kms, importing(wrong), R.INVALID_FIELD, R.INVALID_FIELD)


def test_an_attribute_that_the_object_cannot_have(kms: TestKms) -> None:
    request = importing(attribute(Tag.CERTIFICATE_LENGTH, 12))
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_ATTRIBUTE)


def test_one_value_given_twice(kms: TestKms) -> None:
    request = importing(attribute(Tag.CONTACT_INFORMATION, "one"), attribute(Tag.CONTACT_INFORMATION, "two"))
    assert_refused(kms, request, R.INVALID_FIELD, R.ATTRIBUTE_SINGLE_VALUED)


def test_a_name_that_is_taken(kms: TestKms) -> None:
    register_key(kms, named("taken"))
    assert_refused(kms, importing(named("taken")), R.INVALID_FIELD, R.NON_UNIQUE_NAME_ATTRIBUTE)


def test_the_type_is_that_of_the_object(kms: TestKms) -> None:
    request = importing(object_type=ObjectType.SECRET_DATA)
    assert refusal(kms, request, version=V2_1).reason is R.INVALID_FIELD


def test_the_object_itself_is_needed(kms: TestKms) -> None:
    request = ImportRequest(unique_identifier=CHOSEN, object_type=ObjectType.SYMMETRIC_KEY)
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


@pytest.mark.parametrize("wrap_type", [None, KeyWrapType.AS_REGISTERED])
def test_a_wrapped_key_is_stored_as_provided(kms: TestKms, wrap_type: KeyWrapType | None) -> None:
    """KMIP 2.1 §6.1.25: otherwise the server SHALL store the object as provided."""
    given = wrapped_key(aes_key_wrap(KEK, AES_128), wrapping_key(kms, NIST))
    kms.call(importing(managed_object=given, key_wrap_type=wrap_type), version=V2_1)
    stored = kms.run(kms.repository.load(DEFAULT_TENANT, CHOSEN))
    assert stored is not None
    assert (stored.material, stored.as_registered) == (given, None)


def test_a_wrapped_key_is_unwrapped_before_it_is_stored(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.25: if Not Wrapped then the server SHALL unwrap the object before storing it."""
    given = wrapped_key(aes_key_wrap(KEK, AES_128), wrapping_key(kms, NIST))
    kms.call(importing(managed_object=given, key_wrap_type=KeyWrapType.NOT_WRAPPED), version=V2_1)
    assert material_of(get(kms, CHOSEN)) == AES_128


@pytest.mark.parametrize("why", ["unknown", "foreign", "tampered", "mask"])
def test_a_key_that_cannot_be_unwrapped_is_not_imported(kms: TestKms, why: str) -> None:
    """One error, whatever the reason."""
    kek, data = wrapping_key(kms, NIST), aes_key_wrap(KEK, AES_128)
    match why:
        case "unknown":
            kek = MISSING
        case "foreign":
            kek = kms.create_symmetric_key(mask=WRAP | UNWRAP, caller=BOB)
        case "tampered":
            data = bytes(24)
        case _:
            kek = wrapping_key(kms, NIST, usage=EVERY_USE)
    request = importing(managed_object=wrapped_key(data, kek), key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)
    reference = importing(managed_object=wrapped_key(b"", MISSING), key_wrap_type=KeyWrapType.NOT_WRAPPED)
    found, expected = (refusal(kms, r, version=V2_1) for r in (request, reference))
    assert found.message == expected.message


def test_a_key_is_moved_wrapped_from_server_to_server(kms: TestKms, other: TestKms) -> None:

    kek = wrapping_key(kms, NIST)
    other.call(again(kms.call(ExportRequest(unique_identifier=kek), version=V2_1)), version=V2_1)
    made = register_key(kms, attribute(Tag.SENSITIVE, value=True))
    request = ExportRequest(unique_identifier=made, key_wrapping_specification=specification(kek))
    moved = again(kms.call(request, version=V2_1), key_wrap_type=KeyWrapType.NOT_WRAPPED)
    other.call(moved, version=V2_1)
    assert every_attribute(other, made, V2_1) == every_attribute(kms, made, V2_1)
    stored = other.run(other.repository.load(DEFAULT_TENANT, made))
    assert stored is not None
    assert stored.material == raw_key()


def test_an_opaque_object_is_imported(kms: TestKms) -> None:
    request = importing(object_type=ObjectType.OPAQUE_OBJECT, managed_object=opaque())
    kms.call(request, version=V1_4)
    assert get(kms, CHOSEN) == opaque()


def test_two_clients_that_import_at_once_do_not_overwrite_each_other(kms: TestKms) -> None:
    """The second one that commits finds the identifier taken."""
    callers: list[ClientIdentity] = [ALICE, BOB]
    outcomes = []
    for caller in callers:
        (result,) = kms.batch(importing(), version=V2_1, caller=caller)
        outcomes.append(result)
    assert outcomes[0].unique_identifier == CHOSEN  # type: ignore[union-attr]
    assert outcomes[1].reason is R.OBJECT_ALREADY_EXISTS  # type: ignore[union-attr]


def test_an_imported_object_is_located_by_the_short_identifier_of_the_other_server(kms: TestKms) -> None:
    short = attribute(Tag.SHORT_UNIQUE_IDENTIFIER, b"of another server")
    kms.call(importing(short), version=V2_1)
    assert kms.call(LocateRequest(attributes=template(short)), version=V2_1).unique_identifier == (CHOSEN,)


def test_the_placeholder_is_filled(kms: TestKms) -> None:
    _, archived = kms.batch(importing(), ArchiveRequest(), version=V2_1, batch_order_option=True)
    assert archived.unique_identifier == CHOSEN  # type: ignore[union-attr]


def test_an_active_object_is_not_destroyed_by_the_way(kms: TestKms) -> None:
    """Destroy refuses an Active object; Import replaces it, since the client says so."""
    made = key_in(kms, State.ACTIVE)
    assert refusal(kms, DestroyRequest(unique_identifier=made), version=V2_1)
    kms.call(importing(identifier=made, replace_existing=True), version=V2_1)
    assert state_of(kms, made) is State.PRE_ACTIVE


@pytest.mark.parametrize("object_type", [ObjectType.USER, ObjectType.GROUP])
def test_users_and_groups_are_moved_from_server_to_server(
    kms: TestKms, other: TestKms, object_type: ObjectType
) -> None:
    """3.0: they have no material, whatever their state."""
    group = kms.call(CreateGroupRequest(attributes=template(named("crew"))), version=V3_0).unique_identifier
    links = [attribute(Tag.GROUP_LINK, group)]
    user = kms.call(CreateUserRequest(attributes=template(named("carol"), *links)), version=V3_0)
    made = user.unique_identifier if object_type is ObjectType.USER else group
    exported = kms.call(ExportRequest(unique_identifier=made), version=V3_0)
    assert exported.managed_object is None
    other.call(again(exported), version=V3_0)
    assert every_attribute(other, made, V3_0) == every_attribute(kms, made, V3_0)


def test_a_user_has_no_material(kms: TestKms) -> None:
    request = importing(object_type=ObjectType.USER, managed_object=raw_key())
    assert refusal(kms, request, version=V3_0).reason is R.INVALID_FIELD


def test_a_password_is_imported_salted(kms: TestKms) -> None:
    """As Create Credential keeps it: nobody can read it again."""
    value = PasswordCredential(password=SecretBytes(b"correct horse"))
    request = importing(object_type=ObjectType.PASSWORD_CREDENTIAL, managed_object=value)
    made = kms.call(request, version=V3_0).unique_identifier
    kept = kms.call(GetRequest(unique_identifier=made), version=V3_0).managed_object
    assert isinstance(kept, PasswordCredential)
    assert kept.password is None
    assert kept.salted_password is not None
