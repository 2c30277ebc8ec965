"""How much clients and tenants may store: what is counted, what is refused, and in which words."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from strongroom.domain.identity import Connection
from strongroom.domain.operation import Request
from strongroom.domain.store import Usage
from strongroom.domain.tenants import Tenant
from strongroom.engine.quotas import NEWEST, OLDEST, QuotaLimits, Quotas
from strongroom.engine.streams import StreamLimits
from strongroom.model.attribute_list import AttributeInstance, RawValue, VendorAttribute
from strongroom.model.convert import decoder
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.messages import ResponseBatchItem, ResponseHeader
from strongroom.model.objects import OpaqueObject
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, RevocationReason
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.obliterate import ObliterateRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.operations.register import RegisterRequest
from strongroom.operations.revoke import RevokeRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_0,
    V3_0,
    VERSIONS,
    BatchErrorContinuationOption,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    ItemType,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    Tag,
    Version,
)
from strongroom.wire import binary
from tests.expect import revoke
from tests.kms import ALICE, BOB, Refused, TestKms, attribute, protocol, request_message, template
from tests.safeguards import lay_down


class Time:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def limited(kms: TestKms, time: Time) -> Callable[..., TestKms]:
    def limit(**limits: int) -> TestKms:
        kms.dispatcher.transactions.quotas = Quotas(kms.repository, QuotaLimits(**limits), time)
        return kms

    return limit


@pytest.mark.parametrize(
    ("version", "reason"),
    [(V1_4, ResultReason.GENERAL_FAILURE), (V2_0, ResultReason.SERVER_LIMIT_EXCEEDED)],
)
def test_a_client_stores_so_many_objects_and_no_more(
    limited: Callable[..., TestKms], version: Version, reason: ResultReason
) -> None:
    kms = limited(client_objects=3)
    for _ in range(3):
        kms.create_symmetric_key()
    kms.create_symmetric_key(caller=BOB)
    with pytest.raises(Refused, match="alice has 3 objects of at most 3; destroy some") as refused:
        kms.call(request(), version=version)
    assert refused.value.reason is reason


def test_a_tenant_stores_so_many_objects_and_no_more(limited: Callable[..., TestKms]) -> None:
    kms = limited(tenant_objects=3)
    for caller in (ALICE, BOB, ALICE):
        kms.create_symmetric_key(caller=caller)
    with pytest.raises(Refused, match="as many objects as it may have; destroy some") as refused:
        kms.create_symmetric_key(caller=BOB)
    assert not re.search(r"\d", refused.value.message)  # Bob is not told how much Alice stores


def test_what_is_destroyed_makes_room_within_a_second(limited: Callable[..., TestKms], time: Time) -> None:
    kms = limited(client_objects=2)
    first, _ = (kms.create_symmetric_key() for _ in range(2))
    kms.call(DestroyRequest(unique_identifier=first))
    time.seconds += NEWEST
    kms.create_symmetric_key()
    with pytest.raises(Refused):
        kms.create_symmetric_key()


def test_what_others_store_is_seen_within_a_second_near_the_limit_and_a_minute_else(
    limited: Callable[..., TestKms], time: Time
) -> None:
    kms = limited(client_objects=100)
    here = kms.dispatcher.transactions.quotas
    kms.create_symmetric_key()
    kms.dispatcher.transactions.quotas = Quotas(kms.repository, QuotaLimits(), time)  # another worker
    for _ in range(99):
        kms.create_symmetric_key()
    kms.dispatcher.transactions.quotas = here
    kms.create_symmetric_key()
    time.seconds += OLDEST
    with pytest.raises(Refused, match="101 objects of at most 100"):
        kms.create_symmetric_key()


def test_a_batch_that_is_undone_counts_as_nothing(limited: Callable[..., TestKms]) -> None:
    kms = limited(client_objects=2)
    undo = BatchErrorContinuationOption.UNDO
    results = kms.batch(request(), request(), request(), batch_error_continuation_option=undo)
    assert isinstance(results[-1], Refused)
    for _ in range(2):
        kms.create_symmetric_key()
    with pytest.raises(Refused):
        kms.create_symmetric_key()


def test_a_batch_stops_at_the_limit(limited: Callable[..., TestKms]) -> None:
    kms = limited(client_objects=2)
    results = kms.batch(request(), request(), request())
    assert [isinstance(result, Refused) for result in results] == [False, False, True]


def test_a_tenant_stores_so_many_bytes_and_no_more(limited: Callable[..., TestKms], time: Time) -> None:
    kms = limited(tenant_bytes=20_000)
    kms.call(opaque(10_000))
    with pytest.raises(
        Refused, match="would take more bytes than they may; destroy or obliterate"
    ) as refused:
        kms.call(opaque(10_000), version=V2_0)
    assert not re.search(r"\d", refused.value.message)
    assert refused.value.reason is ResultReason.SERVER_LIMIT_EXCEEDED
    kms.call(opaque(5_000), caller=BOB)
    objects, size = kms.run(kms.repository.usage(ALICE.tenant, None))
    assert objects == 2
    assert 15_000 < size < 20_000


def test_an_object_grows_no_further_than_the_limit(limited: Callable[..., TestKms]) -> None:
    """Neither by an Import in its place, nor by attributes, nor by a change of its State."""
    kms = limited(tenant_bytes=20_000)
    made = kms.call(opaque(10)).unique_identifier
    large = RevocationReason(
        revocation_reason_code=RevocationReasonCode.KEY_COMPROMISE, revocation_message="m" * 20_000
    )
    requests: list[Request[Any]] = [
        import_over(made, 20_000),
        AddAttributeRequest(unique_identifier=made, new_attribute=note("n", 20_000)),
        RevokeRequest(unique_identifier=made, revocation_reason=large),
    ]
    for wanted in requests:
        with pytest.raises(Refused, match="destroy or obliterate some"):
            kms.call(wanted)
    kms.call(import_over(made, 10_000))
    kms.call(AddAttributeRequest(unique_identifier=made, new_attribute=note("n", 2000)))
    for size, fits in ((2500, True), (9000, False)):
        request = ModifyAttributeRequest(unique_identifier=made, new_attribute=note("n", size))
        assert isinstance(kms.batch(request)[0], Refused) is not fits
    undo = BatchErrorContinuationOption.UNDO
    halves = [AddAttributeRequest(unique_identifier=made, new_attribute=note(n, 5000)) for n in "ab"]
    assert isinstance(kms.batch(*halves, batch_error_continuation_option=undo)[-1], Refused)
    assert kms.run(kms.repository.usage(ALICE.tenant, None)).bytes < 20_000


def test_growth_is_noted_until_it_is_counted(limited: Callable[..., TestKms]) -> None:
    kms = limited(tenant_bytes=200_000)
    made = [kms.call(opaque(10)).unique_identifier for _ in range(30)]
    results = [kms.batch(import_over(one, 10_000))[0] for one in made]
    assert any(isinstance(result, Refused) for result in results)
    assert kms.run(kms.repository.usage(ALICE.tenant, None)).bytes < 200_000


def test_at_the_limit_objects_are_used_retired_and_made_smaller(
    limited: Callable[..., TestKms], time: Time
) -> None:
    kms = limited()
    large = kms.call(opaque(20_000)).unique_identifier
    key = kms.create_symmetric_key()
    kms.dispatcher.transactions.quotas = Quotas(kms.repository, QuotaLimits(tenant_bytes=1000), time)
    requests: list[Request[Any]] = [
        ActivateRequest(unique_identifier=key),
        ArchiveRequest(unique_identifier=key),
        RecoverRequest(unique_identifier=key),
        revoke(key, RevocationReasonCode.KEY_COMPROMISE),
        DestroyRequest(unique_identifier=key),
        import_over(large, 10_000),
    ]
    for request in requests:
        kms.call(request)


def test_an_import_over_what_was_destroyed_counts_as_an_object(limited: Callable[..., TestKms]) -> None:
    kms = limited(client_objects=1)
    first = kms.call(opaque(10)).unique_identifier
    kms.call(DestroyRequest(unique_identifier=first))
    kms.dispatcher.transactions.quotas = Quotas(kms.repository, QuotaLimits(client_objects=1))
    kms.call(opaque(10))
    with pytest.raises(Refused, match="alice has 1 objects of at most 1"):
        kms.call(import_over(first, 10))


def test_material_that_a_deletion_window_keeps_takes_room(limited: Callable[..., TestKms]) -> None:
    kms = limited(tenant_bytes=20_000)
    lay_down(kms, window=timedelta(days=7))
    parked = kms.call(opaque(15_000)).unique_identifier
    kms.call(DestroyRequest(unique_identifier=parked))
    kms.dispatcher.transactions.quotas = Quotas(kms.repository, QuotaLimits(tenant_bytes=20_000))
    with pytest.raises(Refused, match="obliterate some"):
        kms.call(opaque(10_000))
    kms.call(ObliterateRequest(unique_identifier=parked), version=V3_0)
    kms.dispatcher.transactions.quotas = Quotas(kms.repository, QuotaLimits(tenant_bytes=20_000))
    kms.call(opaque(10_000))


def test_what_is_laid_down_for_a_tenant_beats_the_configuration(limited: Callable[..., TestKms]) -> None:
    kms = limited(client_objects=1)
    kms.dispatcher.lay_down(
        {ALICE.tenant: Tenant(number=ALICE.tenant, most_client_objects=0, most_objects=2)}
    )
    for _ in range(2):
        kms.create_symmetric_key()
    with pytest.raises(Refused, match="the tenant has as many objects as it may have"):
        kms.create_symmetric_key(caller=BOB)


def test_objects_are_not_counted_for_each_new_one(limited: Callable[..., TestKms]) -> None:
    kms, counted = limited(client_objects=10_000), []
    usage = kms.repository.usage

    async def counting(tenant: int, owner: int | None) -> Usage:
        counted.append(owner)
        return await usage(tenant, owner)

    kms.repository.usage = counting  # type: ignore[method-assign]
    for _ in range(50):
        kms.create_symmetric_key()
    assert counted == [ALICE.client]


@pytest.fixture
def two_streams(tmp_path: Path) -> Iterator[TestKms]:
    kms = TestKms(tmp_path, streams=StreamLimits(per_tenant=2))
    yield kms
    kms.close()


def test_a_tenant_has_so_many_streams_and_no_more(two_streams: TestKms) -> None:
    kms = two_streams
    for caller in (ALICE, BOB):
        kms.call(part(), version=V1_4, caller=caller)
    with pytest.raises(Refused, match="of this tenant have 2 streams") as refused:
        kms.call(part(), version=V2_0)
    assert refused.value.reason is ResultReason.SERVER_LIMIT_EXCEEDED
    kms.dispatcher.lay_down({ALICE.tenant: Tenant(number=ALICE.tenant, most_streams=3)})
    kms.call(part(), version=V2_0)


def test_a_message_holds_so_many_batch_items_and_no_more(kms: TestKms) -> None:
    """faults 7: a batch of very many items is refused by the limit, before any of it is done."""
    message = request_message(request(), version=V2_0, batch_count=1001)
    message[2].extend(message[2][1:] * 1000)
    _, *answers = kms.send(message)[2]
    assert len(answers) == 1
    refused = decoder(ResponseBatchItem, V2_0)(answers[0][2])
    assert refused.result_reason is ResultReason.SERVER_LIMIT_EXCEEDED
    assert refused.result_message is not None
    assert "1001 batch items, the limit is 1000" in refused.result_message
    assert not kms.call(LocateRequest()).unique_identifier


def request() -> CreateRequest:
    return CreateRequest(
        object_type=ObjectType.SYMMETRIC_KEY,
        attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
            attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.ENCRYPT),
        ),
    )


def opaque(size: int) -> RegisterRequest:
    value = OpaqueObject(
        opaque_data_type=0x80000001,  # type: ignore[arg-type]  # a vendor's
        opaque_data_value=SecretBytes(bytes(size)),
    )
    return RegisterRequest(object_type=ObjectType.OPAQUE_OBJECT, managed_object=value)


def import_over(made: UniqueIdentifier, size: int) -> ImportRequest:
    given = opaque(size)
    return ImportRequest(
        unique_identifier=made,
        object_type=given.object_type,
        managed_object=given.managed_object,
        replace_existing=True,
    )


def note(name: str, size: int) -> AttributeInstance:
    return attribute(VendorAttribute("x", name), RawValue(ItemType.BYTE_STRING, bytes(size)))


def part() -> HashRequest:
    parameters = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    return HashRequest(cryptographic_parameters=parameters, data=SecretBytes(b"part"), init_indicator=True)


@pytest.mark.parametrize("version", VERSIONS, ids=str)
def test_a_request_too_many_is_answered_in_its_version(kms: TestKms, version: Version) -> None:
    message = binary.encode(request_message(LocateRequest(), version=version))
    answer = binary.decode(kms.dispatcher.shed(message, Connection(client=ALICE, peer="127.0.0.1:1")))
    header = decoder(ResponseHeader, version)(answer[2][0][2])
    item = decoder(ResponseBatchItem, version)(answer[2][1][2])
    assert header.protocol_version == protocol(version)
    newer = version >= V2_0
    assert item.result_reason is (
        ResultReason.SERVER_LIMIT_EXCEEDED if newer else ResultReason.GENERAL_FAILURE
    )
    assert "requests a second" in (item.result_message or "")


@pytest.mark.parametrize("message", [b"", b"\x42\x00\x78\x01\x00\x00\x00\x08" + bytes(8), b"\xff" * 64])
def test_a_request_too_many_that_is_none_is_answered_too(kms: TestKms, message: bytes) -> None:
    answer = binary.decode(kms.dispatcher.shed(message, Connection(client=ALICE, peer="127.0.0.1:1")))
    assert decoder(ResponseHeader, V1_0)(answer[2][0][2]).protocol_version == protocol(V1_0)
