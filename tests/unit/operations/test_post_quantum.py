"""SLH-DSA and ML-KEM-512, which need the extra `pqc` (docs/decisions/0029-slh-dsa-in-processes.md).

Known answers: what is signed here verifies with slh-dsa, an implementation of FIPS 205 with nothing in common
with ours, and the other way round.
"""

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from strongroom.crypto.post_quantum import adapter
from strongroom.domain.errors import ServerFailure
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.keys import KeyBlock, KeyValue
from strongroom.model.objects import PrivateKey, PublicKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.register import RegisterRequest
from strongroom.operations.sign import SignRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.registry import (
    V3_0,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    KeyFormatType,
    ObjectType,
    ResultReason,
    Tag,
    ValidityIndicator,
)
from tests.expect import mask, refusal, registration, value
from tests.kms import TestKms, attribute, template

installed = pytest.mark.skipif(not adapter.INSTALLED, reason="the extra pqc is not installed")

Algorithm = CryptographicAlgorithm
SLH_DSA = [algorithm for algorithm in Algorithm if algorithm.name.startswith("SLH_DSA")]
FAST = [algorithm for algorithm in SLH_DSA if algorithm.name.endswith("F")]
QUICKEST = Algorithm.SLH_DSA_SHA2_128F
MESSAGE = b"a message"
PAST = datetime(2020, 1, 1, tzinfo=UTC)
R = ResultReason


def pair(kms: TestKms, algorithm: Algorithm) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    """Return an active (private, public) pair."""
    given = template(attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm))
    made = kms.call(CreateKeyPairRequest(common_attributes=given), version=V3_0)
    both = made.private_key_unique_identifier, made.public_key_unique_identifier
    for one in both:
        kms.call(ActivateRequest(unique_identifier=one), version=V3_0)
    return both


def block(kms: TestKms, made: UniqueIdentifier) -> KeyBlock:
    found: Any = kms.call(GetRequest(unique_identifier=made), version=V3_0).managed_object
    key_block: KeyBlock = found.key_block
    return key_block


def raw(kms: TestKms, made: UniqueIdentifier) -> bytes:
    key_block = block(kms, made)
    assert key_block.key_format_type is KeyFormatType.RAW
    assert isinstance(key_block.key_value, KeyValue)
    assert isinstance(key_block.key_value.key_material, SecretBytes)
    return key_block.key_value.key_material.reveal()


def register(
    kms: TestKms, kind: type[PrivateKey] | type[PublicKey], algorithm: Algorithm, material: bytes
) -> UniqueIdentifier:
    return kms.call(registering(kind, algorithm, material), version=V3_0).unique_identifier


def registering(
    kind: type[PrivateKey] | type[PublicKey], algorithm: Algorithm, material: bytes
) -> RegisterRequest:
    key_block = KeyBlock(
        key_format_type=KeyFormatType.RAW,
        key_value=KeyValue(key_material=SecretBytes(material)),
        cryptographic_algorithm=algorithm,
        cryptographic_length=None,
    )
    private = kind is PrivateKey
    usage = CryptographicUsageMask.SIGN if private else CryptographicUsageMask.VERIFY
    object_type = ObjectType.PRIVATE_KEY if private else ObjectType.PUBLIC_KEY
    return registration(
        object_type,
        kind(key_block=key_block),
        mask(usage),
        attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, algorithm),
        attribute(Tag.ACTIVATION_DATE, PAST),
    )


def sign(kms: TestKms, private: UniqueIdentifier, **fields: Any) -> bytes:
    fields.setdefault("data", SecretBytes(MESSAGE))
    made = kms.call(SignRequest(unique_identifier=private, **fields), version=V3_0).signature_data
    assert made is not None
    return made


def verify(
    kms: TestKms, public: UniqueIdentifier, signature: bytes, message: bytes = MESSAGE
) -> ValidityIndicator | None:
    request = SignatureVerifyRequest(
        unique_identifier=public, data=SecretBytes(message), signature_data=signature
    )
    return kms.call(request, version=V3_0).validity_indicator


def witness(algorithm: Algorithm) -> Any:
    """Return the parameters of the other implementation."""
    from slhdsa.lowlevel import parameters

    return getattr(parameters, algorithm.name.lower().removeprefix("slh_dsa_"))


@installed
@pytest.mark.parametrize("algorithm", SLH_DSA, ids=lambda a: a.name)
def test_what_a_fresh_pair_signs_verifies_here_and_elsewhere(kms: TestKms, algorithm: Algorithm) -> None:
    from slhdsa import PublicKey as Witness

    private, public = pair(kms, algorithm)
    signature = sign(kms, private)
    assert verify(kms, public, signature) is ValidityIndicator.VALID
    assert Witness.from_digest(raw(kms, public), witness(algorithm)).verify_pure(MESSAGE, signature)
    assert raw(kms, private)[-len(raw(kms, public)) :] == raw(kms, public)
    assert value(kms, private, Tag.CRYPTOGRAPHIC_LENGTH, version=V3_0) == 8 * len(raw(kms, public))


@installed
@pytest.mark.parametrize("algorithm", FAST, ids=lambda a: a.name)
def test_what_another_implementation_made_verifies_here(kms: TestKms, algorithm: Algorithm) -> None:
    from slhdsa import KeyPair

    theirs = KeyPair.gen(witness(algorithm))
    public = register(kms, PublicKey, algorithm, theirs.pub.digest())
    assert verify(kms, public, theirs.sign_pure(MESSAGE)) is ValidityIndicator.VALID
    private = register(kms, PrivateKey, algorithm, theirs.sec.digest())
    assert theirs.pub.verify_pure(MESSAGE, sign(kms, private))


@installed
def test_a_signature_of_anything_else_is_invalid(kms: TestKms) -> None:
    private, public = pair(kms, QUICKEST)
    signature = sign(kms, private)
    assert verify(kms, public, signature, b"another message") is ValidityIndicator.INVALID
    assert verify(kms, public, signature[:-1]) is ValidityIndicator.INVALID
    assert verify(kms, public, b"") is ValidityIndicator.INVALID
    assert verify(kms, pair(kms, QUICKEST)[1], signature) is ValidityIndicator.INVALID
    assert sign(kms, private) != signature, "FIPS 205 §10.2.1: hedged with fresh randomness"


@installed
def test_a_message_in_parts_is_signed_as_a_whole(kms: TestKms) -> None:
    private, public = pair(kms, QUICKEST)
    begin = SignRequest(unique_identifier=private, data=SecretBytes(MESSAGE[:3]), init_indicator=True)
    stream = kms.call(begin, version=V3_0).correlation_value
    signature = sign(
        kms, private, data=SecretBytes(MESSAGE[3:]), correlation_value=stream, final_indicator=True
    )
    assert verify(kms, public, signature) is ValidityIndicator.VALID


@installed
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"data": None, "digested_data": SecretBytes(bytes(32))}, R.BAD_CRYPTOGRAPHIC_PARAMETERS),
        (
            {"cryptographic_parameters": CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)},
            R.BAD_CRYPTOGRAPHIC_PARAMETERS,
        ),
    ],
    ids=["digested", "hashed"],
)
def test_the_message_itself_is_signed(kms: TestKms, fields: dict[str, Any], reason: ResultReason) -> None:
    private, _ = pair(kms, QUICKEST)
    request = SignRequest(unique_identifier=private, **({"data": SecretBytes(MESSAGE)} | fields))
    assert refusal(kms, request, version=V3_0).reason is reason


@installed
@pytest.mark.parametrize("algorithm", [QUICKEST, Algorithm.ML_KEM_512], ids=lambda a: a.name)
@pytest.mark.parametrize("kind", [PrivateKey, PublicKey])
def test_a_key_of_the_wrong_length_is_refused(kms: TestKms, algorithm: Algorithm, kind: Any) -> None:
    request = registering(kind, algorithm, bytes(31))
    assert refusal(kms, request, version=V3_0).reason is R.INVALID_FIELD


@installed
@pytest.mark.parametrize("wanted", [KeyFormatType.PKCS_8, KeyFormatType.X_509])
def test_there_is_no_other_format_than_raw(kms: TestKms, wanted: KeyFormatType) -> None:
    for one in pair(kms, QUICKEST):
        request = GetRequest(unique_identifier=one, key_format_type=wanted)
        assert refusal(kms, request, version=V3_0).reason is R.KEY_FORMAT_TYPE_NOT_SUPPORTED


@installed
def test_ml_kem_512_keys_are_made_and_kept(kms: TestKms) -> None:
    """FIPS 203 §7.1: the decapsulation key holds the encapsulation key and its hash."""
    private, public = pair(kms, Algorithm.ML_KEM_512)
    secret, shown = raw(kms, private), raw(kms, public)
    assert (len(secret), len(shown)) == (1632, 800)
    assert secret[768:1568] == shown
    assert secret[1568:1600] == hashlib.sha3_256(shown).digest()
    again = register(kms, PrivateKey, Algorithm.ML_KEM_512, secret)
    assert raw(kms, again) == secret
    sign_with_it = SignRequest(unique_identifier=again, data=SecretBytes(MESSAGE))
    assert refusal(kms, sign_with_it, version=V3_0).reason is R.UNSUPPORTED_CRYPTOGRAPHIC_PARAMETERS


@installed
@pytest.mark.parametrize(("algorithm", "category"), [(QUICKEST, 1), (Algorithm.ML_KEM_512, 1)])
def test_they_say_their_security_category(kms: TestKms, algorithm: Algorithm, category: int) -> None:
    for one in pair(kms, algorithm):
        assert value(kms, one, Tag.NIST_SECURITY_CATEGORY, version=V3_0) == category


@installed
def test_a_worker_that_dies_is_a_general_failure_without_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    key = adapter.KINDS[QUICKEST].private.generate()
    monkeypatch.setattr(adapter, "_PATIENCE", 0.001)
    with pytest.raises(ServerFailure) as failure:
        key.sign(MESSAGE)
    assert failure.value.__cause__ is None
    assert key.private_bytes_raw().hex() not in repr(failure.value)


def test_without_the_library_pairs_are_not_made_and_keys_are_kept() -> None:
    """In a process of its own, since tables are made at import."""
    program = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "pqcrypto" else find(name, *more)
from strongroom.crypto.keys import pairs
from strongroom.crypto.post_quantum import adapter
from strongroom.crypto.keys import reading
from strongroom.model.secret import SecretBytes
from strongroom.registry import CryptographicAlgorithm as A, KeyFormatType
assert not adapter.KINDS
assert {a for a in A if a.name.startswith("SLH_DSA")} | {A.ML_KEM_512} <= pairs.NOT_MADE
read = reading.read_private(KeyFormatType.RAW, SecretBytes(b"x"), check=True, algorithm=A.ML_KEM_512)
assert read is None
"""
    subprocess.run([sys.executable, "-c", program], check=True)
