"""Check (KMIP 1.x §4.10, 2.1 §6.1.7)."""

from pathlib import Path

import pytest

from strongroom.domain.context import Policy
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.struct import Seconds
from strongroom.model.structures import UsageLimits
from strongroom.operations.check import CheckRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.destroy import DestroyRequest, DestroyResponse
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.locate import LocateRequest
from strongroom.operations.recover import RecoverRequest, RecoverResponse
from strongroom.registry import (
    V2_0,
    BatchErrorContinuationOption,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    ResultReason,
    State,
    Tag,
    UsageLimitsUnit,
)
from tests.expect import assert_refused, key, key_in, register_template
from tests.kms import Refused, TestKms, attribute, template

LIMITS = UsageLimits(usage_limits_total=100, usage_limits_unit=UsageLimitsUnit.BYTE)


@pytest.fixture
def made(kms: TestKms) -> UniqueIdentifier:
    return key(kms, attribute(Tag.USAGE_LIMITS, LIMITS), mask=CryptographicUsageMask.ENCRYPT)


def test_a_use_that_is_allowed_is_answered_with_the_identifier(kms: TestKms, made: UniqueIdentifier) -> None:
    request = CheckRequest(
        unique_identifier=made,
        usage_limits_count=100,
        cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT,
        lease_time=Seconds(3600),
    )
    assert kms.call(request).unique_identifier == made


def test_a_check_of_nothing_asks_whether_the_object_is_there(kms: TestKms, made: UniqueIdentifier) -> None:
    assert kms.call(CheckRequest(unique_identifier=made)).unique_identifier == made


def test_a_usage_mask_with_a_bit_more_is_refused(kms: TestKms, made: UniqueIdentifier) -> None:
    wanted = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.DECRYPT
    request = CheckRequest(unique_identifier=made, cryptographic_usage_mask=wanted)
    assert_refused(
        kms,
        request,
        ResultReason.PERMISSION_DENIED,
        ResultReason.INCOMPATIBLE_CRYPTOGRAPHIC_USAGE_MASK,
    )


def test_more_than_is_left_of_the_usage_limits_is_refused(kms: TestKms, made: UniqueIdentifier) -> None:
    request = CheckRequest(unique_identifier=made, usage_limits_count=101)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.USAGE_LIMIT_EXCEEDED)


def test_an_object_without_usage_limits_has_no_limit(kms: TestKms) -> None:
    """KMIP 2.1 §4.59: some objects are able to be used without limit."""
    unlimited = key(kms)
    kms.call(CheckRequest(unique_identifier=unlimited, usage_limits_count=2**62))


def test_a_longer_lease_than_the_server_gives_is_refused(kms: TestKms, made: UniqueIdentifier) -> None:
    request = CheckRequest(unique_identifier=made, lease_time=Seconds(3601))
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)


def test_a_lease_that_would_not_be_given_is_refused(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.7: what a subsequent Obtain Lease may grant."""
    compromised = CheckRequest(unique_identifier=key_in(kms, State.COMPROMISED), lease_time=Seconds(1))
    without = CheckRequest(unique_identifier=register_template(kms, "t"), lease_time=Seconds(3601))
    for request in (compromised, without):
        assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)


def test_a_lease_without_an_end_is_as_long_as_any(tmp_path: Path) -> None:
    """KMIP 2.1 §6.1.35: zero means that no lease interval is effective."""
    kms = TestKms(tmp_path, policy=Policy(lease_time=0))
    request = CheckRequest(unique_identifier=key(kms), lease_time=Seconds(3600))
    assert kms.call(request).unique_identifier == request.unique_identifier
    kms.close()


def test_a_refused_check_empties_the_id_placeholder(kms: TestKms, made: UniqueIdentifier) -> None:
    """KMIP 2.1 §6.1.7: so that a Get behind it in the batch fails."""
    located, checked, got = kms.batch(
        LocateRequest(),
        CheckRequest(cryptographic_usage_mask=CryptographicUsageMask.SIGN),
        GetRequest(),
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    assert not isinstance(located, Refused)
    assert isinstance(checked, Refused)
    assert isinstance(got, Refused)
    assert got.reason is ResultReason.ITEM_NOT_FOUND


def test_an_allowed_check_keeps_the_id_placeholder(kms: TestKms, made: UniqueIdentifier) -> None:
    *_, got = kms.batch(
        LocateRequest(),
        CheckRequest(cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT),
        GetRequest(),
    )
    assert isinstance(got, GetResponse)
    assert got.unique_identifier == made


def test_a_check_of_another_object_leaves_the_id_placeholder_alone(
    kms: TestKms, made: UniqueIdentifier
) -> None:
    """KMIP 2.1 §6.1: Check is not among the operations whose Unique Identifier fills it."""
    recovered, _, destroyed = kms.batch(
        RecoverRequest(unique_identifier=key(kms)),
        CheckRequest(unique_identifier=made),
        DestroyRequest(),
    )
    assert isinstance(recovered, RecoverResponse)
    assert isinstance(destroyed, DestroyResponse)
    assert destroyed.unique_identifier == recovered.unique_identifier != made


def test_a_check_fills_an_empty_id_placeholder(kms: TestKms, made: UniqueIdentifier) -> None:
    """Lenient, and harmless: else what follows would be refused."""
    _, got = kms.batch(CheckRequest(unique_identifier=made), GetRequest())
    assert isinstance(got, GetResponse)
    assert got.unique_identifier == made


def test_a_check_takes_nothing(kms: TestKms, made: UniqueIdentifier) -> None:
    """KMIP 2.1 §6.1.7: the client only ensures that the amount is available."""
    kms.call(CheckRequest(unique_identifier=made, usage_limits_count=100))
    kms.call(CheckRequest(unique_identifier=made, usage_limits_count=100))


def test_the_unrestricted_bit_allows_every_use(kms: TestKms) -> None:
    """KMIP 2.0 §12.1."""
    create = CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.UNRESTRICTED),
        ),
    )
    made = kms.call(create, version=V2_0).unique_identifier
    request = CheckRequest(unique_identifier=made, cryptographic_usage_mask=CryptographicUsageMask.SIGN)
    assert kms.call(request).unique_identifier == made
