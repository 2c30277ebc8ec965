"""Keys in other formats: every pair of formats of every kind of key, there and back."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.crypto.keys import transparent
from strongroom.crypto.keys.conversion import convert_key
from strongroom.domain.errors import InvalidField
from strongroom.domain.key_form_errors import KeyCompressionTypeNotSupported, KeyFormatTypeNotSupported
from strongroom.model.attribute_list import AttributeInstance, Attributes, TemplateAttributes
from strongroom.model.keys import (
    KeyValue,
    SecretItems,
    TransparentDHPrivateKey,
    TransparentDHPublicKey,
    TransparentECPublicKey,
    TransparentSymmetricKey,
)
from strongroom.model.keys import transparent as spelt_out
from strongroom.model.objects import (
    Certificate,
    CertificateRequest,
    ManagedObjectStruct,
    OpaqueObject,
    PGPKey,
    PrivateKey,
    PublicKey,
    SplitKey,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import KeyWrappingData, Name
from strongroom.registry import (
    CertificateRequestType,
    CertificateType,
    SplitKeyMethod,
    Tag,
    WrappingMethod,
)
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyCompressionType as Compression
from strongroom.registry import KeyFormatType as Format
from tests.unit.crypto.build import Pairs, block, der, material, private, public, secret, spki, symmetric
from tests.unit.crypto.keys.test_examination import VENDOR_TYPE
from tests.unit.crypto.keys.test_transparent import MODP_768

RSA_PRIVATE = (Format.PKCS_1, Format.PKCS_8, Format.TRANSPARENT_RSA_PRIVATE_KEY)
RSA_PUBLIC = (Format.PKCS_1, Format.X_509, Format.TRANSPARENT_RSA_PUBLIC_KEY)
EC_PRIVATE = (
    Format.ECPRIVATEKEY,
    Format.PKCS_8,
    Format.TRANSPARENT_EC_PRIVATE_KEY,
    Format.TRANSPARENT_ECDSA_PRIVATE_KEY,
    Format.TRANSPARENT_ECDH_PRIVATE_KEY,
    Format.TRANSPARENT_ECMQV_PRIVATE_KEY,
)
EC_PUBLIC = (
    Format.X_509,
    Format.TRANSPARENT_EC_PUBLIC_KEY,
    Format.TRANSPARENT_ECDSA_PUBLIC_KEY,
    Format.TRANSPARENT_ECDH_PUBLIC_KEY,
    Format.TRANSPARENT_ECMQV_PUBLIC_KEY,
)
DSA_PRIVATE = (Format.PKCS_8, Format.TRANSPARENT_DSA_PRIVATE_KEY)
DSA_PUBLIC = (Format.X_509, Format.TRANSPARENT_DSA_PUBLIC_KEY)
DH_PRIVATE = (Format.PKCS_8, Format.TRANSPARENT_DH_PRIVATE_KEY)
DH_PUBLIC = (Format.X_509, Format.TRANSPARENT_DH_PUBLIC_KEY)

PRIVATE_FORMATS = {
    "rsa": RSA_PRIVATE,
    "p256": EC_PRIVATE,
    "p521": EC_PRIVATE,
    "secp256k1": EC_PRIVATE,
    "dsa": DSA_PRIVATE,
    "ed25519": (Format.PKCS_8, Format.RAW),
    "x25519": (
        Format.PKCS_8,
        Format.TRANSPARENT_EC_PRIVATE_KEY,
        Format.TRANSPARENT_ECDH_PRIVATE_KEY,
    ),
    "mldsa44": (Format.PKCS_8, Format.RAW),
    "mlkem768": (Format.PKCS_8, Format.RAW),
}
PUBLIC_FORMATS = {
    "rsa": RSA_PUBLIC,
    "p256": EC_PUBLIC,
    "p521": EC_PUBLIC,
    "secp256k1": EC_PUBLIC,
    "dsa": DSA_PUBLIC,
    "ed25519": (Format.X_509, Format.RAW),
    "x25519": (Format.X_509, Format.TRANSPARENT_EC_PUBLIC_KEY, Format.TRANSPARENT_ECDH_PUBLIC_KEY),
    "mldsa44": (Format.X_509, Format.RAW),
    "mlkem768": (Format.X_509, Format.RAW),
}

ALGORITHMS = {
    "ed25519": Algorithm.ED25519,
    "mldsa44": Algorithm.ML_DSA_44,
    "mlkem768": Algorithm.ML_KEM_768,
}
"""What has to be declared for Raw bytes to be a key."""


async def every_way(crypto: Cryptographer, value: Any, formats: tuple[Format, ...]) -> None:
    """Convert a key into each of its formats, and from each into each other, and compare."""
    forms = {key_format: await crypto.convert(value, key_format) for key_format in formats}
    facts = await crypto.examine(value)
    for key_format, form in forms.items():
        assert isinstance(form, PrivateKey | PublicKey)
        assert form.key_block.key_format_type is key_format
        told = await crypto.examine(form)
        assert told.cryptographic_length == facts.cryptographic_length
        assert told.attributes == facts.attributes
    for before, after in permutations(formats, 2):
        assert await crypto.convert(forms[before], after) == forms[after]
    for wanted in set(Format) - set(formats):
        with pytest.raises(KeyFormatTypeNotSupported):
            await crypto.convert(value, wanted)


@pytest.mark.parametrize("name", PRIVATE_FORMATS)
async def test_private_keys_go_from_every_format_to_every_other(
    crypto: Cryptographer, pairs: Pairs, name: str
) -> None:
    value = private(Format.PKCS_8, der(pairs[name]), algorithm=ALGORITHMS.get(name))
    await every_way(crypto, value, PRIVATE_FORMATS[name])


@pytest.mark.parametrize("name", PUBLIC_FORMATS)
async def test_public_keys_go_from_every_format_to_every_other(
    crypto: Cryptographer, pairs: Pairs, name: str
) -> None:
    value = public(Format.X_509, spki(pairs[name]), algorithm=ALGORITHMS.get(name))
    await every_way(crypto, value, PUBLIC_FORMATS[name])


@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
async def test_dh_keys_go_from_every_format_to_every_other(crypto: Cryptographer) -> None:
    mine = TransparentDHPrivateKey(p=MODP_768, g=2, x=12345)
    theirs = TransparentDHPublicKey(p=MODP_768, g=2, y=pow(2, 12345, MODP_768))
    await every_way(crypto, private(Format.TRANSPARENT_DH_PRIVATE_KEY, mine), DH_PRIVATE)
    await every_way(crypto, public(Format.TRANSPARENT_DH_PUBLIC_KEY, theirs), DH_PUBLIC)


@given(key=st.binary(min_size=1, max_size=64))
def test_symmetric_keys_go_from_raw_to_transparent_and_back(key: bytes) -> None:
    raw = symmetric(Format.RAW, key)
    spelt = symmetric(Format.TRANSPARENT_SYMMETRIC_KEY, TransparentSymmetricKey(key=SecretBytes(key)))
    assert convert_key(raw, Format.TRANSPARENT_SYMMETRIC_KEY, None) == spelt
    assert convert_key(spelt, Format.RAW, None) == raw


async def test_the_stored_format_comes_back_untouched(crypto: Cryptographer, pairs: Pairs) -> None:
    """KMIP 1.4 §4.11: the same format that was used when the key was registered."""
    for value in (
        symmetric(Format.RAW, bytes(16)),
        symmetric(VENDOR_TYPE, b"whatever"),
        private(Format.OPAQUE, b"whatever"),
        private(Format.PKCS_8, der(pairs["rsa"])),
        public(Format.X_509, b"not even a key"),
    ):
        assert await crypto.convert(value, value.key_block.key_format_type) is value


async def test_declaration_and_attributes_stay_in_the_key_block(crypto: Cryptographer, pairs: Pairs) -> None:
    name = AttributeInstance(Tag.NAME, Name(name_value="mine"))
    value = private(Format.PKCS_8, der(pairs["p256"]), algorithm=Algorithm.ECDSA, length=256)
    assert isinstance(value.key_block.key_value, KeyValue)
    inside = value.key_block.key_value.replace(attributes=TemplateAttributes(attributes=Attributes((name,))))
    value = value.replace(key_block=value.key_block.replace(key_value=inside))
    made = await crypto.convert(value, Format.ECPRIVATEKEY)
    assert isinstance(made, PrivateKey)
    assert isinstance(made.key_block.key_value, KeyValue)
    assert made.key_block.key_value.attributes == inside.attributes
    assert made.key_block.cryptographic_algorithm is Algorithm.ECDSA
    assert made.key_block.cryptographic_length == 256


@pytest.mark.parametrize("key_format", EC_PUBLIC[1:])
@pytest.mark.parametrize("name", ["p256", "p521", "secp256k1"])
async def test_a_transparent_point_comes_compressed_on_request(
    crypto: Cryptographer, pairs: Pairs, name: str, key_format: Format
) -> None:
    """KMIP 1.4 §4.11: Key Compression Type determines the form of elliptic curve public keys."""
    value = public(Format.X_509, spki(pairs[name]))
    whole = await crypto.convert(value, key_format, compression=Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED)
    short = await crypto.convert(
        value, key_format, compression=Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME
    )
    whole_point, short_point = point(whole), point(short)
    assert whole_point[0] == 4
    assert short_point[0] in (2, 3)
    assert len(short_point) == (len(whole_point) + 1) // 2
    assert await crypto.convert(short, Format.X_509) == value
    assert isinstance(short, PublicKey)
    asked = short.key_block.key_compression_type
    assert asked is Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME
    assert await crypto.convert(short, key_format, compression=asked) is short
    assert await crypto.examine(short) == await crypto.examine(whole)


def point(value: ManagedObjectStruct) -> bytes:
    assert isinstance(value, PublicKey)
    assert isinstance(value.key_block.key_value, KeyValue)
    items = value.key_block.key_value.key_material
    assert isinstance(items, SecretItems)
    key = spelt_out(value.key_block.key_format_type, items)
    assert isinstance(key, TransparentECPublicKey)
    return key.q_string


@pytest.mark.parametrize(
    ("compression", "first", "size"),
    [
        (Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED, {4}, 65),
        (Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME, {2, 3}, 33),
        (Compression.EC_PUBLIC_KEY_TYPE_X9_62_HYBRID, {6, 7}, 65),
    ],
)
async def test_a_point_has_the_form_asked_for_in_every_format(
    crypto: Cryptographer, pairs: Pairs, compression: Compression, first: set[int], size: int
) -> None:
    """X9.62 §4.3.6; each form is the same key again."""
    value = public(Format.X_509, spki(pairs["p256"]))
    spelt = await crypto.convert(value, Format.TRANSPARENT_EC_PUBLIC_KEY, compression=compression)
    assert (point(spelt)[0] in first, len(point(spelt))) == (True, size)
    encoded = await crypto.convert(value, Format.X_509, compression=compression)
    assert isinstance(encoded, PublicKey)
    assert material(encoded).endswith(point(spelt))
    for made in (spelt, encoded):
        assert isinstance(made, PublicKey)
        assert made.key_block.key_compression_type is compression
        assert await crypto.convert(made, Format.X_509) is made or made is spelt
        whole = await crypto.convert(
            made, Format.X_509, compression=Compression.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED
        )
        assert isinstance(whole, PublicKey)
        assert material(whole) == spki(pairs["p256"])


@pytest.mark.parametrize("compression", sorted(Compression))
async def test_a_compression_that_cannot_be_written_is_refused(
    crypto: Cryptographer, pairs: Pairs, compression: Compression
) -> None:
    """Points over fields of characteristic two are on curves that the library lacks."""
    elliptic = public(Format.X_509, spki(pairs["p256"]))
    if compression is Compression.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_CHAR2:
        with pytest.raises(KeyCompressionTypeNotSupported):
            await crypto.convert(elliptic, Format.X_509, compression=compression)
    for value in (
        public(Format.X_509, spki(pairs["rsa"])),
        public(Format.X_509, spki(pairs["x25519"])),
        private(Format.PKCS_8, der(pairs["p256"])),
        symmetric(Format.RAW, bytes(16)),
    ):
        with pytest.raises(KeyCompressionTypeNotSupported):
            await crypto.convert(value, value.key_block.key_format_type, compression=compression)


async def test_secret_data_is_the_same_bytes_raw_or_opaque(crypto: Cryptographer) -> None:
    """The default format of Secret Data is Raw since 2.0, and old clients register it as Opaque."""
    stored = secret(Format.OPAQUE, b"password")
    assert await crypto.convert(stored, Format.RAW) == secret(Format.RAW, b"password")
    assert await crypto.convert(secret(Format.RAW, b"password"), Format.OPAQUE) == stored
    with pytest.raises(KeyFormatTypeNotSupported):
        await crypto.convert(stored, Format.PKCS_8)


async def test_split_and_pgp_keys_have_no_other_form(crypto: Cryptographer) -> None:
    part = SplitKey(
        split_key_parts=3,
        key_part_identifier=1,
        split_key_threshold=2,
        split_key_method=SplitKeyMethod.XOR,
        key_block=block(Format.RAW, bytes(16)),
    )
    for value in (part, PGPKey(pgp_key_version=4, key_block=block(Format.RAW, b"openpgp"))):
        assert await crypto.convert(value, Format.RAW) is value
        with pytest.raises(KeyFormatTypeNotSupported):
            await crypto.convert(value, Format.TRANSPARENT_SYMMETRIC_KEY)


async def test_objects_without_key_blocks_have_one_format(crypto: Cryptographer) -> None:
    """KMIP 2.1 §4.26, table of default formats."""
    certificate = Certificate(certificate_type=CertificateType.X_509, certificate_value=b"x")
    request = CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10, certificate_request_value=b"x"
    )
    opaque = OpaqueObject(opaque_data_type=VENDOR_TYPE, opaque_data_value=SecretBytes(b"x"))
    openpgp = Certificate(certificate_type=CertificateType.PGP, certificate_value=b"x")
    only = {Format.X_509: certificate, Format.PKCS_10: request, Format.OPAQUE: opaque}
    for key_format, value in only.items():
        assert await crypto.convert(value, key_format) is value
        with pytest.raises(KeyFormatTypeNotSupported, match="only"):
            await crypto.convert(value, Format.RAW)
    with pytest.raises(KeyFormatTypeNotSupported):
        await crypto.convert(openpgp, Format.X_509)


async def test_what_cannot_be_read_cannot_be_converted(crypto: Cryptographer, pairs: Pairs) -> None:
    wrapped = block(Format.RAW, b"").replace(
        key_value=SecretBytes(bytes(24)),
        key_wrapping_data=KeyWrappingData(wrapping_method=WrappingMethod.ENCRYPT),
    )
    incomplete = transparent.rsa_private(pairs["rsa"])  # type: ignore[arg-type]
    incomplete = incomplete.replace(p=None, q=None, private_exponent=None)
    for value, wanted in (
        (SymmetricKey(key_block=wrapped), Format.TRANSPARENT_SYMMETRIC_KEY),
        (symmetric(Format.OPAQUE, bytes(16)), Format.RAW),
        (private(Format.OPAQUE, b"x"), Format.PKCS_8),
        (private(Format.RAW, b"x"), Format.PKCS_8),
        (public(Format.RAW, b"x"), Format.X_509),
        (private(Format.TRANSPARENT_RSA_PRIVATE_KEY, incomplete), Format.PKCS_1),
    ):
        with pytest.raises(KeyFormatTypeNotSupported):
            await crypto.convert(value, wanted)


async def test_stored_nonsense_is_an_error_of_ours_not_of_the_library(crypto: Cryptographer) -> None:
    with pytest.raises(InvalidField):
        await crypto.convert(public(Format.X_509, b"nonsense"), Format.PKCS_1)
