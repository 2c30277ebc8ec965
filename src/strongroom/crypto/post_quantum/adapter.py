"""Post-quantum algorithms that `cryptography` lacks: SLH-DSA (FIPS 205) and ML-KEM-512 (FIPS 203).

Rule: pqcrypto does them where it is installed (the extra `pqc`), and never in this process: it holds the
interpreter for as long as it computes, which is seconds (`worker.py`). Without it such keys are
kept on the client's word, like all whose algorithm is unknown here. Keys are plain bytes, format Raw.
"""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Self

from cryptography.exceptions import InvalidSignature

from strongroom.crypto.post_quantum import worker
from strongroom.crypto.programs import NoAnswer, answer_of
from strongroom.domain.errors import ServerFailure
from strongroom.registry import CryptographicAlgorithm as Algorithm

INSTALLED: Final = importlib.util.find_spec("pqcrypto") is not None

_PATIENCE: Final = 60
"""Seconds until a worker that gets no processor time is given up; the slowest signature takes two."""

_ENCAPSULATION_KEY: Final = slice(768, 1568)
"""Where the public key stands in a private one of ML-KEM-512 (FIPS 203 §7.1)."""


class PostQuantumKey:
    """The bytes of a key; a class of its own for each side of each parameter set."""

    __slots__ = ("_raw",)

    algorithm: ClassVar[Algorithm]
    size: ClassVar[int]

    def __init__(self, raw: bytes) -> None:
        if len(raw) != self.size:
            raise ValueError(f"a key of this kind has {self.size} bytes, not {len(raw)}")
        self._raw = raw


class PostQuantumPublicKey(PostQuantumKey):
    """A public key."""

    __slots__ = ()

    @classmethod
    def from_public_bytes(cls, raw: bytes) -> Self:
        """Return the key that the bytes are; raises ValueError for a wrong length."""
        return cls(raw)

    def public_bytes_raw(self) -> bytes:
        """Return the bytes of the key."""
        return self._raw

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if the signature is one of the message; raises InvalidSignature. Slow."""
        if _compute(worker.VERIFY, self.algorithm, self._raw, signature, message) != worker.VALID:
            raise InvalidSignature


class PostQuantumPrivateKey(PostQuantumKey):
    """A private key; of ML-KEM-512 the whole decapsulation key, since the library takes no seeds."""

    __slots__ = ()

    public: ClassVar[type[PostQuantumPublicKey]]

    @classmethod
    def from_private_bytes(cls, raw: bytes) -> Self:
        """Return the key that the bytes are; raises ValueError for a wrong length."""
        return cls(raw)

    @classmethod
    def generate(cls) -> Self:
        """Return a fresh key; slow."""
        return cls(_compute(worker.GENERATE, cls.algorithm))

    def private_bytes_raw(self) -> bytes:
        """Return the bytes of the key."""
        return self._raw

    def public_key(self) -> PostQuantumPublicKey:
        """Return the public key, which a private one holds (FIPS 205 §9.1: as its second half)."""
        inside = _ENCAPSULATION_KEY if self.algorithm is Algorithm.ML_KEM_512 else slice(self.size // 2, None)
        return self.public(self._raw[inside])

    def sign(self, message: bytes) -> bytes:
        """Return a signature, with the empty context and fresh randomness (FIPS 205 §10.2.1); slow."""
        return _compute(worker.SIGN, self.algorithm, self._raw, message)


class Kind(NamedTuple):
    """The two sides of one parameter set."""

    private: type[PostQuantumPrivateKey]
    public: type[PostQuantumPublicKey]


def _kind(algorithm: Algorithm, public_size: int, private_size: int) -> Kind:
    public = type(
        f"{algorithm.name}_PublicKey", (PostQuantumPublicKey,), {"algorithm": algorithm, "size": public_size}
    )
    private = type(
        f"{algorithm.name}_PrivateKey",
        (PostQuantumPrivateKey,),
        {"algorithm": algorithm, "size": private_size, "public": public},
    )
    return Kind(private, public)


SIGNING: Final[Mapping[Algorithm, Kind]] = {
    algorithm: _kind(algorithm, 2 * n, 4 * n)
    for n, algorithms in {
        16: (
            Algorithm.SLH_DSA_SHA2_128S,
            Algorithm.SLH_DSA_SHA2_128F,
            Algorithm.SLH_DSA_SHAKE_128S,
            Algorithm.SLH_DSA_SHAKE_128F,
        ),
        24: (
            Algorithm.SLH_DSA_SHA2_192S,
            Algorithm.SLH_DSA_SHA2_192F,
            Algorithm.SLH_DSA_SHAKE_192S,
            Algorithm.SLH_DSA_SHAKE_192F,
        ),
        32: (
            Algorithm.SLH_DSA_SHA2_256S,
            Algorithm.SLH_DSA_SHA2_256F,
            Algorithm.SLH_DSA_SHAKE_256S,
            Algorithm.SLH_DSA_SHAKE_256F,
        ),
    }.items()
    for algorithm in algorithms
    if INSTALLED
}
"""SLH-DSA by parameter set; n is what FIPS 205 table 2 calls so."""

ENCAPSULATING: Final[Mapping[Algorithm, Kind]] = (
    {Algorithm.ML_KEM_512: _kind(Algorithm.ML_KEM_512, 800, 1632)} if INSTALLED else {}
)
"""ML-KEM by parameter set, those that `cryptography` has left out; sizes of FIPS 203 table 3."""

KINDS: Final[Mapping[Algorithm, Kind]] = {**SIGNING, **ENCAPSULATING}
"""What there is; nothing without the library."""


def _compute(task: bytes, algorithm: Algorithm, *parts: bytes) -> bytes:
    """Have a worker do one thing; raises ServerFailure when it does not."""
    given = worker.pack(task, algorithm.name.lower().encode(), *parts)
    try:
        return answer_of(Path(worker.__file__), given, patience=_PATIENCE)
    except NoAnswer:
        raise ServerFailure(f"{algorithm.name} could not be computed; tell the administrator") from None
