"""Interop (KMIP 2.1 §6.1.26; decision 0007)."""

from typing import cast

import pytest

from strongroom.operations.interop import InteropRequest, InteropResponse
from strongroom.operations.locate import LocateRequest
from strongroom.operations.log import MAXIMUM_LENGTH
from strongroom.registry import V1_4, V2_0, V2_1, InteropFunction, ResultReason
from tests.expect import assert_refused, key, refusal
from tests.kms import TestKms


def interop(function: InteropFunction, identifier: str = "CASE-1") -> InteropRequest:
    return InteropRequest(interop_function=function, interop_identifier=identifier)


@pytest.mark.parametrize("function", [InteropFunction.BEGIN, InteropFunction.END])
def test_begin_and_end_change_nothing(kms: TestKms, function: InteropFunction) -> None:
    made = key(kms)
    assert kms.call(interop(function), version=V2_0) == InteropResponse()
    assert kms.call(LocateRequest()).unique_identifier == (made,)


def test_reset_is_refused_and_deletes_nothing(kms: TestKms) -> None:
    made = key(kms)
    reason = ResultReason.PERMISSION_DENIED
    assert_refused(kms, interop(InteropFunction.RESET), reason, reason)
    assert kms.call(LocateRequest(), version=V2_1).unique_identifier == (made,)


def test_a_vendors_function_is_an_invalid_field(kms: TestKms) -> None:
    request = interop(cast(InteropFunction, 0x80000001))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_an_identifier_has_the_longest_length_of_a_log_message(kms: TestKms) -> None:
    kms.call(interop(InteropFunction.BEGIN, "x" * MAXIMUM_LENGTH), version=V2_1)
    request = interop(InteropFunction.BEGIN, "x" * (MAXIMUM_LENGTH + 1))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_1_x_has_no_such_operation(kms: TestKms) -> None:
    found = refusal(kms, interop(InteropFunction.BEGIN), version=V1_4).reason
    assert found is ResultReason.OPERATION_NOT_SUPPORTED
