"""Whatever a key was wrapped with, and however: who registers it gets the same key."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.get import GetRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V1_0,
    V1_4,
    V2_1,
    V3_0,
    EncodingOption,
    KeyFormatType,
    KeyWrapType,
    ObjectType,
    Tag,
    WrappingMethod,
)
from tests.expect import EVERY_USE, mask, raw_key, registration, value
from tests.kms import TestKms, template
from tests.wrapping import (
    CBC,
    CMAC,
    CTR,
    GCM,
    HMAC,
    MAC,
    NIST,
    PADDED,
    VERIFY,
    material_of,
    specification,
    wrapping_key,
)

CIPHERS = {"NIST": NIST, "padded": PADDED, "CBC": CBC, "GCM": GCM, "CTR": CTR}
MACS = {"HMAC": HMAC, "CMAC": CMAC}
METHODS = [m for m in WrappingMethod if m is not WrappingMethod.TR_31]
ENCODINGS = [None, *EncodingOption]
FORMATS = [KeyFormatType.RAW, KeyFormatType.TRANSPARENT_SYMMETRIC_KEY]


@pytest.fixture(scope="module")
def kms() -> Iterator[TestKms]:
    with tempfile.TemporaryDirectory() as folder:
        server = TestKms(Path(folder))
        yield server
        server.close()


@pytest.fixture(scope="module")
def keys(kms: TestKms) -> dict[str, UniqueIdentifier]:
    """Return a wrapping key for each way to encrypt and each way to authenticate."""
    ciphers = {name: wrapping_key(kms, parameters) for name, parameters in CIPHERS.items()}
    macs = {name: wrapping_key(kms, parameters, usage=MAC | VERIFY) for name, parameters in MACS.items()}
    return ciphers | macs


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_what_was_wrapped_is_the_same_key_when_it_is_registered(
    kms: TestKms, keys: dict[str, UniqueIdentifier], data: st.DataObject
) -> None:
    draw = data.draw
    material = draw(st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
    method = draw(st.sampled_from(METHODS))
    encoding = draw(st.sampled_from(ENCODINGS))
    cipher, mac = draw(st.sampled_from(sorted(CIPHERS))), draw(st.sampled_from(sorted(MACS)))
    raw = encoding is EncodingOption.NO_ENCODING
    key_format = KeyFormatType.RAW if raw else draw(st.sampled_from(FORMATS))
    along = () if raw else draw(st.sampled_from([(), (Tag.CONTACT_INFORMATION,), (Tag.OBJECT_GROUP,)]))
    version = draw(st.sampled_from([V1_4, V2_1, V3_0] if raw else [V1_0, V1_4, V2_1, V3_0]))
    source = kms.call(
        registration(ObjectType.SYMMETRIC_KEY, raw_key(material), mask(EVERY_USE))
    ).unique_identifier

    wrapped: Any = kms.call(
        GetRequest(
            unique_identifier=source,
            key_format_type=key_format,
            key_wrapping_specification=specification(
                keys[cipher],
                _own(draw, CIPHERS[cipher]),
                mac_key=keys[mac],
                mac=_own(draw, MACS[mac]),
                method=method,
                encoding=encoding,
                attributes=along,
            ),
        ),
        version=version,
    ).managed_object
    assert wrapped.key_block.key_wrapping_data.wrapping_method is method
    if method is not WrappingMethod.MAC_SIGN:
        assert material not in wrapped.key_block.key_value.reveal()

    again = kms.call(
        RegisterRequest(
            object_type=ObjectType.SYMMETRIC_KEY,
            managed_object=wrapped,
            attributes=template(mask(EVERY_USE)),
        )
    ).unique_identifier
    found: Any = kms.call(
        GetRequest(
            unique_identifier=again, key_wrap_type=KeyWrapType.NOT_WRAPPED, key_format_type=KeyFormatType.RAW
        )
    ).managed_object
    assert material_of(found) == material
    assert value(kms, again, Tag.CRYPTOGRAPHIC_LENGTH) == len(material) * 8
    kept: Any = kms.call(GetRequest(unique_identifier=again)).managed_object
    assert kept == wrapped


def _own(draw: Any, parameters: CryptographicParameters) -> CryptographicParameters | None:
    """Return the parameters, or None: those of the wrapping key are used then."""
    given: CryptographicParameters | None = draw(st.sampled_from([parameters, None]))
    return given


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("cipher", sorted(CIPHERS))
def test_every_method_in_every_encoding(
    kms: TestKms,
    keys: dict[str, UniqueIdentifier],
    *,
    method: WrappingMethod,
    encoding: EncodingOption | None,
    cipher: str,
) -> None:
    source = kms.create_symmetric_key(length=192)
    wanted = specification(
        keys[cipher], CIPHERS[cipher], mac_key=keys["HMAC"], method=method, encoding=encoding
    )
    request = GetRequest(unique_identifier=UniqueIdentifier(source), key_wrapping_specification=wanted)
    wrapped: Any = kms.call(request).managed_object
    again = kms.call(registration(ObjectType.SYMMETRIC_KEY, wrapped, mask(EVERY_USE))).unique_identifier
    assert value(kms, again, Tag.DIGEST) == value(kms, source, Tag.DIGEST)
