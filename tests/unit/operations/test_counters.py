"""Counters of uses (docs/decisions/0030-counters-are-exact-or-absent.md) and NIST Security Category (3.0)."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strongroom.attributes.usage import USE_COUNTERS
from strongroom.domain.context import Policy
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.export import ExportRequest
from strongroom.operations.import_ import ImportRequest
from strongroom.operations.modify_attribute import ModifyAttributeRequest
from strongroom.operations.re_key import ReKeyRequest
from strongroom.operations.sign import SignRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.registry import (
    V3_0,
    BatchErrorContinuationOption,
    BlockCipherMode,
    CryptographicAlgorithm,
    HashingAlgorithm,
    PaddingMethod,
    ResultReason,
    Tag,
)
from tests.expect import MISSING, active_key, key_pair, refusal, value
from tests.kms import TestKms, attribute, template

CBC = CryptographicParameters(block_cipher_mode=BlockCipherMode.CBC, padding_method=PaddingMethod.PKCS5)
SHA_256 = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
IV = bytes(16)
DATA = SecretBytes(b"data")


@pytest.fixture
def counting(tmp_path: Path, empty_store: Path) -> Iterator[TestKms]:
    """Give a key manager whose new keys count their uses."""
    shutil.copytree(empty_store, tmp_path / "counting")
    server = TestKms(tmp_path / "counting", policy=Policy(count_uses=True))
    yield server
    server.close()


def encrypt(made: UniqueIdentifier, **fields: Any) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=made, cryptographic_parameters=CBC, data=DATA, iv_counter_nonce=IV, **fields
    )


def counters(kms: TestKms, made: UniqueIdentifier) -> dict[str, int]:
    """Return the counters that a key has, those at nought left out."""
    found = {tag.name: value(kms, made, tag, version=V3_0) for tag in USE_COUNTERS}
    return {name: count for name, count in found.items() if count}


def counts(kms: TestKms, made: UniqueIdentifier) -> bool:
    """Tell whether a key has all counters; it has all or none."""
    there = [value(kms, made, tag, version=V3_0) is not None for tag in USE_COUNTERS]
    assert len(set(there)) == 1
    return there[0]


def test_keys_have_no_counters_unless_the_policy_says_so(kms: TestKms, counting: TestKms) -> None:
    for server in (kms, counting):
        made = active_key(server)
        server.call(encrypt(made))
        assert counts(server, made) is (server is counting)


def test_each_operation_has_a_counter_of_its_own(counting: TestKms) -> None:
    made = active_key(counting)
    sealed = counting.call(encrypt(made)).data
    counting.call(encrypt(made))
    opening = DecryptRequest(
        unique_identifier=made, cryptographic_parameters=CBC, data=sealed, iv_counter_nonce=IV
    )
    counting.call(opening)
    assert counters(counting, made) == {"ENCRYPT_COUNTER": 2, "DECRYPT_COUNTER": 1}


def test_signing_and_verifying_count_for_their_own_keys(counting: TestKms) -> None:
    private, public = key_pair(counting)
    for one in (private, public):
        counting.call(ActivateRequest(unique_identifier=one))
    sign = SignRequest(unique_identifier=private, cryptographic_parameters=SHA_256, data=DATA)
    signature = counting.call(sign).signature_data
    verify = SignatureVerifyRequest(
        unique_identifier=public, cryptographic_parameters=SHA_256, data=DATA, signature_data=signature
    )
    counting.call(verify)
    counting.call(verify.replace(signature_data=b"wrong"))  # an answer, hence a use
    assert counters(counting, private) == {"SIGN_COUNTER": 1}
    assert counters(counting, public) == {"SIGNATURE_VERIFY_COUNTER": 2}


def test_an_operation_in_parts_counts_once(counting: TestKms) -> None:
    made = active_key(counting)
    begun = counting.call(encrypt(made, init_indicator=True))
    more = EncryptRequest(unique_identifier=made, correlation_value=begun.correlation_value, data=DATA)
    counting.call(more)
    counting.call(more.replace(final_indicator=True))
    assert counters(counting, made) == {"ENCRYPT_COUNTER": 1}


def test_what_failed_or_was_undone_does_not_count(counting: TestKms) -> None:
    made = active_key(counting)
    assert refusal(counting, encrypt(made).replace(iv_counter_nonce=b"short"))
    counting.batch(
        encrypt(made),
        encrypt(MISSING),
        batch_error_continuation_option=BatchErrorContinuationOption.UNDO,
    )
    assert counters(counting, made) == {}


def test_a_counter_outlives_a_restart(counting: TestKms) -> None:
    made = active_key(counting)
    counting.call(encrypt(made))
    again = TestKms(counting.directory)  # with the policy off: what counts goes on counting
    again.call(encrypt(made))
    assert counters(again, made) == {"ENCRYPT_COUNTER": 2}
    again.close()


def test_the_replacement_of_a_key_that_counts_starts_from_nought(counting: TestKms) -> None:
    made = active_key(counting)
    counting.call(encrypt(made))
    new = counting.call(ReKeyRequest(unique_identifier=made)).unique_identifier
    assert counts(counting, new)
    assert counters(counting, new) == {}
    assert counters(counting, made) == {"ENCRYPT_COUNTER": 1}


def test_an_imported_key_goes_on_counting(kms: TestKms, counting: TestKms) -> None:
    made = active_key(counting)
    counting.call(encrypt(made))
    exported = counting.call(ExportRequest(unique_identifier=made), version=V3_0)
    kms.call(
        ImportRequest(
            unique_identifier=made,
            object_type=exported.object_type,
            attributes=exported.attributes,
            managed_object=exported.managed_object,
        ),
        version=V3_0,
    )
    kms.call(encrypt(made))
    assert counters(kms, made) == {"ENCRYPT_COUNTER": 2}


@pytest.mark.parametrize("tag", USE_COUNTERS)
def test_a_client_sets_no_counter(counting: TestKms, tag: Tag) -> None:
    request = ModifyAttributeRequest(unique_identifier=active_key(counting), new_attribute=attribute(tag, 7))
    assert refusal(counting, request, version=V3_0).reason is ResultReason.ATTRIBUTE_READ_ONLY


CATEGORIES = {
    CryptographicAlgorithm.ML_DSA_44: 2,
    CryptographicAlgorithm.ML_DSA_65: 3,
    CryptographicAlgorithm.ML_DSA_87: 5,
    CryptographicAlgorithm.ML_KEM_768: 3,
    CryptographicAlgorithm.ML_KEM_1024: 5,
    CryptographicAlgorithm.ED25519: None,
}


@pytest.mark.parametrize(("algorithm", "category"), CATEGORIES.items(), ids=lambda v: getattr(v, "name", v))
def test_post_quantum_keys_say_their_security_category(
    kms: TestKms, algorithm: CryptographicAlgorithm, category: int | None
) -> None:
    """FIPS 203 table 2 and FIPS 204 table 1."""
    given: list[AttributeInstance] = [attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm)]
    made = kms.call(CreateKeyPairRequest(common_attributes=template(*given)), version=V3_0)
    for one in (made.private_key_unique_identifier, made.public_key_unique_identifier):
        assert value(kms, one, Tag.NIST_SECURITY_CATEGORY, version=V3_0) == category


def test_a_security_category_that_the_client_gives_stays(kms: TestKms) -> None:
    given = (
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ML_DSA_65),
        attribute(Tag.NIST_SECURITY_CATEGORY, 4),
    )
    made = kms.call(CreateKeyPairRequest(common_attributes=template(*given)), version=V3_0)
    found = value(kms, made.public_key_unique_identifier, Tag.NIST_SECURITY_CATEGORY, version=V3_0)
    assert found == 4
