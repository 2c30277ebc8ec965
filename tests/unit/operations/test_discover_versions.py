"""Discover Versions (KMIP 1.1 §4.26, 2.1 §6.1.16)."""

import pytest

from strongroom.model.structures import ProtocolVersion
from strongroom.operations.discover_versions import DiscoverVersionsRequest
from strongroom.registry import V1_0, V1_1, V1_4, V2_1, V3_0, VERSIONS, ResultReason, Version
from tests.expect import refusal
from tests.kms import TestKms, protocol


def discover(kms: TestKms, *asked: ProtocolVersion, version: Version = V1_4) -> list[ProtocolVersion]:
    request = DiscoverVersionsRequest(protocol_version=asked)
    return list(kms.call(request, version=version).protocol_version)


@pytest.mark.parametrize("version", [V1_1, V2_1, V3_0], ids=str)
def test_without_a_list_every_version_is_told_newest_first(kms: TestKms, version: Version) -> None:
    """KMIP 2.1 §6.1.16: in decreasing order of preference."""
    assert discover(kms, version=version) == [protocol(v) for v in reversed(VERSIONS)]


def test_of_a_list_what_both_speak_is_told(kms: TestKms) -> None:
    future = ProtocolVersion(protocol_version_major=9, protocol_version_minor=9)
    assert discover(kms, protocol(V1_0), future, protocol(V2_1)) == [protocol(V2_1), protocol(V1_0)]


def test_nothing_in_common_is_an_empty_list_and_no_error(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.16: an empty list if no version is shared."""
    assert discover(kms, ProtocolVersion(protocol_version_major=9, protocol_version_minor=0)) == []


def test_1_0_has_no_such_operation(kms: TestKms) -> None:
    found = refusal(kms, DiscoverVersionsRequest(), version=V1_0).reason
    assert found is ResultReason.OPERATION_NOT_SUPPORTED
