"""When a key may be used (KMIP 1.4 §3.22-3.27, 2.1 §4.57).

Rule: usage mask, state, dates and usage limits are checked, and uses counted, here, for every operation that
uses key material on the server.
"""

from datetime import datetime
from enum import Enum
from typing import Final

from strongroom.domain.errors import (
    IncompatibleCryptographicUsageMask,
    InvalidObjectType,
    NotUsableForProtection,
    PermissionDenied,
    WrongKeyLifecycleState,
)
from strongroom.domain.objects import ManagedObject
from strongroom.model.structures import UsageLimits
from strongroom.registry import CryptographicUsageMask, State, Tag, UsageLimitsUnit

_UNRESTRICTED: Final = int(CryptographicUsageMask.UNRESTRICTED)
"""The bit that says that the mask restricts nothing (KMIP 2.1 §12.1, new in 2.0)."""


_PROCESSING: Final = int(
    CryptographicUsageMask.VERIFY
    | CryptographicUsageMask.DECRYPT
    | CryptographicUsageMask.UNWRAP_KEY
    | CryptographicUsageMask.MAC_VERIFY
    | CryptographicUsageMask.VALIDATE_CRYPTOGRAM
    | CryptographicUsageMask.TRANSLATE_DECRYPT
    | CryptographicUsageMask.TRANSLATE_UNWRAP
    | CryptographicUsageMask.FPE_DECRYPT
    | CryptographicUsageMask.EXPORT
)
"""Uses that protect nothing."""


class Use(Enum):
    """The two kinds of cryptographic use, with the states that allow them."""

    PROTECT = frozenset({State.ACTIVE})
    """Encrypt, sign, wrap, MAC, derive."""
    PROCESS = frozenset({State.ACTIVE, State.DEACTIVATED, State.COMPROMISED})
    """Decrypt, verify, unwrap: what was protected must stay readable after the key was retired."""

    def __init__(self, states: frozenset[State]) -> None:
        self.states = states


def require(key: ManagedObject, mask: CryptographicUsageMask, use: Use, now: datetime) -> None:
    """Return if the key may be used so now; raises the KmipError that says why not."""
    if key.state is None:
        raise InvalidObjectType(f"a {key.object_type.name.replace('_', ' ').title()} is not a key")
    allowed = key.value(Tag.CRYPTOGRAPHIC_USAGE_MASK) or 0
    # As numbers: the enumeration's own operator is slow.
    if not int.__and__(allowed, mask) and not int.__and__(allowed, _UNRESTRICTED):
        wanted = (mask.name or str(mask)).replace("_", " ").title()
        raise IncompatibleCryptographicUsageMask(f"the Cryptographic Usage Mask of the key lacks {wanted}")
    if key.state not in use.states:
        state = key.state.name.replace("_", " ").title()
        cure = "; activate it first" if key.state is State.PRE_ACTIVE else ""
        raise WrongKeyLifecycleState(f"the key is {state}{cure}")
    if use is Use.PROCESS:
        start = key.value(Tag.PROCESS_START_DATE)
        if start is not None and now < start:
            raise WrongKeyLifecycleState("the Process Start Date of the key is not reached")
    else:
        stop = key.value(Tag.PROTECT_STOP_DATE)
        if stop is not None and now >= stop:
            raise WrongKeyLifecycleState("the Protect Stop Date of the key has passed")


def require_protecting(key: ManagedObject, now: datetime) -> None:
    """Return if somebody may protect data with the key now; raises NotUsableForProtection.

    An empty mask says nothing of those who use the key elsewhere.
    """
    mask = int(key.value(Tag.CRYPTOGRAPHIC_USAGE_MASK) or 0)
    if mask and not mask & ~_PROCESSING:
        raise NotUsableForProtection("the Cryptographic Usage Mask of the object allows no protection")
    stop = key.value(Tag.PROTECT_STOP_DATE)
    if key.state not in Use.PROTECT.states or (stop is not None and stop <= now):
        raise NotUsableForProtection("the object cannot be used for applying protection at this time")


def count(key: ManagedObject, counter: Tag) -> None:
    """Count a use of a key that counts its uses (3.0); the others have no counter, and nothing to write."""
    so_far: int | None = key.value(counter)
    if so_far is not None:
        key.set(counter, so_far + 1)


def spend(key: ManagedObject, size: int, *, again: bool = False) -> None:
    """Count a protecting use of `size` bytes against the Usage Limits; raises PermissionDenied.

    A use costs a byte at least: what makes a tag, a MAC or a signature of nothing protects all the same.
    `again`: another part of a use that was counted already, so that only its bytes are.
    SPEC(KMIP 1.4 §3.21): limits concern applying protection only; without limits there is nothing to count.
    """
    limits: UsageLimits | None = key.value(Tag.USAGE_LIMITS)
    if limits is None:
        return
    of_use = 0 if again else 1
    amount = max(size, of_use) if limits.usage_limits_unit is UsageLimitsUnit.BYTE else of_use
    if amount == 0:
        return
    left = limits.usage_limits_total if limits.usage_limits_count is None else limits.usage_limits_count
    if amount > left:
        # SPEC(KMIP 2.1 §6.1.18): Usage Limit Exceeded is allowed too; test cases of every version say this.
        raise PermissionDenied("the Usage Limits of the key are used up")
    key.set(Tag.USAGE_LIMITS, limits.replace(usage_limits_count=left - amount))
