"""The Digest attribute."""

from hashlib import sha256

import pytest

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.model.keys import TransparentRSAPublicKey, TransparentSymmetricKey
from strongroom.model.objects import (
    Certificate,
    CertificateRequest,
    DeviceCredential,
    OpaqueObject,
    PGPKey,
    SplitKey,
    Template,
)
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import Digest
from strongroom.registry import CertificateRequestType, CertificateType, HashingAlgorithm, SplitKeyMethod
from strongroom.registry import KeyFormatType as Format
from tests.unit.crypto.build import block, private, public, secret, symmetric
from tests.unit.crypto.keys.test_examination import VENDOR_TYPE


def expected(data: bytes, key_format: Format) -> Digest:
    return Digest(
        hashing_algorithm=HashingAlgorithm.SHA_256,
        digest_value=sha256(data).digest(),
        key_format_type=key_format,
    )


async def test_the_digest_of_bytes_is_that_of_the_bytes(crypto: Cryptographer) -> None:
    """KMIP 1.4 §3.17."""
    part = SplitKey(
        split_key_parts=3,
        key_part_identifier=1,
        split_key_threshold=2,
        split_key_method=SplitKeyMethod.XOR,
        key_block=block(Format.RAW, b"material"),
    )
    for value, key_format in (
        (symmetric(Format.RAW, b"material"), Format.RAW),
        (private(Format.PKCS_8, b"material"), Format.PKCS_8),
        (public(Format.X_509, b"material"), Format.X_509),
        (secret(Format.OPAQUE, b"material"), Format.OPAQUE),
        (part, Format.RAW),
        (PGPKey(pgp_key_version=4, key_block=block(Format.RAW, b"material")), Format.RAW),
    ):
        assert crypto.digest(value) == expected(b"material", key_format)


async def test_the_digest_of_a_structure_is_that_of_its_ttlv_encoding(crypto: Cryptographer) -> None:
    """KMIP 1.4 §3.17: the TTLV-encoded Key Material structure."""
    key = symmetric(Format.TRANSPARENT_SYMMETRIC_KEY, TransparentSymmetricKey(key=SecretBytes(bytes(16))))
    encoded = bytes.fromhex("42004301 0000001842003f08 00000010" + "00" * 16)
    assert crypto.digest(key) == expected(encoded, Format.TRANSPARENT_SYMMETRIC_KEY)
    pair = TransparentRSAPublicKey(modulus=0xFFFF, public_exponent=3)
    encoded = bytes.fromhex(
        "42004301 0000002042005204 00000008 000000000000ffff42006c04 00000008 0000000000000003"
    )
    assert crypto.digest(public(Format.TRANSPARENT_RSA_PUBLIC_KEY, pair)) == expected(
        encoded, Format.TRANSPARENT_RSA_PUBLIC_KEY
    )


async def test_other_objects_are_digested_as_their_value(crypto: Cryptographer) -> None:
    """OASIS TC-CERTATTR-1 names the format Raw for a certificate."""
    certificate = Certificate(certificate_type=CertificateType.X_509, certificate_value=b"value")
    request = CertificateRequest(
        certificate_request_type=CertificateRequestType.PKCS_10, certificate_request_value=b"value"
    )
    opaque = OpaqueObject(opaque_data_type=VENDOR_TYPE, opaque_data_value=SecretBytes(b"value"))
    assert crypto.digest(certificate) == expected(b"value", Format.RAW)
    assert crypto.digest(request) == expected(b"value", Format.RAW)
    assert crypto.digest(opaque) == expected(b"value", Format.OPAQUE)


@pytest.mark.parametrize("value", [DeviceCredential(), Template()], ids=["credential", "template"])
async def test_objects_made_of_attributes_have_no_digest(
    crypto: Cryptographer, value: DeviceCredential | Template
) -> None:
    assert crypto.digest(value) is None
