"""Set Endpoint Role (KMIP 2.1 §6.1.54)."""

from strongroom.domain.identity import Connection, Roles
from strongroom.operations.get import GetRequest
from strongroom.operations.set_endpoint_role import SetEndpointRoleRequest, SetEndpointRoleResponse
from strongroom.registry import (
    V1_4,
    V2_0,
    V2_1,
    AsynchronousIndicator,
    BatchErrorContinuationOption,
    EndpointRole,
    ResultReason,
)
from strongroom.wire import binary
from tests.expect import MISSING, assert_refused, refusal
from tests.kms import ALICE, TestKms, request_message

TURN = SetEndpointRoleRequest(endpoint_role=EndpointRole.CLIENT)


def send(kms: TestKms, *requests: object, **header: object) -> Roles:
    """Send a message on a connection whose roles can be turned; return them after it."""
    roles = Roles()
    message = binary.encode(request_message(*requests, version=V2_1, **header))  # type: ignore[arg-type]
    kms.run(kms.dispatcher.handle(message, Connection(client=ALICE, peer="127.0.0.1:1", roles=roles)))
    return roles


def test_the_server_becomes_the_client_of_the_connection(kms: TestKms) -> None:
    assert send(kms, TURN) == Roles(turned=V2_1)


def test_the_role_that_the_server_has_already_is_applied(kms: TestKms) -> None:
    stay = SetEndpointRoleRequest(endpoint_role=EndpointRole.SERVER)
    assert kms.call(stay, version=V2_0) == SetEndpointRoleResponse(endpoint_role=EndpointRole.SERVER)
    assert send(kms, stay) == Roles()


def test_a_batch_that_is_undone_turns_nothing(kms: TestKms) -> None:
    failing = GetRequest(unique_identifier=MISSING)
    undo = BatchErrorContinuationOption.UNDO
    assert send(kms, TURN, failing, batch_error_continuation_option=undo) == Roles()


def test_a_client_that_would_wait_for_the_answer_has_the_roles_turned_with_it(kms: TestKms) -> None:
    """It is done at once, so it is not left to the next request to turn them."""
    assert send(kms, TURN, asynchronous_indicator=AsynchronousIndicator.MANDATORY) == Roles(turned=V2_1)


def test_it_is_refused_where_no_connection_can_be_turned(kms: TestKms) -> None:
    """Over HTTPS a server cannot ask."""
    assert_refused(kms, TURN, ResultReason.FEATURE_NOT_SUPPORTED, ResultReason.FEATURE_NOT_SUPPORTED)


def test_1_4_has_no_such_operation(kms: TestKms) -> None:
    assert refusal(kms, TURN, version=V1_4).reason is ResultReason.OPERATION_NOT_SUPPORTED
