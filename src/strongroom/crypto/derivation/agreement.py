"""Diffie-Hellman: the secret that a private key shares with the owner of a public key.

Rule: both keys are of one kind and, where it has parameters, in one group.
"""

from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, x448, x25519

from strongroom.crypto.keys.families import DH, EC, X448, X25519, LibraryKey, describe
from strongroom.crypto.keys.finite_field import DHPrivateKey, DHPublicKey
from strongroom.crypto.keys.opening import open_private, open_public
from strongroom.domain.errors import (
    BadCryptographicParameters,
    CryptographicFailure,
    UnsupportedCryptographicParameters,
)
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.structures import CryptographicParameters

AGREE: Final = (EC, X25519, X448, DH)
"""Kinds of keys that agree on a secret."""


def agree(private: PrivateKey, public: PublicKey, parameters: CryptographicParameters) -> bytes:
    """Return the shared secret; slow.

    Raises BadCryptographicParameters for parameters that are not for such keys, CryptographicFailure for two
    keys that do not belong together.
    """
    ours, theirs = open_private(private), open_public(public)
    found = describe(ours)
    if found is None or found.family not in AGREE:
        raise UnsupportedCryptographicParameters("keys of this kind agree on nothing")
    asked = parameters.cryptographic_algorithm
    if asked is not None and asked not in found.family.algorithms:
        raise BadCryptographicParameters("the parameters are for another kind of key")
    try:
        return _exchange(ours, theirs)
    except ValueError as error:
        raise CryptographicFailure("the two keys do not belong together") from error


def _exchange(ours: LibraryKey, theirs: LibraryKey) -> bytes:
    match ours, theirs:
        case ec.EllipticCurvePrivateKey(), ec.EllipticCurvePublicKey():
            return ours.exchange(ec.ECDH(), theirs)
        case x25519.X25519PrivateKey(), x25519.X25519PublicKey():
            return ours.exchange(theirs)
        case x448.X448PrivateKey(), x448.X448PublicKey():
            return ours.exchange(theirs)
        case DHPrivateKey(), DHPublicKey():
            return ours.exchange(theirs)
        case _:
            raise ValueError("two kinds of keys")
