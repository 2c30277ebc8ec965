"""Encrypt and Decrypt in parts: Init and Final Indicator, Correlation Value (KMIP 1.3 §4, 2.1 §6.1)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.engine.streams import StreamLimits
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.decrypt import DecryptRequest, DecryptResponse
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.mac import MACRequest
from strongroom.operations.mac_verify import MACVerifyRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.registry import (
    V1_3,
    V2_1,
    V3_0,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    ObjectType,
    PaddingMethod,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
    UsageLimitsUnit,
)
from tests.expect import EVERY_USE, active_key, assert_refused, mask, raw_key, refusal, revoke, value
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, template

CBC = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
GCM = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM)
CCM = CryptographicParameters(block_cipher_mode=BlockCipherMode.CCM)
IV = bytes(range(16))
USES = EVERY_USE | CryptographicUsageMask.MAC_GENERATE | CryptographicUsageMask.MAC_VERIFY
NO_STREAM = (ResultReason.ITEM_NOT_FOUND, ResultReason.INVALID_CORRELATION_VALUE)


def encrypt(key: str | None, data: bytes | None, **given: Any) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=None if key is None else UniqueIdentifier(key),
        data=None if data is None else SecretBytes(data),
        **given,
    )


def decrypt(key: str | None, data: bytes | None, **given: Any) -> DecryptRequest:
    return DecryptRequest(
        unique_identifier=None if key is None else UniqueIdentifier(key), data=data, **given
    )


def begin(kms: TestKms, key: str, data: bytes | None = None, how: Any = ECB, **given: Any) -> EncryptResponse:
    request = encrypt(key, data, cryptographic_parameters=how, init_indicator=True, **given)
    answer = kms.call(request)
    assert answer.correlation_value is not None
    return answer


def all_in_parts(key: str) -> Iterator[tuple[Any, Any]]:
    """Yield the first part of a stream of each operation that has a key, and what makes its last one."""
    hmac = CryptographicParameters(cryptographic_algorithm=CryptographicAlgorithm.HMAC_SHA256)
    uid, some = UniqueIdentifier(key), SecretBytes(bytes(16))
    yield encrypt(key, bytes(16), cryptographic_parameters=ECB, init_indicator=True), {"data": some}
    yield decrypt(key, bytes(16), cryptographic_parameters=ECB, init_indicator=True), {"data": bytes(16)}
    how: dict[str, Any] = {"unique_identifier": uid, "cryptographic_parameters": hmac, "init_indicator": True}
    yield MACRequest(data=some, **how), {"data": some}
    yield MACVerifyRequest(data=some, **how), {"data": some, "mac_data": bytes(32)}


@pytest.mark.parametrize("obliterated", [False, True])
@pytest.mark.parametrize("number", range(4))
def test_a_stream_does_not_outlive_its_key(kms: TestKms, number: int, obliterated: bool) -> None:
    """Another key that has its identifier by then is not the one that the stream would go on with."""
    key = active_key(kms, mask=USES)
    first, last = list(all_in_parts(key))[number]
    for another in (bytes(16), b"n" * 16):
        begun = kms.call(first, version=V2_1)
        if obliterated:
            kms.call(revoke(key))
            kms.call(ObliterateRequest(unique_identifier=key), version=V3_0)
        instead = ImportRequest(
            unique_identifier=key,
            object_type=ObjectType.SYMMETRIC_KEY,
            replace_existing=True,
            managed_object=raw_key(another),
            attributes=template(mask(USES), attribute(Tag.STATE, State.ACTIVE)),
        )
        kms.call(instead, version=V2_1)
        end = type(first)(correlation_value=begun.correlation_value, final_indicator=True, **last)
        got = refusal(kms, end, version=V2_1)
        assert got.reason is ResultReason.INVALID_FIELD
        assert "replaced" in got.message
    kms.call(first, version=V2_1)  # with the new one


def test_a_change_of_its_attributes_leaves_a_stream_its_key(kms: TestKms) -> None:
    key = active_key(kms)
    value = begin(kms, key, bytes(16)).correlation_value
    kms.call(
        AddAttributeRequest(unique_identifier=key, new_attribute=attribute(Tag.COMMENT, "new")), version=V2_1
    )
    assert kms.call(encrypt(key, bytes(16), correlation_value=value, final_indicator=True)).data


def test_parts_give_what_the_whole_gives(kms: TestKms) -> None:
    key, data = active_key(kms), bytes(range(40))
    whole = kms.call(encrypt(key, data, cryptographic_parameters=CBC, iv_counter_nonce=IV)).data
    first = begin(kms, key, data[:8], CBC, iv_counter_nonce=IV)
    assert first.data is None  # less than a block settles nothing
    value = first.correlation_value
    second = kms.call(encrypt(key, data[8:33], correlation_value=value))
    assert second.correlation_value == value
    last = kms.call(encrypt(key, data[33:], correlation_value=value, final_indicator=True))
    assert last.correlation_value is None
    assert (second.data or b"") + (last.data or b"") == whole

    answer = kms.call(
        decrypt(
            key,
            whole[:16] if whole else None,
            cryptographic_parameters=CBC,
            iv_counter_nonce=IV,
            init_indicator=True,
        )
    )
    plain = b"" if answer.data is None else answer.data.reveal()
    value = answer.correlation_value
    assert whole is not None
    for start, last_part in ((16, False), (32, True)):
        request = decrypt(
            key, whole[start : start + 16], correlation_value=value, final_indicator=last_part or None
        )
        part: DecryptResponse = kms.call(request)
        plain += b"" if part.data is None else part.data.reveal()
    assert plain == data


def test_a_tag_comes_with_the_last_part_and_proves_every_part(kms: TestKms) -> None:
    """Plaintext that the tag has yet to prove is not given out."""
    key = active_key(kms)
    first = begin(
        kms,
        key,
        b"one ",
        GCM,
        iv_counter_nonce=IV[:12],
        authenticated_encryption_additional_data=b"context",
    )
    last = kms.call(encrypt(key, b"two", correlation_value=first.correlation_value, final_indicator=True))
    assert first.authenticated_encryption_tag is None
    assert last.authenticated_encryption_tag is not None
    data = (first.data or b"") + (last.data or b"")

    def opened(tag_first: bytes | None, tag_last: bytes | None) -> DecryptRequest:
        answer = kms.call(
            decrypt(
                key,
                data[:4],
                cryptographic_parameters=GCM,
                iv_counter_nonce=IV[:12],
                authenticated_encryption_additional_data=b"context",
                authenticated_encryption_tag=tag_first,
                init_indicator=True,
            )
        )
        assert answer.data is None
        return decrypt(
            key,
            data[4:],
            correlation_value=answer.correlation_value,
            final_indicator=True,
            authenticated_encryption_tag=tag_last,
        )

    tag = last.authenticated_encryption_tag
    for request in (opened(tag, None), opened(None, tag)):
        assert kms.call(request).data == SecretBytes(b"one two")
    assert refusal(kms, opened(bytes(16), None)).reason is ResultReason.CRYPTOGRAPHIC_FAILURE
    assert refusal(kms, opened(None, None)).reason is ResultReason.INVALID_FIELD


def test_a_mode_that_needs_everything_at_once_gives_everything_at_the_end(kms: TestKms) -> None:
    key = active_key(kms)
    first = begin(kms, key, b"one ", CCM, iv_counter_nonce=IV[:12])
    assert first.data is None
    last = kms.call(encrypt(key, b"two", correlation_value=first.correlation_value, final_indicator=True))
    whole = kms.call(encrypt(key, b"one two", cryptographic_parameters=CCM, iv_counter_nonce=IV[:12]))
    assert (last.data, last.authenticated_encryption_tag) == (
        whole.data,
        whole.authenticated_encryption_tag,
    )


def test_a_random_iv_is_told_once_with_the_first_part(kms: TestKms) -> None:
    key = active_key(kms)
    first = begin(kms, key, bytes(16), CBC.replace(random_iv=True))
    assert first.iv_counter_nonce is not None
    last = kms.call(encrypt(key, b"", correlation_value=first.correlation_value, final_indicator=True))
    assert last.iv_counter_nonce is None
    sealed = (first.data or b"") + (last.data or b"")
    request = decrypt(key, sealed, cryptographic_parameters=CBC, iv_counter_nonce=first.iv_counter_nonce)
    assert kms.call(request).data == SecretBytes(bytes(16))


def test_both_indicators_are_a_single_part(kms: TestKms) -> None:
    """KMIP 2.1 §6.1: or provide an Init indicator and Final Indicator but no Correlation Value."""
    key = active_key(kms)
    both = {"init_indicator": True, "final_indicator": True}
    answer = kms.call(encrypt(key, bytes(16), cryptographic_parameters=ECB, **both))
    assert answer.correlation_value is None
    assert answer.data == kms.call(encrypt(key, bytes(16), cryptographic_parameters=ECB)).data
    assert kms.call(decrypt(key, None, cryptographic_parameters=ECB, **both)).data == SecretBytes(b"")


def test_indicators_that_contradict_each_other_are_refused(kms: TestKms) -> None:
    key = active_key(kms)
    reason = ResultReason.INVALID_FIELD
    for contradiction in (
        {"final_indicator": True},
        {"init_indicator": True, "correlation_value": b"x"},
    ):
        request = encrypt(key, bytes(16), cryptographic_parameters=ECB, **contradiction)
        assert_refused(kms, request, reason, reason, since=V1_3)


def test_a_continued_stream_knows_its_key(kms: TestKms) -> None:
    key = active_key(kms)
    first = begin(kms, key)
    answer = kms.call(encrypt(None, bytes(16), correlation_value=first.correlation_value))
    assert answer.unique_identifier == key


def test_a_stream_keeps_to_its_key(kms: TestKms) -> None:
    first = begin(kms, active_key(kms))
    request = encrypt(active_key(kms), bytes(16), correlation_value=first.correlation_value)
    assert refusal(kms, request).reason is ResultReason.INVALID_FIELD


def test_a_correlation_value_is_only_good_for_its_client_and_operation(kms: TestKms) -> None:
    """faults 26."""
    key = active_key(kms)
    value = begin(kms, key).correlation_value
    assert_refused(kms, encrypt(key, b"", correlation_value=value), *NO_STREAM, since=V1_3, caller=BOB)
    assert_refused(kms, decrypt(key, b"", correlation_value=value), *NO_STREAM, since=V1_3)
    assert_refused(kms, encrypt(key, b"", correlation_value=bytes(16)), *NO_STREAM, since=V1_3)
    kms.call(encrypt(key, b"", correlation_value=value))  # and the stream took no harm


def test_a_stream_ends_with_the_final_part(kms: TestKms) -> None:
    """faults 26."""
    key = active_key(kms)
    value = begin(kms, key).correlation_value
    last = encrypt(key, bytes(16), correlation_value=value, final_indicator=True)
    kms.call(last)
    assert_refused(kms, last, *NO_STREAM, since=V1_3)


def test_a_stream_ends_with_a_failure(kms: TestKms) -> None:
    key = active_key(kms)
    value = begin(kms, key, bytes(5)).correlation_value
    last = encrypt(key, None, correlation_value=value, final_indicator=True)
    assert refusal(kms, last, version=V2_1).reason is ResultReason.BAD_CRYPTOGRAPHIC_PARAMETERS
    assert_refused(kms, last, *NO_STREAM, since=V1_3)


def test_a_key_that_was_revoked_meanwhile_stops_the_stream(kms: TestKms) -> None:
    key = active_key(kms)
    value = begin(kms, key).correlation_value
    kms.call(revoke(key, RevocationReasonCode.SUPERSEDED))
    part = encrypt(key, bytes(16), correlation_value=value)
    assert refusal(kms, part, version=V2_1).reason is ResultReason.WRONG_KEY_LIFECYCLE_STATE
    assert_refused(kms, part, *NO_STREAM, since=V1_3)


def test_additional_data_comes_with_the_first_part_only(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.17: it must be supplied on the initial request."""
    key = active_key(kms)
    value = begin(kms, key, None, GCM, iv_counter_nonce=IV[:12]).correlation_value
    late = encrypt(key, b"", correlation_value=value, authenticated_encryption_additional_data=b"context")
    assert refusal(kms, late).reason is ResultReason.INVALID_FIELD


@pytest.mark.parametrize(("unit", "left"), [(UsageLimitsUnit.BYTE, 68), (UsageLimitsUnit.OBJECT, 99)])
def test_usage_limits_count_the_bytes_of_parts_and_the_stream_once(
    kms: TestKms, unit: UsageLimitsUnit, left: int
) -> None:
    limits = attribute(Tag.USAGE_LIMITS, UsageLimits(usage_limits_total=100, usage_limits_unit=unit))
    key = active_key(kms, limits)
    stream = begin(kms, key, bytes(16)).correlation_value
    kms.call(encrypt(key, bytes(16), correlation_value=stream, final_indicator=True))
    assert value(kms, key, Tag.USAGE_LIMITS).usage_limits_count == left


def test_a_stream_that_nobody_continues_is_dropped(kms: TestKms) -> None:
    """faults 26."""
    key = active_key(kms)
    stream = begin(kms, key).correlation_value
    kms.clock.pass_time(minutes=4)
    kms.call(encrypt(key, b"", correlation_value=stream))
    kms.clock.pass_time(minutes=4)
    kms.call(encrypt(key, b"", correlation_value=stream))
    kms.clock.pass_time(minutes=6)
    assert_refused(kms, encrypt(key, b"", correlation_value=stream), *NO_STREAM, since=V1_3)


def test_a_stream_that_nobody_continues_keeps_its_key_no_longer(kms: TestKms) -> None:
    """Also where no other stream comes that would look at it."""
    begin(kms, active_key(kms))
    streams = kms.dispatcher._services.streams
    kms.clock.pass_time(minutes=4)
    kms.run(kms.dispatcher.tidy(kms.clock.now()))
    assert len(streams) == 1
    kms.clock.pass_time(minutes=2)
    kms.run(kms.dispatcher.tidy(kms.clock.now()))
    assert len(streams) == 0


def test_a_part_of_an_undone_batch_ends_its_stream(kms: TestKms) -> None:
    key = active_key(kms)
    stream = begin(kms, key).correlation_value
    part = encrypt(key, bytes(16), correlation_value=stream)
    results = kms.batch(
        part,
        decrypt(key, None),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert all(isinstance(result, Refused) for result in results)
    assert_refused(kms, part, *NO_STREAM, since=V1_3)


def test_two_parts_in_one_undo_batch_follow_each_other(kms: TestKms) -> None:
    key = active_key(kms)
    stream = begin(kms, key).correlation_value
    results = kms.batch(
        encrypt(key, bytes(8), correlation_value=stream),
        encrypt(key, bytes(8), correlation_value=stream, final_indicator=True),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    whole = kms.call(encrypt(key, bytes(16), cryptographic_parameters=ECB)).data
    assert [getattr(r, "data", r) for r in results] == [None, whole]


LIMITS = StreamLimits(streams=3, per_client=2, size=64, held=128)


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[TestKms]:
    server = TestKms(tmp_path, streams=LIMITS)
    yield server
    server.close()


def _limit_of(limited: TestKms, request: Any, caller: Any = ALICE) -> None:
    refused = refusal(limited, request, version=V2_1, caller=caller)
    assert refused.reason is ResultReason.SERVER_LIMIT_EXCEEDED


def test_streams_are_counted_for_each_client_and_in_all(limited: TestKms) -> None:
    key = active_key(limited)
    another = encrypt(key, None, cryptographic_parameters=ECB, init_indicator=True)
    value = begin(limited, key).correlation_value
    begin(limited, key)
    _limit_of(limited, another)
    of_bob = UniqueIdentifier(active_key_of_bob(limited))
    request = another.replace(unique_identifier=of_bob)
    limited.call(request, caller=BOB)
    _limit_of(limited, request, BOB)
    limited.call(encrypt(key, None, correlation_value=value, final_indicator=True))
    limited.call(request, caller=BOB)


def active_key_of_bob(kms: TestKms) -> str:
    return kms.create_symmetric_key(attribute(Tag.ACTIVATION_DATE, kms.clock.now()), caller=BOB)


def test_a_stream_takes_only_so_much(limited: TestKms) -> None:
    key = active_key(limited)
    value = begin(limited, key, bytes(48)).correlation_value
    _limit_of(limited, encrypt(key, bytes(17), correlation_value=value))


def test_a_client_keeps_only_so_much_in_memory(limited: TestKms) -> None:
    key = active_key(limited)
    value = begin(limited, key, bytes(16), CCM, iv_counter_nonce=IV[:12]).correlation_value
    begin(limited, key, bytes(16), CCM, iv_counter_nonce=IV[:12])
    _limit_of(limited, encrypt(key, bytes(1), correlation_value=value))
    begin(limited, key, bytes(16), CCM, iv_counter_nonce=IV[:12])
