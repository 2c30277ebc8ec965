"""Mechanisms: the Cryptographic Parameters of KMIP that say the same.

Rule: one table; a mechanism that is not in it is not offered. Reading a parameter raises PKCS11CodecError or
Failure, whoever calls.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.model.structures import CryptographicParameters as Parameters
from strongroom.operations.pkcs11.codec import Reader
from strongroom.operations.pkcs11.constants import CKF, CKM, HKDF_SALT_DATA, HKDF_SALT_NULL
from strongroom.operations.pkcs11.failure import Failure
from strongroom.registry import BlockCipherMode as Mode
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import HashingAlgorithm as Hash
from strongroom.registry import MaskGenerator, PaddingMethod
from strongroom.registry import PKCS11ReturnCode as Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a mechanism and its parameter come to."""

    parameters: Parameters
    iv: bytes | None = None
    additional_data: bytes | None = None
    tag: int = 0
    """Bytes of the tag, which PKCS#11 puts behind the ciphertext."""
    mac: bool = False
    """Sign and Verify mean MAC and MAC Verify."""
    digested: bool = False
    """What is signed is a digest already."""
    elliptic: bool = False
    """The signature is two numbers of equal length."""
    salt: bytes | None = None
    info: bytes | None = None
    """Of a derivation."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A mechanism that is offered; key sizes in the unit that PKCS#11 has for it."""

    flags: CKF
    shortest: int
    longest: int
    read: Callable[[bytes | None], Settings]


def settings_of(number: int, parameter: bytes | None, flag: CKF) -> Settings:
    """Return what a mechanism means for one use; raises Failure."""
    offer = MECHANISMS.get(number)
    if offer is None or not offer.flags & flag:
        raise Failure(Code.CKR_MECHANISM_INVALID)
    return offer.read(parameter)


def _without_parameter(settings: Settings) -> Callable[[bytes | None], Settings]:
    def read(parameter: bytes | None) -> Settings:
        if parameter:
            raise Failure(Code.CKR_MECHANISM_PARAM_INVALID)
        return settings

    return read


def _reader(parameter: bytes | None) -> Reader:
    if parameter is None:
        raise Failure(Code.CKR_MECHANISM_PARAM_INVALID)
    return Reader(parameter)


def _cbc(padding: PaddingMethod) -> Callable[[bytes | None], Settings]:
    def read(parameter: bytes | None) -> Settings:
        source = _reader(parameter)
        iv = source.data()
        source.end()
        return Settings(
            parameters=Parameters(
                block_cipher_mode=Mode.CBC, padding_method=padding, cryptographic_algorithm=Algorithm.AES
            ),
            iv=iv,
        )

    return read


def _ctr(parameter: bytes | None) -> Settings:
    """CK_AES_CTR_PARAMS; the whole block is the counter, as everywhere in KMIP."""
    source = _reader(parameter)
    bits = source.ulong()
    block = bytes(source.byte() for _ in range(16))
    source.end()
    if bits != 128:
        raise Failure(Code.CKR_MECHANISM_PARAM_INVALID)
    return Settings(
        parameters=Parameters(block_cipher_mode=Mode.CTR, cryptographic_algorithm=Algorithm.AES), iv=block
    )


def _gcm(parameter: bytes | None) -> Settings:
    """CK_GCM_PARAMS."""
    source = _reader(parameter)
    iv, _bits = source.data(), source.ulong()
    additional_data, tag_bits = source.data(), source.ulong()
    source.end()
    if tag_bits % 8 or not 0 < tag_bits <= 128:
        raise Failure(Code.CKR_MECHANISM_PARAM_INVALID)
    return Settings(
        parameters=Parameters(
            block_cipher_mode=Mode.GCM, cryptographic_algorithm=Algorithm.AES, tag_length=tag_bits // 8
        ),
        iv=iv,
        additional_data=additional_data or None,
        tag=tag_bits // 8,
    )


_HASHES: Final[Mapping[int, Hash]] = {
    CKM.SHA_1: Hash.SHA_1,
    CKM.SHA224: Hash.SHA_224,
    CKM.SHA256: Hash.SHA_256,
    CKM.SHA384: Hash.SHA_384,
    CKM.SHA512: Hash.SHA_512,
    CKM.SHA3_224: Hash.SHA3_224,
    CKM.SHA3_256: Hash.SHA3_256,
    CKM.SHA3_384: Hash.SHA3_384,
    CKM.SHA3_512: Hash.SHA3_512,
}
_GENERATORS: Final[Mapping[int, Hash]] = {
    1: Hash.SHA_1,
    2: Hash.SHA_256,
    3: Hash.SHA_384,
    4: Hash.SHA_512,
    5: Hash.SHA_224,
}
"""CKG_MGF1_..."""


def _known(table: Mapping[int, Hash], number: int) -> Hash:
    found = table.get(number)
    if found is None:
        raise Failure(Code.CKR_MECHANISM_PARAM_INVALID)
    return found


def _oaep(parameter: bytes | None) -> Settings:
    """CK_RSA_PKCS_OAEP_PARAMS."""
    source = _reader(parameter)
    hashing, generator = _known(_HASHES, source.ulong()), _known(_GENERATORS, source.ulong())
    source.ulong()
    label = source.data()
    source.end()
    return Settings(
        parameters=Parameters(
            padding_method=PaddingMethod.OAEP,
            hashing_algorithm=hashing,
            cryptographic_algorithm=Algorithm.RSA,
            mask_generator=MaskGenerator.MGF1,
            mask_generator_hashing_algorithm=generator,
            p_source=label or None,
        )
    )


def _pss(fixed: Hash | None) -> Callable[[bytes | None], Settings]:
    """CK_RSA_PKCS_PSS_PARAMS; `fixed` is the hash function that the mechanism computes itself."""

    def read(parameter: bytes | None) -> Settings:
        source = _reader(parameter)
        hashing, generator = _known(_HASHES, source.ulong()), _known(_GENERATORS, source.ulong())
        salt = source.ulong()
        source.end()
        if salt > _LONGEST_SALT or fixed not in (None, hashing):
            raise Failure(Code.CKR_MECHANISM_PARAM_INVALID)
        return Settings(
            parameters=Parameters(
                padding_method=PaddingMethod.PSS,
                hashing_algorithm=hashing,
                cryptographic_algorithm=Algorithm.RSA,
                salt_length=salt,
                mask_generator=MaskGenerator.MGF1,
                mask_generator_hashing_algorithm=generator,
            ),
            digested=fixed is None,
        )

    return read


_LONGEST_SALT: Final = 1 << 16


def _rsa(hashing: Hash | None) -> Callable[[bytes | None], Settings]:
    return _without_parameter(
        Settings(
            parameters=Parameters(
                padding_method=PaddingMethod.PKCS1_V1_5,
                hashing_algorithm=hashing,
                cryptographic_algorithm=Algorithm.RSA,
            ),
            digested=hashing is None,
        )
    )


def _ecdsa(hashing: Hash | None) -> Offer:
    settings = Settings(
        parameters=Parameters(hashing_algorithm=hashing, cryptographic_algorithm=Algorithm.ECDSA),
        digested=hashing is None,
        elliptic=True,
    )
    return Offer(_SIGNING, *_CURVE_SIZES, _without_parameter(settings))


def _hkdf(parameter: bytes | None) -> Settings:
    """CK_HKDF_PARAMS; the two steps are one in KMIP, and the salt is no key."""
    source = _reader(parameter)
    both = source.flag() & source.flag()
    hashing, salt_type = _known(_HASHES, source.ulong()), source.ulong()
    salt, _salt_key, info = source.data(), source.ulong(), source.data()
    source.end()
    if not both or salt_type not in (HKDF_SALT_NULL, HKDF_SALT_DATA):
        raise Failure(Code.CKR_MECHANISM_PARAM_INVALID)
    return Settings(
        parameters=Parameters(hashing_algorithm=hashing),
        salt=salt if salt_type == HKDF_SALT_DATA else None,
        info=info or None,
    )


def _key_wrap(mode: Mode) -> Offer:
    settings = Settings(parameters=Parameters(block_cipher_mode=mode))
    return Offer(_WRAPPING, *_AES_SIZES, _without_parameter(settings))


def _hmac(algorithm: Algorithm) -> Offer:
    settings = Settings(parameters=Parameters(cryptographic_algorithm=algorithm), mac=True)
    return Offer(_SIGNING, 8, 8192, _without_parameter(settings))


def _digest(hashing: Hash) -> Offer:
    settings = Settings(parameters=Parameters(hashing_algorithm=hashing))
    return Offer(CKF.DIGEST, 0, 0, _without_parameter(settings))


_CIPHER: Final = CKF.ENCRYPT | CKF.DECRYPT
_SIGNING: Final = CKF.SIGN | CKF.VERIFY
_WRAPPING: Final = CKF.WRAP | CKF.UNWRAP
_AES_SIZES: Final = (16, 32)
_RSA_SIZES: Final = (1024, 8192)
_CURVE_SIZES: Final = (192, 521)
_NOTHING: Final = _without_parameter(Settings(parameters=Parameters()))

MECHANISMS: Final[Mapping[int, Offer]] = {
    CKM.AES_KEY_GEN: Offer(CKF.GENERATE, *_AES_SIZES, _NOTHING),
    CKM.GENERIC_SECRET_KEY_GEN: Offer(CKF.GENERATE, 8, 8192, _NOTHING),
    CKM.RSA_PKCS_KEY_PAIR_GEN: Offer(CKF.GENERATE_KEY_PAIR, *_RSA_SIZES, _NOTHING),
    CKM.EC_KEY_PAIR_GEN: Offer(CKF.GENERATE_KEY_PAIR, *_CURVE_SIZES, _NOTHING),
    CKM.AES_ECB: Offer(
        _CIPHER,
        *_AES_SIZES,
        _without_parameter(
            Settings(
                parameters=Parameters(
                    block_cipher_mode=Mode.ECB,
                    padding_method=PaddingMethod.NONE,
                    cryptographic_algorithm=Algorithm.AES,
                )
            )
        ),
    ),
    CKM.AES_CBC: Offer(_CIPHER, *_AES_SIZES, _cbc(PaddingMethod.NONE)),
    CKM.AES_CBC_PAD: Offer(_CIPHER, *_AES_SIZES, _cbc(PaddingMethod.PKCS5)),
    CKM.AES_CTR: Offer(_CIPHER, *_AES_SIZES, _ctr),
    CKM.AES_GCM: Offer(_CIPHER, *_AES_SIZES, _gcm),
    CKM.AES_CMAC: Offer(
        _SIGNING,
        *_AES_SIZES,
        _without_parameter(
            Settings(
                parameters=Parameters(block_cipher_mode=Mode.CMAC, cryptographic_algorithm=Algorithm.AES),
                mac=True,
            )
        ),
    ),
    CKM.HKDF_DERIVE: Offer(CKF.DERIVE, 0, 0, _hkdf),
    CKM.AES_KEY_WRAP: _key_wrap(Mode.NISTKEYWRAP),
    CKM.AES_KEY_WRAP_KWP: _key_wrap(Mode.AESKEYWRAPPADDING),
    CKM.RSA_PKCS: Offer(_CIPHER | _SIGNING | _WRAPPING, *_RSA_SIZES, _rsa(None)),
    CKM.RSA_PKCS_OAEP: Offer(_CIPHER | _WRAPPING, *_RSA_SIZES, _oaep),
    CKM.SHA1_RSA_PKCS: Offer(_SIGNING, *_RSA_SIZES, _rsa(Hash.SHA_1)),
    CKM.SHA224_RSA_PKCS: Offer(_SIGNING, *_RSA_SIZES, _rsa(Hash.SHA_224)),
    CKM.SHA256_RSA_PKCS: Offer(_SIGNING, *_RSA_SIZES, _rsa(Hash.SHA_256)),
    CKM.SHA384_RSA_PKCS: Offer(_SIGNING, *_RSA_SIZES, _rsa(Hash.SHA_384)),
    CKM.SHA512_RSA_PKCS: Offer(_SIGNING, *_RSA_SIZES, _rsa(Hash.SHA_512)),
    CKM.RSA_PKCS_PSS: Offer(_SIGNING, *_RSA_SIZES, _pss(None)),
    CKM.SHA1_RSA_PKCS_PSS: Offer(_SIGNING, *_RSA_SIZES, _pss(Hash.SHA_1)),
    CKM.SHA224_RSA_PKCS_PSS: Offer(_SIGNING, *_RSA_SIZES, _pss(Hash.SHA_224)),
    CKM.SHA256_RSA_PKCS_PSS: Offer(_SIGNING, *_RSA_SIZES, _pss(Hash.SHA_256)),
    CKM.SHA384_RSA_PKCS_PSS: Offer(_SIGNING, *_RSA_SIZES, _pss(Hash.SHA_384)),
    CKM.SHA512_RSA_PKCS_PSS: Offer(_SIGNING, *_RSA_SIZES, _pss(Hash.SHA_512)),
    CKM.ECDSA: _ecdsa(None),
    CKM.ECDSA_SHA1: _ecdsa(Hash.SHA_1),
    CKM.ECDSA_SHA224: _ecdsa(Hash.SHA_224),
    CKM.ECDSA_SHA256: _ecdsa(Hash.SHA_256),
    CKM.ECDSA_SHA384: _ecdsa(Hash.SHA_384),
    CKM.ECDSA_SHA512: _ecdsa(Hash.SHA_512),
    CKM.SHA_1_HMAC: _hmac(Algorithm.HMAC_SHA1),
    CKM.SHA224_HMAC: _hmac(Algorithm.HMAC_SHA224),
    CKM.SHA256_HMAC: _hmac(Algorithm.HMAC_SHA256),
    CKM.SHA384_HMAC: _hmac(Algorithm.HMAC_SHA384),
    CKM.SHA512_HMAC: _hmac(Algorithm.HMAC_SHA512),
    **{number: _digest(hashing) for number, hashing in _HASHES.items()},
}
"""What is offered, by CKM."""
