"""Log (KMIP 2.1 §6.1.29)."""

import pytest

from strongroom.operations.log import MAXIMUM_LENGTH, LogRequest, LogResponse
from strongroom.registry import V1_4, V2_0, V2_1, ResultReason
from tests.expect import assert_refused, refusal
from tests.kms import TestKms


def test_a_message_is_logged_with_its_sender(kms: TestKms, capsys: pytest.CaptureFixture[str]) -> None:
    assert kms.call(LogRequest(log_message="hello from a test"), version=V2_0) == LogResponse()
    assert "hello from a test" in capsys.readouterr().out


def test_a_message_cannot_forge_a_line_of_the_log(kms: TestKms, capsys: pytest.CaptureFixture[str]) -> None:
    kms.call(LogRequest(log_message="one\ntwo\x1b[31m"), version=V2_1)
    written = capsys.readouterr().out
    assert "\ntwo" not in written
    assert "\x1b[31m" not in written


def test_a_message_has_a_longest_length(kms: TestKms) -> None:
    kms.call(LogRequest(log_message="x" * MAXIMUM_LENGTH), version=V2_1)
    request = LogRequest(log_message="x" * (MAXIMUM_LENGTH + 1))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_1_x_has_no_such_operation(kms: TestKms) -> None:
    found = refusal(kms, LogRequest(log_message="x"), version=V1_4).reason
    assert found is ResultReason.OPERATION_NOT_SUPPORTED
