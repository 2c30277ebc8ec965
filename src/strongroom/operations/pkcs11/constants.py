"""Numbers of PKCS#11 3.0, by the names that its header gives them.

Rule: numbers only, and of attributes the form of their values; what the server does with them is elsewhere.
"""

from collections.abc import Mapping
from enum import Enum, IntEnum, IntFlag
from typing import Final

SLOT: Final = 1
"""The one slot, with the one token: the caller's own objects."""

UNAVAILABLE: Final = (1 << 64) - 1
"""CK_UNAVAILABLE_INFORMATION."""


class CKO(IntEnum):
    DATA = 0
    CERTIFICATE = 1
    PUBLIC_KEY = 2
    PRIVATE_KEY = 3
    SECRET_KEY = 4


class CKK(IntEnum):
    RSA = 0x00
    DSA = 0x01
    EC = 0x03
    GENERIC_SECRET = 0x10
    DES3 = 0x15
    AES = 0x1F
    CAMELLIA = 0x25
    SHA_1_HMAC = 0x28
    SHA256_HMAC = 0x2B
    SHA384_HMAC = 0x2C
    SHA512_HMAC = 0x2D
    SHA224_HMAC = 0x2E
    CHACHA20 = 0x33
    EC_EDWARDS = 0x40


class CKA(IntEnum):
    CLASS = 0x000
    TOKEN = 0x001
    PRIVATE = 0x002
    LABEL = 0x003
    UNIQUE_ID = 0x004
    APPLICATION = 0x010
    VALUE = 0x011
    OBJECT_ID = 0x012
    CERTIFICATE_TYPE = 0x080
    ISSUER = 0x081
    SERIAL_NUMBER = 0x082
    TRUSTED = 0x086
    CERTIFICATE_CATEGORY = 0x087
    CHECK_VALUE = 0x090
    KEY_TYPE = 0x100
    SUBJECT = 0x101
    ID = 0x102
    SENSITIVE = 0x103
    ENCRYPT = 0x104
    DECRYPT = 0x105
    WRAP = 0x106
    UNWRAP = 0x107
    SIGN = 0x108
    SIGN_RECOVER = 0x109
    VERIFY = 0x10A
    VERIFY_RECOVER = 0x10B
    DERIVE = 0x10C
    START_DATE = 0x110
    END_DATE = 0x111
    MODULUS = 0x120
    MODULUS_BITS = 0x121
    PUBLIC_EXPONENT = 0x122
    PRIVATE_EXPONENT = 0x123
    PRIME_1 = 0x124
    PRIME_2 = 0x125
    EXPONENT_1 = 0x126
    EXPONENT_2 = 0x127
    COEFFICIENT = 0x128
    PUBLIC_KEY_INFO = 0x129
    VALUE_BITS = 0x160
    VALUE_LEN = 0x161
    EXTRACTABLE = 0x162
    LOCAL = 0x163
    NEVER_EXTRACTABLE = 0x164
    ALWAYS_SENSITIVE = 0x165
    KEY_GEN_MECHANISM = 0x166
    MODIFIABLE = 0x170
    COPYABLE = 0x171
    DESTROYABLE = 0x172
    EC_PARAMS = 0x180
    EC_POINT = 0x181
    ALWAYS_AUTHENTICATE = 0x202
    WRAP_WITH_TRUSTED = 0x210
    ALLOWED_MECHANISMS = 0x40000600


class Kind(Enum):
    """The form of an attribute's value."""

    FLAG = "CK_BBOOL"
    ULONG = "CK_ULONG"
    DATE = "CK_DATE"
    BYTES = "array of bytes"
    ULONGS = "array of CK_ULONG"


_FLAGS: Final = (
    CKA.TOKEN, CKA.PRIVATE, CKA.TRUSTED, CKA.SENSITIVE, CKA.ENCRYPT, CKA.DECRYPT, CKA.WRAP, CKA.UNWRAP,
    CKA.SIGN, CKA.SIGN_RECOVER, CKA.VERIFY, CKA.VERIFY_RECOVER, CKA.DERIVE, CKA.EXTRACTABLE, CKA.LOCAL,
    CKA.NEVER_EXTRACTABLE, CKA.ALWAYS_SENSITIVE, CKA.MODIFIABLE, CKA.COPYABLE, CKA.DESTROYABLE,
    CKA.ALWAYS_AUTHENTICATE, CKA.WRAP_WITH_TRUSTED,
)  # fmt: skip
_ULONGS: Final = (
    CKA.CLASS, CKA.CERTIFICATE_TYPE, CKA.CERTIFICATE_CATEGORY, CKA.KEY_TYPE, CKA.MODULUS_BITS,
    CKA.VALUE_BITS, CKA.VALUE_LEN, CKA.KEY_GEN_MECHANISM,
)  # fmt: skip

ATTRIBUTE_KINDS: Final[Mapping[int, Kind]] = {
    **dict.fromkeys(_FLAGS, Kind.FLAG),
    **dict.fromkeys(_ULONGS, Kind.ULONG),
    CKA.START_DATE: Kind.DATE,
    CKA.END_DATE: Kind.DATE,
    CKA.ALLOWED_MECHANISMS: Kind.ULONGS,
}
"""Attribute types that are not here have arrays of bytes."""


class CKM(IntEnum):
    RSA_PKCS_KEY_PAIR_GEN = 0x0000
    RSA_PKCS = 0x0001
    SHA1_RSA_PKCS = 0x0006
    RSA_PKCS_OAEP = 0x0009
    RSA_PKCS_PSS = 0x000D
    SHA1_RSA_PKCS_PSS = 0x000E
    SHA256_RSA_PKCS = 0x0040
    SHA384_RSA_PKCS = 0x0041
    SHA512_RSA_PKCS = 0x0042
    SHA256_RSA_PKCS_PSS = 0x0043
    SHA384_RSA_PKCS_PSS = 0x0044
    SHA512_RSA_PKCS_PSS = 0x0045
    SHA224_RSA_PKCS = 0x0046
    SHA224_RSA_PKCS_PSS = 0x0047
    SHA_1 = 0x0220
    SHA_1_HMAC = 0x0221
    SHA256 = 0x0250
    SHA256_HMAC = 0x0251
    SHA224 = 0x0255
    SHA224_HMAC = 0x0256
    SHA384 = 0x0260
    SHA384_HMAC = 0x0261
    SHA512 = 0x0270
    SHA512_HMAC = 0x0271
    SHA3_256 = 0x02B0
    SHA3_224 = 0x02B5
    SHA3_384 = 0x02C0
    SHA3_512 = 0x02D0
    GENERIC_SECRET_KEY_GEN = 0x0350
    EC_KEY_PAIR_GEN = 0x1040
    ECDSA = 0x1041
    ECDSA_SHA1 = 0x1042
    ECDSA_SHA224 = 0x1043
    ECDSA_SHA256 = 0x1044
    ECDSA_SHA384 = 0x1045
    ECDSA_SHA512 = 0x1046
    AES_KEY_GEN = 0x1080
    AES_ECB = 0x1081
    AES_CBC = 0x1082
    AES_CBC_PAD = 0x1085
    AES_CTR = 0x1086
    AES_GCM = 0x1087
    AES_CMAC = 0x108A
    AES_KEY_WRAP = 0x2109
    AES_KEY_WRAP_KWP = 0x210B
    HKDF_DERIVE = 0x402A


class CKF(IntFlag):
    """Flags of mechanisms."""

    ENCRYPT = 0x0100
    DECRYPT = 0x0200
    DIGEST = 0x0400
    SIGN = 0x0800
    VERIFY = 0x2000
    GENERATE = 0x8000
    GENERATE_KEY_PAIR = 0x10000
    WRAP = 0x20000
    UNWRAP = 0x40000
    DERIVE = 0x80000


TOKEN_PRESENT: Final = 0x1
"""CKF of a slot."""

RNG: Final = 0x1
TOKEN_INITIALIZED: Final = 0x400
"""CKF of a token. No login is required: the certificate has said who calls."""

RW_SESSION: Final = 0x2
SERIAL_SESSION: Final = 0x4
"""CKF of a session."""

HKDF_SALT_NULL: Final = 1
HKDF_SALT_DATA: Final = 2

CKU_SO: Final = 0
CKU_USER: Final = 1
CKS_RO_PUBLIC: Final = 0
CKS_RO_USER: Final = 1
CKS_RW_PUBLIC: Final = 2
CKS_RW_USER: Final = 3
