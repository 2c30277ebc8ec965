"""Protection Storage Masks: where a client wants what is made to be kept (KMIP 2.1 §7.33)."""

from typing import Any

import pytest

from strongroom.domain.operation import Request
from strongroom.model.structures import ProtectionStorageMasks
from strongroom.operations.catalogue import all_operations
from strongroom.operations.certify import CertifyRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.create_split_key import CreateSplitKeyRequest
from strongroom.operations.join_split_key import JoinSplitKeyRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.re_certify import ReCertifyRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.re_key_key_pair import ReKeyKeyPairRequest
from strongroom.registry import (
    V2_0,
    V2_1,
    CryptographicAlgorithm,
    ObjectType,
    ProtectionStorageMask,
    ResultReason,
    SplitKeyMethod,
    Tag,
)
from tests.expect import MISSING, assert_refused, key, pair_request, raw_key, registration, value
from tests.kms import TestKms, attribute, template

M = ProtectionStorageMask
R = ResultReason


def masks(*alternatives: ProtectionStorageMask) -> ProtectionStorageMasks:
    return ProtectionStorageMasks(protection_storage_mask=alternatives)


HARDWARE = masks(M.HARDWARE, M.SOFTWARE | M.VALIDATED)
CREATE = CreateRequest(
    object_type=ObjectType.SYMMETRIC_KEY,
    attributes=template(
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
    ),
)
SINGLE: list[Request[Any]] = [
    CREATE,
    registration(ObjectType.SYMMETRIC_KEY, raw_key()),
    ReKeyRequest(),
    CertifyRequest(),
    ReCertifyRequest(),
    CreateSplitKeyRequest(
        object_type=ObjectType.SPLIT_KEY,
        split_key_parts=2,
        split_key_threshold=2,
        split_key_method=SplitKeyMethod.XOR,
    ),
    JoinSplitKeyRequest(object_type=ObjectType.SYMMETRIC_KEY, unique_identifier=(MISSING,)),
]
PAIRS: list[Request[Any]] = [pair_request(), ReKeyKeyPairRequest()]


def name_of(request: Request[Any]) -> str:
    return type(request).__name__


@pytest.mark.parametrize("request_", SINGLE, ids=name_of)
def test_what_cannot_be_kept_as_the_client_wants_is_not_made(kms: TestKms, request_: Request[Any]) -> None:
    reason = R.PROTECTION_STORAGE_UNAVAILABLE
    wanted = request_.replace(protection_storage_masks=HARDWARE)
    assert_refused(kms, wanted, reason, reason, since=V2_0)
    assert kms.call(LocateRequest()).unique_identifier == ()


@pytest.mark.parametrize("request_", PAIRS, ids=name_of)
@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        ({"common": HARDWARE}, R.PRIVATE_PROTECTION_STORAGE_UNAVAILABLE),
        ({"private": HARDWARE}, R.PRIVATE_PROTECTION_STORAGE_UNAVAILABLE),
        ({"public": HARDWARE}, R.PUBLIC_PROTECTION_STORAGE_UNAVAILABLE),
        ({"common": HARDWARE, "private": masks(M.SOFTWARE)}, R.PUBLIC_PROTECTION_STORAGE_UNAVAILABLE),
    ],
    ids=["both", "private", "public", "the other"],
)
def test_a_pair_is_not_made_when_one_of_its_keys_cannot_be_kept(
    kms: TestKms, request_: Request[Any], wanted: dict[str, ProtectionStorageMasks], reason: ResultReason
) -> None:
    given = {f"{which}_protection_storage_masks": value for which, value in wanted.items()}
    assert_refused(kms, request_.replace(**given), reason, reason, since=V2_0)
    assert kms.call(LocateRequest()).unique_identifier == ()


def test_no_operation_that_takes_masks_overlooks_them() -> None:
    taking = {
        spec.request
        for spec in all_operations().values()
        if any(field.name.endswith("protection_storage_masks") for field in spec.request.fields)
    }
    assert taking == {type(request) for request in SINGLE + PAIRS}


@pytest.mark.parametrize(
    "wanted", [masks(), masks(M.SOFTWARE), masks(M.HARDWARE, M.SOFTWARE)], ids=["any", "this", "either"]
)
def test_one_of_the_masks_is_enough(kms: TestKms, wanted: ProtectionStorageMasks) -> None:
    """The answer to it is what Protection Storage Mask records (KMIP 2.1 §4.44)."""
    made = kms.call(CREATE.replace(protection_storage_masks=wanted), version=V2_1)
    assert value(kms, made.unique_identifier, Tag.PROTECTION_STORAGE_MASK) == M.SOFTWARE


def test_a_pair_may_be_wanted_where_it_is_kept(kms: TestKms) -> None:
    request = pair_request().replace(common_protection_storage_masks=masks(M.SOFTWARE))
    assert isinstance(request, CreateKeyPairRequest)
    made = kms.call(request, version=V2_1)
    rekey = ReKeyKeyPairRequest(
        private_key_unique_identifier=made.private_key_unique_identifier,
        public_protection_storage_masks=masks(M.SOFTWARE),
    )
    assert kms.call(rekey, version=V2_1).public_key_unique_identifier


def test_a_replacement_is_kept_where_the_client_wants(kms: TestKms) -> None:
    old = key(kms)
    request = ReKeyRequest(unique_identifier=old, protection_storage_masks=masks(M.HARDWARE, M.SOFTWARE))
    assert kms.call(request, version=V2_1).unique_identifier != old
