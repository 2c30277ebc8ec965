"""Wrapped keys that come in: Register, and Get of what was registered wrapped."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap, aes_key_wrap_with_padding

from strongroom.domain.identity import DEFAULT_TENANT
from strongroom.model.identifiers import BatchReference, NameReference, UniqueIdentifier
from strongroom.model.keys import KeyValue
from strongroom.model.objects import SymmetricKey
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, EncryptionKeyInformation, Link
from strongroom.operations.activate import ActivateRequest
from strongroom.operations.add_attribute import AddAttributeRequest
from strongroom.operations.create_key_pair import CreateKeyPairRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest
from strongroom.operations.get import GetRequest
from strongroom.operations.query import QueryRequest
from strongroom.operations.register import RegisterRequest, RegisterResponse
from strongroom.registry import (
    V1_0,
    V1_3,
    V1_4,
    V2_1,
    V3_0,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    EncodingOption,
    HashingAlgorithm,
    KeyFormatType,
    KeyWrapType,
    LinkType,
    ObjectType,
    PaddingMethod,
    QueryFunction,
    ResultReason,
    RevocationReasonCode,
    Tag,
    UniqueIdentifierEnumeration,
    UnwrapMode,
    WrappingMethod,
)
from tests.expect import (
    EVERY_USE,
    MISSING,
    assert_refused,
    key_pair,
    mask,
    named,
    raw_key,
    refusal,
    register_key,
    register_opaque,
    register_password,
    registration,
    revoke,
    value,
    values,
)
from tests.kms import BOB, TestKms, attribute, template
from tests.wrapping import (
    CBC,
    GCM,
    HMAC,
    KEK,
    MAC,
    NIST,
    PADDED,
    UNWRAP,
    VERIFY,
    WRAP,
    ciphertext_of,
    get_wrapped,
    material_of,
    specification,
    wrapped_key,
    wrapping_key,
)

R = ResultReason
SECRET = bytes.fromhex("00112233445566778899aabbccddeeff")
WRAPPED = bytes.fromhex("1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5")  # RFC 3394 4.1


def taken_in(given: SymmetricKey, usage: CryptographicUsageMask = EVERY_USE) -> RegisterRequest:
    return registration(ObjectType.SYMMETRIC_KEY, given, mask(usage))


def registered(kms: TestKms, given: SymmetricKey) -> UniqueIdentifier:
    return kms.call(taken_in(given)).unique_identifier


def got(kms: TestKms, made: UniqueIdentifier, wrap_type: KeyWrapType | None = None) -> Any:
    return kms.call(GetRequest(unique_identifier=made, key_wrap_type=wrap_type)).managed_object


def clear(kms: TestKms, made: UniqueIdentifier) -> bytes:
    return material_of(got(kms, made, KeyWrapType.NOT_WRAPPED))


@pytest.mark.parametrize("wrap_type", [None, KeyWrapType.AS_REGISTERED])
def test_a_wrapped_key_is_given_out_as_it_was_registered(kms: TestKms, wrap_type: KeyWrapType | None) -> None:
    """KMIP 2.1 §6.1.19: the server SHALL be able to return the key as it was registered."""
    given = wrapped_key(WRAPPED, wrapping_key(kms, NIST))
    assert got(kms, registered(kms, given), wrap_type) == given


def test_a_wrapped_key_is_given_out_not_wrapped(kms: TestKms) -> None:
    made = registered(kms, wrapped_key(WRAPPED, wrapping_key(kms, NIST)))
    assert clear(kms, made) == SECRET


def test_both_forms_survive_a_restart(kms: TestKms) -> None:
    given = wrapped_key(WRAPPED, wrapping_key(kms, NIST))
    made = registered(kms, given)
    again = TestKms(kms.directory, clock=kms.clock)
    assert got(again, made) == given
    assert clear(again, made) == SECRET
    again.close()


def test_an_unwrapped_key_is_used_like_any_other(kms: TestKms) -> None:
    """FIPS 197 B has a ciphertext for this: here it is enough that Encrypt works with the key itself."""
    made = registered(kms, wrapped_key(WRAPPED, wrapping_key(kms, NIST)))
    plain = register_key(kms, material=SECRET)
    for each in (made, plain):
        kms.call(ActivateRequest(unique_identifier=each))
    ecb = CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB)
    first, second = (
        kms.call(
            EncryptRequest(unique_identifier=k, cryptographic_parameters=ecb, data=SecretBytes(bytes(16)))
        )
        for k in (made, plain)
    )
    assert first.data == second.data


def test_a_wrapped_key_gets_a_link_to_its_wrapping_key(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.43, and the digest is that of the key itself."""
    kek = wrapping_key(kms, NIST)
    made = registered(kms, wrapped_key(WRAPPED, kek))
    wanted = Link(link_type=LinkType.WRAPPING_KEY_LINK, linked_object_identifier=kek)
    assert values(kms, made, Tag.LINK) == [wanted]
    plain = register_key(kms, material=SECRET)
    assert value(kms, made, Tag.DIGEST) == value(kms, plain, Tag.DIGEST)


def test_a_wrapped_key_is_wrapped_with_another_key(kms: TestKms) -> None:
    first, second = wrapping_key(kms, NIST), wrapping_key(kms, NIST, material=bytes(16))
    made = registered(kms, wrapped_key(WRAPPED, first))
    again = get_wrapped(kms, made, specification(second))
    assert ciphertext_of(again) == aes_key_wrap(bytes(16), SECRET)


def test_wrapped_as_registered_excludes_another_wrapping(kms: TestKms) -> None:
    kek = wrapping_key(kms, NIST)
    asked = GetRequest(
        unique_identifier=registered(kms, wrapped_key(WRAPPED, kek)),
        key_wrap_type=KeyWrapType.AS_REGISTERED,
        key_wrapping_specification=specification(kek),
    )
    assert_refused(kms, asked, R.INVALID_FIELD, R.INVALID_FIELD, since=V1_4)


def test_wrapped_bytes_that_came_as_key_material_go_out_so(kms: TestKms) -> None:
    """OASIS TC-WRAP-1 and -3 of 1.4 show a Key Value structure around what is wrapped."""
    kek = wrapping_key(kms, NIST)
    given = wrapped_key(b"", kek)
    block = given.key_block.replace(key_value=KeyValue(key_material=SecretBytes(WRAPPED)))
    made = registered(kms, SymmetricKey(key_block=block))
    assert clear(kms, made) == SECRET
    again = get_wrapped(kms, made, specification(kek))
    assert again.key_block.key_value == KeyValue(key_material=SecretBytes(WRAPPED))


@pytest.mark.parametrize(
    "usage", [EVERY_USE, MAC | VERIFY], ids=["Encrypt and Decrypt", "MAC Generate and MAC Verify"]
)
def test_a_key_that_may_not_unwrap_leaves_what_it_wrapped_alone(
    kms: TestKms, usage: CryptographicUsageMask
) -> None:
    """KMIP 2.1 §12.2: Decrypt is not interchangeable with Unwrap Key."""
    given = wrapped_key(WRAPPED, wrapping_key(kms, NIST, usage=usage))
    made = registered(kms, given)
    assert got(kms, made) == given
    asked = GetRequest(unique_identifier=made, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    reasons = R.FEATURE_NOT_SUPPORTED, R.KEY_WRAP_TYPE_NOT_SUPPORTED
    assert_refused(kms, asked, *reasons, since=V1_4, outside_table=True)


@pytest.mark.parametrize("usage", [UNWRAP, WRAP, WRAP | UNWRAP])
def test_a_key_unwraps_with_unwrap_key_or_wrap_key_in_its_mask(
    kms: TestKms, usage: CryptographicUsageMask
) -> None:
    """OASIS TC-WRAP-3 of 1.4 unwraps with a key whose mask is Wrap Key alone."""
    made = registered(kms, wrapped_key(WRAPPED, wrapping_key(kms, NIST, usage=usage)))
    assert clear(kms, made) == SECRET


@pytest.mark.parametrize("wanted", ["unknown", "foreign", "opaque", "pre-active", "destroyed"])
def test_a_key_whose_wrapping_key_is_not_at_hand_is_stored_as_it_is(kms: TestKms, wanted: str) -> None:
    kek = wrapping_key(kms, NIST, active=False)
    match wanted:
        case "unknown":
            kek = MISSING
        case "foreign":
            kek = kms.create_symmetric_key(mask=WRAP | UNWRAP, caller=BOB)
        case "opaque":
            kek = register_opaque(kms)
        case "destroyed":
            kms.call(DestroyRequest(unique_identifier=kek))
    given = wrapped_key(b"whatever it is", kek)
    made = registered(kms, given)
    assert got(kms, made) == given
    assert value(kms, made, Tag.DIGEST) is None
    assert value(kms, made, Tag.CRYPTOGRAPHIC_LENGTH) == 128
    one = refusal(kms, GetRequest(unique_identifier=made, key_wrap_type=KeyWrapType.NOT_WRAPPED))
    other = refusal(
        kms,
        GetRequest(
            unique_identifier=registered(kms, wrapped_key(b"another", MISSING)),
            key_wrap_type=KeyWrapType.NOT_WRAPPED,
        ),
    )
    assert (one.reason, one.message) == (other.reason, other.message)


def test_a_key_is_unwrapped_as_soon_as_its_wrapping_key_may(kms: TestKms) -> None:
    kek = wrapping_key(kms, NIST, active=False)
    made = registered(kms, wrapped_key(WRAPPED, kek))
    kms.call(ActivateRequest(unique_identifier=kek))
    assert clear(kms, made) == SECRET
    assert ciphertext_of(get_wrapped(kms, made, specification(kek))) == WRAPPED


def test_a_wrapped_key_that_was_stored_as_it_is_cannot_be_used(kms: TestKms) -> None:
    made = registered(kms, wrapped_key(WRAPPED, MISSING))
    kms.call(ActivateRequest(unique_identifier=made))
    request = EncryptRequest(
        unique_identifier=made,
        cryptographic_parameters=CryptographicParameters(block_cipher_mode=BlockCipherMode.ECB),
        data=SecretBytes(bytes(16)),
    )
    assert refusal(kms, request, version=V2_1).reason is R.KEY_VALUE_NOT_PRESENT


def altered(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def test_whatever_is_wrong_with_a_wrapped_key_is_one_error(kms: TestKms) -> None:
    """A tampered key, a wrong key, a wrong length, a wrong algorithm, no TTLV inside: nobody can tell."""
    kek, cbc = wrapping_key(kms, NIST), wrapping_key(kms, CBC)
    ttlv = EncodingOption.TTLV_ENCODING
    odd = aes_key_wrap_with_padding(KEK, b"17 bytes, no key!")
    wrong = [
        wrapped_key(altered(WRAPPED), kek),
        wrapped_key(aes_key_wrap(bytes(16), SECRET), kek),
        wrapped_key(b"", kek),
        wrapped_key(WRAPPED[:-8], kek),
        wrapped_key(odd, wrapping_key(kms, PADDED), PADDED),
        wrapped_key(aes_key_wrap(KEK, SECRET * 2), kek),
        wrapped_key(WRAPPED, kek, encoding=ttlv),
        wrapped_key(aes_key_wrap(KEK, bytes.fromhex("4200450100000010") + bytes(16)), kek, encoding=ttlv),
        wrapped_key(bytes(32), cbc, CBC, iv_counter_nonce=bytes(16)),
        wrapped_key(bytes(31), cbc, CBC, iv_counter_nonce=bytes(16)),
    ]
    seen = {
        (found.reason, found.message)
        for given in wrong
        for found in [refusal(kms, taken_in(given), version=V2_1)]
    }
    assert {reason for reason, _ in seen} == {R.INVALID_FIELD}
    assert len(seen) == 1


def test_a_wrapping_key_is_used_with_its_own_parameters_alone(kms: TestKms) -> None:
    """Else whoever may unwrap with it could choose a mode whose failures tell of the plaintext."""
    kek = wrapping_key(kms, NIST)
    given = wrapped_key(bytes(32), kek, CBC, iv_counter_nonce=bytes(16))
    made = registered(kms, given)
    assert got(kms, made).key_block.key_value == given.key_block.key_value  # as it came: it was not tried


def test_a_wrapped_key_that_cannot_be_right_is_refused(kms: TestKms) -> None:
    given = wrapped_key(altered(WRAPPED), wrapping_key(kms, NIST))
    assert_refused(kms, taken_in(given), R.INVALID_FIELD, R.INVALID_FIELD)


def test_the_tag_of_gcm_stands_behind_the_ciphertext(kms: TestKms) -> None:
    kek, nonce = wrapping_key(kms, GCM), bytes(range(12))
    sealed = AESGCM(KEK).encrypt(nonce, SECRET, None)
    made = registered(kms, wrapped_key(sealed, kek, GCM, iv_counter_nonce=nonce))
    assert clear(kms, made) == SECRET
    bad = wrapped_key(altered(sealed), kek, GCM, iv_counter_nonce=nonce)
    assert refusal(kms, taken_in(bad)).reason is R.INVALID_FIELD


@pytest.mark.parametrize("first", [True, False])
def test_a_wrong_mac_is_refused(kms: TestKms, first: bool) -> None:

    kek = wrapping_key(kms, NIST)
    mac_key = wrapping_key(kms, HMAC, usage=MAC | VERIFY)
    method = WrappingMethod.MAC_SIGN_THEN_ENCRYPT if first else WrappingMethod.ENCRYPT_THEN_MAC_SIGN
    source = register_key(kms, material=SECRET)
    right = get_wrapped(kms, source, specification(kek, mac_key=mac_key, method=method))
    assert clear(kms, registered(kms, right)) == SECRET
    data = right.key_block.key_wrapping_data
    wrong = data.replace(mac_signature=altered(data.mac_signature))
    bad = SymmetricKey(key_block=right.key_block.replace(key_wrapping_data=wrong))
    assert refusal(kms, taken_in(bad)).reason is R.INVALID_FIELD
    absent = SymmetricKey(
        key_block=right.key_block.replace(key_wrapping_data=data.replace(mac_signature=None))
    )
    assert got(kms, registered(kms, absent)) == absent


def test_attributes_that_were_wrapped_along_are_those_of_the_new_object(kms: TestKms) -> None:
    """KMIP 2.1 §6.1.43: the object and attributes MAY be wrapped."""
    kek = wrapping_key(kms, NIST)
    source = register_key(kms, named("along"), attribute(Tag.CONTACT_INFORMATION, "nobody"))
    wanted = specification(kek, encoding=None, attributes=(Tag.CONTACT_INFORMATION, Tag.CRYPTOGRAPHIC_LENGTH))
    for version in (V1_0, V2_1):
        made = registered(kms, get_wrapped(kms, source, wanted, version=version))
        assert value(kms, made, Tag.CONTACT_INFORMATION) == "nobody"


def test_a_sensitive_key_is_given_out_as_it_was_registered_and_not_in_the_clear(kms: TestKms) -> None:
    given = wrapped_key(WRAPPED, wrapping_key(kms, NIST))
    request = registration(
        ObjectType.SYMMETRIC_KEY, given, mask(EVERY_USE), attribute(Tag.SENSITIVE, value=True)
    )
    made = kms.call(request).unique_identifier
    assert got(kms, made) == given
    asked = GetRequest(unique_identifier=made, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert_refused(kms, asked, R.SENSITIVE, R.SENSITIVE, since=V1_4)


def test_a_wrapped_form_is_not_converted(kms: TestKms) -> None:
    made = registered(kms, wrapped_key(WRAPPED, wrapping_key(kms, NIST)))
    other = KeyFormatType.TRANSPARENT_SYMMETRIC_KEY
    asked = GetRequest(unique_identifier=made, key_format_type=other)
    reason = R.KEY_FORMAT_TYPE_NOT_SUPPORTED
    assert_refused(kms, asked, reason, reason, outside_table=True)
    bare = GetRequest(unique_identifier=made, key_format_type=other, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    found: Any = kms.call(bare).managed_object
    assert found.key_block.key_format_type is other


def test_the_wrapped_form_goes_with_the_key(kms: TestKms) -> None:
    made = registered(kms, wrapped_key(WRAPPED, wrapping_key(kms, NIST)))
    kms.call(DestroyRequest(unique_identifier=made))
    stored = kms.run(kms.repository.load(DEFAULT_TENANT, made))
    assert stored is not None
    assert (stored.material, stored.as_registered) == (None, None)


def test_both_forms_stay_when_an_attribute_changes(kms: TestKms) -> None:
    given = wrapped_key(WRAPPED, wrapping_key(kms, NIST))
    made = registered(kms, given)
    kms.call(AddAttributeRequest(unique_identifier=made, new_attribute=named("later")))
    assert got(kms, made) == given
    assert clear(kms, made) == SECRET


OAEP = CryptographicParameters(
    padding_method=PaddingMethod.OAEP,
    hashing_algorithm=HashingAlgorithm.SHA_256,
    mask_generator_hashing_algorithm=HashingAlgorithm.SHA_256,
)
PKCS_1 = CryptographicParameters(padding_method=PaddingMethod.PKCS1_V1_5)


def rsa_pair(
    kms: TestKms, *own: CryptographicParameters, private: CryptographicUsageMask = UNWRAP
) -> tuple[UniqueIdentifier, UniqueIdentifier]:
    """Return an active (private, public) pair to wrap with; both have these parameters of their own."""
    request = CreateKeyPairRequest(
        common_attributes=template(
            attribute(Tag.CRYPTOGRAPHIC_ALGORITHM, CryptographicAlgorithm.RSA),
            attribute(Tag.CRYPTOGRAPHIC_LENGTH, 2048),
            attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
        ),
        private_key_attributes=template(
            mask(private), *(attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, p, i) for i, p in enumerate(own))
        ),
        public_key_attributes=template(mask(WRAP)),
    )
    made = kms.call(request)
    return made.private_key_unique_identifier, made.public_key_unique_identifier


@pytest.mark.parametrize("parameters", [OAEP, PKCS_1], ids=["OAEP", "PKCS#1 v1.5"])
def test_a_public_key_wraps_and_the_private_key_linked_to_it_unwraps(
    kms: TestKms, parameters: CryptographicParameters
) -> None:
    private, public = rsa_pair(kms)
    given = get_wrapped(kms, register_key(kms, material=SECRET), specification(public, parameters))
    named_key = given.key_block.key_wrapping_data.encryption_key_information.unique_identifier
    assert named_key == public
    assert clear(kms, registered(kms, given)) == SECRET
    data = given.key_block.key_wrapping_data.replace(
        encryption_key_information=EncryptionKeyInformation(
            unique_identifier=private, cryptographic_parameters=parameters
        )
    )
    other = SymmetricKey(key_block=given.key_block.replace(key_wrapping_data=data))
    assert clear(kms, registered(kms, other)) == SECRET


def test_a_private_key_unwraps_with_its_own_parameters_whatever_the_public_key_has(kms: TestKms) -> None:
    """A public key that names none, of whomever, is no way round them."""
    private, public = rsa_pair(kms, OAEP)
    link = Link(link_type=LinkType.PRIVATE_KEY_LINK, linked_object_identifier=private)
    request = registration(
        ObjectType.PUBLIC_KEY,
        kms.call(GetRequest(unique_identifier=public)).managed_object,
        mask(WRAP),
        attribute(Tag.LINK, link),
        attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
    )
    public = kms.call(request).unique_identifier
    made = register_key(kms, material=SECRET)
    assert clear(kms, registered(kms, get_wrapped(kms, made, specification(public, OAEP)))) == SECRET
    kept = registered(kms, get_wrapped(kms, made, specification(public, PKCS_1)))
    asked = GetRequest(unique_identifier=kept, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert refusal(kms, asked, version=V2_1).reason is R.KEY_WRAP_TYPE_NOT_SUPPORTED


def test_a_private_key_does_not_wrap(kms: TestKms) -> None:
    private, _ = rsa_pair(kms, private=UNWRAP | WRAP)
    asked = GetRequest(
        unique_identifier=register_key(kms), key_wrapping_specification=specification(private, OAEP)
    )
    assert_refused(kms, asked, R.ILLEGAL_OPERATION, R.INVALID_OBJECT_TYPE)


def test_a_key_that_rsa_cannot_open_is_one_error_with_either_padding(kms: TestKms) -> None:
    """KMIP says nothing; Bleichenbacher and Manger do."""
    _, public = rsa_pair(kms)
    seen = set()
    for parameters in (OAEP, PKCS_1):
        for ciphertext in (b"\1" * 256, b"\0" * 256, b"\xff" * 256, b"short"):
            # What PKCS#1 v1.5 gives for it is noise, which now and then is as long as a key, but is no TTLV.
            given = wrapped_key(ciphertext, public, parameters, encoding=EncodingOption.TTLV_ENCODING)
            found = refusal(kms, taken_in(given), version=V2_1)
            seen.add((found.reason, found.message))
    assert len(seen) == 1


def test_an_authenticated_stream_cipher_wraps(kms: TestKms) -> None:
    chacha = SymmetricKey(
        key_block=wrapped_key(b"", MISSING).key_block.replace(
            key_value=KeyValue(key_material=SecretBytes(bytes(32))),
            cryptographic_algorithm=CryptographicAlgorithm.CHACHA20POLY1305,
            cryptographic_length=256,
            key_wrapping_data=None,
        )
    )
    now = attribute(Tag.ACTIVATION_DATE, kms.clock.now())
    kek = kms.call(registration(ObjectType.SYMMETRIC_KEY, chacha, mask(WRAP | UNWRAP), now))
    wanted = specification(
        kek.unique_identifier,
        CryptographicParameters(cryptographic_algorithm=CryptographicAlgorithm.CHACHA20POLY1305),
    )
    given = get_wrapped(kms, register_key(kms, material=SECRET), wanted)
    assert len(ciphertext_of(given)) == len(SECRET) + 16
    assert clear(kms, registered(kms, given)) == SECRET


@pytest.mark.parametrize("tampered", [False, True])
def test_a_private_key_signs_and_the_public_key_linked_to_it_verifies(kms: TestKms, tampered: bool) -> None:
    """KMIP 2.1 §3.3: or the private key used to sign the Key Value."""
    private, public = key_pair(kms, attribute(Tag.ACTIVATION_DATE, kms.clock.now()))
    hashed = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)
    given = get_wrapped(
        kms,
        register_key(kms, material=SECRET),
        specification(
            wrapping_key(kms, NIST),
            mac_key=private,
            mac=hashed,
            method=WrappingMethod.ENCRYPT_THEN_MAC_SIGN,
        ),
    )
    data = given.key_block.key_wrapping_data
    assert data.mac_signature_key_information.unique_identifier == private
    if tampered:
        data = data.replace(mac_signature=altered(data.mac_signature))
        bad = SymmetricKey(key_block=given.key_block.replace(key_wrapping_data=data))
        assert refusal(kms, taken_in(bad)).reason is R.INVALID_FIELD
        return
    assert clear(kms, registered(kms, given)) == SECRET
    kms.call(DestroyRequest(unique_identifier=_revoked(kms, public)))
    assert got(kms, registered(kms, given)) == given


def _revoked(kms: TestKms, made: UniqueIdentifier) -> UniqueIdentifier:
    kms.call(revoke(made))
    return made


@pytest.mark.parametrize("code", [None, RevocationReasonCode.CESSATION_OF_OPERATION])
def test_a_retired_key_still_unwraps(kms: TestKms, code: RevocationReasonCode | None) -> None:
    """KMIP 2.1 §4.57: what was protected stays readable."""
    kek = wrapping_key(kms, NIST)
    kms.call(revoke(kek) if code else revoke(kek, RevocationReasonCode.KEY_COMPROMISE))
    assert clear(kms, registered(kms, wrapped_key(WRAPPED, kek))) == SECRET


def test_a_key_unwraps_from_its_process_start_date_on(kms: TestKms) -> None:
    kek = register_key(
        kms,
        attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
        attribute(Tag.PROCESS_START_DATE, kms.clock.now() + timedelta(hours=1)),
        attribute(Tag.CRYPTOGRAPHIC_PARAMETERS, NIST),
        material=KEK,
        usage=UNWRAP,
    )
    made = registered(kms, wrapped_key(WRAPPED, kek))
    asked = GetRequest(unique_identifier=made, key_wrap_type=KeyWrapType.NOT_WRAPPED)
    assert refusal(kms, asked, version=V2_1).reason is R.KEY_WRAP_TYPE_NOT_SUPPORTED
    kms.clock.pass_time(hours=1)
    assert clear(kms, made) == SECRET


@pytest.mark.parametrize("what", ["private", "public", "secret"])
def test_objects_of_every_kind_with_a_key_block_are_wrapped_and_unwrapped(kms: TestKms, what: str) -> None:
    """KMIP 1.4 §2.2: in a Key Block of any of them the Key Value may be wrapped."""
    match what:
        case "private":
            made, _ = key_pair(kms)
        case "public":
            _, made = key_pair(kms)
        case _:
            made = register_password(kms)
    wanted = specification(wrapping_key(kms, PADDED), PADDED, encoding=EncodingOption.TTLV_ENCODING)
    before: Any = kms.call(GetRequest(unique_identifier=made))
    given = get_wrapped(kms, made, wanted)
    again = kms.call(registration(before.object_type, given, mask(EVERY_USE))).unique_identifier
    assert got(kms, again, KeyWrapType.NOT_WRAPPED) == before.managed_object
    assert got(kms, again) == given


@pytest.mark.parametrize("reference", ["name", "placeholder", "batch"])
def test_a_wrapping_key_that_is_not_named_by_its_identifier_is_so_named_from_then_on(
    kms: TestKms, reference: str
) -> None:
    """What a name or a place in the batch means changes."""
    kek = registration(
        ObjectType.SYMMETRIC_KEY,
        raw_key(KEK),
        named("kek"),
        mask(WRAP | UNWRAP),
        attribute(Tag.ACTIVATION_DATE, kms.clock.now()),
    )
    given: dict[str, Any] = {
        "name": NameReference("kek"),
        "placeholder": UniqueIdentifierEnumeration.ID_PLACEHOLDER,
        "batch": BatchReference(0),
    }
    wrapped = wrapped_key(WRAPPED, given[reference])
    first, second = kms.batch(kek, taken_in(wrapped), version=V3_0, batch_order_option=True)
    assert isinstance(first, RegisterResponse)
    assert isinstance(second, RegisterResponse)
    again = got(kms, second.unique_identifier).key_block.key_wrapping_data
    assert again.encryption_key_information.unique_identifier == first.unique_identifier
    link: Link = value(kms, second.unique_identifier, Tag.LINK)
    assert link.linked_object_identifier == first.unique_identifier
    assert clear(kms, second.unique_identifier) == SECRET


def test_query_says_that_wrapped_keys_are_unwrapped(kms: TestKms) -> None:
    asked = QueryRequest(query_function=(QueryFunction.QUERY_CAPABILITIES,))
    (capabilities,) = kms.call(asked, version=V1_3).capability_information
    assert capabilities.unwrap_mode is UnwrapMode.PROCESSED
