"""Create Key Pair (KMIP 1.x §4.2, 2.1 §6.1.9)."""

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters, CryptographicParameters, Link
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.get import GetRequest, GetResponse
from strongroom.operations.locate import LocateRequest
from strongroom.registry import (
    V1_0,
    V1_2,
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    LinkType,
    ObjectType,
    RecommendedCurve,
    ResultReason,
    RNGAlgorithm,
    State,
    Tag,
    Version,
)
from tests.expect import (
    assert_refused,
    key_pair,
    mask,
    named,
    pair_request,
    refusal,
    state_of,
    value,
    values,
)
from tests.kms import Refused, TestKms, attribute, template

SIZED = frozenset({CryptographicAlgorithm.DSA, CryptographicAlgorithm.DH})


def pair(algorithm: CryptographicAlgorithm, *common: AttributeInstance) -> CreateKeyPairRequest:
    return CreateKeyPairRequest(
        common_attributes=template(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm), *common),
        private_key_attributes=template(mask(CryptographicUsageMask.SIGN)),
        public_key_attributes=template(mask(CryptographicUsageMask.VERIFY)),
    )


def block(
    kms: TestKms,
    made: UniqueIdentifier,
    key_format: KeyFormatType | None = None,
    *,
    version: Version = V1_4,
) -> KeyBlock:
    request = GetRequest(unique_identifier=made, key_format_type=key_format)
    got: Any = kms.call(request, version=version).managed_object
    key_block: KeyBlock = got.key_block
    return key_block


def der(key_block: KeyBlock) -> bytes:
    assert isinstance(key_block.key_value, KeyValue)
    assert isinstance(key_block.key_value.key_material, SecretBytes)
    return key_block.key_value.key_material.reveal()


def test_an_rsa_pair_fits_together(kms: TestKms) -> None:
    made = kms.call(pair(CryptographicAlgorithm.RSA, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 2048)))
    private = block(kms, made.private_key_unique_identifier)
    public = block(kms, made.public_key_unique_identifier)
    assert private.key_format_type is public.key_format_type is KeyFormatType.PKCS_1
    loaded = load_der_private_key(der(private), password=None)
    assert isinstance(loaded, RSAPrivateKey)
    assert loaded.key_size == 2048
    assert load_der_public_key(der(public)) == loaded.public_key()


@pytest.mark.parametrize(
    ("curve", "bits"),
    [(RecommendedCurve.P_256, 256), (RecommendedCurve.P_384, 384), (RecommendedCurve.P_521, 521)],
)
def test_an_ec_pair_is_of_the_curve_asked_for(kms: TestKms, curve: RecommendedCurve, bits: int) -> None:
    domain = attribute(
        Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, CryptographicDomainParameters(recommended_curve=curve)
    )
    made = kms.call(pair(CryptographicAlgorithm.ECDSA, domain))
    encoded = der(block(kms, made.private_key_unique_identifier, KeyFormatType.ECPRIVATEKEY))
    private = load_der_private_key(encoded, password=None)
    assert isinstance(private, EllipticCurvePrivateKey)
    assert private.curve.key_size == bits
    public = load_der_public_key(der(block(kms, made.public_key_unique_identifier, KeyFormatType.X_509)))
    assert public == private.public_key()


@pytest.mark.parametrize(
    "algorithm",
    [
        CryptographicAlgorithm.ED25519,
        CryptographicAlgorithm.ED448,
        CryptographicAlgorithm.ML_KEM_768,
        CryptographicAlgorithm.ML_KEM_1024,
        CryptographicAlgorithm.ML_DSA_44,
        CryptographicAlgorithm.ML_DSA_65,
        CryptographicAlgorithm.ML_DSA_87,
        CryptographicAlgorithm.DSA,
        CryptographicAlgorithm.DH,
        CryptographicAlgorithm.ECMQV,
    ],
)
def test_a_pair_of_every_algorithm_fits_together(kms: TestKms, algorithm: CryptographicAlgorithm) -> None:
    length = (attribute(Tag.CRYPTOGRAPHIC_LENGTH, 2048),) if algorithm in SIZED else ()
    made = kms.call(pair(algorithm, *length), version=V3_0)
    encoded = der(block(kms, made.private_key_unique_identifier, KeyFormatType.PKCS_8, version=V3_0))
    spki = der(block(kms, made.public_key_unique_identifier, KeyFormatType.X_509, version=V3_0))
    public = load_der_public_key(spki)
    assert load_der_private_key(encoded, password=None).public_key() == public
    for identifier in (made.private_key_unique_identifier, made.public_key_unique_identifier):
        assert value(kms, identifier, Tag.CRYPTOGRAPHIC_ALGORITHM, version=V3_0) is algorithm
        assert value(kms, identifier, Tag.CRYPTOGRAPHIC_LENGTH) > 0
        assert value(kms, identifier, Tag.RANDOM_NUMBER_GENERATOR).rng_algorithm is RNGAlgorithm.UNSPECIFIED


@pytest.mark.parametrize("version", [V1_0, V1_4, V2_0, V3_0])
def test_an_ec_pair_is_given_out_spelt_out(kms: TestKms, version: Version) -> None:
    """KMIP 2.1 table 81; before 1.3 the format is called after ECDSA."""
    private, public = key_pair(kms)
    got: Any = [kms.call(GetRequest(unique_identifier=i), version=version) for i in (private, public)]
    assert [g.managed_object.key_block.key_format_type for g in got] == (
        [KeyFormatType.TRANSPARENT_ECDSA_PRIVATE_KEY, KeyFormatType.TRANSPARENT_ECDSA_PUBLIC_KEY]
        if version == V1_0
        else [KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY, KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY]
    )


def test_each_key_has_the_format_asked_for(kms: TestKms) -> None:
    """KMIP 2.1 §4.26: with a digest of that format and one of the default format."""
    wanted = {
        "private_key_attributes": KeyFormatType.PKCS_8,
        "public_key_attributes": KeyFormatType.X_509,
    }
    own = {field: template(attribute(Tag.KEY_FORMAT_TYPE, wanted[field])) for field in wanted}
    made = kms.call(pair(CryptographicAlgorithm.EC).replace(**own), version=V2_1)
    for identifier, asked, default in (
        (made.private_key_unique_identifier, KeyFormatType.PKCS_8, KeyFormatType.TRANSPARENT_EC_PRIVATE_KEY),
        (made.public_key_unique_identifier, KeyFormatType.X_509, KeyFormatType.TRANSPARENT_EC_PUBLIC_KEY),
    ):
        assert block(kms, identifier).key_format_type is asked
        assert value(kms, identifier, Tag.KEY_FORMAT_TYPE, version=V2_1) is asked
        digests = values(kms, identifier, Tag.DIGEST)
        assert [d.key_format_type for d in digests] == [asked, default]
        assert digests[0].digest_value == hashlib.sha256(der(block(kms, identifier))).digest()


def test_a_format_that_a_key_cannot_have_is_refused(kms: TestKms) -> None:
    """KMIP 2.1 §4.26: comply with the requested format or fail the request."""
    wanted = template(attribute(Tag.KEY_FORMAT_TYPE, KeyFormatType.ECPRIVATEKEY))
    request = pair(CryptographicAlgorithm.RSA, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 1024))
    for field in ("private_key_attributes", "public_key_attributes"):
        (result,) = kms.batch(request.replace(**{field: wanted}), version=V2_1)
        assert isinstance(result, Refused)
        assert result.reason is ResultReason.INVALID_ATTRIBUTE_VALUE


@pytest.mark.parametrize(
    ("algorithm", "private_use", "public_use"),
    [
        (CryptographicAlgorithm.EC, CryptographicUsageMask.SIGN, CryptographicUsageMask.VERIFY),
        (
            CryptographicAlgorithm.ECDH,
            CryptographicUsageMask.KEY_AGREEMENT,
            CryptographicUsageMask.KEY_AGREEMENT,
        ),
    ],
)
def test_keys_made_without_a_mask_are_for_what_the_algorithm_is_for(
    kms: TestKms,
    algorithm: CryptographicAlgorithm,
    private_use: CryptographicUsageMask,
    public_use: CryptographicUsageMask,
) -> None:
    """KMIP 2.1 §4.17: the mask always has a value, set by server or client."""
    common = template(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm))
    made = kms.call(CreateKeyPairRequest(common_attributes=common))
    assert value(kms, made.private_key_unique_identifier, Tag.CRYPTOGRAPHIC_USAGE_MASK) is private_use
    assert value(kms, made.public_key_unique_identifier, Tag.CRYPTOGRAPHIC_USAGE_MASK) is public_use


def test_the_domain_parameters_are_those_of_both_keys(kms: TestKms) -> None:
    """KMIP 2.1 table 191; what the client left open is told too."""
    domain = CryptographicDomainParameters(recommended_curve=RecommendedCurve.P_384)
    given = pair(CryptographicAlgorithm.EC).replace(
        private_key_attributes=template(attribute(Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, domain))
    )
    left_open = pair(CryptographicAlgorithm.EC, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 384))
    for request in (given, left_open):
        made = kms.call(request)
        for identifier in (made.private_key_unique_identifier, made.public_key_unique_identifier):
            assert values(kms, identifier, Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS) == [domain]


def test_cryptographic_parameters_are_those_of_both_keys(kms: TestKms) -> None:
    """KMIP 2.1 table 191."""
    parameters = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    own = template(attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, parameters))
    made = kms.call(pair(CryptographicAlgorithm.EC).replace(public_key_attributes=own))
    for identifier in (made.private_key_unique_identifier, made.public_key_unique_identifier):
        assert values(kms, identifier, Tag.CRYPTOGRAPHIC_PARAMETERS) == [parameters]


ON_B_163 = pair(
    CryptographicAlgorithm.EC,
    attribute(
        Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS,
        CryptographicDomainParameters(recommended_curve=RecommendedCurve.B_163),
    ),
)


@pytest.mark.parametrize(
    ("request_", "since"),
    [
        (pair(CryptographicAlgorithm.SM2), V2_0),
        (pair(CryptographicAlgorithm.MCELIECE), V2_0),
        (ON_B_163, V1_2),
    ],
    ids=["SM2", "McEliece", "B-163"],
)
def test_what_exists_but_is_not_made_here_is_a_missing_feature(
    kms: TestKms, request_: CreateKeyPairRequest, since: Version
) -> None:
    """KMIP 1.4 §9.1.3.2.29: Feature Not Supported, which the 1.x table of the operation does not repeat."""
    reason = ResultReason.FEATURE_NOT_SUPPORTED
    assert_refused(kms, request_, reason, reason, since=since, outside_table=True)


def test_a_length_names_a_curve(kms: TestKms) -> None:
    private, public = key_pair(kms)
    assert value(kms, private, Tag.CRYPTOGRAPHIC_LENGTH) == 256
    assert value(kms, public, Tag.CRYPTOGRAPHIC_LENGTH) == 256


def test_the_two_keys_are_linked(kms: TestKms) -> None:
    """KMIP 1.4 §4.2: the server shall create a Link attribute of each pointing to the other."""
    private, public = key_pair(kms)
    assert values(kms, private, Tag.LINK) == [
        Link(link_type=LinkType.PUBLIC_KEY_LINK, linked_object_identifier=public)
    ]
    assert values(kms, public, Tag.LINK) == [
        Link(link_type=LinkType.PRIVATE_KEY_LINK, linked_object_identifier=private)
    ]


def test_the_private_key_fills_the_id_placeholder(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.9."""
    _, got = kms.batch(pair_request(), GetRequest())
    assert isinstance(got, GetResponse)
    assert got.object_type is ObjectType.PRIVATE_KEY


def test_common_attributes_go_to_both_and_others_to_one(kms: TestKms) -> None:
    request = pair_request(attribute(Tag.OBJECT_GROUP, "g"))
    request = request.replace(public_key_attributes=template(mask(CryptographicUsageMask.VERIFY), named("p")))
    made = kms.call(request)
    private, public = made.private_key_unique_identifier, made.public_key_unique_identifier
    assert value(kms, private, Tag.OBJECT_GROUP) == value(kms, public, Tag.OBJECT_GROUP) == "g"
    assert value(kms, private, Tag.CRYPTOGRAPHIC_USAGE_MASK) is CryptographicUsageMask.SIGN
    assert value(kms, public, Tag.CRYPTOGRAPHIC_USAGE_MASK) is CryptographicUsageMask.VERIFY
    assert values(kms, private, Tag.NAME) == []
    assert [n.name_value for n in values(kms, public, Tag.NAME)] == ["p"]


def test_values_of_common_and_own_attributes_are_united(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.9: for multi-instance attributes the union of the values shall be used."""
    request = pair_request(attribute(Tag.OBJECT_GROUP, "common")).replace(
        private_key_attributes=template(mask(CryptographicUsageMask.SIGN), attribute(Tag.OBJECT_GROUP, "own"))
    )
    made = kms.call(request)
    found = values(kms, made.private_key_unique_identifier, Tag.OBJECT_GROUP)
    assert set(found) == {"common", "own"}


def test_own_attributes_go_before_common_ones(kms: TestKms) -> None:
    """KMIP 1.4 §4.2: the order of precedence for single-instance attributes."""
    request = pair_request(mask(CryptographicUsageMask.CERTIFICATE_SIGN))
    made = kms.call(request)
    found = value(kms, made.private_key_unique_identifier, Tag.CRYPTOGRAPHIC_USAGE_MASK)
    assert found is CryptographicUsageMask.SIGN


def test_both_keys_begin_pre_active(kms: TestKms) -> None:
    assert [state_of(kms, made) for made in key_pair(kms)] == [State.PRE_ACTIVE] * 2


@pytest.mark.parametrize(
    "request_",
    [
        pair(CryptographicAlgorithm.AES, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 256)),
        pair(CryptographicAlgorithm.RSA, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 100)),
        pair(CryptographicAlgorithm.ECDSA, attribute(Tag.CRYPTOGRAPHIC_LENGTH, 257)),
        CreateKeyPairRequest(),
    ],
    ids=["symmetric algorithm", "RSA of 100 bits", "no such curve", "no algorithm"],
)
def test_a_pair_that_cannot_be_made_is_refused(kms: TestKms, request_: CreateKeyPairRequest) -> None:
    """KMIP 1.4 §11.2: incorrect attribute value(s) specified."""
    assert_refused(kms, request_, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_keys_of_different_lengths_are_no_pair(kms: TestKms) -> None:
    """KMIP 1.4 §4.2: Cryptographic Length shall have the same value in both."""
    other = template(mask(CryptographicUsageMask.SIGN), attribute(Tag.CRYPTOGRAPHIC_LENGTH, 384))
    request = pair_request().replace(private_key_attributes=other)
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.INVALID_FIELD)


def test_one_name_for_both_is_refused(kms: TestKms) -> None:
    request = pair_request(named("n"))
    assert_refused(kms, request, ResultReason.INVALID_FIELD, ResultReason.NON_UNIQUE_NAME_ATTRIBUTE)


def test_a_pair_that_is_refused_leaves_no_half(kms: TestKms) -> None:
    key_pair(kms)
    bad = template(mask(CryptographicUsageMask.VERIFY), attribute(Tag.STATE, State.ACTIVE))
    (result,) = kms.batch(pair_request().replace(public_key_attributes=bad))
    assert isinstance(result, Refused)
    assert len(kms.call(LocateRequest()).unique_identifier) == 2
    assert refusal(kms, pair_request(named("n"))).reason is ResultReason.INVALID_FIELD
