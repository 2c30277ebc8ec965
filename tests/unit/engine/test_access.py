"""Rules at work: what is found, used and made by whom (faults 13 to 15, 19 and 20)."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.attributes.index import sight_terms
from strongroom.domain.identity import DEFAULT_TENANT, ClientId, ClientIdentity, Grant, TenantId
from strongroom.domain.objects import ManagedObject
from strongroom.domain.operation import Request
from strongroom.domain.permission import Permission
from strongroom.domain.rights import Rights, compile_rights
from strongroom.domain.rules import GRANTABLE, AccessRule, NamedPolicy
from strongroom.domain.store import Changes
from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.identifiers import NameReference, UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import (
    CryptographicParameters,
    DerivationParameters,
    EncryptionKeyInformation,
    Name,
)
from strongroom.model.wrapping import KeyWrappingSpecification
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.derive_key import DeriveKeyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.operations.validate import ValidateRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DerivationMethod,
    HashingAlgorithm,
    ObjectType,
    PaddingMethod,
    ResultReason,
    State,
    Tag,
    ValidityIndicator,
    WrappingMethod,
)
from strongroom.server.kept import put
from strongroom.store.locate import FEW
from strongroom.store.sealing import SealedRow
from tests.certificates import authority, leaf
from tests.expect import (
    EVERY_USE,
    MISSING,
    active_key,
    key,
    key_pair,
    later,
    mask,
    named,
    password,
    raw_key,
    refusal,
    register_template,
    registration,
    revoke,
    stored,
)
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, template
from tests.wrapping import HMAC, specification

CAROL = ClientIdentity(client=ClientId(3), tenant=TenantId(2), name="carol")
MISSING_REASON = ResultReason.ITEM_NOT_FOUND


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[TestKms]:
    server = TestKms(tmp_path)
    server.clients[CAROL.client] = CAROL
    yield server
    server.close()


def rule(*permissions: Permission, **fields: Any) -> AccessRule:
    given: dict[str, Any] = {"to": "everyone", "on": "owner", "on_client": ALICE.client}
    return AccessRule(**(given | fields | {"permissions": tuple(p.value for p in permissions)}))


def on(kind: str, name: str, *permissions: Permission) -> AccessRule:
    return rule(*permissions, on=kind, on_client=None, on_name=name)


def with_rules(caller: ClientIdentity, *rules: AccessRule) -> ClientIdentity:
    return replace(caller, access=compile_rights(caller.client, caller.groups, rules))


def found(kms: TestKms, caller: ClientIdentity, *filters: AttributeInstance, **fields: Any) -> list[str]:
    request = LocateRequest(attributes=template(*filters), **fields)
    return list(kms.call(request, caller=caller).unique_identifier)


# Locate


def test_locate_finds_what_may_be_located_and_nothing_else(kms: TestKms) -> None:
    group = attribute(Tag.OBJECT_GROUP, "tapes")
    plain, taped, other = key(kms), key(kms, group, name="taped"), key(kms, name="other")
    mine = key(kms, group, caller=BOB)
    foreign = key(kms, group, caller=CAROL)
    assert found(kms, BOB) == [mine]
    by_group = with_rules(BOB, on("group", "tapes", Permission.LOCATE))
    assert found(kms, by_group) == [mine, taped]
    assert found(kms, by_group, group) == [mine, taped]
    assert found(kms, by_group, named("taped")) == [taped]
    assert found(kms, by_group, named("other")) == []
    assert found(kms, by_group, maximum_items=1, offset_items=1) == [taped]
    by_identifier = with_rules(BOB, on("object", other, Permission.LOCATE))
    assert found(kms, by_identifier) == [mine, other]
    assert found(kms, by_identifier, attribute(Tag.UNIQUE_IDENTIFIER, other)) == [other]
    assert found(kms, by_identifier, attribute(Tag.UNIQUE_IDENTIFIER, plain)) == []
    by_owner = with_rules(BOB, rule(Permission.LOCATE))
    assert found(kms, by_owner) == [mine, other, taped, plain]
    everything = with_rules(BOB, rule(Permission.LOCATE, on="everything", on_client=None))
    assert found(kms, everything) == [mine, other, taped, plain]
    assert found(kms, CAROL) == [foreign]


@pytest.mark.parametrize("maximum", [1, 2, 3])
def test_locate_tells_nothing_of_how_many_objects_are_out_of_sight(kms: TestKms, maximum: int) -> None:
    """Neither what is found nor whether it is counted depends on them."""
    given = attribute(Tag.OBJECT_GROUP, "tapes")
    for _ in range(2):
        key(kms, given, caller=BOB)
    request = LocateRequest(maximum_items=maximum, attributes=template(given))
    before = kms.call(request, caller=BOB, version=V2_1)
    for _ in range(FEW):
        key(kms, given)
    assert kms.call(request, caller=BOB, version=V2_1) == before


def test_locate_needs_the_right_to_locate(kms: TestKms) -> None:
    """The right to read, or any other, is not enough (fault: list paths)."""
    key(kms, name="k")
    others = with_rules(BOB, rule(*(GRANTABLE - {Permission.LOCATE}), on="everything", on_client=None))
    assert found(kms, others) == []
    assert found(kms, others, named("k")) == []


def test_what_was_found_may_not_be_read_by_that(kms: TestKms) -> None:
    made = key(kms)
    finder = with_rules(BOB, rule(Permission.LOCATE))
    assert found(kms, finder) == [made]
    for request in (GetRequest(unique_identifier=made), GetAttributesRequest(unique_identifier=made)):
        assert refusal(kms, request, caller=finder).reason is MISSING_REASON


def test_a_filter_that_is_examined_shows_nothing_more(kms: TestKms) -> None:
    key(kms)
    mine = key(kms, caller=BOB)
    examined = attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask(0))
    assert found(kms, BOB, examined) == [mine]
    assert len(found(kms, with_rules(BOB, rule(Permission.LOCATE)), examined)) == 2


@pytest.mark.parametrize(
    ("rules", "seen"),
    [
        ([on("group", "tapes", Permission.LOCATE, Permission.ACTIVATE)], True),
        ([on("group", "tapes", Permission.LOCATE), rule(Permission.ACTIVATE)], True),
        ([rule(Permission.ACTIVATE)], False),
    ],
)
def test_a_change_within_a_batch_is_found_by_whom_the_rules_let(
    kms: TestKms, rules: list[AccessRule], seen: bool
) -> None:
    made = key(kms, attribute(Tag.OBJECT_GROUP, "tapes"))
    first, second = ActivateRequest(unique_identifier=made), LocateRequest()
    caller = with_rules(BOB, *rules)
    undo = BatchErrorContinuationOption.UNDO
    *_, located = kms.batch(first, second, caller=caller, batch_error_continuation_option=undo)
    assert not isinstance(located, Refused)
    assert list(located.unique_identifier) == ([made] if seen else [])  # type: ignore[attr-defined]


# Names


def test_ones_own_name_comes_before_another_of_the_same_name(kms: TestKms) -> None:
    theirs = key(kms, name="shared")
    reader = with_rules(BOB, rule(Permission.GET))
    get = GetRequest(unique_identifier=NameReference("shared"))
    assert kms.call(get, version=V3_0, caller=reader).unique_identifier == theirs
    mine = key(kms, name="shared", caller=BOB)
    assert kms.call(get, version=V3_0, caller=reader).unique_identifier == mine


def test_ones_own_name_comes_before_that_of_what_the_batch_has_changed(kms: TestKms) -> None:
    theirs, mine = (key(kms, name="shared", caller=caller) for caller in (ALICE, BOB))
    caller = with_rules(BOB, rule(Permission.GET, Permission.ACTIVATE))
    change = ActivateRequest(unique_identifier=theirs)
    get = GetRequest(unique_identifier=NameReference("shared"))
    undo = BatchErrorContinuationOption.UNDO
    *_, got = kms.batch(change, get, version=V3_0, caller=caller, batch_error_continuation_option=undo)
    assert not isinstance(got, Refused)
    assert got.unique_identifier == mine  # type: ignore[attr-defined]


def test_a_name_reference_needs_the_permission_of_the_operation(kms: TestKms) -> None:
    key(kms, name="shared")
    get = GetRequest(unique_identifier=NameReference("shared"))
    unknown = GetRequest(unique_identifier=NameReference("no such name"))
    for caller in (BOB, with_rules(BOB, rule(Permission.LOCATE, Permission.EXPORT)), CAROL):
        refused = refusal(kms, get, version=V3_0, caller=caller)
        nothing = refusal(kms, unknown, version=V3_0, caller=caller)
        assert (refused.reason, refused.message) == (nothing.reason, nothing.message)


def test_a_template_of_somebody_else_is_used_by_whom_may_get_it(kms: TestKms) -> None:
    register_template(kms, "house", attribute(Tag.CRYPTOGRAPHIC_LENGTH, 192))
    given = [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES), mask(EVERY_USE)]
    names = (Name(name_value="house"),)
    request = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=TemplateAttributes(names=names, attributes=Attributes(given)),
    )
    assert refusal(kms, request, caller=BOB).reason is MISSING_REASON
    assert refusal(kms, request, caller=with_rules(BOB, rule(Permission.LOCATE))).reason is MISSING_REASON
    made = kms.call(request, caller=with_rules(BOB, rule(Permission.GET))).unique_identifier
    obj = stored(kms, made)
    assert obj.owner == BOB.client
    assert obj.value(Tag.CRYPTOGRAPHIC_LENGTH) == 192


def test_a_template_of_somebody_else_puts_nothing_within_the_reach_of_rules(kms: TestKms) -> None:
    """Else whoever has a Template would have what others make by it."""
    register_template(kms, "house", attribute(Tag.OBJECT_GROUP, "tapes"))
    caller = with_rules(BOB, rule(Permission.GET))
    given = [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES), mask(EVERY_USE)]
    request = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=TemplateAttributes(names=(Name(name_value="house"),), attributes=Attributes(given)),
    )
    made = {who: kms.call(request, caller=who).unique_identifier for who in (ALICE, caller)}
    groups = {who: list(stored(kms, key).values(Tag.OBJECT_GROUP)) for who, key in made.items()}
    assert groups == {ALICE: ["tapes"], caller: []}


def test_no_template_takes_the_place_of_another_of_its_name(kms: TestKms) -> None:
    """Where rules show those of several owners, anybody may add one."""
    given = [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES), mask(EVERY_USE)]
    request = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=TemplateAttributes(names=(Name(name_value="house"),), attributes=Attributes(given)),
    )
    third = ClientIdentity(client=ClientId(9), tenant=DEFAULT_TENANT, name="third")
    third = with_rules(third, rule(Permission.GET, on="everything", on_client=None))
    register_template(kms, "house", attribute(Tag.CRYPTOGRAPHIC_LENGTH, 192))
    kms.call(request, caller=third)
    register_template(kms, "house", attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128), caller=BOB)
    assert refusal(kms, request, caller=third).reason is MISSING_REASON
    for who in (ALICE, BOB):
        kms.call(request, caller=who)


# Nothing implies anything


ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB, padding_method=PaddingMethod.PKCS5)


def test_the_right_to_encrypt_changes_nothing_about_the_key(kms: TestKms) -> None:
    """Fault 15."""
    made, pending = active_key(kms), key(kms)
    caller = with_rules(BOB, rule(Permission.ENCRYPT))
    encrypt = EncryptRequest(
        unique_identifier=made, cryptographic_parameters=ECB, data=SecretBytes(b"sixteen bytes...")
    )
    assert kms.call(encrypt, caller=caller).data
    before = rows(kms)
    for request in (
        ModifyAttributeRequest(unique_identifier=made, new_attribute=mask(EVERY_USE)),
        AddAttributeRequest(unique_identifier=made, new_attribute=attribute(Tag.CONTACT_INFORMATION, "me")),
        ActivateRequest(unique_identifier=pending),
        revoke(made),
        GetRequest(unique_identifier=made),
    ):
        assert refusal(kms, request, caller=caller).reason is MISSING_REASON
    assert rows(kms) == before


@pytest.mark.parametrize(
    ("tag", "value"), [(Tag.OBJECT_GROUP, "tapes"), (Tag.GROUP_LINK, MISSING)], ids=["group", "link"]
)
def test_the_right_to_change_attributes_does_not_reach_for_others(kms: TestKms, tag: Tag, value: str) -> None:
    """Who could put an object into a group would give itself what rules grant on that group."""
    made = key(kms)
    version = V1_4 if tag is Tag.OBJECT_GROUP else V3_0
    caller = with_rules(BOB, rule(Permission.CHANGE_ATTRIBUTES), on("group", "tapes", Permission.GET))
    request = AddAttributeRequest(unique_identifier=made, new_attribute=attribute(tag, value))
    assert refusal(kms, request, caller=caller, version=version).reason is ResultReason.PERMISSION_DENIED
    assert refusal(kms, GetRequest(unique_identifier=made), caller=caller).reason is MISSING_REASON
    harmless = attribute(Tag.CONTACT_INFORMATION, "somebody")
    kms.call(AddAttributeRequest(unique_identifier=made, new_attribute=harmless), caller=caller)
    if tag is Tag.OBJECT_GROUP:
        kms.call(request)
        assert kms.call(GetRequest(unique_identifier=made), caller=caller).unique_identifier == made


def test_the_right_to_change_attributes_does_not_tell_of_names(kms: TestKms) -> None:
    """A Name that is taken by an object out of sight is refused like one that is free."""
    made = key(kms, named("seen"))
    key(kms, named("hidden"))
    caller = with_rules(BOB, rule(Permission.CHANGE_ATTRIBUTES, on="object", on_client=None, on_name=made))
    refusals = {
        str(
            refusal(
                kms, AddAttributeRequest(unique_identifier=made, new_attribute=named(name)), caller=caller
            )
        )
        for name in ("hidden", "free")
    }
    assert len(refusals) == 1


BEFORE = datetime(2025, 12, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "needed"),
    [
        (attribute(Tag.ACTIVATION_DATE, BEFORE), Permission.ACTIVATE),
        (attribute(Tag.DEACTIVATION_DATE, BEFORE + timedelta(days=365)), Permission.REVOKE),
        (attribute(Tag.ROTATE_INTERVAL, 7200), Permission.RE_KEY),
    ],
    ids=["activate", "revoke", "re-key"],
)
def test_the_right_to_change_attributes_is_not_that_to_do_the_same_by_a_date(
    kms: TestKms, changed: AttributeInstance, needed: Permission
) -> None:
    made = key(kms)
    request = SetAttributeRequest(unique_identifier=made, new_attribute=changed)
    alone, both = (with_rules(BOB, rule(Permission.CHANGE_ATTRIBUTES, *more)) for more in ((), (needed,)))
    refused = refusal(kms, request, caller=alone, version=V2_1)
    assert refused.reason is ResultReason.PERMISSION_DENIED
    assert needed.value in refused.message
    kms.call(request, caller=both, version=V2_1)


def test_an_import_over_anothers_object_does_not_reach_for_what_comes_of_it(kms: TestKms) -> None:
    made = key(kms)
    caller = with_rules(
        BOB, rule(Permission.IMPORT, Permission.DESTROY), on("group", "tapes", Permission.GET)
    )
    for given in (attribute(Tag.OBJECT_GROUP, "tapes"), attribute(Tag.ROTATE_INTERVAL, 7200), named("mine")):
        request = ImportRequest(
            unique_identifier=made,
            object_type=ObjectType.SYMMETRIC_KEY,
            replace_existing=True,
            attributes=template(mask(EVERY_USE), given),
            managed_object=raw_key(),
        )
        refused = refusal(kms, request, caller=caller, version=V2_1)
        assert refused.reason is ResultReason.PERMISSION_DENIED


def test_a_wrapping_key_of_somebody_else_needs_the_right_to_wrap(kms: TestKms) -> None:
    """Fault 20."""
    wrapping = active_key(kms, AES_KEY_WRAP, mask=CryptographicUsageMask.WRAP_KEY)
    mine = key(kms, caller=BOB)

    def get(wrapping_key: str) -> GetRequest:
        information = EncryptionKeyInformation(unique_identifier=UniqueIdentifier(wrapping_key))
        return GetRequest(
            unique_identifier=mine,
            key_wrapping_specification=KeyWrappingSpecification(
                wrapping_method=WrappingMethod.ENCRYPT, encryption_key_information=information
            ),
        )

    others = rule(*(GRANTABLE - {Permission.WRAP}), on="everything", on_client=None)
    for caller in (BOB, with_rules(BOB, others)):
        refused, nothing = (
            refusal(kms, get(wrapping), caller=caller),
            refusal(kms, get(MISSING), caller=caller),
        )
        assert (refused.reason, refused.message) == (nothing.reason, nothing.message)
    assert kms.call(get(wrapping), caller=with_rules(BOB, rule(Permission.WRAP))).unique_identifier == mine


@pytest.mark.parametrize("request_type", [GetRequest, ExportRequest])
def test_attributes_are_wrapped_along_for_who_may_read_them(
    kms: TestKms, request_type: type[GetRequest] | type[ExportRequest]
) -> None:
    """KMIP 2.1 §7.18: whoever chooses the wrapping key, or has a MAC only, reads what is wrapped."""
    made = kms.create_symmetric_key(name="taped")
    own = key(kms, mask=CryptographicUsageMask.MAC_GENERATE, caller=BOB)
    kms.call(ActivateRequest(unique_identifier=own), caller=BOB)

    def wrapped(*names: Tag) -> Request[Any]:
        wanted = specification(
            None, mac_key=own, mac=HMAC, method=WrappingMethod.MAC_SIGN, encoding=None, attributes=names
        )
        return request_type(unique_identifier=made, key_wrapping_specification=wanted)

    others = with_rules(BOB, rule(*(GRANTABLE - {Permission.READ_ATTRIBUTES})))
    refused = refusal(kms, wrapped(Tag.NAME), caller=others)
    assert refused.reason is ResultReason.PERMISSION_DENIED
    assert "read-attributes" in refused.message
    kms.call(wrapped(), caller=others)
    reader = with_rules(BOB, rule(Permission.GET, Permission.EXPORT, Permission.READ_ATTRIBUTES))
    block = kms.call(wrapped(Tag.NAME), caller=reader).managed_object.key_block
    assert b"taped" in block.key_value.reveal()


@pytest.mark.parametrize("method", [WrappingMethod.MAC_SIGN, WrappingMethod.ENCRYPT_THEN_MAC_SIGN])
@pytest.mark.parametrize("needed", [Permission.MAC, Permission.SIGN])
def test_what_is_wrapped_is_authenticated_for_who_may_do_that_with_the_key(
    kms: TestKms, needed: Permission, method: WrappingMethod
) -> None:
    """Whoever chooses what is wrapped would else sign what they want."""
    if needed is Permission.MAC:
        how = HMAC
        authenticating = active_key(kms, mask=CryptographicUsageMask.MAC_GENERATE)
    else:
        how = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
        authenticating, _ = key_pair(kms)
        kms.call(ActivateRequest(unique_identifier=authenticating))
    usage = mask(CryptographicUsageMask.WRAP_KEY)
    wrapping = kms.call(registration(ObjectType.SYMMETRIC_KEY, raw_key(), usage), caller=BOB)
    kms.call(ActivateRequest(unique_identifier=wrapping.unique_identifier), caller=BOB)
    chosen = kms.call(registration(ObjectType.SECRET_DATA, password(bytes(16)), usage), caller=BOB)
    wanted = specification(
        None if method is WrappingMethod.MAC_SIGN else wrapping.unique_identifier,
        mac_key=UniqueIdentifier(authenticating),
        mac=how,
        method=method,
    )
    request = GetRequest(unique_identifier=chosen.unique_identifier, key_wrapping_specification=wanted)
    refused = refusal(kms, request, caller=with_rules(BOB, rule(*(GRANTABLE - {needed}))))
    assert refused.reason is ResultReason.PERMISSION_DENIED
    assert f"grant {needed.value}" in refused.message
    hidden = refusal(kms, request, caller=with_rules(BOB, rule(*(GRANTABLE - {Permission.WRAP}))))
    assert hidden.reason is MISSING_REASON
    kms.call(request, caller=with_rules(BOB, rule(Permission.WRAP, needed)))


def test_a_wrapping_key_is_asked_for_each_time(kms: TestKms) -> None:
    """An answer that needed two permissions is not given again with one."""
    wrapping = active_key(kms, AES_KEY_WRAP, mask=CryptographicUsageMask.WRAP_KEY)
    mine = key(kms, caller=BOB)
    information = EncryptionKeyInformation(unique_identifier=UniqueIdentifier(wrapping))
    specification = KeyWrappingSpecification(
        wrapping_method=WrappingMethod.ENCRYPT, encryption_key_information=information
    )
    get = GetRequest(unique_identifier=mine, key_wrapping_specification=specification)
    caller = with_rules(BOB, rule(Permission.WRAP))
    for _ in range(3):
        kms.call(get, caller=caller)
    assert refusal(kms, get, caller=BOB).reason is MISSING_REASON


AES_KEY_WRAP = attribute(
    Tag.CRYPTOGRAPHIC_PARAMETERS,
    CryptographicParameters(block_cipher_mode=BlockCipherMode.NISTKEYWRAP),
)

# What is made from another's object


def test_what_is_made_from_anothers_object_belongs_to_who_made_it(kms: TestKms) -> None:
    base = active_key(kms, mask=CryptographicUsageMask.DERIVE_KEY)
    parameters = DerivationParameters(
        cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        derivation_data=(SecretBytes(b"data"),),
    )
    derive = DeriveKeyRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        unique_identifier=(base,),
        derivation_method=DerivationMethod.HMAC,
        derivation_parameters=parameters,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            mask(EVERY_USE),
        ),
    )
    rekey = ReKeyRequest(unique_identifier=key(kms))
    ways: list[tuple[Request[Any], Permission]] = [
        (derive, Permission.DERIVE_KEY),
        (rekey, Permission.RE_KEY),
    ]
    for request, permission in ways:
        caller = with_rules(BOB, rule(permission))
        made = kms.call(request, caller=caller).unique_identifier
        assert kms.call(GetRequest(unique_identifier=made), caller=BOB).unique_identifier == made
        assert refusal(kms, GetRequest(unique_identifier=made)).reason is MISSING_REASON


def test_secret_data_go_into_a_cipher_for_who_may_get_them(kms: TestKms) -> None:
    """Whoever knows the key reads them in what is derived."""
    usage = mask(CryptographicUsageMask.DERIVE_KEY)
    made = UniqueIdentifier(
        kms.call(registration(ObjectType.SECRET_DATA, password(), usage)).unique_identifier
    )
    kms.call(ActivateRequest(unique_identifier=made))
    known = kms.call(registration(ObjectType.SYMMETRIC_KEY, raw_key(), usage), caller=BOB).unique_identifier
    kms.call(ActivateRequest(unique_identifier=known), caller=BOB)
    derive = DeriveKeyRequest(
        object_type=ObjectType.SECRET_DATA,
        unique_identifier=(known, made),
        derivation_method=DerivationMethod.ENCRYPT,
        derivation_parameters=DerivationParameters(
            cryptographic_parameters=CryptographicParameters(
                block_cipher_mode=BlockCipherMode.ECB, padding_method=PaddingMethod.PKCS5
            )
        ),
        attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128), mask(EVERY_USE)),
    )
    refused = refusal(kms, derive, caller=with_rules(BOB, rule(*(GRANTABLE - {Permission.GET}))))
    assert refused.reason is ResultReason.PERMISSION_DENIED
    assert "grant get" in refused.message
    kms.call(derive, caller=with_rules(BOB, rule(Permission.DERIVE_KEY, Permission.GET)))


def test_an_import_over_anothers_object_needs_import_and_destroy_on_it(kms: TestKms) -> None:
    made = key(kms)
    before = rows(kms)
    request = ImportRequest(
        unique_identifier=made,
        replace_existing=True,
        attributes=template(mask(EVERY_USE)),
        managed_object=raw_key(),
    )
    everything = {"on": "everything", "on_client": None}
    for permissions in (
        set(),
        {Permission.IMPORT},
        {Permission.DESTROY},
        GRANTABLE - {Permission.IMPORT},
        GRANTABLE - {Permission.DESTROY},
    ):
        caller = with_rules(BOB, rule(*permissions, **everything)) if permissions else BOB
        assert refusal(kms, request, caller=caller).reason is ResultReason.OBJECT_ALREADY_EXISTS
    assert rows(kms) == before
    caller = with_rules(BOB, rule(Permission.IMPORT, Permission.DESTROY))
    assert kms.call(request, caller=caller).unique_identifier == made
    assert stored(kms, made).owner == ALICE.client


# Tenants


def test_an_identifier_that_was_obliterated_is_never_another_clients(kms: TestKms) -> None:
    """A rule names it, and whom the rule lets would use the key of whoever is next."""
    made = key(kms)
    kms.call(ObliterateRequest(unique_identifier=made), version=V3_0)
    again = ImportRequest(
        unique_identifier=made,
        object_type=ObjectType.SYMMETRIC_KEY,
        managed_object=raw_key(bytes(16)),
        attributes=template(mask(EVERY_USE)),
    )
    for replacing in (None, True):
        refused = refusal(kms, again.replace(replace_existing=replacing), caller=BOB)
        assert refused.reason is ResultReason.OBJECT_ALREADY_EXISTS
    assert kms.call(again.replace(unique_identifier=UniqueIdentifier("free")), caller=BOB)
    assert kms.call(again, caller=CAROL).unique_identifier == made  # in another tenant
    assert kms.call(again).unique_identifier == made
    kms.call(ObliterateRequest(unique_identifier=made), version=V3_0)
    kms.forget()
    assert refusal(kms, again, caller=BOB).reason is ResultReason.OBJECT_ALREADY_EXISTS


def test_what_a_batch_made_and_obliterated_itself_was_nobodys(kms: TestKms) -> None:
    made = ImportRequest(
        unique_identifier=UniqueIdentifier("mine"),
        object_type=ObjectType.SYMMETRIC_KEY,
        managed_object=raw_key(bytes(16)),
        attributes=template(mask(EVERY_USE)),
    )
    gone = ObliterateRequest(unique_identifier=UniqueIdentifier("mine"))
    undo = BatchErrorContinuationOption.UNDO
    kms.batch(made, gone, version=V3_0, batch_error_continuation_option=undo)
    assert kms.call(made, caller=BOB).unique_identifier == "mine"


def test_two_tenants_import_under_one_identifier_and_see_their_own(kms: TestKms) -> None:
    """An identifier that is taken in another tenant is free in this one, and nothing tells it is taken."""
    chosen = UniqueIdentifier("chosen")

    def request(material: bytes, **fields: Any) -> ImportRequest:
        return ImportRequest(
            unique_identifier=chosen,
            attributes=template(mask(EVERY_USE)),
            managed_object=raw_key(material),
            **fields,
        )

    def material(caller: ClientIdentity) -> bytes:
        made = kms.call(GetRequest(unique_identifier=chosen), caller=caller).managed_object
        return made.key_block.key_value.key_material.reveal()  # type: ignore[attr-defined,no-any-return]

    ours, theirs = bytes(16), bytes(range(16))
    kms.call(request(ours))
    kms.call(request(theirs), caller=CAROL)
    assert (material(ALICE), material(CAROL)) == (ours, theirs)
    assert refusal(kms, request(theirs), caller=CAROL).reason is ResultReason.OBJECT_ALREADY_EXISTS
    changed = bytes([1]) * 16
    kms.call(request(changed, replace_existing=True), caller=CAROL)
    assert (material(ALICE), material(CAROL)) == (ours, changed)
    kms.call(ActivateRequest(unique_identifier=chosen), caller=CAROL)
    kms.call(ActivateRequest(unique_identifier=chosen))
    assert (material(ALICE), material(CAROL)) == (ours, changed)


def test_a_rule_on_everything_ends_at_the_tenant(kms: TestKms) -> None:
    made = key(kms)
    everything = rule(*GRANTABLE, on="everything", on_client=None)
    for rules in ([everything], [rule(*GRANTABLE)], [on("object", made, *GRANTABLE)]):
        caller = with_rules(CAROL, *rules)
        assert found(kms, caller) == []
        assert refusal(kms, GetRequest(unique_identifier=made), caller=caller).reason is MISSING_REASON


# What may not be seen costs what nothing costs


class Counting:
    """A back end that counts what is asked of it, and what comes back."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self.asked: list[tuple[str, bool]] = []

    def __getattr__(self, name: str) -> Any:
        wanted = getattr(self._backend, name)
        if name not in ("generation", "fetch", "locate", "entry", "entries"):
            return wanted

        async def counted(*arguments: Any) -> Any:
            answer = await wanted(*arguments)
            self.asked.append((name, answer is not None))
            return answer

        return counted


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
@pytest.mark.parametrize("permissions", [(), (Permission.LOCATE,)], ids=["no rules", "another rule"])
@pytest.mark.parametrize("where", ["own tenant", "another tenant"])
def test_what_may_not_be_seen_is_asked_for_as_what_is_not_there(
    kms: TestKms, cached: bool, permissions: tuple[Permission, ...], where: str
) -> None:
    """The same questions to the store, and no row comes back that would have to be opened and judged."""
    made = key(kms)
    caller = BOB if where == "own tenant" else CAROL
    if permissions:
        caller = with_rules(caller, rule(*permissions), on("group", "g", *permissions))
    counting = Counting(kms.backend)
    kms.repository._backend = counting
    seen = []
    for identifier in (made, MISSING):
        if not cached:
            kms.repository._cache.clear()
        counting.asked.clear()
        refused = refusal(kms, GetRequest(unique_identifier=identifier), caller=caller)
        seen.append((list(counting.asked), refused.reason, refused.message))
    assert seen[0] == seen[1]
    assert seen[0][0] == [("fetch", False)]
    kms.repository._backend = kms.backend


def test_an_object_out_of_sight_is_not_opened(kms: TestKms, monkeypatch: pytest.MonkeyPatch) -> None:
    made = key(kms, attribute(Tag.OBJECT_GROUP, "tapes"))
    kms.repository._cache.clear()
    opened = []
    original = kms.repository._keys.open

    def noting(row: SealedRow) -> SecretBytes:
        opened.append(row)
        return original(row)

    monkeypatch.setattr(kms.repository._keys, "open", noting)
    get = GetRequest(unique_identifier=made)
    for caller in (BOB, CAROL, with_rules(BOB, on("group", "other", Permission.GET))):
        refusal(kms, get, caller=caller)
    assert opened == []
    kms.call(get, caller=with_rules(BOB, on("group", "tapes", Permission.GET)))
    assert len(opened) == 1


def test_an_index_that_was_edited_lets_nobody_in(kms: TestKms) -> None:
    """The index says which rows to open; what is sealed in them decides."""
    made = key(kms)
    kms.repository._cache.clear()
    donor = stored(kms, key(kms, attribute(Tag.OBJECT_GROUP, "tapes")))
    obj = stored(kms, made)
    (term,) = sight_terms(["tapes"], [])
    connection = kms.backend._file._connection  # type: ignore[attr-defined]
    connection.execute("INSERT INTO terms VALUES (?, ?, ?)", (DEFAULT_TENANT, term, obj.sequence))
    kms.repository._cache.clear()
    caller = with_rules(BOB, on("group", "tapes", Permission.GET))
    assert kms.call(GetRequest(unique_identifier=donor.unique_identifier), caller=caller)
    assert refusal(kms, GetRequest(unique_identifier=made), caller=caller).reason is MISSING_REASON


# Answers that are remembered


def test_a_remembered_answer_ends_with_the_rule(kms: TestKms) -> None:
    made = key(kms)
    get = GetAttributesRequest(unique_identifier=made)
    reader = with_rules(BOB, rule(Permission.READ_ATTRIBUTES))
    for _ in range(3):
        kms.call(get, caller=reader)
    assert refusal(kms, get, caller=BOB).reason is MISSING_REASON
    assert kms.call(get, caller=reader).unique_identifier == made


def test_a_remembered_search_ends_with_the_rule(kms: TestKms) -> None:
    """Although nothing in the store has changed since, as the version of the store tells it."""
    made = key(kms)
    kms.repository.version = _constant  # type: ignore[method-assign]
    finder = with_rules(BOB, rule(Permission.LOCATE))
    for _ in range(3):
        assert found(kms, finder) == [made]
    assert found(kms, BOB) == []
    assert found(kms, finder) == [made]
    assert found(kms, with_rules(BOB, on("object", MISSING, Permission.LOCATE))) == []


async def _constant() -> int:
    return 1


# Tickets and restrictions on top


def test_the_rights_of_a_ticket_narrow_what_rules_give(kms: TestKms) -> None:
    first, second = key(kms), key(kms)
    caller = with_rules(BOB, rule(Permission.GET, Permission.LOCATE))
    narrowed = replace(caller, rights=(Grant(objects=frozenset({str(first)})),))
    assert kms.call(GetRequest(unique_identifier=first), caller=narrowed)
    refused = refusal(kms, GetRequest(unique_identifier=second), caller=narrowed)
    assert refused.reason is ResultReason.PERMISSION_DENIED
    assert found(kms, narrowed) == [first]
    without_rules = replace(BOB, rights=narrowed.rights)
    assert refusal(kms, GetRequest(unique_identifier=first), caller=without_rules).reason is MISSING_REASON
    assert found(kms, without_rules) == []


class NotThis:
    def __init__(self, identifier: str) -> None:
        self.identifier = identifier

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return obj.unique_identifier != self.identifier


def test_a_restriction_hides_an_object_even_from_its_owner(kms: TestKms) -> None:
    shown, hidden = key(kms, name="shown"), key(kms, name="hidden")
    rights = Rights(client=ALICE.client, sights={}, restriction=NotThis(hidden))
    alice = replace(ALICE, access=rights)
    assert found(kms, alice) == [shown]
    assert found(kms, alice, named("hidden")) == []
    refused = refusal(kms, GetRequest(unique_identifier=hidden), caller=alice)
    nothing = refusal(kms, GetRequest(unique_identifier=MISSING), caller=alice)
    assert (refused.reason, refused.message) == (nothing.reason, nothing.message)
    assert kms.call(GetRequest(unique_identifier=shown), caller=alice)


class NotActive:
    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        return obj.state is not State.ACTIVE


def test_a_restriction_on_the_state_holds_from_the_date_that_makes_it(kms: TestKms) -> None:
    """Asked for again and again, so that answers are remembered, too."""
    soon = later(kms, hours=1)
    made = key(kms, attribute(Tag.ACTIVATION_DATE, soon))
    alice = replace(ALICE, access=Rights(client=ALICE.client, sights={}, restriction=NotActive()))
    over = ImportRequest(
        unique_identifier=made,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        managed_object=raw_key(bytes(16)),
    )
    for _ in range(3):
        assert kms.call(GetRequest(unique_identifier=made), caller=alice)
        assert found(kms, alice) == [made]
    kms.clock.pass_time(hours=1)
    assert refusal(kms, GetRequest(unique_identifier=made), caller=alice).reason is MISSING_REASON
    assert found(kms, alice) == []
    with pytest.raises(Refused, match="exists"):
        kms.call(over, caller=alice)


class NotInClear:
    """Nobody gets what is in the group `payment`, or is not in the group `free`."""

    def permits(self, permission: Permission, obj: ManagedObject) -> bool:
        groups = set(obj.values(Tag.OBJECT_GROUP))
        return permission is not Permission.GET or ("payment" not in groups and "free" in groups)


@pytest.mark.parametrize("undo", [False, True])
def test_nobody_takes_an_object_out_of_a_restriction_that_binds_them(kms: TestKms, undo: bool) -> None:
    payment, free = (attribute(Tag.OBJECT_GROUP, name) for name in ("payment", "free"))
    rights = Rights(client=ALICE.client, sights={}, restriction=NotInClear())
    alice = replace(ALICE, access=rights)
    held, outside = key(kms, payment, free), key(kms, attribute(Tag.OBJECT_GROUP, "other"))
    get = GetRequest(unique_identifier=held)
    for change in (
        DeleteAttributeRequest(unique_identifier=held, attribute_name=Tag.OBJECT_GROUP, attribute_index=0),
        ModifyAttributeRequest(unique_identifier=held, new_attribute=attribute(Tag.OBJECT_GROUP, "x", 0)),
        AddAttributeRequest(unique_identifier=outside, new_attribute=free),
    ):
        if undo:
            *_, last = kms.batch(
                change, get, caller=alice, batch_error_continuation_option=BatchErrorContinuationOption.UNDO
            )
            assert isinstance(last, Refused)
            assert last.reason is ResultReason.PERMISSION_DENIED
        else:
            assert refusal(kms, change, caller=alice).reason is ResultReason.PERMISSION_DENIED
    assert refusal(kms, get, caller=alice).reason is MISSING_REASON
    # What leaves the restriction as it is may be done, and by whom it does not bind, everything.
    kms.call(AddAttributeRequest(unique_identifier=held, new_attribute=named("n")), caller=alice)
    more = attribute(Tag.OBJECT_GROUP, "more")
    kms.call(AddAttributeRequest(unique_identifier=held, new_attribute=more), caller=alice)
    kms.call(AddAttributeRequest(unique_identifier=outside, new_attribute=free))


# Operation policies of KMIP 1.x


def policy(name: str) -> AttributeInstance:
    return attribute(Tag.OPERATION_POLICY_NAME, name)


@pytest.mark.parametrize("version", [V1_0, V1_4])
def test_an_unknown_operation_policy_is_refused(kms: TestKms, version: Any) -> None:
    request = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
            mask(EVERY_USE),
            policy("house"),
        ),
    )
    refused = refusal(kms, request, version=version)
    assert refused.reason is ResultReason.INVALID_FIELD
    assert "strongroom policy create" in refused.message
    entry = put(NamedPolicy, ALICE.tenant, "house", NamedPolicy(), None)
    kms.run(kms.repository.commit(Changes(entries=[entry])))
    kms.call(request, version=version)
    assert refusal(kms, request, version=version, caller=CAROL).reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize("name", ["default", "public"])
def test_the_built_in_policies_are_known_and_give_nothing_by_themselves(kms: TestKms, name: str) -> None:
    made = key(kms, policy(name))
    assert refusal(kms, GetRequest(unique_identifier=made), caller=BOB).reason is MISSING_REASON
    reader = with_rules(BOB, on("policy", "public", Permission.GET, Permission.LOCATE))
    if name == "public":
        assert kms.call(GetRequest(unique_identifier=made), caller=reader).unique_identifier == made
        assert found(kms, reader) == [made]
    else:
        assert refusal(kms, GetRequest(unique_identifier=made), caller=reader).reason is MISSING_REASON
        assert found(kms, reader) == []


def test_a_trust_anchor_is_ones_own(kms: TestKms) -> None:
    """Who may read another's root certificate does not trust it for that."""
    root = authority(kms, "Root")
    certificate = leaf(kms, root)
    request = ValidateRequest(unique_identifier=(certificate,))
    assert kms.call(request, version=V2_1).validity_indicator is ValidityIndicator.VALID
    caller = with_rules(BOB, rule(Permission.VALIDATE))
    for asked in ((certificate,), (certificate, root.certificate)):
        told = kms.call(ValidateRequest(unique_identifier=asked), version=V2_1, caller=caller)
        assert told.validity_indicator is not ValidityIndicator.VALID


def rows(kms: TestKms) -> list[Any]:
    """Return the rows of every object."""
    connection = kms.backend._reader._connection  # type: ignore[attr-defined]
    fetched: list[Any] = connection.execute("SELECT * FROM objects ORDER BY sequence").fetchall()
    return fetched
