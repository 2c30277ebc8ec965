"""The IV/Counter/Nonce of ciphers (KMIP 1.4 §3.6, NIST SP 800-38A and 800-38D, RFC 8439).

Rule: a value that the client gave is used as it is or refused, never cut or filled up by guess. A value made
here is random and goes back to the client, since the server keeps none.
"""

import secrets
from collections.abc import Sequence
from typing import Final, NamedTuple

from strongroom.crypto.leniency import IV_LENGTH_IN_BYTES, Leniencies
from strongroom.domain.errors import (
    BadCryptographicParameters,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from strongroom.model.structures import CryptographicParameters as Parameters

_SHORTEST_IN_BITS: Final = 64
"""A smaller IV Length can only be meant in bytes where one is to be made here.

A random value that is shorter than this comes again too soon, whatever the mode allows."""

_CHACHA_COUNTERS: Final = {8: 8, 12: 4, 16: 0}
"""Bytes of nonce to bytes of counter in front of it: ChaCha as first published, RFC 8439, nothing to add."""


class IvRule(NamedTuple):
    """What a cipher takes: `sizes` in bytes, `usual` being that of a value made here when the client does not
    say how long. `cipher` is for messages."""

    cipher: str
    sizes: Sequence[int]
    usual: int

    def missing(self) -> MissingInitializationVector:
        """Return the error for a value that neither came nor may be made here."""
        return MissingInitializationVector(
            f"{self.cipher} needs an IV/Counter/Nonce; to have one made when encrypting, set Random IV"
        )

    def wrong_length(self) -> BadCryptographicParameters:
        sizes = self.sizes
        many = f"{sizes[0]} to {sizes[-1]}" if isinstance(sizes, range) else " or ".join(map(str, sizes))
        return BadCryptographicParameters(f"{self.cipher} takes an IV/Counter/Nonce of {many} bytes")


def chosen(rule: IvRule, parameters: Parameters, leniencies: Leniencies) -> bytes:
    """Return a random value of the length asked for."""
    if parameters.fixed_field_length is not None or parameters.invocation_field_length is not None:
        raise UnsupportedCryptographicParameters(
            "an IV with fixed and invocation fields is not made here; send it, or leave the fields out"
        )
    size = rule.usual
    if parameters.iv_length is not None:
        size, rest = divmod(parameters.iv_length, 8)
        if parameters.iv_length < _SHORTEST_IN_BITS:
            size, rest = parameters.iv_length, 0
            leniencies.use(IV_LENGTH_IN_BYTES)
        if rest or size not in rule.sizes:
            raise rule.wrong_length()
        if size * 8 < _SHORTEST_IN_BITS:
            raise BadCryptographicParameters(
                f"a random IV/Counter/Nonce has at least {_SHORTEST_IN_BITS} bits; leave the IV Length out"
            )
    return secrets.token_bytes(size)


def fitting(rule: IvRule, iv: bytes, parameters: Parameters, leniencies: Leniencies) -> bytes:
    """Return the value; raises BadCryptographicParameters unless its length fits cipher and parameters."""
    size = len(iv)
    if size not in rule.sizes:
        raise rule.wrong_length()
    declared = parameters.iv_length
    if declared is not None and declared != size * 8:
        if declared != size:
            raise BadCryptographicParameters(
                f"the IV Length says {declared} bits, the IV/Counter/Nonce has {size * 8}"
            )
        leniencies.use(IV_LENGTH_IN_BYTES)
    return iv


def counter_block(iv: bytes, parameters: Parameters, block_size: int) -> tuple[bytes, int]:
    """Return the first counter block of CTR, and how many bytes of data it serves.

    A value of a whole block is that block. A shorter one is the nonce in front; the counter behind it fills
    the block and starts at Initial Counter Value. Raises BadCryptographicParameters for what does not add up.
    """
    block = iv if len(iv) == block_size else iv + _counter(iv, parameters, block_size)
    bits = parameters.counter_length
    if bits is None:
        bits = block_size * 8 if block is iv else (block_size - len(iv)) * 8
    if not 0 < bits <= block_size * 8:
        raise BadCryptographicParameters(f"a counter of {bits} bits does not fit in a block")
    first = int.from_bytes(block, "big") & ((1 << bits) - 1)
    if parameters.initial_counter_value not in (None, first):
        raise BadCryptographicParameters(
            "the IV/Counter/Nonce does not start with the Initial Counter Value of the parameters"
        )
    if bits == block_size * 8:  # there is no nonce that the counter could run into
        first = 0
    return block, ((1 << bits) - first) * block_size


def _counter(nonce: bytes, parameters: Parameters, block_size: int) -> bytes:
    """Return the counter that fills the block behind a nonce."""
    size = block_size - len(nonce)
    start, bits = parameters.initial_counter_value, parameters.counter_length
    if start is None:
        raise BadCryptographicParameters(
            f"an IV/Counter/Nonce of {len(nonce)} bytes needs an Initial Counter Value to fill the block"
        )
    if bits not in (None, size * 8):
        raise BadCryptographicParameters(
            f"the Counter Length says {bits} bits, the IV/Counter/Nonce leaves {size * 8}"
        )
    if not 0 <= start < 1 << size * 8:
        raise BadCryptographicParameters(f"the Initial Counter Value does not fit in {size * 8} bits")
    return start.to_bytes(size, "big")


def chacha_block(nonce: bytes, parameters: Parameters) -> tuple[bytes, int]:
    """Return counter and nonce as the library takes them, and how many bytes of data they serve.

    The counter starts at Initial Counter Value, or at 0. In front of a nonce of 12 bytes it has 32 bits
    (RFC 8439 §2.3), in front of one of 8 bytes 64; 16 bytes have it in them already.
    """
    size = _CHACHA_COUNTERS[len(nonce)]
    start, bits = parameters.initial_counter_value, parameters.counter_length
    if size == 0:
        if start is not None or bits is not None:
            raise BadCryptographicParameters(
                "an IV/Counter/Nonce of 16 bytes has the counter in it; leave the counter's parameters out"
            )
        return nonce, (1 << 32) - int.from_bytes(nonce[:4], "little") << 6
    if bits not in (None, size * 8):
        raise BadCryptographicParameters(
            f"the Counter Length says {bits} bits, beside a nonce of {len(nonce)} bytes it has {size * 8}"
        )
    start = start or 0
    if not 0 <= start < 1 << size * 8:
        raise BadCryptographicParameters(f"the Initial Counter Value does not fit in {size * 8} bits")
    return start.to_bytes(size, "little") + nonce, (1 << size * 8) - start << 6
