"""Get Usage Allocation (KMIP 1.x §4.18, 2.1 §6.1.23), and who else spends Usage Limits."""

import asyncio
from datetime import timedelta

import pytest

from strongroom.domain.identity import Connection
from strongroom.engine.answers import joined
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.operations.get_usage_allocation import GetUsageAllocationRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.registry import (
    V1_4,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicUsageMask,
    PaddingMethod,
    ResultReason,
    ResultStatus,
    RevocationReasonCode,
    Tag,
    UsageLimitsUnit,
)
from strongroom.wire import binary
from tests.expect import MISSING, active_key, assert_refused, key, refusal, revoke, value
from tests.kms import ALICE, Refused, TestKms, attribute, request_message

ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB, padding_method=PaddingMethod.PKCS5)


def limited(kms: TestKms, total: int, unit: UsageLimitsUnit = UsageLimitsUnit.BYTE) -> UniqueIdentifier:
    limits = UsageLimits(usage_limits_total=total, usage_limits_unit=unit)
    return active_key(kms, attribute(Tag.USAGE_LIMITS, limits))


def left(kms: TestKms, made: UniqueIdentifier) -> int:
    count: int = value(kms, made, Tag.USAGE_LIMITS).usage_limits_count
    return count


def allocate(made: UniqueIdentifier, amount: int) -> GetUsageAllocationRequest:
    return GetUsageAllocationRequest(unique_identifier=made, usage_limits_count=amount)


def encrypt(made: UniqueIdentifier, size: int) -> EncryptRequest:
    return EncryptRequest(unique_identifier=made, data=SecretBytes(bytes(size)), cryptographic_parameters=ECB)


def test_an_allocation_is_taken_from_the_count(kms: TestKms) -> None:
    made = limited(kms, 100)
    assert kms.call(allocate(made, 30)).unique_identifier == made
    limits = value(kms, made, Tag.USAGE_LIMITS)
    assert (limits.usage_limits_total, limits.usage_limits_count) == (100, 70)


def test_the_whole_count_can_be_allocated_and_no_more(kms: TestKms) -> None:
    made = limited(kms, 100)
    kms.call(allocate(made, 100))
    assert left(kms, made) == 0
    assert_refused(kms, allocate(made, 1), ResultReason.PERMISSION_DENIED, ResultReason.USAGE_LIMIT_EXCEEDED)


def test_a_refused_allocation_takes_nothing(kms: TestKms) -> None:
    made = limited(kms, 100)
    refusal(kms, allocate(made, 101))
    assert left(kms, made) == 100


def test_a_negative_allocation_is_refused(kms: TestKms) -> None:
    made = limited(kms, 100)
    assert_refused(kms, allocate(made, -1), ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_an_object_without_usage_limits_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.19: object has no Usage Limits attribute."""
    request = allocate(active_key(kms), 1)
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.ATTRIBUTE_NOT_FOUND)


def test_a_pre_active_object_is_refused(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.23: only after the Activation Date."""
    limits = UsageLimits(usage_limits_total=9, usage_limits_unit=UsageLimitsUnit.BYTE)
    request = allocate(key(kms, attribute(Tag.USAGE_LIMITS, limits)), 1)
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.PERMISSION_DENIED)


@pytest.mark.parametrize(
    "mask",
    [
        CryptographicUsageMask.DECRYPT,
        CryptographicUsageMask.VERIFY | CryptographicUsageMask.MAC_VERIFY | CryptographicUsageMask.EXPORT,
    ],
)
def test_an_object_that_may_not_protect_is_refused(kms: TestKms, mask: CryptographicUsageMask) -> None:
    """KMIP 1.4 §4.18 and §11.19: not an object that may be used for applying cryptographic protection."""
    limits = UsageLimits(usage_limits_total=9, usage_limits_unit=UsageLimitsUnit.BYTE)
    request = allocate(active_key(kms, attribute(Tag.USAGE_LIMITS, limits), mask=mask), 1)
    assert_refused(kms, request, ResultReason.ILLEGAL_OPERATION, ResultReason.PERMISSION_DENIED)


@pytest.mark.parametrize("mask", [CryptographicUsageMask.UNRESTRICTED, CryptographicUsageMask(0)])
def test_a_mask_that_forbids_no_protection_is_no_reason(kms: TestKms, mask: CryptographicUsageMask) -> None:
    limits = UsageLimits(usage_limits_total=9, usage_limits_unit=UsageLimitsUnit.BYTE)
    made = active_key(kms, attribute(Tag.USAGE_LIMITS, limits), mask=mask)
    kms.call(allocate(made, 1))
    assert left(kms, made) == 8


@pytest.mark.parametrize("code", [RevocationReasonCode.KEY_COMPROMISE, RevocationReasonCode.SUPERSEDED])
def test_an_object_out_of_use_is_refused(kms: TestKms, code: RevocationReasonCode) -> None:
    """KMIP 2.1 §6.1.23: if it cannot be used for applying protection at this time."""
    made = limited(kms, 100)
    kms.call(revoke(made, code))
    assert refusal(kms, allocate(made, 1)).reason is ResultReason.ILLEGAL_OPERATION


def test_after_the_protect_stop_date_nothing_is_allocated(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.23: before the Protect Stop Date."""
    limits = UsageLimits(usage_limits_total=9, usage_limits_unit=UsageLimitsUnit.BYTE)
    stop = kms.clock.now() + timedelta(days=1)
    made = active_key(kms, attribute(Tag.USAGE_LIMITS, limits), attribute(Tag.PROTECT_STOP_DATE, stop))
    kms.call(allocate(made, 1))
    kms.clock.pass_time(days=1)
    assert refusal(kms, allocate(made, 1)).reason is ResultReason.ILLEGAL_OPERATION


def test_the_count_of_the_client_is_ignored(kms: TestKms) -> None:
    """KMIP 2.1 §4.59: the server shall ignore the Usage Limits Count in an operation that makes an object."""
    limits = UsageLimits(usage_limits_total=9, usage_limits_count=7, usage_limits_unit=UsageLimitsUnit.BYTE)
    assert left(kms, key(kms, attribute(Tag.USAGE_LIMITS, limits))) == 9


def test_encrypt_spends_bytes_of_plaintext(kms: TestKms) -> None:
    """KMIP 1.4 §4.29: the server shall obtain an allocation prior to performing the operation."""
    made = limited(kms, 100)
    kms.call(encrypt(made, 33))
    assert left(kms, made) == 67


def test_encrypt_spends_one_object_whatever_its_size(kms: TestKms) -> None:
    made = limited(kms, 3, UsageLimitsUnit.OBJECT)
    kms.call(encrypt(made, 33))
    assert left(kms, made) == 2


def test_encrypt_without_enough_left_is_permission_denied(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.17: with a Result Reason of Permission Denied."""
    made = limited(kms, 16)
    request = encrypt(made, 17)
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.PERMISSION_DENIED)
    assert left(kms, made) == 16


@pytest.mark.parametrize(("data", "additional", "spent"), [(16, 1000, 1016), (0, 1000, 1000), (0, 0, 1)])
def test_what_a_tag_protects_is_spent_too(kms: TestKms, data: int, additional: int, spent: int) -> None:
    """KMIP 2.1 §4.59: the limits reflect the use for applying protection, and a tag of nothing is one."""
    made = limited(kms, spent)
    request = EncryptRequest(
        unique_identifier=made,
        data=SecretBytes(bytes(data)),
        iv_counter_nonce=bytes(12),
        authenticated_encryption_additional_data=bytes(additional),
        cryptographic_parameters=CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM),
    )
    kms.call(request)
    assert left(kms, made) == 0
    for _ in range(3):  # also once the same was asked for often enough to be done from memory
        assert refusal(kms, request).reason is ResultReason.PERMISSION_DENIED


def test_the_additional_data_of_a_stream_are_spent_with_its_first_part(kms: TestKms) -> None:
    made = limited(kms, 100)
    request = EncryptRequest(
        unique_identifier=made,
        data=SecretBytes(bytes(16)),
        init_indicator=True,
        iv_counter_nonce=bytes(12),
        authenticated_encryption_additional_data=bytes(50),
        cryptographic_parameters=CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM),
    )
    kms.call(request)
    assert left(kms, made) == 34


@pytest.mark.parametrize("size", [0, 16])
def test_a_mac_of_nothing_is_a_use(kms: TestKms, size: int) -> None:
    limits = UsageLimits(usage_limits_total=16, usage_limits_unit=UsageLimitsUnit.BYTE)
    usage = CryptographicUsageMask.MAC_GENERATE
    made = active_key(kms, attribute(Tag.USAGE_LIMITS, limits), mask=usage)
    cmac = CryptographicParameters(block_cipher_mode=BlockCipherMode.CMAC)
    kms.call(MACRequest(unique_identifier=made, data=SecretBytes(bytes(size)), cryptographic_parameters=cmac))
    assert left(kms, made) == 16 - max(size, 1)


def test_decrypt_spends_nothing(kms: TestKms) -> None:
    """KMIP 2.1 §4.59: processing protected data is not limited."""
    made = limited(kms, 16)
    sealed = kms.call(encrypt(made, 16)).data
    assert left(kms, made) == 0
    request = DecryptRequest(unique_identifier=made, data=sealed, cryptographic_parameters=ECB)
    assert kms.call(request).data == SecretBytes(bytes(16))


def test_what_fails_after_the_allocation_gives_it_back(kms: TestKms) -> None:
    """An operation that failed protected nothing."""
    made = limited(kms, 100)
    wrong = ECB.replace(block_cipher_mode=BlockCipherMode.CBC)
    refusal(kms, encrypt(made, 16).replace(cryptographic_parameters=wrong))
    assert left(kms, made) == 100


def test_uses_in_one_batch_do_not_see_the_same_count(kms: TestKms) -> None:
    made = limited(kms, 50)
    results = kms.batch(
        *(encrypt(made, 20) for _ in range(4)),
        batch_error_continuation_option=BatchErrorContinuationOption.CONTINUE,
    )
    assert [type(r) for r in results] == [EncryptResponse, EncryptResponse, Refused, Refused]
    assert left(kms, made) == 10


def test_an_undone_batch_spends_nothing(kms: TestKms) -> None:
    made = limited(kms, 50)
    kms.batch(
        encrypt(made, 20),
        ArchiveRequest(unique_identifier=MISSING),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert left(kms, made) == 50


def test_uses_at_the_same_time_do_not_see_the_same_count(kms: TestKms) -> None:
    """Of eight requests in flight together as many succeed as the limits allow, not one more."""
    made = limited(kms, 50)
    message = binary.encode(request_message(encrypt(made, 10), version=V1_4))
    connection = Connection(client=ALICE, peer="127.0.0.1:1")

    async def together() -> list[bytes]:
        answers = await asyncio.gather(*(kms.dispatcher.handle(message, connection) for _ in range(8)))
        return [joined(answer) for answer in answers]

    answers = [binary.decode(a) for a in kms.run(together())]
    statuses = [v for a in answers for t, _, v in a[2][1][2] if t == Tag.RESULT_STATUS]
    assert sorted(statuses) == [ResultStatus.SUCCESS] * 5 + [ResultStatus.OPERATION_FAILED] * 3
    assert left(kms, made) == 0


def test_usage_limits_that_were_used_are_closed_to_the_client(kms: TestKms) -> None:
    """KMIP 2.1 §4.59: as long as Get Usage Allocation has not been performed."""
    made = limited(kms, 100)
    more = UsageLimits(usage_limits_total=200, usage_limits_unit=UsageLimitsUnit.BYTE)
    request = ModifyAttributeRequest(unique_identifier=made, new_attribute=attribute(Tag.USAGE_LIMITS, more))
    kms.call(request)
    assert left(kms, made) == 200
    kms.call(allocate(made, 1))
    assert_refused(kms, request, ResultReason.PERMISSION_DENIED, ResultReason.ATTRIBUTE_READ_ONLY)


def test_an_activation_is_not_needed_twice(kms: TestKms) -> None:
    made = limited(kms, 100)
    assert refusal(kms, ActivateRequest(unique_identifier=made)).reason is ResultReason.PERMISSION_DENIED
    assert left(kms, made) == 100
