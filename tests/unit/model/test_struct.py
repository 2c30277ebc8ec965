"""Declaring structures, and what the declaration makes of them on the wire."""

from typing import Annotated

import pytest

from strongroom.model.convert import decoder, encoder
from strongroom.model.errors import MalformedField, NotInVersion, UnknownField, UnknownValue
from strongroom.model.secret import SecretBytes
from strongroom.model.struct import (
    Essential,
    Int32,
    OffWire,
    RequiredSince,
    Since,
    Struct,
    Until,
    WhereSayable,
)
from strongroom.model.structures import CryptographicParameters, Name, ProtocolVersion
from strongroom.registry import (
    V1_0,
    V1_2,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    NameType,
    Tag,
    Version,
)


class Sample(Struct):
    cryptographic_length: Int32
    cryptographic_algorithm: CryptographicAlgorithm | None = None
    cryptographic_usage_mask: CryptographicUsageMask | None = None
    comment: Annotated[str | None, Since(V1_4)] = None
    operation_policy_name: Annotated[str | None, Until(V1_4)] = None
    description: Annotated[str | None, RequiredSince(V3_0)] = None
    data: SecretBytes | None = None
    name: tuple[Name, ...] = ()


def items(**fields: object) -> list[tuple[int, int, object]]:
    types = {"cryptographic_length": 2, "cryptographic_algorithm": 5, "cryptographic_usage_mask": 2}
    return [(int(Tag[n.upper()]), types.get(n, 7), v) for n, v in fields.items()]


def test_a_structure_survives_the_round_trip_of_each_version() -> None:
    sample = Sample(
        cryptographic_length=256,
        cryptographic_algorithm=CryptographicAlgorithm.AES,
        cryptographic_usage_mask=CryptographicUsageMask.ENCRYPT,
        data=SecretBytes(b"secret"),
        name=(Name(name_value="a", name_type=NameType.URI), Name(name_value="b")),
    )
    for version in (V1_2, V1_4, V2_0, V2_1, None):
        assert decoder(Sample, version)(encoder(Sample, version)(sample)) == sample


def test_an_answer_holds_only_fields_of_its_version() -> None:
    sample = Sample(cryptographic_length=1, comment="new", operation_policy_name="old")
    assert [t for t, _, _ in encoder(Sample, V1_2)(sample)] == [
        Tag.CRYPTOGRAPHIC_LENGTH,
        Tag.OPERATION_POLICY_NAME,
    ]
    assert [t for t, _, _ in encoder(Sample, V2_0)(sample)] == [Tag.CRYPTOGRAPHIC_LENGTH, Tag.COMMENT]


def test_a_request_field_of_another_version_is_read() -> None:
    assert decoder(Sample, V1_0)(items(cryptographic_length=1, comment="x")).comment == "x"


def test_a_required_field_may_not_be_left_out() -> None:
    with pytest.raises(MalformedField, match="CryptographicLength is missing"):
        decoder(Sample, V1_0)([])


def test_a_field_may_become_required_in_a_later_version() -> None:
    decoder(Sample, V2_1)(items(cryptographic_length=1))
    with pytest.raises(MalformedField, match="Description is missing"):
        decoder(Sample, V3_0)(items(cryptographic_length=1))


def test_a_field_that_stands_twice_is_refused_with_its_name() -> None:
    with pytest.raises(MalformedField, match="CryptographicLength: stands more than once"):
        decoder(Sample, V1_0)(items(cryptographic_length=1) * 2)


def test_a_field_of_the_wrong_type_is_refused_with_both_types() -> None:
    with pytest.raises(MalformedField, match="CryptographicLength: expected INTEGER, got TEXT_STRING"):
        decoder(Sample, V1_0)([(int(Tag.CRYPTOGRAPHIC_LENGTH), 7, "1")])


def test_a_field_of_no_version_is_refused_and_a_vendors_is_ignored() -> None:
    with pytest.raises(UnknownField, match="Nonce"):
        decoder(Sample, V1_0)([*items(cryptographic_length=1), (int(Tag.NONCE), 7, "x")])
    assert decoder(Sample, V1_0)([*items(cryptographic_length=1), (0x540001, 7, "x")]).comment is None


def test_a_client_ignores_what_it_does_not_know() -> None:
    read = decoder(Sample, V1_0, lenient=True)
    assert read([*items(cryptographic_length=1), (int(Tag.NONCE), 7, "x")]).cryptographic_length == 1


def test_an_error_inside_a_structure_has_the_whole_path() -> None:
    bad = [(int(Tag.NAME), 1, [(int(Tag.NAME_VALUE), 2, 1)])]
    with pytest.raises(MalformedField, match=r"^Name\[0\]\.NameValue: expected TEXT_STRING, got INTEGER$"):
        decoder(Sample, V1_0)([*items(cryptographic_length=1), *bad])


def test_an_unknown_enumeration_value_is_refused_but_a_vendors_is_kept() -> None:
    with pytest.raises(UnknownValue, match="0x00000999 is not a CryptographicAlgorithm"):
        decoder(Sample, V1_0)(items(cryptographic_length=1, cryptographic_algorithm=0x999))
    extension = decoder(Sample, V1_0)(items(cryptographic_length=1, cryptographic_algorithm=0x80000001))
    assert encoder(Sample, V1_0)(extension) == items(
        cryptographic_length=1, cryptographic_algorithm=0x80000001
    )


def test_an_answer_never_holds_an_enumeration_value_of_a_later_version() -> None:
    sample = Sample(cryptographic_length=256, cryptographic_algorithm=CryptographicAlgorithm.CHACHA20)
    encoder(Sample, V1_4)(sample)
    with pytest.raises(NotInVersion):
        encoder(Sample, V1_0)(sample)


def test_an_answer_never_holds_a_mask_bit_of_a_later_version() -> None:
    mask = CryptographicUsageMask.ENCRYPT | CryptographicUsageMask.FPE_ENCRYPT
    sample = Sample(cryptographic_length=1, cryptographic_usage_mask=mask)
    assert encoder(Sample, V1_4)(sample)[1][2] == CryptographicUsageMask.ENCRYPT
    assert encoder(Sample, V2_0)(sample)[1][2] == mask


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_0, V3_0], ids=str)
def test_a_mask_bit_that_a_version_renamed_stays(version: Version) -> None:
    """Content Commitment (Non Repudiation) is called Content Commitment since 2.0."""
    mask = CryptographicUsageMask.CONTENT_COMMITMENT_NON_REPUDIATION
    sample = Sample(cryptographic_length=1, cryptographic_usage_mask=mask)
    assert encoder(Sample, version)(sample)[1][2] == mask


def test_a_filter_may_leave_out_fields_of_a_structure() -> None:
    name = decoder(Name, V1_0, partial=True)([(int(Tag.NAME_VALUE), 7, "n")])
    assert (name.name_value, name.name_type) == ("n", None)


def test_fields_added_to_a_structure_are_gated() -> None:
    parameters = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM, tag_length=16, salt_length=1)
    shown = {
        v: [t for t, _, _ in encoder(CryptographicParameters, v)(parameters)] for v in (V1_0, V1_2, V1_4)
    }
    assert shown[V1_0] == [Tag.BLOCK_CIPHER_MODE]
    assert shown[V1_2] == [Tag.BLOCK_CIPHER_MODE, Tag.TAG_LENGTH]
    assert shown[V1_4] == [Tag.BLOCK_CIPHER_MODE, Tag.TAG_LENGTH, Tag.SALT_LENGTH]


def test_a_structure_prints_no_secret() -> None:
    assert "hunter2" not in repr(Sample(cryptographic_length=1, data=SecretBytes(b"hunter2")))


def test_a_field_without_a_tag_is_a_mistake_found_at_import() -> None:
    with pytest.raises(TypeError, match="no tag UID"):

        class Bad(Struct):
            uid: str


def test_replace_returns_a_changed_copy() -> None:
    version = ProtocolVersion(protocol_version_major=1, protocol_version_minor=0)
    assert version.replace(protocol_version_minor=4).protocol_version_minor == 4
    assert version.protocol_version_minor == 0


def test_a_value_of_a_later_version_may_have_stood_under_another_name() -> None:
    """KMIP 1.2 §9.1.3.2.13: EC is new; before, such a key was ECDSA."""
    sample = Sample(cryptographic_length=256, cryptographic_algorithm=CryptographicAlgorithm.EC)
    assert encoder(Sample, V1_0)(sample)[1][2] == CryptographicAlgorithm.ECDSA
    assert encoder(Sample, V1_2)(sample)[1][2] == CryptographicAlgorithm.EC


class Vital(Struct):
    authenticated_encryption_tag: Annotated[bytes | None, Since(V1_4), Essential()] = None


class Listing(Struct):
    cryptographic_parameters: Annotated[tuple[CryptographicParameters, ...], WhereSayable()] = ()


def test_a_list_may_leave_out_the_structures_that_a_version_cannot_say() -> None:
    """Where an answer lists what the server has; anywhere else it would be a lie."""
    modes = (BlockCipherMode.CBC, BlockCipherMode.AEAD)
    old, new = (CryptographicParameters(block_cipher_mode=mode) for mode in modes)
    listing = Listing(cryptographic_parameters=(old, new))
    assert len(encoder(Listing, V1_2)(listing)) == 1
    assert len(encoder(Listing, V2_1)(listing)) == 2


def test_an_essential_field_is_never_left_out_silently() -> None:
    assert encoder(Vital, V1_2)(Vital()) == []
    with pytest.raises(NotInVersion, match="AuthenticatedEncryptionTag"):
        encoder(Vital, V1_2)(Vital(authenticated_encryption_tag=b"tag"))


class Private(Struct):
    comment: str | None = None
    description: Annotated[str | None, OffWire()] = None


def test_a_field_that_is_off_the_wire_is_kept_in_the_store_only() -> None:
    private = Private(comment="c", description="d")
    assert decoder(Private, None)(encoder(Private, None)(private)) == private
    for version in (V1_4, V2_1, V3_0):
        assert [t for t, _, _ in encoder(Private, version)(private)] == [Tag.COMMENT]


def test_a_field_that_is_off_the_wire_is_not_taken_from_a_message() -> None:
    for version in (V1_4, V3_0):
        with pytest.raises(UnknownField):
            decoder(Private, version)([(int(Tag.DESCRIPTION), 7, "forged")])
