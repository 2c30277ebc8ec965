"""The adapter: what the domain calls `SecretSharing`.

Rule: bytes become vectors of field elements here, and shares bytes again, in the four forms of the
specification. Limits are checked before the work, which runs on the pool. Random numbers come from the
operating system.
"""

import hmac
import secrets
from collections.abc import Callable, Mapping
from functools import reduce
from hashlib import sha256
from typing import Any, Final, NamedTuple

from strongroom.crypto.pool import Pool
from strongroom.crypto.sharing.primes import MAXIMUM_BITS, is_prime, prime_above
from strongroom.crypto.tables import check_total
from strongroom.domain.errors import BadCryptographicParameters, CryptographicFailure, ServerLimitExceeded
from strongroom.domain.galois import BytePairs, Bytes, Field, PrimeField
from strongroom.domain.sharing import reconstruct, share
from strongroom.domain.splitting import MAXIMUM_PARTS, MAXIMUM_SECRET, Scheme, Shares
from strongroom.model.objects import SplitOrigin
from strongroom.model.secret import SecretBytes
from strongroom.registry import SplitKeyMethod as Method
from strongroom.registry import SplitKeyPolynomial

MAXIMUM_WORK: Final = 1 << 26
"""Parts times threshold times bytes of one split: about a second."""

_POLYNOMIALS: Final[Mapping[SplitKeyPolynomial, int]] = {
    SplitKeyPolynomial.POLYNOMIAL_283: 283,
    SplitKeyPolynomial.POLYNOMIAL_285: 285,
}
check_total(_POLYNOMIALS, SplitKeyPolynomial, frozenset())

_SALT: Final = 16


class Splitting:
    """Everything that splits and joins; see `strongroom.domain.splitting.SecretSharing`."""

    _pool: Pool

    async def split(self, secret: SecretBytes, scheme: Scheme) -> Shares:
        """Return fresh shares."""
        if len(secret) > MAXIMUM_SECRET:
            raise ServerLimitExceeded(f"at most {MAXIMUM_SECRET} bytes are split")
        if len(secret) * scheme.parts * scheme.threshold > MAXIMUM_WORK:
            raise ServerLimitExceeded(
                "splitting this takes too long; ask for fewer parts or a lower threshold"
            )
        return await self._pool.run(split, secret, scheme)

    async def join(
        self, shares: Mapping[int, SecretBytes], scheme: Scheme, *, length: int | None
    ) -> SecretBytes:
        """Return the secret."""
        if len(shares) > MAXIMUM_PARTS:
            raise ServerLimitExceeded(f"at most {MAXIMUM_PARTS} parts are joined")
        size = max(map(len, shares.values()))
        if size > MAXIMUM_SECRET + 2:
            raise ServerLimitExceeded(f"at most {MAXIMUM_SECRET} bytes are joined")
        if size * len(shares) * scheme.threshold > MAXIMUM_WORK:
            raise ServerLimitExceeded("joining these takes too long; name no more parts than the threshold")
        return await self._pool.run(join, shares, scheme, length)

    def require_origin(self, secret: SecretBytes, origin: SplitOrigin) -> None:
        """Return if the secret is the one that was split."""
        if not hmac.compare_digest(_digest(origin.salt, secret), origin.digest_value.reveal()):
            raise CryptographicFailure("the parts do not join to what was split: one of them was altered")


def _digest(salt: bytes, secret: SecretBytes) -> bytes:
    return sha256(salt + secret.reveal()).digest()


def split(secret: SecretBytes, scheme: Scheme) -> Shares:
    """Return the shares of a secret; slow for big ones."""
    prime: int | None = None
    if scheme.method is Method.XOR:
        material = _xor_shares(secret.reveal(), scheme.parts)
    else:
        if scheme.method is Method.POLYNOMIAL_SHARING_PRIME_FIELD:
            prime = _prime_for(scheme.prime_field_size, len(secret) * 8)
        form = _FORMS[scheme.method](len(secret), scheme, prime or 0)
        random = [form.random() for _ in range(scheme.threshold - 1)]
        coefficients = [form.vector(secret.reveal()), *random]
        material = [form.bytes(share(form.field, coefficients, part)) for part in range(1, scheme.parts + 1)]
    salt = secrets.token_bytes(_SALT)
    return Shares(
        material=tuple(map(SecretBytes, material)),
        prime_field_size=prime,
        salt=salt,
        digest_value=SecretBytes(_digest(salt, secret)),
    )


def join(shares: Mapping[int, SecretBytes], scheme: Scheme, length: int | None) -> SecretBytes:
    """Return the secret of the shares; slow for big ones."""
    material = {part: value.reveal() for part, value in shares.items()}
    if scheme.method is Method.POLYNOMIAL_SHARING_PRIME_FIELD:
        return SecretBytes(_join_integers(material, scheme, length))
    sizes = set(map(len, material.values()))
    if len(sizes) > 1:
        raise CryptographicFailure("the parts have different lengths, so they are not of one split")
    (size,) = sizes
    if scheme.method is Method.XOR:
        return SecretBytes(_xor(list(material.values()), size))
    form = _FORMS[scheme.method](size, scheme, 0)
    if size != form.size or any(part > form.last for part in material):
        raise CryptographicFailure("the parts are not shares in the field of their Split Key Method")
    points = {part: form.vector(value) for part, value in material.items()}
    secret = form.bytes(reconstruct(form.field, points, scheme.threshold))
    # An odd number of bytes was filled up to whole elements.
    odd = length is not None and length == size - 1 and secret[-1] == 0 and form.filled
    return SecretBytes(secret[:-1] if odd else secret)


class _Form(NamedTuple):
    """How a method turns `size` bytes into one vector of its field and back."""

    field: Field[Any]
    size: int
    vector: Callable[[bytes], Any]
    bytes: Callable[[Any], bytes]
    random: Callable[[], Any]
    last: int
    filled: bool


def _byte_form(size: int, scheme: Scheme, prime: int) -> _Form:
    """GF(2^8): one byte an element."""
    return _Form(
        field=Bytes(size, _polynomial(scheme)),
        size=size,
        vector=_integer,
        bytes=lambda vector: vector.to_bytes(size, "big"),
        random=lambda: _integer(secrets.token_bytes(size)),
        last=255,
        filled=False,
    )


def _pair_form(size: int, scheme: Scheme, prime: int) -> _Form:
    """GF(2^16): two bytes (u, v) an element; an odd last byte is the u of a pair whose v is 0."""
    half = (size + 1) // 2

    def vector(data: bytes) -> tuple[int, int]:
        whole = data.ljust(2 * half, b"\0")
        return _integer(whole[::2]), _integer(whole[1::2])

    def to_bytes(vector: tuple[int, int]) -> bytes:
        data = bytearray(2 * half)
        data[::2], data[1::2] = (part.to_bytes(half, "big") for part in vector)
        return bytes(data)

    return _Form(
        field=BytePairs(half, _polynomial(scheme)),
        size=2 * half,
        vector=vector,
        bytes=to_bytes,
        random=lambda: vector(secrets.token_bytes(2 * half)),
        last=0xFFFF,
        filled=True,
    )


def _integer_form(size: int, scheme: Scheme, prime: int) -> _Form:
    """The prime field: the whole is one integer, the first byte the highest."""
    wide = (prime.bit_length() + 7) // 8
    return _Form(
        field=PrimeField(prime),
        size=wide,
        vector=_integer,
        bytes=lambda vector: vector.to_bytes(wide, "big"),
        random=lambda: secrets.randbelow(prime),
        last=prime - 1,
        filled=False,
    )


_FORMS: Final[Mapping[Method, Callable[[int, Scheme, int], _Form]]] = {
    Method.POLYNOMIAL_SHARING_GF_2_8: _byte_form,
    Method.POLYNOMIAL_SHARING_GF_2_16: _pair_form,
    Method.POLYNOMIAL_SHARING_PRIME_FIELD: _integer_form,
}
check_total(_FORMS, Method, frozenset({Method.XOR}))


def _integer(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _polynomial(scheme: Scheme) -> int:
    if scheme.polynomial is None:
        raise BadCryptographicParameters("the Split Key Polynomial is not known")
    return _POLYNOMIALS[scheme.polynomial]


def _xor_shares(secret: bytes, parts: int) -> list[bytes]:
    random = [secrets.token_bytes(len(secret)) for _ in range(parts - 1)]
    return [*random, _xor([secret, *random], len(secret))]


def _xor(values: list[bytes], size: int) -> bytes:
    return reduce(lambda one, other: one ^ other, map(_integer, values)).to_bytes(size, "big")


def _prime_for(given: int | None, bits: int) -> int:
    """Return the prime to split so many bits with; raises what `SecretSharing.split` raises."""
    if given is None:
        chosen = prime_above(bits)
        if chosen is None:
            raise ServerLimitExceeded("at most 2048 bits are shared in a prime field; choose GF(2^8) instead")
        return chosen
    _require_prime(given)
    # SPEC(KMIP 2.1 §13.1): Prime Field Size is a prime bigger than 2^L.
    if given >> bits == 0:
        raise BadCryptographicParameters(f"the Prime Field Size must be greater than 2^{bits}")
    return given


def _require_prime(number: int) -> None:
    if number.bit_length() > MAXIMUM_BITS:
        raise ServerLimitExceeded(f"a Prime Field Size has at most {MAXIMUM_BITS} bits")
    if not is_prime(number):
        raise BadCryptographicParameters("the Prime Field Size is not a prime")


def _join_integers(material: Mapping[int, bytes], scheme: Scheme, length: int | None) -> bytes:
    prime = scheme.prime_field_size
    if prime is None:
        raise BadCryptographicParameters("the parts have no Prime Field Size")
    _require_prime(prime)
    points = {part: _integer(value) for part, value in material.items()}
    if any(value >= prime for value in points.values()) or any(part >= prime for part in points):
        raise CryptographicFailure("the parts are not numbers below the Prime Field Size")
    secret: int = reconstruct(PrimeField(prime), points, scheme.threshold)
    natural = (prime.bit_length() - 1) // 8
    if length is not None and length <= natural and secret >> 8 * length == 0:
        natural = length
    if secret >> 8 * natural:
        raise CryptographicFailure("the parts do not join to a key: one of them was altered")
    return secret.to_bytes(natural, "big")
