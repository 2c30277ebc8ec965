"""Ping (KMIP 2.1 §6.1.36)."""

import pytest

from strongroom.operations.ping import PingRequest, PingResponse
from strongroom.registry import V2_0, V2_1, V3_0, ResultReason, Version
from tests.expect import refusal
from tests.kms import TestKms


@pytest.mark.parametrize("version", [V2_1, V3_0], ids=str)
def test_a_ping_is_answered_with_nothing(kms: TestKms, version: Version) -> None:
    assert kms.call(PingRequest(), version=version) == PingResponse()


def test_2_0_has_no_such_operation(kms: TestKms) -> None:
    found = refusal(kms, PingRequest(), version=V2_0).reason
    assert found is ResultReason.OPERATION_NOT_SUPPORTED
