"""Enumeration values: each is computed with, or refused with the right reason, over TLS.

Rule: the tables are total. A value that is refused has to stand in the list of what no kept library computes,
and one in that list has to be refused; an enumeration that is neither tried nor explained fails a test.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, NamedTuple

import pytest

from strongroom.domain.operation import Request
from strongroom.model.errors import NotInVersion
from strongroom.model.forms import form_of
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicDomainParameters, CryptographicParameters
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create import CreateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.hash import HashRequest
from strongroom.operations.sign import SignRequest
from strongroom.registry import (
    V3_0,
    VERSIONS,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    DigitalSignatureAlgorithm,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    PaddingMethod,
    RecommendedCurve,
    ResultReason,
    SplitKeyMethod,
    Tag,
)
from strongroom.registry.names import CLASSES, defined_values
from strongroom.registry.tables import ENUMERATION_ROWS
from tests.e2e.completeness.test_objects import OBJECTS
from tests.expect import (
    key,
    mask,
    register_key,
)
from tests.kms import attribute, template
from tests.over_tls import OverTls
from tests.unit.operations.splits import split_request

A, M, P, R, U = CryptographicAlgorithm, BlockCipherMode, PaddingMethod, ResultReason, CryptographicUsageMask
Attempt = Callable[[Any], Request[Any]]
DATA = SecretBytes(bytes(32))
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Tried(NamedTuple):
    """What is asked of each value, and which of them nothing that is kept here computes, with what reason."""

    enumeration: type[IntEnum]
    attempts: Callable[[OverTls], Sequence[Attempt]]
    refused: frozenset[IntEnum]
    reason: ResultReason = R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS
    elsewhere: frozenset[IntEnum] = frozenset()  # tests of their own show these


def parameters(**given: Any) -> CryptographicParameters:
    return CryptographicParameters(**given)


def pair_of(algorithm: CryptographicAlgorithm, *more: Any) -> CreateKeyPairRequest:
    return CreateKeyPairRequest(
        common_attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
            attribute(Tag.ACTIVATION_DATE, LONG_AGO),
            *more,
        ),
        private_key_attributes=template(mask(U.SIGN | U.DECRYPT)),
        public_key_attributes=template(mask(U.VERIFY | U.ENCRYPT)),
    )


def pair(kms: OverTls, algorithm: CryptographicAlgorithm) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    answer = kms.call(pair_of(algorithm), version=V3_0)
    return answer.private_key_unique_identifier, answer.public_key_unique_identifier


def active_aes(kms: OverTls) -> UniqueIdentifier:
    identifier = register_key(kms, material=bytes(range(32)))
    kms.call(ActivateRequest(unique_identifier=identifier))
    return identifier


def hashes(kms: OverTls) -> Sequence[Attempt]:
    return [lambda v: HashRequest(cryptographic_parameters=parameters(hashing_algorithm=v), data=DATA)]


def modes(kms: OverTls) -> Sequence[Attempt]:
    aes = active_aes(kms)
    return [
        lambda v: EncryptRequest(
            unique_identifier=aes,
            cryptographic_parameters=parameters(block_cipher_mode=v, random_iv=True, tag_length=16),
            data=DATA,
        )
    ]


def paddings(kms: OverTls) -> Sequence[Attempt]:
    aes, (private, public) = active_aes(kms), pair(kms, A.RSA)
    return [
        lambda v: EncryptRequest(
            unique_identifier=aes,
            cryptographic_parameters=parameters(block_cipher_mode=M.CBC, padding_method=v, random_iv=True),
            data=DATA,
        ),
        lambda v: EncryptRequest(
            unique_identifier=public,
            cryptographic_parameters=parameters(padding_method=v, hashing_algorithm=HashingAlgorithm.SHA_256),
            data=DATA,
        ),
        lambda v: SignRequest(
            unique_identifier=private,
            cryptographic_parameters=parameters(padding_method=v, hashing_algorithm=HashingAlgorithm.SHA_256),
            data=DATA,
        ),
    ]


def signatures(kms: OverTls) -> Sequence[Attempt]:
    def signed_by(private: UniqueIdentifier, **more: Any) -> Attempt:
        return lambda v: SignRequest(
            unique_identifier=private,
            cryptographic_parameters=parameters(digital_signature_algorithm=v, **more),
            data=DATA,
        )

    (rsa, _), (ec, _), (dsa, _) = (pair(kms, algorithm) for algorithm in (A.RSA, A.ECDSA, A.DSA))
    with_hash = signed_by(rsa, hashing_algorithm=HashingAlgorithm.SHA_256)  # which RSASSA-PSS leaves open
    return [*map(signed_by, (rsa, ec, dsa)), with_hash]


def curves(kms: OverTls) -> Sequence[Attempt]:
    return [
        lambda v: pair_of(
            A.EC,
            attribute(
                Tag.CRYPTOGRAPHIC_DOMAIN_PARAMETERS, CryptographicDomainParameters(recommended_curve=v)
            ),
        )
    ]


def algorithms(kms: OverTls) -> Sequence[Attempt]:
    return [
        lambda v: CreateRequest(
            object_type=ObjectType.SYMMETRIC_KEY,
            attributes=template(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, v), mask(U.ENCRYPT)),
        ),
        pair_of,
    ]


def formats(kms: OverTls) -> Sequence[Attempt]:
    certificate, request = OBJECTS[ObjectType.CERTIFICATE](kms), OBJECTS[ObjectType.CERTIFICATE_REQUEST](kms)
    keys = [
        active_aes(kms),
        *(one for algorithm in (A.RSA, A.EC, A.DSA, A.DH) for one in pair(kms, algorithm)),
    ]
    secret = OBJECTS[ObjectType.SECRET_DATA](kms)
    found = [*keys, secret, certificate, request]

    def get(identifier: str) -> Attempt:
        return lambda v: GetRequest(unique_identifier=UniqueIdentifier(identifier), key_format_type=v)

    return [get(identifier) for identifier in found]


def splits(kms: OverTls) -> Sequence[Attempt]:
    whole = key(kms)
    return [
        lambda v: split_request(whole, method=v, threshold=4 if v is SplitKeyMethod.XOR else 2),
        lambda v: split_request(whole, method=v, prime_field_size=(1 << 521) - 1),
    ]


def ciphers(kms: OverTls) -> Sequence[Attempt]:
    """Each algorithm with a key of its own that was made here."""

    def encrypted(algorithm: CryptographicAlgorithm, **given: Any) -> EncryptRequest:
        request = CreateRequest(
            object_type=ObjectType.SYMMETRIC_KEY,
            attributes=template(
                attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
                attribute(Tag.ACTIVATION_DATE, LONG_AGO),
                mask(U.ENCRYPT),
            ),
        )
        identifier = kms.call(request, version=V3_0).unique_identifier
        return EncryptRequest(
            unique_identifier=identifier, cryptographic_parameters=parameters(**given), data=DATA
        )

    return [
        lambda v: encrypted(v, block_cipher_mode=M.ECB),
        lambda v: encrypted(v, block_cipher_mode=M.CBC, random_iv=True),
        lambda v: encrypted(v, random_iv=True),
    ]


NOT_OF_KEYS = frozenset(
    {A.SHA3_224, A.SHA3_256, A.SHA3_384, A.SHA3_512, A.SHAKE_128, A.SHAKE_256, A.SM3, A.GOST_R_34_11_2012}
)
"""Hash functions, which have no keys."""

SLH_DSA = frozenset(a for a in A if a.name.startswith("SLH_DSA"))
NOT_MADE = frozenset(
    {A.SM2, A.GOST_R_34_10_2012, A.XMSS, A.SPHINCS_256, A.MCELIECE, A.MCELIECE_6960119, A.MCELIECE_8192128}
)
"""Key pairs that no kept library makes."""

NO_CIPHER = frozenset(
    {A.MARS, A.RC5, A.SKIPJACK, A.TWOFISH, A.ONE_TIME_PAD, A.ARIA, A.GOST_R_34_13_2015, A.GOST_28147_89}
)
"""Keys are kept and given out, but no kept library encrypts with them."""

CIPHERS = frozenset(
    {
        *(A.DES, A.DES3, A.AES, A.BLOWFISH, A.CAMELLIA, A.CAST5, A.IDEA, A.RC2, A.RC4, A.SEED, A.SM4),
        *(A.CHACHA20, A.CHACHA20POLY1305),
    }
)

BRAINPOOL = frozenset({"256R1", "384R1", "512R1"})
"""Those that the library has."""

CURVES = frozenset(
    {
        *(RecommendedCurve.P_192, RecommendedCurve.P_224, RecommendedCurve.P_256, RecommendedCurve.P_384),
        *(RecommendedCurve.P_521, RecommendedCurve.SECP256K1),
        *(RecommendedCurve.CURVE25519, RecommendedCurve.CURVE448),
        *(RecommendedCurve[f"BRAINPOOLP{size}"] for size in BRAINPOOL),
    }
)

TRIED: Mapping[str, Tried] = {
    "hashes": Tried(
        HashingAlgorithm,
        hashes,
        frozenset(
            {
                *(HashingAlgorithm.MD2, HashingAlgorithm.MD4, HashingAlgorithm.RIPEMD_160),
                *(HashingAlgorithm.TIGER, HashingAlgorithm.WHIRLPOOL),
            }
        ),
        R.FEATURE_NOT_SUPPORTED,
    ),
    "modes": Tried(
        BlockCipherMode,
        modes,
        frozenset(
            {
                *(M.PCBC, M.X9_102_AESKW, M.X9_102_TDKW, M.X9_102_AKW1, M.X9_102_AKW2),
                *(M.CMAC, M.CBC_MAC),  # of MAC, not of Encrypt
                M.AEAD,  # says nothing of a cipher: ChaCha20-Poly1305 does
            }
        ),
    ),
    "paddings": Tried(PaddingMethod, paddings, frozenset({P.SSL3, P.ZEROS, P.ISO_10126, P.X9_31})),
    "signatures": Tried(
        DigitalSignatureAlgorithm,
        signatures,
        frozenset({DigitalSignatureAlgorithm.MD2_WITH_RSA_ENCRYPTION}),
    ),
    "curves": Tried(RecommendedCurve, curves, frozenset(RecommendedCurve) - CURVES, R.FEATURE_NOT_SUPPORTED),
    "keys": Tried(
        CryptographicAlgorithm,
        algorithms,
        NOT_OF_KEYS | NOT_MADE,
        R.INVALID_FIELD,
        elsewhere=SLH_DSA | {A.ML_KEM_512},
    ),
    "ciphers": Tried(
        CryptographicAlgorithm,
        ciphers,
        NO_CIPHER,
        elsewhere=frozenset(A) - NO_CIPHER - CIPHERS,
    ),
    "formats": Tried(
        KeyFormatType,
        formats,
        frozenset(),
        R.KEY_FORMAT_TYPE_NOT_SUPPORTED,
        elsewhere=frozenset({KeyFormatType.PKCS_12}),
    ),
    "methods of splitting": Tried(SplitKeyMethod, splits, frozenset()),
}


@pytest.mark.parametrize("name", TRIED)
def test_each_value_is_computed_or_refused_with_the_right_reason(kms: OverTls, name: str) -> None:
    tried, kms.version = TRIED[name], V3_0
    attempts = tried.attempts(kms)
    refused = {}
    for value in set(tried.enumeration) - tried.elsewhere:
        reasons = [kms.refusal(attempt(value)) for attempt in attempts]
        if None not in reasons:
            refused[value] = reasons
    assert set(refused) == tried.refused
    assert [v.name for v, reasons in refused.items() if tried.reason not in reasons] == []


CARRIED: Mapping[str, str] = {
    "the server says them": """
        AttestationType CancellationResult ClientRegistrationMethod DestroyAction DRBGAlgorithm
        FIPS186Variation ItemType PKCS_11ReturnCode ProcessingStage ProfileName ResultReason ResultStatus
        RNGAlgorithm RNGMode ShreddingAlgorithm State UnwrapMode ValidationAuthorityType ValidationType
        ValidityIndicator
    """,
    "they are kept and answered as given": """
        AlternativeNameType CertificateRequestType CertificateType DeactivationReasonCode KeyRoleType
        KeyValueLocationType LinkType NameType NISTKeyType OpaqueDataType OTPAlgorithm ProtectionLevel
        RevocationReasonCode RotateNameType SecretDataType SplitKeyPolynomial TicketType UsageLimitsUnit
    """,
    "they choose what an operation does, and are in the tests of that operation": """
        AdjustmentType AsynchronousIndicator BatchErrorContinuationOption CredentialType Data DerivationMethod
        EncodingOption EndpointRole Ephemeral InteropFunction KeyCompressionType KeyWrapType MaskGenerator
        ObjectClass ObjectGroupMember PKCS_11Function PutFunction UniqueIdentifier WrappingMethod
    """,
    "they have a test beside this one": "ObjectType Operation QueryFunction",
}
"""Enumerations whose values nothing is computed with, by what becomes of them."""


def test_every_enumeration_is_tried_or_explained() -> None:
    tried = {title for title, cls in CLASSES.items() if cls in {t.enumeration for t in TRIED.values()}}
    explained = [name for names in CARRIED.values() for name in names.split()]
    assert len(explained) == len(set(explained))
    assert tried.isdisjoint(explained)
    assert tried | set(explained) == set(ENUMERATION_ROWS)


@pytest.mark.parametrize("title", ENUMERATION_ROWS)
def test_no_answer_holds_a_value_that_its_version_does_not_define(title: str) -> None:
    """Requests may hold values of later versions: what they mean cannot be mistaken."""
    form = form_of(CLASSES[title])
    for version in VERSIONS:
        decode, encode = form.decoder(version), form.encoder(version)
        for value in CLASSES[title]:
            if value in defined_values(title, version):
                assert decode(*encode(value)) is value
                continue
            with contextlib.suppress(NotInVersion):
                _, written = encode(value)
                assert written in defined_values(title, version)
