"""Create Split Key (KMIP 1.4 §4.38, 2.1 §6.1.10)."""

from typing import Any, cast

import pytest

from strongroom.model.attribute_list import Attributes, TemplateAttributes
from strongroom.model.structures import Link, Name
from strongroom.operations.get import GetRequest
from strongroom.operations.get_attributes import GetAttributesRequest
from strongroom.operations.locate import LocateRequest
from strongroom.registry import (
    V1_2,
    V1_4,
    V2_1,
    V3_0,
    VERSIONS,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    KeyFormatType,
    LinkType,
    ObjectType,
    ResultReason,
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
    archived_key,
    assert_refused,
    key,
    key_in,
    key_pair,
    named,
    refusal,
    register_key,
    register_template,
    state_of,
    value,
    values,
)
from tests.kms import BOB, Refused, TestKms, attribute
from tests.unit.operations.splits import (
    AES,
    GF_2_8,
    GF_2_16,
    PRIME_FIELD,
    got,
    join,
    material,
    split,
    split_request,
)

R = ResultReason
SINCE_1_2 = [v for v in VERSIONS if v >= V1_2]


@pytest.mark.parametrize("version", SINCE_1_2, ids=str)
def test_each_part_is_an_object_of_its_own(kms: TestKms, version: Version) -> None:
    parts = split(kms, register_key(kms), version=version)
    assert len(set(parts)) == 4
    for number, part in enumerate(parts, 1):
        stored = got(kms, part, version=version)
        assert (stored.split_key_parts, stored.split_key_threshold) == (4, 2)
        assert (stored.key_part_identifier, stored.split_key_method) == (number, GF_2_8)
        assert stored.key_block.key_format_type is KeyFormatType.RAW
        assert stored.key_block.cryptographic_algorithm is CryptographicAlgorithm.AES
        assert stored.key_block.cryptographic_length == 128
        assert state_of(kms, part) is State.PRE_ACTIVE


def test_no_part_is_the_key(kms: TestKms) -> None:
    whole = register_key(kms)
    for method in SplitKeyMethod:
        parts = split(kms, whole, method=method, threshold=4)
        assert AES_128 not in {material(kms, part)[-16:] for part in parts}


def test_the_placeholder_is_the_part_with_identifier_1(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.10."""
    made, first = kms.batch(split_request(register_key(kms)), GetRequest())
    assert not isinstance(made, Refused)
    assert not isinstance(first, Refused)
    assert first.unique_identifier == made.unique_identifier[0]  # type: ignore[attr-defined]
    assert first.managed_object.key_part_identifier == 1  # type: ignore[attr-defined]


def test_without_an_identifier_a_new_key_is_made_and_only_its_parts_are_kept(kms: TestKms) -> None:
    parts = split(kms, None, AES, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 192))
    assert {len(material(kms, part)) for part in parts} == {24}
    assert value(kms, parts[0], Tag.CRYPTOGRAPHIC_LENGTH) == 192
    assert len(kms.call(LocateRequest()).unique_identifier) == 4
    whole = join(kms, parts[:2])
    assert material(kms, join(kms, parts[2:])) == material(kms, whole)


def test_the_parts_are_linked_to_what_was_split(kms: TestKms) -> None:
    whole = register_key(kms)
    for part in split(kms, whole):
        assert values(kms, part, Tag.LINK) == [
            Link(link_type=LinkType.PARENT_LINK, linked_object_identifier=whole)
        ]
        assert value(kms, part, Tag.SPLIT_KEY_BASE_LINK, version=V3_0) == whole


def test_where_request_and_key_differ_the_key_takes_precedence(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.10."""
    given = (
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.CAMELLIA),
        attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256),
        attribute(Tag.CRYPTOGRAPHIC_USAGE_MASK, CryptographicUsageMask.SIGN),
        attribute(Tag.OBJECT_GROUP, "keepers"),
    )
    for part in split(kms, register_key(kms), *given):
        assert value(kms, part, Tag.CRYPTOGRAPHIC_ALGORITHM) is CryptographicAlgorithm.AES
        assert value(kms, part, Tag.CRYPTOGRAPHIC_LENGTH) == 128
        assert value(kms, part, Tag.CRYPTOGRAPHIC_USAGE_MASK) == EVERY_USE
        assert value(kms, part, Tag.OBJECT_GROUP) == "keepers"


def test_a_part_of_a_protected_key_is_protected(kms: TestKms) -> None:
    whole = register_key(kms, attribute(Tag.SENSITIVE, value=True), attribute(Tag.EXTRACTABLE, value=False))
    for part in split(kms, whole, attribute(Tag.SENSITIVE, value=False)):
        assert value(kms, part, Tag.SENSITIVE) is True
        assert value(kms, part, Tag.EXTRACTABLE) is False
        assert value(kms, part, Tag.ALWAYS_SENSITIVE) is True
        assert refusal(kms, GetRequest(unique_identifier=part)).reason is R.SENSITIVE


def test_a_part_of_a_key_that_was_open_once_is_not_always_sensitive(kms: TestKms) -> None:
    part = split(kms, register_key(kms), attribute(Tag.SENSITIVE, value=True))[0]
    assert value(kms, part, Tag.SENSITIVE) is False
    assert value(kms, part, Tag.ALWAYS_SENSITIVE) is False


def test_what_the_parts_remember_of_the_whole_is_not_shown(kms: TestKms) -> None:
    part = split(kms, register_key(kms))[0]
    for version in SINCE_1_2:
        assert got(kms, part, version=version).split_origin is None
        shown = kms.call(GetAttributesRequest(unique_identifier=part), version=version)
        assert Tag.SALT not in {a.key for a in shown.attributes.attributes}


def test_the_polynomial_is_kept_with_each_part(kms: TestKms) -> None:
    """The texts until 1.4 reduce GF(2^16) by 283, those since by 285; see docs/decisions."""
    whole, tag = register_key(kms), Tag.SPLIT_KEY_POLYNOMIAL

    def polynomial(version: Version, *given: Any, **fields: Any) -> Any:
        return value(kms, split(kms, whole, *given, version=version, **fields)[0], tag, version=V3_0)

    for version in SINCE_1_2:
        assert polynomial(version) is SplitKeyPolynomial.POLYNOMIAL_285
    assert polynomial(V1_2, method=GF_2_16) is SplitKeyPolynomial.POLYNOMIAL_283
    assert polynomial(V1_4, method=GF_2_16) is SplitKeyPolynomial.POLYNOMIAL_283
    assert polynomial(V2_1, method=GF_2_16) is SplitKeyPolynomial.POLYNOMIAL_285
    assert polynomial(V2_1, method=PRIME_FIELD) is None
    asked = attribute(tag, SplitKeyPolynomial.POLYNOMIAL_283)
    assert polynomial(V3_0, asked) is SplitKeyPolynomial.POLYNOMIAL_283
    assert polynomial(V3_0, asked, method=GF_2_16) is SplitKeyPolynomial.POLYNOMIAL_283


def test_a_prime_of_the_servers_choice_is_greater_than_every_key(kms: TestKms) -> None:
    """KMIP 2.1 §13.1: Prime Field Size is a prime bigger than 2^L."""
    part = got(kms, split(kms, register_key(kms), method=PRIME_FIELD)[0])
    assert part.prime_field_size > 1 << 128
    assert got(kms, split(kms, register_key(kms))[0]).prime_field_size is None


def test_a_prime_of_the_clients_choice_is_used(kms: TestKms) -> None:
    prime = (1 << 521) - 1
    parts = split(kms, register_key(kms), method=PRIME_FIELD, prime_field_size=prime)
    assert got(kms, parts[3]).prime_field_size == prime
    assert material(kms, join(kms, parts[1:3])) == AES_128


@pytest.mark.parametrize(
    "fields",
    [
        {"threshold": 1},
        {"threshold": 5},
        {"threshold": 0},
        {"parts": -1, "threshold": -1},
        {"method": SplitKeyMethod.XOR},
        {"prime_field_size": 257},
    ],
    ids=str,
)
def test_terms_that_make_no_split_are_refused(kms: TestKms, fields: dict[str, Any]) -> None:
    assert_refused(kms, split_request(register_key(kms), **fields), R.INVALID_FIELD, R.INVALID_FIELD)


def test_a_number_that_is_not_prime_is_refused(kms: TestKms) -> None:
    request = split_request(register_key(kms), method=PRIME_FIELD, prime_field_size=(1 << 200) + 1)
    assert_refused(kms, request, R.INVALID_FIELD, R.BAD_CRYPTOGRAPHIC_PARAMETERS)


def test_a_method_of_somebody_elses_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11.39: Split Key Method not supported."""
    request = split_request(register_key(kms), method=cast(SplitKeyMethod, 0x80000001))
    assert_refused(kms, request, R.INVALID_FIELD, R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS)


def test_too_many_parts_are_refused(kms: TestKms) -> None:
    request = split_request(register_key(kms), parts=256)
    assert_refused(kms, request, R.INVALID_FIELD, R.SERVER_LIMIT_EXCEEDED)


def test_only_split_keys_are_made(kms: TestKms) -> None:
    request = split_request(register_key(kms), object_type=ObjectType.SYMMETRIC_KEY)
    assert_refused(kms, request, R.INVALID_FIELD, R.INVALID_OBJECT_TYPE)


def test_a_public_key_is_not_split(kms: TestKms) -> None:
    _, public = key_pair(kms)
    assert_refused(kms, split_request(public), R.INVALID_FIELD, R.INVALID_OBJECT_TYPE)


def test_a_part_is_not_split(kms: TestKms) -> None:
    part = split(kms, register_key(kms))[0]
    assert_refused(kms, split_request(part), R.INVALID_FIELD, R.INVALID_OBJECT_TYPE)


def test_a_new_key_needs_an_algorithm_with_symmetric_keys(kms: TestKms) -> None:
    assert_refused(kms, split_request(None), R.INVALID_FIELD, R.INVALID_FIELD)
    rsa = attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA)
    assert_refused(kms, split_request(None, rsa), R.INVALID_FIELD, R.INVALID_FIELD)


def test_a_name_is_refused_since_parts_cannot_share_it(kms: TestKms) -> None:
    request = split_request(register_key(kms), named("several"))
    assert_refused(kms, request, R.INVALID_FIELD, R.NON_UNIQUE_NAME_ATTRIBUTE)


def test_an_attribute_that_only_the_server_sets_is_refused(kms: TestKms) -> None:
    given = attribute(Tag.INITIAL_DATE, kms.clock.now())
    assert_refused(kms, split_request(register_key(kms), given), R.INVALID_FIELD, R.INVALID_FIELD)


def test_an_unknown_key_is_not_found(kms: TestKms) -> None:
    assert_refused(kms, split_request(MISSING), R.ITEM_NOT_FOUND, R.ITEM_NOT_FOUND)


def test_somebody_elses_key_is_not_found(kms: TestKms) -> None:
    request = split_request(register_key(kms))
    assert_refused(kms, request, R.ITEM_NOT_FOUND, R.ITEM_NOT_FOUND, caller=BOB)


def test_a_destroyed_key_is_not_split(kms: TestKms) -> None:
    request = split_request(key_in(kms, State.DESTROYED))
    assert_refused(kms, request, R.ITEM_NOT_FOUND, R.OBJECT_DESTROYED)


def test_an_archived_key_is_not_split(kms: TestKms) -> None:
    request = split_request(archived_key(kms))
    assert_refused(kms, request, R.OBJECT_ARCHIVED, R.OBJECT_ARCHIVED, outside_table=True)


@pytest.mark.parametrize("state", [State.ACTIVE, State.DEACTIVATED, State.COMPROMISED])
def test_a_key_may_be_split_whatever_its_state_as_long_as_it_exists(kms: TestKms, state: State) -> None:
    assert len(split(kms, key_in(kms, state))) == 4


def test_templates_give_attributes(kms: TestKms) -> None:
    register_template(kms, "keepers", attribute(Tag.OBJECT_GROUP, "g"))
    request = split_request(key(kms)).replace(
        attributes=TemplateAttributes(names=(Name(name_value="keepers"),), attributes=Attributes())
    )
    made = kms.call(request)
    assert value(kms, made.unique_identifier[3], Tag.OBJECT_GROUP) == "g"
