"""Bad material of every format raises only errors that a client is told."""

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.crypto.certificates.contents import examine_certificate, examine_request
from strongroom.crypto.keys.declared import Declared
from strongroom.crypto.keys.examination import examine_key
from strongroom.crypto.keys.material import BYTES
from strongroom.domain.errors import InvalidField, KmipError
from strongroom.model.keys import TRANSPARENT, KeyBlock, KeyValue, SecretItems
from strongroom.model.objects import Certificate, CertificateRequest, PrivateKey, PublicKey
from strongroom.registry import CertificateRequestType, CertificateType, Tag
from strongroom.registry import KeyFormatType as Format
from strongroom.wire.item import BIG_INTEGER, BYTE_STRING, ENUMERATION, Item
from tests.unit.crypto.build import Pairs, der, private, public, spki

DER_PRIVATE = [Format.PKCS_1, Format.PKCS_8, Format.ECPRIVATEKEY]
DER_PUBLIC = [Format.PKCS_1, Format.X_509]

HOPELESS = {
    "nothing": b"",
    "zeros": bytes(64),
    "text": b"-----BEGIN PRIVATE KEY-----",
    "empty sequence": bytes.fromhex("3000"),
    "length beyond the end": bytes.fromhex("30820fff0201"),
    "endless length": bytes.fromhex("3080020100"),
    "deep nesting": b"\x30\x82\x03\xe8" * 200,
    "long": bytes(100_000),
}


@pytest.mark.parametrize("material", HOPELESS.values(), ids=HOPELESS.keys())
def test_material_that_is_no_der_at_all_is_refused(material: bytes) -> None:
    for key_format in DER_PRIVATE:
        with pytest.raises(InvalidField):
            examine_key(private(key_format, material), Declared())
    for key_format in DER_PUBLIC:
        with pytest.raises(InvalidField):
            examine_key(public(key_format, material), Declared())
    with pytest.raises(InvalidField):
        examine_certificate(Certificate(certificate_type=CertificateType.X_509, certificate_value=material))
    for kind in (CertificateRequestType.PKCS_10, CertificateRequestType.PEM):
        with pytest.raises(InvalidField):
            examine_request(
                CertificateRequest(certificate_request_type=kind, certificate_request_value=material)
            )


def test_a_length_that_openssl_alone_refuses_is_refused() -> None:
    """An Ed448 key (by its identifier) of 32 bytes: the library reports it as an internal error."""
    material = bytes.fromhex("302e020100300506032b657104220420") + bytes(32)
    with pytest.raises(InvalidField):
        examine_key(private(Format.PKCS_8, material), Declared())


def mutations(data: bytes, count: int, seed: int) -> list[bytes]:
    """Return copies of `data` with bytes changed, cut out, put in or cut off."""
    chance = random.Random(seed)
    made = []
    for _ in range(count):
        copy = bytearray(data)
        at = chance.randrange(len(copy))
        match chance.randrange(4):
            case 0:
                copy[at] ^= 1 << chance.randrange(8)
            case 1:
                del copy[at : at + chance.randrange(1, 8)]
            case 2:
                copy[at:at] = chance.randbytes(chance.randrange(1, 4))
            case _:
                del copy[at:]
        made.append(bytes(copy))
    return made


@pytest.mark.parametrize("name", ["rsa", "p256", "dsa", "ed25519", "x25519"])
def test_a_damaged_key_is_read_or_refused(pairs: Pairs, name: str) -> None:
    for number, damaged in enumerate(mutations(der(pairs[name]), 120, seed=1)):
        key_format = DER_PRIVATE[number % len(DER_PRIVATE)] if number % 2 else Format.PKCS_8
        with contextlib.suppress(KmipError):
            examine_key(private(key_format, damaged), Declared())
    for damaged in mutations(spki(pairs[name]), 120, seed=2):
        with contextlib.suppress(KmipError):
            examine_key(public(Format.X_509, damaged), Declared())


@given(material=st.binary(max_size=80), key_format=st.sampled_from(sorted(BYTES)))
def test_any_bytes_are_read_or_refused(material: bytes, key_format: Format) -> None:
    for make in (private, public):
        with contextlib.suppress(KmipError):
            examine_key(make(key_format, material), Declared())


NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.integers(min_value=-(1 << 64), max_value=1 << 600),
    st.sampled_from([1 << 1023, (1 << 1024) - 1, (1 << 16384) - 1, 1 << 16384]),
)


@st.composite
def structures(draw: st.DrawFn, key_format: Format) -> list[Item]:
    """Any numbers in the fields of a transparent format."""
    items: list[Item] = []
    for field in TRANSPARENT[key_format].fields:
        tag = int(field.tag or 0)
        if not field.required and draw(st.booleans()):
            continue
        if tag == Tag.RECOMMENDED_CURVE:
            items.append((tag, ENUMERATION, draw(st.integers(1, 0x46))))
        elif tag in (Tag.Q_STRING, Tag.KEY):
            items.append((tag, BYTE_STRING, draw(st.binary(max_size=70))))
        else:
            items.append((tag, BIG_INTEGER, draw(NUMBERS)))
    return items


@settings(max_examples=300, deadline=None)
@given(data=st.data(), key_format=st.sampled_from(sorted(TRANSPARENT)))
def test_any_numbers_are_read_or_refused(data: st.DataObject, key_format: Format) -> None:
    items = data.draw(structures(key_format))
    key_block = KeyBlock(key_format_type=key_format, key_value=KeyValue(key_material=SecretItems(items)))
    for make in (PrivateKey, PublicKey):
        with contextlib.suppress(KmipError):
            examine_key(make(key_block=key_block), Declared())


@given(value=st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_refused(value: bytes) -> None:
    with contextlib.suppress(KmipError):
        examine_certificate(Certificate(certificate_type=CertificateType.X_509, certificate_value=value))


def test_no_error_shows_the_material(pairs: Pairs) -> None:
    """The message goes to the client and the log: it names formats and sizes only."""
    key = der(pairs["p256"])
    damaged = key[:-1]
    with pytest.raises(InvalidField) as caught:
        examine_key(private(Format.PKCS_8, damaged), Declared())
    told = f"{caught.value} {caught.value.__cause__}"
    assert damaged.hex()[20:40] not in told
    assert repr(damaged)[10:30] not in told
