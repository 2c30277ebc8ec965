"""Where two versions give the same thing different shapes.

Rule: pairs of shapes only, as tables; the code that applies them is in `attribute_list.py` and `forms.py`.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from strongroom.registry import CryptographicAlgorithm, KeyFormatType, LinkType, Tag

LINK_TAGS: Final[Mapping[LinkType, Tag]] = {
    LinkType.CERTIFICATE_LINK: Tag.CERTIFICATE_LINK,
    LinkType.PUBLIC_KEY_LINK: Tag.PUBLIC_KEY_LINK,
    LinkType.PRIVATE_KEY_LINK: Tag.PRIVATE_KEY_LINK,
    LinkType.DERIVATION_BASE_OBJECT_LINK: Tag.DERIVATION_OBJECT_LINK,
    LinkType.DERIVED_KEY_LINK: Tag.DERIVED_OBJECT_LINK,
    LinkType.REPLACEMENT_OBJECT_LINK: Tag.REPLACEMENT_OBJECT_LINK,
    LinkType.REPLACED_OBJECT_LINK: Tag.REPLACED_OBJECT_LINK,
    LinkType.PARENT_LINK: Tag.PARENT_LINK,
    LinkType.CHILD_LINK: Tag.CHILD_LINK,
    LinkType.PREVIOUS_LINK: Tag.PREVIOUS_LINK,
    LinkType.NEXT_LINK: Tag.NEXT_LINK,
    LinkType.PKCS_12_CERTIFICATE_LINK: Tag.PKCS_12_CERTIFICATE_LINK,
    LinkType.PKCS_12_PASSWORD_LINK: Tag.PKCS_12_PASSWORD_LINK,
    LinkType.WRAPPING_KEY_LINK: Tag.WRAPPING_KEY_LINK,
}
"""Link with a Link Type (until 2.1) and the tag that says the same from 3.0 on."""

LINK_TYPES: Final[Mapping[int, LinkType]] = {tag: link_type for link_type, tag in LINK_TAGS.items()}

TEXT_SINCE_3_0: Final[Mapping[Tag, str]] = {
    Tag.NAME: "name_value",
    Tag.ROTATE_NAME: "rotate_name_value",
}
"""Attributes that are structures until 2.1 and the text of this field from 3.0 on."""

STAND_INS: Final[Mapping[type[IntEnum], Mapping[int, int]]] = {
    # Elliptic curve keys are one algorithm since 1.2; before, ECDSA and ECDH were told apart.
    CryptographicAlgorithm: {CryptographicAlgorithm.EC: CryptographicAlgorithm.ECDSA},
    # The same for their spelt-out formats, which are one since 1.3 and only one since 2.0.
    KeyFormatType: {
        KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY: KeyFormatType.TRANSPARENT_ECDSA_PRIVATE_KEY,
        KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY: KeyFormatType.TRANSPARENT_ECDSA_PUBLIC_KEY,
        KeyFormatType.TRANSPARENT_ECDSA_PRIVATE_KEY: KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY,
        KeyFormatType.TRANSPARENT_ECDSA_PUBLIC_KEY: KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY,
        KeyFormatType.TRANSPARENT_ECDH_PRIVATE_KEY: KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY,
        KeyFormatType.TRANSPARENT_ECDH_PUBLIC_KEY: KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY,
        KeyFormatType.TRANSPARENT_ECMQV_PRIVATE_KEY: KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY,
        KeyFormatType.TRANSPARENT_ECMQV_PUBLIC_KEY: KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY,
    },
}
"""Enumeration values and what stands for them in a version that does not define them."""
