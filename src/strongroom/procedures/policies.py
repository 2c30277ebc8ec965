"""Operation Policy Name (KMIP 1.x): an object names a policy that there is.

Rule: names only. What a policy allows is said by access rules, which the engine asks (`domain/rules.py`).
"""

from collections.abc import Iterable

from strongroom.domain.attribute_errors import InvalidAttributeValue
from strongroom.domain.entries import Entries
from strongroom.domain.rules import BUILT_IN_POLICIES, NamedPolicy


async def check_policies(entries: Entries, names: Iterable[str]) -> None:
    """Return if the caller's tenant has each of these policies; raises InvalidAttributeValue.

    SPEC(KMIP 1.4 §11): an incorrect attribute value, since the error tables have no line of its own for it.
    """
    for name in names:
        if name not in BUILT_IN_POLICIES and await entries.get(NamedPolicy, name) is None:
            raise InvalidAttributeValue(
                f"there is no operation policy {name!r}; leave the attribute out, or have an administrator"
                " make it (strongroom policy create)"
            )
