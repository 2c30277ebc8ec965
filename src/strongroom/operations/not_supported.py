"""Operations of the registry that this server does not do yet, each with the reason.

Rule: a test fails while an operation has neither a file here nor a line here. The table is to become empty.
"""

from collections.abc import Mapping
from typing import Final

_NEXT = "comes with the second part of the protocol (every operation)"

NOT_SUPPORTED: Final[Mapping[str, str]] = {
    "ReProvision": _NEXT,
}
