"""PKCS#11 (KMIP 2.1 §6.1.37; KMIP Profiles 2.1 §5.18)."""

import contextlib
import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.model.attribute_list import RawValue, VendorAttribute
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.get import GetRequest
from strongroom.operations.locate import LocateRequest
from strongroom.operations.pkcs11 import state
from strongroom.operations.pkcs11.codec import MAXIMUM_OUTPUT
from strongroom.operations.pkcs11.errors import PKCS11CodecError
from strongroom.operations.pkcs11.failure import Failure
from strongroom.operations.pkcs11.functions import NOT_OFFERED
from strongroom.operations.pkcs11.mechanisms import MECHANISMS
from strongroom.operations.pkcs11.state import (
    MAXIMUM_APPLICATIONS,
    MAXIMUM_HELD,
    MAXIMUM_SESSIONS,
)
from strongroom.operations.pkcs_11 import PKCS11Request
from strongroom.operations.query import QueryRequest
from strongroom.operations.set_attribute import SetAttributeRequest
from strongroom.operations.signature_verify import SignatureVerifyRequest
from strongroom.registry import (
    V1_4,
    V2_0,
    V2_1,
    V3_0,
    CryptographicUsageMask,
    HashingAlgorithm,
    ItemType,
    ObjectType,
    PKCS11Function,
    QueryFunction,
    ResultReason,
    RevocationReasonCode,
    State,
    Tag,
    UsageLimitsUnit,
    ValidityIndicator,
    Version,
)
from strongroom.registry import PKCS11ReturnCode as Code
from tests.expect import (
    AES_128,
    EVERY_USE,
    assert_refused,
    key,
    named,
    refusal,
    register_key,
    register_password,
    revoke,
    state_of,
    value,
)
from tests.kms import ALICE, BOB, TestKms, attribute
from tests.pkcs11 import Application, answered, buffer, count, data, mechanism, query, template, ulong

R = ResultReason
CLASS, TOKEN, LABEL, UNIQUE_ID, VALUE, KEY_TYPE, ID = 0x00, 0x01, 0x03, 0x04, 0x11, 0x100, 0x102
SENSITIVE, ENCRYPT, DECRYPT, SIGN, VERIFY, EXTRACTABLE = 0x103, 0x104, 0x105, 0x108, 0x10A, 0x162
MODULUS, MODULUS_BITS, EXPONENT, VALUE_LEN = 0x120, 0x121, 0x122, 0x161
AES_ECB, AES_CBC, AES_CBC_PAD, AES_CTR, AES_GCM, AES_CMAC = 0x1081, 0x1082, 0x1085, 0x1086, 0x1087, 0x108A
CBC_PAD = mechanism(AES_CBC_PAD, data(bytes(16)))
SHA256, SHA256_HMAC, SHA256_RSA = 0x250, 0x251, 0x40
RW = 6


@pytest.fixture
def app(kms: TestKms) -> Application:
    return Application(kms)


def identifier_of(app: Application, handle: bytes) -> UniqueIdentifier:
    (shown,) = app.show(handle, UNIQUE_ID)
    return UniqueIdentifier(shown.decode())


def handle_of(app: Application, identifier: str) -> bytes:
    (handle,) = app.find((UNIQUE_ID, identifier.encode()))
    return handle


def active(kms: TestKms, *attributes: Any, **fields: Any) -> UniqueIdentifier:
    now = attribute(Tag.ACTIVATION_DATE, kms.clock.now())
    return register_key(kms, now, *attributes, **fields)


# What the operation itself refuses.


def test_an_unknown_interface_is_refused(kms: TestKms) -> None:
    request = PKCS11Request(pkcs_11_interface="Vendor", pkcs_11_function=PKCS11Function.C_INITIALIZE)
    assert_refused(kms, request, R.PKCS_11_INVALID_INTERFACE, R.PKCS_11_INVALID_INTERFACE)


def test_the_standard_interface_may_be_named(kms: TestKms) -> None:
    request = PKCS11Request(pkcs_11_interface="PKCS 11", pkcs_11_function=PKCS11Function.C_INITIALIZE)
    answer = kms.call(request, version=V2_1)
    assert answer.pkcs_11_return_code is Code.CKR_OK
    assert answer.pkcs_11_interface == "PKCS 11"


@pytest.mark.parametrize("number", [0x5D, 0x1000])
def test_a_number_that_is_no_function_is_refused(kms: TestKms, number: int) -> None:
    request = PKCS11Request(pkcs_11_function=number)
    assert_refused(kms, request, R.PKCS_11_INVALID_FUNCTION, R.PKCS_11_INVALID_FUNCTION)


@pytest.mark.parametrize("parameters", [b"\2", b"\1\1"])
def test_another_version_of_the_encoding_is_refused(kms: TestKms, parameters: bytes) -> None:
    request = PKCS11Request(
        pkcs_11_function=PKCS11Function.C_INITIALIZE, pkcs_11_input_parameters=SecretBytes(parameters)
    )
    assert_refused(kms, request, R.PKCS_11_CODEC_ERROR, R.PKCS_11_CODEC_ERROR)


def test_parameters_that_end_early_or_late_are_refused(app: Application) -> None:
    for parameters in (b"", ulong(1)[:7], ulong(1) + b"\0"):
        request = PKCS11Request(
            pkcs_11_function=PKCS11Function.C_GETSLOTINFO,
            correlation_value=app.correlation_value,
            pkcs_11_input_parameters=SecretBytes(parameters),
        )
        assert refusal(app.kms, request, version=V2_1).reason is R.PKCS_11_CODEC_ERROR


@pytest.mark.parametrize("version", [V2_0, V2_1, V3_0], ids=str)
def test_every_version_that_has_the_operation_does_it(kms: TestKms, version: Version) -> None:
    app = Application(kms, version=version)
    app.aes_key()
    assert refusal(kms, LocateRequest(maximum_items=-1), version=V1_4)
    assert len(app.find((CLASS, 4))) == 1


def test_query_names_the_operation(kms: TestKms) -> None:
    answer = kms.call(QueryRequest(query_function=(QueryFunction.QUERY_OPERATIONS,)), version=V2_1)
    assert any(o.name == "PKCS_11" for o in answer.operation)


@pytest.mark.parametrize("function", sorted(NOT_OFFERED))
def test_what_is_not_offered_says_so(app: Application, function: PKCS11Function) -> None:
    assert app.fails(function.name) is Code.CKR_FUNCTION_NOT_SUPPORTED


# Applications.


def test_a_call_needs_an_application(kms: TestKms, app: Application) -> None:
    for correlation_value in (None, b"", bytes(16), bytes(4000)):
        app.correlation_value = correlation_value
        assert app.fails("C_GETINFO") is Code.CKR_CRYPTOKI_NOT_INITIALIZED


def test_an_application_is_its_clients(app: Application) -> None:
    app.caller = BOB
    assert app.fails("C_GETINFO") is Code.CKR_CRYPTOKI_NOT_INITIALIZED


def test_an_application_ends_with_finalize(app: Application) -> None:
    app.call("C_FINALIZE")
    assert app.fails("C_GETINFO") is Code.CKR_CRYPTOKI_NOT_INITIALIZED


def test_an_application_begins_once(app: Application) -> None:
    assert app.fails("C_INITIALIZE", b"\1") is Code.CKR_CRYPTOKI_ALREADY_INITIALIZED


def test_an_application_expires_when_it_is_not_used(kms: TestKms, app: Application) -> None:
    for _ in range(3):
        kms.clock.pass_time(minutes=45)
        app.call("C_GETINFO")
    kms.clock.pass_time(minutes=61)
    assert app.fails("C_GETINFO") is Code.CKR_CRYPTOKI_NOT_INITIALIZED


def test_a_client_has_so_many_applications_and_expired_ones_make_room(kms: TestKms) -> None:
    for _ in range(MAXIMUM_APPLICATIONS):
        Application(kms)
    more = PKCS11Request(pkcs_11_function=PKCS11Function.C_INITIALIZE)
    assert kms.call(more, version=V2_1).pkcs_11_return_code is Code.CKR_HOST_MEMORY
    assert kms.call(more, version=V2_1, caller=BOB).pkcs_11_return_code is Code.CKR_OK
    kms.clock.pass_time(hours=2)
    assert kms.call(more, version=V2_1).pkcs_11_return_code is Code.CKR_OK


def test_an_expired_application_is_forgotten(kms: TestKms, app: Application) -> None:
    store = kms.repository
    for minutes, left in ((59, 1), (2, 0)):
        kms.clock.pass_time(minutes=minutes)
        kms.run(kms.dispatcher.applications.tidy(kms.clock.now()))
        kept = kms.run(store.entries_of(state.Application, ALICE.tenant, ALICE.client))
        assert len(kept) == left


def test_an_application_survives_a_restart(kms: TestKms, app: Application) -> None:
    handle = app.aes_key((LABEL, b"lasting"))
    again = TestKms(kms.directory, clock=kms.clock)
    try:
        app.kms = again
        assert app.show(handle, LABEL) == [b"lasting"]
    finally:
        again.close()


# Slots, tokens, mechanisms, sessions.


def test_there_is_one_slot_with_one_token(app: Application) -> None:
    assert app.call("C_GETSLOTLIST", b"\1", buffer(None)) == b"\0" + count(1)
    assert app.call("C_GETSLOTLIST", b"\1", buffer(5)) == b"\1" + count(1) + ulong(1)
    assert app.fails("C_GETSLOTLIST", b"\1", buffer(0)) is Code.CKR_BUFFER_TOO_SMALL
    assert len(app.call("C_GETSLOTINFO", ulong(1))) == 64 + 32 + 8 + 2 + 2
    token = app.call("C_GETTOKENINFO", ulong(1))
    assert len(token) == 32 + 32 + 16 + 16 + 8 + 10 * 8 + 2 + 2 + 16
    assert token[:32] == b"alice".ljust(32)
    for function in ("C_GETSLOTINFO", "C_GETTOKENINFO", "C_CLOSEALLSESSIONS"):
        assert app.fails(function, ulong(2)) is Code.CKR_SLOT_ID_INVALID


def test_info_is_that_of_pkcs_11_3_0(app: Application) -> None:
    info = app.call("C_GETINFO")
    assert len(info) == 76
    assert info[:2] == b"\x03\x00"
    assert info[2:12] == b"Strongroom"


def test_mechanisms_are_listed_and_described(app: Application) -> None:
    made = app.call("C_GETMECHANISMLIST", ulong(1), buffer(200))
    total = int.from_bytes(made[1:5], "big")
    listed = [int.from_bytes(made[5 + 8 * n : 13 + 8 * n], "big") for n in range(total)]
    assert listed == list(MECHANISMS)
    for number in listed:
        assert len(app.call("C_GETMECHANISMINFO", ulong(1), ulong(number))) == 24
    assert app.fails("C_GETMECHANISMINFO", ulong(1), ulong(0x9999)) is Code.CKR_MECHANISM_INVALID


def test_sessions_open_and_close(app: Application) -> None:
    assert app.fails("C_OPENSESSION", ulong(1), ulong(2)) is Code.CKR_ARGUMENTS_BAD
    app.call("C_CLOSESESSION", app.session)
    assert app.fails("C_GETSESSIONINFO", app.session) is Code.CKR_SESSION_HANDLE_INVALID
    handles = [app.call("C_OPENSESSION", ulong(1), ulong(RW)) for _ in range(MAXIMUM_SESSIONS)]
    assert len(set(handles)) == MAXIMUM_SESSIONS
    assert app.fails("C_OPENSESSION", ulong(1), ulong(RW)) is Code.CKR_SESSION_COUNT
    app.call("C_CLOSEALLSESSIONS", ulong(1))
    assert app.fails("C_CLOSESESSION", handles[0]) is Code.CKR_SESSION_HANDLE_INVALID


def test_a_login_shows_in_the_state_of_every_session(app: Application) -> None:
    def states() -> bytes:
        return app.call("C_GETSESSIONINFO", app.session)[8:16]

    assert states() == ulong(2)
    app.call("C_LOGIN", app.session, ulong(1), data(b"1234"))
    assert states() == ulong(3)
    login = app.fails("C_LOGIN", app.session, ulong(1), data(b"1234"))
    assert login is Code.CKR_USER_ALREADY_LOGGED_IN
    app.call("C_LOGOUT", app.session)
    assert app.fails("C_LOGOUT", app.session) is Code.CKR_USER_NOT_LOGGED_IN
    assert app.fails("C_LOGIN", app.session, ulong(0), data(b"")) is Code.CKR_ARGUMENTS_BAD


def test_a_read_only_session_makes_and_destroys_nothing_lasting(kms: TestKms, app: Application) -> None:
    handle = app.aes_key()
    reader = Application(kms, flags=4)
    same = handle_of(reader, identifier_of(app, handle))
    lasting = template((TOKEN, True), (VALUE_LEN, 16))
    for call in (
        ("C_GENERATEKEY", mechanism(0x1080), lasting),
        ("C_DESTROYOBJECT", same),
        ("C_SETATTRIBUTEVALUE", same, template((LABEL, b"x"))),
    ):
        assert reader.fails(call[0], reader.session, *call[1:]) is Code.CKR_SESSION_READ_ONLY
    own = reader.aes_key(token=False)
    reader.call("C_DESTROYOBJECT", reader.session, own)


# Objects.


def test_a_generated_key_is_a_managed_object_that_can_be_used_at_once(kms: TestKms, app: Application) -> None:
    handle = app.aes_key((LABEL, b"payroll"), (ENCRYPT, True))
    identifier = identifier_of(app, handle)
    assert state_of(kms, identifier) is State.ACTIVE
    assert value(kms, identifier, Tag.CRYPTOGRAPHIC_LENGTH) == 256
    assert value(kms, identifier, Tag.CRYPTOGRAPHIC_USAGE_MASK) is CryptographicUsageMask.ENCRYPT
    shown = app.show(handle, CLASS, KEY_TYPE, LABEL, VALUE_LEN, ENCRYPT, DECRYPT, TOKEN, 0x163)
    assert shown == [4, 0x1F, b"payroll", 32, True, False, True, True]


def test_keys_made_by_kmip_are_found_by_name_class_and_type(kms: TestKms, app: Application) -> None:
    made = active(kms, named("by kmip"))
    handle = handle_of(app, made)
    for search in (
        [(LABEL, b"by kmip")],
        [(CLASS, 4), (KEY_TYPE, 0x1F)],
        [(ENCRYPT, True), (TOKEN, True), (SENSITIVE, False)],
        [],
    ):
        assert app.find(*search) == [handle], search
    for search in (
        [(LABEL, b"other")],
        [(CLASS, 2)],
        [(KEY_TYPE, 0x03)],
        [(SIGN, True)],
        [(TOKEN, False)],
        [(VALUE, AES_128)],
        [(LABEL, b"\xff")],
        [(CLASS, 99)],
    ):
        assert app.find(*search) == [], search
    assert app.show(handle, VALUE) == [AES_128]


def test_nobody_finds_another_clients_keys(kms: TestKms, app: Application) -> None:
    app.aes_key()
    assert Application(kms, caller=BOB).find() == []


def test_a_handle_of_a_key_that_is_gone_is_invalid(kms: TestKms, app: Application) -> None:
    handle = app.aes_key()
    app.call("C_DESTROYOBJECT", app.session, handle)
    shown = app.fails("C_GETATTRIBUTEVALUE", app.session, handle, query((CLASS, 8)))
    assert shown is Code.CKR_OBJECT_HANDLE_INVALID
    assert app.fails("C_ENCRYPTINIT", app.session, CBC_PAD, handle) is Code.CKR_KEY_HANDLE_INVALID
    assert app.find() == []


def test_session_objects_end_with_their_session(kms: TestKms, app: Application) -> None:
    handle = app.aes_key(token=False)
    identifier = identifier_of(app, handle)
    assert app.show(handle, TOKEN) == [False]
    assert app.find((TOKEN, False)) == [handle]
    app.call("C_CLOSESESSION", app.session)
    assert state_of(kms, identifier) is State.DESTROYED


def test_finalize_destroys_session_objects(kms: TestKms, app: Application) -> None:
    identifier = identifier_of(app, app.aes_key(token=False))
    app.call("C_FINALIZE")
    assert state_of(kms, identifier) is State.DESTROYED


def test_a_search_gives_as_many_as_are_asked_for(app: Application) -> None:
    keys = {app.aes_key() for _ in range(3)}
    app.call("C_FINDOBJECTSINIT", app.session, template((CLASS, 4)))
    assert app.fails("C_FINDOBJECTSINIT", app.session, template()) is Code.CKR_OPERATION_ACTIVE
    two = app.call("C_FINDOBJECTS", app.session, ulong(2))
    one = app.call("C_FINDOBJECTS", app.session, ulong(2))
    none = app.call("C_FINDOBJECTS", app.session, ulong(2))
    assert (two[:4], one[:4], none) == (count(2), count(1), count(0))
    assert {two[4:12], two[12:], one[4:]} == keys
    app.call("C_FINDOBJECTSFINAL", app.session)
    assert app.fails("C_FINDOBJECTS", app.session, ulong(1)) is Code.CKR_OPERATION_NOT_INITIALIZED


def test_secret_keys_certificates_and_data_are_created(kms: TestKms, app: Application) -> None:
    key_ = app.handle(
        "C_CREATEOBJECT", template((CLASS, 4), (KEY_TYPE, 0x1F), (VALUE, AES_128), (TOKEN, True), (ID, b"7"))
    )
    assert app.show(key_, VALUE, ID, VALUE_LEN) == [AES_128, b"7", 16]
    blob = app.handle("C_CREATEOBJECT", template((CLASS, 0), (VALUE, b"anything"), (LABEL, b"blob")))
    assert app.show(blob, CLASS, VALUE, LABEL) == [0, b"anything", b"blob"]
    assert value(kms, identifier_of(app, blob), Tag.OBJECT_TYPE) is ObjectType.OPAQUE_OBJECT


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ([(CLASS, 4), (VALUE, AES_128)], Code.CKR_TEMPLATE_INCOMPLETE),
        ([(VALUE, AES_128)], Code.CKR_TEMPLATE_INCOMPLETE),
        ([(CLASS, 77)], Code.CKR_ATTRIBUTE_VALUE_INVALID),
        ([(CLASS, 4), (KEY_TYPE, 0x1F), (VALUE, b"short")], Code.CKR_ARGUMENTS_BAD),
        ([(CLASS, 4), (KEY_TYPE, 0x7777), (VALUE, AES_128)], Code.CKR_ATTRIBUTE_VALUE_INVALID),
        ([(CLASS, 4), (KEY_TYPE, 0x1F), (VALUE, AES_128), (0x9999, b"")], Code.CKR_ATTRIBUTE_TYPE_INVALID),
        ([(CLASS, 0), (VALUE, b"x"), (VALUE, b"y")], Code.CKR_TEMPLATE_INCONSISTENT),
        ([(CLASS, 0), (VALUE, b"x"), (0x170, False)], Code.CKR_ATTRIBUTE_VALUE_INVALID),
        ([(CLASS, 0), (VALUE, b"x"), (LABEL, b"\xff")], Code.CKR_ATTRIBUTE_VALUE_INVALID),
        ([(CLASS, 1), (VALUE, b"no certificate")], Code.CKR_ARGUMENTS_BAD),
        ([(CLASS, 3), (KEY_TYPE, 0)], Code.CKR_TEMPLATE_INCONSISTENT),
    ],
)
def test_a_template_that_makes_no_object_is_refused(
    kms: TestKms, app: Application, attributes: list[tuple[int, Any]], code: Code
) -> None:
    assert app.fails("C_CREATEOBJECT", app.session, template(*attributes)) is code
    assert kms.call(LocateRequest()).unique_identifier == ()


def test_attributes_are_shown_one_by_one(app: Application) -> None:
    handle = app.aes_key((LABEL, b"four"), (SENSITIVE, True))
    asked = query((LABEL, None), (VALUE, 32), (0x9999, 8), (LABEL, 3), (LABEL, 4), (CLASS, 8))
    code, output = app.try_("C_GETATTRIBUTEVALUE", app.session, handle, asked)
    assert code is Code.CKR_ATTRIBUTE_SENSITIVE
    assert answered(output) == [
        (LABEL, ("length", 4)),
        (VALUE, None),
        (0x9999, None),
        (LABEL, None),
        (LABEL, b"four"),
        (CLASS, 4),
    ]


def test_a_label_that_kmip_cannot_hold_is_refused_and_finds_nothing(app: Application) -> None:
    for label in (b"a\0b", b"\xff"):
        made = (app.session, template((CLASS, 0), (VALUE, b"x"), (LABEL, label)))
        assert app.fails("C_CREATEOBJECT", *made) is Code.CKR_ATTRIBUTE_VALUE_INVALID
        assert app.find((LABEL, label)) == app.find((UNIQUE_ID, label)) == []


@pytest.mark.parametrize(
    "raw",
    [
        RawValue(ItemType.LONG_INTEGER, 1 << 40),
        RawValue(ItemType.INTEGER, -1),
        RawValue(ItemType.BIG_INTEGER, 1 << 20_000),
        RawValue(ItemType.STRUCTURE, []),
    ],
    ids=["long", "negative", "big", "structure"],
)
def test_label_and_id_of_another_type_are_none(kms: TestKms, app: Application, raw: RawValue) -> None:
    """KMIP clients may give the vendor attributes values of any type."""
    handle = app.aes_key()
    (identifier,) = app.show(handle, UNIQUE_ID)
    for name in ("Label", "ID"):
        given = attribute(VendorAttribute("PKCS11", name), raw)
        setting = SetAttributeRequest(
            unique_identifier=UniqueIdentifier(identifier.decode()), new_attribute=given
        )
        kms.call(setting, version=V2_1)
    shown = app.call("C_GETATTRIBUTEVALUE", app.session, handle, query((LABEL, 10), (ID, 10)))
    assert answered(shown) == [(LABEL, b""), (ID, b"")]


def test_label_and_protection_change_and_uses_do_not(kms: TestKms, app: Application) -> None:
    handle = app.aes_key((LABEL, b"before"))
    change = template((LABEL, b"after"), (ID, b"1"), (SENSITIVE, True))
    app.call("C_SETATTRIBUTEVALUE", app.session, handle, change)
    assert app.show(handle, LABEL, ID, SENSITIVE) == [b"after", b"1", True]
    for attributes, code in (
        ([(SENSITIVE, False)], Code.CKR_ATTRIBUTE_READ_ONLY),
        ([(ENCRYPT, False)], Code.CKR_ATTRIBUTE_READ_ONLY),
        ([(VALUE_LEN, 4)], Code.CKR_ATTRIBUTE_TYPE_INVALID),
    ):
        failed = app.fails("C_SETATTRIBUTEVALUE", app.session, handle, template(*attributes))
        assert failed is code


def test_a_public_key_shows_its_numbers(app: Application) -> None:
    public, private = app.rsa_pair()
    modulus, exponent, bits = app.show(public, MODULUS, EXPONENT, MODULUS_BITS)
    assert (len(modulus), exponent, bits) == (256, b"\1\0\1", 2048)
    shown = app.fails("C_GETATTRIBUTEVALUE", app.session, private, query((MODULUS, 999)))
    assert shown is Code.CKR_ATTRIBUTE_TYPE_INVALID
    assert app.show(public, CLASS, VERIFY) == [2, True]
    assert app.show(private, CLASS, SIGN) == [3, True]


@pytest.mark.parametrize(
    ("number", "attributes", "code"),
    [
        (0x1080, [], Code.CKR_TEMPLATE_INCOMPLETE),
        (0x1080, [(VALUE_LEN, 17)], Code.CKR_KEY_SIZE_RANGE),
        (0x1080, [(VALUE_LEN, 1 << 60)], Code.CKR_KEY_SIZE_RANGE),
        (0x1080, [(VALUE_LEN, 16), (CLASS, 3)], Code.CKR_TEMPLATE_INCONSISTENT),
        (0x1080, [(VALUE_LEN, 16), (KEY_TYPE, 0x10)], Code.CKR_TEMPLATE_INCONSISTENT),
        (0x1080, [(VALUE_LEN, 16), (VALUE, b"x")], Code.CKR_ATTRIBUTE_TYPE_INVALID),
        (AES_ECB, [(VALUE_LEN, 16)], Code.CKR_MECHANISM_INVALID),
        (0x7777, [(VALUE_LEN, 16)], Code.CKR_MECHANISM_INVALID),
    ],
)
def test_keys_that_cannot_be_generated_are_refused(
    app: Application, number: int, attributes: list[tuple[int, Any]], code: Code
) -> None:
    failed = app.fails("C_GENERATEKEY", app.session, mechanism(number), template(*attributes))
    assert failed is code
    assert app.find() == []


def test_a_pair_has_the_usual_exponent_or_none(app: Application) -> None:
    call = ("C_GENERATEKEYPAIR", app.session, mechanism(0))
    other = template((MODULUS_BITS, 2048), (EXPONENT, b"\3"))
    assert app.fails(*call, other, template()) is Code.CKR_ATTRIBUTE_VALUE_INVALID
    assert app.fails(*call, template(), template()) is Code.CKR_TEMPLATE_INCOMPLETE
    small = template((MODULUS_BITS, 100))
    assert app.fails(*call, small, template()) is Code.CKR_KEY_SIZE_RANGE


# Cryptographic functions.

GCM = data(bytes(12)) + ulong(96) + data(b"header") + ulong(128)
CTR = ulong(128) + bytes(16)
PSS = ulong(SHA256) + ulong(2) + ulong(32)
OAEP = ulong(SHA256) + ulong(2) + ulong(1) + data(b"label")


@pytest.mark.parametrize(
    "used",
    [mechanism(AES_ECB), mechanism(AES_CBC, data(bytes(16))), CBC_PAD, mechanism(AES_CTR, CTR),
     mechanism(AES_GCM, GCM)],
    ids=["ECB", "CBC", "CBC_PAD", "CTR", "GCM"],
)  # fmt: skip
def test_aes_encrypts_and_decrypts_at_once_and_in_parts(app: Application, used: bytes) -> None:
    handle, text = app.aes_key(), bytes(range(32))
    app.call("C_ENCRYPTINIT", app.session, used, handle)
    whole = app.output("C_ENCRYPT", app.session, data(text))
    app.call("C_ENCRYPTINIT", app.session, used, handle)
    parts = [app.output("C_ENCRYPTUPDATE", app.session, data(text[at : at + 9])) for at in range(0, 32, 9)]
    assert b"".join([*parts, app.output("C_ENCRYPTFINAL", app.session)]) == whole
    app.call("C_DECRYPTINIT", app.session, used, handle)
    assert app.output("C_DECRYPT", app.session, data(whole)) == text


def test_the_result_is_that_of_kmip(kms: TestKms, app: Application) -> None:
    """NIST SP 800-38A F.1.1: ECB-AES128.Encrypt."""
    made = active(kms, material=bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"))
    app.call("C_ENCRYPTINIT", app.session, mechanism(AES_ECB), handle_of(app, made))
    block = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    encrypted = app.output("C_ENCRYPT", app.session, data(block))
    assert encrypted.hex() == "3ad77bb40d7a3660a89ecaf32466ef97"


@pytest.mark.parametrize("used", [mechanism(1), mechanism(9, OAEP)], ids=["PKCS", "OAEP"])
def test_rsa_encrypts_and_decrypts(app: Application, used: bytes) -> None:
    public, private = app.rsa_pair()
    app.call("C_ENCRYPTINIT", app.session, used, public)
    encrypted = app.output("C_ENCRYPT", app.session, data(b"session key"))
    app.call("C_DECRYPTINIT", app.session, used, private)
    assert app.output("C_DECRYPT", app.session, data(encrypted)) == b"session key"


@pytest.mark.parametrize(
    "used",
    [mechanism(1), mechanism(SHA256_RSA), mechanism(0x43, PSS), mechanism(0x0D, PSS)],
    ids=["PKCS", "SHA256_PKCS", "SHA256_PSS", "PSS"],
)
def test_rsa_signs_and_verifies(app: Application, used: bytes) -> None:
    public, private = app.rsa_pair()
    text = bytes(range(32))
    app.call("C_SIGNINIT", app.session, used, private)
    assert app.call("C_SIGN", app.session, data(text), buffer(None)) == b"\0" + count(256)
    signature = app.output("C_SIGN", app.session, data(text), size=256)
    app.call("C_VERIFYINIT", app.session, used, public)
    app.call("C_VERIFY", app.session, data(text), data(signature))
    app.call("C_VERIFYINIT", app.session, used, public)
    app.call("C_VERIFYUPDATE", app.session, data(text[:5]))
    app.call("C_VERIFYUPDATE", app.session, data(text[5:]))
    app.call("C_VERIFYFINAL", app.session, data(signature))
    for wrong in (signature[:-1], bytes(256), b""):
        app.call("C_VERIFYINIT", app.session, used, public)
        failed = app.fails("C_VERIFY", app.session, data(text), data(wrong))
        assert failed is Code.CKR_SIGNATURE_INVALID


def test_hmac_is_that_of_rfc_4231(app: Application) -> None:
    """RFC 4231 §4.3, with a key of 4 bytes."""
    made = app.handle("C_CREATEOBJECT", template((CLASS, 4), (KEY_TYPE, 0x2B), (VALUE, b"Jefe")))
    app.call("C_SIGNINIT", app.session, mechanism(SHA256_HMAC), made)
    app.call("C_SIGNUPDATE", app.session, data(b"what do ya want "))
    app.call("C_SIGNUPDATE", app.session, data(b"for nothing?"))
    mac = app.output("C_SIGNFINAL", app.session)
    assert mac.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    app.call("C_VERIFYINIT", app.session, mechanism(SHA256_HMAC), made)
    app.call("C_VERIFY", app.session, data(b"what do ya want for nothing?"), data(mac))
    app.call("C_VERIFYINIT", app.session, mechanism(SHA256_HMAC), made)
    failed = app.fails("C_VERIFY", app.session, data(b"something"), data(mac))
    assert failed is Code.CKR_SIGNATURE_INVALID


def test_cmac_is_that_of_rfc_4493(kms: TestKms, app: Application) -> None:
    """RFC 4493 §4, example 2."""
    uses = CryptographicUsageMask.MAC_GENERATE
    made = active(kms, material=bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), usage=uses)
    app.call("C_SIGNINIT", app.session, mechanism(AES_CMAC), handle_of(app, made))
    message = bytes.fromhex("6bc1bee22e409f96e93d7e117393172a")
    mac = app.output("C_SIGN", app.session, data(message))
    assert mac.hex() == "070a16b46b4d4144f79bdd9dd04a287c"


def test_a_digest_is_that_of_fips_180(app: Application) -> None:
    app.call("C_DIGESTINIT", app.session, mechanism(SHA256))
    app.call("C_DIGESTUPDATE", app.session, data(b"ab"))
    app.call("C_DIGESTUPDATE", app.session, data(b"c"))
    digest = app.output("C_DIGESTFINAL", app.session, size=32)
    assert digest.hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_random_bytes_come_and_seeds_go(app: Application) -> None:
    made = app.call("C_GENERATERANDOM", app.session, count(33))
    assert made[:4] == count(33)
    assert len(made) == 37
    app.call("C_SEEDRANDOM", app.session, data(b"seed"))
    assert app.fails("C_GENERATERANDOM", app.session, count(1 << 31)) is Code.CKR_ARGUMENTS_BAD


def test_a_question_for_the_length_does_nothing(kms: TestKms, app: Application) -> None:
    """Neither the question nor a buffer that is too small uses the key, and the operation goes on."""
    limits = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    made = active(kms, attribute(Tag.USAGE_LIMITS, limits))
    handle = handle_of(app, made)
    app.call("C_ENCRYPTINIT", app.session, CBC_PAD, handle)
    for _ in range(3):
        assert app.call("C_ENCRYPT", app.session, data(b"x"), buffer(None)) == b"\0" + count(16)
    code, output = app.try_("C_ENCRYPT", app.session, data(b"x"), buffer(15))
    assert (code, output) == (Code.CKR_BUFFER_TOO_SMALL, b"\0" + count(16))
    assert value(kms, made, Tag.USAGE_LIMITS).usage_limits_count in (None, 1)
    assert len(app.output("C_ENCRYPT", app.session, data(b"x"), size=16)) == 16
    assert value(kms, made, Tag.USAGE_LIMITS).usage_limits_count == 0
    app.call("C_ENCRYPTINIT", app.session, CBC_PAD, handle)
    used_up = app.fails("C_ENCRYPT", app.session, data(b"x"), buffer(16))
    assert used_up is Code.CKR_KEY_FUNCTION_NOT_PERMITTED


def test_what_a_refused_operation_changed_is_undone(kms: TestKms, app: Application) -> None:
    """Encrypt counts the use before it finds that the data are no whole blocks."""
    limits = UsageLimits(usage_limits_total=1, usage_limits_unit=UsageLimitsUnit.OBJECT)
    made = active(kms, attribute(Tag.USAGE_LIMITS, limits))
    begin = ("C_ENCRYPTINIT", app.session, mechanism(AES_ECB), handle_of(app, made))
    for _ in range(3):
        app.call(*begin)
        assert (
            app.fails("C_ENCRYPT", app.session, data(b"short"), buffer(99)) is not Code.CKR_OPERATION_ACTIVE
        )
    app.call(*begin)
    assert len(app.output("C_ENCRYPT", app.session, data(bytes(16)))) == 16
    assert value(kms, made, Tag.USAGE_LIMITS).usage_limits_count == 0


def test_an_operation_is_begun_once_and_ends_with_a_failure(kms: TestKms, app: Application) -> None:
    handle = handle_of(app, active(kms))
    begin = ("C_DECRYPTINIT", app.session, CBC_PAD, handle)
    assert app.fails("C_DECRYPT", app.session, data(b""), buffer(9)) is Code.CKR_OPERATION_NOT_INITIALIZED
    app.call(*begin)
    assert app.fails(*begin) is Code.CKR_OPERATION_ACTIVE
    failed = app.fails("C_DECRYPT", app.session, data(bytes(16)), buffer(99))
    assert failed is Code.CKR_ENCRYPTED_DATA_INVALID
    app.call(*begin)
    app.output("C_DECRYPTUPDATE", app.session, data(b"x"))
    assert app.fails("C_DECRYPT", app.session, data(b""), buffer(9)) is Code.CKR_OPERATION_ACTIVE
    app.call(*begin)
    app.call("C_SESSIONCANCEL", app.session, ulong(0))
    app.call(*begin)


@pytest.mark.parametrize("ciphertext", [b"", b"x", bytes(16), bytes(33), bytes(range(64))])
def test_what_is_wrong_with_a_ciphertext_is_not_told(
    kms: TestKms, app: Application, ciphertext: bytes
) -> None:
    handle = handle_of(app, active(kms))  # not a fresh key: one in 256 finds a padding in any block
    for used in (CBC_PAD, mechanism(AES_GCM, GCM)):
        app.call("C_DECRYPTINIT", app.session, used, handle)
        code, output = app.try_("C_DECRYPT", app.session, data(ciphertext), buffer(99))
        assert (code, output) == (Code.CKR_ENCRYPTED_DATA_INVALID, b""), handle


def test_what_comes_in_parts_is_bounded(app: Application) -> None:
    app.call("C_DIGESTINIT", app.session, mechanism(SHA256))
    app.call("C_DIGESTUPDATE", app.session, data(bytes(MAXIMUM_HELD)))
    assert app.fails("C_DIGESTUPDATE", app.session, data(b"x")) is Code.CKR_DATA_LEN_RANGE
    assert app.fails("C_DIGESTFINAL", app.session, buffer(32)) is Code.CKR_OPERATION_NOT_INITIALIZED


def test_what_all_sessions_hold_is_bounded_together(app: Application) -> None:
    """Parameters of mechanisms too: they are kept until the operation ends."""
    app.call("C_DIGESTINIT", app.session, mechanism(SHA256))
    app.call("C_DIGESTUPDATE", app.session, data(bytes(MAXIMUM_HELD // 2)))
    other = app.call("C_OPENSESSION", ulong(1), ulong(RW))
    handle = app.aes_key()
    long = mechanism(AES_GCM, data(bytes(12)) + ulong(96) + data(bytes(MAXIMUM_HELD // 2)) + ulong(128))
    assert app.fails("C_ENCRYPTINIT", other, long, handle) is Code.CKR_HOST_MEMORY
    app.call("C_DIGESTINIT", other, mechanism(SHA256))
    too_long = data(bytes(MAXIMUM_HELD // 2 + 1))
    assert app.fails("C_DIGESTUPDATE", other, too_long) is Code.CKR_DATA_LEN_RANGE
    app.call("C_DIGESTFINAL", app.session, buffer(32))
    app.call("C_ENCRYPTINIT", other, long, handle)


def test_what_is_held_is_kept_as_it_is(kms: TestKms, app: Application) -> None:
    """Each call of the application writes and reads it: in another form it would be longer, and slow."""
    app.call("C_DIGESTINIT", app.session, mechanism(SHA256))
    app.call("C_DIGESTUPDATE", app.session, data(bytes(MAXIMUM_HELD)))
    (kept,) = kms.run(kms.repository.entries_of(state.Application, ALICE.tenant, ALICE.client))
    assert len(kept.value.data) < MAXIMUM_HELD + 1024


def test_what_sessions_hold_does_not_get_mixed_up(app: Application) -> None:
    parts = (b"one\n{}", b"\n\ntwo", b"", bytes(range(256)))
    handle, opened = app.aes_key(), []
    for number, part in enumerate(parts):
        counter = mechanism(AES_CTR, ulong(128) + bytes([number] * 15) + b"\n")
        session = app.call("C_OPENSESSION", ulong(1), ulong(RW))
        app.call("C_DIGESTINIT", session, mechanism(SHA256))
        app.call("C_ENCRYPTINIT", session, counter, handle)
        app.output("C_ENCRYPTUPDATE", session, data(part))
        app.call("C_DIGESTUPDATE", session, data(part[::-1]))
        opened.append((session, counter, part))
    for session, counter, part in opened:
        assert app.output("C_DIGESTFINAL", session) == hashlib.sha256(part[::-1]).digest()
        sealed = app.output("C_ENCRYPTFINAL", session)
        app.call("C_ENCRYPTINIT", app.session, counter, handle)
        assert app.output("C_ENCRYPT", app.session, data(part)) == sealed


def test_what_an_older_release_held_is_read() -> None:
    active = {"mechanism": SHA256, "parameter": "0aff", "key": None, "data": "7b0a", "in_parts": True}
    session: dict[str, object] = {
        "writable": True,
        "found": None,
        "objects": [],
        "active": {"digest": active},
    }
    older = {"sessions": {"1": session}, "handles": {}, "next": 2, "logged_in": False}
    read = state._decode(SecretBytes(json.dumps(older).encode())).sessions[1].active[state.Work.DIGEST]
    assert (read.mechanism.parameter, read.data) == (b"\n\xff", b"{\n")


def test_a_short_request_does_not_make_an_endless_answer(app: Application) -> None:
    large = bytes(MAXIMUM_OUTPUT // 4)
    handle = app.call("C_CREATEOBJECT", app.session, template((CLASS, 0), (VALUE, large)))
    asked = query(*[(VALUE, len(large))] * 256)
    code, output = app.try_("C_GETATTRIBUTEVALUE", app.session, handle, asked)
    assert code is Code.CKR_HOST_MEMORY
    assert len(output) < MAXIMUM_OUTPUT + 16_384
    assert [value for _, value in answered(output)] == [large] * 3 + [None] * 253


@pytest.mark.parametrize(
    ("used", "code"),
    [
        (mechanism(0x7777), Code.CKR_MECHANISM_INVALID),
        (mechanism(SHA256_RSA), Code.CKR_MECHANISM_INVALID),
        (mechanism(AES_CBC), Code.CKR_MECHANISM_PARAM_INVALID),
        (mechanism(AES_ECB, b"x"), Code.CKR_MECHANISM_PARAM_INVALID),
        (mechanism(AES_CTR, ulong(32) + bytes(16)), Code.CKR_MECHANISM_PARAM_INVALID),
        (mechanism(AES_GCM, data(bytes(12)) + ulong(96) + data(b"") + ulong(7)),
         Code.CKR_MECHANISM_PARAM_INVALID),
        (mechanism(9, ulong(1) + ulong(2) + ulong(1) + data(b"")), Code.CKR_MECHANISM_PARAM_INVALID),
    ],
)  # fmt: skip
def test_a_mechanism_that_is_not_offered_begins_nothing(app: Application, used: bytes, code: Code) -> None:
    assert app.fails("C_ENCRYPTINIT", app.session, used, app.aes_key()) is code


def test_masks_states_and_owners_hold(kms: TestKms, app: Application) -> None:
    def encrypt(identifier: str) -> Code:
        app.call("C_ENCRYPTINIT", app.session, CBC_PAD, handle_of(app, identifier))
        return app.fails("C_ENCRYPT", app.session, data(b"x"), buffer(99))

    not_permitted = Code.CKR_KEY_FUNCTION_NOT_PERMITTED
    assert encrypt(active(kms, usage=CryptographicUsageMask.DECRYPT)) is not_permitted
    assert encrypt(key(kms)) is not_permitted
    compromised = active(kms)
    kms.call(revoke(compromised, RevocationReasonCode.KEY_COMPROMISE))
    assert encrypt(compromised) is not_permitted
    assert encrypt(register_password(kms)) is not Code.CKR_OK


def test_a_key_that_ends_while_an_operation_is_under_way_is_not_used(kms: TestKms, app: Application) -> None:
    end = attribute(Tag.DEACTIVATION_DATE, kms.clock.now() + timedelta(minutes=5))
    app.call("C_ENCRYPTINIT", app.session, CBC_PAD, handle_of(app, active(kms, end)))
    kms.clock.pass_time(minutes=6)
    failed = app.fails("C_ENCRYPT", app.session, data(b"x"), buffer(99))
    assert failed is Code.CKR_KEY_FUNCTION_NOT_PERMITTED


def test_the_id_placeholder_is_not_touched(kms: TestKms, app: Application) -> None:
    first = active(kms, usage=EVERY_USE)
    request = PKCS11Request(
        pkcs_11_function=PKCS11Function.C_FINDOBJECTSINIT,
        correlation_value=app.correlation_value,
        pkcs_11_input_parameters=SecretBytes(app.session + template()),
    )
    found = LocateRequest(maximum_items=1)
    _, answer, got = kms.batch(found, request, GetRequest(), version=V2_1)
    assert answer.pkcs_11_return_code is Code.CKR_OK  # type: ignore[union-attr]
    assert got.unique_identifier == first  # type: ignore[union-attr]


# Elliptic curves.

P_256 = bytes.fromhex("06082a8648ce3d030107")
EC_PARAMS, EC_POINT = 0x180, 0x181


def ec_pair(app: Application, curve: bytes = P_256) -> tuple[bytes, bytes]:
    made = app.call(
        "C_GENERATEKEYPAIR",
        app.session,
        mechanism(0x1040),
        template((TOKEN, True), (EC_PARAMS, curve)),
        template((TOKEN, True)),
    )
    return made[:8], made[8:]


@pytest.mark.parametrize(
    ("curve", "size"),
    [("06082a8648ce3d030107", 32), ("06052b81040022", 48), ("06052b81040023", 66), ("06052b8104000a", 32)],
    ids=["P-256", "P-384", "P-521", "secp256k1"],
)
def test_ecdsa_signatures_are_two_numbers_of_equal_length(app: Application, curve: str, size: int) -> None:
    public, private = ec_pair(app, bytes.fromhex(curve))
    text = bytes(range(32))
    for used in (mechanism(0x1041), mechanism(0x1044)):
        app.call("C_SIGNINIT", app.session, used, private)
        assert app.call("C_SIGN", app.session, data(text), buffer(None)) == b"\0" + count(2 * size)
        signature = app.output("C_SIGN", app.session, data(text), size=2 * size)
        app.call("C_VERIFYINIT", app.session, used, public)
        app.call("C_VERIFY", app.session, data(text), data(signature))
        for wrong, code in (
            (signature[:-1], Code.CKR_SIGNATURE_LEN_RANGE),
            (b"", Code.CKR_SIGNATURE_LEN_RANGE),
            (signature[size:] + signature[:size], Code.CKR_SIGNATURE_INVALID),
        ):
            app.call("C_VERIFYINIT", app.session, used, public)
            assert app.fails("C_VERIFY", app.session, data(text), data(wrong)) is code


def test_an_ecdsa_signature_made_here_verifies_in_kmip(kms: TestKms, app: Application) -> None:
    public, private = ec_pair(app)
    app.call("C_SIGNINIT", app.session, mechanism(0x1044), private)
    numbers = app.output("C_SIGN", app.session, data(b"text"))
    request = SignatureVerifyRequest(
        unique_identifier=identifier_of(app, public),
        cryptographic_parameters=CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256),
        data=SecretBytes(b"text"),
        signature_data=encode_dss_signature(
            int.from_bytes(numbers[:32], "big"), int.from_bytes(numbers[32:], "big")
        ),
    )
    assert kms.call(request, version=V2_1).validity_indicator is ValidityIndicator.VALID


def test_a_public_key_shows_its_curve_and_point(app: Application) -> None:
    public, private = ec_pair(app)
    parameters, point, key_type = app.show(public, EC_PARAMS, EC_POINT, KEY_TYPE)
    assert (parameters, key_type) == (P_256, 3)
    assert point[:3] == b"\x04\x41\x04"
    assert len(point) == 67
    assert app.show(private, EC_PARAMS) == [P_256]


@pytest.mark.parametrize("curve", [b"", b"\x06\x01\x01", P_256 + b"\0"])
def test_a_curve_that_is_not_named_makes_no_pair(app: Application, curve: bytes) -> None:
    failed = app.fails(
        "C_GENERATEKEYPAIR", app.session, mechanism(0x1040), template((EC_PARAMS, curve)), template()
    )
    assert failed is Code.CKR_ATTRIBUTE_VALUE_INVALID


# Keys that are wrapped.

WRAP, UNWRAP = 0x106, 0x107
KW, KWP = 0x2109, 0x210B
AES_TEMPLATE = template((CLASS, 4), (KEY_TYPE, 0x1F), (TOKEN, True))


def test_the_wrapped_key_is_that_of_rfc_3394(kms: TestKms, app: Application) -> None:
    """RFC 3394 §4.1."""
    uses = CryptographicUsageMask.WRAP_KEY | CryptographicUsageMask.UNWRAP_KEY
    wrapping_key = handle_of(app, active(kms, material=AES_128, usage=uses))
    key_ = handle_of(app, active(kms, material=bytes.fromhex("00112233445566778899aabbccddeeff")))
    call = ("C_WRAPKEY", app.session, mechanism(KW), wrapping_key, key_)
    assert app.call(*call, buffer(None)) == b"\0" + count(24)
    assert app.fails(*call, buffer(23)) is Code.CKR_BUFFER_TOO_SMALL
    wrapped = app.output(*call, size=24)
    assert wrapped.hex() == "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5"
    back = app.handle("C_UNWRAPKEY", mechanism(KW), wrapping_key, data(wrapped), AES_TEMPLATE)
    assert app.show(back, VALUE, VALUE_LEN) == app.show(key_, VALUE, VALUE_LEN)


@pytest.mark.parametrize("used", [mechanism(1), mechanism(9, OAEP)], ids=["PKCS", "OAEP"])
def test_a_key_is_wrapped_with_a_public_key_and_unwrapped_with_the_private(
    app: Application, used: bytes
) -> None:
    made = app.call(
        "C_GENERATEKEYPAIR",
        app.session,
        mechanism(0),
        template((MODULUS_BITS, 2048), (WRAP, True)),
        template((UNWRAP, True)),
    )
    public, private = made[:8], made[8:]
    key_ = app.aes_key()
    wrapped = app.output("C_WRAPKEY", app.session, used, public, key_)
    back = app.handle("C_UNWRAPKEY", used, private, data(wrapped), AES_TEMPLATE)
    assert app.show(back, VALUE) == app.show(key_, VALUE)


def test_a_private_key_is_wrapped_as_pkcs_8(app: Application) -> None:
    wrapping_key = app.aes_key((WRAP, True), (UNWRAP, True))
    for (public, private), key_type, used in (
        (app.rsa_pair(), 0x00, mechanism(SHA256_RSA)),
        (ec_pair(app), 0x03, mechanism(0x1044)),
    ):
        wrapped = app.output("C_WRAPKEY", app.session, mechanism(KWP), wrapping_key, private)
        back = app.handle(
            "C_UNWRAPKEY",
            mechanism(KWP),
            wrapping_key,
            data(wrapped),
            template((CLASS, 3), (KEY_TYPE, key_type)),
        )
        app.call("C_SIGNINIT", app.session, used, back)
        signature = app.output("C_SIGN", app.session, data(b"text"))
        app.call("C_VERIFYINIT", app.session, used, public)
        app.call("C_VERIFY", app.session, data(b"text"), data(signature))


def test_what_may_not_leave_is_not_wrapped(app: Application) -> None:
    wrapping_key, other = app.aes_key((WRAP, True)), app.aes_key()
    locked_in = app.aes_key((EXTRACTABLE, False))
    for pair, code in (
        ((wrapping_key, locked_in), Code.CKR_KEY_UNEXTRACTABLE),
        ((other, wrapping_key), Code.CKR_KEY_FUNCTION_NOT_PERMITTED),
        ((wrapping_key, wrapping_key), Code.CKR_KEY_NOT_WRAPPABLE),
    ):
        assert app.fails("C_WRAPKEY", app.session, mechanism(KW), *pair, buffer(99)) is code
    sensitive = app.aes_key((SENSITIVE, True))
    assert len(app.output("C_WRAPKEY", app.session, mechanism(KW), wrapping_key, sensitive)) == 40


@pytest.mark.parametrize(
    "spoil", [lambda w: w[:-1], lambda w: w + b"x", lambda w: bytes(len(w)), lambda w: b""]
)
def test_what_is_wrong_with_a_wrapped_key_is_not_told(app: Application, spoil: Any) -> None:
    wrapping_key = app.aes_key((WRAP, True), (UNWRAP, True))
    wrapped = app.output("C_WRAPKEY", app.session, mechanism(KW), wrapping_key, app.aes_key())
    before = app.find()
    failed = app.fails(
        "C_UNWRAPKEY", app.session, mechanism(KW), wrapping_key, data(spoil(wrapped)), AES_TEMPLATE
    )
    assert failed is Code.CKR_ENCRYPTED_DATA_INVALID
    assert app.find() == before


def test_a_key_that_may_not_unwrap_leaves_nothing_behind(app: Application) -> None:
    wrapping_key, other = app.aes_key((WRAP, True)), app.aes_key(size=32)
    wrapped = app.output("C_WRAPKEY", app.session, mechanism(KW), wrapping_key, other)
    before = app.find()
    failed = app.fails("C_UNWRAPKEY", app.session, mechanism(KW), other, data(wrapped), AES_TEMPLATE)
    assert failed is Code.CKR_KEY_FUNCTION_NOT_PERMITTED
    assert app.find() == before


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ([(KEY_TYPE, 0x1F)], Code.CKR_TEMPLATE_INCOMPLETE),
        ([(CLASS, 4)], Code.CKR_TEMPLATE_INCOMPLETE),
        ([(CLASS, 1), (KEY_TYPE, 0x1F)], Code.CKR_TEMPLATE_INCONSISTENT),
        ([(CLASS, 4), (KEY_TYPE, 0x00)], Code.CKR_TEMPLATE_INCONSISTENT),
        ([(CLASS, 4), (KEY_TYPE, 0x1F), (VALUE_LEN, 16)], Code.CKR_ENCRYPTED_DATA_INVALID),
        ([(CLASS, 4), (KEY_TYPE, 0x1F), (VALUE, b"x")], Code.CKR_ATTRIBUTE_TYPE_INVALID),
    ],
)
def test_a_template_that_does_not_fit_the_wrapped_key_is_refused(
    app: Application, attributes: list[tuple[int, Any]], code: Code
) -> None:
    wrapping_key = app.aes_key((WRAP, True), (UNWRAP, True))
    wrapped = app.output("C_WRAPKEY", app.session, mechanism(KW), wrapping_key, app.aes_key())
    failed = app.fails(
        "C_UNWRAPKEY", app.session, mechanism(KW), wrapping_key, data(wrapped), template(*attributes)
    )
    assert failed is code


# Copies and derived keys.


def test_a_copy_is_an_object_of_its_own(kms: TestKms, app: Application) -> None:
    handle = app.aes_key((LABEL, b"first"), (ENCRYPT, True))
    copy = app.handle("C_COPYOBJECT", handle, template((TOKEN, True), (LABEL, b"second")))
    assert identifier_of(app, copy) != identifier_of(app, handle)
    assert app.show(copy, VALUE, ENCRYPT, DECRYPT) == app.show(handle, VALUE, ENCRYPT, DECRYPT)
    assert app.show(copy, LABEL) == [b"second"]
    assert state_of(kms, identifier_of(app, copy)) is State.ACTIVE
    app.call("C_DESTROYOBJECT", app.session, handle)
    app.call("C_ENCRYPTINIT", app.session, CBC_PAD, copy)


def test_a_copy_of_what_is_sensitive_or_with_other_uses_is_refused(app: Application) -> None:
    sensitive, plain = app.aes_key((SENSITIVE, True)), app.aes_key()
    for handle, attributes, code in (
        (sensitive, [], Code.CKR_ATTRIBUTE_SENSITIVE),
        (plain, [(ENCRYPT, True)], Code.CKR_ATTRIBUTE_READ_ONLY),
        (plain, [(VALUE, b"x")], Code.CKR_ATTRIBUTE_TYPE_INVALID),
    ):
        assert app.fails("C_COPYOBJECT", app.session, handle, template(*attributes)) is code


def hkdf(salt: bytes, info: bytes, *, steps: bytes = b"\1\1", salt_type: int = 2) -> bytes:
    return mechanism(0x402A, steps + ulong(SHA256) + ulong(salt_type) + data(salt) + ulong(0) + data(info))


def test_the_derived_key_is_that_of_rfc_5869(kms: TestKms, app: Application) -> None:
    """RFC 5869 A.1."""
    base = app.handle(
        "C_CREATEOBJECT",
        template((CLASS, 4), (KEY_TYPE, 0x10), (VALUE, b"\x0b" * 22), (0x10C, True)),
    )
    used = hkdf(bytes(range(13)), bytes(range(0xF0, 0xFA)))
    derived = app.handle("C_DERIVEKEY", used, base, template((VALUE_LEN, 42)))
    (made,) = app.show(derived, VALUE)
    assert made.hex() == (
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


@pytest.mark.parametrize(
    ("used", "attributes", "code"),
    [
        (hkdf(b"", b"", steps=b"\0\1"), [(VALUE_LEN, 16)], Code.CKR_MECHANISM_PARAM_INVALID),
        (hkdf(b"", b"", salt_type=4), [(VALUE_LEN, 16)], Code.CKR_MECHANISM_PARAM_INVALID),
        (hkdf(b"", b""), [], Code.CKR_TEMPLATE_INCOMPLETE),
        (hkdf(b"", b""), [(VALUE_LEN, 16), (CLASS, 3)], Code.CKR_TEMPLATE_INCONSISTENT),
        (hkdf(b"", b""), [(VALUE_LEN, 16), (KEY_TYPE, 0)], Code.CKR_TEMPLATE_INCONSISTENT),
        (hkdf(b"", b""), [(VALUE_LEN, 17), (KEY_TYPE, 0x1F)], Code.CKR_KEY_SIZE_RANGE),
        (hkdf(b"", b""), [(VALUE_LEN, 16)], Code.CKR_KEY_FUNCTION_NOT_PERMITTED),
        (mechanism(AES_ECB), [(VALUE_LEN, 16)], Code.CKR_MECHANISM_INVALID),
    ],
)
def test_keys_that_cannot_be_derived_are_refused(
    app: Application, used: bytes, attributes: list[tuple[int, Any]], code: Code
) -> None:
    uses = [] if code is Code.CKR_KEY_FUNCTION_NOT_PERMITTED else [(0x10C, True)]
    base = app.aes_key(*uses)
    assert app.fails("C_DERIVEKEY", app.session, used, base, template(*attributes)) is code


# Bad input.


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(function=st.sampled_from(PKCS11Function), parameters=st.binary(max_size=80), session=st.booleans())
def test_any_bytes_get_an_answer(
    app: Application, function: PKCS11Function, parameters: bytes, session: bool
) -> None:
    """A return code, or the refusal of bytes that are no parameters; never a failure of the server."""
    if function in (PKCS11Function.C_FINALIZE, PKCS11Function.C_INITIALIZE):
        return
    request = PKCS11Request(
        pkcs_11_function=function,
        correlation_value=app.correlation_value,
        pkcs_11_input_parameters=SecretBytes(app.session + parameters if session else parameters),
    )
    (answer,) = app.kms.batch(request, version=V2_1)
    reason = getattr(answer, "reason", None)
    assert reason in (None, R.PKCS_11_CODEC_ERROR), answer


@given(number=st.sampled_from(sorted(MECHANISMS)), parameter=st.none() | st.binary(max_size=80))
def test_any_mechanism_parameter_is_read_or_refused(number: int, parameter: bytes | None) -> None:
    with contextlib.suppress(Failure, PKCS11CodecError):
        MECHANISMS[number].read(parameter)
