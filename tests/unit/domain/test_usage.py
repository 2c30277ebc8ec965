"""When a key may be used (KMIP 2.1 §4.17 and §12.1)."""

from datetime import UTC, datetime

import pytest

from strongroom.domain.errors import IncompatibleCryptographicUsageMask
from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.domain.objects import ManagedObject
from strongroom.domain.usage import Use, require
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.registry import CryptographicUsageMask as Mask
from strongroom.registry import ObjectType, State, Tag

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def key(mask: Mask) -> ManagedObject:
    made = ManagedObject(
        unique_identifier=UniqueIdentifier("1"),
        object_type=ObjectType.SYMMETRIC_KEY,
        tenant=DEFAULT_TENANT,
        owner=1,
        sequence=1,
        state=State.ACTIVE,
    )
    made.set(Tag.CRYPTOGRAPHIC_USAGE_MASK, mask)
    return made


@pytest.mark.parametrize("wanted", list(Mask))
def test_the_unrestricted_bit_stands_for_every_use(wanted: Mask) -> None:
    """KMIP 2.0 §12.1: the mask contains no usage restrictions."""
    require(key(Mask.UNRESTRICTED), wanted, Use.PROTECT, NOW)
    require(key(Mask.UNRESTRICTED | Mask.SIGN), wanted, Use.PROTECT, NOW)


def test_a_use_needs_its_bit() -> None:
    require(key(Mask.ENCRYPT | Mask.DECRYPT), Mask.DECRYPT, Use.PROCESS, NOW)
    with pytest.raises(IncompatibleCryptographicUsageMask, match="lacks Wrap Key"):
        require(key(Mask.ENCRYPT | Mask.DECRYPT), Mask.WRAP_KEY, Use.PROTECT, NOW)
