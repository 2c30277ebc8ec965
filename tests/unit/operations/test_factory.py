"""Set Defaults, Set Constraints, Get Constraints (KMIP 2.1 §6.1.22, §6.1.52-6.1.53)."""

from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.identity import ClientIdentity
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.factory import (
    Constraint,
    Constraints,
    DefaultsInformation,
    ObjectDefaults,
    ObjectTypes,
)
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.rights import ObjectGroups
from strongroom.operations.create import CreateRequest
from strongroom.operations.get_constraints import GetConstraintsRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.query import QueryRequest
from strongroom.operations.set_constraints import SetConstraintsRequest
from strongroom.operations.set_defaults import SetDefaultsRequest
from strongroom.procedures.factory import LARGEST
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    V3_0,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    ProtectionStorageMask,
    QueryFunction,
    ResultReason,
    State,
    Tag,
    Version,
)
from tests.expect import mask, pair_request, raw_key, refusal, register_key, value
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, template

AES = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)
USE = CryptographicUsageMask


def length(bits: int) -> AttributeInstance:
    return attribute(Tag.CRYPTOGRAPHIC_LENGTH, bits)


def group(name: str) -> AttributeInstance:
    return attribute(Tag.OBJECT_GROUP, name)


def groups(*names: str) -> ObjectGroups:
    return ObjectGroups(object_group=names)


def create(*given: AttributeInstance) -> CreateRequest:
    return CreateRequest(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(*given))


def made(kms: TestKms, *given: AttributeInstance, caller: ClientIdentity = ALICE, **more: Any) -> str:
    return kms.call(create(*given), caller=caller, **more).unique_identifier


def for_keys(*given: AttributeInstance, **more: Any) -> ObjectDefaults:
    return ObjectDefaults(object_type=ObjectType.SYMMETRIC_KEY, attributes=template(*given), **more)


def set_defaults(kms: TestKms, *defaults: ObjectDefaults, version: Version = V2_1) -> None:
    information = DefaultsInformation(object_defaults=defaults)
    kms.call(SetDefaultsRequest(defaults_information=information), version=version)


def constraint(*given: AttributeInstance, **more: Any) -> Constraint:
    more.setdefault("object_types", ObjectTypes(object_type=(ObjectType.SYMMETRIC_KEY,)))
    return Constraint(attributes=template(*given), **more)


def set_constraints(kms: TestKms, *constraints: Constraint) -> None:
    kms.call(SetConstraintsRequest(constraints=Constraints(constraint=constraints)), version=V2_1)


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1, V3_0])
def test_a_default_fills_in_what_the_request_leaves_out(kms: TestKms, version: Version) -> None:
    set_defaults(kms, for_keys(AES, length(192), mask(USE.ENCRYPT)))
    key = made(kms, version=version)
    assert value(kms, key, Tag.CRYPTOGRAPHIC_LENGTH) == 192
    assert value(kms, key, Tag.CRYPTOGRAPHIC_USAGE_MASK) == USE.ENCRYPT


def test_the_request_beats_the_default(kms: TestKms) -> None:
    set_defaults(kms, for_keys(AES, length(192), mask(USE.ENCRYPT)))
    assert value(kms, made(kms, length(128)), Tag.CRYPTOGRAPHIC_LENGTH) == 128


def test_a_default_of_a_group_beats_one_of_the_type(kms: TestKms) -> None:
    set_defaults(
        kms,
        for_keys(length(256), object_groups=groups("red", "blue")),
        for_keys(AES, length(192), mask(USE.ENCRYPT)),
    )
    assert value(kms, made(kms, group("red")), Tag.CRYPTOGRAPHIC_LENGTH) == 256
    assert value(kms, made(kms, group("green")), Tag.CRYPTOGRAPHIC_LENGTH) == 192
    assert value(kms, made(kms), Tag.CRYPTOGRAPHIC_LENGTH) == 192


def test_defaults_may_list_several_types(kms: TestKms) -> None:
    types = ObjectTypes(object_type=(ObjectType.PRIVATE_KEY, ObjectType.PUBLIC_KEY))
    set_defaults(kms, ObjectDefaults(object_types=types, attributes=template(group("pairs"))))
    pair = kms.call(pair_request())
    for key in (pair.private_key_unique_identifier, pair.public_key_unique_identifier):
        assert value(kms, key, Tag.OBJECT_GROUP) == "pairs"
    assert value(kms, register_key(kms), Tag.OBJECT_GROUP) is None


def test_defaults_hold_for_what_is_registered(kms: TestKms) -> None:
    set_defaults(kms, for_keys(group("kept")))
    assert value(kms, register_key(kms), Tag.OBJECT_GROUP) == "kept"


def test_defaults_are_those_of_the_client_that_set_them(kms: TestKms) -> None:
    set_defaults(kms, for_keys(AES, length(192), mask(USE.ENCRYPT)))
    assert refusal(kms, create(), caller=BOB).reason is ResultReason.INVALID_FIELD


def test_defaults_are_replaced_and_taken_away(kms: TestKms, tmp_path: Path) -> None:
    set_defaults(kms, for_keys(AES, length(192), mask(USE.ENCRYPT)))
    set_defaults(kms, for_keys(AES, length(256), mask(USE.ENCRYPT)))
    assert value(kms, made(kms), Tag.CRYPTOGRAPHIC_LENGTH) == 256
    kms.call(SetDefaultsRequest(), version=V2_1)
    assert refusal(kms, create()).reason is ResultReason.INVALID_FIELD


def test_query_tells_the_defaults_as_they_are_now(kms: TestKms) -> None:
    query = QueryRequest(query_function=(QueryFunction.QUERY_DEFAULTS_INFORMATION,))
    assert kms.call(query, version=V2_1).defaults_information is None
    for bits in (192, 256):
        set_defaults(kms, for_keys(AES, length(bits)))
        told = kms.call(query, version=V2_1).defaults_information
        assert told is not None
        (one,) = told.object_defaults
        assert one.types == {ObjectType.SYMMETRIC_KEY}
        assert [a.value for a in one.attributes.attributes] == [CryptographicAlgorithm.AES, bits]
    assert kms.call(query, version=V2_1, caller=BOB).defaults_information is None


@pytest.mark.parametrize("types", [None, ObjectTypes()])
def test_defaults_for_no_type_are_refused(kms: TestKms, types: ObjectTypes | None) -> None:
    defaults = ObjectDefaults(object_types=types, attributes=template(length(128)))
    request = SetDefaultsRequest(defaults_information=DefaultsInformation(object_defaults=(defaults,)))
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_FIELD


def test_defaults_that_do_not_apply_to_the_type_are_refused(kms: TestKms) -> None:
    of_split_keys = for_keys(attribute(Tag.SPLIT_KEY_PARTS, 3))
    request = SetDefaultsRequest(defaults_information=DefaultsInformation(object_defaults=(of_split_keys,)))
    assert refusal(kms, request, version=V3_0).reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize(
    "default",
    [
        attribute(Tag.UNIQUE_IDENTIFIER, UniqueIdentifier("mine")),
        attribute(Tag.STATE, State.ACTIVE),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 0),
    ],
    ids=lambda a: a.key.name,
)
def test_defaults_that_no_request_may_give_are_refused(kms: TestKms, default: AttributeInstance) -> None:
    """Else each object that is made without saying otherwise would be refused because of them."""
    information = DefaultsInformation(object_defaults=(for_keys(default),))
    request = SetDefaultsRequest(defaults_information=information)
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_FIELD


def test_a_new_object_has_to_fit_the_constraints(kms: TestKms) -> None:
    set_constraints(kms, constraint(AES, length(256)))
    made(kms, AES, length(256), mask(USE.ENCRYPT))
    refused = refusal(kms, create(AES, length(128), mask(USE.ENCRYPT)), version=V2_1)
    assert refused.reason is ResultReason.CONSTRAINT_VIOLATION
    assert "Cryptographic Length" in refused.message
    old = refusal(kms, create(AES, length(128), mask(USE.ENCRYPT)), version=V1_4)
    assert old.reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize(
    ("fits", "does_not"),
    [
        (
            attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.RAW),
            attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY),
        ),
        (
            attribute(Tag.PROTECTION_STORAGE_MASK, ProtectionStorageMask.SOFTWARE),
            attribute(Tag.PROTECTION_STORAGE_MASK, ProtectionStorageMask.HARDWARE),
        ),
        (attribute(Tag.STATE, State.PRE_ACTIVE), attribute(Tag.STATE, State.ACTIVE)),
    ],
    ids=["Key Format Type", "Protection Storage Mask", "State"],
)
def test_what_follows_from_the_object_is_constrained_too(
    kms: TestKms, fits: AttributeInstance, does_not: AttributeInstance
) -> None:
    set_constraints(kms, constraint(fits))
    made(kms, AES, length(128), mask(USE.ENCRYPT))
    set_constraints(kms, constraint(does_not))
    refused = refusal(kms, create(AES, length(128), mask(USE.ENCRYPT)), version=V2_1)
    assert refused.reason is ResultReason.CONSTRAINT_VIOLATION


def test_what_is_imported_in_the_place_of_another_has_to_fit_too(kms: TestKms) -> None:
    old = register_key(kms)
    set_constraints(kms, constraint(length(256)))
    request = ImportRequest(
        unique_identifier=old,
        object_type=ObjectType.SYMMETRIC_KEY,
        replace_existing=True,
        managed_object=raw_key(),
    )
    assert refusal(kms, request, version=V2_1).reason is ResultReason.CONSTRAINT_VIOLATION


def test_what_is_refused_is_not_made(kms: TestKms) -> None:
    set_constraints(kms, constraint(AES, length(256)))
    refusal(kms, create(AES, length(128), mask(USE.ENCRYPT)), version=V2_1)
    assert kms.call(LocateRequest(), version=V2_1).unique_identifier == ()


def test_one_of_several_constraints_is_enough(kms: TestKms) -> None:
    set_constraints(kms, constraint(AES, length(256)), constraint(AES, length(192)))
    for bits in (256, 192):
        made(kms, AES, length(bits), mask(USE.ENCRYPT))
    refused = refusal(kms, create(AES, length(128), mask(USE.ENCRYPT)), version=V2_1)
    assert refused.reason is ResultReason.CONSTRAINT_VIOLATION


def test_constraints_of_a_group_take_the_place_of_those_of_the_type(kms: TestKms) -> None:
    set_constraints(
        kms, constraint(AES, length(256), object_groups=groups("red")), constraint(AES, length(192))
    )
    made(kms, AES, length(256), mask(USE.ENCRYPT), group("red"))
    made(kms, AES, length(192), mask(USE.ENCRYPT))
    for bits, given in ((192, [group("red")]), (256, [])):
        request = create(AES, length(bits), mask(USE.ENCRYPT), *given)
        assert refusal(kms, request, version=V2_1).reason is ResultReason.CONSTRAINT_VIOLATION


def test_constraints_do_not_concern_other_types_or_clients(kms: TestKms) -> None:
    set_constraints(kms, constraint(AES, length(256)))
    kms.call(pair_request())
    made(kms, AES, length(128), mask(USE.ENCRYPT), caller=BOB)


def test_a_mask_says_what_a_key_may_be_good_for_at_most(kms: TestKms) -> None:
    set_constraints(kms, constraint(mask(USE.ENCRYPT | USE.DECRYPT)))
    made(kms, AES, length(128), mask(USE.ENCRYPT))
    request = create(AES, length(128), mask(USE.ENCRYPT | USE.WRAP_KEY))
    assert refusal(kms, request, version=V2_1).reason is ResultReason.CONSTRAINT_VIOLATION


def test_defaults_may_fulfil_constraints(kms: TestKms) -> None:
    set_defaults(kms, for_keys(AES, length(256), mask(USE.ENCRYPT)))
    set_constraints(kms, constraint(AES, length(256)))
    made(kms)


def test_constraints_are_told_and_taken_away(kms: TestKms) -> None:
    assert kms.call(GetConstraintsRequest(), version=V2_1).constraints == Constraints()
    set_constraints(kms, constraint(AES, length(256)))
    (told,) = kms.call(GetConstraintsRequest(), version=V2_1).constraints.constraint
    assert told.object_types == ObjectTypes(object_type=(ObjectType.SYMMETRIC_KEY,))
    assert kms.call(GetConstraintsRequest(), version=V2_1, caller=BOB).constraints == Constraints()
    kms.call(SetConstraintsRequest(), version=V2_1)
    assert kms.call(GetConstraintsRequest(), version=V2_1).constraints == Constraints()
    made(kms, AES, length(128), mask(USE.ENCRYPT))


def test_what_is_read_with_every_object_is_not_endless(kms: TestKms) -> None:
    long = attribute(Tag.COMMENT, "x" * LARGEST)
    defaults = DefaultsInformation(object_defaults=(for_keys(long),))
    constraints = Constraints(constraint=(constraint(long),))
    for request in (
        SetDefaultsRequest(defaults_information=defaults),
        SetConstraintsRequest(constraints=constraints),
    ):
        assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize(
    ("tag", "given"),
    [
        (Tag.ALWAYS_SENSITIVE, True),
        (Tag.NEVER_EXTRACTABLE, True),
        (Tag.UNIQUE_IDENTIFIER, "mine"),
        (Tag.STATE, State.ACTIVE),
    ],
)
def test_a_default_sets_nothing_that_a_request_may_not(kms: TestKms, tag: Tag, given: object) -> None:
    try:
        set_defaults(kms, for_keys(AES, length(128), mask(USE.ENCRYPT), attribute(tag, given)))
        made(kms)
    except Refused as refused:
        assert refused.reason in (  # noqa: PT017 - either of the two may refuse
            ResultReason.INVALID_FIELD,
            ResultReason.READ_ONLY_ATTRIBUTE,
            ResultReason.PERMISSION_DENIED,
        )
    else:
        raise AssertionError("it was set")
