"""Requests that split and join, for the tests of both operations."""

from typing import Any

from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import SplitKey
from strongroom.model.secret import SecretBytes
from strongroom.operations.create_split_key import CreateSplitKeyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.join_split_key import JoinSplitKeyRequest
from strongroom.registry import (
    V1_4,
    CryptographicAlgorithm,
    KeyFormatType,
    ObjectType,
    SplitKeyMethod,
    Tag,
    Version,
)
from tests.expect import registration
from tests.kms import TestKms, attribute, template

GF_2_8 = SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8
GF_2_16 = SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_16
PRIME_FIELD = SplitKeyMethod.POLYNOMIAL_SHARING_PRIME_FIELD
AES = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES)


def split_request(
    whole: str | None,
    *given: AttributeInstance,
    parts: int = 4,
    threshold: int = 2,
    method: SplitKeyMethod = GF_2_8,
    **fields: Any,
) -> CreateSplitKeyRequest:
    fields.setdefault("object_type", ObjectType.SPLIT_KEY)
    return CreateSplitKeyRequest(
        unique_identifier=None if whole is None else UniqueIdentifier(whole),
        split_key_parts=parts,
        split_key_threshold=threshold,
        split_key_method=method,
        attributes=template(*given),
        **fields,
    )


def split(
    kms: TestKms, whole: str | None, *given: AttributeInstance, version: Version = V1_4, **fields: Any
) -> list[UniqueIdentifier]:
    return list(kms.call(split_request(whole, *given, **fields), version=version).unique_identifier)


def join_request(
    parts: list[UniqueIdentifier],
    *given: AttributeInstance,
    object_type: ObjectType = ObjectType.SYMMETRIC_KEY,
    **fields: Any,
) -> JoinSplitKeyRequest:
    return JoinSplitKeyRequest(
        object_type=object_type,
        unique_identifier=tuple(parts),
        attributes=template(*given) if given else None,
        **fields,
    )


def join(
    kms: TestKms,
    parts: list[UniqueIdentifier],
    *given: AttributeInstance,
    version: Version = V1_4,
    **fields: Any,
) -> UniqueIdentifier:
    return kms.call(join_request(parts, *given, **fields), version=version).unique_identifier


def got(kms: TestKms, identifier: str, *, version: Version = V1_4) -> Any:
    """Return an object as Get gives it."""
    return kms.call(
        GetRequest(unique_identifier=UniqueIdentifier(identifier)), version=version
    ).managed_object


def material(kms: TestKms, identifier: str) -> bytes:
    value = got(kms, identifier).key_block.key_value
    assert isinstance(value, KeyValue)
    assert isinstance(value.key_material, SecretBytes)
    return value.key_material.reveal()


def register_part(
    kms: TestKms, number: int, data: bytes, *given: AttributeInstance, version: Version = V1_4, **fields: Any
) -> UniqueIdentifier:
    """Register a part that was made elsewhere: two of four in GF(2^8) unless the fields say otherwise."""
    usual: dict[str, Any] = {
        "split_key_parts": 4,
        "split_key_threshold": 2,
        "split_key_method": GF_2_8,
        "key_part_identifier": number,
        "key_block": KeyBlock(
            key_format_type=KeyFormatType.RAW, key_value=KeyValue(key_material=SecretBytes(data))
        ),
    }
    request = registration(ObjectType.SPLIT_KEY, SplitKey(**(usual | fields)), *given)
    return kms.call(request, version=version).unique_identifier
