"""Names of numbers, as text: the part of the XML and JSON encodings that both share, and the dump uses.

Rule: nothing here knows a message. Every refusal is a ValueError whose text never contains the value.
"""

from typing import Final

from strongroom.registry.names import TAGS

# Dates of the years 1 to 9999, in seconds: what ISO 8601 with four digits, and `datetime`, can say.
FIRST_SECOND: Final = -62_135_596_800
LAST_SECOND: Final = 253_402_300_799


TAG_CLASSES: Final = frozenset({0x42, 0x54})  # first byte of a tag: defined by KMIP, extension


def tag_name(tag: int) -> str:
    """Return the specification's element name of a tag, or its number."""
    entry = TAGS.get(tag)
    if entry is not None:
        return entry.name
    # What is no tag at all may be the bytes of a key that a lying length has laid bare.
    return f"0x{tag:06X}" if tag >> 16 in TAG_CLASSES else "?"
