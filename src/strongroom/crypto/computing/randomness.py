"""Random bytes.

Rule: they come from the operating system and nowhere else, and what a client offers as seed goes there too.
It mixes the data in without counting them as randomness, so that hostile data do no harm (random(4)).
"""

import secrets
from pathlib import Path
from typing import Final

from strongroom.model.secret import SecretBytes

_GENERATOR: Final = Path("/dev/urandom")

LONGEST_SEED: Final = 512
"""Bytes that are taken; more than the state of any generator holds is of no use."""


def random_bytes(length: int) -> SecretBytes:
    """Return so many fresh bytes."""
    return SecretBytes(secrets.token_bytes(length))


def mix_in(seed: SecretBytes) -> int:
    """Give the generator data of a client; return how many bytes it took, none where it takes none."""
    offered = seed.reveal()[:LONGEST_SEED]
    try:
        with _GENERATOR.open("wb", buffering=0) as generator:
            return generator.write(offered) or 0
    except OSError:
        return 0
