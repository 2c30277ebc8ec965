"""Proof that an RSA private key is one.

Rule: every RSA key from outside passes here before it is stored; of a public key, only bounds are checked.

The library checks a key when it loads it, primes included, and holds the interpreter meanwhile: 40 ms at
2048 bits, 2 s at 8192, in which no other request moves, whatever thread the work is on. So keys are loaded
without that check and checked here instead: the numbers must fulfil every equation of PKCS#1, and the key
must sign so that its public half verifies, which takes less than 1 ms at 2048 bits and lets others run. With
a P or Q that is not prime the exponents do not undo each other, and the signature does not verify.
(Carmichael numbers pass. Such a key works; who makes one on purpose weakens nobody else's.)
"""

from math import gcd

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from strongroom.crypto.keys.transparent import MAXIMUM_BITS

_MESSAGE = b"Strongroom checks an RSA key"
_LONGEST_EXPONENT = 256  # bits; FIPS 186-5 §5.4 allows no longer public exponent


def check(key: rsa.RSAPrivateKey) -> None:
    """Raise ValueError unless the numbers of the key belong together and the key works."""
    numbers = key.private_numbers()
    _check_numbers(numbers)
    try:
        key.public_key().verify(key.sign(_MESSAGE, PKCS1v15(), SHA256()), _MESSAGE, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise ValueError("the two halves of the RSA key do not undo each other") from None


def check_public(key: rsa.RSAPublicKey) -> None:
    """Raise ValueError for a public key that takes long to work with."""
    numbers = key.public_numbers()
    _check_bounds(numbers.n, numbers.e)


def _check_bounds(n: int, e: int) -> None:
    if n.bit_length() > MAXIMUM_BITS or not 1 < e.bit_length() <= _LONGEST_EXPONENT or not e & 1 or not n & 1:
        raise ValueError("the RSA modulus or public exponent is out of bounds")


def _check_numbers(numbers: rsa.RSAPrivateNumbers) -> None:
    n, e = numbers.public_numbers.n, numbers.public_numbers.e
    p, q, d = numbers.p, numbers.q, numbers.d
    _check_bounds(n, e)
    if p < 3 or q < 3 or p == q or not p & q & 1 or p * q != n:
        raise ValueError("P and Q are not the factors of the RSA modulus")
    order = (p - 1) // gcd(p - 1, q - 1) * (q - 1)
    if not 1 < d < n or d * e % order != 1:
        raise ValueError("the RSA exponents are not each other's inverse")
    if numbers.dmp1 != d % (p - 1) or numbers.dmq1 != d % (q - 1):
        raise ValueError("the RSA prime exponents do not follow from the private exponent")
    if not 0 < numbers.iqmp < p or numbers.iqmp * q % p != 1:
        raise ValueError("the RSA CRT coefficient is not the inverse of Q modulo P")
