"""Where a client wants an object to be kept (KMIP 2.1 §7.33).

Rule: each operation that takes Protection Storage Masks asks here first, before it makes anything.
"""

from strongroom.attributes.protection import STORAGE
from strongroom.domain.key_form_errors import (
    PrivateProtectionStorageUnavailable,
    ProtectionStorageUnavailable,
    PublicProtectionStorageUnavailable,
)
from strongroom.model.structures import ProtectionStorageMasks


def require_storage(
    wanted: ProtectionStorageMasks | None,
    refusal: type[ProtectionStorageUnavailable] = ProtectionStorageUnavailable,
) -> None:
    """Return if one of the masks asks for nothing but what the server does; raises `refusal`."""
    masks = () if wanted is None else wanted.protection_storage_mask
    if masks and all(int(mask) & ~int(STORAGE) for mask in masks):
        raise refusal(
            "the server keeps objects in Software, which none of the Protection Storage Masks allows; Query"
            " Storage Protection Masks lists what there is"
        )


def require_storage_of_pair(
    common: ProtectionStorageMasks | None,
    private: ProtectionStorageMasks | None,
    public: ProtectionStorageMasks | None,
) -> None:
    """Do the same for a key pair; what is said of one key takes the place of what is said of both."""
    require_storage(common if private is None else private, PrivateProtectionStorageUnavailable)
    require_storage(common if public is None else public, PublicProtectionStorageUnavailable)
