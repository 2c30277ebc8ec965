"""The IV/Counter/Nonce of block ciphers (KMIP 1.4 §3.6, NIST SP 800-38A and 800-38D).

Rule: a value that the client gave is used as it is or refused, never cut or filled up by guess. A value made
here is random and goes back to the client, since the server keeps none.
"""

import secrets
from collections.abc import Mapping
from typing import Final

from strongroom.crypto.leniency import IV_LENGTH_IN_BYTES, Leniencies
from strongroom.crypto.tables import spec_name
from strongroom.domain.errors import (
    BadCryptographicParameters,
    MissingInitializationVector,
    UnsupportedCryptographicParameters,
)
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import BlockCipherMode as Mode

BLOCK: Final = 16  # bytes, of AES

_SIZES: Final[Mapping[Mode, range]] = {
    Mode.CBC: range(BLOCK, BLOCK + 1),
    Mode.CFB: range(BLOCK, BLOCK + 1),
    Mode.OFB: range(BLOCK, BLOCK + 1),
    Mode.CTR: range(1, BLOCK + 1),
    Mode.GCM: range(8, 129),  # what the library takes
}
"""Bytes that a value may have."""

_USUAL: Final[Mapping[Mode, int]] = {
    Mode.CBC: BLOCK,
    Mode.CFB: BLOCK,
    Mode.OFB: BLOCK,
    Mode.CTR: BLOCK,
    Mode.GCM: 12,
}
"""Bytes of a value made here when the client does not say how many."""

_SHORTEST_IN_BITS: Final = 64
"""A smaller IV Length can only be meant in bytes where one is to be made here.

A random value that is shorter than this comes again too soon, whatever the mode allows."""


def missing(mode: Mode) -> MissingInitializationVector:
    """Return the error for a value that neither came nor may be made here."""
    return MissingInitializationVector(
        f"mode {spec_name(mode)} needs an IV/Counter/Nonce; to have one made when encrypting, set Random IV"
    )


def chosen(mode: Mode, parameters: Parameters, leniencies: Leniencies) -> bytes:
    """Return a random value of the length asked for."""
    if parameters.fixed_field_length is not None or parameters.invocation_field_length is not None:
        raise UnsupportedCryptographicParameters(
            "an IV with fixed and invocation fields is not made here; send it, or leave the fields out"
        )
    size = _USUAL[mode]
    if parameters.iv_length is not None:
        size, rest = divmod(parameters.iv_length, 8)
        if parameters.iv_length < _SHORTEST_IN_BITS:
            size, rest = parameters.iv_length, 0
            leniencies.use(IV_LENGTH_IN_BYTES)
        if rest or size not in _SIZES[mode]:
            raise _wrong_length(mode)
        if size * 8 < _SHORTEST_IN_BITS:
            raise BadCryptographicParameters(
                f"a random IV/Counter/Nonce has at least {_SHORTEST_IN_BITS} bits; leave the IV Length out"
            )
    return secrets.token_bytes(size)


def fitting(mode: Mode, iv: bytes, parameters: Parameters, leniencies: Leniencies) -> bytes:
    """Return the value; raises BadCryptographicParameters unless its length fits mode and parameters."""
    size = len(iv)
    if size not in _SIZES[mode]:
        raise _wrong_length(mode)
    declared = parameters.iv_length
    if declared is not None and declared != size * 8:
        if declared != size:
            raise BadCryptographicParameters(
                f"the IV Length says {declared} bits, the IV/Counter/Nonce has {size * 8}"
            )
        leniencies.use(IV_LENGTH_IN_BYTES)
    return iv


def counter_block(iv: bytes, parameters: Parameters, size: int) -> bytes:
    """Return the first counter block of CTR for `size` bytes of data.

    A value of a whole block is that block. A shorter one is the nonce in front; the counter behind it fills
    the block and starts at Initial Counter Value. Raises BadCryptographicParameters for what does not add up,
    and for data so long that the counter would run into the nonce.
    """
    block = iv if len(iv) == BLOCK else iv + _counter(iv, parameters)
    bits = parameters.counter_length
    if bits is None:
        bits = BLOCK * 8 if block is iv else (BLOCK - len(iv)) * 8
    if not 0 < bits <= BLOCK * 8:
        raise BadCryptographicParameters(f"a counter of {bits} bits does not fit in a block")
    first = int.from_bytes(block, "big") & ((1 << bits) - 1)
    if parameters.initial_counter_value not in (None, first):
        raise BadCryptographicParameters(
            "the IV/Counter/Nonce does not start with the Initial Counter Value of the parameters"
        )
    if bits < BLOCK * 8 and first + -(-size // BLOCK) > 1 << bits:
        raise BadCryptographicParameters(f"the data is too long for a counter of {bits} bits")
    return block


def _counter(nonce: bytes, parameters: Parameters) -> bytes:
    """Return the counter that fills the block behind a nonce."""
    size = BLOCK - len(nonce)
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


def _wrong_length(mode: Mode) -> BadCryptographicParameters:
    sizes = _SIZES[mode]
    many = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    return BadCryptographicParameters(f"mode {spec_name(mode)} takes an IV/Counter/Nonce of {many} bytes")
