"""Query (KMIP 1.x §4.25, 2.1 §6.1.40)."""

import pytest

from strongroom.model.struct import Struct
from strongroom.operations.catalogue import all_operations
from strongroom.operations.query import QueryRequest, QueryResponse
from strongroom.registry import (
    V1_0,
    V1_3,
    V2_0,
    V2_1,
    VERSIONS,
    ObjectType,
    Operation,
    QueryFunction,
    ResultReason,
    RNGAlgorithm,
    Version,
)
from tests.expect import refusal
from tests.kms import BOB, TestKms

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
