"""KMIP protocol versions.

Rule: the versions and their order live here; nothing else in the code spells a version number.
"""

from typing import Final, NamedTuple


class Version(NamedTuple):
    """A KMIP protocol version; compares in release order."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


V1_0: Final = Version(1, 0)
V1_1: Final = Version(1, 1)
V1_2: Final = Version(1, 2)
V1_3: Final = Version(1, 3)
V1_4: Final = Version(1, 4)
V2_0: Final = Version(2, 0)
V2_1: Final = Version(2, 1)
V3_0: Final = Version(3, 0)

VERSIONS: Final = (V1_0, V1_1, V1_2, V1_3, V1_4, V2_0, V2_1, V3_0)
NEWEST: Final = VERSIONS[-1]


def parse_version(text: str) -> Version:
    """Return the supported version written as `1.4`; raises ValueError for any other text."""
    for version in VERSIONS:
        if str(version) == text:
            return version
    raise ValueError(f"{text!r} is not a KMIP version; choose one of {', '.join(map(str, VERSIONS))}")
