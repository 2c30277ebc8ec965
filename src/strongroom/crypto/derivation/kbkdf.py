"""Key derivation of NIST SP 800-108r1: counter, feedback and double-pipeline mode.

Rule: the specification leaves the encoding open. Here i and L are 32 bits, big-endian, i stands before the
fixed input data and is used in all three modes, as OpenSSL and Botan have it too (docs/decisions/0019). The
library has the first mode only, so all three are put together from its HMAC and CMAC; a test compares.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.poly1305 import Poly1305

from strongroom.domain.errors import UnsupportedCryptographicParameters

PRF: TypeAlias = Callable[[bytes], bytes]
Mode: TypeAlias = Callable[[PRF, bytes, bytes, int], bytes]
"""From pseudorandom function, fixed input data, initialization vector and size in bytes to the key."""

_NUMBER: Final = 4  # bytes of i and of L


def prf_of(context: HMAC | CMAC | Poly1305) -> PRF:
    """Return the pseudorandom function that a fresh MAC computation is."""
    if isinstance(context, Poly1305):
        raise UnsupportedCryptographicParameters("Poly1305 is no pseudorandom function; use HMAC or CMAC")

    def prf(data: bytes) -> bytes:
        one = context.copy()
        one.update(data)
        return one.finalize()

    return prf


def fixed_input(data: bytes, size: int) -> bytes:
    """Return Label || 0x00 || Context || L; the client's Derivation Data are all but L (KMIP 2.1 §7.12)."""
    return data + (8 * size).to_bytes(_NUMBER)


def counter(prf: PRF, fixed: bytes, iv: bytes, size: int) -> bytes:
    """SP 800-108r1 §4.1: K(i) = PRF(i || fixed)."""
    output = b""
    index = 0
    while len(output) < size:
        index += 1
        output += prf(index.to_bytes(_NUMBER) + fixed)
    return output[:size]


def feedback(prf: PRF, fixed: bytes, iv: bytes, size: int) -> bytes:
    """SP 800-108r1 §4.2: K(i) = PRF(K(i-1) || i || fixed), K(0) = IV."""
    output, last = b"", iv
    index = 0
    while len(output) < size:
        index += 1
        last = prf(last + index.to_bytes(_NUMBER) + fixed)
        output += last
    return output[:size]


def double_pipeline(prf: PRF, fixed: bytes, iv: bytes, size: int) -> bytes:
    """SP 800-108r1 §4.3: K(i) = PRF(A(i) || i || fixed), A(i) = PRF(A(i-1)), A(0) = fixed."""
    output, pipe = b"", fixed
    index = 0
    while len(output) < size:
        index += 1
        pipe = prf(pipe)
        output += prf(pipe + index.to_bytes(_NUMBER) + fixed)
    return output[:size]
