"""Encryptions and their like that are done again with other data (`engine/computations.py`)."""

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strongroom.crypto.cryptographer import Cryptographer
from strongroom.domain.audit import AuditEvent, AuditUnavailable, NoAuditLog, Repeated
from strongroom.domain.context import Policy
from strongroom.domain.identity import Connection
from strongroom.domain.operation import Request
from strongroom.engine.answers import Answer, joined
from strongroom.engine.computations import Computations, _Form
from strongroom.engine.dispatch import Dispatcher
from strongroom.engine.services import Services
from strongroom.model.attribute_list import AttributeInstance
from strongroom.model.identifiers import UniqueIdentifier
from strongroom.model.secret import SecretBytes
from strongroom.model.structures import CryptographicParameters, UsageLimits
from strongroom.operations.decrypt import DecryptRequest
from strongroom.operations.destroy import DestroyRequest
from strongroom.operations.encrypt import EncryptRequest, EncryptResponse
from strongroom.operations.hash import HashRequest
from strongroom.operations.mac import MACRequest
from strongroom.registry import (
    V1_4,
    BlockCipherMode,
    CryptographicAlgorithm,
    CryptographicUsageMask,
    HashingAlgorithm,
    PaddingMethod,
    ResultReason,
    Tag,
    UsageLimitsUnit,
)
from strongroom.wire import binary
from strongroom.wire.place import LONG
from tests.expect import active_key, refusal, revoke
from tests.kms import ALICE, BOB, TestKms, attribute, request_message

GCM = CryptographicParameters(block_cipher_mode=BlockCipherMode.GCM)
HMAC = CryptographicParameters(cryptographic_algorithm=CryptographicAlgorithm.HMAC_SHA256)
SHA_256 = CryptographicParameters(hashing_algorithm=HashingAlgorithm.SHA_256)


@pytest.fixture
def done_again(monkeypatch: pytest.MonkeyPatch) -> list[Answer]:
    """The answers that came of doing a computation again."""
    answers: list[Answer] = []
    again = Computations.again

    async def note(self: Computations, *args: Any) -> Answer | None:
        answer = await again(self, *args)
        if answer is not None:
            answers.append(answer)
        return answer

    monkeypatch.setattr(Computations, "again", note)
    return answers


def encryption(key: UniqueIdentifier, data: bytes, iv: bytes) -> EncryptRequest:
    return EncryptRequest(
        unique_identifier=key, cryptographic_parameters=GCM, data=SecretBytes(data), iv_counter_nonce=iv
    )


def decryption(key: UniqueIdentifier, made: EncryptResponse, iv: bytes) -> DecryptRequest:
    return DecryptRequest(
        unique_identifier=key,
        cryptographic_parameters=GCM,
        data=made.data,
        iv_counter_nonce=iv,
        authenticated_encryption_tag=made.authenticated_encryption_tag,
    )


def encrypt_often(kms: TestKms, key: UniqueIdentifier) -> None:
    """Encrypt until it is remembered how."""
    for number in range(3):
        kms.call(encryption(key, b"data", bytes([number] * 12)))


def test_other_data_is_encrypted_and_decrypted_with_the_same_key(
    kms: TestKms, done_again: list[Answer]
) -> None:
    key = active_key(kms)
    made = {}
    for number in range(5):
        iv = bytes([number] * 12)
        made[iv] = kms.call(encryption(key, f"data {number}".encode(), iv))
    assert len(done_again) == 3, "the first two are needed to see that it happens again"
    for number, (iv, sealed) in enumerate(made.items()):
        plain = kms.call(decryption(key, sealed, iv)).data
        assert plain == SecretBytes(f"data {number}".encode())
    assert len(done_again) == 6
    kms.forget()
    assert kms.call(decryption(key, made[bytes([4] * 12)], bytes([4] * 12))).data == SecretBytes(b"data 4")


def test_what_needs_no_object_is_done_again_too(kms: TestKms, done_again: list[Answer]) -> None:
    digests = {
        kms.call(HashRequest(cryptographic_parameters=SHA_256, data=SecretBytes(bytes([number])))).data
        for number in range(4)
    }
    assert (len(digests), len(done_again)) == (4, 2)


Ends = Callable[[TestKms, UniqueIdentifier], object]


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (lambda kms, key: kms.call(revoke(key)), "is Deactivated"),
        (
            lambda kms, key: (kms.call(revoke(key)), kms.call(DestroyRequest(unique_identifier=key))),
            "was destroyed",
        ),
        (lambda kms, _: kms.clock.pass_time(hours=1), "Protect Stop Date"),
        (lambda kms, _: kms.clock.pass_time(hours=3), "is Deactivated"),
    ],
    ids=["revoked", "destroyed", "protect stop", "deactivation"],
)
def test_a_key_that_may_not_be_used_any_more_is_not(
    kms: TestKms, done_again: list[Answer], end: Ends, sentence: str
) -> None:
    now = kms.clock.now()

    def at(tag: Tag, **distance: float) -> AttributeInstance:
        return attribute(tag, now + timedelta(**distance))

    key = kms.create_symmetric_key(
        at(Tag.ACTIVATION_DATE, hours=-2),
        at(Tag.PROTECT_STOP_DATE, hours=1),
        at(Tag.DEACTIVATION_DATE, hours=3),
    )
    encrypt_often(kms, key)
    assert len(done_again) == 1
    end(kms, key)
    for _ in range(2):
        assert sentence in refusal(kms, encryption(key, b"data", bytes(12))).message
    assert len(done_again) == 1


def test_nobody_else_gets_at_the_key(kms: TestKms, done_again: list[Answer]) -> None:
    key = active_key(kms)
    encrypt_often(kms, key)
    assert "no object" in refusal(kms, encryption(key, b"data", bytes(12)), caller=BOB).message
    assert len(done_again) == 1


def test_other_rights_are_looked_at_anew(kms: TestKms, done_again: list[Answer]) -> None:
    key = active_key(kms)
    encrypt_often(kms, key)
    other = replace(ALICE, access=object())  # type: ignore[arg-type]  # whatever they are
    found = kms.dispatcher._computations.find(
        other, message := binary.encode(request_message(encryption(key, b"data", bytes(12)), version=V1_4))
    )
    assert found is not None
    again = kms.dispatcher._computations.again(found, message, Connection(client=other, peer="127.0.0.1:1"))
    assert kms.run(again) is None
    assert len(done_again) == 1


def test_a_forgery_is_refused_as_it_is_the_first_time(kms: TestKms, done_again: list[Answer]) -> None:
    key = active_key(kms)
    iv = bytes(12)
    made = kms.call(encryption(key, b"data", iv))
    forged = decryption(key, made.replace(data=b"d4t4"), iv)
    first = refusal(kms, forged)
    for _ in range(3):
        kms.call(decryption(key, made, iv))
    again = refusal(kms, forged)
    assert (again.reason, again.message) == (first.reason, first.message)
    assert kms.call(decryption(key, made, iv)).data == SecretBytes(b"data")
    assert len(done_again) == 2


def test_every_use_is_counted(kms: TestKms, done_again: list[Answer]) -> None:
    limits = UsageLimits(usage_limits_total=5, usage_limits_count=5, usage_limits_unit=UsageLimitsUnit.OBJECT)
    key = active_key(kms, attribute(Tag.USAGE_LIMITS, limits))
    for number in range(5):
        kms.call(encryption(key, b"data", bytes([number] * 12)))
    assert refusal(kms, encryption(key, b"data", bytes([9] * 12))).reason is ResultReason.PERMISSION_DENIED
    assert done_again == []


def test_no_iv_is_used_twice_where_that_is_refused(tmp_path: Path, done_again: list[Answer]) -> None:
    kms = TestKms(tmp_path, policy=Policy(iv_reuse=False))
    try:
        key = active_key(kms)
        encrypt_often(kms, key)
        assert refusal(kms, encryption(key, b"data", bytes(12))).reason is not None
        assert done_again == []
    finally:
        kms.close()


def test_parts_of_streams_are_not_taken_for_the_same_again(kms: TestKms, done_again: list[Answer]) -> None:
    key = active_key(kms)
    for number in range(4):
        iv = bytes([number] * 12)
        begin = encryption(key, b"first", iv).replace(init_indicator=True)
        value = kms.call(begin).correlation_value
        assert value is not None
        part = EncryptRequest(
            unique_identifier=key, data=SecretBytes(b"last"), correlation_value=value, final_indicator=True
        )
        kms.call(part)
    assert done_again == []


class Recorder(NoAuditLog):
    """Counts what is recorded; full from the moment that a test says so."""

    def __init__(self) -> None:
        self.recorded = 0
        self.full = False

    def record(self, event: AuditEvent) -> None:
        if self.full:
            raise AuditUnavailable("the disk is full")
        self.recorded += 1

    def record_again(self, event: Repeated, at: datetime, peer: str) -> None:
        if self.full:
            raise AuditUnavailable("the disk is full")
        self.recorded += 1


@pytest.fixture
def recorder(kms: TestKms) -> Recorder:
    log = Recorder()
    kms.dispatcher = Dispatcher(replace(kms.dispatcher._services, audit=log))
    return log


def test_every_use_is_recorded_or_refused(kms: TestKms, recorder: Recorder, done_again: list[Answer]) -> None:
    key = active_key(kms)
    before = recorder.recorded
    for number in range(6):
        kms.call(encryption(key, b"data", bytes([number] * 12)))
    assert recorder.recorded == before + 6
    assert len(done_again) == 4
    recorder.full = True
    assert refusal(kms, encryption(key, b"data", bytes(12))).reason is ResultReason.GENERAL_FAILURE
    assert len(done_again) == 4


def test_only_so_many_are_remembered(kms: TestKms, done_again: list[Answer]) -> None:
    kms.dispatcher = Dispatcher(replace(kms.dispatcher._services, remembered_answers=8))
    computations = kms.dispatcher._computations
    keys = [active_key(kms) for _ in range(20)]
    for key in keys:
        encrypt_often(kms, key)
    assert 0 < computations._count <= 8
    assert sum(len(known) for layouts in computations._known.values() for _, known in layouts) <= 8
    for size in range(40):
        kms.call(encryption(keys[0], bytes(size * 8), bytes(12)))
    assert len(computations._lengths) <= 8


def test_nothing_is_left_of_what_is_forgotten(kms: TestKms, done_again: list[Answer]) -> None:
    """Else a client could fill the memory with lengths of requests about keys that it revokes."""
    key = active_key(kms)
    for size in range(8, 64, 8):
        for _ in range(3):
            kms.call(encryption(key, bytes(size), bytes(12)))
    computations = kms.dispatcher._computations
    assert computations._count == len(computations._known) == 7
    kms.call(revoke(key))
    for size in range(8, 64, 8):
        refusal(kms, encryption(key, bytes(size), bytes(12)))
    assert computations._count == len(computations._known) == 0


def test_a_fault_of_the_short_way_is_answered_by_the_long_one(
    kms: TestKms, done_again: list[Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = active_key(kms)
    encrypt_often(kms, key)

    def fail(*_: object) -> None:
        raise RuntimeError("nobody has thought of it")

    monkeypatch.setattr(_Form, "fill_in", fail)
    made = kms.call(encryption(key, b"data", bytes(12)))
    assert kms.call(decryption(key, made, bytes(12))).data == SecretBytes(b"data")
    assert len(done_again) == 1


def test_no_memory_means_none(kms: TestKms, done_again: list[Answer]) -> None:
    kms.dispatcher = Dispatcher(replace(kms.dispatcher._services, remembered_answers=0))
    encrypt_often(kms, active_key(kms))
    encrypt_often(kms, active_key(kms))
    assert kms.dispatcher._computations._count <= 1
    assert done_again == []


@pytest.fixture
def both(kms: TestKms) -> tuple[TestKms, Dispatcher]:
    """A key manager that remembers, and one on the same store that does not."""
    return kms, Dispatcher(replace(kms.dispatcher._services, remembered_answers=0))


def answer(kms: TestKms, dispatcher: Dispatcher, request: Request[Any]) -> bytes:
    message = binary.encode(request_message(request, version=V1_4))
    return joined(kms.run(dispatcher.handle(message, Connection(client=ALICE, peer="127.0.0.1:1"))))


BYTES = st.sampled_from([b"", b"a", b"12 bytes long", b"16 bytes of data", b"a block and more."])
IVS = st.sampled_from([bytes(12), b"another one.", bytes(16), bytes(8), b""])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(st.tuples(st.sampled_from("edhr"), BYTES, IVS, BYTES, st.booleans()), max_size=12))
def test_nobody_can_tell_whether_it_was_done_before(
    both: tuple[TestKms, Dispatcher], steps: list[tuple[str, bytes, bytes, bytes, bool]]
) -> None:
    kms, forgetful = both
    key = active_key(kms)
    for kind, data, iv, additional, with_more in steps:
        more: dict[str, Any] = {"authenticated_encryption_additional_data": additional} if with_more else {}
        request: Request[Any]
        if kind == "e":
            request = encryption(key, data, iv).replace(**more)
        elif kind == "d":
            request = DecryptRequest(
                unique_identifier=key,
                cryptographic_parameters=GCM,
                data=data,
                iv_counter_nonce=iv,
                authenticated_encryption_tag=additional,
                **more,
            )
        elif kind == "h":
            request = HashRequest(cryptographic_parameters=SHA_256, data=SecretBytes(data))
        else:
            kms.batch(revoke(key))
            continue
        assert answer(kms, kms.dispatcher, request) == answer(kms, forgetful, request)


def test_a_long_answer_comes_in_pieces(kms: TestKms, done_again: list[Answer]) -> None:
    key = active_key(kms)
    data, lengths = bytes(1 << 20), set[int]()
    for number in range(4):
        request = encryption(key, data, bytes([number] * 12))
        message = binary.encode(request_message(request, version=V1_4))
        made = kms.run(kms.dispatcher.handle(message, Connection(client=ALICE, peer="127.0.0.1:1")))
        assert isinstance(made, list)
        assert [len(piece) >= len(data) for piece in made] == [False, True, False]
        assert binary.decode(joined(made))
        lengths.add(len(joined(made)))
    assert len(lengths) == 1
    assert len(done_again) == 2


def held(thing: object) -> Iterator[bytes]:
    """Yield the byte strings that an object keeps in memory, code and services aside."""
    seen, heap = set[int](), [thing]
    while heap:
        one = heap.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | Services | Cryptographer):
            continue
        seen.add(id(one))
        if isinstance(one, bytes):
            yield one
        elif isinstance(one, FunctionType):
            heap += [cell.cell_contents for cell in one.__closure__ or ()]
        else:
            heap += gc.get_referents(one)


@pytest.mark.parametrize("operation", ["encrypt", "decrypt", "mac", "hash"])
def test_what_is_remembered_holds_no_data(kms: TestKms, done_again: list[Answer], operation: str) -> None:
    every = CryptographicUsageMask(0xFFFFF)
    key, data = active_key(kms, mask=every), bytes(range(256)) * 80
    sealed = kms.call(encryption(key, data, bytes(12)))
    requests: dict[str, Request[Any]] = {
        "encrypt": encryption(key, data, bytes(12)),
        "decrypt": decryption(key, sealed, bytes(12)),
        "mac": MACRequest(unique_identifier=key, cryptographic_parameters=HMAC, data=SecretBytes(data)),
        "hash": HashRequest(cryptographic_parameters=SHA_256, data=SecretBytes(data)),
    }
    for _ in range(4):
        kms.call(requests[operation])
    assert done_again
    pieces = list(held(kms.dispatcher._computations._known))
    assert any(pieces), "the bytes around the data are there"
    assert max(map(len, pieces)) < 1000


@pytest.mark.parametrize(
    ("mode", "size"),
    [("GCM", 12), ("CCM", 12), ("CBC", 16), ("CFB", 16), ("OFB", 16), ("CTR", 16), ("ECB", 0)],
)
def test_much_data_is_looked_at_where_it_came_in(
    both: tuple[TestKms, Dispatcher], done_again: list[Answer], mode: str, size: int
) -> None:
    kms, forgetful = both
    key = active_key(kms)
    parameters = CryptographicParameters(
        block_cipher_mode=BlockCipherMode[mode],
        padding_method=PaddingMethod.PKCS5 if mode in ("CBC", "ECB") else None,
    )
    for number in range(4):
        data = bytes([number]) * (LONG + 16)
        iv = bytes([number]) * size if size else None
        ask = EncryptRequest(
            unique_identifier=key,
            cryptographic_parameters=parameters,
            data=SecretBytes(data),
            iv_counter_nonce=iv,
        )
        assert answer(kms, kms.dispatcher, ask) == answer(kms, forgetful, ask)
        made = kms.call(ask)
        back = DecryptRequest(
            unique_identifier=key,
            cryptographic_parameters=parameters,
            data=made.data,
            iv_counter_nonce=iv,
            authenticated_encryption_tag=made.authenticated_encryption_tag,
        )
        assert answer(kms, kms.dispatcher, back) == answer(kms, forgetful, back)
        assert kms.call(back).data == SecretBytes(data)
    assert len(done_again) >= 8
