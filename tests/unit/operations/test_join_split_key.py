"""Join Split Key (KMIP 1.4 §4.39, 2.1 §6.1.27)."""

from itertools import combinations
from typing import Any

import pytest

from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.objects import OpaqueObject, SecretData
from strongroom.operations.archive import ArchiveRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.register import RegisterRequest
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_1,
    V3_0,
    VERSIONS,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    ObjectType,
    ResultReason,
    RevocationReasonCode,
    SecretDataType,
    SplitKeyMethod,
    SplitKeyPolynomial,
    State,
    Tag,
    Version,
)
from tests.expect import (
    AES_128,
    EVERY_USE,
    MISSING,
    assert_refused,
    key_pair,
    mask,
    named,
    opaque,
    password,
    refusal,
    register_key,
    register_opaque,
    registration,
    revoke,
    state_of,
    value,
    values,
)
from tests.kms import BOB, Refused, TestKms, attribute, template
from tests.unit.operations.splits import (
    AES,
    GF_2_16,
    PRIME_FIELD,
    got,
    join,
    join_request,
    material,
    register_part,
    split,
)

R = ResultReason
SINCE_1_2 = [v for v in VERSIONS if v >= V1_2]
PRINTED = (
    bytes.fromhex("66c46a7754f94de420c7b1a7fff5ec56"),
    bytes.fromhex("cf93d1e2a7e593cd5b8d6247f4e5d49c"),
    bytes.fromhex("a855b891f61ad9217240d8ec061e37da"),
)
"""Parts 1 to 3 of 0102..10 in the OASIS test cases TC-SJ-2 and TC-SJ-3."""


def rsa_private_key(kms: TestKms) -> UniqueIdentifier:
    rsa = (
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 2048),
    )
    return kms.call(
        CreateKeyPairRequest(
            common_attributes=template(*rsa),
            private_key_attributes=template(mask(CryptographicUsageMask.SIGN)),
            public_key_attributes=template(mask(CryptographicUsageMask.VERIFY)),
        )
    ).private_key_unique_identifier


@pytest.mark.parametrize("version", SINCE_1_2, ids=str)
@pytest.mark.parametrize("method", SplitKeyMethod)
def test_any_threshold_of_parts_joins_to_the_key(
    kms: TestKms, method: SplitKeyMethod, version: Version
) -> None:
    threshold = 4 if method is SplitKeyMethod.XOR else 3
    parts = split(kms, register_key(kms), method=method, threshold=threshold, version=version)
    for few in combinations(parts, threshold):
        assert material(kms, join(kms, list(few), version=version)) == AES_128


@pytest.mark.parametrize("method", [m for m in SplitKeyMethod if m is not SplitKeyMethod.XOR])
def test_parts_made_in_one_version_join_in_another(kms: TestKms, method: SplitKeyMethod) -> None:
    for version, other in ((V1_2, V2_1), (V2_1, V1_4), (V3_0, V1_2)):
        parts = split(kms, register_key(kms), method=method, version=version)
        assert material(kms, join(kms, parts[2:], version=other)) == AES_128


def test_parts_made_elsewhere_join(kms: TestKms) -> None:
    """OASIS test case TC-SJ-3."""
    parts = [register_part(kms, n, data) for n, data in enumerate(PRINTED, 1)]
    whole = join(kms, parts[::2], AES, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 128), mask(EVERY_USE))
    assert material(kms, whole) == bytes(range(1, 17))
    assert got(kms, whole).key_block.cryptographic_algorithm is CryptographicAlgorithm.AES
    assert value(kms, whole, Tag.CRYPTOGRAPHIC_USAGE_MASK) == EVERY_USE


def test_parts_in_gf_2_16_made_elsewhere_join_by_the_polynomial_of_the_text(kms: TestKms) -> None:
    """f(x) = 0x8001 + 0x8080 x: at 2 and 3, reduced by 283 (until 1.4) and by 285 (since)."""
    fields = {"method": GF_2_16}
    slope, secret = 0x80, 0x8001
    for version, twice in ((V1_4, 0x1B), (V2_1, 0x1D)):
        two = secret ^ (twice << 8 | twice)
        three = secret ^ ((twice ^ slope) << 8 | twice ^ slope)
        parts = [
            register_part(kms, n, data.to_bytes(2, "big"), split_key_method=fields["method"])
            for n, data in ((2, two), (3, three))
        ]
        whole = join(kms, parts, object_type=ObjectType.SECRET_DATA, version=version)
        assert material(kms, whole) == secret.to_bytes(2, "big")


def test_a_polynomial_that_the_parts_do_not_name_may_be_named_by_the_request(kms: TestKms) -> None:
    one, two = 0x01 ^ 0x80, 0x01 ^ 0x1B
    parts = [register_part(kms, n, bytes([data])) for n, data in ((1, one), (2, two))]
    named_ = attribute(Tag.SPLIT_KEY_POLYNOMIAL, SplitKeyPolynomial.POLYNOMIAL_283)
    whole = join(kms, parts, named_, object_type=ObjectType.SECRET_DATA, version=V3_0)
    assert material(kms, whole) == b"\x01"


def test_another_polynomial_than_that_of_the_parts_is_refused(kms: TestKms) -> None:
    parts = split(kms, register_key(kms))
    other = attribute(Tag.SPLIT_KEY_POLYNOMIAL, SplitKeyPolynomial.POLYNOMIAL_283)
    answer = refusal(kms, join_request(parts[:2], other), version=V3_0)
    assert answer.reason is R.BAD_CRYPTOGRAPHIC_PARAMETERS


def test_the_joined_key_has_the_uses_of_its_parts_unless_the_request_says_others(kms: TestKms) -> None:
    parts = split(kms, register_key(kms, usage=CryptographicUsageMask.ENCRYPT))
    assert value(kms, join(kms, parts[:2]), Tag.CRYPTOGRAPHIC_USAGE_MASK) is CryptographicUsageMask.ENCRYPT
    other = join(kms, parts[:2], mask(EVERY_USE), named("joined"))
    assert value(kms, other, Tag.CRYPTOGRAPHIC_USAGE_MASK) == EVERY_USE
    assert value(kms, other, Tag.NAME).name_value == "joined"
    assert state_of(kms, other) is State.PRE_ACTIVE


def test_the_joined_key_is_linked_to_its_parts(kms: TestKms) -> None:
    parts = split(kms, register_key(kms))
    whole = join(kms, parts[1:3])
    assert values(kms, whole, Tag.JOINED_SPLIT_KEY_PARTS_LINK, version=V3_0) == parts[1:3]


def test_protection_survives_splitting_and_joining(kms: TestKms) -> None:
    guarded = register_key(
        kms,
        attribute(Tag.SENSITIVE, value=True),
        attribute(Tag.EXTRACTABLE, value=False),
        usage=CryptographicUsageMask.ENCRYPT,
    )
    parts = split(kms, guarded)
    whole = join(kms, parts[:2])
    assert value(kms, whole, Tag.SENSITIVE) is True
    assert value(kms, whole, Tag.ALWAYS_SENSITIVE) is True
    assert value(kms, whole, Tag.NEVER_EXTRACTABLE) is True
    assert refusal(kms, GetRequest(unique_identifier=whole)).reason is R.SENSITIVE
    weaker = join_request(parts[:2], attribute(Tag.SENSITIVE, value=False))
    assert refusal(kms, weaker, version=V2_1).reason is R.INVALID_ATTRIBUTE_VALUE
    more = join_request(parts[:2], mask(EVERY_USE))
    assert_refused(kms, more, R.INVALID_FIELD, R.INVALID_ATTRIBUTE_VALUE)


@pytest.mark.parametrize(
    "protection", [attribute(Tag.SENSITIVE, value=True), attribute(Tag.EXTRACTABLE, value=False)]
)
def test_a_protected_key_keeps_its_algorithm(kms: TestKms, protection: AttributeInstance) -> None:
    """Some algorithms show their keys, such as Poly1305 in two MACs."""
    other = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.SM4)
    parts = split(kms, register_key(kms, protection, usage=CryptographicUsageMask.ENCRYPT))
    found = refusal(kms, join_request(parts[:2], other), version=V3_0)
    assert found.reason is R.INVALID_ATTRIBUTE_VALUE
    assert "algorithm" in found.message.lower()
    join(kms, parts[:2])
    free = split(kms, register_key(kms, usage=CryptographicUsageMask.ENCRYPT))
    kms.call(join_request(free[:2], other), version=V3_0)


@pytest.mark.parametrize("method", [SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8, GF_2_16])
@pytest.mark.parametrize("make", [rsa_private_key, lambda kms: key_pair(kms)[0]], ids=["RSA", "EC"])
def test_a_private_key_is_split_and_joined(kms: TestKms, make: Any, method: SplitKeyMethod) -> None:
    private = make(kms)
    parts = split(kms, private, method=method)
    whole = join(kms, parts[:2], object_type=ObjectType.PRIVATE_KEY)
    one, other = (
        kms.call(GetRequest(unique_identifier=i, key_format_type=KeyFormatType.PKCS_8)).managed_object
        for i in (whole, private)
    )
    assert one == other
    for tag in (
        Tag.CRYPTOGRAPHIC_ALGORITHM,
        Tag.CRYPTOGRAPHIC_LENGTH,
        Tag.CRYPTOGRAPHIC_USAGE_MASK,
    ):
        assert value(kms, whole, tag) == value(kms, private, tag)


def test_the_format_of_a_private_key_from_elsewhere_is_found_out(kms: TestKms) -> None:
    private = rsa_private_key(kms)
    for key_format in (KeyFormatType.PKCS_1, KeyFormatType.PKCS_8):
        der = kms.call(GetRequest(unique_identifier=private, key_format_type=key_format)).managed_object
        held = der.key_block.key_value.key_material.reveal()  # type: ignore[attr-defined]
        fields: dict[str, Any] = {"split_key_method": SplitKeyMethod.XOR, "split_key_parts": 2}
        parts = [
            register_part(kms, 1, bytes(len(held)), **fields),
            register_part(kms, 2, held, **fields),
        ]
        whole = got(kms, join(kms, parts, object_type=ObjectType.PRIVATE_KEY))
        assert whole.key_block.key_format_type is key_format
        assert whole.key_block.cryptographic_length == 2048


def test_bytes_that_are_no_private_key_are_not_joined_to_one(kms: TestKms) -> None:
    parts = split(kms, register_key(kms))
    request = join_request(parts[:2], object_type=ObjectType.PRIVATE_KEY)
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


def test_a_password_is_split_and_joined(kms: TestKms) -> None:
    request = registration(
        ObjectType.SECRET_DATA, password(b"correct horse"), mask(CryptographicUsageMask.VERIFY)
    )
    whole = kms.call(request).unique_identifier
    for method in (GF_2_16, PRIME_FIELD):
        parts = split(kms, whole, method=method)
        assert got(kms, join(kms, parts[:2], object_type=ObjectType.SECRET_DATA)) == password(
            b"correct horse"
        )
        seed = join(
            kms,
            parts[:2],
            object_type=ObjectType.SECRET_DATA,
            secret_data_type=SecretDataType.SEED,
        )
        joined = got(kms, seed)
        assert isinstance(joined, SecretData)
        assert joined.secret_data_type is SecretDataType.SEED


def test_an_opaque_object_is_split_and_joined(kms: TestKms) -> None:
    parts = split(kms, register_opaque(kms))
    assert got(kms, join(kms, parts[:2], object_type=ObjectType.OPAQUE_OBJECT)) == opaque()
    key_parts = split(kms, register_key(kms))
    joined = got(kms, join(kms, key_parts[:2], object_type=ObjectType.OPAQUE_OBJECT))
    assert isinstance(joined, OpaqueObject)
    assert joined.opaque_data_value.reveal() == AES_128


def test_too_few_parts_are_refused(kms: TestKms) -> None:
    """faults 28. KMIP 1.4 §11.40: fewer Unique Identifiers than the Split Key Threshold."""
    parts = split(kms, register_key(kms), threshold=3)
    request = join_request(parts[:2])
    assert_refused(kms, request, R.CRYPTOGRAPHIC_FAILURE, R.CRYPTOGRAPHIC_FAILURE)
    assert "3 parts are needed" in refusal(kms, request).message


def test_xor_needs_every_part_whatever_threshold_a_part_claims(kms: TestKms) -> None:
    fields: dict[str, Any] = {"split_key_method": SplitKeyMethod.XOR}
    parts = [register_part(kms, n, bytes(16), **fields) for n in (1, 2, 3)]
    assert_refused(kms, join_request(parts), R.CRYPTOGRAPHIC_FAILURE, R.CRYPTOGRAPHIC_FAILURE)


def test_one_part_named_twice_is_refused(kms: TestKms) -> None:
    parts = split(kms, register_key(kms))
    request = join_request([parts[0], parts[0]])
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


def test_two_parts_with_the_same_number_are_refused(kms: TestKms) -> None:
    parts = [register_part(kms, 1, PRINTED[0]), register_part(kms, 1, PRINTED[1])]
    assert_refused(kms, join_request(parts), R.INVALID_FIELD, R.INVALID_FIELD)


def test_parts_of_different_splits_are_refused(kms: TestKms) -> None:
    """faults 28."""
    whole = register_key(kms)
    one, other = split(kms, whole), split(kms, whole)
    request = join_request([one[0], other[1]])
    assert_refused(kms, request, R.CRYPTOGRAPHIC_FAILURE, R.CRYPTOGRAPHIC_FAILURE)
    three = split(kms, whole, threshold=3)
    request = join_request([one[0], one[1], three[2]])
    assert_refused(kms, request, R.CRYPTOGRAPHIC_FAILURE, R.CRYPTOGRAPHIC_FAILURE)


@pytest.mark.parametrize("method", [GF_2_16, PRIME_FIELD, SplitKeyMethod.POLYNOMIAL_SHARING_GF_2_8])
def test_an_altered_part_is_refused_beside_one_that_was_made_here(
    kms: TestKms, method: SplitKeyMethod
) -> None:
    """faults 28."""
    parts = split(kms, register_key(kms), method=method, version=V2_1)
    exported = got(kms, parts[1])
    changed = bytearray(material(kms, parts[1]))
    fields: dict[str, Any] = {"split_key_method": method, "prime_field_size": exported.prime_field_size}
    back = register_part(kms, 2, bytes(changed), **fields, version=V2_1)
    assert material(kms, join(kms, [parts[0], back], version=V2_1)) == AES_128
    changed[-1] ^= 1
    altered = register_part(kms, 2, bytes(changed), **fields, version=V2_1)
    answer = refusal(kms, join_request([parts[0], altered]), version=V2_1)
    assert answer.reason is R.CRYPTOGRAPHIC_FAILURE


def test_what_is_no_part_is_refused(kms: TestKms) -> None:
    whole = register_key(kms)
    request = join_request([split(kms, whole)[0], whole])
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_OBJECT_TYPE)


@pytest.mark.parametrize("object_type", [ObjectType.SPLIT_KEY, ObjectType.CERTIFICATE, ObjectType.PUBLIC_KEY])
def test_other_object_types_are_refused(kms: TestKms, object_type: ObjectType) -> None:
    request = join_request(split(kms, register_key(kms)), object_type=object_type)
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_OBJECT_TYPE)


def test_a_secret_data_type_belongs_to_secret_data(kms: TestKms) -> None:
    request = join_request(split(kms, register_key(kms)), secret_data_type=SecretDataType.SEED)
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


def test_an_unknown_part_is_not_found(kms: TestKms) -> None:
    request = join_request([split(kms, register_key(kms))[0], MISSING])
    assert_refused(kms, request, R.ITEM_NOT_FOUND, R.OBJECT_NOT_FOUND)


def test_every_part_must_be_the_callers(kms: TestKms) -> None:
    mine = split(kms, register_key(kms))
    request = join_request(mine[:2])
    assert_refused(kms, request, R.ITEM_NOT_FOUND, R.OBJECT_NOT_FOUND, caller=BOB)


def test_a_destroyed_part_is_gone(kms: TestKms) -> None:
    parts = split(kms, register_key(kms))
    kms.call(DestroyRequest(unique_identifier=parts[1]))
    request = join_request(parts[:2])
    assert_refused(kms, request, R.ITEM_NOT_FOUND, R.OBJECT_DESTROYED)
    assert material(kms, join(kms, parts[2:])) == AES_128


def test_an_archived_part_has_to_be_recovered(kms: TestKms) -> None:
    parts = split(kms, register_key(kms))
    kms.call(ArchiveRequest(unique_identifier=parts[0]))
    assert_refused(kms, join_request(parts[:2]), R.OBJECT_ARCHIVED, R.OBJECT_ARCHIVED)


def test_a_compromised_part_still_joins(kms: TestKms) -> None:
    parts = split(kms, register_key(kms))
    kms.call(revoke(parts[0], RevocationReasonCode.KEY_COMPROMISE))
    assert material(kms, join(kms, parts[:2])) == AES_128


def test_a_name_that_is_taken_is_refused(kms: TestKms) -> None:
    parts = split(kms, register_key(kms, named("taken")))
    request = join_request(parts[:2], named("taken"))
    assert_refused(kms, request, R.INVALID_FIELD, R.NON_UNIQUE_NAME_ATTRIBUTE)


def test_a_length_that_is_not_that_of_the_parts_is_refused(kms: TestKms) -> None:
    request = join_request(split(kms, register_key(kms))[:2], attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256))
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_FIELD)


def test_more_parts_than_any_split_has_are_refused(kms: TestKms) -> None:
    request = join_request([MISSING] * 256)
    assert_refused(kms, request, R.INVALID_FIELD, R.SERVER_LIMIT_EXCEEDED)


@pytest.mark.parametrize("fields", [{"number": 0}, {"number": 5}, {"split_key_threshold": 9}], ids=str)
def test_a_part_that_no_split_can_have_is_not_registered(kms: TestKms, fields: dict[str, Any]) -> None:
    """KMIP 2.1 §2.8: the Key Part Identifier is at least 1 and at most the Split Key Parts."""
    number = fields.pop("number", 1)
    with pytest.raises(Refused, match="must be at least 1"):
        register_part(kms, number, b"x", **fields)


def test_a_part_in_a_prime_field_is_registered_with_the_prime(kms: TestKms) -> None:
    with pytest.raises(Refused, match="Prime Field Size"):
        register_part(kms, 1, b"x", split_key_method=PRIME_FIELD)


def test_nobody_registers_what_only_the_server_remembers(kms: TestKms) -> None:
    """A client cannot make the server trust a digest of its own."""
    part = split(kms, register_key(kms))[0]
    request = registration(ObjectType.SPLIT_KEY, got(kms, part))
    assert isinstance(request, RegisterRequest)
    copy = kms.call(request).unique_identifier
    assert got(kms, copy).split_origin is None
