"""Port: hash functions."""

from typing import Protocol

from strongroom.domain.computing import Computation
from strongroom.model.structures import CryptographicParameters


class Hashing(Protocol):
    """Digests without a key."""

    def start_hash(self, parameters: CryptographicParameters, *, legacy: bool) -> Computation:
        """Return a digest in the making, of the Hashing Algorithm, or else of the Cryptographic Algorithm
        where that is a hash function (SM3, SHAKE).

        Raises BadCryptographicParameters when neither is named, UnsupportedCryptographicParameters for one
        that is not computed here, or only where `legacy` allows it (MD5).
        """
