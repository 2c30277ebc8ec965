"""What every operation on an object answers when there is no such object for it.

Operations that refuse only some of this (Recover, Get Attributes, Revoke) are told apart in the tables here.
"""

from collections.abc import Callable
from typing import Any

import pytest

from strongroom.domain.operation import Request
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, Name
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.adjust_attribute import AdjustAttributeRequest
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.check import CheckRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.delete_attribute import DeleteAttributeRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attribute_list import GetAttributeListRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.get_usage_allocation import GetUsageAllocationRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.obtain_lease import ObtainLeaseRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.recover import RecoverRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.registry import (
    V1_4,
    V2_0,
    V2_1,
    AdjustmentType,
    BlockCipherMode,
    ResultReason,
    State,
    Tag,
)
from tests.expect import MISSING, archived_key, assert_refused, key, key_in, refusal, revoke, spec_of
from tests.kms import BOB, TestKms, attribute

ECB = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
NAME = attribute(Tag.NAME, Name(name_value="n"))

REQUESTS: dict[str, Callable[[UniqueIdentifier], Request[Any]]] = {
    "Activate": lambda uid: ActivateRequest(unique_identifier=uid),
    "Add Attribute": lambda uid: AddAttributeRequest(unique_identifier=uid, new_attribute=NAME),
    "Adjust Attribute": lambda uid: AdjustAttributeRequest(
        unique_identifier=uid,
        attribute_reference=Tag.ACTIVATION_DATE,
        adjustment_type=AdjustmentType.INCREMENT,
    ),
    "Archive": lambda uid: ArchiveRequest(unique_identifier=uid),
    "Check": lambda uid: CheckRequest(unique_identifier=uid),
    "Decrypt": lambda uid: DecryptRequest(
        unique_identifier=uid, data=bytes(16), cryptographic_parameters=ECB
    ),
    "Delete Attribute": lambda uid: DeleteAttributeRequest(
        unique_identifier=uid, attribute_name=Tag.NAME, attribute_reference=Tag.NAME
    ),
    "Destroy": lambda uid: DestroyRequest(unique_identifier=uid),
    "Encrypt": lambda uid: EncryptRequest(
        unique_identifier=uid, data=SecretBytes(bytes(16)), cryptographic_parameters=ECB
    ),
    "Get": lambda uid: GetRequest(unique_identifier=uid),
    "Get Attributes": lambda uid: GetAttributesRequest(unique_identifier=uid),
    "Get Attribute List": lambda uid: GetAttributeListRequest(unique_identifier=uid),
    "Get Usage Allocation": lambda uid: GetUsageAllocationRequest(
        unique_identifier=uid, usage_limits_count=1
    ),
    "Modify Attribute": lambda uid: ModifyAttributeRequest(unique_identifier=uid, new_attribute=NAME),
    "Obtain Lease": lambda uid: ObtainLeaseRequest(unique_identifier=uid),
    "Re-key": lambda uid: ReKeyRequest(unique_identifier=uid),
    "Recover": lambda uid: RecoverRequest(unique_identifier=uid),
    "Revoke": revoke,
    "Set Attribute": lambda uid: SetAttributeRequest(unique_identifier=uid, new_attribute=NAME),
}
"""Every operation that is done on one object, with a request that a new AES key could meet or refuse."""

WITH_ARCHIVED = {"Recover", "Get Attributes", "Get Attribute List"}
"""Operations that an archived object does not refuse: its attributes stay on line (KMIP 1.4 §4.22)."""

WITH_DESTROYED = {"Revoke", "Get Attributes", "Get Attribute List"}
"""Operations that make sense on what is left of a destroyed object (KMIP 2.1 §4.57, §6.1.15)."""


@pytest.mark.parametrize("name", REQUESTS)
def test_an_unknown_identifier_is_not_found(kms: TestKms, name: str) -> None:
    # The table of Adjust Attribute alone has kept the older word in 2.1.
    newest = ResultReason.ITEM_NOT_FOUND if name == "Adjust Attribute" else ResultReason.OBJECT_NOT_FOUND
    oldest = newest if spec_of(REQUESTS[name](MISSING)).since >= V2_0 else ResultReason.ITEM_NOT_FOUND
    # BL-M-20-30 shows the older word again.
    draft = ResultReason.ITEM_NOT_FOUND if name == "Get Attributes" else None
    assert_refused(kms, REQUESTS[name](MISSING), oldest, newest, draft=draft)


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.DESTROYED])
def test_the_object_of_another_owner_is_answered_like_a_missing_one(
    kms: TestKms, name: str, state: State
) -> None:
    """Nobody learns from an answer that an object exists which is not theirs."""
    request = REQUESTS[name](key_in(kms, state))
    for version in (V1_4, V2_1):
        if not spec_of(request).in_version(version):
            continue
        theirs = refusal(kms, request, version=version, caller=BOB)
        missing = refusal(kms, REQUESTS[name](MISSING), version=version, caller=BOB)
        assert (theirs.reason, theirs.message) == (missing.reason, missing.message)


@pytest.mark.parametrize("name", sorted(set(REQUESTS) - WITH_ARCHIVED))
def test_an_archived_object_must_be_recovered_first(kms: TestKms, name: str) -> None:
    """faults 22. KMIP 1.4 §11, 2.1 §11.49: the reason is Object Archived in every version."""
    reason = ResultReason.OBJECT_ARCHIVED
    assert_refused(kms, REQUESTS[name](archived_key(kms)), reason, reason)


@pytest.mark.parametrize("name", sorted(set(REQUESTS) - WITH_DESTROYED))
def test_of_a_destroyed_object_only_attributes_are_left(kms: TestKms, name: str) -> None:
    """faults 22. KMIP 1.4 §11 has no reason but Item Not Found, save for Destroy.

    2.1 §11.49 has Object Destroyed.
    """
    request = REQUESTS[name](key_in(kms, State.DESTROYED))
    newest = ResultReason.OBJECT_DESTROYED
    oldest = ResultReason.PERMISSION_DENIED if name == "Destroy" else ResultReason.ITEM_NOT_FOUND
    if spec_of(request).since >= V2_0:
        oldest = newest
    assert_refused(kms, request, oldest, newest)


@pytest.mark.parametrize("name", sorted(WITH_ARCHIVED))
def test_attributes_of_an_archived_object_are_on_line(kms: TestKms, name: str) -> None:
    """KMIP 1.4 §4.9: the server may keep the attributes of archived objects at hand."""
    archived = archived_key(kms)
    assert kms.call(REQUESTS[name](archived)).unique_identifier == archived


@pytest.mark.parametrize("name", ["Get Attributes", "Get Attribute List"])
def test_attributes_of_a_destroyed_object_are_kept(kms: TestKms, name: str) -> None:
    """KMIP 2.1 §6.1.15: the meta-data for the key material shall be retained by the server."""
    destroyed = key_in(kms, State.DESTROYED)
    assert kms.call(REQUESTS[name](destroyed)).unique_identifier == destroyed


@pytest.mark.parametrize("name", REQUESTS)
def test_an_identifier_left_out_is_the_id_placeholder(kms: TestKms, name: str) -> None:
    """An empty ID Placeholder is an object that does not exist."""
    request = REQUESTS[name](key(kms)).replace(unique_identifier=None)
    missing = REQUESTS[name](MISSING)
    for version in (V1_4, V2_1):
        if spec_of(request).in_version(version):
            reason = refusal(kms, request, version=version).reason
            assert reason is refusal(kms, missing, version=version).reason
