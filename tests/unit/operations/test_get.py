"""Get (KMIP 1.x §4.11, 2.1 §6.1.19)."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import (
    KeyBlock,
    KeyValue,
    SecretItems,
    TransparentECPublicKey,
    TransparentSymmetricKey,
    transparent,
)
from strongroom.model.objects import SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import KeyValueLocation
from strongroom.operations.get import GetRequest
from strongroom.registry import (
    V1_0,
    V1_2,
    V1_4,
    V2_1,
    CryptographicAlgorithm,
    KeyCompressionType,
    KeyFormatType,
    KeyValueLocationType,
    KeyWrapType,
    ObjectType,
    ResultReason,
    State,
    Tag,
    Version,
)
from tests.expect import (
    AES_128,
    EVERY_USE,
    assert_refused,
    key,
    key_in,
    key_pair,
    mask,
    refusal,
    register_key,
    register_opaque,
    register_password,
    registration,
    value,
)
from tests.kms import TestKms, attribute

F = KeyFormatType


def block(kms: TestKms, made: UniqueIdentifier, key_format: F | None = None) -> KeyBlock:
    request = GetRequest(unique_identifier=made, key_format_type=key_format)
    got: Any = kms.call(request).managed_object
    key_block: KeyBlock = got.key_block
    return key_block


def material(key_block: KeyBlock) -> Any:
    assert isinstance(key_block.key_value, KeyValue)
    return key_block.key_value.key_material


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_an_object_is_given_out_in_every_state_but_destroyed(kms: TestKms, state: State) -> None:
    """KMIP 2.1 §4.57: the state limits the use, not the retrieval."""
    made = key_in(kms, state)
    assert kms.call(GetRequest(unique_identifier=made)).unique_identifier == made


def test_a_symmetric_key_is_given_out_transparent(kms: TestKms) -> None:
    made = block(kms, register_key(kms), F.TRANSPARENT_SYMMETRIC_KEY)
    assert made.key_format_type is F.TRANSPARENT_SYMMETRIC_KEY
    spelt = transparent(made.key_format_type, material(made))
    assert spelt == TransparentSymmetricKey(key=SecretBytes(AES_128))


@pytest.mark.parametrize("key_format", [F.PKCS_8, F.ECPRIVATEKEY])
def test_a_private_key_is_given_out_in_other_formats(kms: TestKms, key_format: F) -> None:
    private, _ = key_pair(kms)
    made = block(kms, private, key_format)
    assert made.key_format_type is key_format
    der = material(block(kms, private, F.PKCS_8)).reveal()
    again = load_der_private_key(material(made).reveal(), password=None)
    assert again.private_numbers() == load_der_private_key(der, None).private_numbers()  # type: ignore[union-attr]


def test_a_private_key_is_given_out_transparent(kms: TestKms) -> None:
    private, _ = key_pair(kms)
    made = block(kms, private, F.TRANSPARENT_EC_PRIVATE_KEY)
    assert isinstance(material(made), SecretItems)


def test_a_public_key_is_given_out_in_the_usual_format(kms: TestKms) -> None:
    _, public = key_pair(kms)
    load_der_public_key(material(block(kms, public, F.X_509)).reveal())


def test_the_attributes_tell_the_stored_format_whatever_was_given_out(kms: TestKms) -> None:
    made = register_key(kms)
    block(kms, made, F.TRANSPARENT_SYMMETRIC_KEY)
    assert value(kms, made, Tag.KEY_FORMAT_TYPE) is F.RAW


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_1])
@pytest.mark.parametrize("there", [True, False])
def test_a_raw_key_tells_its_algorithm_and_length(kms: TestKms, version: Version, there: bool) -> None:
    """KMIP 1.4 table 7: required where the Key Value does not tell; Register has them as attributes too."""
    bare = KeyBlock(
        key_format_type=F.RAW, key_value=KeyValue(key_material=SecretBytes(AES_128)) if there else None
    )
    request = registration(
        ObjectType.SYMMETRIC_KEY,
        SymmetricKey(key_block=bare),
        mask(EVERY_USE),
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.AES),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128),
    )
    made = kms.call(request).unique_identifier
    got: Any = kms.call(GetRequest(unique_identifier=made), version=version).managed_object
    assert got.key_block.cryptographic_algorithm is CryptographicAlgorithm.AES
    assert got.key_block.cryptographic_length == 128
    assert got.key_block.key_value == bare.key_value


def test_secret_data_have_no_algorithm_to_tell(kms: TestKms) -> None:
    key_block = block(kms, register_password(kms))
    assert (key_block.cryptographic_algorithm, key_block.cryptographic_length) == (None, None)


@pytest.mark.parametrize("key_format", [F.PKCS_1, F.X_509, F.TRANSPARENT_DSA_PRIVATE_KEY])
def test_a_format_that_the_key_cannot_have_is_refused(kms: TestKms, key_format: F) -> None:
    """KMIP 1.4 §11.12: the object cannot be provided in the desired Key Format Type."""
    request = GetRequest(unique_identifier=key(kms), key_format_type=key_format)
    reason = ResultReason.KEY_FORMAT_TYPE_NOT_SUPPORTED
    assert_refused(kms, request, reason, reason, outside_table=True)


def test_an_opaque_object_has_no_key_format(kms: TestKms) -> None:
    request = GetRequest(unique_identifier=register_opaque(kms), key_format_type=F.RAW)
    reason = ResultReason.KEY_FORMAT_TYPE_NOT_SUPPORTED
    assert_refused(kms, request, reason, reason, outside_table=True)


def test_only_ec_public_keys_are_compressed(kms: TestKms) -> None:
    """KMIP 1.4 §2.1.3."""
    compressed = KeyCompressionType.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME
    request = GetRequest(unique_identifier=key(kms), key_compression_type=compressed)
    reason = ResultReason.KEY_COMPRESSION_TYPE_NOT_SUPPORTED
    assert_refused(kms, request, reason, reason, outside_table=True)


def test_an_ec_public_key_is_compressed(kms: TestKms) -> None:
    _, public = key_pair(kms)
    compressed = KeyCompressionType.EC_PUBLIC_KEY_TYPE_X9_62_COMPRESSED_PRIME
    request = GetRequest(
        unique_identifier=public, key_compression_type=compressed, key_format_type=F.TRANSPARENT_EC_PUBLIC_KEY
    )
    got: Any = kms.call(request).managed_object
    spelt = transparent(F.TRANSPARENT_EC_PUBLIC_KEY, material(got.key_block))
    assert isinstance(spelt, TransparentECPublicKey)
    plain = load_der_public_key(material(block(kms, public, F.X_509)).reveal())
    assert got.key_block.key_compression_type is compressed
    assert spelt.q_string == plain.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def test_a_sensitive_object_is_not_given_out_in_the_clear(kms: TestKms) -> None:
    """faults 21. KMIP 2.1 §4.55: the object value shall not be retrieved unless it is wrapped."""
    request = GetRequest(unique_identifier=key(kms, attribute(Tag.SENSITIVE, value=True)))
    assert_refused(kms, request, ResultReason.SENSITIVE, ResultReason.SENSITIVE, since=V1_4)
    assert refusal(kms, request, version=V1_0).reason is ResultReason.PERMISSION_DENIED


def test_an_object_that_is_not_extractable_is_not_given_out(kms: TestKms) -> None:
    """faults 21. KMIP 2.1 §4.23: the server shall prevent the object value being retrieved."""
    request = GetRequest(unique_identifier=key(kms, attribute(Tag.EXTRACTABLE, value=False)))
    reason = ResultReason.NOT_EXTRACTABLE
    refused = refusal(kms, request, version=V2_1)
    assert refused.reason is reason
    assert refusal(kms, request, version=V1_4).reason is reason
    assert refusal(kms, request, version=V1_2).reason is ResultReason.PERMISSION_DENIED


@pytest.mark.parametrize("tag", [Tag.SENSITIVE, Tag.EXTRACTABLE])
def test_old_versions_do_not_get_around_the_protection(kms: TestKms, tag: Tag) -> None:
    """A version that has no word for it is refused all the same."""
    made = key(kms, attribute(tag, value=tag is Tag.SENSITIVE))
    found = refusal(kms, GetRequest(unique_identifier=made), version=V1_0)
    assert found.reason in (ResultReason.GENERAL_FAILURE, ResultReason.PERMISSION_DENIED)


@pytest.mark.parametrize("wrap_type", KeyWrapType)
def test_a_key_that_is_not_wrapped_is_given_out_so_for_either_key_wrap_type(
    kms: TestKms, wrap_type: KeyWrapType
) -> None:
    """KMIP 1.4 §9.1.3.2.49."""
    request = GetRequest(unique_identifier=register_key(kms), key_wrap_type=wrap_type)
    got: Any = kms.call(request).managed_object
    assert material(got.key_block) == SecretBytes(AES_128)


def elsewhere(kms: TestKms) -> UniqueIdentifier:
    """Return a key of which the server has the attributes and the place where its value is kept."""
    without_value = SymmetricKey(
        key_block=KeyBlock(
            key_format_type=F.RAW,
            cryptographic_algorithm=CryptographicAlgorithm.AES,
            cryptographic_length=128,
        )
    )
    location = KeyValueLocation(
        key_value_location_value="in a safe",
        key_value_location_type=KeyValueLocationType.UNINTERPRETED_TEXT_STRING,
    )
    request = registration(
        ObjectType.SYMMETRIC_KEY,
        without_value,
        mask(EVERY_USE),
        attribute(Tag.KEY_VALUE_LOCATION, location),
    )
    return kms.call(request).unique_identifier


@pytest.mark.parametrize("version", [V1_2, V1_4, V2_1])
def test_a_key_whose_value_is_elsewhere_is_given_out_without_it(kms: TestKms, version: Version) -> None:
    """KMIP 1.2 §3.41: Key Value Present is False; the Key Block still tells algorithm and length."""
    made = elsewhere(kms)
    assert value(kms, made, Tag.KEY_VALUE_PRESENT) is False
    got: Any = kms.call(GetRequest(unique_identifier=made), version=version).managed_object
    assert got.key_block.key_value is None
    assert got.key_block.cryptographic_length == 128


def test_a_value_that_is_elsewhere_cannot_be_converted(kms: TestKms) -> None:
    request = GetRequest(unique_identifier=elsewhere(kms), key_format_type=F.TRANSPARENT_SYMMETRIC_KEY)
    for version in (V1_4, V2_1):
        assert refusal(kms, request, version=version).reason is ResultReason.KEY_VALUE_NOT_PRESENT


def test_the_first_get_ends_the_freshness(kms: TestKms) -> None:
    """KMIP 2.1 §4.24: as soon as the object has been served via the Get operation to a client."""
    made = register_password(kms)
    assert value(kms, made, Tag.FRESH) is True
    kms.call(GetRequest(unique_identifier=made))
    assert value(kms, made, Tag.FRESH) is False


def test_a_refused_get_does_not_end_the_freshness(kms: TestKms) -> None:
    made = key(kms)
    refusal(kms, GetRequest(unique_identifier=made, key_format_type=F.PKCS_1))
    assert value(kms, made, Tag.FRESH) is True
