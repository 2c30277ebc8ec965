"""Which symmetric algorithm encrypts in which modes, and with which paddings.

Rule: it is decided by the tables here; what a mode does is `schemes.py`, and how it is used with a key is
`keyed.py`.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Final, NamedTuple

from cryptography.hazmat.decrepit.ciphers.algorithms import (
    ARC4,
    CAST5,
    IDEA,
    RC2,
    SEED,
    Blowfish,
    Camellia,
    TripleDES,
)
from cryptography.hazmat.decrepit.ciphers.modes import CFB, OFB
from cryptography.hazmat.primitives.ciphers import CipherAlgorithm as LibraryCipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES, SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.ciphers.modes import Mode as LibraryMode
from cryptography.hazmat.primitives.padding import ANSIX923, PKCS7

from strongroom.crypto.encryption.initialization import IvRule
from strongroom.crypto.encryption.parts import Padding as LibraryPadding
from strongroom.crypto.encryption.schemes import (
    SHORTEST_TAG,
    TAG,
    BlockScheme,
    CcmScheme,
    ChaChaPolyScheme,
    ChaChaScheme,
    CtrScheme,
    GcmScheme,
    KeyWrapScheme,
    Rc4Scheme,
    Scheme,
    XtsScheme,
)
from strongroom.crypto.tables import check_total, spec_name
from strongroom.domain.errors import (
    BadCryptographicParameters,
    KmipError,
    UnsupportedCryptographicParameters,
)
from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.registry import BlockCipherMode as Mode
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import PaddingMethod as Padding

_AES: Final = Algorithm.AES
_THREE_SIZES: Final = (16, 24, 32)
_TAGS: Final = range(SHORTEST_TAG, TAG + 1)


def _ecb(_: bytes) -> LibraryMode:
    return ECB()  # noqa: S305 - KMIP has it, and clients choose


def _triple_des(key: bytes) -> LibraryCipher:
    """Return 3DES with one, two or three keys (NIST SP 800-67 §3.2); with one it is DES."""
    return TripleDES((key * 3)[:24] if len(key) < 24 else key)


class _BlockMode(NamedTuple):
    """A mode without authentication that any block cipher may have."""

    make: Callable[[bytes], LibraryMode]
    padded: bool
    has_iv: bool


_BLOCK_MODES: Final[Mapping[Mode, _BlockMode]] = {
    Mode.ECB: _BlockMode(_ecb, padded=True, has_iv=False),
    Mode.CBC: _BlockMode(CBC, padded=True, has_iv=True),
    Mode.CFB: _BlockMode(CFB, padded=False, has_iv=True),  # whole blocks are fed back
    Mode.OFB: _BlockMode(OFB, padded=False, has_iv=True),
}


def _name(algorithm: Algorithm, mode: Mode) -> str:
    return f"{spec_name(algorithm)} in mode {spec_name(mode)}"


def _block_cipher(
    algorithm: Algorithm,
    cipher: Callable[[bytes], LibraryCipher],
    *,
    block: int,
    key_sizes: Collection[int],
    modes: Collection[Mode] = frozenset(_BLOCK_MODES),
    legacy: bool = False,
) -> dict[Mode | None, Scheme]:
    """Return the schemes of a block cipher in the modes of `_BLOCK_MODES` that are named."""
    made: dict[Mode | None, Scheme] = {}
    for mode in modes:
        entry, name = _BLOCK_MODES[mode], _name(algorithm, mode)
        made[mode] = BlockScheme(
            name=name,
            key_sizes=key_sizes,
            iv=IvRule(name, (block,), block) if entry.has_iv else None,
            padded=entry.padded,
            legacy=legacy,
            quick=algorithm is _AES,
            cipher=cipher,
            mode=entry.make,
            block=block,
        )
    return made


def _ctr(algorithm: Algorithm, cipher: type[AES] | type[SM4], key_sizes: Collection[int]) -> Scheme:
    name = _name(algorithm, Mode.CTR)
    rule = IvRule(name, range(1, 17), 16)
    return CtrScheme(
        name=name, key_sizes=key_sizes, iv=rule, quick=algorithm is _AES, cipher=cipher, block=16
    )


def _gcm(algorithm: Algorithm, cipher: type[AES] | type[SM4], key_sizes: Collection[int]) -> Scheme:
    name = _name(algorithm, Mode.GCM)
    rule = IvRule(name, range(8, 129), 12)  # what the library takes
    return GcmScheme(
        name=name, key_sizes=key_sizes, iv=rule, tags=_TAGS, quick=algorithm is _AES, cipher=cipher
    )


def _chacha_poly(name: str) -> Scheme:
    rule = IvRule(name, (12,), 12)
    return ChaChaPolyScheme(name=name, key_sizes=(32,), iv=rule, tags=_TAGS)


def _key_wrap(mode: Mode, *, with_padding: bool) -> Scheme:
    return KeyWrapScheme(name=_name(_AES, mode), key_sizes=_THREE_SIZES, with_padding=with_padding)


_CCM: Final = _name(_AES, Mode.CCM)
_XTS: Final = _name(_AES, Mode.XTS)

SCHEMES: Final[Mapping[Algorithm, Mapping[Mode | None, Scheme]]] = {
    Algorithm.AES: {
        **_block_cipher(_AES, AES, block=16, key_sizes=_THREE_SIZES),
        Mode.CTR: _ctr(_AES, AES, _THREE_SIZES),
        Mode.GCM: _gcm(_AES, AES, _THREE_SIZES),
        Mode.CCM: CcmScheme(
            name=_CCM,
            key_sizes=_THREE_SIZES,
            iv=IvRule(_CCM, range(7, 14), 12),
            tags=range(8, TAG + 1, 2),  # NIST SP 800-38C B.2 warns of shorter ones
            quick=True,
        ),
        Mode.XTS: XtsScheme(name=_XTS, key_sizes=(32, 64), iv=IvRule(_XTS, (16,), 16), quick=True),
        Mode.NISTKEYWRAP: _key_wrap(Mode.NISTKEYWRAP, with_padding=False),
        Mode.AESKEYWRAPPADDING: _key_wrap(Mode.AESKEYWRAPPADDING, with_padding=True),
    },
    Algorithm.CAMELLIA: _block_cipher(Algorithm.CAMELLIA, Camellia, block=16, key_sizes=_THREE_SIZES),
    Algorithm.SM4: {
        **_block_cipher(Algorithm.SM4, SM4, block=16, key_sizes=(16,)),
        Mode.CTR: _ctr(Algorithm.SM4, SM4, (16,)),
        Mode.GCM: _gcm(Algorithm.SM4, SM4, (16,)),
    },
    Algorithm.CHACHA20: {
        None: ChaChaScheme(name="ChaCha20", key_sizes=(32,), iv=IvRule("ChaCha20", (8, 12, 16), 12)),
    },
    Algorithm.CHACHA20POLY1305: dict.fromkeys((None, Mode.AEAD), _chacha_poly("ChaCha20Poly1305")),
    Algorithm.DES: _block_cipher(Algorithm.DES, _triple_des, block=8, key_sizes=(8,), legacy=True),
    Algorithm.DES3: _block_cipher(Algorithm.DES3, _triple_des, block=8, key_sizes=(16, 24), legacy=True),
    Algorithm.BLOWFISH: _block_cipher(
        Algorithm.BLOWFISH, Blowfish, block=8, key_sizes=range(4, 57), legacy=True
    ),
    Algorithm.CAST5: _block_cipher(Algorithm.CAST5, CAST5, block=8, key_sizes=range(5, 17), legacy=True),
    Algorithm.IDEA: _block_cipher(Algorithm.IDEA, IDEA, block=8, key_sizes=(16,), legacy=True),
    Algorithm.SEED: _block_cipher(Algorithm.SEED, SEED, block=16, key_sizes=(16,), legacy=True),
    Algorithm.RC2: _block_cipher(
        Algorithm.RC2, RC2, block=8, key_sizes=(16,), modes=(Mode.CBC,), legacy=True
    ),
    Algorithm.RC4: {
        None: Rc4Scheme(name="RC4", key_sizes=(5, 7, 8, 10, 16, 20, 24, 32), legacy=True, cipher=ARC4),
    },
}
"""Every symmetric cipher that is used here; the key None is an algorithm without modes."""

ASYMMETRIC: Final = frozenset({Algorithm.RSA})
"""What `rsa.py` does."""

REFUSED_ALGORITHMS: Final = frozenset({
    Algorithm.ARIA,
    Algorithm.DH,
    Algorithm.DSA,
    Algorithm.EC,
    Algorithm.ECDH,
    Algorithm.ECDSA,
    Algorithm.ECMQV,
    Algorithm.ED25519,
    Algorithm.ED448,
    Algorithm.GOST_28147_89,
    Algorithm.GOST_R_34_10_2012,
    Algorithm.GOST_R_34_11_2012,
    Algorithm.GOST_R_34_13_2015,
    Algorithm.HMAC_MD5,
    Algorithm.HMAC_SHA1,
    Algorithm.HMAC_SHA224,
    Algorithm.HMAC_SHA256,
    Algorithm.HMAC_SHA384,
    Algorithm.HMAC_SHA512,
    Algorithm.HMAC_SHA3_224,
    Algorithm.HMAC_SHA3_256,
    Algorithm.HMAC_SHA3_384,
    Algorithm.HMAC_SHA3_512,
    Algorithm.MARS,
    Algorithm.MCELIECE,
    Algorithm.MCELIECE_6960119,
    Algorithm.MCELIECE_8192128,
    Algorithm.ML_DSA_44,
    Algorithm.ML_DSA_65,
    Algorithm.ML_DSA_87,
    Algorithm.ML_KEM_512,
    Algorithm.ML_KEM_768,
    Algorithm.ML_KEM_1024,
    Algorithm.ONE_TIME_PAD,
    Algorithm.POLY1305,
    Algorithm.RC5,
    Algorithm.SHA3_224,
    Algorithm.SHA3_256,
    Algorithm.SHA3_384,
    Algorithm.SHA3_512,
    Algorithm.SHAKE_128,
    Algorithm.SHAKE_256,
    Algorithm.SKIPJACK,
    Algorithm.SLH_DSA_SHA2_128F,
    Algorithm.SLH_DSA_SHA2_128S,
    Algorithm.SLH_DSA_SHA2_192F,
    Algorithm.SLH_DSA_SHA2_192S,
    Algorithm.SLH_DSA_SHA2_256F,
    Algorithm.SLH_DSA_SHA2_256S,
    Algorithm.SLH_DSA_SHAKE_128F,
    Algorithm.SLH_DSA_SHAKE_128S,
    Algorithm.SLH_DSA_SHAKE_192F,
    Algorithm.SLH_DSA_SHAKE_192S,
    Algorithm.SLH_DSA_SHAKE_256F,
    Algorithm.SLH_DSA_SHAKE_256S,
    Algorithm.SM2,
    Algorithm.SM3,
    Algorithm.SPHINCS_256,
    Algorithm.TWOFISH,
    Algorithm.XMSS,
})  # fmt: skip
"""What encrypts nothing, or is not in the library."""

check_total(set(SCHEMES) | ASYMMETRIC, Algorithm, REFUSED_ALGORITHMS)

REFUSED_MODES: Final = frozenset({
    Mode.PCBC,
    Mode.CMAC,
    Mode.CBC_MAC,
    Mode.X9_102_AESKW,
    Mode.X9_102_TDKW,
    Mode.X9_102_AKW1,
    Mode.X9_102_AKW2,
})  # fmt: skip
"""What encrypts nothing, or is not in the library."""

check_total({mode for made in SCHEMES.values() for mode in made if mode is not None}, Mode, REFUSED_MODES)

PADDINGS: Final[Mapping[Padding, LibraryPadding | None]] = {
    Padding.NONE: None,
    Padding.PKCS5: PKCS7,  # the same rule, for blocks of any length
    Padding.ANSI_X9_23: ANSIX923,
}

REFUSED_PADDINGS: Final = frozenset({
    Padding.OAEP,
    Padding.SSL3,
    Padding.ZEROS,
    Padding.ISO_10126,
    Padding.PKCS1_V1_5,
    Padding.X9_31,
    Padding.PSS,
})  # fmt: skip
"""What is no padding of symmetric ciphers, or is not in the library."""

check_total(PADDINGS, Padding, REFUSED_PADDINGS)

# Looking a member up in its class costs more than comparing with it, and this is the hot path.
_AES_SCHEMES: Final = SCHEMES[_AES]
_NO_SCHEMES: Final[Mapping[Mode | None, Scheme]] = {}


def scheme_of(algorithm: Algorithm, parameters: Parameters, *, legacy: bool) -> Scheme:
    """Return how the algorithm works in the mode of the parameters; raises KmipError."""
    mode = parameters.block_cipher_mode
    schemes = _AES_SCHEMES if algorithm is _AES else SCHEMES.get(algorithm, _NO_SCHEMES)
    scheme = schemes.get(mode)
    if scheme is None:
        raise _no_scheme(algorithm, mode, schemes)
    if scheme.legacy and not legacy:
        raise UnsupportedCryptographicParameters(
            f"{spec_name(algorithm)} is too weak to be used here; keys of it are only kept,"
            ' unless the administrator sets legacy = "on" in the [policy] section'
        )
    return scheme


def _no_scheme(algorithm: Algorithm, mode: Mode | None, schemes: Mapping[Mode | None, Scheme]) -> KmipError:
    name = spec_name(algorithm)
    if not schemes:
        return UnsupportedCryptographicParameters(f"nothing is encrypted with {name} keys here")
    if mode is None:
        return BadCryptographicParameters(f"{name} needs a Block Cipher Mode, in the request or at the key")
    if None in schemes and mode not in REFUSED_MODES:
        return BadCryptographicParameters(f"{name} has no Block Cipher Mode; leave it out")
    return UnsupportedCryptographicParameters(f"{name} is not used in mode {spec_name(mode)} here")
