"""Export (KMIP 1.4 §4.40, 2.1 §6.1.18)."""

from typing import Any

import pytest

from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyValue, SecretItems
from strongroom.model.secret import SecretBytes
from strongroom.operations.export import ExportRequest, ExportResponse
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.registry import (
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    KeyFormatType,
    ResultReason,
    State,
    Tag,
    Version,
)
from tests.expect import (
    AES_128,
    MISSING,
    archived_key,
    assert_refused,
    key,
    key_in,
    named,
    refusal,
    register_key,
    register_opaque,
    register_password,
    value,
)
from tests.kms import BOB, TestKms, attribute
from tests.wrapping import GCM, NIST, ciphertext_of, specification, wrapping_key

R = ResultReason


def exported(kms: TestKms, made: UniqueIdentifier, version: Version = V2_1, **wanted: Any) -> ExportResponse:
    return kms.call(ExportRequest(unique_identifier=made, **wanted), version=version)


@pytest.mark.parametrize("version", [V1_4, V2_0, V2_1, V3_0])
def test_an_object_is_exported_with_all_its_attributes(kms: TestKms, version: Version) -> None:
    made = register_key(kms, named("exported"), attribute(Tag.CONTACT_INFORMATION, "somebody"))
    got: Any = exported(kms, made, version)
    every = kms.call(GetAttributesRequest(unique_identifier=made), version=version)
    assert got.attributes == every.attributes
    assert got.managed_object.key_block.key_value == KeyValue(key_material=SecretBytes(AES_128))
    assert (got.object_type.name, got.unique_identifier) == ("SYMMETRIC_KEY", made)


@pytest.mark.parametrize("make", [register_password, register_opaque, key], ids=["secret", "opaque", "key"])
def test_objects_of_other_types_are_exported(kms: TestKms, make: Any) -> None:
    assert exported(kms, make(kms)).managed_object is not None


def test_a_key_is_exported_in_another_format(kms: TestKms) -> None:
    """The attributes beside it are those of what is given out, or Import could not believe them."""
    wanted = KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    got: Any = exported(kms, register_key(kms), key_format_type=wanted)
    assert isinstance(got.managed_object.key_block.key_value.key_material, SecretItems)
    assert [a.value for a in got.attributes.attributes if a.key is Tag.KEY_FORMAT_TYPE] == [wanted]


def test_a_key_is_exported_wrapped(kms: TestKms) -> None:
    made, kek = register_key(kms), wrapping_key(kms, NIST)
    got: Any = exported(kms, made, key_wrapping_specification=specification(kek))
    assert len(ciphertext_of(got.managed_object)) == len(AES_128) + 8


@pytest.mark.parametrize("state", [State.DESTROYED, State.DESTROYED_COMPROMISED])
def test_of_a_destroyed_object_the_attributes_are_exported(kms: TestKms, state: State) -> None:
    """KMIP 2.1 §6.1.18: the key material SHALL not be returned."""
    got = exported(kms, key_in(kms, state))
    assert got.managed_object is None
    assert [a.value for a in got.attributes.attributes if a.key is Tag.STATE] == [state]


@pytest.mark.parametrize("state", [State.PRE_ACTIVE, State.ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_an_object_is_exported_in_every_other_state(kms: TestKms, state: State) -> None:
    assert exported(kms, key_in(kms, state)).managed_object is not None


def test_export_fills_the_placeholder(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.18: the server SHALL copy the Unique Identifier into the ID Placeholder."""
    made = register_key(kms)
    _, second = kms.batch(
        ExportRequest(unique_identifier=made), GetAttributesRequest(), version=V2_1, batch_order_option=True
    )
    assert isinstance(second, GetAttributesRequest.__orig_bases__[0].__args__[0])  # type: ignore[attr-defined]
    assert second.unique_identifier == made


def test_export_does_not_end_the_freshness(kms: TestKms) -> None:
    """KMIP 2.1 §4.24 speaks of Get alone; OASIS TC-IMPEXP-3 shows it."""
    made = register_key(kms)
    exported(kms, made)
    assert value(kms, made, Tag.FRESH) is True


@pytest.mark.parametrize("caller", ["unknown", "foreign"])
def test_an_object_that_is_not_the_callers(kms: TestKms, caller: str) -> None:
    request = ExportRequest(unique_identifier=MISSING if caller == "unknown" else register_key(kms))
    assert_refused(kms, request, R.ITEM_NOT_FOUND, R.OBJECT_NOT_FOUND, caller=BOB)


def test_an_archived_object_is_recovered_first(kms: TestKms) -> None:
    request = ExportRequest(unique_identifier=archived_key(kms))
    assert_refused(kms, request, R.OBJECT_ARCHIVED, R.OBJECT_ARCHIVED, outside_table=True)


@pytest.mark.parametrize(
    ("tag", "reason"), [(Tag.SENSITIVE, R.SENSITIVE), (Tag.EXTRACTABLE, R.NOT_EXTRACTABLE)]
)
def test_what_get_does_not_give_out_is_not_exported(kms: TestKms, tag: Tag, reason: ResultReason) -> None:
    """The tables of Export lack both reasons; KMIP 2.1 §6.1.18 wants the semantics of Get."""
    made = key(kms, attribute(tag, value=tag is Tag.SENSITIVE))
    assert_refused(kms, ExportRequest(unique_identifier=made), reason, reason, outside_table=True)


def test_a_sensitive_key_is_exported_wrapped(kms: TestKms) -> None:
    made = key(kms, attribute(Tag.SENSITIVE, value=True))
    assert exported(kms, made, key_wrapping_specification=specification(wrapping_key(kms, GCM), GCM))


def test_a_format_that_the_key_cannot_have(kms: TestKms) -> None:
    request = ExportRequest(unique_identifier=key(kms), key_format_type=KeyFormatType.PKCS_1)
    reason = R.KEY_FORMAT_TYPE_NOT_SUPPORTED
    assert_refused(kms, request, reason, reason, outside_table=True)


def test_an_unknown_wrapping_key(kms: TestKms) -> None:
    request = ExportRequest(unique_identifier=key(kms), key_wrapping_specification=specification(MISSING))
    assert_refused(kms, request, R.ITEM_NOT_FOUND, R.WRAPPING_OBJECT_NOT_FOUND)


def test_an_empty_placeholder(kms: TestKms) -> None:
    assert refusal(kms, ExportRequest(), version=V2_1).reason is R.OBJECT_NOT_FOUND
