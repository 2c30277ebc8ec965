"""Every Key Format Type of every kind of key, through the server (KMIP 1.4 §4.11, 2.1 §4.26 and §6.1.19)."""

import hashlib
from itertools import permutations
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import (
    dsa,
    ec,
    ed448,
    ed25519,
    mldsa,
    mlkem,
    rsa,
    x448,
    x25519,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from strongroom.crypto.keys import groups
from strongroom.model.keys import KeyBlock, KeyMaterial, KeyValue
from strongroom.model.objects import (
    ManagedObjectStruct,
    PrivateKey,
    PublicKey,
    SecretData,
    SymmetricKey,
)
from strongroom.model.secret import SecretBytes
from strongroom.operations.get import GetRequest
from strongroom.registry import (
    V1_4,
    V2_1,
    V3_0,
    CryptographicUsageMask,
    KeyCompressionType,
    ObjectType,
    SecretDataType,
    Tag,
    Version,
)
from strongroom.registry import CryptographicAlgorithm as Algorithm
from strongroom.registry import KeyFormatType as F
from tests.expect import mask, password, raw_key, registration, values
from tests.kms import TestKms

EC_PRIVATE = (
    F.PKCS_8,
    F.ECPRIVATEKEY,
    F.TRANSPARENT_EC_PRIVATE_KEY,
    F.TRANSPARENT_ECDSA_PRIVATE_KEY,
    F.TRANSPARENT_ECDH_PRIVATE_KEY,
    F.TRANSPARENT_ECMQV_PRIVATE_KEY,
)
EC_PUBLIC = (
    F.X_509,
    F.TRANSPARENT_EC_PUBLIC_KEY,
    F.TRANSPARENT_ECDSA_PUBLIC_KEY,
    F.TRANSPARENT_ECDH_PUBLIC_KEY,
    F.TRANSPARENT_ECMQV_PUBLIC_KEY,
)
MONTGOMERY = (
    (F.PKCS_8, F.TRANSPARENT_EC_PRIVATE_KEY, F.TRANSPARENT_ECDH_PRIVATE_KEY),
    (F.X_509, F.TRANSPARENT_EC_PUBLIC_KEY, F.TRANSPARENT_ECDH_PUBLIC_KEY),
)
BYTES = ((F.PKCS_8, F.RAW), (F.X_509, F.RAW))


class Kind(NamedTuple):
    """A kind of key: how one is made, what it is called, and its (private, public) formats."""

    make: Any
    algorithm: Algorithm
    private: tuple[F, ...]
    public: tuple[F, ...]
    version: Version = V1_4


KINDS = {
    "RSA": Kind(
        lambda: rsa.generate_private_key(65537, 1024),
        Algorithm.RSA,
        (F.PKCS_8, F.PKCS_1, F.TRANSPARENT_RSA_PRIVATE_KEY),
        (F.X_509, F.PKCS_1, F.TRANSPARENT_RSA_PUBLIC_KEY),
    ),
    "DSA": Kind(
        lambda: dsa.generate_private_key(1024),
        Algorithm.DSA,
        (F.PKCS_8, F.TRANSPARENT_DSA_PRIVATE_KEY),
        (F.X_509, F.TRANSPARENT_DSA_PUBLIC_KEY),
    ),
    "DH": Kind(
        lambda: groups.group(2048).parameters().generate_private_key(),
        Algorithm.DH,
        (F.PKCS_8, F.TRANSPARENT_DH_PRIVATE_KEY),
        (F.X_509, F.TRANSPARENT_DH_PUBLIC_KEY),
    ),
    **{
        curve.name: Kind(lambda c=curve: ec.generate_private_key(c), Algorithm.ECDH, EC_PRIVATE, EC_PUBLIC)
        for curve in (ec.SECP192R1(), ec.SECP256R1(), ec.SECP521R1(), ec.SECP256K1(), ec.BrainpoolP384R1())
    },
    "X25519": Kind(x25519.X25519PrivateKey.generate, Algorithm.ECDH, *MONTGOMERY),
    "X448": Kind(x448.X448PrivateKey.generate, Algorithm.ECDH, *MONTGOMERY),
    "Ed25519": Kind(ed25519.Ed25519PrivateKey.generate, Algorithm.ED25519, *BYTES, V2_1),
    "Ed448": Kind(ed448.Ed448PrivateKey.generate, Algorithm.ED448, *BYTES, V2_1),
    "ML-KEM-768": Kind(mlkem.MLKEM768PrivateKey.generate, Algorithm.ML_KEM_768, *BYTES, V3_0),
    "ML-KEM-1024": Kind(mlkem.MLKEM1024PrivateKey.generate, Algorithm.ML_KEM_1024, *BYTES, V3_0),
    "ML-DSA-44": Kind(mldsa.MLDSA44PrivateKey.generate, Algorithm.ML_DSA_44, *BYTES, V3_0),
    "ML-DSA-65": Kind(mldsa.MLDSA65PrivateKey.generate, Algorithm.ML_DSA_65, *BYTES, V3_0),
    "ML-DSA-87": Kind(mldsa.MLDSA87PrivateKey.generate, Algorithm.ML_DSA_87, *BYTES, V3_0),
}


def register(kms: TestKms, value: ManagedObjectStruct, version: Version) -> str:
    object_type = ObjectType.PRIVATE_KEY if isinstance(value, PrivateKey) else ObjectType.PUBLIC_KEY
    request = registration(object_type, value, mask(CryptographicUsageMask(0)))
    return kms.call(request, version=version).unique_identifier


def get(kms: TestKms, identifier: Any, key_format: F | None, version: Version, **more: Any) -> Any:
    request = GetRequest(unique_identifier=identifier, key_format_type=key_format, **more)
    return kms.call(request, version=version).managed_object


def material(value: Any) -> KeyMaterial:
    key_value = value.key_block.key_value
    assert isinstance(key_value, KeyValue)
    return key_value.key_material


def encoded(material_: bytes, key_format: F, algorithm: Algorithm | None = None) -> KeyBlock:
    return KeyBlock(
        key_format_type=key_format,
        key_value=KeyValue(key_material=SecretBytes(material_)),
        cryptographic_algorithm=algorithm,
    )


def test_every_pair_of_formats_leads_there_and_back(kms: TestKms) -> None:
    """Register in A, get in B, register that, get in A: the same key, and what it tells is the same."""
    for name, kind in KINDS.items():
        key = kind.make()
        private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for cls, first, sent, formats in (
            (PrivateKey, F.PKCS_8, private, kind.private),
            (PublicKey, F.X_509, public, kind.public),
        ):
            origin = register(kms, cls(key_block=encoded(sent, first, kind.algorithm)), kind.version)
            told = [values(kms, origin, tag, version=kind.version) for tag in TOLD]
            forms = {f: get(kms, origin, f, kind.version) for f in formats}
            stored = {f: register(kms, form, kind.version) for f, form in forms.items()}
            for a, b in permutations(formats, 2):
                assert material(get(kms, stored[a], b, kind.version)) == material(forms[b]), (name, a, b)
            for identifier in stored.values():
                assert [values(kms, identifier, tag, version=kind.version) for tag in TOLD] == told, name


TOLD = (Tag.CRYPTOGRAPHIC_ALGORITHM, Tag.CRYPTOGRAPHIC_LENGTH, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)


@pytest.mark.parametrize("compression", [1, 2, 4])
def test_a_compressed_point_registered_is_the_same_key(kms: TestKms, compression: int) -> None:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    origin = register(kms, PublicKey(key_block=encoded(spki, F.X_509)), V1_4)
    asked = KeyCompressionType(compression)
    for key_format in (F.X_509, F.TRANSPARENT_EC_PUBLIC_KEY):
        form = get(kms, origin, key_format, V1_4, key_compression_type=asked)
        assert form.key_block.key_compression_type is asked
        again = register(kms, form, V1_4)
        assert material(get(kms, again, None, V1_4)) == material(form)
        plain = KeyCompressionType.EC_PUBLIC_KEY_TYPE_UNCOMPRESSED
        whole = get(kms, again, F.X_509, V1_4, key_compression_type=plain)
        assert material(whole) == SecretBytes(spki)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (F.TRANSPARENT_ECDSA_PRIVATE_KEY, F.TRANSPARENT_EC_PRIVATE_KEY),
        (F.TRANSPARENT_ECDH_PRIVATE_KEY, F.TRANSPARENT_EC_PRIVATE_KEY),
        (F.TRANSPARENT_ECMQV_PRIVATE_KEY, F.TRANSPARENT_EC_PRIVATE_KEY),
    ],
)
def test_formats_of_old_versions_are_transparent_ec_for_new_ones(kms: TestKms, old: F, new: F) -> None:
    """KMIP 2.0 took the formats of 1.x away that were called after algorithms."""
    kind = KINDS["secp256r1"]
    sent = kind.make().private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    origin = register(kms, PrivateKey(key_block=encoded(sent, F.PKCS_8)), V1_4)
    made = register(kms, get(kms, origin, old, V1_4), V1_4)
    assert get(kms, made, None, V1_4).key_block.key_format_type is old
    assert get(kms, made, None, V2_1).key_block.key_format_type is new
    assert values(kms, made, Tag.KEY_FORMAT_TYPE, version=V2_1) == [new]
    assert [d.key_format_type for d in values(kms, made, Tag.DIGEST, version=V2_1)] == [new]


def test_a_key_has_digests_of_its_format_and_of_the_default_one(kms: TestKms) -> None:
    """KMIP 2.1 §4.21; the OASIS case TC-IMPEXP-4 shows the two of a key that was registered spelt out."""
    key = rsa.generate_private_key(65537, 1024)
    pkcs_1 = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    origin = register(kms, PrivateKey(key_block=encoded(pkcs_1, F.PKCS_1)), V2_1)
    spelt = register(kms, get(kms, origin, F.TRANSPARENT_RSA_PRIVATE_KEY, V2_1), V2_1)
    default = (F.PKCS_1, hashlib.sha256(pkcs_1).digest())
    assert digests(kms, origin) == [default]
    found = digests(kms, spelt)
    assert [f for f, _ in found] == [F.TRANSPARENT_RSA_PRIVATE_KEY, F.PKCS_1]
    assert found[1] == default


def digests(kms: TestKms, identifier: str) -> list[tuple[F, bytes]]:
    return [(d.key_format_type, d.digest_value) for d in values(kms, identifier, Tag.DIGEST)]


def test_what_is_raw_by_default_has_a_digest_of_that(kms: TestKms) -> None:
    """KMIP 2.1 table 81: Secret Data and symmetric keys."""
    key = kms.call(registration(ObjectType.SYMMETRIC_KEY, raw_key())).unique_identifier
    assert [f for f, _ in digests(kms, key)] == [F.RAW]
    spelt = get(kms, key, F.TRANSPARENT_SYMMETRIC_KEY, V1_4)
    assert isinstance(spelt, SymmetricKey)
    again = kms.call(registration(ObjectType.SYMMETRIC_KEY, spelt)).unique_identifier
    assert digests(kms, again)[1:] == digests(kms, key)
    secret = password(b"x")
    assert isinstance(secret, SecretData)
    assert secret.secret_data_type is SecretDataType.PASSWORD
    made = kms.call(registration(ObjectType.SECRET_DATA, secret)).unique_identifier
    digest = hashlib.sha256(b"x").digest()
    assert digests(kms, made) == [(F.OPAQUE, digest), (F.RAW, digest)]


def test_a_key_that_cannot_be_read_has_the_digest_of_what_came(kms: TestKms) -> None:
    block = encoded(b"whatever this is", F.OPAQUE, Algorithm.RSA).replace(cryptographic_length=2048)
    made = register(kms, PrivateKey(key_block=block), V2_1)
    assert [f for f, _ in digests(kms, made)] == [F.OPAQUE]
