"""Re-key Key Pair (KMIP 1.1 §4.5, 2.1 §6.1.47)."""

from datetime import timedelta

import pytest

from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock
from strongroom.model.objects import PrivateKey
from strongroom.model.struct import Seconds
from strongroom.model.structures import CryptographicDomainParameters, CryptographicParameters, Link
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.re_key_key_pair import ReKeyKeyPairRequest, ReKeyKeyPairResponse
from strongroom.registry import (
    V1_0,
    V1_1,
    V1_4,
    V2_1,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    RecommendedCurve,
    ResultReason,
    State,
    Tag,
)
from tests.expect import (
    MISSING,
    key,
    key_pair,
    mask,
    named,
    pair_request,
    refusal,
    registration,
    state_of,
    stored,
    value,
    values,
)
from tests.kms import BOB, TestKms, attribute, template

CURVES = {
    256: RecommendedCurve.P_256,
    384: RecommendedCurve.P_384,
    521: RecommendedCurve.P_521,
}


def on_curve(curve: RecommendedCurve) -> AttributeInstance:
    domain = CryptographicDomainParameters(recommended_curve=curve)
    return attribute(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain)


def re_key(kms: TestKms, private: UniqueIdentifier, offset: int | None = None) -> ReKeyKeyPairResponse:
    request = ReKeyKeyPairRequest(
        private_key_unique_identifier=private,
        offset=None if offset is None else Seconds(offset),
    )
    return kms.call(request)


def links(kms: TestKms, made: UniqueIdentifier) -> set[tuple[LinkType, str]]:
    found: list[Link] = values(kms, made, Tag.LINK)
    return {(link.link_type, link.linked_object_identifier) for link in found}


def test_both_keys_are_replaced_and_linked(kms: TestKms) -> None:
    """KMIP 1.4 §4.5: each to its predecessor, and to each other."""
    old_private, old_public = key_pair(kms)
    new = re_key(kms, old_private)
    private, public = new.private_key_unique_identifier, new.public_key_unique_identifier
    assert links(kms, private) == {
        (LinkType.PUBLIC_KEY_LINK, public),
        (LinkType.REPLACED_OBJECT_LINK, old_private),
    }
    assert links(kms, public) == {
        (LinkType.PRIVATE_KEY_LINK, private),
        (LinkType.REPLACED_OBJECT_LINK, old_public),
    }
    assert (LinkType.REPLACEMENT_OBJECT_LINK, private) in links(kms, old_private)
    assert (LinkType.REPLACEMENT_OBJECT_LINK, public) in links(kms, old_public)


def test_the_new_keys_are_of_the_same_kind(kms: TestKms) -> None:
    old_private, old_public = key_pair(kms)
    new = re_key(kms, old_private)
    for old, made in (
        (old_private, new.private_key_unique_identifier),
        (old_public, new.public_key_unique_identifier),
    ):
        for tag in (Tag.CRYPTOGRAPHIC_ALGORITHM, Tag.CRYPTOGRAPHIC_LENGTH, Tag.CRYPTOGRAPHIC_USAGE_MASK):
            assert value(kms, made, tag) == value(kms, old, tag)
        assert value(kms, made, Tag.DIGEST) != value(kms, old, Tag.DIGEST)


def test_the_new_keys_take_the_names(kms: TestKms) -> None:
    """KMIP 1.4 table 177."""
    request: CreateKeyPairRequest = pair_request().replace(
        private_key_attributes=template(mask(CryptographicUsageMask.SIGN), named("private")),
        public_key_attributes=template(mask(CryptographicUsageMask.VERIFY), named("public")),
    )
    old = kms.call(request)
    new = re_key(kms, old.private_key_unique_identifier)
    for made, name in (
        (new.private_key_unique_identifier, "private"),
        (new.public_key_unique_identifier, "public"),
    ):
        assert [n.name_value for n in values(kms, made, Tag.NAME)] == [name]
    assert values(kms, old.private_key_unique_identifier, Tag.NAME) == []
    assert values(kms, old.public_key_unique_identifier, Tag.NAME) == []


def test_with_an_offset_the_dates_are_shifted(kms: TestKms) -> None:
    """KMIP 1.4 table 176."""
    start = kms.clock.now()
    private, _ = key_pair(
        kms,
        attribute(Tag.ACTIVATION_DATE, start),
        attribute(Tag.DEACTIVATION_DATE, start + timedelta(days=9)),
    )
    kms.clock.pass_time(days=1)
    new = re_key(kms, private, offset=3600)
    activation = kms.clock.now() + timedelta(hours=1)
    for made in (new.private_key_unique_identifier, new.public_key_unique_identifier):
        assert value(kms, made, Tag.ACTIVATION_DATE) == activation
        assert value(kms, made, Tag.DEACTIVATION_DATE) == activation + timedelta(days=9)
        assert state_of(kms, made) is State.PRE_ACTIVE


def test_the_new_private_key_fills_the_id_placeholder(kms: TestKms) -> None:
    """KMIP 1.4 §4.5."""
    private, _ = key_pair(kms)
    made, got = kms.batch(ReKeyKeyPairRequest(private_key_unique_identifier=private), GetRequest())
    assert isinstance(made, ReKeyKeyPairResponse)
    assert isinstance(got, GetResponse)
    assert got.object_type is ObjectType.PRIVATE_KEY
    assert got.unique_identifier == made.private_key_unique_identifier


def test_what_is_no_private_key_is_refused(kms: TestKms) -> None:
    """KMIP 1.4 §11: object specified is not able to be re-keyed."""
    _, public = key_pair(kms)
    for made in (public, key(kms)):
        request = ReKeyKeyPairRequest(private_key_unique_identifier=made)
        assert refusal(kms, request, version=V1_1).reason is ResultReason.PERMISSION_DENIED
        assert refusal(kms, request, version=V2_1).reason is ResultReason.INVALID_OBJECT_TYPE


def test_a_pair_that_is_not_there_or_not_theirs_is_not_found(kms: TestKms) -> None:
    private, _ = key_pair(kms)
    for made, caller in ((MISSING, None), (private, BOB)):
        request = ReKeyKeyPairRequest(private_key_unique_identifier=made)
        who = {} if caller is None else {"caller": caller}
        assert refusal(kms, request, version=V1_1, **who).reason is ResultReason.ITEM_NOT_FOUND
        assert refusal(kms, request, version=V2_1, **who).reason is ResultReason.OBJECT_NOT_FOUND


def test_a_private_key_that_is_kept_elsewhere_is_not_replaced_here(kms: TestKms) -> None:
    """KMIP 1.4 §11.6: the Key Value is not present on the server."""
    _, public = key_pair(kms)
    link = Link(link_type=LinkType.PUBLIC_KEY_LINK, linked_object_identifier=public)
    absent = PrivateKey(
        key_block=KeyBlock(
            key_format_type=KeyFormatType.PKCS_8,
            cryptographic_algorithm=CryptographicAlgorithm.ECDSA,
            cryptographic_length=256,
        )
    )
    request = registration(ObjectType.PRIVATE_KEY, absent, attribute(Tag.LINK, link))
    old = kms.call(request).unique_identifier
    for version in (V1_4, V2_1):
        again = ReKeyKeyPairRequest(private_key_unique_identifier=old)
        assert refusal(kms, again, version=version).reason is ResultReason.KEY_VALUE_NOT_PRESENT


def test_an_offset_beside_a_date_is_an_invalid_message(kms: TestKms) -> None:
    """KMIP 1.4 §11.6."""
    private, _ = key_pair(kms)
    request = ReKeyKeyPairRequest(
        private_key_unique_identifier=private,
        offset=Seconds(0),
        common_attributes=template(attribute(Tag.ACTIVATION_DATE, kms.clock.now())),
    )
    for version in (V1_1, V2_1):
        assert refusal(kms, request, version=version).reason is ResultReason.INVALID_MESSAGE


def test_1_0_has_no_such_operation(kms: TestKms) -> None:
    request = ReKeyKeyPairRequest(private_key_unique_identifier=key_pair(kms)[0])
    found = refusal(kms, request, version=V1_0).reason
    assert found is ResultReason.OPERATION_NOT_SUPPORTED


def test_the_new_keys_are_in_the_format_of_the_old(kms: TestKms) -> None:
    own = template(attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.PKCS_8))
    made = kms.call(pair_request().replace(private_key_attributes=own), version=V2_1)
    new = re_key(kms, made.private_key_unique_identifier)
    for identifier, wanted in (
        (new.private_key_unique_identifier, KeyFormatType.PKCS_8),
        (new.public_key_unique_identifier, KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY),
    ):
        assert value(kms, identifier, Tag.KEY_FORMAT_TYPE, version=V2_1) is wanted


def test_the_new_keys_are_in_the_format_asked_for(kms: TestKms) -> None:
    """KMIP 2.1 §4.26."""
    private, _ = key_pair(kms)
    request = ReKeyKeyPairRequest(
        private_key_unique_identifier=private,
        private_key_attributes=template(attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.ECPRIVATEKEY)),
    )
    new = kms.call(request, version=V2_1).private_key_unique_identifier
    assert value(kms, new, Tag.KEY_FORMAT_TYPE, version=V2_1) is KeyFormatType.ECPRIVATEKEY


def test_a_pair_on_a_montgomery_curve_is_replaced_by_one(kms: TestKms) -> None:
    domain = CryptographicDomainParameters(recommended_curve=RecommendedCurve.CURVE25519)
    common = template(
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.ECDH),
        attribute(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain),
    )
    made = kms.call(CreateKeyPairRequest(common_attributes=common), version=V2_1)
    new = re_key(kms, made.private_key_unique_identifier).private_key_unique_identifier
    assert value(kms, new, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, version=V2_1) == domain


@pytest.mark.parametrize(
    ("given", "algorithm", "length"),
    [
        ([attribute(Tag.CRYPTOGRAPHIC_LENGTH, 384)], CryptographicAlgorithm.ECDSA, 384),
        ([on_curve(RecommendedCurve.P_521)], CryptographicAlgorithm.ECDSA, 521),
        ([attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.EC)], CryptographicAlgorithm.EC, 256),
        (
            [
                attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA),
                attribute(Tag.CRYPTOGRAPHIC_LENGTH, 2048),
            ],
            CryptographicAlgorithm.RSA,
            2048,
        ),
    ],
)
@pytest.mark.parametrize("field", ["common_attributes", "private_key_attributes", "public_key_attributes"])
def test_the_new_keys_are_of_the_kind_that_the_request_gives(
    kms: TestKms, field: str, given: list[AttributeInstance], algorithm: CryptographicAlgorithm, length: int
) -> None:
    """KMIP 2.1 tables 191 and 310: desired attributes, and both keys have the same of these."""
    private, _ = key_pair(kms)
    request = ReKeyKeyPairRequest(private_key_unique_identifier=private).replace(**{field: template(*given)})
    new = kms.call(request)
    for made in (new.private_key_unique_identifier, new.public_key_unique_identifier):
        assert value(kms, made, Tag.CRYPTOGRAPHIC_ALGORITHM) is algorithm
        assert value(kms, made, Tag.CRYPTOGRAPHIC_LENGTH) == length
        domain = value(kms, made, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
        assert (None if domain is None else domain.recommended_curve) is CURVES.get(length)
        key_block = stored(kms, made).material.key_block  # type: ignore[union-attr]
        assert (key_block.cryptographic_algorithm, key_block.cryptographic_length) == (algorithm, length)
        assert value(kms, made, Tag.DIGEST) is not None


def test_a_length_that_is_that_of_the_old_pair_changes_no_curve(kms: TestKms) -> None:
    common = template(
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.EC),
        on_curve(RecommendedCurve.SECP256K1),
    )
    made = kms.call(CreateKeyPairRequest(common_attributes=common))
    request = ReKeyKeyPairRequest(
        private_key_unique_identifier=made.private_key_unique_identifier,
        common_attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256)),
    )
    new = kms.call(request).private_key_unique_identifier
    domain = value(kms, new, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS)
    assert domain.recommended_curve is RecommendedCurve.SECP256K1


def test_the_two_keys_are_not_given_different_lengths(kms: TestKms) -> None:
    private, _ = key_pair(kms)
    request = ReKeyKeyPairRequest(
        private_key_unique_identifier=private,
        private_key_attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 384)),
        public_key_attributes=template(attribute(Tag.CRYPTOGRAPHIC_LENGTH, 521)),
    )
    for version in (V1_1, V2_1):
        assert refusal(kms, request, version=version).reason is ResultReason.INVALID_FIELD


def test_parameters_given_for_one_key_are_those_of_both(kms: TestKms) -> None:
    """KMIP 2.1 table 191."""
    private, _ = key_pair(kms)
    parameters = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_384)
    request = ReKeyKeyPairRequest(
        private_key_unique_identifier=private,
        private_key_attributes=template(attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, parameters)),
    )
    new = kms.call(request)
    for made in (new.private_key_unique_identifier, new.public_key_unique_identifier):
        assert values(kms, made, Tag.CRYPTOGRAPHIC_PARAMETERS) == [parameters]
