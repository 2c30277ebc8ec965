"""Query (KMIP 1.x §4.25, 2.1 §6.1.40)."""

import pytest

from strongroom.model.factory import DefaultsInformation, ObjectDefaults, ObjectTypes
from strongroom.model.messages import CREDENTIALS as CREDENTIAL_STRUCTURES
from strongroom.model.rights import ObjectGroups
from strongroom.model.struct import Struct
from strongroom.operations.catalogue import all_operations
from strongroom.operations.create_credential import KINDS
from strongroom.operations.query import QueryRequest, QueryResponse
from strongroom.operations.set_defaults import SetDefaultsRequest
from strongroom.registry import (
    V1_0,
    V1_3,
    V2_0,
    V2_1,
    V3_0,
    VERSIONS,
    CredentialType,
    ObjectType,
    Operation,
    QueryFunction,
    ResultReason,
    RNGAlgorithm,
    Tag,
    Version,
)
from tests.expect import key, refusal
from tests.kms import BOB, TestKms, attribute, template

Q = QueryFunction


def ask(kms: TestKms, *functions: QueryFunction, version: Version = V2_1) -> QueryResponse:
    return kms.call(QueryRequest(query_function=functions), version=version)


def given(answer: Struct) -> set[str]:
    return {f.name for f in type(answer).fields if getattr(answer, f.name) not in (None, ())}


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_operations_are_those_that_the_version_has_and_the_server_does(
    kms: TestKms, version: Version
) -> None:
    answer = ask(kms, Q.QUERY_OPERATIONS, version=version)
    assert set(answer.operation) == {
        code for code, spec in all_operations().items() if spec.in_version(version)
    }


@pytest.mark.parametrize(
    ("version", "there", "not_there"),
    [
        (V1_0, ObjectType.TEMPLATE, ObjectType.PGP_KEY),
        (V2_1, ObjectType.PGP_KEY, ObjectType.TEMPLATE),
    ],
    ids=["1.0", "2.1"],
)
def test_objects_are_those_that_the_version_has(
    kms: TestKms, version: Version, there: ObjectType, not_there: ObjectType
) -> None:
    answer = ask(kms, Q.QUERY_OBJECTS, version=version)
    assert there in answer.object_type
    assert not_there not in answer.object_type
    assert ObjectType.SYMMETRIC_KEY in answer.object_type


@pytest.mark.parametrize(
    ("function", "fields"),
    [
        (Q.QUERY_OPERATIONS, {"operation"}),
        (Q.QUERY_OBJECTS, {"object_type"}),
        (Q.QUERY_SERVER_INFORMATION, {"vendor_identification", "server_information"}),
        (Q.QUERY_APPLICATION_NAMESPACES, set()),
        (Q.QUERY_EXTENSION_LIST, set()),
        (Q.QUERY_EXTENSION_MAP, set()),
        (Q.QUERY_RNGS, {"rng_parameters"}),
        (Q.QUERY_CAPABILITIES, {"capability_information"}),
    ],
)
def test_only_what_is_asked_for_is_answered(kms: TestKms, function: QueryFunction, fields: set[str]) -> None:
    assert given(ask(kms, function)) == fields


def test_questions_may_be_asked_together(kms: TestKms) -> None:
    answer = ask(kms, Q.QUERY_OPERATIONS, Q.QUERY_OBJECTS)
    assert given(answer) == {"operation", "object_type"}


def test_a_query_without_a_question_is_an_invalid_message(kms: TestKms) -> None:
    """KMIP 2.1 table 274: at least one Query Function is required."""
    request = QueryRequest(query_function=())
    assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_MESSAGE


def test_capabilities_claim_what_batches_can_do_and_no_more(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.22."""
    (capability,) = ask(kms, Q.QUERY_CAPABILITIES).capability_information
    assert capability.batch_undo_capability is True
    assert capability.batch_continue_capability is True
    assert capability.streaming_capability is True
    assert capability.asynchronous_capability is True


def test_the_random_number_generator_is_told(kms: TestKms) -> None:
    (generator,) = ask(kms, Q.QUERY_RNGS, version=V1_3).rng_parameters
    assert isinstance(generator.rng_algorithm, RNGAlgorithm)


def test_everybody_gets_the_same_answer(kms: TestKms) -> None:
    request = QueryRequest(query_function=(Q.QUERY_OPERATIONS,))
    assert kms.call(request, caller=BOB) == kms.call(request)


def test_query_claims_itself(kms: TestKms) -> None:
    assert Operation.QUERY in ask(kms, Q.QUERY_OPERATIONS, version=V1_0).operation


@pytest.mark.parametrize("version", [v for v in VERSIONS if v >= V1_3], ids=str)
def test_profiles_are_those_that_the_version_can_name(kms: TestKms, version: Version) -> None:
    """KMIP 1.3 §4.25: the names say the version until 2.0, which has a field for it."""
    answer = ask(kms, Q.QUERY_PROFILES, version=version)
    names = {profile.profile_name.name for profile in answer.profile_information}
    assert any("SYMMETRIC_KEY_LIFECYCLE_SERVER" in name for name in names)
    assert all(("_KMIP_V" in name) is (version < V2_0) for name in names)
    assert all(
        (profile.profile_version is None) is (version < V2_0) for profile in answer.profile_information
    )
    assert not any("CLIENT" in name for name in names)


def test_capabilities_tell_of_attestation_and_post_quantum_algorithms(kms: TestKms) -> None:
    (capability,) = ask(kms, Q.QUERY_CAPABILITIES, version=V2_1).capability_information
    assert capability.attestation_capability is False
    assert ask(kms, Q.QUERY_ATTESTATION_TYPES, version=V2_1).attestation_type == ()
    assert capability.quantum_safe_capability is True


def test_credentials_are_all_that_authenticate_or_can_be_created(kms: TestKms) -> None:
    """3.0; an attestation is refused, see `tests/unit/engine/test_header.py`."""
    information = ask(kms, Q.QUERY_CREDENTIAL_INFORMATION, version=V3_0).credential_information
    assert information is not None
    assert set(information.credential_type) == set(CredentialType) - {CredentialType.ATTESTATION}
    handled = set(CREDENTIAL_STRUCTURES) | set(KINDS)
    assert handled == set(CredentialType)


def in_groups(*names: str, function: QueryFunction = Q.QUERY_DEFAULTS_INFORMATION) -> QueryRequest:
    return QueryRequest(query_function=(function,), object_groups=ObjectGroups(object_group=names))


def test_object_groups_narrow_the_defaults_that_are_told(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.40: the groups for which the Query is performed."""
    wide, narrow = (
        ObjectDefaults(
            object_types=ObjectTypes(object_type=(ObjectType.SYMMETRIC_KEY,)),
            attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, length)),
            object_groups=None if name is None else ObjectGroups(object_group=(name,)),
        )
        for length, name in ((128, None), (256, "tape"))
    )
    information = DefaultsInformation(object_defaults=(wide, narrow))
    kms.call(SetDefaultsRequest(defaults_information=information), version=V2_1)
    key(kms, attribute(Tag.OBJECT_GROUP, "disk"))
    for name, expected in (("tape", (wide, narrow)), ("disk", (wide,))):
        told = kms.call(in_groups(name), version=V2_1).defaults_information
        assert told == DefaultsInformation(object_defaults=expected)


@pytest.mark.parametrize("function", [Q.QUERY_DEFAULTS_INFORMATION, Q.QUERY_OPERATIONS])
def test_a_group_without_members_is_unknown(kms: TestKms, function: QueryFunction) -> None:
    key(kms, attribute(Tag.OBJECT_GROUP, "disk"))
    request = in_groups("disk", "nowhere", function=function)
    assert refusal(kms, request, version=V2_1).reason is ResultReason.UNKNOWN_OBJECT_GROUP
    request = in_groups("disk", function=function)
    assert refusal(kms, request, version=V2_1, caller=BOB).reason is ResultReason.UNKNOWN_OBJECT_GROUP
    kms.call(request, version=V2_1)


def test_many_object_groups_are_refused_before_they_are_looked_for(kms: TestKms) -> None:
    request = in_groups(*map(str, range(10_000)))
    assert refusal(kms, request, version=V2_1).reason is ResultReason.SERVER_LIMIT_EXCEEDED
